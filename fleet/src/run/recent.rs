//! What was heard lately. A message comes through each server, and again and again; its signature is checked once.

use bytes::Bytes;
use std::collections::{HashMap, VecDeque};

/// The latest messages, with what was made of each.
pub struct Recent<T> {
    known: HashMap<Bytes, T>,
    order: VecDeque<Bytes>,
    room: usize,
}

impl Recent<u64> {
    /// Whether this message is to be answered now: it wasn't within this span.
    pub fn is_due(&mut self, message: &Bytes, now_ns: u64, every_ns: u64) -> bool {
        let is_due = self.get(message).is_none_or(|&answered_ns| now_ns.saturating_sub(answered_ns) >= every_ns);
        if is_due {
            self.put(message.clone(), now_ns);
        }
        is_due
    }
}

impl<T> Recent<T> {
    /// Room for so many.
    pub fn new(room: usize) -> Self {
        Self { known: HashMap::new(), order: VecDeque::new(), room }
    }

    /// What was made of this message.
    pub fn get(&self, message: &Bytes) -> Option<&T> {
        self.known.get(message)
    }

    /// Remembers it, and forgets the oldest.
    pub fn put(&mut self, message: Bytes, made: T) {
        if self.known.insert(message.clone(), made).is_none() {
            self.order.push_back(message);
        }
        if self.order.len() > self.room
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_that_comes_again_at_once_is_not_due() {
        let (mut recent, message) = (Recent::new(2), Bytes::from("a"));
        let due = [0, 9, 10, 19, 20].map(|now_ns| recent.is_due(&message, now_ns, 10));
        assert_eq!(due, [true, false, true, false, true]);
    }

    #[test]
    fn the_oldest_is_forgotten() {
        let mut recent = Recent::new(2);
        for text in ["a", "b", "a", "c"] {
            recent.put(Bytes::from(text), text);
        }
        let found = ["a", "b", "c"].map(|text| recent.get(&Bytes::from(text)).copied());
        assert_eq!(found, [None, Some("b"), Some("c")]);
    }
}
