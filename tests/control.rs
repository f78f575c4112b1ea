//! Halts, shadow, reconfiguring, tickets, time, and what is reported.

mod common;
use common::{MS, SECOND, breaker, config, good_trial, half_open, last, open_at, quantile_only, reasons};
use trip99::{Call, Config, ConfigError, Reason, Recovery, State};

const THRESHOLD: u64 = 200 * MS;

// Halts.

#[test]
fn a_halt_refuses_every_call_until_resumed() {
    let mut breaker = breaker(config());
    assert!(breaker.allow_at(1));
    breaker.halt_at(2);
    assert!(!breaker.allow_at(3));
    assert_eq!((breaker.state(), breaker.snapshot().halted), (State::Closed, true));
    breaker.halt_at(4);
    breaker.resume_at(5);
    assert!(breaker.allow_at(6));
    breaker.resume_at(7);
    let events: Vec<_> = breaker.events().map(|event| (event.t_ns, event.from, event.to, event.reason)).collect();
    assert_eq!(
        events,
        [(2, State::Closed, State::Closed, Reason::Halt), (5, State::Closed, State::Closed, Reason::Resume)]
    );
}

#[test]
fn the_automatic_state_goes_on_under_a_halt_and_clears_nothing() {
    let mut breaker = half_open(Config { probes: 2, ..config() });
    assert!(breaker.allow_at(SECOND));
    breaker.halt_at(SECOND);
    // No grant while halted, but the trial that is out may come back.
    breaker.record_at(SECOND + 1, 1);
    assert!(!breaker.allow_at(SECOND + 1));
    assert_eq!(breaker.snapshot().trials_granted, 1);
    breaker.record_failure_at(SECOND + 2, 1);
    assert_eq!((breaker.state(), last(&breaker).reason), (State::Open, Reason::ProbeFailed));
    breaker.poll_at(3 * SECOND + 2);
    assert_eq!(breaker.state(), State::HalfOpen);
    assert!(!breaker.allow_at(3 * SECOND + 2));
    breaker.resume_at(3 * SECOND + 2);
    good_trial(&mut breaker, 3 * SECOND + 2, 1);
    good_trial(&mut breaker, 3 * SECOND + 3, 1);
    assert_eq!(breaker.state(), State::Closed);
    breaker.halt_at(4 * SECOND);
    breaker.record_at(4 * SECOND, THRESHOLD + 1);
    assert_eq!((breaker.state(), breaker.next_deadline()), (State::Open, 8 * SECOND)); // attempt 2
    breaker.poll_at(8 * SECOND);
    assert!(breaker.snapshot().halted && !breaker.allow_at(8 * SECOND));
}

// Shadow.

#[test]
fn shadow_judges_and_reports_as_usual_but_refuses_nothing() {
    let mut breaker = breaker(Config { shadow: true, spike_count: 1, probes: 1, ..config() });
    assert!(breaker.allow_at(0));
    open_at(&mut breaker, 0);
    assert!(breaker.allow_at(1));
    let snapshot = breaker.snapshot();
    assert_eq!((snapshot.refused, snapshot.refused_in_shadow, snapshot.shadow), (0, 1, true));
    assert!(breaker.allow_at(SECOND)); // granted
    let trial = breaker.begin_at(SECOND);
    assert!(breaker.allow_at(SECOND)); // not granted, passes all the same
    let other = breaker.begin_at(SECOND);
    breaker.end_at(SECOND + 1, other);
    assert_eq!(breaker.state(), State::HalfOpen);
    breaker.end_at(SECOND + 2, trial);
    assert_eq!(reasons(breaker.events()), [Reason::Spike, Reason::Retry, Reason::Recovered]);
}

#[test]
fn a_halt_refuses_even_in_shadow() {
    let mut breaker = breaker(Config { shadow: true, ..config() });
    breaker.halt_at(1);
    assert!(!breaker.allow_at(2));
    assert_eq!((breaker.snapshot().refused, breaker.snapshot().refused_in_shadow), (1, 0));
}

