//! All calls in flight: the owner's own, each with a ticket, and those of each lane.

use crate::in_flight::{InFlight, Returned};
use crate::inbox::{Inbox, Inboxes};
use crate::tickets::{Call, Tickets, Untracked};

/// A number that no slot has.
const NONE: u32 = u32::MAX >> 1;

/// The owner's own calls.
pub(crate) struct OwnCalls {
    tickets: Tickets,
    in_flight: InFlight,
    /// The first number that stands for no call. Its slot of the tickets has the next such number, and so on; `NONE` is the last.
    free: u32,
    untracked: Untracked,
    /// The generation of untracked tickets. It changes each time that all calls are forgotten.
    untracked_generation: u32,
}

impl OwnCalls {
    /// `seed` sets these tickets apart from others'.
    pub(crate) fn new(capacity: u32, seed: u32) -> Self {
        let tickets = Tickets::new(capacity, seed);
        let mut free = NONE;
        for number in (1..=capacity).rev() {
            tickets.revoke(number, free);
            free = number;
        }
        let (in_flight, untracked) = (InFlight::new(capacity), Untracked::default());
        Self { tickets, in_flight, free, untracked, untracked_generation: seed }
    }

    /// Adds a call and returns its ticket; `None` if there is no room. `seen_ns` is `start_ns`, clamped to the latest time seen.
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

/// The owner's own calls and those of all lanes.
pub(crate) struct Calls {
    pub(crate) own: OwnCalls,
    /// The inbox of each lane.
    pub(crate) lanes: Inboxes,
}

impl Calls {
    pub(crate) fn new(max_in_flight: u32, seed: u32) -> Self {
        Self { own: OwnCalls::new(max_in_flight, seed), lanes: Inboxes::with_room_for(0) }
    }

    fn tables(&self) -> impl Iterator<Item = &InFlight> + Clone {
        core::iter::once(&self.own.in_flight).chain(self.lanes.iter().map(|inbox| &inbox.in_flight))
    }

    fn tables_mut(&mut self) -> impl Iterator<Item = &mut InFlight> {
        core::iter::once(&mut self.own.in_flight).chain(self.lanes.iter_mut().map(|inbox| &mut inbox.in_flight))
    }

    /// The start of each tracked call, and whether it is a trial.
    pub(crate) fn in_flight(&self) -> impl Iterator<Item = (u64, bool)> {
        self.tables().flat_map(InFlight::iter)
    }

    /// How many calls are tracked.
    pub(crate) fn len(&self) -> usize {
        self.tables().map(InFlight::len).sum()
    }

    /// The earliest of the starts that the tables tell.
    pub(crate) fn oldest_ns(&self, of_table: impl Fn(&InFlight) -> Option<u64>) -> Option<u64> {
        self.tables().filter_map(of_table).min()
    }

    /// Marks the oldest waiting call of all as overdue.
    pub(crate) fn mark_overdue(&mut self) {
        let oldest_ns = self.oldest_ns(InFlight::oldest_waiting_ns);
        if let Some(table) = self.tables_mut().find(|table| table.oldest_waiting_ns() == oldest_ns) {
            table.mark_overdue();
        }
    }

    /// How many calls are overdue and haven't expired.
    #[inline]
    pub(crate) fn overdue(&self) -> usize {
        self.own.in_flight.overdue + if self.lanes.is_empty() { 0 } else { self.overdue_of_lanes() }
    }

    #[cold]
    fn overdue_of_lanes(&self) -> usize {
        self.lanes.iter().map(|inbox| inbox.in_flight.overdue).sum()
    }

    /// How many overdue calls aren't too old for the window at `now_ns`.
    pub(crate) fn live_overdue(&self, now_ns: u64, age_ns: u64) -> usize {
        self.tables().map(|table| table.live_overdue(now_ns, age_ns)).sum()
    }

    /// The starts of the overdue calls.
    pub(crate) fn overdue_starts_ns(&self) -> impl Iterator<Item = u64> + Clone {
        self.tables().flat_map(InFlight::overdue_starts_ns)
    }

    /// Overdue calls that are too old for the window no longer count.
    #[inline]
    pub(crate) fn expire(&mut self, now_ns: u64, age_ns: u64) {
        self.own.in_flight.expire(now_ns, age_ns);
        if !self.lanes.is_empty() {
            self.expire_those_of_lanes(now_ns, age_ns);
        }
    }

    #[cold]
    fn expire_those_of_lanes(&mut self, now_ns: u64, age_ns: u64) {
        self.lanes.iter_mut().for_each(|inbox| inbox.in_flight.expire(now_ns, age_ns));
    }

    pub(crate) fn set_limits(&mut self, now_ns: u64, threshold_ns: u64, age_ns: u64) {
        self.tables_mut().for_each(|table| table.set_limits(now_ns, threshold_ns, age_ns));
    }

    /// Forgets every call. Tickets that are out become unknown.
    pub(crate) fn clear(&mut self) {
        self.own.clear();
        self.lanes.iter_mut().for_each(Inbox::clear);
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    fn begin(calls: &mut OwnCalls, trial: bool) -> (Call, bool) {
        let tracked = calls.begin(5, 6, trial);
        (tracked.unwrap_or_else(|| calls.begin_untracked(5, trial)), tracked.is_some())
    }

    #[test]
    fn calls_beyond_the_capacity_are_untracked_and_counted() {
        let mut calls = OwnCalls::new(2, 7);
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
        let mut calls = OwnCalls::new(3, 7);
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
