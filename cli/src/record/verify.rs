//! `trip99 record verify`: reads lines in the order of the chain, and finds the first that isn't as it was recorded.

mod wrong;
mod signatures;

use super::chain::{Head, Link, is_torn};
use super::key::PublicKey;
use crate::show::{show_count, show_counted};
use serde::Deserialize;
use signatures::Signatures;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};
use wrong::Place;

pub(crate) use signatures::Promise;

/// A file that holds part of a record.
pub(crate) struct Source {
    pub(crate) name: String,
    pub(crate) path: PathBuf,
}

/// What is known of a record from elsewhere.
pub(crate) struct Given {
    pub(crate) keys: Vec<PublicKey>,
    pub(crate) promise: Promise,
    /// Lines by their numbers.
    pub(crate) anchors: BTreeMap<u64, String>,
}

/// A record that is whole.
#[derive(Debug, Default)]
pub(crate) struct Whole {
    pub(crate) lines: Vec<String>,
}

/// What an anchor file has a line for.
#[derive(Deserialize)]
struct Anchor {
    n: u64,
    hash: String,
}

/// Reads the anchors of a file.
pub(crate) fn anchors(path: &Path) -> Result<BTreeMap<u64, String>, String> {
    let mut anchors = BTreeMap::new();
    let lines = BufReader::new(File::open(path).map_err(|error| error.to_string())?).lines();
    for (index, line) in lines.enumerate() {
        let line = line.map_err(|error| error.to_string())?;
        let anchor = serde_json::from_str::<Anchor>(&line).map_err(|error| format!("line {}: {error}", index + 1))?;
        anchors.insert(anchor.n, anchor.hash);
    }
    Ok(anchors)
}

/// Reads the files. The outer error is that of a file that can't be read; the inner one says what is wrong with the record.
pub(crate) fn verify(sources: Vec<Source>, given: &Given) -> io::Result<Result<Whole, String>> {
    let mut walk = Walk { given, last: None, first: None, signatures: Signatures::new(given), remarks: Vec::new() };
    let mut sources = in_order(sources)?.into_iter();
    while let Some(source) = sources.next() {
        let mut lines = BufReader::new(File::open(&source.path)?);
        let (mut line, mut number) = (Vec::new(), 0);
        while lines.read_until(b'\n', &mut line)? > 0 {
            number += 1;
            let place = Place { file: &source.name, number };
            let Some(whole) = line.strip_suffix(b"\n") else {
                match walk.take_tail(&line, place) {
                    Ok(()) => break,
                    Err(wrong) => return Ok(Err(wrong)),
                }
            };
            if let Err(kind) = walk.take(whole, place) {
                let wrong = match kind {
                    Break::Known(text) => text,
                    Break::Order => {
                        let mut rest = wrong::Rest::begin(walk.last.map(|(head, _)| head), whole);
                        rest.read(&source.name, number, &mut lines)?;
                        for source in sources {
                            rest.read(&source.name, 0, &mut BufReader::new(File::open(&source.path)?))?;
                        }
                        rest.explain(place, walk.last.map(|(_, place)| place))
                    }
                };
                return Ok(Err(wrong));
            }
            line.clear();
        }
        if number == 0 {
            return Ok(Err(format!(
                "{} is empty: its lines were removed; a recorder makes no empty file",
                source.name
            )));
        }
    }
    Ok(walk.end())
}

/// The files in the order of their first lines.
fn in_order(sources: Vec<Source>) -> io::Result<Vec<Source>> {
    let mut numbered = Vec::new();
    for source in sources {
        let mut first = None;
        let mut lines = BufReader::new(File::open(&source.path)?);
        let mut line = Vec::new();
        while first.is_none() && lines.read_until(b'\n', &mut line)? > 0 {
            first = Link::read(line.strip_suffix(b"\n").unwrap_or(&line)).map(|link| link.n);
            line.clear();
        }
        numbered.push((first.unwrap_or(u64::MAX), source));
    }
    numbered.sort_by(|(a, x), (b, y)| a.cmp(b).then_with(|| x.name.cmp(&y.name)));
    Ok(numbered.into_iter().map(|(_, source)| source).collect())
}

/// Where the order breaks.
enum Break {
    Known(String),
    /// The lines that follow tell what is wrong.
    Order,
}

struct Walk<'a> {
    given: &'a Given,
    /// The last line that was right, and its number in its file.
    last: Option<(Head, u64)>,
    first: Option<u64>,
    signatures: Signatures<'a>,
    remarks: Vec<String>,
}

impl Walk<'_> {
    fn take(&mut self, line: &[u8], place: Place<'_>) -> Result<(), Break> {
        let link = Link::read(line).ok_or(Break::Order)?;
        let is_first = self.last.is_none();
        let follows = match self.last {
            Some((head, _)) => link.follows(head),
            // Of the very first line the line before is known, too.
            None => link.n != 1 || link.follows(Head::NONE),
        };
        // A file begins with such a line, and has no other.
        if !follows || link.begins_file != (place.number == 1) {
            return Err(Break::Order);
        }
        if is_first {
            self.first = Some(link.n);
            if link.n > 1 {
                self.remarks
                    .push(format!("it begins with line {}; those before are in other files", show_count(link.n)));
            }
        }
        if self.given.anchors.get(&link.n).is_some_and(|hash| *hash != link.hash.to_string()) {
            return Err(Break::Known(format!(
                "{place} isn't the line {} that the anchor names: it was changed",
                link.n
            )));
        }
        self.signatures.take(line, link.n, self.last.map(|(head, _)| head), place).map_err(Break::Known)?;
        self.last = Some((link.head(), place.number));
        Ok(())
    }

    /// What comes after the last whole line of a file.
    fn take_tail(&mut self, tail: &[u8], place: Place<'_>) -> Result<(), String> {
        let head = self.last.map_or(Head::NONE, |(head, _)| head);
        if Link::read(tail).is_some_and(|link| link.follows(head)) {
            return self.take(tail, place).map_err(|_| format!("{place} was changed"));
        }
        if !is_torn(tail, head) {
            return Err(format!("{place} was changed: its end is no line, and no begin of the next one"));
        }
        self.remarks.push(format!(
            "{place} is torn: {} of a line that was never told to be recorded, as a recorder leaves that is killed",
            show_counted(tail.len() as u64, "byte")
        ));
        Ok(())
    }

    fn end(self) -> Result<Whole, String> {
        let mut lines = self.remarks;
        let (Some((head, _)), Some(first)) = (self.last, self.first) else {
            return Err("there is no line: nothing was recorded, or all of it was removed".to_owned());
        };
        if let Some((&n, _)) = self.given.anchors.last_key_value().filter(|&(&n, _)| n > head.n) {
            let end = "they were removed, or are in a file that wasn't given";
            return Err(format!("lines {} to {n} are missing, up to which the anchor goes: {end}", head.n + 1));
        }
        lines.extend(self.signatures.end(head.n)?);
        let anchored = self.given.anchors.range(first..).map(|(&n, _)| n).max();
        if let Some(n) = anchored {
            lines.push(format!("anchored up to line {}", show_count(n)));
        }
        lines.insert(0, format!("{} to {}, whole", show_counted(head.n - first + 1, "line"), show_count(head.n)));
        Ok(Whole { lines })
    }
}

#[cfg(test)]
mod tests;
