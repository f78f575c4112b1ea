//! The rows that a replay gets: those of a log, with faults put into them.

use crate::failure::Failure;
use crate::log::{Log, Rows};
use crate::profile::Looked;
use trip99_logs::fault::{Injection, InjectionSpan, Injector, median_ns};
use trip99_logs::{LogError, Row};

pub(super) struct Feed<'a> {
    rows: Rows,
    /// Takes note of the rows as they were recorded.
    looked: &'a Looked,
    injector: Option<Injector>,
    /// The first row was looked at to place the faults. It comes yet.
    first: Option<Row>,
}

impl<'a> Feed<'a> {
    /// Without faults nothing is read yet. With them the first row is, and all are (into memory: 40 bytes a row) if a fault hangs on
    /// the log's median. So that works for standard input, too.
    pub(super) fn new(log: &mut Log, injections: &[Injection], looked: &'a Looked) -> Result<Self, Failure> {
        let mut rows = std::mem::replace(&mut log.rows, Box::new(std::iter::empty()));
        if injections.is_empty() {
            return Ok(Self { rows, looked, injector: None, first: None });
        }
        let mut median = None;
        if injections.iter().any(|injection| injection.fault.needs_median()) {
            let all = rows.collect::<Result<Vec<Row>, LogError>>()?;
            median = median_ns(&all);
            rows = Box::new(all.into_iter().map(Ok));
        }
        let Some(first) = rows.next().transpose()? else {
            return Err(Failure::new(format_args!(
                "{}: no row to --inject a fault into; legal: a log with rows",
                log.name
            )));
        };
        let injector = Injector::new(injections.to_vec(), first.start_ns, median).map_err(in_option)?;
        Ok(Self { rows, looked, injector: Some(injector), first: Some(first) })
    }

    /// When each fault begins and ends.
    pub(super) fn spans(&self) -> Vec<InjectionSpan> {
        self.injector.iter().flat_map(Injector::spans).collect()
    }

    /// To be called after the last row.
    pub(super) fn finish(&self) -> Result<(), Failure> {
        self.injector.iter().try_for_each(Injector::finish).map_err(in_option)
    }
}

fn in_option(error: LogError) -> Failure {
    Failure::new(format_args!("--inject is {error}"))
}

impl Iterator for Feed<'_> {
    type Item = Result<Row, LogError>;

    fn next(&mut self) -> Option<Self::Item> {
        let row = match self.first.take() {
            Some(first) => first,
            None => match self.rows.next()? {
                Ok(row) => row,
                Err(error) => return Some(Err(error)),
            },
        };
        self.looked.take(&row);
        Some(Ok(self.injector.as_mut().map_or(row, |injector| injector.inject(&row))))
    }
}
