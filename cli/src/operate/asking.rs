//! Asking the user before a halt is lifted.

use crate::operate::lifting::Whose;
use crate::operate::tell::held_by;
use crate::page::note;
use crate::page::place::Place;
use crate::show::{show_counted, write_lines};
use crate::zone::Zone;
use console::style;
use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;
use trip99::{HaltNote, Holders};

/// Somebody is there to be asked.
pub(crate) fn is_at_terminal() -> bool {
    io::stdin().is_terminal() && (io::stdout().is_terminal() || io::stderr().is_terminal())
}

/// Asks the user, who has seen what is to be lifted.
pub(crate) struct Asker<'a> {
    pub(crate) is_asking: bool,
    /// Entries of the operators' log whose halts the user agreed to lift, with their pages.
    agreed: Vec<(PathBuf, u64)>,
    zone: &'a Zone,
}

impl<'a> Asker<'a> {
    /// It asks on a terminal, unless it is told not to.
    pub(crate) fn new(is_told_not_to: bool, zone: &'a Zone) -> Self {
        Self { is_asking: is_at_terminal() && !is_told_not_to, agreed: Vec::new(), zone }
    }

    /// Shows what is to be lifted on several pages, and asks once.
    pub(crate) fn agrees_to_all(&mut self, lists: &[(&Place, Holders)], whose: &Whose) -> bool {
        if !self.is_asking {
            return true;
        }
        for (place, list) in lists {
            self.agreed.extend(whose.notes(list).into_iter().map(|note| (place.path.clone(), note.entry)));
        }
        let question = format!("Lift the halt of {whose} on {}?", show_counted(lists.len() as u64, "page"));
        asks(&question, |out| {
            lists.iter().try_for_each(|(place, list)| show_holders(out, place, list.notes(), self.zone))
        })
    }

    /// Asks for one page, unless the user agreed already to all that is to be lifted there.
    pub(crate) fn agrees(&self, place: &Place, list: &Holders, places: &[usize]) -> bool {
        let notes = list.notes();
        let meant: Vec<HaltNote> = places.iter().filter_map(|&place| notes.get(place)).cloned().collect();
        let is_agreed = |note: &HaltNote| {
            note.entry != 0 && self.agreed.iter().any(|(path, entry)| *path == place.path && *entry == note.entry)
        };
        meant.iter().all(is_agreed)
            || asks(&format!("Lift the halt of {}?", note::names(&meant)), |out| {
                show_holders(out, place, notes, self.zone)
            })
    }
}

fn show_holders(out: &mut dyn Write, place: &Place, notes: &[HaltNote], zone: &Zone) -> io::Result<()> {
    writeln!(out, "{} is halted by {}", style(place.name()).bold(), show_counted(notes.len() as u64, "holder"))?;
    write_lines(out, held_by(notes, zone))
}

/// Shows something on the terminal, and asks.
pub(crate) fn asks(question: &str, show: impl Fn(&mut dyn Write) -> io::Result<()>) -> bool {
    let mut out: Box<dyn Write> =
        if io::stdout().is_terminal() { Box::new(io::stdout()) } else { Box::new(io::stderr()) };
    let mut ask = || -> io::Result<String> {
        show(&mut *out)?;
        write!(out, "{question} [y/N] ")?;
        out.flush()?;
        let mut answer = String::new();
        io::stdin().read_line(&mut answer)?;
        Ok(answer)
    };
    ask().is_ok_and(|answer| ["y", "yes"].contains(&answer.trim().to_lowercase().as_str()))
}
