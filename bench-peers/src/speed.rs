//! Times what each breaker does for one successful call.

use crate::effort::Effort;
use crate::load::Load;
use crate::peers::{Entry, trip99};
use crate::rounds::{Line, take_turns};
use ::trip99::Config;
use quanta::Clock;
use std::hint::black_box;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Instant;

const ROUNDS: usize = 101;

pub(crate) const LOAD_AND_BRANCH: &str = "floor: a relaxed load and a branch";
pub(crate) const RDTSC: &str = "floor: rdtsc (quanta's raw reading)";
pub(crate) const TWO_RDTSC: &str = "floor: two rdtsc";
pub(crate) const ALLOW: &str = "trip99, in part: allow";
pub(crate) const RECORD: &str = "trip99, in part: record";

/// What the hardware and the system ask for, with no breaker round it.
fn floors() -> [Line; 4] {
    let gate = Box::new(AtomicU8::new(0));
    let clock = Clock::new();
    let again = clock.clone();
    [
        // Nothing hides the gate from the compiler, which knows its address before the loop. It must load in each turn all the same,
        // as the load is atomic.
        Line::new(LOAD_AND_BRANCH, move |load, calls| {
            let gate = &*gate;
            load.run(calls, |_, _| {
                if gate.load(Ordering::Relaxed) != 0 {
                    refused();
                }
            });
        }),
        Line::new(RDTSC, move |load, calls| {
            load.run(calls, |_, _| {
                black_box(clock.raw());
            });
        }),
        Line::new(TWO_RDTSC, move |load, calls| {
            load.run(calls, |_, _| {
                black_box(again.raw());
                black_box(again.raw());
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

/// Of what a call asks for, each for itself.
fn parts() -> [Line; 2] {
    let breaker = || trip99::breaker(Config::default());
    let (mut asked, mut told) = (breaker(), breaker());
    [
        // Nor is the breaker hidden: a loop that holds its breaker may keep the gate's address in a register.
        Line::new(ALLOW, move |load, calls| {
            let breaker = &mut asked;
            load.run(calls, |_, _| {
                if !breaker.allow() {
                    refused();
                }
            });
        }),
        Line::new(RECORD, move |load, calls| {
            load.run(calls, |_, latency_ns| black_box(&mut told).record(latency_ns));
        }),
    ]
}

/// The floors, the parts, then the entries, in their order.
pub(crate) fn compare(entries: &[Entry], effort: Effort) -> Vec<Line> {
    let peers = entries.iter().map(|entry| {
        let mut peer = (entry.make)();
        Line::new(entry.name, move |load, calls| {
            peer.run(load, calls);
            assert!(!peer.is_open(), "good calls are timed");
        })
    });
    let mut lines: Vec<_> = floors().into_iter().chain(parts()).chain(peers).collect();
    take_turns(&mut lines, &mut Load::new(), effort.rounds(ROUNDS));
    lines
}
