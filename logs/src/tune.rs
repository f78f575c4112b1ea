//! Settings that fit a log: made of one part of it, and proven on the other.
//!
//! ```text
//!   rows ─▶ outages ─▶ healthy ─▶ candidates ─▶ excursions ─▶ tail ─▶ choice ─▶ limits ─▶ proof
//!           by         what is    quantiles     how far       how     which     the       replays: the log,
//!           hindsight  left       by            debts go      often   notices   other     the part held
//!                                 thresholds                          soonest   settings  back, faults
//! ```
//!
//! The breaker judges a *debt*: each slow call adds the quantile, each other call takes one minus the quantile away. A candidate is a
//! quantile and a threshold. Its debt limit is the least that keeps false trips within half the budget.

mod outages;
mod healthy;
mod candidates;
mod excursions;
mod tail;
mod side_by_side;
mod score;
mod choice;
mod limits;
mod proof;

use crate::error::LogError;
use crate::profile::QUANTILES;
use crate::row::Row;
use candidates::has_room;
pub use choice::Candidate;
use choice::{best, candidates, pairs};
use healthy::Healthy;
use limits::{settings, window_age_ns};
pub use outages::{OUTAGE_GAP_NS, Span, outage_limit_ns, outages};
use outages::{has_outcome, united};
use proof::fault_proofs;
pub use proof::{AFTER_OUTAGE_NS, FaultProof, Proof};
use std::fmt;
use trip99::{Config, PPM};

/// Odds are for 30 days.
pub const MONTH_NS: u64 = 30 * 86_400 * 1_000_000_000;

/// With fewer healthy calls nothing is tuned.
pub const LEAST_CALLS: usize = 100;
/// Both parts of a log have at least so many healthy calls; or nothing is held back.
pub const LEAST_HELD_BACK: usize = 1000;

/// What a user wants of settings.
#[derive(Clone, Debug, PartialEq)]
pub struct TuneOptions {
    /// Spans to leave out, as an operator labelled them. They may overlap.
    pub bad: Vec<Span>,
    /// The budget: so many false trips...
    pub false_trips: u32,
    /// ... within this time, in nanoseconds.
    pub within_ns: u64,
    /// A link that is five times slower, or silent, must be noticed within this time in the median, in nanoseconds.
    pub detect_within_ns: Option<u64>,
    /// The threshold, in nanoseconds, if it is given.
    pub threshold_ns: Option<u64>,
    /// The quantile, in ppm, if it is given.
    pub quantile_ppm: Option<u32>,
    /// The last share of the rows is held back, to judge by, in ppm. It is less than 1 000 000.
    pub hold_back_ppm: u32,
}

impl Default for TuneOptions {
    fn default() -> Self {
        Self {
            bad: Vec::new(),
            false_trips: 1,
            within_ns: MONTH_NS,
            detect_within_ns: None,
            threshold_ns: None,
            quantile_ppm: None,
            hold_back_ppm: PPM / 2,
        }
    }
}

/// Why nothing was tuned.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum TuneError {
    /// There are too few healthy calls: so many.
    TooFew(usize),
    /// So many calls are slow at any threshold that no quantile that may be judged has room for more of them.
    NoRoom,
    /// The log can't be replayed.
    Log(LogError),
}

impl fmt::Display for TuneError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooFew(calls) => {
                write!(f, "the log has {calls} healthy calls; legal: at least {LEAST_CALLS}, better some thousand")
            }
            Self::NoRoom => f.write_str(
                "no threshold has room at any quantile: too many calls are slow, or they are too few to tell; legal: a higher threshold, \
                 a lower quantile, or more log",
            ),
            Self::Log(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for TuneError {}

impl From<LogError> for TuneError {
    fn from(error: LogError) -> Self {
        Self::Log(error)
    }
}

/// Settings, and what is known of them.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Tuned {
    /// The settings.
    pub config: Config,
    /// The candidate that notices faults soonest.
    pub chosen: Candidate,
    /// All candidates, the chosen one among them.
    pub candidates: Vec<Candidate>,
    /// False if no candidate notices faults within the time asked for. The chosen one is the soonest then.
    pub is_quick: bool,
    /// How many calls of the log are healthy, and their time in nanoseconds.
    pub healthy: u64,
    /// See there.
    pub healthy_span_ns: u64,
    /// The quantiles of the healthy calls in nanoseconds: P50, P90, P99, P99.9, and the greatest.
    pub healthy_ns: [u64; 5],
    /// A call that takes longer is an outage, in nanoseconds.
    pub outage_limit_ns: u64,
    /// Outages by hindsight, which were left out.
    pub suspects: Vec<Span>,
    /// What a part of the log that was held back says. `None` if there was too little log for that.
    pub held_back: Option<HeldBack>,
    /// The whole log with these settings, with the outages as they are; and with the defaults.
    pub whole: Proof,
    /// See there.
    pub whole_by_default: Proof,
    /// Faults that are put into the log, with these settings, and with the defaults.
    pub faults: Vec<FaultProof>,
    /// See there.
    pub faults_by_default: Vec<FaultProof>,
}

/// Settings made of the first part of a log, judged by the last one. What was chosen among many fits the rows that it was chosen by
/// better than any others: so the odds of settings are those of rows that they have not seen.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct HeldBack {
    /// So many rows were held back, the last ones.
    pub rows: usize,
    /// The settings that the rows before give.
    pub config: Config,
    /// What these settings would have done with the rows that were held back.
    pub proof: Proof,
    /// How the healthy calls that were held back differ from those before.
    pub difference: Option<Difference>,
}

