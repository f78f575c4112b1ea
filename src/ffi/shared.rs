//! Pages in files: owned, watched and halted from several processes.

use super::breaker::{cb_breaker, hand_out};
use super::config::{CB_STATE_OPEN, cb_config, cb_state, read_or_default};
use super::events::cb_events;
use super::snapshot::cb_snapshot;
use super::status::{
    CB_STATUS_BAD_NAME, CB_STATUS_IO, CB_STATUS_SHARED_BUSY, CB_STATUS_SHARED_REFUSED, Failure, cb_status, guard, text,
};
use super::structs::{Versioned, write_out};
use crate::breaker::Breaker;
use crate::halts::HaltNote;
use crate::handles::{Gate, Observer};
use crate::shm::{Owner, SharedError, shared_path};
use core::ffi::{CStr, c_char};
use core::mem::offset_of;
use core::ptr;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// Makes a breaker whose page is in a file, for other processes to observe and to halt; or takes over a page that is there.
///
/// A new page (mode 0600) begins with config->start. Of one that is there, events and their numbers go on; the first
/// operation adds one with CB_REASON_RESTART. A halt stays. If its last owner ended while closed, by cb_destroy, it comes
/// back closed; otherwise, if it was open or half-open, or was killed, it comes back open, at the attempt that it was at.
///
/// A page has one owner at a time. The right to it ends with cb_destroy or the process; children don't inherit it, and the
/// breaker must not be used in the child of a fork. Whatever others write into the file is borne, but to truncate it kills
/// its owner and observers (SIGBUS).
///
/// @param path_or_name  A plain name, without '/': the page in the conventional place, /dev/shm/trip99-USER/NAME; the
///                      directory is made if it is missing. With a '/': a path, in a directory that only this user may
///                      write to. Must not be NULL.
/// @param config        The settings; NULL = the defaults.
/// @param out           Where the breaker goes; NULL goes there if there is an error. Must not be NULL.
/// @return              As cb_create, and CB_STATUS_SHARED_BUSY, CB_STATUS_SHARED_REFUSED, CB_STATUS_BAD_NAME or
///                      CB_STATUS_IO. A file that was refused is left exactly as it was; to begin anew, remove it.
///
/// Thread: any, with 64 KiB of stack; the caller becomes the owner. The breaker is to be given to cb_destroy.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cb_create_shared(
    path_or_name: *const c_char,
    config: *const cb_config,
    out: *mut *mut cb_breaker,
) -> cb_status {
    guard(|| {
        if out.is_null() {
            return Err(Failure::null("out"));
        }
        // SAFETY: by the caller.
        unsafe { out.write(ptr::null_mut()) };
        // SAFETY: by the caller.
        let path = unsafe { page_path(path_or_name) }?;
        // SAFETY: by the caller.
        let config = unsafe { read_or_default(config) }?;
        let breaker = Breaker::create_shared(path, config)?;
        // SAFETY: by the caller.
        unsafe { hand_out(breaker, out) };
        Ok(())
    })
}

/// Halts the breaker of a page in a file, usually another process's, and leaves a note of why, when and by whom. The gate is
/// shut when this returns; the owner's next poll adds the event. A page without an owner keeps the halt for the next one.
///
/// @param path_or_name  As for cb_create_shared. Must not be NULL.
/// @param reason        Why, in UTF-8; 216 bytes of it are kept. NULL = no reason is given.
/// @return              CB_STATUS_OK, or CB_STATUS_NULL_POINTER, CB_STATUS_SHARED_REFUSED, CB_STATUS_BAD_NAME or
///                      CB_STATUS_IO. Then nothing is halted.
///
/// Thread: any. Opens the file, so not for hot threads: the owner's own process has cb_halt.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cb_halt_shared(path_or_name: *const c_char, reason: *const c_char) -> cb_status {
    guard(|| {
        // SAFETY: by the caller.
        let gate = Gate::open(unsafe { page_path(path_or_name) }?)?;
        let reason = if reason.is_null() {
            c""
        } else {
            // SAFETY: by the caller.
            unsafe { CStr::from_ptr(reason) }
        };
        // A halt is worth more than its spelling: what isn't UTF-8 is replaced.
        gate.halt(&reason.to_string_lossy());
        Ok(())
    })
}

