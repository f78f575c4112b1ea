//! How a command fails: one line on standard error, and exit status 2 for a mistake, or 1 for what could not be done.

use crate::show::escape;
use console::style;
use std::fmt::Display;
use std::io::{self, Write};
use std::process::ExitCode;
use trip99_labels::LabelsError;
use trip99_logs::LogError;

#[derive(Debug)]
pub(crate) enum Failure {
    /// What is wrong, where, and what is legal.
    Message(String),
    /// Nothing is wrong with what was asked. But it could not be done, or there was nothing to do.
    NotDone(String),
    /// The answer is this exit status, and all that is to be said of it is said.
    Answer(u8),
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
        self.tell();
        ExitCode::from(self.code())
    }

    /// Says what is wrong, while the command goes on with other pages. If this fails nobody is left to be told.
    pub(crate) fn tell(&self) {
        if let Some(message) = self.message() {
            let _ = writeln!(io::stderr(), "error: {}", escape(message));
        }
    }

    pub(crate) fn message(&self) -> Option<&str> {
        match self {
            Self::Message(message) | Self::NotDone(message) => Some(message),
            Self::Answer(_) | Self::PipeClosed => None,
        }
    }

    /// The exit status.
    pub(crate) fn code(&self) -> u8 {
        match self {
            Self::Message(_) => 2,
            Self::NotDone(_) => 1,
            Self::Answer(code) => *code,
            Self::PipeClosed => 0,
        }
    }
}

/// Tells of something odd, on standard error. If that fails nobody is left to be told.
pub(crate) fn warn(warning: impl Display) {
    let text = escape(&warning.to_string());
    let _ = writeln!(io::stderr(), "{} {text}", style("warning:").for_stderr().yellow());
}

/// A log has a mistake.
impl From<LabelsError> for Failure {
    fn from(error: LabelsError) -> Self {
        Self::new(error)
    }
}

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
