//! What other threads may do: gates and lanes, in virtual time on one thread. (`threads.rs` has real ones.)

mod common;
use common::{MS, SECOND, breaker, config, half_open, last, open_at, quantile_only, reasons};
use trip99::{Breaker, Config, Lane, Reason, Recovery, State};

const THRESHOLD: u64 = 200 * MS;

/// Half-open since 1 s, with so many trials, so many at a time.
fn with_trials(probes: u32, trials_in_flight: u32) -> Breaker {
    half_open(Config { probes, trials_in_flight, ..config() })
}

fn good_call(lane: &mut Lane, now_ns: u64) {
    let call = lane.begin_at(now_ns);
    lane.end_at(now_ns + 1, call);
}

// Gates.

#[test]
fn a_gate_follows_the_state_and_its_refusals_are_counted() {
    let mut breaker = breaker(Config { spike_count: 1, ..config() });
    let gate = breaker.gate();
    assert!(gate.allow() && gate.clone().allow());
    open_at(&mut breaker, SECOND);
    assert!(!gate.allow() && !breaker.allow_at(SECOND));
    assert_eq!((gate.state(), breaker.snapshot().refused), (Some(State::Open), 2));
}

#[test]
fn in_shadow_a_gate_passes_what_it_would_refuse() {
    let mut breaker = breaker(Config { shadow: true, spike_count: 1, ..config() });
    let gate = breaker.gate();
    assert!(gate.allow());
    open_at(&mut breaker, SECOND);
    assert!(gate.allow() && breaker.allow_at(SECOND));
    assert_eq!((breaker.snapshot().refused, breaker.snapshot().refused_in_shadow), (0, 2));
    gate.halt();
    assert!(!gate.allow());
    assert_eq!(breaker.snapshot().refused, 1);
}

#[test]
fn gates_and_the_owner_share_the_trials() {
    let mut breaker = with_trials(3, 2);
    let (first, second) = (breaker.gate(), breaker.gate());
    assert!(first.allow() && breaker.allow_at(SECOND) && !second.allow() && !breaker.allow_at(SECOND));
    assert_eq!((breaker.snapshot().trials_granted, breaker.snapshot().trials_out), (2, 2));
    // A good result sets a trial free, as one of three is still to be granted; two more don't.
    for (now_ns, granted) in [(SECOND + 1, true), (SECOND + 2, false)] {
        breaker.record_at(now_ns, 0);
        assert_eq!(second.allow(), granted);
    }
    breaker.poll_at(SECOND + 2);
    assert_eq!((breaker.snapshot().trials_granted, breaker.snapshot().trials_good), (3, 2));
    breaker.record_at(SECOND + 3, 0);
    assert_eq!(breaker.state(), State::Closed);
    assert!(first.allow());
}

#[test]
fn with_health_checks_a_gate_grants_nothing() {
    let mut breaker = half_open(Config { recovery: Recovery::HealthChecks, probes: 1, ..config() });
    let (gate, mut lane) = (breaker.gate(), breaker.lane());
    assert!(!gate.allow());
    lane.record_probe_at(SECOND + 10, 5, true);
    breaker.poll_at(SECOND + 10);
    assert!(gate.allow());
    lane.record_probe_at(SECOND + 11, 5, true);
    breaker.poll_at(SECOND + 11);
    assert_eq!(breaker.snapshot().stale, 1);
}

#[test]
fn a_trial_that_a_gate_gives_back_counts_neither_way() {
    let mut breaker = with_trials(1, 1);
    let (gate, other) = (breaker.gate(), breaker.gate());
    assert!(gate.allow());
    other.release(); // has none
    assert!(!other.allow());
    gate.release();
    gate.release();
    breaker.poll_at(SECOND + 1);
    assert_eq!((breaker.snapshot().trials_granted, breaker.snapshot().trials_out), (0, 0));
    assert!(other.allow() && !gate.allow());
    other.release();
    assert!(gate.allow(), "it may be granted again at once");
    breaker.record_at(SECOND + 2, 0);
    assert_eq!(breaker.state(), State::Closed);
}

#[test]
fn each_grant_is_given_back_by_a_release_of_its_own() {
    let mut breaker = with_trials(3, 3);
    let (gate, mut lane) = (breaker.gate(), breaker.lane());
    assert!(gate.allow() && gate.allow() && lane.allow() && !lane.allow());
    gate.release();
    lane.release();
    breaker.poll_at(SECOND + 1);
    assert_eq!((breaker.snapshot().trials_granted, breaker.snapshot().trials_out), (1, 1));
    gate.release();
    gate.release();
    lane.release();
    breaker.poll_at(SECOND + 2);
    assert_eq!((breaker.snapshot().trials_granted, breaker.next_deadline()), (0, u64::MAX));
    assert!(lane.allow() && lane.allow());
    lane.release();
    lane.release();
    breaker.poll_at(SECOND + 3);
    assert_eq!(breaker.snapshot().trials_out, 0);
}

