//! How soon a debt notices that a link gets worse.
#![expect(clippy::float_arithmetic, reason = "a mean delay is an estimate; the breaker decides by none")]

use super::healthy::Healthy;
use crate::fault::{Fault, random_of};
use crate::row::{Row, RowKind};
use trip99::PPM;

/// A fault begins at so many calls of the log, evenly spread.
pub(super) const STARTS: usize = 30;
/// A fault that isn't noticed within so many calls is taken for noticed then.
const HORIZON: usize = 5_000;
/// The seed of the calls that a fault hits, if it doesn't hit all.
pub(super) const SEED: u64 = 99;

const FAULTS: usize = 5;
/// Which of the faults these are.
const SLOWER: usize = 0;
const SILENT: usize = 3;

/// The faults that a link may have. They are as large as its median tells.
pub(super) fn faults(median_ns: u64) -> [Fault; FAULTS] {
    let slow_ns = median_ns.saturating_mul(10);
    [
        Fault::Slower { times_ppm: 5 * u64::from(PPM) },
        Fault::SomeSlower { share_ppm: PPM / 10, slow_ns },
        Fault::SomeSlower { share_ppm: PPM / 50, slow_ns },
        Fault::Silent,
        Fault::Lost { share_ppm: PPM / 20 },
    ]
}

/// Each fault at each start: the same calls for every candidate.
pub(super) struct Trials(Vec<Trial>);

/// The calls from the begin of a fault on, as the fault makes them.
struct Trial {
    /// Since the begin.
    starts_ns: Vec<u64>,
    /// `u64::MAX` if the call is lost.
    latencies_ns: Vec<u64>,
}

impl Trials {
    pub(super) fn new(healthy: &Healthy) -> Self {
        let calls: Vec<(u64, u64)> = healthy
            .pieces
            .iter()
            .flat_map(|piece| piece.starts_ns.iter().copied().zip(piece.latencies_ns.iter().copied()))
            .collect();
        let begins = (0..STARTS).map(|start| (2 * start + 1) * calls.len() / (2 * STARTS));
        let faults = faults(healthy.quantile_ns(PPM / 2));
        Self(begins.flat_map(|begin| faults.map(|fault| Trial::new(&calls, begin, &fault))).collect())
    }

    /// The mean of the logarithm of how long the faults go unnoticed, in nanoseconds: the lower the better. A link that is five times
    /// slower, which is what a breaker is for above all, counts twice.
    pub(super) fn mean_log_delay(&self, threshold_ns: u64, quantile_ppm: u32, debt_limit: u32) -> f64 {
        let logs = self.0.iter().enumerate().map(|(index, trial)| {
            let delay_ns = trial.delay_ns(threshold_ns, quantile_ppm, debt_limit).max(1);
            (delay_ns as f64).ln() * if index % FAULTS == SLOWER { 2.0 } else { 1.0 }
        });
        logs.sum::<f64>() / (STARTS * (FAULTS + 1)) as f64
    }

    /// The median time until a link that is five times slower, or silent, is noticed: the longer of both, in nanoseconds.
    pub(super) fn median_delay_ns(&self, threshold_ns: u64, quantile_ppm: u32, debt_limit: u32) -> u64 {
        let median_ns = |fault: usize| {
            let trials = self.0.iter().skip(fault).step_by(FAULTS);
            let mut delays_ns: Vec<u64> =
                trials.map(|trial| trial.delay_ns(threshold_ns, quantile_ppm, debt_limit)).collect();
            delays_ns.sort_unstable();
            delays_ns.get(delays_ns.len() / 2).copied().unwrap_or(u64::MAX)
        };
        median_ns(SLOWER).max(median_ns(SILENT))
    }
}

impl Trial {
    /// The log begins again after its last call.
    fn new(calls: &[(u64, u64)], begin: usize, fault: &Fault) -> Self {
        let (Some(&(first_ns, _)), Some(&(last_ns, _))) = (calls.first(), calls.last()) else {
            return Self { starts_ns: Vec::new(), latencies_ns: Vec::new() };
        };
        let gap_ns = (last_ns - first_ns) / calls.len() as u64;
        let (mut now_ns, mut before_ns) = (0, None);
        let (mut starts_ns, mut latencies_ns) = (Vec::new(), Vec::new());
        let calls = calls.iter().cycle().skip(begin).take(HORIZON);
        for (index, &(start_ns, latency_ns)) in (begin as u64..).zip(calls) {
            let after_ns = before_ns.map_or(0, |before_ns| start_ns.checked_sub(before_ns).unwrap_or(gap_ns));
            now_ns = u64::saturating_add(now_ns, after_ns);
            before_ns = Some(start_ns);
            let row = Row { start_ns: now_ns, latency_ns: Some(latency_ns), ok: true, kind: RowKind::Ask };
            let row = fault.apply(&row, random_of(SEED, index));
            starts_ns.push(now_ns);
            latencies_ns.push(row.latency_ns.unwrap_or(u64::MAX));
        }
        Self { starts_ns, latencies_ns }
    }

