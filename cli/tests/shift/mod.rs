//! A scripted shift: three engines, a recorder, an exporter and a Prometheus; trouble, halts and resumes by two operators, and what the audit
//! trail tells of it.

pub(crate) mod engine;

use crate::common::{DIRECTORY, scratch, wait_for};
use crate::pages::{self, command, fails_with, ok};
use crate::prometheus::{Prometheus, has, lacks};
use crate::scrape::{Exporter, Folder};
use crate::terminal::Session;
use engine::Engine;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::SystemTime;

/// One with lanes, one in C++, and one that is only Rust.
const PAGES: [&str; 3] = ["shift-a", "shift-b", "shift-c"];
const ANN: &str = "ann@desk-7";
const BOB: &str = "bob@risk";

pub(crate) fn a_shift_is_worked_and_recorded() {
    let mut shift = Shift::begins();
    let mut top = shift.top();
    let prometheus = has("prometheus").then(|| Prometheus::start(&shift.exporter));
    top.wait_for(&["3 breakers: 3 trading"]);
    shift.trouble_comes(&top, prometheus.as_ref());
    shift.operators_halt(&mut top);
    if let Some(prometheus) = &prometheus {
        wait_for("the halts", || prometheus.query(&format!("trip99_halted{{holder={ANN:?}}} == 1")).len() == 3);
    }
    shift.operators_resume(&mut top);
    if let Some(prometheus) = &prometheus {
        wait_for("the alert's end", || !prometheus.fires("Trip99Paused", PAGES[0]));
    }
    shift.drills();
    shift.ends();
    shift.record_tells_the_story();
    shift.one_flipped_byte_is_found();
}

struct Shift {
    engines: Vec<Engine>,
    exporter: Exporter,
    recorder: Child,
    record: PathBuf,
    /// `desk=...`. No other page of this machine has it.
    desk: String,
    folder: Folder,
}

impl Shift {
    fn begins() -> Self {
        let folder = Folder::new("shift");
        let record = Path::new(DIRECTORY).join(format!("shift-{}", std::process::id()));
        fs::create_dir_all(&record).unwrap();
        let desk = format!("desk-{}", std::process::id());
        let labels: String = PAGES.iter().map(|page| format!("[{page}]\ndesk = {desk:?}\n")).collect();
        fs::write(folder.page("labels.toml"), labels).unwrap();
        let (key, to, dir) = (record.join("key"), record.to_str().unwrap(), folder.path.to_str().unwrap());
        ok(&["record", "keygen", key.to_str().unwrap()]);
        let recorder = command(&["record", dir, "--to", to, "--sign-key", key.to_str().unwrap()])
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let [lanes, cpp, rust] = PAGES.map(|page| folder.page(page));
        let in_cpp = Engine::cpp(&cpp).unwrap_or_else(|| {
            lacks("TRIP99_PREFIX doesn't name an installed C++ library, so a Rust engine stands in for the one in C++");
            Engine::rust(&cpp, 0)
        });
        let engines = vec![Engine::rust(&lanes, 2), in_cpp, Engine::rust(&rust, 0)];
        let exporter = Exporter::start(&[dir, "--record", to]);
        let shift = Self { engines, exporter, recorder, record, desk: format!("desk={desk}"), folder };
        wait_for("all to be at work", || {
            let told = shift.exporter.scrape();
            told.all("recorder_failing", "") == [0.0] && told.all("resting_orders", "") == [3.0; 3]
        });
        shift
    }

    fn top(&self) -> Session {
        let state = scratch().join("state");
        let environment: [(&str, &Path); 2] = [("TRIP99_DIR", &self.folder.path), ("TRIP99_STATE_DIR", &state)];
        let args = ["top", self.folder.path.to_str().unwrap(), "--as", ANN, "--every", "50ms"];
        Session::start(Path::new(env!("CARGO_BIN_EXE_trip99")), &args, &environment, 120, 30)
    }

    /// For the command.
    fn page(&self, index: usize) -> String {
        self.folder.page(PAGES[index]).to_str().unwrap().to_owned()
    }

    /// Exit status, standard output and standard error of the command, where this is the place of pages.
    fn at(&self, args: &[&str]) -> (Option<i32>, String, String) {
        let output = command(args).env("TRIP99_DIR", &self.folder.path).output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (output.status.code(), text(output.stdout), text(output.stderr))
    }

    /// It has to succeed.
    fn done(&self, args: &[&str]) -> String {
        let (status, out, err) = self.at(args);
        assert_eq!((status, &*err), (Some(0), ""), "{args:?}: {out}");
        out
    }

