//! What a supervisor is made of, and how it starts.

use super::Supervisor;
use super::checks::{self, HealthCheck};
use super::error::{StartError, SupervisorError};
use super::faults::{Fault, OnFault, Reports};
use super::listeners::{Listen, Listener, Notice};
use super::owner::{self, Checks, Owned};
use crate::breaker::Breaker;
use crate::config::Recovery;
use core::fmt;
use crossbeam_utils::sync::Parker;
use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread;
use std::time::Duration;

/// One node: its name, its breaker and, if the breaker recovers by health checks, its check.
pub struct Node {
    name: String,
    breaker: Breaker,
    check: Option<Box<dyn HealthCheck>>,
    check_every: Option<Duration>,
}

impl Node {
    /// How far apart health checks begin by default, or a quarter of `probe_timeout` if that is less. Ten checks, the default
    /// of `probes`, then watch the node for a second.
    pub const CHECK_EVERY: Duration = Duration::from_millis(100);

    /// A node of this name. Take handles from the breaker ([`gate`](Breaker::gate), [`lane`](Breaker::lane),
    /// [`observer`](Breaker::observer)) before this.
    pub fn new(name: impl Into<String>, breaker: Breaker) -> Self {
        Self { name: name.into(), breaker, check: None, check_every: None }
    }

    /// Has the node checked while its breaker is half-open. The breaker must recover by [`Recovery::HealthChecks`].
    ///
    /// If such a breaker has no check, somebody else has to report results through a [`Lane`](crate::Lane).
    #[must_use]
    pub fn health_check(mut self, check: impl HealthCheck + 'static) -> Self {
        self.check = Some(Box::new(check));
        self
    }

    /// Sets how far apart health checks begin: less than the breaker's `probe_timeout`. A check that takes longer than this puts
    /// the next one off until it is back. With zero the next check begins as soon as the supervisor sees that the last is back.
    #[must_use]
    pub fn check_every(mut self, spacing: Duration) -> Self {
        self.check_every = Some(spacing);
        self
    }

    fn probe_timeout(&self) -> Duration {
        Duration::from_nanos(self.breaker.config().probe_timeout_ns)
    }

    fn spacing(&self) -> Duration {
        self.check_every.unwrap_or_else(|| Self::CHECK_EVERY.min(self.probe_timeout() / 4))
    }

    fn validate(&self) -> Result<(), SupervisorError> {
        let name = || self.name.clone();
        if self.name.is_empty() {
            Err(SupervisorError::NoName)
        } else if self.check.is_none() {
            Ok(())
        } else if self.breaker.config().recovery != Recovery::HealthChecks {
            Err(SupervisorError::NeverChecked { breaker: name() })
        } else if self.spacing() >= self.probe_timeout() {
            Err(SupervisorError::CheckEvery { breaker: name(), spacing: self.spacing(), limit: self.probe_timeout() })
        } else {
            Ok(())
        }
    }
}

impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Node").field("name", &self.name).field("breaker", &self.breaker).finish_non_exhaustive()
    }
}

/// A supervisor that is to be started; see [`Supervisor`].
#[must_use = "does nothing until it is started"]
pub struct SupervisorBuilder {
    nodes: Vec<Node>,
    interval: Duration,
    listeners: Vec<Listen>,
    listen_every: Duration,
    on_fault: Option<OnFault>,
    stop_timeout: Duration,
}

impl SupervisorBuilder {
    pub(super) fn new() -> Self {
        Self {
            nodes: Vec::new(),
            interval: Duration::from_millis(1),
            listeners: Vec::new(),
            listen_every: Listener::INTERVAL,
            on_fault: None,
            stop_timeout: Duration::from_secs(5),
        }
    }

    /// Adds a breaker without a health check. Listeners and observers know the breaker by its name, so no two may have the same.
    pub fn breaker(self, name: impl Into<String>, breaker: Breaker) -> Self {
        self.node(Node::new(name, breaker))
    }

    /// Adds a node: a breaker, and how it is checked.
    pub fn node(mut self, node: Node) -> Self {
        self.nodes.push(node);
        self
    }

    /// Sets how often the owner polls its breakers; 1 ms by default. A report through a lane waits for the next poll, and so
    /// does the journal's entry of a halt. A gate shows a halt at once. A timer that is due before the next poll wakes the
    /// owner, and so does the result of a health check.
    ///
    /// Zero is [`busy`](Self::busy).
    pub fn interval(mut self, interval: Duration) -> Self {
        self.interval = interval;
        self
    }

