//! The engines of the shift, processes of their own. They trade until their standard input ends. A line there, `slow` or `well`, tells how
//! the node does from then on.

use crate::common::{DIRECTORY, scratch};
use crate::pages::{self, SECOND};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;
use trip99::shared::Options;
use trip99::{Breaker, Config, Lane, Start, State};

pub(crate) struct Engine(Child);

impl Engine {
    /// With so many lanes, each of which a thread trades through. Without one the owner trades.
    pub(crate) fn rust(page: &Path, lanes: usize) -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.arg("engine").arg(page).arg(scratch().join("state")).arg(lanes.to_string());
        Self::start(&mut command)
    }

    /// `None` if `TRIP99_PREFIX` doesn't name where the C++ library is installed.
    pub(crate) fn cpp(page: &Path) -> Option<Self> {
        let prefix = PathBuf::from(std::env::var_os("TRIP99_PREFIX")?);
        let program = Path::new(DIRECTORY).join("shift-engine");
        let lib = prefix.join("lib");
        let mut compiler = Command::new(std::env::var_os("CXX").unwrap_or_else(|| "c++".into()));
        compiler
            .args(["-std=c++14", "-Wall", "-Wextra", "-Werror"])
            .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/shift/engine.cpp"))
            .arg("-o")
            .arg(&program)
            .arg("-I")
            .arg(prefix.join("include"))
            .arg("-L")
            .arg(&lib)
            .args(["-ltrip99", &format!("-Wl,-rpath,{}", lib.display())]);
        assert!(compiler.status().unwrap().success(), "{compiler:?}");
        Some(Self::start(Command::new(program).arg(page).arg(scratch().join("state"))))
    }

    fn start(command: &mut Command) -> Self {
        Self(command.stdin(Stdio::piped()).spawn().unwrap())
    }

    pub(crate) fn node_is(&mut self, how: &str) {
        writeln!(self.0.stdin.as_mut().unwrap(), "{how}").unwrap();
    }

    /// In order.
    pub(crate) fn ends(&mut self) {
        drop(self.0.stdin.take());
        assert!(self.0.wait().unwrap().success());
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

const WELL_NS: u64 = 1_000_000;
const SLOW_NS: u64 = 300_000_000;
const END: u64 = 0;
/// Long enough to be seen by all, short enough to wait for.
const PAUSE_NS: u64 = 5 * SECOND;

/// True if this process was one, and is done.
pub(crate) fn own() -> bool {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, word, page, state, lanes] = &arguments[..] else { return false };
    let Some(lanes) = (word == "engine").then(|| lanes.parse().ok()).flatten() else { return false };
    let config = Config { backoff_base_ns: PAUSE_NS, backoff_max_ns: PAUSE_NS, ..pages::config() };
    let options = Options::default().state_dir(state);
    let mut breaker = Breaker::create_shared_with(page, config, Start::Closed, &options).unwrap();
    let lanes: Vec<Lane> = (0..lanes).map(|_| breaker.lane()).collect();
    let node = &AtomicU64::new(WELL_NS);
    let trades = lanes.is_empty();
    thread::scope(|scope| {
        scope.spawn(|| listen(node));
        for lane in lanes {
            scope.spawn(move || trade(lane, node));
        }
        look_after(&mut breaker, node, trades);
    });
    breaker.poll();
    true
}

fn listen(node: &AtomicU64) {
    for line in std::io::stdin().lines().map_while(Result::ok) {
        node.store(if line == "slow" { SLOW_NS } else { WELL_NS }, Ordering::Relaxed);
    }
    node.store(END, Ordering::Relaxed);
}

/// Waits for an answer, and tells how long it took. `None` when the shift is over. (It has to wait: a call that took longer than testing has gone
/// on was sent before that, so it is no trial.)
fn answer(node: &AtomicU64) -> Option<u64> {
    let latency_ns = Some(node.load(Ordering::Relaxed)).filter(|latency_ns| *latency_ns != END)?;
    thread::sleep(Duration::from_nanos(latency_ns));
    Some(latency_ns)
}

fn trade(mut lane: Lane, node: &AtomicU64) {
    loop {
        let is_sent = lane.allow();
        let Some(latency_ns) = answer(node) else { return };
        if is_sent {
            lane.record(latency_ns);
        }
    }
}

fn look_after(breaker: &mut Breaker, node: &AtomicU64, trades: bool) {
    let observer = breaker.observer();
    loop {
        let is_sent = trades && breaker.allow();
        if is_sent {
            let Some(latency_ns) = answer(node) else { return };
            breaker.record(latency_ns);
        } else if node.load(Ordering::Relaxed) == END {
            return;
        } else {
            thread::sleep(Duration::from_millis(1));
        }
        // What rests is cancelled when trading stops.
        let is_on = observer.state() == Some(State::Closed) && !observer.is_halted();
        breaker.set_resting(if is_on { 3 } else { 0 });
        breaker.poll();
    }
}
