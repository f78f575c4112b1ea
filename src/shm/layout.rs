//! The file: what stands where, and which values in it a newcomer believes.
//!
//! ```text
//!  offset   bytes
//!       0     128  header   magic, layout version, number of slots, the library's version, number of rows of the tap: only the
//!                           sizes change, and only grow, and the version, which is that of the owner's
//!     128     128  owner    pid, seal, attempt, heartbeat, whether the memory is locked, pid namespace; what its end leaves (see `OwnerLine`)
//!     256    1024  folder   where halts outlive memory: the length of its path, and the path
//!    4096    4096  gate     one byte. It lies here in every layout from version 2 on, so that any version can halt
//!    8192    2176  board    as in memory (see `page`)
//!   10368    7872  notes    the latest entry of each of 24 holders
//!   18240   20992  log      the latest 64 halts and resumes
//!   39296  131200  journal  the latest 1024 events
//!  170496     128  mirror   how many samples entered the window, and how many are in it
//!  170624  8 << n slots     2^n latencies, n in range 10 ..= 21: the window twice
//!                 tap      if there is one, right behind the slots (see `tap`)
//! ```
//!
//! Every word is an atomic of this machine's byte order. A newcomer believes the length of the file rather than any word in it.
//! The file may be longer than this.

use super::error::SharedError;
use crate::config::{Config, State};
use crate::gate::{GateByte, Reading};
use crate::halts::{Held, SLOTS};
use crate::handle::Handle;
use crate::holder::to_words;
use crate::log::{Place, check};
use crate::mirror::{self, Mirror};
use crate::page::{Board, EventJournal, EventRecord, LAYOUT_VERSION};
use crate::sync::{AtomicU64, Ordering, load_acquire};
use crate::tap::{self, Entry};
use core::mem::offset_of;
use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

pub(super) const MAGIC: u64 = u64::from_le_bytes(*b"trip99fl");
pub(super) const VERSION: u64 = LAYOUT_VERSION;

/// How many entries and events a file keeps.
const ENTRIES: usize = 64;
const EVENTS: usize = 1024;

/// A window of 2^20 samples has 2^21 slots.
const MAX_SLOTS_LOG2: u32 = 21;
const MIN_SLOTS_LOG2: u32 = 10;
/// A tap has up to 2^20 rows.
const TAP_LOG2: std::ops::RangeInclusive<u32> = 6..=20;

/// No pause grows for more than 64 attempts, as each attempt at least doubles it.
const MAX_ATTEMPT: u64 = 64;
/// This is far more events than any breaker has, and far below the number where counting them would overflow.
const MAX_EVENTS: u64 = 1 << 48;

#[repr(C, align(128))]
pub(crate) struct Header {
    pub(super) magic: AtomicU64,
    pub(super) version: AtomicU64,
    /// The logarithm of the number of slots, in each of the 8 bytes.
    pub(super) slots_log2: AtomicU64,
    /// The version of the library that the owner has, or the latest one had: major, minor and patch, 16 bits each.
    owned_by: AtomicU64,
    /// The logarithm of the number of rows of the tap, in each of the 8 bytes; 0 if there is no tap.
    pub(super) tap_log2: AtomicU64,
}

pub(crate) const HEADER_WORDS: usize = 5;

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

pub(super) type Empty = File<[AtomicU64; 0]>;

const _: () = {
    assert!(offset_of!(Empty, front) == 0 && offset_of!(Front, header) == 0 && offset_of!(Front, owner) == 128);
    assert!(offset_of!(Front, state_dir_len) == 256 && offset_of!(Front, state_dir) == 264);
    assert!(offset_of!(Empty, gate) == 4096 && size_of::<GatePage>() == 4096);
    assert!(offset_of!(Empty, board) == 8192);
    assert!(offset_of!(Empty, notes) == 10_368);
    assert!(offset_of!(Empty, log) == 18_240);
    assert!(offset_of!(Empty, journal) == 39_296);
    assert!(offset_of!(Empty, mirror) == 170_496);
    assert!(size_of::<Mirror<[AtomicU64; 0]>>() == 128);
    assert!(offset_of!(Header, magic) == 0 && offset_of!(Header, version) == 8);
    assert!(offset_of!(Header, slots_log2) == 16 && offset_of!(Header, owned_by) == 24);
    assert!(offset_of!(Header, tap_log2) == 32);
    assert!(offset_of!(OwnerLine, pid) == 0 && offset_of!(OwnerLine, seal) == 8);
    assert!(offset_of!(OwnerLine, attempt) == 16 && offset_of!(OwnerLine, heartbeat_ns) == 24);
    assert!(offset_of!(OwnerLine, memory_locked) == 32 && offset_of!(OwnerLine, pid_namespace) == 40);
    assert!(offset_of!(OwnerLine, pid_namespace) == 8 * (OWNER_WORDS - 1) && offset_of!(OwnerLine, journaled) == 48);
    assert!(offset_of!(OwnerLine, pause_ends_ns) == 56 && offset_of!(OwnerLine, boot_id) == 64);
    assert!(
        offset_of!(OwnerLine, started) == 80 && offset_of!(OwnerLine, openings) == 88 && size_of::<OwnerLine>() == 128
    );
};

/// How much of what varies a file has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sizes {
    /// The logarithm of the number of slots.
    pub(crate) slots_log2: u32,
    /// The logarithm of the number of rows of the tap; 0 if there is none.
    pub(crate) tap_log2: u32,
}

