//! Leases: a page that a fleet has leased refuses when the lease has run out.
//!
//! An agent on the host writes to the page when its lease ends, by CLOCK_MONOTONIC. Only the warden of the owner's process acts on that. So
//! an agent that is dead, stopped or cut off halts alike.
//!
//! ```text
//!  the owner's warden, at each look
//!  1 reads the word of halts
//!  2 reads when the lease ends
//!  3 if it has ended: halts as `fleet-lease`, if that isn't held, or if the lease was in force at the look before
//!    if it has been in force for 10 s, at each look: lifts `fleet-lease`, if the word is still the one that it read
//! ```
//!
//! The halt at the beginning of each lapse raises the count, also where it is held: the warden of an earlier owner, which was held up between
//! its steps, then lifts nothing.

use super::link::monotonic_ns;
use super::observer::file_check;
use crate::clock::wall_ns;
use crate::handles::{Gate, Observer, Signature};
use crate::holder::Holder;
use crate::log::Author;
use crate::page::Page;
use crate::sync::{Ordering, load_acquire};
use crate::warden::{Check, Finding};

/// A lease must have been in force for so long before its halt is lifted.
const PROVEN_NS: u64 = 10_000_000_000;

const RAN_OUT: &str = "the fleet's lease ran out: its agent is gone, or is cut off";
const BACK: &str = "the fleet's lease has been in force for 10 s";

/// What the owner's warden knows of the lease.
#[derive(Default)]
struct Watch {
    /// Since when each look has found the lease in force.
    in_force_since_ns: Option<u64>,
    /// The latest look found that the lease had ended.
    has_lapsed: bool,
}

impl Watch {
    fn look(&mut self, page: &Page, signature: &Signature, now_ns: u64) {
        let held = page.board().halts.held();
        let ends_ns = load_acquire(&page.board().watchers.0.lease_ends_ns);
        let is_held = page.slot(Holder::FLEET_LEASE).is_some_and(|slot| held.has(slot));
        if ends_ns == 0 {
            *self = Self::default();
        } else if now_ns >= ends_ns {
            if !is_held || !self.has_lapsed {
                page.halt(&signature.act(Holder::FLEET_LEASE, RAN_OUT, wall_ns()));
            }
            *self = Self { in_force_since_ns: None, has_lapsed: true };
        } else {
            self.has_lapsed = false;
            let since_ns = *self.in_force_since_ns.get_or_insert(now_ns);
            if is_held
                && now_ns.saturating_sub(since_ns) >= PROVEN_NS
                && let Some(slot) = page.slot(Holder::FLEET_LEASE)
            {
                // If somebody halted meanwhile the next look tries again.
                let _ = page.resume_from(held, slot, &signature.act(Holder::FLEET_LEASE, BACK, wall_ns()));
            }
        }
    }
}

/// What the warden of the owner's process looks at: the file, and the lease.
pub(crate) fn owners_check() -> Check {
    let (mut file, mut watch) = (file_check(), Watch::default());
    let signature = Signature::engine(Author::this_process());
    Box::new(move |page| {
        let found = file(page);
        if !matches!(found, Some(Finding::CutOff | Finding::NoOwner)) {
            page.board().watchers.0.warden_looks.fetch_add(1, Ordering::Release);
            watch.look(page, &signature, monotonic_ns());
        }
        found
    })
}

/// A new owner, before it opens: nobody passes before the warden's first look, either.
pub(crate) fn hold_if_lapsed(page: &Page, signature: &Signature) {
    Watch::default().look(page, signature, monotonic_ns());
}

/// When a page's lease ends, in nanoseconds of CLOCK_MONOTONIC, and who would act on that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Lease {
    /// When it ends; `None` if the page is not leased.
    pub ends_ns: Option<u64>,
    /// How often the warden of the owner's process has looked. While it stands still nobody acts on a lease: the owner has no warden, is
    /// stopped, or is gone.
    pub looks: u64,
}

/// This function is for a page in a file (feature `shm`).
impl Observer {
    /// The page's lease: see [`Gate::lease_until`].
    pub fn lease(&self) -> Lease {
        let watchers = &self.page.board().watchers.0;
        let ends_ns = load_acquire(&watchers.lease_ends_ns);
        Lease { ends_ns: (ends_ns != 0).then_some(ends_ns), looks: load_acquire(&watchers.warden_looks) }
    }
}

