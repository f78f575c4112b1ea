//! What goes wrong, and what only looks like it: messages, exit status, closed pipes, help.

mod common;
use common::{DIRECTORY, SPIKE, SPIKE_ROWS, fails, finish, lines, run, settings, start, unexpected, write};
use serde_json::Value;
use std::fs;
use std::path::Path;

#[test]
fn a_bad_trace_names_file_line_and_what_is_legal() {
    let good = "start_ns,latency_ns,ok\n0,5,1\n";
    for (trace, line, part) in [
        (String::new(), 1, "empty"),
        ("start_ns,latency,ok\n0,5,1\n".to_owned(), 1, "\"latency\""),
        ("0,5,1\n".to_owned(), 1, "\"0\""),
        ("start_ns,ok\n0,1\n".to_owned(), 1, "latency_ns"),
        ("latency_ns,ok\n5,1\n".to_owned(), 1, "start_ns"),
        ("start_ns,latency_ns,start_ns\n0,5,0\n".to_owned(), 1, "start_ns"),
        (format!("{good}7,5\n"), 3, "2 fields"),
        (format!("{good}7,5,1,1\n"), 3, "4 fields"),
        (format!("{good}seven,5,1\n"), 3, "start_ns"),
        (format!("{good},5,1\n"), 3, "start_ns"),
        (format!("{good}7,5.5,1\n"), 3, "latency_ns"),
        (format!("{good}7,-5,1\n"), 3, "latency_ns"),
        (format!("{good}-7,5,1\n"), 3, "start_ns"),
        (format!("{good}18446744073709551616,5,1\n"), 3, "start_ns"),
        (format!("{good}7,18446744073709551616,1\n"), 3, "latency_ns"),
        (format!("{good}7,9223372036854775808,1\n"), 3, "latency_ns"),
        (format!("{good}18446744073709551615,1,1\n"), 3, "a sum of at most"),
        (format!("{good}7,5,2\n"), 3, "ok"),
        (format!("{good}7,,0\n"), 3, "ok is \"0\" beside an empty latency_ns"),
        ("start_ns,latency_ns,kind\n0,5,\n7,5,cancel\n".to_owned(), 3, "legal: ask, free, withdrawn or refused"),
        (format!("{good}7,5,1\n\n\n6,5,1\n"), 6, "--sort"),
        (format!("{good}7,{},1\n", "5".repeat(2000)), 3, "long"),
        (format!("{good}7,5,1\n").replace('\n', "\r\n") + "8,x,1\r\n", 4, "latency_ns"),
        ("\0".repeat(5000), 1, "long"),
    ] {
        write("bad.csv", &trace);
        let place = format!("bad.csv: line {line}: ");
        fails("replay bad.csv", "", &[&place, part, "legal: "]);
        fails("replay bad.csv --format json", "", &[&place, part, "legal: "]);
        fails("replay -", &trace, &[&format!("standard input: line {line}: "), part, "legal: "]);
    }
}

#[test]
fn a_bad_row_in_the_middle_leaves_no_summary() {
    let trace = lines(SPIKE_ROWS) + "2400,x\n2500,5\n";
    fails(&format!("replay - {SPIKE}"), &trace, &["line 13: ", "legal: "]);
    fails(&format!("replay - {SPIKE} --sort"), &trace, &["line 13: ", "legal: "]);
    let (status, out, _) = finish(start(&format!("replay - --format json {SPIKE}")), &trace);
    assert_eq!(status, Some(2));
    assert!(!out.is_empty(), "the rows before it are replayed");
    for line in out.lines() {
        let line: Value = serde_json::from_str(line).expect("a line is JSON");
        assert!(line["reason"].is_string() && line["asked"].is_null(), "{line}");
    }
}

#[test]
fn a_bad_command_names_what_is_wrong_and_what_is_legal() {
    for (args, part) in [
        ("", "no command"),
        ("play", "play"),
        ("replay", "LOG"),
        ("replay - extra", "extra"),
        ("replay - --tolerance 5", "--tolerance"),
        ("replay - --format xml", "--format"),
        ("replay - --format", "--format"),
        ("replay - --threshold", "--threshold"),
        ("replay - --threshold --sort", "--threshold"),
        ("replay - --recovery health-checks", "--recovery is health-checks"),
        ("replay - --start halted", "--start is halted; legal: closed or half-open, as nobody is there to resume"),
        // In the units of options; and where the default of another is out of range, both are named.
        ("replay - --quantile 1.5", "like 0.99, with at most six decimals, from 0.000001 to 0.999999"),
        ("replay - --window-len ten", "a whole number, from 1 to 1048576"),
        ("replay - --quantile 1", "--quantile is 1; legal: 0.000001 to 0.999999"),
        ("replay - --recover-threshold 201ms", "--recover-threshold is 201ms; legal: 0 to 200ms, as threshold (by def"),
        ("replay - --window-len 10", "min_samples (by default) is 20; legal: 1 to 10, as --window-len is 10"),
        ("replay - --backoff-base 2m", "backoff_max (by default) is 1m; legal: at least 2m, as --backoff-base is 2m"),
    ] {
        fails(args, "start_ns,latency_ns\n0,5\n", &[part, "legal"]);
    }
}

