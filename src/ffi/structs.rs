//! Structs that C and the library see in different versions.
//!
//! Each begins with `struct_size`, what `sizeof` gave the caller. New fields are added at the end only, and zero means
//! the same to them as their absence. So a shorter struct is an older version, whose missing fields keep their
//! defaults; a longer one is a newer version, which goes on with fields that this library doesn't know.

use core::ptr;

/// No version of any struct is longer: a `struct_size` above it was never set.
const MAX_SIZE: usize = 4096;

/// # Safety
/// The type is `repr(C)`, begins with a `u32` that is its `struct_size`, has no padding, and is valid for all bytes that
/// the library writes.
pub(super) unsafe trait Versioned: Copy {}

/// Writes `value` to the struct that `out` points to, as far as the caller's version of it goes; what a newer version
/// has beyond is zeroed. A `struct_size` of 0 stands for this version's: the first version's callers have that.
///
/// # Safety
/// `out` is valid for writing a `T` of the version that its `struct_size` tells.
pub(super) unsafe fn write_out<T: Versioned>(out: *mut T, value: &T) {
    // SAFETY: by the caller, and `struct_size` comes first.
    let told = unsafe { out.cast::<u32>().read() };
    let size = match told as usize {
        0 => size_of::<T>(),
        size => size,
    };
    // SAFETY: both are at least so long, and apart: one is the caller's, the other ours.
    unsafe { ptr::copy_nonoverlapping(ptr::from_ref(value).cast::<u8>(), out.cast(), size.min(size_of::<T>())) };
    if size > size_of::<T>() && size <= MAX_SIZE {
        // SAFETY: the caller's struct is `size` bytes long.
        unsafe { out.cast::<u8>().add(size_of::<T>()).write_bytes(0, size - size_of::<T>()) };
    }
    // SAFETY: as the first read.
    unsafe { out.cast::<u32>().write(if told == 0 { size as u32 } else { told }) };
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
