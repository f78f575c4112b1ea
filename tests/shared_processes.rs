//! A page between real processes. Owners are killed at random moments, stopped or forked. Observers read all the while, and
//! somebody scribbles over everything.
//!
//! `TRIP99_ROUNDS` sets how many owners are killed, 200 by default.
#![cfg(all(feature = "shm", target_os = "linux"))]

mod shared;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use rustix::process::{Pid, Signal, kill_process};
use shared::{Place, Process, SECOND, config, role, tell, wait};
use std::fs;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};
use trip99::{Breaker, Config, Event, Events, Gate, Observer, Reason, State};

/// The longest that a short wait may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// This is no test. In a process of its own it plays the role that it is given.
#[test]
#[ignore = "a role for processes that other tests start"]
fn child() {
    let Some((role, page)) = role() else { return };
    match role.as_str() {
        "worker" => work(&page),
        "idler" => {
            let _breaker = Breaker::create_shared(page, config(), trip99::Start::Closed).unwrap();
            tell("ready");
            wait();
        }
        "poller" => poll(&page),
        "observer" => observe(&page),
        "forker" => fork_and_wait(&page),
        "forker whose child drops" => fork_and_drop(&page),
        "forker whose child asks" => fork_and_ask(&page),
        other => panic!("no role: {other}"),
    }
}

fn until(what: &str, holds: impl Fn() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < PATIENCE, "never: {what}");
        thread::sleep(Duration::from_millis(1));
    }
}

/// Settings that make transitions by the thousand.
fn busy() -> Config {
    Config {
        consecutive_failures: 1,
        spike_count: 0,
        backoff_base_ns: 5_000,
        backoff_max_ns: 80_000,
        stable_after_ns: 1_000_000,
        ..config()
    }
}

/// Makes a microsecond pass with each sample, whose latency is a multiple of 7, until it is killed. Each of these may be
/// the last.
fn work(page: &Path) {
    let mut breaker = Breaker::create_shared(page, busy(), trip99::Start::Closed).unwrap();
    let snapshot = breaker.snapshot();
    tell(&format!("{} {} {}", breaker.state(), snapshot.attempt, snapshot.halted));
    for step in 1u64.. {
        let now_ns = step * 1000;
        let _ = breaker.allow_at(now_ns);
        if step.is_multiple_of(37) {
            breaker.record_failure_at(now_ns, 7);
        } else {
            breaker.record_at(now_ns, 7 * (step % 100 + 1));
        }
        breaker.poll_at(now_ns);
    }
}

/// Polls until it is killed. Nothing happens to it, so the journal keeps all that others do.
fn poll(page: &Path) {
    let mut breaker = Breaker::create_shared(page, config(), trip99::Start::Closed).unwrap();
    tell("ready");
    loop {
        breaker.poll();
        thread::sleep(Duration::from_millis(1));
    }
}

/// Follows a page, and fails at anything that no owner writes.
struct Critic {
    observer: Observer,
    events: Events,
    /// The number of the next event, and the state that the latest led to.
    next: u64,
    missed: u64,
    state: Option<State>,
    latest: Option<Event>,
}

impl Critic {
    fn new(page: &Path) -> Self {
        let observer = Observer::open(page).unwrap();
        Self { events: observer.events(), observer, next: 0, missed: 0, state: None, latest: None }
    }

    fn look(&mut self) {
        assert!(self.observer.state().is_some(), "a gate that no owner writes");
        if let Some(quantile_ns) = self.observer.quantile_ns(990_000) {
            assert!(quantile_ns > 0 && quantile_ns <= 700 && quantile_ns.is_multiple_of(7), "{quantile_ns}");
        }
        if let Some(snapshot) = self.observer.snapshot() {
            // Each sample has counted, unless the snapshot was taken in the middle of one.
            let (steps, samples) = (snapshot.now_ns / 1000, snapshot.recorded + snapshot.stale);
            assert!(samples == steps || samples + 1 == steps, "{snapshot:?}");
            assert_eq!(snapshot.retry_at_ns != u64::MAX, snapshot.state == State::Open, "{snapshot:?}");
            assert!(snapshot.attempt <= 4 && snapshot.samples <= 64, "{snapshot:?}");
        }
        while let Some(event) = self.events.next() {
            let missed = self.events.missed() - self.missed;
            // The first event that a latecomer sees may be any.
            assert!(self.latest.is_none() || event.sequence == self.next + missed, "{event:?} after {}", self.next);
            if missed > 0 {
                self.missed += missed;
                self.state = None;
            }
            check_event(&event);
            // An owner that was killed between gate and journal left a state that no event tells of.
            let follows = self.state.is_none_or(|state| state == event.from) || event.reason == Reason::Restart;
            assert!(follows, "{event:?} after {:?}", self.latest);
            (self.next, self.state, self.latest) = (event.sequence + 1, Some(event.to), Some(event));
        }
    }
}

