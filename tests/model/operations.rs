//! What a caller may do to the model.

use super::{Call, Fate, Model, Ticket};
use trip99::{Config, Holder, Reason, Recovery, State};

impl Model {
    pub(crate) fn allow(&mut self, now_ns: u64) -> bool {
        if self.state == State::Closed && !self.halted && !self.config.shadow {
            return true;
        }
        self.poll(now_ns);
        if self.halted {
            self.refused += 1;
            return false;
        }
        let may_go = match self.state {
            State::Closed => true,
            State::Open => false,
            State::HalfOpen => {
                self.look();
                let granted = self.grant();
                self.look();
                granted
            }
        };
        if !may_go && self.config.shadow {
            self.refused_in_shadow += 1;
        } else if !may_go {
            self.refused += 1;
        }
        may_go || self.config.shadow
    }

    pub(crate) fn begin(&mut self, now_ns: u64) -> Ticket {
        self.fire_timers(now_ns);
        let tracked = self.in_flight().filter(|call| call.table == 0).count() < self.config.max_in_flight as usize;
        self.untracked += u64::from(!tracked);
        self.look();
        let trial = self.claim();
        let (stamp_ns, start_ns) = (now_ns, self.latest_ns);
        let (table, heard, overdue, fate) = (0, true, false, Fate::InFlight);
        self.calls.push(Call { stamp_ns, start_ns, trial, tracked, table, heard, overdue, fate });
        self.calls.len() - 1
    }

    pub(crate) fn finish(&mut self, now_ns: u64, ticket: Ticket, ok: bool) {
        self.fire_timers(now_ns);
        let call = &mut self.calls[ticket];
        let latency_ns = now_ns.saturating_sub(call.stamp_ns);
        let (fate, trial) = (call.fate, call.trial);
        call.fate = Fate::Returned;
        if self.is_no_time(latency_ns) {
            // The ticket is taken back. A trial stays out, and is lost.
        } else if now_ns - latency_ns < self.epoch_ns {
            self.stale += 1;
        } else if fate == Fate::InFlight {
            self.sample(latency_ns, ok, trial);
        } else {
            self.misused += 1;
        }
    }

    pub(crate) fn abandon(&mut self, now_ns: u64, ticket: Ticket) {
        self.see(now_ns);
        let call = &mut self.calls[ticket];
        let (fate, trial, stamp_ns) = (call.fate, call.trial, call.stamp_ns);
        call.fate = Fate::Returned;
        if fate == Fate::InFlight && trial {
            self.give_back();
            self.look();
        } else if fate != Fate::InFlight && stamp_ns >= self.epoch_ns {
            self.misused += 1;
        }
    }

    pub(crate) fn release(&mut self, now_ns: u64) {
        self.see(now_ns);
        if self.claim() {
            self.give_back();
        }
        self.look();
    }

    pub(crate) fn record(&mut self, now_ns: u64, latency_ns: u64, ok: bool) {
        self.fire_timers(now_ns);
        if self.is_no_time(latency_ns) {
            return;
        }
        if now_ns.saturating_sub(latency_ns) < self.epoch_ns {
            self.stale += 1;
            return;
        }
        self.look();
        let trial = self.claim();
        self.sample(latency_ns, ok, trial);
    }

    pub(crate) fn record_probe(&mut self, now_ns: u64, latency_ns: u64, ok: bool) {
        self.fire_timers(now_ns);
        self.take_probe(now_ns, latency_ns, ok);
    }

    pub(super) fn take_probe(&mut self, now_ns: u64, latency_ns: u64, ok: bool) {
        if self.is_no_time(latency_ns) {
            return;
        }
        let wanted = self.state == State::HalfOpen && self.plan.recovery == Recovery::HealthChecks;
        if wanted && now_ns.saturating_sub(latency_ns) >= self.epoch_ns {
            self.result(latency_ns, ok, true);
        } else {
            self.stale += 1;
        }
    }

    pub(crate) fn poll(&mut self, now_ns: u64) {
        self.hear_and_fire_timers(now_ns);
        self.note_halts();
    }

    fn hear_and_fire_timers(&mut self, now_ns: u64) {
        if !self.shared {
            self.fire_timers(now_ns);
            return;
        }
        if self.started {
            self.look_at_clock(now_ns);
        } else {
            self.see(now_ns);
        }
        let horizon_ns = self.latest_ns.max(now_ns);
        self.polled_ns = horizon_ns;
        self.previous_ns = self.latest_ns;
        self.listen(horizon_ns);
        self.latest_ns = horizon_ns;
        self.look();
        self.fire_due_timers();
    }

    /// The owner's own halt, in this name.
    pub(crate) fn halt_at(&mut self, now_ns: u64, holder: Holder, reason: &str) {
        self.see(now_ns);
        self.halt(holder, reason);
        self.note_halts();
    }

    /// The owner looks at once, whatever there was to lift.
    pub(crate) fn resume_at(&mut self, now_ns: u64, holder: Holder) -> (bool, bool) {
        self.see(now_ns);
        let resumed = self.resume(holder);
        self.note_halts();
        resumed
    }

    pub(crate) fn trip(&mut self, now_ns: u64) {
        self.see(now_ns);
        if self.state != State::Open {
            self.open(Reason::Tripped, 0);
        }
    }

    pub(crate) fn reconfigure(&mut self, now_ns: u64, config: Config) {
        self.see(now_ns);
        // Samples that have expired are gone for good. Calls in flight are not.
        self.forget_expired();
        // The rest of the old stride is passed over, but no more than the new stride allows.
        let left = (u64::from(self.config.sample_every) - self.strides % u64::from(self.config.sample_every))
            % u64::from(self.config.sample_every);
        let every = u64::from(config.sample_every);
        self.strides = (every - left.min(every - 1)) % every;
        for call in &mut self.calls {
            call.overdue = call.overdue && self.latest_ns.saturating_sub(call.start_ns) > config.threshold_ns;
        }
        let weighs = |config: &Config| (config.threshold_ns, config.quantile_ppm, config.debt_limit);
        if weighs(&config) != weighs(&self.config) {
            self.debt_ppm = 0;
        }
        let spike_limit_ns = self.spike_limit_ns();
        self.config = config;
        assert_eq!(self.spike_limit_ns(), spike_limit_ns, "the model can't judge old runs by a new limit");
        self.log(self.state, Reason::Reconfigured);
    }
}
