//! The others' side: how others watch a page in a file, and ask and halt through it.

use super::durable;
use super::error::SharedError;
use super::held::is_locked;
use super::link::monotonic_ns;
use super::lock::process;
use super::login::login;
use super::mapping::{Access, Mapping};
use super::trust;
use crate::handles::{Gate, Observer, Presence, Signature};
use crate::log::Author;
use crate::page::Page;
use crate::quantile::quantile;
use crate::started::Started;
use crate::sync::{Ordering, load_acquire};
use crate::warden::{self, Charge, Check, Finding, Keep};
use crate::words::Word;
use rustix::fs::{Stat, fstat, lstat};
use rustix::io::Errno;
use std::path::{Path, PathBuf};

/// Who owns a page in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Owner {
    /// The process of the owner, or of the latest one. It is 0 if it can't be told, as from another pid namespace.
    pub pid: u32,
    /// True if the owner exists: its process holds the lock of this page, and of no later one by its name. (The process may be stopped, or busy elsewhere: see
    /// `seen_ago_ns`.)
    pub alive: bool,
    /// How long ago the owner last published its snapshot, in nanoseconds. An owner that polls publishes about every millisecond. It is `None` if the page tells no time before now.
    pub seen_ago_ns: Option<u64>,
    /// True if the page is locked in memory, so that the owner never waits for it.
    pub memory_locked: bool,
    /// How the owner, or the latest one, found the page. `None` if the page tells nothing that this version knows.
    pub started: Option<Started>,
}

/// These functions are for a page in a file (feature `shm`). [`Observer::open`] opens one, and
/// [`Breaker::observer`](crate::Breaker::observer) of a shared breaker has one. For any other breaker they return `None`.
impl Observer {
    /// A read is tried this often, as long as the owner takes in a whole window's worth of samples in the time of each try.
    const QUANTILE_TRIES: u32 = 100;

