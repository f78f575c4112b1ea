//! `trip99 status`

use crate::arguments::{format_arg, is_json, on_page, page};
use crate::failure::Failure;
use crate::json::Json;
use crate::operate::tell::{held_by, show_resting};
use crate::page::json;
use crate::page::place::refused;
use crate::page::reading::{QUANTILES, Reading, show_ago};
use crate::show::{NAMES, columns, evidence, show_calls, show_count, show_counted, show_ns, write_lines};
use clap::{ArgMatches, Command};
use console::{measure_text_width, style};
use std::io::{self, Write};
use trip99::{Config, Event, Observer, PPM, Snapshot, State};

pub(crate) fn command() -> Command {
    on_page("status").about("Show how a breaker stands").arg(format_arg("Text for people, or one JSON object"))
}

pub(crate) fn run(matches: &ArgMatches) -> Result<(), Failure> {
    let place = page(matches)?;
    let observer = Observer::open(&place.path).map_err(|error| refused(&error))?;
    let reading = Reading::take(&observer);
    let mut out = io::stdout().lock();
    if is_json(matches) {
        return Json(out).line(&json::page(&place, &reading));
    }
    writeln!(out, "{} {}\n", style("trip99 status").bold(), place.path())?;
    Ok(write_lines(&mut out, lines(&reading))?)
}

fn lines(reading: &Reading) -> Vec<(&'static str, String)> {
    let mut lines = vec![("state", reading.show_state())];
    lines.extend(reading.show_comes_back().map(|back| ("", back)));
    if reading.state.is_none() && reading.has_owner() {
        lines.push(("", "the gate holds what no version writes: every call is refused".to_owned()));
    }
    if reading.unwatched {
        let refused = if reading.shadow { "in shadow nothing is refused for that" } else { "every call is refused" };
        lines.push(("", format!("the owner was found silent, so nobody judges: {refused}")));
    }
    if reading.replaced {
        lines
            .push(("", "the path leads to another page by now, or to none: nobody finds this one any more".to_owned()));
    }
    if let Some(event) = &reading.last_change {
        lines.extend(since(event, reading.in_force.quantile_ppm(event)));
    }
    lines.extend(held_by(&reading.holders));
    if reading.halted && reading.holders.is_empty() {
        lines.push(("halted by", "nobody any more: the halt ends with the owner's next poll".to_owned()));
    }
    if let Some(retry) = reading.show_retry() {
        lines.push(("retry", retry));
    }
    lines.push(("owner", reading.show_owner()));
    if let Some(owner) = &reading.owner {
        let locked = if owner.memory_locked { "locked" } else { "not locked: the owner may have to wait for the page" };
        lines.push(("memory", locked.to_owned()));
    }
    lines.extend(reading.resting.map(|count| ("resting", show_resting(count))));
    lines.extend(latency(reading));
    match &reading.snapshot {
        Some(snapshot) => lines.extend(figures(snapshot, reading.in_force.config.as_ref())),
        None => lines.push(("figures", "none: the owner has not done anything yet".to_owned())),
    }
    let unwise = reading.in_force.config.as_ref().map_or(Vec::new(), Config::warnings);
    lines.extend(unwise.iter().map(|warning| ("warning", warning.in_text(|setting| setting.name().to_owned()))));
    lines
}

/// Since when, and by what evidence. That has a line of its own if one line is too short.
fn since(event: &Event, quantile_ppm: Option<u32>) -> Vec<(&'static str, String)> {
    let since = format!("{}, by {}", show_ago(event.wall_ns), event.reason);
    let Some(evidence) = evidence(event, quantile_ppm) else { return vec![("since", since)] };
    let whole = format!("{since}: {evidence}");
    let is_room = measure_text_width(&whole) <= columns().saturating_sub(NAMES);
    if is_room { vec![("since", whole)] } else { vec![("since", since), ("", evidence)] }
}

/// The P99, and the other quantiles.
fn latency(reading: &Reading) -> [(&'static str, String); 2] {
    let others = QUANTILES.iter().zip(reading.quantiles_ns).skip(1);
    let others = others.filter_map(|(&(_, _, name), ns)| Some(format!("{} {}", style(name).dim(), show_ns(ns?))));
    let others: Vec<String> = others.collect();
    let others = if others.is_empty() { "no samples".to_owned() } else { others.join("   ") };
    [("P99", reading.p99_ns().map_or("-".to_owned(), |ns| style(show_ns(ns)).bold().to_string())), ("latency", others)]
}

/// `config` is the settings in force, if they can be read.
fn figures(snapshot: &Snapshot, config: Option<&Config>) -> Vec<(&'static str, String)> {
    let count = |count: u32| show_count(count.into());
    let by_debt = config.filter(|config| config.debt_limit > 0);
    let armed = match by_debt {
        _ if snapshot.armed => "",
        None => "; too few for a verdict",
        Some(Config { failure_rate_ppm: PPM, .. }) => "",
        Some(_) => "; too few for a verdict on the failure rate",
    };
    let mut lines = vec![
        (
            "window",
            format!(
                "{}: {} slow, {} failed{armed}",
                show_counted(snapshot.samples.into(), "sample"),
                count(snapshot.slow),
                count(snapshot.failures)
            ),
        ),
        ("in flight", format!("{}, {} of them overdue", count(snapshot.in_flight), count(snapshot.overdue))),
    ];
    if let Some(config) = by_debt {
        let limit_ppm = u64::from(config.debt_limit) * u64::from(config.quantile_ppm);
        lines.push(("debt", format!("{} calls, limit {}", show_calls(snapshot.debt_ppm), show_calls(limit_ppm))));
    }
    if snapshot.state == State::HalfOpen {
        lines.push((
            "trials",
            format!(
                "{} granted: {} out, {} good so far",
                count(snapshot.trials_granted),
                count(snapshot.trials_out),
                count(snapshot.trials_good)
            ),
        ));
    }
    lines.push(("attempt", count(snapshot.attempt)));
    if snapshot.shadow {
        let refused = show_count(snapshot.refused_in_shadow);
        lines.push(("shadow", format!("nothing is refused; {refused} asks would have been")));
    }
    lines.push((
        "so far",
        format!(
            "{} recorded, {} refused, {}",
            show_count(snapshot.recorded),
            show_count(snapshot.refused),
            show_counted(snapshot.events, "event")
        ),
    ));
    lines.push((
        "left out",
        format!(
            "{} stale, {} untracked, {} misused, {} dropped",
            show_count(snapshot.stale),
            show_count(snapshot.untracked),
            show_count(snapshot.misused),
            show_count(snapshot.dropped)
        ),
    ));
    lines
}
