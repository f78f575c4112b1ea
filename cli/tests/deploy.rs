//! What is in `deploy/`: alert rules, the board and the units, in the programs that they are for; and a shift with all of it. Has a harness of its
//! own, as those programs may not be there: then the tests are skipped, unless `TRIP99_DEPLOY` is `needed`.

mod common;
#[path = "../../tests/harness/mod.rs"]
mod harness;
mod pages;
mod prometheus;
mod scrape;
mod shift;
mod terminal;

use common::{scratch, wait_for};
use pages::config;
use prometheus::{Prometheus, has, root};
use scrape::{Exporter, Folder};
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;
use std::io::{Read, Write};
use std::path::Path;
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::atomic::{AtomicU8, Ordering};
use std::thread;
use std::time::{Duration, Instant};
use trip99::{Breaker, Config, Gate};

fn main() -> ExitCode {
    if shift::engine::own() {
        return ExitCode::SUCCESS;
    }
    harness::run(&[
        ("a_board_has_each_id_once_and_no_panel_over_another", a_board_has_each_id_once_and_no_panel_over_another),
        ("each_alert_is_tested_and_explained", each_alert_is_tested_and_explained),
        ("promtool_takes_rules_and_metrics", promtool_takes_rules_and_metrics),
        ("each_expression_answers_in_a_real_prometheus", each_expression_answers_in_a_real_prometheus),
        ("systemd_takes_the_units", systemd_takes_the_units),
        ("the_exporters_unit_starts_it", the_exporters_unit_starts_it),
        ("the_tool_is_installed_with_all_that_it_needs", the_tool_is_installed_with_all_that_it_needs),
        ("a_shift_is_worked_and_recorded", shift::a_shift_is_worked_and_recorded),
    ])
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Runs it in `deploy/`, with this text as its input: it has to succeed.
fn succeeds(command: &mut Command, input: &str) -> String {
    command.current_dir(root().join("deploy")).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {said}");
    said.into_owned()
}

fn board() -> Value {
    serde_json::from_str(&read("deploy/grafana.json")).unwrap()
}

fn panels(board: &Value) -> &Vec<Value> {
    board["panels"].as_array().unwrap()
}

fn a_board_has_each_id_once_and_no_panel_over_another() {
    let board = board();
    let (mut ids, mut taken) = (BTreeSet::new(), BTreeSet::new());
    for panel in panels(&board) {
        assert!(ids.insert(panel["id"].as_u64().unwrap()), "{}", panel["title"]);
        let [x, y, w, h] = ["x", "y", "w", "h"].map(|side| panel["gridPos"][side].as_u64().unwrap());
        assert!(w > 0 && h > 0 && x + w <= 24, "{}", panel["title"]);
        for (x, y) in (x..x + w).flat_map(|x| (y..y + h).map(move |y| (x, y))) {
            assert!(taken.insert((x, y)), "{} lies over another at {x}, {y}", panel["title"]);
        }
        assert!(!panel["description"].as_str().unwrap().is_empty() && !panel["title"].as_str().unwrap().is_empty());
        assert!(!panel["targets"].as_array().unwrap().is_empty(), "{}", panel["title"]);
    }
    assert_eq!(board["__inputs"][0]["name"], "DS_PROMETHEUS");
    assert!(ids.len() > 20);
}

fn each_alert_is_tested_and_explained() {
    let (rules, tests, docs) = (read("deploy/alerts.yml"), read("deploy/alerts_test.yml"), read("docs/operate.md"));
    let alerts: Vec<&str> = rules.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")).collect();
    assert_eq!(alerts.iter().collect::<BTreeSet<_>>().len(), 16);
    for (alert, rule) in alerts.iter().zip(rules.split("- alert: ").skip(1)) {
        for field in ["severity: ", "summary: ", "action: ", "expr: "] {
            assert_eq!(rule.matches(field).count(), 1, "{alert}: {field}");
        }
        assert!(rule.contains(&format!("docs/operate.md#{}\n", alert.to_lowercase())), "{alert}");
        assert!(tests.contains(&format!("alertname=\"{alert}\",alertstate=\"firing\",")), "{alert}");
        assert!(docs.contains(&format!("\n### {alert}\n")), "{alert}");
    }
    // Each command that rules and docs name is one that there is.
    let help = pages::ok(&["--help"]);
    let shown: String = docs.split("```console").skip(1).filter_map(|rest| rest.split("```").next()).collect();
    let inline = docs.split('`').filter(|code| code.starts_with("trip99 ")).collect::<Vec<_>>().join(" ");
    let named = [&*rules, &*shown, &*inline].concat();
    let commands = named.split("trip99 ").skip(1);
    let commands = commands.map(|rest| rest.split(|c: char| !c.is_ascii_lowercase()).next().unwrap());
    for command in commands.filter(|command| !command.is_empty()) {
        assert!(help.contains(&format!("\n  {command} ")) || command == "top", "{command}");
    }
}

fn promtool_takes_rules_and_metrics() {
    if !has("promtool") {
        return;
    }
    succeeds(Command::new("promtool").args(["check", "rules", "alerts.yml"]), "");
    succeeds(Command::new("promtool").args(["test", "rules", "alerts_test.yml"]), "");
    let live = Live::start();
    live.trip();
    let (_, body) = live.exporter.get("/metrics", "*/*");
    for name in
        ["retry_timestamp_seconds", "debt_ratio", "comes_back", "latency_seconds_bucket", "recorder_behind_lines"]
    {
        assert!(body.contains(&format!("\ntrip99_{name}{{")), "{name}");
    }
    let docs = read("docs/operate.md");
    let families = body.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next());
    let unexplained: Vec<_> =
        families.filter(|name| !docs.contains(&format!("`{name}`")) && !docs.contains(&format!("`{name}{{"))).collect();
    assert_eq!(unexplained, [""; 0]);
    let said = succeeds(Command::new("promtool").args(["check", "metrics"]), &body);
    assert_eq!(said, "", "it warns of nothing");
}

