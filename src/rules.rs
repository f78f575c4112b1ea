//! The rules that open a closed breaker, in the order in which they are tried. Each is O(1) for a sample.

use crate::config::{Config, PPM};
use crate::event::Reason;
use crate::quantile::slow_allowed;

/// What the window holds, and how many overdue calls count beside it.
#[derive(Clone, Copy)]
pub(crate) struct Counts {
    pub(crate) samples: usize,
    pub(crate) slow: usize,
    pub(crate) failed: usize,
    pub(crate) overdue: usize,
}

/// A run that is longer than any.
const NEVER: u64 = u64::MAX;

pub(crate) struct Rules {
    quantile_ppm: u32,
    min_samples: usize,
    confirm_verdicts: u32,
    failure_rate_ppm: u32,
    /// `NEVER` if off, like `spike_count`.
    consecutive_failures: u64,
    spike_limit_ns: u64,
    spike_count: u64,
    /// Samples in a row, up to now, that were slower than `spike_limit_ns`, or failed.
    spike_run: u64,
    failure_run: u64,
    /// Verdicts in a row, up to now, that were over the threshold.
    over_row: u32,
    /// So many of `allowed_of` samples may be slow: kept, as a full window has as many samples each time.
    allowed: usize,
    allowed_of: usize,
}

impl Rules {
    pub(crate) fn new(config: &Config) -> Self {
        let mut rules = Self {
            quantile_ppm: 0,
            min_samples: 0,
            confirm_verdicts: 0,
            failure_rate_ppm: 0,
            consecutive_failures: 0,
            spike_limit_ns: 0,
            spike_count: 0,
            spike_run: 0,
            failure_run: 0,
            over_row: 0,
            allowed: usize::MAX,
            allowed_of: 0,
        };
        rules.set_limits(config);
        rules
    }

    /// Applies new settings; runs and rows go on.
    pub(crate) fn set_limits(&mut self, config: &Config) {
        self.quantile_ppm = config.quantile_ppm;
        (self.allowed, self.allowed_of) = (usize::MAX, 0);
        self.min_samples = config.min_samples as usize;
        self.confirm_verdicts = config.confirm_verdicts;
        self.failure_rate_ppm = config.failure_rate_ppm;
        let or_never = |count: u32| if count == 0 { NEVER } else { u64::from(count) };
        self.consecutive_failures = or_never(config.consecutive_failures);
        self.spike_limit_ns = config.effective_spike_limit_ns();
        self.spike_count = or_never(config.spike_count);
    }

    /// Forgets runs and rows: a new epoch.
    pub(crate) fn clear(&mut self) {
        self.spike_run = 0;
        self.failure_run = 0;
        self.over_row = 0;
    }

    /// A sample, in any state, and whether or not it enters the window.
    #[inline]
    pub(crate) fn take(&mut self, latency_ns: u64, ok: bool) {
        // Products, so that a slow sample among fast ones is no mispredicted branch.
        self.spike_run = (self.spike_run + 1) * u64::from(latency_ns > self.spike_limit_ns);
        self.failure_run = (self.failure_run + 1) * u64::from(!ok);
    }

    /// The first rule that holds after a sample; `entered` is what the window holds if the sample entered it.
    #[inline]
    pub(crate) fn judge(&mut self, entered: Option<Counts>) -> Option<Reason> {
        if let Some(counts) = entered {
            if self.is_confirmed_over(counts) {
                return Some(Reason::Latency);
            }
            if self.fails_too_often(counts) {
                return Some(Reason::FailureRate);
            }
        }
        if self.failure_run >= self.consecutive_failures {
            return Some(Reason::ConsecutiveFailures);
        }
        if self.spike_run >= self.spike_count {
            return Some(Reason::Spike);
        }
        None
    }

    /// No run and no row is under way, so that a good sample begins none and ends none.
    #[inline]
    pub(crate) fn are_at_rest(&self) -> bool {
        self.spike_run == 0 && self.failure_run == 0 && self.over_row == 0
    }

    /// Whether so many samples are enough for a verdict.
    pub(crate) fn is_armed(&self, samples: usize) -> bool {
        samples >= self.min_samples
    }

    /// A sample up to this is no spike.
    #[inline]
    pub(crate) fn spike_limit_ns(&self) -> u64 {
        self.spike_limit_ns
    }

