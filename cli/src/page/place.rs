//! Which page is meant.

use crate::failure::Failure;
use crate::show::escape;
use std::io;
use std::path::{Path, PathBuf};
use trip99::{SharedError, shared_path};

/// Where a page is.
pub(crate) struct Place {
    pub(crate) path: PathBuf,
}

impl Place {
    /// By its path, with a `/` in it, or else by its name in the conventional directory.
    pub(crate) fn find(page: &Path) -> Result<Self, Failure> {
        let name = page.to_string_lossy();
        if name.contains('/') {
            return Ok(Self { path: page.to_owned() });
        }
        match shared_path(&name) {
            Ok(path) => Ok(Self { path }),
            Err(error @ SharedError::Name { .. }) => {
                Err(Failure::new(format_args!("{error}, or a path, with a / in it")))
            }
            Err(error) => Err(Failure::new(error)),
        }
    }

    /// For people.
    pub(crate) fn name(&self) -> String {
        let name = self.path.file_name().unwrap_or(self.path.as_os_str());
        escape(&name.to_string_lossy())
    }

    /// For people, too.
    pub(crate) fn path(&self) -> String {
        escape(&self.path.to_string_lossy())
    }

    /// What to type for it, without what a shell needs.
    pub(crate) fn argument(&self) -> String {
        let name = self.name();
        if shared_path(&name).is_ok_and(|path| path == self.path) { name } else { self.path() }
    }
}

const LEGAL: &str = "legal: a page that trip99 ls shows, or the path of one, with a / in it";

/// The page can't be had: why, and what could.
pub(crate) fn refused(error: &SharedError) -> Failure {
    match error {
        SharedError::Io { path, error, .. } if error.kind() == io::ErrorKind::NotFound => {
            Failure::new(format_args!("there is no page {}; {LEGAL}", path.display()))
        }
        _ => Failure::new(format_args!("{error}; {LEGAL}")),
    }
}
