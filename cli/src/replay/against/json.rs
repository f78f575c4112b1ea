//! What would have differed, as lines of JSON.

use super::super::faults::FateFields;
use super::super::report::{SummaryLine, WarningsLine};
use super::{Compared, sides};
use crate::failure::Failure;
use crate::json::Json;
use serde::Serialize;
use std::io::Write;
use trip99_logs::pauses::Pause;

#[derive(Serialize)]
struct SettingLine<'a> {
    setting: &'a str,
    old: &'a str,
    new: &'a str,
}

#[derive(Serialize)]
struct PausesLine {
    pauses: &'static str,
    from_ns: u64,
    to_ns: u64,
    later_ns: Option<i128>,
    longer_ns: i128,
    old: Vec<PauseFields>,
    new: Vec<PauseFields>,
}

#[derive(Serialize)]
struct PauseFields {
    from_ns: u64,
    to_ns: u64,
    /// False if it lasts until the log ends.
    over: bool,
    reopens: u64,
    /// Null if the breaker starts so.
    reason: Option<&'static str>,
    observed: Option<u64>,
    limit: Option<u64>,
}

impl PauseFields {
    fn new(pause: &Pause) -> Self {
        let opening = pause.opening.as_ref();
        Self {
            from_ns: pause.from_ns,
            to_ns: pause.to_ns,
            over: pause.is_over,
            reopens: pause.reopens,
            reason: opening.map(|event| event.reason.name()),
            observed: opening.map(|event| event.observed),
            limit: opening.map(|event| event.limit),
        }
    }
}

#[derive(Serialize)]
struct FaultLine<'a> {
    injected: &'a str,
    from_ns: u64,
    to_ns: u64,
    old: FateFields,
    new: FateFields,
}

#[derive(Serialize)]
struct Summaries {
    old: SummaryLine,
    new: SummaryLine,
}

/// Prints one JSON object a line: settings that differ, pauses, faults, warnings, and last both summaries.
pub(in super::super) fn write_json<W: Write>(
    compared: &Compared,
    warnings: &[String],
    out: &mut Json<W>,
) -> Result<(), Failure> {
    for (setting, old, new) in compared.settings() {
        out.line(&SettingLine { setting, old: &old, new: &new })?;
    }
    for difference in &compared.differences {
        out.line(&PausesLine {
            pauses: sides(difference),
            from_ns: difference.from_ns(),
            to_ns: difference.to_ns(),
            later_ns: difference.later_ns(),
            longer_ns: difference.longer_ns(),
            old: difference.old.iter().map(PauseFields::new).collect(),
            new: difference.new.iter().map(PauseFields::new).collect(),
        })?;
    }
    for (injected, old, new) in compared.faults() {
        let (from_ns, to_ns) = (old.span.from_ns, old.span.to_ns);
        out.line(&FaultLine { injected, from_ns, to_ns, old: FateFields::new(old), new: FateFields::new(new) })?;
    }
    if !warnings.is_empty() {
        out.line(&WarningsLine { warnings })?;
    }
    let (old, new) = (SummaryLine::new(&compared.old.summary), SummaryLine::new(&compared.new.summary));
    out.line(&Summaries { old, new })?;
    Ok(out.0.flush()?)
}
