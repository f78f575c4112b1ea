//! A lab for a test, and what tests ask of it.

use crate::harness::skip;
use serde_json::Value;
use std::ffi::OsString;
use std::path::Path;
use std::process::Output;
use std::time::{Duration, Instant};
use trip99_fleet::ask::Asker;
use trip99_fleet::keys::Key;
use trip99_fleet::lab::{Host, Lab, Plan, Roads, namespace, servers, until};
use trip99_fleet::message::{self, Body, Id, Resume, Taken};
use trip99_fleet::time::monotonic_ns;
use trip99_fleet::trust::Role;

/// Other builds run beside the tests. What is asserted of times is generous; what was measured is printed.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A lab in which every engine trades. `None` where there is no server: then the test is skipped.
pub(crate) fn lab(hosts: usize) -> Option<Lab> {
    lab_with(hosts, Roads::Cuttable, Vec::new())
}

/// One whose hosts have networks of their own. `None` where they can't be made: then the test is skipped.
pub(crate) fn lab_in_namespaces(hosts: usize) -> Option<Lab> {
    match namespace::check() {
        Ok(()) => lab_with(hosts, Roads::Namespaces, Vec::new()),
        Err(why) => {
            skip(&format!("no network namespaces: {why}; legal: root, and iproute2"));
            None
        }
    }
}

/// Whether the long tests are to run.
pub(crate) fn is_long() -> bool {
    let is_long = std::env::var_os("TRIP99_FLEET_LONG").is_some();
    if !is_long {
        skip("long; it runs if TRIP99_FLEET_LONG is set");
    }
    is_long
}

/// One with this in the environment of its agents.
pub(crate) fn lab_with(hosts: usize, roads: Roads, agent_env: Vec<(OsString, OsString)>) -> Option<Lab> {
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
        agent_args: Vec::new(),
        agent_env,
        roads,
    };
    let lab = Lab::begin(plan).unwrap();
    assert!(until(PATIENCE, || lab.hosts.iter().all(all_trade) && lab.is_leased()), "not all trade:\n{}", lab.logs());
    Some(lab)
}

/// While one server is down a halt stops all engines within this (the promise is 1 s; the rest is for a loaded machine).
const STOPPED_WITHIN: Duration = Duration::from_secs(3);

/// A halt stops all, whatever else is known of it.
pub(crate) fn stops_all(lab: &Lab, what: &str) {
    let begin_ns = now_ns();
    let output = lab.halt(&["--all", "--reason", what, "--timeout", "10s"]).unwrap();
    assert!(lab.hosts.iter().all(none_trades), "{what}: {}{}", show(&output), lab.logs());
    let after = passed_after(begin_ns, &lab.hosts);
    figure(&format!("{what}: halt to last order that passed"), after);
    assert!(after <= STOPPED_WITHIN, "{what}: {after:?}");
}

/// Resumes, as often as it takes: there may be no leader for a while.
pub(crate) fn resumes(lab: &Lab, what: &str) {
    let is_over = |output: &Output| output.status.success() || show(output).contains("no halt of the fleet to lift");
    let begin_ns = now_ns();
    let mut said = String::new();
    let is_resumed = until(PATIENCE, || {
        let output = lab.resume(&["--all", "--yes", "--reason", what, "--timeout", "2s"]).unwrap();
        said = show(&output);
        is_over(&output)
    });
    assert!(is_resumed, "{what}: {said}{}", lab.logs());
    wait(lab, what, || lab.hosts.iter().all(all_trade));
    figure(&format!("{what}: resume to all trade"), Duration::from_nanos(now_ns() - begin_ns));
}

/// Says something as a member, by a fleet's file as it has it, and returns what a governor did with it.
pub(crate) fn say_as(lab: &Lab, fleet: &Path, role: Role, name: &str, subject: &str, text: &str) -> Option<Taken> {
    let key = lab.key(role, name);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut asker = Asker::connect(fleet, &key, &[role]).await.unwrap();
        let mut taken = None;
        asker
            .gather(subject, &text.to_owned().into(), Duration::from_millis(1500), |_, opened| {
                if let Body::Taken(found) = opened.body {
                    taken = Some(found);
                }
                taken.is_some()
            })
            .await;
        taken
    })
}

pub(crate) fn say(lab: &Lab, role: Role, name: &str, subject: &str, text: &str) -> Option<Taken> {
    say_as(lab, &lab.fleet(), role, name, subject, text)
}

/// The bucket, and its latest line.
pub(crate) fn lines(lab: &Lab) -> (String, u64) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut asker = Asker::connect(&lab.fleet(), &lab.key(Role::Resumer, "bob"), &[Role::Resumer]).await.unwrap();
        let records = asker.lines(Duration::from_secs(3)).await.unwrap();
        (records.bucket, records.revision)
    })
}

pub(crate) fn sealed(key: &Path, resume: &Resume) -> String {
    message::seal(&Key::read(key).unwrap(), "lab", &Body::Resume(resume.clone())).unwrap()
}

/// Halts all, and returns the halt's id.
pub(crate) fn halt(lab: &Lab) -> Id {
    let (status, value) = json(&lab.halt(&["--all", "--reason", "x", "--format", "json"]).unwrap());
    assert_eq!(status, 0, "{value:#}");
    Id::try_from(value["id"].as_str().unwrap().to_owned()).unwrap()
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
