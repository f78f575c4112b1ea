//! A breaker at one moment, as it tells it.

use crate::clock::ClockSource;
use crate::config::State;
use crate::words::words;

/// A breaker at one moment, `now_ns`: its state, what a verdict sees, and counts since construction.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Snapshot {
    /// The automatic state.
    pub state: State,
    /// A human has halted trading; the automatic state goes on underneath.
    pub halted: bool,
    /// Judges and reports, but refuses nothing.
    pub shadow: bool,
    /// Enough samples (overdue calls included) for a verdict on the quantile: `min_samples`.
    pub armed: bool,
    /// What the plain operations read the time from.
    pub clock: ClockSource,
    /// The latest time that the owner has seen. (In [`Breaker::snapshot`](crate::Breaker::snapshot), `halted` is as of the
    /// call.)
    pub now_ns: u64,
    /// When the latest half-open epoch began; 0 before the first.
    pub epoch_ns: u64,
    /// When the pause ends; `u64::MAX` unless the breaker is open.
    pub retry_at_ns: u64,
    /// Of the latest opening; 0 before the first.
    pub attempt: u32,
    /// Samples in the window.
    pub samples: u32,
    /// Of them, slower than the threshold.
    pub slow: u32,
    /// Of them, failed.
    pub failures: u32,
    /// Calls in flight that count as slow samples beside the window.
    pub overdue: u32,
    /// Calls in flight that are tracked, those of lanes included.
    pub in_flight: u32,
    /// Trials granted in this half-open epoch; 0 in other states, like the next two.
    pub trials_granted: u32,
    /// Of them, without a result so far.
    pub trials_out: u32,
    /// Good trials or checks so far.
    pub trials_good: u32,
    /// Samples taken in (stale ones apart).
    pub recorded: u64,
    /// Samples and checks that were stale, and therefore ignored.
    pub stale: u64,
    /// Calls that began untracked, because `max_in_flight` were tracked already.
    pub untracked: u64,
    /// Asks that were refused.
    pub refused: u64,
    /// Asks that shadow let pass and that would have been refused.
    pub refused_in_shadow: u64,
    /// Tickets that came back twice, or that the breaker never gave out; and calls in C of what is the owner's alone while a
    /// supervisor owns the breaker.
    pub misused: u64,
    /// Messages that lanes dropped because they were full: calls begun or recorded, and checks.
    pub dropped: u64,
    /// Events in the journal so far: the sequence number of the next.
    pub events: u64,
}

words!(
    Snapshot: state, halted, shadow, armed, clock, now_ns, epoch_ns, retry_at_ns, attempt, samples, slow, failures, overdue,
    in_flight, trials_granted, trials_out, trials_good, recorded, stale, untracked, refused, refused_in_shadow, misused,
    dropped, events
);
