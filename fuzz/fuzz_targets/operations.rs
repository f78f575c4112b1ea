//! Any bytes are read as settings and operations, which drive the breaker and its naive model side by side. After each operation
//! everything is compared and every invariant checked. (`tests/naive_model.rs` does the same with random operations.)
#![no_main]

#[path = "../../tests/model/mod.rs"]
mod model;

use libfuzzer_sys::arbitrary::{Result, Unstructured};
use libfuzzer_sys::fuzz_target;
use model::lane_pair::LaneOp;
use model::pair::{Change, Op, Pair, Step};
use trip99::{Config, Recovery, State};

fuzz_target!(|bytes: &[u8]| {
    let mut bytes = Unstructured::new(bytes);
    // An error means that the bytes have run out.
    let Ok(config) = config(&mut bytes) else { return };
    let clock_ns = bytes.choose(&[0, 1000, 1 << 50, u64::MAX - 3000]).copied().unwrap_or(0);
    // Every second time there are a gate and two lanes, of which the second is split.
    let mut pair = match bytes.arbitrary() {
        Ok(true) => Pair::with_lanes(config, clock_ns, &[4, 9]),
        _ => Pair::new(config, clock_ns),
    };
    while let Ok(step) = step(&mut bytes) {
        pair.apply(&step);
    }
});

fn recovery(bytes: &mut Unstructured) -> Result<Recovery> {
    Ok(if bytes.ratio(1u8, 4u8)? { Recovery::HealthChecks } else { Recovery::Trials })
}

fn config(bytes: &mut Unstructured) -> Result<Config> {
    let window_len = bytes.int_in_range(1..=12)?;
    let probes = bytes.int_in_range(1..=4)?;
    let backoff_base_ns = bytes.int_in_range(1..=40)?;
    let config = Config {
        quantile_ppm: *bytes.choose(&[1, 500_000, 900_000, 990_000, 999_999])?,
        threshold_ns: 10,
        window_len,
        window_age_ns: *bytes.choose(&[0, 11, 30, 200])?,
        sample_every: bytes.int_in_range(1..=3)?,
        min_samples: bytes.int_in_range(1..=window_len)?,
        min_slow: bytes.int_in_range(0..=4)?,
        debt_limit: bytes.int_in_range(0..=4)?,
        confirm_verdicts: bytes.int_in_range(1..=3)?,
        failure_rate_ppm: *bytes.choose(&[0, 300_000, 500_000, 1_000_000])?,
        consecutive_failures: bytes.int_in_range(0..=4)?,
        spike_limit_ns: 35, // see `Model::reconfigure`
        spike_count: bytes.int_in_range(0..=4)?,
        stall_limit_ns: *bytes.choose(&[0, 11, 60, 300])?,
        max_in_flight: bytes.int_in_range(1..=5)?,
        recover_threshold_ns: bytes.int_in_range(0..=10)?,
        recovery: recovery(bytes)?,
        probes,
        trials_in_flight: bytes.int_in_range(1..=probes)?,
        probe_timeout_ns: *bytes.choose(&[11, 30, 200])?,
        backoff_base_ns,
        backoff_multiplier: bytes.int_in_range(1..=4)?,
        backoff_max_ns: backoff_base_ns * bytes.int_in_range(1..=20)?,
        jitter_ppm: 0,
        jitter_seed: 0,
        stable_after_ns: bytes.int_in_range(1..=300)?,
        start: if bytes.arbitrary()? { trip99::Start::HalfOpen } else { trip99::Start::Closed },
        shadow: bytes.ratio(1u8, 8u8)?,
        latch_after: bytes.int_in_range(0..=4)?,
        ..Config::default()
    };
    assert_eq!(config.validate(), Ok(()));
    Ok(config)
}

fn latency_ns(bytes: &mut Unstructured) -> Result<u64> {
    Ok(match bytes.int_in_range(0..=63)? {
        63 => *bytes.choose(&[(1 << 63) - 1, 1 << 63, u64::MAX])?,
        latency_ns => latency_ns,
    })
}

