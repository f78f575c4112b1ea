//! `trip99 halt`

use crate::arguments::{on_page, page};
use crate::failure::{Failure, warn};
use crate::operate::tell::{tell, warn_of_owner};
use crate::operate::who::{Reason, as_arg, own, reason_arg};
use crate::page::place::{Place, refused};
use crate::page::reading::Reading;
use clap::{ArgMatches, Command};
use console::style;
use std::io::{self, Write};
use std::path::Path;
use trip99::shared::Halter;
use trip99::{HaltNote, Halted, Holder};

pub(crate) fn command() -> Command {
    let max = HaltNote::MAX_REASON_BYTES;
    on_page("halt")
        .about("Halt trading: the breaker refuses every call until trip99 resume")
        .long_about(
            "Halt trading: the breaker refuses every call, from the next one on, until trip99 resume. Nothing automatic \
             overrides a halt, and a halt outlives the breaker's process, and a reboot. If no process owns the page now, the \
             halt waits for the next owner.\n\n\
             Each holder has a halt of its own, and trading goes on when each has resumed. The exit status is 0 only if orders \
             are refused now. A page that is odd or damaged is halted, too, and a warning says what is wrong with it.",
        )
        .arg(
            // It may be missing, and its text, too: who wants to stop trading is not turned away.
            reason_arg()
                .num_args(0..=1)
                .help(format!("The reason, for whoever looks at it later; at most {max} bytes are kept")),
        )
        .arg(as_arg("In whose name [default: USER@HOST, of who logged in]"))
}

/// The halt comes first. Whatever can't be told after it is no reason to fail.
pub(crate) fn run(matches: &ArgMatches) -> Result<(), Failure> {
    let place = page(matches)?;
    let holder = own(matches)?;
    let reason = Reason::read(matches);
    let mut halter = halt(&place.path, holder, &reason.text, 0, || ())?;
    reason.warnings.iter().for_each(warn);
    if reason.text.is_empty() {
        warn("no reason given; --reason TEXT tells one to whoever looks at it later");
    }
    halter.warnings().iter().for_each(warn);
    let is_halted = halter.is_halted();
    if let Some(gate) = halter.gate() {
        let reading = Reading::take(gate);
        if is_halted {
            let _ = tell(&place, &format!("halted by {holder}"), &reading);
        }
        warn_of_owner(&reading);
    } else {
        let _ = writeln!(io::stdout().lock(), "{} halted", style(place.name()).bold());
    }
    make_durable(&halter, holder);
    // Whoever made another page before the file was there may not have read the file.
    for replaced in 1..=TRIES {
        if halter.gate().is_none_or(|gate| !gate.is_replaced()) {
            break;
        }
        halter = halt(&place.path, holder, &reason.text, replaced, || ())?;
        make_durable(&halter, holder);
    }
    let is_halted = is_halted && halter.is_halted();
    if is_halted { Ok(()) } else { Err(lifted(&place)) }
}

/// How often a page may be replaced by another one while it is being halted.
const TRIES: u32 = 10;

/// Halts the page that the path leads to. If the path leads to another one by then, that one is halted, too. `replaced` is how often that
/// was so before this. `opened` is called between the opening of a page and its halt, for tests.
fn halt(
    path: &Path,
    holder: Holder,
    reason: &str,
    mut replaced: u32,
    mut opened: impl FnMut(),
) -> Result<Halter, Failure> {
    let shown = path.display();
    loop {
        let halter = match Halter::open(path) {
            Ok(halter) => halter,
            Err(error) if replaced == 0 => return Err(refused(&error)),
            Err(error) => {
                let what = format!("the page that was {shown} is halted, but {shown} leads elsewhere by now: {error}");
                return Err(Failure::not_done(what));
            }
        };
        opened();
        match halter.halt(holder, reason) {
            Halted::Done | Halted::NoOwner => {
                if replaced > 0 {
                    warn(format_args!(
                        "{shown} was replaced meanwhile; what was there and what is there now are halted"
                    ));
                }
                return Ok(halter);
            }
            Halted::Replaced if replaced < TRIES => replaced += 1,
            Halted::Replaced => {
                return Err(Failure::not_done(format_args!(
                    "{shown} leads to another page each time that it is halted; what it leads to now isn't halted"
                )));
            }
            _ => return Err(Failure::not_done(format_args!("{shown} is not halted: its breaker has ended"))),
        }
    }
}

