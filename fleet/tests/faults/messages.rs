//! Messages that can't be understood, and resumes that are forged, old or said again.

use super::setup::*;
use serde_json::json;
use std::path::Path;
use std::time::Duration;
use trip99_fleet::ask::Asker;
use trip99_fleet::keys::Key;
use trip99_fleet::lab::Lab;
use trip99_fleet::message::{self, Body, Id, Resume, Taken};
use trip99_fleet::trust::Role;

/// Says something as a member, and returns what a governor did with it.
fn say(lab: &Lab, role: Role, name: &str, subject: &str, text: &str) -> Option<Taken> {
    let (fleet, key) = (lab.fleet(), lab.key(role, name));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut asker = Asker::connect(&fleet, &key, &[role]).await.unwrap();
        let mut taken = None;
        asker
            .gather(subject, &text.to_owned().into(), Duration::from_millis(1500), |_, opened| {
                if let Body::Taken(found) = opened.body {
                    taken = Some(found);
                }
                taken.is_some()
            })
            .await;
        taken
    })
}

fn lines(lab: &Lab) -> (String, u64) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut asker = Asker::connect(&lab.fleet(), &lab.key(Role::Resumer, "bob"), &[Role::Resumer]).await.unwrap();
        let records = asker.lines(Duration::from_secs(3)).await.unwrap();
        (records.bucket, records.revision)
    })
}

fn sealed(key: &Path, resume: &Resume) -> String {
    message::seal(&Key::read(key).unwrap(), "lab", &Body::Resume(resume.clone())).unwrap()
}

fn halt(lab: &Lab) -> Id {
    let (status, value) = json(&lab.halt(&["--all", "--reason", "x", "--format", "json"]).unwrap());
    assert_eq!(status, 0, "{value:#}");
    Id::try_from(value["id"].as_str().unwrap().to_owned()).unwrap()
}

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
        ("another version", json!({ "v": 2, "halt": "what version 2 says" }).to_string()),
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
