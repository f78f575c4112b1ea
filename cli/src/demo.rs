//! `trip99 demo`: a breaker at its job, with a node, sockets and troubles that are real.
//!
//! There are three parties: the node, a process of its own; the engine, a thread that owns the breaker; and this thread, which
//! tells the node what to do next and watches the breaker.

mod script;
mod wire;
mod session;
mod node;
mod process;
mod engine;
mod view;
mod halts;
mod verdict;
mod play;
mod shell;
mod intro;
mod summary;

use crate::arguments::page_arg;
use crate::failure::Failure;
use crate::page::place::Place;
use crate::settings::show_options;
use crate::show::show_count;
use clap::{Arg, ArgMatches, Command, value_parser};
use engine::{Engine, Gauges};
use intro::introduce;
use play::Play;
use process::Process;
use std::env;
use std::fs::File;
use std::io::BufWriter;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::thread;
use summary::conclude;
use trip99::{Breaker, Config, Start};
use trip99_logs::write_trace;
use verdict::{episodes, judge};

pub(crate) fn command() -> Command {
    Command::new("demo")
        .args_override_self(true)
        .about("Watch a breaker at its job, for some 20 seconds")
        .long_about(
            "Watch a breaker at its job, for some 20 seconds.\n\n\
             Starts an order-entry node on loopback, a process of its own, and an engine that sends it orders, as far as \
             a breaker lets it. The node answers slowly for a while, then not at all, then closes the connection. Shows \
             how soon each trouble pauses trading and when it resumes, and leaves a trace for trip99 replay.\n\n\
             Fails if a trouble does not pause trading, or if trading does not resume.",
        )
        .arg(Arg::new("trace").long("trace").value_name("PATH").value_parser(value_parser!(PathBuf)).help(
            "Where the trace goes [default: a new file in the directory for temporary files]",
        ))
        .arg(page_arg().long("page").help(
            "Publish the breaker in a page, for trip99 status and the like: a name, or a path with a / in it",
        ))
}

/// Plays the demo. It fails if a trouble did not pause trading, or if trading did not resume after it.
pub(crate) fn run(matches: &ArgMatches) -> Result<(), Failure> {
    let page = matches.get_one::<PathBuf>("page").map(|page| Place::own(page)).transpose()?;
    let config = config();
    let breaker = make_breaker(&config, page.as_ref())?;
    let (observer, mut events) = (breaker.observer(), breaker.events());
    // A page that was there before has the events of an earlier owner.
    events.by_ref().for_each(drop);
    let (trace, file) = create_trace(matches.get_one::<PathBuf>("trace").cloned())?;
    let node = Process::start()?;
    introduce(&node, &config, page.as_ref(), observer.is_halted())?;

    let gauges = Arc::new(Gauges::default());
    let engine = Engine::start(breaker, node.address(), Arc::clone(&gauges))?;
    let engine = thread::Builder::new().name("engine".to_owned()).spawn(|| engine.run());
    let engine = engine.map_err(|error| Failure::new(format_args!("the engine's thread can't be started: {error}")))?;
    let mut play = Play::new(node, observer, events, Arc::clone(&gauges));
    let played = play.play(config.quantile_ppm, || engine.is_finished());
    gauges.stop.store(true, Relaxed);
    let outcome = engine.join().map_err(|_| Failure::new("the engine's thread ended in a panic"))?;

    let name = trace.display();
    write_trace(BufWriter::new(file), &outcome.rows)
        .map_err(|error| Failure::new(format_args!("{name}: {error}; the trace could not be written")))?;
    played?;
    let episodes = episodes(&play.troubles, &play.happened);
    let trace_line = format!("{name}, {} round trips", show_count(outcome.rows.len() as u64));
    let replay_line = shell::replay(&shell::program(), &trace, &show_options(&config));
    conclude(&play, &episodes, &outcome.tally, [("trace", trace_line), ("replay", replay_line)])?;
    play.halts.judge(play.now_ns)?;
    judge(&episodes)
}

/// The node's process: the demo starts the program once more, with this command.
pub(crate) fn node_command() -> Command {
    Command::new(process::SUBCOMMAND).about("The node of the demo, which starts it").hide(true)
}

pub(crate) fn run_node(_: &ArgMatches) -> Result<(), Failure> {
    node::run()
}

/// The defaults, but with a recovery that is quick enough to watch. There is no jitter, as a replay has none, so that the two can
/// be compared.
fn config() -> Config {
    const MS: u64 = 1_000_000;
    Config {
        probes: 5,
        backoff_base_ns: 500 * MS,
        backoff_max_ns: 2000 * MS,
        stable_after_ns: 500 * MS,
        jitter_ppm: 0,
        ..Config::default()
    }
}

/// Makes the breaker, in the page if one is named.
fn make_breaker(config: &Config, page: Option<&Place>) -> Result<Breaker, Failure> {
    match page {
        Some(page) => Breaker::create_shared(&page.path, config.clone(), Start::Closed).map_err(|error| {
            Failure::new(format_args!("{error}; legal: --page and a name, or a path with a / in it, that nobody owns"))
        }),
        None => Breaker::new(config.clone()).map_err(Failure::new),
    }
}

/// Makes the file for the trace. By default that is a new file in the directory for temporary files.
fn create_trace(trace: Option<PathBuf>) -> Result<(PathBuf, File), Failure> {
    let (path, file) = match trace {
        Some(path) => (path.clone(), File::create(path)),
        None => {
            let path = env::temp_dir().join(format!("trip99-demo-{}.csv", std::process::id()));
            (path.clone(), File::create_new(path))
        }
    };
    let name = path.display();
    let file =
        file.map_err(|error| Failure::new(format_args!("{name}: {error}; legal: --trace and a writable file")))?;
    Ok((path, file))
}
