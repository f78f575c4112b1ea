//! The hot operations. Their breaker must not be NULL.
//!
//! While a supervisor owns the breaker they work on a stand-in, which refuses and counts. But a stand-in doesn't notice
//! operations that fire no timers. These are `abandon` and `release`, the rare ones: they look here who owns the breaker.

use super::handle::cb_breaker;
use crate::tickets::Call;

/// A ticket for one call. cb_begin gives it out. Give it back once, by cb_end, cb_fail or cb_abandon. It may be copied.
///
/// A ticket that comes back twice, or that the breaker never gave out, is counted (misused) and otherwise ignored. A ticket
/// from before the current half-open epoch counts as stale.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct cb_call {
    /// When the call began, on the breaker's clock.
    pub start_ns: u64,
    /// The library's own.
    pub id: u64,
}

const _: () = assert!(size_of::<cb_call>() == 16);

impl From<Call> for cb_call {
    #[inline]
    fn from(call: Call) -> Self {
        Self { start_ns: call.start_ns(), id: call.id() }
    }
}

impl From<cb_call> for Call {
    #[inline]
    fn from(call: cb_call) -> Self {
        Self::from_parts(call.start_ns, call.id)
    }
}

/// May an order be sent now? While the breaker is closed this is a load and a branch; cb_gate_closed asks the same inline.
///
/// Ask for what adds risk. Don't ask for a cancel or a reduce-only order: refusing those would trap a position.
///
/// @param breaker  Must not be NULL.
/// @return         While the breaker is half-open, true means that a trial is granted: send it, or give it back by
///                 cb_release. While a supervisor owns the breaker it is false, whatever the gate shows.
///
/// Thread: owner.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cb_allow(breaker: *mut cb_breaker) -> bool {
    // SAFETY: by the caller.
    unsafe { cb_breaker::owner(breaker) }.allow()
}

/// cb_allow at a given time.
///
/// @param now_ns  The time on the breaker's clock, in nanoseconds. The rest is as for cb_allow.
///
/// Thread: owner.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cb_allow_at(breaker: *mut cb_breaker, now_ns: u64) -> bool {
    // SAFETY: by the caller.
    unsafe { cb_breaker::owner(breaker) }.allow_at(now_ns)
}

/// A call is sent. Calls that didn't ask (cancels) may begin, too. The timers that are due fire first. So an order that was
/// allowed may begin at the very time at which another call's lateness trips the breaker.
///
/// @param breaker  Must not be NULL.
/// @return         The call's ticket, to be given back by cb_end, cb_fail or cb_abandon.
///
/// Thread: owner.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cb_begin(breaker: *mut cb_breaker) -> cb_call {
    // SAFETY: by the caller.
    unsafe { cb_breaker::owner(breaker) }.begin().into()
}

/// cb_begin at a given time.
///
/// @param now_ns  The time on the breaker's clock, in nanoseconds. The rest is as for cb_begin.
///
/// Thread: owner.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cb_begin_at(breaker: *mut cb_breaker, now_ns: u64) -> cb_call {
    // SAFETY: by the caller.
    unsafe { cb_breaker::owner(breaker) }.begin_at(now_ns).into()
}

/// The call came back with an answer (a business reject is one).
///
/// @param breaker  Must not be NULL.
/// @param call     From cb_begin.
///
/// Thread: owner.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cb_end(breaker: *mut cb_breaker, call: cb_call) {
    // SAFETY: by the caller.
    unsafe { cb_breaker::owner(breaker) }.end(call.into());
}

/// cb_end at a given time.
///
/// @param now_ns  The time on the breaker's clock, in nanoseconds. The rest is as for cb_end.
///
/// Thread: owner.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cb_end_at(breaker: *mut cb_breaker, now_ns: u64, call: cb_call) {
    // SAFETY: by the caller.
    unsafe { cb_breaker::owner(breaker) }.end_at(now_ns, call.into());
}

/// The venue or the transport failed the call: timeout, disconnect, system error.
///
/// @param breaker  Must not be NULL.
/// @param call     From cb_begin.
///
/// Thread: owner.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cb_fail(breaker: *mut cb_breaker, call: cb_call) {
    // SAFETY: by the caller.
    unsafe { cb_breaker::owner(breaker) }.fail(call.into());
}

/// cb_fail at a given time.
///
/// @param now_ns  The time on the breaker's clock, in nanoseconds. The rest is as for cb_fail.
///
/// Thread: owner.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cb_fail_at(breaker: *mut cb_breaker, now_ns: u64, call: cb_call) {
    // SAFETY: by the caller.
    unsafe { cb_breaker::owner(breaker) }.fail_at(now_ns, call.into());
}

/// The call was not sent after all, or its outcome doesn't matter. It gives no sample, and a trial counts neither way.
///
/// @param breaker  Must not be NULL.
/// @param call     From cb_begin.
///
/// Thread: owner.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cb_abandon(breaker: *mut cb_breaker, call: cb_call) {
    // SAFETY: by the caller.
    if let Some(owner) = unsafe { cb_breaker::owner_or_count(breaker) } {
        owner.abandon(call.into());
    }
}

/// cb_abandon at a given time. It fires no timers.
///
/// @param now_ns  The time on the breaker's clock, in nanoseconds. The rest is as for cb_abandon.
///
/// Thread: owner.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cb_abandon_at(breaker: *mut cb_breaker, now_ns: u64, call: cb_call) {
    // SAFETY: by the caller.
    if let Some(owner) = unsafe { cb_breaker::owner_or_count(breaker) } {
        owner.abandon_at(now_ns, call.into());
    }
}

