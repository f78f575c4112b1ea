//! Tickets. A caller gets one for a call that it begins, and gives it back once, when the call has ended.
//!
//! The owner's tickets are checked by its table of calls in flight (`calls`). Those of a lane are a slab: each slot is one word, and
//! a ticket names a slot and the slot's generation. Whoever gives out a slot's ticket must know that the slot is free. A queue of
//! free slots tells that (`lane`). Another thread may take the ticket back: a slot is an atomic, and the thread that clears the slot
//! first has ended the call.
//!
//! ```text
//!  bits 63-32  generation: one more each time that a ticket of this slot is given out
//!  bit  31     OUT: the ticket is out
//!  bits 30-0   while the ticket is out, the low bits of the call's start, which a forged ticket lacks; otherwise 0
//! ```

use crate::sync::{AtomicU64, Ordering};
use std::sync::Arc;

/// A ticket for one call. `begin` gives it out, and it goes back to `end`, `fail` or `abandon`, once.
///
/// A ticket that comes back twice, or that the breaker never gave out, is counted (`misused`) and otherwise ignored. A ticket
/// from before the current epoch counts as `stale`, however often it comes back. The breaker knows of calls beyond `max_in_flight`
/// only how many there are. So a wrong ticket of that kind is noticed when more tickets come back than went out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "give the ticket back by `end`, `fail` or `abandon`; a call that never comes back becomes overdue"]
#[repr(C)]
pub struct Call {
    /// The caller's own stamp, which is not clamped.
    start_ns: u64,
    /// The low half is the call's number, or `UNTRACKED` or `UNTRACKED_TRIAL`. The high half is a generation, which tells the call
    /// from others that have its number before and after it. Both are in one word, as two words travel in registers, and three fields through memory.
    id: u64,
}

const _: () = assert!(size_of::<Call>() == 16);

impl Call {
    /// When the call began, in nanoseconds on the breaker's clock.
    pub const fn start_ns(self) -> u64 {
        self.start_ns
    }

    pub(crate) const fn new(start_ns: u64, number: u32, generation: u32) -> Self {
        Self { start_ns, id: number as u64 | (generation as u64) << 32 }
    }

    /// A ticket that stands for no call.
    pub(crate) const fn of_nothing(start_ns: u64) -> Self {
        Self::new(start_ns, NOTHING, 0)
    }

    /// The number of the slot.
    pub(crate) const fn number(self) -> u32 {
        self.id as u32
    }

    pub(crate) const fn generation(self) -> u32 {
        (self.id >> 32) as u32
    }

    /// All of the ticket but its start, for C.
    pub(crate) const fn id(self) -> u64 {
        self.id
    }

    pub(crate) const fn from_parts(start_ns: u64, id: u64) -> Self {
        Self { start_ns, id }
    }
}

/// The number of a ticket that was never good.
const NOTHING: u32 = u32::MAX - 2;
/// The numbers of calls that found no free slot.
const UNTRACKED: u32 = u32::MAX;
const UNTRACKED_TRIAL: u32 = u32::MAX - 1;

const OUT: u32 = 1 << 31;

/// The tickets of a lane: of as many calls as there are slots. Numbers count from 1, as the first slot is nobody's. A clone gives out
/// and takes back tickets of the same slots. (The owner's tickets are checked by its table of calls in flight.)
#[derive(Clone)]
pub(crate) struct Tickets {
    /// This is the standard library's `Arc` under loom, too, as it guards no memory but these atomics.
    slots: Arc<[AtomicU64]>,
}

impl Tickets {
    /// `seed` sets these tickets apart from others, as generations begin with it.
    pub(crate) fn new(capacity: u32, seed: u32) -> Self {
        Self { slots: (0..=capacity).map(|_| AtomicU64::new(u64::from(seed) << 32)).collect() }
    }

    pub(crate) fn capacity(&self) -> usize {
        self.slots.len() - 1
    }

    /// Gives out the ticket of a free slot. Returns `None` if there is no such slot. One thread at a time may call this.
    #[inline]
    pub(crate) fn issue(&self, number: u32, start_ns: u64) -> Option<Call> {
        let slot = self.slots.get(number as usize)?;
        let free = slot.load(Ordering::Relaxed);
        // These are shifts rather than masks, as masks are constants of eight bytes.
        let call = Call { start_ns, id: ((free >> 32) + 1) << 32 | u64::from(number) };
        slot.store(Self::word(call), Ordering::Relaxed);
        Some(call)
    }

    /// Takes a ticket back. False if the ticket isn't out. Nobody else may take tickets back at the same time.
    #[inline]
    pub(crate) fn redeem(&self, call: Call) -> bool {
        let Some(slot) = self.slots.get(call.number() as usize) else { return false };
        let is_out = slot.load(Ordering::Relaxed) == Self::word(call);
        if is_out {
            slot.store(Self::cleared(call), Ordering::Relaxed);
        }
        is_out
    }

    /// [`redeem`](Self::redeem), where another thread may take the same ticket back at the same time. One of the two does.
    ///
    /// The order is relaxed: the word alone decides, and all else that the two threads tell each other goes through queues.
    #[inline]
    pub(crate) fn redeem_shared(&self, call: Call) -> bool {
        let (out, cleared) = (Self::word(call), Self::cleared(call));
        let exchange =
            |slot: &AtomicU64| slot.compare_exchange(out, cleared, Ordering::Relaxed, Ordering::Relaxed).is_ok();
        self.slots.get(call.number() as usize).is_some_and(exchange)
    }

