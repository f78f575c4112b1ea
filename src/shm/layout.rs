//! The file: what stands where, and which values in it a newcomer believes.
//!
//! ```text
//!  offset   bytes
//!       0     128  header   magic, layout version, number of slots, the library's version: only the number changes, and only grows
//!     128     128  owner    pid, seal, attempt, heartbeat, whether the memory is locked, pid namespace; what its end leaves (see `OwnerLine`)
//!     256    1024  folder   where halts outlive memory: the length of its path, and the path
//!    4096    4096  gate     one byte. It lies here in every layout from version 2 on, so that any version can halt
//!    8192    2048  board    as in memory (see `page`)
//!   10240    7872  notes    the latest entry of each of 24 holders
//!   18112   20992  log      the latest 64 halts and resumes
//!   39168  131200  journal  the latest 1024 events
//!  170368     128  mirror   how many samples entered the window, and how many are in it
//!  170496  8 << n slots     2^n latencies, n in range 10 ..= 21: the window twice
//! ```
//!
//! Every word is an atomic of this machine's byte order. A newcomer believes the length of the file rather than any word in it.
//! The file may be longer than this.

use super::error::SharedError;
use crate::config::State;
use crate::gate::{GateByte, Reading};
use crate::halts::{Held, SLOTS};
use crate::holder::to_words;
use crate::log::{Place, check};
use crate::mirror::Mirror;
use crate::page::{Board, EventJournal, EventRecord, LAYOUT_VERSION};
use crate::sync::{AtomicU64, Ordering, load_acquire};
use core::mem::offset_of;
use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

const MAGIC: u64 = u64::from_le_bytes(*b"trip99fl");
const VERSION: u64 = LAYOUT_VERSION;

/// How many entries and events a file keeps.
const ENTRIES: usize = 64;
const EVENTS: usize = 1024;

/// A window of 2^20 samples has 2^21 slots.
const MAX_SLOTS_LOG2: u32 = 21;
pub(crate) const MIN_SLOTS_LOG2: u32 = 10;

/// No pause grows for more than 64 attempts, as each attempt at least doubles it.
const MAX_ATTEMPT: u64 = 64;
/// This is far more events than any breaker has, and far below the number where counting them would overflow.
const MAX_EVENTS: u64 = 1 << 48;

#[repr(C, align(128))]
pub(crate) struct Header {
    magic: AtomicU64,
    version: AtomicU64,
    /// The logarithm of the number of slots, in each of the 8 bytes.
    slots_log2: AtomicU64,
    /// The version of the library that made the file: major, minor and patch, 16 bits each.
    pub(crate) made_by: AtomicU64,
}

pub(crate) const HEADER_WORDS: usize = 3;

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
    /// The inode of the pid namespace that `pid` is of. It is 0 if that can't be told, and while `pid` changes.
    pub(crate) pid_namespace: AtomicU64,
    /// The number of the latest entry of the operators' log that an owner has journaled.
    pub(crate) journaled: AtomicU64,
    /// When the latest pause ends, by CLOCK_BOOTTIME in nanoseconds; and the boot that this is of.
    pub(crate) pause_ends_ns: AtomicU64,
    pub(crate) boot_id: [AtomicU64; 2],
    /// How the owner found the page: a `Started`.
    pub(crate) started: AtomicU64,
    /// How many openings the latch has counted.
    pub(crate) openings: AtomicU64,
}

pub(crate) const OWNER_WORDS: usize = 6;

impl OwnerLine {
    pub(crate) const OFFSET: u64 = (offset_of!(Empty, front) + offset_of!(Front, owner)) as u64;

    /// `pid` and `pid_namespace`.
    pub(crate) const fn process_of(words: [u64; OWNER_WORDS]) -> [u64; 2] {
        let [pid, .., pid_namespace] = words;
        [pid, pid_namespace]
    }

    pub(crate) fn set_process(&self, pid: u32, pid_namespace: u64) {
        self.pid_namespace.store(0, Ordering::Relaxed);
        self.pid.store(pid.into(), Ordering::Release);
        self.pid_namespace.store(pid_namespace, Ordering::Release);
    }
}

