//! Asks that aren't answered by the gate's byte alone, and the trials that they are granted.

use super::Machine;
use crate::config::State;
use crate::ledger::{Epoch, Ledger};
use crate::trials::Trials;

impl Machine {
    /// The gate's byte isn't 0, and the gate is neither halted nor foreign.
    pub(in crate::breaker) fn allow(&mut self) -> bool {
        let passes = match self.state {
            State::Closed => true,
            State::Open => false,
            State::HalfOpen => self.with_trials(Trials::take),
        };
        let in_shadow = !passes && self.config.shadow;
        self.refused_in_shadow += u64::from(in_shadow);
        if !passes && !in_shadow {
            self.refuse();
        }
        passes || in_shadow
    }

    /// An ask is refused.
    #[inline]
    pub(in crate::breaker) fn refuse(&mut self) {
        self.refused += 1;
        if self.outlet.has_tap() {
            self.tap_refused();
        }
    }

    /// Does something with the trials, if the breaker is half-open. Otherwise false.
    #[cold]
    pub(super) fn with_trials(&mut self, what: impl FnOnce(&mut Trials, &Ledger, u64) -> bool) -> bool {
        if self.state != State::HalfOpen {
            return false;
        }
        let done = what(&mut self.trials, self.outlet.ledger(), self.latest_ns);
        self.wake_ns = self.wake_ns.min(self.probe_lost_at_ns());
        done
    }

    /// Takes note of the trials that are out.
    pub(in crate::breaker) fn look_at_trials(&mut self) {
        self.with_trials(|trials, ledger, now_ns| {
            trials.look(ledger, now_ns);
            true
        });
    }

    /// A call that begins, or that is recorded without a ticket, takes a grant. True if there was one.
    pub(in crate::breaker) fn claim_trial(&mut self) -> bool {
        self.with_trials(Trials::claim)
    }

    /// Gives back a trial, which has begun or is pending. It counts neither way.
    pub(in crate::breaker) fn give_back_trial(&mut self, has_begun: bool) {
        let was_pending = self.with_trials(|trials, ledger, now_ns| trials.give_back(has_begun, ledger, now_ns));
        if was_pending {
            self.tap_withdrawn(self.latest_ns);
        }
    }

    /// Whether the trial that a lane claimed as a call began is of this epoch.
    pub(in crate::breaker) fn is_trial(&mut self, claimed: Option<Epoch>) -> bool {
        self.with_trials(|trials, ledger, now_ns| {
            let is_trial = trials.is_of_epoch(claimed);
            if is_trial {
                trials.look(ledger, now_ns);
            }
            is_trial
        })
    }

    /// The call that claimed a trial is not of this epoch: the next call may have the trial.
    pub(in crate::breaker) fn unclaim(&self, claimed: Option<Epoch>) {
        if let Some(epoch) = claimed {
            self.outlet.ledger().unclaim(epoch);
        }
    }
}
