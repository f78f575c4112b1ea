//! Calls in flight in sending order: O(1) to add, to remove and to find the oldest. A call has a number, from 1 on, and an id that tells
//! it from the other calls which have that number before and after it. The low half of the id is the number.
//!
//! There is one list. It is linked through the slots of the calls, and closed by a slot of its own, of number 0. Starts never
//! decrease along it. Calls become overdue and expire from its head on, so that two cursors part the list in three:
//!
//! ```text
//!   head                                                                tail
//!     expired ... expired    overdue ... overdue    waiting ... waiting   ◀── begin
//!                       ▲                      ▲
//!                 last_expired            last_overdue
//! ```
//!
//! Each cursor stands on the last call that is past a limit, not on the first that isn't. So no cursor moves when a call is added,
//! or when a call that waits is removed. Trials wait, too. A third cursor knows the oldest trial.

/// What a number stands for: marks in an id, where no number has bits. So the id of a call that just waits is as it was given, and no id
/// that anybody brings equals that of another call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u64)]
enum On {
    Waiting = 0,
    /// A trial, which waits.
    Trial = 1 << 28,
    Overdue = 2 << 28,
    Expired = 3 << 28,
    /// No call.
    Nothing = 4 << 28,
}

/// The greatest number.
const MAX_NUMBER: u32 = (1 << 28) - 1;
const MARKS: u64 = 0xf << 28;

#[derive(Clone, Copy)]
struct Slot {
    /// The call's start, clamped to the latest time seen, so that the list is in the order of its starts.
    start_ns: u64,
    /// The call's id, and what it is.
    marked_id: u64,
    /// The call before this one. The list's own slot has the tail here.
    previous: u32,
    /// The call after this one. The list's own slot has the head here. While the number stands for no call, this is what its keeper
    /// keeps here.
    next: u32,
}

const _: () = assert!(size_of::<Slot>() == 24);

impl Slot {
    fn id(self) -> u64 {
        self.marked_id & !MARKS
    }

    fn on(self) -> On {
        match self.marked_id & MARKS {
            0 => On::Waiting,
            mark if mark == On::Trial as u64 => On::Trial,
            mark if mark == On::Overdue as u64 => On::Overdue,
            mark if mark == On::Expired as u64 => On::Expired,
            _ => On::Nothing,
        }
    }
}

/// The number of the list's own slot, which is before the head and behind the tail.
const LIST: u32 = 0;

const EMPTY: Slot = Slot { start_ns: 0, marked_id: On::Nothing as u64, previous: LIST, next: LIST };

pub(crate) struct InFlight {
    /// The list's own slot, then those of the calls. No more than `MAX_NUMBER` of these.
    slots: Box<[Slot]>,
    /// How many calls are on the list.
    len: usize,
    /// How many of them count as overdue: they are overdue and haven't expired.
    pub(crate) overdue: usize,
    /// The last call that has expired. It is `LIST` if there is no such call. So are the next two.
    last_expired: u32,
    /// The last call that is overdue or expired.
    last_overdue: u32,
    oldest_trial: u32,
}

/// What a call was that is no longer in flight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Returned {
    Call,
    Trial,
    /// A call of an epoch that is over, or no call that was in flight.
    Unknown,
}

impl InFlight {
    /// A table for calls of the numbers 1 to `capacity`. For each number it keeps what `keep` says.
    pub(crate) fn new(capacity: u32, keep: impl Fn(u32) -> u32) -> Self {
        let calls = (1..=capacity.min(MAX_NUMBER)).map(|number| Slot { next: keep(number), ..EMPTY });
        let slots = core::iter::once(EMPTY).chain(calls).collect();
        Self { slots, len: 0, overdue: 0, last_expired: LIST, last_overdue: LIST, oldest_trial: LIST }
    }

    /// Adds a call behind all others. Its number stands for no call so far, and its start is not before that of the last call. Returns
    /// what was kept with the number; `None` if there is no such number.
    #[inline(always)]
    pub(crate) fn begin(&mut self, id: u64, start_ns: u64) -> Option<u32> {
        let number = id as u32;
        let tail = self.slots.first()?.previous;
        let slot = self.slots.get_mut(number as usize)?;
        let kept = slot.next;
        *slot = Slot { start_ns, marked_id: id, previous: tail, next: LIST };
        if let Some(slot) = self.slots.get_mut(tail as usize) {
            slot.next = number;
        }
        if let Some(list) = self.slots.first_mut() {
            list.previous = number;
        }
        self.len += 1;
        Some(kept)
    }

    /// The call of this number, which is the last, is a trial.
    #[cold]
    pub(crate) fn begin_trial(&mut self, number: u32) {
        self.put(number, On::Trial);
        if self.oldest_trial == LIST {
            self.oldest_trial = number;
        }
    }

