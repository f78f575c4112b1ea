//! `trip99 ls`

use crate::arguments::{format_arg, is_json};
use crate::failure::Failure;
use crate::json::Json;
use crate::page::json;
use crate::page::place::Place;
use crate::page::reading::Reading;
use crate::show::{WIDE, escape, show_count, show_ns};
use clap::{ArgMatches, Command};
use console::{Alignment, Term, measure_text_width, pad_str, style};
use std::fs;
use std::io::{self, Write};
use std::path::Path;
use trip99::shared::SharedError;
use trip99::{Observer, shared};

pub(crate) fn command() -> Command {
    Command::new("ls")
        .args_override_self(true)
        .about("List this user's breakers that are published in pages")
        .long_about(
            "List this user's breakers that are published in pages: those in the conventional directory, \
             /dev/shm/trip99-USER. Pages that can't be read are listed with the reason.",
        )
        .arg(format_arg("Text for people, or one JSON object a line: the pages"))
}

pub(crate) fn run(matches: &ArgMatches) -> Result<(), Failure> {
    let directory = shared::dir().map_err(Failure::new)?;
    let pages = pages(&directory)
        .map_err(|error| Failure::new(format_args!("{}: {error}; the pages can't be listed", directory.display())))?;
    let readings = pages.iter().map(|place| (place, Observer::open(&place.path).map(|page| Reading::take(&page))));
    let mut out = io::stdout().lock();
    if is_json(matches) {
        let mut out = Json(out);
        return readings.into_iter().try_for_each(|(place, reading)| match reading {
            Ok(reading) => out.line(&json::page(place, &reading)),
            Err(error) => out.line(&json::refused_page(place, &error.to_string())),
        });
    }
    if pages.is_empty() {
        return Ok(writeln!(out, "no pages in {}", directory.display())?);
    }
    let is_wide = Term::stdout().size_checked().is_none_or(|(_, columns)| usize::from(columns) >= WIDE);
    let names = pages.iter().map(|place| measure_text_width(&place.name())).max().unwrap_or(0);
    let names = names.clamp(4, if is_wide { 32 } else { 20 });
    writeln!(out, "{}", header(names, is_wide))?;
    for (place, reading) in readings {
        let mut name = place.name();
        if measure_text_width(&name) > names {
            // A long name has a line of its own, so that the columns stay where they are.
            writeln!(out, "{name}")?;
            name.clear();
        }
        let name = left(&name, names);
        match reading {
            Ok(reading) => writeln!(out, "{name}  {}", row(&reading, is_wide))?,
            Err(error) => writeln!(out, "{name}  {}", style(why(&error, place)).red())?,
        }
    }
    Ok(())
}

/// The pages of a directory, by name. Hidden files are no pages: they are locks, and pages that are being made.
fn pages(directory: &Path) -> io::Result<Vec<Place>> {
    let entries = fs::read_dir(directory)?.collect::<io::Result<Vec<_>>>()?;
    let is_hidden = |name: &std::ffi::OsStr| name.as_encoded_bytes().starts_with(b".");
    let visible = entries.into_iter().filter(|entry| !is_hidden(&entry.file_name()));
    let mut paths: Vec<_> = visible.map(|entry| entry.path()).collect();
    paths.sort();
    Ok(paths.into_iter().map(|path| Place { path }).collect())
}

fn header(names: usize, is_wide: bool) -> String {
    let samples = if is_wide { format!("  {:>16}", "slow of samples") } else { String::new() };
    let header =
        format!("{:<names$}  {:<17}  {:<15}  {:>12}{samples}  {:>8}", "page", "state", "owner", "seen ago", "P99");
    style(header).dim().to_string()
}

/// Pads a text to a width. (Styled text has more letters than are seen.)
fn left(text: &str, width: usize) -> String {
    pad_str(text, width, Alignment::Left, None).into_owned()
}

fn row(reading: &Reading, is_wide: bool) -> String {
    let owner = format!("{} {}", reading.pid(), reading.owner_state());
    let owner = if reading.owner_state() == "alive" { style(owner) } else { style(owner).yellow() }.to_string();
    let samples = reading.snapshot.as_ref().map_or("-".to_owned(), |snapshot| {
        format!("{} of {}", show_count(snapshot.slow.into()), show_count(snapshot.samples.into()))
    });
    let ns = |ns: Option<u64>| ns.map_or("-".to_owned(), show_ns);
    let samples = if is_wide { format!("  {samples:>16}") } else { String::new() };
    format!(
        "{}  {}  {:>12}{samples}  {:>8}",
        left(&reading.show_state(), 17),
        left(&owner, 15),
        ns(reading.seen_ago_ns()),
        ns(reading.p99_ns())
    )
}

/// Why a page can't be read. The page's path is left out, as its name is there already.
fn why(error: &SharedError, place: &Place) -> String {
    let path = place.path.display().to_string();
    format!("refused: {}", escape(&error.to_string().replace(&format!("{path} is "), "").replace(&path, "it")))
}
