//! The cold half: timers, in the order in which they fire, and transitions, with what they publish.

use super::{Breaker, NEVER_NS};
use crate::backoff::Opening;
use crate::config::State;
use crate::in_flight::InFlight;
use crate::inbox::Inbox;
use crate::journal::{Event, Reason};

/// The owner publishes its snapshot this often while it is busy, and at each transition.
const PUBLISH_EVERY_NS: u64 = 1_000_000;
/// So many halts that came and went are journaled at a time.
const MAX_PAIRS: i64 = 8;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Timer {
    Retry,
    Overdue,
    LateTrial,
    Stall,
    ProbeLost,
}

impl Breaker {
    #[cold]
    pub(super) fn fire_timers(&mut self) {
        if let Some(page) = &self.stands_in_for {
            page.count_misuse(); // see `stand_in`
            return;
        }
        if !self.started {
            self.start();
        }
        if self.is_shared && self.due_timer().is_some() {
            self.listen_before_timers();
        }
        while let Some(timer) = self.due_timer() {
            match timer {
                Timer::Retry => self.half_open(),
                Timer::Overdue => {
                    self.mark_overdue();
                    self.expire();
                    if self.rules.is_confirmed_over(self.counts()) {
                        self.open(Reason::Latency);
                    }
                }
                Timer::LateTrial => self.open(Reason::ProbeSlow),
                Timer::Stall => self.open(Reason::Stall),
                Timer::ProbeLost => self.open(Reason::ProbeLost),
            }
        }
        if self.latest_ns >= self.publish_at_ns {
            self.note_halt();
            self.publish();
        }
        self.end_calm(); // last, as samples of lanes may have found it
        self.set_wake();
    }

    /// The first operation: only now is it known what time it is on the caller's clock.
    pub(super) fn start(&mut self) {
        self.started = true;
        self.previous_ns = self.latest_ns;
        // Of a breaker that starts half-open. No epoch begins: nothing was sent before.
        self.trials.begin_lease(self.latest_ns);
        if let Some(from) = self.link.take_restart() {
            self.restart(from);
        }
        self.publish();
    }

    /// The page had an earlier owner, who left it in state `from`. A pause begins anew, on this owner's clock.
    fn restart(&mut self, from: State) {
        if self.state == State::Open {
            self.retry_at_ns = self.latest_ns.saturating_add(self.backoff.same_pause_ns());
            self.page.set_retry_at_ns(self.retry_at_ns);
        }
        self.closed_since_ns = self.latest_ns;
        self.log(from, Reason::Restart);
        if self.halted && self.page.is_halted() {
            self.log(self.state, Reason::Halt); // once more, for who begins to read here
        } else {
            self.note_halt();
        }
    }

    /// The first timer that is due, in the order in which they fire.
    fn due_timer(&self) -> Option<Timer> {
        let due = |deadline_ns: u64| deadline_ns != NEVER_NS && self.latest_ns >= deadline_ns;
        match self.state {
            State::Open => due(self.retry_at_ns).then_some(Timer::Retry),
            State::Closed if due(self.overdue_at_ns()) => Some(Timer::Overdue),
            State::Closed => due(self.stall_at_ns()).then_some(Timer::Stall),
            State::HalfOpen if due(self.late_trial_at_ns()) => Some(Timer::LateTrial),
            State::HalfOpen => due(self.probe_lost_at_ns()).then_some(Timer::ProbeLost),
        }
    }

    /// After whatever may change when timers are due.
    pub(super) fn set_wake(&mut self) {
        let half_open = self.state == State::HalfOpen;
        let limit_ns = if half_open { self.recover_threshold_ns } else { self.config.threshold_ns };
        let stall_ns = if self.config.stall_limit_ns == 0 { NEVER_NS } else { self.config.stall_limit_ns };
        self.first_timer_ns = limit_ns.saturating_add(1).min(stall_ns);
        // The first operation is to `start`.
        self.wake_ns = if self.started { self.next_deadline().min(self.publish_at_ns) } else { 0 };
    }

    // Deadlines; `NEVER_NS` if there is none. Each is meaningful in one state only.

    pub(super) fn overdue_at_ns(&self) -> u64 {
        deadline_ns(self.oldest_ns(InFlight::oldest_waiting_ns), self.config.threshold_ns.saturating_add(1))
    }

    pub(super) fn stall_at_ns(&self) -> u64 {
        match self.config.stall_limit_ns {
            0 => NEVER_NS,
            limit_ns => deadline_ns(self.oldest_ns(InFlight::oldest_ns), limit_ns),
        }
    }

