//! Attacks from outside: what else could let an order pass that somebody stopped, or that nobody watches? `docs/failures.md` has each row
//! of its table by the name of a test.
#![cfg(target_os = "linux")]

mod shared;

use shared::{Place, SECOND, config, holders, within};
use std::fs;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;
use trip99::shared::Halter;
use trip99::{Breaker, Config, Gate, Halted, Holder, Lane, Reason, Resumed, Start, Started, State};

const MS: Duration = Duration::from_millis(1);

fn create(place: &Place, config: Config) -> Breaker {
    Breaker::create_shared(&place.0, config, Start::Closed).unwrap()
}

fn reasons(breaker: &Breaker) -> Vec<Reason> {
    breaker.events().map(|event| event.reason).collect()
}

// Handles of an ended owner.

fn assert_refuses(gate: &Gate, lane: &mut Lane) {
    for _ in 0..1000 {
        assert!(!gate.allow() && !lane.allow());
    }
}

#[test]
fn handles_of_an_ended_owner_refuse_whoever_takes_the_page_over() {
    for shadow in [false, true] {
        let place = Place::new(&format!("orphans-{shadow}"));
        let mut first = create(&place, Config { shadow, ..config() });
        let (gate, mut lane, observer) = (first.gate(), first.lane(), first.observer());
        assert!(gate.allow() && lane.allow());
        drop(first);
        assert_refuses(&gate, &mut lane);
        let mut second = create(&place, Config { shadow, ..config() });
        assert_eq!(second.state(), State::Closed);
        assert!(second.allow() && second.gate().allow());
        assert_refuses(&gate, &mut lane);
        // Nor do they do anything to the new owner.
        assert_eq!([gate.halt(""), gate.halt_as(Holder::DRILL, "")], [Halted::Ended; 2]);
        assert_eq!(gate.resume(""), Resumed::Ended);
        let call = lane.begin();
        lane.end(call);
        gate.release();
        second.poll();
        assert!(second.allow() && second.snapshot().refused == 0 && !second.snapshot().halted);
        assert_eq!((second.snapshot().recorded, observer.state()), (0, Some(State::Open)));
    }
}

#[test]
fn handles_of_an_ended_private_owner_refuse() {
    for shadow in [false, true] {
        let mut breaker = Breaker::new(Config { shadow, ..config() }).unwrap();
        let (gate, mut lane) = (breaker.gate(), breaker.lane());
        assert!(gate.allow() && lane.allow());
        drop(breaker);
        assert_refuses(&gate, &mut lane);
        assert_eq!(gate.halt(""), Halted::Ended);
    }
}

/// A reader that asks all the while never passes again after it was refused, in any of many ends.
#[test]
fn no_reader_sees_an_ended_gate_pass() {
    let place = Place::new("ends");
    let passes = AtomicU64::new(0);
    for _ in 0..300 {
        let mut breaker = create(&place, Config { owner_timeout_ns: 0, ..config() });
        let (gate, has_ended) = (breaker.gate(), AtomicBool::new(false));
        thread::scope(|scope| {
            scope.spawn(|| {
                while !has_ended.load(Ordering::Acquire) {
                    passes.fetch_add(gate.allow().into(), Ordering::Relaxed);
                }
                for _ in 0..2000 {
                    assert!(!gate.allow(), "it passes after the end");
                }
            });
            thread::sleep(MS / 20);
            drop(breaker);
            has_ended.store(true, Ordering::Release);
        });
    }
    assert!(passes.load(Ordering::Relaxed) > 0);
}

/// A trial that the next owner grants isn't taken by a lane of the last one.
#[test]
fn a_lane_of_an_ended_owner_takes_no_trial_of_the_next() {
    let place = Place::new("trials");
    let mut first = create(&place, config());
    let mut lane = first.lane();
    drop(first);
    let mut second = Breaker::create_shared(&place.0, config(), Start::HalfOpen).unwrap();
    assert_eq!(second.state(), State::HalfOpen);
    let gate = second.gate();
    assert!(gate.allow());
    let _ = lane.begin();
    let mut its_lane = second.lane();
    let call = its_lane.begin();
    its_lane.end(call);
    second.poll();
    assert_eq!(second.state(), State::Closed, "the trial was the lane's that begins next");
}

