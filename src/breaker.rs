//! The breaker: what callers may do, and the hot path. Timers and transitions, the cold half, are in `transitions`.

mod calm;
mod handles;
mod inboxes;
#[cfg(all(feature = "shm", not(loom)))]
mod shared;
#[cfg(feature = "ffi")]
mod stand_in;
mod transitions;

use crate::backoff::Backoff;
use crate::calls::Calls;
use crate::clock::Clock;
use crate::config::{Config, ConfigError, Recovery, State};
use crate::in_flight::{InFlight, Returned};
use crate::inbox::Inboxes;
use crate::journal::{Events, Reason};
use crate::ledger::Epoch;
use crate::openings::Arrivals;
use crate::page::{Observer, Page, PageHandle, Snapshot};
use crate::quantile::Quantiles;
use crate::rules::{Counts, Rules};
use crate::shm::Link;
use crate::tickets::Call;
use crate::trials::Trials;
use crate::window::Window;
use core::fmt;
use std::hash::{BuildHasher, RandomState};
use std::time::SystemTime;

/// A deadline that never comes.
const NEVER_NS: u64 = u64::MAX;

/// A latency circuit breaker for one node, owned by one thread.
///
/// Each operation that takes note of the time has two forms: `_at(now_ns)` is the real one, and the plain one reads the
/// clock and calls it. Don't mix the two on one breaker, unless `now_ns` comes from [`now_ns`](Self::now_ns).
/// A `now_ns` before the latest one seen counts as the latest seen, so that deadlines and ages never run backwards.
/// The plain forms of `abandon`, `release`, `quantile` and `reconfigure`, which fire no timers, read no clock either: they
/// are as of the latest time seen, like `snapshot`. So they mix with both.
///
/// After construction no operation allocates, locks or panics, and none makes a system call but for reading the time where
/// the clock is the operating system's (see [`Snapshot::clock`]): there the plain forms may make one.
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
    page: PageHandle,
    /// Of a stand-in: the page of the breaker that it stands in for.
    stands_in_for: Option<PageHandle>,
    /// To whom the page is shared beyond the process, if it is.
    link: Link,

    /// The latest time seen, and that before the operation under way.
    latest_ns: u64,
    previous_ns: u64,
    /// No earlier than the latest time seen: that of the poll under way.
    horizon_ns: u64,
    /// No timer is due before this; it may be early.
    wake_ns: u64,
    /// The first timer of a call is due so long after it began.
    first_timer_ns: u64,
    /// Samples that start before this are stale.
    epoch_ns: u64,

    state: State,
    /// As far as the journal knows.
    halted: bool,
    /// Flips of the halt bit that the journal knows.
    flips: u64,
    /// False before the first operation.
    started: bool,
    config: Config,
    recover_threshold_ns: u64,
    rules: Rules,
    /// Samples that the stride still passes over; the next enters the window at 0. Below `sample_every`.
    stride_left: u32,
    /// While calm, a good sample faster than this is all good; 0 = not calm.
    calm_below_ns: u64,

    window: Window,
    calls: Calls,
    /// One for each lane.
    inboxes: Inboxes,
    /// Where lanes come from; `None` before the first.
    arrivals: Option<Box<Arrivals>>,
    /// Gates or lanes were made: others take part.
    is_shared: bool,
    backoff: Backoff,
    /// Of the half-open epoch, while there is one.
    trials: Trials,
    /// That epoch, or the latest; `None` before the first.
    epoch: Option<Epoch>,
    retry_at_ns: u64,
    closed_since_ns: u64,

    /// By the stride.
    passed_over: u64,
    stale: u64,
    untracked: u64,
    refused: u64,
    refused_in_shadow: u64,
    misused: u64,
    /// By lanes that are gone.
    dropped: u64,
    events: u64,
    publish_at_ns: u64,
    /// The version of the published snapshot.
    published: u64,

    quantiles: Quantiles,
    /// For lanes' tickets.
    lane_seed: u64,
    clock: Clock,
    /// What the wall clock showed, and what the breaker's, at construction.
    wall_anchor_ns: (u64, u64),
}