#[test]
fn as_many_trials_as_a_setting_may_say() {
    let mut breaker = with_trials(65_535, 65_535);
    let gate = breaker.gate();
    assert_eq!((0..65_536).filter(|_| gate.allow()).count(), 65_535);
    (0..65_535).for_each(|_| breaker.record_at(SECOND + 1, 1));
    assert_eq!(last(&breaker).reason, Reason::Recovered);
}

#[test]
fn what_was_given_back_between_two_polls_begins_another_lease() {
    let mut breaker = with_trials(1, 1);
    let gate = breaker.gate();
    assert!(gate.allow());
    breaker.poll_at(SECOND + 10);
    gate.release();
    assert!(gate.allow());
    breaker.poll_at(2 * SECOND);
    assert_eq!(breaker.next_deadline(), 4 * SECOND);
}

#[test]
fn a_trial_that_was_given_back_is_not_lost_whatever_the_owner_does_next() {
    let mut breaker = with_trials(1, 1);
    let gate = breaker.gate();
    assert!(gate.allow());
    breaker.poll_at(SECOND + 10);
    gate.release();
    breaker.record_at(4 * SECOND, 1);
    assert_eq!((breaker.state(), breaker.snapshot().trials_out), (State::HalfOpen, 0));
}

#[test]
fn a_trial_of_an_epoch_that_is_over_is_not_given_back_to_the_next() {
    let mut breaker = with_trials(1, 1);
    let gate = breaker.gate();
    assert!(gate.allow());
    breaker.record_failure_at(SECOND + 1, 0);
    breaker.poll_at(3 * SECOND + 1);
    assert_eq!(breaker.state(), State::HalfOpen);
    assert!(breaker.allow_at(3 * SECOND + 1));
    gate.release();
    breaker.poll_at(3 * SECOND + 2);
    assert_eq!(breaker.snapshot().trials_out, 1);
    assert!(!gate.allow());
}

#[test]
fn a_trial_that_was_sent_is_not_given_back_for_what_shadow_let_pass() {
    let mut breaker = half_open(Config { probes: 2, trials_in_flight: 2, shadow: true, ..config() });
    let (gate, other, mut lane) = (breaker.gate(), breaker.gate(), breaker.lane());
    assert!(gate.allow());
    let _sent = lane.begin_at(SECOND + 1);
    assert!(other.allow());
    assert!(gate.allow(), "shadow refuses nothing");
    gate.release();
    breaker.poll_at(SECOND + 2);
    assert_eq!((breaker.snapshot().trials_granted, breaker.snapshot().trials_out), (2, 2));
}

#[test]
fn the_lease_of_a_gates_trial_begins_when_the_owner_sees_it() {
    let mut breaker = with_trials(1, 1);
    let gate = breaker.gate();
    breaker.poll_at(SECOND + 100);
    assert!(gate.allow());
    assert_eq!(breaker.next_deadline(), u64::MAX);
    breaker.poll_at(SECOND + 150);
    assert_eq!(breaker.next_deadline(), 150 + 3 * SECOND);
    breaker.poll_at(150 + 3 * SECOND - 1);
    assert_eq!(breaker.state(), State::HalfOpen);
    breaker.poll_at(150 + 3 * SECOND);
    assert_eq!(last(&breaker).reason, Reason::ProbeLost);
    assert!(!gate.allow());
}

#[test]
fn a_halt_through_a_gate_is_obeyed_at_once_and_journaled_by_the_owner() {
    let mut breaker = with_trials(2, 1);
    let gate = breaker.gate();
    gate.halt();
    assert!(gate.is_halted() && !gate.allow() && !breaker.allow_at(SECOND + 1));
    assert_eq!(breaker.snapshot().trials_granted, 0);
    assert_eq!(reasons(breaker.events().skip(2)), [Reason::Halt]);
    gate.resume();
    assert!(gate.allow());
    breaker.poll_at(SECOND + 2);
    assert_eq!(reasons(breaker.events().skip(2)), [Reason::Halt, Reason::Resume]);
}

