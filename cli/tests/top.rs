//! `trip99 top` in a real terminal, and many pages at once.

mod common;
mod pages;
mod terminal;

use common::scratch;
use pages::{Place, json, ok};
use rustix::process::Signal;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use terminal::Session;
use trip99::{Breaker, Start};

/// Pages of a folder of their own, whose owners poll until this is dropped.
struct Desk {
    places: Vec<Place>,
    running: Arc<AtomicBool>,
    owner: Option<std::thread::JoinHandle<()>>,
}

impl Desk {
    fn open(names: &[&str]) -> Self {
        let places: Vec<_> = names.iter().map(|name| Place::within(&format!("desk-{}", names[0]), name)).collect();
        let mut breakers: Vec<Breaker> = places.iter().map(|place| place.breaker(Start::Closed)).collect();
        let running = Arc::new(AtomicBool::new(true));
        let is_running = Arc::clone(&running);
        let owner = std::thread::spawn(move || {
            for turn in 0.. {
                for breaker in &mut breakers {
                    breaker.record(1_000_000 * (1 + turn % 50));
                    breaker.poll();
                }
                std::thread::sleep(Duration::from_millis(1));
                if !is_running.load(Ordering::Relaxed) {
                    return;
                }
            }
        });
        Self { places, running, owner: Some(owner) }
    }

    fn folder(&self) -> PathBuf {
        self.places[0].path.parent().unwrap().to_owned()
    }

    /// `top` at work on this folder.
    fn top(&self, columns: u16, rows: u16) -> Session {
        let folder = self.folder();
        let args = ["top", folder.to_str().unwrap(), "--as", "ann@desk-7", "--every", "50ms", "--utc"];
        let state = scratch().join("state");
        let environment: [(&str, &Path); 2] = [("TRIP99_DIR", &folder), ("TRIP99_STATE_DIR", &state)];
        let session = Session::start(Path::new(env!("CARGO_BIN_EXE_trip99")), &args, &environment, columns, rows);
        session.wait_for(&["trip99 top", "q quit"]);
        session
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        self.running.store(false, Ordering::Relaxed);
        let _ = self.owner.take().map(std::thread::JoinHandle::join);
    }
}

#[test]
fn an_operator_halts_and_resumes_in_a_terminal() {
    let desk = Desk::open(&["top-a", "top-b"]);
    let page = desk.places[1].argument();
    let holders = || json(&["status", &page, "--format", "json"])[0]["holders"].as_array().unwrap().clone();
    let mut top = desk.top(80, 24);
    let text = top.wait_for(&["2 breakers: 2 trading", "> top-a", "  top-b", "trading (closed)"]);
    assert!(!text.contains("in flight"), "{text}");
    top.resize(120, 30);
    top.wait_for(&["in flight", "oldest, ms", "trend", " UTC"]);
    top.resize(60, 20);
    top.wait_for(&["limit, ms"]);
    top.resize(80, 24);
    top.wait_for(&["slow %"]);

    top.keys("j");
    top.wait_for(&["> top-b"]);
    top.keys("hnobody halts by a slip\x1b");
    top.wait_for(&["nothing is done"]);
    assert!(holders().is_empty());
    top.keys("h");
    top.wait_for(&["Halt top-b, as ann@desk-7?"]);
    top.keys("fat fingerr\x7f on the book");
    top.wait_for(&["reason: fat finger on the book_"]);
    top.keys("\r");
    // It is trouble now, so it is first, and still selected.
    let text = top.wait_for(&["top-b is halted by ann@desk-7", "1 HALTED, 1 trading", "HALTED (closed)"]);
    assert!(text.find("> top-b") < text.find("  top-a"), "{text}");
    let held = holders();
    assert_eq!((&held[0]["holder"], &held[0]["reason"]), (&"ann@desk-7".into(), &"fat finger on the book".into()));

    top.keys("\r");
    top.wait_for(&["/top-b", "halted by ann@desk-7", " restart ", " halt ", "ann@desk-7: fat finger on the book"]);
    pages::trip99(&["halt", &page, "--as", "bob", "--reason", "me, too"]);
    top.keys("r");
    top.wait_for(&[
        "top-b is halted by ann@desk-7, bob",
        "> lift the halt of ann@desk-7",
        "  lift the halt of bob",
        "all holders",
    ]);
    top.keys("\r");
    top.wait_for(&["a resume needs a reason"]);
    // Somebody halts while the question stands: the answer is not for that.
    pages::trip99(&["halt", &page, "--as", "ann@desk-7", "--reason", "once more"]);
    top.keys("a mistake\r");
    top.wait_for(&["nothing is lifted: somebody halted top-b meanwhile; look again"]);
    assert_eq!(holders().len(), 2);
    top.keys("r");
    top.wait_for(&["> lift the halt of "]);
    top.keys("\t\t");
    top.wait_for(&["> lift the halt of all holders"]);
    top.keys("the book is right\r");
    top.wait_for(&["the halt of ann@desk-7, bob is lifted"]);
    assert!(holders().is_empty());
    top.keys("\x1b");
    top.wait_for(&["2 breakers: 2 trading"]);
    top.keys("r");
    top.wait_for(&["top-b is not halted"]);
    top.keys("?");
    top.wait_for(&["Ctrl-C", "this help"]);
    top.keys(" q");
    assert_eq!(top.ended().code(), Some(0));
    assert!(top.is_restored());
}

