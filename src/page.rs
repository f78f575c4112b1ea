//! What others may see of a breaker: one page of atomics that its owner writes and, the gate apart, never reads back.
//!
//! ```text
//!  offset   bytes
//!       0     128  header    magic, layout version
//!     128     128  gate      one byte: bits 0-1 state, bit 2 HALTED, bit 3 SHADOW; a line to itself
//!     256     128  deadline  retry_at, written before the gate opens
//!     384     128  trials    the ledger, a word, and how many there may be (the word is written by gates and lanes, too)
//!     512     128  counts    of others: refusals by gates, and by gates in shadow; flips of HALTED; misuse
//!     640     256  status    version and words of the snapshot (a seqlock)
//!     896     128  head      sequence number of the next event
//!    1024   32768  journal   256 records of 128 bytes (a seqlock each)
//! ```
//!
//! It is in heap memory, or in a file (see `shm`).

#[cfg(all(feature = "shm", not(loom)))]
mod in_file;
#[cfg(all(test, not(loom)))]
mod scribbles;

use crate::clock::ClockSource;
use crate::config::State;
use crate::ledger::{Epoch, Ledger};
use crate::seqlock::SeqLock;
use crate::sync::{AtomicU8, AtomicU64, Ordering, fence, load_acquire};
use crossbeam_utils::Backoff;

/// Whoever holds one may use the page.
#[cfg(all(feature = "shm", not(loom)))]
pub(crate) type PageHandle = crate::handle::Handle<Page>;
#[cfg(not(all(feature = "shm", not(loom))))]
pub(crate) type PageHandle = crate::sync::Arc<Page>;

const MAGIC: u64 = u64::from_le_bytes(*b"trip99pg");
pub(crate) const LAYOUT_VERSION: u64 = 2;

/// Events that the journal keeps. (loom explores every load of every atomic: two are plenty for it.)
pub(crate) const JOURNAL_LEN: usize = if cfg!(loom) { 2 } else { 256 };
/// Words of a record beside its version.
pub(crate) const RECORD_WORDS: usize = if cfg!(loom) { 2 } else { 15 };
const STATUS_WORDS: usize = 31;

const STATE_BITS: u8 = 0b0011;
const HALTED: u8 = 0b0100;
const SHADOW: u8 = 0b1000;

#[repr(C, align(128))]
struct Header {
    magic: AtomicU64,
    layout_version: AtomicU64,
}

#[repr(C, align(128))]
pub(crate) struct Line<T>(pub(crate) T);

/// What others than the owner count.
#[repr(C)]
#[derive(Default)]
struct Counts {
    /// Asks that gates refused.
    refused: AtomicU64,
    /// Asks that gates would have refused but for shadow.
    in_shadow: AtomicU64,
    /// Times that HALTED was set or cleared.
    flips: AtomicU64,
    /// Calls by who isn't the owner of what is the owner's alone.
    misused: AtomicU64,
}

#[repr(C, align(128))]
pub(crate) struct Page {
    header: Header,
    gate: Line<AtomicU8>,
    retry_at_ns: Line<AtomicU64>,
    trials: Line<Ledger>,
    counts: Line<Counts>,
    status: Line<SeqLock<STATUS_WORDS>>,
    head: Line<AtomicU64>,
    journal: Line<[SeqLock<RECORD_WORDS>; JOURNAL_LEN]>,
}

#[cfg(not(loom))]
const _: () = {
    use core::mem::offset_of;
    assert!(offset_of!(Page, header) == 0);
    assert!(offset_of!(Page, gate) == 128);
    assert!(offset_of!(Page, retry_at_ns) == 256);
    assert!(offset_of!(Page, trials) == 384);
    assert!(offset_of!(Page, counts) == 512);
    assert!(offset_of!(Page, status) == 640);
    assert!(offset_of!(Page, head) == 896);
    assert!(offset_of!(Page, journal) == 1024);
    assert!(size_of::<Page>() == 1024 + 256 * 128);
    assert!(size_of::<SeqLock<RECORD_WORDS>>() == 128);
    assert!(offset_of!(Counts, refused) == 0 && offset_of!(Counts, in_shadow) == 8);
    assert!(offset_of!(Counts, flips) == 16 && offset_of!(Counts, misused) == 24);
};

