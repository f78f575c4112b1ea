//! A breaker's life, its settings and its time.

use super::config::{cb_config, read_config, read_or_default};
use super::handle::cb_breaker;
use super::pointers::{cleared, not_null};
use super::status::{cb_status, guard};
use super::structs::write_out;
use crate::breaker::Breaker;

/// Makes a breaker. This allocates all that the breaker will ever use. The first breaker of a process also calibrates the time
/// stamp counter, which takes up to 200 ms. So make breakers at start-up.
///
/// @param config  The settings. NULL stands for the defaults.
/// @param out     Where the breaker goes; NULL goes there if there is an error. Must not be NULL.
/// @return        CB_STATUS_OK, or CB_STATUS_NULL_POINTER, CB_STATUS_STRUCT_SIZE, CB_STATUS_OUT_OF_RANGE or
///                CB_STATUS_UNKNOWN_SETTING. cb_error_text() then tells which setting is wrong, and what is legal.
///
/// Thread: any, with 64 KiB of stack; the caller becomes the owner. Give the breaker to cb_destroy in the end.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cb_create(config: *const cb_config, out: *mut *mut cb_breaker) -> cb_status {
    guard(|| {
        // SAFETY: by the caller.
        let out = unsafe { cleared("out", out) }?;
        // SAFETY: by the caller.
        let config = unsafe { read_or_default(config) }?;
        *out = cb_breaker::hand_out(Breaker::new(config)?);
        Ok(())
    })
}

/// Ends a breaker. What cb_gate_of gave must not be read any more. Observers and readers of its events may go on to read what the
/// breaker left. Its lanes and gate handles refuse from now on, for ever, and nobody hears what lanes say.
///
/// For the next owner of a page in a file the end is clean if the breaker was closed, not halted, and had no call in flight for longer
/// than the threshold. After any other end the breaker comes back open.
///
/// A breaker that is on a supervisor's list may be destroyed, too. While the supervisor doesn't run, the breaker ends here, and
/// the supervisor can't be started any more (CB_STATUS_NOT_NOW). While the supervisor runs, the breaker ends when the supervisor
/// stops. That counts as misused, as nobody can tell any more whether the breaker is in use.
///
/// @param breaker  From cb_create or cb_create_shared, and not destroyed before. NULL is fine: nothing happens.
///
/// Thread: owner, when no other thread uses the breaker any more. Other threads may use its gate only through a lane or a gate
/// handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cb_destroy(breaker: *mut cb_breaker) {
    if !breaker.is_null() {
        // SAFETY: by the caller.
        unsafe { cb_breaker::destroy(breaker, None) };
    }
}

/// cb_destroy at a given time, for an owner with a time of its own. By this time it is decided whether the end is clean: lanes are heard
/// and timers fire first, and no call may be in flight for longer than the threshold. (cb_destroy goes by the process's clock. So
/// after operations at given times with a call in flight it ends uncleanly.) A breaker that a supervisor owns ends as by cb_destroy.
///
/// @param breaker  As for cb_destroy.
/// @param now_ns   The time on the breaker's clock, in nanoseconds.
///
/// Thread: as for cb_destroy.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cb_destroy_at(breaker: *mut cb_breaker, now_ns: u64) {
    if !breaker.is_null() {
        // SAFETY: by the caller.
        unsafe { cb_breaker::destroy(breaker, Some(now_ns)) };
    }
}

/// Ends a breaker as cb_destroy does, and tells the next owner of its page that the end was unclean: the breaker comes back open. It is
/// for an end that nobody planned. C has no exceptions; the C++ wrapper calls this when an exception unwinds.
///
/// @param breaker  As for cb_destroy.
///
/// Thread: as for cb_destroy.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cb_destroy_unclean(breaker: *mut cb_breaker) {
    if !breaker.is_null() {
        // SAFETY: by the caller.
        unsafe {
            cb_breaker::end_uncleanly(breaker);
            cb_breaker::destroy(breaker, None);
        }
    }
}

