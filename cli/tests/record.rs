//! The audit trail: recorders as processes, on pages that the tests own; what they write, verified by the command and by the program that
//! the docs show.

mod common;
mod pages;

use common::{DIRECTORY, scratch};
use pages::{Owner, Place, SECOND, command, fails, fails_with, ok, trip99};
use rustix::process::{Pid, Resource, Rlimit, Signal, kill_process, prlimit};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::LazyLock;
use std::thread;
use std::time::{Duration, Instant};
use trip99::{Breaker, Gate, Start, State};

/// Plays an owner, if this process is one.
#[test]
fn owner() {
    pages::own();
}

/// The folder of a record, and that of the pages.
struct Record {
    folder: PathBuf,
    pages: String,
}

impl Record {
    fn new(name: &str) -> Self {
        let folder = Path::new(DIRECTORY).join(format!("record-{name}"));
        let _ = fs::remove_dir_all(&folder);
        Self { folder, pages: format!("record-{name}") }
    }

    /// Halts outlive memory by the page's name, so no two tests have pages of one name.
    fn place(&self, name: &str) -> Place {
        Place::within(&self.pages, &self.named(name))
    }

    fn named(&self, name: &str) -> String {
        format!("{name}-{}", self.pages)
    }

    fn path(&self) -> &str {
        self.folder.to_str().unwrap()
    }

    fn dir(&self) -> String {
        scratch().join(&self.pages).to_str().unwrap().to_owned()
    }

    /// What a recorder of this record is started with.
    fn args<'a>(&'a self, dir: &'a str, more: &[&'a str]) -> Vec<&'a str> {
        [&["record", dir, "--to", self.path()], more].concat()
    }

    fn once(&self) {
        let (status, out, err) = trip99(&self.args(&self.dir(), &["--once"]));
        assert_eq!((status, err.as_str()), (Some(0), ""));
        assert!(out.starts_with("recording "), "{out}");
    }

    fn start(&self, more: &[&str]) -> Recorder {
        Recorder::start(command(&self.args(&self.dir(), more)))
    }

    fn files(&self) -> Vec<String> {
        let paths = fs::read_dir(&self.folder).unwrap().map(|entry| entry.unwrap().path());
        let mut files: Vec<_> = paths.filter(|path| path.extension().is_some_and(|end| end == "jsonl")).collect();
        files.sort();
        files.into_iter().map(|path| path.to_str().unwrap().to_owned()).collect()
    }

    fn verify(&self, more: &[&str]) -> String {
        let files = self.files();
        ok(&[&["record", "verify"], &files.iter().map(String::as_str).collect::<Vec<_>>()[..], more].concat())
    }

    fn text(&self) -> String {
        let mut texts: Vec<String> = self.files().iter().map(|path| fs::read_to_string(path).unwrap()).collect();
        texts.sort_by_key(|text| {
            text.lines().next().map(|line| serde_json::from_str::<Value>(line).unwrap()["n"].as_u64())
        });
        texts.concat()
    }

    /// Each is as the schema has it. The last may just be written, and isn't among them then.
    fn lines(&self) -> Vec<Value> {
        static SCHEMA: LazyLock<jsonschema::Validator> = LazyLock::new(|| {
            let schema = serde_json::from_str(include_str!("../../docs/schema/record.json")).unwrap();
            jsonschema::draft202012::new(&schema).unwrap()
        });
        let text = self.text();
        let lines = text.split_inclusive('\n').filter(|line| line.ends_with('\n')).map(|line| {
            let value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
            SCHEMA.validate(&value).unwrap_or_else(|error| panic!("{error}: {line}"));
            value
        });
        lines.collect()
    }

    /// The lines of this kind, of the page of this name.
    fn of(&self, kind: &str, page: &str) -> Vec<Value> {
        let name = self.named(page);
        self.lines().into_iter().filter(|line| line["kind"] == kind && line["page"]["name"] == *name).collect()
    }

    /// The numbers of the events that are recorded or told to be missed, of each page, in the order of the lines.
    fn events(&self) -> BTreeMap<String, Vec<u64>> {
        let mut pages: BTreeMap<String, Vec<u64>> = BTreeMap::new();
        for line in self.lines() {
            let Some(id) = line["page"]["id"].as_str() else { continue };
            let events = pages.entry(id.to_owned()).or_default();
            match line["kind"].as_str() {
                Some("event") => events.push(line["event"]["sequence"].as_u64().unwrap()),
                Some("missed") if line["missed"]["of"] == "events" => {
                    events.extend(line["missed"]["first"].as_u64().unwrap()..=line["missed"]["last"].as_u64().unwrap());
                }
                _ => {}
            }
        }
        pages
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        if !thread::panicking() {
            let _ = fs::remove_dir_all(&self.folder);
        }
        let _ = fs::remove_dir(scratch().join(&self.pages));
    }
}

