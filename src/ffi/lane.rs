//! What other threads than the owner ask and report through. The hot functions' lane must not be NULL.

use super::breaker::cb_breaker;
use super::gate::cb_gate;
use super::operations::cb_call;
use super::status::{Failure, cb_status, guard};
use crate::breaker::Breaker;
use crate::lane::{Gate, Lane};
use core::ptr;

/// What a thread that isn't the owner trades through: it asks the breaker, with trials, and reports its calls to the owner
/// by a bounded queue. Nothing here waits for the owner or for another lane's thread.
///
/// One lane for each such thread. The owner takes in what lanes say when it polls, so its polls bound how late a trip, a
/// trial or a recovery is. A full lane drops what it is told, and counts that; but the end of a call whose begin went
/// through always goes through, too, so a full lane can't make a call look lost. Each lane's samples may be late: one is
/// taken as if it had ended when it was told, or at the latest time that the owner had seen, if that is later; whether it
/// is stale goes by its own stamps.
///
/// A lane may outlive its breaker: then it refuses, as nobody watches any more, and nobody hears what it says.
pub struct cb_lane {
    lane: Lane,
    gate: Gate,
}

const _: () = {
    const fn is_send<T: Send>() {}
    is_send::<cb_lane>();
};

impl cb_lane {
    /// # Safety
    /// `lane` came from `cb_lane_open` and isn't closed, and no other thread uses it.
    #[inline]
    unsafe fn reporting<'a>(lane: *mut Self) -> &'a mut Lane {
        debug_assert!(!lane.is_null(), "the lane is NULL");
        // SAFETY: by the caller.
        unsafe { &mut (*lane).lane }
    }

    /// # Safety
    /// As `reporting`.
    #[inline]
    unsafe fn asking<'a>(lane: *const Self) -> &'a Gate {
        debug_assert!(!lane.is_null(), "the lane is NULL");
        // SAFETY: by the caller.
        unsafe { &(*lane).gate }
    }
}

/// Opens a lane for another thread, which takes it over by anything that orders memory (the thread's start, say).
/// Allocates: open lanes at start-up.
///
/// @param breaker   Must not be NULL.
/// @param messages  How many messages (two for each call, one for each record) it holds between two polls of the owner, and
///                  as many calls in flight less two. 0 = 4096, the default; 4 to 1048576, and what is outside is brought
///                  within.
/// @param out       Where the lane goes; NULL goes there if there is an error. Must not be NULL.
/// @return          CB_STATUS_OK, or CB_STATUS_NULL_POINTER; CB_STATUS_NOT_NOW while a supervisor owns the breaker.
///
/// Thread: owner. The lane is to be given to cb_lane_close, before or after cb_destroy.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cb_lane_open(breaker: *mut cb_breaker, messages: u32, out: *mut *mut cb_lane) -> cb_status {
    guard(|| {
        if out.is_null() {
            return Err(Failure::null("out"));
        }
        // SAFETY: by the caller.
        unsafe { out.write(ptr::null_mut()) };
        if breaker.is_null() {
            return Err(Failure::null("breaker"));
        }
        // SAFETY: by the caller.
        let owner = unsafe { cb_breaker::owner_or_fail(breaker) }?;
        let messages = if messages == 0 { Breaker::LANE_CAPACITY } else { messages };
        let lane = Box::new(cb_lane { lane: owner.lane_with_capacity(messages), gate: owner.gate() });
        // SAFETY: by the caller.
        unsafe { out.write(Box::into_raw(lane)) };
        Ok(())
    })
}

/// Ends a lane. What it said is still taken in. Close it when its calls are back: those that it leaves in flight become
/// overdue, and a trial that it leaves counts as lost.
///
/// @param lane  From cb_lane_open, and not closed before. NULL is fine.
///
/// Thread: any, when the lane's thread doesn't use it or its gate any more.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cb_lane_close(lane: *mut cb_lane) {
    if !lane.is_null() {
        // SAFETY: by the caller.
        drop(unsafe { Box::from_raw(lane) });
    }
}

