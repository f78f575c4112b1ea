//! Halting and resuming: who holds a halt, and what came of an attempt.

use crate::halts::{Act, Desk, Held, OTHERS};
use crate::holder::Holder;
use crate::log::{self, Author};
use crate::page::Page;
use std::fmt;

/// Who halted, when and why.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct HaltNote {
    /// In whose name. `None` if the halter was killed before it told its name.
    pub holder: Option<Holder>,
    /// The reason that was given, at most [`HaltNote::MAX_REASON_BYTES`] bytes of it. Characters that aren't seen (control characters, those
    /// of no width, those that turn the direction of writing) are replaced by spaces. The reason is empty if none was given.
    pub reason: String,
    /// The user that the halter ran as. It is `u32::MAX` if it can't be told.
    pub uid: u32,
    /// The user who logged in, whoever the halter ran as. It is `u32::MAX` if it can't be told.
    pub login_uid: u32,
    /// The halter's process; 0 if it can't be told.
    pub pid: u32,
    /// The halter's host. It is empty if it can't be told.
    pub host: String,
    /// The time of the halt, in nanoseconds since the Unix epoch; 0 if it can't be told.
    pub wall_ns: u64,
    /// The number of the halt's entry in the operators' log; the halt's event has it, too. It is 0 if it can't be told: the halter was killed
    /// before it wrote the entry, or the page no longer keeps it.
    pub entry: u64,
}

impl HaltNote {
    /// The length of the longest reason, in bytes. A longer reason is cut between characters.
    pub const MAX_REASON_BYTES: usize = log::MAX_REASON_BYTES;

    /// The reason for people, who are told if there is none.
    pub fn reason_or_none(&self) -> &str {
        if self.reason.is_empty() { "no reason given" } else { &self.reason }
    }
}

/// An entry of the operators' log.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LogEntry {
    /// True if it is a halt. Otherwise it is a resume.
    pub is_halt: bool,
    /// Who did it, when and why. For a resume `holder` is whose halt was lifted.
    pub note: HaltNote,
}

/// Who holds a halt, as it was at one moment. [`Gate::resume_listed`](crate::Gate::resume_listed) lifts what was listed, and nothing that
/// came since.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holders {
    pub(crate) held: Held,
    /// The slot of each note.
    pub(crate) slots: Vec<u8>,
    notes: Vec<HaltNote>,
}

impl Holders {
    /// The halt of each holder, in the order of the holders' places.
    pub fn notes(&self) -> &[HaltNote] {
        &self.notes
    }

    /// True if nobody holds a halt.
    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// The latest halt.
    pub fn latest(&self) -> Option<&HaltNote> {
        self.notes.iter().max_by_key(|note| note.entry)
    }
}

/// What came of a halt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Halted {
    /// Calls are refused now, and an owner is there to obey.
    Done,
    /// Calls are refused now. No process owns the page, so the halt waits for the next owner.
    NoOwner,
    /// The page of this handle is halted. But the path leads to another file by now, which isn't.
    Replaced,
    /// Nothing was done: the breaker that gave this handle has ended.
    Ended,
}

/// What came of a resume.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Resumed {
    /// The halt is lifted, and nobody else holds one. The gate opens with the owner's next poll, as far as the state allows.
    Done,
    /// The halt is lifted, but others hold one.
    StillHeld,
    /// There was no such halt.
    NotHeld,
    /// Nothing was done: somebody halted or resumed since the list was made. List again.
    Changed,
    /// The halt is lifted. No process owns the page, so the gate goes on to refuse until one does.
    NoOwner,
    /// Nothing was done: the breaker that gave this handle has ended.
    Ended,
}

/// In whose name a handle halts, and who has the handle.
#[derive(Clone, Copy)]
pub(crate) struct Signature {
    pub(crate) holder: Holder,
    author: Author,
    /// For a handle by a path: what tells whether an owner is there. The child of a fork has such a handle, too. So each act asks for the
    /// process, by a system call.
    presence: Option<fn(&Page) -> Presence>,
}

/// Who obeys a halt by a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Presence {
    /// The page's owner.
    Here,
    /// Nobody, until the page has an owner again.
    NoOwner,
    /// The path leads to another page, which this handle doesn't reach.
    Replaced,
}

