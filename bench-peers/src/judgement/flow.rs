//! Calls that are slow or not, by chance.

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

/// A stationary Markov chain of two states, as a call is slow or not.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Flow {
    /// How many of all calls are slow.
    pub(crate) share: f64,
    /// The chance that a call after a slow one is slow.
    pub(crate) again: f64,
}

impl Flow {
    pub(crate) const fn independent(share: f64) -> Self {
        Self { share, again: share }
    }

    pub(crate) const fn clumped(share: f64, again: f64) -> Self {
        Self { share, again }
    }

    /// The chance that a call after one that isn't slow is slow.
    pub(crate) fn begins(self) -> f64 {
        if self.share == 1.0 { 1.0 } else { self.share * (1.0 - self.again) / (1.0 - self.share) }
    }
}

/// The calls of a flow, one after another.
pub(crate) struct Calls {
    again: f64,
    begins: f64,
    random: StdRng,
    /// So many fast calls come, and then a slow one.
    fast: u64,
}

impl Calls {
    /// The call before the first was fast.
    pub(crate) fn new(flow: Flow, seed: u64) -> Self {
        let mut calls = Self { again: flow.again, begins: flow.begins(), random: StdRng::seed_from_u64(seed), fast: 0 };
        calls.begin_anew();
        calls
    }

    /// As after a pause: the call before the next was fast.
    pub(crate) fn begin_anew(&mut self) {
        self.fast = self.fast_before_slow();
    }

    /// How many of the next calls, of so many at most, are fast: they are taken. The call after them is slow, if it is less than
    /// asked for.
    pub(crate) fn take_fast(&mut self, most: u64) -> u64 {
        let fast = self.fast.min(most);
        self.fast -= fast;
        fast
    }

    /// Takes the slow call that comes next.
    pub(crate) fn take_slow(&mut self) {
        debug_assert_eq!(self.fast, 0, "fast calls come first");
        let is_slow_again = self.random.random_bool(self.again);
        self.fast = if is_slow_again { 0 } else { 1 + self.fast_before_slow() };
    }

    /// After a fast call. It is geometric, by inversion.
    fn fast_before_slow(&mut self) -> u64 {
        let above_0 = 1.0 - self.random.random::<f64>();
        (above_0.ln() / (-self.begins).ln_1p()) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_as_often_slow_and_slow_again_as_their_flow_says() {
        for flow in [Flow::independent(0.02), Flow::clumped(0.02, 0.25)] {
            let mut calls = Calls::new(flow, 1);
            let (mut taken, mut slow, mut again, mut was_slow) = (0, 0, 0, false);
            while taken < 1_000_000 {
                let fast = calls.take_fast(1000);
                (taken, was_slow) = (taken + fast, was_slow && fast == 0);
                if fast < 1000 {
                    calls.take_slow();
                    (taken, slow, again, was_slow) = (taken + 1, slow + 1, again + u64::from(was_slow), true);
                }
            }
            let (share, again) = (slow as f64 / taken as f64, again as f64 / slow as f64);
            assert!((share / flow.share - 1.0).abs() < 0.03, "{flow:?} {share}");
            assert!((again / flow.again - 1.0).abs() < 0.06, "{flow:?} {again}");
        }
    }
}
