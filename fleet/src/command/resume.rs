//! `trip99-fleet resume`

use crate::ask::Asker;
use crate::command::halts;
use crate::command::look::{self, Format, Who};
use crate::failure::Failure;
use crate::message::{self, Body, Halt, Id, Resume};
use crate::time::wall_ns;
use crate::trust::Role;
use clap::Args;
use serde_json::json;
use std::io::{self, IsTerminal, Write};
use std::time::Duration;

/// Lift halts of the fleet, by their ids
///
/// It lists the halts that are not over, as the bucket's leader has them, and (on a terminal) asks. Then it writes tombstones for those
/// that it listed, and for none that came since: if anybody halted or resumed meanwhile nothing is lifted. A page trades again when no
/// halt of the fleet selects it any more, its agent is in touch, and nobody else holds it. Halts by `trip99 halt` are lifted on their
/// hosts.
///
/// The exit status is 0 only if the tombstones are filed and every agent has read them; 1 if not; 2 if the command failed.
#[derive(Args, Debug)]
#[command(
    after_help = "Examples:\n  trip99-fleet resume --list\n  trip99-fleet resume --id 3f9a01c2 --reason \"venue is back\"\n  \
    trip99-fleet resume --all --reason \"prices are right\""
)]
pub struct Options {
    #[command(flatten)]
    who: Who,
    /// Only list the halts that are not over
    #[arg(long, conflicts_with_all = ["all", "id", "reason"])]
    list: bool,
    /// Every halt that is listed
    #[arg(long, conflicts_with = "id")]
    all: bool,
    /// The halt whose id begins so. May be given several times
    #[arg(long, value_name = "ID")]
    id: Vec<String>,
    /// Why, for whoever looks at it later
    #[arg(long, value_name = "TEXT", required_unless_present = "list", allow_hyphen_values = true)]
    reason: Option<String>,
    /// Who resumes [default: USER@HOST, of who logged in]
    #[arg(long = "as", value_name = "NAME")]
    name: Option<String>,
    /// Don't ask
    #[arg(long)]
    yes: bool,
    /// How long to wait for governors, and then for agents
    #[arg(long, value_name = "TIME", default_value = "3s", value_parser = look::span)]
    timeout: Duration,
    /// How to show what came of it
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// Resumes.
///
/// # Errors
/// Not all of it is known to be done.
pub async fn run(options: Options) -> Result<(), Failure> {
    let (who, reason) = (look::who(options.name.as_deref())?, look::reason(options.reason.as_deref()));
    if !options.list && reason.is_empty() {
        return Err(Failure::new("--reason is blank; legal: a text of 1 to 216 bytes"));
    }
    if !options.list && !options.all && options.id.is_empty() {
        return Err(Failure::new("nothing is named; legal: --id ID, --all, or --list"));
    }
    let roles: &[Role] = if options.list { &[Role::Resumer, Role::Halter] } else { &[Role::Resumer] };
    let mut asker = Asker::connect(&options.who.fleet, &options.who.key, roles).await?;
    let records = asker.lines(options.timeout).await?;
    let book = halts::book(&asker.trust, &records);
    let live: Vec<&Halt> = book.live().map(|known| &known.halt).collect();
    if options.list {
        return list(&live, options.format);
    }
    let meant = chosen(&live, &options)?;
    if !options.yes && io::stdin().is_terminal() && !confirms(&meant)? {
        return Err(Failure::not_done("nothing was lifted, as the answer was not yes"));
    }
    let ids: Vec<Id> = meant.iter().map(|halt| halt.id.clone()).collect();
    let resume = Resume {
        id: Id::new()?,
        ids,
        bucket: records.bucket,
        revision: records.revision,
        reason,
        who,
        at_ns: wall_ns(),
    };
    let revision = file(&mut asker, &resume, options.timeout).await?;
    let behind = wait(&mut asker, revision, options.timeout).await?;
    match options.format {
        Format::Json => look::print(&format!(
            "{}\n",
            json!({ "id": resume.id, "ids": resume.ids, "revision": revision, "done": behind.is_empty(), "behind": behind })
        ))?,
        Format::Text => look::print(&format!(
            "resume {} is filed at revision {revision}; {} halts are over\n",
            resume.id.short(),
            resume.ids.len()
        ))?,
    }
    if behind.is_empty() {
        Ok(())
    } else {
        Err(Failure::not_done(format_args!("these agents aren't known to have read it: {}", behind.join(", "))))
    }
}

fn list(live: &[&Halt], format: Format) -> Result<(), Failure> {
    let text = match format {
        Format::Json => format!("{}\n", json!({ "halts": live })),
        Format::Text if live.is_empty() => "no halt of the fleet\n".to_owned(),
        Format::Text => live.iter().map(|halt| format!("{}\n", halts::show(halt))).collect(),
    };
    look::print(&text)
}

/// Those of the halts that are to be lifted.
fn chosen<'a>(live: &[&'a Halt], options: &Options) -> Result<Vec<&'a Halt>, Failure> {
    let none = || Failure::not_done("there is no halt of the fleet to lift");
    if options.all {
        return if live.is_empty() { Err(none()) } else { Ok(live.to_vec()) };
    }
    let mut meant = Vec::new();
    for text in &options.id {
        let found: Vec<&Halt> =
            live.iter().copied().filter(|halt| halt.id.as_str().starts_with(text.as_str())).collect();
        match found[..] {
            [halt] if text.len() >= 4 => meant.push(halt),
            [] => return Err(Failure::not_done(format_args!("no halt has the id {text}; legal: one of --list"))),
            _ => {
                return Err(Failure::new(format_args!(
                    "--id {text} is too short; legal: the id of one halt of --list"
                )));
            }
        }
    }
    Ok(meant)
}

