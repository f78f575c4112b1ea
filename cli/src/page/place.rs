//! Where a page is.

use crate::failure::Failure;
use crate::show::escape;
use std::io;
use std::path::{Path, PathBuf};
use trip99::shared;
use trip99::shared::SharedError;

/// The file of a page.
#[derive(Clone)]
pub(crate) struct Place {
    pub(crate) path: PathBuf,
}

impl Place {
    /// Finds a page: a text with a `/` in it is a path, any other is a name in a conventional place, of this user or another.
    pub(crate) fn find(page: &Path) -> Result<Self, Failure> {
        Self::read(page, shared::find)
    }

    /// The place for a page of one's own: in this user's conventional place, unless it is a path.
    pub(crate) fn own(page: &Path) -> Result<Self, Failure> {
        Self::read(page, shared::path)
    }

    fn read(page: &Path, by_name: impl Fn(&str) -> Result<PathBuf, SharedError>) -> Result<Self, Failure> {
        let name = page.to_string_lossy();
        if name.contains('/') {
            return Ok(Self { path: page.to_owned() });
        }
        let path = by_name(&name).map_err(|error| match error {
            SharedError::Name { .. } => Failure::new(format_args!("{error}, or a path, with a / in it")),
            SharedError::NoPage { .. } => Failure::new(format_args!("{error}; {LEGAL}")),
            error => Failure::new(error), // says what is legal
        })?;
        Ok(Self { path })
    }

    /// The page's name, for people.
    pub(crate) fn name(&self) -> String {
        let name = self.path.file_name().unwrap_or(self.path.as_os_str());
        escape(&name.to_string_lossy())
    }

    /// The page's path, for people.
    pub(crate) fn path(&self) -> String {
        escape(&self.path.to_string_lossy())
    }

    /// What a user types for this page, not yet quoted for a shell.
    pub(crate) fn argument(&self) -> String {
        let name = self.name();
        if shared::find(&name).is_ok_and(|path| path == self.path) { name } else { self.path() }
    }
}

const LEGAL: &str = "legal: a page that trip99 ls shows, or the path of one, with a / in it";

/// Why a page can't be had, and what is legal.
pub(crate) fn refused(error: &SharedError) -> Failure {
    match error {
        SharedError::Io { path, error, .. } if error.kind() == io::ErrorKind::NotFound => {
            Failure::new(format_args!("there is no page {}; {LEGAL}", path.display()))
        }
        _ => Failure::new(format_args!("{error}; {LEGAL}")),
    }
}
