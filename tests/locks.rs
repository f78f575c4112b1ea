//! The locks of a page: it has one owner at a time, whoever asks, forks, runs another program, is killed or removes a file.
#![cfg(all(feature = "shm", target_os = "linux"))]

mod copies;
mod prefix;
mod shared;

use copies::{COPIES, Copy};
use rustix::process::{Pid, Signal, WaitOptions, kill_process, test_kill_process, waitpid};
use shared::{Place, Process, config, role, tell, wait};
use std::any::Any;
use std::fs;
use std::io::BufRead;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use trip99::shared::SharedError;
use trip99::{Breaker, Config, Observer, Start};

/// This is no test. In a process of its own it plays the role that it is given.
#[test]
#[ignore = "a role for processes that other tests start"]
fn child() {
    let Some((role, page)) = role() else { return };
    match role.as_str() {
        "idler" => {
            let _breaker = own(&page).unwrap();
            tell("ready");
            wait();
        }
        "asker" => tell(&format!("{:?} {:?}", owner(&page), refused_for(&page))),
        "host of a plugin" => host_a_plugin(&page),
        "reader" => read(&page),
        "racer" => race(&page),
        "forker whose child asks" => fork_and(&page, Fork::Seen, |_| ask_as_child(&page)),
        "forker whose child drops" => fork_and(&page, Fork::Seen, |breaker| drop(breaker.take())),
        "forker whose child ends" => fork_and(&page, Fork::Seen, |_| {}),
        "raw forker whose child asks" => fork_and(&page, Fork::Raw, |_| ask_as_child(&page)),
        "raw forker whose child drops" => fork_and(&page, Fork::Raw, |breaker| drop(breaker.take())),
        "raw forker whose child ends" => fork_and(&page, Fork::Raw, |_| {}),
        "forker" => fork_and_wait(&page, own(&page).unwrap()),
        "forker with a copy" => fork_and_wait(&page, Copy::load(0).own(&page).unwrap()),
        "ender" => end_before_child(&page, Fork::Seen),
        "raw ender" => end_before_child(&page, Fork::Raw),
        "runner" => run_programs(&page),
        "owner elsewhere" => in_another_namespace(|| {
            let owner = Process::ready("idler", &page);
            tell("ready");
            wait();
            owner.end_cleanly();
        }),
        "asker elsewhere" => in_another_namespace(|| tell(&Process::start("asker", &page).said())),
        other => panic!("no role: {other}"),
    }
}

fn own(page: &Path) -> Result<Breaker, SharedError> {
    Breaker::create_shared(page, config(), Start::Closed)
}

/// The process that is told to own the page. It is an error not to be refused.
fn refused_for(page: &Path) -> Option<u32> {
    match own(page) {
        Err(SharedError::Owned { pid, .. }) => pid,
        Err(error) => panic!("{error}"),
        Ok(_) => panic!("a second owner"),
    }
}

/// The page's owner, as an observer that opens the page tells: its process, and whether it is alive.
fn owner(page: &Path) -> (u32, bool) {
    let owner = Observer::open(page).unwrap().owner().unwrap();
    (owner.pid, owner.alive)
}

fn assert_owned_by(page: &Path, pid: u32) {
    assert_eq!((owner(page), refused_for(page)), ((pid, true), Some(pid)));
}

// Copies of the library in one process.

fn host_a_plugin(page: &Path) {
    let _breaker = own(page).unwrap();
    let copy = Copy::load(0);
    assert_eq!(copy.owner(page), (std::process::id(), true));
    tell("ready");
    wait();
}

#[test]
fn a_plugin_that_asks_who_owns_a_page_leaves_it_to_its_owner() {
    copies::build();
    let place = Place::new("plugin");
    let host = Process::ready("host of a plugin", &place.0);
    assert_owned_by(&place.0, host.pid());
    host.end_cleanly();
    assert!(!owner(&place.0).1);
    own(&place.0).unwrap();
}

/// A way to own a page: by the test's own library, or by a copy of it.
type Way = Box<dyn Fn(&Path) -> Option<Box<dyn Any>> + Sync>;

fn ways() -> Vec<Way> {
    copies::build();
    let mut ways: Vec<Way> = vec![Box::new(|page| match own(page) {
        Ok(breaker) => Some(Box::new(breaker)),
        Err(SharedError::Owned { .. }) => None,
        Err(error) => panic!("{error}"),
    })];
    for number in 0..COPIES {
        let copy = Copy::load(number);
        ways.push(Box::new(move |page| copy.own(page).map(|owned| Box::new(owned) as Box<dyn Any>)));
    }
    ways
}

