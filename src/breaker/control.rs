//! What else the owner may do: look at the breaker, halt it, change its settings.

use super::Breaker;
use crate::clock::wall_ns;
use crate::config::{Config, ConfigError, State};
use crate::handles::{Events, Observer, Resumed};
use crate::holder::Holder;
use crate::snapshot::Snapshot;
use crate::tap::Tap;

impl Breaker {
    /// The automatic state.
    #[inline]
    pub fn state(&self) -> State {
        self.inner.machine.state
    }

    /// A quantile of what a verdict sees, as of the latest time seen: of the window and, while the breaker is closed, of the
    /// overdue calls. It is exact, by nearest rank.
    ///
    /// `quantile_ppm` is 990 000 for the P99. 0 asks for the least latency, 1 000 000 and above for the greatest. The answer is
    /// `None` if a verdict sees nothing. This takes time in proportion to the window.
    pub fn quantile_ns(&mut self, quantile_ppm: u32) -> Option<u64> {
        self.inner.machine.quantile_ns(quantile_ppm)
    }

    /// [`quantile_ns`](Self::quantile_ns) at a given time. It fires no timers.
    pub fn quantile_ns_at(&mut self, now_ns: u64, quantile_ppm: u32) -> Option<u64> {
        self.inner.machine.note(now_ns);
        self.quantile_ns(quantile_ppm)
    }

    /// Everything else that there is to know, as of the latest time seen.
    pub fn snapshot(&self) -> Snapshot {
        self.inner.machine.snapshot()
    }

    /// A reader of the events. It begins with the oldest event that the journal still has.
    pub fn events(&self) -> Events {
        self.observer().events()
    }

    /// A reader of the tap: how each call went, refused asks among them. It begins with the oldest row that is there. `None` if
    /// [`tap_len`](field@Config::tap_len) is 0. With a tap each call costs some nanoseconds more.
    pub fn tap(&self) -> Option<Tap> {
        self.observer().tap()
    }

    /// A read-only view for other threads.
    pub fn observer(&self) -> Observer {
        self.inner.machine.outlet.observer()
    }

    /// Refuses every call from now on, whatever the automatic state, until [`resume`](Self::resume).
    ///
    /// The halt is the engine's own ([`Holder::ENGINE`]). `reason` tells people why, in [`holders`](Observer::holders) and in the
    /// operators' log. It may be empty. The event comes at once.
    pub fn halt(&mut self, reason: &str) {
        self.halt_at(self.inner.clock.now_ns(), reason);
    }

    /// [`halt`](Self::halt) at a given time. It fires no timers.
    pub fn halt_at(&mut self, now_ns: u64, reason: &str) {
        self.halt_as_at(now_ns, Holder::ENGINE, reason);
    }

    /// Lifts the engine's own halt. If nobody else holds one, the automatic state decides again, at once; it went on meanwhile. `reason`
    /// tells people why, in the operators' log.
    pub fn resume(&mut self, reason: &str) -> Resumed {
        self.resume_at(self.inner.clock.now_ns(), reason)
    }

    /// [`resume`](Self::resume) at a given time. It fires no timers.
    pub fn resume_at(&mut self, now_ns: u64, reason: &str) -> Resumed {
        self.resume_as_at(now_ns, Holder::ENGINE, reason)
    }

    /// As [`halt_at`](Self::halt_at), in the name of this holder.
    pub fn halt_as_at(&mut self, now_ns: u64, holder: Holder, reason: &str) {
        self.inner.machine.outlet.halt(holder, reason, wall_ns());
        self.note_halts_at(now_ns);
    }

    /// As [`resume_at`](Self::resume_at): lifts the halt of this holder.
    pub fn resume_as_at(&mut self, now_ns: u64, holder: Holder, reason: &str) -> Resumed {
        let resumed = self.inner.machine.outlet.resume(holder, reason, wall_ns());
        self.note_halts_at(now_ns);
        resumed
    }

