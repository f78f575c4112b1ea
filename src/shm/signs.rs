//! What of a file says that it is a page: for who halts a page in any condition.

use super::layout::{Empty, Header, MAGIC, Sizes, VERSION};
use crate::page::LAYOUT_VERSION;
use core::mem::offset_of;
use std::os::unix::fs::FileExt;

/// What of a file says that it is a page, however damaged the rest is.
pub(crate) struct Signs {
    has_length: bool,
    has_magic: bool,
    has_page_magic: bool,
    version: u64,
    page_version: u64,
    sizes: Option<Sizes>,
}

impl Signs {
    /// The version that this library knows.
    pub(crate) const KNOWN: u64 = VERSION;

    /// Reads by the file alone: nothing is mapped so far.
    pub(crate) fn read(file: &std::fs::File, len: u64) -> Self {
        let word = |offset: usize| {
            let mut bytes = [0; 8];
            file.read_exact_at(&mut bytes, offset as u64).map_or(0, |()| u64::from_ne_bytes(bytes))
        };
        let board = offset_of!(Empty, board);
        let [slots, tap] = [offset_of!(Header, slots_log2), offset_of!(Header, tap_log2)].map(word);
        Self {
            has_length: Sizes::all().any(|sizes| len == sizes.file_len() as u64),
            has_magic: word(offset_of!(Header, magic)) == MAGIC,
            has_page_magic: word(board) == crate::page::MAGIC,
            version: word(offset_of!(Header, version)),
            page_version: word(board + 8),
            sizes: Sizes::from_words(slots, tap),
        }
    }

    /// How many of the three say that it is a page.
    pub(crate) fn count(&self) -> u32 {
        [self.has_length, self.has_magic, self.has_page_magic].into_iter().map(u32::from).sum()
    }

    /// The version of a page of another version: both places agree on it.
    pub(crate) fn other_version(&self) -> Option<u64> {
        let is_other = self.version != VERSION && self.page_version != LAYOUT_VERSION;
        let is_told = self.has_magic || self.has_page_magic;
        let told = if self.has_magic { self.version } else { self.page_version };
        (is_other && is_told && !(self.has_length && self.version != self.page_version)).then_some(told)
    }

    /// What the file has, or at most.
    pub(crate) fn sizes(&self, len: u64) -> Option<Sizes> {
        let fits = |sizes: &Sizes| sizes.file_len() as u64 <= len;
        self.sizes.filter(fits).or_else(|| Sizes::all().rev().find(fits))
    }

    /// What is odd about the header, for people.
    pub(crate) fn oddities(&self) -> Vec<String> {
        let odd = [
            (!self.has_length, "the file's length is none that a page has"),
            (!self.has_magic, "the file's magic number is damaged"),
            (!self.has_page_magic, "the page's magic number is damaged"),
            (self.version != self.page_version, "the page's version numbers differ"),
            (self.sizes.is_none(), "the number of slots is damaged"),
        ];
        odd.into_iter().filter(|(is_odd, _)| *is_odd).map(|(_, what)| what.to_owned()).collect()
    }
}
