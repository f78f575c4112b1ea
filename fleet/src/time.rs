//! Time: the host's monotonic clock, which decides, and the wall clock, which only tells.

use std::time::{SystemTime, UNIX_EPOCH};

pub use trip99::shared::monotonic_ns;

/// Nanoseconds of a millisecond.
pub const MS: u64 = 1_000_000;
/// Nanoseconds of a second.
pub const S: u64 = 1_000 * MS;

/// UTC, in nanoseconds since the Unix epoch.
pub fn wall_ns() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| u64::try_from(since.as_nanos()).unwrap_or(u64::MAX))
}

/// A wall time as RFC 3339, to the microsecond; "-" for none.
pub fn show_wall(wall_ns: u64) -> String {
    if wall_ns == 0 {
        return "-".to_owned();
    }
    let at = UNIX_EPOCH + std::time::Duration::from_nanos(wall_ns);
    humantime::format_rfc3339_micros(at).to_string()
}

/// A span for people, in ms.
pub fn show_ms(ns: u64) -> String {
    format!("{}.{} ms", ns / MS, ns / (MS / 10) % 10)
}
