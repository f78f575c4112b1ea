//! The C API: every `extern "C"` function, one C noun a file. `include/trip99.h` is generated from it, comments included.
//!
//! These are thin: a function checks what came from C, converts it and calls the Rust operation of the same name. Cold
//! functions check every pointer; hot ones take non-NULL ones on trust, as the header says, and assert it in debug builds.
//!
//! Nothing unwinds into C: no operation panics, and those that allocate catch it if they do all the same (`status::guard`).
//!
//! A handle keeps what any thread may touch apart from what is one thread's at a time, which is in a cell. So a reference to the
//! handle never covers a reference to what is in the cell. What becomes of a breaker while a supervisor has it is in `standing`
//! and `handle`.
//!
//! A file uses only files above it. (What is in a file's own folder is above it, too.)
#![expect(unsafe_code, reason = "C pointers")]
#![expect(non_camel_case_types, reason = "names as C sees them")]
#![expect(
    clippy::missing_safety_doc,
    reason = "the comments are the C header's; what they ask of each argument is the contract"
)]

mod abi;
mod status;
mod pointers;
mod structs;
mod checked;
mod standing;
mod config;
mod config_load;
mod handle;
mod breaker;
mod operations;
mod halt_note;
mod gate;
mod halt_results;
mod halting;
mod snapshot;
mod events;
mod observer;
mod tap;
mod holders;
mod gate_handle;
mod lane_ends;
mod lane;
mod lane_operations;
mod why;
#[cfg(feature = "shm")]
mod shared_places;
#[cfg(feature = "shm")]
mod shared_options;
#[cfg(feature = "shm")]
mod shared;
#[cfg(feature = "shm")]
mod shared_handles;
#[cfg(feature = "shm")]
mod shared_halts;
#[cfg(feature = "shm")]
mod started;
#[cfg(feature = "shm")]
mod owner;
#[cfg(feature = "shm")]
mod comes_back;
mod warden;
mod supervisor;
mod supervisor_handles;

pub use abi::*;
pub use breaker::*;
#[cfg(feature = "shm")]
pub use comes_back::*;
pub use config::*;
pub use config_load::*;
pub use events::*;
pub use gate::*;
pub use gate_handle::*;
pub use halt_note::*;
pub use halt_results::*;
pub use halting::*;
pub use handle::cb_breaker;
pub use holders::*;
pub use lane::*;
pub use lane_operations::*;
pub use observer::*;
pub use operations::*;
#[cfg(feature = "shm")]
pub use owner::*;
#[cfg(feature = "shm")]
pub use shared::*;
#[cfg(feature = "shm")]
pub use shared_halts::*;
#[cfg(feature = "shm")]
pub use shared_handles::*;
#[cfg(feature = "shm")]
pub use shared_options::*;
#[cfg(feature = "shm")]
pub use shared_places::*;
pub use snapshot::*;
#[cfg(feature = "shm")]
pub use started::*;
pub use status::*;
pub use supervisor::*;
pub use supervisor_handles::*;
pub use tap::*;
pub use warden::*;
pub use why::*;