// An owner that hangs.

fn hanging() -> Config {
    Config { owner_timeout_ns: 50_000_000, ..Config::default() }
}

#[test]
fn lanes_refuse_while_the_owner_hangs_and_pass_when_it_is_back() {
    let place = Place::new("hangs");
    let mut breaker = create(&place, hanging());
    let (mut lane, gate) = (breaker.lane(), breaker.gate());
    breaker.poll();
    // Without the warden's help a lane finds it, too: see `silent_owner`.
    assert!(within(|| !gate.allow()), "the owner hangs");
    for _ in 0..100 {
        assert!(!lane.allow() && !gate.allow());
    }
    breaker.poll();
    assert!(gate.allow() && lane.allow());
    let events: Vec<_> = breaker.events().filter(|event| event.reason != Reason::Restart).collect();
    assert_eq!(events.iter().map(|event| event.reason).collect::<Vec<_>>(), [Reason::OwnerSilent, Reason::OwnerBack]);
    assert!(events.iter().all(|event| event.owner_gap_ns >= 50_000_000), "{events:?}");
}

#[test]
fn the_owner_itself_asks_no_watcher() {
    let mut breaker = Breaker::new(hanging()).unwrap();
    breaker.poll();
    thread::sleep(200 * MS);
    assert!(breaker.allow(), "it trades by itself, and may sleep");
    let _gate = breaker.gate();
    thread::sleep(300 * MS);
    // Somebody may have found it silent. It polls before an order passes.
    assert!(breaker.allow());
}

#[test]
fn in_shadow_a_silent_owner_is_reported_and_refuses_nothing() {
    let mut breaker = Breaker::new(Config { shadow: true, ..hanging() }).unwrap();
    let gate = breaker.gate();
    breaker.poll();
    thread::sleep(300 * MS);
    assert!(gate.allow());
    breaker.poll();
    assert_eq!(reasons(&breaker), [Reason::OwnerSilent, Reason::OwnerBack]);
}

// The page's file.

/// The owner's process finds within a second or so that its page can't be reached by its path any more.
fn assert_damage_halts(place: &Place, breaker: &mut Breaker, what: &str) {
    let gate = breaker.gate();
    assert!(within(|| !gate.allow()), "{what}");
    assert_eq!(holders(&gate), ["damage"], "{what}");
    breaker.poll();
    assert!(!breaker.allow() && reasons(breaker).contains(&Reason::Halt), "{what}");
    let _ = place;
}

#[test]
fn a_page_that_is_removed_renamed_or_replaced_halts() {
    let attacks: [(&str, Attack); 3] = [
        ("removed", |place| fs::remove_file(&place.0).unwrap()),
        ("renamed", |place| fs::rename(&place.0, place.0.with_extension("moved")).unwrap()),
        ("replaced", |place| {
            let copy = place.0.with_extension("copy");
            fs::copy(&place.0, &copy).unwrap();
            fs::rename(copy, &place.0).unwrap();
        }),
    ];
    for (what, attack) in attacks {
        let place = Place::new(&format!("file-{what}"));
        let mut breaker = create(&place, config());
        breaker.poll();
        assert!(breaker.gate().allow());
        attack(&place);
        assert_damage_halts(&place, &mut breaker, what);
        let _ = fs::remove_file(place.0.with_extension("moved"));
    }
}

#[test]
fn a_scribbled_header_halts() {
    for offset in [0, 8, 8192, 8200] {
        let place = Place::new(&format!("header-{offset}"));
        let mut breaker = create(&place, config());
        breaker.poll();
        shared_write(&place, offset, &[0xff; 8]);
        assert_damage_halts(&place, &mut breaker, &offset.to_string());
    }
}

