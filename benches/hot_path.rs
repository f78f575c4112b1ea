//! What an operation costs while nothing happens. Beside each operation stands its floor: what the hardware takes for the same
//! memory traffic without a breaker. `benches/README.md` says how to read the figures.

mod common;

use criterion::measurement::WallTime;
use criterion::{Bencher, BenchmarkGroup, Criterion, criterion_group, criterion_main};
use std::hint::black_box;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::{Duration, Instant};
use trip99::{Breaker, Config, State};

/// How many samples the window has. It is full.
const WINDOW: usize = 1024;
/// Virtual time from one step to the next. So the snapshot is published at every 10 000th step.
const STEP_NS: u64 = 100;
/// Calls in flight beside the one that begins.
const IN_FLIGHT: usize = 16;

/// Latencies that are made beforehand, and virtual time that advances.
struct Load {
    /// Half as wide as the breaker's, so that they and the window fit the first cache together.
    latencies_ns: Box<[u32; Self::LEN]>,
    now_ns: u64,
}

impl Load {
    /// There are more than the window holds, so that the sample that enters differs from the one that leaves.
    const LEN: usize = 2048;

    fn new() -> Self {
        let latencies_ns = common::latencies_ns(Self::LEN).iter().map(|&ns| ns.min(u32::MAX.into()) as u32).collect();
        Self { latencies_ns: Vec::into_boxed_slice(latencies_ns).try_into().expect("as many as asked for"), now_ns: 0 }
    }

    /// Calls `step(now_ns, latency_ns)` so many times.
    #[inline]
    fn run(&mut self, steps: u64, mut step: impl FnMut(u64, u64)) {
        let (latencies_ns, step_ns) = (black_box(&*self.latencies_ns), black_box(STEP_NS));
        // A local, so that it stays in a register, as an engine's does.
        let mut now_ns = self.now_ns;
        for index in 0..steps as usize {
            now_ns += step_ns;
            step(now_ns, latencies_ns[index % Self::LEN].into());
        }
        self.now_ns = now_ns;
    }

    fn time(&mut self, bencher: &mut Bencher, mut step: impl FnMut(u64, u64)) {
        bencher.iter_custom(|steps| {
            let start = Instant::now();
            self.run(steps, &mut step);
            start.elapsed()
        });
    }

    /// A closed breaker whose window is full.
    fn closed(&mut self) -> Breaker {
        let mut breaker = breaker(Config::default());
        self.run(WINDOW as u64, |now_ns, latency_ns| breaker.record_at(now_ns, latency_ns));
        assert_closed(&breaker);
        breaker
    }
}

fn breaker(config: Config) -> Breaker {
    Breaker::new(Config { window_len: WINDOW as u32, ..config }).expect("a legal config")
}

fn assert_closed(breaker: &Breaker) {
    let snapshot = breaker.snapshot();
    assert_eq!((snapshot.state, snapshot.samples), (State::Closed, WINDOW as u32), "the load is steady");
}

/// The branch that follows `allow`: an order that may not be sent.
#[cold]
#[inline(never)]
fn refused() {
    black_box(());
}

/// The floor of an ask: what `allow` is documented to be.
fn floor_load_and_branch(group: &mut BenchmarkGroup<WallTime>) {
    let gate = Box::new(AtomicU8::new(0));
    group.bench_function("floor: a relaxed load and a branch", |bencher| {
        Load::new().time(bencher, |_, _| {
            if black_box(&*gate).load(Ordering::Relaxed) != 0 {
                refused();
            }
        });
    });
}

/// A window that keeps latency and stamp, and knows nothing of them.
struct BareRing {
    latencies_ns: [u64; WINDOW],
    ends_ns: [u64; WINDOW],
    next: usize,
}

impl BareRing {
    fn new() -> Box<Self> {
        Box::new(Self { latencies_ns: [u64::MAX; WINDOW], ends_ns: [u64::MAX; WINDOW], next: 0 })
    }

    #[inline]
    fn store(&mut self, end_ns: u64, latency_ns: u64) {
        let slot = self.next % WINDOW;
        self.latencies_ns[slot] = latency_ns;
        self.ends_ns[slot] = end_ns;
        self.next = slot + 1;
    }
}

fn allow(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("allow");
    floor_load_and_branch(&mut group);
    group.bench_function("allow, closed", |bencher| {
        let mut load = Load::new();
        let mut breaker = load.closed();
        load.time(bencher, |_, _| {
            if !black_box(&mut breaker).allow() {
                refused();
            }
        });
        assert_closed(&breaker);
    });
    group.bench_function("allow_at, open (refused)", |bencher| {
        let mut load = Load::new();
        let pause_ns = Duration::from_secs(24 * 60 * 60).as_nanos() as u64;
        let mut breaker = breaker(Config { backoff_base_ns: pause_ns, backoff_max_ns: pause_ns, ..Config::default() });
        load.run(5, |now_ns, _| breaker.record_at(now_ns, u64::MAX >> 1));
        load.time(bencher, |now_ns, _| {
            if !black_box(&mut breaker).allow_at(now_ns) {
                refused();
            }
        });
        assert_eq!(breaker.state(), State::Open);
    });
    group.finish();
}

