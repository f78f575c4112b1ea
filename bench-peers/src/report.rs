//! The results as Markdown, which people can read as it stands.

use crate::detection::{Row, TRACES, Trip};
use crate::peers::Entry;
use crate::speed::{Line, Spread};
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
        [entry.name, entry.judges, entry.clock, entry.virtual_time.unwrap_or("not fed: it reads the clock")]
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
            let ratio = |base: &Line| {
                let ratio = Spread::of(line.ns.iter().zip(&base.ns).map(|(ns, base_ns)| ns / base_ns));
                format!("{} ({} to {})", digits(ratio.median), digits(ratio.low), digits(ratio.high))
            };
            let ns = Spread::of(line.ns.iter().copied());
            let spread = format!("{} to {}", digits(ns.low), digits(ns.high));
            vec![line.name.to_owned(), format!("{} ns", digits(ns.median)), spread, ratio(record_at), ratio(record)]
        })
        .collect();
    table(&["a successful call", "median", "quartiles", "x `allow` + `record_at`", "x `allow` + `record`"], &rows)
}

/// Three digits.
fn digits(figure: f64) -> String {
    let places = match figure {
        ..10.0 => 2,
        ..100.0 => 1,
        _ => 0,
    };
    format!("{figure:.places$}")
}

/// One table for each kind of trouble, and false trips.
pub(crate) fn detection(rows: &[Row]) -> String {
    let mut text = String::new();
    for (index, kind) in KINDS.iter().enumerate() {
        let cells: Vec<_> = rows.iter().map(|row| outcome(row.name, &row.trips[index])).collect();
        let header = ["breaker", "trips", "after", "calls sent by then", "of them back", "false trips"];
        write!(text, "### {}\n\n{}.\n\n{}\n", kind.name, kind.what, table(&header, &cells)).expect("strings take all");
    }
    text
}

fn outcome(name: &str, trips: &[Option<Trip>]) -> Vec<String> {
    let true_trips: Vec<_> = trips.iter().flatten().filter(|trip| trip.after_ns.is_some()).collect();
    let false_trips = trips.iter().flatten().count() - true_trips.len();
    let figure = |of: &dyn Fn(&Trip) -> f64| {
        if true_trips.is_empty() {
            return "-".to_owned();
        }
        let mut figures: Vec<_> = true_trips.iter().map(|trip| of(trip)).collect();
        figures.sort_by(f64::total_cmp);
        let (low, median, high) = (figures[0], figures[(figures.len() - 1) / 2], figures[figures.len() - 1]);
        if low == high { format!("{low:.0}") } else { format!("{median:.0} ({low:.0} to {high:.0})") }
    };
    vec![
        name.to_owned(),
        if true_trips.is_empty() { "never".to_owned() } else { format!("{} of {TRACES}", true_trips.len()) },
        match figure(&|trip| trip.after_ns.unwrap_or(0) as f64 / 1e6) {
            none if none == "-" => none,
            ms => format!("{ms} ms"),
        },
        figure(&|trip| trip.sent as f64),
        figure(&|trip| trip.returned as f64),
        format!("{false_trips} of {TRACES}"),
    ]
}
