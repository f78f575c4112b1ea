//! Where pages in files are, and why one can't be had.

use super::pointers::{c_text, text, write_text};
use super::status::{
    CB_STATUS_BAD_NAME, CB_STATUS_IO, CB_STATUS_SHARED_BUSY, CB_STATUS_SHARED_REFUSED, Failure, cb_status, guard,
};
use crate::shm::{SharedError, find, places, shared_path};
use core::ffi::c_char;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// The page that its owner means.
///
/// # Safety
/// `path_or_name` is NULL or a string that ends with a zero.
pub(super) unsafe fn own_page(path_or_name: *const c_char) -> Result<PathBuf, Failure> {
    // SAFETY: by the caller.
    unsafe { page(path_or_name, shared_path) }
}

/// The page that others mean: a plain name may be another user's page.
///
/// # Safety
/// As `own_page`.
pub(super) unsafe fn named_page(path_or_name: *const c_char) -> Result<PathBuf, Failure> {
    // SAFETY: by the caller.
    unsafe { page(path_or_name, find) }
}

/// # Safety
/// As `own_page`.
unsafe fn page(
    path_or_name: *const c_char,
    by_name: fn(&str) -> Result<PathBuf, SharedError>,
) -> Result<PathBuf, Failure> {
    // SAFETY: by the caller.
    let path = unsafe { c_text("path_or_name", path_or_name) }?.to_bytes();
    if path.contains(&b'/') {
        return Ok(as_path(path).to_owned());
    }
    // SAFETY: by the caller.
    Ok(by_name(unsafe { text("path_or_name", path_or_name) }?)?)
}

pub(super) fn as_path(bytes: &[u8]) -> &Path {
    Path::new(OsStr::from_bytes(bytes))
}

/// Finds the page of this name, in the conventional place of this user or of another one. Nothing is made. Functions that open, halt or
/// resume a page by a plain name find it by this.
///
/// The places are $TRIP99_DIR, or else /run/trip99/USER if that exists, or else /dev/shm/trip99-USER; and those of other users. What
/// another user made doesn't count if this process may not open it.
///
/// @param name      A plain name has no '/'. Must not be NULL.
/// @param buffer    Where the path goes. It ends with a zero. It is never cut: if there is no room for it, an empty text is there. NULL is
///                  fine.
/// @param capacity  The size of the buffer. 0: nothing is written.
/// @param length    Where the length of the path goes, without the zero; 0 if there is an error. NULL is fine.
/// @return          CB_STATUS_OK, or CB_STATUS_NULL_POINTER, CB_STATUS_BAD_NAME, CB_STATUS_IO (there is no such page), or
///                  CB_STATUS_SHARED_REFUSED (several pages have this name; cb_error_text() tells where).
///
/// Thread: any.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cb_shared_find(
    name: *const c_char,
    buffer: *mut c_char,
    capacity: usize,
    length: *mut usize,
) -> cb_status {
    guard(|| {
        // First, as what follows may fail. SAFETY: by the caller.
        unsafe { write_path(None, buffer, capacity, length) };
        // SAFETY: by the caller.
        let path = find(unsafe { text("name", name) }?)?;
        // SAFETY: by the caller.
        unsafe { write_path(Some(&path), buffer, capacity, length) };
        Ok(())
    })
}

/// One of the conventional places of all users, for tools that list pages: this user's comes first. Only directories that exist and
/// that this process may list are among them. Files there whose names begin with a dot are no pages.
///
/// @param index     0, 1, ... until there is no such place. The places are looked for anew at each call.
/// @param buffer    As for cb_shared_find.
/// @param capacity  As for cb_shared_find.
/// @return          The length of the path, without the zero. If that is capacity or more, nothing but an empty text was written. 0: there
///                  are no more places.
///
/// Thread: any.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cb_shared_place(index: usize, buffer: *mut c_char, capacity: usize) -> usize {
    let place = places().into_iter().nth(index);
    let mut length = 0;
    // SAFETY: by the caller, and the length is this function's own.
    unsafe { write_path(place.as_deref(), buffer, capacity, &raw mut length) };
    length
}

/// No path: an empty text, of length 0.
///
/// # Safety
/// `buffer` is NULL or has room for `capacity` bytes; `length` is NULL or may be written.
unsafe fn write_path(path: Option<&Path>, buffer: *mut c_char, capacity: usize, length: *mut usize) {
    let bytes = path.map_or(&[][..], |path| path.as_os_str().as_bytes());
    // SAFETY: by the caller.
    unsafe { write_text(bytes, buffer, capacity) };
    if !length.is_null() {
        // SAFETY: by the caller.
        unsafe { length.write(bytes.len()) };
    }
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
