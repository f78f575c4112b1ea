//! Halting a page in any condition. Who wants to stop trading is not turned away by a page that is odd.

use super::durable;
use super::error::SharedError;
use super::lock::open_file;
use super::mapping::{Mapping, Stump};
use super::observer::signature;
use super::signs::Signs;
use super::trust;
use crate::clock::wall_ns;
use crate::handles::{Gate, HaltNote, Halted, Holders, Resumed};
use crate::holder::Holder;
use rustix::fs::{OFlags, fstat, lstat};
use rustix::io::Errno;
use std::io;
use std::path::{Path, PathBuf};

/// Halts a page by its path, and resumes it, whatever condition the page is in. It is for tools; an engine has a
/// [`Gate`](crate::Gate).
///
/// A file is a page of trip99 if at least two of these say so: its length, its own magic number, and the page's magic number. Then it
/// is halted, and what is odd about it is told afterwards: [`warnings`](Self::warnings). The page may have several names, a mode that lets
/// others write, a damaged header, or a layout of another version. It is never reached through a symbolic link (only the last part of
/// the path is looked at), and root obeys only folders of root or of the page's owner.
///
/// ```
/// # #[cfg(target_os = "linux")] {
/// use trip99::shared::Halter;
/// use trip99::{Breaker, Config, Halted, Holder, Start};
///
/// let path = trip99::shared::path(&format!("doc-halter-{}", std::process::id()))?;
/// # let _ = std::fs::remove_file(&path);
/// let mut breaker = Breaker::create_shared(&path, Config::default(), Start::Closed)?;
///
/// // In another process:
/// let ann = Holder::new("ann@desk-7").expect("a legal name");
/// let halter = Halter::open(&path)?;
/// assert_eq!(halter.halt(ann, "prices look wrong"), Halted::Done);
/// assert!(halter.make_durable(ann).is_ok());
///
/// assert!(!breaker.allow());
/// let mut list = halter.holders().expect("this version's page");
/// halter.resume(&mut list, 0, "prices are right");
/// breaker.poll();
/// assert!(breaker.allow());
/// # std::fs::remove_file(&path).unwrap();
/// # }
/// # Ok::<(), trip99::shared::SharedError>(())
/// ```
pub struct Halter {
    reach: Reach,
    path: PathBuf,
    warnings: Vec<String>,
}

/// How far a page can be reached.
enum Reach {
    /// It is of this version.
    Page(Box<Gate>),
    /// It is of another version, whose gate alone lies where this version has it; or it was cut off.
    Stump(Stump),
}

