//! What a governor decides: what it has read from the bucket's leader in, answers and writes out. It knows no clock, no network and no disk.
//!
//! A governor keeps nothing: all that it knows it has read from the bucket, and reads again when it starts.

use crate::message::{Id, Record, Resume};
use std::collections::BTreeMap;

/// What the leader told: which bucket, and its latest line.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Found {
    /// The bucket.
    pub bucket: String,
    /// The latest revision.
    pub last: u64,
}

/// A governor.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Governor {
    bucket: Option<String>,
    lines: Vec<Record>,
    /// Where each halt and each resume is.
    filed: BTreeMap<Id, u64>,
    /// When the latest read began whose lines are all here.
    read_ns: Option<u64>,
}

/// What is to be done with a halt or a resume.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Filing {
    /// The bucket has it, at this revision.
    Has(u64),
    /// Write it. If this is given, only as the line after it.
    Write(Option<u64>),
    /// It is not to be written, and why.
    Not(String),
}

impl Governor {
    /// The latest revision that it has read.
    pub fn revision(&self) -> u64 {
        self.lines.last().map_or(0, |line| line.revision)
    }

    /// The bucket; `None` before the first read.
    pub fn bucket(&self) -> Option<&str> {
        self.bucket.as_deref()
    }

    /// What to answer an agent at this time: bucket, revision and age. `None` if it has read nothing so far.
    pub fn answer(&self, now_ns: u64) -> Option<(&str, u64, u64)> {
        let age_ns = now_ns.saturating_sub(self.read_ns?);
        Some((self.bucket.as_deref()?, self.revision(), age_ns))
    }

    /// The leader was asked at this time, and told this. Returns the revisions that have yet to be read; when they are, the leader is to
    /// be asked again.
    ///
    /// # Errors
    /// The bucket is not the one that was read: then all that this governor knows is in doubt, and it must not answer by it.
    pub fn read(&mut self, began_ns: u64, found: &Found) -> Result<std::ops::RangeInclusive<u64>, String> {
        if let Some(bucket) = self.bucket.as_ref().filter(|bucket| **bucket != found.bucket) {
            return Err(format!("the bucket is another one: {bucket} before, {} now", found.bucket));
        }
        let known = self.revision();
        if found.last < known {
            return Err(format!("the bucket went back from revision {known} to {}", found.last));
        }
        self.bucket = Some(found.bucket.clone());
        if found.last == known {
            self.read_ns = Some(self.read_ns.map_or(began_ns, |read_ns| read_ns.max(began_ns)));
        }
        Ok(known.saturating_add(1)..=found.last)
    }

    /// The next line, with the id that it is about. False if it isn't the next one.
    pub fn line(&mut self, record: Record, id: Option<Id>) -> bool {
        if record.revision != self.revision().saturating_add(1) {
            return false;
        }
        if let Some(id) = id {
            self.filed.entry(id).or_insert(record.revision);
        }
        self.lines.push(record);
        true
    }

    /// Lines after this revision, as many as fit into a message.
    pub fn after(&self, revision: u64) -> Vec<Record> {
        const MAX_LINES: usize = 256;
        const MAX_BYTES: usize = 256 << 10;
        let start = usize::try_from(revision).unwrap_or(usize::MAX);
        let mut bytes = 0;
        let fits = |record: &&Record| {
            bytes += record.envelope.len();
            bytes <= MAX_BYTES
        };
        self.lines.get(start..).unwrap_or_default().iter().take(MAX_LINES).take_while(fits).cloned().collect()
    }

    /// A halt is heard, whose signature is right.
    pub fn halt(&self, id: &Id) -> Filing {
        self.filed.get(id).map_or(Filing::Write(None), |&revision| Filing::Has(revision))
    }

    /// A resume is heard, whose signature is right. It counts only as the line after the list that the resumer has seen.
    pub fn resume(&self, resume: &Resume) -> Filing {
        if let Some(&revision) = self.filed.get(&resume.id) {
            return Filing::Has(revision);
        }
        if self.bucket.as_ref() != Some(&resume.bucket) {
            return Filing::Not("it is for another bucket; list again".to_owned());
        }
        if resume.revision < self.revision() {
            return Filing::Not("somebody halted or resumed since the list was made; list again".to_owned());
        }
        Filing::Write(Some(resume.revision))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(text: &str) -> Id {
        Id::try_from(text.to_owned()).unwrap()
    }

    fn record(revision: u64) -> Record {
        Record { revision, envelope: "x".repeat(1000) }
    }

    fn found(bucket: &str, last: u64) -> Found {
        Found { bucket: bucket.to_owned(), last }
    }

    fn resume(bucket: &str, revision: u64) -> Resume {
        let (reason, who) = (String::new(), String::new());
        Resume { id: id("0000000f"), ids: Vec::new(), bucket: bucket.to_owned(), revision, reason, who, at_ns: 0 }
    }

    #[test]
    fn it_answers_by_reads_whose_lines_it_has() {
        let mut governor = Governor::default();
        assert_eq!(governor.answer(9), None);
        assert_eq!(governor.read(10, &found("b", 2)), Ok(1..=2));
        assert_eq!(governor.answer(11), None, "the lines are not here");
        assert!(!governor.line(record(2), None) && governor.line(record(1), None) && governor.line(record(2), None));
        assert!(governor.read(12, &found("b", 2)).unwrap().is_empty());
        assert_eq!(governor.answer(15), Some(("b", 2, 3)));
        assert!(governor.read(11, &found("b", 2)).unwrap().is_empty());
        assert_eq!(governor.answer(15), Some(("b", 2, 3)), "an older read");
        assert!(governor.read(20, &found("b", 1)).unwrap_err().contains("went back"));
        assert!(governor.read(20, &found("c", 9)).unwrap_err().contains("another one"));
        assert_eq!(governor.answer(25), Some(("b", 2, 13)), "such a read is none");
    }

    #[test]
    fn a_resume_is_for_the_list_that_was_seen() {
        let mut governor = Governor::default();
        governor.read(1, &found("b", 2)).unwrap();
        governor.line(record(1), None);
        governor.line(record(2), Some(id("0000000a")));
        assert_eq!(governor.halt(&id("0000000a")), Filing::Has(2));
        assert_eq!(governor.halt(&id("0000000b")), Filing::Write(None));
        assert_eq!(governor.resume(&resume("b", 2)), Filing::Write(Some(2)));
        assert_eq!(governor.resume(&resume("b", 3)), Filing::Write(Some(3)), "the leader decides");
        assert!(matches!(governor.resume(&resume("b", 1)), Filing::Not(_)));
        assert!(matches!(governor.resume(&resume("c", 2)), Filing::Not(_)));
        governor.line(record(3), Some(id("0000000f")));
        assert_eq!(governor.resume(&resume("b", 2)), Filing::Has(3), "repeated");
    }

    #[test]
    fn lines_come_in_parts() {
        let mut governor = Governor::default();
        for revision in 1..=1000 {
            assert!(governor.line(record(revision), None));
        }
        let lengths = |after| governor.after(after).len();
        assert_eq!([lengths(0), lengths(900), lengths(1000), lengths(u64::MAX)], [256, 100, 0, 0]);
        assert_eq!(governor.after(7)[0].revision, 8);
    }
}
