//! The owner's side of a lane. It has two queues, one from each half, and the calls that the lane has in flight.
//!
//! ```text
//!   begin half ──begins, and all that is told there──▶ ┌───────┐
//!                                                      │ inbox │ ──▶ owner
//!   end half ────ends, and all that is told there────▶ └───┬───┘
//!   begin half ◀──numbers of calls whose end was heard─────┘
//! ```
//!
//! A call has a number from its begin until the owner has heard its end, or an epoch has forgotten the call. So orders that never
//! come back take no place for ever. A number's generation tells the end of a forgotten call from the end of the next call that
//! has the number. So between two polls of the owner a lane tells of a number no more than three things: the late end of a
//! forgotten call, the begin of the next call, and its end. Each queue has room for all of that, and no end is ever dropped.
//!
//! The owner first notes how far the end half's queue goes, and then how far the begin half's queue goes. A half tells an end
//! after the begin was told, so the begin of each noted end is noted, too. Then the owner takes both queues in by their stamps,
//! but a call's begin before its end.

use crate::in_flight::{InFlight, Returned};
use crate::ledger::{Epoch, Grants};
use crate::sync::{AtomicU64, Ordering};
use crate::tickets::Untracked;
use crossbeam_utils::CachePadded;
use std::sync::Arc;

/// A message of a lane to its owner. Times are the sender's own stamps.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Message {
    /// A call is sent. It may be a trial of this epoch.
    Begin { start_ns: u64, number: u32, generation: u16, trial: Option<Epoch> },
    /// A call came back.
    End { end_ns: u64, start_ns: u64, number: u32, generation: u16, ok: bool },
    /// A call was not sent after all.
    Abandon { now_ns: u64, number: u32, generation: u16 },
    /// A ticket came back that isn't out: it came back before, or is forged, or is of an epoch that is over.
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
#[derive(Default)]
pub(crate) struct LaneShared {
    pub(crate) counts: [CachePadded<Counts>; 2],
    pub(crate) untracked: CachePadded<Untracked>,
    /// The trials that the lane was granted, whichever half asked.
    pub(crate) grants: Grants,
}

/// What one half counts and the owner reports. The half's thread alone writes it.
#[derive(Default)]
pub(crate) struct Counts {
    pub(crate) dropped: AtomicU64,
    pub(crate) misused: AtomicU64,
}

impl LaneShared {
    /// How many messages both halves dropped.
    pub(crate) fn dropped(&self) -> u64 {
        self.counts.iter().map(|counts| counts.dropped.load(Ordering::Relaxed)).sum()
    }

    /// How many tickets both halves were given back wrongly.
    pub(crate) fn misused(&self) -> u64 {
        self.counts.iter().map(|counts| counts.misused.load(Ordering::Relaxed)).sum()
    }
}

/// So many places of a half's queue are kept for each call. (The begin half may end calls, too.) One more is kept for a message
/// that a thread was about to send when the owner polled. As many more as the lane has calls are for messages that aren't about a
/// call that is out.
pub(crate) const KEPT_BY_BEGINS: usize = 3;
pub(crate) const KEPT_BY_ENDS: usize = 2;

pub(crate) struct Inbox {
    queues: Queues<rtrb::Consumer<Message>>,
    /// Takes the numbers of calls whose end was heard back to the begin half.
    numbers: rtrb::Producer<u32>,
    shared: Arc<LaneShared>,
    /// The lane's calls, in an order of their own.
    pub(crate) in_flight: InFlight,
    /// The generation of each number's latest call that the owner has heard of. The lower half of the ticket's generation is
    /// enough: to mistake another call for it, a thread would have to stop between taking a ticket back and telling so, while the
    /// number goes round 65 536 times.
    generations: Box<[u16]>,
    /// The latest start that this lane told.
    latest_ns: u64,
}

/// The owner's end of a queue. It is a trait, as rtrb knows nothing of loom, and the models have another queue.
trait Queue {
    /// How many messages there are.
    fn slots(&self) -> usize;
    fn peek(&self) -> Option<Message>;
    fn pop(&mut self) -> Option<Message>;
    /// True if the sender is gone.
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

/// What the two halves sent, and how many of these messages the owner has noted and not yet taken.
struct Queues<Q> {
    begin: Q,
    end: Q,
    begin_noted: usize,
    end_noted: usize,
}

impl<Q: Queue> Queues<Q> {
    /// Notes how far the queues go. The owner reads no further, however fast the lane goes on.
    fn note(&mut self) {
        // The order matters: the begin of each noted end is noted, too.
        self.end_noted = self.end.slots();
        self.begin_noted = self.begin.slots();
    }

    /// The next noted message. `has_begun` tells whether the begin of a call was taken.
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