/// A call without a ticket came back with an answer.
///
/// @param breaker     Must not be NULL.
/// @param latency_ns  How long it took, in nanoseconds.
///
/// Thread: owner.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cb_record(breaker: *mut cb_breaker, latency_ns: u64) {
    // SAFETY: by the caller.
    unsafe { cb_breaker::owner(breaker) }.record(latency_ns);
}

/// cb_record at a given time.
///
/// @param now_ns  The time on the breaker's clock, in nanoseconds. The rest is as for cb_record.
///
/// Thread: owner.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cb_record_at(breaker: *mut cb_breaker, now_ns: u64, latency_ns: u64) {
    // SAFETY: by the caller.
    unsafe { cb_breaker::owner(breaker) }.record_at(now_ns, latency_ns);
}

/// A call without a ticket failed: timeout, disconnect, system error.
///
/// @param breaker     Must not be NULL.
/// @param latency_ns  How long it took, in nanoseconds.
///
/// Thread: owner.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cb_record_failure(breaker: *mut cb_breaker, latency_ns: u64) {
    // SAFETY: by the caller.
    unsafe { cb_breaker::owner(breaker) }.record_failure(latency_ns);
}

/// cb_record_failure at a given time.
///
/// @param now_ns  The time on the breaker's clock, in nanoseconds. The rest is as for cb_record_failure.
///
/// Thread: owner.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cb_record_failure_at(breaker: *mut cb_breaker, now_ns: u64, latency_ns: u64) {
    // SAFETY: by the caller.
    unsafe { cb_breaker::owner(breaker) }.record_failure_at(now_ns, latency_ns);
}

/// The result of a health check. It counts only while the breaker is half-open with CB_RECOVERY_HEALTH_CHECKS, and is stale
/// otherwise.
///
/// @param breaker     Must not be NULL.
/// @param latency_ns  How long the check took, in nanoseconds.
/// @param ok          Whether the node passed it.
///
/// Thread: owner.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cb_record_probe(breaker: *mut cb_breaker, latency_ns: u64, ok: bool) {
    // SAFETY: by the caller.
    unsafe { cb_breaker::owner(breaker) }.record_probe(latency_ns, ok);
}

/// cb_record_probe at a given time.
///
/// @param now_ns  The time on the breaker's clock, in nanoseconds. The rest is as for cb_record_probe.
///
/// Thread: owner.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cb_record_probe_at(breaker: *mut cb_breaker, now_ns: u64, latency_ns: u64, ok: bool) {
    // SAFETY: by the caller.
    unsafe { cb_breaker::owner(breaker) }.record_probe_at(now_ns, latency_ns, ok);
}

/// Gives back a trial that cb_allow granted and that will not be sent. The trial counts neither way. If no grant is pending
/// nothing happens.
///
/// @param breaker  Must not be NULL.
///
/// Thread: owner.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cb_release(breaker: *mut cb_breaker) {
    // SAFETY: by the caller.
    if let Some(owner) = unsafe { cb_breaker::owner_or_count(breaker) } {
        owner.release();
    }
}

/// cb_release at a given time. It fires no timers.
///
/// @param now_ns  The time on the breaker's clock, in nanoseconds. The rest is as for cb_release.
///
/// Thread: owner.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cb_release_at(breaker: *mut cb_breaker, now_ns: u64) {
    // SAFETY: by the caller.
    if let Some(owner) = unsafe { cb_breaker::owner_or_count(breaker) } {
        owner.release_at(now_ns);
    }
}

/// Opens a closed or half-open breaker at once, as if a rule had held. It is for what the owner knows better than any sample,
/// such as a lost session. While the breaker is open nothing happens.
///
/// @param breaker  Must not be NULL.
///
/// Thread: owner.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cb_trip(breaker: *mut cb_breaker) {
    // SAFETY: by the caller.
    if let Some(owner) = unsafe { cb_breaker::owner_or_count(breaker) } {
        owner.trip();
    }
}

/// cb_trip at a given time. It fires no timers.
///
/// @param now_ns  The time on the breaker's clock, in nanoseconds. The rest is as for cb_trip.
///
/// Thread: owner.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cb_trip_at(breaker: *mut cb_breaker, now_ns: u64) {
    // SAFETY: by the caller.
    if let Some(owner) = unsafe { cb_breaker::owner_or_count(breaker) } {
        owner.trip_at(now_ns);
    }
}

/// Tells others how many orders rest at the venue, if the engine cares to: whoever halts sees by that whether they are gone
/// (cb_observer_get_resting). This is one store.
///
/// @param breaker  Must not be NULL.
/// @param orders   How many.
///
/// Thread: owner.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cb_set_resting(breaker: *mut cb_breaker, orders: u64) {
    // SAFETY: by the caller.
    if let Some(owner) = unsafe { cb_breaker::owner_or_count(breaker) } {
        owner.set_resting(orders);
    }
}

/// Takes in what lanes have said, fires the timers that are due, and adds the event of a halt or resume. It is cheap enough for
/// every turn of a loop. A breaker that isn't polled hears no lane. Such a breaker recovers, and notices calls that never return,
/// only when it is asked or told something.
///
/// @param breaker  Must not be NULL.
///
/// Thread: owner.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cb_poll(breaker: *mut cb_breaker) {
    // SAFETY: by the caller.
    unsafe { cb_breaker::owner(breaker) }.poll();
}

/// cb_poll at a given time.
///
/// @param now_ns  The time on the breaker's clock, in nanoseconds. The rest is as for cb_poll.
///
/// Thread: owner.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cb_poll_at(breaker: *mut cb_breaker, now_ns: u64) {
    // SAFETY: by the caller.
    unsafe { cb_breaker::owner(breaker) }.poll_at(now_ns);
}
