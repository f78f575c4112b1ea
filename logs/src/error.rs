//! What is wrong with a log, or with what was asked of it.

use std::fmt;

/// What is wrong, where, and what is legal: one line. It names the file, and the line or the row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogError(String);

impl LogError {
    /// An error of this text.
    pub fn new(what: impl fmt::Display) -> Self {
        Self(what.to_string())
    }
}

impl fmt::Display for LogError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for LogError {}
