//! Who halted, when and why, as C sees it.

use super::structs::Versioned;
use crate::handles::HaltNote;
use core::ffi::c_char;
use core::mem::offset_of;

/// Who halted last, when and why. If a halt is in force, the note is that halt's.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct cb_halt_note {
    /// sizeof(cb_halt_note), set by CB_HALT_NOTE_INIT.
    pub struct_size: u32,
    /// The user that the halter ran as. UINT32_MAX if it can't be told.
    pub uid: u32,
    /// The halter's process.
    pub pid: u32,
    /// 0.
    pub reserved: u32,
    /// When the halt was set, in nanoseconds since the Unix epoch.
    pub wall_ns: u64,
    /// Why, in UTF-8. The text ends with a zero, and is empty if no reason was given. Spaces replace control characters.
    pub reason: [c_char; 224],
}

// SAFETY: the asserts below, and every bit pattern is a valid integer.
unsafe impl Versioned for cb_halt_note {
    const FIRST_SIZE: usize = 248;
}

const _: () = {
    assert!(offset_of!(cb_halt_note, struct_size) == 0);
    assert!(cb_halt_note::FIRST_SIZE <= size_of::<cb_halt_note>());
    assert!(size_of::<cb_halt_note>() == 4 * 4 + 8 + 224, "no padding");
    assert!(HaltNote::MAX_REASON_BYTES < 224, "room for the zero");
};

impl From<HaltNote> for cb_halt_note {
    fn from(note: HaltNote) -> Self {
        let mut reason = [0; 224];
        // The last byte stays zero.
        for (room, byte) in reason.iter_mut().take(HaltNote::MAX_REASON_BYTES).zip(note.reason.bytes()) {
            *room = byte as c_char;
        }
        let size = size_of::<Self>() as u32;
        Self { struct_size: size, uid: note.uid, pid: note.pid, reserved: 0, wall_ns: note.wall_ns, reason }
    }
}
