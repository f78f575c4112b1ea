//! The page in a file, for other processes (feature `shm`): beside the page a mirror of the window, and what the owner tells of
//! itself.
//!
//! The owner writes and, the gate and the trials apart, never reads back; observers check all that they read. What isn't a
//! whole, plain file of ours, of this version and unharmed is refused before it is used, and not written to.

#[cfg(not(feature = "shm"))]
#[path = "shm/absent.rs"]
mod link;

#[cfg(feature = "shm")]
mod error;
#[cfg(feature = "shm")]
mod layout;
#[cfg(feature = "shm")]
mod link;
#[cfg(feature = "shm")]
mod lock;
#[cfg(feature = "shm")]
mod mapping;
#[cfg(feature = "shm")]
mod observer;
#[cfg(feature = "shm")]
mod place;

pub(crate) use link::Link;
#[cfg(feature = "shm")]
pub use {
    error::SharedError,
    observer::Owner,
    place::{shared_dir, shared_path},
};
#[cfg(feature = "shm")]
pub(crate) use {layout::Legacy, link::Opened};
