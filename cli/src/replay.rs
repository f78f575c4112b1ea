//! `trip99 replay` drives a breaker over a recorded trace, in virtual time.

mod oddities;
mod faults;
mod feed;
mod html;
mod report;
mod against;

use crate::arguments::{format_arg, is_json};
use crate::failure::Failure;
use crate::json::Json;
use crate::log::{self, Log};
use crate::profile::Looked;
use crate::report::report_arg;
use crate::settings::{self, Settings};
use crate::show::show_ns;
use crate::target::Target;
use crate::warnings::Warnings;
use clap::{Arg, ArgMatches, Command, value_parser};
use console::Term;
use feed::Feed;
use html::{Over, WithPauses, report};
use oddities::warn_of_replay;
use report::{Findings, Text};
use std::io::{self, BufWriter, LineWriter, Write};
use std::path::PathBuf;
use trip99::Config;
use trip99::settings::Setting;
use trip99_logs::fault::{Injection, Watched};
use trip99_logs::replay::Replay;
use trip99_logs::report::Thinner;

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
                .help("A TOML file of the settings below, named with underscores, and with a table [columns] that says what --columns does; options override it"),
        )
        .arg(
            Arg::new("against")
                .long("against")
                .value_name("FILE")
                .value_parser(value_parser!(PathBuf))
                .help("Tell what would have differed, pause by pause, by the settings of this TOML file; options don't override it"),
        )
        .arg(faults::arg())
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
    let mut warnings = Warnings::default();
    let config = read_settings(matches, &mut warnings)?;
    let new = read_new_settings(matches, &mut warnings)?;
    let injections = faults::read(matches)?;
    let target = Target::of(matches, "report", &["log", "config", "against"])?;
    let mut log = Log::open(matches)?;
    let looked = Looked::default();
    let result = Feed::new(&mut log, &injections, &looked).and_then(|feed| {
        let replayed =
            Replayed { log: &log, looked: &looked, injections: &injections, target, is_json: is_json(matches) };
        match new {
            Some((new, name)) => replayed.against([&config, &new], [&old_name(matches), &name], feed, &mut warnings),
            None => replayed.alone(&config, feed, &mut warnings),
        }
    });
    log.progress.finish();
    result?;
    warnings.tell_all();
    Ok(())
}

/// What both kinds of replay need.
struct Replayed<'a> {
    log: &'a Log,
    looked: &'a Looked,
    injections: &'a [Injection],
    /// Where the report in HTML goes.
    target: Option<Target>,
    is_json: bool,
}

impl Replayed<'_> {
    /// By one breaker.
    fn alone(&self, config: &Config, feed: Feed<'_>, warnings: &mut Warnings) -> Result<(), Failure> {
        // What comes through a pipe may come slowly: each line is printed when it is known.
        let is_live = self.log.is_live;
        let out = self.log.progress.output(io::stdout().lock());
        let out: Box<dyn Write> = if is_live { Box::new(LineWriter::new(out)) } else { Box::new(BufWriter::new(out)) };
        if self.is_json {
            self.play(config, feed, Json(out), warnings)
        } else {
            let text = Text::new(out, self.log.name.clone(), width(), self.looked, is_live);
            self.play(config, feed, text, warnings)
        }
    }

    fn play(
        &self,
        config: &Config,
        mut feed: Feed<'_>,
        report: impl Findings,
        warnings: &mut Warnings,
    ) -> Result<(), Failure> {
        let mut replay = Replay::new(config, Watched::new(WithPauses::new(report), feed.spans()))?;
        let mut thinner = self.target.is_some().then(Thinner::default);
        for row in feed.by_ref() {
            let row = row?;
            thinner.iter_mut().for_each(|thinner| thinner.take(&row));
            replay.push(row)?;
        }
        feed.finish()?;
        let (summary, watched) = replay.finish()?;
        let (with_pauses, fates) = watched.into_parts();
        let (mut report, pauses) = with_pauses.into_parts(&summary);
        self.log.progress.finish();
        self.log.warn(warnings);
        self.looked.profile().warnings(config, show_ns).iter().for_each(|warning| warnings.keep(warning));
        warn_of_replay(config, &summary, warnings);
        report.found(&faults::pair(self.injections, fates), warnings.texts())?;
        report.end(&summary)?;
        if let (Some(target), Some(thinner)) = (&self.target, thinner) {
            let over = Over { settings: "these settings", rules: "rules", config, summary: &summary, pauses: &pauses };
            self.write_report(target, &[over], thinner, warnings)?;
        }
        Ok(())
    }

    /// By two breakers.
    fn against(
        &self,
        configs: [&Config; 2],
        [old_name, new_name]: [&str; 2],
        mut feed: Feed<'_>,
        warnings: &mut Warnings,
    ) -> Result<(), Failure> {
        let mut thinner = self.target.is_some().then(Thinner::default);
        let compared = against::compare(configs, &mut feed, self.injections, thinner.as_mut())?;
        self.log.progress.finish();
        self.log.warn(warnings);
        compared.warn(self.looked.profile(), warnings);
        let mut out = BufWriter::new(io::stdout().lock());
        if self.is_json {
            against::write_json(&compared, warnings.texts(), &mut Json(out))?;
        } else {
            let names = [&self.log.name, old_name, new_name];
            against::write_text(&compared, names, self.looked, width(), &mut out)?;
        }
        if let (Some(target), Some(thinner)) = (&self.target, thinner) {
            let names = [format!("the old settings ({old_name})"), format!("the new settings ({new_name})")];
            self.write_report(target, &compared.over([&names[0], &names[1]]), thinner, warnings)?;
        }
        Ok(())
    }

    fn write_report(
        &self,
        target: &Target,
        replays: &[Over<'_>],
        thinner: Thinner,
        warnings: &Warnings,
    ) -> Result<(), Failure> {
        let profile = self.looked.profile();
        let report = report(&self.log.name, profile, replays, thinner.finish(), warnings.texts().to_vec());
        target.write(&report.html())
    }
}

/// That of the terminal, if there is one.
fn width() -> Option<usize> {
    Term::stdout().size_checked().map(|(_, width)| width.into())
}

fn read_settings(matches: &ArgMatches, warnings: &mut Warnings) -> Result<Config, Failure> {
    let mut given = Settings::default();
    if let Some(path) = matches.get_one::<PathBuf>("config") {
        given.set_from_file(path)?;
    }
    for setting in Config::SETTINGS {
        if let Some(text) = matches.get_one::<String>(setting.name()) {
            given.set(setting, text, format!("--{}", settings::option(setting)))?;
        }
    }
    given.finish(warnings)
}

/// The settings of `--against`, and the file's name.
fn read_new_settings(matches: &ArgMatches, warnings: &mut Warnings) -> Result<Option<(Config, String)>, Failure> {
    let Some(path) = matches.get_one::<PathBuf>("against") else { return Ok(None) };
    let mut given = Settings::default();
    given.set_from_file(path)?;
    Ok(Some((given.finish(warnings)?, path.display().to_string())))
}

/// What a report calls the settings that aren't those of `--against`.
fn old_name(matches: &ArgMatches) -> String {
    let has_options = Config::SETTINGS.iter().any(|setting| matches.contains_id(setting.name()));
    match (matches.get_one::<PathBuf>("config"), has_options) {
        (Some(path), false) => path.display().to_string(),
        (Some(path), true) => format!("{} and options", path.display()),
        (None, false) => "the defaults".to_owned(),
        (None, true) => "the options".to_owned(),
    }
}
