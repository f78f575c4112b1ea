//! Opening, checking and mapping the file.
#![expect(unsafe_code, reason = "a mapped file as a struct of atomics")]

use super::error::SharedError;
use super::layout::{File, GatePage, HEADER_WORDS, Header, Sizes};
use super::lock::{OwnerLock, beside, open_file, own_pid};
use super::permissions::Permissions;
use super::trust;
use crate::config::State;
use crate::gate::GateByte;
use crate::halts::{Act, Desk};
use crate::handle::Handle;
use crate::handles::Observer;
use crate::page::{Board, EventJournal, Page};
use crate::sync::{AtomicU64, Line};
use crate::tap::Ring;
use core::mem::offset_of;
use core::ptr::{self, NonNull};
use rustix::fs::{CWD, FallocateFlags, OFlags, RenameFlags};
use rustix::io::Errno;
use rustix::mm::{Advice, MapFlags, MremapFlags, ProtFlags};
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
    /// Mapped for as long as this lives, and in it are `sizes.file_len()` bytes.
    file: NonNull<File>,
    pub(crate) sizes: Sizes,
    pub(crate) path: PathBuf,
    /// The file. No lock is its descriptor's, so it tells of the owner's lock.
    pub(crate) descriptor: fs::File,
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
    /// Every [`SharedError`] but `Config` and `Name`; `Owned` only for an owner, which gives its lock. The file is not written to.
    pub(crate) fn open(
        path: &Path,
        access: Access,
        lock: Option<&mut OwnerLock>,
    ) -> Result<Option<Arc<Self>>, SharedError> {
        // The file is looked at before it is opened, as opening may mean something to a device.
        match rustix::fs::lstat(path) {
            Ok(stat) => trust::check_page(path, &stat, access == Access::Own)?,
            Err(Errno::NOENT) => return Ok(None),
            Err(error) => return Err(SharedError::io(path, "look at")(error)),
        }
        let flags = if access == Access::Observe { OFlags::RDONLY } else { OFlags::RDWR };
        let open = || open_file(path, flags, "open");
        let file = if let Some(lock) = lock { lock.hold_page(path, open)? } else { open()? };
        let stat = rustix::fs::fstat(&file).map_err(SharedError::io(path, "look at"))?;
        trust::check_page(path, &stat, access == Access::Own)?;

        let len = u64::try_from(stat.st_size).unwrap_or(0);
        let sizes = read_header(path, &file, len)?;
        let expected = sizes.file_len() as u64;
        if len < expected {
            return Err(SharedError::Truncated { path: path.to_owned(), len, expected });
        }
        let mapping = Self::map(path, file, sizes, access)?;
        mapping.file().check_page(path)?;
        Ok(Some(mapping))
    }

    /// Maps a page of this version whose header may be damaged, for who halts.
    pub(crate) fn open_damaged(path: &Path, file: fs::File, sizes: Sizes) -> Result<Arc<Self>, SharedError> {
        Self::map(path, file, sizes, Access::Ask)
    }

    /// A read-only view of the page.
    pub(crate) fn observer(self: &Arc<Self>) -> Observer {
        Observer { page: self.page() }
    }

    /// Makes a new file. It has another name until it is whole and locked, so that nobody ever sees half a page, or takes it.
    pub(crate) fn create(
        path: &Path,
        sizes: Sizes,
        shadow: bool,
        permissions: Permissions,
        lock: &mut OwnerLock,
    ) -> Result<Arc<Self>, SharedError> {
        let draft = beside(path, ".new")?;
        let file = lock.hold_page(&draft, || {
            // An owner that was killed in the middle of this leaves a draft.
            match rustix::fs::unlink(&draft) {
                Ok(()) | Err(Errno::NOENT) => {}
                Err(error) => return Err(SharedError::io(&draft, "remove")(error)),
            }
            let file = open_file(&draft, OFlags::RDWR | OFlags::CREATE | OFlags::EXCL, "create")?;
            // It is opened once more to be locked, and a umask may have left nothing to open it by.
            let settled = permissions.settle(path, &file).inspect_err(|_| _ = rustix::fs::unlink(&draft));
            settled.map(|()| file)
        })?;
        let fill = || {
            let mapping = Self::map_allocated(path, file, sizes)?;
            // The file is new, and all zeros. That is an empty log, and empty notes, journal, mirror and tap. The gate shows open until the
            // owner knows what halts there are.
            // SAFETY: within the mapping, aligned, and nobody else has a reference to it yet.
            unsafe {
                ptr::addr_of_mut!((*mapping.file.as_ptr()).gate).write(GatePage(GateByte::new(State::Open, shadow)));
                ptr::addr_of_mut!((*mapping.file.as_ptr()).board).write(Board::new());
            }
            mapping.file().front.header.write(sizes);
            rustix::fs::renameat_with(CWD, &draft, CWD, path, RenameFlags::NOREPLACE)
                .map_err(SharedError::io(path, "create"))?;
            lock.check_page_at(path)?;
            Ok(mapping)
        };
        fill().inspect_err(|_| _ = rustix::fs::unlink(&draft))
    }

    /// Makes room for more, if there is too little. Only the owner may call this, of a page that was checked. Observers that
    /// have the smaller file mapped notice it by the header.
    pub(crate) fn grow(self: Arc<Self>, wanted: Sizes) -> Result<Arc<Self>, SharedError> {
        let sizes = self.sizes.or_more(wanted);
        if sizes == self.sizes {
            return Ok(self);
        }
        let file = self.descriptor.try_clone().map_err(SharedError::io(&self.path, "open"))?;
        let mapping = Self::map_allocated(&self.path, file, sizes)?;
        if let Some(tap) = mapping.tap() {
            // It lies elsewhere from now on, where slots and rows may have been.
            tap.clear();
        }
        mapping.file().front.header.set_sizes(sizes);
        Ok(mapping)
    }

    /// Maps a file for its owner, and takes the memory for good first: so a full file system is an error now and no SIGBUS later.
    fn map_allocated(path: &Path, file: fs::File, sizes: Sizes) -> Result<Arc<Self>, SharedError> {
        rustix::fs::fallocate(&file, FallocateFlags::empty(), 0, sizes.file_len() as u64)
            .map_err(SharedError::io(path, "allocate"))?;
        Self::map(path, file, sizes, Access::Own)
    }

    /// Maps a file, which has at least `sizes.file_len()` bytes.
    fn map(path: &Path, descriptor: fs::File, sizes: Sizes, access: Access) -> Result<Arc<Self>, SharedError> {
        let protection = if access == Access::Observe { ProtFlags::READ } else { ProtFlags::READ | ProtFlags::WRITE };
        // SAFETY: a new mapping, wherever there is room.
        let start = unsafe {
            rustix::mm::mmap(ptr::null_mut(), sizes.file_len(), protection, MapFlags::SHARED, &descriptor, 0)
        }
        .map_err(SharedError::io(path, "map"))?;
        // A pointer to so many slots is a pointer to the struct that ends with them.
        let file = ptr::slice_from_raw_parts_mut(start.cast::<u64>(), 1 << sizes.slots_log2) as *mut File;
        let file = NonNull::new(file).ok_or(Errno::NOMEM).map_err(SharedError::io(path, "map"))?;
        let owner_pid = (access == Access::Own).then(own_pid);
        // The process may go to another folder.
        let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        Ok(Arc::new(Self { file, sizes, path, descriptor, owner_pid }))
    }

    /// Makes the memory resident, so that no page fault holds the owner up, and keeps the mapping from children. Returns true if the
    /// memory is locked.
    pub(crate) fn settle(&self) -> bool {
        let (start, len) = (self.file.as_ptr().cast(), self.sizes.file_len());
        // SAFETY: this is the whole mapping, and none of these calls changes its content. Linux before 5.14 refuses the first call.
        // After the second, the child of a fork faults rather than write to the page as a second owner.
        unsafe {
            let _ = rustix::mm::madvise(start, len, Advice::LinuxPopulateWrite);
            let _ = rustix::mm::madvise(start, len, Advice::LinuxDontFork);
            rustix::mm::mlock(start, len).is_ok()
        }
    }

    /// Puts the gate of an ended owner in the place of the gate, for all who have this mapping. The file is as before. False if the
    /// operating system refuses.
    pub(crate) fn end_gate(&self, gate: EndedGate) -> bool {
        let place = (&raw const self.file().gate).cast_mut().cast();
        let (from, len) = (gate.0.as_ptr().cast(), size_of::<GatePage>());
        // SAFETY: both are whole pages of memory of this process. In one step the gate of this mapping becomes another one; it is an
        // atomic at every moment. Nobody has a reference to the page at its former place.
        let moved = unsafe { rustix::mm::mremap_fixed(from, len, len, MremapFlags::MAYMOVE, place) }.is_ok();
        if moved {
            core::mem::forget(gate);
        }
        moved
    }

    /// Whether the file still has all that is mapped. (It may be cut off at any moment.)
    pub(crate) fn is_whole(&self) -> bool {
        rustix::fs::fstat(&self.descriptor).is_ok_and(|stat| stat.st_size >= self.sizes.file_len() as i64)
    }

    /// Whether the file still has the gate.
    pub(crate) fn has_gate(&self) -> bool {
        let end = offset_of!(File<[AtomicU64; 0]>, gate) + size_of::<GatePage>();
        rustix::fs::fstat(&self.descriptor).is_ok_and(|stat| stat.st_size >= end as i64)
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

    pub(crate) fn page(self: &Arc<Self>) -> Page {
        let file = self.handle();
        Page::in_file(
            file.part(|file| &file.gate.0),
            file.part(|file| &file.board),
            file.part(|file| file.log.as_slice()),
            file.part(|file| file.notes.as_slice()),
            file.part(|file| &file.journal as &EventJournal),
            self.tap(),
        )
    }

    /// The tap, if there is room for one.
    fn tap(self: &Arc<Self>) -> Option<Ring> {
        if self.sizes.tap_log2 == 0 {
            return None;
        }
        // SAFETY: the tap ends where the mapping ends. It is aligned to lines, as the slots are some whole lines; its words are atomics, and
        // nobody writes to them by a reference to the file, which ends with the slots. The mapping lives as long as its `Arc`.
        unsafe {
            let head = self.file.cast::<u8>().add(self.sizes.tap_offset());
            let entries =
                NonNull::slice_from_raw_parts(head.add(size_of::<Line<AtomicU64>>()).cast(), 1 << self.sizes.tap_log2);
            let head = Handle::within(head.cast(), Arc::<Self>::clone(self));
            let entries = Handle::within(entries, Arc::<Self>::clone(self));
            Some(Ring::within(head, entries, Header::place(&self.handle(), self.sizes)))
        }
    }
}

