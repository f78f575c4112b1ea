//! `trip99 resume`

use crate::arguments::{format_arg, is_json};
use crate::failure::{Failure, warn};
use crate::json::Json;
use crate::labels::Selector;
use crate::operate::asking::Asker;
use crate::operate::lifting::{Ask, Outcome, Whose, lift};
use crate::operate::tell::{held_by, tell, tell_briefly, warn_of_owner};
use crate::operate::which::{Which, all_arg, conclude, names, names_arg};
use crate::operate::who::{Reason, as_arg, own, reason_arg};
use crate::page::folder::Listed;
use crate::page::json;
use crate::page::note::{self, is_fleets};
use crate::page::place::{Place, refused};
use crate::page::reading::Reading;
use crate::show::write_lines;
use crate::zone::Zone;
use clap::{Arg, ArgAction, ArgMatches, Command};
use serde_json::json;
use std::io;
use std::thread;
use std::time::{Duration, Instant};
use trip99::shared::Halter;
use trip99::{HaltNote, Holder, Holders};

/// How long to wait for the owner's poll.
const PATIENCE: Duration = Duration::from_secs(2);

pub(crate) fn command() -> Command {
    let switch =
        |name: &'static str, help: &'static str| Arg::new(name).long(name).action(ArgAction::SetTrue).help(help);
    Command::new("resume")
        .args_override_self(true)
        .about("Lift a halt: when nobody holds one any more, the breaker decides again")
        .long_about(
            "Lift a halt: one's own, or that of another holder, or all. When nobody holds one any more, the breaker decides \
             again, from its owner's next poll on.\n\n\
             With names or labels --all means the halts of all holders there. Alone it means one's own halt on all pages.\n\n\
             On a terminal it lists the holders, and asks. A halt that came after the list was made is never lifted. The exit \
             status is 0 if what was asked is lifted.",
        )
        .arg(names_arg().required_unless_present_any(["all", "label"]))
        .arg(Selector::arg().conflicts_with("page"))
        .arg(reason_arg().required(true).help("The reason, for whoever looks at it later"))
        .arg(as_arg("Whose halt is one's own [default: USER@HOST, of who logged in]").conflicts_with("holder"))
        .arg(
            Arg::new("holder")
                .long("holder")
                .value_name("NAME")
                .help("Lift the halt of this holder; trip99's own are engine, start, latch, damage, drill and others"),
        )
        .arg(all_arg("Lift the halts of all holders but a fleet's. Without PAGE and --label: on all pages, one's own"))
        .arg(switch("break-glass", "Lift a fleet's halt, too: with --holder fleet or fleet-lease, or --all"))
        .arg(switch("yes", "Don't ask"))
        .arg(Zone::arg())
        .arg(format_arg("Text for people, or one JSON object a line: what happened to each page"))
}

pub(crate) fn run(matches: &ArgMatches) -> Result<(), Failure> {
    let reason = Reason::read(matches);
    if reason.text.is_empty() {
        let max = HaltNote::MAX_REASON_BYTES;
        return Err(Failure::new(format_args!("--reason is blank; legal: a text of 1 to {max} bytes")));
    }
    let whose = whose(matches)?;
    let is_named = !names(matches).is_empty();
    let Which { pages, mut mistakes, missing } = Which::of(matches)?;
    mistakes.extend(missing);
    let mut resumes = Vec::new();
    for page in pages {
        match Resume::open(page) {
            // Of a selection those are meant that are held.
            Ok(resume) if is_named || resume.has_any(&whose) => resumes.push(resume),
            Ok(_) => {}
            Err(failure) => mistakes.push(failure),
        }
    }
    reason.warnings.iter().for_each(warn);
    if resumes.is_empty() && mistakes.is_empty() {
        return Err(Failure::not_done(format_args!(
            "none of these pages is halted by {whose}; there is nothing to lift"
        )));
    }
    let zone = Zone::of(matches);
    let mut asker = Asker::new(matches.get_flag("yes"), &zone);
    let lists =
        || resumes.iter().filter_map(|resume| Some((&resume.page.place, resume.halter.holders()?))).collect::<Vec<_>>();
    if resumes.len() > 1 && !asker.agrees_to_all(&lists(), &whose) {
        return Err(Failure::not_done("nothing was lifted, as the answer was not yes"));
    }
    let (is_json, is_alone) = (is_json(matches), resumes.len() + mistakes.len() == 1);
    mistakes.extend(resumes.iter_mut().filter_map(|resume| resume.run(&whose, &reason.text, &mut asker).err()));
    let begin = Instant::now();
    for resume in &resumes {
        resume.wait_for_owner(begin);
        if is_json {
            // What was asked is done, whether this can be told or not.
            let _ = Json(io::stdout().lock()).line(&resume.json(&reason.text));
        } else if !resume.lifted.is_empty() {
            resume.tell(&zone, is_alone);
        }
    }
    conclude(mistakes)
}

