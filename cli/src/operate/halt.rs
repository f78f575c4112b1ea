//! `trip99 halt`

use crate::arguments::{format_arg, is_json};
use crate::failure::{Failure, warn};
use crate::json::Json;
use crate::labels::Selector;
use crate::operate::flat::{wait_arg, wait_until_flat};
use crate::operate::halting::{TRIES, halt};
use crate::operate::tell::{tell, tell_briefly, warn_of_owner};
use crate::operate::which::{Which, all_arg, conclude, names_arg};
use crate::operate::who::{Reason, as_arg, own, reason_arg};
use crate::page::folder::Listed;
use crate::page::json;
use crate::page::reading::Reading;
use clap::{ArgMatches, Command};
use console::style;
use serde_json::json;
use std::io::{self, Write};
use trip99::shared::Halter;
use trip99::{HaltNote, Holder};

pub(crate) fn command() -> Command {
    let max = HaltNote::MAX_REASON_BYTES;
    Command::new("halt")
        .args_override_self(true)
        .about("Halt trading: the breaker refuses every call until trip99 resume")
        .long_about(
            "Halt trading: the breaker refuses every call, from the next one on, until trip99 resume. Nothing automatic \
             overrides a halt, and a halt outlives the breaker's process, and a reboot. If no process owns the page now, the \
             halt waits for the next owner.\n\n\
             Each holder has a halt of its own, and trading goes on when each has resumed. All pages are halted before anything \
             else is done, and one that fails doesn't keep the others from it. The exit status is 0 only if orders are refused \
             now by all of them. A page that is odd or damaged is halted, too, and a warning says what is wrong with it.",
        )
        .arg(names_arg().required_unless_present_any(["all", "label"]))
        .arg(all_arg("All pages that trip99 ls shows").conflicts_with_all(["page", "label"]))
        .arg(Selector::arg().conflicts_with("page"))
        .arg(
            // It may be missing, and its text, too: who wants to stop trading is not turned away.
            reason_arg()
                .num_args(0..=1)
                .help(format!("The reason, for whoever looks at it later; at most {max} bytes are kept")),
        )
        .arg(as_arg("In whose name [default: USER@HOST, of who logged in]"))
        .arg(wait_arg())
        .arg(format_arg("Text for people, or one JSON object a line: what happened to each page"))
}

/// The halts come first, all of them. Whatever can't be told after them is no reason to fail.
pub(crate) fn run(matches: &ArgMatches) -> Result<(), Failure> {
    let holder = own(matches)?;
    let reason = Reason::read(matches);
    let Which { pages, mut mistakes, missing } = Which::of(matches)?;
    mistakes.extend(missing);
    let mut halts = Vec::new();
    for page in pages {
        match halt(&page.place.path, holder, &reason.text, 0, || ()) {
            Ok((halter, warning)) => {
                let warnings = halter.warnings().iter().cloned().chain(warning).collect();
                halts.push(Halt { page, halter, warnings, durable: false });
            }
            Err(failure) => mistakes.push(failure),
        }
    }
    reason.warnings.iter().filter(|_| !halts.is_empty()).for_each(warn);
    if reason.text.is_empty() && !halts.is_empty() {
        warn("no reason given; --reason TEXT tells one to whoever looks at it later");
    }
    let (is_json, is_alone) = (is_json(matches), halts.len() + mistakes.len() == 1);
    for halt in &mut halts {
        halt.warnings.iter().for_each(warn);
        if !is_json {
            halt.tell(holder, is_alone);
        }
        mistakes.extend(halt.complete(holder, &reason.text).err());
    }
    let halters: Vec<_> = halts.iter().map(|halt| (&halt.page, &halt.halter)).collect();
    let (flat, left) = wait_until_flat(matches, &halters, is_json);
    mistakes.extend(left);
    if is_json {
        for (index, halt) in halts.iter().enumerate() {
            let flat = flat.as_ref().and_then(|flat| flat.get(index).copied());
            // Trading is halted, whether this can be told or not.
            let _ = Json(io::stdout().lock()).line(&halt.json(holder, &reason.text, flat));
        }
    }
    conclude(mistakes)
}

/// A page that is halted.
struct Halt {
    page: Listed,
    halter: Halter,
    warnings: Vec<String>,
    /// The halt outlives memory.
    durable: bool,
}

impl Halt {
    fn warn(&mut self, warning: String) {
        warn(&warning);
        self.warnings.push(warning);
    }

    fn tell(&self, holder: Holder, is_alone: bool) {
        let (place, did) = (&self.page.place, format!("halted by {holder}"));
        let Some(gate) = self.halter.gate() else {
            let _ = writeln!(io::stdout().lock(), "{} halted", style(place.name()).bold());
            return;
        };
        let reading = Reading::take(gate);
        if self.halter.is_halted() {
            let _ = if is_alone { tell(place, &did, &reading) } else { tell_briefly(place, &did, &reading) };
        }
        warn_of_owner(&reading);
    }

    /// Makes it durable. Whoever made another page before the halt's file was there may not have read the file, so that page is halted,
    /// too.
    fn complete(&mut self, holder: Holder, reason: &str) -> Result<(), Failure> {
        let was_halted = self.halter.is_halted();
        self.make_durable(holder);
        for replaced in 1..=TRIES {
            if self.halter.gate().is_none_or(|gate| !gate.is_replaced()) {
                break;
            }
            let (halter, warning) = halt(&self.page.place.path, holder, reason, replaced, || ())?;
            self.halter = halter;
            warning.into_iter().for_each(|warning| self.warn(warning));
            self.make_durable(holder);
        }
        let name = self.page.place.name();
        let lifted = || format!("{name} was halted, but somebody resumed at once, and it isn't halted now");
        if was_halted && self.halter.is_halted() { Ok(()) } else { Err(Failure::not_done(lifted())) }
    }

    /// The halt holds already. It waits here for a disk, so that the halt outlives memory.
    fn make_durable(&mut self, holder: Holder) {
        let list = self.halter.holders();
        let holds =
            |name: Holder| list.as_ref().is_some_and(|list| list.notes().iter().any(|note| note.holder == Some(name)));
        // A page keeps sixteen names. Those that came later share one.
        let name = [holder, Holder::OTHERS].into_iter().find(|&name| holds(name)).unwrap_or(holder);
        let made = match list {
            None => Err("its page is not one of this version".to_owned()),
            Some(_) => self.halter.make_durable(name).map_err(|error| error.to_string()),
        };
        self.durable = made.is_ok();
        if let Err(error) = made {
            self.warn(format!(
                "the halt isn't durable: {error}. It holds now, but a reboot may forget it, unless the engine's process keeps it"
            ));
        }
    }

    fn json(&self, holder: Holder, reason: &str, flat: Option<bool>) -> serde_json::Value {
        let reading = self.halter.gate().map(|gate| Reading::take(gate));
        json!({
            "name": self.page.place.name(),
            "path": self.page.place.path(),
            "halted": self.halter.is_halted(),
            "holder": holder.to_string(),
            "reason": reason,
            "durable": self.durable,
            "flat": flat,
            "warnings": self.warnings,
            "page": reading.map(|reading| json::page(&self.page, &reading)),
        })
    }
}
