//! A breaker at one moment, as C sees it.

use super::breaker::cb_breaker;
use super::config::cb_state;
use super::structs::{Versioned, write_out};
use crate::clock::ClockSource;
use crate::config::State;
use crate::handles::Observer;
use crate::snapshot::Snapshot;
use core::mem::offset_of;

/// One of cb_clock_value.
pub type cb_clock = u32;

/// What the plain (not `_at`) functions read the time from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum cb_clock_value {
    /// The CPU's time stamp counter, scaled to nanoseconds.
    CB_CLOCK_TSC = 0,
    /// The operating system's monotonic clock, because the counter can't be trusted here: a slower read.
    CB_CLOCK_MONOTONIC = 1,
}

pub use cb_clock_value::*;

const _: () = {
    assert!(CB_CLOCK_TSC as u32 == ClockSource::Tsc as u32);
    assert!(CB_CLOCK_MONOTONIC as u32 == ClockSource::Monotonic as u32);
};

/// A breaker at one moment, now_ns: its state, what a verdict sees, and counts since creation.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct cb_snapshot {
    /// To be set to sizeof(cb_snapshot) before the call: tells which version of this struct the caller was compiled with.
    /// 0 and what is above 4096 stand for the first version's, 144, which the call then says here; below that it leaves the
    /// struct as it is.
    pub struct_size: u32,
    /// The automatic state: a cb_state_value.
    pub state: cb_state,
    /// A human has halted trading; the automatic state goes on underneath.
    pub halted: bool,
    /// Judges and reports, but refuses nothing.
    pub shadow: bool,
    /// Enough samples (overdue calls included) for a verdict on the quantile: min_samples.
    pub armed: bool,
    /// 0.
    pub reserved: u8,
    /// What the plain functions read the time from: a cb_clock_value.
    pub clock: cb_clock,
    /// The latest time that the owner has seen.
    pub now_ns: u64,
    /// When the latest half-open epoch began; 0 before the first.
    pub epoch_ns: u64,
    /// When the pause ends; UINT64_MAX unless the breaker is open.
    pub retry_at_ns: u64,
    /// Of the latest opening; 0 before the first.
    pub attempt: u32,
    /// Samples in the window.
    pub samples: u32,
    /// Of them, slower than the threshold.
    pub slow: u32,
    /// Of them, failed.
    pub failed: u32,
    /// Calls in flight that count as slow samples beside the window.
    pub overdue: u32,
    /// Calls in flight that are tracked.
    pub in_flight: u32,
    /// Trials granted in this half-open epoch; 0 in other states, like the next two.
    pub trials_granted: u32,
    /// Of them, without a result so far.
    pub trials_out: u32,
    /// Good trials or checks so far.
    pub trials_good: u32,
    /// 0.
    pub reserved2: u32,
    /// Samples taken in (stale ones apart).
    pub recorded: u64,
    /// Samples and checks that were stale, and therefore ignored.
    pub stale: u64,
    /// Calls that began untracked, because max_in_flight were tracked already.
    pub untracked: u64,
    /// Asks that were refused.
    pub refused: u64,
    /// Asks that shadow let pass and that would have been refused.
    pub refused_in_shadow: u64,
    /// Tickets that came back twice, or that the breaker never gave out; and calls of what is the owner's alone while a
    /// supervisor owns the breaker.
    pub misused: u64,
    /// Messages that full lanes dropped.
    pub dropped: u64,
    /// Events so far: the sequence number of the next.
    pub events: u64,
}

// SAFETY: the asserts below; the library writes bools as 0 or 1.
unsafe impl Versioned for cb_snapshot {
    const FIRST_SIZE: usize = 144;
}

const _: () = {
    assert!(offset_of!(cb_snapshot, struct_size) == 0);
    assert!(cb_snapshot::FIRST_SIZE <= size_of::<cb_snapshot>());
    assert!(size_of::<cb_snapshot>() == 4 + 13 * 4 + 11 * 8, "no padding");
};

