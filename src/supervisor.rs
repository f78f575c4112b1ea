//! A thread that owns breakers: it drains their lanes, runs their timers, has health checks made, and feeds listeners.
//!
//! ```text
//!   engine threads ──lanes──▶ owner ──journal──▶ listeners, a thread each
//!        ▲                     ▲  │
//!        └───────gates─────────│──┘ asks, when one is due
//!                      results │  ▼
//!                    and wakes │ health checks, a thread for each breaker that has one
//! ```

mod builder;
mod checks;
mod faults;
mod listeners;
mod owner;
#[cfg(feature = "tracing")]
mod tracing;

pub use builder::{Node, SupervisorBuilder, SupervisorError};
pub use checks::{CheckError, HealthCheck, TcpConnect};
pub use faults::{Fault, Faults};
pub use listeners::{Listener, Notice};
#[cfg(feature = "tracing")]
pub use tracing::log_to_tracing;

use crate::breaker::Breaker;
use crate::config::to_ns;
use crate::gate::Gate;
use crate::lane::Lane;
use crate::openings::Opener;
use crate::page::Observer;
use core::fmt;
use crossbeam_utils::Backoff;
use crossbeam_utils::sync::Unparker;
use faults::Reports;
use owner::Owned;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// A thread that owns breakers, one or many (one for each node), so that they keep time with nobody asking: it takes in
/// what lanes send, fires timers, has a node's health checked when its breaker is half-open with
/// [`Recovery::HealthChecks`](crate::Recovery::HealthChecks), and feeds listeners.
///
/// The engine's threads ask through [`Gate`]s and report through [`Lane`]s, which are taken from a breaker before it is handed
/// over, or from the supervisor at any time ([`gate`](Self::gate), [`lane`](Self::lane)). Breakers here run on the real clock: hand none over that has seen virtual time.
///
/// Dropping it stops it, like [`stop`](Self::stop), and drops the breakers: gates that outlive them refuse, as
/// nobody judges any more (but in shadow they go on letting calls pass).
///
/// ```
/// use std::time::Duration;
/// use trip99::{Breaker, Config, Node, Notice, Recovery, Supervisor, TcpConnect};
///
/// let mut breaker = Breaker::new(Config { recovery: Recovery::HealthChecks, ..Config::default() })?;
/// let gate = breaker.gate();
/// let mut lane = breaker.lane();
///
/// let supervisor = Supervisor::builder()
///     .interval(Duration::from_millis(1))
///     .node(Node::new("gateway", breaker).health_check(TcpConnect::new("127.0.0.1:9000")?))
///     .listener(|name, notice| match notice {
///         Notice::Event(event) => println!("{name}: {} -> {}: {}", event.from, event.to, event.reason),
///         Notice::Missed(count) => println!("{name}: {count} events missed"),
///     })
///     .start()?;
///
/// // On the engine's threads:
/// if gate.allow() {
///     let call = lane.begin();
///     // send the order, await the answer ...
///     lane.end(call);
/// }
///
/// let mut breakers = supervisor.stop();
/// let (name, breaker) = breakers.remove(0);
/// assert_eq!((name.as_str(), breaker.snapshot().samples), ("gateway", 1));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Supervisor {
    /// `None` once it is stopped.
    owner: Option<JoinHandle<Vec<Owned>>>,
    stop: Arc<AtomicBool>,
    wake_owner: Unparker,
    /// What any thread may have of each breaker.
    openers: Vec<(String, Opener)>,
    /// Each with the name of its breaker.
    checks: Vec<(String, JoinHandle<()>)>,
    listeners: Vec<Listener>,
    reports: Arc<Reports>,
    stop_timeout: Duration,
}

impl Supervisor {
    /// A supervisor to be: give it breakers, and start it.
    pub fn builder() -> SupervisorBuilder {
        SupervisorBuilder::new()
    }

    /// A read-only view of the breaker of this name; `None` if there is none. Any thread.
    pub fn observer(&self, name: &str) -> Option<Observer> {
        self.opener(name).map(|opener| opener.gate().observer())
    }

    /// A handle to ask the breaker of this name through; `None` if there is none. Any thread.
    pub fn gate(&self, name: &str) -> Option<Gate> {
        self.opener(name).map(|opener| opener.gate().clone())
    }

