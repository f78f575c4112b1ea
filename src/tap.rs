//! The tap: a ring of the latest calls, each with its start, its latency and how it went. The owner writes it, and never reads it.
//!
//! ```text
//!  offset   bytes
//!       0     128  head     how many rows there ever were
//!     128  16 << n entries  2^n rows, n in range 6 ..= 20, of two words each:
//!
//!          63                                      0
//!          ┌───────────────────────────────────────┐
//!          │ start, ns                             │
//!          ├──────────────────────────────┬──┬─────┤
//!          │ latency, ns                  │ok│kind │   kind is 0 where nothing was written; a latency of all ones: none
//!          └──────────────────────────────┴──┴─────┘
//!           60 bits                        1   3
//! ```

use crate::handle::Handle;
use crate::sync::{AtomicU64, Line, Ordering, fence, load_acquire};
use crate::words::{Word, named};

named! {
    /// What a row of the tap tells of.
    #[non_exhaustive]
    pub enum TapKind {
        /// A call that was asked for. While closed, or in shadow, each call counts as asked for: the owner can't tell.
        Ask = 1, "ask";
        /// A call that nobody granted: one that doesn't ask (a cancel) and began while asks were refused.
        Free = 2, "free";
        /// A call that was abandoned, or a trial that was granted and released. The latency is the time until then.
        Withdrawn = 3, "withdrawn";
        /// An ask that the owner refused.
        Refused = 4, "refused";
        /// A call came back after a new epoch had forgotten it. An earlier row tells of it, without a latency.
        Late = 5, "late";
        /// A new owner took the page over. The stamps after this are of its clock, whose time now is the start.
        Restart = 6, "restart";
    }
}

/// A row of the tap: a call, when it is known how it went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TapRow {
    /// What this tells of.
    pub kind: TapKind,
    /// When the call began, on the owner's clock.
    pub start_ns: u64,
    /// How long the call took. `None`: it never came back, as far as the owner knows. (Latencies from 2^60 - 2 ns on, which is 36 years, are
    /// shown as that.)
    pub latency_ns: Option<u64>,
    /// The call succeeded. True where that means nothing.
    pub ok: bool,
}

const KIND_BITS: u32 = 3;
const NOTE_BITS: u32 = KIND_BITS + 1;
const OK: u64 = 1 << KIND_BITS;
const NO_LATENCY: u64 = u64::MAX >> NOTE_BITS;

impl TapRow {
    #[inline]
    fn words(&self) -> [u64; 2] {
        let latency = self.latency_ns.map_or(NO_LATENCY, |latency_ns| latency_ns.min(NO_LATENCY - 1));
        [self.start_ns, latency << NOTE_BITS | if self.ok { OK } else { 0 } | self.kind as u64]
    }

    /// `None` if no version of this library writes such words.
    fn from_words([start_ns, note]: [u64; 2]) -> Option<Self> {
        let kind = TapKind::from_word(note & (OK - 1))?;
        let latency = note >> NOTE_BITS;
        Some(Self { kind, start_ns, latency_ns: (latency != NO_LATENCY).then_some(latency), ok: note & OK != 0 })
    }
}

/// A row as it lies in the ring.
#[repr(C)]
pub(crate) struct Entry([AtomicU64; 2]);

impl Entry {
    fn new() -> Self {
        Self([AtomicU64::new(0), AtomicU64::new(0)])
    }

    pub(crate) fn clear(&self) {
        self.0.iter().for_each(|word| word.store(0, Ordering::Relaxed));
    }
}

#[cfg(not(loom))]
const _: () = assert!(size_of::<Entry>() == 16);

/// A shorter ring would be gone before anybody looks.
const MIN_LEN: u32 = if cfg!(loom) { 2 } else { 64 };

/// The logarithm of the number of entries for a tap of so many rows, which is not 0.
pub(crate) const fn len_log2(tap_len: u32) -> u32 {
    let len = if tap_len < MIN_LEN { MIN_LEN } else { tap_len };
    len.next_power_of_two().ilog2()
}

