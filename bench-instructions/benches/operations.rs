//! The operations that are counted. Only the function under each attribute is counted, and not what prepares it.
//!
//! Virtual time advances as in `benches/hot_path.rs`, so that expiry is looked for and the snapshot is published as in
//! production. Each count contains the loop's own few instructions.

#[path = "../../benches/common/mod.rs"]
mod common;

use bench_instructions::{OPERATIONS, QUESTIONS};
use gungraun::Callgrind;
use gungraun::prelude::*;
use std::hint::black_box;
use std::time::Duration;
use trip99::{Breaker, Call, Config, State};

/// Samples in the window; it is full.
const WINDOW: usize = 1024;
/// Virtual time from one operation to the next. So the snapshot is published at every 10 000th.
const STEP_NS: u64 = 100;
/// Calls in flight beside the one that begins.
const IN_FLIGHT: usize = 16;
/// Samples between two quantiles of a sliding window.
const SLIDE: usize = 16;
const QUANTILE_PPM: u32 = 990_000;

/// A breaker, the latencies of what it is told, and virtual time.
struct Load {
    breaker: Breaker,
    latencies_ns: Vec<u64>,
    now_ns: u64,
}

impl Load {
    /// More than the window has, so that the sample that enters isn't the one that leaves.
    const LEN: usize = 2 * WINDOW;

    fn new(config: Config) -> Box<Self> {
        let breaker = Breaker::new(Config { window_len: WINDOW as u32, ..config }).expect("a legal config");
        Box::new(Self { breaker, latencies_ns: common::latencies_ns(Self::LEN), now_ns: 1 << 40 })
    }

    /// So many times.
    #[inline]
    fn run(&mut self, operations: usize, mut operation: impl FnMut(&mut Breaker, u64, u64)) {
        let latencies_ns: &[u64; Self::LEN] = self.latencies_ns.as_slice().try_into().expect("as many as asked for");
        let (latencies_ns, step_ns) = (black_box(latencies_ns), black_box(STEP_NS));
        // A local, so that it stays in a register, as an engine's does.
        let mut now_ns = self.now_ns;
        for index in 0..operations {
            now_ns += step_ns;
            operation(black_box(&mut self.breaker), now_ns, latencies_ns[index % Self::LEN]);
        }
        self.now_ns = now_ns;
    }
}

fn closed() -> Box<Load> {
    let mut load = Load::new(Config::default());
    load.run(WINDOW, |breaker, now_ns, latency_ns| breaker.record_at(now_ns, latency_ns));
    load
}

/// Where an owner's page in a file lies while it is counted.
fn page() -> std::path::PathBuf {
    std::path::Path::new("/dev/shm").join(format!("trip99-instructions-{}", std::process::id()))
}

/// As [`closed`], with others looking on: a page in a file, or a tap, or both.
fn shown(is_shared: bool, tap_len: u32) -> Box<Load> {
    let mut load = Load::new(Config::default());
    let config = Config { window_len: WINDOW as u32, tap_len, ..Config::default() };
    if is_shared {
        std::fs::create_dir_all(page()).expect("a folder");
        let mut options = trip99::shared::Options::default();
        options.warden = false;
        let path = page().join("page");
        load.breaker = Breaker::create_shared_with(&path, config, trip99::Start::Closed, &options).expect("a page");
    } else {
        load.breaker = Breaker::new(config).expect("a legal config");
    }
    load.breaker.poll_at(1); // so early that no call began before the breaker
    load.run(2 * WINDOW, |breaker, now_ns, latency_ns| breaker.record_at(now_ns, latency_ns));
    load
}

fn shared() -> Box<Load> {
    shown(true, 0)
}

fn tapped() -> Box<Load> {
    shown(false, 65_536)
}

fn shared_and_tapped() -> Box<Load> {
    shown(true, 65_536)
}

fn assert_shown(load: Box<Load>) {
    assert_closed(load);
    let _ = std::fs::remove_dir_all(page());
}

