//! Pages for tests, owners in processes of their own (the test program once more), and the command at work on them.
#![allow(dead_code, reason = "each test program uses some of it")]

use crate::common::DIRECTORY;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};
use trip99::{Breaker, Config};

pub(crate) const SECOND: u64 = 1_000_000_000;

/// Trips at the first slow sample, and recovers by one trial.
pub(crate) fn config() -> Config {
    Config { jitter_ppm: 0, spike_count: 1, probes: 1, stall_limit_ns: 0, ..Config::default() }
}

/// A place for a page, which is removed in the end.
pub(crate) struct Place {
    pub(crate) path: PathBuf,
    by_name: bool,
}

impl Place {
    /// In the conventional directory.
    pub(crate) fn named(name: &str) -> Self {
        let path = trip99::shared::path(&format!("cli-test-{}-{name}", std::process::id())).unwrap();
        Self { path, by_name: true }
    }

    pub(crate) fn elsewhere(name: &str) -> Self {
        let path = PathBuf::from(DIRECTORY).join(format!("page-{}-{name}", std::process::id()));
        Self { path, by_name: false }
    }

    pub(crate) fn name(&self) -> String {
        self.path.file_name().unwrap().to_str().unwrap().to_owned()
    }

    /// For the command.
    pub(crate) fn argument(&self) -> String {
        if self.by_name { self.name() } else { self.path.to_str().unwrap().to_owned() }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
        let _ = fs::remove_file(self.path.with_file_name(format!(".{}.lock", self.name())));
    }
}

fn command(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_trip99"));
    command.args(args).current_dir(DIRECTORY).env_remove("CLICOLOR_FORCE").stdin(Stdio::null());
    command
}

/// Exit status, standard output and standard error.
pub(crate) fn trip99(args: &[&str]) -> (Option<i32>, String, String) {
    let output = command(args).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

pub(crate) fn ok(args: &[&str]) -> String {
    let (status, out, err) = trip99(args);
    assert_eq!((status, err.as_str()), (Some(0), ""), "{args:?}");
    out
}

/// Its lines.
pub(crate) fn json(args: &[&str]) -> Vec<Value> {
    ok(args).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Status 2, and one line with all of these parts.
pub(crate) fn fails(args: &[&str], parts: &[&str]) {
    let (status, _, err) = trip99(args);
    assert_eq!(status, Some(2), "{args:?}: {err}");
    refused(&err, parts);
}

pub(crate) fn refused(err: &str, parts: &[&str]) {
    assert!(err.starts_with("error: ") && err.ends_with('\n') && err.lines().count() == 1, "{err}");
    assert!(parts.iter().all(|part| err.contains(part)), "{parts:?} in {err}");
}

fn signal(child: &Child, signal: Signal) {
    kill_process(Pid::from_child(child), signal).unwrap();
}

/// A process that owns a page and asks all the time. Killed when dropped.
pub(crate) struct Owner {
    child: Child,
    out: BufReader<ChildStdout>,
}

impl Owner {
    pub(crate) fn start(place: &Place) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "owner", "--nocapture", "--test-threads=1"])
            .env("TRIP99_PAGE", &place.path)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let out = BufReader::new(child.stdout.take().unwrap());
        Self { child, out }
    }

    /// What it tells next, as it asks: `allowed` or `refused`, when that changes.
    pub(crate) fn said(&mut self) -> String {
        let mut line = String::new();
        while self.out.read_line(&mut line).unwrap() > 0 {
            if let Some((_, said)) = line.split_once('@') {
                return said.trim().to_owned();
            }
            line.clear();
        }
        panic!("the owner ended");
    }

    pub(crate) fn signal(&self, what: Signal) {
        signal(&self.child, what);
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What an [`Owner`] does, if this process is one.
pub(crate) fn own() {
    let Some(page) = std::env::var_os("TRIP99_PAGE") else { return };
    let mut breaker = Breaker::create_shared(page, config(), trip99::Start::Closed).unwrap();
    let mut last = None;
    let begin = Instant::now();
    // Not for good, should nobody kill it.
    while begin.elapsed() < Duration::from_secs(120) {
        let allowed = breaker.allow();
        if allowed {
            breaker.record(1_000_000);
        }
        if last.replace(allowed) != Some(allowed) {
            println!("@{}", if allowed { "allowed" } else { "refused" });
        }
        breaker.poll();
        std::thread::sleep(Duration::from_micros(100));
    }
}

/// The command while it follows a page.
pub(crate) struct Follower {
    child: Child,
    out: Option<BufReader<ChildStdout>>,
}

impl Follower {
    /// Started, and at work.
    pub(crate) fn start(args: &[&str]) -> Self {
        let mut child = command(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        assert!(!out.fill_buf().unwrap().is_empty(), "it prints something");
        Self { child, out: Some(out) }
    }

    /// The next line, which is JSON.
    pub(crate) fn next(&mut self) -> Value {
        let mut line = String::new();
        self.out.as_mut().unwrap().read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line:?}"))
    }

    pub(crate) fn signal(&self, what: Signal) {
        signal(&self.child, what);
    }

    /// Stops it, so that it falls behind.
    pub(crate) fn stop(&self) {
        self.signal(Signal::STOP);
        let stat = format!("/proc/{}/stat", self.child.id());
        let begin = Instant::now();
        while !fs::read_to_string(&stat).unwrap().contains(") T ") {
            assert!(begin.elapsed() < Duration::from_secs(20), "it goes on");
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// Reads no more of it.
    pub(crate) fn close(&mut self) {
        self.out = None;
    }

    /// Exit status and standard error, once it ends by itself.
    pub(crate) fn ended(mut self) -> (Option<i32>, String) {
        let begin = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                let mut err = String::new();
                self.child.stderr.take().unwrap().read_to_string(&mut err).unwrap();
                return (status.code(), err);
            }
            assert!(begin.elapsed() < Duration::from_secs(20), "it goes on");
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
