//! The places where pages are by convention: this user's, where owners make their pages, and those of all users, where tools look.
//!
//! A user's place is `$TRIP99_DIR`, or else `/run/trip99/USER` if that exists, or else `/dev/shm/trip99-USER`.

use super::error::SharedError;
use super::permissions::own_folder;
use super::trust;
use super::users;
use rustix::fs::{FileType, Stat, lstat};
use rustix::io::Errno;
use rustix::process::geteuid;
use std::env::var_os;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::{Path, PathBuf};

/// The longest name of a page, in bytes. It leaves room for `.name.lock` in a file name of 255.
const MAX_NAME: usize = 200;

/// Names the folder of this user's pages.
const VARIABLE: &str = "TRIP99_DIR";

/// The directory of this user's pages. It is the first of:
/// - `$TRIP99_DIR`, if that is set. It must be an absolute path.
/// - `/run/trip99/USER`, if that exists.
/// - `/dev/shm/trip99-USER`.
///
/// It is made (mode 0700, whatever the umask) if it is missing; the directory that it is in must be there. It must be this user's,
/// or one that root shares with a group: see [`Options::group`](super::Options::group). Pages lie in memory, and are gone after a
/// reboot: so the directory must be on a tmpfs. Files in it whose names begin with a dot are not pages.
///
/// `/run/trip99/USER` is there if an administrator makes it, by a line of `tmpfiles.d(5)`:
///
/// ```text
/// d /run/trip99      0755 root   root   -
/// d /run/trip99/algo 0700 algo   algo   -
/// ```
///
/// or by the unit of the engine that runs as this user (`algo` here), for systemd:
///
/// ```text
/// RuntimeDirectory=trip99/algo
/// RuntimeDirectoryMode=0700
/// RuntimeDirectoryPreserve=yes
/// ```
///
/// Never without `RuntimeDirectoryPreserve`: without it systemd removes the directory when the unit stops, and a restart would
/// forget halts.
///
/// Beware of systemd's `RemoveIPC`: when the last session of an ordinary user (not of a system user) ends, systemd empties the
/// user's directory in `/dev/shm`. A running breaker goes on then, but nobody can open its page. (It leaves `/run/trip99` alone.)
///
/// The user is the effective one. `USER` is the user's name in `/etc/passwd`, or else the user's number.
///
/// # Errors
/// [`SharedError::NotAbsolute`] for a variable that is no absolute path. [`SharedError::NoFolder`] if the directory that it is in is
/// missing. [`SharedError::AnothersFolder`] if it is another user's. [`SharedError::NotOurs`] if it is no directory (a symbolic
/// link is none), or writable for others. [`SharedError::Io`] if the operating system refuses.
pub fn shared_dir() -> Result<PathBuf, SharedError> {
    let directory = Roots::real().own()?;
    own_folder(&directory, VARIABLE)?;
    Ok(directory)
}

/// The conventional path of this user's page of this name. It is in [`shared_dir`], which is made if it is missing.
///
/// ```
/// # #[cfg(target_os = "linux")] {
/// let path = trip99::shared::path("venue-a")?;
/// assert!(path.starts_with(trip99::shared::dir()?) && path.ends_with("venue-a"));
/// assert!(trip99::shared::path("../elsewhere").is_err());
/// # }
/// # Ok::<(), trip99::shared::SharedError>(())
/// ```
///
/// # Errors
/// [`SharedError::Name`] unless the name is a plain file name. Otherwise the same as of `shared_dir`.
pub fn shared_path(name: &str) -> Result<PathBuf, SharedError> {
    check_name(name)?;
    Ok(shared_dir()?.join(name))
}

/// The conventional places of all users, for tools that list pages: this user's comes first (see [`shared_dir`]), and then each
/// directory `/run/trip99/*` and `/dev/shm/trip99-*`, by path. Only directories that exist and that this process may list are
/// among them, and each is once. Nothing is made.
///
/// ```
/// # #[cfg(target_os = "linux")] {
/// let own = trip99::shared::dir()?;
/// assert_eq!(trip99::shared::places().first(), Some(&own));
/// # }
/// # Ok::<(), trip99::shared::SharedError>(())
/// ```
///
/// Whose a directory is is not judged here, but when a page in it is opened.
pub fn places() -> Vec<PathBuf> {
    Roots::real().all()
}

