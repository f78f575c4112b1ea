//! The breaker once more, as plainly as its rules read. The model keeps everything in lists, sorts and recounts at each step,
//! and shares nothing with the library but its settings. Jitter is 0.
//!
//! This file says what there is. The others say what happens: `operations` what a caller may do, `timers`, `jump`, `trials`, `rules`
//! and `transitions` what that leads to, `lanes` what other threads do, `hearing` when the owner hears of it, and `halts` who holds a halt. `pair` and
//! `lane_pair` drive the breaker and the model side by side.

mod operations;
mod timers;
mod jump;
mod trials;
mod rules;
mod transitions;
pub(crate) mod lanes;
mod hearing;
pub(crate) mod halts;
pub(crate) mod lane_pair;
pub(crate) mod pair;

use halts::Halts;
use lanes::Lane;
use trip99::{Config, Reason, State};

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
    /// An epoch began while the call was in flight.
    Forgotten,
}

struct Call {
    /// The caller's stamp. `start_ns` is the stamp, but not before the latest time seen.
    stamp_ns: u64,
    start_ns: u64,
    trial: bool,
    tracked: bool,
    /// 0 for the owner's own calls; lane `n`'s calls have `n + 1`.
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
    pub(crate) observed: u64,
    pub(crate) limit: u64,
    pub(crate) by_debt: bool,
    /// The number of the entry in the operators' log; 0 if there is none.
    pub(crate) entry: u64,
}

pub(crate) struct Model {
    pub(crate) config: Config,
    pub(crate) state: State,
    /// What the gate shows. Who holds a halt, and what the owner knows, is in `halts`.
    pub(crate) halted: bool,
    pub(crate) halts: Halts,
    pub(crate) events: Vec<Event>,

    // Time (timers.rs).
    pub(crate) latest_ns: u64,
    previous_ns: u64,
    started: bool,
    /// The latest time that a lane may make the model's while lanes are heard.
    horizon_ns: u64,
    /// Of each operation since the clock jumped, newest last: whether it came from more than a second before the latest time.
    far_back: Vec<bool>,

    // Samples and calls (rules.rs).
    samples: Vec<Sample>,
    calls: Vec<Call>,
    /// Of every sample since the epoch, newest last: whether it was slower than the spike limit, and whether it failed.
    runs: Vec<(bool, bool)>,
    /// Every verdict since the epoch.
    verdicts: Vec<bool>,
    /// What is owed, in ppm of a call, and when the latest slow sample of that ended.
    debt_ppm: u64,
    debt_slow_ns: u64,
    /// How many samples the stride has counted since the epoch.
    strides: u64,

    // The half-open epoch and its trials (trials.rs).
    /// The epoch's number; 0 before the first.
    epoch: u32,
    pub(crate) epoch_ns: u64,
    /// The settings that the epoch goes by.
    plan: Config,
    /// Trials that were granted and have not begun.
    pub(crate) pending: u32,
    /// Trials that were granted and have no result: now, and when the owner looked last.
    out: u32,
    pub(crate) noted_out: u32,
    /// At some time since the owner looked last no trial was out.
    was_idle: bool,
    pub(crate) good: u32,
    leased_ns: u64,

    // Pauses (transitions.rs).
    attempt: Option<u32>,
    pub(crate) retry_at_ns: u64,
    closed_since_ns: u64,
    /// How often the breaker has opened since it was last closed for `stable_after` on end.
    openings: u32,

    // Counts.
    pub(crate) recorded: u64,
    pub(crate) stale: u64,
    pub(crate) untracked: u64,
    pub(crate) refused: u64,
    pub(crate) refused_in_shadow: u64,
    pub(crate) misused: u64,
    pub(crate) dropped: u64,

    // Lanes (lanes.rs).
    /// All that were ever opened.
    lanes: Vec<Lane>,
    returned_on_lanes: Vec<Ticket>,
    /// The places of the lanes' tracked calls.
    places_of: Vec<(Ticket, usize)>,
    /// Trials of calls that their lanes couldn't track, with the epoch in which the call claimed the trial.
    untracked_trials: Vec<(Ticket, u32)>,
    /// Gates or lanes were made.
    shared: bool,
    /// The time of the latest poll since then.
    polled_ns: u64,
}

