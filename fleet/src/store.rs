//! The disk of an agent: one file, written anew and synced before the agent answers. A lock keeps a second agent out.

use crate::agent::Kept;
use crate::failure::Failure;
use rustix::fs::{FlockOperation, flock};
use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// What an agent keeps.
pub struct Store {
    folder: PathBuf,
    /// The lock, which ends with the process.
    _lock: File,
}

const FILE: &str = "fleet.json";

impl Store {
    /// Opens the folder, and makes it (mode 0700) if it is missing.
    ///
    /// # Errors
    /// It can't be had, or another agent has it.
    pub fn open(folder: &Path) -> Result<Self, Failure> {
        let wrong = |error: std::io::Error| {
            Failure::new(format_args!("the state folder {}: {error}; legal: a folder of this user's", folder.display()))
        };
        fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(wrong)?;
        let mut options = File::options();
        let lock =
            options.write(true).create(true).truncate(false).mode(0o600).open(folder.join("lock")).map_err(wrong)?;
        flock(&lock, FlockOperation::NonBlockingLockExclusive).map_err(|_| {
            Failure::new(format_args!("another agent has {}; legal: a state folder of its own", folder.display()))
        })?;
        Ok(Self { folder: folder.to_owned(), _lock: lock })
    }

    /// What was saved last; nothing if nothing was.
    ///
    /// # Errors
    /// It can't be read or understood. Then the agent can't know which halts there are.
    pub fn load(&self) -> Result<Kept, Failure> {
        let path = self.folder.join(FILE);
        let wrong = |what: &dyn std::fmt::Display| {
            Failure::new(format_args!(
                "{}: {what}; legal: the file as an agent left it. Without it, remove it: the agent then reads the bucket anew, \
                 and halts that only this host knew are gone",
                path.display()
            ))
        };
        match fs::read(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes).map_err(|error| wrong(&error)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(Kept::default()),
            Err(error) => Err(wrong(&error)),
        }
    }

    /// Where to save, for a thread that may wait for the disk.
    pub fn folder(&self) -> PathBuf {
        self.folder.clone()
    }
}

/// Saves what an agent keeps. When this returns it survives a power failure. It waits for the disk. One thread at a time may call this.
///
/// # Errors
/// The operating system refuses.
pub fn save(folder: &Path, kept: &Kept) -> std::io::Result<()> {
    let (path, new) = (folder.join(FILE), folder.join("fleet.json.new"));
    let mut file = File::options().write(true).create(true).truncate(true).mode(0o600).open(&new)?;
    file.write_all(&serde_json::to_vec(kept).map_err(std::io::Error::other)?)?;
    file.sync_all()?;
    fs::rename(&new, &path)?;
    File::open(folder)?.sync_all()
}

/// Keeps an answer to a halt: a line of `answers.jsonl`, synced.
///
/// # Errors
/// The operating system refuses.
pub fn note_answer(folder: &Path, line: &str) -> std::io::Result<()> {
    let mut file = File::options().append(true).create(true).mode(0o600).open(folder.join("answers.jsonl"))?;
    file.write_all(format!("{line}\n").as_bytes())?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_keeps_what_was_saved_and_keeps_others_out() {
        let folder = std::env::temp_dir().join(format!("trip99-fleet-store-{}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        let store = Store::open(&folder).unwrap();
        assert_eq!(store.load().unwrap(), Kept::default());
        assert!(Store::open(&folder).err().unwrap().text.contains("another agent"));
        let kept = Kept { bucket: Some("b".into()), revision: 7, ..Kept::default() };
        save(&folder, &kept).unwrap();
        assert_eq!(store.load().unwrap(), kept);
        // Killed half-way through the next one.
        fs::write(folder.join("fleet.json.new"), "{\"buck").unwrap();
        drop(store);
        let store = Store::open(&folder).unwrap();
        assert_eq!(store.load().unwrap(), kept);
        fs::write(folder.join(FILE), "{\"buck").unwrap();
        assert!(store.load().err().unwrap().text.contains("legal: "));
        fs::remove_dir_all(&folder).unwrap();
    }
}
