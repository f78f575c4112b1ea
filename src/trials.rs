//! The trials, or health checks, of a half-open epoch: how many there may be, who has them, and what their results lead to.

use crate::config::{Config, Recovery};
use crate::ledger::{Epoch, Ledger, Seen};

/// The trials, or health checks, of one half-open epoch, as the owner knows them. An epoch keeps the settings that it began with.
/// Gates and lanes take trials from the ledger, which is in the page.
pub(crate) struct Trials {
    /// This epoch, or the latest one if it is over. It is `None` before the first epoch.
    epoch: Option<Epoch>,
    pub(crate) recovery: Recovery,
    /// How many good results are wanted.
    probes: u16,
    /// How many trials may be out at a time.
    max_out: u16,
    /// How many trials are granted and without a result, as of the latest look at the ledger.
    out: u32,
    /// How many results were good.
    good: u16,
    /// The time of the latest of these: a result came; a trial went out when none was out; half-open began (health checks).
    leased_ns: u64,
}

impl Trials {
    /// There is no epoch yet.
    pub(crate) fn new(config: &Config) -> Self {
        Self::plan(None, config, 0)
    }

    fn plan(epoch: Option<Epoch>, config: &Config, now_ns: u64) -> Self {
        // Legal settings fit.
        let [probes, max_out] =
            [config.probes, config.trials_in_flight].map(|count| u16::try_from(count).unwrap_or(u16::MAX));
        Self { epoch, recovery: config.recovery, probes, max_out, out: 0, good: 0, leased_ns: now_ns }
    }

    /// Begins a new epoch, which offers its trials to everybody.
    pub(crate) fn begin_epoch(&mut self, config: &Config, ledger: &Ledger, now_ns: u64) {
        let epoch = Epoch::after(self.epoch);
        *self = Self::plan(Some(epoch), config, now_ns);
        ledger.renew(epoch, self.room());
    }

    /// Ends the epoch: from now on nobody gets or has a trial.
    pub(crate) fn end_epoch(&self, ledger: &Ledger) {
        ledger.revoke(self.epoch);
    }

    /// Takes note of an earlier owner's epoch, which is over.
    pub(crate) fn go_on_after(&mut self, epoch: Option<Epoch>) {
        self.epoch = epoch;
    }

    /// True if the trial that a call claimed as it began is of this epoch. To be asked while there is an epoch.
    pub(crate) fn is_of_epoch(&self, claimed: Option<Epoch>) -> bool {
        claimed.is_some() && claimed == self.epoch
    }

    /// The time for the first health check to report begins now.
    pub(crate) fn begin_lease(&mut self, now_ns: u64) {
        self.leased_ns = now_ns;
    }

    /// How many trials there may be at a time: as many as may be out, but no more than good results are still wanted.
    pub(crate) fn room(&self) -> u16 {
        match self.recovery {
            Recovery::Trials => self.probes.saturating_sub(self.good).min(self.max_out),
            Recovery::HealthChecks => 0,
        }
    }

    // The functions below are for the time while the epoch lasts.

    /// Takes note of the trials that are out.
    pub(crate) fn look(&mut self, ledger: &Ledger, now_ns: u64) {
        let Some(epoch) = self.epoch else { return };
        let seen = ledger.look(epoch, self.room());
        if seen.is_none() {
            ledger.revoke(self.epoch);
        }
        self.take_note(seen, now_ns);
    }

    /// The owner asks for a trial, as gates do. True if it is granted one.
    pub(crate) fn take(&mut self, ledger: &Ledger, now_ns: u64) -> bool {
        self.look(ledger, now_ns);
        let taken = ledger.take();
        self.look(ledger, now_ns);
        self.is_of_epoch(taken)
    }

    /// A call of the owner's begins, or is recorded without a ticket, and claims a trial that was granted. True if there is one.
    pub(crate) fn claim(&mut self, ledger: &Ledger, now_ns: u64) -> bool {
        self.look(ledger, now_ns);
        self.is_of_epoch(ledger.claim())
    }

    /// Gives a trial back, which counts neither way. The trial has begun, or it is pending. True if a pending one was given back.
    pub(crate) fn give_back(&mut self, has_begun: bool, ledger: &Ledger, now_ns: u64) -> bool {
        let Some(epoch) = self.epoch else { return false };
        // Two calls: the proof that nothing panics can't see through a function pointer.
        let was_pending = if has_begun {
            ledger.give_back_begun(epoch);
            false
        } else {
            ledger.give_back(epoch)
        };
        self.look(ledger, now_ns);
        was_pending
    }

