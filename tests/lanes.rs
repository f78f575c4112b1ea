//! Gates and lanes, as far as `tests/conformance` can't test them: gates, which only Rust has, and rows of many rounds. The
//! tests run in virtual time on one thread. (`threads.rs` has real threads.)

mod common;
use common::{MS, SECOND, config, half_open, last, open_at};
use trip99::{Breaker, Config, Reason, State};

/// Nobody finds the owner silent: a warden would, by real time.
fn breaker(config: Config) -> Breaker {
    trip99::warden::disable();
    common::breaker(config)
}

/// A breaker that is half-open since 1 s, with so many trials, so many at a time. Its owner may be silent, so that its deadlines are those of
/// trials.
fn with_trials(probes: u32, trials_in_flight: u32) -> Breaker {
    trip99::warden::disable();
    half_open(Config { probes, trials_in_flight, owner_timeout_ns: 0, ..config() })
}

#[test]
fn a_breaker_with_a_gate_or_a_lane_is_to_be_polled_within_half_an_owner_timeout() {
    let handles: [fn(&mut Breaker); 3] =
        [|breaker| drop(breaker.gate()), |breaker| drop(breaker.lane()), |breaker| drop(breaker.lane().split())];
    for owner_timeout_ns in [0, 10 * MS, SECOND, u64::MAX] {
        for handle in handles {
            let mut breaker = breaker(Config { owner_timeout_ns, ..config() });
            breaker.poll_at(SECOND);
            assert_eq!(breaker.next_deadline_ns(), u64::MAX, "nobody else asks");
            handle(&mut breaker);
            for now_ns in [SECOND, SECOND + 1, 100 * SECOND] {
                breaker.poll_at(now_ns);
                let half_ns = if owner_timeout_ns == 0 { u64::MAX } else { owner_timeout_ns / 2 };
                let deadline_ns = now_ns.saturating_add(half_ns);
                assert_eq!(breaker.next_deadline_ns(), deadline_ns, "{owner_timeout_ns}");
                // Nothing else that the owner does is a sign of life.
                breaker.record_at(now_ns + 1, 1);
                assert!(breaker.allow_at(now_ns + 1));
                assert_eq!(breaker.next_deadline_ns(), deadline_ns, "{owner_timeout_ns}");
            }
        }
    }
}

#[test]
fn a_gate_asks_as_a_lane_does() {
    let mut breaker = breaker(config());
    let gate = breaker.gate();
    assert!(gate.allow() && gate.clone().allow());
    gate.halt("");
    assert!(!gate.allow() && gate.is_halted());
    gate.resume("");
    assert!(!gate.allow(), "the owner hasn't looked");
    breaker.poll_at(0);
    assert!(gate.allow());
    drop(breaker);
    assert!(!gate.allow() && gate.state() == Some(State::Open), "nobody watches");
}

#[test]
fn a_gate_gives_back_its_own_grants_only() {
    let mut breaker = with_trials(3, 3);
    let (gate, mut lane) = (breaker.gate(), breaker.lane());
    assert!(gate.allow() && gate.allow() && lane.allow() && !gate.clone().allow());
    gate.clone().release();
    gate.release();
    lane.release();
    lane.release();
    breaker.poll_at(SECOND + 1);
    assert_eq!((breaker.snapshot().trials_granted, breaker.snapshot().trials_out), (1, 1));
    gate.release();
    gate.release();
    breaker.poll_at(SECOND + 2);
    assert_eq!((breaker.snapshot().trials_granted, breaker.next_deadline_ns()), (0, u64::MAX));
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
fn a_lane_has_room_for_as_many_calls_and_records_as_it_says() {
    let mut breaker = breaker(Config { stall_limit_ns: 0, ..config() });
    for asked in [0, 4, 9] {
        let len = u64::from(asked.max(4));
        let mut lane = breaker.lane_with_capacity(asked);
        (0..len + 2).for_each(|now_ns| lane.record_at(now_ns, 1));
        assert_eq!(lane.dropped(), 2);
        breaker.poll_at(len);
        let before = breaker.snapshot();
        // A call has its place until the owner has heard its end.
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
fn two_halves_and_a_whole_lane_have_the_same_verdicts() {
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
fn no_end_is_dropped_however_full_both_halves_queues_are() {
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
            if (index as u64 + round).is_multiple_of(2) {
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

/// Calls that an epoch has forgotten may come back all at once, beside calls and records that fill the queues.
#[test]
fn no_end_is_dropped_when_the_ends_of_forgotten_calls_come_late() {
    for is_split in [false, true] {
        let mut breaker = breaker(Config { spike_count: 1, trials_in_flight: 10, ..config() });
        let lane = breaker.lane_with_capacity(4);
        let (mut begins, mut ends) = lane.split();
        let lost = [1, 2, 3, 4].map(|now_ns| begins.begin_at(now_ns));
        breaker.poll_at(4);
        open_at(&mut breaker, 5);
        breaker.poll_at(2 * SECOND);
        assert_eq!((breaker.state(), breaker.snapshot().in_flight), (State::HalfOpen, 0));
        // The queues are filled.
        (0..9).for_each(|_| begins.record_at(2 * SECOND + 1, 1));
        (0..9).for_each(|_| ends.record_at(2 * SECOND + 1, 1));
        let dropped = ends.dropped();
        assert_eq!(dropped, 5 + 5);
        let mut fail = |begins: &mut trip99::lane::BeginHalf, call| {
            // Each half in turn may tell all of them.
            if is_split { ends.end_at(2 * SECOND + 2, call) } else { begins.fail_at(2 * SECOND + 2, call) }
        };
        lost.into_iter().for_each(|call| fail(&mut begins, call));
        let next = [1, 2, 3, 4].map(|_| begins.begin_at(2 * SECOND + 1));
        next.into_iter().for_each(|call| fail(&mut begins, call));
        assert_eq!(begins.dropped(), dropped, "an end is dropped");
        breaker.poll_at(2 * SECOND + 3);
        let snapshot = breaker.snapshot();
        assert_eq!((snapshot.in_flight, snapshot.stale, snapshot.misused), (0, 4, 0));
    }
}