fn shared_write(place: &Place, offset: u64, bytes: &[u8]) {
    use std::os::unix::fs::FileExt;
    fs::OpenOptions::new().write(true).open(&place.0).unwrap().write_all_at(bytes, offset).unwrap();
}

/// Page and lock are removed, and a second owner starts. The first one trades on for no longer than a few looks.
#[test]
fn an_owner_whose_page_was_replaced_by_another_owner_halts() {
    let place = Place::new("two-owners");
    let mut first = create(&place, config());
    let by_path = Gate::open(&place.0).unwrap();
    fs::remove_file(&place.0).unwrap();
    fs::remove_file(place.beside(".lock")).unwrap();
    let mut second = create(&place, config());
    assert_eq!(second.started(), Some(Started::New));
    // Who halts by the handle of the first page is told that the path leads elsewhere.
    assert!(by_path.is_replaced() && by_path.halt("stop") == Halted::Replaced);
    let gate = first.gate();
    assert!(within(|| holders(&gate).contains(&"damage".to_owned())));
    first.poll();
    assert!(!first.allow() && second.allow());
    assert!(by_path.owner().is_some_and(|owner| owner.alive), "of the page that it has, and no other");
}

/// Somebody empties the file system that the page lies in: the engine stops, and what was halted stays halted.
#[test]
fn when_the_tmpfs_is_emptied_the_engine_halts_and_no_halt_is_forgotten() {
    let place = Place::new("emptied");
    let ann = Holder::new("ann@desk").unwrap();
    let mut breaker = create(&place, config());
    let by_path = Gate::open(&place.0).unwrap();
    by_path.halt_as(ann, "prices look wrong");
    assert!(within(|| !place.kept().is_empty()));
    let files = [place.0.clone(), place.beside(".lock")];
    files.iter().for_each(|file| fs::remove_file(file).unwrap());
    let gate = breaker.gate();
    assert!(within(|| holders(&gate) == ["damage", "ann@desk"]), "{:?}", holders(&gate));
    breaker.poll();
    assert!(!breaker.allow() && !by_path.allow());
    assert!(Halter::open(&place.0).is_err(), "who halts by the path is told");
    let mut next = create(&place, config());
    assert_eq!((next.started(), holders(&next.gate())), (Some(Started::New), vec!["ann@desk".to_owned()]));
    assert!(!next.allow());
}

/// The lock file alone is removed: the page's own lock keeps a second owner out.
#[test]
fn without_its_lock_file_a_page_still_has_one_owner() {
    let place = Place::new("lockless");
    let _first = create(&place, config());
    fs::remove_file(place.beside(".lock")).unwrap();
    assert!(Breaker::create_shared(&place.0, config(), Start::Closed).is_err());
}

// Halts on pages in any condition.

type Attack = fn(&Place);

#[test]
fn a_page_in_any_condition_is_halted() {
    let conditions: [(&str, Attack); 9] = [
        ("sound", |_| {}),
        ("linked", |place| fs::hard_link(&place.0, place.beside(".new")).unwrap()),
        ("group", |place| set_mode(place, 0o660)),
        ("all", |place| set_mode(place, 0o666)),
        ("magic", |place| shared_write(place, 0, b"nonsense")),
        ("version", |place| shared_write(place, 8, &[9; 8])),
        ("slots", |place| shared_write(place, 16, &[0xff; 8])),
        ("page-magic", |place| shared_write(place, 8192, b"nonsense")),
        ("page-version", |place| shared_write(place, 8200, &[9; 8])),
    ];
    for (what, attack) in conditions {
        let place = Place::new(&format!("any-{what}"));
        let mut breaker = Breaker::create_shared_with(
            &place.0,
            config(),
            Start::Closed,
            &trip99::shared::Options::default().warden(false),
        )
        .unwrap();
        attack(&place);
        let halter = Halter::open(&place.0).unwrap_or_else(|error| panic!("{what}: {error}"));
        assert_eq!(halter.halt(Holder::new("ann@desk").unwrap(), "now"), Halted::Done, "{what}");
        assert_eq!(halter.warnings().is_empty(), what == "sound", "{what}: {:?}", halter.warnings());
        assert!(!breaker.allow(), "{what}");
        breaker.poll();
        assert!(!breaker.allow(), "{what}");
        assert_eq!(holders(&breaker.gate()), ["ann@desk"], "{what}");
        let mut list = halter.holders().unwrap();
        assert_eq!(halter.resume(&mut list, 0, "well"), Resumed::Done);
        breaker.poll();
        assert!(breaker.allow(), "{what}");
    }
}

