//! `trip99 trace` makes a trace of any log.

use crate::failure::{Failure, warn};
use crate::log::{self, Log};
use clap::{ArgMatches, Command};
use std::io::{self, BufWriter, Write};
use trip99_logs::{RowKind, TraceWriter};

/// How many rows wait at most: some megabytes.
const HELD: usize = 100_000;

pub(crate) fn command() -> Command {
    Command::new("trace")
        .args_override_self(true)
        .about("Make a trace of a log: CSV that trip99 replay reads")
        .long_about(
            "Make a trace of a log: CSV with the header start_ns,latency_ns,ok,kind, on standard output.\n\n\
             What could not be read or paired is told on standard error.",
        )
        .args(log::args())
}

pub(crate) fn run(matches: &ArgMatches) -> Result<(), Failure> {
    let mut log = Log::open(matches)?;
    let out = BufWriter::new(log.progress.output(io::stdout().lock()));
    // Most logs have only rows that ask. Then the trace needs no column for kinds: so the first rows wait for one that has another.
    let mut held = Vec::new();
    let mut has_kinds = false;
    for row in log.rows.by_ref().take(HELD) {
        let row = row?;
        held.push(row);
        if row.kind != RowKind::default() {
            has_kinds = true;
            break;
        }
    }
    let mut trace = TraceWriter::new(out, has_kinds || held.len() == HELD)?;
    held.iter().try_for_each(|row| trace.write(row))?;
    for row in log.rows.by_ref() {
        trace.write(&row?)?;
    }
    trace.into_inner().flush()?;
    log.progress.finish();
    log.warnings().iter().for_each(warn);
    Ok(())
}
