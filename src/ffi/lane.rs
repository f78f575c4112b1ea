//! What other threads than the owner ask and report through. The hot functions' lane must not be NULL.

use super::breaker::cb_breaker;
use super::checked::{Checked, ThreadCheck};
use super::gate::cb_gate;
use super::operations::cb_call;
use super::status::{CB_STATUS_NOT_NOW, Failure, cb_status, guard};
use crate::breaker::Breaker;
use crate::handles::Observer;
use crate::lane::{BeginHalf, EndHalf, Lane};
use crate::tickets::Call;
use core::ptr;

/// What a thread that isn't the owner trades through: it asks the breaker, with trials, and reports its calls to the owner
/// by bounded queues. Nothing here waits for the owner or for another lane's thread.
///
/// One lane for each such thread; or, where one thread sends and another hears answers, one for both: cb_lane_split makes two
/// halves of it. The owner takes in what lanes say when it polls, so its polls bound how late a trip, a trial or a recovery
/// is. A full lane drops what it is told, and counts that; but the end of a call whose begin went through always goes
/// through, too, so a full lane can't make a call look lost. Each lane's samples may be late: one is taken as if it had ended
/// when it was told, or at the latest time that the owner had seen, if that is later; whether it is stale goes by its own
/// stamps.
///
/// A lane may outlive its breaker: then it refuses, as nobody watches any more, and nobody hears what it says.
pub struct cb_lane {
    ends: Ends,
    observer: Observer,
    thread: ThreadCheck,
}

const LANES: Checked =
    Checked { function: "a function of lane", advice: "pass it on by cb_lane_hand_over, or split it" };

enum Ends {
    Whole(Lane),
    Begin(BeginHalf),
    End(EndHalf),
    /// Only while it is being split.
    Gone,
}

const _: () = {
    const fn is_send<T: Send>() {}
    is_send::<cb_lane>();
};

/// What both halves do, and a whole lane.
macro_rules! on_any {
    ($ends:expr, $lane:ident => $operation:expr) => {
        match $ends {
            Ends::Whole($lane) => $operation,
            Ends::Begin($lane) => $operation,
            Ends::End($lane) => $operation,
            Ends::Gone => {}
        }
    };
}

impl Ends {
    #[inline]
    fn now_ns(&self) -> u64 {
        match self {
            Self::Whole(lane) => lane.now_ns(),
            Self::Begin(half) => half.now_ns(),
            Self::End(half) => half.now_ns(),
            Self::Gone => 0,
        }
    }

    /// The end half refuses.
    #[inline]
    fn allow(&mut self) -> bool {
        match self {
            Self::Whole(lane) => lane.allow(),
            Self::Begin(half) => half.allow(),
            Self::End(half) => half.count_misused(),
            Self::Gone => false,
        }
    }

    #[inline]
    fn begin_at(&mut self, now_ns: u64) -> Call {
        match self {
            Self::Whole(lane) => return lane.begin_at(now_ns),
            Self::Begin(half) => return half.begin_at(now_ns),
            Self::End(half) => _ = half.count_misused(),
            Self::Gone => {}
        }
        Call::of_nothing(now_ns)
    }

    #[inline]
    fn end_at(&mut self, now_ns: u64, call: Call) {
        match self {
            Self::Whole(lane) => lane.end_at(now_ns, call),
            Self::End(half) => half.end_at(now_ns, call),
            Self::Begin(half) => half.end_misplaced(now_ns, call),
            Self::Gone => {}
        }
    }

    #[inline]
    fn record_probe_at(&mut self, now_ns: u64, latency_ns: u64, ok: bool) {
        match self {
            Self::Whole(lane) => lane.record_probe_at(now_ns, latency_ns, ok),
            Self::End(half) => half.record_probe_at(now_ns, latency_ns, ok),
            Self::Begin(half) => _ = half.count_misused(),
            Self::Gone => {}
        }
    }
}

