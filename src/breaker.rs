//! The breaker: what its owner may do.

mod control;
mod inner;
mod lanes;
mod machine;
#[cfg(all(test, not(loom)))]
mod scribbles;
#[cfg(feature = "shm")]
mod shared;
mod stand_in;

use crate::clock::Clock;
use crate::config::{Config, ConfigError};
use crate::gate::GateByte;
use crate::handle::Handle;
use crate::tickets::Call;
use core::fmt;
use inner::Inner;
use machine::Machine;

/// A latency circuit breaker for one node, owned by one thread.
///
/// Each operation that takes note of the time has two forms. The `_at(now_ns)` form does the work; the plain form reads the
/// clock and calls it. Don't mix the two forms on one breaker, unless `now_ns` comes from [`now_ns`](Self::now_ns).
/// A `now_ns` before the latest time seen counts as the latest time seen, so that deadlines and ages never run backwards. But when
/// eight of the latest 64 operations come from more than a second before that, the latest time seen was wrong. Then the breaker
/// goes on by the new time: what it was told before is forgotten, and it opens
/// ([`Reason::ClockJumped`](crate::Reason::ClockJumped)).
///
/// The plain forms of `abandon`, `release`, `quantile_ns` and `reconfigure` read no clock, as these operations fire no timers.
/// Like `snapshot`, they are as of the latest time seen, so they mix with both forms.
///
/// After construction no operation allocates, locks or panics. None makes a system call, except to read the time: a plain form may
/// make one where the clock is the operating system's (see [`Snapshot::clock`](crate::Snapshot::clock)), and so may an event, which
/// has the wall time, where the kernel's clock source is none that the vDSO reads. (Without the feature `shm`, std reads the wall
/// time. It panics if the operating system can't tell the time, which Linux always can.)
///
/// ```
/// use trip99::{Breaker, Config, State};
///
/// let mut breaker = Breaker::new(Config::default())?;
/// for _ in 0..3 {
///     if breaker.allow() {
///         let call = breaker.begin();
///         let answered = true; // send the order, await the answer ...
///         if answered { breaker.end(call) } else { breaker.fail(call) }
///     }
///     breaker.poll(); // timers: once each turn of the loop
/// }
/// assert_eq!(breaker.state(), State::Closed);
/// # Ok::<(), trip99::ConfigError>(())
/// ```
pub struct Breaker {
    /// Beside the rest, as nothing that is called out of line gets at it: so a loop keeps the address in a register, and `allow` is one
    /// load.
    gate: Handle<GateByte>,
    inner: Box<Inner>,
}

impl Breaker {
    /// Makes a breaker with these settings, and allocates all that the breaker will ever use. The first breaker of a process also
    /// calibrates the TSC, which takes up to 200 ms. So make breakers at start-up.
    ///
    /// # Errors
    /// [`ConfigError`] names the first field of `config` that is out of its range.
    pub fn new(config: Config) -> Result<Self, ConfigError> {
        config.validate()?;
        Ok(Self::with_legal(config))
    }

    fn with_legal(config: Config) -> Self {
        let clock = Clock::new();
        let machine = Machine::new(config, &clock);
        let gate = machine.outlet.gate_handle();
        let inner = Inner {
            machine,
            clock,
            is_shared: false,
            arrivals: None,
            has_ended: false,
            ends_uncleanly: false,
            stands_in_for: None,
        };
        Self { gate, inner: Box::new(inner) }
    }

    /// May an order be sent now? While the breaker is closed, the answer takes one load and a branch.
    ///
    /// Ask for what adds risk. Don't ask for a cancel or a reduce-only order: to refuse it would trap a position.
    /// While the breaker is half-open, true means that it grants a trial. Send the trial, or give it back by
    /// [`release`](Self::release).
    #[must_use = "a grant that is neither sent nor released is a lost trial"]
    #[inline]
    pub fn allow(&mut self) -> bool {
        self.gate.is_clear() || self.inner.ask()
    }

    /// [`allow`](Self::allow) at a given time.
    #[must_use = "a grant that is neither sent nor released is a lost trial"]
    #[inline]
    pub fn allow_at(&mut self, now_ns: u64) -> bool {
        self.gate.is_clear() || self.inner.ask_at(now_ns)
    }

    /// Tells that a call is sent, and returns its ticket. Give the ticket back once, by [`end`](Self::end),
    /// [`fail`](Self::fail) or [`abandon`](Self::abandon). A call that nobody asked for (a cancel) may begin, too.
    #[inline]
    pub fn begin(&mut self) -> Call {
        self.begin_at(self.inner.clock.now_ns())
    }

