//! Structs that C and the library see in different versions.
//!
//! Each begins with `struct_size`, what `sizeof` gave the caller. New fields are added at the end only. So a shorter struct is
//! an older version, whose missing fields keep their defaults, whatever 0 means to them. A longer one is a newer version, which
//! goes on while the fields that this library doesn't know are 0.

use core::ptr;

/// No version of any struct is longer: a `struct_size` above it was never set.
pub(super) const MAX_SIZE: usize = 4096;

/// # Safety
/// The type is `repr(C)`, begins with a `u32` that is its `struct_size`, has no padding, and is valid for all bytes that
/// the library writes.
pub(super) unsafe trait Versioned: Copy {
    /// The size of the first version: a number, which never changes. It is what a caller's struct is taken for whose size was
    /// never set.
    const FIRST_SIZE: usize;
}

/// How much of a caller's struct may be written; `None` = nothing.
///
/// What was never set, 0 or an absurd size, stands for the first version: that much each caller has, by the type alone. But a
/// size below that is no version's, and a caller who says so may have no more.
///
/// # Safety
/// `out` is valid for reading the `struct_size` that it begins with.
unsafe fn writable<T: Versioned>(out: *const T) -> Option<usize> {
    // SAFETY: by the caller, and `struct_size` comes first.
    match unsafe { out.cast::<u32>().read() } as usize {
        0 => Some(T::FIRST_SIZE),
        size if size > MAX_SIZE => Some(T::FIRST_SIZE),
        size => (size >= T::FIRST_SIZE).then_some(size),
    }
}

/// Whether [`write_if`] can write anything.
///
/// # Safety
/// As [`write_if`].
pub(super) unsafe fn is_writable<T: Versioned>(out: *const T) -> bool {
    // SAFETY: by the caller, as it isn't NULL.
    !out.is_null() && unsafe { writable(out) }.is_some()
}

/// Writes `value` to the struct that `out` points to, as far as the caller's version of it goes; what a newer version
/// has beyond is zeroed. Its `struct_size` says afterwards how far it was written. Returns false, and has written nothing, if
/// `struct_size` is less than any version's, but not 0.
///
/// # Safety
/// `out` is valid for writing a `T` of the version that its `struct_size` tells; of the first one if that is 0 or absurd.
pub(super) unsafe fn write_out<T: Versioned>(out: *mut T, value: &T) -> bool {
    // SAFETY: by the caller.
    let Some(size) = (unsafe { writable(out) }) else { return false };
    // SAFETY: both are at least so long, and apart: one is the caller's, the other ours.
    unsafe { ptr::copy_nonoverlapping(ptr::from_ref(value).cast::<u8>(), out.cast(), size.min(size_of::<T>())) };
    if size > size_of::<T>() {
        // SAFETY: the caller's struct is `size` bytes long.
        unsafe { out.cast::<u8>().add(size_of::<T>()).write_bytes(0, size - size_of::<T>()) };
    }
    // SAFETY: by the caller, and `struct_size` comes first.
    unsafe { out.cast::<u32>().write(size as u32) };
    true
}

/// [`write_out`], if there is something to write and `out` isn't NULL; otherwise false.
///
/// # Safety
/// `out` is NULL or as [`write_out`] asks.
pub(super) unsafe fn write_if<T: Versioned>(out: *mut T, value: Option<impl Into<T>>) -> bool {
    // SAFETY: by the caller, as it isn't NULL.
    value.is_some_and(|value| !out.is_null() && unsafe { write_out(out, &value.into()) })
}

/// Reads the struct that `from` points to over the defaults in `value`, as far as the caller's version of it goes.
/// Returns its `struct_size`, and whether it says more than this version knows; `Err(struct_size)` if it is too long.
///
/// # Safety
/// `from` is valid for reading a `T` of the version that its `struct_size` tells.
pub(super) unsafe fn read_in<T: Versioned>(from: *const T, value: &mut T) -> Result<(usize, bool), usize> {
    // SAFETY: by the caller, and `struct_size` comes first.
    let size = unsafe { from.cast::<u32>().read() } as usize;
    if size > MAX_SIZE {
        return Err(size);
    }
    // SAFETY: as in `write_out`.
    unsafe { ptr::copy_nonoverlapping(from.cast::<u8>(), ptr::from_mut(value).cast(), size.min(size_of::<T>())) };
    let more = (size_of::<T>()..size).any(|offset| {
        // SAFETY: the caller's struct is `size` bytes long.
        unsafe { from.cast::<u8>().add(offset).read() != 0 }
    });
    Ok((size, more))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A second version: the first had no `newer`.
    #[derive(Clone, Copy, Debug, PartialEq)]
    #[repr(C)]
    struct Second {
        struct_size: u32,
        older: u32,
        newer: u64,
    }

    // SAFETY: two u32 and a u64 leave no padding.
    unsafe impl Versioned for Second {
        const FIRST_SIZE: usize = 8;
    }

    const LIBRARYS: Second = Second { struct_size: 16, older: 1, newer: 2 };

    #[test]
    fn a_caller_of_the_first_version_that_did_not_set_the_size_keeps_what_follows() {
        let mut out = Second { struct_size: 0, older: 7, newer: 7 };
        // SAFETY: it is longer than the version that its size stands for.
        assert!(unsafe { write_out(&raw mut out, &LIBRARYS) });
        assert_eq!(out, Second { struct_size: 8, older: 1, newer: 7 });
    }

    #[test]
    fn no_more_is_written_than_the_caller_surely_has() {
        for (told, written) in [(0, 8), (1, 0), (7, 0), (8, 8), (15, 15), (16, 16), (4097, 8), (u32::MAX, 8)] {
            let mut out = Second { struct_size: told, older: 7, newer: 7 };
            // SAFETY: it is longer than what `writable` allows of these.
            let (before, is_written) = unsafe { (is_writable(&raw const out), write_out(&raw mut out, &LIBRARYS)) };
            assert_eq!((before, is_written), (written > 0, written > 0), "{told}");
            let older = if written > 0 { 1 } else { 7 };
            let newer = if written > 8 { 2 } else { 7 };
            assert_eq!(out, Second { struct_size: if written > 0 { written } else { told }, older, newer }, "{told}");
        }
    }

    #[test]
    fn what_an_older_caller_does_not_tell_stays_at_its_default() {
        let told = Second { struct_size: 8, older: 3, newer: 3 };
        let mut known = LIBRARYS;
        // SAFETY: it is longer than the version that its size tells.
        assert_eq!(unsafe { read_in(&raw const told, &mut known) }, Ok((8, false)));
        assert_eq!((known.older, known.newer), (3, 2));
    }
}