/// As [`closed`], judged by its debt.
fn in_debt() -> Box<Load> {
    let mut load = Load::new(Config { debt_limit: 6, ..Config::default() });
    load.run(WINDOW, |breaker, now_ns, latency_ns| breaker.record_at(now_ns, latency_ns));
    load
}

/// Opened by slow calls, and not to be tried again while this runs.
fn open() -> Box<Load> {
    let pause_ns = u64::MAX / 4;
    let mut load = Load::new(Config { backoff_base_ns: pause_ns, backoff_max_ns: pause_ns, ..Config::default() });
    load.run(5, |breaker, now_ns, _| breaker.record_at(now_ns, u64::MAX >> 1));
    load
}

fn in_flight() -> Box<(Load, [Call; IN_FLIGHT])> {
    let mut load = *closed();
    let calls = [(); IN_FLIGHT].map(|()| load.breaker.begin_at(load.now_ns));
    Box::new((load, calls))
}

#[expect(clippy::boxed_local, reason = "as what is counted returns it")]
fn assert_closed(load: Box<Load>) {
    let snapshot = load.breaker.snapshot();
    assert_eq!((snapshot.state, snapshot.samples), (State::Closed, WINDOW as u32), "the load is steady");
}

#[expect(clippy::boxed_local, reason = "as what is counted returns it")]
fn assert_open(load: Box<Load>) {
    assert_eq!(load.breaker.state(), State::Open);
}

fn assert_in_flight(load: Box<(Load, [Call; IN_FLIGHT])>) {
    let snapshot = load.0.breaker.snapshot();
    assert_eq!((snapshot.in_flight, snapshot.misused), (IN_FLIGHT as u32, 0));
    assert_closed(Box::new(load.0));
}

/// The branch that follows `allow`: an order that may not be sent.
#[cold]
#[inline(never)]
fn refused() {
    black_box(());
}

#[inline]
fn ask(load: &mut Load) {
    load.run(OPERATIONS, |breaker, now_ns, _| {
        if !breaker.allow_at(now_ns) {
            refused();
        }
    });
}

#[library_benchmark(setup = closed, teardown = assert_closed)]
fn allow_at(mut load: Box<Load>) -> Box<Load> {
    ask(&mut load);
    load
}

#[library_benchmark(setup = open, teardown = assert_open)]
fn allow_at_refused(mut load: Box<Load>) -> Box<Load> {
    ask(&mut load);
    load
}

#[inline]
fn record(mut load: Box<Load>) -> Box<Load> {
    load.run(OPERATIONS, |breaker, now_ns, latency_ns| breaker.record_at(now_ns, latency_ns));
    load
}

#[library_benchmark(setup = closed, teardown = assert_closed)]
fn record_at(load: Box<Load>) -> Box<Load> {
    record(load)
}

type Laned = (Breaker, trip99::Lane);

fn laned() -> Box<Laned> {
    let mut breaker = Breaker::new(Config::default()).expect("a legal config");
    let lane = breaker.lane_with_capacity(4 * OPERATIONS as u32);
    Box::new((breaker, lane))
}

fn assert_laned(mut laned: Box<Laned>) {
    laned.0.poll_at(OPERATIONS as u64 * STEP_NS + STEP_NS);
    assert_eq!((laned.0.snapshot().recorded, laned.1.dropped()), (OPERATIONS as u64, 0));
}

#[library_benchmark(setup = in_debt, teardown = assert_closed)]
fn record_at_debt(load: Box<Load>) -> Box<Load> {
    record(load)
}

#[library_benchmark(setup = shared, teardown = assert_shown)]
fn record_at_shared(load: Box<Load>) -> Box<Load> {
    record(load)
}

#[library_benchmark(setup = tapped, teardown = assert_shown)]
fn record_at_tapped(load: Box<Load>) -> Box<Load> {
    record(load)
}

#[library_benchmark(setup = shared_and_tapped, teardown = assert_shown)]
fn record_at_shared_tapped(load: Box<Load>) -> Box<Load> {
    record(load)
}

