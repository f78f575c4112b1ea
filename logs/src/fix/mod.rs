//! FIX logs: which call was answered when.
//!
//! # What a call is
//!
//! - A call begins at the first sending of a new order (35=D), a cancel (35=F, kind `free`) or a replace (35=G) by our side. Its key is its
//!   ClOrdID (11). A possible duplicate or resend (43=Y, 97=Y) is no new call, nor is a message with the ClOrdID of a call that is open.
//! - The first message of the other side that names the call answers it: an execution report (35=8) or a cancel reject (35=9) by ClOrdID, a
//!   reject (35=3) by RefSeqNum (45), a business reject (35=j) by RefSeqNum or by BusinessRejectRefID (379). Later fills count for nothing.
//! - A reject is an answer: the venue was there. Only a business reject that says "application not available" (380=4) fails the call.
//! - A lost session fails the calls that are open in it. A session is lost at a Logout (35=5) of either side, at the time of that Logout; and
//!   at a second Logon (35=A) of one side without a Logout between, with 141=Y or not, at the time of the last message before that Logon.
//!   Nothing else counts as a loss: not silence, a gap in MsgSeqNum, a first Logon, or a Logon that is marked as a duplicate. A session is a
//!   pair of CompIDs (49, 56).
//! - A call that nothing answers within `give_up_ns` never came back, and an answer after that is late. A call that is open at the end of
//!   the log never came back either.
//!
//! # Times
//!
//! The time of a message is the log's own stamp: the first stamp before `8=FIX`. A line without one has the time of its SendingTime (52).
//! Then an answer has a time of the other side's clock, so a latency is as wrong as the clocks are apart. An answer that is before its call
//! is an error. In second 60, a leap second, every time is the last nanosecond of second 59.
//!
//! # Memory
//!
//! Rows come in order of start, so a row waits until each call that began before it has come to an end. There is memory for the calls of
//! `give_up_ns`, and for the names of the last 65,536 calls. A report of a call before these counts as an answer to an unknown order.

// No crate of the registry fits. Its decoders (fefix, fixlite, forgefix, ironfix) check BodyLength and CheckSum and want SOH. Logs have
// other separators, masked passwords and shortened texts, so neither sum is right in them. What is left is splitting at a byte.

mod message;
mod pairing;
mod session;
mod source;
mod time;

use crate::error::LogError;
use crate::row::Row;
use pairing::Pairing;
use source::{Merged, Source};
use std::fmt;
use std::io::Read;

/// How FIX logs are read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FixOptions {
    /// The SenderCompID (49) of our side. `None` takes every side that sends orders, cancels or replaces for ours.
    pub side: Option<String>,
    /// How far the clock of the log's stamps is ahead of UTC, in minutes: 540 for +09:00. A stamp with a zone of its own needs none, and
    /// SendingTime is UTC by its definition.
    pub offset_minutes: i32,
    /// A call that nothing has answered after so long never came back, in nanoseconds. The default is 60 s: for a latency breaker the call
    /// was overdue long before. More needs more memory.
    pub give_up_ns: u64,
}

impl Default for FixOptions {
    fn default() -> Self {
        Self { side: None, offset_minutes: 0, give_up_ns: 60_000_000_000 }
    }
}

/// What of a log made no pair, as far as it has been read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Unpaired {
    /// Orders, cancels and replaces without a ClOrdID (11). They are no rows.
    pub without_id: u64,
    /// Orders, cancels and replaces of the other side. They are no rows. There are none if `side` isn't given.
    pub of_other_side: u64,
    /// Resends (43=Y, 97=Y), and messages with the ClOrdID of a call that was open. They are no rows.
    pub resends: u64,
    /// Answers to orders that aren't in the log. A reject of a message that is no order isn't among them.
    pub unknown_answers: u64,
    /// Answers to calls that had been given up or had failed with their session.
    pub late_answers: u64,
    /// Rows without latency: calls that nothing answered in time.
    pub lost: u64,
    /// Rows that failed because their session was lost.
    pub failed_by_session: u64,
    /// Lines that aren't empty, and have no readable message.
    pub unreadable_lines: u64,
    /// The first of these lines: the file, the line, and what is legal.
    pub first_unreadable: Option<String>,
}

