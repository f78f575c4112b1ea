//! Pages in files: where they are, and halting and resuming them, whatever condition they are in.

use crate::errors::{self, SharedError};
use crate::values::{self, fields, make};
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyString;
use std::path::{Path, PathBuf};
use trip99::shared::{self, Halter, SharedError as Refused};
use trip99::{HaltNote, Halted, Holder, Resumed};

/// How often a page may be replaced, or its halts may change, while it is being halted or resumed.
const TRIES: u32 = 10;

/// The path of a page. A text with a `/` in it, and what is no text, is a path; any other text is a name.
fn path_of(page: &Bound<'_, PyAny>, by_name: impl Fn(&str) -> Result<PathBuf, Refused>) -> PyResult<PathBuf> {
    if !page.is_instance_of::<PyString>() {
        let wrong = |_| PyTypeError::new_err("page is neither a name nor a path");
        return page.extract::<PathBuf>().map_err(wrong);
    }
    let path = page.extract::<PathBuf>()?;
    let name = path.to_string_lossy();
    if name.contains('/') { Ok(path.clone()) } else { by_name(&name).map_err(|error| errors::shared(&error)) }
}

/// The path of a page that is there: of this user, or of another.
pub(crate) fn find(page: &Bound<'_, PyAny>) -> PyResult<PathBuf> {
    path_of(page, shared::find)
}

/// The path of a page of one's own.
pub(crate) fn own(page: &Bound<'_, PyAny>) -> PyResult<PathBuf> {
    path_of(page, shared::path)
}

fn holder_or_login(holder: Option<&str>) -> PyResult<Holder> {
    let named = |name| Holder::new(name).map_err(|error| PyValueError::new_err(format!("holder {error}")));
    holder.map_or_else(|| Ok(shared::login()), named)
}

/// Halts what the path leads to. If it leads to another page by then, that is halted, too.
fn halt_path(path: &Path, holder: Holder, reason: &str) -> Result<Halter, PyErr> {
    for _ in 0..=TRIES {
        let halter = Halter::open(path).map_err(|error| errors::shared(&error))?;
        match halter.halt(holder, reason) {
            Halted::Done | Halted::NoOwner => {
                // Whoever made another page meanwhile may not have read the halt's file.
                if halter.gate().is_none_or(|gate| !gate.is_replaced()) {
                    return Ok(halter);
                }
            }
            Halted::Replaced => {}
            _ => break,
        }
    }
    Err(SharedError::new_err(format!(
        "{} leads to another page each time that it is halted; what it leads to now isn't halted",
        path.display()
    )))
}

/// Halts a page. It returns only if calls are refused now.
#[pyfunction]
#[pyo3(signature = (page, reason="", *, holder=None))]
pub(crate) fn halt<'py>(
    py: Python<'py>,
    page: &Bound<'py, PyAny>,
    reason: &str,
    holder: Option<&str>,
) -> PyResult<Bound<'py, PyAny>> {
    let (path, holder) = (find(page)?, holder_or_login(holder)?);
    let (halter, durable) = py.detach(|| {
        let mut halter = halt_path(&path, holder, reason)?;
        // The halt holds already. This waits for a disk, so that the halt outlives memory.
        let mut durable = halter.make_durable(holder);
        if halter.gate().is_some_and(|gate| gate.is_replaced()) {
            halter = halt_path(&path, holder, reason)?;
            durable = halter.make_durable(holder);
        }
        Ok::<_, PyErr>((halter, durable))
    })?;
    if !halter.is_halted() {
        let path = path.display();
        return Err(SharedError::new_err(format!(
            "{path} was halted, but somebody resumed at once, and it isn't halted now"
        )));
    }
    let mut warnings = halter.warnings().to_vec();
    if let Err(error) = &durable {
        warnings.push(format!("the halt doesn't outlive memory: {error}"));
    }
    let alive = halter.gate().and_then(|gate| gate.owner()).is_some_and(|owner| owner.alive);
    let fields = fields!(py, halter;
        path => path.as_path(), holder => holder.to_string(), durable => durable.is_ok(), owner_alive => alive,
        warnings => warnings,
    );
    make(py, "Halted", &fields)
}

