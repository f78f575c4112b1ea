//! Why a supervisor doesn't start.

use crate::breaker::Breaker;
use core::fmt;
use core::time::Duration;
use std::error::Error;
use std::io;
use std::sync::{Mutex, PoisonError};

/// What is wrong with a supervisor that is to be started.
#[derive(Debug)]
#[non_exhaustive]
pub enum SupervisorError {
    /// It was given no breaker.
    NoBreakers,
    /// A breaker's name is empty.
    NoName,
    /// Two breakers have this name.
    SameName {
        /// The name.
        breaker: String,
    },
    /// The breaker has a health check but recovers by trials.
    NeverChecked {
        /// The breaker's name.
        breaker: String,
    },
    /// Checks would begin so far apart that half-open always ends by `probe_lost`.
    CheckEvery {
        /// The breaker's name.
        breaker: String,
        /// How far apart checks were to begin.
        spacing: Duration,
        /// The breaker's `probe_timeout`. The spacing must be less.
        limit: Duration,
    },
    /// The operating system refused a thread.
    Thread(io::Error),
}

impl fmt::Display for SupervisorError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoBreakers => f.write_str("there is no breaker to supervise"),
            Self::NoName => f.write_str("a breaker's name is empty"),
            Self::SameName { breaker } => write!(f, "two breakers have the name {breaker}"),
            Self::NeverChecked { breaker } => {
                write!(f, "{breaker} has a health check but recovers by trials: it would never run")
            }
            Self::CheckEvery { breaker, spacing, limit } => {
                write!(
                    f,
                    "health checks of {breaker} every {spacing:?}: must be less than its probe_timeout, {limit:?}"
                )
            }
            Self::Thread(error) => write!(f, "the supervisor can't have a thread: {error}"),
        }
    }
}

impl Error for SupervisorError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Thread(error) => Some(error),
            _ => None,
        }
    }
}

/// Why a supervisor didn't start, and the breakers that it would have owned.
///
/// Its text is that of the [`SupervisorError`].
///
/// ```
/// use trip99::supervisor::SupervisorError;
/// use trip99::{Breaker, Config, Supervisor};
///
/// let error = Supervisor::builder().breaker("", Breaker::new(Config::default())?).start().unwrap_err();
/// assert!(matches!(error.error(), SupervisorError::NoName));
/// let (_name, mut breaker) = error.into_breakers().remove(0);
/// assert!(breaker.allow());
/// # Ok::<(), trip99::ConfigError>(())
/// ```
pub struct StartError {
    error: SupervisorError,
    /// Never locked. The mutex makes the error `Sync`, which a breaker isn't: `Box<dyn Error + Send + Sync>` wants that.
    breakers: Mutex<Vec<(String, Breaker)>>,
}

impl StartError {
    pub(super) fn new(error: SupervisorError, breakers: Vec<(String, Breaker)>) -> Self {
        Self { error, breakers: Mutex::new(breakers) }
    }

    /// What is wrong.
    pub fn error(&self) -> &SupervisorError {
        &self.error
    }

    /// Gives the breakers back with their names, in the order in which they were added. They are as they were, but their
    /// health checks and the builder's listeners are gone.
    pub fn into_breakers(self) -> Vec<(String, Breaker)> {
        self.breakers.into_inner().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for StartError {
    /// Leaves the breakers out, as this is what a program prints that ends with the error.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StartError").field("error", &self.error).finish_non_exhaustive()
    }
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

impl Error for StartError {
    /// The source of the [`SupervisorError`], as the text is its text already.
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.error.source()
    }
}
