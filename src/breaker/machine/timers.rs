//! Timers, in the order in which they fire, and the first operation.

use super::Machine;
use crate::config::State;
use crate::event::Reason;
use crate::judge::NEVER_NS;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Timer {
    Retry,
    Overdue,
    LateTrial,
    Stall,
    ProbeLost,
}

impl Machine {
    /// Does what is left to the first operation, since only then the time on the caller's clock is known.
    pub(in crate::breaker) fn start(&mut self) {
        if self.started {
            return;
        }
        self.started = true;
        self.previous_ns = self.latest_ns;
        // If the breaker starts half-open, the time for a result begins now. No epoch begins, as nothing was sent before.
        self.trials.begin_lease(self.latest_ns);
        if self.latest_ns < self.created_ns && self.state == State::Open {
            // The owner has a time of its own, and didn't tell it at construction.
            self.retry_at_ns = self.latest_ns.saturating_add(self.retry_at_ns - self.created_ns);
            self.outlet.set_retry_at_ns(self.retry_at_ns);
        }
        self.closed_since_ns = self.latest_ns;
        self.publish();
    }

    pub(in crate::breaker) fn is_timer_due(&self) -> bool {
        self.due_timer().is_some()
    }

    /// The first timer that is due, in the order in which they fire.
    fn due_timer(&self) -> Option<Timer> {
        let due = |deadline_ns: u64| deadline_ns != NEVER_NS && self.latest_ns >= deadline_ns;
        match self.state {
            State::Open => due(self.retry_at_ns).then_some(Timer::Retry),
            State::Closed if due(self.judge.overdue_at_ns()) => Some(Timer::Overdue),
            State::Closed => due(self.judge.stall_at_ns()).then_some(Timer::Stall),
            State::HalfOpen if due(self.judge.late_trial_at_ns()) => Some(Timer::LateTrial),
            State::HalfOpen => due(self.probe_lost_at_ns()).then_some(Timer::ProbeLost),
        }
    }

    pub(in crate::breaker) fn fire_timers(&mut self) {
        while let Some(timer) = self.due_timer() {
            match timer {
                Timer::Retry => self.half_open(),
                Timer::Overdue => {
                    let is_over = self.judge.mark_overdue(self.latest_ns);
                    self.outlet.left(self.judge.window_len());
                    if is_over {
                        self.open(Reason::Latency, 0);
                    }
                }
                Timer::LateTrial => self.open(Reason::ProbeSlow, self.judge.age_of_trial_ns(self.latest_ns)),
                Timer::Stall => self.open(Reason::Stall, self.judge.age_ns(self.latest_ns)),
                Timer::ProbeLost => self.open(Reason::ProbeLost, self.trials.lost_for_ns(self.latest_ns)),
            }
        }
        self.judge.end_calm(); // last, as samples of lanes may have found it
        self.set_wake();
    }
}