/// What ends it, its exit status, and how to do that.
type End<'a> = (&'static str, i32, &'a dyn Fn(&mut Session));

#[test]
fn the_terminal_is_restored_whatever_happens() {
    let desk = Desk::open(&["end-a"]);
    let f12 = |top: &mut Session| top.keys("\x1b[24~");
    let hang_up = |top: &mut Session| top.signal(Signal::HUP);
    let terminate = |top: &mut Session| top.signal(Signal::TERM);
    let interrupt = |top: &mut Session| top.keys("\x03");
    let ends: [End<'_>; 4] =
        [("a panic", 101, &f12), ("SIGHUP", 129, &hang_up), ("SIGTERM", 143, &terminate), ("Ctrl-C", 0, &interrupt)];
    for (what, code, end) in ends {
        if what == "a panic" && !cfg!(debug_assertions) {
            continue; // there is no such key
        }
        let mut top = desk.top(80, 24);
        end(&mut top);
        assert_eq!((what, top.ended().code()), (what, Some(code)));
        assert!(top.is_restored(), "{what}");
        if what == "a panic" {
            top.wait_for(&["F12 was pressed"]);
        }
    }
}

#[test]
fn top_needs_a_terminal_and_a_page() {
    let place = Place::within("desk-none", "alone");
    drop(place.breaker(Start::Closed));
    let folder = place.path.parent().unwrap().to_str().unwrap().to_owned();
    pages::fails(&["top", &folder], &["trip99 top needs a terminal; legal elsewhere: trip99 ls"]);
}

#[test]
fn a_page_that_goes_or_is_harmed_is_a_row_that_says_so() {
    let desk = Desk::open(&["row-a", "row-b", "row-c"]);
    let [gone, harmed, other] = ["row-x", "row-y", "row-z"].map(|name| Place::within("desk-row-a", name));
    let breakers = [&gone, &harmed, &other].map(|place| place.breaker(Start::Closed));
    let mut top = desk.top(120, 24);
    top.wait_for(&["row-x", "6 breakers"]);
    drop(breakers);
    let row = |text: &str, name: &str| text.lines().find(|line| line.contains(name)).unwrap_or_default().to_owned();
    fs::remove_file(&gone.path).unwrap();
    let text = top.wait_for(&["unreadable"]);
    assert!(row(&text, "row-x").contains("unreadable"), "{text}");
    top.keys("\x1b[H"); // the worst is the first one
    top.wait_for(&["row-x: its file was removed"]);
    fs::write(&harmed.path, [7; 50_000]).unwrap();
    top.wait_for(&["2 unreadable"]);
    top.keys("j");
    top.wait_for(&["row-y: damaged: the magic number"]);
    let _again = gone.breaker(Start::Closed);
    top.wait_for(&["1 unreadable"]);
    // A file moved over it is another page.
    fs::rename(&gone.path, &other.path).unwrap();
    top.wait_for(&["2 unreadable, 1 HALTED"]); // the warden of the owner that lost its file
    top.keys("\x1b[H\x1b[B\x1b[B"); // the first one, and the second below it
    top.wait_for(&["row-z: ", "its file was replaced at "]);
}

#[test]
fn two_hundred_pages_are_quick() {
    let names: Vec<String> = (0..200).map(|number| format!("many-{number:03}")).collect();
    let desk = Desk::open(&names.iter().map(String::as_str).collect::<Vec<_>>());
    let folder = desk.folder();
    let begin = Instant::now();
    let out = ok(&["ls", folder.to_str().unwrap()]);
    assert_eq!(out.lines().count(), 201, "{out}");
    // A build without optimisation, on a machine with other work.
    assert!(begin.elapsed() < Duration::from_secs(10), "{:?}", begin.elapsed());
    let mut top = desk.top(120, 30);
    top.wait_for(&["200 breakers: 200 trading"]);
    let begin = Instant::now();
    top.keys("\x1b[F");
    top.wait_for(&["> many-199"]);
    assert!(begin.elapsed() < Duration::from_secs(10), "{:?}", begin.elapsed());
    top.keys("q");
    assert_eq!(top.ended().code(), Some(0));
}
