//! The worst of ten thousand samples, timed one by one, beside what this machine makes of nothing at all.

use crate::effort::Effort;
use crate::load::Load;
use crate::peers::WINDOW;
use crate::peers::trip99::breaker;
use crate::report::{spread, table};
use quanta::Clock;
use std::hint::black_box;
use std::time::Instant;
use trip99::Config;

const ROUNDS: usize = 51;
const SAMPLES: usize = 100_000;
/// Ten of the load's: a million calls a second. So each thousandth sample publishes the snapshot, and the rarer work is
/// well within the worst of ten thousand.
const SLOWER: u64 = 10;
/// What is timed to find the clock's step, and how often: the least is free of interruptions.
const WORK: u64 = 200;
const READINGS: usize = 100;

/// Figures in nanoseconds, by round. They contain the timer's own time.
#[derive(Default)]
pub(crate) struct Times {
    pub(crate) median_ns: Vec<f64>,
    p99_ns: Vec<f64>,
    p999_ns: Vec<f64>,
    pub(crate) p9999_ns: Vec<f64>,
}

impl Times {
    fn add(&mut self, sorted: &[u32], tick_ns: f64) {
        let at = |ppm: usize| f64::from(sorted[(sorted.len() * ppm).div_ceil(1_000_000) - 1]) * tick_ns;
        self.median_ns.push(at(500_000));
        self.p99_ns.push(at(990_000));
        self.p999_ns.push(at(999_000));
        self.p9999_ns.push(at(999_900));
    }
}

pub(crate) struct Worst {
    /// The figures of timing nothing at all.
    pub(crate) floor: Times,
    pub(crate) record_at: Times,
    /// What one of many takes, without a timer between them.
    pub(crate) own_ns: Vec<f64>,
    /// A reading of the clock may be wrong by so much.
    pub(crate) step_ns: f64,
}

/// `step` between two readings of the clock, for each of these.
#[inline(always)]
fn time_each(load: &mut Load, clock: &Clock, ticks: &mut [u32], mut step: impl FnMut(u64, u64)) {
    for slot in &mut *ticks {
        let begin = clock.raw();
        load.run(1, &mut step);
        *slot = u32::try_from(clock.raw() - begin).unwrap_or(u32::MAX);
    }
    ticks.sort_unstable();
}

/// By how many ticks the clock advances at a time, if that is more than one: some guests' clocks do. Work that grows by
/// a nanosecond or so is timed; what the readings skip is the step.
fn step(clock: &Clock) -> u32 {
    let time = |work: u64| {
        let begin = clock.raw();
        for turn in 0..work {
            black_box(turn);
        }
        u32::try_from(clock.raw() - begin).unwrap_or(u32::MAX)
    };
    widest_gap((0..WORK).map(|work| (0..READINGS).map(|_| time(work)).min().unwrap_or(0)).collect())
}

fn widest_gap(mut readings: Vec<u32>) -> u32 {
    readings.sort_unstable();
    readings.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap_or(0)
}

pub(crate) fn measure(effort: Effort) -> Worst {
    let clock = Clock::new();
    // Of many, as it answers in whole nanoseconds.
    let tick_ns = clock.delta_as_nanos(0, 1_000_000) as f64 / 1e6;
    let step_ns = f64::from(step(&clock)) * tick_ns;
    let mut breaker = breaker(Config::default());
    let mut load = Load::new();
    let mut record_at = move |now_ns, latency_ns| black_box(&mut breaker).record_at(now_ns * SLOWER, latency_ns);
    load.run(2 * WINDOW, &mut record_at);
    let mut ticks = vec![0; SAMPLES];
    let mut worst = Worst { floor: Times::default(), record_at: Times::default(), own_ns: Vec::new(), step_ns };
    for _ in 0..effort.rounds(ROUNDS) {
        time_each(&mut load, &clock, &mut ticks, |now_ns, latency_ns| {
            black_box((now_ns * SLOWER, latency_ns));
        });
        worst.floor.add(&ticks, tick_ns);
        time_each(&mut load, &clock, &mut ticks, &mut record_at);
        worst.record_at.add(&ticks, tick_ns);
        let begin = Instant::now();
        load.run(SAMPLES, &mut record_at);
        worst.own_ns.push(begin.elapsed().as_secs_f64() * 1e9 / SAMPLES as f64);
    }
    worst
}

pub(crate) fn report(worst: &Worst) -> String {
    let row = |name: &str, times: &Times| {
        let cells = [&times.median_ns, &times.p99_ns, &times.p999_ns, &times.p9999_ns].map(|ns| spread(ns));
        [name.to_owned()].into_iter().chain(cells).collect()
    };
    let rows = [row("nothing: the timer alone", &worst.floor), row("trip99: record_at", &worst.record_at)];
    table(&["timed one by one", "median", "P99", "P99.9", "P99.99"], &rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_step_is_what_the_readings_skip() {
        assert_eq!(widest_gap(vec![25, 26, 77, 51, 52, 26, 25]), 25);
        assert_eq!(widest_gap((20..60).collect()), 1);
        assert_eq!(widest_gap(vec![7; 100]), 0);
    }
}
