//! The atomics that everything shared is made of: the standard library's, or loom's under `cfg(loom)`.

#[cfg(loom)]
pub(crate) use loom::sync::atomic::{AtomicU8, AtomicU64, Ordering, fence};
#[cfg(not(loom))]
pub(crate) use std::sync::atomic::{AtomicU8, AtomicU64, Ordering, fence};

#[cfg(loom)]
pub(crate) use loom::sync::Arc;
#[cfg(not(any(loom, feature = "shm")))]
pub(crate) use std::sync::Arc;

/// Alone on its cache line, and on the one that the CPU fetches beside it. (A layout of a page can't be built of
/// `CachePadded`, which differs between architectures.)
#[repr(C, align(128))]
pub(crate) struct Line<T>(pub(crate) T);

/// Loads as with acquire ordering. Memory may be mapped read-only, where the standard library vouches for relaxed loads alone
/// (`core::sync::atomic`, "Atomic accesses to read-only memory").
#[inline]
pub(crate) fn load_acquire(word: &AtomicU64) -> u64 {
    let value = word.load(Ordering::Relaxed);
    fence(Ordering::Acquire);
    value
}