impl Breaker {
    /// A breaker with these settings. Allocates all that it will ever use; the first in a process also calibrates the
    /// TSC, which takes up to 200 ms. So make breakers at start-up.
    ///
    /// # Errors
    /// The first field of `config` that is out of its range.
    pub fn new(config: Config) -> Result<Self, ConfigError> {
        config.validate()?;
        Ok(Self::with_legal(config))
    }

    fn with_legal(config: Config) -> Self {
        let clock = Clock::new();
        let wall = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let wall_ns = u64::try_from(wall.as_nanos()).unwrap_or(u64::MAX);
        let random = RandomState::new();
        let jitter_seed = match config.jitter_seed {
            0 => random.hash_one(wall_ns),
            seed => seed,
        };
        let mut breaker = Self {
            page: PageHandle::new(Page::new(config.start, config.shadow)),
            stands_in_for: None,
            link: Link::none(),
            latest_ns: 0,
            previous_ns: 0,
            horizon_ns: 0,
            wake_ns: 0,
            first_timer_ns: 0,
            epoch_ns: 0,
            state: config.start,
            halted: false,
            flips: 0,
            started: false,
            recover_threshold_ns: config.effective_recover_threshold_ns(),
            rules: Rules::new(&config),
            stride_left: 0,
            calm_below_ns: 0,
            window: Window::new(config.window_len as usize, config.threshold_ns, config.window_age_ns),
            calls: Calls::new(config.max_in_flight, random.hash_one("tickets") as u32),
            inboxes: Inboxes::with_room_for(0),
            arrivals: None,
            is_shared: false,
            backoff: Backoff::new(&config, jitter_seed),
            trials: Trials::new(&config, 0),
            epoch: None,
            retry_at_ns: NEVER_NS,
            closed_since_ns: 0,
            passed_over: 0,
            stale: 0,
            untracked: 0,
            refused: 0,
            refused_in_shadow: 0,
            misused: 0,
            dropped: 0,
            events: 0,
            publish_at_ns: 0,
            published: 0,
            quantiles: Quantiles::new(config.window_len as usize, config.max_in_flight as usize),
            lane_seed: random.hash_one("lanes"),
            wall_anchor_ns: (wall_ns, clock.now_ns()),
            clock,
            config,
        };
        if breaker.state == State::HalfOpen {
            breaker.offer_trials();
        }
        breaker
    }

    /// May an order be sent now? While closed this is one load and a branch.
    ///
    /// Ask for what adds risk. Don't ask for a cancel or a reduce-only order: refusing those would trap a position.
    /// While half-open, true means that a trial is granted: send it, or give it back by [`release`](Self::release).
    #[must_use = "a grant that is neither sent nor released is a lost trial"]
    #[inline]
    pub fn allow(&mut self) -> bool {
        self.page.is_clear() || self.allow_unless_refused(self.clock.now_ns())
    }

    /// [`allow`](Self::allow) at a given time.
    #[must_use = "a grant that is neither sent nor released is a lost trial"]
    #[inline]
    pub fn allow_at(&mut self, now_ns: u64) -> bool {
        self.page.is_clear() || self.allow_unless_refused(now_ns)
    }

    /// A call is sent: returns its ticket, to be given back by [`end`](Self::end), [`fail`](Self::fail) or
    /// [`abandon`](Self::abandon). Calls that weren't asked for (cancels) may begin, too.
    #[inline]
    pub fn begin(&mut self) -> Call {
        self.begin_at(self.clock.now_ns())
    }

    /// [`begin`](Self::begin) at a given time.
    #[inline(always)] // or it is a second call in the C library, which has two callers of it
    pub fn begin_at(&mut self, now_ns: u64) -> Call {
        let seen_ns = self.run_timers(now_ns);
        if self.state == State::HalfOpen {
            return self.begin_half_open(now_ns, seen_ns);
        }
        self.begin_call(now_ns, seen_ns, false)
    }

