//! Logs of millions of rows are streamed: memory doesn't grow with them, in any form. Rows are made as they are read, so no disk is needed.
//!
//! `TRIP99_ROWS=10000000 cargo test --release -p trip99-logs --test stream -- --ignored --nocapture` prints rows a second and the most memory.
#![cfg(target_os = "linux")]

use flate2::Compression;
use flate2::read::GzEncoder;
use std::fmt::Write as _;
use std::fs;
use std::io::{self, Read};
use std::time::Instant;
use trip99_logs::fault::random_of;
use trip99_logs::fix::{self, FixOptions};
use trip99_logs::{Bare, BareOptions, Columns, LogError, Ping, PingOptions, Row, Trace, Unit, plain, reordered};

/// A row and the next are so far apart, in milliseconds.
const STEP_MS: u64 = 10;
/// 2026-03-02 00:00:00 UTC.
const BASE_MS: u64 = 1_772_409_600_000;
/// Each such call never comes back.
const LOST: u64 = 1009;

/// From 1 to 5 ms, in microseconds.
fn latency_us(row: u64) -> u64 {
    1000 + random_of(7, row) % 4000
}

/// A text of so many rows, each made when it is read.
struct Text {
    write: fn(u64, &mut String),
    row: u64,
    rows: u64,
    line: String,
    read: usize,
}

impl Text {
    fn new(header: &str, rows: u64, write: fn(u64, &mut String)) -> Self {
        Self { write, row: 0, rows, line: header.to_owned(), read: 0 }
    }
}

impl Read for Text {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.read == self.line.len() {
            (self.read, self.line) = (0, String::new());
            // Some at once, so that what is measured is the reader.
            while self.line.len() < 10_000 && self.row < self.rows {
                (self.write)(self.row, &mut self.line);
                self.row += 1;
            }
        }
        let rest = &self.line.as_bytes()[self.read..];
        let len = rest.len().min(buffer.len());
        buffer[..len].copy_from_slice(&rest[..len]);
        self.read += len;
        Ok(len)
    }
}

fn trace(row: u64, out: &mut String) {
    let start_ns = (BASE_MS + row * STEP_MS) * 1_000_000;
    let _ = match row % LOST {
        0 => writeln!(out, "{start_ns},,1,ask"),
        _ => writeln!(out, "{start_ns},{},1,ask", latency_us(row) * 1000),
    };
}

fn table(row: u64, out: &mut String) {
    let stamp_ms = BASE_MS + row * STEP_MS;
    let _ = match row % LOST {
        0 => writeln!(out, "{stamp_ms},timeout,\"POST \"\"order\"\"\",false"),
        _ => writeln!(
            out,
            "{stamp_ms},{}.{:03},\"POST \"\"order\"\"\",true",
            latency_us(row) / 1000,
            latency_us(row) % 1000
        ),
    };
}

fn ping(row: u64, out: &mut String) {
    if row % LOST == 1 {
        return; // a gap in icmp_seq
    }
    let us = latency_us(row);
    let stamp_us = (BASE_MS + row * STEP_MS) * 1000 + us;
    let (s, rest_us) = (stamp_us / 1_000_000, stamp_us % 1_000_000);
    let (seq, ms, rest) = ((row + 1) % 65_536, us / 1000, us % 1000);
    let _ = writeln!(out, "[{s}.{rest_us:06}] 64 bytes from 10.0.0.1: icmp_seq={seq} ttl=64 time={ms}.{rest:03} ms");
}

fn bare(row: u64, out: &mut String) {
    let _ = if row.is_multiple_of(LOST) { writeln!(out) } else { writeln!(out, "{}", latency_us(row) * 1000) };
}

/// An order, and the answer before the next order.
fn orders(row: u64, out: &mut String) {
    let stamp = |us: u64| {
        let (s, day) = (us / 1_000_000 % 86_400, us / 86_400_000_000 + 2);
        format!("202603{day:02}-{:02}:{:02}:{:02}.{:06}", s / 3600, s / 60 % 60, s % 60, us % 1_000_000)
    };
    let at_us = row * STEP_MS * 1000;
    let begin = stamp(at_us);
    let _ = writeln!(
        out,
        "{begin} : 8=FIX.4.4|9=100|35=D|49=US|56=VENUE|34={row}|11=order-{row}|55=BTCUSD|54=1|38=1|40=2|44=1|10=000|"
    );
    if !row.is_multiple_of(LOST) {
        let end = stamp(at_us + latency_us(row));
        let _ = writeln!(
            out,
            "{end} : 8=FIX.4.4|9=100|35=8|49=VENUE|56=US|34={row}|37=x{row}|11=order-{row}|150=0|39=0|10=000|"
        );
    }
}

