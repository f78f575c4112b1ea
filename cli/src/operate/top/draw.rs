//! What `top` shows, in whatever room there is.

use super::app::{App, Dialog};
use super::desk::Watched;
use super::keys::KEYS;
use crate::operate::{events, status};
use crate::page::note;
use crate::page::row::{Column, GAP, Row, Table, View};
use crate::page::standing::Standing;
use crate::show::{NAMES, escape, show_counted, wrap, wrap_lines};
use console::{Alignment, pad_str, strip_ansi_codes};
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Clear, Paragraph};

/// What stands before each row: the selected one has a mark.
const GUTTER: usize = 2;

/// How many lines tell of the selected breaker below the table.
const WHY: u16 = 2;

pub(super) fn draw(frame: &mut Frame<'_>, app: &App) {
    let rows = [Constraint::Length(2), Constraint::Min(2), Constraint::Length(1), Constraint::Length(1)];
    let [head, body, message, keys] = Layout::vertical(rows).areas(frame.area());
    frame.render_widget(Paragraph::new(header(app, head.width.into())), head);
    match app.page().filter(|_| app.is_detail) {
        Some(page) => detail(frame, app, page, body),
        None => table(frame, app, body),
    }
    frame.render_widget(Paragraph::new(Line::styled(app.message().unwrap_or_default().to_owned(), bold())), message);
    frame.render_widget(Paragraph::new(Line::styled(hints(app, keys.width.into()), dim())), keys);
    if let Some(asked) = &app.dialog {
        dialog(frame, app, asked);
    }
}

fn bold() -> Style {
    Style::new().add_modifier(Modifier::BOLD)
}

fn dim() -> Style {
    Style::new().add_modifier(Modifier::DIM)
}

/// The colour only underlines what the word says.
fn tint(standing: Standing, has_color: bool) -> Style {
    let color = |color| if has_color { Style::new().fg(color) } else { Style::new() };
    match standing {
        Standing::Trading => color(Color::Green),
        Standing::Testing | Standing::Gone | Standing::Ended => color(Color::Yellow),
        Standing::Paused => color(Color::Red),
        Standing::Unreadable | Standing::Unwatched | Standing::Halted => color(Color::Red).add_modifier(Modifier::BOLD),
    }
}

/// How many breakers stand how, and the time.
fn header(app: &App, width: usize) -> Line<'static> {
    let pages = &app.desk.pages;
    let mut spans = vec![Span::styled("trip99 top", bold()), Span::raw("  ")];
    spans.push(Span::raw(show_counted(pages.len() as u64, "breaker")));
    // Pages are sorted by standing, so equal words follow each other.
    let groups = pages.chunk_by(|one, other| one.row.standing.word() == other.row.standing.word());
    for (index, group) in groups.enumerate() {
        let Some(first) = group.first() else { continue };
        let standing = first.row.standing;
        spans.push(Span::raw(if index == 0 { ": " } else { ", " }));
        spans.push(Span::styled(format!("{} {}", group.len(), standing.word()), tint(standing, app.has_color)));
    }
    let (_, time) = app.zone.date_and_time(app.wall_ns);
    let time = format!("{} {}", time.get(..8).unwrap_or_default(), app.zone.name(app.wall_ns));
    let line = Line::from(spans);
    let gap = width.saturating_sub(line.width() + time.len());
    let mut spans = line.spans;
    if gap >= GAP {
        spans.push(Span::raw(" ".repeat(gap)));
        spans.push(Span::raw(time));
    }
    Line::from(spans)
}

fn hints(app: &App, width: usize) -> String {
    let hints = match (&app.dialog, app.is_detail) {
        (Some(_), _) => "Enter does it  Esc doesn't",
        (None, true) => "Esc back  h halt  r resume  ? help  q quit",
        (None, false) => "Enter details  h halt  r resume  ? help  q quit",
    };
    let whose = format!("as {}", app.holder);
    let gap = width.saturating_sub(hints.len() + whose.len());
    if gap < GAP { hints.to_owned() } else { format!("{hints}{}{whose}", " ".repeat(gap)) }
}

