//! Open and half-open: epochs, trials, health checks, leases, attempts.

mod common;
use common::{MS, SECOND, breaker, config, good_trial, half_open, last, open_at, reasons};
use trip99::{Breaker, Config, Reason, Recovery, State};

/// 80 % of the threshold.
const RECOVER: u64 = 160 * MS;

fn health_checks() -> Config {
    Config { recovery: Recovery::HealthChecks, probes: 2, ..config() }
}

#[test]
fn open_refuses_until_retry_at_and_judges_nothing() {
    let mut breaker = breaker(Config { spike_count: 1, ..config() });
    open_at(&mut breaker, 10);
    assert_eq!(breaker.next_deadline(), 10 + SECOND);
    for now_ns in 11..40 {
        breaker.record_failure_at(now_ns, 5);
    }
    assert!(!breaker.allow_at(10 + SECOND - 1));
    assert_eq!((breaker.state(), breaker.snapshot().samples), (State::Open, 30));
    assert!(breaker.allow_at(10 + SECOND));
    assert_eq!(breaker.state(), State::HalfOpen);
    assert_eq!(reasons(breaker.events()), [Reason::Spike, Reason::Retry]);
    assert_eq!(breaker.snapshot().refused, 1);
}

#[test]
fn poll_alone_moves_open_to_half_open() {
    let mut breaker = breaker(Config { spike_count: 1, ..config() });
    open_at(&mut breaker, 0);
    breaker.poll_at(SECOND - 1);
    assert_eq!(breaker.state(), State::Open);
    breaker.poll_at(SECOND);
    assert_eq!(breaker.state(), State::HalfOpen);
}

#[test]
fn a_late_poll_begins_the_epoch_when_it_comes() {
    let mut breaker = breaker(Config { spike_count: 1, ..config() });
    open_at(&mut breaker, 0);
    breaker.poll_at(5 * SECOND);
    assert_eq!((last(&breaker).t_ns, breaker.snapshot().epoch_ns), (5 * SECOND, 5 * SECOND));
    assert_eq!(last(&breaker).owner_gap_ns, 5 * SECOND);
}

#[test]
fn a_new_epoch_clears_window_runs_stride_and_calls_in_flight() {
    let config = Config { consecutive_failures: 3, sample_every: 2, min_samples: 1, probes: 1, ..config() };
    let mut breaker = breaker(Config { spike_count: 1, ..config });
    let _never_returns = breaker.begin_at(0);
    breaker.record_failure_at(1, 1);
    breaker.record_failure_at(2, 1);
    open_at(&mut breaker, 3);
    let before = breaker.snapshot();
    assert_eq!((before.samples, before.in_flight), (2, 1));
    breaker.poll_at(2 * SECOND);
    let retry = last(&breaker);
    assert_eq!((retry.reason, retry.samples, retry.slow, retry.overdue), (Reason::Retry, 2, 1, 0));
    let after = breaker.snapshot();
    assert_eq!((after.samples, after.in_flight, after.failed), (0, 0, 0));
    good_trial(&mut breaker, 2 * SECOND, 1);
    // Two failures were in the run; the stride begins anew, so the first sample enters.
    breaker.record_failure_at(3 * SECOND, 1);
    assert_eq!((breaker.state(), breaker.snapshot().samples), (State::Closed, 2));
}

#[test]
fn samples_from_before_the_epoch_are_stale_and_neither_close_nor_reopen() {
    let mut breaker = breaker(Config { spike_count: 1, probes: 1, ..config() });
    let (ended, failed) = (breaker.begin_at(0), breaker.begin_at(0));
    open_at(&mut breaker, 0);
    breaker.poll_at(SECOND);
    assert!(breaker.allow_at(SECOND));
    breaker.end_at(SECOND + 1, ended);
    breaker.fail_at(SECOND + 1, failed);
    breaker.record_at(SECOND + 1, 2);
    breaker.record_failure_at(SECOND + 1, SECOND);
    assert_eq!((breaker.state(), breaker.snapshot().stale, breaker.snapshot().samples), (State::HalfOpen, 4, 0));
    // The grant is still there: a record that starts with the epoch takes it.
    breaker.record_at(SECOND + 1, 1);
    assert_eq!(last(&breaker).reason, Reason::Recovered);
    // Stale in any state.
    breaker.record_at(SECOND + 2, 3);
    assert_eq!((breaker.snapshot().stale, breaker.snapshot().samples), (5, 1));
}

