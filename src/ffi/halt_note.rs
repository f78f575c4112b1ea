//! Who halted, when and why, as C sees it.

use super::structs::Versioned;
use crate::handles::HaltNote;
use crate::holder::Holder;
use core::ffi::c_char;
use core::mem::offset_of;

/// Who halted, when and why. Of a resume (cb_log_entry): who resumed.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct cb_halt_note {
    /// sizeof(cb_halt_note), set by CB_HALT_NOTE_INIT.
    pub struct_size: u32,
    /// The user that the halter ran as. UINT32_MAX if it can't be told.
    pub uid: u32,
    /// The halter's process. 0 if it can't be told.
    pub pid: u32,
    /// The user who logged in, whoever the halter ran as. UINT32_MAX if it can't be told.
    pub login_uid: u32,
    /// When the halt was set, in nanoseconds since the Unix epoch. 0 if it can't be told.
    pub wall_ns: u64,
    /// Why, in UTF-8. The text ends with a zero, and is empty if no reason was given. Spaces replace characters that aren't seen.
    pub reason: [c_char; 224],
    /// The number of the entry in the operators' log (cb_log_entry). 0 if it can't be told: the halter was killed before it wrote the
    /// entry, or the page no longer keeps it.
    pub entry: u64,
    /// In whose name. The text ends with a zero, and is empty if it can't be told.
    pub holder: [c_char; 40],
    /// The halter's host. The text ends with a zero, and is empty if it can't be told.
    pub host: [c_char; 40],
}

// SAFETY: the asserts below, and every bit pattern is a valid integer.
unsafe impl Versioned for cb_halt_note {
    const FIRST_SIZE: usize = 248;
}

const _: () = {
    assert!(offset_of!(cb_halt_note, struct_size) == 0);
    assert!(cb_halt_note::FIRST_SIZE <= size_of::<cb_halt_note>());
    assert!(size_of::<cb_halt_note>() == 4 * 4 + 8 + 224 + 8 + 40 + 40, "no padding");
    assert!(HaltNote::MAX_REASON_BYTES < 224 && Holder::MAX_BYTES < 40, "room for the zero");
};

impl From<HaltNote> for cb_halt_note {
    fn from(note: HaltNote) -> Self {
        Self {
            struct_size: size_of::<Self>() as u32,
            uid: note.uid,
            pid: note.pid,
            login_uid: note.login_uid,
            wall_ns: note.wall_ns,
            reason: chars(&note.reason),
            entry: note.entry,
            holder: chars(&note.holder.map_or_else(String::new, |holder| holder.to_string())),
            host: chars(&note.host),
        }
    }
}

/// As much of a text as fits, cut between characters. The last byte is zero.
fn chars<const N: usize>(text: &str) -> [c_char; N] {
    let len = (0..N).rfind(|&len| text.is_char_boundary(len)).unwrap_or(0);
    let mut chars = [0; N];
    for (room, byte) in chars.iter_mut().zip(text.bytes().take(len)) {
        *room = byte as c_char;
    }
    chars
}