fn table(frame: &mut Frame<'_>, app: &App, area: Rect) {
    let [titles, rows, _, below] =
        Layout::vertical([Constraint::Length(1), Constraint::Min(1), Constraint::Length(1), Constraint::Length(WHY)])
            .areas(area);
    let width = usize::from(area.width);
    let table = Table::new(app.desk.pages.iter().map(|page| &page.row), View::Live, &app.zone, width, GUTTER);
    let blank = " ".repeat(GUTTER);
    let title = format!("{blank}{}", table.line(|column| table.title(column)));
    frame.render_widget(Paragraph::new(Line::styled(title, dim())), titles);

    let (height, place) = (usize::from(rows.height).max(1), app.place());
    let first = (place + 1).saturating_sub(height);
    let shown = app.desk.pages.iter().enumerate().skip(first).take(height);
    let lines: Vec<_> = shown.map(|(index, page)| row(app, &table, page, index == place)).collect();
    frame.render_widget(Paragraph::new(lines), rows);

    if let Some(page) = app.page() {
        // The name has no room in every table.
        let why = if page.row.why.is_empty() {
            page.row.name.clone()
        } else {
            format!("{}: {}", page.row.name, page.row.why)
        };
        let mut lines = wrap(&why, width.saturating_sub(GUTTER).max(20));
        lines.truncate(WHY.into());
        let lines: Vec<_> = lines.into_iter().map(|line| Line::raw(format!("{blank}{line}"))).collect();
        frame.render_widget(Paragraph::new(lines), below);
    }
}

fn row(app: &App, table: &Table, page: &Watched, is_selected: bool) -> Line<'static> {
    let row = &page.row;
    let mut spans = vec![Span::raw(if is_selected { "> " } else { "  " })];
    for (index, &column) in table.columns.iter().enumerate() {
        if index > 0 {
            spans.push(Span::raw(" ".repeat(GAP)));
        }
        let text = match column {
            Column::Trend => trend(page.history.iter().copied(), row.threshold_ns(), table.width(column)),
            _ => padded(table, row, column),
        };
        let style = if column == Column::State { tint(row.standing, app.has_color) } else { Style::new() };
        spans.push(Span::styled(text, style));
    }
    let style = if is_selected { Style::new().add_modifier(Modifier::REVERSED) } else { Style::new() };
    Line::from(spans).style(style)
}

/// All columns are padded, as something may follow the last one.
fn padded(table: &Table, row: &Row, column: Column) -> String {
    let side = if Table::is_number(column) { Alignment::Right } else { Alignment::Left };
    pad_str(&table.cell(row, column), table.width(column), side, Some("…")).into_owned()
}

/// The course of times as bars, the latest one last. A bar of full height is at the limit or above it.
fn trend(times_ns: impl DoubleEndedIterator<Item = u64>, limit_ns: Option<u64>, width: usize) -> String {
    const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let mut latest: Vec<u64> = times_ns.rev().take(width).collect();
    latest.reverse();
    let whole_ns = limit_ns.or_else(|| latest.iter().copied().max()).unwrap_or(0).max(1);
    let bar = |ns: u64| match ns {
        0 => ' ',
        _ => {
            let eighths = u128::from(ns) * 8 / u128::from(whole_ns);
            BARS.get(usize::try_from(eighths).unwrap_or(7).min(7)).copied().unwrap_or('█')
        }
    };
    let bars: String = latest.into_iter().map(bar).collect();
    format!("{bars:>width$}")
}

/// One breaker, with its events.
fn detail(frame: &mut Frame<'_>, app: &App, page: &Watched, area: Rect) {
    let width = usize::from(area.width);
    let mut lines = vec![Line::styled(page.page.place.path(), bold()), Line::raw("")];
    let list = match &page.reading {
        Some(reading) => status::lines(reading, &app.zone),
        None => vec![("state", page.row.standing.word().to_owned()), ("", page.row.why.clone())],
    };
    let trend = trend(page.history.iter().copied(), page.row.threshold_ns(), width.saturating_sub(NAMES));
    // Events matter more here, and status tells these.
    let list = list.into_iter().filter(|(name, _)| !["memory", "attempt", "left out"].contains(name));
    let list = list.chain([("trend", trend.trim_start().to_owned())]);
    for (name, text) in wrap_lines(list.map(|(name, text)| (name, strip_ansi_codes(&text).into_owned())), width) {
        let style = if name == "state" { tint(page.row.standing, app.has_color) } else { Style::new() };
        lines.push(Line::from(vec![Span::styled(format!("  {name:<9} "), dim()), Span::styled(text, style)]));
    }
    lines.push(Line::raw(""));
    let room = usize::from(area.height).saturating_sub(lines.len());
    let events = events::lines(&page.page, &app.zone, width).unwrap_or_default();
    // The titles stay, and the latest events.
    let skipped = events.len().saturating_sub(room.saturating_sub(1)).max(1);
    lines.extend(events.first().map(|titles| Line::styled(titles.clone(), dim())));
    lines.extend(events.into_iter().skip(skipped).map(Line::raw));
    frame.render_widget(Paragraph::new(lines), area);
}

