//! Random texts, read by a map and by a naive reader.

use proptest::prelude::*;
use std::cell::Cell;
use std::io::{Cursor, Read};
use std::rc::Rc;
use trip99_logs::{Columns, LogError, MAX_LATENCY_NS, Row, RowKind, plain};

/// How a text is written.
#[derive(Clone, Debug)]
struct Style {
    delimiter: char,
    start_places: usize,
    latency_places: usize,
    line_end: &'static str,
    has_header: bool,
    has_mark: bool,
    space: &'static str,
}

const UNITS: [&str; 10] = ["ns", "", "", "us", "", "", "ms", "", "", "s"];

fn style() -> impl Strategy<Value = Style> {
    let places = || prop::sample::select(vec![0_usize, 3, 6, 9]);
    let ends = prop::sample::select(vec!["\n", "\r\n", "\n\n", "\r\n\r\n"]);
    let delimiters = prop::sample::select(vec![',', ';', '\t', '|']);
    (delimiters, places(), places(), ends, any::<bool>(), any::<bool>(), prop::sample::select(vec!["", " ", "  "]))
        .prop_map(|(delimiter, start_places, latency_places, line_end, has_header, has_mark, space)| Style {
            delimiter,
            start_places,
            latency_places,
            line_end,
            has_header,
            has_mark,
            space,
        })
}

/// A row, and a field beside it that doesn't matter, and whether fields are quoted.
fn rows() -> impl Strategy<Value = Vec<(Row, String, bool)>> {
    let latency =
        prop_oneof![Just(None), (0..=MAX_LATENCY_NS / 2).prop_map(Some), (0_u64..5_000_000_000).prop_map(Some)];
    let kind = prop::sample::select(vec![RowKind::Ask, RowKind::Free, RowKind::Withdrawn, RowKind::Refused]);
    let row = (0..u64::MAX / 2, latency, any::<bool>(), kind).prop_map(|(start_ns, latency_ns, ok, kind)| Row {
        start_ns,
        latency_ns,
        ok: ok || latency_ns.is_none(),
        kind,
    });
    prop::collection::vec((row, "[ -~\n]{0,12}", any::<bool>()), 0..12)
}

/// The number with its point before the last `places` digits.
fn decimal(number: u64, places: usize) -> String {
    let digits = format!("{number:0width$}", width = places + 1);
    let (whole, fraction) = digits.split_at(digits.len() - places);
    if places == 0 { whole.to_owned() } else { format!("{whole}.{fraction}") }
}

fn quote(text: &str) -> String {
    format!("\"{}\"", text.replace('"', "\"\""))
}

fn write(style: &Style, rows: &[(Row, String, bool)]) -> String {
    let delimiter = style.delimiter.to_string();
    let mut text = if style.has_mark { "\u{feff}".to_owned() } else { String::new() };
    if style.has_header {
        text += &["note", "took", "at", "fine", "kind"].join(&delimiter);
        text += style.line_end;
    }
    for (row, note, is_quoted) in rows {
        let space = if *is_quoted { "" } else { style.space };
        let latency = row.latency_ns.map_or("lost".to_owned(), |ns| decimal(ns, style.latency_places));
        let start = decimal(row.start_ns, style.start_places);
        let fields = [quote(note), latency, start, row.ok.to_string(), row.kind.name().to_owned()];
        let fields = fields.iter().enumerate().map(|(index, field)| match (index, is_quoted) {
            (0, _) => field.clone(),
            (_, true) => quote(field),
            (_, false) => format!("{space}{field}{space}"),
        });
        text += &fields.collect::<Vec<_>>().join(&delimiter);
        text += style.line_end;
    }
    text
}

fn map(style: &Style) -> Columns {
    let (start, latency) = (UNITS[style.start_places], UNITS[style.latency_places]);
    let columns = if style.has_header {
        Columns::parse(&format!("start=at:{start},latency=took:{latency},ok=fine,kind=kind"))
    } else {
        Columns::parse(&format!("start=3:{start},latency=2:{latency},ok=4,kind=5")).map(Columns::no_header)
    };
    columns.unwrap().lost(["lost"])
}

/// The records of a text by RFC 4180, character by character.
fn naive_records(text: &str, delimiter: char) -> Vec<Vec<String>> {
    let (mut records, mut record, mut field, mut is_quoted) = (Vec::new(), Vec::new(), String::new(), false);
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '"' if is_quoted && chars.peek() == Some(&'"') => field.extend(chars.next()),
            '"' => is_quoted = !is_quoted,
            _ if is_quoted => field.push(c),
            '\n' => {
                record.push(std::mem::take(&mut field));
                records.push(std::mem::take(&mut record));
            }
            _ if c == delimiter => record.push(std::mem::take(&mut field)),
            _ => field.push(c),
        }
    }
    records.retain(|record: &Vec<String>| record.len() > 1);
    records
}