impl cb_lane {
    /// # Safety
    /// `lane` came from `cb_lane_open` or `cb_lane_split` and isn't closed, and no other thread uses it.
    #[inline]
    unsafe fn ends<'a>(lane: *mut Self) -> &'a mut Ends {
        debug_assert!(!lane.is_null(), "the lane is NULL");
        // SAFETY: by the caller. Only the field is borrowed, and any thread may use it.
        unsafe { &(*lane).thread }.check(&LANES, lane);
        // SAFETY: by the caller. Only the field is borrowed: any thread may ask for the gate.
        unsafe { &mut (*lane).ends }
    }
}

/// Opens a lane for another thread, which takes it over by anything that orders memory (the thread's start, say).
/// Allocates: open lanes at start-up. Of a breaker that a supervisor owns, cb_supervisor_lane opens lanes.
///
/// @param breaker   Must not be NULL.
/// @param capacity  How many calls it tracks: each from its begin until the owner has heard its end, or an epoch has forgotten
///                  it. It takes a record or a check as long as the owner has fewer messages than that of the same half to
///                  take in (two of each call, one of each record). 0 = 4096, the default; 4 to 1048576, and what is outside
///                  is brought within. A lane takes some 210 bytes for each.
/// @param out       Where the lane goes; NULL goes there if there is an error. Must not be NULL.
/// @return          CB_STATUS_OK, or CB_STATUS_NULL_POINTER; CB_STATUS_NOT_NOW while a supervisor owns the breaker:
///                  cb_supervisor_lane opens one then.
///
/// Thread: owner. The lane is to be given to cb_lane_close, before or after cb_destroy.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cb_lane_open(breaker: *mut cb_breaker, capacity: u32, out: *mut *mut cb_lane) -> cb_status {
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
        let lane = owner.lane_with_capacity(capacity_or_default(capacity));
        // SAFETY: by the caller.
        unsafe { hand_out_lane(lane, out) };
        Ok(())
    })
}

pub(super) const fn capacity_or_default(capacity: u32) -> u32 {
    if capacity == 0 { Breaker::LANE_CAPACITY } else { capacity }
}

/// # Safety
/// `out` is valid for writing.
pub(super) unsafe fn hand_out_lane(lane: Lane, out: *mut *mut cb_lane) {
    let observer = lane.observer();
    // SAFETY: by the caller.
    unsafe {
        out.write(Box::into_raw(Box::new(cb_lane { ends: Ends::Whole(lane), observer, thread: ThreadCheck::new() })))
    };
}

/// Makes two halves of a lane, for two threads: from now on `lane` is the begin half, for the thread on which calls begin
/// (cb_lane_allow, cb_lane_begin, cb_lane_release), and `*end` the end half, for the thread on which they end (cb_lane_end,
/// cb_lane_record_probe). cb_lane_fail, cb_lane_abandon and cb_lane_record are for both, as a send may fail, too. Of a ticket
/// that both give back the first one counts. What is not a half's own is counted (misused) and otherwise ignored; but a
/// call ends all the same, and cb_lane_allow on the end half refuses. Tickets that are out stay good.
///
/// @param lane  Must not be NULL.
/// @param end   Where the end half goes; NULL goes there if there is an error. Must not be NULL.
/// @return      CB_STATUS_OK, or CB_STATUS_NULL_POINTER, or CB_STATUS_NOT_NOW: it is a half already.
///
/// Thread: the lane's. Each half is to be given to cb_lane_close.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cb_lane_split(lane: *mut cb_lane, end: *mut *mut cb_lane) -> cb_status {
    guard(|| {
        if end.is_null() {
            return Err(Failure::null("end"));
        }
        // SAFETY: by the caller.
        unsafe { end.write(ptr::null_mut()) };
        if lane.is_null() {
            return Err(Failure::null("lane"));
        }
        // SAFETY: by the caller. Only the field is borrowed: any thread may ask for the gate.
        let observer = unsafe { &(*lane).observer }.clone();
        // SAFETY: by the caller.
        let ends = unsafe { cb_lane::ends(lane) };
        match core::mem::replace(ends, Ends::Gone) {
            Ends::Whole(whole) => {
                let (begin_half, end_half) = whole.split();
                *ends = Ends::Begin(begin_half);
                let half = Box::new(cb_lane { ends: Ends::End(end_half), observer, thread: ThreadCheck::new() });
                // SAFETY: by the caller. Each half is for the thread that will use it.
                unsafe { &(*lane).thread }.hand_over();
                // SAFETY: by the caller.
                unsafe { end.write(Box::into_raw(half)) };
                Ok(())
            }
            half => {
                *ends = half;
                Err(Failure::new(CB_STATUS_NOT_NOW, format_args!("the lane is a half already")))
            }
        }
    })
}

