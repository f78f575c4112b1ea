//! What any thread may ask and do.

use super::breaker::cb_breaker;
use super::config::{CB_STATE_OPEN, cb_state};
use crate::handles::Observer;
use core::ffi::{CStr, c_char};
use core::ptr;

/// One byte that tells whether calls pass. cb_gate_of gives a breaker's, cb_lane_gate_of a lane's, cb_gate_closed reads it.
#[repr(C)]
pub struct cb_gate {
    bits: u8,
}

/// The gate, for cb_gate_closed in the hot loop. It is the breaker's, whoever owns that: while a supervisor does, it goes on to
/// show lanes whether calls pass.
///
/// @param breaker  NULL is fine: NULL.
/// @return         Valid until cb_destroy.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cb_gate_of(breaker: *const cb_breaker) -> *const cb_gate {
    // SAFETY: by the caller.
    unsafe { cb_breaker::observer(breaker) }.map_or(ptr::null(), |observer| observer.page.gate.0.as_ptr().cast())
}

/// The automatic state.
///
/// @param breaker  NULL counts as open.
/// @return         A cb_state_value. CB_STATE_OPEN if the gate holds a value that no version writes: calls are refused then.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cb_get_state(breaker: *const cb_breaker) -> cb_state {
    // SAFETY: by the caller.
    let state = unsafe { cb_breaker::observer(breaker) }.and_then(Observer::state);
    state.map_or(CB_STATE_OPEN as cb_state, |state| state as cb_state)
}

/// Whether trading is halted.
///
/// @param breaker  NULL counts as halted.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cb_is_halted(breaker: *const cb_breaker) -> bool {
    // SAFETY: by the caller.
    unsafe { cb_breaker::observer(breaker) }.is_none_or(Observer::is_halted)
}

/// Refuses every call from now on, whatever the automatic state, until cb_resume. The gate is shut when this returns; the
/// owner's next cb_poll (or refused cb_allow) adds the event.
///
/// @param breaker  NULL is fine: nothing happens.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cb_halt(breaker: *mut cb_breaker) {
    // SAFETY: by the caller.
    if let Some(gate) = unsafe { cb_breaker::gate(breaker) } {
        gate.halt("");
    }
}

/// cb_halt at a given time, with its event at once. Fires no timers. While a supervisor owns the breaker it is cb_halt: a halt
/// is never lost, and its event comes with the supervisor's next poll.
///
/// @param breaker  NULL is fine: nothing happens.
/// @param now_ns   The time on the breaker's clock; before the latest seen it counts as that.
///
/// Thread: owner.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cb_halt_at(breaker: *mut cb_breaker, now_ns: u64) {
    if breaker.is_null() {
        return;
    }
    // First, by what any thread may do: whoever owns the breaker, it isn't lost.
    // SAFETY: by the caller.
    unsafe { cb_halt(breaker) };
    // SAFETY: by the caller.
    if let Some(owner) = unsafe { cb_breaker::owner_if_there(breaker) } {
        owner.halt_at(now_ns, "");
    }
}

/// Ends a halt. The automatic state decides again, as it went on meanwhile. The owner's next cb_poll adds the event.
///
/// @param breaker  NULL is fine: nothing happens.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cb_resume(breaker: *mut cb_breaker) {
    // SAFETY: by the caller.
    if let Some(gate) = unsafe { cb_breaker::gate(breaker) } {
        gate.resume();
    }
}

/// cb_resume at a given time, with its event at once. Fires no timers. While a supervisor owns the breaker it is cb_resume.
///
/// @param breaker  NULL is fine: nothing happens.
/// @param now_ns   The time on the breaker's clock; before the latest seen it counts as that.
///
/// Thread: owner.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cb_resume_at(breaker: *mut cb_breaker, now_ns: u64) {
    if breaker.is_null() {
        return;
    }
    // First, by what any thread may do: whoever owns the breaker, it isn't lost.
    // SAFETY: by the caller.
    unsafe { cb_resume(breaker) };
    // SAFETY: by the caller.
    if let Some(owner) = unsafe { cb_breaker::owner_if_there(breaker) } {
        owner.resume_at(now_ns);
    }
}

/// The name of a state: "closed", "open" or "half_open"; "unknown" of any other value. The text is static.
///
/// @param state  A cb_state_value.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub extern "C" fn cb_state_text(state: cb_state) -> *const c_char {
    const TEXTS: [&CStr; 3] = [c"closed", c"open", c"half_open"];
    TEXTS.get(state as usize).unwrap_or(&c"unknown").as_ptr()
}