impl Page {
    /// A page whose gate shows `state` and, if so, SHADOW.
    pub(crate) fn new(state: State, shadow: bool) -> Self {
        Self {
            header: Header { magic: AtomicU64::new(MAGIC), layout_version: AtomicU64::new(LAYOUT_VERSION) },
            gate: Line(AtomicU8::new(state as u8 | if shadow { SHADOW } else { 0 })),
            retry_at_ns: Line(AtomicU64::new(u64::MAX)),
            trials: Line(Ledger::new()),
            counts: Line(Counts::default()),
            status: Line(SeqLock::new()),
            head: Line(AtomicU64::new(0)),
            journal: Line(core::array::from_fn(|_| SeqLock::new())),
        }
    }

    /// True if the gate lets every call pass and nothing else is to be done: closed, neither halted nor in shadow.
    #[inline]
    pub(crate) fn is_clear(&self) -> bool {
        self.gate.0.load(Ordering::Relaxed) == 0
    }

    pub(crate) fn is_halted(&self) -> bool {
        self.gate.0.load(Ordering::Relaxed) & HALTED != 0
    }

    /// True unless the gate holds just what the owner put there, halted or not: then nobody may pass.
    pub(crate) fn is_foreign(&self, state: State, shadow: bool) -> bool {
        let owners = state as u8 | if shadow { SHADOW } else { 0 };
        self.gate.0.load(Ordering::Relaxed) & !HALTED != owners
    }

    /// True if the gate holds just this.
    #[inline]
    pub(crate) fn shows(&self, state: State, shadow: bool, halted: bool) -> bool {
        let known = state as u8 | if shadow { SHADOW } else { 0 } | if halted { HALTED } else { 0 };
        self.gate.0.load(Ordering::Relaxed) == known
    }

    /// Somebody wrote to the gate what its owner didn't: puts it right, and halts, as nobody knows what else is wrong.
    pub(crate) fn repair(&self, state: State, shadow: bool) {
        let owners = state as u8 | if shadow { SHADOW } else { 0 };
        if self.gate.0.swap(owners | HALTED, Ordering::AcqRel) & HALTED == 0 {
            self.counts.0.flips.fetch_add(1, Ordering::Release);
        }
    }

    /// The automatic state, and whether it is halted; `None` if the gate holds a value that no version writes.
    pub(crate) fn gate(&self) -> Option<(State, bool)> {
        let gate = self.gate.0.load(Ordering::Relaxed);
        fence(Ordering::Acquire); // see `load_acquire`
        known_state(gate).map(|state| (state, gate & HALTED != 0))
    }

    #[cfg(all(test, not(loom)))]
    fn gate_bits(&self) -> u8 {
        self.gate.0.load(Ordering::Relaxed)
    }

    #[cfg(all(test, not(loom)))]
    pub(crate) fn scribble_on_gate(&self, bits: u8) {
        self.gate.0.store(bits, Ordering::Relaxed);
    }

    /// For C, which reads the gate inline.
    #[cfg(feature = "ffi")]
    pub(crate) fn gate_ptr(&self) -> *const u8 {
        self.gate.0.as_ptr()
    }

    /// Sets HALTED, from any thread.
    pub(crate) fn halt(&self) {
        if self.gate.0.fetch_or(HALTED, Ordering::AcqRel) & HALTED == 0 {
            self.counts.0.flips.fetch_add(1, Ordering::Release);
        }
    }

    /// Clears HALTED, from any thread.
    pub(crate) fn resume(&self) {
        if self.gate.0.fetch_and(!HALTED, Ordering::AcqRel) & HALTED != 0 {
            self.counts.0.flips.fetch_add(1, Ordering::Release);
        }
    }