// A lane, and the breaker that hears it. The owner hears it outside of what is counted.
#[library_benchmark(setup = laned, teardown = assert_laned)]
fn lane_begin_at_end_at(mut laned: Box<Laned>) -> Box<Laned> {
    let lane = &mut laned.1;
    let mut now_ns = 0;
    for _ in 0..OPERATIONS {
        now_ns += black_box(STEP_NS);
        let call = black_box(&mut *lane).begin_at(now_ns);
        black_box(&mut *lane).end_at(now_ns + STEP_NS / 2, call);
    }
    laned
}

// A pipeline. Each step begins a call, and ends the call that began 16 steps ago.
#[library_benchmark(setup = in_flight, teardown = assert_in_flight)]
fn begin_at_end_at(mut pipeline: Box<(Load, [Call; IN_FLIGHT])>) -> Box<(Load, [Call; IN_FLIGHT])> {
    let (load, calls) = &mut *pipeline;
    let mut turn = 0;
    load.run(OPERATIONS, |breaker, now_ns, _| {
        turn = (turn + 1) % IN_FLIGHT;
        let begun = breaker.begin_at(now_ns);
        let call = std::mem::replace(&mut black_box(&mut *calls)[turn], begun);
        black_box(breaker).end_at(now_ns, call);
    });
    pipeline
}

#[library_benchmark(setup = closed, teardown = assert_closed)]
fn poll_at(mut load: Box<Load>) -> Box<Load> {
    load.run(OPERATIONS, |breaker, now_ns, _| breaker.poll_at(now_ns));
    load
}

/// One for each question, with windows that differ.
fn never_asked() -> Vec<(Breaker, u64)> {
    // The load never reaches this threshold: some windows would have too many slow samples for a closed breaker.
    let config = Config {
        window_len: WINDOW as u32,
        spike_count: 0,
        ..Config::for_threshold(Duration::from_nanos(i64::MAX as u64))
    };
    let latencies_ns = common::latencies_ns(WINDOW + QUESTIONS * SLIDE);
    let windows = (0..QUESTIONS).map(|question| {
        let mut breaker = Breaker::new(config.clone()).expect("a legal config");
        (1..).zip(&latencies_ns[question * SLIDE..][..WINDOW]).for_each(|(step, &latency_ns)| {
            breaker.record_at(step * STEP_NS, latency_ns);
        });
        (breaker, WINDOW as u64 * STEP_NS)
    });
    windows.collect()
}

/// Each breaker was asked a few times before, and its window has slid since.
fn slid() -> Vec<(Breaker, u64)> {
    let mut windows = never_asked();
    let mut latencies_ns = common::latencies_ns(4 * QUESTIONS * SLIDE).into_iter();
    for (breaker, now_ns) in &mut windows {
        for _ in 0..4 {
            breaker.quantile_ns_at(*now_ns, QUANTILE_PPM);
            for latency_ns in latencies_ns.by_ref().take(SLIDE) {
                *now_ns += STEP_NS;
                breaker.record_at(*now_ns, latency_ns);
            }
        }
    }
    windows
}

#[inline]
fn question(windows: &mut [(Breaker, u64)]) {
    for (breaker, now_ns) in windows {
        black_box(black_box(breaker).quantile_ns_at(*now_ns, QUANTILE_PPM));
    }
}

#[library_benchmark(setup = slid, teardown = drop)]
fn quantile_at_slid(mut windows: Vec<(Breaker, u64)>) -> Vec<(Breaker, u64)> {
    question(&mut windows);
    windows
}

#[library_benchmark(setup = never_asked, teardown = drop)]
fn quantile_at_first(mut windows: Vec<(Breaker, u64)>) -> Vec<(Breaker, u64)> {
    question(&mut windows);
    windows
}

library_benchmark_group!(
    name = operations,
    benchmarks = [
        allow_at,
        allow_at_refused,
        record_at,
        record_at_debt,
        record_at_shared,
        record_at_tapped,
        record_at_shared_tapped,
        begin_at_end_at,
        lane_begin_at_end_at,
        poll_at,
        quantile_at_slid,
        quantile_at_first
    ]
);

main!(
    config = LibraryBenchmarkConfig::default().tool(Callgrind::with_args(["--cache-sim=no"])),
    library_benchmark_groups = operations
);
