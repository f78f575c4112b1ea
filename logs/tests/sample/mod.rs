//! A report to look at: the trace that the repository ships, replayed by two settings, with figures beside it that are made up.

use trip99::{Config, Event};
use trip99_logs::pauses::Pauses;
use trip99_logs::profile::Profiler;
use trip99_logs::replay::{self, Summary, replay};
use trip99_logs::report::{Candidate, FaultRow, Pause, Report, Run, Span, Thinner};
use trip99_logs::show::show_ns;
use trip99_logs::{LogError, Row, Trace};

const MS: u64 = 1_000_000;
const S: u64 = 1_000_000_000;
/// When the log begins: stamps of the trace begin at 0.
const FIRST_NS: u64 = 1_763_999_870 * S;

fn rows(first_ns: u64) -> Vec<Row> {
    let text = include_str!("../../../traces/outage.csv");
    let rows = Trace::new(text.as_bytes(), "outage.csv".to_owned(), true).expect("it is a trace");
    let moved = rows.map(|row| row.map(|row| Row { start_ns: row.start_ns + first_ns, ..row }));
    moved.collect::<Result<_, LogError>>().expect("it has no mistake")
}

struct Watch(Pauses);

impl replay::Report for Watch {
    type Error = LogError;

    fn begin(&mut self, _: &Config) -> Result<(), LogError> {
        Ok(())
    }

    fn transition(&mut self, event: &Event) -> Result<(), LogError> {
        self.0.transition(event);
        Ok(())
    }

    fn end(&mut self, _: &Summary) -> Result<(), LogError> {
        Ok(())
    }
}

fn run(name: &str, config: &Config, rows: &[Row]) -> Run {
    let evidence = |event: &Event| format!("observed {}, limit {}", show_ns(event.observed), show_ns(event.limit));
    let mut watch = Watch(Pauses::default());
    let summary = replay(config, rows.iter().map(|row| Ok(*row)), &mut watch).expect("it replays");
    let pauses = watch.0.finish(&summary).into_iter().map(|pause| Pause {
        from_ns: pause.from_ns,
        to_ns: pause.to_ns,
        reason: pause.opening.as_ref().map_or("start", |event| event.reason.name()).to_owned(),
        evidence: pause.opening.as_ref().map(evidence).unwrap_or_default(),
        reopened: pause.reopens,
    });
    let pair = |name: &str, value: String| (name.to_owned(), value);
    Run {
        name: name.to_owned(),
        threshold_ns: config.threshold_ns,
        quantile_ppm: config.quantile_ppm,
        pauses: pauses.collect(),
        summary: vec![
            pair("asked", summary.asked.to_string()),
            pair("refused", summary.refused.to_string()),
            pair("trips", summary.trips.to_string()),
            pair("open", show_ns(summary.open_ns)),
            pair("longest pause", show_ns(summary.longest_pause_ns)),
        ],
    }
}

/// Candidates as a search would find them: the higher the threshold the fewer false trips, and the later a fault is found.
fn trade_off() -> Vec<Candidate> {
    let mut found = Vec::new();
    for (at, quantile) in ["P90", "P95", "P98", "P99", "P99.5"].into_iter().enumerate() {
        for step in 0..11_u32 {
            let threshold_ms = (7.0 * 1.35_f64.powi(step as i32)).round();
            let off = f64::from((step * 7 + at as u32 * 5) % 11) / 11.0;
            found.push(Candidate {
                name: format!("{quantile} above {threshold_ms} ms, debt {}", 3 + step % 4),
                false_trips_a_month: 40.0 * 0.35_f64.powi(step as i32) * (0.5 + off) * (1.0 + at as f64),
                delay_ns: 4e7 * 1.4_f64.powi(step as i32) * (0.7 + off) * (1.0 + 0.4 * at as f64),
                chosen: (at, step) == (3, 4),
            });
        }
    }
    found
}

pub(crate) fn report(is_utc: bool) -> Report {
    let first_ns = if is_utc { FIRST_NS } else { 0 };
    let rows = rows(first_ns);
    let (mut profiler, mut thinner) = (Profiler::default(), Thinner::default());
    for row in &rows {
        profiler.take(row);
        thinner.take(row);
    }
    let profile = profiler.finish();
    let tuned = Config { threshold_ns: 23 * MS, debt_limit: 4, stall_limit_ns: 1_500 * MS, ..Config::default() };
    let text = |text: &str| text.to_owned();
    let pair = |name: &str, value: &str| (text(name), text(value));
    let setting = |name: &str, value: &str, reason: &str| (text(name), text(value), text(reason));
    let fault = |fault: &str, cells: [&str; 4]| FaultRow { fault: text(fault), cells: cells.map(text).to_vec() };
    Report {
        title: text("trip99 tune outage.csv"),
        profile: vec![
            pair("calls", "11 997 over 4 min 59 s, 39.9 a second; the longest silence 49 ms, after 451 ms"),
            pair("latency", "P50 3.148 ms, P90 6.281 ms, P99 757 ms, P99.9 886 ms, greatest 899 ms"),
            pair("", "471 slower than 200 ms (3.9 %), 616 failed, 315 never came back, 1 in flight at the end"),
            pair("resolution", "stamps are multiples of 1 ms, latencies of 1 µs"),
        ],
        warnings: vec![text(
            "rows 1 to 11997: of 10 trials in a row, all would be good with a chance of 29 % (up to 160 ms is good); try a larger \
             recover_threshold, or fewer probes",
        )],
        first_ns: profile.first_ns,
        last_ns: profile.last_ns,
        is_utc,
        latencies: thinner.finish(),
        suspects: vec![
            Span { from_ns: first_ns + 59 * S, to_ns: first_ns + 81 * S, label: text("calls above 1 s or lost: 412") },
            Span { from_ns: first_ns + 198 * S, to_ns: first_ns + 229 * S, label: text("given by --bad") },
        ],
        percentiles: profile.percentiles(),
        runs: vec![run("defaults", &Config::default(), &rows), run("tuned", &tuned, &rows)],
        trade_off: trade_off(),
        fault_columns: ["fault", "#defaults: calls", "#defaults: time", "#tuned: calls", "#tuned: time"]
            .map(text)
            .to_vec(),
        faults: vec![
            fault("all calls 5 times as slow", ["never", "never", "6", "152 ms"]),
            fault("10 % of the calls at 10 times the median", ["never", "never", "71", "1.81 s"]),
            fault("silent", ["11", "453 ms", "5", "148 ms"]),
            fault("5 % lost", ["212", "5.31 s", "88", "2.2 s"]),
        ],
        odds: vec![
            text("In the 2 min 30 s that were held back there was no false trip."),
            text("So no more than 1 in 50 s can be promised, with 95 % confidence. A longer log would tell more."),
        ],
        settings: vec![
            setting(
                "threshold",
                "23ms",
                "1.05 times the 99.9 % quantile of the healthy calls, rounded up to two digits",
            ),
            setting("quantile", "0.99", "the quickest of those that keep to the budget of false trips"),
            setting("debt_limit", "4", "the least whose bound is within half the budget"),
            setting("stall_limit", "1.5s", "1.7 times the greatest healthy latency"),
            setting("window_age", "60s", "at 39.9 calls a second that is more than 250 calls"),
        ],
        toml: text(
            "# trip99 tune outage.csv\nthreshold = \"23ms\"\nquantile = 0.99\ndebt_limit = 4\nstall_limit = \"1.5s\"\nwindow_age = \"60s\"\n",
        ),
    }
}
