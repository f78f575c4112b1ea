//! Halts, as the owner does them and takes note of them.

use super::{OWED, Outlet};
use crate::clock::wall_ns;
use crate::config::State;
use crate::halts::Held;
use crate::handles::{Halted, Resumed};
use crate::holder::Holder;
use crate::log::{self, Deed};

/// For so long the owner waits for an entry of the operators' log that isn't written. Then its writer was killed halfway.
const WRITTEN_WITHIN_NS: u64 = 10_000_000;

impl Outlet {
    /// Halts in somebody's name.
    pub(crate) fn halt(&self, holder: Holder, reason: &str, wall_ns: u64) -> Halted {
        self.page.halt(&self.signature().act(holder, reason, wall_ns))
    }

    /// Lifts somebody's halt.
    pub(crate) fn resume(&self, holder: Holder, reason: &str, wall_ns: u64) -> Resumed {
        self.page.resume(&self.signature().act(holder, reason, wall_ns))
    }

    /// The breaker opened once too often, and stays out until somebody resumes.
    pub(crate) fn latch(&self) {
        self.halt(Holder::LATCH, "opened as often as latch_after allows", wall_ns());
    }

    /// If somebody scribbled on the gate, or on the word of halts, puts it right and halts. True if somebody did.
    pub(crate) fn repair(&mut self, state: State) -> bool {
        let is_scribble = self.is_scribble(self.page.board().halts.held());
        if is_scribble {
            // What the word said of halts is lost. The numbers of entries go on.
            self.page.board().halts.count_from(self.seen.count());
            self.halt(Holder::DAMAGE, "somebody wrote to the word that tells who halts", wall_ns());
            self.seen = self.page.board().halts.held();
            self.journaled = self.seen.count().wrapping_sub(1) & Held::MAX_COUNT;
        }
        let was_foreign = self.is_foreign(state);
        if was_foreign {
            let why = "the gate held what its owner had not written";
            let act = self.signature().act(Holder::DAMAGE, why, wall_ns());
            self.page.desk().repair(state, self.shadow, &act);
        }
        was_foreign || is_scribble
    }

    /// True if no halts and resumes lead from the word at the latest look to this one.
    fn is_scribble(&self, held: Held) -> bool {
        !held.can_follow(self.seen)
    }

    /// The next halt or resume that the journal doesn't know: the number of its entry in the operators' log, and what was done to which
    /// slot. Between the number of one and of the next are those that the log no longer has, and those whose writer was killed halfway.
    pub(crate) fn next_entry(&mut self, now_ns: u64) -> Option<(u64, (Deed, u8))> {
        let count = self.page.board().halts.held().count();
        let len = self.page.log().len() as u64;
        for _ in 0..len {
            let behind = count.wrapping_sub(self.journaled) & Held::MAX_COUNT;
            if behind == 0 {
                self.missing_since_ns = None;
                break;
            }
            if behind > len {
                self.journaled = count.wrapping_sub(len) & Held::MAX_COUNT;
            }
            let number = self.journaled.wrapping_add(1) & Held::MAX_COUNT;
            let deed = log::deed(self.page.log(), number);
            let since_ns = *self.missing_since_ns.get_or_insert(now_ns);
            if deed.is_none() && now_ns.saturating_sub(since_ns) < WRITTEN_WITHIN_NS {
                return None;
            }
            self.journaled = number;
            self.link.journaled(number);
            if let Some(deed) = deed {
                self.missing_since_ns = None;
                return Some((number, deed));
            }
        }
        None
    }

    /// How many halts and resumes the operators' log keeps.
    pub(crate) fn kept_entries(&self) -> usize {
        self.page.log().len()
    }

    /// Shuts the gate if somebody holds a halt, and ends the halt if nobody does. Takes note of byte and word, as far as they are
    /// journaled.
    pub(crate) fn settle(&mut self, state: State) {
        let halts = &self.page.board().halts;
        let held = halts.held();
        if self.is_scribble(held) {
            self.expected = OWED; // the next look puts it right
            return;
        }
        self.seen = held;
        let is_settled = halts.settle(self.page.gate());
        let seen = self.page.gate().bits();
        let is_right = is_settled && !seen.is_foreign(state, self.shadow);
        self.expected = if is_right { seen.watched().into() } else { OWED };
        // While an entry is awaited each poll looks, whatever somebody writes to the word.
        self.held = if held.count() == self.journaled { held } else { held.inverted() };
    }

    /// Halts that outlived memory hold, as far as the page doesn't have them.
    #[cfg(feature = "shm")]
    pub(crate) fn keep(&mut self, kept: &[crate::shm::Kept]) {
        let halts = &self.page.board().halts;
        let of_page = halts.held();
        // Their numbers are of an earlier page, if this one is new. The order of numbers must tell which came first.
        let latest = kept.iter().map(|kept| kept.count).max().unwrap_or(0);
        halts.count_from(latest);
        if of_page.count() < latest {
            self.journaled = latest; // this page's log has no entries of these numbers
        }
        for kept in kept {
            let slot = halts.find(kept.holder);
            // The page is there, and knows more: this halt was lifted, and nobody came to unlink its file.
            if kept.count <= of_page.count() && !slot.is_some_and(|slot| of_page.has(slot)) {
                continue;
            }
            if !slot.is_some_and(|slot| halts.held().has(slot)) {
                self.page.halt(&kept.act());
            }
        }
    }
}
