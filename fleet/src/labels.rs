//! Labels of pages, as an agent knows them: from the file that `trip99` reads, too. What can't be read may be any label, so that a halt by
//! label means the page.

use std::collections::BTreeMap;
use std::path::Path;
use trip99_labels::LabelsError;
pub use trip99_labels::{FILE, path};

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
    /// `None` if it couldn't be read so far.
    pages: Option<trip99_labels::Labels>,
}

impl LabelsFile {
    /// Reads the file for the pages of this folder. A folder without one has no labels.
    ///
    /// # Errors
    /// What is wrong with the file. What was read before stays.
    pub fn read(&mut self, folder: &Path) -> Result<(), LabelsError> {
        self.pages = Some(trip99_labels::Labels::of_folder(folder)?);
        Ok(())
    }

    /// The labels of a page.
    pub fn of(&self, page: &str, host: &str) -> Labels {
        let of_file = self.pages.as_ref().map(|pages| pages.of(page).clone());
        Labels { name: page.to_owned(), host: host.to_owned(), of_file }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_can_not_be_read_makes_labels_unknown_or_keeps_what_was_known() {
        let folder = std::env::temp_dir().join(format!("trip99-fleet-labels-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir(&folder).unwrap();
        let write = |text: &str| std::fs::write(folder.join(FILE), text).unwrap();
        let mut file = LabelsFile::default();
        assert!(file.of("a", "h").has("desk", "anything"), "nothing was read so far");
        // No text; a name that metrics have themselves.
        for wrong in ["[a]\ndesk = 7", "[a]\ndesk = \"rates\"\n[b]\nstate = \"x\""] {
            write(wrong);
            let error = file.read(&folder).unwrap_err().to_string();
            assert!(error.contains("labels.toml: line ") && error.contains("; legal: "), "{error}");
            assert!(file.of("a", "h").has("desk", "anything"));
        }
        write("[a]\ndesk = \"rates\"");
        file.read(&folder).unwrap();
        assert!(file.of("a", "h").has("desk", "rates") && !file.of("a", "h").has("desk", "fx"));
        assert!(!file.of("b", "h").has("desk", "rates"));
        write("[a");
        assert!(file.read(&folder).is_err() && !file.of("a", "h").has("desk", "fx"));
        std::fs::remove_file(folder.join(FILE)).unwrap();
        file.read(&folder).unwrap();
        assert!(!file.of("a", "h").has("desk", "rates"));
        std::fs::create_dir(folder.join(FILE)).unwrap();
        assert!(file.read(&folder).is_err());
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
