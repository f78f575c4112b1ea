//! Whether odds hold: simulated links, whose odds are known exactly, and what the tail of their peaks promises.
#![expect(clippy::float_arithmetic, reason = "odds are estimates; the breaker decides by none of them")]

use super::excursions::peaks_ppm;
use super::healthy::Healthy;
use super::tail::{Tail, independent_scale, share_at_most};
use crate::fault::random_of;
use crate::row::{Row, RowKind};
use trip99::PPM;

/// A link whose calls are in a good or in a bad state, which is a Markov chain. In each state so many are slow.
#[derive(Clone, Copy, Debug)]
pub(super) struct Link {
    /// The chance to go from the good state to the bad one, and back, at each call.
    pub(super) to_bad: f64,
    pub(super) to_good: f64,
    /// The shares of slow calls.
    pub(super) slow: [f64; 2],
}

impl Link {
    pub(super) const fn independent(share: f64) -> Self {
        Self { to_bad: 0.0, to_good: 1.0, slow: [share, share] }
    }

    /// A slow call is followed by another one with the chance `again`.
    pub(super) fn clumped(share: f64, again: f64) -> Self {
        Self { to_bad: share * (1.0 - again) / (1.0 - share), to_good: 1.0 - again, slow: [0.0, 1.0] }
    }

    /// The mean number of calls until a debt trips, from the good state on. No debt is forgiven by its age.
    ///
    /// The debt is a multiple of `1 - q`: a fast call takes 1 away, a slow one adds `q / (1 - q)`. All chances of one excursion are followed
    /// step by step from each state at debt 0. Then the means are the solution of two equations.
    pub(super) fn mean_calls(&self, quantile_ppm: u32, debt_limit: u32) -> f64 {
        let add = (quantile_ppm / (PPM - quantile_ppm)) as usize;
        assert_eq!(quantile_ppm % (PPM - quantile_ppm), 0, "the debt is on a lattice");
        let limit = debt_limit as usize * add;
        let next = [[1.0 - self.to_bad, self.to_bad], [self.to_good, 1.0 - self.to_good]];
        // From each state at 0: the mean length of a cycle, and the chances to come back to 0 in each state.
        let cycles = [0, 1].map(|from: usize| {
            let mut alive = vec![[0.0; 2]; limit];
            alive[0][from] = 1.0;
            let (mut mean, mut back, mut most) = (0.0, [0.0; 2], 1);
            loop {
                let mut after = vec![[0.0; 2]; limit];
                let mut total = 0.0;
                for (debt, chances) in alive.iter().enumerate().take(most) {
                    for (state, &chance) in chances.iter().enumerate().filter(|(_, chance)| **chance > 0.0) {
                        total += chance;
                        for to in [0, 1] {
                            let chance = chance * next[state][to];
                            if let Some(slot) = after.get_mut(debt + add) {
                                slot[to] += chance * self.slow[to];
                            }
                            let fast = chance * (1.0 - self.slow[to]);
                            if debt <= 1 { back[to] += fast } else { after[debt - 1][to] += fast }
                        }
                    }
                }
                mean += total;
                if total < 1e-15 {
                    return (mean, back);
                }
                (alive, most) = (after, (most + add).min(limit));
            }
        });
        // m0 = mean0 + back00 m0 + back01 m1, and likewise m1.
        let [(mean0, [back00, back01]), (mean1, [back10, back11])] = cycles;
        let determinant = (1.0 - back00) * (1.0 - back11) - back01 * back10;
        (mean0 * (1.0 - back11) + mean1 * back01) / determinant
    }

    /// Whether each of the calls is slow.
    pub(super) fn calls(&self, seed: u64, calls: usize) -> Vec<bool> {
        let mut random = (0..).map(|index| random_of(seed, index) as f64 / u64::MAX as f64);
        let mut draw = |chance: f64| random.next().is_some_and(|random| random < chance);
        let mut is_bad = false;
        let call = |_| {
            is_bad = if is_bad { !draw(self.to_good) } else { draw(self.to_bad) };
            draw(self.slow[usize::from(is_bad)])
        };
        (0..calls).map(call).collect()
    }
}

const MS: u64 = 1_000_000;
const THRESHOLD_NS: u64 = 2 * MS;

