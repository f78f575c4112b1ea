//! `trip99-fleet release`

use crate::command::look;
use crate::failure::Failure;
use crate::pages::Pages;
use crate::run;
use crate::time::monotonic_ns;
use clap::Args;
use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;

/// Take the pages of this host out of the fleet
///
/// For the day on which the fleet's servers are gone for good, or a host leaves it: each page of the folder is leased no more, and what the
/// fleet holds on it is lifted. Nothing of the fleet stops these engines after that. The agent must have been stopped before. If it starts
/// again the pages are back in the fleet. Each page's operators' log keeps who did this, and why.
#[derive(Args, Debug)]
pub struct Options {
    /// The pages' folder
    #[arg(long, value_name = "DIR")]
    pages: PathBuf,
    /// Why, for whoever looks at it later
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    reason: String,
    /// Don't ask
    #[arg(long)]
    yes: bool,
}

/// Releases.
///
/// # Errors
/// An agent has the pages, or the user says no.
pub fn run(options: &Options) -> Result<(), Failure> {
    let reason = look::reason(Some(&options.reason));
    if reason.is_empty() {
        return Err(Failure::new("--reason is blank; legal: a text of 1 to 216 bytes"));
    }
    let mut pages = Pages::new(&options.pages, &run::host())?;
    pages.scan(monotonic_ns());
    if !options.yes && io::stdin().is_terminal() {
        let mut err = io::stderr().lock();
        let mut answer = String::new();
        let asked = write!(err, "No fleet stops the engines of {} after this. Go on? [y/N] ", options.pages.display())
            .and_then(|()| err.flush())
            .and_then(|()| io::stdin().read_line(&mut answer));
        asked.map_err(Failure::new)?;
        if !["y", "yes"].contains(&answer.trim().to_lowercase().as_str()) {
            return Err(Failure::not_done("nothing was done, as the answer was not yes"));
        }
    }
    let count = pages.release(&format!("released from the fleet: {reason}"));
    look::print(&format!("{count} pages are out of the fleet\n"))
}
