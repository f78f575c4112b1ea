//! What tests of the Rust API share.
#![allow(dead_code, reason = "each test program uses some of it")]

use std::time::{Duration, Instant};
use trip99::{Breaker, Config, Event, Reason, State};

pub(crate) const MS: u64 = 1_000_000;
pub(crate) const SECOND: u64 = 1_000_000_000;

/// A test fails that waits for longer than this.
pub(crate) const LIMIT: Duration = Duration::from_secs(30);

/// A config without jitter, so that deadlines can be written down.
pub(crate) fn config() -> Config {
    Config { jitter_ppm: 0, ..Config::default() }
}

/// Every rule is off but the quantile's, which goes by the letter from 100 samples on. A test turns on the rule that it is about.
pub(crate) fn quantile_only() -> Config {
    Config {
        consecutive_failures: 0,
        spike_count: 0,
        stall_limit_ns: 0,
        failure_rate_ppm: 1_000_000,
        min_samples: 100,
        min_slow: 1,
        ..config()
    }
}

pub(crate) fn breaker(config: Config) -> Breaker {
    Breaker::new(config).expect("a legal config")
}

/// Opens a breaker with `spike_count` 1 at `now_ns`, by one slow sample.
pub(crate) fn open_at(breaker: &mut Breaker, now_ns: u64) {
    breaker.record_at(now_ns, u64::MAX >> 1);
    assert_eq!(breaker.state(), State::Open);
}

/// A breaker that entered its first half-open epoch at 1 s exactly (`spike_count` is 1).
pub(crate) fn half_open(config: Config) -> Breaker {
    let mut breaker = breaker(Config { spike_count: 1, ..config });
    open_at(&mut breaker, 0);
    breaker.poll_at(SECOND);
    assert_eq!(breaker.state(), State::HalfOpen);
    breaker
}

/// Makes one granted trial, from `now_ns` on, that ends well after `latency_ns`.
pub(crate) fn good_trial(breaker: &mut Breaker, now_ns: u64, latency_ns: u64) {
    assert!(breaker.allow_at(now_ns), "a trial at {now_ns}");
    let call = breaker.begin_at(now_ns);
    breaker.end_at(now_ns + latency_ns, call);
}

/// The transitions, from oldest to newest.
pub(crate) fn reasons(events: impl Iterator<Item = Event>) -> Vec<Reason> {
    events.map(|event| event.reason).collect()
}

pub(crate) fn last(breaker: &Breaker) -> Event {
    breaker.events().last().expect("an event")
}

/// Waits for what other threads will do. The tests don't judge how long that takes.
pub(crate) fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !condition() {
        assert!(begun.elapsed() < LIMIT, "never: {what}");
        std::thread::sleep(Duration::from_millis(1));
    }
}
