//! The place where pages are by convention: `/dev/shm/trip99-<user>/<name>`.

use super::error::SharedError;
use super::trust;
use rustix::fs::{FileType, Mode, lstat, mkdir};
use rustix::io::Errno;
use rustix::process::geteuid;
use std::fs;
use std::path::{Path, PathBuf};

/// The longest name of a page, in bytes. It leaves room for `.name.lock` in a file name of 255.
const MAX_NAME: usize = 200;

/// The directory of this user's pages, `/dev/shm/trip99-<user>`. It is in memory, and gone after a reboot. It is made (mode 0700) if
/// it is missing. Files in it whose names begin with a dot are not pages.
///
/// Beware of systemd's `RemoveIPC`: when the last session of an ordinary user (not of a system user) ends, systemd empties the
/// user's directory. A running breaker goes on then, but nobody can open its page.
///
/// The user is the effective one. `<user>` is the user's name in `/etc/passwd`, or else the user's number.
///
/// # Errors
/// [`SharedError::NotOurs`] if it is no directory, or another user's, or writable for others. [`SharedError::Io`] if the operating
/// system refuses.
pub fn shared_dir() -> Result<PathBuf, SharedError> {
    let uid = geteuid().as_raw();
    let user = fs::read_to_string("/etc/passwd").ok().and_then(|passwd| user_name(&passwd, uid).map(str::to_owned));
    let directory = Path::new("/dev/shm").join(format!("trip99-{}", user.unwrap_or_else(|| uid.to_string())));
    ours(&directory)?;
    Ok(directory)
}

/// The conventional path of this user's page of this name. It is in [`shared_dir`], which is made if it is missing.
///
/// ```
/// # #[cfg(target_os = "linux")] {
/// let path = trip99::shared::path("venue-a")?;
/// assert!(path.starts_with("/dev/shm") && path.ends_with("venue-a"));
/// assert!(trip99::shared::path("../elsewhere").is_err());
/// # }
/// # Ok::<(), trip99::shared::SharedError>(())
/// ```
///
/// # Errors
/// [`SharedError::Name`] unless the name is a plain file name. Otherwise the same as of `shared_dir`.
pub fn shared_path(name: &str) -> Result<PathBuf, SharedError> {
    let plain = !name.is_empty() && name.len() <= MAX_NAME && !name.starts_with('.');
    if !plain || name.contains(|c: char| c == '/' || c.is_control()) {
        return Err(SharedError::Name { name: name.to_owned() });
    }
    Ok(shared_dir()?.join(name))
}

/// Makes the directory, if it is missing, and checks that nobody else may put anything there.
fn ours(directory: &Path) -> Result<(), SharedError> {
    match mkdir(directory, Mode::RWXU) {
        Ok(()) | Err(Errno::EXIST) => {}
        Err(error) => return Err(SharedError::io(directory, "make")(error)),
    }
    let stat = lstat(directory).map_err(SharedError::io(directory, "look at"))?;
    trust::check(directory, &stat, FileType::Directory, false, false)
}

/// The name of the user of this number, if the user has a name that can be part of a file name.
fn user_name(passwd: &str, uid: u32) -> Option<&str> {
    passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        let found = fields.nth(1)?.parse() == Ok(uid);
        (found && !name.is_empty() && !name.contains(['/', '\0'])).then_some(name)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{PermissionsExt, symlink};

    #[test]
    fn users_are_found_by_number() {
        let passwd =
            "root:x:0:0:root:/root:/bin/bash\n# a comment\nbad/name:x:7:7::/:/bin/sh\nmm:x:1000:1000::/:/bin/sh\n";
        assert_eq!(user_name(passwd, 0), Some("root"));
        assert_eq!(user_name(passwd, 1000), Some("mm"));
        assert_eq!((user_name(passwd, 7), user_name(passwd, 1001), user_name("", 0)), (None, None, None));
    }

    #[test]
    fn only_plain_names() {
        for name in ["", ".", "..", ".hidden", "a/b", "/a", "a\0b", "a\nb", &"n".repeat(201)] {
            assert!(matches!(shared_path(name), Err(SharedError::Name { .. })), "{name:?}");
        }
    }

    #[test]
    fn directories_that_are_not_ours_are_refused() {
        let scratch = std::env::temp_dir().join(format!("trip99-place-{}", std::process::id()));
        fs::create_dir_all(&scratch).unwrap();
        let what = |directory: &Path| match ours(directory) {
            Ok(()) => "ours",
            Err(SharedError::NotOurs { what, .. }) => what,
            Err(error) => unreachable!("{error}"),
        };

        let directory = scratch.join("made");
        assert_eq!(what(&directory), "ours");
        assert_eq!(fs::metadata(&directory).unwrap().permissions().mode() & 0o777, 0o700);
        assert_eq!(what(&directory), "ours");
        for mode in [0o720, 0o702, 0o777] {
            fs::set_permissions(&directory, fs::Permissions::from_mode(mode)).unwrap();
            assert_eq!(what(&directory), "writable for others");
        }
        let link = scratch.join("link");
        symlink(&scratch, &link).unwrap();
        assert_eq!(what(&link), "not a directory");
        let file = scratch.join("file");
        fs::write(&file, "").unwrap();
        assert_eq!(what(&file), "not a directory");
        if geteuid().is_root() {
            fs::set_permissions(&directory, fs::Permissions::from_mode(0o700)).unwrap();
            std::os::unix::fs::chown(&directory, Some(4711), None).unwrap();
            assert_eq!(what(&directory), "another user's");
        }
        fs::remove_dir_all(&scratch).unwrap();
    }
}
