//! Traces, which are CSV with the header `start_ns,latency_ns,ok,kind`. They are read row by row.

use crate::error::LogError;
use crate::last_line::{LastField, Notes};
use crate::lines::{Lines, show};
use crate::row::{MAX_LATENCY_NS, Row, RowKind};
use std::io::{self, Read, Write};

/// Writes a trace that [`Trace`] reads back. It has kinds only if there is a row that doesn't just ask.
pub fn write_trace(out: impl Write, rows: &[Row]) -> io::Result<()> {
    let mut writer = TraceWriter::new(out, rows.iter().any(|row| row.kind != RowKind::default()))?;
    rows.iter().try_for_each(|row| writer.write(row))?;
    writer.out.flush()
}

/// Writes a trace row by row. Nothing is flushed.
pub struct TraceWriter<W> {
    out: W,
    has_kinds: bool,
}

impl<W: Write> TraceWriter<W> {
    /// Writes the header. Without kinds each row is one that asks.
    pub fn new(mut out: W, has_kinds: bool) -> io::Result<Self> {
        writeln!(out, "start_ns,latency_ns,ok{}", if has_kinds { ",kind" } else { "" })?;
        Ok(Self { out, has_kinds })
    }

    /// Writes a row.
    pub fn write(&mut self, row: &Row) -> io::Result<()> {
        let latency_ns = row.latency_ns.map_or(String::new(), |latency_ns| latency_ns.to_string());
        write!(self.out, "{},{latency_ns},{}", row.start_ns, u8::from(row.ok))?;
        if self.has_kinds {
            write!(self.out, ",{}", row.kind.name())?;
        }
        writeln!(self.out)
    }

    /// Flushes the output.
    pub fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }

    /// Gives the output back.
    pub fn into_inner(self) -> W {
        self.out
    }
}

/// Where each column stands in a line.
struct Columns {
    start_ns: usize,
    latency_ns: usize,
    ok: Option<usize>,
    kind: Option<usize>,
    count: usize,
}

/// Reads a trace, and checks each row on the way. The format has no quotes, so a row is a line. So the line numbers in messages
/// are exact, and a stray quote can't swallow the rows after it.
pub struct Trace<R> {
    lines: Lines<R>,
    columns: Columns,
    /// The name that messages use.
    file: String,
    sorted: bool,
    previous_ns: u64,
    /// There was an error. Nothing comes after it.
    failed: bool,
    last_field: LastField,
}

impl<R: Read> Trace<R> {
    /// Every legal line is much shorter.
    const MAX_LEN: u64 = 1000;

    /// Reads the header. With `sorted`, a row that starts before the one above it is an error.
    pub fn new(input: R, file: String, sorted: bool) -> Result<Self, LogError> {
        let mut lines = Lines::new(input, Self::MAX_LEN);
        let columns = match lines.next_filled() {
            Ok(Some(line)) => Columns::find(line),
            Ok(None) => Err("empty; legal: a header like start_ns,latency_ns,ok, then rows".to_owned()),
            Err(wrong) => Err(wrong),
        };
        match columns {
            Ok(columns) => {
                let last_field = columns.last_field();
                Ok(Self { lines, columns, file, sorted, previous_ns: 0, failed: false, last_field })
            }
            Err(wrong) => Err(LogError::new(format_args!("{file}: line {}: {wrong}", lines.number.max(1)))),
        }
    }

    /// What was odd about the text: a last line that was cut off, as far as it was read.
    pub fn notes(&self) -> Notes {
        self.last_field.notes()
    }

    fn read_row(&mut self) -> Result<Option<Row>, String> {
        if self.lines.next_filled()?.is_none() {
            return Ok(None);
        }
        let line = self.lines.line();
        if !self.lines.has_end {
            let (count, legal) = (fields(line).count(), self.columns.count);
            if count < legal {
                self.last_field.leave_out(&self.file, self.lines.number, count, legal);
                return Ok(None);
            }
        }
        let row = self.columns.parse(line)?;
        self.last_field.take(fields(line).next_back().unwrap_or_default());
        if !self.lines.has_end {
            self.last_field.doubt(&self.file, self.lines.number);
        }
        if self.sorted && row.start_ns < self.previous_ns {
            return Err(format!(
                "start_ns is {}, before {} of the row above; legal: ascending order, or --sort",
                row.start_ns, self.previous_ns
            ));
        }
        self.previous_ns = row.start_ns;
        Ok(Some(row))
    }
}

