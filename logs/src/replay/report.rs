//! What a replay tells.

use crate::error::LogError;
use crate::row::Row;
use trip99::{Config, Event, State};

/// Learns what happens, as it happens.
pub trait Report {
    /// Why the report ends early: the log has a mistake, or nobody reads the report any more.
    type Error: From<LogError>;

    /// The replay begins, with these settings.
    fn begin(&mut self, config: &Config) -> Result<(), Self::Error>;
    /// Time passes in one state. Each span begins where the one before ended, from the first row to the last step.
    fn span(&mut self, _state: State, _from_ns: u64, _to_ns: u64) {}
    /// A call begins, which is this row: it was allowed, or doesn't ask.
    fn began(&mut self, _row: &Row) {}
    /// The breaker changed its state.
    fn transition(&mut self, event: &Event) -> Result<(), Self::Error>;
    /// The replay is over.
    fn end(&mut self, summary: &Summary) -> Result<(), Self::Error>;
}

/// What became of the calls of a log, and of the breaker.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Rows that asked: those that were allowed, and those that were refused.
    pub asked: u64,
    /// Rows that asked, and were allowed.
    pub allowed: u64,
    /// Rows that asked, and were refused.
    pub refused: u64,
    /// Rows that didn't ask.
    pub free: u64,
    /// Those of the allowed rows that were refused when they were recorded: nobody knows how their calls would have gone.
    pub unknown: u64,
    /// The number of the first of these rows, counted from 1 on; 0 if there are none.
    pub first_unknown_row: u64,
    /// Calls that began and never came back.
    pub lost: u64,
    /// How often the breaker opened while it was closed.
    pub trips: u64,
    /// How often it opened while it was half-open.
    pub reopens: u64,
    /// How long it was open, in nanoseconds.
    pub open_ns: u64,
    /// How long it was half-open, in nanoseconds.
    pub half_open_ns: u64,
    /// When the first row was.
    pub first_ns: u64,
    /// When the last row or completion was.
    pub end_ns: u64,
    /// The state at the end.
    pub state: State,
    /// Rows that asked while a verdict was possible: while there were enough samples and overdue calls.
    pub armed: u64,
    /// Whether a verdict was possible at any time, and the most samples and overdue calls that there were before it was.
    pub was_armed: bool,
    /// See `was_armed`.
    pub most_samples: u32,
    /// The longest time from leaving closed to closing again (or to the end).
    pub longest_pause_ns: u64,
}

/// A report that is somewhere else.
impl<R: Report> Report for &mut R {
    type Error = R::Error;

    fn begin(&mut self, config: &Config) -> Result<(), R::Error> {
        R::begin(self, config)
    }

    fn span(&mut self, state: State, from_ns: u64, to_ns: u64) {
        R::span(self, state, from_ns, to_ns);
    }

    fn began(&mut self, row: &Row) {
        R::began(self, row);
    }

    fn transition(&mut self, event: &Event) -> Result<(), R::Error> {
        R::transition(self, event)
    }

    fn end(&mut self, summary: &Summary) -> Result<(), R::Error> {
        R::end(self, summary)
    }
}
