//! Would these settings have seen it, and what would others have done: `--inject` and `--against`.

mod common;
use common::{fails, finish, json, start, unexpected, without_warnings, write};
use serde_json::{Value, json};

const MS: u64 = 1_000_000;
const SECOND: u64 = 1_000 * MS;
/// 2026-11-28T09:30:00Z.
const MORNING_NS: u64 = 1_795_858_200 * SECOND;

/// So many calls, ten a second from `first_ns` on, that take 5 ms.
fn trace(calls: u64, first_ns: u64) -> String {
    let rows = (0..calls).map(|call| format!("{},{}\n", first_ns + call * 100 * MS, 5 * MS));
    format!("start_ns,latency_ns\n{}", rows.collect::<String>())
}

/// The lines of a replay, without warnings.
fn lines(options: &str, trace: &str) -> Vec<Value> {
    let lines = json(options, trace);
    lines.lines().map(|line| serde_json::from_str(line).expect("a line is JSON")).collect()
}

fn injected(options: &str, trace: &str) -> Vec<Value> {
    lines(options, trace).into_iter().filter(|line| line["injected"].is_string()).collect()
}

fn text(options: &str, trace: &str) -> String {
    let (status, out, err) = finish(start(&format!("replay - {options}")), trace);
    assert_eq!((status, unexpected(&err)), (Some(0), vec![]), "{options}");
    out
}

/// One line that has all of these words.
#[track_caller]
fn has(text: &str, words: &[&str]) {
    let count = text.lines().filter(|line| words.iter().all(|word| line.contains(word))).count();
    assert_eq!(count, 1, "{words:?} in\n{text}");
}

#[test]
fn a_fault_is_noticed_by_a_rule_after_so_many_calls() {
    // From 10 s on each call takes 500 ms. The sixth, of 10.5 s, is late at 10.7 s and 1 ns. By then the eighth has begun.
    let trace = trace(300, 0);
    let fault = "--inject slow:x100:5s@+10s";
    let expected = json!({
        "injected": "slow:x100:5s@+10s", "from_ns": 10 * SECOND, "to_ns": 15 * SECOND, "calls": 8, "noticed": true,
        "reason": "latency", "t_ns": 10_700 * MS + 1, "after_ns": 700 * MS + 1, "after_calls": 8
    });
    let all = lines(fault, &trace);
    // Trials after the pause are slow, too.
    let line = all.iter().find(|line| line["injected"].is_string()).expect("there is one");
    let figures = |line: &Value| {
        ["injected", "from_ns", "noticed", "reason", "t_ns", "after_ns", "after_calls"].map(|key| line[key].clone())
    };
    assert_eq!(figures(line), figures(&expected));
    assert_eq!((&all[0]["t_ns"], &all[0]["reason"]), (&line["t_ns"], &line["reason"]));
    assert!(all.last().expect("a summary")["asked"] == 300 && all[all.len() - 2] == *line, "before the summary");
    let shown = text(fault, &trace);
    has(&shown, &["fault", "slow:x100:5s@+10s: noticed by latency, 8 calls and 700 ms after it began"]);
    // The log's profile is that of the log as it was recorded.
    has(&shown, &["P50 5 ms", "greatest 5 ms"]);
    // A threshold that is too large for it.
    let blind = injected(&format!("{fault} --threshold 500ms"), &trace);
    assert_eq!(
        blind,
        [json!({
            "injected": "slow:x100:5s@+10s", "from_ns": 10 * SECOND, "to_ns": 15 * SECOND, "calls": 50, "noticed": false,
            "reason": null, "t_ns": null, "after_ns": null, "after_calls": null
        })]
    );
    has(&text(&format!("{fault} --threshold 500ms"), &trace), &["slow:x100:5s@+10s: not noticed, by 50 of its calls"]);
}