fn set_mode(place: &Place, mode: u32) {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(&place.0, fs::Permissions::from_mode(mode)).unwrap();
}

/// Each byte of the header, wrong in each way: the page can be halted.
#[test]
fn no_one_byte_of_the_header_hinders_a_halt() {
    let place = Place::new("bytes");
    for offset in (0..32).chain(8192..8208) {
        for wrong in [0x00, 0x01, 0x80, 0xff] {
            let options = trip99::shared::Options::default().warden(false);
            let mut breaker = Breaker::create_shared_with(&place.0, config(), Start::Closed, &options).unwrap();
            let byte = fs::read(&place.0).unwrap()[offset as usize];
            shared_write(&place, offset, &[byte ^ wrong]);
            let halter = Halter::open(&place.0).unwrap_or_else(|error| panic!("{offset} ^ {wrong:#x}: {error}"));
            halter.halt(Holder::DRILL, "");
            breaker.poll();
            assert!(!breaker.allow(), "{offset} ^ {wrong:#x}");
            drop(breaker);
            fs::remove_file(&place.0).unwrap();
            place.kept().iter().for_each(|file| fs::remove_file(file).unwrap());
        }
    }
}

#[test]
fn a_page_of_another_version_has_its_gate_halted() {
    let place = Place::new("version");
    let options = trip99::shared::Options::default().warden(false);
    let mut owner = Breaker::create_shared_with(&place.0, config(), Start::Closed, &options).unwrap();
    for offset in [8, 8200] {
        shared_write(&place, offset, &3_u64.to_ne_bytes());
    }
    let halter = Halter::open(&place.0).unwrap();
    assert!(!halter.is_halted() || halter.gate().is_none());
    assert_eq!(halter.halt(Holder::DRILL, ""), Halted::Done);
    assert!(halter.is_halted() && halter.holders().is_none());
    // Its owner finds that for damage, and not for a resume under way.
    owner.poll();
    assert!(!owner.allow());
    assert_eq!(holders(&owner.gate()), ["damage"]);
    assert!(halter.warnings().iter().any(|warning| warning.contains("version 3")), "{:?}", halter.warnings());
    assert_eq!(fs::read(&place.0).unwrap()[4096] & 4, 4);
}

#[test]
fn what_is_no_page_is_refused_untouched() {
    let place = Place::new("no-page");
    fs::write(&place.0, vec![7; 200_000]).unwrap();
    assert!(Halter::open(&place.0).is_err());
    assert_eq!(fs::read(&place.0).unwrap(), vec![7; 200_000]);
    fs::remove_file(&place.0).unwrap();
    let target = place.0.with_extension("target");
    let other = Place(target.clone());
    let mut breaker = create(&other, config());
    std::os::unix::fs::symlink(&target, &place.0).unwrap();
    let error = Halter::open(&place.0).err().unwrap().to_string();
    assert!(error.contains("a symbolic link"), "{error}");
    assert!(breaker.allow());
}