/// The number without its point, which is in nanoseconds then.
fn naive_ns(text: &str) -> u64 {
    text.trim().replace('.', "").parse().unwrap()
}

fn naive_rows(style: &Style, text: &str) -> Vec<Row> {
    let records = naive_records(text, style.delimiter);
    let rows = records.iter().skip(style.has_header.into());
    rows.map(|record| Row {
        start_ns: naive_ns(&record[2]),
        latency_ns: (record[1].trim() != "lost").then(|| naive_ns(&record[1])),
        ok: record[3].trim() == "true",
        kind: match record[4].trim() {
            "ask" => RowKind::Ask,
            "free" => RowKind::Free,
            "withdrawn" => RowKind::Withdrawn,
            _ => RowKind::Refused,
        },
    })
    .collect()
}

/// Gives what it has in pieces of this length.
struct Pieces(Cursor<Vec<u8>>, usize);

impl Read for Pieces {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let len = buffer.len().min(self.1);
        self.0.read(&mut buffer[..len])
    }
}

/// Gives one line a time, and counts them.
struct Lines(std::vec::IntoIter<&'static str>, Rc<Cell<usize>>);

impl Read for Lines {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        self.1.set(self.1.get() + 1);
        let line = self.0.next().unwrap_or_default();
        buffer[..line.len()].copy_from_slice(line.as_bytes());
        Ok(line.len())
    }
}

#[test]
fn a_row_is_there_as_soon_as_its_line() {
    let lines = vec!["start_ns,latency_ns\n", "1,2\n", "\n3,4\r\n", "5,\n", "7,8\n"];
    let read = Rc::new(Cell::new(0));
    let text = plain(Lines(lines.into_iter(), read.clone()), "-").unwrap();
    let mut rows = Columns::of_trace().read(text, "-").unwrap();
    for (start_ns, expected) in [(1, 2), (3, 3), (5, 4), (7, 5)] {
        assert_eq!(rows.next().unwrap().unwrap().start_ns, start_ns);
        assert_eq!(read.get(), expected, "no line is waited for that isn't needed");
    }
    assert!(rows.next().is_none());
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(style in style(), rows in rows(), len in 1_usize..40) {
        let text = write(&style, &rows);
        // The delimiter is found in the first line, so it is given where that one might mislead.
        let columns = map(&style);
        let columns = if style.has_header { columns } else { columns.delimiter(style.delimiter).unwrap() };
        let pieces = plain(Pieces(Cursor::new(text.clone().into_bytes()), len), "t.csv").unwrap();
        let read: Result<Vec<Row>, LogError> = columns.read(pieces, "t.csv").unwrap().collect();
        let written: Vec<_> = rows.iter().map(|(row, ..)| *row).collect();
        prop_assert_eq!(read.as_ref(), Ok(&written), "{}", text);
        prop_assert_eq!(read, Ok(naive_rows(&style, &text)), "{}", text);
    }

    #[test]
    fn a_mistake_is_told_with_its_line(style in style(), rows in rows()) {
        let text = write(&style, &rows);
        let start = text.len();
        let line = 1 + text.matches('\n').count();
        let text = format!("{text}{}", ["x", "1", "-7", "true", "ask\n"].join(&style.delimiter.to_string()));
        prop_assert!(text.len() > start);
        let columns = map(&style).delimiter(style.delimiter).unwrap();
        let wrong = columns.read(text.as_bytes(), "t.csv").unwrap().find_map(Result::err).unwrap().to_string();
        prop_assert!(wrong.starts_with(&format!("t.csv: line {line}: ")) && wrong.contains("is \"-7\""), "{}: {:?}", wrong, text);
    }

    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), map in 0_usize..4) {
        let columns = match map {
            0 => Columns::of_trace(),
            1 => Columns::parse("start=1,latency=2").unwrap().no_header(),
            2 => Columns::parse("end=1:s,latency=2,ok=1,kind=2").unwrap().only("1", "x"),
            _ => Columns::parse("start=1:iso,end=1").unwrap().no_header(),
        };
        if let Ok(text) = plain(Cursor::new(bytes), "t.csv") && let Ok(rows) = columns.read(text, "t.csv") {
            prop_assert!(rows.count() <= 200);
        }
    }

    #[test]
    fn no_text_panics(text in "[0-9a-zTZ,;:\"\n\r. +-]{0,200}", map in "[a-z0-9=,:|]{0,30}") {
        let columns = Columns::parse(&map).unwrap_or_else(|_| Columns::parse("start=1,end=2").unwrap().no_header());
        if let Ok(rows) = columns.read(text.as_bytes(), "t.csv") {
            prop_assert!(rows.count() <= 200);
        }
    }
}
