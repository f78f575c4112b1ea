//! The file: what stands where, and which values in it a newcomer believes.
//!
//! ```text
//!  offset   bytes
//!       0     128  header   magic, layout version, size of the page, number of slots: only that changes, and only grows
//!     128     128  owner    pid, seal, attempt, heartbeat, whether the memory is locked
//!     256   35072  page     as in memory (see `page`)
//!   35328     128  mirror   how many samples entered the window, and how many are in it
//!   35456   8 << n slots    2^n latencies, n in range 10 ..= 21: the window twice
//! ```
//!
//! Every word is an atomic of this machine's byte order. A newcomer believes the length of the file rather than any word in it.
//! The file may be longer than this.

use super::error::SharedError;
use crate::config::State;
use crate::gate::Reading;
use crate::mirror::Mirror;
use crate::notes::check;
use crate::page::{LAYOUT_VERSION, Page};
use crate::sync::{AtomicU64, Ordering, load_acquire};
use core::mem::offset_of;
use std::path::Path;

const MAGIC: u64 = u64::from_le_bytes(*b"trip99fl");
const VERSION: u64 = 2;

/// A window of 2^20 samples has 2^21 slots.
const MAX_SLOTS_LOG2: u32 = 21;
const MIN_SLOTS_LOG2: u32 = 10;

/// No pause grows for more than 64 attempts, as each attempt at least doubles it.
const MAX_ATTEMPT: u64 = 64;
/// This is far more events than any breaker has, and far below the number where counting them would overflow.
const MAX_EVENTS: u64 = 1 << 48;

#[repr(C, align(128))]
pub(crate) struct Header {
    magic: AtomicU64,
    version: AtomicU64,
    page_len: AtomicU64,
    /// The logarithm of the number of slots, in each of the 8 bytes.
    slots_log2: AtomicU64,
}

pub(crate) const HEADER_WORDS: usize = 4;

/// What the owner tells of itself.
#[repr(C, align(128))]
pub(crate) struct OwnerLine {
    pub(crate) pid: AtomicU64,
    /// The seal is 0 while there is an owner, and after an owner that was killed. A clean end leaves a check of other words here.
    pub(crate) seal: AtomicU64,
    /// The attempt of the latest opening, and 1 more. It is 0 before the first opening. The owner writes it before the gate opens,
    /// so that an owner that takes over doesn't pause for less.
    pub(crate) attempt: AtomicU64,
    /// CLOCK_MONOTONIC, in nanoseconds, when the owner last published its snapshot.
    pub(crate) heartbeat_ns: AtomicU64,
    /// 1 if the file is locked in memory.
    pub(crate) memory_locked: AtomicU64,
}

#[repr(C, align(128))]
pub(crate) struct File<S: ?Sized = [AtomicU64]> {
    pub(crate) header: Header,
    pub(crate) owner: OwnerLine,
    pub(crate) page: Page,
    pub(crate) mirror: Mirror<S>,
}

const _: () = {
    assert!(offset_of!(File<[AtomicU64; 0]>, header) == 0);
    assert!(offset_of!(File<[AtomicU64; 0]>, owner) == 128);
    assert!(offset_of!(File<[AtomicU64; 0]>, page) == 256);
    assert!(offset_of!(File<[AtomicU64; 0]>, mirror) == 256 + size_of::<Page>());
    assert!(size_of::<File<[AtomicU64; 0]>>() == 256 + size_of::<Page>() + 128);
    assert!(size_of::<File<[AtomicU64; 1024]>>() == size_of::<File<[AtomicU64; 0]>>() + 8 * 1024);
    assert!(offset_of!(Header, magic) == 0 && offset_of!(Header, version) == 8);
    assert!(offset_of!(Header, page_len) == 16 && offset_of!(Header, slots_log2) == 24);
    assert!(offset_of!(OwnerLine, pid) == 0 && offset_of!(OwnerLine, seal) == 8);
    assert!(offset_of!(OwnerLine, attempt) == 16 && offset_of!(OwnerLine, heartbeat_ns) == 24);
    assert!(offset_of!(OwnerLine, memory_locked) == 32);
};

/// The length of a file with so many slots, in bytes.
pub(crate) const fn file_len(slots_log2: u32) -> usize {
    size_of::<File<[AtomicU64; 0]>>() + (size_of::<AtomicU64>() << slots_log2)
}

impl Header {
    pub(crate) fn write(&self, slots_log2: u32) {
        self.version.store(VERSION, Ordering::Relaxed);
        self.page_len.store(size_of::<Page>() as u64, Ordering::Relaxed);
        self.set_slots_log2(slots_log2);
        self.magic.store(MAGIC, Ordering::Release);
    }

    pub(crate) fn set_slots_log2(&self, slots_log2: u32) {
        self.slots_log2.store(repeated(slots_log2), Ordering::Release);
    }

    /// False if the file has grown since it had so many slots.
    pub(crate) fn has_slots_log2(&self, slots_log2: u32) -> bool {
        load_acquire(&self.slots_log2) == repeated(slots_log2)
    }

