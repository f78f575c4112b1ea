//! What happened, as a table for people, with a heading for each day.

use super::print::Print;
use super::source::{Item, Source, Told};
use crate::failure::Failure;
use crate::page::note;
use crate::page::standing::Standing;
use crate::show::{escape, evidence, show_counted, show_ns, show_pause, wrap};
use crate::zone::{Zone, now_ns};
use console::{Alignment, measure_text_width, pad_str, style};
use std::io::Write;
use trip99::{Event, LogEntry, Reason, State};

pub(super) struct Table<W> {
    out: W,
    zone: Zone,
    layout: Layout,
    /// The page's path, if there is but one page.
    path: Option<String>,
    /// It is said how many events the page no longer has.
    is_whole: bool,
    /// `None` before the first event.
    date: Option<String>,
}

/// Which columns there are.
struct Layout {
    /// How wide the column of pages is; `None` if there is but one page.
    page: Option<usize>,
    has_change: bool,
    has_quantile: bool,
    has_samples: bool,
    has_pause: bool,
    columns: usize,
}

/// Where the texts below a row begin.
const INDENT: usize = 15;

impl Layout {
    fn new(names: Option<usize>, columns: usize) -> Self {
        let page = names.map(|longest| longest.clamp(4, if columns < 120 { 18 } else { 29 }));
        let left = columns.saturating_sub(page.map_or(0, |page| page + 2));
        Self {
            page,
            has_change: left >= 68,
            has_quantile: left >= 78,
            has_samples: left >= 118,
            has_pause: left >= 90,
            columns,
        }
    }

    fn row(&self, [time, page, stands, change, reason, quantile, samples, pause]: [&str; 8]) -> String {
        let left = |text: &str, width| pad_str(text, width, Alignment::Left, Some("…")).into_owned();
        let mut row = format!("{time:>13}  ");
        if let Some(width) = self.page {
            row += &format!("{}  ", left(page, width));
        }
        row += &left(stands, if self.has_change { 9 } else { 21 });
        if self.has_change {
            row += &format!(" {}", left(change, 22));
        }
        row += &format!(" {reason:<20}");
        if self.has_quantile {
            row += &format!(" {quantile:>9}");
        }
        if self.has_samples {
            row += &format!("  {samples:>20}");
        }
        if self.has_pause {
            row += &format!("  {pause}");
        }
        row.trim_end().to_owned()
    }
}

impl<W: Write> Table<W> {
    pub(super) fn new(out: W, zone: Zone, columns: usize, sources: &[Source], is_whole: bool) -> Self {
        let (path, names) = match sources {
            [source] => (Some(source.page.place.path()), None),
            _ => (None, sources.iter().map(|source| measure_text_width(&source.page.place.name())).max()),
        };
        Self { out, zone, layout: Layout::new(names, columns), path, is_whole, date: None }
    }

    pub(super) fn titles(&mut self) -> Result<(), Failure> {
        let time = format!("time, {}", self.zone.name(now_ns()));
        let titles = [&time, "page", "stands", "change", "reason", "quantile", "slow of samples", "pause"];
        Ok(writeln!(self.out, "{}", style(self.layout.row(titles)).dim())?)
    }

    fn line(&mut self, text: &str) -> Result<(), Failure> {
        Ok(writeln!(self.out, "{:>13}  {}", "", style(text).yellow())?)
    }

    fn below(&mut self, text: &str, is_dim: bool) -> Result<(), Failure> {
        for line in wrap(text, self.layout.columns.saturating_sub(INDENT).max(20)) {
            let line = if is_dim { style(line).dim() } else { style(line) };
            writeln!(self.out, "{:INDENT$}{line}", "")?;
        }
        Ok(())
    }

    /// The heading of another day; the time of day is returned.
    fn time(&mut self, wall_ns: u64) -> Result<String, Failure> {
        let (date, time) = self.zone.date_and_time(wall_ns);
        if self.date.as_ref() != Some(&date) {
            writeln!(self.out, "{}", style(format_args!("{date:>13}")).bold())?;
            self.date = Some(date);
        }
        Ok(time)
    }

    /// How the breaker stands after it, with the state's technical name if the change has no column.
    fn stands(&self, standing: Standing, state: Option<State>) -> String {
        let word = standing.word();
        let text = match state {
            Some(state) if !self.layout.has_change => format!("{word} ({state})"),
            _ => word.to_owned(),
        };
        standing.style().apply_to(text).to_string()
    }

