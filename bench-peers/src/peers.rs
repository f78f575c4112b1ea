//! The breakers that are compared, one a file, behind one trait.
//!
//! All are asked for the same: pause when more than 1 % of about 1024 calls take longer than 200 ms. A breaker that can't see a
//! latency is told of a failure when the latency is above the threshold.

pub(crate) mod trip99;
pub(crate) mod recloser;
pub(crate) mod failsafe;
pub(crate) mod circuitbreaker_rs;
mod tower_resilience;
mod histogram;
mod ring;
mod select;
mod sort;

use crate::load::Load;
use std::hint::black_box;

/// Strictly above it a call is slow.
pub(crate) const THRESHOLD_NS: u64 = 200_000_000;
/// How many calls are judged, where a peer has such a setting.
pub(crate) const WINDOW: usize = 1024;
/// No verdict before so many calls, where a peer has such a setting.
pub(crate) const MIN_SAMPLES: usize = 100;
/// So many slow calls of [`WINDOW`] take the P99 over the threshold: its nearest rank is the 1014th.
pub(crate) const SLOW_SHARE: f64 = 11.0 / WINDOW as f64;
/// Where a peer has such a rule.
pub(crate) const CONSECUTIVE_FAILURES: u32 = 5;

/// The error that is reported to peers that can't see a latency.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Slow;

impl std::fmt::Display for Slow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("slower than the threshold")
    }
}

impl std::error::Error for Slow {}

/// A call's result, for peers that can't see a latency.
#[inline]
pub(crate) fn outcome(latency_ns: u64) -> Result<(), Slow> {
    if latency_ns > THRESHOLD_NS { Err(Slow) } else { Ok(()) }
}

/// A breaker. Its time is `now_ns`, unless it reads a clock of its own.
pub(crate) trait Peer {
    /// All that the breaker has to do with one call: it is asked, and told the result, at the time the call comes back.
    fn call(&mut self, now_ns: u64, latency_ns: u64);

    fn is_open(&self) -> bool;

    /// The call of this number is sent. This is for peers that watch calls in flight.
    fn sent(&mut self, _now_ns: u64, _number: usize) {}

    /// The call of this number comes back.
    fn returned(&mut self, now_ns: u64, _number: usize, latency_ns: u64) {
        self.call(now_ns, latency_ns);
    }

    /// When `poll` has work. Only a peer with timers ever has work.
    fn deadline_ns(&self) -> u64 {
        u64::MAX
    }

    fn poll(&mut self, _now_ns: u64) {}

    /// Makes one call for each of so many steps. It is in the trait so that `call` is inlined here.
    fn run(&mut self, load: &mut Load, steps: usize) {
        load.run(steps, |now_ns, latency_ns| black_box(&mut *self).call(now_ns, latency_ns));
    }
}

/// A breaker that threads share as it is. It can't be given the time.
pub(crate) trait Shared: Sync {
    /// See [`Peer::call`].
    fn call_shared(&self, latency_ns: u64);
}

pub(crate) struct Entry {
    pub(crate) name: &'static str,
    pub(crate) judges: &'static str,
    /// What reads a clock in a successful call.
    pub(crate) clock: &'static str,
    /// How traces are fed to it in virtual time, or why none are.
    pub(crate) virtual_time: Result<&'static str, &'static str>,
    pub(crate) make: fn() -> Box<dyn Peer>,
}

/// A breaker that is fed traces, under the name that the tables on detection call it.
pub(crate) struct Contestant {
    pub(crate) name: String,
    pub(crate) is_ours: bool,
    pub(crate) make: Box<dyn Fn() -> Box<dyn Peer> + Sync>,
}

/// trip99 in several settings, and the rivals that can be fed in virtual time.
pub(crate) fn contestants(entries: &[Entry]) -> Vec<Contestant> {
    let rivals = entries.iter().filter(|entry| !entry.is_ours() && entry.virtual_time.is_ok());
    let rivals =
        rivals.map(|entry| Contestant { name: entry.name.to_owned(), is_ours: false, make: Box::new(entry.make) });
    trip99::contestants().into_iter().chain(rivals).collect()
}

impl Entry {
    pub(crate) fn is_ours(&self) -> bool {
        self.name.starts_with("trip99")
    }
}

