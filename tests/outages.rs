//! Whole outages in virtual time, over a sweep of settings: trading pauses soon, stays paused while the node is bad,
//! probes it gently, and resumes once it is good again.

mod common;
use common::{MS, SECOND, config};
use trip99::{Breaker, Call, Config, Event, Reason, Recovery, State};

/// What the node does from the first time on until the second.
#[derive(Clone, Copy, Debug)]
enum Trouble {
    Slow { latency_ns: u64 },
    Failing,
    Silent,
}

const TROUBLE_FROM: u64 = 10 * SECOND;
const TROUBLE_UNTIL: u64 = 25 * SECOND;
const END: u64 = 200 * SECOND;
/// One order each 5 ms, as long as they are allowed.
const TICK: u64 = 5 * MS;
const NORMAL: u64 = 3 * MS;

struct Outcome {
    events: Vec<Event>,
    sent_while_bad: u64,
    state: State,
}

/// An engine with a fixed tick. Calls that are still out come back in the order of their ends.
fn engine(config: Config, trouble: Trouble) -> Outcome {
    let health_checks = config.recovery == Recovery::HealthChecks;
    let mut breaker = Breaker::new(config).expect("a legal config");
    let mut events = breaker.events();
    let mut seen = Vec::new();
    let mut out: Vec<(u64, Call, bool)> = Vec::new();
    let mut sent_while_bad = 0;
    for now_ns in (0..END).step_by(TICK as usize) {
        let bad = (TROUBLE_FROM..TROUBLE_UNTIL).contains(&now_ns);
        let (latency_ns, ok) = match trouble {
            _ if !bad => (Some(NORMAL), true),
            Trouble::Slow { latency_ns } => (Some(latency_ns), true),
            Trouble::Failing => (Some(NORMAL), false),
            Trouble::Silent => (None, true),
        };
        out.sort_by_key(|&(end_ns, ..)| end_ns);
        while out.first().is_some_and(|&(end_ns, ..)| end_ns <= now_ns) {
            let (end_ns, call, ok) = out.remove(0);
            if ok { breaker.end_at(end_ns, call) } else { breaker.fail_at(end_ns, call) }
        }
        breaker.poll_at(now_ns);
        if health_checks && now_ns % (100 * MS) == 0 {
            // The answer to a check that was made so long ago. A silent node gives none.
            if let Some(latency_ns) = latency_ns {
                breaker.record_probe_at(now_ns, latency_ns, ok);
            }
        }
        if breaker.allow_at(now_ns) {
            sent_while_bad += u64::from(bad);
            let call = breaker.begin_at(now_ns);
            if let Some(latency_ns) = latency_ns {
                out.push((now_ns + latency_ns, call, ok));
            }
        }
        seen.extend(events.by_ref());
        // This is long enough to see that the breaker stays closed.
        if seen.last().is_some_and(|last| last.to == State::Closed && now_ns > last.t_ns + 3 * SECOND) {
            break;
        }
    }
    assert_eq!(events.missed(), 0);
    Outcome { events: seen, sent_while_bad, state: breaker.state() }
}

fn check(config: Config, trouble: Trouble, noticed_within_ns: u64) {
    let what = format!("{trouble:?} under {config:?}");
    let pause_ns = |attempt| {
        let pause_ns = config.backoff_base_ns * u64::from(config.backoff_multiplier).pow(attempt);
        pause_ns.min(config.backoff_max_ns)
    };
    let outcome = engine(config.clone(), trouble);
    let [trip, .., recovered] = &outcome.events[..] else { panic!("no trip and recovery: {what}") };

    assert_eq!((trip.from, trip.to), (State::Closed, State::Open), "{what}");
    assert!((TROUBLE_FROM..=TROUBLE_FROM + noticed_within_ns).contains(&trip.t_ns), "at {} ns: {what}", trip.t_ns);

    for event in outcome.events.iter().filter(|event| event.to == State::Open) {
        assert_eq!(event.retry_at_ns - event.t_ns, pause_ns(event.attempt), "{what}");
    }
    // While the node is bad no more calls get out than those of one trip, and trials_in_flight for each half-open spell.
    let spells = outcome.events.iter().filter(|event| event.reason == Reason::Retry).count() as u64;
    let before_trip = noticed_within_ns / TICK + 1;
    assert!(outcome.sent_while_bad <= before_trip + spells * u64::from(config.trials_in_flight), "{what}");

    // The breaker never closes while the node is bad. Afterwards it closes for good within a pause, the probes and a tick for
    // each of them.
    assert_eq!((recovered.reason, outcome.state), (Reason::Recovered, State::Closed), "{what}");
    assert_eq!(outcome.events.iter().filter(|event| event.reason == Reason::Recovered).count(), 1, "{what}");
    let last_pause_ns = pause_ns(recovered.attempt);
    let probing_ns = u64::from(config.probes) * 100 * MS + SECOND;
    assert!(recovered.t_ns >= TROUBLE_UNTIL, "{what}");
    assert!(recovered.t_ns <= TROUBLE_UNTIL + last_pause_ns + probing_ns, "at {} ns: {what}", recovered.t_ns);
}

fn sweep(mut check_one: impl FnMut(Config)) {
    for backoff_base_ns in [100 * MS, SECOND, 5 * SECOND] {
        for backoff_multiplier in [1, 2, 3] {
            for backoff_max_ns in [5 * SECOND, 60 * SECOND] {
                for (probes, trials_in_flight) in [(1, 1), (10, 1), (10, 4), (100, 100)] {
                    let backoff = Config { backoff_base_ns, backoff_multiplier, backoff_max_ns, ..config() };
                    check_one(Config { probes, trials_in_flight, ..backoff });
                }
            }
        }
    }
}

#[test]
fn a_latency_spike_pauses_trading_and_trading_resumes() {
    // Calls of 500 ms are overdue after 200 ms. By then the 1024 latest, 2 000 of them since the start, hold 10 allowed.
    sweep(|config| check(config, Trouble::Slow { latency_ns: 500 * MS }, 200 * MS + 12 * TICK));
}

#[test]
fn a_barely_slow_node_pauses_trading_and_trading_resumes() {
    sweep(|config| check(config, Trouble::Slow { latency_ns: 200 * MS + 1 }, 200 * MS + 12 * TICK));
}

#[test]
fn failures_pause_trading_and_trading_resumes() {
    sweep(|config| check(config, Trouble::Failing, NORMAL + 6 * TICK));
}

#[test]
fn answers_that_never_come_pause_trading_and_trading_resumes() {
    sweep(|config| check(config, Trouble::Silent, 200 * MS + 12 * TICK));
}

#[test]
fn health_checks_recover_too() {
    for trouble in [Trouble::Failing, Trouble::Slow { latency_ns: 500 * MS }, Trouble::Silent] {
        sweep(|config| {
            let config = Config { recovery: Recovery::HealthChecks, trials_in_flight: 1, ..config };
            check(config, trouble, 200 * MS + 12 * TICK);
        });
    }
}
