//! Calls in flight: tickets, and a `with` statement that has one.

use crate::breaker::Breaker;
use crate::errors::OwnerError;
use pyo3::prelude::*;
use pyo3::types::PyType;
use std::sync::{Mutex, PoisonError};

/// A ticket.
#[pyclass(module = "trip99", frozen, eq)]
#[derive(PartialEq, Eq)]
pub(crate) struct Call(pub(crate) trip99::Call);

#[pymethods]
impl Call {
    #[getter]
    fn start_ns(&self) -> u64 {
        self.0.start_ns()
    }

    fn __repr__(&self) -> String {
        format!("<trip99.Call: since {} ns>", self.0.start_ns())
    }
}

/// How far a call of a `with` statement is.
enum Stage {
    NotBegun,
    Begun(trip99::Call),
    Over,
}

/// A call that begins with a `with` statement, and ends with it.
#[pyclass(module = "trip99", frozen)]
pub(crate) struct InFlight {
    breaker: Py<Breaker>,
    stage: Mutex<Stage>,
}

impl InFlight {
    pub(crate) fn new(breaker: Py<Breaker>) -> Self {
        Self { breaker, stage: Mutex::new(Stage::NotBegun) }
    }

    /// The ticket, if the call is under way; it is over now.
    fn take(&self) -> Option<trip99::Call> {
        let mut stage = self.stage.lock().unwrap_or_else(PoisonError::into_inner);
        match std::mem::replace(&mut *stage, Stage::Over) {
            Stage::Begun(call) => Some(call),
            Stage::NotBegun | Stage::Over => None,
        }
    }
}

#[pymethods]
impl InFlight {
    fn __enter__(this: Py<Self>) -> PyResult<Py<Self>> {
        let is_new = {
            let stage = this.get().stage.lock().unwrap_or_else(PoisonError::into_inner);
            matches!(*stage, Stage::NotBegun)
        };
        if !is_new {
            return Err(OwnerError::new_err("the call has begun already; legal: a call() for each with statement"));
        }
        let call = this.get().breaker.get().begin_call()?;
        *this.get().stage.lock().unwrap_or_else(PoisonError::into_inner) = Stage::Begun(call);
        Ok(this)
    }

    fn __exit__(
        &self,
        kind: Option<&Bound<'_, PyType>>,
        _value: &Bound<'_, PyAny>,
        _traceback: &Bound<'_, PyAny>,
    ) -> PyResult<()> {
        if kind.is_none() { self.end() } else { self.fail() }
    }

    /// The call came back with an answer. Does nothing if the call is over.
    fn end(&self) -> PyResult<()> {
        self.take().map_or(Ok(()), |call| self.breaker.get().end_call(call))
    }

    /// The call failed. Does nothing if the call is over.
    fn fail(&self) -> PyResult<()> {
        self.take().map_or(Ok(()), |call| self.breaker.get().fail_call(call))
    }

    /// The call was not sent after all. Does nothing if the call is over.
    fn abandon(&self) -> PyResult<()> {
        self.take().map_or(Ok(()), |call| self.breaker.get().abandon_call(call))
    }
}
