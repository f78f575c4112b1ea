//! Bare latencies, one a line.

use crate::amount::{Unit, parse_amount};
use crate::error::LogError;
use crate::lines::{Lines, show};
use crate::row::{Row, RowKind};
use std::io::Read;

/// How bare latencies are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BareOptions {
    /// The time from one call to the next, in nanoseconds.
    pub every_ns: u64,
    /// The unit of a number that has none.
    pub unit: Unit,
}

/// Reads bare latencies. A line is a call: a decimal number, and a unit (`ns`, `us`, `µs`, `ms` or `s`) if it isn't the one of the options.
/// A line that is empty, or is `-`, `timeout`, `LOSS`, `inf` or `nan` in any case, is a call that never came back.
///
/// Call n, counted from 0, starts at n times `every_ns`. Latencies are exact: no figure passes through a float. Digits beyond a
/// nanosecond are rounded.
///
/// ```
/// use trip99_logs::{Bare, BareOptions, Unit};
///
/// let options = BareOptions { every_ns: 1_000_000, unit: Unit::Us };
/// let rows: Result<Vec<_>, _> = Bare::new("210\n0.2ms\ntimeout\n".as_bytes(), "t.txt".to_owned(), options).collect();
/// let rows = rows?;
/// assert_eq!(rows[1].start_ns, 1_000_000);
/// assert_eq!([rows[0].latency_ns, rows[1].latency_ns, rows[2].latency_ns], [Some(210_000), Some(200_000), None]);
/// # Ok::<(), trip99_logs::LogError>(())
/// ```
pub struct Bare<R> {
    lines: Lines<R>,
    /// The name that messages use.
    file: String,
    options: BareOptions,
    failed: bool,
}

impl<R: Read> Bare<R> {
    /// Every legal line is much shorter.
    const MAX_LEN: u64 = 1000;

    /// Reads from `input`. Messages name it `file`.
    pub fn new(input: R, file: String, options: BareOptions) -> Self {
        Self { lines: Lines::new(input, Self::MAX_LEN), file, options, failed: false }
    }

    fn read_row(&mut self) -> Result<Option<Row>, String> {
        let Some(line) = self.lines.next()? else {
            return match self.lines.number {
                0 => Err("empty; legal: a latency in each line".to_owned()),
                _ => Ok(None),
            };
        };
        let latency_ns = parse_line(line, self.options.unit)?;
        let start_ns = (self.lines.number - 1)
            .checked_mul(self.options.every_ns)
            .filter(|start_ns| start_ns.checked_add(latency_ns.unwrap_or(0)).is_some())
            .ok_or_else(|| {
                format!(
                    "the call starts at {} times {} ns; legal: a time from call to call so short that the last one ends by {} ns",
                    self.lines.number - 1,
                    self.options.every_ns,
                    u64::MAX
                )
            })?;
        Ok(Some(Row { start_ns, latency_ns, ok: true, kind: RowKind::Ask }))
    }
}

impl<R: Read> Iterator for Bare<R> {
    type Item = Result<Row, LogError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed {
            return None;
        }
        let row = self.read_row();
        self.failed = row.is_err();
        row.map_err(|wrong| LogError::new(format_args!("{}: line {}: {wrong}", self.file, self.lines.number.max(1))))
            .transpose()
    }
}

fn parse_line(line: &[u8], unit: Unit) -> Result<Option<u64>, String> {
    let line = line.trim_ascii();
    let lost = [b"".as_slice(), b"-", b"timeout", b"loss", b"inf", b"nan"];
    if lost.iter().any(|name| line.eq_ignore_ascii_case(name)) {
        return Ok(None);
    }
    parse_amount(line, unit).map(Some).ok_or_else(|| {
        format!(
            "the latency is {}; legal: a decimal number from 0 to 2^63 ns, with ns, us, ms or s behind it if wanted; or an empty line, -, \
             timeout, LOSS, inf or nan for a call that never came back",
            show(line)
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &[u8], every_ns: u64) -> Result<Vec<Row>, String> {
        Bare::new(text, "t.txt".to_owned(), BareOptions { every_ns, unit: Unit::Us })
            .collect::<Result<_, _>>()
            .map_err(|error: LogError| error.to_string())
    }

    #[test]
    fn latencies_are_read() {
        let rows = read(b"\xef\xbb\xbf210\r\n0.21 ms\n\n-\nTIMEOUT\nloss\nInf\nNaN\n  1s\n0.2101", 1000).unwrap();
        let latencies =
            [Some(210_000), Some(210_000), None, None, None, None, None, None, Some(1_000_000_000), Some(210)];
        assert_eq!(rows.iter().map(|row| row.latency_ns).collect::<Vec<_>>(), latencies);
        assert!(rows.iter().zip(0..).all(|(row, n)| row.start_ns == n * 1000 && row.ok && row.kind == RowKind::Ask));
    }

    #[test]
    fn mistakes_name_their_line_and_what_is_legal() {
        let legal = "legal: a decimal number from 0 to 2^63 ns, with ns, us, ms or s behind it if wanted; or an empty line, -, timeout, LOSS, \
                     inf or nan for a call that never came back";
        for (text, message) in [
            ("", "line 1: empty; legal: a latency in each line".to_owned()),
            ("1\nx\n", format!("line 2: the latency is \"x\"; {legal}")),
            ("1\n\n-5\n", format!("line 3: the latency is \"-5\"; {legal}")),
            ("1 2\n", format!("line 1: the latency is \"1 2\"; {legal}")),
            ("1e3\n", format!("line 1: the latency is \"1e3\"; {legal}")),
            (
                &"1".repeat(2000),
                "line 1: longer than 1000 bytes; legal: a few short fields, then a line end".to_owned(),
            ),
        ] {
            assert_eq!(read(text.as_bytes(), 1), Err(format!("t.txt: {message}")), "{text}");
        }
        let late = "t.txt: line 3: the call starts at 2 times 9223372036854775808 ns; legal: a time from call to call so short that the \
                    last one ends by 18446744073709551615 ns";
        assert_eq!(read(b"0\n0\n1\n", 1 << 63), Err(late.to_owned()));
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_panic(text: Vec<u8>, every_ns: u64) {
            let _ = read(&text, every_ns);
        }
    }
}
