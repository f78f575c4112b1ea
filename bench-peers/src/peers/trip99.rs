//! trip99 with its defaults, by each of the ways in which it is told of a call; and in the settings that are fed traces.

use super::{Contestant, Entry, Peer};
use std::hint::black_box;
use trip99::{Breaker, Call, Config, State};

pub(crate) const RECORD_AT: &str = "trip99: allow_at + record_at";
const RECORD: &str = "trip99: allow + record";
pub(crate) const IN_FLIGHT: &str = "trip99: allow_at + begin_at + end_at";
const QUANTILE: &str = "trip99: allow_at + record_at + quantile_at";
pub(crate) const TICKETS: &str = "trip99: allow + begin + end";

const JUDGES: &str = "exact P99 of 1024 samples, from 20 with 6 slow on; 5 slow, or 5 failed, in a row; failure rate";
const JUDGES_IN_FLIGHT: &str = "the same, with the overdue calls in flight; a stall";

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
            make: || Box::new(make_in_flight(Config::default())),
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

/// The row of the tables on detection that the project has a goal for.
pub(crate) const DEBT_6: &str = "trip99, debt 6, no spikes";

/// In flight (`begin_at` and `end_at`) in each setting, and by `record_at` in some.
pub(super) fn contestants() -> Vec<Contestant> {
    let mut contestants = Vec::new();
    for (by_record_at, debt_limits) in [(false, &[0, 5, 6, 8][..]), (true, &[0, 6])] {
        for &debt_limit in debt_limits {
            for spike_count in [Config::default().spike_count, 0] {
                let config = Config { debt_limit, spike_count, ..Config::default() };
                let mut name = "trip99".to_owned();
                name.push_str(if by_record_at { " by record_at" } else { "" });
                name.push_str(&if debt_limit > 0 { format!(", debt {debt_limit}") } else { String::new() });
                name.push_str(if spike_count == 0 { ", no spikes" } else { "" });
                let make: Box<dyn Fn() -> Box<dyn Peer> + Sync> = if by_record_at {
                    Box::new(move || Box::new(make(config.clone())))
                } else {
                    Box::new(move || Box::new(make_in_flight(config.clone())))
                };
                contestants.push(Contestant { name, is_ours: true, make });
            }
        }
    }
    contestants
}

fn make_in_flight(config: Config) -> InFlight {
    InFlight { breaker: breaker(config), calls: Vec::new() }
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
    fn the_row_with_a_goal_is_there_and_names_differ() {
        let mut names: Vec<_> = contestants().into_iter().map(|contestant| contestant.name).collect();
        assert!(names.iter().any(|name| name == DEBT_6));
        names.sort();
        names.dedup();
        assert_eq!(names.len(), 12);
    }

    /// The `number`-th call of an outage by which a peer trips, fed calls in flight that don't come back.
    fn overdue_calls_until_open(config: Config) -> usize {
        const STEP_NS: u64 = 5_000_000;
        let mut peer = make_in_flight(config);
        for number in 0..40 {
            peer.sent(number as u64 * STEP_NS, number);
        }
        (0..)
            .find(|&number| {
                // One more call is overdue each time.
                peer.poll(number * STEP_NS + 200_000_001);
                peer.is_open()
            })
            .map_or(0, |number| number as usize + 1)
    }

    #[test]
    fn debt_counts_calls_that_are_overdue() {
        for debt_limit in [5, 6, 8] {
            assert_eq!(overdue_calls_until_open(Config { debt_limit, ..Config::default() }), debt_limit as usize);
        }
        assert_eq!(overdue_calls_until_open(Config::default()), 20, "as many as min_samples");
    }

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
