//! Any bytes are read as a log, in each form and by a few maps. No reader panics or hangs, each ends after its first error, and the rows
//! of those that put rows in order ascend. What is read can be written as a trace, and read back.
#![no_main]

use libfuzzer_sys::fuzz_target;
use std::io::Cursor;
use trip99_logs::fix::{self, FixOptions};
use trip99_logs::profile::Profiler;
use trip99_logs::{
    Bare, BareOptions, Columns, LogError, Ping, PingOptions, Row, Trace, Unit, plain, reordered, sorted, write_trace,
};

const FILE: &str = "log";
/// More rows than a log of so few bytes can have, but for pings that were lost.
const MANY: usize = 100_000;

fuzz_target!(|bytes: &[u8]| {
    let Some((&form, bytes)) = bytes.split_first() else { return };
    let Ok(input) = plain(Cursor::new(bytes.to_vec()), FILE) else { return };
    let maps = ["start=start:iso,latency=latency:ms,ok=ok=200|201", "end=1:us,latency=2:s", "start=1,end=2:ms,kind=3"];
    let columns =
        |map: &str| Columns::parse(map).expect("a legal map").lost(["LOSS"]).zone("Europe/London").expect("a zone");
    let rows: Option<Box<dyn Iterator<Item = Result<Row, LogError>>>> = match form % 8 {
        0 => boxed(Trace::new(input, FILE.to_owned(), true)),
        1 => boxed(Columns::of_trace().read(input, FILE)),
        2 => boxed(columns(maps[0]).read(input, FILE)),
        3 => boxed(columns(maps[1]).no_header().read(input, FILE)),
        4 => boxed(columns(maps[2]).no_header().read(input, FILE)),
        5 => boxed(fix::read(vec![(FILE.to_owned(), input)], FixOptions::default())),
        6 => Some(Box::new(Ping::new(input, FILE.to_owned(), PingOptions::default()))),
        _ => Some(Box::new(Bare::new(input, FILE.to_owned(), BareOptions { every_ns: 1_000, unit: Unit::Us }))),
    };
    let Some(mut rows) = rows else { return };
    let is_ordered = !(1..=4).contains(&(form % 8));
    if !is_ordered && form < 128 {
        rows = Box::new(sorted(rows));
    } else if !is_ordered {
        rows = Box::new(reordered(rows, 1_000_000));
    }
    let mut read = Vec::new();
    for row in rows.by_ref().take(MANY) {
        let Ok(row) = row else {
            assert!(rows.next().is_none(), "rows after an error");
            break;
        };
        assert!(
            row.latency_ns
                .is_none_or(|latency_ns| row.start_ns.checked_add(latency_ns).is_some() && latency_ns >> 63 == 0)
        );
        read.push(row);
    }
    assert!(read.is_sorted_by_key(|row: &Row| row.start_ns));
    let mut profiler = Profiler::default();
    read.iter().for_each(|row| profiler.take(row));
    assert_eq!(profiler.finish().rows, read.len() as u64);
    let mut written = Vec::new();
    write_trace(&mut written, &read).expect("memory takes all");
    let again: Vec<Row> =
        Trace::new(&written[..], FILE.to_owned(), true).and_then(Iterator::collect).expect("it is a trace");
    assert_eq!(again, read);
});

fn boxed<I: Iterator<Item = Result<Row, LogError>> + 'static>(
    rows: Result<I, LogError>,
) -> Option<Box<dyn Iterator<Item = Result<Row, LogError>>>> {
    rows.ok().map(|rows| Box::new(rows) as _)
}
