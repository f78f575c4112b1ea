//! The trials that may still be taken, by any thread: words in the page, of trials left, of trials taken and not begun yet,
//! and of trials given back.
//!
//! Each word carries the number of its half-open epoch, so that whoever was interrupted between looking and taking can't
//! take, or give back, a trial of another epoch. Only the owner adds trials, and it learns of those that others took by
//! looking at what is left.

use crate::sync::{AtomicU64, Ordering};

/// An epoch's number in the high half, a count in the low half.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Word {
    epoch: u32,
    count: u32,
}

impl Word {
    const fn new(epoch: u32, count: u32) -> Self {
        Self { epoch, count }
    }

    const fn from_bits(bits: u64) -> Self {
        Self { epoch: (bits >> 32) as u32, count: bits as u32 }
    }

    const fn to_bits(self) -> u64 {
        (self.epoch as u64) << 32 | self.count as u64
    }
}

impl Word {
    /// `None` if this is of another epoch, which is over, or has been scribbled.
    fn of(self, epoch: u32) -> Option<Self> {
        (self.epoch == epoch).then_some(self)
    }

    fn more(self) -> Self {
        Self { count: self.count.saturating_add(1), ..self }
    }

    fn less(self) -> Option<Self> {
        Some(Self { count: self.count.checked_sub(1)?, ..self })
    }
}

/// Changes a word and returns what it was, if `change` agrees. Lock-free: another round only if another thread changed it.
fn update(word: &AtomicU64, change: impl Fn(Word) -> Option<Word>) -> Option<Word> {
    let changed = |bits| change(Word::from_bits(bits)).map(Word::to_bits);
    word.fetch_update(Ordering::AcqRel, Ordering::Acquire, changed).ok().map(Word::from_bits)
}

#[repr(C)]
pub(crate) struct Permits {
    left: AtomicU64,
    /// Taken, and neither begun nor given back: the next call to begin is one of these.
    pending: AtomicU64,
    given_back: AtomicU64,
}

impl Permits {
    pub(crate) fn new() -> Self {
        Self { left: AtomicU64::new(0), pending: AtomicU64::new(0), given_back: AtomicU64::new(0) }
    }

    // `left` is only ever changed by read-modify-writes: those of takers and of the owner then are in one order for loom,
    // too, which would let a plain store come before a take that it follows.

    /// A new epoch with so many trials. Only for the owner.
    pub(crate) fn renew(&self, epoch: u32, count: u32) {
        self.given_back.store(Word::new(epoch, 0).to_bits(), Ordering::Relaxed);
        self.pending.store(Word::new(epoch, 0).to_bits(), Ordering::Relaxed);
        // Released, so that who takes one of these trials sees that none is pending or given back.
        self.left.swap(Word::new(epoch, count).to_bits(), Ordering::AcqRel);
    }

    /// No more trials in this epoch. Only for the owner.
    pub(crate) fn revoke(&self, epoch: u32) {
        self.left.swap(Word::new(epoch, 0).to_bits(), Ordering::AcqRel);
    }

    /// So many more may be taken. Only for the owner.
    pub(crate) fn add(&self, count: u32) {
        if count > 0 {
            self.left.fetch_add(count.into(), Ordering::AcqRel);
        }
    }

    /// Takes a trial, if one is left, and tells of which epoch. Any thread.
    pub(crate) fn take(&self) -> Option<u32> {
        let Word { epoch, .. } = update(&self.left, Word::less)?;
        update(&self.pending, |word| word.of(epoch).map(Word::more));
        Some(epoch)
    }

    /// A call begins (or is recorded without a ticket): it is the trial that was taken and not begun, if there is one, of
    /// this epoch. Any thread: whoever begins next after a trial was taken has it, however late the owner hears of it.
    pub(crate) fn claim(&self) -> Option<u32> {
        update(&self.pending, Word::less).map(|word| word.epoch)
    }

    /// The epoch that there were trials in last.
    #[cfg(all(feature = "shm", not(loom)))]
    pub(crate) fn epoch(&self) -> u32 {
        Word::from_bits(self.left.load(Ordering::Acquire)).epoch
    }

