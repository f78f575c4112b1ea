//! What a breaker tells of itself at one moment.

use crate::clock::ClockSource;
use crate::config::State;
use crate::words::words;

/// A breaker at one moment, `now_ns`: its state, what a verdict sees, and what it has counted since construction.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Snapshot {
    /// The automatic state.
    pub state: State,
    /// Somebody has halted trading. The automatic state goes on underneath.
    pub halted: bool,
    /// The breaker judges and reports, but refuses nothing.
    pub shadow: bool,
    /// There are enough samples, overdue calls included, for a verdict on the quantile: `min_samples`.
    pub armed: bool,
    /// What the plain operations read the time from.
    pub clock: ClockSource,
    /// The latest time that the owner has seen. (What [`Breaker::snapshot`](crate::Breaker::snapshot) says of `halted` is as of
    /// the call.)
    pub now_ns: u64,
    /// When the latest half-open epoch began; 0 before the first.
    pub epoch_ns: u64,
    /// When the pause ends; `u64::MAX` unless the breaker is open.
    pub retry_at_ns: u64,
    /// The attempt of the latest opening; 0 before the first.
    pub attempt: u32,
    /// How many samples are in the window.
    pub samples: u32,
    /// How many of these samples are slower than the threshold.
    pub slow: u32,
    /// How many of these samples failed.
    pub failures: u32,
    /// How many calls in flight count as slow samples beside the window.
    pub overdue: u32,
    /// The debt that a verdict sees, overdue calls included, in parts per million of a call. It is 0 unless the breaker is closed and
    /// has a `debt_limit`, and trips at `debt_limit * quantile_ppm`.
    pub debt_ppm: u64,
    /// How many calls in flight are tracked, those of lanes included.
    pub in_flight: u32,
    /// When the oldest of these calls began, clamped to the latest time seen by then; `u64::MAX` if there is none.
    pub oldest_start_ns: u64,
    /// How many trials were granted in this half-open epoch; 0 in other states, like the next two.
    pub trials_granted: u32,
    /// How many of these trials have no result so far.
    pub trials_out: u32,
    /// How many trials or checks were good so far.
    pub trials_good: u32,
    /// How many samples were taken in. Stale samples don't count here.
    pub recorded: u64,
    /// How many samples and checks were stale, and therefore ignored.
    pub stale: u64,
    /// How many calls began untracked, because `max_in_flight` calls were tracked already.
    pub untracked: u64,
    /// How many asks were refused.
    pub refused: u64,
    /// How many asks would have been refused, but passed in shadow.
    pub refused_in_shadow: u64,
    /// How many tickets came back twice, or were never given out, and how many latencies were no times: 2^63 ns or more, as a rule a
    /// negative difference. In C it also counts the calls of owner's functions while a
    /// supervisor owned the breaker.
    pub misused: u64,
    /// How many messages lanes dropped because they were full: calls that begin or are recorded, and checks.
    pub dropped: u64,
    /// How many events the journal has had. It is the sequence number of the next event.
    pub events: u64,
}

words!(
    Snapshot: state, halted, shadow, armed, clock, now_ns, epoch_ns, retry_at_ns, attempt, samples, slow, failures, overdue,
    debt_ppm, in_flight, oldest_start_ns, trials_granted, trials_out, trials_good, recorded, stale, untracked, refused, refused_in_shadow, misused,
    dropped, events
);
