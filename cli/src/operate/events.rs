//! `trip99 events`

use crate::arguments::{format_arg, is_json, on_page, page};
use crate::failure::Failure;
use crate::json::Json;
use crate::page::in_force::InForce;
use crate::page::json;
use crate::page::note;
use crate::page::place::{Place, refused};
use crate::show::{EventTable, columns, escape, show_counted};
use crate::zone::Zone;
use clap::{Arg, ArgAction, ArgMatches, Command};
use console::style;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use serde_json::json;
use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use trip99::{Event, Events, LogEntry, Observer};

const LOOK_EVERY: Timespec = Timespec { tv_sec: 0, tv_nsec: 50_000_000 };

pub(crate) fn command() -> Command {
    on_page("events")
        .about("Show what happened to a breaker: the latest 1024 events, which its page keeps")
        .long_about(
            "Show what happened to a breaker: the latest 1024 events, which its page keeps.\n\n\
             A halt and a resume have one line more, or the object note in JSON: whose halt it is, and the reason that was \
             given, as far as the page's log of the latest 64 has it.\n\n\
             With --follow, JSON has other objects, too: {\"missed\":N} if so many events were overwritten before they \
             could be read, and {\"page\":\"removed\"} or {\"page\":\"replaced\"} if that happened to the page.",
        )
        .arg(
            Arg::new("follow")
                .long("follow")
                .short('f')
                .action(ArgAction::SetTrue)
                .help("Go on with new events until interrupted, even if the breaker's process restarts"),
        )
        .arg(Zone::arg())
        .arg(format_arg("Text for people, or one JSON object a line: the events"))
}

pub(crate) fn run(matches: &ArgMatches) -> Result<(), Failure> {
    let place = page(matches)?;
    let mut page = Page::open(&place.path)?;
    let out = io::stdout();
    let mut print: Box<dyn Print> =
        if is_json(matches) { Box::new(Json(out)) } else { Box::new(Table::new(out, Zone::of(matches))) };
    print.begin(&place)?;
    loop {
        // The place is looked at before the events are read: of a page that has gone by then all events are read.
        let found = identify(&place.path);
        page.print_new(&mut *print)?;
        if !matches.get_flag("follow") {
            return print.end();
        }
        if found != page.found {
            page.found = found;
            match found {
                None => print.note("removed", "the page was removed; waiting for a new one")?,
                Some(_) if found == page.opened => {}
                Some(_) => {
                    print.note("replaced", "the page was replaced; these are events of the new one")?;
                    page = Page::open(&place.path)?;
                }
            }
        }
        if !wait() {
            return Err(Failure::PipeClosed);
        }
    }
}

/// The entry of the operators' log that a halt or a resume has.
fn entry_of(event: &Event) -> Option<u64> {
    (event.entry != 0).then_some(event.entry)
}

/// Device and inode of a file.
type Identity = (u64, u64);

fn identify(path: &Path) -> Option<Identity> {
    fs::symlink_metadata(path).ok().map(|metadata| (metadata.dev(), metadata.ino()))
}

/// A page that is followed.
struct Page {
    observer: Observer,
    in_force: InForce,
    events: Events,
    missed: u64,
    opened: Option<Identity>,
    /// The file that was at the page's place at the latest look.
    found: Option<Identity>,
}

impl Page {
    fn open(path: &Path) -> Result<Self, Failure> {
        loop {
            let before = identify(path);
            let observer = Observer::open(path).map_err(|error| refused(&error))?;
            if before == identify(path) {
                let events = observer.events();
                let in_force = InForce::read(&observer);
                return Ok(Self { observer, in_force, events, missed: 0, opened: before, found: before });
            }
        }
    }

