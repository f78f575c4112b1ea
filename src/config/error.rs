//! What is wrong with settings.

use super::setting::NO_SHARE;
use core::fmt;

/// A setting that is not legal.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConfigError {
    /// The value lies outside `min..=max`.
    OutOfRange {
        /// The field of [`Config`](crate::Config).
        field: &'static str,
        /// Its value.
        value: u64,
        /// The least legal value.
        min: u64,
        /// The greatest legal value.
        max: u64,
        /// The field whose value is `min` or `max`, and that value; `None` if both are fixed numbers.
        bound: Option<(&'static str, u64)>,
    },
    /// `start` is open; legal are closed and half-open.
    StartOpen,
    /// A field that is fixed at construction differs from the running breaker's.
    Fixed {
        /// The field of [`Config`](crate::Config).
        field: &'static str,
        /// Its value.
        value: u64,
        /// The running breaker's value, the only legal one.
        current: u64,
    },
    /// A text says nothing that this setting could be (feature `serde`).
    Unreadable {
        /// The field of [`Config`](crate::Config).
        field: &'static str,
        /// What was written.
        text: String,
        /// What may be written.
        legal: String,
    },
}

impl ConfigError {
    /// The field of [`Config`](crate::Config) that is wrong.
    pub const fn field(&self) -> &'static str {
        match self {
            Self::OutOfRange { field, .. } | Self::Fixed { field, .. } | Self::Unreadable { field, .. } => field,
            Self::StartOpen => "start",
        }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OutOfRange { field, value, min, max, bound } => {
                write!(f, "{field} is {value}")?;
                if *value == u64::from(NO_SHARE) && field.ends_with("_ppm") {
                    write!(f, " (the share was negative or not a number)")?;
                }
                match *max {
                    u64::MAX => write!(f, "; legal: at least {min}")?,
                    max => write!(f, "; legal: {min} to {max}")?,
                }
                match bound {
                    Some((other, value)) => write!(f, ", as {other} is {value}"),
                    None => Ok(()),
                }
            }
            Self::StartOpen => write!(f, "start is open; legal: closed or half_open"),
            Self::Fixed { field, value, current } => {
                write!(f, "{field} is {value}; legal: {current}, as it is fixed at construction")
            }
            Self::Unreadable { field, text, legal } => write!(f, "{field} is {text:?}; legal: {legal}"),
        }
    }
}

impl std::error::Error for ConfigError {}
