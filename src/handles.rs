//! What any thread may have of a breaker: to look at it, and to ask it.

mod gate;
mod observer;

pub use gate::Gate;
pub use observer::{Events, Observer};