// Reconfiguring.

#[test]
fn a_new_threshold_recounts_the_window_and_is_judged_by_at_the_next_sample() {
    let mut breaker = breaker(quantile_only());
    for now_ns in 0..100 {
        breaker.record_at(now_ns, now_ns);
    }
    breaker.reconfigure_at(100, &Config { threshold_ns: 89, ..quantile_only() }).unwrap();
    assert_eq!((breaker.snapshot().slow, breaker.state()), (10, State::Closed));
    breaker.record_at(101, 1);
    assert_eq!((last(&breaker).reason, last(&breaker).slow), (Reason::Latency, 10));
}

#[test]
fn a_new_threshold_moves_what_is_overdue() {
    let mut breaker = breaker(quantile_only());
    let _calls = [breaker.begin_at(0), breaker.begin_at(100 * MS)];
    breaker.poll_at(301 * MS);
    assert_eq!(breaker.snapshot().overdue, 2);
    breaker.reconfigure_at(301 * MS, &Config { threshold_ns: 250 * MS, ..quantile_only() }).unwrap();
    assert_eq!((breaker.snapshot().overdue, breaker.next_deadline()), (1, 350 * MS + 1));
    breaker.reconfigure_at(301 * MS, &Config { threshold_ns: 50 * MS, ..quantile_only() }).unwrap();
    // The second becomes overdue anew, with a verdict of its own.
    assert_eq!((breaker.snapshot().overdue, breaker.next_deadline()), (1, 150 * MS + 1));
    breaker.poll_at(301 * MS);
    assert_eq!(breaker.snapshot().overdue, 2);
}

#[test]
fn state_attempt_and_calls_survive_reconfiguring() {
    let old = Config { probes: 2, ..config() };
    let mut breaker = half_open(old.clone());
    breaker.record_failure_at(SECOND, 0); // attempt 1, until 3 s
    let new = Config { backoff_base_ns: 10 * SECOND, probes: 1, ..old };
    breaker.reconfigure_at(SECOND, &new).unwrap();
    assert_eq!((breaker.state(), breaker.next_deadline()), (State::Open, 3 * SECOND));
    breaker.poll_at(3 * SECOND);
    breaker.record_failure_at(3 * SECOND, 0);
    assert_eq!((last(&breaker).attempt, last(&breaker).retry_at_ns), (2, 43 * SECOND));
}

#[test]
fn a_half_open_epoch_keeps_the_plan_that_it_began_with() {
    let mut breaker = half_open(Config { probes: 2, ..config() });
    good_trial(&mut breaker, SECOND, 1);
    let new = Config { probes: 1, recovery: Recovery::HealthChecks, ..config() };
    breaker.reconfigure_at(SECOND + 2, &new).unwrap();
    assert_eq!(breaker.state(), State::HalfOpen);
    good_trial(&mut breaker, SECOND + 3, 1);
    assert_eq!(breaker.state(), State::Closed);
}

#[test]
fn reconfiguring_switches_shadow() {
    let mut breaker = breaker(Config { spike_count: 1, ..config() });
    open_at(&mut breaker, 0);
    assert!(!breaker.allow_at(1));
    breaker.reconfigure_at(1, &Config { shadow: true, ..config() }).unwrap();
    assert!(breaker.allow_at(1));
    breaker.reconfigure_at(1, &config()).unwrap();
    assert!(!breaker.allow_at(1));
}

#[test]
fn a_shorter_stride_applies_at_once() {
    let mut breaker = breaker(Config { sample_every: 1000, ..quantile_only() });
    breaker.record_at(0, 1);
    breaker.reconfigure_at(0, &quantile_only()).unwrap();
    breaker.record_at(0, 1);
    assert_eq!(breaker.snapshot().samples, 2);
}

