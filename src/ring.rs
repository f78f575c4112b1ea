//! A fixed, cache-aligned ring of stamped latencies. It is plain memory, private to the breaker's owner.
//!
//! Latencies, stamps and outcomes lie in arrays of their own, so that a pass over the latencies (the quantile) reads nothing else.
//! Failures are rare: their bits are neither read nor written while the ring holds no failed sample.
#![expect(unsafe_code, reason = "unchecked slots on the hot path; every index is kept below `capacity`")]

const LINE: usize = 16;

/// A pair of cache lines, which adjacent-line prefetchers fetch together.
#[repr(C, align(128))]
#[derive(Clone)]
struct Line([u64; LINE]);

/// Line-aligned words. All are resident from construction on, so that no page fault waits on the hot path.
struct Words(Box<[Line]>);

impl Words {
    fn new(len: usize) -> Self {
        // Not zero: the allocator may hand out zeroed pages that fault on their first use.
        Self(vec![Line([u64::MAX; LINE]); len.div_ceil(LINE)].into_boxed_slice())
    }

    #[inline]
    fn as_slice(&self) -> &[u64] {
        // SAFETY: `Line` is `repr(C)` over `[u64; LINE]` with no padding (its size equals its alignment), so the
        // boxed lines are `LINE * lines` initialised `u64`s in a row.
        unsafe { core::slice::from_raw_parts(self.0.as_ptr().cast(), self.0.len() * LINE) }
    }

    #[inline]
    fn as_mut_slice(&mut self) -> &mut [u64] {
        // SAFETY: as in `as_slice`, and `&mut self` makes the borrow exclusive.
        unsafe { core::slice::from_raw_parts_mut(self.0.as_mut_ptr().cast(), self.0.len() * LINE) }
    }

    /// # Safety
    /// `index` is below the `len` given to `new`.
    #[inline]
    unsafe fn get(&self, index: usize) -> u64 {
        debug_assert!(index < self.as_slice().len());
        // SAFETY: the caller's promise.
        unsafe { *self.as_slice().get_unchecked(index) }
    }

    /// # Safety
    /// `index` is below the `len` given to `new`.
    #[inline]
    unsafe fn get_mut(&mut self, index: usize) -> &mut u64 {
        debug_assert!(index < self.as_slice().len());
        // SAFETY: the caller's promise.
        unsafe { self.as_mut_slice().get_unchecked_mut(index) }
    }
}

/// A finished call, in the form in which the window keeps it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sample {
    pub(crate) end_ns: u64,
    pub(crate) latency_ns: u64,
    pub(crate) ok: bool,
}

pub(crate) struct Ring {
    latencies_ns: Words,
    ends_ns: Words,
    /// A bit for each slot. All bits are 0 while `failed` is 0.
    failed_bits: Words,
    /// How many samples there may be; at least 1.
    capacity: usize,
    /// The slot of the next sample to come, in range `0 .. capacity`. If the ring is full, the oldest sample is there.
    next: usize,
    /// How many samples there are, in range `0 ..= capacity`.
    len: usize,
    /// Where the calm slots end. If this is above `next`, the ring is full, and the slots from `next` to here hold samples that
    /// succeeded. It is below `capacity`, and never that of an earlier lap.
    calm_end: usize,
    /// How many samples ever entered, without the latest `next` of them. It is a multiple of `capacity`.
    lapped: u64,
    /// How many of the `len` samples failed.
    failed: usize,
}

impl Ring {
    pub(crate) fn new(capacity: usize) -> Self {
        let capacity = capacity.max(1);
        let mut failed_bits = Words::new(capacity.div_ceil(64));
        failed_bits.as_mut_slice().fill(0);
        Self {
            latencies_ns: Words::new(capacity),
            ends_ns: Words::new(capacity),
            failed_bits,
            capacity,
            next: 0,
            len: 0,
            calm_end: 0,
            lapped: 0,
            failed: 0,
        }
    }

    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// How many samples ever entered.
    #[inline]
    pub(crate) fn pushed(&self) -> u64 {
        self.lapped + self.next as u64
    }

