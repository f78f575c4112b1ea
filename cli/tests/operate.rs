//! The operators' commands as processes, on pages that the tests own, or processes of theirs.

mod common;
mod pages;

use pages::{Follower, Place, SECOND, fails, json, ok, refused};
use serde_json::Value;
use std::fs;
use std::os::unix::fs::FileExt;
use std::thread;
use std::time::{Duration, Instant};
use trip99::{Breaker, Config, Gate, Start, State};

/// A breaker that tripped a moment ago, and has asked since.
fn tripped(place: &Place) -> Breaker {
    let mut breaker = place.breaker(Start::Closed);
    for latency_ns in 1..=99 {
        breaker.record_at(SECOND, latency_ns * 1_000_000);
    }
    breaker.record_at(SECOND, SECOND);
    assert!(!breaker.allow_at(SECOND));
    assert_eq!(breaker.state(), State::Open);
    breaker.halt_at(SECOND, "");
    breaker.resume_at(SECOND, "");
    breaker.poll_at(SECOND);
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
        assert_eq!(line(&out, "state"), "paused (open)");
        let since = line(&out, "since");
        assert!(
            since.contains(" ago (20") && since.ends_with("UTC), by spike: a call took 1 s, limit 200 ms"),
            "{out}"
        );
        assert!(line(&out, "retry").starts_with("in ") || line(&out, "retry") == "due", "{out}");
        assert!(line(&out, "owner").starts_with(&format!("process {}, alive, seen ", std::process::id())), "{out}");
        assert!(line(&out, "memory").contains("locked"));
        assert_eq!(
            (line(&out, "P99"), line(&out, "latency")),
            ("99 ms, limit 200 ms", "P50 50 ms   P90 90 ms   P99.9 1 s   max 1 s")
        );
        assert_eq!(line(&out, "window"), "100 samples: 1 slow, 0 failed, limit 50 %");
        assert_eq!(line(&out, "so far"), "100 recorded, 1 refused, 4 events");
        assert!(line(&out, "owner").ends_with(", started new"), "{out}");
        assert_eq!(line(&out, "left out"), "0 stale, 0 untracked, 0 misused, 0 dropped");
        assert!(!out.to_lowercase().contains("halted"), "{out}");

        let page = &json(&["status", &place.argument(), "--format", "json"])[0];
        assert_eq!(page["name"], place.name());
        assert_eq!(page["path"], place.path.to_str().unwrap());
        assert_eq!((&page["state"], &page["halted"]), (&"open".into(), &false.into()));
        assert!(page["error"].is_null() && page["halt_note"].is_null() && page["comes_back"].is_null(), "{page}");
        assert_eq!((&page["holders"], &page["unwatched"]), (&Value::Array(Vec::new()), &false.into()));
        assert_eq!((&page["replaced"], &page["started"]), (&false.into(), &"new".into()));
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
    let breaker = place.breaker(Start::Closed);
    let out = ok(&["status", &place.argument()]);
    assert_eq!((line(&out, "state"), line(&out, "latency")), ("trading (closed)", "no samples"));
    assert_eq!(line(&out, "window"), "0 samples: 0 slow, 0 failed, limit 50 %; too few for a verdict, 20 needed");
    let page = &json(&["status", &place.argument(), "--format", "json"])[0];
    assert!(page["quantiles"]["p50_ns"].is_null() && page["resting"].is_null(), "{page}");
    let reasons: Vec<Value> = json(&["events", &place.argument(), "--format", "json"]);
    assert_eq!((reasons.len(), &reasons[0]["reason"]), (1, &"restart".into()));

    drop(breaker);
    let out = ok(&["status", &place.argument()]);
    assert!(line(&out, "owner").contains(", gone, "), "{out}");
    assert_eq!(line(&out, "state"), "no owner (closed)");
    line(&out, "would come back as closed, as the last owner ended cleanly");
    let page = &json(&["status", &place.argument(), "--format", "json"])[0];
    let back = &page["comes_back"];
    assert_eq!((&back["state"], &back["halted"]), (&"closed".into(), &false.into()));
    assert!(back["pause_left_ns"].is_null() && back["holders"] == Value::Array(Vec::new()), "{back}");
}

