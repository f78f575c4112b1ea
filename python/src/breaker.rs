//! `Breaker`: a breaker for live use, owned by one thread.

use crate::call::{Call, InFlight};
use crate::errors::{self, ConfigError};
use crate::events::Events;
use crate::observer::Observer;
use crate::owned::Owned;
use crate::settings::{self, given};
use crate::{pages, values};
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyInt, PyType};
use std::path::PathBuf;
use trip99::settings::Given;
use trip99::shared::Options;
use trip99::{Config, Holder, PPM, Resumed, Start, Started};

/// What a breaker is made of.
struct Live {
    breaker: trip99::Breaker,
    /// The settings that were given, for those that are to change.
    given: Given,
}

#[pyclass(module = "trip99", frozen)]
pub(crate) struct Breaker {
    live: Owned<Live>,
    warnings: Vec<String>,
}

impl Breaker {
    fn with<R>(&self, act: impl FnOnce(&mut trip99::Breaker) -> R) -> PyResult<R> {
        self.live.with(|live| act(&mut live.breaker))
    }

    /// By the breaker's own clock, or at a given time.
    fn at<R>(
        &self,
        now_ns: Option<u64>,
        act: impl FnOnce(&mut trip99::Breaker) -> R,
        act_at: impl FnOnce(&mut trip99::Breaker, u64) -> R,
    ) -> PyResult<R> {
        self.with(|breaker| match now_ns {
            None => act(breaker),
            Some(now_ns) => act_at(breaker, now_ns),
        })
    }

    fn end_with(&self, clean: bool, now_ns: Option<u64>) -> PyResult<()> {
        let Some(Live { mut breaker, .. }) = self.live.take()? else { return Ok(()) };
        if !clean {
            breaker.end_uncleanly();
        }
        match now_ns {
            None => drop(breaker),
            Some(now_ns) => breaker.destroy_at(now_ns),
        }
        Ok(())
    }

    pub(crate) fn begin_call(&self) -> PyResult<trip99::Call> {
        self.with(trip99::Breaker::begin)
    }

    pub(crate) fn end_call(&self, call: trip99::Call) -> PyResult<()> {
        self.with(|breaker| breaker.end(call))
    }

    pub(crate) fn fail_call(&self, call: trip99::Call) -> PyResult<()> {
        self.with(|breaker| breaker.fail(call))
    }

    pub(crate) fn abandon_call(&self, call: trip99::Call) -> PyResult<()> {
        self.with(|breaker| breaker.abandon(call))
    }
}

/// Who drops a breaker without its end was told of no end: so it isn't a clean one.
impl Drop for Breaker {
    fn drop(&mut self) {
        if let Some(mut live) = self.live.drop_out() {
            live.breaker.end_uncleanly();
        }
    }
}

/// A latency in nanoseconds. What no latency can be becomes one that the breaker counts as misused: a negative number, as a rule.
fn latency_ns(latency: &Bound<'_, PyAny>) -> PyResult<u64> {
    if let Ok(ns) = latency.extract::<u64>() {
        return Ok(ns);
    }
    if let Some(ns) = settings::duration_ns(latency)? {
        return Ok(u64::try_from(ns).unwrap_or(u64::MAX));
    }
    match latency.call_method0("__index__") {
        Ok(number) if number.is_instance_of::<PyInt>() => Ok(u64::MAX),
        _ => Err(PyTypeError::new_err(format!(
            "latency is {}; legal: whole nanoseconds, or a timedelta",
            latency.repr()?
        ))),
    }
}

/// A share in parts per million, rounded to the nearest.
pub(crate) fn to_ppm(quantile: f64) -> PyResult<u32> {
    let ppm = Config::default().quantile(quantile).quantile_ppm;
    if ppm > PPM {
        return Err(PyValueError::new_err(format!("quantile is {quantile}; legal: 0 to 1")));
    }
    Ok(ppm)
}

/// A holder by its name; that of the engine by default.
fn engine_or(holder: Option<&str>) -> PyResult<Holder> {
    let named = |name| Holder::new(name).map_err(|error| PyValueError::new_err(format!("holder {error}")));
    holder.map_or(Ok(Holder::ENGINE), named)
}

/// All settings by name.
pub(crate) fn all_settings<'py>(py: Python<'py>, config: &Config) -> PyResult<Bound<'py, PyDict>> {
    let all = PyDict::new(py);
    for setting in Config::SETTINGS {
        all.set_item(setting.name(), values::setting(py, setting, config)?)?;
    }
    Ok(all)
}

