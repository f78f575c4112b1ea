//! Each rule that opens a closed breaker, at its boundary: equal to the limit, one above, one below.

mod common;
use common::{MS, SECOND, breaker, config, last, quantile_only, reasons};
use trip99::{Config, Reason, State};

const THRESHOLD: u64 = 200 * MS;

#[test]
fn latency_trips_on_the_very_sample_that_takes_the_quantile_over_the_threshold() {
    let mut breaker = breaker(quantile_only());
    for now_ns in 0..1023 {
        breaker.record_at(now_ns, THRESHOLD);
    }
    // floor(1 % of 1024) = 10 slow samples are allowed in a full window.
    for now_ns in 1023..1033 {
        breaker.record_at(now_ns, THRESHOLD + 1);
        assert_eq!(breaker.state(), State::Closed);
    }
    breaker.record_at(1033, THRESHOLD + 1);
    assert_eq!(breaker.state(), State::Open);
    let event = last(&breaker);
    assert_eq!((event.from, event.to, event.reason), (State::Closed, State::Open, Reason::Latency));
    assert_eq!((event.t_ns, event.quantile_ns), (1033, THRESHOLD + 1));
    assert_eq!((event.samples, event.slow, event.overdue, event.failures), (1024, 11, 0, 0));
    assert_eq!((event.attempt, event.retry_at_ns), (0, 1033 + SECOND));
}

#[test]
fn latency_equal_to_the_threshold_is_not_slow() {
    let mut breaker = breaker(quantile_only());
    for now_ns in 0..3000 {
        breaker.record_at(now_ns, THRESHOLD);
    }
    assert_eq!((breaker.state(), breaker.snapshot().slow), (State::Closed, 0));
}

#[test]
fn latency_needs_min_samples() {
    let mut breaker = breaker(quantile_only());
    for now_ns in 0..99 {
        breaker.record_at(now_ns, THRESHOLD + 1);
        assert!(!breaker.snapshot().armed);
    }
    assert_eq!(breaker.state(), State::Closed);
    // The hundredth arms the breaker, although it is fast.
    breaker.record_at(99, 0);
    assert_eq!((breaker.state(), last(&breaker).samples), (State::Open, 100));
}

#[test]
fn latency_counts_failed_calls_with_their_latency() {
    let mut breaker = breaker(Config { window_len: 1, min_samples: 1, ..quantile_only() });
    breaker.record_failure_at(1, THRESHOLD);
    assert_eq!(breaker.state(), State::Closed);
    breaker.record_failure_at(2, THRESHOLD + 1);
    assert_eq!(last(&breaker).reason, Reason::Latency);
}

#[test]
fn latency_judges_the_configured_quantile() {
    for (quantile_ppm, allowed) in [(1, 99), (500_000, 50), (900_000, 10), (990_000, 1), (990_001, 0), (999_999, 0)] {
        let mut breaker = breaker(Config { quantile_ppm, window_len: 100, ..quantile_only() });
        (0..100).for_each(|now_ns| breaker.record_at(now_ns, 1));
        for slow in 1..=allowed {
            breaker.record_at(1000 + slow, THRESHOLD + 1);
            assert_eq!(breaker.state(), State::Closed, "{quantile_ppm} with {slow} slow");
        }
        breaker.record_at(2000, THRESHOLD + 1);
        assert_eq!(breaker.state(), State::Open, "{quantile_ppm} with {} slow", allowed + 1);
    }
}

#[test]
fn a_window_of_1_judges_each_sample_alone() {
    let mut breaker = breaker(Config { window_len: 1, min_samples: 1, ..quantile_only() });
    breaker.record_at(1, THRESHOLD);
    assert_eq!(breaker.state(), State::Closed);
    breaker.record_at(2, THRESHOLD + 1);
    let event = last(&breaker);
    assert_eq!((event.quantile_ns, event.samples, event.slow), (THRESHOLD + 1, 1, 1));
}

