//! Lanes: what other threads than the owner report through.

mod reporter;

use crate::clock::Clock;
use crate::handles::{Gate, Halted, Observer, Resumed, Why};
use crate::holder::Holder;
use crate::inbox::{Inbox, KEPT_BY_BEGINS, KEPT_BY_ENDS, LaneQueues, LaneShared, Message};
use crate::ledger::Epoch;
use crate::tickets::{Call, Tickets};
use crate::watch::Watch;
use core::fmt;
use core::ops::Deref;
use reporter::{ALONE, Half, Reporter, SHARED};
use std::sync::Arc;

/// Asks a breaker, and reports calls to its owner. It is a [`Gate`], too.
///
/// A lane tells the owner by bounded queues, which are wait-free for the thread that reports. That may be any thread. The owner
/// takes in what it is told when it polls.
///
/// A lane of capacity `n` tracks `n` calls: each from its begin until the owner has heard its end, or an epoch has forgotten the
/// call. The lane takes a record or a check as long as the owner has fewer than `n` messages of the same half to take in (a call
/// makes two messages, its begin and its end). The lane drops and counts what it can't take
/// ([`Snapshot::dropped`](crate::Snapshot::dropped)). But the end of a call whose begin went through always goes through, too. So
/// a full lane can't make a call look lost. A lane that is too full for another call refuses it in [`allow`](Self::allow).
///
/// A lane is for one thread. [`split`](Self::split) makes two halves of it: for the thread that sends, and for the thread that
/// hears answers.
///
/// The calls of each lane are in an order of their own. Their samples may arrive late. A late sample is taken as if it had ended
/// at the latest time that the owner had seen. Whether a sample is stale is decided by its own stamps.
///
/// Drop a lane when its calls are back, or abandon them: a call that is left in flight becomes overdue, and stalls.
pub struct Lane {
    begin: BeginHalf,
    /// It waits to be split off. A lane of one thread tells everything through the begin half's queue, so that the owner hears it
    /// in the order in which it was told.
    end: EndHalf,
}

/// The half of a [`Lane`] on which calls begin. It is for one thread at a time.
///
/// This half ends calls, too, if they fail or are abandoned: a send may fail. If both halves give back the same ticket, the first
/// to do so has ended the call.
pub struct BeginHalf {
    reporter: Reporter,
    /// The numbers that stand for no call.
    numbers: rtrb::Consumer<u32>,
    /// Whether the owner is alive, as this lane sees it.
    watch: Watch,
}

/// The half of a [`Lane`] on which calls end. It is for one thread at a time.
pub struct EndHalf {
    reporter: Reporter,
}

impl BeginHalf {
    /// As [`Lane::allow`].
    #[must_use = "a grant that is neither sent nor released is a lost trial"]
    #[inline]
    pub fn allow(&mut self) -> bool {
        let has_room = self.numbers.cached_slots() > 0;
        has_room && self.reporter.gate.page.gate().is_clear() || self.allow_unless_refused()
    }

    /// As [`Lane::why`].
    pub fn why(&self) -> Why {
        self.reporter.gate.observer().why().of_lane(self.numbers.is_empty())
    }

    #[cold]
    #[inline(never)]
    fn allow_unless_refused(&mut self) -> bool {
        let (page, grants) = (&self.reporter.gate.page, &self.reporter.shared.grants);
        if self.numbers.is_empty() { page.ask_when_full(grants) } else { page.gate().is_clear() || page.ask(grants) }
    }

    /// As [`Lane::release`].
    pub fn release(&mut self) {
        self.reporter.gate.page.release(&self.reporter.shared.grants);
    }

    /// As [`Lane::begin`]. Hand the ticket to the end half.
    #[inline]
    pub fn begin(&mut self) -> Call {
        self.begin_at(self.reporter.clock.now_ns())
    }

    /// [`begin`](Self::begin) at a given time, on the breaker's clock.
    #[inline(always)] // or it is a second call in the C library, which has two callers of it
    pub fn begin_at(&mut self, now_ns: u64) -> Call {
        if self.watch.is_due(now_ns) {
            self.watch.look(&self.reporter.gate.page, now_ns);
        }
        if let Ok(number) = self.numbers.pop()
            && let Some(call) = self.reporter.tickets.issue(number, now_ns)
        {
            let (generation, trial) = (call.generation() as u16, self.reporter.claim());
            self.reporter.push(Message::Begin { start_ns: now_ns, number, generation, trial });
            call
        } else {
            self.begin_untracked(now_ns)
        }
    }

    #[cold]
    fn begin_untracked(&mut self, now_ns: u64) -> Call {
        self.reporter.count(|counts| &counts.dropped);
        let trial = self.reporter.claim();
        let generation = trial.map_or(0, Epoch::number);
        self.reporter.shared.untracked.issue(now_ns, generation, trial.is_some())
    }
}

/// For C, which may tell a half what is the other half's: that is counted.
impl BeginHalf {
    #[cold]
    pub(crate) fn count_misused(&self) -> bool {
        self.reporter.count(|counts| &counts.misused);
        false
    }

