//! The trace that the repository ships is the one that its generator makes, and the docs show its replay.

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

/// What README and docs show of a replay, line by line, but for what it leaves out by dots.
#[test]
fn the_docs_show_what_a_replay_of_it_prints() {
    let pages = concat!(include_str!("../../README.md"), include_str!("../../docs/replay.md"));
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
        let (_, block) = pages.split_once(begin).expect(begin);
        block.split_once("```").expect("the block ends").0.lines().filter(|line| line.trim() != "...")
    };
    let new = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("shipped-new.toml");
    std::fs::write(&new, "threshold = \"50ms\"\ndebt_limit = 6\n").expect("the file is written");
    let inject = ["--inject", "slow:x20:5s@+20s", "--inject", "silent:10s@+100s", "--format"];
    let against = ["--against", new.to_str().expect("UTF-8"), "--format"];
    let with = |options: &[&'static str], format| replay(&[options, &[format]].concat());
    let held_against = |format| replay(&[&against[..], &[format]].concat());
    for (begin, printed) in [
        ("-- replay traces/outage.csv\n", replay(&[])),
        ("```json\n", with(&["--format"], "json")),
        ("replay traces/outage.csv --inject slow:x20:5s@+20s --inject silent:10s@+100s\n", with(&inject, "text")),
        (
            "replay traces/outage.csv --against new.toml   # threshold = \"50ms\", debt_limit = 6\n",
            held_against("text"),
        ),
        ("That of a fault:\n\n```json\n", with(&inject, "json")),
        ("last both summaries:\n\n```json\n", held_against("json")),
    ] {
        for line in shown(begin) {
            assert!(printed.lines().any(|printed| printed == line), "{line:?} is not in\n{printed}");
        }
    }
}
