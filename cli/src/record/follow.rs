//! A page that is followed: what is new in its journal and in its operators' log becomes items.

use super::line::{Item, Page};
use super::position::{Position, Step};
use crate::labels::PageLabels;
use crate::page::in_force::InForce;
use crate::page::json;
use crate::page::place::Place;
use crate::show::{evidence, show_hash};
use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::sync::Arc;
use std::time::{Duration, Instant};
use trip99::shared::{Owner, SharedError};
use trip99::{Event, Events, LogEntry, Observer, Reason, Started};

/// At most so many events are taken of one page before others have their turn.
const AT_ONCE: usize = 1024;
/// How many entries the operators' log of a page keeps.
const KEPT_ENTRIES: u64 = 64;
/// An entry that isn't there by then has no writer any more.
const WRITTEN_WITHIN: Duration = Duration::from_millis(100);

pub(crate) struct Followed {
    pub(crate) page: Arc<Page>,
    pub(crate) place: Place,
    /// The inode of its file.
    pub(crate) inode: u64,
    observer: Observer,
    version: Option<String>,
    events: Events,
    position: Position,
    /// Since when the next entry is missing.
    missing_since: Option<Instant>,
    in_force: InForce,
    /// The hash of the settings at the latest event, if it is known.
    hash: Option<u64>,
    /// The hash of the settings that were recorded last.
    settings: Option<u64>,
    /// What is told of the owner that wrote the latest events.
    owner: Option<Value>,
    is_alive: bool,
    is_replaced: bool,
}

/// Whether a page is followed any longer.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    Followed,
    Ended,
}

impl Followed {
    /// Opens a page, and tells of it. `position` says how far the page of this identity is recorded.
    pub(crate) fn open(
        place: Place,
        labels: PageLabels,
        boot: &str,
        position: impl FnOnce(&str) -> Option<Position>,
        items: &mut Vec<Item>,
    ) -> Result<Self, SharedError> {
        let identity = |place: &Place| fs::symlink_metadata(&place.path).ok().map(|file| (file.dev(), file.ino()));
        let (observer, (device, inode)) = loop {
            let before = identity(&place);
            let observer = Observer::open(&place.path)?;
            if let Some(identity) = identity(&place)
                && before == Some(identity)
            {
                break (observer, identity);
            }
        };
        let id = format!("{boot}:{device}:{inode}");
        let known = position(&id).filter(|position| is_same(&observer, position));
        let is_known = known.is_some();
        let position = known.unwrap_or_else(|| Position { next_entry: first_entry(&observer), ..Position::default() });
        let page = Arc::new(Page { name: place.name(), path: place.path(), id, labels });
        let owner = observer.owner();
        let is_alive = owner.as_ref().is_some_and(|owner| owner.alive);
        let fields = json!({
            "change": if is_known { "found_again" } else { "found" },
            "next_event": position.next_event,
            "owner": owner.as_ref().map(owner_of),
            "owner_alive": is_alive,
        });
        items.push(Item::of_page(&page, "page", fields));
        let version = observer.owner_version();
        Ok(Self {
            page,
            place,
            inode,
            version,
            events: observer.events_from(position.next_event),
            position,
            missing_since: None,
            in_force: InForce::read(&observer),
            hash: None,
            settings: None,
            owner: None,
            is_alive,
            is_replaced: false,
            observer,
        })
    }

    /// The file of labels may have changed.
    pub(crate) fn set_labels(&mut self, labels: &PageLabels) {
        if self.page.labels != *labels {
            self.page = Arc::new(Page { labels: labels.clone(), ..Page::clone(&self.page) });
        }
    }

    pub(crate) fn position(&self) -> Position {
        Position { path: self.page.path.clone(), ..self.position.clone() }
    }