    /// Removes a call that just waits, whose id and start these are. Its number stands for no call from now on, and keeps a number
    /// in its place. Otherwise this returns false, and nothing is changed.
    #[inline(always)]
    pub(crate) fn remove_waiting(&mut self, id: u64, start_ns: u64, keep: u32) -> bool {
        let slots = &mut *self.slots;
        let Some(slot) = slots.get_mut(id as u32 as usize) else { return false };
        if slot.marked_id != id || slot.start_ns != start_ns {
            return false;
        }
        let Slot { previous, next, .. } = *slot;
        (slot.marked_id, slot.next) = (EMPTY.marked_id, keep);
        unlink(slots, previous, next);
        self.len -= 1;
        true
    }

    /// Removes the call of this id, whatever it is. Its number stands for no call from now on, and keeps a number.
    #[cold]
    pub(crate) fn remove(&mut self, id: u64, keep: u32) -> Returned {
        let number = id as u32;
        let slot = self.at(number);
        let Slot { previous, next, .. } = slot;
        let on = slot.on();
        if slot.id() != id {
            return Returned::Unknown;
        }
        let returned = match on {
            On::Nothing => return Returned::Unknown,
            On::Trial => Returned::Trial,
            On::Waiting | On::Overdue | On::Expired => Returned::Call,
        };
        if let Some(slot) = self.slots.get_mut(number as usize) {
            (slot.marked_id, slot.next) = (EMPTY.marked_id, keep);
        }
        self.overdue -= usize::from(on == On::Overdue);
        for cursor in [&mut self.last_expired, &mut self.last_overdue] {
            if *cursor == number {
                *cursor = previous;
            }
        }
        unlink(&mut self.slots, previous, next);
        self.len -= 1;
        if self.oldest_trial == number {
            self.oldest_trial = self.trial_from(next);
        }
        returned
    }

    /// The first trial from this call on, or `LIST` if there is none. Each call is passed over once at most, as the cursor moves
    /// forward alone.
    fn trial_from(&self, mut number: u32) -> u32 {
        while self.at(number).on() != On::Trial && number != LIST {
            number = self.at(number).next;
        }
        number
    }

    /// Forgets every call. `forget` is told the number of each, and says what to keep with it.
    pub(crate) fn clear(&mut self, mut forget: impl FnMut(u32) -> u32) {
        let mut number = self.at(LIST).next;
        while number != LIST {
            let Some(slot) = self.slots.get_mut(number as usize) else { break };
            let next = core::mem::replace(&mut slot.next, forget(number));
            slot.marked_id = EMPTY.marked_id;
            number = next;
        }
        (self.len, self.overdue) = (0, 0);
        (self.last_expired, self.last_overdue, self.oldest_trial) = (LIST, LIST, LIST);
        if let Some(list) = self.slots.first_mut() {
            *list = EMPTY;
        }
    }

