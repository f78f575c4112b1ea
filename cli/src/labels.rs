//! Labels of pages (`desk = "rates"`), by which commands choose pages, and metrics and the audit trail describe them.
//!
//! ```toml
//! [gateway-a]          # a page's name
//! desk = "rates"
//! venue = "xetra"
//! ```

use crate::failure::Failure;
use crate::show::is_unseen;
use clap::{Arg, ArgAction, ArgMatches};
use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use toml::de::{DeTable, DeValue};

/// The file of labels in a folder of pages.
pub(crate) const FILE: &str = "labels.toml";

/// It names a file for the pages of all folders.
const VARIABLE: &str = "TRIP99_LABELS";

/// A file that is longer is no file of labels.
const MAX_BYTES: u64 = 4 << 20;

/// What metrics themselves call their labels, and the labels that Prometheus adds.
const TAKEN: [&str; 14] = [
    "page", "name", "state", "holder", "q", "quantile", "le", "from", "to", "reason", "hash", "version", "job",
    "instance",
];

/// The labels of one page: names with values.
pub(crate) type PageLabels = BTreeMap<String, String>;

/// A file of labels.
#[derive(Debug, Default)]
pub(crate) struct Labels {
    pages: BTreeMap<String, PageLabels>,
}

/// What a page has that no file names.
static NONE: PageLabels = PageLabels::new();

impl Labels {
    /// Those of the pages in this folder: from the file that `$TRIP99_LABELS` names, else from the folder's own file. None if the folder
    /// has no such file.
    pub(crate) fn of_folder(folder: &Path) -> Result<Self, Failure> {
        match std::env::var_os(VARIABLE).filter(|named| !named.is_empty()) {
            Some(named) => Self::read(&PathBuf::from(named)),
            None => {
                let path = folder.join(FILE);
                if fs::symlink_metadata(&path).is_ok() { Self::read(&path) } else { Ok(Self::default()) }
            }
        }
    }

    fn read(path: &Path) -> Result<Self, Failure> {
        let file = path.display();
        let wrong = |what: String| Failure::new(format_args!("{file}: {what}; legal: a TOML file of labels"));
        // A pipe or a device in somebody's folder must not stop a halt.
        match fs::metadata(path) {
            Ok(found) if !found.is_file() => return Err(wrong("it is not a plain file".to_owned())),
            Ok(found) if found.len() > MAX_BYTES => return Err(wrong("it is too long".to_owned())),
            _ => {}
        }
        let text = fs::read_to_string(path).map_err(|error: io::Error| wrong(error.to_string()))?;
        Self::parse(&text).map_err(|Mistake { at, what, legal }| {
            let line = 1 + text.bytes().take(at).filter(|&byte| byte == b'\n').count();
            Failure::new(format_args!("{file}: line {line}: {what}; legal: {legal}"))
        })
    }

    fn parse(text: &str) -> Result<Self, Mistake> {
        let all = DeTable::parse(text).map_err(|error| {
            Mistake::new(
                error.span().map_or(0, |span| span.start),
                error.message(),
                "TOML, as [page] and desk = \"rates\"",
            )
        })?;
        let mut pages = BTreeMap::new();
        for (page, table) in all.get_ref() {
            let name = page.get_ref();
            let DeValue::Table(entries) = table.get_ref() else {
                let what = format!("{name} is in no page's table");
                return Err(Mistake::new(page.span().start, what, "[PAGE], with labels below it"));
            };
            let mut labels = PageLabels::new();
            for (key, value) in entries {
                let at = key.span().start;
                check_name(key.get_ref())
                    .map_err(|legal| Mistake::new(at, format!("[{name}] {}", key.get_ref()), legal))?;
                let value = value_of(value.get_ref())
                    .map_err(|legal| Mistake::new(at, format!("[{name}] {} is no such text", key.get_ref()), legal))?;
                labels.insert(key.get_ref().to_string(), value);
            }
            pages.insert(name.to_string(), labels);
        }
        Ok(Self { pages })
    }

    /// Those of a page, by its name.
    pub(crate) fn of(&self, page: &str) -> &PageLabels {
        self.pages.get(page).unwrap_or(&NONE)
    }
}

/// What is wrong in a text, and at which byte.
#[derive(Debug)]
struct Mistake {
    at: usize,
    what: String,
    legal: String,
}

impl Mistake {
    fn new(at: usize, what: impl Into<String>, legal: impl Into<String>) -> Self {
        Self { at, what: what.into(), legal: legal.into() }
    }
}

/// An error is what would be legal.
fn check_name(name: &str) -> Result<(), String> {
    let fits = name.starts_with(|letter: char| letter.is_ascii_alphabetic() || letter == '_')
        && name.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_');
    match name {
        _ if !fits => Err("a name of letters, digits and _ that doesn't begin with a digit".to_owned()),
        _ if name.starts_with("__") => Err("a name that doesn't begin with __, as Prometheus' own do".to_owned()),
        _ if TAKEN.contains(&name) => Err(format!("any name but those of metrics: {}", TAKEN.join(", "))),
        _ => Ok(()),
    }
}

