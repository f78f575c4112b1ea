//! The pages of a scrape: those in one folder, or in the places of all users, each as it stands or with the reason why it can't be read.

use crate::exporter::journal::{Identity, Journal};
use crate::exporter::metric::{Family, Labels};
use crate::failure::Failure;
use crate::labels;
use crate::page::reading::Reading;
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::{self, DirEntry};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use trip99::shared::{self, SharedError};
use trip99::{Config, Observer};

/// A page that was looked at.
pub(crate) struct Page<'a> {
    /// The page's name, and what the file of labels says.
    pub(crate) labels: Labels,
    /// An error is the reason, in a word.
    pub(crate) found: Result<Found<'a>, &'static str>,
}

pub(crate) struct Found<'a> {
    pub(crate) reading: Reading,
    /// The quantile that is judged.
    pub(crate) judged_ns: Option<u64>,
    pub(crate) journal: &'a Journal,
    /// The version of trip99 that the owner has, or had.
    pub(crate) version: Option<String>,
    /// The system clock at the reading, in nanoseconds since the Unix epoch.
    pub(crate) wall_ns: u64,
}

impl Found<'_> {
    pub(crate) fn config(&self) -> Option<&Config> {
        self.reading.in_force.config.as_ref()
    }
}

/// What is known of pages from one scrape to the next.
pub(crate) struct Pages {
    /// `None` means the places of all users.
    folder: Option<PathBuf>,
    journals: BTreeMap<PathBuf, Journal>,
    /// What the files of labels said when they could be read last, by the folder.
    labels: BTreeMap<PathBuf, labels::Labels>,
}

impl Pages {
    /// Fails if a file of labels is wrong now: whoever starts the exporter can mend it. Later that is a metric.
    pub(crate) fn new(folder: Option<PathBuf>) -> Result<Self, Failure> {
        let mut pages = Self { folder, journals: BTreeMap::new(), labels: BTreeMap::new() };
        pages.folders().iter().try_for_each(|folder| pages.read_labels(folder))?;
        Ok(pages)
    }

    fn folders(&self) -> Vec<PathBuf> {
        self.folder.clone().map_or_else(shared::places, |folder| vec![folder])
    }

    fn read_labels(&mut self, folder: &Path) -> Result<(), Failure> {
        self.labels.insert(folder.to_owned(), labels::Labels::of_folder(folder)?);
        Ok(())
    }

    /// Reads the pages anew, and says whether there is a mistake in a file of labels.
    pub(crate) fn read(&mut self, wall_ns: impl Fn() -> u64) -> (Vec<Page<'_>>, Family) {
        let folders = self.folders();
        let wrong = folders.iter().filter(|folder| self.read_labels(folder).is_err()).count();
        let help = "Files of labels that can't be read: what they said before is still in use.";
        let unreadable = Family::single("labels_unreadable", help, wrong as u64);
        (self.read_pages(&folders, wall_ns), unreadable)
    }

    fn read_pages(&mut self, folders: &[PathBuf], wall_ns: impl Fn() -> u64) -> Vec<Page<'_>> {
        let paths: Vec<PathBuf> = folders.iter().flat_map(|folder| files(folder)).collect();
        self.journals.retain(|path, _| paths.contains(path));
        let mut read = Vec::new();
        for path in paths {
            match self.read_one(&path) {
                Ok(page) => read.push((path, Ok(page), wall_ns())),
                // It was removed meanwhile.
                Err(SharedError::Io { error, .. }) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => read.push((path, Err(why(&error)), 0)),
            }
        }
        let names = names(read.iter().map(|(path, ..)| path.as_path()));
        let pages = read.into_iter().zip(names).map(|((path, page, wall_ns), name)| {
            let found = page.and_then(|(reading, judged_ns, version)| {
                let journal = self.journals.get(&path).ok_or("gone")?;
                Ok(Found { reading, judged_ns, journal, version, wall_ns })
            });
            Page { labels: self.labels_of(&path, &name), found }
        });
        pages.collect()
    }

    /// Reads a page from its file: what was damaged or cut off since the last time is found as the file is opened.
    fn read_one(&mut self, path: &Path) -> Result<(Reading, Option<u64>, Option<String>), SharedError> {
        let observer = Observer::open(path)?;
        let reading = Reading::take(&observer);
        let judged_ns = reading.in_force.config.as_ref().and_then(|config| observer.quantile_ns(config.quantile_ppm));
        let identity = identify(path).unwrap_or_default();
        match self.journals.get_mut(path) {
            Some(journal) => journal.go_on(identity, observer.events()),
            None => drop(self.journals.insert(path.to_owned(), Journal::begin(identity, observer.events()))),
        }
        Ok((reading, judged_ns, observer.library_version()))
    }

    /// The page's name, and its folder if that is needed to tell it from another page; and what the file of labels says.
    fn labels_of(&self, path: &Path, (page, folder): &Name) -> Labels {
        let own = folder.iter().fold(Labels::of("page", page), |labels, folder| labels.with("folder", folder));
        let from_file = path.parent().and_then(|folder| self.labels.get(folder)).map(|labels| labels.of(page));
        let from_file = from_file.into_iter().flatten().filter(|(name, _)| !OWN.contains(&name.as_str()));
        from_file.fold(own, |labels, (name, value)| labels.with(name, value))
    }
}

/// What the file of labels can't say.
const OWN: [&str; 2] = ["page", "folder"];

/// A page's name; and its folder, if several pages have this name.
type Name = (String, Option<String>);

fn identify(path: &Path) -> Option<Identity> {
    fs::symlink_metadata(path).ok().map(|metadata| (metadata.dev(), metadata.ino()))
}

/// What lies in a folder of pages and should be one, by path. Hidden files are locks, and pages that are being made.
fn files(folder: &Path) -> Vec<PathBuf> {
    let is_page = |entry: &DirEntry| {
        let name = entry.file_name();
        let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
        !is_folder && !name.as_encoded_bytes().starts_with(b".") && name != labels::FILE
    };
    let entries = fs::read_dir(folder).into_iter().flatten().flatten().filter(is_page);
    let mut paths: Vec<_> = entries.map(|entry| entry.path()).collect();
    paths.sort();
    paths
}

fn names<'a>(paths: impl Iterator<Item = &'a Path> + Clone) -> Vec<Name> {
    let text = |part: Option<&OsStr>| part.unwrap_or_default().to_string_lossy().into_owned();
    let mut count = BTreeMap::<String, u32>::new();
    paths.clone().for_each(|path| *count.entry(text(path.file_name())).or_default() += 1);
    let names = paths.map(|path| {
        let name = text(path.file_name());
        let folder = (count.get(&name) > Some(&1)).then(|| text(path.parent().map(Path::as_os_str)));
        (name, folder)
    });
    names.collect()
}

/// Why a page can't be read, in a word that doesn't change from scrape to scrape.
fn why(error: &SharedError) -> &'static str {
    match error {
        SharedError::Version { .. } => "version",
        SharedError::Truncated { .. } => "truncated",
        SharedError::Damaged { .. } => "damaged",
        SharedError::NotOurs { .. } => "not_ours",
        SharedError::Io { .. } => "io",
        _ => "other",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_is_there_twice_has_its_folder_beside_it() {
        let paths = ["/run/trip99/a/x", "/run/trip99/a/y", "/run/trip99/b/x"].map(Path::new);
        let name = |name: &str, folder: Option<&str>| (name.to_owned(), folder.map(str::to_owned));
        let expected = [name("x", Some("/run/trip99/a")), name("y", None), name("x", Some("/run/trip99/b"))];
        assert_eq!(names(paths.into_iter()), expected);
    }
}