/// Our halt, and every other one, was lifted while this looked.
fn lifted(place: &Place) -> Failure {
    Failure::not_done(format_args!(
        "{} was halted, but somebody resumed at once, and it isn't halted now",
        place.name()
    ))
}

/// The halt holds already. It waits here for a disk, so that the halt outlives memory.
fn make_durable(halter: &Halter, holder: Holder) {
    let list = halter.holders();
    let holds =
        |name: Holder| list.as_ref().is_some_and(|list| list.notes().iter().any(|note| note.holder == Some(name)));
    // A page keeps sixteen names. Those that came later share one.
    let name = [holder, Holder::OTHERS].into_iter().find(|&name| holds(name)).unwrap_or(holder);
    let made = match list {
        None => Err("its page is not one of this version".to_owned()),
        Some(_) => halter.make_durable(name).map_err(|error| error.to_string()),
    };
    if let Err(error) = made {
        warn(format_args!(
            "the halt isn't durable: {error}. It holds now, but a reboot may forget it, unless the engine's process keeps it"
        ));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::path::PathBuf;
    use trip99::shared::Options;
    use trip99::{Breaker, Config, Start};

    /// A folder, with a page at `page` and others beside it.
    struct Pages(PathBuf, Vec<Breaker>);

    impl Pages {
        fn new(name: &str, others: usize) -> Self {
            let folder = PathBuf::from(format!("/dev/shm/cli-unit-test-{}-{name}", std::process::id()));
            fs::create_dir(&folder).unwrap();
            let options = Options::default().state_dir(folder.join("state")).warden(false);
            let make = |name: String| {
                Breaker::create_shared_with(folder.join(name), Config::default(), Start::Closed, &options).unwrap()
            };
            let names = ["page".to_owned()].into_iter().chain((0..others).map(|number| format!("other-{number}")));
            let breakers = names.map(make).collect();
            Self(folder, breakers)
        }

        fn path(&self) -> PathBuf {
            self.0.join("page")
        }

        /// The path leads to another page from now on.
        fn replace(&self, number: usize) {
            fs::rename(self.0.join(format!("other-{number}")), self.path()).unwrap();
        }

        /// Whether each breaker is halted.
        fn halted(&self) -> Vec<bool> {
            self.1.iter().map(|breaker| breaker.observer().is_halted()).collect()
        }
    }

    impl Drop for Pages {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    /// Halts, and replaces the page before each of the first halts.
    fn halted(pages: &Pages, times: usize) -> Result<Halter, Failure> {
        let mut count = 0;
        halt(&pages.path(), Holder::new("ann").unwrap(), "", 0, || {
            if count < times {
                pages.replace(count);
                count += 1;
            }
        })
    }

    #[test]
    fn a_page_that_is_replaced_while_it_is_halted_is_not_the_only_one_that_is() {
        let pages = Pages::new("replaced", 2);
        assert!(halted(&pages, 1).unwrap().is_halted());
        assert_eq!(pages.halted(), [true, true, false]);
    }

    #[test]
    fn what_the_path_leads_to_is_halted_or_the_halt_fails() {
        let pages = Pages::new("again", 11);
        assert!(matches!(halted(&pages, 11), Err(Failure::NotDone(why)) if why.contains("another page each time")));
        assert_eq!(pages.halted().iter().filter(|&&halted| halted).count(), 11);

        let pages = Pages::new("removed", 0);
        let removed = || fs::remove_file(pages.path()).unwrap();
        let failed = halt(&pages.path(), Holder::new("ann").unwrap(), "", 0, removed);
        assert!(matches!(failed, Err(Failure::NotDone(why)) if why.contains("leads elsewhere by now")));
        assert_eq!(pages.halted(), [true]);
    }
}
