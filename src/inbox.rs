//! The owner's side of a lane: two queues, one from each half, and the calls that the lane has in flight.
//!
//! ```text
//!   begin half ──begins, and all that is told there──▶ ┌───────┐
//!                                                      │ inbox │ ──▶ owner
//!   end half ────ends, and all that is told there────▶ └───┬───┘
//!   begin half ◀──numbers of calls whose end was heard─────┘
//! ```
//!
//! A call has a number from its begin until the owner has heard its end, or an epoch has forgotten it: orders that never come
//! back take no place for ever. A number's generation tells the end of a call that was forgotten from that of the next one
//! that has the number. So between two polls of the owner no more is told of a number than the late end of a call that was
//! forgotten, and begin and end of the next one: each queue has room for all of that, and no end is ever dropped.
//!
//! The owner first notes how far the end half's queue goes, and then the begin half's: an end is told after its begin was, so
//! the begin of each end that is noted is noted, too. Then it takes both in by their stamps, but a call's begin before its end.

use crate::in_flight::{InFlight, Returned};
use crate::ledger::{Epoch, Grants};
use crate::sync::{AtomicU64, Ordering};
use crate::tickets::Untracked;
use crossbeam_utils::CachePadded;
use std::sync::Arc;

/// What a lane tells the owner. Times are the sender's own stamps.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Message {
    /// A call is sent. It may be a trial of this epoch.
    Begin { start_ns: u64, number: u32, generation: u16, trial: Option<Epoch> },
    /// It came back.
    End { end_ns: u64, start_ns: u64, number: u32, generation: u16, ok: bool },
    /// It was not sent after all.
    Abandon { now_ns: u64, number: u32, generation: u16 },
    /// A ticket came back that isn't out: returned before, forged, or of an epoch that is over.
    Unknown { now_ns: u64, start_ns: u64, ended: bool },
    /// A call without a number came back. It may be a trial of this epoch.
    Record { end_ns: u64, latency_ns: u64, ok: bool, trial: Option<Epoch> },
    /// The result of a health check.
    Probe { end_ns: u64, latency_ns: u64, ok: bool },
}

const _: () = assert!(size_of::<Message>() == 24);

impl Message {
    pub(crate) fn stamp_ns(&self) -> u64 {
        match *self {
            Self::Begin { start_ns: stamp_ns, .. }
            | Self::End { end_ns: stamp_ns, .. }
            | Self::Abandon { now_ns: stamp_ns, .. }
            | Self::Unknown { now_ns: stamp_ns, .. }
            | Self::Record { end_ns: stamp_ns, .. }
            | Self::Probe { end_ns: stamp_ns, .. } => stamp_ns,
        }
    }

    /// The call that this is the end of: its number and generation.
    fn ends(&self) -> Option<(u32, u16)> {
        match *self {
            Self::End { number, generation, .. } | Self::Abandon { number, generation, .. } => {
                Some((number, generation))
            }
            _ => None,
        }
    }
}

/// What the two halves of a lane and its owner share beside the queues.
pub(crate) struct LaneShared {
    pub(crate) counts: [CachePadded<Counts>; 2],
    pub(crate) untracked: CachePadded<Untracked>,
    /// What the lane was granted, whichever half reports it.
    pub(crate) grants: Grants,
}

/// What one half counts and the owner reports. Written by the half's thread alone.
pub(crate) struct Counts {
    pub(crate) dropped: AtomicU64,
    pub(crate) misused: AtomicU64,
}

impl LaneShared {
    pub(crate) fn new() -> Self {
        let counts = || CachePadded::new(Counts { dropped: AtomicU64::new(0), misused: AtomicU64::new(0) });
        Self { counts: [counts(), counts()], untracked: CachePadded::new(Untracked::new()), grants: Grants::new() }
    }

    /// Of both halves.
    pub(crate) fn dropped(&self) -> u64 {
        self.counts.iter().map(|counts| counts.dropped.load(Ordering::Relaxed)).fold(0, u64::saturating_add)
    }

    /// Of both halves.
    pub(crate) fn misused(&self) -> u64 {
        self.counts.iter().map(|counts| counts.misused.load(Ordering::Relaxed)).fold(0, u64::saturating_add)
    }
}

/// So many places of a half's queue are kept for each call, and one besides, for what a thread was about to tell when the owner
/// polled. (The begin half may end calls, too.) As many more as the lane has calls are for all that isn't told of a call.
pub(crate) const KEPT_BY_BEGINS: usize = 3;
pub(crate) const KEPT_BY_ENDS: usize = 2;

