//! The hot path, and the slow half of each of its operations. The state machine (`machine`) is the cold half.

use super::machine::Machine;
use crate::clock::Clock;
use crate::config::State;
use crate::in_flight::Returned;
use crate::openings::Arrivals;
use crate::page::Page;
use crate::tickets::Call;

/// All of a breaker but the address of its gate.
#[repr(C)]
pub(super) struct Inner {
    /// First, as what the hot path takes comes first in it.
    pub(super) machine: Machine,
    pub(super) clock: Clock,
    /// True once a gate or a lane was made: other threads may take part.
    pub(super) is_shared: bool,
    /// The owner's end of the desk where lanes are opened; `None` before the first lane.
    pub(super) arrivals: Option<Box<Arrivals>>,
    pub(super) has_ended: bool,
    /// The end is unclean, whatever the state.
    pub(super) ends_uncleanly: bool,
    /// The page of the breaker that this one stands in for, if this one is a stand-in.
    pub(super) stands_in_for: Option<Page>,
}

impl Inner {
    // Asks.

    /// The slow half of `allow`: the gate's byte isn't 0.
    #[cold]
    #[inline(never)]
    pub(super) fn ask(&mut self) -> bool {
        self.ask_at(self.clock.now_ns())
    }

    /// [`ask`](Self::ask) at a given time.
    #[cold]
    #[inline(never)]
    pub(super) fn ask_at(&mut self, now_ns: u64) -> bool {
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

    // Calls and samples.

    #[inline(always)]
    pub(super) fn begin_at(&mut self, now_ns: u64) -> Call {
        if !self.machine.is_in_time(now_ns) {
            return self.begin_slowly(now_ns);
        }
        self.machine.latest_ns = now_ns; // `previous_ns` matters to events alone, and here is none
        self.machine.begin(now_ns)
    }

    /// The slow half of `begin`: a timer may be due, the time may be before the latest seen, and the call may be a trial.
    #[cold]
    #[inline(never)]
    fn begin_slowly(&mut self, now_ns: u64) -> Call {
        let seen_ns = self.run_timers(now_ns);
        let trial = self.machine.state == State::HalfOpen && self.machine.claim_trial();
        self.machine.begin_any(now_ns, seen_ns, trial)
    }

    #[inline(always)]
    pub(super) fn finish_at(&mut self, now_ns: u64, call: Call, ok: bool) {
        let machine = &mut self.machine;
        if !(ok && machine.is_in_time(now_ns) && machine.judge.calls.own.take_waiting(call)) {
            return self.finish_slowly(now_ns, call, ok);
        }
        // There is no overflow: the call began at the latest time seen then.
        let latency_ns = now_ns.wrapping_sub(call.start_ns());
        if !machine.take_calmly(now_ns, latency_ns) {
            machine.take_ended(now_ns, latency_ns);
        }
    }

    /// The slow half of `end` and `fail`: anything may be the case.
    #[cold]
    #[inline(never)]
    fn finish_slowly(&mut self, now_ns: u64, call: Call, ok: bool) {
        self.run_timers(now_ns);
        let returned = self.machine.judge.calls.own.take(call);
        let latency_ns = now_ns.saturating_sub(call.start_ns());
        self.machine.take_returned(now_ns, latency_ns, ok, returned);
    }

    pub(super) fn take_back(&mut self, call: Call) {
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

    #[inline(always)]
    pub(super) fn record_result_at(&mut self, now_ns: u64, latency_ns: u64, ok: bool) {
        let machine = &mut self.machine;
        if !(ok && machine.is_in_time(now_ns) && machine.take_calmly(now_ns, latency_ns)) {
            self.record_slowly(now_ns, latency_ns, ok);
        }
    }

    /// The slow half of `record`: the sample may be anything.
    #[inline(never)]
    fn record_slowly(&mut self, now_ns: u64, latency_ns: u64, ok: bool) {
        self.run_timers(now_ns);
        self.machine.take_recorded(now_ns, latency_ns, ok);
    }

    // Time.

    #[inline]
    pub(super) fn poll_at(&mut self, now_ns: u64) {
        // The byte as it is before lanes are heard and timers fire.
        let seen = self.machine.outlet.gate().bits();
        if self.is_shared {
            self.hear_and_run_timers(now_ns);
        } else {
            self.run_timers(now_ns);
        }
        let outlet = &self.machine.outlet;
        if !outlet.is_up_to_date(seen) || outlet.is_publication_due(self.machine.latest_ns) {
            self.machine.look(seen);
        }
    }

    /// Takes note of the time, fires the timers that are due by it, and returns it, clamped to the latest seen.
    #[inline]
    pub(super) fn run_timers(&mut self, now_ns: u64) -> u64 {
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
    pub(super) fn fire_timers(&mut self) {
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

    // The end.

    /// Whether the end is clean is decided by this time: lanes are heard and timers fire first.
    pub(super) fn destroy(&mut self, now_ns: u64, may_be_clean: bool) {
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

// Of this part, as a breaker whose own drop took a reference to it would be in memory rather than in registers.
impl Drop for Inner {
    /// Gates that outlive the breaker refuse, as nobody watches any more. A page in a file stays for the next owner; its end is
    /// clean, unless this comes of a panic. (The child of a fork has no page in a file.)
    fn drop(&mut self) {
        self.destroy(self.clock.now_ns(), !self.ends_uncleanly);
    }
}
