//! The owner's thread: polls each breaker in turn, and asks for the checks that are due.

use super::to_ns;
use crate::breaker::Breaker;
use crate::config::State;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::SyncSender;
use std::thread;
use std::time::Duration;

/// A breaker, and how to have its node checked.
pub(super) struct Owned {
    pub(super) name: String,
    pub(super) breaker: Breaker,
    pub(super) checks: Option<Checks>,
}

pub(super) struct Checks {
    /// Without a buffer: sending succeeds only if the check thread waits, so there is one check at a time.
    ask: SyncSender<()>,
    every_ns: u64,
    /// No check begins before this.
    next_ns: u64,
}

impl Checks {
    pub(super) fn new(ask: SyncSender<()>, every: Duration) -> Self {
        Self { ask, every_ns: to_ns(every), next_ns: 0 }
    }

    /// Begins a check if one is due; returns when to come again for that.
    fn turn(&mut self, now_ns: u64) -> u64 {
        if now_ns < self.next_ns {
            return self.next_ns;
        }
        if self.ask.try_send(()).is_err() {
            // The one before is still at it; who knows until when.
            return u64::MAX;
        }
        self.next_ns = now_ns.saturating_add(self.every_ns);
        self.next_ns
    }
}

impl Owned {
    /// Returns for how many nanoseconds there is nothing to do, as far as is known.
    fn turn(&mut self) -> u64 {
        self.breaker.poll();
        let now_ns = self.breaker.now_ns();
        let check_ns = match &mut self.checks {
            Some(checks) if self.breaker.state() == State::HalfOpen => checks.turn(now_ns),
            _ => u64::MAX,
        };
        self.breaker.next_deadline().min(check_ns).saturating_sub(now_ns)
    }

    /// Checks are asked for no more.
    pub(super) fn into_breaker(self) -> (String, Breaker) {
        (self.name, self.breaker)
    }
}

/// Until it is told to stop. An interval of zero never sleeps.
pub(super) fn run(mut owned: Vec<Owned>, interval: Duration, stop: &AtomicBool) -> Vec<Owned> {
    // Looked at before the turn: the last one takes in all that lanes were told before the stop.
    while !stop.load(Ordering::Acquire) {
        let idle_ns = owned.iter_mut().map(Owned::turn).min().unwrap_or(u64::MAX);
        match interval.min(Duration::from_nanos(idle_ns)) {
            Duration::ZERO => core::hint::spin_loop(),
            sleep => thread::park_timeout(sleep),
        }
    }
    owned.iter_mut().for_each(|owned| owned.breaker.poll());
    owned
}
