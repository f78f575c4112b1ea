//! `trip99 wait`

use crate::arguments::{format_arg, is_json, on_page, page_name};
use crate::failure::Failure;
use crate::json::Json;
use crate::page::folder::Listed;
use crate::page::json;
use crate::page::place::Place;
use crate::page::reading::Reading;
use crate::page::standing::Standing;
use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use std::io::{self, Write};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};
use trip99::shared::{self, SharedError};

const LOOK_EVERY: Duration = Duration::from_millis(10);

const STATES: [&str; 6] = ["trading", "paused", "testing", "halted", "unwatched", "gone"];

pub(crate) fn command() -> Command {
    on_page("wait")
        .about("Wait until a breaker stands in a state: for scripts")
        .long_about(
            "Wait until a breaker stands in a state: for scripts. A page that isn't there yet is waited for, too. The exit status is \
             0 if it stands so, and 1 if it doesn't when the time is over.\n\n\
             halted is a breaker that somebody halts, whatever else holds of it. gone is one without an owner, or without a page.",
        )
        .arg(
            Arg::new("state")
                .long("state")
                .value_name("STATE")
                .required(true)
                .action(ArgAction::Append)
                .value_delimiter(',')
                .value_parser(STATES)
                .help("The state. Several, given one by one or with commas between them: any of them"),
        )
        .arg(
            Arg::new("timeout")
                .long("timeout")
                .value_name("TIME")
                .value_parser(value_parser!(humantime::Duration))
                .default_value("30s")
                .help("How long to wait at most"),
        )
        .arg(format_arg("Text for people, or one JSON object: the page, as trip99 status has it"))
}

pub(crate) fn run(matches: &ArgMatches) -> Result<(), Failure> {
    let name = page_name(matches);
    let wanted: Vec<&str> = matches.get_many::<String>("state").into_iter().flatten().map(String::as_str).collect();
    let limit = matches.get_one::<humantime::Duration>("timeout").map_or(Duration::ZERO, |limit| **limit);
    let begin = Instant::now();
    loop {
        let found = look(name)?;
        let is_over = begin.elapsed() >= limit;
        let is_reached = wanted.iter().any(|state| stands(&found, state));
        if is_reached || is_over {
            return conclude(matches, name, &found, &wanted, is_reached);
        }
        thread::sleep(LOOK_EVERY.min(limit.saturating_sub(begin.elapsed())));
    }
}

/// A page, and how it stands; `None` if it isn't there.
type Found = Option<(Listed, Result<Reading, SharedError>)>;

/// A name that is none, or that is that of several pages, is a mistake, which time doesn't mend.
fn look(name: &Path) -> Result<Found, Failure> {
    let place = match Place::find(name) {
        Ok(place) => place,
        Err(_) if matches!(shared::find(&name.to_string_lossy()), Err(SharedError::NoPage { .. })) => return Ok(None),
        Err(failure) => return Err(failure),
    };
    let listed = Listed::named(place);
    let reading = listed.read();
    let is_missing =
        |error: &SharedError| matches!(error, SharedError::Io { error, .. } if error.kind() == io::ErrorKind::NotFound);
    Ok((!reading.as_ref().is_err_and(is_missing)).then_some((listed, reading)))
}

fn stands(found: &Found, state: &str) -> bool {
    match found {
        None => state == Standing::Gone.name(),
        Some((_, Err(_))) => false,
        Some((_, Ok(reading))) => {
            let comes_back_halted = reading.comes_back.as_ref().is_some_and(|back| back.halted);
            match state {
                "halted" => reading.halted && !reading.holders.is_empty() || comes_back_halted,
                state => reading.standing().name() == state,
            }
        }
    }
}

fn conclude(
    matches: &ArgMatches,
    name: &Path,
    found: &Found,
    wanted: &[&str],
    is_reached: bool,
) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    let (shown, now) = match found {
        None => (name.display().to_string(), "not there".to_owned()),
        Some((listed, Ok(reading))) => (listed.place.name(), reading.state_words()),
        Some((listed, Err(error))) => (listed.place.name(), format!("unreadable: {error}")),
    };
    match found {
        Some((listed, reading)) if is_json(matches) => Json(&mut out).line(&json::listed(listed, reading))?,
        _ if is_reached && !is_json(matches) => writeln!(out, "{shown} is {now}")?,
        _ => {}
    }
    if is_reached {
        return Ok(());
    }
    Err(Failure::not_done(format_args!("{shown} is {now}, and was not {} in time", wanted.join(" or "))))
}
