//! Pages and folders of other users. Only root can give a file away and play several users, so the tests have a harness that can
//! skip them.

mod harness;
#[cfg(all(feature = "shm", target_os = "linux"))]
mod shared;

use std::process::ExitCode;

#[cfg(all(feature = "shm", target_os = "linux"))]
mod users {
    use crate::harness;
    use crate::shared::{Place, Process, config, role, tell};
    use std::fs;
    use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
    use std::path::{Path, PathBuf};
    use std::time::Duration;
    use trip99::shared::{Halter, Options, SharedError};
    use trip99::{Breaker, Gate, Halted, Holder, Observer, Resumed, Start};

    const OWNER: u32 = 4711;
    const MEMBER: u32 = 4712;
    const STRANGER: u32 = 4713;
    const GROUP: u32 = 4747;

    fn is_root() -> bool {
        let is_root = rustix::process::geteuid().is_root();
        if !is_root {
            harness::skip("to play another user takes root");
        }
        is_root
    }

    /// A folder in memory that all users may enter, which is removed in the end. In it is a folder of the owner's.
    struct Scratch(PathBuf);

    impl Scratch {
        fn new(name: &str) -> Self {
            let scratch = Self(format!("/dev/shm/test-trip99-user-{name}-{}", std::process::id()).into());
            let _ = fs::remove_dir_all(&scratch.0);
            fs::create_dir(&scratch.0).unwrap();
            set_mode(&scratch.0, 0o755);
            scratch.folder("pages", OWNER);
            for user in [OWNER, MEMBER, STRANGER] {
                scratch.folder(&format!("state-{user}"), user);
            }
            scratch
        }

        fn folder(&self, name: &str, user: u32) -> PathBuf {
            let path = self.0.join(name);
            fs::create_dir(&path).unwrap();
            set_mode(&path, 0o700);
            chown(&path, Some(user), Some(user)).unwrap();
            path
        }

        fn page(&self) -> PathBuf {
            self.0.join("pages/page")
        }
    }

    impl Drop for Scratch {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    fn set_mode(path: &Path, mode: u32) {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }

    fn mode(path: &Path) -> u32 {
        fs::symlink_metadata(path).unwrap().mode() & 0o7777
    }

    /// What a process of this user and group tells that plays this role.
    fn told(role: &str, user: u32, group: u32, page: &Path) -> String {
        Process::start(&format!("{role} {user} {group}"), page).said()
    }

    /// Plays a role, if this process has one.
    pub(crate) fn play() -> bool {
        let Some((role, page)) = role() else { return false };
        let words: Vec<&str> = role.split(' ').collect();
        let [role, user, group] = words[..] else { panic!("no role: {role}") };
        let (user, group): (u32, u32) = (user.parse().unwrap(), group.parse().unwrap());
        let folder = page.parent().unwrap();
        // SAFETY: this process has no other thread.
        unsafe {
            std::env::set_var("TRIP99_DIR", folder);
            std::env::set_var("TRIP99_STATE_DIR", folder.with_file_name(format!("state-{user}")));
            if user != 0 {
                assert_eq!([libc::setgroups(0, std::ptr::null()), libc::setgid(group), libc::setuid(user)], [0; 3]);
            }
        }
        let desk = Options::default().group(GROUP.to_string());
        match role {
            "owner" => own(&page, &Options::default()),
            "sharing-owner" => own(&page, &desk),
            "group" => tell(&shown(Breaker::create_shared_with(&page, config(), Start::Closed, &desk))),
            "create" => tell(&shown(Breaker::create_shared(&page, config(), Start::Closed))),
            "dir" => tell(&shown(trip99::shared::dir())),
            "open" => tell(&openings(&page).join("; ")),
            "halt-and-resume" => halt_and_resume(&page),
            umask => {
                let mask = u32::from_str_radix(umask.strip_prefix("umask-").unwrap(), 8).unwrap();
                // SAFETY: as above.
                unsafe { libc::umask(mask) };
                tell_modes();
            }
        }
        true
    }

    fn shown<T>(result: Result<T, SharedError>) -> String {
        result.map_or_else(|error| error.to_string(), |_| "done".to_owned())
    }

