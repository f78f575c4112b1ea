//! What other threads than the owner ask and report through: its life, and its two halves.

use super::checked::{Checked, ThreadCheck};
use super::gate::{byte_of, cb_gate};
use super::halt_results::{cb_halt_result, cb_resume_result};
use super::halting::{Deed, act, act_as};
use super::handle::cb_breaker;
use super::lane_ends::Ends;
use super::observer::cb_observer;
use super::pointers::{cleared, free, make, required};
use super::status::{CB_STATUS_NOT_NOW, Failure, cb_status, guard};
use crate::breaker::Breaker;
use crate::handles::{Gate, Why};
use crate::lane::Lane;
use core::cell::UnsafeCell;
use core::ffi::c_char;
use core::{mem, ptr};

/// What a thread that isn't the owner trades through. The thread asks the breaker, with trials, and reports its calls to the
/// owner by bounded queues. Nothing here waits for the owner or for another lane's thread.
///
/// Each such thread has a lane. Where one thread sends and another hears answers, both have one lane together: cb_lane_split
/// makes two halves of it. The owner takes in what lanes say when it polls. So its polls bound how late a trip, a trial or a
/// recovery is. A full lane drops what it is told, and counts that. But the end of a call whose begin went through always goes
/// through, too, so a full lane can't make a call look lost.
///
/// A lane's samples may be late. A sample is taken as if it had ended when the lane was told of it, or at the latest time that
/// the owner had seen, if that is later. Whether a sample is stale is decided by its own stamps.
///
/// A lane may outlive its breaker. It refuses then, for ever, and nobody hears what it says.
pub struct cb_lane {
    /// For the lane's thread alone. A reference to the handle says nothing of what is in the cell.
    ends: UnsafeCell<Ends>,
    /// For any thread, to halt and to resume. (The lane's thread asks by its own.)
    gate: Gate,
    /// For any thread, to look.
    observer: cb_observer,
    thread: ThreadCheck,
}

const LANES: Checked =
    Checked { function: "a function of lane", advice: "pass it on by cb_lane_hand_over, or split it" };

const _: () = {
    const fn is_send<T: Send>() {}
    is_send::<cb_lane>();
};

impl cb_lane {
    /// To be ended by `cb_lane_close`.
    pub(super) fn hand_out(lane: Lane) -> *mut Self {
        let gate = Gate::clone(&lane);
        make(Self::new(Ends::Whole(lane), gate))
    }

    fn new(ends: Ends, gate: Gate) -> Self {
        let observer = cb_observer::new(gate.observer());
        Self { ends: UnsafeCell::new(ends), gate, observer, thread: ThreadCheck::new() }
    }

    /// # Safety
    /// `lane` is NULL or came from this library, and isn't closed while the reference is alive.
    unsafe fn gate_part<'a>(lane: *const Self) -> Option<&'a Gate> {
        // SAFETY: by the caller.
        unsafe { lane.as_ref() }.map(|lane| &lane.gate)
    }

    /// # Safety
    /// As [`ends`](Self::ends).
    pub(super) unsafe fn why(lane: *const Self) -> Why {
        // SAFETY: by the caller.
        let (ends, gate) = unsafe { (Self::ends(lane), &(*lane).gate) };
        ends.why().unwrap_or_else(|| gate.why())
    }

    /// # Safety
    /// `lane` came from `cb_lane_open`, `cb_lane_split` or `cb_supervisor_lane` and isn't closed, and no other thread uses it.
    #[inline]
    pub(super) unsafe fn ends<'a>(lane: *const Self) -> &'a mut Ends {
        debug_assert!(!lane.is_null(), "the lane is NULL");
        // SAFETY: by the caller it is a lane.
        let lane = unsafe { &*lane };
        lane.thread.check(&LANES, lane);
        // SAFETY: by the caller this is the lane's thread, which has no other reference to the part.
        unsafe { &mut *lane.ends.get() }
    }
}

