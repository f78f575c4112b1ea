//! The halts of a fleet, as its bucket tells.

use crate::book::Book;
use crate::message::{self, Body, Halt, Records, Resume};
use crate::time::show_wall;
use crate::trust::{Role, Trust};

/// A line of the bucket, for people.
pub enum Line {
    /// A halt.
    Halt(Halt),
    /// A resume, and why it counts for nothing, if it doesn't.
    Resume(Resume, Option<String>),
    /// What can't be understood.
    Unknown(String),
}

/// What the bucket's lines say, each with its revision and with who signed it.
pub fn lines(trust: &Trust, records: &Records) -> Vec<(u64, String, Line)> {
    let lines = records.records.iter().filter(|record| !record.envelope.is_empty());
    lines
        .map(|record| {
            let (by, line) = match message::open(&trust.fleet, record.envelope.as_bytes()) {
                Err(why) => (String::new(), Line::Unknown(why.to_string())),
                Ok(opened) => match opened.body {
                    Body::Halt(halt) => (name(trust, Role::Halter, &opened.by), Line::Halt(halt)),
                    Body::Resume(resume) => {
                        let why = trust.name(Role::Resumer, &opened.by).err().map(|why| why.to_string());
                        (name(trust, Role::Resumer, &opened.by), Line::Resume(resume, why))
                    }
                    _ => (opened.by, Line::Unknown("neither a halt nor a resume".to_owned())),
                },
            };
            (record.revision, by, line)
        })
        .collect()
}

fn name(trust: &Trust, role: Role, by: &str) -> String {
    trust.name(role, by).map_or_else(|why| format!("{by} ({why})"), str::to_owned)
}

/// The halts that aren't over, by the bucket alone.
pub fn book(trust: &Trust, records: &Records) -> Book {
    let mut book = Book::default();
    for (revision, _, line) in lines(trust, records) {
        match line {
            Line::Halt(halt) => _ = book.take(&halt, "", Some(revision)),
            Line::Resume(resume, None) => book.bury(&resume.ids),
            Line::Resume(_, Some(_)) | Line::Unknown(_) => {}
        }
    }
    book
}

/// A halt, for people.
pub fn show(halt: &Halt) -> String {
    let reason = if halt.reason.is_empty() { "no reason given" } else { &halt.reason };
    let reason = message::clean(reason);
    format!(
        "{}  {}  {}  {}: {reason}",
        halt.id.short(),
        show_wall(halt.at_ns),
        halt.selection,
        message::clean(&halt.who)
    )
}