#[test]
fn an_illegal_change_is_refused_and_changes_nothing() {
    let mut breaker = breaker(config());
    let fixed = |field, value, current| Err(ConfigError::Fixed { field, value, current });
    for (new, error) in [
        (Config { window_len: 1025, ..config() }, fixed("window_len", 1025, 1024)),
        (Config { max_in_flight: 1, ..config() }, fixed("max_in_flight", 1, 1024)),
        (Config { start: State::HalfOpen, ..config() }, fixed("start", 2, 0)),
        (
            Config { threshold_ns: 0, ..config() },
            Err(ConfigError::OutOfRange { field: "threshold_ns", value: 0, min: 1, max: u64::MAX }),
        ),
    ] {
        assert_eq!(breaker.reconfigure_at(1, &new), error);
        assert_eq!(breaker.config(), &config());
    }
}

// Tickets.

#[test]
fn a_ticket_ended_twice_or_forged_is_counted_and_otherwise_ignored() {
    let mut breaker = breaker(config());
    let mut other = common::breaker(config());
    let call = breaker.begin_at(1);
    breaker.end_at(2, call);
    breaker.end_at(3, call);
    breaker.fail_at(3, call);
    breaker.abandon_at(3, call);
    let forged: Call = (0..3).map(|now_ns| other.begin_at(now_ns)).last().unwrap();
    breaker.fail_at(4, forged);
    let snapshot = breaker.snapshot();
    assert_eq!((snapshot.misused, snapshot.recorded, snapshot.failed), (4, 1, 0));
}

#[test]
fn beyond_max_in_flight_the_oldest_stay_tracked_and_newer_ones_are_counted() {
    let mut breaker = breaker(Config { max_in_flight: 2, ..config() });
    let calls = [breaker.begin_at(0), breaker.begin_at(1), breaker.begin_at(2)];
    assert_eq!((breaker.snapshot().in_flight, breaker.snapshot().untracked), (2, 1));
    breaker.end_at(3, calls[0]);
    breaker.end_at(4, calls[2]);
    breaker.end_at(5, calls[2]);
    let snapshot = breaker.snapshot();
    assert_eq!((snapshot.recorded, snapshot.misused, snapshot.in_flight), (2, 1, 1));
    assert_eq!(breaker.next_deadline(), 1 + THRESHOLD + 1);
}

#[test]
fn a_ticket_that_comes_back_twice_is_no_sample_while_all_is_good_either() {
    let mut breaker = breaker(Config { window_len: 4, min_samples: 1, ..config() });
    (0..9).for_each(|now_ns| breaker.record_at(now_ns, 1));
    let call = breaker.begin_at(9);
    breaker.end_at(10, call);
    breaker.end_at(11, call);
    breaker.fail_at(12, call);
    let snapshot = breaker.snapshot();
    assert_eq!((snapshot.recorded, snapshot.misused, snapshot.failed), (10, 2, 0));
}

#[test]
fn calls_may_come_back_in_any_order() {
    let mut breaker = breaker(quantile_only());
    let calls = [10, 20, 30].map(|now_ns| breaker.begin_at(now_ns));
    breaker.end_at(40, calls[1]);
    assert_eq!(breaker.next_deadline(), 10 + THRESHOLD + 1);
    breaker.end_at(50, calls[0]);
    assert_eq!(breaker.next_deadline(), 30 + THRESHOLD + 1);
    breaker.end_at(60, calls[2]);
    assert_eq!(breaker.next_deadline(), u64::MAX);
    let mut latency_ns = |quantile_ppm| breaker.quantile_at(60, quantile_ppm);
    assert_eq!([latency_ns(1), latency_ns(500_000), latency_ns(999_999)], [Some(20), Some(30), Some(40)]);
}

// Time.

#[test]
fn a_time_before_the_latest_seen_counts_as_the_latest_seen() {
    let mut breaker = breaker(Config { window_age_ns: 100, ..quantile_only() });
    breaker.record_at(1000, 1);
    breaker.record_at(500, 1); // enters at 1000
    breaker.poll_at(1099);
    assert_eq!(breaker.snapshot().samples, 2);
    breaker.poll_at(1);
    assert_eq!((breaker.snapshot().samples, breaker.snapshot().now_ns), (2, 1099));
    breaker.poll_at(1100);
    assert_eq!(breaker.snapshot().samples, 0);
}

