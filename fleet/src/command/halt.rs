//! `trip99-fleet halt`

use crate::ask::Asker;
use crate::command::look::{self, Format, Reports, Who};
use crate::failure::Failure;
use crate::message::{self, Body, Halt, Id};
use crate::selection::Selection;
use crate::time::{show_ms, show_wall, wall_ns};
use crate::trust::Role;
use clap::Args;
use serde_json::json;
use std::fmt::Write;
use std::time::{Duration, Instant};

/// Stop every engine whose page is selected, on every host
///
/// The halt is said through each server, again and again, until each agent has answered, and until the fleet's bucket has it. It never asks
/// for confirmation. It outlasts restarts of engines, agents and servers, until a resume names it.
///
/// The exit status is 0 only if every agent of the fleet's file refuses orders for the pages that are selected, has the halt on its disk,
/// and the bucket has it; 1 if not all of that is known after --timeout; 2 if nothing was said. An agent that doesn't answer is dead or cut
/// off: its engines stop when its lease ends.
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  trip99-fleet halt --all --reason \"prices look wrong\"\n  \
    trip99-fleet halt --label desk=rates --label venue=xetra --reason \"venue is slow\"\n  \
    trip99-fleet halt --label host=engine-7 --format json")]
pub struct Options {
    #[command(flatten)]
    who: Who,
    /// Every page
    #[arg(long, conflicts_with = "label", required_unless_present = "label")]
    all: bool,
    /// Pages with this label, from their host's file of labels, or `host=` or `name=`; VALUE * is any. Several: pages with all of them
    #[arg(long, value_name = "NAME=VALUE")]
    label: Vec<String>,
    /// Why, for whoever looks at it later
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    reason: Option<String>,
    /// Who halts [default: USER@HOST, of who logged in]
    #[arg(long = "as", value_name = "NAME")]
    name: Option<String>,
    /// How long to wait for answers. The halt holds, whatever is answered
    #[arg(long, value_name = "TIME", default_value = "3s", value_parser = look::span)]
    timeout: Duration,
    /// How to show what came of it
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// What is known of a halt so far.
#[derive(Default)]
struct Known {
    reports: Reports,
    revision: Option<u64>,
    is_dead: bool,
}

/// Halts.
///
/// # Errors
/// Not all of it is known to be done.
pub async fn run(options: Options) -> Result<(), Failure> {
    let selection = if options.all { Selection::all() } else { Selection::of(&options.label).map_err(Failure::new)? };
    let (who, reason) = (look::who(options.name.as_deref())?, look::reason(options.reason.as_deref()));
    let mut asker = Asker::connect(&options.who.fleet, &options.who.key, &[Role::Halter]).await?;
    let halt = Halt { id: Id::new()?, selection, reason, who, at_ns: wall_ns() };
    let begin = Instant::now();
    let known = say(&mut asker, &halt, options.timeout, options.format).await?;
    let took_ns = u64::try_from(begin.elapsed().as_nanos()).unwrap_or(u64::MAX);
    let missing = missing(&asker, &known);
    match options.format {
        Format::Json => look::print(&format!("{}\n", to_json(&halt, &known, &missing, took_ns)))?,
        Format::Text => look::print(&conclusion(&halt, &known, &missing, took_ns))?,
    }
    if missing.is_empty() { Ok(()) } else { Err(Failure::not_done(missing.join("; "))) }
}

async fn say(asker: &mut Asker, halt: &Halt, within: Duration, format: Format) -> Result<Known, Failure> {
    let text = message::seal(&asker.key, &asker.trust.fleet, &Body::Halt(halt.clone()))?.into();
    let (agents, subject) = (look::agents(&asker.trust), asker.subjects.halt());
    let (mut known, id, mut told) = (Known::default(), halt.id.to_string(), 0);
    asker
        .gather(&subject, &text, within, |trust, opened| {
            match &opened.body {
                Body::Taken(taken) if taken.about == halt.id && trust.name(Role::Governor, &opened.by).is_ok() => {
                    known.revision = known.revision.or(taken.revision);
                }
                _ => _ = look::take_report(trust, opened, &id, &mut known.reports),
            }
            known.is_dead = known.reports.values().any(|report| report.is_dead);
            if format == Format::Text && known.reports.len() > told {
                told = known.reports.len();
                eprintln!("{told} of {} agents have answered", agents.len());
            }
            let is_done = |agent: &String| known.reports.get(agent).is_some_and(|report| not_done(report).is_none());
            known.is_dead || known.revision.is_some() && agents.iter().all(is_done)
        })
        .await;
    Ok(known)
}

/// What of a report isn't as it should be.
fn not_done(report: &message::Report) -> Option<String> {
    if report.is_dead {
        return Some("it was resumed".to_owned());
    }
    let open: Vec<&str> =
        report.pages.iter().filter(|page| !page.halted || page.wrong.is_some()).map(|page| &*page.name).collect();
    if !open.is_empty() {
        return Some(format!("not all pages are known to refuse: {}", open.join(", ")));
    }
    (!report.stored).then(|| "its disk hasn't the halt".to_owned())
}

/// What isn't known to be done.
fn missing(asker: &Asker, known: &Known) -> Vec<String> {
    let of_agent = |agent: String| match known.reports.get(&agent) {
        None => Some(format!("agent {agent} doesn't answer: its engines stop when its lease ends")),
        Some(report) => not_done(report).map(|what| format!("agent {agent}: {what}")),
    };
    let mut missing: Vec<String> = look::agents(&asker.trust).into_iter().filter_map(of_agent).collect();
    if known.revision.is_none() {
        missing.push("no governor has filed the halt: a resume has to wait until one has".to_owned());
    }
    missing
}

fn conclusion(halt: &Halt, known: &Known, missing: &[String], took_ns: u64) -> String {
    let pages = || known.reports.values().flat_map(|report| &report.pages);
    let refusing = pages().filter(|page| page.halted && page.wrong.is_none()).count();
    let mut text = String::new();
    for (agent, report) in &known.reports {
        for page in &report.pages {
            let owner = if page.owner_alive { "owner alive" } else { "no owner" };
            let what = page.wrong.clone().unwrap_or_else(|| match page.halted {
                true => format!("HALTED since {}", show_wall(page.held_since_ns)),
                false => "NOT halted".to_owned(),
            });
            let _ = writeln!(text, "  {agent:<16}  {:<24}  {owner:<11}  {what}", page.name);
        }
    }
    let verdict = if missing.is_empty() { "all refuse" } else { "NOT ALL IS KNOWN TO BE DONE" };
    let _ = writeln!(
        text,
        "halt {} of {}: {verdict}; {refusing} pages refuse, {} agents answered, in {}{}",
        halt.id.short(),
        halt.selection,
        known.reports.len(),
        show_ms(took_ns),
        known.revision.map_or_else(String::new, |revision| format!("; revision {revision}"))
    );
    text
}

fn to_json(halt: &Halt, known: &Known, missing: &[String], took_ns: u64) -> serde_json::Value {
    json!({
        "id": halt.id, "selection": halt.selection, "reason": halt.reason, "who": halt.who, "at_ns": halt.at_ns,
        "at": show_wall(halt.at_ns), "done": missing.is_empty(), "missing": missing, "revision": known.revision,
        "took_ns": took_ns, "agents": known.reports,
    })
}
