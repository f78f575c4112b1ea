//! For other threads than the owner: gates to ask, and lanes to report through.

use crate::breaker::Breaker;
use crate::clock::Clock;
use crate::config::State;
use crate::in_flight::Call;
use crate::inbox::{LaneCounts, Message};
use crate::page::{Answer, Observer, PageHandle};
use crate::sync::{Arc, AtomicU64, Ordering};
use core::fmt;

/// Asks a breaker, from any thread: clone it, send it, share it.
///
/// It takes part in trials, too: all gates and the owner together never get more than the breaker grants.
///
/// ```
/// use trip99::{Breaker, Config};
///
/// let mut breaker = Breaker::new(Config::default())?;
/// let gate = breaker.gate();
/// let mut lane = breaker.lane();
/// let trader = std::thread::spawn(move || {
///     if gate.allow() {
///         let call = lane.begin(); // stamps the TSC
///         // send the order, await the answer ...
///         lane.end(call);
///     }
/// });
/// trader.join().expect("the trader panicked");
/// breaker.poll(); // takes in what lanes have sent
/// assert_eq!(breaker.snapshot().samples, 1);
/// # Ok::<(), trip99::ConfigError>(())
/// ```
pub struct Gate {
    observer: Observer,
    /// One more than the epoch of the trial that this handle was granted last; 0 = none.
    granted: AtomicU64,
}

impl Gate {
    /// May an order be sent now? While closed this is one load and a branch.
    ///
    /// Ask for what adds risk. Don't ask for a cancel or a reduce-only order: refusing those would trap a position.
    /// While half-open, true means that a trial is granted: send it (the next call begun on any lane, or by the owner, is
    /// taken for it), or give it back by [`release`](Self::release).
    ///
    /// A gate fires no timers: how soon it lets trials pass after a pause is up to how often the owner polls. When the
    /// breaker is gone its gates show open and refuse (but in shadow, which refuses nothing): nobody watches any more.
    #[must_use = "a grant that is neither sent nor released is a lost trial"]
    #[inline]
    pub fn allow(&self) -> bool {
        self.observer.page.is_clear() || self.allow_unless_refused()
    }

    #[cold]
    #[inline(never)]
    fn allow_unless_refused(&self) -> bool {
        match self.observer.page.ask() {
            Answer::Pass => {
                // Under shadow it may be half-open all the same: there is nothing to release of this.
                self.granted.store(0, Ordering::Relaxed);
                true
            }
            Answer::Trial(epoch) => {
                self.granted.store(u64::from(epoch) + 1, Ordering::Relaxed);
                true
            }
            Answer::Refuse => false,
        }
    }

    /// Gives back the trial that this handle was granted last and that will not be sent; it counts neither way. The owner
    /// takes it back at its next poll. Does nothing if there is no such trial.
    pub fn release(&self) {
        let granted = self.granted.swap(0, Ordering::Relaxed);
        if let Some(epoch) = granted.checked_sub(1) {
            self.observer.page.trials().give_back(epoch as u32);
        }
    }

    /// The automatic state now; `None` if the gate holds a value that no version writes (calls are refused then).
    pub fn state(&self) -> Option<State> {
        self.observer.state()
    }

    /// True if trading is halted now.
    pub fn is_halted(&self) -> bool {
        self.observer.is_halted()
    }

    /// Refuses every call from now on, whatever the automatic state, until [`resume`](Self::resume). The gate is shut when
    /// this returns; the owner journals it at its next poll or refusal.
    pub fn halt(&self) {
        self.observer.page.halt();
    }

    /// Ends a halt. The automatic state decides again, as it went on meanwhile.
    pub fn resume(&self) {
        self.observer.page.resume();
    }

    /// A read-only view.
    pub fn observer(&self) -> Observer {
        self.observer.clone()
    }
}

impl Clone for Gate {
    /// The clone has no trial to release.
    fn clone(&self) -> Self {
        Self { observer: self.observer.clone(), granted: AtomicU64::new(0) }
    }
}

impl fmt::Debug for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gate").field("state", &self.state()).field("halted", &self.is_halted()).finish()
    }
}

/// Reports one thread's calls to the owner, through a bounded queue: wait-free for the reporting thread, which may be any.
/// The owner takes them in when it polls.
///
/// A full lane drops what it is told, and counts that ([`Snapshot::dropped`](crate::Snapshot::dropped)); but the end of a
/// call whose begin went through always goes through, too, so a full lane can't make a call look lost.
///
/// The calls of each lane are in an order of their own. Their samples may arrive late: each is taken as if it had ended
/// when it was told, or at the latest time that the owner had seen, if that is later; whether it is stale goes by its own
/// stamps. Drop a lane when its calls are back, or abandon them: what it
/// leaves in flight becomes overdue, and stalls.
pub struct Lane {
    messages: rtrb::Producer<Message>,
    page: PageHandle,
    clock: Clock,
    counts: Arc<LaneCounts>,
    /// The calls of this lane; a call's number is its index.
    tickets: Box<[Ticket]>,
    /// Numbers that are free, in `free[.. free_len]`.
    free: Box<[u32]>,
    free_len: usize,
    /// Calls begun while the lane was full, and not back yet.
    untracked: u32,
}

