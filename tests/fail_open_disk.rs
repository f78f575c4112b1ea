//! What a disk does to halts: it is full, or whoever writes to it is killed between two system calls. Mounts and traces may be forbidden,
//! so the tests have a harness that can skip them.

mod harness;
#[cfg(all(feature = "shm", target_os = "linux"))]
mod shared;

use std::process::ExitCode;

#[cfg(all(feature = "shm", target_os = "linux"))]
mod linux {
    use super::harness::skip;
    use super::shared::{Place, config, role};
    use std::ffi::{CString, c_long, c_void};
    use std::fs;
    use std::io::ErrorKind;
    use std::mem::{MaybeUninit, size_of};
    use std::path::{Path, PathBuf};
    use std::process::Command;
    use std::ptr::null_mut;
    use trip99::shared::{Halter, Options};
    use trip99::{Breaker, Halted, Holder, Resumed, Start, Started};

    // A full file system, which a process of its own mounts where nobody else sees it.

    /// Plays the role that this process is given, if it is given one. Returns the exit status.
    pub(crate) fn play() -> Option<u8> {
        const SKIPPED: u8 = 77;
        let (role, folder) = role()?;
        if !is_alone() {
            return Some(SKIPPED);
        }
        match role.as_str() {
            "state" => halt_on_a_full_disk(&folder),
            "pages" => own_on_a_full_tmpfs(&folder),
            other => panic!("no role: {other}"),
        }
        Some(0)
    }

    /// Gives this process mounts of its own. False if that is forbidden.
    fn is_alone() -> bool {
        let none = c"none".as_ptr();
        // SAFETY: system calls. The process has one thread so far.
        unsafe {
            libc::unshare(libc::CLONE_NEWNS) == 0
                && libc::mount(none, c"/".as_ptr(), none, libc::MS_REC | libc::MS_PRIVATE, std::ptr::null()) == 0
        }
    }

    /// Mounts a tmpfs of this size, or gives the one that is there this size.
    fn mount(folder: &Path, size: &str, flags: libc::c_ulong) {
        let target = CString::new(folder.as_os_str().as_encoded_bytes()).unwrap();
        let options = CString::new(format!("size={size},mode=700")).unwrap();
        let kind = c"tmpfs".as_ptr();
        // SAFETY: a system call, whose strings outlive it.
        let mounted = unsafe { libc::mount(kind, target.as_ptr(), kind, flags, options.as_ptr().cast::<c_void>()) };
        assert_eq!(mounted, 0, "{}", std::io::Error::last_os_error());
    }

    /// Runs this program as a role, with a new folder to mount on.
    fn run(role: &str) {
        let folder = PathBuf::from(format!("/dev/shm/test-trip99-disk-{role}-{}", std::process::id()));
        fs::create_dir(&folder).unwrap();
        let exe = std::env::current_exe().unwrap();
        let done = Command::new(exe).env("TRIP99_ROLE", role).env("TRIP99_PAGE", &folder).status();
        fs::remove_dir(&folder).unwrap();
        match done.unwrap().code() {
            Some(0) => {}
            Some(77) => skip("to mount a file system is forbidden here"),
            status => panic!("{role}: {status:?}"),
        }
    }

    fn fill(folder: &Path) {
        let error = fs::write(folder.join("filler"), vec![1; 1 << 20]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::StorageFull);
    }

    pub(crate) fn on_a_full_disk_a_halt_holds_and_its_name_outlives_memory() {
        run("state");
    }

