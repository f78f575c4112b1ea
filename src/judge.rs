//! The judge: a sample goes in, a reason to trip comes out. It has the window, the rules and all calls in flight. Its caller
//! tells it the time and the state.

mod calm;

use crate::calls::Calls;
use crate::config::{Config, PPM, State};
use crate::event::{Event, Reason};
use crate::in_flight::InFlight;
use crate::quantile::Quantiles;
use crate::rules::{Counts, Rules};
use crate::window::Window;

/// A deadline that never comes.
pub(crate) const NEVER_NS: u64 = u64::MAX;

/// What a calm sample takes comes first: see `breaker::machine`.
#[repr(C)]
pub(crate) struct Judge {
    /// While calm, a good sample that is faster than this changes no count and no verdict. 0 = not calm.
    calm_below_ns: u64,
    window: Window,
    rules: Rules,
    pub(crate) calls: Calls,
    pub(crate) quantiles: Quantiles,

    window_age_ns: u64,
    stall_limit_ns: u64,
    recover_threshold_ns: u64,
    sample_every: u32,
    /// How many samples the stride still passes over. At 0 the next sample enters the window. It is below `sample_every`.
    stride_left: u32,
    /// A sample that starts before this is stale.
    epoch_ns: u64,
    /// How many samples the stride passed over.
    passed_over: u64,
}

impl Judge {
    /// So many bytes come first that a calm sample takes, without what it is staged in.
    #[cfg(test)]
    pub(crate) const CALM_BYTES: usize = core::mem::offset_of!(Self, window) + Window::CALM_BYTES;

    /// `seed` is for tickets.
    pub(crate) fn new(config: &Config, seed: u32) -> Self {
        let mut judge = Self {
            calm_below_ns: 0,
            window: Window::new(config.window_len, config.threshold_ns, config.window_age_ns),
            rules: Rules::new(config),
            calls: Calls::new(config.max_in_flight, seed),
            quantiles: Quantiles::new(config.window_len as usize, config.max_in_flight as usize),
            window_age_ns: 0,
            stall_limit_ns: 0,
            recover_threshold_ns: 0,
            sample_every: 0,
            stride_left: 0,
            epoch_ns: 0,
            passed_over: 0,
        };
        judge.set_limits(config, 0, true);
        judge
    }

    /// Applies new settings to the samples and calls that are there. What was too old has been expired before. `is_new_debt` if what is
    /// owed is to be forgotten.
    pub(crate) fn set_limits(&mut self, config: &Config, now_ns: u64, is_new_debt: bool) {
        self.end_calm();
        self.window_age_ns = config.window_age_ns;
        self.stall_limit_ns = config.stall_limit_ns;
        self.recover_threshold_ns = config.effective_recover_threshold_ns();
        self.sample_every = config.sample_every;
        self.stride_left = self.stride_left.min(config.sample_every - 1);
        self.rules.set_limits(config, is_new_debt);
        self.window.set_limits(config.threshold_ns, config.window_age_ns);
        self.calls.set_limits(now_ns, config.threshold_ns, config.window_age_ns);
    }

    /// Begins a new epoch: what was sent before can neither close the breaker nor reopen it.
    pub(crate) fn begin_epoch(&mut self, now_ns: u64) {
        self.epoch_ns = now_ns;
        self.window.clear();
        self.rules.clear();
        self.calls.clear();
        self.stride_left = 0;
    }

    /// From now on everything is stale.
    pub(crate) fn end_time(&mut self) {
        self.epoch_ns = NEVER_NS;
    }

    pub(crate) fn epoch_ns(&self) -> u64 {
        self.epoch_ns
    }

    /// Decides by the sample's own stamps. Clamped stamps would let an old sample into the epoch.
    #[inline]
    pub(crate) fn is_stale(&self, end_ns: u64, latency_ns: u64) -> bool {
        end_ns.saturating_sub(latency_ns) < self.epoch_ns
    }

    /// Takes in a sample that isn't stale and ended now. Tells whether the sample entered the window, and why a closed breaker is
    /// to open.
    pub(crate) fn take(&mut self, now_ns: u64, latency_ns: u64, ok: bool, state: State) -> (bool, Option<Reason>) {
        self.end_calm();
        self.rules.take(latency_ns, ok);
        let enters = state == State::HalfOpen || self.sample_every == 1 || self.stride();
        if enters {
            self.window.push(now_ns, latency_ns, ok);
        } else {
            self.passed_over += 1;
        }
        if state != State::Closed {
            return (enters, None);
        }
        if enters && self.rules.debt.is_on() && latency_ns > self.window.threshold_ns {
            self.rules.debt.take_slow(now_ns, self.window.pushed());
        }
        self.expire_overdue(now_ns);
        let counts = enters.then(|| self.counts(now_ns, state));
        let reason = self.rules.judge(counts);
        if reason.is_none() {
            self.look_for_calm(now_ns);
        }
        (enters, reason)
    }

