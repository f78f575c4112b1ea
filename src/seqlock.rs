//! A few words that one writer replaces together, and any number of readers read whole or not at all.
//!
//! Boehm, "Can Seqlocks Get Along with Programming Language Memory Models?", MSPC 2012: the words are atomics, so that a
//! torn read is detected rather than undefined. The writer never waits, and never reads what is shared.

use crate::sync::{AtomicU64, Ordering, fence, load_acquire};

#[repr(C)]
pub(crate) struct SeqLock<const N: usize> {
    /// If this is even, it is the version of the words, and 0 before the first. If it is odd, the words are being written.
    version: AtomicU64,
    words: [AtomicU64; N],
}

impl<const N: usize> SeqLock<N> {
    pub(crate) fn new() -> Self {
        Self { version: AtomicU64::new(0), words: core::array::from_fn(|_| AtomicU64::new(0)) }
    }

    /// Replaces the words. `version` is even and not 0, and differs from the version before. Only the one writer may call this.
    #[inline]
    pub(crate) fn write(&self, version: u64, words: [u64; N]) {
        self.write_with::<true>(version, words);
    }

    /// `FENCED` is true except in a loom model, which shows that it must be true.
    #[inline]
    fn write_with<const FENCED: bool>(&self, version: u64, words: [u64; N]) {
        debug_assert!(version != 0 && version.is_multiple_of(2));
        self.version.store(version | 1, Ordering::Relaxed);
        // A reader that sees one of the new words also sees the odd version, or a later version.
        if FENCED {
            fence(Ordering::Release);
        }
        for (word, value) in self.words.iter().zip(words) {
            word.store(value, Ordering::Relaxed);
        }
        self.version.store(version, Ordering::Release);
    }

    /// The version, which is odd while the words are being written.
    pub(crate) fn version(&self) -> u64 {
        self.version.load(Ordering::Relaxed)
    }

    /// The words and their version. It is `None` if there are no words yet, or if the writer replaced them meanwhile.
    pub(crate) fn read(&self) -> Option<(u64, [u64; N])> {
        self.read_while(|_| {})
    }

    /// `meanwhile` runs before the word of this index is read. Only tests do something in it.
    #[inline]
    fn read_while(&self, meanwhile: impl Fn(usize)) -> Option<(u64, [u64; N])> {
        let before = load_acquire(&self.version);
        let words = core::array::from_fn(|index| {
            meanwhile(index);
            self.words.get(index).map_or(0, |word| word.load(Ordering::Relaxed))
        });
        // Pairs with the fence in `write`.
        fence(Ordering::Acquire);
        let after = self.version.load(Ordering::Relaxed);
        (before == after && before != 0 && before.is_multiple_of(2)).then_some((before, words))
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_read_before_the_first_write_nor_during_one() {
        let lock = SeqLock::<2>::new();
        assert_eq!(lock.read(), None);
        lock.write(2, [1, 2]);
        assert_eq!(lock.read(), Some((2, [1, 2])));
        lock.version.store(5, Ordering::Relaxed);
        assert_eq!(lock.read(), None);
    }

    #[test]
    fn words_that_are_written_meanwhile_are_refused() {
        for at in 0..3 {
            let lock = SeqLock::<3>::new();
            let read = lock.read_while(|index| {
                if index == at {
                    lock.write(2, [2; 3])
                }
            });
            assert_eq!(read, None, "the first, at {at}");
            let read = lock.read_while(|index| {
                if index == at {
                    lock.write(4, [4; 3])
                }
            });
            assert_eq!(read, None, "whole, at {at}");
            let read = lock.read_while(|index| {
                if index == at {
                    lock.version.store(7, Ordering::Relaxed);
                    lock.words[at].store(6, Ordering::Relaxed);
                }
            });
            assert_eq!(read, None, "half, at {at}");
            // Nor if it was half written all the while.
            assert_eq!(lock.read(), None);
            lock.write(8, [8; 3]);
            assert_eq!(lock.read(), Some((8, [8; 3])));
        }
    }
}

#[cfg(all(test, loom))]
mod loom_tests {
    use super::*;
    use crate::sync::Arc;

    fn check<const FENCED: bool>() {
        loom::model(|| {
            let lock = Arc::new(SeqLock::<2>::new());
            let writer = {
                let lock = Arc::clone(&lock);
                loom::thread::spawn(move || {
                    lock.write_with::<FENCED>(2, [1, 10]);
                    lock.write_with::<FENCED>(4, [2, 20]);
                })
            };
            match lock.read() {
                None => {}
                Some((version, words)) => assert_eq!(words, [version / 2, version / 2 * 10], "versions are mixed"),
            }
            writer.join().unwrap();
            assert_eq!(lock.read(), Some((4, [2, 20])));
        });
    }

    /// Whatever the interleaving and the order in which stores become visible, words of two versions never mix.
    #[test]
    fn a_read_is_whole_or_refused() {
        check::<true>();
    }

    /// Shows that the model finds what it looks for.
    #[test]
    #[should_panic(expected = "versions are mixed")]
    fn without_the_fence_two_versions_would_mix() {
        check::<false>();
    }
}
