//! A breaker whose window is shown to others decides as any other does, and shows what it judges.
#![cfg(target_os = "linux")]

mod shared;

use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use shared::Place;
use trip99::shared::Options;
use trip99::{Breaker, Call, Config, Snapshot, Start};

/// Mostly fast samples, so that the breaker is calm for long.
fn latency_ns(random: &mut SmallRng) -> u64 {
    match random.random_range(0..200) {
        0 => random.random_range(900..1200),
        1..10 => random.random_range(100..1000),
        _ => random.random_range(1..100),
    }
}

fn figures(breaker: &Breaker) -> Snapshot {
    let mut snapshot = breaker.snapshot();
    snapshot.events = 0; // the restart is one
    snapshot
}

#[test]
fn a_shown_breaker_decides_as_a_private_one_and_shows_its_window() {
    for seed in 0..60 {
        let random = &mut SmallRng::seed_from_u64(seed);
        let config = Config {
            threshold_ns: 1000,
            window_len: [1, 2, 7, 64, 100][seed as usize % 5],
            min_samples: 1,
            window_age_ns: [0, 2000, 100_000][seed as usize % 3],
            stall_limit_ns: 5000,
            jitter_ppm: 0,
            backoff_base_ns: 3000,
            backoff_max_ns: 9000,
            probes: 2,
            owner_timeout_ns: 0, // no machine is too busy
            ..Config::default()
        };
        let place = Place::new(&format!("shown-{seed}"));
        let options = Options::default().now_ns(0).warden(false);
        let mut private = Breaker::new(config.clone()).unwrap();
        let mut shown = Breaker::create_shared_with(&place.0, config.clone(), Start::Closed, &options).unwrap();
        let observer = shown.observer();
        // Half of them have a lane, too.
        let mut lanes = (seed % 2 == 0).then(|| (private.lane_with_capacity(64), shown.lane_with_capacity(64)));
        let mut calls: Vec<(Call, Call)> = Vec::new();
        let mut now_ns = 0;
        for step in 0..4000 {
            now_ns += random.random_range(0..60);
            match random.random_range(0..14) {
                0..6 => {
                    let latency_ns = latency_ns(random);
                    private.record_at(now_ns, latency_ns);
                    shown.record_at(now_ns, latency_ns);
                }
                6 => calls.push((private.begin_at(now_ns), shown.begin_at(now_ns))),
                7..9 if !calls.is_empty() => {
                    let (own, other) = calls.swap_remove(random.random_range(0..calls.len()));
                    private.end_at(now_ns, own);
                    shown.end_at(now_ns, other);
                }
                9 if random.random_range(0..50) == 0 => {
                    private.record_failure_at(now_ns, 5);
                    shown.record_failure_at(now_ns, 5);
                }
                12.. if lanes.is_some() => {
                    let latency_ns = latency_ns(random);
                    if let Some((own, other)) = &mut lanes {
                        own.record_at(now_ns, latency_ns);
                        other.record_at(now_ns, latency_ns);
                    }
                }
                10 => assert_eq!(private.allow_at(now_ns), shown.allow_at(now_ns)),
                _ => {
                    private.poll_at(now_ns);
                    shown.poll_at(now_ns);
                }
            }
            assert_eq!(figures(&private), figures(&shown), "seed {seed}, step {step}");
            if step % 16 == 0 && private.snapshot().overdue == 0 {
                for quantile_ppm in [0, 500_000, 990_000, 1_000_000] {
                    let expected = private.quantile_ns(quantile_ppm);
                    assert_eq!(shown.quantile_ns(quantile_ppm), expected, "seed {seed}, step {step}");
                    if private.snapshot().overdue == 0 {
                        assert_eq!(observer.quantile_ns(quantile_ppm), expected, "seed {seed}, step {step}: shown");
                    }
                }
            }
        }
        assert!(private.snapshot().recorded > 1000);
    }
}