#[test]
fn before_the_first_epoch_nothing_is_stale() {
    let mut breaker = breaker(Config { start: State::HalfOpen, probes: 1, ..config() });
    assert!(breaker.allow_at(100));
    breaker.record_at(100, 100 * MS);
    assert_eq!((breaker.state(), breaker.snapshot().stale), (State::Closed, 0));
}

#[test]
fn trials_close_when_all_probes_are_good_and_keep_the_window_they_filled() {
    let mut breaker = half_open(Config { probes: 3, ..config() });
    for trial in 0..3 {
        assert_eq!((breaker.state(), breaker.snapshot().trials_good), (State::HalfOpen, trial));
        good_trial(&mut breaker, SECOND + u64::from(trial), 1);
    }
    let event = last(&breaker);
    assert_eq!((event.from, event.to, event.reason), (State::HalfOpen, State::Closed, Reason::Recovered));
    assert_eq!((event.samples, event.retry_at_ns, event.attempt), (3, u64::MAX, 0));
    assert_eq!(breaker.snapshot().samples, 3);
    assert!(breaker.allow_at(2 * SECOND));
}

#[test]
fn the_closing_sample_is_not_judged_again() {
    // Good by the recover threshold, yet over the spike limit and enough to arm: only the next sample trips.
    let config = Config { probes: 1, spike_limit_ns: MS, spike_count: 1, ..config() };
    let mut breaker = half_open(config);
    good_trial(&mut breaker, SECOND, 2 * MS);
    assert_eq!(breaker.state(), State::Closed);
    breaker.record_at(2 * SECOND, 2 * MS);
    assert_eq!(last(&breaker).reason, Reason::Spike);
}

#[test]
fn trials_are_bounded_by_trials_in_flight_and_by_probes() {
    let mut breaker = half_open(Config { probes: 3, trials_in_flight: 2, ..config() });
    let allowed = |breaker: &mut Breaker| (0..4).filter(|_| breaker.allow_at(SECOND)).count();
    assert_eq!(allowed(&mut breaker), 2);
    let first = breaker.begin_at(SECOND);
    assert_eq!(allowed(&mut breaker), 0);
    breaker.end_at(SECOND + 1, first);
    assert_eq!(breaker.snapshot().trials_out, 1);
    assert_eq!(allowed(&mut breaker), 1);
    let second = breaker.begin_at(SECOND + 1);
    breaker.end_at(SECOND + 2, second);
    // Three were granted; only their results are wanted now.
    assert_eq!(allowed(&mut breaker), 0);
    let third = breaker.begin_at(SECOND + 2);
    breaker.end_at(SECOND + 3, third);
    assert_eq!(breaker.state(), State::Closed);
    assert_eq!(breaker.snapshot().refused, 2 + 4 + 3 + 4);
}

#[test]
fn a_trial_at_the_recover_threshold_is_good_and_one_above_is_slow() {
    let trial = |latency_ns| {
        let mut breaker = half_open(Config { probes: 1, ..config() });
        assert!(breaker.allow_at(SECOND + RECOVER));
        breaker.record_at(SECOND + RECOVER + 1, latency_ns);
        last(&breaker).reason
    };
    assert_eq!(trial(RECOVER), Reason::Recovered);
    assert_eq!(trial(RECOVER + 1), Reason::ProbeSlow);
    let custom = |latency_ns| {
        let mut breaker = half_open(Config { probes: 1, recover_threshold_ns: 7, ..config() });
        assert!(breaker.allow_at(SECOND + 8));
        breaker.record_at(SECOND + 8, latency_ns);
        last(&breaker).reason
    };
    assert_eq!((custom(7), custom(8)), (Reason::Recovered, Reason::ProbeSlow));
}

#[test]
fn a_failed_result_reopens_and_is_tried_before_slow() {
    let mut breaker = half_open(config());
    assert!(breaker.allow_at(SECOND));
    let call = breaker.begin_at(SECOND);
    breaker.fail_at(SECOND + 1, call);
    let event = last(&breaker);
    assert_eq!((event.reason, event.failures, event.samples), (Reason::ProbeFailed, 1, 1));
    let mut breaker = half_open(config());
    breaker.record_failure_at(2 * SECOND, RECOVER + 1);
    assert_eq!(last(&breaker).reason, Reason::ProbeFailed);
}

