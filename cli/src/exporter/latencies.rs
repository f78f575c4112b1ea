//! The latencies of a page's calls as a histogram, if the page has a tap. The tap keeps the latest calls alone, so scrapes count on.

use trip99::{Tap, TapKind};

/// The upper ends of the buckets, in nanoseconds. The last bucket has what is above them.
const BOUNDS_NS: [u64; 20] = [
    10_000,
    25_000,
    50_000,
    100_000,
    250_000,
    500_000,
    1_000_000,
    2_500_000,
    5_000_000,
    10_000_000,
    25_000_000,
    50_000_000,
    100_000_000,
    200_000_000,
    500_000_000,
    1_000_000_000,
    2_000_000_000,
    5_000_000_000,
    10_000_000_000,
    30_000_000_000,
];

#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Histogram {
    pub(crate) sum: f64,
    pub(crate) count: u64,
    /// For each bucket its upper end in seconds, and how many values are in this one alone.
    pub(crate) buckets: Vec<(f64, u64)>,
}

#[derive(Debug)]
pub(crate) struct Latencies {
    /// The number of the next row to count.
    next: u64,
    sum_ns: u128,
    buckets: [u64; BOUNDS_NS.len() + 1],
    /// Rows that were overwritten before a scrape came.
    pub(crate) missed: u64,
}

impl Latencies {
    /// As with events: a tap that has lost rows already is counted from here on.
    pub(crate) fn begin(mut tap: Tap) -> Self {
        let mut latencies = Self { next: 0, sum_ns: 0, buckets: [0; BOUNDS_NS.len() + 1], missed: 0 };
        if tap.position() > 0 {
            tap.skip_to_end();
        }
        latencies.count(tap);
        latencies
    }

    pub(crate) fn go_on(&mut self, is_anew: bool, mut tap: Tap) {
        tap.go_on_at(if is_anew { 0 } else { self.next });
        self.count(tap);
    }

    fn count(&mut self, mut tap: Tap) {
        // An owner that is quicker than this is read on at the next scrape.
        for row in tap.by_ref().take(2 << 20) {
            let is_round_trip = matches!(row.kind, TapKind::Ask | TapKind::Free | TapKind::Late);
            if let Some(latency_ns) = row.latency_ns.filter(|_| is_round_trip) {
                self.sum_ns += u128::from(latency_ns);
                let bucket = BOUNDS_NS.partition_point(|&bound_ns| bound_ns < latency_ns);
                self.buckets.iter_mut().skip(bucket).take(1).for_each(|count| *count += 1);
            }
        }
        self.missed += tap.missed();
        self.next = tap.position();
    }

    pub(crate) fn histogram(&self) -> Histogram {
        let bounds = BOUNDS_NS.iter().map(|&bound_ns| bound_ns as f64 / 1e9).chain([f64::INFINITY]);
        Histogram {
            sum: self.sum_ns as f64 / 1e9,
            count: self.buckets.iter().sum(),
            buckets: bounds.zip(self.buckets).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use trip99::{Breaker, Config};

    const MS: u64 = 1_000_000;

    fn breaker() -> Breaker {
        Breaker::new(Config { tap_len: 64, ..Config::default() }).unwrap()
    }

    fn record(breaker: &mut Breaker, latencies_ns: &[u64]) {
        latencies_ns.iter().for_each(|&latency_ns| breaker.record_at(1000 * MS, latency_ns));
    }

    /// The buckets that have any, by their upper ends in milliseconds.
    fn filled(latencies: &Latencies) -> Vec<(f64, u64)> {
        let buckets = latencies.histogram().buckets.into_iter().filter(|&(_, count)| count > 0);
        buckets.map(|(bound, count)| (bound * 1e3, count)).collect()
    }

    #[test]
    fn each_call_is_in_the_bucket_that_it_does_not_exceed() {
        let mut breaker = breaker();
        record(&mut breaker, &[0, 10_000, 10_001, MS, MS + 1, 40_000 * MS]);
        let _in_flight = breaker.begin_at(1000 * MS);
        let latencies = Latencies::begin(breaker.tap().unwrap());
        assert_eq!(filled(&latencies), [(0.01, 2), (0.025, 1), (1.0, 1), (2.5, 1), (f64::INFINITY, 1)]);
        let histogram = latencies.histogram();
        assert_eq!((histogram.count, histogram.sum), (6, 40.002_020_002));
    }

    #[test]
    fn each_row_counts_once_and_a_worn_tap_begins_at_0() {
        let mut breaker = breaker();
        let mut latencies = Latencies::begin(breaker.tap().unwrap());
        for round in 1..=3 {
            record(&mut breaker, &[MS; 10]);
            latencies.go_on(false, breaker.tap().unwrap());
            latencies.go_on(false, breaker.tap().unwrap());
            assert_eq!((filled(&latencies), latencies.missed), (vec![(1.0, 10 * round)], 0));
        }
        record(&mut breaker, &[MS; 100]);
        latencies.go_on(false, breaker.tap().unwrap());
        assert_eq!(latencies.histogram().count + latencies.missed, 130);
        assert!(latencies.missed >= 36, "{}", latencies.missed);

        let mut late = Latencies::begin(breaker.tap().unwrap());
        assert_eq!((late.histogram().count, late.missed), (0, 0));
        record(&mut breaker, &[MS]);
        late.go_on(false, breaker.tap().unwrap());
        assert_eq!((late.histogram().count, late.missed), (1, 0));
        late.go_on(true, self::breaker().tap().unwrap());
        assert_eq!((late.histogram().count, late.missed, late.next), (1, 0, 0), "a page that was made anew");
    }
}
