//! `trip99 record`, `trip99 record verify` and `trip99 record keygen`: the audit trail.
//!
//! ```text
//!   pages ─▶ pages, follow ──items──▶ writer ─▶ folder      a file a day, chained (chain), signed (sign, key)
//!            a thread that reads                └─▶ tell    who else must know, once it is on the disk
//! ```

mod chain;
mod utc;
mod key;
mod position;
mod line;
mod folder;
mod sign;
mod status;
mod tell;
mod writer;
mod follow;
mod pages;
mod verify;

use crate::failure::Failure;
use crate::show::{escape, show_counted};
use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use folder::Folder;
use key::{Key, PublicKey};
use line::Item;
use pages::Pages;
use serde_json::{Value, json};
use sign::{Pace, Signer};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use status::StatusFile;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::thread;
use std::time::{Duration, Instant};
use tell::Listener;
use verify::{Given, Promise, Source};
use writer::Writer;

/// So many looks' worth of items may wait for the writer. Then the reader waits, too, and the journals keep what is new.
const WAITING: usize = 8;
/// At most so many looks are written at once.
const AT_ONCE: usize = 4;
const SIGN_EVERY: &str = "1000";

pub(crate) fn command() -> Command {
    let path = |name: &'static str| Arg::new(name).value_parser(value_parser!(PathBuf));
    let option = |name: &'static str| path(name).long(name).value_name("FILE");
    Command::new("record")
        .args_override_self(true)
        .args_conflicts_with_subcommands(true)
        .subcommand_negates_reqs(true)
        .about("Record what happens to breakers, in files that can be verified: the audit trail")
        .long_about(
            "Record what happens to breakers, in files that can be verified: the audit trail.\n\n\
             Follows every page of a folder, those that come later, too, and appends each event, halt, resume, restart, change of \
             settings and gap to a file a day (UTC): JSON, one object a line. A line holds the hash of the line before. It is on the disk \
             before anybody is told of it. After an end of any kind the next recorder goes on where the files end. Runs until it gets \
             SIGTERM, SIGINT or SIGHUP. If nothing can be written, it says so and tries again.\n\n\
             Exit status: 0 after an orderly end; 2 if it can't begin, or ends before all is written.",
        )
        .arg(path("dir").value_name("DIR").help(
            "The folder of the pages [default: $TRIP99_DIR, /run/trip99/USER and /dev/shm/trip99-USER of all users that one may see]",
        ))
        .arg(
            Arg::new("to")
                .long("to")
                .value_name("FOLDER")
                .action(ArgAction::Append)
                .value_parser(value_parser!(OsString))
                .required(true)
                .help("The folder of the record; made if it is missing. One recorder a folder. Once more, journald: systemd's journal, too"),
        )
        .arg(
            Arg::new("exec")
                .long("exec")
                .value_name("CMD")
                .help("Run this by sh for new lines, which are its standard input; one at a time"),
        )
        .arg(option("sign-key").help("Sign by this private key, as trip99 record keygen makes it"))
        .arg(
            Arg::new("sign-every")
                .long("sign-every")
                .value_name("LINES")
                .value_parser(value_parser!(u64).range(1..=1_000_000))
                .default_value(SIGN_EVERY)
                .help("Sign, and write the anchor, at least each so many lines"),
        )
        .arg(
            Arg::new("sign-within")
                .long("sign-within")
                .value_name("TIME")
                .value_parser(time)
                .default_value("10s")
                .help("Sign, and write the anchor, so long after a line at the latest"),
        )
        .arg(option("anchor").help("Append the end of the chain to this file, which belongs on another machine or disk"))
        .arg(
            Arg::new("print-head")
                .long("print-head")
                .action(ArgAction::SetTrue)
                .help("Print the end of the chain as JSON, for a place elsewhere"),
        )
        .arg(option("status").help("How the recorder is, as JSON of 1024 bytes [default: FOLDER/status.json]"))
        .arg(
            Arg::new("once")
                .long("once")
                .action(ArgAction::SetTrue)
                .help("Record what is there now, and end"),
        )
        .subcommand(verify_command())
        .subcommand(
            Command::new("keygen")
                .about("Make a pair of keys: a private one in FILE, and a public one in FILE.pub")
                .arg(path("file").value_name("FILE").required(true).help("The private key's file, which must not exist")),
        )
}