impl Halter {
    /// Opens a page to halt it, or to resume.
    ///
    /// # Errors
    /// [`SharedError`] if there is no such file; if it is no page of trip99, or a symbolic link; if it is another user's, and this
    /// user may not write to it; if it is too short to have a gate. The file is not written to then.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, SharedError> {
        let path = path.as_ref();
        // The file is looked at before it is opened, as opening may mean something to a device.
        trust::check_kind(path, &lstat(path).map_err(SharedError::io(path, "open"))?)?;
        let file = open_file(path, OFlags::RDWR, "open")?;
        let stat = fstat(&file).map_err(SharedError::io(path, "look at"))?;
        trust::check_kind(path, &stat)?;
        trust::check_folder(path, &trust::look_at_folder(path)?, stat.st_uid)?;
        let len = u64::try_from(stat.st_size).unwrap_or(0);
        let signs = Signs::read(&file, len);
        if signs.count() < 2 {
            return Err(SharedError::not_ours(path, "no page of trip99"));
        }
        let mut warnings = trust::oddities(path, &stat);
        warnings.extend(signs.oddities());
        let reach = match (signs.other_version(), signs.sizes(len)) {
            (None, Some(sizes)) => {
                Reach::Page(Box::new(Gate::new(Mapping::open_damaged(path, file, sizes)?.observer(), signature())))
            }
            (None, None) => {
                warnings
                    .push(format!("the file was cut off after {len} bytes: it kills its owner, and keeps no reason"));
                Reach::Stump(Stump::open(path, &file, len, true)?)
            }
            (Some(version), _) => {
                let known = Signs::KNOWN;
                warnings
                    .push(format!("the page has layout version {version}; known: {known}. Only its gate is halted"));
                Reach::Stump(Stump::open(path, &file, len, false)?)
            }
        };
        Ok(Self { reach, path: path.to_owned(), warnings })
    }

    /// What is odd about the page, for people. It may be nothing.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// The page, if it is of this version.
    pub fn gate(&self) -> Option<&Gate> {
        match &self.reach {
            Reach::Page(gate) => Some(gate),
            Reach::Stump(_) => None,
        }
    }

    /// True if calls are refused now because somebody halted.
    pub fn is_halted(&self) -> bool {
        match &self.reach {
            Reach::Page(gate) => gate.is_halted(),
            Reach::Stump(stump) => stump.gate().is_halted(),
        }
    }

    /// Halts in somebody's name. The gate is shut when this returns. Any holder is legal here, also trip99's own.
    ///
    /// The halt isn't durable so far: see [`make_durable`](Self::make_durable).
    pub fn halt(&self, holder: Holder, reason: &str) -> Halted {
        match &self.reach {
            Reach::Page(gate) => gate.halt_as(holder, reason),
            Reach::Stump(stump) => {
                stump.halt(&signature().act(holder, reason, wall_ns()));
                Halted::Done
            }
        }
    }

    /// Who holds a halt. `None` if the page is of another version.
    pub fn holders(&self) -> Option<Holders> {
        self.gate().map(|gate| gate.holders())
    }

    /// Lifts the halt at this place of the list, as [`Gate::resume_listed`](crate::Gate::resume_listed) does, and then unlinks the
    /// files by which it outlives memory. For a page of another version this does nothing, and tells that it is held by nobody.
    pub fn resume(&self, list: &mut Holders, place: usize, reason: &str) -> Resumed {
        let Some(gate) = self.gate() else { return Resumed::NotHeld };
        gate.resume_listed(list, place, reason)
    }

    /// Makes the latest halt of a holder outlive memory: see [`state_dir`](super::state_dir). When this returns without an error the halt
    /// survives a power failure. This waits for a disk.
    ///
    /// # Errors
    /// The page names no folder, or the operating system refuses. The halt holds all the same; the owner's process tries, too.
    pub fn make_durable(&self, holder: Holder) -> io::Result<PathBuf> {
        let (folder, note) = self.kept(holder)?;
        durable::write(&folder, &self.path, holder, &note)
    }

    /// Unlinks the files of a holder's halts up to the entry of the note that was listed.
    ///
    /// # Errors
    /// The page names no folder, or the operating system refuses. Then the next new owner is halted once more.
    pub fn forget(&self, note: &HaltNote) -> io::Result<()> {
        let holder = note.holder.ok_or_else(no_folder)?;
        durable::remove(&self.folder().ok_or_else(no_folder)?, &self.path, holder, note.entry)
    }

    /// The folder where the page's halts outlive memory.
    pub fn folder(&self) -> Option<PathBuf> {
        self.gate()?.state_dir()
    }

    fn kept(&self, holder: Holder) -> io::Result<(PathBuf, HaltNote)> {
        let folder = self.folder().ok_or_else(no_folder)?;
        let note = self.gate().and_then(|gate| {
            let slot = gate.page.slot(holder)?;
            gate.page.board().halts.held().has(slot).then(|| gate.page.note(slot))
        });
        Ok((folder, note.ok_or(Errno::NOENT)?))
    }
}

fn no_folder() -> io::Error {
    io::Error::new(io::ErrorKind::NotFound, "the page names no folder where halts outlive memory")
}
