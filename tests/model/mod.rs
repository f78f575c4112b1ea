//! The breaker once more, as plainly as its rules read: keeps everything in lists, sorts and recounts at each step, and
//! shares nothing with the library but its settings. Jitter is 0.

pub(crate) mod lane_pair;
pub(crate) mod lanes;
pub(crate) mod pair;

use lanes::Lane;
use trip99::{Config, Reason, Recovery, State};

/// A ticket of the model: the number of the call.
pub(crate) type Ticket = usize;

struct Sample {
    end_ns: u64,
    latency_ns: u64,
    ok: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    InFlight,
    Returned,
    /// An epoch began meanwhile.
    Forgotten,
}

struct Call {
    /// The caller's stamp, and that clamped to the latest time seen.
    stamp_ns: u64,
    start_ns: u64,
    trial: bool,
    tracked: bool,
    /// 0 of the owner's own, then those of the lanes.
    table: usize,
    /// The owner knows that it began.
    heard: bool,
    overdue: bool,
    fate: Fate,
}

/// An event, without what the model doesn't know (sequence and wall time).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Event {
    pub(crate) t_ns: u64,
    pub(crate) from: State,
    pub(crate) to: State,
    pub(crate) reason: Reason,
    pub(crate) quantile_ns: u64,
    pub(crate) samples: u32,
    pub(crate) slow: u32,
    pub(crate) overdue: u32,
    pub(crate) failures: u32,
    pub(crate) attempt: u32,
    pub(crate) retry_at_ns: u64,
    pub(crate) owner_gap_ns: u64,
}

pub(crate) struct Model {
    pub(crate) config: Config,
    pub(crate) state: State,
    pub(crate) halted: bool,
    pub(crate) latest_ns: u64,
    previous_ns: u64,
    started: bool,
    pub(crate) epoch_ns: u64,
    samples: Vec<Sample>,
    calls: Vec<Call>,
    /// Every sample's outcome since the epoch, newest last: slower than the spike limit, failed.
    runs: Vec<(bool, bool)>,
    /// Every verdict since the epoch.
    verdicts: Vec<bool>,
    /// Samples since the epoch that the stride counts.
    strides: u64,
    /// The plan of the half-open epoch.
    plan: Config,
    /// The number of that epoch; 0 before the first.
    epoch: u32,
    /// Granted and not begun.
    pending: u32,
    /// Granted and without a result: now, and when the owner looked last.
    out: u32,
    pub(crate) noted_out: u32,
    /// None was out at some time since then.
    was_idle: bool,
    pub(crate) good: u32,
    leased_ns: u64,
    attempt: Option<u32>,
    pub(crate) retry_at_ns: u64,
    closed_since_ns: u64,
    pub(crate) recorded: u64,
    pub(crate) stale: u64,
    pub(crate) untracked: u64,
    pub(crate) refused: u64,
    pub(crate) refused_in_shadow: u64,
    pub(crate) misused: u64,
    pub(crate) dropped: u64,
    /// Those that are gone, too.
    lanes: Vec<Lane>,
    returned_on_lanes: Vec<Ticket>,
    /// Of tracked calls of lanes.
    places_of: Vec<(Ticket, usize)>,
    /// Trials that calls claimed which their lanes couldn't track, and in which epoch.
    untracked_trials: Vec<(Ticket, u32)>,
    /// Gates or lanes were made.
    shared: bool,
    /// No earlier than the latest time seen while lanes are heard.
    horizon_ns: u64,
    pub(crate) events: Vec<Event>,
}

