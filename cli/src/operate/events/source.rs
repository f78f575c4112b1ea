//! What a page tells, as it comes.

use crate::failure::Failure;
use crate::page::folder::Listed;
use crate::page::in_force::InForce;
use crate::page::note;
use crate::page::place::refused;
use crate::zone::now_ns;
use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use trip99::{Event, Events, LogEntry, Observer, Reason};

/// Something that is told of a page.
pub(super) struct Told {
    /// The page's name.
    pub(super) page: String,
    /// When it was, by the wall clock.
    pub(super) wall_ns: u64,
    /// The same, but never earlier than what the page told before.
    pub(super) order_ns: u64,
    pub(super) item: Item,
}

pub(super) enum Item {
    /// An event, with the quantile that was judged, if that is known, and who halted or resumed, as far as the operators' log still tells.
    Event { event: Box<Event>, quantile_ppm: Option<u32>, logged: Option<LogEntry>, is_halted: bool },
    /// A halt or a resume that no owner has journaled, with its number.
    Logged { number: u64, logged: LogEntry, is_halted: bool },
    /// So many events were overwritten before they could be read.
    Missed(u64),
    /// `removed` or `replaced`: that happened to the page itself.
    Note(&'static str),
}

/// Device and inode of a file.
type Identity = (u64, u64);

fn identify(path: &Path) -> Option<Identity> {
    fs::symlink_metadata(path).ok().map(|metadata| (metadata.dev(), metadata.ino()))
}

fn holder(logged: &LogEntry) -> String {
    note::name(&logged.note)
}

/// A page that is followed.
pub(super) struct Source {
    pub(super) page: Listed,
    observer: Observer,
    in_force: InForce,
    events: Events,
    missed: u64,
    opened: Option<Identity>,
    /// The file that was at the page's place at the latest look.
    found: Option<Identity>,
    order_ns: u64,
    /// The latest event's time by the wall clock.
    journaled_ns: u64,
    /// The latest entry of the operators' log that was told.
    entry: u64,
    /// Entries that were told before an owner journaled them.
    early: BTreeSet<u64>,
    /// Who holds a halt, as far as what was told tells.
    holders: BTreeSet<String>,
}

impl Source {
    pub(super) fn open(page: Listed) -> Result<Self, Failure> {
        let path = page.place.path.clone();
        loop {
            let before = identify(&path);
            let observer = Observer::open(&path).map_err(|error| refused(&error))?;
            if before == identify(&path) {
                return Ok(Self {
                    events: observer.events(),
                    in_force: InForce::read(&observer),
                    observer,
                    page,
                    missed: 0,
                    opened: before,
                    found: before,
                    order_ns: 0,
                    journaled_ns: 0,
                    entry: 0,
                    early: BTreeSet::new(),
                    holders: BTreeSet::new(),
                });
            }
        }
    }

    /// The file that is at the page's place now. It is looked at before the events are read: of a page that has gone by then all events are
    /// read.
    pub(super) fn looked(&self) -> Option<Identity> {
        identify(&self.page.place.path)
    }

    /// What has come since the last time.
    pub(super) fn told(&mut self) -> Vec<Told> {
        let mut told = Vec::new();
        loop {
            let event = self.events.next();
            let missed = self.events.missed();
            if missed > self.missed {
                let count = missed - self.missed;
                self.missed = missed;
                let at_ns = event.as_ref().map_or_else(now_ns, |event| event.wall_ns);
                told.push(self.tell(at_ns, Item::Missed(count)));
            }
            let Some(event) = event else { break };
            told.extend(self.tell_event(event));
        }
        told.extend(self.tell_log());
        told
    }

    fn tell(&mut self, wall_ns: u64, item: Item) -> Told {
        self.order_ns = self.order_ns.max(wall_ns);
        Told { page: self.page.place.name(), wall_ns, order_ns: self.order_ns, item }
    }

    fn tell_event(&mut self, event: Event) -> Option<Told> {
        self.in_force.note(&event, &self.observer);
        self.journaled_ns = self.journaled_ns.max(event.wall_ns);
        let logged = (event.entry != 0).then(|| self.observer.log_entry(event.entry)).flatten();
        self.entry = self.entry.max(event.entry);
        if event.entry != 0 && self.early.remove(&event.entry) {
            return None;
        }
        match (event.reason, &logged) {
            (Reason::Halt, logged) => _ = self.holders.insert(logged.as_ref().map_or(String::new(), holder)),
            (Reason::Resume, Some(logged)) => _ = self.holders.remove(&holder(logged)),
            (Reason::Resume, None) => self.holders.clear(),
            _ => {}
        }
        let quantile_ppm = self.in_force.quantile_ppm(&event);
        let (wall_ns, is_halted) = (event.wall_ns, !self.holders.is_empty());
        Some(self.tell(wall_ns, Item::Event { event: Box::new(event), quantile_ppm, logged, is_halted }))
    }

    /// What operators did since the last owner journaled anything. An owner journals what it finds, so that is told of a page without one.
    fn tell_log(&mut self) -> Vec<Told> {
        let latest = self.observer.log_entries();
        if latest <= self.entry || self.observer.owner().is_none_or(|owner| owner.alive) {
            return Vec::new();
        }
        let numbers = (self.entry + 1).max(latest.saturating_sub(63))..=latest;
        self.entry = latest;
        let mut told = Vec::new();
        for number in numbers {
            let Some(logged) = self.observer.log_entry(number) else { continue };
            if logged.note.wall_ns < self.journaled_ns {
                continue; // its event was journaled, and is overwritten by now
            }
            self.early.insert(number);
            let holder = holder(&logged);
            if logged.is_halt {
                self.holders.insert(holder)
            } else {
                self.holders.remove(&holder)
            };
            let (wall_ns, is_halted) = (logged.note.wall_ns, !self.holders.is_empty());
            told.push(self.tell(wall_ns, Item::Logged { number, logged, is_halted }));
        }
        told
    }

    /// Something that happened to the page itself now.
    pub(super) fn note(&mut self, what: &'static str) -> Option<Told> {
        Some(self.tell(now_ns(), Item::Note(what)))
    }

    /// Goes on with the file that was found at the page's place, if it is another one.
    ///
    /// # Errors
    /// It can't be read.
    pub(super) fn arrive(&mut self, found: Option<Identity>) -> Result<Vec<Told>, Failure> {
        if found == self.found {
            return Ok(Vec::new());
        }
        self.found = found;
        match found {
            None => Ok(self.note("removed").into_iter().collect()),
            Some(_) if found == self.opened => Ok(Vec::new()),
            Some(_) => {
                let mut new = Self::open(self.page.clone())?;
                new.order_ns = self.order_ns;
                let mut told: Vec<_> = new.note("replaced").into_iter().collect();
                told.extend(new.told());
                *self = new;
                Ok(told)
            }
        }
    }
}
