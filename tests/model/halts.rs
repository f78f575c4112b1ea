//! Who holds a halt, what the operators' log keeps of it, and what the owner knows.

use super::Model;
use trip99::{Holder, Reason};

/// How many entries the log of a breaker without a file keeps.
const KEPT: usize = 16;

/// A halt or a resume, by the holder whose halt it is.
struct Entry {
    holder: Holder,
    is_halt: bool,
    reason: String,
}

/// What a list of holders tells of one of them: who, the number of the latest halt's entry, and its reason. Number and reason are
/// gone when the log is.
pub(crate) type Held = (Holder, u64, String);

#[derive(Default)]
pub(crate) struct Halts {
    /// Whoever halted at any time, in the order in which they came, and whether the halt is held.
    holders: Vec<(Holder, bool)>,
    /// All entries that there ever were.
    log: Vec<Entry>,
    /// How many of them the owner has seen.
    seen: usize,
}

impl Halts {
    fn is_any(&self) -> bool {
        self.holders.iter().any(|&(_, held)| held)
    }

    pub(crate) fn entries(&self) -> u64 {
        self.log.len() as u64
    }

    /// Those who hold a halt: the engine first and then the latch, then the others in the order in which they came.
    pub(crate) fn held(&self) -> Vec<Held> {
        let mut held: Vec<Holder> = self.holders.iter().filter(|&&(_, held)| held).map(|&(holder, _)| holder).collect();
        held.sort_by_key(|&holder| (holder != Holder::ENGINE, holder != Holder::LATCH));
        held.into_iter().map(|holder| self.note(holder)).collect()
    }

    fn note(&self, holder: Holder) -> Held {
        let kept = self.log.iter().enumerate().skip(self.log.len().saturating_sub(KEPT));
        let mut halts = kept.filter(|(_, entry)| entry.is_halt && entry.holder == holder);
        match halts.next_back() {
            Some((index, entry)) => (holder, index as u64 + 1, entry.reason.clone()),
            None => (holder, 0, String::new()),
        }
    }
}

impl Model {
    /// Anybody halts. The gate refuses at once.
    pub(crate) fn halt(&mut self, holder: Holder, reason: &str) {
        match self.halts.holders.iter_mut().find(|(known, _)| *known == holder) {
            Some((_, held)) => *held = true,
            None => self.halts.holders.push((holder, true)),
        }
        self.halts.log.push(Entry { holder, is_halt: true, reason: reason.to_owned() });
        self.halted = true;
    }

    /// Anybody lifts a holder's halt. The gate goes on to refuse until the owner looks. Returns whether there was such a halt, and
    /// whether another is left.
    pub(crate) fn resume(&mut self, holder: Holder) -> (bool, bool) {
        let was_held = self.halts.holders.iter_mut().find(|(known, held)| *held && *known == holder);
        let lifted = was_held.map(|(_, held)| *held = false).is_some();
        if lifted {
            self.halts.log.push(Entry { holder, is_halt: false, reason: String::new() });
        }
        (lifted, self.halts.is_any())
    }

    /// The owner journals what it hasn't seen, as far as the log keeps it, and alone ends what nobody holds any more.
    pub(super) fn note_halts(&mut self) {
        let kept = self.halts.log.len().saturating_sub(KEPT);
        for index in self.halts.seen.max(kept)..self.halts.log.len() {
            let Entry { is_halt, holder, .. } = self.halts.log[index];
            if !is_halt && holder == Holder::LATCH {
                self.openings = 0;
            }
            self.log(self.state, if is_halt { Reason::Halt } else { Reason::Resume });
            self.events.last_mut().unwrap().entry = index as u64 + 1;
        }
        self.halts.seen = self.halts.log.len();
        self.halted = self.halts.is_any();
    }
}
