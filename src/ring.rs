//! A fixed, cache-aligned ring of stamped latencies. It is plain memory, private to the breaker's owner.
//!
//! Latencies lie in a row, so that a pass over them (the quantile) reads nothing else. The stamps lie in a row behind them, in the same
//! block, so that one address leads to both. Failures are rare: their bits are neither read nor written while the ring holds no failed
//! sample.
//!
//! While all is calm, the latest few samples are *staged* beside the breaker's other hot fields, and put into the rows together. So most
//! samples touch no memory but that. A process with a thousand breakers has too many rows for its caches, and far too many pages for its
//! TLB.
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

    /// Where the first word is.
    #[inline]
    fn first(&mut self) -> *mut u64 {
        self.0.as_mut_ptr().cast()
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

/// A finished call, in the form in which the window keeps it. Its latency is below 2^63 ns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sample {
    pub(crate) end_ns: u64,
    pub(crate) latency_ns: u64,
    pub(crate) ok: bool,
}

/// So many samples are staged at most: a pair of lines with latencies, and a pair with stamps.
const STAGE: usize = 16;

/// The fields that a calm sample takes come first: see `breaker::machine`.
#[repr(C)]
pub(crate) struct Ring {
    /// How many samples are staged. They are those of the slots from `next` on.
    staged: u32,
    /// How many samples may be staged, at most `STAGE`: if this is above 0, the ring is full, and the samples of as many slots from `next`
    /// on, which the staged ones replace, have succeeded and are not slow. No slot of the next lap is among these.
    calm: u32,
    staged_ns: [u64; STAGE],
    staged_ends_ns: [u64; STAGE],

    /// The slot of the next sample to be put into the rows, in range `0 .. capacity`. If the ring is full, the oldest sample is there.
    next: u32,
    /// How many samples there may be, in range `1 ..= 2^31`.
    capacity: u32,
    /// The latency of each slot, and then, from `stamps` on, when each sample ended.
    words: Words,
    /// Where the stamps begin: `capacity`, or the next whole line after it.
    stamps: usize,
    /// A bit for each slot. All bits are 0 while `failed` is 0.
    failed_bits: Words,
    /// How many samples there are, in range `0 ..= capacity`.
    len: usize,
    /// How many samples ever entered, without the latest `next + staged` of them. It is a multiple of `capacity`.
    lapped: u64,
    /// How many of the `len` samples failed.
    failed: usize,
}

impl Ring {
    /// What comes before the staged samples.
    #[cfg(test)]
    pub(crate) const CALM_BYTES: usize = core::mem::offset_of!(Self, staged_ns);

    /// A capacity of 0 counts as 1.
    pub(crate) fn new(capacity: u32) -> Self {
        let capacity = capacity.clamp(1, 1 << 31);
        let stamps = (capacity as usize).next_multiple_of(LINE);
        let mut failed_bits = Words::new((capacity as usize).div_ceil(64));
        failed_bits.as_mut_slice().fill(0);
        Self {
            staged: 0,
            calm: 0,
            staged_ns: [0; STAGE],
            staged_ends_ns: [0; STAGE],
            next: 0,
            capacity,
            words: Words::new(2 * stamps),
            stamps,
            failed_bits,
            len: 0,
            lapped: 0,
            failed: 0,
        }
    }

    #[inline]
    fn capacity(&self) -> usize {
        self.capacity as usize
    }

    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// How many samples ever entered.
    #[inline]
    pub(crate) fn pushed(&self) -> u64 {
        self.lapped + u64::from(self.next) + u64::from(self.staged)
    }

    /// How many of the samples failed.
    #[inline]
    pub(crate) fn failed(&self) -> usize {
        self.failed
    }

    #[inline]
    pub(crate) fn clear(&mut self) {
        self.end_calm();
        if self.failed > 0 {
            self.failed_bits.as_mut_slice().fill(0);
            self.failed = 0;
        }
        self.len = 0;
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
        self.end_calm();
        let sample = self.get(0)?;
        if !sample.ok {
            self.count_failed(self.slot(0), true, false);
        }
        self.len -= 1;
        Some(sample)
    }

    /// Puts a sample behind the newest one. If the ring is full, it takes the place of the oldest sample, which is returned.
    #[inline]
    pub(crate) fn push(&mut self, sample: Sample) -> Option<Sample> {
        self.end_calm();
        let slot = self.next as usize;
        let dropped = if self.len == self.capacity() {
            // SAFETY: `next` is below `capacity`.
            Some(unsafe { self.sample(slot) })
        } else {
            self.len += 1;
            None
        };
        // SAFETY: the same, and there is a latency and a stamp for each slot below `capacity`.
        unsafe {
            *self.words.get_mut(slot) = sample.latency_ns;
            *self.words.get_mut(self.stamps + slot) = sample.end_ns;
        }
        let dropped_failed = dropped.is_some_and(|dropped| !dropped.ok);
        if !sample.ok || dropped_failed {
            self.count_failed(slot, dropped_failed, !sample.ok);
        }
        self.next += 1;
        self.begin_lap_at_end();
        dropped
    }

