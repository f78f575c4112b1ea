//! The last line of a text: one without a line end may have been cut off, as when the text is copied while it is being written.

use crate::lines::show;
use std::cell::RefCell;
use std::fmt;
use std::rc::Rc;

/// What a reader found odd about a text, one line each. It may be asked for while the reader is somewhere else.
#[derive(Clone, Debug, Default)]
pub struct Notes(Rc<RefCell<Vec<String>>>);

impl Notes {
    /// What was found so far.
    pub fn texts(&self) -> Vec<String> {
        self.0.borrow().clone()
    }

    fn add(&self, file: &str, line: u64, what: impl fmt::Display) {
        self.0.borrow_mut().push(format!("{file}: line {line}: {what}"));
    }
}

/// The field that ends each line, and what tells that the last one was cut off.
#[derive(Clone, Debug, Default)]
pub(crate) struct LastField {
    /// As messages call it. `None` if its value doesn't matter.
    label: Option<String>,
    /// A number that was cut off is another number.
    is_number: bool,
    /// How long the shortest one is that isn't empty, but for the latest.
    shortest: Option<usize>,
    /// One was empty, but for the latest: that is usual here.
    was_empty: bool,
    /// So many were read.
    count: u64,
    /// The latest one.
    latest: Vec<u8>,
    notes: Notes,
}

impl LastField {
    pub(crate) fn new(label: Option<String>, is_number: bool) -> Self {
        Self { label, is_number, ..Self::default() }
    }

    pub(crate) fn notes(&self) -> Notes {
        self.notes.clone()
    }

    /// Takes note of the field of a line that was read.
    pub(crate) fn take(&mut self, field: &[u8]) {
        if self.label.is_none() {
            return;
        }
        match self.latest.len() {
            0 => self.was_empty |= self.count > 0,
            len => self.shortest = Some(self.shortest.map_or(len, |shortest| shortest.min(len))),
        }
        self.count += 1;
        self.latest.clear();
        self.latest.extend_from_slice(field);
    }

    /// The last line, which was read, has no line end.
    pub(crate) fn doubt(&self, file: &str, line: u64) {
        let Some(label) = &self.label else { return };
        let field = &self.latest;
        let doubt = if field.is_empty() && (self.is_number || !self.was_empty) {
            format!("{label} is empty")
        } else if !field.is_empty() && self.is_number && self.shortest.is_some_and(|shortest| field.len() < shortest) {
            format!("{label} is {}, shorter than each above it", show(field))
        } else {
            return;
        };
        let what = format!(
            "the last line has no line end, and {doubt}; was it cut off? leave the line out, or end it with a line end"
        );
        self.notes.add(file, line, what);
    }

    /// The last line has no line end, and so few fields that it can't be read.
    pub(crate) fn leave_out(&self, file: &str, line: u64, count: usize, legal: usize) {
        let what = format!(
            "the last line has no line end, and {count} of {legal} fields: it was cut off, and is left out; wait until the log is \
             written, or complete the line"
        );
        self.notes.add(file, line, what);
    }
}
