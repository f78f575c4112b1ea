//! Real threads: traders with gates and lanes, halters and observers, beside the owner. Each test has a fixed number of rounds,
//! and asserts no time.
//!
//! There is no harness, so that ThreadSanitizer can watch: the standard library's harness isn't instrumented.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;
use trip99::supervisor::{Node, Notice};
use trip99::{Breaker, Config, Halted, Holder, Lane, Recovery, Resumed, State, Supervisor};

const TRADERS: u64 = 3;
const MS: u64 = 1_000_000;

fn rounds() -> u64 {
    std::env::var("TRIP99_ROUNDS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(2000)
}

/// Nothing trips this breaker by itself, however slow the machine is.
fn patient() -> Config {
    Config { jitter_ppm: 0, ..Config::for_threshold(Duration::from_nanos(i64::MAX as u64)) }
}

fn breaker(config: Config) -> Breaker {
    Breaker::new(config).expect("a legal config")
}

/// Joins the threads by hand: ThreadSanitizer doesn't see how a scope waits for its threads.
fn join(threads: Vec<thread::ScopedJoinHandle<'_, ()>>) {
    threads.into_iter().for_each(|thread| thread.join().expect("no panic"));
}

/// Polls until the traders are gone, and once more for what they left.
fn poll_while(breaker: &mut Breaker, traders: Vec<thread::ScopedJoinHandle<'_, ()>>) {
    while !traders.iter().all(thread::ScopedJoinHandle::is_finished) {
        breaker.poll();
        thread::yield_now();
    }
    join(traders);
    breaker.poll();
}

/// What lanes are told becomes a sample, or is counted as dropped. No end is dropped.
fn nothing_is_lost() {
    let (told, taken, dropped) = tell_lanes_of(16, rounds());
    // A call that found the lane full is dropped once as it begins, and maybe once more as it ends.
    assert!(taken <= told && taken + dropped >= told, "{taken} taken and {dropped} dropped of {told}");
    // A lane is empty at first, so that much is taken however rarely the owner polls.
    assert!(taken >= 4 * TRADERS, "{taken} taken of {told}");
}

/// Lanes with room for all that they are told drop nothing.
fn nothing_is_dropped_where_there_is_room() {
    let rounds = rounds().min(20_000);
    let (told, taken, dropped) = tell_lanes_of(7 * rounds as u32, rounds);
    assert_eq!((told, taken, dropped), (4 * TRADERS * rounds, told, 0));
}

/// Each round is 7 messages of 4 calls. Returns how many calls were told, and how many of them were taken in and dropped.
fn tell_lanes_of(capacity: u32, rounds: u64) -> (u64, u64, u64) {
    let mut breaker = breaker(patient());
    let told = AtomicU64::new(0);
    thread::scope(|scope| {
        let traders: Vec<_> = (0..TRADERS)
            .map(|trader| {
                let (gate, mut lane) = (breaker.gate(), breaker.lane_with_capacity(capacity));
                let told = &told;
                scope.spawn(move || {
                    for round in 0..rounds {
                        assert!(gate.allow());
                        let calls = [lane.begin(), lane.begin(), lane.begin()];
                        lane.record(round);
                        calls.into_iter().for_each(|call| lane.end(call));
                        told.fetch_add(4, Ordering::Relaxed);
                        if (round + trader) % 8 == 0 {
                            thread::yield_now();
                        }
                    }
                })
            })
            .collect();
        poll_while(&mut breaker, traders);
    });
    let snapshot = breaker.snapshot();
    assert_eq!((snapshot.in_flight, snapshot.misused, snapshot.stale), (0, 0, 0));
    (told.into_inner(), snapshot.recorded, snapshot.dropped)
}

/// One thread begins calls and another ends them. Some calls are ended by both, and then one end counts. Each call that began has
/// one end.
fn a_lane_has_two_ends() {
    let mut breaker = breaker(Config { consecutive_failures: 0, failure_rate_ppm: 1_000_000, ..patient() });
    let (mut begins, mut ends) = breaker.lane_with_capacity(64).split();
    let (begun, abandoned, doubled) = (AtomicU64::new(0), AtomicU64::new(0), AtomicU64::new(0));
    let (mut sent, mut to_be_answered) = rtrb::RingBuffer::new(4 * rounds() as usize);
    thread::scope(|scope| {
        let (begun, abandoned, doubled) = (&begun, &abandoned, &doubled);
        let sender = scope.spawn(move || {
            for round in 0..4 * rounds() {
                while !begins.allow() {
                    thread::yield_now(); // until there is room
                }
                let call = begins.begin();
                begun.fetch_add(1, Ordering::Relaxed);
                match round % 16 {
                    0 => {
                        begins.abandon(call); // it was never sent
                        abandoned.fetch_add(1, Ordering::Relaxed);
                    }
                    1 => begins.fail(call),
                    2 => {
                        // The send seemed to fail, but an answer comes.
                        sent.push(call).expect("there is room");
                        doubled.fetch_add(1, Ordering::Relaxed);
                        begins.fail(call);
                    }
                    _ => sent.push(call).expect("there is room"),
                }
            }
        });
        let receiver = scope.spawn(move || {
            let mut answered = 0;
            loop {
                let is_over = to_be_answered.is_abandoned();
                match to_be_answered.pop() {
                    Ok(call) if answered % 5 == 0 => ends.fail(call),
                    Ok(call) => ends.end(call),
                    Err(_) if is_over => break,
                    Err(_) => thread::yield_now(),
                }
                answered += 1;
            }
        });
        poll_while(&mut breaker, vec![sender, receiver]);
    });
    let snapshot = breaker.snapshot();
    let [begun, abandoned, doubled] = [begun, abandoned, doubled].map(AtomicU64::into_inner);
    assert_eq!((begun, doubled), (4 * rounds(), rounds() / 4));
    assert_eq!((snapshot.recorded, snapshot.in_flight), (begun - abandoned, 0));
    assert_eq!((snapshot.misused, snapshot.dropped, snapshot.stale), (doubled, 0, 0));
}

/// Threads open lanes of a breaker that a supervisor owns, and let go of them.
fn lanes_of_a_supervised_breaker() {
    // ThreadSanitizer doesn't see the standard library's lock, by which openers wait for each other.
    const OPENERS: u64 = if cfg!(tsan) { 1 } else { TRADERS };
    let supervisor = Supervisor::builder().breaker("node", breaker(patient())).busy().start().expect("it starts");
    let told = AtomicU64::new(0);
    thread::scope(|scope| {
        let openers: Vec<_> = (0..OPENERS)
            .map(|_| {
                let (supervisor, told) = (&supervisor, &told);
                scope.spawn(move || {
                    for _ in 0..rounds() / 20 {
                        let mut lane = supervisor.lane_with_capacity("node", 8).expect("it runs");
                        let call = lane.begin();
                        lane.record(1);
                        lane.end(call);
                        told.fetch_add(2, Ordering::Relaxed);
                    }
                })
            })
            .collect();
        join(openers);
    });
    assert!(supervisor.lane("nobody").is_none() && supervisor.gate("node").is_some_and(|gate| gate.allow()));
    let breakers = supervisor.stop();
    let snapshot = breakers[0].1.snapshot();
    assert_eq!((snapshot.recorded, snapshot.in_flight), (told.into_inner(), 0));
    assert_eq!((snapshot.misused, snapshot.dropped, snapshot.stale), (0, 0, 0));
}

/// A lane may be dropped at any moment, while the owner drains it and while others are opened.
fn lanes_come_and_go() {
    let mut breaker = breaker(patient());
    let ended = AtomicU64::new(0);
    for _ in 0..rounds() / 20 {
        let mut lanes: Vec<Lane> = (0..TRADERS).map(|_| breaker.lane_with_capacity(64)).collect();
        thread::scope(|scope| {
            let traders: Vec<_> = lanes
                .drain(..)
                .map(|mut lane| {
                    let ended = &ended;
                    scope.spawn(move || {
                        for _ in 0..20 {
                            let call = lane.begin();
                            lane.end(call);
                        }
                        ended.fetch_add(20, Ordering::Relaxed);
                    })
                })
                .collect();
            poll_while(&mut breaker, traders);
        });
    }
    assert_eq!((breaker.snapshot().recorded, breaker.snapshot().dropped), (ended.into_inner(), 0));
}

/// Over many epochs there are never more trials out at the same time than the config says, nor more granted in one epoch.
fn trials_are_never_over_admitted() {
    const PROBES: u32 = 5;
    const OUT: u32 = 2;
    let mut breaker = breaker(Config {
        consecutive_failures: 1,
        probes: PROBES,
        trials_in_flight: OUT,
        probe_timeout_ns: u64::MAX,
        backoff_base_ns: 1,
        backoff_max_ns: 1,
        recover_threshold_ns: (1 << 63) - 1,
        ..patient()
    });
    let (out, granted) = (AtomicU32::new(0), AtomicU32::new(0));
    let (is_testing, is_over) = (AtomicBool::new(false), AtomicBool::new(false));
    let are_busy: Vec<AtomicBool> = (0..TRADERS).map(|_| AtomicBool::new(false)).collect();
    thread::scope(|scope| {
        let mut traders = Vec::new();
        for is_busy in &are_busy {
            let (gate, mut lane) = (breaker.gate(), breaker.lane());
            let (out, granted, is_testing, is_over) = (&out, &granted, &is_testing, &is_over);
            traders.push(scope.spawn(move || {
                for asked in 0_u64.. {
                    is_busy.store(false, Ordering::SeqCst);
                    thread::yield_now();
                    if is_over.load(Ordering::SeqCst) {
                        break;
                    }
                    is_busy.store(true, Ordering::SeqCst);
                    // If the breaker is closed this was no trial. The owner doesn't trip it again while anybody is busy.
                    if !is_testing.load(Ordering::SeqCst) || !gate.allow() || gate.state() == Some(State::Closed) {
                        continue;
                    }
                    assert!(out.fetch_add(1, Ordering::SeqCst) < OUT, "too many trials are out");
                    if asked % 4 == 0 {
                        out.fetch_sub(1, Ordering::SeqCst);
                        gate.release();
                        continue;
                    }
                    granted.fetch_add(1, Ordering::SeqCst);
                    let call = lane.begin();
                    out.fetch_sub(1, Ordering::SeqCst);
                    lane.end(call);
                }
            }));
        }
        for _ in 0..rounds() / 20 {
            breaker.record_failure(0);
            assert_eq!(breaker.state(), State::Open);
            while breaker.state() != State::HalfOpen {
                breaker.poll();
            }
            granted.store(0, Ordering::SeqCst);
            is_testing.store(true, Ordering::SeqCst);
            while breaker.state() != State::Closed {
                breaker.poll();
                thread::yield_now();
            }
            is_testing.store(false, Ordering::SeqCst);
            while are_busy.iter().any(|is_busy| is_busy.load(Ordering::SeqCst)) {
                thread::yield_now();
            }
            assert_eq!(granted.load(Ordering::SeqCst), PROBES);
        }
        is_over.store(true, Ordering::SeqCst);
        join(traders);
    });
}

/// Every thread that sees a halt made obeys it, until its holder resumes, whoever else resumes meanwhile. Every reader's events are
/// in order.
fn halts_and_readers() {
    let mut breaker = breaker(patient());
    let (gate, observer) = (breaker.gate(), breaker.observer());
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        let mut readers = Vec::new();
        for _ in 0..2 {
            let (observer, is_over) = (observer.clone(), &is_over);
            let mut events = observer.events(); // here: a thread that starts late would begin with a later event
            readers.push(scope.spawn(move || {
                let mut next = 0;
                loop {
                    let was_over = is_over.load(Ordering::Acquire);
                    while let Some(event) = events.next() {
                        assert!(event.sequence >= next && event.sequence <= next + events.missed());
                        next = event.sequence + 1;
                    }
                    assert!(observer.snapshot().is_none_or(|snapshot| snapshot.samples == 0));
                    if was_over {
                        break;
                    }
                    thread::yield_now();
                }
            }));
        }
        let holders = [Holder::ENGINE, Holder::engine("risk"), Holder::engine("desk")];
        let halters = holders.map(|holder| {
            let gate = gate.clone();
            scope.spawn(move || {
                for round in 0..rounds() {
                    assert_eq!(gate.halt_as(holder, ""), Halted::Done);
                    for _ in 0..round % 4 {
                        assert!(!gate.allow() && gate.is_halted());
                        thread::yield_now();
                    }
                    assert!(!gate.allow() && gate.is_halted());
                    let resumed = gate.resume_as(holder, "");
                    assert!(matches!(resumed, Resumed::Done | Resumed::StillHeld), "{resumed:?}");
                    assert_eq!(gate.resume_as(holder, ""), Resumed::NotHeld);
                    // Now and then all have resumed, and the owner opens.
                    thread::yield_now();
                }
                gate.halt_as(holder, "");
            })
        });
        while halters.iter().any(|halter| !halter.is_finished()) {
            let _ = breaker.allow();
            breaker.poll();
        }
        join(halters.into());
        assert_eq!(gate.log_entries(), holders.len() as u64 * (2 * rounds() + 1), "none is lost");
        for (holder, left) in holders.into_iter().zip([Resumed::StillHeld, Resumed::StillHeld, Resumed::Done]) {
            assert!(!breaker.allow() && breaker.snapshot().halted && !gate.allow());
            assert_eq!(gate.resume_as(holder, ""), left);
        }
        assert!(!gate.allow(), "the owner alone opens");
        assert!(breaker.allow() && gate.allow());
        is_over.store(true, Ordering::Release);
        join(readers);
    });
}