    /// Takes note of what the ledger shows. `None` means that somebody scribbled on it. Then calls may have passed by mistake. So
    /// all trials count as out, and are lost in the end.
    fn take_note(&mut self, seen: Option<Seen>, now_ns: u64) {
        let Seen { out, was_idle } = seen.unwrap_or(Seen { out: self.room().into(), was_idle: false });
        if out > 0 && (self.out == 0 || was_idle) {
            self.leased_ns = now_ns;
        }
        self.out = out;
    }

    /// A trial's result, or a check, was good. True if it was the last one wanted.
    pub(crate) fn succeed(&mut self, ledger: &Ledger, now_ns: u64) -> bool {
        let before = self.room();
        self.out = self.out.saturating_sub(1);
        self.leased_ns = now_ns;
        self.good = self.good.saturating_add(1);
        let is_last = self.good >= self.probes;
        if !is_last && let Some(epoch) = self.epoch {
            // The trial's own place may be granted again, unless no more trials are wanted.
            ledger.settle(epoch, self.room(), (self.room() + 1).saturating_sub(before).min(self.room()));
        }
        is_last
    }

    /// When the lack of results reopens the breaker. It is `u64::MAX` while no result is due.
    pub(crate) fn lost_at_ns(&self, probe_timeout_ns: u64) -> u64 {
        let is_due = self.out > 0 || self.recovery == Recovery::HealthChecks;
        if is_due { self.leased_ns.saturating_add(probe_timeout_ns) } else { u64::MAX }
    }

    /// How long ago the lease began: a result has been due since.
    pub(crate) fn lost_for_ns(&self, now_ns: u64) -> u64 {
        now_ns.saturating_sub(self.leased_ns)
    }

    /// How many trials were granted in this epoch and not given back.
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

    /// How many good results are wanted.
    pub(crate) fn wanted(&self) -> u32 {
        self.probes.into()
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    fn trials(config: &Config) -> (Trials, Ledger) {
        let (mut trials, ledger) = (Trials::new(config), Ledger::default());
        trials.begin_epoch(config, &ledger, 0);
        (trials, ledger)
    }

    const SEEN: fn(u32) -> Option<Seen> = |out| Some(Seen { out, was_idle: false });

    #[test]
    fn there_is_room_for_as_many_as_may_be_out_and_are_wanted() {
        let (mut trials, ledger) = trials(&Config { probes: 3, trials_in_flight: 2, ..Config::default() });
        let take = |trials: &mut Trials| trials.take(&ledger, 0);
        assert_eq!([(); 3].map(|()| take(&mut trials)), [true, true, false]);
        assert_eq!((trials.succeed(&ledger, 1), trials.room()), (false, 2));
        assert_eq!([(); 2].map(|()| take(&mut trials)), [true, false]);
        assert_eq!((trials.succeed(&ledger, 2), trials.room(), take(&mut trials)), (false, 1, false));
        assert_eq!((trials.granted(), trials.out(), trials.good()), (3, 1, 2));
        assert!(trials.succeed(&ledger, 3));
    }

    #[test]
    fn health_checks_have_no_trials() {
        let (mut trials, ledger) = trials(&Config { recovery: Recovery::HealthChecks, probes: 2, ..Config::default() });
        assert!(!trials.take(&ledger, 0));
        assert!(!trials.succeed(&ledger, 1) && !trials.take(&ledger, 1) && trials.succeed(&ledger, 2));
        assert_eq!((trials.room(), trials.granted(), trials.good()), (0, 0, 2));
    }

    #[test]
    fn a_lease_starts_with_the_grant_that_found_none_out_and_with_each_result() {
        let (mut trials, ledger) = trials(&Config { probes: 5, trials_in_flight: 2, ..Config::default() });
        assert_eq!(trials.lost_at_ns(10), u64::MAX);
        trials.take_note(SEEN(1), 100);
        trials.take_note(SEEN(2), 105);
        assert_eq!(trials.lost_at_ns(10), 110);
        trials.succeed(&ledger, 107);
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
        let (mut trials, ledger) = trials(&Config { probes: 5, trials_in_flight: 3, ..Config::default() });
        ledger.revoke(Epoch::from_number(7));
        trials.look(&ledger, 100);
        trials.look(&ledger, 105);
        assert_eq!((trials.out(), trials.lost_at_ns(10)), (3, 110));
    }
}
