//! What is in a log: how many calls, how fast, how they went, and how finely they were stamped.

mod warnings;

use crate::row::{Row, RowKind};
use std::cmp::Reverse;
use std::collections::BinaryHeap;
pub use warnings::LogWarning;

/// The quantiles that a profile has, in parts per million, each with its name.
pub const QUANTILES: [(u32, &str); 4] = [(500_000, "P50"), (900_000, "P90"), (990_000, "P99"), (999_000, "P99.9")];

/// So many of the latest calls in a row are looked at for an outage at the end.
const LATEST: usize = 5;

/// Takes note of a log's rows, one after another. It keeps 8 bytes for each call that came back, and as many more if it failed.
#[derive(Clone, Debug, Default)]
pub struct Profiler {
    rows: u64,
    first_ns: u64,
    last_ns: u64,
    latencies_ns: Vec<u64>,
    lost: u64,
    /// The latencies of calls that failed.
    failed_ns: Vec<u64>,
    /// When calls end that are in flight.
    ends_ns: BinaryHeap<Reverse<u64>>,
    silence: Silence,
    stamps: Resolution,
    latencies: Resolution,
    equal: Equal,
    /// The latest rows, the oldest first.
    latest: Vec<Row>,
}

/// The longest time between two starts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Silence {
    /// How long it was, in nanoseconds.
    pub len_ns: u64,
    /// When it began.
    pub from_ns: u64,
}

/// The greatest number that divides all values.
#[derive(Clone, Copy, Debug, Default)]
struct Resolution(u64);

impl Resolution {
    fn take(&mut self, value: u64) {
        // Most values are multiples already. (A value of 0 is one of every number.)
        if self.0 != 1 && (self.0 == 0 || !value.is_multiple_of(self.0)) {
            self.0 = gcd(self.0, value);
        }
    }
}

/// Euclid's.
const fn gcd(mut a: u64, mut b: u64) -> u64 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

/// The longest run of rows with one start.
#[derive(Clone, Copy, Debug, Default)]
struct Equal {
    run: u64,
    longest: u64,
    start_ns: u64,
    /// The number of the first row of the longest run, counted from 1 on.
    row: u64,
}

impl Profiler {
    /// Takes note of a row. Its start is not before that of the row before.
    pub fn take(&mut self, row: &Row) {
        if self.rows == 0 {
            (self.first_ns, self.last_ns, self.silence.from_ns) = (row.start_ns, row.start_ns, row.start_ns);
        }
        self.rows += 1;
        let since_ns = row.start_ns.saturating_sub(self.last_ns);
        self.equal.run = if since_ns == 0 { self.equal.run + 1 } else { 1 };
        if self.equal.run > self.equal.longest {
            let row_number = self.rows + 1 - self.equal.run;
            self.equal = Equal { longest: self.equal.run, start_ns: row.start_ns, row: row_number, ..self.equal };
        }
        if since_ns > self.silence.len_ns {
            self.silence = Silence { len_ns: since_ns, from_ns: self.last_ns };
        }
        self.stamps.take(row.start_ns.saturating_sub(self.first_ns));
        self.last_ns = row.start_ns;
        while self.ends_ns.peek().is_some_and(|&Reverse(end_ns)| end_ns <= row.start_ns) {
            self.ends_ns.pop();
        }
        match row.latency_ns {
            // Nobody knows how a call would have gone that was refused.
            _ if row.kind == RowKind::Refused => {}
            Some(latency_ns) => {
                self.latencies_ns.push(latency_ns);
                self.latencies.take(latency_ns);
                if !row.ok {
                    self.failed_ns.push(latency_ns);
                }
                if latency_ns > 0 {
                    self.ends_ns.push(Reverse(row.start_ns.saturating_add(latency_ns)));
                }
            }
            None => self.lost += 1,
        }
        if self.latest.len() == LATEST {
            self.latest.remove(0);
        }
        self.latest.push(*row);
    }

