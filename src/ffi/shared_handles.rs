//! Handles that other processes have of a page in a file.

use super::gate_handle::cb_gate_handle;
use super::observer::cb_observer;
use super::pointers::cleared;
use super::shared_places::named_page;
use super::status::{cb_status, guard};
use crate::handles::{Gate, Observer};
use core::ffi::c_char;

/// Opens a page for watching, whether or not it has an owner now. The file is mapped read-only. A page that is removed and made
/// anew is another page, to be opened again.
///
/// @param path_or_name  A path has a '/'. A plain name has none, and is looked for as by cb_shared_find. Must not be NULL.
/// @param out           Where the observer goes; NULL goes there if there is an error. Must not be NULL.
/// @return              CB_STATUS_OK, or CB_STATUS_NULL_POINTER, CB_STATUS_SHARED_REFUSED, CB_STATUS_BAD_NAME or
///                      CB_STATUS_IO (there is no such file, say).
///
/// Thread: any. Give the observer to cb_observer_close in the end.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cb_observer_open(path_or_name: *const c_char, out: *mut *mut cb_observer) -> cb_status {
    guard(|| {
        // SAFETY: by the caller.
        let (out, path) = unsafe { (cleared("out", out)?, named_page(path_or_name)?) };
        *out = cb_observer::hand_out(Observer::open(path)?);
        Ok(())
    })
}

/// A quantile of the window as the owner last saw it, by nearest rank, and exact. The overdue calls, which a verdict counts beside
/// the window, are not in it. This allocates, and takes time in proportion to the window.
///
/// @param observer      NULL is fine: 0.
/// @param quantile_ppm  990000 for the P99. 0 gives the least, 1000000 and above the greatest.
/// @return              Nanoseconds. It is 0 if the breaker's page is in no file, if the window is empty, if the owner fills the
///                      window too fast for it to be read, and if a later owner made the window larger (open the page again).
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cb_observer_quantile_ns(observer: *const cb_observer, quantile_ppm: u32) -> u64 {
    // SAFETY: by the caller.
    unsafe { cb_observer::get(observer) }.and_then(|observer| observer.quantile_ns(quantile_ppm)).unwrap_or(0)
}

/// Opens a page for asking, halting and resuming, whether or not it has an owner now. A page without an owner keeps a halt for the
/// next owner. It refuses if the latest owner ended by cb_destroy. If the owner was killed, the gate is as it left it: only
/// cb_observer_get_owner tells that it is gone.
///
/// The file is mapped for writing, as to ask, to halt and to be granted trials are writes. A page that is removed and made anew is
/// another page, to be opened again.
///
/// @param path_or_name  As for cb_observer_open. Must not be NULL.
/// @param out           Where the gate handle goes; NULL goes there if there is an error. Must not be NULL.
/// @return              As for cb_observer_open.
///
/// Thread: any. Give the gate handle to cb_gate_handle_close in the end.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cb_gate_handle_open(path_or_name: *const c_char, out: *mut *mut cb_gate_handle) -> cb_status {
    guard(|| {
        // SAFETY: by the caller.
        let (out, path) = unsafe { (cleared("out", out)?, named_page(path_or_name)?) };
        *out = cb_gate_handle::hand_out(Gate::open(path)?);
        Ok(())
    })
}

/// Tells whether the page's path leads to another file by now, or to none: then nobody finds this page by its path. This makes two
/// system calls.
///
/// @param observer  NULL is fine: false. It is false if the breaker's page is in no file, too.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cb_observer_is_replaced(observer: *const cb_observer) -> bool {
    // SAFETY: by the caller.
    unsafe { cb_observer::get(observer) }.is_some_and(Observer::is_replaced)
}