    /// The start of each call, oldest first, and whether it is a trial.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u64, bool)> + Clone {
        let mut last = LIST;
        (0..self.len).map(move |_| {
            last = self.at(last).next;
            (self.at(last).start_ns, self.at(last).on() == On::Trial)
        })
    }

    /// The start of this call.
    pub(crate) fn start_of(&self, number: u32) -> Option<u64> {
        self.start_ns(number)
    }

    /// How many calls are tracked.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn capacity(&self) -> usize {
        self.slots.len() - 1
    }

    /// The start of the oldest call that isn't overdue yet.
    pub(crate) fn oldest_waiting_ns(&self) -> Option<u64> {
        self.start_ns(self.at(self.last_overdue).next)
    }

    /// The start of the oldest trial.
    pub(crate) fn oldest_trial_ns(&self) -> Option<u64> {
        self.start_ns(self.oldest_trial)
    }

    /// The start of the oldest call.
    pub(crate) fn oldest_ns(&self) -> Option<u64> {
        self.start_ns(self.at(LIST).next)
    }

    /// The starts of the calls that count as overdue, oldest first.
    pub(crate) fn overdue_starts_ns(&self) -> impl Iterator<Item = u64> + Clone {
        let mut last = self.last_expired;
        (0..self.overdue).filter_map(move |_| {
            last = self.at(last).next;
            self.start_ns(last)
        })
    }

    /// The oldest waiting call becomes overdue. It counts from now on until it expires. It may be old enough for that already.
    pub(crate) fn mark_overdue(&mut self) {
        let number = self.at(self.last_overdue).next;
        if number == LIST {
            return;
        }
        if self.oldest_trial == number {
            self.oldest_trial = self.trial_from(self.at(number).next);
        }
        self.put(number, On::Overdue);
        self.last_overdue = number;
        self.overdue += 1;
    }

    /// Overdue calls that are too old for the window no longer count.
    #[inline]
    pub(crate) fn expire(&mut self, now_ns: u64, age_ns: u64) {
        if self.overdue > 0 {
            self.expire_overdue(now_ns, age_ns);
        }
    }

    #[cold]
    fn expire_overdue(&mut self, now_ns: u64, age_ns: u64) {
        for _ in self.live_overdue(now_ns, age_ns)..self.overdue {
            self.last_expired = self.at(self.last_expired).next;
            self.put(self.last_expired, On::Expired);
            self.overdue -= 1;
        }
    }

    /// How many overdue calls will count once those that are too old at `now_ns` no longer do.
    pub(crate) fn live_overdue(&self, now_ns: u64, age_ns: u64) -> usize {
        let expired = self.overdue_starts_ns().take_while(|&start_ns| is_expired(start_ns, now_ns, age_ns));
        self.overdue - expired.count()
    }

    /// Applies new limits. Calls that were overdue and are not by these limits wait again, and no longer count.
    pub(crate) fn set_limits(&mut self, now_ns: u64, threshold_ns: u64, age_ns: u64) {
        // Both cursors go back from the youngest call.
        while let Some(start_ns) = self.start_ns(self.last_expired)
            && !is_expired(start_ns, now_ns, age_ns)
        {
            self.put(self.last_expired, On::Overdue);
            self.last_expired = self.at(self.last_expired).previous;
            self.overdue += 1;
        }
        while let Some(start_ns) = self.start_ns(self.last_overdue)
            && now_ns.saturating_sub(start_ns) <= threshold_ns
        {
            let previous = self.at(self.last_overdue).previous;
            if self.last_expired == self.last_overdue {
                self.last_expired = previous;
            } else {
                self.overdue -= 1;
            }
            self.put(self.last_overdue, On::Waiting);
            self.last_overdue = previous;
        }
        self.expire(now_ns, age_ns);
    }

    /// The slot of this number. A number beyond the capacity has an empty one.
    fn at(&self, number: u32) -> Slot {
        self.slots.get(number as usize).copied().unwrap_or(EMPTY)
    }

    fn put(&mut self, number: u32, on: On) {
        if let Some(slot) = self.slots.get_mut(number as usize) {
            slot.marked_id = slot.id() | on as u64;
        }
    }

    /// The start of the call of this number. It is `None` for `LIST`.
    fn start_ns(&self, number: u32) -> Option<u64> {
        (number != LIST).then(|| self.at(number).start_ns)
    }
}