    /// Takes what is new. False if there may be more at once.
    pub(crate) fn take(&mut self, items: &mut Vec<Item>) -> (Standing, bool) {
        if !self.observer.is_whole() {
            items.push(Item::of_page(&self.page, "page", json!({ "change": "cut_off" })));
            return (Standing::Ended, true);
        }
        self.take_entries(items);
        let events: Vec<Event> = self.events.by_ref().take(AT_ONCE).collect();
        let is_all = events.len() < AT_ONCE;
        let restart = events.iter().rposition(|event| event.reason == Reason::Restart);
        let before = self.owner.clone();
        if restart.is_some() || self.owner.is_none() && !events.is_empty() {
            self.owner = self.observer.owner().as_ref().map(owner_of);
        }
        let settings = self.settings_at(&events);
        for (index, (event, settings)) in events.iter().zip(settings).enumerate() {
            let owner =
                if restart.is_some_and(|restart| index < restart) { before.clone() } else { self.owner.clone() };
            self.take_event(event, owner, settings, items);
        }
        (Standing::Followed, is_all)
    }

    /// The hash of the settings at each event, as far as it is known: by those in force now, and by what changes of them tell.
    fn settings_at(&mut self, events: &[Event]) -> Vec<Option<u64>> {
        let mut hashes: Vec<Option<u64>> = Vec::with_capacity(events.len());
        for event in events {
            self.in_force.note(event, &self.observer);
            self.hash = match (event.settings_after, self.in_force.at(event)) {
                (0, Some(config)) => Some(config.stable_hash()),
                (0, None) => self.hash.filter(|_| event.reason != Reason::Restart),
                (after, _) => Some(after),
            };
            hashes.push(self.hash);
        }
        // A change tells what was in force before it, back to the owner's start.
        let mut before = None;
        for (event, hash) in events.iter().zip(&mut hashes).rev() {
            match event.settings_before {
                0 => *hash = hash.or(before),
                known => before = Some(known),
            }
            before = before.filter(|_| event.reason != Reason::Restart);
        }
        hashes
    }

    fn take_event(&mut self, event: &Event, owner: Option<Value>, settings: Option<u64>, items: &mut Vec<Item>) {
        let next = self.position.next_event;
        if event.sequence > next {
            let why = "they were overwritten, or damaged, before they could be read";
            items.push(missed(&self.page, "events", [next, event.sequence - 1], why));
        }
        if let Some(item) = self.take_settings(event, settings) {
            items.push(item);
        }
        let logged = (event.entry != 0).then(|| self.observer.log_entry(event.entry)).flatten();
        let fields = json!({
            "owner": owner,
            "version": self.version,
            "settings": settings.map(show_hash),
            "event": json::event(event, logged.as_ref()),
            "evidence": evidence(event, self.in_force.quantile_ppm(event)),
            "who": logged.as_ref().and_then(who),
            "why": logged.as_ref().map(|logged| logged.note.reason_or_none()),
        });
        let step = Step::Event { sequence: event.sequence, wall_ns: event.wall_ns };
        let item = Item::of_page(&self.page, "event", fields);
        items.push(Item { wall_ns: Some(event.wall_ns), step: Some(step), ..item });
        (self.position.next_event, self.position.wall_ns) = (event.sequence.saturating_add(1), Some(event.wall_ns));
    }

    /// The settings that an event is the first to have.
    fn take_settings(&mut self, event: &Event, hash: Option<u64>) -> Option<Item> {
        let config =
            self.in_force.at(event).filter(|config| Some(config.stable_hash()) == hash && hash != self.settings)?;
        self.settings = hash;
        let fields = json!({ "settings": hash.map(show_hash), "values": serde_json::to_value(config).ok() });
        Some(Item::of_page(&self.page, "settings", fields))
    }

    /// Operators halt pages without an owner, too.
    fn take_entries(&mut self, items: &mut Vec<Item>) {
        loop {
            let (latest, next) = (self.observer.log_entries(), self.position.next_entry);
            if next > latest {
                self.position.next_entry = latest.saturating_add(1); // if the owner had to repair the count
                return;
            }
            let oldest = latest.saturating_sub(KEPT_ENTRIES - 1);
            let (item, number) = match self.observer.log_entry(next) {
                Some(logged) => (self.entry(next, &logged), next),
                None if next < oldest => (
                    missed(
                        &self.page,
                        "entries",
                        [next, oldest - 1],
                        "they were overwritten before they could be read",
                    ),
                    oldest - 1,
                ),
                None if self.missing_since.get_or_insert_with(Instant::now).elapsed() < WRITTEN_WITHIN => return,
                None => (missed(&self.page, "entries", [next, next], "who wrote it was killed halfway"), next),
            };
            self.missing_since = None;
            items.push(item);
            self.position.next_entry = number.saturating_add(1);
        }
    }

