//! One owner at a time, by a lock that dies with its process and that children don't inherit.
//!
//! POSIX record locks are like that (`flock` and open-file-description locks live on in a forked child), but a process loses
//! one by closing any descriptor of the file. So the lock is on a file of its own, `.<name>.lock` beside the page, which
//! nothing else opens; and within a process, where such locks don't exclude, a list tells who owns what.
//! (So a process should have one copy of this library.)

use super::error::SharedError;
use rustix::fs::{FileType, FlockOperation, Mode, OFlags, Stat, fcntl_lock, fstat, open, stat};
use rustix::io::Errno;
use rustix::process::{Flock, FlockType, fcntl_getlk, geteuid, getpid};
use std::ffi::OsString;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Device and inode of a lock file.
type Key = (u64, u64);

/// The locks that this process has, or that (by another process id) a forked child's parent had.
static OWNED: Mutex<Vec<(Key, u32)>> = Mutex::new(Vec::new());

/// Held while a lock file is looked at, too: to close it would drop a lock that another thread got meanwhile.
fn owned() -> MutexGuard<'static, Vec<(Key, u32)>> {
    OWNED.lock().unwrap_or_else(PoisonError::into_inner)
}

pub(crate) fn own_pid() -> u32 {
    getpid().as_raw_nonzero().get().cast_unsigned()
}

/// `.<name><suffix>` beside the page. `None` if the page has no file name.
pub(crate) fn beside(page: &Path, suffix: &str) -> Option<PathBuf> {
    let mut name = OsString::from(".");
    name.push(page.file_name()?);
    name.push(suffix);
    Some(page.with_file_name(name))
}

/// The right to own a page.
pub(crate) struct OwnerLock {
    /// Dropped, and thereby unlocked, only while `OWNED` is held.
    descriptor: Option<OwnedFd>,
    key: Key,
    /// Of the owner.
    pid: u32,
}

impl OwnerLock {
    /// # Errors
    /// `Owned`, if another breaker of this process or another has it; `NotOurs`; `Io`.
    pub(crate) fn take(page: &Path) -> Result<Self, SharedError> {
        let path = lock_path(page)?;
        let mut owned = owned();
        // Each round ends unless the other side changed something: an owner ended, or the file was replaced.
        for _ in 0..100 {
            if stat(&path).is_ok_and(|stat| owned.contains(&(key(&stat), own_pid()))) {
                return Err(SharedError::Owned { path: page.to_owned(), pid: Some(own_pid()) });
            }
            let flags = OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
            let descriptor = match open(&path, flags, Mode::RUSR | Mode::WUSR) {
                Ok(descriptor) => descriptor,
                Err(Errno::LOOP) => return Err(SharedError::not_ours(&path, "a symbolic link")),
                Err(error) => return Err(SharedError::io(&path, "open", error)),
            };
            let opened = fstat(&descriptor).map_err(|error| SharedError::io(&path, "look at", error))?;
            if FileType::from_raw_mode(opened.st_mode) != FileType::RegularFile {
                return Err(SharedError::not_ours(&path, "not a regular file"));
            }
            if opened.st_uid != geteuid().as_raw() {
                return Err(SharedError::not_ours(&path, "another user's"));
            }
            match fcntl_lock(&descriptor, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => {}
                Err(Errno::ACCESS | Errno::AGAIN) => match holder_by(&descriptor) {
                    Some(pid) => return Err(SharedError::Owned { path: page.to_owned(), pid }),
                    None => continue,
                },
                Err(error) => return Err(SharedError::io(&path, "lock", error)),
            }
            if stat(&path).is_ok_and(|stat| key(&stat) == key(&opened)) {
                let key = key(&opened);
                owned.push((key, own_pid()));
                return Ok(Self { descriptor: Some(descriptor), key, pid: own_pid() });
            }
        }
        Err(SharedError::io(&path, "lock", Errno::AGAIN))
    }
}

impl Drop for OwnerLock {
    fn drop(&mut self) {
        if self.pid != own_pid() {
            return; // the child of a fork: nothing is its own, and another thread may have held the registry at the fork
        }
        let mut owned = owned();
        owned.retain(|&(key, _)| key != self.key);
        self.descriptor = None;
    }
}

/// Who owns the page: `None` if nobody does, `Some(None)` if the process can't be told.
pub(crate) fn holder(page: &Path) -> Option<Option<u32>> {
    let path = lock_path(page).ok()?;
    let owned = owned();
    if stat(&path).is_ok_and(|stat| owned.contains(&(key(&stat), own_pid()))) {
        return Some(Some(own_pid()));
    }
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    holder_by(&open(&path, flags, Mode::empty()).ok()?)
}

fn holder_by(descriptor: &OwnedFd) -> Option<Option<u32>> {
    let lock = fcntl_getlk(descriptor, &Flock::from(FlockType::WriteLock)).ok()??;
    Some(lock.pid.map(|pid| pid.as_raw_nonzero().get().cast_unsigned()))
}

fn lock_path(page: &Path) -> Result<PathBuf, SharedError> {
    beside(page, ".lock").ok_or_else(|| SharedError::not_ours(page, "not a regular file"))
}

fn key(stat: &Stat) -> Key {
    (stat.st_dev, stat.st_ino)
}
