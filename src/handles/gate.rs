//! Asking a breaker, halting it and resuming it, from any thread.

use super::Observer;
use super::halting::{Halted, Holders, Presence, Resumed, Signature};
use crate::clock::wall_ns;
use crate::config::State;
use crate::holder::Holder;
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
    signature: Signature,
}

impl Gate {
    pub(crate) fn new(observer: Observer, signature: Signature) -> Self {
        Self { observer, grants: Grants::default(), signature }
    }

    /// May an order be sent now? While the breaker is closed, the answer takes one load and a branch.
    ///
    /// Ask for what adds risk. Don't ask for a cancel or a reduce-only order: to refuse it would trap a position.
    /// While the breaker is half-open, true means that it grants a trial. Send the trial (the next call that begins on any lane, or
    /// that the owner begins, is taken for the trial), or give it back by [`release`](Self::release).
    ///
    /// A gate fires no timers. So how soon it lets trials pass after a pause depends on how often the owner polls. When the breaker
    /// is gone its gates show open and refuse for ever, in shadow, too: nobody watches any more. A gate that was opened by a path belongs
    /// to the page: it refuses until the page has an owner again.
    #[must_use = "a grant that is neither sent nor released is a lost trial"]
    #[inline]
    pub fn allow(&self) -> bool {
        self.page.gate().is_clear() || self.allow_unless_refused()
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

    /// Refuses every call from now on, whatever the automatic state, until the halt is lifted. The gate is shut when this returns. The
    /// owner's next poll journals the halt. This waits for nobody.
    ///
    /// The halt is the engine's own ([`Holder::ENGINE`]) if a breaker gave this gate. If the gate was opened by a path, the halt is that of
    /// the user who runs this process (`USER@HOST`). [`halt_as`](Self::halt_as) halts in another name.
    ///
    /// `reason` tells people why, in [`holders`](Observer::holders) and in the operators' log. It may be empty.
    pub fn halt(&self, reason: &str) -> Halted {
        self.halt_as(self.signature.holder, reason)
    }

    /// As [`halt`](Self::halt), in the name of this holder. Threads that halt for themselves each have a name of their own:
    /// [`Holder::engine`]. Sixteen names have a halt of their own, for the page's life; those that come later share
    /// [`Holder::OTHERS`].
    ///
    /// ```
    /// use trip99::{Breaker, Config, Holder};
    ///
    /// let mut breaker = Breaker::new(Config::default())?;
    /// let gate = breaker.gate();
    /// gate.halt_as(Holder::engine("risk"), "position limit");
    /// gate.halt("session lost");
    /// gate.resume("session is back");
    /// breaker.poll();
    /// assert!(!gate.allow(), "risk still holds its halt");
    /// gate.resume_as(Holder::engine("risk"), "limit raised");
    /// breaker.poll();
    /// assert!(gate.allow());
    /// # Ok::<(), trip99::ConfigError>(())
    /// ```
    pub fn halt_as(&self, holder: Holder, reason: &str) -> Halted {
        match (self.page.halt(&self.signature.act(holder, reason, wall_ns())), self.signature.presence(&self.page)) {
            (Halted::Done, Presence::NoOwner) => Halted::NoOwner,
            (Halted::Done, Presence::Replaced) => Halted::Replaced,
            (halted, _) => halted,
        }
    }

    /// Lifts the halt of this gate's own holder: see [`halt`](Self::halt). When nobody else holds one, the owner's next poll lets the
    /// automatic state decide again; it went on meanwhile. `reason` tells people why, in the operators' log.
    pub fn resume(&self, reason: &str) -> Resumed {
        self.resume_as(self.signature.holder, reason)
    }

    /// Lifts the halt of this holder.
    pub fn resume_as(&self, holder: Holder, reason: &str) -> Resumed {
        let resumed = self.page.resume(&self.signature.act(holder, reason, wall_ns()));
        self.told(resumed)
    }

    /// What to tell of a resume, as far as an owner is there.
    fn told(&self, resumed: Resumed) -> Resumed {
        match (resumed, self.signature.presence(&self.page)) {
            (Resumed::Done, Presence::NoOwner | Presence::Replaced) => Resumed::NoOwner,
            (resumed, _) => resumed,
        }
    }

    /// Lifts the halt of the holder at this place of the list, if nobody has halted or resumed since the list was made. The list is
    /// brought up to date with what this did, so that several halts of one list can be lifted.
    pub fn resume_listed(&self, list: &mut Holders, place: usize, reason: &str) -> Resumed {
        let (Some(&slot), Some(note)) = (list.slots.get(place), list.notes().get(place)) else {
            return Resumed::NotHeld;
        };
        let holder = note.holder.unwrap_or(Holder::OTHERS);
        let act = self.signature.act(holder, reason, wall_ns());
        match self.page.resume_from(list.held, slot, &act) {
            Err(_) => Resumed::Changed,
            Ok(resumed) => {
                if let Some(held) = list.held.lifted(slot) {
                    list.held = held;
                }
                self.told(resumed)
            }
        }
    }

    /// The name in which this gate halts.
    pub fn holder(&self) -> Holder {
        self.signature.holder
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
        Self::new(self.observer.clone(), self.signature)
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
        let Some(gate) = self.gate().read().filter(|gate| !gate.refuses_all()) else { return self.refuse() };
        let trial = match gate.state {
            // It passes without a trial, so there is nothing to release.
            State::Closed => {
                grants.pass();
                return true;
            }
            State::Open => None,
            State::HalfOpen => self.board().trials.0.take(),
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
        match self.gate().read() {
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
            self.board().trials.0.give_back(epoch);
        }
    }

    fn pass_in_shadow(&self, grants: &Grants) {
        self.board().counts.0.in_shadow.fetch_add(1, Ordering::Relaxed);
        grants.pass();
    }

    fn refuse(&self) -> bool {
        self.count_refusal();
        false
    }
}
