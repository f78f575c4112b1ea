//! Where a log has too little, or its outages are at its ends: what is left out, and what is told.

use trip99_logs::outages::Span;
use trip99_logs::tune::{LEAST_CALLS, TuneError, TuneOptions, Tuned, tune};
use trip99_logs::{Row, RowKind};

const MS: u64 = 1_000_000;
const S: u64 = 1_000_000_000;

/// A call each 100 ms, which takes from 10 to 16 ms, up to this time; and calls that never came back at these times.
fn log(to_ns: u64, lost_ns: &[u64]) -> Vec<Row> {
    let row = |start_ns, latency_ns| Row { start_ns, latency_ns, ok: true, kind: RowKind::Ask };
    let call = |start_ns: u64| row(start_ns, Some(10 * MS + start_ns / (100 * MS) * 7919 % 7 * MS));
    let mut rows: Vec<Row> = (1..to_ns.div_ceil(100 * MS)).map(|call_of| call(call_of * 100 * MS)).collect();
    rows.extend(lost_ns.iter().map(|&start_ns| row(start_ns, None)));
    rows.sort_by_key(|row| row.start_ns);
    rows
}

fn span(from_ns: u64, to_ns: u64) -> Span {
    Span { from_ns, to_ns }
}

/// By one pair of quantile and threshold, as the choice isn't what these tests are about, and takes long.
fn tuned(rows: &[Row], bad: &[Span]) -> Result<Tuned, TuneError> {
    let (threshold_ns, quantile_ppm) = (Some(30 * MS), Some(900_000));
    tune(
        rows,
        &TuneOptions { bad: bad.to_vec(), threshold_ns, quantile_ppm, hold_back_ppm: 0, ..TuneOptions::default() },
    )
}

#[test]
fn nothing_and_one_call_are_too_few() {
    assert_eq!(tuned(&[], &[]).err(), Some(TuneError::TooFew(0)));
    assert_eq!(tuned(&log(200 * MS, &[]), &[]).err(), Some(TuneError::TooFew(1)));
    assert_eq!(tuned(&[], &[span(0, S)]).err(), Some(TuneError::TooFew(0)));
}

#[test]
fn outages_at_both_ends_of_a_short_log_are_one() {
    let ends = |to_ns| tuned(&log(to_ns, &[0, to_ns]), &[]);
    // 600 s after the first is still the same outage, so nothing is left. The error says why.
    let error = ends(600 * S).expect_err("all is left out");
    assert_eq!(error, TuneError::TooFew(0));
    assert!(error.to_string().contains("0 healthy calls outside of outages and of what is left out"), "{error}");
    let two = ends(600 * S + 1).expect("the calls between are healthy");
    assert_eq!(two.suspects, [span(0, 0), span(600 * S + 1, 600 * S + 1)]);
    // From 100 ms to 600 s, and the time between them.
    assert_eq!((two.healthy, two.healthy_span_ns), (6000, 600 * S - 100 * MS));
    // A short log without any is as good as a long one.
    let short = tuned(&log(100 * S, &[]), &[]).expect("999 calls");
    assert_eq!((short.suspects.len(), short.healthy), (0, 999));
}

#[test]
fn spans_that_touch_leave_out_what_one_would() {
    let rows = log(400 * S, &[]);
    let healthy =
        |rows: &[Row], bad: &[Span]| tuned(rows, bad).map(|tuned| (tuned.healthy, tuned.healthy_span_ns)).ok();
    let one = healthy(&rows, &[span(10 * S, 20 * S)]);
    // 3999 calls, of which those at 10 s, at 20 s and the 99 between are left out. So is the time from 9.9 s to 20.1 s.
    assert_eq!(one, Some((3999 - 101, (3998 - 102) * 100 * MS)));
    assert_eq!(healthy(&rows, &[span(15 * S, 20 * S), span(10 * S, 15 * S)]), one);
    assert_eq!(healthy(&rows, &[span(10 * S, 17 * S), span(15 * S, 20 * S), span(12 * S, 13 * S)]), one);
    // Between two spans is a call, though no time with another one.
    assert_eq!(
        healthy(&rows, &[span(10 * S, 15 * S - 1), span(15 * S + 1, 20 * S)]),
        Some((3999 - 100, (3998 - 102) * 100 * MS))
    );
    // A call that is lost as the span ends or begins.
    for lost_ns in [10 * S, 20 * S] {
        let rows = log(400 * S, &[lost_ns]);
        assert_eq!(healthy(&rows, &[span(10 * S, 20 * S)]), one);
        let tuned = tuned(&rows, &[span(10 * S, 20 * S)]).expect("enough");
        assert_eq!((tuned.suspects, tuned.whole.outages), (vec![span(lost_ns, lost_ns)], 1));
    }
    // At the ends of the log, and beyond.
    assert_eq!(healthy(&rows, &[span(0, 100 * MS), span(399 * S + 900 * MS, u64::MAX)]), Some((3997, 3996 * 100 * MS)));
}

#[test]
fn a_threshold_that_all_calls_exceed_has_no_room() {
    let given = |threshold_ns| {
        tune(&log(100 * S, &[]), &TuneOptions { threshold_ns: Some(threshold_ns), ..TuneOptions::default() })
    };
    assert_eq!(given(10 * MS - 1).err(), Some(TuneError::NoRoom));
    // As slow as the threshold is fast.
    assert_eq!(given(16 * MS).map(|tuned| tuned.chosen.slow).ok(), Some(0));
    assert_eq!(given(16 * MS - 1).err(), Some(TuneError::NoRoom), "one of seven is slow");
}

#[test]
fn a_hundred_calls_are_enough() {
    let calls = |count: u64| tuned(&log((count + 1) * 100 * MS, &[]), &[]).map(|tuned| tuned.healthy);
    assert_eq!(calls(LEAST_CALLS as u64), Ok(100));
    assert_eq!(calls(LEAST_CALLS as u64 - 1), Err(TuneError::TooFew(99)));
}
