//! The command as a process: traces and settings in, reports and messages out.
#![allow(dead_code, reason = "each test program uses some of it")]

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// Where files are written, and found by the command.
pub(crate) const DIRECTORY: &str = env!("CARGO_TARGET_TMPDIR");

/// Where this test program's pages are, in memory.
pub(crate) fn scratch() -> PathBuf {
    Path::new("/dev/shm").join(format!("cli-test-{}", std::process::id()))
}

/// The command, with places of its own for pages by name, and for halts that outlive memory.
pub(crate) fn command() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_trip99"));
    command.current_dir(DIRECTORY).env_remove("CLICOLOR_FORCE");
    command.env("TRIP99_DIR", scratch().join("named")).env("TRIP99_STATE_DIR", scratch().join("state"));
    command
}

/// For as long as a busy machine may need.
pub(crate) fn wait_for(what: &str, mut is_so: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !is_so() {
        assert!(begin.elapsed() < Duration::from_secs(60), "waited for {what}");
        thread::sleep(Duration::from_millis(50));
    }
}

pub(crate) fn start(args: &str) -> Child {
    command()
        .args(args.split_whitespace())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the command starts")
}

/// Feeds standard input, and returns exit status, standard output and standard error.
pub(crate) fn finish(mut child: Child, input: &str) -> (Option<i32>, String, String) {
    // A command that found a mistake doesn't read on, so the write may fail.
    let _ = child.stdin.take().expect("is piped").write_all(input.as_bytes());
    let output = child.wait_with_output().expect("the command ends");
    let text = |bytes| String::from_utf8(bytes).expect("output is UTF-8");
    (output.status.code(), text(output.stdout), text(output.stderr))
}

pub(crate) fn run(args: &str, input: &str) -> String {
    let (status, out, err) = finish(start(args), input);
    assert_eq!((status, unexpected(&err)), (Some(0), vec![]), "{args}");
    out
}

/// The lines that aren't warnings which traces of tests deserve: they are short, and small figures stand for nanoseconds.
pub(crate) fn unexpected(err: &str) -> Vec<&str> {
    let deserved = [
        "was never possible: there were at most ",
        ": less than a microsecond; ",
        " calls start within ",
        " start at ",
        ": every start and latency is a multiple of ",
        ": the log ends in an outage ",
        " trials in a row, all would be good with a chance of ",
        " granted that the log has as refused: ",
    ];
    let is_deserved = |line: &&str| line.starts_with("warning: ") && deserved.iter().any(|part| line.contains(part));
    err.lines().filter(|line| !is_deserved(line)).collect()
}

/// Replays a trace from standard input: the transitions and the summary, without the line of warnings which traces of tests deserve.
pub(crate) fn json(options: &str, trace: &str) -> String {
    without_warnings(&run(&format!("replay - --format json {options}"), trace))
}

pub(crate) fn without_warnings(json: &str) -> String {
    json.lines().filter(|line| !line.starts_with("{\"warnings\":")).map(|line| format!("{line}\n")).collect()
}

/// Runs what must fail: with status 2, one line that names all of `parts`, and no summary.
pub(crate) fn fails(args: &str, input: &str, parts: &[&str]) {
    let (status, out, err) = finish(start(args), input);
    assert_eq!(status, Some(2), "{args}: {err}");
    let [line] = unexpected(&err)[..] else { panic!("{args}: {err}") };
    assert!(line.starts_with("error: ") && err.ends_with('\n'), "{args}: {err}");
    assert!(parts.iter().all(|part| err.contains(part)), "{args}: {parts:?} in {err}");
    assert!(!out.contains("asked"), "{args}: {out}");
}

pub(crate) fn write(name: &str, text: &str) {
    fs::write(Path::new(DIRECTORY).join(name), text).expect("the file is written");
}

/// The rows of a trace, written with blanks between them.
pub(crate) fn lines(rows: &str) -> String {
    rows.split(' ').map(|row| format!("{row}\n")).collect()
}

/// The figure that the summary of a text shows beside a name.
pub(crate) fn figure(text: &str, name: &str) -> String {
    let line = text.lines().find(|line| line.trim_start().starts_with(name)).expect(name);
    line.trim_start()[name.len()..].trim().to_owned()
}

pub(crate) const SPIKE: &str = "--threshold 100 --spike-count 3 --probes 2 --backoff-base 1000";
pub(crate) const SPIKE_ROWS: &str = "start_ns,latency_ns 0,101 200,101 400,100 600,150 800,150 1000,150 1500,999999 2150,80 \
                          2200,5 2230,10 2300,5";

/// Every setting, with a legal value that isn't its default.
pub(crate) const SETTINGS: &str = "quantile=0.75 threshold=100ns window_len=50 window_age=1h sample_every=2 min_samples=30 min_slow=2 debt_limit=3 \
                        confirm_verdicts=2 failure_rate=0.25 consecutive_failures=7 spike_limit=120 spike_count=3 \
                        stall_limit=1500ms max_in_flight=1 recover_threshold=90 recovery=trials probes=2 \
                        trials_in_flight=2 probe_timeout=500ns backoff_base=1us backoff_multiplier=3 backoff_max=1.5s \
                        jitter=1.0 jitter_seed=7 stable_after=5000 latch_after=3 owner_timeout=20ms start=half-open shadow=true";

pub(crate) fn settings() -> impl Iterator<Item = (&'static str, &'static str)> {
    SETTINGS.split(' ').filter_map(|setting| setting.split_once('='))
}
