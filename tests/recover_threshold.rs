//! 80 % of a threshold, where 5 divides it and where it doesn't: the default of `recover_threshold_ns`.

mod common;
use common::{MS, SECOND, breaker, config, half_open, last};
use trip99::{Breaker, Config, Reason, State};

/// Small thresholds, 200 ms and its neighbours, and the greatest.
fn thresholds() -> impl Iterator<Item = u64> {
    let most = [i64::MAX as u64, u64::MAX - 10];
    (1..=50).chain(200 * MS - 7..=200 * MS + 7).chain(most.into_iter().flat_map(|most| most - 10..=most))
}

#[test]
fn it_is_rounded_down() {
    for threshold_ns in thresholds().chain(u64::MAX - 10..=u64::MAX) {
        let config = Config { threshold_ns, recover_threshold_ns: 0, ..config() };
        let limit_ns = u64::try_from(u128::from(threshold_ns) * 4 / 5).expect("less than the threshold");
        assert_eq!(config.effective_recover_threshold_ns(), limit_ns, "80 % of {threshold_ns}");
    }
    let given = Config { recover_threshold_ns: 7, ..config() };
    assert_eq!(given.effective_recover_threshold_ns(), 7);
}

/// A breaker that is half-open from 1 s on.
fn on_trial(threshold_ns: u64) -> Breaker {
    half_open(Config {
        threshold_ns,
        probes: 1,
        stall_limit_ns: 0,
        window_age_ns: 0,
        probe_timeout_ns: u64::MAX,
        ..config()
    })
}

fn try_with(breaker: &mut Breaker, latency_ns: u64) -> (State, Reason) {
    assert!(breaker.allow_at(SECOND));
    let call = breaker.begin_at(SECOND);
    breaker.end_at(SECOND + latency_ns, call);
    (breaker.state(), last(breaker).reason)
}

#[test]
fn a_trial_at_it_is_good_and_one_above_it_reopens() {
    let mut tried = 0;
    for threshold_ns in thresholds().filter(|&threshold_ns| threshold_ns < i64::MAX as u64) {
        let limit_ns = threshold_ns / 5 * 4 + [0, 0, 1, 2, 3][(threshold_ns % 5) as usize];
        let mut at = on_trial(threshold_ns);
        assert_eq!(try_with(&mut at, limit_ns), (State::Closed, Reason::Recovered), "{limit_ns} of {threshold_ns}");
        let mut above = on_trial(threshold_ns);
        let result = try_with(&mut above, limit_ns + 1);
        assert_eq!(result, (State::Open, Reason::ProbeSlow), "{limit_ns} + 1 of {threshold_ns}");
        tried += 1;
    }
    assert!(tried > 70, "{tried}");
}

/// A caller without tickets reports a trial by its latency alone, which no timer sees.
#[test]
fn so_is_a_trial_without_a_ticket() {
    for threshold_ns in [5, 6, 7, 8, 9, 200 * MS + 1, 200 * MS + 3] {
        let limit_ns = threshold_ns / 5 * 4 + [0, 0, 1, 2, 3][(threshold_ns % 5) as usize];
        for (latency_ns, expected) in [(limit_ns, State::Closed), (limit_ns + 1, State::Open)] {
            let mut breaker = on_trial(threshold_ns);
            assert!(breaker.allow_at(SECOND));
            breaker.record_at(2 * SECOND, latency_ns);
            assert_eq!(breaker.state(), expected, "{latency_ns} of {threshold_ns}");
        }
    }
}

/// A new threshold brings its own 80 %.
#[test]
fn a_new_threshold_moves_it() {
    let mut breaker = on_trial(200 * MS);
    let config = Config { threshold_ns: 8, ..breaker.config().clone() };
    breaker.reconfigure_at(SECOND, &config).expect("legal");
    assert_eq!(try_with(&mut breaker, 7), (State::Open, Reason::ProbeSlow));
    let mut breaker = self::breaker(Config { start: trip99::Start::HalfOpen, probes: 1, ..breaker.config().clone() });
    assert_eq!(try_with(&mut breaker, 6), (State::Closed, Reason::Recovered));
}
