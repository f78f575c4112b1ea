//! The loops over many values, compiled for AVX2 as well, and the few steps of them that AVX2 has instructions for.
//!
//! Values are latencies, so they are below 2^63. Then the sign of a difference tells which of two values is less. The baseline
//! x86-64 has no compare of 64-bit integers, but it has that difference.
#![cfg_attr(target_arch = "x86_64", expect(unsafe_code, reason = "calls what is compiled for AVX2, if the CPU has it"))]

#[cfg(target_arch = "x86_64")]
mod avx2;

use super::select;
use super::tail::{BLOCK, Samples, Tail};
#[cfg(target_arch = "x86_64")]
use avx2::Avx2;
use core::cell::Cell;

/// The greatest value.
pub(super) const LONGEST: u64 = u64::MAX >> 1;

/// 1 if `a` is less than `b`, or else 0.
#[inline(always)]
pub(super) fn less(a: u64, b: u64) -> u64 {
    debug_assert!(a <= LONGEST && b <= LONGEST);
    a.wrapping_sub(b) >> 63
}

/// What is done with several values at once.
pub(super) trait Lanes: Copy {
    /// A bit for each value: whether it is above the floor.
    fn above(self, block: &[u64; BLOCK], floor: u64) -> u64;

    /// The same for less than a block.
    fn eights_above(self, eights: &[[u64; 8]], floor: u64) -> u64;

    /// Moves the values that are above the pivot to the front, in order, and returns how many there are. With `flip` they and the
    /// pivot are compared upside down: it is 0 or [`LONGEST`].
    fn keep_above(self, values: &mut [u64], pivot: u64, flip: u64) -> usize;
}

/// Leaves it to the compiler.
#[derive(Clone, Copy)]
pub(super) struct Portable;

impl Lanes for Portable {
    #[inline(always)]
    fn above(self, block: &[u64; BLOCK], floor: u64) -> u64 {
        self.eights_above(block.as_chunks().0, floor)
    }

    #[inline(always)]
    fn eights_above(self, eights: &[[u64; 8]], floor: u64) -> u64 {
        let mut bits = 0;
        for (eight, base) in eights.iter().zip((0..64).step_by(8)) {
            for (&value, index) in eight.iter().zip(base..) {
                bits |= less(floor, value) << index;
            }
        }
        bits
    }

    #[inline(always)]
    fn keep_above(self, values: &mut [u64], pivot: u64, flip: u64) -> usize {
        keep_above_from(values, 0, 0, pivot, flip)
    }
}

/// Moves the values from `first` on that are above the pivot to the end of the `kept` values that are at the front. `kept` is at
/// most `first`.
#[inline(always)]
fn keep_above_from(values: &mut [u64], first: usize, mut kept: usize, pivot: u64, flip: u64) -> usize {
    let cells = Cell::from_mut(values).as_slice_of_cells();
    for value in cells.get(first..).unwrap_or_default().iter().map(Cell::get) {
        // Each value is written, so that there is no branch to mispredict. Only a wanted value advances the end.
        if let Some(end) = cells.get(kept) {
            end.set(value);
        }
        kept += less(pivot ^ flip, value ^ flip) as usize;
    }
    kept
}

/// Which vectors this CPU has.
pub(super) struct Vectors {
    #[cfg(target_arch = "x86_64")]
    avx2: Option<Avx2>,
}

impl Vectors {
    pub(super) fn detect() -> Self {
        Self {
            #[cfg(target_arch = "x86_64")]
            avx2: Avx2::detect(),
        }
    }
}

/// Makes methods that call a function: the one compiled for AVX2 if the CPU has that, or else the plain one.
macro_rules! with_vectors {
    ($($name:ident($($argument:ident: $type:ty),+) -> $output:ty = $function:path;)+) => {
        impl Vectors {
            $(pub(super) fn $name(&self, $($argument: $type),+) -> $output {
                #[cfg(target_arch = "x86_64")]
                if let Some(lanes) = self.avx2 {
                    #[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt")]
                    fn with_avx2($($argument: $type),+, lanes: Avx2) -> $output {
                        $function($($argument),+, lanes)
                    }
                    // SAFETY: there is an `Avx2` only where the CPU has all that it stands for.
                    return unsafe { with_avx2($($argument),+, lanes) };
                }
                $function($($argument),+, Portable)
            })+
        }
    };
}

with_vectors! {
    select(values: &mut [u64], rank: usize) -> Option<u64> = select::select;
    greatest(samples: Samples<'_>) -> u64 = Samples::greatest;
    count(samples: Samples<'_>, latency_ns: u64) -> usize = Samples::count;
    update(tail: &mut Tail, samples: Samples<'_>) -> () = Tail::update;
    select_in_tail(tail: &Tail, from_top: usize, guess_ns: u64, scratch: &mut [u64]) -> Option<u64> = Tail::select;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::quantile::tests::{guess, values};
    use proptest::prelude::*;

    impl Vectors {
        pub(in crate::quantile) fn none() -> Self {
            Self {
                #[cfg(target_arch = "x86_64")]
                avx2: None,
            }
        }
    }

    fn check_above(lanes: impl Lanes, values: &[u64], floor: u64) {
        for eights in values.as_chunks().0.chunks(BLOCK / 8) {
            let expected =
                eights.as_flattened().iter().rev().fold(0, |bits, &value| bits << 1 | u64::from(value > floor));
            assert_eq!(lanes.eights_above(eights, floor), expected);
            if let Some(block) = eights.as_flattened().first_chunk() {
                assert_eq!(lanes.above(block, floor), expected);
            }
        }
    }

    fn check_keep_above(lanes: impl Lanes, values: &[u64], pivot: u64) {
        for (flip, order) in [(0, core::cmp::Ordering::Greater), (LONGEST, core::cmp::Ordering::Less)] {
            let mut kept = values.to_vec();
            let len = lanes.keep_above(&mut kept, pivot, flip);
            let expected: Vec<u64> = values.iter().copied().filter(|value| value.cmp(&pivot) == order).collect();
            assert_eq!(kept[..len], expected);
        }
    }

    proptest! {
        #[test]
        fn lanes_do_what_a_filter_does(
            values in values(), floor in guess(), index in prop::option::of(any::<prop::sample::Index>()),
        ) {
            // It is one of the values, or not.
            let floor = index.filter(|_| !values.is_empty()).map_or(floor, |index| *index.get(&values));
            check_above(Portable, &values, floor);
            check_keep_above(Portable, &values, floor);
            #[cfg(target_arch = "x86_64")]
            if let Some(lanes) = Avx2::detect() {
                check_above(lanes, &values, floor);
                check_keep_above(lanes, &values, floor);
            }
        }
    }
}
