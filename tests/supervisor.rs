//! The thread that owns breakers, with real threads and the real clock. So the tests wait for what happens, and don't time it.

mod common;
use common::{LIMIT, MS, config, eventually, quantile_only, reasons};
use std::error::Error;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};
use trip99::supervisor::{Node, Notice, SupervisorBuilder, SupervisorError};
use trip99::{Breaker, Config, Halted, Reason, Recovery, Resumed, State, Supervisor};

const AN_HOUR: Duration = Duration::from_secs(3600);

/// Trips at the first slow sample, and pauses for 10 ms.
fn quick() -> Config {
    Config { spike_count: 1, backoff_base_ns: 10 * MS, backoff_max_ns: 10 * MS, ..config() }
}

fn breaker(config: Config) -> Breaker {
    common::breaker(config)
}

/// Starts the supervisor with a listener that sends each event's breaker and reason.
fn start(builder: SupervisorBuilder) -> (Supervisor, mpsc::Receiver<(String, Reason)>) {
    let (sender, heard) = mpsc::channel();
    let builder = builder.listener(move |name, notice| match notice {
        Notice::Event(event) => sender.send((name.to_owned(), event.reason)).expect("the test listens"),
        other => panic!("{other:?}"),
    });
    (builder.start().expect("it starts"), heard)
}

#[test]
fn a_breaker_trips_and_retries_with_nobody_asking() {
    for busy in [false, true] {
        let mut breaker = breaker(quick());
        let (gate, mut lane) = (breaker.gate(), breaker.lane());
        let builder = Supervisor::builder().breaker("gateway", breaker);
        let (supervisor, heard) = start(if busy { builder.busy() } else { builder });
        assert!(gate.allow());
        lane.record(u64::MAX >> 1);
        eventually("a trial", || gate.state() == Some(State::HalfOpen) && gate.allow());
        let (name, breaker) = supervisor.stop().pop().expect("the breaker");
        assert_eq!((name.as_str(), breaker.state()), ("gateway", State::HalfOpen));
        let heard: Vec<_> = heard.iter().collect();
        assert_eq!(heard, [("gateway".to_owned(), Reason::Spike), ("gateway".to_owned(), Reason::Retry)]);
    }
}

#[test]
fn breakers_are_on_their_own_and_come_back_in_order() {
    let names = ["c", "a", "b"];
    let mut builder = Supervisor::builder();
    let mut lanes = Vec::new();
    for name in names {
        let mut breaker = breaker(Config { backoff_base_ns: u64::MAX, backoff_max_ns: u64::MAX, ..quick() });
        lanes.push(breaker.lane());
        builder = builder.breaker(name, breaker);
    }
    let (supervisor, heard) = start(builder);
    lanes[1].record(u64::MAX >> 1);
    lanes[0].record(1);
    let observer = supervisor.observer("a").expect("it is there");
    eventually("a opens", || observer.state() == Some(State::Open));
    assert!(supervisor.observer("d").is_none());
    lanes[2].record(u64::MAX >> 1);
    let stopped = supervisor.stop();
    let states: Vec<_> = stopped.iter().map(|(name, breaker)| (name.as_str(), breaker.state())).collect();
    assert_eq!(states, [("c", State::Closed), ("a", State::Open), ("b", State::Open)]);
    assert_eq!(stopped[0].1.snapshot().samples, 1);
    let heard: Vec<_> = heard.iter().collect();
    assert_eq!(heard, [("a".to_owned(), Reason::Spike), ("b".to_owned(), Reason::Spike)]);
}

#[test]
fn lanes_of_several_threads_are_drained() {
    // A call that finds its lane full drops its begin, and perhaps its end.
    let (recorded, untold) = drain_lanes_of(256);
    assert!(recorded <= 4 * CALLS && recorded + untold >= 4 * CALLS, "{recorded} recorded, {untold} dropped");
    // A lane is empty at first, and each call is two messages.
    assert!(recorded >= 4 * 128, "{recorded} recorded, {untold} dropped");
    // With room for all, nothing is dropped.
    assert_eq!(drain_lanes_of(2 * CALLS as u32), (4 * CALLS, 0));
}

const CALLS: u64 = 20_000;

