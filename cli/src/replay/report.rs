//! What a replay prints: lines of JSON, or text for people.

use crate::failure::Failure;
use crate::json::Json;
use crate::show::{
    EventTable, show_count, show_ns, show_part, show_quantile, show_settings, show_timeline, wrap_lines, write_lines,
};
use crate::timeline::Timeline;
use console::style;
use serde::Serialize;
use std::io::Write;
use trip99::{Config, Event, PPM, State};
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

#[derive(Serialize)]
struct SummaryLine {
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
        self.line(&SummaryLine {
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
        })?;
        Ok(self.0.flush()?)
    }
}

/// The verdicts that `min_samples` has to do with. `None` if there are none: debt is judged from the first sample on.
pub(super) fn armed_verdict(config: &Config) -> Option<&'static str> {
    match (config.debt_limit, config.failure_rate_ppm) {
        (0, _) => Some("a verdict"),
        (_, PPM) => None,
        _ => Some("a verdict on the failure rate"),
    }
}

/// Prints text for people: the settings, each transition, a summary and a timeline.
pub(crate) struct Text<W> {
    out: W,
    file: String,
    /// The columns of the terminal; plenty if the output is none.
    columns: usize,
    table: EventTable,
    config: Config,
    transitions: u64,
    timeline: Timeline,
}

impl<W: Write> Text<W> {
    /// `width` is that of the terminal, if there is one.
    pub(crate) fn new(out: W, file: String, width: Option<usize>) -> Self {
        let columns = width.unwrap_or(usize::MAX);
        let (table, config) = (EventTable::new(columns), Config::default());
        Self { out, file, columns, table, config, transitions: 0, timeline: Timeline::new() }
    }
}

impl<W: Write> Report for Text<W> {
    type Error = Failure;

    fn begin(&mut self, config: &Config) -> Result<(), Failure> {
        self.config = config.clone();
        writeln!(self.out, "{} {}\n", style("trip99 replay").bold(), self.file)?;
        write_lines(&mut self.out, wrap_lines(show_settings(config), self.columns))?;
        Ok(writeln!(self.out)?)
    }

    fn span(&mut self, state: State, from_ns: u64, to_ns: u64) {
        self.timeline.add(state, from_ns, to_ns);
    }

    fn transition(&mut self, event: &Event) -> Result<(), Failure> {
        if self.transitions == 0 {
            writeln!(self.out, "{}", self.table.header("time", &show_quantile(self.config.quantile_ppm)))?;
        }
        self.transitions += 1;
        let row = self.table.since(event, self.timeline.first_ns(), self.config.quantile_ppm);
        Ok(writeln!(self.out, "{row}")?)
    }

    fn end(&mut self, summary: &Summary) -> Result<(), Failure> {
        if self.transitions == 0 {
            writeln!(self.out, "  no transition")?;
        }
        writeln!(self.out)?;
        let whole_ns = summary.end_ns - summary.first_ns;
        let mut lines = vec![
            ("asked", show_count(summary.asked), format!("over {}", show_ns(whole_ns))),
            ("allowed", show_count(summary.allowed), String::new()),
            ("refused", show_count(summary.refused), show_part(summary.refused, summary.asked)),
        ];
        for (name, count, note) in [
            ("free", summary.free, "rows that don't ask"),
            (
                "unknown",
                summary.unknown,
                "of the allowed; they were refused when they were recorded, and were not sent",
            ),
            ("lost", summary.lost, "never came back"),
        ] {
            if count > 0 {
                lines.push((name, show_count(count), note.to_owned()));
            }
        }
        if let Some(verdict) = armed_verdict(&self.config) {
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
        for (name, value, note) in lines {
            let line = format!("  {} {value:>12}  {}", style(format_args!("{name:<13}")).dim(), style(note).dim());
            writeln!(self.out, "{}", line.trim_end())?;
        }
        let width = if self.columns == usize::MAX { 80 } else { self.columns.min(120) };
        writeln!(self.out, "\n{}", show_timeline(&self.timeline, width, whole_ns))?;
        Ok(self.out.flush()?)
    }
}
