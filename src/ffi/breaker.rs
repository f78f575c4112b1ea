//! A breaker's life, its settings and its time.

use super::checked::ThreadCheck;
use super::config::{cb_config, read_config, read_or_default};
use super::handle::{AtomicStanding, Owner, Standing};
use super::status::{Failure, cb_status, guard};
use super::structs::write_out;
use crate::breaker::Breaker;
use crate::clock::Clock;
use crate::handles::{Gate, Observer};
use core::ptr;
use std::sync::Arc;

/// A breaker for one node. One thread owns it, and alone calls what says "Thread: owner"; ownership may pass to another
/// thread by anything that orders memory (a mutex, a thread's start or join), and by cb_hand_over in a checked build. Other
/// threads may call the rest meanwhile.
///
/// While a supervisor owns a breaker (see cb_supervisor_start), what says "Thread: owner" does nothing, and does no harm. What
/// returns a status returns CB_STATUS_NOT_NOW; the rest is counted (misused), and cb_allow refuses. A library that is built as
/// a checked one (cmake/install.sh --checked) aborts with a message instead, and does so when another thread than the owner
/// calls it, too.
pub struct cb_breaker {
    /// For any thread.
    pub(super) observer: Observer,
    pub(super) gate: Gate,
    clock: Clock,
    pub(super) standing: AtomicStanding,
    pub(super) thread: ThreadCheck,
    pub(super) owner: Owner,
}

/// What "Thread: any" and handing over ownership rest on.
const _: () = {
    const fn is_sync<T: Sync>() {}
    const fn is_send<T: Send>() {}
    is_sync::<Observer>();
    is_sync::<Clock>();
    is_send::<Breaker>();
};

/// Makes a breaker. Allocates all that it will ever use; the first in a process also calibrates the time stamp counter,
/// which takes up to 200 ms. So make breakers at start-up.
///
/// @param config  The settings; NULL = the defaults.
/// @param out     Where the breaker goes; NULL goes there if there is an error. Must not be NULL.
/// @return        CB_STATUS_OK, or CB_STATUS_NULL_POINTER, CB_STATUS_STRUCT_SIZE, CB_STATUS_OUT_OF_RANGE or
///                CB_STATUS_UNKNOWN_SETTING; cb_error_text() then says which setting, and what is legal.
///
/// Thread: any, with 64 KiB of stack; the caller becomes the owner. The breaker is to be given to cb_destroy.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cb_create(config: *const cb_config, out: *mut *mut cb_breaker) -> cb_status {
    guard(|| {
        if out.is_null() {
            return Err(Failure::null("out"));
        }
        // SAFETY: by the caller.
        unsafe { out.write(ptr::null_mut()) };
        // SAFETY: by the caller.
        let config = unsafe { read_or_default(config) }?;
        let breaker = Breaker::new(config)?;
        // SAFETY: by the caller.
        unsafe { hand_out(breaker, out) };
        Ok(())
    })
}

/// # Safety
/// `out` is valid for writing.
pub(super) unsafe fn hand_out(breaker: Breaker, out: *mut *mut cb_breaker) {
    let breaker = cb_breaker {
        observer: breaker.observer(),
        gate: breaker.gate_unshared(),
        clock: breaker.clock().clone(),
        standing: AtomicStanding::new(Standing::Owned),
        thread: ThreadCheck::new(),
        owner: Owner::new(breaker),
    };
    // Counted, as a supervisor that has it on its list needs the handle's memory, whatever becomes of the breaker.
    // SAFETY: by the caller.
    unsafe { out.write(Arc::into_raw(Arc::new(breaker)).cast_mut()) };
}

/// Ends a breaker. What cb_gate_of gave must not be read any more; readers of its events may go on to read what it left,
/// and lanes refuse from now on, unheard.
///
/// If a supervisor has it on its list, this is still clean. While that doesn't run, the breaker ends here as ever, and the
/// supervisor can't be started any more (CB_STATUS_NOT_NOW). While it runs, the breaker ends when it stops; that counts as
/// misused, as nobody can tell any more whether the breaker is in use.
///
/// @param breaker  From cb_create or cb_create_shared, and not destroyed before. NULL is fine.
///
/// Thread: owner, when no other thread uses the breaker any more, nor its gate but by a lane.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cb_destroy(breaker: *mut cb_breaker) {
    if !breaker.is_null() {
        // SAFETY: by the caller.
        unsafe { cb_breaker::destroy(breaker) };
    }
}

