//! Exceptions. Their texts are those of Rust's errors.

use pyo3::exceptions::{PyOSError, PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use trip99::settings::GivenError;
use trip99::shared::SharedError as Refused;
use trip99_logs::LogError as Wrong;

pyo3::create_exception!(
    trip99,
    ConfigError,
    PyValueError,
    "A setting is wrong: which one, its value, and what is legal."
);
pyo3::create_exception!(
    trip99,
    LogError,
    PyValueError,
    "A log is wrong, or what was asked of it: which row, its value, and what is legal."
);
pyo3::create_exception!(
    trip99,
    SharedError,
    PyOSError,
    "A page in a file can't be had: which one, and why. `errno` is the operating system's, if it refused."
);
pyo3::create_exception!(
    trip99,
    OwnerError,
    PyRuntimeError,
    "A breaker is used by a thread or a process that doesn't own it, or after its end."
);

pub(crate) fn config(error: &GivenError) -> PyErr {
    ConfigError::new_err(error.to_string())
}

pub(crate) fn log(error: &Wrong) -> PyErr {
    LogError::new_err(error.to_string())
}

/// An error of settings is one of settings here, too.
pub(crate) fn shared(error: &Refused) -> PyErr {
    match error {
        Refused::Config(error) => ConfigError::new_err(error.to_string()),
        Refused::Io { error: io, .. } => Python::attach(|py| {
            let raised = SharedError::new_err(error.to_string());
            // It has no text of its own, so that `str` is ours.
            match raised.value(py).setattr("errno", io.raw_os_error()) {
                Ok(()) => raised,
                Err(error) => error,
            }
        }),
        _ => SharedError::new_err(error.to_string()),
    }
}
