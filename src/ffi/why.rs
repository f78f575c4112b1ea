//! Why calls are refused, as a text for C.

use super::gate_handle::cb_gate_handle;
use super::handle::cb_breaker;
use super::lane::cb_lane;
use super::observer::cb_observer;
use crate::handles::{Observer, Why};
use core::ffi::c_char;

/// Why calls are refused now, as one line of UTF-8 for the text of a reject: who halts and why, or the state, since when, and what led
/// to it. As in "refused: halted by ann@desk-7 (prices look wrong) and engine.risk (position limit); open since 12:03:04.123 UTC:
/// latency". It is "passes" if nothing refuses. It holds no control characters. This allocates.
///
/// @param breaker   NULL is fine: the text of a breaker that has ended.
/// @param buffer    Where the text goes. It ends with a zero, and is cut between characters if there is no room for it. NULL is fine:
///                  then the text is only measured.
/// @param capacity  The size of the buffer. 0: nothing is written. 512 is enough for most texts.
/// @return          The length of the whole text, without the zero. If that is capacity or more, the text was cut.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cb_why(breaker: *const cb_breaker, buffer: *mut c_char, capacity: usize) -> usize {
    // SAFETY: by the caller.
    unsafe { write_why(cb_breaker::observer(breaker).map(Observer::why), buffer, capacity) }
}

/// Why calls are refused now, as cb_why tells it.
///
/// @param observer  NULL is fine: the text of a breaker that has ended. The rest is as for cb_why.
/// @return          As for cb_why.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cb_observer_why(observer: *const cb_observer, buffer: *mut c_char, capacity: usize) -> usize {
    // SAFETY: by the caller.
    unsafe { write_why(cb_observer::get(observer).map(Observer::why), buffer, capacity) }
}

/// Why calls are refused now, as cb_why tells it.
///
/// @param handle  NULL is fine: the text of a breaker that has ended. The rest is as for cb_why.
/// @return        As for cb_why.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cb_gate_handle_why(
    handle: *const cb_gate_handle,
    buffer: *mut c_char,
    capacity: usize,
) -> usize {
    // SAFETY: by the caller.
    unsafe { write_why(cb_gate_handle::observer_part(handle).map(Observer::why), buffer, capacity) }
}

/// Why cb_lane_allow refuses now, as cb_why tells it, and that the lane has no room for another call if so. (For other threads than
/// the lane's cb_lane_observer gives the observer of cb_observer_why, which knows nothing of the lane's room.)
///
/// @param lane  NULL is fine: the text of a breaker that has ended. The rest is as for cb_why.
/// @return      As for cb_why.
///
/// Thread: the lane's; of a split lane the begin half's. (On the end half it knows nothing of the lane's room.)
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cb_lane_why(lane: *const cb_lane, buffer: *mut c_char, capacity: usize) -> usize {
    let why = if lane.is_null() {
        None
    } else {
        // SAFETY: by the caller, as it isn't NULL.
        Some(unsafe { cb_lane::why(lane) })
    };
    // SAFETY: by the caller.
    unsafe { write_why(why, buffer, capacity) }
}

/// # Safety
/// `buffer` is NULL or has room for `capacity` bytes.
unsafe fn write_why(why: Option<Why>, buffer: *mut c_char, capacity: usize) -> usize {
    let text = why.unwrap_or_else(Why::ended).to_string();
    if let Some(most) = capacity.checked_sub(1).filter(|_| !buffer.is_null()) {
        let len = (0..=most.min(text.len())).rfind(|&len| text.is_char_boundary(len)).unwrap_or(0);
        // SAFETY: `len` bytes are the text's, and by the caller there is room for them and for the zero.
        unsafe {
            buffer.cast::<u8>().copy_from_nonoverlapping(text.as_ptr(), len);
            buffer.add(len).write(0);
        }
    }
    text.len()
}
