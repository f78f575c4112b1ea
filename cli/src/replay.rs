//! `trip99 replay` drives a breaker over a recorded trace, in virtual time.

mod html;
mod report;

use crate::arguments::{format_arg, is_json};
use crate::failure::{Failure, warn};
use crate::json::Json;
use crate::log::{self, Log};
use crate::report::{Target, report_arg};
use crate::settings::{self, Settings};
use crate::show::{evidence, show_counted, show_ns};
use clap::{Arg, ArgMatches, Command, value_parser};
use console::Term;
use html::Replayed;
use report::{Looked, Text, armed_verdict};
use std::cell::RefCell;
use std::io::{self, BufWriter, LineWriter, Write};
use std::path::PathBuf;
use trip99::settings::Setting;
use trip99::{Config, Event, PPM};
use trip99_logs::replay::{Summary, replay};
use trip99_logs::report::{Both, Pauses, Thinner};
use trip99_logs::{LogError, Row};

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
        .arg(format_arg("Text for people, or one JSON object a line: transitions, then a summary"))
        .arg(
            Arg::new("config")
                .long("config")
                .value_name("FILE")
                .value_parser(value_parser!(PathBuf))
                .help("A TOML file of the settings below, named with underscores; options override it"),
        )
        .arg(report_arg())
        .next_help_heading("How the log is read")
        .args(log::args())
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
    let target = Target::of(matches, &["log", "config"])?;
    let mut log = Log::open(matches)?;
    let out = log.progress.output(io::stdout().lock());
    // What comes through a pipe may come slowly: each line is printed when it is known.
    let is_live = log.is_live;
    let out: Box<dyn Write> = if is_live { Box::new(LineWriter::new(out)) } else { Box::new(BufWriter::new(out)) };
    let looked = Looked::default();
    let name = log.name.clone();
    let thinner = target.as_ref().map(|_| RefCell::new(Thinner::default()));
    let look = |row: &Row| {
        looked.take(row);
        thinner.iter().for_each(|thinner| thinner.borrow_mut().take(row));
    };
    let rows = log.rows.by_ref().inspect(|row: &Result<Row, LogError>| row.iter().for_each(look));
    let show_evidence = |event: &Event| evidence(event, Some(config.quantile_ppm)).unwrap_or_default();
    let mut pauses = target.as_ref().map(|_| Pauses::new(show_evidence));
    let result = if is_json(matches) {
        replay(&config, rows, &mut Both(&mut Json(out), &mut pauses))
    } else {
        let width = Term::stdout().size_checked().map(|(_, width)| width.into());
        replay(&config, rows, &mut Both(&mut Text::new(out, name.clone(), width, &looked, is_live), &mut pauses))
    };
    log.progress.finish();
    let summary = result?;
    let warnings = warnings(&log, &looked, &config, &summary);
    warnings.iter().for_each(warn);
    if let (Some(target), Some(thinner), Some(pauses)) = (target, thinner, pauses) {
        let (latencies, pauses) = (thinner.into_inner().finish(), pauses.finish());
        let replayed = Replayed { name: &name, profile: looked.profile(), config: &config, summary: &summary };
        target.write(&replayed.report(latencies, pauses, warnings))?;
    }
    Ok(())
}

/// What is odd about how the log was read, about the log, and about what came of it.
fn warnings(log: &Log, looked: &Looked, config: &Config, summary: &Summary) -> Vec<String> {
    let of_profile = looked.profile().warnings(config, show_ns);
    let mut warnings = log.warnings();
    warnings.extend(of_profile.iter().map(ToString::to_string));
    warnings.extend(no_verdict(config, summary));
    warnings.extend(granted_anew(summary));
    warnings
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