fn verify_command() -> Command {
    let option = |name: &'static str| Arg::new(name).long(name).value_name("FILE").value_parser(value_parser!(PathBuf));
    Command::new("verify")
        .args_override_self(true)
        .about("Verify that a record is as it was recorded")
        .long_about(
            "Verify that a record is as it was recorded: names the first line that was changed, removed, added or moved. The files may be \
             given in any order.\n\n\
             A line at the end that was cut off in the middle is no tampering: a recorder that is killed leaves it. Lines that were removed \
             from the end are missed only with --anchor, or with --key if more than --max-unsigned lines were forged in their place.\n\n\
             Exit status: 0 whole; 1 not as it was recorded, and standard error says which line; 2 the command failed.",
        )
        .arg(
            Arg::new("files")
                .value_name("FILE")
                .value_parser(value_parser!(PathBuf))
                .num_args(1..)
                .required(true)
                .help("The record's files, or its folder"),
        )
        .arg(option("key").action(ArgAction::Append).help("The public key that has to have signed; may be given again, for another key"))
        .arg(
            Arg::new("max-unsigned")
                .long("max-unsigned")
                .value_name("LINES")
                .value_parser(value_parser!(u64).range(1..))
                .default_value(SIGN_EVERY)
                .help("With --key: so many lines in a row may have no signature, as with the recorder's --sign-every"),
        )
        .arg(option("anchor").help("What record --anchor wrote: the record must have these lines, too"))
}

fn time(text: &str) -> Result<Duration, String> {
    let time = humantime::parse_duration(text).map_err(|error| format!("{error}; legal: a time such as 10s or 1m"))?;
    let is_legal = (Duration::from_millis(10)..=Duration::from_secs(86_400)).contains(&time);
    if is_legal { Ok(time) } else { Err("legal: 10ms to 1day".to_owned()) }
}

pub(crate) fn run(matches: &ArgMatches) -> Result<(), Failure> {
    match matches.subcommand() {
        Some(("verify", matches)) => run_verify(matches),
        Some((_, matches)) => run_keygen(matches),
        None => run_record(matches),
    }
}

fn run_keygen(matches: &ArgMatches) -> Result<(), Failure> {
    let Some(path) = matches.get_one::<PathBuf>("file") else { return Ok(()) }; // clap requires it
    let public = key::make_pair(path)?;
    let (private, public) = (path.display().to_string(), public.display().to_string());
    Ok(writeln!(io::stdout(), "made {} (keep it secret) and {}", escape(&private), escape(&public))?)
}

fn run_verify(matches: &ArgMatches) -> Result<(), Failure> {
    let keys = matches.get_many::<PathBuf>("key").into_iter().flatten();
    let keys = keys.map(|path| PublicKey::read(path)).collect::<Result<Vec<_>, _>>()?;
    let anchors = match matches.get_one::<PathBuf>("anchor") {
        Some(path) => {
            verify::anchors(path).map_err(|error| Failure::new(format_args!("--anchor {}: {error}", path.display())))?
        }
        None => BTreeMap::new(),
    };
    let promise = Promise { lines: matches.get_one("max-unsigned").copied().unwrap_or(1) };
    let files = matches.get_many::<PathBuf>("files").into_iter().flatten();
    let read = sources(files).and_then(|sources| verify::verify(sources, &Given { keys, promise, anchors }));
    let whole = read.map_err(|error| Failure::new(format_args!("cannot read the record: {error}")))?;
    let whole = whole.map_err(Failure::not_done)?;
    let mut out = io::stdout().lock();
    Ok(whole.lines.iter().try_for_each(|line| writeln!(out, "{}", escape(line)))?)
}

/// A folder stands for the record in it.
fn sources<'a>(paths: impl Iterator<Item = &'a PathBuf>) -> io::Result<Vec<Source>> {
    let mut files = Vec::new();
    for path in paths {
        if path.is_dir() { files.extend(folder::files(path)?) } else { files.push(path.clone()) }
    }
    Ok(files.into_iter().map(|path| Source { name: path.display().to_string(), path }).collect())
}

