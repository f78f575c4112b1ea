//! One setting, as a row of [`Config::SETTINGS`], and what setters take.

use super::{Config, ConfigError, PPM, Recovery, State};
use crate::words::Word;
use core::time::Duration;

/// A setting: its names, its kind, its meaning and its legal range. [`Config::SETTINGS`] has them all, for programs that read
/// or show settings.
///
/// Every value is a number here, in the unit of the field: [`SettingKind`] says what the number means.
///
/// ```
/// use trip99::Config;
///
/// let mut config = Config::default();
/// let min_samples = Config::setting("min_samples").expect("there is one");
/// min_samples.set(&mut config, 2000)?;
/// assert_eq!((min_samples.get(&config), min_samples.max(&config)), (2000, 1024));
/// assert_eq!(min_samples.max_field(), Some("window_len"));
/// assert!(config.validate().is_err());
/// # Ok::<(), trip99::ConfigError>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    pub(super) name: &'static str,
    pub(super) field: &'static str,
    pub(super) kind: SettingKind,
    pub(super) doc: &'static str,
    pub(super) min: Bound,
    pub(super) max: Bound,
    pub(super) is_fixed: bool,
    pub(super) get: fn(&Config) -> u64,
    /// `None`: the field can't hold the number.
    pub(super) set: fn(&mut Config, u64) -> Option<()>,
}

/// What a setting's number means, and so how it is written as text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SettingKind {
    /// Nanoseconds. As text `200ms`.
    Duration,
    /// Parts per million. As text a fraction, `0.99`.
    Share,
    /// How many: a `u32`.
    Count,
    /// Any `u64`.
    Number,
    /// 0 or 1. As text `false` or `true`.
    Switch,
    /// A [`Recovery`]. As text `trials` or `health-checks`.
    Recovery,
    /// A [`State`] to start in. As text `closed` or `half-open`.
    Start,
}

impl SettingKind {
    /// The greatest number that a field of this kind holds.
    pub(super) const fn max(self) -> u64 {
        match self {
            Self::Duration | Self::Number => u64::MAX,
            Self::Share | Self::Count => u32::MAX as u64,
            Self::Switch => 1,
            Self::Recovery => Recovery::HealthChecks as u64,
            Self::Start => State::HalfOpen as u64,
        }
    }
}

/// An end of a legal range.
#[derive(Clone, Copy, Debug)]
pub(super) enum Bound {
    /// What the field can hold is the limit.
    Open,
    Number(u64),
    /// Another field, and its value.
    Field(&'static str, fn(&Config) -> u64),
}

impl Bound {
    fn value(self, config: &Config, open: u64) -> u64 {
        match self {
            Self::Open => open,
            Self::Number(number) => number,
            Self::Field(_, value) => value(config),
        }
    }

    const fn field(self) -> Option<&'static str> {
        match self {
            Self::Field(field, _) => Some(field),
            Self::Open | Self::Number(_) => None,
        }
    }
}

impl Setting {
    /// As it is called in the tool's TOML, and as its setter is: `threshold`.
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// The field of [`Config`], and of C's `cb_config`: the name with its unit, `threshold_ns`.
    pub const fn field(&self) -> &'static str {
        self.field
    }

    /// What its number means.
    pub const fn kind(&self) -> SettingKind {
        self.kind
    }

    /// What it is for, in one line without a full stop.
    pub fn doc(&self) -> &'static str {
        self.doc.trim().trim_end_matches('.')
    }

    /// Whether a running breaker keeps the value that it was made with.
    pub const fn is_fixed(&self) -> bool {
        self.is_fixed
    }

    /// The value.
    pub fn get(&self, config: &Config) -> u64 {
        (self.get)(config)
    }

    /// Sets the value, which may lie outside of its legal range: [`Config::validate`] tells that.
    ///
    /// # Errors
    /// The field can't hold such a number, as it is a `u32`, a `bool` or an enum. Nothing is changed then.
    pub fn set(&self, config: &mut Config, value: u64) -> Result<(), ConfigError> {
        (self.set)(config, value).ok_or_else(|| self.out_of_range(config, value))
    }

    /// The least legal value, beside these other settings.
    pub fn min(&self, config: &Config) -> u64 {
        self.min.value(config, 0)
    }

    /// The greatest legal value, beside these other settings.
    pub fn max(&self, config: &Config) -> u64 {
        self.max.value(config, self.kind.max())
    }

    /// The field whose value is the least legal one, if there is such a field.
    pub const fn min_field(&self) -> Option<&'static str> {
        self.min.field()
    }

    /// The field whose value is the greatest legal one, if there is such a field.
    pub const fn max_field(&self) -> Option<&'static str> {
        self.max.field()
    }

    pub(super) fn check(&self, config: &Config) -> Result<(), ConfigError> {
        let value = self.get(config);
        let legal = self.min(config)..=self.max(config);
        if legal.contains(&value) { Ok(()) } else { Err(self.out_of_range(config, value)) }
    }

    fn out_of_range(&self, config: &Config, value: u64) -> ConfigError {
        let (min, max) = (self.min(config), self.max(config));
        let bound = match (self.min, self.max) {
            (Bound::Field(field, _), _) => Some((field, min)),
            (_, Bound::Field(field, _)) => Some((field, max)),
            _ => None,
        };
        ConfigError::OutOfRange { field: self.field, value, min, max, bound }
    }
}