type Rows = Box<dyn Iterator<Item = Result<Row, LogError>>>;

/// The rows of a log in this form, by the readers that the command uses.
fn open(form: &str, rows: u64) -> Rows {
    let name = || form.to_owned();
    let unpacked = |text: Text| plain(text, form).expect("it begins");
    let header = "start_ns,latency_ns,ok,kind\n";
    match form {
        "trace" => Box::new(Trace::new(unpacked(Text::new(header, rows, trace)), name(), true).expect("a trace")),
        "trace.gz" => {
            let packed = GzEncoder::new(Text::new(header, rows, trace), Compression::fast());
            Box::new(Trace::new(plain(packed, form).expect("it begins"), name(), true).expect("a trace"))
        }
        "columns" => {
            let map = "start=timeStamp:ms,latency=elapsed:ms,ok=success=true";
            let columns = Columns::parse(map).expect("a map").lost(["timeout"]).in_order();
            let table = Text::new("timeStamp,elapsed,label,success\n", rows, table);
            Box::new(reordered(columns.read(unpacked(table), form).expect("a table"), 0))
        }
        "ping" => {
            let options = PingOptions { interval_ns: STEP_MS * 1_000_000 };
            Box::new(Ping::new(unpacked(Text::new("", rows, ping)), name(), options))
        }
        "bare" => {
            let options = BareOptions { every_ns: STEP_MS * 1_000_000, unit: Unit::Ns };
            Box::new(Bare::new(unpacked(Text::new("", rows, bare)), name(), options))
        }
        "fix" => {
            let file = (name(), unpacked(Text::new("", rows, orders)));
            Box::new(fix::read(vec![file], FixOptions::default()).expect("a log"))
        }
        _ => panic!("no form {form}"),
    }
}

/// The most memory that this process has had since the count began again, in KiB.
fn most_kib() -> u64 {
    let status = fs::read_to_string("/proc/self/status").expect("Linux");
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).expect("the kernel counts");
    line.split_whitespace().nth(1).and_then(|kib| kib.parse().ok()).expect("a number")
}

/// Reads all rows: the most memory in KiB, and the seconds.
fn read(form: &str, rows: u64) -> (u64, f64) {
    fs::write("/proc/self/clear_refs", "5").expect("the count begins again");
    let begin = Instant::now();
    let (mut count, mut lost, mut last_ns, mut sum_us) = (0, 0, 0, 0);
    for row in open(form, rows) {
        let row = row.unwrap_or_else(|error| panic!("{error}"));
        assert!(row.start_ns >= last_ns, "{form}: row {count}");
        (count, last_ns) = (count + 1, row.start_ns);
        match row.latency_ns {
            Some(latency_ns) => sum_us += latency_ns / 1000,
            None => lost += 1,
        }
    }
    let seconds = begin.elapsed().as_secs_f64();
    let is_lost = |row: &u64| row % LOST == u64::from(form == "ping");
    assert_eq!((count, lost), (rows, (0..rows).filter(is_lost).count() as u64), "{form}");
    assert_eq!(sum_us, (0..rows).filter(|row| !is_lost(row)).map(latency_us).sum::<u64>(), "{form}");
    (most_kib(), seconds)
}

/// What any run may have more than another, in KiB: pages that the allocator keeps.
const ROOM_KIB: u64 = 2_000;
/// After so many rows each table of a reader is as large as it gets: that of FIX keeps the names of the last 65 536 calls.
const FEW: u64 = 1_000_000;

#[test]
#[ignore = "it reads millions of rows"]
fn memory_does_not_grow_with_rows() {
    let rows = std::env::var("TRIP99_ROWS").map_or(3 * FEW, |rows| rows.parse().expect("a number"));
    let only = std::env::var("TRIP99_FORM").ok();
    let forms = ["trace", "trace.gz", "columns", "ping", "bare", "fix"];
    for form in forms.into_iter().filter(|form| only.as_deref().is_none_or(|only| only == *form)) {
        // What the first run has freed the allocator keeps, and it takes large tables from elsewhere then.
        read(form, FEW);
        let (few_kib, _) = read(form, FEW);
        let (many_kib, seconds) = read(form, rows);
        let rate = rows as f64 / seconds;
        println!("{form:<8} {rows} rows, {rate:>9.0} rows/s, {many_kib} KiB ({few_kib} KiB with {FEW} rows)");
        assert!(many_kib <= few_kib + ROOM_KIB, "{form}: {few_kib} KiB, {many_kib} KiB");
    }
}
