//! What would have differed, as text for people.

use super::super::faults::show_fate;
use super::{Compared, sides};
use crate::failure::Failure;
use crate::profile::{Looked, show_profile};
use crate::show::{evidence, show_count, show_ns, show_part, show_time, show_timeline, wrap, wrap_lines, write_lines};
use console::style;
use std::io::Write;
use trip99::Config;
use trip99_logs::pauses::{Difference, Pause};
use trip99_logs::replay::Summary;

/// Prints text for people. `names` are those of the log, of the old and of the new settings.
pub(in super::super) fn write_text(
    compared: &Compared,
    [log, old_name, new_name]: [&str; 3],
    looked: &Looked,
    width: Option<usize>,
    out: &mut impl Write,
) -> Result<(), Failure> {
    let columns = width.unwrap_or(usize::MAX);
    let (old, new) = (&compared.old, &compared.new);
    writeln!(out, "{} {log}\n", style("trip99 replay").bold())?;
    write_lines(out, wrap_lines([("old", old_name.to_owned()), ("new", new_name.to_owned())], columns))?;
    writeln!(out)?;
    write_lines(out, wrap_lines(show_profile(looked.profile(), old.config.threshold_ns), columns))?;
    writeln!(out)?;

    write_row(out, ["", "old", "new"], "")?;
    for (name, old, new) in compared.settings() {
        write_row(out, [name, &old, &new], "")?;
    }
    if compared.settings().next().is_none() {
        writeln!(out, "  no setting differs")?;
    }
    writeln!(out)?;

    let first_ns = old.summary.first_ns;
    for difference in &compared.differences {
        let begins = show_time(difference.from_ns().saturating_sub(first_ns));
        writeln!(out, "{begins:>13}  {}", show_difference(difference))?;
        for (name, pauses, config) in [("old", &difference.old, &old.config), ("new", &difference.new, &new.config)] {
            for pause in pauses {
                for line in wrap(&show_pause(pause, config, first_ns), columns.saturating_sub(INDENT + 4).max(20)) {
                    writeln!(out, "{:INDENT$}{} {}", "", style(name).dim(), style(line).dim())?;
                }
            }
        }
    }
    if compared.differences.is_empty() {
        writeln!(out, "  no pause, by either")?;
    }
    writeln!(out)?;

    for (text, old, new) in compared.faults() {
        let lines = [("fault", text.to_owned()), ("  old", show_fate(old)), ("  new", show_fate(new))];
        write_lines(out, wrap_lines(lines, columns))?;
    }
    if !compared.injections.is_empty() {
        writeln!(out)?;
    }
    write_totals(out, compared)?;
    let width = if columns == usize::MAX { 80 } else { columns.min(120) };
    for (name, side) in [("old", old), ("new", new)] {
        let whole_ns = side.summary.end_ns - side.summary.first_ns;
        writeln!(out, "\n  {}\n{}", style(name).dim(), show_timeline(&side.timeline, width, whole_ns))?;
    }
    Ok(out.flush()?)
}

/// Where the texts below a row begin.
const INDENT: usize = 15;

fn write_row(out: &mut impl Write, [name, old, new]: [&str; 3], note: &str) -> Result<(), Failure> {
    let line = format!("  {} {old:>16} {new:>16}  {}", style(format_args!("{name:<21}")).dim(), style(note).dim());
    Ok(writeln!(out, "{}", line.trim_end())?)
}

fn write_totals(out: &mut impl Write, compared: &Compared) -> Result<(), Failure> {
    let (old, new) = (&compared.old.summary, &compared.new.summary);
    let share =
        |part, summary: &Summary, whole| format!("{part} ({})", show_part(whole, summary.end_ns - summary.first_ns));
    let paused = |summary: &Summary| summary.open_ns + summary.half_open_ns;
    let both = |show: &dyn Fn(&Summary) -> String| [show(old), show(new)];
    write_row(out, ["", "old", "new"], "")?;
    for (name, [old, new]) in [
        ("trips", both(&|summary| show_count(summary.trips))),
        ("reopened", both(&|summary| show_count(summary.reopens))),
        ("paused", both(&|summary| share(show_ns(paused(summary)), summary, paused(summary)))),
        ("longest pause", both(&|summary| show_ns(summary.longest_pause_ns))),
        ("refused", both(&|summary| show_count(summary.refused))),
        ("lost", both(&|summary| show_count(summary.lost))),
        ("at the end", both(&|summary| summary.state.to_string())),
    ] {
        write_row(out, [name, &old, &new], "")?;
    }
    Ok(())
}

/// What differs, in words.
fn show_difference(difference: &Difference) -> String {
    let (text, later_ns) = (sides(difference), difference.later_ns());
    let Some(later_ns) = later_ns else { return format!("paused by {text} alone") };
    let apart = |ns: i128, [less, more]: [&str; 2]| match ns {
        0 => None,
        ..0 => Some(format!("{} {less}", show_ns(length(ns)))),
        _ => Some(format!("{} {more}", show_ns(length(ns)))),
    };
    let told = [apart(later_ns, ["sooner", "later"]), apart(difference.longer_ns(), ["shorter", "longer"])];
    let told: Vec<String> = told.into_iter().flatten().collect();
    match told.is_empty() {
        true => "paused by both, alike".to_owned(),
        false => format!("paused by both, by new {}", told.join(" and ")),
    }
}

fn length(ns: i128) -> u64 {
    u64::try_from(ns.unsigned_abs()).unwrap_or(u64::MAX)
}

fn show_pause(pause: &Pause, config: &Config, first_ns: u64) -> String {
    let reason = pause.opening.as_ref().map_or("start", |event| event.reason.name());
    let evidence = pause.opening.as_ref().and_then(|event| evidence(event, Some(config.quantile_ppm)));
    let evidence = evidence.map_or(String::new(), |evidence| format!(" ({evidence})"));
    let reopens = if pause.reopens > 0 { format!(", reopened {}", show_count(pause.reopens)) } else { String::new() };
    let end = if pause.is_over { "" } else { ", to the log's end" };
    let from = show_time(pause.from_ns.saturating_sub(first_ns));
    format!("at {from} by {reason}{evidence}, for {}{reopens}{end}", show_ns(pause.len_ns()))
}