/// The gate, alone in a page of memory, so that an end can put another one in its place.
#[repr(C, align(4096))]
pub(crate) struct GatePage(pub(crate) GateByte);

#[repr(C, align(4096))]
pub(crate) struct Front {
    pub(crate) header: Header,
    pub(crate) owner: OwnerLine,
    /// The folder where halts outlive memory: the length of its path, which is 0 if there is none, and the path.
    state_dir_len: AtomicU64,
    state_dir: [AtomicU64; STATE_DIR_WORDS],
}

const STATE_DIR_WORDS: usize = 127;

impl Front {
    /// A path that is too long counts as none.
    pub(crate) fn set_state_dir(&self, folder: Option<&Path>) {
        let path = folder.map_or(&[][..], |folder| folder.as_os_str().as_bytes());
        let path = if path.len() <= STATE_DIR_WORDS * 8 { path } else { &[] };
        self.state_dir_len.store(0, Ordering::Release);
        let words = to_words::<STATE_DIR_WORDS>(path);
        self.state_dir.iter().zip(words).for_each(|(place, word)| place.store(word, Ordering::Release));
        self.state_dir_len.store(path.len() as u64, Ordering::Release);
    }

    /// `None` if there is none.
    pub(crate) fn state_dir(&self) -> Option<PathBuf> {
        let len = load_acquire(&self.state_dir_len) as usize;
        let bytes = self.state_dir.iter().flat_map(|word| word.load(Ordering::Acquire).to_le_bytes());
        let path: Vec<u8> = bytes.take(len).collect();
        let folder = PathBuf::from(OsString::from_vec(path));
        (len <= STATE_DIR_WORDS * 8 && folder.is_absolute()).then_some(folder)
    }
}

#[repr(C)]
pub(crate) struct File<S: ?Sized = [AtomicU64]> {
    pub(crate) front: Front,
    pub(crate) gate: GatePage,
    pub(crate) board: Board,
    pub(crate) notes: [Place; SLOTS],
    pub(crate) log: [Place; ENTRIES],
    pub(crate) journal: EventJournal<[EventRecord; EVENTS]>,
    pub(crate) mirror: Mirror<S>,
}

type Empty = File<[AtomicU64; 0]>;

const _: () = {
    assert!(offset_of!(Empty, front) == 0 && offset_of!(Front, header) == 0 && offset_of!(Front, owner) == 128);
    assert!(offset_of!(Front, state_dir_len) == 256 && offset_of!(Front, state_dir) == 264);
    assert!(offset_of!(Empty, gate) == 4096 && size_of::<GatePage>() == 4096);
    assert!(offset_of!(Empty, board) == 8192);
    assert!(offset_of!(Empty, notes) == 10_240);
    assert!(offset_of!(Empty, log) == 18_112);
    assert!(offset_of!(Empty, journal) == 39_168);
    assert!(offset_of!(Empty, mirror) == 170_368);
    assert!(size_of::<Mirror<[AtomicU64; 0]>>() == 128);
    assert!(offset_of!(Header, magic) == 0 && offset_of!(Header, version) == 8);
    assert!(offset_of!(Header, slots_log2) == 16 && offset_of!(Header, made_by) == 24);
    assert!(offset_of!(OwnerLine, pid) == 0 && offset_of!(OwnerLine, seal) == 8);
    assert!(offset_of!(OwnerLine, attempt) == 16 && offset_of!(OwnerLine, heartbeat_ns) == 24);
    assert!(offset_of!(OwnerLine, memory_locked) == 32 && offset_of!(OwnerLine, pid_namespace) == 40);
    assert!(offset_of!(OwnerLine, pid_namespace) == 8 * (OWNER_WORDS - 1) && offset_of!(OwnerLine, journaled) == 48);
    assert!(offset_of!(OwnerLine, pause_ends_ns) == 56 && offset_of!(OwnerLine, boot_id) == 64);
    assert!(
        offset_of!(OwnerLine, started) == 80 && offset_of!(OwnerLine, openings) == 88 && size_of::<OwnerLine>() == 128
    );
};

