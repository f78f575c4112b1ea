//! The folder where halts outlive memory: which one it is.

use super::error::SharedError;
use super::options::Options;
use super::permissions::own_folder;
use super::place::absolute;
use super::users;
use rustix::fs::lstat;
use rustix::io::Errno;
use std::env::var_os;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// Names the folder.
const VARIABLE: &str = "TRIP99_STATE_DIR";

/// The folder where the halts of this user's pages outlive memory. It is that of the options, or else the first of:
/// - `$TRIP99_STATE_DIR`, if that is set;
/// - `/var/lib/trip99/USER`, if that exists (by systemd's `StateDirectory`, say);
/// - `$XDG_STATE_HOME/trip99`, if that variable is set and not empty;
/// - `$HOME/.local/state/trip99`.
///
/// This only chooses, and makes nothing.
///
/// # Errors
/// [`SharedError::NotAbsolute`] if the folder that is chosen has no absolute path. [`SharedError::Io`] if the operating system
/// doesn't let look at `/var/lib/trip99`.
pub fn state_dir(options: &Options) -> Result<PathBuf, SharedError> {
    choose(options, var_os, Path::new("/var/lib/trip99"), &users::own_name())
}

/// Makes the folder (mode 0700), if it is missing, and the folders that it is in, and checks that it is this user's. `None` if nobody
/// named a folder, and none can be had, as for a user without a home: then halts don't outlive memory, and who halts is told so.
pub(crate) fn make_state_dir(options: &Options) -> Result<Option<PathBuf>, SharedError> {
    let is_named = options.state_dir.is_some() || var_os(VARIABLE).is_some();
    match state_dir(options).and_then(|folder| make(&folder).map(|()| folder)) {
        Err(error) if is_named => Err(error),
        made => Ok(made.ok()),
    }
}

fn make(folder: &Path) -> Result<(), SharedError> {
    match own_folder(folder, VARIABLE) {
        Err(SharedError::NoFolder { .. }) => {}
        made => return made,
    }
    for above in folder.ancestors().skip(1).collect::<Vec<_>>().into_iter().rev() {
        // What is there is the operating system's business, whoever's it is: a folder may be made in it or not.
        if matches!(lstat(above), Err(Errno::NOENT)) {
            own_folder(above, VARIABLE)?;
        }
    }
    own_folder(folder, VARIABLE)
}

fn choose(
    options: &Options,
    variable: impl Fn(&'static str) -> Option<OsString>,
    system: &Path,
    user: &str,
) -> Result<PathBuf, SharedError> {
    if let Some(folder) = &options.state_dir {
        return absolute("the option state_dir", folder.as_os_str());
    }
    if let Some(folder) = variable(VARIABLE) {
        return absolute(VARIABLE, &folder);
    }
    let folder = system.join(user);
    match lstat(&folder) {
        Ok(_) => return Ok(folder),
        Err(Errno::NOENT | Errno::NOTDIR) => {}
        Err(error) => return Err(SharedError::io(&folder, "look at")(error)),
    }
    // An empty variable is none, as XDG's specification of base directories has it.
    if let Some(folder) = variable("XDG_STATE_HOME").filter(|folder| !folder.is_empty()) {
        return Ok(absolute("XDG_STATE_HOME", &folder)?.join("trip99"));
    }
    Ok(absolute("HOME", &variable("HOME").unwrap_or_default())?.join(".local/state/trip99"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::{PermissionsExt, symlink};

    fn scratch(name: &str) -> PathBuf {
        let scratch = Path::new("/dev/shm").join(format!("test-trip99-state-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&scratch);
        fs::create_dir(&scratch).unwrap();
        scratch
    }

    /// What is chosen with these variables.
    fn chosen(options: &Options, variables: &[(&str, &str)], system: &Path) -> Result<PathBuf, String> {
        let variable =
            |name: &str| variables.iter().find(|(found, _)| *found == name).map(|(_, value)| OsString::from(value));
        choose(options, variable, system, "mm").map_err(|error| error.to_string())
    }

    #[test]
    fn the_first_that_is_there() {
        let system = scratch("first");
        let mut variables = vec![("TRIP99_STATE_DIR", "/a/"), ("XDG_STATE_HOME", "/b"), ("HOME", "/c")];
        let options = Options::default().state_dir("/o");
        assert_eq!(chosen(&options, &variables, &system), Ok("/o".into()));
        let options = Options::default();
        assert_eq!(chosen(&options, &variables, &system), Ok("/a".into()));
        variables.remove(0);
        fs::create_dir(system.join("mm")).unwrap();
        assert_eq!(chosen(&options, &variables, &system), Ok(system.join("mm")));
        fs::remove_dir(system.join("mm")).unwrap();
        assert_eq!(chosen(&options, &variables, &system), Ok("/b/trip99".into()));
        assert_eq!(chosen(&options, &variables, Path::new("/dev/null")), Ok("/b/trip99".into()));
        variables[0].1 = "";
        assert_eq!(chosen(&options, &variables, &system), Ok("/c/.local/state/trip99".into()));
        fs::remove_dir(system).unwrap();
    }

    #[test]
    fn only_absolute_paths() {
        let (system, options) = (Path::new("/dev/shm/trip99-nowhere"), Options::default());
        for (variable, value) in [
            ("TRIP99_STATE_DIR", "a"),
            ("TRIP99_STATE_DIR", ""),
            ("XDG_STATE_HOME", "./b"),
            ("HOME", "~"),
            ("HOME", ""),
        ] {
            let error = chosen(&options, &[(variable, value)], system).unwrap_err();
            assert_eq!(error, format!("{variable} is {value:?}; legal: an absolute path"));
        }
        assert_eq!(chosen(&options, &[], system).unwrap_err(), "HOME is \"\"; legal: an absolute path");
        let error = chosen(&Options::default().state_dir("a"), &[], system).unwrap_err();
        assert_eq!(error, "the option state_dir is \"a\"; legal: an absolute path");
    }

    #[test]
    fn it_is_made_for_this_user_alone() {
        let scratch = scratch("made");
        let folder = scratch.join("local/state/trip99");
        make(&folder).unwrap();
        make(&folder).unwrap();
        for made in ["local", "local/state", "local/state/trip99"] {
            assert_eq!(fs::metadata(scratch.join(made)).unwrap().permissions().mode() & 0o7777, 0o700, "{made}");
        }
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o707)).unwrap();
        assert!(matches!(make(&folder), Err(SharedError::NotOurs { what: "writable for others", .. })));
        let link = scratch.join("link");
        symlink(scratch.join("local"), &link).unwrap();
        assert!(matches!(make(&link), Err(SharedError::NotOurs { what: "not a directory", .. })));
        make(&link.join("below")).unwrap();
        assert!(scratch.join("local/below").is_dir());
        fs::remove_dir_all(scratch).unwrap();
    }
}
