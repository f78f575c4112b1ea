//! The one ledger of trials. It is a word in the page, and any thread changes it by compare-and-swap.
//!
//! ```text
//!              take                  claim (the call begins)
//!     left ───────────▶ pending ───────────────▶ begun ──▶ its result: a good one makes room for another
//!       ▲                  │  ◀─── unclaim ───────  │
//!       └── give_back ─────┴─── give_back_begun ────┘
//!
//!  bits 63-33  epoch: the number of the half-open epoch; 0 before the first
//!  bit  32     IDLE: no trial was out at some time since the owner looked
//!  bits 31-16  pending: how many trials are granted, and neither begun nor given back
//!  bits 15-0   left: how many trials may be granted now
//! ```
//!
//! The epoch is part of the word. So a thread that was interrupted between looking and changing can't take a trial of another
//! epoch, and can't give one back. The rest of the trials have begun. The owner alone says how many there are in all (`room`).

use crate::sync::{AtomicU64, Ordering};
use core::num::NonZeroU32;

/// The number of a half-open epoch, in range `1 ..= 2^31 - 1`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Epoch(NonZeroU32);

impl Epoch {
    const MAX: u32 = u32::MAX >> 1;

    /// Returns `None` if no epoch has this number.
    pub(crate) const fn from_number(number: u32) -> Option<Self> {
        match NonZeroU32::new(number) {
            Some(number) if number.get() <= Self::MAX => Some(Self(number)),
            _ => None,
        }
    }

    pub(crate) const fn number(self) -> u32 {
        self.0.get()
    }

    /// The epoch after `epoch`. The first one comes after `None`, and after the last one.
    pub(crate) fn after(epoch: Option<Self>) -> Self {
        let next = epoch.map_or(1, |Self(number)| number.get().wrapping_add(1));
        Self::from_number(next).unwrap_or(Self(NonZeroU32::MIN))
    }
}

const IDLE: u64 = 1 << 32;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Word {
    epoch: u32,
    idle: bool,
    pending: u16,
    left: u16,
}

impl Word {
    const fn from_bits(bits: u64) -> Self {
        Self { epoch: (bits >> 33) as u32, idle: bits & IDLE != 0, pending: (bits >> 16) as u16, left: bits as u16 }
    }

    const fn to_bits(self) -> u64 {
        (self.epoch as u64) << 33 | if self.idle { IDLE } else { 0 } | (self.pending as u64) << 16 | self.left as u64
    }

    /// Returns `None` if this word is of another epoch. That epoch is over, or somebody scribbled its number.
    fn of(self, epoch: Epoch) -> Option<Self> {
        (self.epoch == epoch.number()).then_some(self)
    }

    /// This word with one more trial left. If `room`, which is all of them, are left, then none is out.
    fn with_one_back(self, room: u64) -> Self {
        let left = self.left.saturating_add(1);
        Self { left, idle: self.idle || u64::from(left) >= room, ..self }
    }
}

#[repr(C)]
#[derive(Default)]
pub(crate) struct Ledger {
    word: AtomicU64,
    /// How many trials there may be at a time, left, pending or begun, in range `0 ..= 65 535`. It is 0 once the epoch is over.
    /// Only the owner writes this word, and the owner goes by its own figure. This one is for others, who give trials back.
    room: AtomicU64,
}

/// What the owner sees in the ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    /// How many trials are pending or begun.
    pub(crate) out: u32,
    /// No trial was out at some time since the last look.
    pub(crate) was_idle: bool,
}

impl Ledger {
    /// Changes the word and returns what it was, if `change` agrees. This is lock-free: it takes another round only if another
    /// thread changed the word.
    fn update(&self, change: impl Fn(Word) -> Option<Word>) -> Option<Word> {
        let changed = |bits| change(Word::from_bits(bits)).map(Word::to_bits);
        self.word.fetch_update(Ordering::AcqRel, Ordering::Acquire, changed).ok().map(Word::from_bits)
    }

    // Any thread may call these.

    /// Grants a trial, if one is left, and returns its epoch.
    pub(crate) fn take(&self) -> Option<Epoch> {
        let more = |word: Word| {
            Some(Word { left: word.left.checked_sub(1)?, pending: word.pending.saturating_add(1), ..word })
        };
        Epoch::from_number(self.update(more)?.epoch)
    }

    /// A call begins (or is recorded without a ticket). If a trial was granted and has not begun, the call is that trial, and its
    /// epoch is returned. Whoever begins next after a trial was granted has it, however late the owner hears of that.
    pub(crate) fn claim(&self) -> Option<Epoch> {
        let less = |word: Word| Some(Word { pending: word.pending.checked_sub(1)?, ..word });
        Epoch::from_number(self.update(less)?.epoch)
    }

    /// Undoes a claim of a trial of this epoch, as the call was no call of the epoch. The next call that begins may have the trial.
    pub(crate) fn unclaim(&self, epoch: Epoch) {
        self.update(|word| word.of(epoch).map(|word| Word { pending: word.pending.saturating_add(1), ..word }));
    }

    /// Gives back a trial of this epoch that was granted and has not begun, if there is one. It may be granted again.
    pub(crate) fn give_back(&self, epoch: Epoch) -> bool {
        let given = self.update(|word| {
            let word = word.of(epoch)?;
            Some(Word { pending: word.pending.checked_sub(1)?, ..word }.with_one_back(self.room()))
        });
        given.is_some()
    }

