//! What other threads tell the owner: trials that their gates took, and what their lanes sent.

use super::Breaker;
use crate::config::State;
use crate::in_flight::{InFlight, Returned};
use crate::inbox::{Inbox, LaneCounts, Message};
use crate::quantile::Quantiles;
use crate::recovery::Trials;
use crate::sync::Arc;

impl Breaker {
    /// From now on other threads take part.
    pub(crate) fn share(&mut self) {
        self.is_shared = true;
    }

    /// Returns a seed for the lane's tickets.
    pub(crate) fn add_inbox(&mut self, messages: rtrb::Consumer<Message>, counts: Arc<LaneCounts>) -> u32 {
        self.share();
        self.drop_done_inboxes();
        let seed = self.seeds.next() as u32;
        let inbox = Inbox::new(messages, counts, self.seeds.next() as u32);
        self.inboxes.push(inbox);
        let calls = self.inboxes.iter().map(Inbox::capacity).sum::<usize>() + self.config.max_in_flight as usize;
        self.quantiles = Quantiles::new(self.config.window_len as usize, calls);
        seed
    }

    /// Not in `poll`, as freeing their memory may take a system call.
    fn drop_done_inboxes(&mut self) {
        for done in self.inboxes.extract_if(.., |inbox| inbox.is_done()) {
            let (dropped, misused) = done.counts();
            self.dropped += dropped;
            self.misused += misused;
        }
    }

    /// The calls in flight of the owner, and of each lane.
    pub(super) fn tables(&self) -> impl Iterator<Item = &InFlight> {
        core::iter::once(&self.in_flight).chain(self.inboxes.iter().map(|inbox| &inbox.in_flight))
    }

    #[cold]
    pub(super) fn expire_overdue_of_lanes(&mut self) {
        for inbox in &mut self.inboxes {
            inbox.in_flight.expire(self.latest_ns, self.config.window_age_ns);
        }
    }

    #[cold]
    pub(super) fn overdue_of_lanes(&self) -> usize {
        self.inboxes.iter().map(|inbox| inbox.in_flight.overdue()).sum()
    }

    pub(super) fn tables_mut(&mut self) -> impl Iterator<Item = &mut InFlight> {
        core::iter::once(&mut self.in_flight).chain(self.inboxes.iter_mut().map(|inbox| &mut inbox.in_flight))
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
        self.listen();
        self.latest_ns = self.horizon_ns;
        self.count_trials();
        if self.latest_ns >= self.wake_ns {
            self.fire_timers();
        }
    }

    /// The lateness of a call counts only after this: its end may lie in a queue.
    #[cold]
    pub(super) fn listen_before_lateness(&mut self) {
        self.horizon_ns = self.latest_ns;
        self.listen();
        self.count_trials();
    }

    /// A lane's stamps move the time on, but not beyond the owner's own.
    fn advance(&mut self, stamp_ns: u64) {
        self.latest_ns = self.latest_ns.max(stamp_ns.min(self.horizon_ns));
    }

    /// Fires no timers: what a lane says may be older than what another one says next.
    fn listen(&mut self) {
        for index in 0..self.inboxes.len() {
            // No more than a full lane at a time, however fast it sends.
            for _ in 0..self.inboxes.get(index).map_or(0, Inbox::capacity) {
                let Some(message) = self.inboxes.get_mut(index).and_then(Inbox::pop) else { break };
                self.take_in(index, message);
            }
        }
    }