#[test]
fn halts_that_come_and_go_between_two_polls_are_journaled_too() {
    let mut breaker = breaker(config());
    let gate = breaker.gate();
    breaker.poll_at(0);
    for _ in 0..2 {
        gate.halt();
        gate.halt();
        gate.resume();
        gate.resume();
    }
    breaker.poll_at(MS); // looks for them every millisecond
    gate.halt();
    gate.resume();
    gate.halt();
    breaker.poll_at(MS + 1);
    let (halt, resume) = (Reason::Halt, Reason::Resume);
    assert_eq!(reasons(breaker.events()), [halt, resume, halt, resume, halt, resume, halt]);
    breaker.resume_at(2 * MS);
    breaker.poll_at(9 * MS);
    assert_eq!(reasons(breaker.events()).len(), 8);
    // Somebody who plays with it can't keep the owner busy.
    for _ in 0..100 {
        gate.halt();
        gate.resume();
    }
    breaker.poll_at(10 * MS);
    breaker.poll_at(20 * MS);
    assert_eq!(reasons(breaker.events()).len(), 8 + 16);
}

#[test]
fn a_call_that_began_before_a_trial_was_granted_is_not_the_trial() {
    let mut breaker = with_trials(2, 1);
    let (gate, mut cancels, mut orders) = (breaker.gate(), breaker.lane(), breaker.lane());
    for turn in 1..=5 {
        // Queued before the grant, drained after it.
        good_call(&mut cancels, SECOND + turn);
        cancels.record_at(SECOND + turn, 0);
        assert_eq!(gate.allow(), turn == 1);
        if turn == 1 {
            let _unanswered = orders.begin_at(SECOND + turn);
        }
        breaker.poll_at(SECOND + turn + 1);
        assert_eq!((breaker.snapshot().trials_out, breaker.snapshot().trials_good), (1, 0), "turn {turn}");
    }
}

#[test]
fn the_owner_and_lanes_have_trials_in_the_order_in_which_they_begin() {
    let mut breaker = with_trials(3, 3);
    let (gate, mut lane) = (breaker.gate(), breaker.lane());
    assert!(gate.allow() && breaker.allow_at(SECOND));
    let own = breaker.begin_at(SECOND + 1);
    let first = lane.begin_at(SECOND + 1);
    let no_trial = lane.begin_at(SECOND + 1);
    breaker.end_at(SECOND + 2, own);
    lane.end_at(SECOND + 2, no_trial);
    breaker.poll_at(SECOND + 3);
    assert_eq!((breaker.snapshot().trials_good, breaker.snapshot().trials_out), (2 - 1, 1));
    lane.end_at(SECOND + 4, first);
    assert!(gate.allow());
    // A stale record doesn't use it up.
    lane.record_at(SECOND + 5, SECOND);
    lane.record_at(SECOND + 5, 1);
    breaker.poll_at(SECOND + 6);
    assert_eq!((breaker.state(), breaker.snapshot().stale), (State::HalfOpen, 1));
    lane.record_at(SECOND + 7, 1); // no trial: the stale one's grant is to be had by what begins from now on
    breaker.poll_at(SECOND + 7);
    assert_eq!(breaker.state(), State::Closed);
}

// Lanes.

#[test]
fn a_lanes_calls_reach_the_owner_when_it_polls() {
    let mut breaker = breaker(config());
    let mut lane = breaker.lane();
    let (ended, failed, abandoned) = (lane.begin_at(10), lane.begin_at(20), lane.begin_at(30));
    lane.end_at(15, ended);
    breaker.poll_at(20);
    assert_eq!((breaker.snapshot().samples, breaker.snapshot().in_flight), (1, 2));
    lane.fail_at(27, failed);
    lane.abandon_at(31, abandoned);
    lane.record_at(40, 3);
    lane.record_failure_at(40, 4);
    breaker.poll_at(40);
    let snapshot = breaker.snapshot();
    assert_eq!((snapshot.samples, snapshot.failed, snapshot.recorded, snapshot.in_flight), (4, 2, 4, 0));
    let quantiles = [0, 500_000, 750_000, 1_000_000].map(|ppm| breaker.quantile(ppm));
    assert_eq!(quantiles, [Some(3), Some(4), Some(5), Some(7)]);
    assert_eq!((snapshot.misused, snapshot.dropped, snapshot.stale), (0, 0, 0));
}

#[test]
fn trials_go_through_lanes() {
    let mut breaker = with_trials(2, 1);
    let (gate, mut lane) = (breaker.gate(), breaker.lane());
    for now_ns in [SECOND + 10, SECOND + 20] {
        assert!(gate.allow() && !gate.allow());
        good_call(&mut lane, now_ns);
        breaker.poll_at(now_ns + 1);
    }
    assert_eq!((breaker.state(), last(&breaker).reason), (State::Closed, Reason::Recovered));
}