#[test]
fn each_kind_of_fault_is_put_into_the_log() {
    let trace = trace(300, 0);
    let reason =
        |fault: &str, options: &str| injected(&format!("--inject {fault} {options}"), &trace)[0]["reason"].clone();
    let off = "--min-slow 1000 --spike-count 0";
    assert_eq!(reason("silent:1s@+10s", off), "stall");
    assert_eq!(reason("lost:10%:5s@+10s", off), "stall");
    // 101 times the median of 5 ms is over 500 ms, 100 times isn't.
    let exactly = "--threshold 500ms --spike-count 1";
    assert_eq!(reason("slow:20%:x100:5s@+10s", exactly), Value::Null);
    assert_eq!(reason("slow:20%:x101:5s@+10s", exactly), "spike");
    assert_eq!(reason("slow:20%:500ms:5s@+10s", exactly), Value::Null);
    assert_eq!(reason("slow:20%:501ms:5s@+10s", exactly), "spike");
    assert_eq!(reason("slow:x101:100ms@+10s", exactly), "spike");
    // A replay with faults is the same each time.
    let options = "--inject lost:10%:5s@+10s --inject slow:20%:x101:5s@+3s";
    assert_eq!(json(options, &trace), json(options, &trace));
    assert_eq!(injected(options, &trace).len(), 2);
    // What stays: a log without the fault's rows, and the lines of a log without faults.
    let plain = lines("", &trace);
    assert_eq!(plain.len(), 1);
}

#[test]
fn times_are_after_the_first_row_or_of_its_day() {
    let trace = trace(3000, MORNING_NS);
    for (at, from_ns) in [
        ("09:32", MORNING_NS + 120 * SECOND),
        ("09:30:00", MORNING_NS),
        ("2026-11-28T10:34:59+01:00", MORNING_NS + 299 * SECOND),
        ("+1m30s", MORNING_NS + 90 * SECOND),
    ] {
        let line = &injected(&format!("--inject silent:5m@{at}"), &trace)[0];
        assert_eq!((&line["from_ns"], &line["to_ns"]), (&from_ns.into(), &(from_ns + 300 * SECOND).into()), "{at}");
    }
    for (at, part) in [
        ("09:29", "begins after the log's last row; the log goes from 2026-11-28T09:30:00Z to 2026-11-28T09:34:59.9Z"),
        ("+300s", "begins after the log's last row"),
        ("2026-11-28T09:29:59Z", "before the log's first row, which is at 2026-11-28T09:30:00Z"),
        ("noon", "it begins at \"noon\"; legal: a time of the day like 12:00"),
    ] {
        fails(&format!("replay - --inject silent:5m@{at}"), &trace, &["--inject is \"silent:5m@", part, "legal: "]);
    }
    fails("replay - --inject silent:5m@12:00", &self::trace(30, 0), &["the log has no dates", "like +90s"]);
    for (fault, part) in [
        ("slow", "FAULT:DURATION@TIME"),
        ("slow:5m@+1s", "fault \"slow\": legal: slow:x5"),
        ("lost:0%:5m@+1s", "a percentage above 0%"),
        ("silent:0s@+1s", "it lasts \"0s\""),
    ] {
        fails(&format!("replay - --inject {fault}"), &trace, &["--inject is ", part, "legal: "]);
    }
    fails("replay - --inject silent:5m@+0s", "start_ns,latency_ns\n", &["no row to --inject a fault into", "legal: "]);
    let lost = "start_ns,latency_ns\n0,\n1,\n";
    fails("replay - --inject slow:5%:x5:5m@+0s", lost, &["the log has no median", "legal: "]);
    fails("replay - --inject slow:5%:x5:5m@+0s", "start_ns,latency_ns\n0,5\nx,5\n", &["line 3: ", "legal: "]);
}

/// A node that is slow for a while, twice: at 300 ms from 10 s to 12 s, and at 150 ms from 40 s to 42 s.
fn slow_twice() -> String {
    let latency_ns = |call: u64| match call {
        100..120 => 300 * MS,
        400..420 => 150 * MS,
        _ => 5 * MS,
    };
    let rows = (0..600).map(|call| format!("{},{}\n", call * 100 * MS, latency_ns(call)));
    format!("start_ns,latency_ns\n{}", rows.collect::<String>())
}

