//! A breaker's page in a file: what is in it, who may own it, what is refused, and how a breaker comes back.
#![cfg(all(feature = "shm", target_os = "linux"))]

mod shared;

use proptest::prelude::*;
use shared::{Place, Process, SECOND, bring_to, config, create, create_at, latest_reasons, role, tell, wait};
use std::fs;
use std::os::unix::fs::{FileExt, PermissionsExt, symlink};
use std::path::Path;
use trip99::shared::SharedError;
use trip99::{Breaker, Config, Gate, Halted, Holder, Observer, Reason, Resumed, Start, Started, State};

/// Its pauses are so long that no test outlasts one.
fn patient() -> Config {
    Config { backoff_base_ns: 1000 * SECOND, backoff_max_ns: 10_000 * SECOND, ..config() }
}

/// This is no test. In a process of its own it is an owner that brings its patient breaker to some state and waits.
#[test]
#[ignore = "a role for processes that other tests start"]
fn child() {
    let Some((role, page)) = role() else { return };
    let mut breaker = match create(&page, patient()) {
        Ok(breaker) => breaker,
        Err(error) => return tell(&error.to_string()),
    };
    let (state, halted) = role.strip_suffix(" halted").map_or((role.as_str(), false), |state| (state, true));
    bring_to(&mut breaker, state);
    if halted {
        breaker.halt_at(10_000 * SECOND, "");
    }
    tell("ready");
    wait();
}

fn word(page: &Path, offset: u64) -> u64 {
    let mut bytes = [0; 8];
    fs::File::open(page).unwrap().read_exact_at(&mut bytes, offset).unwrap();
    u64::from_ne_bytes(bytes)
}

// The file.

/// Offsets in the file, and the size of its header. All of that but the library's version is believed.
const HEADER: u64 = 40;
const OWNED_BY: u64 = 24;
const PID: u64 = 128;
const SEAL: u64 = 136;
const ATTEMPT: u64 = 144;
const BOOT_ID: u64 = 192;
const STARTED: u64 = 208;
const FOLDER: u64 = 256;
const GATE: u64 = 4096;
const BOARD: u64 = 8192;
const HALTS: u64 = BOARD + 768;
const SNAPSHOT: u64 = BOARD + 1920;
const EVENTS: u64 = 39_296;
const SAMPLES: u64 = 170_624;

#[test]
fn the_file_is_laid_out_as_drawn() {
    let place = Place::new("layout");
    let mut breaker = create(&place.0, config()).unwrap();
    let metadata = fs::metadata(&place.0).unwrap();
    assert_eq!(metadata.permissions().mode() & 0o777, 0o600);
    assert_eq!(fs::metadata(place.0.parent().unwrap()).unwrap().permissions().mode() & 0o777, 0o700);
    assert!(!place.beside(".new").exists());
    assert_eq!(word(&place.0, 0), u64::from_le_bytes(*b"trip99fl"));
    assert_eq!((word(&place.0, 8), word(&place.0, PID)), (2, std::process::id().into()));
    // The header has the logarithm of the number of slots, in each byte, and the library's version.
    assert_eq!(word(&place.0, 16), 0x0a0a_0a0a_0a0a_0a0a);
    let [major, minor, patch] =
        [env!("CARGO_PKG_VERSION_MAJOR"), env!("CARGO_PKG_VERSION_MINOR"), env!("CARGO_PKG_VERSION_PATCH")];
    let version = [major, minor, patch].map(|part| part.parse::<u64>().unwrap());
    assert_eq!(word(&place.0, OWNED_BY), version[0] << 32 | version[1] << 16 | version[2]);
    assert_eq!((word(&place.0, BOARD), word(&place.0, BOARD + 8)), (u64::from_le_bytes(*b"trip99pg"), 2));
    assert_eq!(metadata.len(), SAMPLES + 1024 * 8);
    assert_eq!([word(&place.0, SEAL), word(&place.0, ATTEMPT), word(&place.0, STARTED)], [0, 0, 1]);
    let folder = trip99::shared::state_dir(&trip99::shared::Options::default()).unwrap();
    assert_eq!(word(&place.0, FOLDER), folder.as_os_str().len() as u64);
    // The restart is the first event. One halt by the engine: its bit, one count, a turn, and one event.
    assert_eq!([word(&place.0, GATE), word(&place.0, HALTS), word(&place.0, EVENTS)], [0, 0, 1]);
    breaker.halt_at(0, "");
    assert_eq!([word(&place.0, GATE), word(&place.0, HALTS), word(&place.0, EVENTS)], [4 | 2 << 5, 1 << 24 | 1, 2]);
    assert_eq!(breaker.resume_at(0, ""), Resumed::Done);
    assert_eq!([word(&place.0, GATE), word(&place.0, HALTS), word(&place.0, EVENTS)], [0, 2 << 24, 3]);
    // A clean end shows open, and is sealed.
    drop(breaker);
    assert_eq!(word(&place.0, GATE), 1);
    assert_ne!(word(&place.0, SEAL), 0);
}

#[test]
fn the_page_is_locked_in_memory_or_says_that_it_is_not() {
    let place = Place::new("locked");
    let process = Process::ready("closed", &place.0);
    let status = fs::read_to_string(format!("/proc/{}/status", process.pid())).unwrap();
    let locked = status.lines().find_map(|line| line.strip_prefix("VmLck:")?.trim().strip_suffix(" kB")?.parse().ok());
    let locked: u64 = locked.unwrap();
    let owner = Observer::open(&place.0).unwrap().owner().unwrap();
    assert_eq!(owner.memory_locked, locked * 1024 >= fs::metadata(&place.0).unwrap().len(), "{locked} kB");
}

