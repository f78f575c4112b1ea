//! Traces as users had them, made up small: what a replay makes of them, and what it says of those that can't be meant so.

mod common;
use common::{fails, figure, finish, json, run, start};
use serde_json::Value;

const MS: u64 = 1_000_000;
const SECOND: u64 = 1_000 * MS;

/// A trace of calls that are evenly spaced and all take the same time, then other rows.
fn trace(calls: u64, every_ns: u64, latency_ns: u64, more: &str) -> String {
    let calls = (0..calls).map(|call| format!("{},{latency_ns},1\n", call * every_ns));
    format!("start_ns,latency_ns,ok\n{}{more}", calls.collect::<String>())
}

/// The transitions and the summary.
fn replay(options: &str, trace: &str) -> Vec<Value> {
    json(options, trace).lines().map(|line| serde_json::from_str(line).expect("a line is JSON")).collect()
}

#[test]
fn a_slow_trial_is_reported_with_its_age_and_the_limit() {
    // Five failures trip at 2.045 s. The trial at 3.1 s takes 190 ms, and is late after 160 ms.
    let failures = (0..5).map(|call| format!("{},5000000,0\n", 2 * SECOND + call * 10 * MS)).collect::<String>();
    let trace = trace(20, 100 * MS, 5 * MS, &format!("{failures}3100000000,190000000,1\n"));
    let lines = replay("", &trace);
    let slow = lines.iter().find(|line| line["reason"] == "probe_slow").expect("the trial is slow");
    assert_eq!((&slow["observed"], &slow["limit"]), (&(160 * MS + 1).into(), &(160 * MS).into()));
    assert_eq!((&slow["samples"], &slow["quantile_ns"]), (&0.into(), &0.into()));
    let text = run("replay -", &trace);
    let below = text.lines().skip_while(|line| !line.contains("probe_slow")).nth(1).unwrap_or_default();
    assert_eq!(below.trim(), "a trial took 160.000001 ms, limit 160 ms");
    assert!(!text.contains(" 0 ns") && !text.contains("0 of 0"), "{text}");
}

#[test]
fn a_node_that_is_slow_and_healthy_is_not_shut_for_good() {
    // Each call takes 3 s, as it may. The limits that aren't given follow the threshold.
    let lines = replay("--threshold 5s", &trace(120, SECOND, 3 * SECOND, ""));
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert_eq!((&lines[0]["asked"], &lines[0]["refused"]), (&120.into(), &0.into()));
}

#[test]
fn a_call_that_failed_but_never_came_back_is_a_mistake() {
    let rows = |ok| (0..8).map(|call| format!("{},,{ok}\n", 2 * SECOND + call * 10 * MS)).collect::<String>();
    let failed = trace(20, 100 * MS, 5 * MS, &rows(0));
    fails("replay -", &failed, &["line 22: ok is \"0\" beside an empty latency_ns", "legal: "]);
    // Without the 0 they are lost, and the summary says so.
    let lost = trace(20, 100 * MS, 5 * MS, &rows(1));
    assert_eq!(replay("", &lost).last().expect("a summary")["lost"], 8);
    assert_eq!(figure(&run("replay -", &lost), "lost"), "8  never came back");
}

/// What is written to standard error.
fn warnings(options: &str, trace: &str) -> String {
    let (status, _, err) = finish(start(&format!("replay - --format json {options}")), trace);
    assert_eq!(status, Some(0), "{err}");
    err
}

/// Of these the ones that say that no verdict was possible.
fn verdict_warnings(options: &str, trace: &str) -> String {
    let of_verdicts = |line: &&str| line.contains("was never possible: ");
    warnings(options, trace).lines().filter(of_verdicts).map(|line| format!("{line}\n")).collect()
}

#[test]
fn what_can_not_be_meant_so_is_warned_about() {
    // Stamps and latencies in milliseconds.
    let milliseconds = trace(300, 10, 5, "");
    let text =
        "warning: rows 1 to 300: 300 calls start within 2.99 µs; are the stamps in another unit than nanoseconds?\n";
    assert_eq!(warnings("", &milliseconds), text);
    // Starts that a 32-bit format cut off.
    let cut = (0..300).map(|call| format!("2147483647,{},1\n", 15 * MS + call * 100_000)).collect::<String>();
    let cut = format!("start_ns,latency_ns,ok\n{cut}");
    assert!(
        warnings("", &cut).starts_with("warning: row 1: all rows of 300 start at 2147483647; was the number cut off")
    );
    // Round trips of 20 ms, whose stamps are cut to seconds.
    let second = |call: u64| (call * 30 * MS / SECOND * SECOND, (call % 34 / 33) * SECOND);
    let cut = (0..900).map(second).map(|(start_ns, latency_ns)| format!("{start_ns},{latency_ns},1\n"));
    let cut = format!("start_ns,latency_ns,ok\n{}", cut.collect::<String>());
    let text =
        "warning: rows 1 to 900: every start and latency is a multiple of 1 s, and the threshold is 200 ms; log finer";
    assert!(warnings("", &cut).starts_with(text), "{}", warnings("", &cut));
    assert_eq!(warnings("", &trace(900, 30 * MS, 20 * MS, "")), "");
}

