//! `tune`: settings that fit columns, and what is known of them.

use crate::errors;
use crate::replay::{Stop, check_signals};
use crate::rows::Columns;
use crate::values::{fields, make, setting};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList};
use std::collections::HashMap;
use std::time::Duration;
use trip99::{Config, Event};
use trip99_logs::fault::FaultText;
use trip99_logs::profile::{Profile, Profiler};
use trip99_logs::tune::{Asked, Candidate, FaultProof, Proof, Told, TuneOptions, Tuned, tune};
use trip99_logs::{LogError, Row, show};

/// What messages call an option.
fn keyword(option: &str) -> String {
    option.replace('-', "_")
}

/// A `Tuned` of `_values.py`. `asked` has texts by the names of the tool's options.
#[pyfunction]
#[pyo3(name = "tune")]
pub(crate) fn tune_columns<'py>(
    py: Python<'py>,
    columns: Columns,
    asked: HashMap<String, String>,
) -> PyResult<Bound<'py, PyAny>> {
    let get = |name: &str| asked.get(name).map(String::as_str);
    let asked = Asked::read(get, keyword).map_err(|error| errors::log(&error))?;
    let (tuned, options, profile) = py.detach(|| run(&columns, asked))?;
    made(py, &tuned, &options, &profile)
}

fn run(columns: &Columns, asked: Asked) -> PyResult<(Tuned, TuneOptions, Profile)> {
    let (mut profiler, mut rows) = (Profiler::default(), Vec::new());
    for (index, row) in columns.rows()?.enumerate() {
        let row: Row = row.map_err(Stop::Log)?;
        profiler.take(&row);
        rows.push(row);
        check_signals(index)?;
    }
    let options = asked.resolve(rows.first().map_or(0, |row| row.start_ns)).map_err(Stop::Log)?;
    let tuned = tune(&rows, &options);
    let tuned = tuned.map_err(|error| Stop::Log(LogError::new(error)))?;
    Ok((tuned, options, profiler.finish()))
}

fn made<'py>(py: Python<'py>, tuned: &Tuned, options: &TuneOptions, profile: &Profile) -> PyResult<Bound<'py, PyAny>> {
    let mut warnings: Vec<String> =
        profile.warnings(&tuned.config, show::show_ns).iter().map(ToString::to_string).collect();
    warnings.extend(tuned.warnings(options, keyword, "held_back"));
    let told = Told { tuned, options, profile };
    let odds = tuned.odds();
    let odds = fields!(py, odds;
        budget_in_30_d => options.budget_a_month(), expected_in_30_d => odds.expected_a_month,
        bound_in_30_d => odds.bound_a_month, bound_with_outages_in_30_d => odds.bound_with_suspects_a_month,
        judged_ns => tuned.held_back.as_ref().map_or(tuned.whole.span_ns, |held_back| held_back.proof.span_ns),
        is_held_back => tuned.held_back.is_some(), text => told.odds().join(" "),
    );
    let faults = PyList::empty(py);
    for (these, by_default) in tuned.faults.iter().zip(&tuned.faults_by_default) {
        faults.append(fault(py, these, by_default)?)?;
    }
    let candidates = PyList::empty(py);
    for each in &tuned.candidates {
        candidates.append(candidate(py, each)?)?;
    }
    let held_back = match &tuned.held_back {
        None => None,
        Some(held_back) => {
            let fields = fields!(py, held_back;
                rows, config => config(py, &held_back.config)?, proof => proof(py, &held_back.proof)?,
            );
            Some(make(py, "HeldBack", &fields)?)
        }
    };
    let outages: Vec<(u64, u64)> = tuned.suspects.iter().map(|span| (span.from_ns, span.to_ns)).collect();
    let reasons = PyDict::new(py);
    for (name, _, reason) in told.settings() {
        reasons.set_item(name, reason)?;
    }
    let fields = fields!(py, tuned;
        config => config(py, &tuned.config)?, toml => told.toml(), reasons => reasons, odds => make(py, "Odds", &odds)?, faults => faults,
        warnings => warnings, rows => profile.rows, healthy, healthy_span_ns, outages => outages,
        chosen => candidate(py, &tuned.chosen)?, candidates => candidates, held_back => held_back,
        whole => proof(py, &tuned.whole)?, whole_by_default => proof(py, &tuned.whole_by_default)?,
    );
    make(py, "Tuned", &fields)
}

/// The threshold, and the settings that differ from those that follow from it.
fn config<'py>(py: Python<'py>, config: &Config) -> PyResult<Bound<'py, PyDict>> {
    let by_default = Config::for_threshold(Duration::from_nanos(config.threshold_ns));
    let fields = PyDict::new(py);
    for each in Config::SETTINGS {
        if ["quantile", "threshold"].contains(&each.name()) || each.get(config) != each.get(&by_default) {
            fields.set_item(each.name(), setting(py, each, config)?)?;
        }
    }
    Ok(fields)
}

fn candidate<'py>(py: Python<'py>, candidate: &Candidate) -> PyResult<Bound<'py, PyAny>> {
    let fields = fields!(py, candidate;
        quantile_ppm, threshold_ns, debt_limit, slow, expected_in_30_d => candidate.expected_a_month,
        bound_in_30_d => candidate.bound_a_month, mean_delay_ns => candidate.mean_delay_ns as u64, median_delay_ns,
    );
    make(py, "Candidate", &fields)
}

fn proof<'py>(py: Python<'py>, proof: &Proof) -> PyResult<Bound<'py, PyAny>> {
    let trip = |event: &Event| {
        let fields = fields!(py, event; t_ns, reason => event.reason.name(), observed, limit);
        make(py, "FalseTrip", &fields)
    };
    let false_trips = proof.false_trips.iter().map(trip).collect::<PyResult<Vec<_>>>()?;
    let fields = fields!(py, proof;
        span_ns, trips => proof.pauses.len(), false_trips => false_trips, outages, noticed, paused_ns,
    );
    make(py, "Proof", &fields)
}

fn fault<'py>(py: Python<'py>, these: &FaultProof, by_default: &FaultProof) -> PyResult<Bound<'py, PyAny>> {
    let noticed = |proof: &FaultProof| {
        let fields = fields!(py, proof; tried, noticed, calls => proof.median_calls, after_ns => proof.median_ns);
        make(py, "Noticed", &fields)
    };
    let fields = fields!(py, these;
        fault => FaultText::Fixed(these.fault).to_string(), tuned => noticed(these)?, by_default => noticed(by_default)?,
    );
    make(py, "Fault", &fields)
}

/// A duration for people.
#[pyfunction]
pub(crate) fn show_ns(ns: u64) -> String {
    show::show_ns(ns)
}
