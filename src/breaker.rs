//! The breaker: what its owner may do. The hot path is here. The state machine (`machine`) is the cold half.

mod control;
mod lanes;
mod machine;
#[cfg(all(test, not(loom)))]
mod scribbles;
#[cfg(feature = "shm")]
mod shared;
mod stand_in;

use crate::clock::Clock;
use crate::config::{Config, ConfigError, State};
use crate::in_flight::Returned;
use crate::openings::Arrivals;
use crate::page::Page;
use crate::tickets::Call;
use core::fmt;
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
    machine: Machine,
    clock: Clock,
    /// True once a gate or a lane was made: other threads may take part.
    is_shared: bool,
    /// The owner's end of the desk where lanes are opened; `None` before the first lane.
    arrivals: Option<Box<Arrivals>>,
    has_ended: bool,
    /// The end is unclean, whatever the state.
    ends_uncleanly: bool,
    /// The page of the breaker that this one stands in for, if this one is a stand-in.
    stands_in_for: Option<Page>,
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
        Self {
            machine,
            clock,
            is_shared: false,
            arrivals: None,
            has_ended: false,
            ends_uncleanly: false,
            stands_in_for: None,
        }
    }

    /// May an order be sent now? While the breaker is closed, the answer takes one load and a branch.
    ///
    /// Ask for what adds risk. Don't ask for a cancel or a reduce-only order: to refuse it would trap a position.
    /// While the breaker is half-open, true means that it grants a trial. Send the trial, or give it back by
    /// [`release`](Self::release).
    #[must_use = "a grant that is neither sent nor released is a lost trial"]
    #[inline]
    pub fn allow(&mut self) -> bool {
        self.machine.outlet.gate().is_clear() || self.allow_unless_refused(self.clock.now_ns())
    }

    /// [`allow`](Self::allow) at a given time.
    #[must_use = "a grant that is neither sent nor released is a lost trial"]
    #[inline]
    pub fn allow_at(&mut self, now_ns: u64) -> bool {
        self.machine.outlet.gate().is_clear() || self.allow_unless_refused(now_ns)
    }

    /// Tells that a call is sent, and returns its ticket. Give the ticket back once, by [`end`](Self::end),
    /// [`fail`](Self::fail) or [`abandon`](Self::abandon). A call that nobody asked for (a cancel) may begin, too.
    #[inline]
    pub fn begin(&mut self) -> Call {
        self.begin_at(self.clock.now_ns())
    }

    /// [`begin`](Self::begin) at a given time.
    #[inline(always)] // or it is a second call in the C library, which has two callers of it
    pub fn begin_at(&mut self, now_ns: u64) -> Call {
        if self.machine.state == State::HalfOpen || !self.machine.see_in_time(now_ns) {
            return self.begin_slowly(now_ns);
        }
        self.machine.begin(now_ns, now_ns, false)
    }

    /// The slow half of `begin`: the call may be a trial, a timer may be due, and the time may be before the latest seen.
    #[cold]
    #[inline(never)]
    fn begin_slowly(&mut self, now_ns: u64) -> Call {
        let seen_ns = self.run_timers(now_ns);
        let trial = self.machine.state == State::HalfOpen && self.machine.claim_trial();
        self.machine.begin(now_ns, seen_ns, trial)
    }

    /// Tells that the call came back with an answer. A business reject is an answer.
    #[inline]
    pub fn end(&mut self, call: Call) {
        self.end_at(self.clock.now_ns(), call);
    }

    /// [`end`](Self::end) at a given time.
    #[inline(always)] // as `begin_at`
    pub fn end_at(&mut self, now_ns: u64, call: Call) {
        self.finish_at(now_ns, call, true);
    }

    /// Tells that the venue or the transport failed the call: timeout, disconnect, system error.
    #[inline]
    pub fn fail(&mut self, call: Call) {
        self.fail_at(self.clock.now_ns(), call);
    }

    /// [`fail`](Self::fail) at a given time.
    #[inline(always)] // as `begin_at`
    pub fn fail_at(&mut self, now_ns: u64, call: Call) {
        self.finish_at(now_ns, call, false);
    }

    /// Tells that the call was not sent after all, or that nobody wants to know how it ends. It makes no sample. If it was a trial,
    /// the trial counts neither way.
    pub fn abandon(&mut self, call: Call) {
        self.take_back(call);
    }

    /// [`abandon`](Self::abandon) at a given time. It fires no timers.
    pub fn abandon_at(&mut self, now_ns: u64, call: Call) {
        self.machine.note(now_ns);
        self.take_back(call);
    }

    fn take_back(&mut self, call: Call) {
        match self.machine.judge.calls.own.take(call) {
            Returned::Call => self.machine.tap_withdrawn(call.start_ns()),
            Returned::Trial => {
                self.machine.tap_withdrawn(call.start_ns());
                self.machine.give_back_trial(true);
            }
            // The call is of an epoch that is over. It makes no sample, so none is stale.
            Returned::Unknown if call.start_ns() < self.machine.judge.epoch_ns() => {}
            Returned::Unknown => self.machine.misused += 1,
        }
    }

    /// Tells that a call without a ticket came back with an answer after so many nanoseconds.
    #[inline]
    pub fn record(&mut self, latency_ns: u64) {
        self.record_at(self.clock.now_ns(), latency_ns);
    }

    /// [`record`](Self::record) at the time of the answer.
    #[inline]
    pub fn record_at(&mut self, now_ns: u64, latency_ns: u64) {
        self.record_result_at(now_ns, latency_ns, true);
    }

    /// Tells that a call without a ticket failed after so many nanoseconds.
    #[inline]
    pub fn record_failure(&mut self, latency_ns: u64) {
        self.record_failure_at(self.clock.now_ns(), latency_ns);
    }

    /// [`record_failure`](Self::record_failure) at the time of the failure.
    #[inline]
    pub fn record_failure_at(&mut self, now_ns: u64, latency_ns: u64) {
        self.record_result_at(now_ns, latency_ns, false);
    }

    /// Tells the result of a health check. It counts only while the breaker is half-open and recovers by
    /// [`Recovery::HealthChecks`](crate::Recovery::HealthChecks). Otherwise it is stale.
    pub fn record_probe(&mut self, latency_ns: u64, ok: bool) {
        self.record_probe_at(self.clock.now_ns(), latency_ns, ok);
    }

    /// [`record_probe`](Self::record_probe) at the time of the result.
    pub fn record_probe_at(&mut self, now_ns: u64, latency_ns: u64, ok: bool) {
        self.run_timers(now_ns);
        self.machine.take_probe(now_ns, latency_ns, ok);
    }

    /// Gives back a trial that [`allow`](Self::allow) granted and that will not be sent. The trial counts neither way.
    ///
    /// This does nothing if no grant is pending.
    pub fn release(&mut self) {
        self.machine.give_back_trial(false);
    }

    /// [`release`](Self::release) at a given time. It fires no timers.
    pub fn release_at(&mut self, now_ns: u64) {
        self.machine.note(now_ns);
        self.release();
    }

    /// Takes in what lanes have sent, fires the timers that are due, and journals halts and resumes that came from elsewhere.
    ///
    /// It is cheap enough for every turn of a loop. Without it a breaker notices calls that never return, and recovers, only when
    /// it is asked or told something.
    #[inline]
    pub fn poll(&mut self) {
        self.poll_at(self.clock.now_ns());
    }

    /// [`poll`](Self::poll) at a given time.
    #[inline]
    pub fn poll_at(&mut self, now_ns: u64) {
        // The byte as it is before lanes are heard and timers fire.
        let seen = self.machine.outlet.gate().bits();
        if self.is_shared {
            self.hear_and_run_timers(now_ns);
        } else {
            self.run_timers(now_ns);
        }
        if !self.machine.outlet.is_up_to_date(seen) {
            self.machine.look(seen);
        }
    }

    // What these operations share.

    /// Takes note of the time, fires the timers that are due by it, and returns it, clamped to the latest seen.
    #[inline]
    fn run_timers(&mut self, now_ns: u64) -> u64 {
        if now_ns < self.machine.latest_ns {
            return self.run_timers_before_latest(now_ns);
        }
        self.machine.previous_ns = self.machine.latest_ns;
        self.machine.latest_ns = now_ns;
        if now_ns >= self.machine.wake_ns {
            self.run_due_timers();
        }
        now_ns
    }

    // Two cold halves, as one for both has the compiler put it in the way of the hot half.

    #[cold]
    #[inline(never)]
    fn run_timers_before_latest(&mut self, now_ns: u64) -> u64 {
        let seen_ns = self.machine.see(now_ns);
        if seen_ns >= self.machine.wake_ns {
            self.fire_timers();
        }
        seen_ns
    }

    #[cold]
    #[inline(never)]
    fn run_due_timers(&mut self) {
        self.machine.look_at_clock(self.machine.latest_ns);
        self.fire_timers();
    }

    /// Lanes are heard first, as what they say may put a timer off.
    #[cold]
    fn fire_timers(&mut self) {
        if let Some(page) = &self.stands_in_for {
            page.count_misuse(); // see `stand_in`
            return;
        }
        self.machine.start();
        if self.is_shared && self.machine.is_timer_due() {
            self.hear();
        }
        self.machine.fire_timers();
    }

    /// The slow half of `allow`: the gate's byte isn't 0.
    #[cold]
    #[inline(never)]
    fn allow_unless_refused(&mut self, now_ns: u64) -> bool {
        self.poll_at(now_ns);
        let outlet = &self.machine.outlet;
        if !outlet.may_pass() {
            self.machine.refuse();
            if let Some(page) = &self.stands_in_for {
                page.count_refusal(); // see `stand_in`
            }
            return false;
        }
        self.machine.allow()
    }

    #[inline(always)] // as `begin_at`
    fn finish_at(&mut self, now_ns: u64, call: Call, ok: bool) {
        if !self.machine.see_in_time(now_ns) {
            return self.finish_out_of_time(now_ns, call, ok);
        }
        let machine = &mut self.machine;
        let returned = machine.judge.calls.own.take(call);
        let latency_ns = now_ns.saturating_sub(call.start_ns());
        let is_good_call = ok && returned == Returned::Call;
        if !(is_good_call && machine.take_calmly(now_ns, latency_ns)) {
            machine.take_returned(now_ns, latency_ns, ok, returned);
        }
    }

    /// The slow half of `end` and `fail`: a timer may be due, and the time may be before the latest seen.
    #[cold]
    #[inline(never)]
    fn finish_out_of_time(&mut self, now_ns: u64, call: Call, ok: bool) {
        self.run_timers(now_ns);
        let returned = self.machine.judge.calls.own.take(call);
        let latency_ns = now_ns.saturating_sub(call.start_ns());
        self.machine.take_returned(now_ns, latency_ns, ok, returned);
    }

    #[inline(always)]
    fn record_result_at(&mut self, now_ns: u64, latency_ns: u64, ok: bool) {
        let machine = &mut self.machine;
        if ok && machine.latest_ns <= now_ns && now_ns < machine.wake_ns && machine.take_calmly(now_ns, latency_ns) {
            machine.latest_ns = now_ns; // `previous_ns` matters to events alone, and here is none
        } else {
            self.take_recorded_at(now_ns, latency_ns, ok);
        }
    }

    /// The slow half of `record`: the sample may be anything.
    #[inline(never)]
    fn take_recorded_at(&mut self, now_ns: u64, latency_ns: u64, ok: bool) {
        self.run_timers(now_ns);
        self.machine.take_recorded(now_ns, latency_ns, ok);
    }
}