#[derive(Clone, Copy)]
struct Ticket {
    start_ns: u64,
    generation: u32,
    is_out: bool,
}

impl Lane {
    /// A call is sent: returns its ticket, to be given back by [`end`](Self::end), [`fail`](Self::fail) or
    /// [`abandon`](Self::abandon) on this lane.
    #[inline]
    pub fn begin(&mut self) -> Call {
        self.begin_at(self.clock.now_ns())
    }

    /// [`begin`](Self::begin) at a given time, on the breaker's clock.
    #[inline(always)] // or it is a second call in the C library, which has two callers of it
    pub fn begin_at(&mut self, now_ns: u64) -> Call {
        // Room for this, and for the end of each call that is out, this one included.
        if !self.has_room(self.out() + 2) {
            return self.begin_untracked(now_ns);
        }
        let last = self.free_len.wrapping_sub(1);
        let Some(&number) = self.free.get(last) else { return self.begin_untracked(now_ns) };
        let Some(ticket) = self.tickets.get_mut(number as usize) else { return self.begin_untracked(now_ns) };
        self.free_len = last;
        let generation = ticket.generation.wrapping_add(1);
        *ticket = Ticket { start_ns: now_ns, generation, is_out: true };
        self.push(Message::Begin { number, start_ns: now_ns, trial: self.claim() });
        Call::new(now_ns, number, generation)
    }

    #[cold]
    fn begin_untracked(&mut self, now_ns: u64) -> Call {
        self.count_dropped();
        self.untracked = self.untracked.saturating_add(1);
        Call::untracked(now_ns)
    }

    /// The call came back with an answer (a business reject is one).
    #[inline]
    pub fn end(&mut self, call: Call) {
        self.end_at(self.clock.now_ns(), call);
    }

    /// [`end`](Self::end) at a given time, on the breaker's clock.
    #[inline]
    pub fn end_at(&mut self, now_ns: u64, call: Call) {
        self.finish_at(now_ns, call, true);
    }

    /// The venue or the transport failed the call: timeout, disconnect, system error.
    #[inline]
    pub fn fail(&mut self, call: Call) {
        self.fail_at(self.clock.now_ns(), call);
    }

    /// [`fail`](Self::fail) at a given time, on the breaker's clock.
    #[inline]
    pub fn fail_at(&mut self, now_ns: u64, call: Call) {
        self.finish_at(now_ns, call, false);
    }

    /// The call was not sent after all, or nobody wants to know: no sample, and a trial counts neither way.
    #[inline]
    pub fn abandon(&mut self, call: Call) {
        self.abandon_at(self.clock.now_ns(), call);
    }

    /// [`abandon`](Self::abandon) at a given time, on the breaker's clock.
    #[inline(always)] // as `begin_at`
    pub fn abandon_at(&mut self, now_ns: u64, call: Call) {
        match self.take(call) {
            Taken::Number(number) => self.push(Message::Abandon { number, now_ns }),
            Taken::Untracked => {}
            Taken::Unknown => self.count_misused(),
        }
    }

    /// A call without a ticket came back with an answer after so many nanoseconds.
    #[inline]
    pub fn record(&mut self, latency_ns: u64) {
        self.record_at(self.clock.now_ns(), latency_ns);
    }

    /// [`record`](Self::record) at a given time, that of the answer, on the breaker's clock.
    #[inline]
    pub fn record_at(&mut self, now_ns: u64, latency_ns: u64) {
        self.push_record(now_ns, latency_ns, true, true);
    }

    /// A call without a ticket failed after so many nanoseconds.
    #[inline]
    pub fn record_failure(&mut self, latency_ns: u64) {
        self.record_failure_at(self.clock.now_ns(), latency_ns);
    }

    /// [`record_failure`](Self::record_failure) at a given time, that of the failure, on the breaker's clock.
    #[inline]
    pub fn record_failure_at(&mut self, now_ns: u64, latency_ns: u64) {
        self.push_record(now_ns, latency_ns, false, true);
    }

    /// The result of a health check.
    #[inline]
    pub fn record_probe(&mut self, latency_ns: u64, ok: bool) {
        self.record_probe_at(self.clock.now_ns(), latency_ns, ok);
    }

    /// [`record_probe`](Self::record_probe) at a given time, that of the result, on the breaker's clock.
    #[inline]
    pub fn record_probe_at(&mut self, now_ns: u64, latency_ns: u64, ok: bool) {
        self.push_if_room(Message::Probe { end_ns: now_ns, latency_ns, ok });
    }

    /// The time on the breaker's clock, for `_at` operations.
    #[inline]
    pub fn now_ns(&self) -> u64 {
        self.clock.now_ns()
    }

