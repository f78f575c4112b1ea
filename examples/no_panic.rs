//! The linker proves here that the hot operations can't panic, nor can their cold halves (transitions, quantile, journal). With
//! fat LTO this links only if the optimiser has removed every panic:
//!
//! `cargo rustc --profile no-panic --example no_panic -- --cfg no_panic_proof`
//!
//! `tests/no_panic.rs` runs that, and then a twin that can panic (`--cfg no_panic_twin`), which must not link.

#[cfg(no_panic_proof)]
use no_panic::no_panic;
use std::hint::black_box;
use trip99::lane::{BeginHalf, EndHalf};
use trip99::{Breaker, Call, Config, Lane};

#[cfg_attr(no_panic_proof, no_panic)]
fn allow_at(breaker: &mut Breaker, now_ns: u64) -> bool {
    breaker.allow_at(now_ns)
}

#[cfg_attr(no_panic_proof, no_panic)]
fn record_at(breaker: &mut Breaker, now_ns: u64, latency_ns: u64) {
    breaker.record_at(now_ns, latency_ns);
}

#[cfg_attr(no_panic_proof, no_panic)]
fn record_failure_at(breaker: &mut Breaker, now_ns: u64, latency_ns: u64) {
    breaker.record_failure_at(now_ns, latency_ns);
}

#[cfg_attr(no_panic_proof, no_panic)]
fn record_probe_at(breaker: &mut Breaker, now_ns: u64, latency_ns: u64) {
    breaker.record_probe_at(now_ns, latency_ns, true);
}

#[cfg_attr(no_panic_proof, no_panic)]
fn begin_at(breaker: &mut Breaker, now_ns: u64) -> Call {
    breaker.begin_at(now_ns)
}

#[cfg_attr(no_panic_proof, no_panic)]
fn end_at(breaker: &mut Breaker, now_ns: u64, call: Call) {
    breaker.end_at(now_ns, call);
}

#[cfg_attr(no_panic_proof, no_panic)]
fn fail_at(breaker: &mut Breaker, now_ns: u64, call: Call) {
    breaker.fail_at(now_ns, call);
}

#[cfg_attr(no_panic_proof, no_panic)]
fn abandon_at(breaker: &mut Breaker, now_ns: u64, call: Call) {
    breaker.abandon_at(now_ns, call);
}

#[cfg_attr(no_panic_proof, no_panic)]
fn release_at(breaker: &mut Breaker, now_ns: u64) {
    breaker.release_at(now_ns);
}

#[cfg_attr(no_panic_proof, no_panic)]
fn trip_at(breaker: &mut Breaker, now_ns: u64) {
    breaker.trip_at(now_ns);
}

#[cfg_attr(no_panic_proof, no_panic)]
fn poll_at(breaker: &mut Breaker, now_ns: u64) {
    breaker.poll_at(now_ns);
}

#[cfg_attr(no_panic_proof, no_panic)]
fn quantile_at(breaker: &mut Breaker, now_ns: u64) -> Option<u64> {
    breaker.quantile_ns_at(now_ns, 990_000)
}

/// The operations of a whole lane. Those of its halves are below.
#[cfg_attr(no_panic_proof, no_panic)]
fn on_a_lane(lane: &mut Lane, now_ns: u64) -> bool {
    let call = lane.begin_at(now_ns);
    lane.end_at(now_ns, call);
    lane.fail_at(now_ns, call);
    lane.abandon_at(now_ns, call);
    lane.record_at(now_ns, 1);
    lane.record_probe_at(now_ns, 1, true);
    lane.release();
    lane.allow()
}

#[cfg_attr(no_panic_proof, no_panic)]
fn on_a_begin_half(begins: &mut BeginHalf, now_ns: u64) -> Call {
    let call = begins.begin_at(now_ns);
    begins.fail_at(now_ns, call);
    let allowed = begins.allow();
    begins.record_at(now_ns, u64::from(allowed));
    begins.release();
    begins.begin_at(now_ns)
}

#[cfg_attr(no_panic_proof, no_panic)]
fn on_an_end_half(ends: &mut EndHalf, now_ns: u64, call: Call) {
    ends.end_at(now_ns, call);
    ends.abandon_at(now_ns, call);
    ends.record_failure_at(now_ns, 1);
    ends.record_probe_at(now_ns, 1, false);
}

#[cfg(no_panic_twin)]
#[cfg_attr(no_panic_proof, no_panic)]
fn can_panic(values: &[u64], index: usize) -> u64 {
    values[index]
}

fn main() {
    let mut breaker = Breaker::new(Config::default()).expect("the default is legal");
    let breaker = &mut breaker;
    let (mut lane, (mut begins, mut ends)) = (breaker.lane(), breaker.lane().split());
    println!("allowed: {}", allow_at(breaker, black_box(1)) && on_a_lane(&mut lane, black_box(1)));
    let call = on_a_begin_half(&mut begins, black_box(1));
    on_an_end_half(&mut ends, black_box(1), black_box(call));
    record_at(breaker, black_box(2), black_box(1));
    record_failure_at(breaker, black_box(3), black_box(1));
    record_probe_at(breaker, black_box(4), black_box(1));
    let calls = [begin_at(breaker, black_box(5)), begin_at(breaker, black_box(5)), begin_at(breaker, black_box(5))];
    let [ended, failed, abandoned] = black_box(calls);
    end_at(breaker, black_box(6), ended);
    fail_at(breaker, black_box(7), failed);
    abandon_at(breaker, black_box(8), abandoned);
    release_at(breaker, black_box(9));
    trip_at(breaker, black_box(9));
    poll_at(breaker, black_box(10));
    println!("P99: {:?}", quantile_at(breaker, black_box(11)));
    #[cfg(no_panic_twin)]
    println!("{}", can_panic(black_box(&[1, 2, 3]), black_box(1)));
}
