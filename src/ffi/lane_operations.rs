//! A lane's hot operations. Their lane must not be NULL.

use super::lane::cb_lane;
use super::operations::cb_call;

/// May an order be sent now? While the breaker is closed this is a load, a look at the lane's own room, and a branch. A lane
/// that is too full to take the call's begin refuses, unless the breaker is in shadow. (cb_gate_closed asks the breaker alone,
/// inline.)
///
/// Ask for what adds risk. Don't ask for a cancel or a reduce-only order: refusing those would trap a position.
///
/// This fires no timers. How often the owner polls decides how soon trials pass after a pause.
///
/// @param lane  Must not be NULL.
/// @return      While the breaker is half-open, true means that a trial is granted: send it (the next call that begins, on any
///              lane or at the owner, is taken for the trial), or give it back by cb_lane_release. All lanes and the owner
///              together never get more trials than the breaker grants.
///
/// Thread: the lane's; of a split lane the begin half's.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cb_lane_allow(lane: *mut cb_lane) -> bool {
    // SAFETY: by the caller.
    unsafe { cb_lane::ends(lane) }.allow()
}

/// Gives back the trial that this lane was granted last, if it will not be sent. The trial counts neither way, and may be granted
/// again at once. Each grant is given back by a release of its own. If there is no such trial nothing happens.
///
/// @param lane  Must not be NULL.
///
/// Thread: the lane's; of a split lane the begin half's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cb_lane_release(lane: *mut cb_lane) {
    // SAFETY: by the caller.
    unsafe { cb_lane::ends(lane) }.release();
}

/// A call is sent. Calls that didn't ask (cancels) may begin, too.
///
/// @param lane  Must not be NULL.
/// @return      The call's ticket. Give it back once, by cb_lane_end, cb_lane_fail or cb_lane_abandon on this lane (on either
///              half of a split one). A ticket that comes back twice, or that is another lane's, is counted (misused) and
///              otherwise ignored. If the lane is full the call isn't tracked, which counts as dropped. The end of such a call is a
///              record without a ticket, and reports the trial that the call may have been.
///
/// Thread: the lane's; of a split lane the begin half's.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cb_lane_begin(lane: *mut cb_lane) -> cb_call {
    // SAFETY: by the caller.
    let ends = unsafe { cb_lane::ends(lane) };
    ends.begin_at(ends.now_ns()).into()
}

/// cb_lane_begin at a given time.
///
/// @param now_ns  The time on the breaker's clock, in nanoseconds. The rest is as for cb_lane_begin.
///
/// Thread: the lane's; of a split lane the begin half's.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cb_lane_begin_at(lane: *mut cb_lane, now_ns: u64) -> cb_call {
    // SAFETY: by the caller.
    unsafe { cb_lane::ends(lane) }.begin_at(now_ns).into()
}

/// The call came back with an answer (a business reject is one).
///
/// @param lane  Must not be NULL.
/// @param call  From cb_lane_begin on this lane.
///
/// Thread: the lane's; of a split lane the end half's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cb_lane_end(lane: *mut cb_lane, call: cb_call) {
    // SAFETY: by the caller.
    let ends = unsafe { cb_lane::ends(lane) };
    ends.end_at(ends.now_ns(), call.into());
}

/// cb_lane_end at a given time.
///
/// @param now_ns  The time on the breaker's clock, in nanoseconds. The rest is as for cb_lane_end.
///
/// Thread: the lane's; of a split lane the end half's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cb_lane_end_at(lane: *mut cb_lane, now_ns: u64, call: cb_call) {
    // SAFETY: by the caller.
    unsafe { cb_lane::ends(lane) }.end_at(now_ns, call.into());
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
    let ends = unsafe { cb_lane::ends(lane) };
    ends.fail_at(ends.now_ns(), call.into());
}

/// cb_lane_fail at a given time.
///
/// @param now_ns  The time on the breaker's clock, in nanoseconds. The rest is as for cb_lane_fail.
///
/// Thread: the lane's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cb_lane_fail_at(lane: *mut cb_lane, now_ns: u64, call: cb_call) {
    // SAFETY: by the caller.
    unsafe { cb_lane::ends(lane) }.fail_at(now_ns, call.into());
}

/// The call was not sent after all, or its outcome doesn't matter. It gives no sample, and a trial counts neither way. This
/// reads no clock, as cb_abandon doesn't.
///
/// @param lane  Must not be NULL.
/// @param call  From cb_lane_begin on this lane.
///
/// Thread: the lane's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cb_lane_abandon(lane: *mut cb_lane, call: cb_call) {
    // SAFETY: by the caller.
    unsafe { cb_lane::ends(lane) }.abandon_at(call.start_ns, call.into());
}

/// cb_lane_abandon at a given time.
///
/// @param now_ns  The time on the breaker's clock, in nanoseconds. The rest is as for cb_lane_abandon.
///
/// Thread: the lane's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cb_lane_abandon_at(lane: *mut cb_lane, now_ns: u64, call: cb_call) {
    // SAFETY: by the caller.
    unsafe { cb_lane::ends(lane) }.abandon_at(now_ns, call.into());
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
    let ends = unsafe { cb_lane::ends(lane) };
    ends.record_at(ends.now_ns(), latency_ns);
}

/// cb_lane_record at a given time, which is that of the answer.
///
/// @param now_ns  The time on the breaker's clock, in nanoseconds. The rest is as for cb_lane_record.
///
/// Thread: the lane's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cb_lane_record_at(lane: *mut cb_lane, now_ns: u64, latency_ns: u64) {
    // SAFETY: by the caller.
    unsafe { cb_lane::ends(lane) }.record_at(now_ns, latency_ns);
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
    let ends = unsafe { cb_lane::ends(lane) };
    ends.record_failure_at(ends.now_ns(), latency_ns);
}

/// cb_lane_record_failure at a given time, which is that of the failure.
///
/// @param now_ns  The time on the breaker's clock, in nanoseconds. The rest is as for cb_lane_record_failure.
///
/// Thread: the lane's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cb_lane_record_failure_at(lane: *mut cb_lane, now_ns: u64, latency_ns: u64) {
    // SAFETY: by the caller.
    unsafe { cb_lane::ends(lane) }.record_failure_at(now_ns, latency_ns);
}

/// The result of a health check. It counts only while the breaker is half-open with CB_RECOVERY_HEALTH_CHECKS, and is stale
/// otherwise.
///
/// @param lane        Must not be NULL.
/// @param latency_ns  How long the check took, in nanoseconds.
/// @param ok          Whether the node passed it.
///
/// Thread: the lane's; of a split lane the end half's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cb_lane_record_probe(lane: *mut cb_lane, latency_ns: u64, ok: bool) {
    // SAFETY: by the caller.
    let ends = unsafe { cb_lane::ends(lane) };
    ends.record_probe_at(ends.now_ns(), latency_ns, ok);
}

/// cb_lane_record_probe at a given time, which is that of the result.
///
/// @param now_ns  The time on the breaker's clock, in nanoseconds. The rest is as for cb_lane_record_probe.
///
/// Thread: the lane's; of a split lane the end half's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cb_lane_record_probe_at(lane: *mut cb_lane, now_ns: u64, latency_ns: u64, ok: bool) {
    // SAFETY: by the caller.
    unsafe { cb_lane::ends(lane) }.record_probe_at(now_ns, latency_ns, ok);
}
