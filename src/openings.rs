//! How lanes come to an owner that runs: any thread opens one, and the owner's next poll links it in.
//!
//! The owner allocates nothing, frees nothing and waits for nobody: whoever opens a lane brings all the memory that it takes,
//! the owner's own tables in their new size included, and takes back, when it opens the next, what the owner has no use for.

use crate::backoff::SplitMix64;
use crate::clock::Clock;
use crate::gate::Gate;
use crate::inbox::{Inbox, Inboxes};
use crate::lane::Lane;
use crate::quantile::Quantiles;
use std::sync::{Arc, Mutex, PoisonError};

/// So many lanes may be opened between two polls; who opens more waits.
const AT_A_TIME: usize = 16;

/// What comes with a lane.
pub(crate) struct Opening {
    inbox: Inbox,
    /// Empty, with room for all inboxes.
    inboxes: Inboxes,
    /// For the overdue calls of all.
    quantiles: Quantiles,
}

/// What goes back: inboxes of lanes that are gone, and the earlier tables.
pub(crate) struct Replaced {
    inboxes: Inboxes,
    _quantiles: Quantiles,
}

/// Opens lanes, from any thread.
#[derive(Clone)]
pub(crate) struct Opener {
    gate: Gate,
    clock: Clock,
    desk: Arc<Mutex<Desk>>,
}

/// The openers' side. They wait for each other here, but never for the owner, nor it for them.
struct Desk {
    openings: rtrb::Producer<Opening>,
    replaced: rtrb::Consumer<Replaced>,
    /// Openings for which nothing has come back yet: no more than there is room for, so that the owner can always send back.
    awaited: usize,
    window_len: usize,
    /// At most so many inboxes, and calls of all of them and of the owner.
    inboxes: usize,
    calls: usize,
    /// For tickets.
    seeds: SplitMix64,
}

/// The owner's side.
pub(crate) struct Arrivals {
    openings: rtrb::Consumer<Opening>,
    replaced: rtrb::Producer<Replaced>,
    opener: Opener,
}

impl Opener {
    pub(crate) fn gate(&self) -> &Gate {
        &self.gate
    }

    /// `None` if the owner has to poll first.
    pub(crate) fn open(&self, capacity: u32) -> Option<Lane> {
        // What a thread that panicked left is whole: each step below is.
        let mut desk = self.desk.lock().unwrap_or_else(PoisonError::into_inner);
        while let Ok(Replaced { inboxes, .. }) = desk.replaced.pop() {
            desk.awaited -= 1;
            desk.inboxes = desk.inboxes.saturating_sub(inboxes.iter().count());
            desk.calls = desk.calls.saturating_sub(inboxes.iter().map(Inbox::capacity).sum());
        }
        if desk.awaited == AT_A_TIME {
            return None;
        }
        let capacity = capacity.clamp(4, 1 << 20);
        let seed = desk.seeds.next() as u32;
        let (lane, inbox) = Lane::new(capacity, &self.gate.observer().page, &self.clock, seed);
        desk.awaited += 1;
        desk.inboxes += 1;
        desk.calls += capacity as usize;
        let inboxes = Inboxes::with_room_for(desk.inboxes);
        let quantiles = Quantiles::new(desk.window_len, desk.calls);
        let _ = desk.openings.push(Opening { inbox, inboxes, quantiles }); // there is room
        Some(lane)
    }
}

impl Arrivals {
    pub(crate) fn opener(&self) -> &Opener {
        &self.opener
    }

    pub(crate) fn new(gate: Gate, clock: Clock, window_len: usize, calls: usize, seed: u64) -> Self {
        let (to_owner, openings) = rtrb::RingBuffer::new(AT_A_TIME);
        let (replaced, to_openers) = rtrb::RingBuffer::new(AT_A_TIME);
        let desk = Desk {
            openings: to_owner,
            replaced: to_openers,
            awaited: 0,
            window_len,
            inboxes: 0,
            calls,
            seeds: SplitMix64(seed),
        };
        let opener = Opener { gate, clock, desk: Arc::new(Mutex::new(desk)) };
        Self { openings, replaced, opener }
    }

    /// True if there is a lane to be linked in.
    #[inline]
    pub(crate) fn any(&self) -> bool {
        !self.openings.is_empty()
    }

