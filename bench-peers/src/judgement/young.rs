//! False trips of breakers that have just started, and what it costs them to wait for evidence.

use super::fed::{Fed, OFTEN, alone};
use super::flow::{Calls, Flow};
use super::plot::{Axis, Line, chart};
use super::{Part, text};
use trip99::Config;

const RESTARTS: usize = 20_000;
const CALLS: u64 = 1024;
const WITHIN: [u64; 3] = [100, 200, CALLS];

pub(crate) fn part() -> Result<Part, String> {
    let window = |min_samples, min_slow| {
        let config = Config { min_samples, min_slow, ..alone() };
        (format!("min_samples {min_samples}, min_slow {min_slow}"), config)
    };
    let mut rules = vec![window(100, 1), window(20, 1)];
    rules.extend([3, 4, 5, 6, 8, 0].map(|min_slow| window(20, min_slow)));
    rules.extend([5, 6, 8].map(|limit| (format!("debt_limit {limit}"), Config { debt_limit: limit, ..alone() })));
    let plotted = [
        "min_samples 100, min_slow 1",
        "min_samples 20, min_slow 1",
        "min_samples 20, min_slow 3",
        "min_samples 20, min_slow 6",
        "debt_limit 6",
    ];
    let (mut rows, mut lines) = (Vec::new(), Vec::new());
    for (name, config) in rules {
        let [some, more] = [0.002, 0.005].map(|share| trips(&config, Flow::independent(share)));
        let within = |trips: &[u64], calls| trips.iter().filter(|&&trip| trip <= calls).count();
        let mut row = vec![name.clone()];
        row.extend(WITHIN.map(|calls| within(&some, calls).to_string()));
        row.push(within(&more, CALLS).to_string());
        row.extend([1.0, 0.1].map(|share| text::calls(delay(&config, Flow::independent(share)))));
        rows.push(row);
        if plotted.contains(&&*name) {
            let points =
                (10..=CALLS).map(|calls| (calls as f64, 100.0 * within(&some, calls) as f64 / RESTARTS as f64));
            lines.push(Line { name, points: points.collect(), ..Line::default() });
        }
    }
    let x = Axis {
        label: "calls since the start",
        ticks: vec![10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1000.0],
        text: |calls| calls.to_string(),
    };
    let y = Axis {
        label: "breakers that have tripped, % of all",
        ticks: vec![0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0],
        text: |percent| percent.to_string(),
    };
    let svg = chart("False trips after a start, of a node with 0.2 % slow calls", &x, &y, &lines)?;
    let header = ["rule", "within 100 calls", "200", "1024", "0.5 % slow: 1024", "noticed: all slow", "10 % slow"]
        .map(str::to_owned);
    Ok(Part { name: "young", header: header.into(), rows, svg: Some(svg) })
}

/// The calls that trip, of those breakers that do within [`CALLS`].
fn trips(config: &Config, flow: Flow) -> Vec<u64> {
    let mut calls = Calls::new(flow, 1);
    let trips = |_| {
        calls.begin_anew();
        Fed::young(config, OFTEN).trips(&mut calls, CALLS)
    };
    (0..RESTARTS).filter_map(trips).collect()
}

/// How many calls it takes if the node is in trouble from the first on.
fn delay(config: &Config, flow: Flow) -> f64 {
    const RUNS: u64 = 2000;
    let mut calls = Calls::new(flow, 1);
    let delay = |_| {
        calls.begin_anew();
        Fed::young(config, OFTEN).trips(&mut calls, u64::MAX).expect("it trips at last")
    };
    (0..RUNS).map(delay).sum::<u64>() as f64 / RUNS as f64
}
