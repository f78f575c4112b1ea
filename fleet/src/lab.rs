//! A fleet on one machine, with real servers and real processes: for the demo, the tests and the bench.

pub mod certificates;
pub mod cutter;
pub mod engines;
pub mod namespace;
pub mod process;
pub mod servers;

use crate::command::keys::key_file;
use crate::failure::Failure;
use crate::trust::{Role, Tls, Trust};
use cutter::Cutter;
use engines::Engines;
use namespace::Namespace;
use process::Process;
use servers::Servers;
use std::ffi::OsString;
use std::fs;
use std::net::Ipv4Addr;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use trip99::shared::Halter;

/// What a lab is made of.
pub struct Plan {
    /// The command `trip99-fleet`.
    pub program: PathBuf,
    /// The command `nats-server`.
    pub server: PathBuf,
    /// How many servers.
    pub servers: usize,
    /// How many governors.
    pub governors: usize,
    /// How many hosts, each with an agent.
    pub hosts: usize,
    /// How many engines each host has.
    pub engines: usize,
    /// How often an engine asks.
    pub ask_every: Duration,
    /// More arguments for each agent.
    pub agent_args: Vec<String>,
    /// What each agent finds in its environment.
    pub agent_env: Vec<(OsString, OsString)>,
    /// How hosts reach the servers.
    pub roads: Roads,
}

/// How the hosts of a lab reach its servers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Roads {
    /// As members reach them that are no hosts. Nothing can be cut, and nothing is added to what is measured.
    Plain,
    /// Through a process of the lab, which can cut and delay.
    Cuttable,
    /// Each host has a network namespace of its own, whose wire can be cut, and can lose and delay packets.
    Namespaces,
}

/// A host: its pages, its agent, and its way to the servers, which can be cut.
pub struct Host {
    /// Its name, and its agent's.
    pub name: String,
    /// The pages' folder.
    pub pages: PathBuf,
    /// The agent.
    pub agent: Option<Process>,
    /// Its engines.
    pub engines: Engines,
    /// The ways to each server.
    pub ways: Vec<Cutter>,
    /// Its network, if it has one of its own.
    pub network: Option<Namespace>,
    fleet: PathBuf,
    state: PathBuf,
}

/// A fleet on one machine. It ends, and is removed, when it is dropped.
pub struct Lab {
    /// What it is made of.
    pub plan: Plan,
    /// Where its files are.
    pub dir: PathBuf,
    /// Where its pages are.
    pub shm: PathBuf,
    /// Its servers.
    pub servers: Servers,
    /// Its governors.
    pub governors: Vec<Option<Process>>,
    /// Its hosts.
    pub hosts: Vec<Host>,
}

/// Whoever waits for something is not to wait any longer.
static IS_OVER: AtomicBool = AtomicBool::new(false);

/// From now on [`until`] waits for nothing, so that a lab comes to its end, and is removed.
pub fn give_up() {
    IS_OVER.store(true, Ordering::Relaxed);
}