/// The first part of a file of which the rest isn't known, or isn't there: the gate and, in this version, who holds halts.
pub(crate) struct Stump {
    /// Mapped for as long as this lives.
    start: NonNull<u8>,
    len: usize,
}

// SAFETY: as for `Mapping`.
unsafe impl Send for Stump {}

// SAFETY: as for `Mapping`.
unsafe impl Sync for Stump {}

impl Stump {
    const GATE: usize = offset_of!(File<[AtomicU64; 0]>, gate);
    const BOARD: usize = offset_of!(File<[AtomicU64; 0]>, board);

    /// Maps up to the board, or up to the gate if the file ends there, or if the board is of another version.
    pub(crate) fn open(path: &Path, file: &fs::File, len: u64, is_known: bool) -> Result<Self, SharedError> {
        let wanted = |end: usize| if len >= end as u64 { Some(end) } else { None };
        let board = wanted(Self::BOARD + size_of::<Board>()).filter(|_| is_known);
        let end = board.or_else(|| wanted(Self::GATE + size_of::<GatePage>()));
        let expected = Self::BOARD as u64;
        let len = end.ok_or(SharedError::Truncated { path: path.to_owned(), len, expected })?;
        let protection = ProtFlags::READ | ProtFlags::WRITE;
        // SAFETY: a new mapping, wherever there is room.
        let start = unsafe { rustix::mm::mmap(ptr::null_mut(), len, protection, MapFlags::SHARED, file, 0) }
            .map_err(SharedError::io(path, "map"))?;
        let start = NonNull::new(start.cast()).ok_or(Errno::NOMEM).map_err(SharedError::io(path, "map"))?;
        Ok(Self { start, len })
    }