/// The breaker's gate, for cb_gate_closed in the hot loop: cb_gate_closed(gate) || cb_lane_allow(lane).
///
/// @param lane  NULL is fine: NULL.
/// @return      The byte that cb_gate_of gives, but valid until cb_lane_close, even if the breaker is destroyed before.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cb_lane_gate_of(lane: *const cb_lane) -> *const cb_gate {
    if lane.is_null() {
        return ptr::null();
    }
    // SAFETY: by the caller. Only the field is borrowed: the lane's thread may hold a reference to the other.
    unsafe { &(*lane).gate }.observer().page.gate_ptr().cast()
}

/// May an order be sent now? While closed this is a load and a branch; cb_gate_closed asks the same inline.
///
/// Ask for what adds risk. Don't ask for a cancel or a reduce-only order: refusing those would trap a position.
///
/// It fires no timers: how soon trials pass after a pause is up to how often the owner polls.
///
/// @param lane  Must not be NULL.
/// @return      While half-open, true means that a trial is granted: send it (the next call that begins, on any lane or at
///              the owner, is taken for it), or give it back by cb_lane_release. All lanes and the owner together never
///              get more trials than the breaker grants.
///
/// Thread: the lane's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cb_lane_allow(lane: *mut cb_lane) -> bool {
    // SAFETY: by the caller.
    unsafe { cb_lane::asking(lane) }.allow()
}

/// Gives back the trial that this lane was granted last and that will not be sent; it counts neither way. The owner takes
/// it back at its next poll. Does nothing if there is no such trial.
///
/// @param lane  Must not be NULL.
///
/// Thread: the lane's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cb_lane_release(lane: *mut cb_lane) {
    // SAFETY: by the caller.
    unsafe { cb_lane::asking(lane) }.release();
}

/// A call is sent. Calls that weren't asked for (cancels) may begin, too.
///
/// @param lane  Must not be NULL.
/// @return      Its ticket, to be given back by cb_lane_end, cb_lane_fail or cb_lane_abandon on this lane, once. One that
///              comes back twice, or from elsewhere, is counted (misused) and otherwise ignored. If the lane is full the
///              call isn't tracked, which counts as dropped, and its end is a record without a ticket.
///
/// Thread: the lane's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cb_lane_begin(lane: *mut cb_lane) -> cb_call {
    // SAFETY: by the caller.
    unsafe { cb_lane::reporting(lane) }.begin().into()
}

/// cb_lane_begin at a given time.
///
/// @param now_ns  Nanoseconds on the breaker's clock. The rest as cb_lane_begin.
///
/// Thread: the lane's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cb_lane_begin_at(lane: *mut cb_lane, now_ns: u64) -> cb_call {
    // SAFETY: by the caller.
    unsafe { cb_lane::reporting(lane) }.begin_at(now_ns).into()
}

/// The call came back with an answer (a business reject is one).
///
/// @param lane  Must not be NULL.
/// @param call  From cb_lane_begin on this lane.
///
/// Thread: the lane's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cb_lane_end(lane: *mut cb_lane, call: cb_call) {
    // SAFETY: by the caller.
    unsafe { cb_lane::reporting(lane) }.end(call.into());
}

/// cb_lane_end at a given time.
///
/// @param now_ns  Nanoseconds on the breaker's clock. The rest as cb_lane_end.
///
/// Thread: the lane's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cb_lane_end_at(lane: *mut cb_lane, now_ns: u64, call: cb_call) {
    // SAFETY: by the caller.
    unsafe { cb_lane::reporting(lane) }.end_at(now_ns, call.into());
}

/// The venue or the transport failed the call: timeout, disconnect, system error.
///
/// @param lane  Must not be NULL.
/// @param call  From cb_lane_begin on this lane.
///
/// Thread: the lane's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cb_lane_fail(lane: *mut cb_lane, call: cb_call) {
    // SAFETY: by the caller.
    unsafe { cb_lane::reporting(lane) }.fail(call.into());
}

/// cb_lane_fail at a given time.
///
/// @param now_ns  Nanoseconds on the breaker's clock. The rest as cb_lane_fail.
///
/// Thread: the lane's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cb_lane_fail_at(lane: *mut cb_lane, now_ns: u64, call: cb_call) {
    // SAFETY: by the caller.
    unsafe { cb_lane::reporting(lane) }.fail_at(now_ns, call.into());
}

