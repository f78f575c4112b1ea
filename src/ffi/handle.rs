//! A breaker's handle: what any thread may touch, what is the owner's, and how long the handle is there.
//!
//! A supervisor takes the owner's part out (see `standing`). A stand-in is in its place meanwhile, which refuses and counts:
//! so an owner's function may be called by mistake at any time. (Several threads may make the mistake at once, too: see
//! `Breaker::stand_in`. But a mistaken call while another thread stops the supervisor races with that thread, which is the
//! owner right after.)
//!
//! The handle's memory is counted. It is there as long as `cb_destroy` hasn't been called, and as long as a supervisor has the
//! breaker on its list.

use super::checked::{Checked, ThreadCheck};
use super::pointers::required;
use super::standing::{AtomicStanding, Standing};
use super::status::Failure;
use crate::breaker::Breaker;
use crate::clock::Clock;
use crate::handles::{Gate, Observer};
use core::cell::UnsafeCell;
use core::mem;
use core::sync::atomic::{AtomicBool, Ordering};
use crossbeam_utils::CachePadded;
use std::sync::Arc;

/// A breaker for one node. One thread owns a breaker, and only that thread calls the functions marked "Thread: owner".
/// Ownership may pass to another thread by anything that orders memory (a mutex, a thread's start or join); a checked build
/// also needs cb_hand_over for that. Other threads may call all other functions meanwhile.
///
/// A supervisor may own a breaker (see cb_supervisor_start). Meanwhile a function marked "Thread: owner" does nothing, and
/// does no harm: if it returns a status, it returns CB_STATUS_NOT_NOW; otherwise the call is counted (misused), and cb_allow
/// refuses. A checked build of the library (cmake/install.sh --checked) aborts with a message instead. It also aborts when
/// a thread that isn't the owner calls such a function.
pub struct cb_breaker {
    /// For any thread.
    gate: Gate,
    /// For any thread.
    pub(super) clock: Clock,
    standing: AtomicStanding,
    /// Only from `cb_destroy_unclean` on.
    ends_uncleanly: AtomicBool,
    thread: ThreadCheck,
    owner: Owner,
}

/// For the owner alone, and apart from what other threads read. A reference to the handle says nothing of what is in the cell,
/// so it may be there beside the owner's.
struct Owner(CachePadded<UnsafeCell<Breaker>>);

// SAFETY: a shared reference to it lets nobody in. The cell is reached by `cb_breaker::owners_part` alone, whose callers are
// unsafe functions that the one owner may call, and a breaker may go from thread to thread, as it is `Send`.
unsafe impl Sync for Owner {}

/// What "Thread: any" and handing over ownership rest on.
const _: () = {
    const fn is_any_threads<T: Send + Sync>() {}
    is_any_threads::<cb_breaker>();
};

/// For the message of a checked build.
const OWNERS: Checked =
    Checked { function: "an owner's function of breaker", advice: "pass it on by cb_hand_over, or use a lane" };

/// Where a `breaker` is asked for: it is NULL or came from `cb_create`, and it isn't destroyed while a reference that it gave is
/// alive. Where the owner's part is asked for, the caller is the owner, too, and has no other reference to that part.
impl cb_breaker {
    /// To be ended by [`destroy`](Self::destroy).
    pub(super) fn hand_out(breaker: Breaker) -> *mut Self {
        let handle = Self {
            gate: breaker.gate_unshared(),
            clock: breaker.clock().clone(),
            standing: AtomicStanding::new(Standing::Owned),
            ends_uncleanly: AtomicBool::new(false),
            thread: ThreadCheck::new(),
            owner: Owner(CachePadded::new(UnsafeCell::new(breaker))),
        };
        Arc::into_raw(Arc::new(handle)).cast_mut()
    }

    /// What the owner works on; a stand-in for it while a supervisor has it.
    ///
    /// # Safety
    /// As above for the owner's part, and `breaker` isn't NULL.
    #[inline]
    pub(super) unsafe fn owner<'a>(breaker: *const Self) -> &'a mut Breaker {
        debug_assert!(!breaker.is_null(), "the breaker is NULL");
        // SAFETY: it isn't NULL, so by the caller it is a handle.
        let handle = unsafe { &*breaker };
        handle.check_thread();
        // SAFETY: by the caller, who is the owner.
        unsafe { &mut *handle.owners_part() }
    }

