//! A thread that owns breakers. It drains their lanes, fires their timers, asks for health checks and feeds listeners.
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
mod error;
mod faults;
mod listeners;
mod owner;
#[cfg(feature = "tracing")]
mod tracing;

pub use builder::{Node, SupervisorBuilder};
pub use checks::{CheckError, HealthCheck, TcpConnect};
pub use error::{StartError, SupervisorError};
pub use faults::{Fault, Faults};
pub use listeners::{Listener, Notice};
#[cfg(feature = "tracing")]
pub use tracing::log_to_tracing;

use crate::breaker::Breaker;
use crate::config::to_ns;
use crate::handles::{Gate, Observer};
use crate::lane::Lane;
use crate::openings::Opener;
use core::fmt;
use crossbeam_utils::Backoff;
use crossbeam_utils::sync::Unparker;
use faults::Reports;
use owner::Owned;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// A thread that owns breakers, one or many, usually one for each node. The breakers keep time there even while nobody asks
/// them. The thread takes in what lanes send and fires timers. It feeds listeners. While a breaker is half-open with
/// [`Recovery::HealthChecks`](crate::Recovery::HealthChecks), it has the breaker's node checked.
///
/// The engine's threads ask through [`Gate`]s and report through [`Lane`]s. They get both from a breaker before it is handed
/// over, or from the supervisor at any time ([`gate`](Self::gate), [`lane`](Self::lane)). A supervisor's breakers run on the
/// real clock, so a breaker that has seen virtual time must not be handed over.
///
/// Dropping a supervisor stops it, like [`stop`](Self::stop), and drops the breakers. Nobody judges calls any more then, so
/// gates that outlive their breaker refuse, in shadow, too.
///
/// ```
/// use std::time::Duration;
/// use trip99::supervisor::{Node, Notice, TcpConnect};
/// use trip99::{Breaker, Config, Recovery, Supervisor};
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
///         _ => {}
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
    /// For each breaker, by its name, what makes handles for any thread.
    openers: Vec<(String, Opener)>,
    /// The check threads, each with the name of its breaker.
    checks: Vec<(String, JoinHandle<()>)>,
    listeners: Vec<Listener>,
    reports: Arc<Reports>,
    stop_timeout: Duration,
}

impl Supervisor {
    /// A supervisor that is to be started: give it breakers first.
    pub fn builder() -> SupervisorBuilder {
        SupervisorBuilder::new()
    }

    /// A read-only view of the breaker of this name; `None` if no breaker has it. Any thread may call this.
    pub fn observer(&self, name: &str) -> Option<Observer> {
        self.opener(name).map(|opener| opener.gate().observer())
    }

    /// A handle by which to ask the breaker of this name; `None` if no breaker has it. Any thread may call this.
    pub fn gate(&self, name: &str) -> Option<Gate> {
        self.opener(name).map(|opener| opener.gate().clone())
    }

    /// Opens a lane of the breaker of this name, with room for [`Breaker::LANE_CAPACITY`] calls; `None` if no breaker has the
    /// name. The owner hears the lane from its next poll on, and allocates nothing for it. Any thread may call this.
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

    /// A [`lane`](Self::lane) with room for so many calls: see [`Breaker::lane_with_capacity`].
    pub fn lane_with_capacity(&self, name: &str, capacity: u32) -> Option<Lane> {
        let opener = self.opener(name)?;
        let backoff = Backoff::new();
        loop {
            let lane = opener.open(capacity);
            self.wake_owner.unpark();
            // No lane could be opened: the owner has to take in first the lanes that others have opened.
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

    /// Counts of what went wrong since the start. Any thread may call this.
    pub fn faults(&self) -> Faults {
        self.reports.faults()
    }

    /// Stops, and gives the breakers back, in the order in which they were added.
    ///
    /// The breakers first take in what lanes were told before the stop. The listeners are told what comes of that, and
    /// everything that was journaled before. A check or listener that is still busy after
    /// [`stop_timeout`](SupervisorBuilder::stop_timeout) is left to itself ([`Fault::LeftRunning`]). Nothing else takes longer
    /// than a poll.
    pub fn stop(mut self) -> Vec<(String, Breaker)> {
        self.shut_down()
    }

    fn shut_down(&mut self) -> Vec<(String, Breaker)> {
        let Some(owner) = self.owner.take() else { return Vec::new() };
        self.stop.store(true, Ordering::Release);
        self.wake_owner.unpark();
        // The owner never waits for anybody. (Nothing in it panics. If it did, there would be no breakers to give back.)
        let owned = owner.join().unwrap_or_default();
        // This also ends the check threads, as nobody can ask them any more.
        let breakers = owned.into_iter().map(Owned::into_breaker).collect();
        // Now the journals are final. All listeners are told to stop before the first is waited for, so that they share the time.
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

/// Joins a thread that was told to end. If the thread hasn't ended by the deadline (`None` = never), lets go of it and returns
/// false.
fn join_by(thread: JoinHandle<()>, deadline: Option<Instant>) -> bool {
    if thread.thread().id() == thread::current().id() {
        return false; // its own listener drops it, and can't wait for itself
    }
    // The standard library can't join with a deadline.
    while !thread.is_finished() {
        if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
            return false;
        }
        thread::sleep(Duration::from_millis(1));
    }
    // The thread told of its panics when they happened. An error here is from dropping a check or a listener.
    let _ = thread.join();
    true
}
