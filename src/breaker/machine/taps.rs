//! What the tap is told. Nothing, if there is no tap.

use super::Machine;
use crate::config::State;
use crate::tap::{TapKind, TapRow};

impl Machine {
    /// A call came back. This is its own stamp.
    #[inline]
    pub(super) fn tap_call(&mut self, end_ns: u64, latency_ns: u64, ok: bool, trial: bool) {
        if self.outlet.has_tap() {
            let start_ns = end_ns.saturating_sub(latency_ns);
            let kind = self.kind(start_ns, trial);
            self.outlet.tap(TapRow { kind, start_ns, latency_ns: Some(latency_ns), ok });
        }
    }

    /// A good call came back to a calm breaker, now. There is a tap.
    #[inline]
    pub(super) fn tap_calm_call(&mut self, now_ns: u64, latency_ns: u64) {
        let start_ns = now_ns.saturating_sub(latency_ns);
        if start_ns < self.closed_since_ns {
            return self.tap_early_call(now_ns, latency_ns);
        }
        self.outlet.tap(TapRow { kind: TapKind::Ask, start_ns, latency_ns: Some(latency_ns), ok: true });
    }

    /// It began before the breaker was closed.
    #[cold]
    #[inline(never)] // so that the way above saves no registers
    fn tap_early_call(&mut self, now_ns: u64, latency_ns: u64) {
        self.tap_call(now_ns, latency_ns, true, false);
    }

    /// A call came back that an epoch had forgotten.
    #[cold]
    pub(super) fn tap_late(&mut self, end_ns: u64, latency_ns: u64, ok: bool) {
        let start_ns = end_ns.saturating_sub(latency_ns);
        self.outlet.tap(TapRow { kind: TapKind::Late, start_ns, latency_ns: Some(latency_ns), ok });
    }

    #[cold]
    pub(super) fn tap_refused(&mut self) {
        self.outlet.tap(TapRow { kind: TapKind::Refused, start_ns: self.latest_ns, latency_ns: None, ok: true });
    }

    /// A call that began then is abandoned at the latest time seen; or a trial that was granted just then is given back.
    #[cold]
    pub(in crate::breaker) fn tap_withdrawn(&mut self, start_ns: u64) {
        let latency_ns = Some(self.latest_ns.saturating_sub(start_ns));
        self.outlet.tap(TapRow { kind: TapKind::Withdrawn, start_ns, latency_ns, ok: true });
    }

    /// All calls in flight are about to be forgotten.
    #[cold]
    pub(super) fn tap_forgotten(&mut self) {
        if self.outlet.has_tap() {
            for (start_ns, trial) in self.judge.calls.in_flight() {
                let kind = self.kind(start_ns, trial);
                self.outlet.tap(TapRow { kind, start_ns, latency_ns: None, ok: true });
            }
        }
    }

    /// This owner took the page over.
    #[cfg(feature = "shm")]
    pub(super) fn tap_restart(&mut self) {
        self.outlet.tap(TapRow { kind: TapKind::Restart, start_ns: self.created_ns, latency_ns: None, ok: true });
    }

    /// Whether a call that began then was asked for. It was if it is a trial. While closed nobody can tell, and so in shadow: then it
    /// counts as asked for. Otherwise it was not granted.
    #[inline]
    fn kind(&self, start_ns: u64, trial: bool) -> TapKind {
        let (since_ns, until_ns, epoch_ns) = (self.closed_since_ns, self.closed_until_ns, self.judge.epoch_ns());
        let was_refusing = if self.state == State::Closed {
            until_ns <= start_ns && start_ns < since_ns
        } else {
            // Since it opened, or while half-open before it was closed last.
            until_ns <= start_ns || (0 < epoch_ns && epoch_ns <= start_ns && start_ns < since_ns)
        };
        if was_refusing && !trial && !self.config.shadow { TapKind::Free } else { TapKind::Ask }
    }
}