    /// How many of the samples failed.
    #[inline]
    pub(crate) fn failed(&self) -> usize {
        self.failed
    }

    #[inline]
    pub(crate) fn clear(&mut self) {
        if self.failed > 0 {
            self.failed_bits.as_mut_slice().fill(0);
            self.failed = 0;
        }
        self.len = 0;
        self.calm_end = 0;
    }

    /// The sample `age` places after the oldest (0 = the oldest), if there are so many.
    #[inline]
    pub(crate) fn get(&self, age: usize) -> Option<Sample> {
        // SAFETY: `slot` returns an index below `capacity`.
        (age < self.len).then(|| unsafe { self.sample(self.slot(age)) })
    }

    /// Takes the oldest sample out.
    #[inline]
    pub(crate) fn pop(&mut self) -> Option<Sample> {
        let sample = self.get(0)?;
        if !sample.ok {
            self.count_failed(self.slot(0), true, false);
        }
        self.len -= 1;
        self.calm_end = 0;
        Some(sample)
    }

    /// Puts a sample behind the newest one. If the ring is full, it takes the place of the oldest sample, which is returned.
    #[inline]
    pub(crate) fn push(&mut self, sample: Sample) -> Option<Sample> {
        let slot = self.next;
        let dropped = if self.len == self.capacity {
            // SAFETY: `next` is below `capacity`.
            Some(unsafe { self.sample(slot) })
        } else {
            self.len += 1;
            None
        };
        // SAFETY: the same.
        unsafe {
            *self.ends_ns.get_mut(slot) = sample.end_ns;
            *self.latencies_ns.get_mut(slot) = sample.latency_ns;
        }
        let dropped_failed = dropped.is_some_and(|dropped| !dropped.ok);
        if !sample.ok || dropped_failed {
            self.count_failed(slot, dropped_failed, !sample.ok);
        }
        self.next = slot + 1;
        if self.next == self.capacity {
            self.next = 0;
            self.calm_end = 0;
            self.lapped += self.capacity as u64;
        }
        dropped
    }

    /// [`push`](Self::push) of a sample that succeeded, in the place of one that succeeded, too, and was faster than `below_ns`.
    /// `look_for_calm` must have found the slot calm. Otherwise this returns false, and nothing is changed.
    #[inline(always)]
    pub(crate) fn replace_calm(&mut self, end_ns: u64, latency_ns: u64, below_ns: u64) -> bool {
        let slot = self.next;
        if slot >= self.calm_end {
            return false;
        }
        // SAFETY: `calm_end` is below `capacity`, and `slot` below that.
        let (latency, end) = unsafe { (self.latencies_ns.get_mut(slot), self.ends_ns.get_mut(slot)) };
        if *latency >= below_ns {
            return false;
        }
        *latency = latency_ns;
        *end = end_ns;
        self.next = slot + 1;
        true
    }

    /// Looks how far the next slots are calm: up to the next sample that failed, or up to the last slot, behind which a new lap
    /// begins. This looks at few slots, as it is called again at their end. False if the ring isn't full.
    #[inline]
    pub(crate) fn look_for_calm(&mut self) -> bool {
        if self.len < self.capacity {
            return false;
        }
        if self.next >= self.calm_end {
            self.calm_end =
                if self.failed == 0 { self.capacity - 1 } else { self.next_failed().min(self.capacity - 1) };
        }
        true
    }

    /// The next slot that failed, or the first slot that wasn't looked at.
    #[cold]
    fn next_failed(&self) -> usize {
        const WORDS: usize = 4;
        let (first, passed) = (self.next / 64, self.next % 64);
        let words = self.failed_bits.as_slice().iter().enumerate().skip(first).take(WORDS);
        for (index, &word) in words {
            let ahead = if index == first { word >> passed << passed } else { word };
            if ahead != 0 {
                return index * 64 + ahead.trailing_zeros() as usize;
            }
        }
        (first + WORDS) * 64
    }

