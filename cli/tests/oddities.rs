//! Each warning about a log has a log that provokes it, and a neighbour that doesn't. On standard error and in JSON they are the same.

mod common;
use common::{finish, start};
use serde_json::Value;

const MS: u64 = 1_000_000;

/// The warnings of a replay, by JSON. Those of standard error are the same.
fn warnings(options: &str, log: &str) -> Vec<String> {
    let (status, out, err) = finish(start(&format!("replay - --format json {options}")), log);
    assert_eq!(status, Some(0), "{err}");
    let lines: Vec<Value> = out.lines().map(|line| serde_json::from_str(line).expect("a line is JSON")).collect();
    assert!(lines.last().expect("a summary")["asked"].is_number(), "{out}");
    let list = lines.iter().filter_map(|line| line["warnings"].as_array()).flatten();
    let texts: Vec<String> = list.map(|text| text.as_str().expect("a text").to_owned()).collect();
    let told: Vec<&str> = err.lines().map(|line| line.strip_prefix("warning: ").expect(line)).collect();
    assert_eq!(texts, told);
    // The text for people tells them on standard error alone.
    let (_, out, err) = finish(start(&format!("replay - {options}")), log);
    assert_eq!(err.lines().count(), texts.len(), "{err}");
    assert!(texts.iter().all(|text| !out.contains(text)), "{out}");
    texts
}

/// Exactly this one, which says where and what to do.
#[track_caller]
fn check(options: &str, odd: &str, parts: &[&str], even: &str) {
    let found = warnings(options, odd);
    let [warning] = &found[..] else { panic!("{found:?}") };
    assert!(parts.iter().all(|part| warning.contains(part)), "{parts:?} in {warning}");
    assert_eq!(warnings(options, even), Vec::<String>::new());
}

fn trace(rows: impl Iterator<Item = (u64, String)>) -> String {
    let rows: String = rows.map(|(start_ns, rest)| format!("{start_ns},{rest}\n")).collect();
    format!("start_ns,latency_ns,kind\n{rows}")
}

/// So many calls, ten a second, each with its own latency.
fn calls(count: u64, rest: impl Fn(u64) -> String) -> String {
    trace((0..count).map(|call| (call * 100 * MS, rest(call))))
}

fn good(call: u64) -> String {
    format!("{},", 5 * MS + call)
}

#[test]
fn an_impossible_rate() {
    let at = |step_ns: u64| trace((0..300).map(|call| (call * step_ns, good(call))));
    check("", &at(10), &["rows 1 to 300: 300 calls start within 2.99 µs", "in another unit"], &at(100));
}

#[test]
fn many_equal_starts() {
    let equal = |count: u64| trace((0..40_u64).map(|call| (7 + call.saturating_sub(count - 1) * MS, good(call))));
    check("", &equal(21), &["row 1: 21 rows of 40 start at 7", "cut off, or are the stamps coarse?"], &equal(20));
}

#[test]
fn stamps_coarser_than_the_threshold() {
    let at = |step_ns: u64| trace((0..100).map(|call| (call * step_ns, "0,".to_owned())));
    check(
        "",
        &at(201 * MS),
        &["rows 1 to 100: every start and latency is a multiple of 201 ms", "log finer stamps"],
        &at(200 * MS),
    );
    // All values are multiples of a second.
    let second = 1_000 * MS;
    let of = |fine_ns: u64| trace((0..100).map(|call| (call * second, format!("{},", second + fine_ns))));
    check("--threshold 5s", &of(0), &["is a multiple of 1 s"], &of(1));
}

#[test]
fn an_outage_at_the_end() {
    let lost_from = |first: u64| calls(300, |call| if call < first { good(call) } else { ",".to_owned() });
    check("", &lost_from(295), &["rows 296 to 300: the log ends in an outage", "is not the outage's"], &lost_from(296));
}

#[test]
fn min_samples_that_the_flow_never_reaches() {
    let parts = [
        "rows 1 to 19: a verdict on the quantile or the failure rate was never possible: there were at most 19",
        "try a smaller min_samples",
    ];
    check("", &calls(19, good), &parts, &calls(20, good));
    // A call each 4 s: 15 of them in a minute.
    let slowly = |step_ns: u64| trace((0..100).map(|call| (call * step_ns, good(call))));
    check("", &slowly(4_000 * MS), &["there were at most 15", "or a longer window_age"], &slowly(3_000 * MS));
}

#[test]
fn trials_that_a_healthy_node_would_fail() {
    let slow = |share: u64| calls(1000, |call| if call % 100 < share { format!("{},", 161 * MS) } else { good(call) });
    let parts =
        ["rows 1 to 1000: of 10 trials in a row", "a chance of 82 %", "a larger recover_threshold, or fewer probes"];
    check("--spike-count 0 --debt-limit 100", &slow(2), &parts, &slow(1));
}

#[test]
fn a_last_line_that_was_cut_off() {
    let whole = calls(300, good);
    let cut = |len: usize| whole[..whole.len() - len].to_owned();
    // The last line is `29900000000,5000299,` with its end.
    assert!(whole.ends_with("\n29900000000,5000299,\n"));
    check("", &cut(2), &["standard input: line 301: ", "2 of 3 fields", "is left out; wait until"], &whole);
    check("", &cut(13), &["line 301: ", "1 of 3 fields"], &cut(1));
    let bare = whole.replace(",kind", "").replace(",\n", "\n");
    let cut = |len: usize| bare[..bare.len() - len].to_owned();
    check("", &cut(2), &["line 301: ", "latency_ns is \"500029\"", "leave the line out"], &cut(1));
    check("--columns start=start_ns,latency=latency_ns", &cut(2), &["line 301: ", "(latency) is \"500029\""], &cut(1));
    check("--from csv", &cut(9), &["line 301: ", "1 of 2 fields"], &bare);
}

#[test]
fn refused_when_recorded_and_granted_now() {
    let one = |kind: &str| calls(300, |call| format!("{}{}", good(call), if call == 99 { kind } else { "" }));
    check(
        "",
        &one("refused"),
        &["row 100 is the first of 1 ask granted that the log has as refused", "leave these rows out"],
        &one("withdrawn"),
    );
}