    pub(crate) fn gate(&self) -> &GateByte {
        // SAFETY: the gate is mapped for as long as `self` lives, and every byte is a valid gate.
        &unsafe { self.start.add(Self::GATE).cast::<GatePage>().as_ref() }.0
    }

    /// Halts, without an entry in the log.
    pub(crate) fn halt(&self, act: &Act<'_>) {
        if self.len <= Self::BOARD {
            // Where this version says who holds a halt is nothing, or something else. An owner of any version that finds HALTED without a
            // holder takes it for a resume under way. So the gate gets a state that no version writes: that is damage, for which
            // the owner itself halts.
            self.gate().end();
            return self.gate().halt(|| 0);
        }
        // SAFETY: the board is mapped for as long as `self` lives, aligned to it, and made of atomics.
        let board = unsafe { self.start.add(Self::BOARD).cast::<Board>().as_ref() };
        Desk { gate: self.gate(), halts: &board.halts, log: &[], notes: &[] }.halt(act);
    }
}

impl Drop for Stump {
    fn drop(&mut self) {
        // SAFETY: `open` mapped it, and no reference to it is left.
        let _ = unsafe { rustix::mm::munmap(self.start.as_ptr().cast(), self.len) };
    }
}

/// A page of memory with the gate of an owner that has ended.
pub(crate) struct EndedGate(NonNull<GatePage>);