/// A supervisor drains the lanes of several traders, asks a check, and tells a listener everything, in order.
fn a_supervisor_serves_all() {
    let check_config = Config {
        recovery: Recovery::HealthChecks,
        consecutive_failures: 1,
        probes: 2,
        backoff_base_ns: 1,
        backoff_max_ns: 1,
        ..patient()
    };
    let mut breaker = breaker(check_config);
    let mut lanes: Vec<_> = (0..TRADERS).map(|_| (breaker.gate(), breaker.lane())).collect();
    let told = Arc::new(AtomicU64::new(0));
    let told_by_listener = Arc::clone(&told);
    let supervisor = Supervisor::builder()
        .node(Node::new("node", breaker).health_check(|_: Duration| Ok(())).check_every(Duration::from_millis(1)))
        .listen_every(Duration::from_millis(1))
        .listener(move |_: &str, notice: Notice| {
            let Notice::Event(event) = notice else { panic!("nothing is missed") };
            assert_eq!(told_by_listener.fetch_add(1, Ordering::Relaxed), event.sequence);
        })
        .start()
        .expect("it starts");
    let traders: Vec<_> = lanes
        .drain(..)
        .map(|(gate, mut lane)| {
            thread::spawn(move || {
                let mut failed = 0;
                while failed < 3 {
                    if !gate.allow() {
                        thread::yield_now();
                        continue;
                    }
                    let call = lane.begin();
                    lane.end(call);
                    let call = lane.begin();
                    lane.fail(call);
                    failed += 1;
                }
            })
        })
        .collect();
    traders.into_iter().for_each(|trader| trader.join().expect("no panic"));
    let breakers = supervisor.stop();
    let events = breakers[0].1.snapshot().events;
    assert!(events >= 1 && told.load(Ordering::Relaxed) == events, "{events} events");
}

