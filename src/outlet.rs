//! The outlet: what others learn of the breaker, and in which order.

mod halting;

use crate::clock::wall_ns;
use crate::config::{Config, State};
use crate::event::Event;
use crate::gate::Bits;
use crate::gate::GateByte;
use crate::halts::Held;
use crate::handle::Handle;
use crate::handles::{Observer, Signature};
use crate::holder::Holder;
#[cfg(feature = "shm")]
use crate::ledger::Epoch;
use crate::ledger::Ledger;
use crate::log::Author;
use crate::page::Page;
#[cfg(feature = "shm")]
use crate::shm::Legacy;
use crate::shm::Link;
use crate::snapshot::Snapshot;
use crate::sync::Ordering;
use crate::tap::{TapRow, TapWriter};

/// The owner publishes its snapshot at each transition, and by polls this often.
const PUBLISH_EVERY_NS: u64 = 1_000_000;
/// A resumer that was caught between two of its steps has done the next by then.
#[cfg(feature = "shm")]
const RESUMES_WITHIN: std::time::Duration = std::time::Duration::from_millis(20);
const OWED: u16 = 1 << 8;

pub(crate) struct Outlet {
    page: Page,
    /// The file that the page is in, if it is in one.
    link: Link,
    /// `None` if the settings want no tap.
    tap: Option<TapWriter>,
    author: Author,
    /// Whether the gate is to show SHADOW.
    shadow: bool,
    /// The gate's byte, as far as the journal knows; or `OWED`, which no byte equals, if the next poll is to look in any case.
    expected: u16,
    /// The word of halts, as far as the journal knows.
    held: Held,
    /// The word of halts as it was at the latest look.
    seen: Held,
    /// The number of the latest entry of the operators' log that is journaled, or passed over.
    journaled: u64,
    /// Since when the entry after that is missing.
    missing_since_ns: Option<u64>,
    /// How many events the journal has had.
    events: u64,
    /// The version of the published snapshot.
    published: u64,
    /// Until this time no poll publishes, unless something happens.
    quiet_until_ns: u64,
}

impl Outlet {
    pub(crate) fn new(config: &Config) -> Self {
        let (state, shadow) = (config.start.state(), config.shadow);
        let page = Page::new(state, shadow, config.tap_len);
        Self {
            tap: page.tap().cloned().map(TapWriter::new),
            page,
            link: Link::default(),
            author: Author::this_process(),
            shadow,
            expected: Bits::of(state, shadow).into(),
            held: Held::default(),
            seen: Held::default(),
            journaled: 0,
            missing_since_ns: None,
            events: 0,
            published: 0,
            quiet_until_ns: 0,
        }
    }

    /// Tells of a transition. This is the order in which others learn of it. Who sees the gate open sees its deadline. What takes
    /// long, figures and journal, comes after the gate is shut.
    pub(crate) fn tell(&mut self, event: Event, fill_in: impl FnOnce(&mut Event)) {
        if event.to == State::Open {
            self.set_retry_at_ns(event.retry_at_ns);
        }
        // A gate that somebody else wrote to refuses; it shall not come right by chance.
        if !self.is_foreign(event.from) {
            self.gate().change_state(event.from, event.to);
            self.expected ^= u16::from(event.from as u8 ^ event.to as u8);
        }
        self.journal(event, fill_in);
    }

    /// Journals an event, once its figures are filled in. Its number and its wall time come here. The wall time comes first: the quantile
    /// of a large window takes milliseconds.
    pub(crate) fn journal(&mut self, mut event: Event, fill_in: impl FnOnce(&mut Event)) {
        event.wall_ns = wall_ns();
        fill_in(&mut event);
        event.sequence = self.events;
        self.page.journal().append(self.events, event.words());
        self.events += 1;
    }

    /// Publishes a snapshot.
    pub(crate) fn publish(&mut self, snapshot: &Snapshot) {
        self.published = self.published.wrapping_add(2).max(2);
        self.page.board().status.0.write(self.published, snapshot.words());
        self.quiet_until_ns = snapshot.now_ns.saturating_add(PUBLISH_EVERY_NS - 1);
    }

