//! How lanes come to an owner that runs: any thread opens one, and the owner's next poll links it in.
//!
//! The owner allocates nothing, frees nothing and waits for nobody: whoever opens a lane brings all the memory that it takes,
//! the owner's own tables in their new size included, and takes back, when it opens the next, what the owner has no use for.

use crate::backoff::SplitMix64;
use crate::clock::Clock;
use crate::handles::Gate;
use crate::inbox::{Inbox, Inboxes};
use crate::lane::Lane;
use crate::quantile::Quantiles;
use std::sync::{Arc, Mutex, PoisonError};

/// So many lanes may be opened between two polls; who opens more waits.
pub(crate) const AT_A_TIME: usize = 16;

/// What comes with a lane.
pub(crate) struct Opening {
    inbox: Inbox,
    /// Empty, with room for all inboxes.
    inboxes: Inboxes,
    /// For the overdue calls of all.
    quantiles: Quantiles,
}

/// What goes back: inboxes of lanes that are gone, and the earlier tables.
pub(crate) struct Replaced {
    inboxes: Inboxes,
    _quantiles: Quantiles,
}

/// Opens lanes, from any thread.
#[derive(Clone)]
pub(crate) struct Opener {
    gate: Gate,
    clock: Clock,
    desk: Arc<Mutex<Desk>>,
}

/// The openers' side. They wait for each other here, but never for the owner, nor it for them.
struct Desk {
    openings: rtrb::Producer<Opening>,
    replaced: rtrb::Consumer<Replaced>,
    /// Openings for which nothing has come back yet: no more than there is room for, so that the owner can always send back.
    awaited: usize,
    window_len: usize,
    /// At most so many inboxes, and calls of all of them and of the owner.
    inboxes: usize,
    calls: usize,
    /// For tickets.
    seeds: SplitMix64,
}

/// The owner's side.
pub(crate) struct Arrivals {
    openings: rtrb::Consumer<Opening>,
    replaced: rtrb::Producer<Replaced>,
    opener: Opener,
}

impl Opener {
    pub(crate) fn gate(&self) -> &Gate {
        &self.gate
    }

    /// How many inboxes and calls there are at most.
    #[cfg(all(test, not(loom)))]
    pub(crate) fn sizes(&self) -> (usize, usize) {
        let desk = self.desk.lock().unwrap_or_else(PoisonError::into_inner);
        (desk.inboxes, desk.calls)
    }

    /// `None` if the owner has to poll first.
    pub(crate) fn open(&self, capacity: u32) -> Option<Lane> {
        // What a thread that panicked left is whole: each step below is.
        let mut desk = self.desk.lock().unwrap_or_else(PoisonError::into_inner);
        while let Ok(Replaced { inboxes, .. }) = desk.replaced.pop() {
            desk.awaited -= 1;
            desk.inboxes = desk.inboxes.saturating_sub(inboxes.iter().count());
            desk.calls = desk.calls.saturating_sub(inboxes.iter().map(Inbox::capacity).sum());
        }
        if desk.awaited == AT_A_TIME {
            return None;
        }
        let capacity = capacity.clamp(4, 1 << 20);
        let seed = desk.seeds.next() as u32;
        let (lane, inbox) = Lane::new(capacity, &self.gate, &self.clock, seed);
        desk.awaited += 1;
        desk.inboxes += 1;
        desk.calls += capacity as usize;
        let inboxes = Inboxes::with_room_for(desk.inboxes);
        let quantiles = Quantiles::new(desk.window_len, desk.calls);
        let _ = desk.openings.push(Opening { inbox, inboxes, quantiles }); // there is room
        Some(lane)
    }
}

impl Arrivals {
    pub(crate) fn opener(&self) -> &Opener {
        &self.opener
    }

    pub(crate) fn new(gate: Gate, clock: Clock, window_len: usize, calls: usize, seed: u64) -> Self {
        let (to_owner, openings) = rtrb::RingBuffer::new(AT_A_TIME);
        let (replaced, to_openers) = rtrb::RingBuffer::new(AT_A_TIME);
        let desk = Desk {
            openings: to_owner,
            replaced: to_openers,
            awaited: 0,
            window_len,
            inboxes: 0,
            calls,
            seeds: SplitMix64(seed),
        };
        let opener = Opener { gate, clock, desk: Arc::new(Mutex::new(desk)) };
        Self { openings, replaced, opener }
    }

    /// True if there is a lane to be linked in.
    #[inline]
    pub(crate) fn any(&self) -> bool {
        !self.openings.is_empty()
    }

    /// Links one lane in, if there is one. Inboxes of lanes that are gone leave, each told to `done` before.
    pub(crate) fn link_one(
        &mut self,
        inboxes: &mut Inboxes,
        quantiles: &mut Quantiles,
        mut done: impl FnMut(&Inbox),
    ) -> bool {
        let Ok(opening) = self.openings.pop() else { return false };
        let mut earlier = core::mem::replace(inboxes, opening.inboxes);
        inboxes.move_in(&mut earlier, opening.inbox);
        earlier.iter().for_each(&mut done);
        let earlier_quantiles = core::mem::replace(quantiles, opening.quantiles);
        // There is room: no more openings are sent than have come back by this queue, and it holds as many.
        let _ = self.replaced.push(Replaced { inboxes: earlier, _quantiles: earlier_quantiles });
        true
    }
}
