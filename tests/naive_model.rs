//! The breaker against a naive model of itself, under random operations and random settings. After each operation everything
//! that can be seen must be equal. What must hold whatever happens is checked on the way, too.

mod model;

use model::lane_pair::LaneOp;
use model::pair::{Change, Op, Pair, Step};
use proptest::prelude::*;
use trip99::{Config, Reason, Recovery, State};

fn recovery() -> impl Strategy<Value = Recovery> {
    prop_oneof![3 => Just(Recovery::Trials), 1 => Just(Recovery::HealthChecks)]
}

fn latency_ns() -> impl Strategy<Value = u64> {
    // Around the thresholds (10 and 40), their four fifths, and the spike limit.
    // Then what is just a time, and what is none.
    let extreme = prop::sample::select(vec![(1 << 63) - 1, 1 << 63, u64::MAX]);
    prop_oneof![24 => 0u64..60, 6 => prop::sample::select(vec![8, 9, 10, 11, 32, 33, 40, 41]), 1 => extreme]
}

/// Every third breaker judges debt.
fn debt_limit() -> impl Strategy<Value = u32> {
    prop_oneof![2 => Just(0u32), 1 => 1u32..5]
}

fn quantile_ppm() -> impl Strategy<Value = u32> {
    prop::sample::select(vec![1u32, 500_000, 900_000, 990_000, 999_999])
}

fn change() -> impl Strategy<Value = Change> {
    let evidence = (quantile_ppm(), 0u32..5, debt_limit());
    let judged = (prop::sample::select(vec![10, 40]), prop::sample::select(vec![0, 30, 200]), 1u32..4);
    let rest = (1u32..5, recovery(), any::<bool>(), 1u32..4);
    (evidence, judged, rest).prop_map(
        |(
            (quantile_ppm, min_slow, debt_limit),
            (threshold_ns, window_age_ns, sample_every),
            (probes, recovery, shadow, backoff_multiplier),
        )| Change {
            quantile_ppm,
            min_slow,
            debt_limit,
            threshold_ns,
            window_age_ns,
            sample_every,
            probes,
            recovery,
            shadow,
            backoff_multiplier,
        },
    )
}

/// Mostly nobody holds a halt.
fn halt() -> impl Strategy<Value = Op> {
    (0usize..4, any::<bool>(), prop::bool::weighted(0.1)).prop_map(|(who, by_gate, halts)| match halts {
        true => Op::Halt { who: who.min(2), by_gate },
        false => Op::Resume { who, by_gate },
    })
}

fn op() -> impl Strategy<Value = Op> {
    let ok = || prop::bool::weighted(0.8);
    let again = || prop::bool::weighted(0.05);
    prop_oneof![
        20 => Just(Op::Allow),
        20 => Just(Op::Begin),
        20 => (any::<usize>(), again(), ok()).prop_map(|(which, again, ok)| Op::Finish { which, again, ok }),
        3 => (any::<usize>(), again()).prop_map(|(which, again)| Op::Abandon { which, again }),
        // Each trip ends a stretch in which a rule might have.
        4 => prop::bool::weighted(0.04).prop_map(|trips| if trips { Op::Trip } else { Op::Release }),
        20 => (latency_ns(), ok()).prop_map(|(latency_ns, ok)| Op::Record { latency_ns, ok }),
        6 => (latency_ns(), ok()).prop_map(|(latency_ns, ok)| Op::Probe { latency_ns, ok }),
        6 => Just(Op::Poll),
        6 => any::<bool>().prop_map(|before| Op::PollAtDeadline { before }),
        6 => halt(),
        1 => change().prop_map(Op::Reconfigure),
        2 => (0u32..=1_000_000).prop_map(|quantile_ppm| Op::Quantile { quantile_ppm }),
    ]
}

/// Around a second: after one stamp that is further ahead all others are from far back.
fn leap_ns() -> impl Strategy<Value = u64> {
    prop::sample::select(vec![999_999_990, 1_000_000_000, 1_000_000_001, 1_000_000_040, 5_000_000_000])
}

fn ahead_ns() -> impl Strategy<Value = u64> {
    prop_oneof![600 => Just(0), 1 => leap_ns()]
}

