//! Pairs calls with their answers.

use super::message::{Kind, Message};
use super::session::Session;
use super::{FixOptions, Unpaired};
use crate::row::{MAX_LATENCY_NS, Row, RowKind};
use std::collections::{HashSet, VecDeque};

/// So many calls are known by name after their end, so that a later fill isn't taken for an answer to an unknown order.
const MAX_ENDED: usize = 1 << 16;

/// A call, from its order until its row is due.
struct Call {
    start_ns: u64,
    kind: RowKind,
    /// The index of its session.
    session: usize,
    id: Vec<u8>,
    seq: Option<u64>,
    /// How it ended. `None` while it is open.
    end: Option<End>,
}

#[derive(Clone, Copy)]
enum End {
    Answered { latency_ns: u64, ok: bool },
    SessionLost { latency_ns: u64 },
    GivenUp,
}

pub(super) struct Pairing {
    pub(super) unpaired: Unpaired,
    side: Option<Vec<u8>>,
    give_up_ns: u64,
    sessions: Vec<Session>,
    /// In order of start.
    calls: VecDeque<Call>,
    /// The number of the first of `calls`, counted from the first of all. A call keeps its number.
    first_number: u64,
    /// Calls that ended, by session, name and number, the oldest first.
    ended: VecDeque<(usize, Vec<u8>, u64)>,
    /// The start of the last call.
    start_ns: u64,
    /// Who sends orders, and who gets them.
    senders: HashSet<Vec<u8>>,
    receivers: HashSet<Vec<u8>>,
}

impl Pairing {
    pub(super) fn new(options: FixOptions) -> Self {
        Self {
            unpaired: Unpaired::default(),
            side: options.side.map(String::into_bytes),
            // No latency may be longer.
            give_up_ns: options.give_up_ns.min(MAX_LATENCY_NS),
            sessions: Vec::new(),
            calls: VecDeque::new(),
            first_number: 0,
            ended: VecDeque::new(),
            start_ns: 0,
            senders: HashSet::new(),
            receivers: HashSet::new(),
        }
    }

    /// The first row, if its call has ended and all before it are out. At the end of the log a call needn't have ended.
    pub(super) fn next_row(&mut self, at_end: bool) -> Option<Row> {
        let due = self.calls.front().is_some_and(|call| at_end || call.end.is_some());
        let call = if due { self.calls.pop_front()? } else { return None };
        self.first_number += 1;
        let (latency_ns, ok) = match call.end.unwrap_or(End::GivenUp) {
            End::Answered { latency_ns, ok } => (Some(latency_ns), ok),
            End::SessionLost { latency_ns } => {
                self.unpaired.failed_by_session += 1;
                (Some(latency_ns), false)
            }
            End::GivenUp => {
                self.unpaired.lost += 1;
                (None, true)
            }
        };
        Some(Row { start_ns: call.start_ns, latency_ns, ok, kind: call.kind })
    }

    /// Takes the next message of the log. Otherwise says what is wrong with it.
    pub(super) fn take(&mut self, message: Message) -> Result<(), String> {
        self.give_up(message.order_ns);
        let session = self.session_of(&message);
        let order_ns = message.order_ns;
        match message.kind {
            Kind::Order(kind) => self.begin(session, kind, message)?,
            Kind::Report | Kind::SessionReject | Kind::BusinessReject => self.answer(session, &message)?,
            Kind::Logon if !message.again => {
                if let Some(lost_ns) =
                    self.sessions.get_mut(session).and_then(|session| session.log_on(&message.sender))
                {
                    self.lose_session(session, lost_ns);
                }
            }
            Kind::Logout if !message.again => {
                if let Some(session) = self.sessions.get_mut(session) {
                    session.log_out();
                }
                self.lose_session(session, order_ns);
            }
            Kind::Logon | Kind::Logout | Kind::Other => {}
        }
        if let Some(session) = self.sessions.get_mut(session) {
            session.last_ns = order_ns;
        }
        Ok(())
    }

    fn session_of(&mut self, message: &Message) -> usize {
        let known = self.sessions.iter().position(|session| session.is_of(&message.sender, &message.target));
        known.unwrap_or_else(|| {
            self.sessions.push(Session::new(message.sender.clone(), message.target.clone()));
            self.sessions.len() - 1
        })
    }

    /// Gives up the calls that are too old at `now_ns`. They are the first ones, because calls are in order of start.
    fn give_up(&mut self, now_ns: u64) {
        let old = self.calls.iter().take_while(|call| now_ns.saturating_sub(call.start_ns) > self.give_up_ns).count();
        for index in 0..old {
            self.end(index, End::GivenUp);
        }
    }