    /// The slot's word while the ticket is out.
    const fn word(call: Call) -> u64 {
        Self::cleared(call) | (call.start_ns as u32 | OUT) as u64
    }

    /// The slot's word when the ticket has come back.
    const fn cleared(call: Call) -> u64 {
        call.id - call.number() as u64
    }
}

/// Tickets of calls that found no free slot. It is known how many of them are out, but not which. No more can come back.
#[derive(Default)]
pub(crate) struct Untracked {
    calls: AtomicU64,
    trials: AtomicU64,
}

impl Untracked {
    /// Gives out a ticket. `generation` tells such tickets apart. The caller looks at it when a ticket comes back.
    #[cold]
    pub(crate) fn issue(&self, start_ns: u64, generation: u32, trial: bool) -> Call {
        let (out, number) = if trial { (&self.trials, UNTRACKED_TRIAL) } else { (&self.calls, UNTRACKED) };
        out.fetch_add(1, Ordering::Relaxed);
        Call::new(start_ns, number, generation)
    }

    /// Takes such a ticket back, and tells whether it is a trial's. Returns `None` if no ticket of its kind is out.
    #[cold]
    pub(crate) fn redeem(&self, call: Call) -> Option<bool> {
        let (out, trial) = match call.number() {
            UNTRACKED => (&self.calls, false),
            UNTRACKED_TRIAL => (&self.trials, true),
            _ => return None,
        };
        let less = |out: u64| out.checked_sub(1);
        out.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less).is_ok().then_some(trial)
    }

    /// Forgets all tickets: none is out any more.
    pub(crate) fn clear(&self) {
        self.calls.store(0, Ordering::Relaxed);
        self.trials.store(0, Ordering::Relaxed);
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    type Redeem = fn(&Tickets, Call) -> bool;
    const WAYS: [Redeem; 2] = [Tickets::redeem, Tickets::redeem_shared];

    #[test]
    fn a_ticket_comes_back_once() {
        for redeem in WAYS {
            let tickets = Tickets::new(2, 7);
            let first = tickets.issue(1, 100).unwrap();
            assert!(redeem(&tickets, first) && !redeem(&tickets, first));
            let second = tickets.issue(1, 100).unwrap();
            assert_ne!(first, second);
            assert!(!redeem(&tickets, first) && redeem(&tickets.clone(), second) && !redeem(&tickets, second));
        }
        assert_eq!(Tickets::new(2, 7).issue(3, 0), None);
    }

    #[test]
    fn forged_tickets_are_not_out() {
        for redeem in WAYS {
            let tickets = Tickets::new(3, 7);
            let call = tickets.issue(0, 100).unwrap();
            let (number, generation) = (call.number(), call.generation());
            for number in [1, 2, 3, 1 << 30, UNTRACKED, UNTRACKED_TRIAL] {
                assert!(!redeem(&tickets, Call::new(100, number, generation)));
            }
            for (start_ns, generation) in [(99, generation), (101, generation), (100, generation + 1), (0, 7), (0, 0)] {
                assert!(!redeem(&tickets, Call::new(start_ns, number, generation)));
            }
            assert!(redeem(&tickets, call));
        }
    }

    #[test]
    fn tickets_of_others_are_not_out() {
        let (ours, theirs) = (Tickets::new(1, 7), Tickets::new(1, 1_000_000));
        for start_ns in 0..3 {
            let (_, other) = (ours.issue(0, start_ns), theirs.issue(0, start_ns).unwrap());
            assert!(!ours.redeem(other) && !ours.redeem_shared(other));
        }
    }

    #[test]
    fn generations_wrap() {
        let tickets = Tickets::new(1, u32::MAX);
        let call = tickets.issue(0, u64::MAX).unwrap();
        assert!(tickets.redeem(call));
        let next = tickets.issue(0, u64::MAX).unwrap();
        assert_eq!((call.generation(), next.generation()), (0, 1));
        assert!(!tickets.redeem(call) && tickets.redeem(next));
    }

    #[test]
    fn of_untracked_calls_no_more_come_back_than_went_out() {
        let untracked = Untracked::default();
        let [call, trial] = [false, true].map(|trial| untracked.issue(5, 9, trial));
        assert_eq!((call.generation(), trial.start_ns()), (9, 5));
        assert_eq!([untracked.redeem(call), untracked.redeem(call)], [Some(false), None]);
        assert_eq!([untracked.redeem(trial), untracked.redeem(trial)], [Some(true), None]);
        assert_eq!(untracked.redeem(Call::new(5, 0, 9)), None);
        untracked.clear();
        assert_eq!(untracked.redeem(untracked.issue(5, 9, true)), Some(true));
    }
}

#[cfg(all(test, loom))]
mod loom_tests {
    use super::*;
    use crate::sync::Arc;

    /// Two ends take the same ticket back.
    fn check(redeem: fn(&Tickets, Call) -> bool) {
        loom::model(move || {
            let tickets = Arc::new(Tickets::new(1, 0));
            let call = tickets.issue(0, 5).unwrap();
            let other = {
                let tickets = Arc::clone(&tickets);
                loom::thread::spawn(move || redeem(&tickets, call))
            };
            let mine = redeem(&tickets, call);
            assert!(mine != other.join().unwrap(), "one call has two ends, or none");
        });
    }

    #[test]
    fn one_of_two_ends_has_ended_the_call() {
        check(Tickets::redeem_shared);
    }

    /// Shows that the model finds what it looks for.
    #[test]
    #[should_panic(expected = "one call has two ends")]
    fn by_load_and_store_both_would_have() {
        check(Tickets::redeem);
    }
}
