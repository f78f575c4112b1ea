//! A breaker's handle: who has what is the owner's, and how long the handle is there.
//!
//! ```text
//!                    lend                 destroy
//!         Owned ───────────────▶ Lent ───────────────▶ LentAndDestroyed
//!          │ ▲                   │  │                          │
//!          │ └───────────────────┘  │ lose                     │ take_back, lose
//!          │ destroy   take_back    ▼        destroy           ▼
//!          └──────────────────▶   Lost ──────────────────▶ Destroyed
//! ```
//!
//! But when it is Owned, a stand-in is in the breaker's place, which refuses and counts: so what is the owner's may be called
//! by mistake at any time. (By several threads at once, too: see `Breaker::stand_in`. But who calls it while another thread
//! stops the supervisor races with that thread, which is the owner right after.)
//!
//! The memory is there as long as `cb_destroy` hasn't been called, and as long as a supervisor has the breaker on its list.

use super::breaker::cb_breaker;
use super::checked::Checked;
use super::status::{CB_STATUS_NOT_NOW, Failure};
use crate::breaker::Breaker;
use crate::handles::{Gate, Observer};
use core::cell::UnsafeCell;
use core::mem;
use core::sync::atomic::{AtomicU8, Ordering};
use crossbeam_utils::CachePadded;
use std::sync::Arc;

/// For the owner alone, and apart from what other threads read.
pub(super) struct Owner(CachePadded<UnsafeCell<Breaker>>);

impl Owner {
    pub(super) const fn new(breaker: Breaker) -> Self {
        Self(CachePadded::new(UnsafeCell::new(breaker)))
    }
}

// SAFETY: a shared reference to it lets nobody in. The cell is reached by `cb_breaker::owners_part` alone, whose callers are
// unsafe functions that the one owner may call, and a breaker may go from thread to thread, as it is `Send`.
unsafe impl Sync for Owner {}

/// Who has what is the owner's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Standing {
    /// The handle.
    Owned,
    /// A supervisor.
    Lent,
    /// A supervisor, and nobody wants it back.
    LentAndDestroyed,
    /// Nobody: it ended with `cb_destroy`. A supervisor has the handle on its list.
    Destroyed,
    /// Nobody: it went down with a supervisor's thread, or in a start that panicked.
    Lost,
}

const STANDINGS: [Standing; 5] =
    [Standing::Owned, Standing::Lent, Standing::LentAndDestroyed, Standing::Destroyed, Standing::Lost];

pub(super) struct AtomicStanding(AtomicU8);

impl AtomicStanding {
    pub(super) const fn new(standing: Standing) -> Self {
        Self(AtomicU8::new(standing as u8))
    }

    fn get(&self) -> Standing {
        // Nothing else is ever stored.
        STANDINGS.get(usize::from(self.0.load(Ordering::Acquire))).copied().unwrap_or(Standing::Lost)
    }

    /// False, and nothing is changed, if it isn't `from`.
    fn change(&self, from: Standing, to: Standing) -> bool {
        self.0.compare_exchange(from as u8, to as u8, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }
}

/// For the message of a checked build.
const OWNERS: Checked =
    Checked { function: "an owner's function of breaker", advice: "pass it on by cb_hand_over, or use a lane" };

impl cb_breaker {
    /// What the owner works on; a stand-in for it while a supervisor has it.
    ///
    /// # Safety
    /// `breaker` came from `cb_create`, and no other reference to its owner's part is alive: the caller is the owner.
    #[inline]
    pub(super) unsafe fn owner<'a>(breaker: *const Self) -> &'a mut Breaker {
        debug_assert!(!breaker.is_null(), "the breaker is NULL");
        // SAFETY: by the caller.
        unsafe { Self::check_thread(breaker) };
        // SAFETY: by the caller. Only the field is borrowed: other threads may hold references to the others.
        unsafe { &mut *Self::owners_part(breaker) }
    }

    /// What the owner works on, for functions that aren't hot and have no status to return: `None` while a supervisor has it,
    /// which is counted.
    ///
    /// # Safety
    /// As [`owner`](Self::owner).
    #[inline]
    pub(super) unsafe fn owner_or_count<'a>(breaker: *const Self) -> Option<&'a mut Breaker> {
        // SAFETY: by the caller.
        let owner = unsafe { Self::owner_if_there(breaker) };
        if owner.is_none() {
            // SAFETY: by the caller.
            unsafe { Self::count_misuse(breaker) };
        }
        owner
    }

    /// What the owner works on; `None` while a supervisor has it.
    ///
    /// # Safety
    /// As [`owner`](Self::owner).
    #[inline]
    pub(super) unsafe fn owner_if_there<'a>(breaker: *const Self) -> Option<&'a mut Breaker> {
        debug_assert!(!breaker.is_null(), "the breaker is NULL");
        // SAFETY: by the caller.
        unsafe { Self::check_thread(breaker) };
        // SAFETY: by the caller.
        let is_there = unsafe { Self::standing(breaker) }.get() == Standing::Owned;
        // Nobody has a stand-in by this: several threads may be here by mistake.
        // SAFETY: by the caller. Only the field is borrowed: other threads may hold references to the others.
        is_there.then(|| unsafe { &mut *Self::owners_part(breaker) })
    }