fn check_event(event: &Event) {
    use State::{Closed, HalfOpen, Open};
    let step = (event.from, event.to);
    let legal = match event.reason {
        Reason::ConsecutiveFailures | Reason::FailureRate => step == (Closed, Open),
        Reason::Retry => step == (Open, HalfOpen),
        Reason::ProbeFailed => step == (HalfOpen, Open),
        Reason::Recovered => step == (HalfOpen, Closed),
        Reason::Halt | Reason::Resume => event.from == event.to,
        Reason::Restart => event.to == Open,
        _ => false,
    };
    assert!(legal, "{event:?}");
    assert!(event.attempt <= 4 && (event.retry_at_ns != u64::MAX) == (event.to == Open), "{event:?}");
    if event.reason == Reason::Restart {
        assert_eq!(event.retry_at_ns, event.t_ns + (5_000 << event.attempt), "{event:?}");
    }
}

#[test]
fn killed_at_random_moments_while_observers_read() {
    let rounds: u64 = std::env::var("TRIP99_ROUNDS").map_or(200, |rounds| rounds.parse().unwrap());
    let place = Place::new("killed");
    let mut random = StdRng::seed_from_u64(99);
    let mut first = Process::start("worker", &place.0);
    assert_eq!(first.said(), "closed 0 false");
    first.kill();

    let halter = Gate::open(&place.0).unwrap();
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                let mut critic = Critic::new(&place.0);
                while !done.load(Ordering::Relaxed) {
                    critic.look();
                }
            });
        }
        let _done = Done(&done);
        let mut critic = Critic::new(&place.0);
        for round in 0..rounds {
            let mut worker = Process::start("worker", &place.0);
            if random.random_bool(0.3) {
                // This may come before the owner takes the page over, or while it does.
                thread::sleep(Duration::from_micros(random.random_range(0..10_000)));
                worker.kill();
                critic.look();
                continue;
            }
            critic.look();
            // The owner was killed, whether its breaker was closed or not.
            let told = worker.said();
            let attempt = critic.latest.map_or(0, |event| event.attempt);
            let expected = |attempt: u32| format!("open {attempt} {}", halter.observer().is_halted());
            // An opening may not have reached the journal, nor an attempt that was forgiven while closed.
            let plausible = (0..=attempt.saturating_add(1)).any(|attempt| told == expected(attempt));
            assert!(plausible, "round {round}: came back {told}, after {:?}", critic.latest);

            if random.random_bool(0.3) {
                if halter.observer().is_halted() {
                    halter.resume("");
                } else {
                    halter.halt(&format!("round {round}"));
                }
            }
            let halted = halter.observer().is_halted();
            let note = halter.observer().halt_note();
            thread::sleep(Duration::from_micros(random.random_range(0..3_000)));
            worker.kill();
            critic.look();
            assert_eq!((halter.observer().is_halted(), halter.observer().halt_note()), (halted, note), "round {round}");
            assert!(!halter.observer().owner().unwrap().alive);
        }
        println!("{rounds} owners killed, {} events", critic.next);
    });
}

/// Ends the observers, even if an assertion fails.
struct Done<'a>(&'a AtomicBool);

impl Drop for Done<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// In a process of its own: looks until there have been 1000 more events, and tells so.
fn observe(page: &Path) {
    let mut critic = Critic::new(page);
    critic.look();
    let first = critic.next;
    while critic.next < first + 1000 {
        critic.look();
    }
    tell("content");
}

#[test]
fn ten_observers_at_once() {
    let place = Place::new("ten");
    let mut worker = Process::start("worker", &place.0);
    worker.said();
    let observers: Vec<Process> = (0..10).map(|_| Process::start("observer", &place.0)).collect();
    for mut observer in observers {
        assert_eq!(observer.said(), "content");
    }
    assert!(Observer::open(&place.0).unwrap().owner().unwrap().alive);
}

#[test]
fn a_stopped_owner_is_alive_but_not_seen() {
    let place = Place::new("stopped");
    let poller = Process::ready("poller", &place.0);
    let observer = Observer::open(&place.0).unwrap();
    until("the owner works", || observer.owner_seen_ago_ns().is_some_and(|ago_ns| ago_ns < SECOND / 10));
    let pid = Pid::from_raw(poller.pid() as i32).unwrap();
    kill_process(pid, Signal::STOP).unwrap();
    until("the owner is missed", || observer.owner_seen_ago_ns().is_some_and(|ago_ns| ago_ns > SECOND / 2));
    let owner = observer.owner().unwrap();
    assert_eq!((owner.pid, owner.alive), (poller.pid(), true));
    assert!(owner.seen_ago_ns.is_some_and(|ago_ns| ago_ns > SECOND / 2));
    assert!(Breaker::create_shared(&place.0, config(), trip99::Start::Closed).is_err(), "it still owns the page");
    // Anybody can still halt it.
    Gate::open(&place.0).unwrap().halt("it doesn't answer");
    assert!(observer.is_halted());
    kill_process(pid, Signal::CONT).unwrap();
    until("the owner is back", || observer.owner_seen_ago_ns().is_some_and(|ago_ns| ago_ns < SECOND / 10));
    until("the owner knows", || observer.events().any(|event| event.reason == Reason::Halt));
    assert_eq!(observer.events().count(), 1, "a page so quiet that the halt can't have been overwritten");
}

