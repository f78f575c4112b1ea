//! How all commands show figures, settings and transitions to people.

mod event;

use crate::timeline::Timeline;
use console::{Style, Term, measure_text_width, style};
use std::io::{self, Write};
use trip99::{Config, PPM, Start, State};
use trip99_labels::is_unseen;

pub(crate) use event::{EventTable, evidence, evidence_and_samples, show_calls, show_hash, show_pause};
pub(crate) use trip99_logs::show::{show_count, show_counted, show_ns, show_part, show_quantile, show_time, wrap_by};

/// What a breaker with these settings does: for each rule its name, and what it says.
pub(crate) fn show_settings(config: &Config) -> Vec<(&'static str, String)> {
    let mut lines = vec![("latency", show_latency_rule(config)), ("failures", show_failure_rules(config))];
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

fn show_latency_rule(config: &Config) -> String {
    let (quantile, threshold) = (show_quantile(config.quantile_ppm), show_ns(config.threshold_ns));
    let sampled = if config.sample_every > 1 {
        format!("; 1 in {} sampled", show_count(config.sample_every.into()))
    } else {
        String::new()
    };
    if config.debt_limit > 0 {
        let limit = show_counted(config.debt_limit.into(), "slow call");
        return format!("a debt of {limit} at {quantile}, over {threshold}{sampled}");
    }
    let mut rule = format!("{quantile} over {threshold}, of {}", show_window(config));
    // One slow call is what being over takes anyway.
    if config.effective_min_slow() > 1 {
        rule += &format!(", at least {} of them slow", show_count(config.effective_min_slow().into()));
    }
    rule += &sampled;
    if config.confirm_verdicts > 1 {
        rule += &format!("; {} verdicts in a row", config.confirm_verdicts);
    }
    rule
}

fn show_failure_rules(config: &Config) -> String {
    // The rule of latency tells what the window is, unless it is about debt.
    let window = if config.debt_limit > 0 { show_window(config) } else { "the window".to_owned() };
    let share = format!("more than {} of {window}", show_share(config.failure_rate_ppm));
    match (config.failure_rate_ppm, config.consecutive_failures) {
        (PPM, 0) => "off".to_owned(),
        (PPM, count) => format!("{count} in a row"),
        (_, 0) => share,
        (_, count) => format!("{share}, or {count} in a row"),
    }
}

/// Which samples are judged together, and from how many on.
fn show_window(config: &Config) -> String {
    let age = match config.window_age_ns {
        0 => "of any age".to_owned(),
        age_ns => format!("of the last {}", show_ns(age_ns)),
    };
    let (len, min) = (show_count(config.window_len.into()), show_count(config.min_samples.into()));
    format!("at most {len} samples {age}, once there are {min}")
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

/// A duration with all its digits.
pub(crate) fn show_exact_ns(ns: u64) -> String {
    let (unit_ns, digits, unit) = match ns {
        0..1_000 => return show_ns(ns),
        1_000..1_000_000 => (1_000, 3, "µs"),
        1_000_000..1_000_000_000 => (1_000_000, 6, "ms"),
        _ => (1_000_000_000, 9, "s"),
    };
    let text = format!("{}.{:0digits$}", show_count(ns / unit_ns), ns % unit_ns);
    format!("{} {unit}", text.trim_end_matches('0').trim_end_matches('.'))
}

/// Escapes what isn't seen: a file name or a key may hold any character, and must not move the cursor, add lines, turn the direction of
/// writing, or look like another one.
pub(crate) fn escape(text: &str) -> String {
    let escape = |letter: char| {
        if is_unseen(letter) { letter.escape_default().to_string() } else { letter.into() }
    };
    text.chars().map(escape).collect()
}

/// Breaks a text into lines of at most so many columns, between words. A longer word has a line of its own.
pub(crate) fn wrap(text: &str, columns: usize) -> Vec<String> {
    wrap_by(text, columns, measure_text_width)
}

/// The columns of the terminal; plenty if the output is none.
pub(crate) fn columns() -> usize {
    Term::stdout().size_checked().map_or(usize::MAX, |(_, columns)| columns.into())
}

/// Writes names and texts, a line for each pair.
pub(crate) fn write_lines(
    out: &mut (impl Write + ?Sized),
    lines: impl IntoIterator<Item = (&'static str, String)>,
) -> io::Result<()> {
    lines.into_iter().try_for_each(|(name, text)| writeln!(out, "{}", show_line(name, &text)))
}

/// Breaks the texts of such lines into those that a terminal of so many columns has room for. (Not for what is to be pasted.)
pub(crate) fn wrap_lines(
    lines: impl IntoIterator<Item = (&'static str, String)>,
    columns: usize,
) -> impl Iterator<Item = (&'static str, String)> {
    lines.into_iter().flat_map(move |(name, text)| {
        let texts = wrap(&text, columns.saturating_sub(NAMES).max(20));
        texts.into_iter().enumerate().map(move |(index, text)| (if index == 0 { name } else { "" }, text))
    })
}

/// How many columns the names of such lines take.
pub(crate) const NAMES: usize = 12;

/// A line of such a list.
pub(crate) fn show_line(name: &str, text: &str) -> String {
    format!("  {} {text}", style(format_args!("{name:<9}")).dim())
}

fn show_share(ppm: u32) -> String {
    show_part(ppm.into(), PPM.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_shown_with_all_digits() {
        for (ns, text) in [
            (999, "999 ns"),
            (1_001, "1.001 µs"),
            (200_000_001, "200.000001 ms"),
            (200_000_000, "200 ms"),
            (1_000_000_001, "1.000000001 s"),
            (7_200_500_000_000, "7 200.5 s"),
        ] {
            assert_eq!(show_exact_ns(ns), text);
        }
    }

    #[test]
    fn the_rule_of_latency_says_what_it_takes() {
        let rules =
            |config: &Config| show_settings(config).into_iter().take(2).map(|(_, rule)| rule).collect::<Vec<_>>();
        let config = Config::default();
        let window = "at most 1 024 samples of the last 60 s, once there are 20";
        let failures = "more than 50 % of the window, or 5 in a row";
        assert_eq!(
            rules(&config),
            [format!("P99 over 200 ms, of {window}, at least 6 of them slow"), failures.to_owned()]
        );
        let full = Config { min_slow: 0, confirm_verdicts: 3, sample_every: 4, ..config.clone() };
        let expected =
            format!("P99 over 200 ms, of {window}, at least 11 of them slow; 1 in 4 sampled; 3 verdicts in a row");
        assert_eq!(rules(&full)[0], expected);
        let one = Config { min_slow: 1, window_age_ns: 0, ..config.clone() };
        assert_eq!(rules(&one)[0], "P99 over 200 ms, of at most 1 024 samples of any age, once there are 20");
        let debt = Config { debt_limit: 6, confirm_verdicts: 3, ..config };
        let expected =
            ["a debt of 6 slow calls at P99, over 200 ms", &format!("more than 50 % of {window}, or 5 in a row")];
        assert_eq!(rules(&debt), expected);
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
    fn settings_fit_their_terminal() {
        for columns in [60, 80] {
            let shown: Vec<_> = wrap_lines(show_settings(&Config::default()), columns).collect();
            assert!(shown.iter().all(|(name, text)| show_line(name, text).chars().count() <= columns), "{shown:?}");
            assert_eq!(shown[1].0, "");
        }
        let unbroken: Vec<_> = wrap_lines(show_settings(&Config::default()), usize::MAX).collect();
        assert_eq!(unbroken, show_settings(&Config::default()));
    }

    #[test]
    fn texts_break_between_words() {
        assert_eq!(wrap("one two three  four", 9), ["one two", "three", "four"]);
        assert_eq!(wrap("extraordinary words", 5), ["extraordinary", "words"]);
        assert_eq!((wrap("", 5), wrap("a b", usize::MAX)), (Vec::<String>::new(), vec!["a b".to_owned()]));
    }
}
