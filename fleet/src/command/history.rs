//! `trip99-fleet history`

use crate::ask::Asker;
use crate::command::halts::{self, Line};
use crate::command::look::{self, Format, Who};
use crate::failure::Failure;
use crate::message;
use crate::time::show_wall;
use crate::trust::Role;
use clap::Args;
use serde_json::json;
use std::time::Duration;

/// Show every halt and resume of the fleet, since its bucket was made
///
/// For audits: who halted and resumed what, when and why, with whose key it is signed, and at which revision of the bucket. Each signature
/// is checked anew. What agents answered is in their own records (`answers.jsonl` in an agent's state folder) and on each host in the
/// operators' log of each page.
#[derive(Args, Debug)]
pub struct Options {
    #[command(flatten)]
    who: Who,
    /// How long to wait for governors
    #[arg(long, value_name = "TIME", default_value = "3s", value_parser = look::span)]
    timeout: Duration,
    /// How to show it; json: an object for each line
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// Shows.
///
/// # Errors
/// No governor answers, or a line can't be understood.
pub async fn run(options: Options) -> Result<(), Failure> {
    let mut asker = Asker::connect(&options.who.fleet, &options.who.key, &[Role::Halter, Role::Resumer]).await?;
    let records = asker.lines(options.timeout).await?;
    let (mut text, mut unknown) = (String::new(), 0);
    for (revision, by, line) in halts::lines(&asker.trust, &records) {
        unknown += u32::from(matches!(line, Line::Unknown(_)));
        text.push_str(&match options.format {
            Format::Json => format!("{}\n", to_json(revision, &by, &line)),
            Format::Text => show(revision, &by, &line),
        });
    }
    look::print(&text)?;
    match unknown {
        0 => Ok(()),
        _ => Err(Failure::not_done(format_args!(
            "{unknown} lines of the bucket can't be understood: agents halt on them"
        ))),
    }
}

fn show(revision: u64, by: &str, line: &Line) -> String {
    match line {
        Line::Halt(halt) => format!("{revision:>6}  halt    {}  (key of {by})\n", halts::show(halt)),
        Line::Resume(resume, why) => {
            let ids: Vec<&str> = resume.ids.iter().map(message::Id::short).collect();
            let nothing = why.as_ref().map_or_else(String::new, |why| format!("  LIFTS NOTHING: {why}"));
            let (who, reason) = (message::clean(&resume.who), message::clean(&resume.reason));
            let (id, at) = (resume.id.short(), show_wall(resume.at_ns));
            format!("{revision:>6}  resume  {id}  {at}  {}  {who}: {reason}  (key of {by}){nothing}\n", ids.join(" "))
        }
        Line::Unknown(why) => format!("{revision:>6}  UNKNOWN  {why}\n"),
    }
}

fn to_json(revision: u64, by: &str, line: &Line) -> serde_json::Value {
    match line {
        Line::Halt(halt) => {
            json!({ "revision": revision, "kind": "halt", "key_of": by, "halt": halt, "at": show_wall(halt.at_ns) })
        }
        Line::Resume(resume, why) => json!({
            "revision": revision, "kind": "resume", "key_of": by, "resume": resume, "at": show_wall(resume.at_ns),
            "lifts_nothing": why,
        }),
        Line::Unknown(why) => json!({ "revision": revision, "kind": "unknown", "why": why }),
    }
}