/// The owner and its breaker may move between threads.
fn ownership_moves() {
    let mut breaker = breaker(patient());
    for round in 0..20 {
        breaker = thread::spawn(move || {
            breaker.record(MS);
            breaker.poll();
            breaker
        })
        .join()
        .expect("the owner panicked");
        assert_eq!(breaker.snapshot().recorded, round + 1);
    }
}

fn main() {
    // A panic ends the process, as other threads would wait for the thread that panicked.
    let report = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        report(panic);
        std::process::abort();
    }));
    let tests: [(&str, fn()); 9] = [
        ("nothing_is_lost", nothing_is_lost),
        ("nothing_is_dropped_where_there_is_room", nothing_is_dropped_where_there_is_room),
        ("a_lane_has_two_ends", a_lane_has_two_ends),
        ("lanes_of_a_supervised_breaker", lanes_of_a_supervised_breaker),
        ("lanes_come_and_go", lanes_come_and_go),
        ("trials_are_never_over_admitted", trials_are_never_over_admitted),
        ("halts_and_readers", halts_and_readers),
        ("a_supervisor_serves_all", a_supervisor_serves_all),
        ("ownership_moves", ownership_moves),
    ];
    for (name, test) in tests {
        test();
        println!("test {name} ... ok");
    }
    println!("\ntest result: ok. {} passed; 0 failed", tests.len());
}
