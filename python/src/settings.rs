//! Settings as keywords: names as in TOML, and values as numbers, texts, timedeltas.

use crate::errors::{self, ConfigError};
use pyo3::prelude::*;
use pyo3::types::{PyDelta, PyDeltaAccess, PyDict, PyFloat, PyInt, PyString};
use std::path::PathBuf;
use trip99::Config;
use trip99::settings::{Given, Setting};

/// Settings under construction: those of a TOML file, then those of keywords.
pub(crate) fn given(file: Option<PathBuf>, keywords: Option<&Bound<'_, PyDict>>) -> PyResult<Given> {
    let mut given = Given::default();
    add(&mut given, file, keywords)?;
    Ok(given)
}

/// Adds settings to others, in whose place they stand.
pub(crate) fn add(given: &mut Given, file: Option<PathBuf>, keywords: Option<&Bound<'_, PyDict>>) -> PyResult<()> {
    if let Some(file) = file {
        given.set_from_file(&file).map_err(|error| errors::config(&error))?;
    }
    for (name, value) in keywords.into_iter().flatten() {
        let name = name.extract::<String>()?;
        let Some(setting) = Config::setting(&name) else {
            let names: Vec<&str> = Config::SETTINGS.iter().map(Setting::name).collect();
            return Err(ConfigError::new_err(format!("{name} is not a setting; legal: {}", names.join(", "))));
        };
        given.set(setting, &text(&value)?, name).map_err(|error| errors::config(&error))?;
    }
    Ok(())
}

/// A value as the tool's TOML has it. What is no value of any setting is a text that no setting reads.
#[pyfunction]
pub(crate) fn text(value: &Bound<'_, PyAny>) -> PyResult<String> {
    if let Ok(text) = value.cast::<PyString>() {
        return text.extract();
    }
    // numpy's is one, too.
    if let Ok(on) = value.extract::<bool>() {
        return Ok(on.to_string());
    }
    if let Some(ns) = duration_ns(value)? {
        return Ok(format!("{ns}ns"));
    }
    if let Ok(number) = value.cast::<PyFloat>() {
        // The text is the shortest one that is this float. A whole number keeps a decimal, so that a count of 2.0 is as illegal as 2.5.
        let text = number.extract::<f64>()?.to_string();
        return Ok(if text.bytes().all(|byte| byte.is_ascii_digit()) { text + ".0" } else { text });
    }
    // numpy's integers, too.
    match value.call_method0("__index__") {
        Ok(number) if number.is_instance_of::<PyInt>() => Ok(number.str()?.extract()?),
        _ => value.repr()?.extract(),
    }
}

/// A `timedelta`, pandas' or numpy's, in nanoseconds. `None` if it is none.
pub(crate) fn duration_ns(value: &Bound<'_, PyAny>) -> PyResult<Option<i128>> {
    let py = value.py();
    // pandas' is a timedelta, too, but one of nanoseconds.
    let value = match value.getattr(pyo3::intern!(py, "to_timedelta64")) {
        Ok(convert) => &convert.call0()?,
        Err(_) => value,
    };
    if let Ok(delta) = value.cast::<PyDelta>() {
        let (days, seconds, micros) = (delta.get_days(), delta.get_seconds(), delta.get_microseconds());
        return Ok(Some(
            (i128::from(days) * 86_400 + i128::from(seconds)) * 1_000_000_000 + i128::from(micros) * 1_000,
        ));
    }
    if value.get_type().name()? != "timedelta64" {
        return Ok(None);
    }
    let arrays = py.import("trip99._arrays")?;
    Ok(Some(arrays.call_method1("scalar_ns", (value,))?.extract()?))
}