    /// Tells the settings in force.
    pub(crate) fn set_settings(&self, config: &Config) {
        let board = self.page.board();
        board.life.0.owner_timeout_ns.store(config.owner_timeout_ns, Ordering::Relaxed);
        let version = (board.settings.0.version() & !1).wrapping_add(2).max(2);
        board.settings.0.write(version, config.words());
    }

    /// From now on there are gates or lanes.
    pub(crate) fn set_asked(&self) {
        self.page.board().watchers.0.asked.store(1, Ordering::Release);
    }

    /// Whether there are gates or lanes, of this process or another.
    pub(crate) fn is_asked(&self) -> bool {
        self.page.board().watchers.0.asked.load(Ordering::Relaxed) != 0
    }

    /// A sign of life.
    pub(crate) fn beat(&self) {
        self.page.board().life.0.polls.fetch_add(1, Ordering::Release);
        self.link.beat();
    }

    /// The breaker is about to open, for a pause of this length. To be called before the gate opens.
    pub(crate) fn opening(&self, attempt: u32, pause_ns: u64) {
        self.link.opening(attempt, pause_ns);
    }

    /// How many openings the latch has counted, for the next owner of the page.
    pub(crate) fn set_openings(&self, openings: u32) {
        self.link.set_openings(openings);
    }

    /// Whether somebody holds a halt, or a resume is under way.
    pub(crate) fn is_halted(&self) -> bool {
        self.gate().is_halted() || self.page.board().halts.held().is_any()
    }

    /// The start was to be halted.
    pub(crate) fn halt_at_start(&self) {
        self.halt(Holder::START, "started halted", wall_ns());
    }

    /// Tells how many orders rest at the venue.
    pub(crate) fn set_resting(&self, orders: u64) {
        self.page.board().life.0.resting.store(orders.saturating_add(1), Ordering::Relaxed);
    }

    /// From now on nothing is told, and everything is refused.
    pub(crate) fn fall_silent(&mut self) {
        self.halt(Holder::ENGINE, "", 0);
        self.gate().take_over(State::Open, self.shadow);
        self.journaled = self.page.board().halts.held().count();
        self.settle(State::Open);
        self.quiet_until_ns = u64::MAX;
    }

