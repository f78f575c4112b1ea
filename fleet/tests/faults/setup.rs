//! A lab for a test, and what tests ask of it.

use crate::harness::skip;
use serde_json::Value;
use std::process::Output;
use std::time::{Duration, Instant};
use trip99_fleet::lab::{Host, Lab, Plan, servers, until};
use trip99_fleet::time::monotonic_ns;

/// Other builds run beside the tests. What is asserted of times is generous; what was measured is printed.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A lab in which every engine trades. `None` where there is no server: then the test is skipped.
pub(crate) fn lab(hosts: usize) -> Option<Lab> {
    lab_with(hosts, &[])
}

/// Whether the long tests are to run.
pub(crate) fn is_long() -> bool {
    let is_long = std::env::var_os("TRIP99_FLEET_LONG").is_some();
    if !is_long {
        skip("long; it runs if TRIP99_FLEET_LONG is set");
    }
    is_long
}

pub(crate) fn lab_with(hosts: usize, agent_args: &[&str]) -> Option<Lab> {
    let server = match servers::find() {
        Ok(server) => server,
        Err(why) => {
            skip(&why);
            return None;
        }
    };
    let plan = Plan {
        program: env!("CARGO_BIN_EXE_trip99-fleet").into(),
        server,
        servers: 3,
        governors: 2,
        hosts,
        engines: 4,
        ask_every: Duration::from_millis(1),
        agent_args: agent_args.iter().map(|&arg| arg.to_owned()).collect(),
    };
    let lab = Lab::begin(plan).unwrap();
    assert!(until(PATIENCE, || lab.hosts.iter().all(all_trade) && lab.is_leased()), "not all trade:\n{}", lab.logs());
    Some(lab)
}

pub(crate) fn all_trade(host: &Host) -> bool {
    trading(host).iter().all(|trades| *trades)
}

pub(crate) fn none_trades(host: &Host) -> bool {
    trading(host).iter().all(|trades| !trades)
}

/// Which of a host's engines trade.
pub(crate) fn trading(host: &Host) -> Vec<bool> {
    host.engines.gauges().iter().map(|gauge| gauge.trades()).collect()
}

/// When the last order passed on this host.
pub(crate) fn last_pass_ns(host: &Host) -> u64 {
    host.engines.gauges().iter().map(|gauge| gauge.passed_ns()).max().unwrap()
}

/// No order passes for this long.
pub(crate) fn assert_silent(lab: &Lab, host: &Host, span: Duration) {
    let passed = || host.engines.gauges().iter().map(|gauge| gauge.passed()).sum::<u64>();
    let before = passed();
    std::thread::sleep(span);
    assert_eq!(passed(), before, "orders passed on {}:\n{}", host.name, lab.logs());
}

/// Waits, and returns how long it took.
pub(crate) fn wait(lab: &Lab, what: &str, is_so: impl FnMut() -> bool) -> Duration {
    let begin = Instant::now();
    assert!(until(PATIENCE, is_so), "in vain: {what}\n{}", lab.logs());
    begin.elapsed()
}

/// The exit status, and what was printed as JSON.
pub(crate) fn json(output: &Output) -> (i32, Value) {
    let text = String::from_utf8_lossy(&output.stdout);
    let value = serde_json::from_str(&text)
        .unwrap_or_else(|error| panic!("{error}: {text}{}", String::from_utf8_lossy(&output.stderr)));
    (output.status.code().unwrap_or(-1), value)
}

pub(crate) fn show(output: &Output) -> String {
    format!(
        "{:?} {}{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

/// Prints a figure.
pub(crate) fn figure(what: &str, span: Duration) {
    println!("    {what}: {:.1} ms", span.as_secs_f64() * 1e3);
}

/// How long after a moment the last order passed on these hosts.
pub(crate) fn passed_after<'a>(begin_ns: u64, hosts: impl IntoIterator<Item = &'a Host>) -> Duration {
    let last_ns = hosts.into_iter().map(last_pass_ns).max().unwrap_or(0);
    Duration::from_nanos(last_ns.saturating_sub(begin_ns))
}

pub(crate) fn now_ns() -> u64 {
    monotonic_ns()
}

/// `docs/fleet.md` goes by tests that are there.
pub(crate) fn table() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(root.join("../docs/fleet.md")).unwrap();
    let (_, table) = text.split_once("## What each failure does").unwrap();
    let rows = table.lines().skip_while(|line| !line.starts_with("|---")).skip(1);
    let (mut file, mut tests) = (String::new(), 0);
    for row in rows.take_while(|line| line.starts_with("| ")) {
        for name in row.rsplit('|').nth(1).unwrap().split('`').skip(1).step_by(2) {
            let test = name.split_once(": ").map_or(name, |(named, test)| {
                file = std::fs::read_to_string(root.join("tests/faults").join(named)).unwrap();
                test
            });
            assert!(file.contains(&format!("pub(crate) fn {test}()")), "{row}");
            tests += 1;
        }
    }
    assert!(tests > 10, "{tests}");
}
