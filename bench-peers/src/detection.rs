//! Feeds the peers traces in virtual time, until they trip.

pub(crate) mod report;

use crate::effort::Effort;
use crate::peers::{Contestant, Peer};
use crate::traces::{CALM_TRACES, CALMS, FILLS, TROUBLE_TRACES, TROUBLES, Trace};
use failsafe::clock::MockClock;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::hint::black_box;
use std::thread;
use std::time::Duration;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Trip {
    /// The time since the first call in trouble was sent. `None` if the trip came before that, so that it is a false one.
    pub(crate) after_ns: Option<u64>,
    /// Calls in trouble that were sent before the trip.
    pub(crate) sent: usize,
    /// Calls in trouble that had come back.
    pub(crate) returned: usize,
    /// All calls that were sent before the trip, but those that filled the window.
    pub(crate) sent_in_all: usize,
}

/// What a peer does with the traces of each kind, trace by trace.
pub(crate) struct Row {
    pub(crate) name: String,
    pub(crate) is_ours: bool,
    /// In the order of [`TROUBLES`].
    pub(crate) troubles: Vec<Vec<Option<Trip>>>,
    /// In the order of [`CALMS`], at each of [`FILLS`].
    pub(crate) calms: Vec<Vec<Option<Trip>>>,
}

pub(crate) fn compare(contestants: &[Contestant], effort: Effort) -> Vec<Row> {
    let new_row = |contestant: &Contestant| Row {
        name: contestant.name.clone(),
        is_ours: contestant.is_ours,
        troubles: Vec::new(),
        calms: Vec::new(),
    };
    let mut rows: Vec<_> = contestants.iter().map(new_row).collect();
    for trouble in &TROUBLES {
        let traces: Vec<_> = (0..effort.traces(TROUBLE_TRACES)).map(trouble.make).collect();
        for (row, trips) in rows.iter_mut().zip(feed_all(contestants, &traces)) {
            row.troubles.push(trips);
        }
    }
    for calm in &CALMS {
        for fill in FILLS {
            let traces: Vec<_> = (0..effort.traces(CALM_TRACES)).map(|seed| calm.trace(seed, fill)).collect();
            for (row, trips) in rows.iter_mut().zip(feed_all(contestants, &traces)) {
                row.calms.push(trips);
            }
        }
    }
    rows
}

/// A thread for each, as some take long and time is virtual.
fn feed_all(contestants: &[Contestant], traces: &[Trace]) -> Vec<Vec<Option<Trip>>> {
    thread::scope(|scope| {
        let feed_all = |contestant: &Contestant| traces.iter().map(|trace| feed(&contestant.make, trace)).collect();
        let threads: Vec<_> = contestants.iter().map(|contestant| scope.spawn(move || feed_all(contestant))).collect();
        threads.into_iter().map(|thread| thread.join().expect("no peer panics")).collect()
    })
}

/// Feeds a new peer until it trips. At one instant timers come first, then calls that come back, then the one that is
/// sent.
pub(crate) fn feed(make: &(impl Fn() -> Box<dyn Peer> + ?Sized), trace: &Trace) -> Option<Trip> {
    // failsafe reads this clock, and takes its start as it is made.
    failsafe::clock::freeze(|clock| {
        let origin = failsafe::clock::now();
        let mut feed = Feed { clock, now_ns: 0, peer: make(), sent: 0, returned: 0 };
        let is_tripped = feed.run(trace);
        let read = failsafe::clock::now() - origin;
        assert_eq!(read, Duration::from_nanos(feed.now_ns), "failsafe reads the clock that is set");
        let onset_ns = trace.calls.get(trace.onset).map_or(u64::MAX, |call| call.start_ns);
        is_tripped.then(|| Trip {
            after_ns: feed.now_ns.checked_sub(onset_ns),
            sent: feed.sent.saturating_sub(trace.onset),
            returned: feed.returned,
            sent_in_all: feed.sent.saturating_sub(trace.prefilled),
        })
    })
}