#[test]
fn a_late_trial_on_a_lane_reopens() {
    let mut breaker = with_trials(1, 1);
    let (gate, mut lane) = (breaker.gate(), breaker.lane());
    assert!(gate.allow());
    let _out = lane.begin_at(SECOND + 10);
    breaker.poll_at(SECOND + 50);
    assert_eq!(
        breaker.next_deadline(),
        SECOND + 10 + 160 * MS + 1,
        "from its own start, not from when the owner heard of it"
    );
    breaker.poll_at(SECOND + 10 + 160 * MS + 1);
    assert_eq!(last(&breaker).reason, Reason::ProbeSlow);
}

#[test]
fn an_abandoned_trial_on_a_lane_is_given_back() {
    let mut breaker = with_trials(1, 1);
    let (gate, mut lane) = (breaker.gate(), breaker.lane());
    assert!(gate.allow());
    let call = lane.begin_at(SECOND + 10);
    lane.abandon_at(SECOND + 11, call);
    breaker.poll_at(SECOND + 11);
    assert_eq!((breaker.snapshot().trials_granted, breaker.snapshot().in_flight), (0, 0));
    assert!(gate.allow());
}

#[test]
fn samples_of_lanes_may_come_late_and_out_of_order() {
    let mut breaker = breaker(Config { window_age_ns: SECOND, ..quantile_only() });
    let (mut first, mut second) = (breaker.lane(), breaker.lane());
    first.record_at(900, 1);
    second.record_at(150, 2); // counts as of 900
    breaker.poll_at(900);
    breaker.poll_at(SECOND + 899);
    assert_eq!(breaker.snapshot().samples, 2);
    breaker.poll_at(SECOND + 900);
    assert_eq!(breaker.snapshot().samples, 0);
}

#[test]
fn staleness_of_a_lanes_samples_goes_by_their_own_stamps() {
    let mut breaker = breaker(Config { spike_count: 1, ..config() });
    let mut lane = breaker.lane();
    let (heard_before, heard_after) = (lane.begin_at(10), lane.begin_at(SECOND / 2));
    breaker.poll_at(SECOND / 2);
    let unheard = lane.begin_at(SECOND / 2 + 1);
    open_at(&mut breaker, SECOND / 2);
    breaker.poll_at(2 * SECOND); // half-open; hears of `unheard`
    assert_eq!((breaker.state(), breaker.snapshot().epoch_ns), (State::HalfOpen, 2 * SECOND));
    let in_flight_before_the_epoch = breaker.snapshot().in_flight;
    assert_eq!(in_flight_before_the_epoch, 0);
    for call in [heard_before, heard_after, unheard] {
        lane.fail_at(2 * SECOND + 1, call);
    }
    lane.record_failure_at(2 * SECOND + 1, 2);
    let late = lane.begin_at(2 * SECOND - 1);
    lane.fail_at(2 * SECOND + 1, late);
    breaker.poll_at(2 * SECOND + 2);
    let snapshot = breaker.snapshot();
    assert_eq!((snapshot.state, snapshot.stale, snapshot.misused), (State::HalfOpen, 5, 0));
    lane.record_failure_at(2 * SECOND + 1, 1);
    breaker.poll_at(2 * SECOND + 3);
    assert_eq!(breaker.state(), State::Open, "sent in the epoch");
}

#[test]
fn a_call_is_overdue_by_its_own_start_in_the_order_of_its_lane() {
    let mut breaker = breaker(Config { min_samples: 1, stall_limit_ns: 0, ..config() });
    let (mut first, mut second) = (breaker.lane(), breaker.lane());
    let _own = breaker.begin_at(300);
    let _one = first.begin_at(200);
    let _two = second.begin_at(100);
    breaker.poll_at(400);
    assert_eq!(breaker.next_deadline(), 100 + THRESHOLD + 1);
    breaker.poll_at(100 + THRESHOLD);
    assert_eq!(breaker.state(), State::Closed);
    breaker.poll_at(100 + THRESHOLD + 1);
    let event = last(&breaker);
    assert_eq!((event.reason, event.samples, event.overdue), (Reason::Latency, 1, 1));
    assert_eq!(event.quantile_ns, THRESHOLD + 1);
}

#[test]
fn a_call_whose_end_lies_in_a_queue_is_not_late() {
    let mut breaker = breaker(Config { min_samples: 1, ..config() });
    let (mut first, mut second) = (breaker.lane(), breaker.lane());
    let (one, two) = (first.begin_at(0), second.begin_at(0));
    breaker.poll_at(1);
    first.end_at(THRESHOLD, one);
    second.end_at(2, two);
    breaker.poll_at(5 * SECOND);
    assert_eq!((breaker.state(), breaker.snapshot().samples), (State::Closed, 2));
}

