//! What other threads tell the owner: trials that their gates took, and what their lanes sent.

use super::Breaker;
use crate::config::State;
use crate::in_flight::{InFlight, Returned};
use crate::inbox::{Inbox, Message};
use crate::ledger::Epoch;
use crate::trials::{Progress, Trials};

impl Breaker {
    /// From now on other threads take part.
    pub(crate) fn share(&mut self) {
        self.is_shared = true;
    }

    #[cfg(all(test, not(loom)))]
    pub(super) fn lanes(&self) -> usize {
        self.inboxes.iter().count()
    }

    /// Links lanes in that were opened since.
    pub(crate) fn link_lanes(&mut self) {
        let Some(arrivals) = &mut self.arrivals else { return };
        let (dropped, misused) = (&mut self.dropped, &mut self.misused);
        let mut keep_counts = |done: &Inbox| {
            *dropped = dropped.saturating_add(done.counts().0);
            *misused = misused.saturating_add(done.counts().1);
        };
        while arrivals.any() && arrivals.link_one(&mut self.inboxes, &mut self.quantiles, &mut keep_counts) {}
    }

    /// The calls in flight of the owner, and of each lane.
    pub(super) fn tables(&self) -> impl Iterator<Item = &InFlight> {
        core::iter::once(&self.calls.in_flight).chain(self.inboxes.iter().map(|inbox| &inbox.in_flight))
    }

    #[cold]
    pub(super) fn expire_overdue_of_lanes(&mut self) {
        for inbox in self.inboxes.iter_mut() {
            inbox.in_flight.expire(self.latest_ns, self.config.window_age_ns);
        }
    }

    #[cold]
    pub(super) fn overdue_of_lanes(&self) -> usize {
        self.inboxes.iter().map(|inbox| inbox.in_flight.overdue()).sum()
    }

    pub(super) fn tables_mut(&mut self) -> impl Iterator<Item = &mut InFlight> {
        core::iter::once(&mut self.calls.in_flight).chain(self.inboxes.iter_mut().map(|inbox| &mut inbox.in_flight))
    }

    /// [`run_timers`](Self::run_timers), after what other threads did since the last poll is taken in.
    #[cold]
    pub(super) fn listen_and_run_timers(&mut self, now_ns: u64) {
        self.horizon_ns = self.latest_ns.max(now_ns);
        if !self.started {
            self.latest_ns = self.horizon_ns;
            self.start();
        }
        // Lanes' stamps are no sign of life from the owner.
        self.previous_ns = self.latest_ns;
        self.link_lanes();
        self.listen();
        self.latest_ns = self.horizon_ns;
        self.look_at_trials();
        if self.latest_ns >= self.wake_ns {
            self.fire_timers();
        }
    }

    /// A timer is due. What may put it off may lie in a queue, or in the ledger of trials.
    #[cold]
    pub(super) fn listen_before_timers(&mut self) {
        self.horizon_ns = self.latest_ns;
        self.link_lanes();
        self.listen();
        self.look_at_trials();
    }

    /// A lane's stamps move the time on, but not beyond the owner's own.
    fn advance(&mut self, stamp_ns: u64) {
        self.latest_ns = self.latest_ns.max(stamp_ns.min(self.horizon_ns));
    }

    /// Fires no timers: what a lane says may be older than what another one says next. Of each lane it takes what is there
    /// now, however fast the lane sends.
    fn listen(&mut self) {
        for index in 0..self.inboxes.places() {
            if let Some(inbox) = self.inboxes.at(index) {
                inbox.note();
            }
            while let Some(message) = self.inboxes.at(index).and_then(Inbox::next) {
                self.take_in(index, message);
            }
        }
    }

    fn take_in(&mut self, index: usize, message: Message) {
        match message {
            Message::Begin { number, generation, start_ns, trial } => {
                self.begin_from_lane(index, (number, generation), start_ns, trial);
            }
            Message::End { number, generation, start_ns, end_ns, ok } => {
                self.advance(end_ns);
                let latency_ns = end_ns.saturating_sub(start_ns);
                let returned = self.take_from_lane(index, number, generation);
                match returned {
                    _ if self.is_stale(end_ns, latency_ns) => self.stale += 1,
                    // An epoch has forgotten it, maybe one that ended at the very nanosecond at which it began.
                    Returned::Unknown => self.stale += 1,
                    Returned::Call => self.take_sample(latency_ns, ok, false),
                    Returned::Trial => self.take_sample(latency_ns, ok, true),
                }
            }
            Message::Abandon { number, generation, now_ns } => {
                self.advance(now_ns);
                if self.take_from_lane(index, number, generation) == Returned::Trial {
                    self.give_back_trial();
                }
            }
            Message::Unknown { now_ns, start_ns, ended } => {
                self.advance(now_ns);
                // As of a ticket of the owner's own: of an earlier epoch there is a sample to call stale, if it ended.
                let is_stale = if ended {
                    self.is_stale(now_ns, now_ns.saturating_sub(start_ns))
                } else {
                    start_ns < self.epoch_ns
                };
                self.stale += u64::from(is_stale && ended);
                self.misused += u64::from(!is_stale);
            }
            Message::Record { end_ns, latency_ns, ok, trial } => {
                self.advance(end_ns);
                if self.is_stale(end_ns, latency_ns) {
                    self.stale += 1;
                    self.unclaim(trial);
                } else {
                    let trial = self.is_trial(trial);
                    self.take_sample(latency_ns, ok, trial);
                }
            }
            Message::Probe { end_ns, latency_ns, ok } => {
                self.advance(end_ns);
                self.take_probe(end_ns, latency_ns, ok);
            }
        }
    }

