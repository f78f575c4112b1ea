//! The one ledger of trials: a word in the page that any thread changes by compare-and-swap.
//!
//! ```text
//!              take                  claim (the call begins)
//!     left ───────────▶ pending ───────────────▶ begun ──▶ its result: a good one makes room for another
//!       ▲                  │  ◀─── unclaim ───────  │
//!       └── give_back ─────┴─── give_back_begun ────┘
//!
//!  bits 63-33  epoch: the number of the half-open epoch; 0 before the first
//!  bit  32     IDLE: no trial was out at some time since the owner looked
//!  bits 31-16  pending: granted, and neither begun nor given back
//!  bits 15-0   left: may be granted now
//! ```
//!
//! The epoch is part of the word, so that whoever was interrupted between looking and changing can't take, or give back, a
//! trial of another epoch. Trials that have begun are the rest: the owner alone says how many there are in all (`room`).

use crate::sync::{AtomicU64, Ordering};
use core::num::NonZeroU32;

/// The number of a half-open epoch, in range `1 ..= 2^31 - 1`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Epoch(NonZeroU32);

impl Epoch {
    const MAX: u32 = u32::MAX >> 1;

    /// `None` of 0, and of what no epoch has.
    pub(crate) const fn from_number(number: u32) -> Option<Self> {
        match NonZeroU32::new(number) {
            Some(number) if number.get() <= Self::MAX => Some(Self(number)),
            _ => None,
        }
    }

    pub(crate) const fn number(self) -> u32 {
        self.0.get()
    }

    /// The one after `epoch`; the first comes after `None`, and after the last.
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

    /// `None` if this is of another epoch, which is over, or has been scribbled.
    fn of(self, epoch: Epoch) -> Option<Self> {
        (self.epoch == epoch.number()).then_some(self)
    }

    /// One more is left; of so many in all, that may be all.
    fn with_one_back(self, room: u64) -> Self {
        let left = self.left.saturating_add(1);
        Self { left, idle: self.idle || u64::from(left) >= room, ..self }
    }
}

#[repr(C)]
pub(crate) struct Ledger {
    word: AtomicU64,
    /// How many trials there may be at a time, left, pending or begun, in range `0 ..= 65 535`; 0 once the epoch is over. Only
    /// the owner writes it, and it goes by its own figure: this one is for others, who give back.
    room: AtomicU64,
}

/// What the owner sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    /// Pending or begun.
    pub(crate) out: u32,
    /// None was out at some time since the last look.
    pub(crate) was_idle: bool,
}

impl Ledger {
    pub(crate) fn new() -> Self {
        Self { word: AtomicU64::new(0), room: AtomicU64::new(0) }
    }

    /// Changes the word and returns what it was, if `change` agrees. Lock-free: another round only if another thread changed it.
    fn update(&self, change: impl Fn(Word) -> Option<Word>) -> Option<Word> {
        let changed = |bits| change(Word::from_bits(bits)).map(Word::to_bits);
        self.word.fetch_update(Ordering::AcqRel, Ordering::Acquire, changed).ok().map(Word::from_bits)
    }

    // Any thread.

    /// Grants a trial, if one is left, and tells of which epoch.
    pub(crate) fn take(&self) -> Option<Epoch> {
        let more = |word: Word| {
            Some(Word { left: word.left.checked_sub(1)?, pending: word.pending.saturating_add(1), ..word })
        };
        Epoch::from_number(self.update(more)?.epoch)
    }

    /// A call begins (or is recorded without a ticket): it is the trial that was granted and not begun, if there is one, of
    /// this epoch. Whoever begins next after a trial was granted has it, however late the owner hears of it.
    pub(crate) fn claim(&self) -> Option<Epoch> {
        let less = |word: Word| Some(Word { pending: word.pending.checked_sub(1)?, ..word });
        Epoch::from_number(self.update(less)?.epoch)
    }

    /// What claimed a trial of this epoch was no call of the epoch: the next one that begins may have it.
    pub(crate) fn unclaim(&self, epoch: Epoch) {
        self.update(|word| word.of(epoch).map(|word| Word { pending: word.pending.saturating_add(1), ..word }));
    }

    /// Gives a trial of this epoch back that was granted and not begun, if there is one: it may be granted again.
    pub(crate) fn give_back(&self, epoch: Epoch) {
        self.update(|word| {
            let word = word.of(epoch)?;
            Some(Word { pending: word.pending.checked_sub(1)?, ..word }.with_one_back(self.room()))
        });
    }

    /// Gives a trial of this epoch back that has begun, and whose call was abandoned; none if there can't be one that has.
    pub(crate) fn give_back_begun(&self, epoch: Epoch) {
        self.update(|word| {
            let (word, room) = (word.of(epoch)?, self.room());
            let has_begun = u64::from(word.left) + u64::from(word.pending) < room;
            has_begun.then(|| word.with_one_back(room))
        });
    }