/// A recorder at work. Killed when dropped.
struct Recorder {
    child: Child,
    /// What it says first.
    said: String,
}

impl Recorder {
    fn start(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut said = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut said).unwrap();
        Self { child, said }
    }

    fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    /// Ends it, and returns its exit status and what it said on standard error.
    fn end(mut self, with: Signal) -> (Option<i32>, String) {
        kill_process(self.pid(), with).unwrap();
        let mut err = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut err).unwrap();
        (self.child.wait().unwrap().code(), err)
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !is_so() {
        assert!(begin.elapsed() < Duration::from_secs(60), "{what}: not within a minute");
        thread::sleep(Duration::from_millis(10));
    }
}

/// Two events: halt and resume.
fn nod(breaker: &mut Breaker) {
    breaker.halt("a nod");
    breaker.poll();
    breaker.resume("");
    breaker.poll();
}

/// Three events.
fn trip_and_recover(breaker: &mut Breaker, now_ns: u64) {
    breaker.record_at(now_ns, SECOND);
    breaker.poll_at(now_ns + 70 * SECOND);
    assert!(breaker.allow_at(now_ns + 70 * SECOND), "{:?}", breaker.state());
    breaker.record_at(now_ns + 71 * SECOND, 1_000_000);
    assert_eq!(breaker.state(), State::Closed);
}

fn system_clock_ns() -> u64 {
    u64::try_from(std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap().as_nanos()).unwrap()
}

fn utc_ns(text: &Value) -> u64 {
    let time = humantime::parse_rfc3339(text.as_str().unwrap()).unwrap();
    u64::try_from(time.duration_since(std::time::SystemTime::UNIX_EPOCH).unwrap().as_nanos()).unwrap()
}

