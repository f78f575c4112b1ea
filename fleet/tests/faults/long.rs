//! Faults that take minutes.

use super::setup::*;
use std::fs;
use std::process::{Command, Output};
use std::time::Duration;
use trip99::Holder;
use trip99::shared::Halter;
use trip99_fleet::keys::Key;
use trip99_fleet::lab::{Lab, until};
use trip99_fleet::trust::{Role, Trust};

/// While one server is down a halt stops all engines within this (the promise is 1 s; the rest is for a loaded machine).
const STOPPED_WITHIN: Duration = Duration::from_secs(3);

/// A halt stops all, whatever else is known of it.
fn stops_all(lab: &Lab, what: &str) {
    let begin_ns = now_ns();
    let output = lab.halt(&["--all", "--reason", what, "--timeout", "10s"]).unwrap();
    assert!(lab.hosts.iter().all(none_trades), "{what}: {}{}", show(&output), lab.logs());
    let after = passed_after(begin_ns, &lab.hosts);
    figure(&format!("{what}: halt to last order that passed"), after);
    assert!(after <= STOPPED_WITHIN, "{what}: {after:?}");
}

/// Resumes, as often as it takes: there may be no leader for a while.
fn resumes(lab: &Lab, what: &str) {
    let is_over = |output: &Output| output.status.success() || show(output).contains("no halt of the fleet to lift");
    let begin_ns = now_ns();
    let mut said = String::new();
    let is_resumed = until(PATIENCE, || {
        let output = lab.resume(&["--all", "--yes", "--reason", what, "--timeout", "2s"]).unwrap();
        said = show(&output);
        is_over(&output)
    });
    assert!(is_resumed, "{what}: {said}{}", lab.logs());
    wait(lab, what, || lab.hosts.iter().all(all_trade));
    figure(&format!("{what}: resume to all trade"), Duration::from_nanos(now_ns() - begin_ns));
}

/// Each server in turn, and so the leader, too.
pub(crate) fn the_leader_is_killed() {
    let Some(mut lab) = is_long().then(|| lab(2)).flatten() else { return };
    for place in 0..3 {
        lab.servers.kill(place);
        stops_all(&lab, &format!("server {} is killed", place + 1));
        resumes(&lab, &format!("server {} is killed", place + 1));
        lab.servers.start(place).unwrap();
        std::thread::sleep(Duration::from_secs(3));
    }
}

pub(crate) fn the_leader_hangs() {
    let Some(lab) = is_long().then(|| lab(2)).flatten() else { return };
    for place in 0..3 {
        lab.servers.process(place).unwrap().stop();
        stops_all(&lab, &format!("server {} hangs", place + 1));
        resumes(&lab, &format!("server {} hangs", place + 1));
        lab.servers.process(place).unwrap().go_on();
        std::thread::sleep(Duration::from_secs(3));
        wait(&lab, "all trade", || lab.hosts.iter().all(all_trade));
    }
}

pub(crate) fn all_servers_start_again() {
    let Some(mut lab) = is_long().then(|| lab(2)).flatten() else { return };
    let output = lab.halt(&["--label", "desk=fx", "--reason", "before"]).unwrap();
    assert!(output.status.success(), "{}", show(&output));
    let begin_ns = now_ns();
    lab.servers.stop_all();
    wait(&lab, "all stop", || lab.hosts.iter().all(none_trades));
    figure("all servers killed to last order that passed", passed_after(begin_ns, &lab.hosts));
    lab.servers.start_all().unwrap();
    let is_rates = |lab: &Lab| lab.hosts.iter().all(|host| trading(host) == [true, false, true, false]);
    let took = wait(&lab, "rates trade", || is_rates(&lab));
    figure("all servers started to rates trade", took);
    resumes(&lab, "all servers have started again");
}

pub(crate) fn governors_die() {
    let Some(mut lab) = is_long().then(|| lab(2)).flatten() else { return };
    lab.governors[0] = None;
    std::thread::sleep(Duration::from_secs(4));
    assert!(lab.hosts.iter().all(all_trade), "one is enough:\n{}", lab.logs());
    let begin_ns = now_ns();
    lab.governors[1] = None;
    wait(&lab, "all stop", || lab.hosts.iter().all(none_trades));
    figure("all governors killed to last order that passed", passed_after(begin_ns, &lab.hosts));
    // Agents take a halt without them, too.
    let output = lab.halt(&["--all", "--reason", "no governor", "--timeout", "2s", "--format", "json"]).unwrap();
    let (status, value) = json(&output);
    assert_eq!((status, value["agents"].as_object().unwrap().len()), (1, 2), "{value:#}");
    lab.governors[0] = Some(lab.start_governor(0).unwrap());
    let is_filed = || {
        let output = lab.resume(&["--list", "--format", "json", "--timeout", "1s"]).unwrap();
        String::from_utf8_lossy(&output.stdout).contains("no governor")
    };
    wait(&lab, "agents hand the halt on", is_filed);
    resumes(&lab, "a governor has started again");
}

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

pub(crate) fn credentials_are_revoked() {
    let Some(lab) = is_long().then(|| lab(1)).flatten() else { return };
    stops_all(&lab, "before");
    revoke(&lab, Role::Resumer, "bob");
    std::thread::sleep(Duration::from_secs(2));
    // The tool reads the fleet's file, too. (A tool that doesn't, say one of an attacker, is refused by governors: see `messages.rs`.)
    let output = lab.resume(&["--all", "--yes", "--reason", "revoked"]).unwrap();
    assert_eq!(output.status.code(), Some(2), "{}", show(&output));
    assert_silent(&lab, &lab.hosts[0], Duration::from_millis(500));
    let output = lab.command(&["history"], &lab.key(Role::Halter, "ann")).unwrap();
    assert!(output.status.success() && !show(&output).contains("  resume  "), "{}", show(&output));
}

pub(crate) fn a_page_is_removed() {
    let Some(lab) = is_long().then(|| lab(1)).flatten() else { return };
    let path = lab.hosts[0].pages.join("gw-1");
    let halter = Halter::open(&path).unwrap();
    fs::remove_file(&path).unwrap();
    let is_held = || halter.gate().is_some_and(|gate| gate.is_held_by(Holder::DAMAGE));
    figure("page removed to halted", wait(&lab, "its warden halts it", is_held));
    wait(&lab, "just it stops", || trading(&lab.hosts[0]) == [false, true, true, true]);
    // Who halts is told that this page is wrong.
    let output = lab.halt(&["--all", "--format", "json", "--timeout", "1s"]).unwrap();
    let (status, value) = json(&output);
    assert_eq!(status, 1, "{value:#}");
    assert!(value["missing"].to_string().contains("gw-1"), "{value:#}");
}

pub(crate) fn everything_is_slow() {
    let Some(lab) = is_long().then(|| lab(2)).flatten() else { return };
    lab.hosts.iter().flat_map(|host| &host.ways).for_each(|way| way.delay(Duration::from_millis(100)));
    std::thread::sleep(Duration::from_secs(5));
    assert!(lab.hosts.iter().all(all_trade), "{}", lab.logs());
    stops_all(&lab, "100 ms slower");
    resumes(&lab, "100 ms slower");
}
