//! The page in a file, for other processes (feature `shm`): beside the page a mirror of the window, and what the owner tells of
//! itself.
//!
//! The owner writes and, the gate and the trials apart, never reads back; observers check all that they read. What isn't a
//! whole, plain file of ours, of this version and unharmed is refused before it is used, and not written to.

mod error;
mod layout;
mod link;
mod lock;
mod mapping;
mod observer;
mod place;

pub use error::SharedError;
pub(crate) use layout::Legacy;
pub(crate) use link::{Link, Opened};
pub use observer::Owner;
pub use place::{shared_dir, shared_path};
