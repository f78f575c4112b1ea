//! Transitions, what others learn of them, and the halts that the owner takes note of.

use super::Machine;
use super::jump::LIMIT_NS;
use crate::config::{Config, State};
use crate::event::{Event, Reason};
use crate::gate::Bits;
use crate::halts;
use crate::judge::NEVER_NS;
use crate::log::Deed;
use crate::snapshot::Snapshot;
use crate::trials::Trials;

impl Machine {
    #[cold]
    pub(in crate::breaker) fn open(&mut self, reason: Reason, observed: u64) {
        let is_latched = self.shut(reason, observed);
        self.finish_opening(is_latched);
    }

    /// Opens a breaker that isn't open, up to what `finish_opening` does. `observed` is what the event is to tell, unless the judge
    /// knows that. True if the breaker has opened once too often.
    pub(super) fn shut(&mut self, reason: Reason, observed: u64) -> bool {
        let is_closed = self.state == State::Closed;
        let closed_ns = if is_closed { self.latest_ns.saturating_sub(self.closed_since_ns) } else { 0 };
        // A lane may tell of the reason late. The pause begins when the gate shuts.
        let now_ns = self.latest_ns.max(self.horizon_ns);
        let pause_ns = self.backoff.next_pause_ns(closed_ns);
        self.retry_at_ns = now_ns.saturating_add(pause_ns);
        if is_closed {
            self.closed_until_ns = now_ns;
        }
        self.outlet.opening(self.backoff.attempt(), pause_ns);
        self.trials.end_epoch(self.outlet.ledger());
        self.change_state(State::Open, reason, observed);
        let is_latched = self.latch.open(closed_ns, &self.config);
        self.outlet.set_openings(self.latch.openings());
        is_latched
    }

    /// To be called when the new state is complete.
    pub(super) fn finish_opening(&mut self, is_latched: bool) {
        if is_latched {
            self.latch_shut();
        }
        self.publish();
        self.set_wake();
    }

    /// The breaker has opened once too often. The gate is open, so that nobody passes meanwhile.
    #[cold]
    fn latch_shut(&mut self) {
        if self.config.shadow {
            self.latch.reset(); // as if somebody had resumed
            self.journal(self.state, Reason::Latched);
        } else {
            self.outlet.latch();
            self.note_halts();
        }
    }

    /// A pause begins anew. No opening is counted.
    pub(super) fn pause_anew(&mut self) {
        let pause_ns = self.backoff.same_pause_ns();
        self.retry_at_ns = self.latest_ns.saturating_add(pause_ns);
        self.outlet.opening(self.backoff.attempt(), pause_ns);
        self.outlet.set_retry_at_ns(self.retry_at_ns);
    }

    /// As if a rule had held. While open there is nothing to open.
    pub(in crate::breaker) fn trip(&mut self) {
        if self.state != State::Open {
            self.judge.end_calm();
            self.open(Reason::Tripped, 0);
        }
    }

    /// Tests the node: a new epoch begins.
    #[cold]
    pub(super) fn half_open(&mut self) {
        self.retry_at_ns = NEVER_NS;
        self.change_state(State::HalfOpen, Reason::Retry, 0);
        self.tap_forgotten();
        self.judge.begin_epoch(self.latest_ns);
        self.begin_trials();
        self.publish();
        self.set_wake();
    }

    /// Recovers. The window that the trials filled stays.
    #[cold]
    pub(super) fn close(&mut self) {
        self.closed_since_ns = self.latest_ns;
        self.trials.end_epoch(self.outlet.ledger());
        self.change_state(State::Closed, Reason::Recovered, self.trials.good().into());
        self.publish();
        self.set_wake();
    }

    /// The snapshot is to be published when the new state is complete.
    fn change_state(&mut self, to: State, reason: Reason, observed: u64) {
        let from = core::mem::replace(&mut self.state, to);
        let event = self.event(from, reason, observed);
        self.outlet.tell(event, |event| self.judge.fill_in(event, self.config.quantile_ppm));
    }

    /// An event that leads from this state to the present one. Its figures are to be filled in.
    fn event(&self, from: State, reason: Reason, observed: u64) -> Event {
        Event {
            sequence: 0,
            t_ns: self.now_ns(),
            wall_ns: 0,
            from,
            to: self.state,
            reason,
            quantile_ns: 0,
            samples: 0,
            slow: 0,
            overdue: 0,
            failures: 0,
            attempt: self.backoff.attempt(),
            retry_at_ns: self.retry_at_ns,
            owner_gap_ns: if self.started { self.latest_ns - self.previous_ns } else { 0 },
            observed,
            limit: self.limit(reason),
            by_debt: false,
            entry: 0,
            settings_before: 0,
            settings_after: 0,
        }
    }

