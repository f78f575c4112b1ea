//! How far each page is recorded, as the lines themselves tell.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// How far a page is recorded.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Position {
    pub(crate) path: String,
    /// The number of the event that is to be recorded next.
    pub(crate) next_event: u64,
    /// The time of the event before that one, by which the page is known again.
    pub(crate) wall_ns: Option<u64>,
    /// The number of the entry of the operators' log that is to be recorded next; 0 if none was recorded.
    pub(crate) next_entry: u64,
}

/// What a line says of how far its page is recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Event {
        sequence: u64,
        wall_ns: u64,
    },
    Entry {
        number: u64,
    },
    /// Events up to this number are lost.
    MissedEvents {
        last: u64,
    },
    /// Entries up to this number are lost.
    MissedEntries {
        last: u64,
    },
    /// The page is followed no more.
    Ended,
}

/// The positions of all pages, by their identities.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Positions(pub(crate) BTreeMap<String, Position>);

impl Positions {
    /// Whether what this step tells is recorded.
    pub(crate) fn has(&self, id: &str, step: &Step) -> bool {
        let position = self.0.get(id);
        position.is_some_and(|position| match *step {
            Step::Event { sequence, .. } => sequence < position.next_event,
            Step::Entry { number } => number < position.next_entry,
            Step::MissedEvents { last } => last < position.next_event,
            Step::MissedEntries { last } => last < position.next_entry,
            Step::Ended => false,
        })
    }

    pub(crate) fn take(&mut self, id: &str, path: &str, step: &Step) {
        if *step == Step::Ended {
            self.0.remove(id);
            return;
        }
        let position = self.0.entry(id.to_owned()).or_default();
        path.clone_into(&mut position.path);
        match *step {
            Step::Event { sequence, wall_ns } => {
                (position.next_event, position.wall_ns) = (sequence.saturating_add(1), Some(wall_ns));
            }
            Step::MissedEvents { last } => (position.next_event, position.wall_ns) = (last.saturating_add(1), None),
            Step::Entry { number: last } | Step::MissedEntries { last } => position.next_entry = last.saturating_add(1),
            Step::Ended => {}
        }
    }

    /// Takes in a line of a file.
    pub(crate) fn take_line(&mut self, line: &[u8]) {
        let Ok(mut recorded) = serde_json::from_slice::<Recorded>(line) else { return };
        if let Some(positions) = recorded.pages.take() {
            *self = positions;
        }
        let (Some(page), Some(step)) = (&recorded.page, recorded.step()) else { return };
        self.take(&page.id, &page.path, &step);
    }
}

/// What is read of a line.
#[derive(Deserialize)]
struct Recorded {
    kind: String,
    pages: Option<Positions>,
    page: Option<Page>,
    event: Option<Event>,
    entry: Option<u64>,
    missed: Option<Missed>,
    change: Option<String>,
}

#[derive(Deserialize)]
struct Page {
    id: String,
    path: String,
}

#[derive(Deserialize)]
struct Event {
    sequence: u64,
    wall_ns: u64,
}

#[derive(Deserialize)]
struct Missed {
    of: String,
    last: u64,
}

impl Recorded {
    fn step(&self) -> Option<Step> {
        match (self.kind.as_str(), &self.event, self.entry, &self.missed) {
            ("event", Some(event), _, _) => Some(Step::Event { sequence: event.sequence, wall_ns: event.wall_ns }),
            ("halt" | "resume", _, Some(number), _) => Some(Step::Entry { number }),
            ("missed", _, _, Some(Missed { of, last })) if of == "events" => Some(Step::MissedEvents { last: *last }),
            ("missed", _, _, Some(Missed { last, .. })) => Some(Step::MissedEntries { last: *last }),
            ("page", ..) => (self.change.as_deref() == Some("ended")).then_some(Step::Ended),
            _ => None,
        }
    }
}
