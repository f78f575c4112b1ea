//! Halting and resuming as processes: by several operators, with any text, and on pages in any condition.

mod common;
mod pages;

use pages::{Owner, Place, SECOND, command, fails, fails_with, json, ok, trip99};
use rustix::process::Signal;
use serde_json::Value;
use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileExt, PermissionsExt, symlink};
use std::path::PathBuf;
use std::process::{Output, Stdio};
use std::time::{Duration, Instant};
use trip99::{Breaker, Gate, Holder, Observer, Start};

/// Not a test but, in a process of its own, an owner: it asks all the time, and tells when the answer changes.
#[test]
fn owner() {
    pages::own();
}

/// The text of the line with this name.
fn line<'a>(out: &'a str, name: &str) -> &'a str {
    let mut lines = out.lines().filter_map(|line| line.trim_start().strip_prefix(name));
    lines.next().unwrap_or_else(|| panic!("{name} in\n{out}")).trim()
}

fn status(page: &str) -> Value {
    json(&["status", page, "--format", "json"]).remove(0)
}

/// The holders of a page, and their reasons.
fn holders(page: &str) -> Vec<(String, String)> {
    let status = status(page);
    let text = |note: &Value, field: &str| note[field].as_str().unwrap().to_owned();
    status["holders"].as_array().unwrap().iter().map(|note| (text(note, "holder"), text(note, "reason"))).collect()
}

/// Status 0, and these parts in what it warns of.
fn warns(args: &[&str], parts: &[&str]) -> String {
    let (status, out, err) = trip99(args);
    assert_eq!(status, Some(0), "{args:?}: {err}");
    assert!(err.lines().all(|line| line.starts_with("warning: ")), "{err}");
    assert!(parts.iter().all(|part| err.contains(part)), "{parts:?} in {err}");
    out
}

/// Who is at this shell.
fn login() -> String {
    trip99::shared::login().to_string()
}

#[test]
fn each_operator_has_a_halt_of_his_own() {
    let place = Place::named("two");
    let name = &*place.name();
    let mut owner = Owner::start(&place);
    assert_eq!(owner.said(), "allowed");
    let out = ok(&["halt", name, "--as", "ann@desk-7", "--reason", "-5 % on \u{20ac}\nin a minute"]);
    assert!(out.starts_with(&format!("{name} halted by ann@desk-7\n")), "{out}");
    assert_eq!(line(&out, "orders"), "refused: halted by ann@desk-7");
    assert_eq!(line(&out, "state"), "HALTED (closed)");
    assert_eq!(owner.said(), "refused");
    let out = ok(&["halt", name, "--reason", "I don't like it either"]);
    assert_eq!(line(&out, "orders"), format!("refused: halted by ann@desk-7, {}", login()));

    let out = ok(&["status", name]);
    assert!(line(&out, "halted by").starts_with("ann@desk-7, ") && out.contains(" ago (20"), "{out}");
    line(&out, "-5 % on \u{20ac} in a minute");
    line(&out, "I don't like it either");
    let note = &status(name)["holders"][1];
    assert_eq!((&note["holder"], &note["uid"]), (&login().into(), &rustix::process::getuid().as_raw().into()));
    assert!(note["pid"].is_u64() && note["login_uid"].is_u64() && note["host"].is_string(), "{note}");
    assert!(note["wall_ns"].is_u64() && note["entry"] == 2, "{note}");
    assert_eq!(status(name)["halt_note"]["reason"], "I don't like it either");
    assert_eq!(place.kept(), [format!("{name}.ann@desk-7.1"), format!("{name}.{}.2", login())]);

    let out = ok(&["resume", name, "--reason", "fine"]);
    assert!(out.starts_with(&format!("{name} is still halted; lifted: {}\n", login())), "{out}");
    assert_eq!(line(&out, "orders"), "refused: halted by ann@desk-7");
    assert!(line(&out, "halted by").starts_with("ann@desk-7, "), "{out}");
    assert_eq!(place.kept(), [format!("{name}.ann@desk-7.1")]);
    let held = "which is halted by ann@desk-7; legal: --holder NAME, or --all";
    fails_with(1, &["resume", name, "--reason", "fine"], &[&login(), " holds no halt of ", held]);
    fails_with(1, &["resume", name, "--reason", "x", "--holder", "latch"], &["latch holds no halt", held]);

    let out = ok(&["resume", name, "--reason", "it is fine", "--holder", "ann@desk-7"]);
    assert!(out.starts_with(&format!("{name} resumed; lifted: ann@desk-7\n")), "{out}");
    assert_eq!((line(&out, "orders"), owner.said().as_str()), ("pass", "allowed"));
    assert_eq!(place.kept(), [""; 0]);
    fails_with(1, &["resume", name, "--reason", "x"], &["two is not halted; there is nothing to lift"]);
    fails_with(1, &["resume", name, "--reason", "x", "--all"], &["two is not halted; there is nothing to lift"]);
}