    /// The logarithm of the number of slots. Each other word of a header has one legal value.
    pub(crate) fn parse(path: &Path, words: [u64; HEADER_WORDS]) -> Result<u32, SharedError> {
        let [magic, version, page_len, slots] = words;
        let slots_log2 = (slots & 0xff) as u32;
        let damaged = |what| Err(SharedError::Damaged { path: path.to_owned(), what });
        if magic != MAGIC {
            damaged("the magic number")
        } else if version != VERSION {
            Err(SharedError::Version { path: path.to_owned(), found: version, known: VERSION })
        } else if page_len != size_of::<Page>() as u64 {
            damaged("the size of the page")
        } else if !(MIN_SLOTS_LOG2..=MAX_SLOTS_LOG2).contains(&slots_log2) || slots != repeated(slots_log2) {
            damaged("the number of slots")
        } else {
            Ok(slots_log2)
        }
    }
}

/// The logarithm in each byte, so that damage shows.
const fn repeated(slots_log2: u32) -> u64 {
    slots_log2 as u64 * 0x0101_0101_0101_0101
}

/// What an earlier owner left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Legacy {
    pub(crate) state: State,
    pub(crate) halted: bool,
    /// The earlier owner ended cleanly.
    pub(crate) sealed: bool,
    pub(crate) attempt: Option<u32>,
    /// The sequence number of the next event.
    pub(crate) events: u64,
    /// The latest version of the snapshot. It is odd if the owner was killed while writing the snapshot.
    pub(crate) published: u64,
}

impl File {
    /// Checks that there is a page, of the version that this library reads.
    pub(crate) fn check_page(&self, path: &Path) -> Result<(), SharedError> {
        let path = || path.to_owned();
        match self.page.layout_version() {
            None => Err(SharedError::Damaged { path: path(), what: "the page's magic number" }),
            Some(LAYOUT_VERSION) => Ok(()),
            Some(found) => Err(SharedError::Version { path: path(), found, known: LAYOUT_VERSION }),
        }
    }

    /// What an earlier owner of a checked page left, if an owner leaves such values.
    pub(crate) fn legacy(&self, path: &Path) -> Result<Legacy, SharedError> {
        let damaged = |what| SharedError::Damaged { path: path.to_owned(), what };
        let Reading { state, halted, .. } = self.page.gate.0.read().ok_or_else(|| damaged("the gate"))?;
        let attempt = self.owner.attempt.load(Ordering::Relaxed);
        if attempt > MAX_ATTEMPT + 1 {
            return Err(damaged("the attempt"));
        }
        let events = self.page.journal.head();
        if events > MAX_EVENTS {
            return Err(damaged("the number of events"));
        }
        // An owner that ends cleanly leaves the gate open, and seals the state that the breaker was in.
        let found = self.owner.seal.load(Ordering::Relaxed);
        let sealed = [State::Closed, State::HalfOpen, State::Open]
            .into_iter()
            .find(|&sealed| state == State::Open && found == seal(sealed, attempt, events));
        Ok(Legacy {
            state: sealed.unwrap_or(state),
            halted,
            sealed: sealed.is_some(),
            attempt: attempt.checked_sub(1).map(|attempt| attempt as u32),
            events,
            published: self.page.status.0.version(),
        })
    }
}

/// Binds the words that must be as a clean end left them, if the breaker is to come back closed. `attempt` is the owner's word.
/// The seal is never 0.
pub(crate) fn seal(state: State, attempt: u64, events: u64) -> u64 {
    check([state as u64, attempt, events]) | 1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words() -> [u64; HEADER_WORDS] {
        [MAGIC, VERSION, size_of::<Page>() as u64, repeated(12)]
    }

    #[test]
    fn headers_are_believed_only_if_every_bit_is_right() {
        let parse = |words| Header::parse(Path::new("page"), words);
        assert_eq!(parse(words()).ok(), Some(12));
        for bit in 0..HEADER_WORDS * 64 {
            let mut words = words();
            words[bit / 64] ^= 1 << (bit % 64);
            assert!(parse(words).is_err(), "bit {bit}");
        }
        for slots_log2 in 0..=255 {
            let [magic, version, page_len, _] = words();
            let legal = parse([magic, version, page_len, repeated(slots_log2)]).is_ok();
            assert_eq!(legal, (10..=21).contains(&slots_log2));
        }
    }

    #[test]
    fn seals_differ() {
        let mut seals: Vec<u64> = [State::Closed, State::Open, State::HalfOpen]
            .into_iter()
            .flat_map(|state| (0..70).map(move |attempt| (state, attempt)))
            .flat_map(|(state, attempt)| (0..50).map(move |events| seal(state, attempt, events)))
            .collect();
        seals.sort_unstable();
        seals.dedup();
        assert!(seals.len() == 3 * 70 * 50 && seals[0] != 0);
    }
}