#[test]
fn other_settings_are_held_against_these_pause_by_pause() {
    write("against.toml", "threshold = \"100ms\"\nbackoff_base = \"2s\"\n");
    write("old.toml", "threshold = \"200ms\"\n");
    let trace = slow_twice();
    let all = lines("--config old.toml --against against.toml", &trace);
    let of = |key: &str| all.iter().filter(|line| !line[key].is_null()).cloned().collect::<Vec<_>>();
    // What is derived from the threshold isn't a setting that differs.
    assert_eq!(
        of("setting"),
        [
            json!({"setting": "threshold", "old": "200ms", "new": "100ms"}),
            json!({"setting": "backoff_base", "old": "1s", "new": "2s"})
        ]
    );
    let [both, new] = &of("pauses")[..] else { panic!("{all:?}") };
    assert_eq!((&both["pauses"], &new["pauses"]), (&json!("both"), &json!("new")));
    // By the new ones the sixth slow call, of 10.5 s, is late at 10.6 s and 1 ns. By the old ones the fifth is back at 10.7 s.
    assert_eq!(both["later_ns"], 1 - 100 * MS as i64);
    assert_eq!((&both["old"][0]["from_ns"], &both["old"][0]["reason"]), (&json!(10_700 * MS), &json!("spike")));
    assert_eq!(both["new"][0]["from_ns"], 10_600 * MS + 1);
    // What each has is what it has alone.
    let alone = |options: &str| lines(options, &trace);
    for (side, options) in [("old", "--config old.toml"), ("new", "--config against.toml")] {
        let alone = alone(options);
        assert_eq!(&all.last().expect("summaries")[side], alone.last().expect("a summary"), "{side}");
        let trips: Vec<_> = alone.iter().filter(|line| line["from"] == "closed").map(|line| &line["t_ns"]).collect();
        let pauses = of("pauses");
        let begins: Vec<_> =
            pauses.iter().flat_map(|line| line[side].as_array().unwrap()).map(|pause| &pause["from_ns"]).collect();
        assert_eq!(begins, trips, "{side}");
    }
    assert_eq!((&new["old"], &new["later_ns"]), (&json!([]), &Value::Null));
    assert_eq!((&new["new"][0]["reason"], &new["new"][0]["limit"]), (&json!("spike"), &json!(100 * MS)));

    let shown = text("--config old.toml --against against.toml", &trace);
    has(&shown, &["old", "old.toml"]);
    has(&shown, &["threshold", "200ms", "100ms"]);
    has(&shown, &["paused by both, by new 99.99 ms sooner"]);
    has(&shown, &["paused by new alone"]);
    has(&shown, &["trips", " 1 ", " 2"]);
}

#[test]
fn settings_held_against_themselves_differ_in_nothing() {
    write("same.toml", "threshold = \"100ms\"\n");
    let trace = slow_twice();
    let all = lines("--threshold 100ms --against same.toml", &trace);
    assert!(all.iter().all(|line| line["setting"].is_null()), "{all:?}");
    let pauses: Vec<_> = all.iter().filter(|line| line["pauses"].is_string()).collect();
    assert_eq!(pauses.len(), 2);
    for pause in pauses {
        assert_eq!((&pause["pauses"], &pause["later_ns"], &pause["longer_ns"]), (&json!("both"), &json!(0), &json!(0)));
        assert_eq!(pause["old"], pause["new"]);
    }
    let last = all.last().expect("summaries");
    assert_eq!(last["old"], last["new"]);
    let shown = text("--threshold 100ms --against same.toml", &trace);
    has(&shown, &["no setting differs"]);
    assert_eq!(shown.matches("paused by both, alike").count(), 2, "{shown}");
    has(&shown, &["old", "the options"]);
    has(&text("--against same.toml --threshold 10s", &trace), &["paused by new alone", "10.600 s"]);
    has(&text("--against same.toml --threshold 10s", &self::trace(9, 0)), &["no pause, by either"]);
}

#[test]
fn faults_are_put_into_both() {
    write("sharp.toml", "threshold = \"20ms\"\n");
    let trace = trace(300, 0);
    // Five times as slow is 25 ms.
    let all = lines("--against sharp.toml --inject slow:x5:5s@+10s", &trace);
    let line = all.iter().find(|line| line["injected"].is_string()).expect("there is one");
    assert_eq!((&line["old"]["noticed"], &line["new"]["noticed"]), (&json!(false), &json!(true)));
    assert_eq!((&line["new"]["reason"], &line["new"]["after_calls"]), (&json!("spike"), &json!(5)));
    let shown = text("--against sharp.toml --inject slow:x5:5s@+10s", &trace);
    has(&shown, &["old", "not noticed, by 50 of its calls"]);
    has(&shown, &["new", "noticed by spike, 5 calls and "]);
    has(&shown, &["fault", "slow:x5:5s@+10s"]);
}

