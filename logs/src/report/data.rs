//! What a report tells.

use serde::Serialize;

/// All that a report tells. What is empty is left out of the page.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Report {
    /// What was done: `trip99 tune link.csv`.
    pub title: String,
    /// What is in the log: names and texts. A text without a name goes on from the one before.
    pub profile: Vec<(String, String)>,
    /// What is odd about the log or the settings.
    pub warnings: Vec<String>,
    /// When the first call was to be sent.
    pub first_ns: u64,
    /// When the last one was.
    pub last_ns: u64,
    /// The stamps are nanoseconds since 1970, so times are shown as UTC. Otherwise they are shown as times since the first row.
    pub is_utc: bool,
    /// Latency over time, as a [`Thinner`](super::Thinner) has it: ascending.
    pub latencies: Vec<Bucket>,
    /// Spans that were left out.
    pub suspects: Vec<Span>,
    /// Quantiles from 0 to below 1, ascending, each with its latency in nanoseconds.
    pub percentiles: Vec<(f64, u64)>,
    /// What the breaker made of the log, by one or several settings.
    pub runs: Vec<Run>,
    /// The candidates for settings, one of which was chosen.
    pub trade_off: Vec<Candidate>,
    /// The head of the table of faults.
    pub fault_columns: Vec<String>,
    /// Injected faults, and how each was found.
    pub faults: Vec<FaultRow>,
    /// How likely a false trip is: sentences.
    pub odds: Vec<String>,
    /// Settings: name, value and the reason for it.
    pub settings: Vec<(String, String, String)>,
    /// The settings as TOML, to copy.
    pub toml: String,
}

/// The calls of one stretch of time.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Bucket {
    /// When the stretch begins.
    pub from_ns: u64,
    /// How many calls began, those that were lost among them.
    pub calls: u64,
    /// The least latency; 0 if no call came back.
    pub least_ns: u64,
    /// The median latency, to 1 %; 0 if no call came back.
    pub median_ns: u64,
    /// The greatest latency; 0 if no call came back.
    pub greatest_ns: u64,
    /// Calls that never came back.
    pub lost: u64,
}

/// A span of time that was left out, and why.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Span {
    /// When it begins.
    pub from_ns: u64,
    /// When it ends.
    pub to_ns: u64,
    /// Why it was left out.
    pub label: String,
}

/// What the breaker made of the log.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Run {
    /// By which settings: `tuned`.
    pub name: String,
    /// The threshold; 0 if none is known.
    pub threshold_ns: u64,
    /// The quantile that was judged, in parts per million.
    pub quantile_ppm: u32,
    /// When the breaker wasn't closed: ascending.
    pub pauses: Vec<Pause>,
    /// Names and figures.
    pub summary: Vec<(String, String)>,
}

/// A time from leaving closed to closing again, or to the end.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Pause {
    /// When the breaker left closed.
    pub from_ns: u64,
    /// When it closed again, or the end.
    pub to_ns: u64,
    /// The rule that opened it.
    pub reason: String,
    /// What the rule saw.
    pub evidence: String,
    /// How many times it opened anew out of half-open.
    pub reopened: u64,
}

/// Settings that were tried.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Candidate {
    /// The settings in short: `P99 above 23 ms, debt 4`.
    pub name: String,
    /// False trips in a month, as promised.
    pub false_trips_a_month: f64,
    /// How long a fault goes unseen, in nanoseconds.
    pub delay_ns: f64,
    /// These were chosen.
    pub chosen: bool,
}

/// An injected fault, and how it was found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct FaultRow {
    /// The fault.
    pub fault: String,
    /// A cell for each column after the first.
    pub cells: Vec<String>,
}
