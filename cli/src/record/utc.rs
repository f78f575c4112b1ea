//! The time of a line, and how well it is known.

use rustix::time::{ClockId, clock_gettime};
use serde::Serialize;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use trip99::shared;

/// The system clock, in nanoseconds since the Unix epoch.
pub(crate) fn now_ns() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(now.as_nanos()).unwrap_or(u64::MAX)
}

/// UTC to the microsecond.
pub(crate) fn text(wall_ns: u64) -> String {
    humantime::format_rfc3339_micros(UNIX_EPOCH + Duration::from_nanos(wall_ns)).to_string()
}

/// The day, UTC.
pub(crate) fn day(wall_ns: u64) -> String {
    text(wall_ns).split('T').next().unwrap_or_default().to_owned()
}

/// What the kernel thinks of the system clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Known {
    synchronised: bool,
    estimated_error_us: u64,
    maximum_error_us: u64,
}

impl Known {
    /// `None` if the kernel doesn't tell.
    pub(crate) fn now() -> Option<Self> {
        let state = shared::clock_state()?;
        let (estimated_error_us, maximum_error_us) = (state.estimated_error_us, state.maximum_error_us);
        Some(Self { synchronised: state.synchronised, estimated_error_us, maximum_error_us })
    }

    pub(crate) fn is_synchronised(known: Option<Self>) -> bool {
        known.is_some_and(|known| known.synchronised)
    }
}

/// The system clock beside the clock of this boot. A clock that is slewed moves both. So they part only when the system clock is set.
#[derive(Clone, Copy)]
pub(crate) struct Pair {
    pub(crate) wall_ns: u64,
    /// The clock of this boot, right before and right after.
    pub(crate) between_ns: [u64; 2],
}

impl Pair {
    /// Of a few, the one that took the least time.
    pub(crate) fn read() -> Self {
        let pair = || {
            let before_ns = boot_ns();
            let wall_ns = now_ns();
            Self { wall_ns, between_ns: [before_ns, boot_ns()] }
        };
        (0..3).map(|_| pair()).min_by_key(Self::width_ns).unwrap_or_else(pair)
    }

    fn width_ns(&self) -> u64 {
        let [before_ns, after_ns] = self.between_ns;
        after_ns.saturating_sub(before_ns)
    }

    /// By how much the system clock was set between two pairs, if it was.
    pub(crate) fn step_since(&self, earlier: &Self) -> Option<i64> {
        let offset_ns = |pair: &Self| {
            let [before_ns, after_ns] = pair.between_ns.map(i128::from);
            i128::from(pair.wall_ns) - (before_ns + after_ns) / 2
        };
        let step_ns = offset_ns(self) - offset_ns(earlier);
        let is_step = step_ns.unsigned_abs() > u128::from(self.width_ns() + earlier.width_ns() + TOLERANCE_NS);
        is_step.then(|| i64::try_from(step_ns).unwrap_or(if step_ns < 0 { i64::MIN } else { i64::MAX }))
    }
}

/// Clocks are read to less than this.
const TOLERANCE_NS: u64 = 2_000;

fn boot_ns() -> u64 {
    let now = clock_gettime(ClockId::Boottime);
    let [seconds, rest] = [now.tv_sec, now.tv_nsec].map(|part| u64::try_from(part).unwrap_or(0));
    seconds.saturating_mul(1_000_000_000).saturating_add(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn utc_is_written_to_the_microsecond() {
        assert_eq!(text(0), "1970-01-01T00:00:00.000000Z");
        assert_eq!(text(1_795_942_433_123_456_789), "2026-11-29T08:53:53.123456Z");
        assert_eq!(day(1_795_942_433_123_456_789), "2026-11-29");
        assert!(text(u64::MAX).starts_with("2554-"));
    }

    #[test]
    fn a_clock_that_is_set_is_told_from_one_that_runs() {
        const S: u64 = 1_000_000_000;
        let pair = |wall_ns, before_ns, after_ns| Pair { wall_ns, between_ns: [before_ns, after_ns] };
        let first = pair(1_000 * S, 5 * S, 5 * S + 1_000);
        assert_eq!(pair(1_060 * S, 65 * S, 65 * S + 1_000).step_since(&first), None);
        // Somebody else ran in between the readings.
        assert_eq!(pair(1_060 * S + 9_000_000, 65 * S, 65 * S + 10_000_000).step_since(&first), None);
        assert_eq!(pair(1_061 * S, 65 * S, 65 * S + 1_000).step_since(&first), Some(1_000_000_000));
        assert_eq!(pair(1_060 * S - 50_000, 65 * S, 65 * S + 1_000).step_since(&first), Some(-50_000));
        assert_eq!(pair(0, 65 * S, 65 * S).step_since(&pair(u64::MAX, 65 * S, 65 * S)), Some(i64::MIN));
        assert_eq!(Pair::read().step_since(&Pair::read()), None);
    }
}
