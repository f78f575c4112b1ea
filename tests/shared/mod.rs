//! Pages for tests, and owners in processes of their own. Such a process is the test program once more, and its environment
//! tells it its role.
#![allow(dead_code, reason = "each test program uses some of it")]

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};
use trip99::shared::{Options, SharedError};
use trip99::{Breaker, Config, Gate, Reason, Start, State};

pub(crate) const SECOND: u64 = 1_000_000_000;

/// Trips at the first slow sample. There is no jitter, so that deadlines can be written down.
pub(crate) fn config() -> Config {
    Config { jitter_ppm: 0, spike_count: 1, min_samples: 1, probes: 1, window_len: 64, ..Config::default() }
}

/// Owns a page from 0 on, by a time of the test's own. From then on this process has no warden, as that lives by real time.
pub(crate) fn create(page: &Path, config: Config) -> Result<Breaker, SharedError> {
    create_at(0, page, config, Start::Closed)
}

/// [`create`] at this time, with this start.
pub(crate) fn create_at(now_ns: u64, page: &Path, config: Config, start: Start) -> Result<Breaker, SharedError> {
    trip99::warden::disable();
    Breaker::create_shared_with(page, config, start, &Options::default().now_ns(now_ns))
}

/// A page of this name and process, which is removed in the end.
pub(crate) struct Place(pub(crate) PathBuf);

impl Place {
    pub(crate) fn new(name: &str) -> Self {
        let place = Self(trip99::shared::path(&format!("test-{}-{name}", std::process::id())).unwrap());
        place.remove();
        place
    }

    pub(crate) fn beside(&self, suffix: &str) -> PathBuf {
        self.0.with_file_name(format!(".{}{suffix}", self.0.file_name().unwrap().to_str().unwrap()))
    }

    fn remove(&self) {
        for path in [&self.0, &self.beside(".lock"), &self.beside(".new")] {
            let _ = fs::remove_file(path);
            let _ = fs::remove_dir(path);
        }
        for file in self.kept() {
            let _ = fs::remove_file(file);
        }
    }

    /// The files by which this page's halts outlive memory.
    pub(crate) fn kept(&self) -> Vec<PathBuf> {
        let folder = trip99::shared::state_dir(&trip99::shared::Options::default()).unwrap();
        let prefix = format!("{}.", self.0.file_name().unwrap().to_str().unwrap());
        let is_kept = |path: &PathBuf| path.file_name().unwrap().to_str().is_some_and(|name| name.starts_with(&prefix));
        let entries = fs::read_dir(folder).into_iter().flatten();
        let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).filter(is_kept).collect();
        files.sort();
        files
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.remove();
    }
}

/// A process of the test program that runs the test `child` as this role.
pub(crate) struct Process {
    pub(crate) child: Child,
    /// When this is dropped, the process is told to end cleanly.
    stdin: Option<ChildStdin>,
    stdout: BufReader<ChildStdout>,
}

impl Process {
    pub(crate) fn start(role: &str, page: &Path) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "child", "--ignored", "--nocapture", "--test-threads=1"])
            .env("TRIP99_ROLE", role)
            .env("TRIP99_PAGE", page)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let stdin = child.stdin.take();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        Self { child, stdin, stdout }
    }

    /// Starts a process and waits until it has told something.
    pub(crate) fn ready(role: &str, page: &Path) -> Self {
        let mut process = Self::start(role, page);
        assert_eq!(process.said(), "ready", "{role}");
        process
    }

    /// The next line that the process tells, by [`tell`].
    pub(crate) fn said(&mut self) -> String {
        let mut line = String::new();
        while self.stdout.read_line(&mut line).unwrap() > 0 {
            if let Some((_, said)) = line.split_once('@') {
                return said.trim().to_owned();
            }
            line.clear();
        }
        panic!("the process ended");
    }

    /// Sends the process a line.
    pub(crate) fn send(&mut self, line: &str) {
        writeln!(self.stdin.as_mut().unwrap(), "{line}").unwrap();
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn end_cleanly(mut self) {
        drop(self.stdin.take());
        assert!(self.child.wait().unwrap().success());
    }

    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The role of this process, if it has one.
pub(crate) fn role() -> Option<(String, PathBuf)> {
    Some((std::env::var("TRIP99_ROLE").ok()?, std::env::var_os("TRIP99_PAGE")?.into()))
}

/// Tells a line to whoever started this process.
pub(crate) fn tell(what: &str) {
    println!("@{what}");
}

/// Waits until whoever started this process lets it end.
pub(crate) fn wait() {
    let _ = std::io::stdin().lines().count();
}

/// Brings a new breaker to this state, with attempt 1 unless it is closed, where it is 0 or (`closed-again`) 1.
pub(crate) fn bring_to(breaker: &mut Breaker, state: &str) {
    let pause_ns = breaker.config().backoff_base_ns;
    breaker.poll_at(0);
    if state == "closed" {
        return;
    }
    breaker.record_at(1, SECOND);
    breaker.poll_at(1 + pause_ns);
    assert!(breaker.allow_at(1 + pause_ns));
    breaker.record_failure_at(2 + pause_ns, 1);
    assert_eq!((breaker.state(), breaker.snapshot().attempt), (State::Open, 1));
    if state == "open" {
        return;
    }
    breaker.poll_at(2 + 3 * pause_ns);
    assert_eq!(breaker.state(), State::HalfOpen);
    if state == "half-open" {
        return;
    }
    assert_eq!(state, "closed-again");
    assert!(breaker.allow_at(3 + 3 * pause_ns));
    breaker.record_at(4 + 3 * pause_ns, 1);
    assert_eq!(breaker.state(), State::Closed);
}

/// Reasons of the latest events, the latest last.
pub(crate) fn latest_reasons(breaker: &Breaker, count: usize) -> Vec<Reason> {
    let reasons: Vec<Reason> = breaker.events().map(|event| event.reason).collect();
    reasons[reasons.len() - count..].to_vec()
}

/// Whether this comes true within 10 s.
pub(crate) fn within(what: impl Fn() -> bool) -> bool {
    let deadline = Instant::now() + Duration::from_secs(10);
    while !what() {
        if Instant::now() > deadline {
            return false;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    true
}

/// In whose names trading is halted.
pub(crate) fn holders(gate: &Gate) -> Vec<String> {
    gate.holders().notes().iter().map(|note| note.holder.unwrap().to_string()).collect()
}