    /// [`begin`](Self::begin) at a given time.
    #[inline(always)] // or it is a second call in the C library, which has two callers of it
    pub fn begin_at(&mut self, now_ns: u64) -> Call {
        self.inner.begin_at(now_ns)
    }

    /// Tells that the call came back with an answer. A business reject is an answer.
    #[inline]
    pub fn end(&mut self, call: Call) {
        self.end_at(self.inner.clock.now_ns(), call);
    }

    /// [`end`](Self::end) at a given time.
    #[inline(always)] // as `begin_at`
    pub fn end_at(&mut self, now_ns: u64, call: Call) {
        self.inner.finish_at(now_ns, call, true);
    }

    /// Tells that the venue or the transport failed the call: timeout, disconnect, system error.
    #[inline]
    pub fn fail(&mut self, call: Call) {
        self.fail_at(self.inner.clock.now_ns(), call);
    }

    /// [`fail`](Self::fail) at a given time.
    #[inline(always)] // as `begin_at`
    pub fn fail_at(&mut self, now_ns: u64, call: Call) {
        self.inner.finish_at(now_ns, call, false);
    }

    /// Tells that the call was not sent after all, or that nobody wants to know how it ends. It makes no sample. If it was a trial,
    /// the trial counts neither way.
    pub fn abandon(&mut self, call: Call) {
        self.inner.take_back(call);
    }

    /// [`abandon`](Self::abandon) at a given time. It fires no timers.
    pub fn abandon_at(&mut self, now_ns: u64, call: Call) {
        self.inner.machine.note(now_ns);
        self.inner.take_back(call);
    }

    /// Tells that a call without a ticket came back with an answer after so many nanoseconds.
    #[inline]
    pub fn record(&mut self, latency_ns: u64) {
        self.record_at(self.inner.clock.now_ns(), latency_ns);
    }

    /// [`record`](Self::record) at the time of the answer.
    #[inline]
    pub fn record_at(&mut self, now_ns: u64, latency_ns: u64) {
        self.inner.record_result_at(now_ns, latency_ns, true);
    }

    /// Tells that a call without a ticket failed after so many nanoseconds.
    #[inline]
    pub fn record_failure(&mut self, latency_ns: u64) {
        self.record_failure_at(self.inner.clock.now_ns(), latency_ns);
    }

    /// [`record_failure`](Self::record_failure) at the time of the failure.
    #[inline]
    pub fn record_failure_at(&mut self, now_ns: u64, latency_ns: u64) {
        self.inner.record_result_at(now_ns, latency_ns, false);
    }

    /// Tells the result of a health check. It counts only while the breaker is half-open and recovers by
    /// [`Recovery::HealthChecks`](crate::Recovery::HealthChecks). Otherwise it is stale.
    pub fn record_probe(&mut self, latency_ns: u64, ok: bool) {
        self.record_probe_at(self.inner.clock.now_ns(), latency_ns, ok);
    }

    /// [`record_probe`](Self::record_probe) at the time of the result.
    pub fn record_probe_at(&mut self, now_ns: u64, latency_ns: u64, ok: bool) {
        self.inner.run_timers(now_ns);
        self.inner.machine.take_probe(now_ns, latency_ns, ok);
    }

    /// Gives back a trial that [`allow`](Self::allow) granted and that will not be sent. The trial counts neither way.
    ///
    /// This does nothing if no grant is pending.
    pub fn release(&mut self) {
        self.inner.machine.give_back_trial(false);
    }

    /// [`release`](Self::release) at a given time. It fires no timers.
    pub fn release_at(&mut self, now_ns: u64) {
        self.inner.machine.note(now_ns);
        self.release();
    }

    /// Takes in what lanes have sent, fires the timers that are due, and journals halts and resumes that came from elsewhere.
    ///
    /// It is cheap enough for every turn of a loop. Without it a breaker notices calls that never return, and recovers, only when
    /// it is asked or told something.
    #[inline]
    pub fn poll(&mut self) {
        self.poll_at(self.inner.clock.now_ns());
    }

    /// [`poll`](Self::poll) at a given time.
    #[inline]
    pub fn poll_at(&mut self, now_ns: u64) {
        self.inner.poll_at(now_ns);
    }
}

impl Breaker {
    /// Ends at this time, as dropping the breaker does at the process's own. It is for an owner with a time of its own.
    pub fn destroy_at(mut self, now_ns: u64) {
        self.inner.destroy(now_ns, true);
    }
}

impl fmt::Debug for Breaker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Breaker").field("config", self.config()).field("snapshot", &self.snapshot()).finish()
    }
}
