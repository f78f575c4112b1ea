//! Whether a file or a directory may be trusted: what it is, whose it is, and who may write to it.

use super::error::SharedError;
use rustix::fs::{FileType, Mode, Stat};
use rustix::process::geteuid;
use std::path::Path;

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
