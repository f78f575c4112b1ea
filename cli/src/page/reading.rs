//! A page as it stands, read once.

use crate::show::{escape, show_ns, state_style};
use console::{Style, style};
use std::fs;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use trip99::shared::Owner;
use trip99::{Event, HaltNote, Observer, Reason, Snapshot, State};

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
    /// The note of the halt in force. There is none if the engine itself halted without a reason.
    pub(crate) note: Option<HaltNote>,
    /// When the halt in force began, as the journal says.
    pub(crate) halted_wall_ns: Option<u64>,
    /// The latest change of state that the journal has.
    pub(crate) last_change: Option<Event>,
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
        let owner = observer.owner();
        let events: Vec<Event> = observer.events().collect();
        let halted = observer.is_halted();
        let (halted_wall_ns, free_wall_ns) = latest_halt(&events);
        let says =
            |note: &HaltNote| !note.reason.is_empty() || owner.as_ref().is_none_or(|owner| owner.pid != note.pid);
        Self {
            state: observer.state(),
            halted,
            note: observer.halt_note().filter(|note| halted && note.wall_ns >= free_wall_ns && says(note)),
            halted_wall_ns: halted_wall_ns.filter(|_| halted),
            last_change: events.into_iter().rfind(|event| event.from != event.to),
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

    /// The state, and whether it is halted.
    pub(crate) fn show_state(&self) -> String {
        let state = self.state.map_or(Style::new().red(), state_style).apply_to(self.state_name());
        if self.halted { format!("{state}, {}", style("halted").red().bold()) } else { state.to_string() }
    }

    /// When the next trial is due, as far as that can be told: without an owner its clock stands still.
    pub(crate) fn show_retry(&self) -> Option<String> {
        let snapshot = self.snapshot.as_ref().filter(|_| self.state == Some(State::Open))?;
        let text = match snapshot.retry_at_ns {
            u64::MAX => "none is due".to_owned(),
            retry_at_ns => {
                let seen_ago_ns = self.owner.as_ref().and_then(|owner| owner.seen_ago_ns).unwrap_or(0);
                match retry_at_ns.saturating_sub(snapshot.now_ns).saturating_sub(seen_ago_ns) {
                    _ if !self.has_owner() => "once there is an owner again".to_owned(),
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
        format!("{pid}, {state}, {seen}")
    }
}

/// When the latest halt began, if no event ended it, and when the latest ended halt ended, 0 if no event ended one.
fn latest_halt(events: &[Event]) -> (Option<u64>, u64) {
    let (mut halted_wall_ns, mut free_wall_ns) = (None, 0);
    for (index, event) in events.iter().enumerate() {
        // A halt that is in force at a restart is journaled again in the same moment.
        let is_halted_next =
            || events.get(index + 1).is_some_and(|next| next.reason == Reason::Halt && next.t_ns == event.t_ns);
        match event.reason {
            Reason::Halt => halted_wall_ns = halted_wall_ns.or(Some(event.wall_ns)),
            Reason::Resume => (halted_wall_ns, free_wall_ns) = (None, event.wall_ns),
            Reason::Restart if !is_halted_next() => (halted_wall_ns, free_wall_ns) = (None, event.wall_ns),
            _ => {}
        }
    }
    (halted_wall_ns, free_wall_ns)
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

/// A user's name if `/etc/passwd` has it, otherwise the number.
pub(crate) fn show_user(uid: u32) -> String {
    let passwd = fs::read_to_string("/etc/passwd").unwrap_or_default();
    let name = passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)?.parse() == Ok(uid)).then(|| escape(name))
    });
    name.unwrap_or_else(|| format!("user {uid}"))
}
