//! What was found, for people.

use super::Found;
use crate::failure::Failure;
use crate::profile::show_profile;
use crate::show::{evidence, show_count, show_counted, show_ns, show_part, wrap, wrap_lines, write_lines};
use console::style;
use std::io::Write;
use std::path::Path;
use trip99::Event;
use trip99_logs::fault::Fault;
use trip99_logs::profile::QUANTILES;
use trip99_logs::tune::{CALLS_AFTER, FaultProof, Proof};

/// So many outages are listed.
const LISTED: usize = 5;
/// Texts are no wider than this, as nobody reads longer lines with ease.
const WIDEST: usize = 110;

/// `out_file` has the settings if there is such a file; otherwise the text ends with them.
pub(super) fn write(
    found: &Found,
    out_file: Option<&Path>,
    columns: usize,
    out: &mut impl Write,
) -> Result<(), Failure> {
    let columns = columns.min(WIDEST);
    let threshold_ns = found.tuned.config.threshold_ns;
    writeln!(out, "{} {}\n", style("trip99 tune").bold(), found.name)?;
    write_lines(out, wrap_lines(show_profile(&found.profile, threshold_ns), columns))?;
    write_lines(out, wrap_lines(show_healthy(found), columns))?;
    heading(out, "Settings")?;
    for (name, value, reason) in found.settings() {
        let texts = wrap(&reason, columns.saturating_sub(REASON).max(20));
        for (index, text) in texts.iter().enumerate() {
            let (name, value) = if index == 0 { (name, value.as_str()) } else { ("", "") };
            writeln!(out, "  {name:<18} {value:<13} {}", style(text).dim())?;
        }
    }
    heading(out, "Odds of false trips")?;
    for text in show_odds(found) {
        wrap(&text, columns - 2).iter().try_for_each(|line| writeln!(out, "  {line}"))?;
    }
    heading(out, "The log, replayed in shadow")?;
    table(out, &show_replayed(found))?;
    for text in show_false_trips(found) {
        wrap(&text, columns - 2).iter().try_for_each(|line| writeln!(out, "  {}", style(line).dim()))?;
    }
    heading(
        out,
        &format!(
            "Faults put into the log, each at {} calls",
            found.tuned.faults.first().map_or(0, |fault| fault.tried)
        ),
    )?;
    table(out, &faults(found))?;
    let legend = format!(
        "noticed, and in the median after how many calls and how long; - is not within {} calls",
        show_count(CALLS_AFTER as u64)
    );
    wrap(&legend, columns - 2).iter().try_for_each(|line| writeln!(out, "  {}", style(line).dim()))?;
    match out_file {
        Some(path) => writeln!(out, "\nThe settings are in {}.", path.display())?,
        None => {
            heading(out, "As a file for --config, Config::from_toml and cb_config_load")?;
            out.write_all(found.toml().as_bytes())?;
        }
    }
    Ok(())
}

/// Where the reason of a setting begins.
const REASON: usize = 35;

fn heading(out: &mut impl Write, text: &str) -> Result<(), Failure> {
    Ok(writeln!(out, "\n{}", style(text).bold())?)
}

/// The healthy calls, and what was left out.
pub(super) fn show_healthy(found: &Found) -> Vec<(&'static str, String)> {
    let tuned = &found.tuned;
    let names = QUANTILES.iter().map(|(_, name)| *name).chain(["greatest"]);
    let quantiles: Vec<String> =
        names.zip(tuned.healthy_ns).map(|(name, ns)| format!("{name} {}", show_ns(ns))).collect();
    let healthy = show_counted(tuned.healthy, "call");
    let mut lines =
        vec![("healthy", format!("{healthy} over {}: {}", show_ns(tuned.healthy_span_ns), quantiles.join(", ")))];
    let outage = format!("calls lost, or slower than {}", show_ns(tuned.outage_limit_ns));
    if tuned.suspects.is_empty() {
        lines.push(("outages", format!("none ({outage})")));
    }
    for (index, suspect) in tuned.suspects.iter().take(LISTED).enumerate() {
        let after_ns = suspect.from_ns.saturating_sub(found.profile.first_ns);
        let text = format!("after {}, for {}", show_ns(after_ns), show_ns(suspect.len_ns()));
        let what = if index == 0 { format!("{text} ({outage}, within 10 min of each other)") } else { text };
        lines.push((if index == 0 { "outages" } else { "" }, what));
    }
    if let Some(more) = tuned.suspects.len().checked_sub(LISTED).filter(|&more| more > 0) {
        lines.push(("", format!("and {more} more; see --format json")));
    }
    if !found.options.bad.is_empty() {
        lines.push(("left out", format!("{}, by --bad", show_counted(found.options.bad.len() as u64, "span"))));
    }
    lines
}

