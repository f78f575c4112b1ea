//! `trip99 replay` drives a breaker over a recorded trace, in virtual time.

mod report;
mod progress;

use crate::arguments::{format_arg, is_json};
use crate::failure::{Failure, warn};
use crate::json::Json;
use crate::settings::{self, Settings};
use crate::show::{show_counted, show_ns};
use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use console::Term;
use progress::Progress;
use report::{Looked, Text, armed_verdict};
use std::fs::File;
use std::io::{self, BufWriter, LineWriter, Read, Write};
use std::path::{Path, PathBuf};
use trip99::settings::Setting;
use trip99::{Config, PPM};
use trip99_logs::replay::{Report, Summary, replay};
use trip99_logs::{Row, Trace};

pub(crate) fn command() -> Command {
    Command::new("replay")
        .args_override_self(true)
        .about("Drive a breaker over a recorded trace, in virtual time")
        .long_about(
            "Drive a breaker over a recorded trace, in virtual time.\n\n\
             A trace is CSV with the header start_ns,latency_ns,ok,kind: when a call was to be sent, how long it took \
             (empty: it never came back), 1 or 0 (column optional, default 1), and a kind (column optional, default ask). \
             Each row asks the breaker; what it refuses does not happen. Other kinds are free (the call doesn't ask, as a \
             cancel), withdrawn (it asks, and is given up after latency_ns) and refused (it was refused when it was \
             recorded; granted now, it is not sent, and counts as unknown).\n\n\
             Durations are written like 200ms, 1.5s or 1m; a bare number is nanoseconds. Shares are fractions from 0 to 1.",
        )
        .arg(Arg::new("trace").value_name("TRACE").required(true).value_parser(value_parser!(PathBuf)).help(
            "The trace; - reads standard input",
        ))
        .arg(format_arg("Text for people, or one JSON object a line: transitions, then a summary"))
        .arg(Arg::new("sort").long("sort").action(ArgAction::SetTrue).help(
            "Sort the rows by start_ns first (in memory); otherwise they must ascend",
        ))
        .arg(
            Arg::new("config")
                .long("config")
                .value_name("FILE")
                .value_parser(value_parser!(PathBuf))
                .help("A TOML file of the settings below, named with underscores; options override it"),
        )
        .next_help_heading("Settings of the breaker")
        .args(Config::SETTINGS.iter().map(option))
}

fn option(setting: &Setting) -> Arg {
    let arg = Arg::new(setting.name()).long(settings::option(setting));
    let arg = arg.allow_negative_numbers(true).help(settings::help(setting));
    if settings::is_switch(setting) {
        arg.num_args(0..=1).require_equals(true).default_missing_value("true").value_name("true|false")
    } else {
        arg.value_name("VALUE")
    }
}

pub(crate) fn run(matches: &ArgMatches) -> Result<(), Failure> {
    let config = read_settings(matches)?;
    let sort = matches.get_flag("sort");
    let path = matches.get_one::<PathBuf>("trace").cloned().unwrap_or_default();
    let Source { name, input, len } = open(&path)?;
    let progress = Progress::new(len);
    let out = progress.output(io::stdout().lock());
    // What comes through a pipe may come slowly: each line is printed when it is known.
    let is_live = path == Path::new("-");
    let out: Box<dyn Write> = if is_live { Box::new(LineWriter::new(out)) } else { Box::new(BufWriter::new(out)) };
    let looked = Looked::default();
    let result = if is_json(matches) {
        replay_rows(&config, progress.input(input), name, sort, &looked, &mut Json(out))
    } else {
        let width = Term::stdout().size_checked().map(|(_, width)| width.into());
        let mut text = Text::new(out, name.clone(), width, &looked, is_live);
        replay_rows(&config, progress.input(input), name, sort, &looked, &mut text)
    };
    progress.finish();
    let summary = result?;
    looked.profile().warnings(&config, show_ns).iter().for_each(warn);
    no_verdict(&config, &summary).iter().for_each(warn);
    granted_anew(&summary).iter().for_each(warn);
    Ok(())
}

/// Rows asked, but there never were enough samples for a verdict.
fn no_verdict(config: &Config, summary: &Summary) -> Option<String> {
    armed_verdict(config).filter(|_| summary.asked > 0 && !summary.was_armed)?;
    // The other rules may have had theirs.
    let verdict = match (config.debt_limit, config.failure_rate_ppm) {
        (0, PPM) => "the quantile",
        (0, _) => "the quantile or the failure rate",
        _ => "the failure rate",
    };
    let show =
        |name| Config::setting(name).map_or(String::new(), |setting| format!("{name} is {}", setting.show(config)));
    let (age, longer) = match config.window_age_ns {
        0 => (String::new(), ""),
        _ => (format!(" ({})", show("window_age")), ", or a longer window_age"),
    };
    let sampled = if config.sample_every > 1 { ", or a smaller sample_every" } else { "" };
    let most = show_counted(summary.most_samples.into(), "sample");
    Some(format!(
        "a verdict on {verdict} was never possible: there were at most {most} at a time{age}, and {}; try a smaller min_samples{longer}{sampled}",
        show("min_samples")
    ))
}

/// Calls that were refused when they were recorded were granted now.
fn granted_anew(summary: &Summary) -> Option<String> {
    let unknown = show_counted(summary.unknown, "ask");
    (summary.unknown > 0).then(|| {
        format!("{unknown} granted that the log has as refused: nobody knows how their calls would have gone, so they were released")
    })
}

struct Source {
    /// The name that messages use.
    name: String,
    input: Box<dyn Read>,
    /// The length in bytes, if it is known.
    len: Option<u64>,
}

fn open(path: &Path) -> Result<Source, Failure> {
    if path == Path::new("-") {
        return Ok(Source { name: "standard input".to_owned(), input: Box::new(io::stdin().lock()), len: None });
    }
    let name = path.display().to_string();
    let file = File::open(path).map_err(|error| {
        Failure::new(format_args!("{name}: {error}; legal: a file of CSV, or - for standard input"))
    })?;
    let metadata = file.metadata().ok();
    if metadata.as_ref().is_some_and(std::fs::Metadata::is_dir) {
        return Err(Failure::new(format_args!("{name}: a directory; legal: a file of CSV, or - for standard input")));
    }
    // A pipe has no length.
    let len = metadata.filter(std::fs::Metadata::is_file).map(|metadata| metadata.len());
    Ok(Source { name, input: Box::new(file), len })
}

fn read_settings(matches: &ArgMatches) -> Result<Config, Failure> {
    let mut given = Settings::default();
    if let Some(path) = matches.get_one::<PathBuf>("config") {
        given.set_from_file(path)?;
    }
    for setting in Config::SETTINGS {
        if let Some(text) = matches.get_one::<String>(setting.name()) {
            given.set(setting, text, format!("--{}", settings::option(setting)))?;
        }
    }
    given.finish()
}

fn replay_rows(
    config: &Config,
    input: impl Read,
    name: String,
    sort: bool,
    looked: &Looked,
    report: &mut impl Report<Error = Failure>,
) -> Result<Summary, Failure> {
    let trace = Trace::new(input, name, !sort)?;
    if sort {
        let mut rows = trace.collect::<Result<Vec<Row>, _>>()?;
        rows.sort_by_key(|row| row.start_ns); // stable: equal starts stay in the order of the file
        replay(config, rows.into_iter().inspect(|row| looked.take(row)).map(Ok), report)
    } else {
        replay(config, trace.inspect(|row| row.iter().for_each(|row| looked.take(row))), report)
    }
}
