//! What a replay prints: lines of JSON, or text for people.

use crate::failure::Failure;
use crate::json::Json;
use crate::show::{
    EventTable, show_count, show_counted, show_ns, show_part, show_quantile, show_settings, show_timeline, wrap_lines,
    write_lines,
};
use crate::timeline::Timeline;
use console::style;
use serde::Serialize;
use std::cell::{OnceCell, RefCell};
use std::io::{self, Write};
use trip99::{Config, Event, PPM, State};
use trip99_logs::Row;
use trip99_logs::profile::{Profile, Profiler, QUANTILES};
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

/// What is in a log: for each line its name, and what it says.
pub(super) fn show_profile(profile: &Profile, threshold_ns: u64) -> Vec<(&'static str, String)> {
    let calls = show_counted(profile.rows, "call");
    let Some(greatest_ns) = profile.greatest_ns else {
        return vec![("log", format!("{calls}, none of which came back"))];
    };
    let rate =
        profile.calls_in_1000_s().map_or(String::new(), |calls| format!(", {} a second", show_thousandth(calls)));
    let silence = profile.silence;
    let after_ns = silence.from_ns - profile.first_ns;
    let quantiles = QUANTILES.iter().zip(profile.quantiles_ns);
    let quantiles = quantiles.filter_map(|((_, name), ns)| Some(format!("{name} {}", show_ns(ns?))));
    let quantiles: Vec<String> = quantiles.chain([format!("greatest {}", show_ns(greatest_ns))]).collect();
    let slow = profile.slower_than(threshold_ns);
    let finest = |ns: u64| if ns == 0 { "-".to_owned() } else { show_ns(ns) };
    vec![
        (
            "log",
            format!(
                "{calls} over {}{rate}; the longest silence {}, after {}",
                show_ns(profile.span_ns()),
                show_ns(silence.len_ns),
                show_ns(after_ns)
            ),
        ),
        ("", quantiles.join(", ")),
        (
            "",
            format!(
                "{} slower than {} ({}), {} failed, {} never came back, {} in flight at the end",
                show_count(slow),
                show_ns(threshold_ns),
                show_part(slow, profile.rows),
                show_count(profile.failed),
                show_count(profile.lost),
                show_count(profile.in_flight)
            ),
        ),
        (
            "",
            format!(
                "stamps are multiples of {}, latencies of {}",
                finest(profile.stamp_resolution_ns),
                finest(profile.latency_resolution_ns)
            ),
        ),
    ]
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

/// A number of thousandths, rounded down, with as many decimals as tell something.
fn show_thousandth(thousandths: u64) -> String {
    let (whole, rest) = (thousandths / 1000, thousandths % 1000);
    match whole {
        100.. => show_count(whole),
        10.. => format!("{whole}.{}", rest / 100),
        _ => format!("{whole}.{:02}", rest / 10),
    }
}

/// What the rows make, taken note of as they pass by.
#[derive(Default)]
pub(crate) struct Looked {
    profiler: RefCell<Profiler>,
    profile: OnceCell<Profile>,
}

impl Looked {
    pub(super) fn take(&self, row: &Row) {
        self.profiler.borrow_mut().take(row);
    }

    /// To be called when all rows are taken.
    pub(super) fn profile(&self) -> &Profile {
        self.profile.get_or_init(|| self.profiler.take().finish())
    }
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

    fn write_profile(&mut self) -> io::Result<()> {
        let lines = show_profile(self.looked.profile(), self.config.threshold_ns);
        write_lines(&mut self.out, wrap_lines(lines, self.columns))?;
        writeln!(self.out)
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
        if self.transitions == 0 {
            writeln!(self.lines(), "  no transition")?;
        }
        writeln!(self.lines())?;
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