    /// What the rows so far make. This takes time in proportion to them.
    pub fn finish(mut self) -> Profile {
        let len = self.latencies_ns.len();
        let quantiles_ns = QUANTILES.map(|(ppm, _)| {
            // By nearest rank: the `ceil(q * n)`-th smallest.
            let rank = (u128::from(ppm) * len as u128).div_ceil(1_000_000) as usize;
            let index = rank.checked_sub(1).filter(|&index| index < len)?;
            Some(*self.latencies_ns.select_nth_unstable(index).1)
        });
        self.latencies_ns.sort_unstable();
        Profile {
            rows: self.rows,
            first_ns: self.first_ns,
            last_ns: self.last_ns,
            quantiles_ns,
            greatest_ns: self.latencies_ns.last().copied(),
            lost: self.lost,
            failed: self.failed_ns.len() as u64,
            failed_ns: self.failed_ns,
            in_flight: self.ends_ns.len() as u64,
            silence: self.silence,
            stamp_resolution_ns: self.stamps.0,
            latency_resolution_ns: self.latencies.0,
            equal: self.equal,
            latest: self.latest,
            latencies_ns: self.latencies_ns,
        }
    }
}

/// What is in a log.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Profile {
    /// How many rows there are, of any kind.
    pub rows: u64,
    /// The start of the first row.
    pub first_ns: u64,
    /// The start of the last row.
    pub last_ns: u64,
    /// The [`QUANTILES`] of the latencies, in nanoseconds, by nearest rank, without those of calls that were refused. `None` if no call came back.
    pub quantiles_ns: [Option<u64>; QUANTILES.len()],
    /// The greatest latency, in nanoseconds.
    pub greatest_ns: Option<u64>,
    /// Calls that never came back.
    pub lost: u64,
    /// Calls that came back and failed.
    pub failed: u64,
    /// Calls that come back after the last start.
    pub in_flight: u64,
    /// The longest time between two starts.
    pub silence: Silence,
    /// All starts are a multiple of this after the first; 0 if there is one start.
    pub stamp_resolution_ns: u64,
    /// All latencies are multiples of this; 0 if none is above 0.
    pub latency_resolution_ns: u64,
    equal: Equal,
    latest: Vec<Row>,
    /// Sorted.
    latencies_ns: Vec<u64>,
    failed_ns: Vec<u64>,
}

impl Profile {
    /// The time from the first start to the last, in nanoseconds.
    pub fn span_ns(&self) -> u64 {
        self.last_ns - self.first_ns
    }

    /// Calls in a thousand seconds, rounded down. `None` if there is no time between the first and the last.
    pub fn calls_in_1000_s(&self) -> Option<u64> {
        let calls = u128::from(self.rows.saturating_sub(1)) * 1_000_000_000_000;
        calls.checked_div(self.span_ns().into()).map(|calls| u64::try_from(calls).unwrap_or(u64::MAX))
    }

    /// Quantiles for a chart whose axis has a step for each nine: from 0 to below 1, each with its latency in nanoseconds, by nearest
    /// rank. The last one has the greatest latency.
    pub fn percentiles(&self) -> Vec<(f64, u64)> {
        /// So many points for each nine.
        const STEPS: u32 = 20;
        let len = self.latencies_ns.len();
        let quantile = |step: u32| 1.0 - 10_f64.powf(-f64::from(step) / f64::from(STEPS));
        // Of the last one's share there is half a call.
        let last = 1.0 - 0.5 / len as f64;
        let steps = (0..).map(quantile).take_while(|&quantile| quantile < last).chain([last]);
        steps
            .filter_map(|quantile| {
                let rank = (quantile * len as f64).ceil() as usize;
                let latency_ns = self.latencies_ns.get(rank.clamp(1, len.max(1)) - 1)?;
                Some((quantile, *latency_ns))
            })
            .collect()
    }

    /// How many calls were slower than this.
    pub fn slower_than(&self, limit_ns: u64) -> u64 {
        (self.latencies_ns.len() - self.latencies_ns.partition_point(|&latency_ns| latency_ns <= limit_ns)) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) fn row(start_ns: u64, latency_ns: Option<u64>, ok: bool) -> Row {
        Row { start_ns, latency_ns, ok, kind: RowKind::Ask }
    }

