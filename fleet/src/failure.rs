//! Why a command failed, and with which exit status.

use std::fmt;

/// What was asked was done only in part, or not at all.
pub const NOT_DONE: u8 = 1;
/// The command itself failed.
pub const FAILED: u8 = 2;

/// A failure, for people.
#[derive(Debug)]
pub struct Failure {
    /// What failed, and what is legal or helps.
    pub text: String,
    /// The exit status.
    pub status: u8,
}

impl Failure {
    /// The command itself failed.
    pub fn new(text: impl fmt::Display) -> Self {
        Self { text: text.to_string(), status: FAILED }
    }

    /// Not all of what was asked was done.
    pub fn not_done(text: impl fmt::Display) -> Self {
        Self { text: text.to_string(), status: NOT_DONE }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for Failure {}

/// Tells of something odd that doesn't stop the command.
pub fn warn(text: impl fmt::Display) {
    eprintln!("trip99-fleet: {text}");
}
