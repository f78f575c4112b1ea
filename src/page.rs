//! The page: what others may see of a breaker. The owner writes its atomics. It reads back what others tell: halts, and trials.
//!
//! ```text
//!  gate     one byte (see `gate`). It has a line to itself, and in a file a page of memory to itself
//!  board    offset   bytes
//!                0     128  header    magic, layout version
//!              128     128  deadline  retry_at, written before the gate opens
//!              256     128  trials    the ledger, a word, and how many there may be (gates and lanes write the word, too)
//!              384     128  counts    of others: refusals by gates, and by gates in shadow; misuse
//!              512     128  life      how often the owner polled; orders that rest at the venue; the owner's timeout
//!              640     128  watchers  whether there are gates or lanes; when the lease ends; looks of the owner's warden
//!              768     128  halts     the word: a bit for each holder, and a count (see `halts`)
//!              896     640  names     16 names of holders, each a hash and 4 words
//!             1536     384  settings  all settings in force, and their hash (a seqlock)
//!             1920     256  status    version and words of the snapshot (a seqlock)
//!  log      the operators' log: an entry of 328 bytes for each of the latest halts and resumes (a seqlock each)
//!  notes    in a file: the latest entry of each holder
//!  journal  a line with the sequence number of the next event; a record of 128 bytes for each of the latest events (a seqlock each)
//!  tap      if there is one: how each of the latest calls went (see `tap`)
//! ```
//!
//! A page is in heap memory, with 16 entries and 64 events; or in a file, with 64 and 1024 (see `shm`).

use crate::config::{Config, State};
use crate::event::Event;
use crate::gate::GateByte;
use crate::halts::{Desk, Halts};
use crate::handle::Handle;
use crate::journal::Journal;
use crate::ledger::{Epoch, Ledger};
use crate::log::Place;
use crate::seqlock::SeqLock;
use crate::snapshot::Snapshot;
use crate::sync::{AtomicU64, Line, Ordering};
use crate::tap::Ring;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Weak};

pub(crate) const MAGIC: u64 = u64::from_le_bytes(*b"trip99pg");
pub(crate) const LAYOUT_VERSION: u64 = 2;

/// How many entries and events a page in heap memory keeps. (loom explores every load of every atomic: few are plenty for it.)
const ENTRIES: usize = if cfg!(loom) { 1 } else { 16 };
const EVENTS: usize = if cfg!(loom) { 2 } else { 64 };

#[repr(C)]
struct Header {
    magic: AtomicU64,
    layout_version: AtomicU64,
}

/// What other threads than the owner count.
#[repr(C)]
#[derive(Default)]
pub(crate) struct Counts {
    /// How many asks gates refused.
    pub(crate) refused: AtomicU64,
    /// How many asks gates would have refused but for shadow.
    pub(crate) in_shadow: AtomicU64,
    /// How often another thread called what is for the owner alone.
    pub(crate) misused: AtomicU64,
}

/// What the owner tells of its life.
#[repr(C)]
#[derive(Default)]
pub(crate) struct Life {
    /// How often the owner polled, at most once a millisecond. While this stands still the owner is silent.
    pub(crate) polls: AtomicU64,
    /// How many orders rest at the venue, if the engine tells: 1 more than that; 0 if it doesn't.
    pub(crate) resting: AtomicU64,
    /// For how long the owner may be silent, in nanoseconds; 0 = for ever.
    pub(crate) owner_timeout_ns: AtomicU64,
}

/// What others tell of themselves.
#[repr(C)]
#[derive(Default)]
pub(crate) struct Watchers {
    /// 1 once there are gates or lanes, of this process or another: then the owner is watched.
    pub(crate) asked: AtomicU64,
    /// CLOCK_MONOTONIC, in nanoseconds, when a lease ends; 0 if there is none.
    pub(crate) lease_ends_ns: AtomicU64,
    /// How often the warden of the owner's process has looked. 0 if the owner has none.
    pub(crate) warden_looks: AtomicU64,
}

