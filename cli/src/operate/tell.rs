//! What a command did to a breaker, and how the breaker stands now.

use crate::failure::Failure;
use crate::page::place::Place;
use crate::page::reading::Reading;
use crate::show::show_line;
use console::style;
use std::io::{self, Write};

pub(crate) fn tell(place: &Place, did: &str, reading: &Reading) -> Result<(), Failure> {
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
    // If this fails nobody is left to be told.
    let _ = writeln!(io::stderr(), "{} {warning}", style("warning:").for_stderr().yellow());
    Ok(())
}