    /// Whether a poll at this time publishes, though nothing happens.
    #[inline]
    pub(crate) fn is_publication_due(&self, now_ns: u64) -> bool {
        now_ns > self.quiet_until_ns
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

    /// A sample entered the window in the place of the oldest.
    #[inline]
    pub(crate) fn replaced(&mut self, latency_ns: u64) {
        self.link.replaced(latency_ns);
    }

    /// Whether others see each sample: there is a tap, or the page is in a file, where it has a mirror.
    pub(crate) fn shows_samples(&self) -> bool {
        self.tap.is_some() || self.link.has_mirror()
    }

    /// Samples may have left the window, which has `window_len` samples now.
    #[inline]
    pub(crate) fn left(&mut self, window_len: usize) {
        self.link.left(window_len);
    }

    // The tap.

    #[inline]
    pub(crate) fn has_tap(&self) -> bool {
        self.tap.is_some()
    }

    /// Writes a row of the tap, if there is one.
    #[inline]
    pub(crate) fn tap(&mut self, row: TapRow) {
        if let Some(tap) = &mut self.tap {
            tap.write(row);
        }
    }

    // The gate.

    #[inline]
    pub(crate) fn gate(&self) -> &GateByte {
        self.page.gate()
    }

    pub(crate) fn gate_handle(&self) -> Handle<GateByte> {
        self.page.gate.clone()
    }

    /// True unless the gate holds just what the owner put there, halted or not: then nobody may pass.
    pub(crate) fn is_foreign(&self, state: State) -> bool {
        self.gate().bits().is_foreign(state, self.shadow)
    }

    /// True if the byte, and the word of halts, are as the journal knows them.
    #[inline]
    pub(crate) fn is_up_to_date(&self, seen: Bits) -> bool {
        u16::from(seen) == self.expected && self.page.board().halts.is_still(self.held)
    }

    /// To be asked right after a poll: false if somebody halts, or if the byte changed while the poll looked at it.
    #[inline]
    pub(crate) fn may_pass(&self) -> bool {
        self.expected & (OWED | Bits::HALTED) == 0
    }

    pub(crate) fn change_shadow(&mut self, state: State, shadow: bool) {
        if !self.is_foreign(state) {
            self.gate().change_shadow(self.shadow, shadow);
            self.expected = OWED; // the next poll takes note of it
        }
        self.shadow = shadow;
    }

    // Trials, and what others count.

    pub(crate) fn ledger(&self) -> &Ledger {
        &self.page.board().trials.0
    }

    /// What others than the owner have counted: refusals, asks that passed in shadow alone, and misuse.
    pub(crate) fn counts_of_others(&self) -> (u64, u64, u64) {
        let counts = &self.page.board().counts.0;
        let load = |count: &crate::sync::AtomicU64| count.load(Ordering::Relaxed);
        (load(&counts.refused), load(&counts.in_shadow), load(&counts.misused))
    }

    // Beginning and end.

    /// Whether this process owns the page. In the child of a fork it doesn't, if the page is in a file.
    pub(crate) fn is_owners(&self) -> bool {
        self.link.is_owners()
    }

    /// Ends. All handles that this breaker gave refuse from now on, for ever. Handles by the page's path refuse until the next owner. The
    /// end is clean if `is_clean`, if nobody else wrote to the gate, and unless this comes of a panic.
    pub(crate) fn end(&mut self, state: State, is_clean: bool) {
        self.page.set_ended();
        if state != State::Open {
            self.link.ends_in_no_pause();
        }
        let is_own = !self.is_foreign(state);
        if is_own {
            self.gate().change_state(state, State::Open);
        }
        if is_own && is_clean && !std::thread::panicking() {
            self.link.seal(state, self.events);
        }
        if !self.link.end_gate() {
            self.gate().end();
        }
    }

    /// From now on the page is in a file. The gate is as an earlier owner left it, if there was one.
    #[cfg(feature = "shm")]
    pub(crate) fn move_to(&mut self, page: Page, link: Link, legacy: Option<&Legacy>) {
        (self.page, self.link) = (page, link);
        // A page may have room for a tap that these settings don't want.
        self.tap = self.tap.take().and(self.page.tap().cloned()).map(TapWriter::new);
        let Some(legacy) = legacy else { return };
        self.journaled = legacy.journaled;
        self.events = legacy.events;
        self.published = legacy.published & !1; // the next is even, and was never there
    }

    /// Takes over the gate of an earlier owner. It shows this state from now on. A halt that is held stays, and one that is lifted ends.
    /// Returns the last epoch.
    #[cfg(feature = "shm")]
    pub(crate) fn take_over(&mut self, state: State, started: crate::started::Started) -> Option<Epoch> {
        self.link.set_started(started);
        let epoch = self.page.board().take_over();
        self.seen = self.page.board().halts.held();
        // The state comes last, and only after the halts: the gate must not open in between.
        let lost = self.page.desk().lost_halt();
        if lost.is_some() {
            std::thread::sleep(RESUMES_WITHIN);
        }
        if lost.is_some() && self.page.desk().lost_halt() == lost {
            self.halt(Holder::DAMAGE, "a halt was lost that nobody had lifted", wall_ns());
        }
        self.page.board().halts.shut_if_held(self.gate());
        self.gate().take_over(state, self.shadow);
        self.settle(state);
        epoch
    }

    /// Tells a deadline. A restart has one without a transition.
    pub(crate) fn set_retry_at_ns(&self, retry_at_ns: u64) {
        self.page.board().retry_at_ns.0.store(retry_at_ns, Ordering::Release);
    }

    // Handles.

    pub(crate) fn observer(&self) -> Observer {
        Observer { page: self.page.clone() }
    }

    /// The engine's, for handles that this breaker gives.
    pub(crate) fn signature(&self) -> Signature {
        Signature::engine(self.author)
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
        by_debt: false,
        entry: 0,
        settings_before: 0,
        settings_after: 0,
    };

    fn check(open: fn(&mut Outlet)) {
        loom::model(move || {
            let mut outlet = Outlet::new(&Config::default());
            let observer = outlet.observer();
            let owner = loom::thread::spawn(move || open(&mut outlet));
            let is_journaled = observer.page.journal().head() > 0;
            let state = observer.state();
            assert!(!is_journaled || state == Some(State::Open), "journaled before the gate opens");
            if state == Some(State::Open) {
                assert_eq!(load_acquire(&observer.page.board().retry_at_ns.0), 7, "an old deadline");
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