// SAFETY: as for `Mapping`.
unsafe impl Send for EndedGate {}

// SAFETY: as for `Mapping`.
unsafe impl Sync for EndedGate {}

impl EndedGate {
    /// It is filled here, and not at the end: fresh memory is zeros, and a gate of zeros lets calls pass.
    pub(crate) fn prepare(path: &Path) -> Result<Self, SharedError> {
        let protection = ProtFlags::READ | ProtFlags::WRITE;
        // SAFETY: a new mapping, wherever there is room.
        let start = unsafe {
            rustix::mm::mmap_anonymous(ptr::null_mut(), size_of::<GatePage>(), protection, MapFlags::PRIVATE)
        }
        .map_err(SharedError::io(path, "map"))?;
        let page = NonNull::new(start.cast::<GatePage>()).ok_or(Errno::NOMEM).map_err(SharedError::io(path, "map"))?;
        // SAFETY: mapped just now, of this size, aligned to pages, and nobody else has a reference to it.
        unsafe {
            page.write(GatePage(GateByte::ended()));
            let _ = rustix::mm::mlock(start, size_of::<GatePage>());
        }
        Ok(Self(page))
    }
}

impl Drop for EndedGate {
    fn drop(&mut self) {
        // SAFETY: `prepare` mapped it, and no reference to it is left.
        let _ = unsafe { rustix::mm::munmap(self.0.as_ptr().cast(), size_of::<GatePage>()) };
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        if self.is_here() {
            // SAFETY: `map` mapped the file at this place and of this length, and the last handle is gone. (In a forked child
            // something else may be mapped there.)
            let _ = unsafe { rustix::mm::munmap(self.file.as_ptr().cast(), self.sizes.file_len()) };
        }
    }
}

/// Reads what the file has, which is not read again.
fn read_header(path: &Path, file: &fs::File, len: u64) -> Result<Sizes, SharedError> {
    let mut bytes = [0; HEADER_WORDS * 8];
    file.read_exact_at(&mut bytes, 0).map_err(|error| match error.kind() {
        io::ErrorKind::UnexpectedEof => {
            SharedError::Truncated { path: path.to_owned(), len, expected: Sizes::LEAST.file_len() as u64 }
        }
        _ => SharedError::io(path, "read")(error),
    })?;
    let mut words = [0; HEADER_WORDS];
    for (word, &bytes) in words.iter_mut().zip(bytes.as_chunks().0) {
        *word = u64::from_ne_bytes(bytes);
    }
    Header::parse(path, words)
}
