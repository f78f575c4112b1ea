//! Faults that take minutes.

use super::cut::BOUND;
use super::setup::*;
use crate::harness::skip;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;
use trip99::Holder;
use trip99::shared::Halter;
use trip99_fleet::lab::{Host, Lab, Roads};

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

/// No two of these let an engine trade on past lease and look: a server dead, an agent cut off or dead, a governor dead.
pub(crate) fn two_at_once() {
    let Some(mut lab) = is_long().then(|| lab(2)).flatten() else { return };
    type Fault = (&'static str, fn(&mut Lab), fn(&mut Lab));
    let faults: [Fault; 4] = [
        ("a server is dead", |lab| lab.servers.kill(0), |lab| lab.servers.start(0).unwrap()),
        (
            "a governor is dead",
            |lab| lab.governors[0] = None,
            |lab| {
                lab.governors[0] = Some(lab.start_governor(0).unwrap());
            },
        ),
        (
            "a host is cut off",
            |lab| lab.hosts[0].ways.iter().for_each(|way| way.cut()),
            |lab| lab.hosts[0].ways.iter().for_each(|way| way.mend()),
        ),
        ("an agent is dead", |lab| lab.kill_agent(1), |lab| lab.restart_agent(1).unwrap()),
    ];
    for (first, (one, begin_one, end_one)) in faults.iter().enumerate() {
        for (other, begin_other, end_other) in &faults[first + 1..] {
            let what = format!("{one}, and {other}");
            let begin_ns = now_ns();
            begin_one(&mut lab);
            begin_other(&mut lab);
            let output = lab.halt(&["--all", "--reason", &what, "--timeout", "4s"]).unwrap();
            wait(&lab, &what, || lab.hosts.iter().all(none_trades));
            let after = passed_after(begin_ns, &lab.hosts);
            figure(&format!("{what}: to last order that passed"), after);
            assert!(after <= BOUND, "{what}: {after:?}: {}", show(&output));
            lab.hosts.iter().for_each(|host| assert_silent(&lab, host, Duration::from_millis(300)));
            end_one(&mut lab);
            end_other(&mut lab);
            resumes(&lab, &what);
        }
    }
}

/// Each server in turn sends its clients away, and ends.
pub(crate) fn a_lame_duck() {
    let Some(mut lab) = is_long().then(|| lab(2)).flatten() else { return };
    for place in 0..3 {
        lab.servers.process(place).unwrap().lame();
        for second in 0..4 {
            stops_all(&lab, &format!("server {} is a lame duck for {second} s", place + 1));
            resumes(&lab, &format!("server {} is a lame duck", place + 1));
            std::thread::sleep(Duration::from_secs(1));
        }
        lab.servers.kill(place);
        lab.servers.start(place).unwrap();
        std::thread::sleep(Duration::from_secs(3));
        wait(&lab, "all trade", || lab.hosts.iter().all(all_trade));
    }
}

/// The wall clock of every agent is set by a day, forth and back. It only tells.
pub(crate) fn a_clock_is_set() {
    if !is_long() {
        return;
    }
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let (library, step) = (folder.join("trip99-fleet-step.so"), folder.join("trip99-fleet-step"));
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/../cli/tests/clock/step.c");
    let built = Command::new("cc").args(["-shared", "-fPIC", "-o"]).arg(&library).args([source, "-ldl"]).status();
    if !built.is_ok_and(|status| status.success()) {
        return skip("there is no C compiler");
    }
    fs::write(&step, "0").unwrap();
    let env = vec![("LD_PRELOAD".into(), library.into()), ("TRIP99_STEP".into(), step.clone().into())];
    let Some(lab) = lab_with(1, Roads::Cuttable, env) else { return };
    for (what, step_ns) in
        [("a day ahead", "86400000000000"), ("a day behind", "-86400000000000"), ("right again", "0")]
    {
        // By renaming, so that none reads half of it.
        fs::write(step.with_extension("next"), step_ns).unwrap();
        fs::rename(step.with_extension("next"), &step).unwrap();
        let refused = refused_ns(&lab.hosts[0]);
        std::thread::sleep(Duration::from_secs(4));
        assert_eq!(refused_ns(&lab.hosts[0]), refused, "{what}: no order is refused, over two leases:\n{}", lab.logs());
        let begin_ns = now_ns();
        let (status, value) = json(&lab.halt(&["--all", "--reason", what, "--format", "json"]).unwrap());
        assert_eq!(status, 0, "{value:#}{}", lab.logs());
        figure(&format!("clock {what}: halt to last order that passed"), passed_after(begin_ns, &lab.hosts));
        // The agent's clock was indeed set.
        let held_ns = value["agents"]["host-1"]["pages"][0]["held_since_ns"].as_i64().unwrap();
        let ahead_ns = held_ns - value["at_ns"].as_i64().unwrap() - step_ns.parse::<i64>().unwrap();
        assert!(ahead_ns.abs() < 60_000_000_000, "{what}: {ahead_ns}");
        resumes(&lab, &format!("clock {what}"));
    }
}

fn refused_ns(host: &Host) -> Vec<u64> {
    host.engines.gauges().iter().map(|gauge| gauge.refused_ns()).collect()
}
