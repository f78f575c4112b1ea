//! What would have differed with other settings, pause by pause.

use super::faults::{FateFields, show_fate};
use super::feed::Feed;
use super::oddities::warn_of_replay;
use super::profile::{Looked, show_profile};
use super::report::{SummaryLine, WarningsLine};
use crate::failure::Failure;
use crate::json::Json;
use crate::show::{evidence, show_count, show_ns, show_part, show_time, show_timeline, wrap, wrap_lines, write_lines};
use crate::timeline::Timeline;
use crate::warnings::Warnings;
use console::style;
use serde::Serialize;
use std::io::Write;
use trip99::{Config, Event, State};
use trip99_logs::fault::{Fate, Injection, Watched};
use trip99_logs::pauses::{Difference, Pause, Pauses, differences};
use trip99_logs::replay::{Replay, Report, Summary};

/// What the report needs of one of the two replays.
struct Side {
    pauses: Pauses,
    timeline: Timeline,
}

impl Report for Side {
    type Error = Failure;

    fn begin(&mut self, _: &Config) -> Result<(), Failure> {
        Ok(())
    }

    fn span(&mut self, state: State, from_ns: u64, to_ns: u64) {
        self.pauses.span(state, from_ns);
        self.timeline.add(state, from_ns, to_ns);
    }

    fn transition(&mut self, event: &Event) -> Result<(), Failure> {
        self.pauses.transition(event);
        Ok(())
    }

    fn end(&mut self, _: &Summary) -> Result<(), Failure> {
        Ok(())
    }
}

/// One of the two replays when it is over.
struct Played {
    config: Config,
    summary: Summary,
    timeline: Timeline,
    fates: Vec<Fate>,
}

/// Both replays when they are over.
pub(super) struct Compared {
    old: Played,
    new: Played,
    differences: Vec<Difference>,
    injections: Vec<String>,
}

/// Replays the rows by both settings, side by side, so that the log is read once and isn't held in memory.
pub(super) fn compare(
    [old, new]: [&Config; 2],
    feed: &mut Feed<'_>,
    injections: &[Injection],
) -> Result<Compared, Failure> {
    let spans = feed.spans();
    let begin = |config: &Config| {
        let side = Side { pauses: Pauses::default(), timeline: Timeline::new() };
        Replay::new(config, Watched::new(side, spans.iter().copied()))
    };
    let (mut old_replay, mut new_replay) = (begin(old)?, begin(new)?);
    for row in feed.by_ref() {
        let row = row?;
        old_replay.push(row)?;
        new_replay.push(row)?;
    }
    feed.finish()?;
    let end = |replay: Replay<Watched<Side>>, config: &Config| -> Result<(Played, Vec<Pause>), Failure> {
        let (summary, watched) = replay.finish()?;
        let (side, fates) = watched.into_parts();
        let pauses = side.pauses.finish(&summary);
        Ok((Played { config: config.clone(), summary, timeline: side.timeline, fates }, pauses))
    };
    let ((old, old_pauses), (new, new_pauses)) = (end(old_replay, old)?, end(new_replay, new)?);
    let injections = injections.iter().map(ToString::to_string).collect();
    Ok(Compared { old, new, differences: differences(old_pauses, new_pauses), injections })
}

impl Compared {
    /// Keeps what is odd about the two replays.
    pub(super) fn warn(&self, warnings: &mut Warnings) {
        for (name, side) in [("old", &self.old), ("new", &self.new)] {
            let mut own = Warnings::default();
            warn_of_replay(&side.config, &side.summary, &mut own);
            own.texts().iter().for_each(|text| warnings.keep(format_args!("by the {name} settings: {text}")));
        }
    }

    /// The settings that differ, each with its old and its new value.
    fn settings(&self) -> impl Iterator<Item = (&'static str, String, String)> {
        let differ = Config::SETTINGS.iter().filter(|of| of.get(&self.old.config) != of.get(&self.new.config));
        differ.map(|of| (of.name(), of.show(&self.old.config), of.show(&self.new.config)))
    }

    fn faults(&self) -> impl Iterator<Item = (&str, &Fate, &Fate)> {
        let fates = self.old.fates.iter().zip(&self.new.fates);
        self.injections.iter().zip(fates).map(|(text, (old, new))| (text.as_str(), old, new))
    }
}

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

/// Which side has it.
fn sides(difference: &Difference) -> &'static str {
    match (difference.old.is_empty(), difference.new.is_empty()) {
        (false, true) => "old",
        (true, _) => "new",
        (false, false) => "both",
    }
}

