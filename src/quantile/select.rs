//! Quickselect (Hoare, "Algorithm 65: FIND", CACM 4(7), 1961), three-way, by compaction. Each round counts the values around a
//! pivot, and then keeps the side that holds the rank.
//!
//! Nothing recurses, allocates or indexes, so nothing can panic. (The proof in `tests/no_panic.rs` rejects the standard library's
//! `select_nth_unstable`.) Loops have no branch that depends on a value, so that no branch is mispredicted, and the counts are
//! vectorised. All functions are inlined, so that they are compiled with their caller's target features.

use core::cell::Cell;

/// Up to this many values are ranked by counting. That beats any partition of so few values.
const FEW: usize = 32;

/// From this many values on, a pivot is chosen from a sample of a few of them.
pub(super) const SAMPLED: usize = 256;
/// How far the pivot stays off the rank, towards the middle, in places of the sorted sample. So the rank is most likely on the
/// smaller side.
const MARGIN: usize = 2;

/// The `rank`-th smallest of `values` (0 = the least), which are used up. It is `None` unless `rank < values.len()`.
#[inline(always)]
pub(super) fn select(values: &mut [u64], rank: usize) -> Option<u64> {
    // Halving takes log2(n) rounds, and a median of three takes less than twice that on average. More than 2 log2(n) + 8 rounds
    // are an adversary's work.
    let rounds = 2 * (usize::BITS - values.len().leading_zeros()) + 8;
    select_in_rounds(values, rank, rounds)
}

#[inline(always)]
fn select_in_rounds(values: &mut [u64], mut rank: usize, rounds: u32) -> Option<u64> {
    if rank >= values.len() {
        return None;
    }
    let mut len = values.len();
    for _ in 0..rounds {
        let live = values.get_mut(..len)?;
        if len <= FEW {
            return select_of_few(live, rank);
        }
        let pivot = choose_pivot(live, rank)?;
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
#[inline(always)]
fn count(values: &[u64], pivot: u64) -> (usize, usize) {
    // The compiler makes vectors of sums that are as wide as the values.
    let (mut below, mut equal) = (0u64, 0u64);
    for &value in values {
        below += u64::from(value < pivot);
        equal += u64::from(value == pivot);
    }
    (below as usize, equal as usize)
}

/// Moves the values that `wanted` holds for to the front, in order, and returns how many there are.
#[inline(always)]
fn keep(values: &mut [u64], wanted: impl Fn(u64) -> bool) -> usize {
    let cells = Cell::from_mut(values).as_slice_of_cells();
    let mut kept = 0;
    for value in cells.iter().map(Cell::get) {
        // Each value is written. Only a wanted value advances the end.
        if let Some(end) = cells.get(kept) {
            end.set(value);
        }
        kept += usize::from(wanted(value));
    }
    kept
}

#[inline(always)]
fn choose_pivot(values: &[u64], rank: usize) -> Option<u64> {
    if values.len() < SAMPLED {
        return Some(median_of_three(values));
    }
    let (sample, rank) = sample(values.len(), |index| values.get(index).copied(), rank)?;
    select_of_few(&sample, rank)
}

/// A sample of `len` values, and the rank of a good pivot in the sample. The pivot is near the `rank`-th smallest value, but on the
/// side of it on which most values are.
#[inline(always)]
pub(super) fn sample(len: usize, value: impl Fn(usize) -> Option<u64>, rank: usize) -> Option<([u64; FEW], usize)> {
    // The sample has one value from each of `FEW` equal parts, at a place that doesn't depend on the values (a linear congruential
    // generator).
    let mut random = 0u32;
    let mut sample = [0; FEW];
    for (part, picked) in (0u64..).zip(&mut sample) {
        random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let place = ((part << 32) + u64::from(random)) / FEW as u64; // of 2^32
        *picked = value(((place * len as u64) >> 32) as usize)?;
    }
    let rank = rank * FEW / len;
    Some((sample, if rank < FEW / 2 { rank + MARGIN } else { rank - MARGIN }))
}

#[inline(always)]
fn median_of_three(values: &[u64]) -> u64 {
    let at = |eighths: usize| values.get(values.len() / 8 * eighths).copied().unwrap_or_default();
    let (a, b, c) = (at(1), at(4), at(7));
    a.max(b).min(c).max(a.min(b))
}

/// The `rank`-th smallest of at most `FEW` values: the greatest value that no more than `rank` values are below. `rank` is below
/// `values.len()`.
#[inline(always)]
fn select_of_few(values: &[u64], rank: usize) -> Option<u64> {
    // The copy has always the same length, so that no loop's end is mispredicted. (The values that fill it up are chosen only if
    // they are the answer.)
    let mut few = [u64::MAX; FEW];
    few.get_mut(..values.len())?.copy_from_slice(values);
    let mut answer = 0;
    // A group has as many values as stay in registers.
    for group in few.as_chunks::<8>().0 {
        let mut below = [0u64; 8];
        for &value in values {
            for (below, &other) in below.iter_mut().zip(group) {
                *below += u64::from(value < other);
            }
        }
        for (below, &other) in below.into_iter().zip(group) {
            answer = if below <= rank as u64 { other.max(answer) } else { answer };
        }
    }
    Some(answer)
}

/// Halves the range of values, at most 64 times. This is slow, but equally so for any input. `rank` is below `values.len()`.
#[cold]
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
    use crate::quantile::tests::values;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn agrees_with_sorting(mut values in values(), rank in 0usize..1200) {
            let selected = select(&mut values.clone(), rank);
            values.sort_unstable();
            prop_assert_eq!(selected, values.get(rank).copied());
        }

        #[test]
        fn agrees_with_sorting_however_soon_the_rounds_run_out(
            mut values in values(), rank in 0usize..400, rounds in 0u32..10,
        ) {
            let selected = select_in_rounds(&mut values.clone(), rank, rounds);
            values.sort_unstable();
            prop_assert_eq!(selected, values.get(rank).copied());
        }
    }

    #[test]
    fn every_rank_of_few_values() {
        for values in [&[][..], &[7], &[7, 7], &[0, u64::MAX], &[u64::MAX; 3], &[0; 3], &[3, 1, 2, 2, 1], &[5; 40]] {
            let mut sorted = values.to_vec();
            sorted.sort_unstable();
            for rank in 0..=values.len() {
                assert_eq!(select(&mut values.to_vec(), rank), sorted.get(rank).copied(), "{values:?}");
            }
        }
    }
}
