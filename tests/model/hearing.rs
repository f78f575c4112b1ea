//! What the owner hears from lanes, and when.

use super::lanes::Told;
use super::{Fate, Model, Ticket};
use trip99::State;

impl Model {
    pub(crate) fn listen(&mut self, horizon_ns: u64) {
        self.horizon_ns = horizon_ns;
        for lane in 0..self.lanes.len() {
            while let Some(told) = self.next_told(lane) {
                self.hear(lane, told);
            }
        }
    }

    /// The older of both halves' first messages. If they are equally old the begin half's comes first. But a message that ends a
    /// call waits until the call's begin has been heard.
    fn next_told(&mut self, lane: usize) -> Option<Told> {
        let [begins, ends] = &mut self.lanes[lane].told;
        let half = match (begins.first(), ends.first()) {
            (None, None) => return None,
            (Some(_), None) => begins,
            (None, Some(_)) => ends,
            (Some(begin), Some(end)) => {
                let unheard = match *end {
                    Told::End { ticket, .. } | Told::Abandon { ticket, .. } => !self.calls[ticket].heard,
                    _ => false,
                };
                if unheard || begin.stamp_ns() <= end.stamp_ns() { begins } else { ends }
            }
        };
        Some(half.remove(0))
    }

    fn hear(&mut self, lane: usize, told: Told) {
        let stamp_ns = told.stamp_ns();
        self.latest_ns = self.latest_ns.max(stamp_ns.min(self.horizon_ns));
        match told {
            Told::Begin { ticket, trial, .. } => {
                let is_trial = trial == Some(self.epoch) && self.state == State::HalfOpen;
                self.calls[ticket].heard = true;
                if stamp_ns < self.epoch_ns {
                    self.unclaim(trial);
                    self.forget(ticket);
                    return;
                }
                if is_trial {
                    self.look();
                }
                let latest_ns = self.lanes[lane].latest_ns.max(stamp_ns.min(self.latest_ns));
                self.lanes[lane].latest_ns = latest_ns;
                (self.calls[ticket].start_ns, self.calls[ticket].trial) = (latest_ns, is_trial);
            }
            Told::End { ticket, ok, .. } => {
                self.free_place(lane, ticket);
                let call = &mut self.calls[ticket];
                let latency_ns = stamp_ns.saturating_sub(call.stamp_ns);
                let (fate, trial) = (call.fate, call.trial);
                call.fate = Fate::Returned;
                if self.is_no_time(latency_ns) {
                    // As with the owner's own.
                } else if stamp_ns.saturating_sub(latency_ns) < self.epoch_ns || fate == Fate::Forgotten {
                    self.stale += 1;
                } else {
                    self.sample(latency_ns, ok, trial);
                }
            }
            Told::Abandon { ticket, .. } => {
                self.free_place(lane, ticket);
                let call = &mut self.calls[ticket];
                let gives_back = call.fate == Fate::InFlight && call.trial;
                call.fate = Fate::Returned;
                if gives_back {
                    self.give_back();
                    self.look();
                }
            }
            Told::Unknown { ticket, ended, .. } => {
                let start_ns = self.calls[ticket].stamp_ns;
                let is_no_time = ended && stamp_ns.saturating_sub(start_ns) >= 1 << 63;
                match !is_no_time && (if ended { start_ns.min(stamp_ns) } else { start_ns }) < self.epoch_ns {
                    true => self.stale += u64::from(ended),
                    false => self.misused += 1,
                }
            }
            Told::Record { latency_ns, ok, trial, .. } => {
                if self.is_no_time(latency_ns) {
                    // The trial of a call that the lane couldn't track is lost.
                } else if stamp_ns.saturating_sub(latency_ns) < self.epoch_ns {
                    self.stale += 1;
                    self.unclaim(trial);
                } else {
                    let is_trial = trial == Some(self.epoch) && self.state == State::HalfOpen;
                    if is_trial {
                        self.look();
                    }
                    self.sample(latency_ns, ok, is_trial);
                }
            }
            Told::Probe { latency_ns, ok, .. } => self.take_probe(stamp_ns, latency_ns, ok),
        }
    }

    /// The owner has heard the end of a call. If no epoch has forgotten the call, its place is free now.
    fn free_place(&mut self, lane: usize, ticket: Ticket) {
        if self.calls[ticket].fate == Fate::InFlight {
            let place = self.place_of(ticket).expect("it is tracked");
            self.lanes[lane].free.push(place);
        }
    }

    /// An epoch forgets a call, and its place is free.
    pub(super) fn forget(&mut self, ticket: Ticket) {
        self.calls[ticket].fate = Fate::Forgotten;
        if let Some(lane) = self.calls[ticket].table.checked_sub(1) {
            let place = self.place_of(ticket).expect("it is tracked");
            self.lanes[lane].free.push(place);
        }
    }

    /// A call that isn't of this epoch claimed the trial. The next call that begins may have it.
    fn unclaim(&mut self, trial: Option<u32>) {
        if trial == Some(self.epoch) && self.state == State::HalfOpen {
            self.pending += 1;
        }
    }
}
