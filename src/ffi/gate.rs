//! What any thread may ask and do.

use super::config::{CB_STATE_OPEN, cb_state};
use super::halt_note::cb_halt_note;
use super::handle::cb_breaker;
use super::pointers::reason_or_none;
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

/// Halts trading: the breaker refuses every call until cb_resume, whatever its automatic state. The gate is shut when this
/// function returns. The owner's next cb_poll (or refused cb_allow) adds the event. A note tells when trading was halted, and by
/// which process; cb_halt_with has it tell why, too.
///
/// @param breaker  NULL is fine: nothing happens.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cb_halt(breaker: *mut cb_breaker) {
    // SAFETY: by the caller.
    unsafe { cb_halt_with(breaker, ptr::null()) };
}

/// Halts trading, as cb_halt does, and says why. It takes no note of the time on the breaker's clock, and so has no form _at: the
/// event has the time of the owner's next look.
///
/// @param breaker  NULL is fine: nothing happens.
/// @param reason   Why, for people, in UTF-8. What isn't UTF-8 is replaced. 216 bytes of it are kept, in the note
///                 (cb_get_halt_note). NULL gives no reason: then the note of a halt that is in force stays.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cb_halt_with(breaker: *mut cb_breaker, reason: *const c_char) {
    // SAFETY: by the caller.
    if let Some(gate) = unsafe { cb_breaker::gate(breaker) } {
        // SAFETY: by the caller.
        gate.halt(&unsafe { reason_or_none(reason) });
    }
}

/// cb_halt at a given time. It adds the event at once, and fires no timers. While a supervisor owns the breaker, this does what
/// cb_halt does: a halt is never lost, and its event comes with the supervisor's next poll.
///
/// @param breaker  NULL is fine: nothing happens.
/// @param now_ns   The time on the breaker's clock, in nanoseconds.
///
/// Thread: owner.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cb_halt_at(breaker: *mut cb_breaker, now_ns: u64) {
    // First, by what any thread may do: the halt isn't lost, whoever owns the breaker.
    // SAFETY: by the caller.
    unsafe { cb_halt(breaker) };
    // SAFETY: by the caller.
    if let Some(owner) = unsafe { cb_breaker::owner_if_there(breaker) } {
        owner.halt_at(now_ns, "");
    }
}

/// Ends a halt, whoever set it. The automatic state, which went on meanwhile, decides again. The owner's next cb_poll adds the
/// event.
///
/// @param breaker  NULL is fine: nothing happens.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cb_resume(breaker: *mut cb_breaker) {
    // SAFETY: by the caller.
    if let Some(gate) = unsafe { cb_breaker::gate(breaker) } {
        let _ = gate.resume("");
    }
}

/// cb_resume at a given time. It adds the event at once, and fires no timers. While a supervisor owns the breaker, this does what
/// cb_resume does.
///
/// @param breaker  NULL is fine: nothing happens.
/// @param now_ns   The time on the breaker's clock, in nanoseconds.
///
/// Thread: owner.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cb_resume_at(breaker: *mut cb_breaker, now_ns: u64) {
    // SAFETY: by the caller.
    unsafe { cb_resume(breaker) };
    // SAFETY: by the caller.
    if let Some(owner) = unsafe { cb_breaker::owner_if_there(breaker) } {
        owner.resume_at(now_ns, "");
    }
}

/// The note of the latest halt: who halted, when and why. If a halt is in force (cb_is_halted), the note is that halt's. It stays
/// after a resume.
///
/// @param breaker  NULL is fine: false.
/// @param out      Where the note goes, by its struct_size. NULL is fine: false.
/// @return         Whether the note was written. There is none before the first halt, nor if the halter was killed while writing
///                 it. (Who halts shuts the gate first, and writes the note right after.)
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
