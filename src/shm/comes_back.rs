//! What a page without an owner would come back as. Its gate may still show closed: an owner that was killed had no time to change it.

use super::durable;
use super::link::{boot_id, boot_ns};
use super::mapping::Mapping;
use crate::config::State;
use crate::handles::Observer;
use crate::holder::Holder;

/// What the next owner of a page begins as. The owner's own `start` can only make that stricter.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ComesBack {
    /// Closed if the last owner ended cleanly, otherwise open.
    pub state: State,
    /// What is left of the pause now, in nanoseconds. `None` if the state is closed, or if the breaker pauses for as long as its settings
    /// say.
    pub pause_left_ns: Option<u64>,
    /// Trading will be halted.
    pub halted: bool,
    /// By whom: the holders that have a halt in the page, and those that have one only in the folder where halts outlive memory. A halter
    /// that was killed before it told its name is not among them.
    pub holders: Vec<Holder>,
}

/// This function needs the feature `shm`.
impl Observer {
    /// What the page would come back as. `None` while it has an owner, and if it is in no file. It is `None`, too, if the page holds
    /// values that no version writes: then an owner refuses the page.
    ///
    /// ```
    /// # #[cfg(target_os = "linux")] {
    /// use trip99::{Breaker, Config, Observer, Start, State};
    ///
    /// let path = trip99::shared::path(&format!("doc-comes-back-{}", std::process::id()))?;
    /// # let _ = std::fs::remove_file(&path);
    /// let breaker = Breaker::create_shared(&path, Config::default(), Start::Closed)?;
    /// let observer = Observer::open(&path)?;
    /// assert_eq!(observer.would_come_back(), None);
    /// drop(breaker); // a clean end
    /// assert_eq!(observer.would_come_back().expect("no owner").state, State::Closed);
    /// # std::fs::remove_file(&path).unwrap();
    /// # }
    /// # Ok::<(), trip99::shared::SharedError>(())
    /// ```
    ///
    /// This reads files, and makes a few system calls.
    pub fn would_come_back(&self) -> Option<ComesBack> {
        let mapping = self.page.keeper::<Mapping>()?;
        if self.owner()?.alive {
            return None;
        }
        let legacy = mapping.file().legacy(&mapping.path, boot_id(), boot_ns()).ok()?;
        let is_clean = legacy.sealed && legacy.state == State::Closed;
        let list = self.holders();
        let mut holders: Vec<Holder> = list.notes().iter().filter_map(|note| note.holder).collect();
        let halts = &self.page.board().halts;
        // An owner that can't read the folder doesn't start.
        let kept = self.state_dir().and_then(|folder| durable::read(&folder, &mapping.path).ok()).unwrap_or_default();
        let is_held = |holder| halts.find(holder).is_some_and(|slot| halts.held().has(slot));
        for holder in kept.into_iter().map(|kept| kept.holder) {
            if !is_held(holder) && !holders.contains(&holder) {
                holders.push(holder);
            }
        }
        Some(ComesBack {
            state: if is_clean { State::Closed } else { State::Open },
            pause_left_ns: legacy.pause_left_ns.filter(|_| !is_clean),
            halted: !list.is_empty() || !holders.is_empty(),
            holders,
        })
    }
}