    /// Watches the page of another process. The file is mapped read-only, and the owner never waits for an observer.
    ///
    /// A user may watch the user's own pages, and root may watch anybody's. The path is the one that the owner gave. A page that is
    /// removed and made anew is another page: open it again.
    ///
    /// ```
    /// # #[cfg(target_os = "linux")] {
    /// use trip99::{Breaker, Config, Observer, Start, State};
    ///
    /// let path = trip99::shared::path(&format!("doc-observer-{}", std::process::id()))?;
    /// # let _ = std::fs::remove_file(&path);
    /// let mut breaker = Breaker::create_shared(&path, Config::default(), Start::Closed)?;
    /// breaker.record(1_000_000);
    ///
    /// // In another process:
    /// let observer = Observer::open(&path)?;
    /// assert_eq!(observer.state(), Some(State::Closed));
    /// assert_eq!(observer.quantile_ns(990_000), Some(1_000_000));
    /// assert!(observer.owner().is_some_and(|owner| owner.alive));
    /// # std::fs::remove_file(&path).unwrap();
    /// # }
    /// # Ok::<(), trip99::shared::SharedError>(())
    /// ```
    ///
    /// # Errors
    /// [`SharedError`] if there is no such file, or if the file is not ours, truncated, of another version, or damaged.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, SharedError> {
        open(path.as_ref(), Access::Observe)
    }

    /// A quantile of the window as the owner last saw it, in nanoseconds. `quantile_ppm` is in parts per million: 990 000 for the
    /// P99. The value is exact, by nearest rank. A verdict counts overdue calls beside the window, but this quantile doesn't.
    ///
    /// It is `None` if the window is empty, or the page is not in a file. It is `None` if a later owner has a larger window than the
    /// file had when it was opened: open it again. And it is `None` if the owner was too fast: 100 times in a row it took in a whole
    /// window's worth of samples in the time that it takes to copy one. This allocates, and takes O(window).
    pub fn quantile_ns(&self, quantile_ppm: u32) -> Option<u64> {
        let mapping = self.mapping()?;
        let file = mapping.file();
        let (_, mut latencies_ns) = (0..Self::QUANTILE_TRIES).find_map(|_| file.mirror.read())?;
        let same_slots = file.front.header.has_sizes(mapping.sizes);
        if same_slots { quantile(&mut latencies_ns, quantile_ppm) } else { None }
    }

    /// How long ago the owner last published its snapshot, in nanoseconds: see [`Owner::seen_ago_ns`]. It is `None` if the page is
    /// not in a file, too. This makes no system call.
    pub fn owner_seen_ago_ns(&self) -> Option<u64> {
        let heartbeat_ns = load_acquire(&self.mapping()?.file().front.owner.heartbeat_ns);
        monotonic_ns().checked_sub(heartbeat_ns)
    }

    /// The owner, and whether it is alive. It is `None` if the page is not in a file. This makes a few system calls.
    pub fn owner(&self) -> Option<Owner> {
        let mapping = self.mapping()?;
        let alive = is_locked(&mapping.descriptor);
        let line = &mapping.file().front.owner;
        let [pid, pid_namespace] = [&line.pid, &line.pid_namespace].map(|word| word.load(Ordering::Relaxed));
        Some(Owner {
            pid: process(pid, pid_namespace).unwrap_or(0),
            alive,
            seen_ago_ns: self.owner_seen_ago_ns(),
            memory_locked: line.memory_locked.load(Ordering::Relaxed) == 1,
            started: Started::from_word(line.started.load(Ordering::Relaxed)),
        })
    }

    /// The version of this library that the owner has, or the latest one had, as in `0.1.0`. It is `None` if the page is not in a file.
    pub fn owner_version(&self) -> Option<String> {
        let [major, minor, patch] = self.mapping()?.file().front.header.owner_version();
        Some(format!("{major}.{minor}.{patch}"))
    }

    /// True if the page's path leads to another file by now, or to none: then nobody finds this page by its path. It is false if the page
    /// is in no file. This makes two system calls.
    pub fn is_replaced(&self) -> bool {
        self.mapping().is_some_and(is_replaced)
    }

    /// True if the page's file is as long as it was when it was opened. Reading a page that somebody has truncated ends the process by SIGBUS:
    /// who reads others' pages asks this first. It is true if the page is in no file. This makes a system call.
    pub fn is_whole(&self) -> bool {
        self.mapping().is_none_or(Mapping::is_whole)
    }

    /// The folder where the page's halts outlive memory; `None` if there is none.
    pub(super) fn state_dir(&self) -> Option<PathBuf> {
        state_dir(self.mapping()?)
    }

    fn mapping(&self) -> Option<&Mapping> {
        self.page.keeper::<Mapping>()
    }
}

/// The folder where the page's halts outlive memory, unless root must not touch it.
fn state_dir(mapping: &Mapping) -> Option<PathBuf> {
    let folder = mapping.file().front.state_dir()?;
    let page = fstat(&mapping.descriptor).ok()?;
    trust::may_keep_halts(&folder, &page).then_some(folder)
}

/// Whether the page's path leads to another file by now, or to none.
fn is_replaced(mapping: &Mapping) -> bool {
    let identity = |stat: Stat| (stat.st_dev, stat.st_ino);
    let opened = fstat(&mapping.descriptor).map(identity);
    opened.is_ok() && lstat(&mapping.path).map(identity) != opened
}

/// What the warden looks at: one look that fails twice running is damage.
pub(crate) fn file_check() -> Check {
    let mut failed = 0_u32;
    Box::new(move |page| {
        let mapping = page.keeper::<Mapping>()?;
        if !mapping.is_whole() {
            return Some(if mapping.has_gate() { Finding::NoOwner } else { Finding::CutOff });
        }
        let what = if is_replaced(mapping) {
            Some("the page's path no longer leads to the page")
        } else if !mapping.file().is_intact() {
            Some("the page's header is damaged")
        } else {
            None
        };
        failed = if what.is_some() { failed.saturating_add(1) } else { 0 };
        let no_owner = || (!is_locked(&mapping.descriptor)).then_some(Finding::NoOwner);
        what.filter(|_| failed >= 2).map(Finding::Damage).or_else(no_owner)
    })
}

