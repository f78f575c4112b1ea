//! Logs of calls: read, written and replayed.
//!
//! A log is a series of [`Row`]s, each a call: when it was to be sent, how long it took, and how it went. [`Trace`] reads them from a
//! trace, which is CSV. [`fix`] reads them from the logs of a FIX engine, [`Ping`] from what ping prints, and [`Bare`] from bare latencies.
//! [`replay`](replay::replay) drives a breaker over them in virtual time.

mod error;
mod row;
mod amount;
mod lines;
mod trace;
mod bare;
mod ping;
pub mod fix;
pub mod replay;

pub use amount::Unit;
pub use bare::{Bare, BareOptions};
pub use error::LogError;
pub use ping::{Ping, PingCounts, PingOptions};
pub use row::{MAX_LATENCY_NS, Row, RowKind};
pub use trace::{Trace, write_trace};
