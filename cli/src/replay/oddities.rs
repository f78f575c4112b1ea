//! What is odd about a replay: what its settings could not see, and what nobody knows.

use crate::show::show_counted;
use crate::warnings::Warnings;
use trip99::{Config, PPM};
use trip99_logs::replay::Summary;

/// The verdicts that `min_samples` has to do with. `None` if there are none: debt is judged from the first sample on.
pub(super) fn armed_verdict(config: &Config) -> Option<&'static str> {
    match (config.debt_limit, config.failure_rate_ppm) {
        (0, _) => Some("a verdict"),
        (_, PPM) => None,
        _ => Some("a verdict on the failure rate"),
    }
}

/// Keeps what is odd.
pub(super) fn warn_of_replay(config: &Config, summary: &Summary, warnings: &mut Warnings) {
    no_verdict(config, summary).into_iter().chain(granted_anew(summary)).for_each(|text| warnings.keep(text));
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
        "rows 1 to {}: a verdict on {verdict} was never possible: there were at most {most} at a time{age}, and {}; try a smaller min_samples{longer}{sampled}",
        summary.asked + summary.free,
        show("min_samples")
    ))
}

/// Calls that were refused when they were recorded were granted now.
fn granted_anew(summary: &Summary) -> Option<String> {
    let unknown = show_counted(summary.unknown, "ask");
    (summary.unknown > 0).then(|| {
        let first = summary.first_unknown_row;
        format!(
            "row {first} is the first of {unknown} granted that the log has as refused: nobody knows how their calls would have gone, so they \
             were released; leave these rows out to judge without them"
        )
    })
}
