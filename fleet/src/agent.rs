//! What an agent decides: a message or a tick in, a verdict on each page out. It knows no clock, no network and no disk.
//!
//! - It **holds** a page as `fleet` while an id selects the page that no tombstone names; after something was heard that can't be
//!   understood, and after its lease has ended, until answers have been unbroken for 10 s; and while it has no lease to give to a page that
//!   has none in force, or that is held: an agent before it may have died before the halt was on the disk.
//! - It **leases** a page for as long as governors answer. The lease runs from when the nonce was *sent*, so that nothing stale renews it.
//!   An answer counts only if it names the very revision that the agent has read; if the governor's read from the leader isn't older than
//!   `stale_after`; and if that read began after the latest doubt: the agent's start, the end of its last lease, or what it couldn't
//!   understand.
//!
//! All times are of the host's monotonic clock, in nanoseconds.

use crate::book::{Book, Heard};
use crate::labels::Labels;
use crate::message::{Answer, Halt, Id};
use crate::time::{MS, S};
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

/// How long things may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Limits {
    /// How long a page may trade after the latest answer was asked for.
    pub lease_ns: u64,
    /// How old a governor's read from the leader may be.
    pub stale_after_ns: u64,
    /// How long answers must be unbroken after something that couldn't be understood.
    pub proven_ns: u64,
}

impl Limits {
    /// The shortest lease.
    pub const LEAST_LEASE_NS: u64 = 500 * MS;

    /// An agent asks this often.
    pub const fn ask_every_ns(&self) -> u64 {
        let fifth = self.lease_ns / 5;
        if fifth < 100 * MS { fifth } else { 100 * MS }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self { lease_ns: 2 * S, stale_after_ns: 15 * S, proven_ns: 10 * S }
    }
}

/// What an agent keeps on its disk.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Kept {
    /// The bucket that it has read; `None` before the first read.
    pub bucket: Option<String>,
    /// Up to which line.
    pub revision: u64,
    /// What it has read there, and what was told to it.
    pub book: Book,
}

/// Something that can't be understood.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Fault {
    why: String,
}

/// What a page is like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PageFacts<'a> {
    /// Its path.
    pub path: &'a str,
    /// When its lease ends, as the page says; 0 if it isn't leased.
    pub lease_ends_ns: u64,
    /// A process owns it, whose warden doesn't look: nobody would act on a lease.
    pub is_unguarded: bool,
    /// It is held as `fleet`, by this agent or by one before it.
    pub is_held: bool,
}

/// What is to be done to a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Hold it as `fleet`; `None` = lift that.
    pub hold: Option<Hold>,
    /// Lease it until then; `None` = leave its lease alone.
    pub lease_ends_ns: Option<u64>,
}

/// Why a page is held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hold {
    /// The halt that selects it; `None` if the agent holds it on its own account.
    pub id: Option<Id>,
    /// For people.
    pub why: String,
}

impl Hold {
    fn own(why: String) -> Self {
        Self { id: None, why }
    }
}

/// What came of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heeded {
    /// The lease is renewed.
    Good,
    /// It names a revision that the agent has yet to read.
    Behind,
    /// It counts for nothing, and why.
    Nothing(&'static str),
    /// It can't be right.
    Fault(String),
}

/// How many asks may be without an answer.
const OUTSTANDING: usize = 64;

/// An agent.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Agent {
    limits: Limits,
    kept: Kept,
    /// When it came to know its revision.
    read_ns: u64,
    /// Nonces, with when they were sent.
    asks: VecDeque<(String, u64)>,
    /// When the latest ask was sent whose answer counts; `None` if there is no lease.
    leased_from_ns: Option<u64>,
    /// A read from the leader counts only if it began at this time or later.
    doubt_ns: u64,
    fault: Option<Fault>,
    /// Since when answers are unbroken, after a fault.
    unbroken_ns: Option<u64>,
    /// Why the latest answer counted for nothing.
    silence: &'static str,
    round_trip_ns: u64,
}

