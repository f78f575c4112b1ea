//! Pages and events for machines. Fields have the library's names, times are nanoseconds, and null means none.

use crate::page::place::Place;
use crate::page::reading::{QUANTILES, Reading};
use crate::show::show_hash;
use serde_json::{Map, Value, json};
use trip99::{ClockSource, Event, HaltNote, LogEntry, Snapshot, Started, State};

/// A page that could be read.
pub(crate) fn page(place: &Place, reading: &Reading) -> Value {
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
    let latest =
        latest.map(|note| json!({ "reason": note.reason, "uid": note.uid, "pid": note.pid, "wall_ns": note.wall_ns }));
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
        "error": null,
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
        "snapshot": reading.snapshot.as_ref().map(snapshot),
    })
}

/// A page that was refused, with the same fields.
pub(crate) fn refused_page(place: &Place, error: &str) -> Value {
    json!({
        "name": place.name(),
        "path": place.path(),
        "error": error,
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
        "entry": (note.entry != 0).then_some(note.entry),
    })
}

fn snapshot(snapshot: &Snapshot) -> Value {
    json!({
        "state": snapshot.state.name(),
        "halted": snapshot.halted,
        "shadow": snapshot.shadow,
        "armed": snapshot.armed,
        "clock": if snapshot.clock == ClockSource::Tsc { "tsc" } else { "monotonic" },
        "now_ns": snapshot.now_ns,
        "epoch_ns": snapshot.epoch_ns,
        "retry_at_ns": time(snapshot.retry_at_ns),
        "attempt": snapshot.attempt,
        "samples": snapshot.samples,
        "slow": snapshot.slow,
        "failed": snapshot.failures,
        "overdue": snapshot.overdue,
        "debt_ppm": snapshot.debt_ppm,
        "in_flight": snapshot.in_flight,
        "oldest_start_ns": time(snapshot.oldest_start_ns),
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

/// Text, as JavaScript rounds numbers of 64 bits.
fn hash(settings: u64) -> Option<String> {
    (settings != 0).then(|| show_hash(settings))
}

fn time(ns: u64) -> Option<u64> {
    (ns != u64::MAX).then_some(ns)
}