#[test]
fn all_are_those_that_were_there_but_a_fleets() {
    let place = Place::elsewhere("all");
    let page = &*place.argument();
    let mut owner = Owner::start(&place);
    owner.said();
    let gate = Gate::open(&place.path).unwrap();
    for holder in [Holder::FLEET, Holder::LATCH, Holder::engine("risk")] {
        gate.halt_as(holder, "");
    }
    ok(&["halt", page, "--as", "bob", "--reason", "x"]);
    let out = ok(&["resume", page, "--all", "--reason", "all is well"]);
    assert!(out.starts_with("all is still halted; lifted: latch, engine.risk, bob\n"), "{out}");
    assert_eq!(line(&out, "orders"), "refused: halted by fleet");
    fails_with(1, &["resume", page, "--all", "--reason", "x"], &["halted by fleet; legal: with --break-glass"]);
    ok(&["resume", page, "--all", "--reason", "x", "--break-glass", "--yes"]);
    gate.halt_as(Holder::FLEET_LEASE, "");
    ok(&["resume", page, "--holder", "fleet-lease", "--reason", "x", "--break-glass"]);
    assert_eq!(holders(page), []);
}

#[test]
fn those_who_share_a_slot_are_others() {
    let place = Place::elsewhere("others");
    let page = &*place.argument();
    let _owner = Owner::start(&place);
    let gate = wait_for(&place);
    for number in 0..16 {
        gate.halt_as(Holder::new(&format!("n{number}")).unwrap(), "");
    }
    ok(&["halt", page, "--as", "one-more", "--reason", "me, too"]);
    assert_eq!(holders(page)[0], ("others".to_owned(), "me, too".to_owned()));
    assert!(place.kept().contains(&"others.others.17".to_owned()), "{:?}", place.kept());
    let lifted = ok(&["resume", page, "--holder", "others", "--reason", "x"]);
    assert!(lifted.starts_with("others is still halted; lifted: others\n"), "{lifted}");
    assert!(!place.kept().contains(&"others.others.17".to_owned()), "{:?}", place.kept());
}

fn wait_for(place: &Place) -> Gate {
    let begin = Instant::now();
    loop {
        match Gate::open(&place.path) {
            Ok(gate) => return gate,
            Err(error) => assert!(begin.elapsed() < Duration::from_secs(20), "{error}"),
        }
    }
}

#[test]
fn a_halt_never_fails_for_its_text() {
    let place = Place::elsewhere("texts");
    let page = &*place.argument();
    let _breaker = place.breaker(Start::Closed);
    for args in [&[][..], &["--reason"], &["--reason", ""], &["--reason", " \u{200b}\n"]] {
        let args = [&["halt", page, "--as", "a"], args].concat();
        warns(&args, &["warning: no reason given; "]);
        assert_eq!(holders(page), [("a".to_owned(), String::new())]);
        line(&ok(&["status", page]), "no reason given");
    }
    let long = format!("{}\u{20ac}{}", "x".repeat(214), "y".repeat(5000));
    warns(&["halt", page, "--as", "a", "--reason", &long], &["--reason has 5217 bytes; the first 214 are kept"]);
    assert_eq!(holders(page)[0].1, "x".repeat(214));
    let bytes = OsStr::from_bytes(b"prices\xff are \x1b[31mwrong\xe2\x80\xae");
    let output = command(&["halt", page, "--as", "a", "--reason"]).arg(bytes).output().unwrap();
    let err = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success() && err.contains("--reason isn't UTF-8"), "{err}");
    assert_eq!(holders(page)[0].1, "prices\u{fffd} are  [31mwrong ");
}

/// What a command does whose output goes there.
fn with_output(args: &[&str], out: Stdio, err: Stdio) -> Output {
    command(args).stdout(out).stderr(err).spawn().unwrap().wait_with_output().unwrap()
}

/// The end of a pipe that nobody reads.
fn closed_pipe() -> Stdio {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    writer.into()
}

#[test]
fn a_halt_never_fails_for_its_output() {
    let full = || Stdio::from(OpenOptions::new().write(true).open("/dev/full").unwrap());
    for (name, output) in [("full", &full as &dyn Fn() -> Stdio), ("closed", &closed_pipe)] {
        let place = Place::elsewhere(name);
        let page = &*place.argument();
        let mut owner = Owner::start(&place);
        assert_eq!(owner.said(), "allowed");
        // No reason, so that there is a warning, too.
        let done = with_output(&["halt", page], output(), output());
        assert_eq!((done.status.code(), owner.said().as_str()), (Some(0), "refused"));
        assert_eq!(place.kept().len(), 1, "it is durable");
        let done = with_output(&["resume", page, "--reason", "x"], output(), output());
        assert_eq!((done.status.code(), owner.said().as_str()), (Some(0), "allowed"));
    }
}