#[test]
fn copies_of_the_library_exclude_each_other() {
    let ways = ways();
    let place = Place::new("copies");
    for (first, own) in ways.iter().enumerate() {
        for (second, own_too) in ways.iter().enumerate() {
            let owned = own(&place.0);
            assert!(owned.is_some(), "{first} before {second}");
            assert!(own_too(&place.0).is_none(), "{first} and {second}");
            drop(owned);
            assert!(own_too(&place.0).is_some(), "{first} and then {second}");
        }
    }
}

/// What an earlier owner left of the page and its lock file when would-be owners race for it, by the number of the round.
fn prepare(place: &Place, round: usize) {
    if round.is_multiple_of(2) {
        let _ = fs::remove_file(&place.0);
    }
    if round % 4 < 2 {
        let _ = fs::remove_file(place.beside(".lock"));
    }
}

const RACES: usize = 500;

#[test]
fn one_of_two_threads_wins_each_race_whichever_copies_they_use() {
    let ways = ways();
    let place = Place::new("threads-race");
    let (line, asked) = (Barrier::new(2), Barrier::new(2));
    for round in 0..RACES {
        prepare(&place, round);
        let run = |way: &Way| {
            line.wait();
            let owned = way(&place.0);
            asked.wait();
            owned.is_some()
        };
        let (one, other) = (&ways[round % ways.len()], &ways[round / ways.len() % ways.len()]);
        let won = thread::scope(|scope| {
            let other = scope.spawn(|| run(other));
            [run(one), other.join().unwrap()]
        });
        assert!(won[0] != won[1], "round {round}: {won:?}");
    }
}

fn now() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap()
}

/// Reads a time at which to try to own the page, and then when to let it go; again and again.
fn race(page: &Path) {
    tell("ready");
    let mut lines = std::io::stdin().lock().lines();
    while let Some(Ok(line)) = lines.next() {
        // The clock may be set meanwhile.
        let pause = Duration::from_nanos(line.parse().unwrap()).saturating_sub(now()).min(Duration::from_millis(10));
        let start = Instant::now();
        while start.elapsed() < pause {}
        let owned = own(page);
        tell(match &owned {
            Ok(_) => "won",
            Err(SharedError::Owned { .. }) => "lost",
            Err(error) => panic!("{error}"),
        });
        lines.next().unwrap().unwrap();
        drop(owned);
        tell("over");
    }
}

#[test]
fn one_of_two_processes_wins_each_race() {
    let place = Place::new("race");
    let mut racers = [(); 2].map(|()| Process::ready("racer", &place.0));
    for round in 0..RACES {
        prepare(&place, round);
        let start = now() + Duration::from_micros(200);
        racers.iter_mut().for_each(|racer| racer.send(&start.as_nanos().to_string()));
        let won: Vec<bool> = racers.iter_mut().map(|racer| racer.said() == "won").collect();
        assert!(won[0] != won[1], "round {round}: {won:?}");
        assert_owned_by(&place.0, racers[usize::from(won[1])].pid());
        racers.iter_mut().for_each(|racer| racer.send("end"));
        racers.iter_mut().for_each(|racer| assert_eq!(racer.said(), "over"));
    }
    racers.into_iter().for_each(Process::end_cleanly);
}

const READS: usize = 1000;

/// Opens, reads and closes the files of its own page, until it is told to end.
fn read(page: &Path) {
    let _breaker = own(page).unwrap();
    let lock = page.with_file_name(format!(".{}.lock", page.file_name().unwrap().to_str().unwrap()));
    let copy = Copy::load(0);
    let told_to_end = Arc::new(AtomicBool::new(false));
    // The process doesn't wait for this thread: it may fail before.
    let is_told = Arc::clone(&told_to_end);
    thread::spawn(move || {
        wait();
        is_told.store(true, Ordering::Relaxed);
    });
    tell("ready");
    let mut reads = 0;
    while reads < READS || !told_to_end.load(Ordering::Relaxed) {
        assert_eq!(fs::read(&lock).unwrap(), []);
        assert!(!fs::read(page).unwrap().is_empty());
        // For writing, too, as an editor would.
        drop(fs::OpenOptions::new().read(true).write(true).open(&lock).unwrap());
        drop(fs::OpenOptions::new().read(true).write(true).open(page).unwrap());
        assert_eq!((owner(page), copy.owner(page)), ((std::process::id(), true), (std::process::id(), true)));
        assert_eq!(refused_for(page), Some(std::process::id()));
        reads += 1;
        if reads == READS {
            tell("read");
        }
    }
}

