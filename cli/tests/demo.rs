//! The demo as a process: that it shows what it promises, leaves a trace, and can be watched and halted from outside.

mod common;
mod pages;
use common::{DIRECTORY, finish, json, run, start};
use pages::{Follower, Place, ok};
use serde_json::Value;
use std::fs;
use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

/// The node's address, as the output says near its beginning.
fn node(out: impl BufRead) -> SocketAddr {
    let address = |line: String| line.split_whitespace().find_map(|word| word.parse().ok());
    out.lines().map_while(Result::ok).find_map(address).expect("the output names an address")
}

fn is_gone(node: SocketAddr) -> bool {
    TcpStream::connect(node).is_err()
}

/// The page of a demo that is trading, as `trip99 status` shows it.
fn trading(page: &str) -> Value {
    let begin = Instant::now();
    loop {
        let (_, out, _) = pages::trip99(&["status", page, "--format", "json"]);
        let page = serde_json::from_str::<Value>(&out).unwrap_or_default();
        if page["state"] == "closed" && page["halted"] == false && page["snapshot"]["samples"].as_u64() > Some(0) {
            return page;
        }
        assert!(begin.elapsed() < Duration::from_secs(20), "{out}");
        thread::sleep(Duration::from_millis(10));
    }
}

/// Halts the demo and resumes it, while it trades.
fn operate(page: &str, demo: u32) {
    let before = trading(page);
    assert_eq!((&before["owner"]["pid"], &before["owner"]["alive"]), (&demo.into(), &true.into()), "{before}");
    ok(&["halt", page, "--reason", "to see what it does"]);
    let halted = || -> Value {
        let out = ok(&["status", page, "--format", "json"]);
        serde_json::from_str(&out).unwrap()
    };
    let (begin, first) = (Instant::now(), halted());
    assert_eq!((&first["halted"], &first["halt_note"]["reason"]), (&true.into(), &"to see what it does".into()));
    // Orders are wanted all the time.
    let refused = |page: &Value| page["snapshot"]["refused"].as_u64().unwrap();
    while refused(&halted()) < refused(&first) + 100 {
        assert!(begin.elapsed() < Duration::from_secs(20), "{}", halted());
    }
    let last = halted();
    assert_eq!((&last["state"], &last["halted"]), (&"closed".into(), &true.into()), "{last}");
    ok(&["resume", page, "--reason", "it was seen"]);
    trading(page);
}

