//! Pages in files: made, taken over and halted.

use super::config::{cb_config, read_or_default};
use super::handle::cb_breaker;
use super::pointers::{c_text, cleared, text};
use super::status::{
    CB_STATUS_BAD_NAME, CB_STATUS_IO, CB_STATUS_SHARED_BUSY, CB_STATUS_SHARED_REFUSED, Failure, cb_status, guard,
};
use crate::breaker::Breaker;
use crate::handles::Gate;
use crate::shm::{SharedError, shared_path};
use core::ffi::c_char;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// Makes a breaker whose page is in a file, so that other processes can observe and halt it. If the file is there already, the
/// breaker takes over its page.
///
/// A new page (mode 0600) begins with config->start. A page that is taken over keeps its events and goes on with their numbers;
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
/// @param config        The settings. NULL stands for the defaults.
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
    out: *mut *mut cb_breaker,
) -> cb_status {
    guard(|| {
        // SAFETY: by the caller.
        let (out, path) = unsafe { (cleared("out", out)?, page_path(path_or_name)?) };
        // SAFETY: by the caller.
        let config = unsafe { read_or_default(config) }?;
        *out = cb_breaker::hand_out(Breaker::create_shared(path, config)?);
        Ok(())
    })
}

/// Halts the breaker of a page in a file, which is usually another process's. A note tells why, when and by whom. The gate is shut
/// when this function returns. The owner's next poll adds the event. A page without an owner keeps the halt for the next owner.
///
/// @param path_or_name  As for cb_create_shared. Must not be NULL.
/// @param reason        Why, in UTF-8. 216 bytes of it are kept. NULL gives no reason.
/// @return              CB_STATUS_OK, or CB_STATUS_NULL_POINTER, CB_STATUS_SHARED_REFUSED, CB_STATUS_BAD_NAME or
///                      CB_STATUS_IO. Unless it is CB_STATUS_OK nothing is halted.
///
/// Thread: any, but no hot thread, as this opens the file. The owner's own process has cb_halt.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cb_halt_shared(path_or_name: *const c_char, reason: *const c_char) -> cb_status {
    guard(|| {
        // SAFETY: by the caller.
        let gate = Gate::open(unsafe { page_path(path_or_name) }?)?;
        // SAFETY: by the caller.
        let reason = if reason.is_null() { c"" } else { unsafe { c_text("reason", reason) }? };
        // A halt is worth more than its spelling: what isn't UTF-8 is replaced.
        gate.halt(&reason.to_string_lossy());
        Ok(())
    })
}

/// Ends a halt of a page in a file, whoever set it. The automatic state decides again. The owner's next poll adds the event.
///
/// @param path_or_name  As for cb_create_shared. Must not be NULL.
/// @return              As for cb_halt_shared. Unless it is CB_STATUS_OK nothing is resumed.
///
/// Thread: any.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cb_resume_shared(path_or_name: *const c_char) -> cb_status {
    guard(|| {
        // SAFETY: by the caller.
        Gate::open(unsafe { page_path(path_or_name) }?)?.resume();
        Ok(())
    })
}

/// # Safety
/// `path_or_name` is NULL or a string that ends with a zero.
pub(super) unsafe fn page_path(path_or_name: *const c_char) -> Result<PathBuf, Failure> {
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
            | SharedError::Truncated { .. }
            | SharedError::Version { .. }
            | SharedError::Damaged { .. } => CB_STATUS_SHARED_REFUSED,
            SharedError::Io { .. } => CB_STATUS_IO,
        };
        Self::new(status, format_args!("{error}"))
    }
}
