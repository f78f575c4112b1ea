//! What operators see in terminals of several widths, and in which zone.

mod common;
mod pages;
mod terminal;

use common::scratch;
use pages::{Place, SECOND, command, ok};
use serde_json::Value;
use std::path::Path;
use terminal::Session;
use trip99::{Breaker, Config, Start};

/// Paused by its P99, and halted by two.
fn troubled(place: &Place) -> Breaker {
    let mut breaker = place.breaker(Start::Closed);
    let config = Config { spike_count: 0, min_slow: 1, min_samples: 100, ..breaker.config().clone() };
    breaker.reconfigure_at(SECOND, &config).expect("legal settings");
    for call in 0..100 {
        breaker.record_at(SECOND, if call < 86 { 9_000_000 } else { 212_000_000 });
    }
    assert!(!breaker.allow_at(SECOND));
    breaker
}

/// What a terminal of so many columns shows.
fn shown(args: &[&str], columns: u16, last: &str) -> Vec<String> {
    let state = scratch().join("state");
    let environment: [(&str, &Path); 3] =
        [("TRIP99_DIR", &scratch().join("named")), ("TRIP99_STATE_DIR", &state), ("TZ", Path::new("Asia/Tokyo"))];
    let mut session = Session::start(Path::new(env!("CARGO_BIN_EXE_trip99")), args, &environment, columns, 60);
    session.wait_for(&[last]);
    assert!(session.ended().success());
    // A line that the terminal has broken is one line here, which is too long then.
    session.screen().contents().lines().map(str::to_owned).collect()
}

#[test]
fn status_fits_terminals_of_60_to_200_columns() {
    let place = Place::named("wide");
    let mut breaker = troubled(&place);
    let why = "the venue has sent prices twice since the auction, and nobody there answers the telephone";
    ok(&["halt", &place.name(), "--as", "ann@desk-7", "--reason", why]);
    breaker.poll_at(SECOND);
    for columns in [60, 80, 120, 200] {
        let lines = shown(&["status", &place.name()], columns, " dropped");
        let text = lines.join("\n");
        for line in lines.iter().skip(1) {
            assert!(line.chars().count() <= columns.into(), "{columns}: {line:?} in\n{text}");
            assert!(line.is_empty() || line.starts_with("  "), "{columns}: {line:?} in\n{text}");
        }
        // The words and figures are the same in any width; where lines break, is not.
        let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
        for part in [
            "state HALTED (open)",
            "JST), by latency",
            "P99 was 212 ms, limit 200 ms, 14 of 100 slow",
            why,
            "P99 212 ms, limit 200 ms",
            "latency P50 9 ms",
            "window 100 samples: 14 slow, 0 failed, limit 50 %",
            "so far 100 recorded, 1 refused,",
            "left out 0 stale, 0 untracked, 0 misused, 0 dropped",
        ] {
            assert!(words.contains(part), "{columns}: {part} in\n{text}");
        }
        // The evidence has a line of its own where one is too short.
        let has_own_line = lines.iter().any(|line| line.trim_start().starts_with("P99 was 212 ms"));
        assert_eq!(has_own_line, columns < 120, "{columns}:\n{text}");
        // Names stand in one column.
        let names = ["state", "since", "halted by", "owner", "P99", "latency", "window", "so far", "left out"];
        for name in names {
            assert!(
                lines.iter().any(|line| line.starts_with(&format!("  {name:<9} "))),
                "{columns}: {name} in\n{text}"
            );
        }
    }
}

