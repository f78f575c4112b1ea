//! Faults that are put into a log: would these settings have seen them?

mod injection;
mod injector;
mod text;
mod watch;

use crate::row::{MAX_LATENCY_NS, Row, RowKind};
pub use injection::{Injection, InjectionSpan};
pub use injector::{Injector, median_ns};
pub use text::FaultText;
pub use watch::{Fate, Noticed, Watched};

const MILLION: u128 = 1_000_000;

/// What goes wrong with the calls of a log for a while.
///
/// ```
/// use trip99_logs::fault::{Fault, random_of};
/// use trip99_logs::{Row, RowKind};
///
/// let row = Row { start_ns: 0, latency_ns: Some(3_000_000), ok: true, kind: RowKind::Ask };
/// let slower = Fault::Slower { times_ppm: 5_000_000 }.apply(&row, random_of(1, 0));
/// assert_eq!(slower.latency_ns, Some(15_000_000));
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Fault {
    /// Each call takes so many times as long, in parts per million: 5 000 000 is five times.
    Slower {
        /// See there.
        times_ppm: u64,
    },
    /// A share of the calls takes so long. A call of that share that took longer anyway stays as it is.
    SomeSlower {
        /// The share, in parts per million of the calls.
        share_ppm: u32,
        /// How long they take, in nanoseconds.
        slow_ns: u64,
    },
    /// No call comes back.
    Silent,
    /// A share of the calls never comes back.
    Lost {
        /// The share, in parts per million of the calls.
        share_ppm: u32,
    },
}

impl Fault {
    /// The row as it would have been. `random` is uniform, as that of [`random_of`]; it alone decides whether a call is one of a share.
    ///
    /// Three kinds of rows stay as they are: one that was refused, as nobody knows how its call would have gone; one that was withdrawn,
    /// as its latency is when its sender gave it up; and one that never came back. No latency passes [`MAX_LATENCY_NS`], and no end
    /// `u64::MAX`.
    pub fn apply(&self, row: &Row, random: u64) -> Row {
        let (RowKind::Ask | RowKind::Free, Some(latency_ns)) = (row.kind, row.latency_ns) else { return *row };
        let takes = |ns: u128| {
            let most_ns = MAX_LATENCY_NS.min(u64::MAX - row.start_ns);
            Row { latency_ns: Some(u64::try_from(ns).map_or(most_ns, |ns| ns.min(most_ns))), ..*row }
        };
        // What never comes back has no result.
        let lost = Row { latency_ns: None, ok: true, ..*row };
        match *self {
            Self::Slower { times_ppm } => takes(u128::from(latency_ns) * u128::from(times_ppm) / MILLION),
            Self::SomeSlower { share_ppm, slow_ns } if is_of_share(random, share_ppm) => {
                takes(latency_ns.max(slow_ns).into())
            }
            Self::Silent => lost,
            Self::Lost { share_ppm } if is_of_share(random, share_ppm) => lost,
            Self::SomeSlower { .. } | Self::Lost { .. } => *row,
        }
    }
}

/// True for this share of all numbers, to within 2^-64.
fn is_of_share(random: u64, share_ppm: u32) -> bool {
    (u128::from(random) * MILLION) >> 64 < u128::from(share_ppm)
}