/// Four threads send so many calls each. Returns how many samples the breaker took in, and how many messages were dropped.
fn drain_lanes_of(capacity: u32) -> (u64, u64) {
    let mut breaker = breaker(Config { window_age_ns: 0, ..quantile_only() });
    let lanes: Vec<_> = (0..4).map(|_| breaker.lane_with_capacity(capacity)).collect();
    let supervisor = Supervisor::builder().interval(Duration::from_micros(100)).breaker("gateway", breaker).start();
    let supervisor = supervisor.expect("it starts");
    let untold: u64 = thread::scope(|scope| {
        let reporters: Vec<_> = lanes
            .into_iter()
            .map(|mut lane| {
                scope.spawn(move || {
                    for _ in 0..CALLS {
                        let dropped = lane.dropped();
                        let call = lane.begin();
                        lane.end(call);
                        if lane.dropped() > dropped {
                            thread::yield_now(); // the lane is full
                        }
                    }
                    lane.dropped()
                })
            })
            .collect();
        reporters.into_iter().map(|reporter| reporter.join().expect("a reporter")).sum()
    });
    let (_, breaker) = supervisor.stop().pop().expect("the breaker");
    let snapshot = breaker.snapshot();
    assert_eq!((snapshot.in_flight, snapshot.misused, snapshot.stale, snapshot.dropped), (0, 0, 0, untold));
    assert_eq!(snapshot.state, State::Closed);
    (snapshot.recorded, untold)
}

#[test]
fn stopping_drains_the_lanes_and_tells_the_rest() {
    let mut breaker = breaker(quick());
    let mut lane = breaker.lane();
    let observer = breaker.observer();
    let (supervisor, heard) =
        start(Supervisor::builder().interval(AN_HOUR).listen_every(AN_HOUR).breaker("gateway", breaker));
    eventually("the owner sleeps", || observer.snapshot().is_some());
    thread::sleep(Duration::from_millis(20)); // so that the owner most likely sleeps
    lane.record(u64::MAX >> 1);
    let (_, breaker) = supervisor.stop().pop().expect("the breaker");
    assert_eq!(breaker.state(), State::Open);
    assert_eq!(heard.iter().collect::<Vec<_>>(), [("gateway".to_owned(), Reason::Spike)]);
}

#[test]
fn a_deadline_is_not_slept_through() {
    let mut breaker = breaker(quick());
    breaker.record(u64::MAX >> 1);
    let gate = breaker.gate();
    let (supervisor, _heard) = start(Supervisor::builder().interval(AN_HOUR).breaker("gateway", breaker));
    eventually("half-open", || gate.state() == Some(State::HalfOpen));
    drop(supervisor);
}

#[test]
fn halts_from_elsewhere_are_journaled() {
    let mut breaker = breaker(config());
    let gate = breaker.gate();
    let (supervisor, heard) = start(Supervisor::builder().breaker("gateway", breaker));
    for (reason, turn) in [(Reason::Halt, true), (Reason::Resume, false)] {
        if turn {
            assert_eq!(gate.halt(""), Halted::Done);
            assert!(!gate.allow(), "a halt is in force before the owner knows of it");
        } else {
            assert_eq!(gate.resume(""), Resumed::Done);
        }
        assert_eq!(heard.recv_timeout(LIMIT), Ok(("gateway".to_owned(), reason)));
        assert_eq!(gate.allow(), !turn, "the gate changes before the journal tells of it");
    }
    drop(supervisor);
    assert!(heard.recv_timeout(LIMIT).is_err());
}

#[test]
fn dropping_joins_every_thread() {
    let (alive, calls) = (Arc::new(()), Arc::new(AtomicU64::new(0)));
    for busy in [false, true] {
        let settings = Config { recovery: Recovery::HealthChecks, start: trip99::Start::HalfOpen, ..config() };
        let (in_check, in_listener, in_hook, called) = (alive.clone(), alive.clone(), alive.clone(), calls.clone());
        let node = Node::new("gateway", breaker(settings)).health_check(move |_timeout| {
            let _ = &in_check;
            called.fetch_add(1, Ordering::Relaxed);
            Ok(())
        });
        let builder = Supervisor::builder().node(node).on_fault(move |_| drop(in_hook.clone()));
        let builder = builder.listener(move |_, _| drop(in_listener.clone()));
        let supervisor = if busy { builder.busy() } else { builder.interval(AN_HOUR) }.start().expect("it starts");
        eventually("a check", || calls.load(Ordering::Relaxed) > 0);
        drop(supervisor);
        assert_eq!(Arc::strong_count(&alive), 1, "a thread is left");
        calls.store(0, Ordering::Relaxed);
    }
}

