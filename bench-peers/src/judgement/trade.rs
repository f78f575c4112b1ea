//! False trips against delay, for each setting of the window and of the debt.

use super::fed::{OFTEN, alone, mean_delay};
use super::flow::Flow;
use super::plot::{Axis, Line, chart};
use super::shares::{FEW, MOST_SLOW, TRIPS, seen};
use super::twin::Window;
use super::{Part, exact, powers_of_ten, text};
use trip99::Config;

const CALM: Flow = Flow::independent(0.002);
const CALMS: [Flow; 4] = [Flow::independent(0.001), CALM, Flow::independent(0.005), Flow::clumped(0.002, 0.25)];
const TROUBLES: [Flow; 3] = [Flow::independent(1.0), Flow::independent(0.1), Flow::independent(0.02)];
const RUNS: u64 = 2000;

pub(crate) fn part() -> Result<Part, String> {
    let window = |window_len| Config { window_len, ..alone() };
    let windows = [256, 512, 1024, 2048, 4096].map(|len| (format!("window_len {len}"), window(len)));
    let confirmed = [10, 100, 1000]
        .map(|verdicts| (format!("confirm_verdicts {verdicts}"), Config { confirm_verdicts: verdicts, ..alone() }));
    let debts = (3..=10).map(|limit| (format!("debt_limit {limit}"), Config { debt_limit: limit, ..alone() }));
    let mut rows = Vec::new();
    let mut lines = Vec::new();
    for (name, rules) in
        [("window_len", windows.to_vec()), ("confirm_verdicts", confirmed.to_vec()), ("debt_limit", debts.collect())]
    {
        let is_labelled_below = name == "confirm_verdicts";
        let mut line = Line { name: name.to_owned(), is_labelled_below, ..Line::default() };
        for (rule, config) in rules {
            let delays = TROUBLES.map(|trouble| mean_delay(&config, CALM, trouble, RUNS));
            let runs = CALMS.map(|calm| run(&config, calm));
            if let Some(calls) = runs[1].0 {
                line.points.push((delays[1], calls));
                line.labels.push(rule.trim_start_matches(name).trim().to_owned());
            }
            let runs = runs.map(|(_, text)| text);
            rows.push([rule].into_iter().chain(runs).chain(delays.map(text::calls)).collect());
        }
        lines.push(line);
    }
    rows.push(spikes());
    let x = Axis {
        label: "calls until it is noticed that 10 % are slow, mean",
        ticks: vec![20.0, 30.0, 50.0, 70.0, 100.0, 150.0, 200.0, 300.0],
        text: |calls| calls.to_string(),
    };
    let y =
        Axis { label: "calls until a false trip at 0.2 % slow, mean", ticks: powers_of_ten(3, 12), text: text::ticks };
    let svg = chart("False trips against delay: up and to the left is better", &x, &y, &lines)?;
    let header =
        ["rule", "false: 0.1 % slow", "0.2 %", "0.5 %", "0.2 %, clumped", "noticed: all slow", "10 % slow", "2 % slow"];
    Ok(Part { name: "trade", header: header.map(str::to_owned).into(), rows, svg: Some(svg) })
}

/// How many calls until a false trip, if that is known, and its text.
fn run(config: &Config, calm: Flow) -> (Option<f64>, String) {
    if config.debt_limit > 0 {
        let calls = exact::mean_calls(config.debt_limit as usize, calm, exact::NEVER);
        (Some(calls).filter(|calls| calls.is_finite()), text::calls(calls))
    } else {
        let window = Window::full(config, OFTEN).expect("it is armed");
        let mean = window.mean_calls(calm, 1, TRIPS, MOST_SLOW);
        ((mean.trips >= FEW).then_some(mean.calls), seen(&mean))
    }
}

/// Five in a row: a debt of five that one fast call forgives.
pub(super) fn spikes() -> Vec<String> {
    let mean = |flow| text::calls(exact::mean_calls(5, flow, 2));
    let name = "spike_count 5".to_owned();
    [name].into_iter().chain(CALMS.map(mean)).chain(TROUBLES.map(mean)).collect()
}
