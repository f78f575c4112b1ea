//! The signatures in a record.

use super::super::chain::Head;
use super::super::key::PublicKey;
use super::Given;
use super::wrong::Place;
use crate::show::{show_count, show_counted};
use serde::Deserialize;

/// How often a record is signed, at least.
#[derive(Clone, Copy)]
pub(crate) struct Promise {
    pub(crate) lines: u64,
}

/// A recorder that goes on after a kill signs first, or right after a line or two of its own.
const SLACK: u64 = 4;

pub(crate) struct Signatures<'a> {
    given: &'a Given,
    /// The number of the latest line that is signed, or signs; before the first one, of the line before all.
    signed: Option<u64>,
    count: u64,
    /// The key of the latest one.
    key: Option<String>,
    /// The first line.
    first: Option<u64>,
}

#[derive(Deserialize)]
struct Line {
    signed: u64,
    key: String,
    signature: String,
}

impl<'a> Signatures<'a> {
    pub(crate) fn new(given: &'a Given) -> Self {
        Self { given, signed: None, count: 0, key: None, first: None }
    }

    /// Takes the line of this number. `last` is the one before.
    pub(crate) fn take(&mut self, line: &[u8], n: u64, last: Option<Head>, place: Place<'_>) -> Result<(), String> {
        let first = *self.first.get_or_insert(n);
        if !is_signature(line) {
            let unsigned = n - self.signed.unwrap_or(first.saturating_sub(1));
            return if self.given.keys.is_empty() || unsigned <= self.given.promise.lines.saturating_add(SLACK) {
                Ok(())
            } else {
                let lines = show_counted(self.given.promise.lines, "line");
                Err(format!("{place} should have been signed: there is no signature after {lines} (see --sign-every)"))
            };
        }
        let wrong = |what: &str| format!("{place} was changed: its signature {what}");
        let read = serde_json::from_slice::<Line>(line).map_err(|_| wrong("can't be read"))?;
        let key = PublicKey::from_hex(&read.key).ok_or_else(|| wrong("has no key"))?;
        if !self.given.keys.is_empty() && !self.given.keys.contains(&key) {
            return Err(format!("{place} is signed by another key, {}", read.key));
        }
        // The line before the first one isn't there.
        if let Some(head) = last
            && (read.signed != head.n || !key.has_signed(head, &read.signature))
        {
            return Err(wrong("isn't that of the line before"));
        }
        (self.signed, self.key) = (Some(n), Some(read.key));
        self.count += 1;
        Ok(())
    }

    /// What is to be said of them, once there are no more lines.
    pub(crate) fn end(self, last: u64) -> Result<Vec<String>, String> {
        let (Some(signed), Some(key)) = (self.signed, self.key) else {
            return if self.given.keys.is_empty() {
                Ok(vec!["not signed".to_owned()])
            } else {
                Err("nothing is signed".to_owned())
            };
        };
        let mut lines = vec![format!("signed up to line {} by {}", show_count(signed), &key)];
        if self.given.keys.is_empty() {
            lines.push("who made that key isn't checked; give the public key by --key".to_owned());
        }
        if last > signed {
            lines.push(format!("{} after that not signed", show_counted(last - signed, "line")));
        }
        Ok(lines)
    }
}

fn is_signature(line: &[u8]) -> bool {
    // After number and hash, whose lengths are known, but for that of the number.
    let kind = b",\"kind\":\"signature\",";
    line.get(..line.len().min(140)).is_some_and(|begin| begin.windows(kind.len()).any(|part| part == kind))
}
