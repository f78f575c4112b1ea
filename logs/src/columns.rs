//! Any delimited text, by a map that says which column means what.

mod date;
mod header;
mod map;
mod number;
mod rows;
mod text;

pub use rows::ColumnRows;

use crate::error::LogError;
use header::Layout;
use jiff::tz::TimeZone;
use map::{Quantity, Verdict};
use std::io::Read;
use text::Text;

/// Which columns of a delimited text are a call's start, latency, result and kind, and how they are written.
///
/// ```
/// use trip99_logs::Columns;
///
/// let text = "timeStamp,elapsed,label,success\n1700000000000,120,\"order, limit\",true\n";
/// let columns = Columns::parse("start=timeStamp:ms,latency=elapsed:ms,ok=success")?;
/// let rows: Vec<_> = columns.read(text.as_bytes(), "results.jtl")?.collect::<Result<_, _>>()?;
/// assert_eq!(rows[0].start_ns, 1_700_000_000_000_000_000);
/// assert_eq!(rows[0].latency_ns, Some(120_000_000));
/// # Ok::<(), trip99_logs::LogError>(())
/// ```
///
/// Fields are as in RFC 4180: quoted if they have a delimiter or a line end, and a quote is doubled. Spaces around a field don't count,
/// nor do blank lines. Columns that the map doesn't name are ignored.
#[derive(Clone, Debug)]
pub struct Columns {
    start: Option<Quantity>,
    end: Option<Quantity>,
    latency: Option<Quantity>,
    ok: Option<Verdict>,
    kind: Option<String>,
    has_header: bool,
    /// `None` if it is to be found out.
    delimiter: Option<u8>,
    zone: Option<TimeZone>,
    lost: Vec<Vec<u8>>,
    filters: Vec<(String, Vec<u8>)>,
    is_in_order: bool,
    /// The trace's own map. What is wrong in a trace is wrong here, too: other columns, and a failed call that never came back.
    /// Columns for `ok` and `kind` needn't be there.
    is_trace: bool,
}

impl Columns {
    fn empty() -> Self {
        Self {
            start: None,
            end: None,
            latency: None,
            ok: None,
            kind: None,
            has_header: true,
            delimiter: None,
            zone: None,
            lost: Vec::new(),
            filters: Vec::new(),
            is_in_order: false,
            is_trace: false,
        }
    }

    /// A map like `start=timeStamp:ms,latency=elapsed:ms,ok=success=true,kind=type`. A column is named by its header, or by its number
    /// from 1 if no header has this name (so one whose name has a comma or ends like `:ms`).
    ///
    /// - `start`: when the call was sent. Or `end`: when it came back. A call that never came back starts at its `end`.
    /// - `latency`: how long it took, or empty if it never came back. Or both `start` and `end`.
    /// - `ok`: 1, true, ok or success; or 0, false, error, fail, failed or failure. `ok=status=200|201` names the values that are ok. Then all
    ///   others are failed. Without `ok` every call is ok.
    /// - `kind`: `ask`, `free`, `withdrawn` or `refused`. Empty is `ask`.
    ///
    /// A unit follows a colon: `s`, `ms`, `us` or `ns`, or `iso` for dates of ISO 8601. Without one it is the end of the column's name, as
    /// in `elapsed_ms`, or nanoseconds; and what looks like a date is read as one.
    ///
    /// # Errors
    ///
    /// An unknown field, a field twice, or not two of start, end and latency.
    pub fn parse(map: &str) -> Result<Self, LogError> {
        map::parse(map).map_err(|wrong| LogError::new(format_args!("columns {map:?}: {wrong}")))
    }