    /// True if both halves are gone, and all messages are taken.
    fn are_done(&self) -> bool {
        // The order matters: the second look sees all that a half sent before it went.
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
    /// The inbox of a lane of this capacity, whose tickets begin with the generation `seed`.
    pub(crate) fn new(capacity: u32, seed: u32, shared: Arc<LaneShared>) -> (Self, LaneQueues) {
        let len = capacity as usize;
        let (to_begin, begin) = rtrb::RingBuffer::new(KEPT_BY_BEGINS * len + 1 + len);
        let (to_end, end) = rtrb::RingBuffer::new(KEPT_BY_ENDS * len + 1 + len);
        let (mut numbers, free) = rtrb::RingBuffer::new(len);
        for number in 1..=capacity {
            let _ = numbers.push(number); // there is room for all
        }
        let queues = Queues { begin, end, begin_noted: 0, end_noted: 0 };
        let generations = vec![seed as u16; len + 1].into_boxed_slice();
        let inbox =
            Self { queues, numbers, shared, in_flight: InFlight::new(capacity, |_| 0), generations, latest_ns: 0 };
        (inbox, LaneQueues { begin: to_begin, end: to_end, numbers: free })
    }

    /// Notes how far the queues go.
    pub(crate) fn note(&mut self) {
        self.queues.note();
    }

    /// The next noted message.
    pub(crate) fn next(&mut self) -> Option<Message> {
        let Self { queues, generations, .. } = self;
        // The calls of a number begin one after the other, so only the begin of the next one can be unheard.
        queues.next(|(number, generation)| generation_of(generations, number).wrapping_add(1) != generation)
    }

    /// True if the lane is gone, all its messages are taken, and none of its calls is in flight.
    pub(crate) fn is_done(&self) -> bool {
        self.queues.are_done() && self.in_flight.len() == 0
    }

    /// Tracks a call from `seen_ns` on, which is its start, but not after now. A time before the lane's latest start counts as the
    /// latest start.
    pub(crate) fn begin(&mut self, number: u32, generation: u16, seen_ns: u64, trial: bool) {
        self.note_generation(number, generation);
        self.latest_ns = self.latest_ns.max(seen_ns);
        self.in_flight.begin(id(number, generation), self.latest_ns);
        if trial {
            self.in_flight.begin_trial(number);
        }
    }

    /// Frees the number of a call that isn't to be tracked, as it was sent before the epoch.
    pub(crate) fn begin_stale(&mut self, number: u32, generation: u16) {
        self.note_generation(number, generation);
        let _ = self.numbers.push(number); // a full queue has all numbers
    }

    fn note_generation(&mut self, number: u32, generation: u16) {
        if let Some(slot) = self.generations.get_mut(number as usize) {
            *slot = generation;
        }
    }

    /// Ends a call whose end was heard, and frees its number. The call is unknown if an epoch has forgotten it.
    pub(crate) fn end(&mut self, number: u32, generation: u16) -> Returned {
        if generation_of(&self.generations, number) != generation {
            return Returned::Unknown;
        }
        let returned = self.in_flight.remove(id(number, generation), 0);
        if returned != Returned::Unknown {
            let _ = self.numbers.push(number); // a full queue has all numbers
        }
        returned
    }

    /// Forgets the calls in flight, and frees their numbers, as a new epoch begins.
    pub(crate) fn clear(&mut self) {
        let numbers = &mut self.numbers;
        self.in_flight.clear(|number| {
            let _ = numbers.push(number); // a full queue has all numbers
            0
        });
        self.latest_ns = 0; // a clock that jumped goes on earlier
    }

    /// How many messages the lane dropped, and how many tickets it was given back wrongly.
    pub(crate) fn counts(&self) -> (u64, u64) {
        (self.shared.dropped(), self.shared.misused())
    }
}

/// The id of a call in flight.
fn id(number: u32, generation: u16) -> u64 {
    u64::from(number) | u64::from(generation) << 32
}

fn generation_of(generations: &[u16], number: u32) -> u16 {
    generations.get(number as usize).copied().unwrap_or_default()
}

/// The inboxes of all lanes, in the order in which they came. There is a place for each inbox that there may be, so that an owner
/// that takes in one more allocates nothing.
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

    /// How many messages these lanes dropped, and how many tickets they were given back wrongly.
    pub(crate) fn counts(&self) -> (u64, u64) {
        self.iter().map(Inbox::counts).fold((0, 0), |sum, counts| (sum.0 + counts.0, sum.1 + counts.1))
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

    /// Moves those of the earlier inboxes that aren't done to here, and puts the newest one behind them. The others stay where they
    /// were. There were no inboxes here before.
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
