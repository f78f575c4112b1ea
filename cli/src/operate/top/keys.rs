//! What keys do.

use super::app::{App, Dialog};
use ratatui::crossterm::event::{Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

/// Each key, and what it does.
pub(super) const KEYS: [(&str, &str); 9] = [
    ("Up, Down, k, j", "select another breaker"),
    ("PgUp, PgDn, Home, End", "the same, in longer steps"),
    ("Enter", "show the selected breaker with its events"),
    ("h", "halt it: asks for the reason first"),
    ("r", "resume it: lists who holds it, and asks"),
    ("Tab", "in that list: another holder, or all of them"),
    ("Esc", "go back"),
    ("?", "this help"),
    ("q, Ctrl-C", "quit"),
];

/// How far PgUp and PgDn go.
const PAGE: usize = 10;

impl App {
    pub(super) fn take(&mut self, event: &Event) {
        if let Event::Key(key) = event
            && key.kind != KeyEventKind::Release
        {
            self.press(*key);
        }
    }

    fn press(&mut self, key: KeyEvent) {
        let is_control = key.modifiers.contains(KeyModifiers::CONTROL);
        match (key.code, &mut self.dialog) {
            (KeyCode::Char('c' | 'd'), _) if is_control => self.is_over = true,
            (KeyCode::Esc, Some(_)) => {
                self.dialog = None;
                self.tell("nothing is done".to_owned());
            }
            (KeyCode::Enter, Some(_)) => self.confirm(),
            (_, Some(Dialog::Help)) => self.dialog = None,
            (code, Some(dialog)) => type_in(code, is_control, dialog),
            (code, None) => self.command(code),
        }
    }

    fn command(&mut self, code: KeyCode) {
        let place = self.place();
        match code {
            KeyCode::Char('q') => self.is_over = true,
            KeyCode::Esc => self.is_detail = false,
            KeyCode::Char('?') => self.dialog = Some(Dialog::Help),
            KeyCode::Enter => {
                self.select(place);
                self.is_detail = !self.is_detail;
            }
            KeyCode::Char('h') => self.ask_to_halt(),
            KeyCode::Char('r') => self.ask_to_resume(),
            KeyCode::Up | KeyCode::Char('k') => self.select(place.saturating_sub(1)),
            KeyCode::Down | KeyCode::Char('j') => self.select(place + 1),
            KeyCode::PageUp => self.select(place.saturating_sub(PAGE)),
            KeyCode::PageDown => self.select(place + PAGE),
            KeyCode::Home => self.select(0),
            KeyCode::End => self.select(usize::MAX),
            #[cfg(debug_assertions)]
            KeyCode::F(12) => panic!("F12 was pressed, by which tests see that a panic restores the terminal"),
            _ => {}
        }
    }
}

fn type_in(code: KeyCode, is_control: bool, dialog: &mut Dialog) {
    if let (KeyCode::Tab | KeyCode::Down, Dialog::Resume { choices, chosen, .. }) = (code, &mut *dialog) {
        *chosen = (*chosen + 1) % choices.len().max(1);
        return;
    }
    let (Dialog::Halt { reason, .. } | Dialog::Resume { reason, .. }) = dialog else { return };
    match code {
        KeyCode::Backspace => reason.pop(),
        KeyCode::Char('u') if is_control => reason.clear(),
        KeyCode::Char(letter) if !is_control => reason.push(letter),
        _ => {}
    }
}
