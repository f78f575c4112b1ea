//! Thins rows to so few buckets that a chart can show them.

use super::data::Bucket;
use crate::row::{Row, RowKind};
use std::cmp::Ordering;

/// Takes rows one after another, in bounded memory, and makes at most [`Thinner::BUCKETS`] buckets of equal length of them. The
/// buckets begin fine. When there are too many their length is doubled, and neighbours are joined.
#[derive(Clone, Debug, Default)]
pub struct Thinner {
    first_ns: u64,
    /// The length of a bucket is two to the power of this, in nanoseconds.
    shift: u32,
    /// Those that have calls, ascending.
    slots: Vec<Slot>,
}

/// A bucket under construction.
#[derive(Clone, Debug, Default)]
struct Slot {
    /// Its number, from the first row on.
    index: u64,
    lost: u64,
    least_ns: u64,
    greatest_ns: u64,
    /// How many latencies each bin has, by bin: ascending. See [`bin_of`].
    bins: Vec<(u16, u64)>,
}

impl Thinner {
    /// The most buckets that there will be.
    pub const BUCKETS: usize = 2_000;

    /// Takes a row. One that starts before the latest bucket counts there. What was refused when it was recorded tells nothing.
    pub fn take(&mut self, row: &Row) {
        if row.kind == RowKind::Refused {
            return;
        }
        if self.slots.is_empty() {
            self.first_ns = row.start_ns;
        }
        let since_ns = row.start_ns.saturating_sub(self.first_ns);
        while since_ns >> self.shift >= Self::BUCKETS as u64 {
            self.double();
        }
        let index = since_ns >> self.shift;
        if self.slots.last().is_none_or(|slot| slot.index < index) {
            self.slots.push(Slot { index, least_ns: u64::MAX, ..Slot::default() });
        }
        if let Some(slot) = self.slots.last_mut() {
            slot.take(row.latency_ns);
        }
    }

    fn double(&mut self) {
        self.shift += 1;
        let mut joined: Vec<Slot> = Vec::with_capacity(self.slots.len());
        for mut slot in self.slots.drain(..) {
            slot.index >>= 1;
            match joined.last_mut() {
                Some(latest) if latest.index == slot.index => latest.join(slot),
                _ => joined.push(slot),
            }
        }
        self.slots = joined;
    }

    /// The buckets that have calls.
    pub fn finish(self) -> Vec<Bucket> {
        let (first_ns, shift) = (self.first_ns, self.shift);
        let from_ns = |slot: &Slot| first_ns.saturating_add(slot.index << shift);
        self.slots.iter().map(|slot| slot.finish(from_ns(slot))).collect()
    }
}

impl Slot {
    fn take(&mut self, latency_ns: Option<u64>) {
        let Some(latency_ns) = latency_ns else {
            self.lost += 1;
            return;
        };
        self.least_ns = self.least_ns.min(latency_ns);
        self.greatest_ns = self.greatest_ns.max(latency_ns);
        let bin = bin_of(latency_ns);
        match self.bins.binary_search_by_key(&bin, |&(bin, _)| bin) {
            Ok(place) => self.bins.iter_mut().skip(place).take(1).for_each(|(_, count)| *count += 1),
            Err(place) => self.bins.insert(place, (bin, 1)),
        }
    }

    fn join(&mut self, other: Self) {
        self.lost += other.lost;
        self.least_ns = self.least_ns.min(other.least_ns);
        self.greatest_ns = self.greatest_ns.max(other.greatest_ns);
        let (left, right) = (std::mem::take(&mut self.bins), other.bins);
        let (mut left, mut right) = (left.into_iter().peekable(), right.into_iter().peekable());
        while let Some(order) = match (left.peek(), right.peek()) {
            (Some((left, _)), Some((right, _))) => Some(left.cmp(right)),
            (Some(_), None) => Some(Ordering::Less),
            (None, Some(_)) => Some(Ordering::Greater),
            (None, None) => None,
        } {
            let (low, high) = match order {
                Ordering::Less => (left.next(), None),
                Ordering::Greater => (None, right.next()),
                Ordering::Equal => (left.next(), right.next()),
            };
            let count = low.map_or(0, |(_, count)| count) + high.map_or(0, |(_, count)| count);
            self.bins.extend(low.or(high).map(|(bin, _)| (bin, count)));
        }
    }

    fn finish(&self, from_ns: u64) -> Bucket {
        let back: u64 = self.bins.iter().map(|(_, count)| count).sum();
        // By nearest rank, as a quantile's: the half of them, rounded up.
        let (rank, mut seen) = (back.div_ceil(2), 0);
        let median_bin = self.bins.iter().find(|(_, count)| {
            seen += count;
            seen >= rank
        });
        let median_ns = median_bin.map(|&(bin, _)| middle_of(bin).clamp(self.least_ns, self.greatest_ns));
        Bucket {
            from_ns,
            calls: back + self.lost,
            least_ns: if back == 0 { 0 } else { self.least_ns },
            median_ns: median_ns.unwrap_or(0),
            greatest_ns: self.greatest_ns,
            lost: self.lost,
        }
    }
}

/// Each power of two is cut into so many bins, two to the power of this.
const BITS: u32 = 6;

/// The number of a latency's bin. Bins ascend with latencies, and each is narrower than a 64th of its latencies.
fn bin_of(latency_ns: u64) -> u16 {
    let shift = (u64::BITS - latency_ns.leading_zeros()).saturating_sub(BITS + 1);
    // Of the form 1xxxxxx, or less if the shift is 0. The greatest shift is 57, so this fits.
    (u64::from(shift << BITS) + (latency_ns >> shift)) as u16
}

