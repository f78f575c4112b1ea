//! The clock: the TSC scaled to nanoseconds. No other file names quanta, which says whether the TSC is to be had, and how fast it
//! goes.
//!
//! quanta's own reading asks each time which clock it has, and shifts by a number that it knows only then. That is a dozen
//! instructions, and two stamps a call would pay for them. So on x86-64 the TSC is read here, and scaled by one multiplication.
#![cfg_attr(target_arch = "x86_64", expect(unsafe_code, reason = "reads the TSC"))]

use crate::config::to_ns;
use crate::words::named;
use std::sync::LazyLock;
use std::time::Instant;

named! {
    /// The clock from which a breaker's plain (not `_at`) operations read the time.
    #[derive(Default)]
    #[non_exhaustive]
    pub enum ClockSource {
        /// The CPU's time stamp counter (or the ARM system counter), scaled to nanoseconds.
        Tsc = 0, "tsc";
        /// The operating system's monotonic clock, because the counter can't be trusted here.
        #[default]
        Monotonic = 1, "monotonic";
    }
}

/// A clock in nanoseconds. All clocks of one process agree. The clocks of two processes need not agree.
#[derive(Clone, Debug)]
pub(crate) struct Clock {
    /// How long a tick of the TSC is, in nanoseconds, of which 2^64 is one. 0 if it isn't to be read in the short way.
    #[cfg_attr(not(target_arch = "x86_64"), expect(dead_code, reason = "there is no short way"))]
    tick: u64,
    kind: Kind,
}

#[derive(Clone, Debug)]
enum Kind {
    Tsc(quanta::Clock),
    Monotonic(Instant),
}

impl Clock {
    /// The process's clock. The first call calibrates the TSC, which takes up to 200 ms.
    pub(crate) fn new() -> Self {
        static CLOCK: LazyLock<Clock> = LazyLock::new(|| {
            let counter = quanta::Clock::new();
            // quanta falls back to the monotonic clock without saying so. The scale of the monotonic clock is exactly 1.
            const TICKS: u64 = 1 << 40;
            let fell_back = counter.delta_as_nanos(0, TICKS) == TICKS;
            if fell_back || kernel_distrusts_tsc() {
                Clock { tick: 0, kind: Kind::Monotonic(Instant::now()) }
            } else {
                Clock { tick: tick(&counter), kind: Kind::Tsc(counter) }
            }
        });
        CLOCK.clone()
    }

    /// The time. It may stand still, or go back a little between CPUs. The breaker copes with both.
    #[inline(always)]
    pub(crate) fn now_ns(&self) -> u64 {
        #[cfg(target_arch = "x86_64")]
        if self.tick != 0 {
            // SAFETY: each x86-64 processor has the TSC, and `new` has read it in this process.
            return scaled(unsafe { core::arch::x86_64::_rdtsc() }, self.tick);
        }
        self.now_slowly_ns()
    }

    #[inline(never)]
    fn now_slowly_ns(&self) -> u64 {
        match &self.kind {
            Kind::Tsc(counter) => counter.delta_as_nanos(0, counter.raw()),
            Kind::Monotonic(origin) => to_ns(origin.elapsed()),
        }
    }

    pub(crate) const fn source(&self) -> ClockSource {
        if matches!(self.kind, Kind::Tsc(_)) { ClockSource::Tsc } else { ClockSource::Monotonic }
    }
}

/// How long a tick is, in nanoseconds, of which 2^64 is one; 0 if that is a nanosecond or longer.
fn tick(counter: &quanta::Clock) -> u64 {
    const FEW: u64 = 1 << 40;
    const MANY: u64 = 1 << 62; // of a slow counter they are more nanoseconds than a word holds
    if counter.delta_as_nanos(0, FEW) < FEW { counter.delta_as_nanos(0, MANY) << 2 } else { 0 }
}

#[cfg_attr(not(target_arch = "x86_64"), cfg(test))]
#[inline(always)]
const fn scaled(ticks: u64, tick: u64) -> u64 {
    ((ticks as u128 * tick as u128) >> 64) as u64
}

/// True for a latency of 2^63 ns or more. That is as a rule a negative difference.
#[inline]
pub(crate) const fn is_no_time(latency_ns: u64) -> bool {
    latency_ns >> 63 != 0
}

#[cfg(feature = "shm")]
pub(crate) use crate::wall::wall_ns;

/// The wall clock, in nanoseconds since the Unix epoch. std panics if the operating system can't tell the time. So this is the one
/// thing that a proof against panics can't be had of without the feature `shm`.
#[cfg(not(feature = "shm"))]
pub(crate) fn wall_ns() -> u64 {
    use std::time::SystemTime;
    to_ns(SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default())
}

/// True if Linux has taken `tsc` off its list of clock sources. Linux does that when it has found the counter unstable or out of
/// step between CPUs. The CPUID flags that quanta looks at don't show that. Where there is no such list, nothing is known
/// against the counter.
fn kernel_distrusts_tsc() -> bool {
    cfg!(target_arch = "x86_64")
        && std::fs::read_to_string("/sys/devices/system/clocksource/clocksource0/available_clocksource")
            .is_ok_and(|sources| !lists_tsc(&sources))
}

fn lists_tsc(sources: &str) -> bool {
    sources.split_whitespace().any(|source| source == "tsc")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kernel_list_of_clock_sources_is_read() {
        assert!(lists_tsc("tsc kvm-clock \n"));
        assert!(lists_tsc("kvm-clock tsc"));
        assert!(!lists_tsc("hpet acpi_pm \n"));
        assert!(!lists_tsc("tsc-early hpet"));
    }

    #[test]
    fn the_wall_clock_is_that_of_the_system() {
        let system_ns = || to_ns(std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap());
        let (before_ns, wall_ns, after_ns) = (system_ns(), wall_ns(), system_ns());
        assert!(before_ns <= wall_ns && wall_ns <= after_ns, "{before_ns} {wall_ns} {after_ns}");
    }

    #[test]
    fn both_clocks_tick_in_nanoseconds() {
        let monotonic = Clock { tick: 0, kind: Kind::Monotonic(Instant::now()) };
        let slow = Clock { tick: 0, ..Clock::new() };
        for clock in [Clock::new(), slow, monotonic] {
            let reference = Instant::now();
            let start_ns = clock.now_ns();
            std::thread::sleep(std::time::Duration::from_millis(20));
            let measured_ns = clock.now_ns() - start_ns;
            let elapsed_ns = reference.elapsed().as_nanos() as u64;
            // The sleep lies within what is measured, and that within the reference's span; half and double leave room
            // for any calibration, and none for another unit.
            assert!(measured_ns >= 10_000_000 && measured_ns / 2 <= elapsed_ns, "{clock:?}");
        }
    }

    /// To within what quanta's own rounding makes of a year.
    #[test]
    fn the_short_way_is_quantas_way() {
        let counter = quanta::Clock::new();
        let tick = tick(&counter);
        for ticks in [0, 1, 1000, 3_000_000_007, 1 << 40, 1 << 56, (1 << 56) + 12_345] {
            let (ns, by_quanta_ns) = (scaled(ticks, tick), counter.delta_as_nanos(0, ticks));
            assert!(tick == 0 || ns.abs_diff(by_quanta_ns) <= 1, "{ticks} ticks: {ns} and {by_quanta_ns} ns");
        }
    }
}