    /// How often HALTED was set or cleared: so that a halt that came and went isn't missed.
    pub(crate) fn flips(&self) -> u64 {
        self.counts.0.flips.load(Ordering::Acquire)
    }

    /// Only the owner changes the state, so flipping the bits that differ needs no retry, and leaves HALTED alone,
    /// which others change at any time.
    pub(crate) fn change_state(&self, from: State, to: State) {
        self.gate.0.fetch_xor(from as u8 ^ to as u8, Ordering::AcqRel);
    }

    /// Only the owner changes SHADOW.
    pub(crate) fn change_shadow(&self, from: bool, to: bool) {
        if from != to {
            self.gate.0.fetch_xor(SHADOW, Ordering::AcqRel);
        }
    }

    /// The trials that may still be taken.
    pub(crate) fn trials(&self) -> &Ledger {
        &self.trials.0
    }

    /// A gate's answer when it isn't simply closed. Any thread.
    pub(crate) fn ask(&self) -> Answer {
        let gate = self.gate.0.load(Ordering::Acquire);
        let trial = match known_state(gate) {
            None => return self.refuse(),
            Some(_) if gate & HALTED != 0 => return self.refuse(),
            Some(State::Closed) => return Answer::Pass,
            Some(State::Open) => None,
            Some(State::HalfOpen) => self.trials.0.take(),
        };
        match trial {
            Some(epoch) => Answer::Trial(epoch),
            None if gate & SHADOW != 0 => {
                self.counts.0.in_shadow.fetch_add(1, Ordering::Relaxed);
                Answer::Pass
            }
            None => self.refuse(),
        }
    }

    /// What is refused for another reason than the gate's passes in shadow, unless halted: true then.
    pub(crate) fn pass_in_shadow(&self) -> bool {
        let gate = self.gate.0.load(Ordering::Acquire);
        if gate & (SHADOW | HALTED) == SHADOW {
            self.counts.0.in_shadow.fetch_add(1, Ordering::Relaxed);
            return true;
        }
        self.refuse();
        false
    }

    fn refuse(&self) -> Answer {
        self.count_refusal();
        Answer::Refuse
    }

    pub(crate) fn count_refusal(&self) {
        self.counts.0.refused.fetch_add(1, Ordering::Relaxed);
    }

    /// Somebody else called what is the owner's alone, and it was left undone. Any thread.
    pub(crate) fn count_misuse(&self) {
        self.counts.0.misused.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn misuses(&self) -> u64 {
        self.counts.0.misused.load(Ordering::Relaxed)
    }

    /// How many asks gates refused, and how many they would have but for shadow.
    pub(crate) fn refusals(&self) -> (u64, u64) {
        (self.counts.0.refused.load(Ordering::Relaxed), self.counts.0.in_shadow.load(Ordering::Relaxed))
    }

    /// To be called before the gate opens, so that nobody sees it open with an old deadline.
    pub(crate) fn set_retry_at_ns(&self, retry_at_ns: u64) {
        self.retry_at_ns.0.store(retry_at_ns, Ordering::Release);
    }

    /// Replaces the published snapshot. `version` as in [`SeqLock::write`].
    pub(crate) fn publish(&self, version: u64, snapshot: &Snapshot) {
        self.status.0.write(version, snapshot.to_words());
    }

    pub(crate) fn head(&self) -> &AtomicU64 {
        &self.head.0
    }

    /// The record that the event of this sequence number goes to.
    pub(crate) fn record(&self, sequence: u64) -> Option<&SeqLock<RECORD_WORDS>> {
        self.journal.0.get((sequence % JOURNAL_LEN as u64) as usize)
    }
}

/// What a gate says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    Pass,
    /// A trial of this epoch is granted.
    Trial(Epoch),
    Refuse,
}

/// The automatic state; `None` if no version writes such a gate.
fn known_state(gate: u8) -> Option<State> {
    if gate & !(STATE_BITS | HALTED | SHADOW) != 0 {
        return None;
    }
    State::from_bits(u64::from(gate & STATE_BITS))
}