#[test]
fn the_oldest_call_of_any_lane_stalls() {
    let mut breaker = breaker(Config { min_samples: 1000, ..config() });
    let mut lane = breaker.lane();
    let _lost = lane.begin_at(7);
    breaker.poll_at(7);
    let _own = breaker.begin_at(8);
    breaker.poll_at(SECOND + 6);
    assert_eq!(breaker.state(), State::Closed);
    breaker.poll_at(SECOND + 7);
    assert_eq!(last(&breaker).reason, Reason::Stall);
}

#[test]
fn a_new_threshold_moves_what_is_overdue_on_lanes() {
    let mut breaker = breaker(Config { stall_limit_ns: 0, ..config() });
    let mut lane = breaker.lane();
    let _out = lane.begin_at(0);
    breaker.poll_at(THRESHOLD + 1);
    assert_eq!(breaker.snapshot().overdue, 1);
    breaker.reconfigure(&Config { threshold_ns: THRESHOLD + 1, ..breaker.config().clone() }).unwrap();
    assert_eq!(breaker.snapshot().overdue, 0);
    breaker.poll_at(THRESHOLD + 2);
    assert_eq!(breaker.snapshot().overdue, 1);
}

#[test]
fn a_full_lane_drops_and_counts_but_never_an_end() {
    let mut breaker = breaker(config());
    let mut lane = breaker.lane_with_capacity(4);
    let calls: Vec<_> = (0..6).map(|now_ns| lane.begin_at(now_ns)).collect();
    assert_eq!(lane.dropped(), 2);
    lane.record_at(6, 1);
    lane.record_probe_at(6, 1, true);
    assert_eq!(lane.dropped(), 4, "four messages wait already");
    for call in calls.into_iter().rev() {
        lane.end_at(10, call); // of the untracked two there is nothing to be told
    }
    assert_eq!(lane.dropped(), 6);
    breaker.poll_at(10);
    let snapshot = breaker.snapshot();
    assert_eq!((snapshot.samples, snapshot.in_flight, snapshot.dropped, snapshot.misused), (4, 0, 6, 0));
    // There is room again, and an untracked call's end is a sample.
    let calls: Vec<_> = (11..16).map(|now_ns| lane.begin_at(now_ns)).collect();
    breaker.poll_at(16);
    for call in calls.into_iter().rev() {
        lane.end_at(17, call);
    }
    breaker.poll_at(17);
    let snapshot = breaker.snapshot();
    assert_eq!((snapshot.samples, snapshot.in_flight, snapshot.dropped), (9, 0, 7));
}

#[test]
fn a_lane_has_room_for_as_many_calls_and_records_as_it_says() {
    let mut breaker = breaker(Config { stall_limit_ns: 0, ..config() });
    for asked in [0, 4, 9] {
        let len = u64::from(asked.max(4));
        let mut lane = breaker.lane_with_capacity(asked);
        (0..len + 2).for_each(|now_ns| lane.record_at(now_ns, 1));
        assert_eq!(lane.dropped(), 2);
        breaker.poll_at(len);
        let before = breaker.snapshot();
        // Until the owner has heard its end a call has its place.
        let calls: Vec<_> = (0..len).map(|now_ns| lane.begin_at(now_ns)).collect();
        assert!(!lane.allow());
        breaker.poll_at(len);
        assert!(!lane.allow());
        assert_eq!(u64::from(breaker.snapshot().in_flight - before.in_flight), len);
        calls.into_iter().for_each(|call| lane.end_at(len, call));
        assert!(!lane.allow());
        breaker.poll_at(len);
        assert!(lane.allow());
        assert_eq!((breaker.snapshot().recorded - before.recorded, lane.dropped()), (len, 2));
        // Beside the calls in flight there is room for records.
        let _out: Vec<_> = (0..len).map(|now_ns| lane.begin_at(now_ns)).collect();
        breaker.poll_at(len);
        (0..len + 1).for_each(|now_ns| lane.record_at(now_ns, 1));
        assert_eq!(lane.dropped(), 3);
    }
}

#[test]
fn a_full_lane_refuses_what_it_could_not_report() {
    let mut breaker = with_trials(2, 2);
    let (gate, mut lane) = (breaker.gate(), breaker.lane_with_capacity(4));
    let calls = [1, 2, 3, 4].map(|now_ns| lane.begin_at(SECOND + now_ns));
    assert!(!lane.allow(), "no trial is taken for it");
    assert_eq!((breaker.snapshot().refused, breaker.snapshot().trials_granted), (1, 0));
    assert!(gate.allow() && gate.allow());
    calls.into_iter().for_each(|call| lane.abandon_at(SECOND + 5, call));
    breaker.poll_at(SECOND + 5);
    gate.release();
    assert!(lane.allow() && !lane.allow());
}

