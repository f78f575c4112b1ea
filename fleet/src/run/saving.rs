//! When an agent saves what it keeps, and which of its changes are on the disk. It knows no clock and no disk.

use crate::run::GATES_FIRST_NS;
use crate::time::MS;

const AGAIN_AFTER_NS: u64 = 500 * MS;

/// What is to be saved, and what is. Changes are counted.
#[derive(Debug, Default)]
pub struct Saving {
    version: u64,
    saved: u64,
    due_ns: Option<u64>,
    is_under_way: bool,
}

impl Saving {
    /// The latest change. Who waits for it is answered when [`saved`](Self::saved) is no less.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// Changes up to this one are on the disk.
    pub fn saved(&self) -> u64 {
        self.saved
    }

    /// Whether all is on the disk.
    pub fn is_all(&self) -> bool {
        self.saved == self.version
    }

    /// When to begin; `None` if there is nothing to save, or if a thread is at it.
    pub fn due_ns(&self) -> Option<u64> {
        self.due_ns
    }

    /// A save is to come, or a thread is at it.
    pub fn is_pending(&self) -> bool {
        self.is_under_way || self.due_ns.is_some()
    }

    /// Something has changed.
    pub fn change(&mut self, now_ns: u64) {
        self.version += 1;
        if !self.is_pending() {
            self.due_ns = Some(now_ns.saturating_add(GATES_FIRST_NS));
        }
    }

    /// The version to save now; `None` if that isn't due. From then on it is under way.
    pub fn begin(&mut self, now_ns: u64) -> Option<u64> {
        self.due_ns.take_if(|due_ns| now_ns >= *due_ns)?;
        self.is_under_way = true;
        Some(self.version)
    }

    /// What was under way has ended, with this version on the disk or not.
    pub fn end(&mut self, version: u64, is_done: bool, now_ns: u64) {
        self.is_under_way = false;
        if is_done {
            self.saved = version;
        }
        if !self.is_all() {
            self.due_ns = Some(now_ns.saturating_add(if is_done { 0 } else { AGAIN_AFTER_NS }));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const T0: u64 = 1000 * MS;

    #[test]
    fn the_gates_come_before_the_disk() {
        let mut saving = Saving::default();
        assert!(saving.is_all() && !saving.is_pending() && saving.begin(u64::MAX).is_none());
        saving.change(T0);
        // Changes that follow wait with the first one, and no longer.
        saving.change(T0 + GATES_FIRST_NS - 1);
        assert_eq!((saving.begin(T0 + GATES_FIRST_NS - 1), saving.due_ns()), (None, Some(T0 + GATES_FIRST_NS)));
        assert_eq!(saving.begin(T0 + GATES_FIRST_NS), Some(2));
        assert!(saving.is_pending() && saving.begin(u64::MAX).is_none(), "one thread at a time");
        assert_eq!(saving.saved(), 0);
        saving.end(2, true, T0);
        assert!(saving.is_all() && !saving.is_pending());
    }

    #[test]
    fn what_changes_while_a_thread_saves_is_not_saved_by_it() {
        let mut saving = Saving::default();
        saving.change(T0);
        assert_eq!(saving.begin(u64::MAX), Some(1));
        saving.change(T0);
        saving.end(1, true, T0);
        assert_eq!((saving.saved(), saving.version(), saving.is_all()), (1, 2, false));
        assert_eq!(saving.begin(T0), Some(2), "at once");
    }

    #[test]
    fn what_fails_is_tried_again() {
        let mut saving = Saving::default();
        saving.change(T0);
        assert_eq!(saving.begin(u64::MAX), Some(1));
        saving.end(1, false, T0);
        assert_eq!((saving.saved(), saving.is_pending(), saving.begin(T0 + AGAIN_AFTER_NS - 1)), (0, true, None));
        assert_eq!(saving.begin(T0 + AGAIN_AFTER_NS), Some(1));
    }
}
