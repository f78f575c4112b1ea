//! Pages in files: made, taken over, opened and halted.

use super::config::{cb_config, cb_start, read_or_default, read_start};
use super::gate_handle::cb_gate_handle;
use super::halt_results::{cb_halt_result, cb_resume_result};
use super::halting::{Deed, act, act_as};
use super::handle::cb_breaker;
use super::observer::cb_observer;
use super::pointers::{c_text, cleared, text};
use super::status::{
    CB_STATUS_BAD_NAME, CB_STATUS_IO, CB_STATUS_SHARED_BUSY, CB_STATUS_SHARED_REFUSED, Failure, cb_status, guard,
};
use crate::breaker::Breaker;
use crate::handles::{Gate, Observer};
use crate::shm::{SharedError, shared_path};
use core::ffi::c_char;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// Makes a breaker whose page is in a file, so that other processes can observe and halt it. If the file is there already, the
/// breaker takes over its page.
///
/// A new page (mode 0600) begins as `start` says. A page that is taken over keeps its events and goes on with their numbers;
/// the first operation adds an event with CB_REASON_RESTART. A halt stays. If the last owner ended by cb_destroy while the
/// breaker was closed, the breaker comes back closed. Otherwise (it was open or half-open, or its owner was killed) it comes back
/// open, at the attempt that it was at.
///
/// A page has one owner at a time. The owner's right to the page ends with cb_destroy or with the process. Children don't inherit
/// the right, and the breaker must not be used in the child of a fork. The owner bears whatever others write into the file. But
/// truncating the file kills its owner and observers (SIGBUS).
///
/// @param path_or_name  A plain name has no '/' and means the page in the conventional place, /dev/shm/trip99-USER/NAME. The
///                      directory is made if it is missing. A path has a '/', and is in a directory that only this user may
///                      write to. Must not be NULL.
/// @param config        The settings. NULL stands for the defaults. The argument start stands in place of config->start.
/// @param start         CB_START_CLOSED, CB_START_HALF_OPEN or CB_START_HALTED: how a new page begins. CB_START_HALF_OPEN makes a clean
///                      restart half-open, too, and CB_START_HALTED halts an unclean one, too.
/// @param out           Where the breaker goes; NULL goes there if there is an error. Must not be NULL.
/// @return              As for cb_create, and CB_STATUS_SHARED_BUSY, CB_STATUS_SHARED_REFUSED, CB_STATUS_BAD_NAME or
///                      CB_STATUS_IO. A file that was refused is left exactly as it was. Remove it to begin anew.
///
/// Thread: any, with 64 KiB of stack; the caller becomes the owner. Give the breaker to cb_destroy in the end.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cb_create_shared(
    path_or_name: *const c_char,
    config: *const cb_config,
    start: cb_start,
    out: *mut *mut cb_breaker,
) -> cb_status {
    guard(|| {
        // SAFETY: by the caller.
        let (out, path) = unsafe { (cleared("out", out)?, page_path(path_or_name)?) };
        // SAFETY: by the caller.
        let config = unsafe { read_or_default(config) }?;
        *out = cb_breaker::hand_out(Breaker::create_shared(path, config, read_start(start)?)?);
        Ok(())
    })
}

/// cb_create_shared at a given time, for an owner with a time of its own. Before the first operation all figures are by this time.
///
/// @param now_ns  The time on the breaker's clock, in nanoseconds. The rest is as for cb_create_shared.
/// @return        As for cb_create_shared.
///
/// Thread: as for cb_create_shared.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cb_create_shared_at(
    path_or_name: *const c_char,
    now_ns: u64,
    config: *const cb_config,
    start: cb_start,
    out: *mut *mut cb_breaker,
) -> cb_status {
    guard(|| {
        // SAFETY: by the caller.
        let (out, path) = unsafe { (cleared("out", out)?, page_path(path_or_name)?) };
        // SAFETY: by the caller.
        let config = unsafe { read_or_default(config) }?;
        *out = cb_breaker::hand_out(Breaker::create_shared_at(now_ns, path, config, read_start(start)?)?);
        Ok(())
    })
}

/// Opens a page for watching, whether or not it has an owner now. The file is mapped read-only. A page that is removed and made
/// anew is another page, to be opened again.
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
        *out = cb_observer::hand_out(Observer::open(path)?);
        Ok(())
    })
}

/// A quantile of the window as the owner last saw it, by nearest rank, and exact. The overdue calls, which a verdict counts beside
/// the window, are not in it. This allocates, and takes time in proportion to the window.
///
/// @param observer      NULL is fine: 0.
/// @param quantile_ppm  990000 for the P99. 0 gives the least, 1000000 and above the greatest.
/// @return              Nanoseconds. It is 0 if the breaker's page is in no file, if the window is empty, if the owner fills the
///                      window too fast for it to be read, and if a later owner made the window larger (open the page again).
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cb_observer_quantile_ns(observer: *const cb_observer, quantile_ppm: u32) -> u64 {
    // SAFETY: by the caller.
    unsafe { cb_observer::get(observer) }.and_then(|observer| observer.quantile_ns(quantile_ppm)).unwrap_or(0)
}

