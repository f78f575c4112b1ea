//! `trip99 halt` and `trip99 resume`

use crate::failure::Failure;
use crate::operate::place::{Place, refused};
use crate::operate::reading::{Reading, show_user};
use crate::show::show_line;
use console::style;
use std::io::{self, Write};
use trip99::{HaltNote, Halter};

pub(crate) const MAX_REASON: usize = HaltNote::MAX_REASON;

pub(crate) fn halt(place: &Place, reason: &str) -> Result<(), Failure> {
    check(reason)?;
    let halter = Halter::open(&place.path).map_err(|error| refused(&error))?;
    let was_halted = halter.observer().is_halted();
    halter.halt(reason);
    let did = if was_halted { "was halted already, and now has this reason, too" } else { "halted" };
    tell(place, did, &Reading::take(halter.observer()))
}

pub(crate) fn resume(place: &Place) -> Result<(), Failure> {
    let halter = Halter::open(&place.path).map_err(|error| refused(&error))?;
    let before = Reading::take(halter.observer());
    halter.resume();
    let did = match (before.halted, before.note) {
        (false, _) => "was not halted".to_owned(),
        (true, None) => "resumed".to_owned(),
        (true, Some(note)) => format!("resumed; {} had halted it: {}", show_user(note.uid), note.reason),
    };
    tell(place, &did, &Reading::take(halter.observer()))
}

/// The library would cut a longer reason.
fn check(reason: &str) -> Result<(), Failure> {
    match reason.len() {
        _ if reason.trim().is_empty() => {
            Err(Failure::new(format_args!("--reason is blank; legal: a text of 1 to {MAX_REASON} bytes")))
        }
        len if len > MAX_REASON => {
            Err(Failure::new(format_args!("--reason has {len} bytes; legal: a text of 1 to {MAX_REASON} bytes")))
        }
        _ => Ok(()),
    }
}

/// What was done, and how things stand now.
fn tell(place: &Place, did: &str, reading: &Reading) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    writeln!(out, "{} {did}", style(place.name()).bold())?;
    writeln!(out, "{}", show_line("state", &reading.show_state()))?;
    if let Some(retry) = reading.show_retry() {
        writeln!(out, "{}", show_line("retry", &retry))?;
    }
    writeln!(out, "{}", show_line("owner", &reading.show_owner()))?;
    out.flush()?;
    let warning = if !reading.has_owner() && reading.halted {
        "no process owns this page now; the halt stays for the next one that does"
    } else if !reading.has_owner() {
        "no process owns this page now; the next one that does will not be halted"
    } else if reading.is_stale() {
        "the owner is not at work now; it obeys with its next call"
    } else {
        return Ok(());
    };
    // Nobody is left to tell if this fails.
    let _ = writeln!(io::stderr(), "{} {warning}", style("warning:").for_stderr().yellow());
    Ok(())
}
