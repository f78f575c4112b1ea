//! Rows in order of their starts.

use crate::error::LogError;
use crate::row::Row;
use std::collections::BTreeMap;

/// The rows in order of their starts. Rows of one start stay as they are. All are in memory at once: 40 bytes a row.
///
/// # Errors
///
/// The first error of `rows` comes first and alone, since any row might come after it.
pub fn sorted(rows: impl Iterator<Item = Result<Row, LogError>>) -> impl Iterator<Item = Result<Row, LogError>> {
    let (rows, error) = match rows.collect::<Result<Vec<Row>, LogError>>() {
        Ok(mut rows) => {
            rows.sort_by_key(|row| row.start_ns);
            (rows, None)
        }
        Err(error) => (Vec::new(), Some(Err(error))),
    };
    error.into_iter().chain(rows.into_iter().map(Ok))
}

/// The rows in order of their starts, of a log that was written in another one, as that of completion. A row may start `within_ns` before
/// one above it. As many rows are in memory as start within this time. With 0 it checks that rows are in order, and keeps none back.
///
/// # Errors
///
/// A row starts earlier than that. An error of `rows` comes when it is met, before the rows that wait. After an error no row comes
/// any more.
pub fn reordered(
    rows: impl Iterator<Item = Result<Row, LogError>>,
    within_ns: u64,
) -> impl Iterator<Item = Result<Row, LogError>> {
    Reordered { rows, within_ns, waiting: Default::default(), number: 0, latest_ns: 0, end: None }
}

struct Reordered<I> {
    rows: I,
    within_ns: u64,
    /// By start, then by their number.
    waiting: BTreeMap<(u64, u64), Row>,
    /// How many rows were read.
    number: u64,
    /// The latest start so far.
    latest_ns: u64,
    end: Option<End>,
}

#[derive(Clone, Copy)]
enum End {
    /// There are no more rows to read.
    Read,
    Failed,
}

impl<I: Iterator<Item = Result<Row, LogError>>> Reordered<I> {
    fn take(&mut self, row: Row) -> Result<(), LogError> {
        self.number += 1;
        let behind_ns = self.latest_ns.saturating_sub(row.start_ns);
        if behind_ns > self.within_ns {
            let legal = match self.within_ns {
                0 => "ascending order".to_owned(),
                within_ns => format!("at most {within_ns} ns before"),
            };
            return Err(LogError::new(format_args!(
                "row {}: start_ns is {}, {behind_ns} ns before a row above it; legal: {legal}, or --sort",
                self.number, row.start_ns
            )));
        }
        self.latest_ns = self.latest_ns.max(row.start_ns);
        self.waiting.insert((row.start_ns, self.number), row);
        Ok(())
    }
}

impl<I: Iterator<Item = Result<Row, LogError>>> Iterator for Reordered<I> {
    type Item = Result<Row, LogError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let horizon_ns = match self.end {
                None => self.latest_ns.checked_sub(self.within_ns),
                Some(End::Read) => Some(u64::MAX),
                Some(End::Failed) => return None,
            };
            // A row that is yet to come may start at the horizon, but then it comes after this one.
            if let Some(first) = self.waiting.first_entry()
                && horizon_ns.is_some_and(|horizon_ns| first.key().0 <= horizon_ns)
            {
                return Some(Ok(first.remove()));
            }
            match self.rows.next() {
                Some(Ok(row)) => {
                    if let Err(error) = self.take(row) {
                        self.end = Some(End::Failed);
                        return Some(Err(error));
                    }
                }
                Some(Err(error)) => {
                    self.end = Some(End::Failed);
                    return Some(Err(error));
                }
                None if self.waiting.is_empty() => return None,
                None => self.end = Some(End::Read),
            }
        }
    }
}