fn step() -> impl Strategy<Value = Step> {
    let later_ns = prop_oneof![8 => 0u64..3, 4 => 0u64..10, 1 => 0u64..100];
    let back_ns = prop_oneof![15 => Just(0u64), 1 => 0u64..100];
    (later_ns, back_ns, ahead_ns(), op()).prop_map(|(later_ns, back_ns, ahead_ns, op)| Step {
        later_ns,
        back_ns,
        ahead_ns,
        op,
    })
}

fn config() -> impl Strategy<Value = Config> {
    let window =
        (prop::sample::select(vec![1u32, 2, 3, 8, 30]), 1u32..7, prop::sample::select(vec![0u64, 11, 30, 200]));
    let verdict = (quantile_ppm(), 1u32..4, 1u32..4, 0u32..5, debt_limit());
    let rules = (0u32..4, 0u32..4, prop::sample::select(vec![0u32, 300_000, 500_000, 1_000_000, 1_000_000, 1_000_000]));
    let calls = (prop::sample::select(vec![0u64, 15, 60, 300]), prop::sample::select(vec![1u32, 2, 4, 50]));
    let trials = (recovery(), 1u32..5, 1u32..5, prop::sample::select(vec![3u64, 200, 1000]), 0u64..10);
    let backoff =
        (prop::sample::select(vec![1u64, 10, 40]), 1u32..4, prop::sample::select(vec![1u64, 3, 20]), 1u64..500);
    let latch_after = prop_oneof![4 => Just(0u32), 1 => 1u32..5];
    let modes = (prop::bool::weighted(0.2), prop::bool::weighted(0.15), latch_after);
    (window, verdict, rules, calls, trials, backoff, modes).prop_map(
        |(window, verdict, rules, calls, trials, backoff, (half_open, shadow, latch_after))| Config {
            threshold_ns: 10,
            window_len: window.0,
            min_samples: window.1.min(window.0),
            window_age_ns: window.2,
            quantile_ppm: verdict.0,
            confirm_verdicts: verdict.1,
            min_slow: verdict.3,
            debt_limit: verdict.4,
            sample_every: if verdict.2 == 3 { 3 } else { 1 },
            consecutive_failures: rules.0 * 2,
            spike_count: rules.1 * 2,
            failure_rate_ppm: rules.2,
            // With 0 a reconfigured threshold would change the limit, and runs aren't judged anew.
            spike_limit_ns: 35,
            stall_limit_ns: calls.0,
            max_in_flight: calls.1,
            recovery: trials.0,
            probes: trials.1,
            trials_in_flight: trials.2.min(trials.1),
            probe_timeout_ns: trials.3.max(if trials.4 == 0 { 9 } else { trials.4 + 1 }),
            recover_threshold_ns: trials.4,
            backoff_base_ns: backoff.0,
            backoff_multiplier: backoff.1,
            backoff_max_ns: backoff.0 * backoff.2,
            stable_after_ns: backoff.3,
            start: if half_open { trip99::Start::HalfOpen } else { trip99::Start::Closed },
            shadow,
            latch_after,
            jitter_ppm: 0,
            ..Config::default()
        },
    )
}

proptest! {
    #[test]
    fn the_breaker_equals_its_naive_model(
        config in config(),
        clock_ns in prop::sample::select(vec![0, 1000, 1 << 50, u64::MAX - 3000]),
        steps in prop::collection::vec(step(), 1..250),
    ) {
        let mut pair = Pair::new(config, clock_ns);
        for step in &steps {
            pair.apply(step);
        }
    }
}

fn lane_op() -> impl Strategy<Value = Op> {
    let ok = || prop::bool::weighted(0.8);
    let again = || prop::bool::weighted(0.05);
    let on_end = any::<bool>;
    let op = prop_oneof![
        20 => Just(LaneOp::Allow),
        5 => Just(LaneOp::Release),
        30 => Just(LaneOp::Begin),
        30 => (any::<usize>(), again(), ok(), on_end())
            .prop_map(|(which, again, ok, on_end)| LaneOp::Finish { which, again, ok, on_end }),
        6 => (any::<usize>(), again(), on_end())
            .prop_map(|(which, again, on_end)| LaneOp::Abandon { which, again, on_end }),
        15 => (latency_ns(), ok(), on_end())
            .prop_map(|(latency_ns, ok, on_end)| LaneOp::Record { latency_ns, ok, on_end }),
        6 => (latency_ns(), ok()).prop_map(|(latency_ns, ok)| LaneOp::Probe { latency_ns, ok }),
        1 => (4u32..9, any::<bool>()).prop_map(|(capacity, split)| LaneOp::Reopen { capacity, split }),
    ];
    (any::<usize>(), op).prop_map(|(lane, op)| Op::Lane { lane, op })
}

