//! A lane and its model side by side.

use super::lanes::{BEGIN, END};
use super::{Model, Ticket};
use trip99::lane::{BeginHalf, EndHalf};
use trip99::{Breaker, Call, Lane};

/// What a lane's threads do. `on_end` chooses the end half for what both halves can do.
#[derive(Clone, Debug)]
pub(crate) enum LaneOp {
    Allow,
    Release,
    Begin,
    Finish {
        which: usize,
        again: bool,
        ok: bool,
        on_end: bool,
    },
    Abandon {
        which: usize,
        again: bool,
        on_end: bool,
    },
    Record {
        latency_ns: u64,
        ok: bool,
        on_end: bool,
    },
    Probe {
        latency_ns: u64,
        ok: bool,
    },
    /// The lane is dropped, with all its calls, and another is opened.
    Reopen {
        capacity: u32,
        split: bool,
    },
}

pub(crate) struct LanePair {
    lane: Halves,
    model: usize,
    capacity: u32,
    /// The capacity of earlier lanes here, whose calls may have been left in flight.
    earlier_calls: u32,
    tickets: Vec<(Call, Ticket)>,
    /// The tickets that have not been given back.
    out: Vec<usize>,
}

enum Halves {
    Whole(Lane),
    Split(BeginHalf, EndHalf),
}

impl Halves {
    fn open(breaker: &mut Breaker, capacity: u32, split: bool) -> Self {
        let lane = breaker.lane_with_capacity(capacity);
        if split {
            let (begins, ends) = lane.split();
            Self::Split(begins, ends)
        } else {
            Self::Whole(lane)
        }
    }
}

/// Does the same operation on a whole lane or on one of its halves.
macro_rules! on {
    ($halves:expr, $on_end:expr, $lane:ident => $operation:expr) => {
        match $halves {
            Halves::Whole($lane) => $operation,
            Halves::Split($lane, _) if !$on_end => $operation,
            Halves::Split(_, $lane) => $operation,
        }
    };
}

impl LanePair {
    pub(crate) fn open(breaker: &mut Breaker, model: &mut Model, capacity: u32, split: bool) -> Self {
        let lane = Halves::open(breaker, capacity, split);
        let (model, earlier_calls) = (model.open_lane(capacity as usize), 0);
        Self { lane, model, capacity, earlier_calls, tickets: Vec::new(), out: Vec::new() }
    }

    /// The most calls that may be in flight.
    pub(crate) fn calls(&self) -> u32 {
        self.earlier_calls + self.capacity
    }

    fn ticket(&mut self, which: usize, again: bool, model: &Model) -> Option<(Call, Ticket)> {
        let chosen = match again {
            true if !self.tickets.is_empty() => which % self.tickets.len(),
            false if !self.out.is_empty() => self.out.swap_remove(which % self.out.len()),
            _ => return None,
        };
        self.out.retain(|&other| other != chosen);
        Some(self.tickets[chosen]).filter(|&(_, ticket)| model.may_return_to_lane(ticket))
    }

    pub(crate) fn apply(&mut self, breaker: &mut Breaker, model: &mut Model, now_ns: u64, op: LaneOp) {
        let lane = self.model;
        // A whole lane tells everything in one order.
        let is_split = matches!(self.lane, Halves::Split(..));
        let half = |on_end: bool| if on_end && is_split { END } else { BEGIN };
        match op {
            LaneOp::Allow => {
                let passes = match &mut self.lane {
                    Halves::Whole(lane) => lane.allow(),
                    Halves::Split(begins, _) => begins.allow(),
                };
                assert_eq!(passes, model.lane_allow(lane));
            }
            LaneOp::Release => {
                match &mut self.lane {
                    Halves::Whole(lane) => lane.release(),
                    Halves::Split(begins, _) => begins.release(),
                }
                model.lane_release(lane);
            }
            LaneOp::Begin => {
                let call = match &mut self.lane {
                    Halves::Whole(lane) => lane.begin_at(now_ns),
                    Halves::Split(begins, _) => begins.begin_at(now_ns),
                };
                self.out.push(self.tickets.len());
                self.tickets.push((call, model.lane_begin(lane, now_ns)));
            }
            LaneOp::Finish { which, again, ok: true, .. } => {
                let half = half(true);
                if let Some((call, ticket)) = self.ticket(which, again, model) {
                    match &mut self.lane {
                        Halves::Whole(lane) => lane.end_at(now_ns, call),
                        Halves::Split(_, ends) => ends.end_at(now_ns, call),
                    }
                    model.lane_finish(lane, half, now_ns, ticket, true);
                }
            }
            LaneOp::Finish { which, again, ok: false, on_end } => {
                let half = half(on_end);
                if let Some((call, ticket)) = self.ticket(which, again, model) {
                    on!(&mut self.lane, on_end, lane => lane.fail_at(now_ns, call));
                    model.lane_finish(lane, half, now_ns, ticket, false);
                }
            }
            LaneOp::Abandon { which, again, on_end } => {
                let half = half(on_end);
                if let Some((call, ticket)) = self.ticket(which, again, model) {
                    on!(&mut self.lane, on_end, lane => lane.abandon_at(now_ns, call));
                    model.lane_abandon(lane, half, now_ns, ticket);
                }
            }
            LaneOp::Record { latency_ns, ok: true, on_end } => {
                on!(&mut self.lane, on_end, lane => lane.record_at(now_ns, latency_ns));
                model.lane_record(lane, half(on_end), now_ns, latency_ns, true);
            }
            LaneOp::Record { latency_ns, ok: false, on_end } => {
                on!(&mut self.lane, on_end, lane => lane.record_failure_at(now_ns, latency_ns));
                model.lane_record(lane, half(on_end), now_ns, latency_ns, false);
            }
            LaneOp::Probe { latency_ns, ok } => {
                match &mut self.lane {
                    Halves::Whole(lane) => lane.record_probe_at(now_ns, latency_ns, ok),
                    Halves::Split(_, ends) => ends.record_probe_at(now_ns, latency_ns, ok),
                }
                model.lane_probe(lane, half(true), now_ns, latency_ns, ok);
            }
            LaneOp::Reopen { capacity, split } => {
                self.lane = Halves::open(breaker, capacity, split);
                self.model = model.open_lane(capacity as usize);
                self.earlier_calls += self.capacity;
                self.capacity = capacity;
                self.tickets.clear();
                self.out.clear();
            }
        }
    }
}
