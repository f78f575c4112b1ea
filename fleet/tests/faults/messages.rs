//! Messages that can't be understood, and resumes that are forged, old or said again.

use super::setup::*;
use super::versions;
use std::time::Duration;
use trip99_fleet::keys::Key;
use trip99_fleet::lab::Lab;
use trip99_fleet::message::{self, Body, Id, Resume, Taken, VERSION};
use trip99_fleet::trust::Role;

pub(crate) fn odd_messages() {
    let Some(lab) = lab(1) else { return };
    resumes_lift_what_they_name_and_once(&lab);
    what_is_not_understood_halts(&lab);
}

fn resumes_lift_what_they_name_and_once(lab: &Lab) {
    let subject = "trip99.lab.resume";
    let id = halt(lab);
    let (bucket, revision) = lines(lab);
    let resume = |ids: &[&Id], revision| Resume {
        id: Id::new().unwrap(),
        ids: ids.iter().map(|&id| id.clone()).collect(),
        bucket: bucket.clone(),
        revision,
        reason: "y".to_owned(),
        who: "bob".to_owned(),
        at_ns: 0,
    };
    let (ann, bob) = (lab.key(Role::Halter, "ann"), lab.key(Role::Resumer, "bob"));
    // Forged: signed by a halter, by nobody known, and with a body that was changed.
    let nobody = lab.dir.join("nobody.nk");
    Key::new().unwrap().write(&nobody).unwrap();
    let of_bob = sealed(&bob, &resume(&[&id], revision));
    let changed = of_bob.replace("\\\"y\\\"", "\\\"z\\\"");
    assert_ne!(changed, of_bob);
    for text in [sealed(&ann, &resume(&[&id], revision)), sealed(&nobody, &resume(&[&id], revision)), changed] {
        assert_eq!(say(lab, Role::Resumer, "bob", subject, &text), None);
    }
    // Old: its list isn't the latest.
    let old = say(lab, Role::Resumer, "bob", subject, &sealed(&bob, &resume(&[&id], revision - 1))).unwrap();
    assert!(old.revision.is_none() && old.why.unwrap().contains("list again"));
    // From the future: it is no next line.
    let early = say(lab, Role::Resumer, "bob", subject, &sealed(&bob, &resume(&[&id], revision + 5))).unwrap();
    assert_eq!(early.revision, None);
    assert_silent(lab, &lab.hosts[0], Duration::from_millis(300));
    // The right one, and said again after another halt: it is filed already, and lifts nothing more.
    let taken = say(lab, Role::Resumer, "bob", subject, &of_bob).unwrap();
    assert_eq!(taken.revision, Some(revision + 1), "{:?}", taken.why);
    wait(lab, "all trade", || all_trade(&lab.hosts[0]));
    let other = halt(lab);
    let again = say(lab, Role::Resumer, "bob", subject, &of_bob).unwrap();
    assert_eq!(again.revision, Some(revision + 1));
    assert_silent(lab, &lab.hosts[0], Duration::from_millis(300));
    let (_, revision) = lines(lab);
    say(lab, Role::Resumer, "bob", subject, &sealed(&bob, &resume(&[&other], revision))).unwrap();
    wait(lab, "all trade", || all_trade(&lab.hosts[0]));
    // The servers let a halter publish no resume.
    let text = sealed(&bob, &resume(&[&other], revision + 1));
    assert_eq!(say(lab, Role::Halter, "ann", subject, &text), None);
}

fn what_is_not_understood_halts(lab: &Lab) {
    let text = message::seal(
        &Key::read(&lab.key(Role::Resumer, "bob")).unwrap(),
        "lab",
        &Body::Taken(Taken { about: Id::new().unwrap(), revision: None, why: None }),
    );
    for (what, text) in [
        ("a later version", versions::halt_as(VERSION + 1, &Key::read(&lab.key(Role::Halter, "ann")).unwrap())),
        ("a signature of no halter", text.unwrap()),
    ] {
        let begin_ns = now_ns();
        say(lab, Role::Halter, "ann", "trip99.lab.halt", &text);
        wait(lab, what, || none_trades(&lab.hosts[0]));
        figure(&format!("{what}: said to last order that passed"), passed_after(begin_ns, &lab.hosts));
        wait(lab, "all trade again", || all_trade(&lab.hosts[0]));
        let back = Duration::from_nanos(now_ns() - begin_ns);
        assert!(back >= Duration::from_secs(10), "{what}: {back:?}");
    }
}