#[test]
fn bad_results_reopen_whosever_they_are_and_good_ones_count_only_if_a_trials() {
    let mut breaker = half_open(Config { probes: 1, ..config() });
    let cancel = breaker.begin_at(SECOND);
    breaker.end_at(SECOND + 1, cancel);
    breaker.record_at(SECOND + 1, 1);
    assert_eq!((breaker.state(), breaker.snapshot().samples), (State::HalfOpen, 2));
    let slow_cancel = breaker.begin_at(SECOND + 1);
    breaker.end_at(SECOND + 1 + RECOVER + 1, slow_cancel);
    assert_eq!(last(&breaker).reason, Reason::ProbeSlow);
    let mut breaker = half_open(config());
    let failed_cancel = breaker.begin_at(SECOND);
    breaker.fail_at(SECOND + 1, failed_cancel);
    assert_eq!(last(&breaker).reason, Reason::ProbeFailed);
}

#[test]
fn a_trial_in_flight_for_longer_than_the_recover_threshold_reopens_at_once() {
    let mut breaker = half_open(config());
    // An older cancel has no such deadline, and does not hide the trial's.
    let _cancel = breaker.begin_at(SECOND);
    assert_eq!(breaker.next_deadline(), u64::MAX);
    assert!(breaker.allow_at(SECOND + 5));
    let _trial = breaker.begin_at(SECOND + 5);
    let late_at = SECOND + 5 + RECOVER + 1;
    assert_eq!(breaker.next_deadline(), late_at);
    breaker.poll_at(late_at - 1);
    assert_eq!(breaker.state(), State::HalfOpen);
    breaker.poll_at(late_at);
    let event = last(&breaker);
    assert_eq!((event.reason, event.samples, event.overdue), (Reason::ProbeSlow, 0, 0));
}

#[test]
fn a_trial_that_comes_back_at_its_deadline_is_late() {
    let mut breaker = half_open(Config { probes: 1, ..config() });
    assert!(breaker.allow_at(SECOND));
    let call = breaker.begin_at(SECOND);
    breaker.end_at(SECOND + RECOVER + 1, call);
    assert_eq!((last(&breaker).reason, last(&breaker).samples), (Reason::ProbeSlow, 0));
    assert_eq!(breaker.snapshot().samples, 1);
}

#[test]
fn a_late_trial_reopens_whatever_the_sampling() {
    let mut breaker = half_open(Config { sample_every: 10, ..config() });
    assert!(breaker.allow_at(SECOND));
    let _trial = breaker.begin_at(SECOND);
    breaker.poll_at(SECOND + RECOVER + 1);
    assert_eq!(last(&breaker).reason, Reason::ProbeSlow);
}

#[test]
fn in_half_open_every_sample_enters_the_window_without_moving_the_stride() {
    let mut breaker = half_open(Config { sample_every: 3, probes: 2, ..config() });
    good_trial(&mut breaker, SECOND, 1);
    good_trial(&mut breaker, SECOND + 1, 1);
    assert_eq!((breaker.state(), breaker.snapshot().samples), (State::Closed, 2));
    for (now_ns, samples) in [(1, 3), (2, 3), (3, 3), (4, 4)] {
        breaker.record_at(2 * SECOND + now_ns, 1);
        assert_eq!(breaker.snapshot().samples, samples);
    }
}

#[test]
fn release_gives_a_granted_trial_back() {
    let mut breaker = half_open(Config { probes: 1, ..config() });
    breaker.release_at(SECOND);
    for _ in 0..5 {
        assert!(breaker.allow_at(SECOND));
        assert!(!breaker.allow_at(SECOND));
        breaker.release_at(SECOND);
    }
    assert_eq!((breaker.snapshot().trials_granted, breaker.snapshot().trials_out), (0, 0));
    // What is given back has no lease.
    assert_eq!(breaker.next_deadline(), u64::MAX);
    good_trial(&mut breaker, SECOND, 1);
    assert_eq!(breaker.state(), State::Closed);
    breaker.release_at(SECOND);
    assert!(breaker.allow_at(SECOND));
}

#[test]
fn abandoning_a_trial_counts_neither_way() {
    let mut breaker = half_open(Config { probes: 1, ..config() });
    for _ in 0..5 {
        assert!(breaker.allow_at(SECOND));
        let call = breaker.begin_at(SECOND);
        assert!(!breaker.allow_at(SECOND));
        breaker.abandon_at(SECOND, call);
        assert_eq!(breaker.next_deadline(), u64::MAX);
    }
    assert_eq!((breaker.snapshot().trials_granted, breaker.snapshot().in_flight), (0, 0));
    assert_eq!(breaker.state(), State::HalfOpen);
}

