//! The greatest samples of the window. They are kept from one question to the next, as a high quantile is one of them.
//!
//! They are the samples above a floor. To bring them up to date, only new samples need to be compared with the floor.

use core::cell::Cell;

/// The samples of a window, oldest first, in up to two runs. Sequence numbers count all samples that ever entered the window.
#[derive(Clone, Copy)]
pub(crate) struct Samples<'a> {
    pub(crate) older_ns: &'a [u64],
    pub(crate) newer_ns: &'a [u64],
    /// The sequence number of the oldest sample.
    pub(crate) first: u64,
}

impl Samples<'_> {
    pub(crate) fn len(self) -> usize {
        self.older_ns.len() + self.newer_ns.len()
    }

    /// The sample `age` places after the oldest.
    pub(super) fn get(self, age: usize) -> Option<u64> {
        match age.checked_sub(self.older_ns.len()) {
            None => self.older_ns.get(age).copied(),
            Some(newer) => self.newer_ns.get(newer).copied(),
        }
    }

    /// How many samples are equal to `latency_ns`.
    #[inline(always)]
    pub(super) fn count(self, latency_ns: u64) -> usize {
        [self.older_ns, self.newer_ns].into_iter().flatten().map(|&other_ns| usize::from(other_ns == latency_ns)).sum()
    }

    /// The samples without the `count` oldest ones.
    fn skip(self, count: usize) -> Self {
        Self {
            older_ns: self.older_ns.get(count..).unwrap_or_default(),
            newer_ns: self.newer_ns.get(count.saturating_sub(self.older_ns.len())..).unwrap_or_default(),
            first: self.first + count as u64,
        }
    }
}

/// How many words are compared at a time.
pub(super) const BLOCK: usize = u64::BITS as usize;

/// Up to a block behind the last of the samples has this latency, which is below that of any of them.
const NO_LATENCY: u64 = 0;
/// The same places have this sequence number, which no window has.
const NO_SEQUENCE: u64 = u64::MAX;

pub(super) struct Tail {
    /// The samples in `latencies_ns[start..end]` are above this.
    pub(super) floor_ns: u64,
    /// The samples, oldest first.
    latencies_ns: Box<[u64]>,
    /// The sequence numbers of the samples.
    sequences: Box<[u64]>,
    /// In range `0 ..= end`.
    start: usize,
    /// In range `0 ..= capacity`, unless the samples overflowed.
    end: usize,
    /// There were more samples than the capacity.
    overflowed: bool,
    /// Samples before this sequence number have been compared with the floor.
    seen: u64,
}

impl Tail {
    pub(super) fn new(capacity: usize) -> Self {
        // The latencies are not zero at first: see `ring`. The black box keeps the compiler from asking for zeroed pages after all.
        let mut latencies_ns = vec![u64::MAX; capacity + BLOCK];
        core::hint::black_box(&mut latencies_ns).fill(NO_LATENCY);
        Self {
            floor_ns: u64::MAX,
            latencies_ns: latencies_ns.into_boxed_slice(),
            sequences: vec![NO_SEQUENCE; capacity + BLOCK].into_boxed_slice(),
            start: 0,
            end: 0,
            overflowed: false,
            seen: 0,
        }
    }

    /// More samples than this are too many.
    pub(super) fn capacity(&self) -> usize {
        self.latencies_ns.len() - BLOCK
    }

    /// The samples above the floor. It is `None` if they are too many.
    pub(super) fn latencies_ns(&self) -> Option<&[u64]> {
        if self.overflowed { None } else { self.latencies_ns.get(self.start..self.end) }
    }

    /// The `from_top`-th greatest sample (1 = the greatest) if it is the guess, or next to the guess in order. There must be
    /// `from_top` samples above the floor.
    #[inline(always)]
    pub(super) fn select_near(&self, from_top: usize, guess_ns: u64) -> Option<u64> {
        // These are whole blocks. A remainder would vary in length, and be mispredicted.
        let len = (self.end - self.start).next_multiple_of(BLOCK);
        let latencies_ns = self.latencies_ns.get(self.start..)?.get(..len)?;
        let guess_ns = guess_ns.max(NO_LATENCY + 1);
        let (mut above, mut at_least) = (0u64, 0u64);
        for &latency_ns in latencies_ns {
            above += u64::from(latency_ns > guess_ns);
            at_least += u64::from(latency_ns >= guess_ns);
        }
        let (above, at_least) = (above as usize, at_least as usize);
        if above < from_top && from_top <= at_least {
            Some(guess_ns)
        } else if from_top == at_least + 1 {
            Some(greatest(latencies_ns, |latency_ns| if latency_ns < guess_ns { latency_ns } else { 0 }))
        } else if from_top == above {
            // The least value is the greatest one upside down.
            Some(!greatest(latencies_ns, |latency_ns| if latency_ns > guess_ns { !latency_ns } else { 0 }))
        } else {
            None
        }
    }

    /// Sets another floor. The next update begins anew with it.
    pub(super) fn restart(&mut self, floor_ns: u64) {
        self.floor_ns = floor_ns;
        self.seen = 0;
    }

