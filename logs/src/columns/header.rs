//! Where the columns of a map stand in a text.

use super::Columns;
use super::map::{Form, Quantity};
use super::number::Unit;
use crate::last_line::LastField;
use crate::lines::show;
use csv::ByteRecord;

/// A column that the text has.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub(super) index: usize,
    /// As messages call it.
    pub(super) label: String,
}

/// A column of stamps or of latencies that the text has.
#[derive(Clone, Debug)]
pub(super) struct Times {
    pub(super) place: Place,
    pub(super) form: Form,
    /// Nobody said how they are written, so a value may be a date.
    pub(super) may_be_date: bool,
}

/// Where each column stands.
#[derive(Clone, Debug)]
pub(super) struct Layout {
    pub(super) start: Option<Times>,
    pub(super) end: Option<Times>,
    pub(super) latency: Option<Times>,
    pub(super) ok: Option<Place>,
    pub(super) kind: Option<Place>,
    pub(super) filters: Vec<Place>,
    /// How many fields a row has.
    pub(super) count: usize,
}

impl Layout {
    /// `first` is the header, or the first row if there is no header.
    pub(super) fn find(columns: &Columns, first: &ByteRecord) -> Result<Self, String> {
        let mut trimmed = first.clone();
        trimmed.trim();
        let finder = Finder { columns, first: &trimmed };
        let times = |quantity: &Option<Quantity>, role| quantity.as_ref().map(|of| finder.times(of, role)).transpose();
        let layout = Self {
            start: times(&columns.start, "start")?,
            end: times(&columns.end, "end")?,
            latency: times(&columns.latency, "latency")?,
            ok: columns.ok.as_ref().map_or(Ok(None), |ok| finder.optional(&ok.column, "ok"))?,
            kind: columns.kind.as_ref().map_or(Ok(None), |kind| finder.optional(kind, "kind"))?,
            filters: columns
                .filters
                .iter()
                .map(|(column, _)| finder.place(column, "where"))
                .collect::<Result<_, _>>()?,
            count: first.len(),
        };
        if columns.is_trace {
            finder.check_others(&layout)?;
        }
        Ok(layout)
    }

    /// What the last field of a row is.
    pub(super) fn last_field(&self) -> LastField {
        let times = [&self.start, &self.end, &self.latency].into_iter().flatten();
        let times = times.map(|times| (&times.place, matches!(times.form, Form::Number(_)) && !times.may_be_date));
        let others = [&self.ok, &self.kind].into_iter().flatten().map(|place| (place, false));
        let last = times.chain(others).find(|(place, _)| place.index + 1 == self.count);
        LastField::new(last.map(|(place, _)| place.label.clone()), last.is_some_and(|(_, is_number)| is_number))
    }
}

struct Finder<'a> {
    columns: &'a Columns,
    first: &'a ByteRecord,
}

impl Finder<'_> {
    fn place(&self, column: &str, role: &str) -> Result<Place, String> {
        let number = column.parse().ok().filter(|number| (1..=self.first.len()).contains(number));
        let by_number = |number: usize| Place { index: number - 1, label: format!("column {number} ({role})") };
        if !self.columns.has_header {
            // A text without any row has no columns to be wrong about.
            let number = if self.first.is_empty() { column.parse().ok().filter(|&number| number > 0) } else { number };
            return number.map(by_number).ok_or_else(|| {
                format!(
                    "no column {column:?} ({role}) without a header; legal: a number from 1 to {}",
                    self.first.len()
                )
            });
        }
        let mut found = self.first.iter().enumerate().filter(|(_, name)| *name == column.as_bytes());
        match (found.next(), found.next(), number) {
            (Some(_), Some(_), _) if self.columns.is_trace => Err(format!("column {column:?} twice; {}", self.legal())),
            (Some(_), Some(_), _) => Err(format!("column {column:?} ({role}) twice; legal: the number of one, from 1")),
            (Some((index, _)), None, _) if self.columns.is_trace => Ok(Place { index, label: column.to_owned() }),
            (Some((index, _)), None, _) => {
                Ok(Place { index, label: format!("{} ({role})", show(column.as_bytes()).trim_matches('"')) })
            }
            (None, _, Some(number)) => Ok(by_number(number)),
            (None, _, None) if self.columns.is_trace => Err(format!("no column {column}; {}", self.legal())),
            (None, _, None) => {
                let unit = if column.contains(':') { "; a unit is s, ms, us, ns or iso" } else { "" };
                Err(format!("no column {column:?} ({role}); {}{unit}", self.legal()))
            }
        }
    }

    /// That of a map has to be there. That of a trace needn't.
    fn optional(&self, column: &str, role: &str) -> Result<Option<Place>, String> {
        let is_missing = self.columns.is_trace && self.first.iter().all(|name| name != column.as_bytes());
        if is_missing { Ok(None) } else { self.place(column, role).map(Some) }
    }

    fn times(&self, quantity: &Quantity, role: &str) -> Result<Times, String> {
        let place = self.place(&quantity.column, role)?;
        let name = self.first.get(place.index).filter(|_| self.columns.has_header).unwrap_or_default();
        let form = quantity.unit.unwrap_or_else(|| Form::Number(Unit::of_name(&String::from_utf8_lossy(name))));
        Ok(Times { place, form, may_be_date: quantity.unit.is_none() && !self.columns.is_trace && role != "latency" })
    }

    /// A trace has no other columns: `okay` would be ignored without a word.
    fn check_others(&self, layout: &Layout) -> Result<(), String> {
        let times = [&layout.start, &layout.latency].into_iter().flatten().map(|times| times.place.index);
        let places = [&layout.ok, &layout.kind].into_iter().flatten().map(|place| place.index);
        let known: Vec<usize> = times.chain(places).chain(layout.filters.iter().map(|place| place.index)).collect();
        match self.first.iter().enumerate().find(|(index, _)| !known.contains(index)) {
            Some((_, name)) => Err(format!("unknown column {}; {}", show(name), self.legal())),
            None => Ok(()),
        }
    }

    fn legal(&self) -> String {
        /// A message is one line.
        const MOST: usize = 30;
        if self.columns.is_trace {
            return "legal: start_ns,latency_ns and, if wanted, ok and kind; --columns for other names".to_owned();
        }
        let mut names: Vec<String> = self.first.iter().take(MOST).map(show).collect();
        if self.first.len() > MOST {
            names.push("...".to_owned());
        }
        format!("there are: {}; legal: one of these, or its number from 1 to {}", names.join(", "), self.first.len())
    }
}