/// In a checked build: tells that another thread will use this lane, or this half of one, from now on: the next that does.
/// Otherwise it does nothing. The first thread to use a lane needs no such word.
///
/// @param lane  NULL is fine: nothing happens.
///
/// Thread: the lane's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cb_lane_hand_over(lane: *mut cb_lane) {
    if !lane.is_null() {
        // SAFETY: by the caller. Only the field is borrowed, and any thread may use it.
        unsafe { &(*lane).thread }.hand_over();
    }
}

/// Ends a lane, or one half of it. What it said is still taken in. Close it when its calls are back: those that it leaves in
/// flight become overdue, and a trial that it leaves counts as lost.
///
/// @param lane  From cb_lane_open, cb_lane_split or cb_supervisor_lane, and not closed before. NULL is fine.
///
/// Thread: any, when the lane's thread doesn't use it or its gate any more.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cb_lane_close(lane: *mut cb_lane) {
    if !lane.is_null() {
        // SAFETY: by the caller.
        drop(unsafe { Box::from_raw(lane) });
    }
}

/// The breaker's gate, for cb_gate_closed: whether the breaker lets every call pass now, by one inline load. It knows nothing of
/// the lane's own room, so ask cb_lane_allow before a call.
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
    unsafe { &(*lane).observer }.page.gate.0.as_ptr().cast()
}

/// May an order be sent now? While closed this is a load, a look at the lane's own room, and a branch. A lane that is too
/// full to take the call's begin refuses, unless in shadow. (cb_gate_closed asks the breaker alone, inline.)
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
/// Thread: the lane's; of a split lane the begin half's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cb_lane_allow(lane: *mut cb_lane) -> bool {
    // SAFETY: by the caller.
    unsafe { cb_lane::ends(lane) }.allow()
}

/// Gives back a trial that this lane was granted and that will not be sent: the one that it was granted last. It counts
/// neither way, and may be granted again at once. Each grant is given back by a release of its own. Does nothing if there is
/// no such trial.
///
/// @param lane  Must not be NULL.
///
/// Thread: the lane's; of a split lane the begin half's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cb_lane_release(lane: *mut cb_lane) {
    // SAFETY: by the caller.
    match unsafe { cb_lane::ends(lane) } {
        Ends::Whole(lane) => lane.release(),
        Ends::Begin(half) => half.release(),
        Ends::End(half) => _ = half.count_misused(),
        Ends::Gone => {}
    }
}

/// A call is sent. Calls that weren't asked for (cancels) may begin, too.
///
/// @param lane  Must not be NULL.
/// @return      Its ticket, to be given back by cb_lane_end, cb_lane_fail or cb_lane_abandon on this lane (on either half of
///              a split one), once. One that comes back twice, or from elsewhere, is counted (misused) and otherwise
///              ignored. If the lane is full the call isn't tracked, which counts as dropped, and its end is a record
///              without a ticket, which reports the trial that the call may have been.
///
/// Thread: the lane's; of a split lane the begin half's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cb_lane_begin(lane: *mut cb_lane) -> cb_call {
    // SAFETY: by the caller.
    let ends = unsafe { cb_lane::ends(lane) };
    ends.begin_at(ends.now_ns()).into()
}

/// cb_lane_begin at a given time.
///
/// @param now_ns  Nanoseconds on the breaker's clock. The rest as cb_lane_begin.
///
/// Thread: the lane's; of a split lane the begin half's.
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
    let now_ns = ends.now_ns();
    ends.end_at(now_ns, call.into());
}

