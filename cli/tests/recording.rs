//! `trip99 trace PAGE --follow` as a process: a running engine is recorded by the tap of its page.

mod common;
mod pages;

use common::scratch;
use pages::{Place, SECOND, config, fails, trip99};
use rustix::process::{Pid, Signal, kill_process};
use std::fs;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use trip99::shared::Options;
use trip99::{Breaker, Config, Start};

/// The command, which writes to files.
struct Recorder {
    child: Child,
    out: std::path::PathBuf,
    err: std::path::PathBuf,
}

impl Recorder {
    fn start(place: &Place, more: &[&str]) -> Self {
        let file = |name: &str| scratch().join(format!("{}.{name}", place.name()));
        let (out, err) = (file("csv"), file("err"));
        let mut command: Command = pages::command(&[&["trace", &place.argument(), "--follow"], more].concat());
        command.stdout(fs::File::create(&out).unwrap()).stderr(fs::File::create(&err).unwrap()).stdin(Stdio::null());
        let recorder = Self { child: command.spawn().unwrap(), out, err };
        recorder.until(|out, err| out.starts_with("start_ns,latency_ns,ok,kind\n") || !err.is_empty());
        recorder
    }

    fn text(&self) -> (String, String) {
        (fs::read_to_string(&self.out).unwrap(), fs::read_to_string(&self.err).unwrap())
    }

