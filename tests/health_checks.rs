//! Health checks, with real sockets on loopback and the real clock. So the tests wait for what happens, and don't time it.

mod common;
use common::{LIMIT, MS, SECOND, breaker, config, eventually};
use std::net::{SocketAddr, TcpListener};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;
use trip99::supervisor::{Fault, HealthCheck, Node, Notice, SupervisorBuilder, TcpConnect};
use trip99::{Breaker, Config, Reason, Recovery, State, Supervisor};

/// A breaker that recovers by three checks, pauses for 10 ms, and is half-open.
fn settings() -> Config {
    Config {
        recovery: Recovery::HealthChecks,
        start: trip99::Start::HalfOpen,
        probes: 3,
        backoff_base_ns: 10 * MS,
        backoff_max_ns: 10 * MS,
        threshold_ns: 20 * SECOND, // for machines under load
        stall_limit_ns: 0,
        probe_timeout_ns: 20 * SECOND,
        ..config()
    }
}

fn node(settings: Config, check: impl HealthCheck + 'static) -> Node {
    Node::new("gateway", breaker(settings)).health_check(check).check_every(Duration::from_millis(1))
}

/// Starts the supervisor with a listener that sends each event's reason.
fn start(builder: SupervisorBuilder) -> (Supervisor, mpsc::Receiver<Reason>) {
    let (sender, heard) = mpsc::channel();
    let builder = builder.listener(move |_, notice| match notice {
        Notice::Event(event) => sender.send(event.reason).expect("the test listens"),
        other => panic!("{other:?}"),
    });
    (builder.start().expect("it starts"), heard)
}

fn only(supervisor: Supervisor) -> Breaker {
    supervisor.stop().pop().expect("the breaker").1
}

/// A port that refuses connections: nobody listens on it any more.
fn refused_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port")
}

#[test]
fn a_port_that_accepts_closes_the_breaker() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let check = TcpConnect::new(listener.local_addr().expect("its address")).expect("an address");
    let (supervisor, heard) = start(Supervisor::builder().node(node(settings(), check)));
    assert_eq!(heard.recv_timeout(LIMIT), Ok(Reason::Recovered));
    assert_eq!(supervisor.faults(), Default::default());
    let breaker = only(supervisor);
    assert_eq!((breaker.state(), breaker.snapshot().dropped), (State::Closed, 0));
    assert_eq!(breaker.snapshot().samples, 0, "checks enter no window");
    listener.set_nonblocking(true).expect("so that it doesn't wait");
    assert_eq!(listener.incoming().take_while(Result::is_ok).count(), 3);
}

#[test]
fn a_port_that_refuses_opens_the_breaker_again() {
    let check = TcpConnect::new(refused_address()).expect("an address");
    let faults = Arc::new(Mutex::new(Vec::new()));
    let told = Arc::clone(&faults);
    let builder = Supervisor::builder().on_fault(move |fault| told.lock().expect("a list").push(fault.to_string()));
    let (supervisor, heard) = start(builder.node(node(settings(), check)));
    for reason in [Reason::ProbeFailed, Reason::Retry, Reason::ProbeFailed] {
        assert_eq!(heard.recv_timeout(LIMIT), Ok(reason));
    }
    eventually("both were counted", || supervisor.faults().checks_failed >= 2);
    drop(supervisor);
    let faults = faults.lock().expect("a list");
    assert!(faults.len() >= 2, "{faults:?}");
    assert!(faults.iter().all(|fault| fault.starts_with("the health check of gateway failed: ")), "{faults:?}");
}

#[test]
fn the_first_of_several_addresses_to_accept_will_do() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let accepts = listener.local_addr().expect("its address");
    let limit = Duration::from_secs(20);
    for (addresses, good) in [
        (vec![refused_address(), accepts], true),
        (vec![accepts, refused_address()], true),
        (vec![refused_address(), refused_address()], false),
    ] {
        let mut check = TcpConnect::new(&*addresses).expect("addresses");
        assert_eq!(check.check(limit).is_ok(), good, "{addresses:?}");
        assert_eq!(check.check(Duration::ZERO).expect_err("no time").to_string(), "timed out");
        assert!(check.check(Duration::from_nanos(1)).is_err(), "its half is no time");
        assert_eq!(check.check(Duration::MAX).is_ok(), good);
    }
    let nowhere: &[SocketAddr] = &[];
    assert_eq!(TcpConnect::new(nowhere).expect_err("nowhere").to_string(), "no address to connect to");
    assert!(TcpConnect::new("not an address").is_err());
}

#[test]
fn checks_that_fail_and_then_do_not() {
    let mut results = [true, true, false, true, false, true, true, true].into_iter();
    let check = move |_timeout: Duration| match results.next() {
        Some(true) => Ok(()),
        _ => Err("it said no".into()),
    };
    let (supervisor, heard) = start(Supervisor::builder().node(node(settings(), check)));
    let reasons: Vec<_> = (0..5).map_while(|_| heard.recv_timeout(LIMIT).ok()).collect();
    assert_eq!(
        reasons,
        [Reason::ProbeFailed, Reason::Retry, Reason::ProbeFailed, Reason::Retry, Reason::Recovered],
        "all three of an epoch must be good"
    );
    assert_eq!(supervisor.faults().checks_failed, 2);
}