/// This function is for a page in a file (feature `shm`).
impl Gate {
    /// Leases the page until this time, in nanoseconds of CLOCK_MONOTONIC ([`shared::monotonic_ns`](crate::shared::monotonic_ns)). It is
    /// for a fleet's agent, which does this again and again.
    ///
    /// When the lease has ended the warden of the owner's process halts, as [`Holder::FLEET_LEASE`], at its next look (250 ms, or a
    /// quarter of `owner_timeout`). It lifts that halt when it has found the lease in force for 10 s. `None` ends the lease for good, and
    /// leaves the halt.
    ///
    /// ```
    /// # #[cfg(target_os = "linux")] {
    /// use trip99::shared::{Halter, monotonic_ns};
    /// use trip99::{Breaker, Config, Start};
    ///
    /// let path = trip99::shared::path(&format!("doc-lease-{}", std::process::id()))?;
    /// # let _ = std::fs::remove_file(&path);
    /// let breaker = Breaker::create_shared(&path, Config::default(), Start::Closed)?;
    ///
    /// // In another process:
    /// let halter = Halter::open(&path)?;
    /// let gate = halter.gate().expect("this version's page");
    /// let ends_ns = monotonic_ns() + 2_000_000_000;
    /// gate.lease_until(Some(ends_ns));
    /// assert_eq!(gate.lease().ends_ns, Some(ends_ns));
    /// # drop(breaker);
    /// # std::fs::remove_file(&path).unwrap();
    /// # }
    /// # Ok::<(), trip99::shared::SharedError>(())
    /// ```
    pub fn lease_until(&self, ends_ns: Option<u64>) {
        let ends_ns = ends_ns.map_or(0, |ends_ns| ends_ns.max(1));
        self.page.board().watchers.0.lease_ends_ns.store(ends_ns, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::State;

    const S: u64 = 1_000_000_000;

    struct Case {
        page: Page,
        watch: Watch,
        signature: Signature,
    }

    impl Case {
        fn new() -> Self {
            let signature = Signature::engine(Author::new(1, 2, 3, "desk-7"));
            Self { page: Page::new(State::Closed, false, 0), watch: Watch::default(), signature }
        }

        fn until(&self, ends_ns: u64) {
            self.page.board().watchers.0.lease_ends_ns.store(ends_ns, Ordering::Relaxed);
        }

        /// Looks, and tells whether the lease's halt is held.
        fn look(&mut self, now_ns: u64) -> bool {
            self.watch.look(&self.page, &self.signature, now_ns);
            self.is_held()
        }

        fn is_held(&self) -> bool {
            let slot = self.page.slot(Holder::FLEET_LEASE).unwrap();
            self.page.board().halts.held().has(slot)
        }

        fn count(&self) -> u64 {
            self.page.board().halts.held().count()
        }
    }

    #[test]
    fn a_page_without_a_lease_is_left_alone() {
        let mut case = Case::new();
        assert!(!case.look(0) && !case.look(u64::MAX) && case.count() == 0);
    }

    #[test]
    fn it_halts_from_the_very_nanosecond_on_and_lifts_after_10_s_in_force() {
        let mut case = Case::new();
        case.until(5 * S);
        assert!(!case.look(S) && !case.look(5 * S - 1) && case.look(5 * S));
        assert!(case.page.gate().is_halted());
        assert!(case.look(6 * S) && case.count() == 1, "a lapse is one halt");
        // In force again; a lapse in between begins the 10 s anew.
        case.until(12 * S);
        assert!(case.look(7 * S) && case.look(12 * S) && case.count() == 2);
        case.until(100 * S);
        assert!(case.look(13 * S) && case.look(23 * S - 1) && !case.look(23 * S));
    }

    #[test]
    fn whoever_lifts_it_while_it_has_lapsed_lifts_it_in_vain() {
        let mut case = Case::new();
        case.until(S);
        assert!(case.look(S));
        case.page.resume(&case.signature.act(Holder::FLEET_LEASE, "break glass", 9));
        assert!(!case.is_held() && case.look(S + 1));
    }

    #[test]
    fn who_ends_the_lease_leaves_the_halt() {
        let mut case = Case::new();
        case.until(S);
        assert!(case.look(S));
        case.until(0);
        assert!(case.look(2 * S) && case.look(30 * S));
    }

    /// The warden of an earlier owner was held up with an old word in its hands.
    #[test]
    fn the_beginning_of_each_lapse_raises_the_count() {
        let mut case = Case::new();
        case.until(S);
        assert!(case.look(S));
        let old = case.page.board().halts.held();
        let slot = case.page.slot(Holder::FLEET_LEASE).unwrap();
        case.watch = Watch::default(); // the next owner's
        assert!(case.look(2 * S));
        let lifted = case.page.resume_from(old, slot, &case.signature.act(Holder::FLEET_LEASE, BACK, 9));
        assert!(lifted.is_err() && case.is_held());
    }

    #[test]
    fn a_halt_of_somebody_else_is_not_touched() {
        let mut case = Case::new();
        case.page.halt(&case.signature.act(Holder::FLEET, "a desk stops", 9));
        case.until(100 * S);
        assert!(!case.look(S) && !case.look(50 * S));
        assert!(case.page.gate().is_halted());
    }
}