#[test]
fn in_shadow_a_full_lane_passes_but_a_halt_refuses() {
    let mut breaker = breaker(Config { shadow: true, ..config() });
    let mut lane = breaker.lane_with_capacity(4);
    let _out = [1, 2, 3, 4].map(|now_ns| lane.begin_at(now_ns));
    assert!(lane.allow());
    assert_eq!((breaker.snapshot().refused, breaker.snapshot().refused_in_shadow), (0, 1));
    breaker.halt_at(5);
    assert!(!lane.allow());
    assert_eq!((breaker.snapshot().refused, breaker.snapshot().refused_in_shadow), (1, 1));
}

/// Half-open, with a trial granted that the next call has, and a lane that can't track one more call.
fn with_a_trial_on_a_full_lane() -> (Breaker, Lane, [trip99::Call; 5]) {
    let mut breaker = with_trials(1, 1);
    let (gate, mut lane) = (breaker.gate(), breaker.lane_with_capacity(4));
    let calls = [1, 2, 3, 4].map(|now_ns| lane.begin_at(SECOND + now_ns));
    assert!(gate.allow());
    let trial = lane.begin_at(SECOND + 5);
    breaker.poll_at(SECOND + 5);
    let [a, b, c, d] = calls;
    (breaker, lane, [a, b, c, d, trial])
}

#[test]
fn the_end_of_a_call_that_a_full_lane_did_not_track_reports_the_trial_that_it_had_claimed() {
    for good in [true, false] {
        let (mut breaker, mut lane, [call, .., trial]) = with_a_trial_on_a_full_lane();
        lane.end_at(SECOND + 6, call);
        breaker.poll_at(SECOND + 6);
        assert_eq!(breaker.snapshot().trials_good, 0, "no trial");
        if good {
            lane.end_at(SECOND + 7, trial)
        } else {
            lane.fail_at(SECOND + 7, trial)
        }
        lane.end_at(SECOND + 7, trial); // once is enough
        breaker.poll_at(SECOND + 7);
        assert_eq!(last(&breaker).reason, if good { Reason::Recovered } else { Reason::ProbeFailed });
        assert_eq!((breaker.snapshot().misused, breaker.snapshot().dropped), (1, 1));
    }
}

#[test]
fn the_end_of_an_untracked_call_is_the_trial_of_nobody_else() {
    let mut breaker = with_trials(1, 1);
    let (gate, mut lane) = (breaker.gate(), breaker.lane_with_capacity(4));
    let [.., untracked] = [1, 2, 3, 4, 5].map(|now_ns| lane.begin_at(SECOND + now_ns));
    assert!(gate.allow());
    breaker.poll_at(SECOND + 5);
    lane.end_at(SECOND + 6, untracked);
    breaker.poll_at(SECOND + 6);
    assert_eq!((breaker.snapshot().recorded, breaker.snapshot().trials_good), (2, 0));
    gate.release();
    breaker.poll_at(SECOND + 7);
    assert_eq!(breaker.snapshot().trials_out, 0);
}

#[test]
fn an_abandoned_trial_that_a_full_lane_did_not_track_is_given_back() {
    let (mut breaker, mut lane, [.., trial]) = with_a_trial_on_a_full_lane();
    assert_eq!(breaker.snapshot().trials_out, 1);
    lane.abandon_at(SECOND + 6, trial);
    breaker.poll_at(SECOND + 6);
    assert_eq!((breaker.snapshot().trials_granted, breaker.snapshot().trials_out), (0, 0));
    assert!(breaker.gate().allow());
}

#[test]
fn an_ordinary_call_abandoned_while_half_open_frees_no_trial() {
    let mut breaker = with_trials(1, 1);
    let (gate, mut lane) = (breaker.gate(), breaker.lane());
    let cancel = lane.begin_at(SECOND + 1);
    assert!(gate.allow());
    let _trial = lane.begin_at(SECOND + 2);
    lane.abandon_at(SECOND + 3, cancel);
    breaker.poll_at(SECOND + 3);
    assert_eq!((breaker.snapshot().trials_granted, breaker.snapshot().trials_out), (1, 1));
    assert!(!gate.allow() && !breaker.allow_at(SECOND + 3));
}

