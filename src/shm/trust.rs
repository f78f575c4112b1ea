//! Whether a file or a folder may be trusted: what it is, whose it is, who may write to it, and whether it lies in memory.
//!
//! A page of this user is trusted, unless others may write to it. Another user's page is trusted by root, and by the members of a
//! group that its owner shares it with (see [`is_shared`]). Root, who may open everything, is not to be led astray: it trusts a
//! page only in a folder of root or of the page's owner. (Anybody could move somebody's page into a folder of his own.)
//!
//! Only the last part of a path is looked at for symbolic links, whoever asks. The parts before it are the operating system's, and
//! where they lead is judged by the folder that they lead to.

use super::error::SharedError;
use super::users;
use rustix::fs::{FileType, Mode, Stat, StatFs};
use rustix::io::Errno;
use rustix::process::geteuid;
use std::path::Path;

/// The mode of a folder that a group shares: its members may write, others may not even look, and new files are the group's.
pub(super) const SHARED_FOLDER: u32 = 0o2770;

/// The permissions of a mode, without the kind of file.
pub(super) fn permissions(stat: &Stat) -> u32 {
    stat.st_mode & 0o7777
}

/// Checks that a path leads to a file or a directory, as `kind` says, that is this user's, or another one's if `may_be_anothers`.
/// Nobody else may write to it, unless `may_be_writable`.
pub(super) fn check(
    path: &Path,
    stat: &Stat,
    kind: FileType,
    may_be_anothers: bool,
    may_be_writable: bool,
) -> Result<(), SharedError> {
    let is_writable = Mode::from_raw_mode(stat.st_mode).intersects(Mode::WGRP | Mode::WOTH);
    let wrong = match FileType::from_raw_mode(stat.st_mode) {
        found if found == kind && stat.st_uid != geteuid().as_raw() && !may_be_anothers => "another user's",
        found if found == kind && is_writable && !may_be_writable => "writable for others",
        found if found == kind => return Ok(()),
        _ if kind == FileType::Directory => "not a directory",
        FileType::Symlink => "a symbolic link",
        _ => "not a regular file",
    };
    Err(SharedError::not_ours(path, wrong))
}

/// Checks that a folder is this user's, and that only this user, or a group that shares it, may put anything there. A shared folder
/// may be root's. `variable` is what the user may set to have another folder.
pub(super) fn check_own_folder(path: &Path, stat: &Stat, variable: &'static str) -> Result<(), SharedError> {
    let is_shared = permissions(stat) == SHARED_FOLDER;
    let may_be_anothers = is_shared && stat.st_uid == 0;
    let is_folder = FileType::from_raw_mode(stat.st_mode) == FileType::Directory;
    if is_folder && stat.st_uid != geteuid().as_raw() && !may_be_anothers {
        return Err(SharedError::AnothersFolder { path: path.to_owned(), owner: users::called(stat.st_uid), variable });
    }
    check(path, stat, FileType::Directory, may_be_anothers, is_shared)
}

/// Checks that a path leads to a plain file.
pub(super) fn check_kind(path: &Path, stat: &Stat) -> Result<(), SharedError> {
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::RegularFile => Ok(()),
        FileType::Symlink => Err(SharedError::not_ours(path, "a symbolic link")),
        _ => Err(SharedError::not_ours(path, "not a regular file")),
    }
}

/// What is odd about a page's file, for people. An owner refuses such a page, and a halter doesn't.
pub(super) fn oddities(path: &Path, stat: &Stat) -> Vec<String> {
    let mut odd = Vec::new();
    if stat.st_nlink != 1 {
        odd.push(format!("{} has {} names", path.display(), stat.st_nlink));
    }
    let mode = Mode::from_raw_mode(stat.st_mode);
    let is_shared = look_at_folder(path).is_ok_and(|folder| is_shared(&folder, stat));
    if mode.contains(Mode::WOTH) || mode.contains(Mode::WGRP) && !is_shared {
        odd.push(format!("{} is writable for others (mode {:04o})", path.display(), permissions(stat)));
    }
    odd
}

/// Checks that a page may be used, by its owner if `owns`, or else by who watches or halts.
pub(super) fn check_page(path: &Path, stat: &Stat, owns: bool) -> Result<(), SharedError> {
    let folder = look_at_folder(path)?;
    let mode = Mode::from_raw_mode(stat.st_mode);
    let is_shared = is_shared(&folder, stat);
    let may_be_anothers = !owns && (geteuid().is_root() || is_shared && mode.contains(Mode::RGRP));
    let may_be_writable = is_shared && !mode.contains(Mode::WOTH);
    check(path, stat, FileType::RegularFile, may_be_anothers, may_be_writable)?;
    check_folder(path, &folder, stat.st_uid)?;
    // By another name the file would have another lock.
    if stat.st_nlink > 1 { Err(SharedError::not_ours(path, "a file of several names")) } else { Ok(()) }
}

/// Checks that the folder of a page, which is this user's page, is root's or that user's, if root asks.
pub(super) fn check_folder(page: &Path, folder: &Stat, page_uid: u32) -> Result<(), SharedError> {
    if geteuid().is_root() && ![0, page_uid].contains(&folder.st_uid) {
        return Err(SharedError::not_ours(folder_of(page), "a folder of neither root nor the page's owner"));
    }
    Ok(())
}