    #[cold]
    fn begin_half_open(&mut self, now_ns: u64, seen_ns: u64) -> Call {
        let trial = self.claim_trial();
        self.begin_call(now_ns, seen_ns, trial)
    }

    #[inline(always)]
    fn begin_call(&mut self, now_ns: u64, seen_ns: u64, trial: bool) -> Call {
        let call = match self.calls.begin(now_ns, seen_ns, trial) {
            Some(call) => call,
            None => self.begin_untracked(now_ns, trial),
        };
        self.wake_for_call(seen_ns);
        call
    }

    #[cold]
    fn begin_untracked(&mut self, now_ns: u64, trial: bool) -> Call {
        self.untracked += 1;
        self.calls.begin_untracked(now_ns, trial)
    }

    /// The call came back with an answer (a business reject is one).
    #[inline]
    pub fn end(&mut self, call: Call) {
        self.end_at(self.clock.now_ns(), call);
    }

    /// [`end`](Self::end) at a given time.
    #[inline(always)] // as `begin_at`
    pub fn end_at(&mut self, now_ns: u64, call: Call) {
        self.finish_at(now_ns, call, true);
    }

    /// The venue or the transport failed the call: timeout, disconnect, system error.
    #[inline]
    pub fn fail(&mut self, call: Call) {
        self.fail_at(self.clock.now_ns(), call);
    }

    /// [`fail`](Self::fail) at a given time.
    #[inline(always)] // as `begin_at`
    pub fn fail_at(&mut self, now_ns: u64, call: Call) {
        self.finish_at(now_ns, call, false);
    }

    /// The call was not sent after all, or nobody wants to know: no sample, and a trial counts neither way.
    pub fn abandon(&mut self, call: Call) {
        self.take_back(call);
    }

    /// [`abandon`](Self::abandon) at a given time. Fires no timers.
    pub fn abandon_at(&mut self, now_ns: u64, call: Call) {
        self.note(now_ns);
        self.take_back(call);
    }

    fn take_back(&mut self, call: Call) {
        match self.calls.take(call) {
            Returned::Call => {}
            Returned::Trial => self.give_back_trial(),
            // Of an epoch that is over, and there is no sample to call stale.
            Returned::Unknown if call.start_ns() < self.epoch_ns => {}
            Returned::Unknown => self.misused += 1,
        }
    }

    /// A call without a ticket came back with an answer after so many nanoseconds.
    #[inline]
    pub fn record(&mut self, latency_ns: u64) {
        self.record_at(self.clock.now_ns(), latency_ns);
    }

    /// [`record`](Self::record) at a given time, that of the answer.
    #[inline]
    pub fn record_at(&mut self, now_ns: u64, latency_ns: u64) {
        self.record_result_at(now_ns, latency_ns, true);
    }

    /// A call without a ticket failed after so many nanoseconds.
    #[inline]
    pub fn record_failure(&mut self, latency_ns: u64) {
        self.record_failure_at(self.clock.now_ns(), latency_ns);
    }

    /// [`record_failure`](Self::record_failure) at a given time, that of the failure.
    #[inline]
    pub fn record_failure_at(&mut self, now_ns: u64, latency_ns: u64) {
        self.record_result_at(now_ns, latency_ns, false);
    }

    /// The result of a health check. Counts only while half-open with [`Recovery::HealthChecks`]; it is stale otherwise.
    pub fn record_probe(&mut self, latency_ns: u64, ok: bool) {
        self.record_probe_at(self.clock.now_ns(), latency_ns, ok);
    }

    /// [`record_probe`](Self::record_probe) at a given time, that of the result.
    pub fn record_probe_at(&mut self, now_ns: u64, latency_ns: u64, ok: bool) {
        self.run_timers(now_ns);
        self.take_probe(now_ns, latency_ns, ok);
    }

