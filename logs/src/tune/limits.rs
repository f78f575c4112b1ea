//! The settings that follow from the healthy calls and the threshold.
#![expect(clippy::float_arithmetic, reason = "odds are estimates; the breaker decides by none of them")]

use super::TuneOptions;
use super::candidates::{percent, two_digits_up};
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
    let limit_ns = two_digits_up(tail_ns.unwrap_or(most_ns).clamp(least_ns, most_ns));
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
