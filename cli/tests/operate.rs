//! The operators' commands as processes, on pages that the tests own, or processes of theirs.

mod common;
mod pages;

use pages::{Follower, Owner, Place, SECOND, config, fails, json, ok, refused, trip99};
use serde_json::Value;
use std::fs;
use std::os::unix::fs::FileExt;
use std::time::{Duration, Instant};
use trip99::{Breaker, Gate, State};

/// Not a test but, in a process of its own, an owner: it asks all the time, and tells when the answer changes.
#[test]
fn owner() {
    pages::own();
}

/// A breaker that tripped a moment ago, and has asked since.
fn tripped(place: &Place) -> Breaker {
    let mut breaker = Breaker::create_shared(&place.path, config(), trip99::Start::Closed).unwrap();
    for latency_ns in 1..=99 {
        breaker.record_at(SECOND, latency_ns * 1_000_000);
    }
    breaker.record_at(SECOND, SECOND);
    assert!(!breaker.allow_at(SECOND));
    assert_eq!(breaker.state(), State::Open);
    breaker.halt_at(SECOND, "");
    breaker.resume_at(SECOND, "");
    breaker
}

/// The text of the line with this name.
fn line<'a>(out: &'a str, name: &str) -> &'a str {
    let mut lines = out.lines().filter_map(|line| line.trim_start().strip_prefix(name));
    lines.next().unwrap_or_else(|| panic!("{name} in\n{out}")).trim()
}

#[test]
fn status_shows_a_page_by_name_and_by_path() {
    for place in [Place::named("status"), Place::elsewhere("status")] {
        let breaker = tripped(&place);
        let out = ok(&["status", &place.argument()]);
        assert!(out.starts_with(&format!("trip99 status {}\n\n", place.path.display())), "{out}");
        assert!(!out.contains('\x1b') && out.lines().all(|line| line == line.trim_end()), "{out}");
        assert_eq!(line(&out, "state"), "open");
        assert!(line(&out, "since").contains(" ago (20") && out.contains("UTC), by spike"), "{out}");
        assert!(line(&out, "retry").starts_with("in ") || line(&out, "retry") == "due", "{out}");
        assert!(line(&out, "owner").starts_with(&format!("process {}, alive, seen ", std::process::id())), "{out}");
        assert!(line(&out, "memory").contains("locked"));
        assert_eq!(
            (line(&out, "P99"), line(&out, "latency")),
            ("99 ms", "P50 50 ms   P90 90 ms   P99.9 1 s   max 1 s")
        );
        assert_eq!(line(&out, "window"), "100 samples: 1 slow, 0 failed");
        assert_eq!(line(&out, "so far"), "100 recorded, 1 refused, 3 events");
        assert_eq!(line(&out, "left out"), "0 stale, 0 untracked, 0 misused, 0 dropped");
        assert!(!out.contains("halted"), "{out}");

        let page = &json(&["status", &place.argument(), "--format", "json"])[0];
        assert_eq!(page["name"], place.name());
        assert_eq!(page["path"], place.path.to_str().unwrap());
        assert_eq!((&page["state"], &page["halted"]), (&"open".into(), &false.into()));
        assert!(page["error"].is_null() && page["halt_note"].is_null());
        assert_eq!(page["quantiles"]["p99_ns"], 99_000_000);
        assert_eq!(page["owner"]["pid"], std::process::id());
        assert_eq!((&page["owner"]["alive"], &page["owner"]["stopped"]), (&true.into(), &false.into()));
        assert!(page["owner"]["seen_ago_ns"].as_u64() < Some(600 * SECOND));
        let (snapshot, expected) = (&page["snapshot"], breaker.snapshot());
        assert_eq!(snapshot["retry_at_ns"].as_u64(), Some(expected.retry_at_ns));
        assert_eq!(snapshot["recorded"].as_u64(), Some(expected.recorded));
        assert_eq!(snapshot["refused"].as_u64(), Some(expected.refused));
        assert_eq!((&snapshot["samples"], &snapshot["slow"]), (&expected.samples.into(), &expected.slow.into()));
        assert_eq!((&snapshot["state"], &snapshot["armed"]), (&"open".into(), &true.into()));
    }
}