#[test]
fn a_bad_option_names_itself_and_what_is_legal() {
    for (option, values) in [
        ("--quantile", "0 1 99 0.9999999 -0.5 1e-3 half"),
        ("--threshold", "0 5parsecs 1.5 -5 200ms, 18446744073709551616 600years"),
        ("--window-len", "0 1048577 4294967296 18446744073709551616 -1 1.5 ten"),
        ("--window-age", "-1s forever"),
        ("--sample-every", "0 1048577"),
        ("--min-samples", "0 1025"),
        ("--min-slow", "1048577 -1"),
        ("--debt-limit", "1048577 six"),
        ("--confirm-verdicts", "0 1048577"),
        ("--failure-rate", "1.000001 50% 50"),
        ("--consecutive-failures", "-1 4294967296"),
        ("--spike-limit", "-1 fast"),
        ("--spike-count", "-1 4294967296"),
        ("--stall-limit", "-1 1.5"),
        ("--max-in-flight", "0 1048577"),
        ("--recover-threshold", "201ms"),
        ("--recovery", "prayer"),
        ("--probes", "0 1048577"),
        ("--trials-in-flight", "0 11"),
        ("--probe-timeout", "0 soon"),
        ("--backoff-base", "0"),
        ("--backoff-multiplier", "0 17"),
        ("--backoff-max", "0 999ms"),
        ("--jitter", "1.1 -0.1"),
        ("--jitter-seed", "-1 18446744073709551616"),
        ("--stable-after", "0"),
        ("--start", "open ajar"),
        ("--shadow", "maybe 1"),
    ] {
        for value in values.split(' ') {
            fails(&format!("replay - {option}={value}"), "start_ns,latency_ns\n0,5\n", &[option, "legal: "]);
        }
    }
}

#[test]
fn a_bad_file_of_settings_names_line_and_what_is_legal() {
    for (toml, line, key) in [
        ("# ours\n\nthreshhold = \"1s\"\n", 3, "threshhold"),
        ("probes = 5\nthreshold = [1]\n", 2, "threshold"),
        ("shadow = 1\n", 1, "shadow"),
        ("probes = true\n", 1, "probes"),
        ("probes = 2.5\n", 1, "probes"),
        ("probes = 5\n\n[backoff]\nbase = 3\n", 3, "backoff"),
        ("window-len = 200\r\nwindow_len = 200\r\n", 2, "window_len"),
        ("threshold = \"soon\"\n", 1, "threshold"),
        ("shadow = true\nquantile = 1.0\n", 2, "quantile"),
        ("shadow = true\nwindow_len = 0\n", 2, "window_len"),
        ("backoff_base = \"2s\"\n\nbackoff_max = \"1s\"\n", 3, "backoff_max"),
        ("\nstart = \"open\"\n", 2, "start"),
        ("recovery = \"health-checks\"\n", 1, "recovery"),
        ("\nstart = \"halted\"\n", 2, "start is halted"),
        ("\"thresh\\nold\" = 1\n", 1, "thresh\\nold"),
    ] {
        write("bad.toml", toml);
        let place = format!("bad.toml: line {line}: {key}");
        fails("replay - --config bad.toml", "start_ns,latency_ns\n", &[&place, "legal: "]);
    }
}

#[test]
fn a_file_that_cannot_be_read_is_named() {
    fs::create_dir_all(Path::new(DIRECTORY).join("folder")).expect("the folder is made");
    write("here.csv", "start_ns,latency_ns\n0,5\n");
    for name in ["nowhere", "folder"] {
        fails(&format!("replay {name}"), "", &[name, "legal: "]);
        fails(&format!("replay here.csv --config {name}"), "", &[name, "legal: "]);
    }
    for (toml, line) in [("probes = 5\nthreshold = \n", 2), ("probes = 5\n\nprobes = 5\n", 3), ("probes = '5", 1)] {
        write("broken.toml", toml);
        fails("replay here.csv --config broken.toml", "", &[&format!("broken.toml: line {line}: "), "legal: "]);
    }
}

#[test]
fn more_calls_in_flight_than_can_be_watched_are_no_result() {
    let lost = 1 << 20;
    let trace = |rows| format!("start_ns,latency_ns\n{}", "0,\n".repeat(rows));
    let args = "replay - --format json --stall-limit 0";
    assert!(run(args, &trace(lost)).contains("asked"));
    fails(args, &trace(lost + 1), &["1048576", "legal: "]);
}

#[test]
fn a_reader_that_has_enough_is_no_mistake() {
    // Each row is a bad trial: more output than fits any buffer on the way.
    let rows: String = (0..1000).map(|row| format!("{},101\n", row * 1000)).collect();
    for format in ["text", "json"] {
        let options = "--start half-open --threshold 100 --backoff-base 1 --backoff-max 1";
        let mut child = start(&format!("replay - --format {format} {options}"));
        drop(child.stdout.take());
        let trace = format!("start_ns,latency_ns\n{rows}");
        let (status, out, err) = finish(child, &trace);
        assert_eq!((status, out, unexpected(&err)), (Some(0), String::new(), vec![]), "{format}");
    }
}

#[test]
fn help_and_version_are_no_mistakes() {
    for args in ["--help", "-h", "help", "replay -h", "help replay"] {
        assert!(run(args, "").contains("replay"), "{args}");
    }
    let help = run("replay --help", "");
    for (name, _) in settings() {
        assert!(help.contains(&format!("--{}", name.replace('_', "-"))), "{name}");
    }
    assert_eq!(run("--version", ""), concat!("trip99 ", env!("CARGO_PKG_VERSION"), "\n"));
}
