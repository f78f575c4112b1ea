//! A day without faults, but for an agent that is killed.

use super::setup::*;
use std::time::Duration;
use trip99::Holder;
use trip99::shared::Halter;

/// Rates are gw-1 and gw-3.
const JUST_FX: [bool; 4] = [false, true, false, true];

pub(crate) fn a_halt_by_label() {
    let Some(mut lab) = lab(2) else { return };
    let begin_ns = now_ns();
    let output = lab.halt(&["--label", "desk=rates", "--reason", "prices look wrong", "--format", "json"]).unwrap();
    let (status, value) = json(&output);
    assert_eq!((status, &value["done"]), (0, &true.into()), "{value:#}{}", lab.logs());
    assert_eq!(value["agents"].as_object().unwrap().len(), 2);
    let is_just_fx = |lab: &trip99_fleet::lab::Lab| lab.hosts.iter().all(|host| trading(host) == JUST_FX);
    wait(&lab, "just fx trades", || is_just_fx(&lab));
    let rates = lab.hosts.iter().flat_map(|host| [&host.engines.gauges()[0], &host.engines.gauges()[2]]);
    let last_ns = rates.map(|gauge| gauge.passed_ns()).max().unwrap();
    figure("halt to last order that passed", Duration::from_nanos(last_ns.saturating_sub(begin_ns)));

    // Somebody breaks the glass: the page is held again at once.
    let path = lab.hosts[0].pages.join("gw-1");
    let halter = Halter::open(&path).unwrap();
    let is_held = || halter.holders().unwrap().notes().iter().any(|note| note.holder == Some(Holder::FLEET));
    let mut list = halter.holders().unwrap();
    let place = list.notes().iter().position(|note| note.holder == Some(Holder::FLEET)).unwrap();
    assert!(list.notes()[place].reason.contains("prices look wrong"), "{:?}", list.notes());
    halter.resume(&mut list, place, "break glass");
    figure("broken glass to held again", wait(&lab, "held again", is_held));

    // The agent is killed, and starts again: what it knew is on its disk.
    lab.kill_agent(0);
    lab.restart_agent(0).unwrap();
    std::thread::sleep(Duration::from_millis(500));
    assert!(is_held() && trading(&lab.hosts[0])[0..1] == [false]);
    // A page that comes later, with such a label, is held, too.
    wait(&lab, "just fx trades", || is_just_fx(&lab));

    let (status, value) = json(&lab.command(&["status", "--format", "json"], &ann(&lab)).unwrap());
    assert_eq!((status, value["halts"].as_array().unwrap().len()), (0, 1), "{value:#}");
    let output = lab.command(&["status", "--check"], &ann(&lab)).unwrap();
    assert_eq!(output.status.code(), Some(11), "{}", show(&output));

    let answers = std::fs::read_to_string(lab.dir.join("host-2.state/answers.jsonl")).unwrap();
    assert!(answers.lines().count() == 1 && answers.contains("held_since_ns"), "{answers}");

    // The halter may not resume.
    let output = lab.command(&["resume", "--all", "--yes", "--reason", "x"], &ann(&lab)).unwrap();
    assert_eq!(output.status.code(), Some(2), "{}", show(&output));

    let begin_ns = now_ns();
    let output = lab.resume(&["--all", "--yes", "--reason", "prices are right"]).unwrap();
    assert!(output.status.success(), "{}\n{}", show(&output), lab.logs());
    wait(&lab, "all trade", || lab.hosts.iter().all(all_trade));
    figure("resume to all trade", Duration::from_nanos(now_ns() - begin_ns));
    assert!(!is_held());
    let output = lab.command(&["history", "--format", "json"], &ann(&lab)).unwrap();
    let lines: Vec<_> = String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect();
    assert!(
        lines.len() == 2 && lines[0].contains("\"kind\":\"halt\"") && lines[1].contains("\"key_of\":\"bob\""),
        "{lines:?}"
    );
    let output = lab.resume(&["--all", "--yes", "--reason", "once more"]).unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", show(&output));
}

fn ann(lab: &trip99_fleet::lab::Lab) -> std::path::PathBuf {
    lab.key(trip99_fleet::trust::Role::Halter, "ann")
}
