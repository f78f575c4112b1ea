//! What the peers notice, and when, as tables.

use super::{Row, Trip};
use crate::report::table;
use crate::traces::{CALMS, FILLS, TROUBLES};
use std::fmt::Write;

pub(crate) fn report(rows: &[Row]) -> String {
    let troubles: Vec<_> = TROUBLES.iter().map(|trouble| format!("- *{}*: {}.", trouble.name, trouble.what)).collect();
    let calms: Vec<_> = CALMS.iter().map(|calm| format!("- *{}*: {}.", calm.name, calm.what)).collect();
    let traces = |trips: &[Vec<Option<Trip>>]| trips.first().map_or(0, Vec::len);
    let first = rows.first().expect("somebody is fed");
    format!(
        "### False trips\n\n\
         Of {} traces of 6000 calls each, 200 a second. *0*, *512* and *1024* are how many calls fill the window before the\n\
         trace begins, all fast and at the same rate. *After* is how many calls of the trace were sent before a false trip of\n\
         any column.\n\n{}\n\n{}\n\
         ### Ms until noticed\n\n\
         200 calls a second. The trouble comes after 30 s of 5 ms a call. Medians over {} traces, and the least and most.\n\
         Slow is what takes longer than 200 ms.\n\n{}\n\n{}\n\
         ### Calls sent until noticed\n\n{}\n\
         ### Of them, back until noticed\n\n{}",
        traces(&first.calms),
        calms.join("\n"),
        false_trips(rows),
        traces(&first.troubles),
        troubles.join("\n"),
        noticed(rows, |trip| trip.after_ns.unwrap_or(0) / 1_000_000),
        noticed(rows, |trip| trip.sent as u64),
        noticed(rows, |trip| trip.returned as u64),
    )
}

fn false_trips(rows: &[Row]) -> String {
    let columns = CALMS.iter().flat_map(|calm| {
        FILLS.iter().map(|&fill| if fill == FILLS[0] { format!("{}: {fill}", calm.name) } else { fill.to_string() })
    });
    let header: Vec<_> = ["breaker".to_owned()].into_iter().chain(columns).chain(["after".to_owned()]).collect();
    let header: Vec<_> = header.iter().map(String::as_str).collect();
    table(&header, &rows.iter().map(false_trips_of).collect::<Vec<_>>())
}

fn false_trips_of(row: &Row) -> Vec<String> {
    let counts = row.calms.iter().map(|trips| trips.iter().flatten().count().to_string());
    let calls = range(row.calms.iter().flatten().flatten().map(|trip| trip.sent_in_all as u64));
    [row.name.clone()].into_iter().chain(counts).chain([calls.unwrap_or_else(|| "-".to_owned())]).collect()
}

/// A column for each trouble.
fn noticed(rows: &[Row], figure: fn(&Trip) -> u64) -> String {
    let header: Vec<_> = ["breaker"].into_iter().chain(TROUBLES.iter().map(|trouble| trouble.name)).collect();
    let cells = |row: &Row| {
        let figures = row.troubles.iter().map(|trips| cell(trips, figure));
        [row.name.clone()].into_iter().chain(figures).collect()
    };
    table(&header, &rows.iter().map(cells).collect::<Vec<_>>())
}

fn cell(trips: &[Option<Trip>], figure: fn(&Trip) -> u64) -> String {
    let (noticed, too_early): (Vec<&Trip>, Vec<&Trip>) =
        trips.iter().flatten().partition(|trip| trip.after_ns.is_some());
    let mut cell = range(noticed.iter().map(|trip| figure(trip))).unwrap_or_else(|| "never".to_owned());
    if !noticed.is_empty() && noticed.len() < trips.len() {
        write!(cell, ", in {} of {}", noticed.len(), trips.len()).expect("strings take all");
    }
    if !too_early.is_empty() {
        write!(cell, ", before it in {}", too_early.len()).expect("strings take all");
    }
    cell
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

    fn trip(after_ns: Option<u64>, sent_in_all: usize) -> Option<Trip> {
        Some(Trip { after_ns, sent: 7, returned: 3, sent_in_all })
    }

    #[test]
    fn a_cell_says_when_and_how_often() {
        let ms: fn(&Trip) -> u64 = |trip| trip.after_ns.unwrap_or(0) / 1_000_000;
        let (two, four) = (trip(Some(2_000_000), 50), trip(Some(4_999_999), 50));
        assert_eq!(cell(&[two, four], ms), "2 (2 to 4)");
        assert_eq!(cell(&[two, two], ms), "2");
        assert_eq!(cell(&[two, None], ms), "2, in 1 of 2");
        assert_eq!(cell(&[two, trip(None, 5), None], ms), "2, in 1 of 3, before it in 1");
        assert_eq!(cell(&[None], ms), "never");
    }

    #[test]
    fn false_trips_are_counted_by_column() {
        let calms = vec![vec![trip(None, 50), trip(None, 70)], vec![None, trip(None, 60)], vec![None, None]];
        let row = Row { name: "x".to_owned(), is_ours: true, troubles: Vec::new(), calms };
        assert_eq!(false_trips_of(&row), ["x", "2", "1", "0", "60 (50 to 70)"]);
    }
}
