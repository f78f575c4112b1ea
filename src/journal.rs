//! The event ring in the page: its one writer, and readers that follow it, each with a cursor of its own.

use crate::config::State;
use crate::page::{JOURNAL_LEN, Observer, Page, PageHandle, RECORD_WORDS};
use crate::sync::{Ordering, load_acquire};
use core::fmt;

/// Why a breaker changed its state, or was halted, resumed or restarted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[repr(u8)]
pub enum Reason {
    /// The quantile exceeded the threshold.
    Latency = 1,
    /// Too large a share of the window failed.
    FailureRate = 2,
    /// Too many samples in a row failed.
    ConsecutiveFailures = 3,
    /// Too many samples in a row were slower than the spike limit.
    Spike = 4,
    /// A call has been in flight for too long.
    Stall = 5,
    /// The pause is over: half-open.
    Retry = 6,
    /// A result failed while half-open: open again.
    ProbeFailed = 7,
    /// A result was too slow while half-open, or a trial has been in flight for too long: open again.
    ProbeSlow = 8,
    /// No result came in time while half-open: open again.
    ProbeLost = 9,
    /// All trials or checks were good: closed.
    Recovered = 10,
    /// Halted; the state is unchanged.
    Halt = 11,
    /// Resumed; the state is unchanged.
    Resume = 12,
    /// A new owner took over a page in a file: after a clean end while closed it comes back closed, otherwise open. A halt
    /// that is in force then is journaled again, after this.
    Restart = 13,
}

impl Reason {
    const ALL: [Self; 13] = [
        Self::Latency,
        Self::FailureRate,
        Self::ConsecutiveFailures,
        Self::Spike,
        Self::Stall,
        Self::Retry,
        Self::ProbeFailed,
        Self::ProbeSlow,
        Self::ProbeLost,
        Self::Recovered,
        Self::Halt,
        Self::Resume,
        Self::Restart,
    ];

    /// The name in JSON and in text, as in `consecutive_failures`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Latency => "latency",
            Self::FailureRate => "failure_rate",
            Self::ConsecutiveFailures => "consecutive_failures",
            Self::Spike => "spike",
            Self::Stall => "stall",
            Self::Retry => "retry",
            Self::ProbeFailed => "probe_failed",
            Self::ProbeSlow => "probe_slow",
            Self::ProbeLost => "probe_lost",
            Self::Recovered => "recovered",
            Self::Halt => "halt",
            Self::Resume => "resume",
            Self::Restart => "restart",
        }
    }

    fn from_bits(bits: u64) -> Option<Self> {
        Self::ALL.into_iter().find(|&reason| reason as u64 == bits)
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A transition, halt, resume or restart, with the figures of a verdict at that moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Event {
    /// Counts events from 0 on.
    pub sequence: u64,
    /// When, on the breaker's clock.
    pub t_ns: u64,
    /// When, in nanoseconds since the Unix epoch: wall time at construction plus the time that has passed on the
    /// breaker's clock since. No system call; it doesn't follow later adjustments of the wall clock.
    pub wall_ns: u64,
    /// The state before.
    pub from: State,
    /// The state after.
    pub to: State,
    /// Why.
    pub reason: Reason,
    /// The judged quantile; 0 of nothing.
    pub quantile_ns: u64,
    /// Samples that the verdict sees: the window and, from closed, the overdue calls.
    pub samples: u32,
    /// Of them, slower than the threshold.
    pub slow: u32,
    /// Of them, overdue calls.
    pub overdue: u32,
    /// Of the window, failed.
    pub failures: u32,
    /// The attempt, as this event left it.
    pub attempt: u32,
    /// When the pause ends; `u64::MAX` unless `to` is open.
    pub retry_at_ns: u64,
    /// How long before this the owner was last seen: a long gap means a local pause rather than a slow node.
    pub owner_gap_ns: u64,
}

impl Event {
    fn to_words(self) -> [u64; 11] {
        [
            self.t_ns,
            self.wall_ns,
            self.from as u64 | (self.to as u64) << 8 | (self.reason as u64) << 16,
            self.quantile_ns,
            self.samples.into(),
            self.slow.into(),
            self.overdue.into(),
            self.failures.into(),
            self.attempt.into(),
            self.retry_at_ns,
            self.owner_gap_ns,
        ]
    }

    /// `None` if no version of this library writes such words.
    fn from_words(sequence: u64, words: &[u64; RECORD_WORDS]) -> Option<Self> {
        let [t_ns, wall_ns, what, quantile_ns, samples, slow, overdue, failures, attempt, retry_at_ns, owner_gap_ns] =
            *words.first_chunk()?;
        Some(Self {
            sequence,
            t_ns,
            wall_ns,
            from: State::from_bits(what & 0xff)?,
            to: State::from_bits(what >> 8 & 0xff)?,
            reason: Reason::from_bits(what >> 16)?,
            quantile_ns,
            samples: u32::try_from(samples).ok()?,
            slow: u32::try_from(slow).ok()?,
            overdue: u32::try_from(overdue).ok()?,
            failures: u32::try_from(failures).ok()?,
            attempt: u32::try_from(attempt).ok()?,
            retry_at_ns,
            owner_gap_ns,
        })
    }
}

/// The version that the record of this event has. Even, never 0, and different for each event.
const fn version(sequence: u64) -> u64 {
    sequence.wrapping_add(1).wrapping_mul(2)
}

impl Page {
    /// Appends an event; its `sequence` is one more than the last one's. Only for the owner.
    pub(crate) fn append(&self, event: Event) {
        let mut words = [0; RECORD_WORDS];
        for (word, value) in words.iter_mut().zip(event.to_words()) {
            *word = value;
        }
        self.append_words(event.sequence, words);
    }

    fn append_words(&self, sequence: u64, words: [u64; RECORD_WORDS]) {
        if let Some(record) = self.record(sequence) {
            record.write(version(sequence), words);
        }
        self.head().store(sequence.wrapping_add(1), Ordering::Release);
    }
}

/// A reader of a breaker's events: an iterator that ends where the journal ends for now, and goes on when there is more.
///
/// The journal keeps the latest 256 events. A reader that falls further behind is told how many it [`missed`](Self::missed).
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
    page: PageHandle,
    /// The sequence number to be read next.
    next: u64,
    missed: u64,
}