    /// As of the word that was loaded before: the owner stores it before it changes the word.
    fn room(&self) -> u64 {
        self.room.load(Ordering::Relaxed)
    }

    // Only the owner. The word is only ever changed by read-modify-writes: those of others and of the owner then are in one
    // order for loom, too, which would let a plain store come before a take that it follows.

    /// A new epoch with room for so many trials.
    pub(crate) fn renew(&self, epoch: Epoch, room: u16) {
        // The epoch comes first: there is room for nobody who gives back to the one before.
        let word = Word { epoch: epoch.number(), idle: true, pending: 0, left: 0 };
        self.word.swap(word.to_bits(), Ordering::AcqRel);
        self.settle(epoch, room, room);
    }

    /// No more trials in this epoch, neither left nor pending.
    pub(crate) fn revoke(&self, epoch: Option<Epoch>) {
        // Before the word: who sees that has no room to give back to.
        self.room.store(0, Ordering::Relaxed);
        let epoch = epoch.map_or(0, Epoch::number);
        self.word.swap(Word { epoch, idle: false, pending: 0, left: 0 }.to_bits(), Ordering::AcqRel);
    }

    /// A result came in: from now on there is room for so many, and so many more may be granted.
    pub(crate) fn settle(&self, epoch: Epoch, room: u16, more: u16) {
        self.room.store(room.into(), Ordering::Relaxed);
        if more > 0 {
            self.update(|word| word.of(epoch).map(|word| Word { left: word.left.saturating_add(more), ..word }));
        }
    }

    /// How many are out of so many in all; `None` if the word isn't of this epoch, or has more left than there can be: somebody
    /// scribbled on it.
    pub(crate) fn look(&self, epoch: Epoch, room: u16) -> Option<Seen> {
        let word = Word::from_bits(self.word.load(Ordering::Acquire)).of(epoch)?;
        let out = u32::from(room.checked_sub(word.left)?);
        if word.idle {
            self.word.fetch_and(!IDLE, Ordering::AcqRel);
        }
        Some(Seen { out, was_idle: word.idle })
    }

    /// The epoch that there were trials in last.
    pub(crate) fn epoch(&self) -> Option<Epoch> {
        Epoch::from_number(Word::from_bits(self.word.load(Ordering::Acquire)).epoch)
    }
}

/// What one handle was granted and may give back: of the latest epoch in which it was granted a trial.
///
/// A lane knows which of its grants were sent, a gate doesn't: so that may give back as many as it was granted. The ledger
/// gives back no more than are pending.
#[derive(Default)]
pub(crate) struct Grants {
    /// Bits 63-32 the epoch, 31-16 asks that shadow let pass since the last trial, 15-0 trials.
    word: AtomicU64,
}

impl Grants {
    pub(crate) fn new() -> Self {
        Self { word: AtomicU64::new(0) }
    }

    /// It was granted a trial.
    pub(crate) fn add(&self, epoch: Epoch) {
        let number = u64::from(epoch.number());
        self.update(|word| {
            let trials = if word >> 32 == number { word & 0xffff } else { 0 };
            Some(number << 32 | (trials + 1).min(0xffff))
        });
    }

    /// A call of this handle's has begun, and is a trial of this epoch.
    pub(crate) fn begin(&self, epoch: Epoch) {
        let number = u64::from(epoch.number());
        self.update(|word| (word >> 32 == number && word & 0xffff != 0).then(|| word - 1));
    }

    /// Shadow let it pass: there is nothing to give back of this.
    pub(crate) fn pass(&self) {
        self.update(|word| (word & 0xffff_0000 != 0xffff_0000).then_some(word.wrapping_add(1 << 16)));
    }

    /// The epoch of the trial that it was granted last, which is one less from now on; `None` if there is none, or if
    /// shadow let the latest ask pass.
    pub(crate) fn take(&self) -> Option<Epoch> {
        let word = self.update(|word| {
            if word & 0xffff_0000 != 0 { Some(word - (1 << 16)) } else { (word & 0xffff != 0).then(|| word - 1) }
        })?;
        Epoch::from_number((word >> 32) as u32).filter(|_| word & 0xffff_0000 == 0)
    }

    /// Relaxed: a handle of several threads has one count, and that is all.
    fn update(&self, change: impl Fn(u64) -> Option<u64>) -> Option<u64> {
        self.word.fetch_update(Ordering::Relaxed, Ordering::Relaxed, change).ok()
    }
}

#[cfg(all(test, not(loom)))]
mod tests;

#[cfg(all(test, loom))]
mod loom_tests;