    /// How long it takes until the debt reaches the limit. Calls owe and pay in the order in which they start: near enough to rank
    /// candidates.
    fn delay_ns(&self, threshold_ns: u64, quantile_ppm: u32, debt_limit: u32) -> u64 {
        let (slow_ppm, fast_ppm) = (u64::from(quantile_ppm), u64::from(PPM - quantile_ppm));
        let limit_ppm = u64::from(debt_limit) * slow_ppm;
        let mut debt_ppm = 0;
        for (&start_ns, &latency_ns) in self.starts_ns.iter().zip(&self.latencies_ns) {
            if latency_ns <= threshold_ns {
                debt_ppm = u64::saturating_sub(debt_ppm, fast_ppm);
                continue;
            }
            debt_ppm += slow_ppm;
            if debt_ppm >= limit_ppm {
                return start_ns.saturating_add(threshold_ns);
            }
        }
        self.starts_ns.last().copied().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;
    const S: u64 = 1_000_000_000;

    /// A call each second that takes 10 ms.
    fn healthy(calls: u64) -> Healthy {
        let row = |call| Row { start_ns: call * S, latency_ns: Some(10 * MS), ok: true, kind: RowKind::Ask };
        Healthy::new(&(0..calls).map(row).collect::<Vec<_>>(), &[])
    }

    fn trial(starts_ns: &[u64], latencies_ns: &[u64]) -> Trial {
        Trial { starts_ns: starts_ns.to_vec(), latencies_ns: latencies_ns.to_vec() }
    }

    #[test]
    fn a_debt_is_noticed_as_its_last_call_gets_overdue() {
        let calls = trial(&[0, 100, 200, 300, 400], &[21, 20, 21, 21, 21]);
        // At P50 a fast call pays off as much as a slow one owes: 0.5, 0, 0.5, 1, 1.5.
        assert_eq!([1, 2, 3].map(|limit| calls.delay_ns(20, 500_000, limit)), [20, 320, 420]);
        // At P99 it pays off 0.01: 0.99, 0.98, 1.97, 2.96, 3.95.
        assert_eq!([1, 2, 3, 4].map(|limit| calls.delay_ns(20, 990_000, limit)), [20, 320, 420, 400]);
        // As slow as the threshold is fast.
        assert_eq!(calls.delay_ns(21, 990_000, 1), 400, "never: as if by the last call");
        assert_eq!(trial(&[], &[]).delay_ns(1, 990_000, 1), 0);
        assert_eq!(trial(&[u64::MAX], &[u64::MAX]).delay_ns(20, 990_000, 1), u64::MAX);
    }

    #[test]
    fn five_times_slower_and_silent_are_seen_at_the_third_call() {
        let trials = Trials::new(&healthy(100));
        assert_eq!(trials.0.len(), STARTS * FAULTS);
        // All calls take 50 ms, or for ever. Where the log begins again its mean gap, 0.99 s, is between the calls: that is so for one start
        // of the 30, at call 98.
        assert_eq!(trials.median_delay_ns(40 * MS, 990_000, 3), 2 * S + 40 * MS);
        assert_eq!(trials.0[29 * FAULTS].delay_ns(40 * MS, 990_000, 3), 1990 * MS + 40 * MS);
        assert_eq!(trials.median_delay_ns(49_999_999, 990_000, 1), 49_999_999);
        // Not noticed within 5000 calls: 4949 gaps of a second, and 50 of 0.99 s.
        assert_eq!(trials.median_delay_ns(50 * MS, 990_000, 1), 4_998_500 * MS);
    }

    #[test]
    fn a_mean_delay_counts_a_link_that_is_five_times_slower_twice() {
        let trials = Trials::new(&healthy(100));
        let ln = |ns: u64| (ns as f64).ln();
        // Each fault at each start, by hand.
        let delay = |index: usize| trials.0[index].delay_ns(40 * MS, 990_000, 3);
        let sum: f64 = (0..STARTS)
            .map(|start| {
                let of = |fault: usize| ln(delay(start * FAULTS + fault));
                2.0 * of(0) + of(1) + of(2) + of(3) + of(4)
            })
            .sum();
        let mean = trials.mean_log_delay(40 * MS, 990_000, 3);
        assert!((mean - sum / 180.0).abs() < 1e-9, "{mean}");
        // A higher limit is reached later.
        assert!(trials.mean_log_delay(40 * MS, 990_000, 4) > mean);
    }

    #[test]
    fn no_calls_have_no_delay() {
        let none = Trials::new(&healthy(0));
        assert_eq!(none.median_delay_ns(1, 990_000, 3), 0);
        assert!(none.mean_log_delay(1, 990_000, 3).abs() < 1e-9);
        // One call is repeated at once.
        let one = Trials::new(&healthy(1));
        assert_eq!(one.median_delay_ns(40 * MS, 990_000, 3), 40 * MS);
    }

    #[test]
    fn faults_are_as_large_as_the_median_tells() {
        let slow_ns = 70;
        let some = |share_ppm| Fault::SomeSlower { share_ppm, slow_ns };
        let five = Fault::Slower { times_ppm: 5_000_000 };
        let expected = [five, some(100_000), some(20_000), Fault::Silent, Fault::Lost { share_ppm: 50_000 }];
        assert_eq!(faults(7), expected);
        assert_eq!((expected[SLOWER], expected[SILENT]), (five, Fault::Silent));
        assert!(matches!(faults(u64::MAX)[1], Fault::SomeSlower { slow_ns: u64::MAX, .. }));
    }
}