/// The ring, wherever it lies: a counted reference.
#[derive(Clone)]
pub(crate) struct Ring {
    head: Handle<Line<AtomicU64>>,
    /// There is a power of two of them.
    entries: Handle<[Entry]>,
    /// In a file: the words of its header that tell where the ring lies, and what they were.
    place: Option<[(Handle<AtomicU64>, u64); 2]>,
}

impl Ring {
    /// A ring in heap memory.
    pub(crate) fn new(tap_len: u32) -> Self {
        struct InMemory {
            head: Line<AtomicU64>,
            entries: Box<[Entry]>,
        }
        let entries = (0..1_u32 << len_log2(tap_len)).map(|_| Entry::new()).collect();
        let ring = Handle::new(InMemory { head: Line(AtomicU64::new(0)), entries });
        Self { head: ring.part(|ring| &ring.head), entries: ring.part(|ring| &ring.entries[..]), place: None }
    }

    /// A ring in a file.
    #[cfg(feature = "shm")]
    pub(crate) fn within(
        head: Handle<Line<AtomicU64>>,
        entries: Handle<[Entry]>,
        place: [(Handle<AtomicU64>, u64); 2],
    ) -> Self {
        Self { head, entries, place: Some(place) }
    }

    /// Whether an owner has made the file larger, so that something else lies here by now.
    fn has_moved(&self) -> bool {
        self.place.iter().flatten().any(|(word, was)| word.load(Ordering::Relaxed) != *was)
    }

    fn head(&self) -> u64 {
        load_acquire(&self.head.0)
    }

    #[inline]
    fn entry(&self, row: u64) -> Option<&Entry> {
        self.entries.get(row as usize & self.entries.len().wrapping_sub(1))
    }

    /// Forgets all rows. Only the owner may call this.
    #[cfg(feature = "shm")]
    pub(crate) fn clear(&self) {
        self.entries.iter().for_each(Entry::clear);
        self.head.0.store(0, Ordering::Release);
    }

    /// `FENCED` is true except in a loom model, which shows that it must be true.
    #[inline]
    fn write<const FENCED: bool>(&self, row: u64, words: [u64; 2]) {
        if FENCED {
            // A reader that sees one of these words also sees that the rows before this one are there, so that it knows which place is written.
            fence(Ordering::Release);
        }
        if let Some(Entry(places)) = self.entry(row) {
            places.iter().zip(words).for_each(|(place, word)| place.store(word, Ordering::Relaxed));
        }
        self.head.0.store(row.wrapping_add(1), Ordering::Release);
    }
}

/// The owner's end of the ring.
pub(crate) struct TapWriter {
    ring: Ring,
    /// The number of the next row.
    next: u64,
}

impl TapWriter {
    /// It goes on with the numbers of an earlier owner.
    pub(crate) fn new(ring: Ring) -> Self {
        Self { next: ring.head(), ring }
    }

    #[inline]
    pub(crate) fn write(&mut self, row: TapRow) {
        self.ring.write::<true>(self.next, row.words());
        self.next = self.next.wrapping_add(1);
    }
}

/// A reader of a breaker's tap: an iterator over [rows](TapRow), which ends where the tap ends for now, and goes on when there is more.
///
/// Rows come in the order in which the owner learned how calls went. The ring keeps the latest rows, [`tap_len`](field@crate::Config::tap_len) of
/// them or more. A reader that falls further behind is told how many it missed. Calls in flight have no row so far; those that an epoch
/// forgets, or that are in flight when the breaker ends, get a row without a latency. Asks that gates, lanes and the inline gate refuse
/// have none: they are counted alone ([`Snapshot::refused`](crate::Snapshot::refused)).
///
/// Any thread may use it, one at a time. It may outlive the breaker.
///
/// ```
/// use trip99::{Breaker, Config, TapKind};
///
/// let mut breaker = Breaker::new(Config { tap_len: 1024, ..Config::default() })?;
/// let mut tap = breaker.tap().expect("tap_len is above 0");
/// assert_eq!(tap.next(), None);
///
/// let call = breaker.begin_at(1_000_000_000);
/// breaker.end_at(1_003_000_000, call);
/// let row = tap.next().expect("the call came back");
/// assert_eq!((row.kind, row.start_ns, row.latency_ns), (TapKind::Ask, 1_000_000_000, Some(3_000_000)));
/// assert_eq!((tap.next(), tap.missed()), (None, 0));
///
/// // Another reader goes on where this one is.
/// breaker.record_at(2_000_000_000, 1_000_000);
/// let mut other = breaker.tap().expect("tap_len is above 0");
/// other.go_on_at(tap.position());
/// assert_eq!((other.next(), other.next()), (tap.next(), None));
/// # Ok::<(), trip99::ConfigError>(())
/// ```
#[derive(Clone)]
pub struct Tap {
    ring: Ring,
    next: u64,
    missed: u64,
}

