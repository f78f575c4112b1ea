//! The trace that the repository ships is the one that its generator makes, and the README shows its replay.

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

/// What the README shows of a replay, line by line, but for what it leaves out by dots.
#[test]
fn the_readme_shows_what_a_replay_of_it_prints() {
    let readme = include_str!("../../README.md");
    let replay = |options: &[&str]| {
        let trip99 = std::process::Command::new(env!("CARGO_BIN_EXE_trip99"))
            .args(["replay", "traces/outage.csv"])
            .args(options)
            .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
            .output()
            .expect("the command runs");
        String::from_utf8(trip99.stdout).expect("UTF-8")
    };
    let shown = |begin: &str| {
        let (_, block) = readme.split_once(begin).expect(begin);
        block.split_once("```").expect("the block ends").0.lines().filter(|line| line.trim() != "...")
    };
    for (begin, printed) in
        [("-- replay traces/outage.csv\n", replay(&[])), ("```json\n", replay(&["--format", "json"]))]
    {
        for line in shown(begin) {
            assert!(printed.lines().any(|printed| printed == line), "{line:?} is not in\n{printed}");
        }
    }
}
