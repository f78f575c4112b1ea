//! Pages in files, watched from any process.

use super::config::cb_state;
use super::events::cb_events;
use super::gate::state_or_open;
use super::pointers::{cleared, free, make, required};
use super::shared::page_path;
use super::snapshot::cb_snapshot;
use super::status::{cb_status, guard};
use super::structs::{Versioned, write_if};
use crate::halts::HaltNote;
use crate::handles::Observer;
use crate::shm::Owner;
use core::ffi::c_char;
use core::mem::offset_of;

/// A read-only view of a page in a file, from any process. Nothing that the owner does waits for an observer.
pub struct cb_observer {
    observer: Observer,
}

impl cb_observer {
    /// # Safety
    /// `observer` is NULL or came from `cb_observer_open`, and isn't closed while the reference is alive.
    unsafe fn get<'a>(observer: *const Self) -> Option<&'a Observer> {
        // SAFETY: by the caller.
        unsafe { observer.as_ref() }.map(|observer| &observer.observer)
    }
}

const _: () = {
    const fn is_any_threads<T: Send + Sync>() {}
    is_any_threads::<cb_observer>();
};

/// Opens a page for watching, whether or not it has an owner now. A page that is removed and made anew is another page, to be
/// opened again.
///
/// @param path_or_name  As for cb_create_shared. Must not be NULL.
/// @param out           Where the observer goes; NULL goes there if there is an error. Must not be NULL.
/// @return              CB_STATUS_OK, or CB_STATUS_NULL_POINTER, CB_STATUS_SHARED_REFUSED, CB_STATUS_BAD_NAME or
///                      CB_STATUS_IO (there is no such file, say).
///
/// Thread: any. Give the observer to cb_observer_close in the end.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cb_observer_open(path_or_name: *const c_char, out: *mut *mut cb_observer) -> cb_status {
    guard(|| {
        // SAFETY: by the caller.
        let (out, path) = unsafe { (cleared("out", out)?, page_path(path_or_name)?) };
        *out = make(cb_observer { observer: Observer::open(path)? });
        Ok(())
    })
}

/// Ends an observer. Readers of events that were opened by it may go on.
///
/// @param observer  From cb_observer_open, and not closed before. NULL is fine: nothing happens.
///
/// Thread: any, when no other thread uses the observer any more.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cb_observer_close(observer: *mut cb_observer) {
    // SAFETY: by the caller.
    unsafe { free(observer) };
}

/// Tells the automatic state, as the owner left it. cb_observer_get_owner tells whether there still is an owner.
///
/// @param observer  NULL counts as open.
/// @return          A cb_state_value. If the gate holds a value that no version writes, it is CB_STATE_OPEN: calls are refused
///                  then.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cb_observer_get_state(observer: *const cb_observer) -> cb_state {
    // SAFETY: by the caller.
    state_or_open(unsafe { cb_observer::get(observer) })
}

/// Tells whether trading is halted.
///
/// @param observer  NULL counts as halted.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cb_observer_is_halted(observer: *const cb_observer) -> bool {
    // SAFETY: by the caller.
    unsafe { cb_observer::get(observer) }.is_none_or(Observer::is_halted)
}

/// The latest snapshot that the owner published, as cb_get_published gives it.
///
/// @param observer  NULL is fine: false.
/// @param out       Where the snapshot goes, by its struct_size. NULL is fine: false.
/// @return          Whether the snapshot was written.
///
/// Thread: any.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cb_observer_get_snapshot(observer: *const cb_observer, out: *mut cb_snapshot) -> bool {
    // SAFETY: by the caller.
    unsafe { write_if(out, cb_observer::get(observer).and_then(Observer::snapshot)) }
}

/// A quantile of the window as the owner last saw it, by nearest rank, and exact. The overdue calls, which a verdict counts beside
/// the window, are not in it. This allocates, and takes time in proportion to the window.
///
/// @param observer      NULL is fine: 0.
/// @param quantile_ppm  990000 for the P99. 0 gives the least, 1000000 and above the greatest.
/// @return              Nanoseconds. It is 0 if the window is empty, if the owner fills the window too fast for it to be read,
///                      and if a later owner made the window larger (open the page again).
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cb_observer_quantile_ns(observer: *const cb_observer, quantile_ppm: u32) -> u64 {
    // SAFETY: by the caller.
    unsafe { cb_observer::get(observer) }.and_then(|observer| observer.quantile_ns(quantile_ppm)).unwrap_or(0)
}