#[test]
fn deadlines_of_a_call_begun_in_the_past_run_from_the_latest_seen() {
    let mut breaker = breaker(quantile_only());
    breaker.poll_at(1000);
    let call = breaker.begin_at(400);
    assert_eq!((call.start_ns(), breaker.next_deadline()), (400, 1000 + THRESHOLD + 1));
    breaker.end_at(900, call); // by its own stamps
    assert_eq!(breaker.quantile_at(1000, 500_000), Some(500));
}

#[test]
fn a_call_that_ends_before_it_began_took_no_time() {
    let mut breaker = breaker(quantile_only());
    let call = breaker.begin_at(1000);
    breaker.end_at(400, call);
    assert_eq!(breaker.quantile_at(1000, 500_000), Some(0));
}

#[test]
fn staleness_goes_by_the_samples_own_stamps_not_by_clamped_ones() {
    let mut breaker = half_open(config());
    // Both end "now" if clamped; by its own stamps the first began before the epoch.
    breaker.record_failure_at(SECOND - 1, 0);
    assert_eq!((breaker.state(), breaker.snapshot().stale), (State::HalfOpen, 1));
    let call = breaker.begin_at(SECOND - 1);
    breaker.fail_at(SECOND + 5, call);
    assert_eq!((breaker.state(), breaker.snapshot().stale, breaker.snapshot().in_flight), (State::HalfOpen, 2, 0));
}

#[test]
fn a_trial_whose_result_is_stale_is_lost_and_counts_against_the_node() {
    let mut breaker = half_open(Config { probes: 1, ..config() });
    assert!(breaker.allow_at(SECOND));
    let call = breaker.begin_at(SECOND - 1);
    breaker.end_at(SECOND + 1, call);
    assert_eq!((breaker.snapshot().trials_out, breaker.snapshot().in_flight), (1, 0));
    assert!(!breaker.allow_at(SECOND + 1));
    breaker.poll_at(3 * SECOND);
    assert_eq!(last(&breaker).reason, Reason::ProbeLost);
}

#[test]
fn time_may_stand_still() {
    let mut breaker = breaker(Config { window_len: 2, min_samples: 2, ..quantile_only() });
    for _ in 0..10 {
        let call = breaker.begin_at(7);
        breaker.end_at(7, call);
        breaker.poll_at(7);
    }
    assert_eq!((breaker.state(), breaker.snapshot().samples), (State::Closed, 2));
}

#[test]
fn the_end_of_time_and_endless_latencies_are_defined() {
    let config = Config { min_samples: 1, window_len: 2, probes: 1, ..quantile_only() };
    let mut breaker = breaker(config);
    let call = breaker.begin_at(u64::MAX - 10); // its deadlines saturate: never
    assert_eq!(breaker.next_deadline(), u64::MAX);
    breaker.poll_at(u64::MAX);
    assert_eq!(breaker.state(), State::Closed);
    breaker.end_at(u64::MAX, call);
    breaker.record_at(u64::MAX, u64::MAX);
    let event = last(&breaker);
    assert_eq!((event.reason, event.quantile_ns, event.retry_at_ns), (Reason::Latency, u64::MAX, u64::MAX));
    breaker.poll_at(u64::MAX);
    assert_eq!((breaker.state(), breaker.next_deadline()), (State::Open, u64::MAX));
    assert!(!breaker.allow_at(u64::MAX));
}

#[test]
fn an_endless_threshold_never_trips() {
    let endless = Config { threshold_ns: u64::MAX, window_len: 1, min_samples: 1, ..quantile_only() };
    let mut breaker = breaker(endless);
    let _never_returns = breaker.begin_at(0);
    breaker.record_at(1, u64::MAX);
    breaker.poll_at(u64::MAX);
    assert_eq!((breaker.state(), breaker.next_deadline()), (State::Closed, u64::MAX));
}

