//! The `trip99` command.

mod failure;
mod settings;
mod trace;
mod replay;
mod timeline;
mod show;
mod report;
mod progress;
mod demo;
mod command;

use std::process::ExitCode;

fn main() -> ExitCode {
    match command::run(std::env::args_os()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}
