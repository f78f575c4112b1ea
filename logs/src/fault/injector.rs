//! Puts faults into the rows of one log.

use super::{Fault, Injection, InjectionSpan, random_of};
use crate::error::LogError;
use crate::outages::has_outcome;
use crate::row::Row;

/// Puts faults into a log, row by row. It is the same at each run.
///
/// ```
/// use trip99_logs::fault::{Injection, Injector};
/// use trip99_logs::{Row, RowKind};
///
/// let silent = Injection::parse("silent:1s@+1s")?;
/// let mut injector = Injector::new(vec![silent], 0, None)?;
/// let row = |start_ns| Row { start_ns, latency_ns: Some(5), ok: true, kind: RowKind::Ask };
/// let latencies = [0, 1_000_000_000, 2_000_000_000].map(|start_ns| injector.inject(&row(start_ns)).latency_ns);
/// assert_eq!(latencies, [Some(5), None, Some(5)]);
/// injector.finish()?;
/// # Ok::<(), trip99_logs::LogError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Injector {
    injections: Vec<Injection>,
    /// Those of the injections, in their order.
    faults: Vec<(Fault, InjectionSpan)>,
    /// How many rows there were.
    rows: u64,
    first_ns: u64,
    last_ns: u64,
}

impl Injector {
    /// Faults for a log whose first row is at `first_ns`. Of two faults at once the second one finds what the first one has made.
    /// `median_ns` is the median of the log's latencies; `None` if it has none.
    ///
    /// # Errors
    ///
    /// A fault isn't within the log, as far as its first row tells; or it hangs on a median, and there is none.
    pub fn new(injections: Vec<Injection>, first_ns: u64, median_ns: Option<u64>) -> Result<Self, LogError> {
        let faults = injections.iter().map(|injection| {
            if injection.fault.needs_median() && median_ns.is_none() {
                return Err(LogError::new(format_args!(
                    "{:?}: the log has no median, as no call came back; legal: a duration, like slow:10%:300ms",
                    injection.to_string()
                )));
            }
            Ok((injection.fault.resolve(median_ns.unwrap_or(0)), injection.span(first_ns)?))
        });
        let faults = faults.collect::<Result<_, _>>()?;
        Ok(Self { injections, faults, rows: 0, first_ns, last_ns: first_ns })
    }

    /// When each fault begins and ends.
    pub fn spans(&self) -> impl Iterator<Item = InjectionSpan> {
        self.faults.iter().map(|(_, span)| *span)
    }

    /// The next row of the log, with every fault that it has.
    pub fn inject(&mut self, row: &Row) -> Row {
        let index = self.rows;
        self.rows += 1;
        self.last_ns = self.last_ns.max(row.start_ns);
        // Each injection draws numbers of its own. Otherwise two shares would hit the same calls.
        let hit = self.faults.iter().zip(0..).filter(|((_, span), _)| span.has(row.start_ns));
        hit.fold(*row, |row, ((fault, _), seed)| fault.apply(&row, random_of(seed, index)))
    }

    /// To be called after the last row.
    ///
    /// # Errors
    ///
    /// A fault begins after the last row.
    pub fn finish(&self) -> Result<(), LogError> {
        self.injections.iter().try_for_each(|injection| injection.check(self.first_ns, self.last_ns))
    }
}

/// The median of the latencies of the calls that came back, by nearest rank. `None` if none did. What was refused or given up tells nothing
/// of the node.
pub fn median_ns(rows: &[Row]) -> Option<u64> {
    let mut latencies_ns: Vec<u64> =
        rows.iter().filter(|row| has_outcome(row)).filter_map(|row| row.latency_ns).collect();
    let middle = latencies_ns.len().checked_sub(1)? / 2;
    Some(*latencies_ns.select_nth_unstable(middle).1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::row::RowKind;

    fn row(start_ns: u64, latency_ns: Option<u64>) -> Row {
        Row { start_ns, latency_ns, ok: true, kind: RowKind::Ask }
    }

    fn injector(texts: &[&str], median_ns: Option<u64>) -> Result<Injector, LogError> {
        Injector::new(texts.iter().map(|text| Injection::parse(text).unwrap()).collect(), 100, median_ns)
    }

    #[test]
    fn rows_within_the_span_have_the_fault() {
        let mut injector = injector(&["slow:x2:10ns@+10ns", "slow:x3:5ns@+15ns"], None).unwrap();
        let made = [109, 110, 114, 115, 119, 120].map(|start_ns| injector.inject(&row(start_ns, Some(5))).latency_ns);
        assert_eq!(made, [5, 10, 10, 30, 30, 5].map(Some), "both at once: 5 x 2 x 3");
        assert_eq!(injector.finish(), Ok(()));
    }

    #[test]
    fn two_shares_hit_calls_of_their_own_and_each_run_the_same() {
        let hits = |text: &str, other: &str| {
            let mut injector = injector(&[other, text], None).unwrap();
            let hit = |index: u64| injector.inject(&row(100 + index, Some(5))).latency_ns.is_none();
            (0..1000).map(hit).collect::<Vec<_>>()
        };
        let (none, half) = ("slow:x2:1s@+0s", "lost:50%:1s@+0s");
        let (second, both) = (hits(half, none), hits(half, half));
        let count = |hits: &[bool]| hits.iter().filter(|&&hit| hit).count();
        assert!((400..600).contains(&count(&second)) && (650..850).contains(&count(&both)), "{}", count(&both));
        assert_eq!(hits(half, none), second);
    }

    #[test]
    fn a_median_is_that_of_the_calls_that_came_back() {
        let rows =
            |latencies: &[Option<u64>]| latencies.iter().map(|latency_ns| row(0, *latency_ns)).collect::<Vec<_>>();
        let median = |latencies: &[Option<u64>]| median_ns(&rows(latencies));
        assert_eq!([median(&[]), median(&[None])], [None, None]);
        assert_eq!(median(&[Some(9), None, Some(1), Some(5), Some(2)]), Some(2), "the 2nd of 4");
        let kinds = [RowKind::Refused, RowKind::Withdrawn].map(|kind| Row { kind, ..row(0, Some(1)) });
        assert_eq!((median_ns(&kinds), median_ns(&[kinds[0], row(0, Some(9))])), (None, Some(9)));
        let text = "slow:100%:x10:1s@+0s";
        assert_eq!(injector(&[text], Some(7)).unwrap().inject(&row(100, Some(7))).latency_ns, Some(70));
        let message = injector(&[text], None).expect_err("there is none").to_string();
        assert!(message.starts_with(&format!("{text:?}: the log has no median")), "{message}");
    }

    #[test]
    fn a_fault_after_the_last_row_is_an_error() {
        let mut injector = injector(&["silent:1s@+10ns"], None).unwrap();
        injector.inject(&row(100, None));
        assert!(injector.finish().is_err());
        injector.inject(&row(110, None));
        assert_eq!(injector.finish(), Ok(()));
    }
}
