//! Removing a page that nobody needs any more.

use super::durable;
use super::error::SharedError;
use super::held::Held;
use super::lock::{beside, open_file};
use crate::handles::Observer;
use crate::holder::Holder;
use rustix::fs::{CWD, OFlags, RenameFlags, renameat_with};
use rustix::io::Errno;
use std::fs;
use std::io;
use std::path::Path;

/// What came of [`forget`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub enum Forgotten {
    /// The page is removed. The next owner by its name begins anew.
    Done,
    /// The page is there, as these hold halts: in the page, or in the folder where halts outlive memory. Who forgets a page must not lift a
    /// halt by that.
    Halted(Vec<Holder>),
}

/// Removes a page without an owner, and its lock file, unless somebody holds a halt of it. It is for tools.
///
/// The locks of an owner are held meanwhile, so no owner can come while the page goes. A halt that comes while the page goes keeps it there,
/// or it finds no page, and says so.
///
/// ```
/// # #[cfg(target_os = "linux")] {
/// use trip99::shared::{self, Forgotten, SharedError};
/// use trip99::{Breaker, Config, Start};
///
/// let path = shared::path(&format!("doc-forget-{}", std::process::id()))?;
/// # let _ = std::fs::remove_file(&path);
/// let breaker = Breaker::create_shared(&path, Config::default(), Start::Closed)?;
/// assert!(matches!(shared::forget(&path), Err(SharedError::Owned { .. })));
/// drop(breaker);
/// assert_eq!(shared::forget(&path)?, Forgotten::Done);
/// assert!(!path.exists());
/// # }
/// # Ok::<(), trip99::shared::SharedError>(())
/// ```
///
/// # Errors
/// [`SharedError::Owned`] if the page has an owner. The errors of [`Observer::open`], as of a page that is damaged. [`SharedError::Io`] if
/// the operating system refuses.
pub fn forget(path: impl AsRef<Path>) -> Result<Forgotten, SharedError> {
    let path = path.as_ref();
    let observer = Observer::open(path)?;
    let lock_path = beside(path, ".lock")?;
    let lock = match hold(&lock_path, path, &observer) {
        Err(SharedError::Io { error, .. }) if error.kind() == io::ErrorKind::NotFound => None,
        held => Some(held?),
    };
    let _page = hold(path, path, &observer)?;
    if observer.is_replaced() {
        return Err(SharedError::io(path, "lock")(Errno::AGAIN));
    }
    let holders = holders(path, &observer)?;
    if !holders.is_empty() {
        return Ok(Forgotten::Halted(holders));
    }
    let aside = beside(path, ".forgotten")?;
    fs::rename(path, &aside).map_err(SharedError::io(path, "rename"))?;
    // Who halted before that was told that it is done. Who halts from now on finds that the page isn't there.
    let late = self::holders(path, &observer)?;
    if !late.is_empty() {
        renameat_with(CWD, &aside, CWD, path, RenameFlags::NOREPLACE).map_err(SharedError::io(path, "rename"))?;
        return Ok(Forgotten::Halted(late));
    }
    fs::remove_file(&aside).map_err(SharedError::io(&aside, "remove"))?;
    if lock.is_some() {
        fs::remove_file(&lock_path).map_err(SharedError::io(&lock_path, "remove"))?;
    }
    Ok(Forgotten::Done)
}

/// Takes a lock of an owner.
fn hold(file: &Path, page: &Path, observer: &Observer) -> Result<Held, SharedError> {
    let held = Held::open(file, || open_file(file, OFlags::RDWR, "open"))?;
    if held.lock().map_err(SharedError::io(file, "lock"))? {
        return Ok(held);
    }
    let pid = observer.owner().map(|owner| owner.pid).filter(|&pid| pid != 0);
    Err(SharedError::Owned { path: page.to_owned(), pid })
}

/// Who holds a halt, in the page or in the folder where halts outlive memory.
fn holders(path: &Path, observer: &Observer) -> Result<Vec<Holder>, SharedError> {
    let list = observer.holders();
    // One who was killed before telling its name holds, too.
    let mut holders: Vec<Holder> = list.notes().iter().map(|note| note.holder.unwrap_or(Holder::OTHERS)).collect();
    let kept = observer.state_dir().map_or(Ok(Vec::new()), |folder| durable::read(&folder, path))?;
    for kept in kept {
        if !holders.contains(&kept.holder) {
            holders.push(kept.holder);
        }
    }
    Ok(holders)
}

#[cfg(test)]
mod tests {
    use super::super::{Halter, Options};
    use super::*;
    use crate::{Breaker, Config, Start};
    use std::path::PathBuf;

    struct Scratch(PathBuf);

    impl Scratch {
        fn new(name: &str) -> Self {
            let folder = PathBuf::from(format!("/dev/shm/test-forget-{name}-{}", std::process::id()));
            let _ = fs::remove_dir_all(&folder);
            fs::create_dir_all(&folder).unwrap();
            Self(folder)
        }

        fn page(&self) -> PathBuf {
            self.0.join("page")
        }

        fn breaker(&self) -> Breaker {
            let options = Options::default().state_dir(self.0.join("state")).warden(false);
            Breaker::create_shared_with(self.page(), Config::default(), Start::Closed, &options).unwrap()
        }

        /// What lies beside the folder for halts.
        fn files(&self) -> Vec<String> {
            let names = fs::read_dir(&self.0).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
            names.filter(|name| name != "state").collect()
        }
    }

    impl Drop for Scratch {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn a_page_goes_when_nobody_owns_or_holds_it() {
        let scratch = Scratch::new("goes");
        let page = scratch.page();
        assert!(matches!(forget(&page), Err(SharedError::Io { .. })), "it isn't there");
        let breaker = scratch.breaker();
        let pid = std::process::id();
        assert!(matches!(forget(&page), Err(SharedError::Owned { pid: Some(found), .. }) if found == pid));
        drop(breaker);
        let holder = Holder::new("ann").unwrap();
        let halter = Halter::open(&page).unwrap();
        let _ = halter.halt(holder, "");
        assert_eq!(forget(&page).unwrap(), Forgotten::Halted(vec![holder]));
        halter.make_durable(holder).unwrap();
        let mut list = halter.holders().unwrap();
        let note = list.notes()[0].clone();
        let _ = halter.resume(&mut list, 0, "");
        assert_eq!(forget(&page).unwrap(), Forgotten::Halted(vec![holder]), "the file alone holds");
        halter.forget(&note).unwrap();
        let before = scratch.files();
        assert!(before.len() == 2 && page.exists(), "{before:?}");
        assert_eq!(forget(&page).unwrap(), Forgotten::Done);
        assert_eq!(scratch.files(), [""; 0]);
        assert!(scratch.breaker().allow(), "the next owner begins anew");
    }

    #[test]
    fn a_page_goes_though_its_lock_file_is_gone_and_its_owner_keeps_it_by_the_page_alone() {
        let scratch = Scratch::new("lock");
        let breaker = scratch.breaker();
        fs::remove_file(scratch.0.join(".page.lock")).unwrap();
        assert!(matches!(forget(scratch.page()), Err(SharedError::Owned { .. })));
        drop(breaker);
        assert_eq!(forget(scratch.page()).unwrap(), Forgotten::Done);
        assert_eq!(scratch.files(), [""; 0]);
    }
}
