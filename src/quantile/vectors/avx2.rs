//! Four values at a time.

use super::{BLOCK, Lanes, keep_above_from};
use core::arch::x86_64::*;

/// The CPU has AVX2 and the instructions on bits that came with it.
#[derive(Clone, Copy)]
pub(super) struct Avx2(());

impl Avx2 {
    pub(super) fn detect() -> Option<Self> {
        let has_all = std::is_x86_feature_detected!("avx2")
            && std::is_x86_feature_detected!("bmi1")
            && std::is_x86_feature_detected!("bmi2")
            && std::is_x86_feature_detected!("lzcnt")
            && std::is_x86_feature_detected!("popcnt");
        has_all.then_some(Self(()))
    }
}

impl Lanes for Avx2 {
    #[inline(always)]
    fn above(self, block: &[u64; BLOCK], floor: u64) -> u64 {
        // SAFETY: there is an `Avx2` only where the CPU has all that it stands for.
        unsafe { above(block, floor) }
    }

    #[inline(always)]
    fn eights_above(self, eights: &[[u64; 8]], floor: u64) -> u64 {
        // SAFETY: as above.
        unsafe { eights_above(eights, floor) }
    }

    #[inline(always)]
    fn keep_above(self, values: &mut [u64], pivot: u64, flip: u64) -> usize {
        // SAFETY: as above.
        unsafe { keep_above(values, pivot, flip) }
    }
}

#[inline]
#[target_feature(enable = "avx2")]
fn load(four: &[u64; 4]) -> __m256i {
    // SAFETY: four words are as long as a vector. Any alignment will do.
    unsafe { _mm256_loadu_si256(four.as_ptr().cast()) }
}

#[inline]
#[target_feature(enable = "avx2")]
fn store(four: &mut [u64; 4], vector: __m256i) {
    // SAFETY: as in `load`.
    unsafe { _mm256_storeu_si256(four.as_mut_ptr().cast(), vector) }
}

/// The signs of floor - value: the upper halves of these differences, in the order 0, 1, 4, 5, 2, 3, 6, 7.
#[inline]
#[target_feature(enable = "avx2")]
fn signs(eight: &[u64; 8], floor: __m256i) -> __m256 {
    let [low, high] = eight.as_chunks::<4>().0 else { return _mm256_setzero_ps() };
    let low = _mm256_castsi256_ps(_mm256_sub_epi64(floor, load(low)));
    let high = _mm256_castsi256_ps(_mm256_sub_epi64(floor, load(high)));
    _mm256_shuffle_ps::<0b11_01_11_01>(low, high)
}

#[inline]
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt")]
fn above(block: &[u64; BLOCK], floor: u64) -> u64 {
    let floor = _mm256_set1_epi64x(floor as i64);
    // Packing keeps the signs. It takes turns between the lower and the upper half of each vector, and so did the shuffle. So the
    // lower half has the values 0, 1, 4, 5, 8, 9 and so on, and the upper half 2, 3, 6, 7, 10, 11.
    let in_order = _mm256_broadcastsi128_si256(_mm_setr_epi8(0, 1, 8, 9, 2, 3, 10, 11, 4, 5, 12, 13, 6, 7, 14, 15));
    let mut bits = 0;
    for (half, base) in block.as_chunks::<32>().0.iter().zip([0, 32]) {
        if let [a, b, c, d] = half.as_chunks::<8>().0 {
            let [a, b, c, d] = [signs(a, floor), signs(b, floor), signs(c, floor), signs(d, floor)];
            let low = _mm256_packs_epi32(_mm256_castps_si256(a), _mm256_castps_si256(b));
            let high = _mm256_packs_epi32(_mm256_castps_si256(c), _mm256_castps_si256(d));
            let bytes = _mm256_packs_epi16(low, high);
            let bytes = _mm256_shuffle_epi8(_mm256_permute4x64_epi64::<0b11_01_10_00>(bytes), in_order);
            bits |= u64::from(_mm256_movemask_epi8(bytes) as u32) << base;
        }
    }
    bits
}

#[inline]
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt")]
fn eights_above(eights: &[[u64; 8]], floor: u64) -> u64 {
    let floor = _mm256_set1_epi64x(floor as i64);
    let mut bits = 0;
    for (eight, base) in eights.iter().zip((0..64).step_by(8)) {
        bits |= (_mm256_movemask_ps(signs(eight, floor)) as u64) << base;
    }
    // The middle pairs of bits change places.
    const THIRD_PAIRS: u64 = 0x3030_3030_3030_3030;
    const SECOND_PAIRS: u64 = THIRD_PAIRS >> 2;
    bits & !(SECOND_PAIRS | THIRD_PAIRS) | (bits & THIRD_PAIRS) >> 2 | (bits & SECOND_PAIRS) << 2
}

/// For each set of four lanes the halves of the lanes in it, in order. What is behind them doesn't matter.
const PACKED: [[u32; 8]; 16] = [
    [0, 0, 0, 0, 0, 0, 0, 0],
    [0, 1, 0, 0, 0, 0, 0, 0],
    [2, 3, 0, 0, 0, 0, 0, 0],
    [0, 1, 2, 3, 0, 0, 0, 0],
    [4, 5, 0, 0, 0, 0, 0, 0],
    [0, 1, 4, 5, 0, 0, 0, 0],
    [2, 3, 4, 5, 0, 0, 0, 0],
    [0, 1, 2, 3, 4, 5, 0, 0],
    [6, 7, 0, 0, 0, 0, 0, 0],
    [0, 1, 6, 7, 0, 0, 0, 0],
    [2, 3, 6, 7, 0, 0, 0, 0],
    [0, 1, 2, 3, 6, 7, 0, 0],
    [4, 5, 6, 7, 0, 0, 0, 0],
    [0, 1, 4, 5, 6, 7, 0, 0],
    [2, 3, 4, 5, 6, 7, 0, 0],
    [0, 1, 2, 3, 4, 5, 6, 7],
];

#[inline]
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt")]
fn keep_above(values: &mut [u64], pivot: u64, flip: u64) -> usize {
    let flips = _mm256_set1_epi64x(flip as i64);
    let pivots = _mm256_set1_epi64x((pivot ^ flip) as i64);
    let (mut next, mut kept) = (0, 0);
    while let Some(four) = values.get(next..).and_then(<[u64]>::first_chunk) {
        let four = load(four);
        let signs = _mm256_sub_epi64(pivots, _mm256_xor_si256(four, flips));
        let set = _mm256_movemask_pd(_mm256_castsi256_pd(signs)) as u32;
        // All four lanes are written, over values that were read before. Only wanted ones advance the end.
        if let (Some(packed), Some(end)) =
            (PACKED.get(set as usize), values.get_mut(kept..).and_then(<[u64]>::first_chunk_mut))
        {
            // SAFETY: eight half words are as long as a vector.
            let packed = unsafe { _mm256_loadu_si256(packed.as_ptr().cast()) };
            store(end, _mm256_permutevar8x32_epi32(four, packed));
        }
        next += 4;
        kept += set.count_ones() as usize;
    }
    keep_above_from(values, next, kept, pivot, flip)
}