    /// The limit that what was observed is held against; 0 if there is none.
    fn limit(&self, reason: Reason) -> u64 {
        let config = &self.config;
        match reason {
            Reason::Latency => config.threshold_ns,
            Reason::FailureRate => config.failure_rate_ppm.into(),
            Reason::ConsecutiveFailures => config.consecutive_failures.into(),
            Reason::Spike => config.effective_spike_limit_ns(),
            Reason::Stall => config.stall_limit_ns,
            Reason::ProbeSlow => config.effective_recover_threshold_ns(),
            Reason::ProbeLost => config.probe_timeout_ns,
            Reason::Recovered => self.trials.wanted().into(),
            Reason::ClockJumped => LIMIT_NS,
            _ => 0,
        }
    }

    /// Journals an event that is no transition.
    pub(super) fn journal(&mut self, from: State, reason: Reason) {
        self.journal_because(from, reason, 0);
    }

    /// Journals an event that is no transition, but has been observed.
    pub(super) fn journal_because(&mut self, from: State, reason: Reason, observed: u64) {
        let event = self.event(from, reason, observed);
        self.outlet.journal(event, |event| self.judge.fill_in(event, self.config.quantile_ppm));
    }

    /// Journals a change of the settings, which were these before.
    pub(super) fn journal_change(&mut self, before: &Config) {
        let (settings_before, settings_after) = (before.stable_hash(), self.config.stable_hash());
        let event = Event { settings_before, settings_after, ..self.event(self.state, Reason::Reconfigured, 0) };
        self.outlet.journal(event, |event| self.judge.fill_in(event, self.config.quantile_ppm));
    }

    // Halts.

    /// Journals the halts and resumes that the journal doesn't know, whoever did them.
    #[cold]
    pub(in crate::breaker) fn note_halts(&mut self) {
        self.outlet.settle(self.state); // the gate first: who hears of a resume may pass
        let mut any = false;
        // Threads that halt and resume all the while must not keep the owner here. What is left over is for the next poll.
        for _ in 0..self.outlet.kept_entries() {
            let Some((entry, deed)) = self.outlet.next_entry(self.latest_ns) else { break };
            if deed == (Deed::Resume, halts::LATCH) {
                self.latch.reset();
                self.outlet.set_openings(0);
            }
            let reason = if deed.0 == Deed::Halt { Reason::Halt } else { Reason::Resume };
            let event = Event { entry, ..self.event(self.state, reason, 0) };
            self.outlet.journal(event, |event| self.judge.fill_in(event, self.config.quantile_ppm));
            any = true;
        }
        self.outlet.settle(self.state);
        if any {
            self.publish();
        }
        self.set_wake();
    }

    /// What is left to a poll, after lanes and timers. Either it is time for a sign of life, or the gate isn't as the owner left it:
    /// somebody halted or resumed, found the owner silent, or scribbled on it. `seen` is the gate's byte from before lanes and timers.
    #[cold]
    pub(in crate::breaker) fn look(&mut self, seen: Bits) {
        let was_foreign = self.outlet.repair(self.state);
        let was_silent = seen.is_unwatched() && !was_foreign;
        self.note_halts();
        if was_silent {
            for reason in [Reason::OwnerSilent, Reason::OwnerBack] {
                let owner_gap_ns = self.latest_ns.saturating_sub(self.beat_ns);
                let event = Event { owner_gap_ns, ..self.event(self.state, reason, 0) };
                self.outlet.journal(event, |event| self.judge.fill_in(event, self.config.quantile_ppm));
            }
            self.publish();
        } else if self.outlet.is_publication_due(self.latest_ns) {
            self.publish();
        }
        self.outlet.beat();
        self.beat_ns = self.latest_ns;
        if was_silent {
            // Last, and only if it was set before lanes were heard and timers fired: all that came meanwhile is judged.
            self.outlet.gate().clear_unwatched();
        }
        self.set_wake();
    }

    // What it tells.

    /// The latest time seen; before the first operation the time at construction.
    fn now_ns(&self) -> u64 {
        if self.started { self.latest_ns } else { self.created_ns }
    }

    pub(in crate::breaker) fn snapshot(&self) -> Snapshot {
        let counts = self.judge.live_counts(self.latest_ns, self.state);
        let (dropped, misused) = self.judge.calls.lanes.counts();
        let (refused, refused_in_shadow, misused_by_others) = self.outlet.counts_of_others();
        let of_trials = |count: fn(&Trials) -> u32| if self.state == State::HalfOpen { count(&self.trials) } else { 0 };
        Snapshot {
            state: self.state,
            halted: self.outlet.gate().is_halted(),
            shadow: self.config.shadow,
            armed: self.judge.is_armed(counts),
            clock: self.clock,
            now_ns: self.now_ns(),
            epoch_ns: self.judge.epoch_ns(),
            retry_at_ns: self.retry_at_ns,
            attempt: self.backoff.attempt(),
            samples: counts.samples as u32,
            slow: counts.slow as u32,
            failures: counts.failed as u32,
            overdue: counts.overdue as u32,
            debt_ppm: counts.debt_ppm,
            in_flight: self.judge.calls.len() as u32,
            oldest_start_ns: self.judge.oldest_start_ns(),
            trials_granted: of_trials(Trials::granted),
            trials_out: of_trials(Trials::out),
            trials_good: of_trials(Trials::good),
            recorded: self.judge.recorded(),
            stale: self.stale,
            untracked: self.untracked,
            // Whoever can write to the page can make these overflow.
            refused: self.refused.wrapping_add(refused),
            refused_in_shadow: self.refused_in_shadow.wrapping_add(refused_in_shadow),
            misused: self.misused.saturating_add(misused).saturating_add(misused_by_others),
            dropped: self.dropped.saturating_add(dropped),
            events: self.outlet.events(),
        }
    }

