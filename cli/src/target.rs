//! A file that a command writes, if an option asks for it.

use crate::failure::Failure;
use clap::ArgMatches;
use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Where a file is to be written.
pub(crate) struct Target {
    path: PathBuf,
    /// Its name in messages.
    name: String,
    /// Beside it. It is there while the report is written.
    draft: PathBuf,
}

impl Target {
    /// `None` if the option isn't given. A place that can't be written is told of before the work, not after it. The arguments in
    /// `inputs` name files that are read.
    pub(crate) fn of(matches: &ArgMatches, option: &str, inputs: &[&str]) -> Result<Option<Self>, Failure> {
        let Some(given) = matches.get_one::<PathBuf>(option) else { return Ok(None) };
        let name = format!("--{option} {}", given.display());
        let refuse = |what: &str| Err(Failure::new(format_args!("{name}: {what}; legal: a file of its own")));
        if given == Path::new("-") {
            return refuse("standard output has the text or the JSON");
        }
        // A link stays, and what it points to is written.
        let path = given.canonicalize().unwrap_or_else(|_| given.clone());
        match fs::metadata(&path) {
            Ok(found) if found.is_dir() => return refuse("a directory"),
            // A device or a pipe must not be replaced.
            Ok(found) if !found.is_file() => return refuse("not a plain file"),
            _ => {}
        }
        let read = inputs.iter().flat_map(|argument| matches.get_many::<PathBuf>(argument).into_iter().flatten());
        if read.filter_map(|input| input.canonicalize().ok()).any(|input| input == path) {
            return refuse("it is read, too");
        }
        let Some(file_name) = path.file_name() else { return refuse("no name of a file") };
        let mut draft_name = OsString::from(".");
        draft_name.push(file_name);
        draft_name.push(format!(".{}", std::process::id()));
        let target = Self { draft: path.with_file_name(draft_name), path, name };
        // Nothing is left of this if the work is interrupted.
        target.create().and_then(|_| fs::remove_file(&target.draft)).map_err(|error| {
            Failure::new(format_args!("{}: {error}; legal: a file in a folder that can be written", target.name))
        })?;
        Ok(Some(target))
    }

    /// An error if it is the file of another option.
    pub(crate) fn check_other(&self, other: &Self) -> Result<(), Failure> {
        if self.draft == other.draft {
            return Err(Failure::new(format_args!(
                "{}: it is that of {}; legal: a file of its own",
                self.name, other.name
            )));
        }
        Ok(())
    }

    fn create(&self) -> io::Result<File> {
        OpenOptions::new().write(true).create_new(true).open(&self.draft)
    }

    /// Writes the text. The file is the old one, or none, until the new one is complete.
    pub(crate) fn write(&self, text: &str) -> Result<(), Failure> {
        self.place(text).map_err(|error| {
            // Nobody is helped by a second message.
            let _ = fs::remove_file(&self.draft);
            Failure::new(format_args!("{}: {error}", self.name))
        })
    }

    fn place(&self, text: &str) -> io::Result<()> {
        let mut file = self.create()?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&self.draft, &self.path)
    }
}