fn run_record(matches: &ArgMatches) -> Result<(), Failure> {
    let (to, has_journal) = destinations(matches)?;
    let path = |name: &str| matches.get_one::<PathBuf>(name).cloned();
    let key = path("sign-key").map(|path| Key::read(&path)).transpose()?;
    let stop = stop_at_signals()?;
    let mut folder = Folder::open(&to)?;
    let boot = pages::boot();
    // A page of an earlier boot never comes back.
    folder.positions.0.retain(|id, _| id.starts_with(&boot));
    let (once, print) = (matches.get_flag("once"), matches.get_flag("print-head"));
    let pace = Pace {
        lines: matches.get_one("sign-every").copied().unwrap_or(1000),
        within: matches.get_one("sign-within").copied().unwrap_or(Duration::from_secs(10)),
    };
    let signer = Signer::new(key, pace, path("anchor"), print, folder.head);
    let status = path("status").unwrap_or_else(|| to.join("status.json"));
    let journal = has_journal.then(|| Listener::journal(PathBuf::from(tell::JOURNAL)));
    let exec = matches.get_one::<String>("exec").cloned().map(Listener::exec);
    let listeners = journal.into_iter().chain(exec).collect();

    let dir = path("dir");
    let mut pages = Pages::new(dir.clone(), boot, folder.positions.clone());
    let mut items = vec![Item::own("start", start(dir.as_deref(), &signer))];
    pages.scan(&mut items);
    let count = show_counted(pages.len() as u64, "page");
    let mut writer = Writer::new(folder, signer, listeners, StatusFile(status), Arc::clone(&stop));
    writer.begin()?;
    if !print {
        let file = to.join(writer.folder.file_name().unwrap_or_default());
        let file = escape(&file.display().to_string());
        // Nobody may be there to read it.
        let _ = writeln!(io::stdout(), "recording {count} to {file}");
    }
    let (sender, receiver) = sync_channel(WAITING);
    let reader = thread::Builder::new().name("reader".to_owned());
    let waiting = Arc::clone(&writer.waiting);
    let reader = reader.spawn(move || pages.follow(items, once, (&stop, &waiting), &sender));
    reader.map_err(|error| Failure::new(format_args!("cannot start a thread: {error}")))?;
    write_all(&mut writer, &receiver)?;
    let why = if once { "once" } else { "signal" };
    writer.end(vec![Item::own("stop", json!({ "why": why }))])
}

/// Writes what the reader sends, until there is no reader.
fn write_all(writer: &mut Writer, receiver: &Receiver<Vec<Item>>) -> Result<(), Failure> {
    let mut ticked = Instant::now();
    loop {
        match receiver.recv_timeout(writer::TICK) {
            Ok(mut items) => {
                receiver.try_iter().take(AT_ONCE - 1).for_each(|more| items.extend(more));
                let count = items.len();
                writer.record(items)?;
                writer.waiting.fetch_sub(count, Ordering::Relaxed);
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return Ok(()),
        }
        if ticked.elapsed() >= writer::TICK {
            ticked = Instant::now();
            writer.tick()?;
        }
    }
}

/// The record's folder, and whether systemd's journal is to be told, too.
fn destinations(matches: &ArgMatches) -> Result<(PathBuf, bool), Failure> {
    let given: Vec<&OsString> = matches.get_many("to").into_iter().flatten().collect();
    let folders: Vec<_> = given.iter().filter(|to| **to != "journald").collect();
    match folders[..] {
        [folder] => Ok((PathBuf::from(folder), folders.len() < given.len())),
        _ => {
            let legal = "legal: one folder, and journald beside it (a folder of that name is ./journald)";
            Err(Failure::new(format_args!("--to names {} folders; {legal}", folders.len())))
        }
    }
}

/// Becomes true at the first signal. At the second the process ends, even if it can't write.
fn stop_at_signals() -> Result<Arc<AtomicBool>, Failure> {
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [SIGTERM, SIGINT, SIGHUP] {
        let registered = signal_hook::flag::register_conditional_shutdown(signal, 2, Arc::clone(&stop))
            .and_then(|_| signal_hook::flag::register(signal, Arc::clone(&stop)));
        registered.map_err(|error| Failure::new(format_args!("cannot wait for signals: {error}")))?;
    }
    Ok(stop)
}

fn start(dir: Option<&Path>, signer: &Signer) -> Value {
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    json!({
        "recorder": {
            "version": env!("CARGO_PKG_VERSION"),
            "pid": std::process::id(),
            "uid": rustix::process::getuid().as_raw(),
            "host": host,
        },
        "pages_of": dir.map(|dir| dir.to_string_lossy()),
        "key": signer.public_key(),
        "sign_every": signer.pace.lines,
        "sign_within_ms": u64::try_from(signer.pace.within.as_millis()).unwrap_or(u64::MAX),
    })
}
