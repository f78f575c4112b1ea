//! A line of text that the user types.

use trip99::HaltNote;
use trip99_labels::is_unseen;

#[derive(Default)]
pub(super) struct Text(String);

impl Text {
    /// A letter that isn't seen, or that the page has no room for, is left out.
    pub(super) fn push(&mut self, letter: char) {
        if !is_unseen(letter) && self.0.len() + letter.len_utf8() <= HaltNote::MAX_REASON_BYTES {
            self.0.push(letter);
        }
    }

    pub(super) fn pop(&mut self) {
        self.0.pop();
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    /// Without blanks at its ends.
    pub(super) fn get(&self) -> &str {
        self.0.trim()
    }

    /// As it was typed.
    pub(super) fn typed(&self) -> &str {
        &self.0
    }
}
