//! What any thread may ask and do.

use super::config::{CB_STATE_OPEN, cb_state};
use super::halt_note::cb_halt_note;
use super::handle::cb_breaker;
use super::structs::write_if;
use crate::handles::Observer;
use core::ffi::{CStr, c_char};
use core::ptr;

/// As in cbindgen.toml, which has it in C beside the inline function that reads it.
#[repr(C)]
pub struct cb_gate {
    bits: u8,
}

/// The breaker's gate, for cb_gate_closed in the hot loop. While a supervisor owns the breaker, the gate goes on to show lanes
/// whether calls pass.
///
/// @param breaker  NULL is fine: NULL.
/// @return         The gate, valid until cb_destroy.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cb_gate_of(breaker: *const cb_breaker) -> *const cb_gate {
    // SAFETY: by the caller.
    unsafe { cb_breaker::observer(breaker) }.map_or(ptr::null(), byte_of)
}

pub(super) fn byte_of(observer: &Observer) -> *const cb_gate {
    observer.page.gate().as_ptr().cast()
}

/// Tells the automatic state.
///
/// @param breaker  NULL counts as open.
/// @return         A cb_state_value. If the gate holds a value that no version writes, it is CB_STATE_OPEN: calls are refused
///                 then.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cb_get_state(breaker: *const cb_breaker) -> cb_state {
    // SAFETY: by the caller.
    state_or_open(unsafe { cb_breaker::observer(breaker) })
}

pub(super) fn state_or_open(observer: Option<&Observer>) -> cb_state {
    observer.and_then(Observer::state).map_or(CB_STATE_OPEN as cb_state, |state| state as cb_state)
}

/// Tells whether trading is halted.
///
/// @param breaker  NULL counts as halted.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cb_is_halted(breaker: *const cb_breaker) -> bool {
    // SAFETY: by the caller.
    unsafe { cb_breaker::observer(breaker) }.is_none_or(Observer::is_halted)
}

/// The note of the latest halt of those that are held: who halted, when and why. (cb_get_holders gives the notes of all.)
///
/// @param breaker  NULL is fine: false.
/// @param out      Where the note goes, by its struct_size. NULL is fine: false.
/// @return         Whether the note was written. There is none if nobody holds a halt.
///
/// Thread: any.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cb_get_halt_note(breaker: *const cb_breaker, out: *mut cb_halt_note) -> bool {
    // SAFETY: by the caller.
    unsafe { write_if(out, cb_breaker::observer(breaker).and_then(Observer::halt_note)) }
}

/// The name of a state: "closed", "open" or "half_open". Any other value is "unknown". The text is static.
///
/// @param state  A cb_state_value.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub extern "C" fn cb_state_text(state: cb_state) -> *const c_char {
    const TEXTS: [&CStr; 3] = [c"closed", c"open", c"half_open"];
    TEXTS.get(state as usize).unwrap_or(&c"unknown").as_ptr()
}