#[test]
fn a_page_that_nothing_has_happened_to_has_no_figures() {
    let place = Place::elsewhere("new");
    let breaker = Breaker::create_shared(&place.path, config(), trip99::Start::Closed).unwrap();
    let out = ok(&["status", &place.argument()]);
    assert_eq!((line(&out, "state"), line(&out, "latency")), ("closed", "no samples"));
    assert_eq!(line(&out, "figures"), "none: the owner has not done anything yet");
    let page = &json(&["status", &place.argument(), "--format", "json"])[0];
    assert!(page["snapshot"].is_null() && page["quantiles"]["p50_ns"].is_null(), "{page}");
    assert!(ok(&["events", &place.argument()]).ends_with("no event\n"));
    assert_eq!(json(&["events", &place.argument(), "--format", "json"]), Vec::<Value>::new());

    drop(breaker);
    let out = ok(&["status", &place.argument()]);
    assert!(line(&out, "owner").contains(", gone, "), "{out}");
}

#[test]
fn ls_shows_every_page_and_why_one_is_refused() {
    let (good, halted, damaged) = (Place::named("ls-a"), Place::named("ls-b"), Place::named("ls-c"));
    let _breakers = [tripped(&good), tripped(&halted)];
    Gate::open(&halted.path).unwrap().halt("closing time");
    fs::write(&damaged.path, [7; 50_000]).unwrap();

    // Others' pages are there, too.
    let out = ok(&["ls"]);
    let row = |place: &Place| {
        let row = out.lines().find_map(|line| line.strip_prefix(&place.name()));
        row.unwrap_or_else(|| panic!("{} in\n{out}", place.name())).split_whitespace().collect::<Vec<_>>().join(" ")
    };
    assert!(out.starts_with("page ") && !out.contains("lock"), "{out}");
    let pid = std::process::id();
    assert!(row(&good).starts_with(&format!("open {pid} alive")), "{}", row(&good));
    assert!(row(&good).ends_with("s 1 of 100 99 ms"), "{}", row(&good));
    assert!(row(&halted).starts_with(&format!("open, halted {pid} alive")), "{}", row(&halted));
    assert_eq!(row(&damaged), "refused: damaged: the magic number");

    let pages = json(&["ls", "--format", "json"]);
    let page = |place: &Place| pages.iter().find(|page| page["name"] == place.name()).unwrap();
    assert_eq!(page(&halted)["halt_note"]["reason"], "closing time");
    assert_eq!(page(&good)["snapshot"]["samples"], 100);
    let fields = |page: &Value| page.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(fields(page(&damaged)), fields(page(&good)));
    assert!(page(&damaged)["error"].as_str().unwrap().ends_with("is damaged: the magic number"));
    assert!(page(&damaged)["state"].is_null());
}

#[test]
fn mistakes_are_told_in_one_line() {
    let place = Place::elsewhere("mistakes");
    drop(Breaker::create_shared(&place.path, config(), trip99::Start::Closed).unwrap());
    let file = fs::OpenOptions::new().write(true).open(&place.path).unwrap();
    let page = &*place.argument();
    let directory = format!("{}/", common::DIRECTORY);

    for command in ["status", "events", "resume"] {
        fails(&[command, "no-such-page"], &["there is no page /dev/shm/trip99-", "no-such-page; legal: a page that"]);
        fails(&[command, "./nowhere/page"], &["there is no page ./nowhere/page; legal: "]);
        fails(&[command, ".hidden"], &["\".hidden\" is no name for a page; legal: ", "or a path"]);
        fails(&[command, ""], &["PAGE", "legal: see trip99 "]);
        fails(&[command, &directory], &[" is not a regular file; legal: "]);
        fails(&[command], &["PAGE", "legal: see trip99 ", command]);
    }
    fails(&["status", page, "--format", "xml"], &["xml", "legal: text or json"]);
    fails(&["halt", "no-such-page", "--reason", "x"], &["there is no page "]);
    fails(&["halt", page], &["--reason", "legal: see trip99 halt --help"]);
    fails(&["halt", page, "--reason", " "], &["--reason is blank; legal: a text of 1 to 216 bytes"]);
    fails(&["halt", page, "--reason", &"x".repeat(217)], &["--reason has 217 bytes; legal: a text of 1 to 216 bytes"]);
    fails(&["ls", page], &["legal: see trip99 ls --help"]);
    assert!(!ok(&["status", page]).contains("halted"), "none of these halts");

    for (offset, bytes, what) in [
        (8, &[9][..], " has layout version 9; known: 2; legal: "),
        (0, b"TRIP", " is damaged: the magic number; legal: "),
    ] {
        file.write_all_at(bytes, offset).unwrap();
        for args in [&["status", page][..], &["events", page], &["events", page, "-f"], &["resume", page]] {
            fails(args, &[page, what]);
        }
        fails(&["halt", page, "--reason", "x"], &[page, what]);
    }
    file.set_len(100).unwrap();
    fails(&["status", page], &[page, " is damaged"]);
}