#[test]
fn a_record_tells_the_whole_story_once() {
    let record = Record::new("story");
    let place = record.place("gateway-a");
    let mut breaker = place.breaker(Start::Closed);
    let before_ns = system_clock_ns();
    breaker.record_at(SECOND, SECOND);
    let after_ns = system_clock_ns();
    Gate::open(&place.path).unwrap().halt("prices look wrong");
    breaker.poll_at(SECOND);
    fs::write(scratch().join(&record.pages).join("no-page"), "x").unwrap();
    fs::write(scratch().join(&record.pages).join("labels.toml"), "[gateway-a-record-story]\ndesk = \"rates\"\n")
        .unwrap();
    record.once();
    let (status, head, err) = trip99(&record.args(&record.dir(), &["--once", "--print-head"]));
    assert_eq!((status, err.as_str()), (Some(0), ""));
    let head: Value = serde_json::from_str(head.lines().last().unwrap()).unwrap();
    let last = record.lines().pop().unwrap();
    assert_eq!((&head["n"], &head["hash"]), (&last["n"], &last["hash"]));

    let lines = record.lines();
    let kinds: Vec<&str> = lines.iter().map(|line| line["kind"].as_str().unwrap()).collect();
    assert_eq!((kinds[0], kinds[1], *kinds.last().unwrap()), ("file", "start", "stop"), "{kinds:?}");
    assert_eq!(kinds.iter().filter(|kind| **kind == "start").count(), 2);
    let events = record.of("event", "gateway-a");
    let reasons: Vec<_> = events.iter().map(|line| line["event"]["reason"].as_str().unwrap()).collect();
    assert_eq!(reasons, ["restart", "spike", "halt"]);
    let spike = &events[1];
    assert!(utc_ns(&spike["utc"]) >= before_ns / 1000 * 1000 && utc_ns(&spike["utc"]) <= after_ns, "{spike}");
    assert!(utc_ns(&spike["recorded_utc"]) >= utc_ns(&spike["utc"]));
    assert!(spike["clock"].is_null() || spike["clock"]["synchronised"].is_boolean(), "{spike}");
    assert_eq!(spike["evidence"], "a call took 1 s, limit 200 ms");
    assert_eq!((&spike["event"]["to"], &spike["event"]["slow"]), (&"open".into(), &1.into()));
    assert_eq!((&spike["owner"]["pid"], &spike["owner"]["started"]), (&std::process::id().into(), &"new".into()));
    assert_eq!(spike["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(
        (&spike["page"]["path"], &spike["page"]["labels"]["desk"]),
        (&place.path.to_str().unwrap().into(), &"rates".into())
    );
    let settings = record.of("settings", "gateway-a");
    assert_eq!((settings.len(), &settings[0]["settings"]), (1, &spike["settings"]));
    assert_eq!(settings[0]["values"]["spike_count"], 1);
    let halts = record.of("halt", "gateway-a");
    assert_eq!(
        (halts.len(), &halts[0]["why"], &halts[0]["entry"]),
        (1, &"prices look wrong".into(), &events[2]["event"]["entry"])
    );
    assert_eq!((&events[2]["who"], &events[2]["why"]), (&halts[0]["who"], &halts[0]["why"]));
    assert_eq!(halts[0]["note"]["pid"], std::process::id());
    let refused: Vec<_> = lines.iter().filter(|line| line["kind"] == "refused").collect();
    assert!(refused.len() == 2 && refused[0]["page"]["name"] == "no-page", "{refused:?}");
    assert_eq!(ok(&["record", "verify", record.path()]), record.verify(&[]));
    let whole = record.verify(&[]);
    assert!(whole.starts_with(&format!("{0} lines to {0}, whole\n", lines.len())), "{whole}");
    for name in ["no-page", "labels.toml"] {
        fs::remove_file(scratch().join(&record.pages).join(name)).unwrap();
    }
}

#[test]
fn pages_come_and_go_and_are_made_anew() {
    let record = Record::new("come");
    let first = record.place("first");
    let breaker = first.breaker(Start::Closed);
    let recorder = record.start(&[]);
    assert!(recorder.said.starts_with("recording 1 page to "), "{}", recorder.said);
    let second = record.place("second");
    let mut short = second.breaker(Start::Closed);
    nod(&mut short);
    until("the second page is recorded", || record.of("event", "second").len() == 3);
    until("its owner is seen", || !record.of("page", "second").is_empty());
    drop(short);
    until("its end is recorded", || record.of("owner", "second").iter().any(|line| line["change"] == "gone"));
    // Halted while there is no owner.
    Gate::open(&second.path).unwrap().halt("nobody there");
    until("the halt is recorded", || record.of("halt", "second").iter().any(|line| line["why"] == "nobody there"));
    assert_eq!(record.of("halt", "second").last().unwrap()["owner_alive"], false);
    // Truncated: who reads on is killed by the kernel.
    fs::File::options().write(true).open(&second.path).unwrap().set_len(5000).unwrap();
    until("the page is cut off", || record.of("page", "second").iter().any(|line| line["change"] == "cut_off"));
    until("it is refused", || !record.of("refused", "second").is_empty());
    // Removed, and made anew, while the old owner goes on.
    fs::remove_file(&first.path).unwrap();
    fs::remove_file(first.path.with_file_name(format!(".{}.lock", first.name()))).unwrap();
    let mut anew = first.breaker(Start::Closed);
    nod(&mut anew);
    until("the new page is recorded", || {
        record.of("event", "first").iter().filter(|line| line["event"]["reason"] == "restart").count() == 2
    });
    drop(breaker);
    until("the old page ends", || record.of("page", "first").iter().any(|line| line["change"] == "ended"));
    let changes: Vec<Value> = record.of("page", "first").into_iter().map(|line| line["change"].clone()).collect();
    assert!(changes.contains(&"replaced".into()) || changes.contains(&"removed".into()), "{changes:?}");
    let (status, err) = recorder.end(Signal::TERM);
    assert_eq!((status, err.as_str()), (Some(0), ""));
    assert_eq!(record.lines().last().unwrap()["why"], "signal");
    for (id, events) in record.events() {
        assert_eq!(events, (0..events.len() as u64).collect::<Vec<_>>(), "{id}");
    }
    assert_eq!(record.events().len(), 3);
    record.verify(&[]);
}

#[test]
fn an_owner_that_is_killed_is_told_of() {
    let record = Record::new("killed-owner");
    let place = record.place("page");
    let mut owner = Owner::start(&place);
    assert_eq!(owner.said(), "allowed");
    let recorder = record.start(&[]);
    owner.signal(Signal::KILL);
    drop(owner);
    until("its end is recorded", || record.of("owner", "page").iter().any(|line| line["change"] == "gone"));
    let mut owner = Owner::start(&place);
    owner.said();
    until("the restart is recorded", || {
        record.of("event", "page").iter().any(|line| line["owner"]["started"] == "unclean")
    });
    assert_eq!(recorder.end(Signal::INT).0, Some(0));
    record.verify(&[]);
}

/// However often and whenever a recorder is killed, each event is recorded once.
#[test]
fn a_killed_recorder_records_nothing_twice_and_loses_nothing() {
    let rounds = std::env::var("TRIP99_RECORD_ROUNDS").map_or(12, |rounds| rounds.parse::<u32>().unwrap());
    // On a slow machine none of them comes to anything before it is killed. Journals and logs keep more than so many rounds' worth.
    for first in (0..rounds).step_by(12) {
        kill_recorders(first..(first + 12).min(rounds));
    }
}

fn kill_recorders(rounds: std::ops::Range<u32>) {
    let record = Record::new("killed");
    let places: Vec<Place> = (0..3).map(|page| record.place(&format!("page-{page}"))).collect();
    let mut breakers: Vec<Breaker> = places.iter().map(|place| place.breaker(Start::Closed)).collect();
    let mut now_ns = SECOND;
    for round in rounds {
        let mut recorder = record.start(&["--sign-within", "10ms"]);
        let killed_after = Duration::from_micros(u64::from(round) * 7919 % 30_000);
        let begin = Instant::now();
        let mut turns = 0;
        while begin.elapsed() < killed_after || turns < 2 {
            if turns < 10 {
                now_ns += 100 * SECOND;
                breakers.iter_mut().for_each(|breaker| trip_and_recover(breaker, now_ns));
                turns += 1;
            }
        }
        let later_ns = now_ns + 80 * SECOND;
        breakers.iter_mut().for_each(|breaker| breaker.halt_at(later_ns, "a nod"));
        let _ = recorder.child.kill();
        drop(recorder);
        for breaker in &mut breakers {
            breaker.poll_at(later_ns);
            breaker.resume_at(later_ns, "");
            breaker.poll_at(later_ns);
        }
    }
    record.once();
    let told = record.verify(&[]);
    assert!(told.contains("whole"), "{told}");
    assert!(record.lines().iter().all(|line| line["kind"] != "missed"));
    let events = record.events();
    assert_eq!(events.len(), 3);
    for (page, breaker) in breakers.iter().enumerate() {
        let page = format!("page-{page}");
        let count = breaker.events().last().unwrap().sequence + 1;
        let of_page: Vec<Value> = record.of("event", &page);
        let numbers: Vec<u64> = of_page.iter().map(|line| line["event"]["sequence"].as_u64().unwrap()).collect();
        assert_eq!(numbers, (0..count).collect::<Vec<_>>(), "{page}");
        let mut entries = record.of("halt", &page);
        entries.extend(record.of("resume", &page));
        let mut numbers: Vec<u64> = entries.iter().map(|line| line["entry"].as_u64().unwrap()).collect();
        numbers.sort_unstable();
        numbers.dedup();
        assert_eq!(numbers.len(), entries.len(), "an entry is recorded twice");
    }
}

#[test]
fn what_a_journal_lost_is_told() {
    let record = Record::new("lost");
    let place = record.place("page");
    let mut breaker = place.breaker(Start::Closed);
    record.once();
    (0..600).for_each(|_| nod(&mut breaker));
    record.once();
    let missed = record.of("missed", "page");
    let count = breaker.events().last().unwrap().sequence + 1;
    let of_events: Vec<_> = missed.iter().filter(|line| line["missed"]["of"] == "events").collect();
    assert_eq!(of_events.len(), 1, "{missed:?}");
    let lost = &of_events[0]["missed"];
    assert_eq!(
        (&lost["first"], &lost["last"], &lost["count"]),
        (&1.into(), &(count - 1025).into(), &(count - 1025).into())
    );
    assert!(missed.iter().any(|line| line["missed"]["of"] == "entries"), "{missed:?}");
    let (_, events) = record.events().pop_first().unwrap();
    assert_eq!(events, (0..count).collect::<Vec<_>>());
    record.verify(&[]);
}

#[test]
fn a_folder_has_one_recorder_and_pages_have_any_number() {
    let record = Record::new("two");
    let other = Record { folder: record.folder.with_extension("other"), pages: record.pages.clone() };
    let place = record.place("page");
    let mut breaker = place.breaker(Start::Closed);
    let recorders = [record.start(&[]), other.start(&[])];
    fails(&record.args(&record.dir(), &["--once"]), &["another recorder writes to ", "--to"]);
    nod(&mut breaker);
    for record in [&record, &other] {
        until("both record", || record.of("event", "page").len() == 3);
    }
    for recorder in recorders {
        assert_eq!(recorder.end(Signal::TERM), (Some(0), String::new()));
    }
    record.verify(&[]);
    other.verify(&[]);
}

/// A limit for files stands for a full disk: the write fails likewise, when part of it is written.
#[test]
fn a_full_disk_is_loud_and_recording_goes_on_when_there_is_room() {
    let record = Record::new("full");
    let place = record.place("page");
    let mut breaker = place.breaker(Start::Closed);
    let mut shell = command(&[]);
    let inner = format!(
        "trap '' XFSZ; ulimit -S -f 40; exec {} record {} --to {}",
        env!("CARGO_BIN_EXE_trip99"),
        record.dir(),
        record.path()
    );
    let shell_command = Command::new("sh");
    let mut sh = shell_command;
    sh.args(["-c", &inner]).stdin(Stdio::null());
    for (name, value) in shell.get_envs() {
        if let Some(value) = value {
            sh.env(name, value);
        }
    }
    shell = sh;
    let recorder = Recorder::start(shell);
    let status = || {
        let text = fs::read_to_string(record.folder.join("status.json")).unwrap_or_default();
        serde_json::from_str::<Value>(&text).unwrap_or_default()
    };
    until("it records", || status()["state"] == "recording");
    (0..40).for_each(|_| nod(&mut breaker));
    until("it says that the disk is full", || status()["state"] == "held_up");
    assert!(status()["why"].as_str().unwrap().contains("too large"), "{}", status());
    (0..40).for_each(|_| nod(&mut breaker));
    // What is there is whole.
    record.verify(&[]);
    prlimit(Some(recorder.pid()), Resource::Fsize, Rlimit { current: None, maximum: None }).unwrap();
    let count = breaker.events().last().unwrap().sequence + 1;
    until("all is recorded", || record.of("event", "page").len() as u64 == count);
    until("it says so", || status()["state"] == "recording");
    let (status, err) = recorder.end(Signal::TERM);
    assert_eq!(status, Some(0), "{err}");
    assert!(err.contains("nothing can be recorded since ") && err.contains("recording goes on"), "{err}");
    let (_, events) = record.events().pop_first().unwrap();
    assert_eq!(events, (0..count).collect::<Vec<_>>());
    assert_eq!(record.lines().iter().filter(|line| line["kind"] == "held_up").count(), 1);
    record.verify(&[]);
}

#[test]
fn a_recorder_that_cannot_write_in_the_end_fails() {
    let record = Record::new("never");
    let place = record.place("page");
    let mut breaker = place.breaker(Start::Closed);
    (0..40).for_each(|_| nod(&mut breaker));
    let inner = format!(
        "trap '' XFSZ; ulimit -f 8; exec {} record {} --to {} --once",
        env!("CARGO_BIN_EXE_trip99"),
        record.dir(),
        record.path()
    );
    let mut child =
        Command::new("sh").args(["-c", &inner]).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    thread::sleep(Duration::from_millis(300));
    kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
    let mut err = String::new();
    child.stderr.take().unwrap().read_to_string(&mut err).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(2), "{err}");
    assert!(err.lines().last().unwrap().starts_with("error: ") && err.contains("lines are not recorded"), "{err}");
    record.once();
    let (_, events) = record.events().pop_first().unwrap();
    assert_eq!(events, (0..81).collect::<Vec<_>>());
    record.verify(&[]);
}

