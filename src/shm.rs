//! The page in a file, for other processes (feature `shm`). Beside the page the file has a mirror of the window, and what the
//! owner tells of itself.
//!
//! The owner writes and, the gate and the trials apart, never reads back. Observers check all that they read. A file is refused
//! before it is used, and not written to, unless it is a whole, plain file of ours, of this version and unharmed.

mod error;
mod clock_state;
mod users;
mod trust;
mod layout;
mod signs;
mod link;
mod held;
mod lock;
mod login;
mod permissions;
mod options;
mod durable;
mod state_dir;
mod mapping;
mod observer;
mod comes_back;
mod lease;
mod halter;
mod forget;
mod place;

pub use clock_state::{ClockState, clock_state};
pub use comes_back::ComesBack;
pub(crate) use durable::Kept;
pub use error::SharedError;
pub use forget::{Forgotten, forget};
pub use halter::Halter;
pub(crate) use layout::Legacy;
pub use lease::Lease;
pub(crate) use lease::{hold_if_lapsed, owners_check};
pub use link::monotonic_ns;
pub(crate) use link::{Link, Opened};
pub use login::login;
pub use observer::Owner;
pub(crate) use observer::keep_halts;
pub use options::Options;
pub use place::{find, places, shared_dir, shared_path};
pub use state_dir::state_dir;