#[test]
fn ls_shows_every_page_and_why_one_is_refused() {
    let [good, halted, damaged, gone] = ["ls-a", "ls-b", "ls-c", "ls-d"].map(Place::named);
    let _breakers = [tripped(&good), tripped(&halted)];
    Gate::open(&halted.path).unwrap().halt("closing time");
    fs::write(&damaged.path, [7; 50_000]).unwrap();
    drop(tripped(&gone));
    // What outlives memory of its halt is removed by another thread, a moment later.
    let begin = Instant::now();
    while !gone.kept().is_empty() {
        assert!(begin.elapsed() < Duration::from_secs(20), "{:?} are still there", gone.kept());
        thread::sleep(Duration::from_millis(1));
    }

    // Others' pages are there, too.
    let out = ok(&["ls"]);
    let row = |place: &Place| {
        let row = out.lines().find_map(|line| line.strip_prefix(&place.name()));
        row.unwrap_or_else(|| panic!("{} in\n{out}", place.name())).split_whitespace().collect::<Vec<_>>().join(" ")
    };
    assert!(out.starts_with("page ") && !out.contains(".lock"), "{out}");
    let pid = std::process::id();
    assert!(row(&good).starts_with("paused (open) "), "{}", row(&good));
    assert!(row(&good).contains(&format!(" 1.0 0 - 1 {pid} alive ")), "{}", row(&good));
    assert!(out.contains("\n    by spike: a call took 1 s, limit 200 ms; next trial "), "{out}");
    assert!(row(&halted).starts_with("HALTED (open) "), "{}", row(&halted));
    assert!(out.contains(": closing time\n"), "{out}");
    assert_eq!(row(&damaged), "unreadable - - - - - - - - - -");
    assert!(out.contains("\n    damaged: the magic number\n"), "{out}");
    assert!(
        row(&gone).starts_with("no owner (open) ") && row(&gone).contains(&format!(" {pid} gone ")),
        "{}",
        row(&gone)
    );
    assert!(out.contains("\n    would come back as open, "), "{out}");
    let place = |place: &Place| out.lines().position(|line| line.starts_with(&place.name())).unwrap();
    assert!(place(&damaged) < place(&gone) && place(&gone) < place(&halted) && place(&halted) < place(&good), "{out}");

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
    drop(place.breaker(Start::Closed));
    let file = fs::OpenOptions::new().write(true).open(&place.path).unwrap();
    let page = &*place.argument();
    let why = &["--reason", "a test"][..];
    for command in ["status", "events", "resume", "halt"] {
        let args = |page: &'static str| [&[command, page][..], if command == "resume" { why } else { &[] }].concat();
        let place = format!("\"no-such-page\" in {}/named", common::scratch().display());
        fails(&args("no-such-page"), &["there is no page", &place, "; legal: a page that"]);
        fails(&args("./nowhere/page"), &["there is no ", "./nowhere"]);
        fails(&args(".hidden"), &["\".hidden\" is no name for a page; legal: ", "or a path"]);
        fails(&args(""), &["PAGE", "legal: see trip99 "]);
        fails(&args("/dev/shm/"), &[" is not a regular file; legal: "]);
        if command != "events" {
            fails(&[command], &["PAGE", "legal: see trip99 ", command]);
        }
    }
    fails(&["status", page, "--format", "xml"], &["xml", "legal: text or json"]);
    let name = "is a name of trip99's own; legal: any name but engine, start, latch";
    fails(&["halt", page, "--as", "latch"], &["--as \"latch\"", name]);
    fails(&["halt", page, "--as", "a b"], &["--as \"a b\" is no holder; legal: 1 to 32 of letters"]);
    fails(&["resume", page, "--reason", "x", "--as", "start"], &["--as \"start\"", name]);
    fails(&["resume", page], &["--reason", "legal: see trip99 resume --help"]);
    for blank in ["", " ", "\u{200b}\n"] {
        fails(&["resume", page, "--reason", blank], &["--reason is blank; legal: a text of 1 to 216 bytes"]);
    }
    let resume = ["resume", page, "--reason", "x"];
    let with = |more: &[&'static str]| [&resume[..], more].concat();
    fails(&with(&["--holder", "a b"]), &["--holder \"a b\" is no holder; legal: 1 to 32 of"]);
    fails(&with(&["--holder", "fleet"]), &["--holder fleet is the halt of a fleet", "legal: with --break-glass"]);
    fails(&with(&["--holder", "a", "--all"]), &["--holder", "--all", "legal: see"]);
    fails(&with(&["--as", "a", "--all"]), &["--as", "--all", "legal: see"]);
    fails(&["ls", page], &[page, "Not a directory", "legal: a folder of pages"]);
    fails(&["ls", "./no-such-folder"], &["./no-such-folder: No such file", "legal: a folder of pages"]);
    for command in ["ls", "status"] {
        fails(&[command, "--label", "desk"], &["--label desk; legal: NAME=VALUE, as desk=rates"]);
        fails(&[command, "--label", "state=x"], &["--label state=x; legal: any name but those of metrics"]);
    }
    fails(&["status", page, "--label", "desk=x"], &["--label", "legal: see trip99 status --help"]);
    fails(&["status"], &["PAGE", "legal: see trip99 status --help"]);
    assert!(!ok(&["status", page]).contains("halted"), "none of these halts");

    for (offset, bytes, what) in [
        (8, &[9][..], " has layout version 9; known: 2; legal: "),
        (0, b"TRIP", " is damaged: the magic number; legal: "),
    ] {
        file.write_all_at(bytes, offset).unwrap();
        for args in [&["status", page][..], &["events", page], &["events", page, "-f"]] {
            fails(args, &[page, what]);
        }
    }
    file.set_len(100).unwrap();
    fails(&["status", page], &[page, " is damaged"]);
}

#[test]
fn events_are_a_table_or_json() {
    let place = Place::elsewhere("events");
    let page = &*place.argument();
    let breaker = tripped(&place);
    let out = ok(&["events", page]);
    let rows: Vec<String> = out.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
    assert_eq!(rows[0], format!("trip99 events {page}"));
    assert_eq!(rows[2], "time, UTC stands change reason quantile slow of samples pause");
    assert!(rows[3].starts_with("20") && rows[3].len() == "2000-01-01".len(), "{out}");
    let without_time = |row: &str| row.split_once(' ').unwrap().1.to_owned();
    let rows: Vec<String> = rows[4..].iter().map(|row| without_time(row)).collect();
    let expected = ["trading closed restart - -", "paused closed → open spike 99 ms 1 of 100 1 s (attempt 0)"];
    assert_eq!(rows[..2], expected);
    assert!(out.contains("\n               a call took 1 s, limit 200 ms\n"), "{out}");
    assert_eq!(rows[3..5], ["HALTED open halt 99 ms 1 of 100", "no reason given"]);
    assert_eq!(rows[5..], ["paused open resume 99 ms 1 of 100", "halt: no reason given"]);
    assert!(
        out.contains("\n               engine: no reason") && out.contains("\n               engine's halt: "),
        "{out}"
    );

    let events = json(&["events", page, "--format", "json"]);
    assert_eq!(events.len(), 4);
    let (event, expected) = (&events[1], breaker.events().nth(1).unwrap());
    assert_eq!((&event["sequence"], event["wall_ns"].as_u64()), (&1.into(), Some(expected.wall_ns)));
    assert_eq!((&event["from"], &event["to"]), (&"closed".into(), &"open".into()));
    assert_eq!((&event["reason"], event["retry_at_ns"].as_u64()), (&"spike".into(), Some(2 * SECOND)));
    assert_eq!((&event["samples"], &event["failures"]), (&100.into(), &0.into()));
    assert_eq!((&events[2]["reason"], &events[3]["reason"]), (&"halt".into(), &"resume".into()));
    assert!(event["note"].is_null() && event["entry"].is_null(), "{event}");
    assert_eq!((&event["observed"], &event["limit"]), (&SECOND.into(), &200_000_000.into()));
    assert!(event["settings_before"].is_null() && event["settings_after"].is_null(), "{event}");
    let note = &events[2]["note"];
    assert_eq!((&note["holder"], &note["reason"], &note["entry"]), (&"engine".into(), &"".into(), &1.into()));
    assert_eq!(events[3]["note"]["entry"], 2);
}

#[test]
fn a_change_of_settings_has_the_hashes_of_both() {
    let place = Place::elsewhere("settings");
    let page = &*place.argument();
    let mut breaker = place.breaker(Start::Closed);
    let before = breaker.config().clone();
    let after = Config { quantile_ppm: 500_000, debt_limit: 4, ..before.clone() };
    breaker.reconfigure_at(SECOND, &after).unwrap();
    let hashes = [before, after].map(|config| format!("0x{:016x}", config.stable_hash()));
    let event = &json(&["events", page, "--format", "json"])[1];
    assert_eq!(event["reason"], "reconfigured");
    assert_eq!([&event["settings_before"], &event["settings_after"]], hashes.each_ref().map(|hash| hash.as_str()));
    let out = ok(&["events", page]);
    assert!(out.contains(&format!("\n               settings {} -> {}\n", hashes[0], hashes[1])), "{out}");
}

#[test]
fn debt_stands_beside_its_limit() {
    let place = Place::elsewhere("owed");
    let page = &*place.argument();
    let mut breaker = place.breaker(Start::Closed);
    breaker.poll_at(SECOND);
    let no_debt = ok(&["status", page]);
    assert!(!no_debt.contains("debt") && no_debt.contains("too few for a verdict, 20 needed\n"), "{no_debt}");
    let config = Config { debt_limit: 3, spike_count: 0, ..breaker.config().clone() };
    breaker.reconfigure_at(SECOND, &config).unwrap();
    breaker.record_at(SECOND, SECOND);
    breaker.record_at(SECOND, 1);
    breaker.poll_at(3 * SECOND);
    let out = ok(&["status", page]);
    assert_eq!(line(&out, "debt"), "0.98 calls, limit 2.97");
    assert!(line(&out, "window").ends_with("too few for a verdict on the failure rate, 20 needed"), "{out}");
    assert_eq!(json(&["status", page, "--format", "json"])[0]["snapshot"]["debt_ppm"], 980_000);

    for _ in 0..3 {
        breaker.record_at(3 * SECOND, SECOND);
    }
    let evidence = "debt 3.95 calls, limit 2.97";
    assert!(line(&ok(&["status", page]), "since").ends_with(&format!(", by latency: {evidence}, 4 of 5 slow")));
    let list = ok(&["ls", place.path.parent().unwrap().to_str().unwrap()]);
    assert!(list.contains(&format!("\n    by latency: {evidence}, 4 of 5 slow; next trial ")), "{list}");
    assert!(ok(&["events", page]).contains(&format!("\n               {evidence}\n")));
}

#[test]
fn a_trip_by_latency_names_the_quantile_that_was_judged() {
    let place = Place::elsewhere("quantile");
    let page = &*place.argument();
    let mut breaker = place.breaker(Start::Closed);
    let config = Config { spike_count: 0, min_slow: 1, ..breaker.config().clone() };
    breaker.reconfigure_at(SECOND, &config).unwrap();
    for latency_ns in [1; 19].into_iter().chain([SECOND]) {
        breaker.record_at(SECOND, latency_ns);
    }
    let evidence = "P99 was 1 s, limit 200 ms";
    assert!(line(&ok(&["status", page]), "since").ends_with(&format!(", by latency: {evidence}, 1 of 20 slow")));
    assert!(ok(&["events", page]).contains(&format!("\n               {evidence}\n")));
    // Others may have been judged before the latest change.
    breaker.reconfigure_at(SECOND, &Config { quantile_ppm: 500_000, ..config }).unwrap();
    let evidence = "the quantile was 1 s, limit 200 ms";
    assert!(line(&ok(&["status", page]), "since").ends_with(&format!(", by latency: {evidence}, 1 of 20 slow")));
    assert!(ok(&["events", page]).contains(&format!("\n               {evidence}\n")));
}

#[test]
fn a_follower_sees_what_happens_restarts_and_what_it_missed() {
    let place = Place::elsewhere("follow");
    let mut breaker = tripped(&place);
    let mut follower = Follower::start(&["events", &place.argument(), "--follow", "--format", "json"]);
    for reason in ["restart", "spike", "halt", "resume"] {
        assert_eq!(follower.next()["reason"], reason);
    }
    breaker.poll_at(2 * SECOND);
    let event = follower.next();
    assert_eq!((&event["to"], &event["reason"]), (&"half_open".into(), &"retry".into()));

    drop(breaker);
    let mut breaker = place.breaker(Start::Closed);
    breaker.poll_at(5);
    let event = follower.next();
    assert_eq!((&event["sequence"], &event["reason"]), (&5.into(), &"restart".into()));

    follower.stop();
    for _ in 0..600 {
        breaker.halt_at(6, "");
        breaker.resume_at(6, "");
        breaker.poll_at(6);
    }
    follower.signal(rustix::process::Signal::CONT);
    let missed = follower.next();
    assert_eq!(missed["missed"].as_u64(), Some(1200 - 1024), "{missed}");
    for sequence in 1206 - 1024..1206 {
        assert_eq!(follower.next()["sequence"].as_u64(), Some(sequence));
    }

    assert!(ok(&["events", &place.argument()]).contains("  not kept: 182 earlier events\n"));

    // The owner goes first: one whose page is removed is halted, and the next owner would find that halt.
    drop(breaker);
    fs::remove_file(&place.path).unwrap();
    assert_eq!(follower.next()["page"], "removed");
    let mut breaker = place.breaker(Start::Closed);
    assert_eq!(follower.next()["page"], "replaced");
    breaker.record_at(1, SECOND);
    assert_eq!(follower.next()["reason"], "restart");
    let event = follower.next();
    assert_eq!((&event["sequence"], &event["reason"]), (&1.into(), &"spike".into()));

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

/// A folder of pages of its own: one of them trades, one is paused, one is halted.
fn desk(name: &str) -> ([Place; 3], [Breaker; 3]) {
    let places = ["trades", "pauses", "halted"].map(|page| Place::within(&format!("desk-{name}"), page));
    let mut breakers = [places[0].breaker(Start::Closed), tripped(&places[1]), places[2].breaker(Start::Closed)];
    breakers[2].halt("enough");
    let labels = "[trades]\ndesk = \"rates\"\nvenue = \"xetra\"\n[halted]\ndesk = \"rates\"\n[pauses]\ndesk = \"fx\"\n";
    fs::write(places[0].path.with_file_name("labels.toml"), labels).unwrap();
    (places, breakers)
}

#[test]
fn a_check_is_the_worst_of_all() {
    let (places, breakers) = desk("check");
    let [trades, pauses, halted] = places.each_ref().map(Place::argument);
    let check = |args: &[&str]| pages::trip99(&[&["status", "--check"], args].concat());
    assert_eq!(check(&[&trades]).0, Some(0));
    assert_eq!(check(&[&pauses, &trades]).0, Some(10));
    let (status, out, err) = check(&[&trades, &pauses, &halted]);
    assert_eq!((status, err.as_str()), (Some(11), ""));
    let states: Vec<_> = out.lines().filter_map(|line| line.strip_prefix("  state     ")).collect();
    assert_eq!(states, ["HALTED (closed)", "paused (open)", "trading (closed)"], "trouble first");
    let missing = places[0].path.with_file_name("missing");
    let (status, out, err) = check(&[&halted, missing.to_str().unwrap()]);
    assert_eq!(status, Some(12));
    assert!(err.starts_with("warning: there is no page ") && out.contains("HALTED"), "{out}{err}");
    let (status, _, err) = check(&[".hidden", &halted]);
    assert!(status == Some(2) && err.contains(" is no name for a page"), "{err}");
    let (status, out, err) = check(&["no-such-page", "--format", "json"]);
    assert!(status == Some(12) && out.is_empty() && err.starts_with("warning: there is no page "), "{out}{err}");

    let folder = places[0].path.parent().unwrap().to_str().unwrap();
    assert_eq!(pages::trip99(&["ls", folder, "--check"]).0, Some(11));
    assert_eq!(pages::trip99(&["ls", folder, "--check", "--label", "desk=fx"]).0, Some(10));
    drop(breakers);
    assert_eq!(check(&[&trades]).0, Some(12), "gone");
    assert_eq!(pages::trip99(&["ls", folder, "--check"]).0, Some(12));
    let empty = places[0].path.with_file_name("empty");
    fs::create_dir(&empty).unwrap();
    let (status, _, err) = pages::trip99(&["ls", empty.to_str().unwrap(), "--check"]);
    fs::remove_dir(empty).unwrap();
    assert!(status == Some(12) && err.contains("there are no pages in "), "{err}");
}

#[test]
fn labels_choose_pages_and_are_shown() {
    let (places, _breakers) = desk("labels");
    let folder = places[0].path.parent().unwrap();
    let ls = |more: &[&str]| json(&[&["ls", folder.to_str().unwrap(), "--format", "json"], more].concat());
    let names =
        |pages: &[Value]| pages.iter().map(|page| page["name"].as_str().unwrap().to_owned()).collect::<Vec<_>>();
    let within = folder.join("a-folder");
    fs::create_dir_all(&within).unwrap();
    assert_eq!(names(&ls(&[])), ["halted", "pauses", "trades"], "labels.toml and a folder are no pages");
    fs::remove_dir(within).unwrap();
    assert_eq!(names(&ls(&["--label", "desk=rates"])), ["halted", "trades"]);
    assert_eq!(names(&ls(&["--label", "desk=rates", "--label", "venue=*"])), ["trades"]);
    assert_eq!(ls(&["--label", "venue=xetra"])[0]["labels"]["desk"], "rates");
    let page = &ls(&["--label", "desk=fx"])[0];
    assert_eq!((&page["standing"], &page["limits"]["threshold_ns"]), (&"paused".into(), &200_000_000.into()));
    let at = humantime_of(&page["since_wall_time"]);
    assert_eq!(Some(at), page["since_wall_ns"].as_u64());
    let status = ok(&["status", &places[0].argument()]);
    assert_eq!(line(&status, "labels"), "desk=rates venue=xetra");
    let none = ["ls", folder.to_str().unwrap(), "--label", "desk=equities"];
    pages::fails_with(1, &none, &["no page has label desk=equities"]);

    // By name, in the places of all users, and by a file for all folders.
    let run = |args: &[&str]| {
        let output =
            pages::command(args).env("TRIP99_DIR", folder).env("TRIP99_LABELS", folder.join("labels.toml")).output();
        let output = output.unwrap();
        (output.status.code(), String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap())
    };
    let (status, out, _) = run(&["status", "--label", "venue=xetra"]);
    assert!(status == Some(0) && out.contains("/trades\n") && !out.contains("/halted\n"), "{out}");

    fs::write(folder.join("labels.toml"), "[trades]\ndesk = 7\n").unwrap();
    let wrong = "labels.toml: line 2: [trades] desk is no such text; legal: a text";
    let (status, out, err) = pages::trip99(&["ls", folder.to_str().unwrap()]);
    assert!(status == Some(0) && out.contains("trades") && err.contains(wrong), "{out}{err}");
    let (status, out, err) = pages::trip99(&["ls", folder.to_str().unwrap(), "--label", "desk=rates"]);
    assert!(status == Some(2) && !out.contains("trades") && err.contains(wrong), "{out}{err}");
}

/// Nanoseconds since the Unix epoch.
fn humantime_of(text: &Value) -> u64 {
    let at = humantime::parse_rfc3339(text.as_str().unwrap()).unwrap();
    at.duration_since(std::time::UNIX_EPOCH).unwrap().as_nanos() as u64
}

#[test]
fn events_of_several_pages_are_merged_by_time() {
    let places = ["one", "two"].map(|page| Place::within("desk-merged", page));
    let folder = places[0].path.parent().unwrap().to_owned();
    let mut breakers = places.each_ref().map(|place| place.breaker(Start::Closed));
    for (turn, reason) in ["a", "b", "c", "d"].iter().enumerate() {
        breakers[turn % 2].halt_at(SECOND, reason);
        breakers[turn % 2].poll_at(SECOND);
        thread::sleep(Duration::from_millis(2));
    }
    let pages = places.each_ref().map(Place::argument);
    let events = |more: &[&str]| json(&[&["events", &pages[1], &pages[0], "--format", "json"], more].concat());
    let notes = |events: &[Value]| {
        let halts = events.iter().filter(|event| event["reason"] == "halt");
        let text = |event: &Value| {
            format!("{} {}", event["name"].as_str().unwrap(), event["note"]["reason"].as_str().unwrap())
        };
        halts.map(text).collect::<Vec<_>>()
    };
    let all = events(&[]);
    assert_eq!((all.len(), notes(&all)), (6, vec!["one a".into(), "two b".into(), "one c".into(), "two d".into()]));
    assert_eq!(humantime_of(&all[2]["wall_time"]), all[2]["wall_ns"].as_u64().unwrap());
    assert_eq!(notes(&events(&["--last", "2"])), ["one c", "two d"]);
    assert_eq!(events(&["--since", "1h"]).len(), 6);
    thread::sleep(Duration::from_millis(20));
    assert_eq!(events(&["--since", "5ms"]).len(), 0);
    let b = events(&["--since", all[3]["wall_time"].as_str().unwrap()]);
    assert_eq!(notes(&b), ["two b", "one c", "two d"]);
    fails(&["events", "--since", "yesterday"], &["--since", "neither a time span, as 1h", "legal: see"]);

    let out = ok(&["events", &pages[0], &pages[1], "-n", "2"]);
    assert!(out.starts_with("trip99 events of several pages\n\n"), "{out}");
    let rows: Vec<_> = out.lines().filter(|line| line.contains(" halt ")).collect();
    assert!(rows[0].contains("  one   HALTED ") && rows[1].contains("  two   HALTED "), "{out}");

    // One that can't be read keeps the others from nothing.
    let (status, out, err) = pages::trip99(&["events", &pages[0], "./nowhere/page", "--format", "json"]);
    assert!(status == Some(2) && out.lines().count() == 3 && err.starts_with("error: there is no page "), "{out}{err}");

    // New pages are followed, too. (Where other users' pages are, their events come as well.)
    let mut follower = pages::command(&["events", "--follow", "--format", "json"]);
    let mut follower = Follower::of(follower.env("TRIP99_DIR", &folder));
    while follower.next()["note"]["reason"] != "d" {} // it has listed the pages that there are
    let three = Place::within("desk-merged", "three-since");
    let _breaker = three.breaker(Start::Closed);
    while follower.next()["name"] != "three-since" {}
}

#[test]
fn what_operators_did_without_an_owner_is_told_once() {
    let place = Place::elsewhere("alone");
    let page = &*place.argument();
    drop(place.breaker(Start::Closed));
    let mut follower = Follower::start(&["events", page, "--follow", "--format", "json"]);
    assert_eq!(follower.next()["reason"], "restart");
    let (status, ..) = pages::trip99(&["halt", page, "--as", "ann", "--reason", "nobody is there"]);
    assert_eq!(status, Some(0));
    let early = follower.next();
    assert_eq!((&early["reason"], &early["note"]["holder"]), (&"halt".into(), &"ann".into()));
    assert!(early["sequence"].is_null() && early["wall_ns"].is_u64() && early["t_ns"].is_null(), "{early}");
    let told = json(&["events", page, "--format", "json"]);
    assert_eq!((told.len(), &told[1]), (2, &early));
    assert_eq!(
        told[0].as_object().unwrap().keys().collect::<Vec<_>>(),
        early.as_object().unwrap().keys().collect::<Vec<_>>()
    );
    assert!(ok(&["events", page]).contains(" HALTED    no owner               halt "), "{}", ok(&["events", page]));

    let mut breaker = place.breaker(Start::Closed);
    breaker.poll();
    let restart = follower.next();
    assert_eq!((&restart["reason"], restart["sequence"].is_u64()), (&"restart".into(), true), "{restart}");
    breaker.resume("x");
    pages::trip99(&["resume", page, "--as", "ann", "--reason", "it is back"]);
    breaker.poll();
    let event = follower.next();
    assert_eq!((&event["reason"], event["sequence"].is_u64()), (&"resume".into(), true), "{event}");
}

#[test]
fn a_script_waits_for_a_state() {
    let place = Place::elsewhere("awaited");
    let page = &*place.argument();
    let wait = |state: &str, time: &str| pages::trip99(&["wait", page, "--state", state, "--timeout", time]);
    let (status, out, err) = wait("trading", "10ms");
    assert_eq!((status, out.as_str()), (Some(1), ""));
    assert_eq!(err, format!("error: {page} is not there, and was not trading in time\n"));
    assert_eq!(wait("gone", "10ms").0, Some(0));

    let waiting =
        pages::command(&["wait", page, "--state", "trading"]).stdout(std::process::Stdio::piped()).spawn().unwrap();
    thread::sleep(Duration::from_millis(50));
    let mut breaker = place.breaker(Start::Closed);
    breaker.poll();
    let output = waiting.wait_with_output().unwrap();
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "awaited is trading (closed)\n");
    assert!(output.status.success());
    let (status, _, err) = wait("paused,halted", "20ms");
    assert!(
        status == Some(1) && err == "error: awaited is trading (closed), and was not paused or halted in time\n",
        "{err}"
    );
    breaker.record(SECOND);
    assert_eq!(wait("paused,halted", "20s").0, Some(0));
    Gate::open(&place.path).unwrap().halt("");
    assert_eq!(wait("paused", "10ms").0, Some(1), "it is halted");
    let page = &json(&["wait", page, "--state", "halted", "--format", "json"])[0];
    assert_eq!((&page["standing"], &page["state"]), (&"halted".into(), &"open".into()));
    fails(&["wait", "x", "--state", "closed"], &["closed", "legal: trading or paused or testing or halted"]);
    fails(&["wait", ".x", "--state", "gone"], &["is no name for a page"]);
}

#[test]
fn a_page_that_nobody_needs_is_forgotten() {
    let place = Place::elsewhere("old");
    let page = &*place.argument();
    fails(&["forget", page], &["there is no page "]);
    let breaker = place.breaker(Start::Closed);
    let pid = std::process::id();
    pages::fails_with(1, &["forget", page], &["old is owned by", &pid.to_string()]);
    drop(breaker);
    pages::trip99(&["halt", page, "--as", "ann", "--reason", "x"]);
    pages::fails_with(1, &["forget", page], &["old is halted by ann, and stays; legal: trip99 resume"]);
    pages::trip99(&["resume", page, "--as", "ann", "--reason", "x"]);
    assert_eq!(ok(&["forget", page]), format!("old is forgotten: {page} is removed\n"));
    assert!(!place.path.exists() && !place.path.with_file_name(".old.lock").exists());
    drop(place.breaker(Start::Closed));
    assert_eq!(json(&["forget", page, "--format", "json"])[0]["forgotten"], true);
    fs::write(&place.path, [7; 50_000]).unwrap();
    fails(&["forget", page], &["is damaged: the magic number"]);
}

#[test]
fn shells_and_man_know_every_command() {
    let help = ok(&["--help"]);
    let commands = help.lines().skip_while(|line| !line.starts_with("Commands:")).skip(1);
    let commands = commands.take_while(|line| !line.is_empty()).filter_map(|line| line.split_whitespace().next());
    let commands: Vec<_> = commands.filter(|&command| command != "help").collect();
    assert!(commands.len() >= 13, "{commands:?}");
    for shell in ["bash", "zsh", "fish"] {
        let script = ok(&["completions", shell]);
        assert!(commands.iter().all(|command| script.contains(command)), "{shell}");
    }
    fails(&["completions", "csh"], &["csh", "legal: bash or elvish or fish"]);
    let folder = common::scratch().join("man");
    ok(&["man", "--to", folder.to_str().unwrap()]);
    for command in commands {
        let text = fs::read_to_string(folder.join(format!("trip99-{command}.1"))).unwrap();
        assert!(text.contains(&format!(".TH trip99-{command} 1")) && text.contains(".SH OPTIONS"), "{text}");
    }
    assert!(ok(&["man"]).contains(".TH trip99 1"));
    fails(&["man", "--to", "/dev/null/x"], &["--to /dev/null/x: Not a directory"]);
}