    /// What the owner works on, for functions that return a status.
    ///
    /// # Safety
    /// As [`owner`](Self::owner).
    pub(super) unsafe fn owner_or_fail<'a>(breaker: *const Self) -> Result<&'a mut Breaker, Failure> {
        // SAFETY: by the caller.
        unsafe { Self::owner_if_there(breaker) }.ok_or_else(|| {
            // SAFETY: by the caller.
            unsafe { Self::standing_of(breaker) }.failure("the breaker")
        })
    }

    /// The owner passes the breaker on to whichever thread calls next; counted if it has none to pass on.
    ///
    /// # Safety
    /// As [`owner`](Self::owner).
    pub(super) unsafe fn hand_over(breaker: *const Self) {
        // SAFETY: by the caller.
        if unsafe { Self::owner_or_count(breaker) }.is_some() {
            // SAFETY: by the caller. Only the field is borrowed.
            unsafe { &(*breaker).thread }.hand_over();
        }
    }

    /// # Safety
    /// `breaker` isn't NULL, and its memory is there.
    pub(super) unsafe fn standing_of(breaker: *const Self) -> Standing {
        // SAFETY: by the caller.
        unsafe { Self::standing(breaker) }.get()
    }

    /// In a checked build: aborts if this thread isn't the owner. Otherwise nothing.
    ///
    /// # Safety
    /// As [`standing_of`](Self::standing_of).
    #[inline(always)]
    unsafe fn check_thread(breaker: *const Self) {
        // SAFETY: by the caller. Only the field is borrowed.
        let thread = unsafe { &(*breaker).thread };
        #[cfg(feature = "checked")]
        // SAFETY: by the caller.
        if let Some(why) = unsafe { Self::standing(breaker) }.get().why_not() {
            thread.refuse(&OWNERS, breaker, why);
        }
        thread.check(&OWNERS, breaker);
    }

    /// # Safety
    /// As [`standing_of`](Self::standing_of).
    unsafe fn count_misuse(breaker: *const Self) {
        // SAFETY: by the caller. Only the field is borrowed.
        unsafe { &(*breaker).observer }.page.count_misuse();
    }

    /// # Safety
    /// As [`standing_of`](Self::standing_of).
    unsafe fn standing<'a>(breaker: *const Self) -> &'a AtomicStanding {
        // SAFETY: by the caller. Only the field is borrowed.
        unsafe { &(*breaker).standing }
    }

    /// # Safety
    /// As [`standing_of`](Self::standing_of).
    #[inline(always)]
    unsafe fn owners_part(breaker: *const Self) -> *mut Breaker {
        // SAFETY: by the caller. Only the field is borrowed.
        // A shared reference to a cell says nothing of what is in it.
        unsafe { &(*breaker).owner.0 }.get()
    }

    /// # Safety
    /// `breaker` is NULL or came from `cb_create`, and isn't destroyed while the reference is alive.
    #[inline]
    pub(super) unsafe fn observer<'a>(breaker: *const Self) -> Option<&'a Observer> {
        // SAFETY: by the caller. Only the field is borrowed: the owner may hold a unique reference to its own.
        (!breaker.is_null()).then(|| unsafe { &(*breaker).observer })
    }

    /// # Safety
    /// As [`observer`](Self::observer).
    pub(super) unsafe fn gate<'a>(breaker: *const Self) -> Option<&'a Gate> {
        // SAFETY: by the caller. Only the field is borrowed: the owner may hold a unique reference to its own.
        (!breaker.is_null()).then(|| unsafe { &(*breaker).gate })
    }

    /// A stand-in for the breaker of this handle. Allocates.
    ///
    /// # Safety
    /// As [`standing_of`](Self::standing_of).
    unsafe fn stand_in(breaker: *const Self) -> Breaker {
        // SAFETY: by the caller. Only the field is borrowed.
        Breaker::stand_in(&unsafe { &(*breaker).observer }.page)
    }

