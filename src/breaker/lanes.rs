//! Other threads: the gates and lanes that they get, and how the owner hears what lanes tell.

use super::{Breaker, inner::Inner};
use crate::clock::is_no_time;
use crate::handles::Gate;
use crate::in_flight::Returned;
use crate::inbox::{Inbox, Message};
use crate::lane::Lane;
use crate::ledger::Epoch;
use crate::openings::{Arrivals, Opener};
use std::hash::{BuildHasher, RandomState};

impl Breaker {
    /// A handle to ask through, for any thread. To clone it is cheap.
    pub fn gate(&mut self) -> Gate {
        let gate = self.gate_unshared();
        if !self.inner.is_shared {
            self.inner.is_shared = true;
            self.inner.machine.outlet.set_asked();
            self.watch();
        }
        gate
    }

    /// Has the warden watch this breaker.
    fn watch(&self) {
        #[cfg(not(loom))]
        if self.inner.stands_in_for.is_none() && self.inner.machine.started_as().is_none() {
            let outlet = &self.inner.machine.outlet;
            let observer = outlet.observer();
            let charge = crate::warden::Charge {
                page: &observer.page,
                signature: outlet.signature(),
                file: None,
                is_for_children: true,
            };
            // Without threads to be had lanes watch, and there is nobody to be told.
            let _ = crate::warden::watch(&charge);
        }
    }

    /// A gate to halt and to resume by. Nobody may ask through it, as the breaker doesn't know of it.
    pub(crate) fn gate_unshared(&self) -> Gate {
        Gate::new(self.observer(), self.inner.machine.outlet.signature())
    }

    /// How many calls a lane has room for if nobody says otherwise.
    pub const LANE_CAPACITY: u32 = 4096;

    /// A handle to ask and to report through. It is for one other thread, or for two threads when it is [`split`](Lane::split). It
    /// has room for [`LANE_CAPACITY`](Self::LANE_CAPACITY) calls. This allocates, so open lanes at start-up where you can.
    pub fn lane(&mut self) -> Lane {
        self.lane_with_capacity(Self::LANE_CAPACITY)
    }

    /// A [`lane`](Self::lane) of this capacity: 4 to 1 048 576 calls. A number outside is brought within. [`Lane`] tells what a
    /// capacity means. A lane takes some 210 bytes for each call.
    pub fn lane_with_capacity(&mut self, capacity: u32) -> Lane {
        let opener = self.opener();
        loop {
            let opened = opener.open(capacity);
            self.inner.link_lanes();
            if let Some(lane) = opened {
                return lane;
            }
        }
    }

    /// What opens lanes from other threads while this breaker polls.
    pub(crate) fn opener(&mut self) -> Opener {
        let (gate, clock) = (self.gate(), &self.inner.clock);
        let config = &self.inner.machine.config;
        let (window_len, calls) = (config.window_len as usize, config.max_in_flight as usize);
        let seed = || RandomState::new().hash_one("lanes");
        let new = || Box::new(Arrivals::new(gate, clock.clone(), window_len, calls, seed()));
        self.inner.arrivals.get_or_insert_with(new).opener.clone()
    }
}

impl Inner {
    // Hearing.

    /// Runs the timers, after what other threads did since the last poll is taken in.
    #[cold]
    pub(super) fn hear_and_run_timers(&mut self, now_ns: u64) {
        self.machine.set_horizon(now_ns);
        self.machine.polled_ns = self.machine.horizon_ns;
        self.link_lanes();
        self.listen();
        self.machine.reach_horizon();
        if self.machine.latest_ns >= self.machine.wake_ns {
            self.fire_timers();
        }
    }

    /// To be called when a timer is due: what puts it off may lie in a queue, or in the ledger of trials.
    #[cold]
    pub(super) fn hear(&mut self) {
        self.machine.horizon_ns = self.machine.latest_ns;
        self.link_lanes();
        self.listen();
        self.machine.look_at_trials();
    }

    /// Links in the lanes that were opened since the last time.
    fn link_lanes(&mut self) {
        let Some(arrivals) = &mut self.arrivals else { return };
        let machine = &mut self.machine;
        let (dropped, misused) = (&mut machine.dropped, &mut machine.misused);
        let mut keep_counts = |done: &Inbox| {
            *dropped = dropped.saturating_add(done.counts().0);
            *misused = misused.saturating_add(done.counts().1);
        };
        while arrivals.any()
            && arrivals.link_one(&mut machine.judge.calls.lanes, &mut machine.judge.quantiles, &mut keep_counts)
        {
        }
    }

    /// Takes in what each lane has told until now, however fast the lane goes on. It fires no timers, as what a lane says may be
    /// older than what the next lane says.
    fn listen(&mut self) {
        for place in 0..self.machine.judge.calls.lanes.places() {
            if let Some(inbox) = self.inbox(place) {
                inbox.note();
            }
            while let Some(message) = self.inbox(place).and_then(Inbox::next) {
                self.take_in(place, message);
            }
        }
    }

