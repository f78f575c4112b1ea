//! The trace that the repository ships is the one that its generator makes.

#[path = "../examples/make_trace.rs"]
mod make_trace;

#[test]
fn the_shipped_trace_is_what_its_generator_makes() {
    let shipped = include_str!("../../traces/outage.csv");
    let made = make_trace::trace();
    let differing = shipped.lines().zip(made.lines()).position(|(shipped, made)| shipped != made);
    assert!(
        shipped == made,
        "line {differing:?} differs; make it anew: cargo run -p trip99-cli --example make_trace > traces/outage.csv"
    );
}
