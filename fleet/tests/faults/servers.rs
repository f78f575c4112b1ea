//! Servers that are dead.

use super::setup::*;
use std::time::Duration;
use trip99_fleet::lab::until;

pub(crate) fn two_of_three_dead() {
    let Some(mut lab) = lab(2) else { return };
    lab.servers.kill(0);
    lab.servers.kill(1);
    let begin_ns = now_ns();
    let output =
        lab.halt(&["--all", "--reason", "two servers are dead", "--format", "json", "--timeout", "3s"]).unwrap();
    let (status, value) = json(&output);
    wait(&lab, "none trades", || lab.hosts.iter().all(none_trades));
    figure("two of three dead: halt to last order that passed", passed_after(begin_ns, &lab.hosts));
    // Every agent refuses, but without a majority nobody can file it.
    assert_eq!((status, value["agents"].as_object().unwrap().len()), (1, 2), "{value:#}");
    assert!(value["missing"].to_string().contains("no governor has filed"), "{value:#}");
    // Nothing is lifted without a majority, and the halter is gone.
    let output = lab.resume(&["--all", "--yes", "--reason", "x", "--timeout", "1s"]).unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", show(&output));
    lab.servers.start(0).unwrap();
    lab.servers.start(1).unwrap();
    // The agents hand the halt on, and then it can be lifted.
    let is_filed = || {
        let output = lab.resume(&["--list", "--format", "json", "--timeout", "1s"]).unwrap();
        output.status.success() && String::from_utf8_lossy(&output.stdout).contains("two servers are dead")
    };
    assert!(until(PATIENCE, is_filed), "it isn't filed:\n{}", lab.logs());
    for host in &lab.hosts {
        assert_silent(&lab, host, Duration::from_millis(200));
    }
    let is_lifted = || {
        let output = lab.resume(&["--all", "--yes", "--reason", "all are back"]).unwrap();
        output.status.success() || String::from_utf8_lossy(&output.stderr).contains("no halt of the fleet to lift")
    };
    assert!(until(PATIENCE, is_lifted), "it isn't lifted:\n{}", lab.logs());
    wait(&lab, "all trade", || lab.hosts.iter().all(all_trade));
}
