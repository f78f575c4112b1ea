//! AVX2, where there is some: the baseline x86-64 has no compare of 64-bit integers, so the compiler vectorises nothing
//! of what selection does.
#![cfg_attr(target_arch = "x86_64", expect(unsafe_code, reason = "calls code compiled for AVX2, if the CPU has it"))]

use super::{Quantiles, Samples};

/// Exists only where the CPU has AVX2.
#[derive(Clone, Copy)]
pub(super) struct Avx2(());

impl Avx2 {
    pub(super) fn detect() -> Option<Self> {
        #[cfg(target_arch = "x86_64")]
        if std::is_x86_feature_detected!("avx2") {
            return Some(Self(()));
        }
        None
    }

    /// [`Quantiles::find`], compiled for AVX2 together with all that is inlined into it.
    pub(super) fn find(
        self,
        quantiles: &mut Quantiles,
        samples: Samples<'_>,
        ages_ns: impl Iterator<Item = u64> + Clone,
        quantile_ppm: u32,
    ) -> Option<u64> {
        #[cfg_attr(target_arch = "x86_64", target_feature(enable = "avx2"))]
        fn find(
            quantiles: &mut Quantiles,
            samples: Samples<'_>,
            ages_ns: impl Iterator<Item = u64> + Clone,
            quantile_ppm: u32,
        ) -> Option<u64> {
            quantiles.find(samples, ages_ns, quantile_ppm)
        }
        // SAFETY: `self` comes from `detect`, which found AVX2.
        #[cfg(target_arch = "x86_64")]
        unsafe {
            find(quantiles, samples, ages_ns, quantile_ppm)
        }
        #[cfg(not(target_arch = "x86_64"))]
        find(quantiles, samples, ages_ns, quantile_ppm)
    }
}
