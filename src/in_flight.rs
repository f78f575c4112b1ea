//! The calls in flight in sending order: O(1) to add, to remove and to find the oldest.
//!
//! A slab of slots; each tracked call is on one of four lists, linked through the slots:
//!
//! ```text
//!            begin                    overdue                 window_age
//!   free ───────────▶ waiting ───────────────────▶ overdue ───────────────▶ expired
//!            └──────▶ trials (half-open)
//! ```
//!
//! Starts never decrease along a list, and calls move from the head of one to the tail of the next, so whatever is on
//! `expired` was sent before whatever is on `overdue`, and that before whatever is on `waiting`.
//!
//! Each list is a ring, closed by a slot of its own behind those of the calls: a call's neighbours are always there, so that
//! linking it has no special cases.

mod ticket;

pub use ticket::Call;
use ticket::{UNTRACKED, UNTRACKED_TRIAL};

/// Where a slot is. The lists' numbers are those of their own slots, counted from the last call's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum On {
    Waiting = 0,
    Trials = 1,
    Overdue = 2,
    Expired = 3,
    /// Of no call: free, or a list's own.
    None = 4,
}

const LISTS: [On; 4] = [On::Waiting, On::Trials, On::Overdue, On::Expired];

#[derive(Clone, Copy)]
struct Slot {
    /// Clamped to the latest time seen, so that lists are in the order of their starts.
    start_ns: u64,
    /// As the ticket has it.
    stamp_ns: u64,
    /// Neighbours on its list; of a list's own slot the tail and the head.
    previous: u32,
    next: u32,
    generation: u32,
    on: On,
}

pub(crate) struct InFlight {
    /// Those of the calls, then those of the lists.
    slots: Box<[Slot]>,
    /// How many are for calls; their indices are below this, and this below 2^20 + 1.
    capacity: u32,
    /// The first free slot, linked through `next`; `capacity` if there is none.
    free: u32,
    /// How many calls are tracked.
    len: usize,
    /// How many of them are on the list of overdue ones.
    overdue: usize,
    /// Untracked calls and trials whose tickets are out.
    untracked: u64,
    untracked_trials: u64,
    /// The generation of untracked tickets: a new one each time that all calls are forgotten.
    untracked_generation: u32,
}

/// What a returned ticket stood for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Returned {
    Call,
    Trial,
    /// Not a ticket that is out: returned before, forged, or of an epoch that is over.
    Unknown,
}

impl InFlight {
    /// `seed` sets this table's tickets apart from those of other tables: generations begin with it.
    pub(crate) fn new(capacity: u32, seed: u32) -> Self {
        let slot = |previous, next| Slot { start_ns: 0, stamp_ns: 0, previous, next, generation: seed, on: On::None };
        let calls = (0..capacity).map(|index| slot(index, index + 1));
        let lists = LISTS.map(|on| slot(capacity + on as u32, capacity + on as u32));
        Self {
            slots: calls.chain(lists).collect(),
            capacity,
            free: 0,
            len: 0,
            overdue: 0,
            untracked: 0,
            untracked_trials: 0,
            untracked_generation: seed,
        }
    }

    /// Adds a call and returns its ticket, and whether it is tracked. `now_ns` is `start_ns`, clamped to the latest seen.
    #[inline]
    pub(crate) fn begin(&mut self, start_ns: u64, now_ns: u64, trial: bool) -> (Call, bool) {
        let index = self.free;
        let on = if trial { On::Trials } else { On::Waiting };
        let end = self.end(on);
        if index < self.capacity
            && let Some(&Slot { previous: tail, .. }) = self.slot(end)
            && let Some(slot) = self.slots.get_mut(index as usize)
        {
            self.free = slot.next;
            self.len += 1;
            slot.start_ns = now_ns;
            slot.stamp_ns = start_ns;
            slot.generation = slot.generation.wrapping_add(1);
            let call = Call::new(start_ns, index, slot.generation);
            self.link(index, on, tail, end);
            (call, true)
        } else {
            (self.begin_untracked(start_ns, trial), false)
        }
    }

    #[cold]
    fn begin_untracked(&mut self, start_ns: u64, trial: bool) -> Call {
        if trial {
            self.untracked_trials += 1;
        } else {
            self.untracked += 1;
        }
        Call::new(start_ns, if trial { UNTRACKED_TRIAL } else { UNTRACKED }, self.untracked_generation)
    }