    /// Opens a lane of the breaker of this name, which has room for [`Breaker::LANE_CAPACITY`] calls; `None` if there is no such
    /// breaker. The owner hears it from its next poll on, and allocates nothing for it. Any thread.
    ///
    /// ```
    /// use trip99::{Breaker, Config, Supervisor};
    ///
    /// let supervisor = Supervisor::builder().breaker("gateway", Breaker::new(Config::default())?).start()?;
    /// let mut lane = supervisor.lane("gateway").expect("there is a gateway");
    /// if lane.allow() {
    ///     let call = lane.begin();
    ///     // send the order, await the answer ...
    ///     lane.end(call);
    /// }
    /// let (_, breaker) = supervisor.stop().remove(0);
    /// assert_eq!(breaker.snapshot().samples, 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn lane(&self, name: &str) -> Option<Lane> {
        self.lane_with_capacity(name, Breaker::LANE_CAPACITY)
    }

    /// A [`lane`](Self::lane) with room for so many calls, as [`Breaker::lane_with_capacity`] has it.
    pub fn lane_with_capacity(&self, name: &str, capacity: u32) -> Option<Lane> {
        let opener = self.opener(name)?;
        let backoff = Backoff::new();
        loop {
            let lane = opener.open(capacity);
            self.wake_owner.unpark();
            // If none could be opened the owner has to link those in first that others have opened.
            if lane.is_some() || self.owner.as_ref().is_none_or(JoinHandle::is_finished) {
                return lane;
            }
            if backoff.is_completed() {
                thread::sleep(Duration::from_micros(100));
            } else {
                backoff.snooze();
            }
        }
    }

    fn opener(&self, name: &str) -> Option<&Opener> {
        self.openers.iter().find(|(its_name, _)| its_name == name).map(|(_, opener)| opener)
    }

    /// What went wrong since the start, counted. Any thread.
    pub fn faults(&self) -> Faults {
        self.reports.faults()
    }

    /// Stops, and gives the breakers back, in the order in which they were added.
    ///
    /// What lanes had been told before is taken in, and what that leads to reaches the listeners, as does everything
    /// journaled before. A check or listener of yours that is still busy after
    /// [`stop_timeout`](SupervisorBuilder::stop_timeout) is left to itself ([`Fault::LeftRunning`]); nothing else takes
    /// longer than a poll.
    pub fn stop(mut self) -> Vec<(String, Breaker)> {
        self.shut_down()
    }

    fn shut_down(&mut self) -> Vec<(String, Breaker)> {
        let Some(owner) = self.owner.take() else { return Vec::new() };
        self.stop.store(true, Ordering::Release);
        self.wake_owner.unpark();
        // It never waits for anybody. (Nothing in it panics; if it did, there would be no breakers to give back.)
        let owned = owner.join().unwrap_or_default();
        // Frees the check threads, which wait to be asked.
        let breakers = owned.into_iter().map(Owned::into_breaker).collect();
        // Now the journals are final: all at once are told, so that they have the same time.
        let deadline = Instant::now().checked_add(self.stop_timeout);
        self.listeners.iter().for_each(Listener::tell_to_stop);
        for listener in self.listeners.drain(..) {
            if !listener.join_by(deadline) {
                self.reports.tell(&Fault::LeftRunning { what: "a listener" });
            }
        }
        for (name, check) in self.checks.drain(..) {
            if !join_by(check, deadline) {
                self.reports.tell(&Fault::LeftRunning { what: &format!("the health check of {name}") });
            }
        }
        breakers
    }
}

impl Drop for Supervisor {
    fn drop(&mut self) {
        self.shut_down();
    }
}

impl fmt::Debug for Supervisor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Supervisor")
            .field("breakers", &Breakers(&self.openers))
            .field("faults", &self.faults())
            .finish()
    }
}

/// For `Debug`.
struct Breakers<'a>(&'a [(String, Opener)]);

impl fmt::Debug for Breakers<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.0.iter().map(|(name, opener)| (name, opener.gate()))).finish()
    }
}

/// Joins a thread that was told to end; if it hasn't by the deadline (`None` = never), lets go of it and returns false.
fn join_by(thread: JoinHandle<()>, deadline: Option<Instant>) -> bool {
    if thread.thread().id() == thread::current().id() {
        return false; // dropped by its own listener: it can't wait for itself
    }
    // The standard library can't join with a deadline.
    while !thread.is_finished() {
        if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
            return false;
        }
        thread::sleep(Duration::from_millis(1));
    }
    // What checks and listeners panic with was told when it happened; this could only be from dropping one.
    let _ = thread.join();
    true
}