#[test]
fn an_owner_that_was_killed_before_its_first_operation_ended_uncleanly_too() {
    let place = Place::new("idler");
    for _ in 0..2 {
        Process::ready("idler", &place.0).end_cleanly();
        assert_eq!(Breaker::create_shared(&place.0, config(), trip99::Start::Closed).unwrap().state(), State::Closed);
    }
    Process::ready("idler", &place.0).kill();
    assert_eq!(Breaker::create_shared(&place.0, config(), trip99::Start::Closed).unwrap().state(), State::Open);
}

// Children of owners.

fn fork_and_wait(page: &Path) {
    let mut breaker = Breaker::create_shared(page, config(), trip99::Start::Closed).unwrap();
    breaker.record_at(0, 1);
    // SAFETY: the child only sleeps.
    let child = unsafe { libc::fork() };
    if child == 0 {
        loop {
            thread::sleep(Duration::from_secs(1));
        }
    }
    // So does a child that runs another program.
    let mut spawned = std::process::Command::new("sleep").arg("1000").spawn().unwrap();
    tell(&format!("{child} {}", spawned.id()));
    wait();
    spawned.kill().and_then(|()| spawned.wait()).unwrap();
}

/// Ends the child, whatever the outcome of the test.
struct Children(Vec<Pid>);

impl Drop for Children {
    fn drop(&mut self) {
        for &child in &self.0 {
            let _ = kill_process(child, Signal::KILL);
        }
    }
}

#[test]
fn children_dont_keep_the_page() {
    let place = Place::new("children");
    let mut forker = Process::start("forker", &place.0);
    let said = forker.said();
    let children = Children(said.split(' ').map(|pid| Pid::from_raw(pid.parse().unwrap()).unwrap()).collect());
    let observer = Observer::open(&place.0).unwrap();
    assert_eq!(observer.owner().map(|owner| (owner.pid, owner.alive)), Some((forker.pid(), true)));
    forker.kill();
    for &child in &children.0 {
        rustix::process::test_kill_process(child).expect("the child lives on");
    }
    assert!(!observer.owner().unwrap().alive);
    assert_eq!(Breaker::create_shared(&place.0, config(), trip99::Start::Closed).unwrap().state(), State::Open);
    drop(children);
}

fn fork_and_drop(page: &Path) {
    let mut breaker = Breaker::create_shared(page, config(), trip99::Start::Closed).unwrap();
    breaker.record_at(0, 1);
    // SAFETY: the child drops the breaker, and ends without a trace of this program.
    let child = unsafe { libc::fork() };
    if child == 0 {
        drop(breaker);
        // SAFETY: ends the process.
        unsafe { libc::_exit(0) };
    }
    let status = rustix::process::waitpid(Pid::from_raw(child), rustix::process::WaitOptions::empty()).unwrap();
    assert_eq!(status.and_then(|(_, status)| status.exit_status()), Some(0));
    breaker.record_at(SECOND, 2);
    tell("ready");
    wait();
}

#[test]
fn a_child_that_drops_the_breaker_changes_nothing() {
    let place = Place::new("child-drops");
    let forker = Process::ready("forker whose child drops", &place.0);
    let observer = Observer::open(&place.0).unwrap();
    assert_eq!((observer.owner().unwrap().alive, observer.quantile_ns(1_000_000)), (true, Some(2)));
    assert!(Breaker::create_shared(&place.0, config(), trip99::Start::Closed).is_err());
    // The child has left no seal: a killed owner comes back open. (An owner that ends cleanly comes back closed.)
    forker.kill();
    assert_eq!(Breaker::create_shared(&place.0, config(), trip99::Start::Closed).unwrap().state(), State::Open);
    let place = Place::new("child-drops-clean");
    Process::ready("forker whose child drops", &place.0).end_cleanly();
    assert_eq!(Breaker::create_shared(&place.0, config(), trip99::Start::Closed).unwrap().state(), State::Closed);
}