#[test]
fn each_trouble_pauses_trading_and_the_trace_replays() {
    let begin = Instant::now();
    let place = Place::named("demo");
    let page = &*place.name();
    let demo = start(&format!("demo --trace demo.csv --page {page}"));
    operate(page, demo.id());
    let mut follower = Follower::start(&["events", page, "--follow", "--format", "json"]);
    let (status, out, err) = finish(demo, "");
    assert_eq!((status, err.as_str()), (Some(0), ""), "{out}");
    assert!(is_gone(node(out.as_bytes())), "{out}");
    assert!(!out.contains('\x1b'), "{out}");
    // Much longer than it takes, much shorter than the phases' limits.
    assert!(begin.elapsed() < Duration::from_secs(40), "{:?}", begin.elapsed());

    let line = |words: &[&str]| {
        let mut lines = out.lines().filter(|line| words.iter().all(|word| line.contains(word)));
        lines.next().unwrap_or_else(|| panic!("{words:?} in\n{out}")).to_owned()
    };
    // How each trouble was noticed, by the summary.
    let reasons = ["slow answers", "no answers", "connection lost"].map(|title| {
        line(&["node: ", title]);
        let summary = out.lines().find(|line| line.trim_start().starts_with(title));
        let summary = summary.unwrap_or_else(|| panic!("{title} in\n{out}"));
        assert!(!summary.contains("never"), "{summary}");
        let mut reasons = ["latency", "failure_rate", "consecutive_failures", "spike", "stall"].into_iter();
        reasons.find(|reason| summary.split(' ').any(|word| word == *reason)).expect(summary)
    });
    line(&["closed", "half_open"]);

    // Who followed the page saw the same.
    line(&[&format!("status {page}")]);
    line(&["halted ", "once, ", "by an operator"]);
    let events = pages::json(&["events", page, "--format", "json"]);
    events.iter().for_each(|event| assert_eq!(&follower.next(), event));
    let mut changes = events.iter().filter(|event| event["from"] != event["to"]);
    assert!(out.contains('→') && changes.clone().next().is_some(), "{out}");
    for line in out.lines().filter(|line| line.contains('→')) {
        let event = changes.next().expect(line);
        ["from", "to", "reason"]
            .iter()
            .for_each(|name| assert!(line.contains(event[name].as_str().unwrap()), "{event}"));
    }
    let after = ok(&["status", page]);
    assert!(after.contains(", gone, ") && !after.contains("halted"), "{after}");
    line(&[" P99 ", " sent ", " refused ", " resting ", " in flight "]);

    // Every order sent has its row, and an end.
    let numbers = |line: &str| -> Vec<u64> {
        let digits = line.replace(|letter: char| !letter.is_ascii_digit() && letter != ' ', "|");
        let joined = digits.split('|').map(|number| number.replace(' ', ""));
        joined.filter(|number| !number.is_empty()).map(|number| number.parse().unwrap()).collect()
    };
    let &[sent, answered, failed, unanswered] = &numbers(&line(&["orders ", "sent:"]))[..] else { panic!("{out}") };
    assert_eq!(sent, answered + failed + unanswered, "{out}");
    let trace = fs::read_to_string(Path::new(DIRECTORY).join("demo.csv")).unwrap();
    assert!(trace.starts_with("start_ns,latency_ns,ok,kind\n0,"), "{}", &trace[..60]);
    let rows = |part: &str| trace.lines().filter(|row| row.contains(part)).count() as u64;
    assert!(rows(",,") >= unanswered);
    let cancels = numbers(&line(&["cancels ", "sent, "]))[0];
    assert_eq!((rows(",ask"), rows(",free")), (sent, cancels), "{out}");

    let replay = line(&["trip99 replay demo.csv "]);
    let (_, options) = replay.split_once("demo.csv ").unwrap();
    let replayed = json(options, &trace);
    let lines: Vec<Value> = replayed.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let summary = lines.last().unwrap();
    assert!(summary["trips"].as_u64() >= Some(3), "{replayed}");
    assert_eq!(summary["state"], "closed", "{replayed}");
    let counts = ["asked", "free", "lost"].map(|name| summary[name].as_u64().unwrap());
    assert_eq!(counts[..2], [sent, cancels], "{replayed}");
    assert!(counts[2] > 0, "{replayed}");
    for reason in reasons {
        let is_trip = |line: &&Value| line["from"] == "closed" && line["reason"] == reason;
        assert!(lines.iter().any(|line| is_trip(&line)), "{reason} in\n{replayed}");
    }
}

#[test]
fn the_node_does_not_outlive_a_demo_that_is_killed() {
    let mut demo = start("demo --trace killed.csv");
    let mut out = BufReader::new(demo.stdout.take().unwrap());
    let node = node(&mut out);
    assert!(!is_gone(node), "{node}");
    demo.kill().unwrap();
    demo.wait().unwrap();
    let begin = Instant::now();
    while !is_gone(node) {
        assert!(begin.elapsed() < Duration::from_secs(20), "the node at {node} is still there");
        thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_reader_who_has_had_enough_ends_it() {
    let mut demo = start("demo --trace enough.csv");
    let node = node(BufReader::new(demo.stdout.take().unwrap()));
    let (status, err) = (demo.wait().unwrap(), std::io::read_to_string(demo.stderr.take().unwrap()).unwrap());
    assert_eq!((status.code(), err.as_str()), (Some(0), ""));
    assert!(is_gone(node));
}

#[test]
fn mistakes_are_found_before_it_begins() {
    common::fails("demo --trace no/such/directory/t.csv", "", &["no/such/directory/t.csv", "legal: "]);
    common::fails("demo --traces t.csv", "", &["--traces", "legal: "]);
    common::fails("demo --page no/such/page", "", &["no/such/", "legal: --page "]);
    common::fails("demo --page .hidden", "", &["\".hidden\" is no name", "legal: "]);
    let place = Place::elsewhere("owned");
    let _owner = place.breaker(trip99::Start::Closed);
    let owned = format!("is owned by process {}; legal: ", std::process::id());
    common::fails(&format!("demo --page {}", place.argument()), "", &[&owned]);
    common::fails("demo now", "", &["now", "legal: see trip99 demo --help"]);
    let help = run("--help", "");
    assert!(help.contains("demo") && !help.contains("demo-node"), "{help}");
    assert!(run("demo --help", "").contains("--trace"));
}
