//! Which quantile, threshold and debt limit fit the healthy calls of a log.
#![expect(clippy::float_arithmetic, reason = "odds and delays are estimates; the breaker decides by none of them")]

use super::candidates::{QUANTILES_PPM, has_room, thresholds_ns};
use super::excursions::peaks_ppm;
use super::healthy::Healthy;
use super::score::Trials;
use super::side_by_side::side_by_side;
use super::tail::{Tail, independent_scale, share_at_most};
use super::{MONTH_NS, TuneOptions};
use trip99::PPM;

/// No debt limit is less: two slow calls in a row are no evidence.
const LEAST_LIMIT: u32 = 3;
/// The greatest legal one.
const MOST_LIMIT: f64 = 1_048_576.0;
/// More than a limit may be wrong by, as floating point has it.
const LAST_DIGITS: f64 = 1e-9;

/// A quantile, a threshold, and the least debt limit that keeps within the budget, by the log alone.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Candidate {
    /// The quantile that is judged, in ppm.
    pub quantile_ppm: u32,
    /// The threshold, in nanoseconds.
    pub threshold_ns: u64,
    /// The debt limit.
    pub debt_limit: u32,
    /// How many of the healthy calls are slow.
    pub slow: u64,
    /// False trips that are expected in 30 days.
    pub expected_a_month: f64,
    /// No more are to be expected, 19 times of 20. It is within half the budget.
    pub bound_a_month: f64,
    /// How long faults go unnoticed: the geometric mean over kinds of faults and the times when they begin, in nanoseconds.
    pub mean_delay_ns: f64,
    /// The median of the time until a link that is five times slower, or silent, is noticed: the longer of both, in nanoseconds.
    pub median_delay_ns: u64,
}

/// What a pair of quantile and threshold has of false trips.
pub(super) struct Pair {
    quantile_ppm: u32,
    pub(super) threshold_ns: u64,
    slow: usize,
    tail: Tail,
}

impl Pair {
    /// The least limit whose bound is within half the budget.
    pub(super) fn debt_limit(&self, span_ns: u64, options: &TuneOptions) -> u32 {
        // The other half is for the other rules.
        let budget = f64::from(options.false_trips) / 2.0 / options.within_ns as f64 * span_ns as f64;
        let limit = self.tail.limit(budget) / share(self.quantile_ppm);
        // A limit that is reached exactly is reached. A multiple of the quantile may seem to be more than so many calls, by its last digit.
        ((limit - LAST_DIGITS).ceil().min(MOST_LIMIT) as u32).max(LEAST_LIMIT)
    }

    fn candidate(&self, healthy: &Healthy, trials: &Trials, options: &TuneOptions) -> Candidate {
        let Self { quantile_ppm, threshold_ns, .. } = *self;
        let debt_limit = self.debt_limit(healthy.span_ns, options);
        let months = healthy.span_ns.max(1) as f64 / MONTH_NS as f64;
        let limit = f64::from(debt_limit) * share(quantile_ppm);
        Candidate {
            quantile_ppm,
            threshold_ns,
            debt_limit,
            slow: self.slow as u64,
            expected_a_month: self.tail.expected(limit) / months,
            bound_a_month: self.tail.bound(limit) / months,
            mean_delay_ns: trials.mean_log_delay(threshold_ns, quantile_ppm, debt_limit).exp(),
            median_delay_ns: trials.median_delay_ns(threshold_ns, quantile_ppm, debt_limit),
        }
    }
}

fn share(ppm: u32) -> f64 {
    f64::from(ppm) / f64::from(PPM)
}

