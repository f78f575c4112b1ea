//! The rows of a delimited text, by its map.

use super::Columns;
use super::header::{Layout, Place, Times};
use super::map::Form;
use super::text::Text;
use super::{date, number};
use crate::error::LogError;
use crate::last_line::{LastField, Notes};
use crate::lines::show;
use crate::row::{MAX_LATENCY_NS, Row, RowKind};
use std::io::Read;

/// Reads the rows of a delimited text, and checks each on the way. See [`Columns::read`].
pub struct ColumnRows<R> {
    columns: Columns,
    layout: Layout,
    text: Text<R>,
    /// The first row was read to count its fields. It comes yet.
    is_first_read: bool,
    filtered: u64,
    failed_without_latency: u64,
    previous_ns: u64,
    last_field: LastField,
    /// The line of the latest row.
    last_line: u64,
}

impl<R: Read> ColumnRows<R> {
    pub(super) fn new(columns: &Columns, text: Text<R>, layout: Layout) -> Self {
        let is_first_read = !columns.has_header && !text.record().is_empty();
        Self {
            last_field: layout.last_field(),
            last_line: 0,
            columns: columns.clone(),
            layout,
            text,
            is_first_read,
            filtered: 0,
            failed_without_latency: 0,
            previous_ns: 0,
        }
    }

    /// How many rows were left out so far, since they didn't pass a filter.
    pub fn filtered(&self) -> u64 {
        self.filtered
    }

    /// How many calls so far were failed and without a latency. They never came back, for a breaker, since nobody knows when they failed.
    pub fn failed_without_latency(&self) -> u64 {
        self.failed_without_latency
    }

    /// What was odd about the text: a last line that was cut off, as far as it was read.
    pub fn notes(&self) -> Notes {
        self.last_field.notes()
    }

    fn read_row(&mut self) -> Result<Option<Row>, String> {
        loop {
            if !std::mem::take(&mut self.is_first_read) && !self.text.next()? {
                if self.text.ends_without_line_end() && self.last_line > 0 {
                    self.last_field.doubt(self.text.file(), self.last_line);
                }
                return Ok(None);
            }
            let (count, legal) = (self.text.record().len(), self.layout.count);
            if count != legal {
                let line = self.text.line();
                // A quote that doesn't end has the last line end of the text, which isn't counted then.
                let is_open = self.text.record().as_slice().ends_with(b"\n");
                // Only the text's next record tells that this one is the last.
                if count < legal && self.text.next() == Ok(false) && self.text.ends_without_line_end() {
                    self.last_field.leave_out(self.text.file(), line + u64::from(is_open), count, legal);
                    return Ok(None);
                }
                self.text.go_back_to(line);
                let whence = if self.columns.has_header { "in the header" } else { "in the first row" };
                return Err(format!("{count} fields; legal: {legal} fields, as {whence}"));
            }
            self.last_line = self.text.line();
            self.last_field.take(self.text.field(legal.saturating_sub(1)));
            if self.passes() {
                let row = self.parse_row()?;
                if self.columns.is_in_order {
                    self.check_order(row.start_ns)?;
                }
                return Ok(Some(row));
            }
            self.filtered += 1;
        }
    }

    fn check_order(&mut self, start_ns: u64) -> Result<(), String> {
        let previous_ns = std::mem::replace(&mut self.previous_ns, start_ns);
        if start_ns < previous_ns {
            return Err(format!(
                "it starts at {start_ns} ns, before {previous_ns} ns of the row above; legal: ascending order, or --sort, or \
                 --reorder for a log in order of completion"
            ));
        }
        Ok(())
    }

    fn passes(&self) -> bool {
        let values = self.columns.filters.iter().map(|(_, value)| value);
        self.layout.filters.iter().zip(values).all(|(place, value)| self.text.field(place.index) == value)
    }

    fn parse_row(&mut self) -> Result<Row, String> {
        let (start_ns, latency_ns) = self.parse_times()?;
        let mut ok = self.parse_ok()?;
        let kind = match &self.layout.kind {
            Some(Place { index, label }) => {
                let kind = self.text.field(*index);
                let legal = "legal: ask, free, withdrawn or refused (empty is ask)";
                RowKind::parse(kind).ok_or_else(|| format!("{label} is {}; {legal}", show(kind)))?
            }
            None => RowKind::default(),
        };
        if !ok && latency_ns.is_none() && matches!(kind, RowKind::Ask | RowKind::Free) {
            if self.columns.is_trace {
                return Err(
                    "a call that never came back has no result, but ok says that it failed; legal: the latency_ns \
                            after which it failed, or ok 1 or empty"
                        .to_owned(),
                );
            }
            self.failed_without_latency += 1;
            ok = true;
        }
        Ok(Row { start_ns, latency_ns, ok, kind })
    }