/// Opens a reader of the page's events, as cb_events_open does of a breaker's.
///
/// @param observer  Must not be NULL.
/// @param out       Where the reader goes; NULL goes there if there is an error. Must not be NULL.
/// @return          CB_STATUS_OK, or CB_STATUS_NULL_POINTER.
///
/// Thread: any. Give the reader to cb_events_close in the end, before or after cb_observer_close.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cb_observer_events_open(observer: *const cb_observer, out: *mut *mut cb_events) -> cb_status {
    guard(|| {
        // SAFETY: by the caller.
        let (out, observer) = unsafe { (cleared("out", out)?, required("observer", observer)?) };
        *out = cb_events::open(&observer.observer);
        Ok(())
    })
}

/// Who owns a page in a file.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct cb_owner {
    /// sizeof(cb_owner), set by CB_OWNER_INIT.
    pub struct_size: u32,
    /// The process of the owner or, if there is none now, of the latest owner. 0 if it can't be told.
    pub pid: u32,
    /// The owner exists. (Its process may be stopped, or busy elsewhere: see seen_ago_ns.)
    pub alive: bool,
    /// The page is locked in memory, so that the owner never waits for it.
    pub memory_locked: bool,
    /// 0.
    pub reserved: u16,
    /// 0.
    pub reserved2: u32,
    /// How long ago the owner last published its snapshot. A busy owner does that about every millisecond; polling counts as
    /// busy. UINT64_MAX if it can't be told.
    pub seen_ago_ns: u64,
}

// SAFETY: the asserts below; the library writes bools as 0 or 1.
unsafe impl Versioned for cb_owner {
    const FIRST_SIZE: usize = 24;
}

const _: () = {
    assert!(offset_of!(cb_owner, struct_size) == 0);
    assert!(cb_owner::FIRST_SIZE <= size_of::<cb_owner>());
    assert!(size_of::<cb_owner>() == 3 * 4 + 2 + 2 + 8, "no padding");
};

impl From<Owner> for cb_owner {
    fn from(owner: Owner) -> Self {
        Self {
            struct_size: size_of::<Self>() as u32,
            pid: owner.pid,
            alive: owner.alive,
            memory_locked: owner.memory_locked,
            reserved: 0,
            reserved2: 0,
            seen_ago_ns: owner.seen_ago_ns.unwrap_or(u64::MAX),
        }
    }
}

/// Tells who owns the page, and whether the owner is alive. This makes a few system calls.
///
/// @param observer  NULL is fine: false.
/// @param out       Where the answer goes, by its struct_size. NULL is fine: false.
/// @return          Whether the answer was written.
///
/// Thread: any.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cb_observer_get_owner(observer: *const cb_observer, out: *mut cb_owner) -> bool {
    // SAFETY: by the caller.
    unsafe { write_if(out, cb_observer::get(observer).and_then(Observer::owner)) }
}

/// Who halted from outside (by cb_halt_shared, or by the command line), when and why.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct cb_halt_note {
    /// sizeof(cb_halt_note), set by CB_HALT_NOTE_INIT.
    pub struct_size: u32,
    /// The user that the halter ran as.
    pub uid: u32,
    /// The halter's process.
    pub pid: u32,
    /// 0.
    pub reserved: u32,
    /// When the halt was set, in nanoseconds since the Unix epoch.
    pub wall_ns: u64,
    /// Why, in UTF-8. The text ends with a zero. Spaces replace control characters.
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
    assert!(HaltNote::MAX_REASON < 224, "room for the zero");
};

impl From<HaltNote> for cb_halt_note {
    fn from(note: HaltNote) -> Self {
        let mut reason = [0; 224];
        // The last byte stays zero.
        for (room, byte) in reason.iter_mut().take(HaltNote::MAX_REASON).zip(note.reason.bytes()) {
            *room = byte as c_char;
        }
        let size = size_of::<Self>() as u32;
        Self { struct_size: size, uid: note.uid, pid: note.pid, reserved: 0, wall_ns: note.wall_ns, reason }
    }
}

/// The note of the latest halt from outside. If a halt is in force (cb_observer_is_halted), the note is that halt's, unless the
/// owner's process halted later: its own halts leave no note.
///
/// @param observer  NULL is fine: false.
/// @param out       Where the note goes, by its struct_size. NULL is fine: false.
/// @return          Whether the note was written.
///
/// Thread: any.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cb_observer_get_halt_note(observer: *const cb_observer, out: *mut cb_halt_note) -> bool {
    // SAFETY: by the caller.
    unsafe { write_if(out, cb_observer::get(observer).and_then(Observer::halt_note)) }
}