    fn event(&mut self, told: &Told, event: &Event, is_halted: bool) -> Result<(), Failure> {
        if self.date.is_none() && event.sequence > 0 && self.is_whole && self.path.is_some() {
            let earlier = format!("{:>13}  not kept: {}", "", show_counted(event.sequence, "earlier event"));
            writeln!(self.out, "{}", style(earlier).dim())?;
        }
        let time = self.time(told.wall_ns)?;
        let change = match event.from == event.to {
            true => event.to.to_string(),
            false => format!("{:<9} → {}", event.from.to_string(), event.to),
        };
        // There is no quantile of nothing.
        let quantile = if event.samples == 0 { "-".to_owned() } else { show_ns(event.quantile_ns) };
        let samples = match (event.samples, event.overdue) {
            (0, _) => "-".to_owned(),
            (samples, 0) => format!("{} of {samples}", event.slow),
            (samples, overdue) => format!("{overdue} late, {} of {samples}", event.slow),
        };
        let stands = self.stands(standing(event, is_halted), Some(event.to));
        let pause = show_pause(event, self.layout.has_samples);
        let cells = [&time, &told.page, &stands, &change, event.reason.name(), &quantile, &samples, &pause];
        Ok(writeln!(self.out, "{}", self.layout.row(cells))?)
    }

    fn logged(&mut self, told: &Told, logged: &LogEntry, is_halted: bool) -> Result<(), Failure> {
        let time = self.time(told.wall_ns)?;
        let (reason, change) = (if logged.is_halt { Reason::Halt } else { Reason::Resume }, "no owner");
        let standing = if is_halted { Standing::Halted } else { Standing::Gone };
        let stands = self.stands(standing, None);
        let row = self.layout.row([&time, &told.page, &stands, change, reason.name(), "-", "-", ""]);
        Ok(writeln!(self.out, "{row}")?)
    }
}

fn standing(event: &Event, is_halted: bool) -> Standing {
    match event.to {
        _ if event.reason == Reason::OwnerSilent => Standing::Unwatched,
        _ if is_halted => Standing::Halted,
        State::Closed => Standing::Trading,
        State::Open => Standing::Paused,
        State::HalfOpen => Standing::Testing,
    }
}

/// Who halted or resumed, and why.
fn show_note(logged: &LogEntry) -> String {
    let (name, note) = (note::name(&logged.note), &logged.note);
    let lifted = if logged.is_halt { "" } else { "'s halt" };
    format!("{name}{lifted}: {}", escape(note.reason_or_none()))
}

impl<W: Write> Print for Table<W> {
    fn begin(&mut self) -> Result<(), Failure> {
        let what = self.path.clone().unwrap_or_else(|| "of several pages".to_owned());
        writeln!(self.out, "{} {what}\n", style("trip99 events").bold())?;
        self.titles()
    }

    fn told(&mut self, told: &Told) -> Result<(), Failure> {
        let of = if self.path.is_some() { String::new() } else { format!("{}: ", told.page) };
        match &told.item {
            Item::Event { event, quantile_ppm, logged, is_halted } => {
                self.event(told, event, *is_halted)?;
                self.below(&evidence(event, *quantile_ppm).unwrap_or_default(), true)?;
                self.below(&logged.as_ref().map(show_note).unwrap_or_default(), false)
            }
            Item::Logged { logged, is_halted, .. } => {
                self.logged(told, logged, *is_halted)?;
                self.below(&show_note(logged), false)
            }
            Item::Missed(count) => {
                let count = show_counted(*count, "event");
                self.line(&format!("{of}missed: {count}, overwritten before they could be read"))
            }
            Item::Note("removed") => self.line(&format!("{of}the page was removed; waiting for a new one")),
            Item::Note(_) => self.line(&format!("{of}the page was replaced; these are events of the new one")),
        }
    }

    fn end(&mut self) -> Result<(), Failure> {
        if self.date.is_none() {
            writeln!(self.out, "{:>13}  no event", "")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use trip99::{Breaker, Config};

    #[test]
    fn a_halt_and_a_resume_tell_whose_and_why() {
        let mut breaker = Breaker::new(Config::default()).unwrap();
        let (observer, events) = (breaker.observer(), breaker.events());
        breaker.halt("position \u{202e}limit");
        breaker.resume("");
        breaker.poll();
        let logged = events.filter_map(|event| observer.log_entry(event.entry).filter(|_| event.entry != 0));
        let notes: Vec<_> = logged.map(|logged| show_note(&logged)).collect();
        assert_eq!(notes, ["engine: position  limit", "engine's halt: no reason given"]);
    }

    #[test]
    fn rows_fit_their_terminal() {
        let full =
            ["12:34:56.789", "a-page-with-a-long-name", "UNWATCHED", "half_open → half_open", "consecutive_failures"];
        let [time, page, stands, change, reason] = full;
        for columns in [60, 80, 100, 120, 200] {
            for names in [None, Some(23)] {
                let layout = Layout::new(names, columns);
                let stands = if layout.has_change { stands } else { "UNWATCHED (half_open)" };
                let pause = if layout.has_samples { "60 s (attempt 7)" } else { "119.9 s" };
                let late = "1024 late, 1 of 1024";
                let row = layout.row([time, page, stands, change, reason, "119.9 s", late, pause]);
                // Two columns of names have no room in 60.
                let room = if names.is_some() { columns.max(80) } else { columns };
                assert!(row.chars().count() <= room, "{columns}: {row}");
            }
        }
    }
}
