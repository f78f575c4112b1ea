//! What a sample costs as the window grows: it should not cost more.

use super::{WINDOWS, thousands};
use crate::effort::Effort;
use crate::load::{Load, STEP_NS};
use crate::peers::trip99::breaker;
use crate::report::{quartiles, ratio, table, time};
use crate::rounds::{Line, Spread, take_turns};
use std::hint::black_box;
use trip99::Config;

const ROUNDS: usize = 101;
/// The same for all windows: a round of the longest walks through a sixteenth of it.
const CALLS: usize = 1 << 16;
/// Latencies are made this many powers of two shorter, as the age of a window must be above its threshold, and calls are
/// only 100 ns apart.
const SHORTER: u32 = 18;
const THRESHOLD_NS: u64 = crate::peers::THRESHOLD_NS >> SHORTER;
/// What the others are compared to.
const BASE: u32 = 1024;

/// A full window of which a sample leaves for each that enters: the oldest, as there is no room for it, or as it is too
/// old. Each has a time of its own, or all would be too old once the others have had their turn.
fn line(window_len: u32, by_age: bool) -> Line {
    let age_ns = if by_age { u64::from(window_len) * STEP_NS } else { Config::default().window_age_ns };
    // A window of 64 has no verdict otherwise.
    let config =
        Config { window_len, window_age_ns: age_ns, threshold_ns: THRESHOLD_NS, min_samples: 64, ..Config::default() };
    let mut breaker = breaker(config);
    let mut load = Load::new();
    let run = move |_: &mut Load, calls| {
        load.run(calls, |now_ns, latency_ns| {
            black_box(&mut breaker).record_at(now_ns, latency_ns >> SHORTER);
        });
        assert_eq!(breaker.snapshot().samples, window_len, "the window is full");
    };
    Line::new("", run).calls(window_len as usize + CALLS, CALLS)
}

/// A table.
pub(crate) fn measure(effort: Effort) -> String {
    let mut lines: Vec<_> =
        [false, true].into_iter().flat_map(|by_age| WINDOWS.map(|window_len| line(window_len, by_age))).collect();
    take_turns(&mut lines, &mut Load::new(), effort.rounds(ROUNDS));
    let base = WINDOWS.iter().position(|&window_len| window_len == BASE).expect("one of them");
    let (full, by_age) = lines.split_at(WINDOWS.len());
    let cells = |lines: &[Line], index: usize| {
        let ns = Spread::of(lines[index].ns.iter().copied());
        [time(ns.median), quartiles(ns), ratio(Spread::of_ratios(&lines[index].ns, &lines[base].ns))]
    };
    let rows: Vec<_> = WINDOWS
        .iter()
        .enumerate()
        .map(|(index, &window_len)| {
            let name = thousands(window_len as usize);
            [name].into_iter().chain(cells(full, index)).chain(cells(by_age, index)).collect()
        })
        .collect();
    let header =
        ["window", "the oldest gives way", "quartiles", "x 1024", "the oldest is too old", "quartiles", "x 1024"];
    table(&header, &rows)
}
