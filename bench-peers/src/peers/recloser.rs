//! recloser: the share of errors among the latest calls, in a ring behind a spin lock. No verdict until the ring is full.

use super::{Entry, Peer, SLOW_SHARE, Shared, Slow, WINDOW, outcome};
use recloser::{Error, Recloser};
use std::hint::black_box;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

pub(crate) fn entry() -> Entry {
    Entry {
        name: "recloser",
        judges: "error rate of the latest 1024 calls, once there are 1024",
        clock: "no",
        virtual_time: Ok("yes: it counts calls; a clock only ends its pause"),
        make: || Box::new(make()),
    }
}

pub(crate) fn make() -> impl Peer + Shared + 'static {
    Judge(Recloser::custom().error_rate(SLOW_SHARE as f32).closed_len(WINDOW).build())
}

struct Judge(Recloser);

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

    /// It tells its state only by refusing a call, and each call is a sample, unless it unwinds.
    fn is_open(&self) -> bool {
        let ask = || self.0.call(|| -> Result<(), Slow> { resume_unwind(Box::new(())) });
        matches!(catch_unwind(AssertUnwindSafe(ask)), Ok(Err(Error::Rejected)))
    }
}
