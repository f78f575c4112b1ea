//! Times what each breaker does for one successful call. Rounds take turns, so that whatever else the machine does falls
//! on all alike.

use crate::load::Load;
use crate::peers::{Entry, WINDOW};
use quanta::Clock;
use std::hint::black_box;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Instant;

const ROUNDS: usize = 101;
/// A round takes so long, or this many calls: long enough that it isn't the caches that are measured, which the others
/// have filled with theirs.
const ROUND_NS: f64 = 250_000.0;
const MIN_CALLS: usize = 100;

/// So many calls.
type Run = dyn FnMut(&mut Load, usize);

pub(crate) struct Line {
    pub(crate) name: &'static str,
    run: Box<Run>,
    /// In a round.
    calls: usize,
    /// Nanoseconds for each call, by round.
    pub(crate) ns: Vec<f64>,
}

impl Line {
    fn new(name: &'static str, run: impl FnMut(&mut Load, usize) + 'static) -> Self {
        Self { name, run: Box::new(run), calls: 2 * WINDOW, ns: Vec::with_capacity(ROUNDS) }
    }

    fn time(&mut self, load: &mut Load) -> f64 {
        let begin = Instant::now();
        (self.run)(load, self.calls);
        begin.elapsed().as_secs_f64() * 1e9 / self.calls as f64
    }

    /// Fills the window, and finds how many calls a round has.
    fn warm_up(&mut self, load: &mut Load) {
        self.calls = ((ROUND_NS / self.time(load)) as usize).max(MIN_CALLS);
    }

    fn round(&mut self, load: &mut Load) {
        let ns = self.time(load);
        self.ns.push(ns);
    }
}

/// Median and quartiles.
#[derive(Clone, Copy)]
pub(crate) struct Spread {
    pub(crate) low: f64,
    pub(crate) median: f64,
    pub(crate) high: f64,
}

impl Spread {
    pub(crate) fn of(figures: impl Iterator<Item = f64>) -> Self {
        let mut figures: Vec<_> = figures.collect();
        figures.sort_by(f64::total_cmp);
        let at = |share: f64| figures[((figures.len() - 1) as f64 * share) as usize];
        Self { low: at(0.25), median: at(0.5), high: at(0.75) }
    }
}

/// What the hardware and the system ask for, with no breaker round it.
fn floors() -> [Line; 3] {
    let gate = Box::new(AtomicU8::new(0));
    let clock = Clock::new();
    [
        Line::new("floor: a relaxed load and a branch", move |load, calls| {
            load.run(calls, |_, _| {
                if black_box(&*gate).load(Ordering::Relaxed) != 0 {
                    refused();
                }
            });
        }),
        Line::new("floor: rdtsc (quanta's raw reading)", move |load, calls| {
            load.run(calls, |_, _| {
                black_box(clock.raw());
            });
        }),
        Line::new("floor: Instant::now", |load, calls| {
            load.run(calls, |_, _| {
                black_box(Instant::now());
            });
        }),
    ]
}

#[cold]
#[inline(never)]
fn refused() {
    black_box(());
}

/// The floors, then the entries, in their order.
pub(crate) fn compare(entries: &[Entry]) -> Vec<Line> {
    let peers = entries.iter().map(|entry| {
        let mut peer = (entry.make)();
        Line::new(entry.name, move |load, calls| {
            peer.run(load, calls);
            assert!(!peer.is_open(), "good calls are timed");
        })
    });
    let mut lines: Vec<_> = floors().into_iter().chain(peers).collect();
    let load = &mut Load::new();
    for line in &mut lines {
        line.time(load);
        line.warm_up(load);
    }
    for _ in 0..ROUNDS {
        lines.iter_mut().for_each(|line| line.round(load));
    }
    lines
}