#[test]
fn asks_that_were_refused_when_recorded_are_told() {
    let rows = (0..20).map(|call| format!("{},5000001,1,ask\n", call * 100 * MS)).collect::<String>();
    let trace = |kind: &str| format!("start_ns,latency_ns,ok,kind\n{rows}3000000000,,,{kind}\n");
    let text =
        "warning: row 21 is the first of 1 ask granted that the log has as refused: nobody knows how their calls would";
    assert!(warnings("", &trace("refused")).starts_with(text));
    assert_eq!(warnings("", &trace("withdrawn")), "");
}

/// The profile comes first, unless the log comes through a pipe.
#[test]
fn a_report_begins_with_a_profile() {
    let log = trace(20, 100 * MS, 5 * MS, "2000000000,,1\n");
    common::write("profile.csv", &log);
    let place = |text: &str, part: &str| text.find(part).unwrap_or_else(|| panic!("{part} in {text}"));
    let of_file = run("replay profile.csv", "");
    for line in [
        "  log       21 calls over 2 s, 10.0 a second; the longest silence 100 ms, after 0 ns\n",
        "P50 5 ms, P90 5 ms, P99 5 ms, P99.9 5 ms, greatest 5 ms\n",
        "0 slower than 200 ms (0 %), 0 failed, 1 never came back, 0 in flight at the end\n",
        "stamps are multiples of 100 ms, latencies of 5 ms\n",
    ] {
        assert!(place(&of_file, line) < place(&of_file, "  latency "), "{of_file}");
    }
    let of_pipe = run("replay -", &log);
    assert!(place(&of_pipe, "  log ") > place(&of_pipe, "no transition"));
    assert!(run("replay -", "start_ns,latency_ns\n").contains("  log       0 calls, none of which came back\n"));
}

#[test]
fn a_trace_without_a_verdict_is_warned_about() {
    let calls = |count| trace(count, 10 * MS, 5 * MS, "");
    let few = "warning: rows 1 to 19: a verdict on the quantile or the failure rate was never possible: there were at most 19 samples at a time (window_age is 1m), and \
               min_samples is 20; try a smaller min_samples, or a longer window_age\n";
    assert_eq!(verdict_warnings("", &calls(19)), few);
    // The twentieth sample is the last step of this trace: nobody asks after it, yet there is a verdict.
    assert_eq!(verdict_warnings("", &calls(20)), "");
    assert_eq!(verdict_warnings("--min-samples 19", &calls(19)), "");

    // One call each 4 s: 15 within a minute. One each 3 s: 20.
    let sparse = |every_ns| trace(100, every_ns, 5 * MS, "");
    assert!(verdict_warnings("", &sparse(4 * SECOND)).contains(" at most 15 samples "));
    assert_eq!(verdict_warnings("", &sparse(3 * SECOND)), "");
    assert_eq!(verdict_warnings("--window-age 2m", &sparse(4 * SECOND)), "");
    let of_any_age = verdict_warnings("--window-age 0", &calls(7));
    assert!(of_any_age.contains(" at most 7 samples at a time, and ") && !of_any_age.contains("age"), "{of_any_age}");
    assert!(
        verdict_warnings("--sample-every 5", &calls(95)).contains(" 19 samples ")
            && !verdict_warnings("", &calls(95)).contains("min")
    );
    assert!(verdict_warnings("--sample-every 5", &calls(95)).ends_with(", or a smaller sample_every\n"));

    // Calls that are overdue count.
    let lost = (0..20).map(|call| format!("{call},,1\n")).collect::<String>();
    let trace_of = |rows: &str| format!("start_ns,latency_ns,ok\n{rows}1000000000,1,1\n");
    assert_eq!(verdict_warnings("--stall-limit 0", &trace_of(&lost)), "");
    let one_fewer = lost.split_once('\n').map_or("", |(_, rest)| rest);
    // At 1 s the last call comes back, beside the 19: the twentieth sample.
    assert_eq!(verdict_warnings("--stall-limit 0", &trace_of(one_fewer)), "");
    assert!(
        verdict_warnings("--stall-limit 0", &trace_of(one_fewer).replace("1000000000,1,1\n", ""))
            .contains("at most 0 samples")
    );
}

#[test]
fn where_no_verdict_takes_samples_nothing_is_warned_about() {
    let calls = trace(5, 10 * MS, 5 * MS, "");
    // Debt is judged from the first sample on, but the failure rate isn't.
    let by_debt = verdict_warnings("--debt-limit 6", &calls);
    assert!(
        by_debt.starts_with("warning: rows 1 to 5: a verdict on the failure rate was never possible: "),
        "{by_debt}"
    );
    assert_eq!(verdict_warnings("--debt-limit 6 --failure-rate 1", &calls), "");
    assert!(
        verdict_warnings("--failure-rate 1", &calls)
            .starts_with("warning: rows 1 to 5: a verdict on the quantile was never possible: ")
    );
    // Nobody asked.
    assert_eq!(verdict_warnings("", "start_ns,latency_ns\n"), "");
    assert_eq!(verdict_warnings("", "start_ns,latency_ns,kind\n0,5,free\n"), "");

    let text = |options: &str| run(&format!("replay - {options}"), &calls);
    assert_eq!(figure(&text(""), "armed"), "0  0 %: a verdict was possible");
    assert_eq!(figure(&text("--debt-limit 6"), "armed"), "0  0 %: a verdict on the failure rate was possible");
    assert!(!text("--debt-limit 6 --failure-rate 1").contains("armed"));
}
