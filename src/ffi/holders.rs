//! Who holds halts, and the operators' log, as C sees them.

use super::halt_note::cb_halt_note;
use super::handle::cb_breaker;
use super::observer::cb_observer;
use super::structs::{MAX_SIZE, Versioned, is_writable, write_if, write_out};
use crate::handles::{HaltNote, Observer};

/// Who holds a halt now, since when and why: a note for each holder. Trading goes on when each of them has resumed. If nobody holds a
/// halt, and cb_is_halted is true, then whoever halted has resumed, and the owner hasn't polled since. This allocates.
///
/// (Gate handles and lanes have an observer for cb_observer_get_holders.)
///
/// @param breaker    NULL is fine: 0.
/// @param out        Where the notes go, one after the other. Their struct_size need not be set. NULL is fine: then the holders are
///                   only counted.
/// @param capacity   How many notes there is room for. What goes beyond is left out.
/// @param note_size  sizeof(cb_halt_note), in the caller's version. If it is no version's, nothing is written.
/// @return           How many holders there are. That may be more than capacity; there are 24 at most in this version.
///
/// Thread: any.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cb_get_holders(
    breaker: *const cb_breaker,
    out: *mut cb_halt_note,
    capacity: usize,
    note_size: usize,
) -> usize {
    // SAFETY: by the caller.
    unsafe { holders(cb_breaker::observer(breaker), out, capacity, note_size) }
}

/// Who holds a halt now, as cb_get_holders tells it.
///
/// @param observer   NULL is fine: 0.
/// @param out        As for cb_get_holders, like the rest.
/// @return           As for cb_get_holders.
///
/// Thread: any.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cb_observer_get_holders(
    observer: *const cb_observer,
    out: *mut cb_halt_note,
    capacity: usize,
    note_size: usize,
) -> usize {
    // SAFETY: by the caller.
    unsafe { holders(cb_observer::get(observer), out, capacity, note_size) }
}

/// # Safety
/// `out` is NULL or has room for `capacity` notes of `note_size` bytes each.
unsafe fn holders(observer: Option<&Observer>, out: *mut cb_halt_note, capacity: usize, note_size: usize) -> usize {
    let Some(observer) = observer else { return 0 };
    let holders = observer.holders();
    let is_versions = (cb_halt_note::FIRST_SIZE..=MAX_SIZE).contains(&note_size)
        && note_size.is_multiple_of(align_of::<cb_halt_note>());
    if !out.is_null() && is_versions {
        for (place, note) in holders.notes().iter().take(capacity).enumerate() {
            // SAFETY: by the caller there is room for it, and it is aligned as the first one is.
            unsafe { write_note(out.byte_add(place * note_size), note_size, note) };
        }
    }
    holders.notes().len()
}

/// # Safety
/// `out` has room for a note of `note_size` bytes, which is a version's.
unsafe fn write_note(out: *mut cb_halt_note, note_size: usize, note: &HaltNote) {
    // SAFETY: by the caller, and `struct_size` comes first.
    unsafe {
        out.cast::<u32>().write(note_size as u32);
        write_out(out, &cb_halt_note::from(note.clone()));
    }
}

/// An entry of the operators' log: who halted or resumed, when and why. The log of a page in a file keeps the latest 64 halts and
/// resumes; any other log keeps 16. This allocates.
///
/// @param observer  NULL is fine: false.
/// @param number    The entry's number: entry of a cb_halt_note or of the event of a halt or resume.
/// @param out       Where the entry goes, by its struct_size. Of a resume, holder is whose halt was lifted. NULL is fine: false.
/// @param is_halt   Where it goes whether the entry is a halt; otherwise it is a resume. NULL is fine.
/// @return          Whether the entry was written. It isn't if the log doesn't have it (any more).
///
/// Thread: any.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cb_log_entry(
    observer: *const cb_observer,
    number: u64,
    out: *mut cb_halt_note,
    is_halt: *mut bool,
) -> bool {
    // SAFETY: by the caller.
    let entry = unsafe { cb_observer::get(observer).and_then(|observer| observer.log_entry(number)) };
    let Some(entry) = entry else { return false };
    // SAFETY: by the caller.
    let is_written = unsafe { is_writable(out) && write_if(out, Some(entry.note)) };
    if is_written && !is_halt.is_null() {
        // SAFETY: by the caller.
        unsafe { is_halt.write(entry.is_halt) };
    }
    is_written
}

/// How many orders rest at the venue, as the engine told last by cb_set_resting.
///
/// @param observer  NULL is fine: UINT64_MAX.
/// @return          UINT64_MAX if the engine doesn't tell, or has ended.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cb_observer_get_resting(observer: *const cb_observer) -> u64 {
    // SAFETY: by the caller.
    unsafe { cb_observer::get(observer) }.and_then(Observer::resting).unwrap_or(u64::MAX)
}