#[test]
fn a_bad_file_of_new_settings_is_told() {
    write("bad-new.toml", "threshold = \"soon\"\n");
    fails("replay - --against bad-new.toml", &trace(9, 0), &["bad-new.toml: line 1: threshold", "legal: "]);
    fails("replay - --against nowhere.toml", &trace(9, 0), &["nowhere.toml", "legal: "]);
    write("health.toml", "recovery = \"health-checks\"\n");
    fails("replay - --against health.toml", &trace(9, 0), &["health.toml: line 1: recovery", "legal: trials"]);
    let lines = trace(9, 0) + "x,5\n";
    write("fine.toml", "");
    let (status, out, err) = finish(start("replay - --format json --against fine.toml"), &lines);
    assert_eq!((status, out.as_str()), (Some(2), ""), "{err}");
    assert!(err.contains("line 11: "), "{err}");
}

#[test]
fn warnings_are_in_the_json_too() {
    let (status, out, err) = finish(start("replay - --format json"), &trace(9, 0));
    assert_eq!(status, Some(0));
    let lines: Vec<Value> = out.lines().map(|line| serde_json::from_str(line).expect("a line is JSON")).collect();
    let [warnings, summary] = &lines[..] else { panic!("{out}") };
    let texts: Vec<_> =
        warnings["warnings"].as_array().expect("a list").iter().map(|text| text.as_str().unwrap()).collect();
    let told: Vec<_> = err.lines().map(|line| line.trim_start_matches("warning: ")).collect();
    assert_eq!((texts.len(), &texts), (1, &told));
    assert!(texts[0].contains("a verdict on the quantile or the failure rate was never possible"), "{texts:?}");
    assert_eq!(summary["asked"], 9);
    // Those of the settings, too. There are none about a log that is as it should be.
    let (_, out, err) = finish(start("replay - --format json --latch-after 3"), &trace(300, 0));
    assert!(
        out.starts_with("{\"warnings\":[\"--latch-after is 3; ") && err.contains("--latch-after is 3; "),
        "{out}{err}"
    );
    let (_, out, err) = finish(start("replay - --format json"), &trace(300, 0));
    assert_eq!((without_warnings(&out), err.as_str()), (out, ""));
}

#[test]
fn warnings_of_two_settings_say_whose_they_are() {
    write("many.toml", "min_samples = 30\n");
    let warned = |calls| {
        let (status, out, err) = finish(start("replay - --format json --against many.toml"), &trace(calls, 0));
        assert_eq!(status, Some(0), "{err}");
        let line = out.lines().find(|line| line.contains("\"warnings\"")).map(str::to_owned);
        let line: Option<Value> = line.map(|line| serde_json::from_str(&line).expect("a line is JSON"));
        let texts = line.map_or(vec![], |line| line["warnings"].as_array().expect("a list").clone());
        let told: Vec<&str> = err.lines().map(|line| line.trim_start_matches("warning: ")).collect();
        assert_eq!(texts, told);
        texts.iter().map(|text| text.as_str().expect("a text").to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(warned(30), Vec::<String>::new());
    let found = warned(29);
    assert!(found.len() == 1 && found[0].starts_with("by the new settings: rows 1 to 29: a verdict on "), "{found:?}");
    let found = warned(19);
    assert!(found.len() == 2 && found[0].starts_with("by the old settings: rows 1 to 19: a verdict on "), "{found:?}");
    // Of a log that ends in an outage both know.
    let lost = (290..300).map(|call| format!("{},\n", call * 100 * MS)).collect::<String>();
    let (_, _, err) = finish(start("replay - --format json --against many.toml"), &(trace(290, 0) + &lost));
    assert!(err.lines().count() == 1 && err.contains("warning: rows 296 to 300: the log ends in an outage"), "{err}");
}
