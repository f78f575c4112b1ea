//! Where the warden runs: with ordinary priority, on any core that the process may use but the one to which its maker is pinned.
#![expect(unsafe_code, reason = "calls to libc")]

use core::mem::{size_of, zeroed};
use libc::cpu_set_t;

/// To be called on the warden's thread. What the system refuses is left as it is.
pub(crate) fn settle_warden() {
    // SAFETY: plain integers, for which zeros are valid.
    let (mut inherited, mut any): (cpu_set_t, cpu_set_t) = unsafe { (zeroed(), zeroed()) };
    // SAFETY: the calls read and write these structs alone, by their sizes, and act on this thread.
    unsafe {
        let ordinary = libc::sched_param { sched_priority: 0 };
        libc::sched_setscheduler(0, libc::SCHED_OTHER, &raw const ordinary);
        if libc::sched_getaffinity(0, size_of::<cpu_set_t>(), &raw mut inherited) != 0
            || libc::CPU_COUNT(&inherited) > 1
        {
            return; // its maker isn't pinned
        }
        for cpu in 0..libc::CPU_SETSIZE as usize {
            if !libc::CPU_ISSET(cpu, &inherited) {
                libc::CPU_SET(cpu, &mut any);
            }
        }
        // The kernel takes those away that the process may not use. If none is left it refuses, and the warden stays.
        libc::sched_setaffinity(0, size_of::<cpu_set_t>(), &raw const any);
    }
}