    /// Gives back a trial that was granted by [`allow`](Self::allow) and will not be sent; it counts neither way.
    ///
    /// Does nothing if no grant is pending.
    pub fn release(&mut self) {
        self.release_grant();
    }

    /// [`release`](Self::release) at a given time. Fires no timers.
    pub fn release_at(&mut self, now_ns: u64) {
        self.note(now_ns);
        self.release_grant();
    }

    fn release_grant(&mut self) {
        if let Some(epoch) = self.trial_epoch() {
            self.page.trials().give_back(epoch);
            self.look_at_trials();
        }
    }

    /// Takes in what lanes have sent, fires the timers that are due, and journals a halt or resume that came from elsewhere.
    /// Cheap enough for every turn of a loop; without it a breaker notices calls that never return, and recovers, only when it is asked or told something.
    #[inline]
    pub fn poll(&mut self) {
        self.poll_at(self.clock.now_ns());
    }

    /// [`poll`](Self::poll) at a given time.
    #[inline]
    pub fn poll_at(&mut self, now_ns: u64) {
        if self.is_shared {
            self.listen_and_run_timers(now_ns);
        } else {
            self.run_timers(now_ns);
        }
        if !self.page.shows(self.state, self.config.shadow, self.halted) {
            self.look_at_gate();
        }
    }

    /// The automatic state.
    #[inline]
    pub fn state(&self) -> State {
        self.state
    }

    /// A quantile of what a verdict sees (the window and, while closed, the overdue calls) as of the latest time seen, in
    /// ppm: 990 000 for the P99; 0 is the least, 1 000 000 and above the greatest. Nearest rank, exact; `None` of nothing.
    /// O(window).
    pub fn quantile(&mut self, quantile_ppm: u32) -> Option<u64> {
        self.expire();
        self.select(self.state, quantile_ppm)
    }

    /// [`quantile`](Self::quantile) at a given time. Fires no timers.
    pub fn quantile_at(&mut self, now_ns: u64, quantile_ppm: u32) -> Option<u64> {
        self.note(now_ns);
        self.quantile(quantile_ppm)
    }

    /// Everything else there is to know, as of the latest time seen.
    pub fn snapshot(&self) -> Snapshot {
        let (samples, slow, failed) = self.window.live(self.latest_ns);
        let overdue = self.live_overdue();
        let (dropped, misused) = self.lane_counts();
        let (refused, refused_in_shadow) = self.page.refusals();
        let trials = (self.state == State::HalfOpen).then_some(&self.trials);
        Snapshot {
            state: self.state,
            halted: self.page.is_halted(),
            shadow: self.config.shadow,
            armed: samples + overdue >= self.config.min_samples as usize,
            clock: self.clock.source(),
            now_ns: self.latest_ns,
            epoch_ns: self.epoch_ns,
            retry_at_ns: self.retry_at_ns,
            attempt: self.backoff.attempt(),
            samples: samples as u32,
            slow: slow as u32,
            failed: failed as u32,
            overdue: overdue as u32,
            in_flight: self.tables().map(InFlight::len).sum::<usize>() as u32,
            trials_granted: trials.map_or(0, Trials::granted),
            trials_out: trials.map_or(0, Trials::out),
            trials_good: trials.map_or(0, Trials::good),
            recorded: self.window.pushed() + self.passed_over,
            stale: self.stale,
            untracked: self.untracked,
            // Whoever can write to the page can make these overflow.
            refused: self.refused.wrapping_add(refused),
            refused_in_shadow: self.refused_in_shadow.wrapping_add(refused_in_shadow),
            misused: self.misused.saturating_add(misused).saturating_add(self.page.misuses()),
            dropped: self.dropped.saturating_add(dropped),
            events: self.events,
        }
    }

    /// A reader of the transitions, halts and resumes, beginning with the oldest that the journal still has.
    pub fn events(&self) -> Events {
        self.observer().events()
    }

    /// A read-only view for other threads.
    pub fn observer(&self) -> Observer {
        Observer { page: PageHandle::clone(&self.page) }
    }

