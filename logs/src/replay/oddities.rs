//! What is odd about a replay: what its settings could not see, what nobody knows, and what it can't do.

use super::Summary;
use crate::error::LogError;
use crate::show::show_counted;
use trip99::{Config, PPM, Recovery, Start};

/// Checks that a replay can have these settings, which are legal. `place` tells what messages call a setting, by its name. Returns a warning if
/// a setting doesn't matter in a replay.
///
/// # Errors
///
/// The settings ask for health checks, which no log holds; or they begin halted, and nobody is there to resume.
pub fn check_settings(config: &Config, place: impl Fn(&str) -> String) -> Result<Option<String>, LogError> {
    if config.recovery == Recovery::HealthChecks {
        let place = place("recovery");
        return Err(LogError::new(format_args!("{place} is health-checks; legal: trials, as a trace holds no checks")));
    }
    if config.start == Start::Halted {
        let place = place("start");
        return Err(LogError::new(format_args!(
            "{place} is halted; legal: closed or half-open, as nobody is there to resume"
        )));
    }
    let latch =
        |count| format!("{} is {count}; a replay ignores it, as nobody is there to resume", place("latch_after"));
    Ok((config.latch_after > 0).then(|| latch(config.latch_after)))
}

/// The verdicts that `min_samples` has to do with. `None` if there are none: debt is judged from the first sample on.
pub fn armed_verdict(config: &Config) -> Option<&'static str> {
    match (config.debt_limit, config.failure_rate_ppm) {
        (0, _) => Some("a verdict"),
        (_, PPM) => None,
        _ => Some("a verdict on the failure rate"),
    }
}

/// What is odd about a replay that is over, each in one line that names the rows and tells what to do.
pub fn oddities(config: &Config, summary: &Summary) -> impl Iterator<Item = String> {
    no_verdict(config, summary).into_iter().chain(granted_anew(summary))
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