impl Breaker {
    /// Ends at this time, as dropping the breaker does at the process's own. It is for an owner with a time of its own.
    pub fn destroy_at(mut self, now_ns: u64) {
        self.destroy(now_ns, true);
    }

    /// Whether the end is clean is decided by this time: lanes are heard and timers fire first.
    fn destroy(&mut self, now_ns: u64, may_be_clean: bool) {
        if core::mem::replace(&mut self.has_ended, true) {
            return;
        }
        // A time that lies before the latest one seen is of another clock, so nobody can tell how long calls have been in flight.
        let is_known = now_ns >= self.machine.latest_ns || !self.machine.has_calls();
        let may_wait = self.is_shared || self.machine.has_calls();
        if is_known && may_wait && self.machine.started_as().is_some() && self.machine.outlet.is_owners() {
            self.poll_at(now_ns);
        }
        self.machine.end(now_ns, may_be_clean && is_known);
    }
}

impl Drop for Breaker {
    /// Gates that outlive the breaker refuse, as nobody watches any more. A page in a file stays for the next owner; its end is
    /// clean, unless this comes of a panic. (The child of a fork has no page in a file.)
    fn drop(&mut self) {
        self.destroy(self.clock.now_ns(), !self.ends_uncleanly);
    }
}

impl fmt::Debug for Breaker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Breaker").field("config", self.config()).field("snapshot", &self.snapshot()).finish()
    }
}
