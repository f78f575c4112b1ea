//! `trip99-fleet keys`

use crate::command::look;
use crate::failure::Failure;
use crate::keys::Key;
use crate::server;
use crate::trust::{Role, Trust, is_name};
use clap::Args;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

/// Make the fleet's keys, its file, and the servers' users
///
/// For each member that is named a key is made in DIR (mode 0600): bring it to the member's machine, and delete it here. DIR/fleet.toml is
/// the fleet's file, which every member needs; it holds no secret. DIR/users.conf has the users and what each of them may do: the servers
/// include it. Run again, this adds members, and changes no key. A member that is revoked counts no more when the fleet's file is on every
/// machine, and the servers have read users.conf again (nats-server --signal reload).
#[derive(Args, Debug)]
#[command(
    after_help = "Example:\n  trip99-fleet keys --dir fleet --name london --server tls://nats-1:4222 --server tls://nats-2:4222 \\\n    \
    --server tls://nats-3:4222 --halter ann --resumer bob --governor gov-1 --governor gov-2 --agent engine-7 --agent engine-8"
)]
pub struct Options {
    /// Where to put all of it
    #[arg(long, value_name = "DIR")]
    dir: PathBuf,
    /// The fleet's name; needed the first time
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// The address of a server; needed the first time, for each server
    #[arg(long, value_name = "URL")]
    server: Vec<String>,
    /// How many servers keep a copy of the bucket
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=5))]
    replicas: u32,
    /// Somebody who may halt
    #[arg(long, value_name = "NAME")]
    halter: Vec<String>,
    /// Somebody who may resume
    #[arg(long, value_name = "NAME")]
    resumer: Vec<String>,
    /// A governor; a fleet has two or more
    #[arg(long, value_name = "NAME")]
    governor: Vec<String>,
    /// The agent of a host
    #[arg(long, value_name = "NAME")]
    agent: Vec<String>,
    /// A public key (U...) that counts no more
    #[arg(long, value_name = "KEY")]
    revoke: Vec<String>,
}

/// Makes them.
///
/// # Errors
/// A name is none, or a file can't be written.
pub fn run(options: &Options) -> Result<(), Failure> {
    let path = options.dir.join("fleet.toml");
    let mut trust = begin(options, &path)?;
    let members = [
        (Role::Halter, &options.halter),
        (Role::Resumer, &options.resumer),
        (Role::Governor, &options.governor),
        (Role::Agent, &options.agent),
    ];
    let mut told = String::new();
    for (role, names) in members {
        for name in names {
            if !is_name(name) {
                return Err(Failure::new(format_args!(
                    "--{role} {name:?}; legal: 1 to 32 of letters, digits, - and _"
                )));
            }
            if trust.members(role).contains_key(name) {
                let _ = writeln!(told, "the {role} {name} has a key already");
                continue;
            }
            let key = Key::new()?;
            let file = key_file(&options.dir, role, name);
            key.write(&file)?;
            trust.add(role, name, &key.public());
            let _ = writeln!(told, "{}: the key of the {role} {name}; keep it secret", file.display());
        }
    }
    options.revoke.iter().for_each(|key| trust.revoke(key));
    let text = toml::to_string(&trust).map_err(Failure::new)?;
    Trust::parse(&text).map_err(Failure::new)?;
    write(&path, &text)?;
    write(&options.dir.join("users.conf"), &server::users(&trust))?;
    let _ = writeln!(told, "{}: the fleet's file, for every member", path.display());
    let _ = writeln!(told, "{}: the servers' users", options.dir.join("users.conf").display());
    look::print(&told)
}

/// Where a member's key is written.
pub fn key_file(dir: &Path, role: Role, name: &str) -> PathBuf {
    dir.join(format!("{role}-{name}.nk"))
}

/// The fleet's file as it is, or a new one.
fn begin(options: &Options, path: &Path) -> Result<Trust, Failure> {
    if path.exists() {
        let mut trust = Trust::read(path)?;
        if options.name.as_ref().is_some_and(|name| *name != trust.fleet) {
            return Err(Failure::new(format_args!("{} is of the fleet {}", path.display(), trust.fleet)));
        }
        if !options.server.is_empty() {
            trust.servers.clone_from(&options.server);
        }
        return Ok(trust);
    }
    let name = options.name.as_deref().filter(|name| is_name(name));
    let Some(name) = name.filter(|_| !options.server.is_empty()) else {
        return Err(Failure::new("a new fleet needs --name (letters, digits, - and _) and each --server"));
    };
    fs::create_dir_all(&options.dir)
        .map_err(|error| Failure::new(format_args!("{}: {error}", options.dir.display())))?;
    Ok(Trust::new(name, options.server.clone(), options.replicas))
}

/// Writes a file anew, so that nobody reads half of it.
fn write(path: &Path, text: &str) -> Result<(), Failure> {
    let new = path.with_extension("new");
    fs::write(&new, text)
        .and_then(|()| fs::rename(&new, path))
        .map_err(|error| Failure::new(format_args!("{}: {error}", path.display())))
}
