//! How a breaker's page was found, as C sees it.

use super::handle::cb_breaker;
use crate::handles::Observer;
use crate::started::Started;

/// One of cb_started_value.
pub type cb_started = u32;

/// How a breaker's page was found when the breaker was made. A newer library may have more values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum cb_started_value {
    /// The page is in no file; or it can't be told.
    CB_STARTED_PRIVATE = 0,
    /// The page is new: no earlier state was found. The argument start decided.
    CB_STARTED_NEW = 1,
    /// The last owner ended while closed, not halted, and with no call in flight for longer than the threshold.
    CB_STARTED_CLEAN = 2,
    /// The last owner was killed, or ended in any other way: the breaker is open, with its attempt.
    CB_STARTED_UNCLEAN = 3,
}

pub use cb_started_value::*;

pub(super) const fn started_value(started: Option<Started>) -> cb_started {
    (match started {
        None => CB_STARTED_PRIVATE,
        Some(Started::New) => CB_STARTED_NEW,
        Some(Started::Clean) => CB_STARTED_CLEAN,
        Some(Started::Unclean) => CB_STARTED_UNCLEAN,
    }) as cb_started
}

/// Tells how the breaker's page was found. A page that is new knows of no halt that was in memory only: after a reboot, say, or in a new
/// container. This makes a few system calls.
///
/// @param breaker  NULL is fine: CB_STARTED_PRIVATE.
/// @return         A cb_started_value.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cb_get_started(breaker: *const cb_breaker) -> cb_started {
    // SAFETY: by the caller.
    let owner = unsafe { cb_breaker::observer(breaker) }.and_then(Observer::owner);
    started_value(owner.and_then(|owner| owner.started))
}