    /// A call that is ended on the wrong half has ended all the same.
    #[cold]
    pub(crate) fn end_misplaced(&mut self, now_ns: u64, call: Call) {
        self.count_misused();
        self.reporter.finish_at(now_ns, call, true, SHARED);
    }
}

impl EndHalf {
    #[cold]
    pub(crate) fn count_misused(&self) -> bool {
        self.reporter.count(|counts| &counts.misused);
        false
    }
}

/// What is on both halves, and on a whole lane; `$reporter` tells and `$redeem` takes tickets back.
macro_rules! on_both_halves {
    ($type:ty, $self:ident => $reporter:expr, $redeem:expr) => {
        impl $type {
            /// Tells that the venue or the transport failed the call: timeout, disconnect, system error.
            #[inline]
            pub fn fail(&mut self, call: Call) {
                self.fail_at(self.now_ns(), call);
            }

            /// [`fail`](Self::fail) at a given time, on the breaker's clock.
            #[inline]
            pub fn fail_at(&mut $self, now_ns: u64, call: Call) {
                $reporter.finish_at(now_ns, call, false, $redeem);
            }

            /// Tells that the call was not sent after all, or that nobody wants to know how it ends. It makes no sample. If it
            /// was a trial, the trial counts neither way. This reads no clock, as the owner's `abandon` doesn't.
            #[inline]
            pub fn abandon(&mut self, call: Call) {
                self.abandon_at(call.start_ns(), call); // which the owner has seen by then
            }

            /// [`abandon`](Self::abandon) at a given time, on the breaker's clock.
            #[inline]
            pub fn abandon_at(&mut $self, now_ns: u64, call: Call) {
                $reporter.abandon_at(now_ns, call, $redeem);
            }

            /// Tells that a call without a ticket came back with an answer after so many nanoseconds.
            #[inline]
            pub fn record(&mut self, latency_ns: u64) {
                self.record_at(self.now_ns(), latency_ns);
            }

            /// [`record`](Self::record) at the time of the answer, on the breaker's clock.
            #[inline]
            pub fn record_at(&mut $self, now_ns: u64, latency_ns: u64) {
                $reporter.record_at(now_ns, latency_ns, true);
            }

            /// Tells that a call without a ticket failed after so many nanoseconds.
            #[inline]
            pub fn record_failure(&mut self, latency_ns: u64) {
                self.record_failure_at(self.now_ns(), latency_ns);
            }

            /// [`record_failure`](Self::record_failure) at the time of the failure, on the breaker's clock.
            #[inline]
            pub fn record_failure_at(&mut $self, now_ns: u64, latency_ns: u64) {
                $reporter.record_at(now_ns, latency_ns, false);
            }

            /// The time on the breaker's clock, for `_at` operations.
            #[inline]
            pub fn now_ns(&$self) -> u64 {
                $reporter.clock.now_ns()
            }

            /// How many messages both halves have dropped, because the owner doesn't poll often enough for this lane.
            pub fn dropped(&$self) -> u64 {
                $reporter.shared.dropped()
            }
        }
    };
}

/// What is on the end half, and on a whole lane.
macro_rules! on_the_end_half {
    ($type:ty, $self:ident => $reporter:expr, $redeem:expr) => {
        impl $type {
            /// Tells that the call came back with an answer. A business reject is an answer.
            #[inline]
            pub fn end(&mut self, call: Call) {
                self.end_at(self.now_ns(), call);
            }

            /// [`end`](Self::end) at a given time, on the breaker's clock.
            #[inline]
            pub fn end_at(&mut $self, now_ns: u64, call: Call) {
                $reporter.finish_at(now_ns, call, true, $redeem);
            }

            /// Tells the result of a health check.
            #[inline]
            pub fn record_probe(&mut self, latency_ns: u64, ok: bool) {
                self.record_probe_at(self.now_ns(), latency_ns, ok);
            }

            /// [`record_probe`](Self::record_probe) at the time of the result, on the breaker's clock.
            #[inline]
            pub fn record_probe_at(&mut $self, now_ns: u64, latency_ns: u64, ok: bool) {
                $reporter.push_if_room(|_| Message::Probe { end_ns: now_ns, latency_ns, ok });
            }
        }
    };
}

on_both_halves!(Lane, self => self.begin.reporter, ALONE);
on_the_end_half!(Lane, self => self.begin.reporter, ALONE);
on_both_halves!(BeginHalf, self => self.reporter, SHARED);
on_both_halves!(EndHalf, self => self.reporter, SHARED);
on_the_end_half!(EndHalf, self => self.reporter, SHARED);

