//! Lines of any text, with their numbers.

use std::io::{BufRead, BufReader, Read};

/// Reads a text line by line. No line is longer than a limit, which keeps a file without line ends out of memory.
pub(crate) struct Lines<R> {
    input: BufReader<R>,
    line: Vec<u8>,
    max_len: u64,
    /// The number of the line that was read last, from 1 on.
    pub(crate) number: u64,
    /// Whether it had a line end. Only the last one may have none.
    pub(crate) has_end: bool,
}

impl<R: Read> Lines<R> {
    pub(crate) fn new(input: R, max_len: u64) -> Self {
        Self { input: BufReader::with_capacity(1 << 16, input), line: Vec::new(), max_len, number: 0, has_end: true }
    }

    /// The next line, without its end. `None` at the end of the text.
    pub(crate) fn next(&mut self) -> Result<Option<&[u8]>, String> {
        Ok(if self.read()? { Some(&self.line) } else { None })
    }

    /// The next line that isn't blank.
    pub(crate) fn next_filled(&mut self) -> Result<Option<&[u8]>, String> {
        while self.read()? {
            if !self.line.is_empty() {
                return Ok(Some(&self.line));
            }
        }
        Ok(None)
    }

    /// The line that was read last, without its end.
    pub(crate) fn line(&self) -> &[u8] {
        &self.line
    }

    /// False at the end of the text.
    fn read(&mut self) -> Result<bool, String> {
        self.line.clear();
        self.number += 1;
        let mut input = (&mut self.input).take(self.max_len);
        let read = input.read_until(b'\n', &mut self.line);
        let len = read.map_err(|error| format!("{error}; legal: a readable file of text"))?;
        if len == 0 {
            self.number -= 1;
            return Ok(false);
        }
        if len as u64 == self.max_len && !self.line.ends_with(b"\n") {
            return Err(format!("longer than {} bytes; legal: a few short fields, then a line end", self.max_len));
        }
        self.has_end = self.line.ends_with(b"\n");
        for end in *b"\n\r" {
            self.line.pop_if(|byte| *byte == end);
        }
        if self.number == 1 && self.line.starts_with(b"\xef\xbb\xbf") {
            self.line.drain(..3);
        }
        Ok(true)
    }
}

/// A field as a message quotes it. A wrong file shouldn't flood the terminal.
pub(crate) fn show(field: &[u8]) -> String {
    let text: String = String::from_utf8_lossy(field).chars().take(40).collect();
    format!("{text:?}")
}
