//! Rows of a breaker's tap, which come in the order in which calls came back, as rows of a trace, which come in the order of their starts.

use crate::row::{Row, RowKind};
use std::collections::BTreeMap;
use trip99::{TapKind, TapRow};

/// Holds rows of a tap back until no earlier one can come.
///
/// Calls that began at the same nanosecond come in the order in which they came back, since a tap doesn't tell the order of their
/// begins. While half-open a replay may take another of them for the trial.
#[derive(Default)]
pub struct Tapped {
    /// By start, and by the order in which they came.
    held: BTreeMap<(u64, u64), Row>,
    taken: u64,
    /// What is to be added to a stamp of the owner's clock, so that the clocks of all owners are one.
    shift_ns: i128,
    /// The start of the latest row that was given out.
    written_ns: u64,
    out_of_order: u64,
    late: u64,
}

impl Tapped {
    /// Takes a row in. A [`Restart`](TapKind::Restart) is the caller's business: see [`restart`](Self::restart).
    pub fn take(&mut self, row: TapRow) {
        let kind = match row.kind {
            TapKind::Free => RowKind::Free,
            TapKind::Withdrawn => RowKind::Withdrawn,
            TapKind::Refused => RowKind::Refused,
            TapKind::Late => return self.complete(row),
            TapKind::Restart => return,
            _ => RowKind::Ask,
        };
        let start_ns = self.shifted_ns(row.start_ns);
        // A trace has no end beyond the last nanosecond.
        let latency_ns = row.latency_ns.map(|latency_ns| latency_ns.min(u64::MAX - start_ns));
        let row = Row { start_ns, latency_ns, ok: row.ok, kind };
        self.held.insert((start_ns, self.taken), row);
        self.taken += 1;
    }

    /// A call came back that was taken for lost. If its row is here still, it wasn't.
    fn complete(&mut self, row: TapRow) {
        let start_ns = self.shifted_ns(row.start_ns);
        let mut rows = self.held.range_mut((start_ns, 0)..=(start_ns, u64::MAX));
        let lost = rows.find(|(_, row)| row.latency_ns.is_none() && matches!(row.kind, RowKind::Ask | RowKind::Free));
        match lost {
            Some((_, lost)) => (lost.latency_ns, lost.ok) = (row.latency_ns, row.ok),
            None => self.late += 1,
        }
    }

    /// A new owner has a clock of its own. Its time `now_ns` is `then_ns` of the clock before.
    pub fn restart(&mut self, then_ns: u64, now_ns: u64) {
        let then_ns = i128::from(then_ns) + self.shift_ns;
        self.shift_ns = then_ns - i128::from(now_ns);
    }

    /// A stamp of the present owner's clock, by the clock of all.
    fn shifted_ns(&self, stamp_ns: u64) -> u64 {
        let shifted_ns = (i128::from(stamp_ns) + self.shift_ns).max(0);
        u64::try_from(shifted_ns).unwrap_or(u64::MAX)
    }

    /// Gives out what started before this time of the present owner's clock, in the order of the starts. `u64::MAX` gives out all.
    pub fn rows_before(&mut self, before_ns: u64) -> impl Iterator<Item = Row> {
        let all = BTreeMap::new();
        let later = if before_ns == u64::MAX { all } else { self.held.split_off(&(self.shifted_ns(before_ns), 0)) };
        let rows = std::mem::replace(&mut self.held, later);
        rows.into_values().inspect(|row| {
            self.out_of_order += u64::from(row.start_ns < self.written_ns);
            self.written_ns = self.written_ns.max(row.start_ns);
        })
    }

    /// How many rows are held back.
    pub fn held(&self) -> usize {
        self.held.len()
    }

    /// How many rows were given out after one that started later.
    pub fn out_of_order(&self) -> u64 {
        self.out_of_order
    }

    /// How many calls came back whose rows had been given out, as lost.
    pub fn late(&self) -> u64 {
        self.late
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use trip99::{Breaker, Config, Tap};

    fn breaker() -> (Breaker, Tap) {
        let config = Config { tap_len: 1024, spike_count: 1, jitter_ppm: 0, probes: 1, ..Config::default() };
        let breaker = Breaker::new(config).unwrap();
        let tap = breaker.tap().unwrap();
        (breaker, tap)
    }

    const SECOND: u64 = 1_000_000_000;

    #[test]
    fn rows_come_in_the_order_of_their_starts_and_those_that_may_not_be_the_last_wait() {
        let (mut breaker, tap) = breaker();
        let calls = [10, 20, 30].map(|start_ns| breaker.begin_at(start_ns));
        for (end_ns, call) in [(40, calls[2]), (50, calls[0]), (60, calls[1])] {
            breaker.end_at(end_ns, call);
        }
        let mut tapped = Tapped::default();
        tap.for_each(|row| tapped.take(row));
        let starts = |rows: Vec<Row>| rows.iter().map(|row| (row.start_ns, row.latency_ns)).collect::<Vec<_>>();
        assert_eq!(starts(tapped.rows_before(20).collect()), [(10, Some(40))], "20 isn't before 20");
        assert_eq!(tapped.held(), 2);
        assert_eq!(starts(tapped.rows_before(u64::MAX).collect()), [(20, Some(40)), (30, Some(10))]);
        assert_eq!((tapped.held(), tapped.out_of_order(), tapped.late()), (0, 0, 0));
    }

    /// A call that an epoch forgot is lost, unless it comes back while its row waits.
    #[test]
    fn a_call_that_comes_late_completes_its_row_or_is_counted() {
        for is_written in [false, true] {
            let (mut breaker, mut tap) = breaker();
            let mut tapped = Tapped::default();
            let late = breaker.begin_at(SECOND);
            breaker.trip_at(SECOND + 1);
            breaker.poll_at(3 * SECOND); // half-open
            let mut rows = Vec::new();
            if is_written {
                tap.by_ref().for_each(|row| tapped.take(row));
                rows.extend(tapped.rows_before(u64::MAX));
            }
            breaker.end_at(4 * SECOND, late);
            tap.for_each(|row| tapped.take(row));
            rows.extend(tapped.rows_before(u64::MAX));
            let latency_ns = (!is_written).then_some(3 * SECOND);
            assert_eq!(rows, [Row { start_ns: SECOND, latency_ns, ok: true, kind: RowKind::Ask }]);
            assert_eq!(tapped.late(), u64::from(is_written));
        }
    }

    #[test]
    fn a_new_owners_clock_goes_on_where_the_old_one_was() {
        let row = |start_ns: u64| {
            let (mut breaker, mut tap) = breaker();
            breaker.record_at(start_ns, 0);
            tap.next().unwrap()
        };
        let mut tapped = Tapped::default();
        tapped.take(row(1000));
        assert_eq!(tapped.rows_before(u64::MAX).count(), 1);
        tapped.restart(1500, 7);
        tapped.take(row(9));
        tapped.restart(107, 1_000_000);
        tapped.take(row(1_000_001));
        tapped.take(row(1));
        let starts: Vec<u64> = tapped.rows_before(u64::MAX).map(|row| row.start_ns).collect();
        assert_eq!(starts, [0, 1502, 1601]);
        assert_eq!(tapped.out_of_order(), 1, "a stamp from before the time of its owner's start");
    }
}
