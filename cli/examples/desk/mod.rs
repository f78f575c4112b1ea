//! A desk of engines in this process: breakers with pages in a folder, each in trouble of its own.

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;
use trip99::shared::Options;
use trip99::{Breaker, Config, Gate, Holder, Start};

/// What an engine's node does.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Node {
    Calm,
    /// It was calm, and answers too slowly since.
    Slow,
    /// It was slow, and answers well since.
    Recovering,
}

pub(crate) struct Desk {
    pub(crate) folder: PathBuf,
    running: Arc<AtomicBool>,
    engines: Vec<thread::JoinHandle<()>>,
}

impl Desk {
    pub(crate) fn open(folder: &Path) -> Self {
        let _ = fs::remove_dir_all(folder);
        fs::create_dir_all(folder.join("state")).expect("the folder is made");
        Self { folder: folder.to_owned(), running: Arc::new(AtomicBool::new(true)), engines: Vec::new() }
    }

    pub(crate) fn pages(&self) -> PathBuf {
        self.folder.join("pages")
    }

    /// Starts an engine that asks all the time.
    pub(crate) fn engine(&mut self, name: &str, node: Node, typical: Duration) {
        let path = self.pages().join(name);
        fs::create_dir_all(self.pages()).expect("the folder is made");
        let options = Options::default().state_dir(self.folder.join("state"));
        let config = Config { jitter_ppm: 0, backoff_base_ns: 30_000_000_000, ..Config::default() };
        let config = if node == Node::Recovering {
            Config { backoff_base_ns: 1_000_000_000, probes: 5_000, ..config }
        } else {
            config
        };
        let mut breaker = Breaker::create_shared_with(path, config, Start::Closed, &options).expect("the page is made");
        let running = Arc::clone(&self.running);
        let seed = name.bytes().map(u64::from).sum();
        self.engines.push(thread::spawn(move || {
            let mut random = StdRng::seed_from_u64(seed);
            let mut asked = 0;
            while running.load(Ordering::Relaxed) {
                if breaker.allow() {
                    asked += 1;
                    let is_over = node == Node::Recovering && asked > 605;
                    let is_slow = node != Node::Calm && asked >= 600 && !is_over;
                    let shape: f64 = random.random_range(0.6..1.4_f64).powi(3);
                    let latency = typical.mul_f64(if is_slow { shape * 12.0 } else { shape });
                    if breaker.state() != trip99::State::Closed {
                        thread::sleep(latency); // a trial is sent after the pause, and takes its time
                    }
                    breaker.record(latency.as_nanos() as u64);
                }
                breaker.poll();
                thread::sleep(Duration::from_millis(1));
            }
        }));
    }

    pub(crate) fn gate(&self, name: &str) -> Gate {
        Gate::open(self.pages().join(name)).expect("the page is there")
    }

    pub(crate) fn halt(&self, name: &str, holder: &str, reason: &str) {
        self.gate(name).halt_as(Holder::new(holder).expect("a name"), reason);
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        self.running.store(false, Ordering::Relaxed);
        for engine in self.engines.drain(..) {
            let _ = engine.join();
        }
        let _ = fs::remove_dir_all(&self.folder);
    }
}
