//! What a page without an owner would come back as, for C.

use super::config::cb_state;
use super::observer::cb_observer;
use super::structs::{Versioned, write_if};
use crate::handles::Observer;
use crate::shm::ComesBack;
use core::ffi::c_char;
use core::mem::offset_of;

/// What the next owner of a page begins as. The owner's argument start can only make that stricter.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct cb_comes_back {
    /// sizeof(cb_comes_back), set by CB_COMES_BACK_INIT.
    pub struct_size: u32,
    /// CB_STATE_CLOSED if the last owner ended cleanly, otherwise CB_STATE_OPEN.
    pub state: cb_state,
    /// What is left of the pause now, in nanoseconds. 0 if the state is closed. UINT64_MAX if the breaker pauses for as long as its
    /// settings say.
    pub pause_left_ns: u64,
    /// Trading will be halted.
    pub halted: bool,
    /// 0.
    pub reserved: u8,
    /// 0.
    pub reserved2: u16,
    /// How many holders the halt has. It may be 0 although trading will be halted: a halter was killed before it told its name.
    pub holder_count: u32,
    /// The holders, with a space between two. The text ends with a zero, and has as many whole names as there is room for.
    pub holders: [c_char; 1024],
}

// SAFETY: the asserts below; the library writes bools as 0 or 1.
unsafe impl Versioned for cb_comes_back {
    const FIRST_SIZE: usize = 1048;
}

const _: () = {
    assert!(offset_of!(cb_comes_back, struct_size) == 0);
    assert!(cb_comes_back::FIRST_SIZE <= size_of::<cb_comes_back>());
    assert!(size_of::<cb_comes_back>() == 2 * 4 + 8 + 1 + 1 + 2 + 4 + 1024, "no padding");
};

impl From<ComesBack> for cb_comes_back {
    fn from(back: ComesBack) -> Self {
        let is_closed = back.state == crate::config::State::Closed;
        let mut holders = [0; 1024];
        let (last, mut room) = (holders.len() - 1, holders.iter_mut());
        for holder in &back.holders {
            let space = if room.len() > last { "" } else { " " };
            let name = format!("{space}{holder}");
            // The last byte stays zero.
            if name.len() >= room.len() {
                break;
            }
            for (byte, room) in name.bytes().zip(room.by_ref()) {
                *room = byte as c_char;
            }
        }
        Self {
            struct_size: size_of::<Self>() as u32,
            state: back.state as cb_state,
            pause_left_ns: back.pause_left_ns.unwrap_or(if is_closed { 0 } else { u64::MAX }),
            halted: back.halted,
            reserved: 0,
            reserved2: 0,
            holder_count: back.holders.len() as u32,
            holders,
        }
    }
}

/// What a page without an owner would come back as. Its gate may still show closed: an owner that was killed had no time to change it.
/// This reads files, and makes a few system calls.
///
/// @param observer  NULL is fine: false.
/// @param out       Where the answer goes, by its struct_size. NULL is fine: false.
/// @return          Whether the answer was written. It isn't while the page has an owner, if it is in no file, and if it holds values
///                  that no version writes (an owner refuses such a page).
///
/// Thread: any.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cb_observer_comes_back(observer: *const cb_observer, out: *mut cb_comes_back) -> bool {
    // SAFETY: by the caller.
    unsafe { write_if(out, cb_observer::get(observer).and_then(Observer::would_come_back)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::State;
    use crate::holder::Holder;
    use core::ffi::CStr;

    fn told(count: usize) -> (usize, String) {
        let holders =
            (0..count).map(|n| Holder::parse(&format!("a-name-of-thirty-two-bytes-no.{n:02}")).unwrap()).collect();
        let back = ComesBack { state: State::Open, pause_left_ns: None, halted: true, holders };
        let back = cb_comes_back::from(back);
        // SAFETY: the last byte is zero.
        let text = unsafe { CStr::from_ptr(back.holders.as_ptr()) }.to_str().unwrap().to_owned();
        (back.holder_count as usize, text)
    }

    /// 31 names of 32 bytes with a space between two take 1022 bytes.
    #[test]
    fn names_are_whole_as_far_as_there_is_room() {
        for (count, whole) in [(0, 0), (1, 1), (2, 2), (31, 31), (32, 31), (100, 31)] {
            let (told, text) = told(count);
            let names: Vec<_> = text.split_whitespace().collect();
            assert_eq!((told, names.len()), (count, whole));
            assert!(names.iter().all(|name| name.len() == 32), "{text}");
        }
    }
}
