//! All calls in flight: the owner's own, each with a ticket, and those of each lane.

use crate::in_flight::{InFlight, Returned};
use crate::inbox::{Inbox, Inboxes};
use crate::tickets::{Call, Untracked};

/// A number that no call has.
const NONE: u32 = u32::MAX >> 1;

/// The owner's own calls. A ticket's id is the call's, unless the call is tracked from another time on than the ticket has.
pub(crate) struct OwnCalls {
    /// With each number that stands for no call the next such number is kept.
    in_flight: InFlight,
    /// The first number that stands for no call. Its slot has the next one, and so on; `NONE` is the last.
    free: u32,
    /// The generation of the latest ticket.
    generation: u32,
    untracked: Untracked,
    /// The generation of untracked tickets. It changes each time that all calls are forgotten.
    untracked_generation: u32,
}

impl OwnCalls {
    /// `seed` sets these tickets apart from others'.
    pub(crate) fn new(capacity: u32, seed: u32) -> Self {
        let in_flight = InFlight::new(capacity, |number| if number < capacity { number + 1 } else { NONE });
        let free = if capacity > 0 { 1 } else { NONE };
        Self { in_flight, free, generation: seed, untracked: Untracked::default(), untracked_generation: seed }
    }

    /// Adds a call that begins at the latest time seen, and returns its ticket; `None` if there is no room.
    #[inline(always)]
    pub(crate) fn begin(&mut self, now_ns: u64) -> Option<Call> {
        let call = self.next_ticket(now_ns);
        self.free = self.in_flight.begin(call.id(), now_ns)?;
        Some(call)
    }

    /// [`begin`](Self::begin) of any call. `seen_ns` is `start_ns`, clamped to the latest time seen.
    #[cold]
    pub(crate) fn begin_any(&mut self, start_ns: u64, seen_ns: u64, trial: bool) -> Option<Call> {
        let call = self.next_ticket(start_ns);
        let id = if start_ns == seen_ns { call.id() } else { id_of_clamped(call) };
        self.free = self.in_flight.begin(id, seen_ns)?;
        if trial {
            self.in_flight.begin_trial(call.number());
        }
        Some(call)
    }

    #[inline(always)]
    fn next_ticket(&mut self, start_ns: u64) -> Call {
        self.generation = self.generation.wrapping_add(1);
        Call::new(start_ns, self.free, self.generation)
    }

    /// The ticket of a call that isn't tracked.
    pub(crate) fn begin_untracked(&self, start_ns: u64, trial: bool) -> Call {
        self.untracked.issue(start_ns, self.untracked_generation, trial)
    }

    /// Takes back the ticket of a call that just waits, and that began at the latest time seen then. Otherwise this returns false, and
    /// nothing is changed.
    #[inline(always)]
    pub(crate) fn take_waiting(&mut self, call: Call) -> bool {
        let is_taken = self.in_flight.remove_waiting(call.id(), call.start_ns(), self.free);
        if is_taken {
            self.free = call.number();
        }
        is_taken
    }

    /// Takes any ticket back.
    #[cold]
    pub(crate) fn take(&mut self, call: Call) -> Returned {
        let is_clamped = self.in_flight.start_of(call.number()) != Some(call.start_ns());
        let id = if is_clamped { id_of_clamped(call) } else { call.id() };
        match self.in_flight.remove(id, self.free) {
            Returned::Unknown => self.take_untracked(call),
            returned => {
                self.free = call.number();
                returned
            }
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
        let Self { in_flight, free, .. } = self;
        in_flight.clear(|number| core::mem::replace(free, number));
        self.untracked.clear();
        self.untracked_generation = self.untracked_generation.wrapping_add(1);
    }
}

/// The id of a call that is tracked from another time on than its ticket has. The ticket's time is in it, so that another ticket of this number
/// passes for it once in 2^31 times. The time is mixed by a multiplication (Knuth, "The Art of Computer Programming", volume 3, 6.4), as
/// generations and times are both counted up.
fn id_of_clamped(call: Call) -> u64 {
    const GOLDEN_RATIO: u64 = 0x9e37_79b9_7f4a_7c15;
    // Of a time near 0 little would come of a multiplication; and 0 would change nothing.
    let mixed = (!call.start_ns()).wrapping_mul(GOLDEN_RATIO) >> 32 | 1;
    call.id() ^ mixed << 32
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
        let tracked = calls.begin_any(5, 6, trial);
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

    /// Generations and times that differ by as little don't make up for each other.
    #[test]
    fn an_old_ticket_is_none_of_a_call_that_has_its_number() {
        for (start_ns, seed) in (0..64).chain([u64::MAX - 1]).flat_map(|start_ns| [(start_ns, 7), (start_ns, 8)]) {
            let mut calls = OwnCalls::new(1, seed);
            let mut old = Vec::new();
            for _ in 0..64 {
                old.extend(calls.begin_any(start_ns, start_ns, false));
                calls.clear();
            }
            let call = calls.begin_any(start_ns + 1, start_ns + 1, false).unwrap();
            assert!(old.iter().all(|&call| calls.take(call) == Returned::Unknown), "{start_ns}");
            assert_eq!(calls.take(call), Returned::Call);
        }
    }

    #[test]
    fn a_clamped_call_is_known_by_its_own_ticket_alone() {
        let mut calls = OwnCalls::new(1, 7);
        let old: Vec<Call> = (0..64)
            .filter_map(|start_ns| {
                let call = calls.begin_any(start_ns, 1000, false);
                call.map(|call| calls.take(call));
                call
            })
            .collect();
        let clamped = calls.begin_any(64, 1000, false).unwrap();
        assert!(old.iter().all(|&call| calls.take(call) == Returned::Unknown));
        let forged = |start_ns| Call::new(start_ns, clamped.number(), clamped.generation());
        assert!(
            [0, 63, 65, 1000, 1 << 32].into_iter().all(|start_ns| calls.take(forged(start_ns)) == Returned::Unknown)
        );
        assert!(!calls.take_waiting(clamped));
        assert_eq!([clamped, clamped].map(|call| calls.take(call)), [Returned::Call, Returned::Unknown]);
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