impl Model {
    pub(crate) fn new(config: Config) -> Self {
        Self {
            state: config.start,
            plan: config.clone(),
            config,
            halted: false,
            latest_ns: 0,
            previous_ns: 0,
            started: false,
            epoch_ns: 0,
            samples: Vec::new(),
            calls: Vec::new(),
            runs: Vec::new(),
            verdicts: Vec::new(),
            strides: 0,
            epoch: 0,
            pending: 0,
            out: 0,
            noted_out: 0,
            was_idle: false,
            good: 0,
            leased_ns: 0,
            attempt: None,
            retry_at_ns: u64::MAX,
            closed_since_ns: 0,
            recorded: 0,
            stale: 0,
            untracked: 0,
            refused: 0,
            refused_in_shadow: 0,
            misused: 0,
            dropped: 0,
            lanes: Vec::new(),
            returned_on_lanes: Vec::new(),
            places_of: Vec::new(),
            untracked_trials: Vec::new(),
            shared: false,
            horizon_ns: 0,
            events: Vec::new(),
        }
    }

    // Operations.

    pub(crate) fn allow(&mut self, now_ns: u64) -> bool {
        if self.state == State::Closed && !self.halted && !self.config.shadow {
            return true;
        }
        self.poll(now_ns);
        if self.halted {
            self.refused += 1;
            return false;
        }
        let may_go = match self.state {
            State::Closed => true,
            State::Open => false,
            State::HalfOpen => {
                self.look();
                let granted = self.grant();
                self.look();
                granted
            }
        };
        if !may_go && self.config.shadow {
            self.refused_in_shadow += 1;
        } else if !may_go {
            self.refused += 1;
        }
        may_go || self.config.shadow
    }

    pub(crate) fn begin(&mut self, now_ns: u64) -> Ticket {
        self.fire_timers(now_ns);
        let tracked = self.in_flight().filter(|call| call.table == 0).count() < self.config.max_in_flight as usize;
        self.untracked += u64::from(!tracked);
        self.look();
        let trial = self.claim();
        let (stamp_ns, start_ns) = (now_ns, self.latest_ns);
        let (table, heard, overdue, fate) = (0, true, false, Fate::InFlight);
        self.calls.push(Call { stamp_ns, start_ns, trial, tracked, table, heard, overdue, fate });
        self.calls.len() - 1
    }

    pub(crate) fn finish(&mut self, now_ns: u64, ticket: Ticket, ok: bool) {
        self.fire_timers(now_ns);
        let call = &mut self.calls[ticket];
        let latency_ns = now_ns.saturating_sub(call.stamp_ns);
        let (fate, trial) = (call.fate, call.trial);
        call.fate = Fate::Returned;
        if now_ns - latency_ns < self.epoch_ns {
            self.stale += 1;
        } else if fate == Fate::InFlight {
            self.sample(latency_ns, ok, trial);
        } else {
            self.misused += 1;
        }
    }

    pub(crate) fn abandon(&mut self, now_ns: u64, ticket: Ticket) {
        self.see(now_ns);
        let call = &mut self.calls[ticket];
        let (fate, trial, stamp_ns) = (call.fate, call.trial, call.stamp_ns);
        call.fate = Fate::Returned;
        if fate == Fate::InFlight && trial {
            self.give_back();
            self.look();
        } else if fate != Fate::InFlight && stamp_ns >= self.epoch_ns {
            self.misused += 1;
        }
    }

    pub(crate) fn release(&mut self, now_ns: u64) {
        self.see(now_ns);
        if self.claim() {
            self.give_back();
        }
        self.look();
    }

    pub(crate) fn record(&mut self, now_ns: u64, latency_ns: u64, ok: bool) {
        self.fire_timers(now_ns);
        if now_ns.saturating_sub(latency_ns) < self.epoch_ns {
            self.stale += 1;
            return;
        }
        self.look();
        let trial = self.claim();
        self.sample(latency_ns, ok, trial);
    }

    pub(crate) fn record_probe(&mut self, now_ns: u64, latency_ns: u64, ok: bool) {
        self.fire_timers(now_ns);
        self.take_probe(now_ns, latency_ns, ok);
    }

