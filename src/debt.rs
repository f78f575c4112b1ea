//! Debt: evidence that slow calls come more often than the quantile allows, in O(1).
//!
//! Each slow sample adds `q`, each other one pays off `1 - q`, down to 0. This is a Bernoulli CUSUM with the reference value `1 - q`
//! (Reynolds and Stoumbos, "A CUSUM Chart for Monitoring a Proportion When Inspecting Continuously", Journal of Quality Technology
//! 31(1), 1999). While there is debt, more than a share of `1 - q` of the samples since it was last 0 are slow. So their quantile `q`,
//! by nearest rank, is above the threshold: debt trips on the same words as the window, over a stretch that it finds by itself.
//!
//! A sample that isn't slow costs nothing here: how many such samples came is the difference of two counts that the window keeps
//! anyway. The debt is worked out when somebody asks.

use crate::config::{Config, PPM};

/// In parts per million of a call. All sums stay below 2^63: debt that is over its limit opens the breaker, and the greatest limit is
/// 2^20 calls, as is the greatest number of calls in flight of each lane.
pub(crate) struct Debt {
    /// 0 = off.
    limit_ppm: u64,
    slow_ppm: u64,
    other_ppm: u64,
    /// Debt whose latest slow sample is of this age is none. 0 = no limit.
    age_ns: u64,
    /// What was owed when the latest slow sample had entered the window.
    owed_ppm: u64,
    latest_slow_ns: u64,
    /// How many samples had ever entered the window then.
    entered: u64,
    /// How many had when debt was last looked at as of the newest of them.
    looked: u64,
}

impl Debt {
    pub(crate) fn new(config: &Config) -> Self {
        Self {
            limit_ppm: u64::from(config.debt_limit) * u64::from(config.quantile_ppm),
            slow_ppm: config.quantile_ppm.into(),
            other_ppm: (PPM - config.quantile_ppm).into(),
            age_ns: config.window_age_ns,
            owed_ppm: 0,
            latest_slow_ns: 0,
            entered: 0,
            looked: 0,
        }
    }

    /// Whether debt is judged.
    #[inline]
    pub(crate) fn is_on(&self) -> bool {
        self.limit_ppm > 0
    }

    /// The limit, in parts per million of a call.
    pub(crate) fn limit_ppm(&self) -> u64 {
        self.limit_ppm
    }

    /// A slow sample entered the window of a closed breaker now, as the `entered`-th of all.
    #[cold]
    pub(crate) fn take_slow(&mut self, now_ns: u64, entered: u64) {
        self.owed_ppm = self.owed_ppm(now_ns, entered.saturating_sub(1)).saturating_add(self.slow_ppm);
        (self.latest_slow_ns, self.entered) = (now_ns, entered);
    }

    /// A verdict is made at this time. Debt that is too old by now is gone for good.
    pub(crate) fn look(&mut self, now_ns: u64) {
        if self.is_expired(now_ns) {
            self.owed_ppm = 0;
        }
    }

    /// [`look`](Self::look) as of the newest sample, which ended at this time as the `entered`-th of all: the hot half of a sample doesn't
    /// look. To be called before that sample leaves, and before the age changes by which it was judged.
    pub(crate) fn look_as_of_newest(&mut self, newest_ns: u64, entered: u64) {
        if entered != self.looked {
            self.looked = entered;
            self.look(newest_ns);
        }
    }

    fn is_expired(&self, now_ns: u64) -> bool {
        self.age_ns > 0 && now_ns.saturating_sub(self.latest_slow_ns) >= self.age_ns
    }

    /// What is owed now that `entered` samples have ever entered the window. Only while the breaker is closed do they pay.
    pub(crate) fn owed_ppm(&self, now_ns: u64, entered: u64) -> u64 {
        let paid_ppm = entered.saturating_sub(self.entered).saturating_mul(self.other_ppm);
        if self.is_expired(now_ns) { 0 } else { self.owed_ppm.saturating_sub(paid_ppm) }
    }

    /// What a verdict sees: what is owed, and as if each overdue call had entered already.
    pub(crate) fn with_overdue_ppm(&self, now_ns: u64, entered: u64, overdue: usize) -> u64 {
        self.owed_ppm(now_ns, entered).saturating_add(self.slow_ppm.saturating_mul(overdue as u64))
    }

