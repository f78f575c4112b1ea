//! What any thread gets of a breaker that a supervisor owns.

use super::gate_handle::cb_gate_handle;
use super::lane::{capacity_or_default, cb_lane};
use super::observer::cb_observer;
use super::pointers::{cleared, required, text};
use super::status::{cb_status, guard};
use super::supervisor::cb_supervisor;
use crate::supervisor::Supervisor;
use core::ffi::c_char;

/// Opens a lane of a breaker that the supervisor owns, for another thread. The owner hears the lane from its next poll on, and
/// allocates nothing for the lane. (cb_lane_open opens lanes of a breaker that no supervisor owns.)
///
/// @param supervisor  Must not be NULL.
/// @param name        The name of a breaker that was added. Must not be NULL.
/// @param capacity    As for cb_lane_open. 0 = 4096.
/// @param out         Where the lane goes; NULL goes there if there is an error. Must not be NULL.
/// @return            CB_STATUS_OK, or CB_STATUS_NULL_POINTER. CB_STATUS_BAD_NAME: no breaker has this name.
///                    CB_STATUS_NOT_NOW: the supervisor doesn't run.
///
/// Thread: any, while no other thread starts, stops, changes or destroys the supervisor. Give the lane to cb_lane_close in the
/// end, before or after the supervisor or the breaker is gone.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cb_supervisor_lane(
    supervisor: *const cb_supervisor,
    name: *const c_char,
    capacity: u32,
    out: *mut *mut cb_lane,
) -> cb_status {
    guard(|| {
        // SAFETY: by the caller.
        let (out, supervisor) = unsafe { (cleared("out", out)?, required("supervisor", supervisor)?) };
        // SAFETY: by the caller.
        let name = unsafe { text("name", name) }?;
        let capacity = capacity_or_default(capacity);
        let open = |running: &Supervisor| running.lane_with_capacity(name, capacity);
        *out = cb_lane::hand_out(supervisor.give(name, "cb_lane_open", open)?);
        Ok(())
    })
}

/// Makes a gate handle of a breaker that the supervisor owns. (cb_gate_handle_of makes gate handles of a breaker that no
/// supervisor owns.)
///
/// @param supervisor  Must not be NULL.
/// @param name        As for cb_supervisor_lane.
/// @param out         Where the gate handle goes; NULL goes there if there is an error. Must not be NULL.
/// @return            As for cb_supervisor_lane.
///
/// Thread: as for cb_supervisor_lane. Give the gate handle to cb_gate_handle_close in the end, before or after the supervisor or
/// the breaker is gone.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cb_supervisor_gate_handle(
    supervisor: *const cb_supervisor,
    name: *const c_char,
    out: *mut *mut cb_gate_handle,
) -> cb_status {
    guard(|| {
        // SAFETY: by the caller.
        let (out, supervisor) = unsafe { (cleared("out", out)?, required("supervisor", supervisor)?) };
        // SAFETY: by the caller.
        let name = unsafe { text("name", name) }?;
        let gate = supervisor.give(name, "cb_gate_handle_of", |running| running.gate(name));
        *out = cb_gate_handle::hand_out(gate?);
        Ok(())
    })
}

/// Makes an observer of a breaker that the supervisor owns. (cb_observer_of makes observers of any breaker whose handle is at
/// hand.)
///
/// @param supervisor  Must not be NULL.
/// @param name        As for cb_supervisor_lane.
/// @param out         Where the observer goes; NULL goes there if there is an error. Must not be NULL.
/// @return            As for cb_supervisor_lane.
///
/// Thread: as for cb_supervisor_lane. Give the observer to cb_observer_close in the end, before or after the supervisor or the
/// breaker is gone.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cb_supervisor_observer(
    supervisor: *const cb_supervisor,
    name: *const c_char,
    out: *mut *mut cb_observer,
) -> cb_status {
    guard(|| {
        // SAFETY: by the caller.
        let (out, supervisor) = unsafe { (cleared("out", out)?, required("supervisor", supervisor)?) };
        // SAFETY: by the caller.
        let name = unsafe { text("name", name) }?;
        let observer = supervisor.give(name, "cb_observer_of", |running| running.observer(name));
        *out = cb_observer::hand_out(observer?);
        Ok(())
    })
}
