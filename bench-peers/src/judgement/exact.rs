//! The mean number of calls until a debt trips, exactly, at P99.
//!
//! The debt just after each slow call is a Markov chain: in units of 1/100 call, each fast call takes 1 away down to 0, and a slow one
//! adds 99. How many slow calls it takes on average from each debt is the solution of a linear system.

use super::flow::Flow;

/// No debt is forgiven by age.
pub(crate) const NEVER: usize = usize::MAX;
/// A solution above this would not be exact.
pub(crate) const MOST_CALLS: f64 = 1e12;
/// What a slow call adds, in what a fast one takes away.
const SLOW: usize = 99;

/// From no debt on. Above [`MOST_CALLS`] it is infinite. Debt is forgiven when the slow call before is `forgiven_after` calls ago.
pub(crate) fn mean_calls(debt_limit: usize, flow: Flow, forgiven_after: usize) -> f64 {
    // The state `i` is a debt of `SLOW + i`.
    let states = (debt_limit - 1) * SLOW;
    let mut rows: Vec<_> = (0..states).map(|state| row(state, states, flow, forgiven_after)).collect();
    let slow_calls = 1.0 + if states > 0 { solve_first(&mut rows) } else { 0.0 };
    // By Wald's identity; the first slow call comes after a fast one.
    let calls = 1.0 / flow.begins() + (slow_calls - 1.0) / flow.share;
    if (0.0..MOST_CALLS).contains(&calls) { calls } else { f64::INFINITY }
}

/// The equation of a state, `m[i] - sum of p[i][j] * m[j] = 1`, with 1 as the last element.
fn row(state: usize, states: usize, flow: Flow, forgiven_after: usize) -> Vec<f64> {
    let mut row = vec![0.0; states + 1];
    row[states] = 1.0;
    row[state] += 1.0;
    let debt = SLOW + state;
    // Of the number of fast calls until the next slow one.
    let (mut chance, mut rest) = (flow.again, 1.0);
    for fast in 0..debt.min(forgiven_after - 1) {
        if debt - fast < states {
            row[debt - fast] -= chance;
        }
        rest -= chance;
        chance = rest * flow.begins();
    }
    row[0] -= rest;
    row
}

/// Gauss's elimination, from the last unknown to the first, which it returns. The diagonal dominates, so no rows change places.
fn solve_first(rows: &mut [Vec<f64>]) -> f64 {
    let right = rows.len();
    for pivot in (1..rows.len()).rev() {
        let (above, below) = rows.split_at_mut(pivot);
        let pivot_row = &below[0];
        for row in above {
            let factor = row[pivot] / pivot_row[pivot];
            if factor != 0.0 {
                row[..pivot].iter_mut().zip(&pivot_row[..pivot]).for_each(|(x, y)| *x -= factor * y);
                row[right] -= factor * pivot_row[right];
            }
        }
    }
    rows[0][right] / rows[0][0]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judgement::fed::{self, OFTEN, Rate, alone};
    use trip99::Config;

    #[test]
    fn what_can_be_seen_at_once() {
        let all = Flow::independent(1.0);
        assert_eq!([1, 2, 6].map(|limit| mean_calls(limit, all, NEVER)), [1.0, 2.0, 6.0]);
        // A single slow call.
        assert!((mean_calls(1, Flow::independent(0.1), NEVER) - 10.0).abs() < 1e-9);
        // Forgiven at once, unless the next is slow: two in a row, (1 + p) / p^2.
        assert!((mean_calls(2, Flow::independent(0.1), 2) - 110.0).abs() < 1e-9);
        // Two in a row, and a slow call is followed by another with a chance of 1/2: some 1/p' calls to each begin, half of them go on.
        let clumped = Flow::clumped(0.1, 0.5);
        assert!((mean_calls(2, clumped, 2) - (1.0 / clumped.begins() + 2.0 / 0.1 - 0.0)).abs() < 1e-9);
    }

    /// Steps through all calls, and sums up the chances that no trip has come: the mean is the sum over all times.
    fn mean_by_steps(debt_limit: usize, share: f64) -> f64 {
        let limit = debt_limit * SLOW;
        let (mut chances, mut mean) = (vec![0.0; limit], 0.0);
        chances[0] = 1.0;
        loop {
            let alive: f64 = chances.iter().sum();
            if alive < 1e-12 {
                return mean;
            }
            mean += alive;
            let mut next = vec![0.0; limit];
            for (debt, chance) in chances.into_iter().enumerate() {
                next[debt.saturating_sub(1)] += chance * (1.0 - share);
                if let Some(next) = next.get_mut(debt + SLOW) {
                    *next += chance * share;
                }
            }
            chances = next;
        }
    }

    #[test]
    fn agrees_with_stepping_from_call_to_call() {
        for (limit, share) in [(2, 0.02), (3, 0.05), (3, 0.02)] {
            let (exact, by_steps) = (mean_calls(limit, Flow::independent(share), NEVER), mean_by_steps(limit, share));
            assert!((exact / by_steps - 1.0).abs() < 1e-6, "{limit} {share}: {exact} {by_steps}");
        }
    }

    #[test]
    fn agrees_with_the_breaker() {
        let sparse = Rate { calls: 1, seconds: 1 };
        for (flow, rate, forgiven_after) in [
            (Flow::independent(0.02), OFTEN, NEVER),
            (Flow::clumped(0.005, 0.25), OFTEN, NEVER),
            (Flow::independent(0.02), sparse, 60),
        ] {
            let exact = mean_calls(3, flow, forgiven_after);
            let fed = fed::mean_calls(&Config { debt_limit: 3, ..alone() }, flow, rate, 1, 1000);
            // A standard deviation is some 3 %.
            assert!((0.9..1.1).contains(&(fed.calls / exact)), "{flow:?} {exact} {fed:?}");
        }
    }
}
