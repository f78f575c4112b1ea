#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg), doc(auto_cfg(hide(loom))))] // items show the feature that they need
#![deny(unsafe_code)]
// allowed again in the modules that say why
// Without these features some functions have no caller. A build with all features tells which have none at all.
#![cfg_attr(not(all(feature = "ffi", feature = "shm")), allow(dead_code))]
#![warn(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, clippy::float_arithmetic)]

#[cfg(all(feature = "shm", not(target_os = "linux")))]
compile_error!("the feature `shm` is for Linux alone");
#[cfg(all(loom, any(feature = "shm", feature = "ffi")))]
compile_error!("loom tries out neither pages in files nor the C API");

// Their code is tested as the README's is.
#[cfg(doctest)]
#[doc = include_str!("../docs/settings.md")]
#[doc = include_str!("../docs/pages.md")]
mod docs {}

// In the order that data flows: a file uses only files above it.

// Settings and time, what is told of a breaker, and how that is coded as words.
mod words;
mod config;
#[cfg(feature = "shm")]
#[path = "shm/wall.rs"]
mod wall;
mod clock;
mod snapshot;
mod event;
mod started;
// Samples and what is made of them.
mod ring;
mod quantile;
mod window;
mod debt;
mod rules;
mod backoff;
// What is shared: atomics, and what is made of them.
mod sync;
mod seqlock;
mod gate;
mod holder;
mod log;
mod halts;
mod ledger;
mod trials;
mod journal;
#[path = "shm/handle.rs"]
mod handle;
mod mirror;
mod tap;
mod page;
mod watch;
mod handles;
#[cfg(feature = "shm")]
#[path = "shm/cores.rs"]
mod cores;
#[cfg(feature = "shm")]
#[path = "shm/forks.rs"]
mod forks;
#[cfg(not(loom))]
pub mod warden;
// Calls in flight, and what lanes tell of theirs.
mod tickets;
mod in_flight;
mod inbox;
pub mod lane;
mod openings;
mod calls;
// What a breaker is made of: what decides, what tells, and the face of both.
mod judge;
#[cfg_attr(not(feature = "shm"), path = "shm/absent.rs")]
mod shm;
mod outlet;
mod breaker;
// Who has one.
#[cfg(not(loom))]
pub mod supervisor;
#[cfg(feature = "ffi")]
pub mod ffi;

pub use breaker::Breaker;
pub use clock::ClockSource;
pub use config::{Config, ConfigError, ConfigWarning, PPM, Recovery, Start, State};
pub use event::{Event, Reason};
pub use handles::{Events, Gate, HaltNote, Halted, Holders, LogEntry, Observer, Resumed, Why};
pub use holder::{Holder, HolderError};
pub use lane::Lane;
pub use snapshot::Snapshot;
pub use started::Started;
#[cfg(not(loom))]
pub use supervisor::Supervisor;
pub use tap::{Tap, TapKind, TapRow};
pub use tickets::Call;

/// The settings as a table, for programs that read or show them: see [`Config::SETTINGS`].
pub mod settings {
    #[cfg(feature = "toml")]
    pub use crate::config::{Given, GivenError};
    pub use crate::config::{Setting, SettingKind};
}

/// Pages in files: where they are, who owns one, and why one can't be had. Feature `shm`; Linux.
#[cfg(feature = "shm")]
pub mod shared {
    pub use crate::shm::{
        ClockState, ComesBack, Forgotten, Halter, Lease, Options, Owner, SharedError, clock_state, find, forget, login,
        monotonic_ns, places, shared_dir as dir, shared_path as path, state_dir,
    };
}
