//! The owner's clock, and when the model believes that it has jumped.

use super::{Fate, Model};
use trip99::{Reason, State};

impl Model {
    /// Takes note of an operation of the owner's that looks at the time.
    pub(super) fn look_at_clock(&mut self, now_ns: u64) {
        let back_ns = self.latest_ns.saturating_sub(now_ns);
        self.far_back.push(back_ns > 1_000_000_000);
        if self.far_back.iter().rev().take(64).filter(|&&is_far| is_far).count() == 8 {
            self.far_back.clear();
            self.jump(now_ns, back_ns);
        }
    }

    fn jump(&mut self, now_ns: u64, back_ns: u64) {
        // What has expired by the old time doesn't come back.
        self.forget_expired();
        for call in 0..self.calls.len() {
            let is_expired = self.is_expired(self.calls[call].start_ns);
            self.calls[call].overdue &= !is_expired;
        }
        (self.latest_ns, self.previous_ns, self.horizon_ns) = (now_ns, now_ns, now_ns);
        self.polled_ns = self.polled_ns.min(now_ns);
        let was_open = self.state == State::Open;
        if was_open {
            self.retry_at_ns = now_ns.saturating_add(self.pause_ns(self.attempt()));
            self.log_because(State::Open, Reason::ClockJumped, back_ns);
        } else {
            self.shut(Reason::ClockJumped, back_ns);
        }
        self.begin_epoch();
        self.lanes.iter_mut().for_each(|lane| lane.latest_ns = 0);
        if !was_open {
            self.latch();
        }
    }

    /// What was sent before says nothing any more.
    pub(super) fn begin_epoch(&mut self) {
        self.epoch_ns = self.latest_ns;
        self.samples.clear();
        self.runs.clear();
        self.verdicts.clear();
        self.debt_ppm = 0;
        self.strides = 0;
        for ticket in 0..self.calls.len() {
            if self.calls[ticket].heard && self.calls[ticket].fate == Fate::InFlight {
                self.forget(ticket);
            }
        }
    }
}
