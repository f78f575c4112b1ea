//! What the page's charts show, as JSON. Times are in seconds since the first row, and latencies in milliseconds: a number of JavaScript
//! holds fewer digits than nanoseconds since 1970 have, and a chart shows fewer still.

use super::data::{Bucket, Report};
use super::text::json_for_script;
use serde::Serialize;

#[derive(Serialize)]
struct Charts<'a> {
    is_utc: bool,
    /// In seconds; since 1970 if it is UTC.
    first_s: f64,
    latencies: Latencies,
    /// From, to.
    suspects: Vec<(f64, f64)>,
    /// Each quantile with its latency. The quantile is in nines: 1 is 90 %, 2 is 99 %.
    percentiles: Vec<(f64, f64)>,
    runs: Vec<RunChart<'a>>,
    trade_off: Vec<CandidatePoint<'a>>,
}

/// A column for each line of the chart.
#[derive(Default, Serialize)]
struct Latencies {
    at_s: Vec<f64>,
    /// `None` where no call came back, and where the line is broken.
    least_ms: Vec<Option<f64>>,
    median_ms: Vec<Option<f64>>,
    greatest_ms: Vec<Option<f64>>,
    calls: Vec<u64>,
    lost: Vec<u64>,
}

#[derive(Serialize)]
struct RunChart<'a> {
    name: &'a str,
    /// 0 if none is known.
    threshold_ms: f64,
    nines: f64,
    /// From, to.
    pauses: Vec<(f64, f64)>,
}

#[derive(Serialize)]
struct CandidatePoint<'a> {
    name: &'a str,
    delay_ms: f64,
    false_trips_a_month: f64,
    is_chosen: bool,
}

/// The JSON, which may stand in a `<script>`.
pub(super) fn json(report: &Report) -> String {
    let since_s = |at_ns: u64| at_ns.saturating_sub(report.first_ns) as f64 / 1e9;
    let span = |from_ns, to_ns| (since_s(from_ns), since_s(to_ns));
    let charts = Charts {
        is_utc: report.is_utc,
        first_s: if report.is_utc { report.first_ns as f64 / 1e9 } else { 0.0 },
        latencies: latencies(report, since_s),
        suspects: report.suspects.iter().map(|suspect| span(suspect.from_ns, suspect.to_ns)).collect(),
        percentiles: percentiles(report),
        runs: report
            .runs
            .iter()
            .map(|run| RunChart {
                name: &run.name,
                threshold_ms: to_ms(run.threshold_ns),
                nines: nines(f64::from(run.quantile_ppm) / 1e6),
                pauses: run.pauses.iter().map(|pause| span(pause.from_ns, pause.to_ns)).collect(),
            })
            .collect(),
        trade_off: report
            .trade_off
            .iter()
            .filter(|candidate| candidate.delay_ns.is_finite() && candidate.false_trips_a_month.is_finite())
            .map(|candidate| CandidatePoint {
                name: &candidate.name,
                delay_ms: candidate.delay_ns / 1e6,
                false_trips_a_month: candidate.false_trips_a_month,
                is_chosen: candidate.chosen,
            })
            .collect(),
    };
    // Numbers and texts make JSON always.
    serde_json::to_string(&charts).map_or("null".to_owned(), |json| json_for_script(&json))
}

fn to_ms(ns: u64) -> f64 {
    ns as f64 / 1e6
}

/// How many nines a quantile has: 0.99 has two.
fn nines(quantile: f64) -> f64 {
    -(1.0 - quantile).log10()
}

fn percentiles(report: &Report) -> Vec<(f64, f64)> {
    // 1 has infinitely many.
    let legal = report.percentiles.iter().filter(|(quantile, _)| (0.0..1.0).contains(quantile));
    // 0 is -0 nines otherwise.
    legal.map(|&(quantile, ns)| (nines(quantile).max(0.0), to_ms(ns))).collect()
}

fn latencies(report: &Report, since_s: impl Fn(u64) -> f64) -> Latencies {
    let mut lines = Latencies::default();
    let mut push = |at_s: f64, bucket: &Bucket| {
        let some = |ns: u64| (bucket.calls > bucket.lost).then(|| to_ms(ns));
        lines.at_s.push(at_s);
        lines.least_ms.push(some(bucket.least_ns));
        lines.median_ms.push(some(bucket.median_ns));
        lines.greatest_ms.push(some(bucket.greatest_ns));
        lines.calls.push(bucket.calls);
        lines.lost.push(bucket.lost);
    };
    let silence_ns = silence_ns(&report.latencies);
    let mut latest_ns = None;
    for bucket in &report.latencies {
        if let Some(latest_ns) = latest_ns.filter(|latest_ns| bucket.from_ns.saturating_sub(*latest_ns) > silence_ns) {
            push(f64::midpoint(since_s(latest_ns), since_s(bucket.from_ns)), &Bucket::default());
        }
        push(since_s(bucket.from_ns), bucket);
        latest_ns = Some(bucket.from_ns);
    }
    // So that the axis goes on to the last row, which is in the last bucket.
    let last_ns = report.last_ns;
    if latest_ns.is_some_and(|latest_ns| last_ns > latest_ns) {
        push(since_s(last_ns), &Bucket::default());
    }
    lines
}