#[test]
fn abandoning_another_call_frees_no_trial() {
    let mut breaker = half_open(Config { probes: 1, ..config() });
    let cancel = breaker.begin_at(SECOND);
    assert!(breaker.allow_at(SECOND));
    breaker.abandon_at(SECOND, cancel);
    assert!(!breaker.allow_at(SECOND));
}

#[test]
fn a_lost_trial_reopens_after_probe_timeout() {
    let mut breaker = half_open(Config { probes: 3, trials_in_flight: 2, ..config() });
    assert!(breaker.allow_at(SECOND)); // found none out: the lease begins
    assert!(breaker.allow_at(2 * SECOND)); // does not renew it
    assert_eq!(breaker.next_deadline(), 3 * SECOND);
    breaker.record_at(2 * SECOND, 1); // a trial's result does
    assert_eq!(breaker.next_deadline(), 4 * SECOND);
    breaker.poll_at(4 * SECOND - 1);
    assert_eq!(breaker.state(), State::HalfOpen);
    breaker.poll_at(4 * SECOND);
    let event = last(&breaker);
    assert_eq!((event.reason, event.attempt, event.retry_at_ns), (Reason::ProbeLost, 1, 6 * SECOND));
}

#[test]
fn a_late_trial_is_tried_before_a_lost_one() {
    let mut breaker = half_open(Config { probe_timeout_ns: RECOVER + 1, ..config() });
    assert!(breaker.allow_at(SECOND));
    let _trial = breaker.begin_at(SECOND);
    breaker.poll_at(SECOND + RECOVER + 1);
    assert_eq!(last(&breaker).reason, Reason::ProbeSlow);
}

#[test]
fn half_open_waits_for_ever_while_no_trial_is_out() {
    let mut breaker = half_open(config());
    assert_eq!(breaker.next_deadline(), u64::MAX);
    breaker.poll_at(u64::MAX - 1);
    assert_eq!(breaker.state(), State::HalfOpen);
}

#[test]
fn a_trial_beyond_max_in_flight_is_still_a_trial() {
    let mut breaker = half_open(Config { max_in_flight: 1, probes: 1, ..config() });
    let _cancel = breaker.begin_at(SECOND);
    assert!(breaker.allow_at(SECOND));
    let trial = breaker.begin_at(SECOND);
    assert_eq!((breaker.snapshot().untracked, breaker.snapshot().in_flight), (1, 1));
    assert_eq!(breaker.next_deadline(), 3 * SECOND); // its lease
    breaker.end_at(SECOND + 1, trial);
    assert_eq!(breaker.state(), State::Closed);
    breaker.end_at(SECOND + 2, trial);
    assert_eq!(breaker.snapshot().misused, 1);
}

#[test]
fn a_call_past_the_threshold_when_the_breaker_closes_is_judged_at_once() {
    let config = Config { probes: 1, min_samples: 1, stall_limit_ns: 0, ..config() };
    let mut breaker = half_open(config);
    let _cancel = breaker.begin_at(SECOND);
    good_trial(&mut breaker, 2 * SECOND, 1);
    assert_eq!(breaker.state(), State::Closed);
    let overdue_at = SECOND + 200 * MS + 1;
    assert_eq!(breaker.next_deadline(), overdue_at);
    breaker.poll_at(2 * SECOND + 1);
    let event = last(&breaker);
    assert_eq!((event.reason, event.t_ns, event.samples, event.overdue), (Reason::Latency, 2 * SECOND + 1, 2, 1));
}

#[test]
fn health_checks_grant_nothing_and_close_when_all_are_good() {
    let mut breaker = half_open(health_checks());
    assert!(!breaker.allow_at(SECOND));
    breaker.record_probe_at(SECOND + 1, 1, true);
    assert_eq!((breaker.state(), breaker.snapshot().trials_good), (State::HalfOpen, 1));
    breaker.record_probe_at(SECOND + RECOVER + 1, RECOVER, true);
    let event = last(&breaker);
    assert_eq!((event.reason, event.samples), (Reason::Recovered, 0));
}

#[test]
fn health_checks_reopen_by_the_rules_of_trials() {
    for (latency_ns, ok, reason) in [
        (RECOVER + 1, true, Reason::ProbeSlow),
        (RECOVER + 1, false, Reason::ProbeFailed),
        (1, false, Reason::ProbeFailed),
    ] {
        let mut breaker = half_open(health_checks());
        breaker.record_probe_at(2 * SECOND, latency_ns, ok);
        assert_eq!(last(&breaker).reason, reason);
    }
}

