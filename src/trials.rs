//! The trials, or health checks, of a half-open epoch: how many there may be, and what comes of their results.

use crate::config::{Config, Recovery};
use crate::ledger::Seen;

/// The trials, or health checks, of one half-open epoch, as the owner knows them. It keeps the plan that it began with.
#[derive(Clone, Copy)]
pub(crate) struct Trials {
    recovery: Recovery,
    /// Good results wanted.
    probes: u16,
    max_out: u16,
    /// Granted and without a result, as of the latest look at the ledger.
    out: u32,
    /// Good results.
    good: u16,
    /// When the latest result came, or the first trial went out after none was, or (health checks) half-open began.
    leased_ns: u64,
}

/// What becomes of the breaker by a good result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    /// So many more trials may be granted.
    More(u16),
    Recovered,
}

impl Trials {
    pub(crate) fn new(config: &Config, now_ns: u64) -> Self {
        // Legal settings fit.
        let [probes, max_out] =
            [config.probes, config.trials_in_flight].map(|count| u16::try_from(count).unwrap_or(u16::MAX));
        Self { recovery: config.recovery, probes, max_out, out: 0, good: 0, leased_ns: now_ns }
    }

    pub(crate) fn recovery(&self) -> Recovery {
        self.recovery
    }

    /// The time that the first health check has begins now.
    pub(crate) fn begin_lease(&mut self, now_ns: u64) {
        self.leased_ns = now_ns;
    }

    /// How many trials there may be at a time: as many as may be out, and no more than good results are wanted.
    pub(crate) fn room(&self) -> u16 {
        match self.recovery {
            Recovery::Trials => self.probes.saturating_sub(self.good).min(self.max_out),
            Recovery::HealthChecks => 0,
        }
    }

    /// What the ledger shows; `None` if it was scribbled on, and somebody may have passed by that: as if all were out, so
    /// that it ends as lost.
    pub(crate) fn take_note(&mut self, seen: Option<Seen>, now_ns: u64) {
        let Seen { out, was_idle } = seen.unwrap_or(Seen { out: self.room().into(), was_idle: false });
        if out > 0 && (self.out == 0 || was_idle) {
            self.leased_ns = now_ns;
        }
        self.out = out;
    }

    /// A trial's good result, or a good check.
    pub(crate) fn succeed(&mut self, now_ns: u64) -> Progress {
        let before = self.room();
        self.out = self.out.saturating_sub(1);
        self.leased_ns = now_ns;
        self.good = self.good.saturating_add(1);
        if self.good >= self.probes {
            return Progress::Recovered;
        }
        match self.recovery {
            // The trial's own place, unless there is none for another.
            Recovery::Trials => Progress::More((self.room() + 1).saturating_sub(before)),
            Recovery::HealthChecks => Progress::More(0),
        }
    }

    /// When the lack of results reopens; `u64::MAX` while none is due.
    pub(crate) fn lost_at_ns(&self, probe_timeout_ns: u64) -> u64 {
        if self.out > 0 || self.recovery == Recovery::HealthChecks {
            self.leased_ns.saturating_add(probe_timeout_ns)
        } else {
            u64::MAX
        }
    }

    /// Granted in this epoch, and not given back.
    pub(crate) fn granted(&self) -> u32 {
        match self.recovery {
            Recovery::Trials => self.out.saturating_add(self.good.into()),
            Recovery::HealthChecks => 0,
        }
    }

    pub(crate) fn out(&self) -> u32 {
        self.out
    }

    pub(crate) fn good(&self) -> u32 {
        self.good.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trials(probes: u32, trials_in_flight: u32) -> Trials {
        Trials::new(&Config { probes, trials_in_flight, ..Config::default() }, 0)
    }

    const SEEN: fn(u32) -> Option<Seen> = |out| Some(Seen { out, was_idle: false });

    #[test]
    fn there_is_room_for_as_many_as_may_be_out_and_are_wanted() {
        let mut trials = trials(3, 2);
        assert_eq!(trials.room(), 2);
        trials.take_note(SEEN(2), 0);
        assert_eq!((trials.succeed(1), trials.room()), (Progress::More(1), 2));
        assert_eq!((trials.succeed(2), trials.room()), (Progress::More(0), 1));
        assert_eq!((trials.granted(), trials.out(), trials.good()), (2, 0, 2));
        assert_eq!(trials.succeed(3), Progress::Recovered);
        let checks = Config { recovery: Recovery::HealthChecks, probes: 2, ..Config::default() };
        let mut trials = Trials::new(&checks, 0);
        assert_eq!((trials.room(), trials.succeed(1), trials.succeed(2)), (0, Progress::More(0), Progress::Recovered));
    }

    #[test]
    fn a_lease_starts_with_the_grant_that_found_none_out_and_with_each_result() {
        let mut trials = trials(5, 2);
        assert_eq!(trials.lost_at_ns(10), u64::MAX);
        trials.take_note(SEEN(1), 100);
        trials.take_note(SEEN(2), 105);
        assert_eq!(trials.lost_at_ns(10), 110);
        trials.succeed(107);
        assert_eq!(trials.lost_at_ns(10), 117);
        trials.take_note(SEEN(0), 108);
        assert_eq!(trials.lost_at_ns(10), u64::MAX);
        trials.take_note(SEEN(1), 120);
        assert_eq!(trials.lost_at_ns(10), 130);
        trials.take_note(Some(Seen { out: 1, was_idle: true }), 125);
        assert_eq!(trials.lost_at_ns(10), 135);
        assert_eq!(trials.lost_at_ns(u64::MAX), u64::MAX);
    }

    #[test]
    fn a_scribbled_ledger_counts_as_all_out() {
        let mut trials = trials(5, 3);
        trials.take_note(None, 100);
        trials.take_note(None, 105);
        assert_eq!((trials.out(), trials.lost_at_ns(10)), (3, 110));
    }
}
