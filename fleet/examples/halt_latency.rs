//! How long after a halt the gates refuse: 200 engines on 20 agents of one machine, each of which asks 100 times a second.
//!
//! ```sh
//! cargo build --release -p trip99-fleet && cargo run --release -p trip99-fleet --example halt_latency
//! ```
//!
//! First while all is well, and then while each server in turn is dead, and hangs. Arguments: the number of agents; that of halts while
//! all is well; and that of halts below each fault, which may be 0. It needs nats-server 2.10 or newer, in the search path or named by `TRIP99_NATS_SERVER`.
//!
//! What is printed, all of it counted from just before the halt is signed:
//! - `gate refuses`: the agent has set the page's bits. From here on no order passes. This is what the fleet answers for.
//! - `last order passed`: the last order of an engine that did; 0 if none did after the halt.
//! - `first order refused`: the engine has seen it. To the gate's time comes how long the engine takes to ask again, up to 10 ms.
//! - `fleet refuses`: the last gate of all.
//! - `fleet answers`: each agent has the halt on its disk, and has answered.

use std::error::Error;
use std::time::Duration;
use trip99_fleet::ask::Asker;
use trip99_fleet::command::look::{Reports, take_report};
use trip99_fleet::lab::{Lab, Plan, Roads, servers, until};
use trip99_fleet::message::{self, Body, Halt, Id};
use trip99_fleet::selection::Selection;
use trip99_fleet::time::{monotonic_ns, wall_ns};
use trip99_fleet::trust::Role;

const ENGINES: usize = 10;
const PATIENCE: Duration = Duration::from_secs(120);
/// 200 halts and as many resumes are on the disk by then, so that each halt finds the machine as the first one did.
const BETWEEN_HALTS: Duration = Duration::from_secs(2);

type Outcome<T> = Result<T, Box<dyn Error>>;

fn all(lab: &Lab, trade: bool) -> bool {
    lab.hosts.iter().flat_map(|host| host.engines.gauges()).all(|gauge| gauge.trades() == trade)
}

/// Times of halts, in nanoseconds.
#[derive(Default)]
struct Times {
    gate: Vec<u64>,
    passed: Vec<u64>,
    refused: Vec<u64>,
    fleet: Vec<u64>,
    answered: Vec<u64>,
}

impl Times {
    fn show(self, title: &str) {
        println!("{title} (load {})", load());
        show("gate refuses", self.gate);
        show("last order passed", self.passed);
        show("first order refused", self.refused);
        show("fleet refuses", self.fleet);
        show("fleet answers", self.answered);
    }
}

fn show(what: &str, mut spans_ns: Vec<u64>) {
    spans_ns.sort_unstable();
    let at = |share: f64| {
        let rank = (spans_ns.len() as f64 * share).ceil() as usize;
        spans_ns.get(rank.saturating_sub(1)).map_or(f64::NAN, |&ns| ns as f64 / 1e6)
    };
    println!(
        "  {what:<20} {:>5} spans   P50 {:>8.2} ms   P99 {:>8.2} ms   greatest {:>8.2} ms",
        spans_ns.len(),
        at(0.5),
        at(0.99),
        at(1.0)
    );
}

/// The machine's load over the last minute: what else it does counts.
fn load() -> String {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').next().unwrap_or("?").to_owned()
}

struct Bench {
    lab: Lab,
    asker: Asker,
}

impl Bench {
    /// Halts, and waits until each agent has answered and each engine has seen it.
    async fn halt(&mut self, times: &mut Times) -> Outcome<()> {
        let agents = self.lab.hosts.len();
        let (begin_ns, at_ns) = (monotonic_ns(), wall_ns());
        let (reason, who) = ("a bench".to_owned(), "bench".to_owned());
        let halt = Halt { id: Id::new()?, selection: Selection::all(), reason, who, at_ns };
        let (id, subject) = (halt.id.to_string(), self.asker.subjects.halt());
        let text = message::seal(&self.asker.key, &self.asker.trust.fleet, &Body::Halt(halt))?.into();
        let mut reports = Reports::new();
        let have_answered = |trust: &_, opened| {
            take_report(trust, opened, &id, &mut reports);
            reports.len() == agents
        };
        if !self.asker.gather(&subject, &text, PATIENCE, have_answered).await {
            return Err("not all answered".into());
        }
        times.answered.push(monotonic_ns() - begin_ns);
        if !until(PATIENCE, || all(&self.lab, false)) {
            return Err("not all refuse".into());
        }
        // The agent notes the time when the bits are set. Its wall clock is this one's.
        let pages = reports.values().flat_map(|report| &report.pages);
        let gates: Vec<u64> = pages.map(|page| page.held_since_ns.saturating_sub(at_ns)).collect();
        if gates.len() != agents * ENGINES {
            return Err(format!("{} pages were told of", gates.len()).into());
        }
        times.fleet.extend(gates.iter().max());
        times.gate.extend(gates);
        for gauge in self.lab.hosts.iter().flat_map(|host| host.engines.gauges()) {
            times.passed.push(gauge.passed_ns().saturating_sub(begin_ns));
            times.refused.push(gauge.stopped_ns().saturating_sub(begin_ns));
        }
        Ok(())
    }