#[test]
fn a_page_that_was_cut_off_is_halted_as_far_as_it_is_there() {
    for (len, is_held) in [(8192, false), (12_288, true), (100_000, true)] {
        let place = Place::new(&format!("cut-{len}"));
        // Without a warden: to look at what was cut off kills.
        let options = trip99::shared::Options::default().warden(false);
        drop(Breaker::create_shared_with(&place.0, config(), Start::Closed, &options).unwrap());
        fs::OpenOptions::new().write(true).open(&place.0).unwrap().set_len(len).unwrap();
        let halter = Halter::open(&place.0);
        if len == 8192 {
            // Only one of the three signs is left.
            assert!(halter.is_err());
            continue;
        }
        let halter = halter.unwrap();
        assert_eq!(halter.halt(Holder::DRILL, ""), Halted::Done);
        let file = fs::read(&place.0).unwrap();
        assert_eq!(file[4096] & 4, 4);
        assert_eq!(file[8192 + 768] & 16 != 0, is_held, "the bit of `drill`");
    }
}

// Halts that outlive memory.

#[test]
fn a_durable_halt_survives_the_page() {
    let place = Place::new("durable");
    let ann = Holder::new("ann@desk").unwrap();
    let breaker = create(&place, config());
    let halter = Halter::open(&place.0).unwrap();
    halter.halt(ann, "prices look wrong");
    let file = halter.make_durable(ann).unwrap();
    assert!(place.kept().contains(&file), "{file:?}");
    drop(breaker);
    fs::remove_file(&place.0).unwrap(); // a reboot
    let mut breaker = create(&place, config());
    assert_eq!(breaker.started(), Some(Started::New));
    let gate = breaker.gate();
    assert!(!gate.allow() && !breaker.allow());
    let note = gate.halt_note().unwrap();
    assert_eq!((note.holder, note.reason.as_str()), (Some(ann), "prices look wrong"));
    assert_eq!(reasons(&breaker), [Reason::Restart, Reason::Halt]);
    // It is lifted for good.
    let halter = Halter::open(&place.0).unwrap();
    let mut list = halter.holders().unwrap();
    let note = list.notes()[0].clone();
    assert_eq!(halter.resume(&mut list, 0, "prices are right"), Resumed::Done);
    halter.forget(&note).unwrap();
    drop(breaker);
    thread::sleep(700 * MS); // the process's own look at the folder may be under way
    assert!(place.kept().is_empty(), "{:?}", place.kept());
    fs::remove_file(&place.0).unwrap();
    assert!(create(&place, config()).allow());
}

/// The engine's own halts reach the folder without its thread touching a file.
#[test]
fn the_wardens_files_follow_halts_and_resumes() {
    let place = Place::new("followed");
    let mut breaker = create(&place, config());
    breaker.halt("risk");
    assert!(within(|| place.kept().len() == 1), "{:?}", place.kept());
    assert!(place.kept()[0].to_str().unwrap().ends_with(".engine.1"));
    breaker.resume("well");
    assert!(within(|| place.kept().is_empty()), "{:?}", place.kept());
}

#[test]
fn start_halted_waits_for_a_human_on_each_new_page_and_after_unclean_ends() {
    let place = Place::new("start");
    let start = || Breaker::create_shared(&place.0, config(), Start::Halted).unwrap();
    let mut breaker = start();
    assert_eq!((breaker.started(), breaker.state()), (Some(Started::New), State::Closed));
    let gate = breaker.gate();
    assert!(!gate.allow() && !breaker.allow() && holders(&gate) == ["start"]);
    drop(breaker);
    // Halted, so it didn't end cleanly.
    let mut breaker = start();
    assert_eq!((breaker.started(), breaker.state()), (Some(Started::Unclean), State::Open));
    assert_eq!(breaker.gate().resume_as(Holder::START, "checked"), Resumed::Done);
    breaker.trip();
    drop(breaker);
    let breaker = start();
    assert_eq!((breaker.started(), breaker.snapshot().halted), (Some(Started::Unclean), true));
}

