//! Who beside the owner may use the files and folders that an owner makes. Modes are set, not asked for: umasks don't matter.

use super::error::SharedError;
use super::lock::open_file;
use super::trust::{self, SHARED_FOLDER};
use rustix::fs::{CWD, Gid, Mode, OFlags, Stat, chmodat, fchmod, fchown, fstat, lstat, mkdir};
use rustix::io::Errno;
use std::fs::File;
use std::path::Path;

/// Nobody beside the owner, or a group.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Permissions {
    /// The group whose members may use the files.
    pub(super) group: Option<u32>,
}

impl Permissions {
    /// Gives a file of this user the mode 0600, or 0660 and the group.
    pub(super) fn settle(self, path: &Path, file: &File) -> Result<(), SharedError> {
        let stat = fstat(file).map_err(SharedError::io(path, "look at"))?;
        give(path, file, &stat, self.group, if self.group.is_some() { 0o660 } else { 0o600 })
    }

    /// Gives a file that was there to the group, if there is one. It may be older than the wish to share it.
    pub(super) fn share(self, path: &Path, file: &File) -> Result<(), SharedError> {
        if self.group.is_some() { self.settle(path, file) } else { Ok(()) }
    }
}

/// Makes a folder of mode 0700, if it is missing, and checks that it is this user's. `variable` is what the user may set to have
/// another folder.
pub(super) fn own_folder(path: &Path, variable: &'static str) -> Result<(), SharedError> {
    let is_new = match mkdir(path, Mode::RWXU) {
        Ok(()) => true,
        Err(Errno::EXIST) => false,
        Err(Errno::NOENT) => return Err(SharedError::NoFolder { path: path.to_owned() }),
        Err(error) => return Err(SharedError::io(path, "make")(error)),
    };
    let stat = lstat(path).map_err(SharedError::io(path, "look at"))?;
    trust::check_own_folder(path, &stat, variable)?;
    // A umask may have left nothing to open the folder by. (If that was long ago, its maker was killed before it came here.)
    if trust::permissions(&stat) & 0o700 != 0o700 || is_new && trust::permissions(&stat) != 0o700 {
        chmodat(CWD, path, Mode::RWXU, rustix::fs::AtFlags::empty())
            .map_err(SharedError::io(path, "set the mode of"))?;
    }
    Ok(())
}

/// Gives a folder of this user to a group, by the mode 2770.
pub(super) fn share_folder(path: &Path, group: u32) -> Result<(), SharedError> {
    let folder = open_file(path, OFlags::RDONLY | OFlags::DIRECTORY, "open")?;
    let stat = fstat(&folder).map_err(SharedError::io(path, "look at"))?;
    give(path, &folder, &stat, Some(group), SHARED_FOLDER)
}

/// Sets what isn't so already. The group goes first, as to change it clears bits of the mode.
fn give(path: &Path, file: &File, stat: &Stat, group: Option<u32>, mode: u32) -> Result<(), SharedError> {
    let new_group = group.filter(|&group| group != stat.st_gid);
    if new_group.is_some() {
        fchown(file, None, new_group.map(Gid::from_raw)).map_err(SharedError::io(path, "set the group of"))?;
    }
    if new_group.is_some() || trust::permissions(stat) != mode {
        fchmod(file, Mode::from_raw_mode(mode)).map_err(SharedError::io(path, "set the mode of"))?;
    }
    Ok(())
}
