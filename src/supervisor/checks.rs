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

/// Asks a node, once, whether it is well. The breaker judges how long that takes like the latency of a trial.
///
/// A check may block: it has a thread of its own, and is never called twice at a time.
///
/// A closure is a health check, too:
///
/// ```
/// use std::time::Duration;
/// use trip99::supervisor::{CheckError, Node};
/// use trip99::{Breaker, Config, Recovery};
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
    /// Makes one check. It should give up after `timeout`, which is the breaker's `probe_timeout`: a result that comes later is
    /// ignored, and no other check begins before this one returns.
    ///
    /// # Errors
    /// The node isn't well. The breaker opens again, and [`on_fault`](super::SupervisorBuilder::on_fault) is told the reason. A
    /// check that panics has failed, too.
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
    /// There is at least one.
    addresses: Box<[SocketAddr]>,
}

impl TcpConnect {
    /// A check of this address. A name may stand for several addresses, for example one of IPv6 and one of IPv4. They are tried
    /// in turn, each for an equal share of the time that is left, until one accepts.
    ///
    /// A name is resolved here, once. This call blocks for that.
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
                break; // `connect_timeout` takes no zero
            }
            match TcpStream::connect_timeout(address, left) {
                Ok(_) => return Ok(()),
                Err(error) => last = error,
            }
        }
        Err(last.into())
    }
}

/// Starts the thread that makes one breaker's checks, one each time that it is asked. The thread ends when nobody can ask any
/// more.
///
/// The thread wakes the owner, who may sleep for long, at each result, and again when the next check may be asked for.
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
            // The stamps are the check's own: if the breaker has opened again since, the result is stale.
            lane.record_probe_at(end_ns, end_ns.saturating_sub(start_ns), matches!(result, Ok(Ok(()))));
            owner.unpark(); // before the report, as whoever is told of a fault may take its time
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
