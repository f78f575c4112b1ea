//! The command line.

use crate::demo;
use crate::failure::Failure;
use crate::operate;
use crate::progress::Progress;
use crate::replay::{Report, replay};
use crate::report::{Json, Text};
use crate::settings::{self, Settings};
use crate::trace::{Row, Trace};
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use console::Term;
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, BufWriter, Read};
use std::path::{Path, PathBuf};
use trip99::{Config, Setting};

pub(crate) fn run(args: impl IntoIterator<Item = OsString>) -> Result<(), Failure> {
    let args: Vec<OsString> = args.into_iter().collect();
    let matches = match command().try_get_matches_from(&args) {
        Ok(matches) => matches,
        Err(error) => {
            let known = command();
            let name = args.get(1).and_then(|name| known.find_subcommand(name)).map(Command::get_name);
            let help = name.map_or("trip99 --help".to_owned(), |name| format!("trip99 {name} --help"));
            return usage(&error, &help);
        }
    };
    match matches.subcommand() {
        Some(("demo", matches)) => {
            let path = |name| matches.get_one::<PathBuf>(name).cloned();
            demo::run(path("trace"), path("page"))
        }
        Some((demo::NODE, _)) => demo::run_node(),
        Some(("replay", matches)) => run_replay(matches),
        Some((name, matches)) => operate::run(name, matches),
        None => Ok(()), // clap requires one of the above
    }
}

fn command() -> Command {
    let demo = Command::new("demo")
        .args_override_self(true)
        .about("Watch a breaker at its job, for some 20 seconds")
        .long_about(
            "Watch a breaker at its job, for some 20 seconds.\n\n\
             Starts an order-entry node on loopback, a process of its own, and an engine that sends it orders, as far as \
             a breaker lets it. The node answers slowly for a while, then not at all, then closes the connection. Shows \
             how soon each trouble pauses trading and when it resumes, and leaves a trace for trip99 replay.\n\n\
             Fails if a trouble does not pause trading, or if trading does not resume.",
        )
        .arg(Arg::new("trace").long("trace").value_name("PATH").value_parser(value_parser!(PathBuf)).help(
            "Where the trace goes [default: a new file in the directory for temporary files]",
        ))
        .arg(operate::page_arg("page").long("page").help(
            "Publishes the breaker in a page, for trip99 status and the like: its name, or its path, with a /",
        ));
    let node = Command::new(demo::NODE).about("The node of the demo, which starts it").hide(true);
    let replay = Command::new("replay")
        .args_override_self(true)
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
        .arg(format_arg("For people, or one JSON object a line: transitions, then a summary"))
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
        .args(Config::SETTINGS.iter().map(option));
    Command::new("trip99")
        .about("A latency circuit breaker for trading engines")
        .version(clap::crate_version!())
        .subcommand_required(true)
        .subcommands([demo, replay, node])
        .subcommands(operate::commands())
}

pub(crate) fn format_arg(help: &'static str) -> Arg {
    let arg = Arg::new("format").long("format").value_name("FORMAT").help(help);
    arg.value_parser(["text", "json"]).default_value("text")
}

/// Whether [`format_arg`] asks for JSON.
pub(crate) fn is_json(matches: &ArgMatches) -> bool {
    matches.get_one::<String>("format").is_some_and(|format| format == "json")
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

/// Help goes to standard output; a mistake becomes one line, which points to `help`.
fn usage(error: &clap::Error, help: &str) -> Result<(), Failure> {
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => return Ok(error.print()?),
        ErrorKind::MissingSubcommand => {
            return Err(Failure::new(
                "no command; legal: ls, status, events, halt, resume, demo or replay, see trip99 --help",
            ));
        }
        _ => {}
    }
    // The first paragraph says what is wrong; what is legal follows from the context.
    let text = error.to_string();
    let wrong = text.split("\n\n").next().unwrap_or_default().trim_start_matches("error: ");
    let wrong = wrong.split("\n  [").next().unwrap_or_default().split_whitespace().collect::<Vec<_>>().join(" ");
    let legal = match (error.get(ContextKind::ValidValue), error.get(ContextKind::SuggestedArg)) {
        (Some(ContextValue::Strings(values)), _) if !values.is_empty() => values.join(" or "),
        (_, Some(ContextValue::String(similar))) => format!("{similar}, and what {help} lists"),
        _ => format!("see {help}"),
    };
    Err(Failure::new(format_args!("{wrong}; legal: {legal}")))
}

fn run_replay(matches: &ArgMatches) -> Result<(), Failure> {
    let config = settings(matches)?;
    let sort = matches.get_flag("sort");
    let path = matches.get_one::<PathBuf>("trace").cloned().unwrap_or_default();
    let Source { name, input, len } = open(&path)?;
    let progress = Progress::new(len);
    let out = BufWriter::new(progress.output(io::stdout().lock()));
    let result = if is_json(matches) {
        replay_rows(&config, progress.input(input), name, sort, &mut Json(out))
    } else {
        let width = Term::stdout().size_checked().map(|(_, width)| width.into());
        let mut text = Text::new(out, name.clone(), width);
        replay_rows(&config, progress.input(input), name, sort, &mut text)
    };
    progress.finish();
    result
}

struct Source {
    /// For messages.
    name: String,
    input: Box<dyn Read>,
    /// In bytes, if it is known.
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
    // What isn't a file (a pipe, say) has no length to speak of.
    let len = metadata.filter(std::fs::Metadata::is_file).map(|metadata| metadata.len());
    Ok(Source { name, input: Box::new(file), len })
}

fn settings(matches: &ArgMatches) -> Result<Config, Failure> {
    let mut settings = Settings::default();
    if let Some(path) = matches.get_one::<PathBuf>("config") {
        settings.set_from_file(path)?;
    }
    for setting in Config::SETTINGS {
        if let Some(text) = matches.get_one::<String>(setting.name()) {
            settings.set(setting, text, format!("--{}", settings::option(setting)))?;
        }
    }
    settings.finish()
}

fn replay_rows(
    config: &Config,
    input: impl Read,
    name: String,
    sort: bool,
    report: &mut impl Report,
) -> Result<(), Failure> {
    let trace = Trace::new(input, name, !sort)?;
    if sort {
        let mut rows = trace.collect::<Result<Vec<Row>, Failure>>()?;
        rows.sort_by_key(|row| row.start_ns); // stable: equal starts stay in the order of the file
        replay(config, rows.into_iter().map(Ok), report)
    } else {
        replay(config, trace, report)
    }
}
