//! The greatest samples of the window. They are kept from one question to the next, as a high quantile is one of them.
//!
//! They are the samples above a floor. To bring them up to date, only new samples need to be compared with the floor.

use super::select::{count, greatest, select_of_first};
use super::vectors::{LONGEST, Lanes, less};
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

    /// The greatest sample; 0 if there is none.
    #[inline(always)]
    pub(super) fn greatest(self, _: impl Lanes) -> u64 {
        greatest(self.older_ns, |ns| ns).max(greatest(self.newer_ns, |ns| ns))
    }

    /// How many samples are equal to `latency_ns`.
    #[inline(always)]
    pub(super) fn count(self, latency_ns: u64, _: impl Lanes) -> usize {
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

/// All places behind the last of the samples have this latency, which is below that of any of them.
const NO_LATENCY: u64 = 0;
/// The first of these places has this sequence number, which no window has.
const NO_SEQUENCE: u64 = u64::MAX;

/// So many samples of a block are written in any case. More than these are seldom above the floor: of many new samples a smaller
/// share is, as fewer are spare.
const FEW_OF_BLOCK: usize = 4;
const FEW_OF_MANY: usize = 2;
const MANY: usize = 4096;

/// So many blocks are compared before what is above the floor is looked for. So neither waits for the other, and all that is
/// looked at twice is still near.
const BLOCKS: usize = 16;

pub(super) struct Tail {
    /// The samples in `latencies_ns[start..end]` are above this.
    pub(super) floor_ns: u64,
    /// The samples, oldest first.
    latencies_ns: Box<[u64]>,
    /// The sequence numbers of the samples.
    sequences: Box<[u64]>,
    /// In range `0 ..= end`.
    start: usize,
    /// In range `0 ..= capacity`, unless the samples overflowed: then up to a block above that.
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

    /// The `from_top`-th greatest sample (1 = the greatest), which is likely to be the guess, or near it. There must be `from_top`
    /// samples above the floor. The scratch is for a copy of the samples and up to a block.
    #[inline(always)]
    pub(super) fn select(&self, from_top: usize, guess_ns: u64, scratch: &mut [u64], lanes: impl Lanes) -> Option<u64> {
        let len = self.end - self.start;
        // These are whole blocks. A remainder would vary in length, and be mispredicted.
        let latencies_ns = self.latencies_ns.get(self.start..)?.get(..len.next_multiple_of(BLOCK))?;
        let guess_ns = guess_ns.clamp(NO_LATENCY + 1, LONGEST);
        let (below, above) = count(latencies_ns, guess_ns);
        let at_least = latencies_ns.len() - below;
        if above < from_top && from_top <= at_least {
            return Some(guess_ns);
        }
        if from_top == at_least + 1 {
            return Some(greatest(latencies_ns, |ns| if less(ns, guess_ns) == 1 { ns } else { 0 }));
        }
        if from_top == above {
            // The least value is the greatest one upside down.
            return Some(greatest(latencies_ns, |ns| if less(guess_ns, ns) == 1 { ns ^ LONGEST } else { 0 }) ^ LONGEST);
        }
        for (block, of_copy) in latencies_ns.as_chunks::<BLOCK>().0.iter().zip(scratch.as_chunks_mut::<BLOCK>().0) {
            *of_copy = *block;
        }
        // Four at a time are kept. The sample is one of those on one side of the guess.
        let copy = scratch.get_mut(..len.next_multiple_of(4))?;
        let is_above = from_top < above;
        let kept = lanes.keep_above(copy, guess_ns, if is_above { 0 } else { LONGEST });
        let rank = if is_above { above } else { at_least + kept }.checked_sub(from_top)?;
        select_of_first(scratch, kept, rank, lanes)
    }

    /// Sets another floor. The next update begins anew with it.
    pub(super) fn restart(&mut self, floor_ns: u64) {
        self.floor_ns = floor_ns;
        self.seen = 0;
    }

    /// Drops what has left the window, and adds what came since the last update.
    #[inline(always)]
    pub(super) fn update(&mut self, samples: Samples<'_>, lanes: impl Lanes) {
        if self.seen <= samples.first {
            self.latencies_ns.get_mut(..self.end).unwrap_or_default().fill(NO_LATENCY);
            (self.start, self.end, self.overflowed) = (0, 0, false);
        } else {
            // More than two seldom leave. Two take no branch to mispredict.
            for _ in 0..2 {
                self.start += usize::from(self.oldest_sequence() < samples.first);
            }
            while self.oldest_sequence() < samples.first {
                self.start += 1;
            }
        }

        let new = samples.skip(self.seen.saturating_sub(samples.first) as usize);
        if new.len() > self.capacity().saturating_sub(self.end) {
            self.keep_above(self.floor_ns); // makes room
        }
        for (run_ns, first) in [(new.older_ns, new.first), (new.newer_ns, new.first + new.older_ns.len() as u64)] {
            if run_ns.len() > MANY {
                self.add_run::<FEW_OF_MANY>(run_ns, first, lanes);
            } else {
                self.add_run::<FEW_OF_BLOCK>(run_ns, first, lanes);
            }
        }
        self.overflowed |= self.end > self.capacity();
        self.seen = samples.first + samples.len() as u64;
        // What was written too much.
        for behind in self.latencies_ns.iter_mut().skip(self.end).take(FEW_OF_BLOCK) {
            *behind = NO_LATENCY;
        }
        if let Some(behind) = self.sequences.get_mut(self.end) {
            *behind = NO_SEQUENCE;
        }
    }

    /// Adds those of the samples that are above the floor, until they overflow. `first` is the first one's sequence number.
    #[inline(always)]
    fn add_run<const FEW: usize>(&mut self, run_ns: &[u64], first: u64, lanes: impl Lanes) {
        // Copies stay in registers.
        let (floor_ns, mut end) = (self.floor_ns, self.end);
        let (latencies_ns, sequences) = (&mut *self.latencies_ns, &mut *self.sequences);
        let mut add = |samples_ns: &[u64], mut bits: u64, first: u64| {
            // There is room for a block, unless the samples overflowed.
            let latencies_ns = latencies_ns.get_mut(end..).and_then(<[u64]>::first_chunk_mut::<BLOCK>)?;
            let sequences = sequences.get_mut(end..).and_then(<[u64]>::first_chunk_mut::<BLOCK>)?;
            let added = bits.count_ones() as usize;
            let mut place = 0;
            let mut add_next = || {
                let index = bits.trailing_zeros() as usize % BLOCK;
                bits &= bits.wrapping_sub(1);
                if let (Some(latency_end), Some(sequence_end)) = (latencies_ns.get_mut(place), sequences.get_mut(place))
                {
                    *latency_end = samples_ns.get(index).copied().unwrap_or_default();
                    *sequence_end = first + index as u64;
                }
                place += 1;
            };
            // What is written too much is written over later, or cleared at last.
            for _ in 0..FEW {
                add_next();
            }
            for _ in FEW..added {
                add_next();
            }
            end += added;
            Some(())
        };
        let (blocks, rest) = run_ns.as_chunks::<BLOCK>();
        'overflow: for (blocks, first) in blocks.chunks(BLOCKS).zip((first..).step_by(BLOCKS * BLOCK)) {
            let mut above = [0; BLOCKS];
            for (bits, block) in above.iter_mut().zip(blocks) {
                *bits = lanes.above(block, floor_ns);
            }
            for ((bits, block), first) in above.into_iter().zip(blocks).zip((first..).step_by(BLOCK)) {
                if add(block, bits, first).is_none() {
                    break 'overflow;
                }
            }
        }
        if !rest.is_empty() {
            let (eights, singles) = rest.as_chunks();
            let mut bits = lanes.eights_above(eights, floor_ns);
            for (&latency_ns, index) in singles.iter().zip(8 * eights.len()..) {
                bits |= less(floor_ns, latency_ns) << index;
            }
            add(rest, bits, first + (run_ns.len() - rest.len()) as u64);
        }
        self.end = end;
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
        if let Some(behind) = sequences.get(kept) {
            behind.set(NO_SEQUENCE);
        }
        self.latencies_ns.get_mut(kept..self.end).unwrap_or_default().fill(NO_LATENCY);
        (self.start, self.end) = (0, kept);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::quantile::vectors::Portable;

    #[test]
    fn too_many_samples_are_none_until_they_have_left() {
        let values = [7; 10];
        let samples = |values, first| Samples { older_ns: values, newer_ns: &[], first };
        let mut tail = Tail::new(9);
        tail.restart(6);
        tail.update(samples(&values[..9], 0), Portable);
        assert_eq!(tail.latencies_ns(), Some(&values[..9]));
        tail.update(samples(&values, 0), Portable);
        assert_eq!(tail.latencies_ns(), None);
        tail.update(samples(&values[..1], 9), Portable);
        assert_eq!(tail.latencies_ns(), None);
        tail.update(samples(&[], 10), Portable);
        assert_eq!(tail.latencies_ns(), Some(&[][..]));
    }
}
