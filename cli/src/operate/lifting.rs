//! Lifting halts from a list that somebody has seen, and nothing that came since.

use crate::page::note::is_fleets;
use std::fmt;
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

impl Whose {
    /// Those that hold a halt now.
    pub(crate) fn notes(&self, list: &Holders) -> Vec<HaltNote> {
        self.places(list).into_iter().filter_map(|place| list.notes().get(place)).cloned().collect()
    }
}

impl fmt::Display for Whose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::One(holder) => holder.fmt(f),
            Self::All { .. } => f.write_str("all holders"),
        }
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

/// Shows the list to the user, with the places of the halts that are to be lifted. Returns whether to go on.
pub(crate) type Ask<'a> = &'a mut dyn FnMut(&Holders, &[usize]) -> bool;

/// How often halts may change while one is being lifted.
const TRIES: u32 = 10;

/// Lifts halts. `ask` is `None` if nobody is there to be asked. Each halt that is lifted is told to `lifted`.
pub(crate) fn lift(
    halter: &Halter,
    whose: &Whose,
    reason: &str,
    mut ask: Option<Ask<'_>>,
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::page::note;
    use std::fs;
    use std::path::PathBuf;
    use trip99::shared::Options;
    use trip99::{Breaker, Config, Start};

    /// A page, its owner, and a tool that halts and lifts.
    struct Page {
        folder: PathBuf,
        _breaker: Breaker,
        halter: Halter,
    }

    impl Page {
        fn new(name: &str) -> Self {
            let folder = PathBuf::from(format!("/dev/shm/cli-unit-test-{}-{name}", std::process::id()));
            fs::create_dir(&folder).unwrap();
            let options = Options::default().state_dir(folder.join("state")).warden(false);
            let path = folder.join("page");
            let breaker = Breaker::create_shared_with(&path, Config::default(), Start::Closed, &options).unwrap();
            let halter = Halter::open(&path).unwrap();
            Self { folder, _breaker: breaker, halter }
        }

        fn halt(&self, names: &[&str]) {
            for name in names {
                self.halter.halt(Holder::parse(name).unwrap(), "");
            }
        }

        fn held(&self) -> String {
            note::names(self.halter.holders().unwrap().notes())
        }

        /// Lifts, and lets somebody else do something while the user is asked for the first time. Returns the outcome, what was lifted,
        /// and how often the user was asked.
        fn asked(&self, whose: &Whose, meanwhile: impl Fn(), answers: &[bool]) -> (Outcome, String, usize) {
            let mut count = 0;
            let mut ask = |_: &Holders, _: &[usize]| {
                if count == 0 {
                    meanwhile();
                }
                count += 1;
                answers[count - 1]
            };
            let mut lifted = Vec::new();
            let outcome = lift(&self.halter, whose, "", Some(&mut ask), |note| lifted.push(note.clone()));
            (outcome, note::names(&lifted), count)
        }
    }

    impl Drop for Page {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.folder);
        }
    }

    const ALL: Whose = Whose::All { fleets: false };

    fn one(name: &str) -> Whose {
        Whose::One(Holder::parse(name).unwrap())
    }

    #[test]
    fn who_halts_while_the_user_is_asked_is_not_lifted_before_the_user_has_seen_it() {
        let page = Page::new("meanwhile");
        page.halt(&["ann", "start"]);
        let bob_halts = || page.halt(&["bob"]);
        let (outcome, lifted, asked) = page.asked(&ALL, bob_halts, &[true, false]);
        assert_eq!((outcome, lifted.as_str(), asked), (Outcome::Declined, "", 2));
        assert_eq!(page.held(), "start, ann, bob");
        // The same holder once more, too: it may be another person.
        let ann_halts = || page.halt(&["ann"]);
        let (outcome, lifted, asked) = page.asked(&one("ann"), ann_halts, &[true, true]);
        assert_eq!((outcome, lifted.as_str(), asked), (Outcome::Lifted, "ann", 2));
        assert_eq!(page.asked(&ALL, || (), &[true]), (Outcome::Lifted, "start, bob".to_owned(), 1));
        assert!(page.halter.is_halted(), "the owner alone opens");
    }

    #[test]
    fn who_is_lifted_meanwhile_is_not_held() {
        let page = Page::new("gone");
        page.halt(&["ann"]);
        let ann_resumes = || _ = page.halter.resume(&mut page.halter.holders().unwrap(), 0, "");
        assert_eq!(page.asked(&one("ann"), ann_resumes, &[true]), (Outcome::NotHeld, String::new(), 1));
        assert_eq!(page.asked(&one("ann"), || (), &[]), (Outcome::NotHeld, String::new(), 0));
    }

    #[test]
    fn without_a_user_all_are_those_of_the_first_list() {
        let page = Page::new("all");
        page.halt(&["ann", "bob", "fleet"]);
        // Somebody halts in the middle.
        let mut lifted = Vec::new();
        let outcome = lift(&page.halter, &ALL, "", None, |note| {
            lifted.push(note.clone());
            page.halt(&["cat"]);
        });
        assert_eq!((outcome, note::names(&lifted).as_str()), (Outcome::Changed, "ann"));
        assert_eq!(page.held(), "fleet, bob, cat");
        let outcome = lift(&page.halter, &one("bob"), "", None, |_| ());
        assert_eq!((outcome, page.held().as_str()), (Outcome::Lifted, "fleet, cat"));
        assert_eq!(lift(&page.halter, &ALL, "", None, |_| ()), Outcome::Lifted);
        assert_eq!(lift(&page.halter, &ALL, "", None, |_| ()), Outcome::NotHeld);
        assert_eq!(lift(&page.halter, &Whose::All { fleets: true }, "", None, |_| ()), Outcome::Lifted);
        assert_eq!(page.held(), "");
    }
}
