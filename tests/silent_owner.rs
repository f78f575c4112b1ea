//! What lanes find out by themselves. This program has no warden.

use trip99::{Breaker, Config};

const SECOND: u64 = 1_000_000_000;

/// In virtual time: the lane alone, whose stamps are the clock.
#[test]
fn a_lane_finds_a_silent_owner_by_its_own_stamps() {
    trip99::warden::disable();
    let mut breaker = Breaker::new(Config { owner_timeout_ns: SECOND, ..Config::default() }).unwrap();
    let mut lane = breaker.lane();
    breaker.poll_at(0);
    let mut passed = 0;
    for now_ns in (0..5 * SECOND).step_by(10_000_000) {
        if lane.allow() {
            passed += 1;
            let call = lane.begin_at(now_ns);
            lane.end_at(now_ns, call);
        }
    }
    assert!((100..=126).contains(&passed), "{passed} orders in 10 ms steps: a timeout, one look and one order");
    breaker.poll_at(5 * SECOND);
    assert!(lane.allow());
    // An owner that may be silent for ever is never found.
    let mut breaker = Breaker::new(Config { owner_timeout_ns: 0, ..Config::default() }).unwrap();
    let mut lane = breaker.lane();
    for now_ns in (0..500 * SECOND).step_by(SECOND as usize) {
        assert!(lane.allow());
        let call = lane.begin_at(now_ns);
        lane.abandon_at(now_ns, call);
    }
}