    /// Nothing is owed any more, as a new epoch begins.
    pub(crate) fn clear(&mut self) {
        self.owed_ppm = 0;
    }

    /// Applies new settings. What is owed stays, unless `is_another`: what is slow, or how much it weighs, has changed.
    pub(crate) fn set_limits(&mut self, config: &Config, is_another: bool) {
        let Self { owed_ppm, latest_slow_ns, entered, looked, .. } = *self;
        *self = Self { owed_ppm, latest_slow_ns, entered, looked, ..Self::new(config) };
        if is_another {
            self.clear();
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Steps from sample to sample.
    #[derive(Default)]
    struct Twin {
        owed_ppm: u64,
        latest_slow_ns: u64,
    }

    impl Twin {
        fn look(&mut self, now_ns: u64, age_ns: u64) {
            if age_ns > 0 && now_ns - self.latest_slow_ns >= age_ns {
                self.owed_ppm = 0;
            }
        }

        fn take(&mut self, now_ns: u64, is_slow: bool, quantile_ppm: u64) {
            if is_slow {
                self.owed_ppm += quantile_ppm;
                self.latest_slow_ns = now_ns;
            } else {
                self.owed_ppm -= self.owed_ppm.min(1_000_000 - quantile_ppm);
            }
        }
    }

    proptest! {
        #[test]
        fn behaves_as_a_sum_that_steps_from_sample_to_sample(
            quantile_ppm in prop::sample::select(vec![1, 500_000, 900_000, 990_000, 999_999]),
            age_ns in prop::sample::select(vec![0u64, 1, 30]),
            samples in prop::collection::vec((prop_oneof![9 => 0u64..4, 1 => 0u64..40], prop::bool::weighted(0.1)), 0..300),
        ) {
            let config = Config { quantile_ppm, threshold_ns: 1, window_age_ns: age_ns, debt_limit: 6, ..Config::default() };
            let (mut debt, mut twin) = (Debt::new(&config), Twin::default());
            let (mut now_ns, mut entered) = (u64::MAX - 20_000, 1 << 40);
            for (later_ns, is_slow) in samples {
                now_ns += later_ns;
                twin.look(now_ns, age_ns);
                prop_assert_eq!(debt.owed_ppm(now_ns, entered), twin.owed_ppm);
                entered += 1;
                twin.take(now_ns, is_slow, quantile_ppm.into());
                if is_slow {
                    debt.take_slow(now_ns, entered);
                }
                prop_assert_eq!(debt.owed_ppm(now_ns, entered), twin.owed_ppm);
                prop_assert_eq!(debt.with_overdue_ppm(now_ns, entered, 3), twin.owed_ppm + 3 * u64::from(quantile_ppm));
            }
        }
    }

    #[test]
    fn the_largest_limits_do_not_overflow() {
        let config = Config { quantile_ppm: 999_999, debt_limit: 1 << 20, ..Config::default() };
        let mut debt = Debt::new(&config);
        assert_eq!(debt.limit_ppm(), (1 << 20) * 999_999);
        (1..=3).for_each(|entered| debt.take_slow(0, entered));
        assert_eq!(debt.owed_ppm(0, 3), 3 * 999_999);
        assert_eq!(debt.owed_ppm(0, u64::MAX), 0);
        assert_eq!(debt.with_overdue_ppm(0, 3, 1 << 40), 3 * 999_999 + (1 << 40) * 999_999);
    }

    #[test]
    fn a_slow_sample_of_this_age_takes_all_debt_with_it() {
        let mut debt = Debt::new(&Config { window_age_ns: 300_000_000, debt_limit: 6, ..Config::default() });
        debt.take_slow(5, 1);
        debt.take_slow(7, 2);
        assert_eq!([6, 300_000_006, 300_000_007].map(|now_ns| debt.owed_ppm(now_ns, 2)), [1_980_000, 1_980_000, 0]);
        debt.take_slow(300_000_007, 3);
        assert_eq!(debt.owed_ppm(300_000_007, 3), 990_000, "what was owed is not back");
    }
}
