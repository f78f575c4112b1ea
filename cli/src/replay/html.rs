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
    /// The log's.
    pub(super) name: &'a str,
    pub(super) profile: &'a Profile,
    pub(super) config: &'a Config,
    pub(super) summary: &'a Summary,
}

impl Over<'_> {
    /// `warnings` are those of the log and of the replay.
    pub(super) fn report(&self, latencies: Vec<Bucket>, pauses: &[Pause], warnings: Vec<String>) -> Report {
        let &Self { name, profile, config, summary } = self;
        let lines = show_named_profile(profile, config.threshold_ns);
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
            pauses: show_pauses(pauses, config),
            summary: figures.collect(),
        };
        Report {
            warnings,
            latencies,
            runs: vec![run],
            ..report_of(format!("trip99 replay {name}"), profile, lines.chain(rules), config)
        }
    }
}
