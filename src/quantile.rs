//! Exact quantiles: the nearest rank, and the value of that rank by selection.
//!
//! *Nearest rank*: the quantile `q` of `n` values is the `ceil(q * n)`-th smallest (Hyndman and Fan, "Sample Quantiles
//! in Statistical Packages", The American Statistician 50(4), 1996: definition 1). It is always one of the values.

mod select;
mod tail;
mod vectors;

use crate::config::slow_allowed;
use select::{SAMPLED, sample, select_by_bisection};
pub(crate) use tail::Samples;
use tail::{BLOCK, Tail};
use vectors::{LONGEST, Vectors};

/// The quantile's index among `n` sorted values: `ceil(q * n) - 1`, in range `0 .. n` for `n > 0`.
fn rank(n: usize, quantile_ppm: u32) -> usize {
    (n - slow_allowed(n, quantile_ppm)).saturating_sub(1)
}

/// The quantile of these values, which are moved about. It is `None` if there are no values. This is for who asks once.
pub(crate) fn quantile(values_ns: &mut [u64], quantile_ppm: u32) -> Option<u64> {
    let rank = rank(values_ns.len(), quantile_ppm);
    select_of_any(&Vectors::detect(), values_ns, rank)
}

/// No latency is longer than [`LONGEST`]. But ages of calls are, if stamps of another clock are among theirs, and so may be what is
/// in a damaged page.
fn select_of_any(vectors: &Vectors, values_ns: &mut [u64], rank: usize) -> Option<u64> {
    if rank < values_ns.len() && values_ns.iter().any(|&value_ns| value_ns > LONGEST) {
        return select_by_bisection(values_ns, rank);
    }
    vectors.select(values_ns, rank)
}

/// Room for the greatest samples: a quarter of a window, and some for a short one.
const fn tail_capacity(window_len: usize) -> usize {
    window_len / 4 + 64
}

/// Of up to so many samples, a pass finds the greatest no later than what keeps the greatest ones does.
const FEW: usize = 1024;

/// Answers which value a quantile is, and keeps what helps with the next answer.
pub(crate) struct Quantiles {
    tail: Tail,
    /// The tail was longer than needed at the last question.
    was_long: bool,
    /// The last answer, which is likely to be the next one, too.
    last_ns: u64,
    /// Room for a copy of the values that the quantile is of.
    scratch: Box<[u64]>,
    vectors: Vectors,
}

impl Quantiles {
    /// There may be up to `window_len` samples, and up to `overdue` ages beside them.
    pub(crate) fn new(window_len: usize, overdue: usize) -> Self {
        Self {
            tail: Tail::new(tail_capacity(window_len)),
            was_long: false,
            last_ns: 0,
            // The scratch is not zero at first: see `ring`.
            scratch: vec![u64::MAX; (window_len + overdue).max(tail_capacity(window_len) + BLOCK)].into_boxed_slice(),
            vectors: Vectors::detect(),
        }
    }

    /// The quantile of the samples of a window, and of the ages of overdue calls. It is `None` if there are none of both. The window
    /// must be the same at every question.
    pub(crate) fn quantile(
        &mut self,
        samples: Samples<'_>,
        ages_ns: impl Iterator<Item = u64> + Clone,
        quantile_ppm: u32,
    ) -> Option<u64> {
        let n = samples.len() + ages_ns.clone().count();
        let rank = rank(n, quantile_ppm);
        let from_top = n.checked_sub(rank)?; // 1 = the greatest
        let is_any_age = ages_ns.clone().next().is_some();
        if from_top == 1 && (1..=FEW).contains(&n) && !is_any_age {
            return Some(self.vectors.greatest(samples));
        }
        if is_any_age && ages_ns.clone().any(|age_ns| age_ns > LONGEST) {
            return self.select_from_all(samples, ages_ns, rank);
        }
        // So many samples stay above a new floor, if no two are equal. A window of other samples from the same distribution has
        // another number of samples there. So four of its standard deviations are added (Poisson's is the root), and some more for
        // small numbers.
        let above = (from_top + 4 * from_top.isqrt() + 8).min(n.checked_sub(1)?);
        let answer = if above > self.tail.capacity() {
            self.select_from_all(samples, ages_ns, rank)?
        } else if self.tail.floor_ns != u64::MAX // or nothing is above it, as at first
            && let Some(answer) = self.select_from_tail(samples, ages_ns.clone(), from_top)
        {
            self.trim_tail(above);
            answer
        } else {
            self.restart_and_select(samples, ages_ns, from_top, above)?
        };
        self.last_ns = answer;
        Some(answer)
    }