/// A question, or the help, in a box in the middle.
fn dialog(frame: &mut Frame<'_>, app: &App, asked: &Dialog) {
    let area = frame.area();
    let width = usize::from(area.width).saturating_sub(4).min(76);
    let (title, lines) = match asked {
        Dialog::Help => ("keys", KEYS.map(|(keys, what)| format!("{keys:<22} {what}")).to_vec()),
        Dialog::Halt { page, reason } => {
            let question = format!("Halt {}, as {}? Every order is refused from then on.", name(page), app.holder);
            ("halt", vec![question, String::new(), format!("reason: {}_", escape(reason.typed()))])
        }
        Dialog::Resume { page, reason, holders, choices, chosen } => {
            let mut lines = vec![format!("{} is halted by {}", name(page), note::names(holders)), String::new()];
            lines.extend(choices.iter().enumerate().map(|(index, whose)| {
                let mark = if index == *chosen { ">" } else { " " };
                format!("{mark} lift the halt of {whose}")
            }));
            lines.extend([String::new(), format!("reason: {}_", escape(reason.typed()))]);
            ("resume", lines)
        }
    };
    let lines: Vec<String> = lines.iter().flat_map(|line| fold(line, width.saturating_sub(4))).collect();
    let height = u16::try_from(lines.len() + 2).unwrap_or(u16::MAX).min(area.height);
    let width = u16::try_from(width).unwrap_or(u16::MAX);
    let [area] = Layout::vertical([Constraint::Length(height)]).flex(ratatui::layout::Flex::Center).areas(area);
    let [area] = Layout::horizontal([Constraint::Length(width)]).flex(ratatui::layout::Flex::Center).areas(area);
    frame.render_widget(Clear, area);
    let block = Block::bordered().title(format!(" {title} ")).padding(ratatui::widgets::Padding::horizontal(1));
    let lines: Vec<_> = lines.into_iter().map(Line::raw).collect();
    frame.render_widget(Paragraph::new(lines).block(block), area);
}

/// A line as it is if it fits, otherwise broken between words.
fn fold(line: &str, width: usize) -> Vec<String> {
    if console::measure_text_width(line) <= width { vec![line.to_owned()] } else { wrap(line, width) }
}

