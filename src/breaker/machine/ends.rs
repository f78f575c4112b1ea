//! How a breaker whose page is in a file begins and ends.

use super::Machine;
#[cfg(feature = "shm")]
use crate::config::Start;
use crate::config::State;
#[cfg(feature = "shm")]
use crate::event::Reason;
use crate::started::Started;

impl Machine {
    /// Ends at this time. The end is clean if it may be, and if the breaker is closed and not halted, and no call is in flight for longer
    /// than the threshold.
    pub(in crate::breaker) fn end(&mut self, now_ns: u64, may_be_clean: bool) {
        if self.outlet.is_owners() {
            self.tap_forgotten();
            if self.started {
                self.publish();
            }
            let is_calm = self.state == State::Closed && !self.outlet.is_halted() && !self.judge.is_any_late(now_ns);
            self.outlet.end(self.state, may_be_clean && is_calm);
        }
    }

    /// Whether calls are in flight.
    pub(in crate::breaker) fn has_calls(&self) -> bool {
        self.judge.calls.len() > 0
    }

    /// From now on the page is in a file, which an earlier owner may have left. To be called before the first operation, at this time of
    /// the caller's.
    #[cfg(feature = "shm")]
    pub(in crate::breaker) fn move_to(&mut self, opened: crate::shm::Opened, now_ns: u64) {
        let crate::shm::Opened { page, link, legacy, kept } = opened;
        self.outlet.move_to(page, link, legacy.as_ref());
        self.is_shown = self.outlet.shows_samples();
        self.outlet.set_settings(&self.config);
        self.created_ns = now_ns;
        let start = self.config.start;
        let was_clean = legacy.is_some_and(|legacy| legacy.state == State::Closed && legacy.sealed);
        let started = match legacy {
            None => Started::New,
            Some(_) if was_clean => Started::Clean,
            Some(_) => Started::Unclean,
        };
        self.started_as = Some(started);
        self.state = if started == Started::Unclean { State::Open } else { start.state() };
        if self.state != State::Closed {
            self.closed_until_ns = 0;
        }
        if let Some(legacy) = legacy {
            self.backoff.restore(if was_clean { legacy.attempt } else { legacy.attempt.or(Some(0)) });
        }
        if started == Started::Unclean {
            self.latch.restore(legacy.map_or(0, |legacy| legacy.openings));
            let left_ns = legacy.and_then(|legacy| legacy.pause_left_ns);
            let pause_ns = self.backoff.same_pause_ns();
            self.retry_at_ns = now_ns.saturating_add(left_ns.map_or(pause_ns, |left_ns| left_ns.min(pause_ns)));
            self.outlet.opening(self.backoff.attempt(), self.retry_at_ns - now_ns);
        }
        // What outlived memory comes first: it goes by the numbers that the page had before.
        self.outlet.keep(&kept);
        if start == Start::Halted && started != Started::Clean {
            self.outlet.halt_at_start();
        }
        let epoch = self.outlet.take_over(self.state, started);
        self.trials.go_on_after(epoch);
        if self.state == State::HalfOpen {
            self.begin_trials();
        }
        self.outlet.set_retry_at_ns(self.retry_at_ns);
        if started != Started::New {
            self.tap_restart();
        }
        self.journal(legacy.map_or(self.state, |legacy| legacy.state), Reason::Restart);
        self.note_halts();
        self.publish();
    }

    /// How the page was found, if it is in a file.
    pub(in crate::breaker) fn started_as(&self) -> Option<Started> {
        self.started_as
    }
}
