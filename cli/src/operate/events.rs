//! `trip99 events`

mod print;
mod source;
mod table;

use crate::arguments::{format_arg, is_json};
use crate::failure::Failure;
use crate::json::Json;
use crate::labels::Selector;
use crate::operate::which::{Which, conclude, names, names_arg};
use crate::page::folder::Listed;
use crate::show::columns;
use crate::zone::{Zone, now_ns};
use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use print::Print;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use source::{Source, Told};
use std::collections::VecDeque;
use std::io;
use std::time::{Duration, Instant};
use table::Table;

const LOOK_EVERY: Timespec = Timespec { tv_sec: 0, tv_nsec: 50_000_000 };

/// How often a follower of all pages looks for new ones.
const SEEK_EVERY: Duration = Duration::from_secs(1);

pub(crate) fn command() -> Command {
    Command::new("events")
        .args_override_self(true)
        .about("Show what happened to breakers, by time: of each the latest 1024 events, which its page keeps")
        .long_about(
            "Show what happened to breakers, by time: of each the latest 1024 events, which its page keeps. Without a name it is \
             those of all pages.\n\n\
             A halt and a resume have one line more, or the object note in JSON: whose halt it is, and the reason that was \
             given, as far as the page's log of the latest 64 has it. What operators did while there was no owner is shown, too.\n\n\
             With --follow, JSON has other objects, too: {\"missed\":N} if so many events were overwritten before they \
             could be read, and {\"page\":\"removed\"} or {\"page\":\"replaced\"} if that happened to the page.",
        )
        .arg(names_arg())
        .arg(Selector::arg().conflicts_with("page"))
        .arg(
            Arg::new("follow")
                .long("follow")
                .short('f')
                .action(ArgAction::SetTrue)
                .help("Go on with new events until interrupted, even if the breaker's process restarts"),
        )
        .arg(
            Arg::new("since")
                .long("since")
                .value_name("TIME")
                .value_parser(since)
                .help("Only events since then: so long ago (90s, 1h), or a time (2026-11-29T08:30:00Z)"),
        )
        .arg(
            Arg::new("last")
                .long("last")
                .short('n')
                .value_name("COUNT")
                .value_parser(value_parser!(usize))
                .help("Only so many of the latest events"),
        )
        .arg(Zone::arg())
        .arg(format_arg("Text for people, or one JSON object a line: the events"))
}

/// A time in nanoseconds since the Unix epoch.
fn since(text: &str) -> Result<u64, String> {
    if let Ok(ago) = humantime::parse_duration(text) {
        return Ok(now_ns().saturating_sub(u64::try_from(ago.as_nanos()).unwrap_or(u64::MAX)));
    }
    let at = humantime::parse_rfc3339_weak(text).ok().and_then(|at| at.duration_since(std::time::UNIX_EPOCH).ok());
    let at_ns = at.and_then(|at| u64::try_from(at.as_nanos()).ok());
    at_ns.ok_or_else(|| "neither a time span, as 1h, nor a time, as 2026-11-29T08:30:00Z".to_owned())
}

pub(crate) fn run(matches: &ArgMatches) -> Result<(), Failure> {
    let is_follow = matches.get_flag("follow");
    let Which { pages, mut mistakes, missing } = Which::of(matches)?;
    mistakes.extend(missing);
    let is_alone = names(matches).len() == 1;
    let mut sources = Vec::new();
    for page in pages {
        match Source::open(page) {
            Ok(source) => sources.push(source),
            Err(failure) => mistakes.push(failure),
        }
    }
    if sources.is_empty() {
        return conclude(mistakes);
    }
    let told = select(matches, sources.iter_mut().flat_map(Source::told).collect());
    let out = io::stdout();
    let mut print: Box<dyn Print> = match is_json(matches) {
        true => Box::new(Json(out)),
        false => Box::new(Table::new(out, Zone::of(matches), columns(), &sources, is_whole(matches))),
    };
    print.begin()?;
    told.iter().try_for_each(|told| print.told(told))?;
    if !is_follow {
        print.end()?;
        return conclude(mistakes);
    }
    mistakes.iter().for_each(Failure::tell);
    follow(matches, sources, &mut *print, is_alone)
}

/// The events of one page as a table for people, its titles first.
pub(super) fn lines(page: &Listed, zone: &Zone, columns: usize) -> Result<Vec<String>, Failure> {
    let mut sources = [Source::open(page.clone())?];
    let mut text = Vec::new();
    let told: Vec<Told> = sources.iter_mut().flat_map(Source::told).collect();
    let mut table = Table::new(&mut text, zone.clone(), columns, &sources, true);
    table.titles()?;
    told.iter().try_for_each(|told| table.told(told))?;
    table.end()?;
    let text = String::from_utf8_lossy(&text).into_owned();
    Ok(console::strip_ansi_codes(&text).lines().map(str::to_owned).collect())
}

/// Every event that there is, is to be shown.
fn is_whole(matches: &ArgMatches) -> bool {
    !matches.contains_id("since") && !matches.contains_id("last")
}

/// By time, and those that are asked for.
fn select(matches: &ArgMatches, mut told: Vec<Told>) -> Vec<Told> {
    told.sort_by_key(|told| told.order_ns);
    if let Some(&since_ns) = matches.get_one::<u64>("since") {
        told.retain(|told| told.wall_ns >= since_ns);
    }
    if let Some(&last) = matches.get_one::<usize>("last") {
        told.drain(..told.len().saturating_sub(last));
    }
    told
}

fn follow(
    matches: &ArgMatches,
    mut sources: Vec<Source>,
    print: &mut dyn Print,
    is_alone: bool,
) -> Result<(), Failure> {
    let mut sought = Instant::now();
    loop {
        if !wait() {
            return Err(Failure::PipeClosed);
        }
        if names(matches).is_empty() && sought.elapsed() >= SEEK_EVERY {
            sought = Instant::now();
            seek(matches, &mut sources);
        }
        // Each page's are in order, and pages are looked at together.
        let mut told: VecDeque<Told> = VecDeque::new();
        for source in &mut sources {
            let found = source.looked();
            told.extend(source.told());
            match source.arrive(found) {
                Ok(news) => told.extend(news),
                Err(failure) if is_alone => {
                    told.iter().chain(&source.note("replaced")).try_for_each(|told| print.told(told))?;
                    return Err(failure);
                }
                Err(failure) => {
                    told.extend(source.note("replaced"));
                    failure.tell();
                }
            }
        }
        let mut told: Vec<Told> = told.into();
        told.sort_by_key(|told| told.order_ns);
        told.iter().try_for_each(|told| print.told(told))?;
    }
}

/// Takes in pages that have come since. Those that can't be read are left for the next time.
fn seek(matches: &ArgMatches, sources: &mut Vec<Source>) {
    let Ok(Which { pages, .. }) = Which::of(matches) else { return };
    for page in pages {
        if sources.iter().all(|source| source.page.place.path != page.place.path) {
            sources.extend(Source::open(page).ok());
        }
    }
}

/// Waits a moment; false if nobody reads our output any more. (Writing would only find that out at the next event.)
fn wait() -> bool {
    let out = io::stdout();
    let mut fds = [PollFd::new(&out, PollFlags::empty())];
    // An error here means that a signal interrupted the wait.
    let _ = poll(&mut fds, Some(&LOOK_EVERY));
    let [fd] = fds;
    !fd.revents().intersects(PollFlags::ERR | PollFlags::HUP)
}
