//! The table `[columns]` of a TOML file: what the options that begin with `--columns` say, kept beside a node's settings.

use crate::failure::Failure;
use std::fs;
use std::path::Path;
use toml::de::{DeTable, DeValue};

/// What the table says. Its texts mean what those of the options mean.
#[derive(Default)]
pub(super) struct Table {
    /// What messages call it.
    pub(super) place: String,
    /// Fields of the map, as `start`, each with its column.
    pub(super) fields: Vec<(&'static str, String)>,
    pub(super) no_header: bool,
    pub(super) delimiter: Option<String>,
    pub(super) zone: Option<String>,
    pub(super) lost: Vec<String>,
    /// Columns, each with the value that a row must have.
    pub(super) filters: Vec<(String, String)>,
    pub(super) sort: bool,
    pub(super) reorder: Option<String>,
}

const FIELDS: [&str; 5] = ["start", "end", "latency", "ok", "kind"];
const LEGAL_KEYS: &str = "start, end, latency, ok, kind, no_header, delimiter, zone, lost, where, sort and reorder";

impl Table {
    /// Reads the table of a file whose settings were read already. `None` if the file has none.
    pub(super) fn read(path: &Path) -> Result<Option<Self>, Failure> {
        let file = path.display();
        let wrong = |error: &dyn std::fmt::Display| Failure::new(format_args!("{file}: {error}; legal: a TOML file"));
        let text = fs::read_to_string(path).map_err(|error| wrong(&error))?;
        let all = DeTable::parse(&text).map_err(|error| wrong(&error.message()))?;
        let Some(DeValue::Table(entries)) = all.get_ref().get("columns").map(|table| table.get_ref()) else {
            return Ok(None);
        };
        let mut table = Self { place: format!("{file}: [columns]"), ..Self::default() };
        for (key, value) in entries {
            let line = 1 + text.bytes().take(key.span().start).filter(|&byte| byte == b'\n').count();
            let name = key.get_ref().replace('-', "_");
            table.set(&name, value.get_ref()).map_err(|legal| {
                Failure::new(format_args!("{file}: line {line}: [columns] {}; legal: {legal}", key.get_ref()))
            })?;
        }
        if table.sort && table.reorder.is_some() {
            return Err(Failure::new(format_args!("{}: sort and reorder at once; legal: one of them", table.place)));
        }
        Ok(Some(table))
    }

    /// An error is what would be legal.
    fn set(&mut self, key: &str, value: &DeValue<'_>) -> Result<(), String> {
        if let Some(field) = FIELDS.iter().find(|field| **field == key) {
            self.fields.push((field, text(value).ok_or("a column, as \"timeStamp:ms\", or its number")?));
            return Ok(());
        }
        match (key, value) {
            ("no_header", DeValue::Boolean(on)) => self.no_header = *on,
            ("sort", DeValue::Boolean(on)) => self.sort = *on,
            ("no_header" | "sort", _) => return Err("true or false".to_owned()),
            ("delimiter", DeValue::String(sign)) => self.delimiter = Some(sign.to_string()),
            ("delimiter", _) => return Err("one sign, as \";\", or \"tab\"".to_owned()),
            ("zone", DeValue::String(zone)) => self.zone = Some(zone.to_string()),
            ("zone", _) => return Err("a zone, as \"+09:00\" or \"Europe/London\"".to_owned()),
            ("reorder", _) => self.reorder = Some(text(value).ok_or("a duration, as \"5s\"")?),
            ("lost", DeValue::String(values)) => self.lost = values.split(',').map(str::to_owned).collect(),
            ("lost", DeValue::Array(values)) => {
                let values = values.iter().map(|value| text(value.get_ref())).collect::<Option<_>>();
                self.lost = values.ok_or("values, as [\"LOSS\", \"-\"]")?;
            }
            ("lost", _) => return Err("values, as [\"LOSS\", \"-\"]".to_owned()),
            ("where", DeValue::Table(filters)) => {
                let filters =
                    filters.iter().map(|(column, value)| Some((column.get_ref().to_string(), text(value.get_ref())?)));
                self.filters = filters.collect::<Option<_>>().ok_or("columns with values, as { label = \"order\" }")?;
            }
            ("where", _) => return Err("columns with values, as { label = \"order\" }".to_owned()),
            _ => return Err(LEGAL_KEYS.to_owned()),
        }
        Ok(())
    }
}

/// A value as the log would have it.
fn text(value: &DeValue<'_>) -> Option<String> {
    match value {
        DeValue::String(text) => Some(text.to_string()),
        DeValue::Integer(number) if number.radix() == 10 => Some(number.as_str().to_owned()),
        DeValue::Float(number) => Some(number.as_str().to_owned()),
        DeValue::Boolean(on) => Some(on.to_string()),
        _ => None,
    }
}
