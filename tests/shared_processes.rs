//! A page between real processes. Owners are killed at random moments, stopped or forked. Observers read all the while, and
//! somebody scribbles over everything.
//!
//! `TRIP99_ROUNDS` sets how many owners are killed, 200 by default, and `TRIP99_HALT_ROUNDS` in how many rounds halters race with owners
//! that are killed, 300 by default.
#![cfg(all(feature = "shm", target_os = "linux"))]

mod shared;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use rustix::process::{Pid, Signal, kill_process};
use shared::{Place, Process, SECOND, config, create, create_at, role, tell, wait};
use std::fs;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};
use trip99::shared::{Options, SharedError};
use trip99::{Breaker, Config, Event, Events, Gate, Halted, Holder, Observer, Reason, Resumed, Start, State};

/// Where in the file the gate lies, and where all but the log, the journal and the samples ends.
const GATE: u64 = 4096;
const BEFORE_NOTES: u64 = 10_368;

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
            let _breaker = Breaker::create_shared(page, config(), Start::Closed).unwrap();
            tell("ready");
            wait();
        }
        "poller" => poll(&page),
        "asker" => ask(&page),
        "trader" => trade(&page),
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
    let mut breaker = create(page, busy()).unwrap();
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
    let mut breaker = Breaker::create_shared(page, config(), Start::Closed).unwrap();
    tell("ready");
    loop {
        breaker.poll();
        thread::sleep(Duration::from_millis(1));
    }
}

/// Asks by the path, and tells whenever the answer is another one. This process has a warden.
fn ask(page: &Path) {
    let gate = Gate::open(page).unwrap();
    let mut latest = None;
    loop {
        let why = gate.why();
        let answer = if gate.allow() {
            "passes"
        } else if why.unwatched {
            "unwatched"
        } else {
            "refuses"
        };
        if latest.replace(answer) != Some(answer) {
            tell(answer);
        }
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
        Reason::Restart => event.to == Open || event.sequence == 0 && step == (Closed, Closed),
        _ => false,
    };
    assert!(legal, "{event:?}");
    assert!(event.attempt <= 4 && (event.retry_at_ns != u64::MAX) == (event.to == Open), "{event:?}");
    if event.reason == Reason::Restart {
        assert_eq!(event.t_ns, 0, "at construction: {event:?}");
        let pause_ns = if event.to == Open { 5_000 << event.attempt } else { u64::MAX };
        // What is left of the latest pause, if the last owner was in one. Otherwise all of it.
        assert!(event.retry_at_ns == pause_ns || event.from == Open && event.retry_at_ns < pause_ns, "{event:?}");
    }
}

#[test]
fn killed_at_random_moments_while_observers_read() {
    let rounds: u64 = std::env::var("TRIP99_ROUNDS").map_or(200, |rounds| rounds.parse().unwrap());
    let place = Place::new("killed");
    trip99::warden::disable(); // it would tell that owners are silent while they are dead
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
            let is_held = !halter.holders().is_empty();
            let expected = |attempt: u32| format!("open {attempt} {is_held}");
            // An opening may not have reached the journal, nor an attempt that was forgiven while closed.
            let plausible = (0..=attempt.saturating_add(1)).any(|attempt| told == expected(attempt));
            assert!(plausible, "round {round}: came back {told}, after {:?}", critic.latest);

            if random.random_bool(0.3) {
                if is_held {
                    assert_eq!(halter.resume(""), Resumed::Done);
                } else {
                    halter.halt(&format!("round {round}"));
                }
            }
            let held = halter.holders();
            thread::sleep(Duration::from_micros(random.random_range(0..3_000)));
            worker.kill();
            critic.look();
            assert_eq!(halter.holders(), held, "round {round}");
            assert!(halter.is_halted() || held.is_empty(), "round {round}");
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
    // Another process asks. Its warden finds the owner silent, as the owner's is stopped, too.
    let mut asker = Process::start("asker", &place.0);
    let mut says = |expected: &[&str]| {
        let said = asker.said();
        assert!(expected.contains(&said.as_str()), "{said}");
        said
    };
    says(&["passes"]);
    let pid = Pid::from_raw(poller.pid() as i32).unwrap();
    kill_process(pid, Signal::STOP).unwrap();
    until("the owner is missed", || observer.owner_seen_ago_ns().is_some_and(|ago_ns| ago_ns > SECOND / 2));
    let owner = observer.owner().unwrap();
    assert_eq!((owner.pid, owner.alive), (poller.pid(), true));
    assert!(owner.seen_ago_ns.is_some_and(|ago_ns| ago_ns > SECOND / 2));
    assert!(create(&place.0, config()).is_err(), "it still owns the page");
    if says(&["refuses", "unwatched"]) == "refuses" {
        says(&["unwatched"]); // it looked in between
    }
    assert!(!observer.is_halted());
    // Anybody can still halt it.
    let halter = Gate::open(&place.0).unwrap();
    assert_eq!(halter.halt("it doesn't answer"), Halted::Done);
    assert!(observer.is_halted());
    kill_process(pid, Signal::CONT).unwrap();
    until("the owner is back", || observer.owner_seen_ago_ns().is_some_and(|ago_ns| ago_ns < SECOND / 10));
    let reasons = || observer.events().map(|event| event.reason).collect::<Vec<_>>();
    until("the owner knows", || reasons().ends_with(&[Reason::Halt, Reason::OwnerSilent, Reason::OwnerBack]));
    assert_eq!(reasons()[0], Reason::Restart);
    assert_eq!(reasons().iter().filter(|&&reason| reason == Reason::Halt).count(), 1);
    let gaps = observer.events().filter(|event| event.reason == Reason::OwnerBack);
    assert!(gaps.last().is_some_and(|event| event.owner_gap_ns > SECOND / 2));
    says(&["refuses"]);
    assert_eq!(halter.resume("it is back"), Resumed::Done);
    says(&["passes"]);
}