#[test]
fn a_page_without_a_directory_or_a_name_is_an_error() {
    for path in ["/dev/shm/trip99-nowhere/page", "/", "..", "/dev/null/page"] {
        assert!(create(path.as_ref(), config()).is_err(), "{path}");
        assert!(Observer::open(path).is_err(), "{path}");
    }
    let config = Config { window_len: 0, ..config() };
    assert!(matches!(create("/".as_ref(), config), Err(SharedError::Config(_))));
}

// Observers and halters. (In processes of their own: see `shared_processes`.)

#[test]
fn observers_see_what_the_owner_does() {
    let place = Place::new("observers");
    let mut breaker = create(&place.0, Config { window_age_ns: 10 * SECOND, ..config() }).unwrap();
    let observer = Observer::open(&place.0).unwrap();
    assert_eq!((observer.state(), observer.is_halted()), (Some(State::Closed), false));
    assert_eq!(observer.snapshot(), Some(breaker.snapshot()), "there is one from construction on");
    assert_eq!((observer.quantile_ns(990_000), observer.halt_note()), (None, None));

    let mut events = observer.events();
    assert_eq!(events.next().map(|event| (event.sequence, event.reason)), Some((0, Reason::Restart)));
    for latency_ns in 1..=200 {
        breaker.record_at(SECOND, latency_ns);
        assert_eq!(observer.quantile_ns(500_000), breaker.quantile_ns_at(SECOND, 500_000));
        assert_eq!(observer.quantile_ns(1_000_000), Some(latency_ns));
    }
    breaker.record_at(12 * SECOND, SECOND);
    assert_eq!(observer.quantile_ns(0), Some(SECOND), "the others have expired");
    assert_eq!((observer.state(), observer.retry_at_ns()), (Some(State::Open), 13 * SECOND));
    assert_eq!(observer.snapshot(), Some(breaker.snapshot()));
    assert_eq!(events.next().map(|event| (event.sequence, event.reason)), Some((1, Reason::Latency)));
    breaker.poll_at(13 * SECOND);
    assert_eq!((observer.quantile_ns(990_000), breaker.quantile_ns(990_000)), (None, None), "a new epoch");
    assert!(breaker.allow_at(13 * SECOND));
    breaker.record_at(13 * SECOND + 7, 7);
    assert_eq!((observer.state(), observer.quantile_ns(990_000)), (Some(State::Closed), Some(7)));

    let owner = observer.owner().unwrap();
    assert_eq!((owner.pid, owner.alive), (std::process::id(), true));
    assert!(owner.seen_ago_ns.is_some_and(|ago_ns| ago_ns < 600 * SECOND));
    assert!(observer.owner_seen_ago_ns() >= owner.seen_ago_ns);
    drop(breaker);
    assert!(!observer.owner().unwrap().alive);
    assert_eq!(observer.state(), Some(State::Open), "nobody watches");
}

#[test]
fn the_owners_own_observer_tells_the_same_and_a_breaker_without_a_file_nothing() {
    let place = Place::new("own-observer");
    let mut breaker = create(&place.0, config()).unwrap();
    breaker.record_at(0, 5);
    assert_eq!(breaker.observer().quantile_ns(990_000), Some(5));
    assert!(breaker.observer().owner().is_some());

    let mut breaker = Breaker::new(config()).unwrap();
    breaker.record_at(0, 5);
    let observer = breaker.observer();
    assert_eq!((observer.quantile_ns(990_000), observer.owner(), observer.halt_note()), (None, None, None));
    assert_eq!(observer.owner_seen_ago_ns(), None);
}

#[test]
fn a_halter_stops_the_next_call_and_says_why() {
    let place = Place::new("halter");
    let mut breaker = create(&place.0, config()).unwrap();
    let (halter, observer) = (Gate::open(&place.0).unwrap(), Observer::open(&place.0).unwrap());
    for reason in ["prices look wrong", "", "again"] {
        assert!(breaker.allow_at(0));
        halter.halt(reason);
        assert!(!breaker.allow_at(0) && observer.is_halted());
        let note = observer.halt_note().unwrap();
        assert_eq!(
            (note.reason.as_str(), note.pid, note.uid, note.holder),
            (reason, std::process::id(), rustix::process::getuid().as_raw(), Some(halter.holder()))
        );
        assert_eq!(breaker.resume_at(0, "not the engine's"), Resumed::NotHeld);
        assert!(!breaker.allow_at(0));
        assert!(note.wall_ns > 1_600_000_000 * SECOND);
        assert_eq!(halter.resume(""), Resumed::Done);
        assert!(!halter.allow() && observer.halt_note().is_none(), "the owner opens");
        assert!(breaker.allow_at(0) && !halter.observer().is_halted() && halter.allow());
    }
    let reasons: Vec<_> = observer.events().skip(1).map(|event| event.reason).collect();
    assert_eq!(reasons, [Reason::Halt, Reason::Resume].repeat(3));
}