/// All of a page that has the same size in memory and in a file.
#[repr(C, align(128))]
pub(crate) struct Board {
    header: Line<Header>,
    pub(crate) retry_at_ns: Line<AtomicU64>,
    pub(crate) trials: Line<Ledger>,
    pub(crate) counts: Line<Counts>,
    pub(crate) life: Line<Life>,
    pub(crate) watchers: Line<Watchers>,
    pub(crate) halts: Halts,
    pub(crate) settings: Line<SeqLock<{ Config::WORDS }>>,
    pub(crate) status: Line<SeqLock<{ Snapshot::WORDS }>>,
}

pub(crate) type EventRecord = Line<SeqLock<{ Event::WORDS }>>;
pub(crate) type EventJournal<R = [EventRecord]> = Journal<{ Event::WORDS }, R>;

#[cfg(not(loom))]
const _: () = {
    use core::mem::offset_of;
    assert!(offset_of!(Board, header) == 0);
    assert!(offset_of!(Board, retry_at_ns) == 128);
    assert!(offset_of!(Board, trials) == 256);
    assert!(offset_of!(Board, counts) == 384);
    assert!(offset_of!(Board, life) == 512);
    assert!(offset_of!(Board, watchers) == 640);
    assert!(offset_of!(Board, halts) == 768);
    assert!(offset_of!(Board, settings) == 1536);
    assert!(offset_of!(Board, status) == 1920);
    assert!(size_of::<Board>() == 2176);
    assert!(size_of::<EventRecord>() == 128);
    assert!(size_of::<Place>() == 328);
    assert!(offset_of!(Counts, refused) == 0 && offset_of!(Counts, in_shadow) == 8);
    assert!(offset_of!(Counts, misused) == 16);
    assert!(offset_of!(Life, polls) == 0 && offset_of!(Life, resting) == 8);
    assert!(offset_of!(Life, owner_timeout_ns) == 16);
    assert!(offset_of!(Watchers, asked) == 0 && offset_of!(Watchers, lease_ends_ns) == 8);
    assert!(offset_of!(Watchers, warden_looks) == 16);
};

/// A page in heap memory.
struct InMemory {
    gate: Line<GateByte>,
    board: Board,
    log: [Place; ENTRIES],
    journal: EventJournal<[EventRecord; EVENTS]>,
}

/// Where the parts of a page are. It is a counted reference: whoever has one may use the page.
#[derive(Clone)]
pub(crate) struct Page {
    pub(crate) gate: Handle<GateByte>,
    board: Handle<Board>,
    log: Handle<[Place]>,
    notes: Handle<[Place]>,
    journal: Handle<EventJournal>,
    tap: Option<Ring>,
    watched: Arc<Watched>,
}

/// What all handles of one breaker share, or all handles of one opening of a path.
#[derive(Default)]
pub(crate) struct Watched {
    /// The breaker that gave these handles has ended. (A handle by a path belongs to the page, and follows its owners.)
    ended: AtomicBool,
}

impl Watched {
    pub(crate) fn has_ended(&self) -> bool {
        self.ended.load(Ordering::Acquire)
    }
}

impl Page {
    /// A page in heap memory, whose gate shows `state` and, if so, SHADOW. It has a tap of so many rows; 0 = none.
    pub(crate) fn new(state: State, shadow: bool, tap_len: u32) -> Self {
        let page = Handle::new(InMemory {
            gate: Line(GateByte::new(state, shadow)),
            board: Board::new(),
            log: core::array::from_fn(|_| Place::new()),
            journal: EventJournal::new(),
        });
        Self {
            gate: page.part(|page| &page.gate.0),
            board: page.part(|page| &page.board),
            log: page.part(|page| page.log.as_slice()),
            notes: page.part(|_| [].as_slice()),
            journal: page.part(|page| &page.journal as &EventJournal),
            tap: (tap_len > 0).then(|| Ring::new(tap_len)),
            watched: Arc::default(),
        }
    }

