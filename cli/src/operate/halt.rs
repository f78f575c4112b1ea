//! `trip99 halt`

use crate::arguments::{on_page, page};
use crate::failure::Failure;
use crate::operate::tell::tell;
use crate::page::place::refused;
use crate::page::reading::Reading;
use clap::{Arg, ArgMatches, Command};
use trip99::{Gate, HaltNote};

pub(crate) fn command() -> Command {
    on_page("halt")
        .about("Halt trading: the breaker refuses every call until trip99 resume")
        .long_about(
            "Halt trading: the breaker refuses every call, from the next one on, until trip99 resume. Nothing automatic \
             overrides a halt, and a halt outlives the breaker's process. If no process owns the page now, the halt waits \
             for the next owner.",
        )
        .arg(
            Arg::new("reason")
                .long("reason")
                .value_name("TEXT")
                .required(true)
                .allow_hyphen_values(true)
                .help(format!("The reason, for whoever looks at it later; at most {} bytes", HaltNote::MAX_REASON_BYTES)),
        )
}

pub(crate) fn run(matches: &ArgMatches) -> Result<(), Failure> {
    let place = page(matches)?;
    let reason = matches.get_one::<String>("reason").map_or("", String::as_str);
    check(reason)?;
    let gate = Gate::open(&place.path).map_err(|error| refused(&error))?;
    let was_halted = gate.observer().is_halted();
    gate.halt(reason);
    let did = if was_halted { "was halted already, and now has this reason, too" } else { "halted" };
    tell(&place, did, &Reading::take(&gate))
}

/// The library would cut a longer reason.
fn check(reason: &str) -> Result<(), Failure> {
    let wrong = match reason.len() {
        _ if reason.trim().is_empty() => "is blank".to_owned(),
        len if len > HaltNote::MAX_REASON_BYTES => format!("has {len} bytes"),
        _ => return Ok(()),
    };
    let max = HaltNote::MAX_REASON_BYTES;
    Err(Failure::new(format_args!("--reason {wrong}; legal: a text of 1 to {max} bytes")))
}
