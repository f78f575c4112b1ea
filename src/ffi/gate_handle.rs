//! What any thread asks, halts and resumes by.

use super::gate::{byte_of, cb_gate};
use super::halt_results::{cb_halt_result, cb_resume_result};
use super::halting::{Deed, act, act_as};
use super::handle::cb_breaker;
use super::observer::cb_observer;
use super::pointers::{cleared, free, make};
use super::status::{cb_status, guard};
use crate::handles::{Gate, Observer};
use core::ffi::c_char;
use core::ptr;

/// A handle by which any thread asks a breaker, halts it and resumes it. (cb_gate is the one byte that cb_gate_closed reads.) It is
/// of a breaker of this process (cb_gate_handle_of, cb_supervisor_gate_handle), or of a page in a file, whoever owns that
/// (cb_gate_handle_open). Several threads may share a gate handle.
///
/// A thread that reports calls, too, has a lane: it can do all that a gate handle can.
///
/// A gate handle that a breaker gave may outlive the breaker. It refuses then, for ever, whoever takes the page over later. One that
/// was opened by a path belongs to the page, and follows its owners.
pub struct cb_gate_handle {
    gate: Gate,
    /// A view of the same breaker.
    observer: cb_observer,
}

const _: () = {
    const fn is_any_threads<T: Send + Sync>() {}
    is_any_threads::<cb_gate_handle>();
};

impl cb_gate_handle {
    /// To be ended by `cb_gate_handle_close`.
    pub(super) fn hand_out(gate: Gate) -> *mut Self {
        let observer = cb_observer::new(gate.observer());
        make(Self { gate, observer })
    }

    /// For what is no hot operation.
    ///
    /// # Safety
    /// `handle` is NULL or came from this library, and isn't closed while the reference is alive.
    pub(super) unsafe fn gate_part<'a>(handle: *const Self) -> Option<&'a Gate> {
        // SAFETY: by the caller.
        unsafe { handle.as_ref() }.map(|handle| &handle.gate)
    }

    /// # Safety
    /// As `gate_part`.
    pub(super) unsafe fn observer_part<'a>(handle: *const Self) -> Option<&'a Observer> {
        // SAFETY: by the caller.
        unsafe { Self::gate_part(handle) }.map(|gate| &**gate)
    }

    /// For the hot operations.
    ///
    /// # Safety
    /// `handle` isn't NULL, came from this library, and isn't closed while the reference is alive.
    #[inline]
    unsafe fn gate<'a>(handle: *const Self) -> &'a Gate {
        debug_assert!(!handle.is_null(), "the gate handle is NULL");
        // SAFETY: by the caller.
        unsafe { &(*handle).gate }
    }
}

/// Makes a gate handle of a breaker of this process, for other threads. While a supervisor owns the breaker,
/// cb_supervisor_gate_handle makes gate handles.
///
/// @param breaker  Must not be NULL.
/// @param out      Where the gate handle goes; NULL goes there if there is an error. Must not be NULL.
/// @return         CB_STATUS_OK, or CB_STATUS_NULL_POINTER. CB_STATUS_NOT_NOW while a supervisor owns the breaker.
///
/// Thread: owner. Give the gate handle to cb_gate_handle_close in the end, before or after cb_destroy.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cb_gate_handle_of(breaker: *mut cb_breaker, out: *mut *mut cb_gate_handle) -> cb_status {
    guard(|| {
        // SAFETY: by the caller.
        let (out, owner) = unsafe { (cleared("out", out)?, cb_breaker::owner_or_fail(breaker)?) };
        *out = cb_gate_handle::hand_out(owner.gate());
        Ok(())
    })
}

/// Ends a gate handle. A trial that it was granted, and that was neither sent nor given back, counts as lost.
///
/// @param handle  From cb_gate_handle_of, cb_gate_handle_open or cb_supervisor_gate_handle, and not closed before. NULL is fine:
///                nothing happens.
///
/// Thread: any, when no other thread uses the gate handle, its gate or its observer any more.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cb_gate_handle_close(handle: *mut cb_gate_handle) {
    // SAFETY: by the caller.
    unsafe { free(handle) };
}

/// The breaker's gate, for cb_gate_closed: one inline load tells whether every call passes now.
///
/// @param handle  NULL is fine: NULL.
/// @return        The byte that cb_gate_of gives. It is valid until cb_gate_handle_close, even if the breaker is destroyed before.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cb_gate_handle_gate(handle: *const cb_gate_handle) -> *const cb_gate {
    // SAFETY: by the caller.
    unsafe { handle.as_ref() }.map_or(ptr::null(), |handle| byte_of(&handle.gate))
}

