//! The results as Markdown, which people can read as it stands.

use crate::peers::Entry;
use crate::rounds::{Line, Spread};
use std::fmt::Write;

/// Columns as wide as their widest cell.
pub(crate) fn table(header: &[&str], rows: &[Vec<String>]) -> String {
    let width = |column: usize| {
        let cells = rows.iter().map(|row| row[column].chars().count());
        cells.chain([header[column].chars().count()]).max().unwrap_or(0)
    };
    let widths: Vec<_> = (0..header.len()).map(width).collect();
    let mut text = String::new();
    let mut line = |cells: &mut dyn Iterator<Item = &str>| {
        for (cell, &width) in cells.zip(&widths) {
            write!(text, "| {cell:width$} ").expect("strings take all");
        }
        text.push_str("|\n");
    };
    line(&mut header.iter().copied());
    let rules: Vec<_> = widths.iter().map(|&width| "-".repeat(width)).collect();
    line(&mut rules.iter().map(String::as_str));
    for row in rows {
        line(&mut row.iter().map(String::as_str));
    }
    text
}

pub(crate) fn peers(entries: &[Entry]) -> String {
    let row = |entry: &Entry| {
        [entry.name, entry.judges, entry.clock, entry.virtual_time.unwrap_or_else(|why_not| why_not)]
            .map(str::to_owned)
            .to_vec()
    };
    table(
        &["breaker", "judges", "reads a clock, each call", "virtual time"],
        &entries.iter().map(row).collect::<Vec<_>>(),
    )
}

/// Ratios are taken round by round. The first two entries are what the others are compared to.
pub(crate) fn speed(lines: &[Line], entries: &[Entry]) -> String {
    let find = |name: &str| lines.iter().find(|line| line.name == name).expect("each entry is timed");
    let (record_at, record) = (find(entries[0].name), find(entries[1].name));
    let rows: Vec<_> = lines
        .iter()
        .map(|line| {
            let ratio = |base: &Line| ratio(Spread::of_ratios(&line.ns, &base.ns));
            let ns = Spread::of(line.ns.iter().copied());
            vec![line.name.clone(), time(ns.median), quartiles(ns), ratio(record_at), ratio(record)]
        })
        .collect();
    table(&["a successful call", "median", "quartiles", "x record_at", "x record"], &rows)
}

/// Three digits, or two of what is small.
pub(crate) fn digits(figure: f64) -> String {
    let places = match figure.abs() {
        ..0.0995 => 3,
        ..9.995 => 2,
        ..99.95 => 1,
        _ => 0,
    };
    format!("{figure:.places$}")
}

/// With its unit: that of most figures, up to ten thousand.
pub(crate) fn time(ns: f64) -> String {
    match ns {
        ..10_000.0 => format!("{} ns", digits(ns)),
        ..10_000_000.0 => format!("{} µs", digits(ns / 1e3)),
        _ => format!("{} ms", digits(ns / 1e6)),
    }
}

/// Of times, whose unit is that of their median.
pub(crate) fn quartiles(ns: Spread) -> String {
    let unit = match ns.median {
        ..10_000.0 => 1.0,
        ..10_000_000.0 => 1e3,
        _ => 1e6,
    };
    format!("{} to {}", digits(ns.low / unit), digits(ns.high / unit))
}

/// A time with its quartiles, in one cell.
pub(crate) fn spread(ns: &[f64]) -> String {
    let ns = Spread::of(ns.iter().copied());
    format!("{} ({})", time(ns.median), quartiles(ns))
}

pub(crate) fn ratio(ratio: Spread) -> String {
    format!("{} ({} to {})", digits(ratio.median), digits(ratio.low), digits(ratio.high))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_even() {
        let rows = [vec!["x".to_owned(), "1".to_owned()], vec!["longer".to_owned(), "µs".to_owned()]];
        assert_eq!(table(&["a", "b"], &rows), "| a      | b  |\n| ------ | -- |\n| x      | 1  |\n| longer | µs |\n");
    }

    #[test]
    fn figures_have_two_or_three_digits() {
        let figures = [0.0123, 0.1, 0.333, 1.0, 9.999, 84.81, 123.4, 4567.8].map(digits);
        assert_eq!(figures, ["0.012", "0.10", "0.33", "1.00", "10.0", "84.8", "123", "4568"]);
    }

    #[test]
    fn times_have_a_unit_that_suits_them() {
        let times = [0.3, 9999.0, 12_345.0, 2_000_000.0, 12_345_678.0].map(time);
        assert_eq!(times, ["0.30 ns", "9999 ns", "12.3 µs", "2000 µs", "12.3 ms"]);
        let spread = Spread { low: 9000.0, median: 12_000.0, high: 123_000.0 };
        assert_eq!(quartiles(spread), "9.00 to 123");
    }
}
