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
