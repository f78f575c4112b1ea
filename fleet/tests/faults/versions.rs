//! Members of two versions: what an older one doesn't know, and what a newer one no longer knows, halts.

use super::setup::*;
use serde_json::json;
use std::time::Duration;
use trip99_fleet::ask::Asker;
use trip99_fleet::keys::Key;
use trip99_fleet::lab::Lab;
use trip99_fleet::message::{Answer, Body, Halt, Id, Resume, VERSION};
use trip99_fleet::net::{Happening, Net, Subjects};
use trip99_fleet::selection::Selection;
use trip99_fleet::trust::{Role, Trust};

/// What a member that speaks this version says, with its right signature.
pub(super) fn sealed_as(v: u32, key: &Key, body: &Body) -> String {
    let body = serde_json::to_string(body).unwrap();
    let sig = key.sign(format!("trip99-fleet/{v}/lab\n{body}").as_bytes()).unwrap();
    json!({ "v": v, "by": key.public(), "sig": sig, "body": body }).to_string()
}

pub(super) fn halt_as(v: u32, key: &Key) -> String {
    let (reason, who) = ("x".to_owned(), "ann".to_owned());
    let selection = Selection::of(&["desk=fx".to_owned()]).unwrap();
    sealed_as(v, key, &Body::Halt(Halt { id: Id::new().unwrap(), selection, reason, who, at_ns: 0 }))
}

fn key(lab: &Lab, role: Role, name: &str) -> Key {
    Key::read(&lab.key(role, name)).unwrap()
}

/// Whether governors answer who asks for lines in this way.
fn is_answered(lab: &Lab, text: &str, nonce: &str) -> bool {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let ann = lab.key(Role::Halter, "ann");
        let mut asker = Asker::connect(&lab.fleet(), &ann, &[Role::Halter]).await.unwrap();
        let subject = asker.subjects.lines();
        let is_it = |_: &_, opened: trip99_fleet::message::Opened| {
            matches!(opened.body, Body::Records(records) if records.nonce == nonce)
        };
        asker.gather(&subject, &text.to_owned().into(), Duration::from_millis(1500), is_it).await
    })
}

/// A governor that speaks one version, and members that speak another.
pub(crate) fn governors_of_another_version() {
    let Some(lab) = lab(1) else { return };
    assert!(is_answered(&lab, &json!({ "v": VERSION, "nonce": "n1" }).to_string(), "n1"));
    // A newer member: it speaks this version, too.
    let newer = json!({ "v": VERSION + 1, "nonce": "n2", "news": [1] }).to_string();
    assert!(is_answered(&lab, &newer, "n2"));
    // An older one, which doesn't; and what has no version.
    for text in
        [json!({ "v": VERSION - 1, "nonce": "n3" }), json!({ "nonce": "n3" }), json!({ "v": -1, "nonce": "n3" })]
    {
        assert!(!is_answered(&lab, &text.to_string(), "n3"), "{text}");
    }
    // A resume of another version lifts nothing, and isn't filed.
    let id = halt(&lab);
    let (bucket, revision) = lines(&lab);
    let resume = Body::Resume(Resume {
        id: Id::new().unwrap(),
        ids: vec![id],
        bucket,
        revision,
        reason: "y".to_owned(),
        who: "bob".to_owned(),
        at_ns: 0,
    });
    let bob = key(&lab, Role::Resumer, "bob");
    for v in [VERSION - 1, VERSION + 1] {
        assert_eq!(say(&lab, Role::Resumer, "bob", "trip99.lab.resume", &sealed_as(v, &bob, &resume)), None, "{v}");
    }
    assert_eq!(lines(&lab).1, revision);
    assert_silent(&lab, &lab.hosts[0], Duration::from_millis(300));
    // The very same in this version does.
    let taken = say(&lab, Role::Resumer, "bob", "trip99.lab.resume", &sealed_as(VERSION, &bob, &resume)).unwrap();
    assert_eq!(taken.revision, Some(revision + 1), "{:?}", taken.why);
    wait(&lab, "all trade", || all_trade(&lab.hosts[0]));
}

/// A halter of another version: its halt is for one label, but who can tell? All are held.
pub(crate) fn halters_of_another_version() {
    let Some(lab) = is_long().then(|| lab(1)).flatten() else { return };
    let ann = key(&lab, Role::Halter, "ann");
    for v in [VERSION - 1, VERSION + 1] {
        let (_, before) = lines(&lab);
        let begin_ns = now_ns();
        assert_eq!(say(&lab, Role::Halter, "ann", "trip99.lab.halt", &halt_as(v, &ann)), None);
        wait(&lab, "all are held", || none_trades(&lab.hosts[0]));
        figure(&format!("a halt of version {v}: said to last order that passed"), passed_after(begin_ns, &lab.hosts));
        wait(&lab, "all trade again", || all_trade(&lab.hosts[0]));
        let back = Duration::from_nanos(now_ns() - begin_ns);
        assert!(back >= Duration::from_secs(10), "{back:?}");
        assert_eq!(lines(&lab).1, before, "it isn't filed");
    }
}

/// Agents, and a governor that answers them in another version.
pub(crate) fn agents_of_another_version() {
    let Some(mut lab) = is_long().then(|| lab(1)).flatten() else { return };
    let (bucket, revision) = lines(&lab);
    lab.governors.iter_mut().for_each(|governor| *governor = None);
    let governor = key(&lab, Role::Governor, "gov-1");
    let trust = Trust::read(&lab.fleet()).unwrap();
    // Answers all asks for this long.
    let answer = |v: u32, span: Duration| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let (net, mut happenings) = Net::connect(&trust, &governor, "governor gov-1").await.unwrap();
            net.hear(&Subjects::new("lab").ask("*"), "ask").await.unwrap();
            let end = tokio::time::Instant::now() + span;
            while let Ok(Some(happening)) = tokio::time::timeout_at(end, happenings.recv()).await {
                let Happening::Message { link, message, .. } = happening else { continue };
                let ask: serde_json::Value = serde_json::from_slice(&message.payload).unwrap();
                let nonce = ask["nonce"].as_str().unwrap().to_owned();
                let body = Body::Answer(Answer { nonce, bucket: bucket.clone(), revision, age_ns: 0 });
                let text = sealed_as(v, &governor, &body).into();
                net.answer(link, message.reply.as_ref().unwrap(), text).await;
            }
        });
    };
    // It is the version that matters: this governor is as good as the other ones.
    answer(VERSION, Duration::from_secs(5));
    assert!(all_trade(&lab.hosts[0]), "{}", lab.logs());
    for v in [VERSION - 1, VERSION + 1] {
        let begin_ns = now_ns();
        answer(v, Duration::from_secs(1));
        assert!(none_trades(&lab.hosts[0]), "{v}: {}", lab.logs());
        figure(&format!("answers of version {v} to last order that passed"), passed_after(begin_ns, &lab.hosts));
        answer(v, Duration::from_secs(12));
        assert!(none_trades(&lab.hosts[0]), "{v}: it is never in touch: {}", lab.logs());
        answer(VERSION, Duration::from_secs(14));
        assert!(all_trade(&lab.hosts[0]), "{v}: {}", lab.logs());
    }
}
