//! What a breaker is told: every setting with its default, its legal range and its meaning.

use crate::words::named;
use core::fmt;

/// One million: shares (`*_ppm`) are given in parts of it.
pub const PPM: u32 = 1_000_000;

/// The largest `window_len`, `max_in_flight` and other counts that size memory or a row.
const MAX_COUNT: u32 = 1 << 20;
/// As many trials as the ledger's word counts.
const MAX_PROBES: u16 = u16::MAX;

const MS: u64 = 1_000_000;
const SECOND: u64 = 1_000_000_000;

named! {
    /// The automatic state of a breaker. A halt is not a state: it lies over all three.
    #[derive(Default)]
    pub enum State {
        /// Calls pass, and every sample is judged.
        #[default]
        Closed = 0, "closed";
        /// Calls are refused until `retry_at`.
        Open = 1, "open";
        /// Only trials (or none, with health checks) pass, to find out whether the node has recovered.
        HalfOpen = 2, "half_open";
    }
}

/// Who tests the node while the breaker is half-open.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Recovery {
    /// A few of the caller's own calls, granted by `allow`.
    #[default]
    Trials = 0,
    /// Checks that the caller (or a supervisor) makes and reports by `record_probe`; `allow` grants nothing.
    HealthChecks = 1,
}

/// The settings of a [`Breaker`](crate::Breaker). Times are nanoseconds, shares are parts per million.
///
/// The default is legal. Change what you need:
///
/// ```
/// use trip99::Config;
///
/// let config = Config {
///     threshold_ns: 5_000_000, // 5 ms
///     window_len: 4096,
///     ..Config::default()
/// };
/// assert!(config.validate().is_ok());
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// The quantile that is judged, in ppm. 1 to 999 999; default 990 000, the P99.
    pub quantile_ppm: u32,
    /// Strictly above it a call is slow. At least 1; default 200 ms.
    pub threshold_ns: u64,
    /// At most this many of the latest samples are judged. 1 to 1 048 576; default 1024. Fixed at construction.
    pub window_len: u32,
    /// A sample leaves the window when it is this old (`now - end >= window_age`). 0 = off; default 60 s.
    pub window_age_ns: u64,
    /// Sampling rate: the first of each so many samples enters the window; every sample counts for everything else.
    /// Above 1, overdue calls don't count in the verdict. 1 to 1 048 576; default 1.
    pub sample_every: u32,
    /// No verdict on the quantile or the failure rate below this many samples. 1 to `window_len`; default 100.
    pub min_samples: u32,
    /// The quantile must be over the threshold at this many verdicts in a row. 1 to 1 048 576; default 1.
    pub confirm_verdicts: u32,
    /// Trips when more than this share of the window failed. 0 to 1 000 000 (= never); default 500 000.
    pub failure_rate_ppm: u32,
    /// Trips when this many samples in a row failed. 0 = off; default 5.
    pub consecutive_failures: u32,
    /// What the spike rule calls slow: strictly above it. 0 = `threshold_ns`, the default.
    pub spike_limit_ns: u64,
    /// Trips when this many samples in a row are slower than `spike_limit_ns`, from the first sample on. 0 = off; default 5.
    pub spike_count: u32,
    /// Trips when one call has been in flight for this long. 0 = off; default 1 s.
    pub stall_limit_ns: u64,
    /// Calls in flight that are tracked. 1 to 1 048 576; default 1024. Fixed at construction.
    pub max_in_flight: u32,
    /// A trial slower than this is a failed trial. 0 = 80 % of `threshold_ns`, the default; at most `threshold_ns`.
    pub recover_threshold_ns: u64,
    /// Who tests the node while half-open. Default: trial calls.
    pub recovery: Recovery,
    /// Trials or checks that must all be good to close. 1 to 65 535; default 10.
    pub probes: u32,
    /// Trials out at the same time. 1 to `probes`; default 1.
    pub trials_in_flight: u32,
    /// No result for this long while one is due reopens. At least 1; default 2 s.
    pub probe_timeout_ns: u64,
    /// The first pause. At least 1; default 1 s.
    pub backoff_base_ns: u64,
    /// Each further pause is so many times longer. 1 to 16; default 2.
    pub backoff_multiplier: u32,
    /// The longest pause, before jitter. At least `backoff_base_ns`; default 60 s.
    pub backoff_max_ns: u64,
    /// A pause grows by up to this share of itself, at random. 0 to 1 000 000; default 100 000.
    pub jitter_ppm: u32,
    /// Seeds the jitter. 0, the default, draws a seed at construction, so that breakers don't retry in step.
    pub jitter_seed: u64,
    /// Forgives one attempt for each such span spent closed. At least 1; default 30 s.
    pub stable_after_ns: u64,
    /// The first state: closed (default) or half-open. Fixed at construction.
    pub start: State,
    /// Judge and report as usual, but refuse nothing; a halt still refuses. Default off.
    pub shadow: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            quantile_ppm: 990_000,
            threshold_ns: 200 * MS,
            window_len: 1024,
            window_age_ns: 60 * SECOND,
            sample_every: 1,
            min_samples: 100,
            confirm_verdicts: 1,
            failure_rate_ppm: 500_000,
            consecutive_failures: 5,
            spike_limit_ns: 0,
            spike_count: 5,
            stall_limit_ns: SECOND,
            max_in_flight: 1024,
            recover_threshold_ns: 0,
            recovery: Recovery::Trials,
            probes: 10,
            trials_in_flight: 1,
            probe_timeout_ns: 2 * SECOND,
            backoff_base_ns: SECOND,
            backoff_multiplier: 2,
            backoff_max_ns: 60 * SECOND,
            jitter_ppm: 100_000,
            jitter_seed: 0,
            stable_after_ns: 30 * SECOND,
            start: State::Closed,
            shadow: false,
        }
    }
}

