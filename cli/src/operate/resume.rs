//! `trip99 resume`

use crate::arguments::{on_page, page};
use crate::failure::Failure;
use crate::operate::tell::tell;
use crate::page::place::refused;
use crate::page::reading::{Reading, show_user};
use clap::{ArgMatches, Command};
use trip99::Gate;

pub(crate) fn command() -> Command {
    on_page("resume").about("End a halt, whoever made it: the breaker decides again")
}

pub(crate) fn run(matches: &ArgMatches) -> Result<(), Failure> {
    let place = page(matches)?;
    let gate = Gate::open(&place.path).map_err(|error| refused(&error))?;
    let before = Reading::take(&gate);
    gate.resume("");
    let did = match (before.halted, before.note) {
        (false, _) => "was not halted".to_owned(),
        (true, None) => "resumed".to_owned(),
        (true, Some(note)) => format!("resumed; {} had halted it: {}", show_user(note.uid), note.reason),
    };
    tell(&place, &did, &Reading::take(&gate))
}
