//! Transitions, halts and resumes, as C reads them.

use super::config::cb_state;
use super::handle::cb_breaker;
use super::pointers::{cleared, free, make, required};
use super::status::{cb_status, guard};
use super::structs::{Versioned, is_writable, write_if};
use crate::event::{Event, Reason};
use crate::handles::{Events, Observer};
use core::ffi::{CStr, c_char};
use core::mem::offset_of;

/// One of cb_reason_value.
pub type cb_reason = u32;

/// Why a breaker changed its state, or was halted, resumed, restarted or reconfigured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum cb_reason_value {
    /// The quantile exceeded the threshold.
    CB_REASON_LATENCY = 1,
    /// Too large a share of the window failed.
    CB_REASON_FAILURE_RATE = 2,
    /// Too many samples in a row failed.
    CB_REASON_CONSECUTIVE_FAILURES = 3,
    /// Too many samples in a row were slower than the spike limit.
    CB_REASON_SPIKE = 4,
    /// A call has been in flight for too long.
    CB_REASON_STALL = 5,
    /// The pause is over: the breaker is half-open.
    CB_REASON_RETRY = 6,
    /// A result failed while the breaker was half-open: it is open again.
    CB_REASON_PROBE_FAILED = 7,
    /// A result was too slow while the breaker was half-open, or a trial was in flight for too long: the breaker is open again.
    CB_REASON_PROBE_SLOW = 8,
    /// No result came in time while the breaker was half-open: it is open again.
    CB_REASON_PROBE_LOST = 9,
    /// All trials or checks were good: the breaker is closed.
    CB_REASON_RECOVERED = 10,
    /// Trading was halted. The state is unchanged.
    CB_REASON_HALT = 11,
    /// A halt ended. The state is unchanged.
    CB_REASON_RESUME = 12,
    /// A new owner took over a page in a file. The breaker comes back closed after a clean end while it was closed, otherwise
    /// open. A halt that is in force then has another event after this one.
    CB_REASON_RESTART = 13,
    /// The owner tripped the breaker (cb_trip): open.
    CB_REASON_TRIPPED = 14,
    /// The owner changed the settings. The state is unchanged.
    CB_REASON_RECONFIGURED = 15,
    /// The owner was silent for owner_timeout_ns: gates and lanes refused. The event comes when the owner is back.
    CB_REASON_OWNER_SILENT = 16,
    /// The owner is back after a silence.
    CB_REASON_OWNER_BACK = 17,
    /// The owner's clock went back for good: a new epoch began, and the breaker is open for a whole pause.
    CB_REASON_CLOCK_JUMPED = 18,
    /// In shadow: the opening before this would have halted by latch_after. The state is unchanged.
    CB_REASON_LATCHED = 20,
}

pub use cb_reason_value::*;

/// Each reason with its text.
const REASONS: [(Reason, cb_reason_value, &CStr); 19] = [
    (Reason::Latency, CB_REASON_LATENCY, c"latency"),
    (Reason::FailureRate, CB_REASON_FAILURE_RATE, c"failure_rate"),
    (Reason::ConsecutiveFailures, CB_REASON_CONSECUTIVE_FAILURES, c"consecutive_failures"),
    (Reason::Spike, CB_REASON_SPIKE, c"spike"),
    (Reason::Stall, CB_REASON_STALL, c"stall"),
    (Reason::Retry, CB_REASON_RETRY, c"retry"),
    (Reason::ProbeFailed, CB_REASON_PROBE_FAILED, c"probe_failed"),
    (Reason::ProbeSlow, CB_REASON_PROBE_SLOW, c"probe_slow"),
    (Reason::ProbeLost, CB_REASON_PROBE_LOST, c"probe_lost"),
    (Reason::Recovered, CB_REASON_RECOVERED, c"recovered"),
    (Reason::Halt, CB_REASON_HALT, c"halt"),
    (Reason::Resume, CB_REASON_RESUME, c"resume"),
    (Reason::Restart, CB_REASON_RESTART, c"restart"),
    (Reason::Tripped, CB_REASON_TRIPPED, c"tripped"),
    (Reason::Reconfigured, CB_REASON_RECONFIGURED, c"reconfigured"),
    (Reason::OwnerSilent, CB_REASON_OWNER_SILENT, c"owner_silent"),
    (Reason::OwnerBack, CB_REASON_OWNER_BACK, c"owner_back"),
    (Reason::ClockJumped, CB_REASON_CLOCK_JUMPED, c"clock_jumped"),
    (Reason::Latched, CB_REASON_LATCHED, c"latched"),
];

