//! What is wrong where the order of a chain breaks: told by the lines that follow.

use super::super::chain::{Digest, Head, Link};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{self, Display};
use std::io::{self, BufRead};

/// A line of a file, counted from 1 on.
#[derive(Clone, Copy)]
pub(crate) struct Place<'a> {
    pub(crate) file: &'a str,
    pub(crate) number: u64,
}

impl Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: line {}", self.file, self.number)
    }
}

/// The line at which the order breaks, and those after it.
pub(crate) struct Rest {
    last: Option<Head>,
    /// `None` for a line that isn't as any was recorded.
    links: Vec<Option<Link>>,
    /// Which of them stand first in a file.
    first_in_file: BTreeSet<usize>,
}

impl Rest {
    /// `last` is the last line that was right.
    pub(crate) fn begin(last: Option<Head>, line: &[u8]) -> Self {
        Self { last, links: vec![Link::read(line)], first_in_file: BTreeSet::new() }
    }

    /// Reads a file to its end. `read` of its lines were read already.
    pub(crate) fn read(&mut self, _file: &str, read: u64, lines: &mut impl BufRead) -> io::Result<()> {
        if read == 1 {
            self.first_in_file.insert(0);
        }
        let mut line = Vec::new();
        let mut is_first = read == 0;
        while lines.read_until(b'\n', &mut line)? > 0 {
            if is_first {
                self.first_in_file.insert(self.links.len());
            }
            is_first = false;
            self.links.push(Link::read(line.strip_suffix(b"\n").unwrap_or(&line)));
            line.clear();
        }
        Ok(())
    }

    /// What is wrong with the line at `place`. `before` is the number of the last line that was right, in its file.
    pub(crate) fn explain(&self, place: Place<'_>, before: Option<u64>) -> String {
        let Some(Some(link)) = self.links.first() else { return self.explain_unreadable(place) };
        let n = link.n;
        let Some(last) = self.last else { return self.explain_first(place, link) };
        let next = last.n.saturating_add(1);
        let follows = |link: &Link| link.follows(last);
        if self.links.iter().skip(1).flatten().any(follows) {
            // The chain goes on further down.
            return if self.chain(last.hash).contains(&link.hash) && !self.has_copy(link) {
                format!("{place} is out of order: it is line {n} of the record, and stands before line {next}")
            } else {
                format!("{place} was added: it isn't line {next} of the record, which comes later")
            };
        }
        if follows(link) {
            let what = if link.begins_file {
                "begins a file, and stands inside of one"
            } else {
                "begins a file, as none does"
            };
            return format!("{place} is out of order, or what was before it is missing: line {n} of the record {what}");
        }
        if n == next {
            // Which of the two was written anew is told by who names it.
            let is_named =
                self.links.iter().skip(1).flatten().any(|later| later.n == n + 1 && later.previous == link.hash);
            return match before.filter(|_| is_named) {
                Some(before) if place.number > 1 => {
                    format!("{}: line {before} was changed: line {n} of the record names another one", place.file)
                }
                Some(_) => format!("line {} of the record was changed: {place} names another one", last.n),
                None => format!("{place} was changed: it doesn't name the line before"),
            };
        }
        if n < next {
            return format!("{place} was added: the record has a line {n} already");
        }
        let lines = if n - next == 1 { format!("line {next}") } else { format!("lines {next} to {}", n - 1) };
        let verb = if n - next == 1 { "is" } else { "are" };
        format!("{lines} of the record {verb} missing before {place}")
    }

    fn explain_unreadable(&self, place: Place<'_>) -> String {
        let later = self.links.iter().skip(1).flatten().next();
        let is_extra = self.last.zip(later).is_some_and(|(last, later)| later.follows(last));
        if is_extra {
            format!("{place} was added: it is no line of the record, and those around it belong together")
        } else {
            format!("{place} was changed: its hash isn't that of its text")
        }
    }

    /// The first line of all that were given.
    fn explain_first(&self, place: Place<'_>, link: &Link) -> String {
        let n = link.n;
        if self.links.iter().skip(1).flatten().any(|later| later.n < n) {
            format!("{place} is out of order: it is line {n} of the record, and stands before earlier ones")
        } else if n == 1 {
            format!("{place} was changed: it is the first of the record, and names one before")
        } else {
            format!("line {} of the record is missing before {place}: a file begins with a line that says so", n - 1)
        }
    }

    /// The hashes of the lines that follow each other from this one on.
    fn chain(&self, from: Digest) -> BTreeSet<Digest> {
        let mut by_previous: BTreeMap<Digest, Vec<Digest>> = BTreeMap::new();
        for link in self.links.iter().flatten() {
            by_previous.entry(link.previous).or_default().push(link.hash);
        }
        let (mut chain, mut ends) = (BTreeSet::new(), vec![from]);
        while let Some(end) = ends.pop() {
            let next = by_previous.get(&end).into_iter().flatten().filter(|&&hash| chain.insert(hash));
            ends.extend(next.collect::<Vec<_>>());
        }
        chain
    }

    /// Whether the same line stands further down, too.
    fn has_copy(&self, link: &Link) -> bool {
        self.links.iter().skip(1).flatten().any(|later| later.hash == link.hash)
    }
}