    /// What the owner works on; `None` for NULL, and while a supervisor has it.
    ///
    /// # Safety
    /// As above for the owner's part.
    #[inline]
    pub(super) unsafe fn owner_if_there<'a>(breaker: *const Self) -> Option<&'a mut Breaker> {
        // SAFETY: by the caller.
        let handle = unsafe { breaker.as_ref() }?;
        handle.check_thread();
        // A reference to a stand-in is never made here: several threads may be here by mistake.
        // SAFETY: by the caller, who is the owner.
        (handle.standing.get() == Standing::Owned).then(|| unsafe { &mut *handle.owners_part() })
    }

    /// [`owner_if_there`](Self::owner_if_there), for functions that have no status to return: counts that a supervisor has it.
    ///
    /// # Safety
    /// As above for the owner's part.
    #[inline]
    pub(super) unsafe fn owner_or_count<'a>(breaker: *const Self) -> Option<&'a mut Breaker> {
        // SAFETY: by the caller.
        let (handle, owner) = unsafe { (breaker.as_ref()?, Self::owner_if_there(breaker)) };
        if owner.is_none() {
            handle.count_misuse();
        }
        owner
    }

    /// [`owner_if_there`](Self::owner_if_there), for functions that return a status.
    ///
    /// # Safety
    /// As above for the owner's part.
    pub(super) unsafe fn owner_or_fail<'a>(breaker: *const Self) -> Result<&'a mut Breaker, Failure> {
        // SAFETY: by the caller.
        let (handle, owner) = unsafe { (required("breaker", breaker)?, Self::owner_if_there(breaker)) };
        owner.ok_or_else(|| handle.standing().failure("the breaker"))
    }

    /// # Safety
    /// As above.
    #[inline]
    pub(super) unsafe fn observer<'a>(breaker: *const Self) -> Option<&'a Observer> {
        // SAFETY: by the caller.
        unsafe { Self::gate(breaker) }.map(|gate| &**gate)
    }

    /// # Safety
    /// As above.
    #[inline]
    pub(super) unsafe fn gate<'a>(breaker: *const Self) -> Option<&'a Gate> {
        // SAFETY: by the caller.
        unsafe { breaker.as_ref() }.map(|handle| &handle.gate)
    }

    /// Passes the breaker on to the thread that calls next; counted if a supervisor has it.
    ///
    /// # Safety
    /// As above for the owner's part.
    pub(super) unsafe fn hand_over(breaker: *const Self) {
        // SAFETY: by the caller.
        if let (Some(handle), Some(_)) = unsafe { (breaker.as_ref(), Self::owner_or_count(breaker)) } {
            handle.thread.hand_over();
        }
    }

    /// What any thread may look at.
    pub(super) fn observer_part(&self) -> &Observer {
        &self.gate
    }

    pub(super) fn standing(&self) -> Standing {
        self.standing.get()
    }

    /// In a checked build: aborts if this thread isn't the owner. Otherwise nothing.
    #[inline(always)]
    fn check_thread(&self) {
        #[cfg(feature = "checked")]
        if let Some(why) = self.standing().why_not() {
            self.thread.refuse(&OWNERS, self, why);
        }
        self.thread.check(&OWNERS, self);
    }

    fn count_misuse(&self) {
        self.gate.page.count_misuse();
    }

    /// Before a breaker ends: whether its end is clean.
    fn mark(&self, breaker: &mut Breaker) {
        if self.ends_uncleanly.load(Ordering::Relaxed) {
            breaker.end_uncleanly();
        }
    }

    #[inline(always)]
    fn owners_part(&self) -> *mut Breaker {
        self.owner.0.get()
    }

    /// A stand-in for the breaker of this handle. Allocates.
    fn stand_in(&self) -> Breaker {
        Breaker::stand_in(&self.gate.page)
    }

    /// The end of the breaker will be unclean, wherever it comes: here or with a supervisor.
    ///
    /// # Safety
    /// As [`destroy`](Self::destroy).
    pub(super) unsafe fn end_uncleanly(breaker: *const Self) {
        // SAFETY: by the caller.
        let handle = unsafe { &*breaker };
        handle.check_thread();
        handle.ends_uncleanly.store(true, Ordering::Relaxed);
    }

