//! The mean number of calls until a trip, by the share of slow calls: the operating characteristic.

use super::fed::{Mean, OFTEN, alone};
use super::flow::Flow;
use super::plot::{Axis, Line, chart};
use super::twin::Window;
use super::{Part, exact, powers_of_ten, text};

const SHARES: [f64; 16] =
    [0.0005, 0.001, 0.0015, 0.002, 0.003, 0.005, 0.007, 0.01, 0.015, 0.02, 0.03, 0.05, 0.1, 0.2, 0.5, 1.0];
const DEBT_LIMITS: [usize; 5] = [4, 5, 6, 8, 10];
/// Fewer trips tell too little of a mean.
pub(super) const FEW: u64 = 30;
pub(super) const TRIPS: u64 = 1000;
pub(super) const MOST_SLOW: u64 = 20_000_000;

pub(crate) fn part() -> Result<Part, String> {
    let window = SHARES.map(window);
    let rows = SHARES.iter().zip(&window).map(|(&share, mean)| {
        let debts = DEBT_LIMITS.map(|limit| text::calls(debt(limit, share)));
        [text::percent(share), seen(mean)].into_iter().chain(debts).collect()
    });
    let debts = DEBT_LIMITS.map(|limit| format!("debt {limit}"));
    Ok(Part {
        name: "shares",
        header: ["slow", "window"].map(str::to_owned).into_iter().chain(debts).collect(),
        rows: rows.collect(),
        svg: Some(plot(&window)?),
    })
}

pub(super) fn window(share: f64) -> Mean {
    let window = Window::full(&alone(), OFTEN).expect("it is armed");
    window.mean_calls(Flow::independent(share), 1, TRIPS, MOST_SLOW)
}

pub(super) fn debt(limit: usize, share: f64) -> f64 {
    exact::mean_calls(limit, Flow::independent(share), exact::NEVER)
}

/// A mean, or what it is more than.
pub(super) fn seen(mean: &Mean) -> String {
    let calls = text::calls(mean.calls);
    if mean.trips < FEW { format!("> {calls}") } else { calls }
}

fn plot(window: &[Mean]) -> Result<String, String> {
    let points = SHARES.iter().zip(window).filter(|(_, mean)| mean.trips >= FEW);
    let window = Line {
        name: "the window's P99".to_owned(),
        points: points.map(|(share, mean)| (100.0 * share, mean.calls)).collect(),
        ..Line::default()
    };
    let debts = DEBT_LIMITS.map(|limit| Line {
        name: format!("debt_limit {limit}"),
        points: SHARES.iter().map(|&share| (100.0 * share, debt(limit, share))).collect(),
        ..Line::default()
    });
    let x = Axis {
        label: "slow calls, % of all",
        ticks: vec![0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0],
        text: |percent| percent.to_string(),
    };
    let y = Axis { label: "calls until a trip, mean", ticks: powers_of_ten(0, 10), text: text::ticks };
    let lines: Vec<_> = [window].into_iter().chain(debts).collect();
    chart("How many calls it takes to trip, by how many of them are slow", &x, &y, &lines)
}