#[test]
fn confirm_verdicts_must_be_over_in_a_row() {
    let config =
        Config { window_len: 4, min_samples: 4, quantile_ppm: 500_000, confirm_verdicts: 3, ..quantile_only() };
    let (slow, fast) = (THRESHOLD + 1, 1);
    let mut breaker = breaker(config);
    // Over with three of four slow: rows of two verdicts, ended by one that isn't over.
    let latencies = [slow, slow, slow, fast, slow, fast, fast, slow, slow, slow, slow];
    let mut states = Vec::new();
    for (now_ns, latency_ns) in (0..).zip(latencies) {
        breaker.record_at(now_ns, latency_ns);
        states.push(breaker.state());
    }
    // Verdicts from the fourth on: 3/4 over, 3/4 over, 2/4, 1/4, 2/4, 2/4, 3/4 over, 4/4 over.
    assert_eq!(states, [State::Closed; 11]);
    breaker.record_at(11, slow);
    assert_eq!((breaker.state(), last(&breaker).reason), (State::Open, Reason::Latency));
}

#[test]
fn a_new_epoch_ends_the_row_of_verdicts() {
    let config = Config { window_len: 1, min_samples: 1, confirm_verdicts: 2, probes: 1, ..quantile_only() };
    let mut breaker = breaker(Config { spike_count: 1, spike_limit_ns: SECOND, ..config });
    breaker.record_at(0, 2 * SECOND); // the first verdict over, and a spike
    assert_eq!(last(&breaker).reason, Reason::Spike);
    breaker.poll_at(SECOND);
    common::good_trial(&mut breaker, SECOND, 1);
    assert_eq!(breaker.state(), State::Closed);
    breaker.record_at(2 * SECOND, THRESHOLD + 1);
    assert_eq!(breaker.state(), State::Closed);
    breaker.record_at(2 * SECOND + 1, THRESHOLD + 1);
    assert_eq!(last(&breaker).reason, Reason::Latency);
}

#[test]
fn failure_rate_trips_above_the_share_and_not_at_it() {
    let config = Config { failure_rate_ppm: 500_000, window_len: 100, min_samples: 100, ..quantile_only() };
    let mut breaker = breaker(config);
    for now_ns in 0..100 {
        if now_ns % 2 == 0 { breaker.record_at(now_ns, 1) } else { breaker.record_failure_at(now_ns, 1) }
    }
    assert_eq!((breaker.state(), breaker.snapshot().failed), (State::Closed, 50));
    breaker.record_failure_at(100, 1); // a good one leaves
    let event = last(&breaker);
    assert_eq!((event.reason, event.failures, event.samples), (Reason::FailureRate, 51, 100));
}

#[test]
fn failure_rate_needs_min_samples_in_the_window_itself() {
    let config = Config { failure_rate_ppm: 500_000, window_len: 100, min_samples: 3, ..quantile_only() };
    let mut breaker = breaker(config);
    let _never_returns = breaker.begin_at(0);
    breaker.record_failure_at(THRESHOLD + 1, 1);
    breaker.record_failure_at(THRESHOLD + 1, 1);
    // Two samples and one overdue call arm the quantile (P99 of three: over), but not the failure rate.
    assert_eq!(last(&breaker).reason, Reason::Latency);
    let mut breaker = common::breaker(Config { threshold_ns: SECOND, ..breaker.config().clone() });
    breaker.record_failure_at(1, 1);
    breaker.record_failure_at(2, 1);
    assert_eq!(breaker.state(), State::Closed);
    breaker.record_failure_at(3, 1);
    assert_eq!(last(&breaker).reason, Reason::FailureRate);
}

#[test]
fn consecutive_failures_trip_in_a_row_only() {
    let mut breaker = breaker(Config { consecutive_failures: 3, ..quantile_only() });
    for now_ns in [0, 10, 20] {
        breaker.record_failure_at(now_ns, 1);
        breaker.record_failure_at(now_ns + 1, 1);
        breaker.record_at(now_ns + 2, 1);
    }
    breaker.record_failure_at(30, 1);
    breaker.record_failure_at(31, 1);
    assert_eq!(breaker.state(), State::Closed);
    breaker.record_failure_at(32, 1);
    assert_eq!(last(&breaker).reason, Reason::ConsecutiveFailures);
}

