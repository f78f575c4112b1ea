//! Opening, checking and mapping the file.
#![expect(unsafe_code, reason = "a mapped file as a struct of atomics")]

use super::error::SharedError;
use super::layout::{File, Flaw, HEADER_WORDS, Header, file_len};
use super::lock::{beside, own_pid};
use crate::config::State;
use crate::handle::Handle;
use crate::page::{Page, PageHandle};
use core::ptr::{self, NonNull};
use rustix::fs::{FallocateFlags, FileType, Mode, OFlags, RenameFlags, Stat};
use rustix::io::Errno;
use rustix::mm::{Advice, MapFlags, ProtFlags};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What a file is opened for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    Observe,
    Ask,
    Own,
}

/// A file in memory: unmapped when the last handle goes.
pub(crate) struct Mapping {
    /// Mapped for as long as this lives, and in it are `file_len(slots_log2)` bytes.
    file: NonNull<File>,
    pub(crate) slots_log2: u32,
    pub(crate) path: PathBuf,
    /// Of an owner: the process that mapped it. Its children have it not.
    owner_pid: Option<u32>,
}

// SAFETY: the mapping belongs to the process, not to a thread, and its content is atomics alone.
unsafe impl Send for Mapping {}

// SAFETY: as for `Send`.
unsafe impl Sync for Mapping {}

impl Mapping {
    /// Opens and maps a page that is there; `None` if there is none.
    ///
    /// # Errors
    /// If it is not ours, or is no page. It is not written to.
    pub(crate) fn open(path: &Path, access: Access) -> Result<Option<Arc<Self>>, SharedError> {
        // Looked at before it is opened, as that may mean something to a device.
        match rustix::fs::lstat(path) {
            Ok(stat) => check_file(path, &stat, access)?,
            Err(Errno::NOENT) => return Ok(None),
            Err(error) => return Err(SharedError::io(path, "look at", error)),
        }
        let mode = if access == Access::Observe { OFlags::RDONLY } else { OFlags::RDWR };
        let flags = mode | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let descriptor =
            rustix::fs::open(path, flags, Mode::empty()).map_err(|error| SharedError::io(path, "open", error))?;
        let stat = rustix::fs::fstat(&descriptor).map_err(|error| SharedError::io(path, "look at", error))?;
        check_file(path, &stat, access)?;

        let len = u64::try_from(stat.st_size).unwrap_or(0);
        let slots_log2 = read_header(path, &descriptor, len)?;
        let expected = file_len(slots_log2) as u64;
        if len < expected {
            return Err(SharedError::Truncated { path: path.to_owned(), len, expected });
        }
        let mapping = Self::map(path, &descriptor, slots_log2, access)?;
        mapping.file().check_page().map_err(|flaw| refusal(path, flaw))?;
        Ok(Some(mapping))
    }

    /// Makes a new file, under another name until it is whole: nobody ever sees half a page. Only for who has the lock.
    pub(crate) fn create(path: &Path, slots_log2: u32, state: State, shadow: bool) -> Result<Arc<Self>, SharedError> {
        let draft = beside(path, ".new").ok_or_else(|| SharedError::not_ours(path, "not a regular file"))?;
        // Of an owner that was killed in the middle of this.
        match rustix::fs::unlink(&draft) {
            Ok(()) | Err(Errno::NOENT) => {}
            Err(error) => return Err(SharedError::io(&draft, "remove", error)),
        }
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let descriptor = rustix::fs::open(&draft, flags, Mode::RUSR | Mode::WUSR)
            .map_err(|error| SharedError::io(&draft, "create", error))?;
        let made = Self::fill(path, &descriptor, slots_log2, state, shadow).and_then(|mapping| {
            let here = rustix::fs::CWD;
            match rustix::fs::renameat_with(here, &draft, here, path, RenameFlags::NOREPLACE) {
                Ok(()) => Ok(mapping),
                Err(error) => Err(SharedError::io(path, "create", error)),
            }
        });
        if made.is_err() {
            let _ = rustix::fs::unlink(&draft);
        }
        made
    }

    fn fill(
        path: &Path,
        descriptor: &OwnedFd,
        slots_log2: u32,
        state: State,
        shadow: bool,
    ) -> Result<Arc<Self>, SharedError> {
        allocate(path, descriptor, slots_log2)?;
        let mapping = Self::map(path, descriptor, slots_log2, Access::Own)?;
        // SAFETY: within the mapping, aligned, and nobody else has a reference to it yet.
        unsafe { ptr::addr_of_mut!((*mapping.file.as_ptr()).page).write(Page::new(state, shadow)) };
        mapping.file().header.write(slots_log2);
        Ok(mapping)
    }

    /// Makes room for more slots, if there are too few: only for the owner, of a page that was checked. Observers that have
    /// the smaller file mapped notice it by the header.
    pub(crate) fn grow(self: Arc<Self>, slots_log2: u32) -> Result<Arc<Self>, SharedError> {
        if slots_log2 <= self.slots_log2 {
            return Ok(self);
        }
        let path = &self.path;
        let descriptor = rustix::fs::open(path, OFlags::RDWR | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())
            .map_err(|error| SharedError::io(path, "open", error))?;
        allocate(path, &descriptor, slots_log2)?;
        let mapping = Self::map(path, &descriptor, slots_log2, Access::Own)?;
        mapping.file().header.set_slots_log2(slots_log2);
        Ok(mapping)
    }

