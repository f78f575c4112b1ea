//! The hot half of a sample: while the breaker is calm, a good one only takes the place of the oldest.
//!
//! A closed breaker is calm if its window is full and no run and no row is under way. Then a sample that is neither slow nor
//! failed takes the place of another such sample, and changes no count and no verdict. So no rule need be looked at. (Overdue
//! calls may expire meanwhile. That takes as many from the slow samples as from all, so it can't make a verdict worse.) Timers, new
//! settings and samples of any other kind end the calm. Each sample that went the whole way looks whether the calm has come back.

use super::{Judge, NEVER_NS};

impl Judge {
    /// Takes in a sample that succeeded and ended now, if the breaker is calm and the sample changes no count. Otherwise this
    /// returns false, and has changed nothing. `now_ns` is not before the latest time seen, and before
    /// [`calm_until_ns`](Self::calm_until_ns). If it is later than the latest time seen, the caller takes note of it.
    #[inline(always)]
    pub(crate) fn take_calmly(&mut self, now_ns: u64, latency_ns: u64) -> bool {
        latency_ns < self.calm_below_ns && self.window.replace_calm(now_ns, latency_ns)
    }

    /// To be asked after each sample that was taken calmly: whether it is to [`look_on`](Self::look_on).
    #[inline(always)]
    pub(crate) fn is_look_due(&self) -> bool {
        self.window.is_look_due()
    }

    /// The few samples that were known to leave calmly have left: looks at the next few. If the next one isn't to leave calmly, the sample
    /// that takes its place goes the whole way, and ends the calm.
    #[inline(never)]
    pub(crate) fn look_on(&mut self) {
        self.window.look_for_calm();
    }

    /// The calm is to be ended at this time, as samples may be too old by then; `NEVER_NS` if there is none to be ended.
    #[inline]
    pub(crate) fn calm_until_ns(&self) -> u64 {
        if self.calm_below_ns == 0 { NEVER_NS } else { self.window.calm_until_ns() }
    }

    /// Ends the calm: something may be different from now on.
    #[inline]
    pub(crate) fn end_calm(&mut self) {
        self.calm_below_ns = 0;
    }

    /// To be called after a sample whose verdict left the breaker closed.
    #[inline]
    pub(super) fn look_for_calm(&mut self, now_ns: u64) {
        let calm = self.rules.are_at_rest() && self.sample_every == 1 && self.window.look_for_calm();
        self.calm_below_ns = if calm { self.calm_limit_ns(now_ns).saturating_add(1) } else { 0 };
    }

    /// A latency up to this is neither slow nor a spike, and doesn't reach back before the epoch if the call ends now. Nor does it
    /// if the call ends later.
    #[inline]
    fn calm_limit_ns(&self, now_ns: u64) -> u64 {
        let since_epoch_ns = if self.epoch_ns == 0 { u64::MAX } else { now_ns - self.epoch_ns };
        self.rules.spike_limit_ns.min(self.window.threshold_ns).min(since_epoch_ns)
    }
}
