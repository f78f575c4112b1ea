//! What any thread may have of a breaker: to look at it, and to ask it.

mod gate;
mod halting;
mod observer;

pub use gate::Gate;
pub use halting::{HaltNote, Halted, Holders, LogEntry, Resumed};
pub(crate) use halting::{Presence, Signature};
pub use observer::{Events, Observer};
