//! Made-up traces: a node that is calm for half a minute, and then in trouble; and nodes that stay calm. The same ones each time.

use rand::rngs::StdRng;
use rand::{Rng, RngExt, SeedableRng};
use rand_distr::{Distribution, LogNormal};
use std::iter::{repeat_n, repeat_with};

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
/// What a call takes that fills a window beforehand: so little that it is back before the next one is sent.
const PREFILL_NS: u64 = 3 * MS;
/// Of the calm calls that clump, one in so many is slow.
const SLOW_ONE_IN: u32 = 500;
/// Of the calls that follow a slow one there, one in so many is slow.
const SLOW_AGAIN_ONE_IN: u32 = 4;

pub(crate) struct Call {
    pub(crate) start_ns: u64,
    /// `None`: it never comes back.
    pub(crate) latency_ns: Option<u64>,
}

pub(crate) struct Trace {
    pub(crate) calls: Vec<Call>,
    /// So many calls come first, all of them fast: they only fill the window. 0 in a trace of trouble.
    pub(crate) prefilled: usize,
    /// The number of the first call in trouble. A trip before it is a false one.
    pub(crate) onset: usize,
}

/// A trouble.
pub(crate) struct Trouble {
    pub(crate) name: &'static str,
    pub(crate) what: &'static str,
    pub(crate) make: fn(seed: u64) -> Trace,
}

pub(crate) const TROUBLES: [Trouble; 6] = [
    trouble("step", "latency jumps from 5 ms to 400 ms, and stays", |seed| trace(seed, step)),
    trouble("ramp", "latency climbs evenly from 5 ms to 400 ms in 60 s, and stays", |seed| trace(seed, ramp)),
    trouble("2 % slow", "each call takes 400 ms with a chance of 1 in 50, else 5 ms", |seed| trace(seed, some_slow)),
    trouble("silent", "no call comes back", |seed| trace(seed, silent)),
    trouble("lost", "each call never comes back with a chance of 1 in 20, else it takes 5 ms", |seed| {
        trace(seed, some_lost)
    }),
    trouble("flapping", "400 ms for 20 ms (4 calls), then 5 ms for 480 ms, and so on", |seed| trace(seed, flapping)),
];
/// Of each trouble, from so many seeds.
pub(crate) const TROUBLE_TRACES: u64 = 20;

const fn trouble(name: &'static str, what: &'static str, make: fn(u64) -> Trace) -> Trouble {
    Trouble { name, what, make }
}

/// A node that is well all the time: each trip is a false one.
pub(crate) struct Calm {
    pub(crate) name: &'static str,
    pub(crate) what: &'static str,
    latencies_ns: fn(seed: u64) -> Box<dyn Iterator<Item = u64>>,
    /// How much later than by an even rate this call is sent.
    later_ns: fn(number: u64) -> u64,
}

pub(crate) const CALMS: [Calm; 3] = [
    Calm {
        name: "calm",
        what: "log-normal latencies, half above 20 ms, 1 in 500 above 200 ms",
        latencies_ns: |seed| Box::new(calm_ns(seed)),
        later_ns: |_| 0,
    },
    Calm {
        name: "bursts",
        what: "the same latencies, but a second passes after every 50 calls",
        latencies_ns: |seed| Box::new(calm_ns(seed)),
        later_ns: |number| number / 50 * SECOND,
    },
    Calm {
        name: "clumped",
        what: "1 call in 500 takes 400 ms, and after such a call 1 in 4 (a Markov chain of two states); the others take 5 ms",
        latencies_ns: |seed| Box::new(clumped_ns(seed)),
        later_ns: |_| 0,
    },
];
/// Of each calm node at each fill, from so many seeds.
pub(crate) const CALM_TRACES: u64 = 100;

/// How full the window of 1024 calls is as a calm trace begins: so many calls, all fast, come before.
pub(crate) const FILLS: [usize; 3] = [0, 512, 1024];

impl Calm {
    /// The calls of one seed are the same at each fill.
    pub(crate) fn trace(&self, seed: u64, prefilled: usize) -> Trace {
        let latencies_ns = repeat_n(PREFILL_NS, prefilled).chain((self.latencies_ns)(seed).take(ONSET));
        let call = |(latency_ns, number)| Call {
            start_ns: number * STEP_NS + (self.later_ns)(number),
            latency_ns: Some(latency_ns),
        };
        Trace { calls: latencies_ns.zip(0..).map(call).collect(), prefilled, onset: prefilled + ONSET }
    }
}

