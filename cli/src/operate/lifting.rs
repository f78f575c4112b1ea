//! Lifting halts from a list that somebody has seen, and nothing that came since.

use crate::page::note::is_fleets;
use trip99::shared::Halter;
use trip99::{HaltNote, Holder, Holders, Resumed};

/// Whose halts are to be lifted.
pub(crate) enum Whose {
    One(Holder),
    /// All, but those of a fleet unless `fleets`.
    All {
        fleets: bool,
    },
}

impl Whose {
    /// The places in the list of those.
    pub(crate) fn places(&self, list: &Holders) -> Vec<usize> {
        let is_meant = |note: &HaltNote| match *self {
            Self::One(holder) => note.holder == Some(holder),
            Self::All { fleets } => fleets || !is_fleets(note.holder),
        };
        list.notes().iter().enumerate().filter(|(_, note)| is_meant(note)).map(|(place, _)| place).collect()
    }
}

/// What came of it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// What was asked is lifted.
    Lifted,
    /// There was nothing to lift.
    NotHeld,
    /// The user, asked, said no.
    Declined,
    /// Somebody halted or resumed since the list was made, and the user can't be asked again.
    Changed,
}

/// How often halts may change while one is being lifted.
const TRIES: u32 = 10;

/// Lifts halts. `ask` shows the list to the user, and returns whether to go on; it is `None` if nobody is there to be asked. Each halt
/// that is lifted is told to `lifted`.
pub(crate) fn lift(
    halter: &Halter,
    whose: &Whose,
    reason: &str,
    mut ask: Option<&mut dyn FnMut(&Holders, &[usize]) -> bool>,
    mut lifted: impl FnMut(&HaltNote),
) -> Outcome {
    let mut any = false;
    for _ in 0..TRIES {
        let Some(mut list) = halter.holders() else { return Outcome::NotHeld };
        let places = whose.places(&list);
        if places.is_empty() {
            return if any { Outcome::Lifted } else { Outcome::NotHeld };
        }
        if ask.as_mut().is_some_and(|ask| !ask(&list, &places)) {
            return Outcome::Declined;
        }
        let mut has_changed = false;
        for place in places {
            let note = list.notes().get(place).cloned();
            match halter.resume(&mut list, place, reason) {
                Resumed::Done | Resumed::StillHeld | Resumed::NoOwner => {
                    any = true;
                    note.iter().for_each(&mut lifted);
                }
                Resumed::Changed => {
                    has_changed = true;
                    break;
                }
                _ => {}
            }
        }
        if !has_changed {
            return if any { Outcome::Lifted } else { Outcome::NotHeld };
        }
        if ask.is_none() && matches!(whose, Whose::All { .. }) {
            return Outcome::Changed; // who came since isn't on the list that the user knows
        }
    }
    Outcome::Changed
}
