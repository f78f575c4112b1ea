//! Rounds that take turns, so that whatever else the machine does falls on all lines alike, and the figures that they give.

use crate::load::Load;
use crate::peers::WINDOW;
use std::time::Instant;

/// A round takes so long, or this many calls. The other lines' rounds have filled the caches, and a round is long enough that
/// this doesn't count.
const ROUND_NS: f64 = 250_000.0;
const MIN_CALLS: usize = 100;

/// So many calls.
type Run = dyn FnMut(&mut Load, usize);

pub(crate) struct Line {
    pub(crate) name: String,
    run: Box<Run>,
    /// Before the first round.
    warm_up: usize,
    /// In a round; `None` until it is known how long one takes.
    calls: Option<usize>,
    /// Nanoseconds for each call, by round.
    pub(crate) ns: Vec<f64>,
}

impl Line {
    pub(crate) fn new(name: impl Into<String>, run: impl FnMut(&mut Load, usize) + 'static) -> Self {
        Self { name: name.into(), run: Box::new(run), warm_up: 2 * WINDOW, calls: None, ns: Vec::new() }
    }

    /// So many calls before the first round, and in each round.
    pub(crate) fn calls(self, warm_up: usize, calls: usize) -> Self {
        Self { warm_up, calls: Some(calls), ..self }
    }

    fn time(&mut self, load: &mut Load, calls: usize) -> f64 {
        let begin = Instant::now();
        (self.run)(load, calls);
        begin.elapsed().as_secs_f64() * 1e9 / calls as f64
    }

    /// Fills the window, and finds how many calls a round has.
    fn warm_up(&mut self, load: &mut Load) -> usize {
        self.time(load, self.warm_up);
        self.calls.unwrap_or_else(|| ((ROUND_NS / self.time(load, self.warm_up)) as usize).max(MIN_CALLS))
    }
}

pub(crate) fn take_turns(lines: &mut [Line], load: &mut Load, rounds: usize) {
    let calls: Vec<_> = lines.iter_mut().map(|line| line.warm_up(load)).collect();
    for _ in 0..rounds {
        for (line, &calls) in lines.iter_mut().zip(&calls) {
            let ns = line.time(load, calls);
            line.ns.push(ns);
        }
    }
}

/// Median and quartiles.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Spread {
    pub(crate) low: f64,
    pub(crate) median: f64,
    pub(crate) high: f64,
}

impl Spread {
    pub(crate) fn of(figures: impl IntoIterator<Item = f64>) -> Self {
        let mut figures: Vec<_> = figures.into_iter().collect();
        figures.sort_by(f64::total_cmp);
        let at = |share: f64| figures[((figures.len() - 1) as f64 * share) as usize];
        Self { low: at(0.25), median: at(0.5), high: at(0.75) }
    }

    /// Of the ratios, round by round: neighbours in time are compared.
    pub(crate) fn of_ratios(figures: &[f64], to: &[f64]) -> Self {
        Self::of(figures.iter().zip(to).map(|(figure, to)| figure / to))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spreads_are_medians_and_quartiles() {
        let spread = Spread::of((0..101).rev().map(f64::from));
        assert_eq!((spread.low, spread.median, spread.high), (25.0, 50.0, 75.0));
        let ratio = Spread::of_ratios(&[2.0, 30.0, 8.0], &[1.0, 10.0, 2.0]);
        assert_eq!(ratio.median, 3.0);
    }
}