/// cb_lane_end at a given time.
///
/// @param now_ns  Nanoseconds on the breaker's clock. The rest as cb_lane_end.
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
    let now_ns = ends.now_ns();
    on_any!(ends, lane => lane.fail_at(now_ns, call.into()));
}

/// cb_lane_fail at a given time.
///
/// @param now_ns  Nanoseconds on the breaker's clock. The rest as cb_lane_fail.
///
/// Thread: the lane's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cb_lane_fail_at(lane: *mut cb_lane, now_ns: u64, call: cb_call) {
    // SAFETY: by the caller.
    on_any!(unsafe { cb_lane::ends(lane) }, lane => lane.fail_at(now_ns, call.into()));
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
    let ends = unsafe { cb_lane::ends(lane) };
    let now_ns = ends.now_ns();
    on_any!(ends, lane => lane.abandon_at(now_ns, call.into()));
}

/// cb_lane_abandon at a given time.
///
/// @param now_ns  Nanoseconds on the breaker's clock. The rest as cb_lane_abandon.
///
/// Thread: the lane's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cb_lane_abandon_at(lane: *mut cb_lane, now_ns: u64, call: cb_call) {
    // SAFETY: by the caller.
    on_any!(unsafe { cb_lane::ends(lane) }, lane => lane.abandon_at(now_ns, call.into()));
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
    let now_ns = ends.now_ns();
    on_any!(ends, lane => lane.record_at(now_ns, latency_ns));
}

/// cb_lane_record at a given time, that of the answer.
///
/// @param now_ns  Nanoseconds on the breaker's clock. The rest as cb_lane_record.
///
/// Thread: the lane's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cb_lane_record_at(lane: *mut cb_lane, now_ns: u64, latency_ns: u64) {
    // SAFETY: by the caller.
    on_any!(unsafe { cb_lane::ends(lane) }, lane => lane.record_at(now_ns, latency_ns));
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
    let now_ns = ends.now_ns();
    on_any!(ends, lane => lane.record_failure_at(now_ns, latency_ns));
}

/// cb_lane_record_failure at a given time, that of the failure.
///
/// @param now_ns  Nanoseconds on the breaker's clock. The rest as cb_lane_record_failure.
///
/// Thread: the lane's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cb_lane_record_failure_at(lane: *mut cb_lane, now_ns: u64, latency_ns: u64) {
    // SAFETY: by the caller.
    on_any!(unsafe { cb_lane::ends(lane) }, lane => lane.record_failure_at(now_ns, latency_ns));
}

/// The result of a health check. Counts only while half-open with CB_RECOVERY_HEALTH_CHECKS; it is stale otherwise.
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
    let now_ns = ends.now_ns();
    ends.record_probe_at(now_ns, latency_ns, ok);
}

/// cb_lane_record_probe at a given time, that of the result.
///
/// @param now_ns  Nanoseconds on the breaker's clock. The rest as cb_lane_record_probe.
///
/// Thread: the lane's; of a split lane the end half's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cb_lane_record_probe_at(lane: *mut cb_lane, now_ns: u64, latency_ns: u64, ok: bool) {
    // SAFETY: by the caller.
    unsafe { cb_lane::ends(lane) }.record_probe_at(now_ns, latency_ns, ok);
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
    // SAFETY: by the caller. Only the field is borrowed: any thread may ask for the gate.
    match unsafe { &(*lane).ends } {
        Ends::Whole(lane) => lane.dropped(),
        Ends::Begin(half) => half.dropped(),
        Ends::End(half) => half.dropped(),
        Ends::Gone => 0,
    }
}

/// The time on the breaker's clock, as cb_now_ns gives it, for the _at functions; also when the breaker is gone.
///
/// @param lane  Must not be NULL.
///
/// Thread: the lane's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cb_lane_now_ns(lane: *const cb_lane) -> u64 {
    debug_assert!(!lane.is_null(), "the lane is NULL");
    // SAFETY: by the caller. Only the field is borrowed: any thread may ask for the gate.
    unsafe { &(*lane).ends }.now_ns()
}