impl Agent {
    /// An agent that starts now, with what it kept. It doesn't know what it missed.
    pub fn new(limits: Limits, kept: Kept, now_ns: u64) -> Self {
        Self {
            limits,
            kept,
            read_ns: now_ns,
            asks: VecDeque::new(),
            leased_from_ns: None,
            doubt_ns: now_ns,
            fault: None,
            unbroken_ns: None,
            silence: "no governor answers",
            round_trip_ns: 0,
        }
    }

    /// What is to be on the disk.
    pub fn kept(&self) -> &Kept {
        &self.kept
    }

    /// When its lease ends; `None` if there is none.
    pub fn lease_ends_ns(&self) -> Option<u64> {
        self.leased_from_ns.map(|from_ns| from_ns.saturating_add(self.limits.lease_ns))
    }

    /// Why it holds all pages, if it does.
    pub fn trouble(&self) -> Option<String> {
        match (&self.fault, self.leased_from_ns) {
            (Some(fault), _) => Some(fault.why.clone()),
            (None, None) => Some(self.silence.to_owned()),
            (None, Some(_)) => None,
        }
    }

    /// How long the latest answer that counted took.
    pub fn round_trip_ns(&self) -> u64 {
        self.round_trip_ns
    }

    /// Time passes: a lease may end. To be called before anything else at a new time.
    pub fn tick(&mut self, now_ns: u64) {
        if let Some(ends_ns) = self.lease_ends_ns().filter(|&ends_ns| now_ns >= ends_ns) {
            self.leased_from_ns = None;
            // However soon answers come again: who was out of touch proves itself.
            self.fault(format!("out of touch with governors: {}", self.silence), ends_ns);
        }
    }

    /// An ask is about to be sent.
    pub fn ask(&mut self, nonce: String, now_ns: u64) {
        if self.asks.len() >= OUTSTANDING {
            self.asks.pop_front();
        }
        self.asks.push_back((nonce, now_ns));
    }

    /// A governor answers.
    pub fn answer(&mut self, answer: &Answer, now_ns: u64) -> Heeded {
        self.tick(now_ns);
        let found = self.asks.iter().find(|(nonce, _)| *nonce == answer.nonce);
        let Some(&(_, sent_ns)) = found else { return Heeded::Nothing("an answer to nothing that was asked") };
        if now_ns.saturating_sub(sent_ns) >= self.limits.lease_ns {
            return self.nothing("governors answer too late");
        }
        // The read began no earlier than this.
        let read_ns = sent_ns.saturating_sub(answer.age_ns);
        if self.kept.bucket.as_ref().is_some_and(|bucket| *bucket != answer.bucket) {
            return self.fault_because(format!("the fleet's bucket is another one: {}", answer.bucket), now_ns);
        }
        if answer.revision < self.kept.revision {
            let (known, told) = (self.kept.revision, answer.revision);
            if read_ns > self.read_ns {
                return self.fault_because(format!("the bucket went back from revision {known} to {told}"), now_ns);
            }
            return self.nothing("governors are behind");
        }
        if answer.revision > self.kept.revision || self.kept.bucket.is_none() {
            self.silence = "this agent has yet to read the bucket";
            return Heeded::Behind;
        }
        if answer.age_ns > self.limits.stale_after_ns {
            return self.nothing("no governor hears the bucket's leader");
        }
        if read_ns < self.doubt_ns {
            return self.nothing("no governor has read from the leader since");
        }
        self.renew(sent_ns, now_ns);
        Heeded::Good
    }

    fn renew(&mut self, sent_ns: u64, now_ns: u64) {
        self.leased_from_ns = Some(self.leased_from_ns.map_or(sent_ns, |from_ns| from_ns.max(sent_ns)));
        self.round_trip_ns = now_ns.saturating_sub(sent_ns);
        let since_ns = *self.unbroken_ns.get_or_insert(sent_ns);
        if sent_ns.saturating_sub(since_ns) >= self.limits.proven_ns {
            self.fault = None;
        }
    }