#[test]
fn a_good_check_that_takes_too_long_is_a_bad_one() {
    let check = |_timeout: Duration| {
        std::thread::sleep(Duration::from_micros(1));
        Ok(())
    };
    let slow = Config { recover_threshold_ns: 1, ..settings() };
    let (_supervisor, heard) = start(Supervisor::builder().node(node(slow, check)));
    assert_eq!(heard.recv_timeout(LIMIT), Ok(Reason::ProbeSlow));
}

#[test]
fn a_closed_breaker_is_not_checked() {
    let calls = Arc::new(AtomicU64::new(0));
    let called = Arc::clone(&calls);
    let closed = Config { start: trip99::Start::Closed, ..settings() };
    let check = move |_timeout: Duration| {
        called.fetch_add(1, Ordering::Relaxed);
        Ok(())
    };
    let (supervisor, _heard) = start(Supervisor::builder().node(node(closed, check)));
    let observer = supervisor.observer("gateway").expect("it is there");
    let seen_ns = || observer.snapshot().map_or(0, |snapshot| snapshot.now_ns);
    eventually("the first poll", || seen_ns() > 0);
    let begun_ns = seen_ns();
    eventually("many more", || seen_ns() > begun_ns + 50 * MS);
    assert_eq!(calls.load(Ordering::Relaxed), 0);
}

#[test]
fn a_check_gets_the_probe_timeout() {
    let (sender, timeouts) = mpsc::channel();
    let check = move |timeout: Duration| {
        let _ = sender.send(timeout);
        Ok(())
    };
    let (_supervisor, heard) = start(Supervisor::builder().node(node(settings(), check)));
    assert_eq!(
        (timeouts.recv_timeout(LIMIT), heard.recv_timeout(LIMIT)),
        (Ok(Duration::from_secs(20)), Ok(Reason::Recovered))
    );
}

#[test]
fn an_endless_check_holds_nothing_up_and_its_late_result_is_stale() {
    let (release, released) = mpsc::channel::<()>();
    let calls = Arc::new(AtomicU64::new(0));
    let called = Arc::clone(&calls);
    let check = move |_timeout: Duration| {
        called.fetch_add(1, Ordering::Relaxed);
        let _ = released.recv(); // until the test lets go
        Ok(())
    };
    let endless = Config { probe_timeout_ns: 30 * MS, recover_threshold_ns: 20 * MS, probes: 1, ..settings() };
    let other = Node::new("other", breaker(settings())).health_check(|_timeout: Duration| Ok(()));
    let (supervisor, heard) = start(Supervisor::builder().node(node(endless, check)).node(other));
    let gateway = supervisor.observer("gateway").expect("it is there");
    let other = supervisor.observer("other").expect("it is there");
    eventually("the other one closes", || other.state() == Some(State::Closed));
    let mut lost = 0;
    while lost < 3 {
        match heard.recv_timeout(LIMIT).expect("it goes on") {
            Reason::ProbeLost => lost += 1,
            Reason::Retry | Reason::Recovered => {}
            reason => panic!("{reason}"),
        }
    }
    assert_eq!(calls.load(Ordering::Relaxed), 1, "one at a time");
    assert_eq!(gateway.snapshot().map(|snapshot| snapshot.stale), Some(0));
    release.send(()).expect("the check waits");
    // The next check begins only when the breaker is half-open again, and then that check waits.
    eventually("a second check", || calls.load(Ordering::Relaxed) == 2);
    eventually("the first was stale", || gateway.snapshot().is_some_and(|snapshot| snapshot.stale == 1));
    drop(release);
    eventually("the breaker closes", || gateway.state() == Some(State::Closed));
    assert_eq!(supervisor.faults(), Default::default());
}

/// When the next check is due the owner finds the last one busy. Then only its interval and `probe_timeout` would wake it.
#[test]
fn a_result_is_heard_at_once_however_long_the_interval_is() {
    const AN_HOUR: Duration = Duration::from_secs(3600);
    for check_every in [Duration::ZERO, Duration::from_millis(1)] {
        let patient = Config { probe_timeout_ns: 3600 * SECOND, ..settings() };
        let check = |_timeout: Duration| {
            std::thread::sleep(Duration::from_millis(20));
            Ok(())
        };
        let builder = Supervisor::builder().interval(AN_HOUR).node(node(patient, check).check_every(check_every));
        let (_supervisor, heard) = start(builder);
        assert_eq!(heard.recv_timeout(LIMIT), Ok(Reason::Recovered), "checks every {check_every:?}");
    }
}

