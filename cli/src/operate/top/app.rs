//! What `top` shows, and what is asked.

use super::acts;
use super::desk::{Desk, Watched};
use super::text::Text;
use crate::operate::lifting::Whose;
use crate::zone::{Zone, now_ns};
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};
use trip99::{HaltNote, Holder};

/// For how long a message stands.
const MESSAGE: Duration = Duration::from_secs(15);

/// What is asked of the user, over what is shown.
pub(super) enum Dialog {
    Help,
    Halt { page: PathBuf, reason: Text },
    Resume { page: PathBuf, reason: Text, holders: Vec<HaltNote>, choices: Vec<Whose>, chosen: usize },
}

pub(super) struct App {
    pub(super) desk: Desk,
    pub(super) zone: Zone,
    pub(super) holder: Holder,
    pub(super) has_color: bool,
    /// The page that keys are for.
    pub(super) selected: Option<PathBuf>,
    /// The selected page alone is shown, with its events.
    pub(super) is_detail: bool,
    pub(super) dialog: Option<Dialog>,
    message: Option<(String, Instant)>,
    pub(super) wall_ns: u64,
    pub(super) is_over: bool,
    later: (Sender<String>, Receiver<String>),
}

impl App {
    pub(super) fn new(desk: Desk, zone: Zone, holder: Holder, has_color: bool) -> Self {
        let mut app = Self::still(desk, zone, holder, has_color);
        app.refresh();
        app
    }

    /// Before the first look.
    pub(super) fn still(desk: Desk, zone: Zone, holder: Holder, has_color: bool) -> Self {
        Self {
            desk,
            zone,
            holder,
            has_color,
            selected: None,
            is_detail: false,
            dialog: None,
            message: None,
            wall_ns: 0,
            is_over: false,
            later: channel(),
        }
    }

    pub(super) fn refresh(&mut self) {
        self.wall_ns = now_ns();
        self.desk.refresh(&self.zone);
        let late: Vec<_> = self.later.1.try_iter().collect();
        late.into_iter().for_each(|message| self.tell(message));
    }

    /// The place of the selected page in the table.
    pub(super) fn place(&self) -> usize {
        let is_selected = |page: &Watched| self.selected.as_deref() == Some(page.path());
        self.desk.pages.iter().position(is_selected).unwrap_or(0)
    }

    pub(super) fn page(&self) -> Option<&Watched> {
        self.desk.pages.get(self.place())
    }

    pub(super) fn select(&mut self, place: usize) {
        let last = self.desk.pages.len().saturating_sub(1);
        self.selected = self.desk.pages.get(place.min(last)).map(|page| page.path().to_owned());
    }

    pub(super) fn tell(&mut self, message: String) {
        self.message = Some((message, Instant::now()));
    }

    pub(super) fn message(&self) -> Option<&str> {
        let standing = self.message.as_ref().filter(|(_, since)| since.elapsed() < MESSAGE);
        standing.map(|(message, _)| &**message).or(self.desk.mistake.as_deref())
    }

    /// Asks whether to halt the selected page. The page stays the same, though rows may move.
    pub(super) fn ask_to_halt(&mut self) {
        self.dialog = self.page().map(|page| Dialog::Halt { page: page.path().to_owned(), reason: Text::default() });
    }

    pub(super) fn ask_to_resume(&mut self) {
        let Some(page) = self.page() else { return };
        let holders = acts::holders(&page.page.place);
        let path = page.path().to_owned();
        match holders {
            Err(why) => self.tell(why),
            Ok(holders) => {
                let choices = acts::choices(&holders);
                if choices.is_empty() {
                    return self
                        .tell("a fleet's halt is lifted by the fleet, or by trip99 resume --break-glass".to_owned());
                }
                let is_own = |whose: &Whose| matches!(whose, Whose::One(holder) if *holder == self.holder);
                let chosen = choices.iter().position(is_own).unwrap_or(0);
                self.dialog = Some(Dialog::Resume { page: path, reason: Text::default(), holders, choices, chosen });
            }
        }
    }

    /// Does what the dialog asks for.
    pub(super) fn confirm(&mut self) {
        if matches!(&self.dialog, Some(Dialog::Resume { reason, .. }) if reason.get().is_empty()) {
            return self.tell("a resume needs a reason".to_owned());
        }
        let Some(dialog) = self.dialog.take() else { return };
        let place = |page: PathBuf| crate::page::place::Place { path: page };
        let message = match dialog {
            Dialog::Help => return,
            Dialog::Halt { page, reason } => acts::halt_page(&place(page), self.holder, reason.get(), &self.later.0),
            Dialog::Resume { page, reason, holders, choices, chosen } => match choices.get(chosen) {
                Some(whose) => acts::resume_page(&place(page), whose, &holders, reason.get()),
                None => return,
            },
        };
        self.refresh();
        self.tell(message);
    }
}