    /// Drops what has left the window, and adds what came since the last update.
    #[inline(always)]
    pub(super) fn update(&mut self, samples: Samples<'_>) {
        if self.seen <= samples.first {
            self.start = self.end;
            self.keep_above(self.floor_ns);
            self.overflowed = false;
        }
        // More than two seldom leave. Two take no branch to mispredict.
        for _ in 0..2 {
            self.start += usize::from(self.oldest_sequence() < samples.first);
        }
        while self.oldest_sequence() < samples.first {
            self.start += 1;
        }

        let new = samples.skip(self.seen.saturating_sub(samples.first) as usize);
        if new.len() > self.capacity().saturating_sub(self.end) {
            self.keep_above(self.floor_ns); // makes room
        }
        // Copies stay in registers.
        let (floor_ns, capacity, mut end) = (self.floor_ns, self.capacity(), self.end);
        let (latencies_ns, sequences) = (&mut *self.latencies_ns, &mut *self.sequences);
        for (run_ns, first) in [(new.older_ns, new.first), (new.newer_ns, new.first + new.older_ns.len() as u64)] {
            each_above(run_ns, floor_ns, |index, latency_ns, is_above| {
                // The sample is always written. The end advances only if the sample is above the floor.
                if let (Some(latency_end), Some(sequence_end)) = (latencies_ns.get_mut(end), sequences.get_mut(end)) {
                    *latency_end = latency_ns;
                    *sequence_end = first + index as u64;
                    end += usize::from(is_above);
                }
                end <= capacity
            });
        }
        if let (Some(latency_end), Some(sequence_end)) = (latencies_ns.get_mut(end), sequences.get_mut(end)) {
            *latency_end = NO_LATENCY;
            *sequence_end = NO_SEQUENCE;
        }
        self.end = end;
        self.overflowed |= end > self.capacity();
        self.seen = samples.first + samples.len() as u64;
    }

    fn oldest_sequence(&self) -> u64 {
        self.sequences.get(self.start).copied().unwrap_or(NO_SEQUENCE)
    }

    /// Raises the floor, and moves the samples to the front of their room.
    #[cold]
    pub(super) fn keep_above(&mut self, floor_ns: u64) {
        self.floor_ns = floor_ns;
        let mut kept = 0;
        let latencies_ns = Cell::from_mut(&mut *self.latencies_ns).as_slice_of_cells();
        let sequences = Cell::from_mut(&mut *self.sequences).as_slice_of_cells();
        for (latency_ns, sequence) in latencies_ns.iter().zip(sequences).take(self.end).skip(self.start) {
            let is_above = latency_ns.get() > floor_ns;
            // The sample is always written, so that there is no branch to mispredict. The end advances only if the sample stays.
            if let (Some(latency_end), Some(sequence_end)) = (latencies_ns.get(kept), sequences.get(kept)) {
                latency_end.set(latency_ns.get());
                sequence_end.set(sequence.get());
            }
            kept += usize::from(is_above);
        }
        self.latencies_ns.get_mut(kept..self.end).unwrap_or_default().fill(NO_LATENCY);
        self.sequences.get_mut(kept..self.end).unwrap_or_default().fill(NO_SEQUENCE);
        (self.start, self.end) = (0, kept);
    }
}

/// The greatest number that `key` makes of the values, which are whole blocks.
#[inline(always)]
fn greatest(values: &[u64], key: impl Fn(u64) -> u64) -> u64 {
    // There is a maximum for each lane, as the compiler makes no vectors of one maximum.
    let mut lanes = [0; 8];
    for eight in values.as_chunks::<8>().0 {
        for (lane, &value) in lanes.iter_mut().zip(eight) {
            *lane = key(value).max(*lane);
        }
    }
    lanes.into_iter().fold(0, u64::max)
}

/// Calls `visit(index, value, true)` for the values above the floor, in order, and `visit(.., false)` for some of the others. So
/// there is no branch to mispredict unless many values are above the floor. There should be few. If `visit` returns false, there
/// are too many, and `visit` sees few of the rest.
#[inline(always)]
fn each_above(values: &[u64], floor: u64, mut visit: impl FnMut(usize, u64, bool) -> bool) {
    let (blocks, rest) = values.as_chunks::<BLOCK>();
    for (block, base) in blocks.iter().zip((0..).step_by(BLOCK)) {
        // There is a bit for each value. The compiler makes vectors of this loop.
        let mut bits = 0u64;
        for (index, &value) in block.iter().enumerate() {
            bits |= u64::from(value > floor) << index;
        }
        let mut visit_next = || {
            let index = bits.trailing_zeros() as usize % BLOCK;
            let wants_more = visit(base + index, block.get(index).copied().unwrap_or_default(), bits != 0);
            bits &= bits.wrapping_sub(1);
            wants_more && bits != 0
        };
        visit_next();
        while visit_next() {}
    }
    for (&value, index) in rest.iter().zip(blocks.len() * BLOCK..) {
        visit(index, value, value > floor);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::quantile::tests::{guess, values};
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn each_above_visits_what_a_filter_leaves(values in prop::collection::vec(values(), 0..4), floor in guess()) {
            let values = values.concat();
            let mut visited = Vec::new();
            each_above(&values, floor, |index, value, is_above| {
                if is_above {
                    visited.push((index, value));
                }
                true
            });
            let filtered = values.iter().copied().enumerate().filter(|&(_, value)| value > floor);
            prop_assert_eq!(visited, filtered.collect::<Vec<_>>());
        }
    }

    #[test]
    fn too_many_samples_are_none_until_they_have_left() {
        let values = [7; 10];
        let samples = |values, first| Samples { older_ns: values, newer_ns: &[], first };
        let mut tail = Tail::new(9);
        tail.restart(6);
        tail.update(samples(&values[..9], 0));
        assert_eq!(tail.latencies_ns(), Some(&values[..9]));
        tail.update(samples(&values, 0));
        assert_eq!(tail.latencies_ns(), None);
        tail.update(samples(&values[..1], 9));
        assert_eq!(tail.latencies_ns(), None);
        tail.update(samples(&[], 10));
        assert_eq!(tail.latencies_ns(), Some(&[][..]));
    }
}