    /// Takes a ticket back.
    #[inline]
    pub(crate) fn take(&mut self, call: Call) -> Returned {
        match self.slots.get(call.slot() as usize) {
            Some(slot)
                if slot.generation == call.generation() && slot.on != On::None && slot.stamp_ns == call.start_ns() =>
            {
                let returned = if slot.on == On::Trials { Returned::Trial } else { Returned::Call };
                self.remove(call.slot());
                returned
            }
            Some(_) => Returned::Unknown,
            None => self.take_untracked(call),
        }
    }

    /// Which untracked tickets are out isn't known, only how many: more can't come back.
    #[cold]
    fn take_untracked(&mut self, call: Call) -> Returned {
        let (out, returned) = match call.slot() {
            UNTRACKED => (&mut self.untracked, Returned::Call),
            UNTRACKED_TRIAL => (&mut self.untracked_trials, Returned::Trial),
            _ => return Returned::Unknown,
        };
        match out.checked_sub(1) {
            Some(left) if call.generation() == self.untracked_generation => {
                *out = left;
                returned
            }
            _ => Returned::Unknown,
        }
    }

    /// Forgets every call. Tickets that are out become unknown.
    pub(crate) fn clear(&mut self) {
        for on in LISTS {
            while let Some(index) = self.head(on) {
                self.remove(index);
            }
        }
        self.untracked = 0;
        self.untracked_trials = 0;
        self.untracked_generation = self.untracked_generation.wrapping_add(1);
    }

    /// How many calls are tracked.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// How many calls count as overdue.
    #[inline]
    pub(crate) fn overdue(&self) -> usize {
        self.overdue
    }

    /// The start of the oldest call that isn't overdue yet; trials apart.
    pub(crate) fn oldest_waiting_ns(&self) -> Option<u64> {
        self.oldest_on_ns(On::Waiting)
    }

    /// The start of the oldest trial.
    pub(crate) fn oldest_trial_ns(&self) -> Option<u64> {
        self.oldest_on_ns(On::Trials)
    }

    /// The start of the oldest call. (There are no trials while the breaker is closed, when this matters.)
    pub(crate) fn oldest_ns(&self) -> Option<u64> {
        [On::Expired, On::Overdue, On::Waiting].into_iter().find_map(|on| self.oldest_on_ns(on))
    }

    /// The starts of the calls that count as overdue, oldest first.
    pub(crate) fn overdue_starts_ns(&self) -> impl Iterator<Item = u64> + Clone {
        let mut next = self.head(On::Overdue);
        core::iter::from_fn(move || {
            let slot = self.slot(next?)?;
            next = self.call(slot.next);
            Some(slot.start_ns)
        })
    }

    /// The oldest waiting call becomes overdue: it counts from now on, until it expires (which it may have by now).
    pub(crate) fn mark_overdue(&mut self) {
        if let Some(index) = self.head(On::Waiting) {
            self.move_to_tail(index, On::Overdue);
        }
    }

    /// Overdue calls too old for the window no longer count.
    #[inline]
    pub(crate) fn expire(&mut self, now_ns: u64, age_ns: u64) {
        if self.overdue > 0 {
            self.expire_overdue(now_ns, age_ns);
        }
    }

    #[cold]
    fn expire_overdue(&mut self, now_ns: u64, age_ns: u64) {
        while let Some(index) = self.head(On::Overdue)
            && self.start_ns(index).is_some_and(|start_ns| is_expired(start_ns, now_ns, age_ns))
        {
            self.move_to_tail(index, On::Expired);
        }
    }

    /// How many overdue calls will count once those too old at `now_ns` don't.
    pub(crate) fn live_overdue(&self, now_ns: u64, age_ns: u64) -> usize {
        let expired = self.overdue_starts_ns().take_while(|&start_ns| is_expired(start_ns, now_ns, age_ns));
        self.overdue - expired.count()
    }

    /// Applies new limits: calls that were overdue and are not by these wait again, and no longer count.
    pub(crate) fn set_limits(&mut self, now_ns: u64, threshold_ns: u64, age_ns: u64) {
        // From the youngest back, so that the lists stay in sending order.
        while let Some(index) = self.tail(On::Expired)
            && !self.start_ns(index).is_some_and(|start_ns| is_expired(start_ns, now_ns, age_ns))
        {
            self.move_to_head(index, On::Overdue);
        }
        for from in [On::Overdue, On::Expired] {
            while let Some(index) = self.tail(from)
                && self.start_ns(index).is_none_or(|start_ns| now_ns.saturating_sub(start_ns) <= threshold_ns)
            {
                self.move_to_head(index, On::Waiting);
            }
        }
        self.expire(now_ns, age_ns);
    }

    // The lists.

    /// A list's own slot.
    #[inline]
    fn end(&self, on: On) -> u32 {
        self.capacity + on as u32
    }

    #[inline]
    fn slot(&self, index: u32) -> Option<&Slot> {
        self.slots.get(index as usize)
    }