    fn begin_from_lane(&mut self, index: usize, (number, generation): (u32, u16), start_ns: u64, trial: Option<Epoch>) {
        self.advance(start_ns);
        let seen_ns = start_ns.min(self.latest_ns);
        if start_ns < self.epoch_ns {
            self.unclaim(trial);
            if let Some(inbox) = self.inboxes.at(index) {
                inbox.begin_stale(number, generation);
            }
            return;
        }
        let trial = self.is_trial(trial);
        if let Some(inbox) = self.inboxes.at(index) {
            inbox.begin(number, generation, seen_ns, trial);
        }
        self.wake_for_call(seen_ns);
    }

    /// Whether what a lane claimed as it began a call is a trial of this epoch.
    fn is_trial(&mut self, claimed: Option<Epoch>) -> bool {
        let trial = claimed.is_some() && claimed == self.epoch && self.state == State::HalfOpen;
        if trial {
            self.look_at_trials();
        }
        trial
    }

    fn unclaim(&self, claimed: Option<Epoch>) {
        if let Some(epoch) = claimed {
            self.page.trials().unclaim(epoch);
        }
    }

    fn take_from_lane(&mut self, index: usize, number: u32, generation: u16) -> Returned {
        self.inboxes.at(index).map_or(Returned::Unknown, |inbox| inbox.end(number, generation))
    }

    /// Of the lanes that are there.
    pub(super) fn lane_counts(&self) -> (u64, u64) {
        self.inboxes
            .iter()
            .map(Inbox::counts)
            .fold((0, 0), |sum, counts| (sum.0.saturating_add(counts.0), sum.1.saturating_add(counts.1)))
    }

    // Trials, which gates take on their own.

    /// The epoch, while there is one in which trials count.
    pub(super) fn trial_epoch(&self) -> Option<Epoch> {
        if self.state == State::HalfOpen { self.epoch } else { None }
    }

    /// Takes note of the trials that are out.
    #[cold]
    pub(super) fn look_at_trials(&mut self) {
        let Some(epoch) = self.trial_epoch() else { return };
        let seen = self.page.trials().look(epoch, self.trials.room());
        if seen.is_none() {
            self.page.trials().revoke(self.epoch);
        }
        self.trials.take_note(seen, self.latest_ns);
        self.wake_ns = self.wake_ns.min(self.probe_lost_at_ns());
    }

    /// The next `begin`, or a `record` without one, takes a grant: true if there is one.
    #[cold]
    pub(super) fn claim_trial(&mut self) -> bool {
        self.look_at_trials();
        self.trial_epoch().is_some() && self.page.trials().claim() == self.epoch
    }

    /// A trial that had begun counts neither way.
    #[cold]
    pub(super) fn give_back_trial(&mut self) {
        if let Some(epoch) = self.trial_epoch() {
            self.page.trials().give_back_begun(epoch);
            self.look_at_trials();
        }
    }

    /// A trial's good result, or a good check's.
    #[cold]
    pub(super) fn succeed(&mut self) {
        match self.trials.succeed(self.latest_ns) {
            Progress::Recovered => self.close(),
            Progress::More(more) => {
                if let Some(epoch) = self.trial_epoch() {
                    self.page.trials().settle(epoch, self.trials.room(), more);
                }
            }
        }
    }

    /// Offers the trials of a new epoch to everybody.
    pub(super) fn offer_trials(&mut self) {
        let epoch = Epoch::after(self.epoch);
        self.epoch = Some(epoch);
        self.page.trials().renew(epoch, self.trials.room());
    }

    /// A new epoch's plan.
    pub(super) fn plan_trials(&mut self) {
        self.trials = Trials::new(&self.config, self.latest_ns);
        self.offer_trials();
    }
}