    /// A verdict on the quantile: true if it is over the threshold for the `confirm_verdicts`-th time in a row.
    #[inline]
    pub(crate) fn is_confirmed_over(&mut self, counts: Counts) -> bool {
        let (n, slow) = (counts.samples + counts.overdue, counts.slow + counts.overdue);
        let over = slow > self.slow_allowed(n);
        self.over_row = if over { self.over_row.saturating_add(1) } else { 0 };
        over && self.over_row >= self.confirm_verdicts
    }

    /// Below `min_samples` any number.
    #[inline]
    fn slow_allowed(&mut self, n: usize) -> usize {
        if n != self.allowed_of {
            self.allowed_of = n;
            self.allowed = if n < self.min_samples { usize::MAX } else { slow_allowed(n, self.quantile_ppm) };
        }
        self.allowed
    }

    /// Looks at the window alone: nobody knows yet whether an overdue call will fail.
    #[inline]
    fn fails_too_often(&self, counts: Counts) -> bool {
        // Both products stay below 2^41.
        counts.failed > 0
            && counts.samples >= self.min_samples
            && counts.failed as u64 * u64::from(PPM) > u64::from(self.failure_rate_ppm) * counts.samples as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(config: Config) -> Rules {
        Rules::new(&config)
    }

    fn counts(samples: usize, slow: usize, failed: usize, overdue: usize) -> Counts {
        Counts { samples, slow, failed, overdue }
    }

    #[test]
    fn rules_are_tried_in_order() {
        let all = counts(100, 2, 51, 0);
        let mut rules = rules(Config { consecutive_failures: 1, spike_count: 1, ..Config::default() });
        rules.take(u64::MAX, false);
        assert_eq!(rules.judge(Some(all)), Some(Reason::Latency));
        assert_eq!(rules.judge(Some(Counts { slow: 1, ..all })), Some(Reason::FailureRate));
        assert_eq!(rules.judge(Some(Counts { slow: 1, failed: 50, ..all })), Some(Reason::ConsecutiveFailures));
        assert_eq!(rules.judge(None), Some(Reason::ConsecutiveFailures));
        rules.take(u64::MAX, true);
        assert_eq!(rules.judge(None), Some(Reason::Spike));
        rules.take(0, true);
        assert_eq!(rules.judge(None), None);
    }

    #[test]
    fn a_row_of_verdicts_ends_with_one_that_is_not_over_or_not_armed() {
        let mut rules = rules(Config { confirm_verdicts: 2, ..Config::default() });
        let (over, not_over, not_armed) = (counts(100, 2, 0, 0), counts(100, 1, 0, 0), counts(99, 99, 0, 0));
        assert!(!rules.is_confirmed_over(over) && !rules.is_confirmed_over(not_over));
        assert!(!rules.is_confirmed_over(over) && !rules.is_confirmed_over(not_armed));
        assert!(!rules.is_confirmed_over(over) && rules.is_confirmed_over(over));
        rules.clear();
        assert!(!rules.is_confirmed_over(over));
    }

    #[test]
    fn overdue_calls_arm_and_count_for_the_quantile_alone() {
        let mut rules = rules(Config::default());
        assert!(rules.is_confirmed_over(counts(98, 0, 0, 2)));
        assert!(!rules.is_confirmed_over(counts(99, 0, 0, 1)));
        assert!(!rules.fails_too_often(counts(99, 0, 99, 1)));
        assert!(rules.fails_too_often(counts(100, 0, 51, 0)));
    }

    #[test]
    fn new_limits_judge_as_many_samples_as_before() {
        let mut rules = rules(Config::default());
        assert!(rules.is_confirmed_over(counts(100, 2, 0, 0)));
        rules.set_limits(&Config { quantile_ppm: 900_000, ..Config::default() });
        assert!(!rules.is_confirmed_over(counts(100, 10, 0, 0)) && rules.is_confirmed_over(counts(100, 11, 0, 0)));
        rules.set_limits(&Config { min_samples: 101, ..Config::default() });
        assert!(!rules.is_confirmed_over(counts(100, 100, 0, 0)));
    }

    #[test]
    fn failure_rates_of_0_and_1() {
        let mut rules = rules(Config { failure_rate_ppm: 0, ..Config::default() });
        assert!(rules.fails_too_often(counts(100, 0, 1, 0)) && !rules.fails_too_often(counts(100, 0, 0, 0)));
        rules.set_limits(&Config { failure_rate_ppm: PPM, ..Config::default() });
        assert!(!rules.fails_too_often(counts(100, 0, 100, 0)));
    }
}
