//! Opening, checking and mapping the file.
#![expect(unsafe_code, reason = "a mapped file as a struct of atomics")]

use super::error::SharedError;
use super::layout::{File, HEADER_WORDS, Header, file_len};
use super::lock::{beside, open_file, own_pid};
use super::trust;
use crate::config::State;
use crate::handle::Handle;
use crate::page::{Page, PageHandle};
use core::ptr::{self, NonNull};
use rustix::fs::{CWD, FallocateFlags, FileType, OFlags, RenameFlags, Stat};
use rustix::io::Errno;
use rustix::mm::{Advice, MapFlags, ProtFlags};
use rustix::process::geteuid;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::{fs, io};

/// What a file is opened for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    Observe,
    Ask,
    Own,
}

/// A file in memory. It is unmapped when the last handle goes.
pub(crate) struct Mapping {
    /// Mapped for as long as this lives, and in it are `file_len(slots_log2)` bytes.
    file: NonNull<File>,
    pub(crate) slots_log2: u32,
    pub(crate) path: PathBuf,
    /// The process that mapped the file, if that is an owner. Children of that process don't have the mapping.
    owner_pid: Option<u32>,
}

// SAFETY: the mapping belongs to the process, not to a thread, and its content is atomics alone.
unsafe impl Send for Mapping {}

// SAFETY: as for `Send`.
unsafe impl Sync for Mapping {}

impl Mapping {
    /// Opens and maps a page that is there. Returns `None` if there is none.
    ///
    /// # Errors
    /// Every [`SharedError`] but `Config`, `Name` and `Owned`. The file is not written to.
    pub(crate) fn open(path: &Path, access: Access) -> Result<Option<Arc<Self>>, SharedError> {
        // The file is looked at before it is opened, as opening may mean something to a device.
        match rustix::fs::lstat(path) {
            Ok(stat) => check_file(path, &stat, access)?,
            Err(Errno::NOENT) => return Ok(None),
            Err(error) => return Err(SharedError::io(path, "look at")(error)),
        }
        let flags = if access == Access::Observe { OFlags::RDONLY } else { OFlags::RDWR };
        let file = open_file(path, flags, "open")?;
        let stat = rustix::fs::fstat(&file).map_err(SharedError::io(path, "look at"))?;
        check_file(path, &stat, access)?;

        let len = u64::try_from(stat.st_size).unwrap_or(0);
        let slots_log2 = read_header(path, &file, len)?;
        let expected = file_len(slots_log2) as u64;
        if len < expected {
            return Err(SharedError::Truncated { path: path.to_owned(), len, expected });
        }
        let mapping = Self::map(path, &file, slots_log2, access)?;
        mapping.file().check_page(path)?;
        Ok(Some(mapping))
    }

    /// Makes a new file. It has another name until it is whole, so that nobody ever sees half a page. Only the owner of the lock may
    /// call this.
    pub(crate) fn create(path: &Path, slots_log2: u32, state: State, shadow: bool) -> Result<Arc<Self>, SharedError> {
        let draft = beside(path, ".new")?;
        // An owner that was killed in the middle of this leaves a draft.
        match rustix::fs::unlink(&draft) {
            Ok(()) | Err(Errno::NOENT) => {}
            Err(error) => return Err(SharedError::io(&draft, "remove")(error)),
        }
        let file = open_file(&draft, OFlags::RDWR | OFlags::CREATE | OFlags::EXCL, "create")?;
        let fill = || {
            let mapping = Self::map_allocated(path, &file, slots_log2)?;
            // SAFETY: within the mapping, aligned, and nobody else has a reference to it yet.
            unsafe { ptr::addr_of_mut!((*mapping.file.as_ptr()).page).write(Page::new(state, shadow)) };
            mapping.file().header.write(slots_log2);
            rustix::fs::renameat_with(CWD, &draft, CWD, path, RenameFlags::NOREPLACE)
                .map_err(SharedError::io(path, "create"))?;
            Ok(mapping)
        };
        fill().inspect_err(|_| _ = rustix::fs::unlink(&draft))
    }

    /// Makes room for more slots, if there are too few. Only the owner may call this, of a page that was checked. Observers that
    /// have the smaller file mapped notice it by the header.
    pub(crate) fn grow(self: Arc<Self>, slots_log2: u32) -> Result<Arc<Self>, SharedError> {
        if slots_log2 <= self.slots_log2 {
            return Ok(self);
        }
        let file = open_file(&self.path, OFlags::RDWR, "open")?;
        let mapping = Self::map_allocated(&self.path, &file, slots_log2)?;
        mapping.file().header.set_slots_log2(slots_log2);
        Ok(mapping)
    }

