//! What Python gets: the dataclasses of `_values.py`, made of Rust's structs field by field.

use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyBool, PyDict};
use trip99::settings::{Setting, SettingKind};
use trip99::{Config, Event, HaltNote, Reason, Snapshot, State, Why};
use trip99_logs::replay::Summary;

/// Makes a dataclass of `_values.py`, by keywords.
pub(crate) fn make<'py>(py: Python<'py>, class: &str, fields: &Bound<'py, PyDict>) -> PyResult<Bound<'py, PyAny>> {
    static MODULE: PyOnceLock<Py<PyModule>> = PyOnceLock::new();
    let module = MODULE.get_or_try_init(py, || py.import("trip99._values").map(Bound::unbind))?;
    module.bind(py).getattr(class)?.call((), Some(fields))
}

/// `fields!(py, source; a, b => expression)`: a dict of the source's fields and of expressions.
macro_rules! fields {
    ($py:expr, $source:expr; $($name:ident $(=> $value:expr)?),+ $(,)?) => {{
        let fields = pyo3::types::PyDict::new($py);
        $(fields.set_item(pyo3::intern!($py, stringify!($name)), fields!(@ $source, $name $(, $value)?))?;)+
        fields
    }};
    (@ $source:expr, $name:ident, $value:expr) => { $value };
    (@ $source:expr, $name:ident) => { $source.$name };
}
pub(crate) use fields;

/// A setting's value, as the tool's TOML has it.
pub(crate) fn setting<'py>(py: Python<'py>, setting: &Setting, config: &Config) -> PyResult<Bound<'py, PyAny>> {
    let (number, text) = (setting.get(config), setting.show(config));
    Ok(match setting.kind() {
        SettingKind::Share => text.parse::<f64>()?.into_pyobject(py)?.into_any(),
        SettingKind::Count | SettingKind::Number => number.into_pyobject(py)?.into_any(),
        SettingKind::Switch => PyBool::new(py, number != 0).to_owned().into_any(),
        _ => text.into_pyobject(py)?.into_any(),
    })
}

/// Never is `None`.
fn unless_never(ns: u64) -> Option<u64> {
    (ns != u64::MAX).then_some(ns)
}

pub(crate) fn transition<'py>(py: Python<'py>, event: &Event) -> PyResult<Bound<'py, PyAny>> {
    let fields = fields!(py, event;
        t_ns, from_state => event.from.name(), to_state => event.to.name(), reason => event.reason.name(), samples, slow,
        overdue, quantile_ns, observed, limit, attempt,
        retry_at_ns => (event.to == State::Open).then_some(event.retry_at_ns),
    );
    make(py, "Transition", &fields)
}

pub(crate) fn summary<'py>(py: Python<'py>, summary: &Summary) -> PyResult<Bound<'py, PyAny>> {
    let fields = fields!(py, summary;
        asked, allowed, refused, free, unknown, lost, trips, reopens, open_ns, half_open_ns, first_ns, end_ns,
        longest_pause_ns, armed, state => summary.state.name(),
    );
    make(py, "Summary", &fields)
}

pub(crate) fn event<'py>(py: Python<'py>, event: &Event) -> PyResult<Bound<'py, PyAny>> {
    let fields = fields!(py, event;
        sequence, t_ns, wall_ns, from_state => event.from.name(), to_state => event.to.name(), reason => event.reason.name(),
        quantile_ns, samples, slow, overdue, failures, observed, limit, by_debt, attempt,
        retry_at_ns => unless_never(event.retry_at_ns), owner_gap_ns, entry => (event.entry > 0).then_some(event.entry),
    );
    make(py, "Event", &fields)
}

pub(crate) fn snapshot<'py>(py: Python<'py>, snapshot: &Snapshot) -> PyResult<Bound<'py, PyAny>> {
    let fields = fields!(py, snapshot;
        state => snapshot.state.name(), halted, shadow, armed, clock => snapshot.clock.name(), now_ns, epoch_ns,
        retry_at_ns => unless_never(snapshot.retry_at_ns), attempt, samples, slow, failures, overdue, debt_ppm, in_flight,
        oldest_start_ns => unless_never(snapshot.oldest_start_ns), trials_granted, trials_out, trials_good, recorded, stale,
        untracked, refused, refused_in_shadow, misused, dropped, events,
    );
    make(py, "Snapshot", &fields)
}

pub(crate) fn note<'py>(py: Python<'py>, note: &HaltNote) -> PyResult<Bound<'py, PyAny>> {
    let fields = fields!(py, note;
        holder => note.holder.map(|holder| holder.to_string()), reason => note.reason.as_str(),
        host => note.host.as_str(), pid, uid, login_uid, wall_ns,
    );
    make(py, "Halt", &fields)
}

pub(crate) fn notes<'py>(py: Python<'py>, notes: &[HaltNote]) -> PyResult<Vec<Bound<'py, PyAny>>> {
    notes.iter().map(|each| note(py, each)).collect()
}

pub(crate) fn why<'py>(py: Python<'py>, why: &Why) -> PyResult<Bound<'py, PyAny>> {
    let fields = fields!(py, why;
        text => why.to_string(), refuses, state => why.state.map(State::name), halted, unwatched, shadow, ended,
        reason => why.reason.map(Reason::name), observed, limit, since_wall_ns, retry_at_ns => unless_never(why.retry_at_ns),
        holders => notes(py, &why.holders)?,
    );
    make(py, "Why", &fields)
}
