//! A page as it stands, read once.

use crate::page::in_force::InForce;
use crate::page::note;
use crate::show::{show_ns, state_style};
use console::{Style, style};
use std::fs;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use trip99::shared::{ComesBack, Owner};
use trip99::{Event, HaltNote, Observer, Snapshot, State};

/// Quantiles by nearest rank, in ppm, each with its name in JSON and its name for people. The most important comes first.
pub(crate) const QUANTILES: [(u32, &str, &str); 5] = [
    (990_000, "p99_ns", "P99"),
    (500_000, "p50_ns", "P50"),
    (900_000, "p90_ns", "P90"),
    (999_000, "p999_ns", "P99.9"),
    (1_000_000, "max_ns", "max"),
];

/// A busy owner publishes every millisecond or so. An owner that hasn't published for so long is idle at best.
const STALE_NS: u64 = 5_000_000_000;

pub(crate) struct Reading {
    /// `None` if the gate holds what no version writes. Such a gate refuses.
    pub(crate) state: Option<State>,
    pub(crate) halted: bool,
    /// Who holds a halt. If nobody does, and it is halted, a resume is under way.
    pub(crate) holders: Vec<HaltNote>,
    /// Somebody found the owner silent: nobody judges.
    pub(crate) unwatched: bool,
    pub(crate) shadow: bool,
    /// Calls are refused now, all of them, or all but trials.
    pub(crate) refuses: bool,
    /// The path leads to another page by now.
    pub(crate) replaced: bool,
    /// `None` while there is an owner. It is `None`, too, if an owner would refuse the page.
    pub(crate) comes_back: Option<ComesBack>,
    /// How many orders rest at the venue, if the engine tells.
    pub(crate) resting: Option<u64>,
    /// The latest change of state that the journal has.
    pub(crate) last_change: Option<Event>,
    pub(crate) in_force: InForce,
    /// `None` until the owner's first operation.
    pub(crate) snapshot: Option<Snapshot>,
    pub(crate) owner: Option<Owner>,
    /// The owner's process is there, but a signal has stopped it.
    pub(crate) stopped: bool,
    /// The values of [`QUANTILES`], in the same order.
    pub(crate) quantiles_ns: [Option<u64>; QUANTILES.len()],
}

impl Reading {
    pub(crate) fn take(observer: &Observer) -> Self {
        let comes_back = observer.would_come_back();
        let owner = observer.owner();
        let why = observer.why();
        Self {
            state: why.state,
            halted: why.halted,
            holders: why.holders,
            unwatched: why.unwatched,
            shadow: why.shadow,
            refuses: why.refuses,
            replaced: observer.is_replaced(),
            comes_back: comes_back.filter(|_| owner.as_ref().is_some_and(|owner| !owner.alive)),
            resting: observer.resting(),
            last_change: observer.events().filter(|event| event.from != event.to).last(),
            in_force: InForce::read(observer),
            snapshot: observer.snapshot(),
            stopped: owner.as_ref().is_some_and(|owner| owner.alive && is_stopped(owner.pid)),
            owner,
            quantiles_ns: QUANTILES.map(|(ppm, _, _)| observer.quantile_ns(ppm)),
        }
    }

    pub(crate) fn p99_ns(&self) -> Option<u64> {
        let [p99_ns, ..] = self.quantiles_ns;
        p99_ns
    }