/// Waits until this is so. False if it isn't within the time.
pub fn until(within: Duration, mut what: impl FnMut() -> bool) -> bool {
    let begin = Instant::now();
    loop {
        if what() {
            return true;
        }
        if begin.elapsed() >= within || IS_OVER.load(Ordering::Relaxed) {
            return false;
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Where hosts reach the servers, besides this machine's own address.
fn addresses(plan: &Plan, lab: &str) -> Vec<Ipv4Addr> {
    let hosts = if plan.roads == Roads::Namespaces { plan.hosts } else { 0 };
    (0..hosts).map(|place| namespace::gateway(lab, place)).collect()
}

/// A new folder that only this user may use.
fn make_folder(path: &Path) -> Result<(), Failure> {
    let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(path);
    made.map_err(|error| Failure::new(format_args!("{}: {error}", path.display())))
}

impl Lab {
    /// Begins: servers, keys, governors, engines and agents. Nothing is awaited but that the servers listen.
    ///
    /// # Errors
    /// Something can't be started.
    pub fn begin(plan: Plan) -> Result<Self, Failure> {
        let name = format!("trip99-lab-{}", crate::keys::random_id()?.get(..8).unwrap_or_default());
        let (dir, shm) = (std::env::temp_dir().join(&name), Path::new("/dev/shm").join(&name));
        make_folder(&dir)?;
        make_folder(&shm)?;
        let tls = certificates::make(&dir, &addresses(&plan, &name)).unwrap_or_default();
        let servers = Servers::new(&plan.server, &dir, plan.servers, &tls)?;
        let mut lab = Self { plan, dir, shm, servers, governors: Vec::new(), hosts: Vec::new() };
        lab.make_keys(tls)?;
        lab.servers.start_all()?;
        for place in 0..lab.plan.governors {
            let governor = lab.start_governor(place)?;
            lab.governors.push(Some(governor));
        }
        for place in 0..lab.plan.hosts {
            let mut host = lab.make_host(place)?;
            host.agent = Some(lab.start_agent(&host)?);
            lab.hosts.push(host);
        }
        Ok(lab)
    }

    fn make_keys(&self, tls: Tls) -> Result<(), Failure> {
        let replicas = if self.plan.servers >= 3 { "3" } else { "1" };
        let mut args = vec!["keys", "--name", "lab", "--replicas", replicas, "--halter", "ann", "--resumer", "bob"];
        let urls = self.servers.urls();
        let governors: Vec<String> = (0..self.plan.governors).map(governor_name).collect();
        let hosts: Vec<String> = (0..self.plan.hosts).map(host_name).collect();
        urls.iter().for_each(|url| args.extend(["--server", url]));
        governors.iter().for_each(|name| args.extend(["--governor", name]));
        hosts.iter().for_each(|name| args.extend(["--agent", name]));
        let dir = self.dir.to_string_lossy().into_owned();
        args.extend(["--dir", &dir]);
        let output = Command::new(&self.plan.program).args(&args).output().map_err(Failure::new)?;
        if !output.status.success() {
            return Err(Failure::new(String::from_utf8_lossy(&output.stderr)));
        }
        let mut trust = Trust::read(&self.fleet())?;
        trust.set_tls(tls);
        self.write_fleet(&self.fleet(), &trust)
    }

    fn write_fleet(&self, path: &Path, trust: &Trust) -> Result<(), Failure> {
        let text = toml::to_string(trust).map_err(Failure::new)?;
        fs::write(path, text).map_err(|error| Failure::new(format_args!("{}: {error}", path.display())))
    }

    /// What distinguishes it from other labs.
    fn name(&self) -> String {
        self.dir.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned())
    }

    /// The fleet's file.
    pub fn fleet(&self) -> PathBuf {
        self.dir.join("fleet.toml")
    }

    /// The key of a member.
    pub fn key(&self, role: Role, name: &str) -> PathBuf {
        key_file(&self.dir, role, name)
    }

    /// Whether every page is leased, so that its agent has found it.
    pub fn is_leased(&self) -> bool {
        let is_leased = |path: PathBuf| {
            let halter = Halter::open(path).ok();
            halter.and_then(|halter| halter.gate().map(|gate| gate.lease().ends_ns.is_some())).unwrap_or(false)
        };
        let pages =
            |host: &Host| (0..self.plan.engines).map(|place| host.pages.join(engine_name(place))).collect::<Vec<_>>();
        self.hosts.iter().flat_map(pages).all(is_leased)
    }

    /// Starts a governor.
    ///
    /// # Errors
    /// It can't be started.
    pub fn start_governor(&self, place: usize) -> Result<Process, Failure> {
        let name = governor_name(place);
        let mut command = Command::new(&self.plan.program);
        command.arg("governor").arg("--fleet").arg(self.fleet()).arg("--key").arg(self.key(Role::Governor, &name));
        Process::start(&mut command, &self.dir.join(format!("{name}.log")))
    }

    fn make_host(&self, place: usize) -> Result<Host, Failure> {
        let name = host_name(place);
        let (pages, state) = (self.shm.join(&name), self.dir.join(format!("{name}.state")));
        make_folder(&pages)?;
        let mut trust = Trust::read(&self.fleet())?;
        let network = match self.plan.roads {
            Roads::Namespaces => Some(Namespace::new(&self.name(), place)?),
            Roads::Plain | Roads::Cuttable => None,
        };
        let at = network.as_ref().map_or(Ipv4Addr::LOCALHOST, Namespace::gateway);
        let mut ways = Vec::new();
        if self.plan.roads != Roads::Plain {
            ways = self.servers.ports().map(|port| Cutter::new(at, port)).collect::<Result<_, _>>()?;
            trust.servers = ways.iter().map(|way| format!("nats://{at}:{}", way.port())).collect();
        }
        let fleet = self.dir.join(format!("{name}.toml"));
        self.write_fleet(&fleet, &trust)?;
        let labels: String = (0..self.plan.engines)
            .map(|engine| {
                let (desk, venue) = (["rates", "fx"][engine % 2], ["xetra", "eurex"][engine / 2 % 2]);
                format!("[{}]\ndesk = \"{desk}\"\nvenue = \"{venue}\"\n", engine_name(engine))
            })
            .collect();
        fs::write(pages.join("labels.toml"), labels).map_err(Failure::new)?;
        let halts = self.dir.join(format!("{name}.halts"));
        make_folder(&halts)?;
        let names: Vec<String> = (0..self.plan.engines).map(engine_name).collect();
        let engines = Engines::start(&pages, &halts, &names, self.plan.ask_every)?;
        Ok(Host { name, pages, agent: None, engines, ways, network, fleet, state })
    }

    /// The fleet's file as a host has it.
    pub fn fleet_of(&self, host: &Host) -> PathBuf {
        host.fleet.clone()
    }

    /// Starts a host's agent.
    ///
    /// # Errors
    /// It can't be started.
    pub fn start_agent(&self, host: &Host) -> Result<Process, Failure> {
        let program = &self.plan.program;
        let mut command =
            host.network.as_ref().map_or_else(|| Command::new(program), |network| network.command(program));
        command.envs(self.plan.agent_env.iter().map(|(name, value)| (name, value)));
        command.arg("agent").arg("--fleet").arg(&host.fleet).arg("--key").arg(self.key(Role::Agent, &host.name));
        command.arg("--pages").arg(&host.pages).arg("--state").arg(&host.state).arg("--host").arg(&host.name);
        command.args(&self.plan.agent_args).env_remove("TRIP99_LABELS");
        Process::start(&mut command, &self.dir.join(format!("{}.log", host.name)))
    }

    /// Kills a host's agent.
    pub fn kill_agent(&mut self, place: usize) {
        self.hosts[place].agent = None;
    }

    /// Starts it again.
    ///
    /// # Errors
    /// It can't be started.
    pub fn restart_agent(&mut self, place: usize) -> Result<(), Failure> {
        let agent = self.start_agent(&self.hosts[place])?;
        self.hosts[place].agent = Some(agent);
        Ok(())
    }

    /// Runs `trip99-fleet` as somebody with a key.
    ///
    /// # Errors
    /// It can't be started.
    pub fn command(&self, args: &[&str], key: &Path) -> Result<Output, Failure> {
        let mut command = Command::new(&self.plan.program);
        command.args(args).arg("--fleet").arg(self.fleet()).arg("--key").arg(key).stdin(Stdio::null());
        command.output().map_err(Failure::new)
    }

    /// Halts as ann.
    ///
    /// # Errors
    /// It can't be started.
    pub fn halt(&self, args: &[&str]) -> Result<Output, Failure> {
        self.command(&[&["halt"], args].concat(), &self.key(Role::Halter, "ann"))
    }

    /// Resumes as bob.
    ///
    /// # Errors
    /// It can't be started.
    pub fn resume(&self, args: &[&str]) -> Result<Output, Failure> {
        self.command(&[&["resume"], args].concat(), &self.key(Role::Resumer, "bob"))
    }

    /// What the members have logged, for people.
    pub fn logs(&self) -> String {
        let mut text = String::new();
        let mut paths: Vec<PathBuf> =
            fs::read_dir(&self.dir).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
        paths.sort();
        for path in paths.iter().filter(|path| path.extension().is_some_and(|ending| ending == "log")) {
            let log = fs::read_to_string(path).unwrap_or_default();
            let tail: Vec<&str> = log.lines().rev().take(30).collect();
            text.push_str(&format!("-- {}\n", path.display()));
            tail.into_iter().rev().for_each(|line| text.push_str(&format!("{line}\n")));
        }
        text
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        self.hosts.clear();
        self.governors.clear();
        self.servers.stop_all();
        let _ = fs::remove_dir_all(&self.dir);
        let _ = fs::remove_dir_all(&self.shm);
    }
}

fn governor_name(place: usize) -> String {
    format!("gov-{}", place + 1)
}

/// The name of a host, and of its agent.
pub fn host_name(place: usize) -> String {
    format!("host-{}", place + 1)
}

/// The name of an engine. Each host has the same.
pub fn engine_name(place: usize) -> String {
    format!("gw-{}", place + 1)
}