/// Who halts and resumes by the path is told whether an owner is there to obey. What others hold goes before that.
#[test]
fn a_handle_by_the_path_tells_whether_an_owner_is_there() {
    let place = Place::new("presence");
    let ann = Holder::new("ann@desk-7").unwrap();
    let breaker = create(&place.0, config()).unwrap();
    let gate = Gate::open(&place.0).unwrap();
    let acts = |gate: &Gate| {
        let halts = [gate.halt(""), gate.halt_as(ann, "")];
        (halts, [gate.resume(""), gate.resume(""), gate.resume_as(ann, ""), gate.resume_as(ann, "")])
    };
    let (held, none) = (Resumed::StillHeld, Resumed::NotHeld);
    assert_eq!(acts(&gate), ([Halted::Done; 2], [held, none, Resumed::Done, none]));
    drop(breaker);
    // The lock of another page isn't this page's owner.
    let other = Place::new("presence-of-another");
    let _other = create(&other.0, config()).unwrap();
    assert_eq!(acts(&gate), ([Halted::NoOwner; 2], [held, none, Resumed::NoOwner, none]));
    assert!(!gate.allow(), "a page without an owner shows open");
    let process = Process::ready("closed", &place.0);
    assert_eq!(acts(&gate), ([Halted::Done; 2], [held, none, Resumed::Done, none]));
    process.kill();
    assert_eq!(acts(&gate), ([Halted::NoOwner; 2], [held, none, Resumed::NoOwner, none]));
    // The owner alone opens, so the gate refuses until there is one.
    assert!(!gate.allow() && gate.is_halted() && gate.holders().is_empty());
    let breaker = create(&place.0, config()).unwrap();
    assert!(!gate.is_halted() && !breaker.snapshot().halted);
}

/// Another process asks, so a poll is a sign of life.
#[test]
fn an_owner_whose_page_is_asked_by_its_path_is_to_be_polled_within_half_an_owner_timeout() {
    let place = Place::new("asked");
    let mut breaker = create(&place.0, config()).unwrap();
    breaker.poll_at(4 * SECOND);
    breaker.poll_at(5 * SECOND);
    let _observer = Observer::open(&place.0).unwrap();
    assert_eq!(breaker.next_deadline_ns(), u64::MAX, "an observer doesn't ask");
    let gate = Gate::open(&place.0).unwrap();
    assert_eq!(breaker.next_deadline_ns(), 5 * SECOND + SECOND / 2);
    breaker.poll_at(6 * SECOND);
    assert_eq!(breaker.next_deadline_ns(), 6 * SECOND + SECOND / 2);
    drop((gate, breaker));
    // Who asked may come again: the next owner keeps it up.
    let mut breaker = create(&place.0, config()).unwrap();
    assert!(breaker.next_deadline_ns() <= SECOND / 2);
    breaker.reconfigure(&Config { owner_timeout_ns: 0, ..config() }).unwrap();
    assert_eq!(breaker.next_deadline_ns(), u64::MAX);
}

// One owner.

#[test]
fn a_second_owner_is_told_whose_the_page_is() {
    let place = Place::new("owners");
    let breaker = create(&place.0, config()).unwrap();
    let owner = |error: SharedError| match error {
        SharedError::Owned { path, pid } if path == place.0 => pid,
        error => panic!("{error}"),
    };
    let error = create(&place.0, config()).unwrap_err();
    let message = format!("{} is owned by process {}", place.0.display(), std::process::id());
    assert_eq!(error.to_string(), message);
    assert_eq!(owner(error), Some(std::process::id()));
    // That holds for another path to the same file, too.
    let directory = place.0.parent().unwrap();
    let roundabout = directory.join("..").join(directory.file_name().unwrap()).join(place.0.file_name().unwrap());
    assert!(matches!(create(&roundabout, config()), Err(SharedError::Owned { .. })));
    // Observers that open and close the page in the owner's process don't release its lock.
    drop((Observer::open(&place.0).unwrap(), Gate::open(&place.0).unwrap()));
    assert!(Observer::open(&place.0).unwrap().owner().unwrap().alive);
    assert_eq!(Process::start("closed", &place.0).said(), message, "another process is told");
    drop(breaker);

    let process = Process::ready("closed", &place.0);
    assert_eq!(owner(create(&place.0, config()).unwrap_err()), Some(process.pid()));
    let observer = Observer::open(&place.0).unwrap();
    assert_eq!(observer.owner().map(|owner| (owner.pid, owner.alive)), Some((process.pid(), true)));
    process.kill();
    assert!(!observer.owner().unwrap().alive);
    create(&place.0, config()).unwrap();
}

// Restart.

