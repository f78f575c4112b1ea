//! What was found, for programs: one object.

use super::Found;
use super::text::show_odds;
use crate::failure::Failure;
use crate::json::Json;
use serde::Serialize;
use serde_json::{Map, Value};
use std::io::Write;
use trip99::{Config, Event};
use trip99_logs::outages::Span;
use trip99_logs::profile::QUANTILES;
use trip99_logs::tune::{Candidate, FaultProof, HeldBack, Proof};

#[derive(Serialize)]
struct Tuned<'a> {
    log: &'a str,
    rows: u64,
    first_ns: u64,
    last_ns: u64,
    lost: u64,
    failed: u64,
    healthy: Healthy,
    outage_limit_ns: u64,
    outages: Vec<SpanJson>,
    left_out: Vec<SpanJson>,
    /// The settings that were made, in the spelling of a TOML file.
    settings: Map<String, Value>,
    reasons: Map<String, Value>,
    toml: String,
    chosen: CandidateJson,
    candidates: Vec<CandidateJson>,
    odds: OddsJson,
    held_back: Option<HeldBackJson>,
    whole: ProofJson,
    whole_by_default: ProofJson,
    faults: Vec<FaultJson>,
    warnings: &'a [String],
}

#[derive(Serialize)]
struct Healthy {
    calls: u64,
    span_ns: u64,
    quantiles_ns: Map<String, Value>,
}

#[derive(Serialize)]
struct SpanJson {
    from_ns: u64,
    to_ns: u64,
}

impl SpanJson {
    fn all(spans: &[Span]) -> Vec<Self> {
        spans.iter().map(|&Span { from_ns, to_ns }| Self { from_ns, to_ns }).collect()
    }
}

#[derive(Serialize)]
struct CandidateJson {
    quantile_ppm: u32,
    threshold_ns: u64,
    debt_limit: u32,
    slow: u64,
    expected_in_30_d: f64,
    bound_in_30_d: f64,
    mean_delay_ns: u64,
    median_delay_ns: u64,
}

impl From<&Candidate> for CandidateJson {
    fn from(candidate: &Candidate) -> Self {
        Self {
            quantile_ppm: candidate.quantile_ppm,
            threshold_ns: candidate.threshold_ns,
            debt_limit: candidate.debt_limit,
            slow: candidate.slow,
            expected_in_30_d: candidate.expected_a_month,
            bound_in_30_d: candidate.bound_a_month,
            mean_delay_ns: candidate.mean_delay_ns as u64,
            median_delay_ns: candidate.median_delay_ns,
        }
    }
}

#[derive(Serialize)]
struct OddsJson {
    budget_in_30_d: f64,
    expected_in_30_d: f64,
    bound_in_30_d: f64,
    bound_with_outages_in_30_d: f64,
    text: String,
}

#[derive(Serialize)]
struct HeldBackJson {
    rows: usize,
    settings: Map<String, Value>,
    proof: ProofJson,
}

#[derive(Serialize)]
struct ProofJson {
    span_ns: u64,
    trips: usize,
    false_trips: Vec<TripJson>,
    outages: usize,
    noticed: usize,
    paused_ns: u64,
}

#[derive(Serialize)]
struct TripJson {
    t_ns: u64,
    reason: &'static str,
    observed: u64,
    limit: u64,
}

impl From<&Proof> for ProofJson {
    fn from(proof: &Proof) -> Self {
        let trip = |event: &Event| TripJson {
            t_ns: event.t_ns,
            reason: event.reason.name(),
            observed: event.observed,
            limit: event.limit,
        };
        Self {
            span_ns: proof.span_ns,
            trips: proof.pauses.len(),
            false_trips: proof.false_trips.iter().map(trip).collect(),
            outages: proof.outages,
            noticed: proof.noticed,
            paused_ns: proof.paused_ns,
        }
    }
}

#[derive(Serialize)]
struct FaultJson {
    /// As `replay --inject` has it.
    fault: String,
    tried: usize,
    noticed: usize,
    calls: Option<u64>,
    after_ns: Option<u64>,
    by_default: NoticedJson,
}

#[derive(Serialize)]
struct NoticedJson {
    tried: usize,
    noticed: usize,
    calls: Option<u64>,
    after_ns: Option<u64>,
}

/// What differs from the settings that follow from the threshold alone, and the three that were chosen.
fn settings(config: &Config, names: impl Iterator<Item = &'static str>) -> Map<String, Value> {
    let value = |name: &str| {
        let setting = Config::setting(name)?;
        let text = setting.show(config);
        Some(serde_json::from_str(&text).unwrap_or(Value::String(text)))
    };
    names.filter_map(|name| Some((name.to_owned(), value(name)?))).collect()
}

pub(super) fn write(found: &Found, warnings: &[String], out: &mut Json<impl Write>) -> Result<(), Failure> {
    let (tuned, profile) = (&found.tuned, &found.profile);
    let made = found.settings();
    let names = || made.iter().map(|(name, ..)| *name);
    let odds = tuned.odds();
    let quantiles = QUANTILES.iter().map(|(_, name)| *name).chain(["greatest"]);
    let fault = |(these, by_default): (&FaultProof, &FaultProof)| FaultJson {
        fault: trip99_logs::fault::FaultText::Fixed(these.fault).to_string(),
        tried: these.tried,
        noticed: these.noticed,
        calls: these.median_calls,
        after_ns: these.median_ns,
        by_default: NoticedJson {
            tried: by_default.tried,
            noticed: by_default.noticed,
            calls: by_default.median_calls,
            after_ns: by_default.median_ns,
        },
    };
    let held_back = |held_back: &HeldBack| HeldBackJson {
        rows: held_back.rows,
        settings: settings(&held_back.config, names()),
        proof: (&held_back.proof).into(),
    };
    out.line(&Tuned {
        log: &found.name,
        rows: profile.rows,
        first_ns: profile.first_ns,
        last_ns: profile.last_ns,
        lost: profile.lost,
        failed: profile.failed,
        healthy: Healthy {
            calls: tuned.healthy,
            span_ns: tuned.healthy_span_ns,
            quantiles_ns: quantiles.map(str::to_owned).zip(tuned.healthy_ns.map(Value::from)).collect(),
        },
        outage_limit_ns: tuned.outage_limit_ns,
        outages: SpanJson::all(&tuned.suspects),
        left_out: SpanJson::all(&found.options.bad),
        settings: settings(&tuned.config, names()),
        reasons: made.iter().map(|(name, _, reason)| ((*name).to_owned(), reason.clone().into())).collect(),
        toml: found.toml(),
        chosen: (&tuned.chosen).into(),
        candidates: tuned.candidates.iter().map(CandidateJson::from).collect(),
        odds: OddsJson {
            budget_in_30_d: found.budget_a_month(),
            expected_in_30_d: odds.expected_a_month,
            bound_in_30_d: odds.bound_a_month,
            bound_with_outages_in_30_d: odds.bound_with_suspects_a_month,
            text: show_odds(found).join(" "),
        },
        held_back: tuned.held_back.as_ref().map(held_back),
        whole: (&tuned.whole).into(),
        whole_by_default: (&tuned.whole_by_default).into(),
        faults: tuned.faults.iter().zip(&tuned.faults_by_default).map(fault).collect(),
        warnings,
    })
}
