//! The log that a command reads: which files, in which form, in which order.

mod progress;
mod table;
mod how;

use crate::failure::Failure;
use crate::warnings::Warnings;
use clap::{Arg, ArgAction, ArgMatches, value_parser};
pub(crate) use how::duration;
use how::{How, Order};
pub(crate) use progress::PATIENCE;
use progress::Progress;
use std::cell::RefCell;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use trip99_logs::fix::{self, FixOptions};
use trip99_logs::{
    Bare, BareOptions, Columns, LogError, Notes, Ping, PingOptions, Row, Trace, Unit, plain, reordered, sorted,
};

pub(crate) type Rows = Box<dyn Iterator<Item = Result<Row, LogError>>>;

/// What tells how a log is to be read.
pub(crate) fn args() -> Vec<Arg> {
    let text = |name: &'static str, value: &'static str, help: &'static str| {
        Arg::new(name).long(name).value_name(value).allow_hyphen_values(true).help(help)
    };
    let files = Arg::new("log").value_name("LOG").required(true).num_args(1..).value_parser(value_parser!(PathBuf));
    vec![
        files.help("The log; - reads standard input. Packed by gzip or zstd is fine. Several are read as one, in this order"),
        text("from", "FORM", "What the log is, if it is no trace: csv (a trace as others write it: quoted, ; for a comma, true for 1), fix or ping")
            .value_parser(["trace", "csv", "fix", "ping"])
            .conflicts_with_all(["columns", "every"]),
        text(
            "columns",
            "MAP",
            "Where a table has what, by name or number: start=timeStamp:ms,latency=elapsed:ms,ok=success=true,kind=type; end=... in \
             place of start; units s, ms, us, ns, iso",
        )
        .conflicts_with("every"),
        text("every", "DURATION", "The log is bare latencies, one a line, of calls that began so far apart"),
        text("unit", "UNIT", "With --every: the unit of numbers without one [default: ns]").requires("every"),
        Arg::new("no-header")
            .long("no-header")
            .action(ArgAction::SetTrue)
            .help("With --columns: the table has no header; columns have numbers"),
        text("delimiter", "SIGN", "What stands between two fields, or tab [default: found out]"),
        text("zone", "ZONE", "The zone of stamps without one: +09:00, Europe/London [default: UTC; of dates none]"),
        text("lost", "VALUES", "Latencies that mean that the call never came back, as LOSS,-,timeout; an empty one always does"),
        text("where", "COLUMN=VALUE", "Only rows whose column has this value; may be given more than once")
            .action(ArgAction::Append),
        text("side", "COMPID", "With --from fix: our SenderCompID [default: who sends the orders]"),
        Arg::new("sort")
            .long("sort")
            .action(ArgAction::SetTrue)
            .conflicts_with("reorder")
            .help("Sort the rows by start first (in memory); otherwise they must ascend"),
        text("reorder", "DURATION", "Rows may start so much before one above them, as in logs written in order of completion"),
    ]
}

/// A log that is open.
pub(crate) struct Log {
    /// What messages and reports call it.
    pub(crate) name: String,
    /// It comes through standard input, maybe slowly.
    pub(crate) is_live: bool,
    pub(crate) rows: Rows,
    pub(crate) progress: Progress,
    /// What made no pair, if the log is of FIX.
    fix: Option<Rc<RefCell<fix::FixRows>>>,
    /// What was odd about the texts.
    notes: Vec<Notes>,
}

