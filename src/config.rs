//! The settings of a breaker. Each is declared once, with its default, its legal range and its meaning.
//!
//! A new setting is one block in the declaration of [`Config`]. Checks, setters, TOML and the tool's options follow from it.
//! The C struct (`src/ffi/config.rs`), its C++ twin (`include/trip99.hpp`) and the README's table are written by hand. Tests
//! compare them with the declaration (`tests/settings.rs`, and the tests in `src/ffi/config.rs`).

#[macro_use]
mod declare;
mod setting;
mod error;
mod warning;
#[cfg(feature = "serde")]
mod text;
#[cfg(feature = "serde")]
mod keys;
#[cfg(feature = "toml")]
mod given;

pub use error::ConfigError;
#[cfg(feature = "toml")]
pub use given::{Given, GivenError};
pub(crate) use setting::to_ns;
pub use setting::{Setting, SettingKind};
pub use warning::ConfigWarning;

use crate::words::{Word, named};
use Recovery::Trials;
use Start::Closed;
use core::fmt;
use core::time::Duration;
use setting::{Bound, Input};

/// One million. Shares (`*_ppm`) are given in parts of this.
pub const PPM: u32 = 1_000_000;

/// How many of `n` values may exceed a limit while their quantile still doesn't: `n - ceil(q * n)`, by nearest rank.
///
/// The quantile is above the limit exactly when more values than that are above it.
#[inline]
pub(crate) const fn slow_allowed(n: usize, quantile_ppm: u32) -> usize {
    // `n - ceil(q * n)` is `floor((1 - q) * n)`. There is no overflow, as `n` is below 2^22 and the share below 2^20.
    let share_ppm = PPM.saturating_sub(quantile_ppm) as u64;
    (n as u64 * share_ppm / PPM as u64) as usize
}

/// The units in which the declaration writes defaults.
#[allow(non_upper_case_globals, reason = "a default is written `200 ms`")]
mod unit {
    pub(super) const ms: u64 = 1_000_000;
    pub(super) const s: u64 = 1_000_000_000;
}

named! {
    /// The automatic state of a breaker. A halt is not a state: a halt lies over all three states.
    #[derive(Default)]
    pub enum State {
        /// Calls pass, and every sample is judged.
        #[default]
        Closed = 0, "closed";
        /// Calls are refused until `retry_at`.
        Open = 1, "open";
        /// Only trials pass, to find out whether the node has recovered. With health checks no call passes.
        HalfOpen = 2, "half_open";
    }
}

named! {
    /// How a breaker starts.
    #[derive(Default)]
    #[non_exhaustive]
    pub enum Start {
        /// Calls pass from the first one on.
        #[default]
        Closed = 0, "closed";
        /// Only trials pass, until enough of them are good.
        HalfOpen = 2, "half_open";
        /// The breaker is closed, and halted by [`Holder::START`](crate::Holder::START) until somebody resumes.
        Halted = 3, "halted";
    }
}

impl Start {
    /// The automatic state of this start.
    pub const fn state(self) -> State {
        match self {
            Self::HalfOpen => State::HalfOpen,
            Self::Closed | Self::Halted => State::Closed,
        }
    }
}

named! {
    /// Who tests the node while the breaker is half-open.
    #[derive(Default)]
    #[non_exhaustive]
    pub enum Recovery {
        /// A few of the caller's own calls test the node. `allow` grants them.
        #[default]
        Trials = 0, "trials";
        /// The caller (or a supervisor) makes checks and reports them by `record_probe`. `allow` grants nothing.
        HealthChecks = 1, "health_checks";
    }
}

