//! Health checks: what one is, a ready-made one, and the thread that makes them.

use super::faults::{Fault, Reports, message};
use super::owner::Asked;
use crate::lane::Lane;
use crossbeam_utils::sync::Unparker;
use std::error::Error;
use std::io;
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// Why a health check failed.
pub type CheckError = Box<dyn Error + Send + Sync + 'static>;

/// Asks a node, once, whether it is well. How long that takes is measured, and is judged like the latency of a trial.
///
/// It may block: it is called on a thread of its own, never twice at a time.
///
/// A closure is one, too:
///
/// ```
/// use std::time::Duration;
/// use trip99::{Breaker, CheckError, Config, Node, Recovery};
///
/// let breaker = Breaker::new(Config { recovery: Recovery::HealthChecks, ..Config::default() })?;
/// let node = Node::new("feed", breaker).health_check(|_timeout: Duration| -> Result<(), CheckError> {
///     let age_ms = 3; // of the latest tick
///     if age_ms < 100 { Ok(()) } else { Err("the feed stands still".into()) }
/// });
/// # drop(node);
/// # Ok::<(), trip99::ConfigError>(())
/// ```
pub trait HealthCheck: Send {
    /// One check. Should give up after `timeout`, the breaker's `probe_timeout`: what comes later than that is ignored, and
    /// no other check begins before this one returns.
    ///
    /// # Errors
    /// The node isn't well: the breaker opens again. The reason goes to
    /// [`on_fault`](super::SupervisorBuilder::on_fault). To panic is to fail.
    fn check(&mut self, timeout: Duration) -> Result<(), CheckError>;
}

impl<F: FnMut(Duration) -> Result<(), CheckError> + Send> HealthCheck for F {
    fn check(&mut self, timeout: Duration) -> Result<(), CheckError> {
        self(timeout)
    }
}

/// Checks that a TCP connection can be made, and closes it again.
///
/// That proves that a handshake completes: the machine is up, the way there and back works, and something listens on the
/// port. It doesn't prove that what listens answers: the kernel completes handshakes for a process that hangs. A check that
/// asks the node for something proves more; `examples/http_health_check.rs` is one.
#[derive(Clone, Debug)]
pub struct TcpConnect {
    /// At least one.
    addresses: Box<[SocketAddr]>,
}

impl TcpConnect {
    /// A check of this address. If a name stands for several (one for IPv6 and one for IPv4, say), they are tried in turn,
    /// with an equal share of the time that is left for each; the first to accept will do.
    ///
    /// Names are resolved here, once. Blocks for that.
    ///
    /// # Errors
    /// The name can't be resolved, or stands for no address.
    pub fn new(address: impl ToSocketAddrs) -> io::Result<Self> {
        let addresses: Box<[_]> = address.to_socket_addrs()?.collect();
        if addresses.is_empty() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "no address to connect to"));
        }
        Ok(Self { addresses })
    }
}

impl HealthCheck for TcpConnect {
    fn check(&mut self, timeout: Duration) -> Result<(), CheckError> {
        let begun = Instant::now();
        let mut last = io::Error::from(io::ErrorKind::TimedOut);
        for (address, to_try) in self.addresses.iter().zip((1..=self.addresses.len()).rev()) {
            let left = timeout.saturating_sub(begun.elapsed()) / u32::try_from(to_try).unwrap_or(u32::MAX);
            if left.is_zero() {
                break; // which `connect_timeout` doesn't take
            }
            match TcpStream::connect_timeout(address, left) {
                Ok(_) => return Ok(()),
                Err(error) => last = error,
            }
        }
        Err(last.into())
    }
}

/// Starts the thread that makes one breaker's checks, one each time that it is asked. It ends when nobody can ask any more.
///
/// It wakes the owner, who may sleep for long, at each result, and again when the next check may be asked for.
pub(super) fn spawn(
    name: String,
    mut check: Box<dyn HealthCheck>,
    timeout: Duration,
    mut lane: Lane,
    asked: Asked,
    owner: Unparker,
    reports: Arc<Reports>,
) -> io::Result<JoinHandle<()>> {
    thread::Builder::new().name("trip99-check".to_owned()).spawn(move || {
        while asked.wait() {
            let start_ns = lane.now_ns();
            let result = catch_unwind(AssertUnwindSafe(|| check.check(timeout)));
            let end_ns = lane.now_ns();
            // Its own stamps: if the breaker has opened again since, this is stale.
            lane.record_probe_at(end_ns, end_ns.saturating_sub(start_ns), matches!(result, Ok(Ok(()))));
            owner.unpark(); // now, as whoever is told of a fault may take its time
            match result {
                Ok(Ok(())) => {}
                Ok(Err(error)) => reports.tell(&Fault::CheckFailed { breaker: &name, error: &*error }),
                Err(payload) => {
                    reports.tell(&Fault::CheckPanicked { breaker: &name, message: message(&*payload) });
                    core::mem::forget(payload); // its drop may panic, too
                }
            }
            asked.done();
            owner.unpark();
        }
    })
}