    /// The `from_top`-th greatest value (1 = the greatest), if it is above the tail's floor or at it.
    fn select_from_tail(
        &mut self,
        samples: Samples<'_>,
        ages_ns: impl Iterator<Item = u64> + Clone,
        from_top: usize,
    ) -> Option<u64> {
        self.vectors.update(&mut self.tail, samples);
        let tail_ns = self.tail.latencies_ns()?;
        if from_top <= tail_ns.len() && ages_ns.clone().next().is_none() {
            return self.vectors.select_in_tail(&self.tail, from_top, self.last_ns, &mut self.scratch);
        }
        let floor_ns = self.tail.floor_ns;
        let above = fill(&mut self.scratch, [tail_ns, &[]], ages_ns.clone().filter(|&age_ns| age_ns > floor_ns))?;
        match above.len().checked_sub(from_top) {
            Some(rank) => self.vectors.select(above, rank),
            // If few values differ, many are at the floor.
            None => {
                let wanted = from_top - above.len();
                let ages = ages_ns.filter(|&age_ns| age_ns == floor_ns).count();
                (ages + self.vectors.count(samples, floor_ns) >= wanted).then_some(floor_ns)
            }
        }
    }

    /// Raises the floor, if many more samples than `above` were above it twice in a row. Once may be a shift.
    fn trim_tail(&mut self, above: usize) {
        let Some(tail_ns) = self.tail.latencies_ns() else { return };
        // The tail has a block at least, as a block is looked at in any case.
        let is_long = tail_ns.len() > BLOCK.max(above + above / 2);
        if is_long
            && self.was_long
            && let Some(copy) = fill(&mut self.scratch, [tail_ns, &[]], core::iter::empty())
            && let Some(floor_ns) = self.vectors.select(copy, tail_ns.len() - 1 - above)
        {
            self.tail.keep_above(floor_ns);
        }
        self.was_long = is_long;
    }

    /// Selects with a new floor, as there are too few or too many samples above the old one.
    #[cold]
    fn restart_and_select(
        &mut self,
        samples: Samples<'_>,
        ages_ns: impl Iterator<Item = u64> + Clone,
        from_top: usize,
        above: usize,
    ) -> Option<u64> {
        // A rough floor is enough, most likely.
        if samples.len() >= SAMPLED.max(1 + above) {
            let (mut few, rank) = sample(samples.len(), |age| samples.get(age), samples.len() - 1 - above)?;
            self.tail.restart(self.vectors.select(&mut few, rank)?);
            if let Some(answer) = self.select_from_tail(samples, ages_ns.clone(), from_top) {
                return Some(answer);
            }
        }
        let n = samples.len() + ages_ns.clone().count();
        let floor_ns = self.select_from_all(samples, ages_ns.clone(), n - 1 - above)?;
        self.tail.restart(floor_ns);
        self.select_from_tail(samples, ages_ns, from_top)
    }

    #[cold]
    fn select_from_all(
        &mut self,
        samples: Samples<'_>,
        ages_ns: impl Iterator<Item = u64>,
        rank: usize,
    ) -> Option<u64> {
        let all = fill(&mut self.scratch, [samples.older_ns, samples.newer_ns], ages_ns)?;
        select_of_any(&self.vectors, all, rank)
    }
}