    /// Links one lane in, if there is one. Inboxes of lanes that are gone leave, each told to `done` before.
    pub(crate) fn link_one(
        &mut self,
        inboxes: &mut Inboxes,
        quantiles: &mut Quantiles,
        mut done: impl FnMut(&Inbox),
    ) -> bool {
        let Ok(opening) = self.openings.pop() else { return false };
        let mut earlier = core::mem::replace(inboxes, opening.inboxes);
        inboxes.move_in(&mut earlier, opening.inbox);
        earlier.iter().for_each(&mut done);
        let earlier_quantiles = core::mem::replace(quantiles, opening.quantiles);
        // There is room: no more openings are sent than have come back by this queue, and it holds as many.
        let _ = self.replaced.push(Replaced { inboxes: earlier, _quantiles: earlier_quantiles });
        true
    }
}

#[cfg(all(test, not(loom)))]
#[expect(clippy::unwrap_used, reason = "helpers of tests are of tests, too")]
mod tests {
    use super::*;
    use crate::breaker::Breaker;
    use crate::config::Config;

    fn breaker() -> Breaker {
        Breaker::new(Config::default()).unwrap()
    }

    fn desk(breaker: &Breaker) -> (usize, usize) {
        let desk = breaker.arrivals().unwrap().opener.desk.lock().unwrap();
        (desk.inboxes, desk.calls)
    }

    #[test]
    fn lanes_that_are_gone_leave_nothing_but_their_counts() {
        let mut breaker = breaker();
        let kept = breaker.lane_with_capacity(8);
        for now_ns in 0..100 {
            let mut lane = breaker.lane_with_capacity(4);
            (0..5).for_each(|_| lane.record_at(now_ns, 1));
            let call = lane.begin_at(now_ns);
            lane.end_at(now_ns, call);
            lane.end_at(now_ns, call);
            drop(lane);
            breaker.poll_at(now_ns);
        }
        drop(kept);
        // The latest is still there, as it goes when the next one comes; and so does what is told to the desk.
        let mut last = breaker.lane_with_capacity(4);
        assert_eq!(breaker.lanes(), 1);
        assert!(desk(&breaker).0 <= 3 && desk(&breaker).1 <= 1024 + 8 + 3 * 4, "{:?}", desk(&breaker));
        last.record_at(100, 1);
        breaker.poll_at(100);
        let snapshot = breaker.snapshot();
        assert_eq!((snapshot.recorded, snapshot.dropped, snapshot.misused), (100 * 5 + 1, 100, 100));
    }

    #[test]
    fn a_lane_with_a_call_in_flight_stays() {
        let mut breaker = breaker();
        let mut lane = breaker.lane_with_capacity(4);
        let _lost = lane.begin_at(1);
        drop(lane);
        breaker.poll_at(2);
        let _other = breaker.lane();
        assert_eq!((breaker.lanes(), breaker.snapshot().in_flight), (2, 1));
    }

    #[test]
    fn lanes_opened_elsewhere_are_linked_in_by_the_next_poll_in_their_order() {
        let mut breaker = breaker();
        let opener = breaker.opener();
        let mut lanes: Vec<Lane> = (0..AT_A_TIME).map(|_| opener.open(4).unwrap()).collect();
        assert!(opener.open(4).is_none(), "the owner has to poll first");
        lanes.iter_mut().for_each(|lane| lane.record_at(1, 7));
        assert_eq!(breaker.lanes(), 0);
        breaker.poll_at(1);
        assert_eq!((breaker.lanes(), breaker.snapshot().recorded), (AT_A_TIME, AT_A_TIME as u64));
        lanes.push(opener.open(4).unwrap());
        drop(lanes);
        breaker.poll_at(2);
        assert_eq!(breaker.lanes(), 1, "the others went as it came");
    }

    /// The owner's tables grow with the lanes: the quantile sees every overdue call, at any number of lanes.
    #[test]
    fn overdue_calls_of_all_lanes_are_seen() {
        let mut breaker =
            Breaker::new(Config { min_samples: 1000, stall_limit_ns: 0, max_in_flight: 1, ..Config::default() })
                .unwrap();
        let mut lanes: Vec<Lane> = (0..20).map(|_| breaker.lane_with_capacity(4)).collect();
        for (start_ns, lane) in (0..).zip(&mut lanes) {
            (0..4).for_each(|_| _ = lane.begin_at(start_ns));
        }
        breaker.poll_at(1_000_000_000);
        assert_eq!(breaker.snapshot().overdue, 80);
        assert_eq!([0, 1_000_000].map(|ppm| breaker.quantile(ppm)), [Some(999_999_981), Some(1_000_000_000)]);
    }
}