    /// `None` of a list's own slot.
    fn call(&self, index: u32) -> Option<u32> {
        (index < self.capacity).then_some(index)
    }

    fn head(&self, on: On) -> Option<u32> {
        self.call(self.slot(self.end(on))?.next)
    }

    fn tail(&self, on: On) -> Option<u32> {
        self.call(self.slot(self.end(on))?.previous)
    }

    fn start_ns(&self, index: u32) -> Option<u64> {
        self.slot(index).map(|slot| slot.start_ns)
    }

    fn oldest_on_ns(&self, on: On) -> Option<u64> {
        self.start_ns(self.head(on)?)
    }

    fn move_to_tail(&mut self, index: u32, on: On) {
        self.unlink(index);
        let end = self.end(on);
        if let Some(&Slot { previous, .. }) = self.slot(end) {
            self.link(index, on, previous, end);
        }
    }

    fn move_to_head(&mut self, index: u32, on: On) {
        self.unlink(index);
        let end = self.end(on);
        if let Some(&Slot { next, .. }) = self.slot(end) {
            self.link(index, on, end, next);
        }
    }

    /// Puts a call between two neighbours of a list.
    #[inline]
    fn link(&mut self, index: u32, on: On, previous: u32, next: u32) {
        if let Some(slot) = self.slots.get_mut(previous as usize) {
            slot.next = index;
        }
        if let Some(slot) = self.slots.get_mut(next as usize) {
            slot.previous = index;
        }
        if let Some(slot) = self.slots.get_mut(index as usize) {
            slot.previous = previous;
            slot.next = next;
            slot.on = on;
        }
        self.overdue += usize::from(on == On::Overdue);
    }

    /// Takes a call off its list.
    #[inline]
    fn unlink(&mut self, index: u32) {
        let Some(&Slot { previous, next, on, .. }) = self.slot(index) else { return };
        if let Some(slot) = self.slots.get_mut(previous as usize) {
            slot.next = next;
        }
        if let Some(slot) = self.slots.get_mut(next as usize) {
            slot.previous = previous;
        }
        if on == On::Overdue {
            self.leave_overdue();
        }
    }

    /// Seldom: and beside `len`, which changes each time, a sum would be made a vector, whose load waits for the last store.
    #[cold]
    fn leave_overdue(&mut self) {
        self.overdue -= 1;
    }

    /// Takes a call off its list and frees its slot.
    #[inline]
    fn remove(&mut self, index: u32) {
        self.unlink(index);
        if let Some(slot) = self.slots.get_mut(index as usize) {
            slot.on = On::None;
            slot.next = self.free;
            self.free = index;
            self.len -= 1;
        }
    }
}

