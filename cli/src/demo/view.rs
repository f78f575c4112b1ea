//! What the user sees while the demo runs. On a terminal lines scroll above a status line. Elsewhere there are plain lines.

use crate::demo::script::Phase;
use crate::failure::Failure;
use crate::show::{EventTable, columns, show_count, show_ns, show_quantile, show_time, state_style};
use console::{Term, style};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::{self, Write};
use trip99::{Event, State};

/// Plain lines are for files and logs, where less is more.
const PLAIN_EVERY_NS: u64 = 1_000_000_000;
const LIVE_EVERY_NS: u64 = 100_000_000;

/// How things stand. Times are counted from the demo's beginning.
pub(crate) struct Status {
    pub(crate) now_ns: u64,
    pub(crate) phase: Phase,
    pub(crate) state: State,
    pub(crate) is_halted: bool,
    /// When the next trial may go out, while the breaker is open.
    pub(crate) retry_at_ns: Option<u64>,
    pub(crate) quantile_ns: u64,
    pub(crate) sent: u64,
    pub(crate) refused: u64,
    pub(crate) resting: u64,
    pub(crate) in_flight: u64,
}

pub(crate) struct View {
    /// The status line of a terminal.
    live: Option<ProgressBar>,
    table: EventTable,
    next_status_ns: u64,
}

impl View {
    pub(crate) fn new() -> Self {
        let live = Term::stdout().is_term().then(|| {
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stdout());
            bar.with_style(ProgressStyle::with_template("{wide_msg}").unwrap_or_else(|_| ProgressStyle::default_bar()))
        });
        let next_status_ns = if live.is_some() { 0 } else { PLAIN_EVERY_NS };
        Self { next_status_ns, live, table: EventTable::new(columns()) }
    }

    pub(crate) fn line(&self, text: &str) -> Result<(), Failure> {
        match &self.live {
            Some(bar) => bar.suspend(|| writeln!(io::stdout(), "{text}"))?,
            None => writeln!(io::stdout(), "{text}")?,
        }
        Ok(())
    }

    pub(crate) fn header(&self, quantile_ppm: u32) -> Result<(), Failure> {
        self.line(&self.table.header("time", &show_quantile(quantile_ppm)))
    }

    pub(crate) fn transition(&self, event: &Event, first_ns: u64, quantile_ppm: u32) -> Result<(), Failure> {
        self.line(&self.table.since(event, first_ns, quantile_ppm))
    }

    /// The node begins a phase.
    pub(crate) fn phase(&self, phase: Phase, now_ns: u64) -> Result<(), Failure> {
        let line = format!("{:>13}  node: {}: {}", show_time(now_ns), phase.title(), phase.describe());
        self.line(&style(line).bold().to_string())
    }

    /// Shows the status, if it is time to.
    pub(crate) fn status(&mut self, status: &Status) -> Result<(), Failure> {
        if status.now_ns < self.next_status_ns {
            return Ok(());
        }
        if let Some(bar) = &self.live {
            self.next_status_ns = status.now_ns + LIVE_EVERY_NS;
            bar.set_message(show_status(status));
            bar.tick();
            return Ok(());
        }
        // Plain lines come on whole seconds.
        self.next_status_ns = (status.now_ns / PLAIN_EVERY_NS + 1) * PLAIN_EVERY_NS;
        self.line(&show_status(status))
    }

    /// Clears the status.
    pub(crate) fn finish(&self) {
        if let Some(bar) = &self.live {
            bar.finish_and_clear();
        }
    }
}

fn show_status(status: &Status) -> String {
    let quantile = match status.quantile_ns {
        0 => "-".to_owned(),
        ns => show_ns(ns),
    };
    let state = match status.retry_at_ns {
        _ if status.is_halted => "halted".to_owned(),
        Some(retry_at_ns) => {
            let left_ms = retry_at_ns.saturating_sub(status.now_ns) / 1_000_000;
            format!("open {}.{} s", left_ms / 1000, left_ms % 1000 / 100)
        }
        None => status.state.to_string(),
    };
    format!(
        "{:>13}  {:<6} {} P99 {quantile:>8}  sent {}  refused {}  resting {}  in flight {}",
        show_time(status.now_ns),
        status.phase.name(),
        state_style(if status.is_halted { State::Open } else { status.state }).apply_to(format_args!("{state:<10}")),
        show_count(status.sent),
        show_count(status.refused),
        show_count(status.resting),
        show_count(status.in_flight),
    )
}
