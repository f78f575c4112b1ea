//! The owner's end of a lane: the queue, and the calls that the lane has in flight.

use crate::in_flight::{Call, InFlight, Returned};
use crate::sync::{Arc, AtomicU64, Ordering};

/// What a lane tells the owner. Times are the sender's own stamps.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Message {
    /// A call is sent; it has this number of the lane's until it comes back. It may be a trial of this epoch.
    Begin { number: u32, start_ns: u64, trial: Option<u32> },
    /// It came back.
    End { number: u32, start_ns: u64, end_ns: u64, ok: bool },
    /// It was not sent after all.
    Abandon { number: u32, now_ns: u64 },
    /// A call without a number came back. It may be a trial of this epoch.
    Record { end_ns: u64, latency_ns: u64, ok: bool, trial: Option<u32> },
    /// The result of a health check.
    Probe { end_ns: u64, latency_ns: u64, ok: bool },
}

/// What a lane counts and its owner reports. Written by the lane's thread alone.
#[derive(Default)]
pub(crate) struct LaneCounts {
    pub(crate) dropped: AtomicU64,
    pub(crate) misused: AtomicU64,
}

pub(crate) struct Inbox {
    messages: rtrb::Consumer<Message>,
    counts: Arc<LaneCounts>,
    /// The owner's ticket for each number; `None` if the call isn't tracked.
    calls: Box<[Option<Call>]>,
    /// A table of its own, as its calls come in an order of their own.
    pub(crate) in_flight: InFlight,
    /// The latest start that this lane told.
    latest_ns: u64,
}

impl Inbox {
    pub(crate) fn new(messages: rtrb::Consumer<Message>, counts: Arc<LaneCounts>, seed: u32) -> Self {
        let len = messages.buffer().capacity();
        Self {
            messages,
            counts,
            calls: vec![None; len].into_boxed_slice(),
            in_flight: InFlight::new(len as u32, seed),
            latest_ns: 0,
        }
    }

    /// The next message, if there is one.
    pub(crate) fn pop(&mut self) -> Option<Message> {
        self.messages.pop().ok()
    }

    /// How many messages, and calls in flight, there are at most.
    pub(crate) fn capacity(&self) -> usize {
        self.calls.len()
    }

    /// The lane is gone, with nothing left to tell or to wait for.
    pub(crate) fn is_done(&self) -> bool {
        // In this order: what was sent before the lane went is seen by the second look.
        self.messages.is_abandoned() && self.messages.is_empty() && self.in_flight.len() == 0
    }

    /// Tracks the call of this number from `seen_ns` on, which is `start_ns`, but not after now; a time before the lane's latest
    /// start counts as that.
    pub(crate) fn begin(&mut self, number: u32, start_ns: u64, seen_ns: u64, trial: bool) {
        self.latest_ns = self.latest_ns.max(seen_ns);
        let (call, _) = self.in_flight.begin(start_ns, self.latest_ns, trial);
        self.set(number, Some(call));
    }

    /// A call that isn't to be tracked: it was sent before the epoch.
    pub(crate) fn begin_stale(&mut self, number: u32) {
        self.set(number, None);
    }

    /// Takes the ticket of this number back; unknown if its epoch is over.
    pub(crate) fn take(&mut self, number: u32) -> Returned {
        match self.set(number, None) {
            Some(call) => self.in_flight.take(call),
            None => Returned::Unknown,
        }
    }

    /// How many messages the lane dropped, and how many tickets it was given back wrongly.
    pub(crate) fn counts(&self) -> (u64, u64) {
        (self.counts.dropped.load(Ordering::Relaxed), self.counts.misused.load(Ordering::Relaxed))
    }

    fn set(&mut self, number: u32, call: Option<Call>) -> Option<Call> {
        self.calls.get_mut(number as usize).and_then(|slot| core::mem::replace(slot, call))
    }
}

/// The queue knows nothing of loom; this is how a lane goes and how its owner finds that out, on atomics of loom's.
#[cfg(all(test, loom))]
mod loom_tests {
    use super::*;

    /// What the queue tells its owner: how many messages were sent, and whether the sender is gone.
    #[derive(Default)]
    struct Queue {
        sent: AtomicU64,
        abandoned: AtomicU64,
    }

    impl Queue {
        fn is_abandoned(&self) -> bool {
            self.abandoned.load(Ordering::Acquire) == 1
        }

        fn is_empty(&self, taken: u64) -> bool {
            self.sent.load(Ordering::Acquire) == taken
        }
    }

    fn check(is_done: fn(&Queue, u64) -> bool) {
        loom::model(move || {
            let queue = Arc::new(Queue::default());
            let lane = {
                let queue = Arc::clone(&queue);
                loom::thread::spawn(move || {
                    for sent in 1..=2 {
                        queue.sent.store(sent, Ordering::Release);
                    }
                    queue.abandoned.store(1, Ordering::Release);
                })
            };
            let mut taken = 0;
            for _ in 0..2 {
                taken = queue.sent.load(Ordering::Acquire).max(taken);
                if is_done(&queue, taken) {
                    assert_eq!(taken, 2, "a message is thrown away");
                }
            }
            lane.join().unwrap();
        });
    }

    /// As in [`Inbox::is_done`].
    #[test]
    fn a_lane_is_done_when_all_it_sent_is_taken() {
        check(|queue, taken| queue.is_abandoned() && queue.is_empty(taken));
    }

    /// Shows that the model finds what it looks for.
    #[test]
    #[should_panic(expected = "a message is thrown away")]
    fn the_other_order_would_throw_messages_away() {
        check(|queue, taken| queue.is_empty(taken) && queue.is_abandoned());
    }
}
