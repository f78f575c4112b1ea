//! What a sample leads to.

use super::{Model, Sample, by_rank};
use trip99::{Reason, Recovery, State};

impl Model {
    /// A latency that is no time is counted, and otherwise ignored.
    pub(super) fn is_no_time(&mut self, latency_ns: u64) -> bool {
        let is_none = latency_ns >= 1 << 63;
        self.misused += u64::from(is_none);
        is_none
    }

    pub(super) fn sample(&mut self, latency_ns: u64, ok: bool, trial: bool) {
        self.recorded += 1;
        self.runs.push((latency_ns > self.spike_limit_ns(), !ok));
        let half_open = self.state == State::HalfOpen;
        let entered = half_open || self.strides.is_multiple_of(u64::from(self.config.sample_every));
        self.strides += u64::from(!half_open);
        if entered {
            self.forget_expired();
            if self.samples.len() == self.config.window_len as usize {
                self.samples.remove(0);
            }
            self.samples.push(Sample { end_ns: self.latest_ns, latency_ns, ok });
            if self.state == State::Closed {
                self.owe(latency_ns);
            }
        }
        match self.state {
            State::Open => {}
            State::HalfOpen if self.plan.recovery == Recovery::Trials => self.result(latency_ns, ok, trial),
            State::HalfOpen => {}
            State::Closed => {
                if let Some(reason) = self.first_rule(entered) {
                    self.open(reason, latency_ns);
                }
            }
        }
    }

    /// A sample enters the window of a closed breaker.
    fn owe(&mut self, latency_ns: u64) {
        self.forget_expired_debt();
        let quantile_ppm = u64::from(self.config.quantile_ppm);
        if latency_ns > self.config.threshold_ns {
            self.debt_ppm += quantile_ppm;
            self.debt_slow_ns = self.latest_ns;
        } else {
            self.debt_ppm = self.debt_ppm.saturating_sub(1_000_000 - quantile_ppm);
        }
    }

    /// Before each change and each verdict.
    fn forget_expired_debt(&mut self) {
        if self.is_expired(self.debt_slow_ns) {
            self.debt_ppm = 0;
        }
    }

    fn first_rule(&mut self, entered: bool) -> Option<Reason> {
        if entered && self.verdict() {
            return Some(Reason::Latency);
        }
        let (samples, _, failed, _) = self.counts();
        let armed = samples >= self.config.min_samples as usize;
        if entered && armed && failed as u128 * 1_000_000 > self.config.failure_rate_ppm as u128 * samples as u128 {
            return Some(Reason::FailureRate);
        }
        let run = |counts: fn(&(bool, bool)) -> bool| self.runs.iter().rev().take_while(|&run| counts(run)).count();
        let reached = |run: usize, limit: u32| limit > 0 && run >= limit as usize;
        if reached(run(|&(_, failed)| failed), self.config.consecutive_failures) {
            return Some(Reason::ConsecutiveFailures);
        }
        reached(run(|&(slow, _)| slow), self.config.spike_count).then_some(Reason::Spike)
    }

    /// Makes a verdict. True if it completes the row that `confirm_verdicts` wants.
    pub(super) fn verdict(&mut self) -> bool {
        if self.config.debt_limit > 0 {
            self.forget_expired_debt();
            let limit_ppm = u64::from(self.config.debt_limit) * u64::from(self.config.quantile_ppm);
            return self.seen_debt_ppm(State::Closed) >= limit_ppm;
        }
        let values = self.values(State::Closed);
        let armed = values.len() >= self.config.min_samples as usize;
        let slow = values.iter().filter(|&&ns| ns > self.config.threshold_ns).count();
        let is_evident = slow >= self.min_slow();
        let quantile = by_rank(values, self.config.quantile_ppm);
        let over = armed && is_evident && quantile.is_some_and(|quantile_ns| quantile_ns > self.config.threshold_ns);
        self.verdicts.push(over);
        let row = self.verdicts.iter().rev().take_while(|&&over| over).count();
        row >= self.config.confirm_verdicts as usize
    }

    /// What is asked for, or the least number of slow ones with which a full window is over, if that is less.
    fn min_slow(&self) -> usize {
        let len = self.config.window_len as usize;
        let is_over =
            |slow: &usize| by_rank([vec![0; len - slow], vec![1; *slow]].concat(), self.config.quantile_ppm) == Some(1);
        let full = (1..=len).find(is_over).expect("a window that is all slow");
        match self.config.min_slow as usize {
            0 => full,
            asked => asked.min(full),
        }
    }

    pub(super) fn result(&mut self, latency_ns: u64, ok: bool, counts: bool) {
        if !ok {
            self.open(Reason::ProbeFailed, latency_ns);
        } else if latency_ns > self.recover_threshold_ns() {
            self.open(Reason::ProbeSlow, latency_ns);
        } else if counts {
            self.out = self.out.saturating_sub(1);
            self.noted_out = self.noted_out.saturating_sub(1);
            self.leased_ns = self.latest_ns;
            self.good += 1;
            if self.good == self.plan.probes {
                self.closed_since_ns = self.latest_ns;
                self.change(State::Closed, Reason::Recovered, self.good.into());
            }
        }
    }
}