/// So many calls a second that no debt gets too old.
fn healthy(slow: &[bool]) -> Healthy {
    let row = |(call, &is_slow): (u64, &bool)| Row {
        start_ns: call * 10 * MS,
        latency_ns: Some(if is_slow { 3 * MS } else { MS }),
        ok: true,
        kind: RowKind::Ask,
    };
    let rows: Vec<Row> = (0..).zip(slow).map(row).collect();
    Healthy::new(&rows, &[])
}

fn tail(slow: &[bool], quantile_ppm: u32) -> Option<Tail> {
    let healthy = healthy(slow);
    let peaks = peaks_ppm(&healthy, THRESHOLD_NS, 0, &[quantile_ppm]).remove(0);
    let share = share_at_most(healthy.slower_than(THRESHOLD_NS), healthy.calls());
    let quantile = f64::from(quantile_ppm) / f64::from(PPM);
    let scale = independent_scale(share, quantile)?;
    Some(Tail::new(peaks.into_iter().map(|ppm| ppm as f64 / f64::from(PPM)).collect(), scale, None))
}

/// So many logs are made of each link.
const LOGS: usize = 100;
/// A bound that holds 19 times of 20 holds in so many of them at least: three standard deviations of the binomial below.
const LEAST: usize = 88;

/// False trips in as many calls, at each debt limit from 1 on. From some limit on each call of debt makes them rarer by one factor.
fn exact(link: Link, quantile_ppm: u32, calls: usize) -> Vec<f64> {
    let mut exact: Vec<f64> = (1..10).map(|limit| calls as f64 / link.mean_calls(quantile_ppm, limit)).collect();
    let ratio = exact[8] / exact[7];
    exact.resize_with(2000, || 0.0);
    for limit in 9..exact.len() {
        exact[limit] = exact[limit - 1] * ratio;
    }
    exact
}

/// Calls that are slow independently, or one after another, and a limit that is made for so many false trips in the log's time.
#[test]
fn a_limit_keeps_its_budget_as_often_as_it_says() {
    for (link, quantile_ppm) in [
        (Link::independent(0.001), 990_000),
        (Link::independent(0.005), 990_000),
        (Link::independent(0.05), 900_000),
        (Link::clumped(0.005, 0.25), 990_000),
        (Link::clumped(0.005, 0.5), 990_000),
        (Link::clumped(0.02, 0.5), 950_000),
    ] {
        let calls = 20_000;
        let tails: Vec<Tail> =
            (0..LOGS as u64).filter_map(|log| tail(&link.calls(log * 1_000_003, calls), quantile_ppm)).collect();
        assert_eq!(tails.len(), LOGS);
        let exact = exact(link, quantile_ppm, calls);
        let quantile = f64::from(quantile_ppm) / f64::from(PPM);
        for budget in [5.0, 0.5, 0.05, 0.005, 0.0005] {
            let limits = tails.iter().map(|tail| ((tail.limit(budget) / quantile).ceil() as usize).max(3));
            let held = limits.filter(|limit| exact[limit - 1] <= budget).count();
            assert!(held >= LEAST, "{link:?} {quantile_ppm} {budget}: {held} of {LOGS}");
        }
    }
}

/// The mean number of calls until the first trip, by stepping from call to call of long logs.
#[test]
fn the_exact_mean_is_that_of_long_logs() {
    for (link, quantile_ppm, limit) in [(Link::independent(0.02), 990_000, 3), (Link::clumped(0.01, 0.5), 950_000, 3)] {
        let (add, pay) = (u64::from(quantile_ppm), u64::from(PPM - quantile_ppm));
        let (mut trips, mut calls, mut debt_ppm) = (0, 0_u32, 0_u64);
        for log in 0..20 {
            // After a trip the chain begins anew, in the good state.
            for is_slow in link.calls(7 + log * 10_000_019, 200_000) {
                calls += 1;
                debt_ppm = if is_slow { debt_ppm + add } else { debt_ppm.saturating_sub(pay) };
                if debt_ppm >= u64::from(limit) * add {
                    (trips, debt_ppm) = (trips + 1, 0);
                }
            }
        }
        let mean = f64::from(calls) / f64::from(trips);
        let exact = link.mean_calls(quantile_ppm, limit);
        // A trip leaves a clumped link in the bad state, so that the next one comes a little sooner.
        assert!((0.85..1.1).contains(&(mean / exact)), "{link:?} {mean} {exact}");
    }
}