    /// [`push`](Self::push) of a sample that succeeded, in the place of one that succeeded, too, and wasn't slow, as
    /// [`look_for_calm`](Self::look_for_calm) has found. Otherwise this returns false, and nothing is changed.
    #[inline(always)]
    pub(crate) fn replace_calm(&mut self, end_ns: u64, latency_ns: u64) -> bool {
        let place = self.staged as usize;
        if self.staged >= self.calm {
            return false;
        }
        // SAFETY: `calm` is at most `STAGE`, and `place` is below it.
        unsafe {
            *self.staged_ns.get_unchecked_mut(place) = latency_ns;
            *self.staged_ends_ns.get_unchecked_mut(place) = end_ns;
        }
        self.staged += 1;
        true
    }

    /// Whether the latest look has found no more such places.
    #[inline(always)]
    pub(crate) fn is_look_due(&self) -> bool {
        self.staged >= self.calm
    }

    /// Looks how many of the next samples take the place of one that succeeded and was not slower than `threshold_ns`. If no sample in the
    /// ring was, `is_any_slow` is false. This looks at a few samples, as it is called again behind them. False if the next one doesn't.
    #[inline]
    pub(crate) fn look_for_calm(&mut self, is_any_slow: bool, threshold_ns: u64) -> bool {
        self.end_calm();
        if self.len < self.capacity() {
            return false;
        }
        let end = if self.failed == 0 { self.capacity } else { self.capacity.min(self.next_failed()) };
        self.calm = (end - self.next).min(STAGE as u32);
        if is_any_slow {
            let first = self.next as usize;
            let leaving_ns = self.words.as_slice().get(first..first + self.calm as usize).unwrap_or_default();
            // Of two words below 2^63 the first is greater if the difference is negative. The compiler makes vectors of this.
            let whole = leaving_ns.first_chunk::<STAGE>();
            let is_none_slow = whole.is_some_and(|all_ns| {
                all_ns.iter().fold(0, |signs, &latency_ns| signs | threshold_ns.wrapping_sub(latency_ns)) >> 63 == 0
            });
            if !is_none_slow {
                self.calm = leaving_ns.iter().take_while(|&&latency_ns| latency_ns <= threshold_ns).count() as u32;
            }
        }
        self.calm > 0
    }

    /// Puts the staged samples into the rows. What the latest look has found of the others still holds.
    #[inline]
    fn settle(&mut self) {
        if self.staged > 0 {
            self.put_staged();
        }
    }

    /// [`settle`](Self::settle), as the ring is about to be changed. None may be staged after this until the next look.
    #[inline]
    fn end_calm(&mut self) {
        self.settle();
        self.calm = 0;
    }

    #[inline(never)]
    fn put_staged(&mut self) {
        // As a rule all of them: a number that the compiler knows, so that it makes no loop.
        if self.staged as usize == STAGE {
            self.put_first_staged(STAGE);
        } else {
            self.put_first_staged(self.staged as usize);
        }
        self.next += self.staged;
        self.calm -= self.staged;
        self.staged = 0;
        self.begin_lap_at_end();
    }

    #[inline(always)]
    fn put_first_staged(&mut self, count: usize) {
        debug_assert!(count <= self.staged as usize);
        let (slot, stamp) = (self.next as usize, self.stamps + self.next as usize);
        let row = self.words.first();
        for place in 0..count {
            // SAFETY: at most `STAGE` samples are staged, and their slots are below `capacity`, so that there is a latency for each. Each
            // word is read as it was written: a wider load, which the compiler would make of these, waits until the stores have left the
            // processor's buffer.
            unsafe { *row.add(slot + place) = core::ptr::read_volatile(self.staged_ns.as_ptr().add(place)) };
        }
        for place in 0..count {
            // SAFETY: the same; and there is a stamp for each.
            unsafe { *row.add(stamp + place) = core::ptr::read_volatile(self.staged_ends_ns.as_ptr().add(place)) };
        }
    }

    #[inline]
    fn begin_lap_at_end(&mut self) {
        if self.next == self.capacity {
            self.next = 0;
            self.lapped += u64::from(self.capacity);
        }
    }

    /// The next slot that failed, or the first slot that wasn't looked at.
    #[cold]
    fn next_failed(&self) -> u32 {
        const WORDS: usize = 4;
        let (first, passed) = (self.next as usize / 64, self.next % 64);
        let words = self.failed_bits.as_slice().iter().enumerate().skip(first).take(WORDS);
        for (index, &word) in words {
            let ahead = if index == first { word >> passed << passed } else { word };
            if ahead != 0 {
                return index as u32 * 64 + ahead.trailing_zeros();
            }
        }
        (first + WORDS) as u32 * 64
    }

