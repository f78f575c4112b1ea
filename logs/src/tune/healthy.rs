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
