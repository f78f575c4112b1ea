//! The greatest samples of the window, kept from one question to the next: a high quantile is one of them.
//!
//! They are those above a floor. To bring them up to date, only the samples that came since need to be compared with it.

use core::cell::Cell;

/// The samples of a window, oldest first, in up to two runs. Sequence numbers count all samples that ever entered.
#[derive(Clone, Copy)]
pub(crate) struct Samples<'a> {
    pub(crate) older_ns: &'a [u64],
    pub(crate) newer_ns: &'a [u64],
    /// The sequence number of the oldest.
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

    /// How many are equal to `latency_ns`.
    #[inline(always)]
    pub(super) fn count(self, latency_ns: u64) -> usize {
        [self.older_ns, self.newer_ns].into_iter().flatten().map(|&other_ns| usize::from(other_ns == latency_ns)).sum()
    }

    /// The sequence number of the next sample to come.
    fn end(self) -> u64 {
        self.first + self.len() as u64
    }

    /// Without the `count` oldest.
    fn skip(self, count: usize) -> Self {
        Self {
            older_ns: self.older_ns.get(count..).unwrap_or_default(),
            newer_ns: self.newer_ns.get(count.saturating_sub(self.older_ns.len())..).unwrap_or_default(),
            first: self.first + count as u64,
        }
    }
}

/// Words that are compared at a time.
pub(super) const BLOCK: usize = u64::BITS as usize;

/// What lies behind the last of the samples, up to a block: below any of them, and of no window.
const NO_LATENCY: u64 = 0;
const NO_SEQUENCE: u64 = u64::MAX;

pub(super) struct Tail {
    /// Those in `latencies_ns[start..end]` are the samples above it, oldest first, ...
    floor_ns: u64,
    latencies_ns: Box<[u64]>,
    /// ... and these are their sequence numbers.
    sequences: Box<[u64]>,
    /// In range `0 ..= end`.
    start: usize,
    /// In range `0 ..= capacity`, unless they overflowed.
    end: usize,
    /// They were more than the capacity.
    overflowed: bool,
    /// Samples before this sequence number have been compared with the floor.
    seen: u64,
}

impl Tail {
    pub(super) fn new(capacity: usize) -> Self {
        // Not zero at first: see `ring`. The black box keeps the compiler from asking for zeroed pages after all.
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

    pub(super) fn floor_ns(&self) -> u64 {
        self.floor_ns
    }

    /// The samples above the floor; `None` if they are too many.
    pub(super) fn latencies_ns(&self) -> Option<&[u64]> {
        if self.overflowed { None } else { self.latencies_ns.get(self.start..self.end) }
    }

    /// The `from_top`-th greatest sample (1 = the greatest) if it is the guess, or next to it in order. There must be so
    /// many above the floor.
    #[inline(always)]
    pub(super) fn select_near(&self, from_top: usize, guess_ns: u64) -> Option<u64> {
        // Whole blocks, so that there is no remainder, whose length varies, to mispredict.
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
            // The least, upside down.
            Some(!greatest(latencies_ns, |latency_ns| if latency_ns > guess_ns { !latency_ns } else { 0 }))
        } else {
            None
        }
    }

    /// Begins anew, with another floor, by the next update.
    pub(super) fn restart(&mut self, floor_ns: u64) {
        self.floor_ns = floor_ns;
        self.seen = 0;
    }

    /// Drops what has left the window, and adds what came since the last update.
    #[inline(always)]
    pub(super) fn update(&mut self, samples: Samples<'_>) {
        if self.seen <= samples.first {
            self.start = self.end;
            self.compact();
            self.overflowed = false;
        }
        // Seldom more than two: without a branch to mispredict.
        for _ in 0..2 {
            self.start += usize::from(self.oldest_sequence() < samples.first);
        }
        while self.oldest_sequence() < samples.first {
            self.start += 1;
        }

        let new = samples.skip(self.seen.saturating_sub(samples.first) as usize);
        if new.len() > self.capacity().saturating_sub(self.end) {
            self.compact();
        }
        // Copies, which stay in registers.
        let (floor_ns, capacity, mut end) = (self.floor_ns, self.capacity(), self.end);
        let (latencies_ns, sequences) = (&mut *self.latencies_ns, &mut *self.sequences);
        for (run_ns, first) in [(new.older_ns, new.first), (new.newer_ns, new.first + new.older_ns.len() as u64)] {
            each_above(run_ns, floor_ns, |index, latency_ns, is_above| {
                // Always written; only one that is above advances the end.
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
        self.seen = samples.end();
    }

    fn oldest_sequence(&self) -> u64 {
        self.sequences.get(self.start).copied().unwrap_or(NO_SEQUENCE)
    }

    /// Makes room.
    fn compact(&mut self) {
        self.keep_above(self.floor_ns);
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
            // Always written, so that there is no branch to mispredict; only one that stays advances the end.
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

/// Of whole blocks of values: the greatest that `key` makes of them.
#[inline(always)]
fn greatest(values: &[u64], key: impl Fn(u64) -> u64) -> u64 {
    // Lane by lane, as the compiler makes no vectors of one maximum.
    let mut lanes = [0; 8];
    for eight in values.as_chunks::<8>().0 {
        for (lane, &value) in lanes.iter_mut().zip(eight) {
            *lane = key(value).max(*lane);
        }
    }
    lanes.into_iter().fold(0, u64::max)
}

/// Calls `visit(index, value, true)` for the values above the floor, in order, and `visit(.., false)` for some of the
/// others: so that there is no branch to mispredict unless there are many. There should be few. If `visit` returns false
/// there are too many: it sees few of the rest.
#[inline(always)]
fn each_above(values: &[u64], floor: u64, mut visit: impl FnMut(usize, u64, bool) -> bool) {
    let (blocks, rest) = values.as_chunks::<BLOCK>();
    for (block, base) in blocks.iter().zip((0..).step_by(BLOCK)) {
        // A bit for each value; the compiler makes vectors of it.
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
