#![doc = include_str!("../README.md")]
#![deny(unsafe_code)] // allowed again in the modules that say why
#![warn(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, clippy::float_arithmetic)]

// In the order that data flows: a file uses only files above it.
mod config;
mod clock;
mod ring;
mod quantile;
mod window;
mod in_flight;
mod backoff;
mod sync;
mod tickets;
mod calls;
mod seqlock;
mod ledger;
mod trials;
#[cfg(all(feature = "shm", not(loom)))]
#[path = "shm/handle.rs"]
mod handle;
mod page;
mod journal;
mod rules;
mod gate;
mod inbox;
mod lane;
mod openings;
mod shm;
mod breaker;
#[cfg(not(loom))]
mod supervisor;
#[cfg(feature = "ffi")]
pub mod ffi;

pub use breaker::Breaker;
pub use clock::ClockSource;
pub use config::{Config, ConfigError, PPM, Recovery, Setting, SettingKind, State};
pub use gate::Gate;
pub use journal::{Event, Events, Reason};
pub use lane::{BeginHalf, EndHalf, Lane};
pub use page::{Observer, Snapshot};
#[cfg(all(feature = "shm", not(loom)))]
pub use shm::{HaltNote, Halter, Owner, SharedError, shared_dir, shared_path};
#[cfg(all(not(loom), feature = "tracing"))]
pub use supervisor::log_to_tracing;
#[cfg(not(loom))]
pub use supervisor::{
    CheckError, Fault, Faults, HealthCheck, Listener, Node, Notice, Supervisor, SupervisorBuilder, SupervisorError,
    TcpConnect,
};
pub use tickets::Call;
