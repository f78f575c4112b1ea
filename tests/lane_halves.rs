//! A lane split in two, in virtual time on one thread. (`threads.rs` has real ones.)

mod common;
use common::{MS, SECOND, breaker, config, half_open, last, open_at};
use trip99::{Breaker, Config, Reason, State};

const THRESHOLD: u64 = 200 * MS;

#[test]
fn calls_begin_on_one_half_and_end_on_the_other() {
    let mut breaker = breaker(config());
    let (mut begins, mut ends) = breaker.lane().split();
    let calls = [10, 20, 30].map(|now_ns| begins.begin_at(now_ns));
    breaker.poll_at(30);
    assert_eq!(breaker.snapshot().in_flight, 3);
    let [ended, failed, abandoned] = calls;
    ends.end_at(15, ended);
    ends.fail_at(27, failed);
    ends.abandon_at(31, abandoned);
    breaker.poll_at(40);
    let snapshot = breaker.snapshot();
    assert_eq!((snapshot.samples, snapshot.failed, snapshot.in_flight), (2, 1, 0));
    assert_eq!((snapshot.misused, snapshot.dropped, snapshot.stale), (0, 0, 0));
    assert_eq!([0, 1_000_000].map(|ppm| breaker.quantile(ppm)), [Some(5), Some(7)]);
}

#[test]
fn both_halves_may_fail_abandon_and_record() {
    let mut breaker = breaker(config());
    let (mut begins, mut ends) = breaker.lane().split();
    let calls = [1, 2, 3, 4].map(|now_ns| begins.begin_at(now_ns));
    let [a, b, c, d] = calls;
    begins.fail_at(5, a);
    begins.abandon_at(6, b);
    ends.fail_at(7, c);
    ends.abandon_at(8, d);
    begins.record_at(9, 1);
    begins.record_failure_at(9, 1);
    ends.record_at(9, 1);
    ends.record_failure_at(9, 1);
    breaker.poll_at(10);
    let snapshot = breaker.snapshot();
    assert_eq!((snapshot.samples, snapshot.failed, snapshot.in_flight, snapshot.misused), (6, 4, 0, 0));
}

#[test]
fn of_a_ticket_that_both_halves_give_back_the_first_counts() {
    let mut breaker = breaker(config());
    let (mut begins, mut ends) = breaker.lane().split();
    let (first, second) = (begins.begin_at(1), begins.begin_at(1));
    ends.end_at(2, first);
    begins.fail_at(2, first);
    begins.abandon_at(2, second);
    ends.end_at(2, second);
    ends.end_at(2, second);
    breaker.poll_at(3);
    let snapshot = breaker.snapshot();
    assert_eq!((snapshot.samples, snapshot.failed, snapshot.misused, snapshot.in_flight), (1, 0, 3, 0));
}

#[test]
fn what_both_halves_told_is_taken_in_by_its_stamps() {
    // A row of two failures trips; a good call between them ends it.
    let config = Config { consecutive_failures: 2, ..config() };
    for (good_ns, tripped) in [(25, false), (45, true)] {
        let mut breaker = breaker(config.clone());
        let (mut begins, mut ends) = breaker.lane().split();
        begins.record_failure_at(20, 1);
        begins.record_at(good_ns, 1);
        ends.record_failure_at(30, 1);
        breaker.poll_at(50);
        assert_eq!(breaker.state() == State::Open, tripped, "good at {good_ns}");
    }
}

#[test]
fn a_begin_counts_before_its_end_whatever_their_stamps() {
    let mut breaker = breaker(config());
    let (mut begins, mut ends) = breaker.lane().split();
    let call = begins.begin_at(90);
    begins.record_at(100, 3);
    ends.end_at(50, call); // by another core's clock
    ends.record_at(95, 7);
    breaker.poll_at(200);
    let snapshot = breaker.snapshot();
    assert_eq!((snapshot.samples, snapshot.in_flight, snapshot.misused, snapshot.stale), (3, 0, 0, 0));
    assert_eq!(breaker.quantile(0), Some(0), "no time passed");
}