#[test]
fn a_lanes_lost_calls_count_no_longer_than_the_window_remembers() {
    let mut breaker =
        breaker(Config { window_age_ns: SECOND, min_samples: 1, quantile_ppm: 500_000, ..quantile_only() });
    let mut lane = breaker.lane();
    (0..2).for_each(|now_ns| breaker.record_at(now_ns, 1));
    let _lost = lane.begin_at(10);
    breaker.poll_at(THRESHOLD + 11);
    assert_eq!((breaker.snapshot().overdue, breaker.snapshot().samples, breaker.state()), (1, 2, State::Closed));
    breaker.record_at(SECOND + 9, 1);
    assert_eq!((breaker.snapshot().overdue, breaker.quantile(1_000_000)), (1, Some(SECOND - 1)));
    // From here on it is too old, but its place is still taken. A verdict is made with it gone.
    breaker.record_at(SECOND + 10, 1);
    assert_eq!((breaker.snapshot().overdue, breaker.snapshot().in_flight), (0, 1));
    assert_eq!((breaker.quantile(1_000_000), breaker.state()), (Some(1), State::Closed));
    breaker.record_at(SECOND + 10, THRESHOLD + 1);
    breaker.record_at(SECOND + 10, THRESHOLD + 1);
    assert_eq!(breaker.state(), State::Closed, "two of four");
    breaker.record_at(SECOND + 10, THRESHOLD + 1);
    assert_eq!((last(&breaker).samples, last(&breaker).slow, last(&breaker).overdue), (5, 3, 0));
}

#[test]
fn lanes_are_heard_before_a_timer_of_any_kind_fires() {
    type Operation = fn(&mut Breaker, u64);
    let operations: [Operation; 3] = [
        |breaker, now_ns| breaker.record_at(now_ns, 1),
        |breaker, now_ns| _ = breaker.begin_at(now_ns),
        |breaker, now_ns| breaker.poll_at(now_ns),
    ];
    for operation in operations {
        // `probe_lost`: the check's result lies in the queue.
        let mut breaker =
            half_open(Config { recovery: Recovery::HealthChecks, probes: 1, probe_timeout_ns: SECOND, ..config() });
        let mut lane = breaker.lane();
        lane.record_probe_at(SECOND + 10, 5, true);
        operation(&mut breaker, 2 * SECOND);
        assert_eq!(last(&breaker).reason, Reason::Recovered);
        // `retry`: what ended while it was open is of the time before the epoch.
        let mut breaker = self::breaker(Config { spike_count: 1, ..config() });
        let mut lane = breaker.lane();
        open_at(&mut breaker, 0);
        lane.record_at(SECOND / 2, 1);
        operation(&mut breaker, SECOND);
        let own = u64::from(breaker.snapshot().samples);
        assert_eq!((breaker.state(), breaker.snapshot().recorded), (State::HalfOpen, 2 + own));
    }
}

#[test]
fn tickets_that_come_back_twice_or_to_another_lane_are_counted() {
    let mut breaker = breaker(config());
    let (mut first, mut second) = (breaker.lane(), breaker.lane());
    let own = breaker.begin_at(1);
    let call = first.begin_at(1);
    second.end_at(2, call);
    second.end_at(2, own);
    first.end_at(2, call);
    first.end_at(2, call);
    first.abandon_at(2, call);
    breaker.end_at(3, call);
    breaker.poll_at(3);
    assert_eq!((breaker.snapshot().misused, breaker.snapshot().samples), (5, 1));
}

#[test]
fn a_lane_that_is_gone_leaves_its_messages_and_calls() {
    let mut breaker = breaker(config());
    let mut lane = breaker.lane_with_capacity(4);
    good_call(&mut lane, 1);
    let call = lane.begin_at(2);
    lane.end_at(2, call);
    lane.end_at(2, call);
    drop(lane);
    let mut left = breaker.lane();
    let _lost = left.begin_at(5);
    drop(left);
    breaker.poll_at(5);
    assert_eq!((breaker.snapshot().samples, breaker.snapshot().misused, breaker.snapshot().in_flight), (2, 1, 1));
    // What is done makes room for a new lane, and its counts stay.
    for now_ns in [6, 7, 8] {
        let mut next = breaker.lane_with_capacity(4);
        (0..5).for_each(|_| next.record_at(now_ns, 1));
        breaker.poll_at(now_ns);
    }
    let snapshot = breaker.snapshot();
    assert_eq!((snapshot.samples, snapshot.misused, snapshot.dropped, snapshot.in_flight), (14, 1, 3, 1));
    breaker.poll_at(5 + SECOND);
    assert_eq!(last(&breaker).reason, Reason::Stall);
}

