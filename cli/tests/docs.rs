//! What README and docs show of the command is what the command takes.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// Pages by their paths from the root.
fn pages() -> Vec<(PathBuf, String)> {
    let mut paths = vec![PathBuf::from("README.md"), "cpp_example/README.md".into(), "CONTRIBUTING.md".into()];
    let docs = fs::read_dir(Path::new(ROOT).join("docs")).expect("docs/ is there");
    paths.extend(docs.map(|entry| Path::new("docs").join(entry.expect("an entry").file_name())));
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "md"));
    let read = |path: PathBuf| (path.clone(), fs::read_to_string(Path::new(ROOT).join(&path)).expect("text"));
    paths.into_iter().map(read).collect()
}

/// The blocks of a page in this language.
fn blocks<'a>(page: &'a str, language: &str) -> Vec<&'a str> {
    let begin = format!("\n```{language}\n");
    page.split(&begin).skip(1).map(|rest| rest.split("\n```").next().unwrap_or(rest)).collect()
}

/// The words of a command of a shell, up to a pipe, a redirection or a comment.
fn words(command: &str) -> Vec<String> {
    let (mut words, mut word, mut quote, mut begun) = (Vec::new(), String::new(), None, false);
    for letter in command.chars().chain([' ']) {
        match (letter, quote) {
            (_, Some(open)) if letter == open => quote = None,
            (_, Some(_)) => word.push(letter),
            ('\'' | '"', None) => (quote, begun) = (Some(letter), true),
            ('|' | '>' | '<' | '#' | '&' | ';', None) if word.is_empty() && !begun => return words,
            (' ', None) if word.is_empty() && !begun => {}
            (' ', None) => {
                words.push(std::mem::take(&mut word));
                begun = false;
            }
            _ => word.push(letter),
        }
    }
    words
}

/// The arguments of the tool, if this is a command of it.
fn arguments(command: &str) -> Option<Vec<String>> {
    let words = words(command);
    let words: Vec<&str> =
        words.iter().map(String::as_str).skip_while(|word| word.contains('=') && !word.starts_with('-')).collect();
    match words.as_slice() {
        ["trip99" | "./trip99" | "target/release/trip99", rest @ ..]
        | ["cargo", "run", "--release", "--", rest @ ..] => Some(rest.iter().map(|&word| word.to_owned()).collect()),
        ["sudo", "-u", _, "trip99", rest @ ..] | ["sudo", "trip99", rest @ ..] => {
            Some(rest.iter().map(|&word| word.to_owned()).collect())
        }
        _ => None,
    }
}

#[test]
fn every_command_that_the_docs_show_is_one() {
    let mut commands = 0;
    for (path, page) in pages() {
        for language in ["console", "sh"] {
            for block in blocks(&page, language) {
                let block = block.replace("\\\n", " ");
                for line in block.lines() {
                    let command = line.strip_prefix("$ ").or((language == "sh").then_some(line));
                    let Some(arguments) = command.and_then(arguments) else { continue };
                    commands += 1;
                    // With --help nothing is done, and yet each word before it has to be right.
                    let help = Command::new(env!("CARGO_BIN_EXE_trip99"))
                        .args(&arguments)
                        .arg("--help")
                        .output()
                        .expect("it runs");
                    let errors = String::from_utf8_lossy(&help.stderr);
                    assert!(help.status.success(), "{}: {line}\n{errors}", path.display());
                }
            }
        }
    }
    assert!(commands > 40, "{commands}");
}

#[test]
fn words_are_a_shells() {
    assert_eq!(
        words("trip99 halt a --reason 'prices look wrong' # comment"),
        ["trip99", "halt", "a", "--reason", "prices look wrong"]
    );
    assert_eq!(words("a \"b c\" '' d>e > f"), ["a", "b c", "", "d>e"]);
    assert_eq!(arguments("TZ=UTC trip99 ls"), Some(vec!["ls".into()]));
    assert_eq!(arguments("cargo build"), None);
}

#[test]
fn every_file_of_settings_that_the_docs_show_is_read() {
    let mut files = 0;
    for (path, page) in pages() {
        for block in blocks(&page, "toml") {
            let table: toml::Table =
                block.parse().unwrap_or_else(|error| panic!("{}: {error}\n{block}", path.display()));
            if table.keys().any(|key| trip99::Config::SETTINGS.iter().any(|setting| setting.name() == key)) {
                files += 1;
                if let Err(error) = trip99::Config::from_toml(block) {
                    panic!("{}: {error}\n{block}", path.display());
                }
            }
        }
    }
    assert!(files >= 3, "{files}");
}

/// A link to another page, or to a heading of it, leads there.
#[test]
fn every_link_within_the_docs_leads_somewhere() {
    let anchor = |heading: &str| -> String {
        let kept = heading.trim_start_matches('#').trim().to_lowercase();
        kept.chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c)).collect::<String>().replace(' ', "-")
    };
    let mut links = 0;
    for (path, page) in pages() {
        for target in page.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            if target.contains("://") || target.contains(' ') || target.contains('\n') {
                continue;
            }
            links += 1;
            let (file, heading) =
                target.split_once('#').map_or((target, None), |(file, heading)| (file, Some(heading)));
            let folder = Path::new(ROOT).join(&path).parent().expect("a folder").to_owned();
            let file = if file.is_empty() { Path::new(ROOT).join(&path) } else { folder.join(file) };
            assert!(file.exists(), "{}: {target}", path.display());
            if let Some(heading) = heading {
                let text = fs::read_to_string(&file).expect("text");
                let found = text.lines().filter(|line| line.starts_with('#')).any(|line| anchor(line) == heading);
                assert!(found, "{}: {target}", path.display());
            }
        }
    }
    assert!(links > 50, "{links}");
}
