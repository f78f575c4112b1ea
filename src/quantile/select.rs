//! Quickselect (Hoare, "Algorithm 65: FIND", CACM 4(7), 1961), three-way, by compaction. Each round counts the values around a
//! pivot, and then keeps the side that holds the rank.
//!
//! Nothing recurses, allocates or indexes, so nothing can panic. (The proof in `tests/no_panic.rs` rejects the standard library's
//! `select_nth_unstable`.) Values are at most [`LONGEST`]. Loops have no branch that depends on a value, so that no branch is
//! mispredicted, and the counts are vectorised. All functions are inlined, so that they are compiled with their caller's target
//! features.

use super::vectors::{LONGEST, Lanes, less};

/// Up to this many values are ranked by counting. That beats any partition of so few values.
const FEW: usize = 32;

/// So many of them are ranked at once. They and their ranks stay in registers.
const GROUP: usize = 8;

/// From this many values on, a pivot is chosen from a sample of a few of them.
pub(super) const SAMPLED: usize = 256;
/// How many values a sample has.
const SAMPLE: usize = 16;
/// How far the pivot stays off the rank, towards the middle, in places of the sorted sample. So the rank is most likely on the
/// smaller side.
const MARGIN: usize = 1;

/// The `rank`-th smallest of `values` (0 = the least), which are used up. It is `None` unless `rank < values.len()`.
#[inline(always)]
pub(super) fn select(values: &mut [u64], rank: usize, lanes: impl Lanes) -> Option<u64> {
    select_of_first(values, values.len(), rank, lanes)
}

/// The `rank`-th smallest of the first `len` values. All are used up. It is `None` unless `rank < len`.
#[inline(always)]
pub(super) fn select_of_first(values: &mut [u64], len: usize, rank: usize, lanes: impl Lanes) -> Option<u64> {
    // Halving takes log2(n) rounds, and a median of three takes less than twice that on average. More than 2 log2(n) + 8 rounds
    // are an adversary's work.
    let rounds = 2 * (usize::BITS - len.leading_zeros()) + 8;
    select_in_rounds(values, len, rank, rounds, lanes)
}

#[inline(always)]
fn select_in_rounds(
    values: &mut [u64],
    mut len: usize,
    mut rank: usize,
    rounds: u32,
    lanes: impl Lanes,
) -> Option<u64> {
    if rank >= len {
        return None;
    }
    for _ in 0..rounds {
        if len <= FEW {
            return select_of_few(values, len, rank);
        }
        let live = values.get_mut(..len)?;
        let pivot = choose_pivot(live, rank)?;
        let (below, above) = count(live, pivot);
        let flip = if rank < below {
            LONGEST
        } else if rank < len - above {
            return Some(pivot);
        } else {
            rank -= len - above;
            0
        };
        len = lanes.keep_above(live, pivot, flip);
    }
    select_by_bisection(values.get(..len)?, rank)
}

/// How many values are below, and how many above the pivot.
#[inline(always)]
pub(super) fn count(values: &[u64], pivot: u64) -> (usize, usize) {
    // The compiler makes vectors of sums that are as wide as the values.
    let (mut below, mut above) = (0, 0);
    for &value in values {
        below += less(value, pivot);
        above += less(pivot, value);
    }
    (below as usize, above as usize)
}

#[inline(always)]
fn choose_pivot(values: &[u64], rank: usize) -> Option<u64> {
    if values.len() < SAMPLED {
        return Some(median_of_three(values));
    }
    let (sample, rank) = sample(values.len(), |index| values.get(index).copied(), rank)?;
    select_of_few(&sample, sample.len(), rank)
}

/// A sample of `len` values, and the rank of a good pivot in the sample. The pivot is near the `rank`-th smallest value, but on the
/// side of it on which most values are.
#[inline(always)]
pub(super) fn sample(len: usize, value: impl Fn(usize) -> Option<u64>, rank: usize) -> Option<([u64; SAMPLE], usize)> {
    // The sample has one value from each of `SAMPLE` equal parts, at a place that doesn't depend on the values (a linear congruential
    // generator).
    let mut random = 0u32;
    let mut sample = [0; SAMPLE];
    for (part, picked) in (0u64..).zip(&mut sample) {
        random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let place = ((part << 32) + u64::from(random)) / SAMPLE as u64; // of 2^32
        *picked = value(((place * len as u64) >> 32) as usize)?;
    }
    let rank = rank * SAMPLE / len;
    Some((sample, if rank < SAMPLE / 2 { rank + MARGIN } else { rank - MARGIN }))
}