fn name(page: &std::path::Path) -> String {
    escape(&page.file_name().unwrap_or(page.as_os_str()).to_string_lossy())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::labels::Selector;
    use crate::operate::top::desk::Desk;
    use crate::page::folder::Listed;
    use crate::page::place::Place;
    use crate::zone::Zone;
    use ratatui::Terminal;
    use ratatui::backend::TestBackend;
    use std::path::PathBuf;
    use trip99::Holder;

    const MS: u64 = 1_000_000;

    /// A desk of breakers that are in no file. `refresh` isn't called, as it would look for them.
    fn app(has_color: bool) -> App {
        let page = |name: &str, standing: Standing, figures: Option<[u64; 4]>, holders: &str, why: &str| {
            let page = Listed {
                place: Place { path: PathBuf::from(format!("/run/desk/{name}")) },
                labels: Default::default(),
            };
            let row = Row::sample(name, standing, figures, holders, why);
            let mut watched = Watched::new(page, row);
            watched.history = (0..40).map(|turn| figures.map_or(0, |[p99_ms, ..]| p99_ms * MS * turn / 20)).collect();
            watched
        };
        let pages = vec![
            page("lost", Standing::Unreadable, None, "", "its file was removed"),
            page("hangs", Standing::Unwatched, Some([31, 200, 10, 3]), "", "the owner is silent"),
            page(
                "a-gateway-with-quite-a-long-name",
                Standing::Halted,
                Some([48, 200, 0, 0]),
                "ann@desk-7, bob",
                "by ann@desk-7: fat finger",
            ),
            page(
                "xetra",
                Standing::Paused,
                Some([412, 200, 25, 12]),
                "",
                "by latency: P99 was 412 ms, limit 200 ms; next trial in 3 s",
            ),
            page("cme", Standing::Testing, Some([0, 200, 0, 1]), "", "3 of 10 trials good"),
            page("lse", Standing::Trading, Some([19, 200, 1, 2]), "", ""),
        ];
        let desk = Desk::with(None, Selector::default(), pages);
        App::still(desk, Zone::utc(), Holder::new("ann@desk-7").unwrap(), has_color)
    }

    fn screen(app: &App, width: u16, height: u16) -> String {
        let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
        terminal.draw(|frame| draw(frame, app)).unwrap();
        let buffer = terminal.backend().buffer();
        let lines = buffer.content().chunks(width.into());
        let text = |line: &[ratatui::buffer::Cell]| line.iter().map(|cell| cell.symbol()).collect::<String>();
        lines.map(|line| text(line).trim_end().to_owned() + "\n").collect()
    }

    /// The screens are kept in files. With `TRIP99_BLESS=1` they are written anew.
    fn assert_screen(name: &str, screen: &str) {
        let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("src/operate/top/screens/{name}.txt"));
        if std::env::var_os("TRIP99_BLESS").is_some() {
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, screen).unwrap();
        }
        let kept = std::fs::read_to_string(&path).unwrap();
        assert_eq!(screen, kept, "{name}:\n{screen}");
    }

    #[test]
    fn the_table_is_good_at_any_width() {
        for width in [60, 80, 120, 200] {
            let mut app = app(true);
            app.select(3);
            assert_screen(&format!("table-{width}"), &screen(&app, width, 14));
        }
    }

    #[test]
    fn dialogs_lie_over_the_table() {
        let mut app = app(true);
        app.select(5);
        app.ask_to_halt();
        if let Some(Dialog::Halt { reason, .. }) = &mut app.dialog {
            "fat finger\u{202e}".chars().for_each(|letter| reason.push(letter));
        }
        assert_screen("halt", &screen(&app, 80, 14));
        app.dialog = Some(Dialog::Help);
        assert_screen("help", &screen(&app, 80, 16));
    }

    #[test]
    fn nothing_hangs_on_colour() {
        let styles = |has_color: bool| {
            let mut terminal = Terminal::new(TestBackend::new(120, 14)).unwrap();
            terminal.draw(|frame| draw(frame, &app(has_color))).unwrap();
            terminal.backend().buffer().clone()
        };
        let (colored, plain) = (styles(true), styles(false));
        assert!(plain.content().iter().all(|cell| cell.fg == Color::Reset && cell.bg == Color::Reset));
        assert!(colored.content().iter().any(|cell| cell.fg == Color::Red));
        let text = |buffer: &ratatui::buffer::Buffer| {
            buffer.content().iter().map(|cell| cell.symbol().to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(text(&colored), text(&plain));
    }

    #[test]
    fn a_small_or_full_terminal_shows_the_selected_row() {
        let mut app = app(true);
        for (width, height) in [(1, 1), (20, 3), (40, 6), (300, 100)] {
            for place in 0..6 {
                app.select(place);
                screen(&app, width, height);
            }
        }
        app.select(5);
        assert!(screen(&app, 80, 10).contains("> lse"), "{}", screen(&app, 80, 10));
    }

    #[test]
    fn a_trend_is_held_against_the_limit() {
        let shown = |times: &[u64], limit| trend(times.iter().copied(), limit, 4);
        assert_eq!(shown(&[], Some(8)), "    ");
        assert_eq!(shown(&[1, 0, 1, 4, 9], Some(8)), " ▂▅█");
        assert_eq!(shown(&[u64::MAX, 1], None), "  █▁");
    }
}
