//! How a command fails: one line on standard error, and exit status 2 for a mistake, or 1 for what could not be done.

use crate::show::escape;
use console::style;
use std::fmt::Display;
use std::io::{self, Write};
use std::process::ExitCode;
use trip99_logs::LogError;

#[derive(Debug)]
pub(crate) enum Failure {
    /// What is wrong, where, and what is legal.
    Message(String),
    /// Nothing is wrong with what was asked. But it could not be done, or there was nothing to do.
    NotDone(String),
    /// The reader of our output has had enough, as `head` does. Nothing is wrong.
    PipeClosed,
}

impl Failure {
    pub(crate) fn new(what: impl Display) -> Self {
        Self::Message(what.to_string())
    }

    pub(crate) fn not_done(what: impl Display) -> Self {
        Self::NotDone(what.to_string())
    }

    pub(crate) fn report(self) -> ExitCode {
        let (message, code) = match self {
            Self::Message(message) => (message, 2),
            Self::NotDone(message) => (message, 1),
            Self::PipeClosed => return ExitCode::SUCCESS,
        };
        // If this fails nobody is left to be told.
        let _ = writeln!(io::stderr(), "error: {}", escape(&message));
        ExitCode::from(code)
    }
}

/// Tells of something odd, on standard error. If that fails nobody is left to be told.
pub(crate) fn warn(warning: impl Display) {
    let text = escape(&warning.to_string());
    let _ = writeln!(io::stderr(), "{} {text}", style("warning:").for_stderr().yellow());
}

/// A log has a mistake.
impl From<LogError> for Failure {
    fn from(error: LogError) -> Self {
        Self::new(error)
    }
}

/// The report couldn't be written.
impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self::PipeClosed,
            _ => Self::Message(format!("cannot write the report: {error}")),
        }
    }
}