/// What a setter takes.
pub(super) trait Given {
    type Value: Word;
    const KIND: SettingKind;
    fn into_value(self) -> Self::Value;
}

impl Given for Duration {
    type Value = u64;
    const KIND: SettingKind = SettingKind::Duration;
    fn into_value(self) -> u64 {
        to_ns(self)
    }
}

impl Given for f64 {
    type Value = u32;
    const KIND: SettingKind = SettingKind::Share;
    fn into_value(self) -> u32 {
        to_ppm(self)
    }
}

/// Types that a setter takes as the field holds them.
macro_rules! given_as_held {
    ($($type:ty: $kind:ident;)+) => {$(
        impl Given for $type {
            type Value = Self;
            const KIND: SettingKind = SettingKind::$kind;
            fn into_value(self) -> Self {
                self
            }
        }
    )+};
}

given_as_held! {
    u32: Count;
    u64: Number;
    bool: Switch;
    Recovery: Recovery;
    State: Start;
}

/// A duration in nanoseconds; one that is too long for that is `u64::MAX`, which is never.
pub(crate) fn to_ns(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// What a share becomes that is negative or not a number. It isn't `u32::MAX`, as that is what C makes of -1 ppm.
pub(super) const NO_SHARE: u32 = u32::MAX - 1;

/// A share from 0 to 1 in ppm, rounded to the nearest. What isn't from 0 to 1 becomes more than [`PPM`], which no share may be.
#[expect(
    clippy::float_arithmetic,
    reason = "a share is given as a float, and rounded here once; nothing else computes with it"
)]
fn to_ppm(share: f64) -> u32 {
    if share.is_nan() || share < 0.0 {
        return NO_SHARE;
    }
    let ppm = (share * f64::from(PPM)).round() as u32;
    // Just above 1 would be rounded to 1.
    if share > 1.0 { ppm.max(PPM + 1) } else { ppm }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn every_share_of_six_decimals_is_exact() {
        for ppm in 0..=PPM {
            // As a literal would be read, and as a quotient.
            let written: f64 = format!("{}.{:06}", ppm / PPM, ppm % PPM).parse().unwrap();
            assert_eq!(to_ppm(written), ppm, "{written}");
            assert_eq!(to_ppm(f64::from(ppm) / 1e6), ppm);
        }
    }

    #[test]
    fn what_is_no_share_is_no_setting() {
        let above = 1.0_f64.next_up();
        for (share, ppm) in [
            (f64::NAN, NO_SHARE),
            (-f64::NAN, NO_SHARE),
            (-1e-300, NO_SHARE),
            (-0.5, NO_SHARE),
            (f64::NEG_INFINITY, NO_SHARE),
            (-0.0, 0),
            (4e-7, 0),
            (6e-7, 1),
            (0.999_999_6, PPM),
            (above, PPM + 1),
            (1.000_001, PPM + 1),
            (99.0, 99 * PPM),
            (f64::MAX, u32::MAX),
            (f64::INFINITY, u32::MAX),
        ] {
            assert_eq!(to_ppm(share), ppm, "{share}");
            let is_share = (0.0..=1.0).contains(&share);
            for config in [Config::default().failure_rate(share), Config::default().jitter(share)] {
                assert_eq!(config.validate().is_ok(), is_share, "{share}");
            }
        }
        let error = Config::default().quantile(f64::NAN).validate().unwrap_err().to_string();
        let text = "quantile_ppm is 4294967294 (the share was negative or not a number); legal: 1 to 999999";
        assert_eq!(error, text);
        let error = Config::default().quantile(99.0).validate().unwrap_err().to_string();
        assert_eq!(error, "quantile_ppm is 99000000; legal: 1 to 999999");
    }

    #[test]
    fn too_long_a_duration_is_never() {
        assert_eq!(to_ns(Duration::ZERO), 0);
        assert_eq!(to_ns(Duration::from_nanos(u64::MAX)), u64::MAX);
        assert_eq!(to_ns(Duration::from_nanos(u64::MAX) + Duration::from_nanos(1)), u64::MAX);
        assert_eq!(to_ns(Duration::MAX), u64::MAX);
    }

    proptest! {
        #[test]
        fn a_share_is_never_silently_another(bits: u64) {
            let share = f64::from_bits(bits);
            let is_share = (0.0..=1.0).contains(&share);
            prop_assert_eq!(to_ppm(share) <= PPM, is_share);
        }
    }
}