/// Breakers at work by the real clock, in all kinds of trouble, and a recorder and an exporter that read their pages.
struct Live {
    exporter: Exporter,
    recorder: Child,
    phase: &'static AtomicU8,
    owner: Option<thread::JoinHandle<()>>,
    _folder: Folder,
}

/// Longer than a test.
const PAUSE_NS: u64 = 600_000_000_000;
const TRIP: u8 = 1;
const END: u8 = 2;

impl Live {
    fn start() -> Self {
        let folder = Folder::new("live");
        let record = scratch().join("record");
        let record = record.to_str().unwrap();
        let recorder = pages::command(&["record", folder.path.to_str().unwrap(), "--to", record])
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        fs::write(folder.page("labels.toml"), "[calm]\ndesk = \"rates\"\n").unwrap();
        drop(folder.breaker("ended", config()));
        let mut calm = folder.breaker("calm", Config { debt_limit: 4, tap_len: 1024, ..config() });
        let mut trips =
            folder.breaker("trips", Config { backoff_base_ns: PAUSE_NS, backoff_max_ns: PAUSE_NS, ..config() });
        for breaker in [&mut calm, &mut trips] {
            breaker.poll();
        }
        Gate::open(folder.page("calm")).unwrap().halt("a test");
        let phase: &'static AtomicU8 = Box::leak(Box::default());
        let owner = thread::spawn(move || own(calm, trips, phase));
        let exporter = Exporter::start(&[folder.path.to_str().unwrap(), "--record", record]);
        let live = Self { exporter, recorder, phase, owner: Some(owner), _folder: folder };
        wait_for("the recorder", || live.exporter.scrape().all("recorder_failing", "") == [0.0]);
        live
    }

    fn trip(&self) {
        self.phase.store(TRIP, Ordering::Relaxed);
        wait_for("the breaker to trip", || {
            let told = self.exporter.scrape();
            told.all("state", "page=trips state=open") == [1.0] && told.all("refused_total", "page=trips") > vec![0.0]
        });
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        self.phase.store(END, Ordering::Relaxed);
        let _ = self.owner.take().map(thread::JoinHandle::join);
        let _ = (self.recorder.kill(), self.recorder.wait());
    }
}

/// What the engine does.
fn own(mut calm: Breaker, mut trips: Breaker, phase: &AtomicU8) {
    calm.set_resting(3);
    let _call = calm.begin();
    while phase.load(Ordering::Relaxed) != END {
        for breaker in [&mut calm, &mut trips] {
            breaker.record(1_000_000);
            let _ = breaker.allow();
            breaker.poll();
        }
        if phase.load(Ordering::Relaxed) == TRIP {
            trips.record(1_000_000_000);
        }
        thread::sleep(Duration::from_millis(5));
    }
}

fn each_expression_answers_in_a_real_prometheus() {
    if !has("prometheus") {
        return;
    }
    let live = Live::start();
    let prometheus = Prometheus::start(&live.exporter);
    prometheus.wait_for_a_past();
    assert!(!prometheus.fires("Trip99Paused", "trips"));
    live.trip();
    let begin = Instant::now();
    wait_for("the alert", || prometheus.fires("Trip99Paused", "trips"));
    println!("a pause was an alert after {:.1} s", begin.elapsed().as_secs_f64());
    assert!(!prometheus.fires("Trip99Paused", "calm"));

    let board = board();
    let targets = panels(&board).iter().flat_map(|panel| panel["targets"].as_array().unwrap());
    let expressions: Vec<&str> = targets.map(|target| target["expr"].as_str().unwrap()).collect();
    for expression in &expressions {
        let filled = expression.replace("$page", ".*").replace("$__rate_interval", "1m");
        assert!(!filled.contains('$'), "{filled}");
        wait_for(expression, || !prometheus.query(&filled).is_empty());
    }
    let pages = prometheus.get("label/page/values").unwrap();
    assert_eq!(pages, serde_json::json!(["calm", "ended", "trips"]));

    let groups = prometheus.get("rules").unwrap();
    let rules: Vec<Value> = groups["groups"][0]["rules"].as_array().unwrap().clone();
    assert_eq!((rules.len(), expressions.len() > 25), (16, true));
    for rule in rules {
        assert_eq!((&rule["health"], rule["lastError"].as_str()), (&"ok".into(), None), "{rule}");
        prometheus.query(rule["query"].as_str().unwrap());
    }
}