settings! {
    /// The settings of a [`Breaker`](crate::Breaker). Times are nanoseconds, shares are parts per million (ppm).
    ///
    /// The default is legal. Change what you need, field by field:
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
    ///
    /// or by setters, which take a [`Duration`] and a share from 0 to 1:
    ///
    /// ```
    /// use std::time::Duration;
    /// use trip99::Config;
    ///
    /// let config = Config::default().threshold(Duration::from_millis(5)).quantile(0.999).window_len(4096);
    /// assert_eq!((config.threshold_ns, config.quantile_ppm), (5_000_000, 999_000));
    /// ```
    ///
    /// A setter rounds a share to whole ppm. A share that is negative, above 1 or not a number becomes a value that
    /// [`validate`](Self::validate) refuses. A duration of more than `u64::MAX` ns becomes `u64::MAX`, which means never.
    ///
    /// With the feature `serde` a `Config` is read and written with the keys of the tool's TOML: `threshold = "200ms"`,
    /// `quantile = 0.99`.
    ///
    /// # How it grows
    ///
    /// A minor version may add fields, with defaults that change nothing. A minor version takes no field away, and narrows no
    /// legal range. End a literal with `..Config::default()` and a pattern with `..`: such code goes on compiling, and a breaker
    /// goes on deciding as it did. A hidden field makes the compiler refuse any other literal or pattern in another crate.
    pub struct Config {
        /// The quantile that is judged.
        quantile_ppm: u32 = 990_000, from 1 to 999_999, set by quantile(f64);

        /// Strictly above it a call is slow.
        threshold_ns: u64 = 200 ms, from 1 to 9_223_372_036_854_775_807, set by threshold(Duration);

        /// At most this many of the latest samples are judged.
        window_len: u32 = 1024, from 1 to 1_048_576, set by window_len(u32), fixed at construction;

        /// A sample leaves the window when it is this old; 0 = off.
        ///
        /// That is when `now - end >= window_age`.
        window_age_ns: u64 = 60 s, 0 or above threshold_ns, set by window_age(Duration);

        /// The first of each so many samples enters the window; above 1, calls don't become overdue.
        ///
        /// Every sample counts for everything else. A trial that is late reopens at any rate.
        sample_every: u32 = 1, from 1 to 1_048_576, set by sample_every(u32);

        /// Below this many samples the breaker is not armed: no verdict on the quantile or the failure rate.
        min_samples: u32 = 20, from 1 to window_len, set by min_samples(u32);

        /// Below this many slow samples there is no verdict on the quantile; 0 = what a full window needs.
        ///
        /// More than a full window needs is never asked for: `window_len - ceil(quantile * window_len) + 1`, 11 by default. So a
        /// full window is judged to the letter, and a young one needs evidence.
        min_slow: u32 = 6, from 0 to 1_048_576, set by min_slow(u32);

        /// Trips at a debt of this many slow calls, in place of the window's quantile; 0 = off.
        ///
        /// Each slow sample that enters the window while closed adds `quantile` to the debt, each other one pays off
        /// `1 - quantile`. Then `min_slow`, `confirm_verdicts` and, for the quantile, `min_samples` don't apply. The repository's
        /// docs/judgement.md tells when to use it.
        debt_limit: u32 = 0, from 0 to 1_048_576, set by debt_limit(u32);

        /// The quantile must be over the threshold at this many verdicts in a row.
        confirm_verdicts: u32 = 1, from 1 to 1_048_576, set by confirm_verdicts(u32);

        /// Trips when more than this share of the window failed.
        ///
        /// 1 000 000 means never.
        failure_rate_ppm: u32 = 500_000, from 0 to 1_000_000, set by failure_rate(f64);

        /// Trips when this many samples in a row failed; 0 = off.
        consecutive_failures: u32 = 5, from 0, set by consecutive_failures(u32);

        /// What the spike rule calls slow: strictly above it; 0 = the threshold.
        spike_limit_ns: u64 = 0, from 0, set by spike_limit(Duration);

        /// Trips when this many samples in a row are above the spike limit; 0 = off.
        ///
        /// It works from the first sample on.
        spike_count: u32 = 5, from 0, set by spike_count(u32);

        /// Trips when one call has been in flight for this long; 0 = off.
        stall_limit_ns: u64 = 1 s, 0 or above threshold_ns, set by stall_limit(Duration);

        /// Calls in flight that are tracked; newer ones beyond it are only counted.
        max_in_flight: u32 = 1024, from 1 to 1_048_576, set by max_in_flight(u32), fixed at construction;

        /// A trial slower than this is a failed trial; 0 = 80 % of the threshold.
        recover_threshold_ns: u64 = 0, from 0 to threshold_ns, set by recover_threshold(Duration);

        /// Who tests the node while half-open.
        recovery: Recovery = Trials, set by recovery(Recovery);

        /// Trials or checks that must all be good to close.
        probes: u32 = 10, from 1 to 65_535, set by probes(u32);

        /// Trials out at the same time.
        trials_in_flight: u32 = 1, from 1 to probes, set by trials_in_flight(u32);

        /// No result for this long while one is due reopens.
        probe_timeout_ns: u64 = 2 s, above recover_threshold_ns, set by probe_timeout(Duration);

        /// The first pause.
        backoff_base_ns: u64 = 1 s, from 1, set by backoff_base(Duration);

        /// Each further pause is so many times longer.
        backoff_multiplier: u32 = 2, from 1 to 16, set by backoff_multiplier(u32);

        /// The longest pause, before jitter.
        backoff_max_ns: u64 = 60 s, from backoff_base_ns, set by backoff_max(Duration);

        /// A pause grows by up to this share of itself, at random.
        jitter_ppm: u32 = 100_000, from 0 to 1_000_000, set by jitter(f64);

        /// Seeds the jitter; 0 draws a seed.
        ///
        /// It is drawn at construction, so that breakers don't retry in step.
        jitter_seed: u64 = 0, from 0, set by jitter_seed(u64);

        /// Forgives one attempt for each such span spent closed.
        stable_after_ns: u64 = 30 s, from 1, set by stable_after(Duration);

        /// The opening that is this many-th, reopenings included, halts too; 0 = off.
        ///
        /// Openings are counted since the breaker was last closed for `stable_after` on end. So a flapping node stays out until
        /// somebody resumes. Under `shadow` this is an event alone.
        latch_after: u32 = 0, from 0 to 1_048_576, set by latch_after(u32);

        /// Gates and lanes refuse when the owner has been silent for this long; 0 = off.
        owner_timeout_ns: u64 = 1 s, 0 or from 10_000_000, set by owner_timeout(Duration);

        /// How it starts.
        start: Start = Closed, set by start(Start), fixed at construction;

        /// Observers may follow each call: at least so many of the latest are kept; 0 = off.
        ///
        /// The ring has a power of two of rows, and 64 or more. See [`Tap`](crate::Tap).
        tap_len: u32 = 0, from 0 to 1_048_576, set by tap_len(u32), fixed at construction;

        /// Judge and report as usual, but refuse nothing.
        ///
        /// A halt still refuses.
        shadow: bool = false, set by shadow(bool);
    }
}

