//! How each call went, as C reads it.

use super::handle::cb_breaker;
use super::observer::cb_observer;
use super::pointers::{cleared, free, make, required};
use super::status::{CB_STATUS_NOT_NOW, Failure, cb_status, guard};
use super::structs::{Versioned, is_writable, write_if};
use crate::handles::Observer;
use crate::tap::{Tap, TapKind, TapRow};
use core::mem::offset_of;

/// One of cb_tap_kind_value.
pub type cb_tap_kind = u32;

/// What a row of the tap tells of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum cb_tap_kind_value {
    /// A call that was asked for. While closed, or in shadow, each call counts as asked for: the owner can't tell.
    CB_TAP_ASK = 1,
    /// A call that nobody granted: one that doesn't ask (a cancel) and began while asks were refused.
    CB_TAP_FREE = 2,
    /// A call that was abandoned, or a trial that was granted and released. The latency is the time until then.
    CB_TAP_WITHDRAWN = 3,
    /// An ask that the owner refused.
    CB_TAP_REFUSED = 4,
    /// A call came back after a new epoch had forgotten it. An earlier row tells of it, without a latency.
    CB_TAP_LATE = 5,
    /// A new owner took the page over. The stamps after this are of its clock, whose time now is the start.
    CB_TAP_RESTART = 6,
}

pub use cb_tap_kind_value::*;

const _: () = {
    assert!(CB_TAP_ASK as u32 == TapKind::Ask as u32 && CB_TAP_FREE as u32 == TapKind::Free as u32);
    assert!(CB_TAP_WITHDRAWN as u32 == TapKind::Withdrawn as u32 && CB_TAP_REFUSED as u32 == TapKind::Refused as u32);
    assert!(CB_TAP_LATE as u32 == TapKind::Late as u32 && CB_TAP_RESTART as u32 == TapKind::Restart as u32);
};

/// A row of the tap: a call, when it is known how it went.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct cb_tap_row {
    /// sizeof(cb_tap_row), set by CB_TAP_ROW_INIT.
    pub struct_size: u32,
    /// What this tells of: a cb_tap_kind_value.
    pub kind: cb_tap_kind,
    /// When the call began, on the owner's clock.
    pub start_ns: u64,
    /// How long the call took. UINT64_MAX: it never came back, as far as the owner knows.
    pub latency_ns: u64,
    /// 1 if the call succeeded, or where that means nothing; 0 if it failed.
    pub ok: u32,
    /// 0.
    pub reserved: u32,
}

// SAFETY: the asserts below, and every bit pattern is a valid integer.
unsafe impl Versioned for cb_tap_row {
    const FIRST_SIZE: usize = 32;
}

const _: () = {
    assert!(offset_of!(cb_tap_row, struct_size) == 0);
    assert!(cb_tap_row::FIRST_SIZE <= size_of::<cb_tap_row>());
    assert!(size_of::<cb_tap_row>() == 4 * 4 + 2 * 8, "no padding");
};

impl From<TapRow> for cb_tap_row {
    fn from(row: TapRow) -> Self {
        Self {
            struct_size: size_of::<Self>() as u32,
            kind: row.kind as u32,
            start_ns: row.start_ns,
            latency_ns: row.latency_ns.unwrap_or(u64::MAX),
            ok: row.ok.into(),
            reserved: 0,
        }
    }
}

/// A reader of a breaker's tap (tap_len). The tap keeps the latest calls. A reader that falls further behind is told how many it missed. One
/// thread at a time may use a reader. Each reader has a place of its own.
pub struct cb_tap {
    tap: Tap,
}

impl cb_tap {
    fn open(observer: &Observer) -> Result<*mut Self, Failure> {
        let none = || Failure::new(CB_STATUS_NOT_NOW, format_args!("there is no tap: tap_len is 0"));
        Ok(make(Self { tap: observer.tap().ok_or_else(none)? }))
    }
}

const _: () = {
    const fn is_send<T: Send>() {}
    is_send::<cb_tap>();
};

/// Opens a reader of the tap, which begins with the oldest row that is there.
///
/// @param breaker  Must not be NULL.
/// @param out      Where the reader goes; NULL goes there if there is an error. Must not be NULL.
/// @return         CB_STATUS_OK, CB_STATUS_NULL_POINTER, or CB_STATUS_NOT_NOW if tap_len is 0.
///
/// Thread: any. Give the reader to cb_tap_close in the end, before or after cb_destroy.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cb_tap_open(breaker: *const cb_breaker, out: *mut *mut cb_tap) -> cb_status {
    guard(|| {
        // SAFETY: by the caller.
        let (out, breaker) = unsafe { (cleared("out", out)?, required("breaker", breaker)?) };
        *out = cb_tap::open(breaker.observer_part())?;
        Ok(())
    })
}

/// Opens a reader of the tap, as cb_tap_open does.
///
/// @param observer  Must not be NULL.
/// @param out       Where the reader goes; NULL goes there if there is an error. Must not be NULL.
/// @return          As for cb_tap_open.
///
/// Thread: any. Give the reader to cb_tap_close in the end, before or after cb_observer_close.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cb_observer_tap_open(observer: *const cb_observer, out: *mut *mut cb_tap) -> cb_status {
    guard(|| {
        // SAFETY: by the caller.
        let (out, observer) = unsafe { (cleared("out", out)?, required("observer", observer)?) };
        *out = cb_tap::open(&observer.observer)?;
        Ok(())
    })
}

/// Reads the next row.
///
/// @param tap  NULL is fine: false.
/// @param out  Where the row goes, by its struct_size. NULL is fine, and so is a struct_size that no version has: false, and the row
///             stays to be read.
/// @return     Whether there was a row. There may be more later.
///
/// Thread: any, one at a time.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cb_tap_next(tap: *mut cb_tap, out: *mut cb_tap_row) -> bool {
    // SAFETY: by the caller.
    match unsafe { tap.as_mut() } {
        // SAFETY: by the caller.
        Some(reader) => unsafe { is_writable(out) && write_if(out, reader.tap.next()) },
        None => false,
    }
}

/// Tells how many rows were overwritten before this reader came to them.
///
/// @param tap  NULL is fine: 0.
///
/// Thread: any, one at a time.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cb_tap_missed(tap: *const cb_tap) -> u64 {
    // SAFETY: by the caller.
    unsafe { tap.as_ref() }.map_or(0, |reader| reader.tap.missed())
}

/// Tells whether a later owner has made the page's file larger. Then this reader has come to its end: open the page again.
///
/// @param tap  NULL is fine: false.
///
/// Thread: any, one at a time.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cb_tap_has_moved(tap: *const cb_tap) -> bool {
    // SAFETY: by the caller.
    unsafe { tap.as_ref() }.is_some_and(|reader| reader.tap.has_moved())
}

/// Ends a reader.
///
/// @param tap  From cb_tap_open or cb_observer_tap_open, and not closed before. NULL is fine: nothing happens.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cb_tap_close(tap: *mut cb_tap) {
    // SAFETY: by the caller.
    unsafe { free(tap) };
}
