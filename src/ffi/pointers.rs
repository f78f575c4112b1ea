//! Pointers that cold functions get from C, checked here: arguments, texts, where a handle goes, and handles themselves.

use super::status::{CB_STATUS_BAD_NAME, Failure};
use core::ffi::{CStr, c_char};
use core::ptr;
use std::borrow::Cow;

/// An error that names the argument, if that is NULL.
pub(super) fn not_null<T>(name: &str, argument: *const T) -> Result<(), Failure> {
    if argument.is_null() { Err(Failure::null(name)) } else { Ok(()) }
}

/// A handle that must not be NULL.
///
/// # Safety
/// `handle` is NULL or came from this library, and isn't freed while the reference is alive.
pub(super) unsafe fn required<'a, T>(name: &str, handle: *const T) -> Result<&'a T, Failure> {
    // SAFETY: by the caller: what this library gave out is a whole `T`.
    unsafe { handle.as_ref() }.ok_or_else(|| Failure::null(name))
}

/// A handle that must not be NULL, for the one who uses it.
///
/// # Safety
/// As [`required`], and nobody else uses it while the reference is alive.
pub(super) unsafe fn required_mut<'a, T>(name: &str, handle: *mut T) -> Result<&'a mut T, Failure> {
    // SAFETY: by the caller: what this library gave out is a whole `T`.
    unsafe { handle.as_mut() }.ok_or_else(|| Failure::null(name))
}

/// Where a handle goes. NULL is there from now on, until the function has one to give.
///
/// # Safety
/// `out` is NULL or may be written.
pub(super) unsafe fn cleared<'a, T>(name: &str, out: *mut *mut T) -> Result<&'a mut *mut T, Failure> {
    not_null(name, out)?;
    // SAFETY: by the caller it may be written. It may hold anything before, so no reference is made until it holds a pointer.
    unsafe {
        out.write(ptr::null_mut());
        Ok(&mut *out)
    }
}

/// Makes a handle, to be ended by [`free`].
pub(super) fn make<T>(it: T) -> *mut T {
    Box::into_raw(Box::new(it))
}

/// Ends a handle. NULL is fine.
///
/// # Safety
/// `handle` is NULL or from [`make`], and wasn't freed. Nobody uses it any more.
pub(super) unsafe fn free<T>(handle: *mut T) {
    if !handle.is_null() {
        // SAFETY: by the caller it came from `Box::into_raw`, and nobody else has it.
        drop(unsafe { Box::from_raw(handle) });
    }
}

/// The bytes of a text.
///
/// # Safety
/// `argument` is NULL or a string that ends with a zero, and stays as it is while the text is used.
pub(super) unsafe fn c_text<'a>(name: &str, argument: *const c_char) -> Result<&'a CStr, Failure> {
    not_null(name, argument)?;
    // SAFETY: it isn't NULL, so by the caller it ends with a zero.
    Ok(unsafe { CStr::from_ptr(argument) })
}

/// A reason to halt; none for NULL. A halt is worth more than its spelling: what isn't UTF-8 is replaced.
///
/// # Safety
/// As [`c_text`].
pub(super) unsafe fn reason_or_none<'a>(reason: *const c_char) -> Cow<'a, str> {
    if reason.is_null() {
        return Cow::Borrowed("");
    }
    // SAFETY: it isn't NULL, so by the caller it ends with a zero.
    unsafe { CStr::from_ptr(reason) }.to_string_lossy()
}

/// Writes a text and a zero, or an empty text if there is no room for that.
///
/// # Safety
/// `buffer` is NULL or has room for `capacity` bytes.
pub(super) unsafe fn write_text(bytes: &[u8], buffer: *mut c_char, capacity: usize) {
    if buffer.is_null() || capacity == 0 {
        return;
    }
    let fits = if bytes.len() < capacity { bytes } else { &[] };
    // SAFETY: by the caller there is room for the bytes and for the zero, and they are the library's own.
    unsafe {
        buffer.cast::<u8>().copy_from_nonoverlapping(fits.as_ptr(), fits.len());
        buffer.add(fits.len()).write(0);
    }
}

/// A text in UTF-8.
///
/// # Safety
/// As [`c_text`].
pub(super) unsafe fn text<'a>(name: &str, argument: *const c_char) -> Result<&'a str, Failure> {
    // SAFETY: by the caller.
    let text = unsafe { c_text(name, argument) }?.to_str();
    text.map_err(|_| Failure::new(CB_STATUS_BAD_NAME, format_args!("{name} is not UTF-8")))
}