/// Between two polls lanes tell much at times, and little at other times. Their clocks differ from the owner's.
fn step_with_lanes() -> impl Strategy<Value = Step> {
    let op = prop_oneof![
        12 => lane_op(),
        4 => op(),
        2 => Just(Op::Poll),
        1 => halt(),
        1 => prop_oneof![3 => Just(Op::GateAllow), 1 => Just(Op::GateRelease)],
    ];
    let later_ns = prop_oneof![8 => 0u64..3, 4 => 0u64..10, 1 => 0u64..100];
    let back_ns = prop_oneof![6 => Just(0u64), 1 => 0u64..5, 1 => 0u64..100];
    (later_ns, back_ns, ahead_ns(), op).prop_map(|(later_ns, back_ns, ahead_ns, op)| Step {
        later_ns,
        back_ns,
        ahead_ns,
        op,
    })
}

proptest! {
    /// There are the owner, a gate and two lanes, one of them split. Messages are late, out of order or dropped, and lanes close.
    #[test]
    fn the_breaker_and_its_lanes_equal_their_naive_model(
        config in config(),
        capacities in (4u32..7, 4u32..20),
        clock_ns in prop::sample::select(vec![1000, 1 << 50, u64::MAX - 3000]),
        steps in prop::collection::vec(step_with_lanes(), 1..300),
    ) {
        let mut pair = Pair::with_lanes(config, clock_ns, &[capacities.0, capacities.1]);
        for step in &steps {
            pair.apply(step);
        }
    }
}

/// Mostly good samples: a calm breaker takes a shorter way with them.
fn good_step() -> impl Strategy<Value = Step> {
    let latency_ns = || prop_oneof![60 => 0u64..=10, 1 => 11u64..=35, 1 => 36u64..=60];
    let ok = || prop::bool::weighted(0.98);
    let op = prop_oneof![
        120 => (latency_ns(), ok()).prop_map(|(latency_ns, ok)| Op::Record { latency_ns, ok }),
        30 => Just(Op::Begin),
        30 => (any::<usize>(), prop::bool::weighted(0.02), ok()).prop_map(|(which, again, ok)| Op::Finish { which, again, ok }),
        10 => Just(Op::Allow),
        3 => Just(Op::Poll),
        1 => change().prop_map(Op::Reconfigure),
        3 => op(),
    ];
    let later_ns = prop_oneof![60 => 0u64..2, 2 => 0u64..60, 1 => 0u64..300];
    let back_ns = prop_oneof![60 => Just(0u64), 1 => 1u64..20];
    (later_ns, back_ns, ahead_ns(), op).prop_map(|(later_ns, back_ns, ahead_ns, op)| Step {
        later_ns,
        back_ns,
        ahead_ns,
        op,
    })
}

fn good_config() -> impl Strategy<Value = Config> {
    // Small windows, and windows whose slots need more than one word of bits.
    let window_len = prop::sample::select(vec![2u32, 3, 8, 63, 65, 130]);
    let rules = (prop::sample::select(vec![0u32, 2, 4]), prop::sample::select(vec![4u64, 35]), 1u32..3, 1u32..8);
    (config(), window_len, rules).prop_map(
        |(config, window_len, (count, spike_limit_ns, confirm_verdicts, sample_every))| Config {
            window_len,
            min_samples: config.min_samples.min(window_len),
            window_age_ns: config.window_age_ns * 2,
            quantile_ppm: config.quantile_ppm.max(500_000),
            confirm_verdicts,
            sample_every: if sample_every == 7 { 3 } else { 1 },
            consecutive_failures: count,
            spike_count: count,
            failure_rate_ppm: config.failure_rate_ppm.max(300_000),
            spike_limit_ns,
            probes: 1,
            trials_in_flight: 1,
            ..config
        },
    )
}

proptest! {
    #[test]
    fn a_calm_breaker_equals_its_naive_model(
        config in good_config(),
        clock_ns in prop::sample::select(vec![0, 1000, 1 << 50, u64::MAX - 3000]),
        steps in prop::collection::vec(good_step(), 100..600),
    ) {
        let mut pair = Pair::new(config, clock_ns);
        for step in &steps {
            pair.apply(step);
        }
    }
}