    /// How many messages this lane has dropped, because the owner doesn't poll often enough for it.
    pub fn dropped(&self) -> u64 {
        self.counts.dropped.load(Ordering::Relaxed)
    }

    #[inline(always)] // as `begin_at`
    fn finish_at(&mut self, now_ns: u64, call: Call, ok: bool) {
        match self.take(call) {
            Taken::Number(number) => {
                self.push(Message::End { number, start_ns: call.start_ns(), end_ns: now_ns, ok });
            }
            Taken::Untracked => {
                let latency_ns = now_ns.saturating_sub(call.start_ns());
                self.push_record(now_ns, latency_ns, ok, false);
            }
            Taken::Unknown => self.count_misused(),
        }
    }

    fn take(&mut self, call: Call) -> Taken {
        let number = call.slot();
        match self.tickets.get_mut(number as usize) {
            Some(ticket)
                if ticket.is_out && ticket.generation == call.generation() && ticket.start_ns == call.start_ns() =>
            {
                ticket.is_out = false;
                if let Some(free) = self.free.get_mut(self.free_len) {
                    *free = number;
                    self.free_len += 1;
                }
                Taken::Number(number)
            }
            None if call.is_untracked() && self.untracked > 0 => {
                self.untracked -= 1;
                Taken::Untracked
            }
            _ => Taken::Unknown,
        }
    }

    /// Numbers out: each has room for its end.
    #[inline]
    fn out(&self) -> usize {
        self.tickets.len() - self.free_len
    }

    #[inline]
    fn has_room(&self, len: usize) -> bool {
        self.messages.cached_slots() >= len || self.messages.slots() >= len
    }

    /// Room was seen to: the queue isn't full.
    #[inline]
    fn push(&mut self, message: Message) {
        if self.messages.push(message).is_err() {
            self.count_dropped();
        }
    }

    #[inline(always)] // as `begin_at`
    fn push_if_room(&mut self, message: Message) {
        if self.has_room(self.out() + 1) {
            self.push(message);
        } else {
            self.count_dropped();
        }
    }

    /// `may_be_trial`: as the end of a call that began untracked isn't.
    #[inline(always)] // as `push_if_room`
    fn push_record(&mut self, end_ns: u64, latency_ns: u64, ok: bool, may_be_trial: bool) {
        if self.has_room(self.out() + 1) {
            let trial = if may_be_trial { self.claim() } else { None };
            self.push(Message::Record { end_ns, latency_ns, ok, trial });
        } else {
            self.count_dropped();
        }
    }

    /// The trial that the call that begins now is, if trials are out that haven't begun.
    #[inline]
    fn claim(&self) -> Option<u32> {
        if self.page.is_clear() { None } else { self.claim_trial() }
    }

    #[cold]
    #[inline(never)]
    fn claim_trial(&self) -> Option<u32> {
        self.page.trials().claim()
    }

    /// Only this thread writes the counts.
    #[cold]
    fn count_dropped(&self) {
        self.counts.dropped.store(self.counts.dropped.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
    }

    #[cold]
    fn count_misused(&self) {
        self.counts.misused.store(self.counts.misused.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
    }
}

enum Taken {
    Number(u32),
    Untracked,
    Unknown,
}

impl fmt::Debug for Lane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lane").field("in_flight", &self.out()).field("dropped", &self.dropped()).finish()
    }
}

impl Breaker {
    /// Messages that a lane holds, unless said otherwise.
    pub const LANE_CAPACITY: u32 = 4096;

    /// A handle to ask through, for any thread. Cheap; clone it for more.
    pub fn gate(&mut self) -> Gate {
        self.share();
        Gate { observer: self.observer(), granted: AtomicU64::new(0) }
    }

    /// A handle to report through, for one other thread, which holds [`LANE_CAPACITY`](Self::LANE_CAPACITY) messages between two polls.
    /// Allocates: make lanes at start-up.
    pub fn lane(&mut self) -> Lane {
        self.lane_with_capacity(Self::LANE_CAPACITY)
    }

    /// A [`lane`](Self::lane) that holds so many messages, and as many calls in flight less two. 4 to 1 048 576; what is
    /// outside is brought within.
    pub fn lane_with_capacity(&mut self, messages: u32) -> Lane {
        let len = messages.clamp(4, 1 << 20);
        let (producer, consumer) = rtrb::RingBuffer::new(len as usize);
        let counts = Arc::new(LaneCounts::default());
        let seed = self.add_inbox(consumer, Arc::clone(&counts));
        Lane {
            messages: producer,
            page: self.observer().page,
            clock: self.clock().clone(),
            counts,
            tickets: vec![Ticket { start_ns: 0, generation: seed, is_out: false }; len as usize].into_boxed_slice(),
            free: (0..len).collect(),
            free_len: len as usize,
            untracked: 0,
        }
    }
}
