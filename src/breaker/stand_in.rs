//! A stand-in is in a breaker's place while another thread owns the breaker. It refuses, counts what it is asked and told, and
//! does nothing else.
//!
//! The hot path pays nothing for stand-ins, as it doesn't ask whether a breaker is one. A stand-in's gate shows open and halted.
//! So each ask takes the slow half, and there the branch for halted gates, which alone asks: refusals while open stay as cheap as
//! they were. A stand-in's next timer is always due. So each operation that looks at the time comes to `fire_timers`, which
//! counts the operation in the page of the real breaker, and fires nothing. Only a timer or a transition would set another time.
//!
//! A stand-in takes nothing in: everything that it is told is stale. So neither its window nor its rules change, and it judges
//! nothing. Several threads may misuse a breaker at once. Then they write the stand-in's fields without order; but none of these
//! fields is a pointer, and each index is checked where it is used.

use super::Breaker;
use crate::config::Config;
use crate::page::Page;

impl Breaker {
    /// Makes a stand-in for the breaker of this page. This allocates.
    pub(crate) fn stand_in(page: &Page) -> Self {
        let config = Config { window_len: 1, max_in_flight: 1, min_samples: 1, ..Config::default() };
        let mut breaker = Self::with_legal(config);
        breaker.inner.stands_in_for = Some(page.clone());
        breaker.inner.machine.refuse_for_ever();
        breaker
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::config::State;

    /// Whatever the stand-in is asked and told: it refuses, counts and forgets that.
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
            breaker.record_at(now_ns, u64::MAX >> 1);
            breaker.record_failure_at(now_ns, 0);
            breaker.record_probe_at(now_ns, 0, false);
            breaker.release_at(now_ns);
            breaker.poll_at(now_ns);
            misuses += 1 + 4 + 4 + 3 + 1;
            let machine = &breaker.inner.machine;
            assert_eq!((machine.state, machine.wake_ns, machine.judge.window_len()), (State::Open, 0, 0));
            assert_eq!((machine.outlet.events(), breaker.observer().snapshot()), (0, None));
            let snapshot = real.snapshot();
            assert_eq!(snapshot.misused, misuses);
            assert_eq!(snapshot.refused, breaker.inner.machine.refused);
        }
        assert!(breaker.observer().snapshot().is_none());
        drop(breaker);
        assert!(real.allow_at(1));
    }

    /// After 100 000 rounds nothing has worn out.
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
