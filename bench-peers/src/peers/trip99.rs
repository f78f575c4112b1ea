//! trip99 with its defaults, by each of the ways in which it is told of a call.

use super::{Entry, Peer};
use trip99::{Breaker, Call, Config, State};

pub(crate) const RECORD_AT: &str = "trip99: allow + record_at";
pub(crate) const RECORD: &str = "trip99: allow + record";
pub(crate) const IN_FLIGHT: &str = "trip99: allow + begin_at + end_at";
const TICKETS: &str = "trip99: allow + begin + end";

const JUDGES: &str = "exact P99 of 1024 samples; 5 slow, or 5 failed, in a row; failure rate";
const JUDGES_IN_FLIGHT: &str = "exact P99 of 1024 samples and the overdue calls in flight; the same rules; a stall";

pub(crate) fn entries() -> Vec<Entry> {
    vec![
        Entry {
            name: RECORD_AT,
            judges: JUDGES,
            clock: "no: time is an argument",
            virtual_time: Some("yes"),
            make: || Box::new(RecordAt(breaker())),
        },
        Entry { name: RECORD, judges: JUDGES, clock: "once", virtual_time: None, make: || Box::new(Record(breaker())) },
        Entry {
            name: IN_FLIGHT,
            judges: JUDGES_IN_FLIGHT,
            clock: "no: time is an argument",
            virtual_time: Some("yes"),
            make: || Box::new(InFlight { breaker: breaker(), calls: Vec::new() }),
        },
        Entry {
            name: TICKETS,
            judges: JUDGES_IN_FLIGHT,
            clock: "twice: it measures the latency",
            virtual_time: None,
            make: || Box::new(Tickets(breaker())),
        },
    ]
}

fn breaker() -> Breaker {
    Breaker::new(Config::default()).expect("the defaults are legal")
}

fn is_open(breaker: &Breaker) -> bool {
    breaker.state() != State::Closed
}

struct RecordAt(Breaker);

impl Peer for RecordAt {
    #[inline]
    fn call(&mut self, now_ns: u64, latency_ns: u64) {
        if self.0.allow_at(now_ns) {
            self.0.record_at(now_ns, latency_ns);
        }
    }

    fn is_open(&self) -> bool {
        is_open(&self.0)
    }

    fn deadline_ns(&self) -> u64 {
        self.0.next_deadline()
    }

    fn poll(&mut self, now_ns: u64) {
        self.0.poll_at(now_ns);
    }
}

struct Record(Breaker);

impl Peer for Record {
    #[inline]
    fn call(&mut self, _now_ns: u64, latency_ns: u64) {
        if self.0.allow() {
            self.0.record(latency_ns);
        }
    }

    fn is_open(&self) -> bool {
        is_open(&self.0)
    }
}

struct InFlight {
    breaker: Breaker,
    /// By number.
    calls: Vec<Call>,
}

impl Peer for InFlight {
    /// Ended before the next one begins: the latency is what lies between, whatever the load says.
    #[inline]
    fn call(&mut self, now_ns: u64, _latency_ns: u64) {
        if self.breaker.allow_at(now_ns) {
            let call = self.breaker.begin_at(now_ns);
            self.breaker.end_at(now_ns + 50, call);
        }
    }

    fn is_open(&self) -> bool {
        is_open(&self.breaker)
    }

    fn sent(&mut self, now_ns: u64, number: usize) {
        assert_eq!(number, self.calls.len(), "calls are numbered as they are sent");
        self.calls.push(self.breaker.begin_at(now_ns));
    }

    fn returned(&mut self, now_ns: u64, number: usize, _latency_ns: u64) {
        self.breaker.end_at(now_ns, self.calls[number]);
    }

    fn deadline_ns(&self) -> u64 {
        self.breaker.next_deadline()
    }

    fn poll(&mut self, now_ns: u64) {
        self.breaker.poll_at(now_ns);
    }
}

struct Tickets(Breaker);

impl Peer for Tickets {
    #[inline]
    fn call(&mut self, _now_ns: u64, _latency_ns: u64) {
        if self.0.allow() {
            let call = self.0.begin();
            self.0.end(call);
        }
    }

    fn is_open(&self) -> bool {
        is_open(&self.0)
    }
}

/// Such a peer's `call` is over at once, whatever latency it is told.
#[cfg(test)]
pub(crate) fn measures_by_itself(name: &str) -> bool {
    name == TICKETS || name == IN_FLIGHT
}
