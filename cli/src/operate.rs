//! Commands for operators: on pages in files, of breakers that belong to other processes.

mod place;
mod reading;
mod json;
mod list;
mod status;
mod events;
mod halt;

pub(crate) use place::Place;

use crate::command::{format_arg, is_json};
use crate::failure::Failure;
use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use std::path::{Path, PathBuf};

/// A page, as an argument.
pub(crate) fn page_arg(id: &'static str) -> Arg {
    Arg::new(id).value_name("PAGE").value_parser(value_parser!(PathBuf))
}

pub(crate) fn commands() -> [Command; 5] {
    let on_page = |name: &'static str| {
        let page = page_arg("page").required(true);
        let page = page.help("The page's name, as trip99 ls shows it; or, with a / in it, the path of its file");
        Command::new(name).args_override_self(true).arg(page)
    };
    let ls = Command::new("ls")
        .args_override_self(true)
        .about("List this user's breakers that are published in pages")
        .long_about(
            "List this user's breakers that are published in pages: those in the conventional directory, \
             /dev/shm/trip99-USER. Pages that can't be read are listed with the reason.",
        )
        .arg(format_arg("For people, or one JSON object a line: the pages"));
    let status = on_page("status").about("Show how a breaker stands").arg(format_arg("For people, or one JSON object"));
    let events = on_page("events")
        .about("Show what happened to a breaker: the latest 256 events, which its page keeps")
        .long_about(
            "Show what happened to a breaker: the latest 256 events, which its page keeps.\n\n\
             With --follow, JSON has other objects, too: {\"missed\":N} if so many events were overwritten before they \
             could be read, and {\"page\":\"removed\"} or {\"page\":\"replaced\"} if that happened to the page.",
        )
        .arg(
            Arg::new("follow")
                .long("follow")
                .short('f')
                .action(ArgAction::SetTrue)
                .help("Go on with what happens next until interrupted, also when the breaker's process restarts"),
        )
        .arg(format_arg("For people, or one JSON object a line: the events"));
    let halt = on_page("halt")
        .about("Halt trading: the breaker refuses every call until trip99 resume")
        .long_about(
            "Halt trading: from its next call on the breaker refuses every one, until trip99 resume. Nothing automatic \
             overrides that, and it outlives the breaker's process. If no process owns the page now, it waits for the next.",
        )
        .arg(
            Arg::new("reason")
                .long("reason")
                .value_name("TEXT")
                .required(true)
                .allow_hyphen_values(true)
                .help(format!("Why, for whoever looks at it later; at most {} bytes", halt::MAX_REASON)),
        );
    let resume = on_page("resume").about("End a halt, whoever's: the breaker decides again");
    [ls, status, events, halt, resume]
}

/// Runs the command of this name, one of [`commands`].
pub(crate) fn run(name: &str, matches: &ArgMatches) -> Result<(), Failure> {
    if name == "ls" {
        return list::run(is_json(matches));
    }
    let page = matches.get_one::<PathBuf>("page").map_or(Path::new(""), PathBuf::as_path);
    let place = Place::find(page)?;
    match name {
        "status" => status::run(&place, is_json(matches)),
        "events" => events::run(&place, matches.get_flag("follow"), is_json(matches)),
        "halt" => halt::halt(&place, matches.get_one::<String>("reason").map_or("", String::as_str)),
        _ => halt::resume(&place),
    }
}