/// The length of a file with so many slots, in bytes.
pub(crate) const fn file_len(slots_log2: u32) -> usize {
    offset_of!(Empty, mirror) + 128 + (size_of::<AtomicU64>() << slots_log2)
}

impl Header {
    pub(crate) fn write(&self, slots_log2: u32) {
        self.version.store(VERSION, Ordering::Relaxed);
        self.made_by.store(own_version(), Ordering::Relaxed);
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
        let [magic, version, slots] = words;
        let slots_log2 = (slots & 0xff) as u32;
        let damaged = |what| Err(SharedError::Damaged { path: path.to_owned(), what });
        if magic != MAGIC {
            damaged("the magic number")
        } else if version != VERSION {
            Err(SharedError::Version { path: path.to_owned(), found: version, known: VERSION })
        } else if !(MIN_SLOTS_LOG2..=MAX_SLOTS_LOG2).contains(&slots_log2) || slots != repeated(slots_log2) {
            damaged("the number of slots")
        } else {
            Ok(slots_log2)
        }
    }
}

/// The version of this library.
fn own_version() -> u64 {
    let part = |text: &str| text.parse::<u64>().unwrap_or(0);
    part(env!("CARGO_PKG_VERSION_MAJOR")) << 32
        | part(env!("CARGO_PKG_VERSION_MINOR")) << 16
        | part(env!("CARGO_PKG_VERSION_PATCH"))
}

/// The logarithm in each byte, so that damage shows.
const fn repeated(slots_log2: u32) -> u64 {
    slots_log2 as u64 * 0x0101_0101_0101_0101
}

/// What of a file says that it is a page, however damaged the rest is.
pub(crate) struct Signs {
    has_length: bool,
    has_magic: bool,
    has_page_magic: bool,
    version: u64,
    page_version: u64,
    slots_log2: Option<u32>,
}

impl Signs {
    /// The version that this library knows.
    pub(crate) const KNOWN: u64 = VERSION;

    /// Reads by the file alone: nothing is mapped so far.
    pub(crate) fn read(file: &std::fs::File, len: u64) -> Self {
        let word = |offset: usize| {
            let mut bytes = [0; 8];
            file.read_exact_at(&mut bytes, offset as u64).map_or(0, |()| u64::from_ne_bytes(bytes))
        };
        let board = offset_of!(Empty, board);
        let slots = word(offset_of!(Header, slots_log2));
        let slots_log2 = Some((slots & 0xff) as u32).filter(|&slots_log2| slots == repeated(slots_log2));
        Self {
            has_length: (MIN_SLOTS_LOG2..=MAX_SLOTS_LOG2).any(|slots| len == file_len(slots) as u64),
            has_magic: word(offset_of!(Header, magic)) == MAGIC,
            has_page_magic: word(board) == crate::page::MAGIC,
            version: word(offset_of!(Header, version)),
            page_version: word(board + 8),
            slots_log2: slots_log2.filter(|slots| (MIN_SLOTS_LOG2..=MAX_SLOTS_LOG2).contains(slots)),
        }
    }

    /// How many of the three say that it is a page.
    pub(crate) fn count(&self) -> u32 {
        [self.has_length, self.has_magic, self.has_page_magic].into_iter().map(u32::from).sum()
    }

    /// The version of a page of another version: both places agree on it.
    pub(crate) fn other_version(&self) -> Option<u64> {
        let is_other = self.version != VERSION && self.page_version != LAYOUT_VERSION;
        let is_told = self.has_magic || self.has_page_magic;
        let told = if self.has_magic { self.version } else { self.page_version };
        (is_other && is_told && !(self.has_length && self.version != self.page_version)).then_some(told)
    }

    /// How many slots the file can have at most.
    pub(crate) fn slots_log2(&self, len: u64) -> Option<u32> {
        let fits = |slots: &u32| file_len(*slots) as u64 <= len;
        self.slots_log2.filter(fits).or_else(|| (MIN_SLOTS_LOG2..=MAX_SLOTS_LOG2).rev().find(fits))
    }

