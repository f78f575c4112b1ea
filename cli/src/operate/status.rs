//! `trip99 status`

use crate::arguments::{check_arg, format_arg, is_json};
use crate::failure::{Failure, warn};
use crate::json::Json;
use crate::labels::{self, Selector};
use crate::operate::tell::held_by;
use crate::operate::which::{Which, conclude, names_arg};
use crate::page::folder::Listed;
use crate::page::json;
use crate::page::place::refused;
use crate::page::reading::{QUANTILES, Reading};
use crate::page::standing::Standing;
use crate::show::{
    NAMES, columns, evidence_and_samples, show_calls, show_count, show_counted, show_ns, show_part, show_quantile,
};
use crate::show::{wrap_lines, write_lines};
use crate::zone::Zone;
use clap::{ArgMatches, Command};
use console::{measure_text_width, style};
use std::io::{self, Write};
use trip99::shared::SharedError;
use trip99::{Config, Event, PPM, Snapshot, State};

pub(crate) fn command() -> Command {
    Command::new("status")
        .args_override_self(true)
        .about("Show how breakers stand: trouble first, why and since when, and each figure beside its limit")
        .arg(names_arg().required_unless_present("label"))
        .arg(Selector::arg().conflicts_with("page"))
        .arg(check_arg())
        .arg(Zone::arg())
        .arg(format_arg("Text for people, or one JSON object a line: the pages"))
}

pub(crate) fn run(matches: &ArgMatches) -> Result<(), Failure> {
    let is_check = matches.get_flag("check");
    let Which { pages, mistakes, missing } = Which::of(matches)?;
    let mut worst = if missing.is_empty() { 0 } else { Standing::Gone.check() };
    let mut read: Vec<(Listed, Result<Reading, SharedError>)> = pages
        .into_iter()
        .map(|page| {
            let reading = page.read();
            (page, reading)
        })
        .collect();
    read.sort_by_key(|(_, reading)| standing(reading));
    worst = read.iter().map(|(_, reading)| standing(reading).check()).max().unwrap_or(0).max(worst);
    if is_json(matches) {
        let is_alone = read.len() == 1 && !is_check;
        let told = read.iter().filter(|(_, reading)| !is_alone || reading.is_ok());
        let mut out = Json(io::stdout().lock());
        told.into_iter().try_for_each(|(page, reading)| out.line(&json::listed(page, reading)))?;
    } else {
        print(&read, &Zone::of(matches))?;
    }
    let unreadable = read.iter().filter_map(|(_, reading)| reading.as_ref().err()).map(refused);
    let gone = missing.into_iter().chain(unreadable);
    if !is_check {
        return conclude(mistakes.into_iter().chain(gone).collect());
    }
    gone.for_each(|failure| warn(failure.message().unwrap_or_default()));
    conclude(mistakes)?;
    if worst > 0 { Err(Failure::Answer(worst)) } else { Ok(()) }
}

fn standing(reading: &Result<Reading, SharedError>) -> Standing {
    reading.as_ref().map_or(Standing::Unreadable, Reading::standing)
}

fn print(read: &[(Listed, Result<Reading, SharedError>)], zone: &Zone) -> io::Result<()> {
    let mut out = io::stdout().lock();
    let readable = read.iter().filter_map(|(page, reading)| Some((page, reading.as_ref().ok()?)));
    for (index, (page, reading)) in readable.enumerate() {
        if index > 0 {
            writeln!(out)?;
        }
        writeln!(out, "{} {}\n", style("trip99 status").bold(), page.place.path())?;
        let mut lines = lines(reading, zone);
        if !page.labels.is_empty() {
            lines.push(("labels", labels::show(&page.labels)));
        }
        write_lines(&mut out, fitting(lines, columns()))?;
    }
    Ok(())
}

/// Breaks the lines that are too long for the terminal.
fn fitting(lines: Vec<(&'static str, String)>, columns: usize) -> impl Iterator<Item = (&'static str, String)> {
    lines.into_iter().flat_map(move |line| {
        let fits = measure_text_width(&line.1) + NAMES <= columns;
        let broken = if fits { None } else { Some(wrap_lines([line.clone()], columns)) };
        broken.into_iter().flatten().chain(fits.then_some(line))
    })
}

/// A name and a text for each line.
pub(super) fn lines(reading: &Reading, zone: &Zone) -> Vec<(&'static str, String)> {
    let mut lines = vec![("state", reading.show_state())];
    lines.extend(reading.comes_back_words().map(|back| ("", back)));
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
        lines.extend(since(event, reading.in_force.quantile_ppm(event), zone));
    }
    lines.extend(held_by(&reading.holders, zone));
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
    lines.extend(reading.show_resting().map(|resting| ("resting", resting)));
    lines.extend(latency(reading));
    match &reading.snapshot {
        Some(snapshot) => lines.extend(figures(snapshot, reading)),
        None => lines.push(("figures", "none: the owner has not done anything yet".to_owned())),
    }
    let unwise = reading.in_force.config.as_ref().map_or(Vec::new(), Config::warnings);
    lines.extend(unwise.iter().map(|warning| ("warning", warning.in_text(|setting| setting.name().to_owned()))));
    lines
}

