//! The outlet: what others learn of the breaker, and in which order.

use crate::clock::wall_ns;
use crate::config::State;
use crate::event::Event;
use crate::gate::GateByte;
use crate::halts::Halter;
use crate::handles::Observer;
use crate::ledger::{Epoch, Ledger};
use crate::page::{Page, PageHandle};
#[cfg(feature = "shm")]
use crate::shm::Legacy;
use crate::shm::Link;
use crate::snapshot::Snapshot;
use crate::sync::Ordering;

/// The owner publishes its snapshot this often while it is busy, and at each transition.
const PUBLISH_EVERY_NS: u64 = 1_000_000;
/// How many halts that came and went are journaled at a time.
const MAX_PAIRS: i64 = 8;

pub(crate) struct Outlet {
    page: PageHandle,
    /// The file that the page is in, if it is in one.
    link: Link,
    halter: Halter,
    /// Whether the gate is to show SHADOW.
    shadow: bool,
    /// Whether trading is halted, as far as the journal knows.
    halted: bool,
    /// How many flips of HALTED the journal knows.
    flips: u64,
    /// How many events the journal has had.
    events: u64,
    /// The version of the published snapshot.
    published: u64,
    publish_at_ns: u64,
}

impl Outlet {
    pub(crate) fn new(state: State, shadow: bool) -> Self {
        Self {
            page: PageHandle::new(Page::new(state, shadow)),
            link: Link::default(),
            halter: Halter::this_process(),
            shadow,
            halted: false,
            flips: 0,
            events: 0,
            published: 0,
            publish_at_ns: 0,
        }
    }

    /// Tells of a transition. This is the order in which others learn of it. Who sees the gate open sees its deadline. What takes
    /// long, figures and journal, comes after the gate is shut.
    pub(crate) fn tell(&mut self, event: Event, fill_in: impl FnOnce(&mut Event)) {
        if event.to == State::Open {
            self.link.opening(event.attempt);
            self.set_retry_at_ns(event.retry_at_ns);
        }
        // A gate that somebody else wrote to refuses; it shall not come right by chance.
        if !self.is_foreign(event.from) {
            self.gate().change_state(event.from, event.to);
        }
        self.journal(event, fill_in);
    }

    /// Journals an event, once its figures are filled in. Its number and its wall time come here.
    pub(crate) fn journal(&mut self, mut event: Event, fill_in: impl FnOnce(&mut Event)) {
        fill_in(&mut event);
        event.sequence = self.events;
        event.wall_ns = wall_ns();
        self.page.journal.append(self.events, event.words());
        self.events += 1;
    }

    /// Publishes a snapshot.
    pub(crate) fn publish(&mut self, snapshot: &Snapshot) {
        self.published = self.published.wrapping_add(2).max(2);
        self.page.status.0.write(self.published, snapshot.words());
        self.link.beat();
        self.publish_at_ns = snapshot.now_ns.saturating_add(PUBLISH_EVERY_NS);
    }

    pub(crate) fn publish_at_ns(&self) -> u64 {
        self.publish_at_ns
    }

    /// How many events the journal has had.
    pub(crate) fn events(&self) -> u64 {
        self.events
    }

    /// A sample entered the window, which has `window_len` samples now.
    #[inline]
    pub(crate) fn entered(&mut self, latency_ns: u64, window_len: usize) {
        self.link.entered(latency_ns, window_len);
    }

    /// Samples may have left the window, which has `window_len` samples now.
    #[inline]
    pub(crate) fn left(&mut self, window_len: usize) {
        self.link.left(window_len);
    }

    // The gate.

    #[inline]
    pub(crate) fn gate(&self) -> &GateByte {
        &self.page.gate.0
    }

    /// True unless the gate holds just what the owner put there, halted or not: then nobody may pass.
    pub(crate) fn is_foreign(&self, state: State) -> bool {
        self.gate().is_foreign(state, self.shadow)
    }

    /// True if the gate is as the journal knows it.
    #[inline]
    pub(crate) fn is_up_to_date(&self, state: State) -> bool {
        self.gate().shows(state, self.shadow, self.halted)
    }

    pub(crate) fn change_shadow(&mut self, state: State, shadow: bool) {
        if !self.is_foreign(state) {
            self.gate().change_shadow(self.shadow, shadow);
        }
        self.shadow = shadow;
    }

    pub(crate) fn halt(&self, reason: &str) {
        self.page.halts.halt(self.gate(), self.halter, reason);
    }

    /// The breaker opened once too often, and stays out until somebody resumes.
    pub(crate) fn latch(&self) {
        self.halt("opened as often as latch_after allows");
    }

    pub(crate) fn resume(&self) {
        self.page.halts.resume(self.gate());
    }

    /// If somebody scribbled on the gate, puts it right and halts. True if somebody did.
    pub(crate) fn repair(&self, state: State) -> bool {
        let was_foreign = self.is_foreign(state);
        if was_foreign {
            self.page.halts.repair(self.gate(), state, self.shadow, self.halter, wall_ns());
        }
        was_foreign
    }

    /// How many halts and resumes, which take turns, the journal doesn't know. Those that came and went between two looks are
    /// included. Also tells whether the count of them is beyond belief.
    pub(crate) fn unseen_flips(&self) -> (u64, bool) {
        let differs = i64::from(self.gate().is_halted() != self.halted);
        // Who flips the bit counts the flip afterwards, so the count may be one behind.
        let unseen = self.page.halts.flips().wrapping_sub(self.flips).cast_signed();
        let pairs = unseen.saturating_sub(differs) / 2;
        let believed = pairs.clamp(-MAX_PAIRS, MAX_PAIRS);
        ((believed.max(0) * 2 + differs).unsigned_abs(), pairs != believed)
    }

