//! The pairs of quantile and threshold that are tried.

use super::healthy::Healthy;
use crate::outages::outage_limit_ns;
use trip99::PPM;

/// The quantiles to judge, in ppm.
pub(super) const QUANTILES_PPM: [u32; 5] = [900_000, 950_000, 980_000, 990_000, 995_000];

/// The quantiles of healthy calls that thresholds are made of, in ppm.
const OF_HEALTHY_PPM: [u32; 9] = [900_000, 950_000, 980_000, 990_000, 995_000, 998_000, 999_000, 999_500, 999_900];

/// A threshold stands off from what it is made of by this, in percent.
const ROOM: u64 = 105;
/// The greatest healthy latency makes one more, in percent.
const GREATEST_ROOM: u64 = 150;
/// No threshold is nearer to the median, in percent.
const LEAST_OF_MEDIAN: u64 = 130;

/// Thresholds, in ascending order. None is above what an outage is by hindsight.
pub(super) fn thresholds_ns(healthy: &Healthy) -> Vec<u64> {
    let median_ns = healthy.quantile_ns(PPM / 2);
    let greatest_ns = healthy.greatest_ns();
    let made = OF_HEALTHY_PPM.iter().map(|&ppm| percent(healthy.quantile_ns(ppm), ROOM));
    let made = made.chain([percent(greatest_ns, ROOM), percent(greatest_ns, GREATEST_ROOM)]);
    let least_ns = percent(median_ns, LEAST_OF_MEDIAN);
    let legal = |&threshold_ns: &u64| threshold_ns >= least_ns.max(1) && threshold_ns < outage_limit_ns(median_ns);
    let mut thresholds_ns: Vec<u64> = made.map(two_digits_up).filter(legal).collect();
    thresholds_ns.sort_unstable();
    thresholds_ns.dedup();
    thresholds_ns
}

/// So large a share of slow calls would leave a quantile too little room: 80 % of what it allows.
pub(super) fn has_room(slow: usize, calls: usize, quantile_ppm: u32) -> bool {
    let allowed = u128::from(PPM - quantile_ppm) * calls as u128;
    slow as u128 * u128::from(PPM) * 10 <= allowed * 8
}

pub(super) fn percent(of_ns: u64, percent: u64) -> u64 {
    u64::try_from(u128::from(of_ns) * u128::from(percent) / 100).unwrap_or(u64::MAX)
}

/// Rounded up to two digits.
pub(super) fn two_digits_up(ns: u64) -> u64 {
    let unit = 10_u64.pow(ns.checked_ilog10().unwrap_or(0).saturating_sub(1));
    ns.div_ceil(unit).saturating_mul(unit)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::row::{Row, RowKind};

    #[test]
    fn two_digits_are_left() {
        let rounded = [0, 1, 99, 100, 101, 1_210_000, 1_210_001, u64::MAX].map(two_digits_up);
        assert_eq!(rounded, [0, 1, 99, 100, 110, 1_300_000, 1_300_000, u64::MAX]);
    }

    #[test]
    fn a_quantile_needs_room() {
        assert!(has_room(8, 1000, 990_000) && !has_room(9, 1000, 990_000));
        assert!(has_room(0, 0, 990_000));
    }

    #[test]
    fn thresholds_are_above_the_median_and_below_an_outage() {
        let rows: Vec<Row> = (0..1000)
            .map(|call| Row {
                start_ns: call * 1_000_000_000,
                latency_ns: Some(10_000_000 + call * 100_000),
                ok: true,
                kind: RowKind::Ask,
            })
            .collect();
        let of = |rows: &[Row]| thresholds_ns(&Healthy::new(rows, &[]));
        // P90 is 99.9 ms, the greatest 109.9 ms.
        assert_eq!(of(&rows), [110_000_000, 120_000_000, 170_000_000]);
        let slow: Vec<Row> =
            rows.iter().map(|row| Row { latency_ns: row.latency_ns.map(|ns| ns * 7), ..*row }).collect();
        // 1.5 times the greatest is 1.15 s: an outage, at a median of 420 ms, is 2.1 s.
        assert_eq!(of(&slow), [740_000_000, 780_000_000, 800_000_000, 810_000_000, 1_200_000_000]);
        assert_eq!(of(&[]), [0; 0]);
    }
}