#[test]
fn an_end_that_is_heard_is_taken_in_before_its_call_is_late_though_the_sender_sleeps() {
    let mut breaker = breaker(Config { min_samples: 1, ..config() });
    let (mut begins, mut ends) = breaker.lane().split();
    for turn in 0..10 {
        let call = begins.begin_at(turn * 2 * SECOND);
        breaker.poll_at(turn * 2 * SECOND + MS);
        ends.end_at(turn * 2 * SECOND + 2 * MS, call);
        // The sender sleeps, and the owner too.
        breaker.poll_at((turn + 1) * 2 * SECOND - MS);
    }
    let snapshot = breaker.snapshot();
    assert_eq!((snapshot.state, snapshot.samples, snapshot.misused, snapshot.events), (State::Closed, 10, 0, 0));
}

#[test]
fn verdicts_are_those_of_one_thread() {
    let told = |split: bool| {
        let mut breaker = breaker(Config { min_samples: 10, ..config() });
        let lane = breaker.lane_with_capacity(64);
        let mut calls = Vec::new();
        if split {
            let (mut begins, mut ends) = lane.split();
            for turn in 0..200_u64 {
                calls.push(begins.begin_at(turn * 10 * MS));
                if let Some(call) = turn.checked_sub(5).and_then(|answered| calls.get(answered as usize)) {
                    // The 99th takes 250 ms.
                    let late_ns = if turn == 104 { 200 * MS } else { 0 };
                    ends.end_at(turn * 10 * MS + late_ns, *call);
                }
                breaker.poll_at(turn * 10 * MS);
            }
        } else {
            let mut lane = lane;
            for turn in 0..200_u64 {
                calls.push(lane.begin_at(turn * 10 * MS));
                if let Some(call) = turn.checked_sub(5).and_then(|answered| calls.get(answered as usize)) {
                    let late_ns = if turn == 104 { 200 * MS } else { 0 };
                    lane.end_at(turn * 10 * MS + late_ns, *call);
                }
                breaker.poll_at(turn * 10 * MS);
            }
        }
        let events: Vec<_> =
            breaker.events().map(|event| (event.t_ns, event.reason, event.samples, event.slow)).collect();
        let snapshot = breaker.snapshot();
        (events, snapshot.samples, snapshot.slow, snapshot.in_flight, snapshot.misused)
    };
    assert_eq!(told(true), told(false));
}

#[test]
fn trials_go_through_both_halves() {
    let mut breaker = half_open(Config { probes: 3, trials_in_flight: 2, ..config() });
    let (mut begins, mut ends) = breaker.lane().split();
    assert!(begins.allow() && begins.allow() && !begins.allow());
    begins.release();
    assert!(begins.allow());
    let [first, second] = [1, 2].map(|now_ns| begins.begin_at(SECOND + now_ns));
    ends.end_at(SECOND + 3, first);
    begins.abandon_at(SECOND + 3, second);
    breaker.poll_at(SECOND + 3);
    assert_eq!((breaker.snapshot().trials_good, breaker.snapshot().trials_out), (1, 0));
    for now_ns in [SECOND + 4, SECOND + 6] {
        assert!(begins.allow());
        let call = begins.begin_at(now_ns);
        ends.end_at(now_ns + 1, call);
        breaker.poll_at(now_ns + 1);
    }
    assert_eq!(last(&breaker).reason, Reason::Recovered);
}

#[test]
fn a_record_on_either_half_is_the_trial_of_who_has_no_tickets() {
    for on_begins in [true, false] {
        let mut breaker = half_open(Config { probes: 1, ..config() });
        let (mut begins, mut ends) = breaker.lane().split();
        assert!(begins.allow());
        if on_begins {
            begins.record_at(SECOND + 1, 1)
        } else {
            ends.record_at(SECOND + 1, 1)
        }
        breaker.poll_at(SECOND + 1);
        assert_eq!(last(&breaker).reason, Reason::Recovered);
    }
}

#[test]
fn a_stale_end_on_the_other_half_is_stale() {
    let mut breaker = breaker(Config { spike_count: 1, ..config() });
    let (mut begins, mut ends) = breaker.lane().split();
    let heard = begins.begin_at(1);
    breaker.poll_at(1);
    let unheard = begins.begin_at(2);
    open_at(&mut breaker, 3);
    breaker.poll_at(SECOND + 3);
    assert_eq!((breaker.state(), breaker.snapshot().in_flight), (State::HalfOpen, 0));
    ends.fail_at(SECOND + 4, heard);
    ends.fail_at(SECOND + 4, unheard);
    breaker.poll_at(SECOND + 4);
    assert_eq!((breaker.state(), breaker.snapshot().stale, breaker.snapshot().misused), (State::HalfOpen, 2, 0));
    // Their places are free again.
    let calls: Vec<_> = (0..Breaker::LANE_CAPACITY).map(|_| begins.begin_at(SECOND + 5)).collect();
    assert_eq!((calls.len(), begins.dropped()), (4096, 0));
}

