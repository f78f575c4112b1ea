//! What a replay's report in HTML tells.

use super::report::show_figures;
use crate::profile::show_named_profile;
use crate::report::{report_of, show_pauses};
use crate::show::show_settings;
use trip99::{Config, Event, State};
use trip99_logs::pauses::{Pause, Pauses};
use trip99_logs::profile::Profile;
use trip99_logs::replay::{Report as Reporter, Summary};
use trip99_logs::report::{Bucket, Report, Run};

/// A replay's report that takes note of pauses, too.
pub(super) struct WithPauses<R> {
    report: R,
    pauses: Pauses,
}

impl<R> WithPauses<R> {
    pub(super) fn new(report: R) -> Self {
        Self { report, pauses: Pauses::default() }
    }

    pub(super) fn into_parts(self, summary: &Summary) -> (R, Vec<Pause>) {
        (self.report, self.pauses.finish(summary))
    }
}

impl<R: Reporter> Reporter for WithPauses<R> {
    type Error = R::Error;

    fn begin(&mut self, config: &Config) -> Result<(), R::Error> {
        self.report.begin(config)
    }

    fn span(&mut self, state: State, from_ns: u64, to_ns: u64) {
        self.pauses.span(state, from_ns);
        self.report.span(state, from_ns, to_ns);
    }

    fn transition(&mut self, event: &Event) -> Result<(), R::Error> {
        self.pauses.transition(event);
        self.report.transition(event)
    }

    fn end(&mut self, summary: &Summary) -> Result<(), R::Error> {
        self.report.end(summary)
    }
}

/// A replay that is over.
pub(super) struct Over<'a> {
    /// What the report calls the settings.
    pub(super) settings: &'a str,
    /// What it calls their rules.
    pub(super) rules: &'static str,
    pub(super) config: &'a Config,
    pub(super) summary: &'a Summary,
    pub(super) pauses: &'a [Pause],
}

impl Over<'_> {
    fn run(&self) -> Run {
        let &Self { config, summary, .. } = self;
        let figures = show_figures(config, summary).into_iter().map(|(name, figure, note)| {
            let note = if note.is_empty() { note } else { format!(" ({note})") };
            (name.to_owned(), figure + &note)
        });
        Run {
            name: self.settings.to_owned(),
            threshold_ns: config.threshold_ns,
            quantile_ppm: config.quantile_ppm,
            pauses: show_pauses(self.pauses, config),
            summary: figures.collect(),
        }
    }

    fn rules(&self) -> impl Iterator<Item = (&'static str, String)> {
        let rules = show_settings(self.config).into_iter().enumerate();
        rules.map(|(at, (rule, text))| (if at == 0 { self.rules } else { "" }, format!("{rule}: {text}")))
    }
}

/// The report of one or several replays of a log. `warnings` are those of the log and of the replays. The settings in full are the last
/// ones: these are to be copied.
pub(super) fn report(
    name: &str,
    profile: &Profile,
    replays: &[Over<'_>],
    latencies: Vec<Bucket>,
    warnings: Vec<String>,
) -> Report {
    let default = Config::default();
    let config = replays.last().map_or(&default, |last| last.config);
    let lines = show_named_profile(profile, config.threshold_ns).chain(replays.iter().flat_map(Over::rules));
    Report {
        warnings,
        latencies,
        runs: replays.iter().map(Over::run).collect(),
        ..report_of(format!("trip99 replay {name}"), profile, lines, config)
    }
}