/// The start's own halt takes no number that tells of a halt which outlived memory.
#[test]
fn start_halted_forgets_no_halt_of_the_state_folder() {
    let place = Place::new("start-kept");
    drop(create(&place, config())); // makes the folder
    fs::remove_file(&place.0).unwrap();
    let name = place.0.file_name().unwrap().to_str().unwrap();
    let folder = trip99::shared::state_dir(&trip99::shared::Options::default()).unwrap();
    fs::write(folder.join(format!("{name}.ann@desk.1")), "reason: prices look wrong\n").unwrap();
    let mut breaker = Breaker::create_shared(&place.0, config(), Start::Halted).unwrap();
    let gate = breaker.gate();
    assert_eq!(holders(&gate), ["start", "ann@desk"]);
    assert_eq!(gate.resume_as(Holder::START, "checked"), Resumed::StillHeld);
    breaker.poll();
    assert!(!gate.allow() && !breaker.allow());
}

#[test]
fn a_clean_restart_passes_and_half_open_makes_it_stricter() {
    let place = Place::new("clean");
    drop(create(&place, config()));
    let mut breaker = Breaker::create_shared(&place.0, config(), Start::Halted).unwrap();
    assert_eq!((breaker.started(), breaker.allow()), (Some(Started::Clean), true));
    drop(breaker);
    let breaker = Breaker::create_shared(&place.0, config(), Start::HalfOpen).unwrap();
    assert_eq!((breaker.started(), breaker.state()), (Some(Started::Clean), State::HalfOpen));
}

/// 200 calls are unanswered when the engine is told to end.
#[test]
fn an_end_with_calls_unanswered_is_unclean() {
    let place = Place::new("unanswered");
    let begin = |now_ns| {
        let options = trip99::shared::Options::default().now_ns(now_ns);
        Breaker::create_shared_with(&place.0, config(), Start::Closed, &options).unwrap()
    };
    let threshold_ns = config().threshold_ns;
    for (age_ns, started) in [(threshold_ns, Started::Clean), (threshold_ns + 1, Started::Unclean)] {
        let mut breaker = begin(SECOND);
        let calls: Vec<_> = (0..200).map(|_| breaker.begin_at(SECOND)).collect();
        breaker.destroy_at(SECOND + age_ns);
        assert_eq!(calls.len(), 200);
        let again = begin(0);
        assert_eq!(again.started(), Some(started), "{age_ns}");
        drop(again);
        fs::remove_file(&place.0).unwrap();
    }
    // A plain end after `_at` operations: nobody can tell how long the call has been out.
    let mut breaker = begin(u64::MAX / 2);
    let _call = breaker.begin_at(u64::MAX / 2);
    drop(breaker);
    assert_eq!(begin(0).started(), Some(Started::Unclean));
}

#[test]
fn what_is_left_of_a_pause_counts_and_figures_hold_before_the_first_operation() {
    let place = Place::new("left");
    let pause_ns = 100 * SECOND;
    let config = Config { backoff_base_ns: pause_ns, backoff_max_ns: pause_ns, ..config() };
    let mut breaker = create(&place, config.clone());
    breaker.trip();
    thread::sleep(50 * MS);
    drop(breaker);
    let breaker = create(&place, config);
    let (now_ns, retry_at_ns) = (breaker.now_ns(), breaker.snapshot().retry_at_ns);
    let left_ns = retry_at_ns - now_ns;
    assert!((pause_ns - 30 * SECOND..pause_ns - 50_000_000).contains(&left_ns), "{left_ns}");
    assert_eq!((breaker.next_deadline_ns(), breaker.observer().retry_at_ns()), (retry_at_ns, retry_at_ns));
    assert!(breaker.snapshot().now_ns <= now_ns && breaker.snapshot().now_ns + SECOND > now_ns);
    assert_eq!(breaker.observer().snapshot().unwrap().retry_at_ns, retry_at_ns);
}

// Operators.

