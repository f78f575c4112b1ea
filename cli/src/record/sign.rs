//! When the chain is signed, and when its end is told elsewhere.

use super::chain::Head;
use super::key::Key;
use super::line::{Item, Moment, body};
use super::utc;
use crate::failure::warn;
use serde_json::json;
use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// At least each so many lines, and so long after a line.
#[derive(Clone, Copy)]
pub(crate) struct Pace {
    pub(crate) lines: u64,
    pub(crate) within: Duration,
}

/// How far something is done.
#[derive(Clone, Copy)]
pub(crate) struct Done {
    /// The number of the latest line that it is done for.
    n: u64,
    at: Instant,
}

impl Done {
    fn is_due(&self, n: u64, pace: Pace) -> bool {
        n > self.n && (n - self.n >= pace.lines || self.at.elapsed() >= pace.within)
    }
}

pub(crate) struct Signer {
    key: Option<Key>,
    pub(crate) pace: Pace,
    /// Where the chain's end is told.
    anchor: Option<PathBuf>,
    print: bool,
    signed: Done,
    told: Done,
}

impl Signer {
    pub(crate) fn new(key: Option<Key>, pace: Pace, anchor: Option<PathBuf>, print: bool, head: Head) -> Self {
        let [signed, told] = [0, head.n].map(|n| Done { n, at: Instant::now() });
        Self { key, pace, anchor, print, signed, told }
    }

    pub(crate) fn public_key(&self) -> Option<String> {
        self.key.as_ref().map(|key| key.public().to_hex())
    }

    /// The line that signs the chain as far as it goes, if that is due, or if it is wanted now. [`set_signed`](Self::set_signed) is to be told when
    /// it is recorded.
    pub(crate) fn line(&self, head: Head, signed: &mut Done, now: bool, moment: &Moment) -> Option<String> {
        let key = self.key.as_ref()?;
        if head.n <= signed.n || !(now || signed.is_due(head.n, self.pace)) {
            return None;
        }
        // That of the signature itself needs none.
        *signed = Done { n: head.n.saturating_add(1), at: Instant::now() };
        let signature = json!({ "signed": head.n, "key": key.public().to_hex(), "signature": key.sign(head) });
        Some(body(&Item::own("signature", signature), moment))
    }

    pub(crate) fn signed(&self) -> Done {
        self.signed
    }

    pub(crate) fn set_signed(&mut self, signed: Done) {
        self.signed = signed;
    }

    /// Whether a signature is due for lines that are recorded.
    pub(crate) fn is_due(&self, head: Head) -> bool {
        self.key.is_some() && self.signed.is_due(head.n, self.pace)
    }

    /// Tells the end of the chain elsewhere, if that is due, or if it is wanted now. It is on the disk.
    pub(crate) fn tell(&mut self, head: Head, file: &str, now: bool) {
        if (self.anchor.is_none() && !self.print)
            || head.n <= self.told.n
            || !(now || self.told.is_due(head.n, self.pace))
        {
            return;
        }
        self.told = Done { n: head.n, at: Instant::now() };
        let signature = self.key.as_ref().map(|key| key.sign(head));
        let key = self.public_key();
        let anchor = json!({
            "n": head.n,
            "hash": head.hash.to_string(),
            "utc": utc::text(utc::now_ns()),
            "file": file,
            "key": key,
            "signature": signature,
        });
        let line = format!("{anchor}\n");
        if self.print {
            // Nobody may be there to read it.
            let mut out = io::stdout();
            let _ = out.write_all(line.as_bytes()).and_then(|()| out.flush());
        }
        let Some(path) = &self.anchor else { return };
        let file = OpenOptions::new().append(true).create(true).mode(0o640).open(path);
        let written = file.and_then(|mut file| file.write_all(line.as_bytes()).and_then(|()| file.sync_data()));
        if let Err(error) = written {
            warn(format_args!("cannot write the anchor {}: {error}", path.display()));
        }
    }
}
