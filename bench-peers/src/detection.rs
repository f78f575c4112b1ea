//! Feeds the peers traces in virtual time, until they trip.

use crate::effort::Effort;
use crate::peers::{Entry, Peer};
use crate::traces::{KINDS, Trace};
use failsafe::clock::MockClock;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::hint::black_box;
use std::time::Duration;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Trip {
    /// The time since the first call in trouble was sent. `None` if the trip came before that, so that it is a false one.
    pub(crate) after_ns: Option<u64>,
    /// Calls in trouble that were sent before the trip.
    pub(crate) sent: usize,
    /// Calls in trouble that had come back.
    pub(crate) returned: usize,
    /// All calls that were sent before the trip.
    pub(crate) sent_in_all: usize,
}

/// What a peer does with the traces of each kind.
pub(crate) struct Row {
    pub(crate) name: &'static str,
    pub(crate) trips: Vec<Vec<Option<Trip>>>,
}

pub(crate) fn compare(entries: &[Entry], effort: Effort) -> Vec<Row> {
    let peers: Vec<_> = entries.iter().filter(|entry| entry.virtual_time.is_ok()).collect();
    let mut rows: Vec<_> = peers.iter().map(|entry| Row { name: entry.name, trips: Vec::new() }).collect();
    for kind in &KINDS {
        let traces: Vec<_> = (0..if effort == Effort::Quick { 1 } else { kind.traces }).map(kind.make).collect();
        for (row, entry) in rows.iter_mut().zip(&peers) {
            row.trips.push(traces.iter().map(|trace| feed(entry.make, trace)).collect());
        }
    }
    rows
}

/// Feeds a new peer until it trips. At one instant timers come first, then calls that come back, then the one that is
/// sent.
pub(crate) fn feed(make: fn() -> Box<dyn Peer>, trace: &Trace) -> Option<Trip> {
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
            sent_in_all: feed.sent,
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
                self.pass_time(end_ns);
                if self.peer.is_open() {
                    return true;
                }
                self.peer.returned(end_ns, returning, end_ns - trace.calls[returning].start_ns);
                self.returned += usize::from(returning >= trace.onset);
                if self.peer.is_open() {
                    return true;
                }
            }
            self.pass_time(call.start_ns);
            if self.peer.is_open() {
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

    /// Timers fire at their deadlines, until one of them trips the peer.
    fn pass_time(&mut self, until_ns: u64) {
        loop {
            let deadline_ns = self.peer.deadline_ns();
            if deadline_ns > until_ns {
                return self.set_time(until_ns);
            }
            // A deadline may be past.
            self.set_time(deadline_ns.max(self.now_ns));
            self.peer.poll(self.now_ns);
            if self.peer.is_open() {
                return;
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

    /// 11 calls, 5 ms apart, are over 200 ms when the last of them is. Timers fire at that very time.
    #[test]
    fn overdue_calls_trip_when_enough_of_them_are() {
        let none_returns = KINDS.iter().find(|kind| kind.name == "none returns").expect("such a kind");
        let in_flight = peers::all().into_iter().find(|entry| entry.name == trip99::IN_FLIGHT).expect("such a peer");
        let trip = feed(in_flight.make, &(none_returns.make)(1));
        let sent = 51;
        assert_eq!(trip, Some(Trip { after_ns: Some(250_000_001), sent, returned: 0, sent_in_all: 6000 + sent }));
    }
}