    /// The latencies, oldest first, in up to two runs.
    pub(crate) fn latencies_ns(&self) -> (&[u64], &[u64]) {
        let slots = self.latencies_ns.as_slice();
        let oldest = self.slot(0);
        let first = self.len.min(self.capacity - oldest);
        let run = |from: usize, len: usize| slots.get(from..from + len).unwrap_or_default();
        (run(oldest, first), run(0, self.len - first))
    }

    /// The slot `age` places after the oldest, for an `age` below `len` (or 0): in range `0 .. capacity`.
    #[inline]
    fn slot(&self, age: usize) -> usize {
        debug_assert!(age < self.len.max(1));
        let back = self.len - age;
        if self.next >= back { self.next - back } else { self.next + self.capacity - back }
    }

    /// # Safety
    /// `slot` is below `capacity`.
    #[inline]
    unsafe fn sample(&self, slot: usize) -> Sample {
        // SAFETY: the caller's promise.
        let (end_ns, latency_ns) = unsafe { (self.ends_ns.get(slot), self.latencies_ns.get(slot)) };
        Sample { end_ns, latency_ns, ok: !self.is_failed(slot) }
    }

    /// The sample of this slot leaves, or is replaced. `was` tells whether the old one failed, and `is` whether a new one did.
    #[cold]
    fn count_failed(&mut self, slot: usize, was: bool, is: bool) {
        self.failed = self.failed + usize::from(is) - usize::from(was);
        if was != is {
            self.flip_failed(slot);
        }
    }

    #[inline]
    fn is_failed(&self, slot: usize) -> bool {
        // SAFETY: `slot < capacity`, and there is a bit for each slot.
        self.failed > 0 && unsafe { self.failed_bits.get(slot / 64) } >> (slot % 64) & 1 == 1
    }

    #[cold]
    fn flip_failed(&mut self, slot: usize) {
        // SAFETY: `slot < capacity`, and there is a bit for each slot.
        unsafe { *self.failed_bits.get_mut(slot / 64) ^= 1 << (slot % 64) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::VecDeque;

    #[derive(Clone, Debug)]
    enum Op {
        Push(u64, u64, bool),
        Pop,
        Clear,
    }

    fn ops() -> impl Strategy<Value = Vec<Op>> {
        let op = prop_oneof![
            8 => (any::<u64>(), any::<u64>(), any::<bool>()).prop_map(|(end, latency, ok)| Op::Push(end, latency, ok)),
            3 => Just(Op::Pop),
            1 => Just(Op::Clear),
        ];
        prop::collection::vec(op, 0..300)
    }

    proptest! {
        #[test]
        fn behaves_as_a_deque(capacity in prop_oneof![1usize..5, 60usize..70, Just(128)], ops in ops()) {
            let mut ring = Ring::new(capacity);
            let mut twin = VecDeque::new();
            for op in ops {
                match op {
                    Op::Push(end_ns, latency_ns, ok) => {
                        let dropped = if twin.len() == capacity { twin.pop_front() } else { None };
                        prop_assert_eq!(ring.push(Sample { end_ns, latency_ns, ok }), dropped);
                        twin.push_back(Sample { end_ns, latency_ns, ok });
                    }
                    Op::Pop => prop_assert_eq!(ring.pop(), twin.pop_front()),
                    Op::Clear => {
                        ring.clear();
                        twin.clear();
                    }
                }
                prop_assert_eq!(ring.len(), twin.len());
                prop_assert_eq!(ring.failed(), twin.iter().filter(|sample| !sample.ok).count());
                for age in 0..=capacity {
                    prop_assert_eq!(ring.get(age), twin.get(age).copied());
                }
                let (older, newer) = ring.latencies_ns();
                let latencies: Vec<u64> = older.iter().chain(newer).copied().collect();
                prop_assert_eq!(latencies, twin.iter().map(|sample| sample.latency_ns).collect::<Vec<_>>());
            }
        }
    }

    #[test]
    fn lines_are_aligned_and_dense() {
        assert_eq!((size_of::<Line>(), align_of::<Line>()), (128, 128));
        assert!(Words::new(17).as_slice().as_ptr().cast::<Line>().is_aligned());
    }
}
