//! What was found, as a report in HTML.

use super::Found;
use super::text::{show_fault, show_healthy, show_noticed, show_odds, show_replayed};
use crate::profile::show_named_profile;
use crate::report::{report_of, show_pauses};
use crate::show::show_quantile;
use trip99::Config;
use trip99_logs::report::{Bucket, Candidate, FaultRow, Pause, Report, Run, Span};
use trip99_logs::tune::{self, Proof};
use trip99_logs::{Row, RowKind, outages};

pub(super) fn report(found: &Found, rows: &[Row], latencies: Vec<Bucket>, warnings: Vec<String>) -> Report {
    let tuned = &found.tuned;
    let lines = show_named_profile(&found.profile, tuned.config.threshold_ns).chain(show_healthy(found));
    let spans = |spans: &[outages::Span], label: &'static str| -> Vec<Span> {
        spans.iter().map(|span| Span { from_ns: span.from_ns, to_ns: span.to_ns, label: label.to_owned() }).collect()
    };
    let mut suspects = spans(&tuned.suspects, "an outage by hindsight");
    suspects.extend(spans(&found.options.bad, "left out by --bad"));
    suspects.sort_by_key(|span| span.from_ns);
    let default = Config::default();
    let recorded = Run { name: "as recorded".to_owned(), pauses: recorded_pauses(rows), ..Run::default() };
    Report {
        warnings,
        latencies,
        suspects,
        runs: vec![
            recorded,
            run(found, "the defaults", &default, &tuned.whole_by_default, 1),
            run(found, "these settings", &tuned.config, &tuned.whole, 0),
        ],
        trade_off: tuned.candidates.iter().map(|candidate| show_candidate(candidate, &tuned.chosen)).collect(),
        fault_columns: ["fault", "these settings", "the defaults"].map(str::to_owned).to_vec(),
        faults: tuned
            .faults
            .iter()
            .zip(&tuned.faults_by_default)
            .map(|(these, by_default)| FaultRow {
                fault: show_fault(&these.fault),
                cells: vec![show_noticed(these), show_noticed(by_default)],
            })
            .collect(),
        odds: show_odds(found),
        settings: found.settings().into_iter().map(|(name, value, reason)| (name.to_owned(), value, reason)).collect(),
        toml: found.toml(),
        ..report_of(format!("trip99 tune {}", found.name), &found.profile, lines, &tuned.config)
    }
}

/// `column` is the column of the settings in the table of replays, after the first one.
fn run(found: &Found, name: &str, config: &Config, proof: &Proof, column: usize) -> Run {
    let table = show_replayed(found);
    let figures =
        table.into_iter().skip(1).map(|[name, these, by_default]| (name, if column == 0 { these } else { by_default }));
    Run {
        name: name.to_owned(),
        threshold_ns: config.threshold_ns,
        quantile_ppm: config.quantile_ppm,
        pauses: show_pauses(&proof.pauses, config),
        summary: figures.collect(),
    }
}

fn show_candidate(candidate: &tune::Candidate, chosen: &tune::Candidate) -> Candidate {
    let quantile = show_quantile(candidate.quantile_ppm);
    let threshold = trip99_logs::show::show_ns(candidate.threshold_ns);
    Candidate {
        name: format!("{quantile} above {threshold}, debt {}", candidate.debt_limit),
        false_trips_a_month: candidate.bound_a_month,
        delay_ns: candidate.mean_delay_ns,
        chosen: candidate == chosen,
    }
}

/// From the first refused row to the last one of each row of them.
fn recorded_pauses(rows: &[Row]) -> Vec<Pause> {
    let mut pauses: Vec<Pause> = Vec::new();
    let mut is_refused = false;
    for row in rows.iter().filter(|row| row.kind != RowKind::Free) {
        match (row.kind, is_refused, pauses.last_mut()) {
            (RowKind::Refused, true, Some(pause)) => pause.to_ns = row.start_ns,
            (RowKind::Refused, ..) => pauses.push(Pause {
                from_ns: row.start_ns,
                to_ns: row.start_ns,
                reason: "recorded".to_owned(),
                evidence: "asks were refused when the log was recorded".to_owned(),
                reopened: 0,
            }),
            _ => {}
        }
        is_refused = row.kind == RowKind::Refused;
    }
    pauses
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recorded_pauses_are_rows_of_refused_asks() {
        let kinds = [RowKind::Ask, RowKind::Refused, RowKind::Free, RowKind::Refused, RowKind::Ask, RowKind::Refused];
        let rows = kinds.iter().enumerate().map(|(at, &kind)| Row {
            start_ns: at as u64,
            latency_ns: Some(1),
            ok: true,
            kind,
        });
        let pauses = recorded_pauses(&rows.collect::<Vec<_>>());
        let spans: Vec<_> = pauses.iter().map(|pause| (pause.from_ns, pause.to_ns)).collect();
        assert_eq!(spans, [(1, 3), (5, 5)]);
        assert_eq!(recorded_pauses(&[]), []);
    }
}
