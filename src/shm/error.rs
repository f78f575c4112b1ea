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
    /// A page, or a folder, is to be made in a folder that isn't there.
    NoFolder {
        /// What was to be made.
        path: PathBuf,
    },
    /// The folder is another user's.
    AnothersFolder {
        /// The folder.
        path: PathBuf,
        /// Whose it is.
        owner: String,
        /// What to set to have another folder: a variable of the environment.
        variable: &'static str,
    },
    /// A variable of the environment, or an option, is no absolute path.
    NotAbsolute {
        /// The variable or the option.
        variable: &'static str,
        /// Its value.
        value: PathBuf,
    },
    /// The page can't be shared with the group.
    Group {
        /// The group.
        group: String,
        /// Why, and what is legal.
        why: String,
    },
    /// The page would not lie in memory, so that its owner would wait for a disk.
    NotInMemory {
        /// The page.
        path: PathBuf,
    },
    /// Several pages have this name.
    Ambiguous {
        /// The name.
        name: String,
        /// The pages.
        paths: Vec<PathBuf>,
    },
    /// No page has this name.
    NoPage {
        /// The name.
        name: String,
        /// The folders where it was looked for.
        looked_in: Vec<PathBuf>,
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
            Self::NoFolder { path } => {
                let folder = path.parent().unwrap_or(path);
                write!(
                    f,
                    "there is no folder {} for {}; make it, or set TRIP99_DIR to another",
                    folder.display(),
                    path.display()
                )
            }
            Self::AnothersFolder { path, owner, variable } => {
                write!(f, "{} is a folder of {owner}; remove it, or set {variable} to another folder", path.display())
            }
            Self::NotAbsolute { variable, value } => write!(f, "{variable} is {value:?}; legal: an absolute path"),
            Self::Group { group, why } => write!(f, "the group {group:?} {why}"),
            Self::NotInMemory { path } => write!(
                f,
                "{} is not in memory, and writing it to a disk would stop the engine's stores; legal: a path on a tmpfs, as in \
                 /dev/shm or /run",
                path.display()
            ),
            Self::Ambiguous { name, paths } => {
                write!(f, "{name:?} is the name of several pages: {}; legal: the path of one", list(paths))
            }
            Self::NoPage { name, looked_in } => write!(f, "there is no page {name:?} in {}", list(looked_in)),
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

fn list(paths: &[PathBuf]) -> String {
    paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ")
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