    /// The owner polls without a pause, which takes a whole CPU.
    pub fn busy(self) -> Self {
        self.interval(Duration::ZERO)
    }

    /// Adds a closure that is told each event of each breaker, with the breaker's name. The events of one breaker come in order,
    /// from the oldest that its journal still has. [`Listener`] says what the closure may do.
    ///
    /// Each listener has a thread of its own. A listener that is slow or panics delays nobody else.
    pub fn listener(mut self, listener: impl FnMut(&str, Notice) + Send + 'static) -> Self {
        self.listeners.push(Box::new(listener));
        self
    }

    /// Sets how often listeners look for events; [`Listener::INTERVAL`] by default.
    pub fn listen_every(mut self, interval: Duration) -> Self {
        self.listen_every = interval;
        self
    }

    /// Sets a closure that is told what goes wrong, as it happens, on the thread where it happens. [`Supervisor::faults`] has the
    /// counts. (The panic hook prints panics, whether this is set or not.)
    ///
    /// ```
    /// use trip99::{Breaker, Config, Supervisor};
    ///
    /// let supervisor = Supervisor::builder()
    ///     .breaker("gateway", Breaker::new(Config::default())?)
    ///     .on_fault(|fault| eprintln!("{fault}"))
    ///     .start()?;
    /// assert_eq!(supervisor.faults().checks_failed, 0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn on_fault(mut self, on_fault: impl Fn(&Fault<'_>) + Send + Sync + 'static) -> Self {
        self.on_fault = Some(Box::new(on_fault));
        self
    }

    /// Sets for how long, in all, stopping waits for checks and listeners that are busy; 5 s by default. `Duration::MAX` waits
    /// for ever: choose it if you free what the closures use.
    pub fn stop_timeout(mut self, timeout: Duration) -> Self {
        self.stop_timeout = timeout;
        self
    }

    /// Starts the threads: one that owns the breakers, one for each health check and one for each listener.
    ///
    /// # Errors
    /// There is no breaker, a name is empty or not the only one, a check would never run or come too late, or the operating
    /// system refuses a thread. The error gives the breakers back: [`StartError::into_breakers`].
    pub fn start(mut self) -> Result<Supervisor, StartError> {
        let started = self.validate().and_then(|()| {
            let (hand_over, handed) = sync_channel(1);
            let mut supervisor = self.start_owner(handed)?;
            match self.start_callers(&mut supervisor) {
                Ok(checks) => Ok((supervisor, hand_over, checks)),
                Err(error) => {
                    // So the owner ends. Dropping the supervisor then stops the threads that did start.
                    drop(hand_over);
                    Err(SupervisorError::Thread(error))
                }
            }
        });
        match started {
            Ok((supervisor, hand_over, checks)) => {
                let owned = self.nodes.into_iter().zip(checks);
                let owned = owned.map(|(node, checks)| Owned { name: node.name, breaker: node.breaker, checks });
                // The owner waits for this message.
                let _ = hand_over.send(owned.collect());
                Ok(supervisor)
            }
            Err(error) => {
                let breakers = self.nodes.into_iter().map(|node| (node.name, node.breaker)).collect();
                Err(StartError::new(error, breakers))
            }
        }
    }

    /// Starts the owner's thread. It waits for the breakers, which it gets when all other threads are there.
    fn start_owner(&mut self, handed: Receiver<Vec<Owned>>) -> Result<Supervisor, SupervisorError> {
        let stop = Arc::new(AtomicBool::new(false));
        let (told_to_stop, interval) = (Arc::clone(&stop), self.interval);
        let parker = Parker::new();
        let wake_owner = parker.unparker().clone();
        let owner = thread::Builder::new()
            .name("trip99-owner".to_owned())
            .spawn(move || {
                let run = |owned| owner::run(owned, interval, &told_to_stop, &parker);
                handed.recv().map_or_else(|_| Vec::new(), run)
            })
            .map_err(SupervisorError::Thread)?;
        Ok(Supervisor {
            owner: Some(owner),
            stop,
            wake_owner,
            openers: self.nodes.iter_mut().map(|node| (node.name.clone(), node.breaker.opener())).collect(),
            checks: Vec::new(),
            listeners: Vec::new(),
            reports: Arc::new(Reports::new(self.on_fault.take())),
            stop_timeout: self.stop_timeout,
        })
    }

    /// Starts the threads of listeners and checks.
    fn start_callers(&mut self, supervisor: &mut Supervisor) -> io::Result<Vec<Option<Checks>>> {
        let reports = &supervisor.reports;
        for listen in self.listeners.drain(..) {
            let sources = supervisor.openers.iter();
            let sources = sources.map(|(name, opener)| (name.clone(), opener.gate().observer().events()));
            let listener = Listener::follow(sources.collect(), self.listen_every, listen, Arc::clone(reports))?;
            supervisor.listeners.push(listener);
        }
        let mut checks = Vec::new();
        for node in &mut self.nodes {
            let (timeout, spacing) = (node.probe_timeout(), node.spacing());
            checks.push(match node.check.take() {
                None => None,
                Some(check) => {
                    // There is one result at a time.
                    let lane = node.breaker.lane_with_capacity(4);
                    let (checks, asked) = Checks::new(spacing);
                    let (name, owner) = (node.name.clone(), supervisor.wake_owner.clone());
                    let thread = checks::spawn(name, check, timeout, lane, asked, owner, Arc::clone(reports))?;
                    supervisor.checks.push((node.name.clone(), thread));
                    Some(checks)
                }
            });
        }
        Ok(checks)
    }

    fn validate(&self) -> Result<(), SupervisorError> {
        if self.nodes.is_empty() {
            return Err(SupervisorError::NoBreakers);
        }
        for (index, node) in self.nodes.iter().enumerate() {
            node.validate()?;
            if self.nodes.iter().take(index).any(|earlier| earlier.name == node.name) {
                return Err(SupervisorError::SameName { breaker: node.name.clone() });
            }
        }
        Ok(())
    }
}