    /// Prints the events that have come since the last time.
    fn print_new(&mut self, print: &mut dyn Print) -> Result<(), Failure> {
        loop {
            let event = self.events.next();
            let missed = self.events.missed();
            if missed > self.missed {
                print.missed(missed - self.missed)?;
                self.missed = missed;
            }
            match event {
                Some(event) => {
                    let logged = entry_of(&event).and_then(|entry| self.observer.log_entry(entry));
                    self.in_force.note(&event, &self.observer);
                    print.event(&event, self.in_force.quantile_ppm(&event), logged.as_ref())?;
                }
                None => return Ok(()),
            }
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

trait Print {
    fn begin(&mut self, _place: &Place) -> Result<(), Failure> {
        Ok(())
    }
    /// An event, with the quantile that was judged, if that is known, and who halted or resumed, as far as the operators' log still
    /// tells.
    fn event(&mut self, event: &Event, quantile_ppm: Option<u32>, logged: Option<&LogEntry>) -> Result<(), Failure>;
    /// So many events were overwritten before they could be read.
    fn missed(&mut self, count: u64) -> Result<(), Failure>;
    /// Something happened to the page itself.
    fn note(&mut self, name: &'static str, text: &str) -> Result<(), Failure>;
    fn end(&mut self) -> Result<(), Failure> {
        Ok(())
    }
}

impl<W: Write> Print for Json<W> {
    fn event(&mut self, event: &Event, _: Option<u32>, logged: Option<&LogEntry>) -> Result<(), Failure> {
        self.line(&json::event(event, logged))
    }

    fn missed(&mut self, count: u64) -> Result<(), Failure> {
        self.line(&json!({ "missed": count }))
    }

    fn note(&mut self, name: &'static str, _: &str) -> Result<(), Failure> {
        self.line(&json!({ "page": name }))
    }
}

/// A table for people, with a heading for each day.
struct Table<W> {
    out: W,
    table: EventTable,
    zone: Zone,
    /// `None` before the first event.
    date: Option<String>,
}

impl<W: Write> Table<W> {
    fn new(out: W, zone: Zone) -> Self {
        Self { out, zone, table: EventTable::new(columns()), date: None }
    }
}

/// Who halted or resumed, and why.
fn show_note(logged: &LogEntry) -> String {
    let (name, note) = (note::name(&logged.note), &logged.note);
    let lifted = if logged.is_halt { "" } else { "'s halt" };
    format!("{name}{lifted}: {}", escape(note.reason_or_none()))
}

impl<W: Write> Print for Table<W> {
    fn begin(&mut self, place: &Place) -> Result<(), Failure> {
        writeln!(self.out, "{} {}\n", style("trip99 events").bold(), place.path())?;
        Ok(writeln!(self.out, "{}", self.table.header("time, UTC", "quantile"))?)
    }

    fn event(&mut self, event: &Event, quantile_ppm: Option<u32>, logged: Option<&LogEntry>) -> Result<(), Failure> {
        if self.date.is_none() && event.sequence > 0 {
            let earlier = format!("{:>13}  not kept: {}", "", show_counted(event.sequence, "earlier event"));
            writeln!(self.out, "{}", style(earlier).dim())?;
        }
        let (date, time) = self.zone.date_and_time(event.wall_ns);
        if self.date.as_ref() != Some(&date) {
            writeln!(self.out, "{}", style(format_args!("{date:>13}")).bold())?;
            self.date = Some(date);
        }
        writeln!(self.out, "{}", self.table.row(event, &time, quantile_ppm))?;
        let note = logged.map(show_note).unwrap_or_default();
        Ok(self.table.below(&note).try_for_each(|line| writeln!(self.out, "{line}"))?)
    }

    fn missed(&mut self, count: u64) -> Result<(), Failure> {
        let text =
            format!("{:>13}  missed: {}, overwritten before they could be read", "", show_counted(count, "event"));
        Ok(writeln!(self.out, "{}", style(text).yellow())?)
    }

    fn note(&mut self, _: &'static str, text: &str) -> Result<(), Failure> {
        Ok(writeln!(self.out, "{:>13}  {}", "", style(text).yellow())?)
    }

    fn end(&mut self) -> Result<(), Failure> {
        if self.date.is_none() {
            writeln!(self.out, "{:>13}  no event", "")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use trip99::{Breaker, Config};

    #[test]
    fn a_halt_and_a_resume_tell_whose_and_why() {
        let mut breaker = Breaker::new(Config::default()).unwrap();
        let (observer, events) = (breaker.observer(), breaker.events());
        breaker.halt("position \u{202e}limit");
        breaker.resume("");
        breaker.poll();
        let logged: Vec<LogEntry> = events.filter_map(|event| observer.log_entry(entry_of(&event)?)).collect();
        let notes: Vec<_> = logged.iter().map(show_note).collect();
        assert_eq!(notes, ["engine: position  limit", "engine's halt: no reason given"]);
    }
}
