//! The settings that follow from the healthy calls and the threshold.
#![expect(clippy::float_arithmetic, reason = "odds are estimates; the breaker decides by none of them")]

use super::TuneOptions;
use super::candidates::{percent, two_digits_down, two_digits_up};
use super::choice::Candidate;
use super::healthy::Healthy;
use crate::outages::outage_limit_ns;
use std::time::Duration;
use trip99::{Config, PPM};

/// A window has at least so many calls, as the log has them on average, and lasts for at least a minute.
const CALLS_OF_WINDOW: u128 = 250;
const LEAST_WINDOW_NS: u64 = 60_000_000_000;

/// The tail of the latencies is measured by the greatest 5 %, and by so many of them.
const HILL_LEAST: usize = 10;
const HILL_MOST: usize = 50;

/// With this chance a healthy link passes its trials.
const CHANCE: f64 = 0.9;
const MOST_PROBES: u32 = 10;

/// What a breaker tracks by default. A log with more calls in flight at once gets four times what it has.
const ROOM_IN_FLIGHT: usize = 4;

/// How long a sample stays in the window: a slow call weighs on the debt for so long.
pub(super) fn window_age_ns(healthy: &Healthy) -> u64 {
    let calls = healthy.calls().max(1) as u128;
    let age_ns = (CALLS_OF_WINDOW * u128::from(healthy.span_ns)).div_ceil(calls);
    two_digits_up(u64::try_from(age_ns).unwrap_or(u64::MAX)).max(LEAST_WINDOW_NS)
}

/// All settings, made for the candidate.
pub(super) fn settings(healthy: &Healthy, candidate: &Candidate, options: &TuneOptions) -> Config {
    let Candidate { quantile_ppm, threshold_ns, debt_limit, .. } = *candidate;
    let (recover_threshold_ns, probes) = trials(healthy, threshold_ns);
    let default = Config::for_threshold(Duration::from_nanos(threshold_ns));
    Config {
        quantile_ppm,
        debt_limit,
        window_age_ns: window_age_ns(healthy).max(default.window_age_ns),
        stall_limit_ns: stall_limit_ns(healthy, threshold_ns, options),
        recover_threshold_ns,
        probes,
        spike_count: 0,
        max_in_flight: max_in_flight(healthy, &default),
        ..default
    }
}

/// A call in flight for so long is a stall.
///
/// By the tail of the latencies (Hill 1975) a quarter of the budget's false trips take longer. As a tail is a guess, it is at least 1.5
/// and at most 2 times the greatest healthy latency. What takes longer than an outage's limit is an outage, so the limit is no more
/// than that.
fn stall_limit_ns(healthy: &Healthy, threshold_ns: u64, options: &TuneOptions) -> u64 {
    let latencies_ns = healthy.latencies_ns();
    let k = (latencies_ns.len() / 20).clamp(HILL_LEAST, HILL_MOST);
    let greatest: Vec<u64> = latencies_ns.iter().rev().take(k + 1).copied().collect();
    let tail_ns = greatest.get(k).filter(|&&level_ns| level_ns > 0).map(|&level_ns| {
        let level = level_ns as f64;
        let mean_log = greatest.iter().take(k).map(|&ns| (ns as f64 / level).ln()).sum::<f64>() / k as f64;
        let budget = f64::from(options.false_trips) / 4.0 / options.within_ns as f64 * healthy.span_ns as f64;
        (level * (k as f64 / budget).powf(mean_log)) as u64
    });
    let greatest_ns = healthy.greatest_ns();
    let (least_ns, most_ns) = (percent(greatest_ns, 150), percent(greatest_ns, 200));
    // Rounded it is no more than that, either.
    let limit_ns = two_digits_up(tail_ns.unwrap_or(most_ns).max(least_ns)).min(two_digits_down(most_ns));
    limit_ns.min(outage_limit_ns(healthy.quantile_ns(PPM / 2))).max(threshold_ns.saturating_add(1))
}

/// The recover threshold (0 is 80 % of the threshold) and the number of trials that healthy calls pass with a chance of 90 %.
fn trials(healthy: &Healthy, threshold_ns: u64) -> (u64, u32) {
    let good = |limit_ns: u64| 1.0 - healthy.slower_than(limit_ns) as f64 / healthy.calls().max(1) as f64;
    let by_default_ns =
        Config::default().threshold(Duration::from_nanos(threshold_ns)).effective_recover_threshold_ns();
    if good(by_default_ns).powf(MOST_PROBES.into()) >= CHANCE {
        return (0, MOST_PROBES);
    }
    // The more trials the less the chance that all are good. Where all calls are good it is infinite.
    let probes = (CHANCE.ln() / good(threshold_ns).ln()).abs().min(MOST_PROBES.into()) as u32;
    (threshold_ns, probes.max(1))
}