    /// `cb_destroy`.
    ///
    /// # Safety
    /// `breaker` came from `cb_create`, and either it isn't destroyed so far or a supervisor has it on its list.
    pub(super) unsafe fn destroy(breaker: *const Self) {
        // SAFETY: by the caller, the memory is there, until the count that this function may let go of.
        let standing = unsafe { Self::standing(breaker) };
        // SAFETY: as above.
        unsafe { Self::check_thread(breaker) };
        if standing.change(Standing::Lent, Standing::LentAndDestroyed) {
            // SAFETY: as above.
            unsafe { Self::count_misuse(breaker) };
        } else if standing.change(Standing::Owned, Standing::Destroyed) {
            // SAFETY: by the caller, and this borrows one of the counts without letting go of it.
            let handle = mem::ManuallyDrop::new(unsafe { Arc::from_raw(breaker) });
            if Arc::strong_count(&handle) > 1 {
                // The breaker shall end here, and not with the supervisors that have the handle on their lists.
                // SAFETY: the standing was Owned, so the caller is the owner, and alone has a reference to the part.
                drop(unsafe { mem::replace(&mut *Self::owners_part(breaker), Self::stand_in(breaker)) });
            }
        } else if !standing.change(Standing::Lost, Standing::Destroyed) {
            // Destroyed before: the count that was the caller's is gone.
            // SAFETY: by the caller, a supervisor has it on its list.
            unsafe { Self::count_misuse(breaker) };
            return;
        }
        // SAFETY: it came from `Arc::into_raw`, and the standing, which left Owned, Lent or Lost here, shows that this count
        // has not been let go of.
        unsafe { Arc::decrement_strong_count(breaker) };
    }
}

impl Standing {
    /// What to say of a breaker of this name, when it is wanted, and isn't there.
    pub(super) fn failure(self, name: &str) -> Failure {
        match self {
            Self::Owned | Self::Lent | Self::LentAndDestroyed => Failure::new(
                CB_STATUS_NOT_NOW,
                format_args!(
                    "{name} is with a supervisor, which owns it: stop that by cb_supervisor_stop first, or open a lane by cb_supervisor_lane"
                ),
            ),
            Self::Destroyed => {
                Failure::new(CB_STATUS_NOT_NOW, format_args!("{name} was destroyed: make a supervisor without it"))
            }
            Self::Lost => Failure::new(
                CB_STATUS_NOT_NOW,
                format_args!("{name} went down with a supervisor that panicked: destroy it, and create another"),
            ),
        }
    }

    /// Why what is the owner's may not be called. (That it was lost is no caller's mistake.)
    #[cfg(feature = "checked")]
    fn why_not(self) -> Option<&'static str> {
        match self {
            Self::Owned | Self::Lost => None,
            Self::Lent | Self::LentAndDestroyed => Some("while a supervisor owns it"),
            Self::Destroyed => Some("after cb_destroy"),
        }
    }
}

/// A place on a supervisor's list: keeps the memory of a handle.
#[cfg(not(loom))]
pub(super) struct Listed(*const cb_breaker);

#[cfg(not(loom))]
impl Listed {
    /// # Safety
    /// `breaker` came from `cb_create`, and isn't destroyed.
    pub(super) unsafe fn new(breaker: *const cb_breaker) -> Self {
        // SAFETY: it came from `Arc::into_raw`, and by the caller its count is above 0.
        unsafe { Arc::increment_strong_count(breaker) };
        Self(breaker)
    }

    pub(super) fn is(&self, breaker: *const cb_breaker) -> bool {
        core::ptr::eq(self.0, breaker)
    }

    /// Takes the breaker out; says who has it if it isn't there. What any thread may do stays possible.
    ///
    /// # Safety
    /// If the breaker is there the caller is its owner.
    pub(super) unsafe fn lend(&self) -> Result<Breaker, Standing> {
        let breaker = self.0;
        // SAFETY: its memory is there, by the count of this.
        let standing = unsafe { cb_breaker::standing(breaker) };
        if standing.get() != Standing::Owned {
            return Err(standing.get());
        }
        // SAFETY: as above.
        unsafe { cb_breaker::check_thread(breaker) };
        // Before anything is changed: it allocates.
        // SAFETY: as above.
        let stand_in = unsafe { cb_breaker::stand_in(breaker) };
        if !standing.change(Standing::Owned, Standing::Lent) {
            return Err(standing.get());
        }
        // SAFETY: it was Owned, so by the caller this is the owner's thread, and alone has a reference to the part.
        Ok(unsafe { mem::replace(&mut *cb_breaker::owners_part(breaker), stand_in) })
    }

    /// Puts back what [`lend`](Self::lend) gave. If it was destroyed meanwhile the breaker ends.
    ///
    /// # Safety
    /// The breaker was lent, and hasn't been given back. Nobody calls what is the owner's at the same time.
    pub(super) unsafe fn take_back(&self, owner: Breaker) {
        // SAFETY: the memory is there, by the count of this; and by the caller nobody else has a reference to the part.
        let (part, standing) = unsafe { (&mut *cb_breaker::owners_part(self.0), cb_breaker::standing(self.0)) };
        let stand_in = mem::replace(part, owner);
        // SAFETY: as above. Only the field is borrowed.
        unsafe { &(*self.0).thread }.take_over();
        if !standing.change(Standing::Lent, Standing::Owned) {
            drop(mem::replace(part, stand_in));
            standing.change(Standing::LentAndDestroyed, Standing::Destroyed);
        }
    }

    /// What was lent is gone, and won't come back. The stand-in stays.
    pub(super) fn lose(&self) {
        // SAFETY: the memory is there, by the count of this.
        let standing = unsafe { cb_breaker::standing(self.0) };
        if !standing.change(Standing::Lent, Standing::Lost) {
            standing.change(Standing::LentAndDestroyed, Standing::Destroyed);
        }
    }
}

#[cfg(not(loom))]
impl Drop for Listed {
    fn drop(&mut self) {
        // SAFETY: it came from `Arc::into_raw`, and this count was taken when this was made.
        unsafe { Arc::decrement_strong_count(self.0) };
    }
}