#[test]
fn spike_trips_in_a_row_only_above_its_limit_and_from_the_first_sample_on() {
    let limit_ns = 50 * MS;
    let mut breaker = breaker(Config { spike_limit_ns: limit_ns, spike_count: 2, ..quantile_only() });
    for (now_ns, latency_ns) in [(0, limit_ns + 1), (1, limit_ns), (2, limit_ns + 1), (3, limit_ns)] {
        breaker.record_at(now_ns, latency_ns);
        assert_eq!(breaker.state(), State::Closed);
    }
    breaker.record_at(4, limit_ns + 1);
    breaker.record_at(5, limit_ns + 1);
    let event = last(&breaker);
    assert_eq!((event.reason, event.samples, event.slow), (Reason::Spike, 6, 0));
}

#[test]
fn spike_limit_0_is_the_threshold() {
    let mut breaker = breaker(Config { spike_count: 1, ..quantile_only() });
    breaker.record_at(0, THRESHOLD);
    assert_eq!(breaker.state(), State::Closed);
    breaker.record_at(1, THRESHOLD + 1);
    assert_eq!(last(&breaker).reason, Reason::Spike);
}

#[test]
fn counts_of_0_turn_rules_off() {
    let mut breaker = breaker(Config { window_len: 1024, min_samples: 1024, ..quantile_only() });
    let _never_returns = breaker.begin_at(0);
    for now_ns in 0..1000 {
        breaker.record_failure_at(now_ns, u64::MAX);
    }
    breaker.poll_at(50 * SECOND);
    assert_eq!(breaker.state(), State::Closed);
}

#[test]
fn stall_trips_when_the_oldest_call_has_been_in_flight_for_the_limit() {
    let mut breaker = breaker(config());
    let first = breaker.begin_at(5);
    let _second = breaker.begin_at(6);
    breaker.poll_at(5 + SECOND - 1);
    assert_eq!((breaker.state(), breaker.next_deadline()), (State::Closed, 5 + SECOND));
    breaker.end_at(5 + SECOND - 1, first);
    breaker.poll_at(6 + SECOND - 1);
    assert_eq!((breaker.state(), breaker.next_deadline()), (State::Closed, 6 + SECOND));
    breaker.poll_at(6 + SECOND);
    let event = last(&breaker);
    // The first came back slow; the second is overdue by now.
    assert_eq!((event.reason, event.t_ns), (Reason::Stall, 6 + SECOND));
    assert_eq!((event.samples, event.slow, event.overdue, event.quantile_ns), (2, 2, 1, SECOND));
}

#[test]
fn a_completion_exactly_at_the_stall_deadline_is_late() {
    let mut breaker = breaker(config());
    let call = breaker.begin_at(0);
    breaker.end_at(SECOND, call);
    assert_eq!(reasons(breaker.events()), [Reason::Stall]);
}

#[test]
fn a_call_is_overdue_one_nanosecond_after_the_threshold() {
    let mut breaker = breaker(Config { min_samples: 1, ..quantile_only() });
    let call = breaker.begin_at(10);
    assert_eq!(breaker.next_deadline(), 10 + THRESHOLD + 1);
    breaker.poll_at(10 + THRESHOLD);
    assert_eq!((breaker.state(), breaker.snapshot().overdue), (State::Closed, 0));
    breaker.poll_at(10 + THRESHOLD + 1);
    let event = last(&breaker);
    assert_eq!((event.reason, event.samples, event.slow, event.overdue), (Reason::Latency, 1, 1, 1));
    assert_eq!(event.quantile_ns, THRESHOLD + 1);
    breaker.end_at(10 + THRESHOLD + 2, call);
    assert_eq!(breaker.snapshot().samples, 1);
}

#[test]
fn calls_become_overdue_one_by_one_each_with_a_verdict_of_its_own() {
    let mut breaker = breaker(Config { min_samples: 1, confirm_verdicts: 2, ..quantile_only() });
    let _calls = [breaker.begin_at(0), breaker.begin_at(0), breaker.begin_at(0)];
    // All three are due, but the second verdict confirms the first, and sees two.
    breaker.poll_at(SECOND);
    let event = last(&breaker);
    assert_eq!((event.reason, event.overdue, event.quantile_ns), (Reason::Latency, 2, SECOND));
}

