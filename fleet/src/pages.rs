//! The pages of a host: which there are, what they are like, and what an agent's verdicts do to them.

use crate::agent::{Agent, PageFacts};
use crate::book::Known;
use crate::failure::{Failure, warn};
use crate::files::{Watched, step_back};
use crate::labels::{self, Labels, LabelsFile};
use crate::message::{Id, PageReport};
use crate::time::{S, wall_ns};
use rustix::fs::{FlockOperation, flock};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Sender, channel};
use std::thread;
use trip99::shared::{Halter, SharedError};
use trip99::{Gate, Halted, Holder, Resumed};

/// An owner's warden looks each 250 ms. If it hasn't for this long, nobody would act on a lease.
const GUARDED_NS: u64 = 3 * S;
/// A file that is no page may become one.
const LOOK_AGAIN_NS: u64 = S;
/// Halts of others that come between a look and a lift make the agent look again, this often.
const TRIES: u32 = 10;

const LIFTED: &str = "no halt of the fleet selects this page any more, and its agent is in touch";

/// A page that can be halted.
struct Page {
    path: PathBuf,
    /// The path, as the book has it.
    key: String,
    name: String,
    /// Device and inode.
    identity: (u64, u64),
    halter: Halter,
    labels: Labels,
    looks: u64,
    /// When the warden's looks were seen to go on.
    looked_ns: u64,
    /// The halt for which it is held.
    held_for: Option<Id>,
    /// Since when it is held (UTC); 0 if it isn't.
    held_since_ns: u64,
    wrong: Option<String>,
}

/// All pages of a folder.
pub struct Pages {
    folder: PathBuf,
    host: String,
    pages: Vec<Page>,
    /// Files that are no pages, and when they were looked at.
    others: BTreeMap<(u64, u64), u64>,
    /// Files that may be pages, but can't be halted, and why.
    unreachable: BTreeMap<PathBuf, String>,
    labels: LabelsFile,
    labels_file: Watched,
    for_disk: Vec<Durably>,
    /// Another agent would lift what this one holds.
    _lock: File,
}

impl Pages {
    /// Those of this folder.
    ///
    /// # Errors
    /// There is no such folder, or another agent has it.
    pub fn new(folder: &Path, host: &str) -> Result<Self, Failure> {
        let wrong = |error: std::io::Error| {
            Failure::new(format_args!("the pages' folder {}: {error}; legal: a folder of pages", folder.display()))
        };
        let folder = folder.canonicalize().map_err(wrong)?;
        let lock = File::open(&folder).map_err(wrong)?;
        flock(&lock, FlockOperation::NonBlockingLockExclusive).map_err(|_| {
            Failure::new(format_args!("another agent has the pages of {}; legal: one agent a folder", folder.display()))
        })?;
        let labels_file = Watched::new(&labels::path(&folder));
        let mut pages = Self {
            folder,
            host: host.to_owned(),
            pages: Vec::new(),
            others: BTreeMap::new(),
            unreachable: BTreeMap::new(),
            labels: LabelsFile::default(),
            labels_file,
            for_disk: Vec::new(),
            _lock: lock,
        };
        pages.read_labels();
        Ok(pages)
    }

    /// Reads the labels again if their file has changed.
    pub fn read_labels(&mut self) {
        if !self.labels_file.has_changed() {
            return;
        }
        if let Err(what) = self.labels.read(&self.folder) {
            warn(format_args!("{what}; what was read before stays, and without that each selection means every page"));
        }
        for page in &mut self.pages {
            page.labels = self.labels.of(&page.name, &self.host);
        }
    }

    /// Looks which pages there are.
    pub fn scan(&mut self, now_ns: u64) {
        let entries = fs::read_dir(&self.folder).into_iter().flatten().flatten();
        let mut seen = Vec::new();
        self.unreachable.clear();
        for entry in entries {
            let name = entry.file_name();
            let is_other = name.as_encoded_bytes().starts_with(b".") || name == labels::FILE;
            let Some(found) = entry.metadata().ok().filter(|found| found.is_file() && !is_other) else { continue };
            let (path, identity) = (entry.path(), (found.dev(), found.ino()));
            seen.push((path.clone(), identity));
            let is_known = self.pages.iter().any(|page| page.identity == identity && page.path == path);
            let is_no_page =
                self.others.get(&identity).is_some_and(|&looked_ns| now_ns.saturating_sub(looked_ns) < LOOK_AGAIN_NS);
            if !is_known && !is_no_page {
                self.open(path, &name.to_string_lossy(), identity, now_ns);
            }
        }
        self.others.retain(|identity, _| seen.iter().any(|(_, seen)| seen == identity));
        for page in &mut self.pages {
            let is_there = seen.iter().any(|(path, identity)| *path == page.path && *identity == page.identity);
            page.wrong = (!is_there).then(|| "its path no longer leads to it".to_owned());
        }
        // A page that was removed under a running engine is held on.
        self.pages.retain(|page| page.wrong.is_none() || page.halter.gate().is_some_and(is_owned));
    }

