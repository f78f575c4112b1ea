//! How a command fails: one line on standard error, and exit status 2.

use crate::show::escape;
use std::fmt::Display;
use std::io::{self, Write};
use std::process::ExitCode;

#[derive(Debug)]
pub(crate) enum Failure {
    /// What is wrong, where, and what is legal.
    Message(String),
    /// The reader of our output has had enough, as `head` does. Nothing is wrong.
    PipeClosed,
}

impl Failure {
    pub(crate) fn new(what: impl Display) -> Self {
        Self::Message(what.to_string())
    }

    pub(crate) fn report(self) -> ExitCode {
        match self {
            Self::Message(message) => {
                // If this fails nobody is left to be told.
                let _ = writeln!(io::stderr(), "error: {}", escape(&message));
                ExitCode::from(2)
            }
            Self::PipeClosed => ExitCode::SUCCESS,
        }
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