    /// `cb_destroy`; at a time of the caller's, if there is one. (A breaker that a supervisor has ends at the supervisor's time.)
    ///
    /// # Safety
    /// `breaker` came from `cb_create`, and either it isn't destroyed so far or a supervisor has it on its list.
    pub(super) unsafe fn destroy(breaker: *const Self, now_ns: Option<u64>) {
        // SAFETY: by the caller the memory is there, until the count that this function may let go of.
        let handle = unsafe { &*breaker };
        handle.check_thread();
        if handle.standing.change(Standing::Lent, Standing::LentAndDestroyed) {
            handle.count_misuse();
        } else if handle.standing.change(Standing::Owned, Standing::Destroyed) {
            // SAFETY: the standing was Owned, so the caller is the owner, and alone has a reference to the part.
            handle.mark(unsafe { &mut *handle.owners_part() });
            // SAFETY: by the caller, and this borrows one of the counts without letting go of it.
            let count = mem::ManuallyDrop::new(unsafe { Arc::from_raw(breaker) });
            if now_ns.is_some() || Arc::strong_count(&count) > 1 {
                // The breaker shall end here, and not with the supervisors that have the handle on their lists.
                // SAFETY: the standing was Owned, so the caller is the owner, and alone has a reference to the part.
                let ended = unsafe { mem::replace(&mut *handle.owners_part(), handle.stand_in()) };
                match now_ns {
                    Some(now_ns) => ended.destroy_at(now_ns),
                    None => drop(ended),
                }
            }
        } else if !handle.standing.change(Standing::Lost, Standing::Destroyed) {
            // Destroyed before: the count that was the caller's is gone.
            handle.count_misuse();
            return;
        }
        // SAFETY: it came from `Arc::into_raw`, and the standing, which left Owned, Lent or Lost here, shows that this count
        // has not been let go of.
        unsafe { Arc::decrement_strong_count(breaker) };
    }
}

/// A place on a supervisor's list: keeps the memory of a handle.
pub(super) struct Listed(Arc<cb_breaker>);

impl Listed {
    /// # Safety
    /// `breaker` came from `cb_create`, and isn't destroyed.
    pub(super) unsafe fn new(breaker: *const cb_breaker) -> Self {
        // SAFETY: it came from `Arc::into_raw`, and by the caller its count is above 0. The count that is added is this one's.
        unsafe {
            Arc::increment_strong_count(breaker);
            Self(Arc::from_raw(breaker))
        }
    }

    pub(super) fn is(&self, breaker: *const cb_breaker) -> bool {
        core::ptr::eq(&raw const *self.0, breaker)
    }

    /// Takes the breaker out; says who has it if it isn't there. What any thread may do stays possible.
    ///
    /// # Safety
    /// If the breaker is there the caller is its owner.
    pub(super) unsafe fn lend(&self) -> Result<Breaker, Standing> {
        let handle = &self.0;
        if handle.standing() != Standing::Owned {
            return Err(handle.standing());
        }
        handle.check_thread();
        let stand_in = handle.stand_in(); // before anything is changed: it allocates
        if !handle.standing.change(Standing::Owned, Standing::Lent) {
            return Err(handle.standing());
        }
        // SAFETY: it was Owned, so by the caller this is the owner's thread, and alone has a reference to the part.
        Ok(unsafe { mem::replace(&mut *handle.owners_part(), stand_in) })
    }

    /// Puts back what [`lend`](Self::lend) gave. If it was destroyed meanwhile the breaker ends.
    ///
    /// # Safety
    /// The breaker was lent, and hasn't been given back. Nobody calls an owner's function at the same time.
    pub(super) unsafe fn take_back(&self, owner: Breaker) {
        // SAFETY: by the caller nobody else has a reference to the part.
        let part = unsafe { &mut *self.0.owners_part() };
        let stand_in = mem::replace(part, owner);
        self.0.thread.take_over();
        if !self.0.standing.change(Standing::Lent, Standing::Owned) {
            self.0.mark(part);
            drop(mem::replace(part, stand_in));
            self.0.standing.change(Standing::LentAndDestroyed, Standing::Destroyed);
        }
    }

    /// What was lent is gone, and won't come back. The stand-in stays.
    pub(super) fn lose(&self) {
        if !self.0.standing.change(Standing::Lent, Standing::Lost) {
            self.0.standing.change(Standing::LentAndDestroyed, Standing::Destroyed);
        }
    }
}
