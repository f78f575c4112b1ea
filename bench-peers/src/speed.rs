//! Times what each breaker does for one successful call.

use crate::effort::Effort;
use crate::load::Load;
use crate::peers::Entry;
use crate::rounds::{Line, take_turns};
use quanta::Clock;
use std::hint::black_box;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Instant;

const ROUNDS: usize = 101;

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
pub(crate) fn compare(entries: &[Entry], effort: Effort) -> Vec<Line> {
    let peers = entries.iter().map(|entry| {
        let mut peer = (entry.make)();
        Line::new(entry.name, move |load, calls| {
            peer.run(load, calls);
            assert!(!peer.is_open(), "good calls are timed");
        })
    });
    let mut lines: Vec<_> = floors().into_iter().chain(peers).collect();
    take_turns(&mut lines, &mut Load::new(), effort.rounds(ROUNDS));
    lines
}