/// The breaker looks at its timers only when one may be due; here they are due sooner than anything else it wakes for.
#[test]
fn deadlines_of_a_few_nanoseconds_fire_in_time() {
    let quick = Config {
        threshold_ns: 5,
        stall_limit_ns: 20,
        spike_count: 1,
        probe_timeout_ns: 7,
        backoff_base_ns: 3,
        backoff_max_ns: 3,
        ..config()
    };
    let trip = |config: Config, at_ns| {
        let mut breaker = breaker(config);
        breaker.poll_at(0);
        let _never_returns = breaker.begin_at(0);
        breaker.poll_at(at_ns - 1);
        assert_eq!(breaker.state(), State::Closed);
        breaker.poll_at(at_ns);
        (last(&breaker).reason, last(&breaker).t_ns)
    };
    assert_eq!(trip(Config { min_samples: 1, ..quick.clone() }, 6), (Reason::Latency, 6));
    assert_eq!(trip(quick.clone(), 20), (Reason::Stall, 20));

    let mut breaker = breaker(quick);
    breaker.poll_at(0);
    breaker.record_at(1, 6);
    breaker.poll_at(4);
    assert!(breaker.allow_at(5));
    breaker.poll_at(12);
    assert!(!breaker.allow_at(14) && breaker.allow_at(15));
    let _trial = breaker.begin_at(15);
    breaker.poll_at(20);
    let events: Vec<_> = breaker.events().map(|event| (event.t_ns, event.reason)).collect();
    let expected = [
        (1, Reason::Spike),
        (4, Reason::Retry),
        (12, Reason::ProbeLost),
        (15, Reason::Retry),
        (20, Reason::ProbeSlow), // 80 % of 5, and 1
    ];
    assert_eq!(events, expected);
}

#[test]
fn release_and_abandon_fire_no_timers() {
    let mut breaker = half_open(config());
    assert!(breaker.allow_at(SECOND));
    breaker.release_at(3 * SECOND); // the lease is up, but nobody has looked
    breaker.poll_at(3 * SECOND);
    assert_eq!(breaker.state(), State::HalfOpen);
    let mut breaker = common::breaker(config());
    let call = breaker.begin_at(0);
    breaker.abandon_at(5 * SECOND, call);
    breaker.poll_at(5 * SECOND);
    assert_eq!(breaker.state(), State::Closed);
}

#[test]
fn operations_that_fire_no_timers_read_no_clock() {
    let mut breaker = breaker(config());
    let call = breaker.begin_at(5 * MS);
    breaker.record_at(7 * MS, MS);
    breaker.abandon(call);
    breaker.release();
    assert_eq!(breaker.quantile(990_000), Some(MS));
    breaker.reconfigure(&Config { probes: 3, ..config() }).unwrap();
    assert_eq!(breaker.snapshot().now_ns, 7 * MS);
    breaker.abandon_at(8 * MS, call);
    breaker.release_at(9 * MS);
    assert_eq!(breaker.snapshot().now_ns, 9 * MS);
}

#[test]
fn a_closed_allow_fires_no_timers() {
    let mut breaker = breaker(config());
    let _never_returns = breaker.begin_at(0);
    assert!(breaker.allow_at(10 * SECOND));
    assert_eq!((breaker.state(), breaker.snapshot().now_ns), (State::Closed, 0));
}

// Reports.

#[test]
fn an_event_tells_how_long_the_owner_was_away() {
    let mut breaker = breaker(config());
    let _never_returns = breaker.begin_at(SECOND);
    breaker.poll_at(SECOND + 400 * MS);
    breaker.poll_at(SECOND + 1400 * MS);
    assert_eq!((last(&breaker).reason, last(&breaker).owner_gap_ns), (Reason::Stall, SECOND));
    let mut breaker = common::breaker(Config { spike_count: 1, ..config() });
    open_at(&mut breaker, 5 * SECOND);
    assert_eq!(last(&breaker).owner_gap_ns, 0, "nobody was away before the first operation");
}

