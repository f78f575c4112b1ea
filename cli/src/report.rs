//! The report as a file of HTML (`--report`).

use crate::settings::{differing, show_toml};
use crate::show::evidence;
use clap::{Arg, value_parser};
use std::path::PathBuf;
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
