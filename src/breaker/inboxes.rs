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
        // Lanes' stamps are no sign of life from the owner.
        self.previous_ns = self.latest_ns;
        self.listen();
        self.advance(now_ns);
        self.count_trials();
        if self.latest_ns >= self.wake_ns {
            self.fire_timers();
        }
    }

    fn advance(&mut self, now_ns: u64) {
        self.latest_ns = self.latest_ns.max(now_ns);
    }

    /// Fires no timers: what a lane says may be older than what another one says next, and a call isn't late as long as
    /// its end may lie in a queue.
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
            Message::Begin { number, start_ns } => self.begin_from_lane(index, number, start_ns),
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
            Message::Record { end_ns, latency_ns, ok } => {
                self.advance(end_ns);
                self.take_result_without_ticket(end_ns, latency_ns, ok);
            }
            Message::Probe { end_ns, latency_ns, ok } => {
                self.advance(end_ns);
                self.take_probe(end_ns, latency_ns, ok);
            }
        }
    }

    fn begin_from_lane(&mut self, index: usize, number: u32, start_ns: u64) {
        self.advance(start_ns);
        let is_of_epoch = start_ns >= self.epoch_ns;
        let trial = is_of_epoch && self.state == State::HalfOpen && self.take_grant();
        if let Some(inbox) = self.inboxes.get_mut(index) {
            if is_of_epoch { inbox.begin(number, start_ns, trial) } else { inbox.begin_stale(number) }
        }
        self.wake_for_call(start_ns);
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
        // A word of another epoch was scribbled: nothing is known by it.
        let taken = left.map_or(0, |left| self.trials.allowance().saturating_sub(left));
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
        self.trials.take_grant()
    }

    /// Offers the trials of a new epoch to everybody.
    pub(super) fn offer_trials(&mut self) {
        self.epoch = self.epoch.wrapping_add(1);
        self.page.trials().renew(self.epoch, self.trials.allowance());
    }
}