/// The units, with this build in place of what is installed.
fn systemd_takes_the_units() {
    if !has("systemd-analyze") {
        return;
    }
    let folder = Path::new(common::DIRECTORY).join(format!("units-{}", std::process::id()));
    fs::create_dir_all(folder.join("engine.service.d")).unwrap();
    let mut units = Vec::new();
    for entry in fs::read_dir(root().join("deploy/systemd")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let text = read(&format!("deploy/systemd/{name}"));
        if !name.ends_with(".service") {
            fs::write(folder.join("engine.service.d").join(&name), text).unwrap();
            continue;
        }
        let program = env!("CARGO_BIN_EXE_trip99");
        let built = text
            .replace("/usr/bin/trip99-fleet ", "/usr/bin/trip99 ")
            .replace("/usr/bin/trip99 ", &format!("{program} "));
        assert_eq!(built.matches(program).count(), 1, "{name}");
        fs::write(folder.join(&name), built).unwrap();
        units.push(folder.join(name));
    }
    assert_eq!(units.len(), 3);
    fs::write(folder.join("engine.service"), "[Service]\nExecStart=/bin/true\n").unwrap();
    let analyze = |arguments: &[&str], unit: &Path| {
        let said = succeeds(Command::new("systemd-analyze").args(arguments).arg(unit), "");
        let of_ours = said.lines().filter(|line| line.contains("trip99") && !line.contains("Overall exposure level"));
        assert_eq!(of_ours.count(), 0, "{said}");
    };
    analyze(&["verify", "--man=no"], &folder.join("engine.service"));
    for unit in &units {
        analyze(&["verify", "--man=no"], unit);
        succeeds(Command::new("systemd-analyze").args(["security", "--offline=true", "--threshold=20"]).arg(unit), "");
    }
    fs::remove_dir_all(folder).unwrap();
}

fn the_exporters_unit_starts_it() {
    let unit = read("deploy/systemd/trip99-exporter.service");
    let start = unit.lines().find_map(|line| line.strip_prefix("ExecStart=/usr/bin/trip99 ")).unwrap();
    assert!(start.contains("--listen 127.0.0.1:9099"));
    let arguments = start.replace(":9099", ":0");
    let arguments: Vec<&str> = arguments.split(' ').collect();
    let mut exporter = pages::command(&arguments).stdout(Stdio::piped()).spawn().unwrap();
    let mut said = [0; 15];
    exporter.stdout.take().unwrap().read_exact(&mut said).unwrap();
    assert_eq!(&said, b"trip99 exporter");
    exporter.kill().and_then(|()| exporter.wait()).unwrap();
}

fn the_tool_is_installed_with_all_that_it_needs() {
    let prefix = Path::new(common::DIRECTORY).join("tool-prefix");
    let _ = fs::remove_dir_all(&prefix);
    let mut install = Command::new(root().join("cmake/install.sh"));
    install
        .args(["--no-libraries", "--tool", env!("CARGO_BIN_EXE_trip99"), "--prefix"])
        .arg(&prefix)
        .env_remove("DESTDIR");
    succeeds(&mut install, "");
    let is_there = |path: &str| prefix.join(path).is_file();
    for path in [
        "bin/trip99",
        "share/bash-completion/completions/trip99",
        "share/zsh/site-functions/_trip99",
        "share/fish/vendor_completions.d/trip99.fish",
        "share/man/man1/trip99.1",
        "share/man/man1/trip99-exporter.1",
        "share/man/man1/trip99-record.1",
        "lib/systemd/system/trip99-exporter.service",
        "lib/sysusers.d/trip99.conf",
        "lib/tmpfiles.d/trip99.conf",
        "share/trip99/trip99-engine.conf",
        "share/trip99/alerts.yml",
        "share/trip99/grafana.json",
    ] {
        assert!(is_there(path), "{path}");
    }
    assert!(!is_there("include/trip99.h"));
    let version = succeeds(Command::new(prefix.join("bin/trip99")).arg("--version"), "");
    assert_eq!(version, format!("trip99 {}\n", env!("CARGO_PKG_VERSION")));
    let unit = fs::read_to_string(prefix.join("lib/systemd/system/trip99-record.service")).unwrap();
    assert!(unit.contains(&format!("\nExecStart={}/bin/trip99 record ", prefix.display())), "{unit}");
}
