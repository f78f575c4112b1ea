//! `trip99 exporter`

mod latencies;
mod metric;
mod journal;
mod pages;
mod figures;
mod recorder;
mod http;

use crate::failure::Failure;
use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use http::{Answer, Server};
use metric::Format;
use pages::Pages;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use std::io::{self, Write};
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// How long scrapes that are under way may take at the end.
const PATIENCE: Duration = Duration::from_secs(2);

pub(crate) fn command() -> Command {
    Command::new("exporter")
        .args_override_self(true)
        .about("Tell Prometheus how breakers stand")
        .long_about(
            "Tell Prometheus how breakers stand: GET /metrics answers with the figures of each page, as the page is at that moment. \
             Owners don't notice. GET /healthz answers that the exporter is there.\n\n\
             The pages are those of DIR, or those in the conventional places of all users that one may see: $TRIP99_DIR, \
             /run/trip99/USER and /dev/shm/trip99-USER. New pages are found at the next scrape. A page that can't be read is a metric, \
             too: trip99_page_unreadable.\n\n\
             Each series has the label page, and those that the file of labels has for the page: $TRIP99_LABELS, or else \
             labels.toml in the folder of the page. If several pages have one name, each of them has the label folder, too.\n\n\
             Ends by SIGTERM or SIGINT.",
        )
        .arg(
            Arg::new("dir")
                .value_name("DIR")
                .value_parser(value_parser!(PathBuf))
                .help("The folder of the pages [default: the places of all users]"),
        )
        .arg(
            Arg::new("listen")
                .long("listen")
                .value_name("ADDRESS")
                .default_value("127.0.0.1:9099")
                .help("Where to listen: an address and a port; port 0 is any that is free"),
        )
        .arg(
            Arg::new("record")
                .long("record")
                .value_name("FOLDER")
                .action(ArgAction::Append)
                .value_parser(value_parser!(PathBuf))
                .help("A folder of trip99 record, whose progress is told, too; may be given several times"),
        )
}

pub(crate) fn run(matches: &ArgMatches) -> Result<(), Failure> {
    let folder = matches.get_one::<PathBuf>("dir").cloned();
    let records: Vec<PathBuf> = matches.get_many("record").into_iter().flatten().cloned().collect();
    let scraped = Mutex::new(Pages::new(folder));
    let (listener, address) = listen(matches)?;
    let mut signals = Signals::new([SIGTERM, SIGINT])
        .map_err(|error| Failure::new(format_args!("no signals can be had: {error}")))?;
    let server = Arc::new(Server::new(move |path, accept| respond(path, accept, &scraped, &records)));
    let serving = Arc::clone(&server);
    thread::Builder::new()
        .name("listener".to_owned())
        .spawn(move || serving.serve(&listener))
        .map_err(|error| Failure::new(format_args!("the listener's thread can't be started: {error}")))?;
    // Whoever closed our output wants the metrics all the same.
    let _ = writeln!(io::stdout(), "trip99 exporter: http://{address}/metrics");
    signals.forever().next();
    server.finish(PATIENCE);
    Ok(())
}

fn listen(matches: &ArgMatches) -> Result<(TcpListener, SocketAddr), Failure> {
    let address = matches.get_one::<String>("listen").map_or("", String::as_str);
    let failed = |error: io::Error| {
        let legal = "legal: an address of this machine and a free port, as 127.0.0.1:9099 or [::1]:9099";
        Failure::new(format_args!("--listen {address}: {error}; {legal}"))
    };
    let listener = TcpListener::bind(address).map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    Ok((listener, address))
}

fn respond(path: &str, accept: &str, pages: &Mutex<Pages>, records: &[PathBuf]) -> Answer {
    match path {
        "/metrics" => scrape(Format::wanted(accept), pages, records),
        "/healthz" => Answer::text(200, "ok\n"),
        _ => Answer::text(404, "legal: /metrics and /healthz\n"),
    }
}

fn scrape(format: Format, pages: &Mutex<Pages>, records: &[PathBuf]) -> Answer {
    // What a scrape that panicked left is good enough for the next one.
    let mut pages = pages.lock().unwrap_or_else(PoisonError::into_inner);
    let (read, labels) = pages.read(wall_ns);
    let mut families = figures::families(&read);
    families.push(labels);
    families.extend(recorder::families(records));
    match metric::encode(families, format) {
        Ok(body) => Answer { status: 200, content_type: format.content_type(), body },
        Err(error) => Answer::text(500, format!("{error}\n")),
    }
}

fn wall_ns() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(now.as_nanos()).unwrap_or(u64::MAX)
}
