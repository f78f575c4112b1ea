//! Faults that a replay puts into its log, and what it tells of them.

use crate::failure::Failure;
use crate::show::{show_count, show_counted, show_ns};
use clap::{Arg, ArgAction, ArgMatches};
use serde::Serialize;
use trip99_logs::fault::{Fate, Injection};

pub(super) fn arg() -> Arg {
    Arg::new("inject").long("inject").value_name("FAULT:DURATION@TIME").action(ArgAction::Append).help(
        "Put a fault into the log, as slow:x5:5m@12:00, and tell whether it is noticed; may be given more than once. The fault: slow:x5, \
         slow:10%:x10 (of the log's median), slow:10%:300ms, silent or lost:5%. The time: 12:00 (UTC), 2026-11-28T12:00:00Z or +90s \
         after the first row",
    )
}

/// Those that the command line has.
pub(super) fn read(matches: &ArgMatches) -> Result<Vec<Injection>, Failure> {
    let texts = matches.get_many::<String>("inject").into_iter().flatten();
    let read =
        texts.map(|text| Injection::parse(text).map_err(|error| Failure::new(format_args!("--inject is {error}"))));
    read.collect()
}

/// A fault, by its text, and what became of it.
pub(super) struct Injected {
    pub(super) text: String,
    pub(super) fate: Fate,
}

/// Pairs what became of faults with their texts.
pub(super) fn pair(injections: &[Injection], fates: Vec<Fate>) -> Vec<Injected> {
    let texts = injections.iter().map(ToString::to_string);
    texts.zip(fates).map(|(text, fate)| Injected { text, fate }).collect()
}

#[derive(Serialize)]
pub(super) struct InjectedLine<'a> {
    injected: &'a str,
    from_ns: u64,
    to_ns: u64,
    #[serde(flatten)]
    fate: FateFields,
}

/// What became of a fault. All but the first two are null if it wasn't noticed.
#[derive(Serialize)]
pub(super) struct FateFields {
    calls: u64,
    noticed: bool,
    reason: Option<&'static str>,
    t_ns: Option<u64>,
    after_ns: Option<u64>,
    after_calls: Option<u64>,
}

impl<'a> InjectedLine<'a> {
    pub(super) fn new(injected: &'a Injected) -> Self {
        let Injected { text, fate } = injected;
        Self { injected: text, from_ns: fate.span.from_ns, to_ns: fate.span.to_ns, fate: FateFields::new(fate) }
    }
}

impl FateFields {
    pub(super) fn new(fate: &Fate) -> Self {
        let noticed = fate.noticed;
        Self {
            calls: fate.calls,
            noticed: noticed.is_some(),
            reason: noticed.map(|noticed| noticed.reason.name()),
            t_ns: noticed.map(|noticed| noticed.t_ns),
            after_ns: noticed.map(|noticed| noticed.after_ns),
            after_calls: noticed.map(|noticed| noticed.after_calls),
        }
    }
}

/// A line for people.
pub(super) fn show_injected(injected: &Injected) -> String {
    format!("{}: {}", injected.text, show_fate(&injected.fate))
}

pub(super) fn show_fate(fate: &Fate) -> String {
    match (fate.noticed, fate.calls) {
        (Some(noticed), _) => format!(
            "noticed by {}, {} and {} after it began",
            noticed.reason,
            show_counted(noticed.after_calls, "call"),
            show_ns(noticed.after_ns)
        ),
        (None, 0) => "not noticed: no call began in it".to_owned(),
        (None, calls) => format!("not noticed, by {} of its calls", show_count(calls)),
    }
}