    /// The latencies, oldest first, in up to two runs.
    pub(crate) fn latencies_ns(&mut self) -> (&[u64], &[u64]) {
        self.settle();
        let slots = self.words.as_slice();
        let oldest = self.slot(0);
        let first = self.len.min(self.capacity() - oldest);
        let run = |from: usize, len: usize| slots.get(from..from + len).unwrap_or_default();
        (run(oldest, first), run(0, self.len - first))
    }

    /// The slot `age` places after the oldest, for an `age` below `len` (or 0): in range `0 .. capacity`.
    #[inline]
    fn slot(&self, age: usize) -> usize {
        debug_assert!(age < self.len.max(1));
        let back = self.len - age;
        let next = (self.next + self.staged) as usize;
        if next >= back { next - back } else { next + self.capacity() - back }
    }

    /// # Safety
    /// `slot` is below `capacity`.
    #[inline]
    unsafe fn sample(&self, slot: usize) -> Sample {
        let place = slot.wrapping_sub(self.next as usize);
        let staged = (self.staged_ns.get(place), self.staged_ends_ns.get(place));
        let (latency_ns, end_ns) = match staged {
            (Some(&latency_ns), Some(&end_ns)) if place < self.staged as usize => (latency_ns, end_ns),
            // SAFETY: the caller's promise; and there is a latency and a stamp for each slot.
            _ => unsafe { (self.words.get(slot), self.words.get(self.stamps + slot)) },
        };
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
        /// So many, by the calm way where that may be.
        Calm(usize),
        Pop,
        Clear,
        /// Of the rows, in which nothing may be staged then.
        Read,
    }

    const THRESHOLD_NS: u64 = 1 << 62;

    fn ops() -> impl Strategy<Value = Vec<Op>> {
        let op = prop_oneof![
            8 => (any::<u64>(), 0..1u64 << 63, any::<bool>()).prop_map(|(end, latency, ok)| Op::Push(end, latency, ok)),
            6 => (1usize..30).prop_map(Op::Calm),
            3 => Just(Op::Pop),
            1 => Just(Op::Clear),
            2 => Just(Op::Read),
        ];
        prop::collection::vec(op, 0..300)
    }

    proptest! {
        #[test]
        fn behaves_as_a_deque(capacity in prop_oneof![1u32..5, 60u32..70, Just(128)], ops in ops()) {
            let mut ring = Ring::new(capacity);
            let (mut twin, mut pushed) = (VecDeque::new(), 0);
            for op in ops {
                match op {
                    Op::Push(end_ns, latency_ns, ok) => {
                        let dropped = if twin.len() == capacity as usize { twin.pop_front() } else { None };
                        prop_assert_eq!(ring.push(Sample { end_ns, latency_ns, ok }), dropped);
                        twin.push_back(Sample { end_ns, latency_ns, ok });
                        pushed += 1;
                    }
                    Op::Calm(count) => for number in 0..count as u64 {
                        let sample = Sample { end_ns: number, latency_ns: number * 7, ok: true };
                        if ring.replace_calm(sample.end_ns, sample.latency_ns) {
                            let left = twin.pop_front().filter(|left| left.ok && left.latency_ns <= THRESHOLD_NS);
                            let was_full = twin.len() + 1 == capacity as usize;
                            prop_assert!(left.is_some() && was_full, "{left:?} leaves calmly");
                        } else {
                            let dropped = if twin.len() == capacity as usize { twin.pop_front() } else { None };
                            prop_assert_eq!(ring.push(sample), dropped);
                        }
                        twin.push_back(sample);
                        pushed += 1;
                        if ring.is_look_due() {
                            let is_any_slow = twin.iter().any(|sample| sample.latency_ns > THRESHOLD_NS);
                            ring.look_for_calm(is_any_slow, THRESHOLD_NS);
                        }
                    },
                    Op::Pop => prop_assert_eq!(ring.pop(), twin.pop_front()),
                    Op::Clear => {
                        ring.clear();
                        twin.clear();
                    }
                    Op::Read => {
                        let (older, newer) = ring.latencies_ns();
                        let latencies: Vec<u64> = older.iter().chain(newer).copied().collect();
                        prop_assert_eq!(latencies, twin.iter().map(|sample| sample.latency_ns).collect::<Vec<_>>());
                    }
                }
                prop_assert_eq!(ring.len(), twin.len());
                prop_assert_eq!(ring.failed(), twin.iter().filter(|sample| !sample.ok).count());
                for age in 0..=capacity as usize {
                    prop_assert_eq!(ring.get(age), twin.get(age).copied());
                }
                prop_assert_eq!(ring.pushed(), pushed);
            }
        }
    }

    #[test]
    fn lines_are_aligned_and_dense() {
        assert_eq!((size_of::<Line>(), align_of::<Line>()), (128, 128));
        assert!(Words::new(17).as_slice().as_ptr().cast::<Line>().is_aligned());
    }
}
