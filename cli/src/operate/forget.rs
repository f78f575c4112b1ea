//! `trip99 forget`

use crate::arguments::{format_arg, is_json, on_page, page};
use crate::failure::Failure;
use crate::json::Json;
use crate::page::place::refused;
use clap::{ArgMatches, Command};
use console::style;
use serde_json::json;
use std::io::{self, Write};
use trip99::Holder;
use trip99::shared::{self, Forgotten, SharedError};

pub(crate) fn command() -> Command {
    on_page("forget")
        .about("Remove the page of an engine that is gone for good")
        .long_about(
            "Remove the page of an engine that is gone for good. It is left where it is if a process owns it, or if somebody holds \
             a halt of it: trip99 resume comes first. The next engine by its name begins anew.",
        )
        .arg(format_arg("Text for people, or one JSON object"))
}

pub(crate) fn run(matches: &ArgMatches) -> Result<(), Failure> {
    let place = page(matches)?;
    let name = place.name();
    match shared::forget(&place.path) {
        Ok(Forgotten::Done) => {}
        Ok(Forgotten::Halted(holders)) => {
            let names: Vec<_> = holders.iter().map(Holder::to_string).collect();
            let names = names.join(", ");
            return Err(Failure::not_done(format_args!(
                "{name} is halted by {names}, and stays; legal: trip99 resume, and then trip99 forget"
            )));
        }
        Err(error @ SharedError::Owned { .. }) => return Err(Failure::not_done(error)),
        Err(error) => return Err(refused(&error)),
    }
    let mut out = io::stdout().lock();
    if is_json(matches) {
        return Json(out).line(&json!({ "name": name, "path": place.path(), "forgotten": true }));
    }
    Ok(writeln!(out, "{} is forgotten: {} is removed", style(name).bold(), place.path())?)
}