#[test]
fn ls_fits_terminals_of_60_to_200_columns() {
    let place = Place::within("screens-ls", "wide-ls");
    let _breaker = troubled(&place);
    let folder = place.path.parent().expect("a folder").to_str().expect("UTF-8").to_owned();
    for (columns, has, has_not) in [
        (60, "limit, ms", "slow %"),
        (80, "slow %", "in flight"),
        (120, "oldest, ms", "owner"),
        (200, "labels", "trend"),
    ] {
        let lines = shown(&["ls", &folder], columns, "next trial");
        let text = lines.join("\n");
        assert!(lines.iter().all(|line| line.chars().count() <= columns.into()), "{columns}:\n{text}");
        assert!(lines[0].contains(has) && !lines[0].contains(has_not), "{columns}:\n{text}");
        assert!(lines[1].starts_with("wide-ls") && lines[1].contains("paused (open)"), "{columns}:\n{text}");
        let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(words.contains("by latency: P99 was 212 ms, limit 200 ms, 14 of 100 slow; next trial"), "{text}");
    }
}

/// What is printed in Tokyo, 9 hours ahead of UTC all year.
fn in_tokyo(args: &[&str]) -> String {
    let output = command(args).env("TZ", "Asia/Tokyo").output().expect("the command runs");
    assert!(output.status.success(), "{args:?}: {output:?}");
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// The first time of day in a text, in seconds.
fn time_of_day(text: &str) -> u64 {
    let time = |word: &str| {
        let mut parts = word.split(['.', ':', ')']).map(|part| part.parse::<u64>().ok());
        let [hours, minutes, seconds] = [parts.next()??, parts.next()??, parts.next()??];
        Some(hours * 3600 + minutes * 60 + seconds)
    };
    text.split_whitespace().find_map(time).unwrap_or_else(|| panic!("a time in\n{text}"))
}

#[test]
fn times_are_local_or_by_utc_and_in_utc_for_machines() {
    let place = Place::within("screens-utc", "utc");
    let _breaker = troubled(&place);
    let page = &*place.argument();
    let folder = place.path.parent().expect("a folder").to_str().expect("UTF-8").to_owned();
    for (command, named) in [(["status", page], true), (["events", page], true), (["ls", &folder], false)] {
        let [local, utc] = [in_tokyo(&command), in_tokyo(&[&command[..], &["--utc"]].concat())];
        // The path has no time, but the figures of a table may look like one: the first time is the one of the page.
        let ahead = (time_of_day(&local) + 86_400 - time_of_day(&utc)) % 86_400;
        assert_eq!(ahead, 9 * 3600, "{command:?}\n{local}\n{utc}");
        if named {
            assert!(local.contains("JST") && !local.contains("UTC"), "{local}");
            assert!(utc.contains("UTC") && !utc.contains("JST"), "{utc}");
        }
    }
    // Dates go with the zone: 15:00 UTC is the next day in Tokyo.
    let stamp = |args: &[&str]| {
        let out = in_tokyo(args);
        let line = out.lines().find(|line| line.trim_start().starts_with("since")).expect("since when").to_owned();
        let (_, stamp) = line.split_once(" ago (").expect("when");
        stamp.split(' ').take(2).collect::<Vec<_>>().join("T")
    };
    let [local, utc] = [stamp(&["status", page]), stamp(&["status", page, "--utc"])];
    let parsed = |stamp: &str| humantime::parse_rfc3339(&format!("{stamp}Z")).expect("a date and a time");
    let ahead = parsed(&local).duration_since(parsed(&utc)).expect("Tokyo is ahead");
    assert_eq!(ahead.as_secs(), 9 * 3600);
    for args in [["events", page], ["status", page]] {
        let args = [&args[..], &["--format", "json"]].concat();
        for line in in_tokyo(&args).lines() {
            let value: Value = serde_json::from_str(line).expect("JSON");
            let prefix = if args[0] == "events" { "" } else { "since_" };
            let wall_ns = value[format!("{prefix}wall_ns")].as_u64().expect("a time");
            let text = value[format!("{prefix}wall_time")].as_str().expect("a time");
            let told = humantime::parse_rfc3339(text).expect("RFC 3339");
            assert!(text.ends_with('Z'));
            assert_eq!(told.duration_since(std::time::UNIX_EPOCH).expect("since 1970").as_nanos(), wall_ns.into());
        }
    }
}