    /// Gives back a trial of this epoch that has begun, and whose call was abandoned. Does nothing if none can have begun.
    pub(crate) fn give_back_begun(&self, epoch: Epoch) {
        self.update(|word| {
            let (word, room) = (word.of(epoch)?, self.room());
            let has_begun = u64::from(word.left) + u64::from(word.pending) < room;
            has_begun.then(|| word.with_one_back(room))
        });
    }

    /// The room as of the word that was loaded before this: the owner stores the room before it changes the word.
    fn room(&self) -> u64 {
        self.room.load(Ordering::Relaxed)
    }

    // Only the owner may call these. Everybody changes the word by read-modify-writes alone. So all changes are in one order for
    // loom, too, which would let a plain store come before a take that the store follows.

    /// Begins a new epoch with room for so many trials.
    pub(crate) fn renew(&self, epoch: Epoch, room: u16) {
        // The epoch comes first: whoever gives back a trial of the epoch before finds no room.
        let word = Word { epoch: epoch.number(), idle: true, pending: 0, left: 0 };
        self.word.swap(word.to_bits(), Ordering::AcqRel);
        self.settle(epoch, room, room);
    }

    /// Takes the trials of this epoch away: none is left or pending any more.
    pub(crate) fn revoke(&self, epoch: Option<Epoch>) {
        // The room comes before the word: whoever sees the new word finds no room to give back to.
        self.room.store(0, Ordering::Relaxed);
        let epoch = epoch.map_or(0, Epoch::number);
        self.word.swap(Word { epoch, idle: false, pending: 0, left: 0 }.to_bits(), Ordering::AcqRel);
    }

    /// A result came in. From now on there is room for `room` trials, and `more` trials may be granted besides those left.
    pub(crate) fn settle(&self, epoch: Epoch, room: u16, more: u16) {
        self.room.store(room.into(), Ordering::Relaxed);
        if more > 0 {
            self.update(|word| word.of(epoch).map(|word| Word { left: word.left.saturating_add(more), ..word }));
        }
    }

    /// What the owner sees of `room` trials in all. It is `None` if somebody scribbled on the word: the word isn't of this epoch,
    /// or has more trials left than there can be.
    pub(crate) fn look(&self, epoch: Epoch, room: u16) -> Option<Seen> {
        let word = Word::from_bits(self.word.load(Ordering::Acquire)).of(epoch)?;
        let out = u32::from(room.checked_sub(word.left)?);
        if word.idle {
            self.word.fetch_and(!IDLE, Ordering::AcqRel);
        }
        Some(Seen { out, was_idle: word.idle })
    }

    /// The latest epoch that had trials.
    pub(crate) fn epoch(&self) -> Option<Epoch> {
        Epoch::from_number(Word::from_bits(self.word.load(Ordering::Acquire)).epoch)
    }
}

/// The trials that one handle was granted and may give back. They are of the latest epoch in which the handle was granted one.
///
/// A lane knows which of its grants were sent. A gate doesn't know that, so a gate may give back as many as it was granted. The
/// ledger takes back no more than are pending.
#[derive(Default)]
pub(crate) struct Grants {
    /// Bits 63-32: the epoch. Bits 31-16: how many asks shadow let pass since the last trial. Bits 15-0: how many trials.
    word: AtomicU64,
}

impl Grants {
    /// The handle was granted a trial.
    pub(crate) fn add(&self, epoch: Epoch) {
        let number = u64::from(epoch.number());
        self.update(|word| {
            let trials = if word >> 32 == number { word & 0xffff } else { 0 };
            Some(number << 32 | (trials + 1).min(0xffff))
        });
    }

    /// A call of this handle has begun, and is a trial of this epoch.
    pub(crate) fn begin(&self, epoch: Epoch) {
        let number = u64::from(epoch.number());
        self.update(|word| (word >> 32 == number && word & 0xffff != 0).then(|| word - 1));
    }

    /// Shadow let an ask pass. There is nothing to give back of that.
    pub(crate) fn pass(&self) {
        self.update(|word| (word & 0xffff_0000 != 0xffff_0000).then_some(word.wrapping_add(1 << 16)));
    }

    /// Takes out the trial that the handle was granted last, and returns its epoch. Returns `None` if there is no such trial, or if
    /// shadow let the latest ask pass.
    pub(crate) fn take(&self) -> Option<Epoch> {
        let word = self.update(|word| {
            if word & 0xffff_0000 != 0 { Some(word - (1 << 16)) } else { (word & 0xffff != 0).then(|| word - 1) }
        })?;
        Epoch::from_number((word >> 32) as u32).filter(|_| word & 0xffff_0000 == 0)
    }

    /// The order is relaxed, as the threads that share a handle share nothing by it but this count.
    fn update(&self, change: impl Fn(u64) -> Option<u64>) -> Option<u64> {
        self.word.fetch_update(Ordering::Relaxed, Ordering::Relaxed, change).ok()
    }
}

#[cfg(all(test, not(loom)))]
mod tests;

#[cfg(all(test, loom))]
mod loom_tests;