/// A running engine, whose page is then made odd.
fn odd(name: &str, harm: impl FnOnce(&Place)) -> (Place, Owner) {
    let place = Place::elsewhere(name);
    let mut owner = Owner::start(&place);
    assert_eq!(owner.said(), "allowed");
    harm(&place);
    (place, owner)
}

/// Halts a page that is odd: it warns, and the engine stops.
fn halts(place: &Place, page: &str, owner: &mut Owner, parts: &[&str]) {
    let args = ["halt", page, "--as", "ann", "--reason", "x"];
    warns(&args, parts);
    assert_eq!(owner.said(), "refused");
    let gate = trip99::shared::Halter::open(page).unwrap();
    assert!(gate.is_halted(), "{}", place.path.display());
}

#[test]
fn a_page_with_two_names_or_an_open_mode_is_halted() {
    let second = |place: &Place| place.path.with_file_name("linked-too");
    let (place, mut owner) = odd("linked", |place| fs::hard_link(&place.path, second(place)).unwrap());
    halts(&place, &place.argument(), &mut owner, &["linked has 2 names"]);
    warns(&["resume", &place.argument(), "--as", "ann", "--reason", "x"], &["linked has 2 names"]);
    assert_eq!(owner.said(), "allowed");
    fs::remove_file(second(&place)).unwrap();

    let mode = |place: &Place| fs::set_permissions(&place.path, fs::Permissions::from_mode(0o620)).unwrap();
    let (place, mut owner) = odd("mode", mode);
    halts(&place, &place.argument(), &mut owner, &["is writable for others (mode 0620)"]);
}

#[test]
fn a_renamed_page_is_halted_by_its_new_name_and_a_link_is_refused() {
    let renamed = |place: &Place| place.path.with_file_name("renamed-since");
    let (place, mut owner) = odd("renamed", |place| fs::rename(&place.path, renamed(place)).unwrap());
    fails(&["halt", &place.argument(), "--reason", "x"], &["there is no page "]);
    let renamed = renamed(&place);
    halts(&place, renamed.to_str().unwrap(), &mut owner, &[]);
    fs::remove_file(&renamed).unwrap();

    let place = Place::elsewhere("led-astray");
    let link = place.path.with_file_name("link");
    let mut breaker = place.breaker(Start::Closed);
    symlink(&place.path, &link).unwrap();
    for args in [&["halt", link.to_str().unwrap()][..], &["resume", link.to_str().unwrap(), "--reason", "x"]] {
        fails(args, &["link is a symbolic link; legal: "]);
    }
    assert!(breaker.allow(), "it is refused untouched");
    fs::remove_file(&link).unwrap();
}

/// Flips bits of a file, and flips them back after `then`.
fn flipped(file: &File, offset: u64, bits: u8, then: impl FnOnce()) {
    let mut byte = [0];
    file.read_exact_at(&mut byte, offset).unwrap();
    file.write_all_at(&[byte[0] ^ bits], offset).unwrap();
    then();
    file.write_all_at(&byte, offset).unwrap();
}

#[test]
fn a_header_with_any_bit_flipped_is_halted() {
    let place = Place::elsewhere("flipped");
    let page = &*place.argument();
    // No owner: its process would halt the page itself, as it is damaged.
    drop(place.breaker(Start::Closed));
    let file = OpenOptions::new().read(true).write(true).open(&place.path).unwrap();
    for bit in 0..24 * 8 {
        flipped(&file, bit / 8, 1 << (bit % 8), || {
            let (status, out, err) = trip99(&["halt", page, "--as", "ann", "--reason", "x"]);
            assert_eq!(status, Some(0), "bit {bit}: {out}{err}");
            assert!(trip99::shared::Halter::open(page).unwrap().is_halted(), "bit {bit}");
        });
        assert_eq!(holders(page), [("ann".to_owned(), "x".to_owned())], "bit {bit}");
        let (status, _, err) = trip99(&["resume", page, "--as", "ann", "--reason", "x"]);
        assert_eq!(status, Some(0), "bit {bit}: {err}");
    }
}

