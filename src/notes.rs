//! Notes that any thread of any process may leave. A writer may be killed at any moment, and no writer ever waits for another. So
//! each writer writes to a slot of its own.

use crate::seqlock::SeqLock;
use crate::sync::{AtomicU64, Line, Ordering, load_acquire};
use crossbeam_utils::Backoff;

/// The latest few notes, of `N` words each. The last word is a check of the others.
///
/// Each writer draws a number, and writes to the slot of this number (a seqlock). Two writers may be at one slot only if one was
/// held up while as many others as there are slots came and went. The check tells then that their words are mixed.
#[repr(C)]
pub(crate) struct Notes<const N: usize, const SLOTS: usize> {
    /// The number of the next note.
    next: Line<AtomicU64>,
    slots: Line<[SeqLock<N>; SLOTS]>,
}

/// A hash of words that must belong together. It finds accidents, but no attacks.
pub(crate) fn check(words: impl IntoIterator<Item = u64>) -> u64 {
    words.into_iter().fold(0x9e37_79b9_7f4a_7c15, |hash, word| {
        let hash = (hash ^ word).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        hash ^ hash >> 29
    })
}

/// The seqlock's version of the note of this number. It is even, not 0, and different for each of any few notes in a row.
const fn version(number: u64) -> u64 {
    ((number & u64::MAX >> 2) + 1) * 2
}

impl<const N: usize, const SLOTS: usize> Notes<N, SLOTS> {
    pub(crate) fn new() -> Self {
        Self { next: Line(AtomicU64::new(0)), slots: Line(core::array::from_fn(|_| SeqLock::new())) }
    }

    /// A read is tried this often while the latest note is being written.
    const TRIES: u32 = if cfg!(loom) { 1 } else { 100 };

    /// Writes a note, and puts the check in as its last word. Any thread of any process may call this.
    pub(crate) fn write(&self, mut words: [u64; N]) {
        let number = self.next.0.fetch_add(1, Ordering::AcqRel);
        if let Some((last, others)) = words.split_last_mut() {
            *last = check(others.iter().copied().chain([number]));
        }
        if let Some(slot) = self.slots.0.get((number % SLOTS as u64) as usize) {
            slot.write(version(number), words);
        }
    }

    /// The words of the latest note. It is `None` if there is no note, or if the writer stopped halfway.
    pub(crate) fn read(&self) -> Option<[u64; N]> {
        let backoff = Backoff::new();
        (0..Self::TRIES).find_map(|_| {
            let words = self.try_read::<true>();
            if words.is_none() {
                backoff.snooze();
            }
            words
        })
    }

    fn try_read<const CHECKED: bool>(&self) -> Option<[u64; N]> {
        let number = load_acquire(&self.next.0).checked_sub(1)?;
        let (found, words) = self.slots.0.get((number % SLOTS as u64) as usize)?.read()?;
        let (&last, others) = words.split_last()?;
        let whole = !CHECKED || last == check(others.iter().copied().chain([number]));
        (found == version(number) && whole).then_some(words)
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn the_latest_is_read() {
        let notes = Notes::<3, 2>::new();
        assert_eq!(notes.read(), None);
        for number in 0..5 {
            notes.write([number, 7, 0]);
            assert_eq!(notes.read().map(|words| [words[0], words[1]]), Some([number, 7]));
        }
    }

    #[test]
    fn any_number_is_taken_without_harm() {
        let notes = Notes::<3, 2>::new();
        for number in [u64::MAX, u64::MAX / 2, u64::MAX / 4, u64::MAX / 4 - 1] {
            notes.next.0.store(number, Ordering::Relaxed);
            assert_eq!(notes.read(), None);
            notes.write([1, 2, 0]);
            assert_eq!(notes.read().is_some(), number != u64::MAX, "{number}");
        }
    }

    #[test]
    fn a_note_that_was_tampered_with_is_none() {
        let notes = Notes::<3, 1>::new();
        notes.write([1, 2, 0]);
        let (version, mut words) = notes.slots.0[0].read().unwrap();
        words[0] ^= 1;
        notes.slots.0[0].write(version, words);
        assert_eq!(notes.read(), None);
    }
}

#[cfg(all(test, loom))]
mod loom_tests {
    use super::*;
    use crate::sync::Arc;

    /// One slot, so that the second writer meets the first at it.
    fn check_model<const CHECKED: bool>() {
        let mut model = loom::model::Builder::new();
        model.preemption_bound = Some(3);
        model.check(|| {
            let notes = Arc::new(Notes::<3, 1>::new());
            let writers = [1, 2].map(|writer| {
                let notes = Arc::clone(&notes);
                loom::thread::spawn(move || notes.write([writer, writer * 10, 0]))
            });
            if let Some([writer, tenfold, _]) = notes.try_read::<CHECKED>() {
                assert_eq!(tenfold, writer * 10, "two notes mixed");
            }
            for writer in writers {
                writer.join().unwrap();
            }
        });
    }

    #[test]
    fn a_note_is_read_whole_or_not_at_all() {
        check_model::<true>();
    }

    /// Shows that the model finds what it looks for.
    #[test]
    #[should_panic(expected = "two notes mixed")]
    fn without_the_check_two_would_mix() {
        check_model::<false>();
    }
}