/// Latencies of a node that is well, though not much better than it must be.
pub(crate) fn calm_ns(seed: u64) -> impl Iterator<Item = u64> {
    let latencies_ms = LogNormal::new(20f64.ln(), 0.8).expect("legal parameters");
    latencies_ms.sample_iter(StdRng::seed_from_u64(seed)).map(|ms| (ms * 1e6) as u64)
}

/// Whether calls are slow that come slow in clumps: a stationary Markov chain.
pub(crate) fn clumped(seed: u64) -> impl Iterator<Item = bool> {
    let mut random = StdRng::seed_from_u64(seed);
    // As many calls begin a clump as end one.
    let ends = f64::from(SLOW_AGAIN_ONE_IN - 1) / f64::from(SLOW_AGAIN_ONE_IN);
    let begins = ends / f64::from(SLOW_ONE_IN - 1);
    let mut is_slow = random.random_ratio(1, SLOW_ONE_IN);
    repeat_with(move || {
        is_slow = random.random_bool(if is_slow { 1.0 - ends } else { begins });
        is_slow
    })
}

fn clumped_ns(seed: u64) -> impl Iterator<Item = u64> {
    let mut random = StdRng::seed_from_u64(seed + CALM_TRACES);
    clumped(seed).map(move |is_slow| vary(&mut random, if is_slow { SLOW_NS } else { 5 * MS }))
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
    Trace { calls: latencies_ns.zip(0..).map(call).collect(), prefilled: 0, onset: ONSET }
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

fn silent(_random: &mut StdRng, _number: u64) -> Option<u64> {
    None
}

fn some_lost(random: &mut StdRng, _number: u64) -> Option<u64> {
    if random.random_ratio(1, 20) { None } else { Some(5 * MS) }
}

fn flapping(_random: &mut StdRng, number: u64) -> Option<u64> {
    slow_if(number % 100 < 4)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_that_clump_are_as_often_slow_as_others_and_often_slow_again() {
        let calls: Vec<_> = (0..CALM_TRACES).flat_map(|seed| clumped(seed).take(20_000)).collect();
        let slow = calls.iter().filter(|&&is_slow| is_slow).count();
        let again = calls.windows(2).filter(|pair| pair[0] && pair[1]).count();
        // Of 2 000 000 calls 4000, with a standard deviation of some 80; of those 1 in 4, with one of 0.7 %.
        assert!((3_700..4_300).contains(&slow), "{slow}");
        assert!((0.22..0.28).contains(&(again as f64 / slow as f64)), "{again} of {slow}");
    }

    #[test]
    fn the_calm_nodes_are_slow_as_often_as_they_say() {
        for calm in &CALMS {
            let calls = (0..CALM_TRACES).flat_map(|seed| calm.trace(seed, 0).calls);
            let slow = calls.filter(|call| call.latency_ns > Some(200 * MS)).count();
            // Of 600 000 calls 1200.
            assert!((1080..1320).contains(&slow), "{} {slow}", calm.name);
        }
    }

    #[test]
    fn a_prefill_is_fast_calls_at_the_trace_s_rate_and_back_before_it() {
        for calm in &CALMS {
            let (young, full) = (calm.trace(7, 0), calm.trace(7, 1024));
            let first_ns = full.calls[1024].start_ns;
            assert_eq!((full.prefilled, full.onset, full.calls.len()), (1024, 1024 + ONSET, 1024 + ONSET));
            let before = full.calls[..1024].iter();
            assert!(before.clone().all(|call| call.start_ns + PREFILL_NS < first_ns));
            assert!(before.clone().all(|call| call.latency_ns == Some(PREFILL_NS)));
            let latencies_ns = |calls: &[Call]| calls.iter().map(|call| call.latency_ns).collect::<Vec<_>>();
            assert!(latencies_ns(&full.calls[1024..]) == latencies_ns(&young.calls), "{}", calm.name);
            let starts_ns = |calls: &[Call]| calls.iter().map(|call| call.start_ns).collect::<Vec<_>>();
            assert!(starts_ns(&full.calls[..ONSET]) == starts_ns(&young.calls), "{}", calm.name);
        }
    }
}
