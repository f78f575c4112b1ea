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

#[test]
fn a_trace_without_a_verdict_is_warned_about() {
    let calls = |count| trace(count, 10 * MS, 5 * MS, "");
    let few = "warning: a verdict on the quantile or the failure rate was never possible: there were at most 19 samples at a time (window_age is 1m), and \
               min_samples is 20; try a smaller min_samples, or a longer window_age\n";
    assert_eq!(warnings("", &calls(19)), few);
    // The twentieth sample is the last step of this trace: nobody asks after it, yet there is a verdict.
    assert_eq!(warnings("", &calls(20)), "");
    assert_eq!(warnings("--min-samples 19", &calls(19)), "");

    // One call each 4 s: 15 within a minute. One each 3 s: 20.
    let sparse = |every_ns| trace(100, every_ns, 5 * MS, "");
    assert!(warnings("", &sparse(4 * SECOND)).contains(" at most 15 samples "));
    assert_eq!(warnings("", &sparse(3 * SECOND)), "");
    assert_eq!(warnings("--window-age 2m", &sparse(4 * SECOND)), "");
    let of_any_age = warnings("--window-age 0", &calls(7));
    assert!(of_any_age.contains(" at most 7 samples at a time, and ") && !of_any_age.contains("age"), "{of_any_age}");
    assert!(
        warnings("--sample-every 5", &calls(95)).contains(" 19 samples ") && !warnings("", &calls(95)).contains("min")
    );
    assert!(warnings("--sample-every 5", &calls(95)).ends_with(", or a smaller sample_every\n"));

    // Calls that are overdue count.
    let lost = (0..20).map(|call| format!("{call},,1\n")).collect::<String>();
    let trace_of = |rows: &str| format!("start_ns,latency_ns,ok\n{rows}1000000000,1,1\n");
    assert_eq!(warnings("--stall-limit 0", &trace_of(&lost)), "");
    let one_fewer = lost.split_once('\n').map_or("", |(_, rest)| rest);
    // At 1 s the last call comes back, beside the 19: the twentieth sample.
    assert_eq!(warnings("--stall-limit 0", &trace_of(one_fewer)), "");
    assert!(
        warnings("--stall-limit 0", &trace_of(one_fewer).replace("1000000000,1,1\n", "")).contains("at most 0 samples")
    );
}

#[test]
fn where_no_verdict_takes_samples_nothing_is_warned_about() {
    let calls = trace(5, 10 * MS, 5 * MS, "");
    // Debt is judged from the first sample on, but the failure rate isn't.
    let by_debt = warnings("--debt-limit 6", &calls);
    assert!(by_debt.starts_with("warning: a verdict on the failure rate was never possible: "), "{by_debt}");
    assert_eq!(warnings("--debt-limit 6 --failure-rate 1", &calls), "");
    assert!(
        warnings("--failure-rate 1", &calls).starts_with("warning: a verdict on the quantile was never possible: ")
    );
    // Nobody asked.
    assert_eq!(warnings("", "start_ns,latency_ns\n"), "");
    assert_eq!(warnings("", "start_ns,latency_ns,kind\n0,5,free\n"), "");

    let text = |options: &str| run(&format!("replay - {options}"), &calls);
    assert_eq!(figure(&text(""), "armed"), "0  0 %: a verdict was possible");
    assert_eq!(figure(&text("--debt-limit 6"), "armed"), "0  0 %: a verdict on the failure rate was possible");
    assert!(!text("--debt-limit 6 --failure-rate 1").contains("armed"));
}