#[test]
fn one_operators_resume_leaves_the_others_halt() {
    let place = Place::new("operators");
    let mut breaker = create(&place, config());
    let [ann, bob] = ["ann@desk", "bob@desk"].map(|name| Holder::new(name).unwrap());
    for _ in 0..200 {
        let (a, b) = (Gate::open(&place.0).unwrap(), Gate::open(&place.0).unwrap());
        a.halt_as(ann, "a");
        thread::scope(|scope| {
            scope.spawn(|| a.resume_as(ann, "well"));
            scope.spawn(|| assert_eq!(b.halt_as(bob, "b"), Halted::Done));
            breaker.poll();
        });
        assert!(!breaker.allow(), "B's halt was lost");
        assert!(!b.allow());
        assert_eq!(b.resume_as(bob, "well"), Resumed::Done);
        breaker.poll();
        assert!(breaker.allow());
    }
}

#[test]
fn a_halt_and_a_resume_between_two_polls_are_events_of_the_next_poll() {
    let mut breaker = Breaker::new(config()).unwrap();
    let gate = breaker.gate();
    breaker.poll_at(1);
    gate.halt("a");
    gate.resume("b");
    breaker.poll_at(2);
    let events: Vec<_> = breaker.events().map(|event| (event.t_ns, event.reason)).collect();
    assert_eq!(events, [(2, Reason::Halt), (2, Reason::Resume)]);
}

/// A stopped owner is halted and resumed many times: each is an event of its own, or the numbers of the entries tell how many are missing.
#[test]
fn many_halts_of_a_stopped_owner_make_as_many_events() {
    let place = Place::new("many");
    let mut breaker = create(&place, config());
    let gate = Gate::open(&place.0).unwrap();
    for _ in 0..26 {
        gate.halt("again");
        gate.resume("well");
    }
    breaker.poll();
    let halts = reasons(&breaker).into_iter().filter(|reason| *reason == Reason::Halt).count();
    assert_eq!(halts, 26);
}

/// A node that flaps stays out, whether or not the engine is restarted in between.
#[test]
fn an_unclean_restart_keeps_the_latchs_count_and_a_resume_of_the_latch_begins_anew() {
    let place = Place::new("latch");
    let config = Config { latch_after: 3, backoff_base_ns: SECOND, backoff_max_ns: SECOND, ..config() };
    let mut breaker = create(&place, config.clone());
    breaker.trip();
    assert!(!breaker.snapshot().halted);
    drop(breaker);
    let options = trip99::shared::Options::default().now_ns(0);
    let mut breaker = Breaker::create_shared_with(&place.0, config, Start::Closed, &options).unwrap();
    assert_eq!(breaker.started(), Some(Started::Unclean));
    let mut now_ns = 0;
    let mut reopen = |breaker: &mut Breaker| {
        now_ns += 2 * SECOND;
        breaker.poll_at(now_ns);
        assert_eq!(breaker.state(), State::HalfOpen);
        breaker.trip_at(now_ns);
        breaker.snapshot().halted
    };
    assert_eq!([reopen(&mut breaker), reopen(&mut breaker)], [false, true], "the third opening");
    let gate = breaker.gate();
    assert_eq!(holders(&gate), ["latch"]);
    assert_eq!(gate.resume_as(Holder::LATCH, "the node is mended"), Resumed::Done);
    assert_eq!([(); 3].map(|()| reopen(&mut breaker)), [false, false, true], "anew");
}

/// An owner that trades by itself may sleep: nobody else would pass by its gate.
#[test]
fn an_owner_without_gates_and_lanes_sleeps_in_peace() {
    let place = Place::new("sleeper");
    let mut breaker = create(&place, hanging());
    breaker.poll();
    thread::sleep(400 * MS);
    assert!(breaker.allow());
    breaker.poll();
    assert_eq!(reasons(&breaker), [Reason::Restart]);
}

// Power and scribbles.

