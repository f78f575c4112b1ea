//! Any log is tuned, or the error says why not: nothing panics, and settings are legal.

use proptest::prelude::*;
use trip99_logs::outages::Span;
use trip99_logs::tune::{TuneOptions, tune};
use trip99_logs::{Row, RowKind};

const MAX_NS: u64 = trip99_logs::MAX_LATENCY_NS;

fn latencies() -> impl Strategy<Value = Option<u64>> {
    prop_oneof![
        900 => (0..20_000_000_u64).prop_map(Some),
        50 => Just(Some(0)),
        20 => (0..900_000_000_u64).prop_map(Some),
        // An outage, ten minutes around which are left out.
        1 => prop_oneof![Just(None), Just(Some(MAX_NS)), (0..5_000_000_000_u64).prop_map(Some)],
    ]
}

fn kinds() -> impl Strategy<Value = RowKind> {
    prop_oneof![20 => Just(RowKind::Ask), 1 => Just(RowKind::Free), 1 => Just(RowKind::Withdrawn), 1 => Just(RowKind::Refused)]
}

fn logs() -> impl Strategy<Value = Vec<Row>> {
    let step =
        prop_oneof![1000 => 0..100_000_000_u64, 100 => Just(0), 100 => 0..2_000_000_000_000_u64, 1 => 0..(1_u64 << 63)];
    let first = prop_oneof![Just(0), Just(1_800_000_000_000_000_000), Just(u64::MAX - 1_000_000_000_000)];
    (first, prop::collection::vec((step, latencies(), any::<bool>(), kinds()), 0..500)).prop_map(|(first_ns, rows)| {
        let mut now_ns: u64 = first_ns;
        let row = |(step_ns, latency_ns, ok, kind): (u64, Option<u64>, bool, RowKind)| {
            now_ns = now_ns.saturating_add(step_ns);
            let latency_ns = latency_ns.map(|latency_ns: u64| latency_ns.min(u64::MAX - now_ns));
            Row { start_ns: now_ns, latency_ns, ok: ok || latency_ns.is_none(), kind }
        };
        rows.into_iter().map(row).collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]
    #[test]
    fn settings_are_legal(
        rows in logs(),
        bad in prop::collection::vec((0..50_000_000_000_u64, 0..5_000_000_000_u64), 0..3),
        hold_back_ppm in prop_oneof![Just(0_u32), Just(500_000), Just(900_000)],
        threshold_ns in prop::option::of(1..40_000_000_u64),
    ) {
        let bad = bad.into_iter().map(|(from_ns, len_ns)| Span { from_ns, to_ns: from_ns + len_ns }).collect();
        let options = TuneOptions { bad, hold_back_ppm, threshold_ns, ..TuneOptions::default() };
        if let Ok(tuned) = tune(&rows, &options) {
            prop_assert_eq!(tuned.config.validate(), Ok(()));
            prop_assert!(tuned.config.stall_limit_ns > tuned.config.threshold_ns);
            prop_assert!(tuned.config.debt_limit >= 3 && tuned.config.probes >= 1);
            prop_assert_eq!(threshold_ns.unwrap_or(tuned.config.threshold_ns), tuned.config.threshold_ns);
            prop_assert!(tuned.candidates.contains(&tuned.chosen));
        }
    }
}

#[test]
fn a_hundred_calls_that_are_all_alike() {
    let row = |call: u64| Row { start_ns: call, latency_ns: Some(5), ok: true, kind: RowKind::Ask };
    let alike: Vec<Row> = (0..100).map(row).collect();
    let tuned = tune(&alike, &TuneOptions::default());
    assert!(tuned.is_ok_and(|tuned| tuned.config.threshold_ns > 5));
    assert!(tune(&alike[..99], &TuneOptions::default()).is_err());
    let lost: Vec<Row> = alike.iter().map(|row| Row { latency_ns: None, ..*row }).collect();
    assert!(tune(&lost, &TuneOptions::default()).is_err());
}