impl<R: Read> Iterator for Trace<R> {
    type Item = Result<Row, LogError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed {
            return None;
        }
        let row = self.read_row();
        self.failed = row.is_err();
        row.map_err(|wrong| LogError::new(format_args!("{}: line {}: {wrong}", self.file, self.lines.number)))
            .transpose()
    }
}

fn fields(line: &[u8]) -> impl DoubleEndedIterator<Item = &[u8]> {
    line.split(|&byte| byte == b',')
}

impl Columns {
    fn find(header: &[u8]) -> Result<Self, String> {
        let legal = "legal: start_ns,latency_ns and, if wanted, ok and kind (--from csv reads quotes and semicolons, --columns any table)";
        let (mut start_ns, mut latency_ns, mut ok, mut kind) = (None, None, None, None);
        for (index, name) in fields(header).enumerate() {
            let column = match name {
                b"start_ns" => &mut start_ns,
                b"latency_ns" => &mut latency_ns,
                b"ok" => &mut ok,
                b"kind" => &mut kind,
                _ => return Err(format!("unknown column {}; {legal}", show(name))),
            };
            if column.replace(index).is_some() {
                return Err(format!("column {} twice; {legal}", show(name)));
            }
        }
        match (start_ns, latency_ns) {
            (Some(start_ns), Some(latency_ns)) => {
                Ok(Self { start_ns, latency_ns, ok, kind, count: fields(header).count() })
            }
            (None, _) => Err(format!("no column start_ns; {legal}")),
            (_, None) => Err(format!("no column latency_ns; {legal}")),
        }
    }

    /// What the last field of a line is.
    fn last_field(&self) -> LastField {
        let columns = [
            (Some(self.start_ns), "start_ns", true),
            (Some(self.latency_ns), "latency_ns", true),
            (self.ok, "ok", false),
            (self.kind, "kind", false),
        ];
        let last = columns.into_iter().find(|(index, ..)| index.is_some_and(|index| index + 1 == self.count));
        LastField::new(last.map(|(_, name, _)| name.to_owned()), last.is_some_and(|(.., is_number)| is_number))
    }

    fn parse(&self, line: &[u8]) -> Result<Row, String> {
        let mut found = [b"".as_slice(); 4];
        let mut fields = fields(line);
        let count = found.iter_mut().zip(&mut fields).map(|(slot, field)| *slot = field).count() + fields.count();
        if count != self.count {
            return Err(format!("{count} fields; legal: {} fields, as in the header", self.count));
        }
        let field = |index: usize| found.get(index).copied().unwrap_or_default();
        let start = field(self.start_ns);
        let start_ns = parse_u64(start)
            .ok_or_else(|| format!("start_ns is {}; legal: whole nanoseconds from 0 to {}", show(start), u64::MAX))?;
        let latency_ns = match field(self.latency_ns) {
            b"" => None,
            latency => Some(parse_u64(latency).filter(|&ns| ns <= MAX_LATENCY_NS).ok_or_else(|| {
                format!(
                    "latency_ns is {}; legal: whole nanoseconds from 0 to {MAX_LATENCY_NS}, or empty for a call that never came back",
                    show(latency)
                )
            })?),
        };
        if let Some(latency_ns) = latency_ns
            && start_ns.checked_add(latency_ns).is_none()
        {
            return Err(format!(
                "start_ns is {start_ns} and latency_ns is {latency_ns}; legal: a sum of at most {}, when the call ends",
                u64::MAX
            ));
        }
        let ok = match self.ok.map_or(b"1".as_slice(), field) {
            b"1" | b"" => true,
            b"0" => false,
            other => return Err(format!("ok is {}; legal: 1 or 0 (empty is 1)", show(other))),
        };
        let kind = self.kind.map_or(b"".as_slice(), field);
        let kind = RowKind::parse(kind)
            .ok_or_else(|| format!("kind is {}; legal: ask, free, withdrawn or refused (empty is ask)", show(kind)))?;
        if !ok && latency_ns.is_none() && matches!(kind, RowKind::Ask | RowKind::Free) {
            return Err(
                "ok is \"0\" beside an empty latency_ns, but a call that never came back has no result; legal: \
                        the latency_ns after which it failed, or ok 1 or empty"
                    .to_owned(),
            );
        }
        Ok(Row { start_ns, latency_ns, ok, kind })
    }
}