/// Ends a halt of a page in a file, whoever's. The automatic state decides again; the owner's next poll adds the event.
///
/// @param path_or_name  As for cb_create_shared. Must not be NULL.
/// @return              As cb_halt_shared. Unless it is CB_STATUS_OK nothing is resumed.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cb_resume_shared(path_or_name: *const c_char) -> cb_status {
    guard(|| {
        // SAFETY: by the caller.
        Gate::open(unsafe { page_path(path_or_name) }?)?.resume();
        Ok(())
    })
}

/// A read-only view of a page in a file, from any process. Nothing that the owner does waits for it.
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

/// Opens a page for watching, whether or not it has an owner now. A page that is removed and made anew is another one, to be
/// opened again.
///
/// @param path_or_name  As for cb_create_shared. Must not be NULL.
/// @param out           Where the observer goes; NULL goes there if there is an error. Must not be NULL.
/// @return              CB_STATUS_OK, or CB_STATUS_NULL_POINTER, CB_STATUS_SHARED_REFUSED, CB_STATUS_BAD_NAME or
///                      CB_STATUS_IO (there is no such file, say).
///
/// Thread: any. The observer is to be given to cb_observer_close.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cb_observer_open(path_or_name: *const c_char, out: *mut *mut cb_observer) -> cb_status {
    guard(|| {
        if out.is_null() {
            return Err(Failure::null("out"));
        }
        // SAFETY: by the caller.
        unsafe { out.write(ptr::null_mut()) };
        // SAFETY: by the caller.
        let observer = Observer::open(unsafe { page_path(path_or_name) }?)?;
        // SAFETY: by the caller.
        unsafe { out.write(Box::into_raw(Box::new(cb_observer { observer }))) };
        Ok(())
    })
}

/// Ends an observer. Readers of events that it opened may go on.
///
/// @param observer  From cb_observer_open, and not closed before. NULL is fine.
///
/// Thread: any, when no other thread uses it any more.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cb_observer_close(observer: *mut cb_observer) {
    if !observer.is_null() {
        // SAFETY: by the caller.
        drop(unsafe { Box::from_raw(observer) });
    }
}

/// The automatic state, as the owner left it: cb_observer_get_owner tells whether there still is one.
///
/// @param observer  NULL counts as open.
/// @return          A cb_state_value. CB_STATE_OPEN if the gate holds a value that no version writes: calls are refused then.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cb_observer_get_state(observer: *const cb_observer) -> cb_state {
    // SAFETY: by the caller.
    let state = unsafe { cb_observer::get(observer) }.and_then(Observer::state);
    state.map_or(CB_STATE_OPEN as cb_state, |state| state as cb_state)
}

/// Whether trading is halted.
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
/// @param out       Where it goes, if there is one. Its struct_size must be set (to sizeof *out). NULL is fine: false.
/// @return          Whether there is one.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cb_observer_get_snapshot(observer: *const cb_observer, out: *mut cb_snapshot) -> bool {
    // SAFETY: by the caller.
    let snapshot = unsafe { cb_observer::get(observer) }.and_then(Observer::snapshot);
    // SAFETY: by the caller.
    unsafe { write_if(out, snapshot.map(Into::into)) }
}

/// A quantile of the window as the owner last saw it. Nearest rank, exact. Overdue calls, which a verdict counts beside the
/// window, are not in it. Allocates; O(window).
///
/// @param observer      NULL is fine: 0.
/// @param quantile_ppm  990000 for the P99; 0 is the least, 1000000 and above the greatest.
/// @return              Nanoseconds; 0 of an empty window, of one that the owner fills too fast to be read, and if a later
///                      owner made the window larger (open the page again).
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
/// Thread: any. The reader is to be given to cb_events_close, before or after cb_observer_close.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cb_observer_events_open(observer: *const cb_observer, out: *mut *mut cb_events) -> cb_status {
    guard(|| {
        if out.is_null() {
            return Err(Failure::null("out"));
        }
        // SAFETY: by the caller.
        unsafe { out.write(ptr::null_mut()) };
        // SAFETY: by the caller.
        let observer = unsafe { cb_observer::get(observer) }.ok_or_else(|| Failure::null("observer"))?;
        // SAFETY: by the caller.
        unsafe { out.write(cb_events::open(observer)) };
        Ok(())
    })
}

