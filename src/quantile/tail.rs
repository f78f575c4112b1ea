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

pub(super) struct Tail {
    /// The samples above it, in any order ...
    floor_ns: u64,
    latencies_ns: Box<[u64]>,
    /// ... and their sequence numbers.
    sequences: Box<[u64]>,
    len: usize,
    /// They were more than there is room for, since the last rebuilding.
    overflowed: bool,
    /// Samples before this sequence number have been compared with the floor.
    seen: u64,
}

impl Tail {
    pub(super) fn new(capacity: usize) -> Self {
        // Not zero: see `ring`.
        let words = || vec![u64::MAX; capacity].into_boxed_slice();
        Self { floor_ns: u64::MAX, latencies_ns: words(), sequences: words(), len: 0, overflowed: false, seen: 0 }
    }

    /// More samples than this are too many.
    pub(super) fn capacity(&self) -> usize {
        self.latencies_ns.len()
    }

    pub(super) fn floor_ns(&self) -> u64 {
        self.floor_ns
    }

    /// The samples above the floor; `None` if they are too many.
    pub(super) fn latencies_ns(&self) -> Option<&[u64]> {
        if self.overflowed { None } else { self.latencies_ns.get(..self.len) }
    }

    /// Begins anew: the samples above another floor.
    #[inline(always)]
    pub(super) fn rebuild(&mut self, floor_ns: u64, samples: Samples<'_>) {
        self.floor_ns = floor_ns;
        self.len = 0;
        self.overflowed = false;
        self.seen = samples.first;
        self.update(samples);
    }

    /// Drops what has left the window, and adds what came since the last update.
    #[inline(always)]
    pub(super) fn update(&mut self, samples: Samples<'_>) {
        self.drop_before(samples.first);
        let new = samples.skip(self.seen.saturating_sub(samples.first) as usize);
        for (run_ns, first) in [(new.older_ns, new.first), (new.newer_ns, new.first + new.older_ns.len() as u64)] {
            each_above(run_ns, self.floor_ns, |index, latency_ns| self.push(latency_ns, first + index as u64));
        }
        self.seen = samples.end();
    }

    #[inline(always)]
    fn drop_before(&mut self, first: u64) {
        if self.seen <= first {
            self.len = 0;
        }
        let latencies_ns = Cell::from_mut(&mut *self.latencies_ns).as_slice_of_cells();
        let sequences = Cell::from_mut(&mut *self.sequences).as_slice_of_cells();
        let mut kept = 0;
        for (latency_ns, sequence) in latencies_ns.iter().zip(sequences).take(self.len) {
            // Always written, so that there is no branch to mispredict; only one that stays advances the end.
            if let (Some(latency_end), Some(sequence_end)) = (latencies_ns.get(kept), sequences.get(kept)) {
                latency_end.set(latency_ns.get());
                sequence_end.set(sequence.get());
            }
            kept += usize::from(sequence.get() >= first);
        }
        self.len = kept;
    }

    #[inline(always)]
    fn push(&mut self, latency_ns: u64, sequence: u64) {
        if let (Some(latency_end), Some(sequence_end)) =
            (self.latencies_ns.get_mut(self.len), self.sequences.get_mut(self.len))
        {
            *latency_end = latency_ns;
            *sequence_end = sequence;
            self.len += 1;
        } else {
            self.overflowed = true;
        }
    }
}

/// Side by side, so that one compare is a few vectors' and their bits accumulate lane by lane.
const LANES: usize = 16;

/// Calls `visit(index, value)` for the values above the floor, of which there should be few; not in order.
#[inline(always)]
fn each_above(values: &[u64], floor: u64, mut visit: impl FnMut(usize, u64)) {
    let mut base = 0;
    for chunk in values.chunks(u64::BITS as usize * LANES) {
        let (rows, rest) = chunk.as_chunks::<LANES>();
        // One bit for each value: a column of the rows is a word, the last row its lowest bit.
        let mut columns = [0u64; LANES];
        for row in rows {
            for (column, &value) in columns.iter_mut().zip(row) {
                *column = *column << 1 | u64::from(value > floor);
            }
        }
        for (lane, mut column) in columns.into_iter().enumerate() {
            while column != 0 {
                let row = rows.len() - 1 - column.trailing_zeros() as usize;
                column &= column - 1;
                let index = row * LANES + lane;
                if let Some(&value) = chunk.get(index) {
                    visit(base + index, value);
                }
            }
        }
        for (index, &value) in rest.iter().enumerate() {
            if value > floor {
                visit(base + rows.len() * LANES + index, value);
            }
        }
        base += chunk.len();
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
            each_above(&values, floor, |index, value| visited.push((index, value)));
            visited.sort_unstable();
            let filtered = values.iter().copied().enumerate().filter(|&(_, value)| value > floor);
            prop_assert_eq!(visited, filtered.collect::<Vec<_>>());
        }
    }
}
