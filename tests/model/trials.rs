//! Trials: who may go, and what the owner knows of those that went.

use super::Model;
use trip99::{Recovery, State};

impl Model {
    /// How many trials were granted in this epoch, as of the owner's latest look.
    pub(crate) fn granted(&self) -> u32 {
        if self.plan.recovery == Recovery::Trials { self.noted_out + self.good } else { 0 }
    }

    pub(super) fn grant(&mut self) -> bool {
        let may_go = self.plan.recovery == Recovery::Trials
            && self.out + self.good < self.plan.probes
            && self.out < self.plan.trials_in_flight;
        self.pending += u32::from(may_go);
        self.out += u32::from(may_go);
        may_go
    }

    /// The call that begins next after a grant has the trial.
    pub(super) fn claim(&mut self) -> bool {
        let trial = self.state == State::HalfOpen && self.pending > 0;
        self.pending -= u32::from(trial);
        trial
    }

    pub(super) fn give_back(&mut self) {
        if self.state == State::HalfOpen {
            self.out -= 1;
            self.was_idle |= self.out == 0;
        }
    }

    /// The owner takes note of the trials that are out. A lease begins when it sees one out, and knows that none was out before.
    pub(super) fn look(&mut self) {
        if self.state == State::HalfOpen {
            if self.out > 0 && (self.noted_out == 0 || self.was_idle) {
                self.leased_ns = self.latest_ns;
            }
            (self.noted_out, self.was_idle) = (self.out, false);
        }
    }
}