    /// How many trials are left in this epoch (`None` if the word isn't of it: somebody scribbled on it), and how many were
    /// given back since it began. None is given back that is still left.
    pub(crate) fn look(&self, epoch: u32) -> (Option<u32>, u32) {
        // In this order: a trial that was given back was taken before that.
        let given_back = self.given_back(epoch);
        (self.left(epoch), given_back)
    }

    fn left(&self, epoch: u32) -> Option<u32> {
        let word = Word::from_bits(self.left.load(Ordering::Acquire));
        (word.epoch == epoch).then_some(word.count)
    }

    /// What claimed a trial of this epoch was no call of the epoch: the next one that begins may have it. Only for the owner.
    pub(crate) fn unclaim(&self, epoch: u32) {
        update(&self.pending, |word| word.of(epoch).map(Word::more));
    }

    /// Asks the owner to take a trial of this epoch back that was not begun, if there is one. Any thread.
    pub(crate) fn give_back(&self, epoch: u32) {
        if update(&self.pending, |word| word.of(epoch)?.less()).is_some() {
            update(&self.given_back, |word| word.of(epoch).map(Word::more));
        }
    }

    fn given_back(&self, epoch: u32) -> u32 {
        let word = Word::from_bits(self.given_back.load(Ordering::Acquire));
        if word.epoch == epoch { word.count } else { 0 }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn no_more_are_taken_than_there_are() {
        let permits = Permits::new();
        assert_eq!(permits.take(), None);
        permits.renew(7, 2);
        assert_eq!([permits.take(), permits.take(), permits.take()], [Some(7), Some(7), None]);
        permits.add(1);
        permits.add(0);
        assert_eq!((permits.left(7), permits.left(6)), (Some(1), None));
        assert_eq!([permits.take(), permits.take()], [Some(7), None]);
        permits.add(1);
        permits.revoke(7);
        assert_eq!((permits.take(), permits.left(7)), (None, Some(0)));
    }

    #[test]
    fn whoever_begins_next_has_the_trial() {
        let permits = Permits::new();
        permits.renew(1, 2);
        assert_eq!(permits.claim(), None);
        assert_eq!([permits.take(), permits.take()], [Some(1); 2]);
        permits.give_back(1);
        assert_eq!([permits.claim(), permits.claim()], [Some(1), None]);
        permits.give_back(1);
        assert_eq!(permits.given_back(1), 1, "the other has begun");
        permits.renew(2, 2);
        assert_eq!((permits.claim(), permits.take(), permits.claim()), (None, Some(2), Some(2)));
    }

    #[test]
    fn trials_of_another_epoch_are_not_given_back() {
        let permits = Permits::new();
        permits.renew(u32::MAX, 1);
        assert_eq!(permits.take(), Some(u32::MAX));
        permits.give_back(u32::MAX);
        permits.give_back(0);
        assert_eq!((permits.given_back(u32::MAX), permits.given_back(0)), (1, 0));
        permits.renew(0, 1);
        permits.give_back(u32::MAX);
        assert_eq!((permits.given_back(u32::MAX), permits.given_back(0)), (0, 0));
    }
}

#[cfg(all(test, loom))]
mod loom_tests {
    use super::*;
    use crate::sync::Arc;

    /// Two threads ask, the owner ends the epoch and begins another.
    fn check_takers(take: fn(&Permits) -> Option<u32>) {
        loom::model(move || {
            let permits = Arc::new(Permits::new());
            permits.renew(1, 1);
            let takers: Vec<_> = (0..2)
                .map(|_| {
                    let permits = Arc::clone(&permits);
                    loom::thread::spawn(move || take(&permits))
                })
                .collect();
            permits.revoke(1);
            let left_over = permits.take();
            permits.renew(2, 1);
            let mine = permits.take();
            let mut taken: Vec<u32> = takers.into_iter().filter_map(|taker| taker.join().unwrap()).collect();
            assert_eq!(left_over, None);
            taken.extend(mine);
            for epoch in [1, 2] {
                assert!(taken.iter().filter(|&&of| of == epoch).count() <= 1, "a trial is taken twice");
            }
            assert!(taken.contains(&2));
        });
    }

