//! What the value of a quantile costs as the window grows, beside reading each latency once, and beside what std has.

use super::{WINDOWS, thousands};
use crate::effort::Effort;
use crate::load::STEP_NS;
use crate::peers::trip99::breaker;
use crate::report::{ratio, spread, table};
use crate::rounds::Spread;
use crate::traces;
use std::hint::black_box;
use std::time::{Duration, Instant};
use trip99::{Breaker, Config, PPM};

const QUANTILE_PPM: u32 = 990_000;
/// Samples between two quantiles of a sliding window.
const SLIDE: usize = 16;
const ROUNDS: usize = 101;
/// Of windows whose rounds take many milliseconds.
const LONG: usize = 100_000;
const ROUNDS_OF_LONG: usize = 31;

/// Longer than any latency of the load.
const SLOWEST: Duration = Duration::from_secs(60);

/// A window of latencies of which the P99, or its floor, is found.
trait Window {
    fn push(&mut self, latencies_ns: &[u64]);
    fn ask(&mut self) -> u64;
}

struct Trip99 {
    breaker: Breaker,
    now_ns: u64,
}

impl Trip99 {
    fn new(window_len: usize) -> Self {
        // The load is not judged: the breaker stays closed at every length.
        let quiet = Config { min_samples: 64, ..Config::for_threshold(SLOWEST) };
        Self { breaker: breaker(Config { window_len: window_len as u32, ..quiet }), now_ns: 0 }
    }
}

impl Window for Trip99 {
    #[inline]
    fn push(&mut self, latencies_ns: &[u64]) {
        for &latency_ns in latencies_ns {
            self.now_ns += STEP_NS;
            self.breaker.record_at(self.now_ns, latency_ns);
        }
    }

    #[inline]
    fn ask(&mut self) -> u64 {
        self.breaker.quantile_ns_at(self.now_ns, QUANTILE_PPM).expect("the window is full")
    }
}

/// A ring of latencies and nothing else, aligned as trip99's.
struct Bare {
    /// With room for the alignment in front.
    words: Vec<u64>,
    first: usize,
    next: usize,
}

const ALIGN: usize = 128;
const ROOM: usize = ALIGN / size_of::<u64>();

impl Bare {
    fn new(len: usize) -> Self {
        let words = vec![u64::MAX; len + ROOM];
        Self { first: words.as_ptr().align_offset(ALIGN), words, next: 0 }
    }

    fn latencies_ns(&self) -> &[u64] {
        &self.words[self.first..][..self.words.len() - ROOM]
    }

    /// As many as divide the window.
    #[inline]
    fn push(&mut self, latencies_ns: &[u64]) {
        self.words[self.first + self.next..][..latencies_ns.len()].copy_from_slice(latencies_ns);
        self.next = (self.next + latencies_ns.len()) % (self.words.len() - ROOM);
    }
}

/// Copies the window, which selection would reorder, and selects at the same rank.
struct CopyAndSelect {
    window: Bare,
    copy_ns: Vec<u64>,
}

impl Window for CopyAndSelect {
    #[inline]
    fn push(&mut self, latencies_ns: &[u64]) {
        self.window.push(latencies_ns);
    }

    #[inline]
    fn ask(&mut self) -> u64 {
        self.copy_ns.copy_from_slice(self.window.latencies_ns());
        let nearest_rank = (self.copy_ns.len() * QUANTILE_PPM as usize).div_ceil(PPM as usize);
        *self.copy_ns.select_nth_unstable(nearest_rank - 1).1
    }
}

/// The floor: one pass that adds the latencies up.
struct ReadPass(Bare);

impl Window for ReadPass {
    #[inline]
    fn push(&mut self, latencies_ns: &[u64]) {
        self.0.push(latencies_ns);
    }

    #[inline]
    fn ask(&mut self) -> u64 {
        sum(self.0.latencies_ns())
    }
}

#[inline(always)]
fn sum_inlined(values: &[u64]) -> u64 {
    values.iter().fold(0, |sum, &value| sum.wrapping_add(value))
}

/// In AVX2's vectors, if there are some: those of the baseline x86-64 are half as wide.
#[expect(unsafe_code, reason = "a call of what needs AVX2")]
fn sum(values: &[u64]) -> u64 {
    #[cfg(target_arch = "x86_64")]
    {
        #[target_feature(enable = "avx2")]
        fn sum_avx2(values: &[u64]) -> u64 {
            sum_inlined(values)
        }
        if std::is_x86_feature_detected!("avx2") {
            // SAFETY: AVX2 was found.
            return unsafe { sum_avx2(values) };
        }
    }
    sum_inlined(values)
}

/// Nanoseconds for each quantile, by round.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) window: usize,
    pub(crate) read_pass: Vec<f64>,
    pub(crate) std: Vec<f64>,
    pub(crate) ours: Vec<f64>,
}

pub(crate) const SLID: &str = "slid by 16";
pub(crate) const REPLACED: &str = "all new";

