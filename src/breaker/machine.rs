//! The state machine: it makes states, timers and transitions of what the judge says. It knows neither clocks nor other threads:
//! its caller tells it the time, and what lanes say.

mod asks;
mod jump;
mod latch;
mod ends;
mod taps;
mod timers;
mod transitions;

use crate::backoff::Backoff;
use crate::clock::{Clock, ClockSource, is_no_time};
use crate::config::{Config, Recovery, Start, State};
use crate::in_flight::Returned;
use crate::judge::{Judge, NEVER_NS};
use crate::outlet::Outlet;
use crate::started::Started;
use crate::tickets::Call;
use crate::trials::Trials;
use jump::FarBack;
use latch::Latch;
use std::hash::{BuildHasher, RandomState};

/// What a calm sample takes comes first, here and in each part that comes first: all of that is in one line of memory, as a test shows.
/// In a loop over many breakers each line counts.
#[repr(C, align(64))]
pub(super) struct Machine {
    /// Whether others see each sample.
    is_shown: bool,
    pub(super) state: State,
    /// True from the first operation on.
    started: bool,
    /// The latest time seen.
    pub(super) latest_ns: u64,
    /// No timer is due before this time, and no sample too old while the judge is calm. It may be too early, never too late. It is 0 while
    /// half-open, so that each operation takes its slow half, where trials are looked at.
    pub(super) wake_ns: u64,
    pub(super) judge: Judge,

    pub(super) outlet: Outlet,
    /// The latest time seen before the operation under way, unless that was calm.
    pub(super) previous_ns: u64,
    /// The owner's own time in the poll under way. Lanes' stamps move the latest time on, but not beyond this.
    pub(super) horizon_ns: u64,
    /// How long after a call began its first timer is due.
    first_timer_ns: u64,
    far_back: FarBack,

    /// The time of the latest sign of life.
    pub(super) beat_ns: u64,
    /// The time of the latest poll since there are gates or lanes.
    pub(super) polled_ns: u64,
    /// The process's time at construction, if the page is in a file; until the first operation the figures are by it.
    created_ns: u64,
    /// How the page was found, if it is in a file.
    started_as: Option<Started>,
    pub(super) config: Config,
    trials: Trials,
    backoff: Backoff,
    latch: Latch,
    retry_at_ns: u64,
    closed_since_ns: u64,
    /// When it was closed last, until it opened; `NEVER_NS` if it has been closed always.
    closed_until_ns: u64,
    clock: ClockSource,

    pub(super) stale: u64,
    pub(super) untracked: u64,
    pub(super) refused: u64,
    refused_in_shadow: u64,
    pub(super) misused: u64,
    /// What lanes dropped that are gone.
    pub(super) dropped: u64,
}

impl Machine {
    /// `config` is legal.
    pub(super) fn new(config: Config, clock: &Clock) -> Self {
        let random = RandomState::new();
        let jitter_seed = if config.jitter_seed == 0 { random.hash_one("jitter") } else { config.jitter_seed };
        let outlet = Outlet::new(&config);
        let mut machine = Self {
            is_shown: outlet.shows_samples(),
            outlet,
            latest_ns: 0,
            previous_ns: 0,
            horizon_ns: 0,
            wake_ns: 0, // so that the first operation comes to `start`
            first_timer_ns: 0,
            far_back: FarBack::default(),
            state: config.start.state(),
            started: false,
            beat_ns: 0,
            polled_ns: 0,
            created_ns: 0,
            started_as: None,
            judge: Judge::new(&config, random.hash_one("tickets") as u32),
            trials: Trials::new(&config),
            backoff: Backoff::new(&config, jitter_seed),
            latch: Latch::default(),
            retry_at_ns: NEVER_NS,
            closed_since_ns: 0,
            closed_until_ns: NEVER_NS,
            clock: clock.source(),
            stale: 0,
            untracked: 0,
            refused: 0,
            refused_in_shadow: 0,
            misused: 0,
            dropped: 0,
            config,
        };
        if machine.state == State::HalfOpen {
            machine.closed_until_ns = 0;
            machine.begin_trials();
        }
        machine.outlet.set_settings(&machine.config);
        if machine.config.start == Start::Halted {
            machine.outlet.halt_at_start();
        }
        machine
    }

    // Time.

    /// True if the time is not before the latest seen, and no timer is due by it.
    #[inline(always)]
    pub(super) fn is_in_time(&self, now_ns: u64) -> bool {
        self.latest_ns <= now_ns && now_ns < self.wake_ns
    }

    /// Takes note of any time, and returns it, clamped to the latest seen.
    pub(super) fn see(&mut self, now_ns: u64) -> u64 {
        self.look_at_clock(now_ns);
        self.previous_ns = self.latest_ns;
        self.latest_ns = self.latest_ns.max(now_ns);
        self.latest_ns
    }

