//! The command line.

use crate::failure::Failure;
use crate::replay::{Report, replay};
use crate::report::{Json, Text};
use crate::settings::{SETTINGS, Setting, Settings};
use crate::trace::{Row, Trace};
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use console::Term;
use indicatif::{ProgressBar, ProgressStyle};
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, BufWriter, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;
use trip99::{Config, Recovery};

pub(crate) fn run(args: impl IntoIterator<Item = OsString>) -> Result<(), Failure> {
    let matches = match command().try_get_matches_from(args) {
        Ok(matches) => matches,
        Err(error) => return usage(&error),
    };
    match matches.subcommand() {
        Some(("replay", matches)) => run_replay(matches),
        _ => Ok(()), // clap requires one of the above
    }
}

fn command() -> Command {
    let replay = Command::new("replay")
        .about("Drive a breaker over a recorded trace, in virtual time")
        .long_about(
            "Drive a breaker over a recorded trace, in virtual time.\n\n\
             A trace is CSV with the header start_ns,latency_ns,ok: when a call was to be sent, how long it took (empty: \
             it never came back), and 1 or 0 (column optional, default 1). Each row asks the breaker; what it refuses \
             does not happen.\n\n\
             Durations are written like 200ms, 1.5s or 1m; a bare number is nanoseconds. Shares are fractions from 0 to 1.",
        )
        .arg(Arg::new("trace").value_name("TRACE").required(true).value_parser(value_parser!(PathBuf)).help(
            "The trace; - reads standard input",
        ))
        .arg(
            Arg::new("format")
                .long("format")
                .value_name("FORMAT")
                .value_parser(["text", "json"])
                .default_value("text")
                .help("For people, or one JSON object a line: transitions, then a summary"),
        )
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
        .args(SETTINGS.iter().map(option));
    Command::new("trip99")
        .about("A latency circuit breaker for trading engines")
        .version(clap::crate_version!())
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommand(replay)
}

fn option(setting: &Setting) -> Arg {
    let arg = Arg::new(setting.name).long(setting.option()).allow_hyphen_values(true).help(format!(
        "{} [default: {}]",
        setting.help,
        setting.show(&Config::default())
    ));
    if setting.is_switch() {
        arg.num_args(0..=1).require_equals(true).default_missing_value("true").value_name("true|false")
    } else {
        arg.value_name("VALUE")
    }
}

/// Help goes to standard output; a mistake becomes one line.
fn usage(error: &clap::Error) -> Result<(), Failure> {
    if matches!(
        error.kind(),
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand
    ) {
        error.print()?;
        return match error.kind() {
            ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => Err(Failure::new("no command; legal: replay")),
            _ => Ok(()),
        };
    }
    let text = error.to_string();
    let first = text.lines().next().unwrap_or_default().trim_start_matches("error: ").trim_end_matches(':');
    let missing = match error.get(ContextKind::InvalidArg) {
        Some(ContextValue::Strings(args)) if error.kind() == ErrorKind::MissingRequiredArgument => {
            format!(": {}", args.join(", "))
        }
        _ => String::new(),
    };
    let legal = match (error.get(ContextKind::ValidValue), error.get(ContextKind::SuggestedArg)) {
        (Some(ContextValue::Strings(values)), _) => values.join(" or "),
        (_, Some(ContextValue::String(similar))) => format!("{similar}, and what trip99 replay --help lists"),
        _ => "see trip99 replay --help".to_owned(),
    };
    Err(Failure::new(format_args!("{first}{missing}; legal: {legal}")))
}

fn run_replay(matches: &ArgMatches) -> Result<(), Failure> {
    let config = settings(matches)?;
    let path = matches.get_one::<PathBuf>("trace").cloned().unwrap_or_default();
    let out = BufWriter::new(io::stdout().lock());
    if matches.get_one::<String>("format").is_some_and(|format| format == "json") {
        replay_file(&config, &path, matches.get_flag("sort"), &mut Json(out))
    } else {
        let (_, width) = Term::stdout().size_checked().unwrap_or((0, 80));
        let file = if is_stdin(&path) { "standard input".to_owned() } else { path.display().to_string() };
        replay_file(&config, &path, matches.get_flag("sort"), &mut Text::new(out, file, usize::from(width).min(120)))
    }
}

fn settings(matches: &ArgMatches) -> Result<Config, Failure> {
    let mut settings = Settings::default();
    if let Some(path) = matches.get_one::<PathBuf>("config") {
        settings.set_from_file(path)?;
    }
    for setting in SETTINGS {
        if let Some(text) = matches.get_one::<String>(setting.name) {
            settings.set(setting, text, format!("--{}", setting.option()))?;
        }
    }
    let config = settings.finish()?;
    if config.recovery == Recovery::HealthChecks {
        return Err(Failure::new("recovery is health-checks; legal in a replay: trials, as a trace holds no checks"));
    }
    Ok(config)
}

fn is_stdin(path: &Path) -> bool {
    path == Path::new("-")
}

fn replay_file(config: &Config, path: &Path, sort: bool, report: &mut impl Report) -> Result<(), Failure> {
    if is_stdin(path) {
        let bar = progress(ProgressBar::new_spinner(), "{spinner} {bytes} read, {bytes_per_sec}");
        return replay_rows(config, bar.wrap_read(io::stdin().lock()), "standard input".to_owned(), sort, report, &bar);
    }
    let name = path.display().to_string();
    let file = File::open(path).map_err(|error| Failure::new(format_args!("{name}: {error}")))?;
    let len = file.metadata().map_or(0, |metadata| metadata.len());
    let bar = progress(ProgressBar::new(len), "{bar:40} {percent} %  {bytes} of {total_bytes}, {eta} left");
    replay_rows(config, bar.wrap_read(file), name, sort, report, &bar)
}

/// Draws on standard error, and only if that is a terminal.
fn progress(bar: ProgressBar, template: &str) -> ProgressBar {
    let bar = bar.with_style(ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar()));
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}

fn replay_rows(
    config: &Config,
    input: impl Read,
    name: String,
    sort: bool,
    report: &mut impl Report,
    bar: &ProgressBar,
) -> Result<(), Failure> {
    let trace = Trace::new(input, name, !sort)?;
    let result = if sort {
        let mut rows = trace.collect::<Result<Vec<Row>, Failure>>()?;
        rows.sort_by_key(|row| row.start_ns); // stable: equal starts stay in the order of the file
        replay(config, rows.into_iter().map(Ok), report)
    } else {
        replay(config, trace, report)
    };
    bar.finish_and_clear();
    result
}