/// A power failure keeps what was written up to some step, and loses the page, which is memory. Each first part of a halt's steps and of a
/// resume's is made by hand: after it the next owner is halted, unless nothing had been written yet, or all was lifted.
#[test]
fn after_a_power_failure_at_any_step_the_next_owner_is_halted_if_a_file_is_left() {
    let place = Place::new("power");
    // Without a warden, as it keeps the folder as the page is.
    let options = trip99::shared::Options::default().warden(false);
    let owner = || Breaker::create_shared_with(&place.0, config(), Start::Closed, &options).unwrap();
    let folder = trip99::shared::state_dir(&trip99::shared::Options::default()).unwrap();
    drop(owner()); // makes the folder
    let name = place.0.file_name().unwrap().to_str().unwrap();
    let file = |count: u64| folder.join(format!("{name}.ann@desk.{count}"));
    let text = "holder: ann@desk\nwall_ns: 9\nuid: 1\nlogin_uid: 2\npid: 3\nhost: desk-7\nreason: prices look wrong\n";
    let steps: [(&str, &[(u64, &str)]); 6] = [
        ("halted in the page alone", &[]),
        ("the file was made", &[(1, "")]),
        ("a part of the text was written", &[(1, &text[..20])]),
        ("the whole text was written", &[(1, text)]),
        ("halted twice, resumed in the page", &[(1, text), (3, text)]),
        ("one of the two was unlinked", &[(3, text)]),
    ];
    for (step, left) in steps {
        fs::remove_file(&place.0).unwrap();
        left.iter().for_each(|(count, text)| fs::write(file(*count), text).unwrap());
        let mut breaker = owner();
        let gate = breaker.gate();
        assert_eq!(breaker.started(), Some(Started::New), "{step}");
        assert_eq!((breaker.allow(), gate.allow()), (left.is_empty(), left.is_empty()), "{step}");
        let expected: &[&str] = if left.is_empty() { &[] } else { &["ann@desk"] };
        assert_eq!(holders(&gate), expected, "{step}");
        drop(breaker);
        place.kept().iter().for_each(|file| fs::remove_file(file).unwrap());
    }
}

/// Nobody lifts a halt by a scribble on the word that has a bit for each holder.
#[test]
fn a_scribble_on_the_word_of_halts_lifts_no_halt() {
    for word in [0, 1, 1 << 24, u64::MAX << 24, 1 << 63, u64::MAX] {
        let place = Place::new(&format!("word-{word:x}"));
        let options = trip99::shared::Options::default().warden(false);
        let mut breaker = Breaker::create_shared_with(&place.0, config(), Start::Closed, &options).unwrap();
        let gate = breaker.gate();
        for _ in 0..3 {
            gate.halt_as(Holder::DRILL, "");
        }
        breaker.poll();
        shared_write(&place, 8192 + 768, &word.to_ne_bytes());
        breaker.poll();
        assert!(!breaker.allow() && !gate.allow(), "{word:#x}");
        breaker.poll();
        assert!(!breaker.allow() && !gate.allow(), "{word:#x}");
    }
}

/// The engine halts, resumes and ends before its halt's file is unlinked. The page is there, and tells that the halt was lifted.
#[test]
fn a_file_of_a_halt_that_was_lifted_halts_nobody_while_the_page_is_there() {
    let place = Place::new("stale");
    let mut breaker = create(&place, config());
    breaker.halt("risk");
    assert!(within(|| place.kept().len() == 1));
    let (file, text) = (place.kept()[0].clone(), fs::read(&place.kept()[0]).unwrap());
    breaker.resume("well");
    drop(breaker);
    assert!(within(|| place.kept().is_empty()));
    thread::sleep(700 * MS); // the last look at the folder may be to come
    let options = trip99::shared::Options::default().warden(false); // it would unlink the file
    let owner = || Breaker::create_shared_with(&place.0, config(), Start::Closed, &options).unwrap();
    fs::write(&file, &text).unwrap();
    assert!(owner().allow());
    fs::remove_file(&place.0).unwrap();
    assert!(!owner().allow(), "without the page the file is all that is known");
}