    fn halt_on_a_full_disk(folder: &Path) {
        mount(folder, "64k", 0);
        fill(folder);
        let (place, ann) = (Place::new("full"), Holder::new("ann@desk").unwrap());
        let options = Options::default().state_dir(folder).warden(false);
        let create = || Breaker::create_shared_with(&place.0, config(), Start::Closed, &options).unwrap();
        let mut breaker = create();
        let halter = Halter::open(&place.0).unwrap();
        assert_eq!(halter.halt(ann, "prices look wrong"), Halted::Done);
        let error = halter.make_durable(ann).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::StorageFull, "who halts is told");
        assert!(!breaker.allow() && !breaker.gate().allow(), "the halt holds");
        drop(breaker);
        // A file without a text is a halt.
        fs::remove_file(&place.0).unwrap();
        let mut breaker = create();
        assert!(!breaker.allow() && breaker.started() == Some(Started::New));
        assert_eq!(breaker.gate().halt_note().unwrap().holder, Some(ann));
        // There is room again.
        fs::remove_file(folder.join("filler")).unwrap();
        let halter = Halter::open(&place.0).unwrap();
        assert_eq!(halter.halt(Holder::DRILL, "once more"), Halted::Done);
        let file = halter.make_durable(Holder::DRILL).unwrap();
        assert!(fs::read_to_string(file).unwrap().contains("reason: once more\n"));
    }

    pub(crate) fn an_owner_that_finds_no_room_for_its_page_is_told_and_leaves_none() {
        run("pages");
    }

    fn own_on_a_full_tmpfs(folder: &Path) {
        mount(folder, "64k", 0);
        let page = folder.join("page");
        let state = Options::default().state_dir(folder.join("state")).warden(false);
        let create = || Breaker::create_shared_with(&page, config(), Start::Closed, &state);
        let error = create().unwrap_err().to_string();
        assert!(error.contains("allocate") && error.contains("No space left"), "{error}");
        assert!(!page.exists(), "half a page would be a SIGBUS later");
        mount(folder, "4m", libc::MS_REMOUNT);
        let mut breaker = create().unwrap();
        assert!(breaker.allow());
    }

    // Killed between two system calls.

    /// What a process was about to sync, and what the folder had in it then: names and texts.
    #[derive(Debug)]
    struct Sync {
        path: PathBuf,
        files: Vec<(String, String)>,
    }

    fn files(folder: &Path) -> Vec<(String, String)> {
        let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
        let mut files: Vec<_> = entries
            .map(|entry| (entry.file_name().into_string().unwrap(), fs::read_to_string(entry.path()).unwrap()))
            .collect();
        files.sort();
        files
    }

    enum Traced {
        /// It was killed at the stop that was asked for.
        Killed,
        /// It ended before that.
        Ended(Vec<Sync>),
        Forbidden,
    }

    /// Does something in a child, and kills the child at this stop. There are two stops for each system call: before it and after it.
    fn trace(stop: usize, folder: &Path, act: impl FnOnce()) -> Traced {
        // SAFETY: the child makes system calls, and ends. This process has no other thread.
        let child = unsafe { libc::fork() };
        if child == 0 {
            // SAFETY: as above.
            unsafe {
                if libc::ptrace(libc::PTRACE_TRACEME, 0, null_mut::<c_void>(), null_mut::<c_void>()) == 0 {
                    libc::raise(libc::SIGSTOP);
                    act();
                    libc::_exit(0);
                }
                libc::_exit(1);
            }
        }
        let wait = || {
            let mut status = 0;
            // SAFETY: writes to `status`.
            assert_eq!(unsafe { libc::waitpid(child, &raw mut status, 0) }, child);
            status
        };
        if !libc::WIFSTOPPED(wait()) {
            return Traced::Forbidden;
        }
        // SAFETY: the child is stopped, and is this thread's. None of these calls writes to this process.
        let ptrace = |request, data: c_long| unsafe { libc::ptrace(request, child, null_mut::<c_void>(), data) };
        assert_eq!(ptrace(libc::PTRACE_SETOPTIONS, (libc::PTRACE_O_TRACESYSGOOD | libc::PTRACE_O_EXITKILL).into()), 0);
        let mut syncs = Vec::new();
        for count in 0.. {
            assert_eq!(ptrace(libc::PTRACE_SYSCALL, 0), 0);
            let status = wait();
            if libc::WIFEXITED(status) {
                assert_eq!(libc::WEXITSTATUS(status), 0);
                break;
            }
            assert!(libc::WIFSTOPPED(status) && libc::WSTOPSIG(status) == libc::SIGTRAP | 0x80, "{status:#x}");
            if count == stop {
                // SAFETY: the child is this process's.
                assert_eq!(unsafe { libc::kill(child, libc::SIGKILL) }, 0);
                assert!(libc::WIFSIGNALED(wait()));
                return Traced::Killed;
            }
            syncs.extend(synced(child).map(|path| Sync { path, files: files(folder) }));
        }
        Traced::Ended(syncs)
    }

    /// What a child that has stopped before a system call is about to sync by it.
    fn synced(child: libc::pid_t) -> Option<PathBuf> {
        let mut info = MaybeUninit::<libc::ptrace_syscall_info>::zeroed();
        let len = size_of::<libc::ptrace_syscall_info>();
        // SAFETY: writes at most `len` bytes to `info`. All of its bytes may hold anything.
        let info = unsafe {
            assert!(libc::ptrace(libc::PTRACE_GET_SYSCALL_INFO, child, len, info.as_mut_ptr()) > 0);
            info.assume_init()
        };
        if info.op != libc::PTRACE_SYSCALL_INFO_ENTRY {
            return None;
        }
        // SAFETY: of a stop before a system call this is the part that is filled.
        let entry = unsafe { info.u.entry };
        let syncs = [libc::SYS_fsync, libc::SYS_fdatasync].contains(&(entry.nr as c_long));
        syncs.then(|| fs::read_link(format!("/proc/{child}/fd/{}", entry.args[0])).unwrap())
    }

    /// A page, its owner, a tool that halts it, and the folder of its halts.
    struct Desk {
        place: Place,
        folder: PathBuf,
        breaker: Option<Breaker>,
        halter: Halter,
    }

    const ANN: &str = "ann@desk";

    fn ann() -> Holder {
        Holder::new(ANN).unwrap()
    }

    impl Desk {
        fn new(name: &str) -> Self {
            let place = Place::new(name);
            let folder = place.0.with_extension("state");
            let _ = fs::remove_dir_all(&folder);
            let breaker = Some(Self::owner(&place, &folder));
            Self { halter: Halter::open(&place.0).unwrap(), place, folder, breaker }
        }

        /// Without a warden, which would mend what a killed halter left.
        fn owner(place: &Place, folder: &Path) -> Breaker {
            let options = Options::default().state_dir(folder).warden(false);
            Breaker::create_shared_with(&place.0, config(), Start::Closed, &options).unwrap()
        }

        fn is_held(&self) -> bool {
            self.halter.holders().unwrap().notes().iter().any(|note| note.holder == Some(ann()))
        }

        /// Memory is lost, and an owner begins. Whether it is halted.
        fn is_halted_after_a_reboot(&mut self) -> bool {
            drop(self.breaker.take());
            fs::remove_file(&self.place.0).unwrap();
            !Self::owner(&self.place, &self.folder).allow()
        }
    }

    impl Drop for Desk {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.folder);
        }
    }

    const FORBIDDEN: &str = "to trace a process is forbidden here";

    pub(crate) fn a_halter_that_is_killed_at_any_system_call_leaves_no_file_without_a_halt() {
        let mut told = None;
        for stop in 0.. {
            let mut desk = Desk::new("halter");
            let halter = &desk.halter;
            let traced = trace(stop, &desk.folder, || {
                halter.halt(ann(), "prices look wrong");
                halter.make_durable(ann()).unwrap();
            });
            let is_kept = !files(&desk.folder).is_empty();
            assert!(desk.is_held() || !is_kept, "the page comes first: stop {stop}");
            assert!(!desk.is_held() || !desk.breaker.as_mut().unwrap().allow(), "stop {stop}");
            assert_eq!(desk.is_halted_after_a_reboot(), is_kept, "stop {stop}");
            match traced {
                Traced::Killed => continue,
                Traced::Ended(syncs) => told = Some((syncs, desk.folder.clone(), is_kept)),
                Traced::Forbidden => skip(FORBIDDEN),
            }
            break;
        }
        let Some((syncs, folder, is_kept)) = told else { return };
        assert!(is_kept);
        // What a power failure can lose is what wasn't synced. So the file is whole when it is synced, and then its name is.
        let [file, names] = syncs.as_slice() else { panic!("{syncs:?}") };
        assert_eq!((file.path.parent(), &names.path), (Some(&*folder), &folder), "{syncs:?}");
        let [(name, text)] = file.files.as_slice() else { panic!("{syncs:?}") };
        assert!(file.path.ends_with(name) && text.ends_with("reason: prices look wrong\n"), "{syncs:?}");
    }

    pub(crate) fn a_resumer_that_is_killed_at_any_system_call_leaves_no_halt_without_its_file() {
        let mut told = None;
        for stop in 0.. {
            let mut desk = Desk::new("resumer");
            desk.halter.halt(ann(), "prices look wrong");
            desk.halter.make_durable(ann()).unwrap();
            let halter = &desk.halter;
            let traced = trace(stop, &desk.folder, || {
                let mut list = halter.holders().unwrap();
                let note = list.notes()[0].clone();
                assert_eq!(halter.resume(&mut list, 0, "prices are right"), Resumed::Done);
                halter.forget(&note).unwrap();
            });
            let is_kept = !files(&desk.folder).is_empty();
            assert!(is_kept || !desk.is_held(), "the page comes first: stop {stop}");
            assert_eq!(desk.is_halted_after_a_reboot(), is_kept, "stop {stop}");
            match traced {
                Traced::Killed => continue,
                Traced::Ended(syncs) => told = Some((syncs, desk.folder.clone())),
                Traced::Forbidden => skip(FORBIDDEN),
            }
            break;
        }
        let Some((syncs, folder)) = told else { return };
        let [names] = syncs.as_slice() else { panic!("{syncs:?}") };
        assert!(names.path == folder && names.files.is_empty(), "{syncs:?}");
    }
}

#[cfg(all(feature = "shm", target_os = "linux"))]
fn main() -> ExitCode {
    use linux::*;
    if let Some(status) = play() {
        return ExitCode::from(status);
    }
    harness::run(&[
        (
            "on_a_full_disk_a_halt_holds_and_its_name_outlives_memory",
            on_a_full_disk_a_halt_holds_and_its_name_outlives_memory,
        ),
        (
            "an_owner_that_finds_no_room_for_its_page_is_told_and_leaves_none",
            an_owner_that_finds_no_room_for_its_page_is_told_and_leaves_none,
        ),
        (
            "a_halter_that_is_killed_at_any_system_call_leaves_no_file_without_a_halt",
            a_halter_that_is_killed_at_any_system_call_leaves_no_file_without_a_halt,
        ),
        (
            "a_resumer_that_is_killed_at_any_system_call_leaves_no_halt_without_its_file",
            a_resumer_that_is_killed_at_any_system_call_leaves_no_halt_without_its_file,
        ),
    ])
}

#[cfg(not(all(feature = "shm", target_os = "linux")))]
fn main() -> ExitCode {
    harness::run(&[("pages_in_files", || harness::skip("pages in files are for Linux"))])
}
