//! One loop over many breakers, as an engine has that watches many nodes: what the caches ask for.

use super::thousands;
use crate::effort::Effort;
use crate::load::Load;
use crate::peers::{Peer, recloser, trip99};
use crate::report::{ratio, spread, table};
use crate::rounds::{Line, Spread, take_turns};
use ::trip99::Config;
use std::hint::black_box;

const COUNTS: [usize; 5] = [1, 10, 100, 1000, 10_000];
/// The last takes a gigabyte.
const COUNTS_QUICK: usize = 4;
const ROUNDS: usize = 51;
const CALLS: usize = 1 << 16;
/// More than a window, so that it is full.
const CALLS_BEFORE: usize = 1100;

/// Each breaker's turn comes after all others'. Their time is the same, and moves on once in a turn of the loop, so that
/// the work for one call doesn't depend on how many there are.
fn line<P: Peer + 'static>(make: impl Fn() -> P, count: usize) -> Line {
    let mut peers: Vec<P> = (0..count).map(|_| make()).collect();
    let (mut next, mut turn_ns) = (0, 0);
    let run = move |load: &mut Load, calls| {
        load.run(calls, |_, latency_ns| {
            black_box(&mut peers[next]).call(turn_ns, latency_ns);
            next += 1;
            if next == peers.len() {
                (next, turn_ns) = (0, turn_ns + crate::load::STEP_NS);
            }
        });
        assert!(!peers[0].is_open(), "good calls are timed");
    };
    Line::new("", run).calls(count * CALLS_BEFORE, CALLS)
}

/// Nanoseconds for each call, by round.
pub(crate) struct Case {
    pub(crate) count: usize,
    /// With a window of 1024 calls, as recloser's, and of 64.
    pub(crate) ours: Vec<f64>,
    short: Vec<f64>,
    pub(crate) recloser: Vec<f64>,
}

#[cfg(test)]
impl Case {
    pub(crate) fn of(count: usize, ours: Vec<f64>, recloser: Vec<f64>) -> Self {
        Self { count, short: ours.clone(), ours, recloser }
    }
}

pub(crate) const RIVAL: &str = "recloser";

fn case(count: usize, rounds: usize) -> Case {
    let ours = |window_len| {
        // The calls in flight don't matter here, but their tables would fill the memory.
        let config = Config { window_len, min_samples: 64, max_in_flight: 16, ..Config::default() };
        line(move || trip99::make(config.clone()), count)
    };
    let mut lines = [ours(1024), ours(64), line(recloser::make, count)];
    take_turns(&mut lines, &mut Load::new(), rounds);
    let [ours, short, recloser] = lines.map(|line| line.ns);
    Case { count, ours, short, recloser }
}

pub(crate) fn measure(effort: Effort) -> Vec<Case> {
    let counts = if effort == Effort::Quick { &COUNTS[..COUNTS_QUICK] } else { &COUNTS };
    counts.iter().map(|&count| case(count, effort.rounds(ROUNDS))).collect()
}

pub(crate) fn report(cases: &[Case]) -> String {
    let row = |case: &Case| {
        let ratio = |ns| ratio(Spread::of_ratios(ns, &case.recloser));
        let (ours, short) = (&case.ours, &case.short);
        let ratios = [ratio(ours), ratio(short)];
        let times = [ours, short, &case.recloser].map(|ns| spread(ns));
        [thousands(case.count)].into_iter().chain(times).chain(ratios).collect()
    };
    let header =
        ["breakers", "trip99, window 1024", "trip99, window 64", "recloser, 1024", "1024 x recloser", "64 x recloser"];
    table(&header, &cases.iter().map(row).collect::<Vec<_>>())
}