#[test]
fn operations_that_fire_no_timers_are_signs_of_life_too() {
    let mut breaker = breaker(config());
    breaker.halt_at(SECOND);
    breaker.resume_at(3 * SECOND);
    breaker.release_at(4 * SECOND);
    breaker.halt_at(7 * SECOND);
    let gaps: Vec<u64> = breaker.events().map(|event| event.owner_gap_ns / SECOND).collect();
    assert_eq!(gaps, [0, 2, 3]);
}

#[test]
fn observers_see_state_deadline_snapshot_and_events() {
    let mut breaker = breaker(Config { spike_count: 1, ..config() });
    let observer = breaker.observer();
    assert_eq!((observer.state(), observer.snapshot()), (Some(State::Closed), None));
    open_at(&mut breaker, 7);
    assert_eq!((observer.state(), observer.retry_at_ns()), (Some(State::Open), 7 + SECOND));
    assert_eq!(observer.snapshot(), Some(breaker.snapshot()));
    breaker.halt_at(8);
    assert!(observer.is_halted());
    assert_eq!(observer.snapshot(), Some(breaker.snapshot()));
    drop(breaker);
    assert_eq!(reasons(observer.events()), [Reason::Spike, Reason::Halt]);
}

#[test]
fn each_transition_is_published_at_once() {
    let quick = Config { spike_count: 1, probes: 1, backoff_base_ns: 5, backoff_max_ns: 5, ..config() };
    let mut breaker = breaker(quick.clone());
    let observer = breaker.observer();
    breaker.poll_at(0);
    let check = |breaker: &trip99::Breaker, state| {
        assert_eq!((breaker.state(), observer.snapshot()), (state, Some(breaker.snapshot())));
    };
    breaker.record_at(1, u64::MAX);
    check(&breaker, State::Open);
    breaker.poll_at(6);
    check(&breaker, State::HalfOpen);
    assert!(breaker.allow_at(6));
    breaker.record_at(7, 1);
    check(&breaker, State::Closed);
    breaker.reconfigure_at(8, &Config { shadow: true, ..quick }).unwrap();
    check(&breaker, State::Closed);
}

#[test]
fn a_busy_owner_publishes_every_millisecond() {
    let mut breaker = breaker(config());
    let observer = breaker.observer();
    breaker.record_at(0, 1);
    breaker.record_at(MS - 1, 1);
    assert_eq!(observer.snapshot().map(|snapshot| snapshot.now_ns), Some(0));
    breaker.poll_at(MS);
    assert_eq!(observer.snapshot(), Some(breaker.snapshot()));
}

#[test]
fn events_carry_wall_time() {
    let mut breaker = breaker(Config { spike_count: 1, ..config() });
    let since_epoch_s = || std::time::UNIX_EPOCH.elapsed().expect("the epoch is past").as_secs();
    let before_s = since_epoch_s();
    breaker.record(u64::MAX);
    let wall_s = last(&breaker).wall_ns / SECOND;
    assert!((before_s.saturating_sub(60)..=since_epoch_s() + 60).contains(&wall_s), "{wall_s}");
    let first = last(&breaker);
    breaker.halt();
    assert_eq!(last(&breaker).wall_ns - first.wall_ns, last(&breaker).t_ns - first.t_ns);
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
    assert!(breaker.quantile(1).is_some());
    breaker.halt();
    assert!(!breaker.allow());
    breaker.resume();
    breaker.record(u64::MAX);
    assert_eq!(reasons(breaker.events())[..3], [Reason::Halt, Reason::Resume, Reason::Spike]);
    let (before_ns, after_ns) = (breaker.now_ns(), breaker.now_ns());
    assert!(before_ns <= after_ns && breaker.snapshot().now_ns <= after_ns);
}

#[test]
fn armed_until_tells_when_too_few_samples_will_be_left() {
    let mut breaker = breaker(Config { min_samples: 2, window_age_ns: 100, stall_limit_ns: 0, ..config() });
    breaker.record_at(1000, 1);
    assert_eq!((breaker.snapshot().armed, breaker.armed_until()), (false, None));
    breaker.record_at(1010, 1);
    assert_eq!((breaker.snapshot().armed, breaker.armed_until()), (true, Some(1100)));
    breaker.record_at(1020, 1);
    assert_eq!(breaker.armed_until(), Some(1110));
    breaker.poll_at(1109);
    assert!(breaker.snapshot().armed);
    breaker.poll_at(1110);
    assert_eq!((breaker.snapshot().armed, breaker.armed_until()), (false, None));
}

