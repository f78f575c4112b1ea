//! What stands where a breaker was while another thread owns it: refuses, counts what it is asked and told, and does nothing
//! else.
//!
//! The hot path pays nothing for it, as it isn't asked who it is. A stand-in's gate shows open and halted, so that each ask
//! takes the slow half, and there the way of halted ones, which looks who it is: refusals while open stay as cheap as they
//! were. And its next timer is always due, so that each operation that looks at the time comes to `fire_timers`, which counts it
//! in the page of the breaker proper, and fires nothing. Only what a timer or a transition does would set another time.
//!
//! Nothing that it is told is taken in: all of it is stale. So neither its window nor its rules change, and nothing is judged.
//! Should several threads misuse a breaker at once, then of what they write without order here nothing is a pointer, and each
//! index is checked where it is used.

use super::Breaker;
use crate::config::{Config, State};
use crate::page::PageHandle;

impl Breaker {
    /// Stands in for the breaker of this page. Allocates.
    pub(crate) fn stand_in(page: &PageHandle) -> Self {
        let config =
            Config { start: State::Open, window_len: 1, max_in_flight: 1, min_samples: 1, ..Config::default() };
        let mut breaker = Self::with_legal(config);
        breaker.stands_in_for = Some(PageHandle::clone(page));
        breaker.machine.refuse_for_ever();
        breaker
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    /// Whatever it is asked and told: refused, counted, forgotten.
    #[test]
    fn refuses_counts_and_does_nothing_else() {
        let mut real = Breaker::new(Config::default()).unwrap();
        let mut breaker = Breaker::stand_in(&real.observer().page);
        let mut misuses = 0;
        for now_ns in [0, 1, 1_000_000_000_000, u64::MAX - 1, 5] {
            assert!(!breaker.allow_at(now_ns));
            let calls = [(); 4].map(|()| breaker.begin_at(now_ns));
            let [ended, failed, again, abandoned] = calls;
            breaker.end_at(now_ns, ended);
            breaker.fail_at(now_ns, failed);
            breaker.end_at(u64::MAX, again);
            breaker.end_at(now_ns, again);
            breaker.abandon_at(now_ns, abandoned);
            breaker.record_at(now_ns, u64::MAX);
            breaker.record_failure_at(now_ns, 0);
            breaker.record_probe_at(now_ns, 0, false);
            breaker.release_at(now_ns);
            breaker.poll_at(now_ns);
            misuses += 1 + 4 + 4 + 3 + 1;
            let machine = &breaker.machine;
            assert_eq!((machine.state, machine.wake_ns, machine.judge.window_len()), (State::Open, 0, 0));
            assert_eq!((machine.outlet.events(), breaker.observer().snapshot()), (0, None));
            let snapshot = real.snapshot();
            assert_eq!(snapshot.misused, misuses);
            assert_eq!(snapshot.refused, breaker.machine.refused);
        }
        assert!(breaker.observer().snapshot().is_none());
        drop(breaker);
        assert!(real.allow_at(1));
    }

    /// Seconds of it, in effect: nothing wears out.
    #[test]
    fn goes_on_for_ever() {
        let real = Breaker::new(Config::default()).unwrap();
        let mut breaker = Breaker::stand_in(&real.observer().page);
        for now_ns in 0..100_000 {
            let call = breaker.begin_at(now_ns);
            if now_ns % 3 != 0 {
                breaker.end_at(now_ns * 7, call);
            }
            assert!(!breaker.allow_at(now_ns));
        }
    }
}