fn fork_and_ask(page: &Path) {
    let mut breaker = Breaker::create_shared(page, config(), trip99::Start::Closed).unwrap();
    // SAFETY: the child asks the breaker, which kills it.
    let child = unsafe { libc::fork() };
    if child == 0 {
        let _ = breaker.allow_at(0);
        // SAFETY: ends the process.
        unsafe { libc::_exit(0) };
    }
    let status = rustix::process::waitpid(Pid::from_raw(child), rustix::process::WaitOptions::empty()).unwrap();
    assert_eq!(status.and_then(|(_, status)| status.terminating_signal()), Some(libc::SIGSEGV));
    assert!(breaker.allow_at(0));
    tell("ready");
    wait();
}

#[test]
fn a_child_is_no_second_owner() {
    let place = Place::new("child-asks");
    Process::ready("forker whose child asks", &place.0).end_cleanly();
}

// Gates of the owner's other threads.

#[test]
fn gates_work_on_a_page_in_a_file_and_count_anew_for_each_owner() {
    let place = Place::new("gates");
    let half_open = Config { start: trip99::Start::HalfOpen, probes: 2, ..config() };
    let mut breaker = Breaker::create_shared(&place.0, half_open.clone(), trip99::Start::HalfOpen).unwrap();
    let gate = breaker.gate();
    assert!(gate.allow() && !gate.allow(), "one trial at a time");
    breaker.poll_at(1);
    assert_eq!((breaker.snapshot().trials_granted, breaker.snapshot().refused), (1, 1));
    drop(breaker);

    let mut breaker = Breaker::create_shared(&place.0, half_open, trip99::Start::HalfOpen).unwrap();
    assert!(!gate.allow() && !breaker.gate().allow(), "open, and no trial is left from before");
    breaker.poll_at(1);
    assert_eq!(breaker.snapshot().refused, 2);
    breaker.poll_at(1 + SECOND);
    let gate = breaker.gate();
    assert!(gate.allow() && !gate.allow());
    breaker.record_at(2 + SECOND, 1);
    assert!(gate.allow());
    breaker.record_at(3 + SECOND, 1);
    assert!(gate.allow() && breaker.state() == State::Closed);
    Gate::open(&place.0).unwrap().halt("gates refuse, too");
    assert!(!gate.allow());
}

// Scribbles.

#[test]
fn a_gate_that_somebody_else_wrote_to_refuses() {
    let place = Place::new("gate");
    let mut breaker = Breaker::create_shared(&place.0, config(), trip99::Start::Closed).unwrap();
    let file = fs::OpenOptions::new().write(true).open(&place.0).unwrap();
    assert!(breaker.allow_at(0));
    for bits in 1..=u8::MAX {
        file.write_all_at(&[bits], 256 + 128).unwrap();
        assert!(!breaker.allow_at(0), "{bits:#b}");
    }
    // It is no clean end, either.
    file.write_all_at(&[1], 256 + 128).unwrap();
    drop(breaker);
    assert_eq!(Breaker::create_shared(&place.0, config(), trip99::Start::Closed).unwrap().state(), State::Open);
}

#[test]
fn scribbling_over_a_page_in_use_harms_nobody() {
    let place = Place::new("scribbles");
    let mut breaker = Breaker::create_shared(&place.0, busy(), trip99::Start::Closed).unwrap();
    let len = fs::metadata(&place.0).unwrap().len();
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let _done = Done(&done);
        for _ in 0..2 {
            let (observer, halter) = (Observer::open(&place.0).unwrap(), Gate::open(&place.0).unwrap());
            let done = &done;
            scope.spawn(move || {
                let mut events = observer.events();
                while !done.load(Ordering::Relaxed) {
                    let _ =
                        (observer.state(), observer.snapshot(), observer.quantile_ns(990_000), observer.halt_note());
                    let _ = (events.by_ref().take(1000).count(), observer.events().take(1000).count());
                    halter.halt("over scribbles");
                    halter.resume("");
                }
            });
        }
        let scribbler = scope.spawn(|| {
            let mut random = StdRng::seed_from_u64(99);
            let file = fs::OpenOptions::new().write(true).open(&place.0).unwrap();
            for _ in 0..20_000 {
                let bytes: [u8; 16] = if random.random_bool(0.2) { [0xff; 16] } else { random.random() };
                // Mostly where there are more than samples.
                let end = if random.random_bool(0.5) { 2304 } else { len };
                file.write_all_at(&bytes[..random.random_range(1..=16)], random.random_range(0..end - 16)).unwrap();
            }
        });
        for step in 0u64.. {
            let _ = breaker.allow_at(step * 1000);
            if step.is_multiple_of(37) {
                breaker.record_failure_at(step * 1000, 7);
            } else {
                breaker.record_at(step * 1000, 7);
            }
            breaker.poll_at(step * 1000);
            if scribbler.is_finished() {
                break;
            }
        }
        scribbler.join().unwrap();
    });
    let owners = breaker.state();
    assert_eq!(breaker.snapshot().state, owners);
}