    /// Ends a call, unless it has ended.
    fn end(&mut self, index: usize, how: End) {
        let Some(call) = self.calls.get_mut(index).filter(|call| call.end.is_none()) else { return };
        call.end = Some(how);
        let number = self.first_number + index as u64;
        let id = std::mem::take(&mut call.id);
        let (seq, at) = (call.seq, call.session);
        if let Some(session) = self.sessions.get_mut(at) {
            session.end(&id, seq, number, !matches!(how, End::Answered { .. }));
        }
        self.ended.push_back((at, id, number));
        if self.ended.len() > MAX_ENDED
            && let Some((at, id, number)) = self.ended.pop_front()
            && let Some(session) = self.sessions.get_mut(at)
        {
            session.forget(&id, number);
        }
    }

    fn begin(&mut self, at: usize, kind: RowKind, message: Message) -> Result<(), String> {
        if self.side.as_ref().is_some_and(|side| *side != message.sender) {
            self.unpaired.of_other_side += 1;
            return Ok(());
        }
        self.check_side(&message)?;
        let Some(session) = self.sessions.get_mut(at) else { return Ok(()) };
        if message.again || session.is_open(&message.id) {
            self.unpaired.resends += 1;
            return Ok(());
        }
        if message.id.is_empty() {
            self.unpaired.without_id += 1;
            return Ok(());
        }
        if message.time_ns < self.start_ns {
            return Err(format!(
                "the order is at {} ns since 1970, before {} of an order above; legal: stamps of one clock before 8=FIX, or ascending \
                 SendingTime (52)",
                message.time_ns, self.start_ns
            ));
        }
        self.start_ns = message.time_ns;
        let number = self.first_number + self.calls.len() as u64;
        session.begin(&message.sender, &message.id, message.seq, number);
        let (start_ns, seq) = (message.time_ns, message.seq);
        self.calls.push_back(Call { start_ns, kind, session: at, id: message.id, seq, end: None });
        Ok(())
    }

    /// Without a side given, who sends orders is our side. Whoever gets orders can't be.
    fn check_side(&mut self, message: &Message) -> Result<(), String> {
        if self.side.is_some() || message.sender == message.target {
            return Ok(());
        }
        for (set, name) in [(&mut self.senders, &message.sender), (&mut self.receivers, &message.target)] {
            if !set.contains(name) {
                set.insert(name.clone());
            }
        }
        let both = [&message.sender, &message.target];
        match both.into_iter().find(|name| self.senders.contains(*name) && self.receivers.contains(*name)) {
            Some(name) => Err(format!(
                "{} sends orders and gets orders; legal: the side that is ours, by its SenderCompID (49)",
                crate::lines::show(name)
            )),
            None => Ok(()),
        }
    }

    fn answer(&mut self, at: usize, message: &Message) -> Result<(), String> {
        let Some(session) = self.sessions.get_mut(at) else { return Ok(()) };
        if self.side.as_ref().is_some_and(|side| *side != message.target) || !session.is_from_other_side(message) {
            return Ok(());
        }
        let (call, id) = match message.kind {
            Kind::Report => (session.open_call(&message.id), &message.id),
            _ if message.ref_order == Some(false) => return Ok(()),
            _ => {
                let by_seq = message.ref_seq.and_then(|seq| session.open_call_of_seq(seq));
                (by_seq.or_else(|| session.open_call(&message.ref_id)), &message.ref_id)
            }
        };
        let Some(number) = call else {
            match session.answer_to_ended(id) {
                Some(true) => self.unpaired.late_answers += 1,
                Some(false) => {}
                None => {
                    let to_order = match message.kind {
                        Kind::Report => !id.is_empty(),
                        _ => message.ref_order == Some(true),
                    };
                    self.unpaired.unknown_answers += u64::from(to_order && !message.again);
                }
            }
            return Ok(());
        };
        let index = (number - self.first_number) as usize;
        let start_ns = self.calls.get(index).map_or(0, |call| call.start_ns);
        let latency_ns = message.time_ns.checked_sub(start_ns).ok_or_else(|| {
            format!(
                "the answer is at {} ns since 1970, before its order at {start_ns}; legal: stamps of one clock before 8=FIX, or clocks of \
                 both sides that agree",
                message.time_ns
            )
        })?;
        let ok = !(message.kind == Kind::BusinessReject && message.unavailable);
        self.end(index, End::Answered { latency_ns, ok });
        Ok(())
    }

    fn lose_session(&mut self, at: usize, lost_ns: u64) {
        if self.sessions.get(at).is_none_or(|session| !session.has_open()) {
            return;
        }
        for index in 0..self.calls.len() {
            if let Some(call) = self.calls.get(index)
                && call.session == at
            {
                let latency_ns = lost_ns.saturating_sub(call.start_ns);
                self.end(index, End::SessionLost { latency_ns });
            }
        }
    }
}
