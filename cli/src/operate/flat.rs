//! Waiting until engines that are halted have no order left at their venues.

use crate::failure::Failure;
use crate::page::folder::Listed;
use crate::show::show_counted;
use clap::{Arg, ArgMatches, value_parser};
use std::io::{self, Write};
use std::thread;
use std::time::{Duration, Instant};
use trip99::shared::Halter;

const LOOK_EVERY: Duration = Duration::from_millis(10);

/// The option `--wait-flat`.
pub(super) fn wait_arg() -> Arg {
    Arg::new("wait-flat")
        .long("wait-flat")
        .value_name("TIME")
        .value_parser(value_parser!(humantime::Duration))
        .help("Then wait, at most for so long (5s), until the engines tell that no order rests at the venue")
}

/// How many orders rest at the venue, or why nobody knows.
fn resting(halter: &Halter) -> Result<u64, &'static str> {
    let gate = halter.gate().ok_or("its page is not one of this version")?;
    let count = gate.resting().ok_or("its engine doesn't tell how many orders rest")?;
    match gate.owner() {
        Some(owner) if owner.alive => Ok(count),
        _ => Err("no engine is there to tell how many orders rest"),
    }
}

/// Waits if an option asks for it. Returns whether each page is flat, and what is left if one isn't.
pub(super) fn wait_until_flat(
    matches: &ArgMatches,
    halters: &[(&Listed, &Halter)],
    is_quiet: bool,
) -> (Option<Vec<bool>>, Option<Failure>) {
    let Some(&limit) = matches.get_one::<humantime::Duration>("wait-flat") else { return (None, None) };
    let begin = Instant::now();
    let left = loop {
        let left: Vec<_> = halters.iter().map(|(_, halter)| resting(halter)).collect();
        if left.iter().all(|left| *left == Ok(0)) || begin.elapsed() >= *limit {
            break left;
        }
        thread::sleep(LOOK_EVERY);
    };
    let not_flat: Vec<String> = (halters.iter().zip(&left).filter(|(_, left)| **left != Ok(0)))
        .map(|((page, _), left)| {
            let left =
                left.map_or_else(str::to_owned, |count| format!("{} at the venue", show_counted(count, "order")));
            format!("{}: {left}", page.place.name())
        })
        .collect();
    let is_flat = left.iter().map(|left| *left == Ok(0)).collect();
    if not_flat.is_empty() {
        if !is_quiet {
            // They are halted and flat, whether this can be told or not.
            let _ = writeln!(io::stdout().lock(), "flat: no order rests at the venue");
        }
        return (Some(is_flat), None);
    }
    let orders: u64 = left.iter().filter_map(|left| left.as_ref().ok()).sum();
    let why = format!("not flat after {limit}: {} left; {}", show_counted(orders, "order"), not_flat.join("; "));
    (Some(is_flat), Some(Failure::not_done(why)))
}