#[test]
fn a_page_of_another_version_or_cut_off_is_halted_by_its_gate() {
    let place = Place::elsewhere("versions");
    let page = &*place.argument();
    let file = |place: &Place| OpenOptions::new().read(true).write(true).open(&place.path).unwrap();
    drop(place.breaker(Start::Closed));
    for offset in [8, 8192 + 8] {
        file(&place).write_all_at(&3_u64.to_ne_bytes(), offset).unwrap();
    }
    let out = warns(&["halt", page, "--reason", "x"], &["the page has layout version 3", "the halt isn't durable"]);
    assert_eq!(out, "versions halted\n");
    assert!(trip99::shared::Halter::open(page).unwrap().is_halted());
    fails(&["status", page], &["has layout version 3; known: 2"]);
    let (status, _, err) = trip99(&["resume", page, "--reason", "x"]);
    assert!(status == Some(1) && err.contains("versions keeps no holders that this version can lift"), "{err}");

    // Whoever has the page mapped may be killed by this; so its owner isn't this process.
    let (place, owner) = odd("cut", |_| ());
    let page = &*place.argument();
    drop(owner);
    file(&place).set_len(20_000).unwrap();
    warns(&["halt", page, "--reason", "x"], &["the file was cut off after 20000 bytes"]);
    assert!(trip99::shared::Halter::open(page).unwrap().is_halted());
    // So short that there is no gate, or nothing that tells a page from other files.
    for len in [8192, 100, 0] {
        file(&place).set_len(len).unwrap();
        fails(&["halt", page, "--reason", "x"], &["is no page of trip99"]);
    }
}

#[test]
fn a_page_without_an_owner_is_halted_for_the_next_one() {
    let place = Place::named("ownerless");
    let name = &*place.name();
    let mut owner = Owner::start(&place);
    assert_eq!(owner.said(), "allowed");
    drop(owner); // killed
    let out = ok(&["status", name]);
    assert_eq!(line(&out, "state"), "no owner (open)");
    line(&out, "would come back as open, for a whole pause");
    let ls = ok(&["ls"]);
    let row = ls.lines().find(|line| line.starts_with(name)).unwrap();
    assert!(row.contains("no owner (open) ") && row.contains(" gone ") && !row.contains("closed"), "{row}");

    let warning = "warning: no process owns this page now; the halt stays for the next one that does\n";
    let out = warns(&["halt", name, "--as", "ann", "--reason", "it is gone"], &[warning]);
    assert_eq!(line(&out, "orders"), "refused: halted by ann");
    line(&ok(&["status", name]), "would come back as open, for a whole pause; halted by ann");
    let back = &status(name)["comes_back"];
    assert_eq!((&back["state"], &back["halted"], &back["holders"][0]), (&"open".into(), &true.into(), &"ann".into()));
    assert!(ok(&["ls"]).lines().any(|line| line.starts_with(name) && line.contains("no owner, HALTED ")));

    let mut owner = Owner::start(&place);
    assert_eq!(owner.said(), "refused");
    assert_eq!(holders(name), [("ann".to_owned(), "it is gone".to_owned())]);
    assert_eq!(status(name)["started"], "unclean");
    ok(&["resume", name, "--as", "ann", "--reason", "it is back"]);
    assert_eq!(owner.said(), "allowed", "by a trial");
    drop(owner);

    warns(&["halt", name, "--as", "ann", "--reason", "x"], &[warning]);
    // The page is gone, as after a reboot; the halt isn't.
    fs::remove_file(&place.path).unwrap();
    let mut owner = Owner::start(&place);
    assert_eq!((owner.said().as_str(), &holders(name)[0].0[..]), ("refused", "ann"));
    drop(owner);
    warns(&["resume", name, "--as", "ann", "--reason", "x"], &["warning: no process owns this page now; orders are"]);
    fs::remove_file(&place.path).unwrap();
    assert_eq!(Owner::start(&place).said(), "allowed");
}

#[test]
fn an_owner_that_ended_while_open_comes_back_with_what_is_left_of_its_pause() {
    let place = Place::elsewhere("pause");
    let page = &*place.argument();
    let mut breaker = place.breaker(Start::Closed);
    breaker.record(SECOND);
    assert!(!breaker.allow());
    drop(breaker);
    let back = &status(page)["comes_back"];
    assert_eq!(back["state"], "open");
    assert!(back["pause_left_ns"].as_u64() <= Some(SECOND) && back["pause_left_ns"].is_u64(), "{back}");
    let out = ok(&["status", page]);
    assert!(out.contains("would come back as open, with ") && out.contains(" pause"), "{out}");
}

#[test]
fn a_halt_that_only_the_folder_has_is_told() {
    let place = Place::elsewhere("forgotten");
    let page = &*place.argument();
    drop(place.breaker(Start::Closed));
    fs::write(common::scratch().join("state/forgotten.ann.7"), "reason: a reboot\n").unwrap();
    line(&ok(&["status", page]), "would come back as closed, as the last owner ended cleanly; halted by ann");
    assert!(!place.breaker(Start::Closed).allow());
}

