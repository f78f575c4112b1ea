//! Locked files that are of this process alone. The lock ends with its process, and no child of a fork keeps it.
//!
//! The locks are open-file-description locks: they belong to what one `open` made. Closing another descriptor of the same file
//! doesn't drop such a lock, and within a process such locks exclude each other, even those of two copies of this library. But a
//! fork copies the descriptors, and the lock lives until the last copy is closed. So every descriptor is on a list, and a handler
//! closes in the child of a fork whatever is on the list. (A child that runs another program loses them by CLOEXEC.)
//!
//! ```text
//!  opener:  reads BEGUN and ENDED │ opens │ puts the descriptor on the list │ reads BEGUN: if a fork was under way, closes, again
//!  forker:  BEGUN + 1             │ forks │ ENDED + 1; the child closes what is on the list
//! ```
//!
//! So no fork copies a descriptor between its opening and its place on the list. Nobody waits for a lock: a signal handler may fork.
#![expect(unsafe_code, reason = "calls to libc, and a list that is never freed")]

use super::error::SharedError;
use crate::forks::at_fork;
use core::ffi::{c_int, c_short};
use core::iter::successors;
use core::mem::{ManuallyDrop, zeroed};
use core::ptr::{self, from_ref};
use core::sync::atomic::{AtomicBool, AtomicI32, AtomicPtr, AtomicU64, Ordering::SeqCst};
use core::time::Duration;
use rustix::io::Errno;
use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::path::Path;

const FREE: c_int = -1;

/// A place on the list.
struct Slot {
    /// A descriptor, or `FREE`.
    fd: AtomicI32,
    next: Option<&'static Slot>,
}

/// The latest slot. Slots are used again, and never freed.
static SLOTS: AtomicPtr<Slot> = AtomicPtr::new(ptr::null_mut());

/// How many forks of this process have begun, and how many of them have ended.
static BEGUN: AtomicU64 = AtomicU64::new(0);
static ENDED: AtomicU64 = AtomicU64::new(0);

/// How many forks lie between this process and the first one. A process id wouldn't do: a child in another pid namespace may have
/// the same.
static GENERATION: AtomicU64 = AtomicU64::new(0);

fn slots() -> impl Iterator<Item = &'static Slot> {
    // SAFETY: null, or a slot that `place` leaked after it was whole.
    successors(unsafe { SLOTS.load(SeqCst).as_ref() }, |slot| slot.next)
}

/// Puts a descriptor on the list.
fn place(fd: c_int) -> &'static Slot {
    if let Some(slot) = slots().find(|slot| slot.fd.compare_exchange(FREE, fd, SeqCst, SeqCst).is_ok()) {
        return slot;
    }
    let new: &'static mut Slot = Box::leak(Box::new(Slot { fd: AtomicI32::new(fd), next: None }));
    loop {
        let latest = SLOTS.load(SeqCst);
        // SAFETY: as in `slots`.
        new.next = unsafe { latest.as_ref() };
        if SLOTS.compare_exchange(latest, from_ref(new).cast_mut(), SeqCst, SeqCst).is_ok() {
            return new;
        }
    }
}

extern "C" fn before_fork() {
    BEGUN.fetch_add(1, SeqCst);
}

extern "C" fn in_parent() {
    ENDED.fetch_add(1, SeqCst);
}

/// Only atomics and system calls: another thread of the parent may have been anywhere.
extern "C" fn in_child() {
    for slot in slots() {
        let fd = slot.fd.swap(FREE, SeqCst);
        if fd != FREE {
            // SAFETY: the child's copy of a descriptor whose `Held` sees by its generation that nothing is its own.
            unsafe { libc::close(fd) };
        }
    }
    GENERATION.fetch_add(1, SeqCst);
    ENDED.store(BEGUN.load(SeqCst), SeqCst); // the child knows nothing of forks by other threads of its parent
}

/// Sees to it that forks run the handlers.
fn watch_forks() -> io::Result<()> {
    static WATCHED: AtomicBool = AtomicBool::new(false);
    if !WATCHED.load(SeqCst) {
        // Two threads may both come here. Handlers that run twice harm nobody, and neither thread has to wait. They may run at any
        // fork: they touch atomics alone, and a list that is never freed.
        at_fork(before_fork, in_parent, in_child)?;
        WATCHED.store(true, SeqCst);
    }
    Ok(())
}

/// An open file that children don't keep.
pub(crate) struct Held {
    /// It is not touched in the child of a fork, where its number may be another file's.
    file: ManuallyDrop<File>,
    slot: &'static Slot,
    /// Whose it is.
    generation: u64,
    pid: u32,
}

impl Held {
    const TRIES: u32 = 1000;
    const PAUSE: Duration = Duration::from_millis(1);

    /// Opens a file by `open`, which is called again if another thread forked meanwhile.
    ///
    /// # Errors
    /// Those of `open`; `Io`.
    pub(crate) fn open(path: &Path, open: impl Fn() -> Result<File, SharedError>) -> Result<Self, SharedError> {
        watch_forks().map_err(SharedError::io(path, "watch forks to lock"))?;
        for _ in 0..Self::TRIES {
            let begun = BEGUN.load(SeqCst);
            let quiet = ENDED.load(SeqCst) == begun;
            let file = ManuallyDrop::new(open()?);
            let slot = place(file.as_raw_fd());
            let held = Self { file, slot, generation: GENERATION.load(SeqCst), pid: std::process::id() };
            if quiet && BEGUN.load(SeqCst) == begun {
                return Ok(held);
            }
            drop(held);
            std::thread::sleep(Self::PAUSE);
        }
        Err(SharedError::io(path, "lock")(Errno::AGAIN))
    }

