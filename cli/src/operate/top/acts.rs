//! Halting and resuming.

use crate::failure::Failure;
use crate::operate::halting::halt;
use crate::operate::lifting::{Outcome, Whose, lift};
use crate::page::note::{self, is_fleets};
use crate::page::place::{Place, refused};
use std::io;
use std::sync::mpsc::Sender;
use std::thread;
use trip99::shared::Halter;
use trip99::{HaltNote, Holder, Holders};

fn message(failure: &Failure) -> String {
    failure.message().unwrap_or_default().to_owned()
}

/// Halts a page. Returns what came of it. That the halt outlives memory takes a disk, and is told by `later` if it fails.
pub(super) fn halt_page(place: &Place, holder: Holder, reason: &str, later: &Sender<String>) -> String {
    let name = place.name();
    let halter = match halt(&place.path, holder, reason, 0, || ()) {
        Ok((halter, _)) => halter,
        Err(failure) => return message(&failure),
    };
    let told = match halter.is_halted() {
        true => format!("{name} is halted by {holder}"),
        false => format!("{name} was halted, but somebody resumed at once"),
    };
    let later = later.clone();
    thread::spawn(move || {
        if let Err(error) = halter.make_durable(holder).or_else(|_| halter.make_durable(Holder::OTHERS)) {
            // Nobody is told if the program has ended.
            let _ = later.send(format!("{name} is halted, but a reboot may forget it: {error}"));
        }
    });
    told
}

/// Who holds a halt of a page.
pub(super) fn holders(place: &Place) -> Result<Vec<HaltNote>, String> {
    let halter = Halter::open(&place.path).map_err(|error| message(&refused(&error)))?;
    let list = halter.holders().ok_or("the page keeps no holders that this version can lift")?;
    if list.is_empty() { Err(format!("{} is not halted", place.name())) } else { Ok(list.notes().to_vec()) }
}

/// Lifts halts of those that were shown, and of nobody who came since. Returns what came of it.
pub(super) fn resume_page(place: &Place, whose: &Whose, shown: &[HaltNote], reason: &str) -> String {
    let name = place.name();
    let halter = match Halter::open(&place.path) {
        Ok(halter) => halter,
        Err(error) => return message(&refused(&error)),
    };
    let was_shown = |note: &HaltNote| note.entry != 0 && shown.iter().any(|shown| shown.entry == note.entry);
    let mut agrees =
        |list: &Holders, places: &[usize]| places.iter().filter_map(|&place| list.notes().get(place)).all(was_shown);
    let mut lifted = Vec::new();
    let outcome = lift(&halter, whose, reason, Some(&mut agrees), |note| lifted.push(note.clone()));
    let kept: Vec<_> = lifted.iter().filter_map(|note| Some((note, halter.forget(note).err()?))).collect();
    let kept = kept.iter().find(|(_, error)| error.kind() != io::ErrorKind::NotFound);
    match outcome {
        Outcome::Declined | Outcome::Changed => {
            format!("nothing is lifted: somebody halted {name} meanwhile; look again")
        }
        Outcome::NotHeld => format!("{name} is not halted by {whose} any more"),
        Outcome::Lifted => {
            let whose = note::names(&lifted);
            let kept = kept.map_or(String::new(), |(_, error)| format!("; its file can't be removed: {error}"));
            format!("{name}: the halt of {whose} is lifted{kept}")
        }
    }
}

/// Whose halts can be lifted here: each holder's, and all of them.
pub(super) fn choices(holders: &[HaltNote]) -> Vec<Whose> {
    let liftable = holders.iter().filter(|note| !is_fleets(note.holder));
    let mut choices: Vec<_> = liftable.filter_map(|note| note.holder).map(Whose::One).collect();
    if choices.len() > 1 {
        choices.push(Whose::All { fleets: false });
    }
    choices
}