#[test]
fn a_lane_survives_its_breaker() {
    let (gate, mut lane) = {
        let mut breaker = breaker(config());
        (breaker.gate(), breaker.lane_with_capacity(4))
    };
    for now_ns in 0..10 {
        good_call(&mut lane, now_ns);
    }
    assert!(lane.dropped() > 0);
    assert!(!gate.allow() && gate.state() == Some(State::Open), "nobody watches");
}

#[test]
fn what_lanes_say_is_no_sign_of_life_from_the_owner() {
    let mut breaker = breaker(Config { spike_count: 1, ..config() });
    let mut lane = breaker.lane();
    breaker.poll_at(100);
    lane.record_at(500, 1);
    lane.record_at(600, u64::MAX);
    lane.record_at(700, 1);
    breaker.poll_at(1000);
    assert_eq!((last(&breaker).t_ns, last(&breaker).owner_gap_ns), (600, 500));
}

#[test]
fn a_lanes_stamps_do_not_run_ahead_of_the_owners_clock() {
    let mut breaker = breaker(config());
    let mut lane = breaker.lane();
    breaker.poll_at(10);
    lane.record_at(u64::MAX, 0);
    let call = lane.begin_at(5 * SECOND);
    breaker.poll_at(20);
    assert_eq!(breaker.snapshot().now_ns, 20);
    lane.end_at(5 * SECOND, call);
    breaker.poll_at(30);
    assert_eq!((breaker.snapshot().now_ns, breaker.snapshot().samples), (30, 2));
}

#[test]
fn a_pause_begins_when_the_gate_shuts() {
    let mut breaker = breaker(Config { spike_count: 1, ..config() });
    let (gate, mut lane) = (breaker.gate(), breaker.lane());
    breaker.poll_at(0);
    lane.record_at(1, u64::MAX);
    breaker.poll_at(2 * SECOND);
    assert_eq!((last(&breaker).t_ns, last(&breaker).retry_at_ns), (1, 3 * SECOND));
    assert!(!gate.allow());
}

#[test]
fn whatever_the_owner_does_first_an_end_in_a_queue_is_taken_in_before_its_call_is_late() {
    type Operation = fn(&mut Breaker);
    let operations: [Operation; 3] = [
        |breaker| breaker.record_at(SECOND + 1, 1),
        |breaker| _ = breaker.begin_at(SECOND + 1),
        |breaker| breaker.poll_at(SECOND + 1),
    ];
    for operation in operations {
        let mut breaker = breaker(config());
        let mut lane = breaker.lane();
        let call = lane.begin_at(1);
        breaker.poll_at(1);
        lane.end_at(MS, call);
        operation(&mut breaker);
        assert_eq!((breaker.state(), breaker.snapshot().overdue), (State::Closed, 0));
    }
}

#[test]
fn a_turn_takes_no_more_than_a_full_lane() {
    let mut breaker = breaker(config());
    let mut lane = breaker.lane_with_capacity(8);
    for _ in 0..8 {
        lane.record_at(1, 1);
    }
    breaker.poll_at(1);
    assert_eq!(breaker.snapshot().samples, 8);
}

#[test]
fn armed_until_counts_the_overdue_calls_of_lanes() {
    let mut breaker =
        breaker(Config { min_samples: 2, window_age_ns: 10 * SECOND, quantile_ppm: 1, stall_limit_ns: 0, ..config() });
    let mut lane = breaker.lane();
    let _own = breaker.begin_at(10);
    let _out = lane.begin_at(20);
    breaker.record_at(30, 1);
    assert_eq!(breaker.armed_until(), None);
    breaker.poll_at(THRESHOLD + 21);
    assert_eq!(breaker.snapshot().overdue, 2);
    // The owner's call goes first, then the lane's; then there is one sample left.
    assert_eq!(breaker.armed_until(), Some(10 * SECOND + 20));
}

#[test]
fn a_row_of_verdicts_that_an_overdue_call_begins_goes_on_after_what_a_lane_told_in_between() {
    let config = Config {
        window_len: 4,
        min_samples: 4,
        threshold_ns: 100,
        confirm_verdicts: 2,
        window_age_ns: 0,
        ..quantile_only()
    };
    let mut breaker = breaker(config);
    let mut lane = breaker.lane();
    (1..=4).for_each(|now_ns| breaker.record_at(now_ns, 10));
    let _overdue = breaker.begin_at(10);
    lane.record_at(20, 10);
    // The timers take the good sample in first; then comes the verdict that is over.
    let _other = breaker.begin_at(111);
    assert_eq!((breaker.state(), breaker.snapshot().recorded, breaker.snapshot().overdue), (State::Closed, 5, 1));
    breaker.record_at(112, 10);
    assert_eq!((last(&breaker).t_ns, last(&breaker).reason), (112, Reason::Latency));
}