    fn open(&mut self, path: PathBuf, name: &str, identity: (u64, u64), now_ns: u64) {
        match Halter::open(&path) {
            Ok(halter) => {
                for warning in halter.warnings() {
                    warn(format_args!("{}: {warning}", path.display()));
                }
                self.pages.push(Page {
                    key: path.to_string_lossy().into_owned(),
                    name: name.to_owned(),
                    identity,
                    looks: halter.gate().map_or(0, |gate| gate.lease().looks),
                    halter,
                    labels: self.labels.of(name, &self.host),
                    looked_ns: now_ns,
                    held_for: None,
                    held_since_ns: 0,
                    wrong: None,
                    path,
                });
            }
            Err(SharedError::NotOurs { what: "no page of trip99", .. }) => _ = self.others.insert(identity, now_ns),
            // It may be gone again.
            Err(SharedError::Io { error, .. }) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => _ = self.unreachable.insert(path, error.to_string()),
        }
    }

    /// What selects a page now selects it for good. True if what the agent keeps changed by that.
    pub fn settle(&self, agent: &mut Agent) -> bool {
        self.pages.iter().fold(false, |is_news, page| agent.settle(&page.key, &page.labels) | is_news)
    }

    /// Carries out the agent's verdict on each page. What the disk is to know of it waits for [`take_for_disk`](Self::take_for_disk).
    pub fn apply(&mut self, agent: &Agent, now_ns: u64) {
        for page in &mut self.pages {
            self.for_disk.extend(page.apply(agent, now_ns));
        }
    }

    /// The halts that are to be made durable, or to be forgotten, since this was asked last; oldest first.
    pub fn take_for_disk(&mut self) -> Vec<Durably> {
        std::mem::take(&mut self.for_disk)
    }

    /// The agent's report of its pages: of those that a halt selects, or of all.
    pub fn report(&self, halt: Option<&Known>, now_ns: u64) -> Vec<PageReport> {
        let is_meant = |page: &&Page| halt.is_none_or(|known| known.pages.contains(&page.key));
        let pages = self.pages.iter().filter(is_meant).map(|page| page.report(now_ns));
        let unreachable = self.unreachable.iter().map(|(path, why)| PageReport {
            name: path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned()),
            path: path.to_string_lossy().into_owned(),
            wrong: Some(why.clone()),
            ..PageReport::default()
        });
        pages.chain(unreachable).collect()
    }

    /// Ends each page's lease for good and lifts what this fleet holds: the host leaves the fleet. Returns how many pages there were.
    pub fn release(&mut self, reason: &str) -> usize {
        for page in &mut self.pages {
            if let Some(gate) = page.halter.gate() {
                gate.lease_until(None);
            }
            for holder in [Holder::FLEET, Holder::FLEET_LEASE] {
                page.lift(holder, reason);
            }
        }
        self.pages.len()
    }
}

/// What is to be done by a thread that may wait for the disk.
pub enum Durably {
    /// The halt is to outlive memory.
    Keep(PathBuf),
    /// It is over.
    Forget(PathBuf, trip99::HaltNote),
}

impl Durably {
    /// Does it. What fails the owner's warden does, too.
    pub fn run(self) {
        match self {
            Self::Keep(path) => _ = Halter::open(path).map(|halter| halter.make_durable(Holder::FLEET)),
            Self::Forget(path, note) => _ = Halter::open(path).map(|halter| halter.forget(&note)),
        }
    }
}

/// A thread that does this, one after the other: a halt that is kept late must not come after that it is over.
///
/// # Errors
/// The operating system refuses.
pub fn disk() -> Result<Sender<Durably>, Failure> {
    let (sender, receiver) = channel::<Durably>();
    let run = move || {
        step_back();
        receiver.into_iter().for_each(Durably::run);
    };
    thread::Builder::new().name("page-disk".to_owned()).spawn(run).map_err(Failure::new)?;
    Ok(sender)
}