impl Config {
    /// Checks every field against its legal range.
    ///
    /// # Errors
    /// The first field, in the order of declaration, that is out of its range.
    pub fn validate(&self) -> Result<(), ConfigError> {
        for (field, value, min, max) in self.ranges() {
            if value < min || value > max {
                return Err(ConfigError::OutOfRange { field, value, min, max });
            }
        }
        if self.start == State::Open {
            return Err(ConfigError::StartOpen);
        }
        Ok(())
    }

    /// Each field whose range is limited, with its value, the least and the greatest legal one; some bounds are other
    /// fields' values.
    pub fn ranges(&self) -> [(&'static str, u64, u64, u64); 17] {
        let count = u64::from(MAX_COUNT);
        let ppm = u64::from(PPM);
        let any = u64::MAX;
        [
            ("quantile_ppm", u64::from(self.quantile_ppm), 1, ppm - 1),
            ("threshold_ns", self.threshold_ns, 1, any),
            ("window_len", u64::from(self.window_len), 1, count),
            ("sample_every", u64::from(self.sample_every), 1, count),
            ("min_samples", u64::from(self.min_samples), 1, u64::from(self.window_len)),
            ("confirm_verdicts", u64::from(self.confirm_verdicts), 1, count),
            ("failure_rate_ppm", u64::from(self.failure_rate_ppm), 0, ppm),
            ("max_in_flight", u64::from(self.max_in_flight), 1, count),
            ("recover_threshold_ns", self.recover_threshold_ns, 0, self.threshold_ns),
            ("probes", u64::from(self.probes), 1, MAX_PROBES.into()),
            ("trials_in_flight", u64::from(self.trials_in_flight), 1, u64::from(self.probes)),
            ("probe_timeout_ns", self.probe_timeout_ns, 1, any),
            ("backoff_base_ns", self.backoff_base_ns, 1, any),
            ("backoff_multiplier", u64::from(self.backoff_multiplier), 1, 16),
            ("backoff_max_ns", self.backoff_max_ns, self.backoff_base_ns, any),
            ("jitter_ppm", u64::from(self.jitter_ppm), 0, ppm),
            ("stable_after_ns", self.stable_after_ns, 1, any),
        ]
    }

    /// Checks that `self` may replace `current` in a running breaker.
    pub(crate) fn validate_change(&self, current: &Self) -> Result<(), ConfigError> {
        self.validate()?;
        let fixed = [
            ("window_len", u64::from(self.window_len), u64::from(current.window_len)),
            ("max_in_flight", u64::from(self.max_in_flight), u64::from(current.max_in_flight)),
            ("start", self.start as u64, current.start as u64),
        ];
        for (field, value, current) in fixed {
            if value != current {
                return Err(ConfigError::Fixed { field, value, current });
            }
        }
        Ok(())
    }

    /// The limit that the spike rule applies: `spike_limit_ns`, or the threshold for 0.
    pub const fn effective_spike_limit_ns(&self) -> u64 {
        match self.spike_limit_ns {
            0 => self.threshold_ns,
            limit_ns => limit_ns,
        }
    }

    /// The limit that trials are held to: `recover_threshold_ns`, or 80 % of the threshold (rounded down) for 0.
    pub const fn effective_recover_threshold_ns(&self) -> u64 {
        match self.recover_threshold_ns {
            // Split so that it can't overflow: 4/5 of the fives, then of the rest.
            0 => self.threshold_ns / 5 * 4 + self.threshold_ns % 5 * 4 / 5,
            limit_ns => limit_ns,
        }
    }
}

/// A setting outside its legal range.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConfigError {
    /// The value lies outside `min..=max`.
    OutOfRange {
        /// The field of [`Config`].
        field: &'static str,
        /// Its value.
        value: u64,
        /// The least legal value.
        min: u64,
        /// The greatest legal value; of some fields it is another field's value.
        max: u64,
    },
    /// `start` is open; legal are closed and half-open.
    StartOpen,
    /// A field that is fixed at construction differs from the running breaker's.
    Fixed {
        /// The field of [`Config`].
        field: &'static str,
        /// Its value.
        value: u64,
        /// The running breaker's value, the only legal one.
        current: u64,
    },
}

impl ConfigError {
    /// The field of [`Config`] that is wrong.
    pub const fn field(&self) -> &'static str {
        match self {
            Self::OutOfRange { field, .. } | Self::Fixed { field, .. } => field,
            Self::StartOpen => "start",
        }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OutOfRange { field, value, min, max: u64::MAX } => {
                write!(f, "{field} is {value}; legal: at least {min}")
            }
            Self::OutOfRange { field, value, min, max } => {
                write!(f, "{field} is {value}; legal: {min} to {max}")
            }
            Self::StartOpen => write!(f, "start is open; legal: closed or half_open"),
            Self::Fixed { field, value, current } => {
                write!(f, "{field} is {value}; legal: {current}, as it is fixed at construction")
            }
        }
    }
}

impl std::error::Error for ConfigError {}