/// How long `work` takes for each of so many.
fn each(count: usize, work: impl FnOnce()) -> f64 {
    let begin = Instant::now();
    work();
    begin.elapsed().as_secs_f64() * 1e9 / count as f64
}

/// Two windows in step, of which one is asked: what the samples take by themselves is subtracted.
struct Slid<W> {
    asked: W,
    alone: W,
    ns: Vec<f64>,
}

impl<W: Window> Slid<W> {
    fn new(make: fn(usize) -> W, latencies_ns: &[u64]) -> Self {
        let full = || {
            let mut window = make(latencies_ns.len());
            window.push(latencies_ns);
            window
        };
        Self { asked: full(), alone: full(), ns: Vec::new() }
    }

    fn round(&mut self, slides_ns: &[u64]) {
        let count = slides_ns.len() / SLIDE;
        let alone = each(count, || {
            for slide_ns in slides_ns.chunks_exact(SLIDE) {
                black_box(&mut self.alone).push(slide_ns);
            }
        });
        let asked = each(count, || {
            for slide_ns in slides_ns.chunks_exact(SLIDE) {
                black_box(&mut self.asked).push(slide_ns);
                black_box(black_box(&mut self.asked).ask());
            }
        });
        self.ns.push(asked - alone);
    }
}

/// Some side by side, so that reading the clock doesn't count.
struct Replaced<W> {
    windows: Vec<W>,
    ns: Vec<f64>,
}

impl<W: Window> Replaced<W> {
    fn new(make: fn(usize) -> W, len: usize) -> Self {
        Self { windows: (0..(4096 / len).max(1)).map(|_| make(len)).collect(), ns: Vec::new() }
    }

    fn round(&mut self, latencies_ns: &[u64]) {
        self.windows.iter_mut().for_each(|window| window.push(latencies_ns));
        let windows = &mut self.windows;
        let ns = each(windows.len(), || {
            for window in windows {
                black_box(black_box(window).ask());
            }
        });
        self.ns.push(ns);
    }
}

fn copy_and_select(len: usize) -> CopyAndSelect {
    CopyAndSelect { window: Bare::new(len), copy_ns: vec![u64::MAX; len] }
}

fn read_pass(len: usize) -> ReadPass {
    ReadPass(Bare::new(len))
}

fn slid(window: usize, random_ns: &[u64], rounds: usize) -> Case {
    let full_ns = &random_ns[..window];
    let mut floor = Slid::new(read_pass, full_ns);
    let mut std = Slid::new(copy_and_select, full_ns);
    let mut ours = Slid::new(Trip99::new, full_ns);
    let round_len = ((1 << 18) / window).max(8) * SLIDE;
    for turn in 1..=rounds {
        let slides_ns = &random_ns[turn * round_len % (random_ns.len() - round_len)..][..round_len];
        floor.round(slides_ns);
        std.round(slides_ns);
        ours.round(slides_ns);
        assert_eq!(ours.asked.ask(), std.asked.ask());
    }
    Case { name: SLID, window, read_pass: floor.ns, std: std.ns, ours: ours.ns }
}

/// All samples are others than at the last quantile; their distribution is the same.
fn replaced(window: usize, random_ns: &[u64], rounds: usize) -> Case {
    let mut floor = Replaced::new(read_pass, window);
    let mut std = Replaced::new(copy_and_select, window);
    let mut ours = Replaced::new(Trip99::new, window);
    for turn in 0..rounds {
        let latencies_ns = &random_ns[turn * window % random_ns.len()..][..window];
        floor.round(latencies_ns);
        std.round(latencies_ns);
        ours.round(latencies_ns);
        assert_eq!(ours.windows[0].ask(), std.windows[0].ask());
    }
    Case { name: REPLACED, window, read_pass: floor.ns, std: std.ns, ours: ours.ns }
}

pub(crate) fn measure(effort: Effort) -> Vec<Case> {
    // Two of the longest windows.
    let random_ns: Vec<u64> = traces::calm_ns(7).take(2 << 20).collect();
    let rounds = |window| effort.rounds(if window > LONG { ROUNDS_OF_LONG } else { ROUNDS });
    let windows = WINDOWS.map(|window| window as usize);
    let slid = windows.map(|window| slid(window, &random_ns, rounds(window)));
    let replaced = windows.map(|window| replaced(window, &random_ns, rounds(window)));
    slid.into_iter().chain(replaced).collect()
}

pub(crate) fn report(cases: &[Case]) -> String {
    let row = |case: &Case| {
        vec![
            case.name.to_owned(),
            thousands(case.window),
            spread(&case.read_pass),
            spread(&case.std),
            spread(&case.ours),
            ratio(Spread::of_ratios(&case.ours, &case.read_pass)),
            ratio(Spread::of_ratios(&case.ours, &case.std)),
        ]
    };
    let rows: Vec<_> = cases.iter().map(row).collect();
    table(&["samples", "window", "read pass", "copy + std", "quantile_at", "x read pass", "x std"], &rows)
}
