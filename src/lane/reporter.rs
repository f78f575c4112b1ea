//! What both halves of a lane have: the queue in which they tell the owner, and the way in which they take tickets back.

use crate::clock::{Clock, is_no_time};
use crate::handles::Gate;
use crate::inbox::{Counts, LaneShared, Message};
use crate::ledger::Epoch;
use crate::sync::{AtomicU64, Ordering};
use crate::tickets::{Call, Tickets};
use std::sync::Arc;

/// One half's part of it.
pub(super) struct Reporter {
    pub(super) messages: rtrb::Producer<Message>,
    /// How many places of the queue are kept for calls.
    pub(super) kept: usize,
    pub(super) tickets: Tickets,
    pub(super) gate: Gate,
    pub(super) shared: Arc<LaneShared>,
    pub(super) half: Half,
    pub(super) clock: Clock,
}

#[derive(Clone, Copy)]
pub(super) enum Half {
    Begin = 0,
    End = 1,
}

/// How a half takes a ticket back.
pub(super) type Redeem = fn(&Tickets, Call) -> bool;
/// The way for a half: the other half takes tickets back, too.
pub(super) const SHARED: Redeem = Tickets::redeem_shared;
/// The way for a lane that isn't split.
pub(super) const ALONE: Redeem = Tickets::redeem;

impl Reporter {
    #[inline(always)] // or it is a second call in the C library, which has two callers of it
    pub(super) fn finish_at(&mut self, now_ns: u64, call: Call, ok: bool, redeem: Redeem) {
        if redeem(&self.tickets, call) {
            let (start_ns, number, generation) = (call.start_ns(), call.number(), call.generation() as u16);
            self.push(Message::End { end_ns: now_ns, start_ns, number, generation, ok });
        } else {
            self.finish_untracked(now_ns, call, ok);
        }
    }

    /// The call is a record without a ticket. If it had claimed a trial, the record is the trial's.
    #[cold]
    pub(super) fn finish_untracked(&mut self, end_ns: u64, call: Call, ok: bool) {
        if let Some(trial) = self.redeem_untracked(end_ns, call, true) {
            let latency_ns = end_ns.saturating_sub(call.start_ns());
            self.push_if_room(|_| Message::Record { end_ns, latency_ns, ok, trial });
        }
    }

    #[inline(always)] // as `finish_at`
    pub(super) fn abandon_at(&mut self, now_ns: u64, call: Call, redeem: Redeem) {
        if redeem(&self.tickets, call) {
            self.push(Message::Abandon { now_ns, number: call.number(), generation: call.generation() as u16 });
        } else {
            self.abandon_untracked(now_ns, call);
        }
    }

    #[cold]
    pub(super) fn abandon_untracked(&mut self, now_ns: u64, call: Call) {
        if let Some(Some(epoch)) = self.redeem_untracked(now_ns, call, false) {
            self.gate.page.board().trials.0.give_back_begun(epoch);
        }
    }

    /// The trial that an untracked call had claimed. `None` if this is no such call's ticket; the owner is told then.
    pub(super) fn redeem_untracked(&mut self, now_ns: u64, call: Call, ended: bool) -> Option<Option<Epoch>> {
        let trial = self.shared.untracked.redeem(call);
        if trial.is_none() {
            if self.has_room() {
                self.push(Message::Unknown { now_ns, start_ns: call.start_ns(), ended });
            } else {
                self.count(|counts| &counts.misused);
            }
        }
        trial.map(|trial| Epoch::from_number(call.generation()).filter(|_| trial))
    }

    #[inline(always)] // as `finish_at`
    pub(super) fn record_at(&mut self, end_ns: u64, latency_ns: u64, ok: bool) {
        self.push_if_room(|reporter| {
            let trial = reporter.claim_recorded(latency_ns);
            Message::Record { end_ns, latency_ns, ok, trial }
        });
    }

    /// The trial that a call without a ticket was, if there was one. What is no time is no trial's result.
    #[inline]
    fn claim_recorded(&self, latency_ns: u64) -> Option<Epoch> {
        if self.gate.page.gate().is_clear() || is_no_time(latency_ns) { None } else { self.claim_trial() }
    }

    /// The trial that the call which begins now is. There is one if a trial was granted and hasn't begun.
    #[inline]
    pub(super) fn claim(&self) -> Option<Epoch> {
        if self.gate.page.gate().is_clear() { None } else { self.claim_trial() }
    }

    #[cold]
    #[inline(never)]
    pub(super) fn claim_trial(&self) -> Option<Epoch> {
        if self.gate.page.has_ended() {
            return None; // the trials may be a later owner's
        }
        let trial = self.gate.page.board().trials.0.claim();
        if let Some(epoch) = trial {
            self.shared.grants.begin(epoch);
        }
        trial
    }

    /// For what is told of a call: there is always room for that.
    #[inline]
    pub(super) fn push(&mut self, message: Message) {
        if self.messages.push(message).is_err() {
            self.count(|counts| &counts.dropped);
        }
    }

    #[inline(always)] // as `finish_at`
    pub(super) fn push_if_room(&mut self, message: impl FnOnce(&Self) -> Message) {
        if self.has_room() {
            let message = message(self);
            self.push(message);
        } else {
            self.count(|counts| &counts.dropped);
        }
    }

    /// Whether there is room for what isn't told of a call that is out.
    #[inline(always)] // as `finish_at`
    pub(super) fn has_room(&self) -> bool {
        self.messages.cached_slots() > self.kept || self.messages.slots() > self.kept
    }

    /// Only this thread writes this half's counts.
    #[cold]
    pub(super) fn count(&self, which: impl FnOnce(&Counts) -> &AtomicU64) {
        if let Some(counts) = self.shared.counts.get(self.half as usize) {
            let count = which(counts);
            count.store(count.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
        }
    }
}