impl fmt::Display for Unpaired {
    /// A line for each thing that happened; nothing if all made pairs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counts = [
            ("orders, cancels or replaces without ClOrdID (11), which are no rows", self.without_id),
            ("orders, cancels or replaces of the other side, which are no rows", self.of_other_side),
            ("resent orders, cancels or replaces, which are no rows", self.resends),
            ("answers to orders that aren't in the log", self.unknown_answers),
            ("answers to calls that had been given up or had failed with their session", self.late_answers),
            ("calls that were never answered, or too late", self.lost),
            ("calls that failed because their session was lost", self.failed_by_session),
            ("lines without a readable message", self.unreadable_lines),
        ];
        for (what, count) in counts.iter().filter(|(_, count)| *count > 0) {
            writeln!(f, "{what}: {count}")?;
        }
        match &self.first_unreadable {
            Some(first) => writeln!(f, "the first of these: {first}"),
            None => Ok(()),
        }
    }
}

/// The calls of FIX logs, in order of start. See [`read`].
pub struct FixRows {
    merged: Merged,
    pairing: Pairing,
    state: State,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Reads,
    /// All is read. The last calls are on their way out.
    AtEnd,
    /// There was an error.
    Failed,
}

/// Reads FIX logs: a message in each line, its fields separated by SOH, `|` or `^A`, with or without a stamp before it. What
/// [`the module`](self) says of calls, answers and times holds.
///
/// Each file is a name for messages, and what to read. Several files, as one of incoming and one of outgoing messages, are merged by time;
/// at the same time orders come before their answers. The stamps of each file ascend.
///
/// # Errors
/// There is no file, or an option isn't legal. The rows end with an error if a file can't be read or has no message at all, if its stamps
/// go back, if an answer is before its order, or if it isn't clear which side is ours. A line that can't be read is counted, and is no error.
///
/// ```
/// use trip99_logs::fix::{self, FixOptions};
///
/// let log = "20260302-09:00:00.100 : 8=FIX.4.4|35=D|49=US|56=VENUE|34=7|11=a1|10=000|\n\
///            20260302-09:00:00.146 : 8=FIX.4.4|35=8|49=VENUE|56=US|34=9|11=a1|150=0|10=000|\n";
/// let mut rows = fix::read(vec![("messages.log".to_owned(), Box::new(log.as_bytes()))], FixOptions::default())?;
/// let row = rows.next().unwrap()?;
/// assert_eq!((row.start_ns, row.latency_ns, row.ok), (1_772_442_000_100_000_000, Some(46_000_000), true));
/// assert!(rows.next().is_none());
/// assert_eq!(rows.unpaired().to_string(), "");
/// # Ok::<(), trip99_logs::LogError>(())
/// ```
pub fn read(files: Vec<(String, Box<dyn Read>)>, options: FixOptions) -> Result<FixRows, LogError> {
    /// The largest offset of any zone is 14 h.
    const MAX_OFFSET_MINUTES: u32 = 24 * 60;
    if files.is_empty() {
        return Err(LogError::new("no FIX log; legal: one file or more"));
    }
    if options.offset_minutes.unsigned_abs() > MAX_OFFSET_MINUTES {
        return Err(LogError::new(format_args!(
            "the offset is {} minutes; legal: from -{MAX_OFFSET_MINUTES} to {MAX_OFFSET_MINUTES}",
            options.offset_minutes
        )));
    }
    let sources = files.into_iter().map(|(file, input)| Source::new(input, file, options.offset_minutes)).collect();
    Ok(FixRows { merged: Merged::new(sources), pairing: Pairing::new(options), state: State::Reads })
}

impl FixRows {
    /// What made no pair, as far as the log has been read. It is complete after the last row.
    pub fn unpaired(&self) -> &Unpaired {
        &self.pairing.unpaired
    }

    fn step(&mut self) -> Result<Option<Row>, LogError> {
        loop {
            if let Some(row) = self.pairing.next_row(self.state == State::AtEnd) {
                return Ok(Some(row));
            }
            if self.state == State::AtEnd {
                return Ok(None);
            }
            match self.merged.next(&mut self.pairing.unpaired)? {
                Some((message, place)) => {
                    self.pairing.take(message).map_err(|wrong| self.merged.error(&place, &wrong))?;
                }
                None => self.state = State::AtEnd,
            }
        }
    }
}

impl Iterator for FixRows {
    type Item = Result<Row, LogError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.state == State::Failed {
            return None;
        }
        let row = self.step();
        if row.is_err() {
            self.state = State::Failed;
        }
        row.transpose()
    }
}
