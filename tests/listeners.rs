//! Listeners: closures that follow journals, on threads of their own.

mod common;
use common::{LIMIT, breaker, config, eventually};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;
use trip99::supervisor::{Listener, Notice};
use trip99::{Breaker, Reason, Supervisor};

const A_MILLISECOND: Duration = Duration::from_millis(1);
const AN_HOUR: Duration = Duration::from_secs(3600);

type Heard = Arc<Mutex<Vec<Notice>>>;

fn to(heard: &Heard) -> impl FnMut(&str, Notice) + Send + use<> {
    let heard = Arc::clone(heard);
    move |_, notice| heard.lock().expect("a list").push(notice)
}

/// Two events each.
fn halt_and_resume(breaker: &mut Breaker, times: usize) {
    for _ in 0..times {
        breaker.halt("");
        breaker.resume("");
    }
}

/// The sequence numbers told, and how many were missed before each.
fn sequences(heard: &Heard) -> Vec<(u64, u64)> {
    let mut missed = 0;
    let mut sequences = Vec::new();
    for &notice in heard.lock().expect("a list").iter() {
        match notice {
            Notice::Event(event) => {
                sequences.push((event.sequence, missed));
                missed = 0;
            }
            Notice::Missed(count) => missed += count,
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(missed, 0, "missed events are told before the one that follows");
    sequences
}

#[test]
fn everything_journaled_before_the_stop_is_told_in_order() {
    let mut breaker = breaker(config());
    halt_and_resume(&mut breaker, 10); // before it is there
    let heard = Heard::default();
    for interval in [Duration::ZERO, A_MILLISECOND, AN_HOUR] {
        heard.lock().expect("a list").clear();
        let listener = Listener::spawn("gateway", &breaker.observer(), interval, to(&heard)).expect("a thread");
        halt_and_resume(&mut breaker, 25);
        assert!(listener.stop(AN_HOUR));
        let expected: Vec<_> = (0..breaker.snapshot().events).map(|sequence| (sequence, 0)).collect();
        assert_eq!(sequences(&heard), expected);
    }
}

#[test]
fn a_listener_that_falls_behind_is_told_what_it_missed() {
    let mut breaker = breaker(config());
    let (release, released) = mpsc::channel::<()>();
    let (sender, begun) = mpsc::channel();
    let heard = Heard::default();
    let mut tell = to(&heard);
    let listener = Listener::spawn("gateway", &breaker.observer(), A_MILLISECOND, move |name, notice| {
        tell(name, notice);
        let _ = sender.send(());
        let _ = released.recv(); // until the test lets go
    })
    .expect("a thread");
    breaker.halt("");
    begun.recv_timeout(LIMIT).expect("it hears of the halt");
    breaker.resume("");
    halt_and_resume(&mut breaker, 300); // 602 in all; the journal has the latest 64
    drop(release);
    assert!(listener.stop(AN_HOUR));
    let expected: Vec<_> = [(0, 0), (538, 537)].into_iter().chain((539..602).map(|sequence| (sequence, 0))).collect();
    assert_eq!(sequences(&heard), expected);
}

#[test]
fn a_blocked_listener_delays_nobody() {
    let mut breaker = breaker(config());
    let gate = breaker.gate();
    let (release, released) = mpsc::channel::<()>();
    let heard = Heard::default();
    let late = Heard::default();
    let mut tell_late = to(&late);
    let (told, faults) = mpsc::channel();
    let supervisor = Supervisor::builder()
        .breaker("gateway", breaker)
        .listen_every(A_MILLISECOND)
        .listener(move |name, notice| {
            let _ = released.recv(); // until the test lets go
            tell_late(name, notice);
        })
        .listener(to(&heard))
        .stop_timeout(Duration::from_millis(50))
        .on_fault(move |fault| told.send(fault.to_string()).expect("the test listens"))
        .start()
        .expect("it starts");
    for turn in 1..=10 {
        if turn % 2 == 1 {
            gate.halt("");
        } else {
            gate.resume("");
        }
        eventually("the other one hears", || heard.lock().expect("a list").len() == turn);
    }
    let (_, mut breaker) = supervisor.stop().pop().expect("the breaker");
    assert_eq!(faults.recv_timeout(LIMIT).as_deref(), Ok("a listener is still busy: its thread is left to itself"));
    assert!(late.lock().expect("a list").is_empty());
    halt_and_resume(&mut breaker, 1);
    drop(release);
    eventually("it hears the rest, too", || late.lock().expect("a list").len() == 12);
    assert_eq!(sequences(&late), (0..12).map(|sequence| (sequence, 0)).collect::<Vec<_>>());
}

#[test]
fn a_panicking_listener_goes_on_with_the_next_event() {
    let mut breaker = breaker(config());
    halt_and_resume(&mut breaker, 5);
    let (heard, others) = (Heard::default(), Heard::default());
    let mut tell = to(&heard);
    let faults = Arc::new(Mutex::new(Vec::new()));
    let told = Arc::clone(&faults);
    let supervisor = Supervisor::builder()
        .breaker("gateway", breaker)
        .listener(move |name, notice| match notice {
            Notice::Event(event) if event.sequence % 2 == 1 => panic!("{} of {name}", event.reason),
            notice => tell(name, notice),
        })
        .listener(to(&others))
        .on_fault(move |fault| told.lock().expect("a list").push(fault.to_string()))
        .start()
        .expect("it starts");
    eventually("five panics", || supervisor.faults().listeners_panicked == 5);
    drop(supervisor);
    assert_eq!(sequences(&heard), [(0, 0), (2, 0), (4, 0), (6, 0), (8, 0)]);
    assert_eq!(sequences(&others).len(), 10);
    let expected = "a listener panicked at an event of gateway: resume of gateway".to_owned();
    assert_eq!(*faults.lock().expect("a list"), vec![expected; 5]);
}

#[test]
fn a_listener_of_an_engine_that_owns_its_breaker() {
    let mut breaker = breaker(config());
    let events = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&events);
    let listener = Listener::spawn("own", &breaker.observer(), Listener::INTERVAL, move |name, notice| {
        assert_eq!(name, "own");
        counted.fetch_add(1, Ordering::Relaxed);
        assert!(!matches!(notice, Notice::Event(event) if event.reason == Reason::Resume), "no resumes, please");
    })
    .expect("a thread");
    halt_and_resume(&mut breaker, 2);
    eventually("it hears of all", || events.load(Ordering::Relaxed) == 4);
    eventually("and panics twice", || listener.panics() == 2);
    assert!(format!("{listener:?}").contains("panics: 2"));
    // A listener doesn't keep its breaker alive, nor does it end with it.
    drop(breaker);
    drop(listener);
    assert_eq!(Arc::strong_count(&events), 1, "its thread is left");
}

#[test]
fn stopping_a_listener_that_is_busy_takes_no_longer_than_asked() {
    let mut breaker = breaker(config());
    let (release, released) = mpsc::channel::<()>();
    let (sender, begun) = mpsc::channel();
    let listener = Listener::spawn("gateway", &breaker.observer(), A_MILLISECOND, move |_, _| {
        let _ = sender.send(());
        let _ = released.recv();
    });
    breaker.halt("");
    begun.recv_timeout(LIMIT).expect("it hears of the halt");
    assert!(!listener.expect("a thread").stop(Duration::from_millis(20)));
    drop(release);
}

/// A closure may sleep by its thread's own token, and then takes every wake-up of that thread.
#[test]
fn a_closure_that_parks_takes_no_wake_up_that_is_meant_for_its_thread() {
    let mut breaker = breaker(config());
    breaker.halt("");
    let (sender, begun) = mpsc::channel();
    let released = Arc::new(AtomicBool::new(false));
    let is_released = Arc::clone(&released);
    let listener = Listener::spawn("gateway", &breaker.observer(), AN_HOUR, move |_, _| {
        let _ = sender.send(());
        while !is_released.load(Ordering::Acquire) {
            std::thread::park_timeout(A_MILLISECOND);
        }
    });
    begun.recv_timeout(LIMIT).expect("it hears of the halt");
    let stopping = std::thread::spawn(|| listener.expect("a thread").stop(Duration::from_secs(60)));
    // Most likely the listener has been told to stop by now. If it hasn't, the test passes without having shown anything.
    std::thread::sleep(Duration::from_millis(50));
    released.store(true, Ordering::Release);
    assert!(stopping.join().expect("no panic"));
}
