//! What the peers are timed with: good latencies that are made beforehand, and virtual time that advances.

use crate::peers::{THRESHOLD_NS, WINDOW};
use crate::traces;
use std::hint::black_box;

/// Virtual time from one call to the next.
pub(crate) const STEP_NS: u64 = 100;

pub(crate) struct Load {
    /// Half as wide as a breaker's, so that they and a window fit the first cache together.
    latencies_ns: Box<[u32; Self::LEN]>,
    now_ns: u64,
}

impl Load {
    /// There are more than a window holds, so that the sample that enters differs from the one that leaves.
    const LEN: usize = 2 * WINDOW;

    /// No latency is above the threshold, as a successful call is timed.
    pub(crate) fn new() -> Self {
        let latencies_ns: Vec<_> = traces::calm_ns(99).map(|ns| ns.min(THRESHOLD_NS) as u32).take(Self::LEN).collect();
        Self { latencies_ns: latencies_ns.into_boxed_slice().try_into().expect("as many as asked for"), now_ns: 0 }
    }

    /// Calls `step(now_ns, latency_ns)` so many times.
    #[inline]
    pub(crate) fn run(&mut self, steps: usize, mut step: impl FnMut(u64, u64)) {
        let (latencies_ns, step_ns) = (black_box(&*self.latencies_ns), black_box(STEP_NS));
        let mut now_ns = self.now_ns;
        for index in 0..steps {
            now_ns += step_ns;
            step(now_ns, latencies_ns[index % Self::LEN].into());
        }
        self.now_ns = now_ns;
    }
}
