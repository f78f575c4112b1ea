//! What is to be done at forks of this process.
#![expect(unsafe_code, reason = "a call to libc")]

use std::io;

/// Has these called at each fork of this process from now on: before it, and after it in the parent and in the child. (A copy of the
/// library that is unloaded takes its handlers along.)
pub(crate) fn at_fork(
    before: extern "C" fn(),
    in_parent: extern "C" fn(),
    in_child: extern "C" fn(),
) -> io::Result<()> {
    // SAFETY: the functions live as long as the library. Each module says for its own why they may run at any fork.
    match unsafe { libc::pthread_atfork(Some(before), Some(in_parent), Some(in_child)) } {
        0 => Ok(()),
        error => Err(io::Error::from_raw_os_error(error)),
    }
}