// Halters, a resumer and owners that are killed.

/// Where the round stands while a halt is known to hold, and where an owner tells that it passed then.
fn signals(page: &Path) -> [std::path::PathBuf; 2] {
    ["round", "passed"].map(|name| page.with_extension(name))
}

fn round_in(file: &fs::File) -> u64 {
    let mut round = [0; 8];
    file.read_exact_at(&mut round, 0).unwrap();
    u64::from_ne_bytes(round)
}

/// Owns the page as soon as nobody else does, and trades until it is told to end. It has a warden.
fn trade(page: &Path) {
    let [round, passed] = signals(page);
    let round = fs::File::open(round).unwrap();
    let ends = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            wait();
            ends.store(true, Ordering::Relaxed);
        });
        let config = Config { owner_timeout_ns: 20_000_000, backoff_base_ns: 1, backoff_max_ns: 1, ..config() };
        // A folder of its own: no halt is to be found again there that was lost in the page.
        let folder = page.with_extension(format!("state-{}", std::process::id()));
        let options = Options::default().state_dir(folder);
        let mut breaker = loop {
            match Breaker::create_shared_with(page, config.clone(), Start::Closed, &options) {
                Ok(breaker) => break breaker,
                Err(SharedError::Owned { .. }) if !ends.load(Ordering::Relaxed) => {
                    thread::sleep(Duration::from_millis(2))
                }
                Err(SharedError::Owned { .. }) => return,
                Err(error) => panic!("{error}"),
            }
        };
        let (gate, mut lane) = (breaker.gate(), breaker.lane_with_capacity(4));
        while !ends.load(Ordering::Relaxed) {
            let before = round_in(&round);
            breaker.poll();
            let passes = [breaker.allow(), gate.allow(), lane.allow()];
            if before != 0 && passes.contains(&true) && round_in(&round) == before {
                fs::write(&passed, format!("{passes:?} in round {before}, {breaker:?}")).unwrap();
            }
            breaker.record(1); // somebody's order, as others have trials, too
            thread::sleep(Duration::from_micros(10));
        }
    });
}

