//! The wall clock, for who may be anywhere on the hot path. (libc is there with the feature `shm` alone.)
#![expect(unsafe_code, reason = "a call to libc")]

/// The wall clock, in nanoseconds since the Unix epoch. The vDSO reads it. A system call is made only where the kernel's clock
/// source is one that the vDSO can't read. libc is asked, as the functions of std and rustix can panic.
pub(crate) fn wall_ns() -> u64 {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the call writes to `now` alone. It can't fail for this clock, and if it did, it would leave the zeros.
    unsafe { libc::clock_gettime(libc::CLOCK_REALTIME, &raw mut now) };
    let [seconds, rest] = [now.tv_sec, now.tv_nsec].map(|part| u64::try_from(part).unwrap_or(0));
    seconds.saturating_mul(1_000_000_000).saturating_add(rest)
}