    /// Refuses every call from now on, whatever the automatic state, until [`resume`](Self::resume).
    pub fn halt(&mut self) {
        self.halt_at(self.clock.now_ns());
    }

    /// [`halt`](Self::halt) at a given time. Fires no timers.
    pub fn halt_at(&mut self, now_ns: u64) {
        self.page.halt();
        self.note(now_ns);
        self.note_halt();
    }

    /// Ends a halt. The automatic state decides again, as it went on meanwhile.
    pub fn resume(&mut self) {
        self.resume_at(self.clock.now_ns());
    }

    /// [`resume`](Self::resume) at a given time. Fires no timers.
    pub fn resume_at(&mut self, now_ns: u64) {
        self.page.resume();
        self.note(now_ns);
        self.note_halt();
    }

    /// Changes the settings; state, window, attempt and calls in flight survive. A new threshold recounts the window and
    /// the overdue calls at once, and is judged by at the next sample. A pause under way keeps its deadline, and a
    /// half-open epoch its `recovery`, `probes` and `trials_in_flight`. `jitter_seed` is not used again.
    ///
    /// # Errors
    /// The first field that is out of its range, or that is fixed at construction and differs. Nothing is changed then.
    pub fn reconfigure(&mut self, config: &Config) -> Result<(), ConfigError> {
        config.validate_change(&self.config)?;
        self.apply(config);
        Ok(())
    }

    /// [`reconfigure`](Self::reconfigure) at a given time. Fires no timers.
    ///
    /// # Errors
    /// As `reconfigure`.
    pub fn reconfigure_at(&mut self, now_ns: u64, config: &Config) -> Result<(), ConfigError> {
        config.validate_change(&self.config)?;
        self.note(now_ns);
        self.apply(config);
        Ok(())
    }

    fn apply(&mut self, config: &Config) {
        self.end_calm();
        self.expire();
        // A gate that somebody else wrote to refuses; it shall not come right by chance.
        if !self.page.is_foreign(self.state, self.config.shadow) {
            self.page.change_shadow(self.config.shadow, config.shadow);
        }
        self.config = config.clone();
        self.recover_threshold_ns = config.effective_recover_threshold_ns();
        self.rules.set_limits(config);
        self.stride_left = self.stride_left.min(config.sample_every - 1);
        self.window.set_limits(config.threshold_ns, config.window_age_ns);
        let now_ns = self.latest_ns;
        self.tables_mut().for_each(|table| table.set_limits(now_ns, config.threshold_ns, config.window_age_ns));
        self.backoff.set_limits(config);
        self.publish();
        self.set_wake();
    }

    /// When [`poll_at`](Self::poll_at) will next have work, on the breaker's clock; it may be past. `u64::MAX` = no time.
    pub fn next_deadline(&self) -> u64 {
        match self.state {
            State::Open => self.retry_at_ns,
            State::Closed => self.overdue_at_ns().min(self.stall_at_ns()),
            State::HalfOpen => self.late_trial_at_ns().min(self.probe_lost_at_ns()),
        }
    }

    /// Until when the breaker stays armed (see [`Snapshot::armed`]) if nothing else happens: `None` if it isn't now,
    /// `u64::MAX` if nothing expires. O(overdue calls); with lanes O(window), some 64 times.
    pub fn armed_until(&self) -> Option<u64> {
        if !self.inboxes.is_empty() {
            return self.armed_until_by_bisection();
        }
        let (samples, overdue) = (self.window.live(self.latest_ns).0, self.live_overdue());
        // So many may expire, in the order of their stamps, and the next one disarms.
        let mut spare = (samples + overdue).checked_sub(self.config.min_samples as usize)?;
        let oldest_live = self.window.len() - samples;
        let counted = self.calls.in_flight.overdue();
        let mut overdue_ns =
            self.calls.in_flight.overdue_starts_ns().skip(counted - overdue.min(counted)).take(overdue);
        let mut disarmed_ns = 0;
        loop {
            let by_window_ns = self.window.expiry_ns(oldest_live + spare);
            match overdue_ns.next().map(|start_ns| match self.config.window_age_ns {
                0 => NEVER_NS,
                age_ns => start_ns.saturating_add(age_ns),
            }) {
                Some(by_overdue_ns) if by_overdue_ns < by_window_ns => disarmed_ns = by_overdue_ns,
                _ => return Some(by_window_ns.max(disarmed_ns)),
            }
            match spare.checked_sub(1) {
                Some(left) => spare = left,
                None => return Some(disarmed_ns),
            }
        }
    }

