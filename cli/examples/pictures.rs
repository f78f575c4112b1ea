//! Draws the terminal pictures of the README: a desk of engines, and the tool that watches them in a terminal of its own.
//!
//! ```text
//! cargo build -p trip99-cli && cargo run -p trip99-cli --example pictures
//! ```

mod desk;
#[path = "../tests/terminal/mod.rs"]
mod terminal;

use desk::{Desk, Node};
use std::env;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;
use terminal::Session;

const LABELS: &str = "[xetra-bonds]\ndesk = \"rates\"\nvenue = \"xetra\"\n[xetra-equities]\ndesk = \"equities\"\nvenue = \"xetra\"\n\
                      [cme-fx]\ndesk = \"fx\"\nvenue = \"cme\"\n[lse-orders]\ndesk = \"equities\"\nvenue = \"lse\"\n";

fn main() {
    let ms = Duration::from_millis;
    let mut desk = Desk::open(&PathBuf::from(format!("/dev/shm/pictures-of-trip99-{}", std::process::id())));
    fs::create_dir_all(desk.pages()).expect("the folder is made");
    fs::write(desk.pages().join("labels.toml"), LABELS).expect("the labels are written");
    desk.engine("xetra-bonds", Node::Calm, ms(18));
    desk.engine("xetra-equities", Node::Slow, ms(30));
    desk.engine("cme-fx", Node::Recovering, ms(35));
    desk.engine("lse-orders", Node::Calm, ms(24));
    thread::sleep(ms(2500));
    desk.halt("lse-orders", "ann@desk-7", "fat finger on the order book");
    desk.halt("lse-orders", "bob@risk", "position limit");

    let pages = desk.pages();
    let folder = pages.to_str().expect("a name of letters");
    draw("top", &pages, &["top", folder, "--utc", "--every", "200ms"], 112, 12, "\x1b[B");
    draw("status", &pages, &["status", "xetra-equities", "--utc"], 88, 17, "");
    draw("events", &pages, &["events", "--utc"], 104, 22, "");
    // The whole of it, which takes some 20 s.
    draw_after(Duration::from_secs(30), "demo", &pages, &["demo"], 100, 70, "");
}

/// Lets the tool run for a while, and keeps what its terminal shows.
fn draw(name: &str, pages: &Path, args: &[&str], columns: u16, rows: u16, keys: &str) {
    draw_after(Duration::from_secs(2), name, pages, args, columns, rows, keys);
}

fn draw_after(time: Duration, name: &str, pages: &Path, args: &[&str], columns: u16, rows: u16, keys: &str) {
    let tool = env::current_exe().expect("this program's path").with_file_name("../trip99");
    let mut session = Session::start(&tool, args, &[("TRIP99_DIR", pages)], columns, rows);
    thread::sleep(time);
    if !keys.is_empty() {
        session.keys(keys);
        thread::sleep(Duration::from_secs(1));
    }
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/pictures");
    fs::create_dir_all(&folder).expect("the folder is made");
    let svg = picture(&session.screen()).replace(pages.to_str().unwrap_or_default(), "/run/trip99/desk");
    fs::write(folder.join(format!("{name}.svg")), svg).expect("the picture is written");
}

const WIDTH: f64 = 7.8;
const HEIGHT: f64 = 17.0;
const MARGIN: f64 = 12.0;

/// A terminal with a dark ground of its own: it can be read on a light page and on a dark one.
fn picture(screen: &vt100::Screen) -> String {
    let (rows, columns) = screen.size();
    // The demo ends with the paths of its files, which are nobody else's.
    let paths = (0..rows).find(|&row| line(screen, row).starts_with("  trace ")).unwrap_or(rows);
    let used = (0..paths).rev().find(|&row| !line(screen, row).trim().is_empty()).map_or(1, |row| row + 1);
    let (width, height) = (f64::from(columns) * WIDTH + 2.0 * MARGIN, f64::from(used) * HEIGHT + 2.0 * MARGIN);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width:.0} {height:.0}\" font-family=\"ui-monospace, Menlo, \
         Consolas, 'DejaVu Sans Mono', monospace\" font-size=\"13\">\n\
         <rect width=\"100%\" height=\"100%\" rx=\"6\" fill=\"#16191f\"/>\n"
    );
    for row in 0..used {
        draw_row(screen, row, columns, &mut svg);
    }
    svg + "</svg>\n"
}

fn line(screen: &vt100::Screen, row: u16) -> String {
    screen.contents_between(row, 0, row, screen.size().1)
}

/// Letters of one look that follow each other.
#[derive(PartialEq, Clone)]
struct Look {
    color: &'static str,
    ground: Option<&'static str>,
    bold: bool,
}

fn look(cell: &vt100::Cell) -> Look {
    let color = match cell.fgcolor() {
        vt100::Color::Idx(1 | 9) => "#ff7b72",
        vt100::Color::Idx(2 | 10) => "#7ee787",
        vt100::Color::Idx(3 | 11) => "#e3b341",
        _ if cell.dim() => "#9aa4b2",
        _ => "#e6e9ee",
    };
    match cell.inverse() {
        true => Look {
            color: "#16191f",
            ground: Some(if color == "#e6e9ee" { "#c9d1d9" } else { color }),
            bold: cell.bold(),
        },
        false => Look { color, ground: None, bold: cell.bold() },
    }
}

fn draw_row(screen: &vt100::Screen, row: u16, columns: u16, svg: &mut String) {
    let cells: Vec<_> = (0..columns).filter_map(|column| screen.cell(row, column)).collect();
    let top = MARGIN + f64::from(row) * HEIGHT;
    let mut column = 0;
    for run in cells.chunk_by(|one, other| look(one) == look(other)) {
        let (x, look) = (MARGIN + column as f64 * WIDTH, look(run[0]));
        let width = run.len() as f64 * WIDTH;
        column += run.len();
        if let Some(ground) = look.ground {
            let _ = writeln!(
                svg,
                "<rect x=\"{x:.1}\" y=\"{top:.1}\" width=\"{width:.1}\" height=\"{HEIGHT}\" fill=\"{ground}\"/>"
            );
        }
        let text: String =
            run.iter().map(|cell| if cell.contents().is_empty() { " " } else { cell.contents() }).collect();
        // Not every renderer keeps spaces at the ends of a text.
        let (trimmed, before) = (text.trim(), text.chars().count() - text.trim_start().chars().count());
        if trimmed.is_empty() {
            continue;
        }
        let (x, width) = (x + before as f64 * WIDTH, trimmed.chars().count() as f64 * WIDTH);
        let text = trimmed.replace('&', "&amp;").replace('<', "&lt;").replace(' ', "\u{a0}");
        let weight = if look.bold { " font-weight=\"bold\"" } else { "" };
        let _ = writeln!(
            svg,
            "<text x=\"{x:.1}\" y=\"{:.1}\" textLength=\"{width:.1}\" lengthAdjust=\"spacingAndGlyphs\" fill=\"{}\"{weight}>{text}</text>",
            top + HEIGHT - 4.5,
            look.color,
        );
    }
}
