//! A breaker's life, its settings and its time.

use super::config::{cb_config, read_config, read_or_default};
use super::status::{Failure, cb_status, guard};
use super::structs::write_out;
use crate::breaker::Breaker;
use crate::clock::Clock;
use crate::page::Observer;
use core::cell::UnsafeCell;
use core::mem::ManuallyDrop;
use core::ptr;
use core::sync::atomic::{AtomicBool, Ordering};

/// A breaker for one node. One thread owns it, and alone calls what says "Thread: owner"; ownership may pass to another
/// thread by anything that orders memory (a mutex, a thread's start or join). Other threads may call the rest meanwhile.
pub struct cb_breaker {
    /// For any thread.
    observer: Observer,
    clock: Clock,
    /// A supervisor has what is the owner's: `owner` is moved out.
    lent: AtomicBool,
    /// For the owner alone.
    owner: Owner,
}

/// Apart from what other threads read, by two cache lines.
#[repr(align(128))]
struct Owner(UnsafeCell<ManuallyDrop<Breaker>>);

/// What "Thread: any" and handing over ownership rest on.
const _: () = {
    const fn is_sync<T: Sync>() {}
    const fn is_send<T: Send>() {}
    is_sync::<Observer>();
    is_sync::<Clock>();
    is_send::<Breaker>();
};

impl cb_breaker {
    /// # Safety
    /// `breaker` came from `cb_create`, and no other reference to its owner's part is alive: the caller is the owner.
    #[inline]
    pub(super) unsafe fn owner<'a>(breaker: *const Self) -> &'a mut Breaker {
        debug_assert!(!breaker.is_null(), "the breaker is NULL");
        // SAFETY: by the caller.
        debug_assert!(!unsafe { Self::lent(breaker) }.load(Ordering::Relaxed), "the breaker is with a supervisor");
        // SAFETY: by the caller. Only the field is borrowed: other threads may hold references to the others.
        unsafe { &mut *UnsafeCell::raw_get(&raw const (*breaker).owner.0) }
    }

    /// # Safety
    /// `breaker` isn't NULL, and isn't destroyed while the reference is alive.
    unsafe fn lent<'a>(breaker: *const Self) -> &'a AtomicBool {
        // SAFETY: by the caller. Only the field is borrowed.
        unsafe { &(*breaker).lent }
    }

    /// Moves the owner's part out; `None` if it is out already. What any thread may do stays possible.
    ///
    /// # Safety
    /// As [`owner`](Self::owner).
    #[cfg(not(loom))]
    pub(super) unsafe fn lend(breaker: *const Self) -> Option<Breaker> {
        // SAFETY: by the caller.
        let was_out = unsafe { Self::lent(breaker) }.swap(true, Ordering::Relaxed);
        // SAFETY: by the caller. It was there, and isn't touched before it is back.
        (!was_out).then(|| unsafe { ManuallyDrop::take(&mut *UnsafeCell::raw_get(&raw const (*breaker).owner.0)) })
    }

    /// Moves back what [`lend`](Self::lend) gave.
    ///
    /// # Safety
    /// `breaker` came from `cb_create`, isn't destroyed, and is lent.
    #[cfg(not(loom))]
    pub(super) unsafe fn take_back(breaker: *const Self, owner: Breaker) {
        // SAFETY: by the caller. Nobody touches the field while it is lent.
        unsafe { UnsafeCell::raw_get(&raw const (*breaker).owner.0).write(ManuallyDrop::new(owner)) };
        // SAFETY: by the caller.
        unsafe { Self::lent(breaker) }.store(false, Ordering::Relaxed);
    }

    /// # Safety
    /// `breaker` is NULL or came from `cb_create`, and isn't destroyed while the reference is alive.
    #[inline]
    pub(super) unsafe fn observer<'a>(breaker: *const Self) -> Option<&'a Observer> {
        // SAFETY: by the caller. Only the field is borrowed: the owner may hold a unique reference to its own.
        (!breaker.is_null()).then(|| unsafe { &(*breaker).observer })
    }
}

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
        clock: breaker.clock().clone(),
        lent: AtomicBool::new(false),
        owner: Owner(UnsafeCell::new(ManuallyDrop::new(breaker))),
    };
    // SAFETY: by the caller.
    unsafe { out.write(Box::into_raw(Box::new(breaker))) };
}

/// Ends a breaker. What cb_gate_of gave must not be read any more; readers of its events may go on to read what it left,
/// and lanes refuse from now on, unheard.
///
/// @param breaker  From cb_create or cb_create_shared, and not destroyed before. NULL is fine.
///
/// Thread: owner, when no other thread uses the breaker any more, nor its gate but by a lane.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cb_destroy(breaker: *mut cb_breaker) {
    if !breaker.is_null() {
        // SAFETY: by the caller.
        let mut breaker = unsafe { Box::from_raw(breaker) };
        if !*breaker.lent.get_mut() {
            // SAFETY: it is there, and goes with the box.
            unsafe { ManuallyDrop::drop(breaker.owner.0.get_mut()) };
        }
    }
}

/// Reads the settings in force, to be changed and given to cb_reconfigure, say.
///
/// @param breaker  NULL is fine: nothing happens.
/// @param out      Where they go. Its struct_size must be set (to sizeof *out). NULL is fine: nothing happens.
///
/// Thread: owner.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cb_get_config(breaker: *const cb_breaker, out: *mut cb_config) {
    if !breaker.is_null() && !out.is_null() {
        // SAFETY: by the caller.
        unsafe { write_out(out, &cb_config::from_config(cb_breaker::owner(breaker).config())) };
    }
}

/// Changes the settings; state, window, attempt and calls in flight survive. A new threshold recounts the window and the
/// overdue calls at once, and is judged by at the next sample. A pause under way keeps its deadline, and a half-open
/// epoch its recovery, probes and trials_in_flight. jitter_seed is not used again.
///
/// @param breaker  Must not be NULL.
/// @param config   All settings: those that are not to change as they are (see cb_get_config). Must not be NULL.
/// @return         As cb_create, and CB_STATUS_FIXED_SETTING if window_len, max_in_flight or start differ from the
///                 breaker's. If it isn't CB_STATUS_OK nothing was changed.
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
        let owner = unsafe { cb_breaker::owner(breaker) };
        match now_ns {
            Some(now_ns) => owner.reconfigure_at(now_ns, &config)?,
            None => owner.reconfigure(&config)?,
        }
        Ok(())
    })
}

/// When cb_poll will next have work, on the breaker's clock; it may be past.
///
/// @param breaker  NULL is fine: UINT64_MAX.
/// @return         Nanoseconds; UINT64_MAX = at no time.
///
/// Thread: owner.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cb_next_deadline_ns(breaker: *const cb_breaker) -> u64 {
    if breaker.is_null() {
        return u64::MAX;
    }
    // SAFETY: by the caller.
    unsafe { cb_breaker::owner(breaker) }.next_deadline()
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
