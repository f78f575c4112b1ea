//! What any thread asks, halts and resumes by.

use super::gate::{byte_of, cb_gate};
use super::handle::cb_breaker;
use super::observer::cb_observer;
use super::pointers::{cleared, free, make, reason_or_none};
use super::status::{cb_status, guard};
use crate::handles::Gate;
use core::ffi::c_char;
use core::ptr;

/// A handle by which any thread asks a breaker, halts it and resumes it. (cb_gate is the one byte that cb_gate_closed reads.) It is
/// of a breaker of this process (cb_gate_handle_of, cb_supervisor_gate_handle), or of a page in a file, whoever owns that
/// (cb_gate_handle_open). Several threads may share a gate handle.
///
/// A thread that reports calls, too, has a lane: it can do all that a gate handle can.
///
/// A gate handle may outlive its breaker. It refuses then, as nobody watches any more. (But one in shadow refuses nothing.)
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

/// Halts trading, and says why, as cb_halt_with does.
///
/// @param handle  NULL is fine: nothing happens.
/// @param reason  As for cb_halt_with.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cb_gate_handle_halt(handle: *mut cb_gate_handle, reason: *const c_char) {
    // SAFETY: by the caller.
    if let Some(handle) = unsafe { handle.as_ref() } {
        // SAFETY: by the caller.
        handle.gate.halt(&unsafe { reason_or_none(reason) });
    }
}

/// Ends a halt, whoever set it, as cb_resume does.
///
/// @param handle  NULL is fine: nothing happens.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cb_gate_handle_resume(handle: *mut cb_gate_handle) {
    // SAFETY: by the caller.
    if let Some(handle) = unsafe { handle.as_ref() } {
        let _ = handle.gate.resume("");
    }
}