/// Since when, and by what evidence. That has a line of its own if one line is too short.
fn since(event: &Event, quantile_ppm: Option<u32>, zone: &Zone) -> Vec<(&'static str, String)> {
    let since = format!("{}, by {}", zone.ago(event.wall_ns), event.reason);
    let Some(evidence) = evidence_and_samples(event, quantile_ppm) else { return vec![("since", since)] };
    let whole = format!("{since}: {evidence}");
    let is_room = measure_text_width(&whole) <= columns().saturating_sub(NAMES);
    if is_room { vec![("since", whole)] } else { vec![("since", since), ("", evidence)] }
}

/// The P99, and the other quantiles. The threshold stands beside the quantile that is judged.
fn latency(reading: &Reading) -> Vec<(&'static str, String)> {
    let config = reading.in_force.config.as_ref();
    let limit = |ppm: u32| {
        let judged = config.filter(|config| config.quantile_ppm == ppm);
        judged.map_or(String::new(), |config| format!(", limit {}", show_ns(config.threshold_ns)))
    };
    let mut lines = Vec::new();
    let [(p99_ppm, ..), others @ ..] = QUANTILES;
    let p99 = reading.p99_ns().map_or("-".to_owned(), |ns| style(show_ns(ns)).bold().to_string());
    lines.push(("P99", p99 + &limit(p99_ppm)));
    let values = others.iter().zip(reading.quantiles_ns.into_iter().skip(1));
    let shown = values
        .filter_map(|(&(ppm, _, name), ns)| Some(format!("{} {}{}", style(name).dim(), show_ns(ns?), limit(ppm))));
    let shown: Vec<String> = shown.collect();
    lines.push(("latency", if shown.is_empty() { "no samples".to_owned() } else { shown.join("   ") }));
    let is_shown = |ppm| QUANTILES.iter().any(|&(shown_ppm, ..)| shown_ppm == ppm);
    lines.extend(config.filter(|config| !is_shown(config.quantile_ppm)).map(|config| {
        let (name, limit) = (show_quantile(config.quantile_ppm), show_ns(config.threshold_ns));
        ("judged", format!("{name}, limit {limit}"))
    }));
    lines
}

fn figures(snapshot: &Snapshot, reading: &Reading) -> Vec<(&'static str, String)> {
    let count = |count: u32| show_count(count.into());
    let config = reading.in_force.config.as_ref();
    let by_debt = config.filter(|config| config.debt_limit > 0);
    let needed = config.map_or(String::new(), |config| format!(", {} needed", count(config.min_samples)));
    let armed = match by_debt {
        _ if snapshot.armed => String::new(),
        None => format!("; too few for a verdict{needed}"),
        Some(Config { failure_rate_ppm: PPM, .. }) => String::new(),
        Some(_) => format!("; too few for a verdict on the failure rate{needed}"),
    };
    let failures = config.filter(|config| config.failure_rate_ppm < PPM);
    let failures = failures
        .map_or(String::new(), |config| format!(", limit {}", show_part(config.failure_rate_ppm.into(), PPM.into())));
    let samples = show_counted(snapshot.samples.into(), "sample");
    let window =
        format!("{samples}: {} slow, {} failed{failures}{armed}", count(snapshot.slow), count(snapshot.failures));
    let mut lines = vec![("window", window), ("in flight", in_flight(snapshot, reading))];
    if let Some(config) = by_debt {
        let limit_ppm = json::debt_limit_ppm(config);
        lines.push(("debt", format!("{} calls, limit {}", show_calls(snapshot.debt_ppm), show_calls(limit_ppm))));
    }
    if snapshot.state == State::HalfOpen {
        lines.push((
            "trials",
            format!(
                "{} granted: {} out, {} good so far{}",
                count(snapshot.trials_granted),
                count(snapshot.trials_out),
                count(snapshot.trials_good),
                config.map_or(String::new(), |config| format!(", {} needed", count(config.probes)))
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

/// How many calls are out, and for how long the oldest of them has been.
fn in_flight(snapshot: &Snapshot, reading: &Reading) -> String {
    let (calls, overdue) = (show_count(snapshot.in_flight.into()), show_count(snapshot.overdue.into()));
    let mut text = format!("{calls}, {overdue} of them overdue");
    if let Some(oldest_ns) = reading.oldest_ns() {
        text += &format!("; the oldest for {}", show_ns(oldest_ns));
    }
    let limit_ns = reading.in_force.config.as_ref().map_or(0, |config| config.stall_limit_ns);
    if limit_ns > 0 { format!("{text}, limit {}", show_ns(limit_ns)) } else { text }
}