#[test]
fn a_record_is_signed_anchored_and_told() {
    let record = Record::new("signed");
    let place = record.place("page");
    let mut breaker = place.breaker(Start::Closed);
    fs::create_dir_all(&record.folder).unwrap();
    let file = |name: &str| record.folder.join(name).to_str().unwrap().to_owned();
    let (key, public, anchor, told) = (file("key"), file("key.pub"), file("anchor"), file("told"));
    ok(&["record", "keygen", &key]);
    fails(&["record", "keygen", &key], &["exists"]);
    let exec = format!("cat >> {told}");
    let recorder = record.start(&["--sign-key", &key, "--sign-every", "5", "--anchor", &anchor, "--exec", &exec]);
    (0..10).for_each(|_| nod(&mut breaker));
    until("all is recorded", || record.of("event", "page").len() == 21);
    assert_eq!(recorder.end(Signal::TERM), (Some(0), String::new()));
    let whole = record.verify(&["--key", &public, "--max-unsigned", "5", "--anchor", &anchor]);
    assert!(whole.contains("signed up to line") && whole.contains("anchored up to line"), "{whole}");
    let (lines, told) = (record.text(), fs::read_to_string(told).unwrap());
    assert!(told.lines().all(|line| lines.contains(line)), "{told}");
    let told_of: Vec<Value> = told.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(told_of.iter().filter(|line| line["kind"] == "event").count(), 21);

    // Cut after a line, which only an anchor tells.
    let [path] = &record.files()[..] else { panic!("{:?}", record.files()) };
    let whole = fs::read_to_string(path).unwrap();
    let cut: String = whole.split_inclusive('\n').take(20).collect();
    fs::write(path, &cut).unwrap();
    record.verify(&["--key", &public, "--max-unsigned", "5"]);
    let missing = "lines 21 to ";
    fails_with(1, &["record", "verify", path, "--anchor", &anchor], &[missing, "missing"]);
    fails(&["record", "verify", path, "--anchor", &key], &["--anchor", "line 1"]);
    fails(&["record", "verify", path, "--key", &key], &["--key", "legal: a public Ed25519 key"]);
    fails(&["record", "verify", "/nowhere"], &["cannot read the record"]);
    // Changed.
    let changed = whole.replacen("a nod", "a nap", 1);
    fs::write(path, &changed).unwrap();
    let line = whole.lines().position(|line| line.contains("a nod")).unwrap() + 1;
    fails_with(1, &["record", "verify", path], &[&format!("line {line} was changed")]);
    // Torn: that is no tampering, and recording goes on.
    fs::write(path, &cut[..cut.len() - 30]).unwrap();
    assert!(record.verify(&[]).contains("line 20 is torn"));
    let (status, _, err) = trip99(&record.args(&record.dir(), &["--once"]));
    assert!(status == Some(0) && err.starts_with("warning: ") && err.contains("middle of a line"), "{err}");
    record.verify(&[]);
    let torn = record.lines().into_iter().find(|line| line["kind"] == "torn").unwrap();
    assert!(cut.contains(torn["text"].as_str().unwrap()), "{torn}");
    let (_, events) = record.events().pop_first().unwrap();
    assert_eq!(events, (0..21).collect::<Vec<_>>());
}

