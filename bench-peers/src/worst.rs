//! The worst of ten thousand samples, timed one by one, beside what this machine makes of nothing at all.

use crate::effort::Effort;
use crate::load::Load;
use crate::peers::trip99::breaker;
use crate::report::{spread, table, time};
use quanta::Clock;
use std::hint::black_box;
use std::time::Instant;
use trip99::Config;

const ROUNDS: usize = 101;
/// A round of them takes a whole number of milliseconds in virtual time, and goes round the window a whole number of times. So
/// whatever the breaker does now and then, it does at the same samples in each round.
const SAMPLES: usize = 128_000;
/// Ten of the load's: a million calls a second. So the work of each millisecond, such as to publish the snapshot, comes with
/// each thousandth sample, and is well within the worst of ten thousand.
const SLOWER: u64 = 10;
/// So many of a sample's readings are left out, the worst ones: the machine interrupted them.
const INTERRUPTED: usize = 3;
/// What is timed to find the clock's step, and how often: the least is free of interruptions.
const WORK: u64 = 200;
const READINGS: usize = 100;

/// Of readings in order.
fn at<T: Copy>(sorted: &[T], ppm: usize) -> T {
    sorted[(sorted.len() * ppm).div_ceil(1_000_000) - 1]
}

/// An operation that is timed one by one, and without the timer. Figures in nanoseconds. Those that are timed one by one contain
/// the timer's own time.
#[derive(Default)]
pub(crate) struct Timed {
    /// What one of many takes, without a timer between them, by round.
    pub(crate) own_ns: Vec<f64>,
    /// Of each round's readings.
    p999_ns: Vec<f64>,
    p9999_ns: Vec<f64>,
    /// What each sample of a round takes, in order of length: the mean of its readings in all rounds, but for the interrupted ones.
    /// A mean is finer than the clock's step.
    pub(crate) each_ns: Vec<f64>,
}

impl Timed {
    #[cfg(test)]
    pub(crate) fn of(own_ns: Vec<f64>, each_ns: Vec<f64>) -> Self {
        Self { own_ns, each_ns, ..Self::default() }
    }

    pub(crate) fn at(&self, ppm: usize) -> f64 {
        at(&self.each_ns, ppm)
    }
}

pub(crate) const MEDIAN: usize = 500_000;
const P999: usize = 999_000;
pub(crate) const P9999: usize = 999_900;

/// All readings of a sample.
#[derive(Clone, Default)]
struct Readings {
    sum: u64,
    count: usize,
    worst: [u16; INTERRUPTED],
}

impl Readings {
    fn add(&mut self, ticks: u16) {
        self.sum += u64::from(ticks);
        self.count += 1;
        if ticks > self.worst[0] {
            self.worst[0] = ticks;
            self.worst.sort_unstable();
        }
    }

    fn mean_of_the_others(&self) -> f64 {
        let worst: u64 = self.worst.iter().map(|&ticks| u64::from(ticks)).sum();
        (self.sum - worst) as f64 / (self.count - INTERRUPTED) as f64
    }
}

pub(crate) struct Worst {
    /// The figures of timing nothing at all.
    pub(crate) floor: Timed,
    pub(crate) record_at: Timed,
    /// `poll_at` and `record_at`, as in a turn of an engine's loop.
    pub(crate) polled: Timed,
    /// A sample's figure may be wrong by so much, as the clock advances in steps.
    pub(crate) error_ns: f64,
}

