//! Each plain form does what its `_at` form does now.

mod common;
use common::{breaker, config, reasons};
use trip99::{Breaker, Call, Config, Reason, Recovery, Snapshot, State};

/// No timer is due by itself, however slow the machine is: `u64::MAX` means never.
fn patient() -> Config {
    Config {
        threshold_ns: i64::MAX as u64,
        stall_limit_ns: 0,
        window_age_ns: 0,
        probe_timeout_ns: u64::MAX,
        consecutive_failures: 1,
        backoff_base_ns: u64::MAX,
        backoff_max_ns: u64::MAX,
        probes: 2,
        ..config()
    }
}

/// A breaker in some situation, and a call that is out, if there is one.
type Prepare = fn() -> (Breaker, Option<Call>);

const SITUATIONS: [(&str, Prepare); 8] = [
    ("closed, with a call", || {
        let mut breaker = breaker(patient());
        let now_ns = breaker.now_ns();
        breaker.record_at(now_ns, 7);
        breaker.record_at(now_ns, 9);
        let call = breaker.begin_at(now_ns);
        (breaker, Some(call))
    }),
    ("open, with a call", || {
        let mut breaker = breaker(patient());
        let call = breaker.begin_at(breaker.now_ns());
        breaker.record_failure_at(breaker.now_ns(), 7);
        assert_eq!(breaker.state(), State::Open);
        (breaker, Some(call))
    }),
    ("open, with a retry due", || {
        let mut breaker = breaker(Config { backoff_base_ns: 1, backoff_max_ns: 1, ..patient() });
        breaker.record_failure_at(breaker.now_ns(), 7);
        assert_eq!(breaker.state(), State::Open);
        (breaker, None)
    }),
    ("half-open", || (started(Config { start: trip99::Start::HalfOpen, ..patient() }), None)),
    ("half-open, with a grant", || {
        let mut breaker = started(Config { start: trip99::Start::HalfOpen, ..patient() });
        assert!(breaker.allow_at(breaker.now_ns()));
        (breaker, None)
    }),
    ("half-open, with a trial out", || {
        let mut breaker = started(Config { start: trip99::Start::HalfOpen, ..patient() });
        assert!(breaker.allow_at(breaker.now_ns()));
        let call = breaker.begin_at(breaker.now_ns());
        (breaker, Some(call))
    }),
    ("half-open, by health checks", || {
        let recovery = Recovery::HealthChecks;
        (started(Config { start: trip99::Start::HalfOpen, recovery, probes: 1, ..patient() }), None)
    }),
    ("halted, and in shadow", || {
        let mut breaker = started(Config { shadow: true, ..patient() });
        breaker.halt_at(breaker.now_ns(), "");
        (breaker, None)
    }),
];

fn started(config: Config) -> Breaker {
    let mut breaker = breaker(config);
    breaker.poll_at(breaker.now_ns());
    breaker
}

/// Returns what the operation answers.
type Form = fn(&mut Breaker, Option<Call>, now_ns: u64) -> Option<u64>;

