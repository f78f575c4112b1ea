//! The healthy calls of a log: what is left when outages are left out.

use crate::outages::{Span, has_outcome};
use crate::row::Row;

/// The calls of a log that came back, without those of outages.
pub(super) struct Healthy {
    pub(super) pieces: Vec<Piece>,
    /// The time that the pieces take, in nanoseconds.
    pub(super) span_ns: u64,
    /// All latencies, sorted.
    latencies_ns: Vec<u64>,
}

/// Calls between two outages, in ascending order of their start.
#[derive(Default)]
pub(super) struct Piece {
    pub(super) starts_ns: Vec<u64>,
    pub(super) latencies_ns: Vec<u64>,
    /// The indices of the calls in the order in which they end; of those that end at once, in the order in which they start.
    pub(super) by_end: Vec<usize>,
}

impl Piece {
    pub(super) fn end_ns(&self, call: usize) -> u64 {
        let part = |all: &[u64]| all.get(call).copied().unwrap_or(0);
        part(&self.starts_ns).saturating_add(part(&self.latencies_ns))
    }

    fn most_in_flight(&self) -> usize {
        // What takes no time is never in flight.
        let takes_time = |call: &usize| self.latencies_ns.get(*call).is_some_and(|&latency_ns| latency_ns > 0);
        let mut ends_ns = self.by_end.iter().copied().filter(takes_time).map(|call| self.end_ns(call)).peekable();
        let (mut in_flight, mut most) = (0_usize, 0);
        for &start_ns in (0..).zip(&self.starts_ns).filter(|(call, _)| takes_time(call)).map(|(_, start_ns)| start_ns) {
            while ends_ns.next_if(|&end_ns| end_ns <= start_ns).is_some() {
                in_flight = in_flight.saturating_sub(1);
            }
            in_flight += 1;
            most = most.max(in_flight);
        }
        most
    }

    fn sort(&mut self) {
        self.by_end = (0..self.starts_ns.len()).collect();
        let ends_ns: Vec<u64> = self.by_end.iter().map(|&call| self.end_ns(call)).collect();
        // Logs are nearly sorted by end already, and a stable sort makes use of that.
        self.by_end.sort_by_key(|&call| ends_ns.get(call).copied());
    }
}

impl Healthy {
    /// `left_out` is in ascending order; its spans don't overlap. The rows are in ascending order of their start.
    pub(super) fn new(rows: &[Row], left_out: &[Span]) -> Self {
        let mut spans = left_out.iter().peekable();
        let mut pieces = vec![Piece::default()];
        let mut last_ns = None;
        let mut span_ns = 0;
        for row in rows.iter().filter(|row| has_outcome(row)) {
            // The row is in the first span that doesn't end before it, or in none.
            let mut is_after_a_span = false;
            while spans.next_if(|span| span.to_ns < row.start_ns).is_some() {
                is_after_a_span = true;
            }
            let is_left_out = spans.peek().is_some_and(|span| span.has(row.start_ns));
            if (is_after_a_span || is_left_out) && pieces.last().is_some_and(|piece| !piece.starts_ns.is_empty()) {
                pieces.push(Piece::default());
            }
            let (Some(latency_ns), false, Some(piece)) = (row.latency_ns, is_left_out, pieces.last_mut()) else {
                last_ns = None;
                continue;
            };
            // From call to call within a piece.
            if let Some(last_ns) = last_ns.filter(|_| !piece.starts_ns.is_empty()) {
                span_ns += row.start_ns.saturating_sub(last_ns);
            }
            last_ns = Some(row.start_ns);
            piece.starts_ns.push(row.start_ns);
            piece.latencies_ns.push(latency_ns);
        }
        pieces.retain(|piece| !piece.starts_ns.is_empty());
        pieces.iter_mut().for_each(Piece::sort);
        let mut latencies_ns: Vec<u64> = pieces.iter().flat_map(|piece| &piece.latencies_ns).copied().collect();
        latencies_ns.sort_unstable();
        Self { pieces, span_ns, latencies_ns }
    }

    pub(super) fn calls(&self) -> usize {
        self.latencies_ns.len()
    }

    /// How many calls took longer than this.
    pub(super) fn slower_than(&self, limit_ns: u64) -> usize {
        self.calls() - self.latencies_ns.partition_point(|&latency_ns| latency_ns <= limit_ns)
    }

    /// By nearest rank. It is 0 if there are no calls.
    pub(super) fn quantile_ns(&self, quantile_ppm: u32) -> u64 {
        let rank = (u128::from(quantile_ppm) * self.calls() as u128).div_ceil(1_000_000) as usize;
        rank.checked_sub(1).and_then(|index| self.latencies_ns.get(index)).copied().unwrap_or(0)
    }

    pub(super) fn greatest_ns(&self) -> u64 {
        self.latencies_ns.last().copied().unwrap_or(0)
    }

    /// Sorted.
    pub(super) fn latencies_ns(&self) -> &[u64] {
        &self.latencies_ns
    }