/// The page of this name, for tools: in this user's conventional place, or in that of another user. Nothing is made.
///
/// A page that lies in several places is an error, as a halt of the wrong one would leave the right one trading. What another
/// user made doesn't count if this process may not open it. So nobody can hinder anybody's halt by a page of the same name. (But
/// all pages count for root.)
///
/// # Errors
/// [`SharedError::NoPage`] if there is none, [`SharedError::Ambiguous`] if there are several, [`SharedError::Name`] unless the name
/// is a plain file name, [`SharedError::NotAbsolute`] if `$TRIP99_DIR` is no absolute path. A page that is there may still be refused
/// when it is opened.
pub fn find(name: &str) -> Result<PathBuf, SharedError> {
    check_name(name)?;
    Roots::real().find(name)
}

fn check_name(name: &str) -> Result<(), SharedError> {
    let plain = !name.is_empty() && name.len() <= MAX_NAME && !name.starts_with('.');
    if !plain || name.contains(|c: char| c == '/' || c.is_control()) {
        return Err(SharedError::Name { name: name.to_owned() });
    }
    Ok(())
}

/// True if a folder is this user's conventional place.
pub(super) fn is_own(folder: &Stat) -> bool {
    Roots::real().own().is_ok_and(|own| lstat(&own).is_ok_and(|own| key(&own) == key(folder)))
}

/// The path that a variable or an option says, if it is absolute. A slash at the end would hide a symbolic link, and goes.
pub(super) fn absolute(variable: &'static str, value: &OsStr) -> Result<PathBuf, SharedError> {
    let path = Path::new(value);
    if !path.is_absolute() {
        return Err(SharedError::NotAbsolute { variable, value: path.to_owned() });
    }
    Ok(path.components().collect())
}

fn key(stat: &Stat) -> (u64, u64) {
    (stat.st_dev, stat.st_ino)
}

/// Where places are. (Tests have others.)
struct Roots {
    /// What `$TRIP99_DIR` says.
    named: Option<OsString>,
    /// It has a folder for each user.
    run: PathBuf,
    /// It has a folder `trip99-USER` for each user.
    shm: PathBuf,
    user: String,
}

impl Roots {
    fn real() -> Self {
        Self { named: var_os(VARIABLE), run: "/run/trip99".into(), shm: "/dev/shm".into(), user: users::own_name() }
    }

    /// The place of this user, whether it exists or not.
    fn own(&self) -> Result<PathBuf, SharedError> {
        if let Some(named) = &self.named {
            return absolute(VARIABLE, named);
        }
        let run = self.run.join(&self.user);
        match lstat(&run) {
            Ok(_) => Ok(run),
            Err(Errno::NOENT | Errno::NOTDIR) => Ok(self.shm.join(format!("trip99-{}", self.user))),
            Err(error) => Err(SharedError::io(&run, "look at")(error)),
        }
    }

    /// The places of all users that exist and may be listed.
    fn all(&self) -> Vec<PathBuf> {
        let mut paths: Vec<PathBuf> = self.own().into_iter().collect();
        paths.extend(within(&self.run, ""));
        paths.extend(within(&self.shm, "trip99-"));
        let (mut places, mut seen) = (Vec::new(), Vec::new());
        for path in paths {
            let Ok(stat) = lstat(&path) else { continue };
            let is_folder = FileType::from_raw_mode(stat.st_mode) == FileType::Directory;
            if is_folder && !seen.contains(&key(&stat)) && fs::read_dir(&path).is_ok() {
                seen.push(key(&stat));
                places.push(path);
            }
        }
        places
    }

    fn find(&self, name: &str) -> Result<PathBuf, SharedError> {
        let own = self.own()?;
        let mut looked_in = self.all();
        if !looked_in.contains(&own) {
            looked_in.insert(0, own);
        }
        let (mut usable, mut strangers) = (Vec::new(), Vec::new());
        for path in looked_in.iter().map(|place| place.join(name)) {
            match lstat(&path) {
                Ok(stat) if counts(&path, &stat) => usable.push(path),
                Ok(_) => strangers.push(path),
                Err(_) => {}
            }
        }
        // A stranger's page is still a better answer than none: who opens it learns why it is refused.
        let mut found = if usable.is_empty() { strangers } else { usable };
        match (found.pop(), found.is_empty()) {
            (None, _) => Err(SharedError::NoPage { name: name.to_owned(), looked_in }),
            (Some(path), true) => Ok(path),
            (Some(path), false) => {
                found.push(path);
                Err(SharedError::Ambiguous { name: name.to_owned(), paths: found })
            }
        }
    }
}

