//! The command `trip99-fleet`.

use clap::{Parser, Subcommand};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;
use trip99_fleet::agent::Limits;
use trip99_fleet::command::{halt, history, keys, look, release, resume, status};
use trip99_fleet::demo;
use trip99_fleet::failure::{Failure, warn};
use trip99_fleet::files::step_back;
use trip99_fleet::run::{Member, agent, governor};
use trip99_fleet::trust::Role;

/// One command stops every trading engine of a desk, on any number of hosts
///
/// An agent on each host holds the pages of its engines' breakers. Governors (two or more, on any hosts) keep the fleet's halts on NATS
/// servers, and tell agents that they are in touch. Halting needs no majority of the servers; resuming does. An engine whose host is cut off,
/// or whose agent is dead or stopped, stops by itself when its lease ends.
///
/// To begin: trip99-fleet demo, which shows all of it on this machine. Then: trip99-fleet keys.
#[derive(Parser)]
#[command(name = "trip99-fleet", version, arg_required_else_help = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Halt(halt::Options),
    Resume(resume::Options),
    Status(status::Options),
    History(history::Options),
    Agent(AgentOptions),
    Governor(GovernorOptions),
    Keys(keys::Options),
    Release(release::Options),
    Demo(demo::Options),
}

/// Hold the pages of this host for the fleet, until it is told to end
///
/// It asks governors some ten times a second, and leases each page of the folder for as long as they answer. It halts pages when a halt
/// selects them. When it ends, or is stopped, its pages stop when the lease ends. One agent has a folder of pages.
#[derive(clap::Args)]
struct AgentOptions {
    #[command(flatten)]
    who: look::Who,
    /// The pages' folder [default: this user's, as trip99 has it]
    #[arg(long, value_name = "DIR")]
    pages: Option<PathBuf>,
    /// Where the agent keeps the halts that it knows
    #[arg(long, value_name = "DIR", default_value = "/var/lib/trip99-fleet")]
    state: PathBuf,
    /// How long engines trade on when nobody is in touch any more; at least 500ms
    #[arg(long, value_name = "TIME", default_value = "2s", value_parser = lease)]
    lease: Duration,
    /// How old a governor's read from the bucket's leader may be
    #[arg(long, value_name = "TIME", default_value = "15s", value_parser = look::span)]
    stale_after: Duration,
    /// The bucket was made anew: read it from its first line. Halts that are known stay
    #[arg(long)]
    new_bucket: bool,
    /// Write metrics to this file, for node_exporter's collector of text files
    #[arg(long, value_name = "FILE")]
    metrics: Option<PathBuf>,
    /// How this host calls itself in labels and reports [default: its name]
    #[arg(long, value_name = "NAME")]
    host: Option<String>,
}

/// Keep the fleet's halts in the bucket, and answer agents, until it is told to end
///
/// It keeps nothing of its own. Two or more of them run at the same time, on any hosts.
#[derive(clap::Args)]
struct GovernorOptions {
    #[command(flatten)]
    who: look::Who,
}

fn lease(text: &str) -> Result<Duration, String> {
    let lease = look::span(text)?;
    if lease >= Duration::from_nanos(Limits::LEAST_LEASE_NS) && lease <= Duration::from_secs(3600) {
        Ok(lease)
    } else {
        Err("legal: 500ms to 1h".to_owned())
    }
}

fn ns(span: Duration) -> u64 {
    u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)
}

async fn run(command: Command) -> Result<(), Failure> {
    match command {
        Command::Halt(options) => halt::run(options).await,
        Command::Resume(options) => resume::run(options).await,
        Command::Status(options) => status::run(options).await,
        Command::History(options) => history::run(options).await,
        Command::Keys(options) => keys::run(&options),
        Command::Release(options) => release::run(&options),
        Command::Demo(options) => demo::run(options).await,
        Command::Governor(options) => {
            governor::run(Member::read(&options.who.fleet, &options.who.key, Role::Governor)?).await
        }
        Command::Agent(options) => {
            let member = Member::read(&options.who.fleet, &options.who.key, Role::Agent)?;
            let limits =
                Limits { lease_ns: ns(options.lease), stale_after_ns: ns(options.stale_after), ..Limits::default() };
            let pages = options.pages.map_or_else(|| trip99::shared::dir().map_err(Failure::new), Ok)?;
            let AgentOptions { state, metrics, host, new_bucket: is_new_bucket, .. } = options;
            agent::run(member, agent::Settings { pages, state, limits, is_new_bucket, metrics, host }).await
        }
    }
}

fn main() -> ExitCode {
    let command = Arguments::parse().command;
    // One thread does all but what waits for disks.
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = match runtime.enable_all().on_thread_start(step_back).build() {
        Ok(runtime) => runtime,
        Err(error) => {
            warn(error);
            return ExitCode::from(2);
        }
    };
    let result = runtime.block_on(run(command));
    // What waits for a disk that hangs isn't waited for.
    runtime.shutdown_background();
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            warn(&failure);
            ExitCode::from(failure.status)
        }
    }
}