/// How the held-back part of a log differs from the part before.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Difference {
    /// The medians of the healthy calls: before and held back, in nanoseconds.
    Median(u64, u64),
    /// Their P99s.
    P99(u64, u64),
    /// The calls in a million that are slow at the chosen threshold. The chosen quantile has no room for those held back.
    SlowCalls(u64, u64),
}

/// The rows are in ascending order of their start.
///
/// # Errors
/// If there is too little in the log, or if the options leave no room.
pub fn tune(rows: &[Row], options: &TuneOptions) -> Result<Tuned, TuneError> {
    let median_ns = median_ns(rows);
    let outage_limit_ns = outage_limit_ns(median_ns);
    let suspects = outages(rows, outage_limit_ns);
    let left_out = united(suspects.iter().chain(&options.bad).copied().collect());
    let whole = Healthy::new(rows, &left_out);
    if whole.calls() < LEAST_CALLS {
        return Err(TuneError::TooFew(whole.calls()));
    }
    let held_back_rows = (rows.len() as u128 * u128::from(options.hold_back_ppm) / u128::from(PPM)) as usize;
    let (tuned, held_back) = rows.split_at_checked(rows.len() - held_back_rows).unwrap_or((rows, &[]));
    let parts = [tuned, held_back].map(|rows| Healthy::new(rows, &left_out));
    let is_enough = parts.iter().all(|part| part.calls() >= LEAST_HELD_BACK);
    let [part, back] = &parts;
    let (config, chosen, candidates, is_quick) = made_of(&whole, options)?;
    // What the same way leads to from one part alone is judged on the other part, which it hasn't seen.
    let held_back = if is_enough { judged(part, back, held_back, &left_out, options)? } else { None };

    let default = Config::default();
    let median_ns = whole.quantile_ns(PPM / 2);
    Ok(Tuned {
        healthy: whole.calls() as u64,
        healthy_span_ns: whole.span_ns,
        healthy_ns: healthy_ns(&whole),
        whole: Proof::new(&config, rows, &left_out)?,
        whole_by_default: Proof::new(&default, rows, &left_out)?,
        faults: fault_proofs(&config, rows, &left_out, median_ns)?,
        faults_by_default: fault_proofs(&default, rows, &left_out, median_ns)?,
        held_back,
        config,
        chosen,
        candidates,
        is_quick,
        outage_limit_ns,
        suspects,
    })
}

fn made_of(healthy: &Healthy, options: &TuneOptions) -> Result<(Config, Candidate, Vec<Candidate>, bool), TuneError> {
    let candidates = candidates(&pairs(healthy, window_age_ns(healthy), options), healthy, options);
    let (chosen, is_quick) = best(&candidates, options.detect_within_ns).ok_or(TuneError::NoRoom)?;
    Ok((settings(healthy, &chosen, options), chosen, candidates, is_quick))
}

/// `None` if the part gives no settings.
fn judged(
    part: &Healthy,
    back: &Healthy,
    rows: &[Row],
    outages: &[Span],
    options: &TuneOptions,
) -> Result<Option<HeldBack>, LogError> {
    let Ok((config, chosen, ..)) = made_of(part, options) else { return Ok(None) };
    let proof = Proof::new(&config, rows, outages)?;
    Ok(Some(HeldBack { rows: rows.len(), config, proof, difference: difference(part, back, &chosen) }))
}

/// Of the calls that came back, by nearest rank.
fn median_ns(rows: &[Row]) -> u64 {
    let mut latencies_ns: Vec<u64> =
        rows.iter().filter(|row| has_outcome(row)).filter_map(|row| row.latency_ns).collect();
    match latencies_ns.len().div_ceil(2).checked_sub(1) {
        Some(middle) => *latencies_ns.select_nth_unstable(middle).1,
        None => 0,
    }
}

fn healthy_ns(healthy: &Healthy) -> [u64; 5] {
    let [p50, p90, p99, p999] = QUANTILES.map(|(quantile_ppm, _)| healthy.quantile_ns(quantile_ppm));
    [p50, p90, p99, p999, healthy.greatest_ns()]
}

/// Slow calls that the quantile has no room for, medians that differ by a fifth, or P99s that differ by a half.
fn difference(part: &Healthy, back: &Healthy, chosen: &Candidate) -> Option<Difference> {
    let slow = back.slower_than(chosen.threshold_ns);
    if !has_room(slow, back.calls(), chosen.quantile_ppm) {
        let ppm = |slow: usize, of: &Healthy| slow as u64 * u64::from(PPM) / of.calls().max(1) as u64;
        return Some(Difference::SlowCalls(ppm(part.slower_than(chosen.threshold_ns), part), ppm(slow, back)));
    }
    let differ = |quantile_ppm: u32, parts: u64| {
        let (a_ns, b_ns) = (part.quantile_ns(quantile_ppm), back.quantile_ns(quantile_ppm));
        (a_ns.abs_diff(b_ns) > a_ns.min(b_ns) / parts).then_some((a_ns, b_ns))
    };
    let median = differ(PPM / 2, 5).map(|(a_ns, b_ns)| Difference::Median(a_ns, b_ns));
    median.or_else(|| differ(990_000, 2).map(|(a_ns, b_ns)| Difference::P99(a_ns, b_ns)))
}