/// Opens a lane for another thread, which takes the lane over by anything that orders memory (the thread's start, say).
/// This allocates, so open lanes at start-up. While a supervisor owns the breaker, cb_supervisor_lane opens lanes.
///
/// @param breaker   Must not be NULL.
/// @param capacity  How many calls the lane tracks: each from its begin until the owner has heard its end, or an epoch has
///                  forgotten it. A half takes a record or a check as long as fewer messages of that half than this wait for
///                  the owner (two of each call, one of each record). 0 = 4096, the default. The capacity is 4 to 1048576;
///                  other values are brought within. A lane takes some 210 bytes for each call.
/// @param out       Where the lane goes; NULL goes there if there is an error. Must not be NULL.
/// @return          CB_STATUS_OK, or CB_STATUS_NULL_POINTER. CB_STATUS_NOT_NOW while a supervisor owns the breaker.
///
/// Thread: owner. Give the lane to cb_lane_close in the end, before or after cb_destroy.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cb_lane_open(breaker: *mut cb_breaker, capacity: u32, out: *mut *mut cb_lane) -> cb_status {
    guard(|| {
        // SAFETY: by the caller.
        let (out, owner) = unsafe { (cleared("out", out)?, cb_breaker::owner_or_fail(breaker)?) };
        *out = cb_lane::hand_out(owner.lane_with_capacity(capacity_or_default(capacity)));
        Ok(())
    })
}

pub(super) const fn capacity_or_default(capacity: u32) -> u32 {
    if capacity == 0 { Breaker::LANE_CAPACITY } else { capacity }
}

/// Makes two halves of a lane, for two threads. From now on `lane` is the begin half, for the thread on which calls begin
/// (cb_lane_allow, cb_lane_begin, cb_lane_release), and `*end` is the end half, for the thread on which calls end (cb_lane_end,
/// cb_lane_record_probe). cb_lane_fail, cb_lane_abandon and cb_lane_record are for both halves, as a send may fail, too. If both
/// halves give back a ticket, the first one counts. A function that isn't for a half is counted (misused) and otherwise
/// ignored; but cb_lane_end on the begin half ends the call all the same, and cb_lane_allow on the end half refuses. Tickets that
/// are out stay good.
///
/// @param lane  Must not be NULL.
/// @param end   Where the end half goes; NULL goes there if there is an error. Must not be NULL.
/// @return      CB_STATUS_OK, or CB_STATUS_NULL_POINTER. CB_STATUS_NOT_NOW: the lane is a half already.
///
/// Thread: the lane's. Give each half to cb_lane_close in the end.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cb_lane_split(lane: *mut cb_lane, end: *mut *mut cb_lane) -> cb_status {
    guard(|| {
        // SAFETY: by the caller.
        let (end, lane) = unsafe { (cleared("end", end)?, required("lane", lane)?) };
        // SAFETY: by the caller.
        let ends = unsafe { cb_lane::ends(lane) };
        match mem::replace(ends, Ends::Gone) {
            Ends::Whole(whole) => {
                let (begin_half, end_half) = whole.split();
                *ends = Ends::Begin(begin_half);
                // Each half is for the thread that will use it.
                lane.thread.hand_over();
                *end = make(cb_lane::new(Ends::End(end_half), lane.gate.clone()));
                Ok(())
            }
            half => {
                *ends = half;
                Err(Failure::new(CB_STATUS_NOT_NOW, format_args!("the lane is a half already")))
            }
        }
    })
}

/// Tells a checked build that another thread will use this lane, or this half of a lane, from now on: the next one that does.
/// In other builds it does nothing. The first thread to use a lane needs no such call.
///
/// @param lane  NULL is fine: nothing happens.
///
/// Thread: the lane's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cb_lane_hand_over(lane: *mut cb_lane) {
    // SAFETY: by the caller.
    if let Some(lane) = unsafe { lane.as_ref() } {
        lane.thread.hand_over();
    }
}

/// Ends a lane, or one half of it. The owner still takes in what the lane said. Close a lane when its calls are back: calls that
/// it leaves in flight become overdue, and a trial that it leaves counts as lost.
///
/// @param lane  From cb_lane_open, cb_lane_split or cb_supervisor_lane, and not closed before. NULL is fine: nothing happens.
///
/// Thread: any, when no other thread uses the lane, its gate or its observer any more.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cb_lane_close(lane: *mut cb_lane) {
    // SAFETY: by the caller.
    unsafe { free(lane) };
}