    /// Maps a file for its owner, and takes the memory for good first: so a full file system is an error now and no SIGBUS later.
    fn map_allocated(path: &Path, file: &fs::File, slots_log2: u32) -> Result<Arc<Self>, SharedError> {
        rustix::fs::fallocate(file, FallocateFlags::empty(), 0, file_len(slots_log2) as u64)
            .map_err(SharedError::io(path, "allocate"))?;
        Self::map(path, file, slots_log2, Access::Own)
    }

    /// Maps a file, which has at least `file_len(slots_log2)` bytes.
    fn map(path: &Path, file: &fs::File, slots_log2: u32, access: Access) -> Result<Arc<Self>, SharedError> {
        let protection = if access == Access::Observe { ProtFlags::READ } else { ProtFlags::READ | ProtFlags::WRITE };
        // SAFETY: a new mapping, wherever there is room.
        let start =
            unsafe { rustix::mm::mmap(ptr::null_mut(), file_len(slots_log2), protection, MapFlags::SHARED, file, 0) }
                .map_err(SharedError::io(path, "map"))?;
        // A pointer to so many slots is a pointer to the struct that ends with them.
        let file = ptr::slice_from_raw_parts_mut(start.cast::<u64>(), 1 << slots_log2) as *mut File;
        let file = NonNull::new(file).ok_or(Errno::NOMEM).map_err(SharedError::io(path, "map"))?;
        let owner_pid = (access == Access::Own).then(own_pid);
        Ok(Arc::new(Self { file, slots_log2, path: path.to_owned(), owner_pid }))
    }

    /// Makes the memory resident, so that no page fault holds the owner up, and keeps the mapping from children. Returns true if the
    /// memory is locked.
    pub(crate) fn settle(&self) -> bool {
        let (start, len) = (self.file.as_ptr().cast(), file_len(self.slots_log2));
        // SAFETY: this is the whole mapping, and none of these calls changes its content. Linux before 5.14 refuses the first call.
        // After the second, the child of a fork faults rather than write to the page as a second owner.
        unsafe {
            let _ = rustix::mm::madvise(start, len, Advice::LinuxPopulateWrite);
            let _ = rustix::mm::madvise(start, len, Advice::LinuxDontFork);
            rustix::mm::mlock(start, len).is_ok()
        }
    }

    /// False in the child of a fork of the owner. The child has no such memory.
    pub(crate) fn is_here(&self) -> bool {
        self.owner_pid.is_none_or(|pid| pid == own_pid())
    }

    pub(crate) fn file(&self) -> &File {
        // SAFETY: the file is mapped for as long as `self` lives, page-aligned, and as long as the struct. Atomics are valid
        // whatever they hold and whoever changes them. (A file that is truncated under the mapping is a SIGBUS, not undefined.)
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
            // SAFETY: `map` mapped the file at this place and of this length, and the last handle is gone. (In a forked child
            // something else may be mapped there.)
            let _ = unsafe { rustix::mm::munmap(self.file.as_ptr().cast(), file_len(self.slots_log2)) };
        }
    }
}

fn check_file(path: &Path, stat: &Stat, access: Access) -> Result<(), SharedError> {
    let may_be_anothers = geteuid().is_root() && access != Access::Own;
    trust::check(path, stat, FileType::RegularFile, may_be_anothers, false)?;
    // By another name the file would have another lock.
    if stat.st_nlink > 1 { Err(SharedError::not_ours(path, "a file of several names")) } else { Ok(()) }
}

/// Reads the logarithm of the number of slots, which is not read again.
fn read_header(path: &Path, file: &fs::File, len: u64) -> Result<u32, SharedError> {
    let mut bytes = [0; HEADER_WORDS * 8];
    file.read_exact_at(&mut bytes, 0).map_err(|error| match error.kind() {
        io::ErrorKind::UnexpectedEof => {
            SharedError::Truncated { path: path.to_owned(), len, expected: file_len(0) as u64 }
        }
        _ => SharedError::io(path, "read")(error),
    })?;
    let mut words = [0; HEADER_WORDS];
    for (word, &bytes) in words.iter_mut().zip(bytes.as_chunks().0) {
        *word = u64::from_ne_bytes(bytes);
    }
    Header::parse(path, words)
}