    /// A map like that of [`parse`](Self::parse), by its fields: `("start", "timeStamp:ms")`. So the names of columns may have commas.
    ///
    /// # Errors
    ///
    /// As there.
    pub fn from_fields<'a>(fields: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result<Self, LogError> {
        map::of_fields(fields).map_err(LogError::new)
    }

    /// The map of a trace: `start=start_ns,latency=latency_ns,ok=ok,kind=kind`, of which `ok` and `kind` needn't be there. It reads
    /// traces that [`Trace`](crate::Trace) refuses for how they are written: quoted, with semicolons, spaces, or `true` for 1.
    pub fn of_trace() -> Self {
        let quantity = |column: &str| Some(Quantity { column: column.to_owned(), unit: None });
        Self {
            start: quantity("start_ns"),
            latency: quantity("latency_ns"),
            ok: Some(Verdict { column: "ok".to_owned(), values: None }),
            kind: Some("kind".to_owned()),
            is_trace: true,
            ..Self::empty()
        }
    }

    /// The text begins with its first row. Columns have numbers alone.
    #[must_use]
    pub fn no_header(mut self) -> Self {
        self.has_header = false;
        self
    }

    /// What stands between two fields. If it isn't given, it is that one of `,`, `;`, tab and `|` which the first line has most of.
    ///
    /// # Errors
    ///
    /// It is no ASCII character, or one that fields are made of: a letter, a digit, a quote, a dot, a sign or a line end.
    pub fn delimiter(mut self, delimiter: char) -> Result<Self, LogError> {
        let is_legal = |c: char| c.is_ascii() && !c.is_ascii_alphanumeric() && !"\"\r\n\0.+-".contains(c);
        match u8::try_from(delimiter) {
            Ok(byte) if is_legal(delimiter) => {
                self.delimiter = Some(byte);
                Ok(self)
            }
            _ => Err(LogError::new(format_args!(
                "delimiter {delimiter:?}; legal: one sign of ASCII, as , ; | or a tab, that fields aren't made of"
            ))),
        }
    }

    /// The zone of dates without one: an offset like `+09:00`, `UTC`, or a name like `Europe/London`.
    ///
    /// # Errors
    ///
    /// No such zone is known.
    pub fn zone(mut self, name: &str) -> Result<Self, LogError> {
        let zone = date::parse_zone(name);
        self.zone =
            Some(zone.ok_or_else(|| LogError::new(format_args!("zone {name:?}; legal: {}", date::LEGAL_ZONES)))?);
        Ok(self)
    }

    /// Values of `latency` (or of `end`, beside `start`) that mean that the call never came back, besides an empty one.
    #[must_use]
    pub fn lost<S: Into<String>>(mut self, values: impl IntoIterator<Item = S>) -> Self {
        self.lost.extend(values.into_iter().map(|value| value.into().trim_ascii().as_bytes().to_vec()));
        self
    }

    /// Leaves out rows whose column hasn't this value. With several such filters a row has to pass all.
    #[must_use]
    pub fn only(mut self, column: &str, value: &str) -> Self {
        self.filters.push((column.to_owned(), value.trim_ascii().as_bytes().to_vec()));
        self
    }

    /// Rows have to come in order of their starts. A row that starts before the one above it is an error with its line.
    #[must_use]
    pub fn in_order(mut self) -> Self {
        self.is_in_order = true;
        self
    }

    /// Reads the header, and then, as they are asked for, the rows. They come in the order of the text: see [`sorted`](crate::sorted) and
    /// [`reordered`](crate::reordered). Memory is bounded. `file` is the name that messages use.
    ///
    /// # Errors
    ///
    /// The text can't be read, is empty, or lacks a column of the map.
    pub fn read<R: Read>(&self, input: R, file: &str) -> Result<ColumnRows<R>, LogError> {
        let mut text = Text::new(input, file, self.delimiter)?;
        let layout = match text.next() {
            Err(wrong) => Err(wrong),
            Ok(false) if self.has_header => Err("empty; legal: a header, then rows".to_owned()),
            // A file without rows, and without the header that it wouldn't have.
            Ok(_) => Layout::find(self, text.record()),
        };
        match layout {
            Ok(layout) => Ok(ColumnRows::new(self, text, layout)),
            Err(wrong) => Err(text.error(&wrong)),
        }
    }
}