impl Sizes {
    /// Without slots and tap, which no file is.
    pub(crate) const LEAST: Self = Self { slots_log2: MIN_SLOTS_LOG2, tap_log2: 0 };

    pub(crate) fn of(config: &Config) -> Self {
        let tap_log2 = if config.tap_len == 0 { 0 } else { tap::len_log2(config.tap_len) };
        Self { slots_log2: mirror::slots_log2(config.window_len), tap_log2 }
    }

    /// Enough for both.
    pub(crate) fn or_more(self, other: Self) -> Self {
        let slots_log2 = self.slots_log2.max(other.slots_log2);
        Self { slots_log2, tap_log2: self.tap_log2.max(other.tap_log2) }
    }

    /// Where the tap is, if there is one.
    pub(crate) const fn tap_offset(self) -> usize {
        offset_of!(Empty, mirror) + 128 + (size_of::<AtomicU64>() << self.slots_log2)
    }

    /// The length of the file, in bytes.
    pub(crate) const fn file_len(self) -> usize {
        let tap = if self.tap_log2 == 0 { 0 } else { 128 + (size_of::<Entry>() << self.tap_log2) };
        self.tap_offset() + tap
    }

    /// By the two words of a header.
    pub(super) fn from_words(slots: u64, tap: u64) -> Option<Self> {
        let sizes = Self { slots_log2: (slots & 0xff) as u32, tap_log2: (tap & 0xff) as u32 };
        let has_slots = (MIN_SLOTS_LOG2..=MAX_SLOTS_LOG2).contains(&sizes.slots_log2);
        let has_tap = sizes.tap_log2 == 0 || TAP_LOG2.contains(&sizes.tap_log2);
        (has_slots && has_tap && (slots, tap) == sizes.words()).then_some(sizes)
    }

    const fn words(self) -> (u64, u64) {
        (repeated(self.slots_log2), repeated(self.tap_log2))
    }

    /// All that a file may have.
    pub(super) fn all() -> impl DoubleEndedIterator<Item = Self> {
        let taps = || core::iter::once(0).chain(TAP_LOG2);
        (MIN_SLOTS_LOG2..=MAX_SLOTS_LOG2)
            .flat_map(move |slots_log2| taps().map(move |tap_log2| Self { slots_log2, tap_log2 }))
    }
}

impl Header {
    pub(crate) fn write(&self, sizes: Sizes) {
        self.version.store(VERSION, Ordering::Relaxed);
        self.set_owner_version();
        self.set_sizes(sizes);
        self.magic.store(MAGIC, Ordering::Release);
    }

    /// The owner has this library.
    pub(crate) fn set_owner_version(&self) {
        self.owned_by.store(own_version(), Ordering::Relaxed);
    }

    /// Major, minor and patch.
    pub(crate) fn owner_version(&self) -> [u16; 3] {
        let word = self.owned_by.load(Ordering::Relaxed);
        [32, 16, 0].map(|shift| (word >> shift) as u16)
    }

    pub(crate) fn set_sizes(&self, sizes: Sizes) {
        let (slots, tap) = sizes.words();
        self.slots_log2.store(slots, Ordering::Release);
        self.tap_log2.store(tap, Ordering::Release);
    }

    /// The words that tell what is where in a file of these sizes, and what they are.
    pub(crate) fn place(file: &Handle<File>, sizes: Sizes) -> [(Handle<AtomicU64>, u64); 2] {
        let (slots, tap) = sizes.words();
        let header = |part: fn(&Self) -> &AtomicU64| file.part(|file| part(&file.front.header));
        [(header(|header| &header.slots_log2), slots), (header(|header| &header.tap_log2), tap)]
    }

    /// False if the file has grown since it had these sizes.
    pub(crate) fn has_sizes(&self, sizes: Sizes) -> bool {
        (load_acquire(&self.slots_log2), load_acquire(&self.tap_log2)) == sizes.words()
    }

    /// What the file has. Each other word of a header has one legal value, but for that which names the library's version.
    pub(crate) fn parse(path: &Path, words: [u64; HEADER_WORDS]) -> Result<Sizes, SharedError> {
        let [magic, version, slots, _, tap] = words;
        let damaged = |what| SharedError::Damaged { path: path.to_owned(), what };
        if magic != MAGIC {
            Err(damaged("the magic number"))
        } else if version != VERSION {
            Err(SharedError::Version { path: path.to_owned(), found: version, known: VERSION })
        } else {
            Sizes::from_words(slots, tap).ok_or_else(|| damaged("the number of slots"))
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

    const SIZES: Sizes = Sizes { slots_log2: 12, tap_log2: 7 };

    fn words() -> [u64; HEADER_WORDS] {
        [MAGIC, VERSION, repeated(12), 5, repeated(7)]
    }

    #[test]
    fn headers_are_believed_only_if_every_bit_is_right() {
        let parse = |words| Header::parse(Path::new("page"), words);
        assert_eq!(parse(words()).ok(), Some(SIZES));
        for bit in 0..HEADER_WORDS * 64 {
            let mut words = words();
            words[bit / 64] ^= 1 << (bit % 64);
            assert_eq!(parse(words).ok(), (bit / 64 == 3).then_some(SIZES), "bit {bit}");
        }
        for log2 in 0..=255 {
            let [magic, version, slots, made_by, tap] = words();
            let legal = parse([magic, version, repeated(log2), made_by, tap]).is_ok();
            assert_eq!(legal, (10..=21).contains(&log2));
            let legal = parse([magic, version, slots, made_by, repeated(log2)]).is_ok();
            assert_eq!(legal, log2 == 0 || (6..=20).contains(&log2));
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
