//! One record of the journal: what changed, why, and the figures of a verdict at that moment.

use crate::config::State;
use crate::words::{named, words};

named! {
    /// Why a breaker changed its state, or was halted, resumed, restarted or reconfigured.
    #[non_exhaustive]
    pub enum Reason {
        /// The quantile exceeded the threshold.
        Latency = 1, "latency";
        /// Too large a share of the window failed.
        FailureRate = 2, "failure_rate";
        /// Too many samples in a row failed.
        ConsecutiveFailures = 3, "consecutive_failures";
        /// Too many samples in a row were slower than the spike limit.
        Spike = 4, "spike";
        /// A call has been in flight for too long.
        Stall = 5, "stall";
        /// The pause is over: half-open.
        Retry = 6, "retry";
        /// A result failed while half-open: open again.
        ProbeFailed = 7, "probe_failed";
        /// A result was too slow while half-open, or a trial has been in flight for too long: open again.
        ProbeSlow = 8, "probe_slow";
        /// No result came in time while half-open: open again.
        ProbeLost = 9, "probe_lost";
        /// All trials or checks were good: closed.
        Recovered = 10, "recovered";
        /// Halted; the state is unchanged.
        Halt = 11, "halt";
        /// Resumed; the state is unchanged.
        Resume = 12, "resume";
        /// A new owner made a page in a file, or took one over. After a clean end while closed the breaker comes back closed, otherwise
        /// open. If this has the sequence number 0, no earlier state was found.
        Restart = 13, "restart";
        /// The owner tripped the breaker by what it knows better than any sample: open.
        Tripped = 14, "tripped";
        /// The owner changed the settings; the state is unchanged.
        Reconfigured = 15, "reconfigured";
        /// The owner was silent for `owner_timeout`: gates and lanes refused. The event comes when the owner is back.
        OwnerSilent = 16, "owner_silent";
        /// The owner is back after a silence.
        OwnerBack = 17, "owner_back";
        /// The owner's clock went back for good: a new epoch began, and the breaker is open for a whole pause.
        ClockJumped = 18, "clock_jumped";
        /// Under `shadow`: the opening before this would have halted by `latch_after`. The state is unchanged.
        Latched = 20, "latched";
    }
}

/// A transition, halt, resume, restart or reconfiguration, with the figures of a verdict at that moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Event {
    /// The number of this event. Events are counted from 0 on.
    pub sequence: u64,
    /// When, on the breaker's clock.
    pub t_ns: u64,
    /// When, in nanoseconds since the Unix epoch, as the system clock showed it right after the gate had changed. (It isn't computed from
    /// an earlier reading, so a clock that is set meanwhile doesn't make it wrong.)
    pub wall_ns: u64,
    /// The state before.
    pub from: State,
    /// The state after.
    pub to: State,
    /// Why.
    pub reason: Reason,
    /// The quantile that is judged; 0 if the verdict sees nothing.
    pub quantile_ns: u64,
    /// How many samples the verdict sees: those in the window and, from closed, the overdue calls.
    pub samples: u32,
    /// How many of these samples are slower than the threshold.
    pub slow: u32,
    /// How many of these samples are overdue calls.
    pub overdue: u32,
    /// How many samples in the window failed.
    pub failures: u32,
    /// The attempt, as this event left it.
    pub attempt: u32,
    /// When the pause ends; `u64::MAX` unless `to` is open.
    pub retry_at_ns: u64,
    /// How long before this the owner was last seen: a long gap means a local pause rather than a slow node.
    pub owner_gap_ns: u64,
    /// What was observed; the reason says what:
    ///
    /// | reason | observed | limit |
    /// |---|---|---|
    /// | `latency` | the quantile, in ns; by debt the debt, in ppm of a call | `threshold`; by debt `debt_limit * quantile_ppm` |
    /// | `failure_rate` | the share of the window that failed, rounded down, in ppm | `failure_rate` |
    /// | `consecutive_failures` | how many failed in a row | `consecutive_failures` |
    /// | `spike` | the last sample's latency, in ns | `spike_limit`, or the threshold |
    /// | `stall` | the call's age, in ns | `stall_limit` |
    /// | `probe_failed` | the failed result's latency, in ns | 0 |
    /// | `probe_slow` | the result's latency or the trial's age, in ns | `recover_threshold`, or 80 % of the threshold |
    /// | `probe_lost` | how long no result came, in ns | `probe_timeout` |
    /// | `recovered` | good results | `probes` |
    /// | `clock_jumped` | how far back, in ns | 1 s |
    /// | others | 0 | 0 |
    pub observed: u64,
    /// The limit that `observed` is held against.
    pub limit: u64,
    /// This opened the breaker by its debt ([`Config::debt_limit`](crate::Config::debt_limit)): `observed` and `limit` are in parts per
    /// million of a call then.
    pub by_debt: bool,
    /// Of a halt and a resume: the number of their entry in the operators' log, which is counted from 1 on. 0 = none.
    pub entry: u64,
    /// Of a change of the settings: the [hash](crate::Config::stable_hash) of the settings before it, and after it. 0 = none.
    pub settings_before: u64,
    /// See `settings_before`.
    pub settings_after: u64,
}

words!(
    Event: sequence, t_ns, wall_ns, from + to + reason + by_debt + attempt, quantile_ns, samples + slow, overdue + failures, retry_at_ns,
    owner_gap_ns, observed, limit, entry, settings_before, settings_after
);

/// A record of the journal is a pair of lines of 64 bytes: a version, and words.
const _: () = assert!(Event::WORDS <= 15);

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::words::Word;

    #[test]
    fn reasons_are_numbered_from_1_on() {
        for number in 0..=255 {
            let reason = Reason::from_word(number);
            let is_reason = (1..=18).contains(&number) || number == 20;
            assert_eq!(reason.map(|reason| reason.to_word()), is_reason.then_some(number));
        }
        assert_eq!(format!("{:>8}", Reason::Halt), "    halt");
    }
}
