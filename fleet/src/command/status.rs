//! `trip99-fleet status`

use crate::ask::Asker;
use crate::command::halts;
use crate::command::look::{self, Format, Reports, Who};
use crate::failure::Failure;
use crate::message::{PageReport, Report};
use crate::time::show_ms;
use crate::trust::Role;
use clap::Args;
use serde_json::json;
use std::fmt::Write;
use std::time::Duration;

/// Show every page of every host
///
/// It asks each agent. Hosts whose agents don't answer come first, then pages that refuse. The halts of the fleet that are not over are
/// listed, too, if a governor answers.
///
/// The exit status is 0 if every agent answered; 1 if not; 2 if the command failed. With --check it is 0 only if, beyond that, every page
/// trades; 10 if a page is paused or tests, 11 if one is halted, 12 if one is unwatched, wrong, or its agent doesn't answer.
#[derive(Args, Debug)]
pub struct Options {
    #[command(flatten)]
    who: Who,
    /// Tell by the exit status whether all pages trade
    #[arg(long)]
    check: bool,
    /// How long to wait for answers
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = look::span)]
    timeout: Duration,
    /// How to show it
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// Shows.
///
/// # Errors
/// Not every agent answered, or what `--check` tells.
pub async fn run(options: Options) -> Result<(), Failure> {
    let mut asker = Asker::connect(&options.who.fleet, &options.who.key, &[Role::Halter, Role::Resumer]).await?;
    let reports = look::ask_agents(&mut asker, options.timeout).await?;
    let records = asker.lines(options.timeout).await.ok();
    let book = records.as_ref().map(|records| halts::book(&asker.trust, records));
    let live: Option<Vec<_>> = book.as_ref().map(|book| book.live().map(|known| known.halt.clone()).collect());
    let silent: Vec<String> =
        look::agents(&asker.trust).into_iter().filter(|agent| !reports.contains_key(agent)).collect();
    let text = match options.format {
        Format::Json => format!(
            "{}\n",
            json!({ "agents": reports, "silent": silent, "halts": live, "servers_up": asker.net.up(), "servers": asker.net.links.len() })
        ),
        Format::Text => {
            let mut text = table(&reports, &silent);
            match &live {
                None => text.push_str("no governor answers: which halts the bucket has isn't known\n"),
                Some(live) => live.iter().for_each(|halt| _ = writeln!(text, "halt {}", halts::show(halt))),
            }
            let _ = writeln!(text, "{} of {} servers answer", asker.net.up(), asker.net.links.len());
            text
        }
    };
    look::print(&text)?;
    let worst = if options.check { worst(&reports, !silent.is_empty()) } else { u8::from(!silent.is_empty()) };
    match worst {
        0 => Ok(()),
        status if silent.is_empty() => Err(Failure { text: "not all pages trade".to_owned(), status }),
        status => Err(Failure { text: format!("these agents don't answer: {}", silent.join(", ")), status }),
    }
}

/// The exit status of the worst page.
fn worst(reports: &Reports, is_any_silent: bool) -> u8 {
    let pages = reports.values().flat_map(|report| &report.pages).map(status);
    pages.max().unwrap_or(0).max(if is_any_silent { 12 } else { 0 })
}

fn status(page: &PageReport) -> u8 {
    match &*page.state {
        _ if page.wrong.is_some() || page.unwatched || !page.owner_alive => 12,
        _ if page.halted => 11,
        "closed" => 0,
        "open" | "half_open" => 10,
        _ => 12,
    }
}

fn word(page: &PageReport) -> &'static str {
    match &*page.state {
        _ if page.wrong.is_some() => "WRONG",
        _ if page.halted => "HALTED",
        _ if page.unwatched || !page.owner_alive => "UNWATCHED",
        "closed" => "trading",
        "open" => "paused",
        "half_open" => "testing",
        _ => "?",
    }
}

fn table(reports: &Reports, silent: &[String]) -> String {
    let mut text = String::new();
    for agent in silent {
        let _ = writeln!(text, "{agent:<16}  NO ANSWER: its engines stop when its lease ends");
    }
    let mut rows: Vec<(&String, &Report, &PageReport)> =
        reports.iter().flat_map(|(agent, report)| report.pages.iter().map(move |page| (agent, report, page))).collect();
    rows.sort_by_key(|(agent, _, page)| (std::cmp::Reverse(status(page)), (*agent).clone(), page.name.clone()));
    if !rows.is_empty() {
        let _ = writeln!(
            text,
            "{:<16}  {:<20}  {:<9}  {:>10}  {:>10}  {:>9}  {:>10}  {:<9}  held by",
            "agent", "page", "state", "P99 ms", "limit ms", "lease ms", "trip ms", "owner"
        );
    }
    for (agent, report, page) in rows {
        let ms =
            |ns: Option<u64>| ns.map_or_else(|| "-".to_owned(), |ns| show_ms(ns).trim_end_matches(" ms").to_owned());
        let holders = if page.holders.is_empty() { "-".to_owned() } else { page.holders.join(" ") };
        let owner = if page.owner_alive { page.owner_pid.to_string() } else { "gone".to_owned() };
        let why = page.wrong.as_ref().map_or_else(String::new, |wrong| format!("  {wrong}"));
        let _ = writeln!(
            text,
            "{agent:<16}  {:<20}  {:<9}  {:>10}  {:>10}  {:>9}  {:>10}  {owner:<9}  {holders}{why}",
            page.name,
            word(page),
            ms(page.quantile_ns),
            ms(page.threshold_ns),
            ms(page.lease_left_ns),
            ms(Some(report.round_trip_ns)),
        );
    }
    for (agent, report) in reports {
        if let Some(trouble) = &report.trouble {
            let _ = writeln!(text, "{agent:<16}  holds what has no lease in force: {trouble}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_page_decides() {
        let page = |state: &str, halted, unwatched, owner_alive| PageReport {
            state: state.to_owned(),
            halted,
            unwatched,
            owner_alive,
            ..PageReport::default()
        };
        for (page, expected, shown) in [
            (page("closed", false, false, true), 0, "trading"),
            (page("open", false, false, true), 10, "paused"),
            (page("half_open", false, false, true), 10, "testing"),
            (page("closed", true, false, true), 11, "HALTED"),
            (page("closed", false, true, true), 12, "UNWATCHED"),
            (page("closed", false, false, false), 12, "UNWATCHED"),
            (page("", false, false, true), 12, "?"),
        ] {
            assert_eq!((status(&page), word(&page)), (expected, shown));
        }
        assert_eq!(worst(&Reports::new(), true), 12);
    }
}