/// The settings, and how a page begins, which somebody has to say.
fn settings_of(given: &Given, is_paged: bool) -> PyResult<(Config, Start)> {
    let config = given.clone().finish().map_err(|error| errors::config(&error))?;
    let by_default = Config::setting("start").is_some_and(|start| given.place(start).ends_with(" (by default)"));
    if is_paged && by_default {
        return Err(ConfigError::new_err(
            "start isn't given; legal: closed, half-open or halted: how a page begins that isn't there yet",
        ));
    }
    let start = config.start;
    Ok((config, start))
}

#[pymethods]
impl Breaker {
    #[new]
    #[pyo3(signature = (page=None, *, config=None, group=None, state_dir=None, warden=true, now_ns=None, **settings))]
    #[expect(clippy::too_many_arguments, reason = "they are keywords")]
    fn new(
        py: Python<'_>,
        page: Option<&Bound<'_, PyAny>>,
        config: Option<PathBuf>,
        group: Option<String>,
        state_dir: Option<PathBuf>,
        warden: bool,
        now_ns: Option<u64>,
        settings: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<Self> {
        let given = given(config, settings)?;
        let (config, start) = settings_of(&given, page.is_some())?;
        let warnings = config.warnings().iter().map(|warning| given.show_warning(warning)).collect();
        let breaker = match page {
            // It may take a while to calibrate the clock.
            None => {
                py.detach(|| trip99::Breaker::new(config)).map_err(|error| ConfigError::new_err(error.to_string()))?
            }
            Some(page) => {
                let path = pages::own(page)?;
                let mut options = Options::default().warden(warden);
                (options.group, options.now_ns) = (group, now_ns);
                options.state_dir = state_dir;
                py.detach(|| trip99::Breaker::create_shared_with(path, config, start, &options))
                    .map_err(|error| errors::shared(&error))?
            }
        };
        Ok(Self { live: Owned::new(Live { breaker, given }), warnings })
    }

    #[pyo3(signature = (*, now_ns=None))]
    fn allow(&self, now_ns: Option<u64>) -> PyResult<bool> {
        self.at(now_ns, trip99::Breaker::allow, trip99::Breaker::allow_at)
    }

    #[pyo3(signature = (*, now_ns=None))]
    fn begin(&self, now_ns: Option<u64>) -> PyResult<Call> {
        self.at(now_ns, trip99::Breaker::begin, trip99::Breaker::begin_at).map(Call)
    }

    #[pyo3(signature = (call, *, now_ns=None))]
    fn end(&self, call: &Call, now_ns: Option<u64>) -> PyResult<()> {
        self.at(now_ns, |breaker| breaker.end(call.0), |breaker, now_ns| breaker.end_at(now_ns, call.0))
    }

    #[pyo3(signature = (call, *, now_ns=None))]
    fn fail(&self, call: &Call, now_ns: Option<u64>) -> PyResult<()> {
        self.at(now_ns, |breaker| breaker.fail(call.0), |breaker, now_ns| breaker.fail_at(now_ns, call.0))
    }

    #[pyo3(signature = (call, *, now_ns=None))]
    fn abandon(&self, call: &Call, now_ns: Option<u64>) -> PyResult<()> {
        self.at(now_ns, |breaker| breaker.abandon(call.0), |breaker, now_ns| breaker.abandon_at(now_ns, call.0))
    }

    /// A call for a `with` statement.
    fn call(this: Py<Self>) -> InFlight {
        InFlight::new(this)
    }

    #[pyo3(signature = (latency, *, now_ns=None))]
    fn record(&self, latency: &Bound<'_, PyAny>, now_ns: Option<u64>) -> PyResult<()> {
        let ns = latency_ns(latency)?;
        self.at(now_ns, |breaker| breaker.record(ns), |breaker, now_ns| breaker.record_at(now_ns, ns))
    }

    #[pyo3(signature = (latency, *, now_ns=None))]
    fn record_failure(&self, latency: &Bound<'_, PyAny>, now_ns: Option<u64>) -> PyResult<()> {
        let ns = latency_ns(latency)?;
        self.at(now_ns, |breaker| breaker.record_failure(ns), |breaker, now_ns| breaker.record_failure_at(now_ns, ns))
    }

    #[pyo3(signature = (latency, ok=true, *, now_ns=None))]
    fn record_probe(&self, latency: &Bound<'_, PyAny>, ok: bool, now_ns: Option<u64>) -> PyResult<()> {
        let ns = latency_ns(latency)?;
        self.at(
            now_ns,
            |breaker| breaker.record_probe(ns, ok),
            |breaker, now_ns| breaker.record_probe_at(now_ns, ns, ok),
        )
    }

    #[pyo3(signature = (*, now_ns=None))]
    fn release(&self, now_ns: Option<u64>) -> PyResult<()> {
        self.at(now_ns, trip99::Breaker::release, trip99::Breaker::release_at)
    }

    #[pyo3(signature = (*, now_ns=None))]
    fn poll(&self, now_ns: Option<u64>) -> PyResult<()> {
        self.at(now_ns, trip99::Breaker::poll, trip99::Breaker::poll_at)
    }

    #[pyo3(signature = (*, now_ns=None))]
    fn trip(&self, now_ns: Option<u64>) -> PyResult<()> {
        self.at(now_ns, trip99::Breaker::trip, trip99::Breaker::trip_at)
    }

    #[pyo3(signature = (reason="", *, holder=None, now_ns=None))]
    fn halt(&self, reason: &str, holder: Option<&str>, now_ns: Option<u64>) -> PyResult<()> {
        let holder = engine_or(holder)?;
        self.with(|breaker| breaker.halt_as_at(now_ns.unwrap_or_else(|| breaker.now_ns()), holder, reason))
    }

    /// What came of it.
    #[pyo3(signature = (reason="", *, holder=None, now_ns=None))]
    fn resume(&self, reason: &str, holder: Option<&str>, now_ns: Option<u64>) -> PyResult<&'static str> {
        let holder = engine_or(holder)?;
        self.with(|breaker| {
            let now_ns = now_ns.unwrap_or_else(|| breaker.now_ns());
            match breaker.resume_as_at(now_ns, holder, reason) {
                Resumed::Done => "done",
                Resumed::StillHeld => "still_held",
                _ => "not_held",
            }
        })
    }

