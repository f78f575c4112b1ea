//! `Observer`: a read-only view of a breaker, of this process or another.

use crate::breaker::{all_settings, to_ppm};
use crate::errors::{self, SharedError};
use crate::events::{Events, check};
use crate::owned::forks;
use crate::pages;
use crate::values::{self, fields, make};
use pyo3::prelude::*;
use pyo3::types::PyDict;
use std::path::PathBuf;
use trip99::{Started, State};

/// Any thread may use it.
#[pyclass(module = "trip99", frozen)]
pub(crate) struct Observer {
    observer: trip99::Observer,
    /// Where the page is, if it was opened by that.
    path: Option<PathBuf>,
    /// The process whose breaker gave this. Its forks have no memory of the page. `None` if the page was opened by a path.
    of_process: Option<(u64, u32)>,
}

impl Observer {
    pub(crate) fn of_breaker(observer: trip99::Observer) -> Self {
        Self { observer, path: None, of_process: Some((forks(), std::process::id())) }
    }

    /// The view, if it can be read without harm.
    fn look(&self) -> PyResult<&trip99::Observer> {
        check(self.of_process)?;
        if self.observer.is_whole() {
            return Ok(&self.observer);
        }
        let path = self.path.as_deref().map_or_else(|| "the page".into(), |path| path.display().to_string());
        Err(SharedError::new_err(format!("{path} is truncated since it was opened; legal: a page that is whole")))
    }
}

#[pymethods]
impl Observer {
    #[new]
    fn new(page: &Bound<'_, PyAny>) -> PyResult<Self> {
        let path = pages::find(page)?;
        let observer = trip99::Observer::open(&path).map_err(|error| errors::shared(&error))?;
        Ok(Self { observer, path: Some(path), of_process: None })
    }

    /// `None` if the page is damaged; calls are refused then.
    fn state(&self) -> PyResult<Option<&'static str>> {
        Ok(self.look()?.state().map(State::name))
    }

    fn is_halted(&self) -> PyResult<bool> {
        Ok(self.look()?.is_halted())
    }

    #[getter]
    fn path(&self) -> Option<PathBuf> {
        self.path.clone()
    }

    #[getter]
    fn settings<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyDict>>> {
        self.look()?.config().map(|config| all_settings(py, &config)).transpose()
    }

    fn resting(&self) -> PyResult<Option<u64>> {
        Ok(self.look()?.resting())
    }

    fn is_replaced(&self) -> PyResult<bool> {
        check(self.of_process)?;
        Ok(self.observer.is_replaced())
    }

    /// As it was published last. `None` before the first.
    fn snapshot<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        self.look()?.snapshot().map(|snapshot| values::snapshot(py, &snapshot)).transpose()
    }

    #[pyo3(signature = (from_sequence=None))]
    pub(crate) fn events(&self, from_sequence: Option<u64>) -> PyResult<Events> {
        let observer = self.look()?;
        let events = from_sequence.map_or_else(|| observer.events(), |sequence| observer.events_from(sequence));
        Ok(Events::new(events, self.of_process))
    }

    fn holders<'py>(&self, py: Python<'py>) -> PyResult<Vec<Bound<'py, PyAny>>> {
        values::notes(py, self.look()?.holders().notes())
    }

    fn why<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        values::why(py, &self.look()?.why())
    }

    /// Of the window. `None` if it is empty, or the page is in no file.
    #[pyo3(signature = (quantile=0.99))]
    fn quantile_ns(&self, quantile: f64) -> PyResult<Option<u64>> {
        let ppm = to_ppm(quantile)?;
        Ok(self.look()?.quantile_ns(ppm))
    }

    fn owner<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        let Some(owner) = self.look()?.owner() else { return Ok(None) };
        let fields = fields!(py, owner;
            pid => (owner.pid > 0).then_some(owner.pid), alive, seen_ago_ns, memory_locked,
            started => owner.started.map(Started::name),
        );
        make(py, "Owner", &fields).map(Some)
    }

    fn __repr__(&self) -> String {
        let path = self.path.as_ref().map_or_else(String::new, |path| format!(" of {}", path.display()));
        match self.look() {
            Ok(observer) => format!("<trip99.Observer{path}: {}>", observer.why()),
            Err(error) => Python::attach(|py| format!("<trip99.Observer{path}: {}>", error.value(py))),
        }
    }
}