/// Opens a page for asking, halting and resuming, whether or not it has an owner now. A page without an owner keeps a halt for the
/// next owner. It refuses if the latest owner ended by cb_destroy. If the owner was killed, the gate is as it left it: only
/// cb_observer_get_owner tells that it is gone.
///
/// The file is mapped for writing, as to ask, to halt and to be granted trials are writes. A page that is removed and made anew is
/// another page, to be opened again.
///
/// @param path_or_name  As for cb_create_shared. Must not be NULL.
/// @param out           Where the gate handle goes; NULL goes there if there is an error. Must not be NULL.
/// @return              As for cb_observer_open.
///
/// Thread: any. Give the gate handle to cb_gate_handle_close in the end.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cb_gate_handle_open(path_or_name: *const c_char, out: *mut *mut cb_gate_handle) -> cb_status {
    guard(|| {
        // SAFETY: by the caller.
        let (out, path) = unsafe { (cleared("out", out)?, page_path(path_or_name)?) };
        *out = cb_gate_handle::hand_out(Gate::open(path)?);
        Ok(())
    })
}

/// Halts the breaker of a page in a file, which is usually another process's. The gate is shut when this function returns. The
/// owner's next poll adds the event. A page without an owner keeps the halt for the next owner.
///
/// @param path_or_name  As for cb_create_shared. Must not be NULL.
/// @param holder        In whose name, as for cb_halt_as; but nobody halts as "engine" here. NULL stands for the user who runs this
///                      process (USER@HOST).
/// @param reason        As for cb_halt_with.
/// @param result        As for cb_halt_with.
/// @return              CB_STATUS_OK, or CB_STATUS_NULL_POINTER, CB_STATUS_SHARED_REFUSED, CB_STATUS_BAD_NAME or
///                      CB_STATUS_IO. Unless it is CB_STATUS_OK nothing is halted.
///
/// Thread: any, but no hot thread, as this opens the file. Who halts more than once has cb_gate_handle_open. The owner's own
/// process has cb_halt_with.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cb_halt_shared(
    path_or_name: *const c_char,
    holder: *const c_char,
    reason: *const c_char,
    result: *mut cb_halt_result,
) -> cb_status {
    // SAFETY: by the caller.
    guard(|| unsafe { act_by_path(Deed::Halt, path_or_name, holder, reason, result) })
}

/// Lifts a halt of a page in a file. When nobody else holds one, the owner's next poll lets the automatic state decide again, and adds
/// the event.
///
/// @param path_or_name  As for cb_create_shared. Must not be NULL.
/// @param holder        Whose halt, as for cb_resume_as. NULL stands for the user who runs this process (USER@HOST).
/// @param reason        As for cb_resume_with.
/// @param result        As for cb_resume_with.
/// @return              As for cb_halt_shared. Unless it is CB_STATUS_OK nothing is resumed.
///
/// Thread: any, but no hot thread.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cb_resume_shared(
    path_or_name: *const c_char,
    holder: *const c_char,
    reason: *const c_char,
    result: *mut cb_resume_result,
) -> cb_status {
    // SAFETY: by the caller.
    guard(|| unsafe { act_by_path(Deed::Resume, path_or_name, holder, reason, result) })
}

/// # Safety
/// The texts are NULL or strings that end with a zero; `result` is NULL or may be written.
unsafe fn act_by_path(
    deed: Deed,
    path_or_name: *const c_char,
    holder: *const c_char,
    reason: *const c_char,
    result: *mut u32,
) -> Result<(), Failure> {
    // First, as what follows may fail. SAFETY: by the caller.
    unsafe { act(deed, None, reason, result) };
    // SAFETY: by the caller.
    let gate = Gate::open(unsafe { page_path(path_or_name) }?)?;
    if holder.is_null() {
        // SAFETY: by the caller.
        unsafe { act(deed, Some(&gate), reason, result) };
        return Ok(());
    }
    // SAFETY: by the caller.
    unsafe { act_as(deed, Some(&gate), "path_or_name", holder, reason, result) }
}

/// # Safety
/// `path_or_name` is NULL or a string that ends with a zero.
unsafe fn page_path(path_or_name: *const c_char) -> Result<PathBuf, Failure> {
    // SAFETY: by the caller.
    let bytes = unsafe { c_text("path_or_name", path_or_name) }?.to_bytes();
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
            | SharedError::AnothersFolder { .. }
            | SharedError::Group { .. }
            | SharedError::NotInMemory { .. }
            | SharedError::Ambiguous { .. }
            | SharedError::Truncated { .. }
            | SharedError::Version { .. }
            | SharedError::Damaged { .. } => CB_STATUS_SHARED_REFUSED,
            SharedError::NotAbsolute { .. } => CB_STATUS_BAD_NAME,
            SharedError::NoFolder { .. } | SharedError::NoPage { .. } | SharedError::Io { .. } => CB_STATUS_IO,
        };
        Self::new(status, format_args!("{error}"))
    }
}
