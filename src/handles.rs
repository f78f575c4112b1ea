//! What any thread may have of a breaker: to look at it, and to ask it.

mod gate;
mod halting;
mod observer;
mod why;

pub use gate::Gate;
#[cfg_attr(not(feature = "shm"), expect(unused_imports, reason = "for pages in files"))]
pub(crate) use halting::Presence;
pub(crate) use halting::Signature;
pub use halting::{HaltNote, Halted, Holders, LogEntry, Resumed};
pub use observer::{Events, Observer};
pub use why::Why;
