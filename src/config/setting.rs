//! One setting, as a row of [`Config::SETTINGS`], and what setters take.

use super::{Config, ConfigError, PPM, Recovery, Start};
use crate::words::Word;
use core::convert::identity;
use core::time::Duration;

/// A setting: its names, its kind, its meaning and its legal range.
///
/// [`Config::SETTINGS`] has all settings, for programs that read or show them. Every value is a number here, in the unit of the
/// field: [`SettingKind`] says what the number means.
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
    pub(super) or_zero: bool,
    pub(super) is_fixed: bool,
    pub(super) get: fn(&Config) -> u64,
    /// Returns `None` if the field can't hold the number.
    pub(super) set: fn(&mut Config, u64) -> Option<()>,
}

/// What a setting's number means, and so how it is written as text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SettingKind {
    /// The number is nanoseconds. The text is like `200ms`.
    Duration,
    /// The number is parts per million. The text is a fraction like `0.99`.
    Share,
    /// The number is a `u32` that counts something. The text is the number.
    Count,
    /// The number is any `u64`. The text is the number.
    Number,
    /// The number is 0 or 1. The text is `false` or `true`.
    Switch,
    /// The number is that of a [`Recovery`]. The text is `trials` or `health-checks`.
    Recovery,
    /// The number is that of a [`Start`]. The text is `closed`, `half-open` or `halted`.
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
            Self::Start => Start::Halted as u64,
        }
    }
}

/// An end of a legal range.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bound {
    /// The field that sets the end, if one does.
    pub(super) field: Option<&'static str>,
    /// The end is just above the value.
    pub(super) is_above: bool,
    pub(super) value: fn(&Config) -> u64,
}

impl Bound {
    fn end(self, config: &Config) -> u64 {
        (self.value)(config).saturating_add(self.is_above.into())
    }

    /// The field that sets the end, and its value in force.
    fn named(self, config: &Config) -> Option<(&'static str, u64)> {
        self.field.map(|field| (field, (self.value)(config)))
    }
}

impl Setting {
    /// The name of the setting in the tool's TOML, and of its setter: `threshold`.
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// The field of [`Config`], and of C's `cb_config`. It is the name with its unit: `threshold_ns`.
    pub const fn field(&self) -> &'static str {
        self.field
    }

    /// What the setting's number means.
    pub const fn kind(&self) -> SettingKind {
        self.kind
    }

    /// What the setting is for, in one line without a full stop.
    pub fn doc(&self) -> &'static str {
        self.doc.trim().trim_end_matches('.')
    }

    /// True if a running breaker keeps the value that it was made with.
    pub const fn is_fixed(&self) -> bool {
        self.is_fixed
    }

    /// The setting's value in `config`.
    pub fn get(&self, config: &Config) -> u64 {
        (self.get)(config)
    }

    /// Sets the value in `config`. The value may lie outside of its legal range: [`Config::validate`] tells that.
    ///
    /// # Errors
    /// [`ConfigError::OutOfRange`] if the field can't hold such a number, as the field is a `u32`, a `bool` or an enum. Nothing
    /// is changed then.
    pub fn set(&self, config: &mut Config, value: u64) -> Result<(), ConfigError> {
        (self.set)(config, value).ok_or_else(|| self.out_of_range(config, value))
    }

    /// The least legal value, beside the other settings of `config`.
    pub fn min(&self, config: &Config) -> u64 {
        self.min.end(config)
    }

    /// The greatest legal value, beside the other settings of `config`.
    pub fn max(&self, config: &Config) -> u64 {
        self.max.end(config)
    }

    /// The field whose value in force is the least legal one, if there is such a field. If [`is_above`](Self::is_above), a legal value
    /// is more than that.
    pub const fn min_field(&self) -> Option<&'static str> {
        self.min.field
    }

    /// True if a legal value is more than [`min_field`](Self::min_field) has in force, or 0 if [`or_zero`](Self::or_zero).
    pub const fn is_above(&self) -> bool {
        self.min.is_above
    }

    /// The field whose value is the greatest legal one, if there is such a field.
    pub const fn max_field(&self) -> Option<&'static str> {
        self.max.field
    }

    /// True if 0 is legal, too, although it is below [`min`](Self::min): it turns the setting off.
    pub const fn or_zero(&self) -> bool {
        self.or_zero
    }

    pub(super) fn check(&self, config: &Config) -> Result<(), ConfigError> {
        let value = self.get(config);
        let legal = self.min(config)..=self.max(config);
        let is_off = self.or_zero && value == 0;
        if is_off || legal.contains(&value) { Ok(()) } else { Err(self.out_of_range(config, value)) }
    }

    fn out_of_range(&self, config: &Config, value: u64) -> ConfigError {
        let (min, max) = (self.min(config), self.max(config));
        let bound = self.min.named(config).or(self.max.named(config));
        ConfigError::OutOfRange { field: self.field, value, min, max, or_zero: self.or_zero, bound }
    }
}

/// What a setter takes, and how that becomes the value of the field.
pub(super) trait Input {
    type Value: Word;
    const KIND: SettingKind;
    fn into_value(self) -> Self::Value;
}

macro_rules! given {
    ($($type:ty => $value:ty, $kind:ident, $into_value:path;)+) => {$(
        impl Input for $type {
            type Value = $value;
            const KIND: SettingKind = SettingKind::$kind;
            fn into_value(self) -> $value {
                $into_value(self)
            }
        }
    )+};
}

given! {
    Duration => u64, Duration, to_ns;
    f64 => u32, Share, to_ppm;
    u32 => u32, Count, identity;
    u64 => u64, Number, identity;
    bool => bool, Switch, identity;
    Recovery => Recovery, Recovery, identity;
    Start => Start, Start, identity;
}

/// A duration in nanoseconds. A duration that is too long for that becomes `u64::MAX`, which means never.
pub(crate) fn to_ns(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// A share that is negative or not a number becomes this. It isn't `u32::MAX`, as C makes that of -1 ppm.
pub(super) const NO_SHARE: u32 = u32::MAX - 1;

/// A share from 0 to 1 in ppm, rounded to the nearest. A number that isn't from 0 to 1 becomes more than [`PPM`], which no share
/// may be.
#[expect(
    clippy::float_arithmetic,
    reason = "a share is given as a float, and rounded here once; nothing else computes with floats"
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