fn max_in_flight(healthy: &Healthy, default: &Config) -> u32 {
    let most = healthy.most_in_flight();
    if most * ROOM_IN_FLIGHT <= default.max_in_flight as usize {
        return default.max_in_flight;
    }
    u32::try_from((most * ROOM_IN_FLIGHT).next_power_of_two()).unwrap_or(u32::MAX).min(1 << 20)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::row::{Row, RowKind};

    const MS: u64 = 1_000_000;
    const S: u64 = 1_000_000_000;

    /// A call each second.
    fn healthy(latencies_ns: impl IntoIterator<Item = u64>) -> Healthy {
        healthy_each(S, latencies_ns)
    }

    fn healthy_each(step_ns: u64, latencies_ns: impl IntoIterator<Item = u64>) -> Healthy {
        let row = |(call, latency_ns)| Row {
            start_ns: call * step_ns,
            latency_ns: Some(latency_ns),
            ok: true,
            kind: RowKind::Ask,
        };
        Healthy::new(&(0..).zip(latencies_ns).map(row).collect::<Vec<_>>(), &[])
    }

    /// So many calls of one latency, then so many of another.
    fn two(many: usize, latency_ns: u64, some: usize, other_ns: u64) -> Healthy {
        healthy(std::iter::repeat_n(latency_ns, many).chain(std::iter::repeat_n(other_ns, some)))
    }

    #[test]
    fn a_window_lasts_for_250_calls_and_a_minute() {
        let of = |step_ns, calls| window_age_ns(&healthy_each(step_ns, vec![1; calls]));
        // 250 * 99 s / 100 = 247.5 s.
        assert_eq!(of(S, 100), 250 * S);
        assert_eq!(of(S / 10, 100), 60 * S, "24.75 s are too little");
        // 250 * 0.48 s / 2 = 60 s.
        assert_eq!((of(480 * MS, 2), of(480 * MS + 1, 2)), (60 * S, 61 * S));
        assert_eq!((of(S, 0), of(S, 1)), (60 * S, 60 * S));
    }

    #[test]
    fn trials_are_as_many_as_nine_healthy_links_of_ten_pass() {
        let trials_of = |slow, slow_ns| trials(&two(1000 - slow, 80, slow, slow_ns), 100);
        // 80 is 80 % of the threshold. 0.99^10 = 0.904, 0.989^10 = 0.895.
        assert_eq!([0, 10, 11].map(|slow| trials_of(slow, 81)), [(0, 10), (0, 10), (100, 10)]);
        // ln 0.9 / ln g: 10.48 at 0.99, 9.53 at 0.989, 2.05 at 0.95, 1.76 at 0.942, 1 at 0.9, 0.99 at 0.899.
        assert_eq!([11, 12, 50, 58].map(|slow| trials_of(slow, 101).1), [9, 8, 2, 1]);
        assert_eq!([100, 101, 999, 1000].map(|slow| trials_of(slow, 101)), [(100, 1); 4]);
        // As slow as the threshold is good.
        assert_eq!(trials_of(1000, 100), (100, 10));
        // 10 of them slow at the threshold, and one more at 80 % of it.
        let mixed = healthy(std::iter::repeat_n(80, 989).chain([81]).chain(std::iter::repeat_n(101, 10)));
        assert_eq!(trials(&mixed, 100), (100, 10));
        assert_eq!(trials(&healthy([]), 100), (0, 10));
    }

    /// With a budget of one in so many times the log's length.
    fn stall_ns(healthy: &Healthy, threshold_ns: u64, lengths: u64) -> u64 {
        let options = TuneOptions { within_ns: healthy.span_ns * lengths, ..TuneOptions::default() };
        stall_limit_ns(healthy, threshold_ns, &options)
    }

    #[test]
    fn a_stall_is_from_one_and_a_half_to_twice_the_greatest() {
        // No tail at all.
        assert_eq!(stall_ns(&two(100, 10 * MS, 0, 0), 12 * MS, 15), 15 * MS);
        // The 10 greatest are 10 % above the next: Hill's index is ln 1.1 = 0.09531. A quarter of one in 15 lengths is 1/60 in this one:
        // 600 times rarer than the 10 are. 100 ms * 600^0.09531 = 183.99 ms.
        assert_eq!(stall_ns(&two(190, 100 * MS, 10, 110 * MS), 120 * MS, 15), 190 * MS);
        // 40 times rarer: 142 ms, which is less than 165 ms. 12 000 times rarer: 244.8 ms, which is more than 220 ms.
        assert_eq!(stall_ns(&two(190, 100 * MS, 10, 110 * MS), 120 * MS, 1), 170 * MS);
        assert_eq!(stall_ns(&two(190, 100 * MS, 10, 110 * MS), 120 * MS, 300), 220 * MS);
        // Twice 101 ms has three digits.
        assert_eq!(stall_ns(&two(190, 10 * MS, 10, 101 * MS), 120 * MS, 15), 200 * MS);
        // With 10 calls there is no tail: as if it were long.
        assert_eq!(stall_ns(&two(10, 100 * MS, 0, 0), 120 * MS, 15), 200 * MS);
        assert_eq!(stall_ns(&two(11, 100 * MS, 0, 0), 120 * MS, 15), 150 * MS);
    }

    #[test]
    fn a_stall_is_above_the_threshold_and_no_more_than_an_outage() {
        let alike = two(100, 10 * MS, 0, 0);
        assert_eq!([14, 15, 16].map(|ms| stall_ns(&alike, ms * MS, 15)), [15 * MS, 15 * MS + 1, 16 * MS + 1]);
        // An outage takes a second, or five medians.
        assert_eq!(stall_ns(&two(100, 100 * MS, 100, 900 * MS), 910 * MS, 15), S);
        assert_eq!(stall_ns(&two(101, 300 * MS, 100, 1400 * MS), 1410 * MS, 15), 1500 * MS);
        assert_eq!(stall_ns(&healthy([]), 5, 1), 6);
        assert_eq!(stall_ns(&two(100, 0, 0, 0), 5, 15), 6, "calls of no time have no tail");
    }

    #[test]
    fn four_times_the_calls_in_flight_find_room() {
        let default = Config::default();
        let of = |in_flight: u64| {
            let healthy = healthy_each(1, vec![1_000_000; in_flight as usize]);
            max_in_flight(&healthy, &default)
        };
        let quarter = default.max_in_flight / 4;
        assert_eq!(of(u64::from(quarter)), default.max_in_flight);
        assert_eq!(of(u64::from(quarter) + 1), default.max_in_flight * 2);
    }
}