    fn entry(&self, number: u64, logged: &LogEntry) -> Item {
        let fields = json!({
            "entry": number,
            "owner_alive": self.is_alive,
            "resting": self.observer.resting(),
            "note": json::note(&logged.note),
            "who": who(logged),
            "why": logged.note.reason_or_none(),
        });
        let item = Item::of_page(&self.page, if logged.is_halt { "halt" } else { "resume" }, fields);
        let wall_ns = (logged.note.wall_ns != 0).then_some(logged.note.wall_ns);
        Item { wall_ns, step: Some(Step::Entry { number }), ..item }
    }

    /// Looks at what the page doesn't tell by itself: whether its owner lives, and whether its path still leads to it. To be called
    /// before [`take`](Self::take), so that of a page that ended all is taken.
    pub(crate) fn look(&mut self, items: &mut Vec<Item>) -> Standing {
        if !self.observer.is_whole() {
            return Standing::Followed; // `take` tells
        }
        let owner = self.observer.owner();
        let is_alive = owner.as_ref().is_some_and(|owner| owner.alive);
        if is_alive != self.is_alive {
            self.is_alive = is_alive;
            let change = if is_alive { "alive" } else { "gone" };
            let fields = json!({ "change": change, "owner": owner.as_ref().map(owner_of) });
            items.push(Item::of_page(&self.page, "owner", fields));
        }
        let is_replaced = self.observer.is_replaced();
        if is_replaced != self.is_replaced {
            self.is_replaced = is_replaced;
            let change = match (is_replaced, fs::symlink_metadata(&self.place.path)) {
                (false, _) => "back",
                (true, Ok(_)) => "replaced",
                (true, Err(_)) => "removed",
            };
            items.push(Item::of_page(&self.page, "page", json!({ "change": change })));
        }
        if is_replaced && !is_alive { Standing::Ended } else { Standing::Followed }
    }

    /// The page is followed no more, and comes back as another one, if at all.
    pub(crate) fn ended(&self) -> Item {
        let item = Item::of_page(&self.page, "page", json!({ "change": "ended" }));
        Item { step: Some(Step::Ended), ..item }
    }
}

/// Whether a page is the one that was recorded so far.
fn is_same(observer: &Observer, position: &Position) -> bool {
    let Some(last) = position.next_event.checked_sub(1) else { return true };
    match observer.events_from(last).next() {
        None => false, // it has had fewer events
        Some(event) => event.sequence != last || position.wall_ns.is_none_or(|wall_ns| wall_ns == event.wall_ns),
    }
}

/// The first entry that the operators' log of a new page has. The numbers may go on from those of an earlier page.
fn first_entry(observer: &Observer) -> u64 {
    let latest = observer.log_entries();
    let kept = latest.saturating_sub(KEPT_ENTRIES - 1).max(1)..=latest;
    kept.into_iter().find(|&number| observer.log_entry(number).is_some()).unwrap_or(latest + 1)
}

fn missed(page: &Arc<Page>, of: &'static str, [first, last]: [u64; 2], why: &'static str) -> Item {
    let count = (last - first).saturating_add(1);
    let fields = json!({ "missed": { "of": of, "first": first, "last": last, "count": count }, "why": why });
    let step = if of == "events" { Step::MissedEvents { last } } else { Step::MissedEntries { last } };
    Item { step: Some(step), ..Item::of_page(page, "missed", fields) }
}

fn owner_of(owner: &Owner) -> Value {
    json!({ "pid": (owner.pid != 0).then_some(owner.pid), "started": owner.started.map(Started::name) })
}

fn who(logged: &LogEntry) -> Option<String> {
    logged.note.holder.map(|holder| holder.to_string())
}