/// What follows the threshold unless it is given: at least the default, and so many thresholds.
const FOLLOWERS: [(&str, u64); 3] = [("window_age_ns", 10), ("stall_limit_ns", 5), ("probe_timeout_ns", 10)];

impl Config {
    /// The defaults for this threshold. What has to be longer follows: `stall_limit` is 5 thresholds and at least 1 s, `probe_timeout`
    /// 10 thresholds and at least 2 s, `window_age` 10 thresholds and at least 60 s. The tool's options and TOML files mean that, too: what
    /// isn't given there follows the threshold.
    ///
    /// ```
    /// use std::time::Duration;
    /// use trip99::Config;
    ///
    /// let config = Config::for_threshold(Duration::from_secs(5));
    /// assert_eq!((config.stall_limit_ns, config.validate()), (25_000_000_000, Ok(())));
    /// assert!(Config::default().threshold(Duration::from_secs(5)).validate().is_err());
    /// ```
    pub fn for_threshold(threshold: Duration) -> Self {
        Self::default().threshold(threshold).with_followers(|_| false)
    }

    /// These settings, but what isn't given follows the threshold, as in [`for_threshold`](Self::for_threshold).
    pub(crate) fn with_followers(mut self, is_given: impl Fn(&Setting) -> bool) -> Self {
        let default = Self::default();
        for setting in Self::SETTINGS.iter().filter(|setting| !is_given(setting)) {
            if let Some((_, times)) = FOLLOWERS.iter().find(|follower| follower.0 == setting.field) {
                let value = self.threshold_ns.saturating_mul(*times).max(setting.get(&default));
                // Each is a duration, so the field can hold it.
                let _ = setting.set(&mut self, value);
            }
        }
        self
    }

    /// Checks every field against its legal range.
    ///
    /// # Errors
    /// [`ConfigError`] names the first field, in the order of declaration, that is out of its range.
    pub fn validate(&self) -> Result<(), ConfigError> {
        for setting in Self::SETTINGS {
            setting.check(self)?;
        }
        Ok(())
    }

