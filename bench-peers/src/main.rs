//! Compares trip99 with what one would use in its place: what a call costs, and when each trouble is noticed. Prints the results,
//! and writes them to RESULTS.md.

mod effort;
mod command;
mod heap;
mod traces;
mod load;
mod peers;
mod detection;
mod rounds;
mod speed;
mod worst;
mod scaling;
mod cpp;
mod machine;
mod report;
mod goals;
mod judgement;

use command::Command;
use effort::Effort;
use scaling::{many, memory, quantile, threads, window};
use std::process::ExitCode;
use std::{env, fs};

fn main() -> ExitCode {
    match Command::of(env::args().skip(1)).and_then(run) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("bench-peers: {why}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> Result<(), String> {
    match command {
        Command::Compare(effort) => {
            let text = compare(effort)?;
            println!("{text}");
            if effort == Effort::Full {
                let path = concat!(env!("CARGO_MANIFEST_DIR"), "/RESULTS.md");
                fs::write(path, text).map_err(|error| format!("RESULTS.md: {error}"))?;
            }
        }
        Command::Judgement { is_check } => judgement::run(is_check)?,
        Command::Detection => {
            let rows = detection::compare(&peers::contestants(&peers::all()), Effort::Full);
            println!(
                "## Goals\n\n{}\n## Detection\n\n{}",
                goals::of_detection(&rows),
                detection::report::report(&rows)
            );
        }
    }
    Ok(())
}

/// The report.
fn compare(effort: Effort) -> Result<String, String> {
    let entries = peers::all();
    let load_before = machine::load();
    eprintln!("timing each breaker...");
    let speed = speed::compare(&entries, effort);
    eprintln!("timing the worst samples...");
    let worst = worst::measure(effort);
    eprintln!("timing longer windows...");
    let windows = window::measure(effort);
    eprintln!("timing quantiles...");
    let quantiles = quantile::measure(effort);
    eprintln!("timing threads...");
    let threads = threads::measure(effort);
    eprintln!("timing many breakers...");
    let many = many::measure(effort);
    eprintln!("building and timing C++...");
    let cpp = cpp::measure(effort)?;
    let load_after = machine::load();
    let memory = memory::measure(&entries);
    eprintln!("feeding traces...");
    let detection = detection::compare(&peers::contestants(&entries), effort);
    let rivals: Vec<_> = entries.iter().filter(|entry| !entry.is_ours()).map(|entry| entry.name).collect();
    let goals = goals::report(&speed, entries[0].name, &rivals, &worst, &quantiles, cpp.as_ref(), &detection);
    let cpp = cpp.as_ref().map_or_else(|| "No C++ compiler was found.\n".to_owned(), cpp::report);
    let not_to_be_read = if effort == Effort::Quick { "A quick run: its figures mean nothing.\n" } else { "" };
    Ok(format!(
        "# trip99 beside its peers\n\n\
         Written by `cargo run --release --manifest-path bench-peers/Cargo.toml`; README.md says how to read it.\n\n\
         {}\n{not_to_be_read}Load average {load_before} before the timing, {load_after} after it.\n\n\
         {}.\n\n\
         ## Goals\n\n\
         By the medians of this run's ratios, in brackets their quartiles.\n\n{goals}\n\
         ## Who judges what\n\n{}\n\
         ## Speed\n\n{}\n\
         ### The worst of ten thousand\n\n{}\n\
         ## Scaling\n\n\
         ### A sample, as the window grows\n\n{windows}\n\
         ### A quantile, as the window grows\n\n{}\n\
         ### One breaker, several threads\n\n{threads}\n\
         ### Many breakers, one loop\n\n{many}\n\
         ### Memory\n\n{memory}\n\
         ## C and C++\n\n{cpp}\n\
         ## Detection\n\n\
         In virtual time. trip99 is told of a call as it is sent and as it comes back, unless it says *by record_at*.\n\n{}",
        machine::describe(),
        machine::versions(),
        report::peers(&entries),
        report::speed(&speed, &entries),
        worst::report(&worst),
        quantile::report(&quantiles),
        detection::report::report(&detection),
    ))
}