fn is_expired(start_ns: u64, now_ns: u64, age_ns: u64) -> bool {
    age_ns > 0 && now_ns.saturating_sub(start_ns) >= age_ns
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[derive(Clone, Debug)]
    enum Op {
        Begin { later_ns: u64, trial: bool },
        Take { which: prop::sample::Index },
        TakeAgain { which: prop::sample::Index },
        MarkOverdue,
        Expire { later_ns: u64 },
        SetLimits { threshold_ns: u64, age_ns: u64 },
        Clear,
    }

    fn op() -> impl Strategy<Value = Op> {
        prop_oneof![
            8 => (0u64..6, prop::bool::weighted(0.2)).prop_map(|(later_ns, trial)| Op::Begin { later_ns, trial }),
            6 => any::<prop::sample::Index>().prop_map(|which| Op::Take { which }),
            1 => any::<prop::sample::Index>().prop_map(|which| Op::TakeAgain { which }),
            4 => Just(Op::MarkOverdue),
            3 => (0u64..20).prop_map(|later_ns| Op::Expire { later_ns }),
            1 => (0u64..30, 0u64..60).prop_map(|(threshold_ns, age_ns)| Op::SetLimits { threshold_ns, age_ns }),
            1 => Just(Op::Clear),
        ]
    }

    #[derive(Clone, Copy, PartialEq, Debug)]
    struct TwinCall {
        call: Call,
        start_ns: u64,
        tracked: bool,
        trial: bool,
        /// Became overdue (whether or not it was too old by then).
        overdue: bool,
    }

    proptest! {
        /// The twin is a plain list of calls in sending order, filtered anew each time.
        #[test]
        fn behaves_as_a_list_of_calls(capacity in 1u32..9, ops in prop::collection::vec(op(), 0..200)) {
            let mut table = InFlight::new(capacity, 7);
            let mut twin: Vec<TwinCall> = Vec::new();
            let mut returned: Vec<Call> = Vec::new();
            let (mut now_ns, mut threshold_ns, mut age_ns) = (0u64, 10u64, 40u64);
            for op in ops {
                match op {
                    Op::Begin { later_ns, trial } => {
                        now_ns += later_ns;
                        let room = twin.iter().filter(|call| call.tracked).count() < capacity as usize;
                        let (call, tracked) = table.begin(now_ns, now_ns, trial);
                        prop_assert_eq!(tracked, room);
                        twin.push(TwinCall { call, start_ns: now_ns, tracked, trial, overdue: false });
                    }
                    Op::Take { which } => if !twin.is_empty() {
                        let taken = twin.remove(which.index(twin.len()));
                        let expected = if taken.trial { Returned::Trial } else { Returned::Call };
                        prop_assert_eq!(table.take(taken.call), expected);
                        if taken.tracked {
                            returned.push(taken.call);
                        }
                    }
                    Op::TakeAgain { which } => if !returned.is_empty() {
                        prop_assert_eq!(table.take(returned[which.index(returned.len())]), Returned::Unknown);
                    }
                    Op::MarkOverdue => {
                        let waiting = |call: &&mut TwinCall| call.tracked && !call.trial && !call.overdue;
                        let expected = twin.iter_mut().find(waiting);
                        prop_assert_eq!(table.oldest_waiting_ns(), expected.as_ref().map(|call| call.start_ns));
                        // As the breaker does: only a call past the threshold becomes overdue.
                        if let Some(call) = expected.filter(|call| now_ns - call.start_ns > threshold_ns) {
                            call.overdue = true;
                            table.mark_overdue();
                        }
                    }
                    Op::Expire { later_ns } => now_ns += later_ns,
                    Op::SetLimits { threshold_ns: new_threshold_ns, age_ns: new_age_ns } => {
                        (threshold_ns, age_ns) = (new_threshold_ns, new_age_ns);
                        table.set_limits(now_ns, threshold_ns, age_ns);
                        for call in &mut twin {
                            call.overdue &= now_ns - call.start_ns > threshold_ns;
                        }
                    }
                    Op::Clear => {
                        table.clear();
                        returned.extend(twin.drain(..).map(|call| call.call));
                    }
                }
                let tracked: Vec<TwinCall> = twin.iter().copied().filter(|call| call.tracked).collect();
                let counted = |call: &&TwinCall| call.overdue && !is_expired(call.start_ns, now_ns, age_ns);
                let overdue: Vec<u64> = tracked.iter().filter(counted).map(|call| call.start_ns).collect();
                prop_assert_eq!(table.live_overdue(now_ns, age_ns), overdue.len());
                table.expire(now_ns, age_ns);
                prop_assert_eq!(table.overdue(), overdue.len());
                prop_assert_eq!(table.overdue_starts_ns().collect::<Vec<_>>(), overdue);
                prop_assert_eq!(table.len(), tracked.len());
                let oldest = |trial| tracked.iter().find(|call| call.trial == trial).map(|call| call.start_ns);
                prop_assert_eq!(table.oldest_ns(), oldest(false));
                prop_assert_eq!(table.oldest_trial_ns(), oldest(true));
            }
        }
    }

    #[test]
    fn tickets_of_another_table_are_unknown() {
        let (mut table, mut other) = (InFlight::new(2, 7), InFlight::new(2, 1_000_000));
        for _ in 0..3 {
            let _ours = table.begin(5, 5, false);
            let (theirs, _) = other.begin(5, 5, false);
            assert_eq!(table.take(theirs), Returned::Unknown);
        }
    }

    #[test]
    fn forged_tickets_are_unknown() {
        let mut table = InFlight::new(2, 7);
        let (call, _) = table.begin(100, 100, false);
        let (start_ns, slot, generation) = (call.start_ns(), call.slot(), call.generation());
        // Beyond the two calls' slots are those of the lists.
        let of_other_slots =
            [1, 2, 3, 4, 5, 6, 1 << 30, UNTRACKED_TRIAL, UNTRACKED].map(|slot| (start_ns, slot, generation));
        let of_lists = [2, 3, 4, 5].map(|slot| (0, slot, 7));
        let others =
            [(start_ns, slot, generation + 1), (99, slot, generation), (101, slot, generation), (0, 0, 0), (0, 1, 7)];
        for (start_ns, slot, generation) in of_other_slots.into_iter().chain(of_lists).chain(others) {
            let forged = Call::new(start_ns, slot, generation);
            assert_eq!(table.take(forged), Returned::Unknown, "{forged:?}");
        }
        assert_eq!(table.take(call), Returned::Call);
        assert_eq!(table.take(call), Returned::Unknown);
    }
}