    pub(super) fn late_trial_at_ns(&self) -> u64 {
        deadline_ns(self.oldest_ns(InFlight::oldest_trial_ns), self.recover_threshold_ns.saturating_add(1))
    }

    /// The least of all tables.
    fn oldest_ns(&self, of_table: impl Fn(&InFlight) -> Option<u64>) -> Option<u64> {
        self.tables().filter_map(of_table).min()
    }

    /// The oldest waiting call of all becomes overdue.
    fn mark_overdue(&mut self) {
        let oldest_ns = self.oldest_ns(InFlight::oldest_waiting_ns);
        if let Some(table) = self.tables_mut().find(|table| table.oldest_waiting_ns() == oldest_ns) {
            table.mark_overdue();
        }
    }

    pub(super) fn probe_lost_at_ns(&self) -> u64 {
        self.trials.lost_at_ns(self.config.probe_timeout_ns)
    }

    #[cold]
    pub(super) fn open(&mut self, reason: Reason) {
        let opening = match self.state {
            State::Closed => Opening::Trip { closed_ns: self.latest_ns.saturating_sub(self.closed_since_ns) },
            _ => Opening::Reopen,
        };
        // A lane may tell of it late: the pause begins when the gate shuts.
        let now_ns = self.latest_ns.max(self.horizon_ns);
        self.retry_at_ns = now_ns.saturating_add(self.backoff.next_pause_ns(opening));
        self.link.opening(self.backoff.attempt());
        self.page.set_retry_at_ns(self.retry_at_ns);
        self.page.trials().revoke(self.epoch);
        self.change_state(State::Open, reason);
        self.publish();
        self.set_wake();
    }

    /// Begins a new epoch: what was sent before can neither close the breaker nor reopen it.
    #[cold]
    fn half_open(&mut self) {
        self.retry_at_ns = NEVER_NS;
        self.change_state(State::HalfOpen, Reason::Retry);
        self.epoch_ns = self.latest_ns;
        self.window.clear();
        self.rules.clear();
        self.calls.clear();
        self.inboxes.iter_mut().for_each(Inbox::clear);
        self.stride_left = 0;
        self.plan_trials();
        self.publish();
        self.set_wake();
    }

    /// Keeps the window that the trials filled.
    #[cold]
    pub(super) fn close(&mut self) {
        self.closed_since_ns = self.latest_ns;
        self.page.trials().revoke(self.epoch);
        self.change_state(State::Closed, Reason::Recovered);
        self.publish();
        self.set_wake();
    }

    /// The gate first, then the quantile and the journal.
    fn change_state(&mut self, to: State, reason: Reason) {
        let from = self.state;
        // A gate that somebody else wrote to refuses; it shall not come right by chance.
        if !self.page.is_foreign(from, self.config.shadow) {
            self.page.change_state(from, to);
        }
        self.state = to;
        self.log(from, reason);
    }

    /// Journals halts and resumes, by whomever; also one of each that came and went between two looks.
    #[cold]
    pub(super) fn note_halt(&mut self) {
        let halted = self.page.is_halted();
        // Who flips the bit counts it afterwards, so the count may be one behind.
        let unseen = self.page.flips().wrapping_sub(self.flips).cast_signed();
        let pairs = unseen.saturating_sub(i64::from(halted != self.halted)) / 2;
        for _ in 0..pairs.min(MAX_PAIRS) {
            self.log_halt(!self.halted);
            self.log_halt(!self.halted);
        }
        if halted != self.halted {
            self.log_halt(halted);
        }
        if pairs.unsigned_abs() > MAX_PAIRS.unsigned_abs() {
            self.flips = self.page.flips(); // somebody plays with it
        }
    }

    /// The gate isn't as the owner left it: a halt or a resume, or somebody's scribbling.
    #[cold]
    pub(super) fn look_at_gate(&mut self) {
        let was_foreign = self.page.is_foreign(self.state, self.config.shadow);
        if was_foreign {
            self.page.repair(self.state, self.config.shadow);
        }
        self.note_halt();
        if was_foreign {
            self.flips = self.page.flips(); // who scribbled a halt didn't count it
        }
    }

    fn log_halt(&mut self, halted: bool) {
        self.halted = halted;
        self.flips = self.flips.wrapping_add(1);
        self.log(self.state, if halted { Reason::Halt } else { Reason::Resume });
        self.publish();
    }