    /// The owner begins to hear its lanes at this time. Lanes' stamps are no sign that the owner is alive, and don't move the time
    /// on beyond this.
    pub(super) fn set_horizon(&mut self, now_ns: u64) {
        self.look_at_clock(now_ns);
        self.horizon_ns = self.latest_ns.max(now_ns);
        if !self.started {
            self.latest_ns = self.horizon_ns;
            self.start();
        }
        self.previous_ns = self.latest_ns;
    }

    /// A lane's stamp moves the time on.
    pub(super) fn advance(&mut self, stamp_ns: u64) {
        self.latest_ns = self.latest_ns.max(stamp_ns.min(self.horizon_ns));
    }

    /// The owner has heard its lanes.
    pub(super) fn reach_horizon(&mut self) {
        self.latest_ns = self.horizon_ns;
        self.look_at_trials();
    }

    /// Takes note of the time for operations that fire no timers.
    pub(super) fn note(&mut self, now_ns: u64) {
        self.see(now_ns);
        self.start();
    }

    // Calls and samples.

    /// Has the timers of a call that was sent at `start_ns` looked at in time.
    #[inline]
    pub(super) fn wake_for_call(&mut self, start_ns: u64) {
        self.wake_ns = self.wake_ns.min(start_ns.saturating_add(self.first_timer_ns));
    }

    /// A call begins, now. It is no trial.
    #[inline(always)]
    pub(super) fn begin(&mut self, now_ns: u64) -> Call {
        let call = match self.judge.calls.own.begin(now_ns) {
            Some(call) => call,
            None => self.begin_untracked(now_ns, false),
        };
        self.wake_for_call(now_ns);
        call
    }

    /// A call begins.
    #[cold]
    pub(super) fn begin_any(&mut self, now_ns: u64, seen_ns: u64, trial: bool) -> Call {
        let tracked = self.judge.calls.own.begin_any(now_ns, seen_ns, trial);
        self.wake_for_call(seen_ns);
        tracked.unwrap_or_else(|| self.begin_untracked(now_ns, trial))
    }

    #[cold]
    fn begin_untracked(&mut self, now_ns: u64, trial: bool) -> Call {
        self.untracked += 1;
        self.judge.calls.own.begin_untracked(now_ns, trial)
    }

    /// Takes in a sample that isn't stale and ended now.
    fn take_sample(&mut self, latency_ns: u64, ok: bool, trial: bool) {
        let (entered, verdict) = self.judge.take(self.latest_ns, latency_ns, ok, self.state);
        self.wake_ns = self.wake_ns.min(self.judge.calm_until_ns());
        if entered {
            self.outlet.entered(latency_ns, self.judge.window_len());
        }
        if let Some(reason) = verdict {
            self.open(reason, latency_ns);
        } else if self.state == State::HalfOpen && self.trials.recovery == Recovery::Trials {
            self.take_result(latency_ns, ok, trial);
        }
    }

    /// Takes in a good sample that ended now, which is in time, if the breaker is calm: see [`Judge::take_calmly`]. Others see it if they
    /// see each sample.
    #[inline(always)]
    pub(super) fn take_calmly(&mut self, now_ns: u64, latency_ns: u64) -> bool {
        if !self.judge.take_calmly(now_ns, latency_ns) {
            return false;
        }
        self.latest_ns = now_ns; // `previous_ns` matters to events alone, and here is none
        if self.judge.is_look_due() || self.is_shown {
            self.have_taken_calmly(now_ns, latency_ns); // last, as a call in between would save registers
        }
        true
    }

    /// What isn't for each calm sample, or not of each breaker.
    #[inline(never)]
    fn have_taken_calmly(&mut self, now_ns: u64, latency_ns: u64) {
        if self.is_shown {
            self.outlet.replaced(latency_ns);
            if self.outlet.has_tap() {
                self.tap_calm_call(now_ns, latency_ns);
            }
        }
        if self.judge.is_look_due() {
            self.judge.look_on(); // last, for the same reason
        }
    }

    /// Takes in the sample of a call that just waited, and ended now with an answer.
    #[inline(never)]
    pub(super) fn take_ended(&mut self, now_ns: u64, latency_ns: u64) {
        self.previous_ns = self.latest_ns;
        self.latest_ns = now_ns;
        self.take_returned(now_ns, latency_ns, true, Returned::Call);
    }

    /// Takes in a sample with a ticket, whatever it is.
    #[inline(never)]
    pub(super) fn take_returned(&mut self, now_ns: u64, latency_ns: u64, ok: bool, returned: Returned) {
        if is_no_time(latency_ns) {
            self.misused += 1; // a trial stays out, and is lost
        } else if self.judge.is_stale(now_ns, latency_ns) {
            self.take_stale(now_ns, latency_ns, ok, returned);
        } else if returned == Returned::Unknown {
            self.misused += 1;
        } else {
            self.take_judged(now_ns, latency_ns, ok, returned == Returned::Trial);
        }
    }

