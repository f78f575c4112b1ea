//! How far a debt goes before it is paid off.
//!
//! Each excursion of the debt begins when it leaves 0, and ends when it is 0 again. Excursions of independent calls are independent,
//! and excursions of most real links nearly are: so their peaks tell how often a debt reaches any limit, without resampling.
//! (Regenerative cycles: Asmussen, Applied Probability and Queues, chapter VI.)
//!
//! The debt is exactly that of the breaker, overdue calls included, but for calls that are overdue for a `window_age`.

use super::healthy::{Healthy, Piece};
use trip99::PPM;

/// What the calls owe at one quantile, in ppm of a call.
struct Debt {
    quantile_ppm: u64,
    /// What ended calls owe. Overdue calls come on top of it.
    debt_ppm: u64,
    /// The most of this excursion.
    peak_ppm: u64,
    peaks_ppm: Vec<u64>,
}

impl Debt {
    fn new(quantile_ppm: u32) -> Self {
        Self { quantile_ppm: quantile_ppm.into(), debt_ppm: 0, peak_ppm: 0, peaks_ppm: Vec::new() }
    }

    /// Takes note of what is owed now.
    fn look(&mut self, overdue: u64) {
        let level_ppm = self.debt_ppm + overdue * self.quantile_ppm;
        self.peak_ppm = self.peak_ppm.max(level_ppm);
        if level_ppm == 0 && self.peak_ppm > 0 {
            self.end();
        }
    }

    fn end(&mut self) {
        if self.peak_ppm > 0 {
            self.peaks_ppm.push(self.peak_ppm);
        }
        (self.debt_ppm, self.peak_ppm) = (0, 0);
    }
}

/// The peaks of all excursions at each of the quantiles, in ppm of a call, in the order of time.
pub(super) fn peaks_ppm(
    healthy: &Healthy,
    threshold_ns: u64,
    window_age_ns: u64,
    quantiles_ppm: &[u32],
) -> Vec<Vec<u64>> {
    let mut debts: Vec<Debt> = quantiles_ppm.iter().map(|&quantile_ppm| Debt::new(quantile_ppm)).collect();
    for piece in &healthy.pieces {
        pass(piece, threshold_ns, window_age_ns, &mut debts);
    }
    debts.into_iter().map(|debt| debt.peaks_ppm).collect()
}

fn pass(piece: &Piece, threshold_ns: u64, window_age_ns: u64, debts: &mut [Debt]) {
    let calls = piece.starts_ns.iter().zip(&piece.latencies_ns);
    let mut slow_starts_ns =
        calls.filter(|&(_, &latency_ns)| latency_ns > threshold_ns).map(|(&start_ns, _)| start_ns).peekable();
    let (mut overdue, mut is_calm, mut slow_end_ns) = (0_u64, true, 0);
    for &call in &piece.by_end {
        let end_ns = piece.end_ns(call);
        // A call is overdue just after the threshold. Timers come first.
        let mut became_overdue = false;
        while slow_starts_ns.next_if(|&start_ns| start_ns.saturating_add(threshold_ns) < end_ns).is_some() {
            overdue += 1;
            became_overdue = true;
        }
        if became_overdue {
            is_calm = false;
            debts.iter_mut().for_each(|debt| debt.look(overdue));
        }
        let is_slow = piece.latencies_ns.get(call).is_some_and(|&latency_ns| latency_ns > threshold_ns);
        if is_slow {
            overdue = overdue.saturating_sub(1);
        } else if is_calm {
            continue;
        }
        let is_forgiven = window_age_ns > 0 && end_ns.saturating_sub(slow_end_ns) >= window_age_ns;
        let mut is_paid = true;
        for debt in debts.iter_mut() {
            if is_forgiven {
                debt.debt_ppm = 0;
            }
            if is_slow {
                debt.debt_ppm += debt.quantile_ppm;
            } else {
                debt.debt_ppm = debt.debt_ppm.saturating_sub(u64::from(PPM) - debt.quantile_ppm);
            }
            debt.look(overdue);
            is_paid &= debt.debt_ppm == 0;
        }
        if is_slow {
            slow_end_ns = end_ns;
        }
        is_calm = overdue == 0 && is_paid;
    }
    debts.iter_mut().for_each(Debt::end);
}