impl From<Snapshot> for cb_snapshot {
    fn from(snapshot: Snapshot) -> Self {
        Self {
            struct_size: size_of::<Self>() as u32,
            state: snapshot.state as u32,
            halted: snapshot.halted,
            shadow: snapshot.shadow,
            armed: snapshot.armed,
            reserved: 0,
            clock: snapshot.clock as u32,
            now_ns: snapshot.now_ns,
            epoch_ns: snapshot.epoch_ns,
            retry_at_ns: snapshot.retry_at_ns,
            attempt: snapshot.attempt,
            samples: snapshot.samples,
            slow: snapshot.slow,
            failed: snapshot.failed,
            overdue: snapshot.overdue,
            in_flight: snapshot.in_flight,
            trials_granted: snapshot.trials_granted,
            trials_out: snapshot.trials_out,
            trials_good: snapshot.trials_good,
            reserved2: 0,
            recorded: snapshot.recorded,
            stale: snapshot.stale,
            untracked: snapshot.untracked,
            refused: snapshot.refused,
            refused_in_shadow: snapshot.refused_in_shadow,
            misused: snapshot.misused,
            dropped: snapshot.dropped,
            events: snapshot.events,
        }
    }
}

/// Everything else there is to know, as of the latest time that the owner has seen. While a supervisor owns the breaker it is
/// what that published last, as cb_get_published gives it; before its first poll that is the state, and nothing else.
///
/// @param breaker  NULL is fine: nothing happens.
/// @param out      Where it goes. Its struct_size must be set (to sizeof *out). NULL is fine: nothing happens.
///
/// Thread: owner. Others use cb_get_published.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cb_get_snapshot(breaker: *const cb_breaker, out: *mut cb_snapshot) {
    if breaker.is_null() || out.is_null() {
        return;
    }
    // SAFETY: by the caller.
    let snapshot = match unsafe { cb_breaker::owner_if_there(breaker) } {
        Some(owner) => Some(owner.snapshot()),
        // SAFETY: by the caller.
        None => unsafe { cb_breaker::observer(breaker) }.map(published_or_empty),
    };
    if let Some(snapshot) = snapshot {
        // SAFETY: by the caller.
        unsafe { write_out(out, &snapshot.into()) };
    }
}

/// What anybody may know of a breaker. Nothing was published before its owner's first operation: then its gate is all there is.
fn published_or_empty(observer: &Observer) -> Snapshot {
    observer.snapshot().unwrap_or_else(|| Snapshot {
        state: observer.state().unwrap_or(State::Open),
        halted: observer.is_halted(),
        retry_at_ns: observer.retry_at_ns(),
        ..Snapshot::default()
    })
}

/// The latest snapshot that the owner published: at each transition, and each millisecond in which it does anything. It is of
/// before the operation that published it: what a quiet owner did last shows only when it polls again, a millisecond on.
///
/// @param breaker  NULL is fine: false.
/// @param out      Where it goes, if there is one. Its struct_size must be set (to sizeof *out). NULL is fine: false.
/// @return         Whether it was written: not before the owner's first operation, nor if the owner was stopped for good in
///                 the middle of writing one. It is as of publication, `halted` too: cb_is_halted tells what is so now.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cb_get_published(breaker: *const cb_breaker, out: *mut cb_snapshot) -> bool {
    // SAFETY: by the caller.
    let snapshot = unsafe { cb_breaker::observer(breaker) }.and_then(Observer::snapshot);
    match snapshot {
        Some(snapshot) if !out.is_null() => {
            // SAFETY: by the caller.
            unsafe { write_out(out, &snapshot.into()) }
        }
        _ => false,
    }
}

/// A quantile of what a verdict sees (the window and, while closed, the overdue calls) as of the latest time that the
/// owner has seen. Nearest rank, exact. O(window).
///
/// @param breaker       NULL is fine: 0.
/// @param quantile_ppm  990000 for the P99; 0 is the least, 1000000 and above the greatest.
/// @return              Nanoseconds; 0 of nothing, and while a supervisor owns the breaker, which counts as misused.
///
/// Thread: owner.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cb_quantile_ns(breaker: *mut cb_breaker, quantile_ppm: u32) -> u64 {
    if breaker.is_null() {
        return 0;
    }
    // SAFETY: by the caller.
    unsafe { cb_breaker::owner_or_count(breaker) }.and_then(|owner| owner.quantile_ns(quantile_ppm)).unwrap_or(0)
}

/// cb_quantile_ns at a given time. Fires no timers.
///
/// @param now_ns  Nanoseconds on the breaker's clock; before the latest seen they count as that. The rest as cb_quantile_ns.
/// @return        As cb_quantile_ns.
///
/// Thread: owner.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cb_quantile_ns_at(breaker: *mut cb_breaker, now_ns: u64, quantile_ppm: u32) -> u64 {
    if breaker.is_null() {
        return 0;
    }
    // SAFETY: by the caller.
    unsafe { cb_breaker::owner_or_count(breaker) }
        .and_then(|owner| owner.quantile_ns_at(now_ns, quantile_ppm))
        .unwrap_or(0)
}