    /// The setting of this [name](Setting::name). A name may have dashes in place of underscores. `None` if there is no such
    /// setting.
    pub fn setting(name: &str) -> Option<&'static Setting> {
        Self::SETTINGS.iter().find(|setting| setting.name == name.replace('-', "_"))
    }

    /// Checks that these settings may replace `current` in a running breaker.
    pub(crate) fn validate_change(&self, current: &Self) -> Result<(), ConfigError> {
        self.validate()?;
        for setting in Self::SETTINGS.iter().filter(|setting| setting.is_fixed) {
            let (value, current) = (setting.get(self), setting.get(current));
            if value != current {
                return Err(ConfigError::Fixed { field: setting.field, value, current });
            }
        }
        Ok(())
    }

    /// A hash of all settings, the same for the same settings on every machine and in every version that has them: the sum, modulo 2^64, of
    /// the FNV-1a hashes of the texts `NAME=NUMBER`, one for each setting, with its [name](Setting::name) and its number in decimal.
    pub fn stable_hash(&self) -> u64 {
        const FNV: (u64, u64) = (0xcbf2_9ce4_8422_2325, 0x0100_0000_01b3);
        let add = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(FNV.1);
        let mut sum = 0_u64;
        for setting in Self::SETTINGS {
            let mut hash = setting.name().bytes().chain([b'=']).fold(FNV.0, add);
            let number = setting.get(self);
            let mut power = number.checked_ilog10().map_or(1, |digits| 10_u64.pow(digits));
            while power > 0 {
                hash = add(hash, b'0' + (number / power % 10) as u8);
                power /= 10;
            }
            sum = sum.wrapping_add(hash);
        }
        sum
    }

    pub(crate) const WORDS: usize = Self::SETTINGS.len() + 1;

    /// All settings, and their hash.
    pub(crate) fn words(&self) -> [u64; Self::WORDS] {
        let mut words = [self.stable_hash(); Self::WORDS];
        words.iter_mut().zip(Self::SETTINGS).for_each(|(word, setting)| *word = setting.get(self));
        words
    }

    /// `None` if these are no legal settings, or if the hash isn't theirs.
    pub(crate) fn from_words(words: &[u64; Self::WORDS]) -> Option<Self> {
        let mut config = Self::default();
        for (&word, setting) in words.iter().zip(Self::SETTINGS) {
            (setting.set)(&mut config, word)?;
        }
        (config.validate().is_ok() && words.last() == Some(&config.stable_hash())).then_some(config)
    }

    /// How many samples have to be slow for a verdict that is over the threshold, however few samples there are: `min_slow`, or what a
    /// full window needs if that is less, or if `min_slow` is 0.
    pub const fn effective_min_slow(&self) -> u32 {
        let full = slow_allowed(self.window_len as usize, self.quantile_ppm) as u32 + 1;
        if self.min_slow == 0 || self.min_slow > full { full } else { self.min_slow }
    }

    /// The limit that the spike rule applies, in nanoseconds: `spike_limit_ns`, or the threshold if that is 0.
    pub const fn effective_spike_limit_ns(&self) -> u64 {
        match self.spike_limit_ns {
            0 => self.threshold_ns,
            limit_ns => limit_ns,
        }
    }

    /// The limit that trials are held to, in nanoseconds: `recover_threshold_ns`, or 80 % of the threshold (rounded down) if that
    /// is 0.
    pub const fn effective_recover_threshold_ns(&self) -> u64 {
        match self.recover_threshold_ns {
            // The product is split so that it can't overflow: 4/5 of the whole fives, then 4/5 of the rest.
            0 => self.threshold_ns / 5 * 4 + self.threshold_ns % 5 * 4 / 5,
            limit_ns => limit_ns,
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn settings_survive_their_words_and_others_are_not_believed() {
        let config = Config { threshold_ns: 7_000_000, shadow: true, start: Start::Halted, ..Config::default() };
        assert_eq!(Config::from_words(&config.words()), Some(config.clone()));
        for word in 0..Config::WORDS {
            let mut words = config.words();
            words[word] ^= 1;
            assert_eq!(Config::from_words(&words), None, "word {word}");
        }
        let illegal = Config { window_len: 0, ..config };
        assert_eq!(Config::from_words(&illegal.words()), None);
    }

    /// Whoever computes the hash as the docs say gets the same.
    #[test]
    fn the_hash_is_as_documented() {
        let config = Config { backoff_max_ns: u64::MAX, ..Config::default() };
        let fnv = |text: String| {
            text.bytes().fold(0xcbf29ce484222325, |hash: u64, byte| (hash ^ byte as u64).wrapping_mul(0x100000001b3))
        };
        let texts = Config::SETTINGS.iter().map(|setting| format!("{}={}", setting.name(), setting.get(&config)));
        assert_eq!(config.stable_hash(), texts.map(fnv).fold(0, u64::wrapping_add));
        assert_ne!(config.stable_hash(), Config::default().stable_hash());
    }
}