/// A transition, halt, resume, restart or reconfiguration, with the figures of a verdict at that moment.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct cb_event {
    /// sizeof(cb_event), set by CB_EVENT_INIT.
    pub struct_size: u32,
    /// The state before: a cb_state_value.
    pub from: cb_state,
    /// The state after: a cb_state_value.
    pub to: cb_state,
    /// Why: a cb_reason_value.
    pub reason: cb_reason,
    /// The event's number. The first event has 0.
    pub sequence: u64,
    /// When it happened, on the breaker's clock.
    pub t_ns: u64,
    /// When it happened, in nanoseconds since the Unix epoch, as the system clock showed it when the event was written.
    pub wall_ns: u64,
    /// The judged quantile; 0 if the verdict sees nothing.
    pub quantile_ns: u64,
    /// When the pause ends; UINT64_MAX unless the state after is open.
    pub retry_at_ns: u64,
    /// How long before the event the owner was last seen. A long gap means a local pause rather than a slow node.
    pub owner_gap_ns: u64,
    /// Samples that the verdict sees: the window and, if the state before is closed, the overdue calls.
    pub samples: u32,
    /// Samples that the verdict sees and that are slower than the threshold.
    pub slow: u32,
    /// Overdue calls that the verdict sees.
    pub overdue: u32,
    /// Samples in the window that failed.
    pub failures: u32,
    /// The attempt, as this event left it.
    pub attempt: u32,
    /// 1 if this opened the breaker by its debt (debt_limit): then observed and limit are in ppm of a call. Otherwise 0.
    pub by_debt: u32,
    /// What was observed. The reason says what it is: CB_REASON_LATENCY the quantile, ns (by debt the debt, in ppm of a call,
    /// beside debt_limit * quantile_ppm); CB_REASON_FAILURE_RATE the share of the window that failed, ppm;
    /// CB_REASON_CONSECUTIVE_FAILURES how many failed in a row; CB_REASON_SPIKE the last latency, ns; CB_REASON_STALL the call's
    /// age, ns; CB_REASON_PROBE_FAILED the result's latency, ns; CB_REASON_PROBE_SLOW the result's latency or the trial's age, ns;
    /// CB_REASON_PROBE_LOST how long no result came, ns; CB_REASON_RECOVERED good results; CB_REASON_CLOCK_JUMPED how far back,
    /// ns; 0 for other reasons.
    pub observed: u64,
    /// The limit that the observed figure is held against, in the same unit. 0 if there is none.
    pub limit: u64,
    /// Of a halt and a resume: the number of their entry in the operators' log, which is counted from 1 on. 0 = none.
    pub entry: u64,
    /// Of a change of the settings: the hash (cb_config_hash) of the settings before it. 0 = none.
    pub settings_before: u64,
    /// Of a change of the settings: the hash of the settings after it. 0 = none.
    pub settings_after: u64,
}

// SAFETY: the asserts below, and every bit pattern is a valid integer.
unsafe impl Versioned for cb_event {
    const FIRST_SIZE: usize = 88;
}

const _: () = {
    assert!(offset_of!(cb_event, struct_size) == 0);
    assert!(cb_event::FIRST_SIZE <= size_of::<cb_event>());
    assert!(size_of::<cb_event>() == 10 * 4 + 11 * 8, "no padding");
};