/// A closure that is told of a fault may take its time: the breaker opens meanwhile. The next check begins when the closure has
/// returned, not before.
#[test]
fn a_fault_is_judged_before_it_is_told_and_checks_go_on_after() {
    let (release, released) = mpsc::channel::<()>();
    let released = Mutex::new(released);
    let builder = Supervisor::builder().interval(Duration::from_secs(3600)).on_fault(move |fault| {
        if matches!(fault, Fault::CheckFailed { .. }) {
            let _ = released.lock().expect("only here").recv(); // until the test lets go
        }
    });
    let calls = Arc::new(AtomicU64::new(0));
    let called = Arc::clone(&calls);
    let check = move |_timeout: Duration| {
        std::thread::sleep(Duration::from_millis(20));
        if called.fetch_add(1, Ordering::Relaxed) == 0 { Err("it said no".into()) } else { Ok(()) }
    };
    let patient = Config { probe_timeout_ns: 3600 * SECOND, ..settings() };
    let (_supervisor, heard) = start(builder.node(node(patient, check)));
    assert_eq!(heard.recv_timeout(LIMIT), Ok(Reason::ProbeFailed));
    assert_eq!(heard.recv_timeout(LIMIT), Ok(Reason::Retry));
    // By now the owner has most likely found that it can't ask, and sleeps.
    std::thread::sleep(Duration::from_millis(50));
    assert_eq!(calls.load(Ordering::Relaxed), 1);
    drop(release);
    assert_eq!(heard.recv_timeout(LIMIT), Ok(Reason::Recovered));
}

#[test]
fn no_check_begins_once_the_breaker_is_open() {
    let (release, released) = mpsc::channel::<()>();
    let calls = Arc::new(AtomicU64::new(0));
    let called = Arc::clone(&calls);
    let check = move |_timeout: Duration| {
        called.fetch_add(1, Ordering::Relaxed);
        let _ = released.recv(); // until the test lets go
        Ok(())
    };
    let (backoff_base_ns, backoff_max_ns) = (u64::MAX, u64::MAX);
    let for_good = Config {
        probe_timeout_ns: 50 * MS,
        recover_threshold_ns: 20 * MS,
        backoff_base_ns,
        backoff_max_ns,
        ..settings()
    };
    let builder = Supervisor::builder().stop_timeout(Duration::MAX).node(node(for_good, check));
    let (supervisor, heard) = start(builder);
    assert_eq!(heard.recv_timeout(LIMIT), Ok(Reason::ProbeLost));
    drop(release);
    drop(supervisor);
    assert!(calls.load(Ordering::Relaxed) <= 1, "those that were due meanwhile are not made up for");
}

#[test]
fn a_panicking_check_has_failed_and_is_called_again() {
    let mut calls = 0;
    let check = move |_timeout: Duration| {
        calls += 1;
        match calls {
            1 => panic!("call {calls}"),
            2 => std::panic::panic_any(2),
            _ => Ok(()),
        }
    };
    let (told, faults) = mpsc::channel();
    let builder = Supervisor::builder().on_fault(move |fault| {
        let _ = told.send(fault.to_string());
        panic!("the hook, too");
    });
    let (supervisor, heard) = start(builder.node(node(settings(), check)));
    let reasons: Vec<_> = (0..5).map_while(|_| heard.recv_timeout(LIMIT).ok()).collect();
    let (failed, retry) = (Reason::ProbeFailed, Reason::Retry);
    assert_eq!(reasons, [failed, retry, failed, retry, Reason::Recovered]);
    assert_eq!((supervisor.faults().checks_panicked, supervisor.faults().checks_failed), (2, 0));
    drop(supervisor);
    let expected = ["call 1", "(not a text)"].map(|what| format!("the health check of gateway panicked: {what}"));
    assert_eq!(faults.iter().collect::<Vec<_>>(), expected);
}

#[test]
fn stopping_waits_for_a_check_but_not_for_ever() {
    for (timeout, is_left) in [(Duration::from_millis(20), true), (Duration::MAX, false)] {
        let (release, released) = mpsc::channel::<()>();
        let (sender, begun) = mpsc::channel();
        let check = move |_timeout: Duration| {
            let _ = sender.send(());
            let _ = released.recv_timeout(Duration::from_millis(if is_left { 30_000 } else { 50 }));
            Ok(())
        };
        let (told, faults) = mpsc::channel();
        let builder = Supervisor::builder().stop_timeout(timeout).node(node(settings(), check));
        let (supervisor, _heard) = start(builder.on_fault(move |fault| told.send(fault.to_string()).expect("heard")));
        begun.recv_timeout(LIMIT).expect("a check begins");
        let breaker = only(supervisor);
        assert_eq!(breaker.state(), State::HalfOpen);
        let left = "the health check of gateway is still busy: its thread is left to itself".to_owned();
        assert_eq!(faults.try_recv().ok(), is_left.then_some(left));
        drop(release);
    }
}