#[test]
fn armed_until_counts_overdue_calls_as_long_as_they_count() {
    let config = Config { min_samples: 3, threshold_ns: 10, window_age_ns: 100, ..quantile_only() };
    let mut breaker = breaker(Config { quantile_ppm: 1, ..config });
    breaker.record_at(1000, 1);
    let _calls = [breaker.begin_at(1005), breaker.begin_at(1050)];
    breaker.poll_at(1070);
    // Of four stamps, 1000, 1005, 1050 and 1080, two may expire.
    breaker.record_at(1080, 1);
    assert_eq!((breaker.snapshot().overdue, breaker.armed_until()), (2, Some(1105)));
    breaker.record_at(1090, 1);
    breaker.record_at(1091, 1);
    assert_eq!(breaker.armed_until(), Some(1180));
}

// Settings.

#[test]
fn a_value_outside_its_range_names_the_field_the_value_and_the_range() {
    let count = 1 << 20;
    let ppm = 1_000_000;
    // Each field with an illegal value, and its neighbour that is legal.
    type Change = fn(&mut Config, u64);
    let cases: [(&str, Change, &[u64], &[u64]); 17] = [
        ("quantile_ppm", |c, v| c.quantile_ppm = v as u32, &[0, ppm], &[1, ppm - 1]),
        ("threshold_ns", |c, v| c.threshold_ns = v, &[0], &[1, u64::MAX]),
        ("window_len", |c, v| c.window_len = v as u32, &[0, count + 1], &[100, 101, count]),
        ("sample_every", |c, v| c.sample_every = v as u32, &[0, count + 1], &[1, count]),
        ("min_samples", |c, v| c.min_samples = v as u32, &[0, 1025], &[1, 1024]),
        ("confirm_verdicts", |c, v| c.confirm_verdicts = v as u32, &[0, count + 1], &[1, count]),
        ("failure_rate_ppm", |c, v| c.failure_rate_ppm = v as u32, &[ppm + 1], &[0, ppm]),
        ("max_in_flight", |c, v| c.max_in_flight = v as u32, &[0, count + 1], &[1, count]),
        ("recover_threshold_ns", |c, v| c.recover_threshold_ns = v, &[THRESHOLD + 1], &[0, 1, THRESHOLD]),
        ("probes", |c, v| c.probes = v as u32, &[0, 65_536], &[1, 65_535]),
        ("trials_in_flight", |c, v| c.trials_in_flight = v as u32, &[0, 11], &[1, 10]),
        ("probe_timeout_ns", |c, v| c.probe_timeout_ns = v, &[0], &[1, u64::MAX]),
        ("backoff_base_ns", |c, v| c.backoff_base_ns = v, &[0], &[1, 60 * SECOND]),
        ("backoff_multiplier", |c, v| c.backoff_multiplier = v as u32, &[0, 17], &[1, 16]),
        ("backoff_max_ns", |c, v| c.backoff_max_ns = v, &[SECOND - 1], &[SECOND, u64::MAX]),
        ("jitter_ppm", |c, v| c.jitter_ppm = v as u32, &[ppm + 1], &[0, ppm]),
        ("stable_after_ns", |c, v| c.stable_after_ns = v, &[0], &[1, u64::MAX]),
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
    assert_eq!(Config { start: State::Open, ..config() }.validate(), Err(ConfigError::StartOpen));
}

#[test]
fn handles_may_cross_threads() {
    fn send<T: Send>() {}
    fn shared<T: Send + Sync>() {}
    send::<trip99::Breaker>();
    shared::<trip99::Observer>();
    shared::<trip99::Events>();
    shared::<trip99::Config>();
    shared::<Call>();
}
