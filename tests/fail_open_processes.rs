//! Attacks from outside that take several processes: what becomes of others' gates when an owner is killed, stopped, hangs or ends.
#![cfg(all(feature = "shm", target_os = "linux"))]

mod shared;

use rustix::process::{Pid, Signal, kill_process};
use shared::{Place, Process, config, role, tell, wait};
use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};
use trip99::{Breaker, Config, Gate, Observer, Reason, Start, Started, State};

const MS: Duration = Duration::from_millis(1);

/// The longest that a short wait may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < PATIENCE, "never: {what}");
        thread::sleep(MS);
    }
}

/// This is no test. In a process of its own it plays the role that it is given.
#[test]
#[ignore = "a role for processes that other tests start"]
fn child() {
    let Some((role, page)) = role() else { return };
    match role.as_str() {
        "poller" => poll(&page),
        "sleeper" => sleep(&page),
        other => panic!("no role: {other}"),
    }
}

fn watched() -> Config {
    Config { owner_timeout_ns: 50_000_000, ..config() }
}

/// Polls until it is told to end, and ends cleanly.
fn poll(page: &Path) {
    let mut breaker = Breaker::create_shared(page, watched(), Start::Closed).unwrap();
    breaker.poll();
    tell("ready");
    let told = thread::spawn(wait);
    while !told.is_finished() {
        breaker.poll();
        thread::sleep(MS);
    }
}

/// Polls once, and then sleeps until it is told to end. It has a gate, so its warden watches.
fn sleep(page: &Path) {
    let mut breaker = Breaker::create_shared(page, watched(), Start::Closed).unwrap();
    let _gate = breaker.gate();
    breaker.poll();
    tell("ready");
    wait();
}

// Others' gates.

#[test]
fn others_gates_refuse_when_the_owner_is_killed_and_the_next_owner_begins_open() {
    let place = Place::new("killed");
    let owner = Process::ready("poller", &place.0);
    let gate = Gate::open(&place.0).unwrap();
    assert!(gate.allow());
    owner.kill();
    until("the gate refuses", || !gate.allow());
    assert!(gate.why().unwatched && gate.state() == Some(State::Closed), "{}", gate.why());
    let mut next = Breaker::create_shared(&place.0, watched(), Start::Closed).unwrap();
    assert_eq!((next.started(), next.state()), (Some(Started::Unclean), State::Open));
    next.poll();
    assert!(!gate.allow() && !gate.why().unwatched, "{}", gate.why());
}

#[test]
fn others_gates_refuse_while_the_owner_is_stopped_and_pass_when_it_goes_on() {
    let place = Place::new("stopped");
    let owner = Process::ready("poller", &place.0);
    let gate = Gate::open(&place.0).unwrap();
    let pid = Pid::from_raw(owner.pid() as i32).unwrap();
    kill_process(pid, Signal::STOP).unwrap();
    until("the gate refuses", || !gate.allow());
    assert!(gate.why().unwatched, "{}", gate.why());
    kill_process(pid, Signal::CONT).unwrap();
    until("the gate passes", || gate.allow());
    let silences = || -> Vec<Reason> {
        let reasons = gate.events().map(|event| event.reason);
        reasons.filter(|reason| [Reason::OwnerSilent, Reason::OwnerBack].contains(reason)).collect()
    };
    until("both are told", || silences().len() >= 2);
    assert_eq!(silences()[..2], [Reason::OwnerSilent, Reason::OwnerBack]);
}

/// Whoever only looks on has no warden for the page: it is the owner's own that finds the owner silent.
#[test]
fn the_warden_of_the_owners_own_process_finds_an_owner_that_hangs() {
    let place = Place::new("hangs");
    let owner = Process::ready("sleeper", &place.0);
    let observer = Observer::open(&place.0).unwrap();
    until("it is found silent", || observer.why().unwatched);
    assert!(observer.owner().unwrap().alive);
    owner.end_cleanly();
}

#[test]
fn others_gates_refuse_after_a_clean_end_until_the_next_owner() {
    let place = Place::new("ends");
    let owner = Process::ready("poller", &place.0);
    let gate = Gate::open(&place.0).unwrap();
    assert!(gate.allow());
    owner.end_cleanly();
    assert!(!gate.allow() && gate.state() == Some(State::Open));
    let next = Process::ready("poller", &place.0);
    until("the gate passes", || gate.allow());
    assert_eq!(gate.owner().unwrap().started, Some(Started::Clean));
    next.end_cleanly();
}

// What is left of an owner.

/// To shorten a file that is mapped kills whoever touches what is gone. So nothing passes that nobody watches.
#[test]
fn an_owner_whose_page_is_truncated_dies_at_once() {
    let place = Place::new("truncated");
    let mut owner = Process::ready("poller", &place.0);
    fs::OpenOptions::new().write(true).open(&place.0).unwrap().set_len(0).unwrap();
    let mut status = None;
    until("it dies", || {
        status = owner.child.try_wait().unwrap();
        status.is_some()
    });
    assert_eq!(status.and_then(|status| status.signal()), Some(libc::SIGBUS));
}