#[test]
fn a_halt_that_is_not_durable_is_told_and_holds() {
    let place = Place::elsewhere("undurable");
    let page = &*place.argument();
    let file = common::scratch().join("a-file");
    fs::write(&file, "").unwrap();
    let mut breaker = place.breaker(Start::Closed);
    // The page names a folder that is a file by now. The bytes of the path begin after those of its length.
    let open = OpenOptions::new().write(true).open(&place.path).unwrap();
    let path = file.as_os_str().as_bytes();
    open.write_all_at(path, 264).unwrap();
    open.write_all_at(&(path.len() as u64).to_ne_bytes(), 256).unwrap();
    warns(
        &["halt", page, "--as", "ann", "--reason", "x"],
        &["the halt isn't durable: Not a directory", "a reboot may"],
    );
    assert!(!breaker.allow());
    warns(&["resume", page, "--as", "ann", "--reason", "x"], &["ann's halt", "can't be removed: Not a directory"]);
    breaker.poll();
    assert!(breaker.allow());
}

#[test]
fn a_resume_waits_for_the_owner_and_says_if_it_hangs() {
    let place = Place::elsewhere("hangs");
    let page = &*place.argument();
    let mut owner = Owner::start(&place);
    assert_eq!(owner.said(), "allowed");
    ok(&["halt", page, "--as", "ann", "--reason", "x"]);
    assert_eq!(owner.said(), "refused");
    owner.signal(Signal::STOP);
    let begin = Instant::now();
    while !ok(&["status", page]).contains(", stopped, seen ") {
        assert!(begin.elapsed() < Duration::from_secs(10));
    }
    warns(&["halt", page, "--as", "bob", "--reason", "it hangs"], &["warning: the owner is not at work now; it obeys"]);
    let out = warns(&["resume", page, "--as", "bob", "--reason", "x"], &["the owner is not at work"]);
    assert!(out.starts_with("hangs is still halted; lifted: bob\n"), "{out}");
    let warning = "warning: the owner hasn't polled; the halt ends with its next poll\n";
    let out = warns(&["resume", page, "--as", "ann", "--reason", "x"], &[warning]);
    assert!(out.starts_with("hangs resumed; lifted: ann\n"), "{out}");
    assert!(line(&out, "orders").starts_with("refused, until the owner polls"), "{out}");
    line(&ok(&["status", page]), "halted by nobody any more: the halt ends with the owner's next poll");
    fails_with(
        1,
        &["resume", page, "--reason", "x"],
        &["nobody holds a halt of hangs any more; it ends with the owner's"],
    );
    owner.signal(Signal::CONT);
    assert_eq!(owner.said(), "allowed");

    // It polls a moment after the halt is lifted, and the resume is still there to see it.
    ok(&["halt", page, "--as", "ann", "--reason", "x"]);
    assert_eq!(owner.said(), "refused");
    owner.signal(Signal::STOP);
    let mut resume = command(&["resume", page, "--as", "ann", "--reason", "x"]);
    let resume = resume.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let observer = Observer::open(&place.path).unwrap();
    while !observer.holders().is_empty() {
        std::thread::sleep(Duration::from_millis(1));
    }
    std::thread::sleep(Duration::from_millis(100));
    owner.signal(Signal::CONT);
    let Output { status, stdout, stderr } = resume.wait_with_output().unwrap();
    let [out, err] = [stdout, stderr].map(|text| String::from_utf8(text).unwrap());
    assert!(status.success() && line(&out, "orders") == "pass", "{out}{err}");
}

#[test]
fn a_name_in_two_places_is_refused_and_both_are_named() {
    let place = Place::named("twice");
    let mut breaker = place.breaker(Start::Closed);
    // A place that looks like another user's.
    let other = PathBuf::from(format!("/dev/shm/trip99-cli-test-{}", std::process::id()));
    fs::create_dir(&other).unwrap();
    fs::copy(&place.path, other.join("twice")).unwrap();
    let runs =
        [&["halt", "twice"][..], &["status", "twice"], &["resume", "twice", "--reason", "x"], &["events", "twice"]];
    let output = runs.map(trip99);
    fs::remove_dir_all(&other).unwrap();
    for (status, out, err) in output {
        let [first, second] = [&place.path, &other.join("twice")].map(|path| path.display().to_string());
        assert_eq!((status, out.as_str()), (Some(2), ""));
        pages::refused(&err, &["is the name of several pages: ", &first, &second, "; legal: the path of one"]);
    }
    assert!(breaker.allow());
    ok(&["halt", "twice", "--reason", "x"]);
    assert!(!breaker.allow());
}

#[test]
fn no_page_is_a_failure_of_ls() {
    let place = Place::elsewhere("none");
    let folder = place.path.with_file_name("empty");
    fs::create_dir(&folder).unwrap();
    let ls = |folder: &str, more: &[&str]| {
        let output = command(&[&["ls"], more].concat()).env("TRIP99_DIR", folder).output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (output.status.code(), text(output.stdout), text(output.stderr))
    };
    let (status, out, err) = ls("here", &[]);
    assert_eq!((status, out.as_str()), (Some(2), ""));
    assert_eq!(err, "error: TRIP99_DIR is \"here\"; legal: an absolute path\n");
    for format in ["text", "json"] {
        let (status, out, err) = ls(folder.to_str().unwrap(), &["--format", format]);
        // Users may have pages in their own places.
        if trip99::shared::places().iter().all(|path| fs::read_dir(path).unwrap().count() == 0) {
            assert_eq!((status, out.as_str()), (Some(1), ""));
            assert!(err.starts_with("error: there are no pages in ") && err.contains("/empty"), "{err}");
        } else {
            assert!(matches!(status, Some(0 | 1)), "{err}");
        }
    }
    fs::remove_dir(folder).unwrap();
}

