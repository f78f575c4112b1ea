//! What came of a halt or a resume, as C sees it.

use crate::handles::{Halted, Resumed};
use core::ffi::{CStr, c_char};

/// One of cb_halt_result_value.
pub type cb_halt_result = u32;

/// What came of a halt. A newer library may have more values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum cb_halt_result_value {
    /// Calls are refused now, and an owner is there to obey.
    CB_HALT_DONE = 0,
    /// Calls are refused now. No process owns the page, so the halt waits for the next owner.
    CB_HALT_NO_OWNER = 1,
    /// The page of this handle is halted. But its path leads to another file by now, which isn't.
    CB_HALT_REPLACED = 2,
    /// Nothing was done: the breaker that gave the handle has ended, the handle is NULL, or the function returned an error.
    CB_HALT_ENDED = 3,
}

/// One of cb_resume_result_value.
pub type cb_resume_result = u32;

/// What came of a resume. A newer library may have more values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum cb_resume_result_value {
    /// The halt is lifted, and nobody else holds one. Calls pass after the owner's next poll, as far as the state allows.
    CB_RESUME_DONE = 0,
    /// The halt is lifted, but others hold one: see cb_get_holders.
    CB_RESUME_STILL_HELD = 1,
    /// There was no such halt.
    CB_RESUME_NOT_HELD = 2,
    /// Nothing was done: somebody halted or resumed meanwhile. Look again.
    CB_RESUME_CHANGED = 3,
    /// The halt is lifted. No process owns the page, so calls are refused until one does.
    CB_RESUME_NO_OWNER = 4,
    /// Nothing was done: the breaker that gave the handle has ended, the handle is NULL, or the function returned an error.
    CB_RESUME_ENDED = 5,
}

pub use cb_halt_result_value::*;
pub use cb_resume_result_value::*;

pub(super) const fn halt_result(halted: Halted) -> cb_halt_result {
    (match halted {
        Halted::Done => CB_HALT_DONE,
        Halted::NoOwner => CB_HALT_NO_OWNER,
        Halted::Replaced => CB_HALT_REPLACED,
        Halted::Ended => CB_HALT_ENDED,
    }) as cb_halt_result
}

pub(super) const fn resume_result(resumed: Resumed) -> cb_resume_result {
    (match resumed {
        Resumed::Done => CB_RESUME_DONE,
        Resumed::StillHeld => CB_RESUME_STILL_HELD,
        Resumed::NotHeld => CB_RESUME_NOT_HELD,
        Resumed::Changed => CB_RESUME_CHANGED,
        Resumed::NoOwner => CB_RESUME_NO_OWNER,
        Resumed::Ended => CB_RESUME_ENDED,
    }) as cb_resume_result
}

/// Says in a few words what came of a halt. The text is static.
///
/// @param result  Any value. Of a value that this library doesn't know, the text says so.
/// @return        Never NULL.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub extern "C" fn cb_halt_result_text(result: cb_halt_result) -> *const c_char {
    const TEXTS: [&CStr; 4] = [
        c"halted",
        c"halted; the page has no owner",
        c"halted; but the path leads to another page by now",
        c"not halted: the breaker has ended",
    ];
    TEXTS.get(result as usize).unwrap_or(&UNKNOWN).as_ptr()
}

/// Says in a few words what came of a resume. The text is static.
///
/// @param result  Any value. Of a value that this library doesn't know, the text says so.
/// @return        Never NULL.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub extern "C" fn cb_resume_result_text(result: cb_resume_result) -> *const c_char {
    const TEXTS: [&CStr; 6] = [
        c"resumed",
        c"resumed; others still hold a halt",
        c"not resumed: there was no such halt",
        c"not resumed: somebody halted or resumed meanwhile",
        c"resumed; the page has no owner",
        c"not resumed: the breaker has ended",
    ];
    TEXTS.get(result as usize).unwrap_or(&UNKNOWN).as_ptr()
}

const UNKNOWN: &CStr = c"a result that this version of the library doesn't know";