/// A breaker at one moment, `now_ns`: its state, what a verdict sees, and counts since construction.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Snapshot {
    /// The automatic state.
    pub state: State,
    /// A human has halted trading; the automatic state goes on underneath.
    pub halted: bool,
    /// Judges and reports, but refuses nothing.
    pub shadow: bool,
    /// Enough samples (overdue calls included) for a verdict on the quantile: `min_samples`.
    pub armed: bool,
    /// What the plain operations read the time from.
    pub clock: ClockSource,
    /// The latest time that the owner has seen. (In [`Breaker::snapshot`](crate::Breaker::snapshot), `halted` is as of the
    /// call.)
    pub now_ns: u64,
    /// When the latest half-open epoch began; 0 before the first.
    pub epoch_ns: u64,
    /// When the pause ends; `u64::MAX` unless the breaker is open.
    pub retry_at_ns: u64,
    /// Of the latest opening; 0 before the first.
    pub attempt: u32,
    /// Samples in the window.
    pub samples: u32,
    /// Of them, slower than the threshold.
    pub slow: u32,
    /// Of them, failed.
    pub failed: u32,
    /// Calls in flight that count as slow samples beside the window.
    pub overdue: u32,
    /// Calls in flight that are tracked, those of lanes included.
    pub in_flight: u32,
    /// Trials granted in this half-open epoch; 0 in other states, like the next two.
    pub trials_granted: u32,
    /// Of them, without a result so far.
    pub trials_out: u32,
    /// Good trials or checks so far.
    pub trials_good: u32,
    /// Samples taken in (stale ones apart).
    pub recorded: u64,
    /// Samples and checks that were stale, and therefore ignored.
    pub stale: u64,
    /// Calls that began untracked, because `max_in_flight` were tracked already.
    pub untracked: u64,
    /// Asks that were refused.
    pub refused: u64,
    /// Asks that shadow let pass and that would have been refused.
    pub refused_in_shadow: u64,
    /// Tickets that came back twice, or that the breaker never gave out; and calls in C of what is the owner's alone while a
    /// supervisor owns the breaker.
    pub misused: u64,
    /// Messages that lanes dropped because they were full: calls begun or recorded, and checks.
    pub dropped: u64,
    /// Events in the journal so far: the sequence number of the next.
    pub events: u64,
}

const fn pack(low: u32, high: u32) -> u64 {
    low as u64 | (high as u64) << 32
}

const fn low(word: u64) -> u32 {
    word as u32
}

const fn high(word: u64) -> u32 {
    (word >> 32) as u32
}

impl Snapshot {
    fn to_words(&self) -> [u64; STATUS_WORDS] {
        let flags = self.state as u64
            | u64::from(self.halted) << 2
            | u64::from(self.shadow) << 3
            | u64::from(self.armed) << 4
            | (self.clock as u64) << 5;
        let mut words = [0; STATUS_WORDS];
        let used = [
            flags,
            self.now_ns,
            self.epoch_ns,
            self.retry_at_ns,
            pack(self.attempt, self.samples),
            pack(self.slow, self.failed),
            pack(self.overdue, self.in_flight),
            pack(self.trials_granted, self.trials_out),
            pack(self.trials_good, 0),
            self.recorded,
            self.stale,
            self.untracked,
            self.refused,
            self.refused_in_shadow,
            self.misused,
            self.events,
            self.dropped,
        ];
        for (word, value) in words.iter_mut().zip(used) {
            *word = value;
        }
        words
    }