    fn state(&self) -> PyResult<&'static str> {
        self.with(|breaker| breaker.state().name())
    }

    fn is_halted(&self) -> PyResult<bool> {
        self.with(|breaker| breaker.observer().is_halted())
    }

    #[getter]
    fn started(&self) -> PyResult<Option<&'static str>> {
        self.with(|breaker| breaker.started().map(Started::name))
    }

    #[getter]
    fn settings<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        self.with(|breaker| all_settings(py, breaker.config()))?
    }

    #[getter]
    fn warnings(&self) -> Vec<String> {
        self.warnings.clone()
    }

    fn snapshot<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        values::snapshot(py, &self.with(|breaker| breaker.snapshot())?)
    }

    fn events(&self) -> PyResult<Events> {
        self.observer()?.events(None)
    }

    fn observer(&self) -> PyResult<Observer> {
        self.with(|breaker| Observer::of_breaker(breaker.observer()))
    }

    fn why<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        values::why(py, &self.with(|breaker| breaker.observer().why())?)
    }

    #[pyo3(signature = (quantile=0.99, *, now_ns=None))]
    fn quantile_ns(&self, quantile: f64, now_ns: Option<u64>) -> PyResult<Option<u64>> {
        let ppm = to_ppm(quantile)?;
        self.at(now_ns, |breaker| breaker.quantile_ns(ppm), |breaker, now_ns| breaker.quantile_ns_at(now_ns, ppm))
    }

    #[pyo3(signature = (*, config=None, now_ns=None, **settings))]
    fn reconfigure(
        &self,
        config: Option<PathBuf>,
        now_ns: Option<u64>,
        settings: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<()> {
        // Reading them calls Python, which may call this breaker.
        let mut changed = self.live.with(|live| live.given.clone())?;
        settings::add(&mut changed, config, settings)?;
        let (config, _) = settings_of(&changed, false)?;
        self.live.with(|Live { breaker, given }| {
            let done = match now_ns {
                None => breaker.reconfigure(&config),
                Some(now_ns) => breaker.reconfigure_at(now_ns, &config),
            };
            done.map_err(|error| ConfigError::new_err(error.in_text(|setting| changed.place(setting))))?;
            *given = changed;
            Ok(())
        })?
    }

    fn next_deadline_ns(&self) -> PyResult<Option<u64>> {
        self.with(|breaker| Some(breaker.next_deadline_ns()).filter(|&ns| ns != u64::MAX))
    }

    fn now_ns(&self) -> PyResult<u64> {
        self.with(|breaker| breaker.now_ns())
    }

    fn set_resting(&self, orders: u64) -> PyResult<()> {
        self.with(|breaker| breaker.set_resting(orders))
    }

    #[pyo3(signature = (*, now_ns=None))]
    fn close(&self, now_ns: Option<u64>) -> PyResult<()> {
        self.end_with(true, now_ns)
    }

    fn __enter__(this: Py<Self>) -> Py<Self> {
        this
    }

    fn __exit__(
        &self,
        kind: Option<&Bound<'_, PyType>>,
        _value: &Bound<'_, PyAny>,
        _traceback: &Bound<'_, PyAny>,
    ) -> PyResult<()> {
        self.end_with(kind.is_none(), None)
    }

    fn __repr__(&self) -> String {
        let text = self.with(|breaker| format!("<trip99.Breaker: {}>", breaker.observer().why()));
        text.unwrap_or_else(|error| Python::attach(|py| format!("<trip99.Breaker: {}>", error.value(py))))
    }
}
