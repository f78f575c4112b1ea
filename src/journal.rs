//! The journal: a ring of records. One writer overwrites them, and any number of readers follow, each with a cursor of its own.

use crate::seqlock::SeqLock;
use crate::sync::{AtomicU64, Line, Ordering, load_acquire};

/// The latest records, of `WORDS` words each.
#[repr(C)]
pub(crate) struct Journal<const WORDS: usize, R: ?Sized = [Line<SeqLock<WORDS>>]> {
    /// The sequence number of the next record.
    head: Line<AtomicU64>,
    /// Record `i` is in place `i` modulo their number.
    records: R,
}

/// How far a reader has come.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cursor {
    /// The sequence number of the record to be read next.
    next: u64,
    /// How many records were overwritten, or unreadable, before the reader came to them.
    pub(crate) missed: u64,
}

/// The seqlock's version of the record of this sequence number. It is even, never 0, and different for each record.
const fn version(sequence: u64) -> u64 {
    sequence.wrapping_add(1).wrapping_mul(2)
}

impl<const WORDS: usize, const LEN: usize> Journal<WORDS, [Line<SeqLock<WORDS>>; LEN]> {
    pub(crate) fn new() -> Self {
        Self { head: Line(AtomicU64::new(0)), records: core::array::from_fn(|_| Line(SeqLock::new())) }
    }
}

impl<const WORDS: usize> Journal<WORDS> {
    /// How many records are kept.
    pub(crate) fn len(&self) -> usize {
        self.records.len()
    }

    pub(crate) fn head(&self) -> u64 {
        load_acquire(&self.head.0)
    }

    fn record(&self, sequence: u64) -> Option<&SeqLock<WORDS>> {
        let len = (self.records.len() as u64).max(1);
        self.records.get((sequence % len) as usize).map(|record| &record.0)
    }

    /// Appends a record. `sequence` is one more than that of the last record. Only the owner may call this.
    pub(crate) fn append(&self, sequence: u64, words: [u64; WORDS]) {
        if let Some(record) = self.record(sequence) {
            record.write(version(sequence), words);
        }
        self.head.0.store(sequence.wrapping_add(1), Ordering::Release);
    }

    /// The record of this number. `None` if it isn't there.
    pub(crate) fn at(&self, sequence: u64) -> Option<[u64; WORDS]> {
        let (found, words) = self.record(sequence)?.read()?;
        (found == version(sequence)).then_some(words)
    }

    /// The cursor of a reader that begins with the oldest record that is still there.
    pub(crate) fn cursor(&self) -> Cursor {
        Cursor { next: self.head().saturating_sub(self.len() as u64), missed: 0 }
    }

    /// The next record for this reader, with its number. It is `None` if there is none so far.
    pub(crate) fn next(&self, cursor: &mut Cursor) -> Option<(u64, [u64; WORDS])> {
        self.next_with::<true>(cursor)
    }

    /// `CHECKED` is true except in a loom model, which shows that it must be true.
    fn next_with<const CHECKED: bool>(&self, cursor: &mut Cursor) -> Option<(u64, [u64; WORDS])> {
        // The loop is bounded, whatever somebody may have scribbled over the head.
        for _ in 0..=self.len() {
            let head = self.head();
            // The owner never moves the head back, but somebody else may have.
            cursor.next = cursor.next.min(head);
            if cursor.next >= head {
                return None;
            }
            let oldest = head.saturating_sub(self.len() as u64);
            if cursor.next < oldest {
                cursor.miss(oldest - cursor.next);
                cursor.next = oldest;
            }
            let sequence = cursor.next;
            cursor.next += 1;
            match self.record(sequence).and_then(SeqLock::read) {
                Some((found, words)) if found == version(sequence) || !CHECKED => return Some((sequence, words)),
                _ => cursor.miss(1), // the writer came round to this record meanwhile
            }
        }
        None
    }
}

impl Cursor {
    /// The cursor of a reader that begins with the record of this number.
    pub(crate) const fn at(next: u64) -> Self {
        Self { next, missed: 0 }
    }

    /// Counts records that can't be read.
    pub(crate) fn miss(&mut self, count: u64) {
        self.missed = self.missed.saturating_add(count);
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    type Small = Journal<2, [Line<SeqLock<2>>; 8]>;

    fn append(journal: &Journal<2>, sequences: impl IntoIterator<Item = u64>) {
        sequences.into_iter().for_each(|sequence| journal.append(sequence, [sequence, sequence * 10]));
    }

    #[test]
    fn records_come_in_order() {
        let journal: &Journal<2> = &Small::new();
        let mut cursor = journal.cursor();
        for sequence in 0..30 {
            append(journal, [sequence]);
            assert_eq!(journal.next(&mut cursor), Some((sequence, [sequence, sequence * 10])));
            assert_eq!(journal.next(&mut cursor), None);
        }
        assert_eq!(cursor.missed, 0);
    }

    #[test]
    fn a_reader_that_falls_behind_is_told_how_far() {
        let journal: &Journal<2> = &Small::new();
        let mut cursor = journal.cursor();
        append(journal, 0..8);
        assert_eq!(journal.next(&mut cursor), Some((0, [0, 0])));
        append(journal, 8..12);
        assert_eq!((journal.next(&mut cursor), cursor.missed), (Some((4, [4, 40])), 3));
        let mut late = journal.cursor();
        assert_eq!((journal.next(&mut late), late.missed), (Some((4, [4, 40])), 0));
    }

    #[test]
    fn a_head_that_jumps_about_neither_hangs_nor_loses_a_reader() {
        let journal: &Journal<2> = &Small::new();
        append(journal, [0]);
        let mut cursor = journal.cursor();
        journal.head.0.store(u64::MAX, Ordering::Relaxed);
        assert_eq!(journal.next(&mut cursor), None);
        append(journal, [1]);
        assert_eq!(journal.next(&mut cursor), None);
        append(journal, [2]);
        assert_eq!(journal.next(&mut cursor), Some((2, [2, 20])));
    }
}

#[cfg(all(test, loom))]
mod loom_tests {
    use super::*;
    use crate::sync::Arc;

    /// The ring holds two records and three are written.
    fn check<const CHECKED: bool>() {
        let mut model = loom::model::Builder::new();
        model.preemption_bound = Some(3);
        model.check(|| {
            let journal = Arc::new(Journal::<2, [Line<SeqLock<2>>; 2]>::new());
            let writer = Arc::clone(&journal);
            let journal: &Journal<2> = &*journal;
            let mut cursor = journal.cursor();
            let writer = loom::thread::spawn(move || {
                let journal: &Journal<2> = &*writer;
                (0..3).for_each(|sequence| journal.append(sequence, [sequence; 2]));
            });
            let mut read = 0;
            let mut take_all = |cursor: &mut Cursor| {
                while let Some((sequence, words)) = journal.next_with::<CHECKED>(cursor) {
                    assert_eq!(words, [sequence; 2], "another record");
                    assert_eq!(sequence, read + cursor.missed);
                    read += 1;
                }
            };
            take_all(&mut cursor);
            writer.join().unwrap();
            take_all(&mut cursor);
            assert_eq!(read + cursor.missed, 3);
        });
    }

    #[test]
    fn each_record_is_read_whole_in_order_or_counted_as_missed() {
        check::<true>();
    }

    /// Shows that the model finds what it looks for.
    #[test]
    #[should_panic(expected = "another record")]
    fn a_reader_that_does_not_look_at_the_version_would_read_another_record() {
        check::<false>();
    }
}