impl Observer {
    /// A reader that begins with the oldest event that the journal still has.
    pub fn events(&self) -> Events {
        let head = load_acquire(self.page.head());
        Events { page: PageHandle::clone(&self.page), next: head.saturating_sub(JOURNAL_LEN as u64), missed: 0 }
    }
}

impl Events {
    /// How many events were overwritten before this reader came to them.
    pub fn missed(&self) -> u64 {
        self.missed
    }

    /// The next event's words.
    fn next_words(&mut self) -> Option<(u64, [u64; RECORD_WORDS])> {
        self.next_words_with::<true>()
    }

    /// `CHECKED` is true but in a loom model, which shows that it must be.
    fn next_words_with<const CHECKED: bool>(&mut self) -> Option<(u64, [u64; RECORD_WORDS])> {
        // Bounded, whatever somebody may have scribbled over the head.
        for _ in 0..=JOURNAL_LEN {
            let head = load_acquire(self.page.head());
            // The owner's never goes back.
            self.next = self.next.min(head);
            if self.next >= head {
                return None;
            }
            let oldest = head.saturating_sub(JOURNAL_LEN as u64);
            if self.next < oldest {
                self.missed = self.missed.saturating_add(oldest - self.next);
                self.next = oldest;
            }
            let sequence = self.next;
            self.next += 1;
            match self.page.record(sequence).and_then(|record| record.read()) {
                Some((found, words)) if found == version(sequence) || !CHECKED => return Some((sequence, words)),
                // The writer came round to it meanwhile.
                _ => self.missed = self.missed.saturating_add(1),
            }
        }
        None
    }
}

impl Iterator for Events {
    type Item = Event;

    fn next(&mut self) -> Option<Event> {
        for _ in 0..=JOURNAL_LEN {
            let (sequence, words) = self.next_words()?;
            match Event::from_words(sequence, &words) {
                Some(event) => return Some(event),
                None => self.missed = self.missed.saturating_add(1),
            }
        }
        None
    }
}