/// Prints one JSON object a line: settings that differ, pauses, faults, warnings, and last both summaries.
pub(super) fn write_json<W: Write>(compared: &Compared, warnings: &[String], out: &mut Json<W>) -> Result<(), Failure> {
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

/// Prints text for people. `names` are those of the log, of the old and of the new settings.
pub(super) fn write_text(
    compared: &Compared,
    [log, old_name, new_name]: [&str; 3],
    looked: &Looked,
    width: Option<usize>,
    out: &mut impl Write,
) -> Result<(), Failure> {
    let columns = width.unwrap_or(usize::MAX);
    let (old, new) = (&compared.old, &compared.new);
    writeln!(out, "{} {log}\n", style("trip99 replay").bold())?;
    write_lines(out, wrap_lines([("old", old_name.to_owned()), ("new", new_name.to_owned())], columns))?;
    writeln!(out)?;
    write_lines(out, wrap_lines(show_profile(looked.profile(), old.config.threshold_ns), columns))?;
    writeln!(out)?;

    write_row(out, ["", "old", "new"], "")?;
    for (name, old, new) in compared.settings() {
        write_row(out, [name, &old, &new], "")?;
    }
    if compared.settings().next().is_none() {
        writeln!(out, "  no setting differs")?;
    }
    writeln!(out)?;

    let first_ns = old.summary.first_ns;
    for difference in &compared.differences {
        let begins = show_time(difference.from_ns().saturating_sub(first_ns));
        writeln!(out, "{begins:>13}  {}", show_difference(difference))?;
        for (name, pauses, config) in [("old", &difference.old, &old.config), ("new", &difference.new, &new.config)] {
            for pause in pauses {
                for line in wrap(&show_pause(pause, config, first_ns), columns.saturating_sub(INDENT + 4).max(20)) {
                    writeln!(out, "{:INDENT$}{} {}", "", style(name).dim(), style(line).dim())?;
                }
            }
        }
    }
    if compared.differences.is_empty() {
        writeln!(out, "  no pause, by either")?;
    }
    writeln!(out)?;

    for (text, old, new) in compared.faults() {
        let lines = [("fault", text.to_owned()), ("  old", show_fate(old)), ("  new", show_fate(new))];
        write_lines(out, wrap_lines(lines, columns))?;
    }
    if !compared.injections.is_empty() {
        writeln!(out)?;
    }
    write_totals(out, compared)?;
    let width = if columns == usize::MAX { 80 } else { columns.min(120) };
    for (name, side) in [("old", old), ("new", new)] {
        let whole_ns = side.summary.end_ns - side.summary.first_ns;
        writeln!(out, "\n  {}\n{}", style(name).dim(), show_timeline(&side.timeline, width, whole_ns))?;
    }
    Ok(out.flush()?)
}

/// Where the texts below a row begin.
const INDENT: usize = 15;

fn write_row(out: &mut impl Write, [name, old, new]: [&str; 3], note: &str) -> Result<(), Failure> {
    let line = format!("  {} {old:>16} {new:>16}  {}", style(format_args!("{name:<21}")).dim(), style(note).dim());
    Ok(writeln!(out, "{}", line.trim_end())?)
}

fn write_totals(out: &mut impl Write, compared: &Compared) -> Result<(), Failure> {
    let (old, new) = (&compared.old.summary, &compared.new.summary);
    let share =
        |part, summary: &Summary, whole| format!("{part} ({})", show_part(whole, summary.end_ns - summary.first_ns));
    let paused = |summary: &Summary| summary.open_ns + summary.half_open_ns;
    let both = |show: &dyn Fn(&Summary) -> String| [show(old), show(new)];
    write_row(out, ["", "old", "new"], "")?;
    for (name, [old, new]) in [
        ("trips", both(&|summary| show_count(summary.trips))),
        ("reopened", both(&|summary| show_count(summary.reopens))),
        ("paused", both(&|summary| share(show_ns(paused(summary)), summary, paused(summary)))),
        ("longest pause", both(&|summary| show_ns(summary.longest_pause_ns))),
        ("refused", both(&|summary| show_count(summary.refused))),
        ("lost", both(&|summary| show_count(summary.lost))),
        ("at the end", both(&|summary| summary.state.to_string())),
    ] {
        write_row(out, [name, &old, &new], "")?;
    }
    Ok(())
}

/// What differs, in words.
fn show_difference(difference: &Difference) -> String {
    let (text, later_ns) = (sides(difference), difference.later_ns());
    let Some(later_ns) = later_ns else { return format!("paused by {text} alone") };
    let apart = |ns: i128, [less, more]: [&str; 2]| match ns {
        0 => None,
        ..0 => Some(format!("{} {less}", show_ns(length(ns)))),
        _ => Some(format!("{} {more}", show_ns(length(ns)))),
    };
    let told = [apart(later_ns, ["sooner", "later"]), apart(difference.longer_ns(), ["shorter", "longer"])];
    let told: Vec<String> = told.into_iter().flatten().collect();
    match told.is_empty() {
        true => "paused by both, alike".to_owned(),
        false => format!("paused by both, by new {}", told.join(" and ")),
    }
}

fn length(ns: i128) -> u64 {
    u64::try_from(ns.unsigned_abs()).unwrap_or(u64::MAX)
}

fn show_pause(pause: &Pause, config: &Config, first_ns: u64) -> String {
    let reason = pause.opening.as_ref().map_or("start", |event| event.reason.name());
    let evidence = pause.opening.as_ref().and_then(|event| evidence(event, Some(config.quantile_ppm)));
    let evidence = evidence.map_or(String::new(), |evidence| format!(" ({evidence})"));
    let reopens = if pause.reopens > 0 { format!(", reopened {}", show_count(pause.reopens)) } else { String::new() };
    let end = if pause.is_over { "" } else { ", to the log's end" };
    let from = show_time(pause.from_ns.saturating_sub(first_ns));
    format!("at {from} by {reason}{evidence}, for {}{reopens}{end}", show_ns(pause.len_ns()))
}
