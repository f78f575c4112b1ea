//! The scenarios of `tests/conformance`, which each language runs: Rust here, C and C++ by `tests/c/conformance.c` and
//! `tests/c/conformance.cpp`. This program alone compares what they print, so the same is expected of all.
//!
//! `$CC`, `$CXX`, their flags and `$RUNNER` are as for `c_api.rs`.

mod compiler;
#[path = "conformance/expectations.rs"]
mod expectations;
mod languages;
#[path = "conformance/lines.rs"]
mod lines;
mod prefix;
#[path = "conformance/runner.rs"]
mod runner;
#[path = "conformance/scenario.rs"]
mod scenario;
#[path = "conformance/words.rs"]
mod words;

use languages::{C, CPP, Language, scratch, source};
use runner::Runner;
use scenario::{Expected, LANGUAGES, Scenario, Step, parse};
use std::collections::HashMap;
use std::fmt::Write;
use std::fs::{self, File};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

/// Every scenario of every file, in the order of the files' names.
fn scenarios() -> Vec<Scenario> {
    let directory = Path::new(languages::ROOT).join("tests/conformance");
    let entries = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = entries.filter(|path| path.extension().is_some_and(|ends| ends == "txt")).collect();
    files.sort();
    let scenarios = files.iter().flat_map(|path| {
        let file = format!("tests/conformance/{}", path.file_name().unwrap().display());
        parse(&file, &fs::read_to_string(path).unwrap()).unwrap_or_else(|error| panic!("{error}"))
    });
    scenarios.collect()
}

/// What a runner printed of one scenario, and its error if it ended with one.
#[derive(Default)]
struct Transcript {
    lines: Vec<String>,
    end: Option<String>,
}

/// What is wrong with what a runner printed of a scenario, if anything is.
fn judge(language: &str, scenario: &Scenario, transcript: &Transcript) -> Option<String> {
    let mut lines = transcript.lines.iter();
    let wrong = |step: &Step, expected: &str, got: &str| {
        let Scenario { name, file, .. } = scenario;
        Some(format!("{file}:{}: {language}: {}: expected {expected}, got {got} ({name})", step.line, step.op))
    };
    for step in &scenario.steps {
        let Some(expected) = &step.expected else { continue };
        let Some(line) = lines.next() else {
            return wrong(step, "a result", transcript.end.as_deref().unwrap_or("none"));
        };
        let (verb, result) = line.split_once(' ').unwrap_or((line, ""));
        if verb != step.op.verb {
            return wrong(step, &step.op.verb, verb);
        }
        match expected {
            Expected::Text(text) if text != result => return wrong(step, text, result),
            Expected::Text(_) => {}
            Expected::Fields(fields) => {
                let found: HashMap<_, _> = result.split(' ').filter_map(|pair| pair.split_once('=')).collect();
                for (name, value) in fields {
                    match found.get(name.as_str()) {
                        Some(found) if found == value => {}
                        Some(found) => return wrong(step, &format!("{name} {value}"), found),
                        None => return wrong(step, name, result),
                    }
                }
                // A snapshot agrees with the functions that return the state or the halt alone.
                for name in ["state", "halted"] {
                    let (found, again) = (found.get(name), found.get(format!("snapshot_{name}").as_str()));
                    if found != again && again.is_some() {
                        return wrong(step, &format!("one {name}"), &format!("{found:?} and {again:?}"));
                    }
                }
            }
        }
    }
    let extra = lines.next().or(transcript.end.as_ref())?;
    Some(format!("{}:{}: {language}: expected no more, got {extra}", scenario.file, scenario.line))
}

/// Fails unless the language's runner ran every scenario that is for it, and each went as expected.
fn check(language: &str, run: impl FnOnce(&[&Scenario]) -> Vec<Transcript>) {
    let all = scenarios();
    let chosen: Vec<_> = all.iter().filter(|scenario| scenario.is_for(language)).collect();
    let transcripts = run(&chosen);
    let failures: Vec<_> = (chosen.iter().zip(&transcripts))
        .filter_map(|(scenario, transcript)| judge(language, scenario, transcript))
        .collect();
    assert!(failures.is_empty(), "{} of {}:\n{}", failures.len(), chosen.len(), failures.join("\n"));
    assert!(!transcripts.is_empty(), "{language} ran no scenario");
    assert_eq!(transcripts.len(), chosen.len(), "scenarios that {language} ran, and that there are for it");
    println!("{language}: {} scenarios", transcripts.len());
}

