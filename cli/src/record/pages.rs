//! The pages of folders: those that are there, those that come, and those that go.

use super::follow::{Followed, Standing};
use super::line::Item;
use super::position::Positions;
use crate::failure::warn;
use crate::labels::{self, Labels, PageLabels};
use crate::page::place::Place;
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::DirEntryExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::SyncSender;
use std::thread;
use std::time::{Duration, Instant};
use trip99::shared;

/// Journals are looked at this often. A page keeps 1024 events.
const LOOK_EVERY: Duration = Duration::from_millis(10);
/// Folders, owners and paths are looked at this often.
const SCAN_EVERY: Duration = Duration::from_millis(100);
/// Files of labels are read this often.
const LABELS_EVERY: Duration = Duration::from_secs(1);
/// At about so many items the writer gets what there is.
const AT_ONCE: usize = 4096;

pub(crate) struct Pages {
    /// The folder that was given; `None` = the conventional ones of all users.
    folder: Option<PathBuf>,
    boot: String,
    /// How far the pages are recorded that aren't followed now.
    positions: Positions,
    followed: Vec<Followed>,
    /// The page that has the first turn.
    turn: usize,
    /// Files that can't be read as pages: inode, and why.
    refused: BTreeMap<PathBuf, (u64, String)>,
    /// Folders that can't be read.
    unreadable: BTreeSet<PathBuf>,
    /// The labels of each folder's pages.
    labels: BTreeMap<PathBuf, Labels>,
    labels_at: Option<Instant>,
    /// What is wrong with files of labels.
    mistakes: BTreeSet<String>,
}

/// What tells this boot from others.
pub(crate) fn boot() -> String {
    fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default().trim().to_owned()
}

