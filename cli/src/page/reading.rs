//! A page as it stands, read once.

use crate::page::in_force::InForce;
use crate::zone::now_ns;
use std::fs;
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
    /// Since when the state is what it is; 0 if that isn't known.
    since_wall_ns: u64,
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
            since_wall_ns: why.since_wall_ns,
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

    /// Above it, the quantile that is judged is too high.
    pub(crate) fn threshold_ns(&self) -> Option<u64> {
        self.in_force.config.as_ref().map(|config| config.threshold_ns)
    }

    /// For how long the oldest call in flight has been out.
    pub(crate) fn oldest_ns(&self) -> Option<u64> {
        let snapshot = self.snapshot.as_ref().filter(|snapshot| snapshot.oldest_start_ns != u64::MAX)?;
        let age_ns = snapshot.now_ns.saturating_sub(snapshot.oldest_start_ns);
        // It went on since the snapshot, if there is an owner whose call it is.
        let since_ns = if self.has_owner() { self.seen_ago_ns().unwrap_or(0) } else { 0 };
        Some(age_ns.saturating_add(since_ns))
    }

    /// Since when it stands as it does, in nanoseconds since the Unix epoch, as far as that is known.
    pub(crate) fn since_wall_ns(&self) -> Option<u64> {
        let known = |wall_ns: u64| (wall_ns > 0).then_some(wall_ns);
        let silent_since = || Some(now_ns().saturating_sub(self.seen_ago_ns()?));
        match (self.has_owner(), self.unwatched || self.stopped, self.halted) {
            (false, _, _) | (_, true, _) => silent_since(),
            (_, _, true) => self.holders.iter().filter_map(|note| known(note.wall_ns)).min(),
            _ => known(self.since_wall_ns),
        }
    }

    pub(crate) fn state_name(&self) -> &'static str {
        self.state.map_or("unknown", State::name)
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
}

/// Whether a signal has stopped a process, as the kernel says.
fn is_stopped(pid: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // The process's name stands before the state, in parentheses, and may have parentheses in it.
    let state = stat.rsplit_once(") ").and_then(|(_, rest)| rest.chars().next());
    matches!(state, Some('T' | 't'))
}
