//! Arguments that several commands have.

use crate::failure::Failure;
use crate::page::place::Place;
use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use std::path::{Path, PathBuf};

/// The option `--format`.
pub(crate) fn format_arg(help: &'static str) -> Arg {
    let arg = Arg::new("format").long("format").value_name("FORMAT").help(help);
    arg.value_parser(["text", "json"]).default_value("text")
}

/// The option `--check`.
pub(crate) fn check_arg() -> Arg {
    Arg::new("check").long("check").action(ArgAction::SetTrue).help(
        "Exit with 0 if all are trading, 10 if one is paused or testing, 11 if one is halted, and 12 if one is unwatched, gone or \
         can't be read: the worst of all",
    )
}

/// Whether [`format_arg`] asks for JSON.
pub(crate) fn is_json(matches: &ArgMatches) -> bool {
    matches.get_one::<String>("format").is_some_and(|format| format == "json")
}

/// An argument that names a page, by its name or by its path.
pub(crate) fn page_arg() -> Arg {
    Arg::new("page").value_name("PAGE").value_parser(value_parser!(PathBuf))
}

/// A command that is for one page.
pub(crate) fn on_page(name: &'static str) -> Command {
    let page = page_arg().required(true);
    let page = page.help("The page's name, as trip99 ls shows it; or, with a / in it, the path of its file");
    Command::new(name).args_override_self(true).arg(page)
}

/// The page that such a command was given.
pub(crate) fn page(matches: &ArgMatches) -> Result<Place, Failure> {
    Place::find(page_name(matches))
}

/// What the page was called.
pub(crate) fn page_name(matches: &ArgMatches) -> &Path {
    // The argument is required, so it is there.
    matches.get_one::<PathBuf>("page").map_or(Path::new(""), PathBuf::as_path)
}
