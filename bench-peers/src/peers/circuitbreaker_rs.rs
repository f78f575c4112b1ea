//! circuitbreaker-rs: its default policy, the share of errors since it was made, and failures in a row; by atomics, and
//! mutexes for the times of the latest success and failure.

use super::{CONSECUTIVE_FAILURES, Entry, MIN_SAMPLES, Peer, SLOW_SHARE, Shared, Slow, outcome};
use circuitbreaker_rs::{CircuitBreaker, DefaultPolicy, State};
use std::hint::black_box;

pub(crate) fn entry() -> Entry {
    Entry {
        name: "circuitbreaker-rs",
        judges: "error rate of all calls since its start; 5 failures in a row",
        clock: "3 times",
        virtual_time: Ok("yes: it counts calls; a clock only ends its pause"),
        make: || Box::new(make()),
    }
}

pub(crate) fn make() -> impl Peer + Shared + 'static {
    let builder = CircuitBreaker::<DefaultPolicy, Slow>::builder()
        .failure_threshold(SLOW_SHARE)
        .min_throughput(MIN_SAMPLES as u64)
        .consecutive_failures(CONSECUTIVE_FAILURES.into());
    Judge(builder.build())
}

struct Judge(CircuitBreaker<DefaultPolicy, Slow>);

impl Shared for Judge {
    #[inline]
    fn call_shared(&self, latency_ns: u64) {
        let _ = black_box(self.0.call(|| black_box(outcome(latency_ns))));
    }
}

impl Peer for Judge {
    #[inline]
    fn call(&mut self, _now_ns: u64, latency_ns: u64) {
        self.call_shared(latency_ns);
    }

    fn is_open(&self) -> bool {
        self.0.current_state() != State::Closed
    }
}