/// What the gate handle shows of its breaker, for the functions that begin with cb_observer_.
///
/// @param handle  NULL is fine: NULL.
/// @return        An observer that stays the gate handle's. It is valid until cb_gate_handle_close, and must not be closed by
///                itself.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cb_gate_handle_observer(handle: *const cb_gate_handle) -> *const cb_observer {
    // SAFETY: by the caller.
    unsafe { handle.as_ref() }.map_or(ptr::null(), |handle| &raw const handle.observer)
}

/// May an order be sent now? While the breaker is closed this is a load and a branch; cb_gate_closed asks the same inline.
///
/// Ask for what adds risk. Don't ask for a cancel or a reduce-only order: refusing those would trap a position.
///
/// This fires no timers. How often the owner polls decides how soon trials pass after a pause.
///
/// @param handle  Must not be NULL.
/// @return        While the breaker is half-open, true means that a trial is granted: send it (the next call that begins, on any
///                lane or at the owner, is taken for the trial), or give it back by cb_gate_handle_release. All gate handles, all
///                lanes and the owner together never get more trials than the breaker grants.
///
/// Thread: any.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cb_gate_handle_allow(handle: *mut cb_gate_handle) -> bool {
    // SAFETY: by the caller.
    unsafe { cb_gate_handle::gate(handle) }.allow()
}

/// Gives back the trial that this gate handle was granted last, if it will not be sent. The trial counts neither way, and may be
/// granted again at once. Each grant is given back by a release of its own. If there is no such trial nothing happens.
///
/// @param handle  Must not be NULL.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cb_gate_handle_release(handle: *mut cb_gate_handle) {
    // SAFETY: by the caller.
    unsafe { cb_gate_handle::gate(handle) }.release();
}

/// Halts trading, says why, and tells what came of it, as cb_halt_with does. The halt is the engine's own
/// (holder "engine") if a breaker gave this handle. If it was opened by a path, the halt is that of the user who runs this process
/// (USER@HOST).
///
/// @param handle  NULL is fine: nothing happens.
/// @param reason  As for cb_halt_with.
/// @param result  As for cb_halt_with.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cb_gate_handle_halt(
    handle: *mut cb_gate_handle,
    reason: *const c_char,
    result: *mut cb_halt_result,
) {
    // SAFETY: by the caller.
    unsafe { act(Deed::Halt, cb_gate_handle::gate_part(handle), reason, result) };
}

/// Halts trading in the name of this holder, as cb_halt_as does.
///
/// @param handle  Must not be NULL.
/// @param holder  As for cb_halt_as. By a handle that was opened by a path nobody halts as "engine", either.
/// @param reason  As for cb_halt_with.
/// @param result  As for cb_halt_with.
/// @return        As for cb_halt_as.
///
/// Thread: any.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cb_gate_handle_halt_as(
    handle: *mut cb_gate_handle,
    holder: *const c_char,
    reason: *const c_char,
    result: *mut cb_halt_result,
) -> cb_status {
    // SAFETY: by the caller.
    guard(|| unsafe { act_as(Deed::Halt, cb_gate_handle::gate_part(handle), "handle", holder, reason, result) })
}

/// Lifts the halt of cb_gate_handle_halt's holder, says why, and tells what came of it, as cb_resume_with does.
///
/// @param handle  NULL is fine: nothing happens.
/// @param reason  As for cb_resume_with.
/// @param result  As for cb_resume_with.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cb_gate_handle_resume(
    handle: *mut cb_gate_handle,
    reason: *const c_char,
    result: *mut cb_resume_result,
) {
    // SAFETY: by the caller.
    unsafe { act(Deed::Resume, cb_gate_handle::gate_part(handle), reason, result) };
}

/// Lifts the halt of this holder, as cb_resume_as does.
///
/// @param handle  Must not be NULL.
/// @param holder  As for cb_resume_as.
/// @param reason  As for cb_resume_with.
/// @param result  As for cb_resume_with.
/// @return        As for cb_resume_as.
///
/// Thread: any.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cb_gate_handle_resume_as(
    handle: *mut cb_gate_handle,
    holder: *const c_char,
    reason: *const c_char,
    result: *mut cb_resume_result,
) -> cb_status {
    // SAFETY: by the caller.
    guard(|| unsafe { act_as(Deed::Resume, cb_gate_handle::gate_part(handle), "handle", holder, reason, result) })
}
