//! Quickselect (Hoare, "Algorithm 65: FIND", CACM 4(7), 1961), three-way, by compaction: each round counts the values
//! around a pivot, then keeps the side that holds the rank.
//!
//! Nothing recurses, allocates or indexes, so nothing can panic. (The proof in `tests/no_panic.rs` rejects the standard
//! library's `select_nth_unstable`.) Loops have no branch that depends on a value, so that none is mispredicted and the
//! counts are vectorised. All is inlined, to be compiled with its caller's target features.

use core::cell::Cell;

/// Up to this many values are ranked by counting, which beats any partition of so few.
const COUNTED: usize = 24;

/// From this many values on, a pivot is chosen from a sample of them.
const SAMPLED: usize = 256;
const SAMPLE: usize = 32;
/// How far, in places of the sorted sample, the pivot stays off the rank, towards the middle: so that the rank is most
/// likely on the smaller side.
const MARGIN: usize = 3;

/// The `rank`-th smallest of `values` (0 = the least), which are used up; `None` unless `rank < values.len()`.
/// The answer is found at once if it equals the `guess`.
#[inline(always)]
pub(super) fn select(values: &mut [u64], rank: usize, guess: Option<u64>) -> Option<u64> {
    // Halving takes log2(n) rounds, and a median of three takes less than twice that on average; worse luck than
    // 2 log2(n) + 8 is an adversary's.
    let rounds = 2 * (usize::BITS - values.len().leading_zeros()) + 8;
    select_in_rounds(values, rank, guess, rounds)
}

#[inline(always)]
fn select_in_rounds(values: &mut [u64], mut rank: usize, mut guess: Option<u64>, rounds: u32) -> Option<u64> {
    if rank >= values.len() {
        return None;
    }
    let mut len = values.len();
    for _ in 0..rounds {
        let live = values.get_mut(..len)?;
        let pivot = match guess.take() {
            Some(guess) => guess,
            None if len <= COUNTED => return select_by_counting(live, rank),
            None => choose_pivot(live, rank)?,
        };
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
    // As wide as the values, which is what vectorises.
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
        // Always written; only a wanted value advances the end.
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
    // Places in no order that data may have (a linear congruential generator).
    let mut random = 0u32;
    let mut sample = [0; SAMPLE];
    for picked in &mut sample {
        random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        *picked = *values.get((u64::from(random) * values.len() as u64 >> 32) as usize)?;
    }
    let place = rank * SAMPLE / values.len();
    let inner = if place < SAMPLE / 2 { place + MARGIN } else { place - MARGIN };
    select_by_counting(&sample, inner)
}

#[inline(always)]
fn median_of_three(values: &[u64]) -> u64 {
    let at = |eighths: usize| values.get(values.len() / 8 * eighths).copied().unwrap_or_default();
    let (a, b, c) = (at(1), at(4), at(7));
    a.max(b).min(c).max(a.min(b))
}

/// For few values: the one that exactly `rank` values (equals counted as needed) come before.
#[inline(always)]
fn select_by_counting(values: &[u64], rank: usize) -> Option<u64> {
    values.iter().copied().find(|&value| {
        let (below, equal) = count(values, value);
        below <= rank && rank < below + equal
    })
}

/// Halves the range of values, at most 64 times: slow, but whatever the input. `rank` is below `values.len()`.
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
    use crate::quantile::tests::{guess, values};
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn agrees_with_sorting(mut values in values(), rank in 0usize..1200, guess in prop::option::of(guess())) {
            let selected = select(&mut values.clone(), rank, guess);
            values.sort_unstable();
            prop_assert_eq!(selected, values.get(rank).copied());
        }

        #[test]
        fn agrees_with_sorting_however_soon_the_rounds_run_out(
            mut values in values(), rank in 0usize..400, guess in prop::option::of(guess()), rounds in 0u32..10,
        ) {
            let selected = select_in_rounds(&mut values.clone(), rank, guess, rounds);
            values.sort_unstable();
            prop_assert_eq!(selected, values.get(rank).copied());
        }
    }

    #[test]
    fn every_rank_of_few_values_with_any_guess() {
        for values in [&[7][..], &[7, 7], &[0, u64::MAX], &[u64::MAX; 3], &[0; 3], &[3, 1, 2, 2, 1]] {
            let mut sorted = values.to_vec();
            sorted.sort_unstable();
            for guess in [0, 1, 2, 3, 7, 8, u64::MAX - 1, u64::MAX] {
                for rank in 0..=values.len() {
                    assert_eq!(
                        select(&mut values.to_vec(), rank, Some(guess)),
                        sorted.get(rank).copied(),
                        "{values:?}"
                    );
                }
            }
        }
        assert_eq!(select(&mut [], 0, None), None);
    }
}
