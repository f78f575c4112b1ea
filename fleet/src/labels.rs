//! Labels of pages, from the same file that `trip99` reads: `$TRIP99_LABELS`, else `labels.toml` in the pages' folder.
//!
//! ```toml
//! [gateway-a]          # a page's name
//! desk = "rates"
//! venue = "xetra"
//! ```

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The file of labels in a folder of pages.
pub const FILE: &str = "labels.toml";

const VARIABLE: &str = "TRIP99_LABELS";
/// A file that is longer is no file of labels.
const MAX_BYTES: u64 = 4 << 20;

/// The labels of one page, with its name and its host.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Labels {
    name: String,
    host: String,
    /// `None` if they can't be known: then every selection means the page.
    of_file: Option<BTreeMap<String, String>>,
}

impl Labels {
    /// Labels that are known.
    pub fn known<'a>(name: &str, host: &str, labels: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let labels = labels.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        Self { name: name.to_owned(), host: host.to_owned(), of_file: Some(labels) }
    }

    /// Labels that can't be known, as the file can't be read.
    pub fn unknown(name: &str, host: &str) -> Self {
        Self { name: name.to_owned(), host: host.to_owned(), of_file: None }
    }

    /// Whether the page may have this label; `*` is any value.
    pub fn has(&self, name: &str, value: &str) -> bool {
        let fits = |own: &str| value == "*" || value == own;
        let Some(of_file) = &self.of_file else { return true };
        let of_file = of_file.get(name).is_some_and(|own| fits(own));
        of_file || (name == "name" && fits(&self.name)) || (name == "host" && fits(&self.host))
    }

    /// Those of the file.
    pub fn of_file(&self) -> BTreeMap<String, String> {
        self.of_file.clone().unwrap_or_default()
    }
}

/// A file of labels, as it was read last.
#[derive(Debug, Default)]
pub struct LabelsFile {
    pages: Option<BTreeMap<String, BTreeMap<String, String>>>,
}

impl LabelsFile {
    /// Where the file for this folder is.
    pub fn path(folder: &Path) -> PathBuf {
        let named = std::env::var_os(VARIABLE).filter(|named| !named.is_empty());
        named.map_or_else(|| folder.join(FILE), PathBuf::from)
    }

    /// Reads the file. A folder without one has no labels.
    ///
    /// # Errors
    /// What is wrong with the file. What was read before stays.
    pub fn read(&mut self, path: &Path) -> Result<(), String> {
        let wrong = |what: &dyn std::fmt::Display| format!("{}: {what}; legal: a TOML file of labels", path.display());
        let found = match std::fs::metadata(path) {
            Ok(found) => found,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound && std::fs::symlink_metadata(path).is_err() => {
                self.pages = Some(BTreeMap::new());
                return Ok(());
            }
            Err(error) => return Err(wrong(&error)),
        };
        if !found.is_file() || found.len() > MAX_BYTES {
            return Err(wrong(&"it is not a plain file of at most 4 MB"));
        }
        let text = std::fs::read_to_string(path).map_err(|error| wrong(&error))?;
        self.pages = Some(toml::from_str(&text).map_err(|error| wrong(&error.to_string().trim_end()))?);
        Ok(())
    }

    /// The labels of a page.
    pub fn of(&self, page: &str, host: &str) -> Labels {
        let of_file = self.pages.as_ref().map(|pages| pages.get(page).cloned().unwrap_or_default());
        Labels { name: page.to_owned(), host: host.to_owned(), of_file }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_can_not_be_read_makes_labels_unknown_or_keeps_what_was_known() {
        let path = std::env::temp_dir().join(format!("trip99-fleet-labels-{}", std::process::id()));
        let mut file = LabelsFile::default();
        assert!(file.of("a", "h").has("desk", "anything"), "nothing was read so far");
        std::fs::write(&path, "[a]\ndesk = 7").unwrap();
        let error = file.read(&path).unwrap_err();
        assert!(error.contains("legal: a TOML file"), "{error}");
        assert!(file.of("a", "h").has("desk", "anything"));
        std::fs::write(&path, "[a]\ndesk = \"rates\"").unwrap();
        file.read(&path).unwrap();
        assert!(file.of("a", "h").has("desk", "rates") && !file.of("a", "h").has("desk", "fx"));
        assert!(!file.of("b", "h").has("desk", "rates"));
        std::fs::write(&path, "[a").unwrap();
        assert!(file.read(&path).is_err() && !file.of("a", "h").has("desk", "fx"));
        std::fs::remove_file(&path).unwrap();
        file.read(&path).unwrap();
        assert!(!file.of("a", "h").has("desk", "rates"));
        assert!(file.read(Path::new("/dev/null")).is_err());
    }
}