fn confirms(meant: &[&Halt]) -> Result<bool, Failure> {
    let mut err = io::stderr().lock();
    let mut ask = || -> io::Result<String> {
        for halt in meant {
            writeln!(err, "{}", halts::show(halt))?;
        }
        write!(err, "Lift {} of the fleet? [y/N] ", if meant.len() == 1 { "this halt" } else { "these halts" })?;
        err.flush()?;
        let mut answer = String::new();
        io::stdin().read_line(&mut answer)?;
        Ok(answer)
    };
    let answer = ask().map_err(Failure::new)?;
    Ok(["y", "yes"].contains(&answer.trim().to_lowercase().as_str()))
}

/// Has it filed. Returns its revision.
async fn file(asker: &mut Asker, resume: &Resume, within: Duration) -> Result<u64, Failure> {
    let text = message::seal(&asker.key, &asker.trust.fleet, &Body::Resume(resume.clone()))?.into();
    let (subject, mut revision, mut why) = (asker.subjects.resume(), None, None);
    asker
        .gather(&subject, &text, within, |trust, opened| match opened.body {
            Body::Taken(taken) if taken.about == resume.id && trust.name(Role::Governor, &opened.by).is_ok() => {
                (revision, why) = (taken.revision, taken.why);
                // A governor that couldn't write it isn't the last word: another may, and it is said again.
                revision.is_some() || why.as_ref().is_some_and(|why| why.contains("list again"))
            }
            _ => false,
        })
        .await;
    let why = why.unwrap_or_else(|| "no governor answers".to_owned());
    revision.ok_or_else(|| Failure::not_done(format_args!("nothing is known to be lifted: {why}")))
}

/// Waits until each agent has read it. Returns those that haven't.
async fn wait(asker: &mut Asker, revision: u64, within: Duration) -> Result<Vec<String>, Failure> {
    let begin = std::time::Instant::now();
    loop {
        let reports = look::ask_agents(asker, Duration::from_millis(300)).await?;
        let has_read = |agent: &String| reports.get(agent).is_some_and(|report| report.revision >= revision);
        let behind: Vec<String> = look::agents(&asker.trust).into_iter().filter(|agent| !has_read(agent)).collect();
        if behind.is_empty() || begin.elapsed() >= within {
            return Ok(behind);
        }
    }
}