fn lane_op(bytes: &mut Unstructured) -> Result<LaneOp> {
    Ok(match bytes.int_in_range(0..=7)? {
        0 => LaneOp::Allow,
        1 => LaneOp::Release,
        2 => LaneOp::Begin,
        3 => {
            let (which, again) = (bytes.arbitrary::<u8>()?.into(), bytes.ratio(1u8, 16u8)?);
            LaneOp::Finish { which, again, ok: bytes.arbitrary()?, on_end: bytes.arbitrary()? }
        }
        4 => {
            let (which, again) = (bytes.arbitrary::<u8>()?.into(), bytes.ratio(1u8, 16u8)?);
            LaneOp::Abandon { which, again, on_end: bytes.arbitrary()? }
        }
        5 => LaneOp::Record { latency_ns: latency_ns(bytes)?, ok: bytes.arbitrary()?, on_end: bytes.arbitrary()? },
        6 => LaneOp::Probe { latency_ns: latency_ns(bytes)?, ok: bytes.arbitrary()? },
        _ => LaneOp::Reopen { capacity: bytes.int_in_range(4..=9)?, split: bytes.arbitrary()? },
    })
}

fn step(bytes: &mut Unstructured) -> Result<Step> {
    let op = match bytes.int_in_range(0..=20)? {
        0 => Op::Allow,
        1 => Op::Begin,
        2 => Op::Finish {
            which: bytes.arbitrary::<u8>()?.into(),
            again: bytes.ratio(1u8, 16u8)?,
            ok: bytes.arbitrary()?,
        },
        3 => Op::Abandon { which: bytes.arbitrary::<u8>()?.into(), again: bytes.ratio(1u8, 16u8)? },
        4 => Op::Release,
        5 => Op::Record { latency_ns: latency_ns(bytes)?, ok: bytes.arbitrary()? },
        6 => Op::Probe { latency_ns: latency_ns(bytes)?, ok: bytes.arbitrary()? },
        7 => Op::Poll,
        8 => Op::PollAtDeadline { before: bytes.arbitrary()? },
        9 => Op::Halt { who: bytes.int_in_range(0..=2)?, by_gate: bytes.arbitrary()? },
        10 => Op::Resume { who: bytes.int_in_range(0..=3)?, by_gate: bytes.arbitrary()? },
        11 => Op::Reconfigure(Change {
            quantile_ppm: *bytes.choose(&[1, 500_000, 900_000, 990_000, 999_999])?,
            min_slow: bytes.int_in_range(0..=4)?,
            debt_limit: bytes.int_in_range(0..=4)?,
            threshold_ns: *bytes.choose(&[10, 40])?,
            window_age_ns: *bytes.choose(&[0, 30, 200])?,
            sample_every: bytes.int_in_range(1..=3)?,
            probes: bytes.int_in_range(1..=4)?,
            recovery: recovery(bytes)?,
            shadow: bytes.arbitrary()?,
            backoff_multiplier: bytes.int_in_range(1..=4)?,
        }),
        12 => Op::Quantile { quantile_ppm: bytes.int_in_range(0..=1_000_000)? },
        13 => Op::GateAllow,
        14 => Op::GateRelease,
        15 => Op::Trip,
        _ => Op::Lane { lane: bytes.arbitrary::<u8>()?.into(), op: lane_op(bytes)? },
    };
    let later_ns = match bytes.int_in_range(0..=15)? {
        15 => bytes.int_in_range(0..=1000)?,
        later_ns => later_ns,
    };
    let back_ns = if bytes.ratio(1u8, 16u8)? { bytes.int_in_range(0..=100)? } else { 0 };
    // Around a second: what is further back is from far back.
    let ahead_ns = if bytes.ratio(1u8, 64u8)? {
        *bytes.choose(&[999_999_990, 1_000_000_000, 1_000_000_040, 5_000_000_000])?
    } else {
        0
    };
    let step = Step { later_ns, back_ns, ahead_ns, op };
    if bytes.is_empty() { Err(libfuzzer_sys::arbitrary::Error::NotEnoughData) } else { Ok(step) }
}