impl Model {
    pub(crate) fn new(config: Config) -> Self {
        Self {
            state: config.start.state(),
            plan: config.clone(),
            config,
            halted: false,
            halts: Halts::default(),
            events: Vec::new(),
            latest_ns: 0,
            previous_ns: 0,
            started: false,
            horizon_ns: 0,
            far_back: Vec::new(),
            samples: Vec::new(),
            calls: Vec::new(),
            runs: Vec::new(),
            verdicts: Vec::new(),
            debt_ppm: 0,
            debt_slow_ns: 0,
            strides: 0,
            epoch: 0,
            epoch_ns: 0,
            pending: 0,
            out: 0,
            noted_out: 0,
            was_idle: false,
            good: 0,
            leased_ns: 0,
            attempt: None,
            retry_at_ns: u64::MAX,
            closed_since_ns: 0,
            openings: 0,
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
            polled_ns: 0,
        }
    }

    // What is compared.

    pub(crate) fn next_deadline_ns(&self) -> u64 {
        let deadlines = self.timers();
        let timer_ns = deadlines.into_iter().map(|(deadline_ns, _)| deadline_ns).min().unwrap_or(u64::MAX);
        // A poll is a sign of life, which gates and lanes wait for.
        match self.config.owner_timeout_ns {
            timeout_ns if self.shared && timeout_ns > 0 => timer_ns.min(self.polled_ns.saturating_add(timeout_ns / 2)),
            _ => timer_ns,
        }
    }

    pub(crate) fn quantile(&mut self, now_ns: u64, quantile_ppm: u32) -> Option<u64> {
        self.see(now_ns);
        by_rank(self.values(self.state), quantile_ppm)
    }

    /// How many samples the window has, how many of them are slow and how many failed, and how many calls are overdue: as a
    /// verdict would see them now.
    pub(crate) fn counts(&self) -> (usize, usize, usize, usize) {
        let live: Vec<&Sample> = self.samples.iter().filter(|sample| !self.is_expired(sample.end_ns)).collect();
        let slow = live.iter().filter(|sample| sample.latency_ns > self.config.threshold_ns).count();
        let failed = live.iter().filter(|sample| !sample.ok).count();
        (live.len(), slow, failed, self.overdue_ages(self.state).len())
    }

    /// What a verdict on debt would see now, with the overdue calls; 0 if there would be none.
    pub(crate) fn seen_debt_ppm(&self, state: State) -> u64 {
        if state != State::Closed || self.config.debt_limit == 0 {
            return 0;
        }
        let overdue = self.overdue_ages(state).len() as u64;
        let owed_ppm = if self.is_expired(self.debt_slow_ns) { 0 } else { self.debt_ppm };
        owed_ppm + overdue * u64::from(self.config.quantile_ppm)
    }

    pub(crate) fn tracked(&self) -> usize {
        self.in_flight().count()
    }

    pub(crate) fn attempt(&self) -> u32 {
        self.attempt.unwrap_or(0)
    }

    /// False for a ticket whose second return the library can't notice: it only knows how many untracked calls are out.
    pub(crate) fn may_return(&self, ticket: Ticket) -> bool {
        self.calls[ticket].fate == Fate::InFlight || self.calls[ticket].tracked
    }

    // What there is.

    fn in_flight(&self) -> impl Iterator<Item = &Call> {
        self.calls.iter().filter(|call| call.tracked && call.heard && call.fate == Fate::InFlight)
    }

    /// 0 for what comes from before a clock jumped, and from after now.
    fn age_ns(&self, since_ns: u64) -> u64 {
        self.latest_ns.saturating_sub(since_ns)
    }

    fn is_expired(&self, since_ns: u64) -> bool {
        self.config.window_age_ns > 0 && self.age_ns(since_ns) >= self.config.window_age_ns
    }

    fn forget_expired(&mut self) {
        let (latest_ns, age_ns) = (self.latest_ns, self.config.window_age_ns);
        self.samples.retain(|sample| age_ns == 0 || latest_ns.saturating_sub(sample.end_ns) < age_ns);
    }

    /// The ages of the overdue calls that a verdict in `state` counts.
    fn overdue_ages(&self, state: State) -> Vec<u64> {
        if state != State::Closed || self.config.sample_every > 1 {
            return Vec::new();
        }
        let counted = self.in_flight().filter(|call| call.overdue && !self.is_expired(call.start_ns));
        counted.map(|call| self.age_ns(call.start_ns)).collect()
    }

    /// All latencies and ages that a verdict in `state` sees.
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

/// The quantile by nearest rank: sorts, and takes the `ceil(q * n)`-th.
fn by_rank(mut values: Vec<u64>, quantile_ppm: u32) -> Option<u64> {
    values.sort_unstable();
    let rank = (u128::from(quantile_ppm) * values.len() as u128).div_ceil(1_000_000).max(1);
    values.get(rank as usize - 1).copied()
}
