//! The page: what others may see of a breaker. The owner writes its atomics, and reads back only the gate and the trials.
//!
//! ```text
//!  offset   bytes
//!       0     128  header    magic, layout version
//!     128     128  gate      one byte (see `gate`); a line to itself
//!     256     128  deadline  retry_at, written before the gate opens
//!     384     128  trials    the ledger, a word, and how many there may be (the word is written by gates and lanes, too)
//!     512     128  counts    of others: refusals by gates, and by gates in shadow; misuse
//!     640    1280  halts     flips of HALTED; the number of the next note, and the latest 4 (256 bytes each, a seqlock)
//!    1920     256  status    version and words of the snapshot (a seqlock)
//!    2176     128  head      sequence number of the next event
//!    2304   32768  journal   256 records of 128 bytes (a seqlock each)
//! ```
//!
//! A page is in heap memory, or in a file (see `shm`).

use crate::config::State;
use crate::event::Event;
use crate::gate::GateByte;
use crate::halts::Halts;
use crate::journal::Journal;
use crate::ledger::{Epoch, Ledger};
use crate::seqlock::SeqLock;
use crate::snapshot::Snapshot;
use crate::sync::{AtomicU64, Line, Ordering};

/// A counted reference to a page: whoever has one may use the page.
#[cfg(feature = "shm")]
pub(crate) type PageHandle = crate::handle::Handle<Page>;
#[cfg(not(feature = "shm"))]
pub(crate) type PageHandle = crate::sync::Arc<Page>;

const MAGIC: u64 = u64::from_le_bytes(*b"trip99pg");
pub(crate) const LAYOUT_VERSION: u64 = 2;

/// How many events the journal keeps. (loom explores every load of every atomic: two events are plenty for it.)
pub(crate) const JOURNAL_LEN: usize = if cfg!(loom) { 2 } else { 256 };

#[repr(C, align(128))]
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

#[repr(C, align(128))]
pub(crate) struct Page {
    header: Header,
    pub(crate) gate: Line<GateByte>,
    pub(crate) retry_at_ns: Line<AtomicU64>,
    pub(crate) trials: Line<Ledger>,
    pub(crate) counts: Line<Counts>,
    pub(crate) halts: Halts,
    pub(crate) status: Line<SeqLock<{ Snapshot::WORDS }>>,
    pub(crate) journal: Journal<{ Event::WORDS }, JOURNAL_LEN>,
}

#[cfg(not(loom))]
const _: () = {
    use core::mem::offset_of;
    assert!(offset_of!(Page, header) == 0);
    assert!(offset_of!(Page, gate) == 128);
    assert!(offset_of!(Page, retry_at_ns) == 256);
    assert!(offset_of!(Page, trials) == 384);
    assert!(offset_of!(Page, counts) == 512);
    assert!(offset_of!(Page, halts) == 640);
    assert!(offset_of!(Page, status) == 1920);
    assert!(offset_of!(Page, journal) == 2176);
    assert!(size_of::<Page>() == 2304 + JOURNAL_LEN * 128);
    assert!(offset_of!(Counts, refused) == 0 && offset_of!(Counts, in_shadow) == 8);
    assert!(offset_of!(Counts, misused) == 16);
};

impl Page {
    /// A page whose gate shows `state` and, if so, SHADOW.
    pub(crate) fn new(state: State, shadow: bool) -> Self {
        Self {
            header: Header { magic: AtomicU64::new(MAGIC), layout_version: AtomicU64::new(LAYOUT_VERSION) },
            gate: Line(GateByte::new(state, shadow)),
            retry_at_ns: Line(AtomicU64::new(u64::MAX)),
            trials: Line(Ledger::default()),
            counts: Line(Counts::default()),
            halts: Halts::new(),
            status: Line(SeqLock::new()),
            journal: Journal::new(),
        }
    }

    /// `None` if this is no page.
    pub(crate) fn layout_version(&self) -> Option<u64> {
        let version = self.header.layout_version.load(Ordering::Relaxed);
        (self.header.magic.load(Ordering::Relaxed) == MAGIC).then_some(version)
    }

    /// A new owner takes the page over. It begins without trials, refusals by gates and misuse. A halt stays. Returns the number of
    /// the last epoch.
    pub(crate) fn take_over(&self, state: State, shadow: bool) -> Option<Epoch> {
        self.retry_at_ns.0.store(u64::MAX, Ordering::Release); // the earlier owner's clock was another
        let epoch = self.trials.0.epoch();
        self.trials.0.revoke(epoch);
        for count in [&self.counts.0.refused, &self.counts.0.in_shadow, &self.counts.0.misused] {
            count.store(0, Ordering::Relaxed);
        }
        self.gate.0.take_over(state, shadow);
        epoch
    }

    pub(crate) fn count_refusal(&self) {
        self.counts.0.refused.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts that another thread called what is for the owner alone, and that it was left undone. Any thread.
    pub(crate) fn count_misuse(&self) {
        self.counts.0.misused.fetch_add(1, Ordering::Relaxed);
    }
}