#[test]
fn names_that_would_trick_a_terminal_are_escaped() {
    let place = Place::elsewhere("odd\u{202e}\u{200b}\x1b[31m");
    let page = &*place.argument();
    let mut breaker: Breaker = place.breaker(Start::Closed);
    for args in [&["status", page][..], &["events", page], &["halt", page, "--reason", "x\u{202e}y"]] {
        let out = ok(args);
        assert!(
            !out.contains(['\u{202e}', '\u{200b}', '\x1b']) && out.contains("\\u{202e}\\u{200b}\\u{1b}[31m"),
            "{out}"
        );
    }
    assert!(!breaker.allow());
    line(&ok(&["status", page]), "x y");
    fails(&["status", "/dev/shm/a\u{202e}b"], &["a\\u{202e}b"]);
}

/// Polls breakers until it is dropped.
struct Owners(Option<std::thread::JoinHandle<()>>, std::sync::Arc<std::sync::atomic::AtomicBool>);

impl Owners {
    fn start(mut breakers: Vec<Breaker>) -> Self {
        let running = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(true));
        let is_running = running.clone();
        let thread = std::thread::spawn(move || {
            while is_running.load(std::sync::atomic::Ordering::Relaxed) {
                breakers.iter_mut().for_each(Breaker::poll);
                std::thread::sleep(Duration::from_millis(1));
            }
        });
        Self(Some(thread), running)
    }
}

impl Drop for Owners {
    fn drop(&mut self) {
        self.1.store(false, std::sync::atomic::Ordering::Relaxed);
        let _ = self.0.take().map(std::thread::JoinHandle::join);
    }
}

/// Several pages in a folder of their own, with labels, whose owners are here.
fn desk(name: &str) -> (Vec<Place>, Owners) {
    let places: Vec<_> =
        ["a", "b", "c"].map(|page| Place::within(&format!("desk-{name}"), &format!("{page}-{name}"))).into();
    let breakers = places.iter().map(|place| place.breaker(Start::Closed)).collect();
    let labels = format!("[a-{name}]\ndesk = \"rates\"\n[b-{name}]\ndesk = \"rates\"\n[c-{name}]\ndesk = \"fx\"\n");
    fs::write(places[0].path.with_file_name("labels.toml"), labels).unwrap();
    (places, Owners::start(breakers))
}

/// Who holds a halt of each of these pages.
fn held(places: &[Place]) -> Vec<String> {
    let names = |place: &Place| {
        let list = holders(&place.argument()).into_iter().map(|(name, _)| name);
        list.collect::<Vec<_>>().join("+")
    };
    places.iter().map(names).collect()
}

