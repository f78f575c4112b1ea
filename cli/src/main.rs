//! The `trip99` command.
//!
//! ```text
//!   command ─┬─▶ demo      a breaker at its job: a node, an engine and a script
//!            ├─▶ replay    a breaker driven over a log
//!            ├─▶ trace     a log made a trace
//!            ├─▶ tune      settings made of a log
//!            ├─▶ record    the audit trail of pages
//!            ├─▶ manual    completions, man: the command line described
//!            ├─▶ operate   ls, status, events, halt, resume, ...: on pages of other processes' breakers
//!            └─▶ exporter  the figures of pages, for Prometheus
//! ```
//!
//! The files above them in the list below hold what the commands share.

// A file uses only files above it.
mod timeline;
mod show;
mod failure;
mod zone;
mod warnings;
mod json;
mod profile;
mod labels;
mod page;
mod arguments;
mod settings;
mod log;
mod target;
mod report;
mod replay;
mod trace;
mod tune;
mod demo;
mod operate;
mod exporter;
mod record;
mod manual;
mod command;

use std::process::ExitCode;

fn main() -> ExitCode {
    match command::run(std::env::args_os()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}
