//! Outages by hindsight: calls that were lost or very slow, and what lies between them.

use crate::row::{Row, RowKind};

/// Calls that are lost or slower than this share one outage with such calls up to so long after them.
pub const OUTAGE_GAP_NS: u64 = 600_000_000_000;
/// No call that is faster than this is an outage.
const LEAST_LIMIT_NS: u64 = 1_000_000_000;
/// So many medians are an outage.
const MEDIANS: u64 = 5;

/// A span of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// When it begins, in nanoseconds by the log's clock.
    pub from_ns: u64,
    /// When it ends. This moment is within it.
    pub to_ns: u64,
}

impl Span {
    /// Whether the moment is within the span.
    pub const fn has(&self, at_ns: u64) -> bool {
        self.from_ns <= at_ns && at_ns <= self.to_ns
    }

    /// The time from its begin to its end, in nanoseconds.
    pub const fn len_ns(&self) -> u64 {
        self.to_ns - self.from_ns
    }
}

/// A call that takes longer than this is an outage: five times the median, and at least a second.
pub fn outage_limit_ns(median_ns: u64) -> u64 {
    median_ns.saturating_mul(MEDIANS).max(LEAST_LIMIT_NS)
}

/// The outages of the rows, in ascending order: calls that were lost or took longer than the limit, grouped.
///
/// An outage begins with the start of its first such call, and ends with the last of their ends. A lost call ends where it starts.
pub fn outages(rows: &[Row], limit_ns: u64) -> Vec<Span> {
    let mut outages: Vec<Span> = Vec::new();
    for row in rows.iter().filter(|row| has_outcome(row)) {
        let took_ns = match row.latency_ns {
            Some(latency_ns) if latency_ns <= limit_ns => continue,
            latency_ns => latency_ns.unwrap_or(0),
        };
        let end_ns = row.start_ns.saturating_add(took_ns);
        match outages.last_mut() {
            Some(last) if row.start_ns.saturating_sub(last.to_ns) <= OUTAGE_GAP_NS => {
                last.to_ns = last.to_ns.max(end_ns);
            }
            _ => outages.push(Span { from_ns: row.start_ns, to_ns: end_ns }),
        }
    }
    outages
}

/// Spans that overlap or touch become one. The result is in ascending order.
pub(crate) fn united(mut spans: Vec<Span>) -> Vec<Span> {
    spans.sort_unstable_by_key(|span| span.from_ns);
    let mut united: Vec<Span> = Vec::new();
    for span in spans {
        match united.last_mut() {
            Some(last) if span.from_ns <= last.to_ns => last.to_ns = last.to_ns.max(span.to_ns),
            _ => united.push(span),
        }
    }
    united
}

/// Nobody knows how a call would have gone that was refused, or given up.
pub(crate) fn has_outcome(row: &Row) -> bool {
    matches!(row.kind, RowKind::Ask | RowKind::Free)
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: u64 = 1_000_000_000;

    fn row(start_ns: u64, latency_ns: Option<u64>) -> Row {
        Row { start_ns, latency_ns, ok: true, kind: RowKind::Ask }
    }

    #[test]
    fn the_limit_is_a_second_or_five_medians() {
        assert_eq!([0, S / 5, S / 5 + 1, u64::MAX].map(outage_limit_ns), [S, S, S + 5, u64::MAX]);
    }

    #[test]
    fn bad_calls_are_grouped_while_they_are_near() {
        let rows = [
            row(0, Some(S)),                              // as slow as legal
            row(10 * S, Some(S + 1)),                     // an outage
            row(10 * S + S + 1 + 600 * S, None),          // 600 s after its end: the same
            row(1211 * S + S + 2 + 600 * S, Some(2 * S)), // 1 ns too late: another one
        ];
        let first = Span { from_ns: 10 * S, to_ns: 611 * S + 1 };
        let second = Span { from_ns: 1812 * S + 2, to_ns: 1814 * S + 2 };
        assert_eq!(outages(&rows, S), [first, second]);
        assert_eq!(outages(&rows[..1], S), []);
    }

    #[test]
    fn who_was_refused_or_given_up_says_nothing() {
        let kinds = [RowKind::Refused, RowKind::Withdrawn].map(|kind| Row { kind, ..row(0, None) });
        assert_eq!(outages(&kinds, S), []);
        assert_eq!(outages(&[Row { kind: RowKind::Free, ..row(0, None) }], S).len(), 1);
    }

    #[test]
    fn an_end_may_pass_that_of_a_later_one() {
        let rows = [row(0, Some(100 * S)), row(S, Some(2 * S))];
        assert_eq!(outages(&rows, S), [Span { from_ns: 0, to_ns: 100 * S }]);
    }

    #[test]
    fn spans_unite() {
        let span = |from_ns, to_ns| Span { from_ns, to_ns };
        assert_eq!(united(vec![span(5, 9), span(1, 2), span(2, 3), span(6, 7)]), [span(1, 3), span(5, 9)]);
        assert_eq!(united(Vec::new()), []);
    }
}