    pub(crate) fn file(&self) -> &File {
        &self.file
    }

    /// Locks the file. Returns false if somebody else has the lock, in this process or another.
    pub(crate) fn lock(&self) -> io::Result<bool> {
        match control(&self.file, libc::F_OFD_SETLK, libc::F_WRLCK) {
            Ok(_) => Ok(true),
            Err(error) if matches!(error.raw_os_error(), Some(libc::EAGAIN | libc::EACCES)) => Ok(false),
            Err(error) => Err(error),
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if self.generation != GENERATION.load(SeqCst) {
            return; // the handler closed it in this child
        }
        // A child that the handlers didn't see has a copy, and lets go of that alone.
        if self.pid == std::process::id() {
            // Such a child may live on. So the lock must not wait for the last descriptor.
            let _ = control(&self.file, libc::F_OFD_SETLK, libc::F_UNLCK);
        }
        // First off the list: once it is closed its number may be another file's.
        self.slot.fd.store(FREE, SeqCst);
        // SAFETY: it is dropped here alone, and not used any more.
        unsafe { ManuallyDrop::drop(&mut self.file) };
    }
}

/// Whether somebody has the lock. The descriptor must be no copy of the one that has it.
pub(crate) fn is_locked(file: &File) -> bool {
    control(file, libc::F_OFD_GETLK, libc::F_WRLCK).is_ok_and(|found| found != libc::F_UNLCK)
}

/// Asks for a lock on the whole file, and returns the kind of lock that the system left in the request.
fn control(file: &File, command: c_int, kind: c_int) -> io::Result<c_int> {
    // SAFETY: integers alone. The zeros mean the whole file, from its start, and no process.
    let mut lock: libc::flock = unsafe { zeroed() };
    lock.l_type = kind as c_short;
    // SAFETY: these commands read and write a `flock`, and it outlives the call.
    match unsafe { libc::fcntl(file.as_raw_fd(), command, &raw mut lock) } {
        -1 => Err(io::Error::last_os_error()),
        _ => Ok(lock.l_type.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    struct Scratch(std::path::PathBuf);

    impl Scratch {
        fn new(name: &str) -> Self {
            Self(std::env::temp_dir().join(format!("trip99-held-{}-{name}", std::process::id())))
        }

        fn plain(&self) -> File {
            File::options().read(true).write(true).create(true).truncate(false).open(&self.0).unwrap()
        }

        fn held(&self) -> Held {
            Held::open(&self.0, || Ok(self.plain())).unwrap()
        }
    }

    impl Drop for Scratch {
        fn drop(&mut self) {
            let _ = std::fs::remove_file(&self.0);
        }
    }

    /// The status of a child that does this alone.
    fn forked(child: impl FnOnce() -> bool) -> c_int {
        // SAFETY: the child makes system calls, and ends.
        match unsafe { libc::fork() } {
            0 => {
                let status = if child() { 0 } else { 1 };
                // SAFETY: ends the process.
                unsafe { libc::_exit(status) }
            }
            child => {
                let mut status = -1;
                // SAFETY: writes to `status`.
                assert_eq!(unsafe { libc::waitpid(child, &raw mut status, 0) }, child);
                status
            }
        }
    }

    #[test]
    fn one_has_the_lock_until_it_is_dropped_whoever_closes_the_file() {
        let scratch = Scratch::new("one");
        let (held, other, plain) = (scratch.held(), scratch.held(), scratch.plain());
        assert!(!is_locked(&plain));
        assert!(held.lock().unwrap() && !other.lock().unwrap());
        assert!(is_locked(&plain) && !is_locked(held.file()));
        drop(other);
        drop(scratch.plain());
        assert!(is_locked(&plain));
        drop(held);
        assert!(!is_locked(&plain) && scratch.held().lock().unwrap());
    }

    #[test]
    fn a_file_is_opened_again_if_a_fork_copied_it_before_it_was_on_the_list() {
        let scratch = Scratch::new("again");
        let opened = Cell::new(0);
        let _held = Held::open(&scratch.0, || {
            let file = scratch.plain();
            opened.set(opened.get() + 1);
            if opened.get() == 1 {
                assert_eq!(forked(|| true), 0);
            }
            Ok(file)
        });
        assert!(opened.get() > 1, "{}", opened.get());
    }

    #[test]
    fn slots_are_used_again() {
        let scratch = Scratch::new("slots");
        let held: Vec<Held> = (0..20).map(|_| scratch.held()).collect();
        drop(held);
        for _ in 0..1000 {
            drop(scratch.held());
        }
        assert!(slots().count() < 100, "{}", slots().count());
    }

    #[test]
    fn a_child_has_no_copy_and_its_drop_touches_neither_the_lock_nor_its_own_files() {
        let scratch = Scratch::new("child");
        let held = ManuallyDrop::new(scratch.held());
        assert!(held.lock().unwrap());
        let fd = held.file().as_raw_fd();
        let status = forked(|| {
            // SAFETY: asks about a number.
            let closed = unsafe { libc::fcntl(fd, libc::F_GETFD) } == -1;
            // The child has a file of its own by that number, and one on the list.
            let null = File::open("/dev/null").unwrap();
            // SAFETY: a number that is nobody's, as the child saw.
            let copied = unsafe { libc::dup2(null.as_raw_fd(), fd) } == fd;
            let slot = place(fd);
            drop(ManuallyDrop::into_inner(held));
            // SAFETY: as above.
            closed && copied && slot.fd.load(SeqCst) == fd && unsafe { libc::fcntl(fd, libc::F_GETFD) } != -1
        });
        assert_eq!(status, 0);
        assert!(is_locked(&scratch.plain()));
    }
}
