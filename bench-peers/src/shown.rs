//! What it costs the owner that others may see a breaker: its page in a file, and a tap of all samples.

use crate::effort::Effort;
use crate::load::Load;
use crate::peers::trip99::breaker;
use crate::report::{quartiles, ratio, table, time};
use crate::rounds::{Line, Spread, take_turns};
use std::fs;
use std::hint::black_box;
use std::path::PathBuf;
use trip99::{Breaker, Config, Start, shared};

const ROUNDS: usize = 101;
/// As long as the one in `benches/shared.rs`.
const TAP_LEN: u32 = 65_536;

pub(crate) const PRIVATE: &str = "record_at, private";
pub(crate) const IN_A_FILE: &str = "record_at, the page in a file";
pub(crate) const IN_A_FILE_WITH_A_TAP: &str = "record_at, the page in a file, with a tap";

/// The file of a page, which leaves nothing behind.
struct Page(PathBuf);

impl Drop for Page {
    fn drop(&mut self) {
        let lock = format!(".{}.lock", self.0.file_name().unwrap_or_default().display());
        let _ = (fs::remove_file(&self.0), fs::remove_file(self.0.with_file_name(lock)));
    }
}

struct Shown {
    breaker: Breaker,
    /// Dropped after the breaker.
    _page: Option<Page>,
}

impl Shown {
    fn private(config: Config) -> Self {
        Self { breaker: breaker(config), _page: None }
    }

    /// Its page is in a file of this process.
    fn in_a_file(name: &str, config: Config) -> Result<Self, String> {
        let why = |error| format!("a page in a file: {error}");
        let page = Page(shared::path(&format!("bench-peers-{}-{name}", std::process::id())).map_err(why)?);
        let breaker = Breaker::create_shared(&page.0, config, Start::Closed).map_err(why)?;
        Ok(Self { breaker, _page: Some(page) })
    }

    fn run(&mut self, load: &mut Load, calls: usize) {
        load.run(calls, |now_ns, latency_ns| black_box(&mut self.breaker).record_at(now_ns, latency_ns));
    }
}

/// Nanoseconds for each sample, by round.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) ns: Vec<f64>,
}

/// The private one first.
pub(crate) fn measure(effort: Effort) -> Result<Vec<Case>, String> {
    let tapped = || Config { tap_len: TAP_LEN, ..Config::default() };
    let breakers = [
        (PRIVATE, Shown::private(Config::default())),
        ("record_at, private, with a tap", Shown::private(tapped())),
        (IN_A_FILE, Shown::in_a_file("plain", Config::default())?),
        (IN_A_FILE_WITH_A_TAP, Shown::in_a_file("tap", tapped())?),
    ];
    let names = breakers.each_ref().map(|&(name, _)| name);
    let mut lines = breakers.map(|(name, mut shown)| Line::new(name, move |load, calls| shown.run(load, calls)));
    take_turns(&mut lines, &mut Load::new(), effort.rounds(ROUNDS));
    Ok(names.into_iter().zip(lines).map(|(name, line)| Case { name, ns: line.ns }).collect())
}

pub(crate) fn report(cases: &[Case]) -> String {
    let row = |case: &Case| {
        let ns = Spread::of(case.ns.iter().copied());
        let to_private = ratio(Spread::of_ratios(&case.ns, &cases[0].ns));
        vec![case.name.to_owned(), time(ns.median), quartiles(ns), to_private]
    };
    table(&["a sample", "median", "quartiles", "x private"], &cases.iter().map(row).collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use trip99::Observer;

    #[test]
    fn pages_are_where_others_find_them_and_leave_nothing_behind() {
        let shown = Shown::in_a_file("test", Config::default()).expect("there is a place for pages");
        let path = shared::path(&format!("bench-peers-{}-test", std::process::id())).expect("as it was");
        assert!(Observer::open(&path).is_ok());
        drop(shown);
        let name = path.file_name().expect("a page has a name").to_string_lossy().into_owned();
        let names = fs::read_dir(path.parent().expect("a page is in a folder")).expect("it can be read");
        let left = names.flatten().filter(|entry| entry.file_name().to_string_lossy().contains(&name));
        assert_eq!(left.count(), 0);
    }
}