#[test]
fn mistakes_are_told() {
    let record = Record::new("mistakes");
    let _place = record.place("page");
    let dir = record.dir();
    fails(&["record", &dir], &["--to"]);
    fails(&["record", &dir, "--to", "journald"], &["--to names 0 folders"]);
    fails(&["record", &dir, "--to", record.path(), "--to", "/tmp/another"], &["--to names 2 folders"]);
    fails(&record.args(&dir, &["--sign-every", "0"]), &["--sign-every", "1..=1000000"]);
    fails(&record.args(&dir, &["--sign-within", "1ms"]), &["--sign-within", "10ms to 1day"]);
    fails(&record.args(&dir, &["--sign-key", "/nowhere"]), &["--sign-key /nowhere", "keygen"]);
    fails(&["record", &dir, "--to", "/proc/nowhere"], &["cannot record to /proc/nowhere"]);
    fails(&["record", "verify"], &["FILE"]);
    assert!(!record.folder.exists(), "nothing was made");
}

#[test]
fn the_program_of_the_docs_verifies_a_record() {
    let docs = include_str!("../../docs/audit.md");
    let program = docs.split("```python\n").nth(1).and_then(|rest| rest.split("```").next()).expect("a program");
    assert!(program.lines().count() <= 12, "it is short");
    let record = Record::new("docs");
    let place = record.place("page");
    let mut breaker = place.breaker(Start::Closed);
    nod(&mut breaker);
    record.once();
    let verify = || {
        let run = Command::new("python3").args(["-c", program]).args(record.files()).output();
        run.map(|output| (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned()))
    };
    let Ok((is_whole, err)) = verify() else { return println!("skipped, as there is no python3") };
    assert!(is_whole, "{err}");
    let [path] = &record.files()[..] else { panic!("{:?}", record.files()) };
    let whole = fs::read_to_string(path).unwrap();
    let lines: Vec<&str> = whole.split_inclusive('\n').collect();
    for changed in [
        whole.replacen("a nod", "a nap", 1),
        lines.iter().enumerate().filter(|(index, _)| *index != 3).map(|(_, line)| *line).collect(),
        [&lines[..3], &lines[2..]].concat().concat(),
    ] {
        fs::write(path, changed).unwrap();
        assert!(!verify().unwrap().0);
    }
}