/// What is known of false trips, in sentences.
pub(super) fn show_odds(found: &Found) -> Vec<String> {
    found.told().odds()
}

/// A name, and what these settings and the defaults have.
pub(super) type Row = [String; 3];

pub(super) fn show_replayed(found: &Found) -> Vec<Row> {
    let tuned = &found.tuned;
    let row =
        |name: &str, text: fn(&Proof) -> String| [name.to_owned(), text(&tuned.whole), text(&tuned.whole_by_default)];
    vec![
        ["", "these settings", "the defaults"].map(str::to_owned),
        row("false trips", |proof| show_count(proof.false_trips.len() as u64)),
        row("outages noticed", |proof| format!("{} of {}", proof.noticed, proof.outages)),
        row("paused", |proof| format!("{} ({})", show_ns(proof.paused_ns), show_part(proof.paused_ns, proof.span_ns))),
    ]
}

/// Why these settings would have tripped falsely, each time.
fn show_false_trips(found: &Found) -> Vec<String> {
    let trips = &found.tuned.whole.false_trips;
    let text = |event: &Event| {
        let after = show_ns(event.t_ns.saturating_sub(found.profile.first_ns));
        let evidence = evidence(event, Some(found.tuned.config.quantile_ppm)).unwrap_or_default();
        format!("false after {after}: {}, {evidence}", event.reason)
    };
    let mut texts: Vec<String> = trips.iter().take(LISTED).map(text).collect();
    if let Some(more) = trips.len().checked_sub(LISTED).filter(|&more| more > 0) {
        texts.push(format!("and {more} more; see --format json"));
    }
    texts
}

fn faults(found: &Found) -> Vec<Row> {
    let tuned = &found.tuned;
    let mut rows = vec![["", "these settings", "the defaults"].map(str::to_owned)];
    let both = tuned.faults.iter().zip(&tuned.faults_by_default);
    rows.extend(
        both.map(|(these, by_default)| [show_fault(&these.fault), show_noticed(these), show_noticed(by_default)]),
    );
    rows
}

pub(super) fn show_fault(fault: &Fault) -> String {
    let part = |ppm: u32| show_part(ppm.into(), trip99::PPM.into());
    match *fault {
        Fault::Slower { times_ppm } => format!("{} times slower", times_ppm / u64::from(trip99::PPM)),
        Fault::SomeSlower { share_ppm, slow_ns } => format!("{} take {}", part(share_ppm), show_ns(slow_ns)),
        Fault::Silent => "silent".to_owned(),
        Fault::Lost { share_ppm } => format!("{} lost", part(share_ppm)),
    }
}

pub(super) fn show_noticed(proof: &FaultProof) -> String {
    let noticed = format!("{} of {}", proof.noticed, proof.tried);
    match (proof.median_calls, proof.median_ns) {
        (Some(calls), Some(ns)) => format!("{noticed}, {}, {}", show_counted(calls, "call"), show_ns(ns)),
        _ => format!("{noticed}, -"),
    }
}

fn table(out: &mut impl Write, rows: &[Row]) -> Result<(), Failure> {
    let width = |column: fn(&Row) -> &String| rows.iter().map(|row| column(row).chars().count()).max().unwrap_or(0);
    let (first, second) = (width(|row| &row[0]), width(|row| &row[1]));
    for (index, [name, these, by_default]) in rows.iter().enumerate() {
        let line = format!("  {name:<first$}  {these:<second$}  {by_default}");
        let line = line.trim_end();
        if index == 0 { writeln!(out, "{}", style(line).dim())? } else { writeln!(out, "{line}")? }
    }
    Ok(())
}