struct Feed<'a> {
    clock: &'a mut MockClock,
    now_ns: u64,
    peer: Box<dyn Peer>,
    sent: usize,
    returned: usize,
}

impl Feed<'_> {
    /// Whether the peer tripped.
    fn run(&mut self, trace: &Trace) -> bool {
        // By time, then by number.
        let mut returns = BinaryHeap::new();
        for (number, call) in trace.calls.iter().enumerate() {
            while let Some(&Reverse((end_ns, returning))) = returns.peek()
                && end_ns <= call.start_ns
            {
                returns.pop();
                if self.pass_time(end_ns) {
                    return true;
                }
                self.peer.returned(end_ns, returning, end_ns - trace.calls[returning].start_ns);
                self.returned += usize::from(returning >= trace.onset);
                if self.peer.is_open() {
                    return true;
                }
            }
            if self.pass_time(call.start_ns) {
                return true;
            }
            self.peer.sent(call.start_ns, number);
            self.sent += 1;
            if let Some(latency_ns) = call.latency_ns {
                returns.push(Reverse((call.start_ns + latency_ns, number)));
            }
        }
        false
    }

    /// Timers fire at their deadlines, until one of them trips the peer. Whether one did.
    fn pass_time(&mut self, until_ns: u64) -> bool {
        loop {
            let deadline_ns = self.peer.deadline_ns();
            if deadline_ns > until_ns {
                self.set_time(until_ns);
                return false;
            }
            // A deadline may be past.
            self.set_time(deadline_ns.max(self.now_ns));
            self.peer.poll(self.now_ns);
            if self.peer.is_open() {
                return true;
            }
        }
    }

    fn set_time(&mut self, now_ns: u64) {
        let span = Duration::from_nanos(now_ns - self.now_ns);
        self.now_ns = now_ns;
        // The clock is read through a pointer of failsafe's own, so it must be in memory before the next call.
        black_box(&mut *self.clock).advance(span);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::peers::{self, trip99};

    fn contestant(name: &str) -> Contestant {
        let contestants = peers::contestants(&peers::all());
        contestants.into_iter().find(|contestant| contestant.name == name).expect("such a contestant")
    }

    fn trip_when_silent(name: &str) -> Trip {
        let silent = TROUBLES.iter().find(|trouble| trouble.name == "silent").expect("such a trouble");
        feed(&contestant(name).make, &(silent.make)(1)).expect("it trips")
    }

    /// 11 calls, 5 ms apart, are over 200 ms when the last of them is; 6 are a debt. Timers fire at that very time.
    #[test]
    fn overdue_calls_trip_when_enough_of_them_are() {
        let (sent, returned) = (51, 0);
        let trip = Trip { after_ns: Some(250_000_001), sent, returned, sent_in_all: 6000 + sent };
        assert_eq!(trip_when_silent("trip99"), trip);
        let sent = 46;
        let trip = Trip { after_ns: Some(225_000_001), sent, returned, sent_in_all: 6000 + sent };
        assert_eq!(trip_when_silent(trip99::DEBT_6), trip);
    }

    /// Nobody trips on it, and a trip after it is counted from its end on.
    #[test]
    fn a_prefill_trips_nobody() {
        for contestant in peers::contestants(&peers::all()) {
            for calm in &CALMS {
                let mut trace = calm.trace(0, 1024);
                trace.calls.truncate(1024);
                assert_eq!(feed(&contestant.make, &trace), None, "{} {}", contestant.name, calm.name);
            }
        }
    }

    #[test]
    fn a_prefill_fills_the_window() {
        for fill in FILLS {
            let mut breaker = trip99::breaker(::trip99::Config::default());
            let calls = CALMS[0].trace(0, fill).calls;
            for call in &calls[..fill] {
                breaker
                    .record_at(call.start_ns + call.latency_ns.expect("it comes back"), call.latency_ns.unwrap_or(0));
            }
            breaker.poll_at(calls[fill].start_ns);
            assert_eq!(breaker.snapshot().samples as usize, fill);
        }
    }
}
