//! Tickets, and the calls in flight in sending order: O(1) to add, to remove and to find the oldest.
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

/// A ticket for one call: from `begin`, back to `end`, `fail` or `abandon`, once.
///
/// A ticket that comes back twice, or that the breaker never gave out, is counted (`misused`) and otherwise ignored; one
/// from before the current epoch counts as `stale`, however often it comes. Of calls beyond `max_in_flight` only the
/// number is known: their tickets are found out when more come back than went out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "give the ticket back by `end`, `fail` or `abandon`; a call that never comes back becomes overdue"]
#[repr(C)]
pub struct Call {
    /// The caller's own stamp, not clamped.
    start_ns: u64,
    /// The slot's index, or `UNTRACKED` or `UNTRACKED_TRIAL`.
    slot: u32,
    /// The slot's generation while this call has it.
    generation: u32,
}

const _: () = assert!(size_of::<Call>() == 16);

impl Call {
    /// When the call began, on the breaker's clock.
    pub const fn start_ns(self) -> u64 {
        self.start_ns
    }

    /// A lane's ticket.
    pub(crate) const fn new(start_ns: u64, slot: u32, generation: u32) -> Self {
        Self { start_ns, slot, generation }
    }

    /// The ticket of a call that a full lane can't track.
    pub(crate) const fn untracked(start_ns: u64) -> Self {
        Self { start_ns, slot: UNTRACKED, generation: 0 }
    }

    pub(crate) const fn is_untracked(self) -> bool {
        self.slot == UNTRACKED
    }

    pub(crate) const fn slot(self) -> u32 {
        self.slot
    }

    pub(crate) const fn generation(self) -> u32 {
        self.generation
    }

    /// The rest of the ticket, for C.
    #[cfg(feature = "ffi")]
    pub(crate) const fn id(self) -> u64 {
        self.slot as u64 | (self.generation as u64) << 32
    }

    #[cfg(feature = "ffi")]
    pub(crate) const fn from_parts(start_ns: u64, id: u64) -> Self {
        Self::new(start_ns, id as u32, (id >> 32) as u32)
    }
}

/// No slot. Indices stay below 2^20.
const NIL: u32 = u32::MAX;
/// Tickets of calls that found the table full.
const UNTRACKED: u32 = u32::MAX;
const UNTRACKED_TRIAL: u32 = u32::MAX - 1;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum On {
    Free,
    Waiting,
    Trials,
    Overdue,
    Expired,
}

#[derive(Clone, Copy)]
struct Slot {
    /// Clamped to the latest time seen, so that lists are in the order of their starts.
    start_ns: u64,
    /// As the ticket has it.
    stamp_ns: u64,
    previous: u32,
    next: u32,
    generation: u32,
    on: On,
}

#[derive(Clone, Copy)]
struct List {
    head: u32,
    tail: u32,
    len: usize,
}

impl List {
    const EMPTY: Self = Self { head: NIL, tail: NIL, len: 0 };
}

