//! What an owner may choose about the page in a file, as C sees it.

use super::config::illegal;
use super::pointers::{c_text, text};
use super::shared_places::as_path;
use super::status::{CB_STATUS_STRUCT_SIZE, CB_STATUS_UNKNOWN_SETTING, Failure};
use super::structs::{Versioned, read_in};
use crate::shm::Options;
use core::ffi::c_char;
use core::mem::offset_of;
use core::ptr;

/// Options of a page in a file. Begin with CB_SHARED_OPTIONS_INIT, which sets the defaults: not all of them are 0.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct cb_shared_options {
    /// sizeof(cb_shared_options), set by CB_SHARED_OPTIONS_INIT.
    pub struct_size: u32,
    /// Whether the process watches over the page by a thread of its own. 0 or 1; default 1. With 0 nobody finds that the owner is
    /// silent but lanes that send orders; nobody finds that the page was removed under a running engine; and the engine's own halts
    /// don't outlive memory.
    pub warden: u32,
    /// The group that shares the page, by its name in /etc/group or its number: the files get the mode 0660, and the folder 2770. Its
    /// members can watch, halt and resume. They can break the page, too: that is trust, not permission. Default NULL: the page is for
    /// this user alone.
    pub group: *const c_char,
    /// The folder where halts outlive memory, by its absolute path. Default NULL: $TRIP99_STATE_DIR, or else /var/lib/trip99/USER if
    /// that exists, or else the user's own folder for state.
    pub state_dir: *const c_char,
    /// The time of construction on the breaker's clock, for an owner with a time of its own. Default UINT64_MAX: the process's.
    pub now_ns: u64,
}

// SAFETY: the asserts below, and every bit pattern is a valid integer or pointer.
unsafe impl Versioned for cb_shared_options {
    const FIRST_SIZE: usize = 2 * 4 + 2 * size_of::<*const c_char>() + 8;
}

const _: () = {
    assert!(offset_of!(cb_shared_options, struct_size) == 0);
    assert!(cb_shared_options::FIRST_SIZE == size_of::<cb_shared_options>(), "no padding");
};

impl cb_shared_options {
    const DEFAULT: Self = Self {
        struct_size: size_of::<Self>() as u32,
        warden: 1,
        group: ptr::null(),
        state_dir: ptr::null(),
        now_ns: u64::MAX,
    };
}

/// NULL = the defaults.
///
/// # Safety
/// `options` is NULL or as [`read_in`] asks, and its texts are NULL or end with a zero.
pub(super) unsafe fn read_options(options: *const cb_shared_options) -> Result<Options, Failure> {
    let mut read = Options::default();
    if options.is_null() {
        return Ok(read);
    }
    let wrong_size = |size: usize| {
        let own = size_of::<cb_shared_options>();
        Failure::new(
            CB_STATUS_STRUCT_SIZE,
            format_args!(
                "struct_size of the options is {size}, and {own} in this version; set it by CB_SHARED_OPTIONS_INIT"
            ),
        )
    };
    let mut told = cb_shared_options::DEFAULT;
    // SAFETY: by the caller.
    let (size, more) = unsafe { read_in(options, &mut told) }.map_err(wrong_size)?;
    if size < cb_shared_options::FIRST_SIZE {
        return Err(wrong_size(size));
    }
    if more {
        return Err(Failure::new(
            CB_STATUS_UNKNOWN_SETTING,
            format_args!("the options have one from after this version, {}", env!("CARGO_PKG_VERSION")),
        ));
    }
    read.warden = match told.warden {
        0 => false,
        1 => true,
        value => return Err(illegal("warden", value, "0 or 1")),
    };
    if !told.group.is_null() {
        // SAFETY: by the caller.
        read.group = Some(unsafe { text("group", told.group) }?.to_owned());
    }
    if !told.state_dir.is_null() {
        // SAFETY: by the caller.
        read.state_dir = Some(as_path(unsafe { c_text("state_dir", told.state_dir) }?.to_bytes()).to_owned());
    }
    read.now_ns = (told.now_ns != u64::MAX).then_some(told.now_ns);
    Ok(read)
}