fn whose(matches: &ArgMatches) -> Result<Whose, Failure> {
    let fleets = matches.get_flag("break-glass");
    let is_chosen = !names(matches).is_empty() || matches.contains_id("label");
    if matches.get_flag("all") && is_chosen {
        let other = ["as", "holder"].into_iter().find(|name| matches.contains_id(name));
        return other.map_or(Ok(Whose::All { fleets }), |name| {
            Err(Failure::new(format_args!(
                "--{name} cannot be used with --all, which lifts the halts of all holders; legal: see trip99 resume --help"
            )))
        });
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

/// A page whose halts are to be lifted.
struct Resume {
    page: Listed,
    halter: Halter,
    lifted: Vec<HaltNote>,
}

impl Resume {
    fn open(page: Listed) -> Result<Self, Failure> {
        let halter = Halter::open(&page.place.path).map_err(|error| refused(&error))?;
        halter.warnings().iter().for_each(warn);
        if halter.gate().is_none() {
            let name = page.place.path();
            return Err(Failure::not_done(format_args!(
                "{name} keeps no holders that this version can lift; nothing is lifted"
            )));
        }
        Ok(Self { page, halter, lifted: Vec::new() })
    }

    fn has_any(&self, whose: &Whose) -> bool {
        self.halter.holders().is_some_and(|list| !whose.places(&list).is_empty())
    }

    fn run(&mut self, whose: &Whose, reason: &str, asker: &mut Asker<'_>) -> Result<(), Failure> {
        let place = &self.page.place;
        let mut ask = |list: &Holders, places: &[usize]| asker.agrees(place, list, places);
        let lifted = &mut self.lifted;
        let ask: Option<Ask<'_>> = if asker.is_asking { Some(&mut ask) } else { None };
        let outcome = lift(&self.halter, whose, reason, ask, |note| lifted.push(note.clone()));
        self.lifted.iter().for_each(|note| forget(&self.halter, note));
        match outcome {
            Outcome::Lifted => Ok(()),
            outcome => Err(not_lifted(place, &self.halter, whose, &outcome, !self.lifted.is_empty())),
        }
    }

    /// The owner's poll ends the halt.
    fn wait_for_owner(&self, begin: Instant) {
        let Some(gate) = self.halter.gate().filter(|_| !self.lifted.is_empty()) else { return };
        let is_alive = || gate.owner().is_some_and(|owner| owner.alive);
        while gate.is_halted() && gate.holders().is_empty() && begin.elapsed() < PATIENCE && is_alive() {
            thread::sleep(Duration::from_millis(2));
        }
    }

    /// Tells how the breaker stands. What was asked is done, whether this can be told or not.
    fn tell(&self, zone: &Zone, is_alone: bool) {
        let Some(reading) = self.halter.gate().map(|gate| Reading::take(gate)) else { return };
        let did = if reading.holders.is_empty() { "resumed" } else { "is still halted" };
        let did = format!("{did}; lifted: {}", note::names(&self.lifted));
        if is_alone {
            let _ = tell(&self.page.place, &did, &reading);
            let _ = write_lines(&mut io::stdout().lock(), held_by(&reading.holders, zone));
        } else {
            let _ = tell_briefly(&self.page.place, &did, &reading);
        }
        if reading.halted && reading.holders.is_empty() && reading.has_owner() {
            warn("the owner hasn't polled; the halt ends with its next poll");
        } else {
            warn_of_owner(&reading);
        }
    }

    fn json(&self, reason: &str) -> serde_json::Value {
        let reading = self.halter.gate().map(|gate| Reading::take(gate));
        json!({
            "name": self.page.place.name(),
            "path": self.page.place.path(),
            "halted": self.halter.is_halted(),
            "lifted": self.lifted.iter().map(json::note).collect::<Vec<_>>(),
            "reason": reason,
            "page": reading.map(|reading| json::page(&self.page, &reading)),
        })
    }
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