fn record_at(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("record_at");
    group.bench_function("floor: a bare ring store", |bencher| {
        let mut ring = BareRing::new();
        Load::new().time(bencher, |now_ns, latency_ns| black_box(&mut *ring).store(now_ns, latency_ns));
    });
    group.bench_function("record_at", |bencher| {
        let mut load = Load::new();
        let mut breaker = load.closed();
        load.time(bencher, |now_ns, latency_ns| black_box(&mut breaker).record_at(now_ns, latency_ns));
        assert_closed(&breaker);
    });
    group.bench_function("allow + record_at", |bencher| {
        let mut load = Load::new();
        let mut breaker = load.closed();
        load.time(bencher, |now_ns, latency_ns| {
            let breaker = black_box(&mut breaker);
            if breaker.allow() {
                breaker.record_at(now_ns, latency_ns);
            } else {
                refused();
            }
        });
        assert_closed(&breaker);
    });
    group.finish();
}

/// In real time: the breaker reads the clock.
fn record(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("record");
    // quanta's raw reading is `_rdtsc` after one predicted branch on the kind of clock.
    group.bench_function("floor: one rdtsc", |bencher| {
        let clock = quanta::Clock::new();
        Load::new().time(bencher, |_, _| {
            black_box(black_box(&clock).raw());
        });
    });
    group.bench_function("record", |bencher| {
        let mut load = Load::new();
        let mut breaker = breaker(Config::default());
        load.run(WINDOW as u64, |_, latency_ns| breaker.record(latency_ns));
        load.time(bencher, |_, latency_ns| black_box(&mut breaker).record(latency_ns));
        assert_closed(&breaker);
    });
    group.finish();
}

/// A pipeline. Each step begins a call, and ends the call that began 16 steps ago.
fn begin_end(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("begin_at + end_at");
    group.bench_function("floor: a bare ticket and a bare ring store", |bencher| {
        let mut ring = BareRing::new();
        let mut starts_ns = Box::new([0; IN_FLIGHT]);
        let mut turn = 0;
        Load::new().time(bencher, |now_ns, _| {
            turn = (turn + 1) % IN_FLIGHT;
            let start_ns = std::mem::replace(&mut black_box(&mut *starts_ns)[turn], now_ns);
            black_box(&mut *ring).store(now_ns, now_ns - start_ns);
        });
    });
    group.bench_function("begin_at + end_at", |bencher| {
        let mut load = Load::new();
        let mut breaker = load.closed();
        let mut calls = Box::new([(); IN_FLIGHT].map(|()| breaker.begin_at(load.now_ns)));
        let mut turn = 0;
        load.time(bencher, |now_ns, _| {
            turn = (turn + 1) % IN_FLIGHT;
            let begun = black_box(&mut breaker).begin_at(now_ns);
            let call = std::mem::replace(&mut black_box(&mut *calls)[turn], begun);
            black_box(&mut breaker).end_at(now_ns, call);
        });
        assert_closed(&breaker);
        let snapshot = breaker.snapshot();
        assert_eq!((snapshot.in_flight, snapshot.misused), (IN_FLIGHT as u32, 0));
    });
    group.finish();
}

fn poll(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("poll_at");
    floor_load_and_branch(&mut group);
    group.bench_function("poll_at", |bencher| {
        let mut load = Load::new();
        let mut breaker = load.closed();
        load.time(bencher, |now_ns, _| black_box(&mut breaker).poll_at(now_ns));
        assert_eq!(breaker.state(), State::Closed); // the window may have expired by then
    });
    group.finish();
}

/// The first sample after a spell in which the window became too old: all of it, or all but the newest sample.
fn expiry(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("record_at after a quiet spell");
    let age_ns = Config::default().window_age_ns;
    for (name, newest_later_ns, left) in [("all expired", 0, 1), ("all but one expired", 1_000_000, 2)] {
        group.bench_function(name, |bencher| {
            let (mut breaker, mut now_ns) = (breaker(Config::default()), 0);
            bencher.iter_custom(|spells| {
                let mut elapsed = Duration::ZERO;
                for _ in 0..spells {
                    (1..WINDOW as u64).for_each(|step| breaker.record_at(now_ns + step, 1));
                    breaker.record_at(now_ns + WINDOW as u64 + newest_later_ns, 1);
                    now_ns += WINDOW as u64 + age_ns;
                    let start = Instant::now();
                    black_box(&mut breaker).record_at(black_box(now_ns), 1);
                    elapsed += start.elapsed();
                    assert_eq!(breaker.snapshot().samples, left);
                    now_ns += 2 * age_ns;
                }
                elapsed
            });
        });
    }
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(1))
        .nresamples(10_000);
    targets = allow, record_at, record, begin_end, poll, expiry
}
criterion_main!(benches);
