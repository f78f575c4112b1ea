//! The loops over many values, compiled for AVX2 as well: the baseline x86-64 has no compare of 64-bit integers, so there
//! the compiler makes no vectors of them.
#![cfg_attr(target_arch = "x86_64", expect(unsafe_code, reason = "calls what is compiled for AVX2, if the CPU has it"))]

use super::select;
use super::tail::{Samples, Tail};

/// Which vectors this CPU has.
pub(super) struct Vectors {
    #[cfg(target_arch = "x86_64")]
    avx2: bool,
}

impl Vectors {
    pub(super) fn detect() -> Self {
        Self {
            #[cfg(target_arch = "x86_64")]
            avx2: std::is_x86_feature_detected!("avx2"),
        }
    }

    #[cfg(test)]
    pub(super) fn none() -> Self {
        Self {
            #[cfg(target_arch = "x86_64")]
            avx2: false,
        }
    }

    /// [`select::select`].
    pub(super) fn select(&self, values: &mut [u64], rank: usize) -> Option<u64> {
        #[cfg(target_arch = "x86_64")]
        if self.avx2 {
            #[target_feature(enable = "avx2")]
            fn with_avx2(values: &mut [u64], rank: usize) -> Option<u64> {
                select::select(values, rank)
            }
            // SAFETY: `detect` found AVX2.
            return unsafe { with_avx2(values, rank) };
        }
        select::select(values, rank)
    }

    /// [`Samples::count`].
    pub(super) fn count(&self, samples: Samples<'_>, latency_ns: u64) -> usize {
        #[cfg(target_arch = "x86_64")]
        if self.avx2 {
            #[target_feature(enable = "avx2")]
            fn with_avx2(samples: Samples<'_>, latency_ns: u64) -> usize {
                samples.count(latency_ns)
            }
            // SAFETY: `detect` found AVX2.
            return unsafe { with_avx2(samples, latency_ns) };
        }
        samples.count(latency_ns)
    }

    /// [`Tail::update`].
    pub(super) fn update(&self, tail: &mut Tail, samples: Samples<'_>) {
        #[cfg(target_arch = "x86_64")]
        if self.avx2 {
            #[target_feature(enable = "avx2")]
            fn with_avx2(tail: &mut Tail, samples: Samples<'_>) {
                tail.update(samples);
            }
            // SAFETY: `detect` found AVX2.
            return unsafe { with_avx2(tail, samples) };
        }
        tail.update(samples);
    }

    /// [`Tail::select_near`].
    pub(super) fn select_near(&self, tail: &Tail, from_top: usize, guess_ns: u64) -> Option<u64> {
        #[cfg(target_arch = "x86_64")]
        if self.avx2 {
            #[target_feature(enable = "avx2")]
            fn with_avx2(tail: &Tail, from_top: usize, guess_ns: u64) -> Option<u64> {
                tail.select_near(from_top, guess_ns)
            }
            // SAFETY: `detect` found AVX2.
            return unsafe { with_avx2(tail, from_top, guess_ns) };
        }
        tail.select_near(from_top, guess_ns)
    }
}
