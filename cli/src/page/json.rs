//! Pages and events for machines. Fields have the library's names, times are nanoseconds, and null means none.

use crate::page::folder::Listed;
use crate::page::reading::{QUANTILES, Reading};
use crate::page::standing::Standing;
use crate::show::show_hash;
use crate::zone::{now_ns, rfc_3339};
use serde_json::{Map, Value, json};
use trip99::shared::SharedError;
use trip99::{ClockSource, Config, Event, HaltNote, LogEntry, Reason, Snapshot, Started, State};

/// A page as it was read, or why it can't be.
pub(crate) fn listed(page: &Listed, reading: &Result<Reading, SharedError>) -> Value {
    match reading {
        Ok(reading) => self::page(page, reading),
        Err(error) => refused_page(page, &error.to_string()),
    }
}

/// A page that could be read.
pub(crate) fn page(listed: &Listed, reading: &Reading) -> Value {
    let place = &listed.place;
    let quantiles: Map<String, Value> =
        QUANTILES.iter().zip(reading.quantiles_ns).map(|(&(_, name, _), ns)| (name.to_owned(), json!(ns))).collect();
    let owner = reading.owner.as_ref().map(|owner| {
        json!({
            "pid": owner.pid,
            "alive": owner.alive,
            "stopped": reading.stopped,
            "seen_ago_ns": owner.seen_ago_ns,
            "memory_locked": owner.memory_locked,
        })
    });
    let latest = reading.holders.iter().max_by_key(|note| note.entry);
    let latest = latest.map(|note| {
        json!({
            "reason": note.reason,
            "uid": note.uid,
            "pid": note.pid,
            "wall_ns": note.wall_ns,
            "wall_time": wall_time(note.wall_ns),
        })
    });
    let holders = reading.holders.iter().map(note).collect::<Vec<_>>();
    let comes_back = reading.comes_back.as_ref().map(|back| {
        json!({
            "state": back.state.name(),
            "pause_left_ns": back.pause_left_ns,
            "halted": back.halted,
            "holders": back.holders.iter().map(ToString::to_string).collect::<Vec<_>>(),
        })
    });
    json!({
        "name": place.name(),
        "path": place.path(),
        "labels": listed.labels,
        "error": null,
        "standing": reading.standing().name(),
        "since_wall_ns": reading.since_wall_ns(),
        "since_wall_time": reading.since_wall_ns().and_then(wall_time),
        "why": reading.why(),
        "state": reading.state.map(State::name),
        "halted": reading.halted,
        "halt_note": latest,
        "holders": holders,
        "unwatched": reading.unwatched,
        "replaced": reading.replaced,
        "started": reading.owner.as_ref().and_then(|owner| owner.started).map(Started::name),
        "comes_back": comes_back,
        "resting": reading.resting,
        "owner": owner,
        "quantiles": quantiles,
        "limits": reading.in_force.config.as_ref().map(limits),
        "snapshot": reading.snapshot.as_ref().map(|snapshot| self::snapshot(snapshot, reading)),
    })
}

/// A page that was refused, with the same fields.
pub(crate) fn refused_page(listed: &Listed, error: &str) -> Value {
    let place = &listed.place;
    json!({
        "name": place.name(),
        "path": place.path(),
        "labels": listed.labels,
        "error": error,
        "standing": Standing::Unreadable.name(),
        "since_wall_ns": null,
        "since_wall_time": null,
        "why": error,
        "state": null,
        "halted": null,
        "halt_note": null,
        "holders": null,
        "unwatched": null,
        "replaced": null,
        "started": null,
        "comes_back": null,
        "resting": null,
        "owner": null,
        "quantiles": null,
        "limits": null,
        "snapshot": null,
    })
}

/// Who halted or resumed, when and why. For a resume the holder is whose halt was lifted.
pub(crate) fn note(note: &HaltNote) -> Value {
    let id = |uid: u32| (uid != u32::MAX).then_some(uid);
    json!({
        "holder": note.holder.map(|holder| holder.to_string()),
        "reason": note.reason,
        "uid": id(note.uid),
        "login_uid": id(note.login_uid),
        "pid": (note.pid != 0).then_some(note.pid),
        "host": (!note.host.is_empty()).then_some(&note.host),
        "wall_ns": (note.wall_ns != 0).then_some(note.wall_ns),
        "wall_time": wall_time(note.wall_ns),
        "entry": (note.entry != 0).then_some(note.entry),
    })
}

/// The settings that figures are held against.
fn limits(config: &Config) -> Value {
    json!({
        "settings": hash(config.stable_hash()),
        "quantile_ppm": config.quantile_ppm,
        "threshold_ns": config.threshold_ns,
        "window_len": config.window_len,
        "min_samples": config.min_samples,
        "debt_ppm": (config.debt_limit > 0).then(|| debt_limit_ppm(config)),
        "failure_rate_ppm": config.failure_rate_ppm,
        "stall_ns": (config.stall_limit_ns > 0).then_some(config.stall_limit_ns),
        "probes": config.probes,
    })
}

/// What trips a breaker that is judged by its debt.
pub(crate) fn debt_limit_ppm(config: &Config) -> u64 {
    u64::from(config.debt_limit) * u64::from(config.quantile_ppm)
}

