//! What a replay prints: lines of JSON, or text for people.

use super::faults::{Injected, InjectedLine, show_injected};
use super::oddities::armed_verdict;
use crate::failure::Failure;
use crate::json::Json;
use crate::profile::{Looked, show_profile};
use crate::show::{
    EventTable, show_count, show_ns, show_part, show_quantile, show_settings, show_timeline, wrap_lines, write_lines,
};
use crate::timeline::Timeline;
use console::style;
use serde::Serialize;
use std::io::{self, Write};
use trip99::{Config, Event, State};
use trip99_logs::replay::{Report, Summary};

#[derive(Serialize)]
struct TransitionLine {
    t_ns: u64,
    from: &'static str,
    to: &'static str,
    reason: &'static str,
    samples: u32,
    slow: u32,
    overdue: u32,
    quantile_ns: u64,
    observed: u64,
    limit: u64,
    attempt: u32,
    retry_at_ns: Option<u64>,
}

/// What is odd about the log, or the settings.
#[derive(Serialize)]
pub(super) struct WarningsLine<'a> {
    pub(super) warnings: &'a [String],
}

#[derive(Serialize)]
pub(super) struct SummaryLine {
    asked: u64,
    allowed: u64,
    refused: u64,
    free: u64,
    unknown: u64,
    lost: u64,
    trips: u64,
    reopens: u64,
    open_ns: u64,
    half_open_ns: u64,
    end_ns: u64,
    state: &'static str,
}

impl SummaryLine {
    pub(super) fn new(summary: &Summary) -> Self {
        Self {
            asked: summary.asked,
            allowed: summary.allowed,
            refused: summary.refused,
            free: summary.free,
            unknown: summary.unknown,
            lost: summary.lost,
            trips: summary.trips,
            reopens: summary.reopens,
            open_ns: summary.open_ns,
            half_open_ns: summary.half_open_ns,
            end_ns: summary.end_ns,
            state: summary.state.name(),
        }
    }
}

/// A report that tells, before its summary, what is known when the replay is over.
pub(super) trait Findings: Report<Error = Failure> {
    /// What became of the faults that were put into the log, and what is odd.
    fn found(&mut self, faults: &[Injected], warnings: &[String]) -> Result<(), Failure>;
}

impl<W: Write> Findings for Json<W> {
    fn found(&mut self, faults: &[Injected], warnings: &[String]) -> Result<(), Failure> {
        faults.iter().try_for_each(|fault| self.line(&InjectedLine::new(fault)))?;
        if warnings.is_empty() { Ok(()) } else { self.line(&WarningsLine { warnings }) }
    }
}

/// Prints one JSON object a line: transitions, then the summary. Output without a summary is not complete.
impl<W: Write> Report for Json<W> {
    type Error = Failure;

    fn begin(&mut self, _: &Config) -> Result<(), Failure> {
        Ok(())
    }

    fn transition(&mut self, event: &Event) -> Result<(), Failure> {
        self.line(&TransitionLine {
            t_ns: event.t_ns,
            from: event.from.name(),
            to: event.to.name(),
            reason: event.reason.name(),
            samples: event.samples,
            slow: event.slow,
            overdue: event.overdue,
            quantile_ns: event.quantile_ns,
            observed: event.observed,
            limit: event.limit,
            attempt: event.attempt,
            retry_at_ns: (event.to == State::Open).then_some(event.retry_at_ns),
        })
    }

    fn end(&mut self, summary: &Summary) -> Result<(), Failure> {
        self.line(&SummaryLine::new(summary))?;
        Ok(self.0.flush()?)
    }
}

/// What became of the calls: for each line a name, a figure and a note, which may be empty.
pub(super) fn show_figures(config: &Config, summary: &Summary) -> Vec<(&'static str, String, String)> {
    let whole_ns = summary.end_ns - summary.first_ns;
    let mut lines = vec![
        ("asked", show_count(summary.asked), format!("over {}", show_ns(whole_ns))),
        ("allowed", show_count(summary.allowed), String::new()),
        ("refused", show_count(summary.refused), show_part(summary.refused, summary.asked)),
    ];
    for (name, count, note) in [
        ("free", summary.free, "rows that don't ask"),
        ("unknown", summary.unknown, "of the allowed; they were refused when they were recorded, and were not sent"),
        ("lost", summary.lost, "never came back"),
    ] {
        if count > 0 {
            lines.push((name, show_count(count), note.to_owned()));
        }
    }
    if let Some(verdict) = armed_verdict(config) {
        let part = show_part(summary.armed, summary.asked);
        let note = if part.is_empty() { part } else { format!("{part}: {verdict} was possible") };
        lines.push(("armed", show_count(summary.armed), note));
    }
    lines.extend([
        ("trips", show_count(summary.trips), format!("and {} reopened", show_count(summary.reopens))),
        ("open", show_ns(summary.open_ns), show_part(summary.open_ns, whole_ns)),
        ("half-open", show_ns(summary.half_open_ns), show_part(summary.half_open_ns, whole_ns)),
        ("longest pause", show_ns(summary.longest_pause_ns), String::new()),
        ("at the end", summary.state.to_string(), String::new()),
    ]);
    lines
}