    /// Lanes' calls are in orders of their own, so there is no one order to go through.
    fn armed_until_by_bisection(&self) -> Option<u64> {
        let is_armed_at = |now_ns| {
            let overdue = if self.counts_overdue(self.state) { self.live_overdue_at(now_ns) } else { 0 };
            self.window.live(now_ns).0 + overdue >= self.config.min_samples as usize
        };
        let (mut armed_ns, mut unarmed_ns) = (self.latest_ns, NEVER_NS);
        if !is_armed_at(armed_ns) {
            return None;
        }
        if is_armed_at(unarmed_ns) {
            return Some(NEVER_NS);
        }
        while unarmed_ns - armed_ns > 1 {
            let middle_ns = armed_ns.midpoint(unarmed_ns);
            *(if is_armed_at(middle_ns) { &mut armed_ns } else { &mut unarmed_ns }) = middle_ns;
        }
        Some(unarmed_ns)
    }

    /// The time on the breaker's clock, for `_at` operations. Nanoseconds from an arbitrary origin, the same for all
    /// breakers of a process.
    #[inline]
    pub fn now_ns(&self) -> u64 {
        self.clock.now_ns()
    }

    /// For those that any thread may use.
    #[cfg(feature = "ffi")]
    pub(crate) fn clock(&self) -> &Clock {
        &self.clock
    }

    /// The settings in force.
    pub fn config(&self) -> &Config {
        &self.config
    }

    // Time.

    /// Takes note of the time for operations that fire no timers.
    fn note(&mut self, now_ns: u64) {
        self.see(now_ns);
        if !self.started {
            self.start();
        }
    }

    #[inline]
    fn see(&mut self, now_ns: u64) -> u64 {
        self.previous_ns = self.latest_ns;
        self.latest_ns = self.latest_ns.max(now_ns);
        self.latest_ns
    }

    /// Sees to it that the timers of a call sent at `start_ns` will be looked at.
    #[inline]
    fn wake_for_call(&mut self, start_ns: u64) {
        self.wake_ns = self.wake_ns.min(start_ns.saturating_add(self.first_timer_ns));
    }

    /// Takes note of the time, fires the timers that are due by it, and returns it, clamped to the latest seen.
    #[inline]
    fn run_timers(&mut self, now_ns: u64) -> u64 {
        let seen_ns = self.see(now_ns);
        if seen_ns >= self.wake_ns {
            self.fire_timers();
        }
        seen_ns
    }

    // Asking.

    /// The slow half of `allow`: the gate is not simply closed.
    #[cold]
    #[inline(never)]
    fn allow_unless_refused(&mut self, now_ns: u64) -> bool {
        self.poll_at(now_ns);
        let passes = match self.state {
            _ if self.page.is_halted() || self.page.is_foreign(self.state, self.config.shadow) => {
                self.refused += 1;
                if let Some(page) = &self.stands_in_for {
                    page.count_refusal(); // see `stand_in`
                }
                return false;
            }
            State::Closed => true,
            State::Open => false,
            State::HalfOpen => self.grant(),
        };
        if !passes && self.config.shadow {
            self.refused_in_shadow += 1;
            return true;
        }
        self.refused += u64::from(!passes);
        passes
    }

