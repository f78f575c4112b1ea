//! A breaker that is fed calls at an even rate, in virtual time, until it trips.

use super::flow::{Calls, Flow};
use trip99::{Breaker, Config, State};

const FAST_NS: u64 = 5_000_000;
const SLOW_NS: u64 = 400_000_000;
/// A rate at which the age of the window doesn't matter.
pub(crate) const OFTEN: Rate = Rate { calls: 200, seconds: 1 };

/// So many calls in so many seconds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rate {
    pub(crate) calls: u64,
    pub(crate) seconds: u64,
}

impl Rate {
    pub(crate) fn step_ns(self) -> u64 {
        self.seconds * 1_000_000_000 / self.calls
    }

    pub(crate) fn hours(self, calls: f64) -> f64 {
        calls * self.step_ns() as f64 / 3.6e12
    }
}

/// The rule that judges latencies, by itself.
pub(crate) fn alone() -> Config {
    Config { spike_count: 0, max_in_flight: 1, ..Config::default() }
}

pub(crate) struct Fed {
    breaker: Breaker,
    now_ns: u64,
    step_ns: u64,
}

impl Fed {
    /// As it starts.
    pub(crate) fn young(config: &Config, rate: Rate) -> Self {
        let breaker = Breaker::new(config.clone()).expect("a legal config");
        Self { breaker, now_ns: SLOW_NS, step_ns: rate.step_ns() }
    }

    /// Its window is full of fast calls, by number or by age.
    pub(crate) fn full(config: &Config, rate: Rate) -> Self {
        let mut fed = Self::young(config, rate);
        let of_age = config.window_age_ns / fed.step_ns;
        for _ in 0..of_age.min(config.window_len.into()) {
            assert!(!fed.trips_on(FAST_NS), "fast calls trip nothing");
        }
        fed
    }

    #[inline]
    fn trips_on(&mut self, latency_ns: u64) -> bool {
        self.now_ns += self.step_ns;
        self.breaker.record_at(self.now_ns, latency_ns);
        self.breaker.state() != State::Closed
    }

    /// The number of the call that trips it, counted from 1, if it is one of so many. More calls may be taken than are fed: what comes
    /// after a trip has to begin anew.
    pub(crate) fn trips(&mut self, calls: &mut Calls, most: u64) -> Option<u64> {
        let mut fed = 0;
        while fed < most {
            let fast = calls.take_fast(most - fed);
            for _ in 0..fast {
                fed += 1;
                if self.trips_on(FAST_NS) {
                    return Some(fed);
                }
            }
            if fed < most {
                calls.take_slow();
                fed += 1;
                if self.trips_on(SLOW_NS) {
                    return Some(fed);
                }
            }
        }
        None
    }
}

/// How many calls it takes to trip, on average.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Mean {
    /// If nothing tripped: all that there were.
    pub(crate) calls: f64,
    pub(crate) trips: u64,
}

/// From a full window of fast calls on, again and again, until there are so many trips.
pub(crate) fn mean_calls(config: &Config, flow: Flow, rate: Rate, seed: u64, trips: u64) -> Mean {
    let mut calls = Calls::new(flow, seed);
    let mut fed = 0;
    for _ in 0..trips {
        calls.begin_anew();
        fed += Fed::full(config, rate).trips(&mut calls, u64::MAX).expect("it trips at last");
    }
    Mean { calls: fed as f64 / trips as f64, trips }
}

/// How many calls in trouble it takes to trip, on average over so many runs. Before them comes a window of fast calls, and two
/// windows of calm ones.
pub(crate) fn mean_delay(config: &Config, calm: Flow, trouble: Flow, runs: u64) -> f64 {
    let (mut calm, mut trouble) = (Calls::new(calm, 1), Calls::new(trouble, 2));
    let (mut done, mut delay) = (0, 0);
    while done < runs {
        let mut fed = Fed::full(config, OFTEN);
        calm.begin_anew();
        trouble.begin_anew();
        if fed.trips(&mut calm, 2 * u64::from(config.window_len)).is_some() {
            // It was no longer watching when the trouble came.
            continue;
        }
        delay += fed.trips(&mut trouble, u64::MAX).expect("it trips at last");
        done += 1;
    }
    delay as f64 / done as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_trips_when_enough_of_a_full_window_are_slow() {
        let (calm, step) = (Flow::independent(1e-9), Flow::independent(1.0));
        assert_eq!(mean_delay(&alone(), calm, step, 3), 11.0);
        assert_eq!(mean_delay(&Config { debt_limit: 6, ..alone() }, calm, step, 3), 6.0);
    }

    #[test]
    fn a_young_breaker_waits_for_min_samples_or_min_slow() {
        let step = || Calls::new(Flow::independent(1.0), 1);
        let young = |config: &Config| Fed::young(config, OFTEN).trips(&mut step(), 1000);
        assert_eq!(young(&alone()), Some(20));
        assert_eq!(young(&Config { min_samples: 1, ..alone() }), Some(6));
        assert_eq!(young(&Config { debt_limit: 6, ..alone() }), Some(6));
    }

    #[test]
    fn a_window_of_a_minute_holds_what_a_minute_brings() {
        // 3 of 300 are 1 %, and the sixth slow call is over min_slow, too.
        let sparse = Rate { calls: 5, seconds: 1 };
        let mut fed = Fed::full(&alone(), sparse);
        assert_eq!(fed.trips(&mut Calls::new(Flow::independent(1.0), 1), 1000), Some(6));
        assert_eq!(fed.breaker.snapshot().samples, 300);
    }
}