/// Passes ownership on: the next thread that calls what says "Thread: owner" is the owner. Only a checked build takes note of
/// it; what orders memory between the two threads is up to the caller in any build.
///
/// @param breaker  NULL is fine: nothing happens. Nor does anything while a supervisor owns it, but that counts as misused.
///
/// Thread: owner.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cb_hand_over(breaker: *mut cb_breaker) {
    if !breaker.is_null() {
        // SAFETY: by the caller.
        unsafe { cb_breaker::hand_over(breaker) };
    }
}

/// Reads the settings in force, to be changed and given to cb_reconfigure, say.
///
/// @param breaker  NULL is fine: nothing happens. Nor does anything while a supervisor owns it, but that counts as misused.
/// @param out      Where they go. Its struct_size must be set (to sizeof *out). NULL is fine: nothing happens.
///
/// Thread: owner.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cb_get_config(breaker: *const cb_breaker, out: *mut cb_config) {
    if breaker.is_null() || out.is_null() {
        return;
    }
    // SAFETY: by the caller.
    if let Some(owner) = unsafe { cb_breaker::owner_or_count(breaker) } {
        // SAFETY: by the caller.
        unsafe { write_out(out, &cb_config::from_config(owner.config())) };
    }
}

/// Changes the settings; state, window, attempt and calls in flight survive. A new threshold recounts the window and the
/// overdue calls at once, and is judged by at the next sample. A pause under way keeps its deadline, and a half-open
/// epoch its recovery, probes and trials_in_flight. jitter_seed is not used again.
///
/// @param breaker  Must not be NULL.
/// @param config   All settings: those that are not to change as they are (see cb_get_config). Must not be NULL.
/// @return         As cb_create, and CB_STATUS_FIXED_SETTING if window_len, max_in_flight or start differ from the
///                 breaker's; CB_STATUS_NOT_NOW while a supervisor owns it. If it isn't CB_STATUS_OK nothing was changed.
///
/// Thread: owner.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cb_reconfigure(breaker: *mut cb_breaker, config: *const cb_config) -> cb_status {
    // SAFETY: by the caller.
    unsafe { reconfigure(breaker, config, None) }
}

/// cb_reconfigure at a given time. Fires no timers.
///
/// @param now_ns  Nanoseconds on the breaker's clock; before the latest seen they count as that. The rest as cb_reconfigure.
/// @return        As cb_reconfigure.
///
/// Thread: owner.
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
        if breaker.is_null() {
            return Err(Failure::null("breaker"));
        }
        if config.is_null() {
            return Err(Failure::null("config"));
        }
        // SAFETY: by the caller.
        let config = unsafe { read_config(config) }?;
        // SAFETY: by the caller.
        let owner = unsafe { cb_breaker::owner_or_fail(breaker) }?;
        match now_ns {
            Some(now_ns) => owner.reconfigure_at(now_ns, &config)?,
            None => owner.reconfigure(&config)?,
        }
        Ok(())
    })
}

/// When cb_poll will next have work, on the breaker's clock; it may be past.
///
/// @param breaker  NULL is fine: UINT64_MAX. So is that while a supervisor owns it, but that counts as misused.
/// @return         Nanoseconds; UINT64_MAX = at no time.
///
/// Thread: owner.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cb_next_deadline_ns(breaker: *const cb_breaker) -> u64 {
    if breaker.is_null() {
        return u64::MAX;
    }
    // SAFETY: by the caller.
    unsafe { cb_breaker::owner_or_count(breaker) }.map_or(u64::MAX, |owner| owner.next_deadline_ns())
}

/// The time on the breaker's clock, for the _at functions: nanoseconds from an arbitrary origin, the same for all
/// breakers of a process. Between CPUs it may stand still or go back a little; breakers cope, and so should whoever
/// subtracts two of them.
///
/// @param breaker  Must not be NULL.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cb_now_ns(breaker: *const cb_breaker) -> u64 {
    debug_assert!(!breaker.is_null(), "the breaker is NULL");
    // SAFETY: by the caller. Only the field is borrowed.
    unsafe { &(*breaker).clock }.now_ns()
}