#[test]
fn with_health_checks_other_samples_enter_the_window_and_decide_nothing() {
    let mut breaker = half_open(health_checks());
    breaker.record_failure_at(2 * SECOND, 1);
    breaker.record_at(2 * SECOND, RECOVER + 1);
    let call = breaker.begin_at(2 * SECOND);
    breaker.fail_at(2 * SECOND, call);
    assert_eq!((breaker.state(), breaker.snapshot().samples), (State::HalfOpen, 3));
}

#[test]
fn a_health_check_is_lost_after_probe_timeout_without_a_result() {
    let mut breaker = half_open(health_checks());
    assert_eq!(breaker.next_deadline(), 3 * SECOND);
    breaker.record_probe_at(2 * SECOND, 1, true);
    assert_eq!(breaker.next_deadline(), 4 * SECOND);
    breaker.record_probe_at(4 * SECOND, 1, true); // at the deadline: late, and by then in another state
    assert_eq!((last(&breaker).reason, breaker.snapshot().stale), (Reason::ProbeLost, 1));
}

#[test]
fn a_breaker_that_starts_half_open_begins_its_lease_with_the_first_operation() {
    let mut breaker = breaker(Config { start: State::HalfOpen, ..health_checks() });
    breaker.poll_at(100 * SECOND);
    assert_eq!((breaker.state(), breaker.next_deadline()), (State::HalfOpen, 102 * SECOND));
}

#[test]
fn record_probe_is_stale_in_any_other_state() {
    let mut closed = breaker(health_checks());
    closed.record_probe_at(1, 1, false);
    let mut trials = half_open(config());
    trials.record_probe_at(SECOND, 0, false);
    let mut before_the_epoch = half_open(health_checks());
    before_the_epoch.record_probe_at(SECOND, 1, false);
    for (breaker, state) in [(closed, State::Closed), (trials, State::HalfOpen), (before_the_epoch, State::HalfOpen)] {
        assert_eq!((breaker.state(), breaker.snapshot().stale), (state, 1));
    }
}

/// Drives a breaker through trips and recoveries, and returns the attempt of each opening.
fn attempts(config: Config, closed_ns: &[u64]) -> Vec<u32> {
    let mut breaker = breaker(Config { consecutive_failures: 1, probes: 1, ..config });
    let mut now_ns = 0;
    for span_ns in closed_ns {
        now_ns += span_ns;
        breaker.record_failure_at(now_ns, 0);
        now_ns = breaker.next_deadline();
        good_trial(&mut breaker, now_ns, 0);
        assert_eq!(breaker.state(), State::Closed);
    }
    let openings = breaker.events().filter(|event| event.to == State::Open);
    openings.map(|event| event.attempt).collect()
}

#[test]
fn time_spent_closed_forgives_attempts_gradually() {
    let s30 = 30 * SECOND;
    assert_eq!(attempts(config(), &[1, 1, 1, s30 - 1, s30, 3 * s30, 3 * s30, s30 - 1]), [0, 1, 2, 3, 3, 1, 0, 1]);
}

#[test]
fn the_attempt_is_capped_at_the_first_whose_pause_is_the_maximum() {
    assert_eq!(attempts(Config { backoff_max_ns: 3 * SECOND, ..config() }, &[1; 5]), [0, 1, 2, 2, 2]);
    assert_eq!(attempts(Config { backoff_multiplier: 1, ..config() }, &[1; 3]), [0, 0, 0]);
    assert_eq!(attempts(Config { backoff_max_ns: SECOND, ..config() }, &[1; 3]), [0, 0, 0]);
}

#[test]
fn reopening_adds_an_attempt_and_the_first_opening_of_any_kind_is_0() {
    let mut breaker = breaker(Config { start: State::HalfOpen, ..config() });
    breaker.record_failure_at(5, 1);
    assert_eq!((last(&breaker).attempt, last(&breaker).retry_at_ns), (0, 5 + SECOND));
    let mut now_ns = 5 + SECOND;
    for (attempt, pause_s) in [(1, 2), (2, 4), (3, 8), (4, 16), (5, 32), (6, 60), (6, 60)] {
        breaker.poll_at(now_ns);
        breaker.record_failure_at(now_ns, 0);
        let event = last(&breaker);
        assert_eq!((event.reason, event.attempt), (Reason::ProbeFailed, attempt));
        assert_eq!(event.retry_at_ns, now_ns + pause_s * SECOND);
        now_ns = event.retry_at_ns;
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
