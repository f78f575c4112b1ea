//! `replay`: drives a breaker over columns, in virtual time.

use crate::errors;
use crate::rows::Columns;
use crate::settings;
use crate::values;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList};
use std::path::PathBuf;
use trip99::{Config, Event};
use trip99_logs::profile::Profiler;
use trip99_logs::replay::{Replay, Report, Summary, check_settings, oddities};
use trip99_logs::{LogError, Row};

/// How many rows go by until Python may interrupt.
pub(crate) const PATIENCE: usize = 1 << 18;

/// Why work without the GIL ends early.
pub(crate) enum Stop {
    Log(LogError),
    Interrupted(PyErr),
}

impl From<LogError> for Stop {
    fn from(error: LogError) -> Self {
        Self::Log(error)
    }
}

impl From<Stop> for PyErr {
    fn from(stop: Stop) -> Self {
        match stop {
            Stop::Log(error) => errors::log(&error),
            Stop::Interrupted(error) => error,
        }
    }
}

/// Lets Python handle signals, each so many rows.
pub(crate) fn check_signals(index: usize) -> Result<(), Stop> {
    if index % PATIENCE != PATIENCE - 1 {
        return Ok(());
    }
    Python::attach(|py| py.check_signals()).map_err(Stop::Interrupted)
}

/// Keeps the transitions.
#[derive(Default)]
struct Transitions(Vec<Event>);

impl Report for Transitions {
    type Error = Stop;

    fn begin(&mut self, _: &Config) -> Result<(), Stop> {
        Ok(())
    }

    fn transition(&mut self, event: &Event) -> Result<(), Stop> {
        self.0.push(*event);
        Ok(())
    }

    fn end(&mut self, _: &Summary) -> Result<(), Stop> {
        Ok(())
    }
}

/// The transitions, the summary and the warnings. `file` is a TOML file of settings, which `keywords` override.
#[pyfunction]
pub(crate) fn replay<'py>(
    py: Python<'py>,
    columns: Columns,
    file: Option<PathBuf>,
    keywords: &Bound<'py, PyDict>,
) -> PyResult<(Bound<'py, PyList>, Bound<'py, PyAny>, Vec<String>)> {
    let given = settings::given(file, Some(keywords))?;
    let config = given.clone().finish().map_err(|error| errors::config(&error))?;
    let place = |name: &str| Config::setting(name).map_or_else(String::new, |setting| given.place(setting));
    let latch = check_settings(&config, place).map_err(|error| errors::ConfigError::new_err(error.to_string()))?;
    let mut warnings: Vec<String> = latch.into_iter().collect();
    warnings.extend(config.warnings().iter().map(|warning| given.show_warning(warning)));

    let (events, summary, of_log) = py.detach(|| run(&config, &columns))?;
    warnings.extend(of_log);
    let transitions = PyList::empty(py);
    for event in &events {
        transitions.append(values::transition(py, event)?)?;
    }
    Ok((transitions, values::summary(py, &summary)?, warnings))
}

fn run(config: &Config, columns: &Columns) -> PyResult<(Vec<Event>, Summary, Vec<String>)> {
    let mut profiler = Profiler::default();
    let mut replay = Replay::new(config, Transitions::default())?;
    for (index, row) in columns.rows()?.enumerate() {
        let row: Row = row.map_err(Stop::Log)?;
        profiler.take(&row);
        replay.push(row)?;
        check_signals(index)?;
    }
    let (summary, Transitions(events)) = replay.finish()?;
    let of_profile = profiler.finish().warnings(config, trip99_logs::show::show_ns);
    let warnings = of_profile.iter().map(ToString::to_string).chain(oddities(config, &summary)).collect();
    Ok((events, summary, warnings))
}
