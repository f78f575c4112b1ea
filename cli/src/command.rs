//! The command line: which commands there are, and what a user is told whose command line is wrong.

use crate::demo;
use crate::exporter;
use crate::failure::Failure;
use crate::manual;
use crate::operate::{drill, events, forget, halt, ls, resume, status, top, wait};
use crate::record;
use crate::replay;
use crate::trace;
use crate::tune;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{ArgMatches, Command};
use std::ffi::OsString;

/// A command's arguments, and how it runs.
type Entry = (fn() -> Command, fn(&ArgMatches) -> Result<(), Failure>);

const COMMANDS: [Entry; 18] = [
    (demo::command, demo::run),
    (demo::node_command, demo::run_node),
    (replay::command, replay::run),
    (trace::command, trace::run),
    (tune::command, tune::run),
    (ls::command, ls::run),
    (status::command, status::run),
    (events::command, events::run),
    (halt::command, halt::run),
    (resume::command, resume::run),
    (top::command, top::run),
    (wait::command, wait::run),
    (forget::command, forget::run),
    (drill::command, drill::run),
    (manual::completions_command, |matches| manual::completions(command(), matches)),
    (manual::man_command, |matches| manual::man(command(), matches)),
    (exporter::command, exporter::run),
    (record::command, record::run),
];

pub(crate) fn run(args: impl IntoIterator<Item = OsString>) -> Result<(), Failure> {
    let args: Vec<OsString> = args.into_iter().collect();
    let matches = match command().try_get_matches_from(&args) {
        Ok(matches) => matches,
        Err(error) => {
            let known = command();
            let name = args.get(1).and_then(|name| known.find_subcommand(name)).map(Command::get_name);
            let help = name.map_or("trip99 --help".to_owned(), |name| format!("trip99 {name} --help"));
            return usage(&error, &help);
        }
    };
    let Some((name, matches)) = matches.subcommand() else { return Ok(()) }; // clap requires one
    let called = COMMANDS.iter().find(|(command, _)| command().get_name() == name);
    called.map_or(Ok(()), |(_, run)| run(matches))
}

fn command() -> Command {
    Command::new("trip99")
        .about("A latency circuit breaker for trading engines")
        .version(clap::crate_version!())
        .subcommand_required(true)
        .subcommands(COMMANDS.map(|(command, _)| command()))
}

/// Prints help to standard output. A mistake becomes one line, which points to the command `help`.
fn usage(error: &clap::Error, help: &str) -> Result<(), Failure> {
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => return Ok(error.print()?),
        ErrorKind::MissingSubcommand => {
            return Err(Failure::new(
                "no command; legal: ls, status, events, halt, resume, wait, demo, replay, trace or tune, and others, see trip99 --help",
            ));
        }
        _ => {}
    }
    // The first paragraph says what is wrong. The context says what is legal.
    let text = error.to_string();
    let wrong = text.split("\n\n").next().unwrap_or_default().trim_start_matches("error: ");
    let wrong = wrong.split("\n  [").next().unwrap_or_default().split_whitespace().collect::<Vec<_>>().join(" ");
    let legal = match (error.get(ContextKind::ValidValue), error.get(ContextKind::SuggestedArg)) {
        (Some(ContextValue::Strings(values)), _) if !values.is_empty() => values.join(" or "),
        (_, Some(ContextValue::String(similar))) => format!("{similar}, and what {help} lists"),
        _ => format!("see {help}"),
    };
    Err(Failure::new(format_args!("{wrong}; legal: {legal}")))
}
