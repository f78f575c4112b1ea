//! `trip99 resume`

use crate::arguments::{on_page, page};
use crate::failure::{Failure, warn};
use crate::operate::lifting::{Ask, Outcome, Whose, lift};
use crate::operate::tell::{held_by, tell, warn_of_owner};
use crate::operate::who::{Reason, as_arg, own, reason_arg};
use crate::page::note::{self, is_fleets};
use crate::page::place::{Place, refused};
use crate::page::reading::Reading;
use crate::show::{show_counted, write_lines};
use crate::zone::Zone;
use clap::{Arg, ArgAction, ArgMatches, Command};
use console::style;
use std::io::{self, IsTerminal, Write};
use std::thread;
use std::time::{Duration, Instant};
use trip99::shared::Halter;
use trip99::{HaltNote, Holder, Holders};

/// How long to wait for the owner's poll.
const PATIENCE: Duration = Duration::from_secs(2);

pub(crate) fn command() -> Command {
    let switch =
        |name: &'static str, help: &'static str| Arg::new(name).long(name).action(ArgAction::SetTrue).help(help);
    on_page("resume")
        .about("Lift a halt: when nobody holds one any more, the breaker decides again")
        .long_about(
            "Lift a halt: one's own, or that of another holder, or all. When nobody holds one any more, the breaker decides \
             again, from its owner's next poll on.\n\n\
             On a terminal it lists the holders, and asks. A halt that came after the list was made is never lifted. The exit \
             status is 0 if what was asked is lifted.",
        )
        .arg(reason_arg().required(true).help("The reason, for whoever looks at it later"))
        .arg(as_arg("Whose halt is one's own [default: USER@HOST, of who logged in]").conflicts_with_all(["holder", "all"]))
        .arg(
            Arg::new("holder")
                .long("holder")
                .value_name("NAME")
                .conflicts_with("all")
                .help("Lift the halt of this holder; trip99's own are engine, start, latch, damage, drill and others"),
        )
        .arg(switch("all", "Lift the halts of all holders but a fleet's"))
        .arg(switch("break-glass", "Lift a fleet's halt, too: with --holder fleet or fleet-lease, or --all"))
        .arg(switch("yes", "Don't ask"))
        .arg(Zone::arg())
}

pub(crate) fn run(matches: &ArgMatches) -> Result<(), Failure> {
    let place = page(matches)?;
    let reason = Reason::read(matches);
    if reason.text.is_empty() {
        let max = HaltNote::MAX_REASON_BYTES;
        return Err(Failure::new(format_args!("--reason is blank; legal: a text of 1 to {max} bytes")));
    }
    let whose = whose(matches)?;
    let halter = Halter::open(&place.path).map_err(|error| refused(&error))?;
    reason.warnings.iter().chain(halter.warnings()).for_each(warn);
    if halter.gate().is_none() {
        let name = place.path();
        return Err(Failure::not_done(format_args!(
            "{name} keeps no holders that this version can lift; nothing is lifted"
        )));
    }
    let mut lifted = Vec::new();
    let zone = Zone::of(matches);
    let mut ask = |list: &Holders, places: &[usize]| confirms(&place, list, places, &zone);
    let ask: Option<Ask<'_>> = if matches.get_flag("yes") || !is_terminal() { None } else { Some(&mut ask) };
    let outcome = lift(&halter, &whose, &reason.text, ask, |note| lifted.push(note.clone()));
    lifted.iter().for_each(|note| forget(&halter, note));
    if !lifted.is_empty() {
        conclude(&place, &halter, &lifted, &zone);
    }
    match outcome {
        Outcome::Lifted => Ok(()),
        outcome => Err(not_lifted(&place, &halter, &whose, &outcome, !lifted.is_empty())),
    }
}

fn whose(matches: &ArgMatches) -> Result<Whose, Failure> {
    let fleets = matches.get_flag("break-glass");
    if matches.get_flag("all") {
        return Ok(Whose::All { fleets });
    }
    let Some(name) = matches.get_one::<String>("holder") else { return Ok(Whose::One(own(matches)?)) };
    let Some(holder) = Holder::parse(name) else {
        let max = Holder::MAX_BYTES;
        return Err(Failure::new(format_args!(
            "--holder {name:?} is no holder; legal: 1 to {max} of letters, digits and ._@:+-"
        )));
    };
    if is_fleets(Some(holder)) && !fleets {
        return Err(Failure::new(format_args!(
            "--holder {name} is the halt of a fleet, which is lifted there; legal: with --break-glass"
        )));
    }
    Ok(Whose::One(holder))
}