impl Tap {
    /// It begins with the oldest row that is there.
    pub(crate) fn new(ring: Ring) -> Self {
        let next = ring.head().saturating_sub(ring.entries.len() as u64 - 1);
        Self { ring, next, missed: 0 }
    }

    /// How many rows were overwritten before this reader came to them.
    pub fn missed(&self) -> u64 {
        self.missed
    }

    /// True if the page is in a file that a later owner has made larger. Then the tap lies elsewhere in it, and this reader has come to its
    /// end: open the page again.
    pub fn has_moved(&self) -> bool {
        self.ring.has_moved()
    }

    /// The number of the next row. Rows are counted from 0 on.
    pub fn position(&self) -> u64 {
        self.next
    }

    /// Goes on at the row of this number, as another reader of this tap told by [`position`](Self::position). Rows that are not there any more
    /// are missed.
    pub fn go_on_at(&mut self, position: u64) {
        self.next = position;
    }

    /// Passes over the rows that are there: the next one will be new.
    pub fn skip_to_end(&mut self) {
        self.next = self.ring.head();
    }

    fn next_with<const CHECKED: bool>(&mut self) -> Option<[u64; 2]> {
        let len = self.ring.entries.len() as u64;
        // The loop is bounded, whatever somebody may have scribbled over the head.
        for _ in 0..=len {
            let head = self.ring.head();
            if self.ring.has_moved() {
                return None;
            }
            // The owner never moves the head back, but somebody else may have.
            self.next = self.next.min(head);
            if self.next >= head {
                return None;
            }
            // The place of the row that is one ring before the next one may be written right now.
            let oldest = head.saturating_sub(len - 1);
            if self.next < oldest {
                self.missed = self.missed.saturating_add(oldest - self.next);
                self.next = oldest;
            }
            let row = self.next;
            let words = self.ring.entry(row)?.0.each_ref().map(|word| word.load(Ordering::Relaxed));
            fence(Ordering::Acquire); // pairs with the fence in `write`
            if self.ring.has_moved() {
                return None;
            }
            let is_whole = self.ring.head.0.load(Ordering::Relaxed).wrapping_sub(row) < len;
            self.next += 1;
            if is_whole || !CHECKED {
                return Some(words);
            }
            self.missed = self.missed.saturating_add(1);
        }
        None
    }
}

impl Iterator for Tap {
    type Item = TapRow;

    fn next(&mut self) -> Option<TapRow> {
        for _ in 0..=self.ring.entries.len() {
            match TapRow::from_words(self.next_with::<true>()?) {
                Some(row) => return Some(row),
                None => self.missed = self.missed.saturating_add(1),
            }
        }
        None
    }
}

impl core::fmt::Debug for Tap {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Tap").field("next", &self.next).field("missed", &self.missed).finish()
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    fn row(number: u64) -> TapRow {
        TapRow { kind: TapKind::Ask, start_ns: number, latency_ns: Some(number * 10), ok: true }
    }

    #[test]
    fn rows_survive_their_words_and_no_other_words_are_believed() {
        for kind in 0..8 {
            let Some(kind) = TapKind::from_word(kind) else {
                assert!(kind == 0 || kind == 7);
                assert_eq!(TapRow::from_words([1, kind]), None);
                continue;
            };
            for latency_ns in [None, Some(0), Some(1), Some(NO_LATENCY - 1)] {
                for (start_ns, ok) in [(0, true), (u64::MAX, false)] {
                    let row = TapRow { kind, start_ns, latency_ns, ok };
                    assert_eq!(TapRow::from_words(row.words()), Some(row));
                }
            }
        }
        let longest = TapRow { latency_ns: Some(u64::MAX), ..row(0) };
        assert_eq!(TapRow::from_words(longest.words()), Some(TapRow { latency_ns: Some(NO_LATENCY - 1), ..longest }));
    }

