//! The report as a file of HTML (`--report`).

use crate::failure::Failure;
use crate::settings::{differing, show_toml};
use crate::show::evidence;
use clap::{Arg, ArgMatches, value_parser};
use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use trip99::Config;
use trip99::settings::Setting;
use trip99_logs::UTC_FROM_NS;
use trip99_logs::pauses::Pause;
use trip99_logs::profile::Profile;
use trip99_logs::report::{self, Report};

/// The option `--report`.
pub(crate) fn report_arg() -> Arg {
    let arg = Arg::new("report").long("report").value_name("FILE").value_parser(value_parser!(PathBuf));
    arg.help("Also write a report to this file: one page of HTML with charts, which works offline and prints")
}

/// Where a report is to be written.
pub(crate) struct Target {
    path: PathBuf,
    /// Its name in messages.
    name: String,
    /// Beside it. It is there while the report is written.
    draft: PathBuf,
}

impl Target {
    /// `None` if no report is asked for. A place that can't be written is told of before the work, not after it. The arguments in
    /// `inputs` name files that are read.
    pub(crate) fn of(matches: &ArgMatches, inputs: &[&str]) -> Result<Option<Self>, Failure> {
        let Some(given) = matches.get_one::<PathBuf>("report") else { return Ok(None) };
        let name = format!("--report {}", given.display());
        let refuse = |what: &str| Err(Failure::new(format_args!("{name}: {what}; legal: a file of its own")));
        if given == Path::new("-") {
            return refuse("standard output has the text or the JSON");
        }
        // A link stays, and what it points to is written.
        let path = given.canonicalize().unwrap_or_else(|_| given.clone());
        match fs::metadata(&path) {
            Ok(found) if found.is_dir() => return refuse("a directory"),
            // A device or a pipe must not be replaced.
            Ok(found) if !found.is_file() => return refuse("not a plain file"),
            _ => {}
        }
        let read = inputs.iter().flat_map(|argument| matches.get_many::<PathBuf>(argument).into_iter().flatten());
        if read.filter_map(|input| input.canonicalize().ok()).any(|input| input == path) {
            return refuse("it is read, too");
        }
        let Some(file_name) = path.file_name() else { return refuse("no name of a file") };
        let mut draft_name = OsString::from(".");
        draft_name.push(file_name);
        draft_name.push(format!(".{}", std::process::id()));
        let target = Self { draft: path.with_file_name(draft_name), path, name };
        // Nothing is left of this if the work is interrupted.
        target.create().and_then(|_| fs::remove_file(&target.draft)).map_err(|error| {
            Failure::new(format_args!("{}: {error}; legal: a file in a folder that can be written", target.name))
        })?;
        Ok(Some(target))
    }

    fn create(&self) -> io::Result<File> {
        OpenOptions::new().write(true).create_new(true).open(&self.draft)
    }

    /// Writes the report. Its file is the old one, or none, until the new one is complete.
    pub(crate) fn write(&self, report: &Report) -> Result<(), Failure> {
        self.place(report).map_err(|error| {
            // Nobody is helped by a second message.
            let _ = fs::remove_file(&self.draft);
            Failure::new(format_args!("{}: {error}", self.name))
        })
    }

    fn place(&self, report: &Report) -> io::Result<()> {
        let mut file = self.create()?;
        file.write_all(report.html().as_bytes())?;
        file.sync_all()?;
        fs::rename(&self.draft, &self.path)
    }
}

/// A report of a log: what its profile and the settings tell. `profile_lines` are the profile in words.
pub(crate) fn report_of(
    title: String,
    profile: &Profile,
    profile_lines: impl IntoIterator<Item = (&'static str, String)>,
    config: &Config,
) -> Report {
    let lines = profile_lines.into_iter().map(|(name, text)| (name.to_owned(), text));
    let setting = |(setting, other): (&Setting, String)| {
        (setting.name().to_owned(), setting.show(config), format!("{} (default: {other})", setting.doc()))
    };
    Report {
        title,
        profile: lines.collect(),
        first_ns: profile.first_ns,
        last_ns: profile.last_ns,
        is_utc: profile.first_ns >= UTC_FROM_NS,
        percentiles: profile.percentiles(),
        settings: differing(config).map(setting).collect(),
        toml: show_toml(config),
        ..Report::default()
    }
}

/// Pauses of a breaker with these settings, each with its evidence.
pub(crate) fn show_pauses(pauses: &[Pause], config: &Config) -> Vec<report::Pause> {
    let pause = |pause: &Pause| report::Pause {
        from_ns: pause.from_ns,
        to_ns: pause.to_ns,
        reason: pause.opening.as_ref().map_or("start", |event| event.reason.name()).to_owned(),
        evidence: pause
            .opening
            .as_ref()
            .and_then(|event| evidence(event, Some(config.quantile_ppm)))
            .unwrap_or_default(),
        reopened: pause.reopens,
    };
    pauses.iter().map(pause).collect()
}