    /// The most calls that are in flight at once.
    pub(super) fn most_in_flight(&self) -> usize {
        self.pieces.iter().map(Piece::most_in_flight).max().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::row::RowKind;

    fn row(start_ns: u64, latency_ns: u64) -> Row {
        Row { start_ns, latency_ns: Some(latency_ns), ok: true, kind: RowKind::Ask }
    }

    /// A call each 10 ns.
    fn rows(count: u64) -> Vec<Row> {
        (0..count).map(|call| row(call * 10, 5)).collect()
    }

    fn span(from_ns: u64, to_ns: u64) -> Span {
        Span { from_ns, to_ns }
    }

    /// The starts of the pieces, and their time.
    fn pieces(rows: &[Row], left_out: &[Span]) -> (Vec<Vec<u64>>, u64) {
        let healthy = Healthy::new(rows, left_out);
        (healthy.pieces.iter().map(|piece| piece.starts_ns.clone()).collect(), healthy.span_ns)
    }

    #[test]
    fn nothing_and_one_call() {
        let none = Healthy::new(&[], &[span(0, 9)]);
        assert_eq!((none.calls(), none.span_ns, none.pieces.len(), none.most_in_flight()), (0, 0, 0, 0));
        assert_eq!((none.quantile_ns(500_000), none.greatest_ns(), none.slower_than(0)), (0, 0, 0));
        let one = Healthy::new(&[row(7, 5)], &[]);
        assert_eq!((one.calls(), one.span_ns, one.most_in_flight()), (1, 0, 1));
        assert_eq!((one.quantile_ns(1), one.quantile_ns(500_000), one.greatest_ns()), (5, 5, 5));
        assert_eq!((one.slower_than(4), one.slower_than(5)), (1, 0), "a call that takes as long isn't slower");
    }

    #[test]
    fn quantiles_are_by_nearest_rank() {
        let rows: Vec<Row> = (1..=10).rev().map(|latency_ns| row(100 - latency_ns, latency_ns)).collect();
        let healthy = Healthy::new(&rows, &[]);
        let of = |quantile_ppm| healthy.quantile_ns(quantile_ppm);
        assert_eq!([0, 1, 100_000, 100_001, 500_000, 900_000, 900_001].map(of), [0, 1, 1, 2, 5, 9, 10]);
    }

    #[test]
    fn both_ends_of_a_span_are_left_out() {
        assert_eq!(pieces(&rows(6), &[]), (vec![vec![0, 10, 20, 30, 40, 50]], 50));
        assert_eq!(pieces(&rows(6), &[span(20, 30)]), (vec![vec![0, 10], vec![40, 50]], 20));
        assert_eq!(
            pieces(&rows(6), &[span(21, 29)]),
            (vec![vec![0, 10, 20], vec![30, 40, 50]], 40),
            "no call is left out"
        );
        // That of a call which is left out isn't healthy time, however near the next one is.
        assert_eq!(pieces(&rows(6), &[span(11, 39)]), (vec![vec![0, 10], vec![40, 50]], 20));
    }

    #[test]
    fn spans_may_be_at_the_ends_of_the_log() {
        assert_eq!(pieces(&rows(6), &[span(0, 5), span(50, 90)]), (vec![vec![10, 20, 30, 40]], 30));
        assert_eq!(pieces(&rows(6), &[span(0, 0), span(50, 50)]), (vec![vec![10, 20, 30, 40]], 30));
        assert_eq!(pieces(&rows(6), &[span(0, 50)]), (vec![], 0));
        // Those before and after the log leave nothing out.
        let later: Vec<Row> = rows(3).iter().map(|row| Row { start_ns: row.start_ns + 100, ..*row }).collect();
        assert_eq!(pieces(&later, &[span(0, 99), span(121, 200)]), (vec![vec![100, 110, 120]], 20));
    }

    #[test]
    fn spans_side_by_side_break_the_log_once_and_between_them_each_call_is_kept() {
        assert_eq!(pieces(&rows(6), &[span(10, 20), span(21, 30)]), (vec![vec![0], vec![40, 50]], 10));
        assert_eq!(pieces(&rows(6), &[span(10, 10), span(30, 30)]), (vec![vec![0], vec![20], vec![40, 50]], 10));
    }

    #[test]
    fn what_has_no_outcome_is_no_call_and_its_time_stays() {
        for kind in [RowKind::Refused, RowKind::Withdrawn] {
            let mut rows = rows(3);
            rows[1].kind = kind;
            assert_eq!(pieces(&rows, &[]), (vec![vec![0, 20]], 20));
        }
        let mut rows = rows(3);
        rows[1].kind = RowKind::Free;
        assert_eq!(pieces(&rows, &[]), (vec![vec![0, 10, 20]], 20));
    }

    #[test]
    fn calls_end_in_the_order_of_their_ends() {
        // They end at 50, 12, 50 and 21.
        let healthy = Healthy::new(&[row(0, 50), row(2, 10), row(20, 30), row(20, 1)], &[]);
        assert_eq!(healthy.pieces[0].by_end, [1, 3, 0, 2]);
    }

    #[test]
    fn a_call_that_ends_as_the_next_begins_is_not_in_flight_beside_it() {
        let most = |rows: &[Row]| Healthy::new(rows, &[]).most_in_flight();
        assert_eq!(most(&[row(0, 10), row(10, 10)]), 1);
        assert_eq!(most(&[row(0, 11), row(10, 10)]), 2);
        assert_eq!(most(&[row(0, 0), row(0, 0)]), 0);
        assert_eq!(most(&[row(0, 100), row(1, 100), row(2, 1), row(3, 100), row(4, 0)]), 3);
    }
}
