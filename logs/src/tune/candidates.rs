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

/// Rounded up, so that a limit is never nearer than it is said to be.
pub(super) fn percent(of_ns: u64, percent: u64) -> u64 {
    u64::try_from((u128::from(of_ns) * u128::from(percent)).div_ceil(100)).unwrap_or(u64::MAX)
}

/// Rounded up to two digits.
pub(super) fn two_digits_up(ns: u64) -> u64 {
    let unit = second_digit(ns);
    ns.div_ceil(unit).saturating_mul(unit)
}

/// Rounded down to two digits.
pub(super) fn two_digits_down(ns: u64) -> u64 {
    ns - ns % second_digit(ns)
}

fn second_digit(of_ns: u64) -> u64 {
    10_u64.pow(of_ns.checked_ilog10().unwrap_or(0).saturating_sub(1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::row::{Row, RowKind};

    #[test]
    fn two_digits_are_left() {
        let rounded = [0, 1, 99, 100, 101, 1_210_000, 1_210_001, u64::MAX].map(two_digits_up);
        assert_eq!(rounded, [0, 1, 99, 100, 110, 1_300_000, 1_300_000, u64::MAX]);
        let rounded = [0, 1, 99, 100, 109, 1_210_000, 1_299_999, u64::MAX].map(two_digits_down);
        assert_eq!(rounded, [0, 1, 99, 100, 100, 1_200_000, 1_200_000, 18_000_000_000_000_000_000]);
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

    fn alike(latency_ns: u64, more_ns: &[u64]) -> Healthy {
        let row =
            |(call, &latency_ns)| Row { start_ns: call, latency_ns: Some(latency_ns), ok: true, kind: RowKind::Ask };
        let latencies_ns = [vec![latency_ns; 1000], more_ns.to_vec()].concat();
        Healthy::new(&(0..).zip(&latencies_ns).map(row).collect::<Vec<_>>(), &[])
    }

    #[test]
    fn a_threshold_is_no_less_than_1_3_medians() {
        // The greatest of 1001, x 1.05, in two digits: 130 is 1.3 medians exactly, 120 is less.
        assert_eq!(thresholds_ns(&alike(100, &[123])), [130, 190]);
        assert_eq!(thresholds_ns(&alike(100, &[114])), [180]);
        // 1.3 medians are 14.3: 14 is less, though it is when rounded down.
        assert_eq!(thresholds_ns(&alike(11, &[13])), [20]);
        assert_eq!(thresholds_ns(&alike(11, &[14])), [15, 21]);
        // All calls are alike: 1.5 times the greatest alone.
        assert_eq!(thresholds_ns(&alike(100, &[])), [150]);
        assert_eq!(thresholds_ns(&alike(1, &[])), [2]);
        assert_eq!(thresholds_ns(&alike(0, &[])), [0; 0]);
    }

    #[test]
    fn a_threshold_is_never_less_than_what_it_is_made_of() {
        // 1.05 times 19 is 19.95, 1.5 times 19 is 28.5.
        assert_eq!(thresholds_ns(&alike(10, &[19])), [20, 29]);
        assert_eq!(
            (percent(19, 105), percent(20, 105), percent(0, 150), percent(u64::MAX, 105)),
            (20, 21, 0, u64::MAX)
        );
    }

    #[test]
    fn a_threshold_is_less_than_an_outage() {
        const S: u64 = 1_000_000_000;
        // Five medians are less than a second. 1.05 times 942 ms are 989.1 ms, in two digits 990 ms; of 943 ms they are 990.15 ms: a second.
        assert_eq!(thresholds_ns(&alike(S / 100, &[942_000_000])), [990_000_000]);
        assert_eq!(thresholds_ns(&alike(S / 100, &[943_000_000])), [0; 0]);
    }

    #[test]
    fn one_call_and_calls_of_no_time() {
        let one = Healthy::new(&[Row { start_ns: 0, latency_ns: Some(100), ok: true, kind: RowKind::Ask }], &[]);
        assert_eq!(thresholds_ns(&one), [150]);
        assert!(has_room(800, 100_000, 990_000) && !has_room(801, 100_000, 990_000));
        assert!(!has_room(1, 1, 900_000));
    }
}
