//! `trip99 ls`

use crate::arguments::{check_arg, format_arg, is_json};
use crate::failure::{Failure, warn};
use crate::json::Json;
use crate::labels::Selector;
use crate::page::folder::{self, Listed};
use crate::page::json;
use crate::page::reading::Reading;
use crate::page::row::{Column, Row, Table, View};
use crate::page::standing::Standing;
use crate::show::{columns, escape, wrap};
use crate::zone::Zone;
use clap::{Arg, ArgMatches, Command, value_parser};
use console::{measure_text_width, style};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use trip99::shared::SharedError;

pub(crate) fn command() -> Command {
    Command::new("ls")
        .args_override_self(true)
        .about("List the breakers that are published in pages, trouble first")
        .long_about(
            "List the breakers that are published in pages, trouble first: those in the conventional places of all users that one \
             may see, $TRIP99_DIR, /run/trip99/USER and /dev/shm/trip99-USER, or those in DIR. Pages that can't be read are listed \
             with the reason. Fails if there is none.\n\n\
             Labels are read from $TRIP99_LABELS, or else from labels.toml in the pages' folder.",
        )
        .arg(Arg::new("dir").value_name("DIR").value_parser(value_parser!(PathBuf)).help("A folder of pages"))
        .arg(Selector::arg())
        .arg(check_arg())
        .arg(Zone::arg())
        .arg(format_arg("Text for people, or one JSON object a line: the pages"))
}

pub(crate) fn run(matches: &ArgMatches) -> Result<(), Failure> {
    let is_check = matches.get_flag("check");
    let named = matches.get_one::<PathBuf>("dir").map(PathBuf::as_path);
    let selector = Selector::of(matches)?;
    let (pages, mistakes) = match folder::pages(named, &selector) {
        // There was a page, or the script wouldn't ask.
        Err(failure @ Failure::NotDone(_)) if is_check => {
            failure.tell();
            return Err(Failure::Answer(Standing::Gone.check()));
        }
        found => found?,
    };
    if pages.is_empty() && mistakes.is_empty() {
        return Err(Failure::not_done(format_args!("no page has {selector}")));
    }
    let mut found: Vec<Found> = pages.into_iter().map(Found::read).collect();
    // Pages of one standing stay by folder and by name.
    found.sort_by_key(|found| found.row.standing);
    if is_json(matches) {
        let mut out = Json(io::stdout().lock());
        found.iter().try_for_each(|found| out.line(&json::listed(&found.page, &found.reading)))?;
    } else {
        print(&found, &Zone::of(matches), columns())?;
    }
    mistakes.iter().for_each(|mistake| warn(mistake.message().unwrap_or_default()));
    let worst = found.iter().map(|found| found.row.standing.check()).max().unwrap_or(0);
    match mistakes.is_empty() {
        // Some page may have the label.
        false if !selector.is_empty() => Err(Failure::Answer(2)),
        _ if is_check && worst > 0 => Err(Failure::Answer(worst)),
        _ => Ok(()),
    }
}

struct Found {
    page: Listed,
    reading: Result<Reading, SharedError>,
    row: Row,
}

impl Found {
    fn read(page: Listed) -> Self {
        let reading = page.read();
        Self { row: Row::new(&page, &reading), page, reading }
    }

    fn folder(&self) -> &Path {
        self.page.place.path.parent().unwrap_or(Path::new("/"))
    }
}

/// How far what stands below a row is indented.
const INDENT: usize = 4;

/// Prints a row for each page, and below it why the page stands as it does.
fn print(found: &[Found], zone: &Zone, width: usize) -> io::Result<()> {
    let mut out = io::stdout().lock();
    let table = Table::new(found.iter().map(|found| &found.row), View::List, zone, width, 0);
    writeln!(out, "{}", style(table.header()).dim())?;
    let is_in_one = found.windows(2).all(|pair| matches!(pair, [one, other] if one.folder() == other.folder()));
    for found in found {
        let row = &found.row;
        if measure_text_width(&row.name) > table.width(Column::Name) {
            // A long name has a line of its own, so that the columns stay where they are, and the name can be copied.
            writeln!(out, "{}", row.name)?;
        }
        let show = |column| {
            let cell = table.cell(row, column);
            match column {
                Column::Name if measure_text_width(&cell) > table.width(column) => String::new(),
                Column::State => row.standing.style().apply_to(cell).to_string(),
                _ => cell,
            }
        };
        writeln!(out, "{}", table.line(show))?;
        let folder =
            if is_in_one { String::new() } else { format!("in {}", escape(&found.folder().to_string_lossy())) };
        for text in [&row.why, &folder] {
            for line in wrap(text, width.saturating_sub(INDENT)) {
                writeln!(out, "{:INDENT$}{}", "", style(line).dim())?;
            }
        }
    }
    Ok(())
}
