//! What only Rust has, or says in its own way: types of errors, handles, `None` for a quantile of nothing, and the real clock.
//! What all languages share is in `tests/conformance`.

mod common;
use common::{MS, SECOND, breaker, config, last, open_at, quantile_only, reasons};
use trip99::{Call, Config, ConfigError, Reason, State};

const THRESHOLD: u64 = 200 * MS;

// Settings.

#[test]
fn an_illegal_change_is_refused_and_changes_nothing() {
    let mut breaker = breaker(config());
    let fixed = |field, value, current| Err(ConfigError::Fixed { field, value, current });
    for (new, error) in [
        (Config { window_len: 1025, ..config() }, fixed("window_len", 1025, 1024)),
        (Config { max_in_flight: 1, ..config() }, fixed("max_in_flight", 1, 1024)),
        (Config { start: trip99::Start::HalfOpen, ..config() }, fixed("start", 2, 0)),
        (
            Config { threshold_ns: 0, ..config() },
            Err(ConfigError::OutOfRange {
                field: "threshold_ns",
                value: 0,
                min: 1,
                max: (1 << 63) - 1,
                or_zero: false,
                bound: None,
            }),
        ),
    ] {
        assert_eq!(breaker.reconfigure_at(1, &new), error);
        assert_eq!(breaker.config(), &config());
    }
}

#[test]
fn a_value_outside_its_range_names_the_field_the_value_and_the_range() {
    let count = 1 << 20;
    let ppm = 1_000_000;
    // Each field with an illegal value, and its neighbour that is legal.
    type Change = fn(&mut Config, u64);
    const RECOVER: u64 = THRESHOLD / 5 * 4;
    let threshold_alone: Change = |c, v| {
        *c = Config { threshold_ns: v, window_age_ns: 0, stall_limit_ns: 0, probe_timeout_ns: u64::MAX, ..c.clone() };
    };
    let cases: [(&str, Change, &[u64], &[u64]); 25] = [
        ("quantile_ppm", |c, v| c.quantile_ppm = v as u32, &[0, ppm], &[1, ppm - 1]),
        ("threshold_ns", |c, v| c.threshold_ns = v, &[0, 1 << 63, u64::MAX], &[1, 999_999_999]),
        ("threshold_ns", threshold_alone, &[], &[1 << 40, (1 << 63) - 1]),
        ("window_age_ns", |c, v| c.window_age_ns = v, &[1, THRESHOLD], &[0, THRESHOLD + 1, u64::MAX]),
        ("window_len", |c, v| c.window_len = v as u32, &[0, count + 1], &[100, 101, count]),
        ("sample_every", |c, v| c.sample_every = v as u32, &[0, count + 1], &[1, count]),
        ("min_samples", |c, v| c.min_samples = v as u32, &[0, 1025], &[1, 1024]),
        ("min_slow", |c, v| c.min_slow = v as u32, &[count + 1], &[0, 1, count]),
        ("debt_limit", |c, v| c.debt_limit = v as u32, &[count + 1], &[0, 1, count]),
        ("stall_limit_ns", |c, v| c.stall_limit_ns = v, &[1, THRESHOLD], &[0, THRESHOLD + 1, u64::MAX]),
        ("confirm_verdicts", |c, v| c.confirm_verdicts = v as u32, &[0, count + 1], &[1, count]),
        ("failure_rate_ppm", |c, v| c.failure_rate_ppm = v as u32, &[ppm + 1], &[0, ppm]),
        ("max_in_flight", |c, v| c.max_in_flight = v as u32, &[0, count + 1], &[1, count]),
        ("recover_threshold_ns", |c, v| c.recover_threshold_ns = v, &[THRESHOLD + 1], &[0, 1, THRESHOLD]),
        ("probes", |c, v| c.probes = v as u32, &[0, 65_536], &[1, 65_535]),
        ("trials_in_flight", |c, v| c.trials_in_flight = v as u32, &[0, 11], &[1, 10]),
        ("probe_timeout_ns", |c, v| c.probe_timeout_ns = v, &[0, RECOVER], &[RECOVER + 1, u64::MAX]),
        ("backoff_base_ns", |c, v| c.backoff_base_ns = v, &[0], &[1, 60 * SECOND]),
        ("backoff_multiplier", |c, v| c.backoff_multiplier = v as u32, &[0, 17], &[1, 16]),
        ("backoff_max_ns", |c, v| c.backoff_max_ns = v, &[SECOND - 1], &[SECOND, u64::MAX]),
        ("jitter_ppm", |c, v| c.jitter_ppm = v as u32, &[ppm + 1], &[0, ppm]),
        ("stable_after_ns", |c, v| c.stable_after_ns = v, &[0], &[1, u64::MAX]),
        ("latch_after", |c, v| c.latch_after = v as u32, &[count + 1], &[0, 1, count]),
        ("owner_timeout_ns", |c, v| c.owner_timeout_ns = v, &[1, 9_999_999], &[0, 10_000_000, u64::MAX]),
        ("tap_len", |c, v| c.tap_len = v as u32, &[count + 1], &[0, 1, count]),
    ];
    for (field, change, illegal, legal) in cases {
        for &value in illegal {
            let mut config = Config::default();
            change(&mut config, value);
            let error = trip99::Breaker::new(config).expect_err(field);
            assert_eq!(error.field(), field);
            let text = error.to_string();
            assert!(text.starts_with(&format!("{field} is {value}; legal: ")), "{text}");
        }
        for &value in legal {
            let mut config = Config::default();
            change(&mut config, value);
            assert_eq!(config.validate(), Ok(()), "{field} {value}");
        }
    }
}