    /// `None` if no version of this library writes such words.
    fn from_words(words: &[u64; STATUS_WORDS]) -> Option<Self> {
        let &[
            flags,
            now_ns,
            epoch_ns,
            retry_at_ns,
            attempt_samples,
            slow_failed,
            overdue_in_flight,
            granted_out,
            good,
            recorded,
            stale,
            untracked,
            refused,
            refused_in_shadow,
            misused,
            events,
            dropped,
            ..,
        ] = words;
        Some(Self {
            state: State::from_bits(flags & 0b11)?,
            halted: flags >> 2 & 1 == 1,
            shadow: flags >> 3 & 1 == 1,
            armed: flags >> 4 & 1 == 1,
            clock: ClockSource::from_bits(flags >> 5),
            now_ns,
            epoch_ns,
            retry_at_ns,
            attempt: low(attempt_samples),
            samples: high(attempt_samples),
            slow: low(slow_failed),
            failed: high(slow_failed),
            overdue: low(overdue_in_flight),
            in_flight: high(overdue_in_flight),
            trials_granted: low(granted_out),
            trials_out: high(granted_out),
            trials_good: low(good),
            recorded,
            stale,
            untracked,
            refused,
            refused_in_shadow,
            misused,
            dropped,
            events,
        })
    }
}

/// A read-only view of a breaker, for any thread: clone it, send it, keep it after the breaker is gone.
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
    pub(crate) page: PageHandle,
}

impl Observer {
    /// Tries to read the snapshot this often while the owner is writing it, which takes it a few nanoseconds. The first few
    /// tries spin, for longer and longer. The others yield, since the owner may need this core to go on.
    const TRIES: u32 = 100;

    /// The automatic state now; `None` if the gate holds a value that no version writes (calls are refused then).
    pub fn state(&self) -> Option<State> {
        self.page.gate().map(|(state, _)| state)
    }

    /// True if trading is halted now.
    pub fn is_halted(&self) -> bool {
        self.page.is_halted()
    }

    /// When the latest pause ends or ended, on the breaker's clock; `u64::MAX` before the first.
    ///
    /// Never older than the state: who has seen the breaker open sees its deadline.
    pub fn retry_at_ns(&self) -> u64 {
        load_acquire(&self.page.retry_at_ns.0)
    }

    /// The snapshot that the owner published last: at each transition, and about every millisecond that it is busy.
    ///
    /// `None` before the first, or if the owner stopped in the middle of writing one.
    pub fn snapshot(&self) -> Option<Snapshot> {
        let backoff = Backoff::new();
        (0..Self::TRIES).find_map(|_| {
            let read = self.page.status.0.read();
            if read.is_none() {
                backoff.snooze();
            }
            read.and_then(|(_, words)| Snapshot::from_words(&words))
        })
    }
}

impl core::fmt::Debug for Observer {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Observer").field("state", &self.state()).field("halted", &self.is_halted()).finish()
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    fn observer(page: Page) -> Observer {
        Observer { page: PageHandle::new(page) }
    }

    #[test]
    fn a_snapshot_survives_its_words() {
        let snapshot = Snapshot {
            state: State::HalfOpen,
            halted: true,
            shadow: false,
            armed: true,
            clock: ClockSource::Tsc,
            now_ns: 1,
            epoch_ns: 2,
            retry_at_ns: 3,
            attempt: 4,
            samples: 5,
            slow: 6,
            failed: 7,
            overdue: 8,
            in_flight: 9,
            trials_granted: 10,
            trials_out: 11,
            trials_good: 12,
            recorded: 13,
            stale: 14,
            untracked: 15,
            refused: 16,
            refused_in_shadow: 17,
            misused: 18,
            dropped: 20,
            events: 19,
        };
        assert_eq!(Snapshot::from_words(&snapshot.to_words()), Some(snapshot.clone()));
        let other = Snapshot { state: State::Open, halted: false, shadow: true, armed: false, ..snapshot };
        assert_eq!(Snapshot::from_words(&other.to_words()), Some(other));
        let mut words = [0; STATUS_WORDS];
        words[0] = 3;
        assert_eq!(Snapshot::from_words(&words), None);
    }

