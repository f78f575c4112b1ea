//! failsafe: its default pair of rules, a success rate as a moving average over time, and failures in a row; behind a
//! mutex.

use super::{CONSECUTIVE_FAILURES, Entry, MIN_SAMPLES, Peer, SLOW_SHARE, Shared, outcome};
use failsafe::{CircuitBreaker, Config, FailurePolicy, backoff, failure_policy};
use std::hint::black_box;
use std::time::Duration;

/// About as long as 1024 calls of the traces take; it counts in whole seconds.
const WINDOW: Duration = Duration::from_secs(5);

pub(crate) fn entry() -> Entry {
    Entry {
        name: "failsafe",
        judges: "success rate, averaged over 5 s by decay; 5 failures in a row",
        clock: "twice",
        virtual_time: Ok("yes, by a hook that it has for its own tests"),
        make: || Box::new(make()),
    }
}

pub(crate) fn make() -> impl Peer + Shared + 'static {
    let pause = || backoff::constant(Duration::from_secs(3600));
    let rate = failure_policy::success_rate_over_time_window(1.0 - SLOW_SHARE, MIN_SAMPLES as u32, WINDOW, pause());
    let in_a_row = failure_policy::consecutive_failures(CONSECUTIVE_FAILURES, pause());
    Judge(Config::new().failure_policy(rate.or_else(in_a_row)).build())
}

struct Judge<B>(B);

impl<B: CircuitBreaker + Sync> Shared for Judge<B> {
    #[inline]
    fn call_shared(&self, latency_ns: u64) {
        let _ = black_box(self.0.call(|| black_box(outcome(latency_ns))));
    }
}

impl<B: CircuitBreaker + Sync> Peer for Judge<B> {
    #[inline]
    fn call(&mut self, _now_ns: u64, latency_ns: u64) {
        self.call_shared(latency_ns);
    }

    fn is_open(&self) -> bool {
        !self.0.is_call_permitted()
    }
}
