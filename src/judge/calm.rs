//! The hot half of a sample: while the breaker is calm, a good one only takes the place of the oldest.
//!
//! Calm is a closed breaker with a full window, and with no rule under way. Then a sample that is neither slow nor failed,
//! in the place of another such, changes no count, and no verdict: no rule need be looked at. (Overdue calls may expire
//! meanwhile. That takes as many from the slow ones as from all, so it can't make a verdict worse.) Timers, new settings and
//! samples that are anything else end the calm; each sample that took the whole way looks whether it has come back.

use super::Judge;

impl Judge {
    /// Takes in a sample that succeeded and ended now, if that is all there is to it. Otherwise returns false, and has changed
    /// nothing. `now_ns` is not before the latest time seen, and no timer is due by it. If it is later, the caller takes note
    /// of it.
    #[inline(always)]
    pub(crate) fn take_calmly(&mut self, now_ns: u64, latency_ns: u64) -> bool {
        latency_ns < self.calm_below_ns && self.window.replace_calm(now_ns, latency_ns, self.calm_below_ns)
    }

    /// Something may be different from now on.
    #[inline]
    pub(crate) fn end_calm(&mut self) {
        self.calm_below_ns = 0;
    }

    /// After a sample of the closed breaker, whose verdict left it closed.
    #[inline]
    pub(super) fn look_for_calm(&mut self, now_ns: u64) {
        let calm =
            self.rules.are_at_rest() && self.sample_every == 1 && !self.is_mirrored && self.window.look_for_calm();
        self.calm_below_ns = if calm { self.calm_limit_ns(now_ns).saturating_add(1) } else { 0 };
    }

    /// A latency up to this is neither slow, nor a spike, nor does it reach back before the epoch: not if the call ends now,
    /// and so not later.
    #[inline]
    fn calm_limit_ns(&self, now_ns: u64) -> u64 {
        let since_epoch_ns = if self.epoch_ns == 0 { u64::MAX } else { now_ns - self.epoch_ns };
        self.rules.spike_limit_ns.min(self.window.threshold_ns).min(since_epoch_ns)
    }
}
