//! The charts in words, for those who don't see them.

use crate::report::data::{Report, Run};
use crate::report::text::show_when;
use crate::show::{show_counted, show_ns, show_quantile};

/// Latency over time, and what a run made of it.
pub(super) fn latency(report: &Report, run: Option<&Run>) -> String {
    let calls = report.latencies.iter().fold(0_u64, |calls, bucket| calls.saturating_add(bucket.calls));
    let lost = report.latencies.iter().fold(0_u64, |lost, bucket| lost.saturating_add(bucket.lost));
    let back = || report.latencies.iter().filter(|bucket| bucket.calls > bucket.lost);
    let medians = || back().map(|bucket| bucket.median_ns);
    let mut text = format!(
        "{} from {} to {}",
        show_counted(calls, "call"),
        show_when(report.first_ns, report.first_ns, report.is_utc),
        show_when(report.last_ns, report.first_ns, report.is_utc)
    );
    if let (Some(low), Some(high)) = (medians().min(), medians().max()) {
        let least = back().map(|bucket| bucket.least_ns).min().unwrap_or(low);
        let greatest = back().map(|bucket| bucket.greatest_ns).max().unwrap_or(high);
        text += &format!(
            "; medians from {} to {}, least {}, greatest {}",
            show_ns(low),
            show_ns(high),
            show_ns(least),
            show_ns(greatest)
        );
    }
    if lost > 0 {
        text += &format!("; {} never came back", show_counted(lost, "call"));
    }
    let Some(run) = run else { return text + "." };
    if run.threshold_ns > 0 {
        text += &format!("; the threshold is {}", show_ns(run.threshold_ns));
    }
    let paused_ns =
        run.pauses.iter().fold(0_u64, |sum_ns, pause| sum_ns.saturating_add(pause.to_ns.saturating_sub(pause.from_ns)));
    match run.pauses.len() as u64 {
        0 => text + "; no pause.",
        count => text + &format!("; {}, {} in all.", show_counted(count, "pause"), show_ns(paused_ns)),
    }
}

/// Some of the percentiles, and the thresholds.
pub(super) fn percentiles(report: &Report) -> String {
    let near = |wanted: f64| report.percentiles.iter().find(|(quantile, _)| *quantile >= wanted - 1e-9);
    let some = [(0.5, "P50"), (0.9, "P90"), (0.99, "P99"), (0.999, "P99.9")];
    let mut texts: Vec<String> =
        some.iter().filter_map(|(wanted, name)| Some(format!("{name} {}", show_ns(near(*wanted)?.1)))).collect();
    texts.extend(report.percentiles.last().map(|(_, ns)| format!("greatest {}", show_ns(*ns))));
    for run in report.runs.iter().filter(|run| run.threshold_ns > 0) {
        let (quantile, threshold) = (show_quantile(run.quantile_ppm), show_ns(run.threshold_ns));
        texts.push(format!("{} judges whether {quantile} is above {threshold}", run.name));
    }
    texts.join(", ") + "."
}

/// Which candidate was chosen among how many.
pub(super) fn trade_off(report: &Report) -> String {
    let count = show_counted(report.trade_off.len() as u64, "candidate");
    let Some(chosen) = report.trade_off.iter().find(|candidate| candidate.chosen) else { return format!("{count}.") };
    format!(
        "{count}; the chosen one, {}, has {} false trips a month and a delay of {}.",
        chosen.name,
        rate(chosen.false_trips_a_month),
        delay(chosen.delay_ns)
    )
}

/// A delay in nanoseconds.
pub(super) fn delay(ns: f64) -> String {
    if ns.is_finite() { show_ns(ns as u64) } else { "never".to_owned() }
}

/// How many in a month, in two digits.
pub(super) fn rate(count: f64) -> String {
    match count {
        _ if !count.is_finite() => "-".to_owned(),
        _ if count == 0.0 => "0".to_owned(),
        _ if count >= 10.0 => format!("{count:.0}"),
        _ => {
            let decimals = (1 - count.abs().log10().floor() as i32).clamp(0, 12) as usize;
            let text = format!("{count:.decimals$}");
            text.trim_end_matches('0').trim_end_matches('.').to_owned()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::data::{Bucket, Pause};

    #[test]
    fn rates_have_two_digits() {
        let rates = [0.0, 0.43, 0.4321, 1.0, 9.96, 12.3, 12345.6, 0.000_012_3, 1e-300, f64::INFINITY];
        let texts = ["0", "0.43", "0.43", "1", "10", "12", "12346", "0.000012", "0", "-"];
        assert_eq!(rates.map(rate), texts);
        assert_eq!([delay(1.5e6), delay(f64::NAN)], ["1.5 ms", "never"]);
    }

    #[test]
    fn a_chart_is_told_in_words() {
        const MS: u64 = 1_000_000;
        let bucket = |at: u64, ms: u64, lost| Bucket {
            from_ns: at * 1_000 * MS,
            calls: 10,
            least_ns: ms * MS / 2,
            median_ns: ms * MS,
            greatest_ns: 2 * ms * MS,
            lost,
        };
        let report = Report {
            last_ns: 9_000 * MS,
            latencies: vec![bucket(0, 4, 0), bucket(5, 8, 3), bucket(9, 70, 10)],
            percentiles: vec![(0.0, MS), (0.5, 4 * MS), (0.9, 8 * MS), (0.95, 16 * MS)],
            runs: vec![Run { name: "tuned".to_owned(), threshold_ns: 9 * MS, quantile_ppm: 950_000, ..Run::default() }],
            ..Report::default()
        };
        let text = "30 calls from 0 ns to 9.000 s; medians from 4 ms to 8 ms, least 2 ms, greatest 16 ms; 13 calls never came back";
        assert_eq!(latency(&report, None), format!("{text}."));
        assert_eq!(latency(&report, report.runs.first()), format!("{text}; the threshold is 9 ms; no pause."));
        let run = Run { pauses: vec![Pause { from_ns: 5, to_ns: 5 + MS, ..Pause::default() }], ..Run::default() };
        assert_eq!(latency(&report, Some(&run)), format!("{text}; 1 pause, 1 ms in all."));
        let text = "P50 4 ms, P90 8 ms, greatest 16 ms, tuned judges whether P95 is above 9 ms.";
        assert_eq!(percentiles(&report), text);
        assert_eq!(percentiles(&Report::default()), ".");
    }
}