    fn take_probe(&mut self, now_ns: u64, latency_ns: u64, ok: bool) {
        let wanted = self.state == State::HalfOpen && self.plan.recovery == Recovery::HealthChecks;
        if wanted && now_ns.saturating_sub(latency_ns) >= self.epoch_ns {
            self.result(latency_ns, ok, true);
        } else {
            self.stale += 1;
        }
    }

    pub(crate) fn poll(&mut self, now_ns: u64) {
        if !self.shared {
            self.fire_timers(now_ns);
            return;
        }
        let horizon_ns = self.latest_ns.max(now_ns);
        if !self.started {
            self.see(now_ns);
        }
        self.previous_ns = self.latest_ns;
        self.listen(horizon_ns);
        self.latest_ns = horizon_ns;
        self.look();
        self.fire_due_timers();
    }

    pub(crate) fn set_halt(&mut self, now_ns: u64, halted: bool) {
        self.see(now_ns);
        if self.halted != halted {
            self.halted = halted;
            self.log(self.state, if halted { Reason::Halt } else { Reason::Resume });
        }
    }

    pub(crate) fn reconfigure(&mut self, now_ns: u64, config: Config) {
        self.see(now_ns);
        // Samples that have expired are gone for good, calls in flight are not.
        self.forget_expired();
        // What the stride passes over is at most what is left of the new one.
        let left = (u64::from(self.config.sample_every) - self.strides % u64::from(self.config.sample_every))
            % u64::from(self.config.sample_every);
        let every = u64::from(config.sample_every);
        self.strides = (every - left.min(every - 1)) % every;
        for call in &mut self.calls {
            call.overdue = call.overdue && self.latest_ns - call.start_ns > config.threshold_ns;
        }
        let spike_limit_ns = self.spike_limit_ns();
        self.config = config;
        assert_eq!(self.spike_limit_ns(), spike_limit_ns, "the model can't judge old runs by a new limit");
    }

    pub(crate) fn next_deadline(&self) -> u64 {
        let deadlines = self.timers();
        deadlines.into_iter().map(|(deadline_ns, _)| deadline_ns).min().unwrap_or(u64::MAX)
    }

    pub(crate) fn quantile(&mut self, now_ns: u64, quantile_ppm: u32) -> Option<u64> {
        self.see(now_ns);
        by_rank(self.values(self.state), quantile_ppm)
    }

    /// Window samples, slow and failed ones of them, and overdue calls, as a verdict now would see them.
    pub(crate) fn counts(&self) -> (usize, usize, usize, usize) {
        let live: Vec<&Sample> = self.samples.iter().filter(|sample| !self.is_expired(sample.end_ns)).collect();
        let slow = live.iter().filter(|sample| sample.latency_ns > self.config.threshold_ns).count();
        let failed = live.iter().filter(|sample| !sample.ok).count();
        (live.len(), slow, failed, self.overdue_ages(self.state).len())
    }

    pub(crate) fn tracked(&self) -> usize {
        self.in_flight().count()
    }

    pub(crate) fn attempt(&self) -> u32 {
        self.attempt.unwrap_or(0)
    }

    /// False for a ticket whose second return the library can't tell: it only knows how many untracked ones are out.
    pub(crate) fn may_return(&self, ticket: Ticket) -> bool {
        self.calls[ticket].fate == Fate::InFlight || self.calls[ticket].tracked
    }

    // Time.

    fn see(&mut self, now_ns: u64) {
        self.previous_ns = self.latest_ns;
        self.latest_ns = self.latest_ns.max(now_ns);
        if !self.started {
            self.started = true;
            self.previous_ns = self.latest_ns;
            self.leased_ns = self.latest_ns;
        }
    }

    fn fire_timers(&mut self, now_ns: u64) {
        self.see(now_ns);
        self.fire_due_timers();
    }

    fn due_timer(&self) -> Option<Reason> {
        let is_due = |&(at_ns, _): &(u64, Reason)| at_ns <= self.latest_ns && at_ns < u64::MAX;
        self.timers().into_iter().find(is_due).map(|(_, reason)| reason)
    }

