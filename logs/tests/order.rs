//! Rows are put in order, at once or as they come.

use proptest::prelude::*;
use trip99_logs::{LogError, Row, RowKind, reordered, sorted};

/// The latency tells rows of one start apart.
fn rows(starts: &[u64]) -> Vec<Result<Row, LogError>> {
    let row = |(index, &start_ns)| Row { start_ns, latency_ns: Some(index as u64), ok: true, kind: RowKind::Ask };
    starts.iter().enumerate().map(row).map(Ok).collect()
}

fn starts(rows: impl Iterator<Item = Result<Row, LogError>>) -> Vec<Result<u64, String>> {
    rows.map(|row| row.map(|row| row.start_ns).map_err(|error| error.to_string())).collect()
}

#[test]
fn a_row_that_is_too_late_is_an_error() {
    let wrong = "row 4: start_ns is 14, 6 ns before a row above it; legal: at most 5 ns before, or --sort";
    let read = starts(reordered(rows(&[10, 15, 20, 14, 30]).into_iter(), 5));
    assert_eq!(read, [Ok(10), Ok(15), Err(wrong.to_owned())]);
    let read = starts(reordered(rows(&[10, 15, 20, 15, 30]).into_iter(), 5));
    assert_eq!(read, [10, 15, 15, 20, 30].map(Ok));
    let wrong = "row 3: start_ns is 4, 1 ns before a row above it; legal: ascending order, or --sort";
    assert_eq!(starts(reordered(rows(&[5, 5, 4]).into_iter(), 0)), [Ok(5), Ok(5), Err(wrong.to_owned())]);
}

#[test]
fn an_error_ends_the_rows() {
    let mut with_error = rows(&[3, 2, 1]);
    with_error.insert(2, Err(LogError::new("wrong")));
    assert_eq!(starts(sorted(with_error.clone().into_iter())), [Err("wrong".to_owned())]);
    assert_eq!(starts(reordered(with_error.into_iter(), 9)), [Err("wrong".to_owned())]);
}

#[test]
fn rows_in_order_are_not_kept_back() {
    let given = std::cell::Cell::new(0);
    let counted = rows(&[1, 2, 3]).into_iter().inspect(|_| given.set(given.get() + 1));
    let mut rows = reordered(counted, 0);
    for expected in 1..=3 {
        assert_eq!(rows.next().unwrap().unwrap().start_ns, expected);
        assert_eq!(given.get(), expected);
    }
    assert!(rows.next().is_none() && rows.next().is_none());
}

proptest! {
    #[test]
    fn both_are_a_stable_sort(starts in prop::collection::vec(0_u64..50, 0..60)) {
        let mut expected: Vec<Row> = rows(&starts).into_iter().map(Result::unwrap).collect();
        expected.sort_by_key(|row| row.start_ns);
        let late = |at: usize| starts[..at].iter().max().map_or(0, |latest| latest.saturating_sub(starts[at]));
        let within_ns = (0..starts.len()).map(late).max().unwrap_or(0);
        prop_assert_eq!(sorted(rows(&starts).into_iter()).collect::<Result<Vec<_>, _>>(), Ok(expected.clone()));
        for within_ns in [within_ns, within_ns + 1, u64::MAX] {
            let read: Result<Vec<Row>, LogError> = reordered(rows(&starts).into_iter(), within_ns).collect();
            prop_assert_eq!(read, Ok(expected.clone()));
        }
        if within_ns > 0 {
            prop_assert!(reordered(rows(&starts).into_iter(), within_ns - 1).any(|row| row.is_err()));
        }
    }
}
