//! One record of the journal: what changed, why, and the figures of a verdict at that moment.

use crate::config::State;
use crate::words::{named, words};

named! {
    /// Why a breaker changed its state, or was halted, resumed or restarted.
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
        /// A new owner took over a page in a file. After a clean end while closed the breaker comes back closed, otherwise open.
        /// If a halt is in force then, it is journaled again, after this.
        Restart = 13, "restart";
        /// The owner tripped the breaker by what it knows better than any sample: open.
        Tripped = 14, "tripped";
        /// Somebody found the owner silent, and shut the gates. It is journaled when the owner is back.
        OwnerSilent = 16, "owner_silent";
        /// The owner polls again, and the gates are as the state says.
        OwnerBack = 17, "owner_back";
    }
}

/// A transition, halt, resume or restart, with the figures of a verdict at that moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Event {
    /// The number of this event. Events are counted from 0 on.
    pub sequence: u64,
    /// When, on the breaker's clock.
    pub t_ns: u64,
    /// When, in nanoseconds since the Unix epoch: the wall time at construction, and the time that has passed on the breaker's
    /// clock since. It takes no system call, and doesn't follow later adjustments of the wall clock.
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
}

words!(
    Event: sequence, t_ns, wall_ns, from, to, reason, quantile_ns, samples, slow, overdue, failures, attempt, retry_at_ns,
    owner_gap_ns
);

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::words::Word;

    #[test]
    fn reasons_are_numbered_from_1_on() {
        for number in 0..20 {
            let reason = Reason::from_word(number);
            let is_known = (1..=14).contains(&number) || (16..=17).contains(&number);
            assert_eq!(reason.map(|reason| reason.to_word()), is_known.then_some(number));
        }
        assert_eq!(format!("{:>8}", Reason::Halt), "    halt");
    }
}