/// An error is what would be legal.
fn value_of(value: &DeValue<'_>) -> Result<String, &'static str> {
    match value {
        DeValue::String(text) if !text.is_empty() && !text.contains(is_unseen) => Ok(text.to_string()),
        DeValue::Table(_) => Err("a text, as \"rates\"; a page's name with a dot in it is quoted, as [\"gateway.a\"]"),
        _ => Err("a text of letters that are seen, as \"rates\""),
    }
}

/// Which pages a command is for: those that have all of these labels.
#[derive(Debug, Default)]
pub(crate) struct Selector(Vec<(String, String)>);

impl Selector {
    /// The option `--label`.
    pub(crate) fn arg() -> Arg {
        Arg::new("label")
            .long("label")
            .value_name("NAME=VALUE")
            .action(ArgAction::Append)
            .help("Pages with this label; VALUE * is any. Given several times: pages with all of them")
    }

    pub(crate) fn of(matches: &ArgMatches) -> Result<Self, Failure> {
        let given = matches.get_many::<String>("label").into_iter().flatten();
        given.map(|text| Self::parse(text)).collect::<Result<_, _>>().map(Self)
    }

    fn parse(text: &str) -> Result<(String, String), Failure> {
        let wrong = |legal: &str| Failure::new(format_args!("--label {text}; legal: {legal}"));
        let (name, value) = text
            .split_once('=')
            .filter(|(_, value)| !value.is_empty())
            .ok_or_else(|| wrong("NAME=VALUE, as desk=rates"))?;
        check_name(name).map_err(|legal| wrong(&legal))?;
        Ok((name.to_owned(), value.to_owned()))
    }

    /// No label is asked for.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn selects(&self, labels: &PageLabels) -> bool {
        self.0.iter().all(|(name, value)| labels.get(name).is_some_and(|own| value == "*" || own == value))
    }
}

impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let wanted: Vec<_> = self.0.iter().map(|(name, value)| format!("{name}={value}")).collect();
        f.write_str(&format!("label {}", wanted.join(" and ")))
    }
}

/// Labels for people: `desk=rates venue=xetra`.
pub(crate) fn show(labels: &PageLabels) -> String {
    labels.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "[gateway-a]\ndesk = \"rates\"\nvenue = \"xetra\"\n[\"b.1\"]\ndesk = \"fx\"\n[c]\n";

    #[test]
    fn each_page_has_its_labels() {
        let labels = Labels::parse(TEXT).unwrap();
        assert_eq!(show(labels.of("gateway-a")), "desk=rates venue=xetra");
        assert_eq!([show(labels.of("b.1")), show(labels.of("c")), show(labels.of("d"))], ["desk=fx", "", ""]);
    }

    #[test]
    fn a_selector_wants_all_of_its_labels() {
        let labels = Labels::parse(TEXT).unwrap();
        let select = |texts: &[&str]| {
            let selector = Selector(texts.iter().map(|text| Selector::parse(text).unwrap()).collect());
            ["gateway-a", "b.1", "c"].into_iter().filter(|page| selector.selects(labels.of(page))).collect::<Vec<_>>()
        };
        assert_eq!(select(&[]), ["gateway-a", "b.1", "c"]);
        assert_eq!(select(&["desk=rates"]), ["gateway-a"]);
        assert_eq!(select(&["desk=*"]), ["gateway-a", "b.1"]);
        assert_eq!(select(&["desk=*", "venue=xetra"]), ["gateway-a"]);
        assert_eq!(select(&["desk=fx", "venue=*"]), [""; 0]);
        assert_eq!(select(&["desk=rate"]), [""; 0]);
    }

    #[test]
    fn mistakes_are_told_with_their_place() {
        for (text, at, what, legal) in [
            ("[a]\ndesk = 7", 4, "[a] desk", "a text of letters"),
            ("[a]\ndesk = \"\"", 4, "[a] desk", "a text of letters"),
            ("[a]\ndesk = \"\\u202e\"", 4, "[a] desk", "a text of letters"),
            ("[a.b]\ndesk = \"x\"", 3, "[a] b", "[\"gateway.a\"]"),
            ("desk = \"x\"", 0, "desk is in no page's table", "[PAGE]"),
            ("[a]\n1st = \"x\"", 4, "[a] 1st", "doesn't begin with a digit"),
            ("[a]\nthe-desk = \"x\"", 4, "[a] the-desk", "letters, digits and _"),
            ("[a]\n__desk = \"x\"", 4, "[a] __desk", "begin with __"),
            ("[a]\nstate = \"x\"", 4, "[a] state", "but those of metrics: page, name, state"),
            ("[a]\n[a]", 5, "duplicate", "TOML"),
        ] {
            let mistake = Labels::parse(text).unwrap_err();
            assert_eq!(mistake.at, at, "{text}: {mistake:?}");
            assert!(mistake.what.contains(what) && mistake.legal.contains(legal), "{text}: {mistake:?}");
        }
        for text in ["desk", "desk=", "=x", "1=x", "page=x"] {
            assert!(matches!(Selector::parse(text), Err(Failure::Message(why)) if why.contains("; legal: ")), "{text}");
        }
    }

    #[test]
    fn a_file_that_is_none_is_told() {
        let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
        let wrong = |path: &str| match Labels::read(&folder.join(path)) {
            Err(Failure::Message(why)) => why,
            other => panic!("{other:?}"),
        };
        assert!(wrong("src").contains("src: it is not a plain file; legal: "));
        assert!(wrong("not-there.toml").contains("not-there.toml: No such file"));
        let why = wrong("src/labels.rs");
        assert!(why.contains("labels.rs: line 1: ") && why.contains("legal: TOML"), "{why}");
        assert!(Labels::of_folder(&folder).unwrap().pages.is_empty());
    }
}