/// A line across a longer silence than this would tell of latencies that nobody measured. Where calls come far apart their usual distance
/// is no silence.
fn silence_ns(buckets: &[Bucket]) -> u64 {
    let steps = buckets.iter().zip(buckets.iter().skip(1));
    let mut steps_ns: Vec<u64> = steps.map(|(one, next)| next.from_ns.saturating_sub(one.from_ns)).collect();
    let middle = steps_ns.len() / 2;
    if steps_ns.is_empty() {
        return u64::MAX;
    }
    let (_, median_ns, _) = steps_ns.select_nth_unstable(middle);
    median_ns.saturating_mul(20)
}

#[cfg(test)]
mod tests {
    use super::super::data::{Candidate, Pause, Run};
    use super::*;
    use serde_json::Value;

    fn bucket(from_ns: u64, ns: u64) -> Bucket {
        Bucket { from_ns, calls: 1, least_ns: ns, median_ns: ns, greatest_ns: ns, lost: 0 }
    }

    fn charts(report: &Report) -> Value {
        serde_json::from_str(&json(report)).unwrap()
    }

    #[test]
    fn times_are_since_the_first_row() {
        let first_ns = 1_764_000_000_000_000_001;
        let report = Report {
            first_ns,
            last_ns: first_ns + 2_000_000_001,
            is_utc: true,
            latencies: vec![bucket(first_ns, 1_500_000), bucket(first_ns + 1_000_000_000, 0)],
            runs: vec![Run {
                threshold_ns: 5_000_000,
                quantile_ppm: 990_000,
                pauses: vec![Pause { from_ns: first_ns + 1, to_ns: first_ns + 500_000_000, ..Pause::default() }],
                ..Run::default()
            }],
            ..Report::default()
        };
        let charts = charts(&report);
        assert_eq!(charts["latencies"]["at_s"], serde_json::json!([0.0, 1.0, 2.000000001]));
        assert_eq!(charts["latencies"]["median_ms"], serde_json::json!([1.5, 0.0, null]));
        assert_eq!(charts["first_s"], 1_764_000_000.0);
        let run = &charts["runs"][0];
        assert_eq!((&run["threshold_ms"], &run["pauses"]), (&5.0.into(), &serde_json::json!([[1e-9, 0.5]])));
        assert!((run["nines"].as_f64().unwrap() - 2.0).abs() < 1e-9);
    }

    #[test]
    fn a_line_is_broken_by_a_silence_and_by_calls_that_never_came_back() {
        let mut latencies: Vec<Bucket> = (0..10).map(|at| bucket(at, 7)).collect();
        latencies.push(bucket(29, 7)); // 20 steps after the one before
        latencies.push(bucket(50, 7)); // 21
        latencies.push(Bucket { from_ns: 51, calls: 3, lost: 3, ..Bucket::default() });
        let charts = charts(&Report { latencies, last_ns: 51, ..Report::default() });
        let nulls: Vec<usize> = charts["latencies"]["median_ms"]
            .as_array()
            .unwrap()
            .iter()
            .enumerate()
            .filter(|(_, ms)| ms.is_null())
            .map(|(at, _)| at)
            .collect();
        assert_eq!(nulls, [11, 13]);
        assert_eq!(charts["latencies"]["lost"][13], 3);
    }

    #[test]
    fn what_no_axis_has_is_left_out() {
        let candidate =
            |delay_ns, false_trips_a_month| Candidate { delay_ns, false_trips_a_month, ..Candidate::default() };
        let report = Report {
            percentiles: vec![(-0.1, 1), (0.0, 1_000_000), (0.9, 2_000_000), (1.0, 3), (f64::NAN, 4)],
            trade_off: vec![candidate(f64::INFINITY, 1.0), candidate(1.0, f64::NAN), candidate(1e6, 0.0)],
            ..Report::default()
        };
        let charts = charts(&report);
        let percentiles = charts["percentiles"].as_array().unwrap();
        assert_eq!((percentiles.len(), &percentiles[0]), (2, &serde_json::json!([0.0, 1.0])));
        assert_eq!(charts["trade_off"].as_array().unwrap().len(), 1);
        assert_eq!(charts["trade_off"][0]["delay_ms"], 1.0);
    }

    #[test]
    fn extremes_make_json() {
        let bucket = Bucket { from_ns: u64::MAX, calls: u64::MAX, greatest_ns: u64::MAX, ..Bucket::default() };
        let run = Run { threshold_ns: u64::MAX, quantile_ppm: 1_000_000, ..Run::default() };
        let charts =
            charts(&Report { latencies: vec![bucket], last_ns: u64::MAX, runs: vec![run], ..Report::default() });
        assert!(charts["latencies"]["at_s"][0].as_f64().unwrap() > 1.8e10);
        assert!(charts["runs"][0]["nines"].is_null());
    }
}
