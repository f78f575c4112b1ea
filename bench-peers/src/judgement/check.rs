//! What the other tables say of false trips, held against the breaker itself.

use super::fed::{OFTEN, alone, mean_calls};
use super::flow::Flow;
use super::twin::Window;
use super::{Part, exact, text};
use trip99::Config;

const CLUMPED: (&str, Flow) = ("0.2 % slow, clumped", Flow::clumped(0.002, 0.25));
const FEW_SLOW: (&str, Flow) = ("0.2 % slow", Flow::independent(0.002));
const SOME_SLOW: (&str, Flow) = ("0.5 % slow", Flow::independent(0.005));
const MANY_SLOW: (&str, Flow) = ("2 % slow", Flow::independent(0.02));
/// A standard deviation is 2 % of the mean, or a little less.
const TRIPS: u64 = 2000;

pub(crate) fn part() -> Part {
    let debt = |debt_limit| (format!("debt_limit {debt_limit}"), Config { debt_limit, ..alone() });
    let window = |window_len| (format!("window_len {window_len}"), Config { window_len, ..alone() });
    let confirmed = ("confirm_verdicts 100".to_owned(), Config { confirm_verdicts: 100, ..alone() });
    let cases = [
        (FEW_SLOW, debt(3)),
        (SOME_SLOW, debt(5)),
        (SOME_SLOW, debt(6)),
        (CLUMPED, debt(5)),
        (CLUMPED, debt(6)),
        (MANY_SLOW, debt(6)),
        (MANY_SLOW, debt(8)),
        (FEW_SLOW, window(512)),
        (SOME_SLOW, window(1024)),
        (CLUMPED, window(1024)),
        (MANY_SLOW, window(1024)),
        (SOME_SLOW, confirmed),
    ];
    let rows = cases.into_iter().zip(1..).map(|(((name, flow), (rule, config)), seed)| {
        let worked_out = if config.debt_limit > 0 {
            exact::mean_calls(config.debt_limit as usize, flow, exact::NEVER)
        } else {
            // Not of the same calls.
            Window::full(&config, OFTEN).expect("it is armed").mean_calls(flow, 100 + seed, 10 * TRIPS, u64::MAX).calls
        };
        let fed = mean_calls(&config, flow, OFTEN, seed, TRIPS).calls;
        vec![name.to_owned(), rule, text::calls(worked_out), text::calls(fed), format!("{:.2}", fed / worked_out)]
    });
    let header = ["calls", "rule", "worked out", "the breaker", "ratio"].map(str::to_owned);
    Part { name: "check", header: header.into(), rows: rows.collect(), svg: None }
}
