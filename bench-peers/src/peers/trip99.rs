//! trip99 with its defaults, by each of the ways in which it is told of a call.

use super::{Entry, Peer};
use std::hint::black_box;
use trip99::{Breaker, Call, Config, State};

const RECORD_AT: &str = "trip99: allow_at + record_at";
const RECORD: &str = "trip99: allow + record";
pub(crate) const IN_FLIGHT: &str = "trip99: allow_at + begin_at + end_at";
const QUANTILE: &str = "trip99: allow_at + record_at + quantile_at";
const TICKETS: &str = "trip99: allow + begin + end";

const JUDGES: &str = "exact P99 of 1024 samples; 5 slow, or 5 failed, in a row; failure rate";
const JUDGES_IN_FLIGHT: &str = "exact P99 of 1024 samples and the overdue calls in flight; the same rules; a stall";

pub(crate) fn entries() -> Vec<Entry> {
    vec![
        Entry {
            name: RECORD_AT,
            judges: JUDGES,
            clock: "no: time is an argument",
            virtual_time: Ok("yes"),
            make: || Box::new(make(Config::default())),
        },
        Entry {
            name: RECORD,
            judges: JUDGES,
            clock: "once",
            virtual_time: Err("not fed: it reads the clock"),
            make: || Box::new(Record(breaker(Config::default()))),
        },
        Entry {
            name: QUANTILE,
            judges: "the same; the P99's value, which the verdict doesn't need, is asked for, too",
            clock: "no: time is an argument",
            virtual_time: Err("not fed: it trips as without the value"),
            make: || Box::new(Quantile(breaker(Config::default()))),
        },
        Entry {
            name: IN_FLIGHT,
            judges: JUDGES_IN_FLIGHT,
            clock: "no: time is an argument",
            virtual_time: Ok("yes"),
            make: || Box::new(InFlight { breaker: breaker(Config::default()), calls: Vec::new() }),
        },
        Entry {
            name: TICKETS,
            judges: JUDGES_IN_FLIGHT,
            clock: "twice: it measures the latency",
            virtual_time: Err("not fed: it reads the clock"),
            make: || Box::new(Tickets(breaker(Config::default()))),
        },
    ]
}

/// Told by `allow_at` and `record_at`.
pub(crate) fn make(config: Config) -> impl Peer + 'static {
    RecordAt(breaker(config))
}

pub(crate) fn breaker(config: Config) -> Breaker {
    Breaker::new(config).expect("a legal config")
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
        self.0.next_deadline_ns()
    }

    fn poll(&mut self, now_ns: u64) {
        self.0.poll_at(now_ns);
    }
}

struct Quantile(Breaker);

impl Peer for Quantile {
    #[inline]
    fn call(&mut self, now_ns: u64, latency_ns: u64) {
        if self.0.allow_at(now_ns) {
            self.0.record_at(now_ns, latency_ns);
            black_box(self.0.quantile_ns_at(now_ns, 990_000));
        }
    }

    fn is_open(&self) -> bool {
        is_open(&self.0)
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
        self.breaker.next_deadline_ns()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_two_measure_is_judged() {
        let strict = || breaker(Config { threshold_ns: 1, ..Config::default() });
        let (mut tickets, mut in_flight) = (Tickets(strict()), InFlight { breaker: strict(), calls: Vec::new() });
        for call in 0..1000 {
            tickets.call(0, 0);
            in_flight.call(call * 100, 0);
        }
        assert!(tickets.is_open() && in_flight.is_open());
    }
}
