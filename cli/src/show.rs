//! How all commands show figures, settings and transitions to people.

use crate::timeline::Timeline;
use console::{Style, Term, measure_text_width, style};
use std::io::{self, Write};
use trip99::{Config, Event, PPM, Reason, Start, State};

/// What a breaker with these settings does: for each rule its name, and what it says.
pub(crate) fn show_settings(config: &Config) -> Vec<(&'static str, String)> {
    let mut lines = Vec::new();
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
    lines.push(("latency", latency));
    let share = format!("more than {} of the window", show_share(config.failure_rate_ppm));
    let failures = match (config.failure_rate_ppm, config.consecutive_failures) {
        (PPM, 0) => "off".to_owned(),
        (PPM, count) => format!("{count} in a row"),
        (_, 0) => share,
        (_, count) => format!("{share}, or {count} in a row"),
    };
    lines.push(("failures", failures));
    let spike = match config.spike_count {
        0 => "off".to_owned(),
        count => format!("{count} in a row over {}", show_ns(config.effective_spike_limit_ns())),
    };
    lines.push(("spike", spike));
    let stall = match config.stall_limit_ns {
        0 => "off".to_owned(),
        limit_ns => format!("a call in flight for {}", show_ns(limit_ns)),
    };
    lines.push(("stall", stall));
    let recovery = format!(
        "{} good trials, {} at a time, each within {}; lost after {}",
        config.probes,
        config.trials_in_flight,
        show_ns(config.effective_recover_threshold_ns()),
        show_ns(config.probe_timeout_ns)
    );
    lines.push(("recovery", recovery));
    let backoff = format!(
        "{}, x{} each time, up to {}; {} closed forgives one",
        show_ns(config.backoff_base_ns),
        config.backoff_multiplier,
        show_ns(config.backoff_max_ns),
        show_ns(config.stable_after_ns)
    );
    lines.push(("backoff", backoff));
    if config.start != Start::Closed {
        lines.push(("start", config.start.name().to_owned()));
    }
    if config.shadow {
        lines.push(("shadow", "nothing is refused".to_owned()));
    }
    lines
}

/// Columns that a terminal needs for all of [`show_event`].
pub(crate) const WIDE: usize = 110;

/// Heads the columns of [`show_event`].
pub(crate) fn event_header(time: &str, quantile: &str, is_wide: bool) -> String {
    let samples = if is_wide { format!("  {:>20}", "slow of samples") } else { String::new() };
    let header = format!("{time:>13}  {:<22} {:<20} {quantile:>9}{samples}  pause", "change", "reason");
    style(header).dim().to_string()
}

/// A transition, and how long after `first_ns` it was. A narrow terminal gets fewer columns.
pub(crate) fn show_transition(event: &Event, first_ns: u64, is_wide: bool) -> String {
    show_event(event, &show_time(event.t_ns.saturating_sub(first_ns)), is_wide)
}

/// Any event, with a text for its time. A narrow terminal gets fewer columns.
pub(crate) fn show_event(event: &Event, time: &str, is_wide: bool) -> String {
    let samples = match event.overdue {
        _ if !is_wide => String::new(),
        0 => format!("  {:>20}", format!("{} of {}", event.slow, event.samples)),
        overdue => format!("  {:>20}", format!("{overdue} late, {} of {}", event.slow, event.samples)),
    };
    let pause_ns = event.retry_at_ns.saturating_sub(event.t_ns);
    // Of these the pause goes on as it was.
    let is_beside = matches!(
        event.reason,
        Reason::Halt
            | Reason::Resume
            | Reason::Reconfigured
            | Reason::OwnerSilent
            | Reason::OwnerBack
            | Reason::Latched
    );
    let pause = match event.to {
        _ if is_beside => String::new(),
        State::Open if is_wide => format!("{} (attempt {})", show_ns(pause_ns), event.attempt),
        State::Open => show_ns(pause_ns),
        _ => String::new(),
    };
    let to = state_style(event.to);
    let change = if event.from == event.to {
        to.apply_to(format_args!("{:<22}", event.to)).to_string()
    } else {
        format!("{:<9} → {}", event.from, to.apply_to(format_args!("{:<10}", event.to)))
    };
    let line = format!("{time:>13}  {change} {:<20} {:>9}{samples}  {pause}", event.reason, show_ns(event.quantile_ns));
    line.trim_end().to_owned()
}

