//! Made-up traces: a node that is calm for half a minute, and then in trouble. The same ones each time.

use rand::rngs::StdRng;
use rand::{Rng, RngExt, SeedableRng};
use rand_distr::{Distribution, LogNormal};

const MS: u64 = 1_000_000;
const SECOND: u64 = 1000 * MS;
/// From one call to the next.
const STEP_NS: u64 = 5 * MS;
/// Calls without trouble: 30 s.
const ONSET: usize = 6000;
/// Calls in trouble: 90 s.
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
    /// From so many seeds.
    pub(crate) traces: u64,
    pub(crate) make: fn(seed: u64) -> Trace,
}

pub(crate) const KINDS: [Kind; 8] = [
    in_trouble("step", "Latency jumps from 5 ms to 400 ms, and stays", |seed| trace(seed, step)),
    in_trouble("ramp", "Latency climbs evenly from 5 ms to 400 ms in 60 s, and stays", |seed| trace(seed, ramp)),
    in_trouble("2 % slow", "Each call takes 400 ms with a chance of 1 in 50, else 5 ms", |seed| trace(seed, some_slow)),
    in_trouble("none returns", "No call comes back", |seed| trace(seed, none_returns)),
    in_trouble("5 % never return", "Each call stays out with a chance of 1 in 20, else takes 5 ms", |seed| {
        trace(seed, some_never_return)
    }),
    in_trouble("flapping", "400 ms for 20 ms (4 calls), then 5 ms for 480 ms, and so on", |seed| trace(seed, flapping)),
    calm("calm", "Log-normal: half above 20 ms, 1 in 500 above 200 ms. Each trip is a false one", |seed| {
        calm_trace(seed, |_| 0)
    }),
    calm("calm, in bursts", "Likewise, but a second passes after every 50 calls. Each trip is a false one", |seed| {
        calm_trace(seed, |number| number / 50 * SECOND)
    }),
];

const fn in_trouble(name: &'static str, what: &'static str, make: fn(u64) -> Trace) -> Kind {
    Kind { name, what, traces: 20, make }
}

const fn calm(name: &'static str, what: &'static str, make: fn(u64) -> Trace) -> Kind {
    Kind { name, what, traces: 100, make }
}

/// Latencies of a node that is well, though not much better than it must be.
pub(crate) fn calm_ns(seed: u64) -> impl Iterator<Item = u64> {
    let latencies_ms = LogNormal::new(20f64.ln(), 0.8).expect("legal parameters");
    latencies_ms.sample_iter(StdRng::seed_from_u64(seed)).map(|ms| (ms * 1e6) as u64)
}

/// `later_ns(number)` is how much later than by an even rate this call is sent.
fn calm_trace(seed: u64, later_ns: fn(u64) -> u64) -> Trace {
    let call =
        |(latency_ns, number)| Call { start_ns: number * STEP_NS + later_ns(number), latency_ns: Some(latency_ns) };
    Trace { calls: calm_ns(seed).zip(0..).take(ONSET).map(call).collect(), onset: ONSET }
}

/// `latency(random, number)` is that of this call in trouble, before it varies by a few percent.
fn trace(seed: u64, latency: fn(&mut StdRng, u64) -> Option<u64>) -> Trace {
    let mut random = StdRng::seed_from_u64(seed);
    let latencies_ns = (0..ONSET + TROUBLE).map(|number| {
        let trouble = number.checked_sub(ONSET);
        let latency_ns = trouble.map_or(Some(5 * MS), |number| latency(&mut random, number as u64));
        latency_ns.map(|latency_ns| vary(&mut random, latency_ns))
    });
    let call = |(latency_ns, number)| Call { start_ns: number * STEP_NS, latency_ns };
    Trace { calls: latencies_ns.zip(0..).map(call).collect(), onset: ONSET }
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