    /// Takes a trial as gates do.
    fn grant(&mut self) -> bool {
        self.look_at_trials();
        let granted = self.page.trials().take().is_some_and(|epoch| Some(epoch) == self.epoch);
        self.look_at_trials();
        granted
    }

    // Telling.

    #[inline(always)] // as `begin_at`
    fn finish_at(&mut self, now_ns: u64, call: Call, ok: bool) {
        self.run_timers(now_ns);
        let returned = self.calls.take(call);
        let latency_ns = now_ns.saturating_sub(call.start_ns());
        let is_good_call = ok && returned == Returned::Call && now_ns == self.latest_ns;
        if !(is_good_call && self.take_calmly(now_ns, latency_ns)) {
            self.take_returned(now_ns, latency_ns, ok, returned);
        }
    }

    /// All that a sample with a ticket may be.
    #[inline(never)]
    fn take_returned(&mut self, now_ns: u64, latency_ns: u64, ok: bool, returned: Returned) {
        if self.is_stale(now_ns, latency_ns) {
            self.stale += 1;
        } else if returned == Returned::Unknown {
            self.misused += 1;
        } else {
            self.take_sample(latency_ns, ok, returned == Returned::Trial);
        }
    }

    #[inline(always)]
    fn record_result_at(&mut self, now_ns: u64, latency_ns: u64, ok: bool) {
        let in_time = self.latest_ns <= now_ns && now_ns < self.wake_ns;
        if ok && in_time && self.take_calmly(now_ns, latency_ns) {
            self.latest_ns = now_ns;
        } else {
            self.take_recorded_at(now_ns, latency_ns, ok);
        }
    }

    /// All that a sample without a ticket may be.
    #[inline(never)]
    fn take_recorded_at(&mut self, now_ns: u64, latency_ns: u64, ok: bool) {
        self.run_timers(now_ns);
        if self.is_stale(now_ns, latency_ns) {
            self.stale += 1;
            return;
        }
        let trial = self.state == State::HalfOpen && self.claim_trial();
        self.take_sample(latency_ns, ok, trial);
    }

    #[cold]
    fn take_probe(&mut self, now_ns: u64, latency_ns: u64, ok: bool) {
        let wanted = self.state == State::HalfOpen && self.trials.recovery() == Recovery::HealthChecks;
        if wanted && !self.is_stale(now_ns, latency_ns) {
            self.take_result(latency_ns, ok, true);
        } else {
            self.stale += 1;
        }
    }

    /// By the sample's own stamps: clamped ones would let an old sample into the epoch.
    #[inline]
    fn is_stale(&self, end_ns: u64, latency_ns: u64) -> bool {
        end_ns.saturating_sub(latency_ns) < self.epoch_ns
    }

    /// A sample that isn't stale, and ended now.
    fn take_sample(&mut self, latency_ns: u64, ok: bool, trial: bool) {
        self.end_calm();
        self.rules.take(latency_ns, ok);
        if self.state == State::HalfOpen {
            self.take_half_open_sample(latency_ns, ok, trial);
            return;
        }
        let entered = self.config.sample_every == 1 || self.stride();
        if entered {
            self.window.push(self.latest_ns, latency_ns, ok);
            self.link.entered(latency_ns, self.window.len());
        } else {
            self.passed_over += 1;
        }
        if self.state == State::Closed {
            self.expire_overdue();
            let counts = entered.then(|| self.counts());
            match self.rules.judge(counts) {
                Some(reason) => self.open(reason),
                None => self.look_for_calm(),
            }
        }
    }

    /// Whether this sample enters the window.
    fn stride(&mut self) -> bool {
        let entered = self.stride_left == 0;
        self.stride_left = if entered { self.config.sample_every - 1 } else { self.stride_left - 1 };
        entered
    }

    #[cold]
    fn take_half_open_sample(&mut self, latency_ns: u64, ok: bool, trial: bool) {
        self.window.push(self.latest_ns, latency_ns, ok);
        self.link.entered(latency_ns, self.window.len());
        if self.trials.recovery() == Recovery::Trials {
            self.take_result(latency_ns, ok, trial);
        }
    }

