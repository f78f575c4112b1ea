//! Labels of pages (`desk = "rates"`): the file that gives them, which `trip99` and `trip99-fleet` read alike. A file is right as a whole or
//! wrong as a whole, so that no command goes by a part of it.
//!
//! ```toml
//! [gateway-a]          # a page's name
//! desk = "rates"
//! venue = "xetra"
//! ```

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use toml::de::{DeTable, DeValue};

/// The file of labels in a folder of pages.
pub const FILE: &str = "labels.toml";

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
pub type PageLabels = BTreeMap<String, String>;

/// A file of labels.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Labels {
    pages: BTreeMap<String, PageLabels>,
}

/// What a page has that no file names.
static NONE: PageLabels = PageLabels::new();

/// Why a file of labels can't be read: file, line, what is wrong, and what is legal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LabelsError(String);

impl fmt::Display for LabelsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Error for LabelsError {}

/// Where the labels of the pages in this folder are: in the file that `$TRIP99_LABELS` names, else in the folder's own file.
pub fn path(folder: &Path) -> PathBuf {
    named().unwrap_or_else(|| folder.join(FILE))
}

fn named() -> Option<PathBuf> {
    std::env::var_os(VARIABLE).filter(|named| !named.is_empty()).map(PathBuf::from)
}

impl Labels {
    /// Those of the pages in this folder, from the file at [`path`]. A folder without a file of its own has no labels.
    ///
    /// # Errors
    /// The file can't be read or understood, or `$TRIP99_LABELS` names one that isn't there.
    pub fn of_folder(folder: &Path) -> Result<Self, LabelsError> {
        if let Some(named) = named() {
            return Self::read(&named);
        }
        let path = folder.join(FILE);
        match fs::symlink_metadata(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Self::default()),
            // Whatever else there is: that it can't be looked at doesn't mean that there is no label.
            _ => Self::read(&path),
        }
    }

    /// Those of this file.
    ///
    /// # Errors
    /// The file isn't there, or can't be read or understood.
    pub fn read(path: &Path) -> Result<Self, LabelsError> {
        let file = path.display();
        let wrong = |what: &dyn fmt::Display| LabelsError(format!("{file}: {what}; legal: a TOML file of labels"));
        // A pipe or a device in somebody's folder must not stop a halt.
        match fs::metadata(path) {
            Ok(found) if !found.is_file() => return Err(wrong(&"it is not a plain file")),
            Ok(found) if found.len() > MAX_BYTES => return Err(wrong(&"it is too long")),
            _ => {}
        }
        let text = fs::read_to_string(path).map_err(|error| wrong(&error))?;
        Self::parse(&text).map_err(|Mistake { at, what, legal }| {
            let line = 1 + text.bytes().take(at).filter(|&byte| byte == b'\n').count();
            LabelsError(format!("{file}: line {line}: {what}; legal: {legal}"))
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

    /// Those of a page, by its name. A page that the file doesn't name has none.
    pub fn of(&self, page: &str) -> &PageLabels {
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

/// Whether this may be a label's name.
///
/// # Errors
/// What would be legal.
pub fn check_name(name: &str) -> Result<(), String> {
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

/// Control characters, those that turn the direction of writing, and those of no width.
pub fn is_unseen(letter: char) -> bool {
    letter.is_control()
        || matches!(letter, '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}')
        || matches!(letter, '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}')
        || matches!(letter, '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}')
        || matches!(letter, '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "[gateway-a]\ndesk = \"rates\"\nvenue = \"xetra\"\n[\"b.1\"]\ndesk = \"fx\"\n[c]\n";

    #[test]
    fn each_page_has_its_labels() {
        let labels = Labels::parse(TEXT).unwrap();
        let show =
            |page| labels.of(page).iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(" ");
        assert_eq!(show("gateway-a"), "desk=rates venue=xetra");
        assert_eq!([show("b.1"), show("c"), show("d")], ["desk=fx", "", ""]);
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
    }

    #[test]
    fn a_file_that_is_none_is_told() {
        let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
        let wrong = |path: &str| Labels::read(&folder.join(path)).unwrap_err().to_string();
        assert!(wrong("src").contains("src: it is not a plain file; legal: "));
        assert!(wrong("not-there.toml").contains("not-there.toml: No such file"));
        let why = wrong("src/lib.rs");
        assert!(why.contains("lib.rs: line 1: ") && why.contains("legal: TOML"), "{why}");
    }

    #[test]
    fn a_folder_without_a_file_has_no_labels_and_a_link_to_nowhere_is_a_mistake() {
        let folder = std::env::temp_dir().join(format!("trip99-labels-{}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir(&folder).unwrap();
        assert_eq!(Labels::of_folder(&folder), Ok(Labels::default()));
        std::os::unix::fs::symlink("nowhere", folder.join(FILE)).unwrap();
        assert!(Labels::of_folder(&folder).unwrap_err().to_string().contains("labels.toml: No such file"));
        fs::remove_file(folder.join(FILE)).unwrap();
        fs::write(folder.join(FILE), TEXT).unwrap();
        assert_eq!(Labels::of_folder(&folder).unwrap().of("b.1").len(), 1);
        // What can't be looked at isn't taken for nothing.
        assert!(Labels::of_folder(&folder.join(FILE)).is_err());
        fs::remove_dir_all(&folder).unwrap();
    }
}
