//! What lanes and gates cost other threads, each beside its floor, and what the owner pays while others ask and read.
//!
//! Rounds take turns, so that whatever else the machine does falls on all lines alike. The figures are medians of rounds, with
//! quartiles. The lines with another thread need a second core: with one core they measure the scheduler.

use std::hint::black_box;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Instant;
use trip99::{Breaker, Config};

const ROUNDS: usize = 101;
const CALLS: u64 = 2000;
const MS: u64 = 1_000_000;

struct Line {
    name: &'static str,
    ns: Vec<f64>,
}

impl Line {
    fn new(name: &'static str) -> Self {
        Self { name, ns: Vec::with_capacity(ROUNDS) }
    }

    /// Times so many operations, and keeps what one took.
    fn time(&mut self, mut operation: impl FnMut(u64)) {
        let begin = Instant::now();
        for call in 0..CALLS {
            operation(call);
        }
        self.ns.push(begin.elapsed().as_secs_f64() * 1e9 / CALLS as f64);
    }

    fn show(&mut self) {
        self.ns.sort_by(f64::total_cmp);
        let at = |share: f64| self.ns[((ROUNDS - 1) as f64 * share) as usize];
        println!("  {:<52} {:>7.2} ns   ({:.2} to {:.2})", self.name, at(0.5), at(0.25), at(0.75));
    }
}

fn breaker() -> Breaker {
    Breaker::new(Config::default()).expect("the defaults are legal")
}

/// The reporting thread's side. The owner takes everything in between two rounds, and that isn't timed.
fn lanes() {
    let mut breaker = breaker();
    let mut lane = breaker.lane_with_capacity(4 * CALLS as u32);
    let (mut sender, mut receiver) = rtrb::RingBuffer::<[u64; 4]>::new(4 * CALLS as usize);
    let mut lines =
        ["rtrb: a push of 32 bytes (floor)", "Lane::record_at", "Lane::begin_at + end_at", "Gate::allow, closed"]
            .map(Line::new);
    let gate = breaker.gate();
    let mut now_ns = 0;
    for _ in 0..ROUNDS {
        let [push, record, begin_end, allow] = &mut lines;
        push.time(|call| {
            let _ = sender.push([black_box(call), 1, 2, 3]);
        });
        while receiver.pop().is_ok() {}
        record.time(|_| {
            now_ns += 100;
            lane.record_at(now_ns, black_box(MS));
        });
        breaker.poll_at(now_ns);
        begin_end.time(|_| {
            now_ns += 100;
            let call = lane.begin_at(now_ns);
            lane.end_at(now_ns + 10, black_box(call));
        });
        breaker.poll_at(now_ns);
        allow.time(|_| {
            black_box(gate.allow());
        });
    }
    assert_eq!(lane.dropped(), 0);
    println!("lane: the reporting thread's side");
    lines.iter_mut().for_each(Line::show);
}

/// The owner's side: what it pays for what it takes in, and what others cost it.
fn owner() {
    let mut breaker = breaker();
    let mut lane = breaker.lane_with_capacity(4 * CALLS as u32);
    let (gate, observer) = (breaker.gate(), breaker.observer());
    let mut lines = [
        "record_at, nobody else",
        "record_at, while a thread asks a gate",
        "record_at, while a thread reads snapshots",
        "poll_at, with a lane that is silent",
        "poll_at, for each sample that it takes from a lane",
    ]
    .map(Line::new);
    let mut now_ns = 0;
    let (asks, reads, is_over) = (AtomicBool::new(false), AtomicBool::new(false), AtomicBool::new(false));
    thread::scope(|scope| {
        scope.spawn(|| {
            while !is_over.load(Ordering::Relaxed) {
                if asks.load(Ordering::Relaxed) {
                    black_box(gate.allow());
                } else if reads.load(Ordering::Relaxed) {
                    black_box(observer.snapshot());
                } else {
                    std::hint::spin_loop();
                }
            }
        });
        for _ in 0..ROUNDS {
            let [alone, asked, read, silent, taken] = &mut lines;
            let mut record = |line: &mut Line| {
                line.time(|_| {
                    now_ns += 100;
                    breaker.record_at(now_ns, black_box(MS));
                });
            };
            record(alone);
            asks.store(true, Ordering::Relaxed);
            record(asked);
            asks.store(false, Ordering::Relaxed);
            reads.store(true, Ordering::Relaxed);
            record(read);
            reads.store(false, Ordering::Relaxed);
            silent.time(|_| {
                now_ns += 100;
                breaker.poll_at(black_box(now_ns));
            });
            for _ in 0..CALLS {
                now_ns += 100;
                lane.record_at(now_ns, MS);
            }
            // One poll takes all of them.
            taken.time(|call| {
                if call == 0 {
                    breaker.poll_at(black_box(now_ns));
                }
            });
        }
        is_over.store(true, Ordering::Relaxed);
    });
    println!("owner");
    lines.iter_mut().for_each(Line::show);
}

/// The owner's own calls, as far as others may see them: in heap memory, and in a file.
fn shown() {
    let name = format!("bench-{}", std::process::id());
    let paths =
        ["", "-tap"].map(|more| trip99::shared::path(&format!("{name}{more}")).expect("there is a place for pages"));
    let tapped = || Config { tap_len: 65_536, ..Config::default() };
    let shared =
        |path, config| Breaker::create_shared(path, config, trip99::Start::Closed).expect("a page can be made");
    let mut breakers = [
        ("allow_at + record_at, private (floor)", breaker()),
        ("allow_at + record_at, private, with a tap", Breaker::new(tapped()).expect("these are legal")),
        ("allow_at + record_at, the page in a file", shared(&paths[0], Config::default())),
        ("allow_at + record_at, the page in a file, with a tap", shared(&paths[1], tapped())),
    ]
    .map(|(name, breaker)| (Line::new(name), breaker));
    let mut now_ns = 0;
    for _ in 0..ROUNDS {
        for (line, breaker) in &mut breakers {
            line.time(|_| {
                now_ns += 100;
                if black_box(breaker.allow_at(now_ns)) {
                    breaker.record_at(now_ns, black_box(MS));
                }
            });
        }
    }
    println!("owner, what others see");
    breakers.iter_mut().for_each(|(line, _)| line.show());
    for path in paths {
        let lock = path.with_file_name(format!(".{}.lock", path.file_name().unwrap_or_default().display()));
        let _ = (std::fs::remove_file(&path), std::fs::remove_file(lock));
    }
}

fn main() {
    // Cargo passes `--bench`; `cargo test --benches` doesn't, and needn't run it.
    if std::env::args().any(|argument| argument == "--bench") {
        lanes();
        owner();
        shown();
    }
}
