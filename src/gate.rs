//! A handle to ask a breaker through, for any thread.

use crate::config::State;
use crate::ledger::Grants;
use crate::page::{Answer, Observer, Page};
use core::fmt;

/// Asks a breaker, from any thread: clone it, send it, share it.
///
/// It takes part in trials, too: all gates and the owner together never get more than the breaker grants.
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
}

impl Gate {
    pub(crate) fn new(observer: Observer) -> Self {
        Self { observer, grants: Grants::new() }
    }

    /// May an order be sent now? While closed this is one load and a branch.
    ///
    /// Ask for what adds risk. Don't ask for a cancel or a reduce-only order: refusing those would trap a position.
    /// While half-open, true means that a trial is granted: send it (the next call begun on any lane, or by the owner, is
    /// taken for it), or give it back by [`release`](Self::release).
    ///
    /// A gate fires no timers: how soon it lets trials pass after a pause is up to how often the owner polls. When the
    /// breaker is gone its gates show open and refuse (but in shadow, which refuses nothing): nobody watches any more.
    #[must_use = "a grant that is neither sent nor released is a lost trial"]
    #[inline]
    pub fn allow(&self) -> bool {
        self.observer.page.is_clear() || self.allow_unless_refused()
    }

    #[cold]
    #[inline(never)]
    fn allow_unless_refused(&self) -> bool {
        ask(&self.observer.page, &self.grants)
    }

    /// Gives back a trial that this handle was granted and that will not be sent: the one that it was granted last. It counts
    /// neither way, and may be granted again at once. Each grant is given back by a release of its own. Does nothing if
    /// there is no such trial.
    pub fn release(&self) {
        give_back(&self.observer.page, &self.grants);
    }

    /// The automatic state now; `None` if the gate holds a value that no version writes (calls are refused then).
    pub fn state(&self) -> Option<State> {
        self.observer.state()
    }

    /// True if trading is halted now.
    pub fn is_halted(&self) -> bool {
        self.observer.is_halted()
    }

    /// Refuses every call from now on, whatever the automatic state, until [`resume`](Self::resume). The gate is shut when
    /// this returns; the owner journals it at its next poll or refusal.
    pub fn halt(&self) {
        self.observer.page.halt();
    }

    /// Ends a halt. The automatic state decides again, as it went on meanwhile.
    pub fn resume(&self) {
        self.observer.page.resume();
    }

    /// A read-only view.
    pub fn observer(&self) -> Observer {
        self.observer.clone()
    }
}

/// Asks a gate that isn't simply closed, for the handle that has these grants.
pub(crate) fn ask(page: &Page, grants: &Grants) -> bool {
    match page.ask() {
        Answer::Pass => {
            // Under shadow it may be half-open all the same: there is nothing to release of this.
            grants.pass();
            true
        }
        Answer::Trial(epoch) => {
            grants.add(epoch);
            true
        }
        Answer::Refuse => false,
    }
}

/// Gives back what the handle was granted last.
pub(crate) fn give_back(page: &Page, grants: &Grants) {
    if let Some(epoch) = grants.take() {
        page.trials().give_back(epoch);
    }
}

impl Clone for Gate {
    /// The clone has no trial to release.
    fn clone(&self) -> Self {
        Self { observer: self.observer.clone(), grants: Grants::new() }
    }
}

impl fmt::Debug for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gate").field("state", &self.state()).field("halted", &self.is_halted()).finish()
    }
}