    fn fire_due_timers(&mut self) {
        if self.shared && self.due_timer().is_some() {
            self.listen(self.latest_ns);
            self.look();
        }
        while let Some(reason) = self.due_timer() {
            match reason {
                Reason::Retry => self.half_open(),
                // The oldest call that isn't overdue becomes so, and a verdict is made.
                Reason::Latency => {
                    let waiting = self.calls.iter_mut().filter(|call| call.is_waiting());
                    let oldest = waiting.min_by_key(|call| (call.start_ns, call.table));
                    oldest.expect("a call is due").overdue = true;
                    if self.verdict() {
                        self.open(Reason::Latency);
                    }
                }
                reason => self.open(reason),
            }
        }
    }

    /// The deadlines of this state, in the order in which they are looked at.
    fn timers(&self) -> Vec<(u64, Reason)> {
        let oldest =
            |wanted: fn(&Call) -> bool| self.in_flight().filter(|call| wanted(call)).map(|call| call.start_ns).min();
        let after = |start_ns: Option<u64>, limit_ns: u64| {
            start_ns.map_or(u64::MAX, |start_ns| start_ns.saturating_add(limit_ns))
        };
        match self.state {
            State::Open => vec![(self.retry_at_ns, Reason::Retry)],
            State::Closed => {
                let overdue_ns = after(oldest(Call::is_waiting), self.config.threshold_ns.saturating_add(1));
                let stall_ns = match self.config.stall_limit_ns {
                    0 => u64::MAX,
                    limit_ns => after(oldest(|_| true), limit_ns),
                };
                vec![(overdue_ns, Reason::Latency), (stall_ns, Reason::Stall)]
            }
            State::HalfOpen => {
                let late_ns = after(oldest(|call| call.trial), self.recover_threshold_ns().saturating_add(1));
                let awaited = self.noted_out > 0 || self.plan.recovery == Recovery::HealthChecks;
                let lost_ns =
                    if awaited { self.leased_ns.saturating_add(self.config.probe_timeout_ns) } else { u64::MAX };
                vec![(late_ns, Reason::ProbeSlow), (lost_ns, Reason::ProbeLost)]
            }
        }
    }

    // Trials.

    /// Granted in this epoch, as far as the owner has looked.
    pub(crate) fn granted(&self) -> u32 {
        if self.plan.recovery == Recovery::Trials { self.noted_out + self.good } else { 0 }
    }

    fn grant(&mut self) -> bool {
        let may_go = self.plan.recovery == Recovery::Trials
            && self.out + self.good < self.plan.probes
            && self.out < self.plan.trials_in_flight;
        self.pending += u32::from(may_go);
        self.out += u32::from(may_go);
        may_go
    }

    /// Whoever begins next after a grant has the trial.
    fn claim(&mut self) -> bool {
        let trial = self.state == State::HalfOpen && self.pending > 0;
        self.pending -= u32::from(trial);
        trial
    }

    fn give_back(&mut self) {
        if self.state == State::HalfOpen {
            self.out -= 1;
            self.was_idle |= self.out == 0;
        }
    }

    /// The owner takes note of the trials that are out: a lease begins when it sees one out, and knows that none was.
    fn look(&mut self) {
        if self.state == State::HalfOpen {
            if self.out > 0 && (self.noted_out == 0 || self.was_idle) {
                self.leased_ns = self.latest_ns;
            }
            (self.noted_out, self.was_idle) = (self.out, false);
        }
    }

    // Rules.