/// Whether root may put files into a folder that a page names, and unlink them: it is of the page's owner, or root shares it with a group.
/// Whoever owns a page can name any folder, and root's files mean something to others.
pub(super) fn may_keep_halts(folder: &Path, page: &Stat) -> bool {
    let is_fit = |stat: Stat| {
        let is_shared = stat.st_uid == 0 && permissions(&stat) == SHARED_FOLDER;
        FileType::from_raw_mode(stat.st_mode) != FileType::Symlink && (stat.st_uid == page.st_uid || is_shared)
    };
    !geteuid().is_root() || rustix::fs::lstat(folder).is_ok_and(is_fit)
}

/// True if the members of a group share the page: page and folder are of the same group, the folder has the mode 2770, and it is
/// root's or the page's owner's.
///
/// That mode is no accident, as no umask and no plain `chmod` makes it. Members can watch, halt and resume, by the page's mode of
/// 0660, and they can break the page and put others in its place: the group is trusted, not merely permitted. Without the folder's
/// consent a page that is writable for a group is refused, as before: then the mode is a mistake.
fn is_shared(folder: &Stat, page: &Stat) -> bool {
    permissions(folder) == SHARED_FOLDER && folder.st_gid == page.st_gid && [0, page.st_uid].contains(&folder.st_uid)
}

/// The folder that a page is in, as a path.
pub(super) fn folder_of(page: &Path) -> &Path {
    page.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// The folder that a page is in, wherever links lead.
pub(super) fn look_at_folder(page: &Path) -> Result<Stat, SharedError> {
    let folder = folder_of(page);
    rustix::fs::stat(folder).map_err(|error| match error {
        Errno::NOENT => SharedError::NoFolder { path: page.to_owned() },
        error => SharedError::io(folder, "look at")(error),
    })
}

/// Checks that what a path leads to lies in memory.
pub(super) fn check_memory(path: &Path, file_system: &StatFs) -> Result<(), SharedError> {
    // The field is signed on some machines, and as wide as a word on others. The kinds have 32 bits.
    let kind = file_system.f_type as u32;
    if is_memory(kind) { Ok(()) } else { Err(SharedError::NotInMemory { path: path.to_owned() }) }
}

/// True for tmpfs, ramfs and hugetlbfs: the kinds of file systems of which nothing is ever written to a disk (but for swap, which
/// `mlock` keeps away).
fn is_memory(kind: u32) -> bool {
    matches!(kind, 0x0102_1994 | 0x8584_58f6 | 0x9584_58f6)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stat(mode: u32, uid: u32, gid: u32) -> Stat {
        let mut stat = rustix::fs::stat("/dev/null").unwrap();
        (stat.st_mode, stat.st_uid, stat.st_gid) = (mode, uid, gid);
        stat
    }

    #[test]
    fn what_lies_in_memory() {
        assert!([0x0102_1994, 0x8584_58f6, 0x9584_58f6].into_iter().all(is_memory));
        // ext4, overlay, xfs, btrfs, nfs, fuse, proc
        for kind in [0xef53, 0x794c_7630, 0x5846_5342, 0x9123_683e, 0x6969, 0x6573_5546, 0x9fa0, 0, u32::MAX] {
            assert!(!is_memory(kind), "{kind:#x}");
        }
        check_memory(Path::new("/dev/shm"), &rustix::fs::statfs("/dev/shm").unwrap()).unwrap();
        let error = check_memory(Path::new("/proc"), &rustix::fs::statfs("/proc").unwrap());
        assert!(matches!(error, Err(SharedError::NotInMemory { path }) if path == Path::new("/proc")));
    }

    #[test]
    fn a_group_shares_only_what_folder_and_page_agree_on() {
        let page = stat(0o100_660, 7, 44);
        assert!(is_shared(&stat(0o042_770, 7, 44), &page));
        assert!(is_shared(&stat(0o042_770, 0, 44), &page));
        assert!(!is_shared(&stat(0o042_770, 8, 44), &page), "a third one's folder");
        assert!(!is_shared(&stat(0o042_770, 7, 45), &page), "another group's folder");
        for mode in [0o040_770, 0o042_775, 0o042_772, 0o042_771, 0o042_777, 0o042_750, 0o046_770, 0o040_700] {
            assert!(!is_shared(&stat(mode, 7, 44), &page), "{mode:o}");
        }
    }

    #[test]
    fn own_folders() {
        let (own, other) = (geteuid().as_raw(), geteuid().as_raw() + 1);
        let check = |mode, uid| check_own_folder(Path::new("x"), &stat(mode, uid, 44), "TRIP99_DIR");
        for mode in [0o040_700, 0o040_755, 0o042_770, 0o042_700] {
            assert!(check(mode, own).is_ok(), "{mode:o}");
            assert!(matches!(check(mode, other), Err(SharedError::AnothersFolder { .. })), "{mode:o}");
        }
        assert!(check(0o042_770, 0).is_ok(), "root's, shared");
        for mode in [0o040_770, 0o040_702, 0o042_772, 0o042_777, 0o042_720] {
            assert!(
                matches!(check(mode, own), Err(SharedError::NotOurs { what: "writable for others", .. })),
                "{mode:o}"
            );
        }
        for mode in [0o100_700, 0o120_777] {
            assert!(
                matches!(check(mode, other), Err(SharedError::NotOurs { what: "not a directory", .. })),
                "{mode:o}"
            );
        }
    }

    #[test]
    fn the_folder_of_a_page() {
        for (page, folder) in
            [("/dev/shm/x/page", "/dev/shm/x"), ("/page", "/"), ("page", "."), ("./page", "."), ("a/b", "a")]
        {
            assert_eq!(folder_of(Path::new(page)), Path::new(folder));
        }
        let error = look_at_folder(Path::new("/dev/shm/trip99-nowhere/page")).unwrap_err();
        assert!(matches!(error, SharedError::NoFolder { .. }), "{error}");
    }
}
