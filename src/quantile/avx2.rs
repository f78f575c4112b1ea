//! AVX2, where there is some: the baseline x86-64 has no compare of 64-bit integers, so the compiler vectorises nothing
//! of what selection does.
#![cfg_attr(target_arch = "x86_64", expect(unsafe_code, reason = "calls code compiled for AVX2, if the CPU has it"))]

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

    /// Calls `work`, compiled for AVX2 together with all that is inlined into it.
    #[inline]
    pub(super) fn run<R>(self, work: impl FnOnce() -> R) -> R {
        #[cfg(target_arch = "x86_64")]
        {
            #[target_feature(enable = "avx2")]
            fn with_avx2<R>(work: impl FnOnce() -> R) -> R {
                work()
            }
            // SAFETY: `self` comes from `detect`, which found AVX2.
            unsafe { with_avx2(work) }
        }
        #[cfg(not(target_arch = "x86_64"))]
        work()
    }
}
