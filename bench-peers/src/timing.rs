//! What is timed for the goals, and for their tables.

use crate::effort::Effort;
use crate::peers::{self, Entry};
use crate::rounds::Line;
use crate::scaling::{many, memory, quantile, threads};
use crate::worst::{self, Worst};
use crate::{cpp, shown, speed};

pub(crate) struct Timing {
    pub(crate) entries: Vec<Entry>,
    pub(crate) speed: Vec<Line>,
    pub(crate) worst: Worst,
    pub(crate) quantiles: Vec<quantile::Case>,
    pub(crate) threads: Vec<threads::Line>,
    pub(crate) many: Vec<many::Case>,
    /// `None` if there is no C++ compiler.
    pub(crate) cpp: Option<cpp::Figures>,
    pub(crate) shown: Vec<shown::Case>,
    /// Of a breaker with the default settings.
    pub(crate) memory: memory::Figures,
}

impl Timing {
    pub(crate) fn measure(effort: Effort) -> Result<Self, String> {
        let entries = peers::all();
        eprintln!("timing each breaker...");
        let speed = speed::compare(&entries, effort);
        eprintln!("timing the worst samples...");
        let worst = worst::measure(effort);
        eprintln!("timing quantiles...");
        let quantiles = quantile::measure(effort);
        eprintln!("timing threads...");
        let threads = threads::measure(effort);
        eprintln!("timing many breakers...");
        let many = many::measure(effort);
        eprintln!("building and timing C++...");
        let cpp = cpp::measure(effort)?;
        // Last, as a page in a file has a thread that looks after it.
        eprintln!("timing pages in files...");
        let shown = shown::measure(effort)?;
        let memory = memory::default_breaker();
        Ok(Self { entries, speed, worst, quantiles, threads, many, cpp, shown, memory })
    }
}
