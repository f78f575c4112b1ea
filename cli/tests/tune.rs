//! Settings made of a log: read again by the library, kept to a budget, and honest about what the log can't promise.

mod common;
mod schema;
use common::{DIRECTORY, fails, finish, start, write};
use serde_json::Value;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use trip99::Config;

const MS: u64 = 1_000_000;

/// Calls of some 5 to 9 ms, ten a second; a few take up to 30 ms. From `outage` on 20 calls take two seconds.
fn link(calls: u64, outage: Option<u64>) -> String {
    let mut log = "start_ns,latency_ns\n".to_owned();
    for call in 0..calls {
        let random = trip99_logs::fault::random_of(7, call);
        let is_out = outage.is_some_and(|outage| (outage..outage + 20).contains(&call));
        let slow = if random.is_multiple_of(331) { random / 331 % (21 * MS) } else { 0 };
        let latency_ns = if is_out { 2000 * MS } else { 5 * MS + random % (4 * MS) + slow };
        let _ = writeln!(log, "{},{latency_ns}", call * 100 * MS);
    }
    log
}

/// What is printed, and told.
fn tune(args: &str, log: &str) -> (String, String) {
    let (status, out, err) = finish(start(&format!("tune - {args}")), log);
    assert_eq!(status, Some(0), "{args}: {err}");
    (out, err)
}

fn json(args: &str, log: &str) -> Value {
    let found = serde_json::from_str(&tune(&format!("{args} --format json"), log).0).expect("it is one object");
    schema::check(schema::of("tune"), &found);
    found
}

#[test]
fn settings_are_read_again_as_they_are_shown() {
    let log = link(4000, Some(3000));
    let found = json("--out made.toml", &log);
    let file = Path::new(DIRECTORY).join("made.toml");
    let config = Config::load(&file).expect("the library reads it");
    let text = fs::read_to_string(&file).unwrap();
    assert_eq!(found["toml"], text);
    assert_eq!(config.threshold_ns, found["chosen"]["threshold_ns"].as_u64().unwrap());
    assert_eq!(u64::from(config.debt_limit), found["settings"]["debt_limit"].as_u64().unwrap());
    assert!((9 * MS..60 * MS).contains(&config.threshold_ns) && config.debt_limit >= 3, "{text}");
    assert!((1.5 * 28e6..2.1 * 31e6).contains(&(config.stall_limit_ns as f64)), "{text}");
    // Each setting has its reason above it.
    let settings = text.lines().filter(|line| line.contains(" = ")).count();
    assert_eq!(settings, found["reasons"].as_object().unwrap().len());
    // The text for people ends with the same file, or names it.
    let (out, _) = tune("", &log);
    assert!(out.ends_with(&text), "{out}");
    let (out, _) = tune("--out made.toml", &log);
    assert!(out.ends_with("\nThe settings are in made.toml.\n"), "{out}");
}

#[test]
fn an_outage_is_left_out_and_noticed() {
    let found = json("", &link(4000, Some(3000)));
    let outages = found["outages"].as_array().unwrap();
    assert_eq!(outages.len(), 1, "{outages:?}");
    assert_eq!(
        (outages[0]["from_ns"].as_u64(), outages[0]["to_ns"].as_u64()),
        (Some(300_000 * MS), Some(303_900 * MS))
    );
    assert_eq!(found["healthy"]["calls"], 3960, "those that began in its 3.9 s are left out");
    assert_eq!((&found["whole"]["outages"], &found["whole"]["noticed"]), (&1.into(), &1.into()));
    assert_eq!(found["whole"]["false_trips"].as_array().unwrap().len(), 0);
    // What an operator says was bad is left out likewise.
    let found = json("--bad +300s..+304s,1000000..2000000", &link(4000, None));
    assert_eq!((found["left_out"].as_array().unwrap().len(), found["outages"].as_array().unwrap().len()), (2, 0));
    assert_eq!(found["healthy"]["calls"], 3959);
}

#[test]
fn what_a_log_cannot_promise_is_said() {
    let (out, err) = tune("", &link(4000, None));
    let out = out.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(err.contains("can't promise 1 in 30 d: it promises 1 in 66.72 s at best; a log of 180 d"), "{err}");
    assert!(
        out.contains("would have tripped falsely never in the 3 min 19 s of the 2 000 calls that were held back"),
        "{out}"
    );
    // Whose bound it is.
    let toml = out.replace(" # ", " ");
    assert!(
        out.contains("Settings made in the same way of the first 2 000 calls alone (P95 above 24 ms, debt 6) would")
            && out.contains("So false trips of those settings are no more frequent than 1 in 66.72 s, 19 times of 20.")
            && out.contains("The settings above are made of all calls, and trip by another rule (P95 above 21 ms, debt 7).")
            && out.contains("the bound is that of those settings. It tells of these as far as settings that are made in the same way are alike.")
            && toml.contains("Settings made in the same way of the first part of the log, judged by the 3 min 19 s that were held back, trip falsely no more often than 1 in 66.72 s, 19 times of 20."),
        "{out}"
    );
    // With so large a budget the least debt will do for either.
    let (out, _) = tune("--threshold 24ms --quantile 0.95 --false-trips 1000/60s", &link(4000, None));
    let out = out.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(
        out.contains("calls alone (P95 above 24 ms, debt 3) would")
            && out.contains("The settings above are made of all calls, and trip by the same rule. So there is no call left to judge them by")
            && !out.contains("another rule"),
        "{out}"
    );
    // All of them are what the settings are made of.
    let (out, _) = tune("--hold-back 0%", &link(4000, None));
    let out = out.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(
        out.contains("in the 6 min 39 s that they were made of. Nothing was held back to judge by. So false trips of these settings are")
            && !out.contains("those settings"),
        "{out}"
    );
    // Too little to hold back: the boundary is 1000 healthy calls in each part.
    assert!(!tune("", &link(2000, None)).1.contains("nothing was held back"));
    let (_, err) = tune("", &link(1999, None));
    assert!(err.contains("nothing was held back, as that takes 1000 healthy calls in each part"), "{err}");
}

