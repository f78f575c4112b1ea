//! Made-up traces: a node that is calm for half a minute, and then in trouble. The same ones each time.

use rand::rngs::StdRng;
use rand::{Rng, RngExt, SeedableRng};
use rand_distr::{Distribution, LogNormal};

const MS: u64 = 1_000_000;
/// From one call to the next.
const STEP_NS: u64 = 5 * MS;
/// 30 s without trouble.
const ONSET: usize = 6000;
/// 90 s of it.
const TROUBLE: usize = 18_000;
/// What a slow call takes.
const SLOW_NS: u64 = 400 * MS;

pub(crate) struct Call {
    pub(crate) start_ns: u64,
    /// `None`: it never comes back.
    pub(crate) latency_ns: Option<u64>,
}

pub(crate) struct Trace {
    pub(crate) calls: Vec<Call>,
    /// The number of the first call in trouble. A trip before it is a false one.
    pub(crate) onset: usize,
}

pub(crate) struct Kind {
    pub(crate) name: &'static str,
    pub(crate) what: &'static str,
    pub(crate) make: fn(seed: u64) -> Trace,
}

/// The last is calm.
pub(crate) const KINDS: [Kind; 7] = [
    Kind { name: "step", what: "latency jumps from 5 ms to 400 ms, and stays", make: |seed| trace(seed, step) },
    Kind {
        name: "ramp",
        what: "latency climbs evenly from 5 ms to 400 ms in 60 s, and stays",
        make: |seed| trace(seed, ramp),
    },
    Kind {
        name: "2 % slow",
        what: "each call takes 400 ms with a chance of 1 in 50, else 5 ms",
        make: |seed| trace(seed, some_slow),
    },
    Kind { name: "none returns", what: "no call comes back", make: |seed| trace(seed, none_returns) },
    Kind {
        name: "5 % never return",
        what: "each call stays out with a chance of 1 in 20, else takes 5 ms",
        make: |seed| trace(seed, some_never_return),
    },
    Kind {
        name: "flapping",
        what: "400 ms for 20 ms (4 calls), then 5 ms for 480 ms, and so on",
        make: |seed| trace(seed, flapping),
    },
    Kind {
        name: "calm",
        what: "log-normal: half above 20 ms, 1 in 500 above 200 ms; each trip is a false one",
        make: calm,
    },
];

/// Latencies of a node that is well, though not much better than it must be.
pub(crate) fn calm_ns(seed: u64) -> impl Iterator<Item = u64> {
    let latencies_ms = LogNormal::new(20f64.ln(), 0.8).expect("legal parameters");
    latencies_ms.sample_iter(StdRng::seed_from_u64(seed)).map(|ms| (ms * 1e6) as u64)
}

fn calm(seed: u64) -> Trace {
    let latencies_ns = calm_ns(seed).take(ONSET + TROUBLE).map(Some);
    Trace { calls: calls(latencies_ns), onset: ONSET + TROUBLE }
}

fn calls(latencies_ns: impl Iterator<Item = Option<u64>>) -> Vec<Call> {
    latencies_ns.zip(0..).map(|(latency_ns, number)| Call { start_ns: number * STEP_NS, latency_ns }).collect()
}

/// `latency(random, number)` is that of this call in trouble, before it varies by a few percent.
fn trace(seed: u64, latency: fn(&mut StdRng, u64) -> Option<u64>) -> Trace {
    let mut random = StdRng::seed_from_u64(seed);
    let latencies_ns = (0..ONSET + TROUBLE).map(|number| {
        let trouble = number.checked_sub(ONSET);
        let latency_ns = trouble.map_or(Some(5 * MS), |number| latency(&mut random, number as u64));
        latency_ns.map(|latency_ns| vary(&mut random, latency_ns))
    });
    Trace { calls: calls(latencies_ns), onset: ONSET }
}

fn vary(random: &mut impl Rng, latency_ns: u64) -> u64 {
    (latency_ns as f64 * random.random_range(0.95..1.05)) as u64
}

fn slow_if(is_slow: bool) -> Option<u64> {
    Some(if is_slow { SLOW_NS } else { 5 * MS })
}

fn step(_random: &mut StdRng, _number: u64) -> Option<u64> {
    slow_if(true)
}

fn ramp(_random: &mut StdRng, number: u64) -> Option<u64> {
    const RAMP_CALLS: u64 = 12_000;
    Some(5 * MS + (SLOW_NS - 5 * MS) * number.min(RAMP_CALLS) / RAMP_CALLS)
}

fn some_slow(random: &mut StdRng, _number: u64) -> Option<u64> {
    slow_if(random.random_ratio(1, 50))
}

fn none_returns(_random: &mut StdRng, _number: u64) -> Option<u64> {
    None
}

fn some_never_return(random: &mut StdRng, _number: u64) -> Option<u64> {
    if random.random_ratio(1, 20) { None } else { Some(5 * MS) }
}

fn flapping(_random: &mut StdRng, number: u64) -> Option<u64> {
    slow_if(number % 100 < 4)
}
