//! `trip99 tune` makes settings that fit a log.

mod html;
mod json;
mod text;

use crate::arguments::{format_arg, is_json};
use crate::failure::Failure;
use crate::json::Json;
use crate::log::{self, Log, PATIENCE};
use crate::report::report_arg;
use crate::show::{columns, show_ns};
use crate::target::Target;
use crate::warnings::Warnings;
use clap::{Arg, ArgMatches, Command, value_parser};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::{self, BufWriter, Write};
use std::path::PathBuf;
use trip99_logs::Row;
use trip99_logs::profile::{Profile, Profiler};
use trip99_logs::report::Thinner;
use trip99_logs::tune::{Asked, Step, Told, TuneOptions, Tuned, tune_telling};

pub(crate) fn command() -> Command {
    let text = |name: &'static str, value: &'static str, help: &'static str| {
        Arg::new(name).long(name).value_name(value).allow_hyphen_values(true).help(help)
    };
    Command::new("tune")
        .args_override_self(true)
        .about("Make settings that fit a log, and tell what they would have done")
        .long_about(
            "Make settings that fit a log, and tell what they would have done.\n\n\
             It leaves out what was an outage by hindsight: calls that were lost, or took longer than a second and than five \
             medians. Of the pairs of quantile and threshold whose false trips, by the log's own tail, stay within half the budget it \
             takes the one that notices faults soonest. The settings go to --out, or to the end of the report: a TOML file for --config, \
             Config::from_toml and cb_config_load.\n\n\
             The odds are those of settings that the first part of the log alone gives, judged by the part that is held back.",
        )
        .arg(format_arg("Text for people, or one JSON object"))
        .args([
            text("false-trips", "N/TIME", "The budget of false trips [default: 1/30d]"),
            text(
                "detect-within",
                "DURATION",
                "A link that is five times slower, or silent, is noticed within this time, in the median",
            ),
            text("threshold", "DURATION", "The threshold, if it is given [default: made of the log]"),
            text("quantile", "SHARE", "The quantile, if it is given [default: made of the log]"),
            text(
                "bad",
                "T0..T1,...",
                "Times to leave out, too: 12:00..12:30 (UTC), dates like 2026-11-28T12:00:00Z, +90s (after the first row), or stamps",
            ),
            text("hold-back", "SHARE", "The last part of the log, to judge by [default: 50%]"),
        ])
        .arg(
            Arg::new("out")
                .long("out")
                .value_name("FILE")
                .value_parser(value_parser!(PathBuf))
                .help("Write the settings to this TOML file"),
        )
        .arg(report_arg())
        .arg(
            Arg::new("config")
                .long("config")
                .value_name("FILE")
                .value_parser(value_parser!(PathBuf))
                .help("A TOML file whose table [columns] tells how the log is read"),
        )
        .next_help_heading("How the log is read")
        .args(log::args())
}

pub(crate) fn run(matches: &ArgMatches) -> Result<(), Failure> {
    let mut warnings = Warnings::default();
    let get = |name: &str| matches.get_one::<String>(name).map(String::as_str);
    let asked = Asked::read(get, |name| format!("--{name}"))?;
    let report = Target::of(matches, "report", &["log", "config"])?;
    let settings = Target::of(matches, "out", &["log", "config"])?;
    if let (Some(report), Some(settings)) = (&report, &settings) {
        settings.check_other(report)?;
    }
    let mut log = Log::open(matches)?;
    let mut profiler = Profiler::default();
    let mut thinner = report.is_some().then(Thinner::default);
    let mut rows: Vec<Row> = Vec::new();
    for row in log.rows.by_ref() {
        let row = row?;
        profiler.take(&row);
        thinner.iter_mut().for_each(|thinner| thinner.take(&row));
        rows.push(row);
    }
    log.progress.finish();
    let options = asked.resolve(rows.first().map_or(0, |row| row.start_ns))?;
    let bar = bar();
    let tuned = tune_telling(&rows, &options, |step| show_step(&bar, step));
    bar.finish_and_clear();
    let tuned = tuned.map_err(|error| Failure::new(format_args!("{}: {error}", log.name)))?;
    let found = Found { name: log.name.clone(), profile: profiler.finish(), options, tuned };
    log.warn(&mut warnings);
    found.warn(&mut warnings);
    if let Some(settings) = &settings {
        settings.write(&found.toml())?;
    }
    let mut out = BufWriter::new(io::stdout().lock());
    if is_json(matches) {
        json::write(&found, warnings.texts(), &mut Json(&mut out))?;
    } else {
        text::write(&found, matches.get_one::<PathBuf>("out").map(PathBuf::as_path), columns(), &mut out)?;
    }
    out.flush()?;
    if let (Some(report), Some(thinner)) = (&report, thinner) {
        report.write(&html::report(&found, &rows, thinner.finish(), warnings.texts().to_vec()).html())?;
    }
    warnings.tell_all();
    Ok(())
}

fn bar() -> ProgressBar {
    let style = ProgressStyle::with_template("{bar:40} {msg}").unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::with_draw_target(Some(Step::ALL.len() as u64), ProgressDrawTarget::hidden()).with_style(style)
}

fn show_step(bar: &ProgressBar, step: Step) {
    if bar.elapsed() > PATIENCE {
        bar.set_draw_target(ProgressDrawTarget::stderr());
    }
    bar.set_message(match step {
        Step::Outages => "looking for outages",
        Step::Settings => "making settings",
        Step::HeldBack => "judging by what is held back",
        Step::Replays => "replaying",
        Step::Faults => "putting faults into the log",
    });
    bar.set_position(Step::ALL.iter().position(|&other| other == step).unwrap_or(0) as u64);
}

/// A log, and what was made of it.
struct Found {
    name: String,
    profile: Profile,
    options: TuneOptions,
    tuned: Tuned,
}

impl Found {
    fn budget_a_month(&self) -> f64 {
        self.options.budget_a_month()
    }

    fn told(&self) -> Told<'_> {
        Told { tuned: &self.tuned, options: &self.options, profile: &self.profile }
    }

    fn settings(&self) -> Vec<(&'static str, String, String)> {
        self.told().settings()
    }

    fn toml(&self) -> String {
        self.told().toml()
    }

    /// What the log can't promise, and what is odd about it.
    fn warn(&self, warnings: &mut Warnings) {
        self.profile.warnings(&self.tuned.config, show_ns).iter().for_each(|warning| warnings.keep(warning));
        let name = |option: &str| format!("--{option}");
        self.tuned.warnings(&self.options, name, "--format json").iter().for_each(|warning| warnings.keep(warning));
    }
}
