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
    let mut halter = halt(&place.path, holder, &reason.text, 0)?;
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
        halter = halt(&place.path, holder, &reason.text, replaced)?;
        make_durable(&halter, holder);
    }
    let is_halted = is_halted && halter.is_halted();
    if is_halted { Ok(()) } else { Err(lifted(&place)) }
}

/// How often a page may be replaced by another one while it is being halted.
const TRIES: u32 = 10;

/// Halts the page that the path leads to. If the path leads to another one by then, that one is halted, too. `replaced` is how often that
/// was so before this.
fn halt(path: &Path, holder: Holder, reason: &str, mut replaced: u32) -> Result<Halter, Failure> {
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