    /// Never more are taken than were offered, and none of the first epoch once it is over.
    #[test]
    fn trials_are_never_taken_twice_nor_after_their_epoch() {
        check_takers(Permits::take);
    }

    /// Shows that the model finds what it looks for.
    #[test]
    #[should_panic(expected = "a trial is taken twice")]
    fn trials_taken_by_load_and_store_would_be_taken_twice() {
        check_takers(|permits| {
            let Word { epoch, count } = Word::from_bits(permits.left.load(Ordering::Acquire));
            permits.left.store(Word::new(epoch, count.checked_sub(1)?).to_bits(), Ordering::Release);
            Some(epoch)
        });
    }

    fn check_owner(add: fn(&Permits)) {
        loom::model(move || {
            let permits = Arc::new(Permits::new());
            permits.renew(1, 1);
            let taker = {
                let permits = Arc::clone(&permits);
                loom::thread::spawn(move || u32::from(permits.take().is_some()) + u32::from(permits.take().is_some()))
            };
            let mut offered = 1;
            let seen = offered - permits.left(1).unwrap();
            add(&permits);
            offered += 1;
            let taken = taker.join().unwrap();
            assert!(seen <= taken);
            assert_eq!(offered - permits.left(1).unwrap(), taken, "a trial is forgotten");
        });
    }

    /// What the owner counts as taken is what was taken, though it looks while others take and adds meanwhile.
    #[test]
    fn the_owner_learns_of_every_trial_that_others_take() {
        check_owner(|permits| permits.add(1));
    }

    /// Shows that the model finds what it looks for.
    #[test]
    #[should_panic(expected = "a trial is forgotten")]
    fn trials_added_by_load_and_store_would_hide_one_that_is_taken() {
        check_owner(|permits| {
            let left = permits.left.load(Ordering::Acquire);
            permits.left.store(left + 1, Ordering::Release);
        });
    }

    fn check_look(look: fn(&Permits) -> (Option<u32>, u32)) {
        loom::model(move || {
            let permits = Arc::new(Permits::new());
            permits.renew(1, 1);
            let owner = {
                let permits = Arc::clone(&permits);
                loom::thread::spawn(move || {
                    let (left, given_back) = look(&permits);
                    assert!(given_back <= 1 - left.unwrap(), "given back before it is taken");
                })
            };
            permits.take().into_iter().for_each(|epoch| permits.give_back(epoch));
            owner.join().unwrap();
            assert_eq!(permits.look(1), (Some(0), 1));
        });
    }

    /// The owner would forget a trial that seems to be given back before it is taken. (The owner is the thread that is
    /// spawned: of loads, loom reorders only those that come after what they race with.)
    #[test]
    fn a_trial_that_was_given_back_was_seen_to_be_taken() {
        check_look(|permits| permits.look(1));
    }

    /// Shows that the model finds what it looks for.
    #[test]
    #[should_panic(expected = "given back before it is taken")]
    fn looking_at_what_is_left_first_would_miss_a_trial() {
        check_look(|permits| {
            let left = permits.left(1);
            (left, permits.given_back(1))
        });
    }

    fn check_give_back(give_back: fn(&Permits, u32)) {
        loom::model(move || {
            let permits = Arc::new(Permits::new());
            permits.renew(1, 1);
            let taker = {
                let permits = Arc::clone(&permits);
                loom::thread::spawn(move || {
                    if let Some(epoch) = permits.take() {
                        give_back(&permits, epoch);
                    }
                })
            };
            permits.revoke(1);
            permits.renew(2, 0);
            taker.join().unwrap();
            assert_eq!(permits.given_back(2), 0, "given back to another epoch");
        });
    }

    /// A trial given back reaches the owner, or its epoch is over.
    #[test]
    fn a_trial_given_back_reaches_its_own_epoch_only() {
        check_give_back(Permits::give_back);
    }

    /// Shows that the model finds what it looks for.
    #[test]
    #[should_panic(expected = "given back to another epoch")]
    fn a_trial_given_back_whatever_the_epoch_would_reach_another() {
        check_give_back(|permits, _| {
            update(&permits.given_back, |word| Some(word.more()));
        });
    }
}