impl From<Event> for cb_event {
    fn from(event: Event) -> Self {
        Self {
            struct_size: size_of::<Self>() as u32,
            from: event.from as u32,
            to: event.to as u32,
            reason: event.reason as u32,
            sequence: event.sequence,
            t_ns: event.t_ns,
            wall_ns: event.wall_ns,
            quantile_ns: event.quantile_ns,
            retry_at_ns: event.retry_at_ns,
            owner_gap_ns: event.owner_gap_ns,
            samples: event.samples,
            slow: event.slow,
            overdue: event.overdue,
            failures: event.failures,
            attempt: event.attempt,
            by_debt: event.by_debt.into(),
            observed: event.observed,
            limit: event.limit,
            entry: event.entry,
            settings_before: event.settings_before,
            settings_after: event.settings_after,
        }
    }
}

/// A reader of a breaker's events. The journal keeps the latest 64 events, or in a file the latest 1024. A reader that falls further behind is told how many
/// it missed. One thread at a time may use a reader. Each reader has a place of its own.
pub struct cb_events {
    events: Events,
}

impl cb_events {
    pub(super) fn open(observer: &Observer) -> *mut Self {
        make(Self { events: observer.events() })
    }
}

const _: () = {
    const fn is_send<T: Send>() {}
    is_send::<cb_events>();
};

/// Opens a reader that begins with the oldest event that the journal still has.
///
/// @param breaker  Must not be NULL.
/// @param out      Where the reader goes; NULL goes there if there is an error. Must not be NULL.
/// @return         CB_STATUS_OK, or CB_STATUS_NULL_POINTER.
///
/// Thread: any. Give the reader to cb_events_close in the end, before or after cb_destroy.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cb_events_open(breaker: *const cb_breaker, out: *mut *mut cb_events) -> cb_status {
    guard(|| {
        // SAFETY: by the caller.
        let (out, breaker) = unsafe { (cleared("out", out)?, required("breaker", breaker)?) };
        *out = cb_events::open(breaker.observer_part());
        Ok(())
    })
}

/// Reads the next event.
///
/// @param events  NULL is fine: false.
/// @param out     Where the event goes, by its struct_size. NULL is fine, and so is a struct_size that no version has: false, and
///                the event stays to be read.
/// @return        Whether there was an event. There may be more later.
///
/// Thread: any, one at a time.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cb_events_next(events: *mut cb_events, out: *mut cb_event) -> bool {
    // SAFETY: by the caller.
    match unsafe { events.as_mut() } {
        // SAFETY: by the caller.
        Some(reader) => unsafe { is_writable(out) && write_if(out, reader.events.next()) },
        None => false,
    }
}

/// Tells how many events were overwritten before this reader came to them.
///
/// @param events  NULL is fine: 0.
///
/// Thread: any, one at a time.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cb_events_missed(events: *const cb_events) -> u64 {
    // SAFETY: by the caller.
    unsafe { events.as_ref() }.map_or(0, |reader| reader.events.missed())
}

/// Ends a reader.
///
/// @param events  From cb_events_open or cb_observer_events_open, and not closed before. NULL is fine: nothing happens.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cb_events_close(events: *mut cb_events) {
    // SAFETY: by the caller.
    unsafe { free(events) };
}

/// The name of a reason, as in "consecutive_failures". A value that this library doesn't know is "unknown". The text is
/// static.
///
/// @param reason  A cb_reason_value.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub extern "C" fn cb_reason_text(reason: cb_reason) -> *const c_char {
    let known = REASONS.iter().find(|(_, value, _)| *value as cb_reason == reason);
    known.map_or(c"unknown", |(_, _, text)| text).as_ptr()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_have_the_same_numbers_and_names_on_both_sides() {
        for (rust, c, text) in REASONS {
            assert_eq!((rust as u32, rust.name()), (c as u32, text.to_str().unwrap()));
        }
    }
}
