//! Pages in files: made and taken over.

use super::config::{cb_config, cb_start, read_or_default, read_start};
use super::handle::cb_breaker;
use super::pointers::cleared;
use super::shared_options::{cb_shared_options, read_options};
use super::shared_places::own_page;
use super::status::{Failure, cb_status, guard};
use crate::breaker::Breaker;
use crate::shm::Options;
use core::ffi::c_char;
use core::ptr;

/// Makes a breaker whose page is in a file, so that other processes can observe and halt it. If the file is there already, the
/// breaker takes over its page.
///
/// A new page (mode 0600) begins as start says. A page that is taken over keeps its events and goes on with their numbers. Either way an
/// event with CB_REASON_RESTART comes first, and cb_get_started tells how the page was found. A halt stays; those in the folder where
/// halts outlive memory hold again. If the last owner's end was clean (see cb_destroy), the breaker comes back closed. Otherwise it
/// comes back open, at the attempt that it was at, for what was left of the pause.
///
/// A page has one owner at a time. The owner's right to the page ends with cb_destroy or with the process. Children don't inherit
/// the right, and the breaker must not be used in the child of a fork. The owner bears whatever others write into the file. But
/// truncating the file kills its owner and observers (SIGBUS).
///
/// @param path_or_name  A plain name has no '/' and means the page in this user's conventional place: $TRIP99_DIR, or else
///                      /run/trip99/USER if that exists, or else /dev/shm/trip99-USER. The directory is made if it is missing. A path
///                      has a '/', and is in a directory in memory (tmpfs) that only this user may write to. Must not be NULL.
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
    // SAFETY: by the caller.
    unsafe { cb_create_shared_with(path_or_name, config, start, ptr::null(), out) }
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
    let options = Options::default().now_ns(now_ns);
    // SAFETY: by the caller.
    guard(|| unsafe { create(path_or_name, config, start, || Ok(options), out) })
}

/// cb_create_shared with options: a group that shares the page, the folder where halts outlive memory, the time of construction, no
/// warden.
///
/// @param options  NULL stands for the defaults. The rest is as for cb_create_shared.
/// @return         As for cb_create_shared. CB_STATUS_STRUCT_SIZE, CB_STATUS_OUT_OF_RANGE and CB_STATUS_UNKNOWN_SETTING may be about the
///                 options, too. CB_STATUS_BAD_NAME if state_dir is no absolute path; CB_STATUS_SHARED_REFUSED if the group can't
///                 have the page.
///
/// Thread: as for cb_create_shared.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cb_create_shared_with(
    path_or_name: *const c_char,
    config: *const cb_config,
    start: cb_start,
    options: *const cb_shared_options,
    out: *mut *mut cb_breaker,
) -> cb_status {
    // SAFETY: by the caller.
    guard(|| unsafe { create(path_or_name, config, start, || read_options(options), out) })
}

/// # Safety
/// As `cb_create_shared`.
unsafe fn create(
    path_or_name: *const c_char,
    config: *const cb_config,
    start: cb_start,
    options: impl FnOnce() -> Result<Options, Failure>,
    out: *mut *mut cb_breaker,
) -> Result<(), Failure> {
    // SAFETY: by the caller.
    let (out, path) = unsafe { (cleared("out", out)?, own_page(path_or_name)?) };
    // SAFETY: by the caller.
    let config = unsafe { read_or_default(config) }?;
    let (start, options) = (read_start(start)?, options()?);
    *out = cb_breaker::hand_out(Breaker::create_shared_with(path, config, start, &options)?);
    Ok(())
}
