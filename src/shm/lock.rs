//! The owner's lock: a page has one owner at a time. The lock dies with its process, and children don't inherit it.
//!
//! POSIX record locks are like that. (`flock` and open-file-description locks live on in a forked child.) But a process loses such
//! a lock when it closes any descriptor of the file. So the lock is on a file of its own, `.<name>.lock` beside the page, which
//! nothing else opens. Within a process such locks don't exclude. So a list tells which pages this process owns. (So a process
//! should have one copy of this library.)

use super::error::SharedError;
use super::trust;
use rustix::fs::{FileType, FlockOperation, Mode, OFlags, Stat, fcntl_lock, fstat, open, stat};
use rustix::io::Errno;
use rustix::process::{Flock, FlockType, fcntl_getlk, getpid};
use std::ffi::OsString;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Device and inode of a lock file.
type Key = (u64, u64);

/// The locks that this process has. In a forked child the list has those of its parent, by the parent's process id, too.
static OWNED: Mutex<Vec<(Key, u32)>> = Mutex::new(Vec::new());

/// The list, locked. It stays locked while a lock file is looked at: closing the file would drop a lock that another thread got
/// meanwhile.
fn owned() -> MutexGuard<'static, Vec<(Key, u32)>> {
    OWNED.lock().unwrap_or_else(PoisonError::into_inner)
}

pub(crate) fn own_pid() -> u32 {
    getpid().as_raw_nonzero().get().cast_unsigned()
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
    /// The lock file. It is dropped, and thereby unlocked, only while `OWNED` is locked.
    file: Option<File>,
    key: Key,
    /// The owner's process.
    pid: u32,
}

impl OwnerLock {
    /// Takes the lock of a page.
    ///
    /// # Errors
    /// `Owned` if another breaker, of this process or another, has the lock; `NotOurs`; `Io`.
    pub(crate) fn take(page: &Path) -> Result<Self, SharedError> {
        let path = beside(page, ".lock")?;
        let mut owned = owned();
        // A round leads to another only if the other side changed something: an owner ended, or the file was replaced.
        for _ in 0..100 {
            if stat(&path).is_ok_and(|stat| owned.contains(&(key(&stat), own_pid()))) {
                return Err(SharedError::Owned { path: page.to_owned(), pid: Some(own_pid()) });
            }
            let file = open_file(&path, OFlags::RDWR | OFlags::CREATE, "open")?;
            let opened = fstat(&file).map_err(SharedError::io(&path, "look at"))?;
            trust::check(&path, &opened, FileType::RegularFile, false, true)?;
            match fcntl_lock(&file, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => {}
                Err(Errno::ACCESS | Errno::AGAIN) => match holder_by(&file) {
                    Some(pid) => return Err(SharedError::Owned { path: page.to_owned(), pid }),
                    None => continue,
                },
                Err(error) => return Err(SharedError::io(&path, "lock")(error)),
            }
            if stat(&path).is_ok_and(|stat| key(&stat) == key(&opened)) {
                let key = key(&opened);
                owned.push((key, own_pid()));
                return Ok(Self { file: Some(file), key, pid: own_pid() });
            }
        }
        Err(SharedError::io(&path, "lock")(Errno::AGAIN))
    }
}

impl Drop for OwnerLock {
    fn drop(&mut self) {
        if self.pid != own_pid() {
            return; // this is the child of a fork: nothing is its own, and another thread may have held the list at the fork
        }
        let mut owned = owned();
        owned.retain(|&(key, _)| key != self.key);
        self.file = None;
    }
}

/// The process that owns the page. It is `None` if nobody owns it, and `Some(None)` if the process can't be told.
pub(crate) fn holder(page: &Path) -> Option<Option<u32>> {
    let path = beside(page, ".lock").ok()?;
    let owned = owned();
    if stat(&path).is_ok_and(|stat| owned.contains(&(key(&stat), own_pid()))) {
        return Some(Some(own_pid()));
    }
    holder_by(&open_file(&path, OFlags::RDONLY, "open").ok()?)
}

fn holder_by(file: &File) -> Option<Option<u32>> {
    let lock = fcntl_getlk(file, &Flock::from(FlockType::WriteLock)).ok()??;
    Some(lock.pid.map(|pid| pid.as_raw_nonzero().get().cast_unsigned()))
}

fn key(stat: &Stat) -> Key {
    (stat.st_dev, stat.st_ino)
}
