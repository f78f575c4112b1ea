//! The rules that open a closed breaker, in the order in which they are tried. Each rule takes O(1) for a sample.

use crate::config::{Config, PPM, slow_allowed};
use crate::debt::Debt;
use crate::event::Reason;

/// What the window holds, and how many overdue calls count beside it.
#[derive(Clone, Copy)]
pub(crate) struct Counts {
    pub(crate) samples: usize,
    pub(crate) slow: usize,
    pub(crate) failed: usize,
    pub(crate) overdue: usize,
    /// What a verdict on debt sees, in parts per million of a call. It is 0 if debt isn't judged.
    pub(crate) debt_ppm: u64,
}

pub(crate) struct Rules {
    quantile_ppm: u32,
    min_samples: usize,
    min_slow: usize,
    confirm_verdicts: u32,
    failure_rate_ppm: u32,
    /// It is `u64::MAX` if the rule is off, as no run is so long. So is `spike_count`.
    consecutive_failures: u64,
    /// A sample up to this is no spike.
    pub(crate) spike_limit_ns: u64,
    spike_count: u64,
    /// How many samples in a row, up to now, were slower than `spike_limit_ns`.
    spike_run: u64,
    /// How many samples in a row, up to now, failed.
    pub(crate) failure_run: u64,
    /// How many verdicts in a row, up to now, were over the threshold.
    over_row: u32,
    /// How many of `allowed_of` samples may be slow. This is kept, as a full window has as many samples each time.
    allowed: usize,
    allowed_of: usize,
    pub(crate) debt: Debt,
}

impl Rules {
    pub(crate) fn new(config: &Config) -> Self {
        let or_never = |count: u32| if count == 0 { u64::MAX } else { u64::from(count) };
        Self {
            quantile_ppm: config.quantile_ppm,
            min_samples: config.min_samples as usize,
            min_slow: config.effective_min_slow() as usize,
            confirm_verdicts: config.confirm_verdicts,
            failure_rate_ppm: config.failure_rate_ppm,
            consecutive_failures: or_never(config.consecutive_failures),
            spike_limit_ns: config.effective_spike_limit_ns(),
            spike_count: or_never(config.spike_count),
            spike_run: 0,
            failure_run: 0,
            over_row: 0,
            allowed: usize::MAX,
            allowed_of: 0,
            debt: Debt::new(config),
        }
    }

    /// Applies new settings. Runs and rows go on. So does debt, unless `is_new_debt`.
    pub(crate) fn set_limits(&mut self, config: &Config, is_new_debt: bool) {
        let mut new = Self::new(config);
        (new.spike_run, new.failure_run, new.over_row) = (self.spike_run, self.failure_run, self.over_row);
        core::mem::swap(&mut new.debt, &mut self.debt);
        new.debt.set_limits(config, is_new_debt);
        *self = new;
    }

    /// Forgets runs, rows and debt, as a new epoch begins.
    pub(crate) fn clear(&mut self) {
        (self.spike_run, self.failure_run, self.over_row) = (0, 0, 0);
        self.debt.clear();
    }

    /// Takes note of a sample, in any state, and whether or not the sample enters the window.
    #[inline]
    pub(crate) fn take(&mut self, latency_ns: u64, ok: bool) {
        // Products, so that a slow sample among fast ones is no mispredicted branch.
        self.spike_run = (self.spike_run + 1) * u64::from(latency_ns > self.spike_limit_ns);
        self.failure_run = (self.failure_run + 1) * u64::from(!ok);
    }

    /// The first rule that holds after a sample. `entered` is what the window holds if the sample entered it.
    #[inline]
    pub(crate) fn judge(&mut self, entered: Option<Counts>) -> Option<Reason> {
        match entered {
            Some(counts) if self.is_confirmed_over(counts) => Some(Reason::Latency),
            Some(counts) if self.fails_too_often(counts) => Some(Reason::FailureRate),
            _ if self.failure_run >= self.consecutive_failures => Some(Reason::ConsecutiveFailures),
            _ if self.spike_run >= self.spike_count => Some(Reason::Spike),
            _ => None,
        }
    }

    /// True if no run and no row is under way, so that a good sample begins none and ends none. (It pays off debt, which is worked out
    /// when somebody asks.)
    #[inline]
    pub(crate) fn are_at_rest(&self) -> bool {
        self.spike_run == 0 && self.failure_run == 0 && (self.over_row == 0 || self.debt.is_on())
    }

    /// True if so many samples are enough for a verdict.
    pub(crate) fn is_armed(&self, samples: usize) -> bool {
        samples >= self.min_samples
    }

    /// Makes a verdict on the quantile. True if the quantile is over the threshold for the `confirm_verdicts`-th time in a row. If
    /// there is a limit for debt, this is the verdict on debt, and no row is counted.
    #[inline]
    pub(crate) fn is_confirmed_over(&mut self, counts: Counts) -> bool {
        if self.debt.is_on() {
            return counts.debt_ppm >= self.debt.limit_ppm();
        }
        let (n, slow) = (counts.samples + counts.overdue, counts.slow + counts.overdue);
        let over = slow > self.slow_allowed(n);
        self.over_row = if over { self.over_row.saturating_add(1) } else { 0 };
        over && self.over_row >= self.confirm_verdicts
    }