fn is_owned(gate: &Gate) -> bool {
    gate.owner().is_some_and(|owner| owner.alive)
}

impl Page {
    fn facts(&mut self, now_ns: u64) -> PageFacts<'_> {
        let is_held = self.is_held();
        let Some(gate) = self.halter.gate() else {
            return PageFacts { path: &self.key, lease_ends_ns: 0, is_unguarded: true, is_held };
        };
        let lease = gate.lease();
        if lease.looks != self.looks {
            (self.looks, self.looked_ns) = (lease.looks, now_ns);
        }
        let is_unguarded = now_ns.saturating_sub(self.looked_ns) >= GUARDED_NS && is_owned(gate);
        PageFacts { path: &self.key, lease_ends_ns: lease.ends_ns.unwrap_or(0), is_unguarded, is_held }
    }

    fn apply(&mut self, agent: &Agent, now_ns: u64) -> Option<Durably> {
        let verdict = agent.verdict(&self.facts(now_ns), now_ns);
        let mut durably = None;
        let is_held = self.is_held();
        match verdict.hold {
            // Somebody who broke the glass lifted it: it is held again at once.
            Some(hold) if !is_held || (hold.id.is_some() && hold.id != self.held_for) => {
                let halted = self.halter.halt(Holder::FLEET, &hold.why);
                if halted == Halted::Ended {
                    self.wrong = Some("its breaker has ended".to_owned());
                }
                self.held_for = hold.id;
                self.held_since_ns = wall_ns();
                durably = Some(Durably::Keep(self.path.clone()));
            }
            Some(_) => {}
            None if is_held => {
                durably = self.lift(Holder::FLEET, LIFTED).map(|note| Durably::Forget(self.path.clone(), note))
            }
            None => {}
        }
        if !self.is_held() {
            (self.held_for, self.held_since_ns) = (None, 0);
        } else if self.held_since_ns == 0 {
            self.held_since_ns = wall_ns();
        }
        if let (Some(gate), Some(ends_ns)) = (self.halter.gate(), verdict.lease_ends_ns) {
            gate.lease_until(Some(ends_ns));
        }
        durably
    }

    fn is_held(&self) -> bool {
        self.halter.gate().map_or_else(|| self.halter.is_halted(), |gate| gate.is_held_by(Holder::FLEET))
    }

    /// Lifts the halt of one of the fleet's holders, and returns it.
    fn lift(&mut self, holder: Holder, reason: &str) -> Option<trip99::HaltNote> {
        for _ in 0..TRIES {
            let mut list = self.halter.holders()?;
            let place = list.notes().iter().position(|note| note.holder == Some(holder))?;
            let note = list.notes().get(place).cloned();
            match self.halter.resume(&mut list, place, reason) {
                Resumed::Changed => {}
                _ => return note,
            }
        }
        None
    }

    fn report(&self, now_ns: u64) -> PageReport {
        let mut report = PageReport {
            name: self.name.clone(),
            path: self.key.clone(),
            labels: self.labels.of_file(),
            halted: self.halter.is_halted(),
            held_since_ns: self.held_since_ns,
            wrong: self.wrong.clone(),
            ..PageReport::default()
        };
        let Some(gate) = self.halter.gate() else {
            report.wrong = Some("the page is of another version: update the agent or the engine".to_owned());
            return report;
        };
        report.state = gate.state().map_or_else(String::new, |state| state.to_string());
        report.unwatched = gate.why().unwatched;
        report.holders = gate.holders().notes().iter().map(holder_word).collect();
        let config = gate.config();
        report.quantile_ns = config.as_ref().and_then(|config| gate.quantile_ns(config.quantile_ppm));
        report.threshold_ns = config.map(|config| config.threshold_ns);
        if let Some(owner) = gate.owner() {
            (report.owner_pid, report.owner_alive, report.seen_ago_ns) = (owner.pid, owner.alive, owner.seen_ago_ns);
        }
        report.lease_left_ns = gate.lease().ends_ns.map(|ends_ns| ends_ns.saturating_sub(now_ns));
        report
    }
}

fn holder_word(note: &trip99::HaltNote) -> String {
    note.holder.map_or_else(|| "?".to_owned(), |holder| holder.to_string())
}
