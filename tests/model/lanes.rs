//! Lanes and gates of the naive model. What lanes are told lies in lists until the owner hears it.

use super::{Call, Fate, Model, Ticket};
use trip99::State;

pub(crate) struct Lane {
    /// How many calls have room, and before how many waiting messages of its half a record is still taken.
    capacity: usize,
    /// What each half was told and the owner hasn't heard.
    pub(super) told: [Vec<Told>; 2],
    /// Places that no call has. The first is taken next.
    pub(super) free: Vec<usize>,
    /// For each place the ticket that is good for it.
    places: Vec<Option<Ticket>>,
    /// The latest start that the owner has heard of.
    pub(super) latest_ns: u64,
    grants: Grants,
}

#[derive(Clone, Copy)]
pub(super) enum Told {
    Begin {
        stamp_ns: u64,
        ticket: Ticket,
        trial: Option<u32>,
    },
    End {
        stamp_ns: u64,
        ticket: Ticket,
        ok: bool,
    },
    Abandon {
        stamp_ns: u64,
        ticket: Ticket,
    },
    /// A ticket that is good for nothing.
    Unknown {
        stamp_ns: u64,
        ticket: Ticket,
        ended: bool,
    },
    Record {
        stamp_ns: u64,
        latency_ns: u64,
        ok: bool,
        trial: Option<u32>,
    },
    Probe {
        stamp_ns: u64,
        latency_ns: u64,
        ok: bool,
    },
}

impl Told {
    pub(super) fn stamp_ns(&self) -> u64 {
        match *self {
            Self::Begin { stamp_ns, .. }
            | Self::End { stamp_ns, .. }
            | Self::Abandon { stamp_ns, .. }
            | Self::Unknown { stamp_ns, .. }
            | Self::Record { stamp_ns, .. }
            | Self::Probe { stamp_ns, .. } => stamp_ns,
        }
    }
}

/// What a handle was granted, newest last: a trial of an epoch, or `None` for a call that shadow let pass.
#[derive(Default)]
pub(crate) struct Grants(Vec<Option<u32>>);

impl Grants {
    fn add(&mut self, epoch: u32) {
        self.0.retain(|&grant| grant == Some(epoch));
        self.0.push(Some(epoch));
    }

    /// A call that is a trial has begun.
    fn begin(&mut self, epoch: u32) {
        if let Some(at) = self.0.iter().rposition(|&grant| grant == Some(epoch)) {
            self.0.remove(at);
        }
    }
}

/// The numbers of the halves.
pub(crate) const BEGIN: usize = 0;
pub(crate) const END: usize = 1;

impl Model {
    pub(crate) fn share(&mut self) {
        self.shared = true;
    }

    pub(crate) fn open_lane(&mut self, capacity: usize) -> usize {
        self.share();
        let (told, grants) = ([Vec::new(), Vec::new()], Grants::default());
        let (free, places) = ((0..capacity).collect(), vec![None; capacity]);
        self.lanes.push(Lane { capacity, told, free, places, latest_ns: 0, grants });
        self.lanes.len() - 1
    }

    pub(crate) fn gate_allow(&mut self, grants: &mut Grants) -> bool {
        if self.state == State::Closed && !self.halted && !self.config.shadow {
            return true;
        }
        if self.halted {
            self.refused += 1;
            return false;
        }
        if self.state == State::HalfOpen && self.grant() {
            grants.add(self.epoch);
            return true;
        }
        match (self.state, self.config.shadow) {
            (State::Closed, _) => {}
            (_, true) => self.refused_in_shadow += 1,
            (_, false) => self.refused += 1,
        }
        let passes = self.state == State::Closed || self.config.shadow;
        if passes {
            grants.0.push(None);
        }
        passes
    }

    pub(crate) fn gate_release(&mut self, grants: &mut Grants) {
        if grants.0.pop() == Some(Some(self.epoch)) && self.claim() {
            self.give_back();
        }
    }

    pub(crate) fn lane_allow(&mut self, lane: usize) -> bool {
        if self.lanes[lane].free.is_empty() {
            let passes = self.config.shadow && !self.halted;
            if passes {
                self.lanes[lane].grants.0.push(None);
            }
            *(if passes { &mut self.refused_in_shadow } else { &mut self.refused }) += 1;
            return passes;
        }
        let mut grants = core::mem::take(&mut self.lanes[lane].grants);
        let passes = self.gate_allow(&mut grants);
        self.lanes[lane].grants = grants;
        passes
    }

    pub(crate) fn lane_release(&mut self, lane: usize) {
        let mut grants = core::mem::take(&mut self.lanes[lane].grants);
        self.gate_release(&mut grants);
        self.lanes[lane].grants = grants;
    }

