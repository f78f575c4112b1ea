//! The book: which halts there are, what each of them is for, and which of them are over.
//!
//! Halts are a set of ids. A resume is a tombstone that names ids. An id that has a tombstone is dead for good, in whichever order the two
//! come, and however often.

use crate::labels::Labels;
use crate::message::{Halt, Id};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// A halt that is not over.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Known {
    /// What was decided.
    pub halt: Halt,
    /// The message as it was signed, so that it can be handed on.
    pub envelope: String,
    /// The pages that it has selected so far, by path. A page is never taken off this list.
    pub pages: BTreeSet<String>,
    /// Its line of the bucket; `None` if it isn't known to be there.
    pub revision: Option<u64>,
}

/// What came of a halt that was heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heard {
    /// It is new.
    New,
    /// It was known, or its line is now.
    Known,
    /// It was resumed before.
    Dead,
}

/// All halts, and all tombstones.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Book {
    live: BTreeMap<Id, Known>,
    dead: BTreeSet<Id>,
}

impl Book {
    /// Takes a halt in, from whoever told it.
    pub fn take(&mut self, halt: &Halt, envelope: &str, revision: Option<u64>) -> Heard {
        if self.dead.contains(&halt.id) {
            return Heard::Dead;
        }
        match self.live.get_mut(&halt.id) {
            Some(known) => {
                known.revision = known.revision.or(revision);
                Heard::Known
            }
            None => {
                let known =
                    Known { halt: halt.clone(), envelope: envelope.to_owned(), pages: BTreeSet::new(), revision };
                self.live.insert(halt.id.clone(), known);
                Heard::New
            }
        }
    }

    /// Takes tombstones in.
    pub fn bury(&mut self, ids: &[Id]) {
        for id in ids {
            self.live.remove(id);
            self.dead.insert(id.clone());
        }
    }

    /// A page is there, with these labels. What selects it now selects it for good. True if that is news.
    pub fn settle(&mut self, page: &str, labels: &Labels) -> bool {
        let mut is_news = false;
        for known in self.live.values_mut() {
            if known.halt.selection.selects(labels) && !known.pages.contains(page) {
                is_news = known.pages.insert(page.to_owned());
            }
        }
        is_news
    }

    /// The halts that are not over.
    pub fn live(&self) -> impl Iterator<Item = &Known> {
        self.live.values()
    }

    /// One of them.
    pub fn get(&self, id: &Id) -> Option<&Known> {
        self.live.get(id)
    }

    /// Whether an id has a tombstone.
    pub fn is_dead(&self, id: &Id) -> bool {
        self.dead.contains(id)
    }

    /// The halts that hold a page.
    pub fn holding<'a>(&'a self, page: &'a str) -> impl Iterator<Item = &'a Known> {
        self.live.values().filter(move |known| known.pages.contains(page))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::selection::Selection;

    fn halt(id: &str, label: &str) -> Halt {
        let id = Id::try_from(id.to_owned()).unwrap();
        let selection = Selection::of(&[label.to_owned()]).unwrap();
        Halt { id, selection, reason: String::new(), who: String::new(), at_ns: 0 }
    }

    #[test]
    fn a_tombstone_kills_for_good_before_and_after() {
        let (mut book, halt) = (Book::default(), halt("00000001", "desk=rates"));
        assert_eq!(book.take(&halt, "e", None), Heard::New);
        assert_eq!(book.take(&halt, "e", Some(3)), Heard::Known);
        assert_eq!(book.get(&halt.id).unwrap().revision, Some(3));
        book.bury(std::slice::from_ref(&halt.id));
        assert_eq!((book.take(&halt, "e", None), book.live().count()), (Heard::Dead, 0));
        let later = self::halt("00000002", "desk=rates");
        book.bury(std::slice::from_ref(&later.id));
        assert_eq!(book.take(&later, "e", Some(9)), Heard::Dead);
    }

    #[test]
    fn labels_that_change_only_add() {
        let (mut book, halt) = (Book::default(), halt("00000001", "desk=rates"));
        let (rates, fx) = (Labels::known("a", "h", [("desk", "rates")]), Labels::known("a", "h", [("desk", "fx")]));
        assert!(!book.settle("/a", &rates));
        book.take(&halt, "e", None);
        assert!(!book.settle("/a", &fx) && book.settle("/a", &rates) && !book.settle("/a", &rates));
        assert!(!book.settle("/a", &fx) && book.holding("/a").count() == 1 && book.holding("/b").count() == 0);
    }
}