fn snapshot(snapshot: &Snapshot, reading: &Reading) -> Value {
    // When that was, by the wall clock of now.
    let wall_ns = reading.seen_ago_ns().map(|ago_ns| now_ns().saturating_sub(ago_ns));
    let wall_time_of = |t_ns: u64| wall_ns.and_then(|wall_ns| shifted(wall_ns, snapshot.now_ns, t_ns));
    json!({
        "state": snapshot.state.name(),
        "halted": snapshot.halted,
        "shadow": snapshot.shadow,
        "armed": snapshot.armed,
        "clock": if snapshot.clock == ClockSource::Tsc { "tsc" } else { "monotonic" },
        "now_ns": snapshot.now_ns,
        "now_time": wall_time_of(snapshot.now_ns),
        "epoch_ns": snapshot.epoch_ns,
        "retry_at_ns": time(snapshot.retry_at_ns),
        "retry_at_time": time(snapshot.retry_at_ns).and_then(wall_time_of),
        "attempt": snapshot.attempt,
        "samples": snapshot.samples,
        "slow": snapshot.slow,
        "failed": snapshot.failures,
        "overdue": snapshot.overdue,
        "debt_ppm": snapshot.debt_ppm,
        "in_flight": snapshot.in_flight,
        "oldest_start_ns": time(snapshot.oldest_start_ns),
        "oldest_ns": reading.oldest_ns(),
        "trials_granted": snapshot.trials_granted,
        "trials_out": snapshot.trials_out,
        "trials_good": snapshot.trials_good,
        "recorded": snapshot.recorded,
        "stale": snapshot.stale,
        "untracked": snapshot.untracked,
        "refused": snapshot.refused,
        "refused_in_shadow": snapshot.refused_in_shadow,
        "misused": snapshot.misused,
        "dropped": snapshot.dropped,
        "events": snapshot.events,
    })
}

/// An event, with its entry of the operators' log.
pub(crate) fn event(event: &Event, logged: Option<&LogEntry>) -> Value {
    json!({
        "sequence": event.sequence,
        "t_ns": event.t_ns,
        "wall_ns": event.wall_ns,
        "wall_time": wall_time(event.wall_ns),
        "from": event.from.name(),
        "to": event.to.name(),
        "reason": event.reason.name(),
        "quantile_ns": event.quantile_ns,
        "samples": event.samples,
        "slow": event.slow,
        "overdue": event.overdue,
        "failures": event.failures,
        "attempt": event.attempt,
        "retry_at_ns": time(event.retry_at_ns),
        "retry_at_time": time(event.retry_at_ns).and_then(|at_ns| shifted(event.wall_ns, event.t_ns, at_ns)),
        "owner_gap_ns": event.owner_gap_ns,
        "observed": event.observed,
        "limit": event.limit,
        "by_debt": event.by_debt,
        "settings_before": hash(event.settings_before),
        "settings_after": hash(event.settings_after),
        "entry": (event.entry != 0).then_some(event.entry),
        "note": logged.map(|entry| note(&entry.note)),
    })
}

/// A halt or a resume that no owner has journaled, as an event: what the event would tell is null.
pub(crate) fn unjournaled(number: u64, logged: &LogEntry) -> Value {
    const UNKNOWN: [&str; 20] = [
        "sequence",
        "t_ns",
        "from",
        "to",
        "quantile_ns",
        "samples",
        "slow",
        "overdue",
        "failures",
        "attempt",
        "retry_at_ns",
        "retry_at_time",
        "owner_gap_ns",
        "observed",
        "limit",
        "by_debt",
        "settings_before",
        "settings_after",
        "wall_ns",
        "wall_time",
    ];
    let mut fields: Map<String, Value> = UNKNOWN.iter().map(|&name| (name.to_owned(), Value::Null)).collect();
    let reason = if logged.is_halt { Reason::Halt } else { Reason::Resume };
    let known = [
        ("reason", json!(reason.name())),
        ("wall_ns", json!(logged.note.wall_ns)),
        ("wall_time", json!(wall_time(logged.note.wall_ns))),
        ("entry", json!(number)),
        ("note", note(&logged.note)),
    ];
    fields.extend(known.map(|(name, value)| (name.to_owned(), value)));
    Value::Object(fields)
}

/// Text, as JavaScript rounds numbers of 64 bits.
fn hash(settings: u64) -> Option<String> {
    (settings != 0).then(|| show_hash(settings))
}

/// A time of the wall clock as text, by RFC 3339. Null if it isn't known.
pub(crate) fn wall_time(wall_ns: u64) -> Option<String> {
    (wall_ns != 0).then(|| rfc_3339(wall_ns))
}

/// What the wall clock shows at `at_ns` of the breaker's clock, if it showed `wall_ns` at `t_ns` of it.
fn shifted(wall_ns: u64, t_ns: u64, at_ns: u64) -> Option<String> {
    wall_time((i128::from(wall_ns) + i128::from(at_ns) - i128::from(t_ns)).try_into().ok()?)
}

fn time(ns: u64) -> Option<u64> {
    (ns != u64::MAX).then_some(ns)
}
