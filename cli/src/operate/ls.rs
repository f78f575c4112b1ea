//! `trip99 ls`

use crate::arguments::{format_arg, is_json};
use crate::failure::Failure;
use crate::json::Json;
use crate::page::json;
use crate::page::place::Place;
use crate::page::reading::Reading;
use crate::show::{WIDE, columns, escape, show_count, show_ns};
use clap::{ArgMatches, Command};
use console::{Alignment, measure_text_width, pad_str, style};
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use trip99::shared::SharedError;
use trip99::{Observer, shared};

pub(crate) fn command() -> Command {
    Command::new("ls")
        .args_override_self(true)
        .about("List the breakers that are published in pages")
        .long_about(
            "List the breakers that are published in pages: those in the conventional places of all users that one may see, \
             $TRIP99_DIR, /run/trip99/USER and /dev/shm/trip99-USER. Pages that can't be read are listed with the reason. \
             Fails if there is none.",
        )
        .arg(format_arg("Text for people, or one JSON object a line: the pages"))
}

pub(crate) fn run(matches: &ArgMatches) -> Result<(), Failure> {
    // A name that is none leads to the places, or to what is wrong with them.
    let looked_in = match shared::find("ls") {
        Err(SharedError::NoPage { looked_in, .. }) => looked_in,
        Ok(_) | Err(SharedError::Ambiguous { .. }) => shared::places(),
        Err(error) => return Err(Failure::new(error)),
    };
    let folders: Vec<(PathBuf, Vec<Place>)> = looked_in.iter().map(|path| (path.clone(), pages(path))).collect();
    let folders: Vec<_> = folders.into_iter().filter(|(_, pages)| !pages.is_empty()).collect();
    if folders.is_empty() {
        let looked_in: Vec<_> = looked_in.iter().map(|path| path.display().to_string()).collect();
        return Err(Failure::not_done(format_args!("there are no pages in {}", looked_in.join(", "))));
    }
    let read = |place: &Place| Observer::open(&place.path).map(|page| Reading::take(&page));
    let mut out = io::stdout().lock();
    if is_json(matches) {
        let mut out = Json(out);
        return folders.iter().flat_map(|(_, pages)| pages).try_for_each(|place| match read(place) {
            Ok(reading) => out.line(&json::page(place, &reading)),
            Err(error) => out.line(&json::refused_page(place, &error.to_string())),
        });
    }
    let is_wide = columns() >= WIDE;
    let names = folders.iter().flat_map(|(_, pages)| pages).map(|place| measure_text_width(&place.name())).max();
    let names = names.unwrap_or(0).clamp(4, if is_wide { 29 } else { 17 });
    writeln!(out, "{}", header(names, is_wide))?;
    for (path, pages) in &folders {
        if folders.len() > 1 {
            writeln!(out, "{}", style(format_args!("{}:", escape(&path.to_string_lossy()))).dim())?;
        }
        for place in pages {
            let mut name = place.name();
            if measure_text_width(&name) > names {
                // A long name has a line of its own, so that the columns stay where they are.
                writeln!(out, "{name}")?;
                name.clear();
            }
            let name = left(&name, names);
            match read(place) {
                Ok(reading) => writeln!(out, "{name}  {}", row(&reading, is_wide))?,
                Err(error) => writeln!(out, "{name}  {}", style(why(&error, place)).red())?,
            }
        }
    }
    Ok(())
}

/// The pages of a folder, by name; none if it can't be read. Hidden files are no pages: they are locks, and pages that are being made.
fn pages(folder: &Path) -> Vec<Place> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let visible = entries.filter(|entry| !entry.file_name().as_encoded_bytes().starts_with(b"."));
    let mut paths: Vec<_> = visible.map(|entry| entry.path()).collect();
    paths.sort();
    paths.into_iter().map(|path| Place { path }).collect()
}

fn header(names: usize, is_wide: bool) -> String {
    let samples = if is_wide { format!("  {:>16}", "slow of samples") } else { String::new() };
    let header =
        format!("{:<names$}  {:<20}  {:<15}  {:>12}{samples}  {:>8}", "page", "state", "owner", "seen ago", "P99");
    style(header).dim().to_string()
}

/// Pads a text to a width. (Styled text has more letters than are seen.)
fn left(text: &str, width: usize) -> String {
    pad_str(text, width, Alignment::Left, None).into_owned()
}

fn row(reading: &Reading, is_wide: bool) -> String {
    let owner = format!("{} {}", reading.pid(), reading.owner_state());
    let owner = if reading.owner_state() == "alive" { style(owner) } else { style(owner).yellow() }.to_string();
    let snapshot = reading.snapshot.as_ref().filter(|snapshot| snapshot.samples > 0);
    let samples = snapshot.map_or("-".to_owned(), |snapshot| {
        format!("{} of {}", show_count(snapshot.slow.into()), show_count(snapshot.samples.into()))
    });
    let ns = |ns: Option<u64>| ns.map_or("-".to_owned(), show_ns);
    let samples = if is_wide { format!("  {samples:>16}") } else { String::new() };
    format!(
        "{}  {}  {:>12}{samples}  {:>8}",
        left(&reading.show_state_short(), 20),
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
