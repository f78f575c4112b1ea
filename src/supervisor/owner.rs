//! The owner's thread: it polls each breaker in turn, and asks for the checks that are due.

use super::to_ns;
use crate::breaker::Breaker;
use crate::config::State;
use crossbeam_utils::sync::{Parker, Unparker};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::time::Duration;

/// A breaker, and the way to have its node checked.
pub(super) struct Owned {
    pub(super) name: String,
    pub(super) breaker: Breaker,
    pub(super) checks: Option<Checks>,
}

/// The owner's end of the line to a check thread: here the owner asks for checks, one at a time.
pub(super) struct Checks {
    question: Arc<AtomicU8>,
    wake: Unparker,
    every_ns: u64,
    /// No check begins before this.
    next_ns: u64,
}

/// The check thread's end of that line.
pub(super) struct Asked {
    question: Arc<AtomicU8>,
    parker: Parker,
}

/// There is no question: the check thread waits for one.
const NONE: u8 = 0;
/// A check was asked for, and isn't done yet.
const ASKED: u8 = 1;
/// No question will come any more: the check thread ends.
const OVER: u8 = 2;

impl Checks {
    pub(super) fn new(every: Duration) -> (Self, Asked) {
        let (question, parker) = (Arc::new(AtomicU8::new(NONE)), Parker::new());
        let wake = parker.unparker().clone();
        let asked = Asked { question: Arc::clone(&question), parker };
        (Self { question, wake, every_ns: to_ns(every), next_ns: 0 }, asked)
    }

    #[cfg(test)]
    pub(super) fn every_ns(&self) -> u64 {
        self.every_ns
    }

    /// Asks for a check if one is due. Returns when the next check is due, or `u64::MAX` while one is under way.
    fn turn(&mut self, now_ns: u64) -> u64 {
        if now_ns < self.next_ns {
            return self.next_ns;
        }
        if self.question.load(Ordering::Acquire) != NONE {
            // The check before is still under way. Its thread wakes the owner when it is done.
            return u64::MAX;
        }
        self.question.store(ASKED, Ordering::Release);
        self.wake.unpark();
        self.next_ns = now_ns.saturating_add(self.every_ns);
        self.next_ns
    }
}

impl Drop for Checks {
    /// Ends the check thread, as nobody can ask it any more.
    fn drop(&mut self) {
        self.question.store(OVER, Ordering::Release);
        self.wake.unpark();
    }
}

impl Asked {
    /// Waits for the next question; false if no question will come.
    pub(super) fn wait(&self) -> bool {
        loop {
            match self.question.load(Ordering::Acquire) {
                NONE => self.parker.park(),
                question => return question == ASKED,
            }
        }
    }

    #[cfg(test)]
    fn is_asked(&self) -> bool {
        self.question.load(Ordering::Acquire) == ASKED
    }

    /// The check is over, so the next may be asked for. The owner may be waiting for this: wake it afterwards.
    pub(super) fn done(&self) {
        // `OVER` stays.
        let _ = self.question.compare_exchange(ASKED, NONE, Ordering::AcqRel, Ordering::Acquire);
    }
}

impl Owned {
    /// Polls, and asks for a check if one is due. Returns for how many nanoseconds there is nothing to do, as far as is known.
    fn turn(&mut self) -> u64 {
        self.breaker.poll();
        let now_ns = self.breaker.now_ns();
        let check_ns = match &mut self.checks {
            Some(checks) if self.breaker.state() == State::HalfOpen => checks.turn(now_ns),
            _ => u64::MAX,
        };
        self.breaker.next_deadline_ns().min(check_ns).saturating_sub(now_ns)
    }

    /// Gives the breaker back. No check is asked for any more.
    pub(super) fn into_breaker(self) -> (String, Breaker) {
        (self.name, self.breaker)
    }
}

/// Owns the breakers until it is told to stop. An interval of zero never sleeps.
pub(super) fn run(mut owned: Vec<Owned>, interval: Duration, stop: &AtomicBool, parker: &Parker) -> Vec<Owned> {
    // The flag is looked at before the turn, so the last poll takes in all that lanes were told before the stop.
    while !stop.load(Ordering::Acquire) {
        let idle_ns = owned.iter_mut().map(Owned::turn).min().unwrap_or(u64::MAX);
        match interval.min(Duration::from_nanos(idle_ns)) {
            Duration::ZERO => core::hint::spin_loop(),
            sleep => parker.park_timeout(sleep),
        }
    }
    owned.iter_mut().for_each(|owned| owned.breaker.poll());
    owned
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, Recovery, Start};

    #[test]
    fn checks_are_spaced_and_one_at_a_time() {
        let (mut checks, asked) = Checks::new(Duration::from_nanos(100));
        assert!(!asked.is_asked());
        assert_eq!((checks.turn(1000), asked.is_asked()), (1100, true), "the first is due at once");
        assert_eq!((checks.turn(1099), checks.turn(1100)), (1100, u64::MAX), "it is still busy");
        asked.done();
        assert!(!asked.is_asked());
        // The time that the check took too long isn't made up for.
        assert_eq!((checks.turn(1250), asked.is_asked()), (1350, true));
        asked.done();
        assert_eq!((checks.turn(1349), asked.is_asked()), (1350, false));
        assert_eq!((checks.turn(1350), asked.is_asked()), (1450, true));
    }

    #[test]
    fn a_spacing_of_zero_asks_as_soon_as_the_check_is_back() {
        let (mut checks, asked) = Checks::new(Duration::ZERO);
        for now_ns in [0, 0, 7] {
            assert_eq!((checks.turn(now_ns), asked.is_asked()), (now_ns, true));
            assert_eq!(checks.turn(now_ns), u64::MAX);
            asked.done();
        }
    }

    #[test]
    fn a_spacing_of_centuries_asks_once() {
        let (mut checks, asked) = Checks::new(Duration::MAX);
        assert_eq!((checks.turn(5), asked.is_asked()), (u64::MAX, true));
        asked.done();
        assert_eq!((checks.turn(u64::MAX - 1), asked.is_asked()), (u64::MAX, false));
    }

    #[test]
    fn a_thread_whose_owner_is_gone_waits_no_more_whatever_it_was_at() {
        for was_asked in [false, true] {
            let (mut checks, asked) = Checks::new(Duration::ZERO);
            if was_asked {
                checks.turn(0);
                assert!(asked.wait());
            }
            drop(checks);
            asked.done();
            assert!(!asked.wait());
        }
    }

    /// An owner that sleeps as long as a turn says comes in time for the next check, and needn't come for another's.
    #[test]
    fn a_turn_asks_only_while_half_open() {
        for (start, is_asked) in [(Start::HalfOpen, true), (Start::Closed, false)] {
            let config = Config { recovery: Recovery::HealthChecks, start, ..Config::default() };
            let breaker = Breaker::new(config).expect("a legal config");
            let (checks, asked) = Checks::new(Duration::from_secs(1));
            let mut owned = Owned { name: "gateway".to_owned(), breaker, checks: Some(checks) };
            let idle_ns = owned.turn();
            assert_eq!(asked.is_asked(), is_asked);
            assert_eq!(idle_ns == 1_000_000_000, is_asked, "{idle_ns}");
        }
    }
}