#[inline(always)]
fn median_of_three(values: &[u64]) -> u64 {
    let at = |eighths: usize| values.get(values.len() / 8 * eighths).copied().unwrap_or_default();
    let (a, b, c) = (at(1), at(4), at(7));
    a.max(b).min(c).max(a.min(b))
}

/// The `rank`-th smallest of the first `len` values, which are at most `FEW`: the greatest of them that no more than `rank` values
/// are below. `rank` is below `len`.
#[inline(always)]
fn select_of_few(values: &[u64], len: usize, rank: usize) -> Option<u64> {
    let few = values.get(..len)?;
    let candidates = match values.first_chunk() {
        Some(candidates) => pad(candidates, len),
        None => {
            let mut candidates = [LONGEST; FEW];
            candidates.get_mut(..len)?.copy_from_slice(few);
            candidates
        }
    };
    let mut answer = 0;
    for group in candidates.as_chunks::<GROUP>().0.iter().take(len.div_ceil(GROUP)) {
        let mut below = [0; GROUP];
        for &value in few {
            for (below, &candidate) in below.iter_mut().zip(group) {
                *below += less(value, candidate);
            }
        }
        // A candidate that is too great becomes 0.
        for (below, &candidate) in below.iter_mut().zip(group) {
            *below = candidate & less(rank as u64, *below).wrapping_sub(1);
        }
        answer = greatest(&below, |candidate| candidate).max(answer);
    }
    Some(answer)
}

/// The first `len` values, and then the greatest value there is, which is chosen only if it is the answer.
#[inline(always)]
fn pad(values: &[u64; FEW], len: usize) -> [u64; FEW] {
    let mut padded = *values;
    for (value, index) in padded.iter_mut().zip(0..) {
        let is_behind = less(index, len as u64).wrapping_sub(1); // all bits or none
        *value = *value & !is_behind | LONGEST & is_behind;
    }
    padded
}

/// The greatest number that `key` makes of the values, or 0.
#[inline(always)]
pub(super) fn greatest(values: &[u64], key: impl Fn(u64) -> u64) -> u64 {
    // There is a maximum for each lane, as the compiler makes no vectors of one maximum.
    let mut lanes = [0; 8];
    let (eights, rest) = values.as_chunks::<8>();
    for eight in eights {
        for (lane, &value) in lanes.iter_mut().zip(eight) {
            *lane = (key(value) as i64).max(*lane);
        }
    }
    let rest = rest.iter().fold(0, |greatest, &value| key(value).max(greatest));
    lanes.into_iter().fold(rest, |greatest, lane| (lane as u64).max(greatest))
}

/// Halves the range of values, at most 64 times. This is slow, but equally so for any input, and values may be above [`LONGEST`].
/// `rank` is below `values.len()`.
#[cold]
pub(super) fn select_by_bisection(values: &[u64], rank: usize) -> Option<u64> {
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
    use crate::quantile::vectors::Portable;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn agrees_with_sorting(mut values in values(), rank in 0usize..1200) {
            let selected = select(&mut values.clone(), rank, Portable);
            values.sort_unstable();
            prop_assert_eq!(selected, values.get(rank).copied());
        }

        #[test]
        fn agrees_with_sorting_however_soon_the_rounds_run_out(
            mut values in values(), behind in 0usize..40, rank in 0usize..400, rounds in 0u32..10,
        ) {
            let mut all = [values.clone(), vec![0; behind]].concat();
            let selected = select_in_rounds(&mut all, values.len(), rank, rounds, Portable);
            values.sort_unstable();
            prop_assert_eq!(selected, values.get(rank).copied());
        }
    }

    #[test]
    fn every_rank_of_few_values() {
        for values in [&[][..], &[7], &[7, 7], &[0, LONGEST], &[LONGEST; 3], &[0; 3], &[3, 1, 2, 2, 1], &[5; 40]] {
            let mut sorted = values.to_vec();
            sorted.sort_unstable();
            for rank in 0..=values.len() {
                assert_eq!(select(&mut values.to_vec(), rank, Portable), sorted.get(rank).copied(), "{values:?}");
            }
        }
    }
}
