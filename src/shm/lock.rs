//! The owner's locks: a page has one owner at a time. They die with their process, and children don't inherit them.
//!
//! One lock is on a file of its own, `.<name>.lock` beside the page: it is there before the page is. The other is on the page
//! itself. So whoever removes the lock file lets no second owner in while the page stays, and whoever has a page mapped can tell
//! whether that page, and no later one by its name, has an owner.
//!
//! Such a lock tells no process. So the page does (`OwnerLine`), together with the pid namespace in which the number means anything.

use super::error::SharedError;
use super::held::Held;
use super::layout::{HEADER_WORDS, Header, OWNER_WORDS, OwnerLine};
use super::permissions::Permissions;
use super::trust;
use rustix::fs::{FileType, Mode, OFlags, Stat, fstat, lstat, open, stat};
use rustix::io::Errno;
use rustix::process::{Pid, getpid, test_kill_process};
use std::ffi::OsString;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

pub(crate) fn own_pid() -> u32 {
    getpid().as_raw_nonzero().get().cast_unsigned()
}

/// The pid namespace of this process, by its inode. It is 0 if it can't be told, as where no `/proc` is mounted.
pub(crate) fn own_pid_namespace() -> u64 {
    stat("/proc/self/ns/pid").map_or(0, |stat| stat.st_ino)
}

/// The process that a page tells of, if its number means anything here.
pub(crate) fn process(pid: u64, pid_namespace: u64) -> Option<u32> {
    let is_here = pid_namespace != 0 && pid_namespace == own_pid_namespace();
    u32::try_from(pid).ok().filter(|&pid| is_here && pid != 0)
}

/// The file `.<name><suffix>` beside the page.
pub(crate) fn beside(page: &Path, suffix: &str) -> Result<PathBuf, SharedError> {
    let mut name = OsString::from(".");
    name.push(page.file_name().ok_or_else(|| SharedError::not_ours(page, "not a regular file"))?);
    name.push(suffix);
    Ok(page.with_file_name(name))
}

/// Opens a file that is no symbolic link. A new one is for this user alone, and children that run another program don't get it.
pub(crate) fn open_file(path: &Path, flags: OFlags, operation: &'static str) -> Result<File, SharedError> {
    let flags = flags | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    match open(path, flags, Mode::RUSR | Mode::WUSR) {
        Err(Errno::LOOP) => Err(SharedError::not_ours(path, "a symbolic link")),
        opened => opened.map(File::from).map_err(SharedError::io(path, operation)),
    }
}

/// The right to own a page.
pub(crate) struct OwnerLock {
    /// The page. It is let go first: then whoever gets the lock file gets the page, too.
    page: Option<Held>,
    _file: Held,
}

impl OwnerLock {
    /// Takes the lock file of a page. The page itself is to be taken by [`hold_page`](Self::hold_page).
    ///
    /// # Errors
    /// `Owned` if another breaker, of this process or another, has the lock; `NotOurs`; `Io`.
    pub(crate) fn take(page: &Path, permissions: Permissions) -> Result<Self, SharedError> {
        let path = beside(page, ".lock")?;
        // A round leads to another only if somebody replaced the file.
        for _ in 0..100 {
            let file = Held::open(&path, || open_file(&path, OFlags::RDWR | OFlags::CREATE, "open"))?;
            let opened = fstat(file.file()).map_err(SharedError::io(&path, "look at"))?;
            trust::check(&path, &opened, FileType::RegularFile, false, true)?;
            if !file.lock().map_err(SharedError::io(&path, "lock"))? {
                return Err(SharedError::Owned { path: page.to_owned(), pid: told_by(page) });
            }
            if stat(&path).is_ok_and(|stat| is_same(&stat, &opened)) {
                permissions.settle(&path, file.file())?;
                return Ok(Self { page: None, _file: file });
            }
        }
        Err(SharedError::io(&path, "lock")(Errno::AGAIN))
    }

    /// Takes the page, which `open` opens: the file that is there, or a new one. Returns it by a descriptor of its own, which may be
    /// copied and closed without regard to the lock.
    ///
    /// # Errors
    /// Those of `open`; `Owned` if another breaker has the page, although it lost its lock file; `Io`.
    pub(crate) fn hold_page(
        &mut self,
        path: &Path,
        open: impl Fn() -> Result<File, SharedError>,
    ) -> Result<File, SharedError> {
        let held = Held::open(path, open)?;
        if !held.lock().map_err(SharedError::io(path, "lock"))? {
            return Err(SharedError::Owned { path: path.to_owned(), pid: told_by(path) });
        }
        let file = open_file(path, OFlags::RDWR, "open")?;
        check_same(path, held.file(), fstat(&file))?;
        self.page = Some(held);
        Ok(file)
    }

    /// Checks that the path leads to the page that was taken.
    ///
    /// # Errors
    /// `Io`: somebody removed the lock file and made a page at the same time.
    pub(crate) fn check_page_at(&self, path: &Path) -> Result<(), SharedError> {
        self.page.as_ref().map_or(Ok(()), |held| check_same(path, held.file(), lstat(path)))
    }
}

fn check_same(path: &Path, file: &File, found: rustix::io::Result<Stat>) -> Result<(), SharedError> {
    let same = fstat(file).and_then(|file| Ok(is_same(&file, &found?))).map_err(SharedError::io(path, "look at"))?;
    if same { Ok(()) } else { Err(SharedError::io(path, "lock")(Errno::AGAIN)) }
}

fn is_same(one: &Stat, other: &Stat) -> bool {
    (one.st_dev, one.st_ino) == (other.st_dev, other.st_ino)
}

/// The owner of which a page tells, if the page is there and ours and that process exists. (While a page is taken over it tells of
/// its latest owner.)
fn told_by(page: &Path) -> Option<u32> {
    // The file is looked at before it is opened, as opening may mean something to a device.
    let check = |stat: &Stat| trust::check_page(page, stat, true);
    check(&lstat(page).ok()?).ok()?;
    let file = open_file(page, OFlags::RDONLY, "open").ok()?;
    check(&fstat(&file).ok()?).ok()?;
    Header::parse(page, read_words::<HEADER_WORDS>(&file, 0)?).ok()?;
    let [pid, pid_namespace] = OwnerLine::process_of(read_words::<OWNER_WORDS>(&file, OwnerLine::OFFSET)?);
    let pid = process(pid, pid_namespace)?;
    let exists = test_kill_process(Pid::from_raw(i32::try_from(pid).ok()?)?) != Err(Errno::SRCH);
    exists.then_some(pid)
}

fn read_words<const N: usize>(file: &File, offset: u64) -> Option<[u64; N]> {
    let mut bytes = [[0; 8]; N];
    file.read_exact_at(bytes.as_flattened_mut(), offset).ok()?;
    Some(bytes.map(u64::from_ne_bytes))
}
