//! A breaker at one moment, as C sees it.

use super::config::cb_state;
use super::handle::cb_breaker;
use super::structs::{Versioned, write_if};
use crate::clock::ClockSource;
use crate::config::State;
use crate::handles::Observer;
use crate::snapshot::Snapshot;
use core::mem::offset_of;

/// One of cb_clock_value.
pub type cb_clock = u32;

/// What the plain functions (those without `_at`) read the time from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum cb_clock_value {
    /// The CPU's time stamp counter, scaled to nanoseconds.
    CB_CLOCK_TSC = 0,
    /// The operating system's monotonic clock, because the counter can't be trusted here. It is slower to read.
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
    /// sizeof(cb_snapshot), set by CB_SNAPSHOT_INIT.
    pub struct_size: u32,
    /// The automatic state: a cb_state_value.
    pub state: cb_state,
    /// A human has halted trading. The automatic state goes on underneath.
    pub halted: bool,
    /// The breaker judges and reports, but refuses nothing.
    pub shadow: bool,
    /// There are enough samples (overdue calls included) for a verdict on the quantile: min_samples.
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
    /// The attempt of the latest opening; 0 before the first.
    pub attempt: u32,
    /// Samples in the window.
    pub samples: u32,
    /// Samples in the window that are slower than the threshold.
    pub slow: u32,
    /// Samples in the window that failed.
    pub failures: u32,
    /// Calls in flight that count as slow samples beside the window.
    pub overdue: u32,
    /// Calls in flight that are tracked.
    pub in_flight: u32,
    /// Trials granted in this half-open epoch; 0 in other states.
    pub trials_granted: u32,
    /// Trials of this half-open epoch that have no result so far; 0 in other states.
    pub trials_out: u32,
    /// Good trials or checks of this half-open epoch; 0 in other states.
    pub trials_good: u32,
    /// 0.
    pub reserved2: u32,
    /// Samples taken in, without the stale ones.
    pub recorded: u64,
    /// Samples and checks that were stale, and therefore ignored.
    pub stale: u64,
    /// Calls that began untracked, because max_in_flight were tracked already.
    pub untracked: u64,
    /// Asks that were refused.
    pub refused: u64,
    /// Asks that only shadow let pass: otherwise they would have been refused.
    pub refused_in_shadow: u64,
    /// Tickets that came back twice, or that the breaker never gave out, and latencies of 2^63 ns or more: as a rule a negative
    /// difference. Calls of an owner's functions while a supervisor owns the breaker count here, too.
    pub misused: u64,
    /// Messages that full lanes dropped.
    pub dropped: u64,
    /// Events so far: the sequence number of the next.
    pub events: u64,
    /// The debt that a verdict sees, overdue calls included, in parts per million of a call. It is 0 unless the breaker is closed
    /// and has a debt_limit, and trips at debt_limit * quantile_ppm.
    pub debt_ppm: u64,
    /// When the oldest tracked call in flight began; UINT64_MAX if there is none.
    pub oldest_start_ns: u64,
}

// SAFETY: the asserts below; the library writes bools as 0 or 1.
unsafe impl Versioned for cb_snapshot {
    const FIRST_SIZE: usize = 144;
}

const _: () = {
    assert!(offset_of!(cb_snapshot, struct_size) == 0);
    assert!(cb_snapshot::FIRST_SIZE <= size_of::<cb_snapshot>());
    assert!(size_of::<cb_snapshot>() == 4 + 13 * 4 + 13 * 8, "no padding");
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
            failures: snapshot.failures,
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
            debt_ppm: snapshot.debt_ppm,
            oldest_start_ns: snapshot.oldest_start_ns,
        }
    }
}

/// Takes a snapshot, as of the latest time that the owner has seen. While a supervisor owns the breaker, it is what the
/// supervisor published last, as cb_get_published gives it. Before the supervisor's first poll it is the state, and nothing else.
///
/// @param breaker  NULL is fine: nothing happens.
/// @param out      Where the snapshot goes, by its struct_size. NULL is fine: nothing happens.
///
/// Thread: owner. Others use cb_get_published.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cb_get_snapshot(breaker: *const cb_breaker, out: *mut cb_snapshot) {
    if out.is_null() {
        return;
    }
    // SAFETY: by the caller.
    let snapshot = match unsafe { cb_breaker::owner_if_there(breaker) } {
        Some(owner) => Some(owner.snapshot()),
        // SAFETY: by the caller.
        None => unsafe { cb_breaker::observer(breaker) }.map(published_or_empty),
    };
    // SAFETY: by the caller.
    unsafe { write_if(out, snapshot) };
}

/// What anybody may know of a breaker. Nothing was published before its owner's first operation: then its gate is all there is.
fn published_or_empty(observer: &Observer) -> Snapshot {
    observer.snapshot().unwrap_or_else(|| Snapshot {
        state: observer.state().unwrap_or(State::Open),
        halted: observer.is_halted(),
        retry_at_ns: observer.retry_at_ns(),
        oldest_start_ns: u64::MAX,
        ..Snapshot::default()
    })
}

/// The latest snapshot that the owner published. The owner publishes at each transition, and in each millisecond in which it
/// polls. A snapshot is of the time before the operation that published it. So what a quiet owner did last shows only
/// when the owner polls again, a millisecond on.
///
/// @param breaker  NULL is fine: false.
/// @param out      Where the snapshot goes, by its struct_size. NULL is fine: false.
/// @return         Whether the snapshot was written. There is none before the owner's first operation, nor if the owner was
///                 stopped for good in the middle of writing one. `halted`, too, is as of publication: cb_is_halted tells
///                 whether trading is halted now.
///
/// Thread: any.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cb_get_published(breaker: *const cb_breaker, out: *mut cb_snapshot) -> bool {
    // SAFETY: by the caller.
    unsafe { write_if(out, cb_breaker::observer(breaker).and_then(Observer::snapshot)) }
}

/// A quantile of what a verdict sees: the window and, while closed, the overdue calls. It is as of the latest time that the
/// owner has seen, by nearest rank, and exact. It takes time in proportion to the window.
///
/// @param breaker       NULL is fine: 0.
/// @param quantile_ppm  990000 for the P99. 0 gives the least, 1000000 and above the greatest.
/// @return              Nanoseconds. It is 0 if the verdict sees nothing. While a supervisor owns the breaker it is 0, too, and
///                      the call counts as misused.
///
/// Thread: owner.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cb_quantile_ns(breaker: *mut cb_breaker, quantile_ppm: u32) -> u64 {
    // SAFETY: by the caller.
    unsafe { cb_breaker::owner_or_count(breaker) }.and_then(|owner| owner.quantile_ns(quantile_ppm)).unwrap_or(0)
}

/// cb_quantile_ns at a given time. It fires no timers.
///
/// @param now_ns  The time on the breaker's clock, in nanoseconds. The rest is as for cb_quantile_ns.
/// @return        As for cb_quantile_ns.
///
/// Thread: owner.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cb_quantile_ns_at(breaker: *mut cb_breaker, now_ns: u64, quantile_ppm: u32) -> u64 {
    // SAFETY: by the caller.
    let owner = unsafe { cb_breaker::owner_or_count(breaker) };
    owner.and_then(|owner| owner.quantile_ns_at(now_ns, quantile_ppm)).unwrap_or(0)
}
