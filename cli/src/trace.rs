//! `trip99 trace` makes a trace of any log, or of what a running engine does.

mod follow;

use crate::failure::Failure;
use crate::log::{self, Log};
use crate::settings::Settings;
use crate::warnings::Warnings;
use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use std::io::{self, BufWriter, Write};
use std::path::PathBuf;
use trip99_logs::{RowKind, TraceWriter};

/// How many rows wait at most: some megabytes.
const HELD: usize = 100_000;

pub(crate) fn command() -> Command {
    Command::new("trace")
        .args_override_self(true)
        .about("Make a trace of a log, or of a running engine: CSV that trip99 replay reads")
        .long_about(
            "Make a trace of a log: CSV with the header start_ns,latency_ns,ok,kind, on standard output.\n\n\
             What could not be read or paired is told on standard error.\n\n\
             With --follow, what stands for the log is the name of a page that trip99 ls shows, or its path. Its engine must have set tap_len. The \
             trace goes on until it is interrupted (Ctrl-C), even if the engine restarts. A row waits until no call that began \
             before it can come back, and for --reorder (5s) in case there are calls without tickets. So the rows ascend. Asks that gates, lanes \
             and the inline gate refuse aren't seen.",
        )
        .arg(
            Arg::new("follow")
                .long("follow")
                .short('f')
                .action(ArgAction::SetTrue)
                .conflicts_with_all(["from", "columns", "every", "config", "sort"])
                .help("Record a running engine by the tap of its page (tap_len), until interrupted"),
        )
        .arg(Arg::new("config").long("config").value_name("FILE").value_parser(value_parser!(PathBuf)).help(
            "A TOML file whose table [columns] tells what --columns and the options below it do; they override it",
        ))
        .args(log::args())
}

pub(crate) fn run(matches: &ArgMatches) -> Result<(), Failure> {
    if matches.get_flag("follow") {
        return follow::run(matches);
    }
    if let Some(path) = matches.get_one::<PathBuf>("config") {
        // A table by another name is a mistake, and so is a setting.
        Settings::default().set_from_file(path)?;
    }
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
    let mut warnings = Warnings::default();
    log.warn(&mut warnings);
    warnings.tell_all();
    Ok(())
}
