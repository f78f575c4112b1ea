//! What a page in a file needs besides: it may have had an earlier owner.

use super::{HALTED, MAGIC, Page, SHADOW};
use crate::config::State;
use crate::ledger::Epoch;
use crate::sync::Ordering;

impl Page {
    /// `None` if this is no page.
    pub(crate) fn layout_version(&self) -> Option<u64> {
        let version = self.header.layout_version.load(Ordering::Relaxed);
        (self.header.magic.load(Ordering::Relaxed) == MAGIC).then_some(version)
    }

    /// A new owner puts this into the gate; a halt stays. There are no trials, and neither refusals by gates nor misuse so far.
    /// Returns the number of the last epoch.
    pub(crate) fn take_over(&self, state: State, shadow: bool) -> Option<Epoch> {
        let epoch = self.trials.0.epoch();
        self.trials.0.revoke(epoch);
        self.counts.0.refused.store(0, Ordering::Relaxed);
        self.counts.0.in_shadow.store(0, Ordering::Relaxed);
        self.counts.0.misused.store(0, Ordering::Relaxed);
        let owners = state as u8 | if shadow { SHADOW } else { 0 };
        let earlier = self.gate.0.load(Ordering::Relaxed) & !HALTED;
        self.gate.0.fetch_xor(earlier ^ owners, Ordering::AcqRel);
        epoch
    }

    /// The version of the snapshot; odd if an owner stopped in the middle of writing it.
    pub(crate) fn published(&self) -> u64 {
        self.status.0.version()
    }
}