/// Runs the program with the scenarios on its standard input. The program says which scenario it has come to.
fn run_program(language: &Language, standard: &str, chosen: &[&Scenario]) -> Vec<Transcript> {
    let mut stream = String::new();
    for (number, scenario) in chosen.iter().enumerate() {
        writeln!(stream, "scenario {number}").unwrap();
        scenario.steps.iter().for_each(|step| writeln!(stream, "{}", step.op).unwrap());
    }
    let path = scratch(&format!("stream-{standard}"));
    fs::write(&path, stream).unwrap();
    let mut command = language.program(standard, "conformance", &[source("conformance", language)]);
    let output = command.stdin(File::open(path).unwrap()).output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);

    let mut transcripts: Vec<Transcript> = Vec::new();
    for line in String::from_utf8(output.stdout).expect("text").lines() {
        match (line.strip_prefix("scenario "), transcripts.last_mut()) {
            (Some(number), _) => {
                assert_eq!(number, transcripts.len().to_string(), "scenarios come in order");
                transcripts.push(Transcript::default());
            }
            (None, Some(transcript)) => transcript.lines.push(line.to_owned()),
            (None, None) => panic!("{line}: of no scenario"),
        }
    }
    if !output.status.success() || !errors.is_empty() {
        let end = format!("{}: {}", output.status, errors.trim());
        match transcripts.last_mut() {
            Some(transcript) => transcript.end = Some(end),
            None => panic!("{end}"),
        }
    }
    transcripts
}

#[test]
fn rust() {
    // A warden lives by real time. Here lanes alone find out that the owner is silent.
    trip99::warden::disable();
    check("rust", |chosen| {
        let run = |scenario: &&Scenario| {
            let mut transcript = Transcript::default();
            let mut runner = Runner::default();
            for Step { op, .. } in &scenario.steps {
                match catch_unwind(AssertUnwindSafe(|| runner.run(&op.verb, &op.args))) {
                    Ok(result) => transcript.lines.extend(result.map(|result| format!("{} {result}", op.verb))),
                    Err(_) => {
                        transcript.end = Some(format!("a panic by {op}"));
                        break;
                    }
                }
            }
            transcript
        };
        chosen.iter().map(run).collect()
    });
}

#[test]
fn c() {
    check("c", |chosen| run_program(&C, "c99", chosen));
}

#[test]
fn cpp() {
    for standard in CPP.standards {
        check("cpp", |chosen| run_program(&CPP, standard, chosen));
    }
}

#[test]
fn most_scenarios_are_for_every_language() {
    let all = scenarios();
    let counts = LANGUAGES.map(|language| all.iter().filter(|scenario| scenario.is_for(language)).count());
    let marked = all.iter().filter(|scenario| scenario.only.is_some()).count();
    assert!(counts.iter().all(|&count| count > 0 && count >= all.len() - marked), "{counts:?}");
    assert!(marked * 20 < all.len(), "{marked} of {} scenarios are for some languages only", all.len());
}