/// The pairs that the healthy calls leave room for, by quantile and threshold in ascending order.
pub(super) fn pairs(healthy: &Healthy, window_age_ns: u64, options: &TuneOptions) -> Vec<Pair> {
    let quantiles_ppm = options.quantile_ppm.map_or(QUANTILES_PPM.to_vec(), |quantile_ppm| vec![quantile_ppm]);
    let mut thresholds_ns = thresholds_ns(healthy);
    thresholds_ns.extend(options.threshold_ns);
    thresholds_ns.sort_unstable();
    thresholds_ns.dedup();
    let with_room = |threshold_ns: u64| -> Vec<u32> {
        let slow = healthy.slower_than(threshold_ns);
        let quantiles_ppm = quantiles_ppm.iter().copied();
        quantiles_ppm.filter(|&quantile_ppm| has_room(slow, healthy.calls(), quantile_ppm)).collect()
    };
    let peaks = side_by_side(&thresholds_ns, |&threshold_ns| {
        let quantiles_ppm = with_room(threshold_ns);
        let peaks_ppm = peaks_ppm(healthy, threshold_ns, window_age_ns, &quantiles_ppm);
        (threshold_ns, quantiles_ppm.into_iter().zip(peaks_ppm).collect::<Vec<_>>())
    });
    let mut pairs: Vec<Pair> = Vec::new();
    for (threshold_ns, of_quantiles) in peaks {
        for (quantile_ppm, peaks_ppm) in of_quantiles {
            let slow = healthy.slower_than(threshold_ns);
            let Some(scale) = independent_scale(share_at_most(slow, healthy.calls()), share(quantile_ppm)) else {
                continue;
            };
            let peaks = peaks_ppm.into_iter().map(|ppm| ppm as f64 / f64::from(PPM)).collect();
            let lower = pairs.iter().rfind(|pair| pair.quantile_ppm == quantile_ppm).map(|pair| &pair.tail);
            let tail = Tail::new(peaks, scale, lower);
            pairs.push(Pair { quantile_ppm, threshold_ns, slow, tail });
        }
    }
    pairs.retain(|pair| options.threshold_ns.is_none_or(|threshold_ns| pair.threshold_ns == threshold_ns));
    pairs
}

/// The pairs as candidates, each with its delays.
pub(super) fn candidates(pairs: &[Pair], healthy: &Healthy, options: &TuneOptions) -> Vec<Candidate> {
    let trials = Trials::new(healthy);
    side_by_side(pairs, |pair| pair.candidate(healthy, &trials, options))
}

