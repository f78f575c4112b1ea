//! What the words of a scenario stand for: numbers and times, settings, and fields with what they should be.

use crate::scenario::Expected;

const SETTINGS: [&str; 31] = [
    "quantile_ppm",
    "threshold_ns",
    "window_age_ns",
    "window_len",
    "sample_every",
    "min_samples",
    "confirm_verdicts",
    "failure_rate_ppm",
    "consecutive_failures",
    "spike_limit_ns",
    "spike_count",
    "max_in_flight",
    "stall_limit_ns",
    "recover_threshold_ns",
    "recovery",
    "probes",
    "trials_in_flight",
    "backoff_multiplier",
    "probe_timeout_ns",
    "backoff_base_ns",
    "backoff_max_ns",
    "jitter_ppm",
    "start",
    "jitter_seed",
    "stable_after_ns",
    "shadow",
    "latch_after",
    "owner_timeout_ns",
    "min_slow",
    "debt_limit",
    "tap_len",
];

/// Every rule is off but the quantile's, which goes by the letter from 100 samples on.
pub(crate) const QUANTILE_ONLY: [(&str, u64); 6] = [
    ("consecutive_failures", 0),
    ("spike_count", 0),
    ("stall_limit_ns", 0),
    ("failure_rate_ppm", 1_000_000),
    ("min_samples", 100),
    ("min_slow", 1),
];

pub(crate) const SNAPSHOT: [&str; 26] = [
    "state",
    "halted",
    "shadow",
    "armed",
    "now_ns",
    "epoch_ns",
    "retry_at_ns",
    "attempt",
    "samples",
    "slow",
    "failures",
    "overdue",
    "in_flight",
    "trials_granted",
    "trials_out",
    "trials_good",
    "recorded",
    "stale",
    "untracked",
    "refused",
    "refused_in_shadow",
    "misused",
    "dropped",
    "events",
    "debt_ppm",
    "oldest_start_ns",
];

/// Fields that are not in the snapshot.
pub(crate) const BREAKER: [&str; 4] = ["passes", "deadline", "note", "holders"];

/// What gates and lanes show, too.
pub(crate) const OBSERVER: [&str; 4] = ["state", "halted", "note", "holders"];

pub(crate) const LANE: [&str; 2] = ["passes", "dropped"];

pub(crate) const EVENT: [&str; 17] = [
    "sequence",
    "t_ns",
    "from",
    "to",
    "reason",
    "quantile_ns",
    "retry_at_ns",
    "owner_gap_ns",
    "samples",
    "slow",
    "overdue",
    "failures",
    "attempt",
    "observed",
    "limit",
    "by_debt",
    "entry",
];

const STATES: [&str; 3] = ["closed", "open", "half_open"];

pub(crate) const REASONS: [&str; 18] = [
    "latency",
    "failure_rate",
    "consecutive_failures",
    "spike",
    "stall",
    "retry",
    "probe_failed",
    "probe_slow",
    "probe_lost",
    "recovered",
    "halt",
    "resume",
    "tripped",
    "reconfigured",
    "clock_jumped",
    "latched",
    "owner_silent",
    "owner_back",
];

pub(crate) fn yes_or_no(result: Option<&str>) -> Result<Expected, String> {
    match result {
        Some("yes") => Ok(Expected::Text("1".into())),
        Some("no") => Ok(Expected::Text("0".into())),
        _ => Err("it should end with `-> yes` or `-> no`".into()),
    }
}

/// What comes of a resume in somebody's name.
pub(crate) fn resumed(result: Option<&str>) -> Result<Expected, String> {
    match result {
        Some(result @ ("done" | "still_held" | "not_held" | "ended")) => Ok(Expected::Text(result.into())),
        _ => Err("it should end with `-> done`, `still_held`, `not_held` or `ended`".into()),
    }
}

/// `NAME VALUE, NAME VALUE`
fn pairs(text: &str) -> impl Iterator<Item = Result<(&str, &str), String>> {
    text.split(',').map(str::trim).filter(|pair| !pair.is_empty()).map(|pair| {
        let (name, value) = pair.split_once(' ').ok_or_else(|| format!("`{pair}` should be NAME VALUE"))?;
        Ok((name, value.trim()))
    })
}

pub(crate) fn settings(text: &str) -> Result<Vec<(String, u64)>, String> {
    pairs(text)
        .map(|pair| {
            let (name, value) = pair?;
            if !SETTINGS.contains(&name) {
                return Err(format!("`{name}` is no setting"));
            }
            let value = match value {
                "no" | "closed" | "trials" => 0,
                "yes" | "open" | "health_checks" => 1,
                "half_open" => 2,
                value => number(value)?,
            };
            Ok((name.to_owned(), value))
        })
        .collect()
}

pub(crate) fn fields(text: &str, known: &[&str]) -> Result<Expected, String> {
    if text.is_empty() {
        return Err("what is to be expected?".into());
    }
    let fields = pairs(text).map(|pair| {
        let (name, value) = pair?;
        if !known.contains(&name) {
            return Err(format!("`{name}` is not among {}", known.join(", ")));
        }
        let value = match (name, value) {
            ("state" | "from" | "to", _) if STATES.contains(&value) => value.to_owned(),
            ("reason", _) if REASONS.contains(&value) => value.to_owned(),
            ("state" | "from" | "to" | "reason", _) => return Err(format!("`{value}` is no {name}")),
            ("note", "none" | "empty") => value.to_owned(),
            (_, "yes") => "1".into(),
            (_, "no") => "0".into(),
            _ => number(value)?.to_string(),
        };
        Ok((name.to_owned(), value))
    });
    fields.collect::<Result<_, _>>().map(Expected::Fields)
}

pub(crate) fn fields_or_none(text: &str, known: &[&str]) -> Result<Expected, String> {
    if text == "none" { Ok(Expected::Text("none".into())) } else { fields(text, known) }
}

/// Nanoseconds, or a plain number: `1.2s+160ms-1`, `never` (the greatest there is).
pub(crate) fn number(text: &str) -> Result<u64, String> {
    let wrong = || format!("`{text}` is no number, nor a time such as 1.2s+160ms-1 or never");
    let mut sum = 0_u64;
    let mut rest = text;
    let mut minus = false;
    loop {
        let end = rest.find(['+', '-']).unwrap_or(rest.len());
        let term = term(&rest[..end]).ok_or_else(wrong)?;
        sum = if minus { sum.checked_sub(term) } else { sum.checked_add(term) }.ok_or_else(wrong)?;
        if end == rest.len() {
            return Ok(sum);
        }
        minus = rest[end..].starts_with('-');
        rest = &rest[end + 1..];
    }
}

fn term(text: &str) -> Option<u64> {
    if text == "never" {
        return Some(u64::MAX);
    }
    let digits = text.find(|char: char| char.is_ascii_alphabetic()).unwrap_or(text.len());
    let unit: u64 = match &text[digits..] {
        "" | "ns" => 1,
        "us" => 1_000,
        "ms" => 1_000_000,
        "s" => 1_000_000_000,
        _ => return None,
    };
    let (whole, fraction) = text[..digits].split_once('.').unwrap_or((&text[..digits], ""));
    let mut ns = whole.replace('_', "").parse::<u64>().ok()?.checked_mul(unit)?;
    let mut place = unit;
    for digit in fraction.chars() {
        place /= 10;
        ns += u64::from(digit.to_digit(10)?) * place;
    }
    Some(ns)
}