/// A round begins when orders pass. Then B halts, while A halts and resumes all the time, and while owners are killed, stopped, ended and
/// replaced. From B's return until B resumes nobody passes, by whichever handle and of whichever owner.
#[test]
fn no_halt_is_lost_while_owners_are_killed_stopped_and_replaced() {
    let rounds: u64 = std::env::var("TRIP99_HALT_ROUNDS").map_or(300, |rounds| rounds.parse().unwrap());
    trip99::warden::disable(); // for the handles of this process: owners have their own
    let place = Place::new("halts");
    let page = &place.0;
    let [round_path, passed] = signals(page);
    fs::write(&round_path, 0_u64.to_ne_bytes()).unwrap();
    let round_file = fs::OpenOptions::new().write(true).open(&round_path).unwrap();
    let [a, b] = ["ann@desk-1", "bob@desk-2"].map(|name| Holder::new(name).unwrap());
    let mut random = StdRng::seed_from_u64(99);
    let mut owners: Vec<Process> = (0..2).map(|_| Process::start("trader", page)).collect();
    until("there is a page", || page.exists());

    // The round while B's halt is known to hold; otherwise 0.
    let (held, done, rests) = (AtomicU64::new(0), AtomicBool::new(false), AtomicBool::new(true));
    let (asked, refused) = (AtomicU64::new(0), AtomicU64::new(0));
    let gate = Gate::open(page).unwrap();
    thread::scope(|scope| {
        let _done = Done(&done);
        scope.spawn(|| {
            let gate = Gate::open(page).unwrap();
            while !done.load(Ordering::Relaxed) {
                if !rests.load(Ordering::SeqCst) {
                    assert_ne!(gate.halt_as(a, "by A"), Halted::Ended);
                }
                thread::sleep(Duration::from_micros(30));
            }
        });
        scope.spawn(|| {
            let gate = Gate::open(page).unwrap();
            while !done.load(Ordering::Relaxed) {
                assert_ne!(gate.resume_as(a, "by A"), Resumed::Ended);
                thread::sleep(Duration::from_micros(20));
            }
        });
        scope.spawn(|| {
            let gate = Gate::open(page).unwrap();
            while !done.load(Ordering::Relaxed) {
                let before = held.load(Ordering::SeqCst);
                let passes = gate.allow();
                let is_held = before != 0 && held.load(Ordering::SeqCst) == before;
                assert!(!(passes && is_held), "round {before}: an order passes, {:?}", gate.holders());
                asked.fetch_add(passes.into(), Ordering::Relaxed);
                refused.fetch_add(is_held.into(), Ordering::Relaxed);
                thread::sleep(Duration::from_micros(1));
            }
        });
        for round in 1..=rounds {
            until("orders pass", || gate.allow());
            rests.store(false, Ordering::SeqCst);
            let delays: [u64; 4] = random.random();
            let pause = move |index: usize, most_us: u64| thread::sleep(Duration::from_micros(delays[index] % most_us));
            let (held, round_file) = (&held, &round_file);
            let halter = scope.spawn(move || {
                let gate = Gate::open(page).unwrap();
                pause(0, 1500);
                assert_ne!(gate.halt_as(b, "by B"), Halted::Ended);
                assert!(!gate.allow(), "right after B's halt");
                round_file.write_all_at(&round.to_ne_bytes(), 0).unwrap();
                held.store(round, Ordering::SeqCst);
            });
            pause(1, 1500);
            disturb(&mut owners, page, &mut random);
            halter.join().unwrap();
            pause(2, 1500);
            disturb(&mut owners, page, &mut random);
            pause(3, 3000);

            assert!(
                gate.holders().notes().iter().any(|note| note.holder == Some(b)),
                "round {round}: B's halt is lost"
            );
            assert!(!gate.allow(), "round {round}");
            assert!(!passed.exists(), "an owner: {}", fs::read_to_string(&passed).unwrap());
            held.store(0, Ordering::SeqCst);
            round_file.write_all_at(&[0; 8], 0).unwrap();
            rests.store(true, Ordering::SeqCst);
            let resumed = gate.resume_as(b, "by B");
            assert!(!matches!(resumed, Resumed::NotHeld | Resumed::Ended), "round {round}: {resumed:?}");
        }
        println!("{rounds} rounds, {asked:?} orders passed, {refused:?} were refused while B's halt held");
        assert!(refused.load(Ordering::Relaxed) > rounds && asked.load(Ordering::Relaxed) > 0);
    });
    drop(owners);
    let name = page.file_name().unwrap().to_str().unwrap().to_owned();
    for entry in fs::read_dir(page.parent().unwrap()).unwrap().map(|entry| entry.unwrap()) {
        let path = entry.path();
        let is_ours = path.file_name().is_some_and(|found| found.to_str().unwrap().starts_with(&format!("{name}.")));
        if is_ours {
            let _ = fs::remove_file(&path);
            let _ = fs::remove_dir_all(&path);
        }
    }
}

/// Does something to one of the owners, or would-be owners, and starts another one where that ended it.
fn disturb(owners: &mut Vec<Process>, page: &Path, random: &mut StdRng) {
    let index = random.random_range(0..owners.len());
    let signal = |process: &Process, signal| {
        kill_process(Pid::from_raw(process.pid() as i32).unwrap(), signal).unwrap();
    };
    match random.random_range(0..8) {
        0..=2 => owners.swap_remove(index).kill(),
        3 => owners.swap_remove(index).end_cleanly(),
        4 => owners.drain(..).for_each(Process::kill),
        5 | 6 => {
            signal(&owners[index], Signal::STOP);
            // Some of these are longer than `owner_timeout`.
            thread::sleep(Duration::from_micros(random.random_range(0..40_000) / random.random_range(1..20)));
            if random.random_bool(0.3) {
                owners.swap_remove(index).kill();
            } else {
                signal(&owners[index], Signal::CONT);
            }
        }
        _ => {}
    }
    while owners.len() < 2 {
        owners.push(Process::start("trader", page));
    }
}

