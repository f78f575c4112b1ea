//! What the benches share.

use rand::SeedableRng;
use rand::rngs::StdRng;
use rand_distr::{Distribution, LogNormal};

/// Log-normal latencies in nanoseconds, half above 20 ms and one in 500 above 200 ms. They are the same each time.
pub(crate) fn latencies_ns(len: usize) -> Vec<u64> {
    let latencies_ms = LogNormal::new(20f64.ln(), 0.8).expect("legal parameters");
    latencies_ms.sample_iter(StdRng::seed_from_u64(99)).take(len).map(|ms| (ms * 1e6) as u64).collect()
}