/// Who owns a page in a file.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct cb_owner {
    /// To be set to sizeof(cb_owner) before the call: tells which version of this struct the caller was compiled with.
    /// 0 and what is above 4096 stand for the first version's, 24, which the call then says here; below that it leaves the
    /// struct as it is.
    pub struct_size: u32,
    /// The process of the owner, or of the latest one. 0 if it can't be told.
    pub pid: u32,
    /// The owner exists. (Its process may be stopped, or busy elsewhere: see seen_ago_ns.)
    pub alive: bool,
    /// The page is locked in memory, so that the owner never waits for it.
    pub memory_locked: bool,
    /// 0.
    pub reserved: u16,
    /// 0.
    pub reserved2: u32,
    /// How long ago the owner last published its snapshot, which it does about every millisecond that it is busy; polling
    /// counts as busy. UINT64_MAX if it can't be told.
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

/// The owner of the page, and whether it is alive. Makes a few system calls.
///
/// @param observer  NULL is fine: false.
/// @param out       Where it goes. Its struct_size must be set (to sizeof *out). NULL is fine: false.
/// @return          Whether it was written.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cb_observer_get_owner(observer: *const cb_observer, out: *mut cb_owner) -> bool {
    // SAFETY: by the caller.
    let owner = unsafe { cb_observer::get(observer) }.and_then(Observer::owner);
    // SAFETY: by the caller.
    unsafe { write_if(out, owner.map(Into::into)) }
}

/// Who halted from outside (by cb_halt_shared, or by the command line), when and why.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct cb_halt_note {
    /// To be set to sizeof(cb_halt_note) before the call: tells which version of this struct the caller was compiled with.
    /// 0 and what is above 4096 stand for the first version's, 248, which the call then says here; below that it leaves the
    /// struct as it is.
    pub struct_size: u32,
    /// The user that the halter ran as.
    pub uid: u32,
    /// The halter's process.
    pub pid: u32,
    /// 0.
    pub reserved: u32,
    /// When, in nanoseconds since the Unix epoch.
    pub wall_ns: u64,
    /// Why, in UTF-8; it ends with a zero. Control characters are replaced by spaces.
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

/// The note of the latest halt from outside: that of the halt that is in force, if one is (cb_observer_is_halted) and the
/// owner's process did not halt later, which leaves no note.
///
/// @param observer  NULL is fine: false.
/// @param out       Where it goes, if there is one. Its struct_size must be set (to sizeof *out). NULL is fine: false.
/// @return          Whether there is one.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cb_observer_get_halt_note(observer: *const cb_observer, out: *mut cb_halt_note) -> bool {
    // SAFETY: by the caller.
    let note = unsafe { cb_observer::get(observer) }.and_then(Observer::halt_note);
    // SAFETY: by the caller.
    unsafe { write_if(out, note.map(Into::into)) }
}

/// # Safety
/// `out` is NULL or as [`write_out`] asks.
unsafe fn write_if<T: Versioned>(out: *mut T, value: Option<T>) -> bool {
    match value {
        Some(value) if !out.is_null() => {
            // SAFETY: by the caller.
            unsafe { write_out(out, &value) }
        }
        _ => false,
    }
}

/// # Safety
/// `path_or_name` is NULL or a string that ends with a zero.
unsafe fn page_path(path_or_name: *const c_char) -> Result<PathBuf, Failure> {
    if path_or_name.is_null() {
        return Err(Failure::null("path_or_name"));
    }
    // SAFETY: by the caller.
    let bytes = unsafe { CStr::from_ptr(path_or_name) }.to_bytes();
    if bytes.contains(&b'/') {
        return Ok(Path::new(OsStr::from_bytes(bytes)).to_owned());
    }
    // SAFETY: by the caller.
    Ok(shared_path(unsafe { text("path_or_name", path_or_name) }?)?)
}

impl From<SharedError> for Failure {
    fn from(error: SharedError) -> Self {
        let status = match error {
            SharedError::Config(error) => return error.into(),
            SharedError::Name { .. } => CB_STATUS_BAD_NAME,
            SharedError::Owned { .. } => CB_STATUS_SHARED_BUSY,
            SharedError::NotOurs { .. }
            | SharedError::Truncated { .. }
            | SharedError::Version { .. }
            | SharedError::Damaged { .. } => CB_STATUS_SHARED_REFUSED,
            SharedError::Io { .. } => CB_STATUS_IO,
        };
        Self::new(status, format_args!("{error}"))
    }
}
