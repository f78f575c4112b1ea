//! The pages of folders, with their labels.

use crate::failure::Failure;
use crate::labels::{self, Labels, PageLabels, Selector};
use crate::page::place::Place;
use crate::page::reading::Reading;
use std::fs;
use std::path::{Path, PathBuf};
use trip99::shared::SharedError;
use trip99::{Observer, shared};

/// A page, and the labels that it has.
#[derive(Clone)]
pub(crate) struct Listed {
    pub(crate) place: Place,
    pub(crate) labels: PageLabels,
}

impl Listed {
    /// A page that was named. (Labels are not what it was asked for, so a mistake in their file is no reason to fail.)
    pub(crate) fn named(place: Place) -> Self {
        let folder = place.path.parent().unwrap_or(Path::new("."));
        let labels = Labels::of_folder(folder).unwrap_or_default();
        Self { labels: labels.of(&file_name(&place.path)).clone(), place }
    }

    /// How the page stands, or why it can't be read.
    pub(crate) fn read(&self) -> Result<Reading, SharedError> {
        Observer::open(&self.place.path).map(|page| Reading::take(&page))
    }
}

/// A folder of pages.
pub(crate) struct Folder {
    pub(crate) path: PathBuf,
    /// By name.
    pub(crate) pages: Vec<Listed>,
    /// What is wrong with its file of labels. Then no page has a label.
    pub(crate) mistake: Option<Failure>,
}

impl Folder {
    /// No page if it can't be read. Hidden files are no pages: they are locks, and pages that are being made. Nor are folders and a file of
    /// labels.
    pub(crate) fn read(path: &Path) -> Self {
        let entries = fs::read_dir(path).into_iter().flatten().flatten();
        let is_page = |name: &[u8]| !name.starts_with(b".") && name != labels::FILE.as_bytes();
        let is_folder = |entry: &fs::DirEntry| entry.file_type().is_ok_and(|kind| kind.is_dir());
        let visible = entries.filter(|entry| is_page(entry.file_name().as_encoded_bytes()) && !is_folder(entry));
        let mut paths: Vec<_> = visible.map(|entry| entry.path()).collect();
        paths.sort();
        let (labels, mistake) = match Labels::of_folder(path) {
            Ok(labels) => (labels, None),
            Err(mistake) => (Labels::default(), Some(mistake.into())),
        };
        let pages = paths.into_iter().map(|path| {
            let labels = labels.of(&file_name(&path)).clone();
            Listed { place: Place { path }, labels }
        });
        Self { path: path.to_owned(), pages: pages.collect(), mistake }
    }
}

fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// A folder that was named, or the conventional places of all users that one may see.
pub(crate) fn folders(named: Option<&Path>) -> Result<Vec<Folder>, Failure> {
    let Some(named) = named else { return Ok(places()?.iter().map(|path| Folder::read(path)).collect()) };
    match fs::read_dir(named) {
        Ok(_) => Ok(vec![Folder::read(named)]),
        Err(error) => Err(Failure::new(format_args!("{}: {error}; legal: a folder of pages", named.display()))),
    }
}

/// All pages of [`folders`] that have these labels, and what is wrong with files of labels.
pub(crate) fn pages(named: Option<&Path>, selector: &Selector) -> Result<(Vec<Listed>, Vec<Failure>), Failure> {
    let folders = folders(named)?;
    if folders.iter().all(|folder| folder.pages.is_empty()) {
        let looked_in: Vec<_> = folders.iter().map(|folder| folder.path.display().to_string()).collect();
        return Err(Failure::not_done(format_args!("there are no pages in {}", looked_in.join(", "))));
    }
    let (mut pages, mut mistakes) = (Vec::new(), Vec::new());
    for folder in folders {
        pages.extend(folder.pages.into_iter().filter(|page| selector.selects(&page.labels)));
        // The same file may be that of all folders.
        let is_new = |mistake: &Failure| mistakes.iter().all(|other: &Failure| other.message() != mistake.message());
        mistakes.extend(folder.mistake.filter(is_new));
    }
    Ok((pages, mistakes))
}

/// A name that is none leads to the places, or to what is wrong with them.
fn places() -> Result<Vec<PathBuf>, Failure> {
    match shared::find("ls") {
        Err(SharedError::NoPage { looked_in, .. }) => Ok(looked_in),
        Ok(_) | Err(SharedError::Ambiguous { .. }) => Ok(shared::places()),
        Err(error) => Err(Failure::new(error)),
    }
}