    pub(super) fn profile(rows: &[Row]) -> Profile {
        let mut profiler = Profiler::default();
        rows.iter().for_each(|row| profiler.take(row));
        profiler.finish()
    }

    #[test]
    fn figures_are_those_of_the_rows() {
        let rows = [
            row(1_000, Some(500), true),
            row(2_000, Some(9_000), true),
            row(2_000, None, true),
            row(9_000, Some(1_500), false),
            row(10_000, Some(1_000), true),
        ];
        let profile = profile(&rows);
        assert_eq!((profile.rows, profile.span_ns(), profile.lost, profile.failed), (5, 9_000, 1, 1));
        assert_eq!(profile.quantiles_ns, [Some(1_000), Some(9_000), Some(9_000), Some(9_000)]);
        assert_eq!((profile.greatest_ns, profile.in_flight), (Some(9_000), 3));
        assert_eq!(profile.silence, Silence { len_ns: 7_000, from_ns: 2_000 });
        assert_eq!((profile.stamp_resolution_ns, profile.latency_resolution_ns), (1_000, 500));
        assert_eq!([499, 500, 999, 1_500, 9_000].map(|limit_ns| profile.slower_than(limit_ns)), [4, 3, 3, 1, 0]);
        assert_eq!(profile.calls_in_1000_s(), Some(444_444_444));
    }

    #[test]
    fn what_was_refused_took_no_time_and_did_not_fail() {
        let refused = |latency_ns, ok| Row { kind: RowKind::Refused, ..row(2_000, latency_ns, ok) };
        let rows =
            [row(1_000, Some(500), true), refused(Some(9_000), true), refused(Some(7), false), refused(None, true)];
        let profile = profile(&rows);
        assert_eq!((profile.rows, profile.lost, profile.failed, profile.in_flight), (4, 0, 0, 0));
        assert_eq!((profile.quantiles_ns, profile.latency_resolution_ns), ([Some(500); 4], 500));
    }

    #[test]
    fn percentiles_go_from_the_least_to_the_greatest() {
        let rows: Vec<Row> = (1..=1000).map(|ns| row(ns, Some(ns), true)).collect();
        let percentiles = profile(&rows).percentiles();
        assert!(percentiles.windows(2).all(|pair| pair[0].0 < pair[1].0 && pair[0].1 <= pair[1].1));
        assert_eq!((percentiles[0], percentiles.last()), ((0.0, 1), Some(&(0.9995, 1000))));
        let near = |quantile: f64| percentiles.iter().find(|(near, _)| (near - quantile).abs() < 1e-9).unwrap().1;
        assert_eq!([near(0.9), near(0.99), near(0.999)], [900, 990, 999]);
        assert_eq!(profile(&rows[..1]).percentiles().last(), Some(&(0.5, 1)));
        assert_eq!(profile(&[]).percentiles(), []);
    }

    #[test]
    fn of_nothing_there_is_nothing() {
        let profile = profile(&[]);
        assert_eq!((profile.rows, profile.quantiles_ns, profile.greatest_ns), (0, [None; 4], None));
        assert_eq!((profile.calls_in_1000_s(), profile.slower_than(0)), (None, 0));
    }

    #[test]
    fn of_one_instant_the_silence_begins_there() {
        let profile = profile(&[row(7, Some(1), true), row(7, Some(1), true)]);
        assert_eq!(profile.silence, Silence { len_ns: 0, from_ns: 7 });
    }

    #[test]
    fn a_resolution_divides_all() {
        let of = |values: &[u64]| {
            let mut resolution = Resolution::default();
            values.iter().for_each(|&value| resolution.take(value));
            resolution.0
        };
        assert_eq!([of(&[]), of(&[0, 0]), of(&[0, 6, 0]), of(&[12, 18]), of(&[12, 7, 100])], [0, 0, 6, 6, 1]);
        assert_eq!(of(&[u64::MAX, u64::MAX]), u64::MAX);
    }
}