    fn sample(&mut self, latency_ns: u64, ok: bool, trial: bool) {
        self.recorded += 1;
        self.runs.push((latency_ns > self.spike_limit_ns(), !ok));
        let half_open = self.state == State::HalfOpen;
        let entered = half_open || self.strides.is_multiple_of(u64::from(self.config.sample_every));
        self.strides += u64::from(!half_open);
        if entered {
            self.forget_expired();
            if self.samples.len() == self.config.window_len as usize {
                self.samples.remove(0);
            }
            self.samples.push(Sample { end_ns: self.latest_ns, latency_ns, ok });
        }
        match self.state {
            State::Open => {}
            State::HalfOpen if self.plan.recovery == Recovery::Trials => self.result(latency_ns, ok, trial),
            State::HalfOpen => {}
            State::Closed => {
                if let Some(reason) = self.first_rule(entered) {
                    self.open(reason);
                }
            }
        }
    }

    fn first_rule(&mut self, entered: bool) -> Option<Reason> {
        if entered && self.verdict() {
            return Some(Reason::Latency);
        }
        let (samples, _, failed, _) = self.counts();
        let armed = samples >= self.config.min_samples as usize;
        if entered && armed && failed as u128 * 1_000_000 > self.config.failure_rate_ppm as u128 * samples as u128 {
            return Some(Reason::FailureRate);
        }
        let run = |counts: fn(&(bool, bool)) -> bool| self.runs.iter().rev().take_while(|&run| counts(run)).count();
        let reached = |run: usize, limit: u32| limit > 0 && run >= limit as usize;
        if reached(run(|&(_, failed)| failed), self.config.consecutive_failures) {
            return Some(Reason::ConsecutiveFailures);
        }
        reached(run(|&(slow, _)| slow), self.config.spike_count).then_some(Reason::Spike)
    }

    /// Makes a verdict; true if it is the last that was missing in a row.
    fn verdict(&mut self) -> bool {
        let values = self.values(State::Closed);
        let armed = values.len() >= self.config.min_samples as usize;
        let quantile = by_rank(values, self.config.quantile_ppm);
        let over = armed && quantile.is_some_and(|quantile_ns| quantile_ns > self.config.threshold_ns);
        self.verdicts.push(over);
        let row = self.verdicts.iter().rev().take_while(|&&over| over).count();
        row >= self.config.confirm_verdicts as usize
    }

    fn result(&mut self, latency_ns: u64, ok: bool, counts: bool) {
        if !ok {
            self.open(Reason::ProbeFailed);
        } else if latency_ns > self.recover_threshold_ns() {
            self.open(Reason::ProbeSlow);
        } else if counts {
            self.out = self.out.saturating_sub(1);
            self.noted_out = self.noted_out.saturating_sub(1);
            self.leased_ns = self.latest_ns;
            self.good += 1;
            if self.good == self.plan.probes {
                self.closed_since_ns = self.latest_ns;
                self.change(State::Closed, Reason::Recovered);
            }
        }
    }

    // Transitions.

    fn open(&mut self, reason: Reason) {
        let config = &self.config;
        let pause_ns = |attempt: u32| {
            let factor = u128::from(config.backoff_multiplier).saturating_pow(attempt);
            u128::from(config.backoff_base_ns).saturating_mul(factor).min(u128::from(config.backoff_max_ns)) as u64
        };
        let cap = match config.backoff_multiplier {
            1 => 0,
            _ => (0..).find(|&attempt| pause_ns(attempt) == config.backoff_max_ns).unwrap_or(0),
        };
        let attempt = match (self.attempt, self.state) {
            (None, _) => 0,
            (Some(attempt), State::HalfOpen) => attempt + 1,
            (Some(attempt), _) => {
                let forgiven = (self.latest_ns - self.closed_since_ns) / config.stable_after_ns;
                (u64::from(attempt) + 1).saturating_sub(forgiven) as u32
            }
        };
        let attempt = attempt.min(cap);
        // The gate shuts when a lane's sample is heard, which may be later than it ended.
        self.retry_at_ns = self.latest_ns.max(self.horizon_ns).saturating_add(pause_ns(attempt));
        self.attempt = Some(attempt);
        self.change(State::Open, reason);
    }