/// trip99 first, and of it `record_at` and `record`, to which the others are compared.
pub(crate) fn all() -> Vec<Entry> {
    let mut entries = trip99::entries();
    entries.extend([
        recloser::entry(),
        failsafe::entry(),
        circuitbreaker_rs::entry(),
        tower_resilience::entry(),
        histogram::entry(),
        select::entry(),
        sort::entry(),
    ]);
    entries
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detection;
    use crate::traces::{Call, Trace, calm_ns};

    const MS: u64 = 1_000_000;
    const STEP_NS: u64 = 5 * MS;

    /// A peer in virtual time, fed so many calls of one latency after so many good ones; does it trip on the bad?
    fn trips(entry: &Entry, good: usize, bad: usize, bad_ns: Option<u64>) -> bool {
        let call = |number: usize| Call {
            start_ns: number as u64 * STEP_NS,
            latency_ns: if number < good { Some(3 * MS) } else { bad_ns },
        };
        let trace = Trace { calls: (0..good + bad).map(call).collect(), prefilled: 0, onset: good };
        let trip = detection::feed(&entry.make, &trace);
        assert!(trip.is_none_or(|trip| trip.after_ns.is_some()), "{} trips on good calls", entry.name);
        trip.is_some()
    }

    fn virtual_peers() -> impl Iterator<Item = Entry> {
        all().into_iter().filter(|entry| entry.virtual_time.is_ok())
    }

    #[test]
    fn each_trips_on_an_outage_and_not_before() {
        for entry in virtual_peers() {
            assert!(trips(&entry, 3000, 3000, Some(THRESHOLD_NS + 10 * MS)), "{} doesn't trip", entry.name);
        }
    }

    #[test]
    fn none_trips_below_the_threshold() {
        for entry in virtual_peers() {
            // A histogram's bucket is about 1 % wide.
            assert!(!trips(&entry, 3000, 3000, Some(THRESHOLD_NS - 4 * MS)), "{} trips", entry.name);
        }
    }

    /// 1 slow call of 20, never two in a row: a share, or a quantile, must be judged.
    #[test]
    fn each_judges_more_than_calls_in_a_row() {
        for entry in virtual_peers() {
            let calls = (0..40_000).map(|number| Call {
                start_ns: number * STEP_NS,
                latency_ns: Some(if number % 20 == 7 { 2 * THRESHOLD_NS } else { 3 * MS }),
            });
            let trace = Trace { calls: calls.collect(), prefilled: 0, onset: 0 };
            assert!(detection::feed(&entry.make, &trace).is_some(), "{} doesn't trip", entry.name);
        }
    }

    #[test]
    fn only_who_watches_calls_in_flight_sees_those_that_never_return() {
        for entry in virtual_peers() {
            assert_eq!(trips(&entry, 3000, 3000, None), entry.name == trip99::IN_FLIGHT, "{}", entry.name);
        }
    }

    /// So only one of the two is fed all traces.
    #[test]
    fn sort_and_select_trip_on_the_same_call() {
        let entries = all();
        let [select, sort] = [select::NAME, sort::NAME].map(|name| entries.iter().find(|entry| entry.name == name));
        let [select, sort] = [select.expect("it is there").make, sort.expect("it is there").make];
        for seed in 0..10 {
            // Twice as slow as when it is calm, so that they trip soon.
            let trip = |make: fn() -> Box<dyn Peer>| {
                let mut peer = make();
                calm_ns(seed).position(|latency_ns| {
                    peer.call(0, 2 * latency_ns);
                    peer.is_open()
                })
            };
            assert_eq!(trip(select), trip(sort), "seed {seed}");
        }
    }

    /// Those that live in real time, too.
    #[test]
    fn each_trips_when_it_is_called() {
        for entry in all() {
            let mut peer = (entry.make)();
            for call in 0..2 * WINDOW as u64 {
                peer.call(call * STEP_NS, MS);
            }
            assert!(!peer.is_open(), "{} trips on good calls", entry.name);
            for call in 0..2 * WINDOW as u64 {
                peer.call((2 * WINDOW as u64 + call) * STEP_NS, 2 * THRESHOLD_NS);
            }
            assert!(peer.is_open() != trip99::measures_by_itself(entry.name), "{}", entry.name);
        }
    }
}
