//! The atomics that everything shared is made of. They are the standard library's, or loom's under `cfg(loom)`.

#[cfg(loom)]
pub(crate) use loom::sync::atomic::{AtomicU8, AtomicU64, Ordering, fence};
#[cfg(not(loom))]
pub(crate) use std::sync::atomic::{AtomicU8, AtomicU64, Ordering, fence};

#[cfg(loom)]
pub(crate) use loom::sync::Arc;

/// A value alone on its cache line, and on the line that the CPU fetches beside it. (The page isn't made of `CachePadded`, as that
/// differs between architectures.)
#[repr(C, align(128))]
pub(crate) struct Line<T>(pub(crate) T);

/// Loads as with acquire ordering. The memory may be mapped read-only. There the standard library vouches for relaxed loads alone
/// (`core::sync::atomic`, "Atomic accesses to read-only memory").
#[inline]
pub(crate) fn load_acquire(word: &AtomicU64) -> u64 {
    let value = word.load(Ordering::Relaxed);
    fence(Ordering::Acquire);
    value
}