    fn half_open(&mut self) {
        self.retry_at_ns = u64::MAX;
        self.change(State::HalfOpen, Reason::Retry);
        self.epoch_ns = self.latest_ns;
        self.samples.clear();
        self.runs.clear();
        self.verdicts.clear();
        self.strides = 0;
        for ticket in 0..self.calls.len() {
            if self.calls[ticket].heard && self.calls[ticket].fate == Fate::InFlight {
                self.forget(ticket);
            }
        }
        self.plan = self.config.clone();
        self.epoch += 1;
        (self.pending, self.out, self.noted_out, self.was_idle, self.good) = (0, 0, 0, false, 0);
        self.leased_ns = self.latest_ns;
    }

    fn change(&mut self, to: State, reason: Reason) {
        let from = self.state;
        self.state = to;
        self.log(from, reason);
    }

    fn log(&mut self, from: State, reason: Reason) {
        let (samples, slow, failures, _) = self.counts();
        let overdue = self.overdue_ages(from).len();
        self.events.push(Event {
            t_ns: self.latest_ns,
            from,
            to: self.state,
            reason,
            quantile_ns: by_rank(self.values(from), self.config.quantile_ppm).unwrap_or(0),
            samples: (samples + overdue) as u32,
            slow: (slow + overdue) as u32,
            overdue: overdue as u32,
            failures: failures as u32,
            attempt: self.attempt(),
            retry_at_ns: self.retry_at_ns,
            owner_gap_ns: if self.started { self.latest_ns - self.previous_ns } else { 0 },
        });
    }

    // What there is.

    fn in_flight(&self) -> impl Iterator<Item = &Call> {
        self.calls.iter().filter(|call| call.tracked && call.heard && call.fate == Fate::InFlight)
    }

    fn is_expired(&self, since_ns: u64) -> bool {
        self.config.window_age_ns > 0 && self.latest_ns - since_ns >= self.config.window_age_ns
    }

    fn forget_expired(&mut self) {
        let (latest_ns, age_ns) = (self.latest_ns, self.config.window_age_ns);
        self.samples.retain(|sample| age_ns == 0 || latest_ns - sample.end_ns < age_ns);
    }

    /// The ages of the overdue calls that a verdict in `state` counts.
    fn overdue_ages(&self, state: State) -> Vec<u64> {
        if state != State::Closed || self.config.sample_every > 1 {
            return Vec::new();
        }
        let counted = self.in_flight().filter(|call| call.overdue && !self.is_expired(call.start_ns));
        counted.map(|call| self.latest_ns - call.start_ns).collect()
    }

    /// All that a verdict in `state` sees.
    fn values(&self, state: State) -> Vec<u64> {
        let live = self.samples.iter().filter(|sample| !self.is_expired(sample.end_ns));
        live.map(|sample| sample.latency_ns).chain(self.overdue_ages(state)).collect()
    }

    fn spike_limit_ns(&self) -> u64 {
        if self.config.spike_limit_ns == 0 { self.config.threshold_ns } else { self.config.spike_limit_ns }
    }

    fn recover_threshold_ns(&self) -> u64 {
        match self.config.recover_threshold_ns {
            0 => (u128::from(self.config.threshold_ns) * 80 / 100) as u64,
            limit_ns => limit_ns,
        }
    }
}

impl Call {
    /// In flight, and neither a trial nor overdue yet.
    fn is_waiting(&self) -> bool {
        self.tracked && self.heard && self.fate == Fate::InFlight && !self.trial && !self.overdue
    }
}

/// Nearest rank, by sorting.
fn by_rank(mut values: Vec<u64>, quantile_ppm: u32) -> Option<u64> {
    values.sort_unstable();
    let rank = (u128::from(quantile_ppm) * values.len() as u128).div_ceil(1_000_000).max(1);
    values.get(rank as usize - 1).copied()
}