    fn trouble_comes(&mut self, top: &Session, prometheus: Option<&Prometheus>) {
        prometheus.inspect(|prometheus| prometheus.wait_for_a_past());
        self.engines[0].node_is("slow");
        top.wait_for(&["1 paused, 2 trading", "paused (open)"]);
        if let Some(prometheus) = prometheus {
            wait_for("the alert", || prometheus.fires("Trip99Paused", PAGES[0]));
            let paused = utc_seconds(&self.pauses(PAGES[0])[0]["utc"]);
            let fires = prometheus.fires_since("Trip99Paused", PAGES[0]).unwrap();
            // Not as this process sees it, which may have had to wait.
            println!("a pause was an alert after {:.1} s", fires - paused);
            assert!(fires - paused < 5.0, "from {paused} to {fires}");
            assert!(!prometheus.fires("Trip99Paused", PAGES[1]));
        }
        self.engines[0].node_is("well");
    }

    /// Ann halts one in `top`, bob holds that, too; ann halts the two others by name, and all by label.
    fn operators_halt(&self, top: &mut Session) {
        top.keys("\x1b[H");
        top.wait_for(&["> shift-a"]);
        top.keys("h");
        top.wait_for(&["Halt shift-a, as ann@desk-7?"]);
        top.keys("prices look wrong\r");
        top.wait_for(&["shift-a is halted by ann@desk-7", "1 HALTED, 2 trading"]);
        self.done(&["halt", PAGES[0], "--as", BOB, "--reason", "over the limit"]);
        let out = self.done(&["halt", PAGES[1], PAGES[2], "--as", ANN, "--reason", "the same venue"]);
        assert_eq!(out.matches(" halted by ann@desk-7: HALTED (closed); ").count(), 2, "{out}");
        top.wait_for(&["3 breakers: 3 HALTED"]);
        let by_label = ["halt", "--label", &*self.desk, "--as", ANN, "--reason", "all of the desk"];
        let out = self.done(&[&by_label[..], &["--wait-flat", "60s", "--format", "json"]].concat());
        let told = pages::lines("halt", &out);
        let pages: Vec<_> = told.iter().map(|page| page["name"].as_str().unwrap()).collect();
        assert_eq!(pages, PAGES);
        for page in &told {
            assert_eq!((&page["halted"], &page["durable"], &page["flat"]), (&true.into(), &true.into(), &true.into()));
        }
        let refused = || self.exporter.scrape().all("refused_total", "");
        let before = refused();
        wait_for("orders to be refused", || refused().iter().zip(&before).all(|(now, before)| now > before));
        assert_eq!(self.at(&["ls", self.folder.path.to_str().unwrap(), "--check"]).0, Some(11));
    }

    /// Ann lifts hers everywhere; one is still held, until bob lifts his.
    fn operators_resume(&self, top: &mut Session) {
        let out = self.done(&["resume", "--label", &self.desk, "--as", ANN, "--reason", "the venue is well"]);
        let (held, rest): (Vec<_>, Vec<_>) = out.lines().partition(|line| line.contains("is still halted"));
        assert!(rest.len() == 2 && rest.iter().all(|line| line.contains(" resumed; lifted: ann@desk-7: ")), "{out}");
        assert!(held.len() == 1 && held[0].starts_with("shift-a is still halted; lifted: ann@desk-7: HALTED"), "{out}");
        assert!(held[0].contains("; orders refused: halted by bob@risk"), "{out}");
        top.wait_for(&["1 HALTED, 2 trading"]);
        let a = self.page(0);
        let checks = [0, 1, 2].map(|page| self.at(&["status", &self.page(page), "--check"]).0);
        assert_eq!(checks, [Some(11), Some(0), Some(0)]);
        let again = ["resume", &a, "--as", ANN, "--reason", "once more"];
        fails_with(1, &again, &["ann@desk-7 holds no halt of ", "which is halted by bob@risk"]);
        let out = self.done(&["resume", &a, "--as", BOB, "--reason", "within the limit"]);
        assert!(out.starts_with("shift-a resumed; lifted: bob@risk\n"), "{out}");
        // It paused before it was halted, so it tests first.
        self.done(&["wait", &a, "--state", "trading", "--timeout", "60s"]);
        top.wait_for(&["3 breakers: 3 trading"]);
        top.keys("q");
        assert_eq!(top.ended().code(), Some(0));
        assert!(top.is_restored());
    }

    fn drills(&self) {
        for page in 0..PAGES.len() {
            let to = self.record.to_str().unwrap();
            let out = self.done(&["drill", &self.page(page), "--to", to, "--timeout", "60s", "--format", "json"]);
            let told = pages::lines("drill", &out).remove(0);
            let refused_ns = told["refused_after_ns"].as_u64().unwrap();
            assert!(told["passed"] == true && refused_ns >= told["halted_after_ns"].as_u64().unwrap(), "{told}");
            let report = fs::read_to_string(told["report"].as_str().unwrap()).unwrap();
            let row = report.lines().find(|line| line.starts_with("| decision to first refusal, at most | ")).unwrap();
            assert!(!row.contains("| - |"), "{row}");
            println!("{}: {row}", PAGES[page]);
        }
    }

    fn ends(&mut self) {
        self.engines.iter_mut().for_each(Engine::ends);
        for page in PAGES {
            let is_gone = |line: &Value| line["kind"] == "owner" && line["change"] == "gone";
            wait_for("the end to be recorded", || self.lines(page).iter().any(is_gone));
        }
        kill_process(Pid::from_child(&self.recorder), Signal::TERM).unwrap();
        assert!(self.recorder.wait().unwrap().success());
    }

