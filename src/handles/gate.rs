//! Asking a breaker, halting it and resuming it, from any thread.

use super::Observer;
use crate::config::State;
use crate::halts::Halter;
use crate::ledger::Grants;
use crate::page::Page;
use crate::sync::Ordering;
use core::fmt;
use core::ops::Deref;

/// Asks a breaker, halts it and resumes it. It is an [`Observer`], too. Any thread may use a gate, clone it and send it.
///
/// A gate takes part in trials: all gates and the owner together never get more trials than the breaker grants.
///
/// [`Breaker::gate`](crate::Breaker::gate) gives a gate. So does `Gate::open`, by the path of a page in a file (feature `shm`).
///
/// ```
/// use trip99::{Breaker, Config};
///
/// let mut breaker = Breaker::new(Config::default())?;
/// let gate = breaker.gate();
/// let mut lane = breaker.lane();
/// let trader = std::thread::spawn(move || {
///     if gate.allow() {
///         let call = lane.begin(); // stamps the TSC
///         // send the order, await the answer ...
///         lane.end(call);
///     }
/// });
/// trader.join().expect("the trader panicked");
/// breaker.poll(); // takes in what lanes have sent
/// assert_eq!(breaker.snapshot().samples, 1);
/// # Ok::<(), trip99::ConfigError>(())
/// ```
pub struct Gate {
    observer: Observer,
    grants: Grants,
    halter: Halter,
}

impl Gate {
    pub(crate) fn new(observer: Observer, halter: Halter) -> Self {
        Self { observer, grants: Grants::default(), halter }
    }

    /// May an order be sent now? While the breaker is closed, the answer takes one load and a branch.
    ///
    /// Ask for what adds risk. Don't ask for a cancel or a reduce-only order: to refuse it would trap a position.
    /// While the breaker is half-open, true means that it grants a trial. Send the trial (the next call that begins on any lane, or
    /// that the owner begins, is taken for the trial), or give it back by [`release`](Self::release).
    ///
    /// A gate fires no timers. So how soon it lets trials pass after a pause depends on how often the owner polls. When the breaker
    /// is gone its gates show open and refuse, as nobody watches any more. (A breaker in shadow refuses nothing, even then.)
    #[must_use = "a grant that is neither sent nor released is a lost trial"]
    #[inline]
    pub fn allow(&self) -> bool {
        self.page.gate.0.is_clear() || self.allow_unless_refused()
    }

    #[cold]
    #[inline(never)]
    fn allow_unless_refused(&self) -> bool {
        self.page.ask(&self.grants)
    }

    /// Gives back the trial that this handle was granted last, as it will not be sent. The trial counts neither way, and may be
    /// granted again at once. Each grant needs a release of its own. This does nothing if there is no such trial.
    pub fn release(&self) {
        self.page.release(&self.grants);
    }

    /// Refuses every call from now on, whatever the automatic state, until [`resume`](Self::resume). The gate is shut when
    /// this returns. The owner journals the halt at its next poll or refusal.
    ///
    /// `reason` tells people why, in the [`halt_note`](Observer::halt_note). It may be empty; then the note of a halt that is in
    /// force stays. This waits for nobody.
    pub fn halt(&self, reason: &str) {
        self.page.halts.halt(&self.page.gate.0, self.halter, reason);
    }

    /// Ends a halt, whoever halted. The automatic state decides again; it went on meanwhile. The note of the halt stays.
    pub fn resume(&self) {
        self.page.halts.resume(&self.page.gate.0);
    }

    /// A read-only view of the same breaker.
    pub fn observer(&self) -> Observer {
        self.observer.clone()
    }
}

impl Deref for Gate {
    type Target = Observer;

    #[inline]
    fn deref(&self) -> &Observer {
        &self.observer
    }
}

impl Clone for Gate {
    /// The clone has no trials to release.
    fn clone(&self) -> Self {
        Self::new(self.observer.clone(), self.halter)
    }
}

impl fmt::Debug for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gate").field("state", &self.state()).field("halted", &self.is_halted()).finish()
    }
}

/// How gates and lanes ask when the gate's byte isn't 0. Any thread may.
impl Page {
    /// Asks for the handle that has these grants.
    pub(crate) fn ask(&self, grants: &Grants) -> bool {
        let Some(gate) = self.gate.0.read().filter(|gate| !gate.halted) else { return self.refuse() };
        let trial = match gate.state {
            // It passes without a trial, so there is nothing to release.
            State::Closed => {
                grants.pass();
                return true;
            }
            State::Open => None,
            State::HalfOpen => self.trials.0.take(),
        };
        match trial {
            Some(epoch) => grants.add(epoch),
            None if gate.shadow => self.pass_in_shadow(grants),
            None => return self.refuse(),
        }
        true
    }

    /// Asks for a lane that is too full. It refuses, unless the breaker is in shadow and not halted.
    pub(crate) fn ask_when_full(&self, grants: &Grants) -> bool {
        match self.gate.0.read() {
            Some(gate) if gate.shadow && !gate.halted => {
                self.pass_in_shadow(grants);
                true
            }
            _ => self.refuse(),
        }
    }

    /// Gives back the trial that the handle was granted last.
    pub(crate) fn release(&self, grants: &Grants) {
        if let Some(epoch) = grants.take() {
            self.trials.0.give_back(epoch);
        }
    }

    fn pass_in_shadow(&self, grants: &Grants) {
        self.counts.0.in_shadow.fetch_add(1, Ordering::Relaxed);
        grants.pass();
    }

    fn refuse(&self) -> bool {
        self.count_refusal();
        false
    }
}
