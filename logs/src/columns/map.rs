//! The text of a map: `start=timeStamp:ms,latency=elapsed:ms,ok=success=true`.

use super::Columns;
use super::number::Unit;

/// How a time is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Number(Unit),
    Date,
}

/// A column of stamps or of latencies.
#[derive(Clone, Debug)]
pub(super) struct Quantity {
    pub(super) column: String,
    /// `None` if the column's name and its values tell.
    pub(super) unit: Option<Form>,
}

/// The column that tells whether a call went well.
#[derive(Clone, Debug)]
pub(super) struct Verdict {
    pub(super) column: String,
    /// The values that are ok. `None` for the usual words.
    pub(super) values: Option<Vec<Vec<u8>>>,
}

const LEGAL: &str = "legal: start=COLUMN:UNIT,latency=COLUMN:UNIT and, if wanted, ok=COLUMN or ok=COLUMN=VALUE and kind=COLUMN; \
                     end for start if stamps are those of the end, or both for the latency";

pub(super) fn parse(map: &str) -> Result<Columns, String> {
    of_fields(map.split(',').map(|part| part.split_once('=').unwrap_or((part, ""))))
}

/// Fields, each with what stands for it.
pub(super) fn of_fields<'a>(fields: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result<Columns, String> {
    let mut columns = Columns::empty();
    for (field, column) in fields {
        let (field, column) = (field.trim_ascii(), column.trim_ascii());
        // What follows the name is a unit or a value.
        if column.is_empty() || column.starts_with('=') || quantity(column).column.is_empty() {
            return Err(format!("{field:?} names no column; {LEGAL}"));
        }
        let is_twice = match field {
            "start" => columns.start.replace(quantity(column)).is_some(),
            "end" => columns.end.replace(quantity(column)).is_some(),
            "latency" => columns.latency.replace(quantity(column)).is_some(),
            "ok" => columns.ok.replace(ok(column)).is_some(),
            "kind" => columns.kind.replace(column.to_owned()).is_some(),
            _ => return Err(format!("unknown field {field:?}; {LEGAL}")),
        };
        if is_twice {
            return Err(format!("{field} twice; {LEGAL}"));
        }
    }
    if columns.latency.as_ref().is_some_and(|latency| latency.unit == Some(Form::Date)) {
        return Err("a latency is no date; legal: the units s, ms, us and ns".to_owned());
    }
    match (&columns.start, &columns.end, &columns.latency) {
        (Some(_), None, Some(_)) | (None, Some(_), Some(_)) | (Some(_), Some(_), None) => Ok(columns),
        (Some(_), Some(_), Some(_)) => {
            Err(format!("start, end and latency at once, but each two tell the third; {LEGAL}"))
        }
        (None, None, _) => Err(format!("no start; {LEGAL}")),
        (_, _, None) => Err(format!("no latency; {LEGAL}")),
    }
}

/// What follows the last colon is a unit only if we know it: names have colons, too.
fn quantity(text: &str) -> Quantity {
    let (column, unit) = match text.rsplit_once(':') {
        Some((column, "iso")) => (column, Some(Form::Date)),
        Some((column, unit)) => match Unit::parse(unit) {
            Some(unit) => (column, Some(Form::Number(unit))),
            None => (text, None),
        },
        None => (text, None),
    };
    Quantity { column: column.trim_ascii().to_owned(), unit }
}

fn ok(text: &str) -> Verdict {
    match text.split_once('=') {
        Some((column, values)) => Verdict {
            column: column.trim_ascii().to_owned(),
            values: Some(values.split('|').map(|value| value.trim_ascii().as_bytes().to_vec()).collect()),
        },
        None => Verdict { column: text.to_owned(), values: None },
    }
}
