//! Changes of state, and their events.

use super::{Event, Model, by_rank};
use trip99::{Holder, Reason, State};

impl Model {
    pub(super) fn pause_ns(&self, attempt: u32) -> u64 {
        let factor = u128::from(self.config.backoff_multiplier).saturating_pow(attempt);
        u128::from(self.config.backoff_base_ns).saturating_mul(factor).min(u128::from(self.config.backoff_max_ns))
            as u64
    }

    /// `observed` is what only the caller knows of the reason.
    pub(super) fn open(&mut self, reason: Reason, observed: u64) {
        self.shut(reason, observed);
        self.latch();
    }

    /// The breaker has opened. If it did that too often it is halted.
    pub(super) fn latch(&mut self) {
        if self.config.latch_after == 0 || self.openings < self.config.latch_after {
            return;
        }
        if self.config.shadow {
            self.openings = 0;
            self.log(State::Open, Reason::Latched);
        } else {
            self.halt(Holder::LATCH, "opened as often as latch_after allows");
            self.note_halts();
        }
    }

    pub(super) fn shut(&mut self, reason: Reason, observed: u64) {
        let config = &self.config;
        let cap = match config.backoff_multiplier {
            1 => 0,
            _ => (0..).find(|&attempt| self.pause_ns(attempt) == config.backoff_max_ns).unwrap_or(0),
        };
        let closed_ns = if self.state == State::Closed { self.age_ns(self.closed_since_ns) } else { 0 };
        let openings = if closed_ns >= config.stable_after_ns { 1 } else { self.openings + 1 };
        let attempt = match (self.attempt, self.state) {
            (None, _) => 0,
            (Some(attempt), State::HalfOpen) => attempt + 1,
            (Some(attempt), _) => {
                let forgiven = closed_ns / config.stable_after_ns;
                (u64::from(attempt) + 1).saturating_sub(forgiven) as u32
            }
        };
        let attempt = attempt.min(cap);
        // The gate shuts when a lane's sample is heard, and that may be later than the sample's end.
        self.retry_at_ns = self.latest_ns.max(self.horizon_ns).saturating_add(self.pause_ns(attempt));
        self.attempt = Some(attempt);
        self.openings = openings;
        self.change(State::Open, reason, observed);
    }

    pub(super) fn half_open(&mut self) {
        self.retry_at_ns = u64::MAX;
        self.change(State::HalfOpen, Reason::Retry, 0);
        self.begin_epoch();
        self.plan = self.config.clone();
        self.epoch += 1;
        (self.pending, self.out, self.noted_out, self.was_idle, self.good) = (0, 0, 0, false, 0);
        self.leased_ns = self.latest_ns;
    }

    pub(super) fn change(&mut self, to: State, reason: Reason, observed: u64) {
        let from = self.state;
        self.state = to;
        self.log_because(from, reason, observed);
    }

    /// What the event tells as observed, and the limit. Some reasons are told by what there is, others by what the caller saw.
    fn evidence(&self, from: State, reason: Reason, seen: u64) -> (u64, u64) {
        let config = &self.config;
        let (samples, _, failed, _) = self.counts();
        match reason {
            Reason::Latency if config.debt_limit > 0 => {
                (self.seen_debt_ppm(from), u64::from(config.debt_limit) * u64::from(config.quantile_ppm))
            }
            Reason::Latency => (by_rank(self.values(from), config.quantile_ppm).unwrap_or(0), config.threshold_ns),
            Reason::FailureRate => ((failed * 1_000_000 / samples) as u64, config.failure_rate_ppm.into()),
            Reason::ConsecutiveFailures => {
                let row = self.runs.iter().rev().take_while(|&&(_, failed)| failed).count();
                (row as u64, config.consecutive_failures.into())
            }
            Reason::Spike => (seen, self.spike_limit_ns()),
            Reason::Stall => (seen, config.stall_limit_ns),
            Reason::ProbeFailed => (seen, 0),
            Reason::ProbeSlow => (seen, self.recover_threshold_ns()),
            Reason::ProbeLost => (seen, config.probe_timeout_ns),
            Reason::Recovered => (seen, self.plan.probes.into()),
            Reason::ClockJumped => (seen, 1_000_000_000),
            _ => (0, 0),
        }
    }

    pub(super) fn log(&mut self, from: State, reason: Reason) {
        self.log_because(from, reason, 0);
    }

    pub(super) fn log_because(&mut self, from: State, reason: Reason, seen: u64) {
        let (observed, limit) = self.evidence(from, reason, seen);
        let (samples, slow, failures, _) = self.counts();
        let overdue = self.overdue_ages(from).len();
        self.events.push(Event {
            t_ns: self.latest_ns,
            from,
            to: self.state,
            reason,
            quantile_ns: by_rank(self.values(from), self.config.quantile_ppm).unwrap_or(0),
            samples: (samples + overdue) as u32,
            slow: (slow + overdue) as u32,
            overdue: overdue as u32,
            failures: failures as u32,
            attempt: self.attempt(),
            retry_at_ns: self.retry_at_ns,
            owner_gap_ns: if self.started { self.latest_ns - self.previous_ns } else { 0 },
            observed,
            limit,
            by_debt: reason == Reason::Latency && self.config.debt_limit > 0,
            entry: 0,
        });
    }
}
