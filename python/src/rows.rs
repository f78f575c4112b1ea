//! Rows of a log as columns, which Python has checked one by one. What hangs on two of them is checked here.

use crate::errors;
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use trip99_logs::{LogError, MAX_LATENCY_NS, Row, RowKind};

/// Columns of equal length. Each is bytes, which nobody can change while the GIL is released.
#[derive(FromPyObject)]
pub(crate) struct Columns(
    /// Starts: native `u64`s.
    PyBackedBytes,
    /// Latencies: native `u64`s. Those of lost calls don't matter.
    PyBackedBytes,
    /// 1 for a call that never came back.
    Option<PyBackedBytes>,
    /// Results: 1 or 0; 1 by default.
    Option<PyBackedBytes>,
    /// The place of a kind in [`KINDS`]; 0 by default.
    Option<PyBackedBytes>,
    /// Whether the rows are to be sorted.
    bool,
);

/// As `_arrays.py` numbers them.
const KINDS: [RowKind; 4] = [RowKind::Ask, RowKind::Free, RowKind::Withdrawn, RowKind::Refused];

fn number(column: &[u8], index: usize) -> u64 {
    column.as_chunks().0.get(index).copied().map_or(0, u64::from_ne_bytes)
}

fn byte(column: Option<&PyBackedBytes>, index: usize, default: u8) -> u8 {
    column.and_then(|column| column.get(index)).copied().unwrap_or(default)
}

/// What messages call a row: people count from 1, and so do warnings; arrays count from 0.
fn place(index: usize) -> String {
    format!("row {} (index {index})", index + 1)
}

impl Columns {
    fn len(&self) -> usize {
        self.0.len() / size_of::<u64>()
    }

    fn row(&self, index: usize) -> Result<Row, LogError> {
        let Self(starts, latencies, lost, results, kinds, _) = self;
        let start_ns = number(starts, index);
        let latency_ns = (byte(lost.as_ref(), index, 0) == 0).then(|| number(latencies, index));
        let ok = byte(results.as_ref(), index, 1) != 0;
        let kind = KINDS.get(usize::from(byte(kinds.as_ref(), index, 0))).copied().unwrap_or_default();
        let wrong = |what: String| LogError::new(format_args!("{}: {what}", place(index)));
        match latency_ns {
            Some(ns) if ns > MAX_LATENCY_NS => Err(wrong(format!(
                "latency_ns is \"{ns}\"; legal: whole nanoseconds from 0 to {MAX_LATENCY_NS}, or empty for a call that never came back"
            ))),
            Some(ns) if start_ns.checked_add(ns).is_none() => Err(wrong(format!(
                "start_ns is {start_ns} and latency_ns is {ns}; legal: a sum of at most {}, when the call ends",
                u64::MAX
            ))),
            None if !ok && matches!(kind, RowKind::Ask | RowKind::Free) => Err(wrong(
                "ok is \"0\" beside an empty latency_ns, but a call that never came back has no result; legal: the latency_ns \
                 after which it failed, or ok 1 or empty"
                    .to_owned(),
            )),
            latency_ns => Ok(Row { start_ns, latency_ns, ok, kind }),
        }
    }

    /// The rows in order of their starts. Rows of one start stay as they are.
    pub(crate) fn rows(&self) -> PyResult<Box<dyn Iterator<Item = Result<Row, LogError>> + '_>> {
        let Self(.., sort) = self;
        if !sort {
            let mut previous_ns = 0;
            return Ok(Box::new((0..self.len()).map(move |index| {
                let row = self.row(index)?;
                if row.start_ns < previous_ns {
                    return Err(LogError::new(format_args!(
                        "{}: start_ns is {}, before {previous_ns} of the row above; legal: ascending order, or sort=True",
                        place(index),
                        row.start_ns
                    )));
                }
                previous_ns = row.start_ns;
                Ok(row)
            })));
        }
        let rows: Result<Vec<Row>, LogError> = (0..self.len()).map(|index| self.row(index)).collect();
        let mut rows = rows.map_err(|error| errors::log(&error))?;
        rows.sort_by_key(|row| row.start_ns);
        Ok(Box::new(rows.into_iter().map(Ok)))
    }
}