#[test]
fn an_owner_that_was_killed_before_its_first_operation_ended_uncleanly_too() {
    let place = Place::new("idler");
    for _ in 0..2 {
        Process::ready("idler", &place.0).end_cleanly();
        assert_eq!(Breaker::create_shared(&place.0, config(), Start::Closed).unwrap().state(), State::Closed);
    }
    Process::ready("idler", &place.0).kill();
    assert_eq!(Breaker::create_shared(&place.0, config(), Start::Closed).unwrap().state(), State::Open);
}

// Children of owners.

fn fork_and_wait(page: &Path) {
    let mut breaker = Breaker::create_shared(page, config(), Start::Closed).unwrap();
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
    // A child that has not run since the fork has not let go so far.
    until("no child has the lock", || !observer.owner().unwrap().alive);
    assert_eq!(Breaker::create_shared(&place.0, config(), Start::Closed).unwrap().state(), State::Open);
    drop(children);
}

fn fork_and_drop(page: &Path) {
    let mut breaker = Breaker::create_shared(page, config(), Start::Closed).unwrap();
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
    assert!(Breaker::create_shared(&place.0, config(), Start::Closed).is_err());
    // The child has left no seal: a killed owner comes back open. (An owner that ends cleanly comes back closed.)
    forker.kill();
    assert_eq!(Breaker::create_shared(&place.0, config(), Start::Closed).unwrap().state(), State::Open);
    let place = Place::new("child-drops-clean");
    Process::ready("forker whose child drops", &place.0).end_cleanly();
    assert_eq!(Breaker::create_shared(&place.0, config(), Start::Closed).unwrap().state(), State::Closed);
}

fn fork_and_ask(page: &Path) {
    let mut breaker = Breaker::create_shared(page, config(), Start::Closed).unwrap();
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
    let two_probes = Config { probes: 2, ..config() };
    let mut breaker = create_at(0, &place.0, two_probes.clone(), Start::HalfOpen).unwrap();
    let gate = breaker.gate();
    assert!(gate.allow() && !gate.allow(), "one trial at a time");
    breaker.poll_at(1);
    assert_eq!((breaker.snapshot().trials_granted, breaker.snapshot().refused), (1, 1));
    drop(breaker);

    let mut breaker = create_at(0, &place.0, two_probes, Start::HalfOpen).unwrap();
    assert!(!gate.allow() && !breaker.gate().allow(), "open, and no trial is left from before");
    breaker.poll_at(1);
    assert_eq!(breaker.snapshot().refused, 1, "the earlier owner's gate is counted no more");
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
    let mut breaker = create(&place.0, config()).unwrap();
    let file = fs::OpenOptions::new().write(true).open(&place.0).unwrap();
    assert!(breaker.allow_at(0));
    let gate = breaker.gate();
    for bits in 1..=u8::MAX {
        file.write_all_at(&[bits], GATE).unwrap();
        // HALTED with a turn, which nobody holds, is a resume under way; and who finds the owner silent may set UNWATCHED.
        let is_scribble = bits & 0b1011 != 0 || (bits & 0b100 != 0) != (bits >> 5 != 0);
        assert!(
            !gate.allow() || bits & 0b1000 != 0,
            "{bits:#b}: only SHADOW lets pass by a gate what the owner hasn't looked at"
        );
        assert_eq!(breaker.allow_at(0), !is_scribble, "{bits:#b}");
        let holders: Vec<_> = gate.holders().notes().iter().filter_map(|note| note.holder).collect();
        assert_eq!(holders, is_scribble.then_some(Holder::DAMAGE).into_iter().collect::<Vec<_>>(), "{bits:#b}");
        breaker.resume_as_at(0, Holder::DAMAGE, "looked");
        assert!(breaker.allow_at(0) && gate.allow(), "{bits:#b}");
    }
    // It is no clean end, either.
    file.write_all_at(&[1], GATE).unwrap();
    drop(breaker);
    assert_eq!(Breaker::create_shared(&place.0, config(), Start::Closed).unwrap().state(), State::Open);
}

#[test]
fn scribbling_over_a_page_in_use_harms_nobody() {
    let place = Place::new("scribbles");
    let mut breaker = create(&place.0, busy()).unwrap();
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
                let end = if random.random_bool(0.5) { BEFORE_NOTES } else { len };
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
