//! Who owns a page in a file, as C sees it.

use super::observer::cb_observer;
use super::started::{cb_started, started_value};
use super::structs::{Versioned, write_if};
use crate::handles::Observer;
use crate::shm::Owner;
use core::mem::offset_of;

/// Who owns a page in a file.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct cb_owner {
    /// sizeof(cb_owner), set by CB_OWNER_INIT.
    pub struct_size: u32,
    /// The process of the owner or, if there is none now, of the latest owner. 0 if it can't be told.
    pub pid: u32,
    /// The owner exists. (Its process may be stopped, or busy elsewhere: see seen_ago_ns.)
    pub alive: bool,
    /// The page is locked in memory, so that the owner never waits for it.
    pub memory_locked: bool,
    /// 0.
    pub reserved: u16,
    /// How the owner, or the latest one, found the page: a cb_started_value. 0 if it can't be told.
    pub started: cb_started,
    /// How long ago the owner last published its snapshot. An owner that polls does that about every millisecond. UINT64_MAX if it can't be
    /// told.
    pub seen_ago_ns: u64,
}

// SAFETY: the asserts below; the library writes bools as 0 or 1.
unsafe impl Versioned for cb_owner {
    const FIRST_SIZE: usize = 24;
}

const _: () = {
    assert!(offset_of!(cb_owner, struct_size) == 0);
    assert!(cb_owner::FIRST_SIZE <= size_of::<cb_owner>());
    assert!(size_of::<cb_owner>() == 3 * 4 + 2 + 2 + 8, "no padding");
};

impl From<Owner> for cb_owner {
    fn from(owner: Owner) -> Self {
        Self {
            struct_size: size_of::<Self>() as u32,
            pid: owner.pid,
            alive: owner.alive,
            memory_locked: owner.memory_locked,
            reserved: 0,
            started: started_value(owner.started),
            seen_ago_ns: owner.seen_ago_ns.unwrap_or(u64::MAX),
        }
    }
}

/// Tells who owns the page, and whether the owner is alive. This makes a few system calls.
///
/// @param observer  NULL is fine: false.
/// @param out       Where the answer goes, by its struct_size. NULL is fine: false.
/// @return          Whether the answer was written. It isn't if the breaker's page is in no file.
///
/// Thread: any.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cb_observer_get_owner(observer: *const cb_observer, out: *mut cb_owner) -> bool {
    // SAFETY: by the caller.
    unsafe { write_if(out, cb_observer::get(observer).and_then(Observer::owner)) }
}
