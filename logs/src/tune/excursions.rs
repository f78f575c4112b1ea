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

    /// The latest slow call is too old, so that ended calls owe nothing any more.
    fn forgive(&mut self, overdue: u64) {
        self.debt_ppm = 0;
        self.look(overdue);
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
    let is_old = |now_ns: u64, slow_end_ns| window_age_ns > 0 && now_ns.saturating_sub(slow_end_ns) >= window_age_ns;
    let (mut overdue, mut is_calm, mut slow_end_ns) = (0_u64, true, 0);
    for &call in &piece.by_end {
        let end_ns = piece.end_ns(call);
        // A call is overdue just after the threshold. Timers come first.
        while let Some(start_ns) = slow_starts_ns.next_if(|&start_ns| start_ns.saturating_add(threshold_ns) < end_ns) {
            let is_forgiven = is_old(start_ns.saturating_add(threshold_ns).saturating_add(1), slow_end_ns);
            overdue += 1;
            is_calm = false;
            for debt in debts.iter_mut() {
                if is_forgiven {
                    debt.forgive(overdue - 1);
                }
                debt.look(overdue);
            }
        }
        let is_slow = piece.latencies_ns.get(call).is_some_and(|&latency_ns| latency_ns > threshold_ns);
        if is_slow {
            overdue = overdue.saturating_sub(1);
        } else if is_calm {
            continue;
        }
        let is_forgiven = is_old(end_ns, slow_end_ns);
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::LogError;
    use crate::outages::Span;
    use crate::replay::{Report, Summary, replay};
    use crate::row::{Row, RowKind};
    use proptest::prelude::*;
    use trip99::{Config, Event, Reason, State};

    const THRESHOLD_NS: u64 = 20;
    const Q99: u64 = 990_000;

    fn row(start_ns: u64, latency_ns: u64) -> Row {
        Row { start_ns, latency_ns: Some(latency_ns), ok: true, kind: RowKind::Ask }
    }

    fn peaks(rows: &[Row], left_out: &[Span], window_age_ns: u64, quantiles_ppm: &[u32]) -> Vec<Vec<u64>> {
        peaks_ppm(&Healthy::new(rows, left_out), THRESHOLD_NS, window_age_ns, quantiles_ppm)
    }

    /// Steps from event to event: one after another calls become overdue and end. Tells of each excursion its peak, and of the debt when it
    /// first reaches the limit.
    fn twin(rows: &[Row], window_age_ns: u64, quantile_ppm: u64, limit_ppm: u64) -> (Vec<u64>, Option<u64>) {
        let mut events = Vec::new();
        for (index, row) in rows.iter().enumerate() {
            let latency_ns = row.latency_ns.unwrap();
            let is_slow = latency_ns > THRESHOLD_NS;
            if is_slow {
                events.push((row.start_ns + THRESHOLD_NS + 1, 0, index, true));
            }
            events.push((row.start_ns + latency_ns, 1, index, is_slow));
        }
        // Timers come first, and calls that end at once end in the order in which they began.
        events.sort_unstable();
        let (mut debt_ppm, mut overdue, mut slow_ns, mut peak_ppm) = (0_u64, 0, 0, 0);
        let (mut peaks_ppm, mut reached_ns) = (Vec::new(), None);
        for (now_ns, is_end, _, is_slow) in events {
            if window_age_ns > 0 && now_ns - slow_ns >= window_age_ns {
                debt_ppm = 0;
            }
            for step in 0..2 {
                match (step, is_end, is_slow) {
                    (0, ..) => {}
                    (_, 0, _) => overdue += 1,
                    (_, _, false) => debt_ppm = debt_ppm.saturating_sub(1_000_000 - quantile_ppm),
                    (_, _, true) => {
                        (debt_ppm, slow_ns, overdue) = (debt_ppm + quantile_ppm, now_ns, overdue - 1);
                    }
                }
                let level_ppm = debt_ppm + overdue * quantile_ppm;
                peak_ppm = peak_ppm.max(level_ppm);
                if level_ppm >= limit_ppm {
                    reached_ns = reached_ns.or(Some(now_ns));
                }
                if level_ppm == 0 && peak_ppm > 0 {
                    peaks_ppm.push(peak_ppm);
                    peak_ppm = 0;
                }
            }
        }
        peaks_ppm.extend(Some(peak_ppm).filter(|&peak_ppm| peak_ppm > 0));
        (peaks_ppm, reached_ns)
    }

    #[derive(Default)]
    struct FirstTrip(Option<Event>);

    impl Report for FirstTrip {
        type Error = LogError;

        fn begin(&mut self, _: &Config) -> Result<(), LogError> {
            Ok(())
        }

        fn transition(&mut self, event: &Event) -> Result<(), LogError> {
            if event.from == State::Closed {
                self.0 = self.0.or(Some(*event));
            }
            Ok(())
        }

        fn end(&mut self, _: &Summary) -> Result<(), LogError> {
            Ok(())
        }
    }

    /// A breaker that judges debt alone.
    fn first_trip(rows: &[Row], window_age_ns: u64, quantile_ppm: u32, debt_limit: u32) -> Option<Event> {
        let config = Config {
            quantile_ppm,
            threshold_ns: THRESHOLD_NS,
            window_age_ns,
            debt_limit,
            failure_rate_ppm: PPM,
            consecutive_failures: 0,
            spike_count: 0,
            stall_limit_ns: 0,
            shadow: true,
            ..Config::default()
        };
        let mut first = FirstTrip::default();
        replay(&config, rows.iter().copied().map(Ok), &mut first).unwrap();
        first.0
    }

    /// Calls of all sorts: overlapping, at once, of no time, as slow as legal and slower by 1. Now and then none comes for long.
    fn rows() -> impl Strategy<Value = Vec<Row>> {
        let later_ns = prop_oneof![3 => Just(0), 6 => 1..6_u64, 4 => 6..40_u64, 1 => 100..900_u64];
        let latency_ns = prop_oneof![
            2 => Just(0),
            4 => 1..20_u64,
            1 => Just(THRESHOLD_NS),
            2 => Just(THRESHOLD_NS + 1),
            1 => 22..250_u64,
        ];
        prop::collection::vec((later_ns, latency_ns), 0..250).prop_map(|calls| {
            let mut start_ns = 1000;
            calls
                .into_iter()
                .map(|(later_ns, latency_ns)| {
                    start_ns += later_ns;
                    row(start_ns, latency_ns)
                })
                .collect()
        })
    }

    proptest! {
        #[test]
        fn peaks_are_those_that_a_sum_from_step_to_step_has(
            rows in rows(),
            window_age_ns in prop::sample::select(vec![0_u64, 60, 300, 800]),
        ) {
            let quantiles_ppm = [500_000, 900_000, 990_000, 999_999];
            let expected: Vec<Vec<u64>> =
                quantiles_ppm.iter().map(|&ppm| twin(&rows, window_age_ns, u64::from(ppm), u64::MAX).0).collect();
            prop_assert_eq!(peaks(&rows, &[], window_age_ns, &quantiles_ppm), expected);
        }
    }

    proptest! {
        // A replay has room for a million calls in flight, which takes its time.
        #![proptest_config(ProptestConfig::with_cases(100))]
        #[test]
        fn a_breaker_trips_in_the_first_excursion_that_reaches_its_limit(
            rows in rows(),
            // No call is overdue for so long: that is what a breaker forgets, too.
            window_age_ns in prop::sample::select(vec![0_u64, 251, 300, 800]),
            quantile_ppm in prop::sample::select(vec![500_000_u32, 900_000, 990_000]),
            debt_limit in 1_u32..12,
        ) {
            let limit_ppm = u64::from(debt_limit) * u64::from(quantile_ppm);
            let trip = first_trip(&rows, window_age_ns, quantile_ppm, debt_limit);
            let (_, reached_ns) = twin(&rows, window_age_ns, quantile_ppm.into(), limit_ppm);
            prop_assert_eq!(trip.map(|trip| (trip.t_ns, trip.reason)), reached_ns.map(|t_ns| (t_ns, Reason::Latency)));
            let peaks = peaks(&rows, &[], window_age_ns, &[quantile_ppm]).remove(0);
            prop_assert_eq!(trip.is_some(), peaks.iter().any(|&peak_ppm| peak_ppm >= limit_ppm));
        }
    }

    #[test]
    fn a_call_that_is_as_slow_as_the_threshold_owes_nothing() {
        let of = |rows: &[Row]| peaks(rows, &[], 0, &[990_000]).remove(0);
        assert_eq!(of(&[]), [0; 0]);
        assert_eq!(of(&[row(5, THRESHOLD_NS)]), [0; 0]);
        assert_eq!(of(&[row(5, THRESHOLD_NS + 1)]), [Q99]);
        assert_eq!(of(&[row(0, 21), row(0, 21), row(0, 21)]), [3 * Q99], "all are overdue at once");
        // 99 good calls pay off one that is slow: the 98th leaves something.
        let paid = |good: u64| {
            let good = (0..good).map(|call| row(100 + call, 1));
            let rows: Vec<Row> = [row(0, 21)].into_iter().chain(good).chain([row(1000, 21)]).collect();
            of(&rows)
        };
        assert_eq!((paid(98), paid(99)), (vec![Q99 + 10_000], vec![Q99, Q99]));
    }

    #[test]
    fn old_debt_is_forgiven_when_a_call_becomes_overdue() {
        let of = |later_ns: u64| {
            let rows = [row(0, 21), row(later_ns, 150)];
            peaks(&rows, &[], 300, &[990_000]).remove(0)
        };
        // The first ends at 21. The second is overdue 21 after its start.
        assert_eq!((of(299), of(300)), (vec![2 * Q99], vec![Q99, Q99]));
    }

    #[test]
    fn nothing_is_owed_after_an_outage() {
        let rows = [row(0, 21), row(100, 21), row(200, 21)];
        let of = |left_out: &[Span]| peaks(&rows, left_out, 0, &[990_000]).remove(0);
        assert_eq!(of(&[]), [3 * Q99]);
        assert_eq!(of(&[Span { from_ns: 100, to_ns: 100 }]), [Q99, Q99]);
        assert_eq!(of(&[Span { from_ns: 101, to_ns: 199 }]), [2 * Q99, Q99], "no call is left out");
        assert_eq!(of(&[Span { from_ns: 0, to_ns: 200 }]), [0; 0]);
    }
}