    fn take_in(&mut self, index: usize, message: Message) {
        match message {
            Message::Begin { number, start_ns, trial } => self.begin_from_lane(index, number, start_ns, trial),
            Message::End { number, start_ns, end_ns, ok } => {
                self.advance(end_ns);
                let latency_ns = end_ns.saturating_sub(start_ns);
                let returned = self.take_from_lane(index, number);
                match returned {
                    _ if self.is_stale(end_ns, latency_ns) => self.stale += 1,
                    // The lane gave it out, so it is of an epoch that ended at the very nanosecond at which it began.
                    Returned::Unknown => self.stale += 1,
                    Returned::Call => self.take_sample(latency_ns, ok, false),
                    Returned::Trial => self.take_sample(latency_ns, ok, true),
                }
            }
            Message::Abandon { number, now_ns } => {
                self.advance(now_ns);
                if self.take_from_lane(index, number) == Returned::Trial && self.state == State::HalfOpen {
                    self.change_trials(|trials, _| trials.give_back());
                }
            }
            Message::Record { end_ns, latency_ns, ok, trial } => {
                self.advance(end_ns);
                if self.is_stale(end_ns, latency_ns) {
                    self.stale += 1;
                    self.unclaim(trial);
                } else {
                    let trial = self.take_claimed(trial);
                    self.take_sample(latency_ns, ok, trial);
                }
            }
            Message::Probe { end_ns, latency_ns, ok } => {
                self.advance(end_ns);
                self.take_probe(end_ns, latency_ns, ok);
            }
        }
    }

    fn begin_from_lane(&mut self, index: usize, number: u32, start_ns: u64, trial: Option<u32>) {
        self.advance(start_ns);
        let seen_ns = start_ns.min(self.latest_ns);
        if start_ns < self.epoch_ns {
            self.unclaim(trial);
            if let Some(inbox) = self.inboxes.get_mut(index) {
                inbox.begin_stale(number);
            }
            return;
        }
        let trial = self.take_claimed(trial);
        if let Some(inbox) = self.inboxes.get_mut(index) {
            inbox.begin(number, start_ns, seen_ns, trial);
        }
        self.wake_for_call(seen_ns);
    }

    /// Whether what a lane claimed as it began a call is a trial of this epoch.
    fn take_claimed(&mut self, claimed: Option<u32>) -> bool {
        if claimed != Some(self.epoch) || self.state != State::HalfOpen {
            return false;
        }
        self.count_trials();
        self.trials.take_grant()
    }

    fn unclaim(&self, claimed: Option<u32>) {
        if let Some(epoch) = claimed {
            self.page.trials().unclaim(epoch);
        }
    }

    fn take_from_lane(&mut self, index: usize, number: u32) -> Returned {
        self.inboxes.get_mut(index).map_or(Returned::Unknown, |inbox| inbox.take(number))
    }

    /// Of the lanes that are there.
    pub(super) fn lane_counts(&self) -> (u64, u64) {
        self.inboxes
            .iter()
            .map(Inbox::counts)
            .fold((0, 0), |sum, counts| (sum.0.saturating_add(counts.0), sum.1.saturating_add(counts.1)))
    }

    // Trials, which gates take on their own.

    /// Takes note of the trials that gates took or gave back.
    #[cold]
    pub(super) fn count_trials(&mut self) {
        if self.state != State::HalfOpen {
            return;
        }
        let (left, given_back) = self.page.trials().look(self.epoch);
        let allowance = self.trials.allowance();
        let taken = match left {
            Some(left) if left <= allowance => allowance - left,
            // Somebody scribbled on it, and may have passed by it: as if all were out, so that it ends as lost.
            _ => {
                self.page.trials().revoke(self.epoch);
                allowance
            }
        };
        self.trials.take_note(taken, self.latest_ns);
        self.change_trials(|trials, _| trials.release_up_to(given_back));
        self.wake_ns = self.wake_ns.min(self.probe_lost_at_ns());
    }

    /// Changes the trials of this epoch, and offers those that this sets free.
    pub(super) fn change_trials<T>(&mut self, change: impl FnOnce(&mut Trials, u64) -> T) -> T {
        let before = self.trials.allowance();
        let result = change(&mut self.trials, self.latest_ns);
        self.page.trials().add(self.trials.allowance().saturating_sub(before));
        result
    }

    /// The next `begin`, or a `record` without one, takes a grant: true if there is one.
    #[cold]
    pub(super) fn take_grant(&mut self) -> bool {
        self.count_trials();
        self.page.trials().claim() == Some(self.epoch) && self.trials.take_grant()
    }

    /// Offers the trials of a new epoch to everybody.
    pub(super) fn offer_trials(&mut self) {
        self.epoch = self.epoch.wrapping_add(1);
        self.page.trials().renew(self.epoch, self.trials.allowance());
    }
}