#[test]
fn a_halt_stops_the_next_call_of_an_owner_in_another_process() {
    let place = Place::named("halt");
    let name = &*place.name();
    let mut owner = Owner::start(&place);
    assert_eq!(owner.said(), "allowed");

    let out = ok(&["halt", name, "--reason", "-5 % on \u{20ac}\nin a minute"]);
    assert!(out.starts_with(&format!("{name} halted\n")) && line(&out, "state") == "closed, halted", "{out}");
    assert_eq!(owner.said(), "refused");
    let out = ok(&["status", name]);
    assert_eq!((line(&out, "state"), line(&out, "reason")), ("closed, halted", "-5 % on \u{20ac} in a minute"));
    assert!(line(&out, "halted").contains(" ago (20") && line(&out, "by").contains(", process "), "{out}");
    let out = ok(&["halt", name, "--reason", "worse"]);
    assert!(out.starts_with(&format!("{name} was halted already")), "{out}");

    let out = ok(&["resume", name]);
    assert!(out.starts_with(&format!("{name} resumed; ")) && out.contains(" had halted it: worse\n"), "{out}");
    assert_eq!((line(&out, "state"), owner.said().as_str()), ("closed", "allowed"));
    assert!(ok(&["resume", name]).contains("was not halted"));

    owner.signal(rustix::process::Signal::STOP);
    let begin = Instant::now();
    while !ok(&["status", name]).contains(", stopped, seen ") {
        assert!(begin.elapsed() < Duration::from_secs(10));
    }
    let (_, out, err) = trip99(&["halt", name, "--reason", "it hangs"]);
    assert!(err.starts_with("warning: the owner is not at work now"), "{out}{err}");
    owner.signal(rustix::process::Signal::CONT);
    assert_eq!(owner.said(), "refused");
    drop(owner);

    // Nobody is there; and it stays for who comes.
    let (status, out, err) = trip99(&["halt", name, "--reason", "it is gone"]);
    assert_eq!(status, Some(0), "{out}{err}");
    assert_eq!(err, "warning: no process owns this page now; the halt stays for the next one that does\n");
    assert!(line(&out, "owner").contains(", gone, "), "{out}");
    let mut owner = Owner::start(&place);
    assert_eq!(owner.said(), "refused");
    assert_eq!(line(&ok(&["status", name]), "reason"), "it is gone");
    ok(&["resume", name]);
    // It was killed, so it comes back open, and recovers by a trial.
    assert_eq!(owner.said(), "allowed");
    drop(owner);
    let (_, _, err) = trip99(&["resume", name]);
    assert!(err.starts_with("warning: no process owns this page now; the next"), "{err}");
}

#[test]
fn a_halt_by_the_owner_itself_is_not_told_as_an_operators() {
    let place = Place::elsewhere("by-owner");
    let page = &*place.argument();
    let mut breaker = Breaker::create_shared(&place.path, config(), trip99::Start::Closed).unwrap();
    breaker.poll();
    breaker.halt("");
    let out = ok(&["status", page]);
    assert!(line(&out, "by").starts_with("the owner itself") && line(&out, "halted").contains(" ago"), "{out}");
    breaker.resume("");
    breaker.halt("position limit");
    assert_eq!(line(&ok(&["status", page]), "reason"), "position limit", "the owner says why");
    breaker.resume("");
    ok(&["halt", page, "--reason", "an operator's"]);
    breaker.poll();
    assert_eq!(line(&ok(&["status", page]), "reason"), "an operator's");
    drop(breaker);
    let mut breaker = Breaker::create_shared(&place.path, config(), trip99::Start::Closed).unwrap();
    breaker.poll();
    assert_eq!(line(&ok(&["status", page]), "reason"), "an operator's", "it outlived a restart");

    // Resumed while nobody was there; then the next owner halts.
    drop(breaker);
    ok_with_warning(&["resume", page]);
    let mut breaker = Breaker::create_shared(&place.path, config(), trip99::Start::Closed).unwrap();
    std::thread::sleep(Duration::from_millis(5));
    breaker.poll();
    breaker.halt("");
    assert!(line(&ok(&["status", page]), "by").starts_with("the owner itself"));
    assert!(json(&["status", page, "--format", "json"])[0]["halt_note"].is_null());
}

fn ok_with_warning(args: &[&str]) {
    let (status, _, err) = trip99(args);
    assert!(status == Some(0) && err.starts_with("warning: "), "{err}");
}