    /// Whether this sample enters the window.
    fn stride(&mut self) -> bool {
        let enters = self.stride_left == 0;
        self.stride_left = if enters { self.sample_every - 1 } else { self.stride_left - 1 };
        enters
    }

    /// Why a result makes a half-open breaker open again.
    pub(crate) fn flaw(&self, latency_ns: u64, ok: bool) -> Option<Reason> {
        if !ok {
            Some(Reason::ProbeFailed)
        } else {
            (latency_ns > self.recover_threshold_ns).then_some(Reason::ProbeSlow)
        }
    }

    /// Marks the oldest waiting call as overdue. True if the quantile is over the threshold by that.
    pub(crate) fn mark_overdue(&mut self, now_ns: u64) -> bool {
        self.calls.mark_overdue();
        self.expire(now_ns);
        self.rules.debt.look(now_ns);
        let counts = self.counts(now_ns, State::Closed);
        self.rules.is_confirmed_over(counts)
    }

    /// Samples that are too old leave the window, and calls that are too old leave the verdict.
    #[inline]
    pub(crate) fn expire(&mut self, now_ns: u64) {
        if self.rules.debt.is_on() {
            self.look_at_debt();
        }
        self.window.expire(now_ns);
        self.expire_overdue(now_ns);
    }

    /// The newest sample may leave now.
    #[cold]
    #[inline(never)]
    fn look_at_debt(&mut self) {
        self.rules.debt.look_as_of_newest(self.window.newest_ns(), self.window.pushed());
    }

    #[inline]
    fn expire_overdue(&mut self, now_ns: u64) {
        self.calls.expire(now_ns, self.window_age_ns);
    }

    // Deadlines; `NEVER_NS` if there is none.

    /// When the next call becomes overdue.
    pub(crate) fn overdue_at_ns(&self) -> u64 {
        if !self.counts_overdue(State::Closed) {
            return NEVER_NS;
        }
        self.deadline_ns(InFlight::oldest_waiting_ns, self.window.threshold_ns.saturating_add(1))
    }

    pub(crate) fn stall_at_ns(&self) -> u64 {
        match self.stall_limit_ns {
            0 => NEVER_NS,
            limit_ns => self.deadline_ns(InFlight::oldest_ns, limit_ns),
        }
    }

    /// When a trial has been in flight for too long.
    pub(crate) fn late_trial_at_ns(&self) -> u64 {
        self.deadline_ns(InFlight::oldest_trial_ns, self.recover_threshold_ns.saturating_add(1))
    }

    fn deadline_ns(&self, start_of_table_ns: impl Fn(&InFlight) -> Option<u64>, limit_ns: u64) -> u64 {
        self.calls.oldest_ns(start_of_table_ns).map_or(NEVER_NS, |start_ns| start_ns.saturating_add(limit_ns))
    }

    /// When the oldest call began; `NEVER_NS` if there is none.
    pub(crate) fn oldest_start_ns(&self) -> u64 {
        self.calls.oldest_ns(InFlight::oldest_ns).unwrap_or(NEVER_NS)
    }

    /// The age of the oldest call; 0 if there is none.
    pub(crate) fn age_ns(&self, now_ns: u64) -> u64 {
        self.calls.oldest_ns(InFlight::oldest_ns).map_or(0, |start_ns| now_ns.saturating_sub(start_ns))
    }

    /// The age of the oldest trial that is in flight; 0 if there is none.
    pub(crate) fn age_of_trial_ns(&self, now_ns: u64) -> u64 {
        self.calls.oldest_ns(InFlight::oldest_trial_ns).map_or(0, |start_ns| now_ns.saturating_sub(start_ns))
    }

    /// How long after its start a call has its first deadline, if it begins in this state.
    pub(crate) fn first_deadline_ns(&self, state: State) -> u64 {
        let limit_ns = match state {
            State::HalfOpen => self.recover_threshold_ns,
            State::Closed if !self.counts_overdue(state) => NEVER_NS,
            State::Closed | State::Open => self.window.threshold_ns,
        };
        let stall_ns = if self.stall_limit_ns == 0 { NEVER_NS } else { self.stall_limit_ns };
        limit_ns.saturating_add(1).min(stall_ns)
    }

