//! An exact P99 on demand, beside the standard library's selection and the floor: reading every latency once.
//! `benches/README.md` says how to read the figures.

mod common;

use criterion::{BenchmarkId, Criterion, SamplingMode, criterion_group, criterion_main};
use std::hint::black_box;
use std::time::{Duration, Instant};
use trip99::{Breaker, Config, PPM};

const QUANTILE_PPM: u32 = 990_000;
const WINDOWS: [usize; 5] = [256, 1024, 4096, 16_384, 65_536];
/// Samples between two quantiles of a sliding window.
const SLIDE: usize = 16;
/// Virtual time from one sample to the next.
const STEP_NS: u64 = 100;

/// Latencies that are there beforehand; after the last comes the first.
struct Latencies {
    values_ns: Vec<u64>,
    next: usize,
}

impl Latencies {
    fn new() -> Self {
        Self { values_ns: common::latencies_ns(1 << 20), next: 0 }
    }

    #[inline]
    fn take(&mut self, len: usize) -> &[u64] {
        if self.next + len > self.values_ns.len() {
            self.next = 0;
        }
        self.next += len;
        &self.values_ns[self.next - len..self.next]
    }
}

/// A window of latencies of which the P99, or its floor, is measured.
trait Window {
    fn new(len: usize) -> Self;
    fn push(&mut self, latencies_ns: &[u64]);
    fn measure(&mut self) -> u64;
}

/// The library's, through `quantile_at`.
struct Trip99 {
    breaker: Breaker,
    now_ns: u64,
}

impl Window for Trip99 {
    fn new(len: usize) -> Self {
        // A threshold that the load never reaches: the breaker stays closed at every window length.
        let config = Config { window_len: len as u32, threshold_ns: 60_000_000_000, ..Config::default() };
        Self { breaker: Breaker::new(config).expect("a legal config"), now_ns: 0 }
    }

    #[inline]
    fn push(&mut self, latencies_ns: &[u64]) {
        for &latency_ns in latencies_ns {
            self.now_ns += STEP_NS;
            self.breaker.record_at(self.now_ns, latency_ns);
        }
    }

    #[inline]
    fn measure(&mut self) -> u64 {
        self.breaker.quantile_at(self.now_ns, QUANTILE_PPM).expect("the window is full")
    }
}

/// A ring of latencies and nothing else.
struct Bare {
    latencies_ns: Vec<u64>,
    next: usize,
}

impl Bare {
    fn new(len: usize) -> Self {
        Self { latencies_ns: vec![u64::MAX; len], next: 0 }
    }

    /// The run must divide the window.
    #[inline]
    fn push(&mut self, latencies_ns: &[u64]) {
        self.latencies_ns[self.next..self.next + latencies_ns.len()].copy_from_slice(latencies_ns);
        self.next = (self.next + latencies_ns.len()) % self.latencies_ns.len();
    }
}

/// The rival: copies the window, which selection would reorder, and selects at the same rank.
struct StdSelect {
    window: Bare,
    scratch: Vec<u64>,
}

impl Window for StdSelect {
    fn new(len: usize) -> Self {
        Self { window: Bare::new(len), scratch: vec![u64::MAX; len] }
    }

    #[inline]
    fn push(&mut self, latencies_ns: &[u64]) {
        self.window.push(latencies_ns);
    }

    #[inline]
    fn measure(&mut self) -> u64 {
        self.scratch.copy_from_slice(&self.window.latencies_ns);
        *self.scratch.select_nth_unstable(nearest_rank(self.window.latencies_ns.len())).1
    }
}

/// The floor: one pass that adds the latencies up.
struct ReadPass(Bare);

impl Window for ReadPass {
    fn new(len: usize) -> Self {
        Self(Bare::new(len))
    }

    #[inline]
    fn push(&mut self, latencies_ns: &[u64]) {
        self.0.push(latencies_ns);
    }

    #[inline]
    fn measure(&mut self) -> u64 {
        self.0.latencies_ns.iter().fold(0, |sum, &latency_ns| sum.wrapping_add(latency_ns))
    }
}

fn nearest_rank(len: usize) -> usize {
    (len * QUANTILE_PPM as usize).div_ceil(PPM as usize) - 1
}

/// Each quantile is of a window that holds nothing of the one before.
fn independent(criterion: &mut Criterion) {
    fn bench<W: Window>(criterion: &mut Criterion, name: &str) {
        let mut group = criterion.benchmark_group("independent");
        // The refills take longer than what is measured, and Criterion doesn't count them.
        group.warm_up_time(Duration::from_millis(100)).measurement_time(Duration::from_millis(300));
        group.sample_size(50).sampling_mode(SamplingMode::Flat);
        let mut latencies = Latencies::new();
        for len in WINDOWS {
            // Several small windows side by side: reading the clock must not count.
            let mut windows: Vec<W> = (0..(16_384 / len).clamp(1, 16)).map(|_| W::new(len)).collect();
            group.bench_function(BenchmarkId::new(name, len), |bencher| {
                bencher.iter_custom(|mut quantiles| {
                    let mut elapsed = Duration::ZERO;
                    while quantiles > 0 {
                        let some = windows.len().min(quantiles as usize);
                        for window in &mut windows[..some] {
                            window.push(latencies.take(len));
                        }
                        let start = Instant::now();
                        for window in &mut windows[..some] {
                            black_box(black_box(window).measure());
                        }
                        elapsed += start.elapsed();
                        quantiles -= some as u64;
                    }
                    elapsed
                });
            });
        }
        group.finish();
    }
    bench::<ReadPass>(criterion, "floor: a read pass");
    bench::<StdSelect>(criterion, "std: copy + select_nth_unstable");
    bench::<Trip99>(criterion, "quantile_at");
}

/// Each quantile is of the window before, slid by 16 samples; the slide is included, and measured by itself as well.
fn sliding(criterion: &mut Criterion) {
    fn bench<W: Window>(criterion: &mut Criterion, name: &str, measure: impl Fn(&mut W)) {
        let mut group = criterion.benchmark_group("sliding");
        let mut latencies = Latencies::new();
        for len in WINDOWS {
            let mut window = W::new(len);
            window.push(latencies.take(len));
            group.bench_function(BenchmarkId::new(name, len), |bencher| {
                bencher.iter(|| {
                    window.push(latencies.take(SLIDE));
                    measure(black_box(&mut window));
                });
            });
        }
        group.finish();
    }
    fn measure<W: Window>(window: &mut W) {
        black_box(window.measure());
    }
    bench::<ReadPass>(criterion, "floor: slide + a read pass", measure);
    bench::<StdSelect>(criterion, "std: slide + copy + select_nth_unstable", measure);
    bench::<Trip99>(criterion, "slide alone: 16 record_at", |_| {});
    bench::<Trip99>(criterion, "slide + quantile_at", measure);
}

/// The three agree on what they measure.
fn check(_: &mut Criterion) {
    let mut latencies = Latencies::new();
    for len in WINDOWS {
        let (mut ours, mut std) = (Trip99::new(len), StdSelect::new(len));
        let values_ns = latencies.take(len);
        ours.push(values_ns);
        std.push(values_ns);
        assert_eq!(ours.measure(), std.measure());
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(1))
        .nresamples(10_000);
    targets = check, independent, sliding
}
criterion_main!(benches);