    fn nothing(&mut self, why: &'static str) -> Heeded {
        self.silence = why;
        Heeded::Nothing(why)
    }

    fn fault_because(&mut self, why: String, now_ns: u64) -> Heeded {
        self.fault(why.clone(), now_ns);
        Heeded::Fault(why)
    }

    /// Something can't be understood, or was lost: all pages are held, until answers have been unbroken for a while.
    pub fn fault(&mut self, why: String, now_ns: u64) {
        self.fault = Some(Fault { why });
        self.doubt_ns = self.doubt_ns.max(now_ns);
        self.unbroken_ns = None;
    }

    /// Whether there is something that it can't understand.
    pub fn has_fault(&self) -> bool {
        self.fault.is_some()
    }

    /// A halt is heard, whose signature is right. To be answered only when what is kept is on the disk.
    pub fn halt(&mut self, halt: &Halt, envelope: &str) -> Heard {
        self.kept.book.take(halt, envelope, None)
    }

    /// A line of the bucket is read, whose signature is right: a halt, tombstones, or nothing that changes anything. True if it was the
    /// next one.
    pub fn line(&mut self, bucket: &str, revision: u64, line: &Line<'_>, now_ns: u64) -> bool {
        let is_same = self.kept.bucket.as_ref().is_none_or(|own| own == bucket);
        if !is_same || revision != self.kept.revision.saturating_add(1) {
            return false;
        }
        match line {
            Line::Halt(halt, envelope) => _ = self.kept.book.take(halt, envelope, Some(revision)),
            Line::Tombstones(ids) => self.kept.book.bury(ids),
            Line::Nothing => {}
        }
        self.kept.bucket = Some(bucket.to_owned());
        self.kept.revision = revision;
        self.read_ns = now_ns;
        true
    }

    /// A page is there, with these labels. True if what is kept changed by that.
    pub fn settle(&mut self, page: &str, labels: &Labels) -> bool {
        self.kept.book.settle(page, labels)
    }

    /// What is to be done to a page now.
    pub fn verdict(&self, page: &PageFacts<'_>, now_ns: u64) -> Verdict {
        let lease_ends_ns = self.lease_ends_ns().filter(|&ends_ns| now_ns < ends_ns);
        // What another agent, or a scribbler, wrote there doesn't count if this agent could not have.
        let longest_ns = now_ns.saturating_add(self.limits.lease_ns);
        let is_in_force = now_ns < page.lease_ends_ns && page.lease_ends_ns <= longest_ns;
        let by_id = || {
            let known = self.kept.book.holding(page.path).max_by_key(|known| known.halt.at_ns)?;
            let Halt { id, reason, who, .. } = &known.halt;
            let reason = if reason.is_empty() { "no reason given" } else { reason };
            Some(Hold { id: Some(id.clone()), why: format!("{reason} ({who}, fleet's halt {})", id.short()) })
        };
        let by_fault = || self.fault.as_ref().map(|fault| fault.why.clone());
        let is_unproven = lease_ends_ns.is_none() && (page.is_held || !is_in_force);
        let by_silence = || is_unproven.then(|| self.silence.to_owned());
        let by_guard = || page.is_unguarded.then(|| "its owner has no warden, so that no lease can stop it".to_owned());
        let by_itself = || by_fault().or_else(by_silence).or_else(by_guard).map(Hold::own);
        Verdict { hold: by_id().or_else(by_itself), lease_ends_ns }
    }

    /// The halts that are not known to be in the bucket. Governors are to be told of them.
    pub fn unfiled(&self) -> impl Iterator<Item = &str> {
        self.kept.book.live().filter(|known| known.revision.is_none()).map(|known| known.envelope.as_str())
    }
}

/// A line of the bucket, for an agent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Line<'a> {
    /// A halt, with the message that was signed.
    Halt(&'a Halt, &'a str),
    /// Ids that are over.
    Tombstones(&'a [Id]),
    /// The bucket's first line; or tombstones of somebody whose key doesn't count (any more), which lift nothing.
    Nothing,
}

#[cfg(test)]
mod tests;
