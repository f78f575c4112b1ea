//! What a replay's report in HTML tells.

use super::report::{show_figures, show_profile};
use crate::report::report_of;
use crate::show::show_settings;
use trip99::Config;
use trip99::settings::Setting;
use trip99_logs::profile::Profile;
use trip99_logs::replay::Summary;
use trip99_logs::report::{Bucket, Pause, Report, Run};

/// A replay that is over.
pub(super) struct Replayed<'a> {
    /// The log's.
    pub(super) name: &'a str,
    pub(super) profile: &'a Profile,
    pub(super) config: &'a Config,
    pub(super) summary: &'a Summary,
}

impl Replayed<'_> {
    /// `warnings` are those of the log and of the replay.
    pub(super) fn report(&self, latencies: Vec<Bucket>, pauses: Vec<Pause>, warnings: Vec<String>) -> Report {
        let &Self { name, profile, config, summary } = self;
        // The lines of the text, by names that tell more where there are no columns.
        let names = ["calls", "latency", "", "resolution"];
        let lines = names.into_iter().zip(show_profile(profile, config.threshold_ns));
        let lines = lines.map(|(name, (_, text))| (name, text));
        let rules = show_settings(config).into_iter().enumerate();
        let rules = rules.map(|(at, (rule, text))| (if at == 0 { "rules" } else { "" }, format!("{rule}: {text}")));
        let figures = show_figures(config, summary).into_iter().map(|(name, figure, note)| {
            let note = if note.is_empty() { note } else { format!(" ({note})") };
            (name.to_owned(), figure + &note)
        });
        let run = Run {
            name: "these settings".to_owned(),
            threshold_ns: config.threshold_ns,
            quantile_ppm: config.quantile_ppm,
            pauses,
            summary: figures.collect(),
        };
        let of_settings = config.warnings();
        let of_settings =
            of_settings.iter().map(|warning| warning.in_text(|setting: &Setting| setting.name().to_owned()));
        Report {
            warnings: of_settings.chain(warnings).collect(),
            latencies,
            runs: vec![run],
            ..report_of(format!("trip99 replay {name}"), profile, lines.chain(rules), config)
        }
    }
}
