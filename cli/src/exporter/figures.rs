//! What a scrape tells of each page: one row a family.

use crate::exporter::latencies::Latencies;
use crate::exporter::metric::{Family, Kind, Value};
use crate::exporter::pages::{Found, Page};
use crate::page::reading::QUANTILES;
use crate::show::show_hash;
use trip99::{PPM, Snapshot, State};

/// Series of one page: what labels they have beside the page's, and the value. A page without the figure has no series.
type Series = Vec<(Vec<(&'static str, String)>, Value)>;

/// A family's kind, name and help, and how its series are made.
type Row = (Kind, &'static str, &'static str, fn(&Found<'_>) -> Series);

const ROWS: [Row; 28] = [
    (Kind::Gauge, "state", "1 for the state that the breaker is in, otherwise 0.", state),
    (
        Kind::Gauge,
        "halted",
        "1 for each holder of a halt. Without a holder: 1 while the owner has to end a halt that nobody holds any more, otherwise 0.",
        halted,
    ),
    (Kind::Gauge, "unwatched", "1 if the owner was found silent, so that nobody judges.", |page| {
        one(page.reading.unwatched)
    }),
    (Kind::Gauge, "shadow", "1 if nothing is refused but by a halt.", |page| one(page.reading.shadow)),
    (Kind::Gauge, "armed", "1 if there are enough samples for a verdict on the quantile.", |page| {
        of(page, |now| now.armed)
    }),
    (Kind::Gauge, "window_quantile_seconds", "A quantile of the window's latencies.", quantiles),
    (
        Kind::Gauge,
        "judged_quantile_seconds",
        "The quantile of the window that is held against the threshold.",
        |page| some(page.judged_ns.map(Value::seconds)),
    ),
    (Kind::Gauge, "threshold_seconds", "The quantile above which the breaker opens.", |page| {
        some(page.config().map(|config| Value::seconds(config.threshold_ns)))
    }),
    (Kind::Gauge, "window_samples", "Samples in the window.", |page| of(page, |now| now.samples)),
    (Kind::Gauge, "window_slow_samples", "Samples in the window that are slower than the threshold.", |page| {
        of(page, |now| now.slow)
    }),
    (Kind::Gauge, "window_failed_samples", "Samples in the window that failed.", |page| of(page, |now| now.failures)),
    (Kind::Gauge, "debt_ratio", "The debt of slow calls as a share of its limit: the breaker opens at 1.", debt),
    (Kind::Gauge, "in_flight_calls", "Calls that have begun and not ended.", |page| of(page, |now| now.in_flight)),
    (Kind::Gauge, "oldest_in_flight_seconds", "The age of the oldest call in flight; 0 if there is none.", oldest),
    (Kind::Gauge, "resting_orders", "Orders that rest at the venue, if the engine tells.", |page| {
        some(page.reading.resting)
    }),
    (Kind::Gauge, "retry_timestamp_seconds", "When the pause ends, while the breaker is open.", retry),
    (Kind::Gauge, "owner_seen_timestamp_seconds", "When the owner was last at work.", owner_seen),
    (Kind::Gauge, "owner_up", "1 if a process owns the page.", |page| one(page.reading.has_owner())),
    (
        Kind::Gauge,
        "comes_back",
        "1: a next owner would begin in this state. Only pages without an owner have it.",
        comes_back,
    ),
    (
        Kind::Gauge,
        "config_info",
        "Always 1. The hash of the settings in force, and the owner's version of trip99.",
        config,
    ),
    (Kind::Counter, "recorded", "Samples that were taken in.", |page| of(page, |now| now.recorded)),
    (Kind::Counter, "refused", "Asks that were refused.", |page| of(page, |now| now.refused)),
    (Kind::Counter, "dropped", "Messages that lanes dropped, as they were full.", |page| of(page, |now| now.dropped)),
    (
        Kind::Counter,
        "misused",
        "Tickets that came back twice or were never given out, and latencies that are no times.",
        |page| of(page, |now| now.misused),
    ),
    (Kind::Counter, "transitions", "Changes of state.", transitions),
    (Kind::Histogram, "latency_seconds", "Latencies of calls, if the page has a tap.", |page| {
        some(page.counted.latencies.as_ref().map(Latencies::histogram))
    }),
    (
        Kind::Counter,
        "latencies_missed",
        "Rows of the tap that were overwritten before a scrape could count them.",
        |page| some(page.counted.latencies.as_ref().map(|latencies| latencies.missed)),
    ),
    (Kind::Counter, "events_missed", "Events that were overwritten before a scrape could count them.", |page| {
        some(Some(page.counted.journal.missed))
    }),
];

/// All families of these pages.
pub(crate) fn families(pages: &[Page<'_>]) -> Vec<Family> {
    let mut families = vec![
        Family::single("pages", "Pages that are there, those included that can't be read.", pages.len() as u64),
        unreadable(pages),
    ];
    for (kind, name, help, series_of) in ROWS {
        let mut family = Family::new(kind, name, help);
        for page in pages {
            for (more, value) in page.found.as_ref().map(series_of).unwrap_or_default() {
                add(&mut family, page, more, value);
            }
        }
        families.push(family);
    }
    families
}

fn unreadable(pages: &[Page<'_>]) -> Family {
    let help = "1 if the page can't be read: why says more. Otherwise 0.";
    let mut family = Family::new(Kind::Gauge, "page_unreadable", help);
    for page in pages {
        let why = page.found.as_ref().err().map(|why| ("why", (*why).to_owned()));
        add(&mut family, page, why.into_iter().collect(), page.found.is_err().into());
    }
    family
}

/// A label of the family's own is stronger than one of the file.
fn add(family: &mut Family, page: &Page<'_>, more: Vec<(&'static str, String)>, value: Value) {
    let labels = more.into_iter().fold(page.labels.clone(), |labels, (name, value)| labels.with(name, value));
    family.series.insert(labels, value);
}

fn some(value: Option<impl Into<Value>>) -> Series {
    value.map(|value| (Vec::new(), value.into())).into_iter().collect()
}

fn one(value: impl Into<Value>) -> Series {
    some(Some(value))
}

/// A figure of the snapshot, if the owner has published one.
fn of<T: Into<Value>>(page: &Found<'_>, figure: impl Fn(&Snapshot) -> T) -> Series {
    some(page.reading.snapshot.as_ref().map(figure))
}

/// A page without an owner has no state that counts.
fn state(page: &Found<'_>) -> Series {
    let reading = &page.reading;
    let now = if reading.has_owner() { reading.state_name() } else { "no_owner" };
    let names = [State::Closed.name(), State::HalfOpen.name(), State::Open.name(), "unknown", "no_owner"];
    names.map(|name| (vec![("state", name.to_owned())], (name == now).into())).into()
}

/// A page that an owner would refuse comes back as nothing.
fn comes_back(page: &Found<'_>) -> Series {
    let back = page.reading.comes_back.as_ref().map(|back| if back.halted { "halted" } else { back.state.name() });
    back.map(|state| (vec![("state", state.to_owned())], true.into())).into_iter().collect()
}

fn halted(page: &Found<'_>) -> Series {
    let reading = &page.reading;
    if reading.holders.is_empty() {
        return one(reading.halted);
    }
    // A halter that was killed before it told its name has none.
    let name = |holder: Option<trip99::Holder>| holder.map_or("unknown".to_owned(), |holder| holder.to_string());
    reading.holders.iter().map(|note| (vec![("holder", name(note.holder))], true.into())).collect()
}

fn quantiles(page: &Found<'_>) -> Series {
    let values = QUANTILES.iter().zip(page.reading.quantiles_ns);
    values
        .filter_map(|(&(ppm, _, _), ns)| {
            let q = f64::from(ppm) / f64::from(PPM);
            Some((vec![("q", q.to_string())], Value::seconds(ns?)))
        })
        .collect()
}

/// Only a breaker with a limit has a debt.
fn debt(page: &Found<'_>) -> Series {
    let limit_ppm = page.config().map_or(0, |config| u64::from(config.debt_limit) * u64::from(config.quantile_ppm));
    let snapshot = page.reading.snapshot.as_ref().filter(|_| limit_ppm > 0);
    some(snapshot.map(|snapshot| Value::Real(snapshot.debt_ppm as f64 / limit_ppm as f64)))
}

/// A call grows older while its owner hangs.
fn oldest(page: &Found<'_>) -> Series {
    let since_seen_ns = page.reading.seen_ago_ns().filter(|_| page.reading.has_owner()).unwrap_or(0);
    of(page, |now| match now.oldest_start_ns {
        u64::MAX => Value::Whole(0),
        start_ns => Value::seconds(now.now_ns.saturating_sub(start_ns).saturating_add(since_seen_ns)),
    })
}

/// The owner's clock is not the system's: what is left is told by the one, and added to the other.
fn retry(page: &Found<'_>) -> Series {
    let reading = &page.reading;
    let is_paused = reading.state == Some(State::Open) && reading.has_owner();
    let snapshot = reading.snapshot.as_ref().filter(|now| is_paused && now.retry_at_ns != u64::MAX);
    let retry_ns = snapshot
        .zip(seen_ns(page))
        .map(|(snapshot, seen_ns)| seen_ns.saturating_add(snapshot.retry_at_ns.saturating_sub(snapshot.now_ns)));
    some(retry_ns.map(Value::seconds))
}

fn owner_seen(page: &Found<'_>) -> Series {
    some(seen_ns(page).map(Value::seconds))
}

fn seen_ns(page: &Found<'_>) -> Option<u64> {
    Some(page.wall_ns.saturating_sub(page.reading.seen_ago_ns()?))
}

fn config(page: &Found<'_>) -> Series {
    let Some(config) = page.config() else { return Series::new() };
    let version = page.version.clone().unwrap_or_else(|| "unknown".to_owned());
    vec![(vec![("hash", show_hash(config.stable_hash())), ("version", version)], true.into())]
}

fn transitions(page: &Found<'_>) -> Series {
    let labels = |names: &[&str; 3]| ["from", "to", "reason"].into_iter().zip(names.map(str::to_owned)).collect();
    page.counted.journal.transitions.iter().map(|(names, &count)| (labels(names), count.into())).collect()
}
