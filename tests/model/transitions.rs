//! Changes of state, and their events.

use super::{Event, Fate, Model, by_rank};
use trip99::{Reason, State};

impl Model {
    pub(super) fn open(&mut self, reason: Reason) {
        let config = &self.config;
        let pause_ns = |attempt: u32| {
            let factor = u128::from(config.backoff_multiplier).saturating_pow(attempt);
            u128::from(config.backoff_base_ns).saturating_mul(factor).min(u128::from(config.backoff_max_ns)) as u64
        };
        let cap = match config.backoff_multiplier {
            1 => 0,
            _ => (0..).find(|&attempt| pause_ns(attempt) == config.backoff_max_ns).unwrap_or(0),
        };
        let attempt = match (self.attempt, self.state) {
            (None, _) => 0,
            (Some(attempt), State::HalfOpen) => attempt + 1,
            (Some(attempt), _) => {
                let forgiven = (self.latest_ns - self.closed_since_ns) / config.stable_after_ns;
                (u64::from(attempt) + 1).saturating_sub(forgiven) as u32
            }
        };
        let attempt = attempt.min(cap);
        // The gate shuts when a lane's sample is heard, and that may be later than the sample's end.
        self.retry_at_ns = self.latest_ns.max(self.horizon_ns).saturating_add(pause_ns(attempt));
        self.attempt = Some(attempt);
        self.change(State::Open, reason);
    }

    pub(super) fn half_open(&mut self) {
        self.retry_at_ns = u64::MAX;
        self.change(State::HalfOpen, Reason::Retry);
        self.epoch_ns = self.latest_ns;
        self.samples.clear();
        self.runs.clear();
        self.verdicts.clear();
        self.strides = 0;
        for ticket in 0..self.calls.len() {
            if self.calls[ticket].heard && self.calls[ticket].fate == Fate::InFlight {
                self.forget(ticket);
            }
        }
        self.plan = self.config.clone();
        self.epoch += 1;
        (self.pending, self.out, self.noted_out, self.was_idle, self.good) = (0, 0, 0, false, 0);
        self.leased_ns = self.latest_ns;
    }

    pub(super) fn change(&mut self, to: State, reason: Reason) {
        let from = self.state;
        self.state = to;
        self.log(from, reason);
    }

    pub(super) fn log(&mut self, from: State, reason: Reason) {
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
        });
    }
}