/// All of it holds before the first operation.
#[test]
fn how_it_comes_back() {
    for before in ["closed", "closed-again", "open", "half-open"] {
        for (clean, halted) in [(true, false), (true, true), (false, false), (false, true)] {
            for start in [Start::Closed, Start::HalfOpen] {
                let context = format!("{before}, clean: {clean}, halted: {halted}, {start:?}");
                let place = Place::new("restart");
                let role = if halted { format!("{before} halted") } else { before.to_owned() };
                let process = Process::ready(&role, &place.0);
                let observer = Observer::open(&place.0).unwrap();
                let mut followed = observer.events();
                let earlier = followed.by_ref().count() as u64;
                let found = observer.state().unwrap();
                if clean {
                    process.end_cleanly()
                } else {
                    process.kill()
                }
                let left = if clean { State::Open } else { found };
                assert_eq!((observer.state(), observer.is_halted()), (Some(left), halted), "{context}");

                // The new owner's clock is one that the earlier owner didn't know.
                let now_ns = 77;
                let mut breaker = create_at(now_ns, &place.0, patient(), start).unwrap();
                let healthy = clean && found == State::Closed && !halted;
                let started = if healthy { Started::Clean } else { Started::Unclean };
                let state = match start {
                    _ if !healthy => State::Open,
                    Start::HalfOpen => State::HalfOpen,
                    _ => State::Closed,
                };
                let attempt = u32::from(before != "closed");
                assert_eq!(breaker.started(), Some(started), "{context}");
                assert_eq!((breaker.state(), observer.state()), (state, Some(state)), "{context}");
                assert_eq!((breaker.snapshot().halted, breaker.snapshot().attempt), (halted, attempt), "{context}");

                // What is left of a pause counts. Whoever was not open pauses in full.
                let pause_ns = patient().backoff_base_ns << attempt;
                let retry_at_ns = breaker.next_deadline_ns();
                match found {
                    _ if healthy => assert_eq!(retry_at_ns, u64::MAX, "{context}"),
                    State::Open => assert!(
                        retry_at_ns < now_ns + pause_ns && retry_at_ns > now_ns + pause_ns / 2,
                        "{context}: {retry_at_ns}"
                    ),
                    _ => assert_eq!(retry_at_ns, now_ns + pause_ns, "{context}"),
                }
                assert_eq!((observer.retry_at_ns(), breaker.snapshot().retry_at_ns), (retry_at_ns, retry_at_ns));
                let snapshot = observer.snapshot().unwrap();
                assert_eq!(snapshot, breaker.snapshot(), "{context}");
                assert_eq!((snapshot.now_ns, snapshot.halted, snapshot.events), (now_ns, halted, earlier + 1));
                let event = followed.next().unwrap();
                assert_eq!((event.sequence, event.reason, event.t_ns), (earlier, Reason::Restart, now_ns), "{context}");
                let from = if healthy { State::Closed } else { left };
                assert_eq!((event.from, event.to, event.attempt), (from, state, attempt), "{context}");
                assert_eq!((event.retry_at_ns, event.owner_gap_ns), (retry_at_ns, 0), "{context}");
                // The earlier owner has journaled the halt.
                assert_eq!((followed.next(), followed.missed()), (None, 0), "{context}");

                assert_eq!(breaker.allow_at(now_ns), healthy, "{context}");
                breaker.release_at(now_ns);
                breaker.poll_at(now_ns);
                assert_eq!((followed.next(), breaker.snapshot().retry_at_ns), (None, retry_at_ns), "{context}");

                let retry_at_ns = if healthy { now_ns } else { retry_at_ns };
                breaker.poll_at(retry_at_ns);
                assert_eq!(breaker.state(), if healthy { state } else { State::HalfOpen }, "{context}");
                assert_eq!(breaker.allow_at(retry_at_ns), !halted, "{context}");
                let resumed = if halted { Resumed::Done } else { Resumed::NotHeld };
                assert_eq!(breaker.resume_at(retry_at_ns, ""), resumed, "{context}");
                assert!(!halted || breaker.allow_at(retry_at_ns), "{context}");
            }
        }
    }
}

#[test]
fn a_new_page_begins_as_start_says_and_tells_so_at_construction() {
    for (start, state, halted) in [
        (Start::Closed, State::Closed, false),
        (Start::HalfOpen, State::HalfOpen, false),
        (Start::Halted, State::Closed, true),
    ] {
        let place = Place::new("new");
        let mut breaker = Breaker::create_shared_at(5 * SECOND, &place.0, config(), start).unwrap();
        let observer = Observer::open(&place.0).unwrap();
        assert_eq!((breaker.started(), breaker.config().start), (Some(Started::New), start));
        assert_eq!((observer.state(), observer.is_halted()), (Some(state), halted));
        let events: Vec<_> = observer.events().collect();
        let told: Vec<_> = events.iter().map(|event| (event.sequence, event.t_ns, event.reason)).collect();
        let mut expected = vec![(0, 5 * SECOND, Reason::Restart)];
        expected.extend(halted.then_some((1, 5 * SECOND, Reason::Halt)));
        assert_eq!(told, expected);
        assert_eq!((events[0].from, events[0].to, events[0].attempt), (state, state, 0));
        assert_eq!(
            (events[0].retry_at_ns, observer.retry_at_ns(), breaker.next_deadline_ns()),
            (u64::MAX, u64::MAX, u64::MAX)
        );
        let snapshot = observer.snapshot().unwrap();
        assert_eq!((&snapshot, snapshot.now_ns, snapshot.halted), (&breaker.snapshot(), 5 * SECOND, halted));
        assert_eq!(breaker.allow_at(5 * SECOND), !halted);
        assert_eq!(breaker.events().count(), expected.len());
    }
    // By the process's own clock, if nobody tells another one.
    let place = Place::new("new");
    let before_ns = Breaker::new(config()).unwrap().now_ns();
    let breaker = Breaker::create_shared(&place.0, config(), Start::Closed).unwrap();
    let event = breaker.events().next().unwrap();
    assert!((before_ns..=breaker.now_ns()).contains(&event.t_ns), "{before_ns} {event:?}");
    assert_eq!(breaker.snapshot().now_ns, event.t_ns);
}