    #[test]
    fn gate_bits_are_as_published() {
        for (state, bits) in [(State::Closed, 0), (State::Open, 1), (State::HalfOpen, 2)] {
            let page = Page::new(state, false);
            assert_eq!(page.gate.0.load(Ordering::Relaxed), bits);
            page.halt();
            page.halt();
            assert_eq!(page.gate.0.load(Ordering::Relaxed), bits | 4);
            page.change_shadow(false, true);
            assert_eq!(page.gate.0.load(Ordering::Relaxed), bits | 12);
            page.resume();
            page.resume();
            assert_eq!(page.gate.0.load(Ordering::Relaxed), bits | 8);
            for to in [State::Open, State::Closed, State::HalfOpen] {
                page.change_state(state, to);
                assert_eq!(observer(Page::new(to, true)).state(), Some(to));
                assert_eq!(page.gate.0.load(Ordering::Relaxed), to as u8 | 8);
                page.change_state(to, state);
            }
        }
    }

    #[test]
    fn only_what_the_owner_put_there_is_its_own() {
        for gate in 0..=u8::MAX {
            let page = Page::new(State::Open, false);
            page.gate.0.store(gate, Ordering::Relaxed);
            assert_eq!(page.is_foreign(State::Open, false), gate & !HALTED != 1, "{gate:#b}");
            assert_eq!(page.is_clear(), gate == 0);
            let known = gate < 16 && gate & 3 != 3;
            assert_eq!(observer(page).state().is_some(), known, "{gate:#b}");
        }
    }

    #[test]
    fn no_snapshot_before_the_first() {
        let observer = observer(Page::new(State::Closed, false));
        assert_eq!(observer.snapshot(), None);
        observer.page.publish(2, &Snapshot::default());
        assert_eq!(observer.snapshot(), Some(Snapshot::default()));
    }
}

#[cfg(all(test, loom))]
mod loom_tests {
    use super::*;

    fn check_halt(change_state: fn(&Page, State, State)) {
        loom::model(move || {
            let page = PageHandle::new(Page::new(State::Closed, false));
            let halter = {
                let page = PageHandle::clone(&page);
                loom::thread::spawn(move || page.halt())
            };
            change_state(&page, State::Closed, State::Open);
            change_state(&page, State::Open, State::HalfOpen);
            halter.join().unwrap();
            assert_eq!(page.gate.0.load(Ordering::Relaxed), State::HalfOpen as u8 | HALTED, "the halt is lost");
        });
    }

    /// A halt from another thread survives the owner's transition, whichever comes first.
    #[test]
    fn a_halt_is_never_lost_to_a_transition() {
        check_halt(Page::change_state);
    }

    /// Shows that the model finds what it looks for.
    #[test]
    #[should_panic(expected = "the halt is lost")]
    fn a_transition_by_load_and_store_would_lose_a_halt() {
        check_halt(|page, from, to| {
            let gate = page.gate.0.load(Ordering::Acquire);
            page.gate.0.store(gate ^ from as u8 ^ to as u8, Ordering::Release);
        });
    }

    fn check_deadline(open: fn(&Page)) {
        loom::model(move || {
            let observer = Observer { page: PageHandle::new(Page::new(State::Closed, false)) };
            let owner = {
                let page = PageHandle::clone(&observer.page);
                loom::thread::spawn(move || open(&page))
            };
            if observer.state() == Some(State::Open) {
                assert_eq!(observer.retry_at_ns(), 7, "an old deadline");
            }
            owner.join().unwrap();
        });
    }

    /// Who sees the breaker open sees its deadline.
    #[test]
    fn the_deadline_is_there_before_the_gate_opens() {
        check_deadline(|page| {
            page.set_retry_at_ns(7);
            page.change_state(State::Closed, State::Open);
        });
    }

    /// Shows that the model finds what it looks for.
    #[test]
    #[should_panic(expected = "an old deadline")]
    fn a_gate_that_opens_before_its_deadline_is_there_would_show_an_old_one() {
        check_deadline(|page| {
            page.change_state(State::Closed, State::Open);
            page.set_retry_at_ns(7);
        });
    }
}
