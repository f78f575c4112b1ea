//! What a replay prints: a line of JSON for each thing, or text for people.

use crate::failure::Failure;
use crate::replay::{Report, Summary};
use crate::timeline::Timeline;
use console::{Style, style};
use serde::Serialize;
use std::io::Write;
use trip99::{Config, Event, PPM, State};

/// One JSON object a line: transitions, then the summary. Without a summary the output is not complete.
pub(crate) struct Json<W>(pub(crate) W);

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
    attempt: u32,
    retry_at_ns: Option<u64>,
}

#[derive(Serialize)]
struct SummaryLine {
    asked: u64,
    allowed: u64,
    refused: u64,
    trips: u64,
    reopens: u64,
    open_ns: u64,
    half_open_ns: u64,
    end_ns: u64,
    state: &'static str,
}

impl<W: Write> Json<W> {
    fn line(&mut self, line: &impl Serialize) -> Result<(), Failure> {
        serde_json::to_writer(&mut self.0, line).map_err(std::io::Error::from)?;
        Ok(self.0.write_all(b"\n")?)
    }
}

impl<W: Write> Report for Json<W> {
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
            attempt: event.attempt,
            retry_at_ns: (event.to == State::Open).then_some(event.retry_at_ns),
        })
    }

    fn end(&mut self, summary: &Summary) -> Result<(), Failure> {
        self.line(&SummaryLine {
            asked: summary.asked,
            allowed: summary.allowed,
            refused: summary.refused,
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

/// Text for people: what was configured, each transition, a summary, a timeline.
pub(crate) struct Text<W> {
    out: W,
    file: String,
    /// Columns of the terminal.
    width: usize,
    quantile_ppm: u32,
    shadow: bool,
    transitions: u64,
    timeline: Timeline,
}

impl<W: Write> Text<W> {
    pub(crate) fn new(out: W, file: String, width: usize) -> Self {
        let config = Config::default();
        Self {
            out,
            file,
            width,
            quantile_ppm: config.quantile_ppm,
            shadow: config.shadow,
            transitions: 0,
            timeline: Timeline::new(),
        }
    }

    fn setting(&mut self, name: &str, value: &str) -> Result<(), Failure> {
        Ok(writeln!(self.out, "  {} {value}", style(format_args!("{name:<9}")).dim())?)
    }
}

impl<W: Write> Report for Text<W> {
    fn begin(&mut self, config: &Config) -> Result<(), Failure> {
        self.quantile_ppm = config.quantile_ppm;
        self.shadow = config.shadow;
        writeln!(self.out, "{} {}\n", style("trip99 replay").bold(), self.file)?;
        let quantile = show_quantile(config.quantile_ppm);
        let age = if config.window_age_ns == 0 {
            "of any age".to_owned()
        } else {
            format!("of the last {}", show_ns(config.window_age_ns))
        };
        let mut latency = format!(
            "{quantile} over {}, of at most {} samples {age}, once there are {}",
            show_ns(config.threshold_ns),
            show_count(config.window_len.into()),
            show_count(config.min_samples.into())
        );
        if config.sample_every > 1 {
            latency += &format!("; 1 in {} sampled", config.sample_every);
        }
        if config.confirm_verdicts > 1 {
            latency += &format!("; {} verdicts in a row", config.confirm_verdicts);
        }
        self.setting("latency", &latency)?;
        let in_a_row = match config.consecutive_failures {
            0 => String::new(),
            count => format!(", or {count} in a row"),
        };
        let failures = format!("more than {} of the window{in_a_row}", show_share(config.failure_rate_ppm));
        self.setting("failures", &failures)?;
        let spike_limit_ns = if config.spike_limit_ns == 0 { config.threshold_ns } else { config.spike_limit_ns };
        let spike = match config.spike_count {
            0 => "off".to_owned(),
            count => format!("{count} in a row over {}", show_ns(spike_limit_ns)),
        };
        self.setting("spike", &spike)?;
        let stall = match config.stall_limit_ns {
            0 => "off".to_owned(),
            limit_ns => format!("a call in flight for {}", show_ns(limit_ns)),
        };
        self.setting("stall", &stall)?;
        let within_ns = match config.recover_threshold_ns {
            0 => config.threshold_ns / 5 * 4 + config.threshold_ns % 5 * 4 / 5,
            limit_ns => limit_ns,
        };
        let recovery = format!(
            "{} good trials, {} at a time, each within {}; lost after {}",
            config.probes,
            config.trials_in_flight,
            show_ns(within_ns),
            show_ns(config.probe_timeout_ns)
        );
        self.setting("recovery", &recovery)?;
        let backoff = format!(
            "{}, x{} each time, up to {}; {} closed forgives one",
            show_ns(config.backoff_base_ns),
            config.backoff_multiplier,
            show_ns(config.backoff_max_ns),
            show_ns(config.stable_after_ns)
        );
        self.setting("backoff", &backoff)?;
        if config.start != State::Closed {
            self.setting("start", config.start.name())?;
        }
        if config.shadow {
            self.setting("shadow", "nothing is refused")?;
        }
        Ok(writeln!(self.out)?)
    }

    fn span(&mut self, state: State, from_ns: u64, to_ns: u64) {
        self.timeline.add(state, from_ns, to_ns);
    }

    fn transition(&mut self, event: &Event) -> Result<(), Failure> {
        if self.transitions == 0 {
            let quantile = show_quantile(self.quantile_ppm);
            let header = format!(
                "{:>13}  {:<22} {:<20} {quantile:>9}  {:>20}  pause",
                "time", "change", "reason", "slow of samples"
            );
            writeln!(self.out, "{}", style(header).dim())?;
        }
        self.transitions += 1;
        let samples = match event.overdue {
            0 => format!("{} of {}", event.slow, event.samples),
            overdue => format!("{overdue} late, {} of {}", event.slow, event.samples),
        };
        let pause = match event.to {
            State::Open => format!("{} (attempt {})", show_ns(event.retry_at_ns - event.t_ns), event.attempt),
            _ => String::new(),
        };
        let line = format!(
            "{:>13}  {:<9} → {} {:<20} {:>9}  {samples:>20}  {pause}",
            show_time(event.t_ns.saturating_sub(self.timeline.first_ns())),
            event.from,
            state_style(event.to).apply_to(format_args!("{:<10}", event.to)),
            event.reason,
            show_ns(event.quantile_ns),
        );
        Ok(writeln!(self.out, "{}", line.trim_end())?)
    }

    fn end(&mut self, summary: &Summary) -> Result<(), Failure> {
        if self.transitions == 0 {
            writeln!(self.out, "  no transition")?;
        }
        writeln!(self.out)?;
        let whole_ns = summary.end_ns - summary.first_ns;
        let lines = [
            ("asked", show_count(summary.asked), format!("over {}", show_ns(whole_ns))),
            ("allowed", show_count(summary.allowed), String::new()),
            ("refused", show_count(summary.refused), show_part(summary.refused, summary.asked)),
            ("trips", show_count(summary.trips), format!("and {} reopened", show_count(summary.reopens))),
            ("open", show_ns(summary.open_ns), show_part(summary.open_ns, whole_ns)),
            ("half-open", show_ns(summary.half_open_ns), show_part(summary.half_open_ns, whole_ns)),
            ("longest pause", show_ns(summary.longest_pause_ns), String::new()),
            ("armed", show_ns(summary.armed_ns), show_part(summary.armed_ns, whole_ns)),
            ("at the end", summary.state.to_string(), String::new()),
        ];
        for (name, value, note) in lines {
            let line = format!("  {} {value:>12}  {}", style(format_args!("{name:<13}")).dim(), style(note).dim());
            writeln!(self.out, "{}", line.trim_end())?;
        }
        let columns = self.timeline.columns(self.width.saturating_sub(4));
        let line: String = columns.iter().map(|&state| state_style(state).apply_to(glyph(state)).to_string()).collect();
        writeln!(self.out, "\n  {line}")?;
        let [closed, open, half_open] = [State::Closed, State::Open, State::HalfOpen]
            .map(|state| format!("{} {state}", state_style(state).apply_to(glyph(state))));
        writeln!(self.out, "  0 to {}:  {closed}   {open}   {half_open}", show_ns(whole_ns))?;
        Ok(self.out.flush()?)
    }
}

fn glyph(state: State) -> char {
    match state {
        State::Closed => '─',
        State::Open => '█',
        State::HalfOpen => '▒',
    }
}

fn state_style(state: State) -> Style {
    match state {
        State::Closed => Style::new().green(),
        State::Open => Style::new().red(),
        State::HalfOpen => Style::new().yellow(),
    }
}

/// Three to four significant digits and a unit; from two minutes on, two units. Rounded down.
fn show_ns(ns: u64) -> String {
    let scaled = |unit_ns: u64, unit: &str| {
        let (whole, milli) = (ns / unit_ns, ns % unit_ns * 1000 / unit_ns);
        let text = match whole {
            100.. => format!("{whole}.{}", milli / 100),
            10.. => format!("{whole}.{:02}", milli / 10),
            _ => format!("{whole}.{milli:03}"),
        };
        format!("{} {unit}", text.trim_end_matches('0').trim_end_matches('.'))
    };
    let seconds = ns / 1_000_000_000;
    match seconds {
        0 if ns < 1_000 => format!("{ns} ns"),
        0 if ns < 1_000_000 => scaled(1_000, "µs"),
        0 => scaled(1_000_000, "ms"),
        1..120 => scaled(1_000_000_000, "s"),
        120..7_200 => format!("{} min {} s", seconds / 60, seconds % 60),
        7_200..172_800 => format!("{} h {} min", seconds / 3_600, seconds / 60 % 60),
        _ => format!("{} d {} h", seconds / 86_400, seconds / 3_600 % 24),
    }
}

/// Seconds to the millisecond, rounded down, with the thousands apart; less than a second as any duration.
fn show_time(ns: u64) -> String {
    if ns < 1_000_000_000 {
        return show_ns(ns);
    }
    format!("{}.{:03} s", show_count(ns / 1_000_000_000), ns % 1_000_000_000 / 1_000_000)
}

fn show_count(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(' ');
        }
        text.push(digit);
    }
    text
}

/// `P99`, `P99.9`, `P50`.
fn show_quantile(ppm: u32) -> String {
    let text = format!("P{}.{:04}", ppm / 10_000, ppm % 10_000);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn show_share(ppm: u32) -> String {
    show_part(ppm.into(), PPM.into())
}

fn show_part(part: u64, whole: u64) -> String {
    match whole {
        0 => String::new(),
        _ => format!("{:.1} %", part as f64 * 100.0 / whole as f64).replace(".0 %", " %"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_shown_short() {
        for (ns, text) in [
            (0, "0 ns"),
            (999, "999 ns"),
            (1_000, "1 µs"),
            (1_500, "1.5 µs"),
            (200_000_001, "200 ms"),
            (12_345_678, "12.34 ms"),
            (999_999_999, "999.9 ms"),
            (60_000_000_000, "60 s"),
            (119_999_999_999, "119.9 s"),
            (120_000_000_000, "2 min 0 s"),
            (7_199_999_999_999, "119 min 59 s"),
            (9_000_000_000_000, "2 h 30 min"),
            (u64::MAX, "213503 d 23 h"),
        ] {
            assert_eq!(show_ns(ns), text);
        }
    }

    #[test]
    fn counts_times_and_quantiles_are_shown_for_people() {
        assert_eq!([0, 999, 1_000, 1_234_567].map(show_count), ["0", "999", "1 000", "1 234 567"]);
        assert_eq!(show_time(1_234_567_899_999), "1 234.567 s");
        assert_eq!([990_000, 999_000, 500_000, 999_999].map(show_quantile), ["P99", "P99.9", "P50", "P99.9999"]);
        assert_eq!(
            [show_part(1, 3), show_part(0, 7), show_part(7, 7), show_part(1, 0)],
            ["33.3 %", "0 %", "100 %", ""]
        );
    }
}
