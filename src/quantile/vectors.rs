//! The loops over many values, compiled for AVX2 as well. The baseline x86-64 has no compare of 64-bit integers, so the compiler
//! makes no vectors of these loops there.
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
}

/// Makes methods that call a function: the one compiled for AVX2 if the CPU has that, or else the plain one.
macro_rules! with_vectors {
    ($($name:ident($($argument:ident: $type:ty),+) -> $output:ty = $function:path;)+) => {
        impl Vectors {
            $(pub(super) fn $name(&self, $($argument: $type),+) -> $output {
                #[cfg(target_arch = "x86_64")]
                if self.avx2 {
                    #[target_feature(enable = "avx2")]
                    fn with_avx2($($argument: $type),+) -> $output {
                        $function($($argument),+)
                    }
                    // SAFETY: `detect` found AVX2.
                    return unsafe { with_avx2($($argument),+) };
                }
                $function($($argument),+)
            })+
        }
    };
}

with_vectors! {
    select(values: &mut [u64], rank: usize) -> Option<u64> = select::select;
    count(samples: Samples<'_>, latency_ns: u64) -> usize = Samples::count;
    update(tail: &mut Tail, samples: Samples<'_>) -> () = Tail::update;
    select_near(tail: &Tail, from_top: usize, guess_ns: u64) -> Option<u64> = Tail::select_near;
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Vectors {
        pub(in crate::quantile) fn none() -> Self {
            Self {
                #[cfg(target_arch = "x86_64")]
                avx2: false,
            }
        }
    }
}
