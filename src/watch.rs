//! Whether the owner is alive, as one watcher sees it.
//!
//! The sign of life is a count that the owner's polls raise. A watcher measures by its own clock for how long the count stands still. If
//! that is as long as `owner_timeout`, nobody judges, and the watcher says so at the gate, at each look: the owner's poll may have cleared
//! the flag on account of a sign of life that was its last.

use crate::page::Page;
use crate::sync::Ordering;

#[derive(Default)]
pub(crate) struct Watch {
    /// The count at the latest look; `None` before the first.
    polls: Option<u64>,
    /// When that count was seen first.
    since_ns: u64,
    /// When the latest look was, and how long after it the next one is due.
    looked_ns: u64,
    spacing_ns: u64,
}

/// A watcher looks so many times in an `owner_timeout`.
const LOOKS: u64 = 8;
/// If the owner may be silent for ever, somebody may change that.
const IDLE_NS: u64 = 125_000_000;

impl Watch {
    #[inline]
    pub(crate) fn is_due(&self, now_ns: u64) -> bool {
        // It is due, too, if the time goes back: one stamp from the far future must not put off the looks for good.
        now_ns.wrapping_sub(self.looked_ns) >= self.spacing_ns
    }

    /// Looks whether the owner has polled since the last look. True if this is the first to find that it is silent.
    #[cold]
    #[inline(never)]
    pub(crate) fn look(&mut self, page: &Page, now_ns: u64) -> bool {
        let life = &page.board().life.0;
        let timeout_ns = life.owner_timeout_ns.load(Ordering::Relaxed);
        self.spacing_ns = if timeout_ns == 0 { IDLE_NS } else { (timeout_ns / LOOKS).max(1) };
        self.looked_ns = now_ns;
        let polls = Some(life.polls.load(Ordering::Acquire));
        // An owner that trades by itself may sleep.
        let is_asked = page.board().watchers.0.asked.load(Ordering::Relaxed) != 0;
        if self.polls != polls || now_ns < self.since_ns || !is_asked {
            (self.polls, self.since_ns) = (polls, now_ns);
        }
        let is_silent = timeout_ns != 0 && now_ns - self.since_ns >= timeout_ns;
        is_silent && !page.has_ended() && page.gate().set_unwatched()
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::config::State;

    fn page(timeout_ns: u64) -> Page {
        let page = Page::new(State::Closed, false, 0);
        page.board().life.0.owner_timeout_ns.store(timeout_ns, Ordering::Relaxed);
        page.board().watchers.0.asked.store(1, Ordering::Relaxed);
        page
    }

    fn is_unwatched(page: &Page) -> bool {
        page.gate().bits().is_unwatched()
    }

    #[test]
    fn an_owner_is_silent_when_its_count_has_stood_still_for_the_timeout() {
        let (page, mut watch) = (page(800), Watch::default());
        assert!(watch.is_due(0) && !watch.look(&page, 1000) && !watch.is_due(1099) && watch.is_due(1100));
        assert!(!watch.look(&page, 1799) && !is_unwatched(&page));
        page.board().life.0.polls.store(7, Ordering::Relaxed);
        assert!(!watch.look(&page, 1800) && !watch.look(&page, 2599) && !is_unwatched(&page));
        assert!(watch.look(&page, 2600) && is_unwatched(&page));
        // At each look, as the owner may clear it and hang again.
        page.gate().clear_unwatched();
        assert!(watch.look(&page, 2700) && is_unwatched(&page) && !watch.look(&page, 2701));
    }

    #[test]
    fn with_0_an_owner_may_be_silent_for_ever() {
        let (page, mut watch) = (page(0), Watch::default());
        assert!(!watch.look(&page, 0) && !watch.look(&page, u64::MAX) && !is_unwatched(&page));
    }

    #[test]
    fn an_owner_without_gates_and_lanes_may_sleep() {
        let (page, mut watch) = (page(10), Watch::default());
        page.board().watchers.0.asked.store(0, Ordering::Relaxed);
        assert!(!watch.look(&page, 0) && !watch.look(&page, 100) && !is_unwatched(&page));
        page.board().watchers.0.asked.store(1, Ordering::Relaxed);
        assert!(!watch.look(&page, 109) && watch.look(&page, 110));
    }

    #[test]
    fn a_clock_that_goes_back_makes_nobody_silent() {
        let (page, mut watch) = (page(10), Watch::default());
        assert!(!watch.look(&page, 1000) && !watch.look(&page, 5) && !watch.look(&page, 14) && watch.look(&page, 15));
    }

    #[test]
    fn a_stamp_from_the_far_future_puts_off_no_look() {
        let (page, mut watch) = (page(800), Watch::default());
        watch.look(&page, 1000);
        for stamp_ns in [u64::MAX, u64::MAX / 2, 1_000_000] {
            page.board().life.0.polls.fetch_add(1, Ordering::Relaxed);
            assert!(watch.is_due(stamp_ns) && !watch.look(&page, stamp_ns));
            assert!(watch.is_due(2000) && !watch.look(&page, 2000) && !watch.is_due(2099));
            assert!(watch.is_due(2800) && watch.look(&page, 2800));
            page.gate().clear_unwatched();
        }
    }

    #[test]
    fn an_ended_owner_is_not_watched() {
        let (page, mut watch) = (page(10), Watch::default());
        page.set_ended();
        assert!(!watch.look(&page, 0) && !watch.look(&page, 100) && !is_unwatched(&page));
    }
}