#[test]
fn tickets_that_are_out_when_a_lane_is_split_stay_good() {
    let mut breaker = breaker(config());
    let mut lane = breaker.lane_with_capacity(4);
    let tracked = [1, 2, 3, 4].map(|now_ns| lane.begin_at(now_ns));
    let untracked = lane.begin_at(5);
    let (mut begins, mut ends) = lane.split();
    let [first, second, ..] = tracked;
    ends.end_at(6, first);
    begins.fail_at(6, second);
    ends.end_at(6, untracked);
    ends.end_at(6, untracked);
    breaker.poll_at(7);
    let snapshot = breaker.snapshot();
    assert_eq!((snapshot.samples, snapshot.in_flight, snapshot.misused, snapshot.dropped), (3, 2, 1, 1));
}

#[test]
fn no_end_is_dropped_however_full_both_queues_are() {
    let mut breaker = breaker(Config { stall_limit_ns: 0, ..config() });
    let (mut begins, mut ends) = breaker.lane_with_capacity(4).split();
    let mut told = 0;
    for round in 0..50 {
        let now_ns = round * 100;
        let calls = [1, 2, 3, 4].map(|later_ns| begins.begin_at(now_ns + later_ns));
        for later_ns in 0..9 {
            begins.record_at(now_ns + later_ns, 1);
            ends.record_at(now_ns + later_ns, 1);
        }
        let dropped = begins.dropped();
        for (index, call) in calls.into_iter().enumerate() {
            if (index as u64 + round) % 2 == 0 {
                begins.fail_at(now_ns + 20, call)
            } else {
                ends.end_at(now_ns + 20, call)
            }
        }
        assert_eq!(ends.dropped(), dropped, "an end is dropped");
        breaker.poll_at(now_ns + 30);
        told += 22;
        let snapshot = breaker.snapshot();
        assert_eq!((snapshot.recorded + dropped, snapshot.in_flight, snapshot.misused), (told, 0, 0));
    }
}

#[test]
fn one_half_may_go_before_the_other() {
    let mut breaker = breaker(config());
    let (mut begins, mut ends) = breaker.lane().split();
    let calls = [1, 2].map(|now_ns| begins.begin_at(now_ns));
    drop(begins);
    breaker.poll_at(3);
    let [first, second] = calls;
    ends.end_at(4, first);
    drop(ends);
    breaker.poll_at(5);
    assert_eq!((breaker.snapshot().samples, breaker.snapshot().in_flight), (1, 1));
    let _ = second; // nobody can end it: it becomes overdue, and stalls
    breaker.poll_at(SECOND + 2);
    assert_eq!(last(&breaker).reason, Reason::Stall);

    let (mut begins, ends) = self::breaker(config()).lane().split();
    drop(ends);
    let call = begins.begin_at(1);
    begins.fail_at(2, call);
    assert!(!begins.allow(), "nobody watches");
}

#[test]
fn the_oldest_call_stalls_whichever_half_is_silent() {
    let mut breaker = breaker(Config { min_samples: 1000, ..config() });
    let (mut begins, mut ends) = breaker.lane().split();
    let lost = begins.begin_at(7);
    for now_ns in (0..SECOND + 7).step_by(100 * MS as usize) {
        let call = begins.begin_at(now_ns.max(8));
        ends.end_at(now_ns.max(8), call);
        breaker.poll_at(now_ns.max(8));
    }
    assert_eq!((breaker.state(), breaker.next_deadline()), (State::Closed, SECOND + 7));
    breaker.poll_at(SECOND + 7);
    assert_eq!((last(&breaker).reason, last(&breaker).t_ns), (Reason::Stall, SECOND + 7));
    ends.end_at(SECOND + 8, lost);
    breaker.poll_at(SECOND + 8);
    assert_eq!((breaker.snapshot().in_flight, breaker.snapshot().misused), (0, 0));
}

#[test]
fn a_late_call_is_late_by_its_own_start() {
    let mut breaker = breaker(Config { min_samples: 1, stall_limit_ns: 0, ..config() });
    let (mut begins, _ends) = breaker.lane().split();
    let _call = begins.begin_at(5);
    breaker.poll_at(100 * MS);
    assert_eq!(breaker.next_deadline(), 5 + THRESHOLD + 1);
}