/// The breaker's gate, for cb_gate_closed: one inline load tells whether the breaker lets every call pass now. The gate knows
/// nothing of the lane's own room, so ask cb_lane_allow before a call.
///
/// @param lane  NULL is fine: NULL.
/// @return      The byte that cb_gate_of gives. It is valid until cb_lane_close, even if the breaker is destroyed before.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cb_lane_gate_of(lane: *const cb_lane) -> *const cb_gate {
    // SAFETY: by the caller.
    unsafe { lane.as_ref() }.map_or(ptr::null(), |lane| byte_of(&lane.gate))
}

/// What the lane shows of its breaker, for the functions that begin with cb_observer_.
///
/// @param lane  NULL is fine: NULL.
/// @return      An observer that stays the lane's. It is valid until cb_lane_close, and must not be closed by itself.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cb_lane_observer(lane: *const cb_lane) -> *const cb_observer {
    // SAFETY: by the caller.
    unsafe { lane.as_ref() }.map_or(ptr::null(), |lane| &raw const lane.observer)
}

/// Halts trading, says why, and tells what came of it, as cb_halt_with does. The halt is the engine's own
/// (holder "engine").
///
/// @param lane    NULL is fine: nothing happens.
/// @param reason  As for cb_halt_with.
/// @param result  As for cb_halt_with.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cb_lane_halt(lane: *mut cb_lane, reason: *const c_char, result: *mut cb_halt_result) {
    // SAFETY: by the caller.
    unsafe { act(Deed::Halt, cb_lane::gate_part(lane), reason, result) };
}

/// Halts trading in the name of this holder, as cb_halt_as does.
///
/// @param lane    Must not be NULL.
/// @param holder  As for cb_halt_as.
/// @param reason  As for cb_halt_with.
/// @param result  As for cb_halt_with.
/// @return        As for cb_halt_as.
///
/// Thread: any.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cb_lane_halt_as(
    lane: *mut cb_lane,
    holder: *const c_char,
    reason: *const c_char,
    result: *mut cb_halt_result,
) -> cb_status {
    // SAFETY: by the caller.
    guard(|| unsafe { act_as(Deed::Halt, cb_lane::gate_part(lane), "lane", holder, reason, result) })
}

/// Lifts the halt of cb_lane_halt's holder, says why, and tells what came of it, as cb_resume_with does.
///
/// @param lane    NULL is fine: nothing happens.
/// @param reason  As for cb_resume_with.
/// @param result  As for cb_resume_with.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cb_lane_resume(lane: *mut cb_lane, reason: *const c_char, result: *mut cb_resume_result) {
    // SAFETY: by the caller.
    unsafe { act(Deed::Resume, cb_lane::gate_part(lane), reason, result) };
}

/// Lifts the halt of this holder, as cb_resume_as does.
///
/// @param lane    Must not be NULL.
/// @param holder  As for cb_resume_as.
/// @param reason  As for cb_resume_with.
/// @param result  As for cb_resume_with.
/// @return        As for cb_resume_as.
///
/// Thread: any.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cb_lane_resume_as(
    lane: *mut cb_lane,
    holder: *const c_char,
    reason: *const c_char,
    result: *mut cb_resume_result,
) -> cb_status {
    // SAFETY: by the caller.
    guard(|| unsafe { act_as(Deed::Resume, cb_lane::gate_part(lane), "lane", holder, reason, result) })
}

/// Tells how many messages this lane has dropped, because the owner doesn't poll often enough for it. cb_snapshot has the sum of
/// all lanes.
///
/// @param lane  NULL is fine: 0.
///
/// Thread: the lane's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cb_lane_dropped(lane: *const cb_lane) -> u64 {
    // SAFETY: by the caller, on the lane's thread.
    unsafe { lane.as_ref().map_or(0, |lane| (*lane.ends.get()).dropped()) }
}

/// The time on the breaker's clock, as cb_now_ns gives it, for the _at functions. It goes on when the breaker is gone.
///
/// @param lane  Must not be NULL.
///
/// Thread: the lane's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cb_lane_now_ns(lane: *const cb_lane) -> u64 {
    debug_assert!(!lane.is_null(), "the lane is NULL");
    // SAFETY: by the caller, on the lane's thread.
    unsafe { (*(*lane).ends.get()).now_ns() }
}
