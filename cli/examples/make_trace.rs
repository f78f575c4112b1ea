//! Makes `traces/outage.csv`: `cargo run -p trip99-cli --example make_trace > traces/outage.csv`.
//!
//! Made-up, not recorded: five minutes of orders to one venue, 40 a second, with three kinds of trouble.
//!
//! | seconds | the venue |
//! |---|---|
//! | 60 to 72 | answers slowly, after 250 to 900 ms |
//! | 130 to 138 | swallows orders: they never come back |
//! | 200 to 215 | is gone: orders fail at once |

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use rand_distr::{Distribution, LogNormal};
use std::fmt::Write;

const MS: u64 = 1_000_000;
const SECOND: u64 = 1_000 * MS;

/// The trace as CSV.
pub(crate) fn trace() -> String {
    let mut random = StdRng::seed_from_u64(99);
    let calm_ms = LogNormal::new(3.2f64.ln(), 0.45).expect("legal parameters");
    let mut csv = String::from("start_ns,latency_ns,ok\n");
    let mut start_ns = 0;
    while start_ns < 300 * SECOND {
        // Whole microseconds, so that rounding of floating point can't show.
        let calm_ns = (calm_ms.sample(&mut random) * 1_000.0) as u64 * 1_000;
        let (latency_ns, ok) = match start_ns / SECOND {
            60..72 => (Some(random.random_range(250..900) * MS), 1),
            130..138 => (None, 1),
            200..215 => (Some(MS / 2), 0),
            _ => (Some(calm_ns), 1),
        };
        let latency = latency_ns.map_or(String::new(), |latency_ns: u64| latency_ns.to_string());
        writeln!(csv, "{start_ns},{latency},{ok}").expect("writing to a string");
        start_ns += random.random_range(1..50) * MS;
    }
    csv
}

#[allow(dead_code, reason = "the test that compares the shipped trace has no use for it")]
fn main() {
    print!("{}", trace());
}