impl Pages {
    pub(crate) fn new(folder: Option<PathBuf>, boot: String, positions: Positions) -> Self {
        Self {
            folder,
            boot,
            positions,
            followed: Vec::new(),
            turn: 0,
            refused: BTreeMap::new(),
            unreadable: BTreeSet::new(),
            labels: BTreeMap::new(),
            labels_at: None,
            mistakes: BTreeSet::new(),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.followed.len()
    }

    /// What was seen of all pages; the writer takes it. Ends when that is wanted, after a last look; or when nobody takes it.
    /// `waiting` counts what the writer has yet to record.
    pub(crate) fn follow(
        mut self,
        mut items: Vec<Item>,
        once: bool,
        (stop, waiting): (&AtomicBool, &AtomicUsize),
        writer: &SyncSender<Vec<Item>>,
    ) {
        let mut scanned = Instant::now();
        loop {
            let is_last = stop.load(Ordering::Relaxed);
            if is_last || scanned.elapsed() >= SCAN_EVERY {
                self.scan(&mut items);
                scanned = Instant::now();
            }
            let is_all = self.take(&mut items);
            let is_idle = items.is_empty();
            waiting.fetch_add(items.len(), Ordering::Relaxed);
            if !is_idle && writer.send(std::mem::take(&mut items)).is_err() {
                return;
            }
            match is_all {
                true if is_last || once && is_idle => return,
                true => thread::sleep(LOOK_EVERY),
                false => {}
            }
        }
    }

    /// Takes what is new in each page. False if there may be more at once.
    fn take(&mut self, items: &mut Vec<Item>) -> bool {
        let count = self.followed.len();
        let mut is_all = true;
        let mut ended = Vec::new();
        for turn in (self.turn..count).chain(0..self.turn.min(count)) {
            if items.len() >= AT_ONCE {
                self.turn = turn;
                is_all = false;
                break;
            }
            let Some(followed) = self.followed.get_mut(turn) else { continue };
            let (standing, has_all) = followed.take(items);
            is_all &= has_all;
            if standing == Standing::Ended {
                ended.push(turn);
            }
        }
        ended.sort_unstable();
        for turn in ended.into_iter().rev() {
            // It may grow again.
            let followed = self.followed.swap_remove(turn);
            self.positions.0.insert(followed.page.id.clone(), followed.position());
        }
        is_all
    }

    /// Looks for pages that came, and for those that went.
    pub(crate) fn scan(&mut self, items: &mut Vec<Item>) {
        let mut index = 0;
        while let Some(followed) = self.followed.get_mut(index) {
            index += 1;
            if followed.look(items) == Standing::Ended {
                while !followed.take(items).1 {}
                items.push(followed.ended());
                index -= 1;
                self.followed.swap_remove(index);
            }
        }
        let known: BTreeMap<PathBuf, u64> =
            self.followed.iter().map(|followed| (followed.place.path.clone(), followed.inode)).collect();
        let folders = self.folder.clone().map_or_else(shared::places, |folder| vec![folder]);
        self.read_labels(&folders);
        let mut found = BTreeSet::new();
        let files: Vec<_> = folders.iter().flat_map(|folder| self.files(folder, items)).collect();
        for (path, inode) in files {
            if known.get(&path) != Some(&inode) {
                self.open(&path, inode, items);
            }
            found.insert(path);
        }
        self.refused.retain(|path, _| found.contains(path));
    }

    /// The files of a folder, with their inodes. Hidden ones are locks, and pages that are being made.
    fn files(&mut self, folder: &Path, items: &mut Vec<Item>) -> Vec<(PathBuf, u64)> {
        let read = fs::read_dir(folder);
        let (change, why) = match &read {
            Ok(_) if self.unreadable.remove(folder) => ("back", None),
            Err(error) if self.unreadable.insert(folder.to_owned()) => ("unreadable", Some(error.to_string())),
            _ => ("", None),
        };
        if let Some(why) = &why {
            warn(format_args!("cannot look for pages in {}: {why}", folder.display()));
        }
        if !change.is_empty() {
            items.push(Item::own("folder", json!({ "path": folder.to_string_lossy(), "change": change, "why": why })));
        }
        let entries = read.into_iter().flatten().flatten();
        let is_page = |name: &[u8]| !name.starts_with(b".") && name != labels::FILE.as_bytes();
        let visible = entries.filter(|entry| is_page(entry.file_name().as_encoded_bytes()));
        visible.map(|entry| (entry.path(), entry.ino())).collect()
    }

    /// A mistake in a file of labels leaves those that were there.
    fn read_labels(&mut self, folders: &[PathBuf]) {
        if self.labels_at.is_some_and(|at| at.elapsed() < LABELS_EVERY) {
            return;
        }
        self.labels_at = Some(Instant::now());
        let mut mistakes = BTreeSet::new();
        for folder in folders {
            match Labels::of_folder(folder) {
                Ok(labels) => drop(self.labels.insert(folder.clone(), labels)),
                Err(mistake) => _ = mistakes.insert(mistake.to_string()),
            }
        }
        mistakes.difference(&self.mistakes).for_each(warn);
        self.mistakes = mistakes;
        let mut followed = std::mem::take(&mut self.followed);
        followed.iter_mut().for_each(|followed| followed.set_labels(&self.labels_of(&followed.place.path)));
        self.followed = followed;
    }

    fn labels_of(&self, page: &Path) -> PageLabels {
        let name = page.file_name().unwrap_or_default().to_string_lossy();
        let labels = page.parent().and_then(|folder| self.labels.get(folder));
        labels.map(|labels| labels.of(&name).clone()).unwrap_or_default()
    }

    fn open(&mut self, path: &Path, inode: u64, items: &mut Vec<Item>) {
        let place = Place { path: path.to_owned() };
        let positions = &self.positions;
        let labels = self.labels_of(path);
        match Followed::open(place, labels.clone(), &self.boot, |id| positions.0.get(id).cloned(), items) {
            Ok(followed) => {
                self.refused.remove(path);
                self.positions.0.remove(&followed.page.id);
                self.followed.push(followed);
            }
            Err(error) => {
                let why = error.to_string();
                if self.refused.get(path) != Some(&(inode, why.clone())) {
                    let name = Place { path: path.to_owned() }.name();
                    let page = json!({ "name": name, "path": path.to_string_lossy(), "id": null, "labels": labels });
                    items.push(Item::own("refused", json!({ "page": page, "why": why })));
                    self.refused.insert(path.to_owned(), (inode, why));
                }
            }
        }
    }
}
