//! Engines of a lab: breakers with pages in files, whose owner asks again and again, and notes when orders passed.

use crate::failure::Failure;
use crate::time::monotonic_ns;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;
use trip99::shared::Options;
use trip99::{Breaker, Config, Start};

/// What an engine shows.
#[derive(Default)]
pub struct Gauge {
    passed: AtomicU64,
    passed_ns: AtomicU64,
    refused_ns: AtomicU64,
    stopped_ns: AtomicU64,
}

impl Gauge {
    /// How many orders passed.
    pub fn passed(&self) -> u64 {
        self.passed.load(Ordering::SeqCst)
    }

    /// When the latest order passed, by the host's monotonic clock; 0 if none did.
    pub fn passed_ns(&self) -> u64 {
        self.passed_ns.load(Ordering::SeqCst)
    }

    /// When the latest order was refused.
    pub fn refused_ns(&self) -> u64 {
        self.refused_ns.load(Ordering::SeqCst)
    }

    /// When the first order was refused after the latest one that passed.
    pub fn stopped_ns(&self) -> u64 {
        self.stopped_ns.load(Ordering::SeqCst)
    }

    /// The latest answer was that an order may pass.
    pub fn trades(&self) -> bool {
        self.passed_ns() > self.refused_ns()
    }
}

/// The engines of a host. One thread drives all of them.
pub struct Engines {
    gauges: Vec<Arc<Gauge>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Engines {
    /// Starts engines with these names, each with its page in the folder.
    ///
    /// # Errors
    /// A page can't be made.
    pub fn start(pages: &Path, halts: &Path, names: &[String], ask_every: Duration) -> Result<Self, Failure> {
        let gauges: Vec<Arc<Gauge>> = names.iter().map(|_| Arc::default()).collect();
        let options = Options::default().state_dir(halts);
        let mut breakers = Vec::new();
        for name in names {
            let made = Breaker::create_shared_with(pages.join(name), Config::default(), Start::Closed, &options);
            let mut breaker = made.map_err(Failure::new)?;
            let _ = breaker.gate(); // so that the owner is watched, as an engine's with several threads is
            breakers.push(breaker);
        }
        let stop = Arc::new(AtomicBool::new(false));
        let (shown, stopped) = (gauges.clone(), Arc::clone(&stop));
        let thread = thread::spawn(move || {
            while !stopped.load(Ordering::Relaxed) {
                for (breaker, gauge) in breakers.iter_mut().zip(&shown) {
                    trade(breaker, gauge);
                }
                thread::sleep(ask_every);
            }
        });
        Ok(Self { gauges, stop, thread: Some(thread) })
    }

    /// What each of them shows.
    pub fn gauges(&self) -> &[Arc<Gauge>] {
        &self.gauges
    }

    /// Ends them, as a process that ends in good order.
    pub fn end(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn trade(breaker: &mut Breaker, gauge: &Gauge) {
    breaker.poll();
    let now_ns = monotonic_ns();
    if breaker.allow() {
        breaker.record(1_000_000);
        gauge.passed.fetch_add(1, Ordering::SeqCst);
        gauge.passed_ns.store(now_ns, Ordering::SeqCst);
    } else {
        if gauge.trades() {
            gauge.stopped_ns.store(now_ns, Ordering::SeqCst);
        }
        gauge.refused_ns.store(now_ns, Ordering::SeqCst);
    }
}

impl Drop for Engines {
    fn drop(&mut self) {
        self.end();
    }
}
