//! The house is as `src/lib.rs` and `docs/architecture.md` say: a file uses only files above it, none is too long, and the
//! walks go by functions that are there. `docs/failures.md` goes by tests that are there.

use std::fs;
use std::path::{Path, PathBuf};

/// Lines that a file of `src/` may have, without its tests.
const MAX_LINES: usize = 410;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Every file of `src/` but those of tests alone, by its path there, with its text up to its first test module.
fn files() -> Vec<(String, String)> {
    fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, found);
            } else {
                found.push(path);
            }
        }
    }
    let src = root().join("src");
    let mut paths = Vec::new();
    walk(&src, &mut paths);
    let mut files: Vec<_> = paths
        .into_iter()
        .filter(|path| {
            !["tests", "loom_tests", "twin", "scribbles"].iter().any(|name| path.ends_with(format!("{name}.rs")))
        })
        .map(|path| {
            let text = fs::read_to_string(&path).unwrap();
            let name = path.strip_prefix(&src).unwrap().to_str().unwrap().replace('\\', "/");
            (name, without_tests(&text).to_owned())
        })
        .collect();
    files.sort();
    assert!(files.len() > 50, "{}", files.len());
    files
}

/// Up to the first `mod` in braces that is for tests.
fn without_tests(text: &str) -> &str {
    let starts = text.match_indices("\n#[cfg(").map(|(start, _)| start);
    let mut tests = starts.filter(|&start| {
        let mut lines = text[start + 1..].lines();
        let is_test =
            lines.next().is_some_and(|line| line.starts_with("#[cfg(test)") || line.starts_with("#[cfg(all(test"));
        let item = lines.find(|line| !line.starts_with("#[")).unwrap_or_default();
        is_test && item.contains("mod ") && item.ends_with('{')
    });
    tests.next().map_or(text, |start| &text[..start])
}

/// The modules of `lib.rs`, in its order.
fn order(lib: &str) -> Vec<&str> {
    let names = lib.lines().filter_map(|line| line.strip_prefix("pub ").unwrap_or(line).strip_prefix("mod "));
    names.filter_map(|rest| rest.strip_suffix(';')).collect()
}

/// The modules of the crate that a line of code names.
fn uses(line: &str) -> impl Iterator<Item = &str> {
    line.split("crate::").skip(1).map(|rest| rest.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap())
}

/// What the files use that stands below them.
fn upward(lib: &str, files: &[(String, String)]) -> Vec<String> {
    let order = order(lib);
    let place = |module: &str| order.iter().position(|name| *name == module);
    let mut wrong = Vec::new();
    for (name, text) in files {
        let module =
            if name == "shm/handle.rs" { "handle" } else { name.trim_end_matches(".rs").split('/').next().unwrap() };
        let Some(own) = place(module) else { continue };
        for line in text.lines().filter(|line| !line.trim_start().starts_with("//")) {
            wrong.extend(uses(line).filter(|used| place(used) > Some(own)).map(|used| format!("{name} uses {used}")));
        }
    }
    wrong
}

#[test]
fn a_file_uses_only_files_above_it() {
    let lib = fs::read_to_string(root().join("src/lib.rs")).unwrap();
    assert_eq!(upward(&lib, &files()), Vec::<String>::new());
}

/// Shows that the test above can fail.
#[test]
fn a_way_that_leads_back_up_is_found() {
    let files =
        [("low.rs".to_owned(), "use crate::high::Thing;\n// crate::high is above\nuse crate::low::It;".to_owned())];
    assert_eq!(upward("mod low;\npub mod high;\n", &files), ["low.rs uses high"]);
    assert_eq!(upward("mod high;\nmod low;\n", &files), Vec::<String>::new());
}

#[test]
fn no_file_is_too_long_and_each_says_what_it_is() {
    for (name, text) in files() {
        let lines = text.lines().count();
        assert!(lines <= MAX_LINES, "{name} has {lines} lines");
        let says = text.starts_with("//! ") || ["lib.rs", "ffi/abi.rs"].contains(&&*name);
        assert!(says, "the first line of {name} says what it is");
    }
}

