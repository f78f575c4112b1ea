//! Errors of settings that are not legal.

use super::setting::NO_SHARE;
use core::fmt;

/// A setting that is not legal.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConfigError {
    /// The value lies outside `min..=max`, and isn't a 0 that `or_zero` allows.
    OutOfRange {
        /// The field of [`Config`](crate::Config).
        field: &'static str,
        /// The field's value.
        value: u64,
        /// The least legal value.
        min: u64,
        /// The greatest legal value.
        max: u64,
        /// True if 0 is legal, too.
        or_zero: bool,
        /// The field that sets `min` or `max`, and its value in force. That value is the end of the range, or `min` is just above it. It
        /// is `None` if both ends are fixed numbers.
        bound: Option<(&'static str, u64)>,
    },
    /// A field that is fixed at construction differs from the running breaker's.
    Fixed {
        /// The field of [`Config`](crate::Config).
        field: &'static str,
        /// The field's value.
        value: u64,
        /// The running breaker's value, which alone is legal.
        current: u64,
    },
    /// A text is no value of the setting (feature `serde`).
    Unreadable {
        /// The field of [`Config`](crate::Config).
        field: &'static str,
        /// The text.
        text: String,
        /// The texts that would be legal.
        legal: String,
    },
}

impl ConfigError {
    /// The field of [`Config`](crate::Config) that is wrong.
    pub const fn field(&self) -> &'static str {
        match self {
            Self::OutOfRange { field, .. } | Self::Fixed { field, .. } | Self::Unreadable { field, .. } => field,
        }
    }

    /// The error in words. A field is called what `name` calls it, and a field's value is written as `show` writes it.
    pub(super) fn message(&self, name: impl Fn(&str) -> String, show: impl Fn(&str, u64) -> String) -> String {
        let (field, at) = (self.field(), name(self.field()));
        match self {
            Self::OutOfRange { value, min, max, or_zero, bound, .. } => {
                let [value, least, greatest] = [*value, *min, *max].map(|number| show(field, number));
                let range = match bound {
                    Some((_, below)) if below.checked_add(1) == Some(*min) && max > below => {
                        format!("above {}", show(field, *below))
                    }
                    _ if *max == u64::MAX => format!("at least {least}"),
                    _ => format!("{least} to {greatest}"),
                };
                let zero = if *or_zero { "0 or " } else { "" };
                let because = bound.map(|(other, value)| format!(", as {} is {}", name(other), show(other, value)));
                format!("{at} is {value}; legal: {zero}{range}{}", because.unwrap_or_default())
            }
            Self::Fixed { value, current, .. } => {
                let [value, current] = [*value, *current].map(|number| show(field, number));
                format!("{at} is {value}; legal: {current}, as it is fixed at construction")
            }
            Self::Unreadable { text, legal, .. } => format!("{at} is {text:?}; legal: {legal}"),
        }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message(str::to_owned, |field, value| match value {
            _ if value == u64::from(NO_SHARE) && field.ends_with("_ppm") => {
                format!("{value} (the share was negative or not a number)")
            }
            _ => value.to_string(),
        }))
    }
}

impl std::error::Error for ConfigError {}