impl Signature {
    /// The engine's own. It makes no system call.
    pub(crate) const fn engine(author: Author) -> Self {
        Self { holder: Holder::ENGINE, author, presence: None }
    }

    /// A handle by a path.
    #[cfg(feature = "shm")]
    pub(crate) const fn by_path(holder: Holder, author: Author, presence: fn(&Page) -> Presence) -> Self {
        Self { holder, author, presence: Some(presence) }
    }

    /// Who obeys.
    pub(crate) fn presence(&self, page: &Page) -> Presence {
        self.presence.map_or(Presence::Here, |presence| presence(page))
    }

    pub(crate) fn act<'a>(&self, holder: Holder, reason: &'a str, wall_ns: u64) -> Act<'a> {
        let pid = if self.presence.is_some() { std::process::id() } else { self.author.pid };
        Act { holder, author: Author { pid, ..self.author }, wall_ns, reason }
    }
}

impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.holder.fmt(f)
    }
}

impl Page {
    /// Halts in somebody's name. `Ended` if the breaker has ended, before this or meanwhile.
    pub(crate) fn halt(&self, act: &Act<'_>) -> Halted {
        if self.has_ended() {
            return Halted::Ended;
        }
        self.desk().halt(act);
        if self.has_ended() { Halted::Ended } else { Halted::Done }
    }

    /// Lifts the halt of a holder, whoever else halts or resumes meanwhile.
    pub(crate) fn resume(&self, act: &Act<'_>) -> Resumed {
        let mut listed = self.board().halts.held();
        let Some(slot) = self.slot(act.holder) else { return Resumed::NotHeld };
        loop {
            match self.resume_from(listed, slot, act) {
                Err(now) => listed = now,
                Ok(resumed) => return resumed,
            }
        }
    }

    /// Lifts the halt of a slot, if the word is still the one that was listed. Otherwise returns the word that is there now.
    pub(crate) fn resume_from(&self, listed: Held, slot: u8, act: &Act<'_>) -> Result<Resumed, Held> {
        if self.has_ended() {
            return Ok(Resumed::Ended);
        }
        if !listed.has(slot) {
            return Ok(Resumed::NotHeld);
        }
        let held = self.desk().resume(listed, slot, act)?;
        Ok(if held.is_any() { Resumed::StillHeld } else { Resumed::Done })
    }

    /// The slot by which a holder is found. A holder that came when all slots had names shares one.
    pub(crate) fn slot(&self, holder: Holder) -> Option<u8> {
        self.board().halts.find(holder)
    }

    pub(crate) fn holders(&self) -> Holders {
        let held = self.board().halts.held();
        let slots: Vec<u8> = held.slots().collect();
        let notes = slots.iter().map(|&slot| self.note(slot)).collect();
        Holders { held, slots, notes }
    }

    /// The latest halt of a slot.
    pub(crate) fn note(&self, slot: u8) -> HaltNote {
        note(&self.desk(), slot)
    }

    /// An entry of the operators' log. `None` if it is no longer there, or was never written.
    pub(crate) fn log_entry(&self, number: u64) -> Option<LogEntry> {
        let read = log::read(self.log(), number)?;
        let is_halt = read.deed == log::Deed::Halt;
        Some(LogEntry { is_halt, note: told(number, &read) })
    }
}

fn note(desk: &Desk<'_>, slot: u8) -> HaltNote {
    match desk.note(slot) {
        // The holders that share a slot are told apart by the log alone.
        Some((entry, read)) if slot == OTHERS => HaltNote { holder: Some(Holder::OTHERS), ..told(entry, &read) },
        Some((entry, read)) => told(entry, &read),
        None => HaltNote {
            holder: desk.halts.name(slot),
            reason: String::new(),
            uid: u32::MAX,
            login_uid: u32::MAX,
            pid: 0,
            host: String::new(),
            wall_ns: 0,
            entry: 0,
        },
    }
}

fn told(entry: u64, read: &log::Read) -> HaltNote {
    HaltNote {
        holder: Some(read.holder),
        reason: read.reason(),
        uid: read.author.uid,
        login_uid: read.author.login_uid,
        pid: read.author.pid,
        host: read.host(),
        wall_ns: read.wall_ns,
        entry,
    }
}
