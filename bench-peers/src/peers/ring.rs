//! The latest 1024 latencies, and a copy of them to select in: what a breaker made by hand has.

use super::{MIN_SAMPLES, Peer, THRESHOLD_NS, WINDOW};

/// Judges the exact P99 of the ring at each call. `Find` returns the value at this place in ascending order.
pub(crate) struct Ring<Find> {
    find: Find,
    latencies_ns: Box<[u64; WINDOW]>,
    copy_ns: Box<[u64; WINDOW]>,
    calls: usize,
    is_open: bool,
}

impl<Find: Fn(&mut [u64], usize) -> u64> Ring<Find> {
    pub(crate) fn new(find: Find) -> Self {
        let (latencies_ns, copy_ns) = (Box::new([0; WINDOW]), Box::new([0; WINDOW]));
        Self { find, latencies_ns, copy_ns, calls: 0, is_open: false }
    }

    #[inline]
    fn p99_ns(&mut self) -> u64 {
        let len = self.calls.min(WINDOW);
        let copy_ns = &mut self.copy_ns[..len];
        copy_ns.copy_from_slice(&self.latencies_ns[..len]);
        let nearest_rank = (len * 99).div_ceil(100);
        (self.find)(copy_ns, nearest_rank - 1)
    }
}

impl<Find: Fn(&mut [u64], usize) -> u64> Peer for Ring<Find> {
    #[inline]
    fn call(&mut self, _now_ns: u64, latency_ns: u64) {
        if self.is_open {
            return;
        }
        self.latencies_ns[self.calls % WINDOW] = latency_ns;
        self.calls += 1;
        self.is_open = self.calls >= MIN_SAMPLES && self.p99_ns() > THRESHOLD_NS;
    }

    fn is_open(&self) -> bool {
        self.is_open
    }
}
