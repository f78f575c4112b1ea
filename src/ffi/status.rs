//! What a function that can fail returns, and the text that says why.

use super::abi::CB_ABI_VERSION;
use crate::config::ConfigError;
use core::cell::Cell;
use core::ffi::{CStr, c_char};
use core::fmt::{self, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// One of cb_status_value.
pub type cb_status = u32;

/// Whether a function did what it was asked to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum cb_status_value {
    /// Done.
    CB_STATUS_OK = 0,
    /// A pointer that must not be NULL is NULL.
    CB_STATUS_NULL_POINTER = 1,
    /// The struct_size of a configuration can't be the size of any version of it.
    CB_STATUS_STRUCT_SIZE = 2,
    /// A setting is outside its legal range.
    CB_STATUS_OUT_OF_RANGE = 3,
    /// A setting that is fixed at creation differs from the breaker's.
    CB_STATUS_FIXED_SETTING = 4,
    /// The configuration has a setting of a newer header that this library doesn't know, and its value isn't 0.
    CB_STATUS_UNKNOWN_SETTING = 5,
    /// A mistake in this library. Please report it.
    CB_STATUS_INTERNAL = 6,
    /// The page in a file has an owner already. cb_error_text() names the owner's process.
    CB_STATUS_SHARED_BUSY = 7,
    /// The file is no page of trip99's, or its page is truncated, damaged or of another version. The file is left as it is.
    CB_STATUS_SHARED_REFUSED = 8,
    /// The operating system refused a file or a thread.
    CB_STATUS_IO = 9,
    /// A name or address is illegal, or a name is taken or unknown.
    CB_STATUS_BAD_NAME = 10,
    /// It can't be done now: a supervisor owns the breaker, the supervisor runs or has no breaker, the breaker was destroyed,
    /// or the lane is a half already.
    CB_STATUS_NOT_NOW = 11,
    /// It is done. But it isn't in the folder where halts outlive memory: a power failure or a reboot may forget a halt, and a
    /// halt that was lifted may be back with the next new page.
    CB_STATUS_NOT_DURABLE = 12,
    /// It is done, and durable. But the page is odd: cb_error_text() tells how.
    CB_STATUS_ODD_PAGE = 13,
    /// A file of settings has a mistake. cb_error_text() names file, line and key, and what is legal.
    CB_STATUS_BAD_SETTINGS = 14,
}

pub use cb_status_value::*;

/// Says in a few words what a status means. The text is static.
///
/// @param status  Any value. Of a value that this library doesn't know, the text says so.
/// @return        Never NULL.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub extern "C" fn cb_status_text(status: cb_status) -> *const c_char {
    const TEXTS: [(cb_status_value, &CStr); 15] = [
        (CB_STATUS_OK, c"done"),
        (CB_STATUS_NULL_POINTER, c"a pointer that must not be NULL is NULL"),
        (CB_STATUS_STRUCT_SIZE, c"struct_size can't be the size of any version of the struct"),
        (CB_STATUS_OUT_OF_RANGE, c"a setting is outside its legal range"),
        (CB_STATUS_FIXED_SETTING, c"a setting that is fixed at creation differs from the breaker's"),
        (CB_STATUS_UNKNOWN_SETTING, c"a setting that this version of the library doesn't know is in use"),
        (CB_STATUS_INTERNAL, c"a mistake in trip99"),
        (CB_STATUS_SHARED_BUSY, c"the page has an owner already"),
        (CB_STATUS_SHARED_REFUSED, c"the page is not ours, truncated, damaged or of another version"),
        (CB_STATUS_IO, c"the operating system refused"),
        (CB_STATUS_BAD_NAME, c"a name or address is illegal, or a name is taken or unknown"),
        (CB_STATUS_NOT_NOW, c"it can't be done now"),
        (CB_STATUS_NOT_DURABLE, c"done; but a reboot may undo it"),
        (CB_STATUS_ODD_PAGE, c"done; but the page is odd"),
        (CB_STATUS_BAD_SETTINGS, c"a file of settings has a mistake"),
    ];
    let known = TEXTS.iter().find(|(known, _)| *known as cb_status == status);
    known.map_or(c"a status that this version of the library doesn't know", |(_, text)| text).as_ptr()
}

/// Says which argument or setting was wrong, and what is legal, as in "quantile_ppm is 0; legal: 1 to 999999".
///
/// @return  The text of the latest call on this thread that returned another status than CB_STATUS_OK. It is empty if there was
///          no such call, and never NULL. It is valid until the next such call on this thread, or until the thread ends.
///
/// Thread: any; each has its own text.
#[unsafe(no_mangle)]
pub extern "C" fn cb_error_text() -> *const c_char {
    ERROR.with(Cell::as_ptr).cast()
}

/// The version of the library's ABI: CB_ABI_VERSION of the header that the library was built with.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub extern "C" fn cb_abi_version() -> u32 {
    CB_ABI_VERSION
}

/// The version of the library, as in "1.2.3": CB_VERSION_TEXT of the header that the library was built with. The text is static.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub extern "C" fn cb_version_text() -> *const c_char {
    const VERSION: &str = concat!(env!("CARGO_PKG_VERSION"), "\0");
    VERSION.as_ptr().cast()
}

/// Long enough for any message; a longer one would be cut.
const ERROR_LEN: usize = 1024;

thread_local! {
    /// Ends with a zero. Needs no destructor, so the library may be unloaded.
    static ERROR: Cell<[u8; ERROR_LEN]> = const { Cell::new([0; ERROR_LEN]) };
}

struct ErrorText {
    bytes: [u8; ERROR_LEN],
    len: usize,
}

impl Write for ErrorText {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        // The last byte stays zero.
        let room = self.bytes.iter_mut().take(ERROR_LEN - 1).skip(self.len);
        for (room, &byte) in room.zip(text.as_bytes()) {
            *room = byte;
            self.len += 1;
        }
        Ok(())
    }
}

/// An error on its way to the caller; its text is kept for `cb_error_text`.
pub(super) struct Failure(cb_status_value);

impl Failure {
    pub(super) fn new(status: cb_status_value, why: fmt::Arguments<'_>) -> Self {
        let mut text = ErrorText { bytes: [0; ERROR_LEN], len: 0 };
        let _ = text.write_fmt(why); // never fails: what is too long is cut
        ERROR.set(text.bytes);
        Self(status)
    }

    pub(super) fn null(argument: &str) -> Self {
        Self::new(CB_STATUS_NULL_POINTER, format_args!("{argument} is NULL"))
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        let status = match error {
            ConfigError::Fixed { .. } => CB_STATUS_FIXED_SETTING,
            ConfigError::OutOfRange { .. } | ConfigError::Unreadable { .. } => CB_STATUS_OUT_OF_RANGE,
        };
        Self::new(status, format_args!("{error}"))
    }
}

/// Runs what may fail, and turns the outcome into a status. A panic ends here: what it leaves half done is safe to use,
/// and the caller is told not to trust it.
pub(super) fn guard(run: impl FnOnce() -> Result<(), Failure>) -> cb_status {
    let status = match catch_unwind(AssertUnwindSafe(run)) {
        Ok(Ok(())) => CB_STATUS_OK,
        Ok(Err(Failure(status))) => status,
        Err(_) => Failure::new(CB_STATUS_INTERNAL, format_args!("trip99 panicked")).0,
    };
    status as cb_status
}