#[test]
fn a_part_that_differs_is_told() {
    let slower = |log: &str| -> String {
        log.lines()
            .enumerate()
            .map(|(line, text)| match text.split_once(',') {
                Some((start, latency)) if line > 2000 => {
                    format!("{start},{}\n", latency.parse::<u64>().unwrap() * 3 / 2)
                }
                _ => format!("{text}\n"),
            })
            .collect()
    };
    let (_, err) = tune("", &slower(&link(4000, None)));
    assert!(err.contains("the parts of the log differ"), "{err}");
    assert!(!tune("", &link(4000, None)).1.contains("the parts of the log differ"));
}

#[test]
fn given_values_stay() {
    let found = json("--threshold 40ms --quantile 0.98", &link(3000, None));
    assert_eq!((&found["settings"]["threshold"], &found["settings"]["quantile"]), (&"40ms".into(), &0.98.into()));
    let (_, err) = tune("--detect-within 1ms", &link(3000, None));
    assert!(err.contains("no settings within the budget notice faults within 1 ms"), "{err}");
    assert!(!tune("--detect-within 1h", &link(3000, None)).1.contains("no settings within the budget"));
}

#[test]
fn mistakes_name_what_is_legal() {
    write("link.csv", &link(300, None));
    for (args, message) in [
        ("--false-trips often", "--false-trips is \"often\"; legal: a number above 0 and a time"),
        ("--false-trips 0/1d", "legal: a number above 0"),
        ("--detect-within soon", "--detect-within is \"soon\"; legal: a duration above 0"),
        ("--hold-back 0.5", "--hold-back is \"0.5\"; legal: a whole number of percent up to 90%"),
        ("--hold-back 91%", "legal: a whole number of percent up to 90%"),
        ("--bad 12:00", "--bad is \"12:00\"; legal: T0..T1"),
        ("--bad 12:00..13:00", "the log has no dates"),
        ("--bad 5..4", "an end that is no sooner than its begin"),
        ("--quantile 1", "--quantile is \"1\"; legal: from 0.000001 to 0.999999"),
        ("--threshold fast", "legal: a duration"),
        ("--threshold 1ns", "no threshold has room at any quantile"),
        ("--out /nowhere/made.toml", "--out /nowhere/made.toml: "),
        ("--out link.csv", "--out link.csv: it is read, too; legal: a file of its own"),
        (
            "--out same.out --report same.out",
            "--out same.out: it is that of --report same.out; legal: a file of its own",
        ),
    ] {
        fails(&format!("tune link.csv {args}"), "", &[message]);
    }
    fails("tune -", &link(99, None), &["the log has 99 healthy calls outside of outages", "legal: at least 100"]);
    fails("tune -", "start_ns,latency_ns\n", &["the log has 0 healthy calls"]);
}

/// The way of somebody who has a FIX log: it is tuned, the settings are proven on it, and an engine loads them.
#[test]
fn from_a_fix_log_to_settings() {
    let mut log = String::new();
    for order in 0..1200_u64 {
        let at = |ms: u64| {
            format!("20261128-{:02}:{:02}:{:02}.{:03}", 9 + ms / 3_600_000, ms / 60_000 % 60, ms / 1000 % 60, ms % 1000)
        };
        let (sent, answered) = (order * 500, order * 500 + 5 + trip99_logs::fault::random_of(3, order) % 9);
        let head =
            |who: &str, kind: &str, at: &str| format!("8=FIX.4.4|9=100|35={kind}|{who}|34={order}|52={at}|11=o{order}");
        let _ = writeln!(log, "{} : {}|54=1|10=000|", at(sent), head("49=US|56=THEM", "D", &at(sent)));
        let _ = writeln!(log, "{} : {}|39=0|150=0|10=000|", at(answered), head("49=THEM|56=US", "8", &at(answered)));
    }
    write("orders.messages.log", &log);
    let (status, _, err) = finish(start("tune --from fix orders.messages.log --out fix.toml"), "");
    assert_eq!(status, Some(0), "{err}");
    assert!(Config::load(Path::new(DIRECTORY).join("fix.toml")).is_ok());
    let (status, out, err) =
        finish(start("replay --from fix orders.messages.log --config fix.toml --inject slow:x5:60s@+100s"), "");
    assert_eq!(status, Some(0), "{err}");
    assert!(out.contains("slow:x5:60s@+100s: noticed by stall"), "{out}");
}