impl fmt::Debug for SupervisorBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SupervisorBuilder")
            .field("nodes", &self.nodes)
            .field("interval", &self.interval)
            .field("listeners", &self.listeners.len())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    fn node(probe_timeout: Duration) -> Node {
        let probe_timeout_ns = super::super::to_ns(probe_timeout);
        let config =
            Config { recovery: Recovery::HealthChecks, recover_threshold_ns: 1, probe_timeout_ns, ..Config::default() };
        let breaker = Breaker::new(config).expect("a legal config");
        Node::new("gateway", breaker).health_check(|_timeout: Duration| Ok(()))
    }

    const MS: fn(u64) -> Duration = Duration::from_millis;

    #[test]
    fn checks_are_as_far_apart_as_asked_or_a_quarter_of_the_probe_timeout() {
        for (probe_timeout, asked, spacing) in [
            (MS(2000), None, MS(100)),
            (MS(400), None, MS(100)),
            (MS(396), None, MS(99)),
            (MS(8), None, MS(2)),
            (MS(2000), Some(MS(1999)), MS(1999)),
            (MS(2000), Some(MS(7)), MS(7)),
            (MS(2000), Some(Duration::ZERO), Duration::ZERO),
        ] {
            let node = node(probe_timeout);
            let node = match asked {
                Some(spacing) => node.check_every(spacing),
                None => node,
            };
            assert_eq!(node.spacing(), spacing, "{asked:?} of {probe_timeout:?}");
            assert!(node.validate().is_ok(), "{asked:?} of {probe_timeout:?}");
        }
    }

    #[test]
    fn checks_as_far_apart_as_the_probe_timeout_are_a_mistake() {
        for spacing in [MS(2000), MS(2001), Duration::MAX] {
            let node = node(MS(2000)).check_every(spacing);
            assert!(matches!(node.validate(), Err(SupervisorError::CheckEvery { .. })), "{spacing:?}");
        }
        assert!(node(MS(2000)).check_every(MS(2000) - Duration::from_nanos(1)).validate().is_ok());
    }

    /// What the node says reaches the thread that asks.
    #[test]
    fn the_spacing_is_the_one_that_is_used() {
        let mut builder = SupervisorBuilder::new()
            .node(node(MS(2000)).check_every(MS(7)))
            .node(node(MS(8)))
            .breaker("unchecked", Breaker::new(Config::default()).expect("a legal config"));
        let (hand_over, handed) = sync_channel(1);
        drop(hand_over); // so that the owner doesn't wait for breakers
        let mut supervisor = builder.start_owner(handed).expect("a thread");
        let checks = builder.start_callers(&mut supervisor).expect("threads");
        let spacings: Vec<_> = checks.iter().map(|checks| checks.as_ref().map(Checks::every_ns)).collect();
        assert_eq!(spacings, [Some(7_000_000), Some(2_000_000), None]);
    }
}