/// The states over time in one line of a terminal of this width, and a legend below the line.
pub(crate) fn show_timeline(timeline: &Timeline, width: usize, whole_ns: u64) -> String {
    let columns = timeline.columns(width.saturating_sub(4));
    let line: String = columns.iter().map(|&state| state_style(state).apply_to(glyph(state)).to_string()).collect();
    let [closed, open, half_open] = [State::Closed, State::Open, State::HalfOpen]
        .map(|state| format!("{} {state}", state_style(state).apply_to(glyph(state))));
    format!("  {line}\n  0 to {}:  {closed}   {open}   {half_open}", show_ns(whole_ns))
}

fn glyph(state: State) -> char {
    match state {
        State::Closed => '─',
        State::Open => '█',
        State::HalfOpen => '▒',
    }
}

pub(crate) fn state_style(state: State) -> Style {
    match state {
        State::Closed => Style::new().green(),
        State::Open => Style::new().red(),
        State::HalfOpen => Style::new().yellow(),
    }
}

/// A duration, rounded down, in three to four significant digits and a unit. From two minutes on it has two units.
pub(crate) fn show_ns(ns: u64) -> String {
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

/// A time in seconds to the millisecond, rounded down, with spaces between thousands. Less than a second is shown as a duration.
pub(crate) fn show_time(ns: u64) -> String {
    if ns < 1_000_000_000 {
        return show_ns(ns);
    }
    format!("{}.{:03} s", show_count(ns / 1_000_000_000), ns % 1_000_000_000 / 1_000_000)
}

pub(crate) fn show_count(count: u64) -> String {
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

/// `1 event`, `2 events`.
pub(crate) fn show_counted(count: u64, what: &str) -> String {
    format!("{} {what}{}", show_count(count), if count == 1 { "" } else { "s" })
}

/// Escapes what isn't seen: a file name or a key may hold any character, and must not move the cursor, add lines, turn the direction of
/// writing, or look like another one.
pub(crate) fn escape(text: &str) -> String {
    let escape = |letter: char| {
        if is_unseen(letter) { letter.escape_default().to_string() } else { letter.into() }
    };
    text.chars().map(escape).collect()
}

/// Control characters, those that turn the direction of writing, and those of no width.
pub(crate) fn is_unseen(letter: char) -> bool {
    letter.is_control()
        || matches!(letter, '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}')
        || matches!(letter, '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}')
        || matches!(letter, '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}')
        || matches!(letter, '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}')
}

/// Breaks a text into lines of at most so many columns, between words. A longer word has a line of its own.
pub(crate) fn wrap(text: &str, columns: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if measure_text_width(line) + 1 + measure_text_width(word) <= columns => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

/// The columns of the terminal; plenty if the output is none.
pub(crate) fn columns() -> usize {
    Term::stdout().size_checked().map_or(usize::MAX, |(_, columns)| columns.into())
}

/// Writes names and texts, a line for each pair.
pub(crate) fn write_lines(
    out: &mut impl Write,
    lines: impl IntoIterator<Item = (&'static str, String)>,
) -> io::Result<()> {
    lines.into_iter().try_for_each(|(name, text)| writeln!(out, "{}", show_line(name, &text)))
}

/// A line of such a list.
pub(crate) fn show_line(name: &str, text: &str) -> String {
    format!("  {} {text}", style(format_args!("{name:<9}")).dim())
}

/// `P99`, `P99.9`, `P50`.
pub(crate) fn show_quantile(ppm: u32) -> String {
    let text = format!("P{}.{:04}", ppm / 10_000, ppm % 10_000);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn show_share(ppm: u32) -> String {
    show_part(ppm.into(), PPM.into())
}

pub(crate) fn show_part(part: u64, whole: u64) -> String {
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
    fn what_is_not_seen_is_escaped() {
        assert_eq!(escape("a\u{e4}\u{4e00} \u{20ac}"), "a\u{e4}\u{4e00} \u{20ac}");
        assert_eq!(escape("\x1b[2J\n\u{9b}\x7f"), "\\u{1b}[2J\\n\\u{9b}\\u{7f}");
        let unseen = ['\u{200b}', '\u{200d}', '\u{202e}', '\u{2066}', '\u{feff}', '\u{ad}', '\u{61c}', '\u{e0041}'];
        for letter in unseen {
            assert_eq!(escape(&letter.to_string()), format!("\\u{{{:x}}}", letter as u32));
        }
    }

    #[test]
    fn texts_break_between_words() {
        assert_eq!(wrap("one two three  four", 9), ["one two", "three", "four"]);
        assert_eq!(wrap("extraordinary words", 5), ["extraordinary", "words"]);
        assert_eq!((wrap("", 5), wrap("a b", usize::MAX)), (Vec::<String>::new(), vec!["a b".to_owned()]));
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
