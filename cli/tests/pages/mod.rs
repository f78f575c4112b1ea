//! Pages for tests, owners in processes of their own (the test program once more), and the command at work on them.
#![allow(dead_code, reason = "each test program uses some of it")]

#[path = "../schema/mod.rs"]
mod schema;

use crate::common::scratch;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::fs::{self, DirBuilder};
use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::DirBuilderExt;
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};
use trip99::shared::Options;
use trip99::{Breaker, Config, Start};

pub(crate) const SECOND: u64 = 1_000_000_000;

/// Trips at the first slow sample, and recovers by one trial.
pub(crate) fn config() -> Config {
    // Owners of tests may be held up for long.
    let owner_timeout_ns = 60 * SECOND;
    Config { jitter_ppm: 0, spike_count: 1, probes: 1, stall_limit_ns: 0, owner_timeout_ns, ..Config::default() }
}

/// How many places there are. The last one takes the folder along.
static PLACES: Mutex<u32> = Mutex::new(0);

/// A place for a page, which is removed in the end.
pub(crate) struct Place {
    pub(crate) path: PathBuf,
    by_name: bool,
}

impl Place {
    /// In the conventional place.
    pub(crate) fn named(name: &str) -> Self {
        Self::new("named", name, true)
    }

    pub(crate) fn elsewhere(name: &str) -> Self {
        Self::new("elsewhere", name, false)
    }

    /// In a folder of its own.
    pub(crate) fn within(folder: &str, name: &str) -> Self {
        Self::new(folder, name, false)
    }

    fn new(folder: &str, name: &str, by_name: bool) -> Self {
        let mut places = PLACES.lock().unwrap_or_else(PoisonError::into_inner);
        *places += 1;
        let make = |folder: &str| {
            let folder = scratch().join(folder);
            DirBuilder::new().recursive(true).mode(0o700).create(&folder).unwrap();
            folder
        };
        make("state");
        Self { path: make(folder).join(name), by_name }
    }

    pub(crate) fn name(&self) -> String {
        self.path.file_name().unwrap().to_str().unwrap().to_owned()
    }

    /// For the command.
    pub(crate) fn argument(&self) -> String {
        if self.by_name { self.name() } else { self.path.to_str().unwrap().to_owned() }
    }

    /// A breaker of this process with this page.
    pub(crate) fn breaker(&self, start: Start) -> Breaker {
        let options = Options::default().state_dir(scratch().join("state"));
        Breaker::create_shared_with(&self.path, config(), start, &options).unwrap()
    }

    /// The files of its halts that outlive memory, by name. (Pages of tests have names of their own, without dots.)
    pub(crate) fn kept(&self) -> Vec<String> {
        let entries = fs::read_dir(scratch().join("state")).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<String> = names.filter(|name| name.starts_with(&format!("{}.", self.name()))).collect();
        names.sort();
        names
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut places = PLACES.lock().unwrap_or_else(PoisonError::into_inner);
        *places -= 1;
        let _ = fs::remove_file(&self.path);
        let _ = fs::remove_file(self.path.with_file_name(format!(".{}.lock", self.name())));
        if *places == 0 {
            let _ = fs::remove_dir_all(scratch());
        }
    }
}

pub(crate) fn command(args: &[&str]) -> Command {
    let mut command = crate::common::command();
    command.args(args).stdin(Stdio::null());
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

/// Its lines, which are as their schema says.
pub(crate) fn json(args: &[&str]) -> Vec<Value> {
    lines(args[0], &ok(args))
}

/// The lines that this command printed, which are as their schema says.
pub(crate) fn lines(command: &str, out: &str) -> Vec<Value> {
    let line = |line: &str| {
        let value = serde_json::from_str(line).unwrap();
        schema::check(schema::of(command), &value);
        value
    };
    out.lines().map(line).collect()
}

/// Status 2, and one line with all of these parts.
pub(crate) fn fails(args: &[&str], parts: &[&str]) {
    fails_with(2, args, parts);
}

/// This status, and one line with all of these parts.
pub(crate) fn fails_with(status: i32, args: &[&str], parts: &[&str]) {
    let (found, _, err) = trip99(args);
    assert_eq!(found, Some(status), "{args:?}: {err}");
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
            .env("TRIP99_STATE_DIR", scratch().join("state"))
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
    let mut breaker = Breaker::create_shared(page, config(), Start::Closed).unwrap();
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
        let mut follower = Self::of(&mut command(args));
        assert!(!follower.out.as_mut().unwrap().fill_buf().unwrap().is_empty(), "it prints something");
        follower
    }

    /// Started.
    pub(crate) fn of(command: &mut Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let out = BufReader::new(child.stdout.take().unwrap());
        Self { child, out: Some(out) }
    }

    /// The next line, which is JSON.
    pub(crate) fn next(&mut self) -> Value {
        let mut line = String::new();
        self.out.as_mut().unwrap().read_line(&mut line).unwrap();
        let value = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line:?}"));
        schema::check("events", &value);
        value
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
