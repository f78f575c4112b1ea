//! `trip99 drill`: rehearses a halt on an engine that trades, and measures how long it takes.

mod report;

use crate::arguments::{format_arg, is_json, on_page, page};
use crate::failure::{Failure, warn};
use crate::json::Json;
use crate::operate::asking::{asks, is_at_terminal};
use crate::operate::lifting::{Outcome, Whose, lift};
use crate::page::folder::Listed;
use crate::page::place::refused;
use crate::page::reading::Reading;
use crate::page::standing::Standing;
use crate::zone::now_ns;
use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use report::Report;
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};
use trip99::shared::{Halter, login};
use trip99::{Events, Gate, Holder, Reason};

const LOOK_EVERY: Duration = Duration::from_micros(50);

pub(crate) fn command() -> Command {
    let time = |name: &'static str, default: &'static str, help: &'static str| {
        let arg = Arg::new(name).long(name).value_name("TIME").default_value(default).help(help);
        arg.value_parser(value_parser!(humantime::Duration))
    };
    on_page("drill")
        .about("Rehearse a halt on an engine that trades, and write down how long it takes")
        .long_about(
            "Rehearse a halt on an engine that trades: halts it by the holder drill, waits until the engine refuses an order, \
             resumes, and writes a dated report that can be filed. The engine doesn't trade for as long as that takes.\n\n\
             The engine tells of refusals about once a millisecond, so the times are upper bounds. The exit status is 0 if an order \
             was refused and trading went on. An interrupted drill resumes first. If it is killed, trip99 resume --holder drill \
             lifts its halt.",
        )
        .arg(
            Arg::new("to")
                .long("to")
                .value_name("DIR")
                .value_parser(value_parser!(PathBuf))
                .default_value(".")
                .help("The folder for the report, trip99-drill-PAGE-DATE.md"),
        )
        .arg(time("timeout", "10s", "How long to wait at most for a refusal, and then for trading to go on"))
        .arg(time("hold", "0s", "How long to stay halted after the first refusal"))
        .arg(
            Arg::new("dry-run")
                .long("dry-run")
                .action(ArgAction::SetTrue)
                .help("Only tell what would be done, and whether it could be done now"),
        )
        .arg(Arg::new("yes").long("yes").action(ArgAction::SetTrue).help("Don't ask"))
        .arg(format_arg("Text for people, or one JSON object"))
}

pub(crate) fn run(matches: &ArgMatches) -> Result<(), Failure> {
    let listed = Listed::named(page(matches)?);
    let name = listed.place.name();
    let halter = Halter::open(&listed.place.path).map_err(|error| refused(&error))?;
    halter.warnings().iter().for_each(warn);
    let Some(gate) = halter.gate() else {
        return Err(Failure::not_done(format_args!("{name} is not a page of this version; nothing was done")));
    };
    let reading = Reading::take(gate);
    let standing = reading.standing();
    if standing != Standing::Trading || reading.halted {
        let state = reading.state_words();
        return Err(Failure::not_done(format_args!(
            "{name} is {state}; a drill is for an engine that trades, and nothing was done"
        )));
    }
    let folder = matches.get_one::<PathBuf>("to").map_or(PathBuf::from("."), PathBuf::clone);
    let mut report = Report::begin(&listed, &reading);
    let mut out = io::stdout().lock();
    if matches.get_flag("dry-run") {
        if is_json(matches) {
            return Json(out).line(&report.json(None));
        }
        return Ok(writeln!(
            out,
            "{name} is {}; a drill would halt it by the holder drill, wait until an order is refused, resume, and write {}",
            reading.state_words(),
            folder.join(report.file_name()).display()
        )?);
    }
    let path = report.reserve(&folder)?;
    let question = format!("Stop {name} from trading for a moment?");
    if is_at_terminal() && !matches.get_flag("yes") && !asks(&question, |_| Ok(())) {
        let _ = std::fs::remove_file(&path);
        return Err(Failure::not_done("nothing was done, as the answer was not yes"));
    }
    let time = |option: &str| matches.get_one::<humantime::Duration>(option).map_or(Duration::ZERO, |time| **time);
    rehearse(&halter, gate, &mut report, time("timeout"), time("hold"))?;
    report.write(&path)?;
    if is_json(matches) {
        Json(&mut out).line(&report.json(Some(&path)))?;
    } else {
        write!(out, "{}\nthe report is {}\n", report.text(), path.display())?;
    }
    if report.is_passed() {
        Ok(())
    } else {
        Err(Failure::not_done(format_args!("the drill failed: {}", report.verdict())))
    }
}

