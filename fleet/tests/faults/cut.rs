//! Hosts that are cut off, and agents that don't run.

use super::setup::*;
use std::time::Duration;

/// Engines stop within the lease (2 s) and one look of the warden (250 ms); the rest is for a loaded machine.
pub(super) const BOUND: Duration = Duration::from_millis(2250 + 2000);

pub(crate) fn a_host_that_is_cut_off() {
    let Some(lab) = lab(2) else { return };
    let begin_ns = now_ns();
    lab.hosts[0].ways.iter().for_each(|way| way.cut());
    wait(&lab, "the host stops", || none_trades(&lab.hosts[0]));
    let after = passed_after(begin_ns, [&lab.hosts[0]]);
    figure("cut off to last order that passed", after);
    assert!(after <= BOUND, "{after:?}");
    assert!(all_trade(&lab.hosts[1]), "the other host trades on");
    // Who halts is told that this host hasn't answered.
    let output = lab.halt(&["--label", "desk=fx", "--format", "json", "--timeout", "2s"]).unwrap();
    let (status, value) = json(&output);
    assert_eq!((status, &value["done"]), (1, &false.into()), "{value:#}");
    assert!(value["missing"].to_string().contains("host-1"), "{value:#}");
    assert_silent(&lab, &lab.hosts[0], Duration::from_millis(500));
    // It comes back: fx stays halted by the halt that it missed, and rates trade after 10 s of unbroken answers.
    let begin_ns = now_ns();
    lab.hosts[0].ways.iter().for_each(|way| way.mend());
    wait(&lab, "rates trade again", || trading(&lab.hosts[0]) == [true, false, true, false]);
    let took = Duration::from_nanos(now_ns() - begin_ns);
    figure("mended to trading", took);
    assert!(took >= Duration::from_secs(10), "{took:?}");
    assert!(!lab.hosts[0].engines.gauges()[1].trades());
    let output = lab.resume(&["--all", "--yes", "--reason", "over"]).unwrap();
    assert!(output.status.success(), "{}", show(&output));
    wait(&lab, "all trade", || lab.hosts.iter().all(all_trade));
}

pub(crate) fn an_agent_that_is_stopped() {
    let Some(lab) = lab(1) else { return };
    let begin_ns = now_ns();
    lab.hosts[0].agent.as_ref().unwrap().stop();
    wait(&lab, "the host stops", || none_trades(&lab.hosts[0]));
    let after = passed_after(begin_ns, &lab.hosts);
    figure("agent stopped to last order that passed", after);
    assert!(after <= BOUND, "{after:?}");
    assert_silent(&lab, &lab.hosts[0], Duration::from_millis(500));
    lab.hosts[0].agent.as_ref().unwrap().go_on();
    wait(&lab, "all trade", || all_trade(&lab.hosts[0]));
    // A page without an owner, or with one that is new, is held by the lease, too: see the unit tests of the library.
}