#[test]
fn a_process_that_reads_its_page_and_lock_file_keeps_the_page() {
    copies::build();
    let place = Place::new("reader");
    let mut reader = Process::ready("reader", &place.0);
    let pid = reader.pid();
    let has_read = AtomicBool::new(false);
    thread::scope(|scope| {
        let has_read = &has_read;
        let reader = &mut reader;
        scope.spawn(move || {
            // Whatever was said: the main thread must not wait for a reader that failed.
            let said = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| reader.said()));
            has_read.store(true, Ordering::Relaxed);
            assert_eq!(said.unwrap(), "read");
        });
        let mut tries = 0;
        while tries < READS || !has_read.load(Ordering::Relaxed) {
            assert_eq!(refused_for(&place.0), Some(pid), "after {tries} tries");
            tries += 1;
        }
    });
    reader.end_cleanly();
    own(&place.0).unwrap();
}

// Children.

/// How a child is made.
#[derive(core::marker::Copy, Clone)]
enum Fork {
    /// By libc, which calls the handlers of forks.
    Seen,
    /// By the system call alone.
    Raw,
}

impl Fork {
    /// Runs this in a child, which ends without a trace of this program. Returns the child.
    fn child(self, run: impl FnOnce()) -> Pid {
        let child = match self {
            // SAFETY: the child is a copy of this process; `run` does what little the tests need.
            Self::Seen => i64::from(unsafe { libc::fork() }),
            // SAFETY: likewise. The arguments are those of a fork.
            Self::Raw => unsafe { libc::syscall(libc::SYS_clone, libc::SIGCHLD, 0, 0, 0, 0) },
        };
        if child == 0 {
            let ended = std::panic::catch_unwind(std::panic::AssertUnwindSafe(run));
            // SAFETY: ends the process.
            unsafe { libc::_exit(ended.is_err().into()) };
        }
        Pid::from_raw(child.try_into().unwrap()).unwrap()
    }

    /// A child that tells its number when the handlers have run in it, and then does nothing until it is killed.
    fn sleeper(self) {
        self.child(|| {
            tell(&std::process::id().to_string());
            loop {
                thread::sleep(Duration::from_secs(1));
            }
        });
    }
}

/// Has a child do this, and keeps the page until told to end.
fn fork_and(page: &Path, fork: Fork, run: impl FnOnce(&mut Option<Breaker>)) {
    let mut breaker = Some(own(page).unwrap());
    let child = fork.child(|| run(&mut breaker));
    let status = waitpid(Some(child), WaitOptions::empty()).unwrap();
    assert_eq!(status.and_then(|(_, status)| status.exit_status()), Some(0));
    assert!(breaker.as_mut().unwrap().allow());
    tell("ready");
    wait();
}

fn ask_as_child(page: &Path) {
    let parent = rustix::process::getppid().unwrap().as_raw_nonzero().get().cast_unsigned();
    for _ in 0..10 {
        assert_owned_by(page, parent);
    }
}

#[test]
fn children_that_ask_drop_or_end_take_nothing_from_the_owner() {
    for kind in ["forker", "raw forker"] {
        for deed in ["asks", "drops", "ends"] {
            let place = Place::new("child");
            let forker = Process::ready(&format!("{kind} whose child {deed}"), &place.0);
            assert_owned_by(&place.0, forker.pid());
            forker.end_cleanly();
            own(&place.0).unwrap();
        }
    }
}

/// Children by their numbers, which are killed in the end.
struct Children(Vec<Pid>);

impl Children {
    fn told(said: &str) -> Self {
        Self(said.split(' ').map(|pid| Pid::from_raw(pid.parse().unwrap()).unwrap()).collect())
    }

    fn assert_alive(&self) {
        self.0.iter().for_each(|&child| test_kill_process(child).expect("the child lives on"));
    }
}

impl Drop for Children {
    fn drop(&mut self) {
        for &child in &self.0 {
            let _ = kill_process(child, Signal::KILL);
        }
    }
}

/// `_owned` is the right to the page.
fn fork_and_wait(_page: &Path, _owned: impl Any) {
    Fork::Seen.sleeper();
    wait();
}

#[test]
fn a_child_that_lives_longer_than_its_killed_parent_doesnt_keep_the_page() {
    copies::build();
    for role in ["forker", "forker with a copy"] {
        let place = Place::new("orphan");
        let mut forker = Process::start(role, &place.0);
        let child = Children::told(&forker.said());
        assert_owned_by(&place.0, forker.pid());
        forker.kill();
        child.assert_alive();
        assert!(!owner(&place.0).1, "{role}");
        own(&place.0).unwrap();
    }
}

