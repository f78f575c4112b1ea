//! `trip99 top`: all breakers, live.

mod acts;
mod app;
mod desk;
mod draw;
mod keys;
mod text;

use crate::failure::Failure;
use crate::labels::Selector;
use crate::operate::who::{as_arg, own};
use crate::zone::Zone;
use app::App;
use clap::{Arg, ArgMatches, Command, value_parser};
use desk::Desk;
use ratatui::DefaultTerminal;
use ratatui::crossterm::event;
use std::io::{self, IsTerminal};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// How long a signal waits for an answer at most.
const PATIENCE: Duration = Duration::from_millis(100);

pub(crate) fn command() -> Command {
    Command::new("top")
        .args_override_self(true)
        .about("Watch all breakers live, trouble first; halt and resume them")
        .long_about(
            "Watch all breakers live, trouble first. Enter shows one with its events; h halts and r resumes it, after a question. ? lists \
             all keys. NO_COLOR, if it is set, is honoured.",
        )
        .arg(Arg::new("dir").value_name("DIR").value_parser(value_parser!(PathBuf)).help("A folder of pages"))
        .arg(Selector::arg())
        .arg(as_arg("In whose name to halt and resume [default: USER@HOST, of who logged in]"))
        .arg(
            Arg::new("every")
                .long("every")
                .value_name("TIME")
                .value_parser(value_parser!(humantime::Duration))
                .default_value("500ms")
                .help("How often to look"),
        )
        .arg(Zone::arg())
}

pub(crate) fn run(matches: &ArgMatches) -> Result<(), Failure> {
    if !io::stdin().is_terminal() || !io::stdout().is_terminal() {
        return Err(Failure::new(
            "trip99 top needs a terminal; legal elsewhere: trip99 ls, and trip99 events --follow",
        ));
    }
    let every = matches.get_one::<humantime::Duration>("every").map_or(PATIENCE, |every| **every);
    let desk = Desk::open(matches.get_one::<PathBuf>("dir").cloned(), Selector::of(matches)?)?;
    let has_color = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    let mut app = App::new(desk, Zone::of(matches), own(matches)?, has_color);
    let signal = Arc::new(AtomicUsize::new(0));
    for number in [signal_hook::consts::SIGTERM, signal_hook::consts::SIGHUP, signal_hook::consts::SIGINT] {
        let value = usize::try_from(number).unwrap_or_default();
        signal_hook::flag::register_usize(number, Arc::clone(&signal), value)?;
    }
    // This has a panic restore the terminal, too.
    let mut terminal = ratatui::try_init()?;
    let ended = watch(&mut terminal, &mut app, &signal, every);
    ratatui::restore();
    ended
}

fn watch(terminal: &mut DefaultTerminal, app: &mut App, signal: &AtomicUsize, every: Duration) -> Result<(), Failure> {
    let mut looked = Instant::now();
    while !app.is_over {
        terminal.draw(|frame| draw::draw(frame, app))?;
        let left = every.saturating_sub(looked.elapsed()).min(PATIENCE);
        if event::poll(left)? {
            app.take(&event::read()?);
        }
        match u8::try_from(signal.load(Ordering::Relaxed)) {
            Ok(0) => {}
            // As a shell tells of a process that a signal ended.
            number => return Err(Failure::Answer(number.map_or(255, |number| number.saturating_add(128)))),
        }
        if looked.elapsed() >= every {
            looked = Instant::now();
            app.refresh();
        }
    }
    Ok(())
}
