//! Records of a delimited text, in bounded memory.

use crate::error::LogError;
use csv::{ByteRecord, Reader, ReaderBuilder, Terminator};
use std::cell::Cell;
use std::io::{self, Chain, Cursor, ErrorKind, Read};
use std::rc::Rc;

/// A record may be this long. Without a limit a stray quote would read the rest of the file into memory.
const MAX_RECORD_LEN: u64 = 1 << 20;
const BUFFER_LEN: usize = 1 << 16;
const DELIMITERS: [u8; 4] = [b',', b';', b'\t', b'|'];
const BOM: &[u8] = b"\xef\xbb\xbf";

/// What is left of the input after its first line was looked at.
type Input<R> = Chain<Ending<Chain<Cursor<Vec<u8>>, R>>, &'static [u8]>;

pub(super) struct Text<R> {
    records: Reader<Bounded<Input<R>>>,
    record: ByteRecord,
    /// The line that the record begins at, from 1.
    line: u64,
    budget: Rc<Cell<u64>>,
    /// The last byte so far.
    last_byte: Rc<Cell<u8>>,
    /// The name that messages use.
    file: String,
    /// The input is at its end, or can't be read any further.
    is_over: bool,
}

impl<R: Read> Text<R> {
    /// Reads as far as the delimiter needs to be found out.
    pub(super) fn new(mut input: R, file: &str, delimiter: Option<u8>) -> Result<Self, LogError> {
        let head = read_first_line(&mut input)
            .map_err(|error| LogError::new(format_args!("{file}: line 1: {error}; legal: a readable file of CSV")))?;
        let delimiter = delimiter.unwrap_or_else(|| find_delimiter(&head));
        // A line end after the last line, which may have none, keeps the count of lines simple.
        let last_byte = Rc::new(Cell::new(b'\n'));
        let input = Ending { input: Cursor::new(head).chain(input), last_byte: last_byte.clone() };
        let input = input.chain(b"\n".as_slice());
        let budget = Rc::new(Cell::new(0));
        let records = ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .delimiter(delimiter)
            // That of \r\n is taken off with the spaces. The reader would count it to the next line.
            .terminator(Terminator::Any(b'\n'))
            .buffer_capacity(BUFFER_LEN)
            .from_reader(Bounded { input, budget: budget.clone() });
        Ok(Self {
            records,
            record: ByteRecord::new(),
            line: 1,
            budget,
            last_byte,
            file: file.to_owned(),
            is_over: false,
        })
    }

    /// Moves to the next record that isn't blank. False at the end.
    pub(super) fn next(&mut self) -> Result<bool, String> {
        loop {
            self.record.clear();
            if self.is_over {
                return Ok(false);
            }
            self.budget.set(MAX_RECORD_LEN);
            let before = self.records.position().line();
            match self.records.read_byte_record(&mut self.record) {
                Ok(true) => {}
                Ok(false) => self.is_over = true,
                Err(error) => {
                    (self.is_over, self.line) = (true, before);
                    self.record.clear();
                    return Err(match error.into_kind() {
                        csv::ErrorKind::Io(error) if error.kind() == ErrorKind::FileTooLarge => format!(
                            "longer than {MAX_RECORD_LEN} bytes; legal: a few short fields, and an end to each quote"
                        ),
                        csv::ErrorKind::Io(error) => format!("{error}; legal: a readable file of CSV"),
                        other => format!("{other:?}; legal: a readable file of CSV"),
                    });
                }
            }
            // The reader has passed the record's own line ends, and the one after it.
            let own = self.record.as_slice().iter().filter(|&&byte| byte == b'\n').count() as u64;
            self.line = self.records.position().line().saturating_sub(own + 1).max(1);
            let is_blank = self.record.len() == 1 && self.field(0).is_empty();
            if self.is_over || !is_blank {
                return Ok(!self.is_over);
            }
        }
    }

    /// Whether the text is over, and has no line end after its last line.
    pub(super) fn ends_without_line_end(&self) -> bool {
        self.is_over && self.last_byte.get() != b'\n'
    }

    /// The line that the record begins at.
    pub(super) fn line(&self) -> u64 {
        self.line
    }

    /// An error is about a record that was passed.
    pub(super) fn go_back_to(&mut self, line: u64) {
        self.line = line;
    }

    /// The name that messages use.
    pub(super) fn file(&self) -> &str {
        &self.file
    }

    pub(super) fn record(&self) -> &ByteRecord {
        &self.record
    }

    /// A field without the spaces around it, or nothing if it isn't there.
    pub(super) fn field(&self, index: usize) -> &[u8] {
        self.record.get(index).unwrap_or_default().trim_ascii()
    }

    pub(super) fn error(&self, wrong: &str) -> LogError {
        LogError::new(format_args!("{}: line {}: {wrong}", self.file, self.line))
    }
}

/// The input up to and with the end of the first line that isn't blank, and what came with it, without the mark of UTF-8.
fn read_first_line(input: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut head = Vec::new();
    let mut buffer = [0; 1 << 12];
    while head.len() < BUFFER_LEN && first_line(&head).is_none() {
        match input.read(&mut buffer) {
            Ok(0) => break,
            Ok(len) => head.extend(buffer.iter().take(len)),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    if head.starts_with(BOM) {
        head.drain(..BOM.len());
    }
    Ok(head)
}

/// The first line that isn't blank, if it is all there. A line end within quotes doesn't end it.
fn first_line(text: &[u8]) -> Option<&[u8]> {
    let (mut is_quoted, mut is_blank) = (false, true);
    text.iter()
        .position(|byte| {
            is_quoted ^= *byte == b'"';
            is_blank &= byte.is_ascii_whitespace();
            *byte == b'\n' && !is_quoted && !is_blank
        })
        .and_then(|end| text.get(..end))
}

/// The one that the first line has most of, outside of quotes. A comma if it has none.
fn find_delimiter(text: &[u8]) -> u8 {
    let line = first_line(text).unwrap_or(text);
    let count = |delimiter| {
        let mut is_quoted = false;
        line.iter()
            .filter(|&&byte| {
                is_quoted ^= byte == b'"';
                byte == delimiter && !is_quoted
            })
            .count()
    };
    // Of equal counts the last one wins, so the comma comes last.
    DELIMITERS.into_iter().rev().max_by_key(|&delimiter| count(delimiter)).unwrap_or(b',')
}

/// Knows the last byte that was read.
struct Ending<R> {
    input: R,
    last_byte: Rc<Cell<u8>>,
}

impl<R: Read> Read for Ending<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let len = self.input.read(buffer)?;
        if let Some(last) = buffer.get(..len).and_then(<[u8]>::last) {
            self.last_byte.set(*last);
        }
        Ok(len)
    }
}

/// Reads until the budget is used up.
struct Bounded<R> {
    input: R,
    budget: Rc<Cell<u64>>,
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.budget.get() == 0 {
            return Err(ErrorKind::FileTooLarge.into());
        }
        let len = self.input.read(buffer)?;
        self.budget.set(self.budget.get().saturating_sub(len as u64));
        Ok(len)
    }
}