fn end_before_child(page: &Path, fork: Fork) {
    let breaker = own(page).unwrap();
    fork.sleeper();
    // The child may not even have begun.
    drop(breaker);
    tell("ended");
    wait();
}

#[test]
fn a_child_that_lives_longer_than_the_breaker_doesnt_keep_the_page() {
    for role in ["ender", "raw ender"] {
        let place = Place::new("ender");
        let mut ender = Process::start(role, &place.0);
        // The child and its parent tell in any order.
        let mut said = [ender.said(), ender.said()];
        said.sort();
        assert_eq!(said[1], "ended");
        let child = Children::told(&said[0]);
        child.assert_alive();
        assert!(!owner(&place.0).1, "{role}");
        own(&place.0).unwrap();
        ender.end_cleanly();
    }
}

/// Runs other programs: one as the standard library does it, and one by a fork. Both are there when this tells of them.
fn run_programs(page: &Path) {
    let _breaker = own(page).unwrap();
    let mut sleep = Command::new("sleep");
    sleep.arg("1000");
    let mut forked = Command::new("sleep");
    // SAFETY: it does nothing, and makes the standard library fork.
    unsafe { forked.arg("1000").pre_exec(|| Ok(())) };
    let mut programs: Vec<Child> = [sleep, forked].iter_mut().map(|command| command.spawn().unwrap()).collect();
    tell(&programs.iter().map(|program| program.id().to_string()).collect::<Vec<_>>().join(" "));
    wait();
    for program in &mut programs {
        program.kill().and_then(|()| program.wait()).unwrap();
    }
}

#[test]
fn programs_that_an_owner_runs_have_nothing_of_the_page() {
    let place = Place::new("programs");
    let mut runner = Process::start("runner", &place.0);
    let programs = Children::told(&runner.said());
    assert_eq!(programs.0.len(), 2);
    let name = place.0.file_name().unwrap().to_str().unwrap();
    for program in &programs.0 {
        for descriptor in fs::read_dir(format!("/proc/{program}/fd")).unwrap() {
            // A program that is still being loaded closes files again.
            let Ok(file) = fs::read_link(descriptor.unwrap().path()) else { continue };
            assert!(!file.to_string_lossy().contains(name), "{} is open in {program}", file.display());
        }
    }
    assert_owned_by(&place.0, runner.pid());
    runner.kill();
    programs.assert_alive();
    own(&place.0).unwrap();
}

// Files that somebody removed, and other namespaces.

#[test]
fn without_its_lock_file_a_page_still_has_one_owner() {
    let place = Place::new("removed");
    let larger = Config { window_len: 4096, ..config() };
    // The first owner makes the page, the second takes it over, and the third makes the file longer.
    for config in [config(), config(), larger] {
        let breaker = Breaker::create_shared(&place.0, config, Start::Closed).unwrap();
        fs::remove_file(place.beside(".lock")).unwrap();
        for _ in 0..3 {
            assert_owned_by(&place.0, std::process::id());
        }
        drop(breaker);
        assert!(!owner(&place.0).1);
    }
}

/// Runs this in a process whose children are in a pid namespace of their own. Tells that it can't, if it can't.
fn in_another_namespace(run: impl FnOnce()) {
    // SAFETY: later children of this process are concerned, nothing else.
    match unsafe { libc::unshare(libc::CLONE_NEWPID) } {
        0 => run(),
        _ => tell("not permitted"),
    }
}

#[test]
fn a_number_of_another_pid_namespace_is_no_process() {
    let place = Place::new("namespaces");
    let idler = Process::ready("idler", &place.0);
    let told = |pid: u32, refused_for: Option<u32>| format!("({pid}, true) {refused_for:?}");
    assert_eq!(Process::start("asker", &place.0).said(), told(idler.pid(), Some(idler.pid())));
    let said = Process::start("asker elsewhere", &place.0).said();
    if said == "not permitted" {
        println!("skipped: pid namespaces are {said}");
        return;
    }
    assert_eq!(said, told(0, None));
    idler.end_cleanly();

    let mut elsewhere = Process::start("owner elsewhere", &place.0);
    assert_eq!(elsewhere.said(), "ready");
    assert_eq!((owner(&place.0), refused_for(&place.0)), ((0, true), None));
    elsewhere.end_cleanly();
    own(&place.0).unwrap();
}