    /// Journals the halts and resumes that are told of, whoever's they are.
    pub(crate) fn note_halts_at(&mut self, now_ns: u64) {
        self.inner.machine.note(now_ns);
        self.inner.machine.note_halts();
    }

    /// Tells others how many orders rest at the venue: see [`Observer::resting`]. So who halts sees whether they are gone. This is one
    /// store.
    ///
    /// ```
    /// use trip99::{Breaker, Config};
    ///
    /// let mut breaker = Breaker::new(Config::default())?;
    /// let observer = breaker.observer();
    /// assert_eq!(observer.resting(), None);
    /// breaker.set_resting(0);
    /// assert_eq!(observer.resting(), Some(0));
    /// drop(breaker);
    /// assert_eq!(observer.resting(), None);
    /// # Ok::<(), trip99::ConfigError>(())
    /// ```
    pub fn set_resting(&mut self, orders: u64) {
        self.inner.machine.outlet.set_resting(orders);
    }

    /// The end of this breaker is unclean, whatever its state will be: for languages whose exceptions Rust doesn't see unwind. A page in a
    /// file then comes back open, as after a crash.
    pub fn end_uncleanly(&mut self) {
        self.inner.ends_uncleanly = true;
    }

    /// Opens a closed or half-open breaker at once, as if a rule had held. It is for what the owner knows better than any sample, such
    /// as a lost session. While the breaker is open this does nothing.
    pub fn trip(&mut self) {
        self.trip_at(self.inner.clock.now_ns());
    }

    /// [`trip`](Self::trip) at a given time. It fires no timers.
    pub fn trip_at(&mut self, now_ns: u64) {
        self.inner.machine.note(now_ns);
        self.inner.machine.trip();
    }

    /// Changes the settings. State, window, attempt and calls in flight survive.
    ///
    /// A new threshold recounts the window and the overdue calls at once, and the next sample is judged by it. A pause under way
    /// keeps its deadline. A half-open epoch keeps its `recovery`, `probes` and `trials_in_flight`. `jitter_seed` is not used
    /// again.
    ///
    /// # Errors
    /// [`ConfigError`] names the first field that is out of its range, or that is fixed at construction and differs. Nothing is
    /// changed then.
    pub fn reconfigure(&mut self, config: &Config) -> Result<(), ConfigError> {
        config.validate_change(self.config())?;
        self.inner.machine.set_limits(config);
        Ok(())
    }

    /// [`reconfigure`](Self::reconfigure) at a given time. It fires no timers.
    ///
    /// # Errors
    /// As `reconfigure`.
    pub fn reconfigure_at(&mut self, now_ns: u64, config: &Config) -> Result<(), ConfigError> {
        config.validate_change(self.config())?;
        self.inner.machine.note(now_ns);
        self.inner.machine.set_limits(config);
        Ok(())
    }

    /// When [`poll_at`](Self::poll_at) will next have work, on the breaker's clock. The time may be past. `u64::MAX` means never.
    ///
    /// A breaker with gates or lanes, or whose page another process asks, has work at least each half of `owner_timeout`: a poll is its
    /// sign of life.
    pub fn next_deadline_ns(&self) -> u64 {
        let deadline_ns = self.inner.machine.next_deadline_ns();
        let machine = &self.inner.machine;
        if self.inner.is_shared {
            deadline_ns.min(machine.sign_of_life_by_ns(machine.polled_ns))
        } else if machine.outlet.is_asked() {
            deadline_ns.min(machine.sign_of_life_by_ns(machine.beat_ns))
        } else {
            deadline_ns
        }
    }

    /// The time on the breaker's clock, for `_at` operations, in nanoseconds from an arbitrary origin. All breakers of a process
    /// have the same origin.
    #[inline]
    pub fn now_ns(&self) -> u64 {
        self.inner.clock.now_ns()
    }

    /// The clock, for C's functions that any thread may call.
    pub(crate) fn clock(&self) -> &crate::clock::Clock {
        &self.inner.clock
    }

    /// The settings in force.
    pub fn config(&self) -> &Config {
        &self.inner.machine.config
    }
}