/// Copies the values into the scratch, and returns the part of it that they take. It is `None` if they don't fit.
fn fill<'a>(scratch: &'a mut [u64], runs: [&[u64]; 2], more: impl Iterator<Item = u64>) -> Option<&'a mut [u64]> {
    let mut len = 0;
    for run in runs {
        scratch.get_mut(len..)?.get_mut(..run.len())?.copy_from_slice(run);
        len += run.len();
    }
    for value in more {
        *scratch.get_mut(len)? = value;
        len += 1;
    }
    scratch.get_mut(..len)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::PPM;
    use proptest::prelude::*;

    /// The definition, word for word.
    fn naive_quantile(values: &[u64], quantile_ppm: u32) -> Option<u64> {
        let mut sorted = values.to_vec();
        sorted.sort_unstable();
        let rank = (quantile_ppm.min(PPM) as usize * sorted.len()).div_ceil(PPM as usize);
        sorted.get(rank.saturating_sub(1)).copied()
    }

    /// Latencies.
    pub(super) fn values() -> impl Strategy<Value = Vec<u64>> {
        let value = prop_oneof![0..=LONGEST, 0u64..4, LONGEST - 2..=LONGEST, 190u64..210];
        prop_oneof![
            prop::collection::vec(value, 0..1200),
            prop::collection::vec(0u64..1_000_000, 0..1200),
            (0..=LONGEST, 0usize..1200).prop_map(|(value, len)| vec![value; len]),
        ]
    }

    pub(super) fn guess() -> impl Strategy<Value = u64> {
        prop_oneof![0..=LONGEST, 0u64..4, LONGEST - 2..=LONGEST, 190u64..210, 0u64..1_000_000]
    }

    /// An age may be longer than any latency.
    fn age() -> impl Strategy<Value = u64> {
        prop_oneof![20 => guess(), 1 => any::<u64>(), 1 => u64::MAX - 2..=u64::MAX]
    }

    /// A window that slides over `values`, kept in a ring.
    struct Twin {
        ring: Vec<u64>,
        len: usize,
        pushed: usize,
        ages_ns: Vec<u64>,
    }

    impl Twin {
        fn new(capacity: usize) -> Self {
            Self { ring: vec![0; capacity], len: 0, pushed: 0, ages_ns: Vec::new() }
        }

        fn push(&mut self, value: u64) {
            let capacity = self.ring.len();
            self.ring[self.pushed % capacity] = value;
            self.pushed += 1;
            self.len = capacity.min(self.len + 1);
        }

        fn samples(&self) -> Samples<'_> {
            let first = self.pushed - self.len;
            let oldest = first % self.ring.len();
            let older = self.len.min(self.ring.len() - oldest);
            let (older_ns, newer_ns) = (&self.ring[oldest..oldest + older], &self.ring[..self.len - older]);
            Samples { older_ns, newer_ns, first: first as u64 }
        }

        /// Asks both halves, vector and portable.
        fn check(&self, [vector, portable]: &mut [Quantiles; 2], quantile_ppm: u32) {
            let samples = self.samples();
            let all = [samples.older_ns, samples.newer_ns, &self.ages_ns].concat();
            let expected = naive_quantile(&all, quantile_ppm);
            assert_eq!(vector.quantile(samples, self.ages_ns.iter().copied(), quantile_ppm), expected);
            assert_eq!(portable.quantile(samples, self.ages_ns.iter().copied(), quantile_ppm), expected);
        }
    }

    /// As detected, and without vectors.
    fn both(window_len: usize, overdue: usize) -> [Quantiles; 2] {
        let portable = Quantiles { vectors: Vectors::none(), ..Quantiles::new(window_len, overdue) };
        [Quantiles::new(window_len, overdue), portable]
    }

    #[derive(Clone, Debug)]
    enum Op {
        Push(Vec<u64>),
        Expire(prop::sample::Index),
        Ages(Vec<u64>),
        Ask(u32),
        /// A floor or a last answer that no window has led to.
        Mislead(u64),
    }

    fn op() -> impl Strategy<Value = Op> {
        let ppm = || prop_oneof![Just(990_000), Just(999_000), Just(900_000), 0..=PPM + 1, 950_000..=PPM];
        prop_oneof![
            2 => values().prop_map(Op::Push),
            6 => prop::collection::vec(0u64..1_000_000, 0..20).prop_map(Op::Push),
            2 => any::<prop::sample::Index>().prop_map(Op::Expire),
            1 => prop::collection::vec(age(), 0..20).prop_map(Op::Ages),
            10 => ppm().prop_map(Op::Ask),
            1 => guess().prop_map(Op::Mislead),
        ]
    }

    proptest! {
        #[test]
        fn agrees_with_sorting_as_the_window_slides(
            capacity in prop_oneof![1usize..4, 90usize..110, 900usize..1100],
            ops in prop::collection::vec(op(), 0..60),
        ) {
            let mut twin = Twin::new(capacity);
            let mut quantiles = both(capacity, 20);
            for op in ops {
                match op {
                    Op::Push(values) => values.into_iter().for_each(|value| twin.push(value)),
                    Op::Expire(index) => twin.len = index.index(twin.len + 1),
                    Op::Ages(ages_ns) => twin.ages_ns = ages_ns,
                    Op::Ask(quantile_ppm) => twin.check(&mut quantiles, quantile_ppm),
                    Op::Mislead(value) => for quantiles in &mut quantiles {
                        quantiles.tail.restart(value);
                        quantiles.vectors.update(&mut quantiles.tail, twin.samples());
                        quantiles.last_ns = value;
                    },
                }
            }
        }

        #[test]
        fn agrees_with_sorting_whatever_the_values_are(
            values in values(), ages in prop::collection::vec(age(), 0..20), quantile_ppm in 0..=PPM,
        ) {
            let mut all = [values, ages].concat();
            let expected = naive_quantile(&all, quantile_ppm);
            prop_assert_eq!(quantile(&mut all, quantile_ppm), expected);
        }

        #[test]
        fn above_the_limit_exactly_when_more_are_slow_than_allowed(
            values in values(), limit in prop_oneof![any::<u64>(), 0u64..4, 190u64..210], quantile_ppm in 1..PPM,
        ) {
            let slow = values.iter().filter(|&&value| value > limit).count();
            let over = naive_quantile(&values, quantile_ppm).is_some_and(|quantile| quantile > limit);
            prop_assert_eq!(slow > slow_allowed(values.len(), quantile_ppm), over);
        }
    }

    #[test]
    fn ranks_at_the_edges() {
        assert_eq!(rank(1, 990_000), 0);
        assert_eq!(rank(99, 990_000), 98);
        assert_eq!(rank(100, 990_000), 98);
        assert_eq!(rank(101, 990_000), 99);
        assert_eq!(rank(1 << 20, 999_999), (1 << 20) - 2);
        assert_eq!(rank(1 << 20, 1), 1);
        assert_eq!(rank(1_000_000, 1), 0);
        assert_eq!(slow_allowed(0, 990_000), 0);
    }

    #[test]
    fn few_samples_and_boundary_values() {
        for values in [&[][..], &[7], &[7, 7], &[0, 1], &[0, LONGEST], &[LONGEST; 200], &[0; 200]] {
            let mut twin = Twin::new(200);
            values.iter().for_each(|&value| twin.push(value));
            for guess in [0, 1, 6, 7, 8, LONGEST - 1, LONGEST] {
                for quantile_ppm in [0, 1, 500_000, 990_000, 999_999, PPM, PPM + 1, u32::MAX] {
                    let mut quantiles = both(200, 0);
                    for quantiles in &mut quantiles {
                        quantiles.tail.restart(guess);
                        quantiles.vectors.update(&mut quantiles.tail, twin.samples());
                        quantiles.last_ns = guess;
                    }
                    twin.check(&mut quantiles, quantile_ppm);
                }
            }
        }
    }

    /// Each pattern slides through the window, after the one before it.
    #[test]
    fn patterns_that_mislead_a_pivot_or_a_floor() {
        let n = 5000u64;
        let organ_pipe: Vec<u64> = (0..n / 2).chain((0..n / 2).rev()).collect();
        let sorted: Vec<u64> = (0..n).collect();
        let reversed: Vec<u64> = (0..n).rev().collect();
        let equal = vec![7; n as usize];
        let two: Vec<u64> = (0..n).map(|i| if i % 50 == 0 { LONGEST } else { 1 }).collect();
        let shifted: Vec<u64> = (0..n).map(|i| 1_000_000 + i * 7919 % n).collect();
        let mut twin = Twin::new(n as usize);
        let mut quantiles = both(n as usize, 0);
        for values in [organ_pipe, sorted, reversed, equal, two, shifted] {
            for some in values.chunks(500) {
                some.iter().for_each(|&value| twin.push(value));
                for quantile_ppm in [1, 500_000, 990_000, 999_999] {
                    twin.check(&mut quantiles, quantile_ppm);
                }
            }
        }
    }
}
