//! What the kernel thinks of the system clock, for who records the time of an event.
#![expect(unsafe_code, reason = "a call to libc")]

/// How well the system clock is known, as the kernel was told by what disciplines it (NTP, PTP).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ClockState {
    /// True if the clock is kept in step with a reference.
    pub synchronised: bool,
    /// The estimated error, in microseconds.
    pub estimated_error_us: u64,
    /// The largest error that is possible, in microseconds. It grows until the clock is compared again.
    pub maximum_error_us: u64,
}

/// The state of the system clock. `None` if the kernel doesn't tell. This makes a system call, needs no rights, and changes nothing.
pub fn clock_state() -> Option<ClockState> {
    // SAFETY: it is a struct of integers, for which zeros are legal.
    let mut timex: libc::timex = unsafe { core::mem::zeroed() };
    // SAFETY: the call writes to `timex` alone. As its modes are 0, it only reads.
    let state = unsafe { libc::adjtimex(&raw mut timex) };
    let [estimated_error_us, maximum_error_us] =
        [timex.esterror, timex.maxerror].map(|us| u64::try_from(us).unwrap_or(0));
    let synchronised = state != libc::TIME_ERROR && timex.status & libc::STA_UNSYNC == 0;
    (state >= 0).then_some(ClockState { synchronised, estimated_error_us, maximum_error_us })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_is_not_kept_in_step_has_a_large_error() {
        if let Some(state) = clock_state() {
            assert!(state.synchronised || state.maximum_error_us > 0, "{state:?}");
            assert!(state.estimated_error_us <= state.maximum_error_us.max(16_000_000), "{state:?}");
        }
    }
}
