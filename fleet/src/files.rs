//! Files that are read again when they change, while a program runs.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// A file, as it was at the latest look.
#[derive(Debug)]
pub struct Watched {
    path: PathBuf,
    seen: Option<[i64; 5]>,
}

impl Watched {
    /// A file that wasn't looked at so far.
    pub fn new(path: &Path) -> Self {
        Self { path: path.to_owned(), seen: None }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// True if it isn't as it was at the latest look, and at the first look.
    pub fn has_changed(&mut self) -> bool {
        let seen = std::fs::metadata(&self.path).map_or([-1; 5], |found| {
            let [dev, ino, size] = [found.dev(), found.ino(), found.size()].map(|word| word as i64);
            [dev, ino, size, found.mtime(), found.mtime_nsec()]
        });
        self.seen.replace(seen) != Some(seen)
    }
}

/// This thread, which waits for disks, is in nobody's way from now on: the gates of other pages and agents come first, and engines.
pub fn step_back() {
    // If the operating system refuses, it takes what time it gets.
    let _ = rustix::process::nice(5);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_change_is_seen_once() {
        let path = std::env::temp_dir().join(format!("trip99-fleet-watched-{}", std::process::id()));
        let mut watched = Watched::new(&path);
        assert!(watched.has_changed() && !watched.has_changed());
        std::fs::write(&path, "a").unwrap();
        assert!(watched.has_changed() && !watched.has_changed());
        std::fs::remove_file(&path).unwrap();
        assert!(watched.has_changed() && !watched.has_changed());
    }

    #[test]
    fn just_the_thread_that_asks_steps_back() {
        use rustix::process::getpriority_process;
        let own = getpriority_process(None).unwrap();
        let theirs = std::thread::spawn(|| {
            step_back();
            getpriority_process(None).unwrap()
        });
        // 19 is the last one.
        assert_eq!(theirs.join().unwrap(), (own + 5).min(19));
        assert_eq!(getpriority_process(None).unwrap(), own);
    }
}
