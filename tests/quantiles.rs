//! The quantile over random data. It is exact for every distribution and window, and close to the distribution's own quantile
//! where it should be.

mod common;
use common::{breaker, config};
use rand::rngs::StdRng;
use rand::{Rng, RngExt, SeedableRng};
use rand_distr::{Distribution, LogNormal, Pareto};
use trip99::{Breaker, Config, Reason};

const WINDOWS: [u32; 8] = [1, 2, 99, 100, 101, 1000, 1024, 65_536];
const QUANTILES: [u32; 6] = [1, 500_000, 900_000, 990_000, 999_000, 999_999];

/// A breaker that never trips on what these tests feed it.
fn observer(window_len: u32) -> Breaker {
    let off = Config { spike_count: 0, window_age_ns: 0, stall_limit_ns: 0, probe_timeout_ns: u64::MAX, ..config() };
    breaker(Config { threshold_ns: (1 << 63) - 1, window_len, min_samples: 1, ..off })
}

/// Draws the latency of a sample, given its index.
type Draw = Box<dyn Fn(&mut StdRng, u64) -> u64>;

fn distributions() -> Vec<(&'static str, Draw)> {
    let log_normal = LogNormal::new(13.8, 0.5).expect("legal parameters");
    let pareto = Pareto::new(500_000.0, 1.1).expect("legal parameters");
    vec![
        ("uniform", Box::new(|random, _| random.random_range(0..2_000_000))),
        ("log-normal", Box::new(move |random, _| log_normal.sample(random) as u64)),
        ("bimodal", Box::new(|random, _| if random.random_bool(0.98) { 1_000_000 } else { 250_000_000 })),
        ("heavy-tailed", Box::new(move |random, _| pareto.sample(random) as u64)),
        ("constant", Box::new(|_, _| 1_000_000)),
        ("ascending", Box::new(|_, index| index * 1_000)),
        ("descending", Box::new(|_, index| 1_000_000_000 - index * 1_000)),
        ("any bits", Box::new(|random, _| random.next_u64() >> 1)),
    ]
}

/// The definition: sort, and take the `ceil(q * n)`-th.
fn by_sorting(values: &[u64], quantile_ppm: u32) -> Option<u64> {
    let mut sorted = values.to_vec();
    sorted.sort_unstable();
    let rank = (u64::from(quantile_ppm) * sorted.len() as u64).div_ceil(1_000_000);
    sorted.get(rank.max(1) as usize - 1).copied()
}

#[test]
fn every_quantile_of_every_window_is_exactly_that_of_its_sorted_samples() {
    for (name, draw) in distributions() {
        for window_len in WINDOWS {
            let mut random = StdRng::seed_from_u64(u64::from(window_len));
            let mut breaker = observer(window_len);
            let mut values = Vec::new();
            // The ring is half full, then full, then half of it is overwritten.
            for samples in [window_len.div_ceil(2), window_len, window_len + window_len / 2] {
                while values.len() < samples as usize {
                    let latency_ns = draw(&mut random, values.len() as u64);
                    breaker.record_at(values.len() as u64, latency_ns);
                    values.push(latency_ns);
                }
                let live = &values[values.len().saturating_sub(window_len as usize)..];
                for quantile_ppm in QUANTILES {
                    assert_eq!(
                        breaker.quantile_ns_at(0, quantile_ppm),
                        by_sorting(live, quantile_ppm),
                        "{name}, {samples} samples into {window_len}, {quantile_ppm} ppm"
                    );
                }
            }
        }
    }
}

#[test]
fn overdue_calls_are_part_of_the_quantile() {
    let mut breaker = breaker(Config { stall_limit_ns: 0, min_samples: 1000, ..config() });
    (0..98).for_each(|now_ns| breaker.record_at(now_ns, now_ns));
    let _calls = [breaker.begin_at(100), breaker.begin_at(200)];
    breaker.poll_at(300_000_000);
    // 98 samples and two calls: the P99 is the younger call's age, the maximum the older one's.
    assert_eq!(breaker.quantile_ns_at(300_000_000, 990_000), Some(300_000_000 - 200));
    assert_eq!(breaker.quantile_ns_at(300_000_000, 999_999), Some(300_000_000 - 100));
    assert_eq!(breaker.quantile_ns_at(300_000_000, 980_000), Some(97));
}

#[test]
fn estimates_of_the_p99_are_unbiased_in_rank() {
    // Over many windows of 1000, the estimated P99 of uniform data on [0, 10^6) is Beta-distributed: the 990th of 1000
    // order statistics has mean 990/1001 and standard deviation 0.0031; the mean of 400 windows is within 5 sigma.
    let mut random = StdRng::seed_from_u64(99);
    let mut sum = 0;
    for _ in 0..400 {
        let mut breaker = observer(1000);
        (0..1000).for_each(|now_ns| breaker.record_at(now_ns, random.random_range(0..1_000_000)));
        sum += breaker.quantile_ns_at(1000, 990_000).expect("a full window");
    }
    let mean = sum as f64 / 400.0;
    let expected = 990.0 / 1001.0 * 1e6;
    assert!((mean - expected).abs() < 5.0 * 3_100.0 / 20.0, "{mean}, expected about {expected}");
}

#[test]
fn a_verdict_agrees_with_the_sorted_quantile_on_every_sample_of_every_distribution() {
    for (name, draw) in distributions() {
        for window_len in [1, 2, 99, 100, 101, 1000] {
            let mut random = StdRng::seed_from_u64(7);
            let mut values = Vec::new();
            // The data crosses this threshold now and then.
            let pilot: Vec<u64> = (0..2000).map(|index| draw(&mut random, index)).collect();
            let threshold_ns = by_sorting(&pilot, 985_000).expect("2000 values").clamp(1, (1 << 63) - 1);
            let off =
                Config { spike_count: 0, window_age_ns: 0, stall_limit_ns: 0, probe_timeout_ns: u64::MAX, ..config() };
            let mut breaker = breaker(Config { threshold_ns, window_len, min_samples: 1, min_slow: 1, ..off });
            for now_ns in 0..2500 {
                let latency_ns = draw(&mut random, now_ns);
                values.push(latency_ns);
                breaker.record_at(now_ns, latency_ns);
                let live = &values[values.len().saturating_sub(window_len as usize)..];
                let over = by_sorting(live, 990_000).is_some_and(|quantile_ns| quantile_ns > threshold_ns);
                let tripped = breaker.events().next().map(|event| event.reason);
                assert_eq!(tripped == Some(Reason::Latency), over, "{name}, window {window_len}, sample {now_ns}");
                if over {
                    break;
                }
            }
        }
    }
}