/// Each `file: function` of the walks is there.
#[test]
fn the_walks_are_true() {
    let text = fs::read_to_string(root().join("docs/architecture.md")).unwrap();
    let walks: Vec<&str> = text.split("\n## ").skip(1).collect();
    assert_eq!(walks.len(), 6);
    let mut steps = 0;
    for walk in walks {
        assert_eq!(walk.lines().filter(|line| line.starts_with(|c: char| c.is_ascii_digit())).count(), 5, "{walk}");
        for (file, function) in walk.split('`').skip(1).step_by(2).filter_map(|name| name.split_once(": ")) {
            let code =
                fs::read_to_string(root().join("src").join(file)).unwrap_or_else(|error| panic!("{file}: {error}"));
            let is_there = [format!("fn {function}("), format!("fn {function}<"), format!("macro_rules! {function} ")];
            assert!(is_there.iter().any(|head| code.contains(head)), "{file} has no {function}");
            steps += 1;
        }
    }
    assert!(steps > 40, "{steps}");
}

/// Of a table of failures: the tests that aren't there, and the rows without a test. Also how many tests there are.
fn without_test(text: &str, read: impl Fn(&str) -> Option<String>) -> (Vec<String>, usize) {
    let (mut wrong, mut tests) = (Vec::new(), 0);
    let rows = text.lines().filter(|line| line.starts_with("| ") && !line.ends_with(" tests |"));
    for row in rows {
        let cell = row.rsplit('|').nth(1).unwrap_or_default();
        let names: Vec<_> = cell.split('`').skip(1).step_by(2).filter_map(|name| name.split_once(": ")).collect();
        if names.is_empty() {
            wrong.push(format!("no test: {row}"));
        }
        for (file, test) in names {
            let is_there = read(file).is_some_and(|code| is_test(&code, test));
            wrong.extend((!is_there).then(|| format!("{file} has no test {test}")));
            tests += 1;
        }
    }
    (wrong, tests)
}

/// True if the function is marked as a test, or is on the list of a harness of the project's own.
fn is_test(code: &str, test: &str) -> bool {
    let Some(at) = code.find(&format!("fn {test}(")) else { return false };
    let above = &code[..code[..at].rfind('\n').unwrap_or(0)];
    let mut above = above.lines().rev().take_while(|line| line.trim_start().starts_with("#["));
    let is_marked = above.any(|line| line.trim() == "#[test]");
    is_marked || code.split_once("harness::run(").is_some_and(|(_, list)| list.contains(test))
}

#[test]
fn each_failure_has_tests_that_are_there() {
    let text = fs::read_to_string(root().join("docs/failures.md")).unwrap();
    let (wrong, tests) = without_test(&text, |file| fs::read_to_string(root().join(file)).ok());
    assert_eq!(wrong, Vec::<String>::new());
    assert!(tests > 80, "{tests}");
}

/// Shows that the test above can fail.
#[test]
fn a_failure_without_a_test_is_found() {
    let code = "#[test]\nfn there() {}\n\nfn no_test() {}\n    #[test]\n    #[cfg(unix)]\n    fn marked(a: u8) {}\n";
    let text = "| when | what | tests |\n|---|---|---|\n| a | b | `x.rs: there`, `x.rs: marked` (`y.txt`) |\n\
                | c | d | `x.rs: no_test`, `x.rs: gone`, `y.rs: there` |\n| e | `x.rs: there` | |\n";
    let (wrong, tests) = without_test(text, |file| (file == "x.rs").then(|| code.to_owned()));
    let expected = ["x.rs has no test no_test", "x.rs has no test gone", "y.rs has no test there"];
    assert_eq!(wrong[..3], expected);
    assert!(wrong[3].starts_with("no test: | e |") && wrong.len() == 4 && tests == 5, "{wrong:?} {tests}");
    let listed = "fn odd() {}\nfn even() {}\nharness::run(&[(\"odd\", odd)])";
    assert!(is_test(listed, "odd") && !is_test(listed, "even"));
}