    pub(in crate::breaker) fn publish(&mut self) {
        self.expire();
        self.outlet.publish(&self.snapshot());
    }

    #[inline]
    fn expire(&mut self) {
        self.judge.expire(self.latest_ns);
        self.outlet.left(self.judge.window_len());
    }

    #[inline]
    pub(in crate::breaker) fn quantile_ns(&mut self, quantile_ppm: u32) -> Option<u64> {
        self.expire();
        self.judge.quantile_ns(self.latest_ns, self.state, quantile_ppm)
    }

    // When there is work.

    /// To be called after all that may change when timers are due.
    pub(super) fn set_wake(&mut self) {
        self.first_timer_ns = self.judge.first_deadline_ns(self.state);
        let is_counted = self.far_back.is_any();
        let due_ns = self.next_deadline_ns().min(self.judge.calm_until_ns());
        let has_calm_half = self.started && !is_counted && self.state != State::HalfOpen;
        self.wake_ns = if has_calm_half { due_ns } else { 0 };
    }

    pub(in crate::breaker) fn next_deadline_ns(&self) -> u64 {
        match self.state {
            State::Open => self.retry_at_ns,
            State::Closed => self.judge.overdue_at_ns().min(self.judge.stall_at_ns()),
            State::HalfOpen => self.judge.late_trial_at_ns().min(self.probe_lost_at_ns()),
        }
    }

    /// When the next poll is due as a sign of life: half a timeout after the latest one, at this time.
    pub(in crate::breaker) fn sign_of_life_by_ns(&self, polled_ns: u64) -> u64 {
        match self.config.owner_timeout_ns {
            0 => NEVER_NS,
            timeout_ns => polled_ns.saturating_add(timeout_ns / 2),
        }
    }

    pub(super) fn probe_lost_at_ns(&self) -> u64 {
        self.trials.lost_at_ns(self.config.probe_timeout_ns)
    }

    pub(super) fn begin_trials(&mut self) {
        self.trials.begin_epoch(&self.config, self.outlet.ledger(), self.latest_ns);
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use crate::breaker::Breaker;
    use crate::config::{Config, State};

    /// However long they go on: to publish is for polls, which may be late where a sample may not.
    #[test]
    fn samples_and_calls_publish_nothing_and_the_next_poll_does() {
        let mut breaker = Breaker::new(Config::default()).unwrap();
        let observer = breaker.observer();
        breaker.poll_at(0);
        let published = || observer.page.board().status.0.version();
        let before = published();
        for now_ns in (0..20_000_000).step_by(1000) {
            breaker.record_at(now_ns, 1);
            let call = breaker.begin_at(now_ns);
            breaker.end_at(now_ns + 500, call);
        }
        assert_eq!(published(), before);
        breaker.poll_at(20_000_000);
        assert_eq!(published(), before + 2);
        breaker.poll_at(20_000_001);
        assert_eq!(published(), before + 2, "once a millisecond");
    }

    /// Observers never see a state with the figures of the one before: the snapshot is published once for each transition, when
    /// the new state is complete.
    #[test]
    fn each_transition_publishes_one_snapshot() {
        let config = Config { consecutive_failures: 1, probes: 1, jitter_ppm: 0, ..Config::default() };
        let mut breaker = Breaker::new(config).unwrap();
        let observer = breaker.observer();
        breaker.poll_at(0);
        let published = || observer.page.board().status.0.version();
        let second = 1_000_000_000;
        let mut version = published();
        for round in 0..3 {
            let now_ns = 200 * second * round;
            for (step, (state, at_ns)) in [
                (State::Open, now_ns),
                (State::HalfOpen, now_ns + 100 * second),
                (State::Closed, now_ns + 101 * second),
            ]
            .into_iter()
            .enumerate()
            {
                match state {
                    State::Open => breaker.record_failure_at(at_ns, 0),
                    State::HalfOpen => breaker.poll_at(at_ns),
                    State::Closed => {
                        assert!(breaker.allow_at(at_ns));
                        breaker.record_at(at_ns, 1);
                    }
                }
                // A poll publishes each millisecond, too: that of the ask, before the last transition.
                let expected = if step == 2 { 4 } else { 2 };
                assert!(published() - version <= expected, "{state}: {}", published() - version);
                version = published();
                let snapshot = observer.snapshot().unwrap();
                assert_eq!((snapshot.state, &snapshot), (state, &breaker.snapshot()));
            }
        }
    }
}