    // What a verdict in this state sees: the window and, while closed, the overdue calls. The expired are gone, unless said
    // otherwise.

    #[inline]
    fn counts(&self, now_ns: u64, state: State) -> Counts {
        let overdue = self.overdue(state);
        Counts {
            samples: self.window.len(),
            slow: self.window.slow,
            failed: self.window.failed(),
            overdue,
            debt_ppm: self.debt_ppm(now_ns, state, overdue),
        }
    }

    #[inline]
    fn debt_ppm(&self, now_ns: u64, state: State, overdue: usize) -> u64 {
        let is_judged = state == State::Closed && self.rules.debt.is_on();
        if is_judged { self.rules.debt.with_overdue_ppm(now_ns, self.window.pushed(), overdue) } else { 0 }
    }

    #[inline]
    fn overdue(&self, state: State) -> usize {
        if self.counts_overdue(state) { self.calls.overdue() } else { 0 }
    }

    /// A sampled window can't be compared with calls in flight, which aren't sampled. So they don't become overdue.
    #[inline]
    fn counts_overdue(&self, state: State) -> bool {
        state == State::Closed && self.sample_every == 1
    }

    /// What a verdict will see once samples and calls that are too old are gone. They may be there still.
    pub(crate) fn live_counts(&self, now_ns: u64, state: State) -> Counts {
        let (samples, slow, failed) = self.window.live(now_ns);
        let counted = self.counts_overdue(state);
        let overdue = if counted { self.calls.live_overdue(now_ns, self.window_age_ns) } else { 0 };
        Counts { samples, slow, failed, overdue, debt_ppm: self.debt_ppm(now_ns, state, overdue) }
    }

    /// Whether there is enough for a verdict.
    pub(crate) fn is_armed(&self, counts: Counts) -> bool {
        self.rules.is_armed(counts.samples + counts.overdue)
    }

    /// Fills in the figures of an event: what a verdict sees in the state before it, and what of that was observed.
    pub(crate) fn fill_in(&mut self, event: &mut Event, quantile_ppm: u32) {
        self.expire(event.t_ns);
        let Counts { samples, slow, failed, overdue, debt_ppm } = self.counts(event.t_ns, event.from);
        event.quantile_ns = self.quantile_ns(event.t_ns, event.from, quantile_ppm).unwrap_or(0);
        event.samples = (samples + overdue) as u32;
        event.slow = (slow + overdue) as u32;
        event.overdue = overdue as u32;
        event.failures = failed as u32;
        match event.reason {
            Reason::Latency if self.rules.debt.is_on() => {
                (event.observed, event.limit, event.by_debt) = (debt_ppm, self.rules.debt.limit_ppm(), true);
            }
            Reason::Latency => event.observed = event.quantile_ns,
            // The product stays below 2^41.
            Reason::FailureRate => {
                event.observed = (failed as u64 * u64::from(PPM)).checked_div(samples as u64).unwrap_or(0)
            }
            Reason::ConsecutiveFailures => event.observed = self.rules.failure_run,
            _ => {}
        }
    }

    /// A quantile of what a verdict sees; `None` if that is nothing.
    #[inline]
    pub(crate) fn quantile_ns(&mut self, now_ns: u64, state: State, quantile_ppm: u32) -> Option<u64> {
        let overdue = self.overdue(state);
        if overdue == 0 {
            return self.quantiles.quantile(self.window.samples(), core::iter::empty(), quantile_ppm);
        }
        self.quantile_with_overdue_ns(now_ns, overdue, quantile_ppm)
    }

    #[cold]
    #[inline(never)]
    fn quantile_with_overdue_ns(&mut self, now_ns: u64, overdue: usize, quantile_ppm: u32) -> Option<u64> {
        let starts_ns = self.calls.overdue_starts_ns().take(overdue);
        let ages_ns = starts_ns.map(|start_ns| now_ns.saturating_sub(start_ns));
        self.quantiles.quantile(self.window.samples(), ages_ns, quantile_ppm)
    }

    /// Whether a call has been in flight for longer than the threshold.
    pub(crate) fn is_any_late(&self, now_ns: u64) -> bool {
        let oldest_ns = self.calls.oldest_ns(InFlight::oldest_ns);
        oldest_ns.is_some_and(|start_ns| now_ns.saturating_sub(start_ns) > self.window.threshold_ns)
    }

    /// How many samples are in the window.
    pub(crate) fn window_len(&self) -> usize {
        self.window.len()
    }

    /// How many samples were taken in.
    pub(crate) fn recorded(&self) -> u64 {
        self.window.pushed() + self.passed_over
    }
}
