//! Time, and what is due.

use super::{Call, Fate, Model};
use trip99::{Reason, Recovery, State};

impl Model {
    pub(super) fn see(&mut self, now_ns: u64) {
        self.look_at_clock(now_ns);
        self.previous_ns = self.latest_ns;
        self.latest_ns = self.latest_ns.max(now_ns);
        if !self.started {
            self.started = true;
            self.previous_ns = self.latest_ns;
            self.leased_ns = self.latest_ns;
        }
    }

    pub(super) fn fire_timers(&mut self, now_ns: u64) {
        self.see(now_ns);
        self.fire_due_timers();
    }

    fn due_timer(&self) -> Option<Reason> {
        let is_due = |&(at_ns, _): &(u64, Reason)| at_ns <= self.latest_ns && at_ns < u64::MAX;
        self.timers().into_iter().find(is_due).map(|(_, reason)| reason)
    }

    pub(super) fn fire_due_timers(&mut self) {
        if self.shared && self.due_timer().is_some() {
            self.listen(self.latest_ns);
            self.look();
        }
        while let Some(reason) = self.due_timer() {
            match reason {
                Reason::Retry => self.half_open(),
                // The oldest call that isn't overdue becomes overdue, and a verdict is made.
                Reason::Latency => {
                    let waiting = self.calls.iter_mut().filter(|call| call.is_waiting());
                    let oldest = waiting.min_by_key(|call| (call.start_ns, call.table));
                    oldest.expect("a call is due").overdue = true;
                    if self.verdict() {
                        self.open(Reason::Latency, 0);
                    }
                }
                Reason::Stall => self.open(reason, self.age_ns(self.oldest_ns(|_| true).expect("a call stalls"))),
                Reason::ProbeSlow => {
                    self.open(reason, self.age_ns(self.oldest_ns(|call| call.trial).expect("a trial is late")));
                }
                reason => self.open(reason, self.age_ns(self.leased_ns)),
            }
        }
    }

    /// The start of the oldest call of these.
    fn oldest_ns(&self, wanted: fn(&Call) -> bool) -> Option<u64> {
        self.in_flight().filter(|call| wanted(call)).map(|call| call.start_ns).min()
    }

    /// The deadlines of this state, in the order in which they are looked at.
    pub(super) fn timers(&self) -> Vec<(u64, Reason)> {
        let oldest = |wanted: fn(&Call) -> bool| self.oldest_ns(wanted);
        let after = |start_ns: Option<u64>, limit_ns: u64| {
            start_ns.map_or(u64::MAX, |start_ns| start_ns.saturating_add(limit_ns))
        };
        match self.state {
            State::Open => vec![(self.retry_at_ns, Reason::Retry)],
            State::Closed => {
                let overdue_ns = match self.config.sample_every {
                    1 => after(oldest(Call::is_waiting), self.config.threshold_ns.saturating_add(1)),
                    _ => u64::MAX,
                };
                let stall_ns = match self.config.stall_limit_ns {
                    0 => u64::MAX,
                    limit_ns => after(oldest(|_| true), limit_ns),
                };
                vec![(overdue_ns, Reason::Latency), (stall_ns, Reason::Stall)]
            }
            State::HalfOpen => {
                let late_ns = after(oldest(|call| call.trial), self.recover_threshold_ns().saturating_add(1));
                let awaited = self.noted_out > 0 || self.plan.recovery == Recovery::HealthChecks;
                let lost_ns =
                    if awaited { self.leased_ns.saturating_add(self.config.probe_timeout_ns) } else { u64::MAX };
                vec![(late_ns, Reason::ProbeSlow), (lost_ns, Reason::ProbeLost)]
            }
        }
    }
}

impl Call {
    /// The call is in flight, and neither a trial nor overdue yet.
    fn is_waiting(&self) -> bool {
        self.tracked && self.heard && self.fate == Fate::InFlight && !self.trial && !self.overdue
    }
}
