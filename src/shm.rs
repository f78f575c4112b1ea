//! The page in a file, for other processes (feature `shm`): beside the page a mirror of the window, notes of halts, and what
//! the owner tells of itself.
//!
//! The owner writes and, the gate's halt bit apart, never reads back; observers check all that they read. What isn't a whole,
//! plain file of ours, of this version and unharmed is refused before it is used, and not written to.

#[cfg(all(feature = "shm", not(target_os = "linux")))]
compile_error!("the feature `shm` is for Linux alone");

// The parts without the operating system, which loom tries out.
#[cfg(any(feature = "shm", loom))]
#[cfg_attr(loom, expect(dead_code, reason = "only its models use it"))]
mod mirror;
#[cfg(any(feature = "shm", loom))]
#[cfg_attr(loom, expect(dead_code, reason = "only its models use it"))]
mod notes;

#[cfg(all(feature = "shm", not(loom)))]
mod error;
#[cfg(all(feature = "shm", not(loom)))]
mod layout;
#[cfg(all(feature = "shm", not(loom)))]
mod lock;
#[cfg(all(feature = "shm", not(loom)))]
mod mapping;
#[cfg(all(feature = "shm", not(loom)))]
mod place;
#[cfg(all(feature = "shm", not(loom)))]
mod link;
#[cfg(all(feature = "shm", not(loom)))]
mod observer;
#[cfg(not(all(feature = "shm", not(loom))))]
#[path = "shm/absent.rs"]
mod link;

pub(crate) use link::Link;
#[cfg(all(feature = "shm", not(loom)))]
pub(crate) use link::Opened;
#[cfg(all(feature = "shm", not(loom)))]
pub use {
    error::SharedError,
    observer::{HaltNote, Halter, Owner},
    place::{shared_dir, shared_path},
};