    /// How many of `n` samples may be slow. Below `min_samples` any number may be. Fewer than `min_slow` always may be.
    #[inline]
    fn slow_allowed(&mut self, n: usize) -> usize {
        if n != self.allowed_of {
            self.allowed_of = n;
            let allowed = slow_allowed(n, self.quantile_ppm).max(self.min_slow - 1); // which is at least 1
            self.allowed = if n < self.min_samples { usize::MAX } else { allowed };
        }
        self.allowed
    }

    /// True if the failure rate is above its limit. This looks at the window alone: nobody knows yet whether an overdue call will
    /// fail.
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
        Counts { samples, slow, failed, overdue, debt_ppm: 0 }
    }

    /// Two slow ones of 100 are over.
    fn config() -> Config {
        Config { min_samples: 100, min_slow: 1, ..Config::default() }
    }

    #[test]
    fn rules_are_tried_in_order() {
        let all = counts(100, 2, 51, 0);
        let mut rules = rules(Config { consecutive_failures: 1, spike_count: 1, ..config() });
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
        let mut rules = rules(Config { confirm_verdicts: 2, ..config() });
        let (over, not_over, not_armed) = (counts(100, 2, 0, 0), counts(100, 1, 0, 0), counts(99, 99, 0, 0));
        assert!(!rules.is_confirmed_over(over) && !rules.is_confirmed_over(not_over));
        assert!(!rules.is_confirmed_over(over) && !rules.is_confirmed_over(not_armed));
        assert!(!rules.is_confirmed_over(over) && rules.is_confirmed_over(over));
        rules.clear();
        assert!(!rules.is_confirmed_over(over));
    }

    #[test]
    fn overdue_calls_arm_and_count_for_the_quantile_alone() {
        let mut rules = rules(config());
        assert!(rules.is_confirmed_over(counts(98, 0, 0, 2)));
        assert!(!rules.is_confirmed_over(counts(99, 0, 0, 1)));
        assert!(!rules.fails_too_often(counts(99, 0, 99, 1)));
        assert!(rules.fails_too_often(counts(100, 0, 51, 0)));
    }

    #[test]
    fn new_limits_judge_as_many_samples_as_before() {
        let mut rules = rules(config());
        assert!(rules.is_confirmed_over(counts(100, 2, 0, 0)));
        rules.set_limits(&Config { quantile_ppm: 900_000, ..config() }, false);
        assert!(!rules.is_confirmed_over(counts(100, 10, 0, 0)) && rules.is_confirmed_over(counts(100, 11, 0, 0)));
        rules.set_limits(&Config { min_samples: 101, ..config() }, false);
        assert!(!rules.is_confirmed_over(counts(100, 100, 0, 0)));
    }

    #[test]
    fn failure_rates_of_0_and_1() {
        let mut rules = rules(Config { failure_rate_ppm: 0, ..config() });
        assert!(rules.fails_too_often(counts(100, 0, 1, 0)) && !rules.fails_too_often(counts(100, 0, 0, 0)));
        rules.set_limits(&Config { failure_rate_ppm: PPM, ..config() }, false);
        assert!(!rules.fails_too_often(counts(100, 0, 100, 0)));
    }

    /// `min_slow` slow ones are asked for, but no more than a full window needs.
    #[test]
    fn a_young_window_needs_evidence_and_a_full_one_is_judged_to_the_letter() {
        for (window_len, min_slow, needed) in
            [(1024, 6, 6), (1024, 0, 11), (1024, 11, 11), (1024, 12, 11), (1024, 1 << 20, 11), (100, 6, 2), (50, 6, 1)]
        {
            let config = Config { window_len, min_slow, ..Config::default() };
            assert_eq!(config.effective_min_slow() as usize, needed);
            let mut rules = rules(config);
            for samples in 1..=window_len as usize {
                // By nearest rank.
                let is_over = |slow: usize| (99 * samples).div_ceil(100) <= samples - slow.min(samples);
                for slow in [needed - 1, needed, needed + 1].into_iter().filter(|&slow| slow <= samples) {
                    let expected = samples >= 20 && slow >= needed && !is_over(slow);
                    assert_eq!(rules.is_confirmed_over(counts(samples, slow, 0, 0)), expected, "{slow} of {samples}");
                }
            }
        }
    }

    #[test]
    fn debt_takes_the_place_of_the_quantile_and_waits_for_nothing() {
        let mut rules = rules(Config { debt_limit: 2, confirm_verdicts: 9, ..config() });
        let owes = |debt_ppm| Counts { debt_ppm, ..counts(3, 3, 0, 0) };
        assert_eq!(rules.judge(Some(owes(1_979_999))), None);
        assert_eq!(rules.judge(Some(owes(1_980_000))), Some(Reason::Latency));
        assert_eq!(rules.judge(None), None, "a sample that doesn't enter has no verdict");
        assert_eq!(rules.judge(Some(counts(1000, 1000, 0, 0))), None);
    }
}
