//! `Events`: a reader of a breaker's journal.

use crate::owned::{forks, of_another_process};
use crate::values;
use pyo3::prelude::*;
use std::sync::{Mutex, PoisonError};

/// A reader. It ends where the journal ends for now, and goes on when there is more.
#[pyclass(module = "trip99", frozen)]
pub(crate) struct Events {
    events: Mutex<trip99::Events>,
    /// See `Observer`.
    of_process: Option<(u64, u32)>,
}

impl Events {
    pub(crate) fn new(events: trip99::Events, of_process: Option<(u64, u32)>) -> Self {
        Self { events: Mutex::new(events), of_process }
    }
}

#[pymethods]
impl Events {
    fn __iter__(this: Py<Self>) -> Py<Self> {
        this
    }

    fn __next__<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        check(self.of_process)?;
        let event = self.events.lock().unwrap_or_else(PoisonError::into_inner).next();
        event.map(|event| values::event(py, &event)).transpose()
    }

    #[getter]
    fn missed(&self) -> u64 {
        self.events.lock().unwrap_or_else(PoisonError::into_inner).missed()
    }
}

/// A child of a fork has no memory of its parent's page. `of_process` is whose it is: its forks and its number.
pub(crate) fn check(of_process: Option<(u64, u32)>) -> PyResult<()> {
    match of_process {
        Some((known, pid)) if known != forks() => Err(of_another_process(pid)),
        _ => Ok(()),
    }
}