/// The recorder sees a clock that is set to the next day and back. The owner's clock isn't, and its events keep their times.
#[test]
fn a_clock_that_is_set_is_told_and_changes_no_events_time() {
    let record = Record::new("clock");
    let library = Path::new(DIRECTORY).join("trip99-step.so");
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/clock/step.c");
    let built = Command::new("cc").args(["-shared", "-fPIC", "-o"]).arg(&library).args([source, "-ldl"]).status();
    if !built.is_ok_and(|status| status.success()) {
        return println!("skipped, as there is no C compiler");
    }
    let step = Path::new(DIRECTORY).join("trip99-step");
    fs::write(&step, "0").unwrap();
    let place = record.place("page");
    let mut breaker = place.breaker(Start::Closed);
    let mut recorder = command(&record.args(&record.dir(), &[]));
    recorder.env("LD_PRELOAD", &library).env("TRIP99_STEP", &step);
    let recorder = Recorder::start(recorder);
    let mut between_ns = Vec::new();
    for (index, step_ns) in ["0", "90000000000000", "0"].into_iter().enumerate() {
        // By renaming, so that none reads half of it.
        fs::write(step.with_extension("next"), step_ns).unwrap();
        fs::rename(step.with_extension("next"), &step).unwrap();
        until("the step is told", || record.lines().iter().filter(|line| line["change"] == "stepped").count() == index);
        let before_ns = system_clock_ns();
        nod(&mut breaker);
        between_ns.push((before_ns, system_clock_ns()));
        until("the events are recorded", || record.of("event", "page").len() == 3 + 2 * index);
    }
    let (status, err) = recorder.end(Signal::TERM);
    assert!(status == Some(0) && err.contains("the system clock was set by "), "{err}");
    let events = record.of("event", "page");
    for (index, event) in events[1..].iter().enumerate() {
        let (before_ns, after_ns) = between_ns[index / 2];
        let utc_ns = utc_ns(&event["utc"]);
        assert!(utc_ns + 1000 > before_ns && utc_ns <= after_ns, "{before_ns} {after_ns} {event}");
    }
    let steps: Vec<i64> = record.lines().iter().filter_map(|line| line["step_ns"].as_i64()).collect();
    let hours: Vec<i64> =
        steps.iter().map(|step_ns| (step_ns + step_ns.signum() * 1_000_000_000) / 3_600_000_000_000).collect();
    assert_eq!(hours, [25, -25], "{steps:?}");
    // A file a day, and one more for the day that came back.
    assert_eq!(record.files().len(), 3, "{:?}", record.files());
    record.verify(&[]);
    // In any order.
    let mut files = record.files();
    files.reverse();
    ok(&[&["record", "verify"], &files.iter().map(String::as_str).collect::<Vec<_>>()[..]].concat());
    fails_with(1, &["record", "verify", &files[1], &files[2]], &["missing before"]);
}