    /// A page in a file.
    #[cfg(feature = "shm")]
    pub(crate) fn in_file(
        gate: Handle<GateByte>,
        board: Handle<Board>,
        log: Handle<[Place]>,
        notes: Handle<[Place]>,
        journal: Handle<EventJournal>,
        tap: Option<Ring>,
    ) -> Self {
        Self { gate, board, log, notes, journal, tap, watched: Arc::default() }
    }

    /// What the page lies in, if that is of this type.
    #[cfg(feature = "shm")]
    pub(crate) fn keeper<K: 'static>(&self) -> Option<&K> {
        self.board.keeper()
    }

    #[inline]
    pub(crate) fn gate(&self) -> &GateByte {
        &self.gate
    }

    #[inline]
    pub(crate) fn board(&self) -> &Board {
        &self.board
    }

    pub(crate) fn log(&self) -> &[Place] {
        &self.log
    }

    pub(crate) fn journal(&self) -> &EventJournal {
        &self.journal
    }

    /// The tap, if there is room for one. (An owner may leave it alone.)
    pub(crate) fn tap(&self) -> Option<&Ring> {
        self.tap.as_ref()
    }

    pub(crate) fn desk(&self) -> Desk<'_> {
        Desk { gate: &self.gate, halts: &self.board.halts, log: &self.log, notes: &self.notes }
    }

    /// Whether the breaker that gave this handle has ended. Then the gate refuses for ever, and what else is in the page may be a later
    /// owner's.
    pub(crate) fn has_ended(&self) -> bool {
        self.watched.has_ended()
    }

    /// A handle for the warden, and what tells whether there are others.
    pub(crate) fn for_warden(&self) -> (Self, Weak<Watched>) {
        (Self { watched: Arc::default(), ..self.clone() }, Arc::downgrade(&self.watched))
    }

    /// The breaker ends: all that its handles do from now on is in vain.
    pub(crate) fn set_ended(&self) {
        self.watched.ended.store(true, Ordering::Release);
    }

    pub(crate) fn count_refusal(&self) {
        if !self.has_ended() {
            self.board.counts.0.refused.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Counts that another thread called what is for the owner alone, and that it was left undone. Any thread.
    pub(crate) fn count_misuse(&self) {
        if !self.has_ended() {
            self.board.counts.0.misused.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Board {
    pub(crate) fn new() -> Self {
        Self {
            header: Line(Header { magic: AtomicU64::new(MAGIC), layout_version: AtomicU64::new(LAYOUT_VERSION) }),
            retry_at_ns: Line(AtomicU64::new(u64::MAX)),
            trials: Line(Ledger::default()),
            counts: Line(Counts::default()),
            life: Line(Life::default()),
            watchers: Line(Watchers::default()),
            halts: Halts::new(),
            settings: Line(SeqLock::new()),
            status: Line(SeqLock::new()),
        }
    }

    /// `None` if this is no page.
    pub(crate) fn layout_version(&self) -> Option<u64> {
        let version = self.header.0.layout_version.load(Ordering::Relaxed);
        (self.header.0.magic.load(Ordering::Relaxed) == MAGIC).then_some(version)
    }

    /// A new owner takes the page over. It begins without trials, refusals by gates and misuse. Returns the number of the last epoch.
    pub(crate) fn take_over(&self) -> Option<Epoch> {
        self.retry_at_ns.0.store(u64::MAX, Ordering::Release); // the earlier owner's clock was another
        self.life.0.resting.store(0, Ordering::Relaxed);
        self.watchers.0.warden_looks.store(0, Ordering::Relaxed);
        let epoch = self.trials.0.epoch();
        self.trials.0.revoke(epoch);
        for count in [&self.counts.0.refused, &self.counts.0.in_shadow, &self.counts.0.misused] {
            count.store(0, Ordering::Relaxed);
        }
        epoch
    }
}
