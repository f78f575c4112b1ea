//! Handles: `Observer` < `Gate` < `Lane`, each with the powers of the one before.

use std::thread;
use trip99::{Breaker, Config, Gate, Halted, Holder, Lane, Observer, Reason, Resumed, State};

fn breaker() -> Breaker {
    Breaker::new(Config { consecutive_failures: 1, jitter_ppm: 0, ..Config::default() }).unwrap()
}

/// What an observer tells.
fn seen(observer: &Observer) -> (Option<State>, bool, Option<u64>, usize) {
    let recorded = observer.snapshot().map(|snapshot| snapshot.recorded);
    (observer.state(), observer.is_halted(), recorded, observer.events().count())
}

#[test]
fn gates_and_lanes_tell_what_an_observer_tells() {
    let mut breaker = breaker();
    let (observer, gate, lane) = (breaker.observer(), breaker.gate(), breaker.lane());
    let (begins, ends) = breaker.lane().split();
    breaker.record_at(1, 1);
    breaker.record_failure_at(2, 1);
    let expected = (Some(State::Open), false, Some(2), 1);
    assert_eq!([&observer, &*gate, &**lane, &**begins, &*ends].map(seen), [expected; 5]);
    assert_eq!([gate.retry_at_ns(), lane.retry_at_ns()], [1_000_000_002; 2]);
    // Handles that are got from handles are of the same breaker.
    assert_eq!([gate.observer(), lane.observer(), ends.clone()].each_ref().map(seen), [expected; 3]);
}

/// Halts, or resumes if there is no reason.
fn halt(gate: &Gate, reason: &str) {
    if reason.is_empty() {
        assert_eq!(gate.resume(""), Resumed::Done);
        assert_eq!(gate.resume(""), Resumed::NotHeld);
    } else {
        assert_eq!(gate.halt(reason), Halted::Done);
    }
}

/// A power that is a gate's, by every handle that has it.
#[test]
fn each_handle_halts_with_a_reason_and_resumes() {
    let mut breaker = breaker();
    breaker.poll_at(0);
    let (gate, lane) = (breaker.gate(), breaker.lane());
    let (begins, ends) = breaker.lane().split();
    type Power<'a> = &'a dyn Fn(&str);
    let (by_gate, by_lane): (Power, Power) = (&|reason| halt(&gate, reason), &|reason| halt(&lane, reason));
    let by_begins: Power = &|reason| halt(&begins, reason);
    let by_ends: Power = &|reason| {
        if reason.is_empty() {
            assert_eq!(ends.resume(""), Resumed::Done);
        } else {
            assert_eq!(ends.halt(reason), Halted::Done);
        }
    };
    let handles = [("gate", by_gate), ("lane", by_lane), ("begins", by_begins), ("ends", by_ends)];
    for ((reason, handle), now_ns) in handles.into_iter().zip(1..) {
        handle(reason);
        assert!(!breaker.allow_at(now_ns) && !gate.allow() && gate.is_halted());
        let note = gate.halt_note().unwrap();
        assert_eq!((&*note.reason, note.pid), (reason, std::process::id()));
        assert_eq!((note.holder, gate.holders().notes()), (Some(Holder::ENGINE), &[note.clone()][..]));
        handle("");
        assert!(!gate.allow() && gate.is_halted() && gate.holders().is_empty(), "the owner alone opens");
        breaker.poll_at(now_ns);
        assert!(breaker.allow_at(now_ns) && gate.allow());
        let entry = gate.log_entry(note.entry).map(|entry| (entry.is_halt, entry.note));
        assert_eq!((gate.halt_note(), entry), (None, Some((true, note))), "the log has the note");
    }
    let reasons: Vec<Reason> = breaker.events().map(|event| event.reason).collect();
    assert_eq!(reasons, [Reason::Halt, Reason::Resume].repeat(4));
}

#[test]
fn the_owners_own_halt_says_why_too() {
    let mut breaker = breaker();
    let observer = breaker.observer();
    assert_eq!(observer.halt_note(), None);
    for (now_ns, reason) in [(1, "position limit"), (2, ""), (3, "again\n")] {
        breaker.halt_at(now_ns, reason);
        assert!(!breaker.allow_at(now_ns));
        assert_eq!(observer.halt_note().unwrap().reason, reason.replace('\n', " "));
        if now_ns < 3 {
            assert_eq!(breaker.resume_at(now_ns, "all is well"), Resumed::Done);
            assert!(breaker.allow_at(now_ns), "the owner's own resume opens at once");
        }
    }
    drop(breaker);
    assert_eq!(observer.halt_note().unwrap().reason, "again ", "an observer outlives the breaker");
    let log = (1..).map_while(|number| observer.log_entry(number));
    let log: Vec<_> = log.map(|entry| (entry.is_halt, entry.note.reason)).collect();
    let told = [(true, "position limit"), (false, "all is well"), (true, ""), (false, "all is well"), (true, "again ")];
    assert_eq!(log, told.map(|(is_halt, reason)| (is_halt, reason.to_owned())));
}

/// A lane's own `allow` and `release` are about its own grants; those of the gate that it is are another handle's.
#[test]
fn a_lane_and_the_gate_that_it_is_have_grants_of_their_own() {
    let config = Config { start: trip99::Start::HalfOpen, probes: 2, trials_in_flight: 2, ..Config::default() };
    let mut breaker = Breaker::new(config).unwrap();
    let mut lane: Lane = breaker.lane();
    assert!(lane.allow());
    let gate: &Gate = &lane;
    assert!(gate.allow() && !gate.allow());
    gate.release();
    gate.release(); // it has no other: the lane's is not its own
    assert!(gate.allow() && !gate.allow());
    lane.release();
    assert!(lane.allow() && !lane.allow());
}

/// Whoever asks by a handle of a breaker that has ended is refused, in shadow, too. A halt by it halts nobody, and says so.
#[test]
fn handles_of_a_breaker_that_has_ended_refuse_for_ever() {
    for shadow in [false, true] {
        let mut breaker = Breaker::new(Config { shadow, ..Config::default() }).unwrap();
        let (gate, mut lane) = (breaker.gate(), breaker.lane());
        let (mut begins, _ends) = breaker.lane().split();
        breaker.poll_at(0);
        assert!(gate.allow() && lane.allow() && begins.allow());
        drop(breaker);
        for _ in 0..2 {
            assert_eq!([gate.allow(), lane.allow(), begins.allow(), gate.clone().allow()], [false; 4], "{shadow}");
            assert_eq!((gate.state(), gate.is_halted()), (Some(State::Open), false));
            assert_eq!((gate.halt("too late"), lane.resume("")), (Halted::Ended, Resumed::Ended));
        }
        assert!(gate.holders().is_empty() && gate.log_entries() == 0, "nothing was done");
    }
}

#[test]
fn handles_go_to_other_threads() {
    let mut breaker = breaker();
    let (gate, mut lane) = (breaker.gate(), breaker.lane());
    let shared = &gate;
    thread::scope(|scope| {
        scope.spawn(move || shared.clone().halt("from a thread"));
        scope.spawn(move || {
            let call = lane.begin();
            lane.end(call);
            assert!(lane.observer().state().is_some());
        });
    });
    breaker.poll();
    assert!(breaker.snapshot().halted && breaker.snapshot().samples == 1);
}
