//! What is known of one session: a pair of CompIDs.

use super::message::{Kind, Message};
use std::collections::HashMap;

pub(super) struct Session {
    /// The CompIDs, in no order.
    ids: [Vec<u8>; 2],
    /// The side that sends orders. `None` until there is an order.
    ours: Option<Vec<u8>>,
    /// Which of `ids` have logged on.
    logged_on: [bool; 2],
    /// When the last message was.
    pub(super) last_ns: u64,
    /// The numbers of the open calls by ClOrdID, and by MsgSeqNum.
    open: HashMap<Vec<u8>, u64>,
    open_by_seq: HashMap<u64, u64>,
    /// Calls that ended, by ClOrdID.
    ended: HashMap<Vec<u8>, Ended>,
}

struct Ended {
    number: u64,
    /// It ended without an answer, and there is none since.
    unanswered: bool,
}

impl Session {
    pub(super) fn new(one: Vec<u8>, other: Vec<u8>) -> Self {
        Self {
            ids: [one, other],
            ours: None,
            logged_on: [false; 2],
            last_ns: 0,
            open: HashMap::new(),
            open_by_seq: HashMap::new(),
            ended: HashMap::new(),
        }
    }

    pub(super) fn is_of(&self, sender: &[u8], target: &[u8]) -> bool {
        let [one, other] = &self.ids;
        (one == sender && other == target) || (other == sender && one == target)
    }

    /// The side of this CompID has logged on. Says when the session before was lost, if it had logged on already.
    pub(super) fn log_on(&mut self, sender: &[u8]) -> Option<u64> {
        let [one, other] = &mut self.logged_on;
        let [first, _] = &self.ids;
        let (mine, its) = if first == sender { (one, other) } else { (other, one) };
        let lost = std::mem::replace(mine, true);
        if lost {
            *its = false;
        }
        lost.then_some(self.last_ns)
    }

    pub(super) fn log_out(&mut self) {
        self.logged_on = [false; 2];
    }

    pub(super) fn begin(&mut self, sender: &[u8], id: &[u8], seq: Option<u64>, number: u64) {
        if self.ours.is_none() {
            self.ours = Some(sender.to_vec());
        }
        self.open.insert(id.to_vec(), number);
        if let Some(seq) = seq {
            self.open_by_seq.insert(seq, number);
        }
    }

    pub(super) fn end(&mut self, id: &[u8], seq: Option<u64>, number: u64, unanswered: bool) {
        self.open.remove(id);
        if let Some(seq) = seq
            && self.open_by_seq.get(&seq) == Some(&number)
        {
            self.open_by_seq.remove(&seq);
        }
        self.ended.insert(id.to_vec(), Ended { number, unanswered });
    }

    /// Forgets a call that ended, unless another one has taken its name.
    pub(super) fn forget(&mut self, id: &[u8], number: u64) {
        if self.ended.get(id).is_some_and(|ended| ended.number == number) {
            self.ended.remove(id);
        }
    }

    pub(super) fn has_open(&self) -> bool {
        !self.open.is_empty()
    }

    pub(super) fn is_open(&self, id: &[u8]) -> bool {
        self.open.contains_key(id)
    }

    /// The number of the open call of this ClOrdID.
    pub(super) fn open_call(&self, id: &[u8]) -> Option<u64> {
        self.open.get(id).copied()
    }

    /// The number of the open call of this MsgSeqNum.
    pub(super) fn open_call_of_seq(&self, seq: u64) -> Option<u64> {
        self.open_by_seq.get(&seq).copied()
    }

    /// There is an answer to this ClOrdID, and no open call has it. `None` if none that ended has it either; otherwise whether this is the
    /// first answer.
    pub(super) fn answer_to_ended(&mut self, id: &[u8]) -> Option<bool> {
        self.ended.get_mut(id).map(|ended| std::mem::replace(&mut ended.unanswered, false))
    }

    /// Whether an answer is one to our side. Logs without CompIDs don't tell; there the kind of the message does.
    pub(super) fn is_from_other_side(&self, message: &Message) -> bool {
        debug_assert!(!matches!(message.kind, Kind::Order(_)));
        let [one, other] = &self.ids;
        one == other || self.ours.as_ref() != Some(&message.sender)
    }
}