/// An owner with a time of its own that it didn't tell at construction.
#[test]
fn a_first_operation_before_construction_moves_the_pause() {
    for (first_ns, shift_ns) in [(77, 777 * SECOND - 77), (777 * SECOND, 0), (778 * SECOND, 0)] {
        let place = Place::new("shifted");
        Process::ready("half-open", &place.0).kill();
        let mut breaker = create_at(777 * SECOND, &place.0, patient(), Start::Closed).unwrap();
        let observer = Observer::open(&place.0).unwrap();
        assert_eq!((breaker.next_deadline_ns(), observer.retry_at_ns()), (2777 * SECOND, 2777 * SECOND));
        breaker.poll_at(first_ns);
        let retry_at_ns = 2777 * SECOND - shift_ns;
        assert_eq!((breaker.next_deadline_ns(), observer.retry_at_ns()), (retry_at_ns, retry_at_ns));
        assert_eq!((breaker.snapshot().retry_at_ns, observer.snapshot()), (retry_at_ns, Some(breaker.snapshot())));
        assert_eq!(breaker.snapshot().now_ns, first_ns);
        breaker.poll_at(retry_at_ns - 1);
        assert_eq!(breaker.state(), State::Open);
        breaker.poll_at(retry_at_ns);
        assert_eq!(breaker.state(), State::HalfOpen);
    }
}

#[test]
fn a_pause_of_another_boot_begins_anew() {
    let place = Place::new("boot");
    Process::ready("open", &place.0).kill();
    let file = fs::OpenOptions::new().write(true).open(&place.0).unwrap();
    file.write_all_at(&[7; 16], BOOT_ID).unwrap();
    let breaker = create_at(SECOND, &place.0, patient(), Start::Closed).unwrap();
    assert_eq!(breaker.next_deadline_ns(), 2001 * SECOND);
}

/// Its gate shows open then, but it was not in the pause that the page tells of.
#[test]
fn an_unclean_end_while_not_open_leaves_a_full_pause() {
    let brief = Config { backoff_base_ns: 1, backoff_max_ns: 1, ..config() };
    for state in ["closed", "half-open", "closed-again"] {
        let place = Place::new("full");
        let mut breaker = create(&place.0, brief.clone()).unwrap();
        if state != "closed" {
            breaker.trip_at(0);
            breaker.poll_at(1);
            assert_eq!(breaker.state(), State::HalfOpen);
        }
        if state == "closed-again" {
            assert!(breaker.allow_at(2));
            breaker.record_at(3, 1);
            assert_eq!(breaker.state(), State::Closed);
        }
        breaker.halt_at(4, "");
        drop(breaker);
        let breaker = create(&place.0, patient()).unwrap();
        assert_eq!(breaker.started(), Some(Started::Unclean), "{state}");
        assert_eq!(breaker.next_deadline_ns(), 1000 * SECOND, "{state}");
    }
}

/// The end hears lanes and fires timers first.
#[test]
fn an_end_takes_in_what_lanes_told() {
    let threshold_ns = config().threshold_ns;
    for (end_ns, started) in [(threshold_ns, Started::Clean), (threshold_ns + 1, Started::Unclean)] {
        for is_answered in [false, true] {
            let place = Place::new("unheard");
            let mut breaker = create(&place.0, config()).unwrap();
            let mut lane = breaker.lane();
            breaker.poll_at(0);
            let call = lane.begin_at(0);
            if is_answered {
                lane.end_at(end_ns, call);
            }
            breaker.destroy_at(end_ns);
            let again = create(&place.0, config()).unwrap();
            assert_eq!(again.started(), Some(started), "{end_ns}, {is_answered}");
            // An answer that was too slow opens it.
            let reasons: Vec<Reason> = again.events().map(|event| event.reason).collect();
            let is_slow = started == Started::Unclean;
            let is_told = reasons.contains(&Reason::Latency);
            assert_eq!(is_told, is_slow, "{end_ns}, {is_answered}: {reasons:?}");
        }
    }
}

#[test]
fn a_halt_by_anyone_outlives_owners_until_it_is_resumed() {
    let place = Place::new("latched");
    drop(create(&place.0, config()).unwrap());
    let halter = Gate::open(&place.0).unwrap();
    assert_eq!(halter.halt("while nobody was there"), Halted::NoOwner);
    for round in 0..3 {
        let mut breaker = create(&place.0, config()).unwrap();
        // The first one finds a clean end. No end is clean while the page is halted.
        let started = if round == 0 { Started::Clean } else { Started::Unclean };
        assert_eq!(breaker.started(), Some(started));
        assert!(breaker.snapshot().halted && !breaker.allow_at(1));
        // The first owner that there is journals it.
        let reasons: &[Reason] = if round == 0 { &[Reason::Restart, Reason::Halt] } else { &[Reason::Restart] };
        assert_eq!(latest_reasons(&breaker, reasons.len()), reasons);
        assert_eq!(breaker.events().count(), 3 + round);
        assert_eq!(halter.observer().halt_note().unwrap().reason, "while nobody was there");
    }
    assert_eq!(halter.resume(""), Resumed::NoOwner);
    let mut breaker = create(&place.0, config()).unwrap();
    assert!(!breaker.snapshot().halted && !halter.is_halted(), "the take-over has seen that nobody holds it");
    assert_eq!(latest_reasons(&breaker, 2), [Reason::Restart, Reason::Resume]);
    assert!(!breaker.allow_at(0) && breaker.allow_at(SECOND), "it was no clean end");
    breaker.record_at(SECOND + 1, 1);
    assert_eq!(breaker.state(), State::Closed);
    assert_eq!(halter.halt("before the first operation"), Halted::Done);
    drop(breaker);

    // It is resumed before the first operation.
    let mut breaker = create(&place.0, config()).unwrap();
    assert_eq!(latest_reasons(&breaker, 2), [Reason::Restart, Reason::Halt]);
    assert_eq!(breaker.resume_as_at(1, halter.holder(), ""), Resumed::Done);
    assert!(!breaker.snapshot().halted && !breaker.allow_at(2), "nor was this one");
    breaker.poll_at(2);
    assert_eq!(latest_reasons(&breaker, 3), [Reason::Restart, Reason::Halt, Reason::Resume]);
    assert!(breaker.allow_at(SECOND));
}