    #[test]
    fn lengths_are_powers_of_two_and_not_less_than_asked_for() {
        for (tap_len, entries) in [(1, 64), (64, 64), (65, 128), (1024, 1024), (1025, 2048), (1 << 20, 1 << 20)] {
            assert_eq!(1 << len_log2(tap_len), entries, "{tap_len}");
        }
    }

    #[test]
    fn a_reader_gets_each_row_once_and_is_told_what_it_missed() {
        let mut writer = TapWriter::new(Ring::new(64));
        let mut tap = Tap::new(writer.ring.clone());
        let mut written = 0;
        let mut write = |count: u64| {
            (written..written + count).for_each(|number| writer.write(row(number)));
            written += count;
        };
        assert_eq!(tap.next(), None);
        write(63);
        assert_eq!(tap.by_ref().collect::<Vec<_>>(), (0..63).map(row).collect::<Vec<_>>());
        write(63);
        assert_eq!((tap.by_ref().count(), tap.missed()), (63, 0));
        // The place of one row may be under way.
        write(64);
        assert_eq!((tap.next(), tap.missed()), (Some(row(127)), 1));
        assert_eq!((tap.by_ref().count(), tap.next(), tap.missed()), (62, None, 1));
        write(1000);
        let mut late = tap.clone();
        tap.skip_to_end();
        assert_eq!((tap.next(), tap.missed()), (None, 1));
        assert_eq!((late.next(), late.missed()), (Some(row(190 + 1000 - 63)), 1 + 1000 - 63));
    }

    #[test]
    fn what_nobody_wrote_is_missed_and_a_head_that_jumps_neither_hangs_nor_loses_a_reader() {
        let mut writer = TapWriter::new(Ring::new(64));
        let mut tap = Tap::new(writer.ring.clone());
        writer.ring.head.0.store(10, Ordering::Relaxed);
        assert_eq!((tap.next(), tap.missed()), (None, 10));
        writer.ring.head.0.store(u64::MAX, Ordering::Relaxed);
        assert_eq!(tap.next(), None);
        writer.write(row(0));
        assert_eq!(tap.next(), None, "the reader is back at the head");
        writer.write(row(1));
        assert_eq!(tap.next(), Some(row(1)));
    }
}

#[cfg(all(test, loom))]
mod loom_tests {
    use super::*;

    /// The ring has two entries, and three rows are written.
    fn check<const FENCED: bool, const CHECKED: bool>() {
        let mut model = loom::model::Builder::new();
        model.preemption_bound = Some(3);
        model.check(|| {
            let ring = Ring::new(1);
            let mut tap = Tap::new(ring.clone());
            let writer = loom::thread::spawn(move || (0..3).for_each(|row| ring.write::<FENCED>(row, [row, row])));
            let mut read = 0;
            let mut take_all = |tap: &mut Tap| {
                while let Some(words) = tap.next_with::<CHECKED>() {
                    assert_eq!(words, [read + tap.missed; 2], "another row");
                    read += 1;
                }
            };
            take_all(&mut tap);
            writer.join().unwrap();
            take_all(&mut tap);
            assert_eq!(read + tap.missed, 3);
        });
    }

    #[test]
    fn each_row_is_read_whole_in_order_or_counted_as_missed() {
        check::<true, true>();
    }

    /// Shows that the model finds what it looks for.
    #[test]
    #[should_panic(expected = "another row")]
    fn a_reader_that_does_not_look_at_the_head_again_would_read_another_row() {
        check::<true, false>();
    }

    /// Shows that the model finds what it looks for.
    #[test]
    #[should_panic(expected = "another row")]
    fn without_the_fence_it_would_read_another_row() {
        check::<false, true>();
    }
}
