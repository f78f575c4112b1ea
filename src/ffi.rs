//! The C API: every `extern "C"` function, one C noun a file. `include/trip99.h` is generated from it, comments included.
//!
//! These are thin: a function checks what came from C, converts it and calls the Rust operation of the same name. Cold
//! functions check every pointer; hot ones take non-NULL ones on trust, as the header says, and assert it in debug builds.
//!
//! Nothing unwinds into C: no operation panics, and those that allocate catch it if they do all the same (`status::guard`).
//!
//! [`cb_breaker`] keeps what any thread may touch apart from what is the owner's, so that no reference to the one ever
//! covers the other. Only fields are borrowed, never the whole. What becomes of it while a supervisor has the breaker is in
//! `handle`.
#![expect(unsafe_code, reason = "C pointers")]
#![expect(non_camel_case_types, reason = "names as C sees them")]
#![expect(
    clippy::missing_safety_doc,
    reason = "the comments are the C header's; what they ask of each argument is the contract"
)]

mod abi;
mod status;
mod structs;
mod checked;
mod config;
mod breaker;
mod handle;
mod operations;
mod gate;
mod lane;
mod snapshot;
mod events;
#[cfg(feature = "shm")]
mod shared;
#[cfg(not(loom))]
mod supervisor;

pub use abi::*;
pub use breaker::*;
pub use config::*;
pub use events::*;
pub use gate::*;
pub use lane::*;
pub use operations::*;
#[cfg(feature = "shm")]
pub use shared::*;
pub use snapshot::*;
pub use status::*;
#[cfg(not(loom))]
pub use supervisor::*;
