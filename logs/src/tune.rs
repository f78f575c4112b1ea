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

#![expect(clippy::float_arithmetic, reason = "odds are estimates; the breaker decides by none of them")]

mod asked;
mod healthy;
mod candidates;
mod excursions;
mod tail;
mod side_by_side;
mod score;
mod choice;
mod limits;
mod proof;
mod told;
mod warnings;
#[cfg(test)]
mod odds;
#[cfg(test)]
mod promise;

use crate::error::LogError;
use crate::fault;
use crate::outages::{Span, outage_limit_ns, outages, united};
use crate::profile::QUANTILES;
use crate::row::Row;
pub use asked::Asked;
use candidates::has_room;
pub use choice::Candidate;
use choice::{best, candidates, pairs};
use healthy::Healthy;
use limits::{settings, window_age_ns};
use proof::fault_proofs;
pub use proof::{AFTER_OUTAGE_NS, CALLS_AFTER, FaultProof, Proof};
use std::fmt;
pub use told::Told;
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
                write!(
                    f,
                    "the log has {calls} healthy calls outside of outages and of what is left out; legal: at least {LEAST_CALLS}, better \
                     some thousand"
                )
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

/// What [`tune_telling`] does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// It looks for outages.
    Outages,
    /// It makes settings of the whole log.
    Settings,
    /// It makes settings of the first part, and judges them by the other.
    HeldBack,
    /// It replays the log.
    Replays,
    /// It puts faults into the log.
    Faults,
}

impl Step {
    /// All steps, in order.
    pub const ALL: [Self; 5] = [Self::Outages, Self::Settings, Self::HeldBack, Self::Replays, Self::Faults];
}

/// Makes settings that fit the log. The rows are in ascending order of their start.
///
/// It takes all cores that there are, some 160 bytes of memory a row, and a few seconds for a million rows.
///
/// # Errors
/// There is too little in the log, or the options leave no room.
///
/// ```
/// use trip99_logs::tune::{TuneOptions, tune};
/// use trip99_logs::{Row, RowKind};
///
/// // A call each 100 ms, which takes from 10 to 16 ms.
/// let call = |n: u64| Row { start_ns: n * 100_000_000, latency_ns: Some(10_000_000 + n * n % 7 * 1_000_000), ok: true, kind: RowKind::Ask };
/// let rows: Vec<Row> = (0..300).map(call).collect();
/// let tuned = tune(&rows, &TuneOptions::default())?;
/// assert!((17_000_000..50_000_000).contains(&tuned.config.threshold_ns));
/// # Ok::<(), trip99_logs::tune::TuneError>(())
/// ```
pub fn tune(rows: &[Row], options: &TuneOptions) -> Result<Tuned, TuneError> {
    tune_telling(rows, options, |_| ())
}

/// As [`tune`]; and tells before each step which one it is.
///
/// # Errors
/// As those of [`tune`].
pub fn tune_telling(rows: &[Row], options: &TuneOptions, mut tell: impl FnMut(Step)) -> Result<Tuned, TuneError> {
    tell(Step::Outages);
    let median_ns = fault::median_ns(rows).unwrap_or(0);
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
    tell(Step::Settings);
    let (config, chosen, candidates, is_quick) = made_of(&whole, options)?;
    tell(Step::HeldBack);
    // What the same way leads to from one part alone is judged on the other part, which it hasn't seen.
    let held_back = if is_enough { judged(part, back, held_back, &left_out, options)? } else { None };

    tell(Step::Replays);
    let default = Config::default();
    let replays = [Proof::new(&config, rows, &left_out)?, Proof::new(&default, rows, &left_out)?];
    tell(Step::Faults);
    let [with_these, by_default] = replays;
    let median_ns = whole.quantile_ns(PPM / 2);
    Ok(Tuned {
        healthy: whole.calls() as u64,
        healthy_span_ns: whole.span_ns,
        healthy_ns: healthy_ns(&whole),
        whole: with_these,
        whole_by_default: by_default,
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

/// How often settings would trip falsely. All are trips in 30 days.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Odds {
    /// By the tail of the log's own debts, for the debt alone. It is no less than one in ten times the log's length.
    pub expected_a_month: f64,
    /// No more can be excluded, 19 times of 20, by what was held back. It is the bound of the settings that the first part of the log gives
    /// ([`HeldBack::config`]), not of those that the whole log gives: no call is left to judge these by. Without a part held back it is by
    /// the whole log, which is too kind, as the settings were chosen by it.
    pub bound_a_month: f64,
    /// The same if outages by hindsight are counted as false.
    pub bound_with_suspects_a_month: f64,
}

/// No forecast goes beyond so many times the log's length.
const FORECAST: f64 = 10.0;

impl Tuned {
    /// What can be said of false trips.
    pub fn odds(&self) -> Odds {
        let proof = self.held_back.as_ref().map_or(&self.whole, |held_back| &held_back.proof);
        let in_forecast = MONTH_NS as f64 / (FORECAST * self.healthy_span_ns.max(1) as f64);
        Odds {
            expected_a_month: self.chosen.expected_a_month.max(in_forecast),
            bound_a_month: proof.bound_a_month(),
            bound_with_suspects_a_month: proof.bound_with_suspects_a_month(),
        }
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