impl Lane {
    /// A lane of this capacity, and its inbox, which is for the owner.
    pub(crate) fn new(capacity: u32, gate: &Gate, clock: &Clock, seed: u32) -> (Self, Inbox) {
        let shared = Arc::new(LaneShared::default());
        let tickets = Tickets::new(capacity, seed);
        let (inbox, LaneQueues { begin, end, numbers }) = Inbox::new(capacity, seed, Arc::clone(&shared));
        let len = capacity as usize;
        let reporter = |messages, kept, half| Reporter {
            messages,
            kept,
            tickets: tickets.clone(),
            gate: gate.clone(),
            shared: Arc::clone(&shared),
            half,
            clock: clock.clone(),
        };
        let end = EndHalf { reporter: reporter(end, KEPT_BY_ENDS * len + 1, Half::End) };
        let begin = BeginHalf {
            reporter: reporter(begin, KEPT_BY_BEGINS * len + 1, Half::Begin),
            numbers,
            watch: Watch::default(),
        };
        (Self { begin, end }, inbox)
    }

    /// Makes two halves of the lane: one for the thread on which calls begin, and one for the thread on which they end. Tickets
    /// that are out stay good.
    ///
    /// ```
    /// use std::sync::mpsc;
    /// use trip99::{Breaker, Config};
    ///
    /// let mut breaker = Breaker::new(Config::default())?;
    /// let (mut begins, mut ends) = breaker.lane().split();
    /// let (sent, to_be_answered) = mpsc::channel();
    /// let sender = std::thread::spawn(move || {
    ///     if begins.allow() {
    ///         let call = begins.begin();
    ///         // send the order ...
    ///         sent.send(call).expect("the receiver is there");
    ///     }
    /// });
    /// let receiver = std::thread::spawn(move || {
    ///     for call in to_be_answered {
    ///         // await the answer ...
    ///         ends.end(call);
    ///     }
    /// });
    /// sender.join().expect("the sender panicked");
    /// receiver.join().expect("the receiver panicked");
    /// breaker.poll();
    /// assert_eq!((breaker.snapshot().samples, breaker.snapshot().misused), (1, 0));
    /// # Ok::<(), trip99::ConfigError>(())
    /// ```
    pub fn split(self) -> (BeginHalf, EndHalf) {
        (self.begin, self.end)
    }

    /// May an order be sent now? While the breaker is closed, the answer takes a load, a look at the lane's own room, and a
    /// branch.
    ///
    /// This asks as [`Gate::allow`](crate::Gate::allow) does. Besides, a lane that is too full to take the call's begin refuses,
    /// unless the breaker is in shadow.
    #[must_use = "a grant that is neither sent nor released is a lost trial"]
    #[inline]
    pub fn allow(&mut self) -> bool {
        self.begin.allow()
    }

    /// Why [`allow`](Self::allow) refuses now, for the text of a reject: as [`Observer::why`], and that the lane is full if it is.
    pub fn why(&self) -> Why {
        self.begin.why()
    }

    /// Gives back a trial that [`allow`](Self::allow) granted to this lane and that will not be sent, as
    /// [`Gate::release`](crate::Gate::release) does for a gate.
    pub fn release(&mut self) {
        self.begin.release();
    }

    /// Tells that a call is sent, and returns its ticket. Give the ticket back once, by [`end`](Self::end),
    /// [`fail`](Self::fail) or [`abandon`](Self::abandon) on this lane.
    ///
    /// A full lane can't track the call, and counts it as dropped. The end of such a call is a record without a ticket; if the call
    /// was a trial, the record is the trial's.
    #[inline]
    pub fn begin(&mut self) -> Call {
        self.begin.begin()
    }

    /// [`begin`](Self::begin) at a given time, on the breaker's clock.
    #[inline(always)] // as `BeginHalf::begin_at`
    pub fn begin_at(&mut self, now_ns: u64) -> Call {
        self.begin.begin_at(now_ns)
    }
}

/// A lane and its begin half are a [`Gate`], too. Its end half asks nothing, so it is an [`Observer`] that halts and resumes.
macro_rules! as_handles {
    ($($type:ident is $handle:ident, $self:ident => $reporter:expr;)+) => {$(
        impl Deref for $type {
            type Target = $handle;

            #[inline]
            fn deref(&$self) -> &$handle {
                &$reporter.gate
            }
        }

        impl fmt::Debug for $type {
            fn fmt(&$self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($type))
                    .field("capacity", &$reporter.tickets.capacity())
                    .field("dropped", &$reporter.shared.dropped())
                    .finish()
            }
        }
    )+};
}

as_handles!(
    Lane is Gate, self => self.begin.reporter;
    BeginHalf is Gate, self => self.reporter;
    EndHalf is Observer, self => self.reporter;
);

impl EndHalf {
    /// As [`Gate::halt`].
    pub fn halt(&self, reason: &str) -> Halted {
        self.reporter.gate.halt(reason)
    }

    /// As [`Gate::halt_as`].
    pub fn halt_as(&self, holder: Holder, reason: &str) -> Halted {
        self.reporter.gate.halt_as(holder, reason)
    }

    /// As [`Gate::resume`].
    pub fn resume(&self, reason: &str) -> Resumed {
        self.reporter.gate.resume(reason)
    }

    /// As [`Gate::resume_as`].
    pub fn resume_as(&self, holder: Holder, reason: &str) -> Resumed {
        self.reporter.gate.resume_as(holder, reason)
    }
}
