//! The pages of a scrape: those in one folder, or in the places of all users, each as it stands or with the reason why it can't be read.

use crate::exporter::journal::Journal;
use crate::exporter::latencies::Latencies;
use crate::exporter::metric::{Family, Labels};
use crate::failure::{Failure, warn};
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
    pub(crate) counted: &'a Counted,
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

/// Device and inode of a page's file.
type Identity = (u64, u64);

/// What was counted of a page up to now.
pub(crate) struct Counted {
    identity: Identity,
    pub(crate) journal: Journal,
    /// `None` without a tap.
    pub(crate) latencies: Option<Latencies>,
}

impl Counted {
    fn begin(identity: Identity, observer: &Observer) -> Self {
        let latencies = observer.tap().map(Latencies::begin);
        Self { identity, journal: Journal::begin(observer.events()), latencies }
    }

    /// Counts what is new. A page that was made anew has new events alone.
    fn go_on(&mut self, identity: Identity, observer: &Observer) {
        let is_anew = identity != self.identity;
        self.identity = identity;
        self.journal.go_on(is_anew, observer.events());
        match (&mut self.latencies, observer.tap()) {
            (Some(latencies), Some(tap)) => latencies.go_on(is_anew, tap),
            (_, tap) => self.latencies = tap.map(Latencies::begin),
        }
    }
}

/// What is known of pages from one scrape to the next.
pub(crate) struct Pages {
    /// `None` means the places of all users.
    folder: Option<PathBuf>,
    counted: BTreeMap<PathBuf, Counted>,
    /// What the files of labels said when they could be read last, by the folder.
    labels: BTreeMap<PathBuf, labels::Labels>,
}

impl Pages {
    /// Warns of a mistake in a file of labels, and goes on: who watches must come up, though somebody mistyped. Later that is a metric.
    pub(crate) fn new(folder: Option<PathBuf>) -> Self {
        let mut pages = Self { folder, counted: BTreeMap::new(), labels: BTreeMap::new() };
        for folder in pages.folders() {
            if let Err(Failure::Message(why)) = pages.read_labels(&folder) {
                warn(why);
            }
        }
        pages
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
        self.counted.retain(|path, _| paths.contains(path));
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
                let counted = self.counted.get(&path).ok_or("gone")?;
                Ok(Found { reading, judged_ns, counted, version, wall_ns })
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
        match self.counted.get_mut(path) {
            Some(counted) => counted.go_on(identity, &observer),
            None => drop(self.counted.insert(path.to_owned(), Counted::begin(identity, &observer))),
        }
        Ok((reading, judged_ns, observer.owner_version()))
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