    pub(crate) fn state_name(&self) -> &'static str {
        self.state.map_or("unknown", State::name)
    }

    /// The state, and what lies over it. A page without an owner has no state that counts.
    pub(crate) fn show_state(&self) -> String {
        if !self.has_owner() {
            return style("no owner").yellow().to_string();
        }
        let mut text = self.state.map_or(Style::new().red(), state_style).apply_to(self.state_name()).to_string();
        for word in self.flags() {
            text += &format!(", {}", style(word).red().bold());
        }
        text
    }

    /// As [`show_state`](Self::show_state), in at most 20 columns.
    pub(crate) fn show_state_short(&self) -> String {
        let state = self.state.map_or(Style::new().red(), state_style).apply_to(self.state_name());
        let back = self.comes_back.as_ref();
        let word = match (self.has_owner(), self.flags().first()) {
            (false, _) if back.is_some_and(|back| back.halted) => style("halted").red().bold(),
            (false, _) if back.is_some_and(|back| back.state == State::Closed) => style("closed"),
            (false, _) => style("open").red(),
            (true, Some(flag)) => style(*flag).red().bold(),
            (true, None) => return state.to_string(),
        };
        if self.has_owner() { format!("{state}, {word}") } else { format!("{}: {word}", style("no owner").yellow()) }
    }

    fn flags(&self) -> Vec<&'static str> {
        let flags = [(self.halted, "halted"), (self.unwatched, "unwatched")];
        flags.into_iter().filter(|(is_set, _)| *is_set).map(|(_, word)| word).collect()
    }

    /// What the page would come back as, if it has no owner.
    pub(crate) fn show_comes_back(&self) -> Option<String> {
        if self.has_owner() {
            return None;
        }
        let Some(back) = &self.comes_back else {
            return Some("an owner would refuse it, as it holds what no version writes".to_owned());
        };
        let state = match (back.state, back.pause_left_ns) {
            (State::Closed, _) => "closed, as the last owner ended cleanly".to_owned(),
            (_, Some(0)) => "open, with its pause over".to_owned(),
            (_, Some(left_ns)) => format!("open, with {} left of its pause", show_ns(left_ns)),
            (_, None) => "open, for a whole pause".to_owned(),
        };
        let names = back.holders.iter().map(ToString::to_string).collect::<Vec<_>>();
        let names = if names.is_empty() { "somebody".to_owned() } else { names.join(", ") };
        let halted = if back.halted { format!("; halted by {names}") } else { String::new() };
        Some(format!("would come back as {state}{halted}"))
    }

    /// Whether orders pass now.
    pub(crate) fn show_orders(&self) -> String {
        match self.state {
            _ if self.halted && !self.holders.is_empty() => {
                format!("refused: halted by {}", note::names(&self.holders))
            }
            _ if !self.has_owner() && !self.refuses => {
                "refused by nobody: the page has no owner, and gates of other processes may let orders pass".to_owned()
            }
            _ if !self.has_owner() => "refused: the page has no owner".to_owned(),
            _ if self.halted => "refused, until the owner polls; nobody holds a halt any more".to_owned(),
            None => "refused: the gate holds what no version writes".to_owned(),
            _ if self.unwatched && !self.shadow => {
                "refused, until the owner polls: it is silent, and nobody judges".to_owned()
            }
            _ if !self.refuses && self.shadow => "pass: in shadow nothing is refused but by a halt".to_owned(),
            Some(State::Closed) => "pass".to_owned(),
            Some(State::HalfOpen) => "refused, but for trials".to_owned(),
            Some(State::Open) => "refused: open".to_owned(),
        }
    }

    /// When the next trial is due.
    pub(crate) fn show_retry(&self) -> Option<String> {
        let snapshot = self.snapshot.as_ref().filter(|_| self.state == Some(State::Open) && self.has_owner())?;
        let text = match snapshot.retry_at_ns {
            u64::MAX => "none is due".to_owned(),
            retry_at_ns => {
                let seen_ago_ns = self.owner.as_ref().and_then(|owner| owner.seen_ago_ns).unwrap_or(0);
                match retry_at_ns.saturating_sub(snapshot.now_ns).saturating_sub(seen_ago_ns) {
                    0 => "due".to_owned(),
                    left_ns => format!("in {}", show_ns(left_ns)),
                }
            }
        };
        Some(text)
    }

    pub(crate) fn has_owner(&self) -> bool {
        self.owner.as_ref().is_some_and(|owner| owner.alive)
    }

    /// The owner is there, but has published nothing for a while.
    pub(crate) fn is_stale(&self) -> bool {
        self.has_owner() && (self.stopped || self.seen_ago_ns().is_none_or(|ago_ns| ago_ns >= STALE_NS))
    }

    pub(crate) fn seen_ago_ns(&self) -> Option<u64> {
        self.owner.as_ref()?.seen_ago_ns
    }

    pub(crate) fn pid(&self) -> u32 {
        self.owner.as_ref().map_or(0, |owner| owner.pid)
    }

    /// How the owner is, in one word.
    pub(crate) fn owner_state(&self) -> &'static str {
        match (self.has_owner(), self.stopped, self.is_stale()) {
            (false, _, _) => "gone",
            (_, true, _) => "stopped",
            (_, _, true) => "silent",
            _ => "alive",
        }
    }

    pub(crate) fn show_owner(&self) -> String {
        let state = match self.owner_state() {
            "alive" => style("alive").green(),
            "gone" => style("gone").red(),
            other => style(other).yellow(),
        };
        let seen = self.seen_ago_ns().map_or("never seen".to_owned(), |ago_ns| format!("seen {} ago", show_ns(ago_ns)));
        let pid = match self.pid() {
            0 => "a process that can't be told".to_owned(),
            pid => format!("process {pid}"),
        };
        let started = self.owner.as_ref().and_then(|owner| owner.started);
        let started = started.map(|started| format!(", started {started}")).unwrap_or_default();
        format!("{pid}, {state}, {seen}{started}")
    }
}

/// Whether a signal has stopped a process, as the kernel says.
fn is_stopped(pid: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // The process's name stands before the state, in parentheses, and may have parentheses in it.
    let state = stat.rsplit_once(") ").and_then(|(_, rest)| rest.chars().next());
    matches!(state, Some('T' | 't'))
}

/// The date and the time of day to the millisecond, both UTC.
pub(crate) fn show_wall(wall_ns: u64) -> (String, String) {
    let text = humantime::format_rfc3339_millis(UNIX_EPOCH + Duration::from_nanos(wall_ns)).to_string();
    let (date, time) = text.split_once('T').unwrap_or_default();
    (date.to_owned(), time.trim_end_matches('Z').to_owned())
}

/// How long ago, and when.
pub(crate) fn show_ago(wall_ns: u64) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let ago_ns = u64::try_from(now.as_nanos()).unwrap_or(u64::MAX).saturating_sub(wall_ns);
    let (date, time) = show_wall(wall_ns);
    format!("{} ago ({date} {time} UTC)", show_ns(ago_ns))
}