/// The latency in the middle of a bin.
fn middle_of(bin: u16) -> u64 {
    let shift = (u32::from(bin) >> BITS).saturating_sub(1);
    let low = (u64::from(bin) - u64::from(shift << BITS)) << shift;
    low + (1 << shift) / 2
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn thin(rows: &[Row]) -> Vec<Bucket> {
        let mut thinner = Thinner::default();
        rows.iter().for_each(|row| thinner.take(row));
        thinner.finish()
    }

    fn row(start_ns: u64, latency_ns: Option<u64>) -> Row {
        Row { start_ns, latency_ns, ok: true, kind: RowKind::Ask }
    }

    /// Knows all rows before it cuts, and sorts them.
    fn naive(rows: &[Row]) -> Vec<Bucket> {
        let (Some(first), Some(last)) = (rows.first(), rows.last()) else { return Vec::new() };
        let span_ns = last.start_ns - first.start_ns;
        let len_ns = (0..64).map(|shift| 1_u64 << shift).find(|len_ns| span_ns / len_ns < 2_000).unwrap();
        let mut buckets = Vec::new();
        for inside in rows
            .chunk_by(|one, next| (one.start_ns - first.start_ns) / len_ns == (next.start_ns - first.start_ns) / len_ns)
        {
            let mut latencies_ns: Vec<u64> = inside.iter().filter_map(|row| row.latency_ns).collect();
            latencies_ns.sort_unstable();
            let at = |index: usize| latencies_ns.get(index).copied().unwrap_or(0);
            buckets.push(Bucket {
                from_ns: inside[0].start_ns - (inside[0].start_ns - first.start_ns) % len_ns,
                calls: inside.len() as u64,
                least_ns: at(0),
                median_ns: at(latencies_ns.len().div_ceil(2).saturating_sub(1)),
                greatest_ns: latencies_ns.last().copied().unwrap_or(0),
                lost: (inside.len() - latencies_ns.len()) as u64,
            });
        }
        buckets
    }

    #[track_caller]
    fn same(thinned: &[Bucket], expected: &[Bucket]) {
        assert_eq!(thinned.len(), expected.len());
        for (bucket, expected) in thinned.iter().zip(expected) {
            // The median alone is rounded.
            let off_ns = bucket.median_ns.abs_diff(expected.median_ns);
            assert!(u128::from(off_ns) * 100 <= expected.median_ns.into(), "{bucket:?}, not {expected:?}");
            assert_eq!(Bucket { median_ns: expected.median_ns, ..bucket.clone() }, *expected);
        }
    }

    proptest! {
        #[test]
        fn it_equals_the_naive_one(
            first_ns in 0_u64..1 << 60,
            step_bits in 0_u32..44,
            calls in prop::collection::vec((any::<u64>(), any::<u64>(), 0_u32..62), 0..3_000),
        ) {
            let mut start_ns = first_ns;
            let rows: Vec<Row> = calls.into_iter().map(|(step, latency, bits)| {
                start_ns += step % (1 << step_bits);
                row(start_ns, (latency % 16 > 0).then_some(latency >> 1 >> bits))
            }).collect();
            same(&thin(&rows), &naive(&rows));
        }

        #[test]
        fn a_bin_has_its_middle(latency_ns: u64) {
            let middle_ns = middle_of(bin_of(latency_ns));
            prop_assert_eq!(bin_of(middle_ns), bin_of(latency_ns));
            prop_assert!(u128::from(middle_ns.abs_diff(latency_ns)) * 100 <= latency_ns.into());
        }
    }

    #[test]
    fn bins_ascend_without_gaps() {
        let mut bins: Vec<u16> = (0..100_000).map(bin_of).collect();
        assert!(bins.is_sorted());
        bins.dedup();
        assert_eq!(bins, (0..=bin_of(99_999)).collect::<Vec<_>>());
        assert_eq!((0..128).map(middle_of).collect::<Vec<_>>(), (0..128).collect::<Vec<_>>());
        assert_eq!(bin_of(u64::MAX), 57 * 64 + 127);
    }

    #[test]
    fn the_whole_of_time_fits() {
        let rows = [row(0, Some(u64::MAX >> 1)), row(u64::MAX, Some(0)), row(u64::MAX, None)];
        let buckets = thin(&rows);
        assert_eq!(buckets.len(), 2);
        assert_eq!((buckets[0].median_ns, buckets[0].calls), (u64::MAX >> 1, 1));
        assert_eq!((buckets[1].calls, buckets[1].lost, buckets[1].greatest_ns), (2, 1, 0));
        assert_eq!(thin(&[]), []);
    }

    #[test]
    fn there_are_never_too_many() {
        let limit = Thinner::BUCKETS as u64;
        let rows = |count: u64| (0..count).map(|start_ns| row(start_ns, Some(5))).collect::<Vec<_>>();
        assert_eq!(thin(&rows(limit)).len(), Thinner::BUCKETS);
        assert_eq!(thin(&rows(limit + 1)).len(), Thinner::BUCKETS / 2 + 1);
    }

    #[test]
    fn what_was_refused_and_what_comes_too_late_make_no_bucket() {
        let refused = Row { kind: RowKind::Refused, ..row(0, Some(7)) };
        let buckets = thin(&[refused, row(5, Some(7)), row(9, Some(8)), row(6, Some(9))]);
        let found: Vec<_> = buckets.iter().map(|bucket| (bucket.from_ns, bucket.calls, bucket.greatest_ns)).collect();
        assert_eq!(found, [(5, 1, 7), (9, 2, 9)]);
    }
}
