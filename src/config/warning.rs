//! Settings that are legal but unwise.

use super::{Config, PPM, slow_allowed};
use core::fmt;

/// A setting that is legal, but that is hardly meant so: see [`Config::warnings`]. Its text is one line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigWarning {
    field: &'static str,
    value: u64,
    /// Another field that has to do with it, and its value.
    beside: Option<(&'static str, u64)>,
    text: &'static str,
}

impl ConfigWarning {
    /// The field of [`Config`](crate::Config) that the warning is about.
    pub const fn field(&self) -> &'static str {
        self.field
    }

    /// The warning in words. A field is called what `name` calls it, and a field's value is written as `show` writes it.
    pub(super) fn message(&self, name: impl Fn(&str) -> String, show: impl Fn(&str, u64) -> String) -> String {
        let is = |field, value| format!("{} is {}", name(field), show(field, value));
        let beside = self.beside.map_or(String::new(), |(field, value)| format!(" and {}", is(field, value)));
        format!("{}{beside}: {}", is(self.field, self.value), self.text)
    }
}

impl fmt::Display for ConfigWarning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message(str::to_owned, |_, value| value.to_string()))
    }
}

impl Config {
    /// What is legal here, but hardly meant so. Settings that aren't legal are [`validate`](Self::validate)'s. This allocates.
    ///
    /// ```
    /// use std::time::Duration;
    /// use trip99::Config;
    ///
    /// assert_eq!(Config::default().warnings(), []);
    /// let warnings = Config::default().threshold(Duration::from_nanos(200)).warnings();
    /// assert_eq!(warnings[0].to_string(), "threshold_ns is 200: less than a microsecond; is it in another unit?");
    /// ```
    pub fn warnings(&self) -> Vec<ConfigWarning> {
        let mut warnings = Vec::new();
        let mut warn = |is_unwise: bool, field, value: u64, beside, text| {
            if is_unwise {
                warnings.push(ConfigWarning { field, value, beside, text });
            }
        };
        let by_debt = self.debt_limit > 0;
        let window_len = self.window_len as usize;
        // How many of a full window have to be slow.
        let full = slow_allowed(window_len, self.quantile_ppm) as u64 + 1;

        warn(
            !by_debt && full == 1,
            "quantile_ppm",
            self.quantile_ppm.into(),
            Some(("window_len", self.window_len.into())),
            "one slow call of a full window is over; a longer window, a lower quantile or a debt limit asks for more",
        );
        warn(
            self.threshold_ns < 1_000,
            "threshold_ns",
            self.threshold_ns,
            None,
            "less than a microsecond; is it in another unit?",
        );
        warn(self.debt_limit == 1, "debt_limit", 1, None, "one slow call trips");
        warn(
            by_debt && self.confirm_verdicts > 1,
            "confirm_verdicts",
            self.confirm_verdicts.into(),
            Some(("debt_limit", self.debt_limit.into())),
            "this can't matter, as debt trips at once",
        );

        warn(
            by_debt && self.min_slow != Self::default().min_slow,
            "min_slow",
            self.min_slow.into(),
            Some(("debt_limit", self.debt_limit.into())),
            "this can't matter, as debt asks for its limit",
        );

        let spike_count = u64::from(self.spike_count);
        let is_spike_slow =
            self.spike_count > 0 && self.sample_every == 1 && self.effective_spike_limit_ns() >= self.threshold_ns;
        warn(
            is_spike_slow && by_debt && self.spike_count >= self.debt_limit,
            "spike_count",
            spike_count,
            Some(("debt_limit", self.debt_limit.into())),
            "this can't matter, as so many slow calls are such a debt (unless the age of the window lies between them)",
        );
        // Samples that expire could keep the window from being armed for ever.
        let is_kept = self.sample_every == 1 && self.window_age_ns == 0;
        let confirmed = u64::from(self.min_samples).max(full) + u64::from(self.confirm_verdicts) - 1;
        warn(
            is_spike_slow && is_kept && !by_debt && spike_count >= confirmed,
            "spike_count",
            spike_count,
            Some(("min_samples", self.min_samples.into())),
            "this can't matter, as the quantile is over before so many calls are slow",
        );
        let failures = u64::from(self.consecutive_failures);
        let share = failures.min(self.window_len.into()) * u64::from(PPM);
        warn(
            is_kept
                && self.consecutive_failures >= self.min_samples
                && share > u64::from(self.failure_rate_ppm) * u64::from(self.window_len),
            "consecutive_failures",
            failures,
            Some(("failure_rate_ppm", self.failure_rate_ppm.into())),
            "this can't matter, as the failure rate is too high before so many calls have failed",
        );
        warnings
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    /// Each warning, with a neighbour that must not have it.
    #[test]
    fn what_is_unwise_is_told_and_its_neighbour_is_not() {
        let config = Config::default;
        let kept = || Config { window_age_ns: 0, ..config() };
        for (unwise, wise, text) in [
            (
                Config { quantile_ppm: 999_999, ..config() },
                Config { quantile_ppm: 999_000, ..config() },
                "quantile_ppm is 999999 and window_len is 1024: one slow call of a full window",
            ),
            (
                Config { window_len: 99, ..config() },
                Config { window_len: 100, ..config() },
                "quantile_ppm is 990000 and window_len is 99: one slow call of a full window",
            ),
            (
                Config { threshold_ns: 999, ..config() },
                Config { threshold_ns: 1_000, ..config() },
                "threshold_ns is 999: less than a microsecond",
            ),
            (
                Config { debt_limit: 1, spike_count: 0, ..config() },
                Config { debt_limit: 2, spike_count: 0, ..config() },
                "debt_limit is 1: one slow call trips",
            ),
            (
                Config { debt_limit: 6, confirm_verdicts: 2, ..config() },
                Config { debt_limit: 0, confirm_verdicts: 2, ..config() },
                "confirm_verdicts is 2 and debt_limit is 6: this can't matter, as debt",
            ),
            (
                Config { debt_limit: 6, min_slow: 5, ..config() },
                Config { debt_limit: 0, min_slow: 5, ..config() },
                "min_slow is 5 and debt_limit is 6: this can't matter, as debt",
            ),
            (
                Config { debt_limit: 5, spike_count: 5, ..config() },
                Config { debt_limit: 6, spike_count: 5, ..config() },
                "spike_count is 5 and debt_limit is 5: this can't matter, as so many",
            ),
            (
                Config { debt_limit: 5, spike_count: 5, spike_limit_ns: 200_000_000, ..config() },
                Config { debt_limit: 5, spike_count: 5, spike_limit_ns: 199_999_999, ..config() },
                "spike_count is 5 and debt_limit is 5: this can't matter, as so many",
            ),
            (
                Config { spike_count: 20, ..kept() },
                Config { spike_count: 19, ..kept() },
                "spike_count is 20 and min_samples is 20: this can't matter, as the quantile",
            ),
            (
                Config { spike_count: 20, min_samples: 1, confirm_verdicts: 10, ..kept() },
                Config { spike_count: 19, min_samples: 1, confirm_verdicts: 10, ..kept() },
                "spike_count is 20 and min_samples is 1: this can't matter, as the quantile",
            ),
            (
                Config { consecutive_failures: 513, ..kept() },
                Config { consecutive_failures: 512, ..kept() },
                "consecutive_failures is 513 and failure_rate_ppm is 500000: this can't matter",
            ),
            (
                Config { consecutive_failures: 2000, failure_rate_ppm: 999_999, ..kept() },
                Config { consecutive_failures: 2000, failure_rate_ppm: PPM, ..kept() },
                "consecutive_failures is 2000 and failure_rate_ppm is 999999: this can't matter",
            ),
        ] {
            assert_eq!((unwise.validate(), wise.validate()), (Ok(()), Ok(())), "{text}");
            let [told] = &unwise.warnings()[..] else { panic!("{text}: {:?}", unwise.warnings()) };
            assert!(told.to_string().starts_with(text) && text.starts_with(told.field()), "{told}");
            assert_eq!(wise.warnings(), [], "{text}");
        }
        assert_eq!(config().warnings(), []);
    }
}
