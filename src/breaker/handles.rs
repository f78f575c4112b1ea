//! What other threads get of a breaker: gates, and lanes.

use super::Breaker;
use crate::gate::Gate;
use crate::lane::Lane;
use crate::openings::{Arrivals, Opener};

impl Breaker {
    /// A handle to ask through, for any thread. Cheap; clone it for more.
    pub fn gate(&mut self) -> Gate {
        self.share();
        Gate::new(self.observer())
    }

    /// How many calls a lane has room for, unless said otherwise.
    pub const LANE_CAPACITY: u32 = 4096;

    /// A handle to ask and to report through, for one other thread, or for two when it is [`split`](Lane::split). It has room
    /// for [`LANE_CAPACITY`](Self::LANE_CAPACITY) calls. Allocates: open lanes at start-up where you can.
    pub fn lane(&mut self) -> Lane {
        self.lane_with_capacity(Self::LANE_CAPACITY)
    }

    /// A [`lane`](Self::lane) of this capacity, which [`Lane`] explains: 4 to 1 048 576; what is outside is brought within. It takes
    /// some 210 bytes for each.
    pub fn lane_with_capacity(&mut self, capacity: u32) -> Lane {
        let opener = self.opener();
        loop {
            let opened = opener.open(capacity);
            self.link_lanes();
            if let Some(lane) = opened {
                return lane;
            }
        }
    }

    /// Opens lanes from other threads while this breaker polls.
    pub(crate) fn opener(&mut self) -> Opener {
        let (gate, clock) = (self.gate(), &self.clock);
        let (window_len, calls) = (self.config.window_len as usize, self.config.max_in_flight as usize);
        let new = || Box::new(Arrivals::new(gate, clock.clone(), window_len, calls, self.lane_seed));
        self.arrivals.get_or_insert_with(new).opener().clone()
    }
}

#[cfg(all(test, not(loom)))]
#[expect(clippy::unwrap_used, reason = "helpers of tests are of tests, too")]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::openings::AT_A_TIME;

    fn breaker() -> Breaker {
        Breaker::new(Config::default()).unwrap()
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
        let (inboxes, calls) = breaker.opener().sizes();
        assert!(inboxes <= 3 && calls <= 1024 + 8 + 3 * 4, "{inboxes}, {calls}");
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