/// Prints text for people: a profile of the log, the settings, each transition, a summary and a timeline.
pub(crate) struct Text<'a, W> {
    out: W,
    looked: &'a Looked,
    /// Each line is printed when it is known, so that the profile comes last. Otherwise the lines wait here for it.
    is_live: bool,
    waiting: Vec<u8>,
    file: String,
    /// The columns of the terminal; plenty if the output is none.
    columns: usize,
    table: EventTable,
    config: Config,
    transitions: u64,
    timeline: Timeline,
}

impl<'a, W: Write> Text<'a, W> {
    /// `width` is that of the terminal, if there is one.
    pub(crate) fn new(out: W, file: String, width: Option<usize>, looked: &'a Looked, is_live: bool) -> Self {
        let columns = width.unwrap_or(usize::MAX);
        let (table, config) = (EventTable::new(columns), Config::default());
        let (waiting, timeline) = (Vec::new(), Timeline::new());
        Self { out, looked, is_live, waiting, file, columns, table, config, transitions: 0, timeline }
    }

    /// Where the lines before the summary go.
    fn lines(&mut self) -> &mut dyn Write {
        if self.is_live { &mut self.out } else { &mut self.waiting }
    }

    /// What stands below the transitions.
    fn end_table(&mut self) -> io::Result<()> {
        if self.transitions == 0 {
            writeln!(self.lines(), "  no transition")?;
        }
        writeln!(self.lines())
    }

    fn write_profile(&mut self) -> io::Result<()> {
        let lines = show_profile(self.looked.profile(), self.config.threshold_ns);
        write_lines(&mut self.out, wrap_lines(lines, self.columns))?;
        writeln!(self.out)
    }
}

/// Warnings go to standard error alone.
impl<W: Write> Findings for Text<'_, W> {
    fn found(&mut self, faults: &[Injected], _: &[String]) -> Result<(), Failure> {
        self.end_table()?;
        for fault in faults {
            let lines = wrap_lines([("fault", show_injected(fault))], self.columns);
            write_lines(&mut self.lines(), lines)?;
        }
        if !faults.is_empty() {
            writeln!(self.lines())?;
        }
        Ok(())
    }
}

impl<W: Write> Report for Text<'_, W> {
    type Error = Failure;

    fn begin(&mut self, config: &Config) -> Result<(), Failure> {
        self.config = config.clone();
        writeln!(self.out, "{} {}\n", style("trip99 replay").bold(), self.file)?;
        let lines = wrap_lines(show_settings(config), self.columns);
        let mut out = self.lines();
        write_lines(&mut out, lines)?;
        Ok(writeln!(out)?)
    }

    fn span(&mut self, state: State, from_ns: u64, to_ns: u64) {
        self.timeline.add(state, from_ns, to_ns);
    }

    fn transition(&mut self, event: &Event) -> Result<(), Failure> {
        if self.transitions == 0 {
            let header = self.table.header("time", &show_quantile(self.config.quantile_ppm));
            writeln!(self.lines(), "{header}")?;
        }
        self.transitions += 1;
        let row = self.table.since(event, self.timeline.first_ns(), self.config.quantile_ppm);
        Ok(writeln!(self.lines(), "{row}")?)
    }

    fn end(&mut self, summary: &Summary) -> Result<(), Failure> {
        self.write_profile()?;
        let waiting = std::mem::take(&mut self.waiting);
        self.out.write_all(&waiting)?;
        for (name, value, note) in show_figures(&self.config, summary) {
            let line = format!("  {} {value:>12}  {}", style(format_args!("{name:<13}")).dim(), style(note).dim());
            writeln!(self.out, "{}", line.trim_end())?;
        }
        let width = if self.columns == usize::MAX { 80 } else { self.columns.min(120) };
        writeln!(self.out, "\n{}", show_timeline(&self.timeline, width, summary.end_ns - summary.first_ns))?;
        Ok(self.out.flush()?)
    }
}