/// Passes ownership on: the next thread that calls a function marked "Thread: owner" is the owner. Only a checked build takes
/// note of this call. In any build the caller sees to it that memory is ordered between the two threads.
///
/// @param breaker  NULL is fine: nothing happens. While a supervisor owns the breaker nothing happens either, and the call
///                 counts as misused.
///
/// Thread: owner.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cb_hand_over(breaker: *mut cb_breaker) {
    // SAFETY: by the caller.
    unsafe { cb_breaker::hand_over(breaker) };
}

/// Reads the settings in force, for instance to change some of them by cb_reconfigure.
///
/// @param breaker  NULL is fine: nothing happens. While a supervisor owns the breaker nothing happens either, and the call
///                 counts as misused.
/// @param out      Where the settings go, by its struct_size. NULL is fine: nothing happens.
///
/// Thread: owner.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cb_get_config(breaker: *const cb_breaker, out: *mut cb_config) {
    if out.is_null() {
        return;
    }
    // SAFETY: by the caller.
    if let Some(owner) = unsafe { cb_breaker::owner_or_count(breaker) } {
        // SAFETY: by the caller.
        unsafe { write_out(out, &cb_config::from_config(owner.config())) };
    }
}

/// Changes the settings. State, window, attempt and calls in flight survive. A new threshold recounts the window and the
/// overdue calls at once; the next sample is judged by it. A pause under way keeps its deadline. A half-open epoch keeps its
/// recovery, probes and trials_in_flight. jitter_seed is not used again.
///
/// @param breaker  Must not be NULL.
/// @param config   All settings. Those that shall not change are as cb_get_config gives them. Must not be NULL.
/// @return         As for cb_create. CB_STATUS_FIXED_SETTING if window_len, max_in_flight or start differ from the
///                 breaker's. CB_STATUS_NOT_NOW while a supervisor owns the breaker. Unless it is CB_STATUS_OK nothing was
///                 changed.
///
/// Thread: owner.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cb_reconfigure(breaker: *mut cb_breaker, config: *const cb_config) -> cb_status {
    // SAFETY: by the caller.
    unsafe { reconfigure(breaker, config, None) }
}

/// cb_reconfigure at a given time. It fires no timers.
///
/// @param now_ns  The time on the breaker's clock, in nanoseconds. The rest is as for cb_reconfigure.
/// @return        As for cb_reconfigure.
///
/// Thread: owner.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cb_reconfigure_at(
    breaker: *mut cb_breaker,
    now_ns: u64,
    config: *const cb_config,
) -> cb_status {
    // SAFETY: by the caller.
    unsafe { reconfigure(breaker, config, Some(now_ns)) }
}

/// # Safety
/// As `cb_reconfigure`.
unsafe fn reconfigure(breaker: *mut cb_breaker, config: *const cb_config, now_ns: Option<u64>) -> cb_status {
    guard(|| {
        not_null("breaker", breaker)?;
        not_null("config", config)?;
        // SAFETY: by the caller.
        let (config, owner) = unsafe { (read_config(config)?, cb_breaker::owner_or_fail(breaker)?) };
        match now_ns {
            Some(now_ns) => owner.reconfigure_at(now_ns, &config)?,
            None => owner.reconfigure(&config)?,
        }
        Ok(())
    })
}

/// When cb_poll will next have work, on the breaker's clock. That time may be past.
///
/// @param breaker  NULL is fine: UINT64_MAX. While a supervisor owns the breaker it is UINT64_MAX, too, and the call counts as
///                 misused.
/// @return         Nanoseconds; UINT64_MAX = at no time.
///
/// Thread: owner.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cb_next_deadline_ns(breaker: *const cb_breaker) -> u64 {
    // SAFETY: by the caller.
    unsafe { cb_breaker::owner_or_count(breaker) }.map_or(u64::MAX, |owner| owner.next_deadline_ns())
}

/// The time on the breaker's clock, for the _at functions: nanoseconds from an arbitrary origin, which is the same for all
/// breakers of a process. From one CPU to another the time may stand still or go back a little. Breakers bear that; whoever
/// subtracts two times should, too.
///
/// @param breaker  Must not be NULL.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cb_now_ns(breaker: *const cb_breaker) -> u64 {
    debug_assert!(!breaker.is_null(), "the breaker is NULL");
    // SAFETY: by the caller.
    unsafe { &*breaker }.clock.now_ns()
}