    /// A day's file, or two of them around midnight.
    fn files(&self) -> Vec<String> {
        let paths = fs::read_dir(&self.record).unwrap().map(|entry| entry.unwrap().path());
        let mut files: Vec<_> = paths.filter(|path| path.extension().is_some_and(|end| end == "jsonl")).collect();
        files.sort();
        files.into_iter().map(|path| path.to_str().unwrap().to_owned()).collect()
    }

    /// The lines of a page. The last one of all may just be written, and isn't among them then.
    fn lines(&self, page: &str) -> Vec<Value> {
        let text: String = self.files().iter().map(|path| fs::read_to_string(path).unwrap()).collect();
        let whole = text.split_inclusive('\n').filter(|line| line.ends_with('\n'));
        let lines = whole.map(|line| serde_json::from_str::<Value>(line).unwrap());
        lines.filter(|line| line["page"]["name"] == page).collect()
    }

    /// The events by which it opened.
    fn pauses(&self, page: &str) -> Vec<Value> {
        let mut lines = self.lines(page);
        lines.retain(|line| line["kind"] == "event" && line["event"]["to"] == "open");
        lines
    }

    fn verify(&self) -> String {
        let key = self.record.join("key.pub");
        ok(&["record", "verify", self.record.to_str().unwrap(), "--key", key.to_str().unwrap()])
    }

    fn record_tells_the_story(&self) {
        let told = self.verify();
        assert!(told.contains(", whole\n") && told.contains("signed up to line "), "{told}");
        let drill = format!("drill: drill by {}", trip99::shared::login());
        let (desk, well) = ("ann@desk-7: all of the desk", "ann@desk-7: the venue is well");
        let first = [
            "halt ann@desk-7: prices look wrong",
            "halt bob@risk: over the limit",
            &format!("halt {desk}"),
            &format!("resume {well}"),
            "resume bob@risk: within the limit",
        ];
        let other = ["halt ann@desk-7: the same venue", &format!("halt {desk}"), &format!("resume {well}")];
        for (page, story) in PAGES.into_iter().zip([&first[..], &other, &other]) {
            let lines = self.lines(page);
            let text = |value: &Value| value.as_str().unwrap_or_else(|| panic!("{value}")).to_owned();
            let tell =
                |line: &&Value| format!("{} {}: {}", text(&line["kind"]), text(&line["who"]), text(&line["why"]));
            let entries: Vec<&Value> =
                lines.iter().filter(|line| line["kind"] == "halt" || line["kind"] == "resume").collect();
            let acts: Vec<String> = entries.iter().map(tell).collect();
            assert_eq!(acts, [story, &[&format!("halt {drill}"), &format!("resume {drill}")]].concat(), "{page}");
            // The owner took note of each.
            for entry in entries {
                let is_of = |line: &&Value| {
                    line["event"]["entry"] == entry["entry"] && line["event"]["reason"] == entry["kind"]
                };
                let event = lines.iter().find(is_of).unwrap_or_else(|| panic!("{entry}"));
                assert_eq!((&event["who"], &event["why"]), (&entry["who"], &entry["why"]));
            }
            assert!(lines.iter().all(|line| line["kind"] != "missed"), "{page}");
            assert_eq!(lines[0]["page"]["labels"]["desk"], self.desk["desk=".len()..]);
        }
        let pauses = self.pauses(PAGES[0]);
        assert_eq!(
            (&pauses[0]["event"]["reason"], &pauses[0]["evidence"]),
            (&"spike".into(), &"a call took 300 ms, limit 200 ms".into())
        );
        let closes = |line: &Value| line["event"]["from"] == "half_open" && line["event"]["to"] == "closed";
        assert!(self.lines(PAGES[0]).iter().any(closes));
        assert!(self.pauses(PAGES[1]).is_empty() && self.pauses(PAGES[2]).is_empty());
    }

    fn one_flipped_byte_is_found(&self) {
        let path = &self.files()[0];
        let whole = fs::read(path).unwrap();
        let why = b"prices look wrong";
        let at = whole.windows(why.len()).position(|text| text == why).unwrap();
        let line = whole[..at].iter().filter(|byte| **byte == b'\n').count() + 1;
        let mut changed = whole.clone();
        changed[at] ^= 1;
        fs::write(path, changed).unwrap();
        fails_with(1, &["record", "verify", path], &[&format!("line {line} was changed")]);
        fs::write(path, whole).unwrap();
        self.verify();
    }
}

impl Drop for Shift {
    fn drop(&mut self) {
        let _ = (self.recorder.kill(), self.recorder.wait());
        if !std::thread::panicking() {
            let _ = fs::remove_dir_all(&self.record);
        }
    }
}

fn utc_seconds(text: &Value) -> f64 {
    let time = humantime::parse_rfc3339(text.as_str().unwrap()).unwrap();
    time.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs_f64()
}