    /// Takes note of the next flip, which is about to be journaled. True if it is a halt.
    pub(crate) fn see_flip(&mut self) -> bool {
        self.halted = !self.halted;
        self.flips = self.flips.wrapping_add(1);
        self.halted
    }

    /// Takes note of all flips so far.
    pub(crate) fn see_all_flips(&mut self) {
        self.flips = self.page.halts.flips();
    }

    // Trials, and what others count.

    pub(crate) fn ledger(&self) -> &Ledger {
        &self.page.trials.0
    }

    /// What others than the owner have counted: refusals, asks that passed in shadow alone, and misuse.
    pub(crate) fn counts_of_others(&self) -> (u64, u64, u64) {
        let counts = &self.page.counts.0;
        let load = |count: &crate::sync::AtomicU64| count.load(Ordering::Relaxed);
        (load(&counts.refused), load(&counts.in_shadow), load(&counts.misused))
    }

    // Beginning and end.

    /// Whether this process owns the page. In the child of a fork it doesn't, if the page is in a file.
    pub(crate) fn is_owners(&self) -> bool {
        self.link.is_owners()
    }

    /// Ends: gates that are left refuse from now on, as nobody watches any more. The end is clean if nobody else wrote to the gate,
    /// and unless this comes of a panic.
    pub(crate) fn end(&mut self, state: State) {
        if !self.is_foreign(state) {
            self.gate().change_state(state, State::Open);
            if !std::thread::panicking() {
                self.link.seal(state, self.events);
            }
        }
    }

    /// The state that an earlier owner of the page left. It is told only once.
    pub(crate) fn take_restart(&mut self) -> Option<State> {
        self.link.take_restart()
    }

    /// Whether the journal knows of a halt that is in force.
    pub(crate) fn knows_halt(&self) -> bool {
        self.halted && self.gate().is_halted()
    }

    /// From now on the page is in a file. The gate is as an earlier owner left it, if there was one.
    #[cfg(feature = "shm")]
    pub(crate) fn move_to(&mut self, page: PageHandle, link: Link, legacy: Option<&Legacy>) {
        (self.page, self.link) = (page, link);
        let Some(legacy) = legacy else { return };
        self.flips = self.page.halts.flips(); // before the bit, as who flips the bit counts the flip afterwards
        self.halted = legacy.halted;
        self.events = legacy.events;
        self.published = legacy.published & !1; // the next is even, and was never there
    }

    /// Takes over the gate of an earlier owner. It shows this state from now on; `attempt` is that of an open one. Returns the last
    /// epoch.
    pub(crate) fn take_over(&self, state: State, attempt: u32) -> Option<Epoch> {
        if state == State::Open {
            self.link.opening(attempt);
        }
        self.page.take_over(state, self.shadow)
    }

    /// Tells a deadline. A restart has one without a transition.
    pub(crate) fn set_retry_at_ns(&self, retry_at_ns: u64) {
        self.page.retry_at_ns.0.store(retry_at_ns, Ordering::Release);
    }

    // Handles.

    pub(crate) fn observer(&self) -> Observer {
        Observer { page: PageHandle::clone(&self.page) }
    }

    pub(crate) fn halter(&self) -> Halter {
        self.halter
    }
}

#[cfg(all(test, loom))]
mod loom_tests {
    use super::*;
    use crate::event::Reason;
    use crate::sync::load_acquire;

    const EVENT: Event = Event {
        sequence: 0,
        t_ns: 0,
        wall_ns: 0,
        from: State::Closed,
        to: State::Open,
        reason: Reason::Spike,
        quantile_ns: 0,
        samples: 0,
        slow: 0,
        overdue: 0,
        failures: 0,
        attempt: 0,
        retry_at_ns: 7,
        owner_gap_ns: 0,
        observed: 0,
        limit: 0,
        entry: 0,
    };

    fn check(open: fn(&mut Outlet)) {
        loom::model(move || {
            let mut outlet = Outlet::new(State::Closed, false);
            let observer = outlet.observer();
            let owner = loom::thread::spawn(move || open(&mut outlet));
            let is_journaled = observer.page.journal.head() > 0;
            let state = observer.state();
            assert!(!is_journaled || state == Some(State::Open), "journaled before the gate opens");
            if state == Some(State::Open) {
                assert_eq!(load_acquire(&observer.page.retry_at_ns.0), 7, "an old deadline");
            }
            owner.join().unwrap();
        });
    }

    /// The order is deadline, gate, journal: who sees one of them sees those before it.
    #[test]
    fn a_transition_becomes_visible_in_order() {
        check(|outlet| outlet.tell(EVENT, |_| {}));
    }

    /// Shows that the model finds what it looks for.
    #[test]
    #[should_panic(expected = "journaled before the gate opens")]
    fn a_journal_before_the_gate_would_be_seen_too_early() {
        check(|outlet| {
            outlet.set_retry_at_ns(7);
            outlet.journal(EVENT, |_| {});
            outlet.gate().change_state(State::Closed, State::Open);
        });
    }

    /// Shows that the model finds what it looks for.
    #[test]
    #[should_panic(expected = "an old deadline")]
    fn a_gate_that_opens_before_its_deadline_is_there_would_show_an_old_one() {
        check(|outlet| {
            outlet.gate().change_state(State::Closed, State::Open);
            outlet.set_retry_at_ns(7);
        });
    }
}
