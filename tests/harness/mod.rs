//! A harness for tests that may have to be skipped because a machine lacks what they need. It prints which tests were skipped,
//! and doesn't count them as passed. The standard library's harness can't do that.

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;

/// Name and body.
pub(crate) type Test = (&'static str, fn());

thread_local! {
    /// What the test under way had to leave out, and why.
    static SKIPPED: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

/// The test under way leaves out all that it was for, or a part of it. It counts as ignored, unless it fails.
pub(crate) fn skip(why: &str) {
    SKIPPED.with_borrow_mut(|skipped| skipped.push(why.to_owned()));
}

/// Flags of the standard library's harness that are followed by a value.
const WITH_VALUE: [&str; 7] = ["--test-threads", "--skip", "--format", "--color", "--logfile", "-Z", "--shuffle-seed"];

/// Runs the tests whose names contain a word of the command line (or equal it, with `--exact`). Without a word it runs all tests.
/// It accepts the other flags of the standard library's harness, but ignores them.
pub(crate) fn run(tests: &[Test]) -> ExitCode {
    let (mut words, mut flags) = (Vec::new(), Vec::new());
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        if WITH_VALUE.contains(&argument.as_str()) {
            arguments.next();
        } else if argument.starts_with('-') {
            flags.push(argument);
        } else {
            words.push(argument);
        }
    }
    let has = |flag: &str| flags.iter().any(|given| given == flag);
    let is_meant = |name: &str| {
        let is_by = |word: &String| if has("--exact") { name == word } else { name.contains(word.as_str()) };
        // No test is marked as ignored beforehand.
        !has("--ignored") && (words.is_empty() || words.iter().any(is_by))
    };
    let chosen: Vec<&Test> = tests.iter().filter(|(name, _)| is_meant(name)).collect();
    if has("--list") {
        chosen.iter().for_each(|(name, _)| println!("{name}: test"));
        return ExitCode::SUCCESS;
    }
    println!("\nrunning {} tests", chosen.len());
    let (mut passed, mut failed, mut ignored) = (0, 0, 0);
    for (name, test) in &chosen {
        SKIPPED.take();
        let result = catch_unwind(AssertUnwindSafe(test));
        let skipped = SKIPPED.take().join("; ");
        match result {
            Err(_) => {
                failed += 1;
                println!("test {name} ... FAILED");
            }
            Ok(()) if skipped.is_empty() => {
                passed += 1;
                println!("test {name} ... ok");
            }
            Ok(()) => {
                ignored += 1;
                println!("test {name} ... ignored, {skipped}");
                eprintln!("skipped: {name}: {skipped}");
            }
        }
    }
    let (verdict, left_out) = (if failed == 0 { "ok" } else { "FAILED" }, tests.len() - chosen.len());
    println!(
        "\ntest result: {verdict}. {passed} passed; {failed} failed; {ignored} ignored; 0 measured; {left_out} filtered out\n"
    );
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
