//! The `trip99` command.

mod timeline;
mod show;
mod failure;
mod settings;
mod trace;
mod replay;
mod report;
mod progress;
mod demo;
mod operate;
mod command;

use std::process::ExitCode;

fn main() -> ExitCode {
    match command::run(std::env::args_os()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}