#[test]
fn jitter_lengthens_a_pause_by_at_most_its_share() {
    let pauses = |seed| -> Vec<u64> {
        let jittered = Config { jitter_ppm: 100_000, jitter_seed: seed, spike_count: 1, ..config() };
        (0..50)
            .map(|_| {
                let mut breaker = breaker(jittered.clone());
                open_at(&mut breaker, 0);
                last(&breaker).retry_at_ns
            })
            .collect()
    };
    assert!(pauses(0).iter().all(|pause_ns| (SECOND..SECOND + SECOND / 10).contains(pause_ns)));
    assert!(pauses(0).iter().any(|&pause_ns| pause_ns != pauses(0)[0]), "seed 0 draws a seed for each breaker");
    assert!(pauses(7).iter().all(|&pause_ns| pause_ns == pauses(7)[0]), "a seed repeats");
}

// Reports.

#[test]
fn a_quantile_of_nothing_is_none() {
    let mut breaker = breaker(quantile_only());
    assert_eq!((breaker.quantile_ns(990_000), breaker.quantile_ns_at(1, 0)), (None, None));
    breaker.record_at(2, 0);
    assert_eq!(breaker.quantile_ns(990_000), Some(0));
    breaker.poll_at(2 + 60 * SECOND);
    assert_eq!(breaker.quantile_ns(990_000), None, "the sample has expired");
}

#[test]
fn observers_see_state_deadline_snapshot_and_events() {
    let mut breaker = breaker(Config { spike_count: 1, ..config() });
    let observer = breaker.observer();
    assert_eq!((observer.state(), observer.snapshot()), (Some(State::Closed), None));
    open_at(&mut breaker, 7);
    assert_eq!((observer.state(), observer.retry_at_ns()), (Some(State::Open), 7 + SECOND));
    assert_eq!(observer.snapshot(), Some(breaker.snapshot()));
    breaker.halt_at(8, "");
    assert!(observer.is_halted());
    assert_eq!(observer.snapshot(), Some(breaker.snapshot()));
    drop(breaker);
    assert_eq!(reasons(observer.events()), [Reason::Spike, Reason::Halt]);
}

#[test]
fn events_carry_wall_time() {
    let mut breaker = breaker(config());
    let since_epoch_ns = || std::time::UNIX_EPOCH.elapsed().expect("the epoch is past").as_nanos();
    // Whatever the breaker's own time is.
    for now_ns in [0, 1_000_000 * SECOND] {
        let before_ns = since_epoch_ns();
        breaker.halt_at(now_ns, "");
        breaker.resume_at(now_ns, "");
        let wall_ns = u128::from(last(&breaker).wall_ns);
        assert!(before_ns <= wall_ns && wall_ns <= since_epoch_ns(), "{wall_ns}");
    }
}

#[test]
fn the_plain_forms_read_the_clock() {
    let mut breaker = breaker(Config { probes: 1, backoff_base_ns: 1, backoff_max_ns: 1, ..config() });
    assert!(breaker.allow());
    let calls = [breaker.begin(), breaker.begin(), breaker.begin()];
    breaker.end(calls[0]);
    breaker.fail(calls[1]);
    breaker.abandon(calls[2]);
    breaker.record(1);
    breaker.record_failure(1);
    breaker.record_probe(1, true);
    breaker.release();
    breaker.poll();
    breaker.reconfigure(&Config { spike_count: 1, ..breaker.config().clone() }).unwrap();
    assert_eq!(breaker.snapshot().recorded, 4);
    assert!(breaker.quantile_ns(1).is_some());
    breaker.halt("");
    assert!(!breaker.allow());
    breaker.resume("");
    breaker.record(u64::MAX >> 1);
    let reasons = reasons(breaker.events());
    assert_eq!(reasons[..4], [Reason::Reconfigured, Reason::Halt, Reason::Resume, Reason::Spike]);
    let (before_ns, after_ns) = (breaker.now_ns(), breaker.now_ns());
    assert!(before_ns <= after_ns && breaker.snapshot().now_ns <= after_ns);
}

#[test]
fn handles_may_cross_threads() {
    fn send<T: Send>() {}
    fn shared<T: Send + Sync>() {}
    send::<trip99::Breaker>();
    shared::<trip99::Observer>();
    shared::<trip99::Gate>();
    send::<trip99::Lane>();
    send::<trip99::lane::BeginHalf>();
    send::<trip99::lane::EndHalf>();
    shared::<trip99::Supervisor>();
    shared::<trip99::supervisor::StartError>();
    shared::<trip99::Events>();
    shared::<trip99::Config>();
    shared::<Call>();
}

#[test]
fn docs_rs_shows_every_feature_that_adds_something_to_read() {
    let manifest: toml::Table = include_str!("../Cargo.toml").parse().expect("it is TOML");
    let shown = manifest["package"]["metadata"]["docs"]["rs"]["features"].as_array().expect("a list");
    let shown: Vec<&str> = shown.iter().filter_map(toml::Value::as_str).collect();
    let hidden = ["checked", "header"]; // see there
    for feature in manifest["features"].as_table().expect("a table").keys() {
        assert_ne!(shown.contains(&feature.as_str()), hidden.contains(&feature.as_str()), "{feature}");
    }
}