#[test]
fn breakers_that_come_back_can_be_supervised_again() {
    let mut breaker = breaker(Config { probes: 1, threshold_ns: 1, ..quick() });
    let (gate, mut lane) = (breaker.gate(), breaker.lane());
    for round in 1..=3 {
        let supervisor = Supervisor::builder().breaker("gateway", breaker).start().expect("it starts");
        lane.record(2);
        eventually("a trial", || gate.state() == Some(State::HalfOpen) && gate.allow());
        lane.record(0);
        eventually("closed", || gate.state() == Some(State::Closed));
        (_, breaker) = supervisor.stop().pop().expect("the breaker");
        let each = [Reason::Spike, Reason::Retry, Reason::Recovered];
        assert_eq!(reasons(breaker.events()), each.repeat(round));
    }
}

#[test]
fn mistakes_are_told_before_anything_starts() {
    let checked = |settings, name: &str| Node::new(name, breaker(settings)).health_check(|_timeout| Ok(()));
    let by_checks = Config { recovery: Recovery::HealthChecks, ..config() };
    let messages = [
        Supervisor::builder(),
        Supervisor::builder().breaker("", breaker(config())),
        Supervisor::builder()
            .breaker("a", breaker(config()))
            .breaker("b", breaker(config()))
            .breaker("a", breaker(config())),
        Supervisor::builder().node(checked(config(), "a")),
        Supervisor::builder().node(checked(by_checks.clone(), "a").check_every(Duration::from_secs(2))),
    ]
    .map(|builder| builder.start().expect_err("a mistake").to_string());
    assert_eq!(
        messages,
        [
            "there is no breaker to supervise",
            "a breaker's name is empty",
            "two breakers have the name a",
            "a has a health check but recovers by trials: it would never run",
            "health checks of a every 2s: must be less than its probe_timeout, 2s",
        ]
    );
    // The default fits every `probe_timeout`.
    for probe_timeout_ns in [2, 100 * MS, u64::MAX] {
        let settings = Config { probe_timeout_ns, recover_threshold_ns: 1, ..by_checks.clone() };
        Supervisor::builder().node(checked(settings, "a")).start().expect("it starts");
    }
    let refused = SupervisorError::Thread(std::io::ErrorKind::OutOfMemory.into());
    assert!(refused.source().is_some() && SupervisorError::NoName.source().is_none());
}

#[test]
fn a_start_that_fails_gives_the_breakers_back() {
    let (mut first, mut second) = (breaker(config()), breaker(config()));
    let mut lane = first.lane();
    lane.record(1);
    second.halt("");
    let error = Supervisor::builder()
        .listener(|_, _| ())
        .breaker("a", first)
        .node(Node::new("b", second).health_check(|_timeout| Ok(())))
        .start()
        .expect_err("a check that would never run");
    assert_eq!(error.to_string(), error.error().to_string());
    assert!(matches!(error.error(), SupervisorError::NeverChecked { breaker } if breaker == "b"));
    let mut breakers = error.into_breakers();
    let states: Vec<_> = breakers.iter().map(|(name, breaker)| (name.as_str(), breaker.snapshot().halted)).collect();
    assert_eq!(states, [("a", false), ("b", true)]);
    // The breakers are owned here again, and go on.
    let (_, first) = breakers.first_mut().expect("the first");
    first.poll();
    assert_eq!(first.snapshot().samples, 1);
    let (supervisor, _heard) = start(Supervisor::builder().breaker("a", breakers.remove(0).1));
    lane.record(1);
    assert_eq!(supervisor.stop().remove(0).1.snapshot().samples, 2);
}

/// `?` passes the error on, as any other, even to another thread.
#[test]
fn a_start_that_fails_can_be_passed_on() {
    fn main() -> Result<(), Box<dyn Error + Send + Sync>> {
        Supervisor::builder().start()?;
        Ok(())
    }
    assert_eq!(main().expect_err("there is no breaker").to_string(), "there is no breaker to supervise");
}

#[test]
fn what_is_there_can_be_printed() {
    let node = Node::new("gateway", breaker(config()));
    assert!(format!("{node:?}").contains("gateway"));
    let builder = Supervisor::builder().node(node);
    assert!(format!("{builder:?}").contains("gateway"));
    let supervisor = builder.start().expect("it starts");
    assert!(format!("{supervisor:?}").contains("gateway"));
}

#[test]
fn stopping_is_prompt_whatever_the_intervals() {
    let begun = Instant::now();
    for _ in 0..20 {
        let builder = Supervisor::builder().interval(AN_HOUR).listen_every(AN_HOUR).listener(|_, _| {});
        drop(builder.breaker("gateway", breaker(config())).start().expect("it starts"));
    }
    assert!(begun.elapsed() < Duration::from_secs(60));
}
