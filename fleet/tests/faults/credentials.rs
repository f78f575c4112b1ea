//! Keys that are revoked, and certificates that have run out.

use super::cut::BOUND;
use super::setup::*;
use crate::harness::skip;
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;
use trip99_fleet::ask::Asker;
use trip99_fleet::keys::Key;
use trip99_fleet::lab::{Lab, certificates};
use trip99_fleet::message::{self, Body, Halt, Id, Resume};
use trip99_fleet::selection::Selection;
use trip99_fleet::trust::{Role, Trust};

/// Revokes a member's key in every file, as far as members read it.
fn revoke(lab: &Lab, role: Role, name: &str) {
    let public = Key::read(&lab.key(role, name)).unwrap().public();
    let output =
        Command::new(&lab.plan.program).arg("keys").arg("--dir").arg(&lab.dir).arg("--revoke").arg(&public).output();
    assert!(output.unwrap().status.success());
    for host in &lab.hosts {
        let path = lab.dir.join(format!("{}.toml", host.name));
        let mut trust = Trust::read(&path).unwrap();
        trust.revoke(&public);
        fs::write(&path, toml::to_string(&trust).unwrap()).unwrap();
    }
}

/// The fleet's file as somebody has it who wasn't told, or wouldn't be.
fn old_file(lab: &Lab) -> PathBuf {
    let path = lab.dir.join("old.toml");
    fs::copy(lab.fleet(), &path).unwrap();
    path
}

/// Members read their files within this.
const READ_WITHIN: Duration = Duration::from_secs(2);

pub(crate) fn a_resumer_is_revoked() {
    let Some(lab) = is_long().then(|| lab(1)).flatten() else { return };
    let id = halt(&lab);
    let old = old_file(&lab);
    revoke(&lab, Role::Resumer, "bob");
    std::thread::sleep(READ_WITHIN);
    // The tool reads the fleet's file, too.
    let output = lab.resume(&["--all", "--yes", "--reason", "revoked"]).unwrap();
    assert_eq!(output.status.code(), Some(2), "{}", show(&output));
    // One that doesn't is refused by governors. (The servers haven't been told.)
    let revision = u64::try_from(history(&lab).lines().count()).unwrap() + 1;
    let text = sealed(&lab.key(Role::Resumer, "bob"), &resume(&lab, &id, revision));
    assert_eq!(say_as(&lab, &old, Role::Resumer, "bob", "trip99.lab.resume", &text), None);
    assert!(lab.logs().contains("a resume was signed by"), "it reached a governor:\n{}", lab.logs());
    assert_silent(&lab, &lab.hosts[0], Duration::from_millis(500));
    assert!(!history(&lab).contains("  resume  "), "{}", history(&lab));
}

fn history(lab: &Lab) -> String {
    let output = lab.command(&["history"], &lab.key(Role::Halter, "ann")).unwrap();
    assert!(output.status.success(), "{}", show(&output));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn resume(lab: &Lab, id: &Id, revision: u64) -> Resume {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let bucket = runtime.block_on(async {
        let key = lab.key(Role::Halter, "ann");
        let mut asker = Asker::connect(&lab.fleet(), &key, &[Role::Halter]).await.unwrap();
        asker.lines(Duration::from_secs(3)).await.unwrap().bucket
    });
    let (reason, who) = ("y".to_owned(), "bob".to_owned());
    Resume { id: Id::new().unwrap(), ids: vec![id.clone()], bucket, revision, reason, who, at_ns: 0 }
}

/// A halt with a halter's revoked key is nobody's: it can't be told from a mistake, so pages are held until the agent has proven itself.
/// Governors don't file it.
pub(crate) fn a_halter_is_revoked() {
    let Some(lab) = is_long().then(|| lab(1)).flatten() else { return };
    let old = old_file(&lab);
    revoke(&lab, Role::Halter, "ann");
    std::thread::sleep(READ_WITHIN);
    let output = lab.halt(&["--all"]).unwrap();
    assert_eq!(output.status.code(), Some(2), "{}", show(&output));
    let (reason, who) = ("x".to_owned(), "ann".to_owned());
    let halt = Halt { id: Id::new().unwrap(), selection: Selection::all(), reason, who, at_ns: 0 };
    let key = Key::read(&lab.key(Role::Halter, "ann")).unwrap();
    let text = message::seal(&key, "lab", &Body::Halt(halt)).unwrap();
    let (_, before) = lines(&lab);
    let begin_ns = now_ns();
    assert_eq!(say_as(&lab, &old, Role::Halter, "ann", "trip99.lab.halt", &text), None);
    wait(&lab, "all are held", || none_trades(&lab.hosts[0]));
    wait(&lab, "all trade again", || all_trade(&lab.hosts[0]));
    let back = Duration::from_nanos(now_ns() - begin_ns);
    figure("a revoked halter's halt: said to trading", back);
    assert!(back >= Duration::from_secs(10), "{back:?}");
    assert_eq!(lines(&lab).1, before, "it isn't filed");
}

/// A server that reads its users again sends an agent away whose key is revoked: the host is cut off.
pub(crate) fn an_agent_is_revoked() {
    let Some(lab) = is_long().then(|| lab(2)).flatten() else { return };
    revoke(&lab, Role::Agent, "host-1");
    let begin_ns = now_ns();
    (0..3).for_each(|place| lab.servers.process(place).unwrap().reload());
    wait(&lab, "its host stops", || none_trades(&lab.hosts[0]));
    let after = passed_after(begin_ns, [&lab.hosts[0]]);
    figure("agent's key revoked to last order that passed", after);
    assert!(after <= BOUND, "{after:?}");
    assert!(all_trade(&lab.hosts[1]), "the other host trades on");
    // Nobody waits for it any more.
    let (status, value) = json(&lab.halt(&["--all", "--format", "json"]).unwrap());
    assert_eq!((status, value["agents"].as_object().unwrap().len()), (0, 1), "{value:#}");
    assert_silent(&lab, &lab.hosts[0], Duration::from_secs(3));
}

/// An agent whose certificate has run out can't connect: the host is cut off until it has a good one.
pub(crate) fn a_certificate_runs_out() {
    let Some(mut lab) = is_long().then(|| lab(1)).flatten() else { return };
    let path = lab.fleet_of(&lab.hosts[0]);
    let good = Trust::read(&path).unwrap();
    let Some(expired) = good.tls().ca.is_some().then(|| certificates::expired(&lab.dir, good.tls())).flatten() else {
        return skip("OpenSSL made no certificates");
    };
    let mut bad = good.clone();
    bad.set_tls(expired);
    fs::write(&path, toml::to_string(&bad).unwrap()).unwrap();
    let begin_ns = now_ns();
    lab.kill_agent(0);
    lab.restart_agent(0).unwrap();
    wait(&lab, "the host stops", || none_trades(&lab.hosts[0]));
    let after = passed_after(begin_ns, &lab.hosts);
    figure("certificate run out to last order that passed", after);
    assert!(after <= BOUND, "{after:?}");
    assert_silent(&lab, &lab.hosts[0], Duration::from_secs(3));
    fs::write(&path, toml::to_string(&good).unwrap()).unwrap();
    lab.kill_agent(0);
    lab.restart_agent(0).unwrap();
    figure("a good certificate to trading", wait(&lab, "it trades again", || all_trade(&lab.hosts[0])));
}