impl fmt::Debug for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Events").field("next", &self.next).field("missed", &self.missed).finish()
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    fn event(sequence: u64) -> Event {
        Event {
            sequence,
            t_ns: sequence * 10,
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
        }
    }

    fn observer() -> Observer {
        Observer { page: PageHandle::new(Page::new(State::Closed, false)) }
    }

    #[test]
    fn events_come_in_order_and_survive_their_words() {
        let observer = observer();
        let mut events = observer.events();
        for sequence in 0..600 {
            observer.page.append(event(sequence));
            assert_eq!(events.next(), Some(event(sequence)));
            assert_eq!(events.next(), None);
        }
        assert_eq!(events.missed(), 0);
        for reason in Reason::ALL {
            assert_eq!(Reason::from_bits(reason as u64), Some(reason));
        }
        assert_eq!((Reason::from_bits(0), Reason::from_bits(14)), (None, None));
    }

    #[test]
    fn a_reader_that_falls_behind_is_told_how_far() {
        let observer = observer();
        let mut events = observer.events();
        for sequence in 0..256 {
            observer.page.append(event(sequence));
        }
        assert_eq!(events.next(), Some(event(0)));
        for sequence in 256..260 {
            observer.page.append(event(sequence));
        }
        // 1, 2 and 3 are gone; 4 is the oldest of the 256 that remain.
        assert_eq!(events.next(), Some(event(4)));
        assert_eq!(events.missed(), 3);
        assert_eq!(events.by_ref().count(), 255);
        assert_eq!(events.missed(), 3);
    }

    #[test]
    fn a_new_reader_begins_with_the_oldest_event_there_is() {
        let observer = observer();
        for sequence in 0..300 {
            observer.page.append(event(sequence));
        }
        let mut events = observer.events();
        assert_eq!(events.next(), Some(event(44)));
        assert_eq!(events.missed(), 0);
    }

    #[test]
    fn a_head_that_jumps_about_neither_hangs_nor_loses_a_reader() {
        let observer = observer();
        observer.page.append(event(0));
        let mut events = observer.events();
        observer.page.head().store(u64::MAX, Ordering::Relaxed);
        assert_eq!(events.next(), None);
        observer.page.append(event(1));
        assert_eq!(events.next(), None);
        observer.page.append(event(2));
        assert_eq!(events.next(), Some(event(2)));
    }

    #[test]
    fn words_that_no_version_writes_are_missed_not_believed() {
        let observer = observer();
        observer.page.append_words(0, [u64::MAX; RECORD_WORDS]);
        observer.page.append(event(1));
        let mut events = observer.events();
        assert_eq!(events.next(), Some(event(1)));
        assert_eq!(events.missed(), 1);
    }
}

#[cfg(all(test, loom))]
mod loom_tests {
    use super::*;

    /// The ring holds two records and three are written.
    fn check<const CHECKED: bool>() {
        let mut model = loom::model::Builder::new();
        model.preemption_bound = Some(3);
        model.check(|| {
            let observer = Observer { page: PageHandle::new(Page::new(State::Closed, false)) };
            let mut events = observer.events();
            let writer = {
                let page = PageHandle::clone(&observer.page);
                loom::thread::spawn(move || (0..3).for_each(|sequence| page.append_words(sequence, [sequence; 2])))
            };
            let mut read = 0;
            let mut take_all = |events: &mut Events| {
                while let Some((sequence, words)) = events.next_words_with::<CHECKED>() {
                    assert_eq!(words, [sequence; 2], "another event's record");
                    assert_eq!(sequence, read + events.missed());
                    read += 1;
                }
            };
            take_all(&mut events);
            writer.join().unwrap();
            take_all(&mut events);
            assert_eq!(read + events.missed(), 3);
        });
    }
    #[test]
    fn each_event_is_read_whole_in_order_or_counted_as_missed() {
        check::<true>();
    }

    /// Shows that the model finds what it looks for.
    #[test]
    #[should_panic(expected = "another event's record")]
    fn a_reader_that_does_not_look_at_the_version_would_read_another_event() {
        check::<false>();
    }
}