#[test]
fn an_overdue_call_counts_until_it_returns_or_is_abandoned() {
    let mut breaker = breaker(Config { min_samples: 10, ..quantile_only() });
    let (ended, abandoned) = (breaker.begin_at(0), breaker.begin_at(1));
    breaker.poll_at(SECOND);
    assert_eq!((breaker.snapshot().overdue, breaker.snapshot().samples), (2, 0));
    breaker.end_at(SECOND + 1, ended);
    assert_eq!((breaker.snapshot().overdue, breaker.snapshot().samples), (1, 1));
    breaker.abandon_at(SECOND + 2, abandoned);
    assert_eq!((breaker.snapshot().overdue, breaker.snapshot().samples), (0, 1));
}

#[test]
fn an_overdue_call_counts_until_it_expires() {
    let mut breaker = breaker(Config { min_samples: 10, window_age_ns: SECOND, ..quantile_only() });
    let _never_returns = breaker.begin_at(7);
    breaker.poll_at(7 + SECOND - 1);
    assert_eq!(breaker.snapshot().overdue, 1);
    assert_eq!(breaker.quantile_at(7 + SECOND - 1, 990_000), Some(SECOND - 1));
    breaker.poll_at(7 + SECOND);
    assert_eq!((breaker.snapshot().overdue, breaker.snapshot().in_flight), (0, 1));
    assert_eq!(breaker.quantile_at(7 + SECOND, 990_000), None);
}

#[test]
fn an_expired_overdue_call_does_not_count_in_the_verdict_of_a_sample() {
    let config = Config { min_samples: 2, threshold_ns: 10, window_age_ns: 100, ..quantile_only() };
    let mut breaker = breaker(config);
    let _never_returns = breaker.begin_at(0);
    breaker.poll_at(11);
    breaker.record_at(100, 1);
    assert_eq!((breaker.state(), breaker.snapshot().samples), (State::Closed, 1));
}

#[test]
fn a_call_that_has_expired_when_it_becomes_overdue_is_not_counted_but_its_verdict_is_made() {
    // The verdict on a window that is over by now ends in a trip only if it is made: confirm_verdicts is 2.
    let config = Config { window_age_ns: SECOND, threshold_ns: 2 * SECOND, min_samples: 1, ..quantile_only() };
    let mut breaker = breaker(Config { confirm_verdicts: 2, ..config });
    let _never_returns = breaker.begin_at(0);
    breaker.record_at(2 * SECOND, 2 * SECOND + 1);
    assert_eq!(breaker.state(), State::Closed);
    breaker.poll_at(2 * SECOND + 1);
    let event = last(&breaker);
    assert_eq!((event.reason, event.samples, event.overdue), (Reason::Latency, 1, 0));
}

#[test]
fn overdue_calls_still_stall_after_they_have_expired() {
    let mut breaker = breaker(Config { window_age_ns: SECOND, stall_limit_ns: 5 * SECOND, ..quantile_only() });
    let _never_returns = breaker.begin_at(0);
    for second in 1..5 {
        breaker.poll_at(second * SECOND);
    }
    assert_eq!((breaker.state(), breaker.next_deadline()), (State::Closed, 5 * SECOND));
    breaker.poll_at(5 * SECOND);
    assert_eq!(last(&breaker).reason, Reason::Stall);
}

#[test]
fn rules_are_tried_in_order_and_the_first_that_holds_is_the_reason() {
    let every_rule = Config {
        window_len: 1,
        min_samples: 1,
        failure_rate_ppm: 0,
        consecutive_failures: 1,
        spike_count: 1,
        spike_limit_ns: 1,
        ..config()
    };
    let trip = |config: Config, latency_ns| {
        let mut breaker = breaker(config);
        breaker.record_failure_at(1, latency_ns);
        last(&breaker).reason
    };
    assert_eq!(trip(every_rule.clone(), THRESHOLD + 1), Reason::Latency);
    assert_eq!(trip(every_rule.clone(), THRESHOLD), Reason::FailureRate);
    let no_rate = Config { failure_rate_ppm: 1_000_000, ..every_rule };
    assert_eq!(trip(no_rate.clone(), THRESHOLD), Reason::ConsecutiveFailures);
    assert_eq!(trip(Config { consecutive_failures: 0, ..no_rate }, THRESHOLD), Reason::Spike);
}