/// True unless a page is a stranger's. One's own counts even if it is refused when it is opened, as does everything for root: a
/// page that somebody harmed must not be mistaken for one that isn't there.
fn counts(path: &Path, stat: &Stat) -> bool {
    geteuid().is_root() || geteuid().as_raw() == stat.st_uid || trust::check_page(path, stat, false).is_ok()
}

/// What is in a directory and has a name that begins so, by path.
fn within(directory: &Path, prefix: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let named = entries.filter(|entry| entry.file_name().as_encoded_bytes().starts_with(prefix.as_bytes()));
    let mut paths: Vec<_> = named.map(|entry| entry.path()).collect();
    paths.sort();
    paths
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{PermissionsExt, symlink};

    /// A directory for places, which is removed in the end.
    struct Scratch(PathBuf);

    impl Scratch {
        fn new(name: &str) -> Self {
            let path = Path::new("/dev/shm").join(format!("test-trip99-{name}-{}", std::process::id()));
            let _ = fs::remove_dir_all(&path);
            fs::create_dir_all(path.join("run")).unwrap();
            fs::create_dir_all(path.join("shm")).unwrap();
            Self(path)
        }

        fn roots(&self, named: Option<&str>) -> Roots {
            let named = named.map(|named| self.0.join(named).into());
            Roots { named, run: self.0.join("run"), shm: self.0.join("shm"), user: "mm".to_owned() }
        }

        fn folder(&self, path: &str) -> PathBuf {
            fs::create_dir(self.0.join(path)).unwrap();
            self.0.join(path)
        }
    }

    impl Drop for Scratch {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn only_plain_names() {
        for name in ["", ".", "..", ".hidden", "a/b", "/a", "a\0b", "a\nb", &"n".repeat(201)] {
            assert!(matches!(shared_path(name), Err(SharedError::Name { .. })), "{name:?}");
            assert!(matches!(find(name), Err(SharedError::Name { .. })), "{name:?}");
        }
        check_name(&"n".repeat(200)).unwrap();
    }

    #[test]
    fn the_first_place_that_is_there() {
        let scratch = Scratch::new("first");
        assert_eq!(scratch.roots(None).own().unwrap(), scratch.0.join("shm/trip99-mm"));
        let run = scratch.folder("run/mm");
        assert_eq!(scratch.roots(None).own().unwrap(), run);
        assert_eq!(scratch.roots(Some("named/")).own().unwrap(), scratch.0.join("named"));
        // What is there but isn't a folder is refused later, not passed by.
        fs::remove_dir(&run).unwrap();
        symlink("/nowhere", &run).unwrap();
        assert_eq!(scratch.roots(None).own().unwrap(), run);
        let roots = Roots { run: "/dev/null".into(), ..scratch.roots(None) };
        assert_eq!(roots.own().unwrap(), scratch.0.join("shm/trip99-mm"));
    }

    #[test]
    fn a_variable_is_an_absolute_path() {
        for value in ["", "a", "./a", "../a"] {
            let roots = Roots { named: Some(value.into()), ..Roots::real() };
            let expected = format!("TRIP99_DIR is {value:?}; legal: an absolute path");
            assert_eq!(roots.own().unwrap_err().to_string(), expected);
            assert_eq!(roots.find("page").unwrap_err().to_string(), expected);
        }
        assert_eq!(absolute("X", OsStr::new("/a//b/./")).unwrap(), Path::new("/a/b"));
    }

    #[test]
    fn places_are_folders_of_all_users_and_each_is_once() {
        let scratch = Scratch::new("all");
        assert_eq!(scratch.roots(Some("named")).all(), Vec::<PathBuf>::new(), "nothing is made");
        let [bb, aa, run] = ["shm/trip99-bb", "shm/trip99-aa", "run/zz"].map(|path| scratch.folder(path));
        let [own, _] = ["shm/trip99-mm", "shm/other"].map(|path| scratch.folder(path));
        fs::write(scratch.0.join("shm/trip99-file"), "").unwrap();
        symlink(&aa, scratch.0.join("shm/trip99-link")).unwrap();
        assert_eq!(scratch.roots(None).all().iter().collect::<Vec<_>>(), [&own, &run, &aa, &bb]);
        assert_eq!(scratch.roots(Some("shm/trip99-bb")).all().iter().collect::<Vec<_>>(), [&bb, &run, &aa, &own]);
        let named = scratch.folder("named");
        assert_eq!(scratch.roots(Some("named")).all().iter().collect::<Vec<_>>(), [&named, &run, &aa, &bb, &own]);
    }

    #[test]
    fn a_page_is_found_wherever_it_is_unless_it_is_in_several_places() {
        let scratch = Scratch::new("find");
        let [aa, bb] = ["shm/trip99-aa", "run/bb"].map(|path| scratch.folder(path));
        let own = scratch.0.join("shm/trip99-mm");
        let roots = scratch.roots(None);
        let error = roots.find("page").unwrap_err();
        assert!(
            matches!(&error, SharedError::NoPage { looked_in, .. } if *looked_in == [&own, &bb, &aa].map(Clone::clone))
        );
        let expected = format!("there is no page \"page\" in {}, {}, {}", own.display(), bb.display(), aa.display());
        assert_eq!(error.to_string(), expected);
        assert!(!own.exists());

        fs::write(aa.join("page"), "").unwrap();
        assert_eq!(roots.find("page").unwrap(), aa.join("page"));
        // One's own counts, even if it is no page at all.
        for other in [bb, own] {
            let _ = fs::create_dir(&other);
            symlink("/nowhere", other.join("page")).unwrap();
            let error = roots.find("page").unwrap_err();
            let (first, second) = (other.join("page"), aa.join("page"));
            let expected = format!(
                "\"page\" is the name of several pages: {}, {}; legal: the path of one",
                first.display(),
                second.display()
            );
            assert_eq!(error.to_string(), expected);
            fs::remove_file(first).unwrap();
        }
    }

    #[test]
    fn directories_that_are_not_ours_are_refused() {
        let scratch = Scratch::new("ours");
        let what = |directory: &Path| match own_folder(directory, VARIABLE) {
            Ok(()) => "ours".to_owned(),
            Err(SharedError::NotOurs { what, .. }) => what.to_owned(),
            Err(error) => error.to_string().replace(&scratch.0.display().to_string(), "SCRATCH"),
        };

        let directory = scratch.0.join("made");
        assert_eq!(what(&directory), "ours");
        assert_eq!(fs::metadata(&directory).unwrap().permissions().mode() & 0o7777, 0o700);
        assert_eq!(what(&directory), "ours");
        for (mode, expected) in [
            (0o720, "writable for others"),
            (0o702, "writable for others"),
            (0o770, "writable for others"),
            (0o777, "writable for others"),
            (0o2777, "writable for others"),
            (0o2770, "ours"),
            (0o755, "ours"),
        ] {
            fs::set_permissions(&directory, fs::Permissions::from_mode(mode)).unwrap();
            assert_eq!(what(&directory), expected, "{mode:o}");
            assert_eq!(fs::metadata(&directory).unwrap().permissions().mode() & 0o7777, mode, "it is left alone");
        }
        let link = scratch.0.join("link");
        symlink(&scratch.0, &link).unwrap();
        assert_eq!(what(&link), "not a directory");
        let file = scratch.0.join("file");
        fs::write(&file, "").unwrap();
        assert_eq!(what(&file), "not a directory");
        let expected = "there is no folder SCRATCH/a for SCRATCH/a/b; make it, or set TRIP99_DIR to another";
        assert_eq!(what(&scratch.0.join("a/b")), expected);
        if geteuid().is_root() {
            fs::set_permissions(&directory, fs::Permissions::from_mode(0o700)).unwrap();
            std::os::unix::fs::chown(&directory, Some(4711), None).unwrap();
            let expected = "SCRATCH/made is a folder of user 4711; remove it, or set TRIP99_DIR to another folder";
            assert_eq!(what(&directory), expected);
        }
    }
}