    /// The file has at least `file_len(slots_log2)` bytes.
    fn map(path: &Path, descriptor: &OwnedFd, slots_log2: u32, access: Access) -> Result<Arc<Self>, SharedError> {
        let protection = if access == Access::Observe { ProtFlags::READ } else { ProtFlags::READ | ProtFlags::WRITE };
        // SAFETY: a new mapping, wherever there is room.
        let start = unsafe {
            rustix::mm::mmap(ptr::null_mut(), file_len(slots_log2), protection, MapFlags::SHARED, descriptor, 0)
        };
        let start = start.map_err(|error| SharedError::io(path, "map", error))?;
        // A pointer to so many slots is one to the struct that ends with them.
        let file = ptr::slice_from_raw_parts_mut(start.cast::<u64>(), 1 << slots_log2) as *mut File;
        let file = NonNull::new(file).ok_or_else(|| SharedError::io(path, "map", Errno::NOMEM))?;
        let owner_pid = (access == Access::Own).then(own_pid);
        Ok(Arc::new(Self { file, slots_log2, path: path.to_owned(), owner_pid }))
    }

    /// Sees to it that no page fault waits for the owner, and that no child gets the mapping. Whether the memory is locked.
    pub(crate) fn settle(&self) -> bool {
        let (start, len) = (self.file.as_ptr().cast(), file_len(self.slots_log2));
        // SAFETY: the whole mapping; none of these changes its content. The first is not to be had before Linux 5.14, the
        // second makes the child of a fork fault rather than write to the page as a second owner.
        unsafe {
            let _ = rustix::mm::madvise(start, len, Advice::LinuxPopulateWrite);
            let _ = rustix::mm::madvise(start, len, Advice::LinuxDontFork);
            rustix::mm::mlock(start, len).is_ok()
        }
    }

    /// False in the child of a fork, which has no such memory.
    pub(crate) fn is_here(&self) -> bool {
        self.owner_pid.is_none_or(|pid| pid == own_pid())
    }

    pub(crate) fn file(&self) -> &File {
        // SAFETY: mapped for as long as `self` lives, page-aligned, and so long. Atomics are valid whatever they hold and
        // whoever changes it. (A file that is truncated under the mapping is a SIGBUS, not undefined.)
        unsafe { self.file.as_ref() }
    }

    pub(crate) fn handle(self: &Arc<Self>) -> Handle<File> {
        // SAFETY: the mapping lives as long as its `Arc`.
        unsafe { Handle::within(self.file, Arc::<Self>::clone(self)) }
    }

    pub(crate) fn page(self: &Arc<Self>) -> PageHandle {
        // SAFETY: as in `handle`.
        unsafe { Handle::within(NonNull::from(&self.file().page), Arc::<Self>::clone(self)) }
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        if self.is_here() {
            // SAFETY: mapped by `map` at this place and of this length; the last handle is gone. (In a forked child something
            // else may be mapped there.)
            let _ = unsafe { rustix::mm::munmap(self.file.as_ptr().cast(), file_len(self.slots_log2)) };
        }
    }
}

/// Takes the memory for good, so that a full file system is an error now and no SIGBUS later.
fn allocate(path: &Path, descriptor: &OwnedFd, slots_log2: u32) -> Result<(), SharedError> {
    rustix::fs::fallocate(descriptor, FallocateFlags::empty(), 0, file_len(slots_log2) as u64)
        .map_err(|error| SharedError::io(path, "allocate", error))
}

fn check_file(path: &Path, stat: &Stat, access: Access) -> Result<(), SharedError> {
    let user = rustix::process::geteuid();
    let wrong = match FileType::from_raw_mode(stat.st_mode) {
        FileType::Symlink => "a symbolic link",
        FileType::RegularFile if stat.st_uid != user.as_raw() && !(user.is_root() && access != Access::Own) => {
            "another user's"
        }
        FileType::RegularFile if Mode::from_raw_mode(stat.st_mode).intersects(Mode::WGRP | Mode::WOTH) => {
            "writable for others"
        }
        // By another name it would have another lock.
        FileType::RegularFile if stat.st_nlink > 1 => "a file of several names",
        FileType::RegularFile => return Ok(()),
        _ => "not a regular file",
    };
    Err(SharedError::not_ours(path, wrong))
}

/// The number of slots (its logarithm), which is not read again.
fn read_header(path: &Path, descriptor: &OwnedFd, len: u64) -> Result<u32, SharedError> {
    let mut bytes = [0; HEADER_WORDS * 8];
    let mut read = 0;
    while let Some(rest) = bytes.get_mut(read..).filter(|rest| !rest.is_empty()) {
        match rustix::io::pread(descriptor, rest, read as u64) {
            Ok(0) => {
                let expected = file_len(0) as u64;
                return Err(SharedError::Truncated { path: path.to_owned(), len, expected });
            }
            Ok(more) => read += more,
            Err(Errno::INTR) => {}
            Err(error) => return Err(SharedError::io(path, "read", error)),
        }
    }
    let mut words = [0; HEADER_WORDS];
    for (word, bytes) in words.iter_mut().zip(bytes.chunks_exact(8)) {
        *word = bytes.try_into().map_or(0, u64::from_ne_bytes);
    }
    Header::parse(words).map_err(|flaw| refusal(path, flaw))
}

pub(crate) fn refusal(path: &Path, flaw: Flaw) -> SharedError {
    let path = path.to_owned();
    match flaw {
        Flaw::Version { found, known } => SharedError::Version { path, found, known },
        Flaw::Damaged(what) => SharedError::Damaged { path, what },
    }
}