/// How a recorder keeps up, for a machine that has nothing else to do: `cargo test --release -p trip99-cli --test record -- --ignored`.
#[test]
#[ignore = "it measures what a machine with nothing else to do keeps up with"]
fn ten_thousand_events_a_second_are_kept_up_with() {
    const PAGES: u64 = 40;
    let seconds = std::env::var("TRIP99_RECORD_SECONDS").map_or(10, |seconds| seconds.parse::<u64>().unwrap());
    let record = Record::new("many");
    let places: Vec<Place> = (0..PAGES).map(|page| record.place(&format!("page-{page}"))).collect();
    let mut breakers: Vec<Breaker> = places.iter().map(|place| place.breaker(Start::Closed)).collect();
    let recorder = record.start(&[]);
    let (begin, mut turns, mut now_ns) = (Instant::now(), 0, SECOND);
    while begin.elapsed() < Duration::from_secs(seconds) {
        // Three events each. What a busy machine doesn't come to is left out.
        let due = begin.elapsed().as_micros() as u64 / 300;
        for _ in 0..(due - turns).min(200) {
            now_ns += 100 * SECOND;
            trip_and_recover(&mut breakers[(turns % PAGES) as usize], now_ns);
            turns += 1;
        }
        thread::sleep(Duration::from_micros(500));
    }
    let stat = fs::read_to_string(format!("/proc/{}/stat", recorder.child.id())).unwrap();
    let ticks: u64 =
        stat.rsplit(") ").next().unwrap().split(' ').skip(11).take(2).map(|time| time.parse::<u64>().unwrap()).sum();
    assert_eq!(recorder.end(Signal::TERM), (Some(0), String::new()));
    let text = record.text();
    println!(
        "{} events, {} MB in {seconds} s; the recorder worked for {} ms",
        3 * turns,
        text.len() / 1_000_000,
        ticks * 10
    );
    assert!(!text.contains("\"kind\":\"missed\""));
    assert_eq!(text.matches("\"kind\":\"event\"").count() as u64, 3 * turns + PAGES);
    record.verify(&[]);
}