/// Exit status, standard output and standard error of the command where the desk's folder is this user's place.
fn at(places: &[Place], args: &[&str]) -> (Option<i32>, String, String) {
    let output = command(args).env("TRIP99_DIR", places[0].path.parent().unwrap()).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

#[test]
fn one_page_that_fails_keeps_no_other_from_being_halted() {
    let (places, _owners) = desk("several");
    fs::write(places[0].path.with_file_name("none"), [7; 100]).unwrap();
    let args =
        ["halt", "none", "a-several", "no-such-page", "b-several", "a-several", ".x", "--as", "ann", "--reason", "x"];
    let (status, out, err) = at(&places, &args);
    assert_eq!(status, Some(2));
    assert!(
        out.starts_with(
            "a-several halted by ann: HALTED (closed); orders refused: halted by ann\nb-several halted by ann: "
        ),
        "{out}"
    );
    assert_eq!(out.lines().count(), 2, "{out}");
    let errors: Vec<_> = err.lines().collect();
    assert_eq!(errors.len(), 3, "{err}");
    for (error, part) in ["\".x\" is no name", "\"no-such-page\" in ", "none is no page of trip99"].iter().enumerate() {
        assert!(errors[error].starts_with("error: ") && errors[error].contains(part), "{err}");
    }
    assert_eq!(held(&places), ["ann", "ann", ""]);

    let (status, out, err) =
        at(&places, &["resume", "a-several", "b-several", "c-several", "--as", "ann", "--reason", "x"]);
    assert!(status == Some(1) && err == "error: c-several is not halted; there is nothing to lift\n", "{err}");
    assert!(
        out.contains("a-several resumed; lifted: ann: ") && out.contains("b-several resumed; lifted: ann: "),
        "{out}"
    );
}

#[test]
fn a_desk_is_halted_and_resumed_by_its_label() {
    let (places, _owners) = desk("label");
    let by_label = |args: &[&str], label: &str| {
        let (status, out, err) = at(&places, &[args, &["--label", label, "--format", "json"]].concat());
        (status, pages::lines(args[0], &out), err)
    };
    let (status, halted, err) = by_label(&["halt", "--as", "ann", "--reason", "x"], "desk=rates");
    assert_eq!((status, err.as_str(), halted.len()), (Some(0), "", 2));
    let first = &halted[0];
    assert_eq!((&first["name"], &first["halted"], &first["durable"]), (&"a-label".into(), &true.into(), &true.into()));
    assert_eq!((&first["page"]["standing"], &first["flat"]), (&"halted".into(), &Value::Null));
    assert_eq!(held(&places), ["ann", "ann", ""]);
    at(&places, &["halt", "b-label", "c-label", "--as", "bob", "--reason", "x"]);
    let (status, _, err) = by_label(&["resume", "--as", "cat", "--reason", "x"], "desk=*");
    assert!(status == Some(1) && err.contains("none of these pages is halted by cat"), "{err}");

    // Of those that a label chooses, the ones that are held.
    let (status, lifted, err) = by_label(&["resume", "--as", "bob", "--reason", "x"], "desk=*");
    assert_eq!((status, err.as_str()), (Some(0), ""));
    let names: Vec<_> = lifted.iter().map(|page| page["name"].as_str().unwrap()).collect();
    assert_eq!((names, &lifted[0]["lifted"][0]["holder"]), (vec!["b-label", "c-label"], &"bob".into()));
    assert_eq!(held(&places), ["ann", "ann", ""]);
    at(&places, &["halt", "b-label", "--as", "bob", "--reason", "x"]);
    let (status, _, _) = by_label(&["resume", "--all", "--reason", "x"], "desk=rates");
    assert_eq!((status, held(&places)), (Some(0), vec![String::new(); 3]));

    let (status, _, err) = at(&places, &["halt", "--label", "desk=none", "--reason", "x"]);
    assert!(status == Some(1) && err == "error: no page has label desk=none\n", "{err}");
    fails(&["halt", "--all", "a"], &["--all", "legal: see trip99 halt --help"]);
    fails(&["halt", "--all", "--label", "desk=x"], &["--all", "legal: see trip99 halt --help"]);
    fails(&["halt"], &["PAGE", "legal: see trip99 halt --help"]);
    fails(&["resume", "--reason", "x"], &["PAGE", "legal: see trip99 resume --help"]);
}

/// Runs the command where the desk's folder is the only place of pages. (All pages of this machine would be halted otherwise.)
fn alone(places: &[Place], args: &str) -> Option<Output> {
    let exe = env!("CARGO_BIN_EXE_trip99");
    let script = format!(
        "mkdir -p /mnt/trip99-cli-test && mount -t tmpfs none /mnt/trip99-cli-test && mkdir /mnt/trip99-cli-test/pages && \
         mount --bind \"$TRIP99_DIR\" /mnt/trip99-cli-test/pages && mount -t tmpfs none /dev/shm && \
         mount -t tmpfs none /run && echo ready >&2 && \
         TRIP99_DIR=/mnt/trip99-cli-test/pages exec {exe} {args}"
    );
    let mut unshare = std::process::Command::new("unshare");
    unshare.args(["--mount", "--propagation", "private", "sh", "-c", &script]);
    let output = unshare.env("TRIP99_DIR", places[0].path.parent().unwrap()).stdin(Stdio::null()).output().ok()?;
    String::from_utf8_lossy(&output.stderr).starts_with("ready\n").then_some(output)
}

#[test]
fn all_pages_are_halted_by_one_command() {
    let (places, _owners) = desk("whole");
    let Some(output) = alone(&places, "halt --all --as ann --reason x") else {
        return println!("skipped: no namespace of mounts can be made here");
    };
    let out = String::from_utf8(output.stdout).unwrap();
    assert_eq!((output.status.code(), out.lines().count()), (Some(0), 3), "{out}");
    assert_eq!(held(&places), ["ann"; 3]);
    at(&places, &["halt", "a-whole", "--as", "bob", "--reason", "x"]);
    // Without names it means all pages, and one's own halts.
    let output = alone(&places, "resume --all --as ann --reason x").unwrap();
    assert_eq!((output.status.code(), held(&places)), (Some(0), vec!["bob".to_owned(), String::new(), String::new()]));
}

#[test]
fn a_halt_waits_until_no_order_rests() {
    let place = Place::elsewhere("flat");
    let page = &*place.argument();
    let mut breaker = place.breaker(Start::Closed);
    let halt = |time: &str| trip99(&["halt", page, "--as", "ann", "--reason", "x", "--wait-flat", time]);
    let (status, out, err) = halt("20ms");
    assert!(status == Some(1) && out.starts_with("flat halted by ann\n"), "{out}{err}");
    assert_eq!(err, "error: not flat after 20ms: 0 orders left; flat: its engine doesn't tell how many orders rest\n");
    breaker.set_resting(2);
    let (status, _, err) = halt("20ms");
    assert!(status == Some(1) && err.contains("2 orders left; flat: 2 orders at the venue"), "{err}");

    let waiting = command(&["halt", page, "--as", "ann", "--reason", "x", "--wait-flat", "60s", "--format", "json"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    std::thread::sleep(Duration::from_millis(100));
    breaker.set_resting(0);
    let output = waiting.wait_with_output().unwrap();
    let told = pages::lines("halt", &String::from_utf8(output.stdout).unwrap()).remove(0);
    assert_eq!((output.status.code(), &told["flat"]), (Some(0), &true.into()));
    assert!(halt("1s").1.ends_with("flat: no order rests at the venue\n"));
    // What an engine told that is gone may be wrong by now.
    drop(breaker);
    let (status, _, err) = halt("20ms");
    assert!(status == Some(1) && err.contains("no engine is there to tell"), "{err}");
    fails(&["halt", page, "--wait-flat", "soon"], &["--wait-flat", "legal: see trip99 halt --help"]);
}

#[test]
fn a_drill_measures_a_halt_and_files_a_report() {
    let place = Place::elsewhere("drilled");
    let page = &*place.argument();
    let folder = common::scratch().join("reports");
    fs::create_dir_all(&folder).unwrap();
    let reports = || fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect::<Vec<_>>();
    let to = folder.to_str().unwrap();
    let drill = |more: &[&str]| trip99(&[&["drill", page, "--to", to], more].concat());
    fails(&["drill", page], &["there is no page "]);
    drop(place.breaker(Start::Closed));
    let (status, _, err) = drill(&[]);
    assert!(
        status == Some(1) && err.contains("drilled is no owner (closed); a drill is for an engine that trades"),
        "{err}"
    );

    let mut owner = Owner::start(&place);
    assert_eq!(owner.said(), "allowed");
    let (status, out, err) = drill(&["--dry-run"]);
    assert!(status == Some(0) && out.contains("drilled is trading (closed); a drill would halt it by"), "{out}{err}");
    assert!(reports().is_empty());
    assert_eq!(json(&["drill", page, "--dry-run", "--format", "json"])[0]["dry_run"], true);
    let (status, out, err) = drill(&["--format", "json"]);
    assert_eq!((status, err.as_str()), (Some(0), ""));
    let told = pages::lines("drill", &out).remove(0);
    assert_eq!((owner.said().as_str(), owner.said().as_str()), ("refused", "allowed"));
    assert_eq!((&told["passed"], &told["by"]), (&true.into(), &login().into()));
    let ns = |field: &str| told[field].as_u64().unwrap_or_else(|| panic!("{field}: {told}"));
    assert!(
        ns("halted_after_ns") <= ns("refused_after_ns") && ns("refusals") > 0 && ns("passed_after_ns") > 0,
        "{told}"
    );
    assert!(ns("resumed_wall_ns") >= ns("decided_wall_ns") + ns("refused_after_ns"), "{told}");
    let [report] = &reports()[..] else { panic!("{:?}", reports()) };
    assert_eq!(told["report"], report.to_str().unwrap());
    assert!(report.file_name().unwrap().to_str().unwrap().starts_with("trip99-drill-drilled-20"));
    let text = fs::read_to_string(report).unwrap();
    assert!(
        text.starts_with("# Drill of drilled\n\nResult: passed: ")
            && text.contains("| decision to first refusal, at most |"),
        "{text}"
    );
    assert_eq!((holders(page), place.kept()), (vec![], vec![]));
    let events = json(&["events", page, "--last", "2", "--format", "json"]);
    assert!(events.iter().all(|event| event["note"]["holder"] == "drill"), "{events:?}");

    // An engine that hangs refuses nothing; it is resumed all the same.
    owner.signal(Signal::STOP);
    let begin = Instant::now();
    while status_of(page) != "unwatched" {
        assert!(begin.elapsed() < Duration::from_secs(20));
    }
    assert_eq!(drill(&[]).0, Some(1));
    owner.signal(Signal::CONT);
    drop(owner);
    warns(&["halt", page, "--as", "ann", "--reason", "x"], &["no process owns this page now"]);
    let _owner = Owner::start(&place);
    let (status, _, err) = drill(&[]);
    assert!(status == Some(1) && err.contains("HALTED"), "{err}");
    fails(&["drill", page, "--as", "x"], &["--as", "legal: see"]);
    fs::remove_dir_all(&folder).unwrap();
}

fn status_of(page: &str) -> String {
    status(page)["standing"].as_str().unwrap().to_owned()
}