    fn resume(&self) -> Outcome<()> {
        // A leader may be missing for a while; and an agent that is slow to read makes the command fail, and has read by then.
        let is_resumed = until(PATIENCE, || {
            let _ = self.lab.resume(&["--all", "--yes", "--reason", "next", "--timeout", "5s"]);
            until(Duration::from_secs(2), || all(&self.lab, true))
        });
        if is_resumed { Ok(()) } else { Err(format!("not all trade again:\n{}", self.lab.logs()).into()) }
    }

    async fn rounds(&mut self, count: usize, times: &mut Times) -> Outcome<()> {
        for _ in 0..count {
            self.halt(times).await?;
            self.resume()?;
            tokio::time::sleep(BETWEEN_HALTS).await;
        }
        Ok(())
    }

    /// Halts at once after a server has died or hangs, and some more while it is so; each server in turn.
    async fn faults(&mut self, hang: bool, rounds: usize, times: &mut Times) -> Outcome<()> {
        for place in 0..3 {
            if hang {
                self.lab.servers.process(place).ok_or("no server")?.stop();
            } else {
                self.lab.servers.kill(place);
            }
            self.rounds(rounds, times).await?;
            if hang {
                self.lab.servers.process(place).ok_or("no server")?.go_on();
            } else {
                self.lab.servers.start(place)?;
            }
            tokio::time::sleep(Duration::from_secs(5)).await;
            if !until(PATIENCE, || all(&self.lab, true)) {
                return Err(format!("not all trade again:\n{}", self.lab.logs()).into());
            }
        }
        Ok(())
    }
}

#[tokio::main(worker_threads = 2)] // connections answer pings while this waits
async fn main() -> Outcome<()> {
    let mut arguments = std::env::args().skip(1).map(|count| count.parse::<usize>());
    let agents = arguments.next().unwrap_or(Ok(20))?;
    let rounds = arguments.next().unwrap_or(Ok(20))?;
    let fault_rounds = arguments.next().unwrap_or(Ok(3))?;
    let example = std::env::current_exe()?;
    let program = example.ancestors().nth(2).ok_or("no target folder")?.join("trip99-fleet");
    let plan = Plan {
        program,
        server: servers::find()?,
        servers: 3,
        governors: 2,
        hosts: agents,
        engines: ENGINES,
        ask_every: Duration::from_millis(10),
        agent_args: Vec::new(),
        agent_env: Vec::new(),
        roads: Roads::Plain,
    };
    let lab = Lab::begin(plan)?;
    if !until(PATIENCE, || all(&lab, true) && lab.is_leased()) {
        return Err(format!("not all trade:\n{}", lab.logs()).into());
    }
    let asker = Asker::connect(&lab.fleet(), &lab.key(Role::Halter, "ann"), &[Role::Halter]).await?;
    let mut bench = Bench { lab, asker };
    println!("{} engines on {agents} agents, each asks 100 times a second; 3 servers, 2 governors", agents * ENGINES);
    tokio::time::sleep(Duration::from_secs(3)).await;
    let mut times = Times::default();
    bench.rounds(rounds, &mut times).await?;
    times.show(&format!("all is well, {rounds} halts"));
    let faults = [(false, "one server is dead"), (true, "one server hangs")];
    for (hang, what) in faults.into_iter().filter(|_| fault_rounds > 0) {
        let mut times = Times::default();
        bench.faults(hang, fault_rounds, &mut times).await?;
        times.show(&format!("{what}, each in turn, {} halts", 3 * fault_rounds));
    }
    Ok(())
}
