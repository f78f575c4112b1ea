//! The calls that the owner itself has in flight: a ticket for each, in sending order.

use crate::in_flight::{InFlight, Returned};
use crate::tickets::{Call, Tickets, Untracked};

pub(crate) struct Calls {
    tickets: Tickets,
    pub(crate) in_flight: InFlight,
    /// Numbers that stand for no call: those in `free[.. free_len]`.
    free: Box<[u32]>,
    free_len: usize,
    untracked: Untracked,
    /// Of untracked tickets: another one each time that all calls are forgotten.
    untracked_generation: u32,
}

impl Calls {
    /// `seed` sets these tickets apart from others'.
    pub(crate) fn new(capacity: u32, seed: u32) -> Self {
        Self {
            tickets: Tickets::new(capacity, seed),
            in_flight: InFlight::new(capacity),
            free: (0..capacity).rev().collect(),
            free_len: capacity as usize,
            untracked: Untracked::new(),
            untracked_generation: seed,
        }
    }

    /// Adds a call and returns its ticket, and whether it is tracked. `seen_ns` is `start_ns`, clamped to the latest seen.
    #[inline]
    pub(crate) fn begin(&mut self, start_ns: u64, seen_ns: u64, trial: bool) -> (Call, bool) {
        let last = self.free_len.wrapping_sub(1);
        if let Some(&number) = self.free.get(last)
            && let Some(call) = self.tickets.issue(number, start_ns)
        {
            self.free_len = last;
            self.in_flight.begin(number, seen_ns, trial);
            (call, true)
        } else {
            (self.untracked.issue(start_ns, self.untracked_generation, trial), false)
        }
    }

    /// Takes a ticket back.
    #[inline]
    pub(crate) fn take(&mut self, call: Call) -> Returned {
        if self.tickets.redeem(call) {
            self.set_free(call.number());
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
        let Self { tickets, in_flight, free, free_len, .. } = self;
        in_flight.clear(|number| {
            tickets.revoke(number);
            if let Some(slot) = free.get_mut(*free_len) {
                *slot = number;
                *free_len += 1;
            }
        });
        self.untracked.clear();
        self.untracked_generation = self.untracked_generation.wrapping_add(1);
    }

    #[inline]
    fn set_free(&mut self, number: u32) {
        if let Some(slot) = self.free.get_mut(self.free_len) {
            *slot = number;
            self.free_len += 1;
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn calls_beyond_the_capacity_are_untracked_and_counted() {
        let mut calls = Calls::new(2, 7);
        let [(first, _), (second, tracked), (third, untracked), (trial, _)] =
            [false, false, false, true].map(|trial| calls.begin(5, 6, trial));
        assert!(tracked && !untracked);
        assert_eq!([first, first].map(|call| calls.take(call)), [Returned::Call, Returned::Unknown]);
        assert_eq!([third, third].map(|call| calls.take(call)), [Returned::Call, Returned::Unknown]);
        assert_eq!([trial, trial].map(|call| calls.take(call)), [Returned::Trial, Returned::Unknown]);
        assert_eq!((calls.in_flight.len(), calls.in_flight.oldest_ns()), (1, Some(6)));
        assert_eq!(calls.take(second), Returned::Call);
    }

    #[test]
    fn an_epoch_forgets_all_and_begins_with_every_number() {
        let mut calls = Calls::new(2, 7);
        for _ in 0..3 {
            let out = [false, true, false, true].map(|trial| calls.begin(5, 5, trial).0);
            calls.clear();
            assert_eq!(out.map(|call| calls.take(call)), [Returned::Unknown; 4]);
            assert_eq!((calls.free_len, calls.in_flight.len()), (2, 0));
        }
        let (call, tracked) = calls.begin(5, 5, true);
        assert_eq!((tracked, calls.take(call)), (true, Returned::Trial));
    }
}
