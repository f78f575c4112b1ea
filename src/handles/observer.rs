//! Reading a breaker's page: its state, what it published, and its events.

use super::halting::{HaltNote, Holders, LogEntry};
use crate::config::{Config, State};
use crate::event::Event;
use crate::holder::Holder;
use crate::journal::Cursor;
use crate::page::Page;
use crate::snapshot::Snapshot;
use crate::sync::{Ordering, load_acquire};
use crate::tap::Tap;
use core::fmt;
use crossbeam_utils::Backoff;

/// A read-only view of a breaker. Any thread may use it, clone it and send it. It may outlive the breaker.
///
/// ```
/// use trip99::{Breaker, Config, State};
///
/// let mut breaker = Breaker::new(Config::default())?;
/// let observer = breaker.observer();
/// breaker.poll();
/// let watcher = std::thread::spawn(move || (observer.state(), observer.snapshot()));
/// let (state, snapshot) = watcher.join().expect("the watcher panicked");
/// assert_eq!(state, Some(State::Closed));
/// assert!(snapshot.is_some_and(|snapshot| !snapshot.armed));
/// # Ok::<(), trip99::ConfigError>(())
/// ```
#[derive(Clone)]
pub struct Observer {
    pub(crate) page: Page,
}

impl Observer {
    /// How often `snapshot` tries while the owner is writing, which takes the owner a few nanoseconds. The first few tries spin,
    /// for longer and longer. The others yield, since the owner may need this core to go on.
    const TRIES: u32 = 100;

    /// The automatic state now. It is open once the breaker that gave this handle has ended. `None` if the gate holds a value that no
    /// version writes; calls are refused then.
    pub fn state(&self) -> Option<State> {
        let ended = || self.page.has_ended().then_some(State::Open);
        self.page.gate().read().map(|gate| gate.state).or_else(ended)
    }

    /// True if trading is halted now.
    pub fn is_halted(&self) -> bool {
        self.page.gate().is_halted()
    }

    /// When the latest pause ends or ended, on the breaker's clock; `u64::MAX` before the first.
    ///
    /// It is never older than the state: who has seen the breaker open sees its deadline.
    pub fn retry_at_ns(&self) -> u64 {
        load_acquire(&self.page.board().retry_at_ns.0)
    }

    /// The snapshot that the owner published last. The owner publishes at each transition, and about every millisecond in which it
    /// polls.
    ///
    /// `None` before the first snapshot, or if the owner stopped in the middle of writing one.
    pub fn snapshot(&self) -> Option<Snapshot> {
        let backoff = Backoff::new();
        (0..Self::TRIES).find_map(|_| {
            let read = self.page.board().status.0.read();
            if read.is_none() {
                backoff.snooze();
            }
            read.and_then(|(_, words)| Snapshot::from_words(&words))
        })
    }

    /// The settings in force. `None` if the owner is writing them, or if no owner of this version writes such settings.
    pub fn config(&self) -> Option<Config> {
        let backoff = Backoff::new();
        (0..Self::TRIES).find_map(|_| {
            let read = self.page.board().settings.0.read();
            if read.is_none() {
                backoff.snooze();
            }
            read.and_then(|(_, words)| Config::from_words(&words))
        })
    }

    /// A reader that begins with the oldest event that the journal still has.
    pub fn events(&self) -> Events {
        Events { page: self.page.clone(), cursor: self.page.journal().cursor() }
    }

    /// A reader that begins with the event of this number ([`Event::sequence`]), for who was told of those before. What the journal no longer
    /// has counts as [missed](Events::missed). If there were fewer events than that, the reader begins with the next.
    ///
    /// ```
    /// use trip99::{Breaker, Config};
    ///
    /// let mut breaker = Breaker::new(Config::default())?;
    /// for _ in 0..40 {
    ///     breaker.halt("");
    ///     breaker.poll();
    ///     breaker.resume("");
    ///     breaker.poll();
    /// }
    /// let observer = breaker.observer();
    /// assert_eq!(observer.events_from(78).map(|event| event.sequence).collect::<Vec<_>>(), [78, 79]);
    ///
    /// // The journal keeps 64 of the 80.
    /// let mut events = observer.events_from(10);
    /// assert_eq!((events.next().map(|event| event.sequence), events.missed()), (Some(16), 6));
    /// assert_eq!(observer.events_from(1000).next(), None);
    /// # Ok::<(), trip99::ConfigError>(())
    /// ```
    pub fn events_from(&self, sequence: u64) -> Events {
        Events { page: self.page.clone(), cursor: Cursor::at(sequence) }
    }

    /// A reader of the tap, which begins with the oldest row that is there. `None` if the settings in force want no tap
    /// ([`tap_len`](field@Config::tap_len) is 0).
    pub fn tap(&self) -> Option<Tap> {
        let ring = self.page.tap()?;
        self.config().is_none_or(|config| config.tap_len > 0).then(|| Tap::new(ring.clone()))
    }

