//! Calls in flight in sending order: O(1) to add, to remove and to find the oldest. A call is known by its number, from 1 on.
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

/// What a number stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum On {
    /// No call.
    Nothing = 0,
    Waiting = 1,
    /// A trial, which waits.
    Trial = 2,
    Overdue = 3,
    Expired = 4,
}

#[derive(Clone, Copy)]
struct Slot {
    /// The call's start, clamped to the latest time seen, so that the list is in the order of its starts.
    start_ns: u64,
    /// The call before this one. The list's own slot has the tail here.
    previous: u32,
    /// The call after this one. The list's own slot has the head here.
    next: u32,
    on: On,
}

const _: () = assert!(size_of::<Slot>() == 24);

/// The number of the list's own slot, which is before the head and behind the tail.
const LIST: u32 = 0;

const EMPTY: Slot = Slot { start_ns: 0, previous: LIST, next: LIST, on: On::Nothing };

pub(crate) struct InFlight {
    /// The list's own slot, then those of the calls.
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
    /// A table for calls of the numbers 1 to `capacity`.
    pub(crate) fn new(capacity: u32) -> Self {
        let slots = (0..=capacity).map(|_| EMPTY).collect();
        Self { slots, len: 0, overdue: 0, last_expired: LIST, last_overdue: LIST, oldest_trial: LIST }
    }

    /// Adds a call behind all others. Its number stands for no call so far, and its start is not before that of the last call.
    #[inline]
    pub(crate) fn begin(&mut self, number: u32, start_ns: u64, trial: bool) {
        let Some(list) = self.slots.first_mut() else { return };
        let tail = core::mem::replace(&mut list.previous, number);
        if let Some(slot) = self.slots.get_mut(number as usize) {
            *slot = Slot { start_ns, previous: tail, next: LIST, on: On::Waiting };
        }
        if let Some(slot) = self.slots.get_mut(tail as usize) {
            slot.next = number;
        }
        self.len += 1;
        if trial {
            self.begin_trial(number);
        }
    }

    #[cold]
    fn begin_trial(&mut self, number: u32) {
        self.put(number, On::Trial);
        if self.oldest_trial == LIST {
            self.oldest_trial = number;
        }
    }

    /// Removes the call of this number, which stands for no call from now on.
    #[inline]
    pub(crate) fn remove(&mut self, number: u32) -> Returned {
        let Some(slot) = self.slots.get_mut(number as usize) else { return Returned::Unknown };
        let Slot { previous, next, on, .. } = *slot;
        slot.on = On::Nothing;
        if on != On::Waiting {
            return self.remove_special(number, on);
        }
        self.unlink(previous, next);
        Returned::Call
    }

    /// Removes any call that doesn't just wait: a cursor may stand on it.
    #[cold]
    fn remove_special(&mut self, number: u32, on: On) -> Returned {
        let Slot { previous, next, .. } = self.at(number);
        let returned = match on {
            On::Nothing => return Returned::Unknown,
            On::Trial => Returned::Trial,
            On::Waiting | On::Overdue | On::Expired => Returned::Call,
        };
        self.overdue -= usize::from(on == On::Overdue);
        for cursor in [&mut self.last_expired, &mut self.last_overdue] {
            if *cursor == number {
                *cursor = previous;
            }
        }
        self.unlink(previous, next);
        if self.oldest_trial == number {
            self.oldest_trial = self.trial_from(next);
        }
        returned
    }

    #[inline]
    fn unlink(&mut self, previous: u32, next: u32) {
        if let Some(slot) = self.slots.get_mut(previous as usize) {
            slot.next = next;
        }
        if let Some(slot) = self.slots.get_mut(next as usize) {
            slot.previous = previous;
        }
        self.len -= 1;
    }

    /// The first trial from this call on, or `LIST` if there is none. Each call is passed over once at most, as the cursor moves
    /// forward alone.
    fn trial_from(&self, mut number: u32) -> u32 {
        while self.at(number).on != On::Trial && number != LIST {
            number = self.at(number).next;
        }
        number
    }

    /// Forgets every call, and tells `forget` the number of each.
    pub(crate) fn clear(&mut self, mut forget: impl FnMut(u32)) {
        let mut number = self.at(LIST).next;
        while number != LIST {
            let next = self.at(number).next;
            self.put(number, On::Nothing);
            forget(number);
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
            let Slot { start_ns, on, .. } = self.at(last);
            (start_ns, on == On::Trial)
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
            slot.on = on;
        }
    }

    /// The start of the call of this number. It is `None` for `LIST`.
    fn start_ns(&self, number: u32) -> Option<u64> {
        (number != LIST).then(|| self.at(number).start_ns)
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
        number: u32,
        start_ns: u64,
        trial: bool,
        /// Became overdue (whether or not it was too old by then).
        overdue: bool,
    }

    proptest! {
        /// The twin is a plain list of calls in sending order, filtered anew each time.
        #[test]
        fn behaves_as_a_list_of_calls(capacity in 1u32..9, ops in prop::collection::vec(op(), 0..200)) {
            let mut in_flight = InFlight::new(capacity);
            let mut twin: Vec<TwinCall> = Vec::new();
            let (mut now_ns, mut threshold_ns, mut age_ns) = (0u64, 10u64, 40u64);
            for op in ops {
                let free: Vec<u32> = (1..=capacity)
                    .filter(|number| twin.iter().all(|call| call.number != *number))
                    .collect();
                match op {
                    Op::Begin { later_ns, trial, which } => if !free.is_empty() {
                        now_ns += later_ns;
                        let number = *which.get(&free);
                        in_flight.begin(number, now_ns, trial);
                        twin.push(TwinCall { number, start_ns: now_ns, trial, overdue: false });
                    }
                    Op::Remove { which } => {
                        let number = which.index(capacity as usize) as u32 + 1;
                        let expected = match twin.iter().position(|call| call.number == number) {
                            Some(at) => {
                                let TwinCall { trial, overdue, .. } = twin.remove(at);
                                if trial && !overdue { Returned::Trial } else { Returned::Call }
                            }
                            None => Returned::Unknown,
                        };
                        prop_assert_eq!(in_flight.remove(number), expected);
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
                        in_flight.clear(|number| told.push(number));
                        prop_assert_eq!(&told, &twin.drain(..).map(|call| call.number).collect::<Vec<_>>());
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
        let mut in_flight = InFlight::new(2);
        for number in [0, 3, u32::MAX] {
            assert_eq!(in_flight.remove(number), Returned::Unknown);
        }
        assert_eq!(in_flight.len(), 0);
    }
}