proptest! {
    /// Many stamps are ahead, or few, so that the others are from far back: many of 64 or few. Owner and lanes share the clock.
    #[test]
    fn a_breaker_whose_clock_jumps_equals_its_naive_model(
        (config, steps) in prop_oneof![
            (config(), prop::collection::vec((step_with_lanes(), any::<u32>()), 50..400)),
            (good_config(), prop::collection::vec((good_step(), any::<u32>()), 50..600)),
        ],
        with_lanes: bool,
        (leap_ns, every, mostly_ahead) in (leap_ns(), prop::sample::select(vec![1u32, 3, 7, 8, 9, 20]), any::<bool>()),
    ) {
        let mut pair =
            if with_lanes { Pair::with_lanes(config, 1 << 50, &[4, 12]) } else { Pair::new(config, 1 << 50) };
        for (step, dice) in &steps {
            let is_ahead = dice.is_multiple_of(every) != mostly_ahead;
            pair.apply(&Step { ahead_ns: if is_ahead { leap_ns } else { 0 }, ..step.clone() });
        }
    }
}

/// The random operations would prove little if they didn't reach every reason and every count.
#[test]
fn random_operations_reach_every_reason_and_every_count() {
    use proptest::strategy::ValueTree;
    use proptest::test_runner::TestRunner;
    let mut runner = TestRunner::deterministic();
    let mut reasons = std::collections::BTreeMap::new();
    let mut counts = [0; 7];
    for _ in 0..600 {
        let config = config().new_tree(&mut runner).expect("a config").current();
        let steps = prop::collection::vec(step(), 250).new_tree(&mut runner).expect("steps").current();
        let mut pair = Pair::new(config, 1000);
        for step in &steps {
            pair.apply(step);
        }
        for event in &pair.model.events {
            *reasons.entry(event.reason.name()).or_insert(0) += 1;
        }
        let snapshot = pair.breaker.snapshot();
        let more = [
            snapshot.stale,
            snapshot.untracked,
            snapshot.refused,
            snapshot.refused_in_shadow,
            snapshot.misused,
            pair.model.events.iter().filter(|event| event.overdue > 0 && event.reason == Reason::Latency).count()
                as u64,
            pair.breaker.events().filter(|event| event.by_debt).count() as u64,
        ];
        counts.iter_mut().zip(more).for_each(|(count, more)| *count += more);
    }
    assert!(reasons.len() == 16 && reasons.values().all(|&count| count >= 5), "{reasons:?}");
    assert!(counts.iter().all(|&count| count >= 10), "{counts:?}");
}

/// The same holds for the operations on lanes.
#[test]
fn random_operations_on_lanes_reach_all_that_lanes_do() {
    use proptest::strategy::ValueTree;
    use proptest::test_runner::TestRunner;
    let mut runner = TestRunner::deterministic();
    let mut reasons = std::collections::BTreeMap::new();
    let mut counts = [0; 6];
    for _ in 0..200 {
        let config = config().new_tree(&mut runner).expect("a config").current();
        let steps = prop::collection::vec(step_with_lanes(), 300).new_tree(&mut runner).expect("steps").current();
        let mut pair = Pair::with_lanes(config, 1000, &[4, 12]);
        let mut trials_of_lanes = 0;
        for step in &steps {
            let before = pair.breaker.snapshot();
            pair.apply(step);
            let on_lane = matches!(step.op, Op::Lane { op: LaneOp::Allow, .. } | Op::GateAllow);
            trials_of_lanes += u64::from(on_lane && before.state == State::HalfOpen && pair.model.pending > 0);
        }
        for event in &pair.model.events {
            *reasons.entry(event.reason.name()).or_insert(0) += 1;
        }
        let snapshot = pair.breaker.snapshot();
        let overdue = pair.model.events.iter().filter(|event| event.overdue > 0).count() as u64;
        let more = [snapshot.stale, snapshot.dropped, snapshot.refused, snapshot.misused, overdue, trials_of_lanes];
        counts.iter_mut().zip(more).for_each(|(count, more)| *count += more);
    }
    assert!(reasons.len() == 16 && reasons.values().all(|&count| count >= 2), "{reasons:?}");
    assert!(counts.iter().all(|&count| count >= 20), "{counts:?}");
}