    fn claim_on_lane(&mut self, lane: usize) -> Option<u32> {
        let claimed = self.claim().then_some(self.epoch);
        if let Some(epoch) = claimed {
            self.lanes[lane].grants.begin(epoch);
        }
        claimed
    }

    pub(crate) fn lane_begin(&mut self, lane: usize, now_ns: u64) -> Ticket {
        let claimed = self.claim_on_lane(lane);
        let tracked = !self.lanes[lane].free.is_empty();
        let ticket = self.calls.len();
        self.calls.push(Call {
            stamp_ns: now_ns,
            start_ns: now_ns,
            // No epoch forgets an untracked call, so `untracked_trials` keeps the epoch of its trial.
            trial: claimed.is_some(),
            tracked,
            table: lane + 1,
            heard: false,
            overdue: false,
            fate: Fate::InFlight,
        });
        if tracked {
            let place = self.lanes[lane].free.remove(0);
            self.lanes[lane].places[place] = Some(ticket);
            self.places_of.push((ticket, place));
            self.lanes[lane].told[BEGIN].push(Told::Begin { stamp_ns: now_ns, ticket, trial: claimed });
        } else {
            self.dropped += 1;
            self.untracked_trials.extend(claimed.map(|epoch| (ticket, epoch)));
        }
        ticket
    }

    pub(super) fn place_of(&self, ticket: Ticket) -> Option<usize> {
        self.places_of.iter().find(|&&(of, _)| of == ticket).map(|&(_, place)| place)
    }

    /// True if the lane takes this ticket back. Otherwise the owner is told, if there is room.
    fn take_on_lane(&mut self, lane: usize, half: usize, stamp_ns: u64, ticket: Ticket, ended: bool) -> bool {
        let is_out = match self.place_of(ticket) {
            Some(place) => self.lanes[lane].places[place].take_if(|holder| *holder == ticket).is_some(),
            None => !self.returned_on_lanes.contains(&ticket),
        };
        self.returned_on_lanes.push(ticket);
        if !is_out && self.lanes[lane].told[half].len() < self.lanes[lane].capacity {
            self.lanes[lane].told[half].push(Told::Unknown { stamp_ns, ticket, ended });
        } else {
            self.misused += u64::from(!is_out);
        }
        is_out
    }

    fn untracked_trial(&self, ticket: Ticket) -> Option<u32> {
        self.untracked_trials.iter().find(|&&(of, _)| of == ticket).map(|&(_, epoch)| epoch)
    }

    pub(crate) fn lane_finish(&mut self, lane: usize, half: usize, now_ns: u64, ticket: Ticket, ok: bool) {
        if !self.take_on_lane(lane, half, now_ns, ticket, true) {
            return;
        }
        if self.calls[ticket].tracked {
            self.lanes[lane].told[half].push(Told::End { stamp_ns: now_ns, ticket, ok });
        } else {
            let latency_ns = now_ns.saturating_sub(self.calls[ticket].stamp_ns);
            let trial = self.untracked_trial(ticket);
            self.tell_if_room(lane, half, |_| Told::Record { stamp_ns: now_ns, latency_ns, ok, trial });
        }
    }

    pub(crate) fn lane_abandon(&mut self, lane: usize, half: usize, now_ns: u64, ticket: Ticket) {
        if !self.take_on_lane(lane, half, now_ns, ticket, false) {
            return;
        }
        if self.calls[ticket].tracked {
            self.lanes[lane].told[half].push(Told::Abandon { stamp_ns: now_ns, ticket });
        } else if self.untracked_trial(ticket) == Some(self.epoch) {
            self.give_back();
        }
    }

    pub(crate) fn lane_record(&mut self, lane: usize, half: usize, stamp_ns: u64, latency_ns: u64, ok: bool) {
        self.tell_if_room(lane, half, |model| Told::Record {
            stamp_ns,
            latency_ns,
            ok,
            trial: if latency_ns < 1 << 63 { model.claim_on_lane(lane) } else { None },
        });
    }

    pub(crate) fn lane_probe(&mut self, lane: usize, half: usize, stamp_ns: u64, latency_ns: u64, ok: bool) {
        self.tell_if_room(lane, half, |_| Told::Probe { stamp_ns, latency_ns, ok });
    }

    fn tell_if_room(&mut self, lane: usize, half: usize, told: impl FnOnce(&mut Self) -> Told) {
        if self.lanes[lane].told[half].len() < self.lanes[lane].capacity {
            let told = told(self);
            self.lanes[lane].told[half].push(told);
        } else {
            self.dropped += 1;
        }
    }

    /// False for a ticket whose second return the library can't notice: it only knows how many untracked calls are out.
    pub(crate) fn may_return_to_lane(&self, ticket: Ticket) -> bool {
        self.calls[ticket].tracked || !self.returned_on_lanes.contains(&ticket)
    }
}