pub(crate) struct InFlight {
    slots: Box<[Slot]>,
    /// The first free slot, linked through `next`.
    free: u32,
    waiting: List,
    trials: List,
    overdue: List,
    expired: List,
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
        let slot = |index| Slot {
            start_ns: 0,
            stamp_ns: 0,
            previous: NIL,
            next: if index + 1 < capacity { index + 1 } else { NIL },
            generation: seed,
            on: On::Free,
        };
        Self {
            slots: (0..capacity).map(slot).collect(),
            free: if capacity > 0 { 0 } else { NIL },
            waiting: List::EMPTY,
            trials: List::EMPTY,
            overdue: List::EMPTY,
            expired: List::EMPTY,
            untracked: 0,
            untracked_trials: 0,
            untracked_generation: seed,
        }
    }

    /// Adds a call and returns its ticket, and whether it is tracked. `now_ns` is `start_ns`, clamped to the latest seen.
    #[inline]
    pub(crate) fn begin(&mut self, start_ns: u64, now_ns: u64, trial: bool) -> (Call, bool) {
        let index = self.free;
        let Some(slot) = self.slots.get_mut(index as usize) else {
            return (self.begin_untracked(start_ns, trial), false);
        };
        self.free = slot.next;
        slot.start_ns = now_ns;
        slot.stamp_ns = start_ns;
        slot.generation = slot.generation.wrapping_add(1);
        let call = Call { start_ns, slot: index, generation: slot.generation };
        self.push_back(index, if trial { On::Trials } else { On::Waiting });
        (call, true)
    }

    #[cold]
    fn begin_untracked(&mut self, start_ns: u64, trial: bool) -> Call {
        if trial {
            self.untracked_trials += 1;
        } else {
            self.untracked += 1;
        }
        Call { start_ns, slot: if trial { UNTRACKED_TRIAL } else { UNTRACKED }, generation: self.untracked_generation }
    }

    /// Takes a ticket back.
    #[inline]
    pub(crate) fn take(&mut self, call: Call) -> Returned {
        match self.slots.get(call.slot as usize) {
            Some(slot)
                if slot.generation == call.generation && slot.on != On::Free && slot.stamp_ns == call.start_ns =>
            {
                let returned = if slot.on == On::Trials { Returned::Trial } else { Returned::Call };
                self.remove(call.slot);
                returned
            }
            Some(_) => Returned::Unknown,
            None => self.take_untracked(call),
        }
    }

    /// Which untracked tickets are out isn't known, only how many: more can't come back.
    #[cold]
    fn take_untracked(&mut self, call: Call) -> Returned {
        let (out, returned) = match call.slot {
            UNTRACKED => (&mut self.untracked, Returned::Call),
            UNTRACKED_TRIAL => (&mut self.untracked_trials, Returned::Trial),
            _ => return Returned::Unknown,
        };
        match out.checked_sub(1) {
            Some(left) if call.generation == self.untracked_generation => {
                *out = left;
                returned
            }
            _ => Returned::Unknown,
        }
    }

    /// Forgets every call. Tickets that are out become unknown.
    pub(crate) fn clear(&mut self) {
        for on in [On::Waiting, On::Trials, On::Overdue, On::Expired] {
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
        self.waiting.len + self.trials.len + self.overdue.len + self.expired.len
    }

    /// How many calls count as overdue.
    #[inline]
    pub(crate) fn overdue(&self) -> usize {
        self.overdue.len
    }

    /// The start of the oldest call that isn't overdue yet; trials apart.
    pub(crate) fn oldest_waiting_ns(&self) -> Option<u64> {
        self.start_ns(self.waiting.head)
    }

    /// The start of the oldest trial.
    pub(crate) fn oldest_trial_ns(&self) -> Option<u64> {
        self.start_ns(self.trials.head)
    }

    /// The start of the oldest call. (There are no trials while the breaker is closed, when this matters.)
    pub(crate) fn oldest_ns(&self) -> Option<u64> {
        [self.expired.head, self.overdue.head, self.waiting.head].into_iter().find_map(|head| self.start_ns(head))
    }

    /// The starts of the calls that count as overdue, oldest first.
    pub(crate) fn overdue_starts_ns(&self) -> impl Iterator<Item = u64> + Clone {
        let mut next = self.overdue.head;
        core::iter::from_fn(move || {
            let slot = self.slots.get(next as usize)?;
            next = slot.next;
            Some(slot.start_ns)
        })
    }

    /// The oldest waiting call becomes overdue: it counts from now on, until it expires (which it may have by now).
    pub(crate) fn mark_overdue(&mut self) {
        if let Some(index) = self.head(On::Waiting) {
            self.unlink(index);
            self.push_back(index, On::Overdue);
        }
    }

    /// Overdue calls too old for the window no longer count.
    #[inline]
    pub(crate) fn expire(&mut self, now_ns: u64, age_ns: u64) {
        if self.overdue.len > 0 {
            self.expire_overdue(now_ns, age_ns);
        }
    }

    #[cold]
    fn expire_overdue(&mut self, now_ns: u64, age_ns: u64) {
        while let Some(index) = self.head(On::Overdue) {
            if !self.start_ns(index).is_some_and(|start_ns| is_expired(start_ns, now_ns, age_ns)) {
                return;
            }
            self.unlink(index);
            self.push_back(index, On::Expired);
        }
    }

    /// How many overdue calls will count once those too old at `now_ns` don't.
    pub(crate) fn live_overdue(&self, now_ns: u64, age_ns: u64) -> usize {
        let expired = self.overdue_starts_ns().take_while(|&start_ns| is_expired(start_ns, now_ns, age_ns));
        self.overdue.len - expired.count()
    }

    /// Applies new limits: calls that were overdue and are not by these wait again, and no longer count.
    pub(crate) fn set_limits(&mut self, now_ns: u64, threshold_ns: u64, age_ns: u64) {
        // From the youngest back, so that the lists stay in sending order.
        while let Some(index) = self.tail(On::Expired) {
            if self.start_ns(index).is_some_and(|start_ns| is_expired(start_ns, now_ns, age_ns)) {
                break;
            }
            self.unlink(index);
            self.push_front(index, On::Overdue);
        }
        for from in [On::Overdue, On::Expired] {
            while let Some(index) = self.tail(from) {
                if self.start_ns(index).is_some_and(|start_ns| now_ns.saturating_sub(start_ns) > threshold_ns) {
                    break;
                }
                self.unlink(index);
                self.push_front(index, On::Waiting);
            }
        }
        self.expire(now_ns, age_ns);
    }

    fn start_ns(&self, index: u32) -> Option<u64> {
        self.slots.get(index as usize).map(|slot| slot.start_ns)
    }

    fn head(&self, on: On) -> Option<u32> {
        self.list(on).map(|list| list.head).filter(|&head| head != NIL)
    }

    fn tail(&self, on: On) -> Option<u32> {
        self.list(on).map(|list| list.tail).filter(|&tail| tail != NIL)
    }

    #[inline]
    fn list(&self, on: On) -> Option<&List> {
        match on {
            On::Free => None,
            On::Waiting => Some(&self.waiting),
            On::Trials => Some(&self.trials),
            On::Overdue => Some(&self.overdue),
            On::Expired => Some(&self.expired),
        }
    }

    #[inline]
    fn list_mut(&mut self, on: On) -> Option<&mut List> {
        match on {
            On::Free => None,
            On::Waiting => Some(&mut self.waiting),
            On::Trials => Some(&mut self.trials),
            On::Overdue => Some(&mut self.overdue),
            On::Expired => Some(&mut self.expired),
        }
    }

    #[inline]
    fn push_back(&mut self, index: u32, on: On) {
        let tail = self.list(on).map_or(NIL, |list| list.tail);
        self.link(index, on, tail, NIL);
    }

    fn push_front(&mut self, index: u32, on: On) {
        let head = self.list(on).map_or(NIL, |list| list.head);
        self.link(index, on, NIL, head);
    }

    /// Puts a call between two neighbours of a list.
    #[inline]
    fn link(&mut self, index: u32, on: On, previous: u32, next: u32) {
        let Some(list) = self.list_mut(on) else { return };
        list.len += 1;
        if previous == NIL {
            list.head = index;
        }
        if next == NIL {
            list.tail = index;
        }
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
    }

    /// Takes a call off its list.
    #[inline]
    fn unlink(&mut self, index: u32) {
        let Some(&Slot { previous, next, on, .. }) = self.slots.get(index as usize) else { return };
        let Some(list) = self.list_mut(on) else { return };
        list.len -= 1;
        if list.head == index {
            list.head = next;
        }
        if list.tail == index {
            list.tail = previous;
        }
        if let Some(slot) = self.slots.get_mut(previous as usize) {
            slot.next = next;
        }
        if let Some(slot) = self.slots.get_mut(next as usize) {
            slot.previous = previous;
        }
    }

    /// Takes a call off its list and frees its slot.
    #[inline]
    fn remove(&mut self, index: u32) {
        self.unlink(index);
        let free = self.free;
        if let Some(slot) = self.slots.get_mut(index as usize) {
            slot.on = On::Free;
            slot.next = free;
            self.free = index;
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
        for forged in [
            Call { slot: 1, ..call },
            Call { slot: 2, ..call },
            Call { slot: UNTRACKED, ..call },
            Call { slot: UNTRACKED_TRIAL, ..call },
            Call { slot: 1 << 30, ..call },
            Call { generation: call.generation + 1, ..call },
            Call { start_ns: 99, ..call },
            Call { start_ns: 101, ..call },
            Call { start_ns: 0, slot: 0, generation: 0 },
            Call { start_ns: 0, slot: 1, generation: 7 },
        ] {
            assert_eq!(table.take(forged), Returned::Unknown, "{forged:?}");
        }
        assert_eq!(table.take(call), Returned::Call);
        assert_eq!(table.take(call), Returned::Unknown);
    }
}