/// `step` between two readings of the clock, for each of these.
#[inline(always)]
fn time_each(load: &mut Load, clock: &Clock, ticks: &mut [u16], mut step: impl FnMut(u64, u64)) {
    let (count, mut slots) = (ticks.len(), ticks.iter_mut());
    load.run(count, |now_ns, latency_ns| {
        let begin = clock.raw();
        step(now_ns, latency_ns);
        let took = clock.raw() - begin;
        if let Some(slot) = slots.next() {
            *slot = u16::try_from(took).unwrap_or(u16::MAX);
        }
    });
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

/// One operation, and where its readings go.
struct Run<S> {
    step: S,
    readings: Vec<Readings>,
    timed: Timed,
}

impl<S: FnMut(u64, u64)> Run<S> {
    fn new(step: S) -> Self {
        Self { step, readings: vec![Readings::default(); SAMPLES], timed: Timed::default() }
    }

    /// First without the timer, which also warms the caches. `ticks` are written before that, so that they are in the second one:
    /// otherwise each of their pages would make a sample slow.
    fn round(&mut self, load: &mut Load, clock: &Clock, ticks: &mut [u16], tick_ns: f64) {
        ticks.fill(0);
        let begin = Instant::now();
        load.run(SAMPLES, &mut self.step);
        self.timed.own_ns.push(begin.elapsed().as_secs_f64() * 1e9 / SAMPLES as f64);
        time_each(load, clock, ticks, &mut self.step);
        for (readings, &ticks) in self.readings.iter_mut().zip(&*ticks) {
            readings.add(ticks);
        }
        ticks.sort_unstable();
        self.timed.p999_ns.push(f64::from(at(ticks, P999)) * tick_ns);
        self.timed.p9999_ns.push(f64::from(at(ticks, P9999)) * tick_ns);
    }

    fn end(mut self, tick_ns: f64) -> Timed {
        self.timed.each_ns = self.readings.iter().map(|readings| readings.mean_of_the_others() * tick_ns).collect();
        self.timed.each_ns.sort_by(f64::total_cmp);
        self.timed
    }
}

pub(crate) fn measure(effort: Effort) -> Worst {
    let clock = Clock::new();
    // Of many, as it answers in whole nanoseconds.
    let tick_ns = clock.delta_as_nanos(0, 1_000_000) as f64 / 1e6;
    let (mut alone, mut polled) = (breaker(Config::default()), breaker(Config::default()));
    let mut floor = Run::new(|now_ns, latency_ns| {
        black_box((now_ns * SLOWER, latency_ns));
    });
    let mut record_at = Run::new(|now_ns, latency_ns| black_box(&mut alone).record_at(now_ns * SLOWER, latency_ns));
    let mut poll_and_record_at = Run::new(|now_ns, latency_ns| {
        let breaker = black_box(&mut polled);
        breaker.poll_at(now_ns * SLOWER);
        breaker.record_at(now_ns * SLOWER, latency_ns);
    });
    let (load, ticks) = (&mut Load::new(), &mut vec![0; SAMPLES][..]);
    let rounds = effort.rounds(ROUNDS);
    for _ in 0..rounds {
        floor.round(load, &clock, ticks, tick_ns);
        record_at.round(load, &clock, ticks, tick_ns);
        poll_and_record_at.round(load, &clock, ticks, tick_ns);
    }
    // A reading is off by a step at most, and evenly so: this is the deviation of their mean.
    let error_ns = f64::from(step(&clock)) * tick_ns / (12.0 * rounds as f64).sqrt();
    Worst {
        floor: floor.end(tick_ns),
        record_at: record_at.end(tick_ns),
        polled: poll_and_record_at.end(tick_ns),
        error_ns,
    }
}

pub(crate) fn report(worst: &Worst) -> String {
    let row = |name: &str, timed: &Timed| {
        let each = [MEDIAN, P999, P9999].map(|ppm| time(timed.at(ppm)));
        let cells = [spread(&timed.own_ns)].into_iter().chain(each);
        let cells = cells.chain([spread(&timed.p999_ns), spread(&timed.p9999_ns)]);
        [name.to_owned()].into_iter().chain(cells).collect()
    };
    let rows = [
        row("nothing: the timer alone", &worst.floor),
        row("trip99: record_at", &worst.record_at),
        row("trip99: poll_at + record_at", &worst.polled),
    ];
    let header = [
        "timed one by one",
        "without the timer",
        "median",
        "P99.9",
        "P99.99",
        "P99.9, with interruptions",
        "P99.99, with interruptions",
    ];
    table(&header, &rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_round_is_whole_milliseconds_and_whole_windows() {
        assert_eq!(SAMPLES as u64 * SLOWER * crate::load::STEP_NS % 1_000_000, 0);
        assert_eq!(SAMPLES % crate::peers::WINDOW, 0);
    }

    #[test]
    fn interrupted_readings_are_left_out() {
        let mut readings = Readings::default();
        [10, 900, 20, 10, 800, 20, 700].into_iter().for_each(|ticks| readings.add(ticks));
        assert_eq!(readings.mean_of_the_others(), 15.0);
    }

    /// One sample in a thousand, always the same ones, is slower by far than a step.
    #[test]
    fn what_is_slow_each_millisecond_is_seen_and_an_interruption_is_not() {
        let mut calls = 0;
        let mut slow = Run::new(|now_ns, _| {
            let is_interrupted = calls == SAMPLES + 5 * SAMPLES / 2;
            let work = if is_interrupted || (now_ns * SLOWER).is_multiple_of(1_000_000) { 2000 } else { 0 };
            (0..work).for_each(|turn| {
                black_box(turn);
            });
            calls += 1;
        });
        let (clock, load, ticks) = (Clock::new(), &mut Load::new(), &mut vec![0; SAMPLES][..]);
        for _ in 0..5 {
            slow.round(load, &clock, ticks, 1.0);
        }
        let timed = slow.end(1.0);
        let slow_ones = timed.each_ns.iter().filter(|&&ns| ns > 10.0 * timed.at(MEDIAN)).count();
        assert!((SAMPLES / 1000..SAMPLES / 1000 + 100).contains(&slow_ones), "{slow_ones}");
        assert!(timed.at(P9999) > 10.0 * timed.at(MEDIAN));
    }

    #[test]
    fn the_step_is_what_the_readings_skip() {
        assert_eq!(widest_gap(vec![25, 26, 77, 51, 52, 26, 25]), 25);
        assert_eq!(widest_gap((20..60).collect()), 1);
        assert_eq!(widest_gap(vec![7; 100]), 0);
    }
}
