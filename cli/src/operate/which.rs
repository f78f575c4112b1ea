//! Which pages a command is for: those that are named, all, or those with a label.

use crate::arguments::page_arg;
use crate::failure::Failure;
use crate::labels::Selector;
use crate::page::folder::{self, Listed};
use crate::page::place::Place;
use clap::{Arg, ArgAction, ArgMatches};
use std::path::{Path, PathBuf};
use trip99::shared::{self, SharedError};

/// The pages, and why some aren't among them.
pub(crate) struct Which {
    pub(crate) pages: Vec<Listed>,
    /// Of names, or of files of labels.
    pub(crate) mistakes: Vec<Failure>,
    /// Names of no page.
    pub(crate) missing: Vec<Failure>,
}

/// The argument that names pages.
pub(crate) fn names_arg() -> Arg {
    page_arg()
        .num_args(1..)
        .action(ArgAction::Append)
        .help("The pages' names, as trip99 ls shows them; or, with a / in it, the path of a page's file")
}

/// The option `--all`.
pub(crate) fn all_arg(help: &'static str) -> Arg {
    Arg::new("all").long("all").action(ArgAction::SetTrue).help(help)
}

/// The names that were given.
pub(crate) fn names(matches: &ArgMatches) -> Vec<&Path> {
    matches.get_many::<PathBuf>("page").into_iter().flatten().map(PathBuf::as_path).collect()
}

impl Which {
    /// Those that are named, or else those with the labels that are asked for, or else all.
    pub(crate) fn of(matches: &ArgMatches) -> Result<Self, Failure> {
        let names = names(matches);
        let selector = Selector::of(matches)?;
        if names.is_empty() { Self::selected(&selector) } else { Ok(Self::named(&names)) }
    }

    fn named(names: &[&Path]) -> Self {
        let mut which = Self { pages: Vec::new(), mistakes: Vec::new(), missing: Vec::new() };
        for &name in names {
            match Place::find(name) {
                Ok(place) if which.pages.iter().any(|page| page.place.path == place.path) => {}
                Ok(place) => which.pages.push(Listed::named(place)),
                Err(failure) if is_missing(name) => which.missing.push(failure),
                Err(failure) => which.mistakes.push(failure),
            }
        }
        which
    }

    fn selected(selector: &Selector) -> Result<Self, Failure> {
        let (pages, mut mistakes) = folder::pages(None, selector)?;
        if pages.is_empty() {
            // A file of labels that can't be read may be why.
            return Err(mistakes.pop().unwrap_or_else(|| Failure::not_done(format_args!("no page has {selector}"))));
        }
        // Without a selector nothing hangs on labels.
        mistakes.retain(|_| !selector.is_empty());
        Ok(Self { pages, mistakes, missing: Vec::new() })
    }
}

fn is_missing(name: &Path) -> bool {
    matches!(shared::find(&name.to_string_lossy()), Err(SharedError::NoPage { .. }))
}

/// Does it for each page, and tells what went wrong with one before it goes on with the next. The worst exit status counts; a single
/// failure is told by whoever gets it.
pub(crate) fn conclude(mut failures: Vec<Failure>) -> Result<(), Failure> {
    if failures.len() <= 1 {
        return failures.pop().map_or(Ok(()), Err);
    }
    failures.iter().for_each(Failure::tell);
    Err(Failure::Answer(failures.iter().map(Failure::code).max().unwrap_or(2)))
}