    /// Polls until it is killed.
    fn own(page: &Path, options: &Options) {
        let mut breaker = match Breaker::create_shared_with(page, config(), Start::Closed, options) {
            Ok(breaker) => breaker,
            Err(error) => return tell(&error.to_string()),
        };
        tell("ready");
        loop {
            breaker.poll();
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// What a watcher, a gate and a halter hear.
    fn openings(page: &Path) -> [String; 3] {
        [shown(Observer::open(page)), shown(Gate::open(page)), shown(Halter::open(page))]
    }

    /// Halts by a gate and by a halter, and lifts both. The owner polls.
    fn halt_and_resume(page: &Path) {
        let gate = Gate::open(page).unwrap();
        assert!(gate.allow(), "nobody has halted");
        assert_eq!(gate.halt("a member's"), Halted::Done);
        let halter = Halter::open(page).unwrap();
        assert!(halter.warnings().is_empty(), "{:?}", halter.warnings());
        assert_eq!(halter.halt(Holder::DRILL, "a drill"), Halted::Done);
        assert!(!gate.allow() && halter.is_halted());
        // The folder where halts outlive memory is the owner's alone, whose process sees to that.
        assert!(halter.make_durable(Holder::DRILL).is_err());
        assert_eq!(gate.resume("a member's"), Resumed::StillHeld);
        let mut list = halter.holders().unwrap();
        assert_eq!(list.notes().len(), 1);
        assert_eq!((list.notes()[0].uid, halter.resume(&mut list, 0, "done")), (MEMBER, Resumed::Done));
        // The owner opens the gate. If it never does, the parent waits for ever, and its caller ends it.
        while !gate.allow() {
            std::thread::sleep(Duration::from_millis(1));
        }
        tell("halted and resumed");
    }

    /// Makes a page, halts it for good, and tells the modes of all that was made.
    fn tell_modes() {
        let page = trip99::shared::path("page").unwrap();
        let _breaker = match Breaker::create_shared(&page, config(), Start::Closed) {
            Ok(breaker) => breaker,
            Err(error) => return tell(&error.to_string()),
        };
        let halter = Halter::open(&page).unwrap();
        halter.halt(Holder::DRILL, "a drill");
        let kept = match halter.make_durable(Holder::DRILL) {
            Ok(kept) => kept,
            Err(error) => return tell(&format!("not durable: {error}")),
        };
        let paths = [page.parent().unwrap(), &page, &page.with_file_name(".page.lock"), &kept];
        tell(&paths.map(|path| format!("{:04o}", mode(path))).join(" "));
    }

    pub(crate) fn another_users_page_is_refused_but_root_may_watch() {
        let place = Place::new("user");
        drop(Breaker::create_shared(&place.0, config(), Start::Closed).unwrap());
        if !is_root() {
            return;
        }
        chown(&place.0, Some(OWNER), None).unwrap();
        let error = Breaker::create_shared(&place.0, config(), Start::Closed).unwrap_err();
        assert_eq!(error.to_string(), format!("{} is another user's", place.0.display()));
        assert!(Observer::open(&place.0).unwrap().state().is_some());
    }

    pub(crate) fn another_users_folder_is_refused_with_the_way_out() {
        if !is_root() {
            return;
        }
        let scratch = Scratch::new("folder");
        let folder = scratch.page().parent().unwrap().display().to_string();
        let expected = format!("{folder} is a folder of user {OWNER}; remove it, or set TRIP99_DIR to another folder");
        for user in [0, STRANGER] {
            assert_eq!(told("dir", user, user, &scratch.page()), expected, "user {user}");
        }
        assert_eq!(told("dir", OWNER, OWNER, &scratch.page()), "done");
        // Root can be told by a path to make a page there, and won't.
        let expected = format!("{folder} is a folder of neither root nor the page's owner");
        assert_eq!(told("create", 0, 0, &scratch.page()), expected);
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 0, "nothing is made");
    }

    pub(crate) fn root_obeys_only_folders_of_root_or_of_the_pages_owner() {
        if !is_root() {
            return;
        }
        let scratch = Scratch::new("root");
        let page = scratch.page();
        assert_eq!(told("create", OWNER, OWNER, &page), "done");
        let folder = page.parent().unwrap();
        symlink(folder, scratch.0.join("link")).unwrap();
        let refused = |path: &Path| {
            let folder = path.parent().unwrap().display().to_string();
            [(); 3].map(|()| format!("{folder} is a folder of neither root nor the page's owner"))
        };
        for path in [page.clone(), scratch.0.join("link/page")] {
            for user in [OWNER, 0] {
                chown(folder, Some(user), None).unwrap();
                assert_eq!(openings(&path), [(); 3].map(|()| "done".to_owned()), "a folder of user {user}");
            }
            let before = fs::read(&page).unwrap();
            chown(folder, Some(STRANGER), None).unwrap();
            assert_eq!(openings(&path), refused(&path));
            assert_eq!(fs::read(&page).unwrap(), before, "it is left alone");
        }
        // Root's own page in such a folder is refused as well.
        chown(&page, Some(0), None).unwrap();
        assert_eq!(openings(&page), refused(&page));
    }

    pub(crate) fn members_of_the_group_watch_halt_and_resume() {
        if !is_root() {
            return;
        }
        let scratch = Scratch::new("group");
        let page = scratch.page();
        let folder = page.parent().unwrap().to_owned();
        let _owner = Process::ready(&format!("sharing-owner {OWNER} {GROUP}"), &page);
        let lock = page.with_file_name(".page.lock");
        assert_eq!([mode(&folder), mode(&page), mode(&lock)], [0o2770, 0o660, 0o660]);
        for path in [&folder, &page, &lock] {
            let metadata = fs::metadata(path).unwrap();
            assert_eq!((metadata.uid(), metadata.gid()), (OWNER, GROUP), "{}", path.display());
        }
        assert_eq!(told("open", MEMBER, GROUP, &page), "done; done; done");
        assert_eq!(told("halt-and-resume", MEMBER, GROUP, &page), "halted and resumed");
        // Nobody else may, and a member doesn't own the page.
        let refused = told("open", STRANGER, STRANGER, &page);
        assert_eq!(refused.matches("Permission denied").count(), 3, "{refused}");
        let taken = told("create", MEMBER, GROUP, &page);
        assert_eq!(taken, format!("{} is another user's", lock.display()));

        // The folder has to consent: without its mode, or for another group, a page that a group may write to is a mistake.
        let writable = format!("{} is another user's", page.display());
        for (wanted, group) in [(0o750, GROUP), (0o2750, GROUP), (0o2775, GROUP), (0o2770, STRANGER)] {
            chown(&folder, None, Some(group)).unwrap();
            set_mode(&folder, wanted);
            let user_group = if wanted == 0o2770 { group } else { GROUP };
            let heard = told("open", MEMBER, user_group, &page);
            assert!(heard.starts_with(&writable), "{wanted:o} {group}: {heard}");
        }
    }

    pub(crate) fn a_page_that_is_not_shared_is_the_owners_alone() {
        if !is_root() {
            return;
        }
        let scratch = Scratch::new("private");
        let page = scratch.page();
        let _owner = Process::ready(&format!("owner {OWNER} {GROUP}"), &page);
        assert_eq!([mode(page.parent().unwrap()), mode(&page)], [0o700, 0o600]);
        let refused = told("open", MEMBER, GROUP, &page);
        assert_eq!(refused.matches("Permission denied").count(), 3, "{refused}");
    }

    pub(crate) fn a_group_that_the_engine_is_not_in_is_refused() {
        if !is_root() {
            return;
        }
        let scratch = Scratch::new("outside");
        let expected = format!("the group \"{GROUP}\" has not this process in it; legal: a group of the process");
        assert_eq!(told("group", OWNER, OWNER, &scratch.page()), expected);
        assert_eq!(fs::read_dir(scratch.page().parent().unwrap()).unwrap().count(), 0, "nothing is made");
        assert_eq!(told("group", OWNER, GROUP, &scratch.page()), "done");
    }

    /// What root may open whatever its mode, a user may not.
    pub(crate) fn a_users_umask_does_not_matter() {
        if !is_root() {
            return;
        }
        for umask in ["0", "077", "0400", "0777"] {
            let scratch = Scratch::new("umask");
            let page = scratch.page();
            let modes = told(&format!("umask-{umask}"), OWNER, OWNER, &page);
            assert_eq!(modes, "0700 0600 0600 0600", "umask {umask}");
        }
    }
}

/// Whatever the platform, the tests have these names.
macro_rules! tests {
    ($($name:ident)*) => {{
        #[cfg(all(feature = "shm", target_os = "linux"))]
        let tests: &[harness::Test] = &[$((stringify!($name), users::$name)),*];
        #[cfg(not(all(feature = "shm", target_os = "linux")))]
        let tests: &[harness::Test] = &[$((stringify!($name), || harness::skip("pages in files are for Linux"))),*];
        tests
    }};
}

fn main() -> ExitCode {
    #[cfg(all(feature = "shm", target_os = "linux"))]
    if users::play() {
        return ExitCode::SUCCESS;
    }
    harness::run(tests! {
        another_users_page_is_refused_but_root_may_watch
        another_users_folder_is_refused_with_the_way_out
        root_obeys_only_folders_of_root_or_of_the_pages_owner
        members_of_the_group_watch_halt_and_resume
        a_page_that_is_not_shared_is_the_owners_alone
        a_group_that_the_engine_is_not_in_is_refused
        a_users_umask_does_not_matter
    })
}