#[test]
fn the_next_owner_journals_the_latest_64_halts_and_resumes_of_a_time_without_one() {
    let place = Place::new("unowned");
    drop(create(&place.0, config()).unwrap());
    let halter = Gate::open(&place.0).unwrap();
    for round in 0..50 {
        halter.halt(&round.to_string());
        let left = if round == 0 { Resumed::NoOwner } else { Resumed::StillHeld };
        assert_eq!(halter.resume_as(halter.holder(), ""), left);
        halter.halt_as(Holder::new("ann@desk-7").unwrap(), "hers");
    }
    let mut breaker = create(&place.0, config()).unwrap();
    breaker.poll_at(1);
    // The latest 64 of 150 begin with a resume.
    let entries = [Reason::Halt, Reason::Resume, Reason::Halt].into_iter().cycle().skip(150 - 64).take(64);
    let reasons: Vec<Reason> = breaker.events().map(|event| event.reason).collect();
    assert!(reasons.iter().copied().eq([Reason::Restart; 2].into_iter().chain(entries)), "{reasons:?}");
    // Her halt is the only one that is held, and it is known, however many came after it.
    let note = |holder: &str| {
        halter
            .holders()
            .notes()
            .iter()
            .map(|note| (note.holder, note.reason.clone()))
            .eq([(Holder::parse(holder), "hers".to_owned())])
    };
    assert!(note("ann@desk-7") && !breaker.allow_at(2));
    for _ in 0..100 {
        halter.halt("");
        halter.resume("");
    }
    assert!(note("ann@desk-7"), "{:?}", halter.holders());
    breaker.poll_at(3);
    assert!(!breaker.allow_at(3));
    assert_eq!(halter.resume_as(Holder::new("ann@desk-7").unwrap(), ""), Resumed::Done);
    assert!(breaker.allow_at(4));
}

/// A handle from a breaker ends with it. A handle by the path follows the owners.
#[test]
fn handles_of_a_breaker_refuse_when_it_has_ended_whoever_owns_the_page_later() {
    for shadow in [false, true] {
        let place = Place::new("ended");
        let config = Config { shadow, ..config() };
        let mut earlier = create(&place.0, config.clone()).unwrap();
        let (gate, mut lane, by_path) = (earlier.gate(), earlier.lane(), Gate::open(&place.0).unwrap());
        earlier.poll_at(1);
        assert!(gate.allow() && lane.allow() && by_path.allow());
        drop(earlier);
        assert!(!gate.allow() && !lane.allow() && gate.state() == Some(State::Open));
        let mut later = create(&place.0, config).unwrap();
        later.poll_at(1);
        assert!(later.allow_at(1) && by_path.allow() && later.gate().allow());
        assert!(!gate.allow() && !gate.clone().allow() && !lane.allow());
        // They halt and count nothing of the later owner's.
        assert_eq!((gate.halt(""), lane.halt(""), gate.resume("")), (Halted::Ended, Halted::Ended, Resumed::Ended));
        later.poll_at(2);
        assert!(later.allow_at(2) && by_path.allow() && later.snapshot().refused == 0);
        by_path.halt("");
        assert_eq!(gate.resume_as(by_path.holder(), ""), Resumed::Ended);
        assert!(!later.allow_at(3) && !by_path.allow());
    }
}

#[test]
fn the_callers_config_applies_and_its_start_can_only_make_a_restart_stricter() {
    let place = Place::new("config");
    let shadow = Config { shadow: true, ..config() };
    let begin = || create_at(0, &place.0, shadow.clone(), Start::HalfOpen).unwrap();
    let recover = |breaker: &mut Breaker| {
        assert!(breaker.allow_at(0));
        breaker.record_at(1, 1);
        assert_eq!(breaker.state(), State::Closed);
    };
    let mut breaker = begin();
    assert_eq!((breaker.state(), breaker.started()), (State::HalfOpen, Some(Started::New)));
    recover(&mut breaker);
    let small = Observer::open(&place.0).unwrap();
    assert_eq!(small.quantile_ns(0), Some(1));
    drop(breaker);

    // Clean restarts are half-open, too. Who ends while half-open comes back open, whatever `start` is.
    let mut breaker = begin();
    assert_eq!((breaker.state(), breaker.started()), (State::HalfOpen, Some(Started::Clean)));
    assert_eq!(latest_reasons(&breaker, 1), [Reason::Restart]);
    recover(&mut breaker);
    drop(breaker);
    drop(begin());
    let mut breaker = begin();
    assert_eq!((breaker.state(), breaker.started()), (State::Open, Some(Started::Unclean)));
    breaker.poll_at(SECOND);
    assert!(breaker.allow_at(SECOND));
    breaker.record_at(SECOND + 1, 1);
    assert_eq!(breaker.state(), State::Closed);
    drop(breaker);

    // The new owner has no shadow, another window and a shorter backoff.
    let len = fs::metadata(&place.0).unwrap().len();
    let other = Config { window_len: 5000, backoff_max_ns: SECOND, ..config() };
    let mut breaker = create(&place.0, other).unwrap();
    assert_eq!((breaker.state(), breaker.config().start), (State::Closed, Start::Closed));
    assert!(fs::metadata(&place.0).unwrap().len() > len);
    for latency_ns in 1..=6000 {
        breaker.record_at(2, latency_ns);
    }
    let large = Observer::open(&place.0).unwrap();
    assert_eq!((large.quantile_ns(0), large.quantile_ns(1_000_000)), (Some(1001), Some(6000)));
    assert_eq!((small.quantile_ns(0), small.state()), (None, Some(State::Closed)), "too small to hold it");
    breaker.record_at(3, SECOND);
    assert!(breaker.allow_at(3 + SECOND));
    breaker.record_at(13 + SECOND, 7);
    assert_eq!((large.quantile_ns(0), small.quantile_ns(0)), (Some(7), None), "nor does it take other slots for these");
    breaker.record_at(3 * SECOND, SECOND);
    assert!(!breaker.allow_at(3 * SECOND));
    drop(breaker);
    // A smaller window has room enough.
    let mut breaker = create(&place.0, config()).unwrap();
    assert_eq!(breaker.state(), State::Open);
    breaker.record_at(5, 9);
    assert_eq!(Observer::open(&place.0).unwrap().quantile_ns(0), Some(9));
}