#[test]
fn sample_every_lets_the_first_of_each_so_many_into_the_window() {
    let mut breaker = breaker(Config { sample_every: 3, min_samples: 1, ..quantile_only() });
    for now_ns in 0..7 {
        breaker.record_at(now_ns, now_ns);
    }
    assert_eq!((breaker.snapshot().samples, breaker.snapshot().recorded), (3, 7));
    assert_eq!(breaker.quantile_at(7, 1), Some(0));
    assert_eq!(breaker.quantile_at(7, 500_000), Some(3));
    assert_eq!(breaker.quantile_at(7, 999_999), Some(6));
    // Slow samples that the stride passes over are not judged by the quantile ...
    breaker.record_at(8, THRESHOLD + 1);
    breaker.record_at(9, THRESHOLD + 1);
    assert_eq!(breaker.state(), State::Closed);
    breaker.record_at(10, THRESHOLD + 1);
    assert_eq!(last(&breaker).reason, Reason::Latency);
}

#[test]
fn every_sample_counts_for_runs_whatever_the_sampling() {
    let mut spiked = breaker(Config { sample_every: 100, spike_count: 3, ..quantile_only() });
    let mut failed = breaker(Config { sample_every: 100, consecutive_failures: 3, ..quantile_only() });
    for now_ns in 0..3 {
        assert_eq!((spiked.state(), failed.state()), (State::Closed, State::Closed));
        spiked.record_at(now_ns, THRESHOLD + 1);
        failed.record_failure_at(now_ns, 1);
    }
    assert_eq!((last(&spiked).reason, last(&failed).reason), (Reason::Spike, Reason::ConsecutiveFailures));
}

#[test]
fn sampled_overdue_calls_make_a_verdict_but_do_not_count_in_it() {
    let config = Config { sample_every: 2, min_samples: 1, confirm_verdicts: 2, ..quantile_only() };
    let mut breaker = breaker(config);
    let _calls = [breaker.begin_at(0), breaker.begin_at(0)];
    breaker.poll_at(THRESHOLD + 1);
    assert_eq!((breaker.state(), breaker.snapshot().overdue, breaker.snapshot().in_flight), (State::Closed, 0, 2));
    // The window is over by one sample; the verdict of a third call's lateness confirms it.
    let _third = breaker.begin_at(THRESHOLD + 2);
    breaker.record_at(THRESHOLD + 3, THRESHOLD + 1);
    assert_eq!(breaker.state(), State::Closed);
    breaker.poll_at(2 * THRESHOLD + 3);
    let event = last(&breaker);
    assert_eq!((event.reason, event.samples, event.slow, event.overdue), (Reason::Latency, 1, 1, 0));
}

#[test]
fn a_quiet_spell_empties_the_window_so_that_old_slow_samples_cannot_trip_again() {
    let mut breaker = breaker(Config { window_age_ns: 10 * SECOND, ..quantile_only() });
    for now_ns in 0..99 {
        breaker.record_at(now_ns, THRESHOLD + 1);
    }
    breaker.record_at(99 + 10 * SECOND, 1);
    assert_eq!((breaker.state(), breaker.snapshot().samples), (State::Closed, 1));
}

#[test]
fn a_fast_sample_trips_when_the_fast_ones_before_the_slow_ones_expire() {
    let half = Config { window_len: 10, min_samples: 1, quantile_ppm: 500_000, window_age_ns: 100, ..quantile_only() };
    let mut breaker = breaker(half);
    (0..6).for_each(|_| breaker.record_at(0, 0));
    (0..4).for_each(|_| breaker.record_at(50, THRESHOLD + 1));
    breaker.record_at(51, 0);
    assert_eq!((breaker.state(), breaker.snapshot().slow), (State::Closed, 4));
    // The five of 0 leave, and of those that are left more than half are slow.
    breaker.record_at(100, 0);
    assert_eq!((breaker.state(), last(&breaker).samples), (State::Open, 6));
}

#[test]
fn without_a_window_age_samples_stay() {
    let mut breaker = breaker(Config { window_age_ns: 0, ..quantile_only() });
    breaker.record_at(0, 1);
    breaker.record_at(u64::MAX - 1, 1);
    assert_eq!(breaker.snapshot().samples, 2);
}