pub(crate) struct Inbox {
    queues: Queues<rtrb::Consumer<Message>>,
    /// The numbers of calls whose end was heard, back to the begin half.
    numbers: rtrb::Producer<u32>,
    shared: Arc<LaneShared>,
    /// In an order of their own.
    pub(crate) in_flight: InFlight,
    /// Of each number's latest call that the owner has heard of. The lower half of the ticket's is enough: for another call to be
    /// taken for it, a thread would have to stop between taking a ticket back and telling so, while the number goes round 65 536
    /// times.
    generations: Box<[u16]>,
    /// The latest start that this lane told.
    latest_ns: u64,
}

/// The owner's end of a queue. (rtrb's knows nothing of loom: there is another one for its models.)
trait Queue {
    /// How many messages there are.
    fn slots(&self) -> usize;
    fn peek(&self) -> Option<Message>;
    fn pop(&mut self) -> Option<Message>;
    /// The sender is gone.
    fn is_abandoned(&self) -> bool;
}

impl Queue for rtrb::Consumer<Message> {
    #[inline]
    fn slots(&self) -> usize {
        self.slots()
    }

    #[inline]
    fn peek(&self) -> Option<Message> {
        self.peek().ok().copied()
    }

    #[inline]
    fn pop(&mut self) -> Option<Message> {
        self.pop().ok()
    }

    fn is_abandoned(&self) -> bool {
        self.is_abandoned()
    }
}

/// What the two halves sent, and how much of it the owner has noted and not yet taken.
struct Queues<Q> {
    begin: Q,
    end: Q,
    begin_noted: usize,
    end_noted: usize,
}

impl<Q: Queue> Queues<Q> {
    /// Notes how far they go: no further is read, however fast the lane goes on.
    fn note(&mut self) {
        // In this order: the begin of each end that is noted is noted, too.
        self.end_noted = self.end.slots();
        self.begin_noted = self.begin.slots();
    }

    /// The next message of those that were noted. `has_begun` tells of a call whether its begin was taken.
    fn next(&mut self, has_begun: impl FnOnce((u32, u16)) -> bool) -> Option<Message> {
        if self.end_noted > 0 && !self.begin_is_next(has_begun) {
            self.end_noted -= 1;
            return self.end.pop();
        }
        self.begin_noted = self.begin_noted.checked_sub(1)?;
        self.begin.pop()
    }

    fn begin_is_next(&self, has_begun: impl FnOnce((u32, u16)) -> bool) -> bool {
        if self.begin_noted == 0 {
            return false;
        }
        let (Some(begin), Some(end)) = (self.begin.peek(), self.end.peek()) else { return true };
        begin.stamp_ns() <= end.stamp_ns() || !end.ends().is_none_or(has_begun)
    }

    /// Both halves are gone, and all that they told is taken.
    fn are_done(&self) -> bool {
        // In this order: what was sent before a half went is seen by the second look.
        [&self.begin, &self.end].into_iter().all(|queue| queue.is_abandoned() && queue.slots() == 0)
    }
}

/// A lane's own ends of its queues.
pub(crate) struct LaneQueues {
    pub(crate) begin: rtrb::Producer<Message>,
    pub(crate) end: rtrb::Producer<Message>,
    pub(crate) numbers: rtrb::Consumer<u32>,
}

impl Inbox {
    /// For a lane of this capacity, whose tickets begin with this generation.
    pub(crate) fn new(capacity: u32, seed: u32, shared: Arc<LaneShared>) -> (Self, LaneQueues) {
        let len = capacity as usize;
        let (to_begin, begin) = rtrb::RingBuffer::new(KEPT_BY_BEGINS * len + 1 + len);
        let (to_end, end) = rtrb::RingBuffer::new(KEPT_BY_ENDS * len + 1 + len);
        let (mut numbers, free) = rtrb::RingBuffer::new(len);
        for number in 1..=capacity {
            let _ = numbers.push(number); // as many as there is room for
        }
        let queues = Queues { begin, end, begin_noted: 0, end_noted: 0 };
        let generations = vec![seed as u16; len + 1].into_boxed_slice();
        let inbox = Self { queues, numbers, shared, in_flight: InFlight::new(capacity), generations, latest_ns: 0 };
        (inbox, LaneQueues { begin: to_begin, end: to_end, numbers: free })
    }

