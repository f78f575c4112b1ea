//! The window's verdict, worked out from the slow calls alone. So billions of calls are a matter of seconds.
//!
//! A full window of `len` calls is over its quantile while at least `need` of the latest `len` calls are slow: while the `need`-th latest
//! slow call is one of them. What this says is held against the breaker in the table `check`.

use super::fed::{Mean, Rate};
use super::flow::{Calls, Flow};
use std::collections::VecDeque;
use trip99::{Config, PPM};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Window {
    len: u64,
    need: usize,
    /// So many verdicts in a row must be over.
    confirm: u64,
}

impl Window {
    /// Full, by number or by age. `None` if it is never armed.
    pub(crate) fn full(config: &Config, rate: Rate) -> Option<Self> {
        let of_age = config.window_age_ns.div_ceil(rate.step_ns());
        let len = of_age.min(config.window_len.into());
        let rank = (len * u64::from(config.quantile_ppm)).div_ceil(PPM.into());
        let need = (len - rank + 1).max(config.effective_min_slow().into());
        let confirm = config.confirm_verdicts.into();
        (len >= config.min_samples.into()).then_some(Self { len, need: need as usize, confirm })
    }

    /// From a full window of fast calls on, again and again, until there are so many trips or slow calls.
    pub(crate) fn mean_calls(self, flow: Flow, seed: u64, trips: u64, most_slow: u64) -> Mean {
        let mut calls = Calls::new(flow, seed);
        let mut mean = Mean { calls: 0.0, trips: 0 };
        let mut run = Run::new(self);
        for _ in 0..most_slow {
            let trip = run.trips_before_next(1 + calls.take_fast(u64::MAX));
            calls.take_slow();
            if let Some(length) = trip {
                mean = Mean { calls: mean.calls + length as f64, trips: mean.trips + 1 };
                run = Run::new(self);
                calls.begin_anew();
                if mean.trips == trips {
                    break;
                }
            }
        }
        Mean { calls: (mean.calls + run.now as f64) / mean.trips.max(1) as f64, trips: mean.trips }
    }
}

struct Run {
    window: Window,
    /// The number of the latest slow call.
    now: u64,
    /// The numbers of the latest slow calls, at most as many as are needed.
    slow: VecDeque<u64>,
    /// The call since which each verdict was over.
    over_since: Option<u64>,
}

impl Run {
    fn new(window: Window) -> Self {
        Self { window, now: 0, slow: VecDeque::new(), over_since: None }
    }

    /// The number of the call that trips, if one does before the next slow call, which is `later` calls after the latest.
    fn trips_before_next(&mut self, later: u64) -> Option<u64> {
        let Window { len, need, confirm } = self.window;
        let next = self.now + later;
        if self.slow.len() == need {
            // The first call that doesn't see all of them.
            let leaves = self.slow[0] + len;
            if leaves > self.now {
                let since = *self.over_since.get_or_insert(self.now);
                if leaves.min(next) - since >= confirm {
                    return Some(since + confirm - 1);
                }
            }
            if leaves < next {
                self.over_since = None;
            }
            self.slow.pop_front();
        }
        self.slow.push_back(next);
        self.now = next;
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judgement::fed::{Fed, OFTEN, alone};

    /// Of the same calls, by the twin and by the breaker.
    fn both(config: &Config, rate: Rate, flow: Flow, seed: u64) -> (u64, u64) {
        let fed = Fed::full(config, rate).trips(&mut Calls::new(flow, seed), u64::MAX).expect("it trips at last");
        let window = Window::full(config, rate).expect("it is armed");
        (window.mean_calls(flow, seed, 1, u64::MAX).calls as u64, fed)
    }

    #[test]
    fn trips_on_the_same_call_as_the_breaker() {
        let short = Config { window_len: 100, min_slow: 0, ..alone() };
        let sparse = Rate { calls: 5, seconds: 1 };
        let confirmed = |verdicts| Config { confirm_verdicts: verdicts, ..alone() };
        for seed in 0..10 {
            for (config, rate) in [
                (alone(), OFTEN),
                (short.clone(), OFTEN),
                (alone(), sparse),
                (Config { min_slow: 1, ..alone() }, sparse),
                (confirmed(100), OFTEN),
                (confirmed(1500), OFTEN),
            ] {
                for flow in [Flow::independent(0.012), Flow::clumped(0.012, 0.25), Flow::independent(1.0)] {
                    let (twin, fed) = both(&config, rate, flow, seed);
                    assert_eq!(twin, fed, "{flow:?} {rate:?} seed {seed}");
                }
            }
        }
    }

    #[test]
    fn a_window_that_never_holds_min_samples_is_never_armed() {
        let sparse = Rate { calls: 1, seconds: 1 };
        assert_eq!(Window::full(&Config { min_samples: 100, ..alone() }, sparse), None);
        assert_eq!(Window::full(&alone(), sparse), Some(Window { len: 60, need: 6, confirm: 1 }));
        assert_eq!(Window::full(&alone(), OFTEN), Some(Window { len: 1024, need: 11, confirm: 1 }));
    }
}
