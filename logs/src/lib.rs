//! Logs of calls: read, written, looked at and replayed.
//!
//! A log is a series of [`Row`]s, each a call: when it was to be sent, how long it took, and how it went. [`Trace`] reads them from a
//! trace, which is CSV; [`Columns`] from any table; [`fix`] from FIX logs; [`Ping`] from what `ping` prints; [`Bare`] from bare latencies. [`plain`] unpacks what is packed.
//! [`sorted`] and [`reordered`] put rows in order. [`Tapped`] makes rows of a breaker's tap. A [profile](profile::Profile) tells what is in a log, and what is odd about it.
//! [`replay`](replay::replay) drives a breaker over a log in virtual time. A [fault](fault::Fault) may be put into it. A
//! [report](report::Report) is all of that as one page of HTML.

mod error;
pub mod show;
mod input;
mod row;
mod amount;
mod lines;
mod last_line;
mod order;
mod trace;
mod tapped;
mod columns;
mod bare;
mod ping;
pub mod fix;
pub mod outages;
pub mod profile;
pub mod replay;
mod moment;
pub mod fault;
pub mod pauses;
pub mod tune;
pub mod report;

pub use amount::Unit;
pub use bare::{Bare, BareOptions};
pub use columns::{ColumnRows, Columns};
pub use error::LogError;
pub use input::plain;
pub use last_line::Notes;
pub use moment::{Moment, UTC_FROM_NS};
pub use order::{reordered, sorted};
pub use ping::{Ping, PingCounts, PingOptions};
pub use row::{MAX_LATENCY_NS, Row, RowKind};
pub use tapped::Tapped;
pub use trace::{Trace, TraceWriter, write_trace};