    /// A result that counts while half-open: a bad one, whoever's; a good one, if it is a trial's or a check's.
    #[cold]
    fn take_result(&mut self, latency_ns: u64, ok: bool, counts_if_good: bool) {
        if !ok {
            self.open(Reason::ProbeFailed);
        } else if latency_ns > self.recover_threshold_ns {
            self.open(Reason::ProbeSlow);
        } else if counts_if_good {
            self.succeed();
        }
    }

    /// What a verdict of the closed breaker sees, the expired being gone.
    #[inline]
    fn counts(&self) -> Counts {
        Counts {
            samples: self.window.len(),
            slow: self.window.slow(),
            failed: self.window.failed(),
            overdue: if self.counts_overdue(State::Closed) { self.overdue() } else { 0 },
        }
    }

    /// A sampled window can't be compared with calls in flight, which aren't sampled.
    #[inline]
    fn counts_overdue(&self, state: State) -> bool {
        state == State::Closed && self.config.sample_every == 1
    }

    fn live_overdue(&self) -> usize {
        if self.counts_overdue(self.state) { self.live_overdue_at(self.latest_ns) } else { 0 }
    }

    fn live_overdue_at(&self, now_ns: u64) -> usize {
        self.tables().map(|table| table.live_overdue(now_ns, self.config.window_age_ns)).sum()
    }

    fn expire(&mut self) {
        self.window.expire(self.latest_ns);
        self.link.left(self.window.len());
        self.expire_overdue();
    }

    #[inline]
    fn expire_overdue(&mut self) {
        self.calls.in_flight.expire(self.latest_ns, self.config.window_age_ns);
        if !self.inboxes.is_empty() {
            self.expire_overdue_of_lanes();
        }
    }

    /// Calls of the owner and of lanes that are overdue and haven't expired.
    #[inline]
    fn overdue(&self) -> usize {
        let of_lanes = if self.inboxes.is_empty() { 0 } else { self.overdue_of_lanes() };
        self.calls.in_flight.overdue() + of_lanes
    }

    /// The quantile of what a verdict in `state` sees, the expired being gone.
    fn select(&mut self, state: State, quantile_ppm: u32) -> Option<u64> {
        let overdue = if self.counts_overdue(state) { self.overdue() } else { 0 };
        if overdue == 0 {
            return self.quantiles.quantile(self.window.samples(), core::iter::empty(), quantile_ppm);
        }
        self.select_with_overdue(overdue, quantile_ppm)
    }

    #[cold]
    #[inline(never)]
    fn select_with_overdue(&mut self, overdue: usize, quantile_ppm: u32) -> Option<u64> {
        let latest_ns = self.latest_ns;
        let tables = core::iter::once(&self.calls.in_flight).chain(self.inboxes.iter().map(|inbox| &inbox.in_flight));
        let starts_ns = tables.flat_map(InFlight::overdue_starts_ns).take(overdue);
        let ages_ns = starts_ns.map(|start_ns| latest_ns.saturating_sub(start_ns));
        self.quantiles.quantile(self.window.samples(), ages_ns, quantile_ppm)
    }
}

impl Drop for Breaker {
    /// Gates that are left refuse, as nobody watches any more. A page in a file is left for the next owner: its end is clean,
    /// unless this comes of a panic. (The child of a fork has no page in a file.)
    fn drop(&mut self) {
        let has_page = self.link.is_none() || self.link.is_here();
        if !has_page {
            return;
        }
        if self.started {
            self.publish();
        }
        let is_intact = !self.page.is_foreign(self.state, self.config.shadow);
        if is_intact {
            self.page.change_state(self.state, State::Open);
        }
        if is_intact && !std::thread::panicking() {
            self.link.seal(self.state, self.events);
        }
    }
}

impl fmt::Debug for Breaker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Breaker").field("config", &self.config).field("snapshot", &self.snapshot()).finish()
    }
}
