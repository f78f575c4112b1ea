//! How figures are shown to people.

/// A duration, rounded down, in three to four significant digits and a unit. From two minutes on it has two units.
pub fn show_ns(ns: u64) -> String {
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
pub fn show_time(ns: u64) -> String {
    if ns < 1_000_000_000 {
        return show_ns(ns);
    }
    format!("{}.{:03} s", show_count(ns / 1_000_000_000), ns % 1_000_000_000 / 1_000_000)
}

/// A number with spaces between thousands.
pub fn show_count(count: u64) -> String {
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

/// Breaks a text into lines of at most so many columns, as `width` counts them, between words. A longer word has a line of its own.
pub fn wrap_by(text: &str, columns: usize, width: impl Fn(&str) -> usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if width(line) + 1 + width(word) <= columns => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

/// `1 event`, `2 events`.
pub fn show_counted(count: u64, what: &str) -> String {
    format!("{} {what}{}", show_count(count), if count == 1 { "" } else { "s" })
}

/// `P99`, `P99.9`, `P50`.
pub fn show_quantile(ppm: u32) -> String {
    let text = format!("P{}.{:04}", ppm / 10_000, ppm % 10_000);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// How often something is, of which there are so many in 30 days: `1 in 12 d 3 h`.
#[expect(clippy::float_arithmetic, reason = "a rate is an estimate, for people")]
pub fn show_every(in_30_days: f64) -> String {
    const MONTH_NS: f64 = 30.0 * 86_400.0 * 1e9;
    // So rarely that it is never becomes the longest time that there is.
    let text = show_ns((MONTH_NS / in_30_days) as u64);
    // A round time has one unit.
    let round = [" 0 h", " 0 min", " 0 s"].iter().find_map(|end| text.strip_suffix(end));
    format!("1 in {}", round.unwrap_or(&text))
}

/// A part of a whole in percent, with one decimal: `12.5 %`. It is empty if there is no whole.
#[expect(clippy::float_arithmetic, reason = "for people")]
pub fn show_part(part: u64, whole: u64) -> String {
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
        assert_eq!([show_counted(1, "event"), show_counted(2_000, "event")], ["1 event", "2 000 events"]);
        assert_eq!(show_time(1_234_567_899_999), "1 234.567 s");
        assert_eq!([990_000, 999_000, 500_000, 999_999].map(show_quantile), ["P99", "P99.9", "P50", "P99.9999"]);
    }

    #[test]
    fn rates_are_shown_as_one_in_a_time() {
        let shown = [1.0, 2.0, 30.0 * 24.0, 30.0 * 86_400.0, 0.0].map(show_every);
        assert_eq!(shown, ["1 in 30 d", "1 in 15 d", "1 in 60 min", "1 in 1 s", "1 in 213503 d 23 h"]);
    }

    #[test]
    fn parts_are_shown_for_people() {
        assert_eq!(
            [show_part(1, 3), show_part(0, 7), show_part(7, 7), show_part(1, 0)],
            ["33.3 %", "0 %", "100 %", ""]
        );
    }
}
