//! Settings made of the first half of recorded logs, judged by the second half, where there are such logs. The judge is as simple as it can
//! be. Has a harness of its own, which tells those that passed from those that were skipped.

#[path = "../../tests/harness/mod.rs"]
mod harness;

use serde_json::Value;
use std::fs;
use std::path::Path;
use std::process::{Command, ExitCode};

const TRACES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/data");

const ORDERS: [&str; 6] = [
    "orders/binance_aws_3_London.csv",
    "orders/binance_aws_asia_2_Osaka.csv",
    "orders/gate_io_aws_1_Tokyo.csv",
    "orders/htx_aws_1_Tokyo.csv",
    "orders/htx_aws_3_Seoul.csv",
    "orders/kucoin_ordinary.csv",
];
const FEEDS: [&str; 2] = ["feeds/feed_spot_btcusdt_20240809.csv", "feeds/feed_usdm_ethusdt_20240808.csv"];

const S: u64 = 1_000_000_000;

fn trip99(args: &[&str]) -> Vec<Value> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_trip99"));
    let output = command.current_dir(env!("CARGO_TARGET_TMPDIR")).args(args).output().expect("the command starts");
    assert_eq!(output.status.code(), Some(0), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).expect("output is UTF-8");
    text.lines().map(|line| serde_json::from_str(line).expect("each line is an object")).collect()
}

/// What came of one log.
struct Judged {
    /// When the second half would have tripped falsely.
    false_trips: Vec<u64>,
    outages: usize,
    noticed: usize,
    /// The median number of calls until a link that is five times slower is noticed.
    five_times: Option<u64>,
}

fn judge(name: &str) -> Judged {
    let text = fs::read_to_string(Path::new(TRACES).join(name)).expect("the log is there");
    let lines: Vec<&str> = text.lines().collect();
    let (head, rows) = lines.split_first().expect("there is a header");
    let call = |row: &&str| {
        let mut fields = row.split(',').map(|field| field.parse::<u64>().ok());
        (fields.next().flatten().expect("a start"), fields.next().flatten())
    };
    let (first, second) = rows.split_at(rows.len() / 2);
    let file = |half: &str, rows: &[&str]| {
        let file = format!("{}-{half}.csv", name.replace('/', "-"));
        let text = [&[*head], rows].concat().join("\n") + "\n";
        fs::write(Path::new(env!("CARGO_TARGET_TMPDIR")).join(&file), text).expect("the half is written");
        file
    };
    let (tuned_by, judged_by, toml) = (file("first", first), file("second", second), name.replace('/', "-") + ".toml");
    let found = trip99(&["tune", &tuned_by, "--out", &toml, "--format", "json"]).remove(0);
    let lines = trip99(&["replay", &judged_by, "--config", &toml, "--format", "json"]);
    let trips = lines.iter().filter(|line| line["from"] == "closed").filter_map(|line| line["t_ns"].as_u64());
    let trips: Vec<u64> = trips.collect();

    let mut latencies: Vec<u64> = rows.iter().filter_map(|row| call(row).1).collect();
    latencies.sort_unstable();
    let limit_ns = S.max(5 * latencies[latencies.len() / 2]);
    let mut outages: Vec<(u64, u64)> = Vec::new();
    for (start_ns, latency_ns) in second.iter().map(call) {
        if latency_ns.is_none_or(|latency_ns| latency_ns > limit_ns) {
            let end_ns = start_ns + latency_ns.unwrap_or(0);
            match outages.last_mut() {
                Some(last) if start_ns.saturating_sub(last.1) <= 600 * S => last.1 = last.1.max(end_ns),
                _ => outages.push((start_ns, end_ns)),
            }
        }
    }
    let is_due = |trip: u64, outage: &(u64, u64)| outage.0 <= trip && trip <= outage.1 + 60 * S;
    Judged {
        false_trips: trips.iter().copied().filter(|&trip| !outages.iter().any(|outage| is_due(trip, outage))).collect(),
        noticed: outages.iter().filter(|outage| trips.iter().any(|&trip| is_due(trip, outage))).count(),
        outages: outages.len(),
        five_times: found["faults"][0]["calls"].as_u64(),
    }
}

fn judged(names: &[&str]) -> Vec<Judged> {
    let judged = names.iter().map(|name| {
        let judged = judge(name);
        println!(
            "{name}: {} false, {} of {} outages noticed, five times slower after {:?} calls",
            judged.false_trips.len(),
            judged.noticed,
            judged.outages,
            judged.five_times
        );
        judged
    });
    judged.collect()
}

/// One false trip of the two of KuCoin's begins a second before its outage.
fn orders() {
    if missing() {
        return;
    }
    let judged = judged(&ORDERS);
    assert!(judged.iter().map(|log| log.false_trips.len()).sum::<usize>() <= 3);
    assert!(judged.iter().all(|log| log.noticed == log.outages));
    assert!(judged.iter().map(|log| log.outages).sum::<usize>() > 5);
    let mut calls: Vec<u64> = judged.iter().map(|log| log.five_times.unwrap_or(u64::MAX)).collect();
    calls.sort_unstable();
    assert!((calls[2] + calls[3]) / 2 <= 10, "{calls:?}");
}

/// The second half of the futures' feed has five times the slow messages of the first.
fn feeds() {
    if missing() {
        return;
    }
    let judged = judged(&FEEDS);
    assert!(judged.iter().map(|log| log.false_trips.len()).sum::<usize>() <= 9);
    assert!(judged.iter().all(|log| log.noticed == log.outages));
}

/// Whether there are no recorded logs. Then the test is skipped.
fn missing() -> bool {
    let is_there = Path::new(TRACES).is_dir();
    if !is_there {
        harness::skip("no recorded logs");
    }
    !is_there
}

fn main() -> ExitCode {
    harness::run(&[("orders", orders), ("feeds", feeds)])
}
