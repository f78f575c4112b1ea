//! The reasons why a page in a file can't be had.

use crate::config::ConfigError;
use core::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// The reason why a page in a file could not be made, taken over or observed. A file that was refused is left exactly as it was.
#[derive(Debug)]
#[non_exhaustive]
pub enum SharedError {
    /// The settings are illegal.
    Config(ConfigError),
    /// The page's name is no plain file name: it is empty, longer than 200 bytes, has a `/` or a control character in it, or
    /// begins with a dot.
    Name {
        /// The name.
        name: String,
    },
    /// Another breaker, in this process or another, owns the page.
    Owned {
        /// The page.
        path: PathBuf,
        /// The owner's process. It is `None` if it can't be told, as from another pid namespace.
        pid: Option<u32>,
    },
    /// The file or directory is another user's, writable for others, or no plain file or directory.
    NotOurs {
        /// The file or directory.
        path: PathBuf,
        /// What the file or directory is, as in "a symbolic link".
        what: &'static str,
    },
    /// The file is shorter than its page.
    Truncated {
        /// The page.
        path: PathBuf,
        /// The file's length, in bytes.
        len: u64,
        /// The least length that a file of this page has, in bytes.
        expected: u64,
    },
    /// The page is of another layout version.
    Version {
        /// The page.
        path: PathBuf,
        /// The page's version.
        found: u64,
        /// The version that this library reads.
        known: u64,
    },
    /// The page holds values that no version writes.
    Damaged {
        /// The page.
        path: PathBuf,
        /// The part that holds them, as in "the gate".
        what: &'static str,
    },
    /// The operating system refused.
    Io {
        /// The file or directory.
        path: PathBuf,
        /// The operation that failed, as in "open".
        operation: &'static str,
        /// The operating system's error.
        error: io::Error,
    },
}

impl SharedError {
    /// Makes an error of this operation from the operating system's.
    pub(crate) fn io<E: Into<io::Error>>(path: &Path, operation: &'static str) -> impl FnOnce(E) -> Self {
        move |error| Self::Io { path: path.to_owned(), operation, error: error.into() }
    }

    pub(crate) fn not_ours(path: &Path, what: &'static str) -> Self {
        Self::NotOurs { path: path.to_owned(), what }
    }
}

impl From<ConfigError> for SharedError {
    fn from(error: ConfigError) -> Self {
        Self::Config(error)
    }
}

impl fmt::Display for SharedError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Config(error) => error.fmt(f),
            Self::Name { name } => {
                write!(f, "{name:?} is no name for a page; legal: a plain file name without a leading dot")
            }
            Self::Owned { path, pid: Some(pid) } => write!(f, "{} is owned by process {pid}", path.display()),
            Self::Owned { path, pid: None } => write!(f, "{} is owned by another process", path.display()),
            Self::NotOurs { path, what } => write!(f, "{} is {what}", path.display()),
            Self::Truncated { path, len, expected } => {
                write!(f, "{} is truncated: {len} bytes; expected: at least {expected}", path.display())
            }
            Self::Version { path, found, known } => {
                write!(f, "{} has layout version {found}; known: {known}", path.display())
            }
            Self::Damaged { path, what } => write!(f, "{} is damaged: {what}", path.display()),
            Self::Io { path, operation, error } => write!(f, "can't {operation} {}: {error}", path.display()),
        }
    }
}

impl std::error::Error for SharedError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Config(error) => Some(error),
            Self::Io { error, .. } => Some(error),
            _ => None,
        }
    }
}
