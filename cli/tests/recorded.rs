//! Replays of recorded traces, where there are any: what the breaker makes of real venues. Has a harness of its own, which
//! tells those that passed from those that were skipped.

#[path = "../../tests/harness/mod.rs"]
mod harness;

use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::{Command, ExitCode};

const TRACES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/data");

const LONDON: &str = "orders/binance_aws_3_London.csv";
const OSAKA: &str = "orders/binance_aws_asia_2_Osaka.csv";
const GATE: &str = "orders/gate_io_aws_1_Tokyo.csv";
const TOKYO: &str = "orders/htx_aws_1_Tokyo.csv";
const SEOUL: &str = "orders/htx_aws_3_Seoul.csv";
const KUCOIN: &str = "orders/kucoin_ordinary.csv";
const SPOT: &str = "feeds/feed_spot_btcusdt_20240809.csv";
const FUTURES: &str = "feeds/feed_usdm_ethusdt_20240808.csv";

/// Nothing expires: right for a busy node, but not for an order each 10 to 60 s.
const COUNT_WINDOW: &str = "--window-len 200 --window-age 0";

/// Trace, options, then asked, allowed, refused, trips and reopens, then transitions by reason.
type Case = (&'static str, &'static str, [u64; 5], &'static str);

#[rustfmt::skip]
const CASES: &[Case] = &[
    // London is too far from Binance for the default threshold.
    (LONDON, "", [1404, 342, 1062, 1, 337], "probe_slow 337, retry 337, spike 1"),
    (LONDON, "--shadow", [1404, 1404, 0, 1, 337], "probe_slow 337, retry 337, spike 1"),
    (LONDON, "--start half-open", [1404, 339, 1065, 0, 339], "probe_slow 339, retry 338"),
    (LONDON, "--spike-count 0 --window-age 1h --confirm-verdicts 5", [1404, 355, 1049, 1, 333], "latency 1, probe_slow 333, retry 333"),
    (LONDON, "--spike-count 0 --window-age 1h --confirm-verdicts 5 --min-samples 100 --min-slow 1", [1404, 416, 988, 1, 314], "latency 1, probe_slow 314, retry 314"),
    (LONDON, "--backoff-base 10s --backoff-multiplier 3 --backoff-max 1h", [1404, 15, 1389, 1, 10], "probe_slow 10, retry 10, spike 1"),
    (LONDON, "--threshold 1s --stall-limit 5s --probe-timeout 10s", [1404, 1404, 0, 0, 0], ""),
    (OSAKA, "", [3915, 3915, 0, 0, 0], ""),
    (OSAKA, "--window-len 200 --window-age 0", [3915, 3914, 1, 33, 13], "latency 33, probe_slow 13, recovered 33, retry 46"),
    (OSAKA, "--window-len 200 --window-age 0 --min-samples 100 --min-slow 1", [3915, 3914, 1, 33, 9], "latency 33, probe_slow 9, recovered 32, retry 41"),
    (OSAKA, "--window-len 200 --window-age 0 --threshold 1s --stall-limit 5s --probe-timeout 10s", [3915, 3915, 0, 0, 0], ""),
    (OSAKA, "--window-len 200 --window-age 0 --quantile 0.95", [3915, 3915, 0, 1, 0], "latency 1, recovered 1, retry 1"),
    (OSAKA, "--window-len 200 --window-age 0 --sample-every 2", [3915, 3915, 0, 16, 3], "latency 16, probe_slow 3, recovered 16, retry 19"),
    (OSAKA, "--window-len 200 --window-age 0 --sample-every 2 --min-samples 100 --min-slow 1", [3915, 3915, 0, 17, 9], "latency 17, probe_slow 9, recovered 17, retry 26"),
    (GATE, "", [1946, 1946, 0, 0, 0], ""),
    (GATE, "--start half-open", [1946, 1946, 0, 0, 1], "probe_slow 1, recovered 1, retry 1"),
    (GATE, "--window-len 200 --window-age 0", [1946, 1946, 0, 20, 6], "latency 20, probe_slow 6, recovered 20, retry 26"),
    (GATE, "--window-len 200 --window-age 0 --min-samples 100 --min-slow 1", [1946, 1946, 0, 18, 8], "latency 18, probe_slow 8, recovered 18, retry 26"),
    (GATE, "--window-len 200 --window-age 0 --threshold 3s --stall-limit 15s --probe-timeout 30s", [1946, 1946, 0, 0, 0], ""),
    (TOKYO, "", [1944, 1944, 0, 0, 0], ""),
    (TOKYO, "--window-len 200 --window-age 0", [1944, 1944, 0, 17, 8], "latency 17, probe_slow 8, recovered 17, retry 25"),
    (TOKYO, "--window-len 200 --window-age 0 --min-samples 100 --min-slow 1", [1944, 1944, 0, 16, 9], "latency 16, probe_slow 9, recovered 16, retry 25"),
    (TOKYO, "--window-len 200 --window-age 0 --confirm-verdicts 3", [1944, 1944, 0, 17, 7], "latency 17, probe_slow 7, recovered 17, retry 24"),
    (TOKYO, "--window-len 200 --window-age 0 --confirm-verdicts 3 --min-samples 100 --min-slow 1", [1944, 1943, 1, 15, 11], "latency 15, probe_slow 11, recovered 15, retry 26"),
    (SEOUL, "", [1947, 1946, 1, 1, 1], "probe_slow 1, recovered 1, retry 2, stall 1"),
    (SEOUL, "--stall-limit 0", [1947, 1947, 0, 0, 0], ""),
    (SEOUL, "--trials-in-flight 3 --probe-timeout 161ms", [1947, 1947, 0, 1, 1], "probe_slow 1, recovered 1, retry 2, stall 1"),
    (SEOUL, "--window-len 200 --window-age 0", [1947, 1946, 1, 23, 17], "latency 22, probe_slow 17, recovered 23, retry 40, stall 1"),
    (SEOUL, "--window-len 200 --window-age 0 --min-samples 100 --min-slow 1", [1947, 1946, 1, 18, 14], "latency 17, probe_slow 14, recovered 18, retry 32, stall 1"),
    (SEOUL, "--window-len 200 --window-age 0 --threshold 1s --stall-limit 5s --probe-timeout 10s", [1947, 1946, 1, 1, 1], "probe_slow 1, recovered 1, retry 2, stall 1"),
    (SEOUL, "--window-len 200 --window-age 0 --threshold 3s --stall-limit 15s --probe-timeout 30s", [1947, 1945, 2, 1, 1], "probe_slow 1, recovered 1, retry 2, stall 1"),
    (KUCOIN, "", [5943, 5888, 55, 20, 18], "probe_slow 18, recovered 20, retry 38, spike 2, stall 18"),
    (KUCOIN, "--shadow", [5943, 5943, 0, 20, 21], "probe_slow 21, recovered 20, retry 41, spike 2, stall 18"),
    (KUCOIN, "--start half-open", [5943, 5886, 57, 20, 21], "probe_slow 21, recovered 21, retry 41, spike 2, stall 18"),
    (KUCOIN, "--stall-limit 0", [5943, 5918, 25, 2, 9], "probe_slow 9, recovered 2, retry 11, spike 2"),
    (KUCOIN, "--window-age 10m --min-samples 20", [5943, 5876, 67, 21, 26], "latency 3, probe_slow 26, recovered 21, retry 47, spike 1, stall 17"),
    (KUCOIN, "--window-age 10m --min-samples 20 --min-slow 1", [5943, 5783, 160, 66, 57], "latency 54, probe_slow 57, recovered 66, retry 123, stall 12"),
    (KUCOIN, "--trials-in-flight 3 --probe-timeout 161ms", [5943, 5908, 35, 20, 21], "probe_slow 21, recovered 20, retry 41, spike 2, stall 18"),
    (KUCOIN, "--window-len 200 --window-age 0", [5943, 5825, 118, 46, 38], "latency 34, probe_slow 38, recovered 46, retry 84, stall 12"),
    (KUCOIN, "--window-len 200 --window-age 0 --min-samples 100 --min-slow 1", [5943, 5866, 77, 46, 29], "latency 28, probe_slow 29, recovered 46, retry 75, spike 2, stall 16"),
    (KUCOIN, "--window-len 200 --window-age 0 --threshold 1s --stall-limit 5s --probe-timeout 10s", [5943, 5921, 22, 19, 2], "latency 2, probe_slow 2, recovered 19, retry 21, stall 17"),
    (KUCOIN, "--window-len 200 --window-age 0 --threshold 3s --stall-limit 15s --probe-timeout 30s", [5943, 5918, 25, 19, 2], "latency 2, probe_slow 2, recovered 19, retry 21, stall 17"),
    (SPOT, "", [13191, 13191, 0, 0, 0], ""),
    (SPOT, "--threshold 50ms", [13191, 13191, 0, 0, 0], ""),
    (SPOT, "--threshold 10ms --quantile 0.999", [13191, 13151, 40, 1, 0], "latency 1, recovered 1, retry 1"),
    (SPOT, "--threshold 10ms --start half-open", [13191, 13190, 1, 0, 0], "recovered 1"),
    (FUTURES, "", [74655, 74655, 0, 0, 0], ""),
    (FUTURES, "--start half-open", [74655, 74629, 26, 0, 0], "recovered 1"),
    (FUTURES, "--threshold 50ms", [74655, 74118, 537, 1, 0], "latency 1, recovered 1, retry 1"),
    (FUTURES, "--threshold 50ms --min-samples 100 --min-slow 1", [74655, 73986, 669, 2, 0], "latency 2, recovered 2, retry 2"),
    (FUTURES, "--threshold 50ms --shadow", [74655, 74655, 0, 1, 0], "latency 1, recovered 1, retry 1"),
    (FUTURES, "--threshold 50ms --shadow --min-samples 100 --min-slow 1", [74655, 74655, 0, 2, 0], "latency 2, recovered 2, retry 2"),
    (FUTURES, "--threshold 50ms --sample-every 8", [74655, 74119, 536, 1, 0], "recovered 1, retry 1, spike 1"),
    (FUTURES, "--threshold 50ms --sample-every 8 --min-samples 100 --min-slow 1", [74655, 74023, 632, 2, 0], "latency 1, recovered 2, retry 2, spike 1"),
    (FUTURES, "--threshold 20ms --window-len 128 --quantile 0.9", [74655, 8342, 66313, 10, 0], "latency 6, recovered 10, retry 10, spike 4"),
    (LONDON, "--debt-limit 6", [1404, 342, 1062, 1, 337], "probe_slow 337, retry 337, spike 1"),
    (OSAKA, "--debt-limit 6", [3915, 3915, 0, 0, 0], ""),
    (GATE, "--debt-limit 6", [1946, 1946, 0, 0, 0], ""),
    (TOKYO, "--debt-limit 6", [1944, 1944, 0, 0, 0], ""),
    (SEOUL, "--debt-limit 6", [1947, 1946, 1, 1, 1], "probe_slow 1, recovered 1, retry 2, stall 1"),
    (KUCOIN, "--debt-limit 6", [5943, 5887, 56, 21, 19], "latency 1, probe_slow 19, recovered 21, retry 40, spike 2, stall 18"),
    (SPOT, "--debt-limit 6", [13191, 13191, 0, 0, 0], ""),
    (FUTURES, "--debt-limit 6", [74655, 74655, 0, 0, 0], ""),
    (KUCOIN, "--window-age 10m --debt-limit 6", [5943, 5868, 75, 21, 27], "latency 3, probe_slow 27, recovered 21, retry 48, spike 1, stall 17"),
    (FUTURES, "--threshold 50ms --debt-limit 6", [74655, 74087, 568, 1, 0], "latency 1, recovered 1, retry 1"),
    (FUTURES, "--threshold 50ms --debt-limit 20", [74655, 74119, 536, 1, 0], "latency 1, recovered 1, retry 1"),
    (FUTURES, "--threshold 20ms --debt-limit 6 --quantile 0.9", [74655, 8282, 66373, 10, 0], "latency 10, recovered 10, retry 10"),
];

fn missing() -> bool {
    let missing = !Path::new(TRACES).is_dir();
    if missing {
        harness::skip(&format!("no recorded traces at {TRACES}"));
    }
    missing
}

/// The transitions, and the summary.
fn replay(trace: &str, options: &str) -> (Vec<Value>, Value) {
    let output = Command::new(env!("CARGO_BIN_EXE_trip99"))
        .args(["replay", &format!("{TRACES}/{trace}"), "--format", "json"])
        .args(options.split_whitespace())
        .output()
        .expect("the command starts");
    assert!(output.status.success(), "{trace} {options}: {output:?}");
    let [text, warnings] = [output.stdout, output.stderr].map(|text| String::from_utf8(text).expect("output is UTF-8"));
    // Orders that are minutes apart never are enough for a verdict. Many of these nodes are slow, by the default settings and by others.
    let deserved = [
        "was never possible: ",
        " trials in a row, all would be good with a chance of ",
        ": the log ends in an outage ",
    ];
    let is_deserved = |line: &str| deserved.iter().any(|part| line.contains(part));
    assert!(warnings.lines().all(is_deserved), "{trace} {options}: {warnings}");
    let line = |line| serde_json::from_str(line).expect("a line is JSON");
    let mut lines: Vec<Value> = text.lines().map(line).collect();
    let summary = lines.pop().expect("a summary is last");
    lines.retain(|line| line["warnings"].is_null());
    (lines, summary)
}

fn number(line: &Value, key: &str) -> u64 {
    line[key].as_u64().expect(key)
}

/// Start and latency of each call; no latency if it never came back.
fn calls(trace: &str) -> Vec<(u64, Option<u64>)> {
    let text = fs::read_to_string(format!("{TRACES}/{trace}")).expect("the trace is read");
    let call = |line: &str| {
        let mut fields = line.split(',').map(|field| field.parse().ok());
        (fields.next().flatten().expect("a start"), fields.next().flatten())
    };
    text.lines().skip(1).map(call).collect()
}

fn counts_are_pinned(folder: &str) {
    assert!(CASES.iter().any(|(trace, ..)| trace.starts_with(folder)), "no case of {folder}");
    for (trace, options, counts, reasons) in CASES.iter().filter(|(trace, ..)| trace.starts_with(folder)) {
        let (transitions, summary) = replay(trace, options);
        let summary = ["asked", "allowed", "refused", "trips", "reopens"].map(|key| number(&summary, key));
        let mut by_reason = BTreeMap::new();
        for transition in &transitions {
            *by_reason.entry(transition["reason"].as_str().expect("a name")).or_insert(0) += 1;
        }
        let by_reason: Vec<String> = by_reason.iter().map(|(reason, count)| format!("{reason} {count}")).collect();
        assert_eq!((summary, by_reason.join(", ").as_str()), (*counts, *reasons), "{trace} {options}");
    }
}

fn counts_of_orders() {
    if !missing() {
        counts_are_pinned("orders/");
    }
}

fn counts_of_feeds() {
    if !missing() {
        counts_are_pinned("feeds/");
    }
}

fn stall_sees_the_orders_that_never_came_back() {
    if missing() {
        return;
    }
    let lost: BTreeSet<u64> = calls(KUCOIN)
        .into_iter()
        .filter(|(_, latency_ns)| latency_ns.is_none())
        .map(|(start_ns, _)| start_ns)
        .collect();
    assert_eq!(lost.len(), 29);
    // Each trip comes 1 s, the limit, after the start of such an order. Some are sent while the breaker isn't closed.
    let (transitions, summary) = replay(KUCOIN, "--spike-count 0");
    assert_eq!(number(&summary, "trips"), 19);
    for trip in transitions.iter().filter(|transition| transition["from"] == "closed") {
        assert_eq!(trip["reason"], "stall");
        assert!(lost.contains(&(number(trip, "t_ns") - 1_000_000_000)), "{trip}");
    }
    // No other rule sees any of them, unless a verdict takes fewer samples.
    let (transitions, summary) = replay(KUCOIN, "--spike-count 0 --stall-limit 0 --min-samples 100");
    assert_eq!((transitions.len(), number(&summary, "allowed")), (0, 5943));
}

fn a_count_window_and_a_tight_threshold_pause_good_links_for_long() {
    if missing() {
        return;
    }
    const HOUR_NS: u64 = 3_600_000_000_000;
    for trace in [OSAKA, GATE, TOKYO, SEOUL] {
        let calls = calls(trace);
        let slow = calls.iter().filter(|(_, latency_ns)| latency_ns.is_none_or(|ns| ns > 200_000_000)).count();
        assert!((2..=8).contains(&(slow * 100 / calls.len())), "{trace}: {slow} are slow");
        let paused_ns = |threshold: &str| {
            let (_, summary) = replay(trace, &format!("{COUNT_WINDOW} --threshold {threshold}"));
            number(&summary, "open_ns") + number(&summary, "half_open_ns")
        };
        assert!(paused_ns("200ms") > HOUR_NS, "{trace}");
        assert!(paused_ns("1s --stall-limit 5s --probe-timeout 10s") < HOUR_NS / 4, "{trace}");
    }
}

fn the_least_delay_of_a_feed_is_its_zero() {
    if missing() {
        return;
    }
    for trace in [SPOT, FUTURES] {
        let least_ns = calls(trace).into_iter().map(|(_, latency_ns)| latency_ns.expect("it arrived")).min();
        assert_eq!(least_ns, Some(0), "{trace}");
    }
}

fn main() -> ExitCode {
    harness::run(&[
        ("counts_of_orders", counts_of_orders),
        ("counts_of_feeds", counts_of_feeds),
        ("stall_sees_the_orders_that_never_came_back", stall_sees_the_orders_that_never_came_back),
        (
            "a_count_window_and_a_tight_threshold_pause_good_links_for_long",
            a_count_window_and_a_tight_threshold_pause_good_links_for_long,
        ),
        ("the_least_delay_of_a_feed_is_its_zero", the_least_delay_of_a_feed_is_its_zero),
    ])
}