impl Log {
    pub(crate) fn open(matches: &ArgMatches) -> Result<Self, Failure> {
        let paths: Vec<&PathBuf> = matches.get_many("log").into_iter().flatten().collect();
        let how = How::new(matches)?;
        let get = |name: &str| how.get(name);
        let (order, columns) = (how.order()?, how.columns()?);
        let form = get("from").unwrap_or("trace");
        let sources = paths.iter().map(|path| Source::open(path)).collect::<Result<Vec<_>, _>>()?;
        let is_live = paths.iter().any(|path| path.as_path() == Path::new("-"));
        let len = sources.iter().map(|source| source.len).sum::<Option<u64>>();
        let progress = Progress::new(len);
        let names: Vec<String> = sources.iter().map(|source| source.name.clone()).collect();
        let mut inputs = Vec::new();
        for source in sources {
            inputs.push((source.name.clone(), plain(progress.input(source.input), &source.name)?));
        }
        let (mut fix, mut notes, name) = (None, Vec::new(), names.join(", "));
        let mut rows: Rows = if form == "fix" {
            let options = FixOptions {
                side: get("side").map(str::to_owned),
                offset_minutes: get("zone").map_or(Ok(0), offset_minutes)?,
                ..FixOptions::default()
            };
            let rows = Rc::new(RefCell::new(fix::read(inputs, options)?));
            fix = Some(Rc::clone(&rows));
            Box::new(std::iter::from_fn(move || rows.borrow_mut().next()))
        } else {
            // One after another. Each is opened now, so that a mistake in the last one is told before the first one is read.
            let mut logs: Vec<Rows> = Vec::new();
            for (file, input) in inputs {
                let rows: Rows = match (form, &columns, get("every")) {
                    ("ping", ..) => Box::new(Ping::new(input, file, PingOptions::default())),
                    ("csv", ..) => {
                        let rows = Columns::of_trace().read(input, &file)?;
                        notes.push(rows.notes());
                        Box::new(rows)
                    }
                    (_, Some(columns), _) => {
                        let rows = columns.read(input, &file)?;
                        notes.push(rows.notes());
                        Box::new(rows)
                    }
                    (_, _, Some(every)) => {
                        let unit = get("unit").unwrap_or("ns");
                        let unit = Unit::parse(unit)
                            .ok_or_else(|| Failure::new(format_args!("--unit is {unit}; legal: s, ms, us or ns")))?;
                        Box::new(Bare::new(input, file, BareOptions { every_ns: duration("--every", every)?, unit }))
                    }
                    _ => {
                        let rows = Trace::new(input, file, matches!(order, Order::Ascending))?;
                        notes.push(rows.notes());
                        Box::new(rows)
                    }
                };
                logs.push(rows);
            }
            Box::new(logs.into_iter().flatten())
        };
        let is_checked = columns.is_none() && form != "csv" && paths.len() == 1;
        rows = match order {
            Order::Any => Box::new(sorted(rows)),
            Order::Within(within_ns) => Box::new(reordered(rows, within_ns)),
            Order::Ascending if is_checked => rows,
            Order::Ascending => Box::new(reordered(rows, 0)),
        };
        Ok(Self { name, is_live, rows, progress, fix, notes })
    }

    /// Keeps what was odd about how the log was read. To be called after the last row.
    pub(crate) fn warn(&self, warnings: &mut Warnings) {
        self.notes.iter().flat_map(Notes::texts).for_each(|note| warnings.keep(note));
        if let Some(fix) = &self.fix {
            fix.borrow().unpaired().to_string().lines().for_each(|line| warnings.keep(line));
        }
    }
}

/// `+09:00`, `-0530`, `UTC`.
fn offset_minutes(zone: &str) -> Result<i32, Failure> {
    let wrong = || Failure::new(format_args!("--zone is {zone:?}; legal for FIX: an offset like +09:00, or UTC"));
    if matches!(zone, "UTC" | "Z") {
        return Ok(0);
    }
    let (sign, digits) = match zone.split_at_checked(1) {
        Some(("+", digits)) => (1, digits.replace(':', "")),
        Some(("-", digits)) => (-1, digits.replace(':', "")),
        _ => return Err(wrong()),
    };
    let number =
        digits.parse::<i32>().ok().filter(|_| digits.len() == 4 && digits.bytes().all(|byte| byte.is_ascii_digit()));
    let number = number.filter(|number| number % 100 < 60).ok_or_else(wrong)?;
    Ok(sign * (number / 100 * 60 + number % 100))
}

struct Source {
    /// The name that messages use.
    name: String,
    input: Box<dyn Read>,
    /// The length in bytes, if it is known.
    len: Option<u64>,
}

impl Source {
    fn open(path: &Path) -> Result<Self, Failure> {
        if path == Path::new("-") {
            return Ok(Self { name: "standard input".to_owned(), input: Box::new(io::stdin().lock()), len: None });
        }
        let name = path.display().to_string();
        let file = File::open(path)
            .map_err(|error| Failure::new(format_args!("{name}: {error}; legal: a log, or - for standard input")))?;
        let metadata = file.metadata().ok();
        if metadata.as_ref().is_some_and(std::fs::Metadata::is_dir) {
            return Err(Failure::new(format_args!("{name}: a directory; legal: a log, or - for standard input")));
        }
        // A pipe has no length.
        let len = metadata.filter(std::fs::Metadata::is_file).map(|metadata| metadata.len());
        Ok(Self { name, input: Box::new(file), len })
    }
}
