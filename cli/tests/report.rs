//! `trip99 replay --report`: a page of HTML beside the text or the JSON, or an error, and never half a page.

mod common;
use common::{DIRECTORY, SPIKE, SPIKE_ROWS, fails, finish, lines, run, start, write};

use std::fs;
use std::path::{Path, PathBuf};

/// A file of this test's own, which isn't there.
fn fresh(name: &str) -> PathBuf {
    let file = Path::new(DIRECTORY).join(name);
    let _ = fs::remove_file(&file);
    file
}

fn read(file: &Path) -> String {
    fs::read_to_string(file).expect("the report is there")
}

/// What the folder has of a file: itself, and any draft of it.
fn left(name: &str) -> Vec<String> {
    let entries = fs::read_dir(DIRECTORY).expect("the folder is read");
    let names = entries.map(|entry| entry.expect("it is read").file_name().to_string_lossy().into_owned());
    names.filter(|found| found.contains(name)).collect()
}

/// The JSON that the page's charts show.
fn charts(html: &str) -> serde_json::Value {
    let (_, rest) = html.split_once("<script type=\"application/json\" id=\"data\">").expect("there is data");
    serde_json::from_str(rest.split_once("</script>").expect("it ends").0).expect("it is JSON")
}

#[test]
fn text_and_json_go_on_as_they_were() {
    let trace = lines(SPIKE_ROWS);
    for format in ["text", "json"] {
        let file = fresh(&format!("beside-{format}.html"));
        let args = format!("replay - --format {format} {SPIKE}");
        let alone = run(&args, &trace);
        assert_eq!(run(&format!("{args} --report {}", file.display()), &trace), alone);
        assert!(read(&file).starts_with("<!DOCTYPE html>"));
        assert_eq!(left(&format!("beside-{format}.html")).len(), 1);
    }
}

#[test]
fn the_page_tells_what_the_text_tells() {
    let file = fresh("tells.html");
    let args = format!("replay - {SPIKE} --backoff-max 1s --report {}", file.display());
    let (status, _, err) = finish(start(&args), &lines(SPIKE_ROWS));
    let html = read(&file);
    assert_eq!(status, Some(0), "{err}");
    for part in [
        "<title>trip99 replay standard input</title>",
        "spike: 3 in a row over 100 ns",
        "a call took 150 ns, limit 100 ns",
        "<div><dt>trips</dt><dd>1 (and 0 reopened)</dd></div>",
        // The default is what follows the threshold.
        "<tr><td><code>spike_count</code></td><td><code>3</code></td>",
        "(default: 5)",
        "threshold = &quot;100ns&quot;\nspike_count = 3\nprobes = 2\n",
        "threshold is 100ns: less than a microsecond",
        "was never possible: there were at most",
    ] {
        assert!(html.contains(part), "{part}");
    }
    let warnings = err.lines().filter(|line| line.starts_with("warning: ")).count();
    let (_, list) = html.split_once("<strong>Warnings</strong>").expect("there are warnings");
    assert_eq!(list.split_once("</ul>").expect("it ends").0.matches("<li>").count(), warnings, "{err}");
    let charts = charts(&html);
    let run = &charts["runs"][0];
    assert_eq!((&run["threshold_ms"], run["pauses"].as_array().map(Vec::len)), (&1e-4.into(), Some(1)));
    assert_eq!((&charts["is_utc"], charts["trade_off"].as_array().map(Vec::len)), (&false.into(), Some(0)));
    let calls: Vec<u64> = charts["latencies"]["calls"]
        .as_array()
        .iter()
        .flat_map(|calls| calls.iter())
        .filter_map(serde_json::Value::as_u64)
        .collect();
    assert_eq!(calls.iter().sum::<u64>(), 11);
}

#[test]
fn old_and_new_settings_are_side_by_side() {
    let file = fresh("against.html");
    write("report-new.toml", "threshold = \"120ns\"\nspike_count = 2\nprobes = 2\n");
    let trace = lines(SPIKE_ROWS);
    for format in ["text", "json"] {
        let args = format!("replay - {SPIKE} --against report-new.toml --format {format}");
        let _ = fs::remove_file(&file);
        assert_eq!(run(&format!("{args} --report {}", file.display()), &trace), run(&args, &trace));
        let html = read(&file);
        for part in [
            "<title>trip99 replay standard input</title>",
            "the old settings (the options)",
            "the new settings (report-new.toml)",
            "spike: 3 in a row over 100 ns",
            "spike: 2 in a row over 120 ns",
            "<dt>old rules</dt>",
            "<dt>new rules</dt>",
            // What is to be copied is new.
            "threshold = &quot;120ns&quot;\nspike_count = 2\nprobes = 2\n",
        ] {
            assert!(html.contains(part), "{part} in {html}");
        }
        let charts = charts(&html);
        let runs = charts["runs"].as_array().expect("runs");
        let thresholds: Vec<_> = runs.iter().map(|run| run["threshold_ms"].as_f64()).collect();
        assert_eq!(thresholds, [Some(1e-4), Some(1.2e-4)]);
        // Each side's pauses are those that it has alone.
        let pauses = |run: &serde_json::Value| run["pauses"].as_array().map(Vec::len);
        let alone = fresh("alone.html");
        run(&format!("replay - --config report-new.toml --report {}", alone.display()), &trace);
        assert_eq!(runs[1]["pauses"], self::charts(&read(&alone))["runs"][0]["pauses"]);
        assert_eq!((pauses(&runs[0]), pauses(&runs[1])), (Some(1), Some(1)));
        assert_ne!(runs[0]["pauses"], runs[1]["pauses"]);
        let calls = charts["latencies"]["calls"].as_array().expect("calls").iter();
        assert_eq!(calls.filter_map(serde_json::Value::as_u64).sum::<u64>(), 11);
    }
    let parts = ["--report report-new.toml: it is read, too", "legal: "];
    fails("replay - --against report-new.toml --report report-new.toml", &trace, &parts);
}