#[test]
fn mistakes_in_scenarios_are_named_with_file_and_line() {
    let head = "scenario of a mistake\nconfig default\n";
    for (text, message) in [
        ("config default", "1: a file begins with `scenario NAME`"),
        ("scenario of nothing\nconfig default", "1: it expects nothing"),
        ("scenario without a config\nexpect state open", "2: a scenario begins with `config default`"),
        ("scenario of a setting\nconfig default, probe 1", "2: `probe` is no setting"),
        ("scenario for nobody\nonly rust, java: so", "2: `java` is none of the languages rust, c, cpp"),
        ("scenario for one\nonly rust", "2: it should be `only LANGUAGE, LANGUAGE: REASON`"),
        ("scenario of rows\neach $a $b: 1 2 | 3", "2: it should be `each $NAME $NAME: VALUE VALUE | VALUE VALUE`"),
        (&format!("{head}@1x record 1"), "3: `1x` is no number"),
        (&format!("{head}record 1"), "3: a breaker can't record 1 without a time"),
        (&format!("{head}@1 end a"), "3: no call has the ticket `a`"),
        (&format!("{head}@1 begin a\n@2 begin a"), "4: there is a `a` already"),
        (&format!("{head}@1 begin failures"), "3: `failures` has a meaning already"),
        (&format!("{head}expect event"), "3: what is to be expected?"),
        (&format!("{head}@1 allow"), "3: it should end with `-> yes` or `-> no`"),
        (&format!("{head}@1 poll -> yes"), "3: poll_at has no result"),
        (&format!("{head}halves b"), "3: it should be `halves BEGIN END` or `halves BEGIN END CAPACITY`"),
        (&format!("{head}halves b e\ne allow -> yes"), "4: this half can't allow"),
        (&format!("{head}lane l\nl split e\n@1 l begin a\n@2 l end a"), "6: this half can't end"),
        (&format!("{head}gate g\n@1 g halt"), "4: a gate can't halt at a time"),
        (&format!("{head}gate g\ng poll"), "4: a gate can't poll "),
        (&format!("{head}observer o\no halt"), "4: it can't halt"),
        (&format!("{head}observer o\nexpect o passes yes"), "4: `passes` is not among state, halted, note"),
        (&format!("{head}@1 dance"), "3: nobody can `dance ` at a time"),
        (&format!("{head}expect sampels 1"), "3: `sampels` is not among state, "),
        (&format!("{head}expect state shut"), "3: `shut` is no state"),
        (&format!("{head}expect event reason whim"), "3: `whim` is no reason"),
        (&format!("{head}expect events whim"), "3: `whim` is no reason"),
    ] {
        let error = parse("file", text).expect_err(text);
        assert!(error.starts_with(&format!("file:{message}")), "{text}\n{error}");
    }
}

/// Each way in which a runner may go wrong fails the comparison.
#[test]
fn results_that_differ_fail() {
    let text = "scenario of one breaker\nconfig default\n@1 allow -> yes\nexpect state closed, samples 0";
    let scenario = &parse("file", text).unwrap()[0];
    let (allowed, observed) = ("allow_at 1", "observe state=closed snapshot_state=closed samples=0");
    let good = [allowed, observed];
    for (lines, end, message) in [
        (&good[..], None, None),
        (&["allow_at 0", observed], None, Some("file:3: c: allow_at 0 1: expected 1, got 0")),
        (&[observed], None, Some("file:3: c: allow_at 0 1: expected allow_at, got observe")),
        (&[allowed], None, Some("file:4: c: observe 0: expected a result, got none")),
        (&[allowed], Some("signal: 11"), Some("file:4: c: observe 0: expected a result, got signal: 11")),
        (
            &[allowed, "observe state=open samples=0"],
            None,
            Some("file:4: c: observe 0: expected state closed, got open"),
        ),
        (&[allowed, "observe state=closed"], None, Some("file:4: c: observe 0: expected samples, got state=closed")),
        (
            &[allowed, "observe state=closed snapshot_state=open samples=0"],
            None,
            Some("file:4: c: observe 0: expected one state, got "),
        ),
        (&[allowed, observed, allowed], None, Some("file:1: c: expected no more, got allow_at 1")),
        (&good, Some("exit status: 1"), Some("file:1: c: expected no more, got exit status: 1")),
    ] {
        let lines = lines.iter().map(|&line| line.to_owned()).collect();
        let found = judge("c", scenario, &Transcript { lines, end: end.map(str::to_owned) });
        match message {
            None => assert_eq!(found, None),
            Some(message) => assert!(found.as_ref().is_some_and(|found| found.starts_with(message)), "{found:?}"),
        }
    }
}
