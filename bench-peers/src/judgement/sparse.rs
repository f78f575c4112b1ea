//! The time between false trips, by the rate of the calls: by age a window of a minute holds what a minute brings.

use super::fed::{OFTEN, Rate, alone};
use super::flow::Flow;
use super::plot::{Axis, Line, chart};
use super::shares::{FEW, MOST_SLOW, TRIPS};
use super::twin::Window;
use super::{Part, exact, text};
use trip99::Config;

const CALM: Flow = Flow::independent(0.002);
const TROUBLE: Flow = Flow::independent(0.1);
const RATES: [Rate; 10] = [
    Rate { calls: 1, seconds: 2 },
    Rate { calls: 1, seconds: 1 },
    Rate { calls: 2, seconds: 1 },
    Rate { calls: 3, seconds: 1 },
    Rate { calls: 5, seconds: 1 },
    Rate { calls: 10, seconds: 1 },
    Rate { calls: 20, seconds: 1 },
    Rate { calls: 50, seconds: 1 },
    Rate { calls: 100, seconds: 1 },
    OFTEN,
];

#[derive(Clone, Copy)]
enum Calls {
    Mean(f64),
    MoreThan(f64),
    Never,
}

pub(crate) fn part() -> Result<Part, String> {
    let window = |min_samples, min_slow| Config { min_samples, min_slow, ..alone() };
    let debt = |debt_limit| Config { debt_limit, ..alone() };
    let rules = [
        ("min_samples 100, min_slow 1", window(100, 1)),
        ("min_slow 6", window(20, 6)),
        ("min_slow 0", window(20, 0)),
        ("debt_limit 5", debt(5)),
        ("debt_limit 6", debt(6)),
        ("debt_limit 8", debt(8)),
    ];
    let runs = rules.each_ref().map(|(_, config)| RATES.map(|rate| calls(config, CALM, rate)));
    let rows = RATES.iter().enumerate().map(|(index, &rate)| {
        let hours = runs.iter().map(|runs| match runs[index] {
            Calls::Mean(calls) => text::hours(rate.hours(calls)),
            Calls::MoreThan(calls) => format!("> {}", text::hours(rate.hours(calls))),
            Calls::Never => "never".to_owned(),
        });
        let delays = [0, 1, 4].map(|rule| match calls(&rules[rule].1, TROUBLE, rate) {
            Calls::Mean(calls) | Calls::MoreThan(calls) => text::calls(calls),
            Calls::Never => "never".to_owned(),
        });
        [a_second(rate).to_string()].into_iter().chain(hours).chain(delays).collect()
    });
    let delays = ["10 % slow: min_samples 100, min_slow 1", "min_slow 6", "debt_limit 6"];
    let header = ["calls a second"].into_iter().chain(rules.each_ref().map(|(name, _)| *name)).chain(delays);
    // Where windows are alike, all their lines are to be seen.
    let widths = [7, 4, 2, 2, 2, 2];
    let lines = rules.iter().zip(&runs).zip(widths).map(|((&(name, _), runs), width)| {
        let points = RATES.iter().zip(runs).filter_map(|(&rate, calls)| match *calls {
            Calls::Mean(calls) => Some((a_second(rate), rate.hours(calls))),
            _ => None,
        });
        let name = name.replace("min_samples", "samples");
        Line { name, points: points.collect(), width, ..Line::default() }
    });
    let x = Axis {
        label: "calls a second",
        ticks: vec![0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0],
        text: |calls| calls.to_string(),
    };
    let y = Axis {
        label: "time between false trips, mean",
        ticks: vec![0.1, 1.0, 24.0, 24.0 * 30.0, 8766.0, 87_660.0, 876_600.0, 8_766_000.0],
        text: tick,
    };
    let title = "How long until a false trip at 0.2 % slow calls, by the rate of calls";
    let svg = chart(title, &x, &y, &lines.collect::<Vec<_>>())?;
    Ok(Part { name: "sparse", header: header.map(str::to_owned).collect(), rows: rows.collect(), svg: Some(svg) })
}

fn a_second(rate: Rate) -> f64 {
    rate.calls as f64 / rate.seconds as f64
}

fn tick(hours: f64) -> String {
    match hours {
        ..0.5 => "6 min",
        ..2.0 => "1 h",
        ..48.0 => "1 day",
        ..1000.0 => "1 month",
        ..10_000.0 => "1 year",
        ..100_000.0 => "10 years",
        ..1e6 => "100 years",
        _ => "1000 years",
    }
    .to_owned()
}

fn calls(config: &Config, flow: Flow, rate: Rate) -> Calls {
    if config.debt_limit > 0 {
        let forgiven_after = config.window_age_ns.div_ceil(rate.step_ns());
        let calls = exact::mean_calls(config.debt_limit as usize, flow, forgiven_after as usize);
        return if calls.is_finite() { Calls::Mean(calls) } else { Calls::MoreThan(exact::MOST_CALLS) };
    }
    let Some(window) = Window::full(config, rate) else {
        return Calls::Never;
    };
    let mean = window.mean_calls(flow, 1, TRIPS, MOST_SLOW);
    if mean.trips < FEW { Calls::MoreThan(mean.calls) } else { Calls::Mean(mean.calls) }
}