/// Name, plain form, `_at` form, and whether the plain form reads the clock.
type Row = (&'static str, Form, Form, bool);

/// Ends the call that is out, if there is one.
fn with(call: Option<Call>, end: impl FnOnce(Call)) -> Option<u64> {
    if let Some(call) = call {
        end(call);
    }
    None
}

#[rustfmt::skip] // a table
const FORMS: [Row; 15] = [
    ("allow", |b, _, _| Some(b.allow().into()), |b, _, now_ns| Some(b.allow_at(now_ns).into()), true),
    ("begin", |b, _, _| { let _ = b.begin(); None }, |b, _, now_ns| { let _ = b.begin_at(now_ns); None }, true),
    ("end", |b, call, _| with(call, |call| b.end(call)), |b, call, now_ns| with(call, |call| b.end_at(now_ns, call)), true),
    ("fail", |b, call, _| with(call, |call| b.fail(call)), |b, call, now_ns| with(call, |call| b.fail_at(now_ns, call)), true),
    ("abandon", |b, call, _| with(call, |call| b.abandon(call)), |b, call, now_ns| with(call, |call| b.abandon_at(now_ns, call)), false),
    ("record", |b, _, _| { b.record(0); None }, |b, _, now_ns| { b.record_at(now_ns, 0); None }, true),
    ("record_failure", |b, _, _| { b.record_failure(0); None }, |b, _, now_ns| { b.record_failure_at(now_ns, 0); None }, true),
    ("record_probe", |b, _, _| { b.record_probe(0, true); None }, |b, _, now_ns| { b.record_probe_at(now_ns, 0, true); None }, true),
    ("bad probe", |b, _, _| { b.record_probe(0, false); None }, |b, _, now_ns| { b.record_probe_at(now_ns, 0, false); None }, true),
    ("trip", |b, _, _| { b.trip(); None }, |b, _, now_ns| { b.trip_at(now_ns); None }, true),
    ("release", |b, _, _| { b.release(); None }, |b, _, now_ns| { b.release_at(now_ns); None }, false),
    ("poll", |b, _, _| { b.poll(); None }, |b, _, now_ns| { b.poll_at(now_ns); None }, true),
    ("halt", |b, _, _| { b.halt(""); None }, |b, _, now_ns| { b.halt_at(now_ns, ""); None }, true),
    ("resume", |b, _, _| { b.resume(""); None }, |b, _, now_ns| { b.resume_at(now_ns, ""); None }, true),
    ("quantile", |b, _, _| b.quantile_ns(500_000), |b, _, now_ns| b.quantile_ns_at(now_ns, 500_000), false),
];

/// The snapshot without what depends on the time.
fn outcome(breaker: &Breaker) -> (Snapshot, Vec<Reason>) {
    let mut snapshot = breaker.snapshot();
    (snapshot.now_ns, snapshot.epoch_ns, snapshot.retry_at_ns, snapshot.oldest_start_ns) = (0, 0, 0, 0);
    (snapshot, reasons(breaker.events()))
}

fn wait_for_the_clock(breaker: &Breaker) {
    while breaker.now_ns() <= breaker.snapshot().now_ns + 1 {
        std::hint::spin_loop();
    }
}

#[test]
fn each_plain_form_does_what_its_at_form_does_now() {
    for (situation, prepare) in SITUATIONS {
        for (name, plain, at, reads_clock) in FORMS {
            let what = format!("{name}, {situation}");
            let (mut by_plain, call) = prepare();
            wait_for_the_clock(&by_plain);
            let seen_ns = by_plain.snapshot().now_ns;
            let before_ns = by_plain.now_ns();
            let plain_says = plain(&mut by_plain, call, 0);
            let after_ns = by_plain.now_ns();
            let plain_seen_ns = by_plain.snapshot().now_ns;

            let (mut by_at, call) = prepare();
            wait_for_the_clock(&by_at);
            let at_seen_before_ns = by_at.snapshot().now_ns;
            let now_ns = by_at.now_ns();
            let at_says = at(&mut by_at, call, now_ns);
            let at_seen_ns = by_at.snapshot().now_ns;

            assert_eq!(plain_says, at_says, "{what}");
            if what == "quantile, closed, with a call" {
                assert_eq!(plain_says, Some(7), "the median of 7 and 9");
            }
            assert_eq!(outcome(&by_plain), outcome(&by_at), "{what}");
            // A closed `allow` takes no note of the time, nor does a call without its ticket.
            if reads_clock && at_seen_ns != at_seen_before_ns {
                assert_eq!(at_seen_ns, now_ns, "{what}");
                assert!((before_ns..=after_ns).contains(&plain_seen_ns), "{what}: {plain_seen_ns}");
            } else {
                assert_eq!(plain_seen_ns, seen_ns, "{what}");
            }
        }
    }
}

/// The table would prove little if its forms did nothing.
#[test]
fn each_form_matters_in_some_situation() {
    for (name, plain, ..) in FORMS {
        let matters = SITUATIONS.iter().any(|(_, prepare)| {
            let (mut breaker, call) = prepare();
            let before = outcome(&breaker);
            let says = plain(&mut breaker, call, 0);
            outcome(&breaker) != before || (name == "quantile" && says == Some(7))
        });
        assert!(matters, "{name}");
    }
}

#[test]
fn the_plain_allow_refuses_grants_and_takes_back() {
    let mut closed = started(patient());
    assert!(closed.allow() && closed.allow());
    closed.record_failure(1);
    assert!(!closed.allow() && !closed.allow());
    assert_eq!(closed.snapshot().refused, 2);

    let mut on_trial = started(Config { start: trip99::Start::HalfOpen, ..patient() });
    assert!(on_trial.allow() && !on_trial.allow(), "one trial at a time");
    on_trial.release();
    let snapshot = on_trial.snapshot();
    assert_eq!((snapshot.trials_granted, snapshot.trials_out), (0, 0));
    on_trial.release();
    assert!(on_trial.allow() && !on_trial.allow(), "a grant that was given back can be had again, once");
    on_trial.record(0);
    assert!(on_trial.allow());
    on_trial.record(0);
    assert_eq!(on_trial.state(), State::Closed);
    assert!(on_trial.allow() && on_trial.allow());
}

#[test]
fn the_plain_reconfigure_changes_what_its_at_form_changes() {
    let prepare = || {
        let mut breaker = started(patient());
        breaker.record_at(breaker.now_ns(), 100);
        breaker
    };
    let settings = |breaker: &Breaker| Config { threshold_ns: 50, shadow: true, ..breaker.config().clone() };
    let (mut by_plain, mut by_at) = (prepare(), prepare());
    let seen_ns = by_plain.snapshot().now_ns;
    by_plain.reconfigure(&settings(&by_plain)).expect("legal");
    by_at.reconfigure_at(by_at.now_ns(), &settings(&by_at)).expect("legal");
    assert_eq!(outcome(&by_plain), outcome(&by_at));
    assert_eq!((by_plain.snapshot().slow, by_plain.snapshot().now_ns), (1, seen_ns));
}
