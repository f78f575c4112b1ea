//! How lanes come to an owner that runs. Any thread opens a lane, and the owner's next poll links it in.
//!
//! The owner allocates nothing, frees nothing and waits for nobody. Whoever opens a lane brings all the memory that the lane takes,
//! and the owner's own tables in their new size. Whoever opens the next lane takes back the memory that the owner no longer uses.

use crate::backoff::SplitMix64;
use crate::clock::Clock;
use crate::handles::Gate;
use crate::inbox::{Inbox, Inboxes};
use crate::lane::Lane;
use crate::quantile::Quantiles;
use std::sync::{Arc, Mutex, PoisonError};

/// So many lanes may be opened between two polls. Whoever opens more waits.
pub(crate) const AT_A_TIME: usize = 16;

/// What comes to the owner with a lane.
pub(crate) struct Opening {
    inbox: Inbox,
    /// This is empty, and has room for all inboxes.
    inboxes: Inboxes,
    /// This has room for the overdue calls of all lanes.
    quantiles: Quantiles,
}

/// What goes back: the earlier tables, with the inboxes of lanes that are gone.
type Replaced = (Inboxes, Quantiles);

/// Opens lanes. Any thread may have a clone.
#[derive(Clone)]
pub(crate) struct Opener {
    gate: Gate,
    clock: Clock,
    desk: Arc<Mutex<Desk>>,
}

/// The openers' side. Openers wait for each other here. They never wait for the owner, and the owner never waits for them.
struct Desk {
    openings: rtrb::Producer<Opening>,
    replaced: rtrb::Consumer<Replaced>,
    /// For how many openings nothing has come back yet. There are no more than there is room for, so that the owner can always send
    /// back.
    awaited: usize,
    window_len: usize,
    /// How many inboxes there are at most.
    inboxes: usize,
    /// How many calls the owner and all inboxes have in flight at most.
    calls: usize,
    /// Draws the seeds of tickets.
    seeds: SplitMix64,
}

/// The owner's side.
pub(crate) struct Arrivals {
    openings: rtrb::Consumer<Opening>,
    replaced: rtrb::Producer<Replaced>,
    pub(crate) opener: Opener,
}

impl Opener {
    pub(crate) fn gate(&self) -> &Gate {
        &self.gate
    }

    /// Opens a lane for so many calls, in range `4 ..= 2^20`; other numbers count as the nearest of these. Returns `None` if the
    /// owner has to poll first.
    pub(crate) fn open(&self, capacity: u32) -> Option<Lane> {
        // A thread that panicked left the desk whole, as each step below leaves it whole.
        let mut desk = self.desk.lock().unwrap_or_else(PoisonError::into_inner);
        while let Ok((inboxes, _)) = desk.replaced.pop() {
            desk.awaited -= 1;
            desk.inboxes = desk.inboxes.saturating_sub(inboxes.iter().count());
            desk.calls = desk.calls.saturating_sub(inboxes.iter().map(|inbox| inbox.in_flight.capacity()).sum());
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

    /// True if a lane waits to be linked in.
    #[inline]
    pub(crate) fn any(&self) -> bool {
        !self.openings.is_empty()
    }

    /// Links one lane in, if one waits. True if so. The inboxes of lanes that are gone leave, and `done` is told each of them.
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
        // There is room: the queue holds as many as openings may be awaited.
        let _ = self.replaced.push((earlier, earlier_quantiles));
        true
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    impl Opener {
        /// How many inboxes and calls there are at most.
        pub(crate) fn sizes(&self) -> (usize, usize) {
            let desk = self.desk.lock().unwrap_or_else(PoisonError::into_inner);
            (desk.inboxes, desk.calls)
        }
    }
}