#[test]
fn stamps_since_1970_are_utc() {
    for (first_ns, is_utc) in [(999_999_999_999_999_999_u64, false), (1_000_000_000_000_000_000, true)] {
        let file = fresh(&format!("utc-{is_utc}.html"));
        let trace = format!("start_ns,latency_ns\n{first_ns},5\n");
        run(&format!("replay - --report {}", file.display()), &trace);
        assert_eq!(charts(&read(&file))["is_utc"], is_utc);
    }
}

#[test]
fn a_log_of_nothing_makes_a_page() {
    for (name, trace) in [("nothing", "start_ns,latency_ns\n"), ("all-lost", "start_ns,latency_ns\n5,\n9,\n")] {
        let file = fresh(&format!("{name}.html"));
        run(&format!("replay - --report {}", file.display()), trace);
        assert!(read(&file).contains("No call came back"), "{name}");
    }
}

#[test]
fn a_place_that_can_not_be_written_is_told_of_before_the_work() {
    write("log-and-report.csv", "start_ns,latency_ns\n0,5\n");
    write("report.toml", "threshold = \"5ms\"\n");
    for (place, parts) in [
        ("-", ["--report -: ", "legal: "]),
        (".", ["--report .: a directory", "legal: "]),
        ("/", ["--report /: a directory", "legal: "]),
        ("..", ["--report ..: a directory", "legal: "]),
        ("/dev/null", ["--report /dev/null: not a plain file", "legal: "]),
        ("no-such-folder/out.html", ["--report no-such-folder/out.html: ", "legal: "]),
        ("log-and-report.csv", ["--report log-and-report.csv: it is read, too", "legal: "]),
        ("./report.toml", ["--report ./report.toml: it is read, too", "legal: "]),
    ] {
        fails(&format!("replay log-and-report.csv --config report.toml --report {place}"), "", &parts);
    }
    assert_eq!(read(&Path::new(DIRECTORY).join("log-and-report.csv")), "start_ns,latency_ns\n0,5\n");
    assert_eq!(left("no-such-folder"), Vec::<String>::new());
}

#[test]
fn after_a_mistake_the_old_report_is_there() {
    let file = fresh("old.html");
    write("old.html", "old");
    let args = format!("replay - --report {}", file.display());
    fails(&args, "start_ns,latency_ns\n0,5\n1,x\n", &["line 3"]);
    assert_eq!((read(&file).as_str(), left("old.html")), ("old", vec!["old.html".to_owned()]));
    run(&args, "start_ns,latency_ns\n0,5\n");
    assert!(read(&file).starts_with("<!DOCTYPE html>"));
    assert_eq!(left("old.html").len(), 1);
}

#[test]
fn a_link_to_a_report_stays_a_link() {
    let (file, link) = (fresh("linked-report"), fresh("link.html"));
    write("linked-report", "old");
    std::os::unix::fs::symlink(&file, &link).expect("the link is made");
    run(&format!("replay - --report {}", link.display()), "start_ns,latency_ns\n0,5\n");
    assert!(fs::symlink_metadata(&link).expect("it is there").is_symlink());
    assert!(read(&file).starts_with("<!DOCTYPE html>"));
}

/// A log may have any name.
#[test]
fn a_name_of_a_log_is_no_markup() {
    let name = "<img src=x onerror=alert(1)>&amp;\u{202e}.csv";
    write(name, "start_ns,latency_ns\n0,5\n");
    let file = fresh("hostile.html");
    let output = common::command().args(["replay", name, "--report"]).arg(&file).output().expect("the command runs");
    assert!(output.status.success(), "{output:?}");
    let html = read(&file);
    assert!(!html.contains("<img") && !html.contains('\u{202e}'));
    assert!(html.contains("&lt;img src=x onerror=alert(1)&gt;&amp;amp;\\u{202e}.csv"));
}
