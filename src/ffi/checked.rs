//! With the feature `checked`: which thread a handle belongs to, and an end to the process when another one uses it.
//!
//! Without the feature a check has no size, and checks nothing.

#[cfg(feature = "checked")]
use core::cell::Cell;
#[cfg(feature = "checked")]
use core::sync::atomic::{AtomicU32, AtomicU64, Ordering};

/// What is checked, for the message: as in "an owner's function of breaker", and how to do it right.
#[cfg_attr(not(feature = "checked"), expect(dead_code, reason = "there is no message"))]
pub(super) struct Checked {
    pub(super) function: &'static str,
    pub(super) advice: &'static str,
}

/// Of one handle, or of a part of it that is one thread's at a time. Belongs to the thread that uses it first.
pub(super) struct ThreadCheck {
    /// A thread's [`own_id`]; 0 = nobody's yet.
    #[cfg(feature = "checked")]
    bound: AtomicU64,
}

#[cfg(not(feature = "checked"))]
const _: () = assert!(size_of::<ThreadCheck>() == 0);

impl ThreadCheck {
    pub(super) const fn new() -> Self {
        Self {
            #[cfg(feature = "checked")]
            bound: AtomicU64::new(0),
        }
    }

    /// This thread uses the handle. Aborts with a message if it is another's.
    #[inline(always)]
    pub(super) fn check<T>(&self, what: &Checked, handle: *const T) {
        #[cfg(feature = "checked")]
        {
            let own = own_id();
            if let Err(bound) = self.bound.compare_exchange(0, own, Ordering::AcqRel, Ordering::Acquire)
                && bound != own
            {
                let (thread, owner) = (tid(own), tid(bound));
                abort(what, handle.cast(), format_args!("by thread {thread}, but it is thread {owner}'s"));
            }
        }
        #[cfg(not(feature = "checked"))]
        let _ = (what, handle);
    }

    /// The next thread to use it has it.
    #[inline(always)]
    pub(super) fn hand_over(&self) {
        #[cfg(feature = "checked")]
        self.bound.store(0, Ordering::Release);
    }

    /// From now on it is this thread's.
    #[inline(always)]
    pub(super) fn take_over(&self) {
        #[cfg(feature = "checked")]
        self.bound.store(own_id(), Ordering::Release);
    }

    /// Aborts, as nobody may use the handle now: `why` completes the sentence.
    #[cfg(feature = "checked")]
    #[cold]
    pub(super) fn refuse<T>(&self, what: &Checked, handle: *const T, why: &str) -> ! {
        let (thread, owner) = (tid(own_id()), tid(self.bound.load(Ordering::Acquire)));
        abort(what, handle.cast(), format_args!("by thread {thread} {why} (before, it was thread {owner}'s)"));
    }
}

#[cfg(feature = "checked")]
#[cold]
#[inline(never)]
fn abort(what: &Checked, handle: *const (), who: core::fmt::Arguments<'_>) -> ! {
    use std::io::Write;
    let Checked { function, advice } = what;
    // Whether or not there is anybody to read it.
    let _ = writeln!(std::io::stderr(), "trip99: {function} {handle:p} was called {who}: {advice}");
    std::process::abort()
}

/// Another one for each thread that this process ever has, as numbers of ended threads are given out again by the system. The
/// lower half is the system's number all the same, as debuggers show it. Never 0.
#[cfg(feature = "checked")]
fn own_id() -> u64 {
    static LATEST: AtomicU32 = AtomicU32::new(0);
    thread_local! {
        static OWN: Cell<u64> = const { Cell::new(0) };
    }
    OWN.with(|own| {
        if own.get() == 0 {
            let number = LATEST.fetch_add(1, Ordering::Relaxed).wrapping_add(1);
            own.set(u64::from(number) << 32 | u64::from(system_tid(number)));
        }
        own.get()
    })
}

#[cfg(feature = "checked")]
fn tid(id: u64) -> u32 {
    id as u32
}

#[cfg(all(feature = "checked", target_os = "linux"))]
fn system_tid(_number: u32) -> u32 {
    // SAFETY: it takes no arguments and can't fail: it only reads the number that the kernel gave this thread.
    unsafe { libc::gettid() }.cast_unsigned()
}

#[cfg(all(feature = "checked", not(target_os = "linux")))]
fn system_tid(number: u32) -> u32 {
    number
}

#[cfg(all(test, feature = "checked"))]
mod tests {
    use super::*;

    const WHAT: Checked = Checked { function: "a test's function of handle", advice: "don't" };

    #[test]
    fn each_thread_has_an_id_and_keeps_it() {
        let own = own_id();
        assert_eq!((own_id(), own != 0), (own, true));
        assert_ne!(std::thread::spawn(own_id).join().unwrap(), own);
    }

    #[test]
    fn a_handle_may_be_handed_over() {
        let check = ThreadCheck::new();
        let use_it = || check.check(&WHAT, &raw const check);
        use_it();
        use_it();
        check.hand_over();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                use_it();
                check.hand_over();
            });
        });
        use_it();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                check.take_over();
                use_it();
            });
        });
    }
}