    /// When the call was sent, and how long it took.
    fn parse_times(&self) -> Result<(u64, Option<u64>), String> {
        match (&self.layout.start, &self.layout.end, &self.layout.latency) {
            (Some(start), _, Some(latency)) => {
                let (start_ns, latency_ns) = (self.stamp(start)?, self.latency(latency)?);
                if latency_ns.is_some_and(|latency_ns| start_ns.checked_add(latency_ns).is_none()) {
                    return Err(format!(
                        "{} is {} and {} is {}; legal: a sum of at most {} ns, when the call ends",
                        start.place.label,
                        self.shown(start),
                        latency.place.label,
                        self.shown(latency),
                        u64::MAX
                    ));
                }
                Ok((start_ns, latency_ns))
            }
            (_, Some(end), Some(latency)) => {
                let (end_ns, latency_ns) = (self.stamp(end)?, self.latency(latency)?);
                let start_ns = end_ns.checked_sub(latency_ns.unwrap_or(0)).ok_or_else(|| {
                    format!(
                        "{} is {} and {} is {}, so the call starts before 0; legal: an end that isn't less than the latency",
                        end.place.label,
                        self.shown(end),
                        latency.place.label,
                        self.shown(latency)
                    )
                })?;
                Ok((start_ns, latency_ns))
            }
            (Some(start), Some(end), _) => {
                let start_ns = self.stamp(start)?;
                if self.is_lost(end) {
                    return Ok((start_ns, None));
                }
                let latency_ns = self.stamp(end)?.checked_sub(start_ns).filter(|&ns| ns <= MAX_LATENCY_NS);
                let latency_ns = latency_ns.ok_or_else(|| {
                    format!(
                        "{} is {} and {} is {}; legal: an end from 0 to {MAX_LATENCY_NS} ns after the start",
                        start.place.label,
                        self.shown(start),
                        end.place.label,
                        self.shown(end)
                    )
                })?;
                Ok((start_ns, Some(latency_ns)))
            }
            // `Columns::parse` has refused these.
            _ => Err("no start and latency; legal: a map with both".to_owned()),
        }
    }

    fn shown(&self, times: &Times) -> String {
        show(self.text.field(times.place.index))
    }

    fn is_lost(&self, times: &Times) -> bool {
        let field = self.text.field(times.place.index);
        field.is_empty() || self.columns.lost.iter().any(|lost| lost == field)
    }

    fn stamp(&self, Times { place, form, may_be_date }: &Times) -> Result<u64, String> {
        let field = self.text.field(place.index);
        let wrong = |legal: &str| format!("{} is {}; legal: {legal}", place.label, show(field));
        let dates = if *may_be_date { ", or dates" } else { "" };
        match *form {
            Form::Date => date::parse_ns(field, self.columns.zone.as_ref()).map_err(|legal| wrong(&legal)),
            Form::Number(unit) => match number::parse_ns(field, unit) {
                Some(ns) => Ok(ns),
                None if *may_be_date && date::looks_like_date(field) => {
                    date::parse_ns(field, self.columns.zone.as_ref()).map_err(|legal| wrong(&legal))
                }
                None => Err(wrong(&format!("{} from 0 to {} ns{dates}", unit.plural(), u64::MAX))),
            },
        }
    }

    fn latency(&self, times: &Times) -> Result<Option<u64>, String> {
        if self.is_lost(times) {
            return Ok(None);
        }
        let field = self.text.field(times.place.index);
        // The map has refused dates here.
        let Form::Number(unit) = times.form else { return Ok(None) };
        let latency_ns = number::parse_ns(field, unit).filter(|&ns| ns <= MAX_LATENCY_NS).ok_or_else(|| {
            let legal = format!("{} from 0 to {MAX_LATENCY_NS} ns", unit.plural());
            let lost = if self.columns.is_trace { "" } else { " (or a value that --lost names)" };
            format!(
                "{} is {}; legal: {legal}, or empty{lost} for a call that never came back",
                times.place.label,
                show(field)
            )
        })?;
        Ok(Some(latency_ns))
    }

    fn parse_ok(&self) -> Result<bool, String> {
        let (Some(Place { index, label }), Some(ok)) = (&self.layout.ok, &self.columns.ok) else { return Ok(true) };
        let field = self.text.field(*index);
        if let Some(values) = &ok.values {
            return Ok(values.iter().any(|value| value == field));
        }
        let is_any = |words: &[&str]| words.iter().any(|word| word.as_bytes().eq_ignore_ascii_case(field));
        if is_any(&["1", "true", "ok", "success", ""]) {
            Ok(true)
        } else if is_any(&["0", "false", "error", "fail", "failed", "failure"]) {
            Ok(false)
        } else {
            let values =
                if self.columns.is_trace { "" } else { "; or name the values that are ok, as ok=COLUMN=200|201" };
            Err(format!(
                "{label} is {}; legal: 1, true, ok, success, or 0, false, error, failed (empty is 1){values}",
                show(field)
            ))
        }
    }
}

impl<R: Read> Iterator for ColumnRows<R> {
    type Item = Result<Row, LogError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.read_row().map_err(|wrong| self.text.error(&wrong)).transpose()
    }
}