fn is_terminal() -> bool {
    io::stdin().is_terminal() && (io::stdout().is_terminal() || io::stderr().is_terminal())
}

/// Lists who holds a halt, and asks.
fn confirms(place: &Place, list: &Holders, places: &[usize], zone: &Zone) -> bool {
    let mut out: Box<dyn Write> =
        if io::stdout().is_terminal() { Box::new(io::stdout()) } else { Box::new(io::stderr()) };
    let notes = list.notes();
    let meant: Vec<HaltNote> = places.iter().filter_map(|&place| notes.get(place)).cloned().collect();
    let mut show = || -> io::Result<String> {
        writeln!(out, "{} is halted by {}", style(place.name()).bold(), show_counted(notes.len() as u64, "holder"))?;
        write_lines(&mut out, held_by(notes, zone))?;
        write!(out, "Lift the halt of {}? [y/N] ", note::names(&meant))?;
        out.flush()?;
        let mut answer = String::new();
        io::stdin().read_line(&mut answer)?;
        Ok(answer)
    };
    show().is_ok_and(|answer| ["y", "yes"].contains(&answer.trim().to_lowercase().as_str()))
}

/// Unlinks the files by which a halt outlives memory.
fn forget(halter: &Halter, lifted: &HaltNote) {
    let Some(folder) = halter.folder().filter(|_| lifted.holder.is_some()) else { return };
    match halter.forget(lifted) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => warn(format_args!(
            "the file of {}'s halt in {} can't be removed: {error}; if it stays, the next new owner comes back halted by it",
            note::name(lifted),
            folder.display()
        )),
        _ => {}
    }
}

/// Waits for the owner, and tells how the breaker stands.
fn conclude(place: &Place, halter: &Halter, lifted: &[HaltNote], zone: &Zone) {
    let Some(gate) = halter.gate() else { return };
    let begin = Instant::now();
    let is_alive = || gate.owner().is_some_and(|owner| owner.alive);
    while gate.is_halted() && gate.holders().is_empty() && begin.elapsed() < PATIENCE && is_alive() {
        thread::sleep(Duration::from_millis(2));
    }
    let reading = Reading::take(gate);
    let did = if reading.holders.is_empty() { "resumed" } else { "is still halted" };
    let did = format!("{did}; lifted: {}", note::names(lifted));
    // What was asked is done, whether this can be told or not.
    let _ = tell(place, &did, &reading);
    let _ = write_lines(&mut io::stdout().lock(), held_by(&reading.holders, zone));
    if reading.halted && reading.holders.is_empty() && reading.has_owner() {
        warn("the owner hasn't polled; the halt ends with its next poll");
    } else {
        warn_of_owner(&reading);
    }
}

/// Why not all that was asked is lifted.
fn not_lifted(place: &Place, halter: &Halter, whose: &Whose, outcome: &Outcome, any: bool) -> Failure {
    let name = place.name();
    let list = halter.holders();
    let notes = list.as_ref().map_or(&[][..], |list| list.notes());
    let held = if notes.is_empty() { "nobody".to_owned() } else { note::names(notes) };
    let so_far = if any { "no more was lifted" } else { "nothing was lifted" };
    Failure::not_done(match (outcome, whose) {
        (Outcome::Declined, _) => format!("{so_far}, as the answer was not yes; {name} is halted by {held}"),
        (Outcome::Changed, _) => {
            format!("{so_far}, as somebody halted or resumed meanwhile; {name} is halted by {held} now")
        }
        _ if notes.is_empty() && halter.is_halted() => {
            format!("nobody holds a halt of {name} any more; it ends with the owner's next poll")
        }
        _ if notes.is_empty() => format!("{name} is not halted; there is nothing to lift"),
        (_, Whose::All { .. }) => format!("{name} is halted by {held}; legal: with --break-glass"),
        (_, Whose::One(holder)) => {
            format!("{holder} holds no halt of {name}, which is halted by {held}; legal: --holder NAME, or --all")
        }
    })
}