    /// Takes in a sample of an earlier epoch. It is `Unknown` if it had a ticket, which that epoch's end made void; without a ticket it is
    /// a `Call`, of which the tap knows nothing so far.
    #[cold]
    pub(super) fn take_stale(&mut self, now_ns: u64, latency_ns: u64, ok: bool, returned: Returned) {
        self.stale += 1;
        if returned == Returned::Unknown {
            self.tap_late(now_ns, latency_ns, ok);
        } else {
            self.tap_call(now_ns, latency_ns, ok, returned == Returned::Trial);
        }
    }

    /// Takes in a sample that isn't stale, whose stamp this is.
    pub(super) fn take_judged(&mut self, end_ns: u64, latency_ns: u64, ok: bool, trial: bool) {
        self.tap_call(end_ns, latency_ns, ok, trial);
        let may_be_calm = ok && !trial && self.latest_ns < self.judge.calm_until_ns();
        if may_be_calm && self.judge.take_calmly(self.latest_ns, latency_ns) {
            // A lane's sample, as a rule: few of the owner's come here that are calm.
            if self.judge.is_look_due() {
                self.judge.look_on();
            }
            self.outlet.replaced(latency_ns);
        } else {
            self.take_sample(latency_ns, ok, trial);
        }
    }

    /// Takes in the owner's sample without a ticket, whatever it is.
    #[inline]
    pub(super) fn take_recorded(&mut self, now_ns: u64, latency_ns: u64, ok: bool) {
        if is_no_time(latency_ns) {
            self.misused += 1;
            return;
        }
        if self.judge.is_stale(now_ns, latency_ns) {
            self.take_stale(now_ns, latency_ns, ok, Returned::Call);
            return;
        }
        let trial = self.state == State::HalfOpen && self.claim_trial();
        self.take_judged(now_ns, latency_ns, ok, trial);
    }

    /// Takes in the result of a health check.
    #[cold]
    pub(super) fn take_probe(&mut self, now_ns: u64, latency_ns: u64, ok: bool) {
        let wanted = self.state == State::HalfOpen && self.trials.recovery == Recovery::HealthChecks;
        if is_no_time(latency_ns) {
            self.misused += 1;
        } else if wanted && !self.judge.is_stale(now_ns, latency_ns) {
            self.take_result(latency_ns, ok, true);
        } else {
            self.stale += 1;
        }
    }

    /// Takes in a result while half-open. A bad result counts, whoever sent the call. A good one counts if it is a trial's or a
    /// check's.
    #[cold]
    fn take_result(&mut self, latency_ns: u64, ok: bool, counts_if_good: bool) {
        if let Some(reason) = self.judge.flaw(latency_ns, ok) {
            self.open(reason, latency_ns);
        } else if counts_if_good && self.with_trials(Trials::succeed) {
            self.close();
        }
    }

    // Settings, and the end.

    /// Applies new settings. They are legal, and the fixed ones are the same.
    pub(super) fn set_limits(&mut self, config: &Config) {
        self.judge.expire(self.latest_ns);
        self.outlet.change_shadow(self.state, config.shadow);
        let before = core::mem::replace(&mut self.config, config.clone());
        let weighs = |config: &Config| (config.threshold_ns, config.quantile_ppm, config.debt_limit);
        self.outlet.set_settings(config);
        self.judge.set_limits(config, self.latest_ns, weighs(&before) != weighs(config));
        self.backoff.set_limits(config);
        self.journal_change(&before);
        self.publish();
        self.set_wake();
    }

    /// From now on this refuses and counts, and does nothing else: see `stand_in`.
    pub(super) fn refuse_for_ever(&mut self) {
        self.state = State::Open;
        self.outlet.fall_silent();
        self.started = true; // nothing is left to the first operation
        self.judge.end_time();
        self.far_back.turn_off();
        debug_assert!(self.wake_ns == 0 && self.retry_at_ns == NEVER_NS);
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use core::mem::offset_of;

    /// Of a breaker in a loop over many, a calm sample touches the first line, and those of the staged samples behind it.
    #[test]
    fn what_a_calm_sample_takes_comes_first() {
        assert_eq!(align_of::<Machine>(), 64);
        let hot = [offset_of!(Machine, is_shown), offset_of!(Machine, latest_ns), offset_of!(Machine, wake_ns)];
        let judge = offset_of!(Machine, judge);
        assert!(hot.into_iter().all(|offset| offset < judge), "{hot:?}");
        assert_eq!(judge, 24);
        assert_eq!(judge + Judge::CALM_BYTES, 40, "with the two numbers in front of what is staged");
    }
}
