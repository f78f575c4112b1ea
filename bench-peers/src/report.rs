//! The results as Markdown, which people can read as it stands.

use crate::detection::{Row, Trip};
use crate::peers::Entry;
use crate::rounds::{Line, Spread};
use crate::traces::KINDS;
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

/// A table for each kind of trace.
pub(crate) fn detection(rows: &[Row]) -> String {
    let mut text = String::new();
    for (index, kind) in KINDS.iter().enumerate() {
        let (what, traces) = (kind.what, rows.first().map_or(0, |row| row.trips[index].len()));
        let cells: Vec<_> = rows.iter().map(|row| outcome(row.name, &row.trips[index])).collect();
        let header = ["breaker", "trips", "after", "calls sent by then", "of them back", "false trips"];
        let table = table(&header, &cells);
        write!(text, "\n### {}\n\n{what}; {traces} traces.\n\n{table}", kind.name).expect("strings take all");
    }
    text
}

fn outcome(name: &str, trips: &[Option<Trip>]) -> Vec<String> {
    let (true_trips, false_trips): (Vec<&Trip>, Vec<&Trip>) =
        trips.iter().flatten().partition(|trip| trip.after_ns.is_some());
    let after_ms = range(true_trips.iter().map(|trip| trip.after_ns.unwrap_or(0) / 1_000_000));
    let mut false_cell = share(false_trips.len(), trips.len());
    if let Some(calls) = range(false_trips.iter().map(|trip| trip.sent_in_all as u64)) {
        write!(false_cell, ", after {calls} calls").expect("strings take all");
    }
    let or_dash = |cell: Option<String>| cell.unwrap_or_else(|| "-".to_owned());
    vec![
        name.to_owned(),
        share(true_trips.len(), trips.len()),
        or_dash(after_ms.map(|ms| format!("{ms} ms"))),
        or_dash(range(true_trips.iter().map(|trip| trip.sent as u64))),
        or_dash(range(true_trips.iter().map(|trip| trip.returned as u64))),
        false_cell,
    ]
}

fn share(count: usize, of: usize) -> String {
    if count == 0 { "never".to_owned() } else { format!("{count} of {of}") }
}

/// Median, and least to most if they differ.
fn range(figures: impl Iterator<Item = u64>) -> Option<String> {
    let mut figures: Vec<_> = figures.collect();
    figures.sort();
    let (&low, &high) = (figures.first()?, figures.last()?);
    let median = figures[(figures.len() - 1) / 2];
    Some(if low == high { low.to_string() } else { format!("{median} ({low} to {high})") })
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

    #[test]
    fn trips_are_counted_by_kind() {
        let trip = |after_ns| Some(Trip { after_ns, sent: 7, returned: 3, sent_in_all: 50 });
        let trips = [trip(Some(2_000_000)), trip(Some(4_999_999)), trip(None), None];
        assert_eq!(outcome("x", &trips), ["x", "2 of 4", "2 (2 to 4) ms", "7", "3", "1 of 4, after 50 calls"]);
        assert_eq!(outcome("x", &[None]), ["x", "never", "-", "-", "-", "never"]);
    }
}
