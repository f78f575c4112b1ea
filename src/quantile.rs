//! Exact quantiles: the nearest rank, and its value by quickselect.
//!
//! *Nearest rank*: the quantile `q` of `n` values is the `ceil(q * n)`-th smallest (Hyndman and Fan, "Sample Quantiles
//! in Statistical Packages", The American Statistician 50(4), 1996: definition 1). It is always one of the values.

use crate::config::PPM;

/// How many of `n` values may exceed a limit while their quantile still doesn't: `n - ceil(q * n)`.
///
/// The quantile is above the limit exactly when more than so many values are.
#[inline]
pub(crate) fn slow_allowed(n: usize, quantile_ppm: u32) -> usize {
    // `n - ceil(q * n)` is `floor((1 - q) * n)`. `n` is below 2^22 and the share below 2^20: no overflow.
    let share_ppm = u64::from(PPM.saturating_sub(quantile_ppm));
    (n as u64 * share_ppm / u64::from(PPM)) as usize
}

/// The quantile's index among `n` sorted values: `ceil(q * n) - 1`, in range `0 .. n` for `n > 0`.
fn rank(n: usize, quantile_ppm: u32) -> usize {
    (n - slow_allowed(n, quantile_ppm)).saturating_sub(1)
}

/// The quantile of `values`, which are used up; `None` of nothing.
pub(crate) fn quantile(values: &mut [u64], quantile_ppm: u32) -> Option<u64> {
    let rank = rank(values.len(), quantile_ppm);
    select(values, rank)
}

/// Up to this many values are ranked by counting, which beats any partition of so few.
const COUNTED: usize = 24;

/// The `rank`-th smallest of `values` (0 = the least), which are used up; `None` unless `rank < values.len()`.
///
/// Quickselect (Hoare, "Algorithm 65: FIND", CACM 4(7), 1961), three-way, by compaction: each round counts the values
/// around a pivot, then keeps the side that holds the rank. Nothing recurses, allocates or indexes, so nothing can panic.
fn select(values: &mut [u64], rank: usize) -> Option<u64> {
    // Halving takes log2(n) rounds, and a median of three takes less than twice that on average; worse luck than
    // 2 log2(n) + 8 is an adversary's.
    let rounds = 2 * (usize::BITS - values.len().leading_zeros()) + 8;
    select_in_rounds(values, rank, rounds)
}

fn select_in_rounds(values: &mut [u64], mut rank: usize, rounds: u32) -> Option<u64> {
    if rank >= values.len() {
        return None;
    }
    let mut len = values.len();
    for _ in 0..rounds {
        let live = values.get_mut(..len)?;
        if len <= COUNTED {
            return select_by_counting(live, rank);
        }
        let pivot = median_of_three(live);
        let (below, equal) = count(live, pivot);
        if rank < below {
            len = keep(live, |value| value < pivot);
        } else if rank < below + equal {
            return Some(pivot);
        } else {
            rank -= below + equal;
            len = keep(live, |value| value > pivot);
        }
    }
    select_by_bisection(values.get(..len)?, rank)
}

/// How many values are less than, and how many equal to, the pivot.
fn count(values: &[u64], pivot: u64) -> (usize, usize) {
    values.iter().fold((0, 0), |(below, equal), &value| {
        (below + usize::from(value < pivot), equal + usize::from(value == pivot))
    })
}

/// Moves the values that `wanted` holds for to the front, in order, and returns how many there are.
fn keep(values: &mut [u64], wanted: impl Fn(u64) -> bool) -> usize {
    let cells = core::cell::Cell::from_mut(values).as_slice_of_cells();
    let mut kept = 0;
    for value in cells.iter().map(core::cell::Cell::get) {
        // Always written, so that the loop has no branch to mispredict; only a wanted value advances the end.
        if let Some(end) = cells.get(kept) {
            end.set(value);
        }
        kept += usize::from(wanted(value));
    }
    kept
}

fn median_of_three(values: &[u64]) -> u64 {
    let at = |eighths: usize| values.get(values.len() / 8 * eighths).copied().unwrap_or_default();
    let (a, b, c) = (at(1), at(4), at(7));
    a.max(b).min(c).max(a.min(b))
}

/// For few values: the one that exactly `rank` values (equals counted as needed) come before.
fn select_by_counting(values: &[u64], rank: usize) -> Option<u64> {
    values.iter().copied().find(|&value| {
        let (below, equal) = count(values, value);
        below <= rank && rank < below + equal
    })
}

/// Halves the range of values, at most 64 times: slow, but whatever the input. `rank` is below `values.len()`.
fn select_by_bisection(values: &[u64], rank: usize) -> Option<u64> {
    let mut low = *values.iter().min()?;
    let mut high = *values.iter().max()?;
    while low < high {
        let middle = low + (high - low) / 2;
        let at_most = values.iter().filter(|&&value| value <= middle).count();
        if rank < at_most {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    Some(low)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The definition, word for word.
    fn naive_quantile(values: &[u64], quantile_ppm: u32) -> Option<u64> {
        let mut sorted = values.to_vec();
        sorted.sort_unstable();
        let rank = (quantile_ppm as usize * sorted.len()).div_ceil(PPM as usize).max(1);
        sorted.get(rank - 1).copied()
    }

    fn values() -> impl Strategy<Value = Vec<u64>> {
        let value = prop_oneof![any::<u64>(), 0u64..4, Just(u64::MAX), 190u64..210];
        prop::collection::vec(value, 0..400)
    }

    proptest! {
        #[test]
        fn agrees_with_sorting(values in values(), quantile_ppm in 0..=PPM) {
            let expected = naive_quantile(&values, quantile_ppm);
            prop_assert_eq!(quantile(&mut values.clone(), quantile_ppm), expected);
        }

        /// However soon the rounds run out.
        #[test]
        fn any_rank_agrees_with_sorting(mut values in values(), rank in 0usize..400, rounds in 0u32..10) {
            let selected = select_in_rounds(&mut values.clone(), rank, rounds);
            values.sort_unstable();
            prop_assert_eq!(selected, values.get(rank).copied());
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
        assert_eq!(quantile(&mut [], 990_000), None);
        assert_eq!(select(&mut [7], 1), None);
    }

    #[test]
    fn patterns_that_mislead_a_pivot() {
        let n = 5000u64;
        let organ_pipe: Vec<u64> = (0..n / 2).chain((0..n / 2).rev()).collect();
        let sorted: Vec<u64> = (0..n).collect();
        let reversed: Vec<u64> = (0..n).rev().collect();
        let equal = vec![7; n as usize];
        for values in [organ_pipe, sorted, reversed, equal] {
            for quantile_ppm in [1, 500_000, 990_000, 999_999] {
                assert_eq!(quantile(&mut values.clone(), quantile_ppm), naive_quantile(&values, quantile_ppm));
            }
        }
    }
}