    fn inbox(&mut self, place: usize) -> Option<&mut Inbox> {
        self.machine.judge.calls.lanes.at(place)
    }

    fn take_in(&mut self, place: usize, message: Message) {
        self.machine.advance(message.stamp_ns());
        match message {
            Message::Begin { number, generation, start_ns, trial } => {
                self.begin_from_lane(place, (number, generation), start_ns, trial);
            }
            Message::End { number, generation, start_ns, end_ns, ok } => {
                let returned = self.end_from_lane(place, number, generation);
                let (machine, latency_ns) = (&mut self.machine, end_ns.saturating_sub(start_ns));
                match returned {
                    // An epoch has forgotten the call. (Both may have begun at the same nanosecond.)
                    Returned::Unknown if !is_no_time(latency_ns) => {
                        machine.take_stale(end_ns, latency_ns, ok, returned)
                    }
                    returned => machine.take_returned(end_ns, latency_ns, ok, returned),
                }
            }
            Message::Abandon { number, generation, .. } => {
                let start_ns = self.inbox(place).and_then(|inbox| inbox.in_flight.start_of(number));
                let returned = self.end_from_lane(place, number, generation);
                if let Some(start_ns) = start_ns.filter(|_| returned != Returned::Unknown) {
                    self.machine.tap_withdrawn(start_ns);
                }
                if returned == Returned::Trial {
                    self.machine.give_back_trial(true);
                }
            }
            Message::Unknown { now_ns, start_ns, ended } => {
                // As with a ticket of the owner's own: if the call is of an earlier epoch and ended, its sample is stale.
                let latency_ns = if ended { now_ns.saturating_sub(start_ns) } else { 0 };
                let is_stale = self.machine.judge.is_stale(if ended { now_ns } else { start_ns }, latency_ns)
                    && !is_no_time(latency_ns);
                self.machine.stale += u64::from(is_stale && ended);
                self.machine.misused += u64::from(!is_stale);
            }
            Message::Record { end_ns, latency_ns, ok, trial } => {
                if is_no_time(latency_ns) {
                    // Its trial is that of an untracked call, if there is one. It stays out, and is lost.
                    self.machine.misused += 1;
                } else if self.machine.judge.is_stale(end_ns, latency_ns) {
                    self.machine.take_stale(end_ns, latency_ns, ok, Returned::Call);
                    self.machine.unclaim(trial);
                } else {
                    let trial = self.machine.is_trial(trial);
                    self.machine.take_judged(end_ns, latency_ns, ok, trial);
                }
            }
            Message::Probe { end_ns, latency_ns, ok } => self.machine.take_probe(end_ns, latency_ns, ok),
        }
    }

    fn begin_from_lane(&mut self, place: usize, (number, generation): (u32, u16), start_ns: u64, trial: Option<Epoch>) {
        if start_ns < self.machine.judge.epoch_ns() {
            self.machine.unclaim(trial);
            if let Some(inbox) = self.inbox(place) {
                inbox.begin_stale(number, generation);
            }
            return;
        }
        let seen_ns = start_ns.min(self.machine.latest_ns);
        let trial = self.machine.is_trial(trial);
        if let Some(inbox) = self.inbox(place) {
            inbox.begin(number, generation, seen_ns, trial);
        }
        self.machine.wake_for_call(seen_ns);
    }

    fn end_from_lane(&mut self, place: usize, number: u32, generation: u16) -> Returned {
        self.inbox(place).map_or(Returned::Unknown, |inbox| inbox.end(number, generation))
    }

    #[cfg(all(test, not(loom)))]
    fn lanes(&self) -> usize {
        self.machine.judge.calls.lanes.iter().count()
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
        // The latest lane is still there: a lane that is gone leaves when the next one comes. The desk hears of it then, too.
        let mut last = breaker.lane_with_capacity(4);
        assert_eq!(breaker.inner.lanes(), 1);
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
        assert_eq!((breaker.inner.lanes(), breaker.snapshot().in_flight), (2, 1));
    }

    #[test]
    fn lanes_opened_elsewhere_are_linked_in_by_the_next_poll_in_their_order() {
        let mut breaker = breaker();
        let opener = breaker.opener();
        let mut lanes: Vec<Lane> = (0..AT_A_TIME).map(|_| opener.open(4).unwrap()).collect();
        assert!(opener.open(4).is_none(), "the owner has to poll first");
        lanes.iter_mut().for_each(|lane| lane.record_at(1, 7));
        assert_eq!(breaker.inner.lanes(), 0);
        breaker.poll_at(1);
        assert_eq!((breaker.inner.lanes(), breaker.snapshot().recorded), (AT_A_TIME, AT_A_TIME as u64));
        lanes.push(opener.open(4).unwrap());
        drop(lanes);
        breaker.poll_at(2);
        assert_eq!(breaker.inner.lanes(), 1, "the others went as it came");
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
        assert_eq!([0, 1_000_000].map(|ppm| breaker.quantile_ns(ppm)), [Some(999_999_981), Some(1_000_000_000)]);
    }
}
