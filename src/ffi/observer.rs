//! A read-only view of a breaker, for any thread.

use super::config::{cb_config, cb_state};
use super::events::cb_events;
use super::gate::state_or_open;
use super::halt_note::cb_halt_note;
use super::handle::cb_breaker;
use super::pointers::{cleared, free, make, required};
use super::snapshot::cb_snapshot;
use super::status::{cb_status, guard};
use super::structs::write_if;
use crate::handles::Observer;

/// A read-only view of a breaker. It is of a breaker of this process (cb_observer_of, cb_supervisor_observer), or of a page in a
/// file, whoever owns that (cb_observer_open). Several threads may share an observer. Nothing that the owner does waits for an
/// observer.
///
/// An observer may outlive its breaker. Then it shows what the breaker left, and the state is open.
pub struct cb_observer {
    pub(super) observer: Observer,
}

const _: () = {
    const fn is_any_threads<T: Send + Sync>() {}
    is_any_threads::<cb_observer>();
};

impl cb_observer {
    pub(super) fn new(observer: Observer) -> Self {
        Self { observer }
    }

    /// To be ended by `cb_observer_close`.
    pub(super) fn hand_out(observer: Observer) -> *mut Self {
        make(Self::new(observer))
    }

    /// # Safety
    /// `observer` is NULL or came from this library, and stays valid while the reference is alive.
    pub(super) unsafe fn get<'a>(observer: *const Self) -> Option<&'a Observer> {
        // SAFETY: by the caller.
        unsafe { observer.as_ref() }.map(|observer| &observer.observer)
    }
}

/// Makes an observer of a breaker of this process.
///
/// @param breaker  Must not be NULL.
/// @param out      Where the observer goes; NULL goes there if there is an error. Must not be NULL.
/// @return         CB_STATUS_OK, or CB_STATUS_NULL_POINTER.
///
/// Thread: any. Give the observer to cb_observer_close in the end, before or after cb_destroy.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cb_observer_of(breaker: *const cb_breaker, out: *mut *mut cb_observer) -> cb_status {
    guard(|| {
        // SAFETY: by the caller.
        let (out, breaker) = unsafe { (cleared("out", out)?, required("breaker", breaker)?) };
        *out = cb_observer::hand_out(breaker.observer_part().clone());
        Ok(())
    })
}

/// Ends an observer. Readers of events that were opened by it may go on.
///
/// @param observer  From cb_observer_of, cb_observer_open or cb_supervisor_observer, and not closed before. (What
///                  cb_gate_handle_observer gave ends with its gate handle.) NULL is fine: nothing happens.
///
/// Thread: any, when no other thread uses the observer any more.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cb_observer_close(observer: *mut cb_observer) {
    // SAFETY: by the caller.
    unsafe { free(observer) };
}

/// Tells the automatic state, as the owner left it. (Of a page in a file cb_observer_get_owner tells whether there still is an
/// owner.)
///
/// @param observer  NULL counts as open.
/// @return          A cb_state_value. If the gate holds a value that no version writes, it is CB_STATE_OPEN: calls are refused
///                  then.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cb_observer_get_state(observer: *const cb_observer) -> cb_state {
    // SAFETY: by the caller.
    state_or_open(unsafe { cb_observer::get(observer) })
}

/// Tells whether trading is halted.
///
/// @param observer  NULL counts as halted.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cb_observer_is_halted(observer: *const cb_observer) -> bool {
    // SAFETY: by the caller.
    unsafe { cb_observer::get(observer) }.is_none_or(Observer::is_halted)
}

/// Tells whether the owner was found silent: it hasn't polled for owner_timeout_ns, and gates and lanes refuse until it polls. (In
/// shadow they don't refuse.)
///
/// @param observer  NULL counts as unwatched.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cb_observer_is_unwatched(observer: *const cb_observer) -> bool {
    // SAFETY: by the caller.
    unsafe { cb_observer::get(observer) }.is_none_or(|observer| observer.page.gate().bits().is_unwatched())
}

/// The settings in force, whoever owns the breaker, so that limits can be shown beside figures.
///
/// @param observer  NULL is fine: false.
/// @param out       Where the settings go, by its struct_size. NULL is fine: false.
/// @return          Whether the settings were written. They aren't if the owner is of a version with other settings, or if the page
///                  holds settings that aren't legal.
///
/// Thread: any.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cb_observer_get_config(observer: *const cb_observer, out: *mut cb_config) -> bool {
    // SAFETY: by the caller.
    let config = unsafe { cb_observer::get(observer) }.and_then(Observer::config);
    // SAFETY: by the caller.
    unsafe { write_if(out, config.as_ref().map(cb_config::from_config)) }
}

/// The latest snapshot that the owner published, as cb_get_published gives it.
///
/// @param observer  NULL is fine: false.
/// @param out       Where the snapshot goes, by its struct_size. NULL is fine: false.
/// @return          Whether the snapshot was written.
///
/// Thread: any.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cb_observer_get_snapshot(observer: *const cb_observer, out: *mut cb_snapshot) -> bool {
    // SAFETY: by the caller.
    unsafe { write_if(out, cb_observer::get(observer).and_then(Observer::snapshot)) }
}

/// The note of the latest halt that is held, as cb_get_halt_note gives it.
///
/// @param observer  NULL is fine: false.
/// @param out       Where the note goes, by its struct_size. NULL is fine: false.
/// @return          Whether the note was written.
///
/// Thread: any.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cb_observer_get_halt_note(observer: *const cb_observer, out: *mut cb_halt_note) -> bool {
    // SAFETY: by the caller.
    unsafe { write_if(out, cb_observer::get(observer).and_then(Observer::halt_note)) }
}

/// Opens a reader of the events, as cb_events_open does.
///
/// @param observer  Must not be NULL.
/// @param out       Where the reader goes; NULL goes there if there is an error. Must not be NULL.
/// @return          CB_STATUS_OK, or CB_STATUS_NULL_POINTER.
///
/// Thread: any. Give the reader to cb_events_close in the end, before or after cb_observer_close.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cb_observer_events_open(observer: *const cb_observer, out: *mut *mut cb_events) -> cb_status {
    guard(|| {
        // SAFETY: by the caller.
        let (out, observer) = unsafe { (cleared("out", out)?, required("observer", observer)?) };
        *out = cb_events::open(&observer.observer);
        Ok(())
    })
}