/// The call was not sent after all, or nobody wants to know: no sample, and a trial counts neither way.
///
/// @param lane  Must not be NULL.
/// @param call  From cb_lane_begin on this lane.
///
/// Thread: the lane's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cb_lane_abandon(lane: *mut cb_lane, call: cb_call) {
    // SAFETY: by the caller.
    unsafe { cb_lane::reporting(lane) }.abandon(call.into());
}

/// cb_lane_abandon at a given time.
///
/// @param now_ns  Nanoseconds on the breaker's clock. The rest as cb_lane_abandon.
///
/// Thread: the lane's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cb_lane_abandon_at(lane: *mut cb_lane, now_ns: u64, call: cb_call) {
    // SAFETY: by the caller.
    unsafe { cb_lane::reporting(lane) }.abandon_at(now_ns, call.into());
}

/// A call without a ticket came back with an answer.
///
/// @param lane        Must not be NULL.
/// @param latency_ns  How long it took, in nanoseconds.
///
/// Thread: the lane's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cb_lane_record(lane: *mut cb_lane, latency_ns: u64) {
    // SAFETY: by the caller.
    unsafe { cb_lane::reporting(lane) }.record(latency_ns);
}

/// cb_lane_record at a given time, that of the answer.
///
/// @param now_ns  Nanoseconds on the breaker's clock. The rest as cb_lane_record.
///
/// Thread: the lane's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cb_lane_record_at(lane: *mut cb_lane, now_ns: u64, latency_ns: u64) {
    // SAFETY: by the caller.
    unsafe { cb_lane::reporting(lane) }.record_at(now_ns, latency_ns);
}

/// A call without a ticket failed: timeout, disconnect, system error.
///
/// @param lane        Must not be NULL.
/// @param latency_ns  How long it took, in nanoseconds.
///
/// Thread: the lane's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cb_lane_record_failure(lane: *mut cb_lane, latency_ns: u64) {
    // SAFETY: by the caller.
    unsafe { cb_lane::reporting(lane) }.record_failure(latency_ns);
}

/// cb_lane_record_failure at a given time, that of the failure.
///
/// @param now_ns  Nanoseconds on the breaker's clock. The rest as cb_lane_record_failure.
///
/// Thread: the lane's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cb_lane_record_failure_at(lane: *mut cb_lane, now_ns: u64, latency_ns: u64) {
    // SAFETY: by the caller.
    unsafe { cb_lane::reporting(lane) }.record_failure_at(now_ns, latency_ns);
}

/// The result of a health check. Counts only while half-open with CB_RECOVERY_HEALTH_CHECKS; it is stale otherwise.
///
/// @param lane        Must not be NULL.
/// @param latency_ns  How long the check took, in nanoseconds.
/// @param ok          Whether the node passed it.
///
/// Thread: the lane's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cb_lane_record_probe(lane: *mut cb_lane, latency_ns: u64, ok: bool) {
    // SAFETY: by the caller.
    unsafe { cb_lane::reporting(lane) }.record_probe(latency_ns, ok);
}

/// cb_lane_record_probe at a given time, that of the result.
///
/// @param now_ns  Nanoseconds on the breaker's clock. The rest as cb_lane_record_probe.
///
/// Thread: the lane's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cb_lane_record_probe_at(lane: *mut cb_lane, now_ns: u64, latency_ns: u64, ok: bool) {
    // SAFETY: by the caller.
    unsafe { cb_lane::reporting(lane) }.record_probe_at(now_ns, latency_ns, ok);
}

/// How many messages this lane has dropped, because the owner doesn't poll often enough for it. cb_snapshot has the sum of
/// all lanes.
///
/// @param lane  NULL is fine: 0.
///
/// Thread: the lane's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cb_lane_dropped(lane: *const cb_lane) -> u64 {
    if lane.is_null() {
        return 0;
    }
    // SAFETY: by the caller.
    unsafe { &(*lane).lane }.dropped()
}

/// The time on the breaker's clock, as cb_now_ns gives it, for the _at functions; also when the breaker is gone.
///
/// @param lane  Must not be NULL.
///
/// Thread: the lane's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cb_lane_now_ns(lane: *const cb_lane) -> u64 {
    debug_assert!(!lane.is_null(), "the lane is NULL");
    // SAFETY: by the caller.
    unsafe { &(*lane).lane }.now_ns()
}