    /// What is odd about the header, for people.
    pub(crate) fn oddities(&self) -> Vec<String> {
        let odd = [
            (!self.has_length, "the file's length is none that a page has"),
            (!self.has_magic, "the file's magic number is damaged"),
            (!self.has_page_magic, "the page's magic number is damaged"),
            (self.version != self.page_version, "the page's version numbers differ"),
            (self.slots_log2.is_none(), "the number of slots is damaged"),
        ];
        odd.into_iter().filter(|(is_odd, _)| *is_odd).map(|(_, what)| what.to_owned()).collect()
    }
}

/// What an earlier owner left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Legacy {
    pub(crate) state: State,
    /// The earlier owner ended cleanly.
    pub(crate) sealed: bool,
    pub(crate) attempt: Option<u32>,
    /// What is left of the pause. It is `None` if it wasn't open, or that was in another boot of the machine.
    pub(crate) pause_left_ns: Option<u64>,
    /// How many openings the latch has counted.
    pub(crate) openings: u32,
    /// The sequence number of the next event.
    pub(crate) events: u64,
    /// The number of the latest entry of the operators' log that an owner has journaled.
    pub(crate) journaled: u64,
    /// The latest version of the snapshot. It is odd if the owner was killed while writing the snapshot.
    pub(crate) published: u64,
}

impl File {
    /// Whether the words that never change are as the owner wrote them.
    pub(crate) fn is_intact(&self) -> bool {
        let header = &self.front.header;
        let [magic, version] = [&header.magic, &header.version].map(|word| word.load(Ordering::Relaxed));
        (magic, version) == (MAGIC, VERSION) && self.board.layout_version() == Some(LAYOUT_VERSION)
    }

    /// Checks that there is a page, of the version that this library reads.
    pub(crate) fn check_page(&self, path: &Path) -> Result<(), SharedError> {
        let path = || path.to_owned();
        match self.board.layout_version() {
            None => Err(SharedError::Damaged { path: path(), what: "the page's magic number" }),
            Some(LAYOUT_VERSION) => Ok(()),
            Some(found) => Err(SharedError::Version { path: path(), found, known: LAYOUT_VERSION }),
        }
    }

    /// What an earlier owner of a checked page left, if an owner leaves such values.
    pub(crate) fn legacy(&self, path: &Path, boot_id: [u64; 2], boot_ns: u64) -> Result<Legacy, SharedError> {
        let damaged = |what| SharedError::Damaged { path: path.to_owned(), what };
        let Reading { state, .. } = self.gate.0.read().ok_or_else(|| damaged("the gate"))?;
        let owner = &self.front.owner;
        let attempt = owner.attempt.load(Ordering::Relaxed);
        if attempt > MAX_ATTEMPT + 1 {
            return Err(damaged("the attempt"));
        }
        let events = (&self.journal as &EventJournal).head();
        if events > MAX_EVENTS {
            return Err(damaged("the number of events"));
        }
        // An owner that ends cleanly leaves the gate open, and seals the state that the breaker was in.
        let found = owner.seal.load(Ordering::Relaxed);
        let sealed = [State::Closed, State::HalfOpen, State::Open]
            .into_iter()
            .find(|&sealed| state == State::Open && found == seal(sealed, attempt, events));
        let state = sealed.unwrap_or(state);
        let is_of_this_boot = owner.boot_id.each_ref().map(|word| word.load(Ordering::Relaxed)) == boot_id;
        let is_paused = state == State::Open && is_of_this_boot && boot_id != [0; 2] && attempt > 0;
        Ok(Legacy {
            state,
            openings: u32::try_from(owner.openings.load(Ordering::Relaxed)).unwrap_or(u32::MAX),
            pause_left_ns: is_paused.then(|| owner.pause_ends_ns.load(Ordering::Relaxed).saturating_sub(boot_ns)),
            sealed: sealed.is_some(),
            attempt: attempt.checked_sub(1).map(|attempt| attempt as u32),
            events,
            journaled: owner.journaled.load(Ordering::Relaxed) & Held::MAX_COUNT,
            published: self.board.status.0.version(),
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
        [MAGIC, VERSION, repeated(12)]
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
            let [magic, version, _] = words();
            let legal = parse([magic, version, repeated(slots_log2)]).is_ok();
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
