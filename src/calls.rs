//! The calls that the owner itself has in flight: a ticket for each, in sending order.

use crate::in_flight::{InFlight, Returned};
use crate::tickets::{Call, Tickets, Untracked};

/// No number: there is no such slot.
const NONE: u32 = u32::MAX >> 1;

pub(crate) struct Calls {
    tickets: Tickets,
    pub(crate) in_flight: InFlight,
    /// The first number that stands for no call. The next one is kept in its slot of the tickets, and so on; `NONE` is last.
    free: u32,
    untracked: Untracked,
    /// Of untracked tickets: another one each time that all calls are forgotten.
    untracked_generation: u32,
}

impl Calls {
    /// `seed` sets these tickets apart from others'.
    pub(crate) fn new(capacity: u32, seed: u32) -> Self {
        let tickets = Tickets::new(capacity, seed);
        let mut free = NONE;
        for number in (1..=capacity).rev() {
            tickets.revoke(number, free);
            free = number;
        }
        let (in_flight, untracked) = (InFlight::new(capacity), Untracked::new());
        Self { tickets, in_flight, free, untracked, untracked_generation: seed }
    }

    /// Adds a call and returns its ticket; `None` if there is room for no more. `seen_ns` is `start_ns`, clamped to the latest
    /// seen.
    #[inline]
    pub(crate) fn begin(&mut self, start_ns: u64, seen_ns: u64, trial: bool) -> Option<Call> {
        let (call, next) = self.tickets.issue(self.free, start_ns)?;
        self.free = next;
        self.in_flight.begin(call.number(), seen_ns, trial);
        Some(call)
    }

    /// The ticket of a call that isn't tracked.
    pub(crate) fn begin_untracked(&self, start_ns: u64, trial: bool) -> Call {
        self.untracked.issue(start_ns, self.untracked_generation, trial)
    }

    /// Takes a ticket back.
    #[inline]
    pub(crate) fn take(&mut self, call: Call) -> Returned {
        if self.tickets.redeem(call, self.free) {
            self.free = call.number();
            self.in_flight.remove(call.number())
        } else {
            self.take_untracked(call)
        }
    }

    #[cold]
    fn take_untracked(&self, call: Call) -> Returned {
        if call.generation() != self.untracked_generation {
            return Returned::Unknown;
        }
        match self.untracked.redeem(call) {
            Some(true) => Returned::Trial,
            Some(false) => Returned::Call,
            None => Returned::Unknown,
        }
    }

    /// Forgets every call. Tickets that are out become unknown.
    pub(crate) fn clear(&mut self) {
        let Self { tickets, in_flight, free, .. } = self;
        in_flight.clear(|number| {
            tickets.revoke(number, *free);
            *free = number;
        });
        self.untracked.clear();
        self.untracked_generation = self.untracked_generation.wrapping_add(1);
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    fn begin(calls: &mut Calls, trial: bool) -> (Call, bool) {
        let tracked = calls.begin(5, 6, trial);
        (tracked.unwrap_or_else(|| calls.begin_untracked(5, trial)), tracked.is_some())
    }

    #[test]
    fn calls_beyond_the_capacity_are_untracked_and_counted() {
        let mut calls = Calls::new(2, 7);
        let [(first, _), (second, tracked), (third, untracked), (trial, _)] =
            [false, false, false, true].map(|trial| begin(&mut calls, trial));
        assert!(tracked && !untracked);
        assert_eq!([first, first].map(|call| calls.take(call)), [Returned::Call, Returned::Unknown]);
        assert_eq!([third, third].map(|call| calls.take(call)), [Returned::Call, Returned::Unknown]);
        assert_eq!([trial, trial].map(|call| calls.take(call)), [Returned::Trial, Returned::Unknown]);
        assert_eq!((calls.in_flight.len(), calls.in_flight.oldest_ns()), (1, Some(6)));
        assert_eq!(calls.take(second), Returned::Call);
    }

    #[test]
    fn an_epoch_forgets_all_and_begins_with_every_number() {
        let mut calls = Calls::new(3, 7);
        for _ in 0..4 {
            let out = [false, true, false, true, false].map(|trial| begin(&mut calls, trial));
            assert_eq!(out.map(|(_, tracked)| tracked), [true, true, true, false, false]);
            calls.clear();
            assert_eq!(out.map(|(call, _)| calls.take(call)), [Returned::Unknown; 5]);
            assert_eq!(calls.in_flight.len(), 0);
        }
        let (call, tracked) = begin(&mut calls, true);
        assert_eq!((tracked, calls.take(call)), (true, Returned::Trial));
    }
}
