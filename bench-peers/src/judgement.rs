//! What docs/judgement.md shows: false trips against delay, by the breaker itself in virtual time, or exactly. The tables are
//! written into the page, and the plots beside it.

pub(crate) mod flow;
pub(crate) mod fed;
mod twin;
mod exact;
mod text;
mod plot;
mod shares;
mod trade;
mod young;
mod sparse;
mod check;

use crate::report::table;
use std::{fs, thread};

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/judgement.md");
const PLOTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/judgement/");

/// A table of the page, and its plot if it has one.
struct Part {
    name: &'static str,
    header: Vec<String>,
    rows: Vec<Vec<String>>,
    svg: Option<String>,
}

impl Part {
    fn table(&self) -> String {
        table(&self.header.iter().map(String::as_str).collect::<Vec<_>>(), &self.rows)
    }
}

/// Writes tables and plots, or only tells what differs from them.
pub(crate) fn run(is_check: bool) -> Result<(), String> {
    let parts = thread::scope(|scope| {
        let makes: [fn() -> Result<Part, String>; 5] =
            [shares::part, trade::part, young::part, sparse::part, || Ok(check::part())];
        let threads = makes.map(|make| scope.spawn(make));
        threads.into_iter().map(|thread| thread.join().expect("no part panics")).collect::<Result<Vec<_>, _>>()
    })?;
    let mut page = read(PAGE)?;
    for part in &parts {
        page = spliced(&page, part.name, &part.table())?;
    }
    let plots = parts.iter().filter_map(|part| Some((format!("{PLOTS}{}.svg", part.name), part.svg.clone()?)));
    for (path, text) in [(PAGE.to_owned(), page)].into_iter().chain(plots) {
        if !is_check {
            fs::write(&path, text).map_err(|error| format!("{path}: {error}"))?;
        } else if read(&path)? != text {
            return Err(format!("{path} isn't what the command writes"));
        }
    }
    Ok(())
}

fn read(path: &str) -> Result<String, String> {
    fs::read_to_string(path).map_err(|error| format!("{path}: {error}"))
}

fn begin(name: &str) -> String {
    format!("<!-- table: {name} -->\n")
}

const END: &str = "<!-- end -->";

/// The page with this table in its place.
fn spliced(page: &str, name: &str, table: &str) -> Result<String, String> {
    let begin = begin(name);
    let place = page.split_once(&begin).and_then(|(before, rest)| Some((before, rest.split_once(END)?.1)));
    let (before, after) = place.ok_or_else(|| format!("the page has no place for the table {name}"))?;
    Ok(format!("{before}{begin}\n{table}\n{END}{after}"))
}

fn powers_of_ten(from: i32, to: i32) -> Vec<f64> {
    (from..=to).map(|power| 10f64.powi(power)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of the page only what takes no time: `judgement check` compares all of it.
    #[test]
    fn the_page_has_the_means_that_are_worked_out() {
        let page = read(PAGE).expect("the page");
        let table = page.split_once(&begin("shares")).and_then(|(_, rest)| rest.split_once(END)).expect("its table").0;
        let mut seen = 0;
        for row in table.lines() {
            let cells: Vec<_> = row.split('|').map(str::trim).collect();
            let Some(percent) = cells.get(1).and_then(|cell| cell.strip_suffix(" %")) else { continue };
            let share = percent.parse::<f64>().expect("a number") / 100.0;
            assert_eq!(cells[3..5], [4, 5].map(|limit| text::calls(shares::debt(limit, share))), "{percent} %");
            if share > 0.004 {
                assert_eq!(cells[2], shares::seen(&shares::window(share)), "{percent} %");
            }
            seen += 1;
        }
        assert_eq!(seen, 16);
    }

    #[test]
    fn a_table_takes_its_place() {
        let page = "a\n<!-- table: x -->\nold\n<!-- end -->\nb\n<!-- table: y -->\n<!-- end -->\n";
        let expected = "a\n<!-- table: x -->\n\nnew\n\n<!-- end -->\nb\n<!-- table: y -->\n<!-- end -->\n";
        assert_eq!(spliced(page, "x", "new\n").as_deref(), Ok(expected));
        assert_eq!(spliced(expected, "x", "new\n").as_deref(), Ok(expected));
        assert!(spliced(page, "z", "new\n").is_err());
    }
}