    fn log(&mut self, from: State, reason: Reason) {
        self.expire();
        let quantile_ns = self.select(from, self.config.quantile_ppm).unwrap_or(0);
        let overdue = if self.counts_overdue(from) { self.overdue() } else { 0 };
        let (wall_anchor_ns, clock_anchor_ns) = self.wall_anchor_ns;
        self.page.append(Event {
            sequence: self.events,
            t_ns: self.latest_ns,
            wall_ns: wall_anchor_ns.saturating_add_signed(self.latest_ns.wrapping_sub(clock_anchor_ns).cast_signed()),
            from,
            to: self.state,
            reason,
            quantile_ns,
            samples: (self.window.len() + overdue) as u32,
            slow: (self.window.slow() + overdue) as u32,
            overdue: overdue as u32,
            failures: self.window.failed() as u32,
            attempt: self.backoff.attempt(),
            retry_at_ns: self.retry_at_ns,
            owner_gap_ns: if self.started { self.latest_ns - self.previous_ns } else { 0 },
        });
        self.events += 1;
    }

    pub(super) fn publish(&mut self) {
        self.expire();
        self.published = self.published.wrapping_add(2).max(2);
        self.page.publish(self.published, &self.snapshot());
        self.link.beat();
        self.publish_at_ns = self.latest_ns.saturating_add(PUBLISH_EVERY_NS);
    }
}

fn deadline_ns(start_ns: Option<u64>, limit_ns: u64) -> u64 {
    start_ns.map_or(NEVER_NS, |start_ns| start_ns.saturating_add(limit_ns))
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::config::Config;

    fn breaker() -> Breaker {
        let config = Config { consecutive_failures: 1, jitter_ppm: 0, ..Config::default() };
        Breaker::new(config).unwrap_or_else(|error| unreachable!("{error}"))
    }

    #[test]
    fn a_gate_that_somebody_else_wrote_to_refuses_through_every_transition() {
        // Values that this breaker's owner never writes: state 3, SHADOW, the unused bits.
        for bits in (0..=u8::MAX).filter(|bits| bits & 3 == 3 || bits & !0b0111 != 0) {
            let mut breaker = breaker();
            breaker.page.scribble_on_gate(bits);
            assert!(!breaker.allow_at(0), "{bits:#b}");
            breaker.record_failure_at(0, 0);
            assert!(!breaker.allow_at(1) && !breaker.allow_at(1_000_000_000), "{bits:#b} when {:?}", breaker.state);
            assert_eq!(breaker.state, State::HalfOpen);
        }
    }

    #[test]
    fn a_halt_through_the_page_is_journaled_by_the_next_poll() {
        let mut breaker = breaker();
        breaker.page.halt();
        breaker.poll_at(1);
        breaker.page.resume();
        breaker.poll_at(2);
        let events: Vec<_> = breaker.events().map(|event| (event.t_ns, event.reason)).collect();
        assert_eq!(events, [(1, Reason::Halt), (2, Reason::Resume)]);
    }
}

#[cfg(all(test, loom))]
mod loom_tests {
    use super::*;
    use crate::config::Config;
    use crate::sync::Ordering;

    fn check(open: fn(&mut Breaker)) {
        loom::model(move || {
            let config = Config {
                consecutive_failures: 1,
                jitter_ppm: 0,
                window_len: 1,
                min_samples: 1,
                max_in_flight: 1, // each ticket's slot is an atomic
                ..Config::default()
            };
            let mut breaker = Breaker::new(config).unwrap();
            let observer = breaker.observer();
            let owner = loom::thread::spawn(move || open(&mut breaker));
            let journaled = observer.page.head().load(Ordering::Acquire) > 0;
            let state = observer.state();
            assert!(!journaled || state == Some(State::Open), "journaled before the gate opens");
            assert!(state != Some(State::Open) || observer.retry_at_ns() == 1_000_000_000);
            owner.join().unwrap();
        });
    }

    /// Deadline, gate, journal: who sees one of them sees those before it.
    #[test]
    fn a_trip_becomes_visible_in_order() {
        check(|breaker| breaker.open(Reason::Spike));
    }

    /// Shows that the model finds what it looks for.
    #[test]
    #[should_panic(expected = "journaled before the gate opens")]
    fn a_journal_before_the_gate_would_be_seen_too_early() {
        check(|breaker| {
            breaker.log(State::Closed, Reason::Spike);
            breaker.open(Reason::Spike);
        });
    }
}
