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
        // A limit that is reached exactly is reached.
        (limit.ceil().min(MOST_LIMIT) as u32).max(LEAST_LIMIT)
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