    fn until(&self, is_so: impl Fn(&str, &str) -> bool) {
        let begun = Instant::now();
        while !{
            let (out, err) = self.text();
            is_so(&out, &err)
        } {
            assert!(begun.elapsed() < Duration::from_secs(60), "{:?}", self.text());
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Interrupts it. What it wrote, without the header, and its messages.
    fn end(mut self, signal: Signal) -> (Vec<String>, String) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
        assert_eq!(self.child.wait().unwrap().code(), Some(0), "{:?}", self.text());
        let (out, err) = self.text();
        (out.lines().skip(1).map(str::to_owned).collect(), err)
    }
}

impl Drop for Recorder {
    /// A test that fails leaves no process behind.
    fn drop(&mut self) {
        let _ = (self.child.kill(), self.child.wait());
    }
}

fn breaker(place: &Place, tap_len: u32, window_len: u32) -> Breaker {
    let options = Options::default().state_dir(scratch().join("state"));
    let config = Config { tap_len, window_len, ..config() };
    Breaker::create_shared_with(&place.path, config, Start::Closed, &options).unwrap()
}

#[test]
fn a_running_engine_is_recorded_and_its_trace_replays_to_the_same_trip() {
    let place = Place::named("recorded");
    let mut breaker = breaker(&place, 4096, 1024);
    breaker.record_at(SECOND, 1_000_000);
    let recorder = Recorder::start(&place, &["--reorder", "0"]);
    // What was there before is recorded, too.
    recorder.until(|out, _| out.contains("999000000,1000000,1,ask\n"));
    let lost = breaker.begin_at(2 * SECOND);
    let calls: Vec<_> = (0..100).map(|number| breaker.begin_at(2 * SECOND + 1 + number)).collect();
    breaker.poll_at(2 * SECOND + 2_000_000); // a snapshot tells of them
    for (number, call) in (0..).zip(calls) {
        breaker.end_at(2 * SECOND + 100_000_000 + number, call);
    }
    breaker.poll_at(2 * SECOND + 150_000_000);
    // The first call is in flight, so nothing after it is written so far.
    std::thread::sleep(Duration::from_millis(50));
    assert_eq!(recorder.text().0.lines().count(), 2);
    assert!(breaker.allow_at(2 * SECOND + 150_000_000));
    breaker.record_failure_at(2 * SECOND + 150_000_000, 7);
    breaker.end_at(4 * SECOND + 1, lost); // so slow that it opens
    breaker.poll_at(4 * SECOND + 2_000_000);
    recorder.until(|out, _| out.lines().count() == 1 + 1 + 101 + 1);
    assert!(!breaker.allow_at(4 * SECOND + 2_000_001));
    let (rows, err) = recorder.end(Signal::INT);
    assert_eq!(rows.len(), 104);
    assert_eq!(rows[1..3], ["2000000000,2000000001,1,ask", "2000000001,99999999,1,ask"]);
    assert_eq!(rows[102..], ["2149999993,7,0,ask", "4002000001,,1,refused"]);
    assert_eq!(err, "104 rows written, 0 missed\n");

    let trace = scratch().join("recorded.csv");
    let toml = scratch().join("recorded.toml");
    fs::write(&toml, "spike_count = 1\nprobes = 1\nstall_limit = 0\n").unwrap();
    let (status, out, _) =
        trip99(&["replay", trace.to_str().unwrap(), "--config", toml.to_str().unwrap(), "--format", "json"]);
    assert_eq!(status, Some(0));
    let trip = breaker.events().find(|event| event.to == trip99::State::Open).unwrap();
    assert!(
        out.contains(&format!("{{\"t_ns\":{},\"from\":\"closed\",\"to\":\"open\",\"reason\":\"spike\"", trip.t_ns)),
        "{out}"
    );
}

#[test]
fn a_ring_that_is_too_small_is_told() {
    let place = Place::named("too-small");
    let mut breaker = breaker(&place, 64, 1024);
    let recorder = Recorder::start(&place, &[]);
    for now_ns in 0..1_000_000 {
        breaker.record_at(SECOND + now_ns, 1);
    }
    recorder.until(|_, err| err.contains("warning: missed "));
    let (rows, err) = recorder.end(Signal::TERM);
    let missed: usize = err.lines().last().unwrap().rsplit(' ').nth(1).unwrap().parse().unwrap();
    assert_eq!(rows.len() + missed, 1_000_000, "{err}");
}

#[test]
fn an_engine_that_restarts_goes_on_in_the_same_trace() {
    let place = Place::named("again");
    let mut first = breaker(&place, 64, 1024);
    first.record_at(1000 * SECOND, 5);
    let recorder = Recorder::start(&place, &[]);
    recorder.until(|_, _| true);
    std::thread::sleep(Duration::from_millis(100)); // the recorder knows the first clock
    first.destroy_at(1000 * SECOND);
    // The file grows, so that the tap moves.
    for window_len in [1024, 100_000] {
        let mut next = breaker(&place, 64, window_len);
        let now_ns = next.now_ns();
        next.record_at(now_ns, 7);
        next.poll_at(now_ns + 2_000_000);
        std::thread::sleep(Duration::from_millis(200));
    }
    let (rows, err) = recorder.end(Signal::INT);
    let starts: Vec<u64> = rows.iter().map(|row| row.split(',').next().unwrap().parse().unwrap()).collect();
    assert!(starts.is_sorted() && starts.len() == 3, "{rows:?}: {err}");
    assert_eq!(starts[0], 1000 * SECOND - 5);
    // It took some moments by the system's clock.
    assert!(starts[2] < 1000 * SECOND + 60 * SECOND, "{rows:?}");
}

#[test]
fn a_page_that_is_replaced_is_followed() {
    let place = Place::named("replaced");
    let mut first = breaker(&place, 64, 1024);
    first.record_at(1000 * SECOND, 5);
    let recorder = Recorder::start(&place, &[]);
    std::thread::sleep(Duration::from_millis(100));
    fs::remove_file(&place.path).unwrap();
    drop(first);
    let mut second = breaker(&place, 64, 1024);
    let now_ns = second.now_ns();
    second.record_at(now_ns, 7);
    second.poll_at(now_ns + 2_000_000);
    recorder.until(|_, err| err.contains("the page was replaced"));
    std::thread::sleep(Duration::from_millis(100));
    let (rows, err) = recorder.end(Signal::INT);
    assert_eq!(rows.len(), 2, "{rows:?}: {err}");
    assert!(err.ends_with("2 rows written, 0 missed\n"), "{err}");
}

#[test]
fn mistakes_are_told() {
    let place = Place::named("no-tap");
    let _breaker = place.breaker(Start::Closed);
    fails(&["trace", &place.argument(), "--follow"], &["no tap", "tap_len is 0"]);
    fails(&["trace", "no-such-page", "--follow"], &["no-such-page"]);
    fails(&["trace", &place.argument(), "other", "--follow"], &["one page"]);
    fails(&["trace", &place.argument(), "--follow", "--reorder", "soon"], &["--reorder is \"soon\""]);
}