#[test]
fn a_panic_is_no_clean_end() {
    let place = Place::new("panic");
    let page = place.0.clone();
    let panicked = std::thread::spawn(move || {
        let _breaker = create(&page, config()).unwrap();
        std::panic::resume_unwind(Box::new("a panic"));
    });
    assert!(panicked.join().is_err());
    assert_eq!(create(&place.0, config()).unwrap().state(), State::Open);
}

#[test]
fn a_snapshot_that_a_killed_owner_left_half_written_is_none_until_the_next() {
    let (place, file) = made("half-written");
    create(&place.0, config()).unwrap().poll_at(0);
    file.write_all_at(&(word(&place.0, SNAPSHOT) + 1).to_ne_bytes(), SNAPSHOT).unwrap();
    let observer = Observer::open(&place.0).unwrap();
    assert_eq!(observer.snapshot(), None);
    let mut breaker = create(&place.0, config()).unwrap();
    assert_eq!(observer.snapshot(), Some(breaker.snapshot()));
    breaker.poll_at(9);
    assert_eq!(observer.snapshot(), Some(breaker.snapshot()));
}

#[test]
fn an_attempt_beyond_the_callers_backoff_is_capped() {
    let place = Place::new("attempt");
    Process::ready("open", &place.0).kill();
    let config = Config { backoff_base_ns: SECOND, backoff_max_ns: SECOND, ..config() };
    // More than the new pause is left of the old one.
    let mut breaker = create_at(5, &place.0, config, Start::Closed).unwrap();
    for now_ns in [5, 6] {
        assert_eq!((breaker.snapshot().attempt, breaker.next_deadline_ns()), (0, 5 + SECOND));
        breaker.poll_at(now_ns);
    }
}

// Refusals.

/// Every way to open the page fails like this, and leaves the file alone.
fn assert_refused(place: &Place, expected: &str) {
    let before = fs::read(&place.0).ok();
    let expected = expected.replace("PAGE", &place.0.display().to_string());
    assert_eq!(create(&place.0, config()).unwrap_err().to_string(), expected);
    assert_eq!(fs::read(&place.0).ok(), before);
    if !expected.contains("damaged: the gate") && !expected.contains("the attempt") && !expected.contains("events") {
        assert_eq!(Observer::open(&place.0).unwrap_err().to_string(), expected);
        assert_eq!(Gate::open(&place.0).unwrap_err().to_string(), expected);
        assert_eq!(fs::read(&place.0).ok(), before);
    }
}

fn made(name: &str) -> (Place, fs::File) {
    let place = Place::new(name);
    drop(create(&place.0, config()).unwrap());
    let file = fs::OpenOptions::new().write(true).open(&place.0).unwrap();
    (place, file)
}

#[test]
fn damaged_pages_are_refused() {
    for (offset, bytes, message) in [
        (0, &b"TRIP"[..], "PAGE is damaged: the magic number"),
        (8, &[9], "PAGE has layout version 9; known: 2"),
        (16, &[11], "PAGE is damaged: the number of slots"),
        (16, &[22; 8], "PAGE is damaged: the number of slots"),
        (16, &[0xff; 8], "PAGE is damaged: the number of slots"),
        (16, &[0; 8], "PAGE is damaged: the number of slots"),
        (ATTEMPT, &[66], "PAGE is damaged: the attempt"),
        (BOARD, &[0], "PAGE is damaged: the page's magic number"),
        (BOARD + 8, &[9], "PAGE has layout version 9; known: 2"),
        (GATE, &[3], "PAGE is damaged: the gate"),
        (GATE, &[4], "PAGE is damaged: the gate"),
        (GATE, &[32], "PAGE is damaged: the gate"),
        (EVENTS + 6, &[2], "PAGE is damaged: the number of events"),
    ] {
        let (place, file) = made("damaged");
        file.write_all_at(bytes, offset).unwrap();
        assert_refused(&place, message);
    }
}

/// Whoever made the page, any library of this layout takes it over.
#[test]
fn the_version_of_the_library_that_had_a_page_is_not_checked() {
    let (place, file) = made("library");
    let own = word(&place.0, OWNED_BY);
    file.write_all_at(&[9; 8], OWNED_BY).unwrap();
    Observer::open(&place.0).unwrap();
    Gate::open(&place.0).unwrap();
    assert_eq!(create(&place.0, config()).unwrap().started(), Some(Started::Clean));
    assert_eq!(word(&place.0, OWNED_BY), own, "it tells whose owner has the page");
}

