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
mod shown;
mod timing;
mod machine;
mod report;
mod goals;
mod judgement;

use command::Command;
use effort::Effort;
use scaling::{many, memory, quantile, threads, window};
use std::process::ExitCode;
use std::{env, fs};
use timing::Timing;

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
        Command::Goals => println!("{}", goals::report(goals::of_timing(&Timing::measure(Effort::Full)?))),
        Command::Many => {
            let cases = many::measure(Effort::Full);
            println!(
                "## Goals\n\n{}\n## Many breakers, one loop\n\n{}",
                goals::report(goals::of_many(&cases)),
                many::report(&cases)
            );
        }
        Command::Judgement { is_check } => judgement::run(is_check)?,
        Command::Detection => {
            let rows = detection::compare(&peers::contestants(&peers::all()), Effort::Full);
            println!(
                "## Goals\n\n{}\n## Detection\n\n{}",
                goals::report(goals::of_detection(&rows)),
                detection::report::report(&rows)
            );
        }
    }
    Ok(())
}

/// The report.
fn compare(effort: Effort) -> Result<String, String> {
    let load_before = machine::load();
    let timing = Timing::measure(effort)?;
    eprintln!("timing longer windows...");
    let windows = window::measure(effort);
    let load_after = machine::load();
    eprintln!("feeding traces...");
    let detection = detection::compare(&peers::contestants(&timing.entries), effort);
    let goals = goals::of_timing(&timing).into_iter().chain(goals::of_detection(&detection));
    let cpp = timing.cpp.as_ref().map_or_else(|| "No C++ compiler was found.\n".to_owned(), cpp::report);
    let not_to_be_read = if effort == Effort::Quick { "A quick run: its figures mean nothing.\n" } else { "" };
    Ok(format!(
        "# trip99 beside its peers\n\n\
         Written by `cargo run --release --manifest-path bench-peers/Cargo.toml`; README.md says how to read it.\n\n\
         {}\n{not_to_be_read}Load average {load_before} before the timing, {load_after} after it.\n\n\
         {}.\n\n\
         ## Goals\n\n\
         By the medians of this run's ratios, in brackets their quartiles.\n\n{}\n\
         ## Who judges what\n\n{}\n\
         ## Speed\n\n{}\n\
         ### The worst of ten thousand\n\n{}\n\
         ### What others see\n\n{}\n\
         ## Scaling\n\n\
         ### A sample, as the window grows\n\n{windows}\n\
         ### A quantile, as the window grows\n\n{}\n\
         ### One breaker, several threads\n\n{}\n\
         ### Many breakers, one loop\n\n{}\n\
         ### Memory\n\n{}\n\
         ## C and C++\n\n{cpp}\n\
         ## Detection\n\n\
         In virtual time. trip99 is told of a call as it is sent and as it comes back, unless it says *by record_at*.\n\n{}",
        machine::describe(),
        machine::versions(),
        goals::report(goals),
        report::peers(&timing.entries),
        report::speed(&timing.speed, &timing.entries),
        worst::report(&timing.worst),
        shown::report(&timing.shown),
        quantile::report(&timing.quantiles),
        threads::report(&timing.threads),
        many::report(&timing.many),
        memory::report(&timing.memory, &timing.entries),
        detection::report::report(&detection),
    ))
}