    /// Who holds a halt now, since when and why. If nobody does, and trading [is halted](Self::is_halted), a resume is under way: the
    /// owner's next poll ends the halt. This allocates.
    pub fn holders(&self) -> Holders {
        self.page.holders()
    }

    /// True if this holder holds a halt now. It is a look at one word, where [`holders`](Self::holders) reads the operators' log. A name
    /// that came when all names of the page were taken has no halt of its own, but shares [`Holder::OTHERS`].
    pub fn is_held_by(&self, holder: Holder) -> bool {
        self.page.slot(holder).is_some_and(|slot| self.page.board().halts.held().has(slot))
    }

    /// How many orders rest at the venue, as the engine told last ([`Breaker::set_resting`](crate::Breaker::set_resting)). `None` if it
    /// doesn't tell.
    pub fn resting(&self) -> Option<u64> {
        let told = self.page.board().life.0.resting.load(Ordering::Relaxed);
        if self.page.has_ended() { None } else { told.checked_sub(1) }
    }

    /// The latest halt of those that are held: who halted, when and why. `None` if nobody holds one. This allocates.
    pub fn halt_note(&self) -> Option<HaltNote> {
        self.holders().latest().cloned()
    }

    /// An entry of the operators' log, by its number ([`Event::entry`](crate::Event::entry)). The log of a page in a file keeps the
    /// latest 64 halts and resumes; any other log keeps 16. `None` if the log doesn't have this one. This allocates.
    pub fn log_entry(&self, number: u64) -> Option<LogEntry> {
        self.page.log_entry(number)
    }

    /// How many halts and resumes there were, modulo 2^40: the number of the latest entry of the operators' log.
    pub fn log_entries(&self) -> u64 {
        self.page.board().halts.held().count()
    }
}

impl fmt::Debug for Observer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Observer").field("state", &self.state()).field("halted", &self.is_halted()).finish()
    }
}

/// A reader of a breaker's events. It is an iterator that ends where the journal ends for now, and goes on when there is more.
///
/// The journal keeps the latest 64 events, or in a file the latest 1024. If a reader falls further behind, [`missed`](Self::missed) tells how many events it
/// missed.
///
/// ```
/// use trip99::{Breaker, Config, Reason, State};
///
/// let mut breaker = Breaker::new(Config { spike_count: 1, ..Config::default() })?;
/// let mut events = breaker.events();
/// assert_eq!(events.next(), None);
///
/// breaker.record_at(1_000_000_000, 200_000_001);
/// let event = events.next().expect("the breaker tripped");
/// assert_eq!((event.to, event.reason, event.slow), (State::Open, Reason::Spike, 1));
/// assert_eq!((events.next(), events.missed()), (None, 0));
/// # Ok::<(), trip99::ConfigError>(())
/// ```
#[derive(Clone)]
pub struct Events {
    page: Page,
    cursor: Cursor,
}

impl Events {
    /// How many events were overwritten before this reader came to them.
    pub fn missed(&self) -> u64 {
        self.cursor.missed
    }

    /// How many events the journal keeps.
    pub(crate) fn kept(&self) -> usize {
        self.page.journal().len()
    }
}

impl Iterator for Events {
    type Item = Event;

    fn next(&mut self) -> Option<Event> {
        for _ in 0..=self.page.journal().len() {
            let (sequence, words) = self.page.journal().next(&mut self.cursor)?;
            match Event::from_words(&words) {
                Some(event) if event.sequence == sequence => return Some(event),
                _ => self.cursor.miss(1),
            }
        }
        None
    }
}

impl fmt::Debug for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Events").field(&self.cursor).finish()
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::event::Reason;

    fn observer() -> Observer {
        Observer { page: Page::new(State::Closed, false, 0) }
    }

    #[test]
    fn no_snapshot_before_the_first() {
        let observer = observer();
        assert_eq!(observer.snapshot(), None);
        let snapshot = Snapshot { halted: true, now_ns: 7, slow: 8, events: 9, ..Snapshot::default() };
        observer.page.board().status.0.write(2, snapshot.words());
        assert_eq!(observer.snapshot(), Some(snapshot));
    }

    #[test]
    fn words_that_no_version_writes_are_missed_not_believed() {
        let observer = observer();
        let event = Event {
            sequence: 2,
            t_ns: 10,
            wall_ns: 2,
            from: State::Open,
            to: State::HalfOpen,
            reason: Reason::Retry,
            quantile_ns: 3,
            samples: 4,
            slow: 5,
            overdue: 6,
            failures: 7,
            attempt: 8,
            retry_at_ns: u64::MAX,
            owner_gap_ns: 9,
            observed: 10,
            limit: u64::MAX,
            by_debt: true,
            entry: 11,
            settings_before: 12,
            settings_after: 13,
        };
        let another = Event { sequence: 7, ..event };
        for (sequence, words) in (0..).zip([[u64::MAX; Event::WORDS], another.words(), event.words()]) {
            observer.page.journal().append(sequence, words);
        }
        let mut events = observer.events();
        assert_eq!(events.next(), Some(event));
        assert_eq!((events.next(), events.missed()), (None, 2));
    }
}
