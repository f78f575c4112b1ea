//! Halting the page that a path leads to, whatever happens to it meanwhile.

use crate::failure::Failure;
use crate::page::place::refused;
use std::path::Path;
use trip99::shared::Halter;
use trip99::{Halted, Holder};

/// How often a page may be replaced by another one while it is being halted.
pub(super) const TRIES: u32 = 10;

/// Halts the page that the path leads to. If the path leads to another one by then, that one is halted, too. `replaced` is how often that
/// was so before this. Also returns what is to be warned of. `opened` is called between the opening of a page and its halt, for tests.
pub(super) fn halt(
    path: &Path,
    holder: Holder,
    reason: &str,
    mut replaced: u32,
    mut opened: impl FnMut(),
) -> Result<(Halter, Option<String>), Failure> {
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
                let warning =
                    || format!("{shown} was replaced meanwhile; what was there and what is there now are halted");
                return Ok((halter, (replaced > 0).then(warning)));
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
        .map(|(halter, _)| halter)
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
