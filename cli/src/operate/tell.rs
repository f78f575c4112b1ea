//! How a breaker stands after a command did something to it.

use crate::failure::{Failure, warn};
use crate::page::note;
use crate::page::place::Place;
use crate::page::reading::Reading;
use crate::show::{columns, show_line};
use crate::zone::Zone;
use console::style;
use std::io::{self, Write};
use trip99::HaltNote;

/// The columns before a line's text.
pub(crate) const INDENT: usize = 12;

pub(crate) fn tell(place: &Place, did: &str, reading: &Reading) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    writeln!(out, "{} {did}", style(place.name()).bold())?;
    writeln!(out, "{}", show_line("state", &reading.show_state()))?;
    if let Some(back) = reading.comes_back_words() {
        writeln!(out, "{}", show_line("", &back))?;
    }
    writeln!(out, "{}", show_line("orders", &reading.show_orders()))?;
    if let Some(retry) = reading.show_retry() {
        writeln!(out, "{}", show_line("retry", &retry))?;
    }
    writeln!(out, "{}", show_line("owner", &reading.show_owner()))?;
    if let Some(resting) = reading.show_resting() {
        writeln!(out, "{}", show_line("resting", &resting))?;
    }
    Ok(out.flush()?)
}

/// As [`tell`], in one line, where there are several pages.
pub(crate) fn tell_briefly(place: &Place, did: &str, reading: &Reading) -> Result<(), Failure> {
    let resting = reading.show_resting().map(|resting| format!("; {resting}")).unwrap_or_default();
    let (name, orders) = (style(place.name()).bold(), reading.show_orders());
    Ok(writeln!(io::stdout().lock(), "{name} {did}: {}; orders {orders}{resting}", reading.show_state())?)
}

/// What an operator has to know of the owner.
pub(crate) fn warn_of_owner(reading: &Reading) {
    if !reading.has_owner() && reading.halted && !reading.holders.is_empty() {
        warn("no process owns this page now; the halt stays for the next one that does");
    } else if !reading.has_owner() {
        warn("no process owns this page now; orders are refused until one does");
    } else if reading.is_stale() {
        warn("the owner is not at work now; it obeys with its next call");
    }
}

/// Who holds a halt, as a block of lines each.
pub(crate) fn held_by(holders: &[HaltNote], zone: &Zone) -> Vec<(&'static str, String)> {
    let mut lines = Vec::new();
    for holder in holders {
        let texts = note::lines(holder, zone, columns().saturating_sub(INDENT).max(20));
        lines.extend(
            texts.into_iter().enumerate().map(|(index, text)| (if index == 0 { "halted by" } else { "" }, text)),
        );
    }
    lines
}