/// Links a call with the next but one.
#[inline(always)]
fn unlink(slots: &mut [Slot], previous: u32, next: u32) {
    if let Some(slot) = slots.get_mut(previous as usize) {
        slot.next = next;
    }
    if let Some(slot) = slots.get_mut(next as usize) {
        slot.previous = previous;
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
        Begin { later_ns: u64, trial: bool, which: prop::sample::Index },
        Remove { which: prop::sample::Index },
        MarkOverdue,
        Expire { later_ns: u64 },
        SetLimits { threshold_ns: u64, age_ns: u64 },
        Clear,
    }

    fn op() -> impl Strategy<Value = Op> {
        let which = any::<prop::sample::Index>;
        prop_oneof![
            8 => (0u64..6, prop::bool::weighted(0.2), which())
                .prop_map(|(later_ns, trial, which)| Op::Begin { later_ns, trial, which }),
            6 => which().prop_map(|which| Op::Remove { which }),
            4 => Just(Op::MarkOverdue),
            3 => (0u64..20).prop_map(|later_ns| Op::Expire { later_ns }),
            1 => (0u64..30, 0u64..60).prop_map(|(threshold_ns, age_ns)| Op::SetLimits { threshold_ns, age_ns }),
            1 => Just(Op::Clear),
        ]
    }

    #[derive(Clone, Copy, PartialEq, Debug)]
    struct TwinCall {
        id: u64,
        start_ns: u64,
        trial: bool,
        /// Became overdue (whether or not it was too old by then).
        overdue: bool,
    }

    impl TwinCall {
        fn number(&self) -> u32 {
            self.id as u32
        }
    }

    proptest! {
        /// The twin is a plain list of calls in sending order, filtered anew each time.
        #[test]
        fn behaves_as_a_list_of_calls(capacity in 1u32..9, ops in prop::collection::vec(op(), 0..200)) {
            let mut in_flight = InFlight::new(capacity, |number| number + 100);
            let mut kept: Vec<u32> = (0..=capacity).map(|number| number + 100).collect();
            let mut ids = 0;
            let mut twin: Vec<TwinCall> = Vec::new();
            let (mut now_ns, mut threshold_ns, mut age_ns) = (0u64, 10u64, 40u64);
            for op in ops {
                let free: Vec<u32> = (1..=capacity)
                    .filter(|number| twin.iter().all(|call| call.number() != *number))
                    .collect();
                match op {
                    Op::Begin { later_ns, trial, which } => if !free.is_empty() {
                        now_ns += later_ns;
                        let number = *which.get(&free);
                        ids += 1;
                        let id = ids << 32 | u64::from(number);
                        prop_assert_eq!(in_flight.begin(id, now_ns), Some(kept[number as usize]));
                        if trial {
                            in_flight.begin_trial(number);
                        }
                        twin.push(TwinCall { id, start_ns: now_ns, trial, overdue: false });
                    }
                    Op::Remove { which } => {
                        let number = which.index(capacity as usize) as u32 + 1;
                        kept[number as usize] += 1;
                        let keep = kept[number as usize];
                        match twin.iter().position(|call| call.number() == number) {
                            Some(at) => {
                                let TwinCall { id, start_ns, trial, overdue } = twin.remove(at);
                                for (id, start_ns) in [(id + (1 << 32), start_ns), (id, start_ns + 1), (id | On::Trial as u64, start_ns)] {
                                    prop_assert!(!in_flight.remove_waiting(id, start_ns, 0), "of another call");
                                }
                                prop_assert_eq!(in_flight.remove(id + (1 << 32), 0), Returned::Unknown);
                                let waits = !trial && !overdue;
                                prop_assert_eq!(in_flight.remove_waiting(id, start_ns, keep), waits);
                                let expected = if trial && !overdue { Returned::Trial } else { Returned::Call };
                                let expected = if waits { Returned::Unknown } else { expected };
                                prop_assert_eq!(in_flight.remove(id, keep), expected);
                            }
                            None => {
                                kept[number as usize] -= 1;
                                prop_assert_eq!(in_flight.remove(ids << 32 | u64::from(number), 0), Returned::Unknown);
                                prop_assert!(!in_flight.remove_waiting(u64::from(number), now_ns, 0));
                            }
                        }
                    }
                    Op::MarkOverdue => {
                        let expected = twin.iter_mut().find(|call| !call.overdue);
                        prop_assert_eq!(in_flight.oldest_waiting_ns(), expected.as_ref().map(|call| call.start_ns));
                        // As the breaker does: only a call past the threshold becomes overdue.
                        if let Some(call) = expected.filter(|call| now_ns - call.start_ns > threshold_ns) {
                            call.overdue = true;
                            call.trial = false;
                            in_flight.mark_overdue();
                        }
                    }
                    Op::Expire { later_ns } => now_ns += later_ns,
                    Op::SetLimits { threshold_ns: new_threshold_ns, age_ns: new_age_ns } => {
                        (threshold_ns, age_ns) = (new_threshold_ns, new_age_ns);
                        in_flight.set_limits(now_ns, threshold_ns, age_ns);
                        for call in &mut twin {
                            call.overdue &= now_ns - call.start_ns > threshold_ns;
                        }
                    }
                    Op::Clear => {
                        let mut told = Vec::new();
                        in_flight.clear(|number| {
                            told.push(number);
                            kept[number as usize] += 7;
                            kept[number as usize]
                        });
                        prop_assert_eq!(&told, &twin.drain(..).map(|call| call.number()).collect::<Vec<_>>());
                    }
                }
                let counted = |call: &&TwinCall| call.overdue && !is_expired(call.start_ns, now_ns, age_ns);
                let overdue: Vec<u64> = twin.iter().filter(counted).map(|call| call.start_ns).collect();
                prop_assert_eq!(in_flight.live_overdue(now_ns, age_ns), overdue.len());
                in_flight.expire(now_ns, age_ns);
                prop_assert_eq!(in_flight.overdue, overdue.len());
                prop_assert_eq!(in_flight.overdue_starts_ns().collect::<Vec<_>>(), overdue);
                prop_assert_eq!(in_flight.len(), twin.len());
                prop_assert_eq!(in_flight.oldest_ns(), twin.first().map(|call| call.start_ns));
                let trial_ns = twin.iter().find(|call| call.trial).map(|call| call.start_ns);
                prop_assert_eq!(in_flight.oldest_trial_ns(), trial_ns);
            }
        }
    }

    #[test]
    fn numbers_beyond_the_last_are_no_calls() {
        let mut in_flight = InFlight::new(2, |_| 0);
        for id in [0, 3, u64::from(u32::MAX), EMPTY.marked_id, EMPTY.marked_id | 1, u64::MAX] {
            assert_eq!(in_flight.remove(id, 0), Returned::Unknown);
            assert!(!in_flight.remove_waiting(id, 0, 0));
        }
        assert_eq!((in_flight.begin(3, 0), in_flight.begin(u64::MAX, 0), in_flight.len()), (None, None, 0));
    }
}
