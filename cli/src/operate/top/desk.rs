//! The pages that are watched, as they stood at the latest look.

use crate::failure::Failure;
use crate::labels::Selector;
use crate::page::folder::{self, Listed};
use crate::page::reading::Reading;
use crate::page::row::Row;
use crate::zone::{Zone, now_ns};
use std::collections::VecDeque;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// How many looks are remembered.
const HISTORY: usize = 240;

/// For how long a row tells that its page was replaced.
const REPLACED_NS: u64 = 300_000_000_000;

/// A page, and what was seen of it.
pub(super) struct Watched {
    pub(super) page: Listed,
    pub(super) reading: Option<Reading>,
    pub(super) row: Row,
    /// The P99 at each look, the latest one last; 0 if there was none.
    pub(super) history: VecDeque<u64>,
    /// Device and inode of its file.
    identity: Option<(u64, u64)>,
    replaced_wall_ns: Option<u64>,
}

impl Watched {
    pub(super) fn new(page: Listed, row: Row) -> Self {
        let history = VecDeque::new();
        Self { page, reading: None, row, history, identity: None, replaced_wall_ns: None }
    }

    fn look(&mut self, zone: &Zone) {
        let found = fs::symlink_metadata(&self.page.place.path).ok().map(|found| (found.dev(), found.ino()));
        if found.is_some() && self.identity.is_some() && found != self.identity {
            self.replaced_wall_ns = Some(now_ns());
        }
        self.identity = found.or(self.identity);
        let read = self.page.read();
        self.row = match found {
            None => Row::unreadable(&self.page, "its file was removed".to_owned()),
            Some(_) => Row::new(&self.page, &read),
        };
        if let Some(at_ns) = self.replaced_wall_ns.filter(|at_ns| now_ns().saturating_sub(*at_ns) < REPLACED_NS) {
            let why = [std::mem::take(&mut self.row.why), format!("its file was replaced at {}", zone.brief(at_ns))];
            self.row.why = why.into_iter().filter(|why| !why.is_empty()).collect::<Vec<_>>().join("; ");
        }
        self.reading = read.ok();
        let p99_ns = self.reading.as_ref().and_then(Reading::p99_ns).unwrap_or(0);
        self.history.push_back(p99_ns);
        self.history.drain(..self.history.len().saturating_sub(HISTORY));
    }

    pub(super) fn path(&self) -> &Path {
        &self.page.place.path
    }
}

pub(super) struct Desk {
    /// A folder that was named.
    named: Option<PathBuf>,
    selector: Selector,
    /// Trouble first.
    pub(super) pages: Vec<Watched>,
    /// What is wrong with folders or files of labels.
    pub(super) mistake: Option<String>,
}

impl Desk {
    /// # Errors
    /// There is no page.
    pub(super) fn open(named: Option<PathBuf>, selector: Selector) -> Result<Self, Failure> {
        let (pages, _) = folder::pages(named.as_deref(), &selector)?;
        if pages.is_empty() {
            return Err(Failure::not_done(format_args!("no page has {selector}")));
        }
        Ok(Self::with(named, selector, Vec::new()))
    }

    pub(super) fn with(named: Option<PathBuf>, selector: Selector, pages: Vec<Watched>) -> Self {
        Self { named, selector, pages, mistake: None }
    }

    /// Looks at all pages, those that have come since among them. One that is gone stays, and its row says so.
    pub(super) fn refresh(&mut self, zone: &Zone) {
        let (found, mistakes) = match folder::pages(self.named.as_deref(), &self.selector) {
            Ok(found) => found,
            Err(failure) => (Vec::new(), vec![failure]),
        };
        self.mistake = mistakes.first().and_then(|mistake| mistake.message().map(str::to_owned));
        for page in found {
            match self.pages.iter_mut().find(|watched| watched.path() == page.place.path) {
                Some(watched) => watched.page.labels = page.labels,
                None => {
                    let row = Row::unreadable(&page, String::new());
                    self.pages.push(Watched::new(page, row));
                }
            }
        }
        self.pages.iter_mut().for_each(|watched| watched.look(zone));
        self.pages.sort_by(|one, other| (one.row.standing, one.path()).cmp(&(other.row.standing, other.path())));
    }
}
