//! `trip99 completions` and `trip99 man`: the command line described for shells and for `man`.

use crate::failure::Failure;
use clap::{Arg, ArgMatches, Command, value_parser};
use clap_complete::Shell;
use clap_mangen::Man;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

pub(crate) fn completions_command() -> Command {
    Command::new("completions").about("Print a script by which a shell completes trip99's commands and options").arg(
        Arg::new("shell").value_name("SHELL").required(true).value_parser(value_parser!(Shell)).help("Which shell"),
    )
}

/// `whole` is the whole command line.
pub(crate) fn completions(whole: Command, matches: &ArgMatches) -> Result<(), Failure> {
    let Some(&shell) = matches.get_one::<Shell>("shell") else { return Ok(()) }; // clap requires one
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut whole.clone(), "trip99", &mut text);
    Ok(io::stdout().write_all(&text)?)
}

pub(crate) fn man_command() -> Command {
    Command::new("man")
        .about("Print trip99's man page, or write all of them into a folder: trip99.1, trip99-halt.1, ...")
        .arg(
            Arg::new("to")
                .long("to")
                .value_name("DIR")
                .value_parser(value_parser!(PathBuf))
                .help("Write a page for each command into this folder, which is made if it is missing"),
        )
}

/// `whole` is the whole command line.
pub(crate) fn man(whole: Command, matches: &ArgMatches) -> Result<(), Failure> {
    let Some(folder) = matches.get_one::<PathBuf>("to") else {
        return Ok(io::stdout().write_all(&page(whole)?)?);
    };
    let wrong = |error: io::Error| Failure::new(format_args!("--to {}: {error}", folder.display()));
    fs::create_dir_all(folder).map_err(wrong)?;
    let write = |name: &str, text: Vec<u8>| fs::write(Path::join(folder, name), text).map_err(wrong);
    write("trip99.1", page(whole.clone())?)?;
    for command in whole.get_subcommands().filter(|command| !command.is_hide_set()) {
        let name = format!("trip99-{}", command.get_name());
        let command =
            command.clone().name(name.clone()).display_name(name.clone()).bin_name(name.replacen('-', " ", 1));
        write(&format!("{name}.1"), page(command)?)?;
    }
    Ok(())
}

fn page(command: Command) -> Result<Vec<u8>, Failure> {
    let mut text = Vec::new();
    Man::new(command.version(clap::crate_version!())).render(&mut text)?;
    Ok(text)
}