/// Lifts a halt that was there when this was called, and none that came since.
#[pyfunction]
#[pyo3(signature = (page, reason, *, holder=None))]
pub(crate) fn resume<'py>(
    py: Python<'py>,
    page: &Bound<'py, PyAny>,
    reason: &str,
    holder: Option<&str>,
) -> PyResult<Bound<'py, PyAny>> {
    if reason.trim().is_empty() {
        let max = HaltNote::MAX_REASON_BYTES;
        return Err(PyValueError::new_err(format!("reason is blank; legal: a text of 1 to {max} bytes")));
    }
    let path = find(page)?;
    let whose = match holder {
        None => shared::login(),
        Some(name) => Holder::parse(name).ok_or_else(|| {
            let max = Holder::MAX_BYTES;
            PyValueError::new_err(format!(
                "holder {name:?} is no holder; legal: 1 to {max} of letters, digits and ._@:+-"
            ))
        })?,
    };
    if [Holder::FLEET, Holder::FLEET_LEASE].contains(&whose) {
        return Err(PyValueError::new_err(format!("holder {whose} is the halt of a fleet; legal: to lift it there")));
    }
    let halter = Halter::open(&path).map_err(|error| errors::shared(&error))?;
    let lifted =
        lift(&halter, whose, reason).map_err(|why| SharedError::new_err(format!("{} {why}", path.display())))?;
    let mut warnings = halter.warnings().to_vec();
    // As long as its file is there a new page would come back halted by it.
    if let (Some(_), Err(error)) = (halter.folder(), halter.forget(&lifted))
        && error.kind() != std::io::ErrorKind::NotFound
    {
        warnings.push(format!(
            "the file of the halt can't be removed: {error}; the next new owner comes back halted by it"
        ));
    }
    let held = halter.holders().map_or_else(Vec::new, |list| list.notes().to_vec());
    let fields = fields!(py, halter;
        path => path.as_path(), lifted => values::note(py, &lifted)?, still_held => values::notes(py, &held)?,
        warnings => warnings,
    );
    make(py, "Resumed", &fields)
}

fn lift(halter: &Halter, whose: Holder, reason: &str) -> Result<HaltNote, String> {
    for _ in 0..TRIES {
        let Some(mut list) = halter.holders() else {
            return Err("keeps no holders that this version can lift; nothing is lifted".to_owned());
        };
        let found = list.notes().iter().position(|note| note.holder == Some(whose));
        let Some((place, note)) = found.and_then(|place| Some((place, list.notes().get(place)?.clone()))) else {
            return Err(not_held(&list, whose, halter.is_halted()));
        };
        if matches!(halter.resume(&mut list, place, reason), Resumed::Done | Resumed::StillHeld | Resumed::NoOwner) {
            return Ok(note);
        }
    }
    Err("is halted and resumed all the time; nothing was lifted".to_owned())
}

fn not_held(list: &trip99::Holders, whose: Holder, halted: bool) -> String {
    let names: Vec<String> = list
        .notes()
        .iter()
        .map(|note| note.holder.map_or("somebody".to_owned(), |holder| holder.to_string()))
        .collect();
    match (names.is_empty(), halted) {
        (true, true) => "has nobody who holds a halt any more; it ends with the owner's next poll".to_owned(),
        (true, false) => "is not halted; there is nothing to lift".to_owned(),
        _ => format!("has no halt of {whose}; it is halted by {}", names.join(", ")),
    }
}

/// The paths of the pages in this user's place and in those of others, as far as they may be listed.
#[pyfunction]
pub(crate) fn pages() -> Vec<PathBuf> {
    let folders = shared::places().into_iter().filter_map(|folder| std::fs::read_dir(folder).ok());
    let is_page = |path: &PathBuf| {
        path.file_name().is_some_and(|name| !name.to_string_lossy().starts_with('.')) && path.is_file()
    };
    let mut paths: Vec<PathBuf> =
        folders.flatten().filter_map(|entry| Some(entry.ok()?.path())).filter(is_page).collect();
    paths.sort();
    paths
}
