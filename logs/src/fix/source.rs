//! The messages of one file, and of several files by time.

use super::Unpaired;
use super::message::{Message, parse_line};
use crate::error::LogError;
use crate::lines::Lines;
use std::io::Read;

/// One file.
pub(super) struct Source {
    lines: Lines<Box<dyn Read>>,
    /// The name that messages use.
    file: String,
    offset_minutes: i32,
    /// The message that comes next, and its line.
    head: Option<(Message, u64)>,
    ended: bool,
    messages: u64,
    unreadable: u64,
    /// The stamp of the last line that had one.
    stamp_ns: u64,
    order_ns: u64,
}

impl Source {
    /// A message with market data or a document in it may be long.
    const MAX_LEN: u64 = 1 << 24;

    pub(super) fn new(input: Box<dyn Read>, file: String, offset_minutes: i32) -> Self {
        Self {
            lines: Lines::new(input, Self::MAX_LEN),
            file,
            offset_minutes,
            head: None,
            ended: false,
            messages: 0,
            unreadable: 0,
            stamp_ns: 0,
            order_ns: 0,
        }
    }

    fn error(&self, line: u64, wrong: &str) -> LogError {
        LogError::new(format_args!("{}: line {line}: {wrong}", self.file))
    }

    /// Sees to it that there is a head, unless the file has ended.
    fn fill(&mut self, unpaired: &mut Unpaired) -> Result<(), LogError> {
        while self.head.is_none() && !self.ended {
            let parsed = match self.lines.next() {
                Ok(Some(line)) if line.trim_ascii().is_empty() => continue,
                Ok(Some(line)) => parse_line(line, self.offset_minutes),
                Ok(None) => {
                    self.ended = true;
                    return self.check_that_it_was_a_log();
                }
                Err(wrong) => return Err(self.error(self.lines.number, &wrong)),
            };
            match parsed {
                Ok((message, another)) => {
                    if another {
                        self.note_unreadable("another message in the line; legal: each in a line of its own", unpaired);
                    }
                    self.put_head(message)?;
                }
                Err(wrong) => self.note_unreadable(wrong, unpaired),
            }
        }
        Ok(())
    }

    fn check_that_it_was_a_log(&self) -> Result<(), LogError> {
        if self.messages == 0 && self.unreadable > 0 {
            return Err(LogError::new(format_args!(
                "{}: {} lines and no FIX message in them; legal: a messages log, with fields from 8=FIX on in each line",
                self.file, self.lines.number
            )));
        }
        Ok(())
    }

    fn note_unreadable(&mut self, wrong: &str, unpaired: &mut Unpaired) {
        self.unreadable += 1;
        unpaired.unreadable_lines += 1;
        unpaired.first_unreadable.get_or_insert_with(|| format!("{}: line {}: {wrong}", self.file, self.lines.number));
    }

    fn put_head(&mut self, mut message: Message) -> Result<(), LogError> {
        let line = self.lines.number;
        if message.stamped {
            if message.time_ns < self.stamp_ns {
                let wrong = format!(
                    "the stamp is {} ns since 1970, before {} of a line above; legal: ascending order in a file",
                    message.time_ns, self.stamp_ns
                );
                return Err(self.error(line, &wrong));
            }
            self.stamp_ns = message.time_ns;
        }
        // Without stamps the two sides' clocks take turns. The order of the lines is the truth.
        self.order_ns = self.order_ns.max(message.time_ns);
        message.order_ns = self.order_ns;
        self.messages += 1;
        self.head = Some((message, line));
        Ok(())
    }
}

/// Where a message was.
pub(super) struct Place {
    source: usize,
    line: u64,
}

/// Files as one stream by time.
pub(super) struct Merged {
    sources: Vec<Source>,
}

impl Merged {
    pub(super) fn new(sources: Vec<Source>) -> Self {
        Self { sources }
    }

    /// The next message, and where it was. `None` if all files have ended.
    pub(super) fn next(&mut self, unpaired: &mut Unpaired) -> Result<Option<(Message, Place)>, LogError> {
        let mut first = None;
        for (index, source) in self.sources.iter_mut().enumerate() {
            source.fill(unpaired)?;
            if let Some((message, _)) = &source.head {
                let key = (message.order_ns, message.kind.rank(), index);
                first = Some(first.map_or(key, |least: (u64, u8, usize)| least.min(key)));
            }
        }
        if let Some((_, _, index)) = first
            && let Some((message, line)) = self.sources.get_mut(index).and_then(|source| source.head.take())
        {
            return Ok(Some((message, Place { source: index, line })));
        }
        match self.sources.first() {
            Some(source) if self.sources.iter().all(|source| source.messages == 0) => Err(LogError::new(format_args!(
                "{}: empty; legal: a messages log, with fields from 8=FIX on in each line",
                source.file
            ))),
            _ => Ok(None),
        }
    }

    pub(super) fn error(&self, place: &Place, wrong: &str) -> LogError {
        match self.sources.get(place.source) {
            Some(source) => source.error(place.line, wrong),
            None => LogError::new(wrong),
        }
    }
}