/// Where the tap was, the samples of a larger window come to lie. A reader of then takes none of them for rows, nor for rows that it missed.
#[test]
fn a_tap_that_has_moved_is_left_alone() {
    let place = Place::new("moved-tap");
    let tapped = |window_len| Config { tap_len: 64, window_len, ..config() };
    let mut breaker = create(&place.0, tapped(1024)).unwrap();
    breaker.record_at(SECOND, 5);
    let mut tap = Observer::open(&place.0).unwrap().tap().unwrap();
    assert_eq!(tap.by_ref().map(|row| row.latency_ns).collect::<Vec<_>>(), [Some(5)]);
    drop(breaker);
    let mut breaker = create(&place.0, tapped(100_000)).unwrap();
    for now_ns in 0..3000 {
        breaker.record_at(2 * SECOND + now_ns, 1_000_000);
    }
    assert_eq!((tap.next(), tap.missed(), tap.has_moved()), (None, 0, true));
    // Whoever opens the page now reads the tap where it is: 64 of the 3000 rows, and one that may be under way.
    let mut tap = Observer::open(&place.0).unwrap().tap().unwrap();
    assert_eq!((tap.by_ref().count(), tap.missed(), tap.has_moved()), (63, 0, false));
}

#[test]
fn truncated_pages_are_refused() {
    let (place, file) = made("truncated");
    let whole = fs::metadata(&place.0).unwrap().len();
    let shortest = SAMPLES + 1024 * 8;
    for (len, expected) in [(whole - 1, whole), (BOARD, whole), (HEADER, whole), (HEADER - 1, shortest), (0, shortest)]
    {
        file.set_len(len).unwrap();
        assert_refused(&place, &format!("PAGE is truncated: {len} bytes; expected: at least {expected}"));
    }
    // The file may be longer, as it is for a moment while it grows.
    let (place, file) = made("longer");
    file.set_len(whole + 100_000).unwrap();
    Observer::open(&place.0).unwrap();
    assert_eq!(create(&place.0, config()).unwrap().state(), State::Closed);
}

#[test]
fn files_that_are_not_ours_or_no_files_are_refused() {
    let (place, _) = made("mode");
    for mode in [0o620, 0o602, 0o666] {
        fs::set_permissions(&place.0, fs::Permissions::from_mode(mode)).unwrap();
        assert_refused(&place, "PAGE is writable for others");
    }

    let (target, _) = made("target");
    let link = Place::new("link");
    symlink(&target.0, &link.0).unwrap();
    assert_refused(&link, "PAGE is a symbolic link");
    let hard_link = Place::new("hard-link");
    fs::hard_link(&target.0, &hard_link.0).unwrap();
    assert_refused(&hard_link, "PAGE is a file of several names");
    let directory = Place::new("directory");
    fs::create_dir(&directory.0).unwrap();
    assert_refused(&directory, "PAGE is not a regular file");

    let lock = Place::new("lock");
    symlink(&target.0, lock.beside(".lock")).unwrap();
    assert!(matches!(create(&lock.0, config()), Err(SharedError::NotOurs { .. })));
    assert!(!lock.0.exists());
}

#[test]
fn a_draft_that_a_killed_owner_left_is_no_page_and_in_nobodys_way() {
    let place = Place::new("draft");
    fs::write(place.beside(".new"), "half a page").unwrap();
    assert!(Observer::open(&place.0).is_err());
    drop(create(&place.0, config()).unwrap());
    assert!(!place.beside(".new").exists());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever a file holds, opening it doesn't panic. A damaged header never shows a healthy, closed gate.
    #[test]
    fn scribbled_files_are_refused_or_borne(
        scribbles in prop::collection::vec((any::<prop::sample::Index>(), prop::collection::vec(any::<u8>(), 1..40)), 1..6),
        in_header in any::<bool>(), len in prop::option::of(any::<prop::sample::Index>()),
    ) {
        let (place, file) = made("scribbled");
        let original = fs::read(&place.0).unwrap();
        for (offset, bytes) in &scribbles {
            let size = if in_header { HEADER as usize } else { original.len() };
            let offset = offset.index(size);
            let end = (offset + bytes.len()).min(size);
            file.write_all_at(&bytes[..end - offset], offset as u64).unwrap();
        }
        if let Some(len) = len {
            file.set_len(len.index(original.len() + 1) as u64).unwrap();
        }
        for observer in [Observer::open(&place.0), Gate::open(&place.0).map(|halter| halter.observer().clone())].into_iter().flatten() {
            let _ = (observer.state(), observer.snapshot(), observer.quantile_ns(990_000), observer.halt_note());
            let _ = (observer.owner(), observer.events().count());
        }
        // A gate tells that somebody asks, and whether an owner is there.
        let scribbled = fs::read(&place.0).unwrap();
        match create(&place.0, config()) {
            Err(_) => prop_assert!(fs::read(&place.0).unwrap() == scribbled),
            Ok(mut breaker) => {
                let believed = [0..OWNED_BY as usize, OWNED_BY as usize + 8..HEADER as usize, BOARD as usize..BOARD as usize + 16];
                prop_assert!(believed.into_iter().all(|part| scribbled[part.clone()] == original[part]));
                prop_assert_eq!(scribbled.len(), original.len());
                for now_ns in 0..300 {
                    let _ = breaker.allow_at(now_ns);
                    breaker.record_at(now_ns, now_ns);
                    breaker.poll_at(now_ns);
                }
                breaker.record_at(1000, SECOND);
                prop_assert!(!breaker.allow_at(1000));
            }
        }
    }
}