/// The one that notices faults soonest. If none notices them as soon as asked for, `bool` is false.
pub(super) fn best(candidates: &[Candidate], detect_within_ns: Option<u64>) -> Option<(Candidate, bool)> {
    let is_quick =
        |candidate: &&Candidate| detect_within_ns.is_none_or(|within_ns| candidate.median_delay_ns <= within_ns);
    let by_delay = |a: &&Candidate, b: &&Candidate| a.mean_delay_ns.total_cmp(&b.mean_delay_ns);
    let quick = candidates.iter().filter(is_quick).min_by(by_delay).map(|best| (*best, true));
    quick.or_else(|| candidates.iter().min_by_key(|candidate| candidate.median_delay_ns).map(|best| (*best, false)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::row::{Row, RowKind};

    const Q99: u32 = 990_000;

    fn pair(quantile_ppm: u32, peaks: Vec<f64>) -> Pair {
        Pair { quantile_ppm, threshold_ns: 1, slow: 0, tail: Tail::new(peaks, 0.25, None) }
    }

    /// For a budget of so many false trips in the log's time.
    fn limit(pair: &Pair, false_trips: u32) -> u32 {
        pair.debt_limit(1000, &TuneOptions { false_trips, within_ns: 1000, ..TuneOptions::default() })
    }

    #[test]
    fn a_budget_that_is_met_exactly_is_met() {
        // Few peaks are taken for 4 as high as the greatest. Half of 8 false trips are 4, half of 7 are less.
        for slow in [3, 4, 5, 6, 7, 9, 11, 13, 1000] {
            for quantile_ppm in QUANTILES_PPM {
                let peak = f64::from(slow * quantile_ppm) / f64::from(PPM);
                let pair = pair(quantile_ppm, vec![peak]);
                assert_eq!((limit(&pair, 8), limit(&pair, 7)), (slow, slow + 1), "{quantile_ppm}");
            }
        }
    }

    #[test]
    fn no_limit_is_less_than_three_calls() {
        assert_eq!(limit(&pair(Q99, Vec::new()), 8), 3);
        assert_eq!(limit(&pair(Q99, vec![2.0]), 8), 3);
        assert_eq!(limit(&pair(Q99, vec![2.97]), 8), 3);
        assert_eq!(limit(&pair(Q99, vec![2.98]), 8), 4);
        assert_eq!(limit(&pair(Q99, vec![1e9]), 8), 1_048_576);
        assert_eq!(limit(&pair(Q99, vec![2.0]), 0), 1_048_576, "no limit never trips");
    }

    #[test]
    fn a_limit_is_the_least_whose_bound_is_within_half_the_budget() {
        // 40 peaks, of which the 10 greatest are higher than the next by 0.5 on average.
        let peaks = (0..40).map(|rank| if rank < 10 { 1.05 + 0.1 * f64::from(rank) } else { 1.0 }).collect();
        let pair = pair(Q99, peaks);
        for false_trips in [1, 2, 5, 20] {
            let limit = limit(&pair, false_trips);
            let bound = |limit: u32| pair.tail.bound(f64::from(limit) * 0.99);
            assert!(bound(limit) <= f64::from(false_trips) / 2.0);
            assert!(limit == 3 || bound(limit - 1) > f64::from(false_trips) / 2.0);
        }
        // 10 peaks are 16.962 at most, and their mean excess of 0.5 is 0.9215 at most (20 / 10.851). For half a false trip:
        // 1 + 0.9215 ln 33.92 = 4.247, which is 4.29 slow calls.
        assert_eq!(limit(&pair, 1), 5);
        // For 10: 1 + 0.9215 ln 1.6962 = 1.487.
        assert_eq!(limit(&pair, 20), 3);
    }

    fn healthy(calls: u64, slow: u64) -> Healthy {
        let latency_ns = |call| if call % (calls / slow.max(1)) == 0 && slow > 0 { 50 } else { 10 };
        let row =
            |call| Row { start_ns: call * 1000, latency_ns: Some(latency_ns(call)), ok: true, kind: RowKind::Ask };
        Healthy::new(&(0..calls).map(row).collect::<Vec<_>>(), &[])
    }

    #[test]
    fn four_fifths_of_the_slow_calls_that_a_quantile_allows_leave_room() {
        let options = TuneOptions { threshold_ns: Some(20), ..TuneOptions::default() };
        let quantiles =
            |healthy: &Healthy| pairs(healthy, 0, &options).iter().map(|pair| pair.quantile_ppm).collect::<Vec<_>>();
        // P99 allows 1 %, of which 0.8 % is four fifths. At this length chance adds too little to fill the rest.
        assert_eq!(quantiles(&healthy(100_000, 800)), [900_000, 950_000, 980_000, 990_000]);
        let mut one_more: Vec<Row> = Vec::new();
        let row = |start_ns, latency_ns| Row { start_ns, latency_ns: Some(latency_ns), ok: true, kind: RowKind::Ask };
        one_more.extend((0..100_000).map(|call| row(call * 1000, if call < 801 { 50 } else { 10 })));
        assert_eq!(quantiles(&Healthy::new(&one_more, &[])), [900_000, 950_000, 980_000]);
        // Of 1000 calls 8 are slow, and with a chance of 5 % a link with 1.4 % would have so few.
        assert_eq!(quantiles(&healthy(1000, 8)), [900_000, 950_000, 980_000]);
        assert_eq!(quantiles(&healthy(1000, 0)), QUANTILES_PPM);
    }

    #[test]
    fn no_quantile_has_room_where_all_calls_are_slow() {
        let options = TuneOptions { threshold_ns: Some(9), ..TuneOptions::default() };
        assert_eq!(pairs(&healthy(1000, 0), 0, &options).len(), 0);
        assert_eq!(pairs(&Healthy::new(&[], &[]), 0, &options).len(), 0);
    }

    #[test]
    fn what_is_given_is_judged_alone() {
        let options = TuneOptions { threshold_ns: Some(60), quantile_ppm: Some(970_000), ..TuneOptions::default() };
        let pairs = pairs(&healthy(1000, 5), 0, &options);
        let given: Vec<_> = pairs.iter().map(|pair| (pair.threshold_ns, pair.quantile_ppm, pair.slow)).collect();
        assert_eq!(given, [(60, 970_000, 0)]);
    }

    fn candidate(mean_delay_ns: f64, median_delay_ns: u64) -> Candidate {
        Candidate {
            quantile_ppm: Q99,
            threshold_ns: 1,
            debt_limit: 3,
            slow: 0,
            expected_a_month: 0.0,
            bound_a_month: 0.0,
            mean_delay_ns,
            median_delay_ns,
        }
    }

    #[test]
    fn the_least_mean_delay_wins_among_those_that_are_soon_enough() {
        let all = [candidate(5.0, 100), candidate(4.0, 101), candidate(6.0, 99)];
        assert_eq!(best(&all, None), Some((all[1], true)));
        assert_eq!(best(&all, Some(101)), Some((all[1], true)));
        assert_eq!(best(&all, Some(100)), Some((all[0], true)));
        assert_eq!(best(&all, Some(99)), Some((all[2], true)));
        assert_eq!(best(&all, Some(98)), Some((all[2], false)), "none is: the soonest");
        assert_eq!(best(&[], None), None);
        // Of those that are alike it is the first: the lowest threshold.
        let alike = [candidate(5.0, 7), Candidate { threshold_ns: 2, ..candidate(5.0, 7) }];
        assert_eq!(best(&alike, None), Some((alike[0], true)));
    }
}
