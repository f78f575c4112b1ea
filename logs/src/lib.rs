//! Logs of calls: read, written and replayed.
//!
//! A log is a series of [`Row`]s, each a call: when it was to be sent, how long it took, and how it went. [`plain`] unpacks a file.
//! [`Trace`] reads rows from a trace, which is CSV, and [`Columns`] from any delimited text. [`sorted`] and [`reordered`] put them in
//! order. [`replay`](replay::replay) drives a breaker over them in virtual time.

mod error;
mod input;
mod columns;
mod order;
mod row;
mod trace;
pub mod replay;

pub use columns::{ColumnRows, Columns};
pub use error::LogError;
pub use input::plain;
pub use order::{reordered, sorted};
pub use row::{MAX_LATENCY_NS, Row, RowKind};
pub use trace::{Trace, write_trace};