/// A number of digits only, without a sign or a space. `None` if the text is no such `u64`.
fn parse_u64(text: &[u8]) -> Option<u64> {
    /// No number of so few digits is too large.
    const SAFE: usize = 19;
    let (head, tail) = text.split_at_checked(SAFE).unwrap_or((text, b""));
    let mut digits = head.iter().map(|byte| byte.wrapping_sub(b'0'));
    let first = digits.next().filter(|&digit| digit <= 9)?;
    let number =
        digits.try_fold(first.into(), |number: u64, digit| (digit <= 9).then(|| number * 10 + u64::from(digit)))?;
    tail.iter().try_fold(number, |number, byte| {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 { None } else { number.checked_mul(10)?.checked_add(digit.into()) }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Vec<Row>, String> {
        let message = |error: LogError| error.to_string();
        Trace::new(text.as_bytes(), "t.csv".to_owned(), true)
            .map_err(message)?
            .map(|row| row.map_err(message))
            .collect()
    }

    fn row(start_ns: u64, latency_ns: Option<u64>, ok: bool) -> Row {
        row_of(RowKind::Ask, start_ns, latency_ns, ok)
    }

    fn row_of(kind: RowKind, start_ns: u64, latency_ns: Option<u64>, ok: bool) -> Row {
        Row { start_ns, latency_ns, ok, kind }
    }

    #[test]
    fn rows_are_read() {
        let rows = [row(0, Some(5), true), row(0, None, true), row(7, Some(0), false)];
        assert_eq!(read("start_ns,latency_ns,ok\n0,5,1\n0,,1\n7,0,0\n"), Ok(rows.to_vec()));
        assert_eq!(read("start_ns,latency_ns,ok\r\n0,5,1\r\n\r\n0,,\r\n7,0,0"), Ok(rows.to_vec()));
        assert_eq!(read("\u{feff}ok,latency_ns,start_ns\n1,5,0\n1,,0\n0,0,7\n"), Ok(rows.to_vec()));
        assert_eq!(read("start_ns,latency_ns\n0,5\n0,\n"), Ok(rows[..2].to_vec()));
        assert_eq!(read("start_ns,latency_ns,ok\n"), Ok(vec![]));
        let half = u64::MAX / 2;
        let most = format!("start_ns,latency_ns\n{},{half}\n{},0\n", half + 1, u64::MAX);
        assert_eq!(read(&most), Ok(vec![row(half + 1, Some(half), true), row(u64::MAX, Some(0), true)]));
    }

    #[test]
    fn kinds_are_read() {
        use RowKind::{Ask, Free, Refused, Withdrawn};
        let rows = [
            row_of(Ask, 0, Some(5), false),
            row_of(Free, 1, None, true),
            row_of(Withdrawn, 2, Some(5), false),
            row_of(Withdrawn, 3, None, false),
            row_of(Refused, 4, None, false),
            row_of(Refused, 5, Some(6), true),
            row_of(Ask, 6, Some(7), true),
        ];
        let text = "start_ns,latency_ns,ok,kind\n0,5,0,ask\n1,,,free\n2,5,0,withdrawn\n3,,0,withdrawn\n4,,0,refused\n\
                    5,6,1,refused\n6,7,1,\n";
        assert_eq!(read(text), Ok(rows.to_vec()));
        assert_eq!(read("kind,start_ns,latency_ns\nfree,1,\n"), Ok(rows[1..2].to_vec()), "in any order, without ok");
    }

    #[test]
    fn what_is_written_is_read_back() {
        let asks =
            [row(0, Some(5), true), row(0, None, true), row(7, Some(MAX_LATENCY_NS), false), row(u64::MAX, None, true)];
        let kinds = RowKind::NAMES.map(|(kind, _)| row_of(kind, u64::MAX, None, true));
        for (rows, header) in [(&asks[..], "start_ns,latency_ns,ok\n"), (&kinds, "start_ns,latency_ns,ok,kind\n")] {
            let mut written = Vec::new();
            write_trace(&mut written, rows).unwrap();
            let written = String::from_utf8(written).unwrap();
            assert!(written.starts_with(header), "{written}");
            assert_eq!(read(&written), Ok(rows.to_vec()));
        }
    }

    #[test]
    fn mistakes_name_their_line_and_what_is_legal() {
        let header = "start_ns,latency_ns,ok\n0,1,1\n";
        for (text, line, parts) in [
            ("", "t.csv: line 1: empty", vec!["legal: a header"]),
            ("start,latency\n", "t.csv: line 1: unknown column \"start\"", vec!["legal: start_ns,latency_ns"]),
            ("start_ns,latency_ns,ok,ok\n", "t.csv: line 1: column \"ok\" twice", vec!["legal:"]),
            ("start_ns,ok\n", "t.csv: line 1: no column latency_ns", vec!["legal:"]),
            ("latency_ns\n", "t.csv: line 1: no column start_ns", vec!["legal:"]),
            (&format!("{header}1,2\n"), "t.csv: line 3: 2 fields", vec!["legal: 3"]),
            (&format!("{header}\n\n1,2,1,1\n"), "t.csv: line 5: 4 fields", vec!["legal: 3"]),
            (&format!("{header}x,2,1\n"), "t.csv: line 3: start_ns is \"x\"", vec!["legal: whole"]),
            (&format!("{header},2,1\n"), "t.csv: line 3: start_ns is \"\"", vec!["legal: whole"]),
            (&format!("{header}-1,2,1\n"), "t.csv: line 3: start_ns is \"-1\"", vec!["legal: whole"]),
            (
                &format!("{header}1, 2,1\n"),
                "t.csv: line 3: latency_ns is \" 2\"",
                vec!["legal: whole", "never came back"],
            ),
            (&format!("{header}1,2.5,1\n"), "t.csv: line 3: latency_ns is \"2.5\"", vec!["legal: whole"]),
            (
                &format!("{header}18446744073709551616,2,1\n"),
                "t.csv: line 3: start_ns is \"18446744073709551616\"",
                vec!["to 18446744073709551615"],
            ),
            (
                &format!("{header}1,9223372036854775808,1\n"),
                "t.csv: line 3: latency_ns is \"9223372036854775808\"",
                vec!["to 9223372036854775807"],
            ),
            (
                &format!("{header}18446744073709551615,1,1\n"),
                "t.csv: line 3: start_ns is 18446744073709551615 and latency_ns is 1",
                vec!["legal: a sum of at most 18446744073709551615"],
            ),
            (&format!("{header}1,2,2\n"), "t.csv: line 3: ok is \"2\"", vec!["legal: 1 or 0"]),
            (&format!("{header}1,,0\n"), "t.csv: line 3: ok is \"0\" beside an empty latency_ns", vec!["legal: the"]),
            ("start_ns,latency_ns,ok,kind\n1,,0,free\n", "t.csv: line 2: ok is \"0\" beside", vec!["legal: the"]),
            ("start_ns,latency_ns,ok,kind\n1,x,1,refused\n", "t.csv: line 2: latency_ns is \"x\"", vec!["legal:"]),
            ("start_ns,latency_ns,ok,kind\n1,,2,refused\n", "t.csv: line 2: ok is \"2\"", vec!["legal:"]),
            (
                "start_ns,latency_ns,kind\n1,2,Ask\n",
                "t.csv: line 2: kind is \"Ask\"",
                vec!["legal: ask, free, withdrawn or refused", "empty is ask"],
            ),
            ("start_ns,latency_ns,kind,kind\n", "t.csv: line 1: column \"kind\" twice", vec!["legal:"]),
            ("start_ns,latency_ns\r\n1,2\r\nx,2\r\n", "t.csv: line 3: start_ns is \"x\"", vec!["legal: whole"]),
            (&format!("{header}\"1\",2,1\n"), "t.csv: line 3: start_ns is \"\\\"1\\\"\"", vec!["legal: whole"]),
            (&format!("{header}{}\n", "1".repeat(2000)), "t.csv: line 3: longer than 1000 bytes", vec!["legal: a few"]),
            (&format!("{header}5,2,1\n4,2,1\n"), "t.csv: line 4: start_ns is 4, before 5", vec!["--sort"]),
        ] {
            let message = read(text).expect_err(text);
            assert!(message.starts_with(line), "{message}");
            assert!(parts.iter().all(|part| message.contains(part)) && !message.contains('\n'), "{message}");
        }
    }
}