/// Keeps a page's halts in the folder that the page names, as they come and go.
pub(crate) fn keep_halts() -> Keep {
    let mut kept = None;
    Box::new(move |page| {
        let Some(mapping) = page.keeper::<Mapping>() else { return };
        if !mapping.is_whole() {
            return;
        }
        let held = page.board().halts.held();
        // The folder's files are for whatever page the path leads to.
        if kept != Some(held)
            && !is_replaced(mapping)
            && let Some(folder) = state_dir(mapping)
        {
            // What failed is tried again. Who halts is told that the halt isn't durable.
            kept = durable::mirror(&folder, &mapping.path, page).ok();
        }
    })
}

/// Whether an owner is there, and whether the path still leads to the page.
fn presence(page: &Page) -> Presence {
    let Some(mapping) = page.keeper::<Mapping>() else { return Presence::Here };
    if is_replaced(mapping) {
        Presence::Replaced
    } else if is_locked(&mapping.descriptor) {
        Presence::Here
    } else {
        Presence::NoOwner
    }
}

/// Who acts by a handle that has the page by its path.
pub(super) fn signature() -> Signature {
    Signature::by_path(login(), Author::this_process(), presence)
}

fn open(path: &Path, access: Access) -> Result<Observer, SharedError> {
    let mapping = Mapping::open(path, access, None)?.ok_or(Errno::NOENT).map_err(SharedError::io(path, "open"))?;
    Ok(Observer { page: mapping.page() })
}

/// This function needs the feature `shm`.
impl Gate {
    /// A gate of the breaker of another process. The page need not have an owner now: a halt waits for the next owner.
    ///
    /// The file is mapped for writing, as a halt, an ask and a granted trial are writes.
    ///
    /// If no process owns the page, or if its owner is killed or silent, this gate refuses until an owner polls. This process watches
    /// the owner by a thread of its own, and so do its children. [`Observer::owner`] tells whether an owner is alive.
    ///
    /// ```
    /// # #[cfg(target_os = "linux")] {
    /// use trip99::{Breaker, Config, Gate, Start};
    ///
    /// let path = trip99::shared::path(&format!("doc-gate-{}", std::process::id()))?;
    /// # let _ = std::fs::remove_file(&path);
    /// let mut breaker = Breaker::create_shared(&path, Config::default(), Start::Closed)?;
    /// assert!(breaker.allow());
    ///
    /// // In another process:
    /// let gate = Gate::open(&path)?;
    /// gate.halt("prices look wrong");
    ///
    /// assert!(!breaker.allow());
    /// assert_eq!(gate.halt_note().expect("there was a halt").reason, "prices look wrong");
    /// gate.resume("");
    /// assert!(breaker.allow());
    /// # std::fs::remove_file(&path).unwrap();
    /// # }
    /// # Ok::<(), trip99::shared::SharedError>(())
    /// ```
    ///
    /// # Errors
    /// The same as of [`Observer::open`]; `Io`, too, if this process can't have the thread that watches the owner.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, SharedError> {
        let observer = open(path.as_ref(), Access::Ask)?;
        observer.page.board().watchers.0.asked.store(1, Ordering::Release);
        let signature = signature();
        let charge =
            Charge { page: &observer.page, signature, file: Some((file_check, keep_halts)), is_for_children: true };
        warden::watch(&charge).map_err(SharedError::io(path.as_ref(), "watch"))?;
        let gate = Self::new(observer, signature);
        // Nobody passes before the warden's first look, either. An owner that comes now takes this back with its first poll.
        if gate.mapping().is_some_and(|mapping| !is_locked(&mapping.descriptor)) {
            gate.page.gate().set_unwatched();
        }
        Ok(gate)
    }
}
