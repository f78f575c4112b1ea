//! How a log is to be read: by the command line, and by the table `[columns]` of a TOML file where the command line says nothing.

use super::table::Table;
use crate::failure::Failure;
use clap::ArgMatches;
use std::path::PathBuf;
use std::time::Duration;
use trip99_logs::Columns;

pub(super) struct How<'a> {
    matches: &'a ArgMatches,
    table: Option<Table>,
}

/// In which order the rows come.
pub(super) enum Order {
    /// That of their starts.
    Ascending,
    /// Any.
    Any,
    /// A row may start so much before one above it.
    Within(u64),
}

impl<'a> How<'a> {
    pub(super) fn new(matches: &'a ArgMatches) -> Result<Self, Failure> {
        // Not every command has each of these options. That of the old settings comes first.
        let files = ["config", "against"].iter().filter_map(|id| matches.try_get_one::<PathBuf>(id).ok().flatten());
        let mut how = Self { matches, table: None };
        for file in files {
            // What isn't a table of columns is read by its own form.
            if how.get("from").is_none() && how.get("every").is_none() && how.table.is_none() {
                how.table = Table::read(file)?;
            }
        }
        Ok(how)
    }

    /// An option's text.
    pub(super) fn get(&self, name: &str) -> Option<&'a str> {
        self.matches.get_one::<String>(name).map(String::as_str)
    }

    /// The map of the columns, if there is one.
    pub(super) fn columns(&self) -> Result<Option<Columns>, Failure> {
        let table = self.table.as_ref();
        let mut columns = match (self.get("columns"), table) {
            (Some(map), _) => Columns::parse(map)?,
            (None, Some(table)) => {
                let fields = table.fields.iter().map(|(field, column)| (*field, column.as_str()));
                Columns::from_fields(fields).map_err(|error| Failure::new(format_args!("{}: {error}", table.place)))?
            }
            (None, None) => return self.check_without_map().map(|()| None),
        };
        if self.matches.get_flag("no-header") || table.is_some_and(|table| table.no_header) {
            columns = columns.no_header();
        }
        // An option by its name, or the table by its place.
        let given = |option: &str, of_table: fn(&Table) -> Option<&str>| {
            let in_table = table.and_then(|table| Some((table.place.clone(), of_table(table)?)));
            self.get(option).map(|text| (format!("--{option}"), text)).or(in_table)
        };
        if let Some((place, delimiter)) = given("delimiter", |table| table.delimiter.as_deref()) {
            let mut signs = delimiter.chars();
            let sign = match (delimiter, signs.next(), signs.next()) {
                ("tab" | "\\t", ..) => '\t',
                (_, Some(sign), None) => sign,
                _ => {
                    let legal = "legal: one sign, or tab";
                    return Err(Failure::new(format_args!("{place}: delimiter is {delimiter:?}; {legal}")));
                }
            };
            columns = columns.delimiter(sign)?;
        }
        if let Some((place, zone)) = given("zone", |table| table.zone.as_deref()) {
            columns = columns.zone(zone).map_err(|error| Failure::new(format_args!("{place}: {error}")))?;
        }
        columns = match (self.get("lost"), table) {
            (Some(lost), _) => columns.lost(lost.split(',')),
            (None, Some(table)) => columns.lost(table.lost.iter().cloned()),
            (None, None) => columns,
        };
        for (column, value) in self.filters()? {
            columns = columns.only(&column, &value);
        }
        Ok(Some(columns))
    }

    fn filters(&self) -> Result<Vec<(String, String)>, Failure> {
        let Some(filters) = self.matches.get_many::<String>("where") else {
            return Ok(self.table.as_ref().map_or_else(Vec::new, |table| table.filters.clone()));
        };
        let pair = |filter: &String| {
            let pair = filter.split_once('=').map(|(column, value)| (column.to_owned(), value.to_owned()));
            pair.ok_or_else(|| Failure::new(format_args!("--where is {filter:?}; legal: COLUMN=VALUE")))
        };
        filters.map(pair).collect()
    }

    /// Options that say something of columns are of no use without a map.
    fn check_without_map(&self) -> Result<(), Failure> {
        let given = ["delimiter", "lost"].into_iter().find(|option| self.get(option).is_some());
        let given = given.or(self.matches.contains_id("where").then_some("where"));
        match given.or(self.matches.get_flag("no-header").then_some("no-header")) {
            None => Ok(()),
            Some(option) => Err(Failure::new(format_args!(
                "--{option} without a map of columns; legal: beside --columns, or --config with a [columns] table"
            ))),
        }
    }

    pub(super) fn order(&self) -> Result<Order, Failure> {
        let table = self.table.as_ref();
        Ok(match (self.matches.get_flag("sort"), self.get("reorder")) {
            (true, _) => Order::Any,
            (false, Some(within)) => Order::Within(duration("--reorder", within)?),
            (false, None) => match table.map(|table| (table.sort, &table.reorder, &table.place)) {
                Some((true, ..)) => Order::Any,
                Some((false, Some(within), place)) => Order::Within(duration(&format!("{place}: reorder"), within)?),
                _ => Order::Ascending,
            },
        })
    }
}

pub(crate) fn duration(option: &str, text: &str) -> Result<u64, Failure> {
    let number = || text.parse::<u64>().ok();
    let duration = || humantime::parse_duration(text).ok().map(|duration: Duration| duration.as_nanos());
    let ns = number().or_else(|| duration().and_then(|ns| u64::try_from(ns).ok()));
    ns.ok_or_else(|| {
        Failure::new(format_args!("{option} is {text:?}; legal: a duration like 5s or 1ms, or a number of nanoseconds"))
    })
}
