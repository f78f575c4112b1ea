//! Hosts with a network of their own, whose wire is cut, and loses and delays packets. It takes root.

use super::cut::BOUND;
use super::setup::*;
use crate::harness::skip;
use std::time::Duration;
use trip99_fleet::lab::{Lab, namespace::Namespace};

fn wires(lab: &Lab) -> impl Iterator<Item = &Namespace> {
    lab.hosts.iter().filter_map(|host| host.network.as_ref())
}

pub(crate) fn a_wire_that_is_cut() {
    let Some(lab) = lab_in_namespaces(2) else { return };
    let wire = wires(&lab).next().unwrap();
    let begin_ns = now_ns();
    wire.cut().unwrap();
    wait(&lab, "the host stops", || none_trades(&lab.hosts[0]));
    let after = passed_after(begin_ns, [&lab.hosts[0]]);
    figure("wire cut to last order that passed", after);
    assert!(after <= BOUND, "{after:?}");
    assert!(all_trade(&lab.hosts[1]), "the other host trades on");
    let (status, value) = json(&lab.halt(&["--label", "desk=fx", "--format", "json", "--timeout", "2s"]).unwrap());
    assert_eq!(status, 1, "{value:#}");
    assert!(value["missing"].to_string().contains("host-1"), "{value:#}");
    assert_silent(&lab, &lab.hosts[0], Duration::from_millis(500));
    let begin_ns = now_ns();
    wire.mend().unwrap();
    wait(&lab, "rates trade again, and fx not", || trading(&lab.hosts[0]) == [true, false, true, false]);
    let took = Duration::from_nanos(now_ns() - begin_ns);
    figure("wire mended to trading", took);
    assert!(took >= Duration::from_secs(10), "{took:?}");
    resumes(&lab, "wire mended");
}

pub(crate) fn a_wire_that_loses() {
    let Some(lab) = is_long().then(|| lab_in_namespaces(2)).flatten() else { return };
    for percent in [5, 20] {
        for wire in wires(&lab) {
            if let Err(why) = wire.lose(percent) {
                return skip(&format!("packets can't be lost here: {why}; legal: netem or nft"));
            }
        }
        std::thread::sleep(Duration::from_secs(5));
        // A host that is out of touch for a lease stops by itself. While it is in touch a halt reaches it.
        wait(&lab, "all trade", || lab.hosts.iter().all(all_trade));
        stops_all(&lab, &format!("{percent} % of packets are lost"));
        lab.hosts.iter().for_each(|host| assert_silent(&lab, host, Duration::from_millis(500)));
        wires(&lab).for_each(|wire| wire.lose_nothing().unwrap());
        resumes(&lab, &format!("{percent} % of packets were lost"));
    }
}

pub(crate) fn a_wire_that_is_slow() {
    let Some(lab) = is_long().then(|| lab_in_namespaces(2)).flatten() else { return };
    for wire in wires(&lab) {
        if let Err(why) = wire.delay(Duration::from_millis(100)) {
            return skip(&format!("packets can't be delayed here: {why}; legal: netem"));
        }
    }
    std::thread::sleep(Duration::from_secs(5));
    wait(&lab, "all trade", || lab.hosts.iter().all(all_trade));
    stops_all(&lab, "packets take 50 to 150 ms longer");
    resumes(&lab, "packets take 50 to 150 ms longer");
}