#[test]
fn events_are_a_table_or_json() {
    let place = Place::elsewhere("events");
    let page = &*place.argument();
    let breaker = tripped(&place);
    let out = ok(&["events", page]);
    let rows: Vec<String> = out.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
    assert_eq!(rows[0], format!("trip99 events {page}"));
    assert_eq!(rows[2], "time, UTC change reason quantile slow of samples pause");
    assert!(rows[3].starts_with("20") && rows[3].len() == "2000-01-01".len(), "{out}");
    let without_time = |row: &str| row.split_once(' ').unwrap().1.to_owned();
    assert_eq!(without_time(&rows[4]), "closed → open spike 99 ms 1 of 100 1 s (attempt 0)");
    assert_eq!(without_time(&rows[5]), "open halt 99 ms 1 of 100");
    assert_eq!(without_time(&rows[6]), "open resume 99 ms 1 of 100");
    assert_eq!(rows.len(), 7);

    let events = json(&["events", page, "--format", "json"]);
    assert_eq!(events.len(), 3);
    let expected = breaker.events().next().unwrap();
    assert_eq!(events[0]["sequence"], 0);
    assert_eq!(events[0]["wall_ns"].as_u64(), Some(expected.wall_ns));
    assert_eq!((&events[0]["from"], &events[0]["to"]), (&"closed".into(), &"open".into()));
    assert_eq!((&events[0]["reason"], events[0]["retry_at_ns"].as_u64()), (&"spike".into(), Some(2 * SECOND)));
    assert_eq!((&events[0]["samples"], &events[0]["failures"]), (&100.into(), &0.into()));
    assert_eq!(events[2]["reason"], "resume");
}

#[test]
fn a_follower_sees_what_happens_restarts_and_what_it_missed() {
    let place = Place::elsewhere("follow");
    let mut breaker = tripped(&place);
    let mut follower = Follower::start(&["events", &place.argument(), "--follow", "--format", "json"]);
    for reason in ["spike", "halt", "resume"] {
        assert_eq!(follower.next()["reason"], reason);
    }
    breaker.poll_at(2 * SECOND);
    let event = follower.next();
    assert_eq!((&event["to"], &event["reason"]), (&"half_open".into(), &"retry".into()));

    drop(breaker);
    let mut breaker = Breaker::create_shared(&place.path, config(), trip99::Start::Closed).unwrap();
    breaker.poll_at(5);
    let event = follower.next();
    assert_eq!((&event["sequence"], &event["reason"]), (&4.into(), &"restart".into()));

    follower.stop();
    for _ in 0..300 {
        breaker.halt_at(6, "");
        breaker.resume_at(6, "");
    }
    follower.signal(rustix::process::Signal::CONT);
    let missed = follower.next();
    assert_eq!(missed["missed"].as_u64(), Some(600 - 256), "{missed}");
    for sequence in 605 - 256..605 {
        assert_eq!(follower.next()["sequence"].as_u64(), Some(sequence));
    }

    assert!(ok(&["events", &place.argument()]).contains("  not kept: 349 earlier events\n"));

    fs::remove_file(&place.path).unwrap();
    assert_eq!(follower.next()["page"], "removed");
    drop(breaker);
    let mut breaker = Breaker::create_shared(&place.path, config(), trip99::Start::Closed).unwrap();
    assert_eq!(follower.next()["page"], "replaced");
    breaker.record_at(1, SECOND);
    let event = follower.next();
    assert_eq!((&event["sequence"], &event["reason"]), (&0.into(), &"spike".into()));

    // One that can't be read.
    drop(breaker);
    let bad = place.path.with_extension("bad");
    fs::write(&bad, [7; 50_000]).unwrap();
    fs::rename(&bad, &place.path).unwrap();
    assert_eq!(follower.next()["page"], "replaced");
    let (status, err) = follower.ended();
    assert_eq!(status, Some(2));
    refused(&err, &["is damaged: the magic number"]);
}

#[test]
fn a_follower_ends_when_nobody_reads_it_though_nothing_happens() {
    let place = Place::elsewhere("pipe");
    let _breaker = tripped(&place);
    let mut follower = Follower::start(&["events", &place.argument(), "-f"]);
    follower.close();
    assert_eq!(follower.ended(), (Some(0), String::new()));

    let follower = Follower::start(&["events", &place.argument(), "-f"]);
    follower.signal(rustix::process::Signal::INT);
    assert_eq!(follower.ended(), (None, String::new()), "the signal ends it");
}