    /// Notes how far the queues go.
    pub(crate) fn note(&mut self) {
        self.queues.note();
    }

    /// The next message of those that were noted.
    pub(crate) fn next(&mut self) -> Option<Message> {
        let Self { queues, generations, .. } = self;
        // A number's calls begin one after the other: only the next one's begin can be unheard.
        queues.next(|(number, generation)| generation_of(generations, number).wrapping_add(1) != generation)
    }

    /// The lane is gone, with nothing left to tell or to wait for.
    pub(crate) fn is_done(&self) -> bool {
        self.queues.are_done() && self.in_flight.len() == 0
    }

    /// How many calls there are at most.
    pub(crate) fn capacity(&self) -> usize {
        self.in_flight.capacity()
    }

    /// Tracks a call from `seen_ns` on, which is its start, but not after now; a time before the lane's latest start counts as
    /// that.
    pub(crate) fn begin(&mut self, number: u32, generation: u16, seen_ns: u64, trial: bool) {
        self.note_generation(number, generation);
        self.latest_ns = self.latest_ns.max(seen_ns);
        self.in_flight.begin(number, self.latest_ns, trial);
    }

    /// A call that isn't to be tracked: it was sent before the epoch.
    pub(crate) fn begin_stale(&mut self, number: u32, generation: u16) {
        self.note_generation(number, generation);
        let _ = self.numbers.push(number); // a full one has all numbers
    }

    fn note_generation(&mut self, number: u32, generation: u16) {
        if let Some(slot) = self.generations.get_mut(number as usize) {
            *slot = generation;
        }
    }

    /// The end of a call was heard, and its number is free; unknown if an epoch has forgotten it.
    pub(crate) fn end(&mut self, number: u32, generation: u16) -> Returned {
        if generation_of(&self.generations, number) != generation {
            return Returned::Unknown;
        }
        let returned = self.in_flight.remove(number);
        if returned != Returned::Unknown {
            let _ = self.numbers.push(number); // a full one has all numbers
        }
        returned
    }

    /// A new epoch forgets the calls in flight, and their numbers are free.
    pub(crate) fn clear(&mut self) {
        let numbers = &mut self.numbers;
        self.in_flight.clear(|number| _ = numbers.push(number)); // a full one has all numbers
    }

    /// How many messages the lane dropped, and how many tickets it was given back wrongly.
    pub(crate) fn counts(&self) -> (u64, u64) {
        (self.shared.dropped(), self.shared.misused())
    }
}

fn generation_of(generations: &[u16], number: u32) -> u16 {
    generations.get(number as usize).copied().unwrap_or_default()
}

/// The inboxes of all lanes, in the order in which they came: as many places as there may be, so that an owner that takes
/// one more in allocates nothing.
pub(crate) struct Inboxes(Box<[Option<Inbox>]>);

impl Inboxes {
    pub(crate) fn with_room_for(len: usize) -> Self {
        Self((0..len).map(|_| None).collect())
    }

    /// True if there was never a lane.
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many places there are.
    pub(crate) fn places(&self) -> usize {
        self.0.len()
    }

    /// How many messages the lanes that are there dropped, and how many tickets they were given back wrongly.
    pub(crate) fn counts(&self) -> (u64, u64) {
        self.iter().map(Inbox::counts).fold((0, 0), |(dropped, misused), counts| {
            (dropped.saturating_add(counts.0), misused.saturating_add(counts.1))
        })
    }

    pub(crate) fn at(&mut self, place: usize) -> Option<&mut Inbox> {
        self.0.get_mut(place)?.as_mut()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Inbox> + Clone {
        self.0.iter().flatten()
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Inbox> {
        self.0.iter_mut().flatten()
    }

    /// Puts the inboxes of lanes that aren't done in here, which is empty, and the newest behind them. Those that are done stay
    /// where they were.
    pub(crate) fn move_in(&mut self, earlier: &mut Self, newest: Inbox) {
        let is_alive = |inbox: &Inbox| !inbox.is_done();
        let alive = earlier.0.iter_mut().filter(|place| place.as_ref().is_some_and(is_alive)).filter_map(Option::take);
        for (place, inbox) in self.0.iter_mut().zip(alive.chain(core::iter::once(newest))) {
            *place = Some(inbox);
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests;

#[cfg(all(test, loom))]
mod loom_tests;