/// Whether somebody wants the drill to end now.
fn interrupts() -> Result<Arc<AtomicBool>, Failure> {
    let is_interrupted = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM, signal_hook::consts::SIGHUP] {
        signal_hook::flag::register(signal, Arc::clone(&is_interrupted))
            .map_err(|error| Failure::new(format_args!("signals can't be caught: {error}")))?;
    }
    Ok(is_interrupted)
}

/// Halts, waits for a refusal, and resumes, whatever happens in between.
fn rehearse(halter: &Halter, gate: &Gate, report: &mut Report, limit: Duration, hold: Duration) -> Result<(), Failure> {
    let is_interrupted = interrupts()?;
    let goes_on = |begin: Instant, limit: Duration| begin.elapsed() < limit && !is_interrupted.load(Ordering::Relaxed);
    let mut events = gate.events();
    events.by_ref().for_each(drop);
    let refused = || gate.snapshot().map_or(0, |snapshot| snapshot.refused);
    let refused_before = refused();
    let reason = format!("drill by {}", login());

    let begin = Instant::now();
    report.decided_wall_ns = now_ns();
    let _ = halter.halt(Holder::DRILL, &reason);
    report.halted = Some(begin.elapsed());
    while goes_on(begin, limit) && (report.refused.is_none() || report.noted_wall_ns.is_none()) {
        report.noted_wall_ns = report.noted_wall_ns.or_else(|| noted(&mut events, Reason::Halt));
        if report.refused.is_none() && refused() > refused_before {
            report.refused = Some(begin.elapsed());
        }
        thread::sleep(LOOK_EVERY);
    }
    if let Err(error) = halter.make_durable(Holder::DRILL) {
        warn(format_args!("the drill's halt isn't durable: {error}"));
    }
    let held = Instant::now();
    while goes_on(held, hold) {
        thread::sleep(LOOK_EVERY);
    }
    report.resting = gate.resting();
    report.refusals = refused().saturating_sub(refused_before);

    let resume = Instant::now();
    report.resumed_wall_ns = now_ns();
    let mut lifted = Vec::new();
    let outcome = lift(halter, &Whose::One(Holder::DRILL), &reason, None, |note| lifted.push(note.clone()));
    for note in &lifted {
        if let Err(error) = halter
            .forget(note)
            .or_else(|error| if error.kind() == io::ErrorKind::NotFound { Ok(()) } else { Err(error) })
        {
            warn(format_args!("the file of the drill's halt can't be removed: {error}"));
        }
    }
    if outcome != Outcome::Lifted {
        report.trouble = Some("its own halt couldn't be lifted: trip99 resume --holder drill".to_owned());
    }
    while resume.elapsed() < limit && gate.is_halted() && gate.holders().is_empty() {
        thread::sleep(LOOK_EVERY);
    }
    report.ends(&Reading::take(gate), resume.elapsed());
    if is_interrupted.load(Ordering::Relaxed) {
        report.trouble = Some("it was interrupted".to_owned());
    }
    Ok(())
}

/// When the owner took note of a halt, as its journal has it.
fn noted(events: &mut Events, reason: Reason) -> Option<u64> {
    events.find(|event| event.reason == reason).map(|event| event.wall_ns)
}