/// A number for each seed and each row, uniform as far as anybody can tell, and the same at each run: splitmix64 (Steele, Lea and
/// Flood, 2014), of which it is the `index + 1`-th output.
pub fn random_of(seed: u64, index: u64) -> u64 {
    const STEP: u64 = 0x9e37_79b9_7f4a_7c15;
    let state = seed.wrapping_add(index.wrapping_add(1).wrapping_mul(STEP));
    let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    fn row(start_ns: u64, latency_ns: Option<u64>, ok: bool, kind: RowKind) -> Row {
        Row { start_ns, latency_ns, ok, kind }
    }

    fn faults() -> [Fault; 4] {
        [
            Fault::Slower { times_ppm: 5_000_000 },
            Fault::SomeSlower { share_ppm: 1_000_000, slow_ns: 300 * MS },
            Fault::Silent,
            Fault::Lost { share_ppm: 1_000_000 },
        ]
    }

    #[test]
    fn each_fault_does_what_it_says() {
        for (kind, ok) in [(RowKind::Ask, true), (RowKind::Free, true), (RowKind::Ask, false)] {
            let made = faults().map(|fault| fault.apply(&row(7, Some(2 * MS), ok, kind), 0));
            let expected = [(Some(10 * MS), ok), (Some(300 * MS), ok), (None, true), (None, true)];
            assert_eq!(made, expected.map(|(latency_ns, ok)| row(7, latency_ns, ok, kind)));
        }
    }

    #[test]
    fn what_the_node_did_not_decide_stays() {
        for row in [
            row(0, Some(5), true, RowKind::Refused),
            row(0, None, true, RowKind::Refused),
            row(0, Some(5), true, RowKind::Withdrawn),
            row(0, None, true, RowKind::Withdrawn),
            row(0, None, true, RowKind::Ask),
        ] {
            assert_eq!(faults().map(|fault| fault.apply(&row, 0)), [row; 4]);
        }
    }

    #[test]
    fn nothing_leaves_its_range() {
        let slow = |start_ns, latency_ns, times_ppm| {
            Fault::Slower { times_ppm }.apply(&row(start_ns, Some(latency_ns), true, RowKind::Ask), 0).latency_ns
        };
        assert_eq!(slow(0, MAX_LATENCY_NS, 1_000_001), Some(MAX_LATENCY_NS));
        assert_eq!(slow(0, MAX_LATENCY_NS, u64::MAX), Some(MAX_LATENCY_NS));
        assert_eq!(slow(0, 1 << 62, 2_000_000), Some(MAX_LATENCY_NS));
        assert_eq!(slow(0, (1 << 62) - 1, 2_000_000), Some(MAX_LATENCY_NS - 1));
        assert_eq!(slow(u64::MAX - 9, 4, 2_000_000), Some(8));
        assert_eq!(slow(u64::MAX - 9, 4, 5_000_000), Some(9));
        assert_eq!(slow(u64::MAX, 0, 5_000_000), Some(0));
        assert_eq!((slow(0, 3, 1_500_000), slow(0, 1, 999_999)), (Some(4), Some(0)), "rounded down");
        let some = Fault::SomeSlower { share_ppm: 1_000_000, slow_ns: u64::MAX };
        assert_eq!(some.apply(&row(0, Some(1), true, RowKind::Ask), 9).latency_ns, Some(MAX_LATENCY_NS));
        let some = Fault::SomeSlower { share_ppm: 1_000_000, slow_ns: 5 };
        assert_eq!(some.apply(&row(0, Some(6), true, RowKind::Ask), 9).latency_ns, Some(6), "longer anyway");
    }

    #[test]
    fn a_share_is_exact_at_its_ends() {
        assert!(!is_of_share(0, 0) && is_of_share(0, 1));
        assert!(is_of_share(u64::MAX, 1_000_000) && !is_of_share(u64::MAX, 999_999));
        // The half of all numbers.
        assert!(is_of_share((1 << 63) - 1, 500_000) && !is_of_share(1 << 63, 500_000));
    }

    #[test]
    fn random_numbers_are_those_of_splitmix64() {
        // The first outputs for the seed 1234567, as published with the reference in C.
        let expected = [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423];
        assert_eq!([0, 1, 2].map(|index| random_of(1_234_567, index)), expected);
        assert_ne!(random_of(1, u64::MAX), random_of(2, u64::MAX));
    }

    #[test]
    fn a_share_of_many_rows_is_hit() {
        for share_ppm in [20_000, 100_000, 500_000] {
            let hits = (0..100_000).filter(|&index| is_of_share(random_of(7, index), share_ppm)).count() as u64;
            let expected = u64::from(share_ppm) / 10;
            assert!(hits.abs_diff(expected) < 500, "{hits} of {expected}");
        }
    }
}
